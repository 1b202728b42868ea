//! Which services fit, when an overlap ends, and what is forgotten.

use super::*;
use crate::domain::codes::{OrgKind, Taint};
use crate::domain::id::Id;
use crate::domain::journey::trial::{org, organisation, start};

fn handover(mode: TransferMode, until: Option<When>) -> Handover {
    Handover {
        mode,
        asked_at: start(),
        until,
        area: Some("E09000012".to_owned()),
        onward: ReferralId(Id::from_bytes([1; 16])),
        taken_at: None,
    }
}

fn service(name: &str, area: Option<&str>) -> Service {
    let directory = crate::domain::journey::scene::service(name, name);
    Service {
        area: area.map(str::to_owned),
        team: crate::domain::id::TeamId::parse("team").unwrap(),
        ..directory
    }
}

fn town(services: &[(&str, Option<&str>)]) -> (Directory, BTreeMap<OrgId, Organisation>) {
    let directory = Directory {
        services: services
            .iter()
            .map(|(name, area)| service(name, *area))
            .collect(),
    };
    let organisations = services
        .iter()
        .map(|(name, _)| (org(name), organisation(name, OrgKind::VoluntaryGeneric)));
    (directory, organisations.collect())
}

const HERE: &str = "E09000012";

fn fits(services: &[(&str, Option<&str>)], change: impl Fn(&mut Organisation)) -> Vec<String> {
    let (directory, mut organisations) = town(services);
    organisations.values_mut().for_each(change);
    let asked = (&org("own"), HERE, ServiceFamily::Community);
    let found = fitting(&directory, &organisations, asked, start(), |_| [0; 16]);
    found.iter().map(|id| id.as_str().to_owned()).collect()
}

#[test]
fn she_is_never_left_with_nobody_by_a_date() {
    let now = start().plus_days(40);
    for mode in [TransferMode::HandOver, TransferMode::KeepBoth] {
        let waits = handover(mode, Some(start().plus_days(3)));
        assert_eq!((waits.ends_at(), waits.is_over(now)), (None, false));
    }
    let closed = handover(TransferMode::Close, None);
    assert!(closed.is_over(start()));
}

#[test]
fn the_overlap_ends_by_itself_and_after_28_days_at_most() {
    let taken = |until| Handover {
        taken_at: Some(start().plus_days(1)),
        ..handover(TransferMode::KeepBoth, until)
    };
    let week = start().plus_days(7);
    assert!(!taken(Some(week)).is_over(week.plus_millis(-1)));
    assert!(taken(Some(week)).is_over(week));
    for until in [None, Some(start().plus_days(90))] {
        assert_eq!(taken(until).ends_at(), Some(start().plus_days(28)));
    }
    // Accepted later than the date: it ends then, not before.
    let late = Handover {
        taken_at: Some(start().plus_days(9)),
        ..taken(Some(week))
    };
    assert_eq!(late.ends_at(), Some(start().plus_days(9)));
}

#[test]
fn the_area_is_said_for_thirty_days() {
    let asked = handover(TransferMode::HandOver, None);
    let end = start().plus_days(30);
    assert_eq!(asked.area(end.plus_millis(-1)), Some("E09000012"));
    assert_eq!(asked.area(end), None);
}

#[test]
fn those_of_the_area_are_asked_first_then_those_of_the_whole_country() {
    let services = [
        ("national", None),
        ("there", Some("E09000033")),
        ("here", Some(HERE)),
        ("own", Some(HERE)),
    ];
    assert_eq!(fits(&services, |_| ()), ["here", "national"]);
    let works_here = |one: &mut Organisation| one.areas = vec![HERE.to_owned()];
    let hidden = [("refuge", None), ("here", Some(HERE))];
    assert_eq!(fits(&hidden, works_here).len(), 2);
    let works_there = |one: &mut Organisation| one.areas = vec!["E09000033".to_owned()];
    assert!(fits(&[("national", None)], works_there).is_empty());
}

#[test]
fn who_may_be_told_nothing_is_not_asked() {
    let services = [("here", Some(HERE))];
    assert_eq!(fits(&services, |_| ()), ["here"]);
    assert!(fits(&services, |one| one.suspended_at = Some(start())).is_empty());
    assert!(fits(&services, |one| one.taint = Taint::HostsHomeOffice).is_empty());
    assert!(fits(&services, |one| one.agreements.clear()).is_empty());
    assert!(fits(&services, |one| one.teams.clear()).is_empty());
}

#[test]
fn an_offer_goes_on_past_those_that_cannot_take_it_and_never_back() {
    let (directory, mut organisations) = town(&[
        ("one", Some(HERE)),
        ("two", Some(HERE)),
        ("three", Some(HERE)),
    ]);
    let ids = |names: &[&str]| {
        names
            .iter()
            .map(|name| ServiceId::parse(name).unwrap())
            .collect()
    };
    let past = Past {
        organisation: org("one"),
        reason: Some(DeclineReason::Conflict),
        at: start(),
    };
    let mut route = Route {
        origin: ReferralId(Id::from_bytes([2; 16])),
        next: ids(&["one", "two", "three"]),
        past: vec![past],
        answer_by: start(),
    };
    organisations
        .get_mut(&org("two"))
        .unwrap()
        .agreements
        .clear();
    let found = route.advance(&directory, &organisations, start(), |_| true);
    assert_eq!(found.map(|service| service.id.as_str()), Some("three"));
    assert!(
        route
            .advance(&directory, &organisations, start(), |_| true)
            .is_none()
    );
}

#[test]
fn only_england_and_wales_are_moved_within() {
    for (area, expected) in [
        ("E09000022", Lies::InEnglandOrWales),
        ("W06000015", Lies::InEnglandOrWales),
        ("S12000036", Lies::Elsewhere),
        ("N09000003", Lies::Elsewhere),
        ("E01000001", Lies::Nowhere),
        ("SW1A 1AA", Lies::Nowhere),
        ("", Lies::Nowhere),
    ] {
        assert_eq!(lies(area), expected, "{area}");
    }
}

#[test]
fn what_is_carried_is_read_back_as_written() {
    let carried = Carried {
        risks: Vec::new(),
        adjustments: vec![Adjustment::EasyRead],
    };
    assert_eq!(Carried::parse(&carried.to_bytes()), Some(carried));
    assert_eq!(Carried::parse(&[2]), None);
}
