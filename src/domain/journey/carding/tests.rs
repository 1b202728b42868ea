//! What her card opens, and that everything that is not a good code comes to one and the same.

use super::super::settling::tests::wish;
use super::super::subject::Subject;
use super::super::trial::*;
use super::super::{querying, withdrawing};
use super::*;
use crate::domain::attempt::UserName;
use crate::domain::card::QUESTION_HOURS;
use crate::domain::codes::{Action, Direction, WithdrawalScope};
use crate::domain::consent::Opens;

fn card(town: &mut Town, at: &str, referral: Id) -> Box<Printed> {
    let inward = town
        .rules
        .aliases_of(&org(at))
        .inward(AliasKind::Referral, referral);
    let known = town.known();
    let person = known.referrals[&crate::domain::id::ReferralId(inward)].recipient_person;
    let aliases = town.rules.aliases_of(&org(at));
    let alias = aliases.outward(AliasKind::Person, person.unwrap().id());
    match issued(town, at, alias) {
        Answer::CardIssued(printed) => printed,
        other => panic!("{}", other.told()),
    }
}

fn issued(town: &mut Town, at: &str, person: Id) -> Answer {
    let done = town.run(
        attempt(at, Action::IssueCard),
        |rules, attempt, known, keys| issue(rules, attempt, known, keys, person),
    );
    done.answer
}

fn token(town: &Town, code: &Code) -> Option<Token> {
    Some(town.rules.card_code(code))
}

fn withdraw_by(town: &mut Town, code: &Code) -> Done {
    let token = token(town, code);
    town.run(
        attempt("council", Action::Withdraw),
        |rules, attempt, known, keys| withdraw(rules, attempt, known, keys, token, &wish(false)),
    )
}

/// Lantern asks on a referral that it made itself.
fn ask(town: &mut Town, names: Names<'_>, code: Option<&Code>) -> Done {
    ask_as(town, names, code, ("worker", querying::Step::Cards))
}

fn ask_as(
    town: &mut Town,
    names: Names<'_>,
    code: Option<&Code>,
    (user, step): (&str, querying::Step),
) -> Done {
    let question = querying::Query {
        subject: Subject::Tokens(tokens(names), None),
        step,
        consent: Some(consent(Opens::Query, &[])),
        onward_rule_accepted: true,
        card_code: code.and_then(|code| token(town, code)),
    };
    let mut asked = attempt("lantern", Action::QueryAssessments);
    asked.user = UserName::parse(user).unwrap();
    town.run(asked, |rules, attempt, known, keys| {
        querying::query(rules, attempt, known, keys, &question)
    })
}

/// The hospital assessed her, harbour works with her, and lantern referred her to itself.
fn came_by_herself() -> (Town, Id, Id) {
    let mut town = Town::in_order();
    town.assess("trust", AMINA, &draft(start(), &["lantern"]));
    town.now = town.now.plus_hours(1);
    let at_harbour = town.accepted("harbour", AMINA);
    let own = town.refer("lantern", "lantern", AMINA, Direction::SelfReferral);
    town.accept("lantern", own);
    (town, at_harbour, own)
}

#[test]
fn one_code_serves_the_steps_of_one_question_and_no_other() {
    let (mut town, at_harbour, _) = came_by_herself();
    let printed = card(&mut town, "harbour", at_harbour);
    let code = Some(&printed.questions[0]);
    let asks = |town: &mut Town, user, step| {
        let done = ask_as(town, AMINA, code, (user, step));
        (done.answer.told(), done.limited)
    };
    use querying::Step;
    let exists = asks(&mut town, "worker", Step::Exists);
    assert_eq!(exists, ("assessment-exists", false));
    let done = ask_as(&mut town, AMINA, code, ("worker", Step::Cards));
    assert!(done.noted("card-code-used"));
    let Answer::Assessments(shown, _) = done.answer else {
        panic!("{}", done.answer.told());
    };
    let aliases = town.rules.aliases_of(&org("lantern"));
    let named = aliases.outward(AliasKind::Assessment, shown[0].id.id());
    let answers = asks(&mut town, "worker", Step::Answers(named));
    assert_eq!(answers, ("assessment-answers", false));
    // A colleague's question is another one, and so is one about somebody else.
    let colleague = asks(&mut town, "colleague", Step::Cards);
    assert_eq!(colleague.0, "nothing-to-show");
    let beata = town.refer("lantern", "lantern", BEATA, Direction::SelfReferral);
    town.accept("lantern", beata);
    town.assess("trust", BEATA, &draft(start(), &["lantern"]));
    let other = ask(&mut town, BEATA, code);
    assert_eq!(other.answer.told(), "nothing-to-show");
    // And after the hour it is used up for good.
    town.now = town.now.plus_hours(QUESTION_HOURS);
    for step in [Step::Exists, Step::Cards, Step::Answers(named)] {
        assert_eq!(asks(&mut town, "worker", step).0, "nothing-to-show");
    }
}

#[test]
fn another_question_with_a_used_code_is_a_wrong_try() {
    let (mut town, at_harbour, _) = came_by_herself();
    let printed = card(&mut town, "harbour", at_harbour);
    let code = Some(&printed.questions[0]);
    let cards = querying::Step::Cards;
    ask(&mut town, AMINA, code);
    for n in 0..5 {
        let done = ask_as(&mut town, AMINA, code, ("colleague", cards));
        assert!(!done.limited, "{n}");
    }
    assert!(ask_as(&mut town, AMINA, code, ("colleague", cards)).limited);
    assert!(ask(&mut town, AMINA, Some(&printed.questions[1])).limited);
}

#[test]
fn a_code_of_another_services_card_lets_a_self_made_relationship_ask_once() {
    let (mut town, at_harbour, _) = came_by_herself();
    let printed = card(&mut town, "harbour", at_harbour);
    assert_eq!(ask(&mut town, AMINA, None).answer.told(), "nothing-to-show");
    let code = &printed.questions[0];
    assert_eq!(
        ask(&mut town, AMINA, Some(code)).answer.told(),
        "assessments"
    );
    town.now = town.now.plus_hours(QUESTION_HOURS);
    assert_eq!(
        ask(&mut town, AMINA, Some(code)).answer.told(),
        "nothing-to-show"
    );
    assert_eq!(ask(&mut town, AMINA, None).answer.told(), "nothing-to-show");
    let next = &printed.questions[1];
    assert_eq!(
        ask(&mut town, AMINA, Some(next)).answer.told(),
        "assessments"
    );
}

#[test]
fn ones_own_card_another_womans_and_the_withdrawal_code_open_nothing() {
    let (mut town, at_harbour, own) = came_by_herself();
    let hers = card(&mut town, "harbour", at_harbour);
    let own = card(&mut town, "lantern", own);
    let beata = town.accepted("harbour", BEATA);
    let others = card(&mut town, "harbour", beata);
    for code in [&own.questions[0], &others.questions[0], &hers.withdrawal] {
        let done = ask(&mut town, AMINA, Some(code));
        assert_eq!(done.answer.told(), "nothing-to-show");
    }
    town.now = town.now.plus_days(CARD_DAYS);
    let late = ask(&mut town, AMINA, Some(&hers.questions[0]));
    assert_eq!(late.answer.told(), "nothing-to-show");
}

#[test]
fn a_code_opens_nothing_that_she_does_not_allow() {
    let (mut town, at_harbour, _) = came_by_herself();
    let printed = card(&mut town, "harbour", at_harbour);
    let asking = withdrawing::Wish {
        scope: WithdrawalScope::Purpose,
        purposes: vec![crate::domain::assessment::ASSESSMENT_PURPOSE],
        ..wish(false)
    };
    town.withdraw("council", AMINA, &asking);
    let done = ask(&mut town, AMINA, Some(&printed.questions[0]));
    assert_eq!(done.answer.told(), "nothing-to-show");
}

#[test]
fn she_withdraws_by_her_card_at_any_service_as_often_as_she_likes() {
    let (mut town, at_harbour, _) = came_by_herself();
    let printed = card(&mut town, "harbour", at_harbour);
    for _ in 0..2 {
        let done = withdraw_by(&mut town, &printed.withdrawal);
        assert_eq!(done.answer.told(), "withdrawn");
        assert!(done.kept.is_some());
        town.now = town.now.plus_hours(1);
    }
    assert!(!town.known().withdrawals(&tokens(AMINA)).is_empty());
}

#[test]
fn a_wrong_an_old_and_a_replaced_code_withdraw_nothing_and_look_alike() {
    let (mut town, at_harbour, _) = came_by_herself();
    let first = card(&mut town, "harbour", at_harbour);
    town.now = town.now.plus_hours(1);
    let second = card(&mut town, "harbour", at_harbour);
    let wrong = Code::drawn([7; 12]);
    let mut said = Vec::new();
    for code in [&wrong, &first.withdrawal, &second.questions[0]] {
        let done = withdraw_by(&mut town, code);
        let Answer::Refused(refusal) = done.answer else {
            panic!("{}", done.answer.told());
        };
        said.push(format!("{refusal:?}"));
    }
    assert!(said.windows(2).all(|two| two[0] == two[1]), "{said:?}");
    town.now = town.now.plus_days(CARD_DAYS);
    let old = withdraw_by(&mut town, &second.withdrawal);
    assert!(matches!(old.answer, Answer::Refused(_)));
    assert!(town.known().withdrawals(&tokens(AMINA)).is_empty());
}

#[test]
fn after_five_wrong_codes_in_an_hour_a_right_one_is_not_taken_either() {
    let (mut town, at_harbour, _) = came_by_herself();
    let printed = card(&mut town, "harbour", at_harbour);
    for n in 1..=5 {
        let done = withdraw_by(&mut town, &Code::drawn([n; 12]));
        assert!(!done.limited, "{n}");
    }
    assert!(withdraw_by(&mut town, &Code::drawn([9; 12])).limited);
    assert!(withdraw_by(&mut town, &printed.withdrawal).limited);
    town.now = town.now.plus_hours(1);
    assert!(!withdraw_by(&mut town, &printed.withdrawal).limited);
}

#[test]
fn where_a_code_opens_nothing_more_a_right_one_counts_like_a_wrong_one() {
    let mut town = Town::in_order();
    town.assess("trust", AMINA, &draft(start(), &["lantern"]));
    town.now = town.now.plus_hours(1);
    let at_harbour = town.accepted("harbour", AMINA);
    let printed = card(&mut town, "harbour", at_harbour);
    // Police sent her, so that lantern needs no code.
    town.accepted("lantern", AMINA);
    for _ in 0..WRONG_TRIES_MAX {
        let done = ask(&mut town, AMINA, Some(&printed.questions[0]));
        assert_eq!(done.answer.told(), "assessments");
        assert!(!done.limited);
    }
    assert!(ask(&mut town, AMINA, Some(&printed.questions[0])).limited);
}

#[test]
fn a_card_is_made_only_by_who_works_with_her() {
    let (mut town, at_harbour, _) = came_by_herself();
    let offered = town.refer("met", "practice", AMINA, Direction::Police);
    let known = town.known();
    for (at, person) in known.people.iter().filter_map(|(id, person)| {
        let record = person.record.as_ref()?;
        Some((record.organisation.clone(), *id))
    }) {
        if ["harbour", "lantern", "met"].contains(&at.as_str()) {
            continue;
        }
        let aliases = town.rules.aliases_of(&at);
        let alias = aliases.outward(AliasKind::Person, person.id());
        assert!(
            matches!(issued(&mut town, at.as_str(), alias), Answer::Nothing),
            "{at}"
        );
    }
    let unknown = issued(&mut town, "harbour", Id::from_bytes([5; 16]));
    assert!(matches!(unknown, Answer::Nothing));
    let printed = card(&mut town, "harbour", at_harbour);
    let mut all: Vec<String> = printed.questions.iter().map(Code::printed).collect();
    all.push(printed.withdrawal.printed());
    all.sort();
    all.dedup();
    assert_eq!(all.len(), QUESTIONS + 1);
    assert_ne!(offered, at_harbour);
}
