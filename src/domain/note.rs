//! The C2SP signed note (c2sp.org/signed-note): a text, and below it lines that sign it.
//!
//! Holds the only Ed25519 keys of the log: type 0x01 signs a text as it is, type 0x04 signs it with
//! a time (c2sp.org/tlog-cosignature). What was signed and what that means is said by `checkpoint`
//! and `cosignature`; nothing here trusts a note.

use base64::prelude::{BASE64_STANDARD, Engine};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::checkpoint::{BadCheckpoint, CHECKPOINT_BYTES_MAX};

/// The longest name of a key, in bytes; a log's is its origin.
pub const NAME_BYTES_MAX: usize = 128;

/// How the text of a private key begins.
const SECRET: &str = "PRIVATE+KEY+";

/// What a key signs: the byte before the key in its verifier key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureType {
    /// Ed25519 over the text, as a log signs.
    Text = 1,
    /// Ed25519 over time and text, as a witness signs.
    Cosignature = 4,
}

/// A note that is well formed, and not yet worth anything.
pub struct Note<'a> {
    text: &'a str,
    signatures: Vec<Line<'a>>,
}

struct Line<'a> {
    name: &'a str,
    /// The key's id and what follows it.
    value: Vec<u8>,
}

impl<'a> Note<'a> {
    /// # Errors
    /// [`BadCheckpoint::Form`].
    pub fn parse(note: &'a str) -> Result<Self, BadCheckpoint> {
        let parts = || {
            let (_, lines) = note.rsplit_once("\n\n")?;
            let text = note.strip_suffix(lines)?.strip_suffix('\n')?;
            let lines = lines.strip_suffix('\n')?.split('\n');
            let signatures: Option<Vec<Line<'a>>> = lines.map(Line::parse).collect();
            Some(Self {
                text,
                signatures: signatures?,
            })
        };
        (note.len() <= CHECKPOINT_BYTES_MAX)
            .then(parts)
            .flatten()
            .ok_or(BadCheckpoint::Form)
    }

    /// What was signed, with its last line feed.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// What the lines of this key hold behind its id.
    pub fn of<'b>(&'b self, key: &'b PublicKey) -> impl Iterator<Item = &'b [u8]> {
        let named = self
            .signatures
            .iter()
            .filter(|line| line.name == key.name.as_str());
        named.filter_map(|line| line.value.strip_prefix(&key.id))
    }
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (name, value) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
        let value = BASE64_STANDARD.decode(value).ok()?;
        (value.len() >= 4).then_some(Self { name, value })
    }
}

/// The public half of a named key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    name: String,
    kind: SignatureType,
    id: [u8; 4],
    key: VerifyingKey,
}

impl PublicKey {
    fn new(name: &str, kind: SignatureType, key: VerifyingKey) -> Result<Self, BadCheckpoint> {
        let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(plain) {
            return Err(BadCheckpoint::Origin);
        }
        let hash: [u8; 32] = Sha256::new()
            .chain_update(name)
            .chain_update([b'\n', kind as u8])
            .chain_update(key.as_bytes())
            .finalize()
            .into();
        let [a, b, c, d, ..] = hash;
        Ok(Self {
            name: name.to_owned(),
            kind,
            id: [a, b, c, d],
            key,
        })
    }

    /// Reads `name+hash+base64(type || key)`, if it is of this type.
    ///
    /// # Errors
    /// [`BadCheckpoint::Key`], also for a hash that does not belong to name and key.
    pub fn parse(vkey: &str, kind: SignatureType) -> Result<Self, BadCheckpoint> {
        let mut fields = vkey.splitn(3, '+');
        let (Some(name), Some(_), Some(key)) = (fields.next(), fields.next(), fields.next()) else {
            return Err(BadCheckpoint::Key);
        };
        let key = BASE64_STANDARD
            .decode(key)
            .map_err(|_| BadCheckpoint::Key)?;
        let Some((byte, key)) = key.split_first() else {
            return Err(BadCheckpoint::Key);
        };
        let key = key.try_into().map_err(|_| BadCheckpoint::Key)?;
        let key = VerifyingKey::from_bytes(key).map_err(|_| BadCheckpoint::Key)?;
        let read = Self::new(name, kind, key)?;
        if *byte == kind as u8 && read.vkey() == vkey {
            Ok(read)
        } else {
            Err(BadCheckpoint::Key)
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// `name+hash+base64`, the line that goes into a key file.
    pub fn vkey(&self) -> String {
        let key = [&[self.kind as u8][..], self.key.as_bytes()].concat();
        let id = u32::from_be_bytes(self.id);
        format!("{}+{id:08x}+{}", self.name, BASE64_STANDARD.encode(key))
    }

    /// The key without its name and type: two that are equal here are one key.
    pub fn bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Whether this key made the 64 bytes over `message` (strict: RFC 8032, no weak keys).
    pub fn made(&self, signature: &[u8], message: &[u8]) -> bool {
        let signature = Signature::from_slice(signature);
        signature.is_ok_and(|signature| self.key.verify_strict(message, &signature).is_ok())
    }

    /// A signature line with its line feed.
    pub fn line(&self, value: &[u8]) -> String {
        let value = BASE64_STANDARD.encode([&self.id[..], value].concat());
        format!("\u{2014} {} {value}\n", self.name)
    }
}

/// A named key. Zeroized on drop; no `Debug`.
pub struct PrivateKey {
    key: SigningKey,
    public: PublicKey,
}

impl PrivateKey {
    /// # Errors
    /// [`BadCheckpoint::Origin`] if the name cannot be one.
    pub fn from_seed(
        name: &str,
        kind: SignatureType,
        seed: &[u8; 32],
    ) -> Result<Self, BadCheckpoint> {
        let key = SigningKey::from_bytes(seed);
        let public = PublicKey::new(name, kind, key.verifying_key())?;
        Ok(Self { key, public })
    }

    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The same key under another name.
    ///
    /// # Errors
    /// [`BadCheckpoint::Origin`].
    pub fn named(&self, name: &str) -> Result<Self, BadCheckpoint> {
        let public = PublicKey::new(name, self.public.kind, self.public.key)?;
        let key = self.key.clone();
        Ok(Self { key, public })
    }

    /// `PRIVATE+KEY+name+hash+base64(type || seed)`.
    pub fn secret(&self) -> Zeroizing<String> {
        let mut typed = Zeroizing::new([0; 33]);
        let (kind, seed) = typed.split_at_mut(1);
        kind.fill(self.public.kind as u8);
        seed.copy_from_slice(&*Zeroizing::new(self.key.to_bytes()));
        let coded = Zeroizing::new(BASE64_STANDARD.encode(*typed));
        let PublicKey { name, id, .. } = &self.public;
        let id = u32::from_be_bytes(*id);
        Zeroizing::new(format!("{SECRET}{name}+{id:08x}+{}", *coded))
    }

    /// Reads what [`Self::secret`] wrote, if it is of this type.
    ///
    /// # Errors
    /// [`BadCheckpoint::Key`].
    pub fn parse(text: &str, kind: SignatureType) -> Result<Self, BadCheckpoint> {
        let read = || {
            let (name, rest) = text.strip_prefix(SECRET)?.split_once('+')?;
            let (_, coded) = rest.split_once('+')?;
            let typed = Zeroizing::new(BASE64_STANDARD.decode(coded).ok()?);
            let (byte, seed) = typed.split_first()?;
            let seed = Zeroizing::new(<[u8; 32]>::try_from(seed).ok()?);
            let key = Self::from_seed(name, kind, &seed).ok()?;
            (*byte == kind as u8 && *key.secret() == text).then_some(key)
        };
        read().ok_or(BadCheckpoint::Key)
    }

    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}
