//! Makes a durable frame visible: the table, then whoever waits, then the lists.
//!
//! What can be made of a frame before it is durable (its hash, the proofs) is made while the writer
//! waits for the disk. Nothing may be told or shown before the sync has succeeded.

use std::sync::{Arc, mpsc as channel};
use std::thread::JoinHandle;

use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use super::Shared;
use super::frame::ENTRIES_AT;
use super::lister::Listing;
use super::prepare::Prepared;
use super::recovery::FrameAt;
use super::sidecar::Sidecar;
use super::staged::Verdict;
use super::table::At;
use super::writer::{Alarm, Answer, Job};
use crate::domain::logged::Inclusion;
use crate::domain::merkle::Hash;
use crate::domain::time::When;
use crate::store::Fault;
use crate::store::index::Watermark;

/// What the writer took from the queue at once, each decision with its verdict.
pub struct Batch {
    pub jobs: Vec<Job>,
    pub verdicts: Vec<Verdict>,
    /// The frame of those that were accepted.
    pub flight: Option<Flight>,
}

/// A frame on its way to the disk.
pub struct Flight {
    pub at: FrameAt,
    pub bytes: Arc<Vec<u8>>,
    /// Leaves, with those of the frame.
    pub size: u64,
    pub note: Arc<str>,
    pub newest: When,
    /// Wanted by the next frame.
    pub hash: oneshot::Sender<Hash>,
    pub synced: oneshot::Receiver<Result<(), Fault>>,
}

pub struct Publisher {
    pub shared: Arc<Shared>,
    pub batches: channel::Receiver<Batch>,
    pub lists: channel::SyncSender<Listing>,
    /// Slots whose items are durably gone.
    pub eraser: channel::Sender<Vec<u64>>,
    /// What the current segment says so far.
    pub part: Sidecar,
    /// Writing sidecars of full segments.
    pub sealing: Vec<JoinHandle<()>>,
}

impl Publisher {
    /// Runs until the writer is gone.
    pub fn run(mut self) {
        let alarm = Alarm::new(&self.shared, "the publisher died");
        while let Ok(batch) = self.batches.recv() {
            self.take(batch);
        }
        self.sealing
            .drain(..)
            .for_each(|sealing| drop(sealing.join()));
        alarm.disarm();
    }

    fn take(&mut self, batch: Batch) {
        let Batch {
            jobs,
            verdicts,
            flight,
        } = batch;
        let (mut accepted, mut waiting, mut others) = (Vec::new(), Vec::new(), Vec::new());
        for (job, verdict) in jobs.into_iter().zip(verdicts) {
            match verdict {
                Verdict::Accepted => {
                    waiting.push(job.answer);
                    accepted.push(job.decision);
                }
                Verdict::Refused(fault) => others.push((job.answer, Err(fault))),
                other @ (Verdict::Moved | Verdict::Limited | Verdict::Replayed { .. }) => {
                    others.push((job.answer, Ok(Answer::Other(other))));
                }
            }
        }
        let published = match flight {
            Some(flight) => self.publish(flight, &mut accepted).map(Some),
            None => Ok(None),
        };
        // Whoever asked may be gone; the commit stands.
        match published {
            Ok(published) => {
                let (inclusions, behind) = published.unzip();
                let told = accepted.into_iter().zip(inclusions.unwrap_or_default());
                for (answer, (decision, inclusion)) in waiting.into_iter().zip(told) {
                    let _ = answer.send(Ok(Answer::Durable(decision, inclusion)));
                }
                for (answer, other) in others {
                    let _ = answer.send(other);
                }
                if let Some(behind) = behind {
                    self.go_on(behind);
                }
            }
            Err(fault) => {
                // What the others rest on may not be durable either.
                let others = others.into_iter().map(|(answer, _)| answer);
                for answer in waiting.into_iter().chain(others) {
                    let _ = answer.send(Err(fault.again()));
                }
            }
        }
    }

    /// Returns when the frame is durable and can be read, with what is left to do for it.
    fn publish(
        &mut self,
        flight: Flight,
        accepted: &mut [Box<Prepared>],
    ) -> Result<(Vec<Inclusion>, Behind), Fault> {
        let Flight {
            at,
            bytes,
            size,
            note,
            newest,
            hash: tell_hash,
            synced,
        } = flight;
        let hash: Hash = Sha256::digest(bytes.as_slice()).into();
        drop(bytes);
        let _ = tell_hash.send(hash);
        let inclusions = self.inclusions(at.first, size, &note);
        self.place(at, accepted);
        // Nothing is ever written of it, or of what comes after it, if the sync fails.
        self.remember(at, hash, accepted);
        let listing = listing(at, hash, size, accepted);
        let synced = synced.blocking_recv();
        let synced = synced.unwrap_or_else(|_| Err(self.shared.stop("the writer died")));
        if let Err(fault) = synced {
            let claimed = accepted.iter().map(|decision| &decision.slots);
            claimed.for_each(|slots| self.shared.slots.unclaim(slots));
            return Err(fault);
        }
        let dead = self.show(at, accepted, size, note, newest);
        self.shared.committed.send_replace(size);
        Ok((inclusions, Behind { listing, dead }))
    }

    /// What follows the answers.
    fn go_on(&self, Behind { listing, dead }: Behind) {
        if self.lists.send(listing).is_err() {
            self.shared.stop("the lists are no longer kept");
        }
        if !dead.is_empty() && self.eraser.send(dead).is_err() {
            self.shared.stop("keys can no longer be erased");
        }
    }

    fn inclusions(&self, first: u64, size: u64, note: &Arc<str>) -> Vec<Inclusion> {
        let tree = self.shared.tree();
        let paths = tree.inclusions(first..size, size).unwrap_or_default();
        let inclusions = (first..).zip(paths).map(|(index, hashes)| Inclusion {
            index,
            hashes,
            checkpoint: Arc::clone(note),
        });
        inclusions.collect()
    }

    /// Says where in the journal each change lies.
    fn place(&self, at: FrameAt, accepted: &mut [Box<Prepared>]) {
        let mut offset = at.offset.saturating_add(ENTRIES_AT as u32);
        for decision in accepted {
            for op in &mut decision.changes.ops {
                *op = op.moved_to(at.segment, offset);
            }
            offset = offset.saturating_add(decision.bytes.len() as u32);
        }
    }

    /// From here on the frame can be read. Returns the slots of items that are gone.
    fn show(
        &self,
        at: FrameAt,
        accepted: &[Box<Prepared>],
        size: u64,
        note: Arc<str>,
        newest: When,
    ) -> Vec<u64> {
        let mut dead = Vec::new();
        let mut state = self.shared.state_mut();
        for (index, decision) in (at.first..).zip(accepted) {
            let when = decision.changes.when;
            for op in &decision.changes.ops {
                state.table.apply(At { index, when }, *op, &mut dead);
            }
        }
        state.frames.push(at);
        state.leaves = size;
        state.note = note;
        state.last_time = state.last_time.max(newest);
        state.table.sweep(newest);
        state.written.frames += 1;
        state.written.leaves += accepted.len() as u64;
        state.written.bytes += u64::from(at.length);
        dead
    }

    /// Adds the frame to the sidecar of its segment.
    fn remember(&mut self, at: FrameAt, hash: Hash, accepted: &[Box<Prepared>]) {
        if at.segment != self.part.segment {
            let next = Sidecar::new(at.segment, self.part.last_frame, at.first);
            let full = std::mem::replace(&mut self.part, next);
            self.write_later(full);
        }
        for decision in accepted {
            let (hash, slot) = (decision.hash, decision.names_slot);
            self.part.add_entry(hash, slot, &decision.changes);
        }
        self.part.add_frame(at, hash);
    }

    /// Writes the sidecar of a full segment in the background; the next start makes up for it if
    /// it fails.
    fn write_later(&mut self, full: Sidecar) {
        if full.frames.is_empty() {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let spawned = std::thread::Builder::new()
            .name("journal-sidecar".to_owned())
            .spawn(move || {
                let (segments, segment) = (&shared.segments, full.segment);
                let (path, keys) = (segments.table_path(segment), shared.names_keys());
                if let Err(error) = full.write(segments.disk(), &path, &keys) {
                    tracing::warn!(segment, %error, "a table file cannot be written");
                }
            });
        self.sealing.retain(|sealing| !sealing.is_finished());
        self.sealing.extend(spawned);
    }
}

/// What is left to do for a frame when it was told that it is durable.
struct Behind {
    listing: Listing,
    /// Slots of items that are gone.
    dead: Vec<u64>,
}

/// What the frame changes in lists.
fn listing(at: FrameAt, frame: Hash, leaves: u64, accepted: &[Box<Prepared>]) -> Listing {
    let numbered = (at.first..).zip(accepted);
    let changes = numbered.flat_map(|(index, decision)| {
        let lists = decision.lists.iter();
        lists.map(move |change| (index, *change))
    });
    Listing {
        changes: changes.collect(),
        watermark: Watermark {
            leaves,
            segment: at.segment,
            offset: at.offset,
            frame,
        },
    }
}
