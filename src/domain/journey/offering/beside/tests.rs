//! What an offer may say of the other party, who is told of it, and how a child's record is kept under
//! one parent (3.0.2, subtlety 5).

use super::super::super::answering::{Response, respond};
use super::super::super::querying::{Query, Step, query};
use super::super::super::subject::Subject;
use super::super::super::trial::*;
use super::super::{Besides, Offer, OfferGround, offer};
use super::*;
use crate::domain::alias::AliasKind;
use crate::domain::answer::Answer;
use crate::domain::assessment::Assessment;
use crate::domain::codes::{
    Action, Direction, EmergencyReason, GivenBy, OtherPartyRisk, Relation, YesNoUnknown,
};
use crate::domain::consent::Opens;
use crate::domain::decision::Aggregate;
use crate::domain::firewall::hold::Unread;
use crate::domain::id::{Id, PersonId};
use crate::domain::journey::assessing;
use crate::domain::journey::emergency::{Glass, break_glass};
use crate::domain::other_party::OtherParty;
use crate::domain::person::Lane;
use crate::domain::record::Record;
use crate::domain::rules::Rules;

const HE: [&str; 3] = ["Imran", "Karim", "1988-01-20"];
const MOTHER: [&str; 3] = ["Amina", "Khan", "1990-05-02"];
const CHILD: Names<'static> = ["Sami", "Karim", "2019-06-03", "9990000042", "E8 1DY", ""];

fn told() -> OtherParty {
    OtherParty {
        relation: Relation::FormerPartner,
        shares_address: YesNoUnknown::Yes,
        risks: vec![OtherPartyRisk::Strangled, OtherPartyRisk::WorksForAgency],
    }
}

fn one(lane: Lane, [given, family, birth]: [&str; 3]) -> Option<Beside> {
    beside(&[lane], given, family, birth).pop()
}

/// Police offer her, and say who the other party is.
fn with_him(town: &Town, to: &str) -> Offer {
    Offer {
        other_party: Some(told()),
        beside: Besides {
            other_party: one(Lane::OtherParty, HE),
            is_numbered: true,
            ..Besides::default()
        },
        ..town.offer(to, AMINA, Direction::Police)
    }
}

/// A parent speaks for the child.
fn of_child(town: &Town, to: &str, parent: [&str; 3]) -> Offer {
    let mut made = town.offer(to, CHILD, Direction::Police);
    made.operational.party_role = PartyRole::ChildVictim;
    if let OfferGround::Consent(consent) = &mut made.ground {
        consent.given_by = GivenBy::ParentGuardian;
        consent.competence = Competence::ParentForChild;
        consent.parent = Some(Parent::Guardian);
    }
    made.beside.parent = one(Lane::Parent, parent);
    made
}

fn accepts(town: &mut Town, at: &str, alias: Id) -> Done {
    let response = Response::Accept {
        worker: "worker".to_owned(),
        onward_rule_accepted: true,
        no_conflict: true,
    };
    town.run(
        attempt(at, Action::AcceptReferral),
        |rules, attempt, known, keys| respond(rules, attempt, known, keys, alias, &response),
    )
}

fn reads(town: &mut Town, at: &str, alias: Id) -> Done {
    town.run(
        attempt(at, Action::ReadReferral),
        |rules, attempt, known, keys| respond(rules, attempt, known, keys, alias, &Response::Read),
    )
}

fn parts_of(done: &Done) -> Vec<DataClass> {
    let mut classes: Vec<DataClass> = done.answer.parts().iter().map(|part| part.class).collect();
    classes.sort_unstable();
    classes
}

fn field(town: &mut Town, from: &str, made: &Offer) -> &'static str {
    let done = town.run(
        attempt(from, Action::OfferReferral),
        |rules, attempt, known, keys| offer(rules, attempt, known, keys, made),
    );
    match &done.answer {
        Answer::Refused(Refusal::CheckYourAnswers(wrong)) => wrong[0].field,
        other => panic!("{}", other.told()),
    }
}

#[test]
fn a_provider_that_accepted_her_is_told_what_makes_him_dangerous_and_no_name() {
    let mut town = Town::in_order();
    let made = with_him(&town, "lantern");
    let alias = town.send("met", "lantern", &made);
    let done = accepts(&mut town, "lantern", alias);
    let parts = done.answer.parts();
    let his = parts.iter().find(|part| part.class == DataClass::Perp);
    assert_eq!(OtherParty::parse(town.plain(his.unwrap())), Some(told()));
    assert_eq!(
        parts_of(&reads(&mut town, "lantern", alias)),
        parts_of(&done)
    );
    // His name lies nowhere, in no part and in no fact.
    let facts = town.facts().values();
    let parts = parts.iter().map(|part| town.plain(part));
    for bytes in facts.map(Vec::as_slice).chain(parts) {
        let text = String::from_utf8_lossy(bytes).to_lowercase();
        assert!(!text.contains("imran") && !text.contains("karim"));
    }
}

#[test]
fn health_is_told_nothing_of_him_and_a_tainted_council_nothing_at_all() {
    let mut town = Town::in_order();
    let made = with_him(&town, "practice");
    let alias = town.send("met", "practice", &made);
    let done = accepts(&mut town, "practice", alias);
    assert!(matches!(done.answer, Answer::Released(..)));
    assert!(!parts_of(&done).contains(&DataClass::Perp));
    let known = town.known();
    assert!(known.parts.iter().all(|part| part.class != DataClass::Perp));
}

#[test]
fn an_emergency_opens_nothing_of_him() {
    let mut town = Town::in_order();
    let made = with_him(&town, "lantern");
    let alias = town.send("met", "lantern", &made);
    accepts(&mut town, "lantern", alias);
    town.assess("harbour", AMINA, &draft(start(), &["lantern"]));
    let glass = Glass {
        subject: Subject::Tokens(tokens(AMINA), None),
        reason: EmergencyReason::CannotConsent,
        words: Unread::new("text", "x".repeat(40)),
        on_shift: true,
        confirm: true,
        onward_rule_accepted: true,
    };
    let done = town.run(
        attempt("trust", Action::BreakGlass),
        |rules, attempt, known, keys| break_glass(rules, attempt, known, keys, &glass),
    );
    assert!(!done.answer.parts().is_empty(), "{}", done.answer.told());
    assert!(!parts_of(&done).contains(&DataClass::Perp));
}

#[test]
fn the_other_party_in_her_record_and_a_victim_in_his_own_are_two_records_that_nothing_joins() {
    let mut town = Town::in_order();
    let made = with_him(&town, "lantern");
    town.send("met", "lantern", &made);
    let his = ["Imran", "Karim", "1988-01-20", "", "E8 1DY", "07700 900123"];
    // No name of the index leads from him to anything of hers.
    let known = town.known();
    let names: Vec<_> = crate::domain::person::keys_of(&tokens(his)).collect();
    assert!(names.iter().all(|name| !known.holders.contains_key(name)));
    assert!(known.linked(None, &tokens(his)).is_empty());
    // He reports too: another person at the same force, and no pair for anyone to judge.
    town.refer("met", "lantern", his, Direction::Police);
    let known = town.known();
    assert_eq!(known.people.len(), 2);
    assert!(known.links.is_empty());
    let referrals: Vec<_> = known.referrals.values().collect();
    assert_ne!(referrals[0].sender_person, referrals[1].sender_person);
    let kinds = town
        .facts()
        .keys()
        .filter(|(of, _)| matches!(of, Aggregate::Token(_)));
    let own: Vec<_> = crate::domain::person::keys_of(&tokens(AMINA)).collect();
    for (of, _) in kinds {
        let Aggregate::Token(token) = of else {
            continue;
        };
        assert!(own.contains(token) || names.contains(token));
    }
}

#[test]
fn police_alone_give_a_police_number_and_a_parent_is_never_the_other_party() {
    let mut town = Town::in_order();
    let made = with_him(&town, "lantern");
    assert_eq!(field(&mut town, "harbour", &made), "other_party.pnc_id");
    let mut made = of_child(&town, "lantern", MOTHER);
    made.beside.parent = None;
    assert_eq!(field(&mut town, "met", &made), "child_of");
    let mut made = of_child(&town, "lantern", HE);
    made.beside.parent_is_other_party = true;
    assert_eq!(field(&mut town, "met", &made), "child_of");
    let mut made = town.offer("lantern", AMINA, Direction::Police);
    made.beside.parent = one(Lane::Parent, MOTHER);
    assert_eq!(field(&mut town, "met", &made), "child_of");
}

fn people(town: &Town, of: &str) -> Vec<PersonId> {
    let known = town.known();
    let people = known.people.iter().filter(|(_, person)| {
        let record = person.record.as_ref();
        record.is_some_and(|record| record.organisation == org(of))
    });
    people.map(|(id, _)| *id).collect()
}

#[test]
fn two_parents_who_name_one_child_make_two_records_of_it() {
    let mut town = Town::in_order();
    for (parent, to) in [(MOTHER, "lantern"), (HE, "lantern"), (MOTHER, "lantern")] {
        let made = of_child(&town, to, parent);
        let alias = town.send("met", to, &made);
        accepts(&mut town, to, alias);
        town.now = town.now.plus_hours(1);
    }
    // The mother's second referral is of her own first record; his is of another.
    for organisation in ["met", "lantern"] {
        let found = people(&town, organisation);
        assert_eq!(found.len(), 2, "{organisation}");
        let aliases = town.rules.aliases_of(&org(organisation));
        let names = found
            .iter()
            .map(|id| aliases.outward(AliasKind::Person, id.id()));
        let names: std::collections::BTreeSet<Id> = names.collect();
        assert_eq!(names.len(), 2);
    }
    let known = town.known();
    assert!(known.links.is_empty());
    let mut sides: Vec<usize> = known
        .people
        .values()
        .map(|one| one.referrals.len())
        .collect();
    sides.sort_unstable();
    assert_eq!(sides, [1, 1, 2, 2]);
    // By who the child is, neither is found as the organisation's own.
    assert!(known.own_record(&org("lantern"), &tokens(CHILD)).is_none());
}

/// A service assesses the child on the referral that it accepted, and allows the other to be told.
fn assessed(town: &mut Town, at: &str, alias: Id, to: &str) -> Assessment {
    let draft = draft(town.now, &[to]);
    let done = town.run(
        attempt(at, Action::RecordAssessment),
        |rules, attempt, known, keys| {
            assessing::record(
                rules,
                attempt,
                known,
                keys,
                &Subject::Referral(alias),
                &draft,
            )
        },
    );
    let id = done.decided.object.unwrap();
    let known = town.known();
    let mut all = known.people.values().flat_map(|person| &person.assessments);
    all.find(|one| one.id.id() == id).cloned().unwrap()
}

fn asks(town: &mut Town, at: &str, alias: Id) -> Done {
    let question = Query {
        subject: Subject::Referral(alias),
        step: Step::Cards,
        consent: Some(consent(Opens::Query, &[])),
        onward_rule_accepted: true,
        card_code: None,
    };
    town.run(
        attempt(at, Action::QueryAssessments),
        |rules, attempt, known, keys| query(rules, attempt, known, keys, &question),
    )
}

#[test]
fn parents_whose_names_are_alike_are_two_parents_also_with_no_date_of_birth() {
    let mut town = Town::in_order();
    for parent in [["Amina", "Khan", ""], ["Amin", "Khan", ""]] {
        let made = of_child(&town, "lantern", parent);
        town.send("met", "lantern", &made);
        town.now = town.now.plus_hours(1);
    }
    assert_eq!(people(&town, "met").len(), 2);
}

#[test]
fn what_is_recorded_of_a_child_under_one_parent_is_not_shown_under_the_other() {
    let (undated, alike) = (["Amina", "Khan", ""], ["Amin", "Khan", ""]);
    for (recorded, asker, shown) in [
        (MOTHER, MOTHER, true),
        (MOTHER, undated, true),
        (MOTHER, HE, false),
        (MOTHER, alike, false),
        (undated, alike, false),
    ] {
        let mut town = Town::in_order();
        let made = of_child(&town, "harbour", recorded);
        let hers = town.send("met", "harbour", &made);
        accepts(&mut town, "harbour", hers);
        assessed(&mut town, "harbour", hers, "lantern");
        town.now = town.now.plus_hours(1);
        let made = of_child(&town, "lantern", asker);
        let alias = town.send("met", "lantern", &made);
        accepts(&mut town, "lantern", alias);
        let done = asks(&mut town, "lantern", alias);
        let told = matches!(done.answer, Answer::Assessments(..));
        assert_eq!(
            told,
            shown,
            "{} {:?}",
            done.answer.told(),
            done.decided.notes
        );
        // Nobody is asked to say that the two are one.
        let waits = town.known().links.values().any(|pair| pair.waits);
        assert!(!waits);
        if !shown {
            assert!(matches!(done.answer, Answer::Nothing));
            assert!(done.noted("none-held"), "{:?}", done.decided.notes);
        }
    }
}

#[test]
fn a_record_of_a_child_keeps_its_parent_as_it_grows() {
    let mut town = Town::in_order();
    let mut made = of_child(&town, "lantern", MOTHER);
    town.send("met", "lantern", &made);
    made = of_child(&town, "lantern", MOTHER);
    made.person = {
        let mut more = CHILD;
        more[5] = "07700 900789";
        let rules = Rules::for_tests();
        let today = rules.clock.date(start()).unwrap();
        let found = crate::domain::person::resolve(identity(more), &rules.tokens, today);
        found.ok().unwrap().0
    };
    town.now = town.now.plus_hours(1);
    town.send("met", "lantern", &made);
    let known = town.known();
    let records: Vec<_> = known
        .people
        .values()
        .filter_map(|one| one.record.as_ref())
        .collect();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].parent, one(Lane::Parent, MOTHER));
    let stored = Record::Person(records[0].clone());
    assert!(Record::parse(&stored.to_bytes()).is_ok_and(|read| read == stored));
}
