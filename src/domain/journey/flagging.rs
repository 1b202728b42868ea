//! An organisation flags a person, so that its own workers' attempts about her are noticed: a colleague,
//! or someone whom people are curious about (3.5).
//!
//! One officer, at once: it only adds alerts. It opens and refuses nothing, and no other organisation
//! ever learns of it.

use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::decision::{Aggregate, Decision};
use crate::domain::known::Known;
use crate::domain::organisation::Flag;
use crate::domain::person::{FieldError, TaggedToken, Token, TokenKind, keys_of};
use crate::domain::record::{Record, singleton};
use crate::domain::refusal::Refusal;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;

use super::{Stop, caller, permit};

/// A flag ends by itself within so many days.
pub const FLAG_DAYS_MAX: u16 = 730;

/// Whom to flag, for how long.
pub struct Flagging {
    pub tokens: Vec<TaggedToken>,
    pub household: Option<Token>,
    /// Her user name, if she works there herself.
    pub user: Option<String>,
    pub days: u16,
}

/// Puts her on the register of the caller's own organisation, in place of what is there of her.
///
/// # Errors
/// [`BadRuling`].
pub fn flag(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    flagging: &Flagging,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    ruling.reason(match flagging.user {
        Some(_) => "own-staff",
        None => "flagged",
    });
    match decide(&mut ruling, known, flagging) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide(ruling: &mut Ruling<'_>, known: &Known, flagging: &Flagging) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    permit(ruling, &caller.ask(attempt, caller.as_recipient()), ())?;
    let mut kinds = flagging.tokens.iter().map(|tagged| tagged.kind);
    if !kinds.any(TokenKind::names_in_log) {
        return Err(Stop::Refuse(Refusal::CheckYourAnswers(vec![FieldError {
            field: "identity",
            message: "give an NHS number, or both names and the full date of birth",
        }])));
    }
    ruling.subject(&flagging.tokens);
    let own = attempt.organisation();
    let days = flagging.days.clamp(1, FLAG_DAYS_MAX);
    let flag = Flag {
        organisation: own.clone(),
        tokens: flagging.tokens.clone(),
        // Of a family only where a worker is kept from her own.
        household: flagging.household.filter(|_| flagging.user.is_some()),
        user: flagging.user.clone(),
        until: attempt.when.plus_days(i64::from(days)),
    };
    let user = flagging.user.as_deref().unwrap_or_default();
    let item = singleton(&format!("flag of {own} for {user}"));
    let places: Vec<Token> = keys_of(&flag.tokens).chain(flag.household).collect();
    for token in places {
        ruling.fact(Aggregate::Token(token), item, &Record::Flag(flag.clone()));
    }
    Ok(Answer::Flagged)
}
