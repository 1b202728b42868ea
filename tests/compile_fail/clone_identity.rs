//~ E0277
// Personal data has one owner, which wipes it.
use firedoor::domain::person::Identity;

fn cloned<T: Clone>() {}

pub fn twice() {
    cloned::<Identity>();
}
