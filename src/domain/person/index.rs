//! The link index: whom someone may be, among all records, in memory.
//!
//! It holds keyed tokens, cut to 58 bits, and the numbers of records; never anything of a person.
//! The keys among the tokens find candidates; one line of memory of each refuses most of those who
//! cannot be linked (`gate`); the tiers of [`super::link`] decide about the rest, from all tokens
//! of both. Reading takes `&self`, so any number of threads may ask at once. It stores nothing.
//!
//! A large index lies in no cache, so what a look-up takes is what it waits for memory. Each step
//! reads ahead for all keys, then for all candidates, then for all who are compared.
//!
//! Room: 8 bytes a token, 64 a record and about 13 more a key, so about 540 bytes a record with 48
//! tokens of which 7 are keys. Two tokens of one kind that differ only after 58 bits are taken for
//! equal: one pair in 2^58.

use std::ops::Range;

mod gate;
mod keys;

pub use keys::RECORDS_A_KEY_MAX;

use gate::{Asked, Entry};
use keys::KeyMap;

use super::link::{COMPARED, Compared, Evidence, KindSet, Kinds, Tier, tier};
use super::token::{TaggedToken, TokenKind};

/// Removed tokens that lie between others before all are moved together.
const REMOVED_MIN: usize = 4_096;

/// As many tokens as lie in 64 bytes, the line of most processors.
const CUTS_A_LINE: usize = 64 / size_of::<Cut>();

/// A record of one index: counted from 0 as they are inserted, and never given to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordNumber(u32);

impl RecordNumber {
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// The index holds as many records or tokens as it can count: about four thousand million.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the link index is full")]
pub struct Full;

/// Records that share a key with whoever was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidates {
    /// In order, none twice.
    pub records: Vec<RecordNumber>,
    /// A key was left out because more than [`RECORDS_A_KEY_MAX`] records have it, so there may be
    /// others. The other keys found whom they find.
    pub too_common: bool,
}

/// Records that are linked, or may be once a person has confirmed it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// The surest first; none is [`Tier::Never`].
    pub links: Vec<(RecordNumber, Tier)>,
    /// See [`Candidates::too_common`].
    pub too_common: bool,
}

/// A token as it is held, in one word that is compared at once: the number of its kind in 6 bits,
/// and the first 58 of the token. Two that were cut alike are taken for equal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cut(u64);

const KIND_BITS: u32 = 6;
const TOKEN_BITS: u32 = u64::BITS - KIND_BITS;

impl Cut {
    fn of(tagged: &TaggedToken) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = *tagged.token.bytes();
        let token = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        Self(u64::from(tagged.kind as u8) << TOKEN_BITS | token >> KIND_BITS)
    }

    /// The first 32 bits of the token.
    fn mark(self) -> u32 {
        (self.0 >> (TOKEN_BITS - u32::BITS)) as u32
    }

    /// The last 16 bits that are held.
    fn print(self) -> u16 {
        self.0 as u16
    }
}

impl Compared for Cut {
    fn kind_number(self) -> u64 {
        self.0 >> TOKEN_BITS
    }
}

/// A record's tokens as they lie: first those by which it is only found, then those that are
/// compared; each part sorted, without repetition. A look-up reads the second part of all who are
/// compared, so what names her in the log and neither finds nor tells anything is left out.
struct Laid {
    cut: Vec<Cut>,
    /// How many are only keys.
    keys: usize,
}

impl Laid {
    fn of(tokens: &[TaggedToken], key_kinds: KindSet) -> Self {
        let mut cut: Vec<Cut> = tokens.iter().map(Cut::of).collect();
        cut.retain(|cut| key_kinds.has(*cut) || COMPARED.has(*cut));
        cut.sort_unstable_by_key(|cut| (COMPARED.has(*cut), *cut));
        cut.dedup();
        let keys = cut.partition_point(|cut| !COMPARED.has(*cut));
        Self { cut, keys }
    }

    fn compared(&self) -> &[Cut] {
        self.cut.get(self.keys..).unwrap_or_default()
    }
}

/// Where the tokens of a record lie. None are left of one that was removed.
#[derive(Clone, Copy)]
struct Span {
    start: u32,
    /// How many are only keys; they come first.
    keys: u16,
    /// Of all.
    count: u16,
}

impl Span {
    fn range(self) -> Range<usize> {
        let start = self.start as usize;
        start..start + usize::from(self.count)
    }

    fn compared(self) -> Range<usize> {
        let all = self.range();
        all.start + usize::from(self.keys)..all.end
    }
}

/// Records by their tokens.
pub struct LinkIndex {
    key_kinds: KindSet,
    keys: KeyMap,
    /// Of all records, one after another.
    tokens: Vec<Cut>,
    /// By number of record; starts never decrease.
    entries: Vec<Entry>,
    /// How many of the tokens were removed and lie there still.
    removed: usize,
}

impl LinkIndex {
    /// `is_key` says by which kinds of token a record is found; the others are only compared.
    pub fn new(is_key: fn(TokenKind) -> bool) -> Self {
        Self {
            key_kinds: KindSet::of(is_key),
            keys: KeyMap::new(),
            tokens: Vec::new(),
            entries: Vec::new(),
            removed: 0,
        }
    }

    /// Adds a record. One without a key has a number too and is never found.
    ///
    /// # Errors
    /// The index is full; it is as it was.
    pub fn insert(&mut self, tokens: &[TaggedToken]) -> Result<RecordNumber, Full> {
        let Laid { cut, keys } = Laid::of(tokens, self.key_kinds);
        let span = Span {
            start: u32::try_from(self.tokens.len()).map_err(|_| Full)?,
            keys: u16::try_from(keys).map_err(|_| Full)?,
            count: u16::try_from(cut.len()).map_err(|_| Full)?,
        };
        // The last number stands for none.
        let number = u32::try_from(self.entries.len()).map_err(|_| Full)?;
        if number == u32::MAX {
            return Err(Full);
        }
        for key in self.keys_of(&cut) {
            self.keys.insert(key.mark(), number);
        }
        self.entries.push(Entry::of(span, &cut));
        self.tokens.extend(cut);
        Ok(RecordNumber(number))
    }

    /// Takes a record out: nothing finds it any more, and its tokens are overwritten. Removing it
    /// again changes nothing.
    pub fn remove(&mut self, record: RecordNumber) {
        let held = self.held(record.0).to_vec();
        for key in self.keys_of(&held) {
            self.keys.remove(key.mark(), record.0);
        }
        let Some(entry) = self.entries.get_mut(record.0 as usize) else {
            return;
        };
        if let Some(tokens) = self.tokens.get_mut(entry.span.range()) {
            tokens.fill(Cut(0));
        }
        entry.clear();
        self.removed += held.len();
        if self.removed > REMOVED_MIN && self.removed > self.tokens.len() / 2 {
            self.move_together();
        }
    }

    /// Records that share a key with `tokens`. Each key gives [`RECORDS_A_KEY_MAX`] at most.
    pub fn candidates(&self, tokens: &[TaggedToken]) -> Candidates {
        let asked = Laid::of(tokens, self.key_kinds);
        let keys = self.keys_of(&asked.cut);
        let (mut marked, too_common) = self.marked(&keys);
        marked.retain(|record| self.held(*record).iter().any(|held| keys.contains(held)));
        Candidates {
            records: marked.into_iter().map(RecordNumber).collect(),
            too_common,
        }
    }

    /// The tiers of all candidates. Bounded by the number of keys times [`RECORDS_A_KEY_MAX`]
    /// comparisons; of those who share nothing that links, one line of memory is read and no more.
    ///
    /// Found is who has a key that begins like one of those asked, in 32 bits: that another key
    /// begins so changes nothing, because only what is compared links.
    pub fn resolve(&self, tokens: &[TaggedToken]) -> Resolved {
        let asked = Laid::of(tokens, self.key_kinds);
        let (mut marked, too_common) = self.marked(&self.keys_of(&asked.cut));
        self.fetch_entries(&marked);
        let prints = Asked::of(&asked.cut);
        marked.retain(|record| {
            let entry = self.entries.get(*record as usize);
            entry.is_some_and(|entry| prints.may_link(entry))
        });
        self.fetch_compared(&marked);
        let mut links = Vec::new();
        for record in marked {
            let kinds = Kinds::between(asked.compared(), self.compared(record));
            let tier = tier(&Evidence::of(&kinds));
            if tier != Tier::Never {
                links.push((RecordNumber(record), tier));
            }
        }
        links.sort_unstable_by_key(|(record, tier)| (*tier as u8, *record));
        Resolved { links, too_common }
    }

    /// Records with a key that begins like one of those asked, in order, and whether a key was
    /// left out.
    fn marked(&self, keys: &[Cut]) -> (Vec<u32>, bool) {
        let marks: Vec<u32> = keys.iter().map(|key| key.mark()).collect();
        self.keys.fetch(&marks);
        let (mut marked, mut too_common) = (Vec::new(), false);
        for mark in marks {
            too_common |= self.keys.records(mark, &mut marked).is_none();
        }
        marked.sort_unstable();
        marked.dedup();
        (marked, too_common)
    }

    /// Reads a little of everything that is about to be looked at, one after another. Nothing here
    /// waits for anything else, so the memory's delays overlap; later each would be waited for.
    fn fetch_entries(&self, records: &[u32]) {
        let entries = records
            .iter()
            .filter_map(|record| self.entries.get(*record as usize));
        std::hint::black_box(entries.fold(0, |all, entry| all ^ entry.touch()));
    }

    /// The same for all that is compared: one of each line of memory.
    fn fetch_compared(&self, records: &[u32]) {
        let entries = records
            .iter()
            .filter_map(|record| self.entries.get(*record as usize));
        let lines = entries
            .filter_map(|entry| self.tokens.get(entry.span.compared()))
            .flat_map(|tokens| tokens.iter().step_by(CUTS_A_LINE).chain(tokens.last()));
        std::hint::black_box(lines.fold(0, |all, cut| all ^ cut.0));
    }

    fn keys_of(&self, cut: &[Cut]) -> Vec<Cut> {
        let keys = cut.iter().filter(|cut| self.key_kinds.has(**cut));
        keys.copied().collect()
    }

    /// The tokens of a record as they lie; none if it was removed or is not of this index.
    fn held(&self, record: u32) -> &[Cut] {
        self.lying(record, Span::range)
    }

    /// Of these the ones that are compared.
    fn compared(&self, record: u32) -> &[Cut] {
        self.lying(record, Span::compared)
    }

    fn lying(&self, record: u32, part: fn(Span) -> Range<usize>) -> &[Cut] {
        let entry = self.entries.get(record as usize);
        let lying = entry.and_then(|entry| self.tokens.get(part(entry.span)));
        lying.unwrap_or_default()
    }

    fn move_together(&mut self) {
        let mut end = 0_u32;
        for Entry { span, .. } in &mut self.entries {
            let moved = Span {
                start: end,
                ..*span
            };
            self.tokens.copy_within(span.range(), moved.range().start);
            end += u32::from(span.count);
            *span = moved;
        }
        self.tokens.truncate(end as usize);
        self.tokens.shrink_to_fit();
        self.removed = 0;
    }
}

#[cfg(test)]
mod tests;
