//! What the gateway does to queues by the clock.

use super::*;
use crate::domain::audit::{QueueState, Severity};
use crate::domain::journey::scene::{Scene, facts, keys, org, start, written};
use crate::domain::journey::watching;

fn item(number: u8, hours: i64) -> QueueItem {
    QueueItem {
        id: Id::from_bytes([number; 16]),
        at: start(),
        rule: RuleCode::GlassBroken,
        version: "1".to_owned(),
        severity: Severity::Amber,
        organisation: org("hospital"),
        user: "4417".to_owned(),
        names_user: false,
        count: 1,
        minutes: 0,
        limit: 1,
        usual: 0,
        due: start().plus_hours(hours),
        escalates: start().plus_hours(hours),
        from: None,
        drawn: None,
        decided: None,
    }
}

fn scene(items: &[QueueItem]) -> Scene {
    let mut scene = Scene::borough();
    scene.known.approvers.reviewers.push(org("reviewer"));
    scene.known.queue = items.iter().map(|item| (item.id, item.clone())).collect();
    scene
}

fn entropy(number: u8) -> Entropy {
    Entropy::new([number; 32])
}

#[test]
fn an_emergency_that_nobody_reviewed_goes_up_after_seventy_two_hours() {
    let mut scene = scene(&[item(1, 72), item(2, 100)]);
    let late = start().plus_hours(72);
    assert!(!is_overdue(&scene.known, late.plus_millis(-1)));
    assert!(is_overdue(&scene.known, late));
    let own = org("hospital");
    let passed = escalate(scene.rules, late, &entropy(1), keys(), &scene.known, &own);
    let passed = passed.unwrap().unwrap();
    assert_eq!(
        written(&passed),
        [
            Aggregate::Queue(org("reviewer")),
            Aggregate::Queue(org("hospital"))
        ]
    );
    assert_eq!(passed.value.opening.who.organisation, org("operator"));
    assert!(passed.value.opening.opens(&passed.leaf));
    scene.known.add(facts(&passed)).unwrap();
    // Done once.
    assert!(!is_overdue(&scene.known, late));
    let moved = &scene.known.queue[&item(1, 72).id];
    assert_eq!(moved.state(0, late), QueueState::Escalated);
    assert_eq!(moved.decided.as_ref().unwrap().by, GATEWAY);
    let copy = scene.known.queue.values().find(|item| item.from.is_some());
    assert_eq!(copy.unwrap().from.as_ref().unwrap().organisation, own);
}

#[test]
fn five_ordinary_accesses_a_week_are_drawn_and_the_week_is_drawn_once() {
    let mut scene = scene(&[]);
    let own = org("hospital");
    let accesses: Vec<(u64, [u8; 16])> = (0..40).map(|n| (n * 3, [7; 16])).collect();
    let week = Week::of(start()).before();
    let of = Draw {
        week,
        root: [9; 32],
        checkpoint: "gateway.example/log\n40\n".to_owned(),
        accesses: &accesses,
    };
    let drawn = sample(
        scene.rules,
        start(),
        &entropy(2),
        keys(),
        &scene.known,
        &own,
        &of,
    );
    scene.known.add(facts(&drawn.unwrap().unwrap())).unwrap();
    assert_eq!(scene.known.sampled, Some(week.0));
    let mut entries: Vec<u64> = Vec::new();
    for item in scene.known.queue.values() {
        let drawn = item.drawn.as_ref().unwrap();
        assert_eq!((drawn.worker, drawn.week), ([7; 16], week.0));
        assert!(item.user.is_empty());
        entries.push(drawn.entry);
    }
    entries.sort_unstable();
    let all: Vec<u64> = accesses.iter().map(|(index, _)| *index).collect();
    let mut expected = draw(&[9; 32], &own, week, &all);
    expected.truncate(5);
    expected.sort_unstable();
    assert_eq!(entries, expected);
    assert_eq!(watching::day(start()), 20_545);
}

#[test]
fn notes_still_missing_when_the_week_is_over_are_put_before_the_senders_officer_once() {
    let mut scene = scene(&[]);
    let own = org("hospital");
    let missing = |by: &str, days: i64| MissingNote {
        at: start().plus_days(days),
        by: by.to_owned(),
    };
    for (number, note) in [
        (1, missing("4417", 0)),
        (2, missing("4417", 0)),
        (3, missing("20", 0)),
        // Written in the week that goes on.
        (4, missing("20", 7)),
    ] {
        let id = Id::from_bytes([number; 16]);
        scene.known.missing_notes.insert(id, note);
    }
    assert!(!has_missing_notes(&scene.known, start()));
    let later = start().plus_days(7);
    assert!(has_missing_notes(&scene.known, later));
    let reminded = remind(scene.rules, later, &entropy(3), keys(), &scene.known, &own);
    let reminded = reminded.unwrap().unwrap();
    let removed: Vec<Id> = reminded
        .writes
        .iter()
        .filter_map(|write| match write {
            Write::Remove { item, .. } => Some(*item),
            _ => None,
        })
        .collect();
    assert_eq!(
        removed,
        [1, 2, 3].map(|number| Id::from_bytes([number; 16]))
    );
    // Nothing of her: who wrote, how many, and nothing more.
    assert_eq!(reminded.value.opening.decided.subject, None);
    assert_eq!(
        reminded.value.opening.decided.concerned,
        std::slice::from_ref(&own)
    );
    scene.known.add(facts(&reminded)).unwrap();
    let told: Vec<(&str, u32, Severity)> = scene
        .known
        .queue
        .values()
        .map(|item| (item.user.as_str(), item.count, item.severity))
        .collect();
    assert_eq!(told.len(), 2);
    assert!(told.contains(&("4417", 2, Severity::Amber)));
    assert!(told.contains(&("20", 1, Severity::Amber)));
    let says = scene.rules.watch.rule(RuleCode::MissingNote).unwrap();
    let says = says.says(2, 0, 0).to_lowercase();
    for never in ["immigra", "visa", "screen", "rule"] {
        assert!(!says.contains(never), "{says}");
    }
}
