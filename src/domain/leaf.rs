//! One attempt, as 256 fixed bytes of salted commitments.
//!
//! The leaf is public and permanent; its opening is sealed beside it and can be erased. So a leaf
//! must never hold anything that says something about a person, not even as a bare hash: every
//! commitment is an HMAC under 32 random bytes. Bytes once fixed stay readable for ever: a change
//! of layout is a new version, and `tests/vectors` keeps a leaf of each.

use std::fmt;

use super::id::Id;
use super::opening::{Account, BadOpening, Opening, Part, request_hash};
use super::time::When;
use super::trail::TrailKey;

pub const LEAF_BYTES: usize = 256;
const VERSION: u8 = 1;

// version 1 | class 1 | time 8 | id 16 | who 32 | why 32 | what 32 | decision 32
// | trail tag or random 32 | request 32 | sealed opening 32 | link 6
const CLASS_AT: usize = 1;
const TIME_AT: usize = 2;
const ID_AT: usize = 10;
const COMMITMENTS_AT: usize = 26;
const TRAIL_AT: usize = 154;
const REQUEST_AT: usize = 186;
const SEALED_AT: usize = 218;
const LINK_AT: usize = 250;

/// What kind of entry this is, as everyone may see. Deliberately coarse: a class per action would
/// publish who is busy with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeafClass {
    /// One attempt by a caller, whatever its outcome.
    Attempt,
    /// Calls of one caller in one minute that were counted, not decided: unparsable, oversized or
    /// over a limit.
    Counted,
    /// An act of the gateway itself: start, policy load, key epoch, quiet-time heartbeat.
    Gateway,
}

impl LeafClass {
    const ALL: [Self; 3] = [Self::Attempt, Self::Counted, Self::Gateway];

    const fn code(self) -> u8 {
        match self {
            Self::Attempt => 1,
            Self::Counted => 2,
            Self::Gateway => 3,
        }
    }
}

/// One entry of the log: exactly [`LEAF_BYTES`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Leaf([u8; LEAF_BYTES]);

/// The bytes are not a leaf that this version knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLeaf {
    #[error("a leaf is exactly 256 bytes")]
    Length,
    #[error("the leaf has a version that this program does not know; use a newer one")]
    Version,
    #[error("the leaf has a class that this program does not know; use a newer one")]
    Class,
    #[error("the time of a leaf is a multiple of ten seconds since 1970")]
    Time,
}

impl Leaf {
    pub fn parse(bytes: &[u8]) -> Result<Self, BadLeaf> {
        let leaf = Self(bytes.try_into().map_err(|_| BadLeaf::Length)?);
        let [version] = leaf.field(0);
        if version != VERSION {
            return Err(BadLeaf::Version);
        }
        let [class] = leaf.field(CLASS_AT);
        if !LeafClass::ALL.iter().any(|known| known.code() == class) {
            return Err(BadLeaf::Class);
        }
        let when = leaf.when();
        if when.millis() < 0 || when.coarse() != when {
            return Err(BadLeaf::Time);
        }
        Ok(leaf)
    }

    pub const fn bytes(&self) -> &[u8; LEAF_BYTES] {
        &self.0
    }

    pub fn class(&self) -> LeafClass {
        let [code] = self.field(CLASS_AT);
        let found = LeafClass::ALL
            .into_iter()
            .find(|class| class.code() == code);
        // `parse` and `LeafDraft` let no other code in.
        found.unwrap_or(LeafClass::Gateway)
    }

    /// Rounded down to ten seconds.
    pub fn when(&self) -> When {
        When::from_millis(i64::from_be_bytes(self.field(TIME_AT)))
    }

    /// The random id of the attempt.
    pub fn id(&self) -> Id {
        Id::from_bytes(self.field(ID_AT))
    }

    pub fn commitment(&self, part: Part) -> [u8; 32] {
        self.field(commitment_at(part))
    }

    /// What leads its organisation here from its entry before ([`super::trail`]); random in an
    /// entry of no organisation.
    pub fn trail_tag(&self) -> [u8; 32] {
        self.field(TRAIL_AT)
    }

    /// The same, as the next entry of an organisation after `previous`. Only the store knows that
    /// when it commits.
    #[must_use]
    pub fn following(self, key: &TrailKey, previous: Option<u64>) -> Self {
        let mut draft = LeafDraft(self);
        draft.put(TRAIL_AT, &key.tag(previous));
        draft.0
    }

    /// See [`request_hash`].
    pub fn request_hash(&self) -> [u8; 32] {
        self.field(REQUEST_AT)
    }

    /// SHA-256 of the sealed opening that lies beside the log.
    pub fn sealed_hash(&self) -> [u8; 32] {
        self.field(SEALED_AT)
    }

    /// The index of an earlier entry that this one follows up, if it says so in the open.
    pub fn link(&self) -> Option<u64> {
        let six: [u8; 6] = self.field(LINK_AT);
        let value = six
            .iter()
            .fold(0, |value, byte| (value << 8) | u64::from(*byte));
        value.checked_sub(1)
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "offsets are constants within 256 bytes"
    )]
    fn field<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut out = [0; N];
        out.copy_from_slice(&self.0[at..at + N]);
        out
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Leaf({})", self.id())
    }
}

/// A leaf that still lacks the hash of its sealed opening.
#[derive(Clone)]
pub struct LeafDraft(Leaf);

impl LeafDraft {
    /// Commits to an account of one attempt.
    ///
    /// `entropy` gives 32 fresh random bytes for each label; the same entropy gives the same leaf.
    /// `request` is the body as received: its hash is salted, and the salt goes to the requester.
    ///
    /// # Errors
    /// A text or list is over its limit; then nothing may be answered (P2).
    pub fn new(
        when: When,
        class: LeafClass,
        account: Account,
        request: &[u8],
        mut entropy: impl FnMut(&'static str) -> [u8; 32],
    ) -> Result<(Self, Opening), BadOpening> {
        let Account {
            who,
            why,
            what,
            decided,
        } = account;
        let opening = Opening {
            who,
            why,
            what,
            decided,
            salts: Part::ALL.map(|part| entropy(part.salt_label())),
            request_salt: entropy("leaf request salt"),
        };
        opening.check_limits()?;
        let mut draft = Self(Leaf([0; LEAF_BYTES]));
        draft.put(0, &[VERSION]);
        draft.put(CLASS_AT, &[class.code()]);
        draft.put(TIME_AT, &when.coarse().millis().max(0).to_be_bytes());
        let random = entropy("leaf id");
        let (id, _) = random.split_at(16);
        draft.put(ID_AT, id);
        for part in Part::ALL {
            draft.put(commitment_at(part), &opening.open(part).commitment());
        }
        draft.put(TRAIL_AT, &entropy("leaf reserved"));
        draft.put(REQUEST_AT, &request_hash(&opening.request_salt, request));
        Ok((draft, opening))
    }

    pub fn when(&self) -> When {
        self.0.when()
    }

    pub fn id(&self) -> Id {
        self.0.id()
    }

    /// Moves the time forward to `when` if it is earlier, so that times in the log never go back
    /// although attempts finish out of order.
    #[must_use]
    pub fn not_before(mut self, when: When) -> Self {
        let later = self.when().max(when.coarse());
        self.put(TIME_AT, &later.millis().to_be_bytes());
        self
    }

    /// Points at an earlier entry, in the open. Only for entries of which the public may know that
    /// they belong together. `None` if the index does not fit in 48 bits.
    pub fn linked(mut self, index: u64) -> Option<Self> {
        let value = index.checked_add(1).filter(|value| *value < 1 << 48)?;
        let eight = value.to_be_bytes();
        let (_, six) = eight.split_at(2);
        self.put(LINK_AT, six);
        Some(self)
    }

    /// Completes the leaf with the SHA-256 of the sealed opening.
    pub fn with_sealed(mut self, sha256: &[u8; 32]) -> Leaf {
        self.put(SEALED_AT, sha256);
        self.0
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "offsets are constants within 256 bytes"
    )]
    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0.0[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

const fn commitment_at(part: Part) -> usize {
    match part {
        Part::Who => COMMITMENTS_AT,
        Part::Why => COMMITMENTS_AT + 32,
        Part::What => COMMITMENTS_AT + 64,
        Part::Decided => COMMITMENTS_AT + 96,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::opening::{OpenedPart, tests::account};
    use proptest::prelude::*;

    const REQUEST: &[u8] = br#"{"purpose":"support_now"}"#;

    /// 32 bytes that anyone can make again: SHA-256 of the label.
    fn entropy(label: &'static str) -> [u8; 32] {
        use sha2::Digest;
        sha2::Sha256::digest(label).into()
    }

    fn draft() -> (LeafDraft, Opening) {
        let when = When::parse("2026-04-02T20:10:07.123Z").unwrap();
        LeafDraft::new(when, LeafClass::Attempt, account(), REQUEST, entropy).unwrap()
    }

    fn leaf() -> (Leaf, Opening) {
        let (draft, opening) = draft();
        (draft.linked(41).unwrap().with_sealed(&[0x5E; 32]), opening)
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Never change this file: leaves of version 1 must be read for ever.
    #[test]
    fn the_bytes_of_version_1_are_fixed() {
        let (leaf, opening) = leaf();
        let mut text = format!(
            "leaf {}\nopening {}\n",
            hex(leaf.bytes()),
            hex(&opening.to_bytes())
        );
        for part in Part::ALL {
            text.push_str(&format!(
                "{} {}\n",
                part.name(),
                hex(&opening.open(part).bytes)
            ));
        }
        assert_eq!(text, include_str!("../../tests/vectors/leaf-v1.txt"));
    }

    #[test]
    fn a_leaf_says_what_was_put_in() {
        let (leaf, opening) = leaf();
        let again = Leaf::parse(leaf.bytes()).unwrap();
        assert_eq!(again, leaf);
        assert_eq!(again.class(), LeafClass::Attempt);
        assert_eq!(again.when().rfc3339(), "2026-04-02T20:10:00.000Z");
        assert_eq!(again.link(), Some(41));
        assert_eq!(again.sealed_hash(), [0x5E; 32]);
        assert_eq!(
            again.request_hash(),
            request_hash(&opening.request_salt, REQUEST)
        );
        assert_eq!(again.id().bytes()[..], entropy("leaf id")[..16]);
        assert!(opening.opens(&again));
        assert_eq!(draft().0.with_sealed(&[0; 32]).link(), None);
    }

    #[test]
    fn one_part_cannot_pass_for_another_or_be_changed() {
        let (leaf, opening) = leaf();
        for part in Part::ALL {
            let opened = opening.open(part);
            assert!(opened.verify(&leaf));
            for other in Part::ALL {
                let renamed = OpenedPart {
                    part: other,
                    ..opened.clone()
                };
                assert_eq!(renamed.verify(&leaf), other == part);
            }
            for at in 0..opened.bytes.len() {
                let mut changed = opened.clone();
                changed.bytes[at] ^= 1;
                assert!(!changed.verify(&leaf));
            }
            let mut salted = opened;
            salted.salt[0] ^= 1;
            assert!(!salted.verify(&leaf));
        }
    }

    #[test]
    fn time_moves_forward_only_and_in_tens_of_seconds() {
        let (draft, _) = draft();
        let at = draft.when();
        assert_eq!(draft.clone().not_before(at.plus_millis(-60_000)).when(), at);
        assert_eq!(
            draft.not_before(at.plus_millis(19_999)).when(),
            at.plus_millis(10_000)
        );
    }

    #[test]
    fn a_link_fits_in_48_bits() {
        let (draft, _) = draft();
        let last = (1 << 48) - 2;
        assert_eq!(
            draft
                .clone()
                .linked(last)
                .unwrap()
                .with_sealed(&[0; 32])
                .link(),
            Some(last)
        );
        assert!(draft.clone().linked(last + 1).is_none());
        assert!(draft.linked(u64::MAX).is_none());
    }

    #[test]
    fn what_is_not_a_leaf_is_refused() {
        let bytes = *leaf().0.bytes();
        let changed = |at: usize, to: u8| {
            let mut bytes = bytes;
            bytes[at] = to;
            Leaf::parse(&bytes).unwrap_err()
        };
        assert_eq!(Leaf::parse(&bytes[..255]), Err(BadLeaf::Length));
        assert_eq!(changed(0, 2), BadLeaf::Version);
        assert_eq!(changed(1, 0), BadLeaf::Class);
        assert_eq!(changed(2, 0x80), BadLeaf::Time);
        assert_eq!(changed(9, bytes[9] ^ 1), BadLeaf::Time);
    }

    proptest! {
        #[test]
        fn reading_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Leaf::parse(&bytes);
        }

        #[test]
        fn any_time_makes_a_leaf(millis: i64) {
            let when = When::from_millis(millis);
            let made = LeafDraft::new(when, LeafClass::Gateway, account(), REQUEST, entropy);
            let leaf = made.unwrap().0.with_sealed(&[0; 32]);
            prop_assert_eq!(Leaf::parse(leaf.bytes()), Ok(leaf));
        }
    }
}
