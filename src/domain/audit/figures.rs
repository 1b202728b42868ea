//! Counts of a stretch of the log, as one reader sees it: of what happened "since Friday 17:00", and of
//! a month.
//!
//! Counted from the entries that she may see, as far as she may see them, so that no figure says
//! more than a page of the log would. Stretches that lie beside each other add up, so that what does
//! not change any more is counted once.

use std::collections::{BTreeMap, HashSet};

use jiff::civil::Weekday;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::visible::{Side, SomeOrganisation, VisibleEntry, VisibleOutcome};
use crate::domain::codes::Action;
use crate::domain::id::OrgId;
use crate::domain::time::When;

/// When the week's last day of work ends, in London.
const HOUR: i8 = 17;
const MS_AN_HOUR: i64 = 3_600_000;

/// What an entry tells of text that was held: refused with all it came with, or left out.
const HELD: [&str; 2] = ["immigration-content-found", "held"];
const SAID_WRONG: &str = "said-wrong";

/// How often each of some names was met.
pub type Counts = BTreeMap<String, u32>;

/// Attempts by the hour (since 1970) in which they were made. London is whole hours off, so that its days
/// are sums of these.
pub type Hours = BTreeMap<i64, u32>;

/// Attempts of the reader's own staff, or of everybody else.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Share {
    pub attempts: u32,
    pub denials: u32,
    /// Details opened in an emergency, over her consent.
    pub emergencies: u32,
    /// Texts that were held, and how often that was said to be wrong.
    pub held: u32,
    pub said_wrong: u32,
    pub by_outcome: Counts,
    pub by_action: Counts,
    pub by_purpose: Counts,
    pub by_organisation: Counts,
    /// Attempts that ask about or act for a person.
    pub accesses: Hours,
    pub denied: Hours,
}

/// What a stretch of the log came to. It holds the log's pseudonyms, so it does not print itself.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Counted {
    pub own: Share,
    /// Of others, the operator and the gateway included.
    pub others: Share,
    /// Attempts that ask about or act for a person, but the operator's.
    pub accesses: u32,
    /// Different people in them, as far as they are told apart.
    people: HashSet<[u8; 16]>,
    /// Different people in what others did.
    concerned: HashSet<[u8; 16]>,
    /// As far as the reader may see what was decided.
    pub firewall_stops: u32,
    /// Offers that own staff made.
    pub sent: u32,
    /// Offers that others made, by who made them and whom they reached.
    pub offers: BTreeMap<(OrgId, Vec<OrgId>), u32>,
}

impl Counted {
    /// Counts one entry, made at `at`, that `reader` sees as `seen`. `subject` is the log's own name
    /// for whom it is about.
    pub fn add(
        &mut self,
        reader: &OrgId,
        at: When,
        seen: &VisibleEntry,
        subject: Option<[u8; 16]>,
    ) {
        let action = Action::parse(&seen.action);
        let is_access = action.is_some_and(is_access);
        let is_own = seen.side == Side::Asking;
        let share = if is_own {
            &mut self.own
        } else {
            &mut self.others
        };
        share.add(at, seen, is_access);
        let stopped = seen.decided.as_ref();
        let stopped = stopped.is_some_and(|decided| decided.firewall.is_some());
        if stopped || HELD.contains(&seen.told.as_str()) {
            self.firewall_stops += 1;
        }
        if is_access && seen.side != Side::Operator {
            self.accesses += 1;
            self.people.extend(subject);
        }
        if seen.decided.is_some() && !is_own {
            self.concerned.extend(subject);
        }
        if action == Some(Action::OfferReferral) && seen.outcome == VisibleOutcome::Permit {
            self.offered(reader, seen);
        }
    }

    /// Own staff are not told by the log where an offer went in the end.
    fn offered(&mut self, reader: &OrgId, seen: &VisibleEntry) {
        let named = |one: &SomeOrganisation| match one {
            SomeOrganisation::Named(id) => Some(id.clone()),
            SomeOrganisation::Hidden => None,
        };
        let mut to: Vec<OrgId> = match seen.side {
            Side::Asking => {
                self.sent += 1;
                return;
            }
            Side::Operator => return,
            Side::Holding => vec![reader.clone()],
            Side::Reviewer => {
                let concerned = seen.decided.iter().flat_map(|one| &one.concerned);
                let others = concerned.filter(|one| **one != seen.organisation);
                others.filter_map(named).collect()
            }
        };
        to.sort_unstable();
        if let Some(from) = named(&seen.organisation) {
            *self.offers.entry((from, to)).or_default() += 1;
        }
    }

    /// With what another stretch came to.
    pub fn join(&mut self, other: &Self) {
        self.own.join(&other.own);
        self.others.join(&other.others);
        self.accesses += other.accesses;
        self.people.extend(&other.people);
        self.concerned.extend(&other.concerned);
        self.firewall_stops += other.firewall_stops;
        self.sent += other.sent;
        join(&mut self.offers, &other.offers);
    }

    pub fn people(&self) -> usize {
        self.people.len()
    }

    pub fn concerned(&self) -> usize {
        self.concerned.len()
    }

    pub const fn denials(&self) -> u32 {
        self.own.denials + self.others.denials
    }

    pub const fn emergencies(&self) -> u32 {
        self.own.emergencies + self.others.emergencies
    }
}

impl Share {
    fn add(&mut self, at: When, seen: &VisibleEntry, is_access: bool) {
        let hour = at.millis().div_euclid(MS_AN_HOUR);
        self.attempts += 1;
        if seen.outcome == VisibleOutcome::Deny {
            self.denials += 1;
            *self.denied.entry(hour).or_default() += 1;
        }
        if is_access {
            *self.accesses.entry(hour).or_default() += 1;
        }
        let broke = seen.action == Action::BreakGlass.code();
        self.emergencies += u32::from(broke && seen.outcome == VisibleOutcome::Permit);
        self.held += u32::from(HELD.contains(&seen.told.as_str()));
        self.said_wrong += u32::from(seen.told == SAID_WRONG);
        one_more(&mut self.by_outcome, seen.outcome.code());
        one_more(&mut self.by_action, &seen.action);
        one_more(&mut self.by_purpose, &seen.purpose);
        one_more(&mut self.by_organisation, seen.organisation.text());
    }

    fn join(&mut self, other: &Self) {
        self.attempts += other.attempts;
        self.denials += other.denials;
        self.emergencies += other.emergencies;
        self.held += other.held;
        self.said_wrong += other.said_wrong;
        join(&mut self.by_outcome, &other.by_outcome);
        join(&mut self.by_action, &other.by_action);
        join(&mut self.by_purpose, &other.by_purpose);
        join(&mut self.by_organisation, &other.by_organisation);
        join(&mut self.accesses, &other.accesses);
        join(&mut self.denied, &other.denied);
    }
}

fn one_more(counts: &mut Counts, name: &str) {
    match counts.get_mut(name) {
        Some(number) => *number += 1,
        None => {
            counts.insert(name.to_owned(), 1);
        }
    }
}

fn join<K: Ord + Clone>(counts: &mut BTreeMap<K, u32>, other: &BTreeMap<K, u32>) {
    for (name, number) in other {
        *counts.entry(name.clone()).or_default() += number;
    }
}

/// The same by the day in London.
pub fn by_day(hours: &Hours) -> Counts {
    let london = london();
    let mut days = Counts::new();
    for (hour, number) in hours {
        let at = When::from_millis(hour.saturating_mul(MS_AN_HOUR)).timestamp();
        let day = at.map(|at| at.to_zoned(london.clone()).date().to_string());
        *days.entry(day.unwrap_or_default()).or_default() += number;
    }
    days
}

fn london() -> TimeZone {
    let london = TimeZoneDatabase::bundled().get("Europe/London");
    london.unwrap_or(TimeZone::UTC)
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
    let london = london();
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
    use proptest::prelude::*;

    use super::*;
    use crate::domain::id::TeamId;
    use crate::domain::journey::scene::{org, start};

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

    type Drawn = (
        Side,
        Action,
        VisibleOutcome,
        &'static str,
        &'static str,
        i64,
    );

    fn any_entry() -> impl Strategy<Value = (Drawn, Option<[u8; 16]>)> {
        let side = proptest::sample::select(vec![Side::Asking, Side::Holding, Side::Operator]);
        let action = proptest::sample::select(vec![
            Action::OfferReferral,
            Action::BreakGlass,
            Action::ReadAudit,
        ]);
        let outcome = proptest::sample::select(VisibleOutcome::ALL.as_slice());
        let told = proptest::sample::select(vec!["held", "said-wrong", "offered"]);
        let from = proptest::sample::select(vec!["met", "haven"]);
        let subject = proptest::option::of(proptest::array::uniform16(0..2_u8));
        ((side, action, outcome, told, from, 0..200_i64), subject)
    }

    fn entry((side, action, outcome, told, from, _): Drawn) -> VisibleEntry {
        VisibleEntry {
            side,
            organisation: SomeOrganisation::Named(org(from)),
            team: TeamId::parse("main").unwrap(),
            user: "w7".to_owned(),
            role: "adviser".to_owned(),
            certificate: [0; 32],
            asserted: true,
            purpose: "support".to_owned(),
            reason: None,
            action: action.code().to_owned(),
            object: None,
            asked: Vec::new(),
            told: told.to_owned(),
            outcome,
            decided: None,
        }
    }

    fn counted(entries: &[(Drawn, Option<[u8; 16]>)]) -> Counted {
        let mut counted = Counted::default();
        for (drawn, subject) in entries {
            let at = start().plus_hours(drawn.5);
            counted.add(&org("haven"), at, &entry(*drawn), *subject);
        }
        counted
    }

    proptest! {
        /// So that what is over is counted once, wherever it is cut.
        #[test]
        fn stretches_beside_each_other_add_up(
            entries in proptest::collection::vec(any_entry(), 0..40),
            cut in 0..40_usize,
        ) {
            let (before, after) = entries.split_at(cut.min(entries.len()));
            let mut joined = counted(after);
            joined.join(&counted(before));
            prop_assert!(joined == counted(&entries));
        }
    }
}
