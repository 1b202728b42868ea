//! A request as one organisation sees it: whoever took it by what was done with it and by the time;
//! whoever holds something by what it is asked.

use super::replied::{AccessAsk, Entry};
use super::{Step, SubjectAccess};
use crate::domain::clock::CodeClock;
use crate::domain::codes::{AccessState, Delivery, PauseReason, ReplyCode};
use crate::domain::id::{Id, SubjectAccessId};
use crate::domain::time::When;

const DAY_MS: i64 = 86_400_000;

/// One request, under names of the organisation that sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenAccess {
    /// The word for the log.
    pub told: &'static str,
    pub id: SubjectAccessId,
    pub state: AccessState,
    /// For who took it: what the law says. For who holds something: its reply.
    pub due: Option<When>,
    pub days_left: Option<i64>,
    pub overdue: bool,
    pub of: SeenOf,
}

/// On which side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeenOf {
    Taken {
        received_at: When,
        ready_at: Option<When>,
        paused: Option<PauseReason>,
        delivery: Delivery,
        steps: Vec<Step>,
    },
    Asked {
        /// The holder's own names for her.
        people: Vec<Id>,
        since: When,
        said: Option<ReplyCode>,
        /// Each under a name of the holder.
        entries: Vec<Entry>,
    },
}

impl SeenAccess {
    /// For who took it.
    pub fn taken(
        told: &'static str,
        id: Id,
        request: &SubjectAccess,
        code: &CodeClock,
        now: When,
    ) -> Self {
        let due = request.clock.due(code, now).ok().flatten();
        Self {
            told,
            id: SubjectAccessId(id),
            state: request.state(code, now),
            due,
            days_left: due.map(|due| days(now, due)),
            overdue: request.is_overdue(code, now),
            of: SeenOf::Taken {
                received_at: request.clock.received_at,
                ready_at: request.times(code, now).map(|times| times.ready_at),
                paused: request.clock.paused(),
                delivery: request.intake.delivery,
                steps: request.steps.clone(),
            },
        }
    }

    /// For who holds something. Times are by the day, so that they cannot be matched with the entry
    /// of who took it.
    pub fn asked(
        told: &'static str,
        name: impl Fn(Id) -> Id,
        people: Vec<Id>,
        ask: &AccessAsk,
        request: Option<&SubjectAccess>,
        at: (&CodeClock, When),
    ) -> Self {
        let (code, now) = at;
        let times = request.and_then(|request| request.times(code, now));
        let due = times.map(|times| times.replies_by);
        let state = ask.state();
        let entries = ask.reply.iter().flat_map(|reply| &reply.entries);
        Self {
            told,
            id: SubjectAccessId(name(ask.id.id())),
            state,
            due,
            days_left: due.map(|due| days(now, due)),
            overdue: state != AccessState::RepliesIn && due.is_some_and(|due| now > due),
            of: SeenOf::Asked {
                people,
                since: ask.since,
                said: ask.reply.as_ref().map(|reply| reply.code),
                entries: entries
                    .map(|entry| Entry {
                        item: name(entry.item),
                        ..entry.clone()
                    })
                    .collect(),
            },
        }
    }

    /// Whether it says that the reader's own organisation holds something.
    pub const fn tells(&self) -> bool {
        matches!(self.of, SeenOf::Asked { .. })
    }
}

/// Whole days that are left; below 0 what it is late.
fn days(now: When, due: When) -> i64 {
    due.millis().saturating_sub(now.millis()).div_euclid(DAY_MS)
}
