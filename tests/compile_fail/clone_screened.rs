//~ E0277
// A pass of the firewall stands for one event.
use firedoor::domain::firewall::Screened;

fn cloned<T: Clone>() {}

pub fn twice() {
    cloned::<Screened<()>>();
}
