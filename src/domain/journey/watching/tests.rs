//! What a pressed police user leaves behind, and what leaves nothing (3.10).

use super::super::answering::{self, Response};
use super::super::querying::{self, Query, Step};
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
            step: Step::Cards,
            consent: None,
            onward_rule_accepted: true,
            card_code: None,
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
        let mut items = town.queue(name);
        items.retain(|item| item.rule == RuleCode::Tainted);
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
        .aliases_of(&org("lantern"))
        .inward(AliasKind::Referral, alias);
    let own = rules
        .aliases_of(&org("met"))
        .outward(AliasKind::Referral, inward);
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

fn ask(town: &mut Town, at: &str, names: Names<'_>) {
    let rules = Rules::for_tests();
    let today = rules.clock.date(town.now).unwrap();
    let (person, _) = crate::domain::person::resolve(identity(names), &rules.tokens, today)
        .ok()
        .unwrap();
    let query = Query {
        subject: Subject::Tokens(person.tokens().to_vec(), person.household()),
        step: Step::Cards,
        consent: None,
        onward_rule_accepted: true,
        card_code: None,
    };
    town.run(
        attempt(at, Action::QueryAssessments),
        |rules, attempt, known, keys| querying::query(rules, attempt, known, keys, &query),
    );
}

/// Rule and count of what an officer finds, with what was counted since.
fn found(town: &Town, name: &str) -> Vec<(RuleCode, u32)> {
    let known = town.known();
    let items = town.queue(name).into_iter();
    let mut found: Vec<(RuleCode, u32)> = items
        .map(|item| (item.rule, item.total(known.more(item.id))))
        .collect();
    found.sort_unstable();
    found
}

const SISTER: Names<'static> = [
    "Sana",
    "Khan",
    "1994-07-12",
    "9990000042",
    "E8 1DY",
    "07700 900789",
];

#[test]
fn two_people_of_one_surname_and_postcode_are_noticed_without_a_name() {
    let mut town = Town::in_order();
    ask(&mut town, "trust", AMINA);
    ask(&mut town, "trust", AMINA);
    assert!(!found(&town, "trust").contains(&(RuleCode::Household, 2)));
    ask(&mut town, "trust", SISTER);
    assert!(found(&town, "trust").contains(&(RuleCode::Household, 2)));
    assert!(town.queue("reviewer").is_empty());
}

#[test]
fn questions_without_a_referral_make_one_item_whose_count_rises() {
    let mut town = Town::in_order();
    for _ in 0..2 {
        ask(&mut town, "council", AMINA);
        assert!(town.queue("council").is_empty());
    }
    for count in 3..=5 {
        ask(&mut town, "council", AMINA);
        assert_eq!(found(&town, "council"), [(RuleCode::NoRelationship, count)]);
    }
}

#[test]
fn many_people_in_a_day_and_many_refusals_are_noticed() {
    let mut town = Town::in_order();
    let council = town
        .facts()
        .keys()
        .find(|(of, _)| *of == Aggregate::Organisation(org("council")));
    let (of, item) = council.unwrap().clone();
    let mut council = town.known().organisations[&org("council")].clone();
    council.agreements[0].people_a_day = 30;
    town.put(of, item, &Record::Organisation(council));
    for letter in 'a'..='t' {
        let name = format!("{letter}delina");
        let names = [&name, "Okoro", "1980-03-04", "", "", ""];
        ask(&mut town, "council", names);
    }
    let seen = found(&town, "council");
    assert!(seen.contains(&(RuleCode::Bulk, 20)), "{seen:?}");
    for _ in 0..6 {
        refused(&mut town, "trust", Action::RecordAssessment, &ROLE);
    }
    assert_eq!(found(&town, "trust"), [(RuleCode::Denied, 6)]);
}

fn flagged(town: &mut Town, organisation: &str, names: Names<'_>, user: Option<&str>) {
    let rules = Rules::for_tests();
    let today = rules.clock.date(town.now).unwrap();
    let (person, _) = crate::domain::person::resolve(identity(names), &rules.tokens, today)
        .ok()
        .unwrap();
    let flag = Flag {
        organisation: org(organisation),
        tokens: person.tokens().to_vec(),
        household: person.household().filter(|_| user.is_some()),
        user: user.map(str::to_owned),
        until: town.now.plus_days(1),
    };
    let tokens = person.tokens().iter().map(|tagged| tagged.token);
    for token in tokens.chain(flag.household) {
        let item = singleton(&format!("flag of {organisation}"));
        town.put(Aggregate::Token(token), item, &Record::Flag(flag.clone()));
    }
}

#[test]
fn a_flag_is_for_the_organisation_that_set_it_and_ends() {
    let mut town = Town::in_order();
    flagged(&mut town, "trust", AMINA, None);
    ask(&mut town, "council", AMINA);
    assert!(town.queue("council").is_empty() && town.queue("trust").is_empty());
    ask(&mut town, "trust", AMINA);
    assert_eq!(found(&town, "trust"), [(RuleCode::Flagged, 1)]);
    town.now = town.now.plus_days(2);
    ask(&mut town, "trust", AMINA);
    assert_eq!(found(&town, "trust"), [(RuleCode::Flagged, 1)]);
}

#[test]
fn a_worker_who_asks_about_her_own_family_is_noticed() {
    let mut town = Town::in_order();
    flagged(&mut town, "trust", AMINA, Some("worker"));
    ask(&mut town, "trust", SISTER);
    assert_eq!(found(&town, "trust"), [(RuleCode::OwnRecord, 1)]);
    ask(&mut town, "trust", AMINA);
    assert!(found(&town, "trust").contains(&(RuleCode::OwnRecord, 2)));
}
