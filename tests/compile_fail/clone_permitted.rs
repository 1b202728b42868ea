//~ E0277
// A permission stands for one event.
use firedoor::domain::policy::Permitted;

fn cloned<T: Clone>() {}

pub fn twice() {
    cloned::<Permitted<()>>();
}
