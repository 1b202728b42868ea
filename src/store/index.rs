//! Lists, in sled: what the pages browse. The only file that names sled.
//!
//! Nothing a decision rests on may be looked up here, because sled loses acknowledged writes in a
//! power cut and a miss cannot be checked. The index says up to which frame it is complete, and is
//! deleted and rebuilt from the journal whenever that cannot be trusted. It holds keyed names and
//! random ids only.
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

use self::block::{ENTRY_BYTES, Entry, ListChanges, by_list, entries, entry, listed};
use super::Fault;
use crate::domain::decision::Listed;
use crate::domain::id::Id;

mod block;

const CACHE_BYTES: u64 = 32 * 1024 * 1024;
const FLUSH_EVERY_MS: u64 = 500;
/// The most entries one call returns.
pub const LIST_ENTRIES_MAX: usize = 1024;
/// Another name for another layout: an index without it is made anew.
const WATERMARK: &[u8] = b"watermark 2";

/// The keyed name of a list.
pub type ListKey = [u8; 16];

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
    /// By [`BlockKey`], the entries of a block; and the watermark.
    db: sled::Db,
    /// Held by readers, and while a list is changed: several of its blocks change together.
    showing: RwLock<()>,
    failed: AtomicBool,
}

impl Index {
    /// Opens the index if it may be `trusted`, and otherwise, or if it is damaged or cannot say how
    /// far it goes, a new one.
    pub fn open(dir: &Path, trusted: bool) -> Result<Self, Fault> {
        if trusted
            && let Some(index) = guarded(|| Self::open_as_is(dir))
            && index.watermark().is_some()
        {
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
            db,
            showing: RwLock::new(()),
            failed: AtomicBool::new(false),
        })
    }

    /// Up to where the index is complete; `None` if it is empty or cannot say.
    pub fn watermark(&self) -> Option<Watermark> {
        let bytes = guarded(|| self.db.get(WATERMARK))??;
        Watermark::try_from_slice(&bytes).ok()
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
                self.change(&list, &changes)?;
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
    fn change(&self, list: &ListKey, changes: &ListChanges) -> sled::Result<()> {
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
    fn divide(&self, list: &ListKey, key: BlockKey, blocks: &[Vec<Entry>]) -> sled::Result<()> {
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
    fn covering(&self, list: &ListKey, entry: &Entry) -> sled::Result<(BlockKey, sled::IVec)> {
        let first = block_key(list, &Entry::default());
        let found = self.db.range(first..=block_key(list, entry)).next_back();
        Ok(match found.transpose()? {
            Some((key, stored)) => (BlockKey::try_from(&*key).unwrap_or(first), stored),
            None => (first, sled::IVec::default()),
        })
    }

    /// Where the block after this one begins.
    fn next_block(&self, list: &ListKey, key: &BlockKey) -> sled::Result<Option<Entry>> {
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

fn block_key(list: &ListKey, first: &Entry) -> BlockKey {
    let mut key = [0; 16 + ENTRY_BYTES];
    let bytes = list.iter().chain(first);
    key.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    key
}

/// The first entry that the block covers; `None` for a key that is not of this list.
fn first_of(list: &ListKey, key: &[u8]) -> Option<Entry> {
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
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::*;

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

    #[test]
    fn a_list_longer_than_a_block_is_read_in_order_however_it_was_filled() {
        let dir = tempfile::tempdir().unwrap();
        let index = Index::open(&dir.path().join("index"), false).unwrap();
        let mut all = Vec::new();
        for batch in 0..12_u64 {
            let changes: Vec<_> = (batch * 40..batch * 40 + 40).collect();
            // Forwards, backwards, and all over the place.
            let at = |n: u64| match batch / 4 {
                0 => 1_000 + n,
                1 => 1_000 - n,
                _ => n * 7_919 % 2_003,
            };
            let changes = changes.into_iter().map(|n| (n, add(INBOX, at(n), n as u8)));
            let changes: Vec<_> = changes.collect();
            all.extend(changes.iter().map(|(index, change)| match *change {
                ListChange::Add { at, item, .. } => Listed {
                    at,
                    index: *index,
                    item,
                },
                ListChange::RemoveAll { .. } => unreachable!(),
            }));
            index.apply(&changes, mark(batch));
        }
        all.sort();
        let (mut read, mut after) = (Vec::new(), None);
        while let Some(last) = {
            let page = index.list(&INBOX, after, 37).unwrap();
            read.extend_from_slice(&page);
            page.last().copied()
        } {
            after = Some(last);
        }
        assert_eq!(read, all);
        let (mut back, mut before) = (Vec::new(), None);
        while let Some(last) = {
            let page = index.newest(&INBOX, before, 41).unwrap();
            back.extend_from_slice(&page);
            page.last().copied()
        } {
            before = Some(last);
        }
        back.reverse();
        assert_eq!(back, all);
        assert!(index.list(&SENT, None, 9).unwrap().is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn whatever_is_listed_and_unlisted_the_lists_are_those_of_one_change_after_another(
            batches in vec(vec((0_u8..8, 0_u8..3, 0_u64..50, 0_u8..12), 1..150), 1..12),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let index = Index::open(&dir.path().join("index"), false).unwrap();
            let mut model = BTreeSet::new();
            let mut leaf = 0;
            for batch in batches {
                let mut changes = Vec::new();
                for (kind, list, at, n) in batch {
                    leaf += at % 2;
                    let list: ListKey = [list; 16];
                    let item = item(n);
                    if kind == 0 {
                        model.retain(|(in_list, entry): &(ListKey, Listed)| {
                            (in_list, entry.item) != (&list, item)
                        });
                        changes.push((leaf, ListChange::RemoveAll { list, item }));
                    } else {
                        let index = leaf;
                        model.insert((list, Listed { at, index, item }));
                        changes.push((leaf, ListChange::Add { list, at, item }));
                    }
                }
                index.apply(&changes, mark(leaf));
                for list in [[0; 16], [1; 16], [2; 16]] {
                    let entries = model.iter().filter(|(of, _)| *of == list);
                    let mut entries: Vec<Listed> = entries.map(|(_, entry)| *entry).collect();
                    prop_assert_eq!(&index.list(&list, None, u16::MAX).unwrap(), &entries);
                    entries.reverse();
                    prop_assert_eq!(index.newest(&list, None, u16::MAX).unwrap(), entries);
                }
            }
        }
    }

    #[test]
    fn what_a_kill_left_of_a_divided_block_is_not_seen_and_does_not_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let index = Index::open(&dir.path().join("index"), false).unwrap();
        let changes: Vec<_> = (0..60).map(|n| (n, add(INBOX, n, n as u8))).collect();
        index.apply(&changes, mark(60));
        let whole = index.db.get(block_key(&INBOX, &Entry::default())).unwrap();
        // These do not go at the end, so the block is divided; then the old one comes back.
        let more: Vec<_> = (60..70).map(|n| (n, add(INBOX, n - 60, n as u8))).collect();
        index.apply(&more, mark(70));
        index
            .db
            .insert(block_key(&INBOX, &Entry::default()), whole.unwrap())
            .unwrap();
        let all = index.list(&INBOX, None, 100).unwrap();
        let mut back = index.newest(&INBOX, None, 100).unwrap();
        back.reverse();
        assert_eq!(all, back);
        assert!(items(all).is_sorted_by_key(|n| n % 60));
        index.apply(&more, mark(70));
        let mut all = items(index.list(&INBOX, None, 100).unwrap());
        all.sort_unstable();
        assert_eq!(all, (0..70).collect::<Vec<u8>>());
        let gone = (20..70).map(|n| {
            let (list, item) = (INBOX, item(n));
            (70, ListChange::RemoveAll { list, item })
        });
        index.apply(&gone.collect::<Vec<_>>(), mark(71));
        let left = items(index.list(&INBOX, None, 100).unwrap());
        assert_eq!(left, (0..20).collect::<Vec<u8>>());
    }
}
