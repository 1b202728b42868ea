//! The signed head of the log: origin, size and root (C2SP tlog-checkpoint, signed-note).
//!
//! Ed25519 signatures of note type 0x01 only, which every outside verifier reads. A checkpoint
//! holds no time: witnesses supply that. The key's name is the log's origin.

use base64::prelude::{BASE64_STANDARD, Engine};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use super::merkle::Hash;

/// The longest origin, in bytes.
pub const ORIGIN_BYTES_MAX: usize = 128;
/// The largest checkpoint that is read, with its cosignatures.
pub const CHECKPOINT_BYTES_MAX: usize = 64 * 1024;

const ED25519: u8 = 1;

/// A head of the log. The text that carries it is only worth something once verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub origin: String,
    pub size: u64,
    pub root: Hash,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCheckpoint {
    #[error("an origin is 1 to 128 printable characters without spaces or '+'")]
    Origin,
    #[error("the key is not a C2SP verifier key: name+hash+base64")]
    Key,
    #[error("the checkpoint is not in the form of C2SP tlog-checkpoint")]
    Form,
    #[error("the checkpoint carries no signature of this key")]
    Unsigned,
    #[error("the checkpoint's signature is wrong")]
    Signature,
}

/// The log's signing key. Zeroized on drop; no `Debug`.
pub struct LogKey {
    key: SigningKey,
    verifier: LogVerifier,
}

impl LogKey {
    pub fn from_seed(origin: &str, seed: &[u8; 32]) -> Result<Self, BadCheckpoint> {
        let key = SigningKey::from_bytes(seed);
        let verifier = LogVerifier::new(origin, key.verifying_key())?;
        Ok(Self { key, verifier })
    }

    pub fn verifier(&self) -> &LogVerifier {
        &self.verifier
    }

    /// The same key under another name, as the log was called before.
    pub fn named(&self, origin: &str) -> Result<Self, BadCheckpoint> {
        let (key, verifier) = (self.key.clone(), self.verifier_named(origin)?);
        Ok(Self { key, verifier })
    }

    /// The public half under another name, as the log was called before.
    pub fn verifier_named(&self, origin: &str) -> Result<LogVerifier, BadCheckpoint> {
        LogVerifier::new(origin, self.key.verifying_key())
    }

    /// The signed note: text, empty line, one signature line.
    pub fn sign(&self, size: u64, root: &Hash) -> String {
        let name = &self.verifier.name;
        let text = format!("{name}\n{size}\n{}\n", BASE64_STANDARD.encode(root));
        let signature = self.key.sign(text.as_bytes()).to_bytes();
        let signed = [&self.verifier.id[..], &signature[..]].concat();
        format!(
            "{text}\n\u{2014} {name} {}\n",
            BASE64_STANDARD.encode(signed)
        )
    }
}

/// The public half, as agencies pin it.
#[derive(Clone, Debug)]
pub struct LogVerifier {
    name: String,
    id: [u8; 4],
    key: VerifyingKey,
}

impl LogVerifier {
    fn new(name: &str, key: VerifyingKey) -> Result<Self, BadCheckpoint> {
        let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
        if name.is_empty() || name.len() > ORIGIN_BYTES_MAX || !name.chars().all(plain) {
            return Err(BadCheckpoint::Origin);
        }
        let hash: [u8; 32] = Sha256::new()
            .chain_update(name)
            .chain_update([b'\n', ED25519])
            .chain_update(key.as_bytes())
            .finalize()
            .into();
        let [a, b, c, d, ..] = hash;
        Ok(Self {
            name: name.to_owned(),
            id: [a, b, c, d],
            key,
        })
    }

    pub fn origin(&self) -> &str {
        &self.name
    }

    /// `name+hash+base64`, the line that goes into a key file.
    pub fn vkey(&self) -> String {
        let key = [&[ED25519][..], self.key.as_bytes()].concat();
        let id = u32::from_be_bytes(self.id);
        format!("{}+{id:08x}+{}", self.name, BASE64_STANDARD.encode(key))
    }

    pub fn parse(vkey: &str) -> Result<Self, BadCheckpoint> {
        let mut fields = vkey.splitn(3, '+');
        let (Some(name), Some(_), Some(key)) = (fields.next(), fields.next(), fields.next()) else {
            return Err(BadCheckpoint::Key);
        };
        let key = BASE64_STANDARD
            .decode(key)
            .map_err(|_| BadCheckpoint::Key)?;
        let Some((&ED25519, key)) = key.split_first() else {
            return Err(BadCheckpoint::Key);
        };
        let key = key.try_into().map_err(|_| BadCheckpoint::Key)?;
        let key = VerifyingKey::from_bytes(key).map_err(|_| BadCheckpoint::Key)?;
        let verifier = Self::new(name, key)?;
        // Also refuses a hash that does not belong to the name and key.
        if verifier.vkey() == vkey {
            Ok(verifier)
        } else {
            Err(BadCheckpoint::Key)
        }
    }

    /// Reads a signed checkpoint of this log. Signatures of other keys are ignored; one of ours
    /// that is wrong refuses the whole.
    pub fn verify(&self, note: &str) -> Result<Checkpoint, BadCheckpoint> {
        if note.len() > CHECKPOINT_BYTES_MAX {
            return Err(BadCheckpoint::Form);
        }
        let (text, signatures) = note.rsplit_once("\n\n").ok_or(BadCheckpoint::Form)?;
        let text = format!("{text}\n");
        let checkpoint = read_text(&text)?;
        if checkpoint.origin != self.name {
            return Err(BadCheckpoint::Unsigned);
        }
        let mut signed = false;
        for line in signatures
            .strip_suffix('\n')
            .ok_or(BadCheckpoint::Form)?
            .split('\n')
        {
            let (name, value) = line
                .strip_prefix("\u{2014} ")
                .and_then(|rest| rest.split_once(' '))
                .ok_or(BadCheckpoint::Form)?;
            let value = BASE64_STANDARD
                .decode(value)
                .map_err(|_| BadCheckpoint::Form)?;
            let (id, signature) = value.split_at_checked(4).ok_or(BadCheckpoint::Form)?;
            if name != self.name || id != self.id {
                continue;
            }
            let signature =
                Signature::from_slice(signature).map_err(|_| BadCheckpoint::Signature)?;
            self.key
                .verify_strict(text.as_bytes(), &signature)
                .map_err(|_| BadCheckpoint::Signature)?;
            signed = true;
        }
        if signed {
            Ok(checkpoint)
        } else {
            Err(BadCheckpoint::Unsigned)
        }
    }
}

/// Exactly three lines: this log writes no extension lines.
fn read_text(text: &str) -> Result<Checkpoint, BadCheckpoint> {
    let lines: Vec<&str> = text.split('\n').collect();
    let [origin, size, root, ""] = lines.as_slice() else {
        return Err(BadCheckpoint::Form);
    };
    let number: u64 = size.parse().map_err(|_| BadCheckpoint::Form)?;
    let root = BASE64_STANDARD
        .decode(root)
        .map_err(|_| BadCheckpoint::Form)?;
    if origin.is_empty() || number.to_string() != *size {
        return Err(BadCheckpoint::Form);
    }
    Ok(Checkpoint {
        origin: (*origin).to_owned(),
        size: number,
        root: root.try_into().map_err(|_| BadCheckpoint::Form)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use signed_note::{Note, StandardVerifier, VerifierList};

    fn key() -> LogKey {
        LogKey::from_seed("firedoor.example/log", &[7; 32]).unwrap()
    }

    #[test]
    fn a_checkpoint_reads_as_outside_tools_expect() {
        insta::assert_snapshot!(
            format!("{}\n{}", key().verifier().vkey(), key().sign(3, &[9; 32])),
            @"
        firedoor.example/log+3d822054+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs
        firedoor.example/log
        3
        CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=

        — firedoor.example/log PYIgVLG1vW+HrlPTrJYmC/hqQ4OfNRjCXZeupvg+X/uN041eoRYN7WEXJgo/3CAlo0zwduZKOAMs5gP/ofZa/DuzJg0=
        "
        );
    }

    #[test]
    fn another_implementation_accepts_key_and_signature() {
        let note = Note::from_bytes(key().sign(3, &[9; 32]).as_bytes()).unwrap();
        let verifier = StandardVerifier::new(&key().verifier().vkey()).unwrap();
        let known = VerifierList::new(vec![Box::new(verifier)]);
        assert_eq!(note.verify(&known).unwrap().0.len(), 1);
        let checkpoint = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
        assert_eq!((checkpoint.size(), checkpoint.hash().0), (3, [9; 32]));
    }

    #[test]
    fn only_this_key_counts_and_only_if_right() {
        let ours = key();
        let note = ours.sign(3, &[9; 32]);
        let checkpoint = ours.verifier().verify(&note).unwrap();
        assert_eq!((checkpoint.size, checkpoint.root), (3, [9; 32]));

        let other = LogKey::from_seed("firedoor.example/log", &[8; 32]).unwrap();
        assert_eq!(other.verifier().verify(&note), Err(BadCheckpoint::Unsigned));
        let elsewhere = LogKey::from_seed("elsewhere.example", &[7; 32]).unwrap();
        assert_eq!(
            elsewhere.verifier().verify(&note),
            Err(BadCheckpoint::Unsigned)
        );

        let cosigned = format!("{note}\u{2014} witness.example AAAAAAAA\n");
        assert!(ours.verifier().verify(&cosigned).is_ok());
        let grown = note.replacen("\n3\n", "\n4\n", 1);
        assert_eq!(
            ours.verifier().verify(&grown),
            Err(BadCheckpoint::Signature)
        );
        let padded = note.replacen("\n3\n", "\n03\n", 1);
        assert_eq!(ours.verifier().verify(&padded), Err(BadCheckpoint::Form));
    }

    #[test]
    fn a_verifier_key_is_read_back_whole_or_not_at_all() {
        let vkey = key().verifier().vkey();
        assert_eq!(LogVerifier::parse(&vkey).unwrap().vkey(), vkey);
        for bad in [
            "",
            "a",
            "a+b",
            "a+00000000+AQ==",
            &vkey.replacen("log", "lag", 1),
        ] {
            assert!(LogVerifier::parse(bad).is_err(), "{bad}");
        }
        for bad in ["", "two words", "a+b", "line\nfeed", &"x".repeat(129)] {
            assert!(LogKey::from_seed(bad, &[1; 32]).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(text: String) {
            let _ = key().verifier().verify(&text);
            let _ = LogVerifier::parse(&text);
        }

        #[test]
        fn no_changed_byte_of_the_text_is_accepted(at: prop::sample::Index, to in 32..127_u8) {
            let ours = key();
            let note = ours.sign(70_000, &[9; 32]);
            let mut bytes = note.clone().into_bytes();
            let at = at.index(note.find("\n\n").unwrap());
            prop_assume!(bytes[at] != to);
            bytes[at] = to;
            prop_assert!(ours.verifier().verify(&String::from_utf8(bytes).unwrap()).is_err());
        }
    }
}
