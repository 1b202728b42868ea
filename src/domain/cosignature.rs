//! A witness's word about a head of the log: "at this time I had seen no larger one, and it follows
//! from all that I saw before" (C2SP tlog-cosignature, `cosignature/v1`, Ed25519).
//!
//! It is what gives the log a time that its keeper did not choose. Nothing here decides whether a
//! head deserves it: that is `witness`. A key that cosigns must never sign anything else, because
//! the signature does not name it.

use zeroize::Zeroizing;

use super::checkpoint::BadCheckpoint;
use super::note::{Note, PrivateKey, PublicKey, SignatureType};
use super::time::When;

/// A witness's signing key. Zeroized on drop; no `Debug`.
pub struct WitnessKey {
    key: PrivateKey,
    verifier: WitnessVerifier,
}

impl WitnessKey {
    /// `name` is one word without a scheme, as `larkfield.example/witness`.
    ///
    /// # Errors
    /// [`BadCheckpoint::Origin`].
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, BadCheckpoint> {
        let key = PrivateKey::from_seed(name, SignatureType::Cosignature, seed)?;
        let verifier = WitnessVerifier(key.public().clone());
        Ok(Self { key, verifier })
    }

    pub fn verifier(&self) -> &WitnessVerifier {
        &self.verifier
    }

    /// The key as its file holds it: `PRIVATE+KEY+name+hash+base64(0x04 || seed)`, the form that Go's
    /// signed notes use.
    pub fn secret(&self) -> Zeroizing<String> {
        self.key.secret()
    }

    /// Reads what [`Self::secret`] wrote.
    ///
    /// # Errors
    /// [`BadCheckpoint::Key`], also for a hash that does not belong to name and key.
    pub fn parse_secret(text: &str) -> Result<Self, BadCheckpoint> {
        let key = PrivateKey::parse(text, SignatureType::Cosignature)?;
        let verifier = WitnessVerifier(key.public().clone());
        Ok(Self { key, verifier })
    }

    /// One signature line with its line feed, to stand below the note's others. `note_text` is the
    /// text above the empty line, with its last line feed. The time is kept in whole seconds.
    pub fn cosign(&self, note_text: &str, at: When) -> String {
        let seconds = u64::try_from(at.millis().div_euclid(1_000)).unwrap_or(0);
        let signature = self.key.sign(message(seconds, note_text).as_bytes());
        let value = [&seconds.to_be_bytes()[..], &signature].concat();
        self.verifier.0.line(&value)
    }
}

/// The public half, as a policy names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessVerifier(PublicKey);

impl WitnessVerifier {
    /// Reads `name+hash+base64(0x04 || key)`.
    ///
    /// # Errors
    /// [`BadCheckpoint::Key`], also for the key of a log.
    pub fn parse(vkey: &str) -> Result<Self, BadCheckpoint> {
        PublicKey::parse(vkey, SignatureType::Cosignature).map(Self)
    }

    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// `name+hash+base64`, the line that goes into a policy.
    pub fn vkey(&self) -> String {
        self.0.vkey()
    }

    /// The key without its name.
    pub fn bytes(&self) -> &[u8; 32] {
        self.0.bytes()
    }

    /// When this witness cosigned the note, by its own clock: the earliest time if it did so more
    /// than once. `None` if it did not, or if one of its lines is wrong.
    pub fn verify(&self, note: &str) -> Option<When> {
        self.cosigned(&Note::parse(note).ok()?).ok().flatten()
    }

    /// The same, and tells a line that is not there from one that is wrong.
    ///
    /// # Errors
    /// [`BadCheckpoint::Signature`] if any line of this key is wrong.
    pub fn cosigned(&self, note: &Note<'_>) -> Result<Option<When>, BadCheckpoint> {
        let mut earliest = None;
        for value in note.of(&self.0) {
            let at = self
                .time_of(value, note.text())
                .ok_or(BadCheckpoint::Signature)?;
            earliest = Some(earliest.map_or(at, |first: When| first.min(at)));
        }
        Ok(earliest)
    }

    fn time_of(&self, value: &[u8], text: &str) -> Option<When> {
        let (seconds, signature) = value.split_first_chunk::<8>()?;
        let seconds = u64::from_be_bytes(*seconds);
        let millis = i64::try_from(seconds).ok()?.checked_mul(1_000)?;
        self.0
            .made(signature, message(seconds, text).as_bytes())
            .then_some(When::from_millis(millis))
    }
}

/// What is signed. The first line keeps it apart from what a log signs.
fn message(seconds: u64, note_text: &str) -> String {
    format!("cosignature/v1\ntime {seconds}\n{note_text}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::checkpoint::LogKey;
    use proptest::prelude::*;
    use signed_note::{Note as Theirs, Verifier, VerifierList};

    const AT: When = When::from_millis(1_790_000_000_999);

    fn log() -> LogKey {
        LogKey::from_seed("firedoor.example/log", &[7; 32]).unwrap()
    }

    fn key(seed: u8) -> WitnessKey {
        WitnessKey::from_seed("larkfield.example/witness", &[seed; 32]).unwrap()
    }

    fn text(note: &str) -> String {
        Note::parse(note).unwrap().text().to_owned()
    }

    fn cosigned(note: &str, key: &WitnessKey, at: When) -> String {
        format!("{note}{}", key.cosign(&text(note), at))
    }

    #[test]
    fn a_cosigned_checkpoint_reads_as_outside_tools_expect() {
        let note = cosigned(&log().sign(3, &[9; 32]), &key(1), AT);
        insta::assert_snapshot!(format!("{}\n{note}", key(1).verifier().vkey()), @"
        larkfield.example/witness+4bcb8728+BIqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c
        firedoor.example/log
        3
        CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=

        — firedoor.example/log PYIgVLG1vW+HrlPTrJYmC/hqQ4OfNRjCXZeupvg+X/uN041eoRYN7WEXJgo/3CAlo0zwduZKOAMs5gP/ofZa/DuzJg0=
        — larkfield.example/witness S8uHKAAAAABqsTuA1fv2kpoLlGKN8iB1+JJyeZgZrnDETY7HZQP9uin/ROWH1b0/um65b9XD3tTEqpIvRzjYX0JDL4u7f4mv+YnOAw==
        ");
    }

    #[test]
    fn the_example_of_the_specification_is_well_formed() {
        // Its keys are not published, so only the form can be checked.
        let note = "example.com/behind-the-sofa\n20852163\n\
            CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
            \u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
            \u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";
        assert!(text(note).ends_with("q2I=\n"));
        assert_eq!(key(1).verifier().verify(note), None);
    }

    /// Another reader of notes, and a signature made and checked by hand as the text of the
    /// specification says.
    struct ByHand(ed25519_dalek::VerifyingKey, u32);

    impl Verifier for ByHand {
        fn name(&self) -> &str {
            "larkfield.example/witness"
        }

        fn key_id(&self) -> u32 {
            self.1
        }

        fn verify(&self, msg: &[u8], sig: &[u8]) -> bool {
            let mut signed = b"cosignature/v1\ntime 1790000000\n".to_vec();
            signed.extend_from_slice(msg);
            let signature = ed25519_dalek::Signature::from_slice(&sig[8..]).unwrap();
            u64::from_be_bytes(sig[..8].try_into().unwrap()) == 1_790_000_000
                && ed25519_dalek::Verifier::verify(&self.0, &signed, &signature).is_ok()
        }
    }

    #[test]
    fn another_implementation_of_notes_finds_and_accepts_the_cosignature() {
        let public = ed25519_dalek::SigningKey::from_bytes(&[1; 32]).verifying_key();
        let typed = [&[4][..], public.as_bytes()].concat();
        let id = signed_note::key_id("larkfield.example/witness", &typed);
        let vkey = key(1).verifier().vkey();
        assert!(vkey.contains(&format!("+{id:08x}+")), "{vkey}");

        let note = cosigned(&log().sign(3, &[9; 32]), &key(1), AT);
        let note = Theirs::from_bytes(note.as_bytes()).unwrap();
        let known = VerifierList::new(vec![Box::new(ByHand(public, id))]);
        assert_eq!(note.verify(&known).unwrap().0.len(), 1);
    }

    #[test]
    fn the_earliest_of_several_counts_and_a_wrong_one_spoils_all() {
        let plain = log().sign(3, &[9; 32]);
        let witness = key(1);
        assert_eq!(witness.verifier().verify(&plain), None);
        let note = cosigned(&plain, &witness, AT);
        assert_eq!(
            witness.verifier().verify(&note),
            Some(When::from_millis(1_790_000_000_000))
        );
        let again = cosigned(&note, &witness, AT.plus_hours(-1));
        assert_eq!(
            witness.verifier().verify(&again),
            Some(When::from_millis(1_790_000_000_000).plus_hours(-1))
        );
        // A right line for another head is wrong here; one of another key says nothing.
        let other = witness.cosign(&text(&log().sign(4, &[9; 32])), AT);
        assert_eq!(witness.verifier().verify(&format!("{again}{other}")), None);
        assert_eq!(key(2).verifier().verify(&again), None);
        assert!(log().verifier().verify(&again).is_ok());
    }

    #[test]
    fn a_key_survives_its_file_and_nothing_else_is_a_key() {
        let text = key(1).secret();
        let read = WitnessKey::parse_secret(&text).unwrap();
        assert_eq!(read.verifier(), key(1).verifier());
        let line = "gw.example/log\n1\nAAAA\n";
        assert_eq!(read.cosign(line, AT), key(1).cosign(line, AT));
        let vkey = key(1).verifier().vkey();
        let (half, other) = (
            text.get(..text.len() / 2).unwrap(),
            text.replace("larkfield", "harbour"),
        );
        for bad in [
            "",
            "PRIVATE+KEY+",
            half,
            &other,
            &vkey,
            &format!("{}\n", *text),
        ] {
            assert!(WitnessKey::parse_secret(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_verifier_key_is_that_of_a_witness_or_refused() {
        let vkey = key(1).verifier().vkey();
        assert_eq!(WitnessVerifier::parse(&vkey).unwrap().vkey(), vkey);
        assert!(WitnessVerifier::parse(&log().verifier().vkey()).is_err());
        assert!(crate::domain::checkpoint::LogVerifier::parse(&vkey).is_err());
        assert!(WitnessKey::from_seed("two words", &[1; 32]).is_err());
    }

    proptest! {
        #[test]
        fn a_time_survives_in_whole_seconds(millis in 0..4_000_000_000_000_i64) {
            let note = cosigned(&log().sign(3, &[9; 32]), &key(1), When::from_millis(millis));
            prop_assert_eq!(
                key(1).verifier().verify(&note),
                Some(When::from_millis(millis - millis % 1_000))
            );
        }

        #[test]
        fn no_changed_byte_of_a_cosigned_note_keeps_its_time(at: prop::sample::Index, bit in 0..7_u8) {
            let plain = log().sign(70_000, &[9; 32]);
            let note = cosigned(&plain, &key(1), AT);
            let mut bytes = note.clone().into_bytes();
            // The log's own line is not what a witness signs.
            let text_ends = note.find("\n\n").unwrap();
            let signed: Vec<usize> = (0..=text_ends).chain(plain.len()..note.len()).collect();
            let at = signed[at.index(signed.len())];
            bytes[at] ^= 1 << bit;
            let changed = String::from_utf8(bytes);
            prop_assert!(changed.is_err() || key(1).verifier().verify(&changed.unwrap()).is_none());
        }

        #[test]
        fn reading_never_panics(text: String) {
            let _ = key(1).verifier().verify(&text);
            let _ = WitnessVerifier::parse(&text);
        }
    }
}
