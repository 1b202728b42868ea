//! The single writer: everything that queued while the last sync ran becomes one frame.
//!
//! One write, one sync, then the answers. It never retries a write or a sync: after a failed one
//! nobody knows what the disk holds, so it stops and everyone is told `cannot-record`. Only the
//! lack of room for the next segment may pass.

use std::collections::HashMap;
use std::sync::{Arc, mpsc as channel};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use super::Shared;
use super::frame::{
    self, Change, ENTRIES_AT, Entry, FRAME_BYTES_MAX, FRAME_DECISIONS_MAX,
    FRAME_OVERHEAD_BYTES_MAX, Key, Span,
};
use super::recovery::{FrameAt, make_sidecar};
use super::table::{At, ops};
use crate::domain::logged::Inclusion;
use crate::domain::time::When;
use crate::store::index::{ListChange, Watermark};
use crate::store::{Committed, Fault};

const NEARLY_FULL: Fault = Fault::CannotRecord("the disk is nearly full");
const NO_ROOM: Fault = Fault::CannotRecord("there is no room for the next segment");

/// A decision, encoded by its caller, so that the writer only checks and copies.
pub struct Prepared {
    pub bytes: Vec<u8>,
    pub spans: Vec<Span>,
    pub entry: Entry,
    pub reads: Vec<(Key, u64)>,
    /// Counter, by, max.
    pub counts: Vec<(Key, u32, u32)>,
    /// Of the opening and all items.
    pub slots: Vec<u64>,
    pub urgent: bool,
}

pub struct Job {
    pub decision: Prepared,
    pub answer: oneshot::Sender<Result<Committed, Fault>>,
}

pub struct Writer {
    pub shared: Arc<Shared>,
    pub queue: mpsc::Receiver<Job>,
    /// Taken from the queue, but too large for the frame that was being filled.
    pub held: Option<Job>,
    pub segment: u32,
    pub offset: u32,
    pub last_frame: [u8; 32],
    pub spare: Option<JoinHandle<std::io::Result<()>>>,
    /// Slots whose items are durably gone.
    pub eraser: channel::Sender<Vec<u64>>,
    pub tables: Vec<JoinHandle<()>>,
}

/// What becomes of one decision of a batch, once the frame is durable.
enum Verdict {
    Accepted,
    Other(Result<Committed, Fault>),
}

/// What the accepted decisions of a batch have changed so far, on top of the table.
#[derive(Default)]
struct Staged {
    /// Times in the log never go back.
    newest: Option<When>,
    versions: HashMap<Key, u64>,
    counters: HashMap<Key, u32>,
    replays: HashMap<[u8; 16], (u64, [u8; 32], Vec<u8>)>,
}

impl Writer {
    /// Runs until the queue is closed and empty.
    pub fn run(mut self) {
        // If this thread dies, the store says so instead of waiting.
        let mut alarm = Alarm(Some(Arc::clone(&self.shared)));
        while let Some(batch) = self.take_batch() {
            self.commit(batch);
        }
        if let Some(spare) = self.spare.take() {
            let _ = spare.join();
        }
        self.tables.drain(..).for_each(|table| drop(table.join()));
        alarm.0 = None;
    }

    fn take_batch(&mut self) -> Option<Vec<Job>> {
        let first = match self.held.take() {
            Some(job) => job,
            None => self.queue.blocking_recv()?,
        };
        let room = self.shared.frame_bytes_max() - FRAME_OVERHEAD_BYTES_MAX;
        let mut bytes = first.decision.bytes.len();
        let mut batch = vec![first];
        while batch.len() < FRAME_DECISIONS_MAX {
            let Ok(job) = self.queue.try_recv() else {
                break;
            };
            bytes += job.decision.bytes.len();
            if bytes > room {
                self.held = Some(job);
                break;
            }
            batch.push(job);
        }
        Some(batch)
    }

    fn commit(&mut self, batch: Vec<Job>) {
        let decided = match self.shared.stopped() {
            Some(why) => Err(Fault::CannotRecord(why)),
            None => {
                let (accepted, verdicts) = self.decide(&batch);
                let written = self.write(&accepted);
                if written.is_err() {
                    let claimed = accepted.iter().map(|decision| &decision.slots);
                    claimed.for_each(|slots| self.shared.slots.unclaim(slots));
                }
                written.map(|inclusions| (verdicts, inclusions))
            }
        };
        let (verdicts, inclusions) = match decided {
            Ok(decided) => decided,
            Err(fault) => {
                // Nothing of the batch was written, so nothing of it has moved anything either.
                for job in batch {
                    let _ = job.answer.send(Err(copy(&fault)));
                }
                return;
            }
        };
        let mut inclusions = inclusions.into_iter();
        for (job, verdict) in batch.into_iter().zip(verdicts) {
            let answer = match verdict {
                Verdict::Accepted => inclusions
                    .next()
                    .map(Committed::Durable)
                    .ok_or(Fault::CannotRecord("the tree lost a leaf")),
                Verdict::Other(answer) => answer,
            };
            // Whoever asked may be gone; the commit stands.
            let _ = job.answer.send(answer);
        }
    }

    /// Checks the decisions in order: an earlier one of the batch can move a later one.
    fn decide<'a>(&self, batch: &'a [Job]) -> (Vec<&'a Prepared>, Vec<Verdict>) {
        let nearly_full = self.shared.check_room();
        let mut staged = Staged::default();
        let (mut accepted, mut verdicts) = (Vec::new(), Vec::new());
        let state = self.shared.state();
        staged.newest = Some(state.last_time);
        let first = state.tree.size();
        for job in batch {
            let decision = &job.decision;
            let index = first + accepted.len() as u64;
            let verdict = if nearly_full && !decision.urgent {
                Verdict::Other(Err(NEARLY_FULL))
            } else {
                staged.check(decision, &state.table, &self.shared, index)
            };
            if matches!(verdict, Verdict::Accepted) {
                accepted.push(decision);
            }
            verdicts.push(verdict);
        }
        (accepted, verdicts)
    }

    /// Makes one frame of the decisions durable and visible.
    fn write(&mut self, accepted: &[&Prepared]) -> Result<Vec<Inclusion>, Fault> {
        let Some(newest) = accepted
            .iter()
            .map(|decision| decision.entry.leaf.when())
            .max()
        else {
            return Ok(Vec::new());
        };
        let entries: Vec<u8> = accepted
            .iter()
            .flat_map(|decision| decision.bytes.iter().copied())
            .collect();
        self.make_room(entries.len() + FRAME_OVERHEAD_BYTES_MAX)?;
        let shared = Arc::clone(&self.shared);
        // From here on the tree is ahead of the disk: every error is final.
        let (first, size, root) = {
            let mut state = shared.state_mut();
            let first = state.tree.size();
            for decision in accepted {
                state.tree.append(&decision.entry.leaf);
            }
            (first, state.tree.size(), state.tree.root())
        };
        let note = shared.log.sign(size, &root);
        let count = accepted.len() as u32;
        let bytes = frame::assemble(first, count, &entries, &note, &self.last_frame)
            .map_err(|_| shared.stop("a frame could not be put together"))?;
        let file = shared.segments.file(self.segment);
        let file = file.ok_or_else(|| shared.stop("the segment is gone"))?;
        file.write_all_at(&bytes, u64::from(self.offset))
            .and_then(|()| file.sync_data())
            .map_err(|error| {
                tracing::error!(%error, "the journal cannot be written; nothing is taken any more");
                shared.stop("the journal could not be written")
            })?;

        let hash = frame_hash(&bytes);
        let at = FrameAt {
            first,
            segment: self.segment,
            offset: self.offset,
            length: bytes.len() as u32,
        };
        self.last_frame = hash;
        self.offset = self.offset.saturating_add(at.length);
        self.publish(accepted, at, hash, size, &note, newest);

        let state = shared.state();
        let inclusions = (first..size).map(|index| {
            let hashes = state.tree.inclusion(index, size).unwrap_or_default();
            let checkpoint = note.clone();
            Inclusion {
                index,
                hashes,
                checkpoint,
            }
        });
        Ok(inclusions.collect())
    }

    /// Makes a durable frame visible: lists first, then the table, then whoever waits.
    fn publish(
        &mut self,
        accepted: &[&Prepared],
        at: FrameAt,
        hash: [u8; 32],
        size: u64,
        note: &str,
        newest: crate::domain::time::When,
    ) {
        let shared = Arc::clone(&self.shared);
        let watermark = Watermark {
            leaves: size,
            segment: at.segment,
            offset: at.offset,
            frame: hash,
        };
        let lists: Vec<_> = (at.first..)
            .zip(accepted)
            .flat_map(|(index, decision)| list_changes(index, &decision.entry))
            .collect();
        shared.index.apply(&lists, watermark);
        let mut dead = Vec::new();
        {
            let mut state = shared.state_mut();
            let mut offset = at.offset.saturating_add(ENTRIES_AT as u32);
            for (index, decision) in (at.first..).zip(accepted) {
                let when = decision.entry.leaf.when();
                for op in ops(&decision.entry, &decision.spans, at.segment, offset) {
                    state.table.apply(At { index, when }, op, &mut dead);
                }
                offset = offset.saturating_add(decision.bytes.len() as u32);
            }
            state.frames.push(at);
            state.written.frames += 1;
            state.written.leaves += accepted.len() as u64;
            state.written.bytes += u64::from(at.length);
            state.leaves = size;
            state.note = note.to_owned();
            state.last_time = state.last_time.max(newest);
            state.table.sweep(newest);
        }
        shared.committed.send_replace(size);
        if !dead.is_empty() && self.eraser.send(dead).is_err() {
            shared.stop("keys can no longer be erased");
        }
    }

    /// Goes on to the next segment if the current one has less than `bytes` left.
    fn make_room(&mut self, bytes: usize) -> Result<(), Fault> {
        let length = self.shared.segments.length(self.segment);
        let length = length.map_err(|_| self.shared.stop("the segment is gone"))?;
        if u64::from(self.offset) + bytes as u64 <= length {
            return Ok(());
        }
        // A spare that could not be made is tried once more by `add`.
        if let Some(spare) = self.spare.take() {
            let _ = spare.join();
        }
        let number = self.shared.segments.add().map_err(|error| {
            tracing::error!(%error, "no further segment can be made");
            NO_ROOM
        })?;
        let full = std::mem::replace(&mut self.segment, number);
        self.offset = 0;
        self.spare = self.shared.segments.make_spare_later().ok();
        self.write_table_later(full);
        Ok(())
    }

    /// Writes the table of a full segment in the background; the next start makes up for it if it
    /// fails.
    fn write_table_later(&mut self, segment: u32) {
        if segment == 0 {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let spawned = std::thread::Builder::new()
            .name("journal-table".to_owned())
            .spawn(move || {
                let segments = &shared.segments;
                let length = segments.length(segment).unwrap_or(0) as u32;
                let bytes = segments.read(segment, 0, length);
                let written = bytes.map(|bytes| {
                    let made = make_sidecar(segment, &bytes);
                    made.map(|made| made.write(segments.disk(), &segments.table_path(segment)))
                });
                if !matches!(written, Ok(Some(Ok(())))) {
                    tracing::warn!(segment, "the table of a full segment cannot be written");
                }
            });
        self.tables.retain(|table| !table.is_finished());
        self.tables.extend(spawned);
    }
}

impl Staged {
    /// Checks one decision, and if it is accepted, remembers what it changes.
    fn check(
        &mut self,
        decision: &Prepared,
        table: &super::table::Table,
        shared: &Shared,
        index: u64,
    ) -> Verdict {
        let leaf = &decision.entry.leaf;
        // First of all: a repeated request finds its own first commit in the facts.
        if let Some(replay) = &decision.entry.replay {
            let staged = self.replays.get(&replay.key).cloned();
            let kept = || {
                let kept = table.replay(&replay.key, leaf.when())?;
                Some((kept.index, kept.request, kept.reply.clone()))
            };
            if let Some((index, request, sealed)) = staged.or_else(kept) {
                let same_request = request == replay.request;
                let reply = shared.names.open_reply(&replay.key, &sealed);
                return Verdict::Other(
                    reply
                        .map(|reply| Committed::Replayed {
                            index,
                            same_request,
                            reply,
                        })
                        .ok_or(Fault::Unreadable("a kept reply does not open")),
                );
            }
        }
        let moved = decision.reads.iter().any(|(of, seen)| {
            let now = self.versions.get(of).copied();
            now.unwrap_or_else(|| table.version(of)) != *seen
        });
        // Attempts finish out of order: one that began before the last leaf is decided again.
        let late = self.newest.is_some_and(|newest| leaf.when() < newest);
        if moved || late {
            return Verdict::Other(Ok(Committed::Moved));
        }
        let mut sums: HashMap<Key, u32> = HashMap::new();
        for (counter, by, max) in &decision.counts {
            let before = || {
                let staged = self.counters.get(counter).copied();
                staged.unwrap_or_else(|| table.counted(counter))
            };
            let sum = sums.get(counter).copied().unwrap_or_else(before);
            let sum = sum.saturating_add(*by);
            if sum > *max {
                return Verdict::Other(Ok(Committed::Limited));
            }
            sums.insert(*counter, sum);
        }
        if !shared.slots.claim(&decision.slots) {
            let why = "an item key was used twice or kept too long";
            return Verdict::Other(Err(Fault::CannotRecord(why)));
        }
        self.counters.extend(sums);
        self.newest = Some(leaf.when());
        for change in &decision.entry.changes {
            match change {
                Change::Fact { of, .. }
                | Change::Part { of, .. }
                | Change::Remove { of, .. }
                | Change::Hold { of, .. }
                | Change::Release { of, .. } => {
                    self.versions.insert(*of, index + 1);
                }
                Change::List { .. } | Change::Unlist { .. } | Change::Count { .. } => {}
            }
        }
        if let Some(replay) = &decision.entry.replay {
            let kept = (index, replay.request, replay.reply.clone());
            self.replays.insert(replay.key, kept);
        }
        Verdict::Accepted
    }
}

/// What an entry changes in lists.
pub fn list_changes(index: u64, entry: &Entry) -> Vec<(u64, ListChange)> {
    let changes = entry.changes.iter().filter_map(|change| match *change {
        Change::List { list, at, item } => Some(ListChange::Add { list, at, item }),
        Change::Unlist { list, item } => Some(ListChange::RemoveAll { list, item }),
        Change::Fact { .. }
        | Change::Part { .. }
        | Change::Remove { .. }
        | Change::Count { .. }
        | Change::Hold { .. }
        | Change::Release { .. } => None,
    });
    changes.map(|change| (index, change)).collect()
}

/// The largest frame that fits in a segment of this size.
pub fn frame_bytes_max(segment_bytes: u64) -> usize {
    usize::try_from(segment_bytes).map_or(FRAME_BYTES_MAX, |bytes| bytes.min(FRAME_BYTES_MAX))
}

/// Clears slots whose items are gone, many with one sync. Runs until the writer is gone.
pub fn erase(shared: &Shared, queue: &channel::Receiver<Vec<u64>>) {
    while let Ok(mut slots) = queue.recv() {
        slots.extend(queue.try_iter().flatten());
        if let Err(error) = shared.slots.erase(&slots) {
            tracing::error!(%error, "the slot file cannot be written; nothing is taken any more");
            shared.stop("a key could not be erased");
        }
    }
}

struct Alarm(Option<Arc<Shared>>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(shared) = &self.0 {
            shared.stop("the writer died");
        }
    }
}

fn frame_hash(bytes: &[u8]) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).into()
}

fn copy(fault: &Fault) -> Fault {
    match fault {
        Fault::CannotRecord(why) => Fault::CannotRecord(why),
        Fault::Unreadable(why) => Fault::Unreadable(why),
        Fault::TooLarge => Fault::TooLarge,
    }
}
