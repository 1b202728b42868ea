//! An organisation's trail: how it finds every entry of its own in the public log, without asking
//! the gateway, and sees if one was kept from it.
//!
//! Each entry of an organisation carries a keyed tag of the entry before it. Who has the
//! organisation's key follows the tags from the first entry on; to everyone else they are random.
//! So an organisation's entries are numbered without a gap, and nobody learns how many there are.
//! A tag says nothing about a person, and it must never be made under a key that two organisations
//! share.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::leaf::Leaf;

const LABEL: &[u8] = b"firedoor trail v1\n";

/// Finds an organisation's own entries. It goes to that organisation and to nobody else.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct TrailKey([u8; 32]);

impl TrailKey {
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// 64 hexadecimal digits, as the organisation keeps it.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let mut bytes = [0; 32];
        for (place, byte) in bytes.iter_mut().enumerate() {
            let digits = text.get(place * 2..place * 2 + 2)?;
            *byte = u8::from_str_radix(digits, 16).ok()?;
        }
        Some(Self(bytes))
    }

    pub fn to_text(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What the entry after `previous` carries: HMAC-SHA256 of the label and the number of entries
    /// up to `previous` in 8 bytes, big-endian; 0 for the first entry.
    pub fn tag(&self, previous: Option<u64>) -> [u8; 32] {
        let up_to = previous.map_or(0, |index| index.saturating_add(1));
        // HMAC pads its key to the block with zeros (RFC 2104), so this is HMAC under the 32 bytes.
        let mut block = [0; 64];
        for (byte, key) in block.iter_mut().zip(&self.0) {
            *byte = *key;
        }
        let mut mac = Hmac::<Sha256>::new(&block.into());
        block.zeroize();
        mac.update(LABEL);
        mac.update(&up_to.to_be_bytes());
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for TrailKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TrailKey(..)")
    }
}

/// The walk along a trail, entry by entry of the whole log.
pub struct Trail {
    key: TrailKey,
    next: [u8; 32],
    last: Option<u64>,
    count: u64,
}

impl Trail {
    pub fn new(key: TrailKey) -> Self {
        let next = key.tag(None);
        Self {
            key,
            next,
            last: None,
            count: 0,
        }
    }

    /// Shows the next entry of the log; whether it is one of the organisation's own. Entries must
    /// be shown in order, none left out.
    pub fn see(&mut self, index: u64, leaf: &Leaf) -> bool {
        let own = leaf.trail_tag() == self.next;
        if own {
            self.last = Some(index);
            self.count += 1;
            self.next = self.key.tag(self.last);
        }
        own
    }

    /// The newest own entry that was found.
    pub const fn last(&self) -> Option<u64> {
        self.last
    }

    /// Own entries found.
    pub const fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::leaf::{LeafClass, LeafDraft};
    use crate::domain::opening::tests::account;
    use crate::domain::time::When;
    use proptest::prelude::*;

    fn leaf(number: u64) -> Leaf {
        let seed = number.to_be_bytes()[7];
        let made = LeafDraft::new(
            When::from_millis(0),
            LeafClass::Attempt,
            account(),
            b"{}",
            |_| [seed; 32],
        );
        made.unwrap().0.with_sealed(&[0; 32])
    }

    #[test]
    fn the_tags_of_version_1_are_fixed() {
        let key = TrailKey::new([7; 32]);
        let hex = |tag: [u8; 32]| tag.map(|byte| format!("{byte:02x}")).concat();
        insta::assert_snapshot!(
            format!("{}\n{}", hex(key.tag(None)), hex(key.tag(Some(41)))),
            @"
        c23e5e2d20a302953c52b9a0c40c0fc8d7406ad4b625cd0e6e49874def7bbbff
        edbd9a74ccc3c0ebc3bdc37e4e8fcd1f6f8eea71f8406077e373eff3d45f298f
        "
        );
        assert_eq!(TrailKey::parse(&key.to_text()), Some(key.clone()));
        assert_eq!(TrailKey::parse("07"), None);
        assert_eq!(TrailKey::parse(&"\u{e9}".repeat(32)), None);
        assert_eq!(format!("{key:?}"), "TrailKey(..)");
    }

    proptest! {
        #[test]
        fn each_organisation_finds_exactly_its_own_entries(
            of in prop::collection::vec(0..3_u8, 0..60),
        ) {
            let keys: Vec<TrailKey> = (0..3).map(|n| TrailKey::new([n; 32])).collect();
            let mut last = [None; 3];
            let mut log = Vec::new();
            for (index, organisation) in (0_u64..).zip(&of) {
                let own = usize::from(*organisation);
                log.push(leaf(index).following(&keys[own], last[own]));
                last[own] = Some(index);
            }
            for (n, key) in keys.iter().enumerate() {
                let mut trail = Trail::new(key.clone());
                for (index, leaf) in (0_u64..).zip(&log) {
                    let found = trail.see(index, leaf);
                    prop_assert_eq!(found, usize::from(of[index as usize]) == n);
                }
                prop_assert_eq!(trail.last(), last[n]);
            }
        }
    }
}
