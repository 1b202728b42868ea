//! The bytes of one frame: what became durable together.
//!
//! Golden: a frame once written must stay readable for ever, so a change of layout is a new magic.
//! Names of aggregates, lists and counters never appear here, only keyed hashes of them.
//!
//! ```text
//! magic 4 | length 4 | first index 8 | count 4 | entries length 4          little-endian
//! count x ( length 4 | leaf 256 | opening | changes | replay )             borsh
//! signed checkpoint, text | SHA-256 of the previous frame 32 | CRC32C 4
//! ```
//! The CRC covers everything before it, and stands last so that a torn frame has none.

use std::ops::Range;

use borsh::{BorshDeserialize, BorshSerialize};
use sha2::{Digest, Sha256};

use crate::domain::codes::DataClass;
use crate::domain::id::Id;
use crate::domain::leaf::{LEAF_BYTES, Leaf};
use crate::domain::seal::Sealed;

pub const MAGIC: [u8; 4] = *b"FDJ1";
/// The largest frame, with its checkpoint.
pub const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The most decisions in one frame.
pub const FRAME_DECISIONS_MAX: usize = 256;
/// The largest decision, encoded.
pub const ENTRY_BYTES_MAX: usize = 512 * 1024;
/// Header, previous hash, CRC and the largest checkpoint that we sign.
pub const FRAME_OVERHEAD_BYTES_MAX: usize = HEADER_BYTES + NOTE_BYTES_MAX + TRAILER_BYTES;
pub const HEADER_BYTES: usize = 24;
pub const TRAILER_BYTES: usize = 36;
const NOTE_BYTES_MAX: usize = 1024;

/// A keyed hash that stands for an aggregate, a list or a counter.
pub type Key = [u8; 16];

/// One write, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Change {
    Fact {
        of: Key,
        item: Id,
        sealed: Sealed,
    },
    Part {
        of: Key,
        item: Id,
        class: DataClass,
        sealed: Sealed,
    },
    Remove {
        of: Key,
        item: Id,
    },
    List {
        list: Key,
        at: u64,
        item: Id,
    },
    Unlist {
        list: Key,
        item: Id,
    },
    Count {
        counter: Key,
        by: u32,
    },
    Hold {
        of: Key,
        item: Id,
    },
    Release {
        of: Key,
        item: Id,
    },
    /// Moves the version of an organisation's trail.
    Follow {
        of: Key,
    },
    /// Erases the key of an earlier entry's opening.
    Forget {
        slot: u64,
    },
}

/// An idempotency record, as it is stored. `until` is in milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct KeptReplay {
    pub key: [u8; 16],
    pub request: [u8; 32],
    pub until: i64,
    pub reply: Vec<u8>,
}

/// One decision of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub leaf: Leaf,
    pub opening: Sealed,
    pub changes: Vec<Change>,
    pub replay: Option<KeptReplay>,
}

/// The place of one change, or of the idempotency record, within its entry's bytes.
pub type Span = Range<usize>;

impl Entry {
    /// The bytes with their length before them, and where in these bytes each change lies and, last,
    /// the idempotency record if there is one.
    ///
    /// # Errors
    /// Writing to memory does not fail; a part longer than 4 GiB would.
    pub fn encode(&self) -> std::io::Result<(Vec<u8>, Vec<Span>)> {
        let mut bytes = Vec::with_capacity(self.bytes_about());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(self.leaf.bytes());
        self.opening.serialize(&mut bytes)?;
        u32::try_from(self.changes.len())
            .map_err(std::io::Error::other)?
            .serialize(&mut bytes)?;
        let mut spans = Vec::with_capacity(self.changes.len());
        for change in &self.changes {
            let start = bytes.len();
            change.serialize(&mut bytes)?;
            spans.push(start..bytes.len());
        }
        self.replay.serialize(&mut bytes)?;
        spans.extend(self.replay_span(bytes.len()));
        let length = u32::try_from(bytes.len() - 4).map_err(std::io::Error::other)?;
        for (byte, value) in bytes.iter_mut().zip(length.to_le_bytes()) {
            *byte = value;
        }
        Ok((bytes, spans))
    }

    /// Hardly less than it comes to, encoded.
    fn bytes_about(&self) -> usize {
        /// Names, ids, lengths and nonce of one change.
        const CHANGE_BYTES: usize = 64;
        let sealed = self.changes.iter().map(|change| match change {
            Change::Fact { sealed, .. } | Change::Part { sealed, .. } => sealed.ciphertext().len(),
            Change::Remove { .. }
            | Change::List { .. }
            | Change::Unlist { .. }
            | Change::Count { .. }
            | Change::Hold { .. }
            | Change::Release { .. }
            | Change::Follow { .. }
            | Change::Forget { .. } => 0,
        });
        let sealed: usize = sealed.map(|bytes| bytes + CHANGE_BYTES).sum();
        let replay = self.replay.as_ref().map_or(0, |replay| replay.reply.len());
        let opening = self.opening.ciphertext().len();
        LEAF_BYTES + opening + sealed + replay + 2 * CHANGE_BYTES
    }

    /// The idempotency record ends an entry of `length` bytes.
    fn replay_span(&self, length: usize) -> Option<Span> {
        let replay = self.replay.as_ref()?;
        // key 16 | request 32 | until 8 | length of the reply 4 | reply
        let bytes = 60 + replay.reply.len();
        Some(length.saturating_sub(bytes)..length)
    }
}

/// An entry's bytes within a frame: the leaf is at hand, the rest is decoded when needed.
#[derive(Clone, Copy)]
pub struct RawEntry<'a> {
    /// Where its length prefix lies, counted from the beginning of the frame.
    pub at: usize,
    bytes: &'a [u8],
}

impl RawEntry<'_> {
    /// `None` if these are not a leaf's bytes.
    pub fn leaf(&self) -> Option<Leaf> {
        Leaf::parse(self.bytes.get(..LEAF_BYTES)?).ok()
    }

    /// The whole, with places as [`Entry::encode`] gives them, from the length prefix on.
    pub fn decode(&self) -> Option<(Entry, Vec<Span>)> {
        let leaf = self.leaf()?;
        let mut rest = self.bytes.get(LEAF_BYTES..)?;
        let opening = Sealed::deserialize(&mut rest).ok()?;
        let count = u32::deserialize(&mut rest).ok()?;
        let (mut changes, mut spans) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let start = 4 + self.bytes.len() - rest.len();
            changes.push(Change::deserialize(&mut rest).ok()?);
            spans.push(start..4 + self.bytes.len() - rest.len());
        }
        let replay = Option::<KeptReplay>::deserialize(&mut rest).ok()?;
        let entry = Entry {
            leaf,
            opening,
            changes,
            replay,
        };
        spans.extend(entry.replay_span(4 + self.bytes.len()));
        rest.is_empty().then_some((entry, spans))
    }
}

/// A frame whose CRC is right.
pub struct Frame<'a> {
    pub first: u64,
    pub count: u32,
    /// The signed checkpoint of the tree that ends with this frame.
    pub note: &'a str,
    /// SHA-256 of the whole frame before this one; zeros for the first.
    pub previous: [u8; 32],
    pub bytes: &'a [u8],
    entries: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads the frame that begins with the first of `bytes`. `None` for anything else.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut header = bytes.get(..HEADER_BYTES)?;
        let (magic, length, first, count, entries): ([u8; 4], u32, u64, u32, u32) =
            BorshDeserialize::deserialize(&mut header).ok()?;
        let length = length as usize;
        if magic != MAGIC || length > FRAME_BYTES_MAX || count as usize > FRAME_DECISIONS_MAX {
            return None;
        }
        let bytes = bytes.get(..length)?;
        let (body, crc) = bytes.split_last_chunk::<4>()?;
        if crc32c::crc32c(body).to_le_bytes() != *crc {
            return None;
        }
        let (head, previous) = body.split_last_chunk::<32>()?;
        let content = head.get(HEADER_BYTES..)?;
        let (entries, note) = content.split_at_checked(entries as usize)?;
        let frame = Self {
            first,
            count,
            note: std::str::from_utf8(note).ok()?,
            previous: *previous,
            bytes,
            entries,
        };
        (count > 0 && frame.entries().count() == count as usize).then_some(frame)
    }

    pub fn entries(&self) -> impl Iterator<Item = RawEntry<'a>> + use<'a> {
        let (mut rest, mut at) = (self.entries, HEADER_BYTES);
        std::iter::from_fn(move || {
            let (length, after) = rest.split_first_chunk::<4>()?;
            let length = u32::from_le_bytes(*length) as usize;
            let (bytes, after) = after.split_at_checked(length)?;
            let entry = RawEntry { at, bytes };
            rest = after;
            at += 4 + length;
            Some(entry)
        })
    }

    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.bytes).into()
    }
}

/// Puts a frame together. `entries` are encoded entries with their lengths.
pub fn assemble(
    first: u64,
    entries: &[&[u8]],
    note: &str,
    previous: &[u8; 32],
) -> std::io::Result<Vec<u8>> {
    let entries_length: usize = entries.iter().map(|entry| entry.len()).sum();
    let length = HEADER_BYTES + entries_length + note.len() + TRAILER_BYTES;
    if length > FRAME_BYTES_MAX || note.len() > NOTE_BYTES_MAX {
        return Err(std::io::Error::other("a frame is too large"));
    }
    let mut bytes = Vec::with_capacity(length);
    let (count, entries_length) = (entries.len() as u32, entries_length as u32);
    (MAGIC, length as u32, first, count, entries_length).serialize(&mut bytes)?;
    entries
        .iter()
        .for_each(|entry| bytes.extend_from_slice(entry));
    bytes.extend_from_slice(note.as_bytes());
    bytes.extend_from_slice(previous);
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    Ok(bytes)
}

/// Where entries begin within a frame.
pub const ENTRIES_AT: usize = HEADER_BYTES;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::seal::{ItemKey, Slot};
    use proptest::prelude::*;

    fn leaf() -> Leaf {
        let mut bytes = [7; LEAF_BYTES];
        bytes[0] = 1;
        bytes[1] = 1;
        bytes[2..10].copy_from_slice(&1_767_225_600_000_i64.to_be_bytes());
        Leaf::parse(&bytes).unwrap()
    }

    fn sealed(slot: u64) -> Sealed {
        use crate::domain::decision::Aggregate;
        let key = ItemKey::new(Slot(slot), [2; 32]);
        crate::domain::seal::fact(&key, &Aggregate::Settings, Id::ZERO, b"plain", [3; 12])
            .sealed()
            .clone()
    }

    fn entry() -> Entry {
        let (of, item) = ([5; 16], Id::from_bytes([6; 16]));
        let class = DataClass::Id;
        Entry {
            leaf: leaf(),
            opening: sealed(1),
            changes: vec![
                Change::Fact {
                    of,
                    item,
                    sealed: sealed(2),
                },
                Change::Part {
                    of,
                    item,
                    class,
                    sealed: sealed(3),
                },
                Change::Remove { of, item },
                Change::List {
                    list: [8; 16],
                    at: 9,
                    item,
                },
                Change::Unlist {
                    list: [8; 16],
                    item,
                },
                Change::Count {
                    counter: [10; 16],
                    by: 11,
                },
            ],
            replay: Some(KeptReplay {
                key: [12; 16],
                request: [13; 32],
                until: 14,
                reply: vec![15, 16],
            }),
        }
    }

    fn frame() -> Vec<u8> {
        let (entry, _) = entry().encode().unwrap();
        assemble(42, &[&entry, &entry], "note\n", &[17; 32]).unwrap()
    }

    #[test]
    fn a_frame_reads_as_it_was_written() {
        let bytes = frame();
        let frame = Frame::read(&bytes).unwrap();
        assert_eq!((frame.first, frame.count, frame.note), (42, 2, "note\n"));
        assert_eq!(frame.previous, [17; 32]);
        for raw in frame.entries() {
            let (found, spans) = raw.decode().unwrap();
            assert_eq!(found, entry());
            let replay = &frame.bytes[raw.at..][spans[found.changes.len()].clone()];
            assert_eq!(KeptReplay::try_from_slice(replay).ok(), found.replay);
            for (span, change) in spans.into_iter().zip(found.changes) {
                let at = &frame.bytes[raw.at..][span];
                assert_eq!(Change::try_from_slice(at).unwrap(), change);
            }
        }
    }

    /// A change of these bytes makes every journal that exists unreadable: never do it without a
    /// new magic and a reader for the old one.
    #[test]
    fn the_bytes_of_a_frame_are_golden() {
        let bytes = frame();
        let mut shown = String::new();
        for line in bytes.chunks(32) {
            for byte in line {
                shown.push_str(&format!("{byte:02x}"));
            }
            shown.push('\n');
        }
        assert_eq!(shown, include_str!("../../../tests/vectors/frame-v1.txt"));
    }

    /// As golden as the frame: 6 holds, 7 releases, 8 follows, 9 forgets.
    #[test]
    fn the_bytes_of_later_changes_are_golden() {
        let (of, item) = ([5; 16], Id::from_bytes([6; 16]));
        for (number, change) in [
            (6, Change::Hold { of, item }),
            (7, Change::Release { of, item }),
        ] {
            let bytes = [&[number][..], &of, item.bytes()].concat();
            assert_eq!(borsh::to_vec(&change).unwrap(), bytes);
        }
        let follow = [&[8][..], &of].concat();
        assert_eq!(borsh::to_vec(&Change::Follow { of }).unwrap(), follow);
        let forget = [&[9][..], &7_u64.to_le_bytes()].concat();
        assert_eq!(borsh::to_vec(&Change::Forget { slot: 7 }).unwrap(), forget);
    }

    #[test]
    fn no_cut_and_no_flipped_bit_of_a_frame_is_read() {
        let bytes = frame();
        for length in 0..bytes.len() {
            assert!(Frame::read(&bytes[..length]).is_none(), "cut at {length}");
        }
        for at in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[at / 8] ^= 1 << (at % 8);
            assert!(Frame::read(&bytes).is_none(), "bit {at}");
        }
    }

    proptest! {
        #[test]
        fn reading_a_frame_never_panics(mut bytes: Vec<u8>, magic: bool) {
            if magic && bytes.len() > 4 {
                bytes[..4].copy_from_slice(&MAGIC);
            }
            if let Some(frame) = Frame::read(&bytes) {
                frame.entries().for_each(|entry| drop(entry.decode()));
            }
        }

        #[test]
        fn decoding_an_entry_never_panics(bytes: Vec<u8>) {
            let bytes = [leaf().bytes().as_slice(), &bytes].concat();
            let _ = RawEntry { at: 0, bytes: &bytes }.decode();
        }
    }
}
