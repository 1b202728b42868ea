//! The link index: whom someone may be, among all records, in memory.
//!
//! It holds keyed tokens, cut to 8 bytes, and the numbers of records; never anything of a person.
//! The keys among the tokens find candidates; the tiers of [`super::link`] decide, from all tokens
//! of both. Reading takes `&self`, so any number of threads may ask at once. It stores nothing.
//!
//! Room: 9 bytes a token and about 13 bytes more a key, so about 600 bytes a record with 52
//! tokens of which 7 are keys. Two tokens of one kind that differ only after 8 bytes are taken for
//! equal: one pair in 2^64.

mod keys;

pub use keys::RECORDS_A_KEY_MAX;

use keys::KeyMap;

use super::link::{Evidence, Tier, tier};
use super::token::{TaggedToken, Token, TokenKind};

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

/// A token as it is held: 9 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cut {
    kind: TokenKind,
    token: [u8; 8],
}

impl Cut {
    fn of(tagged: &TaggedToken) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = *tagged.token.bytes();
        Self {
            kind: tagged.kind,
            token: [a, b, c, d, e, f, g, h],
        }
    }

    /// The same as it is compared: two that were cut alike are equal if the 8 bytes are.
    fn tagged(self) -> TaggedToken {
        let [a, b, c, d, e, f, g, h] = self.token;
        TaggedToken {
            kind: self.kind,
            token: Token::from_bytes([a, b, c, d, e, f, g, h, 0, 0, 0, 0, 0, 0, 0, 0]),
        }
    }

    fn mark(self) -> u32 {
        let [a, b, c, d, ..] = self.token;
        u32::from_be_bytes([a, b, c, d])
    }
}

/// Whether a record holds one of some keys; both are in order.
fn shares(held: &[Cut], keys: &[Cut]) -> bool {
    let last = keys.last();
    held.iter()
        .take_while(|held| Some(*held) <= last)
        .any(|held| keys.binary_search(held).is_ok())
}

/// Sorted, without repetition.
fn cut(tokens: &[TaggedToken]) -> Vec<Cut> {
    let mut cut: Vec<Cut> = tokens.iter().map(Cut::of).collect();
    cut.sort_unstable();
    cut.dedup();
    cut
}

/// Where the tokens of a record lie. None are left of one that was removed.
#[derive(Clone, Copy)]
struct Span {
    start: u32,
    count: u32,
}

impl Span {
    fn range(self) -> std::ops::Range<usize> {
        let start = self.start as usize;
        start..start + self.count as usize
    }
}

/// Records by their tokens.
pub struct LinkIndex {
    is_key: fn(TokenKind) -> bool,
    keys: KeyMap,
    /// Of all records, one after another.
    tokens: Vec<Cut>,
    /// By number of record; starts never decrease.
    spans: Vec<Span>,
    /// How many of the tokens were removed and lie there still.
    removed: usize,
}

impl LinkIndex {
    /// `is_key` says by which kinds of token a record is found; the others are only compared.
    pub fn new(is_key: fn(TokenKind) -> bool) -> Self {
        Self {
            is_key,
            keys: KeyMap::new(),
            tokens: Vec::new(),
            spans: Vec::new(),
            removed: 0,
        }
    }

    /// Adds a record. One without a key has a number too and is never found.
    ///
    /// # Errors
    /// The index is full; it is as it was.
    pub fn insert(&mut self, tokens: &[TaggedToken]) -> Result<RecordNumber, Full> {
        let cut = cut(tokens);
        let span = Span {
            start: u32::try_from(self.tokens.len()).map_err(|_| Full)?,
            count: u32::try_from(cut.len()).map_err(|_| Full)?,
        };
        // The last number stands for none.
        let number = u32::try_from(self.spans.len()).map_err(|_| Full)?;
        if number == u32::MAX {
            return Err(Full);
        }
        for key in self.keys_of(&cut) {
            self.keys.insert(key.mark(), number);
        }
        self.tokens.extend(cut);
        self.spans.push(span);
        Ok(RecordNumber(number))
    }

    /// Takes a record out: nothing finds it any more, and its tokens are overwritten. Removing it
    /// again changes nothing.
    pub fn remove(&mut self, record: RecordNumber) {
        let held = self.held(record.0).to_vec();
        for key in self.keys_of(&held) {
            self.keys.remove(key.mark(), record.0);
        }
        let Some(span) = self.spans.get_mut(record.0 as usize) else {
            return;
        };
        if let Some(tokens) = self.tokens.get_mut(span.range()) {
            tokens.iter_mut().for_each(|cut| cut.token = [0; 8]);
        }
        span.count = 0;
        self.removed += held.len();
        if self.removed > REMOVED_MIN && self.removed > self.tokens.len() / 2 {
            self.move_together();
        }
    }

    /// Records that share a key with `tokens`. Each key gives [`RECORDS_A_KEY_MAX`] at most.
    pub fn candidates(&self, tokens: &[TaggedToken]) -> Candidates {
        self.sharing(&cut(tokens))
    }

    /// Compares `tokens` with every candidate. Bounded by the number of keys times
    /// [`RECORDS_A_KEY_MAX`] comparisons.
    pub fn resolve(&self, tokens: &[TaggedToken]) -> Resolved {
        let asked = cut(tokens);
        let Candidates {
            records,
            too_common,
        } = self.sharing(&asked);
        let asked: Vec<TaggedToken> = asked.into_iter().map(Cut::tagged).collect();
        let (mut links, mut held) = (Vec::new(), Vec::new());
        for record in records {
            held.clear();
            held.extend(self.held(record.0).iter().copied().map(Cut::tagged));
            let tier = tier(&Evidence::between(&asked, &held));
            if tier != Tier::Never {
                links.push((record, tier));
            }
        }
        links.sort_unstable_by_key(|(record, tier)| (*tier as u8, *record));
        Resolved { links, too_common }
    }

    fn sharing(&self, asked: &[Cut]) -> Candidates {
        let keys = self.keys_of(asked);
        let (mut marked, mut too_common) = (Vec::new(), false);
        for key in &keys {
            too_common |= self.keys.records(key.mark(), &mut marked).is_none();
        }
        marked.sort_unstable();
        marked.dedup();
        self.fetch(&marked);
        marked.retain(|record| shares(self.held(*record), &keys));
        Candidates {
            records: marked.into_iter().map(RecordNumber).collect(),
            too_common,
        }
    }

    /// Reads a byte of each line of memory that is about to be compared. Nothing here waits for
    /// anything else, so the memory's delays overlap; in the comparisons each would be waited for.
    fn fetch(&self, records: &[u32]) {
        let spans = records
            .iter()
            .filter_map(|record| self.spans.get(*record as usize));
        let spans: Vec<Span> = spans.copied().collect();
        let places = spans
            .iter()
            .flat_map(|span| span.range().step_by(CUTS_A_LINE));
        let read = places.filter_map(|place| self.tokens.get(place));
        let read = read.fold(0, |all, cut| all ^ cut.token.last().copied().unwrap_or(0));
        std::hint::black_box(read);
    }

    fn keys_of(&self, cut: &[Cut]) -> Vec<Cut> {
        let keys = cut.iter().filter(|cut| (self.is_key)(cut.kind));
        keys.copied().collect()
    }

    /// The tokens of a record, sorted; none if it was removed or is not of this index.
    fn held(&self, record: u32) -> &[Cut] {
        let span = self.spans.get(record as usize);
        let held = span.and_then(|span| self.tokens.get(span.range()));
        held.unwrap_or_default()
    }

    fn move_together(&mut self) {
        let mut end = 0_u32;
        for span in &mut self.spans {
            let moved = Span {
                start: end,
                count: span.count,
            };
            self.tokens.copy_within(span.range(), moved.range().start);
            end += span.count;
            *span = moved;
        }
        self.tokens.truncate(end as usize);
        self.tokens.shrink_to_fit();
        self.removed = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::{RawFields, RawIdentifier, TokenKeys, resolve};
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn every(_: TokenKind) -> bool {
        true
    }

    fn numbers_only(kind: TokenKind) -> bool {
        kind == TokenKind::Nhs
    }

    fn person(given: &str, birth: &str, nhs: &str, postcode: &str) -> Vec<TaggedToken> {
        let mut fields = RawFields::default();
        fields.given_name = Some(given.to_owned());
        fields.family_name = Some("Khan".to_owned());
        fields.birth_date = Some(birth.to_owned());
        fields.nhs_number = Some(nhs.to_owned());
        fields.postcode = Some(postcode.to_owned());
        let keys = TokenKeys::derive(&[7; 32]);
        let found = resolve(RawIdentifier::new(fields), &keys, date(2026, 11, 20));
        found.ok().unwrap().0.tokens().to_vec()
    }

    const BORN: &str = "1990-05-02";
    const N1: &str = "9990000018";
    const N2: &str = "9990000026";

    fn tagged(kind: TokenKind, bytes: [u8; 16]) -> TaggedToken {
        let token = Token::from_bytes(bytes);
        TaggedToken { kind, token }
    }

    #[test]
    fn a_person_is_found_by_number_or_by_name_and_birth_and_her_twin_is_not() {
        let mut index = LinkIndex::new(every);
        let amina = person("Amina", BORN, N1, "E8 1DY");
        let her = index.insert(&amina).unwrap();
        index.insert(&person("Aisha", BORN, "", "E8 1DY")).unwrap();
        let tiers = |tokens: &[TaggedToken]| index.resolve(tokens).links;
        assert_eq!(tiers(&amina), [(her, Tier::Automatic)]);
        let number = person("Amina", "", N1, "");
        assert_eq!(tiers(&number), [(her, Tier::Automatic)]);
        let moved = person("Amina", BORN, "", "N1 9GU");
        assert_eq!(tiers(&moved), [(her, Tier::NameAndBirth)]);
        assert!(tiers(&person("Amina", BORN, N2, "E8 1DY")).is_empty());
        assert!(tiers(&[]).is_empty());
    }

    #[test]
    fn a_token_that_is_no_key_is_compared_and_finds_nobody() {
        let mut index = LinkIndex::new(numbers_only);
        let whole = person("Amina", BORN, N1, "E8 1DY");
        let her = index.insert(&whole).unwrap();
        let without = person("Amina", BORN, "", "E8 1DY");
        assert!(index.candidates(&without).records.is_empty());
        // The number alone would be enough; the other given name says that it is not hers.
        let sister = person("Aisha", BORN, N1, "E8 1DY");
        assert_eq!(index.candidates(&sister).records, [her]);
        let links = index.resolve(&sister).links;
        assert!(!links.contains(&(her, Tier::Automatic)));
    }

    #[test]
    fn a_key_that_begins_like_another_is_another() {
        let mut index = LinkIndex::new(every);
        let mut bytes = [1; 16];
        index.insert(&[tagged(TokenKind::Nhs, bytes)]).unwrap();
        assert!(
            index
                .candidates(&[tagged(TokenKind::NameBirth, bytes)])
                .records
                .is_empty()
        );
        bytes[7] = 2;
        assert!(
            index
                .candidates(&[tagged(TokenKind::Nhs, bytes)])
                .records
                .is_empty()
        );
    }

    #[test]
    fn of_a_key_that_is_too_common_none_is_found_and_that_is_told() {
        let mut index = LinkIndex::new(every);
        let common = tagged(TokenKind::NhsBirth, [1; 16]);
        let own = |number: u8| tagged(TokenKind::Nhs, [100 + number; 16]);
        let mut numbers = Vec::new();
        for number in 0..=RECORDS_A_KEY_MAX as u8 {
            let before = index.candidates(&[common]);
            assert_eq!(before.records, numbers);
            assert!(!before.too_common);
            numbers.push(index.insert(&[common, own(number)]).unwrap());
        }
        let found = index.candidates(&[common]);
        assert!(found.records.is_empty() && found.too_common);
        // Her other key finds her all the same.
        let found = index.resolve(&[common, own(3)]);
        assert_eq!(found.links, [(numbers[3], Tier::Automatic)]);
        assert!(found.too_common);
        for number in numbers {
            index.remove(number);
        }
        assert!(index.candidates(&[common]).too_common);
        assert!(index.candidates(&[common]).records.is_empty());
    }

    #[test]
    fn the_room_of_removed_records_is_used_again_and_their_numbers_are_not() {
        let mut index = LinkIndex::new(every);
        let of = |number: u32| {
            let mut bytes = [9; 16];
            bytes[..4].copy_from_slice(&(number.wrapping_mul(0x9e37_79b9)).to_be_bytes());
            TokenKind::ALL.map(|kind| tagged(kind, bytes))
        };
        for number in 0..2_000 {
            assert_eq!(index.insert(&of(number)).unwrap().get(), number);
        }
        for number in (0..2_000).filter(|number| number % 5 > 0) {
            index.remove(RecordNumber(number));
            index.remove(RecordNumber(number));
        }
        assert!(index.tokens.len() < 1_000 * TokenKind::ALL.len());
        for number in 0..2_000 {
            let kept = Some(RecordNumber(number)).filter(|_| number % 5 == 0);
            assert_eq!(index.candidates(&of(number)).records, Vec::from_iter(kept));
        }
        assert_eq!(index.insert(&of(1)).unwrap().get(), 2_000);
        index.remove(RecordNumber(7_000));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(Vec<TaggedToken>),
        Remove(usize),
    }

    /// Few values of each kind, so that many are shared, by fewer records than are too many.
    fn some_tokens() -> impl Strategy<Value = Vec<TaggedToken>> {
        let one = (0..TokenKind::ALL.len(), 0_u8..4).prop_map(|(kind, value)| {
            let bytes = [kind as u8 * 4 + value; 16];
            tagged(TokenKind::ALL[kind], bytes)
        });
        proptest::collection::vec(one, 0..6)
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => some_tokens().prop_map(Step::Insert),
            1 => (0_usize..60).prop_map(Step::Remove),
        ]
    }

    proptest! {
        #[test]
        fn it_finds_what_comparing_with_every_record_finds(
            steps in proptest::collection::vec(step(), 0..60),
            asked in some_tokens(),
        ) {
            let mut index = LinkIndex::new(numbers_only);
            let mut all = LinkIndex::new(every);
            let mut model = BTreeMap::<RecordNumber, BTreeSet<TaggedToken>>::new();
            for step in steps {
                match step {
                    Step::Insert(tokens) => {
                        let number = index.insert(&tokens).unwrap();
                        prop_assert_eq!(all.insert(&tokens), Ok(number));
                        prop_assert!(model.insert(number, tokens.into_iter().collect()).is_none());
                    }
                    Step::Remove(place) => {
                        let number = RecordNumber(place as u32);
                        index.remove(number);
                        all.remove(number);
                        if let Some(tokens) = model.get_mut(&number) {
                            tokens.clear();
                        }
                    }
                }
            }
            for (index, is_key) in [(&index, numbers_only as fn(_) -> _), (&all, every)] {
                let keys: Vec<_> = asked.iter().filter(|of| is_key(of.kind)).collect();
                let shares = |tokens: &BTreeSet<_>| keys.iter().any(|key| tokens.contains(*key));
                let records: Vec<_> = model.iter().filter(|(_, tokens)| shares(tokens)).collect();
                let found = index.candidates(&asked);
                prop_assert!(!found.too_common);
                prop_assert_eq!(found.records, Vec::from_iter(records.iter().map(|one| *one.0)));
                let mut links = Vec::new();
                for (number, tokens) in records {
                    let tokens: Vec<_> = tokens.iter().copied().collect();
                    links.push((*number, tier(&Evidence::between(&asked, &tokens))));
                }
                links.retain(|(_, tier)| *tier != Tier::Never);
                links.sort_by_key(|(number, tier)| (*tier as u8, *number));
                prop_assert_eq!(index.resolve(&asked).links, links);
            }
        }
    }
}
