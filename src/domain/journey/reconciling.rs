//! After a restore an organisation hands in the withdrawals that it took since the copy, and says
//! when these are all.
//!
//! Each is made again as it was, at its own instant; one that is known changes nothing, so that it
//! may be handed in any number of times. The reply tells nothing about a person: not even whether
//! it was known. Nothing that is handed in lets more through.

use crate::domain::answer::{Answer, Collected};
use crate::domain::attempt::Attempt;
use crate::domain::consent::{Consent, Tombstone};
use crate::domain::counterfoil::{Counterfoil, Word};
use crate::domain::decision::{Aggregate, Decision};
use crate::domain::id::{Id, PersonId};
use crate::domain::known::Known;
use crate::domain::person::FieldError;
use crate::domain::record::{Record, singleton};
use crate::domain::refusal::Refusal;
use crate::domain::restoration::Restoration;
use crate::domain::rollback::Shown;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;
use crate::domain::time::When;

use super::revoking::take_back;
use super::withdrawing::{lay, stop_sharing};
use super::{Stop, caller, permit};

/// What an organisation says, apart from the withdrawals themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    /// All that it took since the copy is handed in.
    pub complete: bool,
    /// What the newest signed head that it has proved to be, if it sent one. One that proves a
    /// loss has stopped the store by now ([`crate::domain::rollback`]).
    pub head: Option<Shown>,
}

fn allowed(ruling: &mut Ruling<'_>, known: &Known) -> Result<(), Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    permit(ruling, &caller.ask(attempt, caller.as_recipient()), ())?;
    Ok(())
}

fn wrong(field: &'static str, message: &'static str) -> Stop {
    Stop::Refuse(Refusal::CheckYourAnswers(vec![FieldError {
        field,
        message,
    }]))
}

/// Takes one withdrawal again. `None` is one that this gateway never gave.
pub fn take_again(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    counterfoil: Option<&Counterfoil>,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    if let Err(stop) = allowed(&mut ruling, known) {
        return ruling.stop(stop);
    }
    let Some(counterfoil) = counterfoil else {
        return ruling.stop(wrong(
            "replay",
            "this is not what this gateway gave for a withdrawal; send it exactly as you kept it",
        ));
    };
    let word = &counterfoil.word;
    ruling.reason(word.code());
    ruling.note(&format!("taken-at-{}", word.at().rfc3339()));
    ruling.note(&format!("first-entry-{}", counterfoil.entry.short()));
    if !make_again(&mut ruling, known, word) {
        ruling.note("known-already");
    }
    ruling.finish(Answer::TakenAgain)
}

/// Whether it changed anything.
fn make_again(ruling: &mut Ruling<'_>, known: &Known, word: &Word) -> bool {
    match word {
        Word::Withdrew {
            tombstone, item, ..
        } => {
            ruling.subject(&tombstone.tokens);
            // A pause that is over by now stops nothing.
            let new = tombstone.in_force(ruling.attempt().when) && !lies(known, tombstone);
            if new {
                stop_sharing(ruling, known, tombstone, *item, None);
            }
            new
        }
        Word::Declined { tombstone, item } => {
            ruling.subject(&tombstone.tokens);
            let new = !lies(known, tombstone);
            if new {
                lay(ruling, tombstone, *item);
            }
            new
        }
        Word::TookBack {
            person,
            consent,
            at,
        } => take_consent_back(ruling, known, *person, *consent, *at),
        Word::Refused {
            person, consents, ..
        } => refuse_again(ruling, known, *person, consents),
        Word::Revoked { by, referrals, .. } => !take_back(ruling, known, by, referrals).is_empty(),
    }
}

/// Whether the copy holds this very withdrawal: then it holds all that followed from it, because
/// that was one commit.
fn lies(known: &Known, tombstone: &Tombstone) -> bool {
    let mut laid = known.tombstones.iter().chain(&known.lapsed);
    // A pause that was confirmed since is more than what is known. One that ended or was lifted is
    // not laid again, and what was confirmed is not made a pause.
    laid.any(|one| one.is_word_of(tombstone) && (one.until.is_none() || tombstone.until.is_some()))
}

fn consents(known: &Known, person: PersonId) -> &[Consent] {
    known
        .people
        .get(&person)
        .map_or(&[], |person| person.consents.as_slice())
}

fn subject(ruling: &mut Ruling<'_>, known: &Known, person: PersonId) {
    let found = known.people.get(&person);
    if let Some(record) = found.and_then(|person| person.record.as_ref()) {
        ruling.subject(&record.tokens);
        ruling.concerns(&record.organisation);
    }
}

fn take_consent_back(
    ruling: &mut Ruling<'_>,
    known: &Known,
    person: PersonId,
    consent: Id,
    at: When,
) -> bool {
    subject(ruling, known, person);
    let mut live = consents(known, person).iter();
    let found = live.find(|one| one.id.id() == consent && one.withdrawn_at.is_none());
    let Some(found) = found else {
        return false;
    };
    let taken_back = Consent {
        withdrawn_at: Some(at),
        ..found.clone()
    };
    ruling.consent(consent);
    let of = Aggregate::Person(person);
    ruling.fact(of, consent, &Record::Consent(taken_back));
    true
}

/// A refusal on a record that the copy does not have stops nothing there, because no consent lies
/// there either.
fn refuse_again(
    ruling: &mut Ruling<'_>,
    known: &Known,
    person: PersonId,
    refusals: &[Consent],
) -> bool {
    subject(ruling, known, person);
    let has_record = known
        .people
        .get(&person)
        .is_some_and(|person| person.record.is_some());
    let there = consents(known, person);
    let is_new = |refusal: &&Consent| !there.iter().any(|one| one.id == refusal.id);
    let new: Vec<&Consent> = refusals.iter().filter(is_new).collect();
    if !has_record || new.is_empty() {
        return false;
    }
    for refusal in new {
        let item = refusal.id.id();
        ruling.consent(item);
        let record = Record::Consent(refusal.clone());
        ruling.fact(Aggregate::Person(person), item, &record);
    }
    true
}

/// An organisation hands in the newest signed head that it has, and may say that its withdrawals
/// are complete. With the last of them disclosure begins again, in the same decision.
pub fn state(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    statement: Statement,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    match decide(&mut ruling, known, statement) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide(ruling: &mut Ruling<'_>, known: &Known, statement: Statement) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    allowed(ruling, known)?;
    let own = attempt.organisation();
    if let Some(shown) = statement.head {
        ruling.note(head_code(shown));
    }
    let mut now = known.restoration.clone();
    if statement.complete {
        let waits = now.as_ref().filter(|found| found.waits_for(own));
        let found = waits.ok_or_else(|| {
            wrong(
                "complete",
                "no withdrawals of your organisation are waited for; leave this out",
            )
        })?;
        ruling.note("complete");
        now = Some(found.reconciled(own, attempt.when));
    }
    let collected = collected(now.as_ref());
    ruling.note(&format!("waits-for-{}", collected.waits_for));
    if let Some(changed) = now.filter(|now| known.restoration.as_ref() != Some(now)) {
        write(ruling, changed);
    }
    Ok(Answer::Reconciling(collected))
}

const fn head_code(shown: Shown) -> &'static str {
    match shown {
        Shown::Same | Shown::Older => "head-held",
        Shown::Larger | Shown::Forked => "rolled-back",
        Shown::NotOurs => "head-of-another-log",
    }
}

/// Writes the restoration as it now stands, and shows the entry to all who take part in it.
pub fn write(ruling: &mut Ruling<'_>, restoration: Restoration) {
    let done = restoration.reconciled.iter().map(|(id, _)| id);
    for organisation in restoration.waiting.iter().chain(done) {
        ruling.concerns(organisation);
    }
    if !restoration.open() {
        ruling.note("withdrawals-collected");
    }
    ruling.fact(
        Aggregate::Settings,
        singleton("restoration"),
        &Record::Restoration(restoration),
    );
}

/// Where it stands, without a name.
pub fn collected(restoration: Option<&Restoration>) -> Collected {
    let open = restoration.filter(|found| found.open());
    Collected {
        waits_for: open.map_or(0, |found| found.waiting.len()),
        open: open.is_some(),
        rolled_back: open.is_some_and(Restoration::is_proven),
    }
}

#[cfg(test)]
mod tests;
