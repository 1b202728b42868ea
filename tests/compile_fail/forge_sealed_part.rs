//~ E0423
// Ciphertext does not become a part of payload by saying so.
use firedoor::domain::decision::SealedPart;
use firedoor::domain::seal::Sealed;

pub fn part(sealed: Sealed) -> SealedPart {
    SealedPart(sealed)
}
