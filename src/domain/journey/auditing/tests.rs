//! The laws of reading the log and of the queue.

use super::*;
use crate::domain::audit::{QueueTally, Severity, VisibleOutcome};
use crate::domain::codes::{Action, Role};
use crate::domain::decision::Counter;
use crate::domain::journey::scene::{Scene, certificate, org, start, told, user, written};
use crate::domain::person::{Token, TokenKind};
use crate::domain::rules::Entries;
use crate::domain::watch::RuleCode;

type Person<'a> = (&'a str, &'a str, Role);

const HAVEN_IG: Person<'_> = ("haven", "hi1", Role::IgOfficer);
const HOSPITAL_IG: Person<'_> = ("hospital", "ni1", Role::IgOfficer);
const POLICE_IG: Person<'_> = ("police", "pi1", Role::IgOfficer);
const REVIEWER: Person<'_> = ("reviewer", "rv1", Role::Reviewer);

fn item(number: u8) -> QueueItem {
    QueueItem {
        id: Id::from_bytes([number; 16]),
        at: start(),
        rule: RuleCode::StatusShaped,
        version: "1".to_owned(),
        severity: Severity::Red,
        organisation: org("police"),
        user: "4417".to_owned(),
        names_user: false,
        count: 3,
        minutes: 9,
        limit: 3,
        usual: 0,
        due: start().plus_hours(72),
        escalates: start().plus_hours(72),
        from: None,
        drawn: None,
        decided: None,
    }
}

fn with_items(items: &[QueueItem]) -> Scene {
    let mut scene = Scene::borough();
    scene.known.queue = items.iter().map(|item| (item.id, item.clone())).collect();
    scene
}

fn read(scene: &mut Scene, by: Person<'_>, action: Action) -> Decision<Ruled> {
    let attempt = scene.attempt(by, action, start());
    scene.run(&attempt, |rules, attempt, known, keys| {
        let filter = Filter {
            outcome: Some(VisibleOutcome::Deny),
            ..Filter::default()
        };
        entries(rules, attempt, known, keys, None, &[7, 3], &filter)
    })
}

fn shown(scene: &mut Scene, by: Person<'_>) -> Vec<SeenItem> {
    let attempt = scene.attempt(by, Action::ReadAuditQueue, start());
    let decision = scene.run(&attempt, |rules, attempt, known, keys| {
        queue(rules, attempt, known, keys, &(0..8))
    });
    match decision.value.answer {
        Answer::Queue(desk) => desk.items,
        _ => panic!("{}", told(&decision)),
    }
}

fn decided(
    scene: &mut Scene,
    by: Person<'_>,
    id: Id,
    verdict: QueueVerdict,
    at: When,
) -> Decision<Ruled> {
    let attempt = scene.attempt(by, Action::DecideAuditItem, at);
    let alias = scene
        .rules
        .aliases_of(&org(by.0))
        .outward(AliasKind::Entry, id);
    scene.run(&attempt, |rules, attempt, known, keys| {
        decide_queue(rules, attempt, known, keys, alias, verdict)
    })
}

#[test]
fn reading_the_log_is_an_attempt_that_names_what_is_opened() {
    let decision = read(&mut Scene::borough(), HAVEN_IG, Action::ReadAudit);
    let Answer::Entries(reading) = &decision.value.answer else {
        panic!("{}", told(&decision));
    };
    assert_eq!(reading.indices, [7, 3]);
    assert_eq!(reading.viewer.organisation, org("haven"));
    assert_eq!(reading.filter.outcome, Some(VisibleOutcome::Deny));
    assert!(decision.value.opening.opens(&decision.leaf));
}

#[test]
fn only_those_who_watch_read_the_log() {
    for person in [
        ("haven", "ha1", Role::OrgAdmin),
        ("operator", "op1", Role::OperatorAdmin),
    ] {
        let decision = read(&mut Scene::borough(), person, Action::ReadAudit);
        assert_eq!(told(&decision), "role-not-allowed", "{person:?}");
    }
    for person in [HAVEN_IG, POLICE_IG, REVIEWER] {
        let decision = read(&mut Scene::borough(), person, Action::ReadAudit);
        assert_eq!(told(&decision), "entries", "{person:?}");
    }
}

#[test]
fn a_look_up_of_a_person_is_listed_under_her() {
    let tokens = [TaggedToken {
        kind: TokenKind::ALL[0],
        token: Token::from_bytes([5; 16]),
    }];
    let mut scene = Scene::borough();
    let attempt = scene.attempt(HAVEN_IG, Action::ReadAuditSubject, start());
    let filter = Filter::default();
    let decision = scene.run(&attempt, |rules, attempt, known, keys| {
        entries(rules, attempt, known, keys, Some(&tokens), &[], &filter)
    });
    let subject = scene.rules.log_subjects(&tokens)[0];
    let listed = |list: List| {
        let on = |write: &Write| matches!(write, Write::List { list: on, .. } if *on == list);
        decision.writes.iter().any(on)
    };
    assert!(listed(scene.rules.readings(&subject)));
    let readings = scene
        .rules
        .subject_list(&org("haven"), Entries::Readings, &subject);
    assert!(listed(readings));
    // Having looked does not make it look as if something were held.
    assert!(!listed(List::AuditSubject(subject)));
    assert_eq!(told(&decision), "entries");
}

#[test]
fn each_body_sees_the_item_and_only_two_see_whose_it_is() {
    for (person, named) in [(HAVEN_IG, false), (POLICE_IG, true), (REVIEWER, true)] {
        let mut scene = with_items(&[item(1)]);
        let [seen] = shown(&mut scene, person).try_into().unwrap();
        assert_eq!(seen.user.is_some(), named, "{person:?}");
        assert_eq!((seen.count, seen.minutes), (3, 9));
        assert_ne!(seen.id, item(1).id);
    }
}

#[test]
fn an_item_is_accepted_once_and_may_be_asked_about_before() {
    let mut scene = with_items(&[item(1)]);
    let id = item(1).id;
    let word = |scene: &mut Scene, verdict| told(&decided(scene, HAVEN_IG, id, verdict, start()));
    assert_eq!(shown(&mut scene, HAVEN_IG)[0].state, QueueState::New);
    assert_eq!(word(&mut scene, QueueVerdict::Ask), "queue-decided");
    let [seen] = shown(&mut scene, HAVEN_IG).try_into().unwrap();
    assert_eq!(seen.state, QueueState::UnderInvestigation);
    assert_eq!(word(&mut scene, QueueVerdict::Accept), "queue-decided");
    assert_eq!(word(&mut scene, QueueVerdict::Accept), "already-answered");
    let kept = scene.known.queue[&id].decided.clone().unwrap();
    assert_eq!(
        (kept.by.as_str(), kept.decision),
        ("hi1", QueueVerdict::Accept)
    );
    assert_eq!(shown(&mut scene, HAVEN_IG)[0].state, QueueState::Closed);
    // More of the same makes it new: accepting once does not bury what follows.
    let more = QueueTally {
        item: id,
        minutes: 30,
    };
    scene.known.tallies.insert(id, more);
    scene.known.counted.push((Counter::Signs { item: id }, 1));
    let [seen] = shown(&mut scene, HAVEN_IG).try_into().unwrap();
    assert_eq!(
        (seen.state, seen.count, seen.minutes),
        (QueueState::New, 4, 30)
    );
    assert_eq!(word(&mut scene, QueueVerdict::Accept), "queue-decided");
}

#[test]
fn what_is_escalated_is_for_the_second_level_and_the_reviewer() {
    let mut scene = with_items(&[item(1)]);
    scene.known.approvers.reviewers.push(org("reviewer"));
    let id = item(1).id;
    let passed = decided(&mut scene, HOSPITAL_IG, id, QueueVerdict::Escalate, start());
    let mut told_to = written(&passed);
    told_to.retain(|of| matches!(of, Aggregate::Queue(_)));
    assert_eq!(
        told_to,
        [
            Aggregate::Queue(org("reviewer")),
            Aggregate::Queue(org("hospital"))
        ]
    );
    scene.known.queue.retain(|item, _| *item == id);
    assert_eq!(
        shown(&mut scene, HOSPITAL_IG)[0].state,
        QueueState::Escalated
    );
    // Who passed it on does not settle it after all.
    let again = decided(&mut scene, HOSPITAL_IG, id, QueueVerdict::Accept, start());
    assert_eq!(told(&again), "role-not-allowed");
    let hospital = scene.known.organisations.get_mut(&org("hospital")).unwrap();
    hospital
        .certificates
        .push(certificate("hospital", "nc1", Role::Caldicott));
    let guardian = ("hospital", "nc1", Role::Caldicott);
    scene
        .known
        .users
        .insert((org("hospital"), "nc1".to_owned()), user());
    let settled = decided(&mut scene, guardian, id, QueueVerdict::Accept, start());
    assert_eq!(told(&settled), "queue-decided");
}

#[test]
fn what_nobody_decides_in_time_goes_up_by_itself() {
    let mut scene = with_items(&[item(1)]);
    let hospital = scene.known.organisations.get_mut(&org("hospital")).unwrap();
    hospital
        .certificates
        .push(certificate("hospital", "nc1", Role::Caldicott));
    let late = start().plus_hours(72);
    let too_late = decided(
        &mut scene,
        HOSPITAL_IG,
        item(1).id,
        QueueVerdict::Accept,
        late,
    );
    assert_eq!(told(&too_late), "role-not-allowed");
    let in_time = late.plus_millis(-1);
    let asked = decided(
        &mut scene,
        HOSPITAL_IG,
        item(1).id,
        QueueVerdict::Ask,
        in_time,
    );
    assert_eq!(told(&asked), "queue-decided");
    // She is given time for what she asks, once more and no longer.
    let answered = late.plus_hours(71);
    let settled = decided(
        &mut scene,
        HOSPITAL_IG,
        item(1).id,
        QueueVerdict::Accept,
        answered,
    );
    assert_eq!(told(&settled), "queue-decided");
}

#[test]
fn an_item_is_opened_by_those_alone_whose_it_is() {
    let mut scene = with_items(&[item(1)]);
    let open = |scene: &mut Scene, id: Id| {
        let attempt = scene.attempt(HAVEN_IG, Action::ReadAuditQueue, start());
        let alias = scene
            .rules
            .aliases_of(&org("haven"))
            .outward(AliasKind::Entry, id);
        scene.run(&attempt, |rules, attempt, known, keys| {
            super::item(rules, attempt, known, keys, alias, &[9, 4])
        })
    };
    let opened = open(&mut scene, item(1).id);
    let Answer::QueueItem(seen, reading) = &opened.value.answer else {
        panic!("{}", told(&opened));
    };
    assert_eq!((seen.count, &reading.indices[..]), (3, &[9, 4][..]));
    assert_eq!(told(&open(&mut scene, item(2).id)), "route-absent");
}

#[test]
fn one_body_decides_for_itself_alone() {
    let mut scene = with_items(&[item(1)]);
    let decision = decided(
        &mut scene,
        POLICE_IG,
        item(1).id,
        QueueVerdict::Accept,
        start(),
    );
    assert_eq!(written(&decision), [Aggregate::Queue(org("police"))]);
}

#[test]
fn nobody_decides_about_herself() {
    let mut own = item(1);
    own.user = "pi1".to_owned();
    let mut scene = with_items(&[own]);
    let decision = decided(
        &mut scene,
        POLICE_IG,
        item(1).id,
        QueueVerdict::Accept,
        start(),
    );
    assert_eq!(told(&decision), "role-not-allowed");
    assert!(written(&decision).is_empty());
}

#[test]
fn what_was_settled_long_ago_is_left_to_the_log() {
    let mut old = item(1);
    old.decided = Some(QueueDecision {
        at: start().plus_days(-DECIDED_DAYS),
        by: "hi1".to_owned(),
        decision: QueueVerdict::Accept,
        count: 3,
    });
    let mut scene = with_items(&[old, item(2)]);
    assert_eq!(shown(&mut scene, HAVEN_IG).len(), 1);
    let decision = decided(
        &mut scene,
        HAVEN_IG,
        item(2).id,
        QueueVerdict::Accept,
        start(),
    );
    let removed = decision.writes.iter().filter_map(|write| match write {
        Write::Remove { item, .. } => Some(*item),
        _ => None,
    });
    let id = item(1).id;
    assert_eq!(removed.collect::<Vec<_>>(), [id, tally_item(id)]);
}

#[test]
fn an_item_that_is_not_there_is_not_decided() {
    let mut scene = Scene::borough();
    let decision = decided(
        &mut scene,
        HAVEN_IG,
        item(1).id,
        QueueVerdict::Accept,
        start(),
    );
    assert_eq!(told(&decision), "route-absent");
}

#[test]
fn what_others_did_is_not_on_the_lists_of_those_who_may_not_see_it() {
    let mut scene = Scene::borough();
    let tokens = [TaggedToken {
        kind: TokenKind::ALL[0],
        token: Token::from_bytes([5; 16]),
    }];
    let attempt = scene.attempt(HAVEN_IG, Action::ReadAuditSubject, start());
    let decision = scene.run(&attempt, |rules, attempt, known, keys| {
        let mut ruling = Ruling::new(rules, attempt, known, keys);
        ruling.subject(&tokens);
        ruling.concerns(&org("police"));
        ruling.nothing("test")
    });
    let rules = scene.rules;
    let subject = rules.log_subjects(&tokens)[0];
    let own = rules.subject_list(&org("police"), Entries::OwnStaff, &subject);
    let others = rules.subject_list(&org("police"), Entries::Others, &subject);
    let listed = |list: &List| {
        decision
            .writes
            .iter()
            .any(|write| matches!(write, Write::List { list: on, .. } if on == list))
    };
    // A reader of the police looks at the first two only.
    assert!(!listed(&List::Audit(org("police"))) && !listed(&own));
    assert!(listed(&List::AuditConcerned(org("police"))) && listed(&others));
    assert!(listed(&List::Audit(org("haven"))));
}
