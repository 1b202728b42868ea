//! What handing in a withdrawal again promises: it holds as it did, once, and tells nothing.

use proptest::prelude::*;

use super::super::answering::{self, Response};
use super::super::consenting;
use super::super::offering::{self, Offer, OfferGround};
use super::super::querying::{self, Query, Step};
use super::super::restoring::begun;
use super::super::revoking;
use super::super::subject::Subject;
use super::super::trial::*;
use super::super::withdrawing::Wish;
use super::*;
use crate::domain::alias::AliasKind;
use crate::domain::codes::{
    Action, ConsentDecision, Direction, Purpose, ReferralStatus, Role, WithdrawalScope,
};
use crate::domain::consent::Opens;
use crate::domain::decision::Aggregate;
use crate::domain::person::{RawSafeContact, SafeContact, resolve};
use crate::domain::referral::Referral;
use crate::domain::restoration::Copied;

fn wish(scope: WithdrawalScope) -> Wish {
    Wish {
        scope,
        organisations: Vec::new(),
        classes: Vec::new(),
        purposes: match scope {
            WithdrawalScope::Purpose => vec![Purpose::PriorAssessment],
            _ => Vec::new(),
        },
        channel: "telephone".to_owned(),
        pause: false,
    }
}

fn admin(at: &str) -> Attempt {
    let mut attempt = attempt(at, Action::Reconcile);
    attempt.role = Role::OrgAdmin;
    attempt.purpose = Purpose::Administration;
    attempt
}

fn hand_in(town: &mut Town, at: &str, kept: &[u8]) -> Done {
    let opened = Counterfoil::open(&Rules::for_tests().keys.counterfoil, kept);
    town.run(admin(at), |rules, attempt, known, keys| {
        take_again(rules, attempt, known, keys, opened.as_ref())
    })
}

fn say(town: &mut Town, at: &str, complete: bool, head: Option<Shown>) -> Done {
    let statement = Statement { complete, head };
    town.run(admin(at), |rules, attempt, known, keys| {
        state(rules, attempt, known, keys, statement)
    })
}

/// Puts the copy back, and begins to collect as a starting gateway does.
fn restore(town: &mut Town, copy: &Town) {
    town.restore(copy);
    let copied = Copied {
        leaves: 7,
        since: copy.now.coarse(),
        acknowledged: 9,
    };
    let restoration = begun(&town.known(), copied, town.now);
    town.put(
        Aggregate::Settings,
        singleton("restoration"),
        &Record::Restoration(restoration),
    );
}

fn all_say_complete(town: &mut Town) {
    for organisation in town.known().restoration.unwrap().waiting {
        say(town, organisation.as_str(), true, None);
    }
    assert!(!town.known().restoration.unwrap().open());
}

fn ask(town: &mut Town, names: Names<'_>) -> &'static str {
    let question = Query {
        subject: Subject::Tokens(tokens(names), None),
        step: Step::Cards,
        consent: None,
        onward_rule_accepted: true,
        card_code: None,
    };
    let done = town.run(
        attempt("lantern", Action::QueryAssessments),
        |rules, attempt, known, keys| querying::query(rules, attempt, known, keys, &question),
    );
    done.answer.told()
}

fn read(town: &mut Town, alias: Id) -> &'static str {
    let done = town.run(
        attempt("lantern", Action::ReadReferral),
        |rules, attempt, known, keys| {
            answering::respond(rules, attempt, known, keys, alias, &Response::Read)
        },
    );
    done.answer.told()
}

/// Assessed by the hospital, referred by police, accepted by the service, which has her consent
/// to ask.
fn served(town: &mut Town, names: Names<'_>) -> Id {
    let mut draft = draft(town.now, &["lantern"]);
    draft.card.assessed_at = town.now;
    town.assess("trust", names, &draft);
    let alias = town.accepted("lantern", names);
    let question = Query {
        subject: Subject::Referral(alias),
        step: Step::Cards,
        consent: Some(consent(Opens::Query, &[])),
        onward_rule_accepted: true,
        card_code: None,
    };
    let done = town.run(
        attempt("lantern", Action::QueryAssessments),
        |rules, attempt, known, keys| querying::query(rules, attempt, known, keys, &question),
    );
    assert_eq!(done.answer.told(), "assessments");
    alias
}

fn later(town: &mut Town) {
    town.now = town.now.plus_hours(1);
}

fn referral(town: &Town, organisation: &str, alias: Id) -> Referral {
    let rules = &Rules::for_tests();
    let id = rules
        .aliases_of(&org(organisation))
        .inward(AliasKind::Referral, alias);
    let known = town.known();
    let mut found = known.referrals.values();
    found.find(|one| one.id.id() == id).unwrap().clone()
}

#[test]
fn a_withdrawal_that_the_copy_has_forgotten_holds_again_as_it_did() {
    let mut town = Town::in_order();
    let accepted = served(&mut town, AMINA);
    let offered = town.refer("met", "harbour", AMINA, Direction::Police);
    let copy = town.copy();
    later(&mut town);
    let everything = wish(WithdrawalScope::Everything);
    let kept = town.withdraw("council", AMINA, &everything).kept.unwrap();
    let withdrawn_at = town.now;
    later(&mut town);
    assert_eq!(ask(&mut town, AMINA), "nothing-to-show");

    restore(&mut town, &copy);
    assert_eq!(ask(&mut town, AMINA), "restoring");
    assert_eq!(ask(&mut town, BEATA), "restoring");
    assert_eq!(read(&mut town, accepted), "restoring");
    let done = hand_in(&mut town, "council", &kept);
    assert_eq!(done.answer.told(), "withdrawal-taken-again");
    assert!(!done.noted("known-already"));
    all_say_complete(&mut town);

    assert_eq!(ask(&mut town, AMINA), "nothing-to-show");
    assert_eq!(read(&mut town, accepted), "nothing-to-show");
    let pulled = referral(&town, "harbour", offered);
    assert_eq!(pulled.status, ReferralStatus::Withdrawn);
    let known = town.known();
    assert!(
        !known
            .parts
            .iter()
            .any(|part| part.of == Aggregate::Referral(pulled.id))
    );
    // At its own instant, and put down to the service that took it.
    assert!(known.tombstones.iter().all(|one| one.at == withdrawn_at));
    assert!(
        known
            .tombstones
            .iter()
            .all(|one| one.taken_by == org("council"))
    );
}

#[test]
fn handed_in_twice_or_known_to_the_copy_it_changes_nothing() {
    let mut town = Town::in_order();
    served(&mut town, AMINA);
    let everything = wish(WithdrawalScope::Everything);
    let known_to_it = town.withdraw("council", AMINA, &everything).kept.unwrap();
    later(&mut town);
    let copy = town.copy();
    later(&mut town);
    let forgotten = town.withdraw("trust", AMINA, &everything).kept.unwrap();
    restore(&mut town, &copy);

    let before = town.facts().clone();
    let done = hand_in(&mut town, "council", &known_to_it);
    assert!(done.noted("known-already"));
    assert_eq!(done.answer.told(), "withdrawal-taken-again");
    // The user who hands it in is new; nothing else is.
    let changed = |town: &Town| {
        let facts = town.facts().iter();
        let moved = facts.filter(|(place, bytes)| before.get(*place) != Some(*bytes));
        let people = moved.filter(|((of, _), _)| !matches!(of, Aggregate::User(..)));
        people.count()
    };
    assert_eq!(changed(&town), 0);
    assert!(!hand_in(&mut town, "trust", &forgotten).noted("known-already"));
    let after = town.facts().clone();
    // Whoever brings it.
    let done = hand_in(&mut town, "met", &forgotten);
    assert!(done.noted("known-already"));
    assert_eq!(done.answer.told(), "withdrawal-taken-again");
    let added = |(place, _): &(&(Aggregate, Id), _)| !matches!(place.0, Aggregate::User(..));
    assert_eq!(
        town.facts().iter().filter(added).collect::<Vec<_>>(),
        after.iter().filter(added).collect::<Vec<_>>()
    );
}

#[test]
fn what_this_gateway_never_gave_is_refused_exactly_and_changes_nothing() {
    let mut town = Town::in_order();
    served(&mut town, AMINA);
    let everything = wish(WithdrawalScope::Everything);
    let kept = town
        .copy()
        .withdraw("council", AMINA, &everything)
        .kept
        .unwrap();
    let mut tampered = kept.clone();
    tampered[40] ^= 1;
    let opened = Counterfoil::open(&Rules::for_tests().keys.counterfoil, &kept).unwrap();
    let of_another = opened.seal(&[99; 32], [1; 12]);
    for bad in [tampered.as_slice(), &of_another, b"garbage", b""] {
        let done = hand_in(&mut town, "council", bad);
        let Answer::Refused(Refusal::CheckYourAnswers(fields)) = &done.answer else {
            panic!("{}", done.answer.told());
        };
        assert_eq!(fields[0].field, "replay");
        assert_eq!(ask(&mut town, AMINA), "assessments");
    }
}

#[test]
fn it_is_for_those_who_govern_an_organisation() {
    let mut town = Town::in_order();
    let everything = wish(WithdrawalScope::Everything);
    let kept = town.withdraw("council", AMINA, &everything).kept.unwrap();
    let opened = Counterfoil::open(&Rules::for_tests().keys.counterfoil, &kept);
    let mut worker = admin("council");
    worker.role = Role::Housing;
    let done = town.run(worker, |rules, attempt, known, keys| {
        take_again(rules, attempt, known, keys, opened.as_ref())
    });
    assert_eq!(done.answer.told(), "role-not-allowed");
}

#[test]
fn a_person_whom_the_copy_does_not_know_is_stopped_when_she_arrives() {
    let mut town = Town::in_order();
    let copy = town.copy();
    later(&mut town);
    town.refer("met", "lantern", BEATA, Direction::Police);
    later(&mut town);
    let everything = wish(WithdrawalScope::Everything);
    let kept = town.withdraw("council", BEATA, &everything).kept.unwrap();
    restore(&mut town, &copy);
    hand_in(&mut town, "council", &kept);
    all_say_complete(&mut town);
    // The old referral is sent again, on the consent of then: `refer` dates it now.
    town.now = town.now.plus_millis(-1);
    let again = town.refer("met", "lantern", BEATA, Direction::Police);
    assert_eq!(
        referral(&town, "lantern", again).status,
        ReferralStatus::Withdrawn
    );
    assert_eq!(ask(&mut town, BEATA), "nothing-to-show");
}

#[test]
fn what_she_agreed_to_afterwards_goes_on_and_is_marked() {
    let mut town = Town::in_order();
    let copy = town.copy();
    later(&mut town);
    let everything = wish(WithdrawalScope::Everything);
    let kept = town.withdraw("council", AMINA, &everything).kept.unwrap();
    let withdrawn_at = town.now;
    later(&mut town);
    restore(&mut town, &copy);
    // While it is collected she consents anew, and an offer is made.
    let anew = town.refer("met", "lantern", AMINA, Direction::Police);
    assert_eq!(referral(&town, "lantern", anew).withdrew_on, None);
    hand_in(&mut town, "council", &kept);
    all_say_complete(&mut town);
    let offer = referral(&town, "lantern", anew);
    assert_eq!(offer.status, ReferralStatus::Offered);
    assert_eq!(offer.withdrew_on, Some(withdrawn_at));
    town.accept("lantern", anew);
}

/// A referral that she declined, and wants no later one either.
fn decline(town: &mut Town, names: Names<'_>) -> Done {
    let rules = Rules::for_tests();
    let today = rules.clock.date(town.now).unwrap();
    let (person, identity) = resolve(identity(names), &rules.tokens, today).ok().unwrap();
    let mut contact = RawSafeContact::default();
    contact.modes = vec!["phone".to_owned()];
    contact.number = Some("07700 900123".to_owned());
    contact.checked = true;
    let offered = town
        .copy()
        .refer("met", "lantern", names, Direction::Police);
    let mut like = town.copy();
    let like_alias = like.refer("met", "lantern", names, Direction::Police);
    assert_ne!(offered, Id::ZERO);
    let operational = referral(&like, "lantern", like_alias).operational;
    let mut refusal = consent(Opens::Share, &[]);
    refusal.decision = ConsentDecision::Deny;
    let offer = Offer {
        service: crate::domain::id::ServiceId::parse("lantern").unwrap(),
        operational,
        person,
        identity,
        safe_contact: SafeContact::parse(contact, town.now).ok(),
        other_party: None,
        beside: offering::Besides::default(),
        note: None,
        asides: Vec::new(),
        language: None,
        ground: OfferGround::Declined {
            consent: refusal,
            stop_future_offers: true,
        },
        agreed_timing: None,
        externals: Vec::new(),
        strict: false,
        left_behind: Vec::new(),
    };
    let done = town.run(
        attempt("met", Action::OfferReferral),
        |rules, attempt, known, keys| offering::offer(rules, attempt, known, keys, &offer),
    );
    assert_eq!(done.answer.told(), "declined-by-victim");
    done
}

#[test]
fn a_wish_for_no_later_offers_is_kept_and_holds_again() {
    let mut town = Town::in_order();
    let copy = town.copy();
    later(&mut town);
    let kept = decline(&mut town, AMINA).kept.unwrap();
    restore(&mut town, &copy);
    hand_in(&mut town, "met", &kept);
    all_say_complete(&mut town);
    town.now = town.now.plus_millis(-1);
    let offer = town.refer("met", "lantern", AMINA, Direction::Police);
    assert_eq!(
        referral(&town, "lantern", offer).status,
        ReferralStatus::Withdrawn
    );
}

#[test]
fn a_consent_taken_back_or_refused_holds_again() {
    let mut town = Town::in_order();
    served(&mut town, AMINA);
    let known = town.known();
    let (person, asked) = known
        .people
        .iter()
        .find_map(|(id, person)| {
            let mut consents = person.consents.iter();
            let asked = consents.find(|one| one.opens == Opens::Query)?;
            Some((*id, asked.clone()))
        })
        .unwrap();
    let copy = town.copy();
    later(&mut town);
    let names = Rules::for_tests().aliases_of(&org("lantern"));
    let person = names.outward(AliasKind::Person, person.id());
    let alias = names.outward(AliasKind::Consent, asked.id.id());
    let taken_back = town.run(
        attempt("lantern", Action::WithdrawConsent),
        |rules, attempt, known, keys| {
            consenting::withdraw(rules, attempt, known, keys, person, alias)
        },
    );
    assert_eq!(ask(&mut town, AMINA), "nothing-to-show");
    let mut no = consent(Opens::Query, &[]);
    no.decision = ConsentDecision::Deny;
    no.given_at = town.now;
    let mut other = town.copy();
    other.restore(&copy);
    let refused = other.run(
        attempt("lantern", Action::RecordConsent),
        |rules, attempt, known, keys| consenting::record(rules, attempt, known, keys, person, &no),
    );
    assert_eq!(ask(&mut other, AMINA), "nothing-to-show");

    for kept in [taken_back.kept.unwrap(), refused.kept.unwrap()] {
        restore(&mut town, &copy);
        assert!(!hand_in(&mut town, "lantern", &kept).noted("known-already"));
        assert!(hand_in(&mut town, "lantern", &kept).noted("known-already"));
        all_say_complete(&mut town);
        assert_eq!(ask(&mut town, AMINA), "nothing-to-show");
        later(&mut town);
    }
    // With an assessment too: her refusal to share outweighs what she allowed before.
    let mut again = draft(town.now, &["lantern"]);
    again.card.assessed_at = town.now;
    again.consents[0].decision = ConsentDecision::Deny;
    town.restore(&copy);
    let subject = Subject::Tokens(tokens(AMINA), None);
    let assessed = town.run(
        attempt("trust", Action::RecordAssessment),
        |rules, attempt, known, keys| {
            super::super::assessing::record(rules, attempt, known, keys, &subject, &again)
        },
    );
    assert_eq!(ask(&mut town, AMINA), "nothing-to-show");
    restore(&mut town, &copy);
    hand_in(&mut town, "trust", &assessed.kept.unwrap());
    all_say_complete(&mut town);
    assert_eq!(ask(&mut town, AMINA), "nothing-to-show");
    // Consent that was given is nothing to keep.
    let yes = consent(Opens::Query, &[]);
    let given = town.run(
        attempt("lantern", Action::RecordConsent),
        |rules, attempt, known, keys| consenting::record(rules, attempt, known, keys, person, &yes),
    );
    assert_eq!(given.kept, None);
}

#[test]
fn offers_that_their_sender_took_back_are_taken_back_again() {
    let mut town = Town::in_order();
    let offered = town.refer("met", "lantern", AMINA, Direction::Police);
    let id = referral(&town, "lantern", offered).id;
    let name = Rules::for_tests().external("met", "case 1");
    town.put(Aggregate::Token(name), id.id(), &Record::External(id));
    let copy = town.copy();
    let mut sender = attempt("met", Action::UpdateReferral);
    sender.purpose = Purpose::OnwardReferral;
    let done = town.run(sender, |rules, attempt, known, keys| {
        revoking::revoke(rules, attempt, known, keys, &[name])
    });
    assert_eq!(done.answer.told(), "nothing-to-show");
    let kept = done.kept.unwrap();
    restore(&mut town, &copy);
    assert_eq!(
        referral(&town, "lantern", offered).status,
        ReferralStatus::Offered
    );
    hand_in(&mut town, "met", &kept);
    let again = referral(&town, "lantern", offered);
    assert_eq!(again.status, ReferralStatus::Withdrawn);
    assert!(hand_in(&mut town, "met", &kept).noted("known-already"));
}

#[test]
fn a_reply_keeps_one_length_whatever_is_known_about_her() {
    let mut town = Town::in_order();
    served(&mut town, AMINA);
    let everything = wish(WithdrawalScope::Everything);
    let known = town.withdraw("council", AMINA, &everything).kept.unwrap();
    let unknown = town.withdraw("council", BEATA, &everything).kept.unwrap();
    assert_eq!(known.len(), unknown.len());
    let absent = Id::from_bytes([1; 16]);
    let nothing = town.run(
        attempt("lantern", Action::WithdrawConsent),
        |rules, attempt, known, keys| {
            consenting::withdraw(rules, attempt, known, keys, absent, Id::ZERO)
        },
    );
    assert_eq!(nothing.kept.unwrap().len(), known.len());
}

#[test]
fn it_ends_with_the_last_organisation_and_not_before() {
    let mut town = Town::in_order();
    served(&mut town, AMINA);
    let copy = town.copy();
    restore(&mut town, &copy);
    let waiting = town.known().restoration.unwrap().waiting;
    assert_eq!(waiting.len(), 6);
    for (done, organisation) in waiting.iter().enumerate() {
        assert_eq!(ask(&mut town, AMINA), "restoring", "{done}");
        let said = say(&mut town, organisation.as_str(), true, None);
        let Answer::Reconciling(collected) = said.answer else {
            panic!("{}", said.answer.told());
        };
        assert_eq!(collected.waits_for, 5 - done);
        assert_eq!(collected.open, done < 5);
    }
    assert_eq!(ask(&mut town, AMINA), "assessments");
    // Nobody is waited for any more, or twice.
    let said = say(&mut town, "met", true, None);
    assert_eq!(said.answer.told(), "check-your-answers");
}

#[test]
fn an_organisation_that_was_suspended_in_the_copy_is_not_waited_for_and_one_since_is() {
    let mut town = Town::in_order();
    let suspend = |town: &mut Town, name: &str| {
        let mut organisation = town.known().organisations[&org(name)].clone();
        organisation.suspended_at = Some(town.now);
        town.enrol(organisation);
    };
    suspend(&mut town, "council");
    let copy = town.copy();
    restore(&mut town, &copy);
    let waiting = town.known().restoration.unwrap().waiting;
    assert!(!waiting.contains(&org("council")));
    // One person's suspension does not end the waiting: that takes two organisations.
    suspend(&mut town, "met");
    assert!(town.known().restoration.unwrap().waits_for(&org("met")));
}

#[test]
fn a_head_that_proves_nothing_changes_nothing_and_is_noted() {
    let mut town = Town::in_order();
    served(&mut town, AMINA);
    for (shown, noted) in [
        (Shown::Older, "head-held"),
        (Shown::NotOurs, "head-of-another-log"),
    ] {
        let done = say(&mut town, "met", false, Some(shown));
        assert!(done.noted(noted), "{:?}", done.decided.notes);
        assert_eq!(ask(&mut town, AMINA), "assessments");
    }
    let copy = town.copy();
    restore(&mut town, &copy);
    let done = say(&mut town, "met", true, Some(Shown::NotOurs));
    assert!(matches!(
        done.answer,
        Answer::Reconciling(Collected {
            waits_for: 5,
            open: true,
            rolled_back: true,
        })
    ));
}

#[derive(Clone, Copy, Debug)]
enum Deed {
    Withdraw(bool, WithdrawalScope),
    Copy,
    Restore,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let scope = prop_oneof![
        Just(WithdrawalScope::Everything),
        Just(WithdrawalScope::Purpose),
    ];
    let deed = prop_oneof![
        4 => (any::<bool>(), scope).prop_map(|(who, scope)| Deed::Withdraw(who, scope)),
        2 => Just(Deed::Copy),
        2 => Just(Deed::Restore),
    ];
    prop::collection::vec(deed, 1..9)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever was withdrawn, copied, restored and handed in, in whatever order: nothing is shown
    /// while it is collected, and afterwards nothing that any withdrawal forbids, and all else.
    #[test]
    fn no_disclosure_that_any_withdrawal_forbids(deeds in deeds(), swapped: bool) {
        let mut town = Town::in_order();
        let women = [AMINA, BEATA];
        let referrals = women.map(|her| served(&mut town, her));
        let mut stopped = [(false, false); 2];
        // What the agencies keep, for ever.
        let mut kept: Vec<(When, Vec<u8>)> = Vec::new();
        let mut copy = town.copy();
        for deed in deeds {
            town.now = town.now.plus_millis(20_000);
            match deed {
                Deed::Withdraw(second, scope) => {
                    let who = usize::from(second);
                    let done = town.withdraw("council", women[who], &wish(scope));
                    kept.push((town.now, done.kept.unwrap()));
                    let (all, asking) = &mut stopped[who];
                    *all |= scope == WithdrawalScope::Everything;
                    *asking = true;
                }
                Deed::Copy => copy = town.copy(),
                Deed::Restore => {
                    restore(&mut town, &copy);
                    for (her, alias) in women.into_iter().zip(referrals) {
                        prop_assert_eq!(ask(&mut town, her), "restoring");
                        prop_assert_eq!(read(&mut town, alias), "restoring");
                    }
                    let since = town.known().restoration.unwrap().since;
                    let mut wanted: Vec<_> = kept.iter().filter(|one| one.0 >= since).collect();
                    if swapped {
                        wanted.reverse();
                    }
                    for (_, one) in wanted.iter().chain(wanted.first()) {
                        hand_in(&mut town, "council", one);
                    }
                    all_say_complete(&mut town);
                }
            }
            for (who, her) in women.into_iter().enumerate() {
                let (all, asking) = stopped[who];
                let told = if asking { "nothing-to-show" } else { "assessments" };
                prop_assert_eq!(ask(&mut town, her), told);
                let told = if all { "nothing-to-show" } else { "released" };
                prop_assert_eq!(read(&mut town, referrals[who]), told);
            }
        }
    }
}
