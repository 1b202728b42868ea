//! The second factor: a six-digit code of one of her authenticator apps (RFC 6238), or one of her
//! passkeys, each used once.
//!
//! Never says more of a wrong one than that it is wrong, and never looks at one without counting it.

use totp_rs::{Builder, Totp};

use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::decision::{Aggregate, Counter, Decision, Write};
use crate::domain::device::{Begun, Ceremony, Devices, PASSKEY_MINUTES, Proof};
use crate::domain::known::Known;
use crate::domain::organisation::{TotpSecret, User};
use crate::domain::passkey::{REPLY_CHARS_MAX, Site};
use crate::domain::person::FieldError;
use crate::domain::record::{Record, singleton};
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;
use crate::domain::session::SESSION_IDLE_MINUTES;
use crate::domain::time::When;

use super::{Stop, caller, permit};

/// Wrong codes and passkeys of one person in a quarter of an hour; after these, right ones are refused
/// too.
pub const WRONG_CODES_MAX: u32 = 5;

const WRONG_CODE: FieldError = FieldError {
    field: "code",
    message: "this code is wrong or was used before; wait for the next one",
};
const WRONG_PASSKEY: FieldError = FieldError {
    field: "passkey",
    message: "this passkey is not yours, or too much time went by; try again, or give a code",
};

/// What she shows.
#[derive(Clone, Copy)]
pub enum Shown<'a> {
    Code(&'a str),
    /// What her browser replied, to what it was asked.
    Passkey(&'a Site, &'a str),
}

/// Opens a session for the person of the certificate, if what she shows is hers and fresh.
pub fn second_factor(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    shown: Shown<'_>,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    match decide(&mut ruling, known, shown) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

/// Asks for one of her passkeys. `asked` was made from those that she has.
pub fn ask_passkey(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    asked: Option<&Ceremony>,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    match ask(&mut ruling, known, asked) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn ask(ruling: &mut Ruling<'_>, known: &Known, asked: Option<&Ceremony>) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    permit(ruling, &caller.ask(attempt, caller.as_recipient()), ())?;
    ruling.note("passkey-asked");
    let (Some(user), Some(asked)) = (own(known, attempt), asked) else {
        return Err(Stop::from(FieldError {
            field: "passkey",
            message: "you have no passkey here; give a code",
        }));
    };
    let mut devices = user.devices.clone();
    devices.asked = Some(Begun {
        spki_sha256: *attempt.peer.spki_sha256(),
        until: attempt.when.plus_millis(PASSKEY_MINUTES * 60_000),
        what: asked.clone(),
    });
    keep(ruling, user, devices);
    Ok(Answer::PasskeyAsked(asked.clone()))
}

fn decide(ruling: &mut Ruling<'_>, known: &Known, shown: Shown<'_>) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    permit(ruling, &caller.ask(attempt, caller.as_recipient()), ())?;
    let wrong = match shown {
        Shown::Code(code) => {
            six_digits(code)?;
            (WRONG_CODE, "wrong-code")
        }
        Shown::Passkey(..) => (WRONG_PASSKEY, "wrong-passkey"),
    };
    let until = attempt.when.plus_millis(SESSION_IDLE_MINUTES * 60_000);
    // A check writes nothing, so it would try codes without counting them.
    if attempt.check_only {
        return Ok(Answer::SessionOpened {
            until,
            wants_spare: false,
        });
    }
    let user = own(known, attempt);
    let proved = user.and_then(|user| match shown {
        Shown::Code(code) => by_code(&user.devices, code, attempt.when),
        Shown::Passkey(site, reply) => by_passkey(&user.devices, site, reply, attempt),
    });
    counted(ruling, user.zip(proved).ok_or(wrong)).map(|(user, mut devices)| {
        let wants_spare = devices.list().len() == 1 && !devices.told_of_spare;
        devices.told_of_spare |= wants_spare;
        keep(ruling, user, devices);
        Answer::SessionOpened { until, wants_spare }
    })
}

/// Counts what was wrong; what is right counts nothing, but is refused once the wrong ones have used up
/// the limit.
pub(super) fn counted<T>(
    ruling: &mut Ruling<'_>,
    shown: Result<T, (FieldError, &'static str)>,
) -> Result<T, Stop> {
    let attempt = ruling.attempt();
    let counter = Counter::WrongCodes {
        organisation: attempt.organisation().clone(),
        user: attempt.user.as_str().to_owned(),
        quarter_hour: quarter_hour(attempt.when),
    };
    let (by, max) = match shown {
        Ok(_) => (0, WRONG_CODES_MAX - 1),
        Err(_) => (1, WRONG_CODES_MAX),
    };
    ruling.write(Write::Count { counter, by, max });
    shown.map_err(|(wrong, note)| {
        ruling.note(note);
        Stop::from(wrong)
    })
}

/// The user of the attempt, if she is known.
pub(super) fn own<'a>(known: &'a Known, attempt: &Attempt) -> Option<&'a User> {
    let name = attempt.user.as_str().to_owned();
    known.users.get(&(attempt.organisation().clone(), name))
}

/// Writes what she proves herself with from now on.
pub(super) fn keep(ruling: &mut Ruling<'_>, user: &User, devices: Devices) {
    let attempt = ruling.attempt();
    let name = attempt.user.as_str().to_owned();
    let user = User {
        devices,
        ..user.clone()
    };
    ruling.fact(
        Aggregate::User(attempt.organisation().clone(), name),
        singleton("user"),
        &Record::User(user),
    );
}

pub(super) fn six_digits(code: &str) -> Result<(), Stop> {
    if code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(Stop::from(FieldError {
        field: "code",
        message: "give the six digits that your phone shows",
    }))
}

/// Her devices after a right code, if its time step is later than the last one used.
fn by_code(devices: &Devices, code: &str, now: When) -> Option<Devices> {
    let mut devices = devices.clone();
    let right = devices.list_mut().iter_mut().find_map(|device| {
        let Proof::App { secret, last_step } = &mut device.proof else {
            return None;
        };
        *last_step = step(secret, code, now).filter(|step| *step > *last_step)?;
        device.used_at = Some(now);
        Some(())
    });
    right.map(|()| devices)
}

/// Her devices after a right passkey: what was asked is gone, so the same reply opens nothing again.
fn by_passkey(devices: &Devices, site: &Site, reply: &str, attempt: &Attempt) -> Option<Devices> {
    let asked = devices.asked.as_ref()?;
    let asked = asked.of(attempt.peer.spki_sha256(), attempt.when)?;
    if reply.len() > REPLY_CHARS_MAX {
        return None;
    }
    let answered = site.answered(asked, reply, devices.passkeys())?;
    let mut devices = devices.clone();
    devices.asked = None;
    let device = devices
        .list_mut()
        .iter_mut()
        .find(|device| device.proof == Proof::Passkey(answered.before.clone()))?;
    device.proof = Proof::Passkey(answered.after);
    device.used_at = Some(attempt.when);
    Some(devices)
}

/// The time step of a right code.
pub(super) fn step(secret: &TotpSecret, code: &str, now: When) -> Option<u64> {
    let seconds = u64::try_from(now.millis() / 1_000).ok()?;
    totp(secret)?.check(code, seconds)
}

/// SHA-1, six digits, 30 seconds, one step either way: what every authenticator app does.
fn totp(secret: &TotpSecret) -> Option<Totp> {
    Builder::new()
        .with_secret(secret.bytes().to_vec())
        .build()
        .ok()
}

fn quarter_hour(when: When) -> i32 {
    i32::try_from(when.millis().div_euclid(900_000)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
