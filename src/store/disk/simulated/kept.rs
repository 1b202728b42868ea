//! What a disk holds of files and directories, and what is left of it after a power cut.

use std::collections::BTreeMap;

use super::Dice;

const SECTOR_BYTES: usize = 512;
/// A write that was interrupted within a sector ends at a multiple of this, as a copy of cache lines
/// would.
const PIECE_BYTES: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    Dir,
    File(u64),
}

#[derive(Default)]
pub(super) struct Dir {
    pub(super) durable: BTreeMap<String, Node>,
    pub(super) now: BTreeMap<String, Node>,
    /// What was done since the last sync, in order.
    pub(super) unsynced: Vec<Named>,
}

#[derive(Clone)]
pub(super) enum Named {
    Made(String, Node),
    Moved(String, String, Node),
    Removed(String),
}

#[derive(Default)]
pub(super) struct Inode {
    durable: Vec<u8>,
    durable_length: usize,
    pub(super) now: Vec<u8>,
    pub(super) length: usize,
    /// The contents of each sector since its last sync, oldest first.
    pub(super) unsynced: BTreeMap<usize, Versions>,
    lengths: Vec<usize>,
}

#[derive(Default)]
pub(super) struct Versions {
    contents: Vec<[u8; SECTOR_BYTES]>,
    /// A sync of these failed, so that the system counts them as written.
    pub(super) given_up: bool,
}

impl Dir {
    pub(super) fn apply(&mut self, change: Named) {
        change.clone().on(&mut self.now);
        self.unsynced.push(change);
    }

    pub(super) fn cut(&mut self, dice: &mut Dice) {
        let kept = dice.roll(4);
        for change in std::mem::take(&mut self.unsynced) {
            let keep = match kept {
                0 => false,
                1 => true,
                _ => dice.once_in(2),
            };
            if keep {
                change.on(&mut self.durable);
            }
        }
        self.now = self.durable.clone();
    }
}

impl Named {
    fn on(self, names: &mut BTreeMap<String, Node>) {
        match self {
            Self::Made(name, node) => drop(names.insert(name, node)),
            Self::Moved(from, to, node) => {
                // The old name may hold another file by now, if only this change was kept.
                if names.get(&from) == Some(&node) {
                    names.remove(&from);
                }
                names.insert(to, node);
            }
            Self::Removed(name) => drop(names.remove(&name)),
        }
    }
}

impl Inode {
    pub(super) fn write(&mut self, bytes: &[u8], from: usize) {
        if bytes.is_empty() {
            return;
        }
        let to = from + bytes.len();
        if to > self.length {
            self.length = to;
            self.lengths.push(to);
            let whole = to.next_multiple_of(SECTOR_BYTES);
            self.now.resize(whole.max(self.now.len()), 0);
        }
        self.now[from..to].copy_from_slice(bytes);
        self.touch(from / SECTOR_BYTES..to.div_ceil(SECTOR_BYTES));
    }

    pub(super) fn set_length(&mut self, length: usize) {
        self.length = length;
        self.lengths.push(length);
        let changed = length / SECTOR_BYTES..self.now.len() / SECTOR_BYTES;
        self.now[length..].fill(0);
        self.touch(changed);
    }

    fn touch(&mut self, sectors: std::ops::Range<usize>) {
        for sector in sectors {
            let versions = self.unsynced.entry(sector).or_default();
            let at = sector * SECTOR_BYTES;
            let content = self.now[at..at + SECTOR_BYTES].try_into().unwrap();
            versions.contents.push(content);
            versions.given_up = false;
        }
    }

    pub(super) fn sync(&mut self, with_length: bool) {
        self.durable
            .resize(self.now.len().max(self.durable.len()), 0);
        self.unsynced.retain(|sector, versions| {
            if !versions.given_up
                && let Some(last) = versions.contents.last()
            {
                let at = sector * SECTOR_BYTES;
                self.durable[at..at + SECTOR_BYTES].copy_from_slice(last);
            }
            versions.given_up
        });
        if with_length {
            self.durable_length = self.length;
            self.lengths.clear();
        }
    }

    pub(super) fn cut(&mut self, dice: &mut Dice) {
        self.durable
            .resize(self.now.len().max(self.durable.len()), 0);
        // Everything, nothing, the first sectors only, or each as it comes.
        let kept = dice.roll(5);
        let last = self.unsynced.keys().next_back().copied().unwrap_or(0);
        let until = dice.roll(last as u64 + 1) as usize;
        let torn = dice.roll(last as u64 + 1) as usize;
        for (sector, versions) in std::mem::take(&mut self.unsynced) {
            let count = versions.contents.len();
            let chosen = match kept {
                0 => 0,
                1 => count,
                2 if sector <= until => count,
                2 => 0,
                _ => dice.roll(count as u64 + 1) as usize,
            };
            let place = &mut self.durable[sector * SECTOR_BYTES..][..SECTOR_BYTES];
            if let Some(content) = chosen.checked_sub(1).map(|at| &versions.contents[at]) {
                // The bytes that were written first, or those that came last.
                let cut = match sector == torn && dice.once_in(4) {
                    true => dice.roll((SECTOR_BYTES / PIECE_BYTES) as u64) as usize * PIECE_BYTES,
                    false => SECTOR_BYTES,
                };
                place[..cut].copy_from_slice(&content[..cut]);
            }
        }
        let mut length = self.durable_length;
        for next in std::mem::take(&mut self.lengths) {
            length = match dice.roll(4) {
                0 => length,
                1 => (length.min(next) + dice.roll(length.abs_diff(next) as u64 + 1) as usize)
                    .next_multiple_of(SECTOR_BYTES)
                    .min(length.max(next)),
                _ => next,
            };
        }
        (self.length, self.durable_length) = (length, length);
        self.durable.truncate(length);
        self.durable
            .resize(length.next_multiple_of(SECTOR_BYTES), 0);
        self.now = self.durable.clone();
    }
}
