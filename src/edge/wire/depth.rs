//! How far a consent reaches into earlier assessments, as sent.

use super::{ConsentIn, Wrong};
use crate::domain::assessment::ASSESSMENT_PURPOSE;
use crate::domain::codes::{ConsentDecision, ConsentDepth, Purpose};

impl ConsentIn {
    /// Said where it means something and nowhere else, so that nobody believes to have said it.
    pub(super) fn depth(
        &self,
        wrong: &mut Wrong,
        decision: ConsentDecision,
        purposes: &[Purpose],
    ) -> Option<ConsentDepth> {
        const FIELD: &str = "consent.depth";
        let asked = decision == ConsentDecision::Permit && purposes.contains(&ASSESSMENT_PURPOSE);
        match (&self.depth, asked) {
            (Some(text), true) => wrong.code(FIELD, text, ConsentDepth::parse),
            (None, false) => None,
            (None, true) => {
                wrong.add(
                    FIELD,
                    "say how far she allows earlier assessments to be shown: exists, cards or \
                     answers",
                );
                None
            }
            (Some(_), false) => {
                wrong.add(
                    FIELD,
                    "leave this out: it belongs to a permit for prior_assessment; a refusal stops \
                     every step",
                );
                None
            }
        }
    }
}
