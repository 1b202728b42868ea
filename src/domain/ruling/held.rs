//! What the log says of text that the screen held.

use super::Ruling;
use crate::domain::answer::Answer;
use crate::domain::codes::DataClass;
use crate::domain::refusal::Refusal;

impl Ruling<'_> {
    /// What the log says of held text: the version of the rules and a keyed hash. An entry that says
    /// that text was held names nobody whom it was about, and concerns nobody but its author's
    /// organisation; so nobody learns from it that such words were written about her.
    pub(super) fn about_held_text(&mut self, answer: &Answer) {
        let (holds, is_hold) = match answer {
            Answer::Refused(Refusal::ImmigrationContentFound(holds)) | Answer::Held(holds) => {
                (holds, true)
            }
            Answer::Screened { held } => (held, false),
            _ => return,
        };
        let Some(first) = holds.first() else {
            return;
        };
        self.subjects.clear();
        self.about.clear();
        self.what.object = Some(first.reference);
        let own = self.attempt.organisation();
        let decided = &mut self.decided;
        (decided.subject, decided.relationship, decided.basis) = (None, None, None);
        decided.object = self.rules.hold_of(own, first.reference, self.attempt.when);
        decided.consents.clear();
        decided.disclosed.clear();
        decided.concerned.clear();
        if is_hold {
            self.firewall("F5", DataClass::Ft.code());
        }
        self.note(&format!("screen-{}", first.version));
        for hold in holds {
            self.note(&format!("text-{}", hold.hash));
        }
    }
}
