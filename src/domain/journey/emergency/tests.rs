//! What breaking the glass promises (3.6).

use super::super::trial::*;
use super::super::withdrawing::Wish;
use super::*;
use crate::domain::assessment::{EmergencyCard, SafetyCard};
use crate::domain::audit::Severity;
use crate::domain::codes::{Action, Role, WithdrawalScope};
use crate::domain::decision::PartRef;
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
