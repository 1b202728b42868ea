//! What a pressed police user leaves behind, and what leaves nothing (3.10).

use super::super::answering::{self, Response};
use super::super::querying::{self, Query};
use super::super::reading;
use super::super::subject::Subject;
use super::super::trial::*;
use super::*;
use crate::domain::alias::AliasKind;
use crate::domain::audit::Severity;
use crate::domain::codes::{Direction, Purpose, Role};
use crate::domain::rules::Rules;

fn refused(town: &mut Town, at: &str, action: Action, refusal: &Refusal) {
    let attempt = attempt(at, action);
    town.run(attempt, |rules, attempt, known, keys| {
        Ruling::new(rules, attempt, known, keys).refuse(refusal.clone())
    });
}

fn told(town: &Town) -> Vec<&'static str> {
    let all = ["met", "lantern", "harbour", "council", "trust", "reviewer"];
    let found = all.into_iter().filter(|name| {
        let items = town.queue(name);
        let red = items
            .iter()
            .filter(|item| item.severity == Severity::Red)
            .count();
        assert!(red <= 1, "{name} is told {red} times");
        red == 1
    });
    found.collect()
}

const ROLE: Refusal = Refusal::RoleNotAllowed { role: "officer" };

#[test]
fn three_tries_by_police_make_one_red_item_at_all_whom_they_concern() {
    let mut town = Town::in_order();
    town.accepted("lantern", AMINA);
    refused(&mut town, "met", Action::Unknown, &Refusal::NotFound);
    // To send her a second time for the same offence asks who has her.
    town.refer("met", "harbour", AMINA, Direction::Police);
    assert!(told(&town).is_empty());
    refused(&mut town, "met", Action::BreakGlass, &ROLE);
    assert_eq!(told(&town), ["met", "lantern", "harbour", "reviewer"]);
    refused(&mut town, "met", Action::BreakGlass, &ROLE);
    assert_eq!(told(&town), ["met", "lantern", "harbour", "reviewer"]);
}

#[test]
fn who_is_concerned_only_by_a_late_try_is_told_as_well() {
    let mut town = Town::in_order();
    town.accepted("lantern", AMINA);
    let lie = Refusal::PurposeNotAllowed { purpose: "support" };
    let field = Refusal::UnknownField {
        name: Some("nationality".to_owned()),
    };
    refused(&mut town, "met", Action::OfferReferral, &field);
    refused(&mut town, "met", Action::OfferReferral, &lie);
    refused(&mut town, "met", Action::QueryAssessments, &ROLE);
    assert_eq!(told(&town), ["met", "reviewer"]);
    town.refer("met", "harbour", AMINA, Direction::Police);
    assert_eq!(told(&town), ["met", "lantern", "harbour", "reviewer"]);
    town.refer("met", "harbour", AMINA, Direction::Police);
    assert_eq!(told(&town), ["met", "lantern", "harbour", "reviewer"]);
}

#[test]
fn a_mistake_of_form_or_too_many_calls_are_no_probe() {
    let mut town = Town::in_order();
    let typo = Refusal::UnknownField {
        name: Some("offence_grup".to_owned()),
    };
    let slow = Refusal::SlowDown { retry_after_s: 1 };
    for refusal in [typo, slow, Refusal::TooLarge, Refusal::NotJson] {
        refused(&mut town, "met", Action::Unknown, &refusal);
        refused(&mut town, "met", Action::OfferReferral, &refusal);
    }
    // Another body's workers are not pressed for status.
    for _ in 0..4 {
        refused(&mut town, "council", Action::Unknown, &Refusal::NotFound);
    }
    assert!(told(&town).is_empty());
}

#[test]
fn a_tainted_team_that_asks_is_an_amber_item_an_hour_whoever_it_asks_about() {
    let mut town = Town::in_order();
    town.taint("council");
    let ask = |town: &mut Town| {
        let query = Query {
            subject: Subject::Tokens(tokens(AMINA), None),
            consent: None,
        };
        town.run(
            attempt("council", Action::QueryAssessments),
            |rules, attempt, known, keys| querying::query(rules, attempt, known, keys, &query),
        )
    };
    for _ in 0..3 {
        assert!(ask(&mut town).noted("firewall.tainted"));
    }
    town.now = town.now.plus_hours(2);
    ask(&mut town);
    for name in ["council", "reviewer"] {
        let items = town.queue(name);
        assert_eq!(items.len(), 2, "{name}");
        assert!(items.iter().all(|item| item.severity == Severity::Amber));
    }
    assert!(town.queue("met").is_empty());
}

#[test]
fn a_closed_referral_read_again_is_one_amber_item_at_the_readers_own_officer() {
    let mut town = Town::in_order();
    let alias = town.accepted("lantern", AMINA);
    let close = Response::Close {
        outcomes: Vec::new(),
    };
    let rules = Rules::for_tests();
    let inward = rules
        .aliases
        .inward(&org("lantern"), AliasKind::Referral, alias);
    let own = rules
        .aliases
        .outward(&org("met"), AliasKind::Referral, inward);
    let read = |town: &mut Town| {
        let mut asked = attempt("met", Action::ReadReferralStatus);
        (asked.role, asked.purpose) = (Role::Officer, Purpose::OnwardReferral);
        town.run(asked, |rules, attempt, known, keys| {
            reading::referral(rules, attempt, known, keys, own, &reading::Ask::Status)
        })
    };
    // As long as it is open, to look how it stands is his work.
    for _ in 0..3 {
        assert!(!read(&mut town).noted("probe.reread"));
    }
    town.run(
        attempt("lantern", Action::CloseReferral),
        |rules, attempt, known, keys| {
            answering::respond(rules, attempt, known, keys, alias, &close)
        },
    );
    assert!(!read(&mut town).noted("probe.reread"));
    assert!(town.queue("met").is_empty());
    for _ in 0..3 {
        assert!(read(&mut town).noted("probe.reread"));
    }
    town.now = town.now.plus_days(2);
    assert!(!read(&mut town).noted("probe.reread"));
    let items = town.queue("met");
    assert_eq!(items.len(), 1);
    assert_eq!(
        (items[0].rule, items[0].severity),
        (RuleCode::Reread, Severity::Amber)
    );
    assert!(town.queue("lantern").is_empty() && town.queue("reviewer").is_empty());
}
