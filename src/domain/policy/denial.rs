//! Words a refusal. Cedar has already refused; nothing here decides anything.
//!
//! What is said about the caller is worked out only from facts about the caller and from her own
//! input, so that no wording depends on what is stored about a person: whatever is left over is
//! [`DeniedWhy::NothingToShow`] (F8). The order is that of `domain.md` 3.0.4.

use super::{Ask, Policies, Recipient, Relationship};
use crate::domain::codes::{Action, DataClass, OrgKind, Purpose};

/// Why an attempt was refused, as far as the caller may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum DeniedWhy {
    #[error("the certificate is of another organisation")]
    CertificateNotAccepted,
    #[error("the organisation is suspended")]
    OrganisationSuspended,
    #[error("the organisation's sharing agreement is not in date")]
    AgreementExpired,
    #[error("this needs a second factor: sign in with it first")]
    SecondFactorNeeded,
    #[error("the role may not do this")]
    RoleNotAllowed,
    #[error("the role may not do this for the purpose given")]
    PurposeNotAllowed,
    /// An approval by the organisation that proposed (P11).
    #[error("a person of another organisation must approve this")]
    SecondOrganisationNeeded,
    /// The service named in an offer: not enrolled, suspended, tainted, without an agreement, or
    /// of a kind that takes no referrals. Says nothing of the person.
    #[error("the service chosen cannot take referrals through the gateway")]
    RecipientNotAvailable,
    /// About an offer's own input only.
    #[error("record her explicit consent, or record that she declined")]
    ConsentNeeded,
    /// Break-glass without its confirmation.
    #[error("confirm that you understand who will be told")]
    EmergencyNotConfirmed,
    /// Everything that could depend on the person. Uniform (P5).
    #[error("nothing to show")]
    NothingToShow,
    /// A fault of ours: the rules could not be evaluated, so nothing is permitted (P3).
    #[error("a policy could not be evaluated, so nothing is permitted")]
    PolicyFailed,
}

impl DeniedWhy {
    /// About the caller, her organisation or her own input: the error may be exact. Otherwise the
    /// answer must be the uniform one.
    pub const fn is_about_caller(self) -> bool {
        match self {
            Self::CertificateNotAccepted
            | Self::OrganisationSuspended
            | Self::AgreementExpired
            | Self::SecondFactorNeeded
            | Self::RoleNotAllowed
            | Self::PurposeNotAllowed
            | Self::SecondOrganisationNeeded
            | Self::RecipientNotAvailable
            | Self::ConsentNeeded
            | Self::EmergencyNotConfirmed => true,
            Self::NothingToShow | Self::PolicyFailed => false,
        }
    }
}

/// A refusal. It is logged before it is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Denied {
    pub why: DeniedWhy,
    /// The `@id`s of the policies that forbade, sorted; empty when none permitted. For the holding
    /// side's log only: they may say what the caller must not learn.
    pub rules: Vec<String>,
}

impl Denied {
    pub(super) fn policy_failed() -> Self {
        Self {
            why: DeniedWhy::PolicyFailed,
            rules: Vec::new(),
        }
    }
}

pub(super) fn diagnose(policies: &Policies, ask: &Ask) -> DeniedWhy {
    let actor = &ask.actor;
    if ask.certificate_organisation != actor.organisation {
        return DeniedWhy::CertificateNotAccepted;
    }
    if !actor.active {
        return DeniedWhy::OrganisationSuspended;
    }
    if !actor.agreement_in_date && needs_agreement(ask) {
        return DeniedWhy::AgreementExpired;
    }
    let unproven = actor.person_certificate && !actor.second_factor;
    if unproven && ask.action != Action::SecondFactor {
        return DeniedWhy::SecondFactorNeeded;
    }
    if !actor.role_assertable || !actor.person_certificate && must_act_in_person(ask) {
        return DeniedWhy::RoleNotAllowed;
    }
    if !policies.caller_may(&plain(ask, ask.purpose)) {
        let may_otherwise = Purpose::ALL
            .iter()
            .any(|purpose| policies.caller_may(&plain(ask, *purpose)));
        return if may_otherwise {
            DeniedWhy::PurposeNotAllowed
        } else {
            DeniedWhy::RoleNotAllowed
        };
    }
    match ask.action {
        Action::Approve if ask.proposer.as_ref() == Some(&actor.organisation) => {
            DeniedWhy::SecondOrganisationNeeded
        }
        Action::BreakGlass if !ask.emergency_confirmed => DeniedWhy::EmergencyNotConfirmed,
        Action::OfferReferral => offer(policies, ask),
        // Nothing about a person is asked when an item is sealed: what is left is about the two ends.
        Action::SealItem if actor.tainted => DeniedWhy::RoleNotAllowed,
        Action::SealItem => DeniedWhy::RecipientNotAvailable,
        Action::Approve
        | Action::BreakGlass
        | Action::ReadReferralStatus
        | Action::ReadInbox
        | Action::AcceptReferral
        | Action::DeclineReferral
        | Action::WaitReferral
        | Action::CloseReferral
        | Action::HandBackReferral
        | Action::ReadReferral
        | Action::AddNote
        | Action::UpdateReferral
        | Action::TransferReferral
        | Action::ReadEvents
        | Action::ScreenText
        | Action::RecordConsent
        | Action::WithdrawConsent
        | Action::Withdraw
        | Action::RecordAssessment
        | Action::QueryAssessments
        | Action::RelyOnAssessment
        | Action::ReadAudit
        | Action::ReadAuditSubject
        | Action::ReportSubject
        | Action::ReadAuditQueue
        | Action::DecideAuditItem
        | Action::FlagPerson
        | Action::OpenSeal
        | Action::Propose
        | Action::Narrow
        | Action::ReadProposals
        | Action::SecondFactor
        | Action::ReadDevices
        | Action::AddDevice
        | Action::RemoveDevice
        | Action::Reconcile
        | Action::CollectItem
        | Action::ReadLinks
        | Action::ConfirmLink
        | Action::RejectLink
        | Action::ReadConsents
        | Action::IssueCard
        | Action::SettleWithdrawal
        | Action::AnswerStopUse
        | Action::TakeSubjectAccess
        | Action::ReadSubjectAccess
        | Action::MoveSubjectAccess
        | Action::ReplySubjectAccess
        | Action::RedactSubjectAccess
        | Action::DeliverSubjectAccess
        | Action::WithdrawAssessment
        | Action::ReadOwnAssessments
        | Action::FollowUpEmergency
        | Action::KeepDraft
        | Action::OpenDraft
        | Action::EraseDraft
        | Action::ReadReturn
        | Action::Unknown => DeniedWhy::NothingToShow,
    }
}

/// An offer is refused about the service it names, about its own consent, or about the person.
/// The last is found by asking again as if nothing were stored about her: if that is permitted,
/// what refused was stored, and the answer is the uniform one.
fn offer(policies: &Policies, ask: &Ask) -> DeniedWhy {
    let mut unknown = ask.clone();
    unknown.relationship = Relationship::None;
    unknown.source_consent = None;
    unknown.consent = ask.consent.map(|consent| super::ConsentState {
        live: true,
        ..consent
    });
    if policies.permits(&unknown) || ask.classes.contains(&DataClass::Im) {
        return DeniedWhy::NothingToShow;
    }
    let mut willing = unknown;
    willing.consent = Some(super::ConsentState {
        strength: crate::domain::codes::ConsentStrength::Explicit,
        live: true,
        covers: true,
        from_another: false,
        depth: None,
    });
    if policies.permits(&willing) {
        DeniedWhy::ConsentNeeded
    } else {
        DeniedWhy::RecipientNotAvailable
    }
}

fn must_act_in_person(ask: &Ask) -> bool {
    ask.actor.role.needs_person_certificate() || ask.action == Action::Approve
}

fn needs_agreement(ask: &Ask) -> bool {
    let exempt_kind = matches!(ask.actor.kind, OrgKind::Operator | OrgKind::Reviewer);
    let exempt_action = matches!(
        ask.action,
        Action::Propose
            | Action::Approve
            | Action::Narrow
            | Action::ReadProposals
            | Action::Reconcile
            | Action::SecondFactor
            | Action::ReadDevices
            | Action::AddDevice
            | Action::RemoveDevice
    );
    !exempt_kind && !exempt_action
}

/// The ask with every fact but the caller's kind, role, action and purpose blanked, so that what
/// is said of role and purpose can depend on nothing else.
pub(super) fn plain(ask: &Ask, purpose: Purpose) -> Ask {
    let mut actor = ask.actor.clone();
    actor.active = true;
    actor.tainted = false;
    actor.role_assertable = true;
    actor.person_certificate = true;
    actor.second_factor = true;
    actor.agreement_in_date = true;
    Ask {
        action: ask.action,
        purpose,
        certificate_organisation: actor.organisation.clone(),
        recipient: Recipient {
            organisation: actor.organisation.clone(),
            kind: actor.kind,
            active: true,
            tainted: false,
            agreement_in_date: true,
        },
        actor,
        giver: None,
        classes: Vec::new(),
        own: false,
        relationship: Relationship::None,
        offence: None,
        basis: None,
        consent: None,
        source_consent: None,
        step: None,
        identity_sure: false,
        emergency_confirmed: false,
        proposer: None,
    }
}
