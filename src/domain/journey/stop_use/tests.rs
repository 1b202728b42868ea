//! What whoever was shown something is told and answers, and what nobody else learns of it.

use super::super::settling::tests::{in_care, wish};
use super::super::trial::*;
use super::*;
use crate::domain::codes::{Action, WithdrawalScope};
use crate::domain::decision::Listed;
use crate::domain::journey::reading;
use crate::domain::journey::withdrawing::Wish;

fn reply(town: &mut Town, at: &str, alias: Id, code: StopUseReply) -> Done {
    let said = Said { code, ground: None };
    town.run(
        attempt(at, Action::AnswerStopUse),
        |rules, attempt, known, keys| answer(rules, attempt, known, keys, alias, said),
    )
}

fn notice_of(town: &Town, at: &str) -> StopUse {
    let known = town.known();
    let mut hers = known.stop_uses.values();
    hers.find(|notice| notice.holder == org(at))
        .unwrap()
        .clone()
}

fn alias(town: &Town, at: &str) -> Id {
    let notice = notice_of(town, at);
    let aliases = town.rules.aliases_of(&org(at));
    aliases.outward(AliasKind::StopUse, notice.id.id())
}

#[test]
fn a_withdrawal_reaches_every_holder_under_its_own_record_and_nobody_else() {
    let (mut town, _, offered) = in_care();
    town.accept("harbour", offered);
    town.now = town.now.plus_hours(1);
    town.withdraw("council", AMINA, &wish(false));
    let known = town.known();
    let mut told: Vec<(&str, Vec<Shown>)> = known
        .stop_uses
        .values()
        .map(|notice| {
            let record = known.people[&notice.person].record.as_ref().unwrap();
            assert_eq!(record.organisation, notice.holder);
            (notice.holder.as_str(), notice.shown.clone())
        })
        .collect();
    told.sort();
    // Neither the hospital, which was shown nothing, nor police, who sent, nor the council.
    let (details, assessments) = (Shown::Details, Shown::Assessments);
    assert_eq!(
        told,
        [
            ("harbour", vec![details]),
            ("lantern", vec![details, assessments])
        ]
    );
}

#[test]
fn only_who_was_shown_what_she_stopped_is_told() {
    let (mut town, _, _) = in_care();
    let asking_only = Wish {
        scope: WithdrawalScope::Purpose,
        purposes: vec![ASSESSMENT_PURPOSE],
        ..wish(false)
    };
    town.withdraw("council", AMINA, &asking_only);
    let known = town.known();
    assert_eq!(known.stop_uses.len(), 1);
    assert_eq!(notice_of(&town, "lantern").shown, [Shown::Assessments]);
}

#[test]
fn a_case_that_was_closed_is_still_held_and_is_told() {
    let (mut town, accepted, _) = in_care();
    let close = crate::domain::journey::answering::Response::Close {
        outcomes: Vec::new(),
    };
    town.run(
        attempt("lantern", Action::CloseReferral),
        |rules, attempt, known, keys| {
            super::super::answering::respond(rules, attempt, known, keys, accepted, &close)
        },
    );
    town.withdraw("council", AMINA, &wish(false));
    let shown = notice_of(&town, "lantern").shown;
    assert_eq!(shown, [Shown::Details, Shown::Assessments]);
}

#[test]
fn the_holder_sees_its_own_record_and_dates_and_no_word_of_why_or_by_whom() {
    let (mut town, _, _) = in_care();
    town.withdraw("council", AMINA, &wish(false));
    let notice = notice_of(&town, "lantern");
    let entries = [Listed {
        at: 0,
        index: 0,
        item: notice.id.id(),
    }];
    for (at, sees) in [("lantern", true), ("harbour", false), ("council", false)] {
        let done = town.run(
            attempt(at, Action::ReadEvents),
            |rules, attempt, known, keys| reading::list(rules, attempt, known, keys, &entries),
        );
        let Answer::Events(events) = done.answer else {
            panic!("events");
        };
        assert_eq!(!events.is_empty(), sees, "{at}");
        for event in &events {
            assert_eq!(event.code, "stop_use");
            assert!(!format!("{:?}", event.on).contains("council"));
        }
    }
}

#[test]
fn a_reply_is_the_holders_own_and_may_change() {
    let (mut town, _, _) = in_care();
    town.withdraw("council", AMINA, &wish(false));
    let alias = alias(&town, "lantern");
    let others = reply(&mut town, "harbour", alias, StopUseReply::Deleted);
    assert!(matches!(others.answer, Answer::Nothing));
    for code in [StopUseReply::Restricted, StopUseReply::Deleted] {
        let done = reply(&mut town, "lantern", alias, code);
        assert_eq!(done.answer.told(), "stop-use-answered");
        let replied = notice_of(&town, "lantern").replied.unwrap();
        assert_eq!(replied.code, code);
    }
    let state = notice_of(&town, "lantern").state(town.now.plus_days(40));
    assert_eq!(state, NoticeState::Answered);
}

/// As the night does it, of what its clock names.
fn night(town: &mut Town) -> usize {
    let ids: Vec<StopUseId> = town.known().stop_uses.keys().copied().collect();
    let own = org("lantern");
    let (known, entropy) = (town.known(), Entropy::new([7; 32]));
    let keys = crate::domain::journey::scene::keys();
    let decision = remind(town.rules, town.now, &entropy, keys, &known, &own, &ids);
    let decision = decision.unwrap().unwrap();
    let facts = crate::domain::journey::scene::facts(&decision).facts;
    let queued = facts
        .iter()
        .filter(|fact| matches!(fact.of, Aggregate::Queue(_)));
    let queued = queued.count();
    for fact in facts {
        let record = Record::parse(&fact.bytes).unwrap();
        town.put(fact.of, fact.item, &record);
    }
    queued
}

#[test]
fn who_does_not_answer_in_thirty_days_is_put_before_its_own_officer_and_the_reviewer_once() {
    let (mut town, _, _) = in_care();
    town.withdraw("council", AMINA, &wish(false));
    town.now = town.now.plus_days(REPLY_DAYS).plus_hours(-1);
    assert_eq!(night(&mut town), 0);
    town.now = town.now.plus_hours(1);
    assert_eq!(night(&mut town), 2);
    let item = &town.queue("lantern")[0];
    assert_eq!(item.rule, RuleCode::StopUseOverdue);
    assert_eq!((item.count, item.user.as_str()), (1, ""));
    assert_eq!(town.queue("reviewer").len(), 1);
    assert!(town.queue("council").is_empty());
    assert_eq!(night(&mut town), 0);
    // It can be answered all the same.
    let alias = alias(&town, "lantern");
    let done = reply(&mut town, "lantern", alias, StopUseReply::NotFound);
    assert_eq!(done.answer.told(), "stop-use-answered");
}
