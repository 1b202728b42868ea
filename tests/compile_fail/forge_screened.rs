//~ E0451
// A pass that the firewall did not give.
use firedoor::domain::firewall::Screened;
use firedoor::domain::policy::Recipient;

pub fn pass<T>(value: T, recipient: Recipient) -> Screened<T> {
    Screened { value, recipient, rules: Vec::new(), dropped: Vec::new() }
}
