//! Quarters as London has them, and what lines come to.

use jiff::civil::date;

use super::*;
use crate::domain::codes::ServiceFamily;
use crate::domain::id::TeamId;
use crate::domain::organisation::Service;
use crate::domain::rules::Rules;

fn quarter(text: &str) -> Quarter {
    Quarter::parse(text).unwrap()
}

fn id(name: &str) -> ServiceId {
    ServiceId::parse(name).unwrap()
}

fn service(name: &str, of: &str) -> Service {
    Service {
        id: id(name),
        organisation: OrgId::parse(of).unwrap(),
        team: TeamId::parse("team").unwrap(),
        public_name: format!("The {name}"),
        family: ServiceFamily::ALL[0],
        area: None,
        takes_referrals: true,
        dos_service_id: None,
        meets: None,
    }
}

fn line(service: &str, what: Happened, minutes: Option<u32>) -> Line {
    Line {
        minutes,
        ..Line::of(&id(service), what)
    }
}

fn counted(lines: &[Line]) -> Return {
    let directory = Directory {
        services: vec![service("idva", "haven"), service("other", "elsewhere")],
    };
    let own = OrgId::parse("haven").unwrap();
    let mut tally = Tally::default();
    lines.iter().for_each(|line| tally.add(line));
    Return::of(quarter("2026-Q3"), (&tally, None), false, &own, &directory)
}

#[test]
fn a_quarter_has_one_spelling() {
    assert_eq!(quarter("2026-Q3").to_string(), "2026-Q3");
    for wrong in [
        "",
        "2026-Q5",
        "2026-Q0",
        "2026-q3",
        "2026-Q03",
        "2026-Q+3",
        "+2026-Q3",
        "2026-Q3 ",
        "Q3",
        "0026-Q1",
        "99999-Q1",
        "2026-07",
        "-2026-Q1",
        "2026-Q9999999999999999999999",
    ] {
        assert_eq!(Quarter::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn the_running_quarter_comes_first_and_two_years_behind_it() {
    let all = quarters(date(2026, 1, 1));
    assert_eq!(all.len(), 9);
    assert_eq!(all[0], quarter("2026-Q1"));
    assert_eq!(all[1], quarter("2025-Q4"));
    assert_eq!(all[8], quarter("2024-Q1"));
    assert_eq!(Quarter::of(date(2026, 12, 31)), quarter("2026-Q4"));
    assert_eq!(Quarter::of(date(2026, 3, 31)), quarter("2026-Q1"));
    assert_eq!(Quarter::of(date(2026, 4, 1)), quarter("2026-Q2"));
}

#[test]
fn a_quarter_begins_at_midnight_in_london_in_summer_and_winter() {
    let clock = &Rules::for_tests().clock;
    let of = |text| {
        let (from, to) = clock.quarter(quarter(text)).unwrap();
        (from.rfc3339(), to.rfc3339())
    };
    let at = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    assert_eq!(
        of("2026-Q1"),
        at("2026-01-01T00:00:00.000Z", "2026-03-31T23:00:00.000Z")
    );
    assert_eq!(
        of("2026-Q2"),
        at("2026-03-31T23:00:00.000Z", "2026-06-30T23:00:00.000Z")
    );
    assert_eq!(
        of("2026-Q3"),
        at("2026-06-30T23:00:00.000Z", "2026-09-30T23:00:00.000Z")
    );
    assert_eq!(
        of("2026-Q4"),
        at("2026-09-30T23:00:00.000Z", "2027-01-01T00:00:00.000Z")
    );
    let late = When::parse("2026-06-30T23:30:00Z").unwrap();
    assert_eq!(Quarter::of(clock.date(late).unwrap()), quarter("2026-Q3"));
}

#[test]
fn each_line_is_counted_once_for_its_service_and_once_in_all() {
    use Happened::{
        Accepted, Assessed, Closed, Declined, HandedBack, MoveAsked, Offered, OfferedByMove,
        Unanswered, Waiting,
    };
    let own = Line {
        service: None,
        what: Assessed,
        minutes: None,
    };
    let found = counted(&[
        line("idva", Offered, None),
        line("idva", OfferedByMove, None),
        line("idva", Accepted, Some(30)),
        line("idva", Waiting, Some(10)),
        line("idva", Accepted, None),
        line("idva", Declined(DeclineReason::Full), Some(400)),
        line("idva", Declined(DeclineReason::Conflict), Some(20)),
        line("idva", Unanswered, None),
        line("idva", HandedBack, None),
        line("idva", Closed, None),
        line("idva", MoveAsked, None),
        line("was-ours", Offered, None),
        own,
    ]);
    let idva = Counts {
        offered: 2,
        offered_by_move: 1,
        accepted: 2,
        waiting: 1,
        declined: 2,
        declined_by_reason: [(DeclineReason::Full, 1), (DeclineReason::Conflict, 1)].into(),
        unanswered: 1,
        handed_back: 1,
        closed: 1,
        moves_asked: 1,
        answered: 4,
        median_minutes: Some(20),
    };
    let total = Counts {
        offered: 3,
        ..idva.clone()
    };
    assert_eq!(found.total, total);
    assert_eq!(found.assessed, 1);
    let was_ours = Counts {
        offered: 1,
        ..Counts::default()
    };
    assert_eq!(
        found.services,
        [
            (id("idva"), Some("The idva".to_owned()), idva),
            (id("was-ours"), None, was_ours),
        ]
    );
}

#[test]
fn a_service_to_which_nothing_came_is_there_with_nothing() {
    let found = counted(&[]);
    let (name, of) = (Some("The idva".to_owned()), Counts::default());
    assert_eq!(found.services, [(id("idva"), name, of)]);
}

#[test]
fn that_an_interpreter_was_missing_is_never_kept() {
    let what = Happened::Declined(DeclineReason::NoInterpreter);
    let kept = Line::of(&id("idva"), what);
    assert_eq!(kept.what, Happened::Declined(DeclineReason::Other));
}
