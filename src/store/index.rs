//! Lists, in sled: what the pages browse. The only file that names sled.
//!
//! Nothing a decision rests on may be looked up here, because sled loses acknowledged writes in a
//! power cut and a miss cannot be checked. The index says up to which frame it is complete, and is
//! deleted and rebuilt from the journal whenever that cannot be trusted. It holds keyed names and
//! random ids only.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use borsh::{BorshDeserialize, BorshSerialize};

use super::Fault;
use crate::domain::decision::Listed;
use crate::domain::id::Id;

const CACHE_BYTES: u64 = 32 * 1024 * 1024;
const FLUSH_EVERY_MS: u64 = 500;
/// The most entries one call returns.
pub const LIST_ENTRIES_MAX: usize = 1024;
const WATERMARK: &[u8] = b"watermark";

/// The keyed name of a list.
pub type ListKey = [u8; 16];

/// One change of a list, at the leaf `index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListChange {
    Add { list: ListKey, at: u64, item: Id },
    RemoveAll { list: ListKey, item: Id },
}

/// The last frame whose changes are all in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Watermark {
    pub leaves: u64,
    pub segment: u32,
    pub offset: u32,
    pub frame: [u8; 32],
}

pub struct Index {
    dir: PathBuf,
    db: sled::Db,
    /// list 16 | at 8 | index 8 | item 16, all big-endian: the order of the list.
    entries: sled::Tree,
    /// list 16 | item 16 | at 8 | index 8: to find what `RemoveAll` must remove.
    places: sled::Tree,
    failed: AtomicBool,
}

impl Index {
    /// Opens the index if it may be `trusted`, and otherwise, or if it is damaged, a new one.
    pub fn open(dir: &Path, trusted: bool) -> Result<Self, Fault> {
        if trusted && let Some(index) = guarded(|| Self::open_as_is(dir)) {
            return Ok(index);
        }
        Self::create(dir)
    }

    /// Deletes what is there and begins again.
    pub fn create(dir: &Path) -> Result<Self, Fault> {
        Self::delete(dir)?;
        guarded(|| Self::open_as_is(dir)).ok_or(Fault::Unreadable("the list index does not open"))
    }

    pub fn delete(dir: &Path) -> Result<(), Fault> {
        match std::fs::remove_dir_all(dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Fault::Unreadable("the list index cannot be deleted"))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Whether there can be an index in this place: for the start, which does not wait for it.
    pub fn check_place(dir: &Path) -> Result<(), Fault> {
        match std::fs::metadata(dir) {
            Ok(found) if !found.is_dir() => {
                Err(Fault::Unreadable("the list index is not a folder"))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn open_as_is(dir: &Path) -> sled::Result<Self> {
        let db = sled::Config::new()
            .path(dir)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(Some(FLUSH_EVERY_MS))
            .open()?;
        Ok(Self {
            dir: dir.to_owned(),
            entries: db.open_tree("entries")?,
            places: db.open_tree("places")?,
            db,
            failed: AtomicBool::new(false),
        })
    }

    /// Up to where the index is complete; `None` if it is empty or cannot say.
    pub fn watermark(&self) -> Option<Watermark> {
        let bytes = guarded(|| self.db.get(WATERMARK))??;
        Watermark::try_from_slice(&bytes).ok()
    }

    /// Applies the changes of one frame, in order. They are visible when this returns. A failure
    /// loses nothing: the lists answer with a fault until they are rebuilt at the next start.
    pub fn apply(&self, changes: &[(u64, ListChange)], watermark: Watermark) {
        if self.failed.load(Ordering::Acquire) {
            return;
        }
        let done = guarded(|| {
            for (index, change) in changes {
                match change {
                    ListChange::Add { list, at, item } => self.add(list, *at, *index, *item)?,
                    ListChange::RemoveAll { list, item } => self.remove_all(list, *item)?,
                }
            }
            let mark = borsh::to_vec(&watermark).map_err(sled::Error::Io)?;
            self.db.insert(WATERMARK, mark).map(|_| ())
        });
        if done.is_none() {
            tracing::error!("the list index failed; it is rebuilt at the next start");
            self.failed.store(true, Ordering::Release);
        }
    }

    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Entries in their order, after `after`.
    pub fn list(
        &self,
        list: &ListKey,
        after: Option<Listed>,
        max: u16,
    ) -> Result<Vec<Listed>, Fault> {
        self.check()?;
        let start = match after {
            // The next key of the same length.
            Some(after) => [&entry_key(list, &after)[..], &[0]].concat(),
            None => list.to_vec(),
        };
        guarded(|| {
            self.entries
                .range(start..)
                .take_while(|found| in_list(found, list))
                .take(usize::from(max).min(LIST_ENTRIES_MAX))
                .map(|found| found.map(|(key, _)| listed(&key)))
                .collect()
        })
        .ok_or_else(|| self.fail())
    }

    /// Entries from the newest on, before `before`.
    pub fn newest(
        &self,
        list: &ListKey,
        before: Option<Listed>,
        max: u16,
    ) -> Result<Vec<Listed>, Fault> {
        self.check()?;
        let end = match before {
            Some(before) => entry_key(list, &before).to_vec(),
            // Longer than any key of the list and not less than any of them.
            None => [&list[..], &[0xff; 33]].concat(),
        };
        guarded(|| {
            self.entries
                .range(..end)
                .rev()
                .take_while(|found| in_list(found, list))
                .take(usize::from(max).min(LIST_ENTRIES_MAX))
                .map(|found| found.map(|(key, _)| listed(&key)))
                .collect()
        })
        .ok_or_else(|| self.fail())
    }

    /// Writes everything to the disk, so that a clean mark may be left. sled's own flush does not
    /// sync, so its files are synced here.
    pub fn close(&self) -> Result<(), Fault> {
        self.check()?;
        guarded(|| self.db.flush()).ok_or_else(|| self.fail())?;
        sync_all(&self.dir).map_err(|_| Fault::CannotRecord("the list index cannot be synced"))
    }

    fn add(&self, list: &ListKey, at: u64, index: u64, item: Id) -> sled::Result<()> {
        self.entries
            .insert(entry_key(list, &Listed { at, index, item }), &[])?;
        let place = [
            &list[..],
            item.bytes(),
            &at.to_be_bytes(),
            &index.to_be_bytes(),
        ];
        self.places.insert(place.concat(), &[])?;
        Ok(())
    }

    fn remove_all(&self, list: &ListKey, item: Id) -> sled::Result<()> {
        let prefix = [&list[..], item.bytes()].concat();
        for found in self.places.scan_prefix(prefix) {
            let (place, _) = found?;
            let at = number(&place, 32);
            let index = number(&place, 40);
            self.entries
                .remove(entry_key(list, &Listed { at, index, item }))?;
            self.places.remove(place)?;
        }
        Ok(())
    }

    fn check(&self) -> Result<(), Fault> {
        if self.has_failed() {
            return Err(Fault::Unreadable(
                "the list index failed; restart to rebuild it",
            ));
        }
        Ok(())
    }

    fn fail(&self) -> Fault {
        self.failed.store(true, Ordering::Release);
        Fault::Unreadable("the list index failed; restart to rebuild it")
    }
}

/// sled panics on some kinds of damage instead of returning an error; here both are `None`.
fn guarded<T>(work: impl FnOnce() -> sled::Result<T>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()?.ok()
}

fn entry_key(list: &ListKey, entry: &Listed) -> [u8; 48] {
    let parts = [
        &list[..],
        &entry.at.to_be_bytes(),
        &entry.index.to_be_bytes(),
        entry.item.bytes(),
    ];
    let mut key = [0; 48];
    for (byte, value) in key.iter_mut().zip(parts.concat()) {
        *byte = value;
    }
    key
}

fn in_list(found: &sled::Result<(sled::IVec, sled::IVec)>, list: &ListKey) -> bool {
    // An error must reach the caller, so it does not end the list.
    found
        .as_ref()
        .map_or(true, |(key, _)| key.starts_with(list))
}

fn listed(key: &[u8]) -> Listed {
    let item = key.get(32..48).and_then(|bytes| bytes.try_into().ok());
    Listed {
        at: number(key, 16),
        index: number(key, 24),
        item: Id::from_bytes(item.unwrap_or_default()),
    }
}

fn number(key: &[u8], at: usize) -> u64 {
    let bytes = key.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
    u64::from_be_bytes(bytes.unwrap_or_default())
}

fn sync_all(dir: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_all(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INBOX: ListKey = [0xff; 16];
    const SENT: ListKey = [1; 16];

    fn item(n: u8) -> Id {
        Id::from_bytes([n; 16])
    }

    fn add(list: ListKey, at: u64, n: u8) -> ListChange {
        let item = item(n);
        ListChange::Add { list, at, item }
    }

    fn mark(leaves: u64) -> Watermark {
        Watermark {
            leaves,
            segment: 1,
            offset: 0,
            frame: [3; 32],
        }
    }

    fn items(found: Vec<Listed>) -> Vec<u8> {
        found.iter().map(|entry| entry.item.bytes()[0]).collect()
    }

    #[test]
    fn a_list_is_read_in_order_from_both_ends_and_by_pages() {
        let dir = tempfile::tempdir().unwrap();
        let index = Index::open(&dir.path().join("index"), false).unwrap();
        let changes = [
            (1, add(INBOX, 20, 2)),
            (2, add(INBOX, 10, 1)),
            (3, add(INBOX, 20, 3)),
            (4, add(SENT, 15, 9)),
            (5, add(INBOX, u64::MAX, 4)),
        ];
        index.apply(&changes, mark(6));
        let all = index.list(&INBOX, None, 100).unwrap();
        assert_eq!(items(all.clone()), [1, 2, 3, 4]);
        assert_eq!(
            items(index.newest(&INBOX, None, 100).unwrap()),
            [4, 3, 2, 1]
        );
        assert_eq!(items(index.list(&INBOX, Some(all[0]), 2).unwrap()), [2, 3]);
        assert_eq!(items(index.newest(&INBOX, Some(all[2]), 1).unwrap()), [2]);
        assert_eq!(items(index.newest(&SENT, None, 9).unwrap()), [9]);
    }

    #[test]
    fn every_entry_of_an_item_leaves_the_list() {
        let dir = tempfile::tempdir().unwrap();
        let index = Index::open(&dir.path().join("index"), false).unwrap();
        let (list, gone) = (INBOX, item(1));
        let changes = [
            (1, add(list, 10, 1)),
            (2, add(list, 30, 1)),
            (3, add(list, 20, 2)),
            (4, add(SENT, 10, 1)),
            (5, ListChange::RemoveAll { list, item: gone }),
        ];
        index.apply(&changes, mark(6));
        assert_eq!(items(index.list(&INBOX, None, 9).unwrap()), [2]);
        assert_eq!(items(index.list(&SENT, None, 9).unwrap()), [1]);
        // Applying the same again, as after a crash, changes nothing.
        index.apply(&changes, mark(6));
        assert_eq!(items(index.list(&INBOX, None, 9).unwrap()), [2]);
    }

    #[test]
    fn a_trusted_index_keeps_its_watermark_and_a_damaged_one_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index");
        let index = Index::open(&path, false).unwrap();
        index.apply(&[(0, add(INBOX, 10, 1))], mark(1));
        index.close().unwrap();
        drop(index);
        let index = Index::open(&path, true).unwrap();
        assert_eq!(index.watermark(), Some(mark(1)));
        drop(index);
        let index = Index::open(&path, false).unwrap();
        assert_eq!(index.watermark(), None);
        index.close().unwrap();
        drop(index);
        std::fs::write(path.join("db"), b"not a database").unwrap();
        std::fs::write(path.join("conf"), b"garbage").unwrap();
        let index = Index::open(&path, true).unwrap();
        assert_eq!(index.watermark(), None);
        assert!(index.list(&INBOX, None, 9).unwrap().is_empty());
    }
}
