//~ E0277
// Who she is and where she is cannot reach a log line.
use firedoor::domain::person::Identity;

pub fn print(value: &Identity) {
    println!("{value:?}");
}
