//! Finds out at the start what the journal holds, and refuses rather than skip anything in silence.
//!
//! Of a full segment its sidecar is read and the last frame, to which the sidecar is bound; of the
//! last segment every frame. The root over all leaves must be the signed one. A last frame that was
//! not written to its end was never acknowledged, so it is dropped: see [`super::tail`]. The writer
//! waits for one frame to be durable before it writes the next, so a bad frame with a good one
//! anywhere after it is damage. What lies in full segments and is not read here, the scrub reads.

use std::io;

use borsh::{BorshDeserialize, BorshSerialize};

use super::OpenError;
use super::frame::{EARLIER_MAGIC, Frame, MAGIC};
use super::names_key::{NamesKeys, Unread};
use super::segment::Segments;
use super::sidecar::Sidecar;
use super::table::{At, Op, Table};
use super::tail::{Expected, is_torn};
use crate::domain::checkpoint::LogVerifier;
use crate::domain::merkle::{Hash, Tree};
use crate::domain::time::When;
use crate::store::slots::SlotSet;

/// Where a frame lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct FrameAt {
    pub first: u64,
    pub segment: u32,
    pub offset: u32,
    pub length: u32,
}

/// Everything the journal says.
pub struct Recovered {
    pub table: Table,
    pub tree: Tree,
    pub frames: Vec<FrameAt>,
    /// The signed checkpoint of the last frame; `None` if there is no frame.
    pub note: Option<String>,
    /// What the last segment says so far, for the sidecar that it gets when it is full.
    pub part: Sidecar,
    /// Where the next frame goes. Segment 0: none exists yet.
    pub segment: u32,
    pub offset: u32,
    pub last_time: When,
    /// Slots that any leaf names.
    pub used: SlotSet,
    /// Slots whose item still exists, or whose opening was not forgotten.
    pub live: SlotSet,
    /// Slots of the keys that names lie under. All of them were there.
    pub names: SlotSet,
    /// Segments that were read whole.
    read: u32,
    /// Whether something that is no frame follows the last one.
    torn: bool,
}

/// Brings together what all segments say. `least` is how many leaves there must be, as the last
/// start or end of the journal noted. Changes nothing but sidecars before everything is checked.
pub fn recover(
    segments: &Segments,
    verifier: &LogVerifier,
    least: u64,
    keys: &NamesKeys<'_>,
) -> Result<Recovered, OpenError> {
    let by_sidecars = Recovered::of(segments, keys, true)?.filter(|found| {
        found.read == segments.last() || found.check_head(segments, verifier).is_ok()
    });
    let mut found = match by_sidecars {
        Some(found) => found,
        // A sidecar may be wrong in a way that its CRC does not show; the frames decide.
        None => Recovered::of(segments, keys, false)?.ok_or_else(|| OpenError::Damaged {
            file: segments.path(segments.last()),
            byte: 0,
            what: "an entry does not decode",
        })?,
    };
    found.check_head(segments, verifier)?;
    found.check_length(segments, least)?;
    found.drop_torn(segments)?;
    found.make_durable(segments)?;
    for slot in found.table.slots() {
        found.live.insert(slot);
    }
    Ok(found)
}

impl Recovered {
    /// `None` if what a sidecar says does not decode.
    fn of(
        segments: &Segments,
        keys: &NamesKeys<'_>,
        by_sidecars: bool,
    ) -> Result<Option<Self>, OpenError> {
        let mut found = Self {
            table: Table::default(),
            tree: Tree::new(),
            frames: Vec::new(),
            note: None,
            part: Sidecar::new(0, Hash::default(), 0),
            segment: 0,
            offset: 0,
            last_time: When::from_millis(0),
            used: SlotSet::default(),
            live: SlotSet::default(),
            names: SlotSet::default(),
            read: 0,
            torn: false,
        };
        let full = 1..segments.last();
        let read = |segment| {
            let path = segments.table_path(segment);
            let wanted = by_sidecars.then(|| Sidecar::read(segments.disk(), &path, segment, keys));
            wanted.flatten()
        };
        std::thread::scope(|scope| {
            // The next sidecar is read and decoded while this one is taken.
            let (tell, sidecars) = std::sync::mpsc::sync_channel(1);
            // Whoever takes them may end early.
            scope.spawn(move || full.map(read).all(|sidecar| tell.send(sidecar).is_ok()));
            for segment in 1..=segments.last() {
                let sidecar = sidecars.recv().ok().flatten();
                let (part, note) = match sidecar.and_then(|part| found.bound(segments, part)) {
                    Some(known) => known,
                    None => found.read_segment(segments, segment, keys)?,
                };
                if found.take(part, note).is_none() {
                    return Ok(None);
                }
            }
            Ok(Some(found))
        })
    }

    /// The sidecar of a full segment with the checkpoint of its last frame, if it is that of its
    /// frames and continues what was found so far.
    fn bound(&self, segments: &Segments, part: Sidecar) -> Option<(Sidecar, Option<String>)> {
        let at = part.frames.last()?;
        let bytes = segments.read(part.segment, at.offset, at.length).ok()?;
        let frame = Frame::read(&bytes)?;
        let continues = part.previous == self.part.last_frame
            && part.first == self.tree.size()
            && part.first + part.leaves.len() as u64 == frame.first + u64::from(frame.count);
        let note = Some(frame.note.to_owned());
        (continues && frame.hash() == part.last_frame).then_some((part, note))
    }

    /// Reads every frame of a segment. A full one gets a sidecar.
    fn read_segment(
        &mut self,
        segments: &Segments,
        segment: u32,
        keys: &NamesKeys<'_>,
    ) -> Result<(Sidecar, Option<String>), OpenError> {
        let path = segments.path(segment);
        let io = |source: io::Error| OpenError::io(&path, source);
        let damaged = |byte: usize, what| OpenError::Damaged {
            file: path.clone(),
            byte: byte as u64,
            what,
        };
        let length = u32::try_from(segments.length(segment).map_err(io)?)
            .map_err(|_| damaged(0, "a segment is larger than 4 GiB"))?;
        let bytes = segments.read(segment, 0, length).map_err(io)?;
        if bytes.starts_with(&EARLIER_MAGIC) {
            return Err(OpenError::EarlierBuild(path.clone()));
        }
        let mut part = Sidecar::new(segment, self.part.last_frame, self.tree.size());
        let (mut offset, mut note) = (0, None);
        while let Some(frame) = bytes.get(offset..).and_then(Frame::read) {
            check_next(&part, &frame).map_err(|what| damaged(offset, what))?;
            let added = part.add(&frame, offset as u32, keys);
            added.map_err(|unread| match unread {
                Unread::Damaged => damaged(offset, "a frame was written by another program"),
                Unread::NoKey(slot) => OpenError::NamesKeyMissing {
                    file: path.clone(),
                    byte: offset as u64,
                    slot,
                },
            })?;
            note = Some(frame.note.to_owned());
            offset += frame.bytes.len();
        }
        let full = segment < segments.last();
        let rest = bytes.get(offset..).unwrap_or_default();
        if rest.iter().any(|byte| *byte != 0) {
            if full || holds_frame(rest) {
                return Err(damaged(
                    offset,
                    "the frame here is damaged, but later ones are not",
                ));
            }
            let expected = Expected {
                first: part.first + part.leaves.len() as u64,
                note: note.as_deref().or(self.note.as_deref()),
            };
            if !is_torn(rest, offset, &expected) {
                return Err(damaged(
                    offset,
                    "the last frame is damaged, but it was written to its end",
                ));
            }
            self.torn = true;
        }
        self.read += 1;
        let place = segments.table_path(segment);
        if full && let Err(error) = part.write(segments.disk(), &place, keys) {
            // It only saves time at the next start.
            tracing::warn!(file = %place.display(), %error, "a table file cannot be written");
        }
        Ok((part, note))
    }

    /// Adds what the next segment says. `None` if it does not decode.
    fn take(&mut self, part: Sidecar, note: Option<String>) -> Option<()> {
        part.leaves.iter().for_each(|leaf| {
            self.tree.append_hash(*leaf);
        });
        for slot in &part.names {
            self.used.insert(*slot);
            self.names.insert(*slot);
        }
        let mut dead = Vec::new();
        for (index, entry) in (part.first..).zip(part.entries()) {
            let entry = entry?;
            let when = entry.when;
            self.last_time = self.last_time.max(when);
            self.used.insert(entry.opening);
            self.live.insert(entry.opening);
            for op in entry.ops {
                match &op {
                    Op::Put { item, .. } => self.used.insert(item.slot),
                    Op::Forget { slot } => self.live.remove(*slot),
                    Op::Remove { .. }
                    | Op::Count { .. }
                    | Op::Replay { .. }
                    | Op::Hold { .. }
                    | Op::Release { .. }
                    | Op::Follow { .. } => {}
                }
                self.table.apply(At { index, when }, op, &mut dead);
            }
            dead.clear();
        }
        let last = part.frames.last();
        let end = last.map_or(0, |at| at.offset.saturating_add(at.length));
        (self.segment, self.offset) = (part.segment, end);
        self.frames.extend_from_slice(&part.frames);
        self.note = note.or(self.note.take());
        self.part = part;
        Some(())
    }

    /// A journal that is shorter than it was has lost acknowledged frames.
    fn check_length(&self, segments: &Segments, least: u64) -> Result<(), OpenError> {
        if self.tree.size() >= least {
            return Ok(());
        }
        Err(OpenError::Shorter {
            file: segments.path(self.segment.max(1)),
            byte: u64::from(self.offset),
            least,
            found: self.tree.size(),
        })
    }

    fn drop_torn(&self, segments: &Segments) -> Result<(), OpenError> {
        if !self.torn {
            return Ok(());
        }
        let (path, byte) = (segments.path(self.segment), u64::from(self.offset));
        tracing::warn!(
            file = %path.display(),
            byte,
            "dropping a last frame that was never acknowledged"
        );
        segments
            .clear_from(self.segment, byte)
            .map_err(|source| OpenError::io(&path, source))
    }

    /// Whoever wrote the last frame may have been killed before it was synced, or the sync failed.
    /// It counts from now on, so it must stay.
    fn make_durable(&self, segments: &Segments) -> Result<(), OpenError> {
        let Some(last) = self.frames.last() else {
            return Ok(());
        };
        segments
            .write_again(last.segment, last.offset, last.length)
            .map_err(|source| OpenError::io(&segments.path(last.segment), source))
    }

    /// Compares the tree with the last signed checkpoint.
    fn check_head(&self, segments: &Segments, verifier: &LogVerifier) -> Result<(), OpenError> {
        let (Some(note), Some(last)) = (&self.note, self.frames.last()) else {
            return Ok(());
        };
        let refuse = |what| OpenError::Damaged {
            file: segments.path(last.segment),
            byte: u64::from(last.offset),
            what,
        };
        let head = verifier
            .verify(note)
            .map_err(|_| refuse("the checkpoint here is not signed by this log's key"))?;
        if head.size != self.tree.size() || head.root != self.tree.root() {
            return Err(refuse(
                "the leaves are not those that the checkpoint here signs",
            ));
        }
        Ok(())
    }
}

/// Whether a frame follows those of the part.
pub fn check_next(part: &Sidecar, frame: &Frame<'_>) -> Result<(), &'static str> {
    let next = part.first + part.leaves.len() as u64;
    if frame.first != next || frame.previous != part.last_frame {
        return Err("the frame here does not follow the one before it");
    }
    let known = frame.entries().all(|raw| raw.leaf().is_some());
    known
        .then_some(())
        .ok_or("a leaf is not one that this program knows")
}

/// Whether a good frame begins anywhere in `bytes`.
pub(super) fn holds_frame(bytes: &[u8]) -> bool {
    let starts = bytes.windows(MAGIC.len()).enumerate();
    starts
        .filter(|(_, window)| *window == MAGIC)
        .any(|(at, _)| bytes.get(at..).and_then(Frame::read).is_some())
}
