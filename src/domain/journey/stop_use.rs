//! Whoever was shown something is asked to stop using it after she withdrew, and answers (3.4).
//!
//! A holder is told of its own record alone: not why, not by whom, not who else. Who took the
//! withdrawal is never told whether anybody holds anything.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::alias::AliasKind;
use crate::domain::answer::Answer;
use crate::domain::assessment::{ASSESSMENT_CLASSES, ASSESSMENT_PURPOSE};
use crate::domain::attempt::{Attempt, Entropy};
use crate::domain::codes::{LawfulKeeping, StopUseReply};
use crate::domain::consent::Tombstone;
use crate::domain::decision::{Aggregate, Decision, List, Write};
use crate::domain::id::{Id, OrgId, PersonId, StopUseId, WithdrawalId};
use crate::domain::known::Known;
use crate::domain::record::{PersonReferral, Record, singleton};
use crate::domain::referral::Referral;
use crate::domain::refusal::Refusal;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;
use crate::domain::stop_use::{NoticeState, REPLY_DAYS, Reply, Shown, StopUse};
use crate::domain::time::When;
use crate::domain::watch::RuleCode;

use super::answering::classes_of;
use super::keeping::{new_item, told_of};
use super::own_acts::{self, OwnAct};
use super::{REFERRAL_PURPOSE, Stop, caller, permit};

/// Holders that one withdrawal notifies, at most: as many as one decision has keys for, where each has
/// a record, a referral and a notice, so that the withdrawal itself never fails for their number.
const HOLDERS_MAX: usize = 48;
/// Notices of one organisation that one entry of the night puts before its officer.
pub const REMINDED_MAX: usize = 16;

/// Who was shown what of her, among what a withdrawal stops.
pub struct Reached(BTreeMap<(OrgId, PersonId), BTreeSet<Shown>>);

impl Reached {
    /// Those who were shown assessments across a link of the records that her word reaches.
    pub fn by(known: &Known, tombstone: &Tombstone, linked: &[PersonId]) -> Self {
        let mut reached = Self(BTreeMap::new());
        for pair in known.links.values() {
            let hers = linked.contains(&pair.held) || linked.contains(&pair.other);
            let ends = [&pair.holder, &pair.asker];
            let stops = tombstone.stops(&ends, &ASSESSMENT_CLASSES, ASSESSMENT_PURPOSE);
            if hers && stops && pair.shown_at.is_some() {
                reached.add(&pair.asker, pair.other, Shown::Assessments);
            }
        }
        reached
    }

    /// Who she is was passed on with this referral, whatever became of it since.
    pub fn was_released(&mut self, referral: &Referral) {
        if let (Some(person), Some(_)) = (referral.recipient_person, referral.details_passed_at) {
            self.add(&referral.recipient, person, Shown::Details);
        }
    }

    /// Nor does it matter that a service handed her back: it was shown who she is.
    pub fn was_handed_back(&mut self, known: &Known, referral: &Referral, tombstone: &Tombstone) {
        let is_of_it = |one: &PersonReferral| one.referral == referral.id && !one.sent;
        for (person, hers) in &known.people {
            let had = hers.referrals.iter().any(is_of_it);
            let holder = hers.record.as_ref().map(|record| &record.organisation);
            let Some(holder) = holder.filter(|_| had) else {
                continue;
            };
            let ends = [&referral.sender, holder];
            let stops = tombstone.stops(&ends, classes_of(referral), REFERRAL_PURPOSE);
            // Who has it now is reached as such, or agreed to anew.
            if stops && Some(*person) != referral.recipient_person {
                self.add(holder, *person, Shown::Details);
            }
        }
    }

    fn add(&mut self, holder: &OrgId, person: PersonId, shown: Shown) {
        let of = (holder.clone(), person);
        self.0.entry(of).or_default().insert(shown);
    }
}

/// One notice to each. Made again, as when a pause is confirmed, it stays the notice that it is, with
/// its clock and what was answered; one that ended meanwhile begins anew, because its holder was told
/// that nothing is to be done.
pub fn notify(
    ruling: &mut Ruling<'_>,
    known: &Known,
    tombstone: &Tombstone,
    withdrawal: WithdrawalId,
    reached: &Reached,
) -> Vec<StopUseId> {
    let now = ruling.attempt().when;
    let before = known.taken.get(&withdrawal);
    let mut notices: Vec<StopUseId> = before.map_or_else(Vec::new, |one| one.notices.clone());
    if reached.0.len() > HOLDERS_MAX {
        // For the reviewers, who can tell the others. Whoever took it does not see it.
        ruling.note("stop-use-holders-left-out");
        for reviewer in &known.approvers.reviewers {
            ruling.concerns(reviewer);
        }
    }
    for ((holder, person), shown) in reached.0.iter().take(HOLDERS_MAX) {
        let id = StopUseId::of(withdrawal, *person);
        let earlier = known.stop_uses.get(&id);
        let stands = earlier.filter(|notice| notice.state(now) != NoticeState::Ended);
        let notice = StopUse {
            id,
            withdrawal,
            holder: holder.clone(),
            person: *person,
            shown: shown.iter().copied().collect(),
            at: stands.map_or(now, |stands| stands.at),
            reply_by: stands.map_or(now.plus_days(REPLY_DAYS), |stands| stands.reply_by),
            until: tombstone.until,
            replied: stands.and_then(|stands| stands.replied.clone()),
            reminded: stands.is_some_and(|stands| stands.reminded),
        };
        save(ruling, &notice);
        if stands.is_none() {
            if let Some(earlier) = earlier {
                ruling.write(off_the_clock(earlier));
                not_news(ruling, holder, id.id());
            }
            ruling.note("stop-use-notice");
            ruling.concerns(holder);
            news(ruling, holder, id.id());
            ruling.list(clock(holder), notice.reply_by.place(), id.id());
        }
        notices.push(id);
    }
    notices.sort_unstable();
    notices.dedup();
    notices
}

/// Tells an organisation of what follows from her word, among all its news and by itself: there it is
/// found behind a hundred thousand referrals.
pub fn news(ruling: &mut Ruling<'_>, of: &OrgId, item: Id) {
    ruling.list(List::Events(of.clone()), 0, item);
    ruling.list(List::HerWord(of.clone()), 0, item);
}

/// Takes it back, so that it can be news again.
fn not_news(ruling: &mut Ruling<'_>, of: &OrgId, item: Id) {
    for list in [List::Events(of.clone()), List::HerWord(of.clone())] {
        ruling.write(Write::Unlist { list, item });
    }
}

/// Ends the notices of a pause that was lifted.
pub fn end(ruling: &mut Ruling<'_>, known: &Known, notices: &[StopUseId]) {
    let now = ruling.attempt().when;
    for notice in notices.iter().filter_map(|id| known.stop_uses.get(id)) {
        let until = notice.until.map_or(now, |until| until.min(now));
        ruling.write(off_the_clock(notice));
        // That it may go on is news as much as that it had to stop.
        not_news(ruling, &notice.holder, notice.id.id());
        news(ruling, &notice.holder, notice.id.id());
        save(
            ruling,
            &StopUse {
                until: Some(until),
                ..notice.clone()
            },
        );
    }
}

/// What a holder answers.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    pub code: StopUseReply,
    /// With `kept_by_law`, and only there.
    pub ground: Option<LawfulKeeping>,
}

/// The holder says what became of what it was shown. It may say so again: what it kept by law it may
/// delete later.
pub fn answer(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    alias: Id,
    said: Said,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    match decide(&mut ruling, known, alias, said) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide(ruling: &mut Ruling<'_>, known: &Known, alias: Id, said: Said) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    permit(ruling, &caller.ask(attempt, caller.as_recipient()), ())?;
    let inward = ruling.aliases().inward(AliasKind::StopUse, alias);
    ruling.object(Some(alias), Some(inward));
    ruling.reason(said.code.code());
    if let Some(ground) = said.ground {
        ruling.note(ground.code());
    }
    let own = attempt.organisation();
    let notice = known.stop_uses.get(&StopUseId(inward));
    let notice = notice.filter(|notice| notice.holder == *own);
    let notice = notice.ok_or(Stop::Nothing("no such notice"))?;
    if notice.state(attempt.when) == NoticeState::Ended {
        return Err(Stop::Refuse(Refusal::AlreadyAnswered));
    }
    let person = known.people.get(&notice.person);
    if let Some(record) = person.and_then(|person| person.record.as_ref()) {
        ruling.subject(&record.tokens);
    }
    ruling.write(off_the_clock(notice));
    let replied = StopUse {
        replied: Some(Reply {
            at: attempt.when,
            by: attempt.user.as_str().to_owned(),
            code: said.code,
            ground: said.ground,
        }),
        ..notice.clone()
    };
    save(ruling, &replied);
    Ok(Answer::StopUseAnswered {
        notice: StopUseId(alias),
        code: said.code,
    })
}

/// Notices of `own` whose time is over and that nobody answered.
pub fn overdue<'a>(
    known: &'a Known,
    own: &'a OrgId,
    now: When,
) -> impl Iterator<Item = &'a StopUse> {
    known.stop_uses.values().filter(move |notice| {
        notice.holder == *own && notice.state(now) == NoticeState::Overdue && !notice.reminded
    })
}

/// Puts what nobody answered in time before the holder's own officer, and takes what the clock need
/// not watch any more off its list. `looked_at` are the notices that the clock named.
///
/// # Errors
/// [`BadRuling`].
pub fn remind(
    rules: &Rules,
    when: When,
    entropy: &Entropy,
    keys: Keys,
    known: &Known,
    own: &OrgId,
    looked_at: &[StopUseId],
) -> Result<Option<Decision<Ruled>>, BadRuling> {
    let Some(rule) = rules.watch.rule(RuleCode::StopUseOverdue) else {
        return Ok(None);
    };
    let (mut facts, mut lists) = (Vec::new(), Vec::new());
    let mut count = 0_u32;
    for notice in overdue(known, own, when) {
        count = count.saturating_add(1);
        let reminded = StopUse {
            reminded: true,
            ..notice.clone()
        };
        facts.push((
            Aggregate::StopUse(notice.id),
            singleton("stop use"),
            Record::StopUse(reminded),
        ));
    }
    if count > 0 {
        for (place, told) in told_of(rule, known, own).into_iter().enumerate() {
            let id = entropy.id(&format!("stop use overdue {place}"));
            let mut item = new_item(id, rule, rules, own, when);
            item.count = count;
            lists.push((List::Queue(told.clone()), id));
            facts.push((Aggregate::Queue(told), id, Record::QueueItem(item)));
        }
    }
    let off = looked_at.iter().map(|id| Write::Unlist {
        list: clock(own),
        item: id.id(),
    });
    let act = OwnAct {
        user: "watch",
        action: "remind",
        reason: rule.code.code().to_owned(),
        rule: String::new(),
        answer: Answer::Watched,
        // Not the operator's to count: whose it is stands in the holder's own list alone.
        told: vec![own.clone()],
        concerned: vec![own.clone()],
        notes: vec![format!("items-{}", u32::from(count > 0))],
        request: own.as_str().as_bytes().to_vec(),
        facts,
        removed: Vec::new(),
        lists,
        writes: off.collect(),
        urgent: true,
    };
    own_acts::entry(rules, when, entropy, keys, known, act)
}

/// Where an organisation's unanswered notices are, by when they are to be answered.
pub fn clock(holder: &OrgId) -> List {
    List::StopUses(holder.clone())
}

fn off_the_clock(notice: &StopUse) -> Write {
    Write::Unlist {
        list: clock(&notice.holder),
        item: notice.id.id(),
    }
}

fn save(ruling: &mut Ruling<'_>, notice: &StopUse) {
    ruling.fact(
        Aggregate::StopUse(notice.id),
        singleton("stop use"),
        &Record::StopUse(notice.clone()),
    );
}

#[cfg(test)]
mod tests;
