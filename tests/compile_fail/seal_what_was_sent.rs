//~ E0308
// Payload as it came in cannot be sealed.
use firedoor::domain::decision::{Aggregate, Write};
use firedoor::domain::seal::{Keys, Payload};

pub fn seal(keys: &mut Keys, of: &Aggregate, payload: &Payload) -> Vec<Write> {
    keys.parts(of, payload).unwrap_or_default()
}
