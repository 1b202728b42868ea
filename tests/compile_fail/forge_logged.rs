//~ E0451
// A log entry that nobody wrote. (`Logged::assertion` is for the store: the architecture test.)
use firedoor::domain::leaf::Leaf;
use firedoor::domain::logged::{Inclusion, Logged};

pub fn log<T>(value: T, leaf: Leaf, inclusion: Inclusion) -> Logged<T> {
    Logged { value, leaf, inclusion }
}
