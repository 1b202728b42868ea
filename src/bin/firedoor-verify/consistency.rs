//! Does one signed head of the log continue another, with nothing rewritten?

use std::path::Path;

use tlog_tiles::Hash;

use super::copy::{Copy, Entry, Stored};
use super::key::{CHECKPOINT_BYTES_MAX, Trust};
use super::report::{Report, changed, misused, proved, text_file, unknown};

/// `consistency OLD NEW --log DIR`.
pub fn check(old: &Path, new: &Path, trust: &Trust, dir: &Path) -> Result<Report, Report> {
    let read = |path, what| {
        trust
            .log
            .head(&text_file(path, CHECKPOINT_BYTES_MAX)?, what)
    };
    let older = read(old, "older checkpoint")?;
    let newer = read(new, "newer checkpoint")?;
    let (from, to) = (older.size(), newer.size());
    if from > to {
        return Err(misused(format!(
            "Give the older checkpoint first: {from} entries are more than {to}."
        )));
    }
    if from == to && older.hash() != newer.hash() {
        return Err(changed(format!(
            "The log signed two different histories of {from} entries: keep both files, they prove it."
        )));
    }
    if from == 0 {
        return Err(unknown(
            "The older log is empty, and every log continues an empty one.",
        ));
    }
    let copy = Copy::read(dir, to)?;
    let known = copy
        .entries
        .iter()
        .zip(&copy.hashes)
        .map(|(entry, hash)| match entry {
            Entry::Hash(entry) => Some(*entry),
            Entry::Missing | Entry::Broken => *hash,
        });
    let Some(known) = known.collect::<Option<Vec<Hash>>>() else {
        let why = copy
            .missing
            .first()
            .map_or("an entry is damaged", String::as_str);
        return Err(unknown(format!(
            "The copy of the log is incomplete: {why}."
        )));
    };
    let stored = Stored::build(known)?;
    if !stored.proves(to, newer.hash()) {
        return Err(unknown(
            "The copy of the log does not give the newer head, so it cannot be used to compare: \
             check it with 'firedoor-verify log'.",
        ));
    }
    if !stored.proves(from, older.hash()) {
        return Err(changed(format!(
            "The log was rewritten: its first {from} entries are no longer those it signed. Keep \
             both checkpoints, they prove it."
        )));
    }
    Ok(proved(vec![
        format!("The log of {to} entries continues that of {from} entries; nothing was rewritten."),
        format!("Log: {}", newer.origin()),
    ]))
}
