//! Reads the whole journal again: slowly behind the gateway, or at once for `doctor`.
//!
//! A start reads little of the full segments, so that damage there would be found only when someone
//! needs what lies in it. Here every frame's CRC, its place in the chain, each leaf against the
//! tree and each sidecar against its frames are checked. Nothing is ever repaired here but a sidecar.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::frame::Frame;
use super::names_key::{NamesKeys, Unread};
use super::recovery::{FrameAt, check_next};
use super::sidecar::Sidecar;
use super::{Journal, Shared};
use crate::domain::merkle::Hash;
use crate::store::Fault;

/// Read at once, unless a frame is longer.
const READ_BYTES: u32 = 1024 * 1024;
/// In the background it rests nine times as long as it worked: a tenth of one core at most.
const REST_TIMES: u32 = 9;
const YIELD_TO_ALL: i32 = 15;
const AGAIN_AFTER: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What was found where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    pub segment: u32,
    pub byte: u32,
    pub what: &'static str,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub leaves: u64,
    pub of: u64,
}

/// A frame is right, but what the start read of its segment was not.
const OTHER_TABLE: &str = "a table file was not that of its segment, and was made anew: restart \
    the gateway; what was decided since the start may rest on it";

/// What ends a pass.
enum End {
    Damaged(Damage),
    OtherTable,
    Interrupted,
}

impl From<Damage> for End {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage)
    }
}

/// Why nothing is recorded any more.
fn stop(shared: &Shared, end: &End) -> Fault {
    match end {
        End::Damaged(Damage {
            segment,
            byte,
            what,
        }) => shared.stop_damaged(*segment, *byte, what),
        End::OtherTable => shared.stop(OTHER_TABLE),
        End::Interrupted => Fault::CannotRecord("the store is closed"),
    }
}

/// Runs until the journal closes. Stops the store at the first damage.
pub fn run(shared: &Arc<Shared>) {
    // On Linux this is of the calling thread alone (nice(2)).
    let _ = rustix::process::nice(YIELD_TO_ALL);
    while !shared.closing.load(Ordering::Acquire) {
        let leaves = shared.state().leaves;
        if leaves > 0 {
            tracing::info!(leaves, "reading the whole journal behind the gateway");
        }
        let mut began = Instant::now();
        let read = verify(shared, |progress| {
            // A later pass begins anew, and what an earlier one found stands.
            shared.checked.fetch_max(progress.leaves, Ordering::AcqRel);
            rest(shared, began.elapsed().saturating_mul(REST_TIMES));
            began = Instant::now();
        });
        match read {
            Ok(0) => {}
            Ok(leaves) => {
                tracing::info!(leaves, "the whole journal was read and is sound");
            }
            Err(End::Interrupted) => return,
            Err(end) => {
                stop(shared, &end);
                return;
            }
        }
        rest(shared, AGAIN_AFTER);
    }
}

/// Until the time is over or the journal closes, which wakes it.
fn rest(shared: &Shared, time: Duration) {
    let until = Instant::now() + time;
    while !shared.closing.load(Ordering::Acquire) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::park_timeout(left);
    }
}

impl Journal {
    /// Reads everything that is durable now and checks it. `told` is called as it goes on.
    ///
    /// # Errors
    /// It is damaged, and the store has stopped: the fault names segment and byte.
    pub async fn verify(
        &self,
        mut told: impl FnMut(Progress) + Send + 'static,
    ) -> Result<u64, Fault> {
        let shared = Arc::clone(&self.shared);
        let reading = tokio::task::spawn_blocking(move || {
            verify(&shared, &mut told).map_err(|end| stop(&shared, &end))
        });
        reading.await.unwrap_or(Err(Fault::Unreadable(
            "reading the journal was interrupted",
        )))
    }
}

/// Reads all frames that are durable when it begins; returns the number of leaves.
fn verify(shared: &Shared, mut told: impl FnMut(Progress)) -> Result<u64, End> {
    let (frames, of) = {
        let state = shared.state();
        (state.frames.len(), state.leaves)
    };
    let keys = shared.names_keys();
    let mut part = Sidecar::new(1, Hash::default(), 0);
    let mut next = 0;
    while next < frames {
        if shared.closing.load(Ordering::Acquire) {
            return Err(End::Interrupted);
        }
        let run = next_run(shared, next, frames);
        next += run.len();
        for at in &run {
            if at.segment != part.segment {
                end_segment(shared, &part, &keys)?;
                let first = part.first + part.leaves.len() as u64;
                part = Sidecar::new(at.segment, part.last_frame, first);
            }
        }
        read_run(shared, &run, &mut part, &keys)?;
        let leaves = part.first + part.leaves.len() as u64;
        told(Progress { leaves, of });
    }
    Ok(of)
}

/// Frames from number `next` on that lie one behind another and are read at once.
fn next_run(shared: &Shared, next: usize, frames: usize) -> Vec<FrameAt> {
    let state = shared.state();
    let rest = state.frames.get(next..frames).unwrap_or_default();
    let mut run: Vec<FrameAt> = Vec::new();
    let mut bytes = 0_u32;
    for at in rest {
        bytes = bytes.saturating_add(at.length);
        let follows = run.last().is_none_or(|last| last.segment == at.segment);
        if !follows || !run.is_empty() && bytes > READ_BYTES {
            break;
        }
        run.push(*at);
    }
    run
}

/// Checks frames that lie one behind another, and adds them to the part.
fn read_run(
    shared: &Shared,
    run: &[FrameAt],
    part: &mut Sidecar,
    keys: &NamesKeys<'_>,
) -> Result<(), Damage> {
    let (Some(first), Some(last)) = (run.first(), run.last()) else {
        return Ok(());
    };
    let segment = first.segment;
    let damaged = |byte, what| Damage {
        segment,
        byte,
        what,
    };
    let length = (last.offset + last.length).saturating_sub(first.offset);
    let bytes = shared.segments.read(segment, first.offset, length);
    let bytes = bytes.map_err(|_| damaged(first.offset, "it cannot be read"))?;
    for at in run {
        let damaged = |what| damaged(at.offset, what);
        let within = (at.offset - first.offset) as usize;
        let frame = bytes.get(within..).and_then(Frame::read);
        let frame = frame.filter(|frame| frame.bytes.len() == at.length as usize);
        let frame = frame.ok_or_else(|| damaged("the frame here is damaged"))?;
        check_next(part, &frame).map_err(damaged)?;
        let before = part.leaves.len();
        let added = part.add(&frame, at.offset, keys);
        added.map_err(|unread| {
            damaged(match unread {
                Unread::Damaged => "an entry does not decode",
                Unread::NoKey(_) => "the key of its names is gone from the slot file",
            })
        })?;
        let leaves = part.leaves.get(before..).unwrap_or_default();
        let tree = shared.tree();
        if tree.row(0, frame.first, u64::from(frame.count)) != Some(leaves) {
            return Err(damaged("a leaf is not the one that was signed"));
        }
    }
    Ok(())
}

/// What follows the last frame of a full segment must be zeros, and its sidecar that of its frames.
fn end_segment(shared: &Shared, part: &Sidecar, keys: &NamesKeys<'_>) -> Result<(), End> {
    let (segments, segment) = (&shared.segments, part.segment);
    let damaged = |byte, what| Damage {
        segment,
        byte,
        what,
    };
    let end = part.frames.last();
    let end = end.map_or(0, |at| at.offset.saturating_add(at.length));
    let length = segments.length(segment).unwrap_or(0) as u32;
    let rest = segments.read(segment, end, length.saturating_sub(end));
    let rest = rest.map_err(|_| damaged(end, "it cannot be read"))?;
    if let Some(at) = rest.iter().position(|byte| *byte != 0) {
        let byte = end.saturating_add(at as u32);
        return Err(damaged(byte, "something follows the last frame").into());
    }
    let path = segments.table_path(segment);
    match Sidecar::read(segments.disk(), &path, segment, keys) {
        Some(found) if found == *part => Ok(()),
        // The next start makes a missing one again.
        None => Ok(()),
        Some(_) => {
            let _ = part.write(segments.disk(), &path, keys);
            Err(End::OtherTable)
        }
    }
}
