//! What a pause promises: at once like a withdrawal, over by the clock, and nobody else can tell.

use super::super::answering::{self, Response};
use super::super::querying::{self, Query};
use super::super::subject::Subject;
use super::super::trial::*;
use super::super::withdrawing::Wish;
use super::super::{reading, reconciling, revoking};
use super::*;
use crate::domain::codes::StopUseReply;
use crate::domain::codes::{Action, Direction, Purpose, ReferralStatus, Role, WithdrawalScope};
use crate::domain::consent::Opens;
use crate::domain::counterfoil::Counterfoil;
use crate::domain::decision::Listed;
use crate::domain::record::singleton;
use crate::domain::stop_use::{NoticeState, PAUSE_HOURS, REPLY_DAYS, Reply, StopUse};

pub fn wish(pause: bool) -> Wish {
    Wish {
        scope: WithdrawalScope::Everything,
        organisations: Vec::new(),
        classes: Vec::new(),
        purposes: Vec::new(),
        channel: "telephone".to_owned(),
        pause,
    }
}

/// The hospital assessed her, lantern accepted her and was shown it, harbour is offered her.
pub fn in_care() -> (Town, Id, Id) {
    let mut town = Town::in_order();
    town.assess("trust", AMINA, &draft(start(), &["lantern"]));
    town.now = town.now.plus_hours(1);
    let accepted = town.accepted("lantern", AMINA);
    let offered = town.refer("met", "harbour", AMINA, Direction::Police);
    assert_eq!(ask(&mut town), "assessments");
    town.now = town.now.plus_hours(1);
    (town, accepted, offered)
}

pub fn ask(town: &mut Town) -> &'static str {
    let question = Query {
        subject: Subject::Tokens(tokens(AMINA), None),
        step: querying::Step::Cards,
        consent: Some(consent(Opens::Query, &[])),
        onward_rule_accepted: true,
        card_code: None,
    };
    let done = town.run(
        attempt("lantern", Action::QueryAssessments),
        |rules, attempt, known, keys| querying::query(rules, attempt, known, keys, &question),
    );
    done.answer.told()
}

fn read(town: &mut Town, alias: Id) -> &'static str {
    respond(town, "lantern", Action::ReadReferral, alias, Response::Read)
}

fn respond(town: &mut Town, at: &str, action: Action, alias: Id, how: Response) -> &'static str {
    let done = town.run(attempt(at, action), |rules, attempt, known, keys| {
        answering::respond(rules, attempt, known, keys, alias, &how)
    });
    done.answer.told()
}

/// Harbour's inbox, which lists the offer until it is taken off.
fn inbox(town: &mut Town, alias: Id) -> usize {
    let inward = town
        .rules
        .aliases_of(&org("harbour"))
        .inward(AliasKind::Referral, alias);
    let entries = [Listed {
        at: 0,
        index: 0,
        item: inward,
    }];
    let done = town.run(
        attempt("harbour", Action::ReadInbox),
        |rules, attempt, known, keys| reading::list(rules, attempt, known, keys, &entries),
    );
    match done.answer {
        Answer::Inbox(offers) => offers.len(),
        other => panic!("{}", other.told()),
    }
}

fn accept(town: &mut Town, alias: Id) -> &'static str {
    let how = Response::Accept {
        worker: "worker".to_owned(),
        onward_rule_accepted: true,
        no_conflict: true,
    };
    respond(town, "harbour", Action::AcceptReferral, alias, how)
}

pub fn took(done: &Done) -> Id {
    match &done.answer {
        Answer::TookWord { withdrawal, .. } => withdrawal.id(),
        other => panic!("{}", other.told()),
    }
}

pub fn settle_as(town: &mut Town, at: &str, alias: Id, how: Settling, safely: bool) -> Done {
    town.run(
        attempt(at, Action::SettleWithdrawal),
        |rules, attempt, known, keys| settle(rules, attempt, known, keys, alias, how, safely),
    )
}

fn notices(town: &Town) -> Vec<NoticeState> {
    let known = town.known();
    let states = known.stop_uses.values();
    states.map(|notice| notice.state(town.now)).collect()
}

#[test]
fn a_pause_holds_at_once_reads_like_a_withdrawal_and_lapses_by_the_clock_alone() {
    let (mut town, accepted, offered) = in_care();
    let (mut other, accepted_there, offered_there) = in_care();
    town.withdraw("council", AMINA, &wish(true));
    other.withdraw("council", AMINA, &wish(false));
    for (town, accepted, offered) in [
        (&mut town, accepted, offered),
        (&mut other, accepted_there, offered_there),
    ] {
        assert_eq!(ask(town), "nothing-to-show");
        assert_eq!(read(town, accepted), "nothing-to-show");
        assert_eq!(accept(town, offered), "nothing-to-show");
        assert_eq!(notices(town), [NoticeState::Asked]);
    }
    // A withdrawal takes the offer off the list; a pause only does not show it.
    assert_eq!(inbox(&mut town, offered), 0);
    town.now = town.now.plus_hours(PAUSE_HOURS - 1);
    assert_eq!(ask(&mut town), "nothing-to-show");
    town.now = town.now.plus_hours(1);
    assert_eq!(ask(&mut town), "assessments");
    assert_eq!(read(&mut town, accepted), "released");
    assert_eq!(inbox(&mut town, offered), 1);
    assert_eq!(accept(&mut town, offered), "released");
    assert_eq!(notices(&town), [NoticeState::Ended]);
    other.now = town.now;
    assert_eq!(ask(&mut other), "nothing-to-show");
}

#[test]
fn a_confirmed_pause_is_a_withdrawal_from_when_it_was_first_said() {
    let (mut town, accepted, offered) = in_care();
    let said_at = town.now;
    let alias = took(&town.withdraw("council", AMINA, &wish(true)));
    town.now = town.now.plus_hours(20);
    let done = settle_as(&mut town, "council", alias, Settling::Confirm, false);
    assert_eq!(done.answer.told(), "pause-confirmed");
    assert!(done.kept.is_some());
    town.now = town.now.plus_hours(200);
    assert_eq!(ask(&mut town), "nothing-to-show");
    assert_eq!(read(&mut town, accepted), "nothing-to-show");
    assert_eq!(accept(&mut town, offered), "nothing-to-show");
    let known = town.known();
    // What was not delivered is destroyed now.
    let parts = known.parts.iter();
    assert_eq!(
        parts
            .filter(|part| matches!(part.of, Aggregate::Referral(_)))
            .count(),
        0
    );
    assert!(
        known
            .tombstones
            .iter()
            .all(|one| one.at == said_at && one.until.is_none())
    );
    assert_eq!(notices(&town), [NoticeState::Asked]);
    let again = settle_as(&mut town, "council", alias, Settling::Confirm, false);
    assert!(again.noted("settled-before"));
    let lifted = settle_as(&mut town, "council", alias, Settling::Lift, true);
    assert!(matches!(
        lifted.answer,
        Answer::Refused(Refusal::AlreadyAnswered)
    ));
}

#[test]
fn a_pause_that_is_confirmed_after_its_end_asks_whoever_was_shown_something_anew() {
    for hours in [PAUSE_HOURS + 1, 40 * 24] {
        let (mut town, _, _) = in_care();
        let alias = took(&town.withdraw("council", AMINA, &wish(true)));
        let first: Vec<StopUse> = town.known().stop_uses.into_values().collect();
        // Answered while it was a pause: whoever did so was told since that it is over.
        for notice in first {
            let replied = StopUse {
                replied: Some(Reply {
                    at: town.now,
                    by: "worker".to_owned(),
                    code: StopUseReply::Restricted,
                    ground: None,
                }),
                reminded: true,
                ..notice
            };
            let (of, item) = (Aggregate::StopUse(replied.id), singleton("stop use"));
            town.put(of, item, &Record::StopUse(replied));
        }
        town.now = town.now.plus_hours(hours);
        assert_eq!(notices(&town), [NoticeState::Ended]);
        let done = settle_as(&mut town, "council", alias, Settling::Confirm, false);
        assert_eq!(done.answer.told(), "pause-confirmed");
        assert!(done.noted("stop-use-notice"));
        assert!(done.decided.concerned.contains(&org("lantern")));
        assert_eq!(notices(&town), [NoticeState::Asked]);
        for notice in town.known().stop_uses.values() {
            assert_eq!(notice.at, town.now);
            assert_eq!(notice.reply_by, town.now.plus_days(REPLY_DAYS));
            assert!(!notice.reminded);
        }
    }
}

#[test]
fn a_pause_is_lifted_only_after_she_was_asked_safely_and_only_by_who_took_it() {
    let (mut town, accepted, offered) = in_care();
    let alias = took(&town.withdraw("council", AMINA, &wish(true)));
    let unasked = settle_as(&mut town, "council", alias, Settling::Lift, false);
    assert!(matches!(
        unasked.answer,
        Answer::Refused(Refusal::CheckYourAnswers(_))
    ));
    let others = settle_as(&mut town, "lantern", alias, Settling::Lift, true);
    assert!(matches!(others.answer, Answer::Nothing));
    assert_eq!(ask(&mut town), "nothing-to-show");
    town.now = town.now.plus_hours(1);
    let done = settle_as(&mut town, "council", alias, Settling::Lift, true);
    assert_eq!(done.answer.told(), "pause-lifted");
    // Whoever was told to stop is told that it may go on.
    let told = List::Events(org("lantern"));
    let listed = done.listed.iter();
    assert_eq!(listed.filter(|(list, ..)| *list == told).count(), 1);
    assert_eq!(ask(&mut town), "assessments");
    assert_eq!(read(&mut town, accepted), "released");
    assert_eq!(accept(&mut town, offered), "released");
    assert_eq!(notices(&town), [NoticeState::Ended]);
    let confirmed = settle_as(&mut town, "council", alias, Settling::Confirm, false);
    assert!(matches!(
        confirmed.answer,
        Answer::Refused(Refusal::AlreadyAnswered)
    ));
}

#[test]
fn one_pause_lifted_leaves_another_in_force() {
    let (mut town, accepted, _) = in_care();
    let first = took(&town.withdraw("council", AMINA, &wish(true)));
    town.now = town.now.plus_hours(10);
    town.withdraw("practice", AMINA, &wish(true));
    settle_as(&mut town, "council", first, Settling::Lift, true);
    assert_eq!(ask(&mut town), "nothing-to-show");
    assert_eq!(read(&mut town, accepted), "nothing-to-show");
    town.now = town.now.plus_hours(PAUSE_HOURS);
    assert_eq!(read(&mut town, accepted), "released");
}

#[test]
fn a_withdrawal_during_a_pause_outlives_it() {
    let (mut town, accepted, offered) = in_care();
    let first = took(&town.withdraw("council", AMINA, &wish(true)));
    town.now = town.now.plus_hours(1);
    town.withdraw("practice", AMINA, &wish(false));
    settle_as(&mut town, "council", first, Settling::Lift, true);
    town.now = town.now.plus_hours(PAUSE_HOURS);
    assert_eq!(ask(&mut town), "nothing-to-show");
    assert_eq!(read(&mut town, accepted), "nothing-to-show");
    assert_eq!(accept(&mut town, offered), "nothing-to-show");
}

#[test]
fn what_its_sender_took_back_does_not_come_back_with_the_end_of_a_pause() {
    let (mut town, _, offered) = in_care();
    town.withdraw("council", AMINA, &wish(true));
    let inward = town
        .rules
        .aliases_of(&org("harbour"))
        .inward(AliasKind::Referral, offered);
    town.run(
        attempt("met", Action::OfferReferral),
        |rules, attempt, known, keys| {
            let mut ruling = Ruling::new(rules, attempt, known, keys);
            let ids = [crate::domain::id::ReferralId(inward)];
            revoking::take_back(&mut ruling, known, &org("met"), &ids);
            ruling.finish(Answer::Nothing)
        },
    );
    town.now = town.now.plus_hours(PAUSE_HOURS + 1);
    assert_eq!(accept(&mut town, offered), "nothing-to-show");
    let known = town.known();
    let referral = &known.referrals[&crate::domain::id::ReferralId(inward)];
    assert_eq!(referral.status, ReferralStatus::Withdrawn);
}

fn hand_in(town: &mut Town, kept: &[u8]) -> Done {
    let mut admin = attempt("council", Action::Reconcile);
    admin.role = Role::OrgAdmin;
    admin.purpose = Purpose::Administration;
    let opened = Counterfoil::open(&Rules::for_tests().keys.counterfoil, kept);
    town.run(admin, |rules, attempt, known, keys| {
        reconciling::take_again(rules, attempt, known, keys, opened.as_ref())
    })
}

#[test]
fn a_restored_gateway_is_told_of_pauses_as_of_withdrawals() {
    let (mut town, _, _) = in_care();
    let copy = town.copy();
    let paused = town.withdraw("council", AMINA, &wish(true));
    let after_pause = town.copy();
    let alias = took(&paused);
    town.now = town.now.plus_hours(2);
    let confirmed = settle_as(&mut town, "council", alias, Settling::Confirm, false);
    let (pause, confirm) = (paused.kept.unwrap(), confirmed.kept.unwrap());

    // In either order it ends as what was confirmed.
    for order in [[&pause, &confirm], [&confirm, &pause]] {
        town.restore(&copy);
        assert_eq!(ask(&mut town), "assessments");
        for kept in order {
            assert!(matches!(
                hand_in(&mut town, kept).answer,
                Answer::TakenAgain
            ));
        }
        let known = town.known();
        assert!(!known.tombstones.is_empty());
        assert!(known.tombstones.iter().all(|one| one.until.is_none()));
        assert_eq!(ask(&mut town), "nothing-to-show");
    }
    // The confirmation of a pause that the copy has.
    town.restore(&after_pause);
    assert!(!hand_in(&mut town, &confirm).noted("known-already"));
    assert!(hand_in(&mut town, &pause).noted("known-already"));
    // A pause whose time is over stops nothing, and is not laid.
    town.restore(&copy);
    town.now = town.now.plus_hours(PAUSE_HOURS);
    assert!(hand_in(&mut town, &pause).noted("known-already"));
    assert_eq!(ask(&mut town), "assessments");
}
