//! Keyed names: how aggregates, lists and counters are called in the journal and in the database,
//! and the sealing of small values beside them.
//!
//! Without the index key nobody can tell from a name what it stands for, nor test a guess. Both
//! backends name alike, so that a store can move from one to the other. The labels are for ever.
//! But the index key never changes, so at rest no name lies as it is: see `journal/names_key.rs`, and
//! [`Names::under`] for PostgreSQL.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use borsh::BorshSerialize;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::domain::decision::{Aggregate, Counter, List};

/// How things are named: the first half of an HMAC.
pub(super) type Name = [u8; 16];

const NONCE_BYTES: usize = 12;

/// The operating system gives no randomness; nothing can be sealed then.
#[derive(Debug)]
pub(super) struct NoRandomness;

pub(super) fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// Both keys are scheduled once: a decision names half a dozen things.
pub(super) struct Names {
    index_key: Hmac<Sha256>,
    /// What names are stored under besides.
    outer: Option<Hmac<Sha256>>,
    replies: Cipher,
}

impl Names {
    pub(super) fn new(index_key: Zeroizing<[u8; 32]>) -> Self {
        let index_key = keyed(&index_key);
        let replies = Zeroizing::new(finish(index_key.clone(), b"firedoor reply key v1", &[]));
        let replies = Cipher::new(&replies);
        Self {
            index_key,
            outer: None,
            replies,
        }
    }

    /// The same names under one more key, which lies with the keys of items: without that place
    /// nobody can test a guess, whoever has the root key. Replies are sealed under it too.
    pub(super) fn under(self, outer: &[u8; 32]) -> Self {
        let replies = Zeroizing::new(mac(outer, b"firedoor reply key v2", &[]));
        Self {
            index_key: self.index_key,
            outer: Some(keyed(outer)),
            replies: Cipher::new(&replies),
        }
    }

    /// What a name is called where it is stored.
    pub(super) fn stored(&self, name: Name) -> Name {
        match &self.outer {
            Some(outer) => cut(finish(outer.clone(), b"firedoor stored name v1", &name)),
            None => name,
        }
    }

    pub(super) fn aggregate(&self, of: &Aggregate) -> Name {
        self.name(b"firedoor aggregate v1", of)
    }

    pub(super) fn list(&self, list: &List) -> Name {
        self.name(b"firedoor list v1", list)
    }

    pub(super) fn counter(&self, counter: &Counter) -> Name {
        self.name(b"firedoor counter v1", counter)
    }

    /// Says whether two index keys are the same, and nothing else.
    pub(super) fn check(&self) -> [u8; 32] {
        self.mac(b"firedoor index key check v1", &[])
    }

    /// Says that a copy's manifest is one that this gateway wrote.
    pub(super) fn copy_mac(&self, manifest: &[u8]) -> [u8; 32] {
        self.mac(b"firedoor copy v1", manifest)
    }

    pub(super) fn seal_reply(&self, key: &Name, reply: &[u8]) -> Result<Vec<u8>, NoRandomness> {
        self.replies.seal(reply, key)
    }

    pub(super) fn open_reply(&self, key: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        self.replies.open(sealed, key).map(|plain| plain.to_vec())
    }

    fn name(&self, label: &[u8], of: &impl BorshSerialize) -> Name {
        let mut bytes = Vec::with_capacity(64);
        // Writing to a Vec cannot fail.
        let _ = of.serialize(&mut bytes);
        self.stored(cut(self.mac(label, &bytes)))
    }

    fn mac(&self, label: &[u8], bytes: &[u8]) -> [u8; 32] {
        finish(self.index_key.clone(), label, bytes)
    }
}

fn cut(mac: [u8; 32]) -> Name {
    let mut name = Name::default();
    name.iter_mut().zip(mac).for_each(|(to, from)| *to = from);
    name
}

/// Says whether two keys of names are the same, and nothing else.
pub(super) fn check_outer(outer: &[u8; 32]) -> [u8; 32] {
    mac(outer, b"firedoor names key check v1", &[])
}

/// HMAC-SHA256 over a label, its end, and `bytes`.
pub(super) fn mac(key: &[u8; 32], label: &[u8], bytes: &[u8]) -> [u8; 32] {
    finish(keyed(key), label, bytes)
}

fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    // HMAC pads its key to the block with zeros (RFC 2104), so this is HMAC under the 32 bytes.
    let mut block = Zeroizing::new([0_u8; 64]);
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    <Hmac<Sha256> as hmac::KeyInit>::new((&*block).into())
}

fn finish(mut mac: Hmac<Sha256>, label: &[u8], bytes: &[u8]) -> [u8; 32] {
    mac.update(label);
    mac.update(&[0]);
    mac.update(bytes);
    mac.finalize().into_bytes().into()
}

/// A key of AES-256-GCM, scheduled once. A random nonce lies before each ciphertext. No `Debug`.
pub(super) struct Cipher(Aes256Gcm);

impl Cipher {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(Aes256Gcm::new(key.into()))
    }

    pub(super) fn seal(&self, plain: &[u8], place: &[u8]) -> Result<Vec<u8>, NoRandomness> {
        let nonce: [u8; NONCE_BYTES] = random()?;
        let payload = Payload {
            msg: plain,
            aad: place,
        };
        // AES-GCM refuses only messages over 64 GiB; an empty ciphertext never opens.
        let sealed = self.0.encrypt(&Nonce::from(nonce), payload);
        Ok([&nonce[..], &sealed.unwrap_or_default()].concat())
    }

    pub(super) fn open(&self, sealed: &[u8], place: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, msg) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg, aad: place };
        let plain = self.0.decrypt(&Nonce::from(*nonce), payload);
        plain.ok().map(Zeroizing::new)
    }
}

/// [`Cipher::seal`] with a key that is used once.
pub(super) fn seal(key: &[u8; 32], plain: &[u8], place: &[u8]) -> Result<Vec<u8>, NoRandomness> {
    Cipher::new(key).seal(plain, place)
}

pub(super) fn open(key: &[u8; 32], sealed: &[u8], place: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    Cipher::new(key).open(sealed, place)
}
