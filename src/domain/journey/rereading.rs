//! An organisation reads again what it recorded itself of her word. Nobody else's is reached.

use crate::domain::alias::AliasKind;
use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::consent::Consent;
use crate::domain::decision::Decision;
use crate::domain::id::{AssessmentId, Id, PersonId};
use crate::domain::known::Known;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;

use super::consenting::own_tokens;
use super::{Stop, caller, permit};

/// One consent, under the names that the caller's organisation has for her and for it.
pub fn consent(
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
    match decide(&mut ruling, known, person, inward) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide(
    ruling: &mut Ruling<'_>,
    known: &Known,
    person: PersonId,
    consent: Id,
) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    permit(ruling, &caller.ask(attempt, caller.as_recipient()), ())?;
    let tokens = own_tokens(known, attempt, person)?;
    ruling.subject(&tokens);
    let own = attempt.organisation();
    let found = known.people.get(&person).and_then(|person| {
        let mut all = person.consents.iter();
        all.find(|one| one.id.id() == consent && one.recorded_by == *own)
    });
    let found = found.ok_or(Stop::Nothing("no such consent"))?;
    ruling.consent(consent);
    let aliases = ruling.aliases();
    let items = found.items.iter();
    let items = items.map(|item| aliases.outward(AliasKind::Assessment, item.id()));
    Ok(Answer::Consent(Box::new(Consent {
        items: items.map(AssessmentId).collect(),
        ..found.clone()
    })))
}
