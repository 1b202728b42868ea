//! What becomes of her, of who handed her back, and of what anybody is told.

use super::*;
use crate::domain::answer::Answer;
use crate::domain::codes::{
    Action, CloseOutcome, ConflictKind, Custody, OrgKind, ReferralStatus, SenderStatus,
    WithdrawalScope,
};
use crate::domain::decision::Aggregate;
use crate::domain::id::{Id, OrgId};
use crate::domain::journey::answering::{Response, respond};
use crate::domain::journey::offering::going_on::tests::{
    ACCEPT, answers, listed, offered, outward, referral, seen_by_sender, sweep, town,
};
use crate::domain::journey::settling::tests::{settle_as, took, wish};
use crate::domain::journey::trial::*;
use crate::domain::journey::withdrawing::Wish;
use crate::domain::referral::UrgencyCode;
use crate::domain::stop_use::Settling;

const HAND_BACK: fn() -> Response = || Response::HandBack {
    conflict: ConflictKind::KnowsOtherParty,
};

/// Accepted by `lantern` a minute after she was offered; her consent names its family, or it alone.
fn accepted(family: bool) -> (Town, Id) {
    let mut town = town();
    let (_, id) = offered(&mut town, family, UrgencyCode::High);
    town.now = town.now.plus_millis(60_000);
    let done = answers(&mut town, "lantern", id, &ACCEPT());
    assert_eq!(done.answer.told(), "released");
    (town, id)
}

fn hand_back_at(town: &mut Town, at: &str, id: Id) -> Done {
    town.now = town.now.plus_millis(60_000);
    answers(town, at, id, &HAND_BACK())
}

fn told(town: &mut Town, at: &str, id: Id, response: &Response) -> &'static str {
    answers(town, at, id, response).answer.told()
}

#[test]
fn she_goes_to_the_next_service_and_who_handed_her_back_opens_nothing() {
    let (mut town, id) = accepted(true);
    assert_eq!(
        seen_by_sender(&mut town, id),
        (SenderStatus::WithAService, false)
    );
    let done = hand_back_at(&mut town, "lantern", id);
    assert_eq!(done.answer.told(), "handed-back");
    assert_eq!(done.why.reason.as_deref(), Some("knows_other_party"));
    assert!(done.decided.disclosed.is_empty());

    let after = referral(&town, id);
    assert_ne!(after.recipient, org("lantern"));
    assert_eq!(after.status, ReferralStatus::Offered);
    assert_eq!(after.recipient_person, None);
    assert_eq!(after.details_passed_at, None);
    // Why is in the entry of its own officer alone; neither end of the offer sees that entry.
    assert_eq!(done.decided.concerned, [org("lantern")]);
    let listed = |list: &List| {
        done.listed
            .iter()
            .any(|(one, _, item)| one == list && *item == id)
    };
    assert!(listed(&List::Inbox(after.recipient.clone())));
    assert!(listed(&List::Events(after.recipient.clone())));
    assert!(listed(&List::Events(org("met"))));

    for response in [
        Response::Read,
        ACCEPT(),
        HAND_BACK(),
        Response::Close {
            outcomes: vec![CloseOutcome::Other],
        },
    ] {
        let again = answers(&mut town, "lantern", id, &response);
        assert_eq!(again.answer.told(), "passed-on");
        assert!(again.decided.disclosed.is_empty());
    }
    let next = after.recipient.as_str().to_owned();
    assert_eq!(told(&mut town, &next, id, &ACCEPT()), "released");
    assert_eq!(
        seen_by_sender(&mut town, id),
        (SenderStatus::WithAService, false)
    );
    // And if that one knows him too, a third is asked, with a day of its own.
    town.now = town.now.plus_hours(23);
    assert_eq!(
        hand_back_at(&mut town, &next, id).answer.told(),
        "handed-back"
    );
    let third = referral(&town, id).recipient;
    assert!(third != org("lantern") && third.as_str() != next);
}

#[test]
fn whoever_sent_her_is_told_at_once_and_the_same_whether_or_not_anybody_is_left() {
    let mut seen = Vec::new();
    for family in [true, false] {
        let (mut town, id) = accepted(family);
        let done = hand_back_at(&mut town, "lantern", id);
        assert_eq!(done.answer.told(), "handed-back");
        let at_once = seen_by_sender(&mut town, id);
        assert_eq!(at_once, (SenderStatus::Recorded, true));
        let told: Vec<bool> = (0..4)
            .map(|hour| {
                let now = town.now.plus_hours(hour);
                let writes = sweep(&mut town, id, now);
                listed(&writes).contains(&&List::Events(org("met")))
            })
            .collect();
        seen.push((told, seen_by_sender(&mut town, id)));
        let events = done
            .listed
            .iter()
            .filter(|(list, ..)| *list == List::Events(org("met")));
        assert_eq!(events.count(), 1);
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0].1, (SenderStatus::Recorded, true));
    assert_eq!(seen[0].0, [false; 4]);
}

#[test]
fn with_nobody_left_it_ends_and_nothing_of_her_is_kept_in_it() {
    let (mut town, id) = accepted(false);
    let done = hand_back_at(&mut town, "lantern", id);
    assert_eq!(done.answer.told(), "handed-back");
    let ended = referral(&town, id);
    assert_eq!(ended.status, ReferralStatus::Declined);
    assert!(town.known().parts.is_empty());
    // The same as where she went on: that nobody was left shows in no answer.
    for response in [Response::Read, HAND_BACK(), ACCEPT()] {
        assert_eq!(told(&mut town, "lantern", id, &response), "passed-on");
    }
}

#[test]
fn a_day_and_not_a_moment_more() {
    for (before, word) in [(1, "handed-back"), (0, "hand-back-over")] {
        let (mut town, id) = accepted(true);
        let accepted_at = referral(&town, id).details_passed_at.unwrap();
        town.now = accepted_at.plus_hours(24).plus_millis(-before);
        assert_eq!(told(&mut town, "lantern", id, &HAND_BACK()), word);
        let still = referral(&town, id).status == ReferralStatus::Accepted;
        assert_eq!(still, before == 0);
    }
}

#[test]
fn only_who_accepted_her_and_works_with_her_hands_her_back() {
    let mut town = town();
    let (_, id) = offered(&mut town, true, UrgencyCode::High);
    assert_eq!(
        told(&mut town, "lantern", id, &HAND_BACK()),
        "already-answered"
    );
    assert_eq!(
        told(&mut town, "haven", id, &HAND_BACK()),
        "nothing-to-show"
    );
    assert_eq!(told(&mut town, "lantern", id, &Response::Wait), "waiting");
    assert_eq!(
        told(&mut town, "lantern", id, &HAND_BACK()),
        "already-answered"
    );
    assert_eq!(told(&mut town, "lantern", id, &ACCEPT()), "released");
    let outcomes = vec![CloseOutcome::SheEnded];
    assert_eq!(
        told(&mut town, "lantern", id, &Response::Close { outcomes }),
        "closed"
    );
    assert_eq!(
        told(&mut town, "lantern", id, &HAND_BACK()),
        "already-answered"
    );
}

#[test]
fn what_she_stopped_reads_as_nothing_and_a_pause_that_is_lifted_leaves_the_rest_of_the_day() {
    let (mut town, id) = accepted(true);
    town.now = town.now.plus_hours(1);
    town.withdraw("council", AMINA, &wish(false));
    assert_eq!(
        hand_back_at(&mut town, "lantern", id).answer.told(),
        "nothing-to-show"
    );
    assert_eq!(referral(&town, id).recipient, org("lantern"));

    let (mut town, id) = accepted(true);
    town.now = town.now.plus_hours(1);
    let pause = took(&town.withdraw("council", AMINA, &wish(true)));
    assert_eq!(
        hand_back_at(&mut town, "lantern", id).answer.told(),
        "nothing-to-show"
    );
    settle_as(&mut town, "council", pause, Settling::Lift, true);
    assert_eq!(
        hand_back_at(&mut town, "lantern", id).answer.told(),
        "handed-back"
    );
    assert_ne!(referral(&town, id).recipient, org("lantern"));
}

#[test]
fn a_service_that_she_stopped_since_is_not_asked() {
    let (mut town, id) = accepted(true);
    let order = referral(&town, id).asking.unwrap().next;
    let all = order
        .iter()
        .map(|next| OrgId::parse(next.as_str()).unwrap());
    let stop = Wish {
        scope: WithdrawalScope::Service,
        organisations: all.collect(),
        ..wish(false)
    };
    town.now = town.now.plus_hours(1);
    town.withdraw("council", AMINA, &stop);
    assert_eq!(
        hand_back_at(&mut town, "lantern", id).answer.told(),
        "handed-back"
    );
    assert_eq!(referral(&town, id).status, ReferralStatus::Declined);
    assert!(town.known().parts.is_empty());
}

#[test]
fn who_handed_her_back_is_told_to_stop_using_what_it_saw_when_she_withdraws() {
    let (mut town, id) = accepted(true);
    hand_back_at(&mut town, "lantern", id);
    let next = referral(&town, id).recipient.as_str().to_owned();
    assert_eq!(told(&mut town, &next, id, &ACCEPT()), "released");
    let holders = |town: &Town| {
        let known = town.known();
        let mut all: Vec<String> = known
            .stop_uses
            .values()
            .map(|notice| notice.holder.as_str().to_owned())
            .collect();
        all.sort();
        all
    };
    town.now = town.now.plus_hours(1);
    let mut only_next = town.copy();
    town.withdraw("council", AMINA, &wish(false));
    let mut both = vec!["lantern".to_owned(), next.clone()];
    both.sort();
    assert_eq!(holders(&town), both);
    // A stop that speaks of the other service alone does not reach it.
    let stop = Wish {
        scope: WithdrawalScope::Service,
        organisations: vec![org(&next)],
        ..wish(false)
    };
    only_next.withdraw("council", AMINA, &stop);
    assert_eq!(holders(&only_next), [next]);
}

#[test]
fn what_lies_under_the_key_of_the_service_alone_cannot_go_to_another() {
    let mut town = town();
    let mut enrolled = organisation("lantern", OrgKind::VoluntarySpecialist);
    enrolled.duty_line = None;
    enrolled.custody = Custody::Own;
    enrolled.hpke_public_key = Some([9; 32]);
    town.enrol(enrolled);
    let (_, id) = offered(&mut town, true, UrgencyCode::High);
    assert_eq!(told(&mut town, "lantern", id, &ACCEPT()), "released");
    let boxed = vec![7; 64];
    let alias = outward(&town, "lantern", id);
    town.run(
        attempt("lantern", Action::ReadReferral),
        |rules, attempt, known, keys| {
            let reseal = Response::Reseal { boxed };
            respond(rules, attempt, known, keys, alias, &reseal)
        },
    );
    assert!(referral(&town, id).resealed_item.is_some());
    assert_eq!(
        hand_back_at(&mut town, "lantern", id).answer.told(),
        "handed-back"
    );
    assert_eq!(referral(&town, id).status, ReferralStatus::Declined);
    assert!(town.known().parts.is_empty());
    assert_eq!(
        seen_by_sender(&mut town, id),
        (SenderStatus::Recorded, true)
    );
}

#[test]
fn no_answer_has_anything_of_her_in_it() {
    let (mut town, id) = accepted(true);
    let done = hand_back_at(&mut town, "lantern", id);
    assert!(matches!(done.answer, Answer::HandedBack(_)));
    assert!(done.answer.parts().is_empty());
    // What was released stays where it is for the next service: nothing is destroyed, nothing copied.
    let of = Aggregate::Referral(referral(&town, id).id);
    assert!(town.known().parts.iter().any(|part| part.of == of));
}
