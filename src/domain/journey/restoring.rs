//! While withdrawals are collected after a restore: what goes on, what is held back, and the entry
//! with which it begins.
//!
//! [`held_back`] is asked by every [`Ruling::finish`](crate::domain::ruling::Ruling::finish), so
//! that no journey can forget it. It looks at the kind of attempt, never at what was found, so that
//! what is held back is the same for every person.

use crate::domain::answer::Answer;
use crate::domain::attempt::Entropy;
use crate::domain::codes::Action;
use crate::domain::decision::{Aggregate, Decision};
use crate::domain::known::Known;
use crate::domain::record::{Record, singleton};
use crate::domain::refusal::Refusal;
use crate::domain::restoration::{Copied, Restoration, is_waited_for};
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled};
use crate::domain::seal::Keys;
use crate::domain::succession::Succession;
use crate::domain::time::When;

use super::own_acts::{self, OwnAct};

/// Item keys of the entry: the restoration, and the opening.
pub const KEYS: usize = 2;

/// Whether an attempt of this kind is decided while withdrawals are collected.
///
/// What says nothing of a person goes on: offers and what is added to them, her word, governance
/// (those who were enrolled since the copy must be again), the log, by which the loss is judged.
/// What reads about her waits; so does answering an offer, which begins with reading it.
pub const fn goes_on(action: Action) -> bool {
    match action {
        Action::OfferReferral
        | Action::AddNote
        | Action::UpdateReferral
        | Action::ScreenText
        | Action::RecordConsent
        | Action::WithdrawConsent
        | Action::Withdraw
        | Action::RecordAssessment
        | Action::WithdrawAssessment
        | Action::SealItem
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
        | Action::Reconcile
        | Action::RejectLink
        | Action::IssueCard
        | Action::SettleWithdrawal
        | Action::AnswerStopUse
        | Action::TakeSubjectAccess
        | Action::MoveSubjectAccess
        | Action::FollowUpEmergency
        | Action::KeepDraft
        | Action::EraseDraft
        | Action::ReadReturn
        | Action::Unknown => true,
        Action::ReadReferralStatus
        | Action::ReadInbox
        | Action::AcceptReferral
        | Action::DeclineReferral
        | Action::WaitReferral
        | Action::CloseReferral
        | Action::HandBackReferral
        | Action::ReadReferral
        | Action::TransferReferral
        | Action::ReadEvents
        | Action::QueryAssessments
        | Action::RelyOnAssessment
        | Action::ReadOwnAssessments
        | Action::OpenDraft
        | Action::BreakGlass
        | Action::CollectItem
        | Action::ReadLinks
        | Action::ReadConsents
        | Action::ConfirmLink
        | Action::ReadSubjectAccess
        | Action::ReplySubjectAccess
        | Action::RedactSubjectAccess
        | Action::DeliverSubjectAccess
        | Action::ReadAuditSubject
        | Action::ReportSubject
        | Action::OpenSeal => false,
    }
}

/// What a caller is refused in place of `answer`, if withdrawals are being collected.
pub fn held_back(known: &Known, action: Action, answer: &Answer) -> Option<Refusal> {
    let open = known.restoration.as_ref().filter(|found| found.open())?;
    let kept = match answer {
        // What is wrong with the caller is the same for every person, and is told first.
        Answer::Refused(refusal) => is_about_caller(refusal) || goes_on(action),
        // That an answer tells nothing is not taken from its action alone.
        _ => goes_on(action) && !answer.tells_of_a_person(),
    };
    (!kept).then_some(Refusal::Restoring { since: open.since })
}

/// Of the refusals that a journey comes to: those that depend on nothing stored about a person.
pub const fn is_about_caller(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::CertificateNotAccepted
        | Refusal::AgreementExpired { .. }
        | Refusal::OrganisationSuspended
        | Refusal::RoleNotAllowed { .. }
        | Refusal::PurposeNotAllowed { .. }
        | Refusal::SecondFactorNeeded
        | Refusal::AlreadySent
        | Refusal::SlowDown { .. }
        | Refusal::PolicyFailed
        | Refusal::MethodNotAllowed
        | Refusal::TooLarge
        | Refusal::NotJson
        | Refusal::NoAttachments
        | Refusal::CrossSite
        | Refusal::NotEnrollable
        | Refusal::SecondOrganisationNeeded
        | Refusal::Restoring { .. }
        | Refusal::Unwitnessed { .. }
        | Refusal::ClockOff => true,
        Refusal::CheckYourAnswers(_)
        | Refusal::UnknownField { .. }
        | Refusal::MissingField { .. }
        | Refusal::PoliciesDoNotLoad(_)
        | Refusal::ConsentNeeded
        | Refusal::ExplanationNeeded
        | Refusal::ImmigrationContentFound(_)
        | Refusal::AlreadyAnswered
        | Refusal::HandBackOver
        | Refusal::ConfirmEmergency { .. }
        | Refusal::NotFound => false,
    }
}

/// The restoration that begins now, with whom it waits for.
pub fn begun(known: &Known, copied: Copied, now: When) -> Restoration {
    let waiting = known.members().into_iter().filter(|id| {
        let organisation = known.organisations.get(id);
        // One that the copy names and no longer holds has handed in nothing either.
        let lost = organisation.is_none() && !known.approvers.reviewers.contains(id);
        lost || organisation.is_some_and(|one| is_waited_for(one, now))
    });
    let earlier = known.restoration.as_ref();
    Restoration::begun(copied, waiting.collect(), now, earlier)
}

/// The gateway's own entry that it was restored, and under which old name the log was known if it
/// goes on under a new one. `None` if nobody was ever enrolled.
///
/// # Errors
/// [`BadRuling`].
pub fn begin(
    rules: &Rules,
    when: When,
    entropy: &Entropy,
    keys: Keys,
    known: &Known,
    copied: Copied,
    succession: Option<&Succession>,
) -> Result<Option<Decision<Ruled>>, BadRuling> {
    let begun = begun(known, copied, when);
    let mut notes = vec![
        format!("entries-in-the-copy-{}", begun.leaves),
        format!("withdrawals-missing-since-{}", begun.since.rfc3339()),
        format!("waits-for-{}", begun.waiting.len()),
    ];
    notes.extend(succession.map(Succession::notes).unwrap_or_default());
    let act = OwnAct {
        user: "restore",
        action: "restore",
        reason: "restored-from-a-copy".to_owned(),
        rule: String::new(),
        answer: Answer::Restored,
        told: known.members(),
        // The others see it as the operator's.
        concerned: begun.waiting.clone(),
        notes,
        request: copied.leaves.to_be_bytes().to_vec(),
        facts: vec![(
            Aggregate::Settings,
            singleton("restoration"),
            Record::Restoration(begun),
        )],
        removed: Vec::new(),
        lists: Vec::new(),
        writes: Vec::new(),
        urgent: true,
    };
    own_acts::entry(rules, when, entropy, keys, known, act)
}

#[cfg(test)]
mod tests;
