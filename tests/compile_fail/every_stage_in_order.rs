//~ compiles
// The control: policy, then the firewall, then the seal. If this stops compiling, the others prove
// nothing.
use firedoor::domain::decision::{Aggregate, Write};
use firedoor::domain::firewall::{Screening, screen};
use firedoor::domain::policy::{Ask, Policies, authorise};
use firedoor::domain::seal::{Keys, Payload};

pub fn write(
    policies: &Policies,
    ask: &Ask,
    payload: Payload,
    screening: Screening,
    keys: &mut Keys,
    of: &Aggregate,
) -> Vec<Write> {
    let Ok(permitted) = authorise(policies, ask, payload) else {
        return Vec::new();
    };
    let screened = screen(permitted, screening);
    println!("{screened:?}");
    keys.parts(of, &screened).unwrap_or_default()
}
