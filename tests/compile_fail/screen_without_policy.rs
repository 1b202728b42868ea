//~ E0308
// The firewall takes only what some policy permitted.
use firedoor::domain::firewall::{Screened, Screening, screen};
use firedoor::domain::seal::Payload;

pub fn pass(payload: Payload, screening: Screening) -> Screened<Payload> {
    screen(payload, screening)
}
