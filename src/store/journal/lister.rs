//! Keeps the lists in sled up with the journal, behind the answers.
//!
//! A commit does not wait for its lists; whoever reads a list waits until it shows every commit
//! that was acknowledged when it asked. So a slow or rebuilt index costs patience and never a wrong
//! list, and no decision waits for it or rests on it.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc as channel};

use super::frame::Frame;
use super::prepare::list_changes;
use super::recovery::FrameAt;
use super::segment::Segments;
use super::{OpenError, Shared};
use crate::store::index::{Index, ListChange, Watermark};

/// Frames that may wait for the lists; more make commits wait.
pub const LISTINGS_MAX: usize = 1024;
/// How many steps of a rebuild are told of.
const PROGRESS_STEPS: usize = 10;

/// What one frame changes in lists.
pub struct Listing {
    pub changes: Vec<(u64, ListChange)>,
    pub watermark: Watermark,
}

pub struct Lister {
    pub shared: Arc<Shared>,
    pub listings: channel::Receiver<Listing>,
    /// Frames of the journal that the index does not have yet.
    pub behind: Vec<FrameAt>,
}

/// Opens the index if it may be `trusted` and is of this journal, otherwise an empty one. Returns
/// the frames that it lacks.
pub fn open_index(
    dir: &Path,
    trusted: bool,
    segments: &Segments,
    frames: &[FrameAt],
) -> Result<(Index, Vec<FrameAt>), OpenError> {
    let index = Index::open(dir, trusted).map_err(OpenError::Index)?;
    let Some(mark) = index.watermark() else {
        return Ok((index, frames.to_vec()));
    };
    let place = frames.partition_point(|at| (at.segment, at.offset) < (mark.segment, mark.offset));
    let known = frames.get(place);
    let known = known.filter(|at| (at.segment, at.offset) == (mark.segment, mark.offset));
    let same = match known {
        Some(at) => {
            let bytes = segments.read(at.segment, at.offset, at.length);
            let bytes = bytes.map_err(|e| OpenError::io(&segments.path(at.segment), e))?;
            Frame::read(&bytes).is_some_and(|frame| frame.hash() == mark.frame)
        }
        None => false,
    };
    match frames.get(place + 1..) {
        Some(rest) if same => Ok((index, rest.to_vec())),
        _ => {
            drop(index);
            let index = Index::create(dir).map_err(OpenError::Index)?;
            Ok((index, frames.to_vec()))
        }
    }
}

impl Lister {
    /// Runs until the publisher is gone.
    pub fn run(mut self) {
        let behind = std::mem::take(&mut self.behind);
        let complete = self.catch_up(&behind);
        while let Ok(first) = self.listings.recv() {
            // Without those before it, a frame must not move the watermark.
            if !complete {
                continue;
            }
            let Listing {
                mut changes,
                mut watermark,
            } = first;
            for next in self.listings.try_iter() {
                changes.extend(next.changes);
                watermark = next.watermark;
            }
            self.apply(&changes, watermark);
        }
    }

    fn apply(&self, changes: &[(u64, ListChange)], watermark: Watermark) {
        self.shared.index.apply(changes, watermark);
        self.shared.listed.send_replace(watermark.leaves);
    }

    /// Brings the index up to where the journal was at the start. `false` if it was interrupted.
    fn catch_up(&self, behind: &[FrameAt]) -> bool {
        let step = behind.len().div_ceil(PROGRESS_STEPS).max(1);
        if !behind.is_empty() {
            tracing::info!(
                frames = behind.len(),
                "the list index is brought up to the journal"
            );
        }
        for (done, at) in behind.iter().enumerate() {
            if self.shared.closing.load(Ordering::Acquire) {
                return false;
            }
            let Some((changes, watermark)) = self.changes_of(*at) else {
                self.shared.stop_damaged(
                    at.segment,
                    at.offset,
                    "the frame here cannot be read any more",
                );
                return false;
            };
            self.apply(&changes, watermark);
            if (done + 1).is_multiple_of(step) {
                let percent = (done + 1) * 100 / behind.len();
                tracing::info!(percent, "the list index is brought up to the journal");
            }
        }
        true
    }

    fn changes_of(&self, at: FrameAt) -> Option<(Vec<(u64, ListChange)>, Watermark)> {
        let bytes = self.shared.segments.read(at.segment, at.offset, at.length);
        let bytes = bytes.ok()?;
        let frame = Frame::read(&bytes)?;
        let mut changes = Vec::new();
        for (index, raw) in (frame.first..).zip(frame.entries()) {
            let (entry, _) = raw.decode()?;
            changes.extend(list_changes(&entry).map(|change| (index, change)));
        }
        let watermark = Watermark {
            leaves: frame.first + u64::from(frame.count),
            segment: at.segment,
            offset: at.offset,
            frame: frame.hash(),
        };
        Some((changes, watermark))
    }
}
