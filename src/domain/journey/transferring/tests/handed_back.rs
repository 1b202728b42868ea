//! A service in the other area accepted her, and by her name it sees that it knows him.

use super::*;
use crate::domain::codes::ConflictKind;

fn hands_back(town: &mut Town, at: &str, alias: Id) -> Done {
    town.now = town.now.plus_millis(60_000);
    let conflict = ConflictKind::KnowsOtherParty;
    let response = Response::HandBack { conflict };
    responds(town, at, Action::HandBackReferral, alias, &response)
}

#[test]
fn the_next_is_asked_and_the_first_waits_again_or_works_on() {
    for (mode, first_reads) in [
        (TransferMode::HandOver, "transferred"),
        (TransferMode::KeepBoth, "released"),
        (TransferMode::Close, "transferred"),
    ] {
        let mut town = Town::in_order();
        let alias = town.accepted("lantern", AMINA);
        let moving = moving(&town, AMINA, ServiceFamily::Community, mode);
        asks(&mut town, "lantern", alias, &moving);
        let mut asked = Vec::new();
        while offered(&town).0.open() {
            let (offer, there) = offered(&town);
            let at = offer.recipient.as_str().to_owned();
            assert!(!asked.contains(&at), "{at} is asked twice");
            assert_eq!(
                accepts(&mut town, &at, there, true).answer.told(),
                "released"
            );
            assert!(!origin(&town).handover.unwrap().waits());
            let said = hands_back(&mut town, &at, there);
            assert_eq!(said.answer.told(), "handed-back");
            assert_eq!(said.decided.concerned, [org(&at)]);
            let tells = List::Events(org("lantern"));
            assert!(said.listed.iter().any(|(list, ..)| *list == tells));
            assert_ne!(reads(&mut town, &at, there).answer.told(), "released");
            // It is not said to be with a service that has her no longer.
            assert!(origin(&town).handover.unwrap().waits());
            assert_eq!(
                reads(&mut town, "lantern", alias).answer.told(),
                first_reads
            );
            asked.push(at);
        }
        asked.sort();
        assert_eq!(asked, ["council", "practice"]);
        let of = Aggregate::Referral(offered(&town).0.id);
        assert!(town.known().parts.iter().all(|part| part.of != of));
    }
}

#[test]
fn whoever_is_handing_her_over_itself_does_not_hand_her_back_too() {
    let mut town = Town::in_order();
    let alias = town.accepted("lantern", AMINA);
    let moving = moving(&town, AMINA, REFUGE, TransferMode::HandOver);
    asks(&mut town, "lantern", alias, &moving);
    let said = hands_back(&mut town, "lantern", alias);
    assert_eq!(said.answer.told(), "already-answered");
    assert!(offered(&town).0.open());
}
