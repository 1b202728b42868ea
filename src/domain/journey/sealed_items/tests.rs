//! A sealed item from hand to hand: each refusal, each erasure, and the silence after.

use super::*;
use crate::domain::codes::{Action, Custody, OrgKind, Purpose, Role};
use crate::domain::custody;
use crate::domain::decision::PartRef;
use crate::domain::journey::reading;
use crate::domain::journey::trial::{AMINA, Done, Town, attempt, org, organisation, tokens};
use crate::domain::sealed_item::{BOX_BYTES, KEPT_DAYS, WAITS_DAYS};

const BOX: [u8; 1_024] = [0xa5; BOX_BYTES[0]];

fn public_key() -> [u8; 32] {
    custody::key_pair(&[5; 32]).1
}

/// The borough, with a regulated law centre that keeps its own custody.
pub fn town() -> Town {
    let mut town = Town::in_order();
    let mut quay = organisation("quay", OrgKind::LegalAdviser);
    quay.identifiers = vec![("sra".to_owned(), "000000".to_owned())];
    quay.custody = Custody::Own;
    quay.hpke_public_key = Some(public_key());
    town.enrol(quay);
    town
}

fn change(town: &mut Town, change: impl FnOnce(&mut crate::domain::organisation::Organisation)) {
    let mut quay = town.known().organisations[&org("quay")].clone();
    change(&mut quay);
    town.enrol(quay);
}

/// Hers, and she agreed at that time.
pub fn agreed(consented_at: When) -> Handed {
    Handed {
        boxed: SealedBox::parse(BOX.to_vec()).unwrap(),
        commitment: Commitment([7; 32]),
        sealed_to: public_key(),
        subject: Subject::Tokens(tokens(AMINA), None),
        consented_at,
    }
}

fn asks(organisation: &str, action: Action) -> Attempt {
    let mut attempt = attempt(organisation, action);
    attempt.purpose = Purpose::LegalAdvice;
    if organisation == "quay" {
        attempt.role = Role::LegalAdviser;
    }
    attempt
}

fn seal_to(town: &mut Town, from: &str, to: &str) -> Done {
    let now = town.now;
    hand_in(town, from, to, &agreed(now))
}

pub fn hand_in(town: &mut Town, from: &str, to: &str, handed: &Handed) -> Done {
    let asked = asks(from, Action::SealItem);
    town.run(asked, |rules, attempt, known, keys| {
        seal(rules, attempt, known, keys, &org(to), Some(handed))
    })
}

/// Sealed by the charity; the item's name at the law centre.
pub fn sealed(town: &mut Town) -> (Id, Id) {
    let done = seal_to(town, "lantern", "quay");
    let Answer::ItemSealed { item, .. } = done.answer else {
        panic!("{}", done.answer.told());
    };
    let rules = &Rules::for_tests();
    let inward = rules
        .aliases_of(&org("lantern"))
        .inward(AliasKind::SealedItem, item.id());
    let theirs = rules
        .aliases_of(&org("quay"))
        .outward(AliasKind::SealedItem, inward);
    (item.id(), theirs)
}

pub fn collects(town: &mut Town, by: &str, alias: Id) -> Done {
    let asked = asks(by, Action::CollectItem);
    town.run(asked, |rules, attempt, known, keys| {
        collect(rules, attempt, known, keys, alias)
    })
}

pub fn destroys(town: &mut Town, alias: Id) -> Done {
    let asked = asks("quay", Action::CollectItem);
    town.run(asked, |rules, attempt, known, keys| {
        destroy_collected(rules, attempt, known, keys, alias)
    })
}

pub fn stops(town: &mut Town, by: &str, alias: Id) -> Done {
    let asked = asks(by, Action::WithdrawConsent);
    town.run(asked, |rules, attempt, known, keys| {
        stop(rules, attempt, known, keys, alias)
    })
}

fn all(town: &Town) -> Vec<Listed> {
    let known = town.known();
    let items = known.sealed_items.keys();
    let listed = items.map(|id| Listed {
        at: 0,
        index: 0,
        item: id.id(),
    });
    listed.collect()
}

pub fn waiting(town: &mut Town, by: &str) -> usize {
    let entries = all(town);
    let asked = asks(by, Action::CollectItem);
    let done = town.run(asked, |rules, attempt, known, keys| {
        list(rules, attempt, known, keys, &entries)
    });
    match done.answer {
        Answer::WaitingItems(items) => items.len(),
        answer => panic!("{}", answer.told()),
    }
}

pub fn events(town: &mut Town, by: &str) -> Vec<String> {
    let entries = all(town);
    let asked = asks(by, Action::ReadEvents);
    let done = town.run(asked, |rules, attempt, known, keys| {
        reading::list(rules, attempt, known, keys, &entries)
    });
    match done.answer {
        Answer::Events(events) => events.into_iter().map(|event| event.code).collect(),
        answer => panic!("{}", answer.told()),
    }
}

pub fn night(town: &mut Town) {
    let entries = all(town);
    let asked = asks("quay", Action::CollectItem);
    town.run(asked, |rules, attempt, known, keys| {
        let due = Due {
            now: attempt.when,
            entries: &entries,
        };
        let made = destroy_due(rules, attempt.when, &attempt.entropy, keys, known, &due);
        Ok(made?.unwrap())
    });
}

pub fn boxes_left(town: &Town) -> Vec<PartRef> {
    let parts = town.known().parts.into_iter();
    parts
        .filter(|part| part.class == DataClass::Sealed)
        .collect()
}

pub fn said(done: &Done) -> String {
    match &done.answer {
        Answer::Refused(Refusal::CheckYourAnswers(wrong)) => {
            format!("{}: {}", wrong[0].field, wrong[0].message)
        }
        answer => answer.told().to_owned(),
    }
}

const CANNOT: &str = "to: this organisation can not receive this";

#[test]
fn the_adviser_is_given_the_box_once_and_then_it_is_gone() {
    let mut town = town();
    let (mine, theirs) = sealed(&mut town);
    assert_eq!(waiting(&mut town, "quay"), 1);
    assert_eq!(events(&mut town, "quay"), ["item_waiting"]);

    let done = collects(&mut town, "quay", theirs);
    let Answer::ItemCollected {
        sealed, release, ..
    } = done.answer
    else {
        panic!("{}", done.answer.told());
    };
    assert_eq!(town.plain(&release.value().parts[0]), BOX);
    assert_eq!(sealed.sender, org("lantern"));
    assert_eq!(done.decided.disclosed, ["sealed"]);
    for organisation in ["lantern", "quay"] {
        assert!(done.decided.concerned.contains(&org(organisation)));
    }

    assert_eq!(said(&destroys(&mut town, theirs)), "item-destroyed");
    assert!(boxes_left(&town).is_empty());
    assert_eq!(waiting(&mut town, "quay"), 0);
    assert_eq!(
        said(&collects(&mut town, "quay", theirs)),
        "nothing-to-show"
    );
    // Its sender sees no difference at any time.
    assert_eq!(
        said(&collects(&mut town, "lantern", mine)),
        "advice-arranged"
    );
}

#[test]
fn an_item_rests_on_the_word_of_somebody_who_could_stop_it() {
    let mut town = town();
    let nobody = Handed {
        subject: Subject::Tokens(Vec::new(), None),
        ..agreed(town.now)
    };
    let told = said(&hand_in(&mut town, "lantern", "quay", &nobody));
    assert!(told.starts_with("identity: "), "{told}");
    // A reference that leads nowhere is the caller's own.
    let nowhere = Handed {
        subject: Subject::Person(Id::ZERO),
        ..agreed(town.now)
    };
    let told = said(&hand_in(&mut town, "lantern", "quay", &nowhere));
    assert_eq!(told, "nothing-to-show");
    for at in [town.now.plus_hours(2), town.now.plus_days(-367)] {
        let told = said(&hand_in(&mut town, "lantern", "quay", &agreed(at)));
        assert!(told.starts_with("consented_at: "), "{told}");
    }
    assert!(town.known().sealed_items.is_empty());
}

#[test]
fn a_second_collection_is_silent_even_before_the_box_is_destroyed() {
    let mut town = town();
    let (_, theirs) = sealed(&mut town);
    collects(&mut town, "quay", theirs);
    assert_eq!(
        said(&collects(&mut town, "quay", theirs)),
        "nothing-to-show"
    );
    assert_eq!(boxes_left(&town).len(), 1);
    // Should the gateway have stopped in between, the night does it.
    night(&mut town);
    assert!(boxes_left(&town).is_empty());
}

#[test]
fn nobody_else_learns_that_there_is_an_item() {
    let mut town = town();
    let (mine, theirs) = sealed(&mut town);
    for (by, alias) in [
        ("harbour", mine),
        ("harbour", theirs),
        ("council", theirs),
        ("lantern", theirs),
        ("quay", mine),
        ("quay", Id::ZERO),
    ] {
        assert_eq!(
            said(&collects(&mut town, by, alias)),
            "nothing-to-show",
            "{by}"
        );
    }
    assert_eq!(waiting(&mut town, "harbour"), 0);
    assert!(events(&mut town, "lantern").is_empty());
    // Police are refused for who they are, before anything is looked for.
    for alias in [theirs, Id::ZERO] {
        assert_eq!(said(&collects(&mut town, "met", alias)), "role-not-allowed");
    }
    assert_eq!(boxes_left(&town).len(), 1);
}

#[test]
fn the_same_box_goes_to_no_other_kind_of_organisation() {
    let mut town = town();
    for to in ["met", "council", "trust", "practice", "harbour", "nobody"] {
        assert_eq!(said(&seal_to(&mut town, "lantern", to)), CANNOT, "{to}");
    }
    // Nor to one's own.
    assert_eq!(said(&seal_to(&mut town, "lantern", "lantern")), CANNOT);
    assert_eq!(
        said(&seal_to(&mut town, "quay", "quay")),
        "role-not-allowed"
    );
    assert!(town.known().sealed_items.is_empty() && boxes_left(&town).is_empty());
}

#[test]
fn police_and_tainted_teams_do_not_seal() {
    let mut town = town();
    assert_eq!(said(&seal_to(&mut town, "met", "quay")), "role-not-allowed");
    assert_eq!(said(&seal_to(&mut town, "council", "quay")), "item-sealed");
    town.taint("council");
    assert_eq!(
        said(&seal_to(&mut town, "council", "quay")),
        "role-not-allowed"
    );
}

#[test]
fn an_item_is_sealed_for_legal_advice_only() {
    let mut town = town();
    for purpose in Purpose::ALL {
        let mut asked = asks("lantern", Action::SealItem);
        asked.purpose = *purpose;
        let done = town.run(asked, |rules, attempt, known, keys| {
            let handed = agreed(attempt.when);
            seal(rules, attempt, known, keys, &org("quay"), Some(&handed))
        });
        let expected = match purpose {
            Purpose::LegalAdvice => "item-sealed",
            _ => "purpose-not-allowed",
        };
        assert_eq!(said(&done), expected, "{}", purpose.code());
    }
}

#[test]
fn an_adviser_is_regulated_active_untainted_and_has_agreed() {
    let mut spoilt = town();
    change(&mut spoilt, |quay| quay.identifiers.clear());
    assert_eq!(said(&seal_to(&mut spoilt, "lantern", "quay")), CANNOT);
    let mut spoilt = town();
    change(&mut spoilt, |quay| {
        quay.suspended_at = Some(quay.enrolled_at)
    });
    assert_eq!(said(&seal_to(&mut spoilt, "lantern", "quay")), CANNOT);
    let mut spoilt = town();
    spoilt.taint("quay");
    assert_eq!(said(&seal_to(&mut spoilt, "lantern", "quay")), CANNOT);
    let mut spoilt = town();
    change(&mut spoilt, |quay| quay.agreements.clear());
    assert_eq!(said(&seal_to(&mut spoilt, "lantern", "quay")), CANNOT);
    let mut spoilt = town();
    change(&mut spoilt, |quay| quay.custody = Custody::Gateway);
    assert_eq!(said(&seal_to(&mut spoilt, "lantern", "quay")), CANNOT);
    assert!(spoilt.known().sealed_items.is_empty());
}

#[test]
fn an_adviser_whose_certificate_ended_must_renew_and_whose_key_changed_is_sealed_to_anew() {
    let mut town = town();
    change(&mut town, |quay| {
        quay.certificates[0].not_after = quay.enrolled_at;
    });
    let told = said(&seal_to(&mut town, "lantern", "quay"));
    assert!(told.contains("must renew"), "{told}");
    let mut town = self::town();
    change(&mut town, |quay| quay.hpke_public_key = Some([9; 32]));
    let told = said(&seal_to(&mut town, "lantern", "quay"));
    assert!(told.contains("another key now"), "{told}");
    assert!(boxes_left(&town).is_empty());
}

#[test]
fn the_key_is_told_under_the_same_checks_and_makes_nothing() {
    let mut town = town();
    let asked = |from: &str, to: &str, town: &mut Town| {
        let asked = asks(from, Action::SealItem);
        town.run(asked, |rules, attempt, known, keys| {
            seal(rules, attempt, known, keys, &org(to), None)
        })
    };
    let done = asked("lantern", "quay", &mut town);
    let Answer::AdviserKey(key) = &done.answer else {
        panic!("{}", said(&done));
    };
    assert_eq!(key.public_key, public_key());
    assert_eq!(key.regulated.regulator, "sra");
    assert_eq!(said(&asked("lantern", "met", &mut town)), CANNOT);
    assert_eq!(said(&asked("met", "quay", &mut town)), "role-not-allowed");
    assert!(town.known().sealed_items.is_empty());
}

#[test]
fn an_item_that_nobody_collects_is_gone_after_fourteen_days() {
    let mut town = town();
    let (mine, theirs) = sealed(&mut town);
    let start = town.now;
    town.now = start.plus_days(WAITS_DAYS);
    assert_eq!(
        said(&collects(&mut town, "quay", theirs)),
        "nothing-to-show"
    );
    assert_eq!(waiting(&mut town, "quay"), 0);
    assert!(events(&mut town, "quay").is_empty());
    night(&mut town);
    assert!(boxes_left(&town).is_empty());
    // Nobody has it, so nothing says any more whose it was.
    assert!(town.known().sealed_of.is_empty());
    let known = town.known();
    assert!(
        known
            .sealed_items
            .values()
            .all(|item| item.tokens.is_empty())
    );
    assert_eq!(
        said(&collects(&mut town, "lantern", mine)),
        "advice-arranged"
    );
    town.now = start.plus_days(KEPT_DAYS);
    night(&mut town);
    assert!(town.known().sealed_items.is_empty());
}

#[test]
fn a_withdrawal_destroys_what_was_not_delivered() {
    let mut town = town();
    let (mine, theirs) = sealed(&mut town);
    // It is the sender's to stop.
    for (by, alias) in [("harbour", mine), ("quay", theirs), ("lantern", theirs)] {
        assert_eq!(said(&stops(&mut town, by, alias)), "withdrawn", "{by}");
        assert_eq!(boxes_left(&town).len(), 1, "{by}");
    }
    assert_eq!(said(&stops(&mut town, "lantern", mine)), "withdrawn");
    assert!(boxes_left(&town).is_empty());
    assert_eq!(
        said(&collects(&mut town, "quay", theirs)),
        "nothing-to-show"
    );
    assert!(events(&mut town, "quay").is_empty());
}

#[test]
fn a_withdrawal_after_delivery_tells_the_adviser_to_stop() {
    let mut town = town();
    let (mine, theirs) = sealed(&mut town);
    collects(&mut town, "quay", theirs);
    destroys(&mut town, theirs);
    assert_eq!(events(&mut town, "quay"), ["item_collected"]);
    let done = stops(&mut town, "lantern", mine);
    assert_eq!(said(&done), "withdrawn");
    assert!(done.noted("stop-use-notice"));
    assert_eq!(events(&mut town, "quay"), ["stop_use"]);
}

#[test]
fn the_log_says_a_size_and_a_salted_hash_and_nothing_of_what() {
    let mut town = town();
    let done = seal_to(&mut town, "lantern", "quay");
    let commitment = format!("commitment-{}", "07".repeat(32));
    assert_eq!(done.decided.notes, ["box-1-kib", commitment.as_str()]);
    assert_eq!(done.decided.subject, None);
    assert!(done.decided.consents.is_empty() && done.decided.disclosed.is_empty());
}
