//~ E0277
// A log entry stands for one event.
use firedoor::domain::logged::Logged;

fn cloned<T: Clone>() {}

pub fn twice() {
    cloned::<Logged<()>>();
}
