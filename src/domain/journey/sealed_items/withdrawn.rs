//! Her withdrawal or pause, taken at any service, reaches what was sealed for a legal adviser
//! (3.4, 3.9): by her tokens, under which each item lies that rests on her word.
//!
//! Who takes her word is told nothing of it, its sender sees what it always saw, and no entry names
//! her with an item.

use crate::domain::consent::Tombstone;
use crate::domain::decision::{Aggregate, List, Write};
use crate::domain::id::{PersonId, WithdrawalId};
use crate::domain::known::Known;
use crate::domain::person::{Evidence, TaggedToken, Tier, keys_of, tier};
use crate::domain::record::Record;
use crate::domain::ruling::Ruling;
use crate::domain::sealed_item::{SealedItem, is_stopped};

use super::{end, save, tell_to_stop};

/// Items that one withdrawal reaches, at most: as many as one decision can write beside the rest. Those
/// that nobody has collected come first.
const REACHED_MAX: usize = 40;

/// Lays the item under each of her tokens, so that her word finds it.
pub(super) fn bind(ruling: &mut Ruling<'_>, item: &SealedItem) {
    for key in keys_of(&item.tokens) {
        let record = Record::SealedOf(item.id);
        ruling.fact(Aggregate::Token(key), item.id.id(), &record);
    }
}

/// Takes it from there again.
pub(super) fn unbind(item: &SealedItem) -> impl Iterator<Item = Write> + '_ {
    keys_of(&item.tokens).map(|key| Write::Remove {
        of: Aggregate::Token(key),
        item: item.id.id(),
    })
}

/// Stops the items that rest on her word, under a pause until it ends; `people` are the records that
/// her word reaches. What she agreed to since goes on.
pub fn stop_hers(
    ruling: &mut Ruling<'_>,
    known: &Known,
    tombstone: &Tombstone,
    id: WithdrawalId,
    people: &[PersonId],
) {
    let records = people.iter().filter_map(|person| known.people.get(person));
    let records = records.filter_map(|person| person.record.as_ref());
    let mut hers: Vec<&[TaggedToken]> = records.map(|record| record.tokens.as_slice()).collect();
    hers.push(&tombstone.tokens);
    let is_hers = |item: &SealedItem| {
        let mut all = hers.iter();
        all.any(|tokens| tier(&Evidence::between(tokens, &item.tokens)) == Tier::Automatic)
    };
    let items = known.sealed_items.values();
    let mut items: Vec<&SealedItem> = items
        .filter(|item| {
            let parties = (&item.sender, &item.recipient);
            item.stopped_at.is_none()
                && is_stopped(tombstone, parties, item.consented_at)
                && is_hers(item)
        })
        .collect();
    items.sort_by_key(|item| item.collected_at);
    for item in items.into_iter().take(REACHED_MAX) {
        match tombstone.until {
            None => end(ruling, known, item),
            Some(until) => {
                if item.collected_at.is_some() {
                    tell_to_stop(ruling, item);
                }
                let mut paused = item.clone();
                paused.pause(id, until);
                save(ruling, &paused);
            }
        }
    }
}

/// A pause was lifted: what it held back can be collected again.
pub fn lift(ruling: &mut Ruling<'_>, known: &Known, pause: WithdrawalId) {
    let now = ruling.attempt().when;
    for item in known.sealed_items.values() {
        let mut goes_on = item.clone();
        if item.stopped_at.is_none() && goes_on.lift(pause, now) {
            // Who was told to stop is told that it may go on.
            if item.collected_at.is_some() {
                ruling.list(List::Events(item.recipient.clone()), 0, item.id.id());
            }
            save(ruling, &goes_on);
        }
    }
}

#[cfg(test)]
mod tests;
