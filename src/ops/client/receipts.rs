//! Keeps the receipt of every reply as a file, so that `firedoor-verify receipt` can be run on it.
//!
//! A receipt says what the caller asked and was told, in codes; it holds no data about a person.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::ClientFault;
use super::caller::Said;

/// Writes the receipt as `<support code>.receipt`; `None` if the reply has none.
///
/// # Errors
/// [`ClientFault::File`].
pub fn keep(dir: &Path, said: &Said) -> Result<Option<PathBuf>, ClientFault> {
    let (Some(receipt), Some(code)) = (said.text("/receipt"), said.text("/support_code")) else {
        return Ok(None);
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let name: String = code.chars().filter(|c| plain(*c)).take(32).collect();
    let path = dir.join(format!("{name}.receipt"));
    let write = || {
        fs::create_dir_all(dir)?;
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&path)?;
        file.write_all(receipt.as_bytes())
    };
    write().map_err(|error| ClientFault::File(path.clone(), error))?;
    Ok(Some(path))
}
