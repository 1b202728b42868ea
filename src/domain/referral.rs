//! A referral: an offer without identity, then acceptance, then release (`domain.md` 4.2).

use borsh::{BorshDeserialize, BorshSerialize};

use super::asking::Asking;
use super::clock::{Due, Urgency};
use super::codes::{
    Article6, CloseOutcome, DeclineReason, Direction, Grade, Instrument, Need, OffenceGroup,
    PartyRole, PriorityCategory, Purpose, ReferralStatus, ReportedToPolice, SenderStatus,
    UpdateCode, WorkerGender,
};
use super::consent::{Consent, Recipients};
use super::firewall::hold::Unread;
use super::id::{ConsentId, Id, OrgId, PersonId, ReferralId, ServiceId, TeamId, WithdrawalId};
use super::other_party::OtherPartyGiven;
use super::person::{Beside, RawBeside, RawIdentifier, RawSafeContact, TaggedToken};
use super::time::When;
use super::transfer::{Handover, Route};

/// For so long a service that accepted her may hand her back.
pub const HAND_BACK_HOURS: i64 = 24;

/// What an offer carries in the open: no identity, nothing that tells status.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Operational {
    pub direction: Direction,
    pub party_role: PartyRole,
    pub offence_group: OffenceGroup,
    pub reported_to_police: ReportedToPolice,
    pub reported_at: Option<When>,
    pub priority_categories: Vec<PriorityCategory>,
    pub urgency: UrgencyCode,
    pub risk: Option<RiskSummary>,
    pub needs: Vec<Need>,
    /// GSS code of the borough she lives in; `None` when it must not be said.
    pub area: Option<String>,
    pub worker_gender: WorkerGender,
    /// An enhanced priority referral: who set it, by which rule, and why.
    pub epr: Option<Epr>,
}

/// How soon she must be contacted, as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum UrgencyCode {
    High,
    Standard,
    Low,
}

impl UrgencyCode {
    pub const fn urgency(self) -> Urgency {
        match self {
            Self::High => Urgency::High,
            Self::Standard => Urgency::Standard,
            Self::Low => Urgency::Low,
        }
    }

    pub const fn code(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Standard => "standard",
            Self::Low => "low",
        }
    }

    pub fn parse(code: &str) -> Option<Self> {
        [Self::High, Self::Standard, Self::Low]
            .into_iter()
            .find(|known| known.code() == code)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RiskSummary {
    pub instrument: Instrument,
    pub grade: Grade,
    pub assessed_at: When,
}

#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Epr {
    pub set_by_person: bool,
    pub rule_version: String,
    /// A code of the sender's, never words.
    pub reason: String,
}

/// Different timing that she agreed to (DM:270).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AgreedTiming {
    pub by: When,
}

/// On what ground the details may be passed on.
pub enum Ground {
    /// Her consent, recorded with the referral.
    Consent(ConsentGiven),
    /// She does not want her details passed on: a record, and nothing else.
    Declined {
        stop_future_offers: bool,
        given: ConsentGiven,
    },
    /// Another lawful basis open to the sender's kind of organisation.
    Basis { article6: Article6 },
    /// None stated; policy says what this offence needs.
    None,
}

/// Consent as the caller states it, before it has an id and a term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentGiven {
    pub consent: Consent,
    pub recipients: Recipients,
}

/// A referral as a partner sent it, parsed but not yet resolved to a person.
pub struct Draft {
    pub service: ServiceId,
    pub operational: Operational,
    pub identity: RawIdentifier,
    pub safe_contact: Option<RawSafeContact>,
    pub other_party: Option<OtherPartyGiven>,
    /// Of a child: the parent under whom it is recorded.
    pub parent: Option<RawBeside>,
    pub note: Option<Unread>,
    /// Words beside the codes: read by the screen, then dropped. Nobody needs them.
    pub asides: Vec<Unread>,
    pub ground: Ground,
    pub agreed_timing: Option<AgreedTiming>,
    /// The sender's own names for this referral, so that it can be taken back by them.
    pub externals: Vec<String>,
    /// Refuse the whole referral when the note would be held (`Prefer: handling=strict`).
    pub strict: bool,
    /// What a FHIR message held that has no place here; paths only, said to the sender.
    pub left_behind: Vec<String>,
}

/// A referral as the gateway knows it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Referral {
    pub id: ReferralId,
    pub journey: Id,
    pub sender: OrgId,
    pub sender_team: TeamId,
    pub sender_user: String,
    pub sender_person: PersonId,
    pub recipient: OrgId,
    pub recipient_team: TeamId,
    pub recipient_person: Option<PersonId>,
    pub service: ServiceId,
    pub tokens: Vec<TaggedToken>,
    pub operational: Operational,
    pub consent: Option<ConsentId>,
    pub basis: Option<Article6>,
    pub purpose: Purpose,
    pub offered_at: When,
    pub contact_by: When,
    pub due: Option<PassOnBy>,
    /// When identity was released; the Code's clock stops here, not at the offer.
    pub details_passed_at: Option<When>,
    pub status: ReferralStatus,
    pub answered_at: Option<When>,
    pub accepted_by: Option<String>,
    pub decline_reason: Option<DeclineReason>,
    pub outcomes: Vec<CloseOutcome>,
    /// She withdrew earlier and then consented anew: the worker asks her safely first.
    pub withdrew_on: Option<When>,
    /// While she may have been made to stop it, it reads as withdrawn.
    pub paused: Option<Paused>,
    pub updates: Vec<Update>,
    /// The items that hold its parts, by class order: identity, contact, note, language.
    pub identity_item: Option<Id>,
    pub contact_item: Option<Id>,
    pub note_item: Option<Id>,
    pub language_item: Option<Id>,
    /// Under custody `own`: the key that identity is re-sealed to, and the item that holds the box.
    pub custody_key: Option<[u8; 32]>,
    pub resealed_item: Option<Id>,
    /// Keyed names of the number and of the address in her safe contact, to find who else has either.
    pub contact_marks: Vec<[u8; 16]>,
    /// How to reach her was taken back, and nothing came in its place.
    pub contact_stopped: bool,
    /// The item of what a transfer carries: earlier gradings of risk, adjustments.
    pub carried_item: Option<Id>,
    /// Who the other party is, as tokens of a lane of its own; and the item of what is told of it.
    pub other_party: Option<Beside>,
    pub other_party_item: Option<Id>,
    /// Of a child: the parent under whom it is recorded. Another parent's referral of the same child
    /// is of another record.
    pub parent: Option<Beside>,
    /// Its service hands her over to another area.
    pub handover: Option<Handover>,
    /// It was made by a transfer.
    pub route: Option<Route>,
    /// It was not: who is asked, and who is next.
    pub asking: Option<Asking>,
}

/// Pauses that stand in the way of a referral, each with its end, and what it is without them.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Paused {
    pub status: ReferralStatus,
    pub by: Vec<(WithdrawalId, When)>,
}

#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PassOnBy {
    pub at: When,
    pub date: String,
    pub rule: String,
    pub calendar: String,
}

impl From<Due<'_>> for PassOnBy {
    fn from(due: Due<'_>) -> Self {
        Self {
            at: due.at,
            date: due.date.to_string(),
            rule: due.rule.to_string(),
            calendar: due.calendar.to_string(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Update {
    pub at: When,
    pub by: OrgId,
    pub code: UpdateCode,
    /// Told to the service that holds the referral; else to its sender.
    pub to_holder: bool,
}

impl Operational {
    /// Held words about her are looked after: somebody may be in danger without them.
    pub fn is_high_risk(&self) -> bool {
        let graded = self
            .risk
            .as_ref()
            .is_some_and(|risk| risk.grade == Grade::High);
        graded || self.urgency == UrgencyCode::High
    }
}

impl Referral {
    /// The one word of three that its sender sees. A withdrawal changes nothing here.
    pub fn sender_status(&self, now: When) -> SenderStatus {
        match self.status_at(now) {
            ReferralStatus::Offered
            | ReferralStatus::Waiting
            | ReferralStatus::Declined
            | ReferralStatus::Expired
            | ReferralStatus::Withdrawn => match self.details_passed_at {
                // Withdrawn after acceptance still reads as before.
                Some(_) => SenderStatus::WithAService,
                None => SenderStatus::Recorded,
            },
            ReferralStatus::Accepted => SenderStatus::WithAService,
            ReferralStatus::Closed => SenderStatus::Closed,
        }
    }

    /// Nobody has accepted her, and each service that could have been asked has had its time: its
    /// sender is shown the line that is answered day and night. The same whatever became of it.
    pub fn is_unanswered(&self, now: When) -> bool {
        let over = self.asking.as_ref().is_some_and(|one| one.line_from <= now);
        over && self.sender_status(now) == SenderStatus::Recorded
    }

    /// How long it has been with the service that is asked, while that has not answered: since when,
    /// and by when it is passed on.
    pub fn awaited(&self) -> Option<(When, When)> {
        if self.status != ReferralStatus::Offered {
            return None;
        }
        let asked = self.asking.as_ref();
        let asked = asked.map(|asking| (asking.since, asking.answer_by));
        asked.or_else(|| {
            let route = self.route.as_ref()?;
            let since = route.past.last().map_or(self.offered_at, |past| past.at);
            Some((since, route.answer_by))
        })
    }

    /// It was with `organisation`, and is with another or with nobody.
    pub fn was_passed_on_from(&self, organisation: &OrgId) -> bool {
        let passed = self.asking.as_ref();
        self.recipient != *organisation && passed.is_some_and(|one| one.was_with(organisation))
    }

    /// Whoever sent it chose the service that has it. Where the gateway did, officers of the sender see
    /// no entry of that service's.
    pub fn is_with_whom_it_was_sent(&self) -> bool {
        let passed_on = self.asking.as_ref().is_some_and(|one| !one.past.is_empty());
        self.route.is_none() && !passed_on
    }

    /// What it is apart from pauses.
    pub fn lasting_status(&self) -> ReferralStatus {
        self.paused
            .as_ref()
            .map_or(self.status, |paused| paused.status)
    }

    /// Reads as withdrawn until `until`, by the pause `by`. Its parts stay, because it may go on.
    pub fn pause(&mut self, by: WithdrawalId, until: When) {
        let status = self.lasting_status();
        let mut pauses = self.paused.take().map_or_else(Vec::new, |paused| paused.by);
        pauses.retain(|(one, _)| *one != by);
        pauses.push((by, until));
        self.paused = Some(Paused { status, by: pauses });
        self.status = ReferralStatus::Withdrawn;
    }

    /// Ends the pauses that are over at `now`, and `lifted` if it is named. Whether it goes on.
    pub fn resume(&mut self, lifted: Option<WithdrawalId>, now: When) -> bool {
        let Some(mut paused) = self.paused.take() else {
            return false;
        };
        paused
            .by
            .retain(|(by, until)| now < *until && Some(*by) != lifted);
        if paused.by.is_empty() {
            self.status = paused.status;
            return true;
        }
        self.paused = Some(paused);
        false
    }

    /// Withdrawn for good.
    pub fn withdraw(&mut self) {
        self.paused = None;
        self.status = ReferralStatus::Withdrawn;
    }

    /// Where it stands at a moment: a service that hands her over works with her until then.
    pub fn status_at(&self, now: When) -> ReferralStatus {
        self.unless_over(self.status, now)
    }

    /// The same apart from pauses.
    pub fn lasting_status_at(&self, now: When) -> ReferralStatus {
        self.unless_over(self.lasting_status(), now)
    }

    fn unless_over(&self, status: ReferralStatus, now: When) -> ReferralStatus {
        match status {
            ReferralStatus::Accepted if self.is_handed_over(now) => ReferralStatus::Closed,
            status => status,
        }
    }

    /// The work of the service that hands her over has come to its end.
    pub fn is_handed_over(&self, now: When) -> bool {
        self.handover.as_ref().is_some_and(|over| over.is_over(now))
    }

    /// The service that held it has handed her over, and its own work has ended.
    pub fn is_transferred(&self, now: When) -> bool {
        self.handover.is_some() && self.status_at(now) == ReferralStatus::Closed
    }

    /// Somebody said that it is of another person than whom it was about.
    pub fn is_of_wrong_person(&self) -> bool {
        let mut updates = self.updates.iter();
        updates.any(|update| update.code == UpdateCode::WrongPerson)
    }

    /// Until when the service that accepted her may hand her back because of a conflict.
    pub fn hand_back_until(&self) -> Option<When> {
        let accepted = self.details_passed_at?;
        Some(accepted.plus_hours(HAND_BACK_HOURS))
    }

    /// Handed back, and nobody was left to ask: who did it is told what others are who handed one back.
    pub fn ended_by_hand_back(&self) -> bool {
        let was_accepted = self.route.is_none() && self.accepted_by.is_some();
        self.status == ReferralStatus::Declined && was_accepted
    }

    /// It was accepted, and its service neither ended its work nor hands her over.
    pub fn is_with_its_service(&self, now: When) -> bool {
        self.status_at(now) == ReferralStatus::Accepted && self.handover.is_none()
    }

    /// Still to be answered by the receiving service.
    pub fn open(&self) -> bool {
        matches!(
            self.status,
            ReferralStatus::Offered | ReferralStatus::Waiting
        )
    }

    /// Still to be answered, if not now then when the pauses that stand in its way are over.
    pub fn waits_for_answer(&self) -> bool {
        matches!(
            self.lasting_status(),
            ReferralStatus::Offered | ReferralStatus::Waiting
        )
    }

    /// When the last pause that stands in its way is over.
    pub fn paused_until(&self) -> Option<When> {
        let paused = self.paused.as_ref()?;
        paused.by.iter().map(|(_, until)| *until).max()
    }

    /// The sender made this relationship alone (P11): it opens nothing of others.
    pub fn self_made(&self) -> bool {
        self.sender == self.recipient
            || matches!(
                self.operational.direction,
                Direction::SelfReferral | Direction::Family
            )
    }
}
