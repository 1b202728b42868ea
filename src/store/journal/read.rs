//! Reading: facts to decide with, payload for a logged decision, lists, the log itself.
//!
//! Where an item lies comes from the table, what it is from the frame, and its key from the slot
//! file; the ciphertext is bound to its aggregate, item and class, so a wrong place cannot pass.
//! The reads are short and mostly from the page cache, so they run where they are called.

use std::time::Duration;

use borsh::BorshDeserialize;
use zeroize::Zeroizing;

use super::frame::{Frame, Key};
use super::recovery::FrameAt;
use super::table::Item;
use super::{Journal, LEAVES_READ_MAX, Shared};
use crate::domain::decision::{
    Aggregate, Counter, Fact, Facts, List, Listed, PartRef, Version, opening_context, seal_context,
};
use crate::domain::leaf::Leaf;
use crate::domain::seal::Sealed;
use crate::domain::tiles::{TILE_WIDTH, TileKind, TilePath};
use crate::store::index::Index;
use crate::store::{Fault, NO_ENTRY, OpenedItem};

/// How often facts are read again when an item is replaced in the middle of reading it.
const FACTS_TRIES_MAX: usize = 16;
/// How long a reader of a list waits for it to be complete.
const LISTS_WITHIN: Duration = Duration::from_secs(10);
const DAMAGED: Fault = Fault::Unreadable("the journal was damaged while it was open");

impl Journal {
    /// See [`crate::store::Store::facts`]. An aggregate that is asked for twice is told once.
    pub async fn facts(&self, of: &[Aggregate]) -> Result<Facts, Fault> {
        for _ in 0..FACTS_TRIES_MAX {
            if let Some(facts) = self.facts_once(of)? {
                return Ok(facts);
            }
            tokio::task::yield_now().await;
        }
        Err(Fault::Unreadable("what was asked for changes too fast"))
    }

    /// `None` if an item was erased between asking the table and reading the frame.
    fn facts_once(&self, of: &[Aggregate]) -> Result<Option<Facts>, Fault> {
        let mut named: Vec<(Key, &Aggregate)> = Vec::with_capacity(of.len());
        for aggregate in of {
            let key = self.shared.names.aggregate(aggregate);
            if named.iter().all(|(known, _)| *known != key) {
                named.push((key, aggregate));
            }
        }
        // One moment for all of them; the items are read afterwards, because frames never change.
        let records: Vec<_> = {
            let state = self.shared.state();
            let record = |(key, _): &(Key, _)| state.table.record(key).cloned().unwrap_or_default();
            named.iter().map(record).collect()
        };
        let mut facts = Facts::default();
        for ((key, of), record) in named.into_iter().zip(records) {
            facts.read.push((of.clone(), Version(record.version)));
            for item in record.items {
                match item.data_class() {
                    Some(class) => {
                        let (of, item) = (of.clone(), item.item);
                        facts.parts.push(PartRef { of, item, class });
                    }
                    None => {
                        let Some(bytes) = self.load(&key, of, &item)? else {
                            return Ok(None);
                        };
                        let (of, item) = (of.clone(), item.item);
                        facts.facts.push(Fact { of, item, bytes });
                    }
                }
            }
        }
        Ok(Some(facts))
    }

    /// See [`crate::store::Store::open`]. A part that is gone is left out.
    pub(in crate::store) async fn open_parts(
        &self,
        parts: &[PartRef],
    ) -> Result<Vec<OpenedItem>, Fault> {
        let mut opened = Vec::with_capacity(parts.len());
        for part in parts {
            let key = self.shared.names.aggregate(&part.of);
            let class = part.class as u8;
            let Some(item) = self.find(&key, |item| item.item == part.item && item.class == class)
            else {
                continue;
            };
            let plain = self.load(&key, &part.of, &item)?;
            let part = part.clone();
            opened.extend(plain.map(|plain| OpenedItem { part, plain }));
        }
        Ok(opened)
    }

    /// Entries whose opening was erased are left out; their leaves stay.
    pub(in crate::store) async fn entries(
        &self,
        indices: &[u64],
    ) -> Result<Vec<(u64, Leaf, Zeroizing<Vec<u8>>)>, Fault> {
        if indices.len() as u64 > LEAVES_READ_MAX {
            return Err(Fault::TooLarge);
        }
        let mut opened = Vec::with_capacity(indices.len());
        for index in indices {
            let Some((at, bytes)) = self.shared.frame_of(*index)? else {
                continue;
            };
            let (leaf, opening) = opening_of(at, &bytes, *index)?;
            let Some(key) = self.shared.slots.key(opening.slot())? else {
                continue;
            };
            let plain = opening.open(&key, &opening_context(leaf.id()));
            let plain = plain.ok_or(Fault::Unreadable("the opening of a leaf does not open"))?;
            opened.push((*index, leaf, plain));
        }
        Ok(opened)
    }

    /// See [`crate::store::Store::list`].
    pub async fn list(
        &self,
        list: &List,
        after: Option<Listed>,
        max: u16,
    ) -> Result<Vec<Listed>, Fault> {
        self.listed()
            .await?
            .list(&self.shared.names.list(list), after, max)
    }

    /// See [`crate::store::Store::newest`].
    pub async fn newest(
        &self,
        list: &List,
        before: Option<Listed>,
        max: u16,
    ) -> Result<Vec<Listed>, Fault> {
        self.listed()
            .await?
            .newest(&self.shared.names.list(list), before, max)
    }

    /// See [`crate::store::Store::counted`].
    pub async fn counted(&self, counter: &Counter) -> Result<u32, Fault> {
        let key = self.shared.names.counter(counter);
        Ok(self.shared.state().table.counted(&key))
    }

    /// See [`crate::store::Store::leaves`].
    pub async fn leaves(&self, from: u64, to: u64) -> Result<Vec<Leaf>, Fault> {
        let to = to
            .min(self.shared.state().leaves)
            .min(from.saturating_add(LEAVES_READ_MAX));
        let mut leaves = Vec::new();
        let mut next = from;
        while next < to {
            let Some((at, bytes)) = self.shared.frame_of(next)? else {
                break;
            };
            let frame = Frame::read(&bytes).ok_or(DAMAGED)?;
            let skipped = frame.entries().skip((next - at.first) as usize);
            for raw in skipped.take((to - next) as usize) {
                leaves.push(raw.leaf().ok_or(DAMAGED)?);
            }
            next = at.first + u64::from(frame.count);
        }
        Ok(leaves)
    }

    /// See [`crate::store::Store::tile`].
    pub async fn tile(&self, level: u8, index: u64, width: u16) -> Result<Option<Vec<u8>>, Fault> {
        let leaves = self.shared.state().leaves;
        let width = u64::from(width);
        let shift = u32::from(level) * 8;
        let end = index
            .checked_mul(TILE_WIDTH)
            .and_then(|at| at.checked_add(width));
        // The tree may hold leaves that are not durable yet.
        let durable = leaves.checked_shr(shift).unwrap_or(0);
        if width == 0 || width > TILE_WIDTH || end.is_none_or(|end| end > durable) {
            return Ok(None);
        }
        let kind = TileKind::Hashes {
            level: u32::from(level),
        };
        Ok(TilePath { kind, index, width }.hashes(&self.shared.tree()))
    }

    /// See [`crate::store::Store::checkpoint`].
    pub async fn checkpoint(&self) -> Result<String, Fault> {
        Ok(self.shared.state().note.as_ref().to_owned())
    }

    /// The lists, once they show every commit that was acknowledged before.
    async fn listed(&self) -> Result<&Index, Fault> {
        let leaves = self.shared.state().leaves;
        let _reading = self.shared.readers.wait();
        let mut listed = self.shared.listed.subscribe();
        let caught_up = listed.wait_for(|listed| listed.is_some_and(|shown| shown >= leaves));
        let waited = tokio::time::timeout(LISTS_WITHIN, caught_up).await;
        let index = waited.ok().and_then(Result::ok);
        let index = index.and_then(|_| self.shared.index.get());
        index.ok_or_else(|| not_listed_yet(*self.shared.listed.borrow(), leaves))
    }

    fn find(&self, of: &Key, wanted: impl Fn(&Item) -> bool) -> Option<Item> {
        let state = self.shared.state();
        let items = &state.table.record(of)?.items;
        items.iter().find(|item| wanted(item)).copied()
    }

    /// Reads and opens an item. `None` if it was erased after the table was asked.
    fn load(
        &self,
        key: &Key,
        of: &Aggregate,
        item: &Item,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Fault> {
        let place = item.place;
        let bytes = self
            .shared
            .segments
            .read(place.segment, place.offset, place.length)
            .map_err(|_| Fault::Unreadable("the journal cannot be read"))?;
        // Nothing in clear says whose it is: it opens in its own place only.
        let sealed = Sealed::try_from_slice(&bytes).map_err(|_| DAMAGED)?;
        if sealed.slot().0 != item.slot {
            return Err(DAMAGED);
        }
        let Some(item_key) = self.shared.slots.key(sealed.slot())? else {
            let still_there = self.find(key, |known| known.slot == item.slot).is_some();
            return match still_there {
                true => Err(Fault::Unreadable("the key of an item is missing")),
                false => Ok(None),
            };
        };
        let context = seal_context(of, item.item, item.data_class());
        sealed
            .open(&item_key, &context)
            .map(Some)
            .ok_or(Fault::Unreadable("an item does not open under its key"))
    }
}

fn opening_of(at: FrameAt, frame: &[u8], index: u64) -> Result<(Leaf, Sealed), Fault> {
    let frame = Frame::read(frame).ok_or(DAMAGED)?;
    let raw = frame.entries().nth((index - at.first) as usize);
    raw.and_then(|raw| raw.opening()).ok_or(DAMAGED)
}

impl Shared {
    /// Where the key of a durable entry's opening lies, whether it is still there or not.
    ///
    /// # Errors
    /// There is no such entry.
    pub(super) fn opening_slot(&self, index: u64) -> Result<u64, Fault> {
        let (at, bytes) = self.frame_of(index)?.ok_or(NO_ENTRY)?;
        let (_, opening) = opening_of(at, &bytes, index)?;
        Ok(opening.slot().0)
    }

    /// The frame that holds a durable leaf; `None` if there is no such leaf.
    fn frame_of(&self, index: u64) -> Result<Option<(FrameAt, Vec<u8>)>, Fault> {
        let at = {
            let state = self.state();
            if index >= state.leaves {
                return Ok(None);
            }
            let after = state.frames.partition_point(|frame| frame.first <= index);
            after
                .checked_sub(1)
                .and_then(|place| state.frames.get(place).copied())
        };
        let at = at.ok_or(DAMAGED)?;
        let bytes = self.segments.read(at.segment, at.offset, at.length);
        let bytes = bytes.map_err(|_| Fault::Unreadable("the journal cannot be read"))?;
        Ok(Some((at, bytes)))
    }
}

/// How far the lists are: they show so many of the entries.
fn not_listed_yet(listed: Option<u64>, entries: u64) -> Fault {
    let percent = u128::from(listed.unwrap_or(0)) * 100 / u128::from(entries.max(1));
    // Never all of it, while it is not.
    let percent = u8::try_from(percent.min(99)).unwrap_or(99);
    Fault::NotListedYet { percent }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_for_a_list_that_is_made_again_is_told_how_far_it_is() {
        for (listed, entries, told) in [
            (None, 0, 0),
            (None, 4, 0),
            (Some(1), 4, 25),
            (Some(399), 400, 99),
            (Some(400), 400, 99),
            (Some(u64::MAX), u64::MAX, 99),
        ] {
            match not_listed_yet(listed, entries) {
                Fault::NotListedYet { percent } => assert_eq!(percent, told),
                other => panic!("{other}"),
            }
        }
    }
}
