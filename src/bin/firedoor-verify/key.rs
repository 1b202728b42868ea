//! The keys that are trusted, and the heads they signed.
//!
//! Nothing that comes with the log may choose the keys by which the log is judged: neither the
//! log's own nor those of its witnesses may lie inside it.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use signed_note::{Note, NoteError, StandardVerifier, Verifier, VerifierList};
use tlog_tiles::Checkpoint;

use super::report::{Report, changed, listed, misused, needed, unknown};
use super::witnesses::{POLICY_BYTES_MAX, Witnesses};

/// The largest checkpoint that is read, with its cosignatures.
pub const CHECKPOINT_BYTES_MAX: usize = 64 * 1024;
const KEY_BYTES_MAX: usize = 4 * 1024;

/// What the caller trusts: files that were kept since they were first got.
#[derive(Args)]
pub struct Trusted {
    /// File with the log's verifier key, kept since you first got it, outside of what is checked
    #[arg(long, required_unless_present = "witnesses")]
    key: Option<PathBuf>,
    /// File with the witnesses' keys and how many must agree (C2SP tlog-policy), kept likewise. Its
    /// `log` lines stand in for --key
    #[arg(long, value_name = "FILE")]
    witnesses: Option<PathBuf>,
}

/// The keys of [`Trusted`], read.
pub struct Trust {
    pub log: Pinned,
    pub witnesses: Option<Witnesses>,
}

impl Trusted {
    /// Reads both files; neither may lie in one of the folders that are checked.
    pub fn read(&self, checked: &[&Path]) -> Result<Trust, Report> {
        let witnesses = self.witnesses.as_deref().map(|path| {
            keep_outside(path, checked)?;
            Witnesses::parse(&pinned_text(path, POLICY_BYTES_MAX)?)
                .map_err(|why| misused(format!("{} cannot be used: {why}.", path.display())))
        });
        let witnesses = witnesses.transpose()?;
        let logs = witnesses.as_ref().map_or(&[][..], |known| &known.logs);
        let log = match &self.key {
            Some(path) => {
                keep_outside(path, checked)?;
                let key = one_key(path)?;
                if !logs.is_empty() && !logs.contains(&key) {
                    return Err(misused(
                        "The file of --witnesses is about another log than that of --key.",
                    ));
                }
                Pinned::new(&[key], path)?
            }
            None => Pinned::new(logs, self.witnesses.as_deref().unwrap_or(Path::new("")))?,
        };
        Ok(Trust { log, witnesses })
    }
}

/// Refuses a key that lies inside what is checked: whoever changes one changes the other.
fn keep_outside(path: &Path, checked: &[&Path]) -> Result<(), Report> {
    for dir in checked {
        let dir = fs::canonicalize(dir).ok().filter(|dir| dir.is_dir());
        let dir =
            dir.ok_or_else(|| misused("What is checked must be a folder that can be read."))?;
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let places = [
            fs::canonicalize(path),
            fs::canonicalize(parent.unwrap_or(Path::new("."))),
        ];
        if places.iter().flatten().any(|place| place.starts_with(&dir)) {
            return Err(misused(
                "The keys must not lie inside what is checked: keep the copy that you got first.",
            ));
        }
    }
    Ok(())
}

fn pinned_text(path: &Path, max: usize) -> Result<String, Report> {
    let bytes = needed(path, max)
        .map_err(|_| misused(format!("The file {} cannot be read.", path.display())))?;
    String::from_utf8(bytes).map_err(|_| misused(format!("{} is not text.", path.display())))
}

/// The one verifier key in a file; empty lines and lines that begin with `#` do not count.
fn one_key(path: &Path) -> Result<String, Report> {
    let text = pinned_text(path, KEY_BYTES_MAX)?;
    let mut keys = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    match (keys.next(), keys.next()) {
        (Some(key), None) => Ok(key.to_owned()),
        _ => Err(no_key(path)),
    }
}

fn no_key(path: &Path) -> Report {
    misused(format!("{} holds no C2SP verifier key.", path.display()))
}

/// The keys of the log: one, unless the log was renamed.
pub struct Pinned {
    names: Vec<String>,
    known: VerifierList,
}

impl Pinned {
    fn new(keys: &[String], from: &Path) -> Result<Self, Report> {
        let mut names = Vec::new();
        let mut known: Vec<Box<dyn Verifier>> = Vec::new();
        for key in keys {
            let verifier = StandardVerifier::new(key).map_err(|_| no_key(from))?;
            names.push(verifier.name().to_owned());
            known.push(Box::new(verifier));
        }
        if names.is_empty() {
            return Err(no_key(from));
        }
        let known = VerifierList::new(known);
        Ok(Self { names, known })
    }

    /// The head in a signed note, if one of these keys signed it.
    pub fn head(&self, note: &str, what: &str) -> Result<Checkpoint, Report> {
        let unreadable = || {
            unknown(format!(
                "The {what} cannot be read: it is damaged or not a checkpoint."
            ))
        };
        let note = Note::from_bytes(note.as_bytes()).map_err(|_| unreadable())?;
        let signed = match note.verify(&self.known) {
            Ok((signed, _)) => signed,
            Err(NoteError::InvalidSignature { .. }) => {
                return Err(changed(format!(
                    "The {what} has been changed: its signature is wrong."
                )));
            }
            Err(_) => {
                return Err(unknown(format!(
                    "The {what} is not signed by the key of {}: it is of another log, or damaged.",
                    listed(&self.names)
                )));
            }
        };
        let head = Checkpoint::from_bytes(note.text()).map_err(|_| unreadable())?;
        // The name of the key that signed is the log's, and the log's alone.
        if !signed.iter().any(|by| by.name() == head.origin()) {
            return Err(unknown(format!(
                "The {what} is of another log, {}.",
                head.origin()
            )));
        }
        Ok(head)
    }
}
