//! A person's request for what is held about her (`domain.md` 3.11): as it was taken, its clock of one
//! month, and what each who holds something is asked and says.
//!
//! Where a request stands follows from values and the time alone, never from what is held: whoever
//! took it sees the same days whether ten organisations hold something or none (P5). The words that
//! are said for her lie sealed, under the item of each entry.

mod replied;
mod seen;

pub use replied::{AccessAsk, Entry, Look, NotYours, Reply, WORDS_CHARS_MAX, Words};
pub use seen::{SeenAccess, SeenOf};

use borsh::{BorshDeserialize, BorshSerialize};

use super::clock::{ClockError, CodeClock};
use super::codes::{
    AccessRefusal, AccessState, AccessStep, Authority, Capacity, Delivery, IdentityProof,
    PauseReason, Requester, YesNoUnknown,
};
use super::id::{Id, OrgId, SubjectAccessId, TeamId};
use super::other_party::Asker;
use super::person::{FieldError, TaggedToken};
use super::time::When;

/// A reply is asked for within so many days, and seven before the answer is due.
const REPLY_DAYS: i64 = 14;
const REPLY_DAYS_BEFORE: i64 = 7;
/// Then a second person looks at what is left out; so long before the answer is due it is ready.
const READY_DAYS: i64 = 21;
const READY_DAYS_BEFORE: i64 = 3;
/// The law's time, and what it may be lengthened by.
const MONTHS: u8 = 1;
const MONTHS_MORE: u8 = 3;
/// A request may have been made on paper so long before it was written down.
pub const RECEIVED_DAYS_MAX: i64 = 90;
/// Organisations that she does not want asked.
pub const NOT_ASKED_MAX: usize = 16;
/// One report may be handed over again so often, as answers come in.
pub const DELIVERED_MAX: usize = 16;
/// Steps of one request; then it must end.
pub const STEPS_MAX: usize = 48;
/// The words of a request are kept so long after it ended, for a second copy and for a complaint; then
/// they are erased.
pub const WORDS_DAYS: i64 = 90;
/// It comes before the information-governance officer so long before it is due.
pub const WARNED_DAYS: i64 = 7;

/// A request, as it was taken and as it went on.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SubjectAccess {
    pub id: SubjectAccessId,
    pub taken_by: OrgId,
    pub team: TeamId,
    /// Who wrote it down; somebody else hands the report over.
    pub taker: String,
    pub tokens: Vec<TaggedToken>,
    pub intake: Intake,
    /// Who asks for her.
    pub asking: Option<Asker>,
    pub clock: AccessClock,
    /// When those who hold something were asked.
    pub asked_at: Option<When>,
    /// Who they are: told to nobody but her.
    pub asked: Vec<OrgId>,
    pub steps: Vec<Step>,
    /// Why it takes longer, in words for her, sealed.
    pub explanations: Vec<Id>,
    pub ended: Option<Ended>,
}

/// What was written down when she asked.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Intake {
    pub requester: Requester,
    pub capacity: Capacity,
    /// Of one who asks for her.
    pub authority: Option<Authority>,
    /// Whether the one who asks for her is the other party.
    pub other_party: YesNoUnknown,
    /// How it was proved that it is she; absent until it was.
    pub proof: Option<IdentityProof>,
    pub delivery: Delivery,
    /// She said, alone, that post is safe there.
    pub post_is_safe: bool,
    /// She was asked again how it is safe to reach her.
    pub contact_checked: bool,
    /// Organisations that she does not want to know of it.
    pub not_asked: Vec<OrgId>,
}

/// What happened, when and by whom.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Step {
    pub at: When,
    pub by: String,
    pub what: AccessStep,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Ended {
    Delivered(When),
    Refused(When, AccessRefusal),
}

/// The time that the law gives: one month from receipt or, if later, from the proof of who she is;
/// it stands still while she is asked what she means, and is three months where that was explained.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AccessClock {
    pub received_at: When,
    pub proved_at: Option<When>,
    pub pauses: Vec<Pause>,
    pub more_time: bool,
}

/// A stretch in which the clock stands still, with why.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Pause {
    pub from: When,
    pub to: Option<When>,
    pub reason: PauseReason,
}

impl Intake {
    /// What is wrong with it, about the caller's own input alone.
    pub fn check(&self) -> Vec<FieldError> {
        let mut wrong = Vec::new();
        let mut add = |field, message| wrong.push(FieldError { field, message });
        if !self.contact_checked {
            add(
                "safe_contact_checked",
                "ask her again, alone, how it is safe to reach her: send true",
            );
        }
        if self.delivery == Delivery::Posted && !self.post_is_safe {
            add(
                "post_is_safe",
                "never post it home, unless she said herself, alone, that post is safe there",
            );
        }
        if self.delivery == Delivery::ToSolicitor && self.requester != Requester::Solicitor {
            add("delivery", "only her solicitor who asked can be given it");
        }
        let fits = match self.requester {
            Requester::Herself => {
                matches!(self.capacity, Capacity::Adult | Capacity::CompetentChild)
            }
            Requester::Solicitor => true,
            Requester::ParentGuardian => matches!(
                self.capacity,
                Capacity::ChildAgrees | Capacity::NotCompetent
            ),
            Requester::Deputy => self.capacity == Capacity::NotCompetent,
        };
        if !fits {
            add(
                "capacity",
                "a person who understands asks herself; a child may say that a parent asks",
            );
        }
        if self.requester == Requester::Herself {
            if self.authority.is_some() {
                add("authority", "who asks for herself needs none; leave it out");
            }
        } else if self.authority.is_none() {
            add(
                "authority",
                "write down what you saw of the right to ask for her",
            );
        }
        if self.not_asked.len() > NOT_ASKED_MAX {
            add("not_asked", "at most 16 organisations");
        }
        wrong
    }

    /// Whether anything may be handed out at all. A parent or another who may be the other party is
    /// answered as anybody, and given nothing.
    pub fn may_be_given(&self) -> bool {
        self.requester == Requester::Herself || self.other_party == YesNoUnknown::No
    }
}

impl AccessClock {
    /// When it must be answered, as things stand at `now`; `None` before it is proved who she is.
    ///
    /// # Errors
    /// [`ClockError`], where the holidays of a year are missing.
    pub fn due(&self, code: &CodeClock, now: When) -> Result<Option<When>, ClockError> {
        let Some(proved) = self.proved_at else {
            return Ok(None);
        };
        let mut paused = 0_u16;
        for pause in &self.pauses {
            if pause.reason == PauseReason::Clarification {
                let days = code.days_between(pause.from, pause.to.unwrap_or(now))?;
                paused = paused.saturating_add(days);
            }
        }
        let months = if self.more_time { MONTHS_MORE } else { MONTHS };
        code.months_after(self.received_at.max(proved), months, paused)
            .map(Some)
    }

    /// Why it stands still, if it does.
    pub fn paused(&self) -> Option<PauseReason> {
        if self.proved_at.is_none() {
            return Some(PauseReason::Identity);
        }
        let open = self.pauses.iter().find(|pause| pause.to.is_none());
        open.map(|pause| pause.reason)
    }
}

/// By when what is to happen, as things stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// What the law says; unknown where the calendar of a year is missing.
    pub due: Option<When>,
    /// Who holds something replies until then.
    pub replies_by: When,
    /// It may be handed over from then on.
    pub ready_at: When,
}

impl SubjectAccess {
    /// The times of a request whose holders were asked; `None` before.
    pub fn times(&self, code: &CodeClock, now: When) -> Option<Times> {
        // By the day: whoever is asked must not learn when she stood at another's desk.
        let asked = self.asked_at?.day_began();
        let due = self.clock.due(code, now).ok().flatten();
        let by = |days, before: i64| {
            let usual = asked.plus_days(days);
            due.map_or(usual, |due| usual.min(due.plus_days(-before)))
        };
        // Where the law gives three months, so do those who reply have longer.
        let more = if self.clock.more_time { 60 } else { 0 };
        Some(Times {
            due,
            replies_by: by(REPLY_DAYS + more, REPLY_DAYS_BEFORE),
            ready_at: by(READY_DAYS + more, READY_DAYS_BEFORE),
        })
    }

    /// From when on it may be said who was asked and has not answered. Whatever day the law gives, those
    /// who hold something have their time: else who asks as of an earlier day would be told at once
    /// who they are. `None` before they were asked.
    pub fn answers_by(&self) -> Option<When> {
        self.asked_at.map(|at| at.day_began().plus_days(REPLY_DAYS))
    }

    /// How often the report was handed over.
    pub fn delivered(&self) -> usize {
        let steps = self.steps.iter();
        steps
            .filter(|step| step.what == AccessStep::Delivered)
            .count()
    }

    /// Where it stands for whoever took it: by what was done with it and by the time, and by nothing
    /// that is held.
    pub fn state(&self, code: &CodeClock, now: When) -> AccessState {
        match (self.ended, self.times(code, now)) {
            (Some(Ended::Delivered(_)), _) => AccessState::Delivered,
            (Some(Ended::Refused(..)), _) => AccessState::Refused,
            (None, None) => AccessState::WaitingForIdentity,
            (None, Some(times)) if now >= times.ready_at => AccessState::Ready,
            (None, Some(times)) if now >= times.replies_by => AccessState::Redaction,
            (None, Some(_)) => AccessState::InHand,
        }
    }

    /// Past its day, and not answered. Never while the clock stands still.
    pub fn is_overdue(&self, code: &CodeClock, now: When) -> bool {
        let due = self.clock.due(code, now).ok().flatten();
        self.ended.is_none() && self.clock.paused().is_none() && due.is_some_and(|due| now > due)
    }

    /// Due within [`WARNED_DAYS`], or past it.
    pub fn is_pressing(&self, code: &CodeClock, now: When) -> bool {
        self.is_overdue(code, now.plus_days(WARNED_DAYS))
    }

    /// Whether its words are still there: they go some time after it ended.
    pub fn keeps_words(&self, now: When) -> bool {
        let ended = match self.ended {
            None => return true,
            Some(Ended::Delivered(at) | Ended::Refused(at, _)) => at,
        };
        now < ended.plus_days(WORDS_DAYS)
    }

    pub fn stepped(&mut self, at: When, by: &str, what: AccessStep) {
        self.steps.push(Step {
            at,
            by: by.to_owned(),
            what,
        });
    }
}

#[cfg(test)]
mod tests;
