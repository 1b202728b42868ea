//~ E0451
// A name is not a verified certificate.
use firedoor::domain::peer::{Peer, SpiffeName};
use firedoor::domain::time::When;

pub fn peer(name: SpiffeName, not_after: When) -> Peer {
    Peer { name, spki_sha256: [0; 32], not_after }
}
