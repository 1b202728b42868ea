//! Names in frames and sidecars lie sealed under keys that lie in the slot file, like those of items.
//!
//! A name alone is an HMAC under the index key, which comes from the root key and never changes: who
//! has both could test tokens against any copy of a journal, however old. So no file of the data
//! directory, and so no backup, holds a name in clear. What opens them is wrapped anew with all
//! other slots by each change of epoch, and is in no copy. Nothing here is ever erased alone: a
//! frame whose names do not open stops the start.

use std::sync::{Arc, Mutex, PoisonError};

use borsh::{BorshDeserialize, BorshSerialize};
use zeroize::Zeroizing;

use super::Shared;
use crate::store::Fault;
use crate::store::index::ListsKey;
use crate::store::names::{Cipher, NoRandomness, mac};
use crate::store::slots::Slots;

const NO_RANDOMNESS: Fault = Fault::CannotRecord("the system gives no randomness");

/// Names, sealed, and the slot of their key.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SealedNames {
    pub slot: u64,
    /// nonce 12 | AES-256-GCM ciphertext and tag.
    bytes: Vec<u8>,
}

/// Why names cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// They are not what this program wrote there.
    Damaged,
    /// The slot file has no key in this slot.
    NoKey(u64),
}

/// One key of names. No `Debug`.
pub struct NamesKey {
    slot: u64,
    cipher: Cipher,
    lists: Zeroizing<[u8; 32]>,
}

impl NamesKey {
    pub fn new(slot: u64, key: &[u8; 32]) -> Self {
        let names = Zeroizing::new(mac(key, b"firedoor names key v1", &[]));
        Self {
            slot,
            cipher: Cipher::new(&names),
            lists: Zeroizing::new(mac(key, b"firedoor lists key v1", &[])),
        }
    }

    /// Takes the next slot, for good, and makes it durable.
    pub fn next(slots: &Slots) -> Result<Arc<Self>, Fault> {
        const NONE: Fault = Fault::CannotRecord("there is no key for names");
        let lent = slots.reserve(1)?;
        let slot = lent.first().ok_or(NONE)?.slot().0;
        if !slots.claim(&[slot]) {
            return Err(NONE);
        }
        let key = slots.raw_key(slot)?.ok_or(NONE)?;
        Ok(Arc::new(Self::new(slot, &key)))
    }

    pub fn slot(&self) -> u64 {
        self.slot
    }

    /// `place` binds them to where they lie.
    pub fn seal(&self, names: &[u8], place: &[u8]) -> Result<SealedNames, Fault> {
        let bytes = self.cipher.seal(names, place);
        Ok(SealedNames {
            slot: self.slot,
            bytes: bytes.map_err(|NoRandomness| NO_RANDOMNESS)?,
        })
    }

    /// What lists in sled are called by.
    pub fn lists(&self) -> ListsKey {
        ListsKey::new(self.slot, &self.lists)
    }
}

/// Finds the keys of names. It remembers one, because neighbours lie under the same.
pub struct NamesKeys<'a> {
    find: Box<dyn Fn(u64) -> Option<Zeroizing<[u8; 32]>> + Send + Sync + 'a>,
    last: Mutex<Option<Arc<NamesKey>>>,
}

impl<'a> NamesKeys<'a> {
    pub fn of(slots: &'a Slots) -> Self {
        // A slot that cannot be read or does not open is as good as none.
        Self::found_by(|slot| slots.raw_key(slot).ok().flatten())
    }

    pub fn found_by(find: impl Fn(u64) -> Option<Zeroizing<[u8; 32]>> + Send + Sync + 'a) -> Self {
        Self {
            find: Box::new(find),
            last: Mutex::default(),
        }
    }

    pub fn key(&self, slot: u64) -> Option<Arc<NamesKey>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = last.as_ref().filter(|known| known.slot == slot) {
            return Some(Arc::clone(known));
        }
        let found = Arc::new(NamesKey::new(slot, &*(self.find)(slot)?));
        *last = Some(Arc::clone(&found));
        Some(found)
    }

    pub fn open(&self, names: &SealedNames, place: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unread> {
        let key = self.key(names.slot).ok_or(Unread::NoKey(names.slot))?;
        let opened = key.cipher.open(&names.bytes, place);
        opened.ok_or(Unread::Damaged)
    }
}

impl Shared {
    /// What names are sealed under now.
    pub(super) fn names_key(&self) -> Arc<NamesKey> {
        let key = self
            .names_key
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&key)
    }

    pub(super) fn names_keys(&self) -> NamesKeys<'_> {
        NamesKeys::of(&self.slots)
    }

    /// From now on names are sealed under another key. Without one, the last one goes on.
    pub(super) fn renew_names_key(&self) {
        match NamesKey::next(&self.slots) {
            Ok(next) => {
                let mut key = self
                    .names_key
                    .write()
                    .unwrap_or_else(PoisonError::into_inner);
                *key = next;
            }
            Err(fault) => tracing::warn!(%fault, "names go on under the key they had"),
        }
    }
}
