//~ E0277
// No pass comes from nowhere.
use firedoor::domain::firewall::Screened;

fn made<T: Default>() {}

pub fn from_nowhere() {
    made::<Screened<()>>();
}
