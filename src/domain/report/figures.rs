//! What a month came to, for the board of one organisation: counts, and how fast was reviewed.
//!
//! Counts of what its own staff did are exact. Counts of people, and of what others did, are told
//! from [`SMALL`] on and rounded down to its multiples: from exact ones, the sum of one table would
//! give away what is left out of another.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::audit::figures::{Counts, Hours, by_day};
use crate::domain::audit::{Counted, Stretch};
use crate::domain::codes::OrgKind;
use crate::domain::id::OrgId;
use crate::domain::time::When;

/// Below this a count of people or of others' acts is not told.
pub const SMALL: u32 = 5;
/// Every item of the queue must be reviewed within this.
const REVIEW_HOURS: i64 = 72;

/// A month that was permitted to be counted.
#[derive(Clone, Debug)]
pub struct Counting {
    /// As `2026-10`.
    pub month: String,
    pub stretch: Stretch,
    pub reviews: Vec<Reviewed>,
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

/// Offers of referrals from one kind of organisation to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    pub from: OrgKind,
    /// `None`: the log does not tell it to this reader.
    pub to: Option<OrgKind>,
    pub count: Shown,
}

/// Kinds of organisations, as far as they are enrolled.
pub type Kinds = BTreeMap<OrgId, OrgKind>;

/// What a month came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    pub month: String,
    /// Of the organisation's own staff; of the reviewer's reading: none.
    pub own: u32,
    pub own_by_outcome: Table,
    pub own_by_action: Table,
    pub own_by_purpose: Table,
    /// Attempts about a person, by the day in London.
    pub own_accesses_by_day: Table,
    pub own_denials: u32,
    pub own_denials_by_day: Table,
    /// Details opened in an emergency, over her consent, by own staff.
    pub own_emergencies: u32,
    /// Texts of own staff that were held, and how often they said that a hold was wrong.
    pub own_held: u32,
    pub own_said_wrong: u32,
    pub others_by_outcome: Table,
    pub others_by_action: Table,
    pub others_by_purpose: Table,
    pub others_by_day: Table,
    pub others_by_organisation: Table,
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
    /// How many were settled within how long, and how many wait; always in this order.
    pub reviews_by_time: Vec<(&'static str, u32)>,
    pub flows: Vec<Flow>,
}

/// What a month came to, from what its entries did.
pub fn figures(counting: &Counting, counted: &Counted, kinds: &Kinds, now: When) -> Figures {
    let Counted { own, others, .. } = counted;
    let reviews = Reviews::of(&counting.reviews, now);
    Figures {
        month: counting.month.clone(),
        own: own.attempts,
        own_by_outcome: table(&own.by_outcome, Shown::Count),
        own_by_action: table(&own.by_action, Shown::Count),
        own_by_purpose: table(&own.by_purpose, Shown::Count),
        own_accesses_by_day: days(&own.accesses, Shown::Count),
        own_denials: own.denials,
        own_denials_by_day: days(&own.denied, Shown::Count),
        own_emergencies: own.emergencies,
        own_held: own.held,
        own_said_wrong: own.said_wrong,
        others_by_outcome: table(&others.by_outcome, Shown::of_others),
        others_by_action: table(&others.by_action, Shown::of_others),
        others_by_purpose: table(&others.by_purpose, Shown::of_others),
        others_by_day: days(&others.accesses, Shown::of_others),
        others_by_organisation: table(&others.by_organisation, Shown::of_others),
        others_emergencies: Shown::of_others(others.emergencies),
        others_held: Shown::of_others(others.held),
        others_said_wrong: Shown::of_others(others.said_wrong),
        people_concerned: Shown::of_others(count(counted.concerned())),
        reviews: count(counting.reviews.len()),
        reviewed: count(reviews.minutes.len()),
        reviewed_in_time_percent: reviews.in_time_percent,
        median_review_minutes: median(reviews.minutes),
        reviews_by_time: by_time(&counting.reviews),
        flows: flows(counting.stretch.viewer.kind, counted, kinds),
    }
}

fn days(hours: &Hours, shown: fn(u32) -> Shown) -> Table {
    table(&by_day(hours), shown)
}

/// Hours within which items are settled, with the names of these spans.
const SPANS: [(&str, i64); 3] = [
    ("within_4_hours", 4),
    ("within_24_hours", 24),
    ("within_72_hours", REVIEW_HOURS),
];

fn by_time(items: &[Reviewed]) -> Vec<(&'static str, u32)> {
    let mut left: Vec<&Reviewed> = items.iter().collect();
    let mut take = |is_one: &dyn Fn(&Reviewed) -> bool| {
        let before = left.len();
        left.retain(|item| !is_one(item));
        count(before - left.len())
    };
    let mut found: Vec<(&'static str, u32)> = SPANS
        .into_iter()
        .map(|(name, hours)| {
            let number = take(&|item: &Reviewed| {
                item.settled
                    .is_some_and(|settled| settled <= item.at.plus_hours(hours))
            });
            (name, number)
        })
        .collect();
    found.push(("later", take(&|item: &Reviewed| item.settled.is_some())));
    found.push(("waiting", take(&|_| true)));
    found
}

/// Offers that were made, by the kinds of who made them and whom they reached. Own staff's are exact,
/// but the log does not tell them where an offer went in the end.
fn flows(own: OrgKind, counted: &Counted, kinds: &Kinds) -> Vec<Flow> {
    let mut counts: BTreeMap<(OrgKind, OrgKind), u32> = BTreeMap::new();
    for ((from, to), number) in &counted.offers {
        let Some(from) = kinds.get(from).copied() else {
            continue;
        };
        let to: BTreeSet<OrgKind> = to.iter().filter_map(|to| kinds.get(to).copied()).collect();
        for to in to {
            *counts.entry((from, to)).or_default() += number;
        }
    }
    let seen = counts.into_iter().map(|((from, to), number)| Flow {
        from,
        to: Some(to),
        count: Shown::of_others(number),
    });
    let sent = (counted.sent > 0).then_some(Flow {
        from: own,
        to: None,
        count: Shown::Count(counted.sent),
    });
    sent.into_iter().chain(seen).collect()
}

fn table(counts: &Counts, shown: fn(u32) -> Shown) -> Table {
    let rows = counts.iter().map(|(name, count)| Row {
        name: name.clone(),
        count: shown(*count),
    });
    rows.collect()
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
    use crate::domain::audit::{Side, SomeOrganisation, Viewer, VisibleEntry, VisibleOutcome};
    use crate::domain::codes::{Action, OrgKind};
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
            stretch: Stretch {
                within: 0..0,
                viewer: Viewer {
                    organisation: org("haven"),
                    kind: OrgKind::ByAndFor,
                    tainted: false,
                },
            },
            reviews,
        }
    }

    fn some(side: Side, number: usize) -> Vec<VisibleEntry> {
        vec![entry(side, Action::BreakGlass, VisibleOutcome::Permit); number]
    }

    fn at_start(entries: &[VisibleEntry]) -> Counted {
        let mut counted = Counted::default();
        for entry in entries {
            counted.add(&org("haven"), start(), entry, None);
        }
        counted
    }

    fn offer(side: Side, from: &str) -> VisibleEntry {
        VisibleEntry {
            organisation: SomeOrganisation::Named(org(from)),
            ..entry(side, Action::OfferReferral, VisibleOutcome::Permit)
        }
    }

    #[test]
    fn a_day_is_london_s_and_only_what_is_about_a_person_is_an_access() {
        let late = When::parse("2026-06-30T23:30:00Z").unwrap();
        let asked = entry(
            Side::Asking,
            Action::QueryAssessments,
            VisibleOutcome::Empty,
        );
        let read = entry(Side::Asking, Action::ReadAudit, VisibleOutcome::Deny);
        let mut all = Counted::default();
        all.add(&org("haven"), late, &asked, None);
        all.add(&org("haven"), late, &read, None);
        let found = figures(&counting(Vec::new()), &all, &Kinds::new(), start());
        let day = |count| {
            vec![Row {
                name: "2026-07-01".to_owned(),
                count: Shown::Count(count),
            }]
        };
        assert_eq!(found.own_accesses_by_day, day(1));
        assert_eq!(found.own_denials_by_day, day(1));
        assert!(found.others_by_day.is_empty());
    }

    #[test]
    fn who_receives_offers_sees_from_which_kinds_and_who_sends_them_not_where_they_went() {
        let kinds = Kinds::from([
            (org("met"), OrgKind::Police),
            (org("haven"), OrgKind::ByAndFor),
        ]);
        let mut all = vec![offer(Side::Holding, "met"); 6];
        // Of a body that is not enrolled any more nothing is said.
        all.push(offer(Side::Holding, "gone"));
        all.push(offer(Side::Asking, "haven"));
        let found = figures(&counting(Vec::new()), &at_start(&all), &kinds, start());
        let flow = |from, to, count| Flow { from, to, count };
        assert_eq!(
            found.flows,
            [
                flow(OrgKind::ByAndFor, None, Shown::Count(1)),
                flow(OrgKind::Police, Some(OrgKind::ByAndFor), Shown::Count(5)),
            ]
        );
        let none = figures(&counting(Vec::new()), &Counted::default(), &kinds, start());
        assert!(none.flows.is_empty());
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
        let found = figures(
            &counting(Vec::new()),
            &at_start(&all),
            &Kinds::new(),
            start(),
        );
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
        let found = figures(
            &counting(Vec::new()),
            &at_start(&many),
            &Kinds::new(),
            start(),
        );
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
        let found = figures(
            &counting(items.clone()),
            &Counted::default(),
            &Kinds::new(),
            at.plus_hours(71),
        );
        // The open one is not late yet.
        assert_eq!(found.reviewed_in_time_percent, Some(66));
        let found = figures(
            &counting(items),
            &Counted::default(),
            &Kinds::new(),
            at.plus_hours(72),
        );
        assert_eq!(found.reviewed_in_time_percent, Some(50));
        assert_eq!(found.median_review_minutes, Some(72 * 60));
        assert_eq!((found.reviews, found.reviewed), (4, 3));
        assert_eq!(
            found.reviews_by_time,
            [
                ("within_4_hours", 1),
                ("within_24_hours", 0),
                ("within_72_hours", 1),
                ("later", 1),
                ("waiting", 1),
            ]
        );
        let none = figures(
            &counting(Vec::new()),
            &Counted::default(),
            &Kinds::new(),
            at,
        );
        assert_eq!(none.reviewed_in_time_percent, None);
        assert_eq!(none.median_review_minutes, None);
    }
}
