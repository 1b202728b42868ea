//! The log as files (C2SP tlog-tiles), for an outsider to check with `firedoor-verify log`.
//!
//! It is fetched like everything else; nothing here checks it, because whoever exports is not whom
//! the reader should have to believe.

use std::fs;
use std::path::Path;

use super::ClientFault;
use super::caller::Caller;
use crate::domain::tiles::{CHECKPOINT_PATH, TilePath};

/// Entries of a log that is exported; more would not fit the time of one command.
pub const ENTRIES_MAX: u64 = 10_000_000;

/// Fetches checkpoint, tiles and entries into `dir`; returns how many entries.
///
/// # Errors
/// [`ClientFault::Log`] if the gateway does not give what its checkpoint names.
pub async fn log(caller: &mut Caller, dir: &Path) -> Result<u64, ClientFault> {
    let checkpoint = fetch(caller, CHECKPOINT_PATH).await?;
    let text = String::from_utf8_lossy(&checkpoint).into_owned();
    let size: u64 = text
        .lines()
        .nth(1)
        .and_then(|line| line.parse().ok())
        .filter(|size| *size <= ENTRIES_MAX)
        .ok_or(ClientFault::Log)?;
    for tile in TilePath::all(size) {
        let path = tile.to_string();
        let bytes = fetch(caller, &path).await?;
        write(dir, &path, &bytes)?;
    }
    // Last: a folder with a checkpoint is whole.
    write(dir, CHECKPOINT_PATH, &checkpoint)?;
    Ok(size)
}

pub(super) async fn fetch(caller: &mut Caller, path: &str) -> Result<Vec<u8>, ClientFault> {
    let said = caller.get(&format!("/log/{path}")).await?;
    if said.refused() {
        return Err(ClientFault::Log);
    }
    Ok(said.bytes.to_vec())
}

fn write(dir: &Path, path: &str, bytes: &[u8]) -> Result<(), ClientFault> {
    let path = dir.join(path);
    let parent = path.parent().unwrap_or(dir);
    fs::create_dir_all(parent)
        .and_then(|()| fs::write(&path, bytes))
        .map_err(|error| ClientFault::File(path.clone(), error))
}
