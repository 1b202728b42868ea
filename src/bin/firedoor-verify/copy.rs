//! A copy of the log: its entries, their hashes as the tiles give them, and the tree they make.
//!
//! Nothing in a copy is believed until the tree gives the signed root.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::thread;

use firedoor::domain::leaf::{BadLeaf, LEAF_BYTES, Leaf};
use firedoor::domain::time::When;
use tlog_tiles::{Hash, HashReader};

use super::own::{MARK_AT, MARK_BYTES, Mark};
use super::report::{Report, changed, read_file, unknown};
use super::walk::tile_path;

/// Hashes in a full tile, entries in a full bundle.
pub const TILE_WIDTH: u64 = 256;
/// An entry and the two bytes of its length.
pub const RECORD_BYTES: usize = 2 + LEAF_BYTES;
/// No bundle or tile is larger than a full bundle.
pub const TILE_BYTES_MAX: usize = RECORD_BYTES * TILE_WIDTH as usize;
/// A copy that lacks more bundles than this is not read further, whatever size its head names.
const MISSING_MAX: usize = 1_000;
/// Most threads that read and hash.
const THREADS_MAX: usize = 8;

/// What a copy of the log says about one entry.
pub enum Entry {
    Missing,
    /// Its length is not that of an entry.
    Broken,
    Hash(Hash),
}

/// The entries and level-0 hashes of a copy of the log, not yet believed.
#[derive(Default)]
pub struct Copy {
    pub entries: Vec<Entry>,
    pub hashes: Vec<Option<Hash>>,
    /// What each entry says of its own time; nothing of the kind for what is no entry.
    pub times: Vec<When>,
    /// The mark of each entry's organisation (see [`super::own`]); zeros for what is no entry.
    pub marks: Vec<Mark>,
    pub missing: Vec<String>,
    /// The first entry that breaks the log's own rules.
    pub odd: Option<Report>,
    /// The bundles that hold just these entries, so that they need not be compared with them.
    pub bundles: BTreeSet<String>,
}

impl Copy {
    /// Reads the first `size` entries, in as many threads as there are processors.
    pub fn read(dir: &Path, size: u64) -> Result<Self, Report> {
        let bundles = size.div_ceil(TILE_WIDTH);
        let threads =
            thread::available_parallelism().map_or(1, |count| count.get().min(THREADS_MAX));
        let share = bundles.div_ceil(threads as u64).max(1);
        let parts: Vec<Result<Self, Report>> = thread::scope(|scope| {
            let firsts = (0..threads as u64).map(|turn| turn.saturating_mul(share));
            let started: Vec<_> = firsts
                .filter(|first| *first < bundles)
                .map(|first| first..bundles.min(first.saturating_add(share)))
                .map(|range| scope.spawn(move || Self::part(dir, size, range)))
                .collect();
            let ended = started.into_iter().map(|part| part.join());
            ended
                .map(|part| part.unwrap_or_else(|_| Err(unknown("The copy could not be read."))))
                .collect()
        });
        let mut copy = Self::default();
        for part in parts {
            copy.append(part?);
        }
        Ok(copy)
    }

    fn part(dir: &Path, size: u64, range: Range<u64>) -> Result<Self, Report> {
        let mut copy = Self::default();
        for index in range {
            let width = TILE_WIDTH.min(size - index * TILE_WIDTH);
            let records = read_tile(dir, "entries", index, width, RECORD_BYTES)?;
            let hashes = read_tile(dir, "0", index, width, size_of::<Hash>())?;
            let whole = records
                .as_ref()
                .map_or(&[][..], |records| &records.bytes)
                .chunks_exact(RECORD_BYTES);
            let found = whole.len() as u64;
            if found < width {
                let path = tile_path("entries", index, width);
                copy.missing.push(match records {
                    None => format!("{path} is not there"),
                    Some(_) => format!(
                        "{path} is cut short at entry {}",
                        index * TILE_WIDTH + found
                    ),
                });
                if copy.missing.len() > MISSING_MAX {
                    return Err(unknown(format!(
                        "This copy of the log is incomplete, so nothing is proved about it: {}, and \
                         more than {MISSING_MAX} others.",
                        copy.missing.first().map_or("", String::as_str)
                    )));
                }
            }
            let mut whole = whole;
            let mut hashes = hashes
                .as_ref()
                .map_or(&[][..], |hashes| &hashes.bytes)
                .chunks_exact(size_of::<Hash>());
            for place in 0..width {
                copy.add(index * TILE_WIDTH + place, whole.next());
                copy.hashes.push(
                    hashes
                        .next()
                        .and_then(|hash| Some(Hash(hash.try_into().ok()?))),
                );
            }
            copy.bundles.extend(
                records
                    .filter(|records| records.exact && found == width)
                    .map(|records| records.path),
            );
        }
        Ok(copy)
    }

    fn append(&mut self, mut next: Self) {
        let boundary = self.times.last().zip(next.times.first());
        if self.odd.is_none() && boundary.is_some_and(|(before, after)| after < before) {
            self.odd = Some(went_back(self.entries.len() as u64));
        }
        self.odd = self.odd.take().or(next.odd);
        self.entries.append(&mut next.entries);
        self.hashes.append(&mut next.hashes);
        self.times.append(&mut next.times);
        self.marks.append(&mut next.marks);
        self.missing.append(&mut next.missing);
        self.bundles.append(&mut next.bundles);
    }

    fn add(&mut self, index: u64, record: Option<&[u8]>) {
        let mut when = None;
        let mut mark = [0; MARK_BYTES];
        let entry = match record.map(|record| record.split_at_checked(2)) {
            None => Entry::Missing,
            Some(Some(([1, 0], entry))) => {
                match self.rules(index, entry) {
                    Ok(own) => when = Some(own),
                    Err(odd) => self.odd = self.odd.take().or(Some(odd)),
                }
                let rest = entry.split_at_checked(MARK_AT).map(|(_, rest)| rest);
                if let Some(own) = rest.and_then(|rest| rest.first_chunk::<MARK_BYTES>()) {
                    mark = *own;
                }
                Entry::Hash(tlog_tiles::record_hash(entry))
            }
            Some(_) => Entry::Broken,
        };
        self.marks.push(mark);
        // What has no time of its own moves none.
        let before = self.times.last().copied();
        self.times
            .push(when.or(before).unwrap_or(When::from_millis(0)));
        self.entries.push(entry);
    }

    fn rules(&self, index: u64, entry: &[u8]) -> Result<When, Report> {
        let leaf = Leaf::parse(entry).map_err(|error| match error {
            BadLeaf::Version | BadLeaf::Class => unknown(format!(
                "Entry {index} was written by a newer version: use a newer firedoor-verify."
            )),
            BadLeaf::Length | BadLeaf::Time => {
                against_rules(index, "it is not in the form of an entry")
            }
        })?;
        if self.times.last().is_some_and(|last| leaf.when() < *last) {
            return Err(went_back(index));
        }
        if leaf.link().is_some_and(|earlier| earlier >= index) {
            return Err(against_rules(
                index,
                "it follows up an entry that comes after it",
            ));
        }
        Ok(leaf.when())
    }

    pub fn all_entries(&self) -> Option<Vec<Hash>> {
        let known = self.entries.iter().map(|entry| match entry {
            Entry::Hash(hash) => Some(*hash),
            Entry::Missing | Entry::Broken => None,
        });
        known.collect()
    }
}

fn against_rules(index: u64, why: &str) -> Report {
    changed(format!(
        "The log breaks its own rules at entry {index}: {why}."
    ))
}

fn went_back(index: u64) -> Report {
    against_rules(index, "its time is before that of the entry before it")
}

/// The hashes of a tree, in the order of `tlog_tiles`.
pub struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        let hashes: Option<Vec<Hash>> = indexes.iter().map(|index| self.at(*index)).collect();
        hashes.ok_or(tlog_tiles::Error::IndexesNotInTree)
    }
}

impl Stored {
    pub fn build(leaves: Vec<Hash>) -> Result<Self, Report> {
        let mut stored = Self(Vec::with_capacity(leaves.len() * 2));
        for (index, leaf) in leaves.into_iter().enumerate() {
            let more = tlog_tiles::stored_hashes_for_record_hash(index as u64, leaf, &stored);
            stored
                .0
                .extend(more.map_err(|_| unknown("The tree could not be computed."))?);
        }
        Ok(stored)
    }

    fn at(&self, index: u64) -> Option<Hash> {
        self.0.get(usize::try_from(index).ok()?).copied()
    }

    pub fn proves(&self, size: u64, root: &Hash) -> bool {
        tlog_tiles::tree_hash(size, self).is_ok_and(|hash| hash == *root)
    }

    /// The `place`-th hash of a level of tiles, in a tree of `size`; `None` beyond its edge.
    pub fn tile_hash(&self, level: u8, place: u64, size: u64) -> Option<Hash> {
        let span = 1_u64.checked_shl(u32::from(level) * 8)?;
        place
            .checked_add(1)?
            .checked_mul(span)
            .filter(|end| *end <= size)?;
        self.at(tlog_tiles::stored_hash_index(level * 8, place))
    }
}

/// The first parts of a bundle or tile.
struct Tile {
    path: String,
    bytes: Vec<u8>,
    /// Nothing follows these parts in the file.
    exact: bool,
}

/// The first `width` parts of a bundle or tile, from the partial file or else the full one.
fn read_tile(
    dir: &Path,
    kind: &str,
    index: u64,
    width: u64,
    step: usize,
) -> Result<Option<Tile>, Report> {
    let mut path = tile_path(kind, index, width);
    let mut found = read_file(&dir.join(&path), TILE_BYTES_MAX)?;
    if found.is_none() && width < TILE_WIDTH {
        path = tile_path(kind, index, TILE_WIDTH);
        found = read_file(&dir.join(&path), TILE_BYTES_MAX)?;
    }
    let length = width as usize * step;
    Ok(found.map(|mut bytes| {
        let exact = bytes.len() == length;
        bytes.truncate(length);
        Tile { path, bytes, exact }
    }))
}
