//! What opening the seal on a person promises.

use super::*;
use crate::domain::codes::{Direction, Role, SealReason};
use crate::domain::governance::{SealOpening, Widening};
use crate::domain::journey::governing::{approve, propose};
use crate::domain::journey::scene::{Person, Scene, org, start, told};
use crate::domain::journey::trial::{AMINA, Town};
use crate::domain::time::When;

const HAVEN_IG: Person<'_> = ("haven", "hi1", Role::IgOfficer);
const HAVEN: Person<'_> = ("haven", "ha1", Role::OrgAdmin);
const HOSPITAL: Person<'_> = ("hospital", "na1", Role::OrgAdmin);
const POLICE_IG: Person<'_> = ("police", "pi1", Role::IgOfficer);

fn proposed(scene: &mut Scene, by: Person<'_>, entry: u64) -> &'static str {
    let widening = Widening::OpenSeal(SealOpening {
        organisation: org(by.0),
        entry,
        reason: SealReason::Misuse,
    });
    let attempt = scene.attempt(by, Action::Propose, start());
    let decision = scene.run(&attempt, |rules, attempt, known, keys| {
        propose(rules, attempt, known, keys, &widening)
    });
    told(&decision)
}

fn approved(scene: &mut Scene, by: Person<'_>) -> &'static str {
    let id = scene.known.proposals.keys().next().unwrap().id();
    let attempt = scene.attempt(by, Action::Approve, start());
    let alias = scene
        .rules
        .aliases_of(&org(by.0))
        .outward(AliasKind::Proposal, id);
    let decision = scene.run(&attempt, |rules, attempt, known, keys| {
        approve(rules, attempt, known, keys, alias)
    });
    told(&decision)
}

fn opened(scene: &mut Scene, by: Person<'_>, entry: u64, at: When) -> Decision<Ruled> {
    let id = *scene.known.proposals.keys().next().unwrap();
    let attempt = scene.attempt(by, Action::OpenSeal, at);
    scene.run(&attempt, |rules, attempt, known, keys| {
        let alias = rules
            .aliases(attempt, known)
            .outward(AliasKind::Proposal, id.id());
        open(rules, attempt, known, keys, entry, alias)
    })
}

#[test]
fn a_second_body_lets_an_officer_look_once_within_a_week() {
    let mut scene = Scene::borough();
    scene.known.approvers.reviewers.push(org("reviewer"));
    assert_eq!(proposed(&mut scene, HAVEN, 7), "role-not-allowed");
    assert_eq!(proposed(&mut scene, HAVEN_IG, 7), "proposed");
    let before = opened(&mut scene, HAVEN_IG, 7, start());
    assert_eq!(told(&before), "route-absent");
    assert_eq!(approved(&mut scene, HAVEN), "second-organisation-needed");
    assert_eq!(approved(&mut scene, HOSPITAL), "approved");

    let week = start().plus_days(SEAL_DAYS);
    let word = |scene: &mut Scene, by, entry, at| told(&opened(scene, by, entry, at));
    assert_eq!(word(&mut scene, HAVEN_IG, 8, start()), "route-absent");
    assert_eq!(word(&mut scene, POLICE_IG, 7, start()), "route-absent");
    assert_eq!(word(&mut scene, HAVEN, 7, start()), "role-not-allowed");
    assert_eq!(word(&mut scene, HAVEN_IG, 7, week), "already-answered");
    let found = opened(&mut scene, HAVEN_IG, 7, week.plus_millis(-1));
    let Answer::SealOpened(reading) = &found.value.answer else {
        panic!("{}", told(&found));
    };
    assert_eq!(reading.indices, [7]);
    let concerned = &found.value.opening.decided.concerned;
    for name in ["haven", "hospital", "reviewer"] {
        assert!(concerned.contains(&org(name)), "{name}");
    }
    assert_eq!(word(&mut scene, HAVEN_IG, 7, start()), "already-answered");
}

#[test]
fn behind_it_is_the_name_that_ones_own_organisation_uses_or_nothing() {
    let mut town = Town::in_order();
    town.refer("met", "lantern", AMINA, Direction::Police);
    let known = town.known();
    let referral = known.referrals.values().next().unwrap();
    let rules = Rules::for_tests();
    let name = |own: &str| {
        own_name(
            &rules.aliases_of(&org(own)),
            &known,
            Behind::Referral(referral.id),
        )
    };
    for own in ["met", "lantern"] {
        let alias = rules
            .aliases_of(&org(own))
            .outward(AliasKind::Referral, referral.id.id());
        assert_eq!(name(own), Some(OwnName::Referral(alias)), "{own}");
    }
    assert_eq!(name("harbour"), None);
    let record = Behind::Record(referral.sender_person);
    let outward = rules
        .aliases_of(&org("met"))
        .outward(AliasKind::Person, referral.sender_person.id());
    assert_eq!(
        own_name(&rules.aliases_of(&org("met")), &known, record),
        Some(OwnName::Person(outward))
    );
    assert_eq!(
        own_name(&rules.aliases_of(&org("trust")), &known, record),
        None
    );
}
