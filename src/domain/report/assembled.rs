//! What several organisations say of themselves, put together for her: the part of the report that
//! only a request of hers brings about.

use std::collections::BTreeMap;

use super::{Page, words};
use crate::domain::codes::{Article6, EntryAbout};
use crate::domain::id::{Id, OrgId};
use crate::domain::time::When;

/// The words of entries and explanations that were opened, by their items: what is held, and why.
pub type Said = BTreeMap<Id, (String, String)>;

/// Answers of those who hold something, and who has not given one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assembled {
    pub received_at: When,
    pub answers: Vec<PartAnswer>,
    pub unanswered: Vec<OrgId>,
    /// Others may still answer until then: from the calendar alone, whoever they are, so that it is said
    /// to everybody. Until then nobody is named who has not answered.
    pub open_until: Option<When>,
    /// She named organisations that were not to be asked.
    pub some_not_asked: bool,
    /// Why it took longer, in words.
    pub explanations: Vec<Id>,
}

/// One organisation's answer, looked at by two of its people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartAnswer {
    pub holder: OrgId,
    /// What she is given.
    pub given: Vec<(Id, EntryAbout, Article6)>,
    pub left_out_for_others: bool,
    pub left_out_by_law: bool,
}

impl Assembled {
    /// Everything that has words.
    pub fn items(&self) -> Vec<Id> {
        let entries = self.answers.iter().flat_map(|answer| &answer.given);
        let entries = entries.map(|(item, _, _)| *item);
        entries.chain(self.explanations.iter().copied()).collect()
    }

    /// Whether this organisation's own part of the log is told.
    pub fn has_answered(&self, organisation: &OrgId) -> bool {
        let mut answers = self.answers.iter();
        answers.any(|answer| answer.holder == *organisation)
    }
}

impl Page<'_> {
    /// What each says that it holds, in its own words.
    pub(super) fn answers(&mut self, said: &Said) {
        let Some(assembled) = self.commission.assembled.clone() else {
            return;
        };
        self.sheet
            .title("What each organisation says that it holds about you");
        let day = self.day(assembled.received_at);
        self.sheet.line(&format!(
            "You asked on {day}. Each organisation that we know of was asked what it holds. What \
             you read here are their own words."
        ));
        for item in &assembled.explanations {
            if let Some((text, _)) = said.get(item) {
                self.sheet.line(&format!("Why it took longer: {text}"));
            }
        }
        for answer in &assembled.answers {
            self.answer(answer, said);
        }
        for name in self.names(&assembled.unanswered) {
            self.sheet.item(&format!("{name} has not answered."));
            self.sheet.under(
                "It has something about you. You need not wait: ask it yourself, ask us to give \
                 you its answer later, or complain.",
            );
        }
        if let Some(until) = assembled.open_until {
            let day = self.day(until);
            self.sheet.line(&format!(
                "Others may still answer. Ask us again after {day}."
            ));
        } else if assembled.answers.is_empty() && assembled.unanswered.is_empty() {
            self.sheet.line("We know of none that holds something.");
        }
        if assembled.some_not_asked {
            self.sheet.line(
                "You told us not to ask some organisations. Nothing on this page is from them.",
            );
        }
        self.sheet.line(
            "If you gave something to a legal adviser through this system, it is sealed. Nobody \
             here can read it, and no list says that it is yours. Your adviser can show it to \
             you.",
        );
    }

    fn answer(&mut self, answer: &PartAnswer, said: &Said) {
        let name = self.name_of(&answer.holder);
        if answer.given.is_empty() && !answer.left_out_for_others && !answer.left_out_by_law {
            self.sheet
                .item(&format!("{name} says that it holds nothing more."));
        }
        for (item, about, basis) in &answer.given {
            // What cannot be opened any more is not told as if it were there.
            let Some((what, why)) = said.get(item) else {
                continue;
            };
            self.sheet
                .item(&format!("{name} holds {}: {what}", words::about(*about)));
            if !why.trim().is_empty() {
                self.sheet.under(&format!("Why: {why}"));
            }
            if let Some(right) = words::basis(basis.code()) {
                self.sheet
                    .under(&format!("What gave it the right: {right}."));
            }
        }
        if answer.left_out_for_others {
            self.sheet.item(&format!(
                "{name} left something out, because it is about other people too."
            ));
        }
        if answer.left_out_by_law {
            self.sheet.item(&format!(
                "{name} left something out, because a law lets it. You can ask which, and complain."
            ));
        }
    }

    /// Under the names that this page has for them, each once.
    pub(super) fn names(&self, organisations: &[OrgId]) -> Vec<String> {
        let mut names: Vec<String> = organisations.iter().map(|id| self.name_of(id)).collect();
        names.sort();
        names.dedup();
        names
    }
}
