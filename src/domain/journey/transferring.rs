//! She moves to another area (3.3): the service that works with her hands her over to one that the
//! gateway picks, and is told only that it waits until somebody has accepted her.
//!
//! Neither the worker nor the log of the service that hands her over may learn which service was
//! asked, who declined or why; nothing here writes the area but into its own referral, and that is
//! forgotten.

mod moving_on;

pub use moving_on::{DONE_AT_ONCE, Due, KEYS, came_from, declined, due, taken, waits_again};

use zeroize::Zeroizing;

use crate::domain::alias::AliasKind;
use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::clock::{CodeClock, Urgency};
use crate::domain::codes::{
    Adjustment, ConsentDecision, ConsentStrength, DataClass, Direction, Interpreter, Need,
    ReferralStatus, ServiceFamily, TransferMode,
};
use crate::domain::consent::{Consent, Flow, Opens, Recipients};
use crate::domain::decision::{Aggregate, Counter, Decision, List, Write};
use crate::domain::firewall::{Screened, hold, screen};
use crate::domain::id::{ConsentId, Id, PersonId, ReferralId, ServiceId};
use crate::domain::known::Known;
use crate::domain::organisation::{Organisation, Service};
use crate::domain::person::{Evidence, FieldError, Identity, Person, SafeContact, Tier, tier};
use crate::domain::policy::{Ask, Relationship};
use crate::domain::record::{PersonReferral, Record, singleton};
use crate::domain::referral::{Operational, Referral, RiskSummary, UrgencyCode};
use crate::domain::refusal::Refusal;
use crate::domain::returns::Happened;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::{Keys, Payload};
use crate::domain::time::When;
use crate::domain::transfer::{
    AREAS_A_DAY_MAX, ASKED_DAYS_MAX, Carried, Handover, Lies, OVERLAP_DAYS_MAX, Route, fitting,
    lies,
};

use super::answering::{classes_of, erase_parts, relationship, save, unlist, withdrawals};
use super::consenting::{keep_consent, names_a_notice};
use super::counting;
use super::watching::day;
use super::withdrawing::stopped_by;
use super::{
    ACCEPTED, Caller, REFERRAL_PURPOSE, Stop, about_caller, caller, mark, permit, recipient,
};

/// What flows with a transfer, all of it on her new consent.
pub const MOVED_CLASSES: [DataClass; 4] =
    [DataClass::Op, DataClass::Id, DataClass::Loc, DataClass::Sp];

/// She is to be handed over. There is no address in it, old or new.
pub struct Move {
    /// GSS code of the borough, district or county that she moves to.
    pub area: String,
    pub family: ServiceFamily,
    pub mode: TransferMode,
    /// Until when both work with her.
    pub until: Option<When>,
    pub person: Person,
    pub identity: Identity,
    /// As she gave it for the new service.
    pub contact: SafeContact,
    pub language: Option<String>,
    /// Her word about the other area, asked for anew.
    pub consent: Consent,
    /// What she needs there; as before if it is not said.
    pub needs: Option<Vec<Need>>,
    pub urgency: Option<UrgencyCode>,
    pub risks: Vec<RiskSummary>,
    pub adjustments: Vec<Adjustment>,
}

/// Decides one transfer of the referral known outside as `alias`.
///
/// # Errors
/// [`BadRuling`].
pub fn transfer(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    alias: Id,
    moving: &Move,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    let inward = ruling.aliases().inward(AliasKind::Referral, alias);
    ruling.object(Some(alias), Some(inward));
    ruling.asked(&MOVED_CLASSES);
    match decide(&mut ruling, known, ReferralId(inward), alias, moving) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide(
    ruling: &mut Ruling<'_>,
    known: &Known,
    id: ReferralId,
    alias: Id,
    moving: &Move,
) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    let mut ask = caller.ask(attempt, caller.as_recipient());
    ask.relationship = Relationship::AcceptedFromAnother;
    // What is wrong with the caller and with what it sent comes first, and the same of everybody.
    about_caller(ruling, &ask)?;
    check(moving, attempt.when)?;
    names_a_notice(ruling, [&moving.consent])?;
    let candidates = candidates(known, attempt, moving)?;
    let contact = hold::read(ruling.rules(), attempt, &moving.contact);
    let contact = contact.map_err(Refusal::ImmigrationContentFound)?;

    let found = known.referrals.get(&id).filter(|referral| {
        referral.recipient == *attempt.organisation()
            && referral.recipient_team == attempt.peer.name().team
    });
    let Some(origin) = found else {
        return Err(Stop::Nothing("no such referral here"));
    };
    ruling.subject(&origin.tokens);
    let status = origin.status_at(attempt.when);
    if status != ReferralStatus::Accepted {
        return Err(match status {
            ReferralStatus::Closed => Stop::Refuse(Refusal::AlreadyAnswered),
            _ => Stop::Nothing("not accepted"),
        });
    }
    if origin.handover.as_ref().is_some_and(|over| !over.waits()) {
        return Err(Stop::Refuse(Refusal::AlreadyAnswered));
    }
    check_hers(origin, moving)?;

    ask.relationship = relationship(origin, attempt.when);
    ask.classes = classes(moving);
    ask.offence = Some(origin.operational.offence_group);
    let consent = addressed(&moving.consent, attempt, moving.family);
    let consent_id = ConsentId(attempt.entropy.id("consent"));
    let allowed = allowed(ruling, known, &caller, &ask, &consent, &candidates);
    let (Some((first, to)), next) = split(known, &allowed) else {
        return Err(nobody().into());
    };
    ask.recipient = recipient(to, &first.team, attempt);
    ask.consent = Some(state(known, to, &consent, attempt));
    let made = Made::new(attempt);
    let carried = Carried {
        risks: moving.risks.clone(),
        adjustments: moving.adjustments.clone(),
    };
    let mut payload = Payload::default();
    if let Ok(plain) = moving.identity.who.encode() {
        payload.add(DataClass::Id, made.identity, plain);
    }
    if let Ok(plain) = contact.encode() {
        payload.add(DataClass::Loc, made.contact, plain);
    }
    if let Some(language) = &moving.language {
        let plain = Zeroizing::new(language.clone().into_bytes());
        payload.add(DataClass::Ip, made.language, plain);
    }
    if !carried.is_empty() {
        payload.add(
            DataClass::Sp,
            made.carried,
            Zeroizing::new(carried.to_bytes()),
        );
    }
    let screened = screen(permit(ruling, &ask, payload)?, ACCEPTED);
    mark(ruling, &screened);

    let person = origin.recipient_person.unwrap_or(made.person);
    let onward = Referral {
        id: made.referral,
        journey: made.journey,
        sender: attempt.organisation().clone(),
        sender_team: attempt.peer.name().team.clone(),
        sender_user: attempt.user.as_str().to_owned(),
        sender_person: person,
        recipient: to.id.clone(),
        recipient_team: first.team.clone(),
        recipient_person: None,
        service: first.id.clone(),
        tokens: moving.person.tokens().to_vec(),
        operational: operational(origin, moving),
        consent: Some(consent_id),
        basis: None,
        purpose: REFERRAL_PURPOSE,
        offered_at: attempt.when,
        contact_by: contact_by(&ruling.rules().clock, urgency(origin, moving), attempt.when),
        due: None,
        details_passed_at: None,
        status: ReferralStatus::Offered,
        answered_at: None,
        accepted_by: None,
        decline_reason: None,
        outcomes: Vec::new(),
        withdrew_on: None,
        paused: None,
        updates: Vec::new(),
        identity_item: Some(made.identity),
        contact_item: Some(made.contact),
        note_item: None,
        language_item: moving.language.as_ref().map(|_| made.language),
        custody_key: None,
        resealed_item: None,
        contact_marks: ruling.rules().contact_marks(&moving.contact),
        contact_stopped: false,
        carried_item: (!carried.is_empty()).then_some(made.carried),
        other_party: origin.other_party.clone(),
        other_party_item: None,
        parent: origin.parent.clone(),
        handover: None,
        route: Some(Route {
            origin: origin.id,
            next,
            past: Vec::new(),
            answer_by: answer_by(&ruling.rules().clock, attempt.when),
        }),
        asking: None,
    };
    ruling.consent(consent_id.id());
    let given = Consent {
        id: consent_id,
        ..consent
    };
    keep_consent(ruling, person, &given);
    replace_earlier(ruling, known, origin);
    hand_over(ruling, known, origin, moving, onward.id);
    offer(ruling, known, onward, &given, &screened);
    ruling.write(Write::Count {
        counter: Counter::Moves {
            organisation: attempt.organisation().clone(),
            person,
            day: day(attempt.when),
        },
        by: 1,
        max: AREAS_A_DAY_MAX,
    });
    ruling.reason(moving.mode.code());
    Ok(Answer::TransferAsked {
        referral: ReferralId(alias),
    })
}

/// What is wrong with what was sent, whoever she is.
fn check(moving: &Move, now: When) -> Result<(), Refusal> {
    let consent = &moving.consent;
    let explicit = consent.decision == ConsentDecision::Permit
        && consent.strength == ConsentStrength::Explicit
        && consent.interpreter != Interpreter::Family;
    let covers = MOVED_CLASSES
        .iter()
        .all(|class| consent.classes.contains(class))
        && consent.purposes.contains(&REFERRAL_PURPOSE);
    if !explicit || !covers {
        return Err(Refusal::ConsentNeeded);
    }
    let mut wrong = Vec::new();
    let mut add = |field, message| wrong.push(FieldError { field, message });
    if consent.given_at.plus_days(ASKED_DAYS_MAX) <= now || consent.until <= now {
        add(
            "consent.given_at",
            "what she agreed to before does not count in another area; ask her now",
        );
    }
    match lies(&moving.area) {
        Lies::InEnglandOrWales => {}
        Lies::Elsewhere => add(
            "area",
            "this is not in England or Wales, where no service is on this gateway: telephone the \
             service there with her, and give her 0808 2000 247 (or 0800 027 1234 in Scotland, \
             0808 802 1414 in Northern Ireland)",
        ),
        Lies::Nowhere => add(
            "area",
            "give the GSS code of the borough, district or county, as E09000012; never an address",
        ),
    }
    match (moving.mode, moving.until) {
        (TransferMode::KeepBoth, None) => {
            add(
                "until",
                "say until when both work with her, at most 28 days",
            );
        }
        (TransferMode::KeepBoth, Some(until))
            if until <= now || now.plus_days(OVERLAP_DAYS_MAX) < until =>
        {
            add("until", "this must be within the next 28 days");
        }
        (TransferMode::HandOver | TransferMode::Close, Some(_)) => {
            add("until", "only for keep_both; leave it out");
        }
        (TransferMode::KeepBoth, Some(_))
        | (TransferMode::HandOver | TransferMode::Close, None) => {}
    }
    if moving.risks.iter().any(|risk| risk.assessed_at > now) {
        add("risk_history.assessed_at", "this is in the future");
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(Refusal::CheckYourAnswers(wrong))
    }
}

/// That the identity is of her whom the caller works with: another's would reach the next service.
/// And she was asked since the caller accepted her.
fn check_hers(origin: &Referral, moving: &Move) -> Result<(), FieldError> {
    let evidence = Evidence::between(&origin.tokens, moving.person.tokens());
    if tier(&evidence) == Tier::Never {
        return Err(FieldError {
            field: "identity",
            message: "this does not agree with the person of your referral; give her name, date \
                      of birth and NHS number as they were released to you",
        });
    }
    let accepted = origin.details_passed_at;
    if accepted.is_some_and(|accepted| moving.consent.given_at < accepted) {
        return Err(FieldError {
            field: "consent.given_at",
            message: "what she agreed to before does not count in another area; ask her now",
        });
    }
    Ok(())
}

/// The services that fit, by the gateway's own draw.
fn candidates(
    known: &Known,
    attempt: &Attempt,
    moving: &Move,
) -> Result<Vec<ServiceId>, FieldError> {
    let wanted = (attempt.organisation(), moving.area.as_str(), moving.family);
    let draw = |id: &ServiceId| attempt.entropy.bytes(&format!("draw {}", id.as_str()));
    let directory = &known.directory;
    let found = fitting(directory, &known.organisations, wanted, attempt.when, draw);
    if found.is_empty() {
        return Err(nobody());
    }
    Ok(found)
}

fn nobody() -> FieldError {
    FieldError {
        field: "area",
        message: "no service of this family takes referrals there through the gateway: telephone \
                  one with her, or the line of the whole country, 0808 2000 247",
    }
}

/// Those that policy allows her to be told to.
fn allowed(
    ruling: &mut Ruling<'_>,
    known: &Known,
    caller: &Caller<'_>,
    ask: &Ask,
    consent: &Consent,
    candidates: &[ServiceId],
) -> Vec<ServiceId> {
    let attempt = ruling.attempt();
    let mut allowed = Vec::new();
    for id in candidates {
        let service = known.directory.service(id);
        let runs = service.and_then(|service| known.organisations.get(&service.organisation));
        let Some((service, runs)) = service.zip(runs) else {
            continue;
        };
        let mut ask = ask.clone();
        ask.giver = Some(caller.kind());
        ask.recipient = recipient(runs, &service.team, attempt);
        ask.consent = Some(state(known, runs, consent, attempt));
        if permit(ruling, &ask, ()).is_ok() {
            allowed.push(id.clone());
        }
    }
    allowed
}

type First<'a> = Option<(&'a Service, &'a Organisation)>;

fn split<'a>(known: &'a Known, allowed: &[ServiceId]) -> (First<'a>, Vec<ServiceId>) {
    let Some((first, next)) = allowed.split_first() else {
        return (None, Vec::new());
    };
    let service = known.directory.service(first);
    let runs = service.and_then(|service| known.organisations.get(&service.organisation));
    (service.zip(runs), next.to_vec())
}

/// Her consent towards one of the services: what the caller sent and nothing that is stored, so that
/// a withdrawal elsewhere does not show (F8).
fn state(
    known: &Known,
    to: &Organisation,
    consent: &Consent,
    attempt: &Attempt,
) -> crate::domain::policy::ConsentState {
    let families = known.families(&to.id);
    let flow = Flow {
        holder: attempt.organisation(),
        recipient: &to.id,
        recipient_families: &families,
        classes: &MOVED_CLASSES,
        purpose: REFERRAL_PURPOSE,
        depth: None,
        now: attempt.when,
    };
    consent.state(&flow, &[], attempt.organisation())
}

/// The consent as recorded: to a service of the family. It names none, because the caller keeps it.
fn addressed(stated: &Consent, attempt: &Attempt, family: ServiceFamily) -> Consent {
    Consent {
        recorded_by: attempt.organisation().clone(),
        opens: Opens::Share,
        recipients: Recipients {
            organisations: Vec::new(),
            families: vec![family],
        },
        ..stated.clone()
    }
}

fn classes(moving: &Move) -> Vec<DataClass> {
    let mut classes = MOVED_CLASSES.to_vec();
    if moving.language.is_some() {
        classes.push(DataClass::Ip);
    }
    classes
}

fn urgency(origin: &Referral, moving: &Move) -> UrgencyCode {
    moving.urgency.unwrap_or(origin.operational.urgency)
}

/// What the next service sees before it accepts: codes of the old referral, with what has changed.
/// Whether she went to the police, and when, stays behind: nobody there needs it to answer.
fn operational(origin: &Referral, moving: &Move) -> Operational {
    let before = &origin.operational;
    let newest = moving.risks.iter().max_by_key(|risk| risk.assessed_at);
    Operational {
        direction: Direction::Transfer,
        reported_at: None,
        urgency: urgency(origin, moving),
        risk: newest.or(before.risk.as_ref()).cloned(),
        needs: moving.needs.clone().unwrap_or_else(|| before.needs.clone()),
        area: Some(moving.area.clone()),
        epr: None,
        ..before.clone()
    }
}

/// When she must have been contacted. A clock without the year's holidays counts plain days.
fn contact_by(clock: &CodeClock, urgency: UrgencyCode, now: When) -> When {
    let by = clock.contact_by(urgency.urgency(), now);
    by.unwrap_or(now.plus_days(1))
}

/// One working day, whatever the urgency (3.3).
fn answer_by(clock: &CodeClock, now: When) -> When {
    let by = clock.contact_by(Urgency::Standard, now);
    by.unwrap_or(now.plus_days(1))
}

/// An earlier request that nobody accepted gives way to this one; its keys go.
fn replace_earlier(ruling: &mut Ruling<'_>, known: &Known, origin: &Referral) {
    let earlier = origin.handover.as_ref().map(|over| over.onward);
    let Some(earlier) = earlier.and_then(|id| known.referrals.get(&id)) else {
        return;
    };
    // Also what a pause stands in the way of: it must not come back beside this one.
    if !earlier.waits_for_answer() {
        return;
    }
    erase_parts(ruling, known, earlier.id);
    unlist(ruling, earlier);
    let mut ended = earlier.clone();
    ended.paused = None;
    ended.status = ReferralStatus::Expired;
    save(ruling, &ended);
}

/// What becomes of the caller's own referral.
fn hand_over(
    ruling: &mut Ruling<'_>,
    known: &Known,
    origin: &Referral,
    moving: &Move,
    onward: ReferralId,
) {
    let now = ruling.attempt().when;
    let handover = Handover {
        mode: moving.mode,
        asked_at: now,
        until: moving.until,
        area: Some(moving.area.clone()),
        onward,
        taken_at: None,
    };
    counting::done(ruling, origin, Happened::MoveAsked);
    list_due(ruling, origin.id, handover.forgets_at());
    let mut origin = origin.clone();
    if moving.mode == TransferMode::Close {
        origin.status = ReferralStatus::Closed;
        erase_parts(ruling, known, origin.id);
        unlist(ruling, &origin);
    }
    origin.handover = Some(handover);
    save(ruling, &origin);
}

/// Offers her to the first service. Where a withdrawal is newer than her word it reaches nobody, and
/// becomes a task for the service that took the withdrawal; the caller is told the same.
fn offer(
    ruling: &mut Ruling<'_>,
    known: &Known,
    mut onward: Referral,
    consent: &Consent,
    screened: &Screened<Payload>,
) {
    let attempt = ruling.attempt();
    let tombstones = withdrawals(known, &onward);
    let older = tombstones.iter().filter(|no| no.at < consent.given_at);
    onward.withdrew_on = older.map(|no| no.at).max();
    let item = onward.id.id();
    ruling.fact(
        Aggregate::Person(onward.sender_person),
        item,
        &Record::PersonReferral(PersonReferral {
            referral: onward.id,
            sent: true,
            at: attempt.when,
        }),
    );
    let of = Aggregate::Referral(onward.id);
    let ends = [&onward.sender, &onward.recipient];
    match stopped_by(&tombstones, consent.given_at, ends, classes_of(&onward)) {
        Some(taken_by) => {
            ruling.note("stopped-by-withdrawal");
            ruling.concerns(&taken_by);
            ruling.list(List::Events(taken_by), 0, item);
            onward.status = ReferralStatus::Withdrawn;
        }
        None => {
            ruling.payload(&of, screened);
            ruling.concerns(&onward.recipient);
            let at = onward.contact_by.place();
            ruling.list(List::Inbox(onward.recipient.clone()), at, item);
            ruling.list(List::Events(onward.recipient.clone()), 0, item);
            counting::offered(ruling, &onward);
            if let Some(route) = &onward.route {
                list_due(ruling, onward.id, route.answer_by);
            }
        }
    }
    ruling.fact(of, singleton("referral"), &Record::Referral(onward));
}

fn list_due(ruling: &mut Ruling<'_>, referral: ReferralId, at: When) {
    ruling.list(List::TransfersDue, at.place(), referral.id());
}

/// Ids that this attempt makes.
struct Made {
    referral: ReferralId,
    journey: Id,
    person: PersonId,
    identity: Id,
    contact: Id,
    language: Id,
    carried: Id,
}

impl Made {
    fn new(attempt: &Attempt) -> Self {
        let entropy = &attempt.entropy;
        Self {
            referral: ReferralId(entropy.id("referral")),
            journey: entropy.id("journey"),
            person: PersonId(entropy.id("person")),
            identity: entropy.id("identity item"),
            contact: entropy.id("contact item"),
            language: entropy.id("language item"),
            carried: entropy.id("carried item"),
        }
    }
}

#[cfg(test)]
mod tests;
