//! What an offer that nobody answers comes to.

use super::*;
use crate::domain::codes::{
    Action, Direction, OrgKind, Purpose, ReferralStatus, SenderStatus, ServiceFamily, UpdateCode,
    WithdrawalScope,
};
use crate::domain::id::OrgId;
use crate::domain::journey::answering::{Response, respond};
use crate::domain::journey::offering::offer;
use crate::domain::journey::reading;
use crate::domain::journey::settling::tests::{settle_as, took};
use crate::domain::journey::trial::*;
use crate::domain::journey::updating::{News, update};
use crate::domain::journey::withdrawing::Wish;
use crate::domain::organisation::Directory;
use crate::domain::referral::UrgencyCode;
use crate::domain::seal::{ItemKey, Slot};
use crate::domain::stop_use::Settling;

pub const ACCEPT: fn() -> Response = || Response::Accept {
    worker: "worker".to_owned(),
    onward_rule_accepted: true,
    no_conflict: true,
};

/// Three services of one family, none open at night; police may refer to any of them that she names.
pub fn town() -> Town {
    // A Friday, from one o'clock in London.
    let mut town = Town::in_order();
    for name in ["lantern", "haven", "beacon"] {
        let mut enrolled = organisation(name, OrgKind::VoluntarySpecialist);
        enrolled.duty_line = None;
        town.enrol(enrolled);
    }
    let service = |name: &str| Service {
        public_name: name.to_owned(),
        team: crate::domain::id::TeamId::parse("team").unwrap(),
        area: None,
        ..crate::domain::journey::scene::service(name, name)
    };
    let services = ["lantern", "haven", "beacon"].map(service);
    town.put(
        Aggregate::Settings,
        singleton("directory"),
        &Record::Directory(Directory {
            services: services.to_vec(),
        }),
    );
    town
}

/// Offered to `lantern`; her consent names the whole family, or `lantern` alone. How the service knows
/// it, and how the gateway does.
pub fn offered(town: &mut Town, family: bool, urgency: UrgencyCode) -> (Id, Id) {
    offered_by(town, ("met", Direction::Police), family, urgency)
}

pub fn offered_by(
    town: &mut Town,
    (from, direction): (&str, Direction),
    family: bool,
    urgency: UrgencyCode,
) -> (Id, Id) {
    let mut sent = town.offer("lantern", AMINA, direction);
    sent.operational.urgency = urgency;
    if let (super::super::OfferGround::Consent(consent), true) = (&mut sent.ground, family) {
        consent.recipients.organisations.clear();
        consent.recipients.families = vec![ServiceFamily::Community];
    }
    let done = town.run(
        attempt(from, Action::OfferReferral),
        |rules, attempt, known, keys| offer(rules, attempt, known, keys, &sent),
    );
    assert_eq!(done.answer.told(), "offered", "{:?}", done.decided.notes);
    let id = done.decided.object.unwrap();
    (outward(town, "lantern", id), id)
}

pub fn outward(town: &Town, at: &str, id: Id) -> Id {
    let aliases = town.rules.alias_key.of(&org(at), 0, town.now);
    aliases.outward(crate::domain::alias::AliasKind::Referral, id)
}

pub fn referral(town: &Town, id: Id) -> Referral {
    let known = town.known();
    let mut found = known.referrals.values();
    found.find(|one| one.id.id() == id).unwrap().clone()
}

/// What the gateway does at `now`; the writes beside facts.
pub fn sweep(town: &mut Town, id: Id, now: When) -> Vec<Write> {
    let entries = [Listed {
        at: 0,
        index: 0,
        item: id,
    }];
    let entropy = Entropy::new([7; 32]);
    let keys = (1..=40).map(|slot| ItemKey::new(Slot(slot), [slot as u8; 32]));
    let keys = Keys::new(keys.collect(), entropy.branch("nonces"));
    let due = Due {
        now,
        entries: &entries,
    };
    let mut known = town.known();
    known.stand_at(now);
    let made = super::due(town.rules, now, &entropy, keys, &known, &due);
    let (_, draft) = made.unwrap().unwrap().split();
    let writes = draft.writes.clone();
    town.take(draft.writes);
    town.now = now;
    writes
}

pub fn listed(writes: &[Write]) -> Vec<&List> {
    let lists = writes.iter().filter_map(|write| match write {
        Write::List { list, .. } => Some(list),
        _ => None,
    });
    lists.collect()
}

pub fn answers(town: &mut Town, at: &str, id: Id, response: &Response) -> Done {
    let alias = outward(town, at, id);
    let action = match response {
        Response::Accept { .. } => Action::AcceptReferral,
        Response::Decline { .. } => Action::DeclineReferral,
        Response::Wait => Action::WaitReferral,
        Response::HandBack { .. } => Action::HandBackReferral,
        Response::Close { .. } | Response::Read | Response::Reseal { .. } => Action::ReadReferral,
    };
    town.run(attempt(at, action), |rules, attempt, known, keys| {
        respond(rules, attempt, known, keys, alias, response)
    })
}

pub fn seen_by_sender(town: &mut Town, id: Id) -> (SenderStatus, bool) {
    let alias = outward(town, "met", id);
    let mut reads = attempt("met", Action::ReadReferralStatus);
    reads.purpose = Purpose::OnwardReferral;
    let done = town.run(reads, |rules, attempt, known, keys| {
        reading::referral(rules, attempt, known, keys, alias, &reading::Ask::Status)
    });
    match done.answer {
        Answer::Status(seen) => (seen.status, seen.no_answer),
        other => panic!("{}", other.told()),
    }
}

#[test]
fn an_offer_that_nobody_answers_goes_from_service_to_service_and_then_the_line_is_shown() {
    let mut town = town();
    let (_, id) = offered(&mut town, true, UrgencyCode::High);
    let start = town.now;
    let order = referral(&town, id).asking.unwrap().next;
    assert_eq!(order.len(), 2);
    let mut had: Vec<OrgId> = Vec::new();
    for hour in 1..=2 {
        let before = referral(&town, id);
        // Within its hour nothing moves.
        sweep(&mut town, id, start.plus_hours(hour).plus_millis(-1));
        assert_eq!(referral(&town, id).recipient, before.recipient);
        let writes = sweep(&mut town, id, start.plus_hours(hour));
        let after = referral(&town, id);
        assert_ne!(after.recipient, before.recipient);
        assert_eq!(after.status, ReferralStatus::Offered);
        let inbox = List::Inbox(after.recipient.clone());
        assert!(listed(&writes).contains(&&inbox));
        assert!(writes.contains(&Write::Unlist {
            list: List::Inbox(before.recipient.clone()),
            item: id,
        }));
        had.push(before.recipient);
        assert_eq!(
            seen_by_sender(&mut town, id),
            (SenderStatus::Recorded, false)
        );
    }
    let last = referral(&town, id).recipient;
    let writes = sweep(&mut town, id, start.plus_hours(3));
    let ended = referral(&town, id);
    assert_eq!(ended.status, ReferralStatus::Expired);
    // Nothing of her is left to release, and the referrer has heard.
    assert!(town.known().parts.is_empty());
    assert!(listed(&writes).contains(&&List::Events(org("met"))));
    assert_eq!(
        seen_by_sender(&mut town, id),
        (SenderStatus::Recorded, true)
    );
    // The last is told what the others are told: that nobody is left shows to none of them.
    had.push(last);
    for late in &had {
        let no = Response::Decline {
            reason: DeclineReason::Full,
        };
        for response in [ACCEPT(), no, Response::Wait, Response::Read] {
            let done = answers(&mut town, late.as_str(), id, &response);
            assert_eq!(done.answer.told(), "passed-on");
        }
    }
}

#[test]
fn without_another_in_her_consent_it_ends_with_the_first() {
    for (urgency, by) in [
        (UrgencyCode::High, "2026-04-10T13:00:00Z"),
        (UrgencyCode::Standard, "2026-04-13T22:59:59.999Z"),
        (UrgencyCode::Low, "2026-04-17T22:59:59.999Z"),
    ] {
        let mut town = town();
        let (_, id) = offered(&mut town, false, urgency);
        let by = When::parse(by).unwrap();
        let asking = referral(&town, id).asking.unwrap();
        assert!(asking.next.is_empty());
        assert_eq!((asking.answer_by, asking.line_from), (by, by));
        sweep(&mut town, id, by);
        assert_eq!(referral(&town, id).status, ReferralStatus::Expired);
        assert_eq!(
            seen_by_sender(&mut town, id),
            (SenderStatus::Recorded, true)
        );
    }
}

#[test]
fn an_answer_that_comes_before_it_is_passed_on_counts() {
    let mut town = town();
    let (_, id) = offered(&mut town, true, UrgencyCode::High);
    let late = town.now.plus_hours(2);
    town.now = late;
    let done = answers(&mut town, "lantern", id, &ACCEPT());
    assert_eq!(done.answer.told(), "released");
    sweep(&mut town, id, late.plus_hours(9));
    let taken = referral(&town, id);
    assert_eq!(taken.recipient, org("lantern"));
    assert_eq!(taken.status, ReferralStatus::Accepted);
    assert_eq!(
        seen_by_sender(&mut town, id),
        (SenderStatus::WithAService, false)
    );
}

#[test]
fn a_service_that_says_no_is_no_end_unless_she_said_it() {
    for (reason, goes_on) in [
        (DeclineReason::Full, true),
        (DeclineReason::Conflict, true),
        (DeclineReason::VictimDeclined, false),
    ] {
        let mut town = town();
        let (_, id) = offered(&mut town, true, UrgencyCode::High);
        let done = answers(&mut town, "lantern", id, &Response::Decline { reason });
        assert_eq!(done.answer.told(), "declined");
        let after = referral(&town, id);
        assert_eq!(after.recipient != org("lantern"), goes_on);
        let status = if goes_on {
            ReferralStatus::Offered
        } else {
            ReferralStatus::Declined
        };
        assert_eq!(after.status, status);
        // Who is asked next is in no entry that the sender's officer sees.
        assert!(!done.decided.concerned.contains(&after.recipient) || !goes_on);
        assert_eq!(
            seen_by_sender(&mut town, id),
            (SenderStatus::Recorded, false)
        );
    }
}

#[test]
fn what_its_sender_sees_is_the_same_at_every_hour_whatever_becomes_of_it() {
    let stop = Wish {
        scope: WithdrawalScope::Everything,
        organisations: Vec::new(),
        classes: Vec::new(),
        purposes: Vec::new(),
        channel: "telephone".to_owned(),
        pause: false,
    };
    let pause = Wish {
        pause: true,
        ..stop.clone()
    };
    let stories: [fn(&mut Town, Id); 6] = [
        |_, _| {},
        |town, id| {
            answers(town, "lantern", id, &Response::Wait);
        },
        |town, id| {
            let reason = DeclineReason::VictimDeclined;
            answers(town, "lantern", id, &Response::Decline { reason });
        },
        |town, id| {
            for _ in 0..3 {
                let with = referral(town, id).recipient;
                let reason = DeclineReason::Full;
                answers(town, with.as_str(), id, &Response::Decline { reason });
            }
        },
        |_, _| {},
        |_, _| {},
    ];
    let mut all = Vec::new();
    for (number, story) in stories.iter().enumerate() {
        let mut town = town();
        let (_, id) = offered(&mut town, true, UrgencyCode::High);
        let start = town.now;
        story(&mut town, id);
        match number {
            4 => {
                town.withdraw("council", AMINA, &stop);
            }
            5 => {
                town.withdraw("council", AMINA, &pause);
            }
            _ => {}
        }
        let mut hours = Vec::new();
        for hour in 1..=4 {
            let writes = sweep(&mut town, id, start.plus_hours(hour));
            let told = listed(&writes).contains(&&List::Events(org("met")));
            hours.push((told, seen_by_sender(&mut town, id)));
        }
        all.push(hours);
    }
    for hours in &all {
        assert_eq!(*hours, all[0]);
    }
    let lines: Vec<bool> = all[0].iter().map(|(_, (_, line))| *line).collect();
    assert_eq!(lines, [false, false, true, true]);
    let told: Vec<bool> = all[0].iter().map(|(told, _)| *told).collect();
    assert_eq!(told, [false, false, true, false]);
}

#[test]
fn a_service_that_she_stopped_since_is_passed_over() {
    let mut town = town();
    let (_, id) = offered(&mut town, true, UrgencyCode::High);
    let order = referral(&town, id).asking.unwrap().next;
    let next = OrgId::parse(order[0].as_str()).unwrap();
    let wish = Wish {
        scope: WithdrawalScope::Service,
        organisations: vec![next.clone()],
        classes: Vec::new(),
        purposes: Vec::new(),
        channel: "telephone".to_owned(),
        pause: false,
    };
    town.now = town.now.plus_millis(60_000);
    town.withdraw("council", AMINA, &wish);
    let hour = town.now.plus_hours(1);
    sweep(&mut town, id, hour);
    let after = referral(&town, id);
    assert_eq!(after.recipient.as_str(), order[1].as_str());
    assert_ne!(after.recipient, next);
}

#[test]
fn a_tainted_or_suspended_service_is_never_next() {
    let mut town = town();
    town.taint("haven");
    let (_, id) = offered(&mut town, true, UrgencyCode::High);
    let order = referral(&town, id).asking.unwrap().next;
    assert_eq!(order.len(), 1);
    assert_eq!(order[0].as_str(), "beacon");
    // Nor if it becomes so while another is asked.
    town.taint("beacon");
    let hour = town.now.plus_hours(1);
    sweep(&mut town, id, hour);
    assert_eq!(referral(&town, id).status, ReferralStatus::Expired);
}

#[test]
fn a_pause_holds_an_offer_where_it_is_and_gives_the_service_its_time_again() {
    let mut town = town();
    let (_, id) = offered(&mut town, true, UrgencyCode::High);
    let start = town.now;
    town.now = start.plus_millis(60_000);
    let wish = Wish {
        scope: WithdrawalScope::Everything,
        organisations: Vec::new(),
        classes: Vec::new(),
        purposes: Vec::new(),
        channel: "telephone".to_owned(),
        pause: true,
    };
    town.withdraw("council", AMINA, &wish);
    sweep(&mut town, id, start.plus_hours(2));
    let held = referral(&town, id);
    assert_eq!(held.recipient, org("lantern"));
    let ends = start.plus_millis(60_000).plus_hours(72);
    assert_eq!(held.asking.unwrap().answer_by, ends.plus_hours(1));
    sweep(&mut town, id, ends.plus_millis(1));
    assert_eq!(referral(&town, id).recipient, org("lantern"));
    sweep(&mut town, id, ends.plus_hours(1));
    assert_ne!(referral(&town, id).recipient, org("lantern"));
}

#[test]
fn a_pause_that_is_lifted_gives_the_service_its_hour_from_then() {
    let mut town = town();
    let (_, id) = offered(&mut town, true, UrgencyCode::High);
    let start = town.now;
    let wish = Wish {
        scope: WithdrawalScope::Everything,
        organisations: Vec::new(),
        classes: Vec::new(),
        purposes: Vec::new(),
        channel: "telephone".to_owned(),
        pause: true,
    };
    town.now = start.plus_millis(60_000);
    let first = took(&town.withdraw("council", AMINA, &wish));
    town.now = start.plus_hours(1);
    let second = took(&town.withdraw("practice", AMINA, &wish));
    sweep(&mut town, id, start.plus_hours(2));
    let by = |town: &Town| referral(town, id).asking.unwrap().answer_by;
    // Another stands in the way still, and ends sooner or later than this one.
    settle_as(&mut town, "practice", second, Settling::Lift, true);
    assert_eq!(by(&town), start.plus_millis(60_000).plus_hours(73));
    town.now = start.plus_hours(3);
    let lifted = settle_as(&mut town, "council", first, Settling::Lift, true);
    assert_eq!(by(&town), start.plus_hours(4));
    let due = (List::OffersDue, start.plus_hours(4).place(), id);
    assert!(lifted.listed.contains(&due));
    sweep(&mut town, id, start.plus_hours(4).plus_millis(-1));
    assert_eq!(referral(&town, id).recipient, org("lantern"));
    sweep(&mut town, id, start.plus_hours(4));
    assert_ne!(referral(&town, id).recipient, org("lantern"));
}

#[test]
fn no_officer_of_who_sent_it_reads_of_the_service_that_the_gateway_picked() {
    let mut town = town();
    let from = ("trust", Direction::Health);
    let (_, id) = offered_by(&mut town, from, true, UrgencyCode::High);
    let hour = town.now.plus_hours(1);
    sweep(&mut town, id, hour);
    let there = referral(&town, id).recipient;
    assert_ne!(there, org("lantern"));
    let alias = outward(&town, there.as_str(), id);
    for (code, life_at_risk, told) in [
        (UpdateCode::NewIncident, false, "updated"),
        (UpdateCode::CallReferrer, false, "check-your-answers"),
        (
            UpdateCode::CallUsAboutHerSafety,
            false,
            "check-your-answers",
        ),
        (UpdateCode::CallUsAboutHerSafety, true, "updated"),
    ] {
        let news = News {
            code,
            life_at_risk,
            consent: None,
            contact: None,
        };
        let done = town.run(
            attempt(there.as_str(), Action::UpdateReferral),
            |rules, attempt, known, keys| update(rules, attempt, known, keys, alias, &news),
        );
        assert_eq!(done.answer.told(), told, "{}", code.code());
        assert!(
            !done.decided.concerned.contains(&org("trust")),
            "{}",
            code.code()
        );
    }
}
