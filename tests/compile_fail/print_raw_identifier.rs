//~ E0277
// An identifier as it was sent cannot reach a log line.
use firedoor::domain::person::RawIdentifier;

pub fn print(value: &RawIdentifier) {
    println!("{value:?}");
}
