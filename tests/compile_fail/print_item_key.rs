//~ E0277
// Nor can a key.
use firedoor::domain::seal::ItemKey;

pub fn print(value: &ItemKey) {
    println!("{value:?}");
}
