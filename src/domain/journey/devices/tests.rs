//! The laws of what a person proves herself with.

use super::*;
use crate::domain::codes::{Action, Role};
use crate::domain::id::OrgId;
use crate::domain::journey::scene::{Scene, start, told};
use crate::domain::journey::signing_in::{Shown, second_factor};
use crate::domain::time::When;

const OFFICER: (&str, &str, Role) = ("haven", "hi1", Role::IgOfficer);
const ADMIN: (&str, &str, Role) = ("haven", "ha1", Role::OrgAdmin);
type Person = (&'static str, &'static str, Role);

fn act(
    scene: &mut Scene,
    person: Person,
    action: Action,
    at: When,
    act: &Act<'_>,
) -> Decision<Ruled> {
    let attempt = scene.attempt(person, action, at);
    scene.run(&attempt, |rules, attempt, known, keys| {
        devices(rules, attempt, known, keys, act)
    })
}

fn own(scene: &Scene, person: Person) -> Devices {
    let key = (OrgId::parse(person.0).unwrap(), person.1.to_owned());
    scene.known.users[&key].devices.clone()
}

/// The code of the app that is being added.
fn code(scene: &Scene, person: Person, at: When) -> String {
    let adding = own(scene, person).adding.unwrap();
    let AddingKind::App(secret) = adding.what.kind else {
        panic!("no app is being added");
    };
    let totp = totp_rs::Builder::new().with_secret(secret.bytes().to_vec());
    let seconds = u64::try_from(at.millis() / 1_000).unwrap();
    totp.build().unwrap().generate(seconds).to_string()
}

fn add(scene: &mut Scene, person: Person, name: &str, at: When) -> String {
    let begun = act(scene, person, Action::AddDevice, at, &Act::AddApp(name));
    assert_eq!(told(&begun), "devices");
    let shown = code(scene, person, at);
    let added = act(
        scene,
        person,
        Action::AddDevice,
        at,
        &Act::ConfirmApp(&shown),
    );
    assert_eq!(told(&added), "devices");
    shown
}

#[test]
fn an_app_is_hers_once_it_has_shown_a_code() {
    let mut scene = Scene::borough();
    act(
        &mut scene,
        OFFICER,
        Action::AddDevice,
        start(),
        &Act::AddApp("Tablet"),
    );
    assert_eq!(own(&scene, OFFICER).list().len(), 1);
    let wrong = act(
        &mut scene,
        OFFICER,
        Action::AddDevice,
        start(),
        &Act::ConfirmApp("000000"),
    );
    assert_eq!(told(&wrong), "check-your-answers");
    assert_eq!(own(&scene, OFFICER).list().len(), 1);
    let right = code(&scene, OFFICER, start());
    let added = act(
        &mut scene,
        OFFICER,
        Action::AddDevice,
        start(),
        &Act::ConfirmApp(&right),
    );
    assert_eq!(told(&added), "devices");
    let devices = own(&scene, OFFICER);
    assert_eq!(devices.list()[1].name, "Tablet");
    assert!(devices.adding.is_none());
}

#[test]
fn either_app_signs_her_in_and_a_code_that_added_one_does_not() {
    let mut scene = Scene::borough();
    let used = add(&mut scene, OFFICER, "Tablet", start());
    let sign_in = |scene: &mut Scene, code: &str, at: When| {
        let attempt = scene.attempt(OFFICER, Action::SecondFactor, at);
        let decision = scene.run(&attempt, |rules, attempt, known, keys| {
            second_factor(rules, attempt, known, keys, Shown::Code(code))
        });
        told(&decision)
    };
    assert_eq!(sign_in(&mut scene, &used, start()), "check-your-answers");
    let later = start().plus_millis(60_000);
    for device in own(&scene, OFFICER).list() {
        let Proof::App { secret, .. } = &device.proof else {
            panic!("no app");
        };
        let totp = totp_rs::Builder::new().with_secret(secret.bytes().to_vec());
        let seconds = u64::try_from(later.millis() / 1_000).unwrap();
        let code = totp.build().unwrap().generate(seconds).to_string();
        assert_eq!(sign_in(&mut scene, &code, later), "session-opened");
    }
    let used = own(&scene, OFFICER);
    assert!(
        used.list()
            .iter()
            .all(|device| device.used_at == Some(later))
    );
}

#[test]
fn what_was_begun_ends_and_is_nobody_elses() {
    let mut scene = Scene::borough();
    act(
        &mut scene,
        OFFICER,
        Action::AddDevice,
        start(),
        &Act::AddApp("Tablet"),
    );
    let late = start().plus_millis(APP_MINUTES * 60_000);
    let right = code(&scene, OFFICER, late);
    let refused = act(
        &mut scene,
        OFFICER,
        Action::AddDevice,
        late,
        &Act::ConfirmApp(&right),
    );
    assert_eq!(told(&refused), "check-your-answers");
    let other = code(&scene, OFFICER, start());
    let refused = act(
        &mut scene,
        ADMIN,
        Action::AddDevice,
        start(),
        &Act::ConfirmApp(&other),
    );
    assert_eq!(told(&refused), "check-your-answers");
    for person in [OFFICER, ADMIN] {
        assert_eq!(own(&scene, person).list().len(), 1);
    }
}

#[test]
fn the_last_device_stays_and_another_may_go() {
    let mut scene = Scene::borough();
    let last = act(
        &mut scene,
        OFFICER,
        Action::RemoveDevice,
        start(),
        &Act::Remove(1),
    );
    assert_eq!(told(&last), "check-your-answers");
    add(&mut scene, OFFICER, "Tablet", start());
    let gone = act(
        &mut scene,
        OFFICER,
        Action::RemoveDevice,
        start(),
        &Act::Remove(1),
    );
    assert_eq!(told(&gone), "devices");
    let left = own(&scene, OFFICER);
    assert_eq!(left.list().len(), 1);
    assert_eq!(left.list()[0].name, "Tablet");
}

#[test]
fn without_a_second_factor_no_device_is_seen_added_or_removed() {
    let mut scene = Scene::borough();
    add(&mut scene, OFFICER, "Tablet", start());
    for (action, what) in [
        (Action::ReadDevices, Act::Read),
        (Action::AddDevice, Act::AddApp("Mine")),
        (Action::RemoveDevice, Act::Remove(1)),
    ] {
        let mut attempt = scene.attempt(OFFICER, action, start());
        attempt.second_factor = false;
        let decision = scene.run(&attempt, |rules, attempt, known, keys| {
            devices(rules, attempt, known, keys, &what)
        });
        assert_eq!(told(&decision), "second-factor-needed");
    }
    assert_eq!(own(&scene, OFFICER).list().len(), 2);
}

#[test]
fn ten_are_enough() {
    let mut scene = Scene::borough();
    for number in 1..crate::domain::device::DEVICES_MAX {
        let at = start().plus_hours(i64::try_from(number).unwrap());
        add(&mut scene, OFFICER, "One more", at);
    }
    let more = act(
        &mut scene,
        OFFICER,
        Action::AddDevice,
        start(),
        &Act::AddApp("Eleventh"),
    );
    assert_eq!(told(&more), "check-your-answers");
}

#[test]
fn a_passkey_is_not_added_by_what_is_no_reply() {
    let mut scene = Scene::borough();
    let site = Site::new("localhost").unwrap();
    let asked = site.register([7; 16], "haven/hi1", [].into_iter()).unwrap();
    let begin = Act::AddPasskey("Key", Some(&asked));
    let begun = act(&mut scene, OFFICER, Action::AddDevice, start(), &begin);
    assert_eq!(told(&begun), "devices");
    let reply = Act::ConfirmPasskey(&site, "{}");
    let refused = act(&mut scene, OFFICER, Action::AddDevice, start(), &reply);
    assert_eq!(told(&refused), "check-your-answers");
    assert_eq!(own(&scene, OFFICER).list().len(), 1);
    let none = act(
        &mut scene,
        OFFICER,
        Action::AddDevice,
        start(),
        &Act::AddPasskey("Key", None),
    );
    assert_eq!(told(&none), "check-your-answers");
}
