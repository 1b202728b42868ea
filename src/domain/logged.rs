//! Proof, as a type, that an attempt's leaf is durable. Only a logged thing can become a reply.

use std::sync::Arc;

use super::leaf::Leaf;

/// Where a leaf is in the log, and the proof: everything a receipt needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inclusion {
    pub index: u64,
    /// The inclusion proof in the tree that `checkpoint` signs (RFC 6962 2.1.1).
    pub hashes: Vec<[u8; 32]>,
    /// The signed note of the tree head that includes the leaf: one for all of its commit.
    pub checkpoint: Arc<str>,
}

/// A value whose leaf is durable. Made only by the store, one for each commit; not `Clone`.
pub struct Logged<T> {
    value: T,
    leaf: Leaf,
    inclusion: Inclusion,
}

impl<T> Logged<T> {
    /// Asserts that the leaf was written and synced. Called from `store/mod.rs` only;
    /// `tests/architecture.rs` checks.
    pub fn assertion(value: T, leaf: Leaf, inclusion: Inclusion) -> Self {
        Self {
            value,
            leaf,
            inclusion,
        }
    }

    pub fn value(&self) -> &T {
        &self.value
    }

    pub fn leaf(&self) -> &Leaf {
        &self.leaf
    }

    pub fn inclusion(&self) -> &Inclusion {
        &self.inclusion
    }

    /// Gives up the proof and keeps the value.
    pub fn into_parts(self) -> (T, Leaf, Inclusion) {
        (self.value, self.leaf, self.inclusion)
    }
}
