//! The embedded backend: the journal is the truth, the table and sled are derived from it.
//!
//! Nothing may write but the one writer thread (`journal/writer.rs` shows the way of a commit), and
//! nothing that a decision rests on may be looked up in sled.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use self::lister::{LISTINGS_MAX, Lister, Readers};
use self::marks::{Left, Mark};
use self::names_key::{NamesKey, NamesKeys};
use self::prepare::frame_bytes_max;
use self::publisher::Publisher;
use self::recovery::FrameAt;
use self::restoring::{TakenOut, recover_restored};
use self::segment::Segments;
use self::sidecar::Sidecar;
use self::staged::Staged;
use self::start::{identity, lock, refuse_slots_under};
use self::table::Table;
use self::writer::{Job, LastFrame, Writer};
use super::disk::{Disk, DiskFile};
use super::index::Index;
use super::keys::StoreKeys;
use super::names::Names;
use super::restored::Restored;
use super::slots::{RESERVE_SLOTS_MAX, Slots};
use super::witnessed::Heads;
use super::{Committed, Fault, Health};
use crate::domain::checkpoint::LogKey;
use crate::domain::decision::Draft;
use crate::domain::merkle::Tree;
use crate::domain::seal::{ItemKey, Slot};
use crate::domain::time::When;

mod copying;
mod epoch;
mod frame;
mod leaving;
mod lister;
mod marks;
mod names_key;
mod prepare;
mod publisher;
mod read;
mod recovery;
mod restoring;
mod scrub;
pub(in crate::store) mod segment;
mod sidecar;
mod staged;
mod start;
mod table;
mod tail;
mod writer;

pub use self::copying::{backup, restore};
pub(in crate::store) use self::leaving::Leaving;
pub use self::scrub::Progress;
pub use self::start::OpenError;

#[cfg(test)]
mod bits;
#[cfg(test)]
pub(crate) mod damage;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod power;
#[cfg(test)]
mod simulation;

pub const SEGMENT_BYTES_DEFAULT: u64 = 64 * 1024 * 1024;
/// A segment always holds one decision of ordinary size.
pub const SEGMENT_BYTES_MIN: u64 = 16 * 1024;
/// Two more segments and some time to act.
pub const KEPT_ROOM_BYTES_DEFAULT: u64 = 256 * 1024 * 1024;
/// Decisions that may wait for the writer; more make their callers wait.
const QUEUE_DECISIONS_MAX: usize = 1024;
/// Leaves or entries read in one call.
pub const LEAVES_READ_MAX: u64 = 256;
/// The longest reply that an idempotency record keeps.
pub const REPLY_BYTES_MAX: usize = 4096;

/// Where the journal lies and what it works with.
pub struct JournalConfig {
    /// Belongs to the journal alone; copies of it are useless without the slot file.
    pub data_dir: PathBuf,
    /// The slot file, outside `data_dir` and its backups.
    pub slots: PathBuf,
    pub keys: StoreKeys,
    /// [`SEGMENT_BYTES_DEFAULT`]; at least [`SEGMENT_BYTES_MIN`].
    pub segment_bytes: u64,
    /// Below this much free room only urgent decisions are taken: [`KEPT_ROOM_BYTES_DEFAULT`].
    pub kept_room_bytes: u64,
}

/// The embedded backend, open.
pub struct Journal {
    shared: Arc<Shared>,
    data_dir: PathBuf,
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    committed: watch::Receiver<u64>,
    restored: Mutex<Option<Restored>>,
    /// Whether there is anything in `taken_out`, as hardly ever.
    takes_out: AtomicBool,
    taken_out: tokio::sync::Mutex<TakenOut>,
    heads: Arc<Heads>,
}

/// What the writer and the readers share.
struct Shared {
    names: Names,
    log: LogKey,
    segments: Arc<Segments>,
    slots: Slots,
    /// What names are sealed under from now on.
    names_key: RwLock<Arc<NamesKey>>,
    /// Set once it is open, which no start waits for.
    index: OnceLock<Index>,
    kept_room_bytes: u64,
    state: RwLock<State>,
    /// Ahead of `state.leaves` while a frame is being written.
    tree: RwLock<Tree>,
    committed: watch::Sender<u64>,
    /// Leaves whose changes of lists are all in the index; `None` until it is open.
    listed: watch::Sender<Option<u64>>,
    /// Of lists.
    readers: Readers,
    stopped: OnceLock<&'static str>,
    /// What runs in the background ends soon.
    closing: AtomicBool,
    /// Leaves, from the first on, that were read again since the start and found whole.
    checked: AtomicU64,
    /// Held while the journal is open.
    _lock: DiskFile,
}

struct State {
    table: Table,
    frames: Vec<FrameAt>,
    /// Leaves that are durable.
    leaves: u64,
    note: Arc<str>,
    last_time: When,
    written: Written,
}

/// What the writer has made durable since the journal was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// As many as there were syncs.
    pub frames: u64,
    pub leaves: u64,
    pub bytes: u64,
}

impl Shared {
    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn tree(&self) -> RwLockReadGuard<'_, Tree> {
        self.tree.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn tree_mut(&self) -> RwLockWriteGuard<'_, Tree> {
        self.tree.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopped(&self) -> Option<&'static str> {
        self.stopped.get().copied()
    }

    /// For good. The first reason stays.
    fn stop(&self, why: &'static str) -> Fault {
        Fault::CannotRecord(self.stopped.get_or_init(|| why))
    }

    /// For good, with the place that the operator must know.
    fn stop_damaged(&self, segment: u32, byte: u32, what: &str) -> Fault {
        let why = format!(
            "segment {segment} of the journal is damaged at byte {byte}: {what}; stop the gateway, \
             run doctor --repair, and restore the journal from a backup"
        );
        tracing::error!(
            segment,
            byte,
            what,
            "the journal is damaged; nothing is taken any more"
        );
        // Once in the life of the process, because it stops with it.
        self.stop(Box::leak(why.into_boxed_str()))
    }

    /// Whether only urgent decisions are taken. A file system that does not say counts as full.
    fn check_room(&self) -> bool {
        let free = self.segments.free_bytes();
        free.map_or(true, |free| free < self.kept_room_bytes)
    }

    fn frame_bytes_max(&self) -> usize {
        frame_bytes_max(self.segments.bytes())
    }
}

impl Journal {
    /// Opens the journal or makes a new one, and checks it as `recovery` says; the rest of it is
    /// read in the background. Blocks.
    ///
    /// # Errors
    /// It is damaged, in use, or not what the keys belong to. Nothing is repaired but a last frame
    /// that was never acknowledged.
    pub fn open(config: JournalConfig) -> Result<Self, OpenError> {
        let moved = leaving::moved_path(&config.data_dir);
        if moved.exists() {
            return Err(OpenError::Moved(moved));
        }
        Self::open_on(Disk::Real, config)
    }

    fn open_on(disk: Disk, config: JournalConfig) -> Result<Self, OpenError> {
        let JournalConfig {
            data_dir,
            slots,
            keys,
            segment_bytes,
            kept_room_bytes,
        } = config;
        if !(SEGMENT_BYTES_MIN..=1 << 30).contains(&segment_bytes) {
            return Err(OpenError::SegmentBytes);
        }
        let journal_dir = data_dir.join("journal");
        let made = disk.make_dir(&journal_dir);
        made.map_err(|source| OpenError::io(&journal_dir, source))?;
        refuse_slots_under(&disk, &data_dir, &slots)?;
        let lock = lock(&disk, &data_dir)?;
        let restored = Restored::read(&disk, &data_dir)
            .map_err(|source| OpenError::io(&Restored::path(&data_dir), source))?;

        let names = Names::new(keys.index_key);
        let segments = Segments::open(&disk, &journal_dir, segment_bytes)
            .map_err(|source| OpenError::io(&journal_dir, source))?;
        let identity = identity(&disk, &data_dir, &names, segments.last() > 0)?;
        // A change of epoch that was cut may have left it under another name.
        Slots::bring_back(&disk, &slots).map_err(|source| OpenError::io(&slots, source))?;
        if segments.last() > 0 && disk.length(&slots).is_err() {
            return Err(OpenError::SlotsMissing(slots));
        }
        let slot_file = Slots::open(&disk, &slots, &keys.slot_key, &identity.id)?;
        let mark = Mark::read(&disk, &data_dir);
        let least = mark.as_ref().map_or(0, |mark| mark.leaves);
        let names_keys = NamesKeys::of(&slot_file);
        let mut found =
            recover_restored(&segments, &keys.log, least, restored.as_ref(), &names_keys)?;
        drop(names_keys);
        let taken_out = match &restored {
            Some(_) => restoring::reconcile(&mut found, &slot_file, &slots)?,
            None => TakenOut::default(),
        };
        // Only now: they are of no item and no account, and stay for ever.
        found.names.iter().for_each(|slot| found.live.insert(slot));
        let missing = slot_file
            .reconcile(&found.used, &found.live)
            .map_err(|source| OpenError::io(&slots, source))?;
        if missing > 0 {
            return Err(OpenError::KeysMissing {
                file: slots,
                missing,
            });
        }

        let names_key =
            NamesKey::next(&slot_file).map_err(|fault| OpenError::Slots { file: slots, fault })?;
        let boot = disk.boot_id();
        let trusted = mark.is_some_and(|mark| mark.trusts_index(&boot));
        let index_dir = data_dir.join("index");
        if !trusted {
            // Before the new mark, or a crash in between would make it trusted.
            Index::delete(&index_dir).map_err(OpenError::Index)?;
        }
        Index::check_place(&index_dir).map_err(OpenError::Index)?;
        let mark = Mark {
            leaves: found.tree.size(),
            left: Left::Open { boot },
        };
        mark.write(&disk, &data_dir)
            .map_err(|source| OpenError::io(&data_dir, source))?;
        let (mut segment, mut offset) = (found.segment, found.offset);
        if segment == 0 {
            let added = segments.add();
            (segment, offset) = (added.map_err(|e| OpenError::io(&journal_dir, e))?, 0);
        }
        let leaves = found.tree.size();
        let note = match found.note {
            Some(note) => note,
            None => keys.log.sign(0, &found.tree.root()),
        };
        let shared = Arc::new(Shared {
            names,
            log: keys.log,
            segments: Arc::new(segments),
            slots: slot_file,
            names_key: RwLock::new(names_key),
            index: OnceLock::new(),
            kept_room_bytes,
            state: RwLock::new(State {
                table: found.table,
                frames: found.frames,
                leaves,
                note: note.into(),
                last_time: found.last_time,
                written: Written::default(),
            }),
            tree: RwLock::new(found.tree),
            committed: watch::Sender::new(leaves),
            listed: watch::Sender::new(None),
            readers: Readers::default(),
            stopped: OnceLock::new(),
            closing: AtomicBool::new(false),
            checked: AtomicU64::new(0),
            _lock: lock,
        });
        let at = (segment, offset);
        let again = (restored, taken_out);
        let started = Self::start(data_dir, shared, at, found.part, trusted, again);
        started.map_err(|source| OpenError::io(&journal_dir, source))
    }

    /// Starts the threads of the stages; the next frame goes to `at`.
    fn start(
        data_dir: PathBuf,
        shared: Arc<Shared>,
        (segment, offset): (u32, u32),
        part: Sidecar,
        trusted: bool,
        (restored, taken_out): (Option<Restored>, TakenOut),
    ) -> std::io::Result<Self> {
        let (sender, queue) = mpsc::channel(QUEUE_DECISIONS_MAX);
        let (publish, batches) = std::sync::mpsc::channel();
        let (lists, listings) = std::sync::mpsc::sync_channel(LISTINGS_MAX);
        let (eraser, erasures) = std::sync::mpsc::channel();
        let (frames, size, newest) = {
            let state = shared.state();
            (state.frames.len(), state.leaves, state.last_time)
        };
        let writer = Writer {
            shared: Arc::clone(&shared),
            queue,
            held: None,
            segment,
            offset,
            last_frame: LastFrame::Known(part.last_frame),
            size,
            newest,
            flying: Staged::default(),
            publisher: publish,
            spare: Some(shared.segments.make_spare_later()?),
        };
        let publisher = Publisher {
            shared: Arc::clone(&shared),
            batches,
            lists,
            eraser,
            part,
            sealing: Vec::new(),
        };
        let lister = Lister {
            shared: Arc::clone(&shared),
            listings,
            dir: data_dir.join("index"),
            trusted,
            frames,
            leaves: size,
        };
        let (erasing, scrubbing) = (Arc::clone(&shared), Arc::clone(&shared));
        let threads = vec![
            spawn("journal-writer", move || writer.run())?,
            spawn("journal-publish", move || publisher.run())?,
            spawn("journal-lists", move || lister.run())?,
            spawn("journal-eraser", move || writer::erase(&erasing, &erasures))?,
            spawn("journal-scrub", move || scrub::run(&scrubbing))?,
        ];
        let (disk, origin) = (
            shared.segments.disk().clone(),
            shared.log.verifier().origin(),
        );
        let heads = Arc::new(Heads::new(disk, &data_dir, origin));
        Ok(Self {
            heads,
            committed: shared.committed.subscribe(),
            shared,
            data_dir,
            queue: Mutex::new(Some(sender)),
            threads: Mutex::new(threads),
            restored: Mutex::new(restored),
            takes_out: AtomicBool::new(!taken_out.is_empty()),
            taken_out: tokio::sync::Mutex::new(taken_out),
        })
    }

    /// See [`super::Store::last_time`].
    pub fn last_time(&self) -> When {
        self.shared.state().last_time
    }

    /// Keys that a decision did not need are ready again.
    pub fn give_back(&self, slots: &[Slot]) {
        self.shared.slots.give_back(slots);
    }

    /// See [`super::Store::reserve`]. Keys that are not used within two minutes are
    /// lent again.
    pub async fn reserve(&self, count: usize) -> Result<Vec<ItemKey>, Fault> {
        if count > RESERVE_SLOTS_MAX {
            return Err(Fault::TooLarge);
        }
        if let Some(why) = self.shared.stopped() {
            return Err(Fault::CannotRecord(why));
        }
        if self.shared.slots.has_ready(count) {
            return self.shared.slots.reserve(count);
        }
        // New slots are synced before they are handed out: not on the reactor.
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || shared.slots.reserve(count))
            .await
            .unwrap_or(Err(Fault::CannotRecord("the slot file cannot be extended")))
    }

    /// See [`super::Store::commit`].
    pub(in crate::store) async fn commit(&self, draft: Draft) -> Result<Committed, Fault> {
        if let Some(why) = self.shared.stopped() {
            return Err(Fault::CannotRecord(why));
        }
        if !self.takes_out.load(Ordering::Acquire) {
            return self.record(draft, Vec::new()).await;
        }
        // One at a time: a removal that came a second time could take what was written since.
        let mut taken_out = self.taken_out.lock().await;
        let changes = taken_out.changes();
        let carried = changes.len();
        let committed = self.record(draft, changes).await?;
        if let Committed::Durable(..) = &committed {
            taken_out.done(carried);
            let more = !taken_out.is_empty();
            self.takes_out.store(more, Ordering::Release);
        }
        Ok(committed)
    }

    /// See [`super::Store::changed`].
    pub async fn changed(&self, index: u64, timeout: Duration) {
        let mut committed = self.committed.clone();
        let newer = committed.wait_for(|leaves| *leaves > index.saturating_add(1));
        // Running out of time is an answer too, as is the end of the store.
        let _ = tokio::time::timeout(timeout, newer).await;
    }

    pub fn written(&self) -> Written {
        self.shared.state().written
    }

    /// See [`super::Store::health`].
    pub fn health(&self) -> Health {
        Health {
            stopped: self.shared.stopped(),
            nearly_full: self.shared.check_room(),
            leaves: self.shared.state().leaves,
            checked: Some(self.shared.checked.load(Ordering::Acquire)).filter(|found| *found > 0),
        }
    }

    /// Waits for everything queued, syncs the lists and leaves the mark of an orderly end.
    pub async fn close(&self) -> Result<(), Fault> {
        self.shared.slots.interrupt();
        let threads = self.end_threads();
        if threads.is_empty() {
            return Ok(());
        }
        let (shared, data_dir) = (Arc::clone(&self.shared), self.data_dir.clone());
        let closing = tokio::task::spawn_blocking(move || {
            threads.into_iter().for_each(|thread| drop(thread.join()));
            let stopped = shared.stopped.set("the store is closed");
            if stopped.is_err() {
                // It had stopped before, so there is no orderly end to mark.
                return Err(Fault::CannotRecord(shared.stopped().unwrap_or_default()));
            }
            let index = shared.index.get();
            index
                .ok_or(Fault::Unreadable("the list index does not open"))?
                .close()?;
            let leaves = shared.state().leaves;
            let left = Left::Closed;
            let marked = Mark { leaves, left }.write(shared.segments.disk(), &data_dir);
            marked.map_err(|_| Fault::CannotRecord("the mark of an orderly end cannot be written"))
        });
        closing
            .await
            .unwrap_or(Err(Fault::CannotRecord("closing was interrupted")))
    }
}

impl Journal {
    /// Closes the queue. The threads end when everything in it is done.
    fn end_threads(&self) -> Vec<JoinHandle<()>> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        drop(queue.take());
        self.shared.closing.store(true, Ordering::Release);
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.iter().for_each(|thread| thread.thread().unpark());
        std::mem::take(&mut threads)
    }
}

impl Fault {
    /// The same once more, for another caller.
    fn again(&self) -> Self {
        match self {
            Self::CannotRecord(why) => Self::CannotRecord(why),
            Self::Unreadable(why) => Self::Unreadable(why),
            Self::TooLarge => Self::TooLarge,
            Self::NotListedYet { percent } => Self::NotListedYet { percent: *percent },
        }
    }
}

/// Without `close` there is no orderly end; but no thread outlives the journal either.
impl Drop for Journal {
    fn drop(&mut self) {
        self.shared.slots.interrupt();
        let threads = self.end_threads();
        threads.into_iter().for_each(|thread| drop(thread.join()));
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
}
