//! What is found and how sure it is, and the reading of files within limits.
//!
//! A file that is missing or cannot be read proves nothing; it must never count as tampering.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// What was found: the exit status and the sentences that say it.
pub struct Report {
    pub status: u8,
    pub lines: Vec<String>,
}

pub fn proved(lines: Vec<String>) -> Report {
    Report { status: 0, lines }
}
pub fn changed(line: impl Into<String>) -> Report {
    Report {
        status: 1,
        lines: vec![line.into()],
    }
}
pub fn unknown(line: impl Into<String>) -> Report {
    Report {
        status: 2,
        lines: vec![line.into()],
    }
}
pub fn misused(line: impl Into<String>) -> Report {
    Report {
        status: 3,
        lines: vec![line.into()],
    }
}

pub fn text_file(path: &Path, max: usize) -> Result<String, Report> {
    let text = String::from_utf8(needed(path, max)?);
    text.map_err(|_| unknown(format!("{} is damaged: it is not text.", path.display())))
}

pub fn needed(path: &Path, max: usize) -> Result<Vec<u8>, Report> {
    let bytes = read_file(path, max)?.ok_or_else(|| {
        unknown(format!(
            "{} is not there, so nothing is proved.",
            path.display()
        ))
    })?;
    if bytes.len() > max {
        return Err(unknown(format!(
            "{} is larger than {max} bytes.",
            path.display()
        )));
    }
    Ok(bytes)
}

/// At most one byte more than `max`, so that a file that is too large shows.
pub fn read_file(path: &Path, max: usize) -> Result<Option<Vec<u8>>, Report> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(max as u64 + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(_) => Err(unknown(format!("{} cannot be read.", path.display()))),
    }
}
