//! Whether the log has gone back: what a signed head that somebody kept says about our own.
//!
//! A receipt or a checkpoint of ours that names a larger tree, or another root for a size that we
//! have passed, was acknowledged and is missing here. Only our own signature counts as a proof:
//! nobody else can make one, so nobody can claim a rollback that was none.

use super::checkpoint::{Checkpoint, LogVerifier};
use super::merkle::Hash;
use super::receipt::{Proof, Receipt};

/// What a head that was shown to us means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// It is our head.
    Same,
    /// It is the beginning of our log.
    Older,
    /// Acknowledged entries are missing here.
    Larger,
    /// A log of our name that parted from ours: entries that it acknowledged are missing here.
    Forked,
    /// Our key did not sign it, under the log's name; it proves nothing.
    NotOurs,
}

impl Shown {
    /// Whether it proves that acknowledged entries are missing here.
    pub fn proves_loss(self) -> bool {
        match self {
            Self::Larger | Self::Forked => true,
            Self::Same | Self::Older | Self::NotOurs => false,
        }
    }
}

/// The head in a receipt, a tlog-proof or a checkpoint, if our key signed it.
pub fn signed_head(log: &LogVerifier, text: &str) -> Option<Checkpoint> {
    signed_note(log, text).map(|(_, head)| head)
}

/// The same with the note that carries it.
pub fn signed_note(log: &LogVerifier, text: &str) -> Option<(String, Checkpoint)> {
    let proof = Receipt::parse(text).map(|receipt| receipt.proof);
    let note = match proof.or_else(|_| Proof::parse(text)) {
        Ok(proof) => proof.checkpoint,
        Err(_) => text.to_owned(),
    };
    let head = log.verify(&note).ok()?;
    Some((note, head))
}

/// Compares our head with one that our key signed. `root_then` is the root that our log had at the
/// size of `shown`, `None` if it never was so large.
pub fn compare(own: &Checkpoint, shown: &Checkpoint, root_then: Option<Hash>) -> Shown {
    if shown.origin != own.origin {
        return Shown::NotOurs;
    }
    match root_then {
        None => Shown::Larger,
        Some(root) if root != shown.root => Shown::Forked,
        Some(_) if shown.size == own.size => Shown::Same,
        Some(_) => Shown::Older,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::checkpoint::LogKey;
    use crate::domain::merkle::{Tree, leaf_hash};
    use proptest::prelude::*;

    fn key(origin: &str, seed: u8) -> LogKey {
        LogKey::from_seed(origin, &[seed; 32]).unwrap()
    }

    fn tree(seed: u64, size: u64) -> Tree {
        let mut tree = Tree::new();
        for leaf in 0..size {
            tree.append_hash(leaf_hash(&(leaf ^ seed).to_be_bytes()));
        }
        tree
    }

    fn judged(own: &Tree, note: &str) -> Option<Shown> {
        let log = key("gw.example/log", 1);
        let head = signed_head(log.verifier(), note)?;
        let own_note = log.sign(own.size(), &own.root());
        let own_head = log.verifier().verify(&own_note).unwrap();
        Some(compare(&own_head, &head, own.root_at(head.size)))
    }

    proptest! {
        #[test]
        fn a_larger_head_and_another_root_prove_a_loss_and_a_beginning_does_not(
            own in 0..300_u64, other in 0..300_u64, forked: bool,
        ) {
            let log = key("gw.example/log", 1);
            // Flipping the lowest bit makes every leaf another one.
            let theirs = tree(u64::from(forked), other);
            let note = log.sign(other, &theirs.root());
            let found = judged(&tree(0, own), &note).unwrap();
            let expected = match (other > own, forked && other > 0) {
                (true, _) => Shown::Larger,
                (false, true) => Shown::Forked,
                (false, false) if other == own => Shown::Same,
                (false, false) => Shown::Older,
            };
            prop_assert_eq!(found, expected);
            prop_assert_eq!(found.proves_loss(), expected == Shown::Larger || expected == Shown::Forked);
        }
    }

    #[test]
    fn what_another_key_or_another_log_signed_proves_nothing() {
        let larger = tree(0, 9);
        for log in [key("gw.example/log", 2), key("other.example/log", 1)] {
            let note = log.sign(9, &larger.root());
            assert_eq!(judged(&tree(0, 3), &note), None);
        }
        assert_eq!(judged(&tree(0, 3), "not a note"), None);
        let own = Checkpoint {
            origin: "gw.example/log".to_owned(),
            size: 3,
            root: tree(0, 3).root(),
        };
        let mut shown = own.clone();
        shown.origin = "other.example/log".to_owned();
        assert_eq!(compare(&own, &shown, Some(own.root)), Shown::NotOurs);
    }

    #[test]
    fn a_head_is_found_in_a_checkpoint_a_proof_and_a_receipt() {
        let log = key("gw.example/log", 1);
        let note = log.sign(9, &tree(0, 9).root());
        let proof = Proof {
            index: 4,
            path: tree(0, 9).inclusion(4, 9).unwrap(),
            checkpoint: note.clone(),
        };
        let mut leaf = [0; crate::domain::leaf::LEAF_BYTES];
        leaf[..2].copy_from_slice(&[1, 1]);
        let receipt = Receipt {
            leaf: crate::domain::leaf::Leaf::parse(&leaf).unwrap(),
            proof: proof.clone(),
            request_salt: Some([1; 32]),
            opened: Vec::new(),
        };
        for text in [note, proof.to_text(), receipt.to_text()] {
            assert_eq!(signed_head(log.verifier(), &text).unwrap().size, 9);
            assert_eq!(judged(&tree(0, 3), &text), Some(Shown::Larger));
        }
    }
}
