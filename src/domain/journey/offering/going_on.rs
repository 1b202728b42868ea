//! An offer goes on to the next service if it is declined, or not answered by the hour of its urgency
//! (3.0.6).
//!
//! Only to services that fit and that her consent names. Its sender sees the same wherever it is, and at
//! an hour that was reckoned when it was made.

use crate::domain::answer::Answer;
use crate::domain::asking::{Asking, NEXT_MAX, hours};
use crate::domain::attempt::{Attempt, Entropy};
use crate::domain::clock::{CodeClock, Hours};
use crate::domain::codes::{DeclineReason, ReferralStatus};
use crate::domain::consent::{Consent, Flow};
use crate::domain::decision::{Aggregate, Decision, List, Listed, Write};
use crate::domain::id::{Id, ServiceId};
use crate::domain::known::Known;
use crate::domain::organisation::{Organisation, Service};
use crate::domain::policy::{Ask, authorise};
use crate::domain::record::{Record, singleton};
use crate::domain::referral::Referral;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;
use crate::domain::time::When;
use crate::domain::transfer::{Past, fitting};

use super::super::answering::{erase_parts, save, she_lets, unlist};
use super::super::counting::{self, Lines};
use super::super::own_acts::{self, OwnAct};
use super::super::{REFERRAL_PURPOSE, recipient};
use super::REFERRAL_CLASSES;

/// Offers looked at in one decision of the gateway's own.
pub const DONE_AT_ONCE: u16 = 16;
/// Keys of such a decision: a fact and two lines for each, and its account.
pub const KEYS: usize = 3 * DONE_AT_ONCE as usize + 2;

/// Whether her consent names more than the one service, so that another may be asked.
pub fn may_go_on(consent: &Consent) -> bool {
    let named = &consent.recipients;
    !named.families.is_empty() || named.organisations.len() > 1
}

/// Who is asked after the service that the sender chose: of its family, in the area, by the gateway's
/// own draw. What is stored about her is not looked at, so that a sender learns nothing from it.
pub fn begins(
    ruling: &Ruling<'_>,
    known: &Known,
    ask: &Ask,
    (service, receiver): (&Service, &Organisation),
    consent: Option<&Consent>,
    (urgency, area): (crate::domain::clock::Urgency, Option<&str>),
) -> Option<Asking> {
    let attempt = ruling.attempt();
    let clock = &ruling.rules().clock;
    let consent = consent.filter(|consent| may_go_on(consent));
    let next = consent.map(|consent| {
        let area = area.or(service.area.as_deref()).unwrap_or_default();
        let wanted = (attempt.organisation(), area, service.family);
        let draw = |id: &ServiceId| attempt.entropy.bytes(&format!("draw {}", id.as_str()));
        let found = fitting(
            &known.directory,
            &known.organisations,
            wanted,
            attempt.when,
            draw,
        );
        let mut asked = vec![&receiver.id];
        let mut next: Vec<(ServiceId, Hours)> = Vec::new();
        for id in found {
            if next.len() == NEXT_MAX {
                break;
            }
            let Some((other, runs)) = run_by(known, &id) else {
                continue;
            };
            let one_each = !asked.contains(&&runs.id);
            if one_each && may_be_told(ruling, known, ask, consent, (other, runs)) {
                asked.push(&runs.id);
                next.push((id, hours(runs)));
            }
        }
        next
    });
    let next = next.unwrap_or_default();
    Asking::begun(clock, urgency, attempt.when, receiver, next)
}

fn run_by<'a>(known: &'a Known, id: &ServiceId) -> Option<(&'a Service, &'a Organisation)> {
    let service = known.directory.service(id)?;
    let runs = known.organisations.get(&service.organisation)?;
    Some((service, runs))
}

/// Policy and her consent, as for the service that the sender chose.
fn may_be_told(
    ruling: &Ruling<'_>,
    known: &Known,
    ask: &Ask,
    consent: &Consent,
    (service, runs): (&Service, &Organisation),
) -> bool {
    let attempt: &Attempt = ruling.attempt();
    let families = known.families(&runs.id);
    let flow = Flow {
        holder: attempt.organisation(),
        recipient: &runs.id,
        recipient_families: &families,
        classes: &REFERRAL_CLASSES,
        purpose: REFERRAL_PURPOSE,
        depth: None,
        now: attempt.when,
    };
    let state = consent.state(&flow, &[], attempt.organisation());
    let mut ask = ask.clone();
    ask.recipient = recipient(runs, &service.team, attempt);
    ask.consent = Some(state);
    state.live && state.covers && authorise(&ruling.rules().book.policies, &ask, ()).is_ok()
}

/// Puts an offer on the clock: when it is late, and when its sender is shown the line.
pub fn list_due(ruling: &mut Ruling<'_>, referral: &Referral) {
    if let Some(asking) = &referral.asking {
        for at in [asking.answer_by, asking.line_from] {
            ruling.list(List::OffersDue, at.place(), referral.id.id());
        }
    }
}

/// Danger has grown: the service that is asked has the time of an urgent offer, from now. When its
/// sender is shown the line does not change, because it must not depend on who is asked.
pub fn sooner(ruling: &mut Ruling<'_>, referral: &mut Referral) {
    let (now, known) = (ruling.attempt().when, ruling.known());
    let runs = known.organisations.get(&referral.recipient);
    let open = runs.map_or(Hours::Working, hours);
    let urgency = referral.operational.urgency.urgency();
    let by = ruling.rules().clock.answer_by(urgency, now, open);
    let (Some(asking), Ok(by)) = (&mut referral.asking, by) else {
        return;
    };
    if by < asking.answer_by {
        asking.since = now;
        asking.answer_by = by;
        ruling.list(List::OffersDue, by.place(), referral.id.id());
    }
}

/// A pause was lifted before its end. The clock may have put the hour of the service behind that end
/// already: it has its time from now, or from the end of what still stands in the way.
pub fn resumed(ruling: &mut Ruling<'_>, referral: &mut Referral) {
    let now = ruling.attempt().when;
    let from = referral.paused_until().unwrap_or(now).max(now);
    let Some(asking) = &mut referral.asking else {
        return;
    };
    if from < asking.since {
        let given = asking.answer_by.millis() - asking.since.millis();
        asking.since = from;
        asking.answer_by = from.plus_millis(given);
        ruling.list(List::OffersDue, asking.answer_by.place(), referral.id.id());
    }
}

/// The service said no: whether the next one is asked. Not if she does not want it.
pub fn declined(
    ruling: &mut Ruling<'_>,
    known: &Known,
    referral: &Referral,
    reason: DeclineReason,
) -> bool {
    let now = ruling.attempt().when;
    if reason == DeclineReason::VictimDeclined {
        return false;
    }
    let clock = &ruling.rules().clock;
    let Some(asked) = asks_next(known, clock, referral, Some(reason), now) else {
        return false;
    };
    unlist(ruling, referral);
    for (list, at) in asked.lists {
        ruling.list(list, at, referral.id.id());
    }
    counting::offered(ruling, &asked.referral);
    save(ruling, &asked.referral);
    true
}

/// It ends with the service that declined it: nobody is left.
pub fn ends(ruling: &mut Ruling<'_>, known: &Known, referral: &Referral, reason: DeclineReason) {
    let mut referral = referral.clone();
    referral.status = ReferralStatus::Declined;
    referral.decline_reason = Some(reason);
    referral.answered_at = Some(ruling.attempt().when);
    // Identity is never released on a declined offer: its keys go at once.
    erase_parts(ruling, known, referral.id);
    unlist(ruling, &referral);
    save(ruling, &referral);
}

/// An offer at the next service, and in which lists it stands there.
struct Asked {
    referral: Referral,
    lists: Vec<(List, u64)>,
}

fn asks_next(
    known: &Known,
    clock: &CodeClock,
    before: &Referral,
    reason: Option<DeclineReason>,
    now: When,
) -> Option<Asked> {
    let mut referral = before.clone();
    let asking = referral.asking.as_mut()?;
    asking.past.push(Past {
        organisation: before.recipient.clone(),
        reason,
        at: now,
    });
    let may = |service: &Service| she_lets(known, before, service, now);
    let service = asking.advance(&known.directory, &known.organisations, now, may)?;
    let runs = known.organisations.get(&service.organisation)?;
    let urgency = before.operational.urgency.urgency();
    let by = clock.answer_by(urgency, now, hours(runs));
    asking.since = now;
    asking.answer_by = by.unwrap_or(now.plus_days(1));
    let answer_by = asking.answer_by.place();
    referral.recipient = service.organisation.clone();
    referral.recipient_team = service.team.clone();
    referral.service = service.id.clone();
    referral.status = ReferralStatus::Offered;
    referral.answered_at = None;
    let contact_by = clock.contact_by(urgency, now);
    referral.contact_by = contact_by.unwrap_or(now.plus_days(1));
    let to = &referral.recipient;
    let lists = vec![
        (List::Inbox(to.clone()), referral.contact_by.place()),
        (List::Events(to.clone()), 0),
        (List::OffersDue, answer_by),
    ];
    Some(Asked { referral, lists })
}

/// What is due by the clock.
pub struct Due<'a> {
    pub now: When,
    pub entries: &'a [Listed],
}

/// What the gateway does of itself about offers whose moment has come.
struct Act<'a> {
    lines: Lines<'a>,
    facts: Vec<(Aggregate, Id, Record)>,
    writes: Vec<Write>,
    lists: Vec<(List, Id)>,
}

/// Does what is due: an offer that nobody answered goes to the next service, or ends; and its sender is
/// told when nobody has accepted her.
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
            list: List::OffersDue,
            item: entry.item,
        });
        let mut referrals = known.referrals.values();
        if let Some(referral) = referrals.find(|one| one.id.id() == entry.item) {
            act.offer(known, &rules.clock, referral, due.now);
        }
    }
    let act = OwnAct {
        user: "offers",
        action: "pass_on",
        reason: "due".to_owned(),
        rule: String::new(),
        answer: Answer::MovedOn,
        // In no organisation's list: its sender must not learn who was asked.
        told: Vec::new(),
        concerned: Vec::new(),
        // Every organisation sees the entry: how many wait is not theirs to count.
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
    fn list(&mut self, list: List, at: u64, item: Id) {
        self.writes.push(Write::List { list, at, item });
    }

    fn offer(&mut self, known: &Known, clock: &CodeClock, before: &Referral, now: When) {
        let item = before.id.id();
        let mut after = before.clone();
        let Some(asking) = &mut after.asking else {
            return;
        };
        if now < asking.line_from {
            self.list(List::OffersDue, asking.line_from.place(), item);
        } else if !asking.told {
            asking.told = true;
            // Also of what she stopped or a service declined: all that waits reads alike.
            if before.is_unanswered(now) {
                self.lists.push((List::Events(before.sender.clone()), item));
            }
        }
        if before.paused.is_some() {
            // It goes on where it stood, and the service has its time again.
            let ends = before.paused_until().unwrap_or(now).max(now);
            let given = asking.answer_by.millis() - asking.since.millis();
            asking.since = ends;
            asking.answer_by = ends.plus_millis(given);
            self.list(List::OffersDue, asking.answer_by.place(), item);
        } else if before.status == ReferralStatus::Offered {
            if now < asking.answer_by {
                self.list(List::OffersDue, asking.answer_by.place(), item);
            } else {
                after = self.late(known, clock, after, now);
            }
        }
        if after != *before {
            let of = Aggregate::Referral(after.id);
            let record = Record::Referral(after);
            self.facts.push((of, singleton("referral"), record));
        }
    }

    /// It is closed to the service that had it, which is told so.
    fn late(&mut self, known: &Known, clock: &CodeClock, late: Referral, now: When) -> Referral {
        let item = late.id.id();
        let had = late.recipient.clone();
        self.lines.unanswered(&late);
        self.writes.push(Write::Unlist {
            list: List::Inbox(had.clone()),
            item,
        });
        self.lists.push((List::Events(had), item));
        if let Some(asked) = asks_next(known, clock, &late, None, now) {
            for (list, at) in asked.lists {
                self.list(list, at, item);
            }
            self.lines.offered(&asked.referral);
            return asked.referral;
        }
        // Identity is never released on an expired offer: its keys go at once.
        let of = Aggregate::Referral(late.id);
        for part in known.parts.iter().filter(|part| part.of == of) {
            self.writes.push(Write::Remove {
                of: of.clone(),
                item: part.item,
            });
        }
        Referral {
            status: ReferralStatus::Expired,
            ..late
        }
    }
}

#[cfg(test)]
pub mod tests;
