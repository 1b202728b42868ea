//! The immigration firewall: what may be told to whom.
//!
//! Runs after policy and before sealing, on writes and on reads. It never relaxes a policy: it only
//! drops. Nothing here reads configuration, so no setting can switch it off (P4).

pub mod hold;
pub mod names;
pub mod table;
pub mod text;

use self::table::{Cell, Row, cell, row};
use super::codes::{Action, DataClass};
use super::policy::{Grounds, Permitted, Recipient, Relationship};

/// A value made of parts, each of one data class.
pub trait Screenable {
    /// The classes of the parts that are present.
    fn classes(&self) -> Vec<DataClass>;

    /// Keeps the parts whose class is allowed, and destroys the others.
    #[must_use]
    fn keep(self, allowed: impl Fn(DataClass) -> bool) -> Self;
}

/// A value that can take up another of its kind, part by part, and nothing else.
pub trait Joins: Screenable {
    fn join(&mut self, other: Self);
}

/// How far the recipient has come with the referral; each stage includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    Nothing,
    /// It sent the referral.
    Status,
    /// What a service sees of an offer.
    Offer,
    /// What it is told on accepting; also what may wait for that under the gateway's key.
    Accept,
}

impl Stage {
    pub const ALL: &'static [Self] = &[Self::Nothing, Self::Status, Self::Offer, Self::Accept];
}

/// Who supplied the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Supplied {
    /// The recipient's own organisation, about this person: its own assessment, its own log.
    ByRecipient,
    ByAnother,
}

/// What the text screen said of the value's free text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Text {
    /// Nothing held, or there is none.
    Clear,
    /// Held, or not screened.
    Held,
}

/// Everything that opens a cell; pure values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Circumstances {
    pub stage: Stage,
    pub supplied: Supplied,
    pub text: Text,
    /// Her consent is live, covers this flow and is explicit, or implied between health bodies.
    pub consented: bool,
    /// The glass is broken, and confirmed.
    pub emergency: bool,
}

/// Whether a cell is open. Total, and monotone: no circumstance opens `never`, and an emergency
/// opens operational facts, risk, safe contact and language only (F4), which [`opens`] narrows.
pub const fn satisfied(cell: Cell, circumstances: Circumstances) -> bool {
    let Circumstances {
        stage,
        supplied,
        text,
        consented,
        emergency,
    } = circumstances;
    let own = matches!(supplied, Supplied::ByRecipient);
    let accepted = matches!(stage, Stage::Accept);
    match cell {
        Cell::Never => false,
        Cell::Own => own,
        Cell::Status => own || !matches!(stage, Stage::Nothing),
        // The sender knows what it offered, and reads its status.
        Cell::Offer => own || emergency || !matches!(stage, Stage::Nothing),
        Cell::Accepted | Cell::Language => own || emergency || accepted,
        Cell::Consented => own || emergency || accepted && consented,
        Cell::Screened => matches!(text, Text::Clear) && (own || accepted),
    }
}

/// Whether a row is told a class in these circumstances: the one question the firewall answers.
pub const fn opens(row: Row, class: DataClass, circumstances: Circumstances) -> bool {
    let in_emergency = match class {
        DataClass::Op | DataClass::Loc | DataClass::Sp | DataClass::Ip => true,
        // Identity holds addresses and she is already named by the asker; notes, the other party
        // and metadata are no emergency's business; immigration data is nobody's.
        // What was sealed is for one reader, and an emergency's is another (F4).
        DataClass::Id
        | DataClass::Im
        | DataClass::Perp
        | DataClass::Ft
        | DataClass::Met
        | DataClass::Sealed => false,
    };
    let circumstances = Circumstances {
        emergency: circumstances.emergency && in_emergency,
        ..circumstances
    };
    satisfied(cell(row, class), circumstances)
}

/// What is true of the value on its way to the recipient, and cannot be read from the ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screening {
    /// How far the recipient has come, or, for an offer, which of its two screenings this is:
    /// [`Stage::Offer`] for what the service sees at once, [`Stage::Accept`] for what waits under
    /// the gateway's key. Never beyond what action and relationship bear out.
    pub stage: Stage,
    pub supplied: Supplied,
    pub text: Text,
}

/// A part that was dropped, for the holding side's log. Never told to the recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dropped {
    pub class: DataClass,
    pub row: Row,
    pub cell: Cell,
    /// The firewall rule (`domain.md` 3.0.3), or `table`, or `not-asked` for a class that policy
    /// was not asked about.
    pub rule: &'static str,
}

/// A value that the firewall has passed for its recipient. Only [`screen`] makes one; it stands
/// for one event, so it is not `Clone`.
pub struct Screened<T> {
    value: T,
    recipient: Recipient,
    rules: Vec<String>,
    dropped: Vec<Dropped>,
}

impl<T> Screened<T> {
    pub fn value(&self) -> &T {
        &self.value
    }

    pub fn recipient(&self) -> &Recipient {
        &self.recipient
    }

    /// The `@id`s of the policies that permitted, sorted.
    pub fn rules(&self) -> &[String] {
        &self.rules
    }

    pub fn dropped(&self) -> &[Dropped] {
        &self.dropped
    }

    /// Unwraps; the proof is lost with it.
    pub fn into_parts(self) -> (T, Recipient, Vec<String>, Vec<Dropped>) {
        (self.value, self.recipient, self.rules, self.dropped)
    }
}

impl<T: Joins> Screened<T> {
    /// What was screened apart for one recipient, as one. Anything for another recipient than the
    /// first's is destroyed; `None` if there is nothing.
    pub fn joined(all: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut all = all.into_iter();
        let mut first = all.next()?;
        for other in all.filter(|other| other.recipient == first.recipient) {
            first.value.join(other.value);
            first.rules.extend(other.rules);
            first.dropped.extend(other.dropped);
        }
        first.rules.sort_unstable();
        first.rules.dedup();
        first.dropped.sort_unstable();
        first.dropped.dedup();
        Some(first)
    }
}

/// Without the value, which may be about a person.
impl<T> std::fmt::Debug for Screened<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Screened")
            .field("rules", &self.rules)
            .field("dropped", &self.dropped)
            .finish_non_exhaustive()
    }
}

/// Keeps the parts that the recipient may be told, and destroys the rest. Cannot fail: at worst
/// nothing is left.
pub fn screen<T: Screenable>(permitted: Permitted<T>, screening: Screening) -> Screened<T> {
    let (value, grounds, rules) = permitted.into_parts();
    let row = row(grounds.recipient.kind, grounds.recipient.tainted);
    let circumstances = circumstances(&grounds, screening);
    let allowed = |class: DataClass| {
        grounds.classes.contains(&class)
            && carries(grounds.action, class)
            && opens(row, class, circumstances)
    };
    let mut dropped: Vec<Dropped> = value
        .classes()
        .into_iter()
        .filter(|class| !allowed(*class))
        .map(|class| Dropped {
            class,
            row,
            cell: cell(row, class),
            rule: rule(class, &grounds, screening.text),
        })
        .collect();
    dropped.sort_unstable();
    dropped.dedup();
    Screened {
        value: value.keep(allowed),
        recipient: grounds.recipient.clone(),
        rules,
        dropped,
    }
}

/// What was sealed moves by its own two actions, whatever policy says.
const fn carries(action: Action, class: DataClass) -> bool {
    !matches!(class, DataClass::Sealed) || matches!(action, Action::SealItem | Action::CollectItem)
}

fn circumstances(grounds: &Grounds, screening: Screening) -> Circumstances {
    // Nothing that is sent to another body was supplied by that body; and policy must have been
    // asked about the recipient's own.
    let supplied = if grounds.to_self && grounds.own {
        screening.supplied
    } else {
        Supplied::ByAnother
    };
    Circumstances {
        stage: screening
            .stage
            .min(reach(grounds.action, grounds.relationship)),
        supplied,
        text: screening.text,
        consented: grounds.consented,
        emergency: grounds.emergency && matches!(grounds.action, Action::BreakGlass),
    }
}

/// The furthest stage that an action can stand for, given what ties the asker to the person.
const fn reach(action: Action, relationship: Relationship) -> Stage {
    match action {
        // Written to another body: how far *it* has come is not in the asker's relationship.
        Action::OfferReferral
        | Action::AddNote
        | Action::UpdateReferral
        | Action::SealItem
        | Action::TransferReferral
        | Action::ReplySubjectAccess => Stage::Accept,
        Action::AcceptReferral => match relationship {
            Relationship::OfferedTo
            | Relationship::AcceptedOwn
            | Relationship::AcceptedFromAnother => Stage::Accept,
            Relationship::None | Relationship::Sender => Stage::Nothing,
        },
        Action::QueryAssessments
        | Action::RelyOnAssessment
        | Action::CollectItem
        | Action::DeliverSubjectAccess => match relationship {
            Relationship::AcceptedFromAnother => Stage::Accept,
            Relationship::None
            | Relationship::Sender
            | Relationship::OfferedTo
            | Relationship::AcceptedOwn => Stage::Nothing,
        },
        Action::ReadReferralStatus => match relationship {
            Relationship::None => Stage::Nothing,
            Relationship::Sender
            | Relationship::OfferedTo
            | Relationship::AcceptedOwn
            | Relationship::AcceptedFromAnother => Stage::Status,
        },
        Action::ReadInbox
        | Action::DeclineReferral
        | Action::WaitReferral
        | Action::CloseReferral
        | Action::HandBackReferral
        | Action::ReadReferral
        | Action::ReadEvents => match relationship {
            Relationship::None => Stage::Nothing,
            Relationship::Sender => Stage::Status,
            Relationship::OfferedTo => Stage::Offer,
            Relationship::AcceptedOwn | Relationship::AcceptedFromAnother => Stage::Accept,
        },
        // Nothing of another's flows: what is left is the recipient's own.
        Action::ScreenText
        | Action::RecordConsent
        | Action::WithdrawConsent
        | Action::Withdraw
        | Action::RecordAssessment
        | Action::WithdrawAssessment
        | Action::ReadOwnAssessments
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
        | Action::RedactSubjectAccess
        | Action::BreakGlass
        | Action::FollowUpEmergency
        | Action::KeepDraft
        | Action::OpenDraft
        | Action::EraseDraft
        | Action::ReadReturn
        | Action::ReadAudit
        | Action::ReadAuditSubject
        | Action::ReportSubject
        | Action::ReadAuditQueue
        | Action::DecideAuditItem
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
        | Action::Reconcile
        | Action::Unknown => Stage::Nothing,
    }
}

fn rule(class: DataClass, grounds: &Grounds, text: Text) -> &'static str {
    if grounds.recipient.tainted {
        return "F3";
    }
    if matches!(class, DataClass::Im) {
        return "F2";
    }
    if !grounds.classes.contains(&class) {
        return "not-asked";
    }
    if matches!(grounds.action, Action::BreakGlass) {
        return "F4";
    }
    match class {
        DataClass::Ip => "F6",
        DataClass::Sealed => "F2",
        DataClass::Ft if matches!(text, Text::Held) => "F5",
        DataClass::Op
        | DataClass::Id
        | DataClass::Loc
        | DataClass::Sp
        | DataClass::Im
        | DataClass::Perp
        | DataClass::Ft
        | DataClass::Met => "table",
    }
}

#[cfg(test)]
mod tests;
