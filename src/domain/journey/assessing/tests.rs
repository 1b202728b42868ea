//! What recording an assessment promises.

use super::super::trial::*;
use super::*;
use crate::domain::assessment::EndedHow;
use crate::domain::codes::{
    Action, ConsentDecision, EmergencyReason, Grade, Instrument, ItemAnswer, ReplaceHow,
    ReplaceReason, WithdrawnBecause,
};
use crate::domain::decision::PartRef;
use crate::domain::firewall::hold::Unread;
use crate::domain::journey::emergency::{Glass, break_glass};
use crate::domain::journey::querying::{self, Query, Step};
use crate::domain::person::TaggedToken;
use crate::domain::watch::RuleCode;

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
    low.card.grade = Grade::Standard;
    let done = record_of(&mut town, "trust", &low);
    assert!(matches!(
        done.answer,
        Answer::Assessed { ticks: Some(2), .. }
    ));
    let known = town.known();
    let parts: Vec<&PartRef> = known.parts.iter().collect();
    let card = parts
        .iter()
        .find_map(|part| Card::decode(town.plain(part)).ok())
        .unwrap();
    assert_eq!(card.grade, Grade::Standard);
    assert_eq!(card.ticks, Some(2));
    assert_eq!(card.assessor_role.code(), "clinician");
    assert_eq!(card.assessor_kind.code(), "nhs_trust");
}

#[test]
fn it_is_sealed_class_by_class_and_no_fact_holds_a_word_of_it() {
    let mut town = Town::in_order();
    record_of(&mut town, "trust", &draft(start(), &["lantern"]));
    let known = town.known();
    let mut classes: Vec<DataClass> = known.parts.iter().map(|part| part.class).collect();
    classes.sort_unstable();
    assert_eq!(
        classes,
        [DataClass::Loc, DataClass::Sp, DataClass::Sp, DataClass::Sp]
    );
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
        |draft| draft.card.judgement_reasons = vec!["her visa expired".to_owned()],
        |draft| draft.card.adjustments = vec!["she is an overstayer".to_owned()],
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
    let changes: [fn(&mut Draft); 6] = [
        |draft| draft.card.instrument_version = "1066".to_owned(),
        |draft| draft.answers.items[0].code = "q25".to_owned(),
        |draft| {
            draft.card.judgement_codes.clear();
            draft.card.judgement_reasons.clear();
        },
        |draft| draft.card.assessed_at = start().plus_hours(2),
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
    let until = |draft: &Draft| {
        let tool = Rules::for_tests().instruments.tool(draft.card.instrument);
        valid_until(tool.unwrap(), draft)
    };
    assert_eq!(until(&given), start().plus_days(90));
    given.card.instrument = Instrument::NeedsStar;
    assert_eq!(until(&given), start().plus_days(366));
    given.valid_until = Some(start().plus_days(7));
    assert_eq!(until(&given), start().plus_days(7));
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

fn all(town: &Town) -> Vec<Assessment> {
    let known = town.known();
    let all = known.people.values().flat_map(|person| &person.assessments);
    all.cloned().collect()
}

fn name(at: &str, id: Id) -> Id {
    let names = Rules::for_tests().aliases_of(&org(at));
    names.outward(AliasKind::Assessment, id)
}

fn in_place_of(old: Id, how: ReplaceHow, at: When) -> Draft {
    let mut draft = draft(at, &[]);
    draft.replaces = Some(Replaces {
        assessment: name("trust", old),
        how,
        because: ReplaceReason::SheCorrected,
    });
    draft
}

#[test]
fn a_correction_keeps_the_old_one_as_history_and_her_word_with_it() {
    for (how, consents) in [(ReplaceHow::Correction, 1), (ReplaceHow::Reassessment, 0)] {
        let mut town = Town::in_order();
        let old = town.assess("trust", AMINA, &draft(start(), &["lantern"]));
        town.now = town.now.plus_hours(1);
        let done = record_of(&mut town, "trust", &in_place_of(old, how, start()));
        assert_eq!(done.why.reason.as_deref(), Some("she_corrected"));
        assert!(done.noted(how.code()));
        let all = all(&town);
        let (ended, stands): (Vec<_>, Vec<_>) = all.iter().partition(|one| !one.stands());
        let ([ended], [stands]) = (ended.as_slice(), stands.as_slice()) else {
            panic!("one of each");
        };
        assert_eq!(ended.id.id(), old);
        let end = ended.ended.as_ref().unwrap();
        assert_eq!((end.at, end.by.as_str()), (town.now, "worker"));
        assert_eq!(end.how, EndedHow::ReplacedBy(stands.id));
        assert_eq!(stands.replaces.as_ref().unwrap().of, ended.id);
        assert_eq!(stands.consents.len(), consents);
        // Not twice, not another's, not what is not there.
        for (at, of) in [
            ("trust", old),
            ("lantern", stands.id.id()),
            ("trust", Id::from_bytes([3; 16])),
        ] {
            let mut again = in_place_of(of, how, start());
            again.replaces.as_mut().unwrap().assessment = name(at, of);
            assert_eq!(word(&record_of(&mut town, at, &again)), "nothing-to-show");
        }
    }
}

fn take(town: &mut Town, at: &str, id: Id, because: WithdrawnBecause) -> Done {
    let mistake = taking_back::Mistake {
        subject: Subject::Tokens(tokens(AMINA), None),
        because,
    };
    let alias = name(at, id);
    town.run(
        attempt(at, Action::WithdrawAssessment),
        |rules, attempt, known, keys| {
            taking_back::take_back(rules, attempt, known, keys, alias, &mistake)
        },
    )
}

#[test]
fn taking_back_the_middle_of_a_chain_leaves_the_last_alone() {
    let mut town = Town::in_order();
    let first = town.assess("trust", AMINA, &draft(start(), &["lantern"]));
    let stands = |town: &Town| {
        let all = all(town).into_iter().filter(Assessment::stands);
        all.map(|one| one.id.id()).collect::<Vec<Id>>()
    };
    let mut ids = vec![first];
    for _ in 0..2 {
        let before = *ids.last().unwrap();
        let next = in_place_of(before, ReplaceHow::Correction, start());
        ids.push(town.assess("trust", AMINA, &next));
    }
    assert_eq!(stands(&town), [ids[2]]);
    let done = take(&mut town, "trust", ids[1], WithdrawnBecause::NeverSaid);
    assert_eq!(word(&done), "assessment-withdrawn");
    assert_eq!(stands(&town), [ids[2]]);
    let done = take(&mut town, "trust", ids[2], WithdrawnBecause::NeverSaid);
    assert_eq!(word(&done), "assessment-withdrawn");
    assert!(stands(&town).is_empty());
}

#[test]
fn what_was_recorded_of_the_wrong_woman_is_destroyed_and_what_it_replaced_stands_again() {
    let mut town = Town::in_order();
    let old = town.assess("trust", AMINA, &draft(start(), &["lantern"]));
    let parts = town.known().parts.len();
    town.assess(
        "trust",
        AMINA,
        &in_place_of(old, ReplaceHow::Correction, start()),
    );
    let wrong = all(&town).into_iter().find(|one| one.stands()).unwrap();
    // Nobody else's to take back, and police have no such act.
    assert_eq!(
        word(&take(
            &mut town,
            "lantern",
            wrong.id.id(),
            WithdrawnBecause::WrongPerson
        )),
        "nothing-to-show"
    );
    assert_eq!(
        word(&take(
            &mut town,
            "met",
            wrong.id.id(),
            WithdrawnBecause::WrongPerson
        )),
        "role-not-allowed"
    );
    let done = take(
        &mut town,
        "trust",
        wrong.id.id(),
        WithdrawnBecause::WrongPerson,
    );
    assert_eq!(word(&done), "assessment-withdrawn");
    assert_eq!(done.why.reason.as_deref(), Some("wrong_person"));
    assert_eq!(town.known().parts.len(), parts);
    let stands: Vec<Id> = all(&town)
        .iter()
        .filter(|one| one.stands())
        .map(|one| one.id.id())
        .collect();
    assert_eq!(stands, [old]);
    assert_eq!(
        word(&take(
            &mut town,
            "trust",
            wrong.id.id(),
            WithdrawnBecause::WrongPerson
        )),
        "nothing-to-show"
    );
}

#[test]
fn who_was_shown_it_is_told_that_it_was_of_somebody_else_and_not_of_whom() {
    for (because, told) in [
        (WithdrawnBecause::WrongPerson, 1),
        (WithdrawnBecause::RecordedTwice, 0),
    ] {
        let mut town = Town::in_order();
        let wrong = town.assess("trust", AMINA, &draft(start(), &["lantern"]));
        let alias = town.accepted("lantern", AMINA);
        let question = Query {
            subject: Subject::Referral(alias),
            step: Step::Cards,
            consent: Some(consent(Opens::Query, &[])),
            onward_rule_accepted: true,
            card_code: None,
        };
        let shown = town.run(
            attempt("lantern", Action::QueryAssessments),
            |rules, attempt, known, keys| querying::query(rules, attempt, known, keys, &question),
        );
        assert_eq!(word(&shown), "assessments");
        let done = take(&mut town, "trust", wrong, because);
        assert_eq!(done.noted("who-was-shown-is-told"), told == 1);
        // The entry is the holder's alone: by it nobody finds whom it told.
        assert!(!done.decided.concerned.contains(&org("lantern")));
        let known = town.known();
        let queued = known
            .queue
            .values()
            .filter(|item| item.rule == RuleCode::LinkUndone);
        assert_eq!(queued.count(), told);
    }
}

#[test]
fn an_organisation_reads_its_own_history_and_nobody_elses() {
    let mut town = Town::in_order();
    let old = town.assess("trust", AMINA, &draft(start(), &["lantern"]));
    town.assess(
        "trust",
        AMINA,
        &in_place_of(old, ReplaceHow::Correction, start()),
    );
    town.assess("council", AMINA, &draft(start(), &[]));
    let mut read = |at: &str| {
        let subject = Subject::Tokens(tokens(AMINA), None);
        town.run(
            attempt(at, Action::ReadOwnAssessments),
            |rules, attempt, known, keys| history::read(rules, attempt, known, keys, &subject),
        )
    };
    let done = read("trust");
    let Answer::OwnAssessments(list, release) = &done.answer else {
        panic!("{:?}", done.decided.notes);
    };
    assert_eq!((list.len(), release.value().parts.len()), (2, 4));
    assert!(list.iter().all(|one| one.source == org("trust")));
    assert!(done.decided.concerned.is_empty());
    assert_eq!(word(&read("council")), "own-assessments");
    assert_eq!(word(&read("lantern")), "nothing-to-show");
    assert_eq!(word(&read("met")), "role-not-allowed");
}

#[test]
fn an_emergency_sees_what_stands() {
    let mut town = Town::in_order();
    let old = town.assess("council", AMINA, &draft(start(), &[]));
    let mut lower = in_place_of(old, ReplaceHow::Correction, start());
    lower.card.grade = Grade::Medium;
    lower.replaces.as_mut().unwrap().assessment = name("council", old);
    let new = town.assess("council", AMINA, &lower);
    let glass = Glass {
        subject: Subject::Tokens(tokens(AMINA), None),
        reason: EmergencyReason::LifeAtRisk,
        words: Unread::new("text", "She may be killed before she is seen.".to_owned()),
        on_shift: true,
        confirm: true,
        onward_rule_accepted: true,
    };
    let done = town.run(
        attempt("trust", Action::BreakGlass),
        |rules, attempt, known, keys| break_glass(rules, attempt, known, keys, &glass),
    );
    let Answer::Emergency(list, ..) = &done.answer else {
        panic!("{}", done.answer.told());
    };
    assert_eq!(
        list.iter().map(|one| one.id.id()).collect::<Vec<_>>(),
        [new]
    );
}
