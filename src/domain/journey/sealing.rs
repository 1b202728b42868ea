//! The seal on whom a log entry is about (3.5, P11): a second person of another organisation lets an
//! officer learn it once, under the name by which her own organisation knows her.
//!
//! Never identity, and never of an entry that she may not see. If her organisation has no record of
//! the person, she is shown the uniform nothing.

use crate::domain::alias::{AliasKind, Aliases};
use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::audit::{Filter, Reading, Viewer};
use crate::domain::codes::Action;
use crate::domain::decision::{Aggregate, Decision};
use crate::domain::id::{Id, PersonId, ProposalId, ReferralId};
use crate::domain::known::Known;
use crate::domain::opening::Opening;
use crate::domain::person::TaggedToken;
use crate::domain::record::{Record, singleton};
use crate::domain::refusal::Refusal;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;

use super::{Stop, caller, permit};

/// An approved opening can be used this long.
pub const SEAL_DAYS: i64 = 7;

/// Opens the seal on entry `index` under the proposal known outside as `alias`.
///
/// # Errors
/// [`BadRuling`].
pub fn open(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    index: u64,
    alias: Id,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    let proposal = ruling.aliases().inward(AliasKind::Proposal, alias);
    match decide(&mut ruling, known, index, ProposalId(proposal)) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide(
    ruling: &mut Ruling<'_>,
    known: &Known,
    index: u64,
    id: ProposalId,
) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    permit(ruling, &caller.ask(attempt, caller.as_recipient()), ())?;
    let own = attempt.organisation();
    let found = known
        .proposals
        .get(&id)
        .filter(|found| found.proposed_by == *own);
    let sealed = found.and_then(|found| Some((found.approved.as_ref()?, found.widening.seal()?)));
    let Some((approval, seal)) = sealed.filter(|(_, seal)| seal.entry == index) else {
        return Err(Stop::Refuse(Refusal::NotFound));
    };
    ruling.reason(seal.reason.code());
    ruling.note(&format!("entry-{index}"));
    ruling.concerns(own);
    ruling.concerns(&approval.organisation);
    for reviewer in &known.approvers.reviewers {
        ruling.concerns(reviewer);
    }
    let over = attempt.when >= approval.at.plus_days(SEAL_DAYS);
    if over || known.seals_opened.contains_key(&id) {
        return Err(Stop::Refuse(Refusal::AlreadyAnswered));
    }
    ruling.fact(
        Aggregate::Proposal(id),
        singleton("seal opened"),
        &Record::SealOpened(attempt.when),
    );
    Ok(Answer::SealOpened(Reading {
        indices: vec![index],
        viewer: Viewer {
            organisation: own.clone(),
            kind: caller.kind(),
            tainted: caller.actor.tainted,
        },
        filter: Filter::default(),
    }))
}

/// What an entry names, under the gateway's own id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind {
    Referral(ReferralId),
    /// Any organisation's record of her.
    Record(PersonId),
}

/// What an entry that was opened leads to.
pub fn behind(opening: &Opening) -> Option<Behind> {
    let object = opening.decided.object?;
    match Action::parse(&opening.what.action)? {
        Action::OfferReferral
        | Action::ReadReferralStatus
        | Action::AcceptReferral
        | Action::DeclineReferral
        | Action::WaitReferral
        | Action::CloseReferral
        | Action::HandBackReferral
        | Action::ReadReferral
        | Action::AddNote
        | Action::UpdateReferral
        | Action::TransferReferral => Some(Behind::Referral(ReferralId(object))),
        Action::QueryAssessments | Action::BreakGlass => Some(Behind::Record(PersonId(object))),
        Action::ReadInbox
        | Action::FollowUpEmergency
        | Action::KeepDraft
        | Action::OpenDraft
        | Action::EraseDraft
        | Action::ReadReturn
        | Action::ReadEvents
        | Action::ScreenText
        | Action::RecordConsent
        | Action::WithdrawConsent
        | Action::Withdraw
        | Action::RecordAssessment
        | Action::RelyOnAssessment
        | Action::WithdrawAssessment
        | Action::ReadOwnAssessments
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
        | Action::DeliverSubjectAccess
        | Action::Unknown
        | Action::Reconcile => None,
    }
}

/// Under which name `own` knows her: its own referral, or its own record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnName {
    Referral(Id),
    Person(Id),
}

/// The name, from the facts that `behind` leads to; `None` if the organisation whose names these are
/// has no record of her.
pub fn own_name(aliases: &Aliases, known: &Known, behind: Behind) -> Option<OwnName> {
    let own = aliases.organisation();
    let person = |tokens: &[TaggedToken]| {
        let id = known.own_record(own, tokens)?;
        let outward = aliases.outward(AliasKind::Person, id.id());
        Some(OwnName::Person(outward))
    };
    match behind {
        Behind::Referral(id) => {
            let referral = known.referrals.get(&id)?;
            if referral.sender == *own || referral.recipient == *own {
                let outward = aliases.outward(AliasKind::Referral, id.id());
                return Some(OwnName::Referral(outward));
            }
            person(&referral.tokens)
        }
        Behind::Record(id) => person(&known.people.get(&id)?.record.as_ref()?.tokens),
    }
}

#[cfg(test)]
mod tests;
