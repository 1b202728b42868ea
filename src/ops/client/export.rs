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

/// Fetches checkpoint, tiles, entries and the heads that witnesses saw into `dir`; returns how many
/// entries.
///
/// # Errors
/// [`ClientFault::Log`] if the gateway does not give what its checkpoint names.
pub async fn log(caller: &mut Caller, dir: &Path) -> Result<u64, ClientFault> {
    // Before the checkpoint, so that none of them is of a larger log than this copy.
    witnessed(caller, dir).await?;
    let checkpoint = fetch(caller, CHECKPOINT_PATH).await?;
    let size = size_of(&checkpoint).filter(|size| *size <= ENTRIES_MAX);
    let size = size.ok_or(ClientFault::Log)?;
    for tile in TilePath::all(size) {
        let path = tile.to_string();
        let bytes = fetch(caller, &path).await?;
        write(dir, &path, &bytes)?;
    }
    // Last: a folder with a checkpoint is whole.
    write(dir, CHECKPOINT_PATH, &checkpoint)?;
    Ok(size)
}

/// Every head that a quorum cosigned, as `witnessed/<size>`.
async fn witnessed(caller: &mut Caller, dir: &Path) -> Result<(), ClientFault> {
    let mut from = 0;
    while from <= ENTRIES_MAX {
        let said = caller.get(&format!("/log/witnessed/from/{from}")).await?;
        if said.status == 404 {
            break;
        }
        let size = size_of(&said.bytes).filter(|size| !said.refused() && *size >= from);
        let size = size.ok_or(ClientFault::Log)?;
        write(dir, &format!("witnessed/{size}"), &said.bytes)?;
        from = size.saturating_add(1);
    }
    Ok(())
}

/// The second line of a checkpoint.
fn size_of(checkpoint: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(checkpoint).ok()?;
    text.lines().nth(1)?.parse().ok()
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
