//! The right edge of the log's tree: what is needed to append and to prove, and no more.
//!
//! The database keeps complete hash tiles; this holds the hashes of the incomplete ones, at most
//! 255 a level. Pure: it reads and writes nothing.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::domain::merkle::{Hash, node_hash};

/// Hashes in a complete tile (C2SP tlog-tiles).
pub(super) const TILE_WIDTH: u64 = 256;
const TILE_BITS: u32 = 8;

/// The incomplete tile of each level, for a log of `size` leaves.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Edge {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

/// A tile that a batch has filled.
pub(super) struct Tile {
    pub(super) level: u32,
    pub(super) index: u64,
    pub(super) root: Hash,
    pub(super) hashes: Vec<Hash>,
}

/// Rows to read in order to know one level of an edge: leaves for level 0, else the roots of the
/// complete tiles one level below.
pub(super) struct Missing {
    pub(super) level: u32,
    pub(super) rows: std::ops::Range<u64>,
}

/// What an edge of `size` leaves is made of, from level 0 up.
pub(super) fn missing(size: u64) -> impl Iterator<Item = Missing> {
    let counts = std::iter::successors(Some((0, size)), |(level, count)| {
        Some((level + 1, count / TILE_WIDTH))
    });
    counts
        .take_while(|(_, count)| *count > 0)
        .map(|(level, count)| Missing {
            level,
            rows: count - count % TILE_WIDTH..count,
        })
}

impl Edge {
    /// From the hashes that [`missing`] asked for. `None` if there are more or fewer.
    pub(super) fn new(size: u64, levels: Vec<Vec<Hash>>) -> Option<Self> {
        let fits = levels.len() == missing(size).count()
            && missing(size)
                .zip(&levels)
                .all(|(asked, got)| asked.rows.count() == got.len());
        fits.then_some(Self { size, levels })
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Appends leaf hashes. The result can prove each of them.
    pub(super) fn grow(&self, leaves: impl IntoIterator<Item = Hash>) -> Grown {
        let mut grown = Grown {
            edge: self.clone(),
            filled: Vec::new(),
            known: HashMap::new(),
        };
        for leaf in leaves {
            grown.append(leaf);
        }
        grown
    }
}

/// An edge after a batch, with the tiles that the batch filled.
pub(super) struct Grown {
    edge: Edge,
    filled: Vec<Tile>,
    /// Subtree hashes by first leaf and width, once computed.
    known: HashMap<(u64, u64), Hash>,
}

impl Grown {
    fn append(&mut self, leaf: Hash) {
        let (mut hash, mut position) = (leaf, self.edge.size);
        for level in 0.. {
            if self.edge.levels.len() <= level {
                self.edge.levels.push(Vec::new());
            }
            let Some(row) = self.edge.levels.get_mut(level) else {
                break;
            };
            row.push(hash);
            if (row.len() as u64) < TILE_WIDTH {
                break;
            }
            let hashes = std::mem::take(row);
            hash = perfect(&hashes);
            position /= TILE_WIDTH;
            self.filled.push(Tile {
                level: level as u32,
                index: position,
                root: hash,
                hashes,
            });
        }
        self.edge.size += 1;
    }

    pub(super) fn root(&mut self) -> Option<Hash> {
        match self.edge.size {
            0 => Some(Sha256::digest([]).into()),
            size => self.range(0, size),
        }
    }

    /// The audit path of a leaf of this batch (RFC 6962, 2.1.1), from its sibling up.
    pub(super) fn inclusion(&mut self, index: u64) -> Option<Vec<Hash>> {
        let (mut low, mut high, mut path) = (0, self.edge.size, Vec::new());
        if index >= high {
            return None;
        }
        while high - low > 1 {
            let middle = low + split(high - low);
            if index < middle {
                path.push(self.range(middle, high)?);
                high = middle;
            } else {
                path.push(self.range(low, middle)?);
                low = middle;
            }
        }
        path.reverse();
        Some(path)
    }

    pub(super) fn finish(self) -> (Edge, Vec<Tile>) {
        (self.edge, self.filled)
    }

    /// The hash of leaves `low..high`, a subtree of the RFC 6962 tree.
    fn range(&mut self, low: u64, high: u64) -> Option<Hash> {
        if let Some(hash) = self.known.get(&(low, high)) {
            return Some(*hash);
        }
        let width = high - low;
        let stored = width.is_power_of_two().then(|| self.stored(low, width));
        let hash = match stored.flatten() {
            Some(hash) => hash,
            None if width < 2 => return None,
            None => {
                let middle = low + split(width);
                node_hash(&self.range(low, middle)?, &self.range(middle, high)?)
            }
        };
        self.known.insert((low, high), hash);
        Some(hash)
    }

    /// A complete subtree whose root is itself in a tile: its width is a power of 256.
    fn stored(&self, low: u64, width: u64) -> Option<Hash> {
        let height = width.trailing_zeros();
        if !height.is_multiple_of(TILE_BITS) {
            return None;
        }
        let (level, position) = (height / TILE_BITS, low >> height);
        let place = usize::try_from(position % TILE_WIDTH).ok()?;
        let index = position / TILE_WIDTH;
        let current = self.edge.size >> height >> TILE_BITS;
        if index == current {
            return self.edge.levels.get(level as usize)?.get(place).copied();
        }
        let tile = |tile: &&Tile| (tile.level, tile.index) == (level, index);
        self.filled.iter().find(tile)?.hashes.get(place).copied()
    }
}

/// The root over a complete tile.
fn perfect(hashes: &[Hash]) -> Hash {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        let (pairs, _) = row.as_chunks::<2>();
        row = pairs.iter().map(|[l, r]| node_hash(l, r)).collect();
    }
    row.first().copied().unwrap_or_default()
}

/// The largest power of two below `width`, which is at least 2.
fn split(width: u64) -> u64 {
    1 << (width - 1).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::merkle::{Tree, leaf_hash};
    use proptest::prelude::*;

    fn leaf(index: u64) -> Hash {
        leaf_hash(&index.to_be_bytes())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn the_edge_agrees_with_the_whole_tree(
            start in prop_oneof![0..600_u64, 65_400..65_600_u64],
            batches in proptest::collection::vec(1..256_u64, 1..4),
        ) {
            let mut tree = Tree::new();
            let mut edge = Edge::default().grow((0..start).map(leaf)).finish().0;
            (0..start).for_each(|index| { tree.append_hash(leaf(index)); });
            for count in batches {
                let first = edge.size();
                let mut grown = edge.grow((first..first + count).map(leaf));
                (first..first + count).for_each(|index| { tree.append_hash(leaf(index)); });
                prop_assert_eq!(grown.root(), Some(tree.root()));
                for index in first..first + count {
                    prop_assert_eq!(grown.inclusion(index), tree.inclusion(index, tree.size()));
                }
                let (next, filled) = grown.finish();
                for tile in filled {
                    let row = tree.row(tile.level * 8, tile.index * TILE_WIDTH, TILE_WIDTH);
                    prop_assert_eq!(Some(&tile.hashes[..]), row);
                }
                let levels = missing(next.size()).map(|asked| {
                    let count = asked.rows.end - asked.rows.start;
                    tree.row(asked.level * 8, asked.rows.start, count).unwrap().to_vec()
                });
                edge = Edge::new(next.size(), levels.collect()).unwrap();
                prop_assert!(edge == next);
            }
        }
    }
}
