//! Why a request is made, when it does not say.

use crate::domain::codes::{Action, Purpose, Role};

/// The purpose when the caller states none: what the role is there for.
pub const fn default_purpose(action: Action, role: Role) -> Purpose {
    match action {
        Action::BreakGlass | Action::FollowUpEmergency => Purpose::Emergency,
        Action::SealItem | Action::CollectItem => Purpose::LegalAdvice,
        Action::DeliverSubjectAccess => Purpose::Audit,
        Action::TakeSubjectAccess
        | Action::ReadSubjectAccess
        | Action::MoveSubjectAccess
        | Action::ReplySubjectAccess
        | Action::RedactSubjectAccess
            if matches!(role, Role::IgOfficer | Role::Dpo | Role::Caldicott) =>
        {
            Purpose::Audit
        }
        // The reviewer sees what is proposed as one who audits.
        Action::ReadProposals if matches!(role, Role::Reviewer) => Purpose::Audit,
        Action::ReadAudit
        | Action::ReadAuditSubject
        | Action::ReportSubject
        | Action::ReadAuditQueue
        | Action::DecideAuditItem
        | Action::FlagPerson
        | Action::OpenSeal => Purpose::Audit,
        Action::Propose
        | Action::Approve
        | Action::Narrow
        | Action::ReadProposals
        | Action::Reconcile
        | Action::SecondFactor
        | Action::ReadDevices
        | Action::AddDevice
        | Action::RemoveDevice => Purpose::Administration,
        Action::ReadReturn if matches!(role, Role::OrgAdmin) => Purpose::Administration,
        // Officers of an agency see to pauses and notices as well as workers do.
        Action::SettleWithdrawal | Action::AnswerStopUse
            if matches!(role, Role::IgOfficer | Role::OrgAdmin) =>
        {
            Purpose::Administration
        }
        Action::SettleWithdrawal | Action::AnswerStopUse
            if matches!(role, Role::Caldicott | Role::Dpo) =>
        {
            Purpose::Audit
        }
        _ => match role {
            Role::Officer | Role::VcopUnit => Purpose::OnwardReferral,
            Role::LegalAdviser => Purpose::LegalAdvice,
            _ => Purpose::Support,
        },
    }
}
