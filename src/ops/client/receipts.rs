//! Keeps what must not be lost of a reply, as files for their owner only: its receipt, so that
//! `firedoor-verify receipt` can be run on it, and what was given for a withdrawal, so that it can
//! be handed in again after a restore.
//!
//! A receipt says what the caller asked and was told, in codes; it holds no data about a person.
//! What is kept of a withdrawal is sealed and says nothing.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ClientFault;
use super::caller::Said;
use super::input::read_text;
use crate::domain::checkpoint::CHECKPOINT_BYTES_MAX;
use crate::domain::receipt::Receipt;
use crate::domain::time::When;

/// The ending of what is kept of a withdrawal.
const WITHDRAWAL: &str = "withdrawal";
const RECEIPT: &str = "receipt";

/// What is kept of a withdrawal.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// When it was taken, RFC 3339.
    at: String,
    replay: String,
}

/// A withdrawal that was kept.
pub struct Withdrawal {
    pub file: PathBuf,
    pub at: When,
    pub replay: String,
}

/// Writes the receipt as `<support code>.receipt`; `None` if the reply has none. What was given for
/// a withdrawal goes beside it, as `<support code>.withdrawal`.
///
/// # Errors
/// [`ClientFault::File`].
pub fn keep(dir: &Path, body: &Value) -> Result<Option<PathBuf>, ClientFault> {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let (Some(receipt), Some(code)) = (text("receipt"), text("support_code")) else {
        return Ok(None);
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let name: String = code.chars().filter(|c| plain(*c)).take(32).collect();
    if let (Some(at), Some(replay)) = (text("date"), text("replay")) {
        let kept = Kept {
            at: at.to_owned(),
            replay: replay.to_owned(),
        };
        let kept = serde_json::to_vec(&kept).unwrap_or_default();
        write(dir, &format!("{name}.{WITHDRAWAL}"), &kept)?;
    }
    write(dir, &format!("{name}.{RECEIPT}"), receipt.as_bytes()).map(Some)
}

/// The same for each reply of a batch; the receipt kept last.
///
/// # Errors
/// [`ClientFault::File`].
pub fn keep_all(dir: &Path, said: &Said) -> Result<Option<PathBuf>, ClientFault> {
    let mut kept = None;
    for body in said.bodies() {
        kept = keep(dir, &body)?.or(kept);
    }
    Ok(kept)
}

fn write(dir: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, ClientFault> {
    let path = dir.join(name);
    write_own(&path, bytes)?;
    Ok(path)
}

/// Writes a file for its owner only, and its folder.
///
/// # Errors
/// [`ClientFault::File`].
pub fn write_own(path: &Path, bytes: &[u8]) -> Result<(), ClientFault> {
    let write = || {
        fs::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(bytes)?;
        // A withdrawal that is lost here may be lost for good.
        file.sync_all()
    };
    write().map_err(|error| ClientFault::File(path.to_owned(), error))
}

/// The files with an ending, in the order of their names. None if there is no such folder.
fn files(dir: &Path, ending: &str) -> Result<Vec<PathBuf>, ClientFault> {
    let fault = |error| ClientFault::File(dir.to_owned(), error);
    let mut found = Vec::new();
    if !dir.exists() {
        return Ok(found);
    }
    for entry in fs::read_dir(dir).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        if path.extension().is_some_and(|found| found == ending) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Every withdrawal that was kept, the oldest first.
///
/// # Errors
/// [`ClientFault`] if a file cannot be read or is not as [`keep`] wrote it: none is left out in
/// silence.
pub fn withdrawals(dir: &Path) -> Result<Vec<Withdrawal>, ClientFault> {
    let mut found = Vec::new();
    for file in files(dir, WITHDRAWAL)? {
        let text = read_text(&file)?;
        let kept: Option<Kept> = serde_json::from_str(&text).ok();
        let kept = kept.and_then(|kept| Some((When::parse(&kept.at)?, kept.replay)));
        let (at, replay) = kept.ok_or_else(|| ClientFault::NotKept(file.clone()))?;
        found.push(Withdrawal { file, at, replay });
    }
    found.sort_by_key(|one| one.at);
    Ok(found)
}

/// Every receipt that was kept, each with the name of its file. What is no receipt is left out.
///
/// # Errors
/// [`ClientFault`] if a file cannot be read.
pub fn receipts(dir: &Path) -> Result<Vec<(String, Receipt)>, ClientFault> {
    let mut found = Vec::new();
    for file in files(dir, RECEIPT)? {
        if let Ok(receipt) = Receipt::parse(&read_text(&file)?) {
            let name = file.file_name().unwrap_or_default();
            found.push((name.to_string_lossy().into_owned(), receipt));
        }
    }
    Ok(found)
}

/// The signed head of the largest log among the receipts, and its size. What is no receipt is left
/// out.
///
/// # Errors
/// [`ClientFault`] if a file cannot be read.
pub fn newest_head(dir: &Path) -> Result<Option<(u64, String)>, ClientFault> {
    let mut newest: Option<(u64, String)> = None;
    for file in files(dir, RECEIPT)? {
        let Ok(receipt) = Receipt::parse(&read_text(&file)?) else {
            continue;
        };
        let note = receipt.proof.checkpoint;
        let size = note.lines().nth(1).and_then(|line| line.parse().ok());
        let larger = size.filter(|size| newest.as_ref().is_none_or(|(most, _)| size > most));
        if let Some(size) = larger.filter(|_| note.len() <= CHECKPOINT_BYTES_MAX) {
            newest = Some((size, note));
        }
    }
    Ok(newest)
}
