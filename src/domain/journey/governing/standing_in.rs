//! While the rulebook in force is one that this program cannot use, the built-in one stands in, for
//! what tells nothing of anyone: so that two people can agree on another, and her word still counts.
//!
//! [`held_back`] is asked by every [`Ruling::finish`](crate::domain::ruling::Ruling::finish).

use crate::domain::answer::Answer;
use crate::domain::codes::Action;
use crate::domain::journey::restoring::is_about_caller;
use crate::domain::refusal::Refusal;
use crate::domain::rules::Footing;

/// Whether an attempt of this kind is decided while another rulebook only stands in: who may do
/// what, the log's queues, and what she says no to.
pub const fn goes_on(action: Action) -> bool {
    match action {
        Action::Withdraw
        | Action::WithdrawConsent
        | Action::SettleWithdrawal
        | Action::AnswerStopUse
        | Action::Reconcile
        | Action::RejectLink
        | Action::ReadAuditQueue
        | Action::DecideAuditItem
        | Action::Propose
        | Action::Approve
        | Action::Narrow
        | Action::ReadProposals
        | Action::SecondFactor
        | Action::ReadDevices
        | Action::AddDevice
        | Action::RemoveDevice
        | Action::WithdrawAssessment
        | Action::Unknown => true,
        Action::OfferReferral
        | Action::TakeSubjectAccess
        | Action::ReadSubjectAccess
        | Action::MoveSubjectAccess
        | Action::ReplySubjectAccess
        | Action::RedactSubjectAccess
        | Action::DeliverSubjectAccess
        | Action::AddNote
        | Action::UpdateReferral
        | Action::TransferReferral
        | Action::ScreenText
        | Action::RecordConsent
        | Action::RecordAssessment
        | Action::ReadOwnAssessments
        | Action::ReadAudit
        | Action::FlagPerson
        | Action::ReadReferralStatus
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
        | Action::BreakGlass
        | Action::FollowUpEmergency
        | Action::KeepDraft
        | Action::OpenDraft
        | Action::EraseDraft
        | Action::ReadReturn
        | Action::SealItem
        | Action::CollectItem
        | Action::ReadLinks
        | Action::ReadConsents
        | Action::IssueCard
        | Action::ConfirmLink
        | Action::ReadAuditSubject
        | Action::ReportSubject
        | Action::OpenSeal => false,
    }
}

/// What a caller is refused in place of `answer`, if the rulebook only stands in.
pub fn held_back(footing: Footing, action: Action, answer: &Answer) -> Option<Refusal> {
    let kept = match footing {
        Footing::InForce => true,
        Footing::StandsIn | Footing::Other => match answer {
            Answer::Refused(refusal) => is_about_caller(refusal) || goes_on(action),
            _ => goes_on(action) && !answer.tells_of_a_person(),
        },
    };
    (!kept).then_some(Refusal::PolicyFailed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_people_can_always_agree_and_nothing_is_told_meanwhile() {
        for action in [Action::Propose, Action::Approve, Action::Withdraw] {
            assert!(held_back(Footing::StandsIn, action, &Answer::Narrowed).is_none());
        }
        for action in Action::ALL {
            let held = held_back(Footing::StandsIn, *action, &Answer::Nothing);
            assert_eq!(held.is_none(), goes_on(*action), "{}", action.code());
            assert!(held_back(Footing::InForce, *action, &Answer::Nothing).is_none());
        }
    }
}
