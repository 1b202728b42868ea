//! What the clock and the state of a request promise.

use super::*;
use crate::domain::codes::{Article6, EntryAbout, Role, Withheld};
use crate::domain::journey::trial::org;
use crate::domain::rules::Rules;

fn at(text: &str) -> When {
    When::parse(text).unwrap()
}

fn code() -> &'static CodeClock {
    &Rules::for_tests().clock
}

fn clock(received: &str) -> AccessClock {
    AccessClock {
        received_at: at(received),
        proved_at: Some(at(received)),
        pauses: Vec::new(),
        more_time: false,
    }
}

fn due(clock: &AccessClock) -> String {
    let due = clock.due(code(), at("2026-12-31T12:00:00Z"));
    let due = due.unwrap().unwrap();
    code().date(due).unwrap().to_string()
}

fn intake() -> Intake {
    Intake {
        requester: Requester::Herself,
        capacity: Capacity::Adult,
        authority: None,
        other_party: YesNoUnknown::Unknown,
        proof: Some(IdentityProof::KnownToWorker),
        delivery: Delivery::Collected,
        post_is_safe: false,
        contact_checked: true,
        not_asked: Vec::new(),
    }
}

fn request(received: &str) -> SubjectAccess {
    SubjectAccess {
        id: SubjectAccessId(Id::drawn([7; 16])),
        taken_by: org("lantern"),
        team: TeamId::parse("team").unwrap(),
        taker: "worker".to_owned(),
        tokens: Vec::new(),
        intake: intake(),
        asking: None,
        clock: clock(received),
        asked_at: Some(at(received)),
        asked: Vec::new(),
        steps: Vec::new(),
        explanations: Vec::new(),
        ended: None,
    }
}

#[test]
fn a_month_ends_on_the_same_day_of_the_next_or_its_last_and_on_a_working_day() {
    for (received, ends) in [
        ("2026-03-03T10:00:00Z", "2026-04-07"), // 3 April is Good Friday, then a weekend, then Monday
        ("2026-09-03T10:00:00Z", "2026-10-05"), // 3 October is a Saturday
        ("2027-01-31T10:00:00Z", "2027-03-01"), // 28 February is a Sunday
        ("2026-05-31T22:30:00Z", "2026-06-30"), // 31 May in London, where June has 30 days
        ("2026-05-31T23:30:00Z", "2026-07-01"), // already 1 June there
        ("2026-11-25T10:00:00Z", "2026-12-29"), // 25 to 28 December
    ] {
        assert_eq!(due(&clock(received)), ends, "{received}");
    }
    let missing = clock("2028-12-20T10:00:00Z");
    assert!(missing.due(code(), at("2028-12-21T10:00:00Z")).is_err());
}

#[test]
fn the_clock_begins_with_the_proof_and_stands_still_while_she_is_asked() {
    let mut clock = clock("2026-09-01T10:00:00Z");
    clock.proved_at = None;
    assert_eq!(clock.due(code(), at("2026-10-30T10:00:00Z")), Ok(None));
    assert_eq!(clock.paused(), Some(PauseReason::Identity));
    clock.proved_at = Some(at("2026-09-10T10:00:00Z"));
    assert_eq!(
        (due(&clock), clock.paused()),
        ("2026-10-12".to_owned(), None)
    );
    clock.pauses.push(Pause {
        from: at("2026-09-15T10:00:00Z"),
        to: Some(at("2026-09-17T10:00:00Z")),
        reason: PauseReason::Clarification,
    });
    // Two days later would be the 12th, which it is by the weekend already; ten days are more.
    assert_eq!(due(&clock), "2026-10-12");
    clock.pauses[0].to = Some(at("2026-09-25T10:00:00Z"));
    assert_eq!(due(&clock), "2026-10-20");
    clock.more_time = true;
    assert_eq!(due(&clock), "2026-12-21");
}

#[test]
fn while_the_clock_stands_still_nothing_is_late() {
    let mut request = request("2026-09-01T10:00:00Z");
    let late = at("2026-10-02T10:00:00Z");
    assert!(request.is_overdue(code(), late));
    assert!(request.is_pressing(code(), at("2026-09-26T10:00:00Z")));
    assert!(!request.is_pressing(code(), at("2026-09-20T10:00:00Z")));
    request.clock.pauses.push(Pause {
        from: at("2026-09-20T10:00:00Z"),
        to: None,
        reason: PauseReason::Clarification,
    });
    assert!(!request.is_overdue(code(), late));
}

#[test]
fn where_it_stands_follows_from_the_time_and_not_from_what_is_held() {
    let mut request = request("2026-09-01T10:00:00Z");
    let days = |request: &SubjectAccess| {
        [0, 13, 14, 20, 21, 25].map(|days| {
            let now = at("2026-09-01T10:00:00Z").plus_days(days);
            request.state(code(), now).code()
        })
    };
    let seen = days(&request);
    assert_eq!(
        seen,
        [
            "in_hand",
            "in_hand",
            "redaction",
            "redaction",
            "ready",
            "ready"
        ]
    );
    request.asked = vec![org("met"), org("trust")];
    assert_eq!(days(&request), seen);
    // What was asked for on paper three weeks ago is due sooner.
    request.asked_at = Some(at("2026-09-29T10:00:00Z"));
    let state = request.state(code(), at("2026-09-29T10:00:00Z"));
    assert_eq!(state, AccessState::Ready);
}

#[test]
fn what_is_taken_down_must_be_safe_and_by_whom_it_may_be_asked() {
    assert!(intake().check().is_empty());
    type Change = fn(&mut Intake);
    let cases: [(Change, &str); 7] = [
        (|one| one.contact_checked = false, "safe_contact_checked"),
        (|one| one.delivery = Delivery::Posted, "post_is_safe"),
        (|one| one.delivery = Delivery::ToSolicitor, "delivery"),
        (|one| one.capacity = Capacity::NotCompetent, "capacity"),
        (|one| one.requester = Requester::Solicitor, "authority"),
        (
            |one| {
                one.requester = Requester::ParentGuardian;
                one.authority = Some(Authority::ParentalResponsibility);
                one.capacity = Capacity::CompetentChild;
            },
            "capacity",
        ),
        (
            |one| one.authority = Some(Authority::CourtOrder),
            "authority",
        ),
    ];
    for (change, field) in cases {
        let mut one = intake();
        change(&mut one);
        let wrong: Vec<&str> = one.check().iter().map(|wrong| wrong.field).collect();
        assert_eq!(wrong, [field]);
    }
}

#[test]
fn who_may_be_the_other_party_is_given_nothing() {
    let mut one = intake();
    assert!(one.may_be_given());
    one.requester = Requester::ParentGuardian;
    for (other_party, given) in [
        (YesNoUnknown::No, true),
        (YesNoUnknown::Unknown, false),
        (YesNoUnknown::Yes, false),
    ] {
        one.other_party = other_party;
        assert_eq!(one.may_be_given(), given);
    }
}

fn look(by: &str, role: Role, withheld: Option<Withheld>) -> Look {
    Look {
        by: by.to_owned(),
        role,
        at: at("2026-09-01T10:00:00Z"),
        withheld,
    }
}

fn entry(about: EntryAbout, first: Look) -> Entry {
    Entry {
        item: Id::drawn([1; 16]),
        about,
        basis: Article6::PublicTask,
        first,
        second: None,
    }
}

#[test]
fn nothing_is_given_or_left_out_by_one_person_alone() {
    let mut one = entry(EntryAbout::CaseNotes, look("ann", Role::Adviser, None));
    assert!(!one.is_given());
    let again = look("ann", Role::Adviser, None);
    assert_eq!(one.look(again), Err(NotYours::SamePerson));
    // Who sees it otherwise begins anew.
    let otherwise = look("ben", Role::Adviser, Some(Withheld::Informant));
    assert_eq!(one.look(otherwise.clone()), Ok(()));
    assert!(one.second.is_none());
    assert_eq!(one.look(otherwise), Err(NotYours::SamePerson));
    let agrees = look("ann", Role::Adviser, Some(Withheld::Informant));
    assert_eq!(one.look(agrees.clone()), Ok(()));
    assert!(one.second.is_some() && !one.is_given());
    assert_eq!(one.look(agrees), Err(NotYours::Settled));
}

#[test]
fn health_and_social_work_data_are_judged_by_a_professional() {
    let harm = Some(Withheld::SeriousHarm);
    let mut one = entry(EntryAbout::Health, look("ann", Role::Triage, harm));
    let adviser = look("ben", Role::Adviser, harm);
    assert_eq!(one.look(adviser), Err(NotYours::NeedsAProfessional));
    assert_eq!(one.look(look("cat", Role::Clinician, harm)), Ok(()));
    assert!(!one.is_given());
    let mut one = entry(EntryAbout::SocialWork, look("ann", Role::Housing, None));
    let doctor = look("cat", Role::Clinician, None);
    assert_eq!(one.look(doctor), Err(NotYours::NeedsAProfessional));
    assert_eq!(one.look(look("dee", Role::SocialWorker, None)), Ok(()));
    assert!(one.is_given());
    let crime = Entry::fits(EntryAbout::Crime, harm);
    assert_eq!(crime, Err(NotYours::NoSuchGround));
}
