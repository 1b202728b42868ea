//! The legal adviser's sealed item (3.9): handed in by one agency's client, collected once by the
//! adviser's, and destroyed then, or when she withdraws, or after fourteen days.
//!
//! It rests on her word: a withdrawal or pause at any service reaches it ([`withdrawn`]).
//!
//! The gateway has no key to a box. It checks who seals, to whom and for what, and keeps the box
//! under an item key of its own, so that erasing that key erases the box. To everyone but the
//! adviser, and to the adviser from then on, an item that is collected, stopped or too old is one
//! that never was.

use zeroize::Zeroizing;

use crate::domain::alias::AliasKind;
use crate::domain::answer::{Answer, WaitingItem, parts};
use crate::domain::attempt::{Attempt, Entropy};
use crate::domain::codes::DataClass;
use crate::domain::consent::CONSENT_DAYS_MAX;
use crate::domain::decision::{Aggregate, Decision, List, Listed, Write};
use crate::domain::firewall::screen;
use crate::domain::id::{Id, OrgId, SealedItemId};
use crate::domain::known::Known;
use crate::domain::person::{FieldError, keys_of};
use crate::domain::policy::{Ask, Relationship};
use crate::domain::record::{Record, singleton};
use crate::domain::refusal::Refusal;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::{Keys, Payload};
use crate::domain::sealed_item::{
    AdviserKey, CannotReceive, Commitment, SealedBox, SealedItem, adviser_key, as_recipient,
    is_stopped, regulated,
};
use crate::domain::time::When;

use super::own_acts::{self, OwnAct};
use super::subject::Subject;
use super::{ACCEPTED, Caller, Stop, caller, forgetting, mark, permit};

pub mod withdrawn;

/// Item keys of the night's entry: the opening, and each item without her tokens.
pub const KEYS: usize = 1 + DESTROYED_AT_ONCE as usize;
/// Items that one entry of the night destroys.
pub const DESTROYED_AT_ONCE: u16 = 50;

/// What a client hands in.
pub struct Handed {
    pub boxed: SealedBox,
    pub commitment: Commitment,
    /// The public key to which it was sealed, so that an old one is noticed.
    pub sealed_to: [u8; 32],
    /// Whose word it rests on.
    pub subject: Subject,
    /// When she agreed.
    pub consented_at: When,
}

/// Hands an item in for `to`; without one, says to which key it is to be sealed, under the same
/// checks.
pub fn seal(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    to: &OrgId,
    handed: Option<&Handed>,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    match decide_seal(&mut ruling, known, to, handed) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide_seal(
    ruling: &mut Ruling<'_>,
    known: &Known,
    to: &OrgId,
    handed: Option<&Handed>,
) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    let adviser = known.organisations.get(to);
    // One that is not enrolled is refused as the caller herself would be.
    let recipient = adviser.map_or_else(
        || caller.as_recipient(),
        |adviser| as_recipient(adviser, attempt.when),
    );
    let mut ask = caller.ask(attempt, recipient);
    ask.classes = vec![DataClass::Sealed];
    ruling.asked(&ask.classes);
    permit(ruling, &ask, ())?;
    let key = adviser
        .ok_or(CannotReceive::NotOne)
        .and_then(|adviser| adviser_key(adviser, attempt.when))
        .map_err(cannot_receive)?;
    match handed {
        None => {
            ruling.concerns(to);
            ruling.note("asked-for-the-key");
            Ok(Answer::AdviserKey(key))
        }
        Some(handed) => keep(ruling, known, &ask, &key, handed),
    }
}

fn keep(
    ruling: &mut Ruling<'_>,
    known: &Known,
    ask: &Ask,
    key: &AdviserKey,
    handed: &Handed,
) -> Result<Answer, Stop> {
    if handed.sealed_to != key.public_key {
        return Err(wrong(
            "sealed_to",
            "the adviser has another key now: check it with the adviser, and seal again",
        ));
    }
    let attempt = ruling.attempt();
    let own = attempt.organisation();
    let given_at = handed.consented_at;
    // How long it serves lies in the box: no consent does so for longer than this.
    if given_at > attempt.when.plus_hours(1) || given_at.plus_days(CONSENT_DAYS_MAX) < attempt.when
    {
        return Err(wrong(
            "consented_at",
            "give the time at which she agreed: not in the future, and within twelve months",
        ));
    }
    // A clock that runs ahead must not make her word newer than a withdrawal that comes after it.
    let given_at = given_at.min(attempt.when);
    // Who she is stands in no entry: nobody who reads the log may see who sees such an adviser.
    let found = handed.subject.find(ruling.rules(), attempt, known);
    let tokens = found
        .map(|found| found.tokens)
        .ok_or(Stop::Nothing("no-own-record"))?;
    if keys_of(&tokens).next().is_none() {
        return Err(wrong(
            "identity",
            "give her NHS number, or both names with her date of birth or where she is reached: so \
             that she can stop it anywhere",
        ));
    }
    let parties = (own, &key.organisation);
    let stopped_by = known.withdrawals(&tokens).into_iter();
    let stopped_by = stopped_by
        .filter(|tombstone| is_stopped(tombstone, parties, given_at))
        .max_by_key(|tombstone| tombstone.at);
    let stopped_for = stopped_by.map(|tombstone| tombstone.taken_by.clone());
    let id = SealedItemId(attempt.entropy.id("sealed item"));
    let item = SealedItem {
        id,
        sender: own.clone(),
        recipient: key.organisation.clone(),
        tokens: match stopped_for {
            None => tokens,
            Some(_) => Vec::new(),
        },
        consented_at: given_at,
        pauses: Vec::new(),
        sealed_at: attempt.when,
        commitment: handed.commitment,
        part: attempt.entropy.id("sealed item box"),
        collected_at: None,
        stopped_at: stopped_for.as_ref().map(|_| attempt.when),
        stopped_for,
    };
    let mut payload = Payload::default();
    let plain = Zeroizing::new(handed.boxed.bytes().to_vec());
    payload.add(DataClass::Sealed, item.part, plain);
    let permitted = permit(ruling, ask, payload)?;
    let screened = screen(permitted, ACCEPTED);
    mark(ruling, &screened);
    save(ruling, &item);
    match &item.stopped_for {
        // As an offer is: a task of who took her word, and the same reply.
        Some(taken_by) => {
            ruling.list(List::Events(taken_by.clone()), 0, id.id());
            due(ruling, id, item.forgotten_at());
        }
        None => {
            ruling.payload(&Aggregate::SealedItem(id), &screened);
            ruling.concerns(&item.recipient);
            withdrawn::bind(ruling, &item);
            let advisers = item.recipient.clone();
            ruling.list(List::SealedFor(advisers.clone()), 0, id.id());
            ruling.list(List::Events(advisers), 0, id.id());
            ruling.list(List::SealedDue, item.until().place(), id.id());
        }
    }
    ruling.note(&handed.boxed.bucket());
    ruling.note(&format!("commitment-{}", handed.commitment));
    let outward = ruling.aliases().outward(AliasKind::SealedItem, id.id());
    ruling.made(outward);
    ruling.object(Some(outward), Some(id.id()));
    Ok(Answer::ItemSealed {
        item: SealedItemId(outward),
        until: item.until(),
    })
}

fn cannot_receive(why: CannotReceive) -> Stop {
    wrong(
        "to",
        match why {
            CannotReceive::NotOne => "this organisation can not receive this",
            CannotReceive::CertificateEnded => {
                "this adviser's certificate has ended: the adviser must renew it first"
            }
        },
    )
}

fn wrong(field: &'static str, message: &'static str) -> Stop {
    Stop::Refuse(Refusal::CheckYourAnswers(vec![FieldError {
        field,
        message,
    }]))
}

/// The item known outside as `alias`: to the adviser its box, once; to its sender that advice is
/// arranged, whatever became of it.
pub fn collect(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    alias: Id,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    match decide_collect(&mut ruling, known, alias) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide_collect(ruling: &mut Ruling<'_>, known: &Known, alias: Id) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    let own = attempt.organisation();
    let (caller, mut ask) = reader(ruling, known)?;
    let item = find(ruling, known, alias).ok_or(Stop::Nothing("no such item"))?;
    if item.sender == *own {
        return Ok(Answer::AdviceArranged {
            item: SealedItemId(alias),
        });
    }
    if !item.waits(attempt.when) {
        return Err(Stop::Nothing("collected, stopped, paused or too old"));
    }
    if regulated(caller.organisation).is_none() {
        return Err(Stop::Nothing("not a regulated adviser"));
    }
    let sender = known.organisations.get(&item.sender);
    ask.giver = sender.map(|sender| sender.kind);
    // By collecting it takes what another organisation made for it.
    ask.relationship = Relationship::AcceptedFromAnother;
    ask.classes = vec![DataClass::Sealed];
    ruling.asked(&ask.classes);
    let permitted = permit(ruling, &ask, parts(known, &[item.part]))?;
    let screened = screen(permitted, ACCEPTED);
    mark(ruling, &screened);
    if screened.value().parts.is_empty() {
        return Err(Stop::Nothing("the box is gone"));
    }
    ruling.disclosed(&[DataClass::Sealed]);
    let collected = SealedItem {
        collected_at: Some(attempt.when),
        ..item.clone()
    };
    save(ruling, &collected);
    off_the_list(ruling, item);
    // What should not be destroyed right after this is destroyed by night.
    due(ruling, item.id, attempt.when);
    Ok(Answer::ItemCollected {
        item: SealedItemId(alias),
        sealed: Box::new(collected),
        service: sender.map_or_else(String::new, |sender| sender.name.clone()),
        release: screened,
    })
}

/// Destroys the box of an item that its adviser has just been given.
pub fn destroy_collected(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    alias: Id,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    if let Err(stop) = reader(&mut ruling, known) {
        return ruling.stop(stop);
    }
    let own = attempt.organisation();
    let collected = find(&mut ruling, known, alias)
        .filter(|item| item.recipient == *own && item.collected_at.is_some());
    let Some(item) = collected else {
        return ruling.nothing("no such item");
    };
    erase_box(&mut ruling, known, item.id);
    due(&mut ruling, item.id, item.forgotten_at());
    ruling.finish(Answer::ItemDestroyed)
}

/// What waits for the caller's organisation, the oldest first.
pub fn list(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    entries: &[Listed],
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    if let Err(stop) = reader(&mut ruling, known) {
        return ruling.stop(stop);
    }
    let own = attempt.organisation();
    let items = entries.iter();
    let items = items.filter_map(|entry| known.sealed_items.get(&SealedItemId(entry.item)));
    let waiting = items
        .filter(|item| item.recipient == *own && item.waits(attempt.when))
        .map(|item| WaitingItem {
            item: SealedItemId(
                ruling
                    .aliases()
                    .outward(AliasKind::SealedItem, item.id.id()),
            ),
            service: name_of(known, &item.sender),
            until: item.until(),
        });
    let waiting = waiting.collect();
    ruling.finish(Answer::WaitingItems(waiting))
}

/// She withdraws what her worker had sealed. The reply is the same whatever became of the item.
pub fn stop(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    alias: Id,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    let permitted = caller(known, attempt)
        .map_err(Stop::Refuse)
        .and_then(|caller| permit(&mut ruling, &caller.ask(attempt, caller.as_recipient()), ()));
    if let Err(stop) = permitted {
        return ruling.stop(stop);
    }
    ruling.reason("sealed-item");
    let own = attempt.organisation();
    let inward = ruling.aliases().inward(AliasKind::SealedItem, alias);
    let item = known.sealed_items.get(&SealedItemId(inward));
    let item = item.filter(|item| item.sender == *own && item.stopped_at.is_none());
    if let Some(item) = item {
        ruling.concerns(&item.recipient);
        end(&mut ruling, known, item);
    }
    ruling.finish(Answer::Withdrawn { at: attempt.when })
}

/// Stops an item for good: what was not collected is destroyed, and who collected it is told.
fn end(ruling: &mut Ruling<'_>, known: &Known, item: &SealedItem) {
    erase_box(ruling, known, item.id);
    match item.collected_at {
        None => off_the_list(ruling, item),
        Some(_) => tell_to_stop(ruling, item),
    }
    withdrawn::unbind(item).for_each(|write| ruling.write(write));
    due(ruling, item.id, item.forgotten_at());
    let stopped = SealedItem {
        stopped_at: Some(ruling.attempt().when),
        tokens: Vec::new(),
        ..item.clone()
    };
    save(ruling, &stopped);
}

/// Who collected it is to stop using it. It has no record of her, so the item's own name stands for
/// her; and the entry does not concern it, because a withdrawal's entry names her.
fn tell_to_stop(ruling: &mut Ruling<'_>, item: &SealedItem) {
    ruling.note("stop-use-notice");
    let advisers = List::Events(item.recipient.clone());
    ruling.list(advisers, 0, item.id.id());
}

/// What one look of the night found.
pub struct Due<'a> {
    /// By which time it is due; the entry itself is dated as all are.
    pub now: When,
    pub entries: &'a [Listed],
}

/// The gateway's own entry of the night: boxes that nobody collected in time are destroyed, and
/// what is known of older items is forgotten. It says neither how many nor whose: every
/// organisation sees it.
///
/// # Errors
/// [`BadRuling`].
pub fn destroy_due(
    rules: &Rules,
    when: When,
    entropy: &Entropy,
    keys: Keys,
    known: &Known,
    due: &Due<'_>,
) -> Result<Option<Decision<Ruled>>, BadRuling> {
    let (mut writes, mut facts) = (Vec::new(), Vec::new());
    for entry in due.entries {
        writes.push(Write::Unlist {
            list: List::SealedDue,
            item: entry.item,
        });
        let id = SealedItemId(entry.item);
        let Some(item) = known.sealed_items.get(&id) else {
            continue;
        };
        writes.extend(boxes(known, id));
        writes.push(Write::Unlist {
            list: List::SealedFor(item.recipient.clone()),
            item: id.id(),
        });
        // Nobody has it: there is nothing left that she could stop.
        let nobodys = item.collected_at.is_none();
        if nobodys || due.now >= item.forgotten_at() {
            writes.extend(withdrawn::unbind(item));
        }
        if nobodys && due.now < item.forgotten_at() && !item.tokens.is_empty() {
            let unbound = SealedItem {
                tokens: Vec::new(),
                ..item.clone()
            };
            facts.push(fact(&unbound));
        }
        writes.push(match due.now < item.forgotten_at() {
            true => Write::List {
                list: List::SealedDue,
                at: item.forgotten_at().place(),
                item: id.id(),
            },
            false => Write::Remove {
                of: Aggregate::SealedItem(id),
                item: singleton("sealed item"),
            },
        });
    }
    let act = OwnAct {
        user: "retention",
        action: forgetting::ACTION,
        reason: "sealed-items".to_owned(),
        rule: String::new(),
        answer: Answer::ItemDestroyed,
        told: Vec::new(),
        concerned: Vec::new(),
        notes: Vec::new(),
        request: Vec::new(),
        facts,
        removed: Vec::new(),
        lists: Vec::new(),
        writes,
        urgent: true,
    };
    own_acts::entry(rules, when, entropy, keys, known, act)
}

/// Whoever may look at items at all, with a question about none in particular. What is wrong with
/// her is said before anything is looked for.
fn reader<'a>(ruling: &mut Ruling<'_>, known: &'a Known) -> Result<(Caller<'a>, Ask), Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    let own = as_recipient(caller.organisation, attempt.when);
    let ask = caller.ask(attempt, own);
    permit(ruling, &ask, ())?;
    Ok((caller, ask))
}

/// The item of this alias, if the caller's organisation sealed it or is to have it.
fn find<'a>(ruling: &mut Ruling<'_>, known: &'a Known, alias: Id) -> Option<&'a SealedItem> {
    let own = ruling.attempt().organisation();
    let inward = ruling.aliases().inward(AliasKind::SealedItem, alias);
    ruling.object(Some(alias), Some(inward));
    let item = known.sealed_items.get(&SealedItemId(inward));
    let item = item.filter(|item| item.sender == *own || item.recipient == *own)?;
    ruling.concerns(&item.sender);
    ruling.concerns(&item.recipient);
    Some(item)
}

fn save(ruling: &mut Ruling<'_>, item: &SealedItem) {
    let (of, name, record) = fact(item);
    ruling.fact(of, name, &record);
}

fn fact(item: &SealedItem) -> (Aggregate, Id, Record) {
    let of = Aggregate::SealedItem(item.id);
    (
        of,
        singleton("sealed item"),
        Record::SealedItem(item.clone()),
    )
}

fn off_the_list(ruling: &mut Ruling<'_>, item: &SealedItem) {
    ruling.write(Write::Unlist {
        list: List::SealedFor(item.recipient.clone()),
        item: item.id.id(),
    });
}

/// When the night is to look at it next.
fn due(ruling: &mut Ruling<'_>, item: SealedItemId, at: When) {
    let list = List::SealedDue;
    let item = item.id();
    ruling.write(Write::Unlist {
        list: list.clone(),
        item,
    });
    ruling.list(list, at.place(), item);
}

fn boxes(known: &Known, item: SealedItemId) -> impl Iterator<Item = Write> + '_ {
    let of = Aggregate::SealedItem(item);
    let parts = known.parts.iter().filter(move |part| part.of == of);
    parts.map(|part| Write::Remove {
        of: part.of.clone(),
        item: part.item,
    })
}

fn erase_box(ruling: &mut Ruling<'_>, known: &Known, item: SealedItemId) {
    for write in boxes(known, item) {
        ruling.write(write);
    }
}

fn name_of(known: &Known, organisation: &OrgId) -> String {
    let found = known.organisations.get(organisation);
    found.map_or_else(String::new, |found| found.name.clone())
}

#[cfg(test)]
mod tests;
