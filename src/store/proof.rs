//! Proofs from the tiles of the log: that a leaf is in it, for receipts that are asked for again (new
//! leaves get theirs from the commit itself); and that it has only grown, for witnesses.

use super::{Fault, Store};
use crate::domain::logged::Inclusion;
use crate::domain::merkle::{Hash, node_hash};
use crate::domain::subtree::{Subtree, cover};
use crate::domain::tiles::TILE_WIDTH;

const DAMAGED: Fault = Fault::Unreadable("a hash tile of the log");

/// The siblings on the way from leaf `index` to the root of `size` leaves, lowest first.
fn siblings(index: u64, size: u64) -> Vec<Vec<Subtree>> {
    let (mut from, mut to) = (0, size);
    let mut path = Vec::new();
    while to - from > 1 {
        // The largest power of two smaller than the number of leaves.
        let left = 1 << (to - from - 1).ilog2();
        let middle = from + left;
        if index < middle {
            path.push(cover(middle, to));
            to = middle;
        } else {
            path.push(cover(from, middle));
            from = middle;
        }
    }
    path.reverse();
    path
}

/// The parts of the proof that the tree of `old` leaves is the beginning of that of `size`
/// (RFC 6962 2.1.2), in its order. Empty if either tells nothing.
fn between(old: u64, size: u64) -> Vec<Vec<Subtree>> {
    let (mut from, mut to, mut rest) = (0, size, old);
    let mut path = Vec::new();
    // Whether the old tree so far is one whole side, which whoever asks has already.
    let mut known = true;
    while rest > 0 && rest < to - from {
        let left = 1 << (to - from - 1).ilog2();
        let middle = from + left;
        if rest <= left {
            path.push(cover(middle, to));
            to = middle;
        } else {
            path.push(cover(from, middle));
            (from, rest, known) = (middle, rest - left, false);
        }
    }
    if rest > 0 && !known {
        path.push(cover(from, to));
    }
    path.reverse();
    path
}

impl Store {
    /// The proof that the tree of `old` leaves is the beginning of that of `size`, which the log must
    /// have reached (C2SP tlog-witness asks for it). Empty for the same size, and from nothing.
    ///
    /// # Errors
    /// The log cannot be read, or is not so large.
    pub async fn consistency(&self, old: u64, size: u64) -> Result<Vec<Hash>, Fault> {
        let mut hashes = Vec::new();
        for part in between(old.min(size), size) {
            hashes.push(self.hash_of(&part).await?);
        }
        Ok(hashes)
    }

    /// The proof that leaf `index` is in the newest signed tree; `None` if there is no such leaf.
    pub async fn inclusion(&self, index: u64) -> Result<Option<Inclusion>, Fault> {
        let checkpoint = self.checkpoint().await?;
        // The size is the second line of the note (C2SP tlog-checkpoint).
        let size = checkpoint
            .lines()
            .nth(1)
            .and_then(|line| line.parse::<u64>().ok());
        let Some(size) = size.filter(|size| index < *size) else {
            return Ok(None);
        };
        let mut hashes = Vec::new();
        for sibling in siblings(index, size) {
            hashes.push(self.hash_of(&sibling).await?);
        }
        Ok(Some(Inclusion {
            index,
            hashes,
            checkpoint: checkpoint.into(),
        }))
    }

    /// The root over the first `size` leaves, at least one.
    pub async fn root_of_first(&self, size: u64) -> Result<Hash, Fault> {
        self.hash_of(&cover(0, size)).await
    }

    /// The signed checkpoint of a tree that this log has had. It is consistent with every other
    /// one, so it says nothing new; it can be handed to whoever checks what follows from its root.
    pub fn note_of_first(&self, size: u64, root: &Hash) -> String {
        self.log().sign(size, root)
    }

    async fn hash_of(&self, subtrees: &[Subtree]) -> Result<Hash, Fault> {
        let mut hash = None;
        for subtree in subtrees.iter().rev() {
            let left = self.subtree(*subtree).await?;
            hash = Some(hash.map_or(left, |right| node_hash(&left, &right)));
        }
        hash.ok_or(DAMAGED)
    }

    async fn subtree(&self, subtree: Subtree) -> Result<Hash, Fault> {
        let (first, count) = subtree.row().ok_or(DAMAGED)?;
        let level = u8::try_from(subtree.level / 8).map_err(|_| DAMAGED)?;
        let width = u16::try_from(first % TILE_WIDTH + count).map_err(|_| DAMAGED)?;
        let tile = self.tile(level, first / TILE_WIDTH, width).await?;
        subtree.hash_in(&tile.ok_or(DAMAGED)?).ok_or(DAMAGED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::merkle::{Tree, leaf_hash};
    use proptest::prelude::*;

    fn hash(tree: &Tree, subtrees: &[Subtree]) -> Hash {
        let mut of = subtrees
            .iter()
            .rev()
            .map(|subtree| tree.row(subtree.level, subtree.index, 1).unwrap()[0]);
        let last = of.next().unwrap();
        of.fold(last, |right, left| node_hash(&left, &right))
    }

    proptest! {
        #[test]
        fn siblings_are_those_of_the_whole_tree(size in 1_u64..600, at in 0_u64..600) {
            let index = at % size;
            let mut tree = Tree::new();
            for leaf in 0..size {
                tree.append_hash(leaf_hash(&leaf.to_be_bytes()));
            }
            let path: Vec<Hash> =
                siblings(index, size).iter().map(|sibling| hash(&tree, sibling)).collect();
            prop_assert_eq!(Some(path), tree.inclusion(index, size));
        }

        #[test]
        fn a_proof_between_two_sizes_is_that_of_the_whole_tree(
            size in 1_u64..600, at in 0_u64..600,
        ) {
            let old = at % (size + 1);
            let mut tree = Tree::new();
            for leaf in 0..size {
                tree.append_hash(leaf_hash(&leaf.to_be_bytes()));
            }
            let path: Vec<Hash> = between(old, size).iter().map(|part| hash(&tree, part)).collect();
            let expected = if old == 0 { Some(Vec::new()) } else { tree.consistency(old, size) };
            prop_assert_eq!(Some(path), expected);
        }
    }
}
