//! What each side reads of a referral: the sender three words, the receiver its inbox, both their
//! own events. No totals, no order that tells.

use crate::domain::alias::AliasKind;
use crate::domain::answer::{Answer, Event, Happened, Seen, SeenNotice, SeenOffer, SeenPause};
use crate::domain::assessment::corrected::Corrected;
use crate::domain::attempt::Attempt;
use crate::domain::codes::{
    Action, DataClass, ReferralStatus, SenderStatus, UpdateCode, WrongHold,
};
use crate::domain::decision::{Aggregate, Decision, List, Listed};
use crate::domain::firewall::hold::{Hold, Unread, read};
use crate::domain::firewall::screen;
use crate::domain::id::{Id, ReferralId, SealedItemId, StopUseId, WithdrawalId};
use crate::domain::known::Known;
use crate::domain::person::FieldError;
use crate::domain::policy::Relationship;
use crate::domain::referral::{Referral, Update};
use crate::domain::refusal::Refusal;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::{Keys, Payload};
use crate::domain::sealed_item::SealedItem;
use crate::domain::stop_use::{StopUse, Withdrawal};
use crate::domain::time::When;
use crate::domain::transfer::Route;

use super::answering::{relationship, save};
use super::{ACCEPTED, Stop, about_caller, caller, keeping, mark, permit, recipient};

/// Something was sent on a consent older than a withdrawal: a task of the service that took that.
const MESSAGE_STOPPED: &str = "message_stopped";

/// What is read or said of one referral.
pub enum Ask<'a> {
    Status,
    /// The sender's note, reworded after a hold or added later.
    Note(&'a Unread),
}

/// One referral, under the alias that the caller's organisation knows.
pub fn referral(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    alias: Id,
    ask: &Ask<'_>,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    let inward = ruling.aliases().inward(AliasKind::Referral, alias);
    ruling.object(Some(alias), Some(inward));
    match decide(&mut ruling, known, ReferralId(inward), alias, ask) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide(
    ruling: &mut Ruling<'_>,
    known: &Known,
    id: ReferralId,
    alias: Id,
    ask: &Ask<'_>,
) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    let own = attempt.organisation();
    let found = known
        .referrals
        .get(&id)
        .filter(|referral| referral.sender == *own || referral.recipient == *own);
    let mut question = caller.ask(attempt, caller.as_recipient());
    question.relationship = Relationship::Sender;
    // What is wrong with the caller is said first, and the same for every referral.
    about_caller(ruling, &question)?;
    let Some(referral) = found else {
        return Err(Stop::Nothing("no such referral"));
    };
    ruling.subject(&referral.tokens);
    if referral.is_with_whom_it_was_sent() {
        ruling.concerns(&referral.sender);
        ruling.concerns(&referral.recipient);
    }
    let sent = referral.sender == *own;
    question.relationship = if sent {
        Relationship::Sender
    } else {
        relationship(referral, attempt.when)
    };
    question.offence = Some(referral.operational.offence_group);
    match ask {
        Ask::Status if sent => {
            permit(ruling, &question, ())?;
            if referral.sender_status(attempt.when) == SenderStatus::Closed {
                ruling.reads_closed(referral.id);
            }
            Ok(Answer::Status(seen(ruling, referral)))
        }
        Ask::Status => Err(Stop::Nothing("not the sender")),
        Ask::Note(text) => add_note(ruling, known, referral, alias, text, question),
    }
}

fn seen(ruling: &Ruling<'_>, referral: &Referral) -> Seen {
    // Only its sender is told so.
    let outward = ruling
        .aliases()
        .outward(AliasKind::Referral, referral.id.id());
    let by_service = |update: &&Update| !update.to_holder;
    Seen {
        referral: ReferralId(outward),
        external: None,
        status: referral.sender_status(ruling.attempt().when),
        offered_at: referral.offered_at,
        pass_on_by: referral.due.clone(),
        no_answer: referral.is_unanswered(ruling.attempt().when),
        updates: referral
            .updates
            .iter()
            .filter(by_service)
            .cloned()
            .collect(),
    }
}

// The reply is the same whether the note went anywhere: the referral may have been withdrawn.
fn add_note(
    ruling: &mut Ruling<'_>,
    known: &Known,
    referral: &Referral,
    alias: Id,
    text: &Unread,
    mut question: crate::domain::policy::Ask,
) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    if referral.sender != *attempt.organisation() {
        return Err(Stop::Nothing("not the sender"));
    }
    let receiver = known.organisations.get(&referral.recipient);
    let Some(receiver) = receiver else {
        return Err(Stop::Nothing("counterpart is gone"));
    };
    question.recipient = recipient(receiver, &referral.recipient_team, attempt);
    question.classes = vec![DataClass::Ft];
    question.basis = referral.basis;
    // It is the sender's own consent that it went by; a later withdrawal must not show.
    question.consent = referral
        .consent
        .map(|_| crate::domain::policy::ConsentState {
            strength: crate::domain::codes::ConsentStrength::Explicit,
            live: true,
            covers: true,
            from_another: false,
            depth: None,
        });
    let item = attempt.entropy.id("note item");
    let mut payload = Payload::default();
    let held = match read(ruling.rules(), attempt, text) {
        Ok(screened) => {
            payload.add(DataClass::Ft, item, screened.bytes());
            Vec::new()
        }
        Err(holds) => holds,
    };
    let permitted = permit(ruling, &question, payload)?;
    let screened = screen(permitted, ACCEPTED);
    mark(ruling, &screened);
    let live = referral.open() || relationship(referral, attempt.when) >= Relationship::AcceptedOwn;
    let mut referral = referral.clone();
    if held.is_empty() {
        // Also where the note goes nowhere any more: what the sender sees must not tell.
        keeping::note_is_there(ruling, &referral);
    } else {
        keeping::note_is_missing(ruling, &referral);
    }
    if live && held.is_empty() {
        let of = Aggregate::Referral(referral.id);
        if let Some(before) = referral.note_item {
            ruling.write(crate::domain::decision::Write::Remove {
                of: of.clone(),
                item: before,
            });
        }
        ruling.payload(&of, &screened);
        referral.note_item = Some(item);
        ruling.list(
            List::Events(referral.recipient.clone()),
            0,
            referral.id.id(),
        );
    }
    save(ruling, &referral);
    Ok(Answer::Noted {
        referral: ReferralId(alias),
        held,
    })
}

/// What the text screen would hold, while writing. Nothing is kept.
pub fn screen_text(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    text: &Unread,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    match may_screen(&mut ruling, known) {
        Ok(()) => ruling.finish(Answer::Screened {
            held: read(rules, attempt, text).err().unwrap_or_default(),
        }),
        Err(stop) => ruling.stop(stop),
    }
}

/// The entry that texts of another attempt were held. In the entry of that attempt nothing says so.
pub fn held(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    holds: &[Hold],
) -> Result<Decision<Ruled>, BadRuling> {
    Ruling::new(rules, attempt, known, keys).finish(Answer::Held(holds.to_vec()))
}

/// Its author's organisation says that a hold was wrong. That lets nothing through, and there is no
/// place for the words: whoever keeps the rules learns which version, how often and of what kind.
pub fn say_wrong(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    reference: Id,
    because: WrongHold,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    if let Err(stop) = may_screen(&mut ruling, known) {
        return ruling.stop(stop);
    }
    let Some(hold) = rules.hold_of(attempt.organisation(), reference, attempt.when) else {
        return ruling.refuse(Refusal::CheckYourAnswers(vec![FieldError {
            field: "hold",
            message: "give the reference of a hold of your organisation's from the last seven days",
        }]));
    };
    ruling.object(Some(reference), Some(hold));
    ruling.reason(because.code());
    ruling.note(&format!("screen-{}", rules.book.screen.version()));
    ruling.finish(Answer::SaidWrong)
}

fn may_screen(ruling: &mut Ruling<'_>, known: &Known) -> Result<(), Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    permit(ruling, &caller.ask(attempt, caller.as_recipient()), ()).map(|_| ())
}

/// A list of the caller's own: what it sent, its inbox, its events.
///
/// `entries` are list positions; the referrals they name are in `known`.
pub fn list(
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
            let mut ask = caller.ask(attempt, caller.as_recipient());
            ask.relationship = match attempt.action {
                Action::ReadInbox => Relationship::OfferedTo,
                _ => Relationship::Sender,
            };
            permit(&mut ruling, &ask, ())
        });
    if let Err(stop) = permitted {
        return ruling.stop(stop);
    }
    let team = &attempt.peer.name().team;
    let own = attempt.organisation();
    let referrals = entries.iter().filter_map(|entry| {
        known
            .referrals
            .get(&ReferralId(entry.item))
            .map(|referral| (entry, referral))
    });
    let answer = match attempt.action {
        Action::ReadInbox => Answer::Inbox(
            referrals
                .filter(|(_, referral)| {
                    // What a pause stands in the way of is listed still, and not shown; so is what
                    // has ended by its date.
                    let is_over = matches!(
                        referral.status_at(attempt.when),
                        ReferralStatus::Withdrawn | ReferralStatus::Closed
                    );
                    referral.recipient == *own && referral.recipient_team == *team && !is_over
                })
                .map(|(_, referral)| seen_offer(known, referral, attempt.when))
                .collect(),
        ),
        Action::ReadEvents => Answer::Events(
            entries
                .iter()
                .filter_map(|entry| {
                    let referral = known.referrals.get(&ReferralId(entry.item));
                    let sealed = known.sealed_items.get(&SealedItemId(entry.item));
                    match (referral, sealed) {
                        (Some(referral), _) => Some(event(&ruling, entry, referral)),
                        (None, Some(item)) => item_event(&ruling, entry, item),
                        (None, None) => her_word(&ruling, known, entry),
                    }
                })
                .collect(),
        ),
        _ => Answer::Sent(
            referrals
                .filter(|(_, referral)| referral.sender == *own)
                .map(|(_, referral)| seen(&ruling, referral))
                .collect(),
        ),
    };
    ruling.finish(answer)
}

/// An offer with what its service said that it can meet, as long as it is to be answered.
fn seen_offer(known: &Known, referral: &Referral, now: When) -> SeenOffer {
    let is_open = matches!(
        referral.status_at(now),
        ReferralStatus::Offered | ReferralStatus::Waiting
    );
    let service = known.directory.service(&referral.service);
    let asked = service.filter(|one| is_open && one.organisation == referral.recipient);
    SeenOffer {
        can_meet: asked.and_then(|one| one.can_meet(&referral.operational.needs, now)),
        referral: referral.clone(),
    }
}

/// An event says that something of one's own moved, in a word that both sides may know.
fn event(ruling: &Ruling<'_>, entry: &Listed, referral: &Referral) -> Event {
    let own = ruling.attempt().organisation();
    let now = ruling.attempt().when;
    let passed_by = |route: &Route| route.past.iter().any(|past| past.organisation == *own);
    let code = if referral.recipient == *own {
        match &referral.handover {
            Some(_) | None if referral.is_of_wrong_person() => UpdateCode::WrongPerson.code(),
            Some(over) if over.waits() => "transfer_waits",
            Some(over) if over.is_over(now) => "transferred",
            Some(_) | None => referral.status_at(now).code(),
        }
    } else if referral.sender == *own {
        referral.sender_status(now).code()
    } else if referral.was_passed_on_from(own) {
        "passed_on"
    } else if referral.route.as_ref().is_some_and(passed_by) {
        ReferralStatus::Expired.code()
    } else {
        // A withdrawal that this service took stopped a message: it becomes its task.
        MESSAGE_STOPPED
    };
    let outward = ruling.aliases().outward(AliasKind::Referral, entry.item);
    Event {
        at: entry.at,
        index: entry.index,
        on: Happened::Referral(outward),
        code: code.to_owned(),
    }
}

/// That an organisation is to stop using what it was shown or to ask again, or is to settle a pause
/// that it took.
fn her_word(ruling: &Ruling<'_>, known: &Known, entry: &Listed) -> Option<Event> {
    let notice = known.stop_uses.get(&StopUseId(entry.item));
    let taken = known.taken.get(&WithdrawalId(entry.item));
    let corrected = known.corrected.get(&StopUseId(entry.item));
    let (on, code) = match (notice, taken, corrected) {
        (Some(notice), _, _) => notice_event(ruling, notice)?,
        (None, Some(taken), _) => pause_event(ruling, taken)?,
        (None, None, Some(corrected)) => corrected_event(ruling, corrected)?,
        (None, None, None) => return None,
    };
    Some(Event {
        at: entry.at,
        index: entry.index,
        on,
        code: code.to_owned(),
    })
}

fn notice_event(ruling: &Ruling<'_>, notice: &StopUse) -> Option<(Happened, &'static str)> {
    let attempt = ruling.attempt();
    let (aliases, state) = (ruling.aliases(), notice.state(attempt.when));
    let seen = SeenNotice {
        id: aliases.outward(AliasKind::StopUse, notice.id.id()),
        person: aliases.outward(AliasKind::Person, notice.person.id()),
        shown: notice.shown.clone(),
        state,
        since: notice.at,
        destroyed_from: notice.destroyed_from(),
        reply_by: notice.reply_by,
        replied: notice.replied.as_ref().map(|reply| reply.code),
    };
    (notice.holder == *attempt.organisation()).then(|| (Happened::StopUse(seen), state.code()))
}

/// That what it was shown was corrected or taken back, by its own record of her and the day.
fn corrected_event(ruling: &Ruling<'_>, notice: &Corrected) -> Option<(Happened, &'static str)> {
    let own = ruling.attempt().organisation();
    let aliases = ruling.aliases();
    let on = Happened::Corrected {
        person: aliases.outward(AliasKind::Person, notice.person.id()),
        since: notice.at,
    };
    (notice.holder == *own).then_some((on, "shown_record_corrected"))
}

fn pause_event(ruling: &Ruling<'_>, taken: &Withdrawal) -> Option<(Happened, &'static str)> {
    let attempt = ruling.attempt();
    let own = taken.tombstone.taken_by == *attempt.organisation();
    let state = taken.pause(attempt.when).filter(|_| own)?;
    let until: When = taken.tombstone.until.unwrap_or(taken.tombstone.at);
    let id = ruling
        .aliases()
        .outward(AliasKind::Withdrawal, taken.id.id());
    Some((
        Happened::Pause(SeenPause { id, state, until }),
        state.code(),
    ))
}

/// What a legal adviser is told of an item that was sealed to it. One that was stopped, is paused or
/// became too old before it was collected never was. Who took the withdrawal that stopped it on its
/// way has it as a task, under a name like that of any message.
fn item_event(ruling: &Ruling<'_>, entry: &Listed, item: &SealedItem) -> Option<Event> {
    let attempt = ruling.attempt();
    let own = attempt.organisation();
    if item.stopped_for.as_ref() == Some(own) {
        let message = ruling.aliases().outward(AliasKind::Referral, entry.item);
        return Some(Event {
            at: entry.at,
            index: entry.index,
            on: Happened::Referral(message),
            code: MESSAGE_STOPPED.to_owned(),
        });
    }
    let code = match (item.collected_at, item.stopped_at) {
        (Some(_), Some(_)) => "stop_use",
        (Some(_), None) if item.is_paused(attempt.when) => "stop_use",
        (Some(_), None) if !item.pauses.is_empty() => "stop_use_ended",
        (Some(_), None) => "item_collected",
        (None, _) if item.waits(attempt.when) => "item_waiting",
        (None, _) => return None,
    };
    let outward = ruling.aliases().outward(AliasKind::SealedItem, entry.item);
    (item.recipient == *own).then(|| Event {
        at: entry.at,
        index: entry.index,
        on: Happened::SealedItem(outward),
        code: code.to_owned(),
    })
}
