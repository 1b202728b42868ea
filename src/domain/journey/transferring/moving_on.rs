//! How an offer that a transfer made goes on: accepted, declined, or not answered in time; and what is
//! done by the clock about a referral that was handed over.
//!
//! Whatever a service answers, the service that hands her over sees the same until one accepts.

use crate::domain::answer::Answer;
use crate::domain::attempt::Entropy;
use crate::domain::clock::CodeClock;
use crate::domain::codes::{DeclineReason, ReferralStatus, TransferMode};
use crate::domain::decision::{Aggregate, Decision, List, Listed, Write};
use crate::domain::id::{Id, OrgId};
use crate::domain::known::Known;
use crate::domain::organisation::Service;
use crate::domain::record::{Record, singleton};
use crate::domain::referral::Referral;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;
use crate::domain::time::When;
use crate::domain::transfer::Past;

use super::super::answering::{erase_parts, save, she_lets, unlist};
use super::super::counting::{self, Lines};
use super::super::own_acts::{self, OwnAct};
use super::{answer_by, contact_by, list_due};

/// Referrals looked at in one decision of the gateway's own.
pub const DONE_AT_ONCE: u16 = 16;
/// Keys of such a decision: two facts and two lines for each, and its account.
pub const KEYS: usize = 4 * DONE_AT_ONCE as usize + 2;

/// What is due by the clock.
pub struct Due<'a> {
    pub now: When,
    pub entries: &'a [Listed],
}

/// Whether what is held of her came from `first` by one transfer or several.
pub fn came_from(known: &Known, held: &[&Referral], first: &OrgId) -> bool {
    held.iter().any(|referral| {
        let mut here = *referral;
        // As many steps as there are referrals: a chain has no end that comes back.
        for _ in 0..known.referrals.len() {
            let origin = here.route.as_ref().map(|route| route.origin);
            match origin.and_then(|origin| known.referrals.get(&origin)) {
                Some(origin) if origin.recipient == *first => return true,
                Some(origin) => here = origin,
                None => return false,
            }
        }
        false
    })
}

/// A service accepted her. The work of the one that handed her over ends now, or at its date.
pub fn taken(ruling: &mut Ruling<'_>, known: &Known, onward: &Referral) {
    let origin = onward.route.as_ref().map(|route| route.origin);
    let Some(origin) = origin.and_then(|id| known.referrals.get(&id)) else {
        return;
    };
    let mut origin = origin.clone();
    let Some(handover) = &mut origin.handover else {
        return;
    };
    if handover.onward != onward.id || !handover.waits() {
        return;
    }
    handover.taken_at = Some(ruling.attempt().when);
    match (handover.mode, handover.ends_at()) {
        (TransferMode::KeepBoth, Some(end)) => list_due(ruling, origin.id, end),
        // Its work has ended all the same; what is left of it goes when no pause keeps it.
        (TransferMode::HandOver, Some(end)) if origin.paused.is_some() => {
            list_due(ruling, origin.id, end);
        }
        (TransferMode::HandOver, _) if origin.status == ReferralStatus::Accepted => {
            origin.status = ReferralStatus::Closed;
            erase_parts(ruling, known, origin.id);
            unlist(ruling, &origin);
        }
        (TransferMode::KeepBoth | TransferMode::HandOver | TransferMode::Close, _) => {}
    }
    // That it has ended, and nothing of where.
    ruling.list(List::Events(origin.recipient.clone()), 0, origin.id.id());
    save(ruling, &origin);
}

/// The service that had accepted her handed her back: whoever hands her over waits again. What its
/// work had come to an end of by then stays so.
pub fn waits_again(ruling: &mut Ruling<'_>, known: &Known, onward: &Referral) {
    let origin = onward.route.as_ref().map(|route| route.origin);
    let Some(origin) = origin.and_then(|id| known.referrals.get(&id)) else {
        return;
    };
    let is_over = origin.is_handed_over(ruling.attempt().when);
    let mut origin = origin.clone();
    let Some(handover) = &mut origin.handover else {
        return;
    };
    if handover.onward != onward.id {
        return;
    }
    handover.taken_at = None;
    if is_over && origin.lasting_status() == ReferralStatus::Accepted {
        erase_parts(ruling, known, origin.id);
        unlist(ruling, &origin);
        origin.paused = None;
        origin.status = ReferralStatus::Closed;
    }
    ruling.list(List::Events(origin.recipient.clone()), 0, origin.id.id());
    save(ruling, &origin);
}

/// A service declined: the next one is asked. If there is none, the one that hands her over is told
/// that it still waits, and she is still its own.
pub fn declined(ruling: &mut Ruling<'_>, known: &Known, onward: &Referral, reason: DeclineReason) {
    let now = ruling.attempt().when;
    unlist(ruling, onward);
    let clock = &ruling.rules().clock;
    match asks_next(known, clock, onward, Some(reason), now) {
        Ok(asked) => {
            for (list, at, item) in asked.lists {
                ruling.list(list, at, item);
            }
            counting::offered(ruling, &asked.referral);
            // Whom it goes to is not said with this entry: the officer there must not learn from it who
            // knows the other party.
            save(ruling, &asked.referral);
        }
        Err(mut ended) => {
            ended.status = ReferralStatus::Declined;
            ended.decline_reason = Some(reason);
            ended.answered_at = Some(now);
            // Identity is never released on a declined offer: its keys go at once.
            erase_parts(ruling, known, ended.id);
            if let Some((list, item)) = tells_origin(known, &ended) {
                ruling.list(list, 0, item);
            }
            save(ruling, &ended);
        }
    }
}

/// An offer at the next service, and in which lists it stands there.
struct Asked {
    referral: Referral,
    lists: Vec<(List, u64, Id)>,
}

/// The same offer, to the next service that can take it; or as it was, with the last one among those
/// that were asked.
fn asks_next(
    known: &Known,
    clock: &CodeClock,
    onward: &Referral,
    reason: Option<DeclineReason>,
    now: When,
) -> Result<Asked, Box<Referral>> {
    let mut referral = onward.clone();
    let Some(route) = &mut referral.route else {
        return Err(Box::new(referral));
    };
    route.past.push(Past {
        organisation: onward.recipient.clone(),
        reason,
        at: now,
    });
    let may = |service: &Service| she_lets(known, onward, service, now);
    let next = route.advance(&known.directory, &known.organisations, now, may);
    let Some(service) = next else {
        return Err(Box::new(referral));
    };
    route.answer_by = answer_by(clock, now);
    let answer_by = route.answer_by.place();
    referral.recipient = service.organisation.clone();
    referral.recipient_team = service.team.clone();
    referral.service = service.id.clone();
    referral.status = ReferralStatus::Offered;
    referral.answered_at = None;
    referral.contact_by = contact_by(clock, referral.operational.urgency, now);
    let item = referral.id.id();
    let to = &referral.recipient;
    let lists = vec![
        (List::Inbox(to.clone()), referral.contact_by.place(), item),
        (List::Events(to.clone()), 0, item),
        (List::TransfersDue, answer_by, item),
    ];
    Ok(Asked { referral, lists })
}

/// Where the service that hands her over is told that something moved: on its own referral.
fn tells_origin(known: &Known, onward: &Referral) -> Option<(List, Id)> {
    let origin = known.referrals.get(&onward.route.as_ref()?.origin)?;
    Some((List::Events(origin.recipient.clone()), origin.id.id()))
}

/// What the gateway does of itself about referrals of a transfer whose moment has come.
struct Act<'a> {
    lines: Lines<'a>,
    facts: Vec<(Aggregate, Id, Record)>,
    writes: Vec<Write>,
    lists: Vec<(List, Id)>,
}

/// Does what is due: both sides of an offer without an answer are told and the next service is asked;
/// what an ended overlap left is destroyed; which area was picked is forgotten.
///
/// # Errors
/// [`BadRuling`].
pub fn due(
    rules: &Rules,
    when: When,
    entropy: &Entropy,
    keys: Keys,
    known: &Known,
    due: &Due<'_>,
) -> Result<Option<Decision<Ruled>>, BadRuling> {
    let mut act = Act {
        lines: Lines::new(entropy, when),
        facts: Vec::new(),
        writes: Vec::new(),
        lists: Vec::new(),
    };
    let mut seen: Vec<Id> = Vec::new();
    for entry in due.entries {
        let due_now = i64::try_from(entry.at).is_ok_and(|at| at <= due.now.millis());
        if !due_now || seen.contains(&entry.item) {
            continue;
        }
        seen.push(entry.item);
        act.writes.push(Write::Unlist {
            list: List::TransfersDue,
            item: entry.item,
        });
        let mut referrals = known.referrals.values();
        let Some(referral) = referrals.find(|one| one.id.id() == entry.item) else {
            continue;
        };
        if referral.route.is_some() {
            act.unanswered(known, &rules.clock, referral, due.now);
        }
        if referral.handover.is_some() {
            act.ended(known, referral, due.now);
        }
    }
    let act = OwnAct {
        user: "transfers",
        action: "move_on",
        reason: "due".to_owned(),
        rule: String::new(),
        answer: Answer::MovedOn,
        // In no organisation's list: who hands her over must not learn who was asked.
        told: Vec::new(),
        concerned: Vec::new(),
        // Every organisation sees the entry: how many move is not theirs to count.
        notes: Vec::new(),
        request: Vec::new(),
        facts: act.facts.into_iter().chain(act.lines.facts).collect(),
        removed: Vec::new(),
        lists: act.lists,
        writes: act.writes.into_iter().chain(act.lines.writes).collect(),
        urgent: true,
    };
    own_acts::entry(rules, when, entropy, keys, known, act)
}

impl Act<'_> {
    fn save(&mut self, referral: Referral) {
        let of = Aggregate::Referral(referral.id);
        let record = Record::Referral(referral);
        self.facts.push((of, singleton("referral"), record));
    }

    fn list(&mut self, list: List, at: u64, item: Id) {
        self.writes.push(Write::List { list, at, item });
    }

    /// What a pause stands in the way of is looked at again when the last one is over.
    fn waits_for_pauses(&mut self, referral: &Referral, now: When) -> bool {
        let last = referral.paused_until().filter(|last| now < *last);
        if let Some(last) = last {
            self.list(List::TransfersDue, last.place(), referral.id.id());
        }
        last.is_some()
    }

    fn unanswered(&mut self, known: &Known, clock: &CodeClock, onward: &Referral, now: When) {
        let Some(route) = &onward.route else {
            return;
        };
        if self.waits_for_pauses(onward, now) {
            return;
        }
        // A service that put her on its waiting list has answered.
        let waits = onward.status == ReferralStatus::Offered;
        if !waits {
            return;
        }
        if now < route.answer_by {
            self.list(List::TransfersDue, route.answer_by.place(), onward.id.id());
            return;
        }
        self.lists
            .push((List::Events(onward.recipient.clone()), onward.id.id()));
        self.lists.extend(tells_origin(known, onward));
        if let Ok(asked) = asks_next(known, clock, onward, None, now) {
            self.writes.push(Write::Unlist {
                list: List::Inbox(onward.recipient.clone()),
                item: onward.id.id(),
            });
            for (list, at, item) in asked.lists {
                self.list(list, at, item);
            }
            self.lines.unanswered(onward);
            self.lines.offered(&asked.referral);
            self.save(asked.referral);
        }
    }

    fn ended(&mut self, known: &Known, origin: &Referral, now: When) {
        let mut after = origin.clone();
        let Some(handover) = &mut after.handover else {
            return;
        };
        if handover.area(now).is_none() {
            handover.area = None;
        } else {
            self.list(
                List::TransfersDue,
                handover.forgets_at().place(),
                origin.id.id(),
            );
        }
        match handover.ends_at() {
            Some(end) if end <= now => {}
            Some(end) => {
                self.list(List::TransfersDue, end.place(), origin.id.id());
            }
            None => {}
        }
        let over = handover.is_over(now) && !self.waits_for_pauses(origin, now);
        if over && origin.status == ReferralStatus::Accepted {
            after.status = ReferralStatus::Closed;
            let of = Aggregate::Referral(origin.id);
            for part in known.parts.iter().filter(|part| part.of == of) {
                self.writes.push(Write::Remove {
                    of: of.clone(),
                    item: part.item,
                });
            }
            self.writes.push(Write::Unlist {
                list: List::Inbox(origin.recipient.clone()),
                item: origin.id.id(),
            });
        }
        if after != *origin {
            self.save(after);
        }
    }
}
