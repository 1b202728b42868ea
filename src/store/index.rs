//! Lists, in sled: what the pages browse. The only file that names sled.
//!
//! Nothing a decision rests on may be looked up here, because sled loses acknowledged writes in a
//! power cut and a miss cannot be checked. The index says up to which frame it is complete, and is
//! deleted and rebuilt from the journal whenever that cannot be trusted. It holds names under a key
//! of the slot file, and random ids only: without the slot file no guess at a list can be tested.
//!
//! An insert costs sled about the same for one entry as for many, so entries lie in blocks, and
//! what queued meanwhile is written at once. A block covers what is in order from its own key on to
//! the key of the next block. Whatever else lies in it is left over from before it was divided: a
//! process that was killed had written the new blocks and not yet the old one, which goes last.
//! So it is nowhere seen, and goes when the block is next written.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use borsh::{BorshDeserialize, BorshSerialize};
use zeroize::Zeroizing;

use self::block::{ENTRY_BYTES, Entry, ListChanges, by_list, entries, entry, listed};
use super::Fault;
use super::names::{mac, open, seal};
use crate::domain::decision::Listed;
use crate::domain::id::Id;

mod block;

const CACHE_BYTES: u64 = 32 * 1024 * 1024;
const FLUSH_EVERY_MS: u64 = 500;
/// The most entries one call returns.
pub const LIST_ENTRIES_MAX: usize = 1024;
/// Another name for another layout: an index without it is made anew. It is slot 8 | the watermark,
/// sealed: so an index whose key is gone, or was made again, is made anew too.
const WATERMARK: &[u8] = b"watermark 3";

/// The keyed name of a list, as decisions have it.
pub type ListKey = [u8; 16];

/// What lists are called by in sled: their keyed names under one more key, which lies in the slot
/// file. No `Debug`.
#[derive(Clone)]
pub struct ListsKey {
    slot: u64,
    key: Zeroizing<[u8; 32]>,
}

impl ListsKey {
    pub fn new(slot: u64, key: &[u8; 32]) -> Self {
        let key = Zeroizing::new(*key);
        Self { slot, key }
    }

    fn hidden(&self, list: &ListKey) -> HiddenKey {
        let mut hidden = HiddenKey::default();
        let mac = mac(&self.key, b"firedoor hidden list v1", list);
        hidden.iter_mut().zip(mac).for_each(|(to, from)| *to = from);
        hidden
    }

    fn seal(&self, mark: &Watermark) -> Option<Vec<u8>> {
        let mark = borsh::to_vec(mark).ok()?;
        let sealed = seal(&self.key, &mark, WATERMARK).ok()?;
        Some([&self.slot.to_le_bytes()[..], &sealed].concat())
    }
}

/// What a list is called in sled.
type HiddenKey = [u8; 16];

/// list 16 | the first entry that may lie in the block 32.
type BlockKey = [u8; 16 + ENTRY_BYTES];

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
    key: ListsKey,
    /// By [`BlockKey`], the entries of a block; and the watermark.
    db: sled::Db,
    /// Held by readers, and while a list is changed: several of its blocks change together.
    showing: RwLock<()>,
    failed: AtomicBool,
}

impl Index {
    /// Opens the index as it was left; a new one with the key `new` if it is damaged, cannot say how
    /// far it goes, or its key is not `known` by its slot.
    pub fn open(
        dir: &Path,
        known: impl Fn(u64) -> Option<ListsKey>,
        new: &ListsKey,
    ) -> Result<Self, Fault> {
        if let Some(mut index) = guarded(|| Self::open_as_is(dir, new))
            && let Some(key) = index.slot().and_then(known)
        {
            index.key = key;
            if index.watermark().is_some() {
                return Ok(index);
            }
        }
        Self::create(dir, new)
    }

    /// Deletes what is there and begins again.
    pub fn create(dir: &Path, key: &ListsKey) -> Result<Self, Fault> {
        Self::delete(dir)?;
        let made = guarded(|| Self::open_as_is(dir, key));
        made.ok_or(Fault::Unreadable("the list index does not open"))
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

    fn open_as_is(dir: &Path, key: &ListsKey) -> sled::Result<Self> {
        let db = sled::Config::new()
            .path(dir)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(Some(FLUSH_EVERY_MS))
            .open()?;
        Ok(Self {
            dir: dir.to_owned(),
            key: key.clone(),
            db,
            showing: RwLock::new(()),
            failed: AtomicBool::new(false),
        })
    }

    /// Up to where the index is complete; `None` if it is empty or cannot say.
    pub fn watermark(&self) -> Option<Watermark> {
        let bytes = guarded(|| self.db.get(WATERMARK))??;
        let (_, sealed) = bytes.split_first_chunk::<8>()?;
        let mark = open(&self.key.key, sealed, WATERMARK)?;
        Watermark::try_from_slice(&mark).ok()
    }

    /// Where its key lies.
    fn slot(&self) -> Option<u64> {
        let bytes = guarded(|| self.db.get(WATERMARK))??;
        let (slot, _) = bytes.split_first_chunk::<8>()?;
        Some(u64::from_le_bytes(*slot))
    }

    /// Applies the changes of one frame or of several, in order. They are visible when this
    /// returns; if it is interrupted, doing it again makes it good. A failure loses nothing: the
    /// lists answer with a fault until they are rebuilt at the next start. One caller at a time.
    pub fn apply(&self, changes: &[(u64, ListChange)], watermark: Watermark) {
        if self.failed.load(Ordering::Acquire) {
            return;
        }
        let done = guarded(|| {
            for (list, changes) in by_list(changes) {
                self.change(&self.key.hidden(&list), &changes)?;
            }
            let mark = self.key.seal(&watermark);
            let mark = mark.ok_or_else(|| sled::Error::Unsupported("randomness".to_owned()))?;
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
        let list = &self.key.hidden(list);
        let after = after.as_ref().map(entry);
        let max = usize::from(max).min(LIST_ENTRIES_MAX);
        let mut found: Vec<Entry> = Vec::new();
        let _shown = self.showing.read().unwrap_or_else(PoisonError::into_inner);
        guarded(|| {
            let (from, _) = self.covering(list, &after.unwrap_or_default())?;
            for block in self.db.range(from..) {
                let (key, stored) = block?;
                let Some(first) = first_of(list, &key) else {
                    break;
                };
                found.truncate(found.partition_point(|entry| *entry < first));
                if found.len() >= max {
                    break;
                }
                let later = entries(&stored).iter();
                found.extend(later.filter(|entry| after.is_none_or(|after| **entry > after)));
            }
            Ok(found.iter().take(max).map(listed).collect())
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
        let list = &self.key.hidden(list);
        let before = before.as_ref().map(entry);
        let max = usize::from(max).min(LIST_ENTRIES_MAX);
        let mut found = Vec::new();
        let _shown = self.showing.read().unwrap_or_else(PoisonError::into_inner);
        guarded(|| {
            let mut end = before;
            let first = block_key(list, &Entry::default());
            let last = block_key(list, &before.unwrap_or([0xff; ENTRY_BYTES]));
            for block in self.db.range(first..=last).rev() {
                let (key, stored) = block?;
                let earlier = entries(&stored).iter().rev();
                let earlier = earlier.filter(|entry| end.is_none_or(|end| **entry < end));
                found.extend(earlier.map(listed));
                if found.len() >= max {
                    break;
                }
                end = first_of(list, &key);
            }
            found.truncate(max);
            Ok(found)
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

    /// Writes every block of the list that `changes` change, from the first on.
    fn change(&self, list: &HiddenKey, changes: &ListChanges) -> sled::Result<()> {
        // What is removed may lie anywhere. Lists from which something is taken are short: what
        // waits in an inbox or a queue.
        let everywhere = changes.removes();
        let added = changes.added();
        let mut added = added.as_slice();
        let mut at = match added.first() {
            Some(first) if !everywhere => *first,
            Some(_) | None => Entry::default(),
        };
        let _hidden = self.showing.write().unwrap_or_else(PoisonError::into_inner);
        loop {
            let (key, stored) = self.covering(list, &at)?;
            let next = self.next_block(list, &key)?;
            let mine = added.partition_point(|entry| next.is_none_or(|next| *entry < next));
            let (mine, later) = added.split_at_checked(mine).unwrap_or_default();
            if let Some(blocks) = changes.rewrite(&stored, next.as_ref(), mine) {
                self.divide(list, key, &blocks)?;
            }
            added = later;
            at = match (next, later.first()) {
                (Some(next), _) if everywhere => next,
                (Some(_) | None, Some(first)) => *first,
                (Some(_) | None, None) => return Ok(()),
            };
        }
    }

    /// Puts these blocks in the place of one, whose key the first of them takes, last of all.
    fn divide(&self, list: &HiddenKey, key: BlockKey, blocks: &[Vec<Entry>]) -> sled::Result<()> {
        let Some((block, further)) = blocks.split_first() else {
            return self.db.remove(key).map(|_| ());
        };
        for block in further.iter().rev() {
            let first = block.first().copied().unwrap_or_default();
            self.db
                .insert(block_key(list, &first), block.as_flattened())?;
        }
        self.db.insert(key, block.as_flattened()).map(|_| ())
    }

    /// The key of the block in which `entry` lies or would lie, and what is stored there.
    fn covering(&self, list: &HiddenKey, entry: &Entry) -> sled::Result<(BlockKey, sled::IVec)> {
        let first = block_key(list, &Entry::default());
        let found = self.db.range(first..=block_key(list, entry)).next_back();
        Ok(match found.transpose()? {
            Some((key, stored)) => (BlockKey::try_from(&*key).unwrap_or(first), stored),
            None => (first, sled::IVec::default()),
        })
    }

    /// Where the block after this one begins.
    fn next_block(&self, list: &HiddenKey, key: &BlockKey) -> sled::Result<Option<Entry>> {
        let Some((next, _)) = self.db.get_gt(key)? else {
            return Ok(None);
        };
        Ok(first_of(list, &next))
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

fn block_key(list: &HiddenKey, first: &Entry) -> BlockKey {
    let mut key = [0; 16 + ENTRY_BYTES];
    let bytes = list.iter().chain(first);
    key.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    key
}

/// The first entry that the block covers; `None` for a key that is not of this list.
fn first_of(list: &HiddenKey, key: &[u8]) -> Option<Entry> {
    key.strip_prefix(list)?.try_into().ok()
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
mod tests;
