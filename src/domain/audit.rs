//! What an information-governance officer must decide, the rules that put it before her, and how
//! much of a log entry she sees ([`visible`]).

pub mod figures;
mod queue;
mod visible;

pub use figures::{Counted, since_friday};
pub use queue::{
    Checked, Desk, Drawn, GATEWAY, MissingNote, PassedOn, QueueDecision, QueueItem, QueueState,
    QueueTally, QueueVerdict, SeenItem, Severity, missing_note_item, tally_item,
};
pub use visible::{
    Filter, OPERATOR, Reach, Reading, Side, SomeOrganisation, Stretch, Viewer, VisibleDecision,
    VisibleEntry, VisibleOutcome, visible,
};

use super::codes::Action;
use super::refusal::Refusal;

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

/// Whether a refusal counts towards repeated denials: what she may not do, not what she mistyped.
/// Only what is told about the caller herself, so that no count depends on what is held.
pub const fn is_denial(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::CertificateNotAccepted
        | Refusal::AgreementExpired { .. }
        | Refusal::OrganisationSuspended
        | Refusal::RoleNotAllowed { .. }
        | Refusal::PurposeNotAllowed { .. }
        | Refusal::NotFound
        | Refusal::MethodNotAllowed
        | Refusal::NotEnrollable
        | Refusal::SecondOrganisationNeeded => true,
        Refusal::SecondFactorNeeded
        | Refusal::AlreadySent
        | Refusal::SlowDown { .. }
        | Refusal::PolicyFailed
        | Refusal::TooLarge
        | Refusal::NotJson
        | Refusal::NoAttachments
        | Refusal::CrossSite
        | Refusal::Restoring { .. }
        | Refusal::Unwitnessed { .. }
        | Refusal::ClockOff
        | Refusal::CheckYourAnswers(_)
        | Refusal::UnknownField { .. }
        | Refusal::MissingField { .. }
        | Refusal::PoliciesDoNotLoad(_)
        | Refusal::ConsentNeeded
        | Refusal::ExplanationNeeded
        | Refusal::ImmigrationContentFound(_)
        | Refusal::AlreadyAnswered
        | Refusal::HandBackOver
        | Refusal::ConfirmEmergency { .. } => false,
    }
}

/// Whether an attempt asks about a person, so that the hour and the reason of it matter.
pub const fn asks_about_a_person(action: Action) -> bool {
    match action {
        Action::ReadReferralStatus
        | Action::ReadInbox
        | Action::ReadReferral
        | Action::QueryAssessments
        | Action::ReadOwnAssessments
        | Action::BreakGlass
        | Action::ReadAuditSubject
        | Action::ReportSubject
        | Action::OpenSeal
        | Action::DeliverSubjectAccess => true,
        Action::OfferReferral
        | Action::AcceptReferral
        | Action::DeclineReferral
        | Action::WaitReferral
        | Action::CloseReferral
        | Action::HandBackReferral
        | Action::AddNote
        | Action::UpdateReferral
        | Action::TransferReferral
        | Action::ReadEvents
        | Action::ScreenText
        | Action::RecordConsent
        | Action::WithdrawConsent
        | Action::Withdraw
        | Action::RecordAssessment
        | Action::RelyOnAssessment
        | Action::WithdrawAssessment
        | Action::FollowUpEmergency
        | Action::KeepDraft
        | Action::OpenDraft
        | Action::EraseDraft
        | Action::ReadReturn
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
        | Action::ReadAudit
        | Action::ReadAuditQueue
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
        | Action::Unknown
        | Action::Reconcile => false,
    }
}
