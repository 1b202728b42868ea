//! What an organisation must decide: items, their states and who may move them (`domain.md` 3.5).
//!
//! An item is each told organisation's own, so that one body cannot bury it. It names a rule, counts
//! and a user; never a person who was asked about.

use borsh::{BorshDeserialize, BorshSerialize};

use super::visible::Stretch;
use crate::domain::codes::Role;
use crate::domain::id::{Id, OrgId, ReferralId};
use crate::domain::organisation::Organisation;
use crate::domain::record::singleton;
use crate::domain::subject_access::SeenAccess;
use crate::domain::time::When;
use crate::domain::watch::RuleCode;

/// Stands in place of a user where the gateway moved an item by rule.
pub const GATEWAY: &str = "gateway";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum Severity {
    /// Nothing is suspected: a sample.
    Plain,
    Amber,
    Red,
}

impl Severity {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Amber => "amber",
            Self::Red => "red",
        }
    }

    pub fn parse(code: &str) -> Option<Self> {
        [Self::Plain, Self::Amber, Self::Red]
            .into_iter()
            .find(|known| known.code() == code)
    }
}

/// Where an item stands. Every move is an entry of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum QueueState {
    /// With the second level: its time ran out, or someone passed it on.
    Escalated,
    New,
    UnderInvestigation,
    Closed,
}

impl QueueState {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Escalated => "escalated",
            Self::New => "new",
            Self::UnderInvestigation => "under_investigation",
            Self::Closed => "closed",
        }
    }
}

/// One thing to decide: accept, ask or escalate.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct QueueItem {
    pub id: Id,
    pub at: When,
    pub rule: RuleCode,
    /// Of the rules that it was made under.
    pub version: String,
    pub severity: Severity,
    /// The user's own organisation.
    pub organisation: OrgId,
    pub user: String,
    /// All who are told learn whose user it was, not only her own IG officer and the reviewer.
    pub names_user: bool,
    /// Signs when it began; later ones are counted beside it.
    pub count: u32,
    /// From the first of them to the last.
    pub minutes: u32,
    pub limit: u32,
    /// What is usual for the user, where that was compared; else 0.
    pub usual: u32,
    pub due: When,
    /// Goes to the second level then, if nobody has closed it.
    pub escalates: When,
    /// Passed on by another organisation to the reviewer.
    pub from: Option<PassedOn>,
    /// Of a sample.
    pub drawn: Option<Drawn>,
    pub decided: Option<QueueDecision>,
}

/// Whose item it was, before it went up.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PassedOn {
    pub organisation: OrgId,
    pub item: Id,
}

/// How an entry came to be drawn, so that anyone who may see it can draw again.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Drawn {
    pub entry: u64,
    /// The number of the week since 1970.
    pub week: i64,
    /// Whose access it was, as a keyed hash: to keep it from her own decision, not to name her.
    pub worker: [u8; 16],
    /// The tree whose root was the seed: the text of its checkpoint.
    pub checkpoint: String,
}

/// How long the signs of an item have gone on, to the minute. Written by those who are watched, as the
/// item is by those who decide, so that neither waits for the other. How many there are is counted
/// ([`Counter::Signs`](crate::domain::decision::Counter::Signs)).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct QueueTally {
    pub item: Id,
    pub minutes: u32,
}

/// Where the tally of an item is kept beside it.
pub fn tally_item(item: Id) -> Id {
    singleton(&format!("tally of {item}"))
}

/// The note of a high-risk offer was held, and no other has come: whose it was, and since when.
/// Neither which offer nor why; where it is kept follows from the offer ([`missing_note_item`]).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct MissingNote {
    pub at: When,
    pub by: String,
}

/// Where the sender's queue remembers that the note of a referral is missing.
pub fn missing_note_item(referral: ReferralId) -> Id {
    singleton(&format!("missing note of {}", referral.id()))
}

#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct QueueDecision {
    pub at: When,
    /// A user of the organisation whose item it is, or [`GATEWAY`].
    pub by: String,
    pub decision: QueueVerdict,
    /// The count that it was decided at: more makes the item new again.
    pub count: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum QueueVerdict {
    /// Closes it.
    Accept,
    /// Someone was asked: under investigation.
    Ask,
    /// To the second level.
    Escalate,
}

impl QueueVerdict {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Ask => "ask",
            Self::Escalate => "escalate",
        }
    }

    pub fn parse(code: &str) -> Option<Self> {
        [Self::Accept, Self::Ask, Self::Escalate]
            .into_iter()
            .find(|known| known.code() == code)
    }
}

impl QueueItem {
    /// How many signs there are by now, with those that came after it began.
    pub const fn total(&self, more: u32) -> u32 {
        self.count.saturating_add(more)
    }

    /// Where it stands at `now`: by what was decided, by what came since, and by the clock.
    pub fn state(&self, more: u32, now: When) -> QueueState {
        let state = match &self.decided {
            None => QueueState::New,
            Some(decided) => match decided.decision {
                QueueVerdict::Accept if self.total(more) > decided.count => QueueState::New,
                QueueVerdict::Accept => return QueueState::Closed,
                QueueVerdict::Ask => QueueState::UnderInvestigation,
                QueueVerdict::Escalate => QueueState::Escalated,
            },
        };
        if now >= self.escalates {
            QueueState::Escalated
        } else {
            state
        }
    }

    /// Somebody found it in order, and no sign came since.
    pub fn is_closed(&self, more: u32) -> bool {
        self.state(more, self.at) == QueueState::Closed
    }

    /// Its time ran out, and nobody has passed it on yet.
    pub fn is_overdue(&self, more: u32, now: When) -> bool {
        let passed_on = self
            .decided
            .as_ref()
            .is_some_and(|decided| decided.decision == QueueVerdict::Escalate);
        !passed_on && self.state(more, now) == QueueState::Escalated
    }

    /// Whether `role` may decide it. What was escalated is for the second level; where the
    /// organisation has nobody of it, for an officer who did not escalate it.
    pub fn may_decide(
        &self,
        state: QueueState,
        role: Role,
        user: &str,
        own: &Organisation,
        now: When,
    ) -> bool {
        let second = |role| matches!(role, Role::Caldicott | Role::Reviewer);
        if state != QueueState::Escalated || second(role) {
            return true;
        }
        let has_second = own
            .certificates
            .iter()
            .any(|one| one.roles.iter().any(|role| second(*role)) && one.in_force(now));
        let passed_on = self
            .decided
            .as_ref()
            .is_some_and(|decided| decided.by == user);
        !has_second && !passed_on
    }
}

/// One thing to decide, as one organisation sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenItem {
    /// Under the alias of the organisation that sees it.
    pub id: Id,
    pub at: When,
    pub rule: RuleCode,
    pub version: String,
    pub severity: Severity,
    pub state: QueueState,
    /// Whose user it is, for those who are told.
    pub user: Option<(OrgId, String)>,
    pub count: u32,
    pub minutes: u32,
    pub limit: u32,
    pub usual: u32,
    pub says: String,
    pub due: When,
    pub from: Option<OrgId>,
    pub drawn: Option<Drawn>,
    pub decided: Option<QueueDecision>,
}

/// The first page of an officer's day: counts, items, and what was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desk {
    pub items: Vec<SeenItem>,
    /// Not closed, and its time is up or will be within a day.
    pub due: u32,
    /// Requests of people for what is held about them that are late or soon due.
    pub accesses: Vec<SeenAccess>,
    /// What to count, since when.
    pub stretch: Stretch,
    pub since: When,
    pub checked: Checked,
}

/// What the rules in force looked for, so that an empty queue says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    pub version: String,
    pub rules: Vec<RuleCode>,
}
