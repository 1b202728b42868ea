//! What an information-governance officer must decide, the rules that put it before her, and how
//! much of a log entry she sees ([`visible`]).

mod visible;

pub use visible::{
    Filter, OPERATOR, Reach, Reading, Side, SomeOrganisation, Viewer, VisibleDecision,
    VisibleEntry, VisibleOutcome, visible,
};

use borsh::{BorshDeserialize, BorshSerialize};

use super::codes::Action;
use super::id::{Id, OrgId};
use super::organisation::Signal;
use super::refusal::Refusal;
use super::time::When;

/// Signals within this window belong together.
pub const SIGNAL_WINDOW_MINUTES: i64 = 60;
/// This many odd tries by one user in the window make a red item.
pub const SIGNALS_FOR_RED: usize = 3;
/// Signals kept for one user.
pub const SIGNALS_MAX: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum Severity {
    Amber,
    Red,
}

impl Severity {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Amber => "amber",
            Self::Red => "red",
        }
    }
}

/// One thing to decide: accept, ask or escalate.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct QueueItem {
    pub id: Id,
    pub at: When,
    /// The rule that fired, as `probe.status_shaped`.
    pub code: String,
    pub severity: Severity,
    /// The user's own organisation; shown to her IG and to the reviewer.
    pub organisation: OrgId,
    pub user: String,
    pub tries: u16,
    pub minutes: u16,
    pub due: When,
    pub decided: Option<QueueDecision>,
}

/// One thing to decide, as one organisation sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenItem {
    /// Under the alias of the organisation that sees it.
    pub id: Id,
    pub at: When,
    pub code: String,
    pub severity: Severity,
    /// Whose user it is: only for her own IG officer and the reviewer.
    pub user: Option<(OrgId, String)>,
    pub tries: u16,
    pub minutes: u16,
    pub due: When,
    pub decided: Option<QueueDecision>,
}

#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct QueueDecision {
    pub at: When,
    pub by: String,
    pub decision: QueueVerdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum QueueVerdict {
    Accept,
    Ask,
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

/// Fields that no form has, because each would tell status. To send one is to ask for a place.
const STATUS_FIELDS: [&str; 10] = [
    "nationality",
    "citizenship",
    "country_of_birth",
    "immigration_status",
    "visa",
    "visa_status",
    "passport",
    "passport_number",
    "nrpf",
    "no_recourse",
];

/// Whether an attempt of a police user is shaped like a look-up of where someone is or what her
/// status is (`domain.md` 3.10 a to g). The words quote the guidance: never check a database only
/// to establish immigration status. A mistake of form, or too many calls, is not one.
pub fn probe(action: Action, refusal: Option<&Refusal>) -> Option<&'static str> {
    let refusal = refusal?;
    if refusal.is_of_gateway() {
        return None;
    }
    if matches!(refusal, Refusal::PurposeNotAllowed { .. }) {
        return Some("probe.purpose_lie");
    }
    if matches!(refusal, Refusal::NotFound | Refusal::MethodNotAllowed) {
        return Some("probe.route_absent");
    }
    if let Refusal::UnknownField { name: Some(name) } = refusal
        && STATUS_FIELDS.contains(&name.as_str())
    {
        return Some("probe.status_field");
    }
    match action {
        Action::QueryAssessments => Some("probe.purpose_lie"),
        Action::BreakGlass => Some("btg.denied"),
        Action::ReadInbox | Action::ReadReferral => Some("probe.identity"),
        _ => None,
    }
}

/// Adds a signal to those of the last hour; says whether they now make a red item.
pub fn gather(signals: &mut Vec<Signal>, new: Signal) -> Option<(u16, u16)> {
    let now = new.at;
    signals.retain(|signal| signal.at.plus_hours(1) > now);
    signals.push(new);
    if signals.len() > SIGNALS_MAX {
        signals.remove(0);
    }
    let first = signals.first()?.at;
    let minutes = (now.millis() - first.millis()).max(0) / 60_000;
    // Exactly at the threshold, so that one burst makes one item.
    (signals.len() == SIGNALS_FOR_RED).then(|| {
        (
            u16::try_from(signals.len()).unwrap_or(u16::MAX),
            u16::try_from(minutes).unwrap_or(60),
        )
    })
}

/// Whom the newest signal concerns and none before it did, once the burst has been told. However
/// late in it someone is probed for, who holds her learns of it.
pub fn late(signals: &[Signal]) -> Vec<OrgId> {
    let Some((newest, before)) = signals.split_last() else {
        return Vec::new();
    };
    if signals.len() <= SIGNALS_FOR_RED {
        return Vec::new();
    }
    let told = |organisation: &&OrgId| {
        before
            .iter()
            .any(|signal| signal.concerned.contains(organisation))
    };
    let concerned = newest.concerned.iter();
    concerned
        .filter(|organisation| !told(organisation))
        .cloned()
        .collect()
}

impl QueueItem {
    /// Accepted. After asking or escalating, it waits for a further decision.
    pub fn is_settled(&self) -> bool {
        self.decided
            .as_ref()
            .is_some_and(|decided| decided.decision == QueueVerdict::Accept)
    }
}
