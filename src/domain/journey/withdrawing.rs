//! She withdraws: at any service, without a reason, at once (3.4).

use crate::domain::alias::AliasKind;
use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::codes::{DataClass, Purpose, ReferralStatus, WithdrawalScope};
use crate::domain::consent::Tombstone;
use crate::domain::counterfoil::Word;
use crate::domain::decision::{Aggregate, Decision, List};
use crate::domain::id::{Id, OrgId, PersonId, ServiceId, WithdrawalId};
use crate::domain::known::Known;
use crate::domain::person::{FieldError, TaggedToken, Tier, keys_of};
use crate::domain::record::{Record, singleton};
use crate::domain::referral::Referral;
use crate::domain::refusal::Refusal;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;
use crate::domain::stop_use::{PAUSE_HOURS, Settled, Withdrawal};
use crate::domain::time::When;

use super::answering::{classes_of, erase_parts, save, unlist};
use super::offering::write_person;
use super::stop_use::{self, Reached};
use super::{REFERRAL_PURPOSE, Stop, caller, permit, sealed_items};

/// What she wants to stop.
#[derive(Clone, Debug)]
pub struct Wish {
    pub scope: WithdrawalScope,
    /// For scope `service`: who runs the services that she names. None, if one of them is no service
    /// here: she is not told that all of them are stopped when one is not.
    pub organisations: Vec<OrgId>,
    pub classes: Vec<DataClass>,
    pub purposes: Vec<Purpose>,
    /// How it was said: at the desk, by telephone, by her card.
    pub channel: String,
    /// She may be made to say it, or may be somebody else: in force at once, and over by itself unless
    /// it is confirmed (3.4). Nobody else can tell.
    pub pause: bool,
}

impl Wish {
    /// The same wish, with who runs the services that she named.
    #[must_use]
    pub fn naming(&self, known: &Known, services: &[ServiceId]) -> Self {
        let run = services.iter().map(|id| known.directory.service(id));
        let run = run.map(|service| service.map(|service| service.organisation.clone()));
        Self {
            organisations: run.collect::<Option<Vec<OrgId>>>().unwrap_or_default(),
            ..self.clone()
        }
    }

    /// Nobody is told of her, whoever she is, before what she wishes is understood.
    ///
    /// # Errors
    /// It names a service that is none: what was said to be in force would stop nothing.
    pub fn is_understood(&self) -> Result<(), Stop> {
        if self.scope == WithdrawalScope::Service && self.organisations.is_empty() {
            return Err(Stop::from(FieldError {
                field: "services",
                message: "nothing was withdrawn: one of these is no service here; check the names, \
                          or withdraw everything",
            }));
        }
        Ok(())
    }
}

/// Takes a withdrawal. The reply is the same whatever is known about her.
/// Only what would stop nothing, whoever she is, is refused.
pub fn withdraw(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    tokens: &[TaggedToken],
    wish: &Wish,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    let decided = may_take(&mut ruling, known)
        .and_then(|()| wish.is_understood())
        .and_then(|()| take(&mut ruling, known, tokens, wish));
    match decided {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

/// Any worker may; what is wrong with her is said first.
pub fn may_take(ruling: &mut Ruling<'_>, known: &Known) -> Result<(), Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    permit(ruling, &caller.ask(attempt, caller.as_recipient()), ()).map(|_| ())
}

/// Takes her word, from whoever may.
pub fn take(
    ruling: &mut Ruling<'_>,
    known: &Known,
    tokens: &[TaggedToken],
    wish: &Wish,
) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    // "In force" must never be said of what stops nothing: too little is known of her, or the
    // caller's own reference is none. It tells of what was asked, not of her.
    if keys_of(tokens).next().is_none() {
        return Err(Stop::Refuse(Refusal::CheckYourAnswers(vec![FieldError {
            field: "identity",
            message: "nothing was withdrawn: give her NHS number, or both names with her date of \
                      birth or where she is reached",
        }])));
    }
    ruling.subject(tokens);
    ruling.reason(wish.scope.code());
    let tombstone = Tombstone {
        at: attempt.when,
        until: wish.pause.then(|| attempt.when.plus_hours(PAUSE_HOURS)),
        taken_by: attempt.organisation().clone(),
        scope: wish.scope,
        organisations: wish.organisations.clone(),
        classes: wish.classes.clone(),
        purposes: wish.purposes.clone(),
        tokens: tokens.to_vec(),
    };
    let item = attempt.entropy.id("tombstone");
    stop_sharing(ruling, known, &tombstone, item, None);
    ruling.took(Word::Withdrew {
        tombstone,
        item,
        channel: wish.channel.clone(),
    });
    // Made whether or not it is a pause, so that the replies are alike.
    let outward = ruling.aliases().outward(AliasKind::Withdrawal, item);
    ruling.made(outward);
    ruling.object(Some(outward), None);
    Ok(Answer::TookWord {
        withdrawal: WithdrawalId(outward),
        at: attempt.when,
        scope: wish.scope,
    })
}

/// Lays the tombstone on her tokens, so that it stops what arrives later under another id.
pub fn lay(ruling: &mut Ruling<'_>, tombstone: &Tombstone, item: Id) {
    for key in keys_of(&tombstone.tokens) {
        ruling.fact(
            Aggregate::Token(key),
            item,
            &Record::Tombstone(tombstone.clone()),
        );
    }
}

/// A withdrawal stops every message of these classes between two organisations whose consent is not
/// newer; says who took it.
pub fn stopped_by(
    tombstones: &[&Tombstone],
    given_at: When,
    ends: [&OrgId; 2],
    classes: &[DataClass],
) -> Option<OrgId> {
    tombstones
        .iter()
        .find(|tombstone| {
            tombstone.at >= given_at && tombstone.stops(&ends, classes, REFERRAL_PURPOSE)
        })
        .map(|tombstone| tombstone.taken_by.clone())
}

/// All that follows from a withdrawal: when it is taken, and when a restored gateway is told of it
/// again, by then with what was offered since.
///
/// `settled`: it was a pause, and how that was settled.
pub fn stop_sharing(
    ruling: &mut Ruling<'_>,
    known: &Known,
    tombstone: &Tombstone,
    item: Id,
    settled: Option<Settled>,
) {
    let tokens = &tombstone.tokens;
    lay(ruling, tombstone, item);
    // The service that took it keeps a record of her, so that what it stops can be its task.
    let own = known.own_record(&tombstone.taken_by, tokens);
    let new = PersonId(ruling.attempt().entropy.id("person"));
    write_person(ruling, known, &tombstone.taken_by, tokens, (own, new), None);
    let linked = reached(known, own, tokens);
    for person in &linked {
        let mut with_record = tombstone.clone();
        // The record's own tokens, so that it applies there whatever she was known by.
        if let Some(record) = known
            .people
            .get(person)
            .and_then(|known| known.record.as_ref())
        {
            with_record.tokens.clone_from(&record.tokens);
            ruling.concerns(&record.organisation);
        }
        ruling.fact(
            Aggregate::Person(*person),
            item,
            &Record::Tombstone(with_record),
        );
    }
    let id = WithdrawalId(item);
    let mut reached = Reached::by(known, tombstone, &linked);
    for referral in referrals_of(known, &linked) {
        let stops = tombstone.stops(
            &[&referral.sender, &referral.recipient],
            classes_of(referral),
            REFERRAL_PURPOSE,
        );
        let consented_anew = consented_since(known, referral, tombstone.at);
        if !consented_anew {
            reached.was_handed_back(known, referral, tombstone);
        }
        if stops && consented_anew {
            mark_withdrawn_before(ruling, referral, tombstone.at);
        } else if stops {
            pull(ruling, known, referral, tombstone, id);
            reached.was_released(referral);
        }
    }
    sealed_items::withdrawn::stop_hers(ruling, known, tombstone, id, &linked);
    let before = known.taken.get(&id);
    let withdrawal = Withdrawal {
        id,
        tombstone: tombstone.clone(),
        settled: settled.or_else(|| before.and_then(|before| before.settled.clone())),
        notices: stop_use::notify(ruling, known, tombstone, id, &reached),
    };
    if tombstone.until.is_some() {
        // A task for who took it: ask her safely.
        stop_use::news(ruling, &tombstone.taken_by, item);
    }
    keep(ruling, &withdrawal);
}

/// Writes her word as who took it may settle it.
pub fn keep(ruling: &mut Ruling<'_>, withdrawal: &Withdrawal) {
    ruling.fact(
        Aggregate::Withdrawal(withdrawal.id),
        singleton("withdrawal"),
        &Record::Withdrawal(withdrawal.clone()),
    );
}

/// The records that her word reaches: what is linked to it, and what was confirmed to be hers by
/// whoever took it. A no goes both ways.
pub fn reached(known: &Known, own: Option<PersonId>, tokens: &[TaggedToken]) -> Vec<PersonId> {
    let linked = known.linked(own, tokens).into_iter();
    let linked = linked.filter(|(_, tier)| *tier == Tier::Automatic);
    let confirmed = known.links.values();
    let confirmed = confirmed.filter(|pair| Some(pair.held) == own && pair.is_confirmed());
    let others = confirmed.map(|pair| pair.other);
    let mut reached: Vec<PersonId> = linked.map(|(person, _)| person).collect();
    reached.extend(others.filter(|other| known.people.contains_key(other)));
    reached.sort_unstable();
    reached.dedup();
    reached
}

/// Whether she consented to this referral after `at`, so that a withdrawal of then does not stop
/// it. A consent that cannot be read is not newer.
fn consented_since(known: &Known, referral: &Referral, at: When) -> bool {
    let Some(id) = referral.consent else {
        // As an offer without one is judged.
        return referral.offered_at > at;
    };
    let sender = known.people.get(&referral.sender_person);
    let mut consents = sender.into_iter().flat_map(|person| &person.consents);
    consents.any(|consent| consent.id == id && consent.given_at > at)
}

/// Whoever takes this offer learns that she withdrew earlier, to ask her safely first.
fn mark_withdrawn_before(ruling: &mut Ruling<'_>, referral: &Referral, at: When) {
    if referral.open() && referral.withdrew_on.is_none_or(|before| before < at) {
        let mut referral = referral.clone();
        referral.withdrew_on = Some(at);
        save(ruling, &referral);
    }
}

pub fn referrals_of<'a>(known: &'a Known, people: &[PersonId]) -> Vec<&'a Referral> {
    known
        .referrals
        .values()
        .filter(|referral| {
            people.contains(&referral.sender_person)
                || referral
                    .recipient_person
                    .is_some_and(|person| people.contains(&person))
        })
        .collect()
}

/// Open offers are pulled and the keys of what was not delivered destroyed. Under a pause all of it
/// only reads so, because it may go on.
fn pull(
    ruling: &mut Ruling<'_>,
    known: &Known,
    referral: &Referral,
    tombstone: &Tombstone,
    id: WithdrawalId,
) {
    ruling.concerns(&referral.recipient);
    if referral.offered_at > tombstone.at {
        // Sent on an older consent while the withdrawal was forgotten: a task for who took it.
        let taken_by = List::Events(tombstone.taken_by.clone());
        ruling.list(taken_by, 0, referral.id.id());
    }
    match referral.lasting_status() {
        ReferralStatus::Offered | ReferralStatus::Waiting => {}
        ReferralStatus::Accepted => {
            let holder = List::Events(referral.recipient.clone());
            ruling.list(holder, 0, referral.id.id());
        }
        ReferralStatus::Declined
        | ReferralStatus::Closed
        | ReferralStatus::Withdrawn
        | ReferralStatus::Expired => return,
    }
    let mut pulled = referral.clone();
    match tombstone.until {
        Some(until) => pulled.pause(id, until),
        None => {
            erase_parts(ruling, known, referral.id);
            unlist(ruling, referral);
            pulled.withdraw();
        }
    }
    save(ruling, &pulled);
}
