//! What a witness makes of a new head of the log: may it vouch for it?
//!
//! It believes two things only: the log's signature, and hashes that lead to both signed roots.
//! Where those hashes come from does not matter, so the gateway may serve them. It never vouches for
//! a smaller log than it vouched for before, nor for one that does not begin with that.

use super::checkpoint::{BadCheckpoint, Checkpoint, LogVerifier};
use super::merkle::Hash;
use super::subtree::{Subtree, cover, root};
use super::time::When;

/// The most that the clocks of witness and gateway may differ, in milliseconds.
pub const CLOCKS_APART_MAX: i64 = 5 * 60 * 1_000;

/// A head that the log's key signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    note: String,
    checkpoint: Checkpoint,
}

impl Head {
    /// # Errors
    /// [`BadCheckpoint`] if this log did not sign it: then it says nothing about the log.
    pub fn read(log: &LogVerifier, note: &str) -> Result<Self, BadCheckpoint> {
        Ok(Self {
            note: log.bare(note)?,
            checkpoint: log.verify(note)?,
        })
    }

    /// The note with the log's signature alone.
    pub fn note(&self) -> &str {
        &self.note
    }

    /// What a witness signs: the text above the empty line.
    pub fn text(&self) -> &str {
        let end = self.note.rfind("\n\n").map_or(0, |at| at + 1);
        self.note.get(..end).unwrap_or_default()
    }

    pub fn size(&self) -> u64 {
        self.checkpoint.size
    }

    pub fn root(&self) -> &Hash {
        &self.checkpoint.root
    }
}

/// What a new head is, beside one that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It begins with all that was known, and has more.
    Grown,
    Same,
    /// It has fewer entries: the log has gone back, or this is an old copy.
    Smaller,
    /// For one number of entries the log signed two roots. Both notes together prove it.
    TwoHeads,
    /// It does not begin with what was known: these hashes lead to its root and to another one for
    /// the entries before. Both notes and the hashes prove it.
    Rewritten,
    /// The hashes do not lead to its root, so nothing is known about it. To vouch would be a guess.
    Unproven,
}

impl Judgement {
    /// Whether both heads must be kept.
    pub fn is_alarm(self) -> bool {
        match self {
            Self::Smaller | Self::TwoHeads | Self::Rewritten | Self::Unproven => true,
            Self::Grown | Self::Same => false,
        }
    }
}

/// The subtrees whose hashes [`judge`] needs, in its order: of the log as large as `now`.
pub fn needed(before: Option<&Head>, now: &Head) -> Vec<Subtree> {
    let old = before.map_or(0, Head::size);
    if now.size() <= old {
        return Vec::new();
    }
    [cover(0, old), cover(old, now.size())].concat()
}

/// Compares a head with one that is known (none: nothing was known). `hashes` are of the subtrees
/// that are [`needed`].
pub fn judge(before: Option<&Head>, now: &Head, hashes: &[Hash]) -> Judgement {
    let old = before.map_or(0, Head::size);
    if now.size() < old {
        return Judgement::Smaller;
    }
    if let Some(before) = before.filter(|before| before.size() == now.size()) {
        return match before.root() == now.root() {
            true => Judgement::Same,
            false => Judgement::TwoHeads,
        };
    }
    let subtrees = needed(before, now);
    if subtrees.len() != hashes.len() {
        return Judgement::Unproven;
    }
    let known: Vec<(Subtree, Hash)> = subtrees.into_iter().zip(hashes.iter().copied()).collect();
    if root(&known) != *now.root() {
        return Judgement::Unproven;
    }
    let (first, _) = known.split_at(cover(0, old).len());
    match before.is_none_or(|before| root(first) == *before.root()) {
        true => Judgement::Grown,
        false => Judgement::Rewritten,
    }
}

/// Why a witness does not trust its own clock enough to sign with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadClock {
    /// The gateway's differs by more than [`CLOCKS_APART_MAX`]; one of the two is wrong.
    Apart { gateway: When },
    /// The gateway did not say what time it is.
    Unknown,
    /// It shows a time before its own last signature.
    WentBack { signed: When },
}

/// Whether a witness may sign at `now`, beside the gateway's clock and its own last signature.
///
/// # Errors
/// [`BadClock`].
pub fn clock(now: When, gateway: Option<When>, signed: Option<When>) -> Result<(), BadClock> {
    let gateway = gateway.ok_or(BadClock::Unknown)?;
    if now.millis().abs_diff(gateway.millis()) > CLOCKS_APART_MAX.unsigned_abs() {
        return Err(BadClock::Apart { gateway });
    }
    match signed.filter(|signed| *signed > now) {
        Some(signed) => Err(BadClock::WentBack { signed }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::checkpoint::LogKey;
    use crate::domain::merkle::{Tree, leaf_hash};
    use proptest::prelude::*;

    fn log() -> LogKey {
        LogKey::from_seed("gw.example/log", &[1; 32]).unwrap()
    }

    /// A log whose leaves from `other` on are not those of the first one.
    fn tree(size: u64, other: u64) -> Tree {
        let mut tree = Tree::new();
        for leaf in 0..size {
            let salt = u64::from(leaf >= other) << 63;
            tree.append_hash(leaf_hash(&(leaf | salt).to_be_bytes()));
        }
        tree
    }

    fn head(tree: &Tree) -> Head {
        let note = log().sign(tree.size(), &tree.root());
        Head::read(log().verifier(), &note).unwrap()
    }

    /// As the tiles of `served` say.
    fn hashes(before: Option<&Head>, now: &Head, served: &Tree) -> Vec<Hash> {
        let hash = |one: &Subtree| {
            let tile = one.tile(served.size())?.hashes(served)?;
            one.hash_in(&tile)
        };
        needed(before, now).iter().filter_map(hash).collect()
    }

    fn judged(before: &Tree, now: &Tree, served: &Tree) -> Judgement {
        let (before, now) = (head(before), head(now));
        judge(Some(&before), &now, &hashes(Some(&before), &now, served))
    }

    const NEVER: u64 = u64::MAX;

    #[test]
    fn each_head_is_judged_for_what_it_is() {
        let known = tree(300, NEVER);
        let cases = [
            ("grown by one", tree(301, NEVER), Judgement::Grown),
            ("grown over a tile", tree(700, NEVER), Judgement::Grown),
            ("the same", tree(300, NEVER), Judgement::Same),
            ("one fewer", tree(299, NEVER), Judgement::Smaller),
            ("empty", tree(0, NEVER), Judgement::Smaller),
            ("another last entry", tree(300, 299), Judgement::TwoHeads),
            ("another first entry", tree(300, 0), Judgement::TwoHeads),
            (
                "a rewritten prefix, grown",
                tree(400, 12),
                Judgement::Rewritten,
            ),
            (
                "the last entry replaced, grown",
                tree(301, 299),
                Judgement::Rewritten,
            ),
            ("smaller and rewritten", tree(200, 12), Judgement::Smaller),
        ];
        for (what, now, expected) in cases {
            assert_eq!(judged(&known, &now, &now), expected, "{what}");
        }
    }

    #[test]
    fn growth_that_the_tiles_do_not_show_is_not_vouched_for() {
        let (known, forged) = (tree(300, NEVER), tree(400, 12));
        // Signed with the log's key, but served with the tiles of the true log, or with none.
        assert_eq!(
            judged(&known, &forged, &tree(400, NEVER)),
            Judgement::Unproven
        );
        assert_eq!(judged(&known, &forged, &known), Judgement::Unproven);
        assert_eq!(
            judge(Some(&head(&known)), &head(&forged), &[]),
            Judgement::Unproven
        );
    }

    #[test]
    fn the_first_head_must_be_that_of_the_tiles_too() {
        for size in [0, 1, 256, 300] {
            let log = tree(size, NEVER);
            let now = head(&log);
            assert_eq!(
                judge(None, &now, &hashes(None, &now, &log)),
                Judgement::Grown
            );
        }
        let now = head(&tree(300, 7));
        let other = tree(300, NEVER);
        assert_eq!(
            judge(None, &now, &hashes(None, &now, &other)),
            Judgement::Unproven
        );
        let note = log().sign(0, &[3; 32]);
        let bad = Head::read(log().verifier(), &note).unwrap();
        assert_eq!(judge(None, &bad, &[]), Judgement::Unproven);
    }

    #[test]
    fn only_what_the_log_signed_is_a_head_and_others_words_are_left_out() {
        let note = log().sign(3, &tree(3, NEVER).root());
        let other = LogKey::from_seed("gw.example/log", &[2; 32]).unwrap();
        assert!(Head::read(other.verifier(), &note).is_err());
        assert!(Head::read(log().verifier(), "not a note").is_err());
        let cosigned = format!("{note}\u{2014} witness.example AAAAAAAA\n");
        let head = Head::read(log().verifier(), &cosigned).unwrap();
        assert_eq!(head.note(), note);
        assert!(note.starts_with(head.text()) && head.text().ends_with("=\n"));
    }

    #[test]
    fn a_clock_that_may_be_wrong_signs_nothing() {
        let now = When::from_millis(1_790_000_000_000);
        let apart = |millis| clock(now, Some(now.plus_millis(millis)), None);
        assert_eq!(apart(CLOCKS_APART_MAX), Ok(()));
        assert_eq!(apart(-CLOCKS_APART_MAX), Ok(()));
        for millis in [CLOCKS_APART_MAX + 1, -CLOCKS_APART_MAX - 1] {
            let gateway = now.plus_millis(millis);
            assert_eq!(apart(millis), Err(BadClock::Apart { gateway }));
        }
        assert_eq!(clock(now, None, None), Err(BadClock::Unknown));
        let signed = now.plus_millis(1);
        assert_eq!(
            clock(now, Some(now), Some(signed)),
            Err(BadClock::WentBack { signed })
        );
        assert_eq!(clock(now, Some(now), Some(now)), Ok(()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_head_is_vouched_for_only_if_it_begins_with_the_known_one(
            old in 0..600_u64, size in 0..600_u64, other in 0..600_u64,
        ) {
            let (known, now) = (tree(old, NEVER), tree(size, other));
            let expected = match (size.cmp(&old), other >= old) {
                (std::cmp::Ordering::Less, _) => Judgement::Smaller,
                (std::cmp::Ordering::Equal, true) => Judgement::Same,
                (std::cmp::Ordering::Equal, false) => Judgement::TwoHeads,
                (std::cmp::Ordering::Greater, true) => Judgement::Grown,
                (std::cmp::Ordering::Greater, false) => Judgement::Rewritten,
            };
            prop_assert_eq!(judged(&known, &now, &now), expected);
        }

        #[test]
        fn no_changed_hash_makes_growth(
            (old, size) in (0..400_u64, 1..400_u64).prop_map(|(old, more)| (old, old + more)),
            which: prop::sample::Index, bit in 0..256_usize,
        ) {
            let (known, served) = (tree(old, NEVER), tree(size, NEVER));
            let (before, now) = (head(&known), head(&served));
            let mut found = hashes(Some(&before), &now, &served);
            let at = which.index(found.len());
            found[at][bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(judge(Some(&before), &now, &found), Judgement::Unproven);
        }
    }
}
