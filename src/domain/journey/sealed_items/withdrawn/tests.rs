//! Her word at any service, and what becomes of an item: before it is collected, after, on its way.

use super::super::tests::{
    agreed, boxes_left, collects, destroys, events, hand_in, night, said, sealed, stops, town,
    waiting,
};
use crate::domain::answer::Answer;
use crate::domain::codes::{DataClass, Purpose, WithdrawalScope};
use crate::domain::decision::List;
use crate::domain::journey::settling::tests::{settle_as, took, wish};
use crate::domain::journey::trial::{AMINA, Done, Town, org};
use crate::domain::journey::withdrawing::Wish;
use crate::domain::sealed_item::KEPT_DAYS;
use crate::domain::stop_use::{PAUSE_HOURS, Settling};

fn later(town: &mut Town) {
    town.now = town.now.plus_hours(1);
}

/// She says it to the council.
fn withdraws(town: &mut Town, wish: &Wish) -> Done {
    later(town);
    town.withdraw("council", AMINA, wish)
}

/// An event for it was listed.
fn is_told(done: &Done, whom: &str) -> bool {
    let of = List::Events(org(whom));
    done.listed.iter().any(|(list, ..)| *list == of)
}

/// Nothing names whose an item was.
fn is_unbound(town: &Town) -> bool {
    let known = town.known();
    let mut items = known.sealed_items.values();
    known.sealed_of.is_empty() && items.all(|item| item.tokens.is_empty())
}

#[test]
fn everything_destroys_what_nobody_collected_in_the_same_commit() {
    let mut town = town();
    let (mine, theirs) = sealed(&mut town);
    assert_eq!(town.known().sealed_items.len(), 1);
    let before = collects(&mut town, "lantern", mine);
    let done = withdraws(&mut town, &wish(false));
    assert!(boxes_left(&town).is_empty() && is_unbound(&town));
    // Neither the entry nor the service that took it says that there was one.
    assert!(!done.noted("stop-use-notice"));
    assert!(!done.decided.concerned.contains(&org("quay")));
    assert_eq!(waiting(&mut town, "quay"), 0);
    assert!(events(&mut town, "quay").is_empty());
    assert!(events(&mut town, "council").is_empty());
    assert_eq!(
        said(&collects(&mut town, "quay", theirs)),
        "nothing-to-show"
    );
    // Its sender sees what it always saw.
    let after = collects(&mut town, "lantern", mine);
    assert_eq!(said(&after), said(&before));
    assert_eq!(said(&stops(&mut town, "lantern", mine)), "withdrawn");
}

#[test]
fn the_adviser_that_collected_it_is_told_to_stop_and_not_by_whom() {
    let mut town = town();
    let (_, theirs) = sealed(&mut town);
    collects(&mut town, "quay", theirs);
    destroys(&mut town, theirs);
    let done = withdraws(&mut town, &wish(false));
    assert!(done.noted("stop-use-notice"));
    assert_eq!(events(&mut town, "quay"), ["stop_use"]);
    // Her entry names her: nobody who reads it sees that she has an adviser.
    assert!(!done.decided.concerned.contains(&org("quay")));
    assert!(is_unbound(&town));
}

#[test]
fn a_clock_that_runs_ahead_does_not_outrun_her_withdrawal() {
    let mut town = town();
    let ahead = agreed(town.now.plus_hours(1));
    hand_in(&mut town, "lantern", "quay", &ahead);
    assert_eq!(boxes_left(&town).len(), 1);
    town.now = town.now.plus_millis(10 * 60 * 1000);
    town.withdraw("council", AMINA, &wish(false));
    assert!(boxes_left(&town).is_empty() && is_unbound(&town));
}

#[test]
fn what_she_stops_by_service_purpose_or_kind_reaches_it_and_nothing_else_does() {
    let by = |change: fn(&mut Wish)| {
        let mut one = wish(false);
        change(&mut one);
        one
    };
    for (reaches, wish) in [
        (
            true,
            by(|one| {
                one.scope = WithdrawalScope::Service;
                one.organisations = vec![org("quay")];
            }),
        ),
        (
            true,
            by(|one| {
                one.scope = WithdrawalScope::Service;
                one.organisations = vec![org("lantern")];
            }),
        ),
        (
            false,
            by(|one| {
                one.scope = WithdrawalScope::Service;
                one.organisations = vec![org("harbour")];
            }),
        ),
        (
            true,
            by(|one| {
                one.scope = WithdrawalScope::Purpose;
                one.purposes = vec![Purpose::LegalAdvice];
            }),
        ),
        (
            false,
            by(|one| {
                one.scope = WithdrawalScope::Purpose;
                one.purposes = vec![Purpose::Support];
            }),
        ),
        (
            true,
            by(|one| {
                one.scope = WithdrawalScope::Class;
                one.classes = vec![DataClass::Im];
            }),
        ),
        (
            true,
            by(|one| {
                one.scope = WithdrawalScope::Class;
                one.classes = vec![DataClass::Sealed];
            }),
        ),
        (
            false,
            by(|one| {
                one.scope = WithdrawalScope::Class;
                one.classes = vec![DataClass::Sp];
            }),
        ),
    ] {
        let mut town = town();
        sealed(&mut town);
        withdraws(&mut town, &wish);
        assert_eq!(boxes_left(&town).is_empty(), reaches, "{wish:?}");
    }
}

#[test]
fn somebody_elses_withdrawal_does_not_reach_it() {
    let mut town = town();
    sealed(&mut town);
    later(&mut town);
    let other = ["Zofia", "Marek", "1979-01-02", "", "N1 9GU", ""];
    town.withdraw("council", other, &wish(false));
    assert_eq!(boxes_left(&town).len(), 1);
}

#[test]
fn a_later_send_on_an_older_consent_is_stopped_and_becomes_a_task_and_a_newer_one_goes_through() {
    let mut town = town();
    let agreed_at = town.now;
    withdraws(&mut town, &wish(false));
    later(&mut town);
    let old = hand_in(&mut town, "lantern", "quay", &agreed(agreed_at));
    assert!(boxes_left(&town).is_empty() && is_unbound(&town));
    assert_eq!(waiting(&mut town, "quay"), 0);
    assert!(events(&mut town, "quay").is_empty());
    assert!(!old.decided.concerned.contains(&org("quay")));
    // No message goes nowhere, and the task names no kind of message.
    assert_eq!(events(&mut town, "council"), ["message_stopped"]);
    assert!(events(&mut town, "lantern").is_empty());
    let Answer::ItemSealed { item, .. } = old.answer else {
        panic!("{}", said(&old));
    };
    assert_eq!(
        said(&collects(&mut town, "lantern", item.id())),
        "advice-arranged"
    );

    let now = town.now;
    let new = hand_in(&mut town, "lantern", "quay", &agreed(now));
    assert_eq!(said(&old), said(&new));
    assert_eq!(old.decided.notes, new.decided.notes);
    assert_eq!(boxes_left(&town).len(), 1);
    // What she agreed to since is not reached by the same word, handed in again.
    assert_eq!(waiting(&mut town, "quay"), 1);
}

#[test]
fn a_pause_holds_it_back_and_ends_by_the_clock_or_when_it_is_lifted() {
    for lifted in [true, false] {
        let mut town = town();
        let (mine, theirs) = sealed(&mut town);
        let pause = took(&withdraws(&mut town, &wish(true)));
        assert_eq!(boxes_left(&town).len(), 1);
        assert_eq!(waiting(&mut town, "quay"), 0);
        assert!(events(&mut town, "quay").is_empty());
        assert_eq!(
            said(&collects(&mut town, "quay", theirs)),
            "nothing-to-show"
        );
        assert_eq!(
            said(&collects(&mut town, "lantern", mine)),
            "advice-arranged"
        );
        if lifted {
            settle_as(&mut town, "council", pause, Settling::Lift, true);
        } else {
            town.now = town.now.plus_hours(PAUSE_HOURS);
        }
        assert_eq!(waiting(&mut town, "quay"), 1);
        assert_eq!(said(&collects(&mut town, "quay", theirs)), "item-collected");
    }
}

#[test]
fn a_pause_that_is_confirmed_destroys_it() {
    let mut town = town();
    let (_, theirs) = sealed(&mut town);
    let pause = took(&withdraws(&mut town, &wish(true)));
    settle_as(&mut town, "council", pause, Settling::Confirm, false);
    assert!(boxes_left(&town).is_empty() && is_unbound(&town));
    town.now = town.now.plus_hours(PAUSE_HOURS);
    assert_eq!(
        said(&collects(&mut town, "quay", theirs)),
        "nothing-to-show"
    );
}

#[test]
fn who_collected_it_before_a_pause_is_told_to_stop_and_when_that_ends() {
    let mut town = town();
    let (_, theirs) = sealed(&mut town);
    collects(&mut town, "quay", theirs);
    destroys(&mut town, theirs);
    let pause = took(&withdraws(&mut town, &wish(true)));
    // The same word as of a withdrawal.
    assert_eq!(events(&mut town, "quay"), ["stop_use"]);
    let lifted = settle_as(&mut town, "council", pause, Settling::Lift, true);
    assert_eq!(events(&mut town, "quay"), ["stop_use_ended"]);
    assert!(is_told(&lifted, "quay"));
    assert!(!lifted.decided.concerned.contains(&org("quay")));
}

#[test]
fn a_lifted_pause_is_no_event_of_who_did_not_collect() {
    let mut town = town();
    sealed(&mut town);
    let pause = took(&withdraws(&mut town, &wish(true)));
    let lifted = settle_as(&mut town, "council", pause, Settling::Lift, true);
    assert!(!is_told(&lifted, "quay"));
}

#[test]
fn what_is_known_of_a_collected_item_ends_with_its_time() {
    let mut town = town();
    let (_, theirs) = sealed(&mut town);
    collects(&mut town, "quay", theirs);
    destroys(&mut town, theirs);
    assert!(!is_unbound(&town));
    town.now = town.now.plus_days(KEPT_DAYS);
    night(&mut town);
    assert!(town.known().sealed_items.is_empty() && is_unbound(&town));
}
