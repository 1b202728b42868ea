//~ E0277
// No permission comes from nowhere.
use firedoor::domain::policy::Permitted;

fn made<T: Default>() {}

pub fn from_nowhere() {
    made::<Permitted<()>>();
}
