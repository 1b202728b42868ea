//! Compares the receipts that an organisation kept with the log, entry by entry: the two ends of
//! every attempt. With the organisation's trail it also finds what was done in its name and kept
//! from it.
//!
//! It reads the public log and computes its root itself; it never asks the gateway whether all is
//! well.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::ClientFault;
use super::caller::Caller;
use super::export::{ENTRIES_MAX, fetch};
use super::input::read_text;
use super::receipts;
use crate::domain::checkpoint::{Checkpoint, LogVerifier};
use crate::domain::leaf::{LEAF_BYTES, Leaf};
use crate::domain::merkle::Hash;
use crate::domain::note::Note;
use crate::domain::tally::{Found, Tally};
use crate::domain::tiles::{CHECKPOINT_PATH, TilePath};
use crate::domain::trail::TrailKey;

/// A log's key beside the certificate, as `firedoor init` names it.
const LOG_KEY: &str = "log.vkey";

/// What is compared with the log.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct CompareArgs {
    /// File with your organisation's trail key, from `firedoor audit trail`
    #[arg(long, value_name = "FILE")]
    pub trail: Option<PathBuf>,
    /// File with the log's verifier key, kept since you first got it [default: log.vkey in the
    /// bundle]
    #[arg(long, value_name = "FILE")]
    pub log_key: Option<PathBuf>,
}

/// What the comparison came to.
pub struct Compared {
    entries: u64,
    signed: bool,
    found: Found,
    /// The entries are not those of the signed head.
    other_root: bool,
}

/// Reads the whole log once. `None` if nothing is kept that could be compared.
///
/// # Errors
/// [`ClientFault`] if a file or the log cannot be read.
pub async fn compare(
    caller: &mut Caller,
    own: &str,
    receipts_dir: &Path,
    bundle: Option<&Path>,
    args: &CompareArgs,
) -> Result<Option<Compared>, ClientFault> {
    let key = args.trail.as_deref().map(trail_key).transpose()?;
    let kept = receipts::receipts(receipts_dir)?;
    if kept.is_empty() && key.is_none() {
        return Ok(None);
    }
    let beside = bundle.map(|dir| dir.join(LOG_KEY));
    let file = args.log_key.clone();
    let file = file.or(beside.filter(|path| path.exists()));
    let log = file.as_deref().map(log_key).transpose()?;
    let note = fetch(caller, CHECKPOINT_PATH).await?;
    let note = String::from_utf8(note).map_err(|_| ClientFault::Log)?;
    let (size, root) = head(&note, log.as_ref())?;
    let mut tally = Tally::new(own, key, kept);
    let bundles = TilePath::all(size).take_while(|path| path.entries().is_some());
    for path in bundles {
        let bytes = fetch(caller, &path.to_string()).await?;
        let wanted = path.entries().map_or(0, |range| range.end - range.start);
        let (mut rest, mut seen) = (bytes.as_slice(), 0);
        while let Some((entry, after)) = next(rest) {
            tally.see(&Leaf::parse(entry).map_err(|_| ClientFault::Log)?);
            (rest, seen) = (after, seen + 1);
        }
        if seen != wanted || !rest.is_empty() {
            return Err(ClientFault::Log);
        }
    }
    Ok(Some(Compared {
        entries: size,
        signed: log.is_some(),
        other_root: tally.root().is_some_and(|found| found != root),
        found: tally.finish(),
    }))
}

/// An entry behind its length, and what follows.
fn next(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    (entry.len() == LEAF_BYTES).then_some((entry, rest))
}

fn head(note: &str, log: Option<&LogVerifier>) -> Result<(u64, Hash), ClientFault> {
    let read = match log {
        Some(log) => log.verify(note),
        None => Note::parse(note).and_then(|note| Checkpoint::read(note.text())),
    };
    let head = read.map_err(|_| ClientFault::Log)?;
    (head.size <= ENTRIES_MAX)
        .then_some((head.size, head.root))
        .ok_or(ClientFault::Log)
}

fn trail_key(file: &Path) -> Result<TrailKey, ClientFault> {
    let text = zeroize::Zeroizing::new(read_text(file)?);
    TrailKey::parse(&text).ok_or_else(|| ClientFault::NotTrail(file.to_owned()))
}

fn log_key(file: &Path) -> Result<LogVerifier, ClientFault> {
    let text = read_text(file)?;
    let mut lines = text.lines().map(str::trim);
    let key = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
    key.and_then(|key| LogVerifier::parse(key).ok())
        .ok_or_else(|| ClientFault::NotLogKey(file.to_owned()))
}

impl Compared {
    /// Whether the log shows what was kept, unchanged.
    pub fn is_whole(&self) -> bool {
        self.found.is_whole() && !self.other_root
    }

    /// One plain sentence first, then what to look at.
    pub fn lines(&self) -> Vec<String> {
        let found = &self.found;
        let receipts = match found.receipts {
            1 => "1 receipt".to_owned(),
            count => format!("{count} receipts"),
        };
        let entries = self.entries;
        let mut lines = Vec::new();
        if self.other_root {
            lines.push(
                "The gateway showed entries that are not those it signed: keep what it showed \
                 (`firedoor audit export --log DIR`), and call the regulator."
                    .to_owned(),
            );
        }
        if self.is_whole() {
            lines.push(format!(
                "Compared {receipts} with the {entries} entries of the log: each is there, unchanged."
            ));
        } else {
            lines.push(format!(
                "The log of {entries} entries does not show what the receipts prove: keep the \
                 receipts, and call the independent reviewer."
            ));
        }
        for (names, what) in [
            (&found.missing, "names an entry that the log does not have"),
            (&found.other, "is of an entry that is another one now"),
            (
                &found.off_trail,
                "is of an entry that was left off your trail",
            ),
        ] {
            lines.extend(names.iter().map(|name| format!("  {name} {what}")));
        }
        match found.own {
            None => lines.push(
                "Entries that your organisation has no receipt of were not looked for: give --trail."
                    .to_owned(),
            ),
            Some(own) => {
                let without = found.without_receipt.len() as u64 + found.more_without_receipt;
                let gap = match found.off_trail.is_empty() {
                    true => ", one following the other without a gap",
                    false => " on your trail, and others that were left off it",
                };
                lines.push(format!(
                    "The log has {own} entries of your organisation{gap}; {without} of them have \
                     no receipt here."
                ));
                let some = found.without_receipt.iter().take(20);
                let some: Vec<String> = some.map(ToString::to_string).collect();
                if !some.is_empty() {
                    lines.push(format!(
                        "  Look at entries {}: another of your systems made them, or somebody else \
                         in your name.",
                        some.join(", ")
                    ));
                }
            }
        }
        if !self.signed {
            lines.push(
                "The signature of the log's head was not checked: give --log-key.".to_owned(),
            );
        }
        lines
    }

    pub fn json(&self) -> Value {
        let found = &self.found;
        json!({
            "entries": self.entries,
            "whole": self.is_whole(),
            "receipts": found.receipts,
            "missing": found.missing,
            "other": found.other,
            "off_trail": found.off_trail,
            "own": found.own,
            "without_receipt": found.without_receipt,
            "signature_checked": self.signed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(change: impl Fn(&mut Compared)) -> String {
        let mut compared = Compared {
            entries: 512,
            signed: true,
            found: Found {
                receipts: 14,
                own: Some(16),
                ..Found::default()
            },
            other_root: false,
        };
        change(&mut compared);
        compared.lines().join("\n")
    }

    #[test]
    fn it_says_what_was_compared_and_what_to_look_at() {
        let told = [
            compared(|all| all.found.without_receipt = vec![31, 402]),
            compared(|one| {
                one.signed = false;
                (one.found.own, one.found.receipts) = (None, 1);
            }),
            compared(|bad| {
                bad.found.missing = vec!["AB-12.receipt".to_owned()];
                bad.found.off_trail = vec!["CD-34.receipt".to_owned()];
                bad.other_root = true;
            }),
        ];
        insta::assert_snapshot!(told.join("\n\n"), @"
        Compared 14 receipts with the 512 entries of the log: each is there, unchanged.
        The log has 16 entries of your organisation, one following the other without a gap; 2 of them have no receipt here.
          Look at entries 31, 402: another of your systems made them, or somebody else in your name.

        Compared 1 receipt with the 512 entries of the log: each is there, unchanged.
        Entries that your organisation has no receipt of were not looked for: give --trail.
        The signature of the log's head was not checked: give --log-key.

        The gateway showed entries that are not those it signed: keep what it showed (`firedoor audit export --log DIR`), and call the regulator.
        The log of 512 entries does not show what the receipts prove: keep the receipts, and call the independent reviewer.
          AB-12.receipt names an entry that the log does not have
          CD-34.receipt is of an entry that was left off your trail
        The log has 16 entries of your organisation on your trail, and others that were left off it; 0 of them have no receipt here.
        ");
    }
}
