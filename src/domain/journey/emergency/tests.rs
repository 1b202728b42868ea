//! What breaking the glass promises (3.6).

use super::super::answering::{self, Response};
use super::super::trial::*;
use super::super::withdrawing::Wish;
use super::following_up::{self, Due, Said};
use super::*;
use crate::domain::alias::AliasKind;
use crate::domain::assessment::Item;
use crate::domain::assessment::{EmergencyCard, SafetyCard};
use crate::domain::attempt::Entropy;
use crate::domain::audit::Severity;
use crate::domain::codes::Direction;
use crate::domain::codes::{
    Action, AskedAfterwards, EmergencyAct, Instrument, ItemAnswer, Role, WithdrawalScope,
};
use crate::domain::decision::PartRef;
use crate::domain::emergency::{Emergency, REPORTS_MAX};
use crate::domain::id::EmergencyId;
use crate::domain::seal::{ItemKey, Slot};
use crate::domain::watch::RuleCode;

const NHS_ONLY: Names<'static> = ["", "Khan", "", "9990000018", "", ""];
const NOBODY: Names<'static> = ["Cleo", "Adu", "1979-03-03", "9990000034", "", ""];

fn glass(names: Names<'_>) -> Glass {
    Glass {
        subject: Subject::Tokens(tokens(names), None),
        reason: EmergencyReason::CannotConsent,
        words: words(40),
        on_shift: true,
        confirm: true,
        onward_rule_accepted: true,
    }
}

fn words(chars: usize) -> Unread {
    Unread::new("text", "x".repeat(chars))
}

fn break_it(town: &mut Town, at: &str, glass: &Glass) -> Done {
    town.run(
        attempt(at, Action::BreakGlass),
        |rules, attempt, known, keys| break_glass(rules, attempt, known, keys, glass),
    )
}

/// The refuge assessed her; the service works with her; the hospital knows nothing.
fn held() -> Town {
    let mut town = Town::in_order();
    town.assess("harbour", AMINA, &draft(start(), &[]));
    town.accepted("lantern", AMINA);
    town
}

fn parts_of(done: &Done) -> &[PartRef] {
    match &done.answer {
        Answer::Emergency(_, _, release) => &release.value().parts,
        _ => &[],
    }
}

#[test]
fn it_opens_the_emergency_view_and_nothing_else() {
    let mut town = held();
    let done = break_it(&mut town, "trust", &glass(NHS_ONLY));
    let Answer::Emergency(assessments, lines, _) = &done.answer else {
        panic!("{} {:?}", done.answer.told(), done.decided.notes);
    };
    assert_eq!(assessments.len(), 1);
    assert_eq!(
        lines,
        &["a specialist service, day and night: 0808 157 0000"]
    );
    let mut classes: Vec<DataClass> = parts_of(&done).iter().map(|part| part.class).collect();
    classes.sort_unstable();
    assert_eq!(classes, [DataClass::Loc, DataClass::Sp]);
    for part in parts_of(&done) {
        let plain = town.plain(part);
        match part.class {
            DataClass::Loc => {
                let card = SafetyCard::decode(plain).ok().unwrap();
                assert_eq!(card.safe_person.as_deref(), Some("her sister"));
            }
            _ => {
                let card = EmergencyCard::decode(plain).ok().unwrap();
                assert_eq!(card.grade.code(), "high");
            }
        }
    }
    assert_eq!(done.decided.disclosed, ["op", "loc", "sp"]);
}

#[test]
fn who_will_be_told_is_confirmed_first_in_the_same_words_for_everyone() {
    let mut told = Vec::new();
    for names in [AMINA, NOBODY] {
        let mut town = held();
        let mut first = glass(names);
        first.confirm = false;
        let done = break_it(&mut town, "trust", &first);
        let Answer::Refused(refusal @ Refusal::ConfirmEmergency { told: words, .. }) = &done.answer
        else {
            panic!("{}", done.answer.told());
        };
        assert_eq!(refusal.status(), 428);
        assert!(town.queue("trust").is_empty() && done.decided.concerned.is_empty());
        told.push(words.clone());
    }
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0], TOLD);
    assert!(told[0].iter().all(|word| !word.contains("harbour")));
}

#[test]
fn found_or_not_it_is_logged_counted_and_told_alike() {
    for (names, word, concerned) in [
        (AMINA, "emergency-view", vec!["harbour", "lantern"]),
        (NOBODY, "nothing-to-show", vec![]),
    ] {
        let mut town = held();
        let done = break_it(&mut town, "trust", &glass(names));
        assert_eq!(done.answer.told(), word);
        let mut seen: Vec<&str> = done.decided.concerned.iter().map(OrgId::as_str).collect();
        seen.sort_unstable();
        assert_eq!(seen, concerned);
        for told in ["trust", "reviewer"] {
            let [item] = town.queue(told).try_into().unwrap();
            assert_eq!(item.rule, RuleCode::GlassBroken);
            assert_eq!(item.severity, Severity::Amber);
            assert_eq!(item.due, town.now.plus_hours(72));
            assert_eq!(item.user, "worker");
        }
        assert_eq!(town.queue("harbour").len(), usize::from(names == AMINA));
        // Police sent the referral; an alert would tell them where she is.
        assert!(town.queue("met").is_empty());
    }
}

#[test]
fn a_tainted_team_sees_nothing_and_is_reported() {
    let mut town = held();
    town.taint("trust");
    let done = break_it(&mut town, "trust", &glass(AMINA));
    assert!(matches!(done.answer, Answer::Nothing));
    assert_eq!(town.queue("trust").len(), 1);
}

#[test]
fn only_the_senior_of_a_hospital_on_shift_with_a_reason() {
    let mut town = held();
    let mut short = glass(AMINA);
    short.words = words(19);
    assert_eq!(
        break_it(&mut town, "trust", &short).answer.told(),
        "check-your-answers"
    );
    let mut off = glass(AMINA);
    off.on_shift = false;
    assert_eq!(
        break_it(&mut town, "trust", &off).answer.told(),
        "check-your-answers"
    );
    for at in ["met", "practice", "lantern", "council"] {
        for names in [AMINA, NOBODY] {
            let done = break_it(&mut town, at, &glass(names));
            assert_eq!(done.answer.told(), "role-not-allowed", "{at}");
        }
    }
    let mut nurse = attempt("trust", Action::BreakGlass);
    nurse.role = Role::Clinician;
    let done = town.run(nurse, |rules, attempt, known, keys| {
        break_glass(rules, attempt, known, keys, &glass(AMINA))
    });
    assert_eq!(done.answer.told(), "role-not-allowed");
    assert!(town.queue("trust").is_empty() && town.queue("harbour").is_empty());
}

#[test]
fn what_she_stopped_since_is_not_opened() {
    let mut town = held();
    town.now = town.now.plus_hours(1);
    let wish = Wish {
        scope: WithdrawalScope::Everything,
        organisations: Vec::new(),
        classes: Vec::new(),
        purposes: Vec::new(),
        channel: "telephone".to_owned(),
        pause: false,
    };
    town.withdraw("council", AMINA, &wish);
    let done = break_it(&mut town, "trust", &glass(AMINA));
    assert!(matches!(done.answer, Answer::Nothing));
    assert_eq!(town.queue("harbour").len(), 1, "it is told all the same");
    // What she told after that is.
    town.now = town.now.plus_hours(1);
    town.assess("harbour", AMINA, &draft(town.now, &[]));
    let done = break_it(&mut town, "trust", &glass(AMINA));
    assert_eq!(parts_of(&done).len(), 2);
}

#[test]
fn the_newest_of_each_source_and_never_one_out_of_date() {
    let mut town = Town::in_order();
    let mut old = draft(start(), &[]);
    old.card.grade = crate::domain::codes::Grade::Standard;
    town.assess("harbour", AMINA, &old);
    town.now = town.now.plus_hours(1);
    let mut newer = draft(town.now, &[]);
    newer.safety = SafetyCard::default();
    town.assess("harbour", AMINA, &newer);
    let mut ended = draft(town.now, &[]);
    ended.valid_until = Some(town.now);
    town.assess("council", AMINA, &ended);
    let done = break_it(&mut town, "trust", &glass(AMINA));
    let risks: Vec<&str> = parts_of(&done)
        .iter()
        .filter(|part| part.class == DataClass::Sp)
        .map(|part| {
            EmergencyCard::decode(town.plain(part))
                .ok()
                .unwrap()
                .grade
                .code()
        })
        .collect();
    assert_eq!(risks, ["high"]);
    assert_eq!(
        parts_of(&done).len(),
        2,
        "who is safe is still known from the older one"
    );
}

#[test]
fn three_people_in_half_a_day_found_or_not() {
    let mut town = held();
    for names in [AMINA, BEATA, NOBODY, AMINA] {
        assert!(!break_it(&mut town, "trust", &glass(names)).limited);
    }
    let fourth: Names<'_> = ["Dina", "Ito", "1970-01-01", "9990000042", "", ""];
    assert!(break_it(&mut town, "trust", &glass(fourth)).limited);
    town.now = town.now.plus_hours(12);
    assert!(!break_it(&mut town, "trust", &glass(fourth)).limited);
}

/// The service speaks Urdu with her, and the gateway keeps that.
fn spoken_with() -> Town {
    let mut town = held();
    let mut offer = town.offer("lantern", AMINA, Direction::Police);
    offer.language = Some("ur".to_owned());
    let done = town.run(
        attempt("met", Action::OfferReferral),
        |rules, attempt, known, keys| {
            super::super::offering::offer(rules, attempt, known, keys, &offer)
        },
    );
    let referral = done.decided.object.unwrap();
    let aliases = town.rules.aliases_of(&org("lantern"));
    let alias = aliases.outward(AliasKind::Referral, referral);
    let response = Response::Accept {
        worker: "worker".to_owned(),
        onward_rule_accepted: true,
        no_conflict: true,
    };
    town.run(
        attempt("lantern", Action::AcceptReferral),
        |rules, attempt, known, keys| {
            answering::respond(rules, attempt, known, keys, alias, &response)
        },
    );
    town
}

fn languages(town: &Town, done: &Done) -> Vec<String> {
    let parts = parts_of(done).iter();
    let spoken = parts.filter(|part| part.class == DataClass::Ip);
    spoken
        .map(|part| String::from_utf8(town.plain(part).to_vec()).unwrap())
        .collect()
}

#[test]
fn her_language_is_told_only_where_she_cannot_say_it_herself() {
    for (reason, spoken) in [
        (EmergencyReason::CannotConsent, vec!["ur"]),
        (EmergencyReason::LifeAtRisk, vec![]),
        (EmergencyReason::ChildAtRisk, vec![]),
    ] {
        let mut town = spoken_with();
        let mut asked = glass(NHS_ONLY);
        asked.reason = reason;
        let done = break_it(&mut town, "trust", &asked);
        assert_eq!(languages(&town, &done), spoken, "{}", reason.code());
        assert!(
            !parts_of(&done)
                .iter()
                .any(|part| part.class == DataClass::Id)
        );
    }
    // Nor once she stopped it.
    let mut town = spoken_with();
    town.now = town.now.plus_hours(1);
    let wish = Wish {
        scope: WithdrawalScope::Class,
        organisations: Vec::new(),
        classes: vec![DataClass::Ip],
        purposes: Vec::new(),
        channel: "telephone".to_owned(),
        pause: false,
    };
    town.withdraw("council", AMINA, &wish);
    let done = break_it(&mut town, "trust", &glass(NHS_ONLY));
    assert!(languages(&town, &done).is_empty());
}

#[test]
fn that_a_child_is_in_danger_is_told_and_never_which() {
    for (answer, at_risk) in [
        (ItemAnswer::Yes, true),
        (ItemAnswer::No, false),
        (ItemAnswer::NotAsked, false),
    ] {
        let mut town = Town::in_order();
        let mut draft = draft(start(), &[]);
        draft.card.instrument = Instrument::Dash27;
        draft.card.instrument_version = "2020".to_owned();
        draft.answers.items = vec![Item {
            code: "q12".to_owned(),
            answer,
        }];
        let tool = town.rules.instruments.tool(Instrument::Dash27).unwrap();
        draft.card.instrument_version.clone_from(&tool.versions[0]);
        town.assess("harbour", AMINA, &draft);
        let done = break_it(&mut town, "trust", &glass(NHS_ONLY));
        let part = parts_of(&done)
            .iter()
            .find(|part| part.class == DataClass::Sp)
            .unwrap();
        let card = EmergencyCard::decode(town.plain(part)).ok().unwrap();
        assert_eq!(card.child_at_risk, at_risk);
    }
}

fn emergencies(town: &Town) -> Vec<Emergency> {
    town.known().emergencies.into_values().collect()
}

fn say(town: &mut Town, at: &str, id: EmergencyId, done: EmergencyAct) -> Done {
    let alias = town
        .rules
        .aliases_of(&org(at))
        .outward(AliasKind::Emergency, id.id());
    let said = Said {
        done: vec![done],
        asked: AskedAfterwards::Agrees,
    };
    town.run(
        attempt(at, Action::FollowUpEmergency),
        |rules, attempt, known, keys| {
            following_up::follow_up(rules, attempt, known, keys, alias, &said)
        },
    )
}

#[test]
fn found_or_not_it_is_to_be_followed_up_within_a_day() {
    for names in [AMINA, NOBODY] {
        let mut town = held();
        break_it(&mut town, "trust", &glass(names));
        let [broken] = emergencies(&town).try_into().unwrap();
        assert_eq!(broken.organisation, org("trust"));
        assert_eq!(
            (broken.at, broken.due()),
            (town.now, town.now.plus_hours(24))
        );
        let consents = |town: &Town| -> usize {
            let people = town.known().people.into_values();
            people.map(|person| person.consents.len()).sum()
        };
        let before = consents(&town);
        let done = say(&mut town, "trust", broken.id, EmergencyAct::GaveHelpline);
        assert_eq!(done.answer.told(), "emergency-followed-up");
        assert!(done.decided.concerned.is_empty());
        assert_eq!(done.why.reason.as_deref(), Some("agrees gave_helpline"));
        // It records no consent.
        assert_eq!(consents(&town), before);
        assert!(done.decided.consents.is_empty());
    }
    // Not confirmed, or only checked: nothing is to be followed up.
    let mut town = held();
    let mut first = glass(AMINA);
    first.confirm = false;
    break_it(&mut town, "trust", &first);
    assert!(emergencies(&town).is_empty());
}

#[test]
fn what_was_said_is_corrected_beside_what_stands() {
    let mut town = held();
    break_it(&mut town, "trust", &glass(AMINA));
    let [broken] = emergencies(&town).try_into().unwrap();
    say(&mut town, "trust", broken.id, EmergencyAct::Nothing);
    let done = say(&mut town, "trust", broken.id, EmergencyAct::CalledService);
    assert!(done.noted("corrected"));
    let [broken] = emergencies(&town).try_into().unwrap();
    let said: Vec<_> = broken.reports.iter().map(|one| one.done[0]).collect();
    assert_eq!(said, [EmergencyAct::Nothing, EmergencyAct::CalledService]);
    for _ in 2..REPORTS_MAX {
        say(&mut town, "trust", broken.id, EmergencyAct::Other);
    }
    let done = say(&mut town, "trust", broken.id, EmergencyAct::Other);
    assert_eq!(done.answer.told(), "already-answered");
}

#[test]
fn another_organisations_emergency_is_nothing_and_only_seniors_follow_up() {
    let mut town = held();
    break_it(&mut town, "trust", &glass(AMINA));
    let [broken] = emergencies(&town).try_into().unwrap();
    town.enrol(organisation(
        "infirmary",
        crate::domain::codes::OrgKind::NhsTrust,
    ));
    for id in [broken.id, EmergencyId(Id::ZERO)] {
        let done = say(&mut town, "infirmary", id, EmergencyAct::Other);
        assert!(matches!(done.answer, Answer::Nothing));
    }
    for at in ["met", "lantern", "practice"] {
        let done = say(&mut town, at, broken.id, EmergencyAct::Other);
        assert_eq!(done.answer.told(), "role-not-allowed", "{at}");
    }
    assert!(emergencies(&town)[0].reports.is_empty());
}

#[test]
fn a_day_later_it_goes_before_the_officer_once_and_only_if_nothing_was_said() {
    let mut town = held();
    break_it(&mut town, "trust", &glass(AMINA));
    break_it(&mut town, "trust", &glass(NOBODY));
    let both = emergencies(&town);
    say(&mut town, "trust", both[0].id, EmergencyAct::Other);
    let known = town.known();
    let own = org("trust");
    let late = town.now.plus_hours(24);
    let early = late.plus_millis(-1);
    assert_eq!(following_up::overdue(&known, &own, early).count(), 0);
    assert_eq!(following_up::overdue(&known, &own, late).count(), 1);
    let ids: Vec<EmergencyId> = both.iter().map(|one| one.id).collect();
    let keys = (1..=64).map(|slot| ItemKey::new(Slot(slot), [slot as u8; 32]));
    let entropy = Entropy::new([8; 32]);
    let keys = Keys::new(keys.collect(), entropy.branch("nonces"));
    let due = Due {
        own: &own,
        now: late,
        looked_at: &ids,
    };
    let made = following_up::remind(town.rules, late, &entropy, keys, &known, &due);
    let (ruled, draft) = made.unwrap().unwrap().split();
    assert_eq!(ruled.opening.decided.notes.last().unwrap(), "items-1");
    let queues = draft.writes.iter().filter_map(|write| match write {
        crate::domain::decision::Write::List {
            list: crate::domain::decision::List::Queue(told),
            ..
        } => Some(told.as_str()),
        _ => None,
    });
    assert_eq!(queues.collect::<Vec<_>>(), ["reviewer", "trust"]);
    assert_eq!(RuleCode::FollowUpOverdue.code(), "btg.follow_up_overdue");
}
