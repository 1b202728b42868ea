//! The information-governance officer reads the log, looks a person up in it, and works the queue
//! of what must be decided (3.5). Her own reading is an attempt like any other.
//!
//! What she sees of each entry is settled by [`visible`](crate::domain::audit::visible), after her
//! reading is logged; nothing here opens an entry.

use crate::domain::alias::AliasKind;
use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::audit::{
    Filter, QueueDecision, QueueItem, QueueVerdict, Reading, SeenItem, Viewer,
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

/// What the caller's organisation must decide, the most urgent first, then what it decided lately.
pub fn queue(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    let viewer = match permitted(&mut ruling, known) {
        Ok(viewer) => viewer,
        Err(stop) => return ruling.stop(stop),
    };
    let mut items: Vec<&QueueItem> = known
        .queue
        .values()
        .filter(|item| !is_old(item, attempt.when))
        .collect();
    items.sort_by_key(|item| (item.is_settled(), item.due, item.id));
    let seen = items
        .into_iter()
        .map(|item| seen(rules, &viewer, item))
        .collect();
    ruling.finish(Answer::Queue(seen))
}

fn seen(rules: &Rules, viewer: &Viewer, item: &QueueItem) -> SeenItem {
    let named = viewer.kind == OrgKind::Reviewer || item.organisation == viewer.organisation;
    let outward = rules
        .aliases
        .outward(&viewer.organisation, AliasKind::Entry, item.id);
    SeenItem {
        id: outward,
        at: item.at,
        code: item.code.clone(),
        severity: item.severity,
        user: named.then(|| (item.organisation.clone(), item.user.clone())),
        tries: item.tries,
        minutes: item.minutes,
        due: item.due,
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
    let inward = rules
        .aliases
        .inward(attempt.organisation(), AliasKind::Entry, alias);
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
    permitted(ruling, known)?;
    let own = attempt.organisation();
    let item = known
        .queue
        .get(&id)
        .ok_or(Stop::Refuse(Refusal::NotFound))?;
    if item.organisation == *own && item.user == attempt.user.as_str() {
        // Nobody decides about herself.
        return Err(Stop::Refuse(Refusal::RoleNotAllowed {
            role: attempt.role.code(),
        }));
    }
    if item.is_settled() {
        return Err(Stop::Refuse(Refusal::AlreadyAnswered));
    }
    let decided = QueueItem {
        decided: Some(QueueDecision {
            at: attempt.when,
            by: attempt.user.as_str().to_owned(),
            decision: verdict,
        }),
        ..item.clone()
    };
    if decided.is_settled() {
        ruling.write(Write::Unlist {
            list: List::Queue(own.clone()),
            item: id,
        });
    }
    ruling.fact(
        Aggregate::Queue(own.clone()),
        id,
        &Record::QueueItem(decided),
    );
    remove_old(ruling, known, own, attempt.when);
    Ok(Answer::QueueDecided)
}

fn remove_old(ruling: &mut Ruling<'_>, known: &Known, own: &OrgId, now: When) {
    let old = known.queue.iter().filter(|(_, item)| is_old(item, now));
    for (id, _) in old.take(REMOVED_MAX) {
        ruling.write(Write::Remove {
            of: Aggregate::Queue(own.clone()),
            item: *id,
        });
    }
}

fn is_old(item: &QueueItem, now: When) -> bool {
    item.is_settled()
        && item
            .decided
            .as_ref()
            .is_some_and(|decided| decided.at.plus_days(DECIDED_DAYS) <= now)
}

#[cfg(test)]
mod tests;
