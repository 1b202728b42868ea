//! She moves: what each side sees and does not see, and what ends by itself (3.3).

mod handed_back;
mod news;
mod pauses;
mod stops;

use super::super::answering::{self, Response};
use super::super::reading;
use super::super::trial::*;
use super::super::withdrawing::Wish;
use super::*;
use crate::domain::codes::{
    Action, DeclineReason, Direction, Grade, Instrument, Purpose, WithdrawalScope,
};
use crate::domain::decision::Listed;
use crate::domain::id::OrgId;
use crate::domain::person::{RawSafeContact, resolve};
use crate::domain::ruling::Ruled;
use crate::domain::watch::RuleCode;

const HACKNEY: &str = "E09000012";

fn moving(town: &Town, names: Names<'_>, family: ServiceFamily, mode: TransferMode) -> Move {
    let rules = Rules::for_tests();
    let today = rules.clock.date(town.now).unwrap();
    let (person, identity) = resolve(identity(names), &rules.tokens, today).ok().unwrap();
    let mut contact = RawSafeContact::default();
    contact.modes = vec!["phone".to_owned()];
    contact.number = Some("07700 900777".to_owned());
    contact.checked = true;
    let mut asked = consent(Opens::Share, &[]);
    asked.classes = MOVED_CLASSES.to_vec();
    asked.purposes = vec![REFERRAL_PURPOSE];
    asked.given_at = town.now;
    Move {
        area: HACKNEY.to_owned(),
        family,
        mode,
        until: (mode == TransferMode::KeepBoth).then(|| town.now.plus_days(10)),
        person,
        identity,
        contact: SafeContact::parse(contact, town.now).ok().unwrap(),
        language: None,
        consent: asked,
        needs: None,
        urgency: None,
        risks: vec![RiskSummary {
            instrument: Instrument::Dara,
            grade: Grade::High,
            assessed_at: town.now,
        }],
        adjustments: vec![Adjustment::MoreTime],
    }
}

fn asks(town: &mut Town, at: &str, alias: Id, moving: &Move) -> Done {
    let attempt = attempt(at, Action::TransferReferral);
    town.run(attempt, |rules, attempt, known, keys| {
        transfer(rules, attempt, known, keys, alias, moving)
    })
}

fn responds(town: &mut Town, at: &str, action: Action, alias: Id, response: &Response) -> Done {
    let attempt = attempt(at, action);
    town.run(attempt, |rules, attempt, known, keys| {
        answering::respond(rules, attempt, known, keys, alias, response)
    })
}

fn reads(town: &mut Town, at: &str, alias: Id) -> Done {
    responds(town, at, Action::ReadReferral, alias, &Response::Read)
}

fn accepts(town: &mut Town, at: &str, alias: Id, no_conflict: bool) -> Done {
    let response = Response::Accept {
        worker: "worker".to_owned(),
        onward_rule_accepted: true,
        no_conflict,
    };
    responds(town, at, Action::AcceptReferral, alias, &response)
}

fn declines(town: &mut Town, at: &str, alias: Id, reason: DeclineReason) -> Done {
    let response = Response::Decline { reason };
    responds(town, at, Action::DeclineReferral, alias, &response)
}

/// The offer that a transfer made, and its name at whoever is asked now.
fn offered(town: &Town) -> (Referral, Id) {
    let known = town.known();
    let mut made = known.referrals.values().filter(|one| one.route.is_some());
    let referral = made.next_back().unwrap().clone();
    let aliases = town.rules.aliases_of(&referral.recipient);
    let alias = aliases.outward(AliasKind::Referral, referral.id.id());
    (referral, alias)
}

/// What the service that handed her over keeps.
fn origin(town: &Town) -> Referral {
    let known = town.known();
    let mut found = known
        .referrals
        .values()
        .filter(|one| one.handover.is_some());
    found.next().unwrap().clone()
}

/// What the gateway does by its clock.
fn moved_on(town: &mut Town) -> Vec<Write> {
    let known = town.known();
    let entries: Vec<Listed> = known
        .referrals
        .values()
        .filter(|one| one.route.is_some() || one.handover.is_some())
        .map(|one| Listed {
            at: 0,
            index: 1,
            item: one.id.id(),
        })
        .collect();
    let now = town.now;
    let mut writes = Vec::new();
    town.run(
        attempt("met", Action::Unknown),
        |rules, attempt, known, keys| {
            let of = Due {
                now,
                entries: &entries,
            };
            let made = due(rules, now, &attempt.entropy, keys, known, &of)?;
            let decision: Decision<Ruled> = made.unwrap();
            writes.clone_from(&decision.writes);
            Ok(decision)
        },
    );
    writes
}

/// The same: whose events say so.
fn passes_on(town: &mut Town) -> Vec<String> {
    let writes = moved_on(town).into_iter();
    let told = writes.filter_map(|write| match write {
        Write::List {
            list: List::Events(of),
            ..
        } => Some(of.as_str().to_owned()),
        _ => None,
    });
    told.collect()
}

const REFUGE: ServiceFamily = ServiceFamily::Accommodation;

#[test]
fn a_service_there_accepts_her_and_the_first_is_told_that_it_has_ended() {
    let mut town = Town::in_order();
    let alias = town.accepted("lantern", AMINA);
    let moving = moving(&town, AMINA, REFUGE, TransferMode::HandOver);
    let asked = asks(&mut town, "lantern", alias, &moving);
    assert_eq!(asked.answer.told(), "transfer-waits");
    // Still its own until somebody has accepted her.
    assert_eq!(reads(&mut town, "lantern", alias).answer.told(), "released");

    let (offer, there) = offered(&town);
    assert_eq!(offer.recipient, org("harbour"));
    assert_eq!(offer.operational.direction, Direction::Transfer);
    let said = accepts(&mut town, "harbour", there, true);
    let Answer::Released(_, release) = &said.answer else {
        panic!("{}", said.answer.told());
    };
    let classes: Vec<DataClass> = release
        .value()
        .parts
        .iter()
        .map(|part| part.class)
        .collect();
    for class in [DataClass::Id, DataClass::Loc, DataClass::Sp] {
        assert!(classes.contains(&class), "{class:?}");
    }
    let ended = reads(&mut town, "lantern", alias);
    assert_eq!(ended.answer.told(), "transferred");
    assert!(ended.decided.disclosed.is_empty());
    // The keys of what it had are gone.
    let known = town.known();
    let of = Aggregate::Referral(origin(&town).id);
    assert!(known.parts.iter().all(|part| part.of != of));
}

#[test]
fn no_entry_of_the_service_that_accepts_reaches_the_officer_of_the_first() {
    let mut town = Town::in_order();
    let alias = town.accepted("lantern", AMINA);
    let moving = moving(&town, AMINA, REFUGE, TransferMode::HandOver);
    asks(&mut town, "lantern", alias, &moving);
    let (_, there) = offered(&town);
    for done in [
        accepts(&mut town, "harbour", there, true),
        reads(&mut town, "harbour", there),
    ] {
        assert!(!done.decided.concerned.contains(&org("lantern")));
    }
}

#[test]
fn the_question_about_a_link_is_answered_before_she_is_accepted() {
    let mut town = Town::in_order();
    let alias = town.accepted("lantern", AMINA);
    let moving = moving(&town, AMINA, REFUGE, TransferMode::HandOver);
    asks(&mut town, "lantern", alias, &moving);
    let (_, there) = offered(&town);
    let unsaid = accepts(&mut town, "harbour", there, false);
    assert_eq!(unsaid.answer.told(), "check-your-answers");
    assert_eq!(offered(&town).0.status, ReferralStatus::Offered);
}

#[test]
fn a_service_that_declines_is_followed_by_the_next_and_nobody_is_told_why() {
    let mut seen = Vec::new();
    for reason in [DeclineReason::Conflict, DeclineReason::Full] {
        let mut town = Town::in_order();
        let alias = town.accepted("lantern", AMINA);
        let family = ServiceFamily::Community;
        let moving = moving(&town, AMINA, family, TransferMode::HandOver);
        asks(&mut town, "lantern", alias, &moving);
        let mut asked = Vec::new();
        let mut told = Vec::new();
        while offered(&town).0.open() {
            let (offer, there) = offered(&town);
            let at = offer.recipient.as_str().to_owned();
            assert!(!asked.contains(&at), "{at} is asked twice");
            let said = declines(&mut town, &at, there, reason);
            assert_eq!(said.answer.told(), "declined");
            assert!(!said.decided.concerned.contains(&org("lantern")));
            // It is not its any more.
            let again = accepts(&mut town, &at, there, true);
            assert_ne!(again.answer.told(), "released");
            asked.push(at);
            let first = reads(&mut town, "lantern", alias);
            told.push((first.answer.told(), origin(&town).handover.unwrap().waits()));
        }
        asked.sort();
        assert_eq!(asked, ["council", "practice"]);
        assert_eq!(told, [("released", true); 2]);
        // Nothing of her is left in the offer.
        let of = Aggregate::Referral(offered(&town).0.id);
        assert!(town.known().parts.iter().all(|part| part.of != of));
        seen.push(told);
    }
    assert_eq!(seen[0], seen[1]);
}

#[test]
fn two_areas_a_day_and_no_more() {
    let mut town = Town::in_order();
    let alias = town.accepted("lantern", AMINA);
    for area in ["E09000012", "E09000033"] {
        let mut moving = moving(&town, AMINA, REFUGE, TransferMode::HandOver);
        moving.area = area.to_owned();
        let asked = asks(&mut town, "lantern", alias, &moving);
        assert!(!asked.limited);
    }
    let third = moving(&town, AMINA, REFUGE, TransferMode::HandOver);
    assert!(asks(&mut town, "lantern", alias, &third).limited);
    // The earlier request has given way, with its keys.
    let known = town.known();
    let open = known
        .referrals
        .values()
        .filter(|one| one.route.is_some() && one.open());
    assert_eq!(open.count(), 1);
    town.now = town.now.plus_days(1);
    let tomorrow = moving(&town, AMINA, REFUGE, TransferMode::HandOver);
    assert!(!asks(&mut town, "lantern", alias, &tomorrow).limited);
}

#[test]
fn both_work_with_her_until_the_date_and_a_read_afterwards_is_noticed() {
    let mut town = Town::in_order();
    let alias = town.accepted("lantern", AMINA);
    let moving = moving(&town, AMINA, REFUGE, TransferMode::KeepBoth);
    let until = moving.until.unwrap();
    asks(&mut town, "lantern", alias, &moving);
    let (_, there) = offered(&town);
    accepts(&mut town, "harbour", there, true);
    town.now = until.plus_millis(-1);
    assert_eq!(reads(&mut town, "lantern", alias).answer.told(), "released");
    assert_eq!(
        origin(&town).sender_status(town.now).code(),
        "with_a_service"
    );
    let noticed = |town: &Town| {
        let queue = town.queue("lantern");
        queue
            .iter()
            .any(|item| item.rule == RuleCode::AfterTransfer)
    };
    assert!(!noticed(&town));
    town.now = until;
    assert_eq!(
        reads(&mut town, "lantern", alias).answer.told(),
        "transferred"
    );
    assert!(noticed(&town));
    assert_eq!(origin(&town).sender_status(town.now).code(), "closed");
    // No clock moved it: the record is as it was, and what is left of it goes with the next look.
    assert_eq!(origin(&town).status, ReferralStatus::Accepted);
    passes_on(&mut town);
    assert_eq!(origin(&town).status, ReferralStatus::Closed);
    let of = Aggregate::Referral(origin(&town).id);
    assert!(town.known().parts.iter().all(|part| part.of != of));
}

#[test]
fn without_an_answer_in_a_working_day_both_are_told_and_the_next_is_asked() {
    let mut town = Town::in_order();
    let alias = town.accepted("lantern", AMINA);
    let moving = moving(
        &town,
        AMINA,
        ServiceFamily::Community,
        TransferMode::HandOver,
    );
    asks(&mut town, "lantern", alias, &moving);
    let (first, there) = offered(&town);
    town.now = first.route.as_ref().unwrap().answer_by.plus_millis(-1);
    assert!(passes_on(&mut town).is_empty());
    town.now = town.now.plus_millis(1);
    let told = passes_on(&mut town);
    let (second, _) = offered(&town);
    assert_ne!(second.recipient, first.recipient);
    for of in [&first.recipient, &second.recipient, &org("lantern")] {
        assert!(told.iter().any(|told| told == of.as_str()), "{told:?}");
    }
    // Identity is never released on an offer that has gone on.
    let late = accepts(&mut town, first.recipient.as_str(), there, true);
    assert_eq!(late.answer.told(), "nothing-to-show");
    // The last one keeps it: there is nobody after it.
    town.now = second.route.as_ref().unwrap().answer_by;
    passes_on(&mut town);
    assert_eq!(offered(&town).0.recipient, second.recipient);
    assert!(offered(&town).0.open());
}

fn stops(service: &OrgId, pause: bool) -> Wish {
    Wish {
        scope: WithdrawalScope::Service,
        organisations: vec![service.clone()],
        pause,
        ..everything()
    }
}

#[test]
fn a_service_that_she_stopped_meanwhile_is_not_asked_next() {
    for (by_clock, pause) in [(false, false), (false, true), (true, false)] {
        let mut town = Town::in_order();
        let alias = town.accepted("lantern", AMINA);
        let family = ServiceFamily::Community;
        let moving = moving(&town, AMINA, family, TransferMode::HandOver);
        asks(&mut town, "lantern", alias, &moving);
        let (first, there) = offered(&town);
        let all = [org("council"), org("practice")];
        let other = all.iter().find(|one| **one != first.recipient).unwrap();
        town.now = town.now.plus_hours(1);
        town.withdraw("harbour", AMINA, &stops(other, pause));
        if by_clock {
            town.now = first.route.unwrap().answer_by;
            passes_on(&mut town);
            // There is nobody after it.
            assert!(offered(&town).0.open());
        } else {
            let reason = DeclineReason::Full;
            declines(&mut town, first.recipient.as_str(), there, reason);
            assert!(!offered(&town).0.open());
        }
        assert_eq!(offered(&town).0.recipient, first.recipient);
    }
}

#[test]
fn a_pause_holds_the_clock_back_and_no_longer_than_it_lasts() {
    let mut town = Town::in_order();
    let alias = town.accepted("lantern", AMINA);
    let family = ServiceFamily::Community;
    let moving = moving(&town, AMINA, family, TransferMode::HandOver);
    asks(&mut town, "lantern", alias, &moving);
    let (first, _) = offered(&town);
    town.now = first.route.as_ref().unwrap().answer_by.plus_hours(-1);
    town.withdraw("harbour", AMINA, &stops(&first.recipient, true));
    let ends = town.now.plus_hours(crate::domain::stop_use::PAUSE_HOURS);
    town.now = town.now.plus_hours(1);
    let again = ends.place();
    assert!(moved_on(&mut town).iter().any(|write| matches!(
        write,
        Write::List { list: List::TransfersDue, at, item } if *at == again && *item == first.id.id()
    )));
    assert_eq!(offered(&town).0.recipient, first.recipient);
    town.now = ends;
    passes_on(&mut town);
    assert_ne!(offered(&town).0.recipient, first.recipient);
}

#[test]
fn an_earlier_request_gives_way_also_where_a_pause_stands_in_its_way() {
    let mut town = Town::in_order();
    let alias = town.accepted("lantern", AMINA);
    let first = moving(&town, AMINA, REFUGE, TransferMode::HandOver);
    asks(&mut town, "lantern", alias, &first);
    let earlier = offered(&town).0.id;
    town.now = town.now.plus_hours(1);
    town.withdraw("practice", AMINA, &stops(&org("harbour"), true));
    town.now = town.now.plus_hours(1);
    let second = moving(&town, AMINA, REFUGE, TransferMode::HandOver);
    asks(&mut town, "lantern", alias, &second);
    town.now = town.now.plus_days(4);
    let known = town.known();
    assert_eq!(known.referrals[&earlier].status, ReferralStatus::Expired);
    let of = Aggregate::Referral(earlier);
    assert!(known.parts.iter().all(|part| part.of != of));
}

#[test]
fn which_area_was_picked_is_forgotten() {
    let mut town = Town::in_order();
    let alias = town.accepted("lantern", AMINA);
    let moving = moving(&town, AMINA, REFUGE, TransferMode::HandOver);
    asks(&mut town, "lantern", alias, &moving);
    town.now = start().plus_days(29);
    passes_on(&mut town);
    assert_eq!(
        origin(&town).handover.unwrap().area.as_deref(),
        Some(HACKNEY)
    );
    town.now = start().plus_days(30);
    passes_on(&mut town);
    assert_eq!(origin(&town).handover.unwrap().area, None);
}

#[test]
fn her_word_is_asked_for_anew_and_is_hers() {
    let mut town = Town::in_order();
    let alias = town.accepted("lantern", AMINA);
    let accepted_at = town.now;
    town.now = town.now.plus_days(2);
    let good = |town: &Town| moving(town, AMINA, REFUGE, TransferMode::HandOver);
    let mut older = good(&town);
    older.consent.given_at = accepted_at.plus_millis(-1);
    let mut stale = good(&town);
    stale.consent.given_at = town.now.plus_days(-7);
    for asked in [older, stale] {
        let said = asks(&mut town, "lantern", alias, &asked);
        assert_eq!(said.answer.told(), "check-your-answers");
    }
    let mut implied = good(&town);
    implied.consent.strength = ConsentStrength::Implied;
    let mut refused = good(&town);
    refused.consent.decision = ConsentDecision::Deny;
    let mut through_a_relative = good(&town);
    through_a_relative.consent.interpreter = Interpreter::Family;
    let mut narrow = good(&town);
    narrow.consent.classes = vec![DataClass::Op, DataClass::Id];
    for asked in [implied, refused, through_a_relative, narrow] {
        let said = asks(&mut town, "lantern", alias, &asked);
        assert_eq!(said.answer.told(), "consent-needed");
    }
    assert!(origin_is_untouched(&town));
}

fn origin_is_untouched(town: &Town) -> bool {
    let known = town.known();
    known
        .referrals
        .values()
        .all(|one| one.handover.is_none() && one.route.is_none())
}

#[test]
fn another_womans_identity_goes_nowhere() {
    let mut town = Town::in_order();
    let alias = town.accepted("lantern", AMINA);
    let other = moving(&town, BEATA, REFUGE, TransferMode::HandOver);
    let said = asks(&mut town, "lantern", alias, &other);
    assert_eq!(said.answer.told(), "check-your-answers");
    assert!(origin_is_untouched(&town));
}

#[test]
fn out_of_england_and_wales_it_says_what_to_do_by_hand() {
    let mut town = Town::in_order();
    let alias = town.accepted("lantern", AMINA);
    for (area, word) in [("S12000036", "Scotland"), ("SW9 8JX", "never an address")] {
        let mut away = moving(&town, AMINA, REFUGE, TransferMode::HandOver);
        away.area = area.to_owned();
        let said = asks(&mut town, "lantern", alias, &away);
        let Answer::Refused(Refusal::CheckYourAnswers(wrong)) = &said.answer else {
            panic!("{}", said.answer.told());
        };
        assert!(wrong[0].message.contains(word), "{}", wrong[0].message);
    }
}

#[test]
fn an_unknown_referral_anothers_and_one_that_she_stopped_are_nothing() {
    let mut town = Town::in_order();
    let alias = town.accepted("lantern", AMINA);
    let moving = moving(&town, AMINA, REFUGE, TransferMode::HandOver);
    let unknown = asks(&mut town, "lantern", Id::from_bytes([7; 16]), &moving);
    assert_eq!(unknown.answer.told(), "nothing-to-show");
    let anothers = asks(&mut town, "council", alias, &moving);
    assert_eq!(anothers.answer.told(), "nothing-to-show");
    town.withdraw("practice", AMINA, &everything());
    let stopped = asks(&mut town, "lantern", alias, &moving);
    assert_eq!(stopped.answer.told(), "nothing-to-show");
}

fn everything() -> Wish {
    Wish {
        scope: WithdrawalScope::Everything,
        organisations: Vec::new(),
        classes: Vec::new(),
        purposes: Vec::new(),
        channel: "telephone".to_owned(),
        pause: false,
    }
}

#[test]
fn her_no_pulls_an_offer_that_a_transfer_made_and_the_first_sees_no_difference() {
    let mut town = Town::in_order();
    let alias = town.accepted("lantern", AMINA);
    let mut moving = moving(&town, AMINA, REFUGE, TransferMode::Close);
    moving.until = None;
    asks(&mut town, "lantern", alias, &moving);
    let before = reads(&mut town, "lantern", alias).answer.told();
    let (_, there) = offered(&town);
    town.now = town.now.plus_hours(1);
    town.withdraw("practice", AMINA, &everything());
    assert_eq!(offered(&town).0.status, ReferralStatus::Withdrawn);
    let late = accepts(&mut town, "harbour", there, true);
    assert_eq!(late.answer.told(), "nothing-to-show");
    assert_eq!(reads(&mut town, "lantern", alias).answer.told(), before);
}

#[test]
fn its_sender_reads_the_three_words_and_no_more() {
    let mut town = Town::in_order();
    let alias = town.accepted("lantern", AMINA);
    let moving = moving(&town, AMINA, REFUGE, TransferMode::HandOver);
    asks(&mut town, "lantern", alias, &moving);
    let (_, there) = offered(&town);
    let status = |town: &mut Town| {
        let sent = origin(town).id.id();
        let theirs = town.rules.aliases_of(&org("met"));
        let theirs = theirs.outward(AliasKind::Referral, sent);
        let mut attempt = attempt("met", Action::ReadReferralStatus);
        attempt.purpose = Purpose::OnwardReferral;
        let done = town.run(attempt, |rules, attempt, known, keys| {
            reading::referral(rules, attempt, known, keys, theirs, &reading::Ask::Status)
        });
        match done.answer {
            Answer::Status(seen) => (seen.status.code(), seen.updates.len()),
            other => panic!("{}", other.told()),
        }
    };
    assert_eq!(status(&mut town), ("with_a_service", 0));
    accepts(&mut town, "harbour", there, true);
    assert_eq!(status(&mut town), ("closed", 0));
}
