//~ E0423
// A right to open entries that no logged decision gave.
use firedoor::store::{Named, Readable};

pub fn forge() -> Readable {
    Readable(Named::Within(0..9))
}
