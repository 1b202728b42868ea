//! What a month came to, for the board of one organisation: counts, and how fast was reviewed.
//!
//! Counts of what its own staff did are exact. Counts of people, and of what others did, are told
//! from [`SMALL`] on and rounded down to its multiples: from exact ones, the sum of one table would
//! give away what is left out of another.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::audit::{Reading, Side, VisibleEntry, VisibleOutcome};
use crate::domain::codes::Action;
use crate::domain::id::Id;
use crate::domain::time::When;

/// Entries of one month that are counted, the newest; more is told to be more.
pub const FIGURES_ENTRIES_MAX: usize = 50_000;
/// Below this a count of people or of others' acts is not told.
pub const SMALL: u32 = 5;
/// Every item of the queue must be reviewed within this.
const REVIEW_HOURS: i64 = 72;

/// What an entry tells of text that was held: refused with all it came with, or left out.
const HELD: [&str; 2] = ["immigration-content-found", "held"];
const SAID_WRONG: [&str; 1] = ["said-wrong"];

/// A month that was permitted to be counted.
#[derive(Clone, Debug)]
pub struct Counting {
    /// As `2026-10`.
    pub month: String,
    pub reading: Reading,
    pub reviews: Vec<Reviewed>,
    /// All entries of the month are counted.
    pub whole: bool,
}

/// One item of the queue: when it arose, and when it was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reviewed {
    pub at: When,
    pub settled: Option<When>,
}

/// A count as it may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    Count(u32),
    /// Fewer than [`SMALL`], and more than none.
    Few,
}

impl Shown {
    fn of_others(count: u32) -> Self {
        if (1..SMALL).contains(&count) {
            Self::Few
        } else {
            Self::Count(count - count % SMALL)
        }
    }
}

/// One line of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub name: String,
    pub count: Shown,
}

/// Counts by one property, in order of its name.
pub type Table = Vec<Row>;

/// What a month came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    pub month: String,
    pub whole: bool,
    /// Of the organisation's own staff; of the reviewer's reading: none.
    pub own: u32,
    pub own_by_outcome: Table,
    pub own_by_action: Table,
    pub own_by_purpose: Table,
    pub own_denials: u32,
    /// Details opened in an emergency, over her consent, by own staff.
    pub own_emergencies: u32,
    /// Texts of own staff that were held, and how often they said that a hold was wrong.
    pub own_held: u32,
    pub own_said_wrong: u32,
    pub others_by_outcome: Table,
    pub others_by_action: Table,
    pub others_by_purpose: Table,
    pub others_emergencies: Shown,
    /// For the independent reviewer: such entries concern nobody else.
    pub others_held: Shown,
    pub others_said_wrong: Shown,
    /// People whom others asked about, as far as the log names them.
    pub people_concerned: Shown,
    pub reviews: u32,
    pub reviewed: u32,
    /// Of those that are settled or whose 72 hours are over: in per cent, rounded down.
    pub reviewed_in_time_percent: Option<u32>,
    pub median_review_minutes: Option<i64>,
}

/// Counts what was opened of a month.
pub fn figures(counting: &Counting, entries: &[&VisibleEntry], now: When) -> Figures {
    let of = |own: bool| {
        entries
            .iter()
            .copied()
            .filter(move |entry| (entry.side == Side::Asking) == own)
    };
    let own = |by: fn(&VisibleEntry) -> &str| table(of(true), by, Shown::Count);
    let others = |by: fn(&VisibleEntry) -> &str| table(of(false), by, Shown::of_others);
    let people: BTreeSet<Id> = of(false)
        .filter_map(|entry| entry.decided.as_ref()?.person)
        .collect();
    let (own_emergencies, others_emergencies) = (emergencies(of(true)), emergencies(of(false)));
    let told = |own: bool, words: &[&str]| {
        count(
            of(own)
                .filter(|entry| words.contains(&entry.told.as_str()))
                .count(),
        )
    };
    let denials = of(true).filter(|entry| entry.outcome == VisibleOutcome::Deny);
    let reviews = Reviews::of(&counting.reviews, now);
    Figures {
        month: counting.month.clone(),
        whole: counting.whole,
        own: count(of(true).count()),
        own_by_outcome: own(|entry| entry.outcome.code()),
        own_by_action: own(|entry| &entry.action),
        own_by_purpose: own(|entry| &entry.purpose),
        own_denials: count(denials.count()),
        own_emergencies,
        own_held: told(true, &HELD),
        own_said_wrong: told(true, &SAID_WRONG),
        others_by_outcome: others(|entry| entry.outcome.code()),
        others_by_action: others(|entry| &entry.action),
        others_by_purpose: others(|entry| &entry.purpose),
        others_emergencies: Shown::of_others(others_emergencies),
        others_held: Shown::of_others(told(false, &HELD)),
        others_said_wrong: Shown::of_others(told(false, &SAID_WRONG)),
        people_concerned: Shown::of_others(count(people.len())),
        reviews: count(counting.reviews.len()),
        reviewed: count(reviews.minutes.len()),
        reviewed_in_time_percent: reviews.in_time_percent,
        median_review_minutes: median(reviews.minutes),
    }
}

fn table<'a>(
    entries: impl Iterator<Item = &'a VisibleEntry>,
    by: fn(&VisibleEntry) -> &str,
    shown: fn(u32) -> Shown,
) -> Table {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for entry in entries {
        *counts.entry(by(entry)).or_default() += 1;
    }
    counts
        .into_iter()
        .map(|(name, count)| Row {
            name: name.to_owned(),
            count: shown(count),
        })
        .collect()
}

fn emergencies<'a>(entries: impl Iterator<Item = &'a VisibleEntry>) -> u32 {
    let opened = |entry: &&VisibleEntry| {
        entry.action == Action::BreakGlass.code() && entry.outcome == VisibleOutcome::Permit
    };
    count(entries.filter(opened).count())
}

/// How long the settled items took, and how many were in time.
struct Reviews {
    minutes: Vec<i64>,
    in_time_percent: Option<u32>,
}

impl Reviews {
    fn of(items: &[Reviewed], now: When) -> Self {
        let due = |item: &Reviewed| item.at.plus_hours(REVIEW_HOURS);
        let minutes = items.iter().filter_map(|item| {
            let settled = item.settled?;
            Some((settled.millis() - item.at.millis()) / 60_000)
        });
        let mut minutes: Vec<i64> = minutes.collect();
        minutes.sort_unstable();
        let judged = items
            .iter()
            .filter(|item| item.settled.is_some() || due(item) <= now)
            .count();
        let in_time = items
            .iter()
            .filter(|item| item.settled.is_some_and(|settled| settled <= due(item)))
            .count();
        let percent = (in_time * 100).checked_div(judged);
        Self {
            minutes,
            in_time_percent: percent.map(count),
        }
    }
}

/// The middle one; of an even number the lower of the two in the middle.
fn median(sorted: Vec<i64>) -> Option<i64> {
    let middle = sorted.len().checked_sub(1)? / 2;
    sorted.get(middle).copied()
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit::{Filter, SomeOrganisation, Viewer};
    use crate::domain::codes::OrgKind;
    use crate::domain::id::TeamId;
    use crate::domain::journey::scene::{org, start};

    fn entry(side: Side, action: Action, outcome: VisibleOutcome) -> VisibleEntry {
        VisibleEntry {
            side,
            organisation: SomeOrganisation::Named(org("haven")),
            team: TeamId::parse("main").unwrap(),
            user: "w7".to_owned(),
            role: "adviser".to_owned(),
            certificate: [0; 32],
            asserted: true,
            purpose: "support".to_owned(),
            reason: None,
            action: action.code().to_owned(),
            object: None,
            asked: Vec::new(),
            told: String::new(),
            outcome,
            decided: None,
        }
    }

    fn counting(reviews: Vec<Reviewed>) -> Counting {
        Counting {
            month: "2026-04".to_owned(),
            reading: Reading {
                indices: Vec::new(),
                viewer: Viewer {
                    organisation: org("haven"),
                    kind: OrgKind::ByAndFor,
                    tainted: false,
                },
                filter: Filter::default(),
            },
            reviews,
            whole: true,
        }
    }

    fn some(side: Side, number: usize) -> Vec<VisibleEntry> {
        vec![entry(side, Action::BreakGlass, VisibleOutcome::Permit); number]
    }

    #[test]
    fn own_acts_are_exact_and_few_acts_of_others_are_not_told() {
        let mut all = some(Side::Asking, 3);
        all.push(entry(
            Side::Asking,
            Action::QueryAssessments,
            VisibleOutcome::Deny,
        ));
        all.extend(some(Side::Holding, 4));
        let all: Vec<&VisibleEntry> = all.iter().collect();
        let found = figures(&counting(Vec::new()), &all, start());
        assert_eq!(
            (found.own, found.own_denials, found.own_emergencies),
            (4, 1, 3)
        );
        assert_eq!(found.others_emergencies, Shown::Few);
        assert!(
            found
                .others_by_action
                .iter()
                .all(|row| row.count == Shown::Few)
        );
        assert_eq!(found.people_concerned, Shown::Count(0));
        // Of the seven, two are not told.
        let many = some(Side::Holding, 7);
        let many: Vec<&VisibleEntry> = many.iter().collect();
        let found = figures(&counting(Vec::new()), &many, start());
        assert_eq!(found.others_emergencies, Shown::Count(5));
    }

    #[test]
    fn reviews_are_judged_when_settled_or_late() {
        let at = start();
        let settled = |hours| Reviewed {
            at,
            settled: Some(at.plus_hours(hours)),
        };
        let open = Reviewed { at, settled: None };
        let items = vec![settled(1), settled(72), settled(73), open];
        let found = figures(&counting(items.clone()), &[], at.plus_hours(71));
        // The open one is not late yet.
        assert_eq!(found.reviewed_in_time_percent, Some(66));
        let found = figures(&counting(items), &[], at.plus_hours(72));
        assert_eq!(found.reviewed_in_time_percent, Some(50));
        assert_eq!(found.median_review_minutes, Some(72 * 60));
        assert_eq!((found.reviews, found.reviewed), (4, 3));
        let none = figures(&counting(Vec::new()), &[], at);
        assert_eq!(none.reviewed_in_time_percent, None);
        assert_eq!(none.median_review_minutes, None);
    }
}
