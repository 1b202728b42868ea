//! The two ends of the log compared: what an organisation kept of its own attempts, and what the
//! log shows (`audit.md` 5, two-ended reconciliation).
//!
//! It looks at the whole log once, entry by entry, and asks the gateway for no opinion. It does not
//! open anything, and must never report what an entry is about: entries are named by their index.

use std::collections::BTreeMap;

use super::id::OrgId;
use super::leaf::Leaf;
use super::merkle::{Hash, leaf_hash, node_hash};
use super::opening::{Opened, Part};
use super::receipt::Receipt;
use super::trail::{Trail, TrailKey};

/// Entries without a receipt that are named; more are counted.
const NAMED_MAX: usize = 1_000;

/// A receipt that was kept.
struct Kept {
    name: String,
    leaf: Leaf,
    /// It is of the organisation whose trail is followed.
    own: bool,
}

/// A comparison in the making.
pub struct Tally {
    trail: Option<Trail>,
    /// Receipts by index, with the names under which they were kept.
    kept: BTreeMap<u64, Vec<Kept>>,
    size: u64,
    /// Complete subtrees seen so far, the largest first, each with its level.
    subtrees: Vec<(u32, Hash)>,
    found: Found,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Receipts that were compared.
    pub receipts: usize,
    /// Names of receipts whose entry the log does not have, as it ends before it.
    pub missing: Vec<String>,
    /// Names of receipts whose entry is another one in this log.
    pub other: Vec<String>,
    /// The organisation's own entries, if its trail was followed.
    pub own: Option<u64>,
    /// Own entries that no receipt is kept of: by another system of the organisation's, or by
    /// whoever used its certificate.
    pub without_receipt: Vec<u64>,
    /// More of these than are named.
    pub more_without_receipt: u64,
    /// Names of receipts whose entry is in the log and not on the trail: it was left out.
    pub off_trail: Vec<String>,
}

impl Found {
    /// Whether something was dropped or changed.
    pub fn is_whole(&self) -> bool {
        self.missing.is_empty() && self.other.is_empty() && self.off_trail.is_empty()
    }
}

impl Tally {
    /// `kept` are receipts, each under a name to call it by. The key, if there is one, is that of
    /// `own`; receipts of others are compared with the log, and not looked for on its trail.
    pub fn new(
        own: &str,
        key: Option<TrailKey>,
        kept: impl IntoIterator<Item = (String, Receipt)>,
    ) -> Self {
        let mut tally = Self {
            trail: key.map(Trail::new),
            kept: BTreeMap::new(),
            size: 0,
            subtrees: Vec::new(),
            found: Found::default(),
        };
        for (name, receipt) in kept {
            tally.found.receipts += 1;
            let kept = Kept {
                name,
                leaf: receipt.leaf,
                own: organisation(&receipt).is_some_and(|id| id.as_str() == own),
            };
            tally
                .kept
                .entry(receipt.proof.index)
                .or_default()
                .push(kept);
        }
        tally
    }

    /// Shows the next entry of the log, in order.
    pub fn see(&mut self, leaf: &Leaf) {
        let index = self.size;
        let own = self.trail.as_mut().map(|trail| trail.see(index, leaf));
        let kept = self.kept.remove(&index);
        if own == Some(true) && kept.is_none() {
            if self.found.without_receipt.len() < NAMED_MAX {
                self.found.without_receipt.push(index);
            } else {
                self.found.more_without_receipt += 1;
            }
        }
        for kept in kept.into_iter().flatten() {
            if kept.leaf != *leaf {
                self.found.other.push(kept.name);
            } else if own == Some(false) && kept.own {
                self.found.off_trail.push(kept.name);
            }
        }
        self.append(leaf_hash(leaf.bytes()));
    }

    /// Two complete subtrees of one size become one (RFC 6962, 2.1).
    fn append(&mut self, leaf: Hash) {
        let (mut level, mut hash) = (0, leaf);
        while let Some((_, left)) = self.subtrees.pop_if(|(last, _)| *last == level) {
            hash = node_hash(&left, &hash);
            level += 1;
        }
        self.subtrees.push((level, hash));
        self.size += 1;
    }

    /// The root of all entries seen so far; `None` of none. It must be the one that the log signed,
    /// or something else was compared than the log.
    pub fn root(&self) -> Option<Hash> {
        let mut hashes = self.subtrees.iter().rev().map(|(_, hash)| *hash);
        let last = hashes.next()?;
        Some(hashes.fold(last, |right, left| node_hash(&left, &right)))
    }

    /// The log ends here.
    pub fn finish(self) -> Found {
        let mut found = self.found;
        let missing = self.kept.into_values().flatten();
        found.missing = missing.map(|kept| kept.name).collect();
        found.own = self.trail.map(|trail| trail.count());
        found
    }
}

/// Whose attempt a receipt is of, as its leaf has it.
fn organisation(receipt: &Receipt) -> Option<OrgId> {
    let opened = receipt.opened.iter().find(|part| part.part == Part::Who)?;
    match opened.read() {
        Ok(Opened::Who(who)) if opened.verify(&receipt.leaf) => Some(who.organisation),
        Ok(_) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::leaf::{LeafClass, LeafDraft};
    use crate::domain::merkle::Tree;
    use crate::domain::opening::Opening;
    use crate::domain::opening::tests::account;
    use crate::domain::receipt::Proof;
    use crate::domain::time::When;
    use proptest::prelude::*;

    fn key() -> TrailKey {
        TrailKey::new([3; 32])
    }

    /// Whose the account in the tests is.
    const OWN: &str = "met-police";

    fn made(seed: u8) -> (LeafDraft, Opening) {
        let when = When::from_millis(0);
        let made = LeafDraft::new(when, LeafClass::Attempt, account(), b"{}", |_| [seed; 32]);
        made.unwrap()
    }

    fn leaf(seed: u8) -> Leaf {
        made(seed).0.with_sealed(&[0; 32])
    }

    /// Ten entries; ours are 1, 4 and 7.
    fn log() -> Vec<Leaf> {
        let mut leaves: Vec<Leaf> = (0..10).map(leaf).collect();
        let mut last = None;
        for own in [1_usize, 4, 7] {
            leaves[own] = leaves[own].following(&key(), last);
            last = Some(own as u64);
        }
        leaves
    }

    fn receipt(index: u64, leaf: Leaf) -> (String, Receipt) {
        let proof = Proof {
            index,
            path: Vec::new(),
            checkpoint: "note".to_owned(),
        };
        let receipt = Receipt {
            leaf,
            proof,
            request_salt: Some([0; 32]),
            opened: vec![made(index as u8).1.open(Part::Who)],
        };
        (format!("{index}.receipt"), receipt)
    }

    fn found(log: &[Leaf], kept: &[u64]) -> Found {
        let before = super::tests::log();
        let kept = kept.iter().map(|index| {
            let leaf = before.get(*index as usize).copied();
            receipt(*index, leaf.unwrap_or_else(leaf_after))
        });
        let mut tally = Tally::new(OWN, Some(key()), kept);
        log.iter().for_each(|leaf| tally.see(leaf));
        tally.finish()
    }

    fn leaf_after() -> Leaf {
        leaf(99)
    }

    #[test]
    fn both_ends_agree_on_an_unchanged_log() {
        let all = found(&log(), &[1, 4, 7]);
        assert!(all.is_whole());
        assert_eq!((all.receipts, all.own), (3, Some(3)));
        assert!(all.without_receipt.is_empty());
        // One that somebody else made in the organisation's name is found.
        let one = found(&log(), &[1, 7]);
        assert!(one.is_whole());
        assert_eq!(one.without_receipt, [4]);
    }

    #[test]
    fn a_dropped_a_changed_and_a_hidden_entry_are_each_found() {
        let mut shorter = log();
        shorter.truncate(6);
        assert_eq!(found(&shorter, &[1, 4, 7]).missing, ["7.receipt"]);

        let mut dropped = log();
        dropped.remove(4);
        assert_eq!(
            found(&dropped, &[1, 4, 7]).other,
            ["4.receipt", "7.receipt"]
        );

        // The gateway leaves an entry out of the trail: whoever has its receipt sees it.
        let mut hidden = log();
        hidden[4] = leaf(4);
        hidden[7] = leaf(7).following(&key(), Some(1));
        let kept = [receipt(1, hidden[1]), receipt(4, hidden[4])];
        let mut tally = Tally::new(OWN, Some(key()), kept);
        hidden.iter().for_each(|leaf| tally.see(leaf));
        assert_eq!(tally.finish().off_trail, ["4.receipt"]);

        // What another organisation did is not looked for on this one's trail.
        let kept = [receipt(1, hidden[1]), receipt(4, hidden[4])];
        let mut tally = Tally::new("haven", Some(key()), kept);
        hidden.iter().for_each(|leaf| tally.see(leaf));
        assert!(tally.finish().is_whole());
    }

    #[test]
    fn without_a_key_receipts_alone_are_compared() {
        let log = log();
        let mut tally = Tally::new(OWN, None, [receipt(4, log[4])]);
        log.iter().for_each(|leaf| tally.see(leaf));
        let found = tally.finish();
        assert!(found.is_whole());
        assert_eq!((found.receipts, found.own), (1, None));
    }

    proptest! {
        #[test]
        fn the_root_is_that_of_the_tree(size in 0..300_u64) {
            let (mut tree, mut tally) = (Tree::new(), Tally::new(OWN, None, []));
            for index in 0..size {
                let leaf = leaf(index as u8);
                tree.append(&leaf);
                tally.see(&leaf);
            }
            prop_assert_eq!(tally.root(), (size > 0).then(|| tree.root()));
        }
    }
}
