//! The counts that an officer sees first: "since Friday 17:00".
//!
//! Counted from the entries that she may see, as far as she may see them, so that no figure says
//! more than a page of the log would.

use std::collections::BTreeSet;

use jiff::civil::Weekday;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::visible::{Side, VisibleEntry, VisibleOutcome};
use crate::domain::codes::Action;
use crate::domain::opening::Opening;
use crate::domain::time::When;

/// When the week's last day of work ends, in London.
const HOUR: i8 = 17;

/// What happened since the last Friday at 17:00.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Attempts that ask about or act for a person.
    pub accesses: u32,
    /// Different people in them, as far as they are told apart.
    people: BTreeSet<[u8; 16]>,
    pub emergencies: u32,
    /// As far as the reader may see what was decided.
    pub firewall_stops: u32,
    pub denials: u32,
}

impl Figures {
    pub const fn none() -> Self {
        Self {
            accesses: 0,
            people: BTreeSet::new(),
            emergencies: 0,
            firewall_stops: 0,
            denials: 0,
        }
    }

    /// Counts one entry that the reader sees as `seen`.
    pub fn add(&mut self, seen: &VisibleEntry, opening: &Opening) {
        let action = Action::parse(&seen.action);
        if seen.outcome == VisibleOutcome::Deny {
            self.denials += 1;
        }
        let told_held = matches!(seen.told.as_str(), "immigration-content-found" | "held");
        let stopped = seen
            .decided
            .as_ref()
            .is_some_and(|decided| decided.firewall.is_some());
        if told_held || stopped {
            self.firewall_stops += 1;
        }
        if action == Some(Action::BreakGlass) && seen.outcome == VisibleOutcome::Permit {
            self.emergencies += 1;
        }
        if seen.side != Side::Operator && action.is_some_and(is_access) {
            self.accesses += 1;
            self.people.extend(opening.decided.subject);
        }
    }

    pub fn people(&self) -> usize {
        self.people.len()
    }
}

/// Whether an attempt is an access to what is held or told about a person.
pub const fn is_access(action: Action) -> bool {
    match action {
        Action::OfferReferral
        | Action::ReadReferralStatus
        | Action::ReadInbox
        | Action::AcceptReferral
        | Action::DeclineReferral
        | Action::WaitReferral
        | Action::CloseReferral
        | Action::HandBackReferral
        | Action::AddNote
        | Action::UpdateReferral
        | Action::TransferReferral
        | Action::RecordConsent
        | Action::WithdrawConsent
        | Action::Withdraw
        | Action::RecordAssessment
        | Action::ReadReferral
        | Action::QueryAssessments
        | Action::RelyOnAssessment
        | Action::WithdrawAssessment
        | Action::ReadOwnAssessments
        | Action::SealItem
        | Action::CollectItem
        | Action::ConfirmLink
        | Action::RejectLink
        | Action::IssueCard
        | Action::SettleWithdrawal
        | Action::AnswerStopUse
        | Action::ReplySubjectAccess
        | Action::RedactSubjectAccess
        | Action::DeliverSubjectAccess
        | Action::BreakGlass => true,
        Action::ReadEvents
        | Action::FollowUpEmergency
        | Action::KeepDraft
        | Action::OpenDraft
        | Action::EraseDraft
        | Action::ReadReturn
        | Action::TakeSubjectAccess
        | Action::ReadSubjectAccess
        | Action::MoveSubjectAccess
        | Action::ReadLinks
        | Action::ReadConsents
        | Action::ScreenText
        | Action::ReadAudit
        | Action::ReadAuditSubject
        | Action::ReadAuditQueue
        | Action::DecideAuditItem
        | Action::ReportSubject
        | Action::FlagPerson
        | Action::OpenSeal
        | Action::Propose
        | Action::Approve
        | Action::Narrow
        | Action::ReadProposals
        | Action::SecondFactor
        | Action::ReadDevices
        | Action::AddDevice
        | Action::RemoveDevice
        | Action::Unknown
        | Action::Reconcile => false,
    }
}

/// The last Friday at 17:00 in London, at or before `now`.
pub fn since_friday(now: When) -> When {
    let london = TimeZoneDatabase::bundled().get("Europe/London");
    let london = london.unwrap_or(TimeZone::UTC);
    let found = now.timestamp().and_then(|at| {
        let today = at.to_zoned(london.clone()).date();
        (0..=7_i64).find_map(|back| {
            let day = today.checked_sub(jiff::Span::new().days(back)).ok()?;
            if day.weekday() != Weekday::Friday {
                return None;
            }
            let evening = day.at(HOUR, 0, 0, 0).to_zoned(london.clone()).ok()?;
            let evening = When::from_millis(evening.timestamp().as_millisecond());
            (evening <= now).then_some(evening)
        })
    });
    found.unwrap_or(now.plus_days(-7))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_of_work_ends_on_friday_at_five_in_london() {
        for (now, since) in [
            ("2026-11-23T09:00:00Z", "2026-11-20T17:00:00Z"),
            ("2026-11-20T16:59:59Z", "2026-11-13T17:00:00Z"),
            ("2026-11-20T17:00:00Z", "2026-11-20T17:00:00Z"),
            ("2026-06-08T09:00:00Z", "2026-06-05T16:00:00Z"),
        ] {
            let when = |text: &str| When::parse(text).unwrap();
            assert_eq!(since_friday(when(now)), when(since), "{now}");
        }
    }
}
