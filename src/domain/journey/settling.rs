//! A pause is settled by the service that took it: she was asked safely (3.4). It becomes a
//! withdrawal, from when it was first said, or it ends; unsettled it ends by itself.

use crate::domain::alias::AliasKind;
use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::consent::Tombstone;
use crate::domain::counterfoil::Word;
use crate::domain::decision::{Aggregate, Decision, List};
use crate::domain::id::{Id, WithdrawalId};
use crate::domain::known::Known;
use crate::domain::person::FieldError;
use crate::domain::record::Record;
use crate::domain::refusal::Refusal;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;
use crate::domain::stop_use::{PauseState, Settled, Settling, Withdrawal};

use super::answering::save;
use super::offering::going_on;
use super::withdrawing::{keep, lay, may_take, reached, stop_sharing};
use super::{Stop, sealed_items, stop_use};

/// Settles the pause that the caller's organisation knows as `alias`.
///
/// `asked_safely`: she was asked where nobody could make her say it. Needed to lift a pause, because
/// that lets more through; never to confirm one.
pub fn settle(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    alias: Id,
    how: Settling,
    asked_safely: bool,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    ruling.reason(how.code());
    match decide(&mut ruling, known, alias, how, asked_safely) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide(
    ruling: &mut Ruling<'_>,
    known: &Known,
    alias: Id,
    how: Settling,
    asked_safely: bool,
) -> Result<Answer, Stop> {
    may_take(ruling, known)?;
    if how == Settling::Lift && !asked_safely {
        return Err(Stop::from(FieldError {
            field: "asked_her_safely",
            message: "ask her where nobody can hear or press her, then send true",
        }));
    }
    let attempt = ruling.attempt();
    let inward = ruling.aliases().inward(AliasKind::Withdrawal, alias);
    ruling.object(Some(alias), Some(inward));
    let taken = known.taken.get(&WithdrawalId(inward));
    let taken = taken.filter(|one| one.tombstone.taken_by == *attempt.organisation());
    let taken = taken.ok_or(Stop::Nothing("no such withdrawal"))?;
    ruling.subject(&taken.tombstone.tokens);
    let answer = Answer::PauseSettled {
        withdrawal: WithdrawalId(alias),
        how,
    };
    match (taken.pause(attempt.when), how) {
        (Some(PauseState::Paused | PauseState::Lapsed), _) => {}
        // Said again, it changes nothing.
        (None | Some(PauseState::Confirmed), Settling::Confirm)
        | (Some(PauseState::Lifted), Settling::Lift) => {
            ruling.note("settled-before");
            return Ok(answer);
        }
        // What is a withdrawal ends with her new consent alone.
        (None | Some(PauseState::Confirmed), Settling::Lift)
        | (Some(PauseState::Lifted), Settling::Confirm) => {
            return Err(Stop::Refuse(Refusal::AlreadyAnswered));
        }
    }
    let settled = Withdrawal {
        settled: Some(Settled {
            at: attempt.when,
            by: attempt.user.as_str().to_owned(),
            how,
        }),
        ..taken.clone()
    };
    match how {
        Settling::Confirm => confirm(ruling, known, settled),
        Settling::Lift => lift(ruling, known, settled),
    }
    Ok(answer)
}

fn confirm(ruling: &mut Ruling<'_>, known: &Known, mut settled: Withdrawal) {
    settled.tombstone.until = None;
    let (tombstone, item) = (settled.tombstone.clone(), settled.id.id());
    stop_sharing(ruling, known, &tombstone, item, settled.settled);
    ruling.took(Word::Withdrew {
        tombstone,
        item,
        channel: "confirmed".to_owned(),
    });
}

/// Ends it now, wherever it lies. What is kept of it by the agency stays: handed in again after a
/// restore, it stops less than three days.
fn lift(ruling: &mut Ruling<'_>, known: &Known, mut settled: Withdrawal) {
    let now = ruling.attempt().when;
    let until = settled.tombstone.until.map_or(now, |until| until.min(now));
    settled.tombstone.until = Some(until);
    let (tombstone, item) = (settled.tombstone.clone(), settled.id.id());
    lay(ruling, &tombstone, item);
    let own = known.own_record(&tombstone.taken_by, &tombstone.tokens);
    for person in reached(known, own, &tombstone.tokens) {
        let found = known.people.get(&person);
        let record = found.and_then(|found| found.record.as_ref());
        let with_record = Tombstone {
            tokens: record.map_or_else(|| tombstone.tokens.clone(), |own| own.tokens.clone()),
            ..tombstone.clone()
        };
        if let Some(record) = record {
            ruling.concerns(&record.organisation);
        }
        let of = Aggregate::Person(person);
        ruling.fact(of, item, &Record::Tombstone(with_record));
    }
    for referral in known.referrals.values() {
        let mut goes_on = referral.clone();
        let named = referral.paused.as_ref();
        if named.is_some_and(|paused| paused.by.iter().any(|(by, _)| *by == settled.id)) {
            let resumed = goes_on.resume(Some(settled.id), now);
            if resumed && (goes_on.route.is_some() || goes_on.handover.is_some()) {
                // The clock of transfers would wait until the pause had ended by itself.
                ruling.list(List::TransfersDue, now.place(), goes_on.id.id());
            }
            going_on::resumed(ruling, &mut goes_on);
            save(ruling, &goes_on);
        }
    }
    sealed_items::withdrawn::lift(ruling, known, settled.id);
    stop_use::end(ruling, known, &settled.notices);
    keep(ruling, &settled);
}

#[cfg(test)]
pub mod tests;
