//! Her card: a service that works with her makes it, she withdraws by it anywhere, and a code of it
//! lets a service ask one question that its own relationship would not open (3.0.6, P11).
//!
//! A code that is wrong, used, over or unknown comes to one and the same, and each wrong one counts
//! against the organisation that tried it.

use zeroize::Zeroizing;

use crate::domain::alias::AliasKind;
use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::card::{
    CARD_DAYS, Card, CardCode, Code, QUESTIONS, Question, Serves, WRONG_TRIES_MAX, card_item,
    code_item,
};
use crate::domain::codes::ReferralStatus;
use crate::domain::decision::{Aggregate, Counter, Decision, Write};
use crate::domain::id::{Id, PersonId};
use crate::domain::known::Known;
use crate::domain::person::{Evidence, FieldError, TaggedToken, Tier, Token, tier};
use crate::domain::policy::Relationship;
use crate::domain::record::Record;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;

use super::consenting::own_tokens;
use super::withdrawing::{self, Wish, may_take};
use super::{Stop, caller, permit};

/// The codes of a new card, as they are printed: shown once.
pub struct Printed {
    pub withdrawal: Code,
    pub questions: Vec<Code>,
    pub until: crate::domain::time::When,
}

/// Makes a card for a person of the caller's own, and ends the one that it made before.
pub fn issue(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    person: Id,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    match make(&mut ruling, known, person) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn make(ruling: &mut Ruling<'_>, known: &Known, alias: Id) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    permit(ruling, &caller.ask(attempt, caller.as_recipient()), ())?;
    let person = PersonId(ruling.aliases().inward(AliasKind::Person, alias));
    ruling.object(Some(alias), Some(person.id()));
    let tokens = own_tokens(known, attempt, person)?;
    let own = attempt.organisation();
    let works_with_her = known.referrals.values().any(|referral| {
        referral.recipient == *own
            && referral.recipient_person == Some(person)
            && referral.status == ReferralStatus::Accepted
    });
    if !works_with_her {
        return Err(Stop::Nothing("no-accepted-referral"));
    }
    ruling.subject(&tokens);
    let before = known
        .people
        .get(&person)
        .and_then(|found| found.card.as_ref());
    for token in before.iter().flat_map(|card| &card.codes) {
        ruling.write(Write::Remove {
            of: Aggregate::Token(*token),
            item: code_item(),
        });
    }
    let until = attempt.when.plus_days(CARD_DAYS);
    let draw = |label: &str| {
        let bytes = Zeroizing::new(attempt.entropy.bytes::<12>(label));
        Code::drawn(*bytes)
    };
    let printed = Printed {
        withdrawal: draw("card withdrawal"),
        questions: (0..QUESTIONS)
            .map(|n| draw(&format!("card question {n}")))
            .collect(),
        until,
    };
    let asking = printed.questions.iter().map(|code| (code, Serves::Asking));
    let all = asking.chain([(&printed.withdrawal, Serves::Withdrawing)]);
    let mut codes = Vec::new();
    for (code, serves) in all {
        let token = ruling.rules().card_code(code);
        let record = Record::CardCode(CardCode {
            serves,
            issued_by: own.clone(),
            tokens: tokens.clone(),
            until,
            used: None,
        });
        ruling.fact(Aggregate::Token(token), code_item(), &record);
        codes.push(token);
    }
    let card = Record::Card(Card {
        at: attempt.when,
        codes,
    });
    ruling.fact(Aggregate::Person(person), card_item(), &card);
    Ok(Answer::CardIssued(Box::new(printed)))
}

/// She withdraws by her card: whoever she is, nobody has to say it.
pub fn withdraw(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    code: Option<Token>,
    wish: &Wish,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    let understood = may_take(&mut ruling, known).and_then(|()| wish.is_understood());
    let decided = understood.and_then(|()| {
        if attempt.check_only {
            // A check stores nothing, so it could not count a wrong code: it looks at none.
            return Ok(Answer::Checked { held: Vec::new() });
        }
        let found = code.and_then(|code| known.card_codes.get(&code));
        match found.filter(|code| code.lets_withdraw(attempt.when)) {
            Some(code) => {
                ruling.write(tried(attempt, true));
                ruling.note("by-card");
                withdrawing::take(&mut ruling, known, &code.tokens, wish)
            }
            None => {
                ruling.write(tried(attempt, false));
                // "In force" must never be said of what stops nothing. It tells of the code alone.
                Err(Stop::from(FieldError {
                    field: "card_code",
                    message: "nothing was withdrawn: this is not the withdrawal code of a card in \
                              date; read it again, or take her word by who she is",
                }))
            }
        }
    });
    match decided {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

/// Whether a code of her card lets the asker ask this once, although it made its relationship to her
/// alone. Used up by the question, whatever is found, and good for its further steps for an hour;
/// anything else about a code leads to the usual nothing.
///
/// The card must be another organisation's, or the asker would vouch for itself (P11).
pub fn vouches<'a>(
    ruling: &mut Ruling<'_>,
    known: &'a Known,
    code: Option<Token>,
    relationship: Relationship,
    (person, tokens): (Option<PersonId>, &[TaggedToken]),
) -> Option<&'a CardCode> {
    let attempt = ruling.attempt();
    let token = code.filter(|_| !attempt.check_only)?;
    let question = person.map(|person| Question {
        organisation: attempt.organisation().clone(),
        user: attempt.user.as_str().to_owned(),
        person,
        purpose: attempt.purpose,
    });
    let lets_ask = |code: &CardCode| {
        let question = question.as_ref();
        question.is_some_and(|question| code.lets_ask(question, attempt.when))
    };
    let hers = |code: &&CardCode| {
        tier(&Evidence::between(&code.tokens, tokens)) == Tier::Automatic
            && code.issued_by != *attempt.organisation()
            && lets_ask(code)
    };
    // Where it could open nothing it counts like a wrong one, or the count would tell a right one.
    let found = known.card_codes.get(&token).filter(hers);
    let found = found.filter(|_| relationship == Relationship::AcceptedOwn);
    ruling.write(tried(attempt, found.is_some()));
    let found = found?;
    ruling.note("card-code-used");
    ruling.concerns(&found.issued_by);
    if let (None, Some(question)) = (&found.used, question) {
        let used = Record::CardCode(CardCode {
            used: Some((question, attempt.when)),
            ..found.clone()
        });
        ruling.fact(Aggregate::Token(token), code_item(), &used);
    }
    Some(found)
}

/// A wrong code counts. A right one counts for nothing, and is taken only where there is room left, so
/// that who has tried too often cannot tell a right one.
fn tried(attempt: &Attempt, right: bool) -> Write {
    let (by, max) = match right {
        true => (0, WRONG_TRIES_MAX.saturating_sub(1)),
        false => (1, WRONG_TRIES_MAX),
    };
    Write::Count {
        counter: Counter::CardTries {
            organisation: attempt.organisation().clone(),
            hour: attempt.when.millis().div_euclid(3_600_000),
        },
        by,
        max,
    }
}

#[cfg(test)]
mod tests;
