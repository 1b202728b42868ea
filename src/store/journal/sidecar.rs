//! What one full segment adds to the table, written beside it so that a start need not decode it.
//!
//! Derived: if it is missing, damaged or belongs to other frames, it is made again from the
//! segment. Nothing may trust it without the hash of the segment's last frame.

use std::io;
use std::path::Path;

use borsh::{BorshDeserialize, BorshSerialize};

use super::frame::Frame;
use super::table::{At, Table, ops};
use crate::store::disk::Disk;

const MAGIC: &[u8; 16] = b"firedoor table 2";

/// The table of one segment and the slots that its leaves name.
#[derive(Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Sidecar {
    pub segment: u32,
    /// SHA-256 of the last frame in the segment.
    pub last_frame: [u8; 32],
    pub table: Table,
    /// Slots of items, whether the item still exists or not.
    pub items: Vec<u64>,
    /// Slots of leaves' openings.
    pub openings: Vec<u64>,
}

impl Sidecar {
    pub fn new(segment: u32) -> Self {
        Self {
            segment,
            ..Self::default()
        }
    }

    /// Adds a frame that lies at `offset`. `None` if an entry does not decode although the CRC is
    /// right: then another program wrote it.
    pub fn add(&mut self, frame: &Frame<'_>, offset: u32) -> Option<()> {
        for (index, raw) in (frame.first..).zip(frame.entries()) {
            let (entry, spans) = raw.decode()?;
            let when = entry.leaf.when();
            self.openings.push(entry.opening.slot().0);
            let at = offset.saturating_add(raw.at as u32);
            for op in ops(&entry, &spans, self.segment, at) {
                if let super::table::Op::Put { item, .. } = &op {
                    self.items.push(item.slot);
                }
                self.table.apply_in_part(At { index, when }, op);
            }
        }
        self.last_frame = frame.hash();
        Some(())
    }

    pub fn write(&self, disk: &Disk, path: &Path) -> io::Result<()> {
        let mut bytes = MAGIC.to_vec();
        self.serialize(&mut bytes)?;
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        disk.replace(path, &bytes)
    }

    /// `None` if it is not there, is damaged, or is that of other frames.
    pub fn read(disk: &Disk, path: &Path, segment: u32, last_frame: &[u8; 32]) -> Option<Self> {
        let bytes = disk.read(path).ok()?;
        let (content, crc) = bytes.split_last_chunk::<4>()?;
        if crc32c::crc32c(content).to_le_bytes() != *crc {
            return None;
        }
        let found = Self::try_from_slice(content.strip_prefix(MAGIC)?).ok()?;
        (found.segment == segment && found.last_frame == *last_frame).then_some(found)
    }
}
