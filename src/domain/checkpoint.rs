//! The signed head of the log: origin, size and root (C2SP tlog-checkpoint, signed-note).
//!
//! Ed25519 signatures of note type 0x01 only, which every outside verifier reads. A checkpoint
//! holds no time: witnesses supply that. The key's name is the log's origin.

use base64::prelude::{BASE64_STANDARD, Engine};

use super::merkle::Hash;
use super::note::{NAME_BYTES_MAX, Note, PrivateKey, PublicKey, SignatureType};

/// The longest origin, in bytes.
pub const ORIGIN_BYTES_MAX: usize = NAME_BYTES_MAX;
/// The largest checkpoint that is read, with its cosignatures.
pub const CHECKPOINT_BYTES_MAX: usize = 64 * 1024;

/// A head of the log. The text that carries it is only worth something once verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub origin: String,
    pub size: u64,
    pub root: Hash,
}

impl Checkpoint {
    /// Reads the text of a note, which says nothing about who signed it. Exactly three lines: this
    /// log writes no extension lines.
    ///
    /// # Errors
    /// [`BadCheckpoint::Form`].
    pub fn read(text: &str) -> Result<Self, BadCheckpoint> {
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
        Ok(Self {
            origin: (*origin).to_owned(),
            size: number,
            root: root.try_into().map_err(|_| BadCheckpoint::Form)?,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCheckpoint {
    #[error("an origin or a key's name is 1 to 128 printable characters without spaces or '+'")]
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
    key: PrivateKey,
    verifier: LogVerifier,
}

impl LogKey {
    pub fn from_seed(origin: &str, seed: &[u8; 32]) -> Result<Self, BadCheckpoint> {
        Ok(Self::new(PrivateKey::from_seed(
            origin,
            SignatureType::Text,
            seed,
        )?))
    }

    fn new(key: PrivateKey) -> Self {
        let verifier = LogVerifier(key.public().clone());
        Self { key, verifier }
    }

    pub fn verifier(&self) -> &LogVerifier {
        &self.verifier
    }

    /// The same key under another name, as the log was called before.
    pub fn named(&self, origin: &str) -> Result<Self, BadCheckpoint> {
        Ok(Self::new(self.key.named(origin)?))
    }

    /// The public half under another name, as the log was called before.
    pub fn verifier_named(&self, origin: &str) -> Result<LogVerifier, BadCheckpoint> {
        Ok(self.named(origin)?.verifier)
    }

    /// The signed note: text, empty line, one signature line.
    pub fn sign(&self, size: u64, root: &Hash) -> String {
        let origin = self.verifier.origin();
        let text = format!("{origin}\n{size}\n{}\n", BASE64_STANDARD.encode(root));
        let line = self.verifier.0.line(&self.key.sign(text.as_bytes()));
        format!("{text}\n{line}")
    }
}

/// The public half, as agencies pin it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogVerifier(PublicKey);

impl LogVerifier {
    pub fn origin(&self) -> &str {
        self.0.name()
    }

    /// `name+hash+base64`, the line that goes into a key file.
    pub fn vkey(&self) -> String {
        self.0.vkey()
    }

    /// The key without its name.
    pub fn bytes(&self) -> &[u8; 32] {
        self.0.bytes()
    }

    pub fn parse(vkey: &str) -> Result<Self, BadCheckpoint> {
        PublicKey::parse(vkey, SignatureType::Text).map(Self)
    }

    /// The same note with this log's signature and no other, if it is a checkpoint of this log.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub fn bare(&self, note: &str) -> Result<String, BadCheckpoint> {
        self.verify(note)?;
        let note = Note::parse(note)?;
        let signature = note.of(&self.0).next().ok_or(BadCheckpoint::Unsigned)?;
        Ok(format!("{}\n{}", note.text(), self.0.line(signature)))
    }

    /// Reads a signed checkpoint of this log. Signatures of other keys are ignored; one of ours
    /// that is wrong refuses the whole.
    pub fn verify(&self, note: &str) -> Result<Checkpoint, BadCheckpoint> {
        let note = Note::parse(note)?;
        let checkpoint = Checkpoint::read(note.text())?;
        if checkpoint.origin != self.origin() {
            return Err(BadCheckpoint::Unsigned);
        }
        let mut signed = false;
        for signature in note.of(&self.0) {
            if !self.0.made(signature, note.text().as_bytes()) {
                return Err(BadCheckpoint::Signature);
            }
            signed = true;
        }
        if signed {
            Ok(checkpoint)
        } else {
            Err(BadCheckpoint::Unsigned)
        }
    }
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
        assert_eq!(ours.verifier().bare(&cosigned).as_ref(), Ok(&note));
        assert!(other.verifier().bare(&cosigned).is_err());
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
