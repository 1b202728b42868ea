//! Who may change what (P11): a widening is proposed by one and approved by a second person of
//! another organisation; a narrowing takes one person, at once.
//!
//! Nothing here lets an organisation widen what is its own, and no proposal changes anything
//! before it is approved.

mod changes;
pub mod founding;
pub mod holding;
mod narrowed;
mod own_services;
mod own_staff;
mod revising;
pub mod standing_in;
mod texts;

#[cfg(test)]
pub use changes::member_fact;
pub use own_services::{OwnWord, say_meets};
pub use own_staff::{OwnCertificate, Renewal, issue_own, renew_own, renewable};

use crate::domain::alias::AliasKind;
use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::codes::{Action, OrgKind, Role};
use crate::domain::decision::{Aggregate, Decision, List, Listed};
use crate::domain::governance::{
    Approval, Narrowing, PROPOSAL_DAYS_MAX, PROPOSALS_OPEN_MAX, Proposal, Widening,
};
use crate::domain::id::{Id, ProposalId};
use crate::domain::known::Known;
use crate::domain::person::FieldError;
use crate::domain::record::{Record, singleton};
use crate::domain::refusal::Refusal;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;

use super::{Caller, Stop, caller, permit};

/// A refusal of one field of the caller's own input.
fn wrong(field: &'static str, message: &'static str) -> Stop {
    Stop::Refuse(Refusal::CheckYourAnswers(vec![FieldError {
        field,
        message,
    }]))
}

/// Proposes a change that lets more through. It changes nothing yet.
pub fn propose(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    widening: &Widening,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    match decide_proposal(&mut ruling, known, widening) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide_proposal(
    ruling: &mut Ruling<'_>,
    known: &Known,
    widening: &Widening,
) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    ruling.reason(widening.code());
    permit(ruling, &caller.ask(attempt, caller.as_recipient()), ())?;
    let own = attempt.organisation();
    if widening.seal().is_some() && attempt.role != Role::IgOfficer {
        return Err(Stop::Refuse(Refusal::RoleNotAllowed {
            role: attempt.role.code(),
        }));
    }
    let mut widening = holding::inward(widening, ruling.aliases());
    check(ruling, known, &widening)?;
    let mut pages = None;
    if let Widening::Revise(revision) = &mut widening {
        pages = Some(revising::weigh(revision, ruling.rules(), known)?);
    }
    let waiting = known
        .proposals
        .values()
        .filter(|proposal| proposal.proposed_by == *own && proposal.waits(attempt.when));
    if waiting.count() >= PROPOSALS_OPEN_MAX {
        return Err(Stop::Refuse(Refusal::SlowDown {
            retry_after_s: 3_600,
        }));
    }
    let id = ProposalId(attempt.entropy.id("proposal"));
    changes::name_agreements(&mut widening, &attempt.entropy);
    let proposal = Proposal {
        id,
        widening,
        proposed_by: own.clone(),
        proposed_user: attempt.user.as_str().to_owned(),
        proposed_at: attempt.when,
        until: attempt.when.plus_days(PROPOSAL_DAYS_MAX),
        approved: None,
    };
    ruling.concerns(proposal.widening.organisation());
    if let Some((of, item, record)) = pages {
        ruling.fact(of, item, &record);
    }
    ruling.fact(
        Aggregate::Proposal(id),
        singleton("proposal"),
        &Record::Proposal(proposal),
    );
    ruling.list(List::Proposals, 0, id.id());
    let outward = ruling.aliases().outward(AliasKind::Proposal, id.id());
    ruling.made(outward);
    ruling.object(Some(outward), Some(id.id()));
    Ok(Answer::Proposed(ProposalId(outward)))
}

/// First whether it would let immigration enforcement in (F1), then whether it makes sense.
fn check(ruling: &mut Ruling<'_>, known: &Known, widening: &Widening) -> Result<(), Stop> {
    if changes::names_immigration_enforcement(widening) {
        ruling.firewall("F1", "op");
        return Err(Stop::Refuse(Refusal::NotEnrollable));
    }
    changes::check(widening, known, ruling.attempt().when)
        .map_err(|fields| Stop::Refuse(Refusal::CheckYourAnswers(fields)))
}

/// Approves the proposal known outside as `alias`, and makes its change, in one decision.
pub fn approve(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    alias: Id,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    let inward = ruling.aliases().inward(AliasKind::Proposal, alias);
    ruling.object(Some(alias), Some(inward));
    match decide_approval(&mut ruling, known, ProposalId(inward), alias) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide_approval(
    ruling: &mut Ruling<'_>,
    known: &Known,
    id: ProposalId,
    alias: Id,
) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    let own = attempt.organisation();
    let mut question = caller.ask(attempt, caller.as_recipient());
    let shown = known
        .proposals
        .get(&id)
        .filter(|proposal| shown_to(&caller, known, attempt, proposal));
    let Some(proposal) = shown else {
        // A proposal that is not hers to see is worded as one that does not exist, to those only
        // who might see one.
        question.action = Action::ReadProposals;
        permit(ruling, &question, ())?;
        return Err(Stop::Refuse(Refusal::NotFound));
    };
    ruling.reason(proposal.widening.code());
    question.proposer = Some(proposal.proposed_by.clone());
    permit(ruling, &question, ())?;
    // Policy sees to it that she is of another organisation than the proposer's. That of which the
    // change is would approve in its own interest.
    if proposal.widening.organisation() == own {
        return Err(Stop::Refuse(Refusal::SecondOrganisationNeeded));
    }
    if proposal.approved.is_some() {
        return Err(Stop::Refuse(Refusal::AlreadyAnswered));
    }
    if !proposal.waits(attempt.when) {
        return Err(wrong(
            "proposal",
            "nobody approved this in time; propose it again",
        ));
    }
    // The facts may have moved since it was proposed.
    check(ruling, known, &proposal.widening)?;
    ruling.concerns(proposal.widening.organisation());
    ruling.concerns(&proposal.proposed_by);
    if let (Widening::GoOnWithout { .. }, Some(found)) = (&proposal.widening, &known.restoration) {
        // Everyone sees that another's were not waited for.
        let done = found.reconciled.iter().map(|(id, _)| id);
        for organisation in found.waiting.iter().chain(done) {
            ruling.concerns(organisation);
        }
    }
    if let Some(revision) = proposal.widening.revision() {
        // Everyone sees that the rules changed.
        for member in known.members() {
            ruling.concerns(&member);
        }
        let rules = ruling.rules();
        for (of, item, record) in revising::adopt(revision, id, rules, known, attempt.when)? {
            ruling.fact(of, item, &record);
        }
    }
    let by = proposal.proposed_user.as_str();
    for (of, item, record) in changes::widened(&proposal.widening, known, attempt.when, by) {
        ruling.fact(of, item, &record);
    }
    if let Some(hold) = proposal.widening.hold() {
        holding::apply(ruling, known, hold);
    }
    // The secret is now the user's; the proposal keeps no copy.
    let approved = Proposal {
        widening: proposal.widening.without_secret(),
        approved: Some(Approval {
            organisation: own.clone(),
            user: attempt.user.as_str().to_owned(),
            at: attempt.when,
        }),
        ..proposal.clone()
    };
    ruling.fact(
        Aggregate::Proposal(id),
        singleton("proposal"),
        &Record::Proposal(approved),
    );
    Ok(Answer::Approved(ProposalId(alias)))
}

/// Whether the caller's organisation sees a proposal. Which services are enrolled is not for
/// police, or for a tainted team, to learn (F7), unless they were named at `init` as the first to
/// approve.
fn shown_to(caller: &Caller<'_>, known: &Known, attempt: &Attempt, proposal: &Proposal) -> bool {
    let own = attempt.organisation();
    let first = (own.clone(), attempt.user.as_str().to_owned());
    let kept_from = caller.kind() == OrgKind::Police || caller.actor.tainted;
    !kept_from
        || proposal.proposed_by == *own
        || proposal.widening.organisation() == own
        || known.approvers.first.contains(&first)
}

/// The proposals that the caller's organisation may see, in the order of `entries`.
pub fn proposals(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    entries: &[Listed],
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    let permitted = caller(known, attempt)
        .map_err(Stop::Refuse)
        .and_then(|caller| {
            permit(&mut ruling, &caller.ask(attempt, caller.as_recipient()), ())?;
            Ok(caller)
        });
    let caller = match permitted {
        Ok(caller) => caller,
        Err(stop) => return ruling.stop(stop),
    };
    let shown = entries
        .iter()
        .filter_map(|entry| known.proposals.get(&ProposalId(entry.item)))
        .filter(|proposal| shown_to(&caller, known, attempt, proposal))
        .map(|proposal| {
            let outward = ruling
                .aliases()
                .outward(AliasKind::Proposal, proposal.id.id());
            Proposal {
                id: ProposalId(outward),
                widening: proposal.widening.without_secret(),
                ..proposal.clone()
            }
        })
        .collect();
    ruling.finish(Answer::Proposals(shown))
}

/// Lets less through, at once: for the caller's own organisation, or for any by the operator.
pub fn narrow(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    narrowing: &Narrowing,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    match decide_narrowing(&mut ruling, known, narrowing) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide_narrowing(
    ruling: &mut Ruling<'_>,
    known: &Known,
    narrowing: &Narrowing,
) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    ruling.reason(narrowing.code());
    permit(ruling, &caller.ask(attempt, caller.as_recipient()), ())?;
    if !may_narrow(&caller, attempt, narrowing) {
        return Err(Stop::Refuse(Refusal::RoleNotAllowed {
            role: attempt.role.code(),
        }));
    }
    let by = attempt.user.as_str();
    let facts = narrowed::narrowed(narrowing, known, attempt.when, by)
        .map_err(|field| Stop::Refuse(Refusal::CheckYourAnswers(vec![field])))?;
    ruling.concerns(narrowing.organisation());
    for (of, item, record) in facts {
        ruling.fact(of, item, &record);
    }
    Ok(Answer::Narrowed)
}

fn may_narrow(caller: &Caller<'_>, attempt: &Attempt, narrowing: &Narrowing) -> bool {
    let of_operator = caller.kind() == OrgKind::Operator
        && matches!(attempt.role, Role::OperatorAdmin | Role::IgOfficer);
    narrowing.organisation() == attempt.organisation() || of_operator
}

#[cfg(test)]
mod tests;
