//! How long the log has gone without witnesses, and what is held back because of it (`design.md` 5).
//!
//! Without independent witnesses only whoever runs the gateway says what the log is. So after a day
//! everybody is told, after three nobody gets in and no rule changes, after a week assessments are
//! shown no more. Offers, withdrawals and emergencies never stop. [`held_back`] is asked by every
//! [`Ruling::finish`](super::ruling::Ruling::finish); it looks at the kind of attempt, never at what
//! was found.

use super::answer::Answer;
use super::codes::Action;
use super::journey::restoring::is_about_caller;
use super::refusal::Refusal;
use super::time::When;

/// From then on everybody is told.
pub const BANNER_AFTER_HOURS: i64 = 24;
/// From then on nothing is decided that lets anyone or anything in.
pub const NO_WIDENING_AFTER_HOURS: i64 = 72;
/// From then on no assessment is shown.
pub const NO_READS_AFTER_HOURS: i64 = 7 * 24;
/// The clock may be this far off the witnesses' clocks.
pub const CLOCK_OFF_MILLIS_MAX: i64 = 5 * 60 * 1_000;

/// How far the witnessing has lapsed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lapse {
    /// Every entry older than a day has been seen by a quorum.
    #[default]
    Whole,
    Banner,
    NoWidening,
    NoReads,
}

impl Lapse {
    pub const ALL: [Self; 4] = [Self::Whole, Self::Banner, Self::NoWidening, Self::NoReads];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Banner => "banner",
            Self::NoWidening => "no-widening",
            Self::NoReads => "no-reads",
        }
    }
}

/// What the gateway knows of its witnesses at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Witnessing {
    pub lapse: Lapse,
    /// Since when entries stand that no quorum has seen; `None` if there are none.
    pub since: Option<When>,
    /// When a quorum last saw the log, by its own clocks.
    pub witnessed_at: Option<When>,
    /// No policy names witnesses, so there is no quorum that could see it.
    pub unnamed: bool,
    /// No quorum ever saw the log. Then those who are to be its witnesses must still be enrolled,
    /// or it could never have one.
    pub never: bool,
    /// More than half of the witnesses say that the clock is wrong: by so much it is ahead, in
    /// milliseconds, or behind if negative.
    pub clock_off: Option<i64>,
}

impl Witnessing {
    /// `since`: the later of the last quorum, and the first entry that it did not see; the founding
    /// if there never was one; `None` if a quorum has seen every entry.
    pub fn at(now: When, since: Option<When>, witnessed_at: Option<When>, unnamed: bool) -> Self {
        let hours = |hours| since.is_some_and(|since| now >= since.plus_hours(hours));
        let lapse = match () {
            () if hours(NO_READS_AFTER_HOURS) => Lapse::NoReads,
            () if hours(NO_WIDENING_AFTER_HOURS) => Lapse::NoWidening,
            () if hours(BANNER_AFTER_HOURS) || (unnamed && since.is_some()) => Lapse::Banner,
            () => Lapse::Whole,
        };
        Self {
            lapse,
            since,
            witnessed_at,
            unnamed,
            never: false,
            clock_off: None,
        }
    }

    /// What is so, and what it means for those who work with the gateway, in one or two sentences.
    pub fn says(&self) -> String {
        if let Some(off) = self.clock_off {
            let (minutes, which) = (off.abs() / 60_000, if off > 0 { "ahead" } else { "behind" });
            return format!(
                "The witnesses say that the gateway's clock is {minutes} minutes {which}. Until it \
                 is set nothing is shown about anyone but in an emergency."
            );
        }
        let why = match self.since {
            None => return "Independent witnesses have seen every entry of the log.".to_owned(),
            Some(since) if self.unnamed => format!(
                "No independent witness watches the log: none is named, since {}.",
                since.rfc3339()
            ),
            Some(since) => match self.lapse {
                Lapse::Whole => "Independent witnesses have seen the log within a day.".to_owned(),
                Lapse::Banner | Lapse::NoWidening | Lapse::NoReads => format!(
                    "Not enough independent witnesses have seen the log since {}.",
                    since.rfc3339()
                ),
            },
        };
        let held = match self.lapse {
            Lapse::Whole => "",
            Lapse::Banner => " Everything goes on; tell the operator.",
            Lapse::NoWidening if self.never => {
                " Everything goes on; a week after the beginning assessments are no longer shown. \
                 Tell the operator."
            }
            Lapse::NoReads if self.never => {
                " Until they have, assessments are not shown; everything else goes on. Tell the \
                 operator."
            }
            Lapse::NoWidening => {
                " Nobody can be enrolled and no rule can be changed until they have; everything \
                 else goes on. Tell the operator."
            }
            Lapse::NoReads => {
                " Until they have, assessments are not shown, nobody can be enrolled and no rule \
                 can be changed; offers, withdrawals and emergencies go on. Tell the operator."
            }
        };
        format!("{why}{held}")
    }
}

/// From which lapse on an attempt of this kind is refused; `None` for what never stops.
pub const fn stops_at(action: Action) -> Option<Lapse> {
    match action {
        Action::Propose | Action::Approve | Action::OpenSeal => Some(Lapse::NoWidening),
        Action::QueryAssessments | Action::DeliverSubjectAccess => Some(Lapse::NoReads),
        Action::OfferReferral
        | Action::AddNote
        | Action::UpdateReferral
        | Action::TransferReferral
        | Action::ScreenText
        | Action::RecordConsent
        | Action::WithdrawConsent
        | Action::Withdraw
        | Action::RecordAssessment
        | Action::WithdrawAssessment
        | Action::ReadOwnAssessments
        | Action::RelyOnAssessment
        | Action::ReadReferralStatus
        | Action::ReadInbox
        | Action::AcceptReferral
        | Action::DeclineReferral
        | Action::WaitReferral
        | Action::CloseReferral
        | Action::HandBackReferral
        | Action::ReadReferral
        | Action::ReadEvents
        | Action::BreakGlass
        | Action::ReadAudit
        | Action::ReadAuditSubject
        | Action::ReadAuditQueue
        | Action::DecideAuditItem
        | Action::ReportSubject
        | Action::FlagPerson
        | Action::Narrow
        | Action::ReadProposals
        | Action::SecondFactor
        | Action::ReadDevices
        | Action::AddDevice
        | Action::RemoveDevice
        | Action::Reconcile
        | Action::SealItem
        | Action::CollectItem
        | Action::ReadLinks
        | Action::ConfirmLink
        | Action::RejectLink
        | Action::IssueCard
        | Action::SettleWithdrawal
        | Action::AnswerStopUse
        | Action::ReadConsents
        | Action::TakeSubjectAccess
        | Action::ReadSubjectAccess
        | Action::MoveSubjectAccess
        | Action::ReplySubjectAccess
        | Action::RedactSubjectAccess
        | Action::FollowUpEmergency
        | Action::Unknown => None,
    }
}

/// Whether an attempt of this kind shows data about a person outside an emergency.
const fn shows_data(action: Action) -> bool {
    match action {
        Action::ReadReferralStatus
        | Action::ReadInbox
        | Action::AcceptReferral
        | Action::DeclineReferral
        | Action::WaitReferral
        | Action::CloseReferral
        | Action::HandBackReferral
        | Action::ReadReferral
        | Action::ReadEvents
        | Action::QueryAssessments
        | Action::RelyOnAssessment
        | Action::ReadOwnAssessments
        | Action::ReadAudit
        | Action::ReadAuditSubject
        | Action::ReportSubject
        | Action::OpenSeal
        | Action::CollectItem
        | Action::ReadLinks
        | Action::ReadConsents
        | Action::ReadSubjectAccess
        | Action::DeliverSubjectAccess
        | Action::ReadAuditQueue => true,
        Action::OfferReferral
        | Action::SealItem
        | Action::AddNote
        | Action::UpdateReferral
        | Action::TransferReferral
        | Action::ScreenText
        | Action::RecordConsent
        | Action::WithdrawConsent
        | Action::Withdraw
        | Action::RecordAssessment
        | Action::WithdrawAssessment
        | Action::BreakGlass
        | Action::DecideAuditItem
        | Action::FlagPerson
        | Action::Propose
        | Action::Approve
        | Action::Narrow
        | Action::ReadProposals
        | Action::SecondFactor
        | Action::ReadDevices
        | Action::AddDevice
        | Action::RemoveDevice
        | Action::Reconcile
        | Action::ConfirmLink
        | Action::RejectLink
        | Action::IssueCard
        | Action::SettleWithdrawal
        | Action::AnswerStopUse
        | Action::TakeSubjectAccess
        | Action::MoveSubjectAccess
        | Action::ReplySubjectAccess
        | Action::RedactSubjectAccess
        | Action::FollowUpEmergency
        | Action::Unknown => false,
    }
}

/// What a caller is refused in place of `answer`, because of what witnesses say or do not say. What
/// is wrong with the caller herself is told first.
pub fn held_back(witnessing: &Witnessing, action: Action, answer: &Answer) -> Option<Refusal> {
    if matches!(answer, Answer::Refused(refusal) if is_about_caller(refusal)) {
        return None;
    }
    if witnessing.clock_off.is_some() && shows_data(action) {
        return Some(Refusal::ClockOff);
    }
    // A certificate for the caller's own staff lets nobody in who was not in already; without it an
    // agency could fall silent because of others. What its own service can meet lets nobody in at all.
    if matches!(answer, Answer::Issued | Answer::MeetsSaid) {
        return None;
    }
    let stops = stops_at(action).is_some_and(|lapse| match lapse {
        Lapse::NoWidening => {
            let enrols = matches!(action, Action::Propose | Action::Approve);
            witnessing.lapse >= lapse && !(witnessing.never && enrols)
        }
        Lapse::Whole | Lapse::Banner | Lapse::NoReads => witnessing.lapse >= lapse,
    });
    stops.then(|| Refusal::Unwitnessed {
        lapse: witnessing.lapse,
        since: witnessing.since.unwrap_or(When::from_millis(0)),
    })
}

/// How far a clock is off, as one cosignature shows: in milliseconds, positive if it is ahead.
///
/// `cosigned` is the witness's time; it lies, by our clock, between `signed`, when the head became
/// what it is, and `received`. Only what lies outside says something, because a word may be handed
/// in late.
pub fn clock_deviation(cosigned: When, signed: When, received: When) -> i64 {
    let (cosigned, signed) = (cosigned.millis(), signed.millis());
    let received = received.millis();
    if cosigned < signed {
        signed.saturating_sub(cosigned)
    } else {
        received.saturating_sub(cosigned).min(0)
    }
}

/// By how much the clock is off: the median of what the witnesses' newest cosignatures show, if it
/// is more than [`CLOCK_OFF_MILLIS_MAX`]. One witness alone proves nothing, and of two halves that
/// differ the milder one counts.
pub fn clock_off(deviations: &[i64]) -> Option<i64> {
    if deviations.len() < 2 {
        return None;
    }
    let mut sorted = deviations.to_vec();
    sorted.sort_unstable();
    let last = sorted.len().saturating_sub(1);
    let (low, high) = (sorted.get(last / 2)?, sorted.get(last.div_ceil(2))?);
    let median = *[low, high].into_iter().min_by_key(|off| off.abs())?;
    let agree = low.signum() == high.signum();
    (agree && median.abs() > CLOCK_OFF_MILLIS_MAX).then_some(median)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> When {
        When::parse("2026-04-02T21:10:00Z")
            .unwrap()
            .plus_hours(hours)
    }

    fn after(hours: i64) -> Witnessing {
        Witnessing::at(at(hours), Some(at(0)), Some(at(-1)), false)
    }

    #[test]
    fn the_lapse_grows_with_the_hours_since_the_first_entry_that_no_quorum_saw() {
        let lapses: Vec<String> = [0, 23, 24, 71, 72, 167, 168, 9_000]
            .map(|hours| format!("{hours:>4} {}", after(hours).lapse.code()))
            .to_vec();
        insta::assert_snapshot!(lapses.join("\n"), @"
           0 whole
          23 whole
          24 banner
          71 banner
          72 no-widening
         167 no-widening
         168 no-reads
        9000 no-reads
        ");
        assert_eq!(
            Witnessing::at(at(0), None, None, false),
            Witnessing::default()
        );
        assert_eq!(
            Witnessing::at(at(9_000), None, None, true).lapse,
            Lapse::Whole
        );
    }

    #[test]
    fn a_log_without_named_witnesses_says_so_from_its_first_day() {
        let new = Witnessing::at(at(1), Some(at(0)), None, true);
        assert_eq!(new.lapse, Lapse::Banner);
        let old = Witnessing::at(at(168), Some(at(0)), None, true);
        assert_eq!(old.lapse, Lapse::NoReads);
    }

    #[test]
    fn before_the_first_quorum_those_who_will_make_it_can_be_enrolled() {
        let never = Witnessing {
            never: true,
            ..after(200)
        };
        for action in [Action::Propose, Action::Approve] {
            assert_eq!(held_back(&never, action, &Answer::Nothing), None);
            assert!(held_back(&after(200), action, &Answer::Nothing).is_some());
        }
        for action in [Action::QueryAssessments, Action::OpenSeal] {
            assert!(held_back(&never, action, &Answer::Nothing).is_some());
        }
        // An agency's own staff is renewed whatever others do.
        assert_eq!(
            held_back(&after(200), Action::Propose, &Answer::Issued),
            None
        );
    }

    #[test]
    fn what_stops_and_what_never_stops() {
        let mut told = Vec::new();
        for lapse in Lapse::ALL {
            let held = Action::ALL.iter().filter(|action| {
                let witnessing = Witnessing {
                    lapse,
                    ..Witnessing::default()
                };
                held_back(&witnessing, **action, &Answer::Nothing).is_some()
            });
            let held: Vec<&str> = held.map(|action| action.code()).collect();
            told.push(format!("{}: {}", lapse.code(), held.join(" ")));
        }
        let off = Witnessing {
            clock_off: Some(600_000),
            ..Witnessing::default()
        };
        let held = Action::ALL
            .iter()
            .filter(|action| held_back(&off, **action, &Answer::Nothing).is_some());
        let held: Vec<&str> = held.map(|action| action.code()).collect();
        told.push(format!("clock: {}", held.join(" ")));
        insta::assert_snapshot!(told.join("\n"), @"
        whole: 
        banner: 
        no-widening: propose approve open_seal
        no-reads: query_assessments propose approve open_seal deliver_subject_access
        clock: read_referral_status read_inbox accept_referral decline_referral wait_referral close_referral read_referral read_events query_assessments rely_on_assessment read_audit read_audit_subject read_audit_queue report_subject open_seal collect_item read_links read_consents read_subject_access deliver_subject_access read_own_assessments hand_back_referral
        ");
    }

    #[test]
    fn what_is_wrong_with_the_caller_is_told_first() {
        let role = Answer::Refused(Refusal::RoleNotAllowed { role: "officer" });
        assert_eq!(
            held_back(&after(200), Action::QueryAssessments, &role),
            None
        );
        let hers = Answer::Refused(Refusal::AlreadyAnswered);
        assert!(held_back(&after(200), Action::QueryAssessments, &hers).is_some());
    }

    #[test]
    fn it_says_what_is_so_and_what_goes_on() {
        let mut told = vec![
            Witnessing::default().says(),
            Witnessing::at(at(1), Some(at(0)), None, true).says(),
            Witnessing {
                clock_off: Some(-600_000),
                ..Witnessing::default()
            }
            .says(),
        ];
        told.extend([1, 24, 72, 168].map(|hours| after(hours).says()));
        insta::assert_snapshot!(told.join("\n"), @"
        Independent witnesses have seen every entry of the log.
        No independent witness watches the log: none is named, since 2026-04-02T21:10:00.000Z. Everything goes on; tell the operator.
        The witnesses say that the gateway's clock is 10 minutes behind. Until it is set nothing is shown about anyone but in an emergency.
        Independent witnesses have seen the log within a day.
        Not enough independent witnesses have seen the log since 2026-04-02T21:10:00.000Z. Everything goes on; tell the operator.
        Not enough independent witnesses have seen the log since 2026-04-02T21:10:00.000Z. Nobody can be enrolled and no rule can be changed until they have; everything else goes on. Tell the operator.
        Not enough independent witnesses have seen the log since 2026-04-02T21:10:00.000Z. Until they have, assessments are not shown, nobody can be enrolled and no rule can be changed; offers, withdrawals and emergencies go on. Tell the operator.
        ");
    }

    #[test]
    fn a_clock_is_off_only_if_more_than_half_of_at_least_two_witnesses_say_so() {
        const MINUTE: i64 = 60_000;
        for (seen, expected) in [
            (vec![], None),
            (vec![60 * MINUTE], None),
            (vec![60 * MINUTE, 0], None),
            (vec![60 * MINUTE, -60 * MINUTE], None),
            (vec![60 * MINUTE, 6 * MINUTE], Some(6 * MINUTE)),
            (vec![0, -9 * MINUTE, -8 * MINUTE], Some(-8 * MINUTE)),
            (vec![0, 0, -8 * MINUTE, -9 * MINUTE], None),
            (vec![5 * MINUTE, 5 * MINUTE, 5 * MINUTE], None),
        ] {
            assert_eq!(clock_off(&seen), expected, "{seen:?}");
        }
    }

    #[test]
    fn a_word_that_is_handed_in_late_says_nothing_about_the_clock() {
        let off = |cosigned| clock_deviation(at(cosigned), at(0), at(10)) / 3_600_000;
        assert_eq!([-2, 0, 5, 10, 13].map(off), [2, 0, 0, 0, -3]);
    }
}
