//! What the screen says of an offer's free texts, and what goes on without them.

use crate::domain::attempt::Attempt;
use crate::domain::firewall::hold::{Hold, ScreenedText, Unread, read};
use crate::domain::person::SafeContact;
use crate::domain::refusal::Refusal;
use crate::domain::rules::Rules;

use super::Offer;

/// Every free text of an offer, read by the screen.
pub(super) struct Texts<'o> {
    pub(super) contact: Option<ScreenedText<&'o SafeContact>>,
    pub(super) note: Option<ScreenedText<&'o Unread>>,
    /// What goes back to its author while the offer goes on (P12).
    pub(super) held: Vec<Hold>,
}

impl<'o> Texts<'o> {
    /// Words in the short answers about safe contact are sent back with the whole offer, because a
    /// half answer there is dangerous; so is everything if the sender wants it so.
    pub(super) fn read(
        rules: &Rules,
        attempt: &Attempt,
        offer: &'o Offer,
    ) -> Result<Self, Refusal> {
        let contact = offer.safe_contact.as_ref();
        let contact = contact.map(|contact| read(rules, attempt, contact));
        let contact = contact
            .transpose()
            .map_err(Refusal::ImmigrationContentFound)?;
        let mut held = Vec::new();
        let mut passes = |text: &'o Unread| match read(rules, attempt, text) {
            Ok(screened) => Some(screened),
            Err(holds) => {
                held.extend(holds);
                None
            }
        };
        let note = offer.note.as_ref().and_then(&mut passes);
        for aside in &offer.asides {
            passes(aside);
        }
        if offer.strict && !held.is_empty() {
            return Err(Refusal::ImmigrationContentFound(held));
        }
        Ok(Self {
            contact,
            note,
            held,
        })
    }
}
