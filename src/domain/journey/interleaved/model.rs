//! What may be told, worked out from what was said and done, by none of the code that is tested.

use crate::domain::codes::{ConsentDepth, DataClass, Purpose, WithdrawalScope};
use crate::domain::consent::Opens;
use crate::domain::id::Id;
use crate::domain::time::When;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    Open,
    Accepted,
    Over,
}

pub struct Offered {
    pub from: &'static str,
    pub to: &'static str,
    pub her: usize,
    pub consented: When,
    pub stand: Stand,
    /// As its receiver calls it.
    pub alias: Id,
}

pub struct Assessed {
    pub at: &'static str,
    pub her: usize,
    pub when: When,
    pub id: Id,
}

/// Her word, as somebody recorded it.
pub struct Said {
    pub by: &'static str,
    pub her: usize,
    pub when: When,
    pub opens: Opens,
    /// Whom a source may tell.
    pub to: &'static str,
    pub permits: bool,
    /// Which step of the question a permit reaches.
    pub depth: ConsentDepth,
    /// The assessment that it was recorded with, if it was.
    pub with: Option<Id>,
    /// As `by` calls it, if it can be taken back alone.
    pub alias: Option<Id>,
    pub taken_back: bool,
}

pub struct Stopped {
    pub her: usize,
    pub when: When,
    pub scope: WithdrawalScope,
    pub service: &'static str,
}

/// All that was said and done.
#[derive(Default)]
pub struct Model {
    pub offers: Vec<Offered>,
    pub assessments: Vec<Assessed>,
    pub said: Vec<Said>,
    pub stopped: Vec<Stopped>,
}

impl Model {
    /// Whether she has stopped a flow between two organisations since `since`.
    pub fn is_stopped(
        &self,
        her: usize,
        since: When,
        ends: [&str; 2],
        classes: &[DataClass],
        purpose: Purpose,
    ) -> bool {
        self.stopped.iter().any(|stopped| {
            stopped.her == her
                && stopped.when >= since
                && match stopped.scope {
                    WithdrawalScope::Everything => true,
                    WithdrawalScope::Service => ends.contains(&stopped.service),
                    WithdrawalScope::Class => classes.contains(&DataClass::Sp),
                    WithdrawalScope::Purpose => purpose == Purpose::PriorAssessment,
                }
        })
    }

    /// Whether a permit that stands covers what `source` would tell `asker`.
    pub fn permits(&self, said: &Said, source: &str, asker: &str, now: When) -> bool {
        let refused = self.said.iter().any(|no| {
            !no.permits
                && (no.by, no.her, no.opens) == (said.by, said.her, said.opens)
                && !no.taken_back
                && no.when >= said.when
                && (no.opens == Opens::Query || no.to == asker)
        });
        said.permits
            && !said.taken_back
            && !refused
            && now < said.when.plus_days(365)
            && !self.is_stopped(
                said.her,
                said.when,
                [source, asker],
                &[DataClass::Op, DataClass::Sp],
                Purpose::PriorAssessment,
            )
    }

    /// P11, consent on both sides that reaches the step, and a date: what `asker` is to be shown.
    pub fn may_show(&self, asked: &Assessed, asker: &str, step: ConsentDepth, now: When) -> bool {
        let works_with_her = self.offers.iter().any(|offer| {
            offer.to == asker
                && offer.her == asked.her
                && offer.stand == Stand::Accepted
                && offer.from != asker
        });
        let she_lets_it_ask = self.said.iter().any(|said| {
            (said.by, said.her, said.opens) == (asker, asked.her, Opens::Query)
                && said.depth >= step
                && self.permits(said, asked.at, asker, now)
        });
        let she_lets_it_tell = self.said.iter().any(|said| {
            (said.by, said.her, said.opens, said.to) == (asked.at, asked.her, Opens::Share, asker)
                && match said.with {
                    Some(assessment) => assessment == asked.id,
                    None => said.when >= asked.when,
                }
                && said.depth >= step
                && self.permits(said, asked.at, asker, now)
        });
        asked.at != asker
            && now < asked.when.plus_days(90)
            && works_with_her
            && she_lets_it_ask
            && she_lets_it_tell
    }

    /// How high the risk is, or who is safe: she may stop either.
    pub fn may_open_in_an_emergency(&self, held: &Assessed, now: When) -> bool {
        let open = |class| {
            let ends = [held.at, "trust"];
            !self.is_stopped(held.her, held.when, ends, &[class], Purpose::Emergency)
        };
        now < held.when.plus_days(90) && (open(DataClass::Sp) || open(DataClass::Loc))
    }
}
