//! What a person proves herself with: she looks at it, adds one and shows that it works, takes one away.

use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::decision::Decision;
use crate::domain::device::{
    APP_MINUTES, Adding, AddingKind, Begun, Ceremony, Devices, NotRemoved, PASSKEY_MINUTES, Proof,
};
use crate::domain::known::Known;
use crate::domain::organisation::{TotpSecret, User};
use crate::domain::passkey::{Passkey, REPLY_CHARS_MAX, Site};
use crate::domain::person::FieldError;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;

use super::signing_in::{counted, keep, own, six_digits, step};
use super::{Stop, caller, permit};

const NOT_SHOWN: FieldError = FieldError {
    field: "passkey",
    message: "this passkey was not made for this, or too much time went by; add it again",
};
const NOT_THIS_CODE: FieldError = FieldError {
    field: "code",
    message: "this is not the code of the app that you are adding; wait for the next one",
};
const NOTHING_BEGUN: FieldError = FieldError {
    field: "device",
    message: "no device is being added, or too much time went by; add it again",
};

/// What she does with her devices.
pub enum Act<'a> {
    Read,
    /// A new authenticator app under that name.
    AddApp(&'a str),
    /// A new passkey under that name, asked for outside.
    AddPasskey(&'a str, Option<&'a Ceremony>),
    /// The app that is being added shows this code.
    ConfirmApp(&'a str),
    /// Her browser replied this about the passkey that is being added.
    ConfirmPasskey(&'a Site, &'a str),
    Remove(u32),
}

/// Decides it. All of it is her own, so nobody else's facts are looked at.
pub fn devices(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    act: &Act<'_>,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    match decide(&mut ruling, known, act) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide(ruling: &mut Ruling<'_>, known: &Known, act: &Act<'_>) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    permit(ruling, &caller.ask(attempt, caller.as_recipient()), ())?;
    // Whoever has shown a second factor has a record that says which.
    let user = own(known, attempt).ok_or(NOTHING_BEGUN)?;
    let mut devices = user.devices.clone();
    match act {
        Act::Read => {
            if devices.adding.as_ref().is_some_and(|adding| {
                adding
                    .of(attempt.peer.spki_sha256(), attempt.when)
                    .is_none()
            }) {
                devices.adding = None;
            }
            return Ok(Answer::Devices(Box::new(devices)));
        }
        Act::AddApp(name) => {
            let secret = TotpSecret::new(attempt.entropy.bytes("totp secret"));
            begin(
                &mut devices,
                attempt,
                name,
                AddingKind::App(secret),
                APP_MINUTES,
            )?;
            ruling.note("begun");
        }
        Act::AddPasskey(name, asked) => {
            let asked = asked.ok_or(FieldError {
                field: "kind",
                message: "passkeys are not offered here; add an authenticator app",
            })?;
            let kind = AddingKind::Passkey(asked.clone());
            begin(&mut devices, attempt, name, kind, PASSKEY_MINUTES)?;
            ruling.note("begun");
        }
        Act::ConfirmApp(code) => {
            six_digits(code)?;
            let adding = being_added(user, attempt)?;
            let AddingKind::App(secret) = &adding.kind else {
                return Err(Stop::from(NOTHING_BEGUN));
            };
            let shown = step(secret, code, attempt.when).ok_or((NOT_THIS_CODE, "wrong-code"));
            let last_step = counted(ruling, shown)?;
            let secret = secret.clone();
            // The code that it was shown with opens no session besides.
            devices.add(
                adding.name.clone(),
                Proof::App { secret, last_step },
                attempt.when,
            );
            ruling.note("app-added");
        }
        Act::ConfirmPasskey(site, reply) => {
            let adding = being_added(user, attempt)?;
            let shown = made(site, adding, reply).ok_or((NOT_SHOWN, "wrong-passkey"));
            let passkey = counted(ruling, shown)?;
            devices.add(adding.name.clone(), Proof::Passkey(passkey), attempt.when);
            ruling.note("passkey-added");
        }
        Act::Remove(number) => {
            devices.remove(*number).map_err(|why| FieldError {
                field: "device",
                message: match why {
                    NotRemoved::Unknown => "you have no such device",
                    NotRemoved::Last => "this is your only device: add another first",
                },
            })?;
            ruling.note("device-removed");
        }
    }
    keep(ruling, user, devices.clone());
    Ok(Answer::Devices(Box::new(devices)))
}

fn begin(
    devices: &mut Devices,
    attempt: &Attempt,
    name: &str,
    kind: AddingKind,
    minutes: i64,
) -> Result<(), Stop> {
    if devices.is_full() {
        return Err(Stop::from(FieldError {
            field: "device",
            message: "you have ten devices: remove one that you do not use",
        }));
    }
    devices.adding = Some(Begun {
        spki_sha256: *attempt.peer.spki_sha256(),
        until: attempt.when.plus_millis(minutes * 60_000),
        what: Adding {
            name: name.to_owned(),
            kind,
        },
    });
    Ok(())
}

fn being_added<'a>(user: &'a User, attempt: &Attempt) -> Result<&'a Adding, Stop> {
    let adding = user.devices.adding.as_ref();
    let adding = adding.and_then(|one| one.of(attempt.peer.spki_sha256(), attempt.when));
    adding.ok_or(Stop::from(NOTHING_BEGUN))
}

fn made(site: &Site, adding: &Adding, reply: &str) -> Option<Passkey> {
    match &adding.kind {
        AddingKind::Passkey(asked) if reply.len() <= REPLY_CHARS_MAX => {
            site.registered(asked, reply)
        }
        AddingKind::Passkey(_) | AddingKind::App(_) => None,
    }
}

#[cfg(test)]
mod tests;
