//! A copy of the log: its entries, their hashes as the tiles give them, and the tree they make.
//!
//! Nothing in a copy is believed until the tree gives the signed root.

use std::path::Path;

use firedoor::domain::leaf::{BadLeaf, LEAF_BYTES, Leaf};
use firedoor::domain::time::When;
use tlog_tiles::{Hash, HashReader};

use super::report::{Report, changed, read_file, unknown};
use super::walk::tile_path;

/// Hashes in a full tile, entries in a full bundle.
pub const TILE_WIDTH: u64 = 256;
/// An entry and the two bytes of its length.
pub const RECORD_BYTES: usize = 2 + LEAF_BYTES;
/// No bundle or tile is larger than a full bundle.
pub const TILE_BYTES_MAX: usize = RECORD_BYTES * TILE_WIDTH as usize;

/// What a copy of the log says about one entry.
pub enum Entry {
    Missing,
    /// Its length is not that of an entry.
    Broken,
    Hash(Hash),
}

/// The entries and level-0 hashes of a copy of the log, not yet believed.
pub struct Copy {
    pub entries: Vec<Entry>,
    pub hashes: Vec<Option<Hash>>,
    pub missing: Vec<String>,
    /// The first entry that breaks the log's own rules.
    pub odd: Option<Report>,
    pub first: Option<When>,
    pub last: Option<When>,
}

impl Copy {
    pub fn read(dir: &Path, size: u64) -> Result<Self, Report> {
        let mut copy = Self {
            entries: Vec::new(),
            hashes: Vec::new(),
            missing: Vec::new(),
            odd: None,
            first: None,
            last: None,
        };
        for index in 0..size.div_ceil(TILE_WIDTH) {
            let width = TILE_WIDTH.min(size - index * TILE_WIDTH);
            let records = read_tile(dir, "entries", index, width, RECORD_BYTES)?;
            let hashes = read_tile(dir, "0", index, width, size_of::<Hash>())?.unwrap_or_default();
            let mut hashes = hashes.chunks_exact(size_of::<Hash>());
            let whole = records
                .as_deref()
                .unwrap_or_default()
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
            }
            let mut whole = whole;
            for _ in 0..width {
                copy.add(whole.next());
                copy.hashes.push(
                    hashes
                        .next()
                        .and_then(|hash| Some(Hash(hash.try_into().ok()?))),
                );
            }
        }
        Ok(copy)
    }

    fn add(&mut self, record: Option<&[u8]>) {
        let index = self.entries.len() as u64;
        let entry = match record.map(|record| record.split_at_checked(2)) {
            None => Entry::Missing,
            Some(Some(([1, 0], entry))) => {
                if self.odd.is_none() {
                    self.odd = self.rules(index, entry).err();
                }
                Entry::Hash(tlog_tiles::record_hash(entry))
            }
            Some(_) => Entry::Broken,
        };
        self.entries.push(entry);
    }

    fn rules(&mut self, index: u64, entry: &[u8]) -> Result<(), Report> {
        let broken = |why| {
            changed(format!(
                "The log breaks its own rules at entry {index}: {why}."
            ))
        };
        let leaf = Leaf::parse(entry).map_err(|error| match error {
            BadLeaf::Version | BadLeaf::Class => unknown(format!(
                "Entry {index} was written by a newer version: use a newer firedoor-verify."
            )),
            BadLeaf::Length | BadLeaf::Time => broken("it is not in the form of an entry"),
        })?;
        if self.last.is_some_and(|last| leaf.when() < last) {
            return Err(broken("its time is before that of the entry before it"));
        }
        if leaf.link().is_some_and(|earlier| earlier >= index) {
            return Err(broken("it follows up an entry that comes after it"));
        }
        self.first = self.first.or(Some(leaf.when()));
        self.last = Some(leaf.when());
        Ok(())
    }

    pub fn all_entries(&self) -> Option<Vec<Hash>> {
        let known = self.entries.iter().map(|entry| match entry {
            Entry::Hash(hash) => Some(*hash),
            Entry::Missing | Entry::Broken => None,
        });
        known.collect()
    }
}

/// The hashes of a tree, in the order of `tlog_tiles`.
pub struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        let get = |index: &u64| self.0.get(usize::try_from(*index).ok()?).copied();
        let hashes: Option<Vec<Hash>> = indexes.iter().map(get).collect();
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
        let index = tlog_tiles::stored_hash_index(level * 8, place);
        self.read_hashes(&[index]).ok()?.first().copied()
    }
}

/// The first `width` parts of a bundle or tile, from the partial file or else the full one.
fn read_tile(
    dir: &Path,
    kind: &str,
    index: u64,
    width: u64,
    step: usize,
) -> Result<Option<Vec<u8>>, Report> {
    let exact = read_file(&dir.join(tile_path(kind, index, width)), TILE_BYTES_MAX)?;
    let found = match exact {
        None if width < TILE_WIDTH => read_file(
            &dir.join(tile_path(kind, index, TILE_WIDTH)),
            TILE_BYTES_MAX,
        )?,
        found => found,
    };
    Ok(found.map(|mut bytes| {
        bytes.truncate(width as usize * step);
        bytes
    }))
}
