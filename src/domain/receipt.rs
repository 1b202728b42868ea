//! What a caller keeps: proof that the attempt is in the log, checkable offline for ever.
//!
//! A receipt opens to its holder what the holder said (who, why, what). It must never carry what
//! was found or decided, and its text has one length for every outcome (P5).

use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine};

use super::leaf::Leaf;
use super::merkle::{Hash, PROOF_HASHES_MAX};
use super::opening::{OpenedPart, Part};

/// The text of a receipt fills a multiple of this, so that its length says nothing.
pub const RECEIPT_BYTES: usize = 8 * 1024;
/// The largest receipt that is read.
pub const RECEIPT_BYTES_MAX: usize = 256 * 1024;

const HEADER: &str = "firedoor-receipt v1";
const PROOF_HEADER: &str = "c2sp.org/tlog-proof@v1";

/// Where an entry is in the log, and why that is so: the text of `c2sp.org/tlog-proof@v1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    pub index: u64,
    /// From the leaf's sibling up to a child of the root.
    pub path: Vec<Hash>,
    /// The signed note, verbatim.
    pub checkpoint: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReceipt {
    #[error("the receipt is larger than 256 KiB")]
    TooLarge,
    #[error("the receipt does not begin with 'firedoor-receipt v1'")]
    Header,
    #[error("the receipt's lines are damaged or out of order")]
    Line,
    #[error("the receipt's entry is damaged or from a newer version")]
    Leaf,
    #[error("the receipt's proof is not in the form c2sp.org/tlog-proof@v1")]
    Proof,
}

impl Proof {
    pub fn to_text(&self) -> String {
        let Self {
            index,
            path,
            checkpoint,
        } = self;
        let mut text = format!("{PROOF_HEADER}\nindex {index}\n");
        for hash in path {
            text.push_str(&BASE64_STANDARD.encode(hash));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(checkpoint);
        text
    }

    /// Reads a proof, also one that carries the optional `extra` line, which is not authenticated
    /// and therefore dropped.
    pub fn parse(text: &str) -> Result<Self, BadReceipt> {
        let (head, checkpoint) = text.split_once("\n\n").ok_or(BadReceipt::Proof)?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(PROOF_HEADER) {
            return Err(BadReceipt::Proof);
        }
        if let Some(extra) = lines.next_if(|line| line.starts_with("extra ")) {
            let value = extra.strip_prefix("extra ").unwrap_or_default();
            BASE64_STANDARD
                .decode(value)
                .map_err(|_| BadReceipt::Proof)?;
        }
        let digits = lines.next().and_then(|line| line.strip_prefix("index "));
        let digits = digits.ok_or(BadReceipt::Proof)?;
        let index: u64 = digits.parse().map_err(|_| BadReceipt::Proof)?;
        if index.to_string() != digits {
            return Err(BadReceipt::Proof);
        }
        let path = lines
            .map(|line| decode_32(line).ok_or(BadReceipt::Proof))
            .take(PROOF_HASHES_MAX + 1)
            .collect::<Result<Vec<Hash>, _>>()?;
        if path.len() > PROOF_HASHES_MAX || checkpoint.is_empty() {
            return Err(BadReceipt::Proof);
        }
        Ok(Self {
            index,
            path,
            checkpoint: checkpoint.to_owned(),
        })
    }
}

/// The caller's copy of its entry.
#[derive(Clone, PartialEq, Eq)]
pub struct Receipt {
    pub leaf: Leaf,
    pub proof: Proof,
    /// Opens the request hash to whoever has the request. `None` in the receipts of an evidence
    /// bundle, whose reader is not the requester.
    pub request_salt: Option<[u8; 32]>,
    /// In the order who, why, what; each at most once.
    pub opened: Vec<OpenedPart>,
}

impl Receipt {
    /// The file form, which `firedoor-verify receipt` reads: a line a field, filled up to a multiple
    /// of [`RECEIPT_BYTES`] as it is written in JSON, then the tlog-proof as other tools read it.
    pub fn to_text(&self) -> String {
        let mut head = format!(
            "{HEADER}\nleaf {}\n",
            BASE64_STANDARD.encode(self.leaf.bytes())
        );
        if let Some(salt) = &self.request_salt {
            head.push_str(&format!("request-salt {}\n", BASE64_STANDARD.encode(salt)));
        }
        for OpenedPart { part, salt, bytes } in &self.opened {
            let (salt, bytes) = (BASE64_STANDARD.encode(salt), BASE64_STANDARD.encode(bytes));
            head.push_str(&format!("{} {salt} {bytes}\n", part.name()));
        }
        head.push_str("pad ");
        let proof = self.proof.to_text();
        // Two line feeds stand between the pad and the proof. The proof's own length depends on
        // the size of the log, so it is filled up with the rest. JSON writes a line feed as two
        // characters: it is the length there that must not vary (P5).
        let feeds = |text: &str| text.bytes().filter(|byte| *byte == b'\n').count();
        let length = head.len() + feeds(&head) + 4 + proof.len() + feeds(&proof);
        let pad = length.next_multiple_of(RECEIPT_BYTES) - length;
        format!("{head}{}\n\n{proof}", "0".repeat(pad))
    }

    pub fn parse(text: &str) -> Result<Self, BadReceipt> {
        if text.len() > RECEIPT_BYTES_MAX {
            return Err(BadReceipt::TooLarge);
        }
        let (head, proof) = text.split_once("\n\n").ok_or(BadReceipt::Line)?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(BadReceipt::Header);
        }
        let leaf = lines.next().and_then(|line| line.strip_prefix("leaf "));
        let leaf = BASE64_STANDARD
            .decode(leaf.ok_or(BadReceipt::Line)?)
            .map_err(|_| BadReceipt::Leaf)?;
        let leaf = Leaf::parse(&leaf).map_err(|_| BadReceipt::Leaf)?;
        let salt = lines.next_if(|line| line.starts_with("request-salt "));
        let request_salt = salt
            .and_then(|line| line.strip_prefix("request-salt "))
            .map(|salt| decode_32(salt).ok_or(BadReceipt::Line))
            .transpose()?;
        let mut opened = Vec::new();
        let mut padded = false;
        for line in lines {
            let (name, rest) = line.split_once(' ').ok_or(BadReceipt::Line)?;
            if padded {
                return Err(BadReceipt::Line);
            }
            if name == "pad" {
                padded = rest.bytes().all(|byte| byte == b'0');
                if !padded {
                    return Err(BadReceipt::Line);
                }
                continue;
            }
            let part = Part::parse(name).ok_or(BadReceipt::Line)?;
            if opened.iter().any(|known: &OpenedPart| known.part == part) {
                return Err(BadReceipt::Line);
            }
            let (salt, bytes) = rest.split_once(' ').ok_or(BadReceipt::Line)?;
            opened.push(OpenedPart {
                part,
                salt: decode_32(salt).ok_or(BadReceipt::Line)?,
                bytes: BASE64_STANDARD
                    .decode(bytes)
                    .map_err(|_| BadReceipt::Line)?,
            });
        }
        if !padded {
            return Err(BadReceipt::Line);
        }
        Ok(Self {
            leaf,
            proof: Proof::parse(proof)?,
            request_salt,
            opened,
        })
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receipt(entry {}, ..)", self.proof.index)
    }
}

fn decode_32(text: &str) -> Option<[u8; 32]> {
    BASE64_STANDARD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::checkpoint::LogKey;
    use crate::domain::leaf::{LeafClass, LeafDraft};
    use crate::domain::merkle::Tree;
    use crate::domain::opening::tests::account;
    use crate::domain::time::When;
    use proptest::prelude::*;

    /// The receipt of the last of `size` entries.
    fn receipt(size: u64) -> Receipt {
        let when = When::from_millis(1_775_160_600_000);
        let (draft, opening) =
            LeafDraft::new(when, LeafClass::Attempt, account(), b"{}", |_| [3; 32]).unwrap();
        let leaf = draft.with_sealed(&[4; 32]);
        let mut tree = Tree::new();
        for _ in 0..size {
            tree.append(&leaf);
        }
        let key = LogKey::from_seed("firedoor.example/log", &[7; 32]).unwrap();
        let index = size - 1;
        Receipt {
            leaf,
            proof: Proof {
                index,
                path: tree.inclusion(index, size).unwrap(),
                checkpoint: key.sign(size, &tree.root()),
            },
            request_salt: Some(opening.request_salt),
            opened: [Part::Who, Part::Why, Part::What]
                .map(|part| opening.open(part))
                .into(),
        }
    }

    #[test]
    fn a_receipt_survives_its_text_which_has_one_length() {
        for size in [1, 2, 3, 64, 100, 1025] {
            let receipt = receipt(size);
            let text = receipt.to_text();
            let feeds = text.matches('\n').count();
            assert_eq!(text.len() + feeds, RECEIPT_BYTES, "{size}");
            assert_eq!(Receipt::parse(&text), Ok(receipt));
        }
    }

    #[test]
    fn a_proof_reads_as_the_specification_says() {
        insta::assert_snapshot!(receipt(3).proof.to_text(), @"
        c2sp.org/tlog-proof@v1
        index 2
        N8pCxwW6zu5wxQuvJNKvOfmHO2rNlPqIt+vH8JHocfk=

        firedoor.example/log
        3
        5+YOFUdzhq3yVOZ+g3LGXYHyucN5RONZKiMee8NSJEo=

        — firedoor.example/log PYIgVEuYeYdgjIc9cuN59SBogRXihfXS5xzARHLVkgvufc89WpJ7dBz5S8f+GLTjCb68VGROOiBMDj4hl3fAyuptbws=
        ");
        let one = receipt(1).proof;
        assert!(
            one.to_text()
                .starts_with("c2sp.org/tlog-proof@v1\nindex 0\n\nfiredoor.example")
        );
        assert_eq!(Proof::parse(&one.to_text()), Ok(one.clone()));
        let extra = one.to_text().replacen("index", "extra AAAA\nindex", 1);
        assert_eq!(Proof::parse(&extra), Ok(one.clone()));
        for (from, to) in [
            ("@v1", "@v2"),
            ("index 0", "index 00"),
            ("index 0", "index -1"),
            ("index 0", "index 0\nAAAA"),
            ("index 0", "extra !\nindex 0"),
            ("index 0", "index 0\nextra AAAA"),
        ] {
            let text = one.to_text().replacen(from, to, 1);
            assert_eq!(Proof::parse(&text), Err(BadReceipt::Proof), "{to}");
        }
    }

    #[test]
    fn lines_are_neither_repeated_nor_left_out() {
        let text = receipt(1).to_text();
        let who = text.lines().find(|line| line.starts_with("who ")).unwrap();
        let repeated = text.replacen(who, &format!("{who}\n{who}"), 1);
        assert_eq!(Receipt::parse(&repeated), Err(BadReceipt::Line));
        for gone in ["leaf ", "pad "] {
            let kept: Vec<&str> = text
                .lines()
                .filter(|line| !line.starts_with(gone))
                .collect();
            assert_eq!(
                Receipt::parse(&kept.join("\n")),
                Err(BadReceipt::Line),
                "{gone}"
            );
        }
        let salt = text.lines().find(|line| line.starts_with("request-salt "));
        let salt = format!("{}\n", salt.unwrap());
        let repeated = text.replacen(&salt, &format!("{salt}{salt}"), 1);
        assert_eq!(Receipt::parse(&repeated), Err(BadReceipt::Line));
        // The reader of an evidence bundle gets no salt.
        let unsalted = Receipt {
            request_salt: None,
            ..receipt(1)
        };
        assert_eq!(Receipt::parse(&unsalted.to_text()), Ok(unsalted));
        assert_eq!(
            Receipt::parse(&text.replacen(&salt, "", 1))
                .unwrap()
                .request_salt,
            None
        );
        // Fewer parts may be opened.
        let kept = text.replacen(&format!("{who}\n"), "", 1);
        assert_eq!(Receipt::parse(&kept).unwrap().opened.len(), 2);
    }

    proptest! {
        #[test]
        fn reading_never_panics(text: String, at: prop::sample::Index, to in 0..128_u8) {
            let _ = Receipt::parse(&text);
            let _ = Proof::parse(&text);
            let mut bytes = receipt(3).to_text().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = to;
            if let Ok(text) = String::from_utf8(bytes) {
                let _ = Receipt::parse(&text);
            }
        }
    }
}
