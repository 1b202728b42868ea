//! What is said after an emergency, within a day: what was done, and whether she agrees now (3.6).
//!
//! It is asked for whether anything was shown or not, so that nothing here tells which. It records no
//! consent; it says how to.

use crate::domain::alias::AliasKind;
use crate::domain::answer::Answer;
use crate::domain::attempt::{Attempt, Entropy};
use crate::domain::audit::QueueItem;
use crate::domain::codes::{AskedAfterwards, EmergencyAct};
use crate::domain::decision::{Aggregate, Decision, List, Listed, Write};
use crate::domain::emergency::{Emergency, FollowUp, REPORTS_MAX, SeenEmergency, emergency_item};
use crate::domain::id::{EmergencyId, Id, OrgId};
use crate::domain::known::Known;
use crate::domain::record::Record;
use crate::domain::refusal::Refusal;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;
use crate::domain::time::When;
use crate::domain::watch::RuleCode;

use super::super::keeping::{new_item, told_of};
use super::super::own_acts::{self, OwnAct};
use super::super::{Stop, caller, permit};

/// Emergencies of one organisation that one entry of the clock puts before its officer.
pub const REMINDED_MAX: usize = 16;

/// What a senior says of one emergency.
pub struct Said {
    pub done: Vec<EmergencyAct>,
    pub asked: AskedAfterwards,
}

/// What the clock names.
#[derive(Clone, Copy)]
pub struct Due<'a> {
    pub own: &'a OrgId,
    /// What is due by then.
    pub now: When,
    pub looked_at: &'a [EmergencyId],
}

/// The glass is broken: somebody has to say by tomorrow what came of it.
pub fn begins(ruling: &mut Ruling<'_>) {
    let attempt = ruling.attempt();
    // As the leaf draws it: the emergency is its entry, so that who was told nothing learns no more
    // from the name of it than from the receipt.
    let id = EmergencyId(Id::drawn(attempt.entropy.bytes("leaf id")));
    let emergency = Emergency {
        id,
        organisation: attempt.organisation().clone(),
        user: attempt.user.as_str().to_owned(),
        at: attempt.when,
        reports: Vec::new(),
        reminded: false,
    };
    let outward = ruling.aliases().outward(AliasKind::Emergency, id.id());
    ruling.made(outward);
    let due = emergency.due().place();
    ruling.list(clock(&emergency.organisation), due, id.id());
    save(ruling, &emergency);
}

/// Decides what is said of the emergency known outside as `alias`. Said again, it is a correction, and
/// what was said before stays beside it.
///
/// # Errors
/// [`BadRuling`].
pub fn follow_up(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    alias: Id,
    said: &Said,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    let inward = ruling.aliases().inward(AliasKind::Emergency, alias);
    ruling.object(Some(alias), Some(inward));
    // What the caller said itself, so that its own officer reads it beside what was done.
    let done = said.done.iter().map(|one| one.code());
    let said_so: Vec<&str> = std::iter::once(said.asked.code()).chain(done).collect();
    ruling.reason(&said_so.join(" "));
    match decide(&mut ruling, known, EmergencyId(inward), alias, said) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide(
    ruling: &mut Ruling<'_>,
    known: &Known,
    id: EmergencyId,
    alias: Id,
    said: &Said,
) -> Result<Answer, Stop> {
    may(ruling, known)?;
    let attempt = ruling.attempt();
    let own = attempt.organisation();
    let found = known.emergencies.get(&id);
    let found = found.filter(|emergency| emergency.organisation == *own);
    let found = found.ok_or(Stop::Nothing("no such emergency"))?;
    if found.reports.len() >= REPORTS_MAX {
        return Err(Stop::Refuse(Refusal::AlreadyAnswered));
    }
    if !found.reports.is_empty() {
        ruling.note("corrected");
    }
    ruling.write(Write::Unlist {
        list: clock(own),
        item: id.id(),
    });
    let mut followed = found.clone();
    followed.reports.push(FollowUp {
        at: attempt.when,
        by: attempt.user.as_str().to_owned(),
        done: said.done.clone(),
        asked: said.asked,
    });
    save(ruling, &followed);
    Ok(Answer::FollowedUp {
        emergency: EmergencyId(alias),
        asked: said.asked,
    })
}

/// Emergencies of the caller's organisation of which nothing was said yet, for whoever is on shift now.
/// `entries` are positions of the clock.
///
/// # Errors
/// [`BadRuling`].
pub fn waiting(
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
    let own = attempt.organisation();
    let listed = entries
        .iter()
        .filter_map(|entry| known.emergencies.get(&EmergencyId(entry.item)));
    let waiting = listed.filter(|one| one.organisation == *own && one.reports.is_empty());
    let seen = waiting.map(|one| SeenEmergency {
        id: EmergencyId(ruling.aliases().outward(AliasKind::Emergency, one.id.id())),
        user: one.user.clone(),
        at: one.at,
        due: one.due(),
        is_overdue: one.is_overdue(attempt.when),
    });
    let seen = seen.collect();
    ruling.finish(Answer::Emergencies(seen))
}

fn may(ruling: &mut Ruling<'_>, known: &Known) -> Result<(), Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    permit(ruling, &caller.ask(attempt, caller.as_recipient()), ()).map(|_| ())
}

/// Puts emergencies of which nothing was said in time before those whom the rule names, one item each,
/// and takes what the clock need not watch any more off its list.
///
/// # Errors
/// [`BadRuling`].
pub fn remind(
    rules: &Rules,
    when: When,
    entropy: &Entropy,
    keys: Keys,
    known: &Known,
    due: &Due<'_>,
) -> Result<Option<Decision<Ruled>>, BadRuling> {
    let Due {
        own,
        now,
        looked_at,
    } = *due;
    let Some(rule) = rules.watch.rule(RuleCode::FollowUpOverdue) else {
        return Ok(None);
    };
    let told = told_of(rule, known, own);
    let (mut facts, mut lists) = (Vec::new(), Vec::new());
    let mut items = 0_u32;
    for emergency in overdue(known, own, now) {
        items = items.saturating_add(1);
        for (place, told) in told.iter().enumerate() {
            let id = entropy.id(&format!("follow-up {items} overdue {place}"));
            let item = QueueItem {
                user: emergency.user.clone(),
                ..new_item(id, rule, rules, own, when)
            };
            lists.push((List::Queue(told.clone()), id));
            let of = Aggregate::Queue(told.clone());
            facts.push((of, id, Record::QueueItem(item)));
        }
        let reminded = Emergency {
            reminded: true,
            ..emergency.clone()
        };
        facts.push((
            Aggregate::Emergency(emergency.id),
            emergency_item(),
            Record::Emergency(reminded),
        ));
    }
    // What nobody has answered stays on the list, for whoever is on shift.
    let settled = looked_at.iter().filter(|id| {
        let found = known.emergencies.get(id);
        found.is_none_or(|one| !one.reports.is_empty())
    });
    let off = settled.map(|id| Write::Unlist {
        list: clock(own),
        item: id.id(),
    });
    let act = OwnAct {
        user: "watch",
        action: "remind",
        reason: rule.code.code().to_owned(),
        rule: String::new(),
        answer: Answer::Watched,
        told: vec![own.clone()],
        concerned: vec![own.clone()],
        notes: vec![format!("items-{items}")],
        request: own.as_str().as_bytes().to_vec(),
        facts,
        removed: Vec::new(),
        lists,
        writes: off.collect(),
        urgent: true,
    };
    own_acts::entry(rules, when, entropy, keys, known, act)
}

/// Emergencies of `own` that are to be put before somebody.
pub fn overdue<'a>(
    known: &'a Known,
    own: &'a OrgId,
    now: When,
) -> impl Iterator<Item = &'a Emergency> {
    let own = known
        .emergencies
        .values()
        .filter(move |one| one.organisation == *own);
    own.filter(move |one| one.is_overdue(now) && !one.reminded)
        .take(REMINDED_MAX)
}

/// Where an organisation's emergencies are of which nothing was said yet.
pub fn clock(own: &OrgId) -> List {
    List::FollowUps(own.clone())
}

fn save(ruling: &mut Ruling<'_>, emergency: &Emergency) {
    ruling.fact(
        Aggregate::Emergency(emergency.id),
        emergency_item(),
        &Record::Emergency(emergency.clone()),
    );
}
