//! What recording an assessment promises.

use super::super::trial::*;
use super::*;
use crate::domain::codes::{Action, ConsentDecision, Grade, Instrument, ItemAnswer};
use crate::domain::decision::PartRef;
use crate::domain::person::TaggedToken;

fn record_of(town: &mut Town, at: &str, draft: &Draft) -> Done {
    let subject = Subject::Tokens(tokens(AMINA), None);
    town.run(
        attempt(at, Action::RecordAssessment),
        |rules, attempt, known, keys| record(rules, attempt, known, keys, &subject, draft),
    )
}

fn word(done: &Done) -> &'static str {
    done.answer.told()
}

#[test]
fn ticks_are_counted_and_grade_and_basis_stay_what_was_judged() {
    let mut town = Town::in_order();
    let mut low = draft(start(), &["lantern"]);
    low.answers.grade = Grade::Standard;
    let done = record_of(&mut town, "trust", &low);
    assert!(matches!(done.answer, Answer::Assessed { ticks: 2, .. }));
    let known = town.known();
    let parts: Vec<&PartRef> = known.parts.iter().collect();
    let answers = parts
        .iter()
        .find_map(|part| Answers::decode(town.plain(part)).ok())
        .unwrap();
    assert_eq!(answers.grade, Grade::Standard);
    assert_eq!(answers.ticks(), 2);
    assert_eq!(answers.assessor_role.code(), "clinician");
    assert_eq!(answers.assessor_kind.code(), "nhs_trust");
}

#[test]
fn it_is_sealed_class_by_class_and_no_fact_holds_a_word_of_it() {
    let mut town = Town::in_order();
    record_of(&mut town, "trust", &draft(start(), &["lantern"]));
    let known = town.known();
    let mut classes: Vec<DataClass> = known.parts.iter().map(|part| part.class).collect();
    classes.sort_unstable();
    assert_eq!(classes, [DataClass::Loc, DataClass::Sp, DataClass::Sp]);
    let assessments: Vec<&Assessment> = known
        .people
        .values()
        .flat_map(|person| &person.assessments)
        .collect();
    let [assessment] = assessments.as_slice() else {
        panic!("one assessment");
    };
    assert_eq!(assessment.valid_until, start().plus_days(90));
    assert_eq!(assessment.consents.len(), 1);
    let bytes = Record::Assessment((*assessment).clone()).to_bytes();
    for word in ["sister", "brother", "escalating", "Khan", "900789"] {
        let found = bytes
            .windows(word.len())
            .any(|seen| seen == word.as_bytes());
        assert!(!found, "{word}");
    }
}

#[test]
fn a_second_assessment_joins_the_same_record_and_the_first_stays() {
    let mut town = Town::in_order();
    town.assess("trust", AMINA, &draft(start(), &[]));
    town.assess("trust", AMINA, &draft(start(), &[]));
    town.assess("trust", BEATA, &draft(start(), &[]));
    let known = town.known();
    let mut counts: Vec<usize> = known
        .people
        .values()
        .map(|person| person.assessments.len())
        .collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 2]);
}

#[test]
fn words_about_immigration_go_back_to_the_author_and_nothing_is_kept() {
    let changes: [fn(&mut Draft); 3] = [
        |draft| draft.answers.judgement_reasons = vec!["her visa expired".to_owned()],
        |draft| draft.answers.adjustments = vec!["she is an overstayer".to_owned()],
        |draft| draft.safety.do_not_tell = vec!["he says the Home Office knows".to_owned()],
    ];
    for change in changes {
        let mut town = Town::in_order();
        let mut held = draft(start(), &["lantern"]);
        change(&mut held);
        let done = record_of(&mut town, "trust", &held);
        assert_eq!(word(&done), "immigration-content-found");
        assert_eq!(done.decided.firewall.unwrap().rule, "F5");
        // Whoever reads that words were held does not learn of whom.
        assert!(done.decided.subject.is_none() && done.decided.concerned.is_empty());
        assert!(town.known().parts.is_empty() && town.known().people.is_empty());
    }
}

#[test]
fn her_refusal_to_share_is_a_record_too() {
    let mut town = Town::in_order();
    let mut refused = draft(start(), &["lantern"]);
    refused.consents[0].decision = ConsentDecision::Deny;
    record_of(&mut town, "trust", &refused);
    let known = town.known();
    let consent = known
        .people
        .values()
        .flat_map(|person| &person.consents)
        .next();
    let consent = consent.unwrap();
    assert_eq!(consent.decision, ConsentDecision::Deny);
    assert_eq!(consent.opens, Opens::Share);
    assert_eq!(consent.recorded_by, org("trust"));
}

#[test]
fn who_may_record() {
    for (at, told) in [
        ("trust", "assessment-recorded"),
        ("lantern", "assessment-recorded"),
        ("council", "assessment-recorded"),
        ("met", "role-not-allowed"),
    ] {
        let mut town = Town::in_order();
        let done = record_of(&mut town, at, &draft(start(), &[]));
        assert_eq!(word(&done), told, "{at}");
    }
    let mut town = Town::in_order();
    town.taint("council");
    let done = record_of(&mut town, "council", &draft(start(), &[]));
    assert_eq!(word(&done), "nothing-to-show");
    assert!(town.known().parts.is_empty());
}

#[test]
fn what_cannot_be_is_sent_back() {
    let changes: [fn(&mut Draft); 3] = [
        |draft| draft.answers.assessed_at = start().plus_hours(2),
        |draft| {
            let first = draft.answers.items[0].clone();
            draft.answers.items.push(first);
        },
        |draft| {
            for number in 0..30 {
                draft.answers.items.push(crate::domain::assessment::Item {
                    code: format!("more{number}"),
                    answer: ItemAnswer::Yes,
                });
            }
        },
    ];
    for change in changes {
        let mut town = Town::in_order();
        let mut wrong = draft(start(), &[]);
        change(&mut wrong);
        assert_eq!(
            word(&record_of(&mut town, "trust", &wrong)),
            "check-your-answers"
        );
        assert!(town.known().people.is_empty());
    }
}

#[test]
fn a_risk_is_shown_for_ninety_days_at_most_and_needs_for_a_year() {
    let mut given = draft(start(), &[]);
    given.valid_until = Some(start().plus_days(4_000));
    assert_eq!(valid_until(&given), start().plus_days(90));
    given.answers.instrument = Instrument::NeedsStar;
    assert_eq!(valid_until(&given), start().plus_days(366));
    given.valid_until = Some(start().plus_days(7));
    assert_eq!(valid_until(&given), start().plus_days(7));
}

#[test]
fn a_name_that_leads_nowhere_and_a_person_of_no_proof_make_no_record() {
    let mut town = Town::in_order();
    for (subject, told) in [
        (Subject::Person(Id::from_bytes([8; 16])), "nothing-to-show"),
        (
            Subject::Referral(Id::from_bytes([8; 16])),
            "nothing-to-show",
        ),
        (
            Subject::Tokens(Vec::<TaggedToken>::new(), None),
            "check-your-answers",
        ),
    ] {
        let given = draft(start(), &[]);
        let done = town.run(
            attempt("trust", Action::RecordAssessment),
            |rules, attempt, known, keys| record(rules, attempt, known, keys, &subject, &given),
        );
        assert_eq!(word(&done), told);
    }
    assert!(town.known().people.is_empty());
}
