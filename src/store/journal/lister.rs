//! Keeps the lists in sled up with the journal, behind the answers.
//!
//! A commit does not wait for its lists; whoever reads a list waits until it shows every commit
//! that was acknowledged when it asked. So a slow or rebuilt index costs patience and never a wrong
//! list, and no decision waits for it or rests on it. While nobody reads, changes are gathered for a
//! moment: many that go to one block are written at the price of one.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, mpsc as channel};
use std::thread::Thread;
use std::time::Duration;

use super::Shared;
use super::frame::Frame;
use super::names_key::NamesKeys;
use super::prepare::list_changes;
use super::recovery::FrameAt;
use crate::store::Fault;
use crate::store::index::{Index, ListChange, Watermark};

/// Frames that may wait for the lists; more make commits wait.
pub const LISTINGS_MAX: usize = 1024;
/// About as many changes of lists are applied at once, if as many wait: readers wait meanwhile.
const CHANGES_AT_ONCE: usize = 4096;
/// How long changes are gathered, unless somebody reads.
const GATHERED_FOR: Duration = Duration::from_millis(20);
const YIELD_TO_COMMITS: i32 = 5;
/// How many steps of a rebuild are told of.
const PROGRESS_STEPS: usize = 10;
/// Fewer than so many frames are listed before anyone could read how far it is.
const PROGRESS_FRAMES_MIN: usize = 5_000;

/// Who waits for the lists, so that the lister does not wait for more.
#[derive(Default)]
pub struct Readers {
    waiting: AtomicUsize,
    lister: OnceLock<Thread>,
}

/// Somebody waits, for as long as this lives.
pub struct Reading<'a>(&'a Readers);

impl Readers {
    pub fn wait(&self) -> Reading<'_> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        if let Some(lister) = self.lister.get() {
            lister.unpark();
        }
        Reading(self)
    }

    /// Called by the lister. Returns early when somebody begins to wait.
    fn none_for(&self, time: Duration) {
        if self.waiting.load(Ordering::SeqCst) == 0 {
            std::thread::park_timeout(time);
        }
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What one frame changes in lists.
pub struct Listing {
    pub changes: Vec<(u64, ListChange)>,
    pub watermark: Watermark,
}

impl Listing {
    /// With what the frame behind it changes.
    fn join(&mut self, next: Self) {
        self.changes.extend(next.changes);
        self.watermark = next.watermark;
    }
}

pub struct Lister {
    pub shared: Arc<Shared>,
    pub listings: channel::Receiver<Listing>,
    pub dir: PathBuf,
    /// Whether the index may be as the journal left it.
    pub trusted: bool,
    /// Frames that the journal had at the start; what comes later is listed.
    pub frames: usize,
    /// And leaves.
    pub leaves: u64,
}

impl Lister {
    /// Runs until the publisher is gone.
    pub fn run(self) {
        // Commits go first. On Linux this is of the calling thread alone (nice(2)).
        let _ = rustix::process::nice(YIELD_TO_COMMITS);
        let _ = self.shared.readers.lister.set(std::thread::current());
        // Opening takes sled time that grows with the lists, so no start waits for it.
        let complete = match self.open() {
            Ok(next) => self.catch_up(next),
            Err(fault) => {
                tracing::error!(%fault, "there are no lists until the next start");
                false
            }
        };
        while let Ok(first) = self.listings.recv() {
            // Without those before it, a frame must not move the watermark.
            if !complete {
                continue;
            }
            self.shared.readers.none_for(GATHERED_FOR);
            let mut all = first;
            while all.changes.len() < CHANGES_AT_ONCE {
                let Ok(next) = self.listings.try_recv() else {
                    break;
                };
                all.join(next);
            }
            self.apply(&all);
        }
    }

    fn apply(&self, all: &Listing) {
        if let Some(index) = self.shared.index.get() {
            index.apply(&all.changes, all.watermark);
            self.shared.listed.send_replace(Some(all.watermark.leaves));
        }
    }

    /// Opens the index if it is trusted and of this journal, otherwise an empty one. Returns the
    /// number of the first frame that it lacks.
    fn open(&self) -> Result<usize, Fault> {
        let (new, keys) = (self.shared.names_key().lists(), self.shared.names_keys());
        let known = |slot| keys.key(slot).map(|key| key.lists());
        let index = match self.trusted {
            true => Index::open(&self.dir, known, &new)?,
            false => Index::create(&self.dir, &new)?,
        };
        let next = match index.watermark() {
            Some(mark) => self.after(mark),
            None => Some(0),
        };
        let index = match next {
            Some(_) => index,
            None => {
                drop(index);
                Index::create(&self.dir, &new)?
            }
        };
        if self.shared.index.set(index).is_err() {
            return Err(Fault::Unreadable("the list index is open already"));
        }
        Ok(next.unwrap_or(0))
    }

    /// The number of the frame behind the marked one; `None` if that is not a frame of this journal.
    fn after(&self, mark: Watermark) -> Option<usize> {
        let (place, at) = {
            let state = self.shared.state();
            let before = |at: &FrameAt| (at.segment, at.offset) < (mark.segment, mark.offset);
            let place = state.frames.partition_point(before);
            (place, *state.frames.get(place)?)
        };
        let bytes = self.shared.segments.read(at.segment, at.offset, at.length);
        let bytes = bytes.ok()?;
        let frame = Frame::read(&bytes)?;
        let same = place < self.frames
            && (at.segment, at.offset) == (mark.segment, mark.offset)
            && frame.hash() == mark.frame;
        same.then_some(place + 1)
    }

    /// Brings the index up to where the journal was at the start, from frame number `next` on.
    /// `false` if it was interrupted.
    fn catch_up(&self, next: usize) -> bool {
        let todo = self.frames.saturating_sub(next);
        let step = todo.div_ceil(PROGRESS_STEPS).max(PROGRESS_FRAMES_MIN);
        if todo >= PROGRESS_FRAMES_MIN {
            tracing::info!(frames = todo, "bringing the list index up to the journal");
        }
        let keys = self.shared.names_keys();
        let mut waiting: Option<Listing> = None;
        for number in next..self.frames {
            if self.shared.closing.load(Ordering::Acquire) {
                return false;
            }
            let Some(at) = self.shared.state().frames.get(number).copied() else {
                return false;
            };
            let Some(listing) = self.listing_of(at, &keys) else {
                let what = "the frame here cannot be read any more";
                self.shared.stop_damaged(at.segment, at.offset, what);
                return false;
            };
            match &mut waiting {
                Some(all) => all.join(listing),
                None => waiting = Some(listing),
            }
            if let Some(all) = waiting.take_if(|all| all.changes.len() >= CHANGES_AT_ONCE) {
                self.apply(&all);
            }
            let done = number + 1 - next;
            if done.is_multiple_of(step) {
                let percent = done * 100 / todo;
                tracing::info!(percent, "bringing the list index up to the journal");
            }
        }
        if let Some(all) = waiting {
            self.apply(&all);
        }
        self.shared.listed.send_replace(Some(self.leaves));
        true
    }

    fn listing_of(&self, at: FrameAt, keys: &NamesKeys<'_>) -> Option<Listing> {
        let bytes = self.shared.segments.read(at.segment, at.offset, at.length);
        let bytes = bytes.ok()?;
        let frame = Frame::read(&bytes)?;
        let mut changes = Vec::new();
        for (index, raw) in (frame.first..).zip(frame.entries()) {
            let entry = raw.decode(keys).ok()?.entry;
            changes.extend(list_changes(&entry).map(|change| (index, change)));
        }
        let watermark = Watermark {
            leaves: frame.first + u64::from(frame.count),
            segment: at.segment,
            offset: at.offset,
            frame: frame.hash(),
        };
        Some(Listing { changes, watermark })
    }
}
