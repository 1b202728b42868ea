//! A pause holds a transfer back, and nothing of it is forgotten when the pause ends.

use super::*;
use crate::domain::journey::settling;
use crate::domain::stop_use::{PAUSE_HOURS, Settling};

fn pause(organisations: &[&str]) -> Wish {
    let scope = match organisations {
        [] => WithdrawalScope::Everything,
        _ => WithdrawalScope::Service,
    };
    Wish {
        scope,
        organisations: organisations.iter().map(|name| org(name)).collect(),
        pause: true,
        ..everything()
    }
}

fn listed(decision: &Decision<Ruled>, of: Id) -> Vec<u64> {
    let places = decision.writes.iter().filter_map(|write| match write {
        Write::List {
            list: List::TransfersDue,
            at,
            item,
        } if *item == of => Some(*at),
        _ => None,
    });
    places.collect()
}

/// The clock looks at one referral; when it will look again.
fn looks_at(town: &mut Town, of: Id) -> Vec<u64> {
    let now = town.now;
    let entries = [Listed {
        at: 0,
        index: 1,
        item: of,
    }];
    let mut again = Vec::new();
    town.run(
        attempt("met", Action::Unknown),
        |rules, attempt, known, keys| {
            let of_now = Due {
                now,
                entries: &entries,
            };
            let made = due(rules, now, &attempt.entropy, keys, known, &of_now)?;
            let decision = made.unwrap();
            again = listed(&decision, of);
            Ok(decision)
        },
    );
    again
}

#[test]
fn an_offer_that_was_paused_when_its_time_was_over_goes_on_when_the_pause_ends() {
    let mut town = Town::in_order();
    let alias = town.accepted("lantern", AMINA);
    let family = ServiceFamily::Community;
    let moving = moving(&town, AMINA, family, TransferMode::HandOver);
    asks(&mut town, "lantern", alias, &moving);
    let (first, _) = offered(&town);
    let answer_by = first.route.as_ref().unwrap().answer_by;
    town.now = answer_by.plus_hours(-2);
    town.withdraw("trust", AMINA, &pause(&[]));
    let until = town.now.plus_hours(PAUSE_HOURS);
    town.now = answer_by;
    let again = looks_at(&mut town, first.id.id());
    assert_eq!(again, [until.place()]);
    assert_eq!(offered(&town).0.recipient, first.recipient);
    town.now = until;
    let again = looks_at(&mut town, first.id.id());
    let (second, _) = offered(&town);
    assert_ne!(second.recipient, first.recipient);
    assert!(second.open());
    let next = second.route.as_ref().unwrap().answer_by;
    assert_eq!(again, [next.place()]);
}

#[test]
fn what_is_left_of_work_that_ended_in_a_pause_goes_when_the_pause_ends() {
    let mut town = Town::in_order();
    let alias = town.accepted("lantern", AMINA);
    let moving = moving(&town, AMINA, REFUGE, TransferMode::HandOver);
    asks(&mut town, "lantern", alias, &moving);
    let (_, there) = offered(&town);
    town.now = town.now.plus_hours(1);
    // Between police and lantern; harbour may accept her.
    town.withdraw("trust", AMINA, &pause(&["met"]));
    let until = town.now.plus_hours(PAUSE_HOURS);
    let first = origin(&town).id;
    let response = Response::Accept {
        worker: "worker".to_owned(),
        onward_rule_accepted: true,
        no_conflict: true,
    };
    let mut again = Vec::new();
    let said = town.run(
        attempt("harbour", Action::AcceptReferral),
        |rules, attempt, known, keys| {
            let made = answering::respond(rules, attempt, known, keys, there, &response)?;
            again = listed(&made, first.id());
            Ok(made)
        },
    );
    assert_eq!(said.answer.told(), "released");
    assert_eq!(again, [town.now.place()]);
    let left = |town: &Town| {
        let of = Aggregate::Referral(first);
        town.known().parts.iter().any(|part| part.of == of)
    };
    let again = looks_at(&mut town, first.id());
    assert!(again.contains(&until.place()), "{again:?}");
    assert!(left(&town));
    town.now = until;
    looks_at(&mut town, first.id());
    assert!(!left(&town));
    assert_eq!(origin(&town).status, ReferralStatus::Closed);
}

#[test]
fn an_earlier_request_that_is_paused_gives_way_too() {
    let mut town = Town::in_order();
    let alias = town.accepted("lantern", AMINA);
    let first = moving(&town, AMINA, REFUGE, TransferMode::HandOver);
    asks(&mut town, "lantern", alias, &first);
    let (earlier, _) = offered(&town);
    town.now = town.now.plus_hours(1);
    town.withdraw("trust", AMINA, &pause(&["harbour"]));
    town.now = town.now.plus_hours(1);
    let family = ServiceFamily::Community;
    let second = moving(&town, AMINA, family, TransferMode::HandOver);
    let asked = asks(&mut town, "lantern", alias, &second);
    assert_eq!(asked.answer.told(), "transfer-waits");
    town.now = town.now.plus_hours(PAUSE_HOURS);
    let known = town.known();
    assert_eq!(known.referrals[&earlier.id].status, ReferralStatus::Expired);
    let of = Aggregate::Referral(earlier.id);
    assert!(known.parts.iter().all(|part| part.of != of));
    let open = known.referrals.values().filter(|one| one.open());
    assert_eq!(open.count(), 1);
}

#[test]
fn when_a_pause_is_lifted_the_clock_looks_at_once() {
    let mut town = Town::in_order();
    let alias = town.accepted("lantern", AMINA);
    let moving = moving(&town, AMINA, REFUGE, TransferMode::HandOver);
    asks(&mut town, "lantern", alias, &moving);
    let (offer, _) = offered(&town);
    town.now = town.now.plus_hours(1);
    let taken = town.withdraw("trust", AMINA, &pause(&[]));
    let Answer::TookWord { withdrawal, .. } = taken.answer else {
        panic!("{}", taken.answer.told());
    };
    town.now = town.now.plus_hours(1);
    let mut again = Vec::new();
    let said = town.run(
        attempt("trust", Action::SettleWithdrawal),
        |rules, attempt, known, keys| {
            let (pause, how) = (withdrawal.id(), Settling::Lift);
            let made = settling::settle(rules, attempt, known, keys, pause, how, true)?;
            again = listed(&made, offer.id.id());
            Ok(made)
        },
    );
    assert_eq!(said.answer.told(), "pause-lifted");
    assert_eq!(again, [town.now.place()]);
    assert!(offered(&town).0.open());
}
