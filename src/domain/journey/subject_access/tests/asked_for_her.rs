//! Who asks for somebody is looked at by what her own referrals say of the other party (3.11 6, 7).

use super::*;
use crate::domain::codes::{Competence, Direction, GivenBy, Parent, PartyRole};
use crate::domain::journey::offering::{Besides, OfferGround};

const HE: [&str; 3] = ["Imran", "Karim", "1988-01-20"];
const MOTHER: [&str; 3] = ["Amina", "Khan", "1990-05-02"];
const CHILD: Names<'static> = ["Sami", "Karim", "2019-06-03", "9990000042", "E8 1DY", ""];

fn for_child(capacity: Capacity) -> Intake {
    Intake {
        requester: Requester::ParentGuardian,
        capacity,
        authority: Some(Authority::ParentalResponsibility),
        // What the worker wrote down: he said that he is not.
        other_party: YesNoUnknown::No,
        ..intake()
    }
}

fn asks_for(
    town: &mut Town,
    names: Names<'_>,
    [given, family, birth]: [&str; 3],
    intake: Intake,
) -> Done {
    let taking = Taking {
        asking: Some(who_asks(given, family, birth)),
        intake,
        ..taking(names, town.now)
    };
    taken_by(town, attempt("lantern", Action::TakeSubjectAccess), &taking)
}

/// Police refer the child under a parent, and name the other party if there is one.
fn refer_child(town: &mut Town, to: &str, parent: [&str; 3], other: Option<[&str; 3]>) {
    let one = |lane, [given, family, birth]: [&str; 3]| beside(&[lane], given, family, birth).pop();
    let mut made = town.offer(to, CHILD, Direction::Police);
    made.operational.party_role = PartyRole::ChildVictim;
    if let OfferGround::Consent(consent) = &mut made.ground {
        consent.given_by = GivenBy::ParentGuardian;
        consent.competence = Competence::ParentForChild;
        consent.parent = Some(Parent::Guardian);
    }
    made.beside = Besides {
        parent: one(Lane::Parent, parent),
        other_party: other.and_then(|who| one(Lane::OtherParty, who)),
        ..Besides::default()
    };
    let alias = town.send("met", to, &made);
    town.accept(to, alias);
    town.now = town.now.plus_hours(1);
}

#[test]
fn a_parent_who_is_the_other_party_in_a_referral_of_the_child_is_answered_as_if_nothing_were_held()
{
    for capacity in [Capacity::NotCompetent, Capacity::ChildAgrees] {
        let mut town = town();
        refer_child(&mut town, "harbour", MOTHER, Some(HE));
        let his = asks_for(&mut town, CHILD, HE, for_child(capacity));
        let unknown = ["Nia", "Obi", "2018-02-11", "", "N1 9GU", ""];
        let none = asks_for(&mut town, unknown, HE, for_child(capacity));
        let mut alike = said(&his).clone();
        alike.id = said(&none).id;
        assert!(alike == *said(&none));
        assert!(asks(&town).is_empty());
        town.now = town.now.plus_days(25);
        // The reason is in the part of the entry that the taker's receipt does not open.
        let done = delivered(&mut town, id(&his));
        nothing(&done, "the-other-party-may-be-asking");
        assert_eq!(done.decided.told, "nothing-to-show");
        nothing(&delivered(&mut town, id(&none)), "nothing-held");
    }
}

#[test]
fn a_deputy_who_is_the_other_party_in_her_own_referral_is_given_nothing() {
    let mut town = town();
    let mut made = town.offer("lantern", AMINA, Direction::Police);
    made.beside.other_party = beside(&[Lane::OtherParty], HE[0], HE[1], HE[2]).pop();
    town.send("met", "lantern", &made);
    let deputy = Intake {
        requester: Requester::Deputy,
        authority: Some(Authority::ALL[0]),
        ..for_child(Capacity::NotCompetent)
    };
    // Without his date of birth too: he may say less than he knows.
    let his = asks_for(&mut town, AMINA, [HE[0], HE[1], ""], deputy.clone());
    assert!(asks(&town).is_empty());
    let sister = asks_for(&mut town, AMINA, ["Grace", "Khan", "1984-11-30"], deputy);
    assert_eq!(asked_names(&town), ["lantern", "met", "trust"]);
    town.now = town.now.plus_days(25);
    nothing(
        &delivered(&mut town, id(&his)),
        "the-other-party-may-be-asking",
    );
    let done = delivered(&mut town, id(&sister));
    assert_eq!(done.answer.told(), "subject-access-report");
}

#[test]
fn whoever_is_named_after_the_request_was_taken_is_given_nothing_either() {
    let mut town = town();
    refer_child(&mut town, "harbour", MOTHER, None);
    refer_child(&mut town, "lantern", HE, None);
    let his = asks_for(&mut town, CHILD, HE, for_child(Capacity::NotCompetent));
    refer_child(&mut town, "harbour", MOTHER, Some(HE));
    town.now = town.now.plus_days(25);
    nothing(
        &delivered(&mut town, id(&his)),
        "the-other-party-may-be-asking",
    );
}

#[test]
fn a_parent_is_given_what_was_recorded_under_her_and_not_what_was_under_the_other() {
    let mut town = town();
    refer_child(&mut town, "harbour", MOTHER, None);
    refer_child(&mut town, "lantern", HE, None);
    let hers = asks_for(&mut town, CHILD, MOTHER, for_child(Capacity::NotCompetent));
    // Police hold it under both: they are asked for what is under her alone.
    assert_eq!(asked_names(&town), ["harbour", "met"]);
    let met = asks(&town).into_iter().find(|one| one.holder == org("met"));
    assert_eq!(met.unwrap().people.len(), 1);
    for holder in ["harbour", "met"] {
        replies(&mut town, holder, &says(ReplyCode::HoldsNothing));
    }
    town.now = town.now.plus_days(25);
    let done = delivered(&mut town, id(&hers));
    let Answer::AccessReport(commission, _) = &done.answer else {
        panic!("{}", done.answer.told())
    };
    let keepers: Vec<&str> = commission
        .held
        .referrals
        .iter()
        .map(|one| one.1.as_str())
        .collect();
    assert_eq!(keepers, ["harbour", "met"]);
    // A child who understands asks herself, and is asked for everywhere.
    let child = Intake {
        capacity: Capacity::CompetentChild,
        ..intake()
    };
    let own = taken(&mut town, "lantern", CHILD, child);
    let request = town
        .known()
        .accesses
        .remove(&own.decided.object.map(SubjectAccessId).unwrap());
    assert_eq!(request.unwrap().asked.len(), 3);
}

#[test]
fn a_parent_whose_name_is_nearly_the_other_parents_is_given_nothing_under_that_one() {
    let mut town = town();
    refer_child(&mut town, "harbour", MOTHER, None);
    let alike = ["Amin", "Khan", ""];
    asks_for(&mut town, CHILD, alike, for_child(Capacity::NotCompetent));
    assert!(asks(&town).is_empty());
    let undated = ["Amina", "Khan", ""];
    asks_for(&mut town, CHILD, undated, for_child(Capacity::NotCompetent));
    assert_eq!(asked_names(&town), ["harbour", "met"]);
}

#[test]
fn a_parent_or_deputy_says_who_asks_and_she_herself_is_named_once() {
    let mut town = town();
    let unnamed = |requester| Taking {
        intake: Intake {
            requester,
            ..for_child(Capacity::NotCompetent)
        },
        ..taking(AMINA, start())
    };
    let herself = Taking {
        asking: Some(who_asks("Amina", "Khan", "1990-05-02")),
        ..taking(AMINA, start())
    };
    for taking in [
        unnamed(Requester::ParentGuardian),
        unnamed(Requester::Deputy),
        herself,
    ] {
        let by = attempt("lantern", Action::TakeSubjectAccess);
        let done = taken_by(&mut town, by, &taking);
        assert_eq!(field(&done), "requester_identity");
    }
}
