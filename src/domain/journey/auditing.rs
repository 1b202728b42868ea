//! The information-governance officer reads the log, looks a person up in it, and works the queue
//! of what must be decided (3.5). Her own reading is an attempt like any other.
//!
//! What she sees of each entry is settled by [`visible`](crate::domain::audit::visible), after her
//! reading is logged; nothing here opens an entry.

use std::ops::Range;

use crate::domain::alias::AliasKind;
use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::audit::{
    Checked, Desk, Filter, PassedOn, QueueDecision, QueueItem, QueueState, QueueVerdict, Reading,
    SeenItem, Stretch, Viewer, since_friday, tally_item,
};
use crate::domain::codes::OrgKind;
use crate::domain::decision::{Aggregate, Decision, List, Write};
use crate::domain::id::{Id, OrgId};
use crate::domain::known::Known;
use crate::domain::person::TaggedToken;
use crate::domain::record::Record;
use crate::domain::refusal::Refusal;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;
use crate::domain::time::When;

use super::subject_access::pressing;
use super::{Stop, caller, permit};

/// A decided item is shown this long; then the log alone remembers it.
pub const DECIDED_DAYS: i64 = 90;
/// Old items taken away in one decision.
const REMOVED_MAX: usize = 16;

/// A page of the log, or what it holds about the person with these tokens.
///
/// The reading is itself listed under her, so that the next reader sees it.
pub fn entries(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    about: Option<&[TaggedToken]>,
    indices: &[u64],
    filter: &Filter,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    if let Some(tokens) = about {
        ruling.looks_up(tokens);
    }
    match permitted(&mut ruling, known) {
        Ok(viewer) => ruling.finish(Answer::Entries(Reading {
            indices: indices.to_vec(),
            viewer,
            filter: filter.clone(),
        })),
        Err(stop) => ruling.stop(stop),
    }
}

/// The key by which the caller's organisation finds its own entries in the public log. It shows how
/// many there are and when, so it is for those who audit.
pub fn trail(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    match permitted(&mut ruling, known) {
        Ok(viewer) => ruling.finish(Answer::Trail(rules.trail_key(&viewer.organisation))),
        Err(stop) => ruling.stop(stop),
    }
}

pub(super) fn permitted(ruling: &mut Ruling<'_>, known: &Known) -> Result<Viewer, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    permit(ruling, &caller.ask(attempt, caller.as_recipient()), ())?;
    Ok(Viewer {
        organisation: attempt.organisation().clone(),
        kind: caller.kind(),
        tainted: caller.actor.tainted,
    })
}

/// What the caller's organisation must decide, the most urgent first, then what it decided lately;
/// with the stretch of the log from which the counts are made.
pub fn queue(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    within: &Range<u64>,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    let viewer = match permitted(&mut ruling, known) {
        Ok(viewer) => viewer,
        Err(stop) => return ruling.stop(stop),
    };
    let now = attempt.when;
    let items = known
        .queue
        .values()
        .filter(|item| !is_old(known, item, now));
    let mut items: Vec<SeenItem> = items.map(|item| seen(&ruling, &viewer, item)).collect();
    items.sort_by_key(|item| {
        (
            item.state,
            std::cmp::Reverse(item.severity),
            item.due,
            item.id,
        )
    });
    let due = items
        .iter()
        .filter(|item| item.state != QueueState::Closed && item.due <= now.plus_days(1));
    let due = u32::try_from(due.count()).unwrap_or(u32::MAX);
    let since = since_friday(now);
    let accesses = pressing(&ruling, known);
    ruling.finish(Answer::Queue(Box::new(Desk {
        items,
        due,
        accesses,
        stretch: Stretch {
            within: within.clone(),
            viewer,
        },
        since,
        checked: Checked {
            version: rules.watch.version().to_owned(),
            rules: rules.watch.rules().map(|rule| rule.code).collect(),
        },
    })))
}

/// One item, with the entries behind it and around it that the caller may see.
pub fn item(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    alias: Id,
    around: &[u64],
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    let id = ruling.aliases().inward(AliasKind::Entry, alias);
    ruling.object(Some(alias), Some(id));
    let viewer = match permitted(&mut ruling, known) {
        Ok(viewer) => viewer,
        Err(stop) => return ruling.stop(stop),
    };
    let Some(item) = known.queue.get(&id) else {
        return ruling.refuse(Refusal::NotFound);
    };
    let seen = seen(&ruling, &viewer, item);
    ruling.finish(Answer::QueueItem(
        Box::new(seen),
        Reading {
            indices: around.to_vec(),
            viewer,
            filter: Filter::default(),
        },
    ))
}

fn seen(ruling: &Ruling<'_>, viewer: &Viewer, item: &QueueItem) -> SeenItem {
    let (rules, known, now) = (ruling.rules(), ruling.known(), ruling.attempt().when);
    let named = item.names_user
        || viewer.kind == OrgKind::Reviewer
        || item.organisation == viewer.organisation;
    let outward = ruling.aliases().outward(AliasKind::Entry, item.id);
    let more = known.more(item.id);
    let count = item.total(more);
    let tally = known.tallies.get(&item.id);
    let minutes = tally.map_or(item.minutes, |tally| tally.minutes);
    let rule = rules.watch.rule(item.rule);
    SeenItem {
        id: outward,
        at: item.at,
        rule: item.rule,
        version: item.version.clone(),
        severity: item.severity,
        state: item.state(more, now),
        // Who is behind a drawn entry is read in the entry itself.
        user: (named && !item.user.is_empty())
            .then(|| (item.organisation.clone(), item.user.clone())),
        count,
        minutes,
        limit: item.limit,
        usual: item.usual,
        says: rule.map_or_else(String::new, |rule| rule.says(count, minutes, item.usual)),
        due: item.due,
        from: item.from.as_ref().map(|from| from.organisation.clone()),
        drawn: item.drawn.clone(),
        decided: item.decided.clone(),
    }
}

/// Decides the item known outside as `alias`, for the caller's own organisation only: each of
/// those who were told decides for itself, so that one body cannot bury it.
pub fn decide_queue(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    alias: Id,
    verdict: QueueVerdict,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    let inward = ruling.aliases().inward(AliasKind::Entry, alias);
    ruling.object(Some(alias), Some(inward));
    ruling.reason(verdict.code());
    match decide(&mut ruling, known, inward, verdict) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide(
    ruling: &mut Ruling<'_>,
    known: &Known,
    id: Id,
    verdict: QueueVerdict,
) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    permitted(ruling, known)?;
    let own = attempt.organisation();
    let user = attempt.user.as_str();
    let item = known
        .queue
        .get(&id)
        .ok_or(Stop::Refuse(Refusal::NotFound))?;
    let more = known.more(id);
    let state = item.state(more, attempt.when);
    let drawn = item.drawn.as_ref();
    let about_her = item.organisation == *own
        && (item.user == user
            || drawn.is_some_and(|drawn| drawn.worker == ruling.rules().worker(own, user)));
    if about_her || !item.may_decide(state, attempt.role, user, caller.organisation, attempt.when) {
        // Nobody decides about herself, nor alone what was passed to the second level.
        return Err(Stop::Refuse(Refusal::RoleNotAllowed {
            role: attempt.role.code(),
        }));
    }
    if state == QueueState::Closed {
        return Err(Stop::Refuse(Refusal::AlreadyAnswered));
    }
    let decided = QueueItem {
        decided: Some(QueueDecision {
            at: attempt.when,
            by: user.to_owned(),
            decision: verdict,
            count: item.total(more),
        }),
        // Whoever takes it up gets her time for it.
        escalates: item
            .escalates
            .max(time_for(ruling.rules(), item, attempt.when)),
        ..item.clone()
    };
    ruling.note(decided.state(more, attempt.when).code());
    if verdict == QueueVerdict::Escalate && state != QueueState::Escalated {
        pass_on(ruling, &decided);
    }
    ruling.fact(
        Aggregate::Queue(own.clone()),
        id,
        &Record::QueueItem(decided),
    );
    remove_old(ruling, known, own, attempt.when);
    Ok(Answer::QueueDecided)
}

/// A second term, from now.
fn time_for(rules: &Rules, item: &QueueItem, now: When) -> When {
    let rule = rules.watch.rule(item.rule);
    now.plus_hours(rule.map_or(0, |rule| i64::from(rule.escalate_hours)))
}

/// A copy to the reviewer, whose own it is: to the second level inside and outside at once.
fn pass_on(ruling: &mut Ruling<'_>, item: &QueueItem) {
    let attempt = ruling.attempt();
    let own = attempt.organisation();
    for (of, copy) in copies(ruling.known(), item, own, attempt.when, |reviewer| {
        attempt.entropy.id(&format!("passed on to {reviewer}"))
    }) {
        ruling.list(List::Queue(of.clone()), 0, copy.id);
        ruling.fact(Aggregate::Queue(of), copy.id, &Record::QueueItem(copy));
    }
}

/// What each reviewer is handed when `from` passes an item on.
pub(super) fn copies(
    known: &Known,
    item: &QueueItem,
    from: &OrgId,
    now: When,
    id: impl Fn(&OrgId) -> Id,
) -> Vec<(OrgId, QueueItem)> {
    let length = item.due.millis() - item.at.millis();
    let reviewers = known.approvers.reviewers.iter();
    reviewers
        .filter(|reviewer| *reviewer != from)
        .map(|reviewer| {
            let copy = QueueItem {
                id: id(reviewer),
                at: now,
                due: now.plus_millis(length),
                escalates: now.plus_millis(length),
                from: Some(PassedOn {
                    organisation: from.clone(),
                    item: item.id,
                }),
                decided: None,
                ..item.clone()
            };
            (reviewer.clone(), copy)
        })
        .collect()
}

fn remove_old(ruling: &mut Ruling<'_>, known: &Known, own: &OrgId, now: When) {
    let old = known
        .queue
        .iter()
        .filter(|(_, item)| is_old(known, item, now));
    for (id, _) in old.take(REMOVED_MAX) {
        for list in [List::Queue(own.clone()), List::Alert(own.clone(), *id)] {
            ruling.write(Write::Unlist { list, item: *id });
        }
        for item in [*id, tally_item(*id)] {
            ruling.write(Write::Remove {
                of: Aggregate::Queue(own.clone()),
                item,
            });
        }
    }
}

fn is_old(known: &Known, item: &QueueItem, now: When) -> bool {
    item.state(known.more(item.id), now) == QueueState::Closed
        && item
            .decided
            .as_ref()
            .is_some_and(|decided| decided.at.plus_days(DECIDED_DAYS) <= now)
}

#[cfg(test)]
mod tests;
