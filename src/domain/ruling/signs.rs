//! What a journey itself saw that a rule of the watch puts before an officer.

use crate::domain::watch::RuleCode;

use super::Ruling;

impl Ruling<'_> {
    /// Noted in the entry by the rule's code, and put where that rule says.
    pub fn sees(&mut self, code: RuleCode) {
        self.note(code.code());
        self.signs.push(code);
    }

    pub fn seen(&self) -> Vec<RuleCode> {
        self.signs.clone()
    }
}
