//! Reads the journal at the start, and refuses to start rather than skip anything in silence.
//!
//! A bad last frame was never acknowledged: the writer waits for one frame to be durable before it
//! writes the next. So it is dropped. A bad frame with a good one anywhere after it is damage.

use std::io;

use super::OpenError;
use super::frame::{Frame, MAGIC};
use super::segment::Segments;
use super::sidecar::Sidecar;
use super::table::Table;
use crate::domain::checkpoint::LogVerifier;
use crate::domain::merkle::Tree;
use crate::domain::time::When;
use crate::store::slots::SlotSet;

/// Where a frame lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    pub last_frame: [u8; 32],
    /// Where the next frame goes. Segment 0: none exists yet.
    pub segment: u32,
    pub offset: u32,
    pub last_time: When,
    /// Slots that any leaf names.
    pub used: SlotSet,
    /// Slots whose item or opening still exists.
    pub live: SlotSet,
    /// Whether something that is no frame follows the last one.
    torn: bool,
}

/// Reads all segments. `least` is how many leaves there must be, as the last start or end of the
/// journal noted. Changes nothing before everything is checked.
pub fn recover(
    segments: &Segments,
    verifier: &LogVerifier,
    least: u64,
) -> Result<Recovered, OpenError> {
    let mut found = Recovered {
        table: Table::default(),
        tree: Tree::new(),
        frames: Vec::new(),
        note: None,
        last_frame: [0; 32],
        segment: 0,
        offset: 0,
        last_time: When::from_millis(0),
        used: SlotSet::default(),
        live: SlotSet::default(),
        torn: false,
    };
    for segment in 1..=segments.last() {
        found.read_segment(segments, segment)?;
    }
    found.check_head(segments, verifier)?;
    found.check_length(segments, least)?;
    found.drop_torn(segments)?;
    for slot in found.table.slots() {
        found.live.insert(slot);
    }
    Ok(found)
}

impl Recovered {
    fn read_segment(&mut self, segments: &Segments, segment: u32) -> Result<(), OpenError> {
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
        let mut offset = 0_usize;
        while let Some(frame) = bytes.get(offset..).and_then(Frame::read) {
            self.add_frame(&frame, segment, offset)
                .map_err(|what| damaged(offset, what))?;
            offset += frame.bytes.len();
        }
        let rest = bytes.get(offset..).unwrap_or_default();
        if rest.iter().any(|byte| *byte != 0) {
            if segment < segments.last() || holds_frame(rest) {
                return Err(damaged(
                    offset,
                    "the frame here is damaged, but later ones are not",
                ));
            }
            self.torn = true;
        }
        (self.segment, self.offset) = (segment, offset as u32);
        let part = self.part_of(segments, segment, &bytes);
        let part = part.ok_or_else(|| damaged(0, "a frame was written by another program"))?;
        self.table.merge(part.table);
        part.items.iter().for_each(|slot| self.used.insert(*slot));
        for slot in part.openings {
            self.used.insert(slot);
            self.live.insert(slot);
        }
        Ok(())
    }

    /// Checks that the frame is the next one, and takes its leaves.
    fn add_frame(
        &mut self,
        frame: &Frame<'_>,
        segment: u32,
        offset: usize,
    ) -> Result<(), &'static str> {
        if frame.first != self.tree.size() || frame.previous != self.last_frame {
            return Err("the frame here does not follow the one before it");
        }
        for raw in frame.entries() {
            let leaf = raw
                .leaf()
                .ok_or("a leaf is not one that this program knows")?;
            self.last_time = self.last_time.max(leaf.when());
            self.tree.append(&leaf);
        }
        self.last_frame = frame.hash();
        self.note = Some(frame.note.to_owned());
        self.frames.push(FrameAt {
            first: frame.first,
            segment,
            offset: offset as u32,
            length: frame.bytes.len() as u32,
        });
        Ok(())
    }

    /// What a segment adds to the table: from its sidecar, or else from its frames. A segment that
    /// is full gets a sidecar.
    fn part_of(&self, segments: &Segments, segment: u32, bytes: &[u8]) -> Option<Sidecar> {
        let path = segments.table_path(segment);
        let full = segment < segments.last();
        if full
            && let Some(found) = Sidecar::read(segments.disk(), &path, segment, &self.last_frame)
        {
            return Some(found);
        }
        let made = make_sidecar(segment, bytes)?;
        if full && let Err(error) = made.write(segments.disk(), &path) {
            // It only saves time at the next start.
            tracing::warn!(file = %path.display(), %error, "a table file cannot be written");
        }
        Some(made)
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

/// The part of the table that a segment wrote, from its bytes.
pub fn make_sidecar(segment: u32, bytes: &[u8]) -> Option<Sidecar> {
    let mut made = Sidecar::new(segment);
    let mut offset = 0;
    while let Some(frame) = bytes.get(offset..).and_then(Frame::read) {
        made.add(&frame, offset as u32)?;
        offset += frame.bytes.len();
    }
    Some(made)
}

/// Whether a good frame begins anywhere in `bytes`.
fn holds_frame(bytes: &[u8]) -> bool {
    let starts = bytes.windows(MAGIC.len()).enumerate();
    starts
        .filter(|(_, window)| *window == MAGIC)
        .any(|(at, _)| bytes.get(at..).and_then(Frame::read).is_some())
}
