//! The RFC 6962 tree over the leaves: SHA-256, append-only, in memory (64 bytes a leaf).
//!
//! Keeps the hash of every complete subtree, level by level, so that a root or a proof for any
//! size costs a few dozen hashes. `firedoor-verify` must never call this module: it recomputes
//! with an implementation that we did not write.
#![expect(
    clippy::indexing_slicing,
    reason = "level k holds size >> k hashes, and each public function checks its size first"
)]

use std::ops::Range;

use sha2::{Digest, Sha256};

use super::leaf::Leaf;

pub type Hash = [u8; 32];

/// The most hashes in a proof: one for each level of a tree of 2^63 leaves.
pub const PROOF_HASHES_MAX: usize = 63;

#[derive(Clone, Default)]
pub struct Tree {
    /// `levels[k][n]` is the hash of leaves `n << k .. (n + 1) << k`.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// Adds a leaf and returns its index.
    pub fn append(&mut self, leaf: &Leaf) -> u64 {
        self.append_hash(leaf_hash(leaf.bytes()))
    }

    /// Adds a leaf by its [`leaf_hash`], as when loading.
    pub fn append_hash(&mut self, leaf: Hash) -> u64 {
        let index = self.size();
        let (mut hash, mut position) = (leaf, index as usize);
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            self.levels[level].push(hash);
            // An even position waits for its right sibling.
            if position.is_multiple_of(2) {
                break;
            }
            hash = node_hash(&self.levels[level][position - 1], &hash);
            position /= 2;
        }
        index
    }

    /// Takes back the leaves from `size` on: for a batch that another node's commit overtook.
    pub fn truncate(&mut self, size: u64) {
        for (level, hashes) in self.levels.iter_mut().enumerate() {
            hashes.truncate((size >> level) as usize);
        }
        self.levels.retain(|hashes| !hashes.is_empty());
    }

    pub fn root(&self) -> Hash {
        self.range(0, self.size())
    }

    /// The root when the tree had `size` leaves. `None` if it never had as many.
    pub fn root_at(&self, size: u64) -> Option<Hash> {
        (size <= self.size()).then(|| self.range(0, size))
    }

    /// The audit path of leaf `index` in the tree of `size`, from its sibling up (RFC 6962, 2.1.1).
    pub fn inclusion(&self, index: u64, size: u64) -> Option<Vec<Hash>> {
        self.inclusions(index..index.checked_add(1)?, size)?.pop()
    }

    /// The audit paths of several leaves in the tree of `size`. The hashes along its right edge,
    /// which are not kept, are computed once for all of them.
    pub fn inclusions(&self, indices: Range<u64>, size: u64) -> Option<Vec<Vec<Hash>>> {
        if indices.end > size || size > self.size() {
            return None;
        }
        let edge = self.right_edge(size);
        let range = |low, high| match edge.iter().find(|(from, _)| high == size && *from == low) {
            Some((_, hash)) => *hash,
            None => self.range(low, high),
        };
        let path = |index| {
            let (mut low, mut high) = (0, size);
            let mut path = Vec::with_capacity(PROOF_HASHES_MAX.min(size.ilog2() as usize + 1));
            while high - low > 1 {
                let middle = low + split(high - low);
                if index < middle {
                    path.push(range(middle, high));
                    high = middle;
                } else {
                    path.push(range(low, middle));
                    low = middle;
                }
            }
            path.reverse();
            path
        };
        Some(indices.map(path).collect())
    }

    /// The subtrees that end with the last leaf and are not complete, each by its first leaf.
    fn right_edge(&self, size: u64) -> Vec<(u64, Hash)> {
        let (mut low, mut edge) = (0, Vec::new());
        while size > low && !(size - low).is_power_of_two() {
            edge.push((low, Hash::default()));
            low += split(size - low);
        }
        let mut right = self.range(low, size);
        for (low, hash) in edge.iter_mut().rev() {
            let middle = *low + split(size - *low);
            right = node_hash(&self.range(*low, middle), &right);
            *hash = right;
        }
        edge
    }

    /// The proof that the tree of `old` leaves is the beginning of that of `new` (RFC 6962, 2.1.2).
    /// Empty for `old == 0` and `old == new`, as C2SP tlog-witness asks.
    pub fn consistency(&self, old: u64, new: u64) -> Option<Vec<Hash>> {
        if old > new || new > self.size() {
            return None;
        }
        let (mut low, mut high, mut path) = (0, new, Vec::new());
        if old == 0 {
            return Some(path);
        }
        while old != high {
            let middle = low + split(high - low);
            if old <= middle {
                path.push(self.range(middle, high));
                high = middle;
            } else {
                path.push(self.range(low, middle));
                low = middle;
            }
        }
        // From 0 on it is the old root itself, which the verifier has.
        if low != 0 {
            path.push(self.range(low, high));
        }
        path.reverse();
        Some(path)
    }

    /// `count` hashes of complete subtrees of height `level`, from the `first` on; `None` unless
    /// all are there. This is what tiles are made of.
    pub fn row(&self, level: u32, first: u64, count: u64) -> Option<&[Hash]> {
        let end = first.checked_add(count)?;
        let row = self.levels.get(level as usize)?;
        row.get(usize::try_from(first).ok()?..usize::try_from(end).ok()?)
    }

    /// The hash of leaves `low..high`, where `low` is a multiple of the smallest power of two that
    /// is not less than `high - low`, and `high` is at most the size.
    fn range(&self, low: u64, high: u64) -> Hash {
        let width = high - low;
        if width == 0 {
            return Sha256::digest([]).into();
        }
        if width.is_power_of_two() {
            let level = width.trailing_zeros();
            return self.levels[level as usize][(low >> level) as usize];
        }
        let middle = low + split(width);
        node_hash(&self.range(low, middle), &self.range(middle, high))
    }
}

/// The largest power of two below `width`, which is at least 2.
fn split(width: u64) -> u64 {
    1 << (width - 1).ilog2()
}

pub fn leaf_hash(entry: &[u8]) -> Hash {
    Sha256::new()
        .chain_update([0])
        .chain_update(entry)
        .finalize()
        .into()
}

pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new()
        .chain_update([1])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

/// Whether `path` proves that `leaf` is entry `index` of the tree (RFC 9162, 2.1.3.2).
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut first, mut last, mut hash) = (index, size - 1, *leaf);
    for step in path {
        if last == 0 {
            return false;
        }
        if first & 1 == 1 || first == last {
            hash = node_hash(step, &hash);
            while first & 1 == 0 && first != 0 {
                first >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, step);
        }
        first >>= 1;
        last >>= 1;
    }
    // `last` must be used up, or one path would fit trees of several sizes.
    last == 0 && hash == *root
}

/// Whether `path` proves that the tree of `old` leaves is the beginning of that of `new`
/// (RFC 9162, 2.1.4.2). An empty tree is the beginning of everything, so it proves nothing.
pub fn verify_consistency(
    old: u64,
    old_root: &Hash,
    new: u64,
    new_root: &Hash,
    path: &[Hash],
) -> bool {
    if old == 0 || old > new {
        return false;
    }
    if old == new {
        return path.is_empty() && old_root == new_root;
    }
    let (seed, steps) = match path.split_first() {
        _ if old.is_power_of_two() => (old_root, path),
        Some((seed, steps)) => (seed, steps),
        None => return false,
    };
    let shift = (old - 1).trailing_ones();
    let (mut first, mut last) = ((old - 1) >> shift, (new - 1) >> shift);
    let (mut before, mut after) = (*seed, *seed);
    for step in steps {
        if last == 0 {
            return false;
        }
        if first & 1 == 1 || first == last {
            before = node_hash(step, &before);
            after = node_hash(step, &after);
            while first & 1 == 0 && first != 0 {
                first >>= 1;
                last >>= 1;
            }
        } else {
            after = node_hash(&after, step);
        }
        first >>= 1;
        last >>= 1;
    }
    last == 0 && before == *old_root && after == *new_root
}

#[cfg(test)]
mod tests {
    use super::*;
    use ct_merkle::mem_backed_tree::MemoryBackedTree;
    use proptest::prelude::*;
    use tlog_tiles::{Hash as Theirs, HashReader};

    struct Stored(Vec<Theirs>);

    impl HashReader for Stored {
        fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Theirs>, tlog_tiles::Error> {
            Ok(indexes
                .iter()
                .map(|index| self.0[*index as usize])
                .collect())
        }
    }

    fn entry(index: u64) -> Vec<u8> {
        index.to_be_bytes().to_vec()
    }

    fn ours(size: u64) -> Tree {
        let mut tree = Tree::new();
        for index in 0..size {
            assert_eq!(tree.append_hash(leaf_hash(&entry(index))), index);
        }
        tree
    }

    fn theirs(size: u64) -> Stored {
        let mut stored = Stored(Vec::new());
        for index in 0..size {
            let mut more = tlog_tiles::stored_hashes(index, &entry(index), &stored).unwrap();
            stored.0.append(&mut more);
        }
        stored
    }

    fn theirs_of(path: &[Hash]) -> Vec<Theirs> {
        path.iter().map(|hash| Theirs(*hash)).collect()
    }

    fn second(size: u64) -> MemoryBackedTree<sha2::Sha256, Vec<u8>> {
        let mut tree = MemoryBackedTree::new();
        (0..size).for_each(|index| tree.push(entry(index)));
        tree
    }

    fn bytes_of(path: &[Hash]) -> Vec<u8> {
        path.concat()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn two_other_implementations_accept_roots_and_proofs(
            (size, index, old) in (1..600_u64).prop_flat_map(|size| (Just(size), 0..size, 1..=size))
        ) {
            let (tree, stored, other) = (ours(size), theirs(size), second(size));
            let root = tree.root();
            prop_assert_eq!(root, tlog_tiles::tree_hash(size, &stored).unwrap().0);
            prop_assert_eq!(&root[..], &other.root().as_bytes().to_vec());

            let path = tree.inclusion(index, size).unwrap();
            let same = tlog_tiles::prove_record(size, index, &stored).unwrap();
            prop_assert!(theirs_of(&path) == same);
            prop_assert_eq!(
                &bytes_of(&path),
                &other.prove_inclusion(index as usize).as_bytes().to_vec()
            );
            prop_assert!(verify_inclusion(&leaf_hash(&entry(index)), index, size, &path, &root));

            let all = tree.inclusions(0..size, size).unwrap();
            prop_assert_eq!(&all[index as usize], &path);
            prop_assert_eq!(all.len() as u64, size);

            let path = tree.consistency(old, size).unwrap();
            let same = tlog_tiles::prove_tree(size, old, &stored).unwrap();
            prop_assert!(theirs_of(&path) == same);
            if old < size {
                prop_assert_eq!(
                    &bytes_of(&path),
                    &other.prove_consistency((size - old) as usize).as_bytes().to_vec()
                );
            }
            let old_root = tree.root_at(old).unwrap();
            prop_assert!(verify_consistency(old, &old_root, size, &root, &path));
        }

        #[test]
        fn a_changed_proof_proves_nothing(
            (size, index, old) in (2..300_u64).prop_flat_map(|size| (Just(size), 0..size, 1..size)),
            which: prop::sample::Index,
            bit in 0..256_usize,
        ) {
            let tree = ours(size);
            let (root, leaf) = (tree.root(), leaf_hash(&entry(index)));
            let path = tree.inclusion(index, size).unwrap();
            let flipped = |path: &[Hash]| {
                let mut path = path.to_vec();
                let at = which.index(path.len());
                path[at][bit / 8] ^= 1 << (bit % 8);
                path
            };
            prop_assert!(!verify_inclusion(&leaf, index, size, &flipped(&path), &root));
            prop_assert!(!verify_inclusion(&leaf, index ^ 1, size, &path, &root));
            // A path must not fit a tree of a size that asks for another number of steps.
            for other in size + 1..size + 40 {
                let steps = ours(other).inclusion(index, other).unwrap().len();
                prop_assert!(
                    steps == path.len() || !verify_inclusion(&leaf, index, other, &path, &root)
                );
            }
            let mut longer = path.clone();
            longer.push(root);
            prop_assert!(!verify_inclusion(&leaf, index, size, &longer, &root));
            let shorter = &path[..path.len() - 1];
            prop_assert!(!verify_inclusion(&leaf, index, size, shorter, &root));

            let old_root = tree.root_at(old).unwrap();
            let path = tree.consistency(old, size).unwrap();
            prop_assert!(!verify_consistency(old, &old_root, size, &root, &flipped(&path)));
            prop_assert!(!verify_consistency(old, &flipped(&[old_root])[0], size, &root, &path));
            prop_assert!(!verify_consistency(old, &old_root, size, &flipped(&[root])[0], &path));
        }

        #[test]
        fn truncating_is_as_if_the_leaves_had_never_come(size in 0..300_u64, back in 0..300_u64) {
            let mut tree = ours(size);
            tree.truncate(back);
            let left = size.min(back);
            prop_assert_eq!(tree.size(), left);
            prop_assert_eq!(tree.root(), ours(left).root());
            for index in left..size {
                tree.append_hash(leaf_hash(&entry(index)));
            }
            prop_assert_eq!(tree.root(), ours(size).root());
        }
    }

    #[test]
    fn an_empty_tree_has_the_root_of_rfc_6962_and_proves_nothing() {
        let tree = Tree::new();
        assert_eq!(tree.root(), tlog_tiles::EMPTY_HASH.0);
        assert_eq!(tree.root_at(1), None);
        assert_eq!(tree.inclusion(0, 0), None);
        assert_eq!(tree.consistency(0, 0), Some(vec![]));
        let (empty, five) = (tree.root(), ours(5));
        assert!(!verify_consistency(0, &empty, 5, &five.root(), &[]));
        assert!(!verify_consistency(0, &empty, 0, &empty, &[]));
        assert!(!verify_inclusion(&empty, 0, 0, &[], &empty));
    }

    #[test]
    fn two_trees_of_one_size_agree_only_if_equal() {
        let (a, mut b) = (ours(7), ours(6));
        b.append_hash(leaf_hash(b"another"));
        assert!(verify_consistency(7, &a.root(), 7, &a.root(), &[]));
        assert!(!verify_consistency(7, &a.root(), 7, &b.root(), &[]));
        assert!(!verify_consistency(7, &a.root(), 7, &a.root(), &[a.root()]));
        assert!(!verify_consistency(
            7,
            &a.root(),
            6,
            &a.root_at(6).unwrap(),
            &[]
        ));
        assert_eq!(a.consistency(7, 7), Some(vec![]));
        assert_eq!(a.consistency(7, 6), None);
        assert_eq!(a.consistency(1, 8), None);
        assert_eq!(a.inclusion(7, 7), None);
        assert_eq!(a.inclusion(0, 8), None);
    }

    #[test]
    fn one_leaf_is_its_own_root() {
        let tree = ours(1);
        assert_eq!(tree.root(), leaf_hash(&entry(0)));
        assert_eq!(tree.inclusion(0, 1), Some(vec![]));
        assert!(verify_inclusion(&tree.root(), 0, 1, &[], &tree.root()));
    }
}
