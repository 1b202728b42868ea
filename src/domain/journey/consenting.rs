//! Consent recorded by itself, and taken back by whoever recorded it (4.3).

use crate::domain::alias::AliasKind;
use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::codes::ConsentDecision;
use crate::domain::consent::Consent;
use crate::domain::counterfoil::Word;
use crate::domain::decision::{Aggregate, Decision};
use crate::domain::id::{ConsentId, Id, PersonId};
use crate::domain::known::Known;
use crate::domain::record::Record;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;

use super::{Stop, caller, permit};

/// Records a consent or a refusal on the organisation's own record of the person, under its name for
/// her.
pub fn record(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    person: Id,
    consent: &Consent,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    let person = PersonId(ruling.aliases().inward(AliasKind::Person, person));
    match decide(&mut ruling, known, person, consent) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide(
    ruling: &mut Ruling<'_>,
    known: &Known,
    person: PersonId,
    consent: &Consent,
) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    permit(ruling, &caller.ask(attempt, caller.as_recipient()), ())?;
    let tokens = own_tokens(known, attempt, person)?;
    ruling.subject(&tokens);
    let id = ConsentId(attempt.entropy.id("consent"));
    let consent = Consent {
        id,
        recorded_by: attempt.organisation().clone(),
        ..consent.clone()
    };
    ruling.consent(id.id());
    if consent.decision == ConsentDecision::Deny {
        ruling.took(Word::Refused {
            person,
            consents: vec![consent.clone()],
            at: attempt.when,
        });
    }
    ruling.fact(
        Aggregate::Person(person),
        id.id(),
        &Record::Consent(consent),
    );
    let outward = ruling.aliases().outward(AliasKind::Consent, id.id());
    ruling.made(outward);
    ruling.object(Some(outward), Some(id.id()));
    Ok(Answer::Consented {
        consent: ConsentId(outward),
    })
}

/// Takes back one consent. The reply is the same whether there was one.
pub fn withdraw(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    person: Id,
    alias: Id,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    let person = PersonId(ruling.aliases().inward(AliasKind::Person, person));
    let inward = ruling.aliases().inward(AliasKind::Consent, alias);
    ruling.object(Some(alias), Some(inward));
    let permitted = caller(known, attempt)
        .map_err(Stop::Refuse)
        .and_then(|caller| permit(&mut ruling, &caller.ask(attempt, caller.as_recipient()), ()));
    if let Err(stop) = permitted {
        return ruling.stop(stop);
    }
    // Whether or not there is one, so that what is kept tells nothing.
    ruling.took(Word::TookBack {
        person,
        consent: inward,
        at: attempt.when,
    });
    if let Ok(tokens) = own_tokens(known, attempt, person) {
        ruling.subject(&tokens);
        let consents = known
            .people
            .get(&person)
            .map(|person| person.consents.as_slice());
        let found = consents
            .unwrap_or_default()
            .iter()
            .find(|consent| consent.id.id() == inward && consent.withdrawn_at.is_none());
        if let Some(consent) = found {
            let consent = Consent {
                withdrawn_at: Some(attempt.when),
                ..consent.clone()
            };
            ruling.consent(inward);
            ruling.fact(Aggregate::Person(person), inward, &Record::Consent(consent));
        }
    }
    ruling.finish(Answer::Withdrawn { at: attempt.when })
}

/// The tokens of the caller's own record of a person; nothing if it has none.
pub fn own_tokens(
    known: &Known,
    attempt: &Attempt,
    person: PersonId,
) -> Result<Vec<crate::domain::person::TaggedToken>, Stop> {
    known
        .people
        .get(&person)
        .and_then(|person| person.record.as_ref())
        .filter(|record| record.organisation == *attempt.organisation())
        .map(|record| record.tokens.clone())
        .ok_or(Stop::Nothing("no own record of this person"))
}
