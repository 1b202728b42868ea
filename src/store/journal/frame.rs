//! The bytes of one frame: what became durable together.
//!
//! Golden: a frame once written must stay readable for ever, so a change of layout is a new magic.
//! Names of aggregates, lists and counters never appear here, only keyed hashes of them, and these
//! only sealed ([`super::names_key`]): CRC, chain and tree need no key, what changes does.
//!
//! ```text
//! magic 4 | length 4 | first index 8 | count 4 | entries length 4          little-endian
//! count x ( length 4 | leaf 256 | opening | names | contents )             borsh
//! signed checkpoint, text | SHA-256 of the previous frame 32 | CRC32C 4
//! ```
//! The names are the changes without content and the idempotency record, sealed under the leaf's id;
//! the contents are those of the changes that have one, in their order. The CRC covers everything
//! before it, and stands last so that a torn frame has none.

use std::ops::Range;

use borsh::{BorshDeserialize, BorshSerialize};
use sha2::{Digest, Sha256};

use super::names_key::{NamesKey, NamesKeys, SealedNames, Unread};
use crate::domain::codes::DataClass;
use crate::domain::id::Id;
use crate::domain::leaf::{LEAF_BYTES, Leaf};
use crate::domain::seal::Sealed;
use crate::store::Fault;

pub const MAGIC: [u8; 4] = *b"FDJ2";
/// Of earlier builds: what was stored lay there by its names, and this program does not read it.
pub const EARLIER_MAGIC: [u8; 4] = *b"FDJ1";
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
/// Names, ids, lengths and nonce of one change.
const CHANGE_BYTES: usize = 64;
const NOTE_BYTES_MAX: usize = 1024;

/// A keyed hash that stands for an aggregate, a list or a counter.
pub type Key = [u8; 16];

/// One write, as it is stored; with `()` as among the names, without its content.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Change<S = Sealed> {
    Fact {
        of: Key,
        item: Id,
        sealed: S,
    },
    Part {
        of: Key,
        item: Id,
        class: DataClass,
        sealed: S,
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

impl<S> Change<S> {
    /// The same with another content. `None` if it has one and `content` gives none.
    fn with<T>(&self, content: impl FnOnce(&S) -> Option<T>) -> Option<Change<T>> {
        Some(match *self {
            Self::Fact {
                of,
                item,
                ref sealed,
            } => Change::Fact {
                of,
                item,
                sealed: content(sealed)?,
            },
            Self::Part {
                of,
                item,
                class,
                ref sealed,
            } => Change::Part {
                of,
                item,
                class,
                sealed: content(sealed)?,
            },
            Self::Remove { of, item } => Change::Remove { of, item },
            Self::List { list, at, item } => Change::List { list, at, item },
            Self::Unlist { list, item } => Change::Unlist { list, item },
            Self::Count { counter, by } => Change::Count { counter, by },
            Self::Hold { of, item } => Change::Hold { of, item },
            Self::Release { of, item } => Change::Release { of, item },
            Self::Follow { of } => Change::Follow { of },
            Self::Forget { slot } => Change::Forget { slot },
        })
    }

    /// What it stores, if it stores something.
    pub fn content(&self) -> Option<&S> {
        match self {
            Self::Fact { sealed, .. } | Self::Part { sealed, .. } => Some(sealed),
            Self::Remove { .. }
            | Self::List { .. }
            | Self::Unlist { .. }
            | Self::Count { .. }
            | Self::Hold { .. }
            | Self::Release { .. }
            | Self::Follow { .. }
            | Self::Forget { .. } => None,
        }
    }
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

/// The place of something within its entry's bytes, from the length before them on.
pub type Span = Range<usize>;

/// What names are bound to: they lie in the entry with this leaf.
fn names_place(leaf: &Leaf) -> Vec<u8> {
    [&b"firedoor names v1"[..], leaf.id().bytes()].concat()
}

impl Entry {
    /// The bytes with their length before them, and where in these bytes the content of each change
    /// lies (nowhere if it has none) and, last, the head with the idempotency record if there is one.
    ///
    /// # Errors
    /// There is no randomness, or a part is longer than 4 GiB.
    pub fn encode(&self, key: &NamesKey) -> Result<(Vec<u8>, Vec<Span>), Fault> {
        let names = self.names().map_err(|_| Fault::TooLarge)?;
        let names = key.seal(&names, &names_place(&self.leaf))?;
        self.lay_out(&names).map_err(|_| Fault::TooLarge)
    }

    /// The changes without content, and the idempotency record.
    fn names(&self) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(CHANGE_BYTES * (self.changes.len() + 2));
        let count = u32::try_from(self.changes.len());
        count
            .map_err(std::io::Error::other)?
            .serialize(&mut bytes)?;
        for change in &self.changes {
            // Every change has a form without content.
            if let Some(bare) = change.with(|_| Some(())) {
                bare.serialize(&mut bytes)?;
            }
        }
        self.replay.serialize(&mut bytes)?;
        Ok(bytes)
    }

    fn lay_out(&self, names: &SealedNames) -> std::io::Result<(Vec<u8>, Vec<Span>)> {
        let mut bytes = Vec::with_capacity(self.bytes_about());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(self.leaf.bytes());
        self.opening.serialize(&mut bytes)?;
        names.serialize(&mut bytes)?;
        let head = 4..bytes.len();
        let mut spans = Vec::with_capacity(self.changes.len() + 1);
        for change in &self.changes {
            let start = bytes.len();
            if let Some(content) = change.content() {
                content.serialize(&mut bytes)?;
            }
            spans.push(start..bytes.len());
        }
        spans.extend(self.replay.is_some().then_some(head));
        let length = u32::try_from(bytes.len() - 4).map_err(std::io::Error::other)?;
        for (byte, value) in bytes.iter_mut().zip(length.to_le_bytes()) {
            *byte = value;
        }
        Ok((bytes, spans))
    }

    /// Hardly less than it comes to, encoded.
    fn bytes_about(&self) -> usize {
        let sealed = self.changes.iter().filter_map(Change::content);
        let sealed: usize = sealed.map(|content| content.ciphertext().len()).sum();
        let replay = self.replay.as_ref().map_or(0, |replay| replay.reply.len());
        let opening = self.opening.ciphertext().len();
        LEAF_BYTES + opening + sealed + replay + CHANGE_BYTES * (2 * self.changes.len() + 4)
    }
}

/// An entry's bytes within a frame: the leaf is at hand, the rest is decoded when needed.
#[derive(Clone, Copy)]
pub struct RawEntry<'a> {
    /// Where its length prefix lies, counted from the beginning of the frame.
    pub at: usize,
    bytes: &'a [u8],
}

/// A whole entry.
pub struct Decoded {
    pub entry: Entry,
    /// As [`Entry::encode`] gives them.
    pub spans: Vec<Span>,
    /// Where the key of its names lies.
    pub names_slot: u64,
}

/// What of an entry can be read without a key.
struct Head {
    leaf: Leaf,
    opening: Sealed,
    names: SealedNames,
}

/// What lies under the key of names.
type Named = (Vec<Change<()>>, Option<KeptReplay>);

impl Head {
    /// Reads it from the first of `bytes`.
    fn read(bytes: &mut &[u8]) -> Option<Self> {
        let (leaf, rest) = bytes.split_at_checked(LEAF_BYTES)?;
        *bytes = rest;
        Some(Self {
            leaf: Leaf::parse(leaf).ok()?,
            opening: Sealed::deserialize(bytes).ok()?,
            names: SealedNames::deserialize(bytes).ok()?,
        })
    }

    fn open(&self, keys: &NamesKeys<'_>) -> Result<Named, Unread> {
        let names = keys.open(&self.names, &names_place(&self.leaf))?;
        Named::try_from_slice(&names).map_err(|_| Unread::Damaged)
    }
}

/// The idempotency record in the head of an entry, which are these bytes.
pub fn replay_in(mut head: &[u8], keys: &NamesKeys<'_>) -> Result<KeptReplay, Unread> {
    let head = Head::read(&mut head).ok_or(Unread::Damaged)?;
    let (_, replay) = head.open(keys)?;
    replay.ok_or(Unread::Damaged)
}

impl RawEntry<'_> {
    /// `None` if these are not a leaf's bytes.
    pub fn leaf(&self) -> Option<Leaf> {
        Leaf::parse(self.bytes.get(..LEAF_BYTES)?).ok()
    }

    /// The leaf and its opening, for which no key of names is needed.
    pub fn opening(&self) -> Option<(Leaf, Sealed)> {
        let head = Head::read(&mut &*self.bytes)?;
        Some((head.leaf, head.opening))
    }

    /// The whole.
    pub fn decode(&self, keys: &NamesKeys<'_>) -> Result<Decoded, Unread> {
        let mut rest = self.bytes;
        let head = Head::read(&mut rest).ok_or(Unread::Damaged)?;
        let place = |rest: &[u8]| 4 + self.bytes.len() - rest.len();
        let end_of_head = place(rest);
        let (named, replay) = head.open(keys)?;
        let (mut changes, mut spans) = (Vec::new(), Vec::new());
        for change in named {
            let start = place(rest);
            let change = change.with(|()| Sealed::deserialize(&mut rest).ok());
            changes.push(change.ok_or(Unread::Damaged)?);
            spans.push(start..place(rest));
        }
        if !rest.is_empty() {
            return Err(Unread::Damaged);
        }
        spans.extend(replay.is_some().then_some(4..end_of_head));
        let entry = Entry {
            leaf: head.leaf,
            opening: head.opening,
            changes,
            replay,
        };
        let names_slot = head.names.slot;
        Ok(Decoded {
            entry,
            spans,
            names_slot,
        })
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
mod tests;
