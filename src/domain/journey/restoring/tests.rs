//! What is held back while withdrawals are collected.

use super::super::governing::{approve, propose};
use super::super::scene::{Scene, org, refusal, start, told, written};
use super::super::trial::{AMINA, tokens};
use super::super::withdrawing::{Wish, withdraw};
use super::*;
use crate::domain::codes::{Role, WithdrawalScope};
use crate::domain::counterfoil::Counterfoil;
use crate::domain::decision::Write;
use crate::domain::governance::Widening;
use crate::domain::id::OrgId;
use crate::domain::leaf::LeafClass;
use crate::domain::restoration::Copied;
use crate::domain::ruling::Ruling;

fn open(scene: &mut Scene) {
    let copied = Copied {
        leaves: 5,
        since: start(),
        acknowledged: 5,
    };
    scene.known.restoration = Some(begun(&scene.known, copied, start().plus_hours(1)));
}

/// Every kind of attempt is decided one way or the other, whatever it comes to.
#[test]
fn no_kind_of_attempt_gets_past_but_those_that_say_nothing_of_a_person() {
    let mut scene = Scene::borough();
    open(&mut scene);
    let restoring = |action, answer: &Answer| {
        matches!(
            held_back(&scene.known, action, answer),
            Some(Refusal::Restoring { .. })
        )
    };
    let found = [
        Answer::Nothing,
        Answer::Checked { held: Vec::new() },
        Answer::Sent(Vec::new()),
        Answer::Inbox(Vec::new()),
        Answer::Events(Vec::new()),
        Answer::ReliedOn,
        Answer::Refused(Refusal::AlreadyAnswered),
        Answer::Refused(Refusal::ConsentNeeded),
        Answer::Refused(Refusal::ConfirmEmergency {
            told: Vec::new(),
            held: Vec::new(),
        }),
        Answer::Refused(Refusal::CheckYourAnswers(Vec::new())),
        Answer::replayed(1, b""),
    ];
    let held: Vec<&str> = Action::ALL
        .iter()
        .filter(|action| !goes_on(**action))
        .map(|action| {
            for answer in &found {
                assert!(
                    restoring(*action, answer),
                    "{} {}",
                    action.code(),
                    answer.told()
                );
            }
            action.code()
        })
        .collect();
    insta::assert_snapshot!(held.join("\n"), @"
    read_referral_status
    read_inbox
    accept_referral
    decline_referral
    wait_referral
    close_referral
    read_referral
    read_events
    query_assessments
    rely_on_assessment
    break_glass
    read_audit_subject
    report_subject
    open_seal
    collect_item
    read_links
    confirm_link
    read_consents
    read_subject_access
    reply_subject_access
    redact_subject_access
    deliver_subject_access
    transfer_referral
    read_own_assessments
    hand_back_referral
    open_draft
    ");
    for action in Action::ALL.iter().filter(|action| goes_on(**action)) {
        // Even these tell nothing of a person, whatever a journey may come to.
        for answer in found.iter().filter(|answer| answer.tells_of_a_person()) {
            assert!(
                restoring(*action, answer),
                "{} {}",
                action.code(),
                answer.told()
            );
        }
        assert!(!restoring(*action, &Answer::Nothing), "{}", action.code());
    }
}

#[test]
fn what_is_wrong_with_the_caller_is_told_first_and_the_rest_is_the_same_for_everyone() {
    let mut scene = Scene::borough();
    open(&mut scene);
    let police = ("police", "pa1", Role::OrgAdmin);
    let attempt = scene.attempt(police, Action::ReadInbox, start().plus_hours(2));
    let said = |answer: Result<Answer, Refusal>| {
        let ruling = Ruling::new(
            scene.rules,
            &attempt,
            &scene.known,
            super::super::scene::keys(),
        );
        let decision = match answer {
            Ok(answer) => ruling.finish(answer),
            Err(refusal) => ruling.refuse(refusal),
        };
        decision.unwrap()
    };
    let role = Refusal::RoleNotAllowed { role: "org_admin" };
    assert_eq!(told(&said(Err(role))), "role-not-allowed");
    let nothing = said(Ok(Answer::Nothing));
    let inbox = said(Ok(Answer::Inbox(Vec::new())));
    assert_eq!(refusal(&nothing), refusal(&inbox));
    assert_eq!(told(&inbox), "restoring");
    let since = scene.known.restoration.as_ref().unwrap().since;
    assert_eq!(refusal(&inbox), Some(&Refusal::Restoring { since }));
    // What it would have written about anyone is not written, and no key is used up.
    assert!(
        inbox
            .writes
            .iter()
            .all(|write| matches!(write, Write::List { .. } | Write::Follow { .. }))
    );
    assert!(inbox.replay.is_none() && inbox.urgent);
    assert_eq!(inbox.value.opening.decided.disclosed, Vec::<String>::new());
}

#[test]
fn what_is_sent_wrong_is_told_as_ever() {
    let mut scene = Scene::borough();
    open(&mut scene);
    let haven = ("haven", "ha1", Role::OrgAdmin);
    let attempt = scene.attempt(haven, Action::AcceptReferral, start().plus_hours(2));
    let ruling = Ruling::new(
        scene.rules,
        &attempt,
        &scene.known,
        super::super::scene::keys(),
    );
    let decision = ruling.refuse_unread(Refusal::NotJson).unwrap();
    assert_eq!(told(&decision), "not-json");
}

#[test]
fn what_is_kept_of_a_withdrawal_names_its_entry() {
    let mut scene = Scene::borough();
    let attempt = scene.attempt(("haven", "ha1", Role::OrgAdmin), Action::Withdraw, start());
    let wish = Wish {
        scope: WithdrawalScope::Everything,
        organisations: Vec::new(),
        classes: Vec::new(),
        purposes: Vec::new(),
        channel: "card".to_owned(),
        pause: false,
    };
    let decision = scene.run(&attempt, |rules, attempt, known, keys| {
        withdraw(rules, attempt, known, keys, &tokens(AMINA), &wish)
    });
    let kept = decision.value.counterfoil.unwrap();
    let kept = Counterfoil::open(&scene.rules.keys.counterfoil, &kept).unwrap();
    assert_eq!(kept.entry, decision.leaf.id());
}

#[test]
fn the_gateway_says_first_that_it_was_restored_and_for_whom_it_waits() {
    let scene = Scene::borough();
    let copied = Copied {
        leaves: 5,
        since: start(),
        acknowledged: 9,
    };
    let now = start().plus_hours(1);
    let entropy = Entropy::new([1; 32]);
    let keys = super::super::scene::keys();
    let begun = begin(scene.rules, now, &entropy, keys, &scene.known, copied, None);
    let decision = begun.unwrap().unwrap();
    assert_eq!(written(&decision), [Aggregate::Settings]);
    assert_eq!(decision.leaf.class(), LeafClass::Gateway);
    let mut known = Known::default();
    known.add(super::super::scene::facts(&decision)).unwrap();
    let restoration = known.restoration.unwrap();
    let waiting: Vec<&str> = restoration.waiting.iter().map(OrgId::as_str).collect();
    assert_eq!(waiting, ["council", "haven", "hospital", "police"]);
    assert_eq!((restoration.leaves, restoration.since), (5, start()));
    assert!(restoration.is_proven());
    // An organisation of which the copy holds no more than its name is waited for as well, and the
    // entry is made even if that is the operator.
    let mut lost = Scene::borough();
    lost.known.organisations.remove(&org("operator"));
    lost.known.organisations.remove(&org("haven"));
    lost.known.roll = vec![org("haven"), org("council")];
    lost.known.approvers.first = vec![(org("operator"), "op1".to_owned())];
    let keys = super::super::scene::keys();
    let begun = begin(lost.rules, now, &entropy, keys, &lost.known, copied, None);
    let decision = begun.unwrap().unwrap();
    let mut known = Known::default();
    known.add(super::super::scene::facts(&decision)).unwrap();
    let waiting = known.restoration.unwrap().waiting;
    assert!(waiting.contains(&org("haven")) && waiting.contains(&org("operator")));
    // An empty log has nobody to put it down to.
    let keys = super::super::scene::keys();
    let none = begin(
        scene.rules,
        now,
        &entropy,
        keys,
        &Known::default(),
        copied,
        None,
    );
    assert!(none.unwrap().is_none());
}

#[test]
fn going_on_without_one_takes_two_other_organisations_and_is_shown() {
    let mut scene = Scene::borough();
    open(&mut scene);
    let at = start().plus_hours(2);
    let without = |name| Widening::GoOnWithout {
        organisation: org(name),
    };
    let operator = ("operator", "op1", Role::OperatorAdmin);
    let hospital = ("hospital", "ni1", Role::IgOfficer);
    let police = ("police", "pi1", Role::IgOfficer);
    let attempt = scene.attempt(operator, Action::Propose, at);
    // The operator takes no withdrawals and is not waited for.
    let own = scene.run(&attempt, |rules, attempt, known, keys| {
        propose(rules, attempt, known, keys, &without("operator"))
    });
    assert_eq!(told(&own), "check-your-answers");
    let attempt = scene.attempt(operator, Action::Propose, at);
    let proposed = scene.run(&attempt, |rules, attempt, known, keys| {
        propose(rules, attempt, known, keys, &without("police"))
    });
    assert_eq!(told(&proposed), "proposed");
    let id = *scene.known.proposals.keys().next().unwrap();
    let approve_as = |scene: &mut Scene, person| {
        let attempt = scene.attempt(person, Action::Approve, at);
        let alias = scene
            .rules
            .aliases(&attempt, &scene.known)
            .outward(crate::domain::alias::AliasKind::Proposal, id.id());
        scene.run(&attempt, |rules, attempt, known, keys| {
            approve(rules, attempt, known, keys, alias)
        })
    };
    // Not the one who proposed it, nor the one whom it is about.
    let same = approve_as(&mut scene, operator);
    assert_eq!(told(&same), "second-organisation-needed");
    let about = approve_as(&mut scene, police);
    assert_eq!(told(&about), "second-organisation-needed");
    assert!(
        scene
            .known
            .restoration
            .as_ref()
            .unwrap()
            .waits_for(&org("police"))
    );
    let approved = approve_as(&mut scene, hospital);
    assert_eq!(told(&approved), "approved");
    let restoration = scene.known.restoration.as_ref().unwrap();
    assert!(!restoration.waits_for(&org("police")) && restoration.open());
    assert_eq!(restoration.without, [(org("police"), at)]);
    let concerned = &approved.value.opening.decided.concerned;
    assert!(concerned.contains(&org("haven")) && concerned.contains(&org("police")));
    // What has no restoration to go on from is refused.
    scene.known.restoration = None;
    let attempt = scene.attempt(operator, Action::Propose, at);
    let idle = scene.run(&attempt, |rules, attempt, known, keys| {
        propose(rules, attempt, known, keys, &without("haven"))
    });
    assert_eq!(told(&idle), "check-your-answers");
}
