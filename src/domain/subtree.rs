//! What a root of the log is made of: complete subtrees, and where each lies in the tiles.
//!
//! Complete subtrees never change while the log grows, so two heads agree if one list of them leads
//! to both roots (RFC 6962, 2.1). `firedoor-verify` must never call this module, nor `merkle`.

use sha2::{Digest, Sha256};

use super::merkle::{Hash, node_hash};
use super::tiles::{TILE_WIDTH, TileKind, TilePath};

/// A tile holds the hashes of every eighth level.
const LEVELS: u32 = 8;

/// A complete subtree: `2^level` leaves from `index * 2^level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subtree {
    pub level: u32,
    pub index: u64,
}

impl Subtree {
    /// The file that holds it, in a log of `size` leaves. `None` if the log is not that large.
    pub fn tile(&self, size: u64) -> Option<TilePath> {
        let level = self.level / LEVELS;
        let (first, count) = self.row()?;
        let index = first / TILE_WIDTH;
        let there = size
            .checked_shr(level.checked_mul(LEVELS)?)
            .unwrap_or(0)
            .checked_sub(index.checked_mul(TILE_WIDTH)?)?;
        let tile = TilePath {
            kind: TileKind::Hashes { level },
            index,
            width: there.min(TILE_WIDTH),
        };
        (first % TILE_WIDTH + count <= tile.width).then_some(tile)
    }

    /// Its hash, from the bytes of a tile that holds it: what lies between two levels of tiles is
    /// hashed again.
    pub fn hash_in(&self, tile: &[u8]) -> Option<Hash> {
        let (first, count) = self.row()?;
        let skip = usize::try_from(first % TILE_WIDTH).ok()?;
        let count = usize::try_from(count).ok()?;
        let (hashes, rest) = tile.as_chunks::<32>();
        if !rest.is_empty() {
            return None;
        }
        let mut row = hashes.get(skip..skip + count)?.to_vec();
        while row.len() > 1 {
            let (pairs, _) = row.as_chunks::<2>();
            row = pairs
                .iter()
                .map(|[left, right]| node_hash(left, right))
                .collect();
        }
        row.first().copied()
    }

    /// The hashes that it is made of, in the level that tiles hold: the first, and how many.
    pub fn row(&self) -> Option<(u64, u64)> {
        let count = 1_u64 << (self.level % LEVELS);
        Some((self.index.checked_mul(count)?, count))
    }
}

/// The fewest complete subtrees that hold leaves `from..to`, from left to right.
pub fn cover(from: u64, to: u64) -> Vec<Subtree> {
    let mut from = from;
    let mut subtrees = Vec::new();
    while from < to {
        // No larger than what is left, and only where such a subtree begins.
        let level = (to - from).ilog2().min(from.trailing_zeros());
        subtrees.push(Subtree {
            level,
            index: from >> level,
        });
        from += 1 << level;
    }
    subtrees
}

/// The root over subtrees that lie side by side from the first leaf on, as [`cover`] gives them.
pub fn root(of: &[(Subtree, Hash)]) -> Hash {
    let mut done: Vec<(u32, Hash)> = Vec::new();
    for (subtree, hash) in of {
        let (mut level, mut hash) = (subtree.level, *hash);
        while let Some((_, left)) = done.pop_if(|(last, _)| *last == level) {
            hash = node_hash(&left, &hash);
            level += 1;
        }
        done.push((level, hash));
    }
    let hashes = done.iter().rev().map(|(_, hash)| *hash);
    hashes
        .reduce(|right, left| node_hash(&left, &right))
        .unwrap_or_else(|| Sha256::digest([]).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::merkle::{Tree, leaf_hash};
    use proptest::prelude::*;

    fn tree(size: u64) -> Tree {
        let mut tree = Tree::new();
        for leaf in 0..size {
            tree.append_hash(leaf_hash(&leaf.to_be_bytes()));
        }
        tree
    }

    fn from_tiles(tree: &Tree, subtrees: &[Subtree]) -> Vec<(Subtree, Hash)> {
        let hash = |subtree: &Subtree| {
            let tile = subtree.tile(tree.size()).unwrap();
            subtree.hash_in(&tile.hashes(tree).unwrap()).unwrap()
        };
        subtrees.iter().map(|one| (*one, hash(one))).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn one_list_of_subtrees_leads_to_both_roots(size in 0_u64..1_200, at: prop::sample::Index) {
            let (tree, old) = (tree(size), at.index(size as usize + 1) as u64);
            let before = cover(0, old);
            let all = from_tiles(&tree, &[before.clone(), cover(old, size)].concat());
            prop_assert_eq!(root(&all), tree.root());
            prop_assert_eq!(root(&all[..before.len()]), tree.root_at(old).unwrap());
        }

        #[test]
        fn a_cover_is_whole_and_nothing_overlaps(from in 0_u64..5_000, more in 0_u64..5_000) {
            let mut next = from;
            for one in cover(from, from + more) {
                prop_assert_eq!(one.index << one.level, next);
                next += 1 << one.level;
            }
            prop_assert_eq!(next, from + more);
        }
    }

    #[test]
    fn what_the_log_does_not_have_lies_in_no_tile() {
        let one = Subtree { level: 3, index: 4 };
        assert_eq!(one.tile(39), None);
        assert_eq!(one.tile(40).unwrap().to_string(), "tile/0/000.p/40");
        let high = Subtree { level: 8, index: 0 };
        assert_eq!(high.tile(70_000).unwrap().to_string(), "tile/1/000");
        assert_eq!(one.hash_in(&[0; 39 * 32]), None);
        assert_eq!(one.hash_in(&[0; 40 * 32 + 1]), None);
        let huge = Subtree {
            level: 63,
            index: u64::MAX,
        };
        assert_eq!(huge.tile(u64::MAX), None);
        assert_eq!(cover(0, u64::MAX).len(), 64);
    }
}
