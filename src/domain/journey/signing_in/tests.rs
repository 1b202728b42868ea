//! The laws of the second factor.

use super::*;
use crate::domain::codes::{Action, Role};
use crate::domain::journey::scene::{SECRET, Scene, start, told, written};

const OFFICER: (&str, &str, Role) = ("haven", "hi1", Role::IgOfficer);

fn code(at: When) -> String {
    let seconds = u64::try_from(at.millis() / 1_000).unwrap();
    totp(&TotpSecret::new(SECRET))
        .unwrap()
        .generate(seconds)
        .to_string()
}

fn try_code(scene: &mut Scene, code: &str, at: When) -> Decision<Ruled> {
    let mut attempt = scene.attempt(OFFICER, Action::SecondFactor, at);
    attempt.second_factor = false;
    scene.run(&attempt, |rules, attempt, known, keys| {
        second_factor(rules, attempt, known, keys, Shown::Code(code))
    })
}

fn counted(decision: &Decision<Ruled>) -> Vec<(u32, u32)> {
    let counts = decision.writes.iter().filter_map(|write| match write {
        Write::Count {
            counter: Counter::WrongCodes { .. },
            by,
            max,
        } => Some((*by, *max)),
        _ => None,
    });
    counts.collect()
}

/// RFC 6238, appendix B, the last six of its eight digits.
#[test]
fn codes_are_those_of_the_rfc() {
    for (seconds, expected) in [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
    ] {
        assert_eq!(code(When::from_millis(seconds * 1_000)), expected);
    }
}

#[test]
fn a_right_code_opens_a_session_of_ten_minutes() {
    let mut scene = Scene::borough();
    let decision = try_code(&mut scene, &code(start()), start());
    let Answer::SessionOpened { until, .. } = decision.value.answer else {
        panic!("{}", told(&decision));
    };
    assert_eq!(until, start().plus_millis(600_000));
}

fn passkey(scene: &mut Scene, person: (&str, &str, Role), reply: &str) -> Decision<Ruled> {
    let site = Site::new("localhost").unwrap();
    let mut attempt = scene.attempt(person, Action::SecondFactor, start());
    attempt.second_factor = false;
    scene.run(&attempt, |rules, attempt, known, keys| {
        second_factor(rules, attempt, known, keys, Shown::Passkey(&site, reply))
    })
}

#[test]
fn a_passkey_that_nobody_asked_for_is_counted_like_a_wrong_code() {
    let decision = passkey(&mut Scene::borough(), OFFICER, "{}");
    assert_eq!(told(&decision), "check-your-answers");
    assert_eq!(counted(&decision), [(1, WRONG_CODES_MAX)]);
}

#[test]
fn who_has_no_passkey_is_asked_for_none() {
    let mut scene = Scene::borough();
    let mut attempt = scene.attempt(OFFICER, Action::SecondFactor, start());
    attempt.second_factor = false;
    let decision = scene.run(&attempt, |rules, attempt, known, keys| {
        ask_passkey(rules, attempt, known, keys, None)
    });
    assert_eq!(told(&decision), "check-your-answers");
}

#[test]
fn she_is_told_once_that_she_has_one_device() {
    let mut scene = Scene::borough();
    let mut wants = |at: When| {
        let decision = try_code(&mut scene, &code(at), at);
        match decision.value.answer {
            Answer::SessionOpened { wants_spare, .. } => wants_spare,
            _ => panic!("{}", told(&decision)),
        }
    };
    assert!(wants(start()));
    assert!(!wants(start().plus_millis(30_000)));
}

#[test]
fn a_code_opens_one_session_only() {
    let mut scene = Scene::borough();
    let one = code(start());
    assert_eq!(told(&try_code(&mut scene, &one, start())), "session-opened");
    for later in [0, 1_000, 29_000] {
        let again = try_code(&mut scene, &one, start().plus_millis(later));
        assert_eq!(told(&again), "check-your-answers");
    }
    // Nor does the code of an earlier step, once a later one was used.
    let earlier = code(start().plus_millis(-30_000));
    assert_eq!(
        told(&try_code(&mut scene, &earlier, start())),
        "check-your-answers"
    );
    let next = start().plus_millis(30_000);
    assert_eq!(
        told(&try_code(&mut scene, &code(next), next)),
        "session-opened"
    );
}

#[test]
fn a_phone_may_be_thirty_seconds_off_and_no_more() {
    for (off, expected) in [
        (-60_000, "check-your-answers"),
        (-30_000, "session-opened"),
        (30_000, "session-opened"),
        (60_000, "check-your-answers"),
    ] {
        let code = code(start().plus_millis(off));
        let decision = try_code(&mut Scene::borough(), &code, start());
        assert_eq!(told(&decision), expected, "{off}");
    }
}

#[test]
fn a_wrong_code_is_counted_and_changes_nothing() {
    let decision = try_code(&mut Scene::borough(), "000000", start());
    assert_eq!(told(&decision), "check-your-answers");
    assert_eq!(counted(&decision), [(1, WRONG_CODES_MAX)]);
    assert!(written(&decision).is_empty());
}

#[test]
fn after_five_wrong_codes_a_right_one_is_refused_too() {
    let decision = try_code(&mut Scene::borough(), &code(start()), start());
    assert_eq!(counted(&decision), [(0, WRONG_CODES_MAX - 1)]);
}

#[test]
fn a_check_says_nothing_of_a_code() {
    let mut scene = Scene::borough();
    for code in ["000000", &code(start())] {
        let mut attempt = scene.attempt(OFFICER, Action::SecondFactor, start());
        attempt.check_only = true;
        let decision = scene.run(&attempt, |rules, attempt, known, keys| {
            second_factor(rules, attempt, known, keys, Shown::Code(code))
        });
        assert_eq!(told(&decision), "checked");
        assert!(written(&decision).is_empty());
    }
}

#[test]
fn who_has_no_second_factor_gets_no_session() {
    let mut scene = Scene::borough();
    for user in scene.known.users.values_mut() {
        user.devices = Devices::default();
    }
    let decision = try_code(&mut scene, &code(start()), start());
    assert_eq!(told(&decision), "check-your-answers");
    assert_eq!(counted(&decision), [(1, WRONG_CODES_MAX)]);
}

#[test]
fn what_is_not_six_digits_is_no_code() {
    for text in ["", "12345", "1234567", "12 456", "１２３４５６", "-12345"] {
        let decision = try_code(&mut Scene::borough(), text, start());
        assert_eq!(told(&decision), "check-your-answers", "{text}");
    }
}
