//! What is put down for a return, for whom, and when.

use super::*;
use crate::domain::codes::{Action, CloseOutcome, ConflictKind, DeclineReason, Direction, Role};
use crate::domain::journey::answering::Response;
use crate::domain::journey::offering::going_on::tests::{
    ACCEPT, answers, offered, referral, sweep, town,
};
use crate::domain::journey::trial::*;
use crate::domain::referral::UrgencyCode;

/// The lines among these places of lists: for whom, when, what, after how many minutes.
type Seen = Vec<(OrgId, u64, Happened, Option<u32>)>;

fn lines(town: &Town, listed: &[(List, u64, Id)]) -> Seen {
    let lines = listed.iter().filter_map(|(list, at, item)| {
        let List::Lines(of) = list else {
            return None;
        };
        let found = town.facts().get(&place(*item)).unwrap();
        let Record::Line(line) = Record::parse(found).unwrap() else {
            panic!("no line");
        };
        assert!(line.service.is_some() || line.what == Happened::Assessed);
        Some((of.clone(), *at, line.what, line.minutes))
    });
    lines.collect()
}

fn written(writes: &[Write]) -> Vec<(List, u64, Id)> {
    let lists = writes.iter().filter_map(|write| match write {
        Write::List { list, at, item } => Some((list.clone(), *at, *item)),
        _ => None,
    });
    lists.collect()
}

/// What an answer at `lantern`, half an hour after the offer, puts down.
fn answered_after_half_an_hour(response: &Response) -> (Town, Id, Seen) {
    let mut town = town();
    let (_, id) = offered(&mut town, true, UrgencyCode::High);
    town.now = town.now.plus_millis(30 * 60_000 + 59_000);
    let done = answers(&mut town, "lantern", id, response);
    let seen = lines(&town, &done.listed);
    (town, id, seen)
}

#[test]
fn an_offer_is_a_line_of_whoever_is_asked_and_an_answer_says_how_long_it_took() {
    let mut town = town();
    let mut sent = town.offer("lantern", AMINA, Direction::Police);
    sent.operational.urgency = UrgencyCode::High;
    let done = town.run(
        attempt("met", Action::OfferReferral),
        |rules, attempt, known, keys| {
            crate::domain::journey::offering::offer(rules, attempt, known, keys, &sent)
        },
    );
    let now = town.now.place();
    let lantern = org("lantern");
    assert_eq!(
        lines(&town, &done.listed),
        [(lantern.clone(), now, Happened::Offered, None)]
    );

    let (town, _, seen) = answered_after_half_an_hour(&ACCEPT());
    let now = town.now.place();
    assert_eq!(seen, [(lantern, now, Happened::Accepted, Some(30))]);
}

#[test]
fn a_decline_is_a_line_with_its_reason_and_the_next_service_has_an_offer() {
    for (reason, kept) in [
        (DeclineReason::Full, DeclineReason::Full),
        (DeclineReason::NoInterpreter, DeclineReason::Other),
    ] {
        let (town, id, seen) = answered_after_half_an_hour(&Response::Decline { reason });
        let now = town.now.place();
        let next = referral(&town, id).recipient;
        assert_ne!(next, org("lantern"));
        let declined = Happened::Declined(kept);
        assert_eq!(
            seen,
            [
                (org("lantern"), now, declined, Some(30)),
                (next, now, Happened::Offered, None),
            ]
        );
    }
}

#[test]
fn only_the_first_answer_says_how_long_it_took() {
    let (mut town, id, seen) = answered_after_half_an_hour(&Response::Wait);
    let waiting = (
        org("lantern"),
        town.now.place(),
        Happened::Waiting,
        Some(30),
    );
    assert_eq!(seen, [waiting]);
    town.now = town.now.plus_hours(20);
    let done = answers(&mut town, "lantern", id, &ACCEPT());
    let accepted = (org("lantern"), town.now.place(), Happened::Accepted, None);
    assert_eq!(lines(&town, &done.listed), [accepted]);
}

#[test]
fn a_hand_back_and_an_end_are_lines_and_a_second_answer_is_none() {
    let (mut town, id, _) = answered_after_half_an_hour(&ACCEPT());
    let again = answers(&mut town, "lantern", id, &ACCEPT());
    assert_eq!(lines(&town, &again.listed), []);
    let conflict = ConflictKind::KnowsHer;
    let done = answers(&mut town, "lantern", id, &Response::HandBack { conflict });
    let (now, next) = (town.now.place(), referral(&town, id).recipient);
    assert_eq!(
        lines(&town, &done.listed),
        [
            (org("lantern"), now, Happened::HandedBack, None),
            (next.clone(), now, Happened::Offered, None),
        ]
    );
    // What comes too late is told to be closed, and counts for nothing.
    let late = answers(&mut town, "lantern", id, &ACCEPT());
    assert_eq!(lines(&town, &late.listed), []);

    answers(&mut town, next.as_str(), id, &ACCEPT());
    let outcomes = vec![CloseOutcome::Other];
    let done = answers(&mut town, next.as_str(), id, &Response::Close { outcomes });
    let closed = (next, town.now.place(), Happened::Closed, None);
    assert_eq!(lines(&town, &done.listed), [closed]);
}

#[test]
fn what_nobody_answered_is_a_line_of_who_had_it_and_of_who_is_asked_next() {
    let mut town = town();
    let (_, id) = offered(&mut town, true, UrgencyCode::High);
    let due = town.now.plus_hours(1);
    let writes = sweep(&mut town, id, due);
    let (now, next) = (due.place(), referral(&town, id).recipient);
    assert_eq!(
        lines(&town, &written(&writes)),
        [
            (org("lantern"), now, Happened::Unanswered, None),
            (next.clone(), now, Happened::Offered, None),
        ]
    );
    // The time of the next runs from when it was asked.
    town.now = due.plus_millis(5 * 60_000);
    let done = answers(&mut town, next.as_str(), id, &ACCEPT());
    let accepted = (next, town.now.place(), Happened::Accepted, Some(5));
    assert_eq!(lines(&town, &done.listed), [accepted]);
}

#[test]
fn nothing_that_is_kept_of_it_leads_to_her_or_to_the_referral() {
    let (town, id, _) = answered_after_half_an_hour(&ACCEPT());
    let known = town.known();
    let people = known.people.keys().map(|person| person.id());
    let named: Vec<Id> = people.chain([id]).collect();
    let mut lines = 0;
    for ((of, item), bytes) in town.facts() {
        if let Aggregate::Line(line) = of {
            lines += 1;
            for one in &named {
                assert!(line.id() != *one && item != one);
                assert!(!bytes.windows(16).any(|window| window == one.bytes()));
            }
        }
    }
    assert_eq!(lines, 2);
}

#[test]
fn who_works_in_a_service_or_administers_it_reads_the_return_and_police_do_not() {
    let mut town = Town::in_order();
    for (at, role, told) in [
        ("lantern", Role::Adviser, "return"),
        ("lantern", Role::Triage, "return"),
        ("lantern", Role::IgOfficer, "role-not-allowed"),
        ("met", Role::Officer, "role-not-allowed"),
        ("council", Role::SocialWorker, "role-not-allowed"),
    ] {
        let mut reads = attempt(at, Action::ReadReturn);
        reads.role = role;
        reads.purpose = match role {
            Role::Officer => crate::domain::codes::Purpose::OnwardReferral,
            Role::IgOfficer => crate::domain::codes::Purpose::Audit,
            _ => crate::domain::codes::Purpose::Support,
        };
        let done = town.run(reads, read);
        assert_eq!(done.answer.told(), told, "{at} {role:?}");
    }
}
