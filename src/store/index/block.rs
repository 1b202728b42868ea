//! What one batch changes in one list, and the blocks that come of it. Knows nothing of sled.

use std::collections::{BTreeSet, HashMap};

use super::{ListChange, ListKey};
use crate::domain::decision::Listed;
use crate::domain::id::Id;

/// A block is read and written whole; 64 entries are 2 KiB.
const BLOCK_ENTRIES_MAX: usize = 64;

/// at 8 | index 8 | item 16, all big-endian: the order of the list.
pub type Entry = [u8; ENTRY_BYTES];
pub const ENTRY_BYTES: usize = 32;

pub fn entry(of: &Listed) -> Entry {
    let mut entry = Entry::default();
    let (at, index) = (of.at.to_be_bytes(), of.index.to_be_bytes());
    let bytes = at.iter().chain(&index).chain(of.item.bytes());
    entry
        .iter_mut()
        .zip(bytes)
        .for_each(|(to, from)| *to = *from);
    entry
}

pub fn listed(entry: &Entry) -> Listed {
    Listed {
        at: number(entry, 0),
        index: number(entry, 8),
        item: item(entry),
    }
}

/// The entries of a block.
pub fn entries(stored: &[u8]) -> &[Entry] {
    stored.as_chunks().0
}

fn item(entry: &Entry) -> Id {
    let item = entry.last_chunk::<16>();
    Id::from_bytes(item.copied().unwrap_or_default())
}

fn number(entry: &Entry, at: usize) -> u64 {
    let bytes = entry.get(at..).and_then(<[u8]>::first_chunk);
    u64::from_be_bytes(bytes.copied().unwrap_or_default())
}

/// What changes in one list.
#[derive(Default)]
pub struct ListChanges {
    added: BTreeSet<Entry>,
    /// Items that are taken off, and the leaf that does it: what was listed after it stays.
    removed: HashMap<Id, u64>,
}

/// The same changes, list by list.
pub fn by_list(changes: &[(u64, ListChange)]) -> HashMap<ListKey, ListChanges> {
    let mut lists = HashMap::<ListKey, ListChanges>::new();
    for (index, change) in changes {
        match *change {
            ListChange::Add { list, at, item } => {
                let index = *index;
                let added = entry(&Listed { at, index, item });
                lists.entry(list).or_default().added.insert(added);
            }
            ListChange::RemoveAll { list, item: gone } => {
                let changes = lists.entry(list).or_default();
                changes.added.retain(|entry| item(entry) != gone);
                changes.removed.insert(gone, *index);
            }
        }
    }
    lists
}

impl ListChanges {
    pub fn removes(&self) -> bool {
        !self.removed.is_empty()
    }

    /// In order.
    pub fn added(&self) -> Vec<Entry> {
        self.added.iter().copied().collect()
    }

    /// The blocks that take the place of `stored`, with `added`, which belongs there, up to the
    /// block that begins with `next`; none if nothing is left, and `None` if nothing changes.
    pub fn rewrite(
        &self,
        stored: &[u8],
        next: Option<&Entry>,
        added: &[Entry],
    ) -> Option<Vec<Vec<Entry>>> {
        let gone = |entry: &Entry| {
            let last = self.removed.get(&item(entry));
            let removed = last.is_some_and(|last| number(entry, 8) <= *last);
            removed || next.is_some_and(|next| entry >= next)
        };
        let stored = entries(stored);
        if added.is_empty() && (!self.removes() || !stored.iter().any(gone)) {
            return None;
        }
        let mut all: Vec<Entry> = stored
            .iter()
            .filter(|entry| !gone(entry))
            .copied()
            .collect();
        let appended = all.last() < added.first();
        all.extend(added);
        all.sort();
        all.dedup();
        // Lists mostly grow at their end, where full blocks stay full; elsewhere each is left room.
        let width = match appended {
            true => BLOCK_ENTRIES_MAX,
            false => all
                .len()
                .div_ceil(all.len().div_ceil(BLOCK_ENTRIES_MAX).max(1)),
        };
        Some(all.chunks(width.max(1)).map(<[Entry]>::to_vec).collect())
    }
}
