//! Whom news reaches, and whom it must not (3.0.6).

use super::super::answering::{self, Response};
use super::super::settling::tests::wish;
use super::super::trial::*;
use super::*;
use crate::domain::audit::Severity;
use crate::domain::codes::{Action, Direction, PartyRole};
use crate::domain::person::RawSafeContact;
use crate::domain::stop_use::PAUSE_HOURS;
use crate::domain::time::When;
use crate::domain::watch::RuleCode;

const NEW: &str = "07700 900888";
const OLD: &str = "07700 900123";

fn new_contact(at: When) -> NewContact {
    let mut raw = RawSafeContact::default();
    raw.modes = vec!["phone".to_owned()];
    raw.number = Some(NEW.to_owned());
    raw.checked = true;
    NewContact {
        contact: SafeContact::parse(raw, at).ok().unwrap(),
        shown: Zeroizing::new(b"{}".to_vec()),
    }
}

fn news(code: UpdateCode) -> News {
    let changed = code == UpdateCode::SafeContactChanged;
    News {
        code,
        life_at_risk: false,
        consent: None,
        contact: changed.then(|| new_contact(start())),
    }
}

fn tells(town: &mut Town, at: &str, alias: Id, news: &News) -> Done {
    let mut attempt = attempt(at, Action::UpdateReferral);
    if at == "met" {
        attempt.purpose = Purpose::OnwardReferral;
    }
    town.run(attempt, |rules, attempt, known, keys| {
        update(rules, attempt, known, keys, alias, news)
    })
}

/// Police tell it; the organisations that are told that there is something to read.
fn police_tell(town: &mut Town, alias: Id, news: &News) -> Vec<String> {
    let mut told = Vec::new();
    let mut attempt = attempt("met", Action::UpdateReferral);
    attempt.purpose = Purpose::OnwardReferral;
    let done = town.run(attempt, |rules, attempt, known, keys| {
        let decision = update(rules, attempt, known, keys, alias, news)?;
        let events = decision.writes.iter().filter_map(|write| match write {
            Write::List {
                list: List::Events(of),
                ..
            } => Some(of.as_str().to_owned()),
            _ => None,
        });
        told.extend(events);
        Ok(decision)
    });
    assert_eq!(done.answer.told(), "updated");
    told
}

fn reads(town: &mut Town, at: &str, alias: Id) -> Done {
    town.run(
        attempt(at, Action::ReadReferral),
        |rules, attempt, known, keys| {
            answering::respond(rules, attempt, known, keys, alias, &Response::Read)
        },
    )
}

/// The number that a holder reads; `None` if it is told to stop.
fn number(town: &mut Town, at: &str, alias: Id) -> Option<String> {
    let done = reads(town, at, alias);
    let Answer::Released(referral, release) = &done.answer else {
        panic!("{}", done.answer.told());
    };
    let mut parts = release.value().parts.iter();
    let part = parts.find(|part| Some(part.item) == referral.contact_item);
    assert_eq!(part.is_none(), referral.contact_stopped);
    let contact = SafeContact::decode(town.plain(part?)).ok().unwrap();
    contact.number().map(|number| number.as_str().to_owned())
}

/// The sender's own name for a referral that another knows by `alias`.
fn senders(town: &Town, at: &str, alias: Id, sender: &str) -> Id {
    let inward = town
        .rules
        .aliases_of(&org(at))
        .inward(AliasKind::Referral, alias);
    town.rules
        .aliases_of(&org(sender))
        .outward(AliasKind::Referral, inward)
}

fn same(number: &str) -> String {
    crate::domain::person::Phone::parse(number)
        .unwrap()
        .as_str()
        .to_owned()
}

#[test]
fn every_service_that_has_the_old_number_from_the_sender_is_given_the_new_one() {
    let mut town = Town::in_order();
    let here = town.accepted("lantern", AMINA);
    let there = town.accepted("harbour", AMINA);
    let other = town.accepted("practice", BEATA);
    let sent = senders(&town, "lantern", here, "met");
    let said = tells(
        &mut town,
        "met",
        sent,
        &news(UpdateCode::SafeContactChanged),
    );
    assert_eq!(said.answer.told(), "updated");
    assert_eq!(number(&mut town, "lantern", here), Some(same(NEW)));
    assert_eq!(number(&mut town, "harbour", there), Some(same(NEW)));
    // Of another woman, with the same number: not hers to change.
    assert_eq!(number(&mut town, "practice", other), Some(same(OLD)));
    assert!(!said.decided.concerned.contains(&org("practice")));
}

#[test]
fn where_the_reporter_may_not_tell_there_is_the_stop_alone() {
    let mut town = Town::in_order();
    let here = town.accepted("lantern", AMINA);
    let there = town.accepted("harbour", AMINA);
    let said = tells(
        &mut town,
        "lantern",
        here,
        &news(UpdateCode::SafeContactChanged),
    );
    assert_eq!(said.answer.told(), "updated");
    assert_eq!(number(&mut town, "lantern", here), Some(same(NEW)));
    assert_eq!(number(&mut town, "harbour", there), None);
    // Nor does harbour's officer learn that somebody else works with her.
    assert!(!said.decided.concerned.contains(&org("harbour")));
    // Police are not told, and see no trace of it.
    let known = town.known();
    let told = known.referrals.values().flat_map(|one| &one.updates);
    assert!(told.clone().all(|update| update.to_holder));
    assert_eq!(told.count(), 1);
}

#[test]
fn stop_calling_takes_the_number_from_everybody_who_has_it() {
    let mut town = Town::in_order();
    let here = town.accepted("lantern", AMINA);
    let there = town.accepted("harbour", AMINA);
    let sent = senders(&town, "harbour", there, "met");
    tells(&mut town, "met", sent, &news(UpdateCode::StopCalling));
    assert_eq!(number(&mut town, "lantern", here), None);
    assert_eq!(number(&mut town, "harbour", there), None);
}

#[test]
fn what_one_parent_gave_about_a_child_is_not_changed_by_the_other() {
    let mut town = Town::in_order();
    let mut made = Vec::new();
    for (from, to) in [("met", "lantern"), ("trust", "lantern")] {
        let mut offer = town.offer(to, AMINA, Direction::Police);
        offer.operational.party_role = PartyRole::ChildVictim;
        let done = town.run(
            attempt(from, Action::OfferReferral),
            |rules, attempt, known, keys| {
                super::super::offering::offer(rules, attempt, known, keys, &offer)
            },
        );
        let inward = done.decided.object.unwrap();
        let alias = town
            .rules
            .aliases_of(&org(to))
            .outward(AliasKind::Referral, inward);
        town.accept(to, alias);
        made.push(alias);
    }
    let sent = senders(&town, "lantern", made[0], "met");
    tells(
        &mut town,
        "met",
        sent,
        &news(UpdateCode::SafeContactChanged),
    );
    assert_eq!(number(&mut town, "lantern", made[0]), Some(same(NEW)));
    assert_eq!(number(&mut town, "lantern", made[1]), Some(same(OLD)));
}

#[test]
fn who_has_not_accepted_her_changes_nothing_of_hers() {
    let mut town = Town::in_order();
    let offered = town.refer("met", "lantern", AMINA, Direction::Police);
    let there = town.accepted("harbour", AMINA);
    for code in [
        UpdateCode::SafeContactChanged,
        UpdateCode::StopCalling,
        UpdateCode::WrongPerson,
        UpdateCode::RiskRaised,
    ] {
        let said = tells(&mut town, "lantern", offered, &news(code));
        assert_eq!(said.answer.told(), "nothing-to-show", "{}", code.code());
    }
    assert_eq!(number(&mut town, "harbour", there), Some(same(OLD)));
}

#[test]
fn a_contact_is_given_with_its_code_and_with_no_other() {
    let mut town = Town::in_order();
    let here = town.accepted("lantern", AMINA);
    let mut without = news(UpdateCode::SafeContactChanged);
    without.contact = None;
    let mut with = news(UpdateCode::NewIncident);
    with.contact = Some(new_contact(start()));
    for wrong in [without, with] {
        let said = tells(&mut town, "lantern", here, &wrong);
        assert_eq!(said.answer.told(), "check-your-answers");
    }
}

#[test]
fn what_was_told_of_the_wrong_person_is_taken_back_and_both_officers_are_told() {
    let mut town = Town::in_order();
    let here = town.accepted("lantern", AMINA);
    let sent = senders(&town, "lantern", here, "met");
    tells(&mut town, "met", sent, &news(UpdateCode::WrongPerson));
    assert_eq!(
        reads(&mut town, "lantern", here).answer.told(),
        "taken-back"
    );
    let known = town.known();
    let inward = known.referrals.values().next().unwrap().id;
    let of = Aggregate::Referral(inward);
    assert!(known.parts.iter().all(|part| part.of != of));
    for at in ["met", "lantern"] {
        let queue = town.queue(at);
        let item = queue.iter().find(|item| item.rule == RuleCode::WrongPerson);
        assert_eq!(item.map(|item| item.severity), Some(Severity::Red), "{at}");
    }
}

#[test]
fn danger_that_has_grown_brings_an_offer_forward() {
    let mut town = Town::in_order();
    let offered = town.refer("met", "lantern", AMINA, Direction::Police);
    let before = town.known().referrals.values().next().unwrap().clone();
    let sent = senders(&town, "lantern", offered, "met");
    tells(&mut town, "met", sent, &news(UpdateCode::RiskRaised));
    let after = town.known().referrals.values().next().unwrap().clone();
    assert_eq!(after.operational.urgency, UrgencyCode::High);
    assert!(after.contact_by < before.contact_by);
}

#[test]
fn police_are_told_to_call_if_she_agrees_or_a_life_is_at_risk() {
    let mut town = Town::in_order();
    let here = town.accepted("lantern", AMINA);
    let code = UpdateCode::CallUsAboutHerSafety;
    let seen = |town: &Town| {
        let known = town.known();
        let updates = known.referrals.values().flat_map(|one| &one.updates);
        updates.filter(|update| !update.to_holder).count()
    };
    let unasked = tells(&mut town, "lantern", here, &news(code));
    assert_eq!((unasked.answer.told(), seen(&town)), ("consent-needed", 0));
    let mut danger = news(code);
    danger.life_at_risk = true;
    tells(&mut town, "lantern", here, &danger);
    assert_eq!(seen(&town), 1);
    let mut agreed = news(code);
    agreed.consent = Some(consent(Opens::Share, &[]));
    let said = tells(&mut town, "lantern", here, &agreed);
    assert_eq!((said.answer.told(), seen(&town)), ("updated", 2));
}

#[test]
fn a_service_that_sent_her_is_told_what_changed_and_not_how_to_reach_her() {
    let mut town = Town::in_order();
    let alias = town.refer("trust", "lantern", AMINA, Direction::Health);
    town.accept("lantern", alias);
    let said = tells(
        &mut town,
        "lantern",
        alias,
        &news(UpdateCode::SafeContactChanged),
    );
    assert_eq!(said.answer.told(), "updated");
    let known = town.known();
    let told = known.referrals.values().flat_map(|one| &one.updates);
    let told: Vec<(&str, bool)> = told.map(|one| (one.code.code(), one.to_holder)).collect();
    assert_eq!(told, [("safe_contact_changed", false)]);
}

#[test]
fn what_is_told_in_a_pause_holds_when_it_ends() {
    let mut town = Town::in_order();
    let here = town.accepted("lantern", AMINA);
    let there = town.accepted("harbour", AMINA);
    town.now = town.now.plus_hours(1);
    town.withdraw("practice", AMINA, &wish(true));
    let sent = senders(&town, "lantern", here, "met");
    let told = police_tell(&mut town, sent, &news(UpdateCode::StopCalling));
    assert_eq!(told, ["lantern", "harbour"]);
    let paused = reads(&mut town, "lantern", here).answer.told();
    assert_eq!(paused, "nothing-to-show");
    town.now = town.now.plus_hours(PAUSE_HOURS);
    assert_eq!(number(&mut town, "lantern", here), None);
    assert_eq!(number(&mut town, "harbour", there), None);
}

#[test]
fn the_wrong_person_stays_taken_back_when_a_pause_ends() {
    let mut town = Town::in_order();
    let here = town.accepted("lantern", AMINA);
    town.now = town.now.plus_hours(1);
    town.withdraw("practice", AMINA, &wish(true));
    let sent = senders(&town, "lantern", here, "met");
    tells(&mut town, "met", sent, &news(UpdateCode::WrongPerson));
    town.now = town.now.plus_hours(PAUSE_HOURS);
    let read = reads(&mut town, "lantern", here);
    assert_eq!(read.answer.told(), "taken-back");
    let known = town.known();
    let inward = known.referrals.values().next().unwrap().id;
    let of = Aggregate::Referral(inward);
    assert!(known.parts.iter().all(|part| part.of != of));
}

#[test]
fn whom_a_paused_offer_waits_for_does_not_learn_of_the_pause_by_news() {
    let mut town = Town::in_order();
    let offered = town.refer("met", "harbour", AMINA, Direction::Police);
    let sent = senders(&town, "harbour", offered, "met");
    town.now = town.now.plus_hours(1);
    town.withdraw("practice", AMINA, &wish(true));
    let told = police_tell(&mut town, sent, &news(UpdateCode::RiskRaised));
    assert!(told.is_empty(), "{told:?}");
    // It is there when the offer is shown again, and it comes first.
    town.now = town.now.plus_hours(PAUSE_HOURS);
    let known = town.known();
    let after = known.referrals.values().next().unwrap();
    assert!(after.open());
    assert_eq!(after.operational.urgency, UrgencyCode::High);
    let codes: Vec<&str> = after.updates.iter().map(|one| one.code.code()).collect();
    assert_eq!(codes, ["risk_raised"]);
    assert!(after.contact_by < town.now);
}

#[test]
fn who_has_the_number_with_an_address_beside_it_has_the_same_number() {
    let mut town = Town::in_order();
    let here = town.accepted("lantern", AMINA);
    let mut offer = town.offer("harbour", AMINA, Direction::Police);
    let mut raw = RawSafeContact::default();
    raw.modes = vec!["phone".to_owned(), "email".to_owned()];
    raw.number = Some(OLD.to_owned());
    raw.email = Some("amina@example.org".to_owned());
    raw.checked = true;
    offer.safe_contact = SafeContact::parse(raw, start()).ok();
    assert!(offer.safe_contact.is_some());
    let done = town.run(
        attempt("met", Action::OfferReferral),
        |rules, attempt, known, keys| {
            super::super::offering::offer(rules, attempt, known, keys, &offer)
        },
    );
    let aliases = town.rules.aliases_of(&org("harbour"));
    let there = aliases.outward(AliasKind::Referral, done.decided.object.unwrap());
    town.accept("harbour", there);
    assert_eq!(number(&mut town, "harbour", there), Some(same(OLD)));
    let sent = senders(&town, "lantern", here, "met");
    tells(&mut town, "met", sent, &news(UpdateCode::StopCalling));
    assert_eq!(number(&mut town, "lantern", here), None);
    assert_eq!(number(&mut town, "harbour", there), None);
}
