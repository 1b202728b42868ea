//! The receiving service answers an offer: accept, decline, wait, close; and reads what it
//! accepted (3.2).

use crate::domain::alias::AliasKind;
use crate::domain::answer::{Answer, Release, parts};
use crate::domain::attempt::Attempt;
use crate::domain::codes::{
    Action, CloseOutcome, ConflictKind, Custody, DataClass, DeclineReason, OrgKind, ReferralStatus,
};
use crate::domain::consent::{Consent, Flow, Tombstone, best};
use crate::domain::decision::{Aggregate, Decision, List, Write};
use crate::domain::firewall::{Screened, screen};
use crate::domain::id::{Id, OrgId, PersonId, ReferralId};
use crate::domain::known::Known;
use crate::domain::organisation::Service;
use crate::domain::person::FieldError;
use crate::domain::policy::{Ask, ConsentState, Relationship};
use crate::domain::record::{PersonReferral, Record, singleton};
use crate::domain::referral::Referral;
use crate::domain::refusal::Refusal;
use crate::domain::returns::Happened;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling, Tie};
use crate::domain::seal::{Keys, Payload};
use crate::domain::time::When;

use zeroize::Zeroizing;

use super::counting;
use super::handing_back;
use super::linking::{self, Meeting};
use super::offering::{REFERRAL_CLASSES, going_on, write_person};
use super::transferring;
use super::{
    ACCEPTED, ONWARD_RULE_ACCEPTED, REFERRAL_PURPOSE, Stop, about_caller, caller, mark,
    onward_rule, permit,
};

/// What the receiving service does with an offer.
pub enum Response {
    Accept {
        worker: String,
        onward_rule_accepted: bool,
        /// Of an offer that a transfer made: nobody there has a link that endangers her.
        no_conflict: bool,
    },
    Decline {
        reason: DeclineReason,
    },
    Wait,
    Close {
        outcomes: Vec<CloseOutcome>,
    },
    /// Somebody there turns out to know her or the other party.
    HandBack {
        conflict: ConflictKind,
    },
    /// Opens again what was released to it.
    Read,
    /// Custody `own`: the box that what was released now lies in. Its item key is all that the
    /// gateway keeps; the keys of the parts are destroyed.
    Reseal {
        boxed: Vec<u8>,
    },
}

/// Decides one answer to the referral known outside as `alias`.
pub fn respond(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    alias: Id,
    response: &Response,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    let inward = ruling.aliases().inward(AliasKind::Referral, alias);
    ruling.object(Some(alias), Some(inward));
    ruling.asked(&REFERRAL_CLASSES);
    match decide(&mut ruling, known, ReferralId(inward), alias, response) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide(
    ruling: &mut Ruling<'_>,
    known: &Known,
    id: ReferralId,
    alias: Id,
    response: &Response,
) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    // What is wrong with the caller is said first, whatever there is, so that it is exact and the
    // same for every referral.
    let mut ask = caller.ask(attempt, caller.as_recipient());
    ask.relationship = Relationship::OfferedTo;
    about_caller(ruling, &ask)?;
    if let Response::Accept {
        onward_rule_accepted,
        ..
    } = response
    {
        onward_rule(*onward_rule_accepted)?;
    }
    let found = known
        .referrals
        .get(&id)
        .filter(|referral| referral.recipient == *attempt.organisation());
    let Some(referral) = found else {
        let passed_on = known.referrals.get(&id);
        let late = passed_on.filter(|one| one.was_passed_on_from(attempt.organisation()));
        let late = late.ok_or(Stop::Nothing("no such referral here"))?;
        // It is closed for who had it, whatever it is answered; who has her now is not said.
        ruling.subject(&late.tokens);
        bare(ruling, ask)?;
        return Ok(Answer::PassedOn(ReferralId(alias)));
    };
    ruling.subject(&referral.tokens);
    // That she was handed back tells that somebody is known there.
    let tells_sender = !matches!(response, Response::HandBack { .. });
    if tells_sender && referral.is_with_whom_it_was_sent() {
        // An officer of who handed her over must not learn from whose workers' entries where she is.
        ruling.concerns(&referral.sender);
    }
    ruling.concerns(&referral.recipient);
    if referral.recipient_team != attempt.peer.name().team {
        return Err(Stop::Nothing("another team's referral"));
    }
    let status = referral.status_at(attempt.when);
    ask.relationship = relationship(referral, attempt.when);
    ruling.relationship(ask.relationship.code());
    ask.giver = known
        .organisations
        .get(&referral.sender)
        .map(|sender| sender.kind);
    ask.offence = Some(referral.operational.offence_group);
    ask.basis = referral.basis;
    ask.consent = consent(known, referral, attempt.organisation(), attempt.when);
    if let Some(consent) = referral.consent {
        ruling.consent(consent.id());
    }
    if status == ReferralStatus::Withdrawn {
        return match response {
            Response::Read if referral.is_of_wrong_person() => {
                bare(ruling, ask)?;
                Ok(Answer::TakenBack(Box::new(referral.clone())))
            }
            _ => Err(Stop::Nothing("withdrawn")),
        };
    }
    if status == ReferralStatus::Expired || referral.ended_by_hand_back() {
        // Nobody is left: the last who was asked is told what those before it are told.
        bare(ruling, ask)?;
        return Ok(Answer::PassedOn(ReferralId(alias)));
    }
    match response {
        Response::Accept {
            worker,
            no_conflict,
            ..
        } => {
            refuse_if_answered(referral)?;
            if referral.route.is_some() && !no_conflict {
                return Err(FieldError {
                    field: "no_conflict",
                    message: "answer the question of the offer: send true, or decline with the \
                              reason conflict",
                }
                .into());
            }
            let screened = release(ruling, known, referral, &mut ask, caller.kind())?;
            counting::answered(ruling, referral, Happened::Accepted);
            let mut referral = referral.clone();
            take(ruling, known, &mut referral, worker);
            transferring::taken(ruling, known, &referral);
            save(ruling, &referral);
            Ok(Answer::Released(Box::new(referral), screened))
        }
        Response::Read => {
            if referral.is_transferred(attempt.when) {
                ruling.untied(Tie::Transferred);
                bare(ruling, ask)?;
                return Ok(Answer::HandedOver(Box::new(referral.clone())));
            }
            if status == ReferralStatus::Closed {
                ruling.untied(Tie::Closed);
            }
            if status != ReferralStatus::Accepted {
                return Err(Stop::Nothing("not accepted"));
            }
            let screened = release(ruling, known, referral, &mut ask, caller.kind())?;
            Ok(Answer::Released(Box::new(referral.clone()), screened))
        }
        Response::Reseal { boxed } => {
            if status != ReferralStatus::Accepted || referral.resealed_item.is_some() {
                return Err(Stop::Nothing("nothing to re-seal"));
            }
            ask.classes = vec![DataClass::Id];
            let item = attempt.entropy.id("resealed item");
            let mut payload = Payload::default();
            payload.add(DataClass::Id, item, Zeroizing::new(boxed.clone()));
            let screened = screen(permit(ruling, &ask, payload)?, ACCEPTED);
            mark(ruling, &screened);
            let mut referral = referral.clone();
            erase_parts(ruling, known, referral.id);
            ruling.payload(&Aggregate::Referral(referral.id), &screened);
            ruling.note("resealed-to-own-custody");
            referral.resealed_item = Some(item);
            save(ruling, &referral);
            Ok(Answer::Answered {
                referral: ReferralId(alias),
                status: referral.status,
            })
        }
        Response::Decline { reason } => {
            refuse_if_answered(referral)?;
            permit(ruling, &ask, ())?;
            counting::answered(ruling, referral, Happened::Declined(*reason));
            if referral.route.is_some() {
                // The next service is asked, and nobody is told why.
                transferring::declined(ruling, known, referral, *reason);
                return Ok(Answer::Answered {
                    referral: ReferralId(alias),
                    status: ReferralStatus::Declined,
                });
            }
            if !going_on::declined(ruling, known, referral, *reason) {
                going_on::ends(ruling, known, referral, *reason);
            }
            Ok(Answer::Answered {
                referral: ReferralId(alias),
                status: ReferralStatus::Declined,
            })
        }
        Response::Wait => {
            refuse_if_answered(referral)?;
            permit(ruling, &ask, ())?;
            counting::answered(ruling, referral, Happened::Waiting);
            let mut referral = referral.clone();
            referral.status = ReferralStatus::Waiting;
            referral.answered_at = Some(attempt.when);
            save(ruling, &referral);
            Ok(Answer::Answered {
                referral: ReferralId(alias),
                status: referral.status,
            })
        }
        Response::Close { outcomes } => {
            if status != ReferralStatus::Accepted {
                return Err(Stop::Refuse(Refusal::AlreadyAnswered));
            }
            permit(ruling, &ask, ())?;
            counting::done(ruling, referral, Happened::Closed);
            let mut referral = referral.clone();
            referral.status = ReferralStatus::Closed;
            referral.outcomes.clone_from(outcomes);
            erase_parts(ruling, known, referral.id);
            unlist(ruling, &referral);
            save(ruling, &referral);
            Ok(Answer::Answered {
                referral: ReferralId(alias),
                status: referral.status,
            })
        }
        Response::HandBack { conflict } => {
            if !referral.is_with_its_service(attempt.when) {
                return Err(Stop::Refuse(Refusal::AlreadyAnswered));
            }
            let until = referral.hand_back_until();
            if until.is_none_or(|until| until <= attempt.when) {
                return Err(Stop::Refuse(Refusal::HandBackOver));
            }
            permit(ruling, &ask, ())?;
            ruling.reason(conflict.code());
            counting::done(ruling, referral, Happened::HandedBack);
            handing_back::hand_back(ruling, known, referral);
            Ok(Answer::HandedBack(ReferralId(alias)))
        }
    }
}

/// That a referral has ended, and how: bare facts, to the service that it was offered to.
fn bare(ruling: &mut Ruling<'_>, mut ask: Ask) -> Result<(), Stop> {
    ask.action = Action::ReadReferralStatus;
    ask.relationship = Relationship::OfferedTo;
    permit(ruling, &ask, ()).map(|_| ())
}

/// What ties a receiving organisation to the person, by this referral.
pub fn relationship(referral: &Referral, now: When) -> Relationship {
    match referral.status_at(now) {
        ReferralStatus::Offered | ReferralStatus::Waiting => Relationship::OfferedTo,
        ReferralStatus::Accepted if referral.self_made() => Relationship::AcceptedOwn,
        ReferralStatus::Accepted => Relationship::AcceptedFromAnother,
        ReferralStatus::Declined
        | ReferralStatus::Closed
        | ReferralStatus::Withdrawn
        | ReferralStatus::Expired => Relationship::None,
    }
}

/// Her consent by which the service that a referral is with may be told who she is; the referral's own.
/// `asker` gives or takes it.
pub(super) fn consent(
    known: &Known,
    referral: &Referral,
    asker: &OrgId,
    now: When,
) -> Option<ConsentState> {
    referral.consent?;
    let person = known.people.get(&referral.sender_person)?;
    let consents = person.consents.iter();
    // What speaks of single assessments says nothing of a referral.
    let consents: Vec<&Consent> = consents.filter(|one| one.items.is_empty()).collect();
    let families = known.families(&referral.recipient);
    let flow = Flow {
        holder: &referral.sender,
        recipient: &referral.recipient,
        recipient_families: &families,
        classes: classes_of(referral),
        purpose: REFERRAL_PURPOSE,
        depth: None,
        now,
    };
    let tombstones = withdrawals(known, referral);
    best(&consents, &flow, &tombstones, asker).map(|(_, state)| state)
}

/// Whether her word still lets a referral go to a service, as it would be asked when that accepts her:
/// she may have said since that it must not.
pub(super) fn she_lets(known: &Known, referral: &Referral, service: &Service, now: When) -> bool {
    let mut there = referral.clone();
    there.recipient = service.organisation.clone();
    let state = consent(known, &there, &there.recipient, now);
    state.is_some_and(|state| state.live && state.covers)
}

/// Her withdrawals; of a transfer, also by what she was known by before.
pub(super) fn withdrawals<'a>(known: &'a Known, referral: &Referral) -> Vec<&'a Tombstone> {
    let mut found = known.withdrawals(&referral.tokens);
    let origin = referral.route.as_ref().map(|route| route.origin);
    if let Some(origin) = origin.and_then(|origin| known.referrals.get(&origin)) {
        found.extend(known.withdrawals(&origin.tokens));
    }
    found
}

/// What flows with a referral: her consent must cover it, and her no to any of it stops it.
pub(super) const fn classes_of(referral: &Referral) -> &'static [DataClass] {
    match referral.carried_item {
        Some(_) => &transferring::MOVED_CLASSES,
        None => &REFERRAL_CLASSES,
    }
}

fn refuse_if_answered(referral: &Referral) -> Result<(), Refusal> {
    if referral.open() {
        Ok(())
    } else {
        Err(Refusal::AlreadyAnswered)
    }
}

/// What may be opened for the accepting service: identity, safe contact, its note and language.
fn release(
    ruling: &mut Ruling<'_>,
    known: &Known,
    referral: &Referral,
    ask: &mut Ask,
    kind: OrgKind,
) -> Result<Screened<Release>, Stop> {
    let items: Vec<Id> = [
        referral.identity_item,
        referral.contact_item,
        referral.note_item,
        referral.language_item,
        referral.resealed_item,
        referral.carried_item,
        referral.other_party_item,
    ]
    .into_iter()
    .flatten()
    .collect();
    ask.classes = vec![
        DataClass::Op,
        DataClass::Id,
        DataClass::Loc,
        DataClass::Ip,
        DataClass::Ft,
    ];
    if referral.carried_item.is_some() {
        ask.classes.push(DataClass::Sp);
    }
    if referral.other_party_item.is_some() {
        ask.classes.push(DataClass::Perp);
    }
    let permitted = permit(ruling, ask, parts(known, &items))?;
    let screened = screen(permitted, ACCEPTED);
    mark(ruling, &screened);
    let mut classes: Vec<DataClass> = screened
        .value()
        .parts
        .iter()
        .map(|part| part.class)
        .collect();
    classes.sort_unstable();
    classes.dedup();
    ruling.disclosed(&classes);
    ruling.note(if kind.is_health() {
        "released-to-health"
    } else {
        "released"
    });
    // Accepted with the referral, by the worker who took it or in the agreement.
    ruling.note(ONWARD_RULE_ACCEPTED);
    Ok(screened)
}

/// The receiving organisation takes the referral: it gets its own record of the person, and the
/// Code's clock stops.
pub fn take(ruling: &mut Ruling<'_>, known: &Known, referral: &mut Referral, worker: &str) {
    let attempt = ruling.attempt();
    let parent = referral.parent.as_ref();
    let own = known.own_record_under(&referral.recipient, &referral.tokens, parent);
    let new = PersonId(attempt.entropy.id("recipient person"));
    let person = own.unwrap_or(new);
    referral.status = ReferralStatus::Accepted;
    referral.accepted_by = Some(worker.to_owned());
    referral.answered_at = Some(attempt.when);
    referral.details_passed_at = Some(attempt.when);
    referral.recipient_person = Some(person);
    referral.custody_key = known
        .organisations
        .get(&referral.recipient)
        .filter(|organisation| organisation.custody == Custody::Own)
        .and_then(|organisation| organisation.hpke_public_key);
    write_person(
        ruling,
        known,
        &referral.recipient.clone(),
        &referral.tokens,
        (own, new),
        referral.parent.as_ref(),
    );
    let meeting = Meeting {
        person,
        organisation: &referral.recipient,
        tokens: &referral.tokens,
        parent: referral.parent.as_ref(),
        asks: relationship(referral, attempt.when) == Relationship::AcceptedFromAnother,
        holds: false,
    };
    linking::meet(ruling, known, &meeting);
    ruling.fact(
        Aggregate::Person(person),
        referral.id.id(),
        &Record::PersonReferral(PersonReferral {
            referral: referral.id,
            sent: false,
            at: attempt.when,
        }),
    );
    if referral.route.is_none() {
        // The sender learns no more than "with a service".
        ruling.list(List::Events(referral.sender.clone()), 0, referral.id.id());
    }
}

/// Writes the referral as it now stands.
pub fn save(ruling: &mut Ruling<'_>, referral: &Referral) {
    let of = Aggregate::Referral(referral.id);
    ruling.fact(
        of,
        singleton("referral"),
        &Record::Referral(referral.clone()),
    );
}

/// Takes the referral off the receiving side's inbox.
pub fn unlist(ruling: &mut Ruling<'_>, referral: &Referral) {
    ruling.write(Write::Unlist {
        list: List::Inbox(referral.recipient.clone()),
        item: referral.id.id(),
    });
}

/// Destroys the keys of every part of a referral.
pub fn erase_parts(ruling: &mut Ruling<'_>, known: &Known, referral: ReferralId) {
    let of = Aggregate::Referral(referral);
    for part in known.parts.iter().filter(|part| part.of == of) {
        ruling.write(Write::Remove {
            of: of.clone(),
            item: part.item,
        });
    }
}
