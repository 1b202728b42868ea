//! The report that she asks for (3.11): an attempt like any other, listed under her as a reading.
//!
//! Whether there is one is settled on the facts and on where entries are listed; what they say is
//! opened after the leaf. Who asks about someone of whom nothing is held, or about a relative, or
//! without having proved who she is, is given the uniform nothing.

use std::ops::Range;

use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::audit::{Filter, Reading, Stretch};
use crate::domain::decision::Decision;
use crate::domain::known::Known;
use crate::domain::person::{TaggedToken, TokenKind};
use crate::domain::report::{Commission, Counting, Held, Reviewed, Terms, hers};
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;
use crate::domain::time::When;

use super::Stop;
use super::auditing::permitted;

/// An entry that is listed under some of her tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedEntry {
    pub index: u64,
    pub kinds: Vec<TokenKind>,
    /// The log was read about her; nothing was done.
    pub reading: bool,
}

/// What is looked at for a report.
pub struct Asked<'a> {
    pub tokens: &'a [TaggedToken],
    /// The newest first.
    pub listed: &'a [ListedEntry],
    /// No entry was left out for number.
    pub whole: bool,
    pub terms: &'a Terms,
}

/// Decides whether there is a report to write.
pub fn report(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    asked: &Asked<'_>,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    ruling.looks_up(asked.tokens);
    if let Some(reason) = asked.terms.staff_names {
        ruling.reason(reason.code());
    }
    ruling.note(asked.terms.handed_to.code());
    match decide(&mut ruling, known, asked) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide(ruling: &mut Ruling<'_>, known: &Known, asked: &Asked<'_>) -> Result<Answer, Stop> {
    let viewer = permitted(ruling, known)?;
    if !asked.terms.identity_checked {
        return Err(Stop::Nothing("identity-not-checked"));
    }
    let held = Held::about(known, &viewer, asked.tokens, |_| true);
    let about: Vec<&ListedEntry> = asked
        .listed
        .iter()
        .filter(|entry| hers(known, asked.tokens, &entry.kinds))
        .collect();
    if held.is_empty() && about.iter().all(|entry| entry.reading) {
        return Err(Stop::Nothing("nothing-held"));
    }
    Ok(Answer::Report(Box::new(Commission {
        reading: Reading {
            indices: about.iter().map(|entry| entry.index).collect(),
            viewer,
            filter: Filter::default(),
        },
        held,
        terms: asked.terms.clone(),
        whole: asked.whole,
        assembled: None,
    })))
}

/// What is counted for a month.
pub struct MonthAsked<'a> {
    /// As `2026-10`.
    pub month: &'a str,
    pub from: When,
    /// Exclusive.
    pub to: When,
    /// Where in the log it lies.
    pub within: Range<u64>,
}

/// The figures of one month for the caller's own board.
pub fn figures(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    asked: &MonthAsked<'_>,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    let viewer = match permitted(&mut ruling, known) {
        Ok(viewer) => viewer,
        Err(stop) => return ruling.stop(stop),
    };
    let reviews = known.queue.values().map(|item| Reviewed {
        at: item.at,
        settled: item
            .decided
            .as_ref()
            .filter(|_| item.is_closed(known.more(item.id)))
            .map(|decided| decided.at),
    });
    let reviews = reviews
        .filter(|item| asked.from <= item.at && item.at < asked.to)
        .collect();
    ruling.finish(Answer::Figures(Box::new(Counting {
        month: asked.month.to_owned(),
        stretch: Stretch {
            within: asked.within.clone(),
            viewer,
        },
        reviews,
    })))
}

#[cfg(test)]
mod tests;
