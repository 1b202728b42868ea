//~ E0277
// Nor can payload on its way to the firewall.
use firedoor::domain::seal::Payload;

pub fn print(value: &Payload) {
    println!("{value:?}");
}
