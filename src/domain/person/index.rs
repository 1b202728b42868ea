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
mod tests {
    use super::super::token::Token;
    use super::super::{RawFields, RawIdentifier, TokenKeys, resolve, resolve_known};
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
        bytes[6] = 2;
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

    /// Few values of each kind, so that many are shared, by fewer records than are too many. A date
    /// of birth comes with all that is made of one, as it always does.
    fn some_tokens() -> impl Strategy<Value = Vec<TaggedToken>> {
        const DATED: [TokenKind; 4] = [
            TokenKind::Birth,
            TokenKind::BirthYear,
            TokenKind::BirthSlip,
            TokenKind::BirthSwap,
        ];
        let one = (0..TokenKind::ALL.len(), 0_u8..4).prop_map(|(kind, value)| {
            let kind = TokenKind::ALL[kind];
            let of = |kind: TokenKind| tagged(kind, [kind as u8 * 4 + value; 16]);
            if DATED.contains(&kind) {
                DATED.map(of).to_vec()
            } else {
                vec![of(kind)]
            }
        });
        proptest::collection::vec(one, 0..6).prop_map(|some| some.concat())
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => some_tokens().prop_map(Step::Insert),
            1 => (0_usize..60).prop_map(Step::Remove),
        ]
    }

    /// Of few names and dates, so that most are near each other in one way or another.
    fn somebody() -> impl Strategy<Value = Vec<TaggedToken>> {
        const GIVEN: [&str; 9] = [
            "Amina",
            "Aminah",
            "Amna",
            "Amira",
            "Mohammed Ali",
            "Ali",
            "Kate",
            "Katherine",
            "Khan",
        ];
        const BIRTHS: [&str; 5] = [BORN, "1990-02-05", "1990-05-03", "1990-01-01", ""];
        let picks = (
            0..GIVEN.len(),
            0..GIVEN.len(),
            0..BIRTHS.len(),
            0..3_usize,
            0..3_usize,
        );
        picks.prop_map(|(given, family, birth, nhs, home)| {
            let mut fields = RawFields::default();
            fields.given_name = Some(GIVEN[given].to_owned());
            fields.family_name = Some(GIVEN[family].to_owned());
            fields.birth_date = Some(BIRTHS[birth].to_owned());
            fields.nhs_number = Some(["", N1, N2][nhs].to_owned());
            fields.postcode = Some(["", "E8 1DY", "N1 9GU"][home].to_owned());
            let keys = TokenKeys::derive(&[7; 32]);
            let raw = RawIdentifier::new(fields);
            resolve_known(raw, &keys, date(2026, 11, 20))
                .0
                .tokens()
                .to_vec()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn people_near_each_other_are_linked_as_if_each_were_compared_with_all(
            held in proptest::collection::vec(somebody(), 0..20),
            asked in proptest::collection::vec(somebody(), 1..4),
        ) {
            let mut index = LinkIndex::new(TokenKind::is_key);
            for tokens in &held {
                index.insert(tokens).unwrap();
            }
            for asked in asked {
                let mut links = Vec::new();
                for (number, tokens) in (0..).zip(&held) {
                    let key = asked.iter().any(|of| of.kind.is_key() && tokens.contains(of));
                    let tier = tier(&Evidence::between(&asked, tokens));
                    if key && tier != Tier::Never {
                        links.push((RecordNumber(number), tier));
                    }
                }
                links.sort_by_key(|(number, tier)| (*tier as u8, *number));
                prop_assert_eq!(index.resolve(&asked).links, links);
            }
        }
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
