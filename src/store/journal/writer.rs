//! The single writer: everything that queued while the last sync ran becomes one frame.
//!
//! A commit passes four stages, each on a thread of its own, each in order:
//!
//! ```text
//! caller      prepare    names, encodes and hashes its own decision, then queues
//! writer      write      checks what queued, signs, one write, one sync
//! publisher   publish    during the sync: hashes the frame, makes the proofs, notes what it changes;
//!                        after it: table, then answers
//! lister      lists      sled, after the answers; whoever reads a list waits for it
//! ```
//!
//! So the disk has its next frame as soon as it has written one. The writer never retries a write
//! or a sync: after a failed one nobody knows what the disk holds, so it stops and everyone is told
//! `cannot-record`. Only the lack of room for the next segment may pass.

use std::sync::{Arc, mpsc as channel};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use super::Shared;
use super::frame::{FRAME_DECISIONS_MAX, FRAME_OVERHEAD_BYTES_MAX, assemble};
use super::prepare::Prepared;
use super::publisher::{Batch, Flight};
use super::recovery::FrameAt;
use super::segment::is_full;
use super::staged::{Known, Staged, Verdict};
use crate::domain::logged::Inclusion;
use crate::domain::merkle::Hash;
use crate::domain::time::When;
use crate::store::Fault;

const NEARLY_FULL: Fault = Fault::CannotRecord("the disk is nearly full");
const NO_ROOM: Fault = Fault::CannotRecord("there is no room for the next segment");

pub struct Job {
    pub decision: Box<Prepared>,
    pub answer: oneshot::Sender<Result<Answer, Fault>>,
}

/// What a caller is told.
pub enum Answer {
    /// The decision, with its leaf as it is in the log: whoever made it also lets go of it.
    Durable(Box<Prepared>, Inclusion),
    Other(Verdict),
}

pub struct Writer {
    pub shared: Arc<Shared>,
    pub queue: mpsc::Receiver<Job>,
    /// Taken from the queue, but too large for the frame that was being filled.
    pub held: Option<Job>,
    pub segment: u32,
    pub offset: u32,
    pub last_frame: LastFrame,
    /// Leaves so far.
    pub size: u64,
    /// The time of the last leaf.
    pub newest: When,
    /// What the last frame changes: the table may not have it yet.
    pub flying: Staged,
    pub publisher: channel::Sender<Batch>,
    pub spare: Option<JoinHandle<std::io::Result<()>>>,
}

/// The hash of the last frame, which the next one names.
pub enum LastFrame {
    Known(Hash),
    /// The publisher makes it while the frame is being synced.
    Coming(oneshot::Receiver<Hash>),
}

impl Writer {
    /// Runs until the queue is closed and empty.
    pub fn run(mut self) {
        // If this thread dies, the store says so instead of waiting.
        let alarm = Alarm::new(&self.shared, "the writer died");
        while let Some(jobs) = self.take() {
            self.commit(jobs);
        }
        if let Some(spare) = self.spare.take() {
            let _ = spare.join();
        }
        alarm.disarm();
    }

    /// Waits for a decision, and takes with it whatever else has queued and fits.
    fn take(&mut self) -> Option<Vec<Job>> {
        let first = match self.held.take() {
            Some(job) => job,
            None => self.queue.blocking_recv()?,
        };
        let room = self.shared.frame_bytes_max() - FRAME_OVERHEAD_BYTES_MAX;
        let mut bytes = first.decision.bytes.len();
        let mut jobs = vec![first];
        while jobs.len() < FRAME_DECISIONS_MAX {
            let Ok(job) = self.queue.try_recv() else {
                break;
            };
            bytes += job.decision.bytes.len();
            if bytes > room {
                self.held = Some(job);
                break;
            }
            jobs.push(job);
        }
        Some(jobs)
    }

    fn commit(&mut self, mut jobs: Vec<Job>) {
        if let Some(why) = self.shared.stopped() {
            return refuse(jobs, &Fault::CannotRecord(why));
        }
        // With it, the frame before the last one is in the table.
        let last_frame = match self.last_frame() {
            Ok(hash) => hash,
            Err(fault) => return refuse(jobs, &fault),
        };
        let (verdicts, staged, newest) = self.decide(&mut jobs);
        let accepted = || {
            let all = jobs.iter().zip(&verdicts);
            let accepted = all.filter(|(_, verdict)| matches!(verdict, Verdict::Accepted));
            accepted.map(|(job, _)| &*job.decision)
        };
        let entries: Vec<&[u8]> = accepted().map(|one| one.bytes.as_slice()).collect();
        if entries.is_empty() {
            // Behind the last frame, which they may rest on.
            return self.publish(jobs, verdicts, None);
        }
        let leaves: Vec<Hash> = accepted().map(|one| one.hash).collect();
        let framed = self.frame(&entries, &leaves, newest, &last_frame);
        let (frame, flight) = match framed {
            Ok(framed) => framed,
            Err(fault) => {
                // Nothing was written, so nothing of it has moved anything either.
                accepted().for_each(|one| self.shared.slots.unclaim(&one.slots));
                return refuse(jobs, &fault);
            }
        };
        let Framed {
            at,
            bytes,
            hash,
            synced,
        } = frame;
        (self.size, self.newest) = (flight.size, newest);
        (self.flying, self.last_frame) = (staged, LastFrame::Coming(hash));
        self.publish(jobs, verdicts, Some(flight));
        let written = self.write(at, &bytes);
        let _ = synced.send(written);
        self.offset = at.offset.saturating_add(at.length);
    }

    fn last_frame(&mut self) -> Result<Hash, Fault> {
        let last = std::mem::replace(&mut self.last_frame, LastFrame::Known(Hash::default()));
        let hash = match last {
            LastFrame::Known(hash) => hash,
            LastFrame::Coming(hash) => {
                let hash = hash.blocking_recv();
                hash.map_err(|_| self.shared.stop("the publisher died"))?
            }
        };
        self.last_frame = LastFrame::Known(hash);
        Ok(hash)
    }

    /// Checks the decisions in order.
    fn decide(&self, jobs: &mut [Job]) -> (Vec<Verdict>, Staged, When) {
        let nearly_full = self.shared.check_room();
        let state = self.shared.state();
        let mut known = Known {
            staged: Staged::default(),
            flying: &self.flying,
            table: &state.table,
            newest: self.newest,
        };
        let mut index = self.size;
        let verdicts = jobs.iter_mut().map(|Job { decision, .. }| {
            if nearly_full && !decision.urgent {
                return Verdict::Refused(NEARLY_FULL);
            }
            let verdict = known.check(decision, &self.shared, index);
            index += u64::from(matches!(verdict, Verdict::Accepted));
            verdict
        });
        let verdicts = verdicts.collect();
        (verdicts, known.staged, known.newest)
    }

    /// Puts the next frame together: appends to the tree, signs.
    fn frame(
        &mut self,
        entries: &[&[u8]],
        leaves: &[Hash],
        newest: When,
        last_frame: &Hash,
    ) -> Result<(Framed, Flight), Fault> {
        let length: usize = entries.iter().map(|entry| entry.len()).sum();
        self.make_room(length + FRAME_OVERHEAD_BYTES_MAX)?;
        let shared = &self.shared;
        // From here on the tree is ahead of the disk: every error is final.
        let (size, root) = {
            let mut tree = shared.tree_mut();
            leaves.iter().for_each(|leaf| {
                tree.append_hash(*leaf);
            });
            (tree.size(), tree.root())
        };
        let note: Arc<str> = shared.log.sign(size, &root).into();
        let bytes = assemble(self.size, entries, &note, last_frame)
            .map_err(|_| shared.stop("a frame could not be put together"))?;
        let at = FrameAt {
            first: self.size,
            segment: self.segment,
            offset: self.offset,
            length: bytes.len() as u32,
        };
        let bytes = Arc::new(bytes);
        let (tell_hash, hash) = oneshot::channel();
        let (synced, after_sync) = oneshot::channel();
        let flight = Flight {
            at,
            bytes: Arc::clone(&bytes),
            size,
            note,
            newest,
            hash: tell_hash,
            synced: after_sync,
        };
        let framed = Framed {
            at,
            bytes,
            hash,
            synced,
        };
        Ok((framed, flight))
    }

    fn publish(&self, jobs: Vec<Job>, verdicts: Vec<Verdict>, flight: Option<Flight>) {
        let batch = Batch {
            jobs,
            verdicts,
            flight,
        };
        if self.publisher.send(batch).is_err() {
            self.shared.stop("the publisher died");
        }
    }

    fn write(&self, at: FrameAt, bytes: &[u8]) -> Result<(), Fault> {
        let shared = &self.shared;
        let file = shared.segments.file(at.segment);
        let file = file.ok_or_else(|| shared.stop("the segment is gone"))?;
        let written = file.write_all_at(bytes, u64::from(at.offset));
        written.and_then(|()| file.sync_data()).map_err(|error| {
            tracing::error!(%error, "the journal cannot be written; nothing is taken any more");
            shared.stop("the journal could not be written")
        })
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
            match is_full(&error) {
                true => NO_ROOM,
                false => self.shared.stop("the next segment could not be made"),
            }
        })?;
        (self.segment, self.offset) = (number, 0);
        // What queued already lies under the last one; a segment may have names under several.
        self.shared.renew_names_key();
        self.spare = self.shared.segments.make_spare_later().ok();
        Ok(())
    }
}

/// A frame that is about to be written.
struct Framed {
    at: FrameAt,
    bytes: Arc<Vec<u8>>,
    hash: oneshot::Receiver<Hash>,
    synced: oneshot::Sender<Result<(), Fault>>,
}

fn refuse(jobs: Vec<Job>, fault: &Fault) {
    for job in jobs {
        // Whoever asked may be gone.
        let _ = job.answer.send(Err(fault.again()));
    }
}

/// Clears slots whose items are gone, many with one sync. Runs until the publisher is gone.
pub fn erase(shared: &Shared, queue: &channel::Receiver<Vec<u64>>) {
    while let Ok(mut slots) = queue.recv() {
        slots.extend(queue.try_iter().flatten());
        if let Err(error) = shared.slots.erase(&slots) {
            tracing::error!(%error, "the slot file cannot be written; nothing is taken any more");
            shared.stop("a key could not be erased");
        }
    }
}

/// Stops the store if it is dropped before it is disarmed: its thread died.
pub struct Alarm(Option<(Arc<Shared>, &'static str)>);

impl Alarm {
    pub fn new(shared: &Arc<Shared>, why: &'static str) -> Self {
        Self(Some((Arc::clone(shared), why)))
    }

    pub fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some((shared, why)) = &self.0 {
            shared.stop(why);
        }
    }
}
