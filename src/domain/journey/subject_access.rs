//! She asks, at any service, what is held about her (3.11): the request is taken and followed, and
//! each who holds something is asked for its own part.
//!
//! The reply to whoever takes it is the same whatever is held, by whomever; what it is told later
//! follows from its own steps and the time. Who was asked is opened for her alone, with the report
//! ([`delivering`]); what each says, [`replying`].

pub mod delivering;
pub mod erasing;
pub mod replying;

use std::collections::BTreeMap;

use crate::domain::alias::AliasKind;
use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::codes::{
    AccessRefusal, AccessState, AccessStep, DataClass, IdentityProof, MoreTimeReason, PauseReason,
    Requester,
};
use crate::domain::decision::{Aggregate, Decision, List, Listed, PartRef, Write};
use crate::domain::firewall::hold::{Unread, read};
use crate::domain::firewall::{Screening, Stage, Supplied, Text, screen};
use crate::domain::id::{Id, OrgId, PersonId, SubjectAccessId};
use crate::domain::known::Known;
use crate::domain::other_party::{Asker, may_be_asking};
use crate::domain::person::{FieldError, TaggedToken, keys_of};
use crate::domain::policy::Ask;
use crate::domain::record::{PersonRecord, Record, singleton};
use crate::domain::refusal::Refusal;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::{Keys, Payload};
use crate::domain::subject_access::{
    AccessAsk, AccessClock, Ended, Intake, Pause, RECEIVED_DAYS_MAX, STEPS_MAX, SeenAccess,
    SubjectAccess,
};
use crate::domain::time::When;

use super::{Stop, caller, permit};

/// Organisations that one request asks; more than these hold nothing about one person.
const ASKED_MAX: usize = 48;
/// In the list of requests, the open ones come first.
const OPEN: u64 = 0;
const DONE: u64 = 1;
/// An explanation, in characters.
pub const EXPLANATION_CHARS_MAX: usize = 1_000;

/// What the worker wrote down.
pub struct Taking {
    pub tokens: Vec<TaggedToken>,
    pub intake: Intake,
    /// Who asks for her, if a parent or a deputy does.
    pub asking: Option<Asker>,
    /// When she asked; earlier than now if she asked on paper.
    pub received_at: When,
}

/// Takes a request. Those who hold something are asked at once, if it is proved that it is she.
pub fn take(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    taking: &Taking,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    match decide_take(&mut ruling, known, taking) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide_take(ruling: &mut Ruling<'_>, known: &Known, taking: &Taking) -> Result<Answer, Stop> {
    may(ruling, known)?;
    let attempt = ruling.attempt();
    let now = attempt.when;
    let mut wrong = taking.intake.check();
    if taking.received_at > now || taking.received_at < now.plus_days(-RECEIVED_DAYS_MAX) {
        wrong.push(FieldError {
            field: "received_at",
            message: "give the time at which she asked: within the last 90 days",
        });
    }
    match (taking.intake.requester, &taking.asking) {
        (Requester::ParentGuardian | Requester::Deputy, None) => wrong.push(FieldError {
            field: "requester_identity",
            message: "say who asks for her, as you saw it proved",
        }),
        (Requester::Herself, Some(_)) => wrong.push(FieldError {
            field: "requester_identity",
            message: "who asks for herself is named once; leave it out",
        }),
        (Requester::Herself | Requester::Solicitor, None)
        | (Requester::ParentGuardian | Requester::Deputy | Requester::Solicitor, Some(_)) => {}
    }
    // "In hand" must never be said of what could find nobody. It tells of what was asked, not of her.
    if keys_of(&taking.tokens).next().is_none() {
        wrong.push(FieldError {
            field: "identity",
            message: "give her NHS number, or both names with her date of birth or where she is \
                      reached",
        });
    }
    if !wrong.is_empty() {
        return Err(Stop::Refuse(Refusal::CheckYourAnswers(wrong)));
    }
    ruling.looks_up(&taking.tokens);
    ruling.reason(taking.intake.requester.code());
    ruling.note(taking.intake.delivery.code());
    let id = SubjectAccessId(attempt.entropy.id("subject access"));
    let mut request = SubjectAccess {
        id,
        taken_by: attempt.organisation().clone(),
        team: attempt.peer.name().team.clone(),
        taker: attempt.user.as_str().to_owned(),
        tokens: taking.tokens.clone(),
        intake: taking.intake.clone(),
        asking: taking.asking.clone(),
        clock: AccessClock {
            received_at: taking.received_at,
            proved_at: None,
            pauses: Vec::new(),
            more_time: false,
        },
        asked_at: None,
        asked: Vec::new(),
        steps: Vec::new(),
        explanations: Vec::new(),
        ended: None,
    };
    let by = attempt.user.as_str();
    request.stepped(taking.received_at, by, AccessStep::Received);
    if let Some(proof) = taking.intake.proof {
        ruling.note(proof.code());
        // Proved in her presence when she asked, whenever it was written down.
        request.clock.proved_at = Some(taking.received_at);
        request.stepped(now, by, AccessStep::IdentityProved);
        ask_holders(ruling, known, &mut request);
    }
    let own = List::SubjectAccess(request.taken_by.clone());
    ruling.list(own, OPEN, id.id());
    save(ruling, &request);
    let outward = outward(ruling, id);
    ruling.made(outward);
    ruling.object(Some(outward), Some(id.id()));
    Ok(seen(ruling, "subject-access-taken", &request))
}

/// What happened with a request since.
pub struct Stepping {
    pub step: AccessStep,
    pub proof: Option<IdentityProof>,
    pub more_time: Option<MoreTimeReason>,
    pub ground: Option<AccessRefusal>,
    /// For her, and for the ICO if she complains.
    pub explanation: Option<Unread>,
}

/// Follows a request: identity is proved, she is asked what she means, it takes longer, or it is
/// refused. Known outside as `alias`.
pub fn step(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    alias: Id,
    stepping: &Stepping,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    ruling.reason(stepping.step.code());
    match decide_step(&mut ruling, known, alias, stepping) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide_step(
    ruling: &mut Ruling<'_>,
    known: &Known,
    alias: Id,
    stepping: &Stepping,
) -> Result<Answer, Stop> {
    let ask = may(ruling, known)?;
    let attempt = ruling.attempt();
    let now = attempt.when;
    let request = own_request(ruling, known, alias).ok_or(Stop::Nothing("no such request"))?;
    ruling.looks_up(&request.tokens);
    if request.ended.is_some() || request.steps.len() >= STEPS_MAX {
        return Err(Stop::Refuse(Refusal::AlreadyAnswered));
    }
    let mut request = request.clone();
    let proved = request.clock.proved_at.is_some();
    let asked_her = request.clock.paused() == Some(PauseReason::Clarification);
    let already = Stop::Refuse(Refusal::AlreadyAnswered);
    match stepping.step {
        AccessStep::IdentityProved => {
            let proof = stepping
                .proof
                .ok_or(wrong("proof", "say how it was proved"))?;
            if proved {
                return Err(already);
            }
            ruling.note(proof.code());
            request.intake.proof = Some(proof);
            request.clock.proved_at = Some(now);
            request.clock.pauses.push(Pause {
                from: request.clock.received_at,
                to: Some(now),
                reason: PauseReason::Identity,
            });
            ask_holders(ruling, known, &mut request);
        }
        AccessStep::IdentityNotProved if proved => return Err(already),
        AccessStep::IdentityNotProved => {}
        AccessStep::ClarificationAsked if !proved || asked_her => return Err(already),
        AccessStep::ClarificationAsked => request.clock.pauses.push(Pause {
            from: now,
            to: None,
            reason: PauseReason::Clarification,
        }),
        AccessStep::Clarified if !asked_her => return Err(already),
        AccessStep::Clarified => {
            let open = request.clock.pauses.iter_mut();
            for pause in open.filter(|pause| pause.to.is_none()) {
                pause.to = Some(now);
            }
        }
        AccessStep::MoreTime if !proved || request.clock.more_time => return Err(already),
        AccessStep::MoreTime => {
            let why = stepping.more_time;
            let why = why.ok_or(wrong("because", "say why: complex or many_requests"))?;
            ruling.note(why.code());
            explain(
                ruling,
                ask,
                &mut request,
                stepping.explanation.as_ref(),
                true,
            )?;
            request.clock.more_time = true;
        }
        AccessStep::Refused => {
            let ground = stepping.ground;
            let ground = ground.ok_or(wrong("ground", "say on which ground"))?;
            ruling.note(ground.code());
            explain(
                ruling,
                ask,
                &mut request,
                stepping.explanation.as_ref(),
                true,
            )?;
            request.ended = Some(Ended::Refused(now, ground));
            settle(ruling, &request.taken_by, request.id);
            erasing::put_down(ruling, request.id);
            // Nothing is asked of them any more.
            for holder in &request.asked {
                settle(ruling, holder, AccessAsk::id_of(request.id, holder));
            }
        }
        AccessStep::Received | AccessStep::Delivered => {
            return Err(wrong("step", "this is written down by what does it"));
        }
    }
    request.stepped(now, attempt.user.as_str(), stepping.step);
    save(ruling, &request);
    if stepping.step == AccessStep::IdentityNotProved {
        // Who cannot prove it is told what everybody is told of whom nothing is held.
        return Err(Stop::Nothing("identity-not-proved"));
    }
    Ok(seen(ruling, "subject-access-moved", &request))
}

/// What the caller's organisation took and what it is asked for, the open ones first.
pub fn list(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    entries: &[Listed],
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    if let Err(stop) = may(&mut ruling, known) {
        return ruling.stop(stop);
    }
    let seen = entries
        .iter()
        .filter_map(|entry| seen_by(&ruling, known, SubjectAccessId(entry.item)))
        .collect();
    ruling.finish(Answer::AccessList(seen))
}

/// Those of the caller's organisation that are late, or will be within a week: for its
/// information-governance officer, who need not have asked.
pub fn pressing(ruling: &Ruling<'_>, known: &Known) -> Vec<SeenAccess> {
    let (rules, now) = (ruling.rules(), ruling.attempt().when);
    let taken = known.accesses.values();
    let taken = taken.filter(|request| request.is_pressing(&rules.clock, now));
    let taken = taken.map(|request| request.id);
    let asked = known.access_asks.values();
    let asked = asked.filter(|ask| !ask.has_answered()).map(|ask| ask.id);
    let all = taken.chain(asked);
    all.filter_map(|id| seen_by(ruling, known, id))
        .filter(|seen| !seen.tells() || seen.overdue)
        .collect()
}

/// One request as the caller's organisation sees it, if it took it or is asked for something.
fn seen_by(ruling: &Ruling<'_>, known: &Known, id: SubjectAccessId) -> Option<SeenAccess> {
    let (rules, now) = (ruling.rules(), ruling.attempt().when);
    let own = ruling.attempt().organisation();
    let code = &*rules.clock;
    let taken = known.accesses.get(&id);
    if let Some(request) = taken.filter(|request| request.taken_by == *own) {
        let name = outward(ruling, id);
        return Some(SeenAccess::taken(
            "subject-access",
            name,
            request,
            code,
            now,
        ));
    }
    let ask = known.access_asks.get(&id);
    let ask = ask.filter(|ask| ask.holder == *own)?;
    let request = known.accesses.get(&ask.request);
    let refused = request.is_some_and(|one| matches!(one.ended, Some(Ended::Refused(..))));
    (!refused).then(|| asked(ruling, known, "subject-access", ask))
}

/// What the holder sees of what it is asked.
fn asked(ruling: &Ruling<'_>, known: &Known, told: &'static str, ask: &AccessAsk) -> SeenAccess {
    let aliases = ruling.aliases();
    let people = ask.people.iter();
    let people = people.map(|person| aliases.outward(AliasKind::Person, person.id()));
    let at = (&*ruling.rules().clock, ruling.attempt().when);
    SeenAccess::asked(
        told,
        |id| aliases.outward(AliasKind::SubjectAccess, id),
        people.collect(),
        ask,
        known.accesses.get(&ask.request),
        at,
    )
}

/// Whoever may do this at all, with a question about nobody. What is wrong with her is said before
/// anything is looked for.
fn may(ruling: &mut Ruling<'_>, known: &Known) -> Result<Ask, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    let ask = caller.ask(attempt, caller.as_recipient());
    permit(ruling, &ask, ())?;
    Ok(ask)
}

/// Puts the request before each organisation that certainly holds something about her, apart from
/// those that she does not want asked. It is asked of its own people, as of this day.
fn ask_holders(ruling: &mut Ruling<'_>, known: &Known, request: &mut SubjectAccess) {
    let now = ruling.attempt().when;
    request.asked_at = Some(now);
    if !may_be_given(known, request) {
        ruling.note("nothing-may-be-given");
        return;
    }
    let mut holders: BTreeMap<OrgId, (Vec<PersonId>, Vec<TaggedToken>)> = BTreeMap::new();
    for person in known.certain(None, &request.tokens) {
        let found = known.people.get(&person);
        let Some(record) = found.and_then(|found| found.record.as_ref()) else {
            continue;
        };
        if is_open_to(request, record) && !request.intake.not_asked.contains(&record.organisation) {
            let of = holders.entry(record.organisation.clone()).or_default();
            of.0.push(person);
            of.1.extend(record.tokens.iter().copied());
        }
    }
    if holders.len() > ASKED_MAX {
        ruling.note("asked-max");
    }
    for (holder, (people, tokens)) in holders.into_iter().take(ASKED_MAX) {
        let ask = AccessAsk {
            id: AccessAsk::id_of(request.id, &holder),
            request: request.id,
            holder: holder.clone(),
            people,
            tokens,
            since: now.day_began(),
            reply: None,
        };
        ruling.list(List::SubjectAccess(holder.clone()), OPEN, ask.id.id());
        save_ask(ruling, &ask);
        request.asked.push(holder);
    }
}

/// Whether anything may be handed out at all: by what was written down of who asks, and by what any
/// referral of hers says of the other party. Whoever took the request never learns which.
fn may_be_given(known: &Known, request: &SubjectAccess) -> bool {
    let asking = request.asking.as_ref();
    let is_other_party = asking.is_some_and(|who| may_be_asking(known, &request.tokens, who));
    request.intake.may_be_given() && !is_other_party
}

/// Whether a record is open to who asks: a parent is given nothing of what was said of the child under
/// another parent.
fn is_open_to(request: &SubjectAccess, record: &PersonRecord) -> bool {
    let of_parent = record.parent.as_ref();
    match (request.intake.requester, of_parent, &request.asking) {
        (Requester::ParentGuardian, Some(parent), Some(asking)) => parent.is(&asking.parent),
        (Requester::ParentGuardian, Some(_), None) => false,
        (Requester::ParentGuardian, None, _)
        | (Requester::Herself | Requester::Solicitor | Requester::Deputy, _, _) => true,
    }
}

/// Seals an explanation to the organisation that gives it, until she is given it.
fn explain(
    ruling: &mut Ruling<'_>,
    ask: Ask,
    request: &mut SubjectAccess,
    explanation: Option<&Unread>,
    needed: bool,
) -> Result<Option<PartRef>, Stop> {
    let Some(text) = explanation.filter(|text| text.chars() > 0) else {
        return if needed {
            Err(Stop::Refuse(Refusal::ExplanationNeeded))
        } else {
            Ok(None)
        };
    };
    if text.chars() > EXPLANATION_CHARS_MAX {
        return Err(wrong("explanation", "at most 1,000 characters"));
    }
    let attempt = ruling.attempt();
    let screened = read(ruling.rules(), attempt, text)
        .map_err(|holds| Stop::Refuse(Refusal::ImmigrationContentFound(holds)))?;
    let item = attempt.entropy.id("explanation");
    let mut payload = Payload::default();
    payload.add(DataClass::Ft, item, screened.bytes());
    let question = Ask {
        classes: vec![DataClass::Ft],
        own: true,
        ..ask
    };
    let permitted = permit(ruling, &question, payload)?;
    let of = Aggregate::SubjectAccess(request.id);
    ruling.payload(&of, &screen(permitted, OWN_WORDS));
    request.explanations.push(item);
    Ok(Some(PartRef {
        of,
        item,
        class: DataClass::Ft,
    }))
}

/// What an organisation itself wrote, which the screen has read.
const OWN_WORDS: Screening = Screening {
    stage: Stage::Accept,
    supplied: Supplied::ByRecipient,
    text: Text::Clear,
};

/// The request of this alias, if the caller's organisation took it.
fn own_request<'a>(
    ruling: &mut Ruling<'_>,
    known: &'a Known,
    alias: Id,
) -> Option<&'a SubjectAccess> {
    let inward = ruling.aliases().inward(AliasKind::SubjectAccess, alias);
    ruling.object(Some(alias), Some(inward));
    let own = ruling.attempt().organisation();
    let found = known.accesses.get(&SubjectAccessId(inward));
    found.filter(|request| request.taken_by == *own)
}

fn seen(ruling: &Ruling<'_>, told: &'static str, request: &SubjectAccess) -> Answer {
    Answer::Access(Box::new(seen_now(ruling, told, request)), None)
}

/// As who took it sees it now.
fn seen_now(ruling: &Ruling<'_>, told: &'static str, request: &SubjectAccess) -> SeenAccess {
    let name = outward(ruling, request.id);
    let (code, now) = (&*ruling.rules().clock, ruling.attempt().when);
    SeenAccess::taken(told, name, request, code, now)
}

fn outward(ruling: &Ruling<'_>, id: SubjectAccessId) -> Id {
    let aliases = ruling.aliases();
    aliases.outward(AliasKind::SubjectAccess, id.id())
}

fn save(ruling: &mut Ruling<'_>, request: &SubjectAccess) {
    ruling.fact(
        Aggregate::SubjectAccess(request.id),
        singleton("subject access"),
        &Record::SubjectAccess(request.clone()),
    );
}

fn save_ask(ruling: &mut Ruling<'_>, ask: &AccessAsk) {
    ruling.fact(
        Aggregate::SubjectAccess(ask.id),
        singleton("access ask"),
        &Record::AccessAsk(ask.clone()),
    );
    if ask.state() == AccessState::RepliesIn {
        settle(ruling, &ask.holder, ask.id);
    }
}

/// Behind those that are open.
fn settle(ruling: &mut Ruling<'_>, of: &OrgId, id: SubjectAccessId) {
    let list = List::SubjectAccess(of.clone());
    ruling.write(Write::Unlist {
        list: list.clone(),
        item: id.id(),
    });
    ruling.list(list, DONE, id.id());
}

fn wrong(field: &'static str, message: &'static str) -> Stop {
    Stop::Refuse(Refusal::CheckYourAnswers(vec![FieldError {
        field,
        message,
    }]))
}

#[cfg(test)]
mod tests;
