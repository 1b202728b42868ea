//! What a start needs of one full segment, written beside it so that the segment need not be read.
//!
//! Where its frames lie, the hashes of its leaves, and every change of the table in order. Derived:
//! if it is missing, damaged or belongs to other frames, it is made again from the segment. Nothing
//! may trust it without the hash of the segment's last frame; the leaves' hashes must come to the
//! signed root, and a scrub compares all of it with the frames.
//!
//! ```text
//! magic 16 | segment 4 | hash of the frame before 32 | hash of the last frame 32 | first index 8
//! frames | leaf hashes | slots of the keys of its names | changes, sealed    borsh
//! CRC32C 4                                                                  over everything before
//! ```
//! The changes of an entry: time 8 | slot of its opening 8 | count 4 | changes. They are sealed under
//! the last of these keys, in the place "firedoor table v1", segment 4 and hash of the last frame.

use std::io;
use std::path::Path;

use borsh::{BorshDeserialize, BorshSerialize};

use super::frame::{Decoded, Frame};
use super::names_key::{NamesKeys, SealedNames, Unread};
use super::recovery::FrameAt;
use super::table::{Op, ops};
use crate::domain::merkle::{Hash, leaf_hash};
use crate::domain::time::When;
use crate::store::disk::Disk;

const MAGIC: &[u8; 16] = b"firedoor table 3";

/// What the frames of one segment say, but for content.
#[derive(Debug, PartialEq, Eq)]
pub struct Sidecar {
    pub segment: u32,
    /// Of the last frame in the segment before; zeros for the first.
    pub previous: Hash,
    /// Of the last frame so far; [`Self::previous`] while there is none.
    pub last_frame: Hash,
    /// The index of its first leaf.
    pub first: u64,
    pub frames: Vec<FrameAt>,
    pub leaves: Vec<Hash>,
    /// Slots of the keys that the names in these frames lie under.
    pub names: Vec<u64>,
    changes: Vec<u8>,
}

/// What lies in the file in clear.
type Open = (
    u32,
    Hash,
    Hash,
    u64,
    Vec<FrameAt>,
    Vec<Hash>,
    Vec<u64>,
    SealedNames,
);

/// What one entry says, without content.
pub struct EntryChanges {
    pub when: When,
    /// The slot of its opening.
    pub opening: u64,
    pub ops: Vec<Op>,
}

impl Sidecar {
    pub fn new(segment: u32, previous: Hash, first: u64) -> Self {
        Self {
            segment,
            previous,
            last_frame: previous,
            first,
            frames: Vec::new(),
            leaves: Vec::new(),
            names: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// Adds a frame that lies at `offset`.
    ///
    /// # Errors
    /// The key of its names is gone, or an entry does not decode although the CRC is right: then
    /// another program wrote it.
    pub fn add(
        &mut self,
        frame: &Frame<'_>,
        offset: u32,
        keys: &NamesKeys<'_>,
    ) -> Result<(), Unread> {
        for raw in frame.entries() {
            let Decoded {
                entry,
                spans,
                names_slot,
            } = raw.decode(keys)?;
            let at = offset.saturating_add(raw.at as u32);
            let ops = ops(&entry, &spans).into_iter();
            let changes = EntryChanges {
                when: entry.leaf.when(),
                opening: entry.opening.slot().0,
                ops: ops.map(|op| op.moved_to(self.segment, at)).collect(),
            };
            self.add_entry(leaf_hash(entry.leaf.bytes()), names_slot, &changes);
        }
        let at = FrameAt {
            first: frame.first,
            segment: self.segment,
            offset,
            length: frame.bytes.len() as u32,
        };
        self.add_frame(at, frame.hash());
        Ok(())
    }

    /// Adds the next entry; its frame follows when all of its entries are added.
    pub fn add_entry(&mut self, leaf: Hash, names_slot: u64, entry: &EntryChanges) {
        let EntryChanges { when, opening, ops } = entry;
        self.leaves.push(leaf);
        if !self.names.contains(&names_slot) {
            self.names.push(names_slot);
        }
        // Writing to memory does not fail.
        let _ = (when.millis(), opening, ops).serialize(&mut self.changes);
    }

    pub fn add_frame(&mut self, at: FrameAt, hash: Hash) {
        self.frames.push(at);
        self.last_frame = hash;
    }

    /// What each entry changes, in order; `None` at one that does not decode.
    pub fn entries(&self) -> impl Iterator<Item = Option<EntryChanges>> + '_ {
        let mut rest = self.changes.as_slice();
        self.leaves.iter().map(move |_| {
            let read = <(i64, u64, Vec<Op>)>::deserialize(&mut rest).ok()?;
            let (when, opening, ops) = read;
            let when = When::from_millis(when);
            Some(EntryChanges { when, opening, ops })
        })
    }

    pub fn write(&self, disk: &Disk, path: &Path, keys: &NamesKeys<'_>) -> io::Result<()> {
        let key = self.names.last().and_then(|slot| keys.key(*slot));
        let key = key.ok_or_else(|| io::Error::other("there is no key for its names"))?;
        let sealed = key.seal(&self.changes, &place(self.segment, &self.last_frame));
        let sealed = sealed.map_err(io::Error::other)?;
        let mut bytes = MAGIC.to_vec();
        (self.segment, self.previous, self.last_frame, self.first).serialize(&mut bytes)?;
        (&self.frames, &self.leaves, &self.names, sealed).serialize(&mut bytes)?;
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        disk.replace(path, &bytes)
    }

    /// `None` if it is not there, is damaged, is that of another segment, or does not open.
    pub fn read(disk: &Disk, path: &Path, segment: u32, keys: &NamesKeys<'_>) -> Option<Self> {
        let bytes = disk.read(path).ok()?;
        let (content, crc) = bytes.split_last_chunk::<4>()?;
        if crc32c::crc32c(content).to_le_bytes() != *crc {
            return None;
        }
        let found = Open::try_from_slice(content.strip_prefix(MAGIC)?).ok()?;
        let (of, previous, last_frame, first, frames, leaves, names, sealed) = found;
        if of != segment {
            return None;
        }
        let mut changes = keys.open(&sealed, &place(segment, &last_frame)).ok()?;
        Some(Self {
            segment,
            previous,
            last_frame,
            first,
            frames,
            leaves,
            names,
            changes: std::mem::take(&mut *changes),
        })
    }
}

/// What the changes are bound to.
fn place(segment: u32, last_frame: &Hash) -> Vec<u8> {
    [
        &b"firedoor table v1"[..],
        &segment.to_le_bytes(),
        last_frame,
    ]
    .concat()
}

#[cfg(test)]
impl Sidecar {
    /// Another value so many bytes before the end of the changes.
    pub fn forge(&mut self, back: usize, value: u8) {
        let at = self.changes.len() - back;
        assert_ne!(self.changes[at], value);
        self.changes[at] = value;
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::{At, FACT, Item, Place, Table};
    use super::*;
    use crate::domain::id::Id;
    use proptest::prelude::*;

    fn keys() -> NamesKeys<'static> {
        NamesKeys::found_by(|slot| Some([slot as u8; 32].into()))
    }

    fn any_op() -> impl Strategy<Value = Op> {
        let key = (0..3_u8).prop_map(|n| [n; 16]);
        let id = (0..4_u8).prop_map(|n| Id::from_bytes([n; 16]));
        let class = prop_oneof![Just(FACT), 0..2_u8];
        let place = Place {
            segment: 1,
            offset: 0,
            length: 1,
        };
        prop_oneof![
            4 => (key.clone(), id.clone(), class, any::<u64>()).prop_map(
                move |(of, item, class, slot)| {
                    Op::Put { of, item: Item { item, class, slot, place } }
                }
            ),
            2 => (key.clone(), id.clone()).prop_map(|(of, item)| Op::Remove { of, item }),
            1 => (key.clone(), id.clone()).prop_map(|(of, item)| Op::Hold { of, item }),
            1 => (key.clone(), id).prop_map(|(of, item)| Op::Release { of, item }),
            1 => key.clone().prop_map(|of| Op::Follow { of }),
            1 => any::<u64>().prop_map(|slot| Op::Forget { slot }),
            1 => (key.clone(), 0..9_u32).prop_map(|(counter, by)| Op::Count { counter, by }),
            1 => key.prop_map(move |key| {
                Op::Replay { key, request: [7; 32], until: 5, place }
            }),
        ]
    }

    proptest! {
        /// However a log is cut into segments, their sidecars make the table of its changes.
        #[test]
        fn sidecars_read_one_after_another_make_the_whole_table(
            ops in prop::collection::vec(any_op(), 0..60),
            cuts in prop::collection::vec(any::<bool>(), 60),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("table");
            let (mut whole, mut read) = <(Table, Table)>::default();
            let mut part = Sidecar::new(1, [0; 32], 0);
            let last = ops.len();
            for (n, (op, cut)) in ops.into_iter().zip(cuts).enumerate() {
                let when = When::from_millis(n as i64);
                let at = At { index: n as u64, when };
                whole.apply(at, op, &mut Vec::new());
                let ops = vec![op];
                let entry = EntryChanges { when, opening: 9, ops };
                part.add_entry([n as u8; 32], 1 + n as u64 / 7, &entry);
                if cut || n + 1 == last {
                    part.write(&Disk::Real, &path, &keys()).unwrap();
                    let back = Sidecar::read(&Disk::Real, &path, 1, &keys()).unwrap();
                    prop_assert_eq!(&back, &part);
                    for (index, entry) in (back.first..).zip(back.entries()) {
                        let entry = entry.unwrap();
                        let at = At { index, when: entry.when };
                        entry.ops.iter().for_each(|op| read.apply(at, *op, &mut Vec::new()));
                    }
                    part = Sidecar::new(1, [0; 32], n as u64 + 1);
                }
            }
            prop_assert_eq!(read, whole);
        }
    }

    #[test]
    fn a_sidecar_with_a_flipped_bit_or_cut_short_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("table");
        let mut part = Sidecar::new(3, [1; 32], 5);
        part.add_entry(
            [2; 32],
            2,
            &EntryChanges {
                when: When::from_millis(0),
                opening: 1,
                ops: vec![],
            },
        );
        let keys = keys();
        part.write(&Disk::Real, &path, &keys).unwrap();
        assert!(Sidecar::read(&Disk::Real, &path, 3, &keys).is_some());
        assert!(Sidecar::read(&Disk::Real, &path, 4, &keys).is_none());
        let none = NamesKeys::found_by(|_| None);
        assert!(Sidecar::read(&Disk::Real, &path, 3, &none).is_none());
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            assert!(
                Sidecar::read(&Disk::Real, &path, 3, &keys).is_none(),
                "{at}"
            );
            std::fs::write(&path, &whole[..at]).unwrap();
            assert!(
                Sidecar::read(&Disk::Real, &path, 3, &keys).is_none(),
                "{at}"
            );
        }
    }
}
