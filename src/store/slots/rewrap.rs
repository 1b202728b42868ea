//! The change of epoch: the survivors under a new key, the old key destroyed, and only then is what
//! was cleared erased for good.
//!
//! The new epoch is a file of its own that takes the place of the old one when it is complete, and
//! the old one is then overwritten and removed. So no record is ever overwritten by its own
//! successor, which a torn write could lose; a reader sees one epoch or the other, never both; and
//! a crash leaves the one or the other, with a file beside it that the next start destroys.
//! Nothing may be destroyed here before what replaces it is durable.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::file::{Epoch, Key, RECORD_BYTES, is_clear, record_at};
use super::{CHUNK_BYTES, GROWTH_SLOTS, Slots, Writing};
use crate::domain::time::When;
use crate::store::disk::{Disk, DiskFile};

/// Progress is told each time that so many slots are done.
const TOLD_SLOTS: u64 = 1 << 19;

/// Why the epoch did not change.
#[derive(Debug, thiserror::Error)]
pub enum RewrapError {
    /// Nothing has changed; it can be tried again.
    #[error("the old epoch stays: {0}")]
    Abandoned(#[source] io::Error),
    /// Nobody knows which of two files the disk holds under the name: nothing may be written any
    /// more. The next start finds out.
    #[error("the slot file could not be put in its place: {0}")]
    Uncertain(#[source] io::Error),
    /// The new epoch is in force, but the old key still lies on the disk. Trying again destroys it.
    #[error("the old key is not destroyed yet: {0}")]
    NotDestroyed(#[source] io::Error),
}

/// The next epoch, as far as it is written.
pub(super) struct Next {
    epoch: Epoch,
    /// All slots up to here are in it.
    copied: u64,
    /// Cleared in it after they were copied: destroyed only with this epoch.
    cleared_since: u64,
}

impl Next {
    /// Clears a slot that was copied already.
    pub(super) fn clear(&mut self, slot: u64) -> io::Result<()> {
        if slot <= self.copied {
            self.epoch
                .file
                .write_all_at(&[0; RECORD_BYTES], record_at(slot))?;
            self.cleared_since += 1;
        }
        Ok(())
    }
}

impl Slots {
    /// Begins a new epoch at `now`. Blocks; readers and writers go on, but for a moment at the end.
    pub fn rewrap(&self, now: When) -> Result<(), RewrapError> {
        let _alone = self
            .rewrapping
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.destroy_leftovers()
            .map_err(RewrapError::NotDestroyed)?;
        let path = beside(&self.path, "next");
        let copied = self.copy_all(&path).and_then(|key| {
            let mut writing = self.writing();
            let next = self.complete(&mut writing, &key, now)?;
            Ok((writing, next))
        });
        let (mut writing, next) = match copied {
            Ok(complete) => complete,
            Err(error) => {
                self.writing().next = None;
                if let Err(error) = self.destroy_leftovers() {
                    tracing::warn!(%error, "the file of an epoch that did not begin stays behind");
                }
                return Err(RewrapError::Abandoned(error));
            }
        };
        // Nothing can be cleared or made until the new file has the name.
        let moved = self.disk.rename(&self.path, &beside(&self.path, "old"));
        moved
            .and_then(|()| self.disk.rename(&path, &self.path))
            .map_err(RewrapError::Uncertain)?;
        let old = {
            // Waits for whoever is reading from the old file.
            let mut epoch = self.epoch.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *epoch, next.epoch)
        };
        writing.undestroyed = writing.cleared_since;
        writing.cleared_since = next.cleared_since;
        drop(writing);
        let number = old.number;
        drop(old);
        self.destroy_leftovers()
            .map_err(RewrapError::NotDestroyed)?;
        tracing::info!(
            epoch = number,
            "an epoch key is destroyed, and what was erased under it"
        );
        Ok(())
    }

    /// Makes the file of the next epoch and copies what there is, a chunk at a time.
    fn copy_all(&self, path: &Path) -> io::Result<Key> {
        let file = self.disk.create(path)?;
        file.try_lock()?;
        let (epoch, key) = {
            let now = self.epoch.read().unwrap_or_else(PoisonError::into_inner);
            now.after(file)?
        };
        self.writing().next = Some(Next {
            epoch,
            copied: 0,
            cleared_since: 0,
        });
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut told = TOLD_SLOTS;
        // All there is, and then what was made meanwhile; not for ever after what is being made.
        for _ in 0..2 {
            let all = self.writing().made;
            // The lock is given up after each chunk, so that clearing and making slots goes on.
            while let Some(copied) = self.copy_chunk(&mut self.writing(), &mut chunk)? {
                if copied >= told {
                    tracing::info!(slots = copied, "wrapping keys under the next epoch key");
                    told = told.saturating_add(TOLD_SLOTS);
                }
                if self.interrupted.load(Ordering::Acquire) {
                    return Err(io::Error::other("the store is closing"));
                }
                if copied >= all {
                    break;
                }
                std::thread::yield_now();
            }
        }
        // Most of the file, while nobody waits for it.
        self.disk.open(path)?.sync_all()?;
        Ok(key)
    }

    /// Adds what was made meanwhile, and the header.
    fn complete(&self, writing: &mut Writing, key: &Key, now: When) -> io::Result<Next> {
        let mut chunk = vec![0; CHUNK_BYTES];
        while self.copy_chunk(writing, &mut chunk)?.is_some() {}
        let next = writing.next.take();
        let mut next = next.ok_or_else(|| io::Error::other("the next epoch is gone"))?;
        next.epoch.begun = now.millis();
        next.epoch.finish(&self.owner, key)?;
        Ok(next)
    }

    /// Wraps the next slots anew. `None` when all are done, else up to which.
    fn copy_chunk(&self, writing: &mut Writing, chunk: &mut [u8]) -> io::Result<Option<u64>> {
        let now = self.epoch.read().unwrap_or_else(PoisonError::into_inner);
        // What lies behind the last slot made is made again, and not to be kept.
        let made = writing.made.min(now.records()?);
        let Some(next) = &mut writing.next else {
            return Ok(None);
        };
        let first = next.copied + 1;
        let count = GROWTH_SLOTS.min((made + 1).saturating_sub(first));
        if count == 0 {
            return Ok(None);
        }
        let (part, _) = chunk.split_at_mut(count as usize * RECORD_BYTES);
        now.file.read_exact_at(part, record_at(first))?;
        for (slot, record) in (first..).zip(part.chunks_exact_mut(RECORD_BYTES)) {
            if is_clear(record) {
                next.epoch.cleared += 1;
                continue;
            }
            match now.unwrap(slot, record) {
                Some(key) => record.copy_from_slice(&next.epoch.wrap(slot, &key)?),
                // It opens as little as before; and it must not keep the others from erasure.
                None => tracing::error!(slot, "the key in this slot is damaged"),
            }
        }
        next.epoch.file.write_all_at(part, record_at(first))?;
        next.copied = first + count - 1;
        Ok(Some(next.copied))
    }

    /// Overwrites and removes what lies beside the slot file: the epoch before this one, or one
    /// that was never completed.
    pub(super) fn destroy_leftovers(&self) -> io::Result<()> {
        destroy(&self.disk, &beside(&self.path, "next"))?;
        destroy(&self.disk, &beside(&self.path, "old"))?;
        self.writing().undestroyed = 0;
        Ok(())
    }
}

/// Puts the slot file back if a crash took its name just before the new one got it.
pub(super) fn bring_back(disk: &Disk, path: &Path) -> io::Result<()> {
    let old = beside(path, "old");
    match (disk.length(path), disk.length(&old)) {
        (Err(error), Ok(_)) if error.kind() == io::ErrorKind::NotFound => disk.rename(&old, path),
        (_, _) => Ok(()),
    }
}

/// `slots` -> `slots.next`.
pub(super) fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    PathBuf::from(name)
}

/// Overwrites a slot file, its header first, and removes it. One that is not there is no error.
fn destroy(disk: &Disk, path: &Path) -> io::Result<()> {
    let file = match disk.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    overwrite(&file)?;
    drop(file);
    disk.remove_if_there(path)?;
    disk.sync_parent(path)
}

fn overwrite(file: &DiskFile) -> io::Result<()> {
    let (length, zeros) = (file.length()?, vec![0; CHUNK_BYTES]);
    let mut at = 0;
    while at < length {
        let count = (zeros.len() as u64).min(length - at);
        file.write_all_at(zeros.get(..count as usize).unwrap_or_default(), at)?;
        if at == 0 {
            // With the header goes the wrapped epoch key; the rest is then only for good measure.
            file.sync_data()?;
        }
        at += count;
    }
    file.sync_data()
}
