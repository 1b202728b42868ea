//! What is found and how sure it is, and the reading of files within limits.
//!
//! A file that is missing or cannot be read proves nothing; it must never count as tampering.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

use firedoor::domain::time::When;

/// Most files that are named one by one.
const NAMED_MAX: usize = 50;
/// Deeper than this no folder of a log or bundle goes.
const DEPTH_MAX: usize = 16;

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

/// `a`, `a and b`, `a, b and c`.
pub fn listed(names: &[String]) -> String {
    match names {
        [] => "nobody".to_owned(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// A line for each of these, and one for the rest if they are many.
pub fn named(what: &str, names: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = names
        .iter()
        .take(NAMED_MAX)
        .map(|name| format!("{what}: {name}"))
        .collect();
    if let Some(more) = names.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
        lines.push(format!("{what}: and {more} more"));
    }
    lines
}

/// To the second, as witnesses give it.
pub fn second(when: When) -> String {
    match when.timestamp() {
        Some(at) => at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        None => "a time beyond the calendar".to_owned(),
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

/// At most one byte more than `max`, so that a file that is too large shows. What is no file is not
/// opened: a pipe would be waited for, a device may never end.
pub fn read_file(path: &Path, max: usize) -> Result<Option<Vec<u8>>, Report> {
    let unreadable = || unknown(format!("{} cannot be read.", path.display()));
    let mut bytes = Vec::new();
    let read = fs::metadata(path).and_then(|about| {
        if !about.is_file() {
            return Err(ErrorKind::InvalidInput.into());
        }
        let file = File::open(path)?;
        // Room for all of it at once, as long as it is not too large.
        bytes.reserve(about.len().min(max as u64 + 1) as usize + 1);
        file.take(max as u64 + 1).read_to_end(&mut bytes)
    });
    match read {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(_) => Err(unreadable()),
    }
}

/// Everything below a folder but folders, as sorted paths from the folder's top with `/`, each
/// behind `prefix`. A link to a folder is named and not followed: it could lead round in a circle.
pub fn files_below(dir: &Path, prefix: &str) -> Result<Vec<String>, Report> {
    let mut files = Vec::new();
    list(dir, prefix, DEPTH_MAX, &mut files)?;
    files.sort();
    Ok(files)
}

fn list(dir: &Path, prefix: &str, depth: usize, into: &mut Vec<String>) -> Result<(), Report> {
    let trouble = |_| unknown(format!("{} cannot be read.", dir.display()));
    let items = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        items => items.map_err(trouble)?,
    };
    for item in items {
        let item = item.map_err(trouble)?;
        let name = item.file_name();
        let name = name.to_string_lossy();
        let path = if prefix.is_empty() {
            name.into_owned()
        } else {
            format!("{prefix}/{name}")
        };
        if depth > 0 && item.file_type().map_err(trouble)?.is_dir() {
            list(&item.path(), &path, depth - 1, into)?;
        } else {
            into.push(path);
        }
    }
    Ok(())
}
