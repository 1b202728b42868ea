//! Encrypts what is stored: every item under its own key, so that erasing the key erases the item.
//!
//! Item keys come from slots that the store made durable beforehand (`design.md` 4, erasure).
//! Payload about a person becomes a [`SealedPart`] only by way of the firewall's `Screened`.

use aes_gcm::aead::{self, Aead, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use borsh::{BorshDeserialize, BorshSerialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::attempt::Entropy;
use super::codes::DataClass;
use super::decision::{Aggregate, SealedFact, SealedPart, Write, opening_context, seal_context};
use super::firewall::{Screenable, Screened};
use super::id::Id;
use super::opening::Opening;
use super::record::Record;

/// The place of an item key in the slot file. 0 is never used.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct Slot(pub u64);

/// One item's key, taken from its slot. Used for one item only.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct ItemKey {
    #[zeroize(skip)]
    slot: Slot,
    key: [u8; 32],
}

impl ItemKey {
    pub fn new(slot: Slot, key: [u8; 32]) -> Self {
        Self { slot, key }
    }

    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// Encrypts under this item's key. `context` binds the ciphertext to its place.
    ///
    /// AES-256-GCM; the nonce is random because a decision may be made again with the same slot.
    pub(in crate::domain) fn seal(&self, plain: &[u8], context: &[u8], nonce: [u8; 12]) -> Sealed {
        let cipher = Aes256Gcm::new(&self.key.into());
        let bytes = cipher
            .encrypt(
                &Nonce::from(nonce),
                aead::Payload {
                    msg: plain,
                    aad: context,
                },
            )
            // AES-GCM refuses only messages over 64 GiB; an empty ciphertext never opens.
            .unwrap_or_default();
        Sealed {
            slot: self.slot,
            nonce,
            bytes,
        }
    }
}

/// Ciphertext with the name of its key.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Sealed {
    slot: Slot,
    nonce: [u8; 12],
    bytes: Vec<u8>,
}

impl Sealed {
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// `None` when the key is another one or the ciphertext was changed or moved.
    pub fn open(&self, key: &ItemKey, context: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let cipher = Aes256Gcm::new(&key.key.into());
        cipher
            .decrypt(
                &Nonce::from(self.nonce),
                aead::Payload {
                    msg: &self.bytes,
                    aad: context,
                },
            )
            .ok()
            .map(Zeroizing::new)
    }

    pub fn ciphertext(&self) -> &[u8] {
        &self.bytes
    }
}

/// The item keys of one decision, handed out once each.
pub struct Keys {
    keys: Vec<ItemKey>,
    entropy: Entropy,
    used: u32,
}

/// A decision needs more item keys than were reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more item keys are needed than were reserved")]
pub struct OutOfKeys;

impl Keys {
    pub fn new(keys: Vec<ItemKey>, entropy: Entropy) -> Self {
        Self {
            keys,
            entropy,
            used: 0,
        }
    }

    /// The slots of the keys that were not needed.
    pub fn unused(&self) -> Vec<Slot> {
        self.keys.iter().map(ItemKey::slot).collect()
    }

    fn seal(&mut self, plain: &[u8], context: &[u8]) -> Result<Sealed, OutOfKeys> {
        let key = self.keys.pop().ok_or(OutOfKeys)?;
        self.used = self.used.saturating_add(1);
        let nonce = self.entropy.bytes(&format!("nonce {}", self.used));
        Ok(key.seal(plain, context, nonce))
    }

    /// Encrypts a fact.
    pub fn fact(
        &mut self,
        of: &Aggregate,
        item: Id,
        record: &Record,
    ) -> Result<SealedFact, OutOfKeys> {
        let plain = Zeroizing::new(record.to_bytes());
        self.seal(&plain, &seal_context(of, item, None))
            .map(SealedFact)
    }

    /// Encrypts the opening of a leaf, under the leaf's id.
    pub fn opening(&mut self, leaf: Id, opening: &Opening) -> Result<SealedFact, OutOfKeys> {
        self.seal(&opening.to_bytes(), &opening_context(leaf))
            .map(SealedFact)
    }

    /// Encrypts payload that the firewall passed, one part for each data class.
    pub fn parts(
        &mut self,
        of: &Aggregate,
        payload: &Screened<Payload>,
    ) -> Result<Vec<Write>, OutOfKeys> {
        payload
            .value()
            .parts
            .iter()
            .map(|part| {
                let context = seal_context(of, part.item, Some(part.class));
                let sealed = SealedPart(self.seal(&part.plain, &context)?);
                Ok(Write::Part {
                    of: of.clone(),
                    item: part.item,
                    class: part.class,
                    sealed,
                })
            })
            .collect()
    }
}

/// Payload in the clear, on its way to the firewall and then to [`Keys::parts`]. No `Debug`.
#[derive(Default)]
pub struct Payload {
    parts: Vec<PlainPart>,
}

struct PlainPart {
    class: DataClass,
    item: Id,
    plain: Zeroizing<Vec<u8>>,
}

impl Payload {
    pub fn add(&mut self, class: DataClass, item: Id, plain: Zeroizing<Vec<u8>>) {
        self.parts.push(PlainPart { class, item, plain });
    }

    pub fn items(&self) -> impl Iterator<Item = (DataClass, Id)> + '_ {
        self.parts.iter().map(|part| (part.class, part.item))
    }
}

impl Screenable for Payload {
    fn classes(&self) -> Vec<DataClass> {
        let mut classes: Vec<DataClass> = self.parts.iter().map(|part| part.class).collect();
        classes.sort_unstable();
        classes.dedup();
        classes
    }

    fn keep(mut self, allowed: impl Fn(DataClass) -> bool) -> Self {
        self.parts.retain(|part| allowed(part.class));
        self
    }
}

/// For the tests of the store: a fact of arbitrary bytes.
#[cfg(test)]
pub fn fact(key: &ItemKey, of: &Aggregate, item: Id, plain: &[u8], nonce: [u8; 12]) -> SealedFact {
    SealedFact(key.seal(plain, &seal_context(of, item, None), nonce))
}

/// For the tests of the store: the opening of a leaf.
#[cfg(test)]
pub fn opening(key: &ItemKey, leaf: Id, plain: &[u8], nonce: [u8; 12]) -> SealedFact {
    SealedFact(key.seal(plain, &opening_context(leaf), nonce))
}

/// Payload that no firewall has passed: for tests of what lies below it.
#[cfg(test)]
pub fn unscreened_part(
    key: &ItemKey,
    of: &Aggregate,
    item: Id,
    class: DataClass,
    plain: &[u8],
    nonce: [u8; 12],
) -> SealedPart {
    SealedPart(key.seal(plain, &seal_context(of, item, Some(class)), nonce))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ciphertext_opens_only_with_its_key_and_in_its_place() {
        let key = ItemKey::new(Slot(7), [1; 32]);
        let sealed = key.seal(b"R-1", b"here", [2; 12]);
        assert_eq!(sealed.open(&key, b"here").unwrap().as_slice(), b"R-1");
        assert!(sealed.open(&key, b"there").is_none());
        assert!(
            sealed
                .open(&ItemKey::new(Slot(7), [3; 32]), b"here")
                .is_none()
        );
    }
}
