//! What follows from her word that less be shared: the withdrawal or pause itself, as the service
//! that took it may settle it, and the notices to whoever was shown something.
//!
//! A notice names the holder's own record and what of it is meant. It must never say why, who took
//! the withdrawal, or whom else it went to.

use borsh::{BorshDeserialize, BorshSerialize};

use super::codes::{LawfulKeeping, StopUseReply};
use super::consent::Tombstone;
use super::id::{Id, OrgId, PersonId, StopUseId, WithdrawalId};
use super::record::singleton;
use super::time::When;

/// A pause ends by itself after so long (`domain.md` 3.4): she can be asked safely within it.
pub const PAUSE_HOURS: i64 = 72;
/// Whoever was shown something is to answer within so long.
pub const REPLY_DAYS: i64 = 30;
/// Nothing is destroyed earlier than so long after a notice. The same for a withdrawal and a pause, so
/// that neither shows which it is, and what he made her say can be undone.
pub const UNTOUCHED_HOURS: i64 = PAUSE_HOURS;

/// Her word, as it was taken, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Withdrawal {
    pub id: WithdrawalId,
    pub tombstone: Tombstone,
    pub settled: Option<Settled>,
    pub notices: Vec<StopUseId>,
}

/// She was asked safely, or it was found to be her.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Settled {
    pub at: When,
    /// A user of the service that took it.
    pub by: String,
    pub how: Settling,
}

/// New ones go at the end: the number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Settling {
    /// It was her word: a withdrawal, from when it was first said.
    Confirm,
    /// It was not: sharing goes on as before.
    Lift,
}

impl Settling {
    /// The word in the log.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Lift => "lift",
        }
    }
}

/// How a pause stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseState {
    /// To be settled: ask her safely.
    Paused,
    /// It became a withdrawal.
    Confirmed,
    Lifted,
    /// Nobody settled it in time.
    Lapsed,
}

impl PauseState {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::Confirmed => "confirmed",
            Self::Lifted => "lifted",
            Self::Lapsed => "lapsed",
        }
    }
}

impl Withdrawal {
    /// `None` for what was a withdrawal from the first.
    pub fn pause(&self, now: When) -> Option<PauseState> {
        match (&self.settled, self.tombstone.until) {
            (Some(settled), _) => Some(match settled.how {
                Settling::Confirm => PauseState::Confirmed,
                Settling::Lift => PauseState::Lifted,
            }),
            (None, None) => None,
            (None, Some(_)) if self.tombstone.in_force(now) => Some(PauseState::Paused),
            (None, Some(_)) => Some(PauseState::Lapsed),
        }
    }
}

/// What somebody was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum Shown {
    /// Who she is and how she is reached, with a referral.
    Details,
    /// Assessments of others.
    Assessments,
}

impl Shown {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Details => "details",
            Self::Assessments => "assessments",
        }
    }
}

/// That one holder is to stop using what it was shown.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct StopUse {
    pub id: StopUseId,
    pub withdrawal: WithdrawalId,
    pub holder: OrgId,
    /// The holder's own record of her.
    pub person: PersonId,
    pub shown: Vec<Shown>,
    pub at: When,
    pub reply_by: When,
    /// Under a pause: when it ends with it. The holder is not shown this.
    pub until: Option<When>,
    pub replied: Option<Reply>,
    /// It was put before the holder's own officer.
    pub reminded: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Reply {
    pub at: When,
    /// A user of the holder.
    pub by: String,
    pub code: StopUseReply,
    pub ground: Option<LawfulKeeping>,
}

/// How a notice stands, as its holder is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeState {
    Asked,
    Answered,
    Overdue,
    /// Nothing is to be done any more.
    Ended,
}

impl NoticeState {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Asked => "stop_use",
            Self::Answered => "stop_use_answered",
            Self::Overdue => "stop_use_overdue",
            Self::Ended => "stop_use_ended",
        }
    }
}

impl StopUse {
    pub fn state(&self, now: When) -> NoticeState {
        if self.until.is_some_and(|until| until <= now) {
            NoticeState::Ended
        } else if self.replied.is_some() {
            NoticeState::Answered
        } else if self.reply_by <= now {
            NoticeState::Overdue
        } else {
            NoticeState::Asked
        }
    }

    /// What was shown may be destroyed from then on.
    pub const fn destroyed_from(&self) -> When {
        self.at.plus_hours(UNTOUCHED_HOURS)
    }
}

impl StopUseId {
    /// The notice of one withdrawal about one record: the same if the withdrawal is made again.
    pub fn of(withdrawal: WithdrawalId, person: PersonId) -> Self {
        let id = singleton(&format!("stop use {} {}", withdrawal.id(), person.id()));
        // It has a name outside, as ids have that are drawn.
        Self(Id::drawn(*id.bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::codes::WithdrawalScope;
    use super::*;

    fn hours(hours: i64) -> When {
        When::from_millis(0).plus_hours(hours)
    }

    fn withdrawal(until: Option<When>) -> Withdrawal {
        Withdrawal {
            id: WithdrawalId(Id::ZERO),
            tombstone: Tombstone {
                at: hours(0),
                until,
                taken_by: OrgId::parse("haven").unwrap(),
                scope: WithdrawalScope::Everything,
                organisations: Vec::new(),
                classes: Vec::new(),
                purposes: Vec::new(),
                tokens: Vec::new(),
            },
            settled: None,
            notices: Vec::new(),
        }
    }

    #[test]
    fn a_pause_lapses_at_its_hour_and_a_withdrawal_never() {
        let paused = withdrawal(Some(hours(PAUSE_HOURS)));
        assert_eq!(paused.pause(hours(71)), Some(PauseState::Paused));
        assert_eq!(paused.pause(hours(72)), Some(PauseState::Lapsed));
        assert!(!paused.tombstone.in_force(hours(72)));
        assert_eq!(withdrawal(None).pause(hours(9_999)), None);
        assert!(withdrawal(None).tombstone.in_force(hours(9_999)));
    }

    #[test]
    fn a_notice_is_overdue_after_thirty_days_unless_it_was_answered_or_ended() {
        let mut notice = StopUse {
            id: StopUseId(Id::ZERO),
            withdrawal: WithdrawalId(Id::ZERO),
            holder: OrgId::parse("haven").unwrap(),
            person: PersonId(Id::ZERO),
            shown: vec![Shown::Details],
            at: hours(0),
            reply_by: hours(0).plus_days(REPLY_DAYS),
            until: None,
            replied: None,
            reminded: false,
        };
        let (early, late) = (hours(0).plus_days(29), hours(0).plus_days(30));
        assert_eq!(notice.state(early), NoticeState::Asked);
        assert_eq!(notice.state(late), NoticeState::Overdue);
        notice.replied = Some(Reply {
            at: early,
            by: "worker".to_owned(),
            code: StopUseReply::KeptByLaw,
            ground: Some(LawfulKeeping::CourtOrder),
        });
        assert_eq!(notice.state(late), NoticeState::Answered);
        notice.until = Some(hours(72));
        assert_eq!(notice.state(late), NoticeState::Ended);
    }
}
