//! What she has stopped, and what nobody may read from an entry, when an offer goes on.

use super::*;

const COMMUNITY: ServiceFamily = ServiceFamily::Community;

/// Lantern hands her over, and one of two services is asked; which, and who would be next.
fn two_services() -> (Town, Referral, Id, &'static str) {
    let mut town = Town::in_order();
    let alias = town.accepted("lantern", AMINA);
    let moving = moving(&town, AMINA, COMMUNITY, TransferMode::HandOver);
    asks(&mut town, "lantern", alias, &moving);
    let (first, there) = offered(&town);
    let next = match first.recipient.as_str() {
        "council" => "practice",
        _ => "council",
    };
    (town, first, there, next)
}

fn not_to(organisation: &str) -> Wish {
    Wish {
        scope: WithdrawalScope::Service,
        organisations: vec![org(organisation)],
        ..everything()
    }
}

fn not_class(class: DataClass) -> Wish {
    Wish {
        scope: WithdrawalScope::Class,
        classes: vec![class],
        ..everything()
    }
}

#[test]
fn a_service_that_she_has_stopped_since_is_not_asked_next() {
    let (mut town, first, there, next) = two_services();
    town.now = town.now.plus_hours(1);
    town.withdraw("trust", AMINA, &not_to(next));
    assert!(offered(&town).0.open());
    let at = first.recipient.as_str();
    declines(&mut town, at, there, DeclineReason::Full);
    let (after, _) = offered(&town);
    assert_eq!(after.recipient, first.recipient);
    assert_eq!(after.status, ReferralStatus::Declined);
    let known = town.known();
    let of = Aggregate::Referral(after.id);
    assert!(known.parts.iter().all(|part| part.of != of));
}

#[test]
fn nor_by_the_clock() {
    let (mut town, first, _, next) = two_services();
    town.now = town.now.plus_hours(1);
    town.withdraw("trust", AMINA, &not_to(next));
    town.now = first.route.as_ref().unwrap().answer_by;
    let told = passes_on(&mut town);
    assert!(!told.iter().any(|told| told == next), "{told:?}");
    assert_eq!(offered(&town).0.recipient, first.recipient);
}

#[test]
fn the_entry_of_who_declines_does_not_name_who_is_asked_next() {
    let (mut town, first, there, next) = two_services();
    let at = first.recipient.as_str();
    let said = declines(&mut town, at, there, DeclineReason::Conflict);
    assert_eq!(offered(&town).0.recipient, org(next));
    assert!(!said.decided.concerned.contains(&org(next)));
}

#[test]
fn her_no_to_what_a_transfer_carries_stops_it_and_nothing_else() {
    // Said while it waits, and before it was asked.
    for is_first in [false, true] {
        let mut town = Town::in_order();
        let alias = town.accepted("lantern", AMINA);
        let moving = moving(&town, AMINA, REFUGE, TransferMode::HandOver);
        let no = not_class(DataClass::Sp);
        if is_first {
            town.withdraw("trust", AMINA, &no);
        }
        let asked = asks(&mut town, "lantern", alias, &moving);
        assert_eq!(asked.answer.told(), "transfer-waits");
        if !is_first {
            town.now = town.now.plus_hours(1);
            town.withdraw("trust", AMINA, &no);
        }
        assert_eq!(offered(&town).0.status, ReferralStatus::Withdrawn);
        // What she has at lantern carries nothing of that class.
        assert_eq!(reads(&mut town, "lantern", alias).answer.told(), "released");
    }
}
