//~ E0423
// Nor a fact.
use firedoor::domain::decision::SealedFact;
use firedoor::domain::seal::Sealed;

pub fn fact(sealed: Sealed) -> SealedFact {
    SealedFact(sealed)
}
