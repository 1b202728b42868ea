//~ E0308
// Permitted is not enough to be sealed.
use firedoor::domain::decision::{Aggregate, Write};
use firedoor::domain::policy::Permitted;
use firedoor::domain::seal::{Keys, Payload};

pub fn seal(keys: &mut Keys, of: &Aggregate, payload: &Permitted<Payload>) -> Vec<Write> {
    keys.parts(of, payload).unwrap_or_default()
}
