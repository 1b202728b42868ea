//! The rules as data, when signs make an item, and that nobody picks a sample.

use proptest::prelude::*;

use super::sample::{Week, draw};
use super::*;
use crate::domain::id::{Id, OrgId};
use crate::domain::time::When;

const SHIPPED: &str = include_str!("../../../policies/watch/rules.toml");

fn refused(change: impl Fn(&str) -> String) -> String {
    Watch::parse(&change(SHIPPED)).unwrap_err().to_string()
}

#[test]
fn every_rule_that_is_looked_for_is_shipped_and_says_something() {
    let watch = Watch::parse(SHIPPED).unwrap();
    assert_eq!(watch.rules().count(), RuleCode::ALL.len());
    for rule in watch.rules() {
        let says = rule.says(3, 9, 2);
        assert!(!says.contains(['{', '}']), "{says}");
    }
    insta::assert_snapshot!(
        watch.rule(RuleCode::StatusShaped).unwrap().says(3, 9, 0),
        @"Status-shaped activity by one user: 3 tries, 9 minutes. Never check a database only to establish immigration status."
    );
}

#[test]
fn what_is_unknown_missing_or_out_of_its_limits_is_refused_by_name() {
    let unknown =
        refused(|text| text.replace("names_user = true", "names_user = true\nmute = true"));
    assert!(unknown.contains("`mute` is not known"), "{unknown}");
    let missing = refused(|text| text.split("# Ordinary accesses").next().unwrap().to_owned());
    assert!(missing.contains("sample.weekly is missing"), "{missing}");
    let twice = refused(|text| text.replace("\"denied.repeated\"", "\"probe.reread\""));
    assert!(twice.contains("probe.reread is there twice"), "{twice}");
    let other = refused(|text| text.replace("\"denied.repeated\"", "\"denied.once\""));
    assert!(other.contains("`denied.once`"), "{other}");
    let silent = refused(|text| text.replace("tell = [\"reviewer\"]", "tell = []"));
    assert!(silent.contains("operator.acted: `tell`"), "{silent}");
    let late = refused(|text| text.replace("escalate_hours = 336", "escalate_hours = 24"));
    assert!(late.contains("from 168 to 1440"), "{late}");
    let open = refused(|text| text.replace("in one day.", "in {name}."));
    assert!(open.contains("asked.household: `says`"), "{open}");
    let habit = refused(|text| text.replacen("threshold = 3\n", "threshold = 3\nhistory = 4\n", 1));
    assert!(habit.contains("`history` is not known"), "{habit}");
}

fn rule(code: RuleCode) -> WatchRule {
    Watch::parse(SHIPPED).unwrap().rule(code).unwrap().clone()
}

fn at(minutes: i64) -> When {
    When::from_millis(1_775_160_600_000 + minutes * 60_000)
}

fn id(number: u8) -> Id {
    Id::from_bytes([number; 16])
}

fn concerning(minutes: i64, name: &str) -> Sign {
    Sign {
        concerned: vec![OrgId::parse(name).unwrap()],
        ..Sign::plain(at(minutes))
    }
}

#[test]
fn one_burst_is_one_item_whose_count_rises() {
    let rule = rule(RuleCode::StatusShaped);
    let mut bursts = Bursts::default();
    assert_eq!(
        bursts.add(&rule, concerning(0, "lantern"), id(1)),
        Came::Quiet
    );
    assert_eq!(bursts.add(&rule, Sign::plain(at(5)), id(2)), Came::Quiet);
    let Came::Opened(tally) = bursts.add(&rule, Sign::plain(at(9)), id(3)) else {
        panic!("three tries in nine minutes");
    };
    assert_eq!((tally.item, tally.count, tally.minutes()), (id(3), 3, 9));
    assert_eq!(tally.concerned, [OrgId::parse("lantern").unwrap()]);
    let Came::Raised { tally, late, moved } = bursts.add(&rule, concerning(50, "harbour"), id(4))
    else {
        panic!("it goes on");
    };
    assert_eq!((tally.item, moved, tally.minutes()), (id(3), true, 50));
    assert_eq!(late, [OrgId::parse("harbour").unwrap()]);
    // Many at once change nothing that is kept with the user.
    let before = bursts.clone();
    let again = bursts.add(&rule, Sign::plain(at(50)), id(4));
    assert!(matches!(again, Came::Raised { moved: false, .. }));
    assert_eq!(bursts, before);
    // After an hour without a try, it begins again.
    assert_eq!(bursts.add(&rule, Sign::plain(at(111)), id(5)), Came::Quiet);
}

#[test]
fn tries_that_go_on_for_days_make_an_item_a_day() {
    let rule = rule(RuleCode::StatusShaped);
    let mut bursts = Bursts::default();
    let opened = (0..300).filter(|n| {
        let came = bursts.add(&rule, Sign::plain(at(n * 15)), id(1));
        matches!(came, Came::Opened(_))
    });
    assert_eq!(opened.count(), 4);
}

#[test]
fn signs_of_different_things_do_not_add_up() {
    let rule = rule(RuleCode::Reread);
    let mut bursts = Bursts::default();
    let mut read = |referral: u8, minutes: i64| {
        let sign = Sign {
            about: Some([referral; 16]),
            ..Sign::plain(at(minutes))
        };
        bursts.add(&rule, sign, id(referral))
    };
    assert_eq!(read(1, 0), Came::Quiet);
    assert_eq!(read(2, 1), Came::Quiet);
    assert!(matches!(read(1, 2), Came::Opened(tally) if tally.count == 2));
    // One item for a user at a time, whatever it began with.
    assert!(matches!(read(2, 3), Came::Raised { .. }));
    assert_eq!(read(3, 4), Came::Quiet);
}

#[test]
fn an_hour_is_unlike_her_own_only_once_hers_are_known() {
    let rule = rule(RuleCode::Hours);
    let mut habit = Habit::default();
    let night = |day: i64| at(day * 1_440 + 7 * 60);
    let unlike = |habit: &Habit, when| habit.is_unlike(when, rule.history, rule.threshold);
    for day in 0..5 {
        assert!(!unlike(&habit, night(day)));
        for hour in 0..8 {
            assert!(habit.worked(at(day * 1_440 - (13 - hour) * 60)));
        }
        assert!(!habit.worked(at(day * 1_440 - 6 * 60)));
    }
    assert!(unlike(&habit, night(5)));
    assert!(!unlike(&habit, at(5 * 1_440 - 9 * 60)));
    // Two months later hardly anything is known of her.
    habit.worked(at(65 * 1_440));
    assert!(!unlike(&habit, night(65)));
}

#[test]
fn a_usual_day_is_learnt_from_her_days() {
    let mut habit = Habit::default();
    for day in 0..12 {
        let before = if day == 0 { 0 } else { 3 };
        habit.asked(20_000 + day, 1, before);
    }
    let today = habit.asked(20_012, 1, 3);
    assert_eq!((today.people, today.usual, today.days), (1, 3, 12));
}

proptest! {
    #[test]
    fn a_draw_follows_from_the_root_alone(
        root: [u8; 32],
        mut entries in prop::collection::vec(any::<u64>(), 0..200),
        left_out in any::<prop::sample::Index>(),
    ) {
        let own = OrgId::parse("lantern").unwrap();
        let week = Week(2_900);
        let drawn = draw(&root, &own, week, &entries);
        entries.reverse();
        prop_assert_eq!(&draw(&root, &own, week, &entries), &drawn);
        let mut all = entries.clone();
        all.sort_unstable();
        all.dedup();
        prop_assert_eq!(drawn.len(), all.len());
        prop_assert!(drawn.iter().all(|entry| all.contains(entry)));
        if !drawn.is_empty() {
            // What else was there makes no difference to the order of the rest.
            let gone = drawn[left_out.index(drawn.len())];
            let rest: Vec<u64> = drawn.iter().copied().filter(|entry| *entry != gone).collect();
            all.retain(|entry| *entry != gone);
            prop_assert_eq!(draw(&root, &own, week, &all), rest);
        }
        if drawn.len() > 20 {
            let mut other = root;
            other[0] ^= 1;
            prop_assert_ne!(draw(&other, &own, week, &entries), drawn.clone());
            prop_assert_ne!(draw(&root, &OrgId::parse("harbour").unwrap(), week, &entries), drawn);
        }
    }

    #[test]
    fn weeks_follow_each_other_and_begin_on_mondays(millis in 0_i64..4_000_000_000_000) {
        let at = When::from_millis(millis);
        let week = Week::of(at);
        prop_assert!(week.begins() <= at && at < week.ends());
        prop_assert_eq!(week.before().ends(), week.begins());
        let monday = week.begins().rfc3339();
        prop_assert!(monday.ends_with("T00:00:00.000Z"));
    }
}

#[test]
fn the_week_of_a_known_monday() {
    let at = When::parse("2026-11-23T00:00:00Z").unwrap();
    assert_eq!(Week::of(at).begins(), at);
    assert_eq!(Week::of(at.plus_millis(-1)), Week::of(at).before());
}
