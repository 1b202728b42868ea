//! Is a copy of the whole log complete and unchanged, and do its times fit what witnesses saw?

use std::path::Path;

use tlog_tiles::{Checkpoint, Hash};

use super::copy::{Copy, Entry, Stored};
use super::key::{CHECKPOINT_BYTES_MAX, Trust};
use super::own::{self, Own};
use super::report::{Report, changed, named, proved, text_file, unknown};
use super::times::Brackets;
use super::walk::Walk;

/// A copy whose entries are those of its signed head, and follow the log's own rules.
pub struct Sound {
    /// The signed head as it stands in the copy, with its cosignatures.
    pub note: String,
    pub head: Checkpoint,
    pub copy: Copy,
    pub stored: Stored,
    files: Walk,
}

impl Sound {
    /// # Errors
    /// What is wrong with the copy, or missing from it.
    pub fn read(dir: &Path, trust: &Trust) -> Result<Self, Report> {
        let note = text_file(&dir.join("checkpoint"), CHECKPOINT_BYTES_MAX)?;
        let head = trust.log.head(&note, "checkpoint")?;
        let size = head.size();
        let mut copy = Copy::read(dir, size)?;
        let entries = copy.all_entries().map(Stored::build).transpose()?;
        let stored = match entries {
            Some(stored) if stored.proves(size, head.hash()) => stored,
            other => return Err(first_difference(dir, &head, &copy, other.as_ref())?),
        };
        // The entries are the signed ones; now everything else must agree with them.
        let files = Walk::read(dir, &copy, &stored)?;
        if let Some(difference) = files.difference {
            return Err(changed(format!(
                "The {size} entries are those that the log signed, but {difference}."
            )));
        }
        match copy.odd.take() {
            Some(odd) => Err(odd),
            None => Ok(Self {
                note,
                head,
                copy,
                stored,
                files,
            }),
        }
    }
}

/// `log DIR`.
pub fn check(dir: &Path, trust: &Trust, skew_ms: i64, own: Option<&Own>) -> Result<Report, Report> {
    let sound = Sound::read(dir, trust)?;
    let size = sound.head.size();
    let mut lines = vec![match size {
        0 => "This log is empty, and its head is signed.".to_owned(),
        1 => "This log of 1 entry is complete and has not changed.".to_owned(),
        _ => format!("This log of {size} entries is complete and has not changed."),
    }];
    if let (Some(first), Some(last)) = (sound.copy.times.first(), sound.copy.times.last()) {
        lines.push(format!(
            "Time: {} to {} (to ten seconds)",
            first.rfc3339(),
            last.rfc3339()
        ));
    }
    lines.push(format!(
        "Log: {}, root {}",
        sound.head.origin(),
        sound.head.hash()
    ));
    lines.push(format!(
        "Compared: {} bundles and tiles",
        sound.files.compared
    ));
    let mut report = proved(lines);
    match &trust.witnesses {
        Some(witnesses) => {
            let brackets = Brackets::read(dir, &trust.log, witnesses, &sound)?;
            brackets.check(&sound.copy.times, skew_ms)?;
            brackets.tell(&mut report, size, skew_ms);
        }
        None => report.lines.push(
            "No outsider's clock was checked: with --witnesses the times are compared with what \
             witnesses saw."
                .to_owned(),
        ),
    }
    if let Some(own) = own {
        own::tell(&mut report, &own.find(&sound.copy.marks)?);
    }
    let strangers = named("Not part of the signed log", &sound.files.strangers);
    report.lines.extend(strangers);
    Ok(report)
}

/// Entries that do not give the signed root: which is the first to differ?
fn first_difference(
    dir: &Path,
    head: &Checkpoint,
    copy: &Copy,
    entries: Option<&Stored>,
) -> Result<Report, Report> {
    let pairs = || copy.entries.iter().zip(&copy.hashes).enumerate();
    let differs = pairs().find_map(|(index, (entry, hash))| match (entry, hash) {
        (Entry::Broken, _) => Some(index),
        (Entry::Hash(entry), Some(hash)) => (entry != hash).then_some(index),
        (Entry::Missing, _) | (Entry::Hash(_), None) => None,
    });
    let hashes: Option<Vec<Hash>> = copy.hashes.iter().copied().collect();
    let hashes = hashes.map(Stored::build).transpose()?;
    let hashes_are_signed = hashes.is_some_and(|stored| stored.proves(head.size(), head.hash()));
    Ok(match (differs, copy.missing.first(), entries) {
        (Some(index), _, _) if hashes_are_signed => changed(format!(
            "Entry {index} has been changed since the log was signed."
        )),
        (Some(index), _, _) => changed(format!(
            "Entry {index} has been changed: it does not match its hash in the tile, and the log as \
             a whole does not match its signed head."
        )),
        (None, Some(missing), _) => unknown(format!(
            "This copy of the log is incomplete, so nothing is proved about it: {missing}."
        )),
        (None, None, entries) => {
            let found = entries
                .map(|stored| Walk::read(dir, copy, stored))
                .transpose()?;
            match found.and_then(|files| files.difference) {
                Some(difference) => changed(format!(
                    "The entries are not those that the log signed: {difference}."
                )),
                None => changed(
                    "The entries are not those that the log signed: they were replaced together \
                     with every tile, or the head is of another log.",
                ),
            }
        }
    })
}
