//! The second factor: a six-digit code of the person's phone (RFC 6238), each used once.
//!
//! Never says more of a wrong code than that it is wrong, and never looks at one without
//! counting it.

use totp_rs::{Builder, Totp};

use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::decision::{Aggregate, Counter, Decision, Write};
use crate::domain::known::Known;
use crate::domain::organisation::{TotpSecret, User};
use crate::domain::person::FieldError;
use crate::domain::record::{Record, singleton};
use crate::domain::refusal::Refusal;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;
use crate::domain::session::SESSION_IDLE_MINUTES;
use crate::domain::time::When;

use super::{Stop, caller, permit};

/// Wrong codes of one person in a quarter of an hour; after these, right ones are refused too.
pub const WRONG_CODES_MAX: u32 = 5;

const WRONG: FieldError = FieldError {
    field: "code",
    message: "this code is wrong or was used before; wait for the next one",
};

/// Opens a session for the person of the certificate, if the code is hers and fresh.
pub fn second_factor(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    code: &str,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    match decide(&mut ruling, known, code) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide(ruling: &mut Ruling<'_>, known: &Known, code: &str) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    permit(ruling, &caller.ask(attempt, caller.as_recipient()), ())?;
    if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Stop::Refuse(Refusal::CheckYourAnswers(vec![FieldError {
            field: "code",
            message: "give the six digits that your phone shows",
        }])));
    }
    let until = attempt.when.plus_millis(SESSION_IDLE_MINUTES * 60_000);
    // A check writes nothing, so it would try codes without counting them.
    if attempt.check_only {
        return Ok(Answer::SessionOpened { until });
    }
    let own = attempt.organisation().clone();
    let name = attempt.user.as_str().to_owned();
    let user = known.users.get(&(own.clone(), name.clone()));
    let step = user.and_then(|user| fresh_step(user, code, attempt.when));
    let counter = Counter::WrongCodes {
        organisation: own.clone(),
        user: name.clone(),
        quarter_hour: quarter_hour(attempt.when),
    };
    let (Some(user), Some(step)) = (user, step) else {
        ruling.write(Write::Count {
            counter,
            by: 1,
            max: WRONG_CODES_MAX,
        });
        ruling.note("wrong-code");
        return Err(Stop::Refuse(Refusal::CheckYourAnswers(vec![WRONG])));
    };
    // Counts nothing, but is refused once the wrong ones have used up the limit.
    ruling.write(Write::Count {
        counter,
        by: 0,
        max: WRONG_CODES_MAX - 1,
    });
    let user = User {
        totp_last_step: step,
        ..user.clone()
    };
    ruling.fact(
        Aggregate::User(own, name),
        singleton("user"),
        &Record::User(user),
    );
    Ok(Answer::SessionOpened { until })
}

/// The time step of a right code, if it is later than the last one used.
fn fresh_step(user: &User, code: &str, now: When) -> Option<u64> {
    let totp = totp(user.totp_secret.as_ref()?)?;
    let seconds = u64::try_from(now.millis() / 1_000).ok()?;
    totp.check(code, seconds)
        .filter(|step| *step > user.totp_last_step)
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
