//! How long accounts are kept, what keeps them longer, and that each night goes on where the last
//! ended.

use super::*;
use crate::domain::codes::{Action, Purpose};
use crate::domain::journey::trial::{org, start};
use crate::domain::opening::tests::account;

fn policy() -> Retention {
    Retention::parse(BUILT_IN_RETENTION).unwrap()
}

fn opening(action: Action, purpose: Purpose) -> Opening {
    let mut account = account();
    account.what.action = action.code().to_owned();
    account.why.purpose = purpose.code().to_owned();
    Opening {
        who: account.who,
        why: account.why,
        what: account.what,
        decided: account.decided,
        salts: [[0; 32]; 4],
        request_salt: [0; 32],
    }
}

/// Of its own class, `days` after it was made.
fn verdict(opening: &Opening, days: i64, open: &Open) -> Verdict {
    let policy = policy();
    let class = policy.class_of(opening);
    policy.judge(class, opening, start(), start().plus_days(days), open)
}

#[test]
fn the_shipped_policy() {
    let policy = policy();
    let mut shown = String::new();
    for class in policy.classes() {
        shown.push_str(&format!(
            "{}: {} days, {}\n",
            class.name, class.days, class.reason
        ));
    }
    insta::assert_snapshot!(shown, @"
    emergency: 2922 days, eight years, as the adult health record that an emergency may belong to
    connection: 731 days, two years, as security logs: paths that do not exist and second factors name no person
    record: 2192 days, six years: claims under the Limitation Act 1980, and the logs of DPA 2018 s.62
    ");
    let class = |action, purpose| policy.class_of(&opening(action, purpose)).name.clone();
    assert_eq!(class(Action::BreakGlass, Purpose::Support), "emergency");
    assert_eq!(class(Action::Unknown, Purpose::Support), "connection");
    assert_eq!(class(Action::QueryAssessments, Purpose::Support), "record");
    // Named by two: the longer one.
    assert_eq!(class(Action::Unknown, Purpose::Emergency), "emergency");
}

#[test]
fn an_account_is_due_when_its_days_are_over_and_not_before() {
    let (open, query) = (
        Open::default(),
        opening(Action::QueryAssessments, Purpose::Support),
    );
    for (days, expected) in [
        (0, Verdict::Young),
        (2191, Verdict::Young),
        (2192, Verdict::Due),
        (9999, Verdict::Due),
        // A clock that goes back erases nothing.
        (-5, Verdict::Young),
    ] {
        assert_eq!(verdict(&query, days, &open), expected, "{days}");
    }
    let policy = policy();
    let emergency = policy.classes().next().unwrap();
    let now = start().plus_days(3000);
    let other = policy.judge(emergency, &query, start(), now, &open);
    assert_eq!(other, Verdict::Other);
}

#[test]
fn what_is_open_keeps_an_account() {
    let mut query = opening(Action::QueryAssessments, Purpose::Support);
    query.decided.object = Some(Id::from_bytes([4; 16]));
    query.decided.subject = Some([5; 16]);
    let kept = |open: Open| verdict(&query, 5000, &open) == Verdict::Held;
    assert!(!kept(Open::default()));
    assert!(kept(Open {
        things: BTreeSet::from([Id::from_bytes([4; 16])]),
        ..Open::default()
    }));
    assert!(kept(Open {
        subjects: BTreeSet::from([[9; 16], [5; 16]]),
        ..Open::default()
    }));
    let user = query.who.user.clone();
    assert!(kept(Open {
        users: BTreeSet::from([(query.who.organisation.clone(), user.clone())]),
        ..Open::default()
    }));
    // A user of another organisation with the same name.
    assert!(!kept(Open {
        users: BTreeSet::from([(org("haven"), user)]),
        things: BTreeSet::from([Id::from_bytes([9; 16])]),
        subjects: BTreeSet::from([[4; 16]]),
    }));
}

#[test]
fn a_file_with_a_slip_is_refused_and_says_where() {
    let rest = "[rest]\nname = \"record\"\ndays = 2192\nreason = \"law\"\n";
    assert!(Retention::parse(rest).is_ok());
    let class = |text: &str| format!("{rest}[[class]]\nname = \"probe\"\nreason = \"r\"\n{text}");
    let good = "days = 400\nactions = [\"unknown\"]\n";
    assert!(Retention::parse(&class(good)).is_ok());
    let twice = format!("{}{}", class(good), class(good).replace(rest, ""));
    let mut shown = String::new();
    for text in [
        "".to_owned(),
        rest.replace("2192", "3"),
        rest.replace("2192", "99999"),
        rest.replace("days = 2192\n", ""),
        rest.replace("law", " "),
        rest.replace("record", "Record of hers"),
        format!("{rest}actions = [\"unknown\"]\n"),
        format!("{rest}[more]\n"),
        class("days = 400\n"),
        class("days = 400\nactions = [\"look_up\"]\n"),
        class("days = 400\nactions = [\"unknown\", \"unknown\"]\n"),
        class("days = 400\npurposes = [\"immigration\"]\n"),
        class("days = 400\nactions = [\"unknown\"]\nwho = \"x\"\n"),
        twice,
        format!("{rest}class = 3\n").replace("[rest]", "class = 4\n[rest]"),
    ] {
        let error = Retention::parse(&text).unwrap_err().to_string();
        let error = error.strip_prefix("the retention of accounts cannot be used: ");
        let line = error.unwrap().lines().next().unwrap();
        shown.push_str(&format!("{line}\n"));
    }
    insta::assert_snapshot!(shown, @"
    there is no [rest] for what no class names
    record: `days` must be a number from 183 to 36525
    record: `days` must be a number from 183 to 36525
    record: `days` must be a number from 183 to 36525
    `reason` must be a text
    the name \"Record of hers\" must be 2 to 32 of a-z and -
    `actions` in rest is not known; expected name, days, reason
    `more` in the file is not known; expected rest, class
    probe names no action and no purpose
    probe: `actions` holds a code that is not known
    probe: unknown is there twice
    probe: `purposes` holds a code that is not known
    `who` in class is not known; expected name, days, reason, actions, purposes
    probe is there twice
    `class` in rest is not known; expected name, days, reason
    ");
}

/// Entries of two classes, some of them held, gone through as the pipeline does.
#[test]
fn night_after_night_everything_due_is_found_once_and_what_was_held_later() {
    let policy = policy();
    let class = policy.classes().last().unwrap();
    let young_from = 900_u64;
    let word = |index: u64, holding: bool| match index {
        index if index >= young_from => Verdict::Young,
        index if index % 5 == 0 => Verdict::Other,
        index if holding && index % 7 == 0 => Verdict::Held,
        _ => Verdict::Due,
    };
    let (mut erased, mut progress) = (BTreeSet::new(), Progress::default().under(&policy));
    for night in 0..4 {
        let holding = night < 2;
        let mut first = true;
        loop {
            let mark = progress.mark(class);
            let end = (mark + 256).min(1000);
            let held = progress.held().filter(|index| first && *index < mark);
            let asked: Vec<u64> = held.chain(mark..end).collect();
            let left = asked.iter().filter(|index| !erased.contains(*index));
            let judged: Vec<_> = left.map(|index| (*index, word(*index, holding))).collect();
            let looked = progress.look(class, &asked, &judged, end);
            assert!(looked.due.len() <= FORGOTTEN_AT_ONCE);
            for index in looked.due {
                assert!(erased.insert(index), "{index} twice");
            }
            progress = looked.progress;
            first = false;
            if looked.ended {
                break;
            }
        }
        assert_eq!(progress.mark(class), young_from);
        let due = (0..young_from).filter(|index| word(*index, holding) == Verdict::Due);
        match night {
            // More were held than one entry erases: the rest comes the night after.
            2 => assert!(erased.len() < due.count()),
            _ => assert!(erased.iter().copied().eq(due)),
        }
    }
    assert!(progress.held().next().is_none());
    // Another policy begins anew; the same one does not.
    assert_eq!(progress.clone().under(&policy), progress);
    let other = BUILT_IN_RETENTION.replace("2192", "2557");
    let anew = progress.clone().under(&Retention::parse(&other).unwrap());
    assert_eq!(anew.mark(class), 0);
    // What one node did not see, another did.
    let behind = Progress::default().under(&policy);
    assert_eq!(behind.join(&progress), progress);
    assert_eq!(progress.clone().join(&anew), progress);
}

#[test]
fn a_class_waits_when_more_is_held_than_can_be_remembered() {
    let policy = policy();
    let class = policy.classes().last().unwrap();
    let asked: Vec<u64> = (0..2000).collect();
    let all: Vec<_> = asked.iter().map(|index| (*index, Verdict::Held)).collect();
    let progress = Progress::default().under(&policy);
    let looked = progress.look(class, &asked, &all, 2000);
    assert!(looked.ended && looked.due.is_empty());
    assert_eq!(looked.progress.mark(class), HELD_MAX as u64);
    assert_eq!(looked.progress.held().count(), HELD_MAX);
    // What another node erased meanwhile is not remembered for ever.
    let held: Vec<u64> = looked.progress.held().collect();
    let (kept, _) = all.split_at(1000);
    let again = looked.progress.look(class, &held, kept, HELD_MAX as u64);
    assert_eq!(again.progress.held().count(), 1000);
}
