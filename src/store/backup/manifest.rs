//! What stands last in a copy: what it is, what is in it, and that we wrote it.
//!
//! A text that a person can read. Its last line is an HMAC under the index key, over everything
//! before it: who can change a copy cannot take a withdrawal out of it.

use std::fmt::Write;

use crate::domain::time::When;
use crate::store::names::Names;

pub const FORMAT: u32 = 1;
const FIRST: &str = "firedoor copy ";
const ABSENT: &str = "item keys, root key, TLS keys, list index";

/// Which backend the copy is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Embedded,
    /// With the version of its tables.
    Postgres {
        tables: u32,
    },
}

/// A file of the copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    pub name: String,
    pub length: u64,
    pub sha256: [u8; 32],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    pub kind: Kind,
    pub origin: String,
    pub leaves: u64,
    /// Time of the last entry.
    pub at: When,
    /// When the copy was made.
    pub made: When,
    /// In the order in which they lie in the copy.
    pub files: Vec<FileEntry>,
}

/// Why a manifest is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadManifest {
    /// Made by a newer program.
    Newer,
    /// Made with another root key.
    Key,
    /// Changed, or not one of ours.
    Changed,
}

impl Manifest {
    pub fn to_text(&self, names: &Names) -> String {
        let mut text = format!("{FIRST}{FORMAT}\n");
        let (kind, tables) = match self.kind {
            Kind::Embedded => ("embedded", 0),
            Kind::Postgres { tables } => ("postgres", tables),
        };
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "origin {}\nstore {kind} {tables}\nleaves {}\nlast-entry {}\nmade {}\nnot-inside {ABSENT}\nkey {}\n",
            self.origin,
            self.leaves,
            self.at.millis(),
            self.made.millis(),
            hex(&names.check()),
        );
        for FileEntry {
            name,
            length,
            sha256,
        } in &self.files
        {
            let _ = writeln!(text, "file {} {length} {name}", hex(sha256));
        }
        let mac = names.copy_mac(text.as_bytes());
        let _ = writeln!(text, "mac {}", hex(&mac));
        text
    }

    pub fn parse(text: &str, names: &Names) -> Result<Self, BadManifest> {
        let version = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix(FIRST));
        let version: u32 = version
            .and_then(|version| version.parse().ok())
            .ok_or(BadManifest::Changed)?;
        if version > FORMAT {
            return Err(BadManifest::Newer);
        }
        let known = text.lines().find_map(|line| line.strip_prefix("key "));
        if known.ok_or(BadManifest::Changed)? != hex(&names.check()) {
            return Err(BadManifest::Key);
        }
        let (signed, mac) = text.rsplit_once("mac ").ok_or(BadManifest::Changed)?;
        // It guards against a stranger with the file, who sees no timing.
        if mac != format!("{}\n", hex(&names.copy_mac(signed.as_bytes()))) {
            return Err(BadManifest::Changed);
        }
        read(signed).ok_or(BadManifest::Changed)
    }
}

/// Reads what is known to be ours.
fn read(signed: &str) -> Option<Manifest> {
    let mut lines = signed.lines().skip(1);
    let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
    let origin = field("origin")?.to_owned();
    let (kind, tables) = field("store")?.split_once(' ')?;
    let tables = tables.parse().ok()?;
    let kind = match kind {
        "embedded" => Kind::Embedded,
        "postgres" => Kind::Postgres { tables },
        _ => return None,
    };
    let leaves = field("leaves")?.parse().ok()?;
    let at = When::from_millis(field("last-entry")?.parse().ok()?);
    let made = When::from_millis(field("made")?.parse().ok()?);
    field("not-inside")?;
    field("key")?;
    let file = |line: &str| {
        let mut fields = line.strip_prefix("file ")?.splitn(3, ' ');
        Some(FileEntry {
            sha256: from_hex(fields.next()?)?,
            length: fields.next()?.parse().ok()?,
            name: fields.next()?.to_owned(),
        })
    };
    Some(Manifest {
        kind,
        origin,
        leaves,
        at,
        made,
        files: lines.map(file).collect::<Option<_>>()?,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn names(key: u8) -> Names {
        Names::new(Zeroizing::new([key; 32]))
    }

    fn manifest(kind: Kind) -> Manifest {
        let file = |name: &str, length| FileEntry {
            name: name.to_owned(),
            length,
            sha256: [0xab; 32],
        };
        Manifest {
            kind,
            origin: "gw.example/log".to_owned(),
            leaves: 12,
            at: When::from_millis(1_767_225_600_000),
            made: When::from_millis(1_767_225_700_000),
            files: vec![file("identity", 68), file("journal/0000000001.seg", 4711)],
        }
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        for kind in [Kind::Embedded, Kind::Postgres { tables: 3 }] {
            let text = manifest(kind).to_text(&names(1));
            assert_eq!(Manifest::parse(&text, &names(1)), Ok(manifest(kind)));
            let other = Manifest::parse(&text, &names(2));
            assert_eq!(other, Err(BadManifest::Key));
        }
    }

    #[test]
    fn a_changed_or_newer_manifest_is_not_taken() {
        let text = manifest(Kind::Embedded).to_text(&names(1));
        for (from, to) in [
            ("leaves 12", "leaves 11"),
            ("4711", "4712"),
            ("\nmac", "\nfile\nmac"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_eq!(
                Manifest::parse(&changed, &names(1)),
                Err(BadManifest::Changed)
            );
        }
        let newer = text.replacen("copy 1", "copy 2", 1);
        assert_eq!(Manifest::parse(&newer, &names(1)), Err(BadManifest::Newer));
        for end in 0..text.len() {
            assert!(
                Manifest::parse(text.get(..end).unwrap(), &names(1)).is_err(),
                "cut at {end}"
            );
        }
    }
}
