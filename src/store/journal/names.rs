//! Keyed names: how aggregates, lists and counters are called on the disk.
//!
//! Without the index key nobody can tell from a name what it stands for, nor test a guess.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use borsh::BorshSerialize;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::frame::Key;
use crate::domain::decision::{Aggregate, Counter, List};

const NONCE_BYTES: usize = 12;

pub struct Names {
    index_key: Zeroizing<[u8; 32]>,
    replies: Aes256Gcm,
}

impl Names {
    pub fn new(index_key: Zeroizing<[u8; 32]>) -> Self {
        let reply_key = Zeroizing::new(mac(&index_key, b"firedoor reply key v1", &[]));
        let replies = Aes256Gcm::new(&(*reply_key).into());
        Self { index_key, replies }
    }

    pub fn aggregate(&self, of: &Aggregate) -> Key {
        self.name(b"firedoor aggregate v1", of)
    }

    pub fn list(&self, list: &List) -> Key {
        self.name(b"firedoor list v1", list)
    }

    pub fn counter(&self, counter: &Counter) -> Key {
        self.name(b"firedoor counter v1", counter)
    }

    /// Says whether two index keys are the same, and nothing else.
    pub fn check(&self) -> [u8; 32] {
        mac(&self.index_key, b"firedoor index key check v1", &[])
    }

    /// Encrypts what an idempotency record answers again. `None` only without randomness.
    pub fn seal_reply(&self, key: &Key, reply: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).ok()?;
        let payload = Payload {
            msg: reply,
            aad: key,
        };
        let sealed = self.replies.encrypt(&Nonce::from(nonce), payload).ok()?;
        Some([&nonce[..], &sealed].concat())
    }

    pub fn open_reply(&self, key: &Key, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, msg) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg, aad: key };
        self.replies.decrypt(&Nonce::from(*nonce), payload).ok()
    }

    fn name(&self, label: &[u8], of: &impl BorshSerialize) -> Key {
        let mut bytes = Vec::with_capacity(64);
        // Writing to a Vec cannot fail.
        let _ = of.serialize(&mut bytes);
        let full = mac(&self.index_key, label, &bytes);
        let mut name = Key::default();
        name.iter_mut().zip(full).for_each(|(to, from)| *to = from);
        name
    }
}

fn mac(key: &[u8; 32], label: &[u8], bytes: &[u8]) -> [u8; 32] {
    // HMAC pads its key to the block with zeros (RFC 2104), so this is HMAC under the 32 bytes.
    let mut block = Zeroizing::new([0_u8; 64]);
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new((&*block).into());
    mac.update(label);
    mac.update(&[0]);
    mac.update(bytes);
    mac.finalize().into_bytes().into()
}
