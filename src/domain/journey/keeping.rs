//! The gateway keeps the queues: what nobody decided goes to the second level, and each week ordinary
//! accesses are drawn at random (3.5). By the clock, whether or not anybody looks.

use std::collections::BTreeMap;

use crate::domain::answer::Answer;
use crate::domain::attempt::Entropy;
use crate::domain::audit::{
    Drawn, GATEWAY, MissingNote, QueueDecision, QueueItem, QueueVerdict, missing_note_item,
};
use crate::domain::decision::{Aggregate, Decision, List, Write};
use crate::domain::id::{Id, OrgId};
use crate::domain::known::Known;
use crate::domain::merkle::Hash;
use crate::domain::record::{Record, singleton};
use crate::domain::referral::Referral;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;
use crate::domain::time::When;
use crate::domain::watch::sample::{Week, draw};
use crate::domain::watch::{RuleCode, Tell, WatchRule};

use super::auditing::copies;
use super::own_acts::{self, OwnAct};

/// Items moved in one decision.
const ITEMS_MAX: usize = 16;

/// Whether anything of the queue that was read waits for the gateway.
pub fn is_overdue(known: &Known, now: When) -> bool {
    known
        .queue
        .values()
        .any(|item| item.is_overdue(known.more(item.id), now))
}

/// Passes on what nobody of `own` closed in time: to its own second level, and to the reviewer.
///
/// # Errors
/// [`BadRuling`].
pub fn escalate(
    rules: &Rules,
    when: When,
    entropy: &Entropy,
    keys: Keys,
    known: &Known,
    own: &OrgId,
) -> Result<Option<Decision<Ruled>>, BadRuling> {
    let overdue = known
        .queue
        .values()
        .filter(|item| item.is_overdue(known.more(item.id), when));
    let (mut facts, mut lists) = (Vec::new(), Vec::new());
    let mut moved = 0_usize;
    for item in overdue.take(ITEMS_MAX) {
        moved += 1;
        let passed = QueueItem {
            decided: Some(QueueDecision {
                at: when,
                by: GATEWAY.to_owned(),
                decision: QueueVerdict::Escalate,
                count: item.total(known.more(item.id)),
            }),
            ..item.clone()
        };
        let id = |reviewer: &OrgId| entropy.id(&format!("passed on {moved} to {reviewer}"));
        for (of, copy) in copies(known, &passed, own, when, id) {
            lists.push((List::Queue(of.clone()), copy.id));
            facts.push((Aggregate::Queue(of), copy.id, Record::QueueItem(copy)));
        }
        facts.push((
            Aggregate::Queue(own.clone()),
            passed.id,
            Record::QueueItem(passed),
        ));
    }
    let mut concerned = vec![own.clone()];
    concerned.extend(known.approvers.reviewers.clone());
    let act = OwnAct {
        user: "watch",
        action: "escalate",
        reason: "not-decided-in-time".to_owned(),
        rule: String::new(),
        answer: Answer::Watched,
        told: concerned.clone(),
        concerned,
        notes: vec![format!("items-{moved}")],
        request: own.as_str().as_bytes().to_vec(),
        facts,
        removed: Vec::new(),
        lists,
        writes: Vec::new(),
        urgent: true,
    };
    own_acts::entry(rules, when, entropy, keys, known, act)
}

/// Remembers, for the week's review of harm, that the note of a high-risk offer is missing.
pub fn note_is_missing(ruling: &mut Ruling<'_>, referral: &Referral) {
    if !referral.operational.is_high_risk() {
        return;
    }
    let missing = MissingNote {
        at: ruling.attempt().when,
        by: ruling.attempt().user.as_str().to_owned(),
    };
    ruling.fact(
        Aggregate::Queue(referral.sender.clone()),
        missing_note_item(referral.id),
        &Record::MissingNote(missing),
    );
}

/// Another note came, or the service was asked to call. It does not matter whether anything was
/// missing, nor what has become of the referral.
pub fn note_is_there(ruling: &mut Ruling<'_>, referral: &Referral) {
    if referral.operational.is_high_risk() {
        ruling.write(Write::Remove {
            of: Aggregate::Queue(referral.sender.clone()),
            item: missing_note_item(referral.id),
        });
    }
}

/// Puts the notes that were missing at the end of a week before the sender's own officers: one item
/// for each author, without the offer, the words or the reason. It is about harm, not about blame:
/// somebody may be in danger of which the service does not know.
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
) -> Result<Option<Decision<Ruled>>, BadRuling> {
    let Some(rule) = rules.watch.rule(RuleCode::MissingNote) else {
        return Ok(None);
    };
    let mut authors: BTreeMap<&str, u32> = BTreeMap::new();
    let mut removed = Vec::new();
    for (item, missing) in missing_before(known, when) {
        *authors.entry(&missing.by).or_default() += 1;
        removed.push((Aggregate::Queue(own.clone()), *item));
    }
    let (mut facts, mut lists) = (Vec::new(), Vec::new());
    for (author, count) in &authors {
        for told in told_of(rule, known, own) {
            let id = entropy.id(&format!("missing notes of {author} to {told}"));
            let item = QueueItem {
                user: (*author).to_owned(),
                count: *count,
                ..new_item(id, rule, rules, own, when)
            };
            lists.push((List::Queue(told.clone()), id));
            facts.push((Aggregate::Queue(told), id, Record::QueueItem(item)));
        }
    }
    let act = OwnAct {
        user: "watch",
        action: "remind",
        reason: rule.code.code().to_owned(),
        rule: String::new(),
        answer: Answer::Watched,
        told: vec![own.clone()],
        concerned: vec![own.clone()],
        notes: vec![format!("items-{}", facts.len())],
        request: own.as_str().as_bytes().to_vec(),
        facts,
        removed,
        lists,
        writes: Vec::new(),
        urgent: true,
    };
    own_acts::entry(rules, when, entropy, keys, known, act)
}

/// Whether a note has been missing since an earlier week.
pub fn has_missing_notes(known: &Known, now: When) -> bool {
    missing_before(known, now).next().is_some()
}

fn missing_before(known: &Known, now: When) -> impl Iterator<Item = (&Id, &MissingNote)> {
    let this = Week::of(now);
    let missing = known.missing_notes.iter();
    missing
        .filter(move |(_, missing)| Week::of(missing.at).0 < this.0)
        .take(ITEMS_MAX)
}

/// Whose officers a rule tells of what came about by the clock: it concerns nobody but `own`.
pub fn told_of(rule: &WatchRule, known: &Known, own: &OrgId) -> Vec<OrgId> {
    let mut told = Vec::new();
    for who in &rule.tell {
        match who {
            Tell::Own | Tell::Concerned => told.push(own.clone()),
            Tell::Reviewer => told.extend_from_slice(&known.approvers.reviewers),
        }
    }
    told.sort();
    told.dedup();
    told
}

/// One item that begins now, about nobody yet.
pub fn new_item(id: Id, rule: &WatchRule, rules: &Rules, own: &OrgId, when: When) -> QueueItem {
    QueueItem {
        id,
        at: when,
        rule: rule.code,
        version: rules.watch.version().to_owned(),
        severity: rule.severity,
        organisation: own.clone(),
        user: String::new(),
        names_user: rule.names_user,
        count: 1,
        minutes: 0,
        limit: rule.threshold,
        usual: 0,
        due: when.plus_hours(i64::from(rule.due_hours)),
        escalates: when.plus_hours(i64::from(rule.escalate_hours)),
        from: None,
        drawn: None,
        decided: None,
    }
}

/// What a week's draw is made from.
pub struct Draw<'a> {
    pub week: Week,
    /// The root of the tree that ends with the first entry after the week.
    pub root: Hash,
    /// That tree's signed checkpoint.
    pub checkpoint: String,
    /// The ordinary accesses of the organisation in the week: index, and whose it was, hashed.
    pub accesses: &'a [(u64, [u8; 16])],
}

/// Draws the week's sample of `own` into its queue. A week without accesses is drawn too, so that
/// the log says that nothing was left out.
///
/// # Errors
/// [`BadRuling`].
pub fn sample(
    rules: &Rules,
    when: When,
    entropy: &Entropy,
    keys: Keys,
    known: &Known,
    own: &OrgId,
    of: &Draw<'_>,
) -> Result<Option<Decision<Ruled>>, BadRuling> {
    let Some(rule) = rules.watch.rule(RuleCode::Sample) else {
        return Ok(None);
    };
    let indices: Vec<u64> = of.accesses.iter().map(|(index, _)| *index).collect();
    let drawn = draw(&of.root, own, of.week, &indices);
    let many = usize::try_from(rule.threshold).unwrap_or(usize::MAX);
    let (mut facts, mut lists) = (Vec::new(), Vec::new());
    for (place, entry) in drawn.into_iter().take(many).enumerate() {
        let worker = of.accesses.iter().find(|(index, _)| *index == entry);
        let id = entropy.id(&format!("sample {place}"));
        let item = QueueItem {
            drawn: Some(Drawn {
                entry,
                week: of.week.0,
                worker: worker.map_or([0; 16], |(_, worker)| *worker),
                checkpoint: of.checkpoint.clone(),
            }),
            ..new_item(id, rule, rules, own, when)
        };
        lists.push((List::Queue(own.clone()), id));
        facts.push((Aggregate::Queue(own.clone()), id, Record::QueueItem(item)));
    }
    let notes = vec![
        format!("week-{}", of.week.0),
        format!("accesses-{}", of.accesses.len()),
        format!("drawn-{}", facts.len()),
    ];
    facts.push((
        Aggregate::Queue(own.clone()),
        sampled_item(),
        Record::Sampled(of.week.0),
    ));
    let act = OwnAct {
        user: "watch",
        action: "sample",
        reason: "weekly-sample".to_owned(),
        rule: String::new(),
        answer: Answer::Watched,
        told: vec![own.clone()],
        concerned: vec![own.clone()],
        notes,
        request: of.checkpoint.as_bytes().to_vec(),
        facts,
        removed: Vec::new(),
        lists,
        writes: Vec::new(),
        urgent: true,
    };
    own_acts::entry(rules, when, entropy, keys, known, act)
}

/// Where a queue remembers the last week that was drawn.
fn sampled_item() -> Id {
    singleton("sampled")
}

#[cfg(test)]
mod tests;
