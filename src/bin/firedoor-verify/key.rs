//! The one key that is trusted, and the heads it signed.
//!
//! Nothing that comes with the log may choose the key by which the log is judged.

use std::fs;
use std::path::Path;

use signed_note::{Note, NoteError, StandardVerifier, Verifier, VerifierList};
use tlog_tiles::Checkpoint;

use super::report::{Report, changed, misused, read_file, unknown};

const KEY_BYTES_MAX: usize = 4 * 1024;

/// The one key that is trusted.
pub struct Pinned {
    name: String,
    known: VerifierList,
}

impl Pinned {
    /// Reads the key file: one verifier key; empty lines and lines that begin with `#` do not
    /// count. A key that lies inside the log is refused: whoever changes one changes the other.
    pub fn read(path: &Path, outside: Option<&Path>) -> Result<Self, Report> {
        if let Some(dir) = outside {
            let dir = fs::canonicalize(dir).ok().filter(|dir| dir.is_dir());
            let dir = dir.ok_or_else(|| misused("The log must be a folder that can be read."))?;
            let parent = path
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty());
            let places = [
                fs::canonicalize(path),
                fs::canonicalize(parent.unwrap_or(Path::new("."))),
            ];
            if places.iter().flatten().any(|place| place.starts_with(&dir)) {
                return Err(misused(
                    "The key must not lie inside the log: keep the copy that you got first.",
                ));
            }
        }
        let bytes = read_file(path, KEY_BYTES_MAX)?
            .ok_or_else(|| misused(format!("The key file {} is not there.", path.display())))?;
        let bad = || misused(format!("{} holds no C2SP verifier key.", path.display()));
        let text = String::from_utf8(bytes).map_err(|_| bad())?;
        let mut keys = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let (Some(key), None) = (keys.next(), keys.next()) else {
            return Err(bad());
        };
        let verifier = StandardVerifier::new(key).map_err(|_| bad())?;
        let name = verifier.name().to_owned();
        Ok(Self {
            name,
            known: VerifierList::new(vec![Box::new(verifier)]),
        })
    }

    /// The head in a signed note, if this key signed it.
    pub fn head(&self, note: &str, what: &str) -> Result<Checkpoint, Report> {
        let unreadable = || {
            unknown(format!(
                "The {what} cannot be read: it is damaged or not a checkpoint."
            ))
        };
        let note = Note::from_bytes(note.as_bytes()).map_err(|_| unreadable())?;
        match note.verify(&self.known) {
            Ok(_) => {}
            Err(NoteError::InvalidSignature { .. }) => {
                return Err(changed(format!(
                    "The {what} has been changed: its signature is wrong."
                )));
            }
            Err(_) => {
                return Err(unknown(format!(
                    "The {what} is not signed by the key of {}: it is of another log, or damaged.",
                    self.name
                )));
            }
        }
        let head = Checkpoint::from_bytes(note.text()).map_err(|_| unreadable())?;
        if head.origin() != self.name {
            return Err(unknown(format!(
                "The {what} is of another log, {}.",
                head.origin()
            )));
        }
        Ok(head)
    }
}
