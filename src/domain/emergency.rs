//! That the glass was broken, and what was said of it afterwards (`domain.md` 3.6).
//!
//! There is one whether anything was held or not, and nothing in it says which, or of whom it was: it
//! must never become a list of people.

use borsh::{BorshDeserialize, BorshSerialize};

use super::codes::{AskedAfterwards, EmergencyAct};
use super::id::{EmergencyId, OrgId};
use super::record::singleton;
use super::time::When;

/// What was opened may be looked at for so long; there is no second look at it.
pub const VIEW_MINUTES: i64 = 60;
/// By then it is said what was done, and whether she agrees now.
pub const FOLLOW_UP_HOURS: i64 = 24;
/// Things done that are named at once, at most: so many fit into the entry of the log.
pub const DONE_MAX: usize = 4;
/// Corrections are kept beside what they correct, at most so many.
pub const REPORTS_MAX: usize = 16;

/// One breaking of the glass, for the organisation that did it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Emergency {
    pub id: EmergencyId,
    pub organisation: OrgId,
    /// Who broke it.
    pub user: String,
    pub at: When,
    /// What was said, the newest last. A correction takes nothing away.
    pub reports: Vec<FollowUp>,
    /// It was put before the officer that nothing was said in time.
    pub reminded: bool,
}

/// What somebody said about it afterwards.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct FollowUp {
    pub at: When,
    /// A senior of the same organisation.
    pub by: String,
    pub done: Vec<EmergencyAct>,
    pub asked: AskedAfterwards,
}

impl Emergency {
    pub const fn due(&self) -> When {
        self.at.plus_hours(FOLLOW_UP_HOURS)
    }

    pub fn is_overdue(&self, now: When) -> bool {
        self.reports.is_empty() && self.due() <= now
    }
}

/// Under which item the fact lies.
pub fn emergency_item() -> super::id::Id {
    singleton("emergency")
}

/// One emergency as its organisation sees it, under its own name for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenEmergency {
    pub id: EmergencyId,
    pub user: String,
    pub at: When,
    pub due: When,
    pub is_overdue: bool,
}
