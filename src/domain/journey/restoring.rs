//! While withdrawals are collected after a restore: what goes on, what is held back, and the entry
//! with which it begins.
//!
//! [`held_back`] is asked by every [`Ruling::finish`](crate::domain::ruling::Ruling::finish), so
//! that no journey can forget it. It looks at the kind of attempt, never at what was found, so that
//! what is held back is the same for every person.

use sha2::{Digest, Sha256};

use crate::domain::answer::Answer;
use crate::domain::attempt::Entropy;
use crate::domain::audit::OPERATOR;
use crate::domain::codes::{Action, OrgKind};
use crate::domain::decision::{Aggregate, Decision, List, Write};
use crate::domain::id::{OrgId, TeamId};
use crate::domain::known::Known;
use crate::domain::leaf::{LeafClass, LeafDraft};
use crate::domain::opening::{Account, Decided, Outcome, What, Who, Why};
use crate::domain::record::{Record, singleton};
use crate::domain::refusal::Refusal;
use crate::domain::restoration::{Copied, Restoration, is_waited_for};
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled};
use crate::domain::seal::Keys;
use crate::domain::succession::Succession;
use crate::domain::time::When;

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
        | Action::ReadAudit
        | Action::ReadAuditQueue
        | Action::DecideAuditItem
        | Action::Propose
        | Action::Approve
        | Action::Narrow
        | Action::ReadProposals
        | Action::SecondFactor
        | Action::Reconcile
        | Action::Unknown => true,
        Action::ReadReferralStatus
        | Action::ReadInbox
        | Action::AcceptReferral
        | Action::DeclineReferral
        | Action::WaitReferral
        | Action::CloseReferral
        | Action::ReadReferral
        | Action::ReadEvents
        | Action::QueryAssessments
        | Action::RelyOnAssessment
        | Action::BreakGlass
        | Action::ReadAuditSubject
        | Action::ReportSubject => false,
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
        | Refusal::CrossSite
        | Refusal::NotEnrollable
        | Refusal::SecondOrganisationNeeded
        | Refusal::Restoring { .. }
        | Refusal::Unwitnessed { .. }
        | Refusal::ClockOff => true,
        Refusal::CheckYourAnswers(_)
        | Refusal::UnknownField { .. }
        | Refusal::MissingField { .. }
        | Refusal::ConsentNeeded
        | Refusal::ImmigrationContentFound { .. }
        | Refusal::AlreadyAnswered
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
    mut keys: Keys,
    known: &Known,
    copied: Copied,
    succession: Option<&Succession>,
) -> Result<Option<Decision<Ruled>>, BadRuling> {
    let Some((operator, team)) = operator(known) else {
        return Ok(None);
    };
    let restoration = begun(known, copied, when);
    let mut account = account(rules, &operator, &team, &restoration);
    let notes = succession.map(Succession::notes).unwrap_or_default();
    account.decided.notes.extend(notes);
    let request = copied.leaves.to_be_bytes();
    let (draft, opening) = LeafDraft::new(when, LeafClass::Gateway, account, &request, |label| {
        entropy.bytes(label)
    })?;
    let told = known.members().into_iter();
    let lists = told.map(List::AuditConcerned).chain([List::Operator]);
    let (of, item) = (Aggregate::Settings, singleton("restoration"));
    let sealed = keys.fact(&of, item, &Record::Restoration(restoration))?;
    let mut writes = vec![Write::Fact { of, item, sealed }];
    writes.extend(lists.map(|list| Write::List {
        list,
        at: 0,
        item: draft.id(),
    }));
    let sealed = keys.opening(draft.id(), &opening)?;
    let hash: [u8; 32] = Sha256::digest(sealed.sealed().ciphertext()).into();
    Ok(Some(Decision {
        value: Ruled {
            answer: Answer::Restored,
            opening,
            counterfoil: None,
        },
        read: known.read.clone(),
        leaf: draft.with_sealed(&hash),
        opening: sealed,
        writes,
        replay: None,
        urgent: true,
        unused: keys.unused(),
    }))
}

/// To whom the entry is put down: the operator; if the copy has lost what it held of the operator,
/// the first who may approve.
fn operator(known: &Known) -> Option<(OrgId, TeamId)> {
    let mut operators = known.organisations.values();
    let found = operators.find(|one| one.kind == OrgKind::Operator);
    let found = found.and_then(|one| Some((one.id.clone(), one.teams.first()?.id.clone())));
    found.or_else(|| {
        let first = known.approvers.first.first().map(|(id, _)| id.clone());
        let member = first.or_else(|| known.members().into_iter().next())?;
        Some((member, TeamId::parse("gateway").ok()?))
    })
}

fn account(rules: &Rules, operator: &OrgId, team: &TeamId, begun: &Restoration) -> Account {
    Account {
        who: Who {
            organisation: operator.clone(),
            team: team.clone(),
            user: "restore".to_owned(),
            role: "operator_admin".to_owned(),
            certificate: [0; 32],
            asserted: false,
        },
        why: Why {
            purpose: "administration".to_owned(),
            reason: Some("restored-from-a-copy".to_owned()),
            case: None,
        },
        what: What {
            action: "restore".to_owned(),
            object: None,
            asked: Vec::new(),
        },
        decided: Decided {
            outcome: Outcome::Permit,
            told: Answer::Restored.told().to_owned(),
            rule: String::new(),
            policy: rules.policies.hash(),
            subject: None,
            object: None,
            consents: Vec::new(),
            basis: None,
            relationship: None,
            firewall: None,
            disclosed: Vec::new(),
            // A log entry concerns at most so many; the others see it as the operator's.
            concerned: begun.waiting.iter().take(60).cloned().collect(),
            sources: 0,
            notes: vec![
                OPERATOR.to_owned(),
                format!("entries-in-the-copy-{}", begun.leaves),
                format!("withdrawals-missing-since-{}", begun.since.rfc3339()),
                format!("waits-for-{}", begun.waiting.len()),
            ],
        },
    }
}

#[cfg(test)]
mod tests;
