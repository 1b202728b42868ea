//~ E0624
// An item key encrypts nothing outside the domain.
use firedoor::domain::seal::{ItemKey, Sealed};

pub fn encrypt(key: &ItemKey, plain: &[u8]) -> Sealed {
    key.seal(plain, b"", [0; 12])
}
