//! Who is given a report, and about whom there is none.

use super::*;
use crate::domain::audit::Reach;
use crate::domain::codes::{Action, HandedTo, Role};
use crate::domain::id::Id;
use crate::domain::id::PersonId;
use crate::domain::id::ReferralId;
use crate::domain::journey::scene::{Person, Scene, org, start, told};
use crate::domain::known;
use crate::domain::person::Token;
use crate::domain::record::{PersonRecord, PersonReferral};

const HAVEN_IG: Person<'_> = ("haven", "hi1", Role::IgOfficer);
const POLICE_IG: Person<'_> = ("police", "pi1", Role::IgOfficer);
const REVIEWER: Person<'_> = ("reviewer", "rv1", Role::Reviewer);

fn token(kind: TokenKind, byte: u8) -> TaggedToken {
    TaggedToken {
        kind,
        token: Token::from_bytes([byte; 16]),
    }
}

/// Amina: a number, a name with a birth, a home.
fn amina() -> Vec<TaggedToken> {
    vec![
        token(TokenKind::Nhs, 1),
        token(TokenKind::NhsGiven, 2),
        token(TokenKind::NhsBirth, 3),
        token(TokenKind::NameBirth, 4),
        token(TokenKind::NameBirthPostcode, 5),
        token(TokenKind::Given, 6),
        token(TokenKind::Family, 7),
        token(TokenKind::Birth, 8),
        token(TokenKind::Postcode, 9),
    ]
}

fn terms() -> Terms {
    Terms {
        handed_to: HandedTo::Herself,
        staff_names: None,
        answered: Vec::new(),
        identity_checked: true,
    }
}

fn listed(index: u64, kinds: &[TokenKind]) -> ListedEntry {
    ListedEntry {
        index,
        kinds: kinds.to_vec(),
        reading: false,
    }
}

/// A record of a person that `organisation` keeps, who was referred.
fn holds(scene: &mut Scene, organisation: &str, number: u8, tokens: &[TaggedToken]) {
    let person = known::Person {
        record: Some(PersonRecord {
            organisation: org(organisation),
            tokens: tokens.to_vec(),
            created_at: start(),
            parent: None,
        }),
        referrals: vec![PersonReferral {
            referral: ReferralId(Id::from_bytes([number; 16])),
            sent: false,
            at: start(),
        }],
        ..known::Person::default()
    };
    let id = PersonId(Id::from_bytes([number; 16]));
    scene.known.people.insert(id, person);
}

fn ask(
    scene: &mut Scene,
    by: Person<'_>,
    tokens: &[TaggedToken],
    listed: &[ListedEntry],
    terms: &Terms,
) -> Decision<Ruled> {
    let attempt = scene.attempt(by, Action::ReportSubject, start());
    let asked = Asked {
        tokens,
        listed,
        whole: true,
        terms,
    };
    scene.run(&attempt, |rules, attempt, known, keys| {
        report(rules, attempt, known, keys, &asked)
    })
}

fn commission(decision: &Decision<Ruled>) -> &Commission {
    match &decision.value.answer {
        Answer::Report(commission) => commission,
        _ => panic!("{}", told(decision)),
    }
}

#[test]
fn a_report_names_what_is_opened_and_what_its_maker_holds() {
    let mut scene = Scene::borough();
    holds(&mut scene, "haven", 1, &amina());
    holds(&mut scene, "police", 2, &amina());
    let entries = [
        listed(7, &TokenKind::ALL),
        listed(3, &[TokenKind::NameBirth]),
    ];
    let decision = ask(&mut scene, HAVEN_IG, &amina(), &entries, &terms());
    let found = commission(&decision);
    assert_eq!(found.reading.indices, [7]);
    assert_eq!(found.reading.viewer.reach(), Reach::OwnAndConcerned);
    let keepers: Vec<&str> = found
        .held
        .referrals
        .iter()
        .map(|held| held.1.as_str())
        .collect();
    assert_eq!(keepers, ["haven"]);
    let decision = ask(&mut scene, REVIEWER, &amina(), &entries, &terms());
    assert_eq!(commission(&decision).held.referrals.len(), 2);
}

#[test]
fn nothing_held_a_relative_and_an_unchecked_person_are_one_answer() {
    let mut scene = Scene::borough();
    let unknown = ask(&mut scene, POLICE_IG, &amina(), &[], &terms());
    assert_eq!(told(&unknown), "nothing-to-show");
    // What another holds is not the police's to tell.
    holds(&mut scene, "haven", 1, &amina());
    let of_others = ask(&mut scene, POLICE_IG, &amina(), &[], &terms());
    assert_eq!(told(&of_others), "nothing-to-show");
    // A brother in the same home, with his own name: nothing in common is hers.
    let brother = [
        token(TokenKind::NameBirth, 14),
        token(TokenKind::NameBirthPostcode, 15),
        token(TokenKind::Given, 16),
        token(TokenKind::Family, 7),
        token(TokenKind::Birth, 18),
        token(TokenKind::Postcode, 9),
    ];
    let relative = ask(&mut scene, HAVEN_IG, &brother, &[], &terms());
    assert_eq!(told(&relative), "nothing-to-show");
    // Her number under another given name: the number alone makes nothing hers.
    let husband = [
        token(TokenKind::Nhs, 1),
        token(TokenKind::NhsGiven, 12),
        token(TokenKind::NhsBirth, 13),
        token(TokenKind::NameBirth, 14),
        token(TokenKind::Given, 16),
        token(TokenKind::Birth, 18),
    ];
    let entries = [listed(7, &[TokenKind::Nhs])];
    let relative = ask(&mut scene, HAVEN_IG, &husband, &entries, &terms());
    assert_eq!(told(&relative), "nothing-to-show");
    let unchecked = Terms {
        identity_checked: false,
        ..terms()
    };
    let entries = [listed(7, &TokenKind::ALL)];
    let decision = ask(&mut scene, HAVEN_IG, &amina(), &entries, &unchecked);
    assert_eq!(told(&decision), "nothing-to-show");
}

#[test]
fn having_looked_for_someone_is_not_something_held() {
    let mut scene = Scene::borough();
    let looked = ListedEntry {
        reading: true,
        ..listed(7, &TokenKind::ALL)
    };
    let decision = ask(
        &mut scene,
        HAVEN_IG,
        &amina(),
        std::slice::from_ref(&looked),
        &terms(),
    );
    assert_eq!(told(&decision), "nothing-to-show");
    // Where something is held, she learns of the readings too.
    let entries = [looked, listed(3, &TokenKind::ALL)];
    let decision = ask(&mut scene, HAVEN_IG, &amina(), &entries, &terms());
    assert_eq!(commission(&decision).reading.indices, [7, 3]);
}

#[test]
fn where_a_namesake_has_a_number_the_name_alone_is_not_enough() {
    let mut scene = Scene::borough();
    let named = [TokenKind::NameBirth, TokenKind::NameBirthPostcode];
    let entries = [listed(3, &named)];
    let decision = ask(&mut scene, HAVEN_IG, &amina(), &entries, &terms());
    assert_eq!(commission(&decision).reading.indices, [3]);
    let namesake = [token(TokenKind::Nhs, 21), token(TokenKind::NameBirth, 4)];
    holds(&mut scene, "police", 2, &namesake);
    let decision = ask(&mut scene, HAVEN_IG, &amina(), &entries, &terms());
    assert_eq!(told(&decision), "nothing-to-show");
}

#[test]
fn a_report_is_for_those_who_answer_for_her_rights_in_person() {
    let mut scene = Scene::borough();
    let decision = ask(
        &mut scene,
        ("haven", "ha1", Role::OrgAdmin),
        &amina(),
        &[],
        &terms(),
    );
    assert_eq!(told(&decision), "role-not-allowed");
    let named = Terms {
        staff_names: Some(crate::domain::codes::StaffNamesReason::Ordered),
        ..terms()
    };
    let decision = ask(
        &mut scene,
        HAVEN_IG,
        &amina(),
        &[listed(1, &TokenKind::ALL)],
        &named,
    );
    // That workers are named, and why, is in the log.
    let opening = &decision.value.opening;
    assert_eq!(opening.why.reason.as_deref(), Some("ordered"));
    assert!(opening.decided.notes.iter().any(|note| note == "herself"));
}
