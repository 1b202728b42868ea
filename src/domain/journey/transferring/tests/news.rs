//! News about her outlives a transfer: it goes to whoever has her now.

use super::*;
use crate::domain::codes::UpdateCode;
use crate::domain::journey::updating::{News, update};

fn tells(town: &mut Town, at: &str, alias: Id, code: UpdateCode) -> Done {
    let mut attempt = attempt(at, Action::UpdateReferral);
    if at == "met" {
        attempt.purpose = Purpose::OnwardReferral;
    }
    let news = News {
        code,
        life_at_risk: false,
        consent: None,
        contact: None,
    };
    town.run(attempt, |rules, attempt, known, keys| {
        update(rules, attempt, known, keys, alias, &news)
    })
}

/// What police call the referral that they sent.
fn sent(town: &Town) -> Id {
    let aliases = town.rules.aliases_of(&org("met"));
    aliases.outward(AliasKind::Referral, origin(town).id.id())
}

/// What the holder of a referral was told, by its codes.
fn told(referral: &Referral) -> Vec<&'static str> {
    let updates = referral.updates.iter().filter(|one| one.to_holder);
    updates.map(|one| one.code.code()).collect()
}

/// Lantern has handed her over: harbour is asked, or has accepted her.
fn handed_over(is_accepted: bool) -> (Town, Id, Id) {
    let mut town = Town::in_order();
    let alias = town.accepted("lantern", AMINA);
    let moving = moving(&town, AMINA, REFUGE, TransferMode::HandOver);
    asks(&mut town, "lantern", alias, &moving);
    let (_, there) = offered(&town);
    if is_accepted {
        let said = accepts(&mut town, "harbour", there, true);
        assert_eq!(said.answer.told(), "released");
    }
    (town, alias, there)
}

#[test]
fn the_wrong_person_is_taken_back_from_whoever_has_her_now() {
    for is_accepted in [false, true] {
        let (mut town, here, there) = handed_over(is_accepted);
        let sent = sent(&town);
        let said = tells(&mut town, "met", sent, UpdateCode::WrongPerson);
        assert_eq!(said.answer.told(), "updated");
        assert_eq!(
            reads(&mut town, "lantern", here).answer.told(),
            "taken-back"
        );
        let late = accepts(&mut town, "harbour", there, true);
        assert_eq!(late.answer.told(), "nothing-to-show");
        assert_eq!(
            reads(&mut town, "harbour", there).answer.told(),
            "taken-back"
        );
        // Nothing of her is left, and police have not learned who has her.
        assert!(town.known().parts.is_empty());
        assert!(!said.decided.concerned.contains(&org("harbour")));
    }
}

#[test]
fn danger_that_has_grown_reaches_whoever_has_her_now() {
    for is_accepted in [false, true] {
        for code in [
            UpdateCode::RiskRaised,
            UpdateCode::BailChanged,
            UpdateCode::NewIncident,
        ] {
            let (mut town, ..) = handed_over(is_accepted);
            let sent = sent(&town);
            let said = tells(&mut town, "met", sent, code);
            assert_eq!(said.answer.told(), "updated");
            assert_eq!(told(&offered(&town).0), [code.code()]);
            // Its own work has ended, or it works with her still.
            let first = told(&origin(&town));
            assert_eq!(first.is_empty(), is_accepted, "{first:?}");
        }
    }
}

#[test]
fn police_who_ask_to_be_called_are_called_by_whom_they_know() {
    let (mut town, ..) = handed_over(true);
    let sent = sent(&town);
    tells(&mut town, "met", sent, UpdateCode::CallReferrer);
    assert!(told(&offered(&town).0).is_empty());
}

#[test]
fn who_handed_her_over_reads_what_the_next_service_reports() {
    for mode in [TransferMode::HandOver, TransferMode::KeepBoth] {
        let mut town = Town::in_order();
        let here = town.accepted("lantern", AMINA);
        let moving = moving(&town, AMINA, REFUGE, mode);
        asks(&mut town, "lantern", here, &moving);
        let (_, there) = offered(&town);
        accepts(&mut town, "harbour", there, true);
        let said = tells(&mut town, "harbour", there, UpdateCode::NewIncident);
        assert_eq!(said.answer.told(), "updated");
        let referral = match reads(&mut town, "lantern", here).answer {
            Answer::HandedOver(referral) | Answer::Released(referral, _) => referral,
            other => panic!("{}", other.told()),
        };
        assert_eq!(told(&referral), ["new_incident"]);
        // Police, who sent it, are told nothing.
        assert!(referral.updates.iter().all(|update| update.to_holder));
    }
}

#[test]
fn the_next_service_cannot_ask_to_be_called_by_who_must_not_know_it() {
    let (mut town, _, there) = handed_over(true);
    let said = tells(&mut town, "harbour", there, UpdateCode::CallReferrer);
    assert_eq!(said.answer.told(), "check-your-answers");
    assert!(told(&origin(&town)).is_empty());
}
