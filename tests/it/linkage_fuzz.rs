//! Names, dates and numbers of every script, whole and mangled: no panic, no endless list of tokens,
//! the same answer both ways round.
//!
//! As for the text screen a loop of our own, which mixes the published vectors with what breaks
//! folding. Every day a fixed number of people; in the long tier for ten minutes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::time::{Duration, Instant};

use firedoor::domain::person::{
    Evidence, RawFields, RawIdentifier, Tier, TokenKeys, resolve, resolve_known, tier,
};
use jiff::civil::date;

use crate::screen_fuzz::Random;
use crate::tier as size;

const PEOPLE: u64 = 2_000;
const LONG_SECONDS: u32 = 600;
const TOKENS_MAX: usize = 256;

const VECTORS: &str = include_str!("../../src/domain/person/vectors.tsv");
const PIECES: [&str; 40] = [
    "",
    " ",
    "-",
    "'",
    "’",
    ".",
    ",",
    "/",
    "\0",
    "\u{301}",
    "\u{200b}",
    "\u{202e}",
    "\u{feff}",
    "ß",
    "ẞ",
    "İ",
    "ı",
    "ǆ",
    "ﬁ",
    "ﷺ",
    "ʻ",
    "ø",
    "Þ",
    "李",
    "ﾊ",
    "ओ",
    "ศ",
    "عبد",
    "בן",
    "Ω",
    "🇬🇧",
    "👩‍👧",
    "van ",
    "de la ",
    "O'",
    "Mc",
    "al-",
    "unknown",
    "baby of",
    "9",
];

struct People<'a> {
    random: Random,
    vectors: Vec<(&'a str, &'a str)>,
}

impl People<'_> {
    /// One of the vectors of a kind, whole or mangled; or letters of anything.
    fn field(&mut self, kind: &str) -> String {
        let known: Vec<&str> = self
            .vectors
            .iter()
            .filter(|(of, _)| *of == kind)
            .map(|(_, written)| *written)
            .collect();
        let mut letters: Vec<char> = known[self.random.below(known.len())].chars().collect();
        match self.random.below(5) {
            0 | 1 => {}
            2 => {
                for _ in 0..1 + self.random.below(4) {
                    let at = self.random.below(letters.len() + 1);
                    let piece = PIECES[self.random.below(PIECES.len())];
                    letters.splice(at..at, piece.chars());
                }
            }
            3 => {
                letters = (0..self.random.below(300))
                    .filter_map(|_| {
                        char::from_u32(u32::try_from(self.random.below(0x11_0000)).unwrap())
                    })
                    .collect();
            }
            _ => {
                let at = self.random.below(letters.len() + 1);
                letters.truncate(at);
            }
        }
        letters.into_iter().collect()
    }

    fn some(&mut self, kind: &str) -> Option<String> {
        (self.random.below(4) != 0).then(|| self.field(kind))
    }

    fn person(&mut self) -> RawFields {
        let mut fields = RawFields::default();
        fields.given_name = self.some("name");
        fields.family_name = self.some("name");
        fields.birth_date = self.some("birth_date");
        fields.nhs_number = self.some("nhs_number");
        fields.postcode = self.some("postcode");
        fields.address_line = self.some("address_line");
        for _ in 0..self.random.below(3) {
            fields.other_names.push(self.field("name"));
            fields.phone.push(self.field("phone"));
            fields.email.push(self.field("email"));
        }
        fields
    }
}

#[test]
fn no_person_breaks_the_linkage() {
    let vectors = VECTORS.lines().filter(|line| !line.starts_with('#'));
    let vectors = vectors.filter_map(|line| {
        let (kind, rest) = line.split_once('\t')?;
        Some((kind, rest.split('\t').next()?))
    });
    let mut people = People {
        random: Random(2),
        vectors: vectors.collect(),
    };
    let keys = TokenKeys::derive(&[7; 32]);
    let today = date(2026, 11, 20);
    let long = Duration::from_secs(size::size(0, LONG_SECONDS).into());
    let begun = Instant::now();
    let (mut read, mut accepted, mut linked) = (0_u64, 0_u64, 0_u64);
    while read < PEOPLE || begun.elapsed() < long {
        // The same person twice, but for one field of the second.
        let again = people.random.clone();
        let one = people.person();
        let after = std::mem::replace(&mut people.random, again);
        let mut other = people.person();
        people.random = after;
        match people.random.below(4) {
            0 => other.given_name = people.some("name"),
            1 => other.family_name = people.some("name"),
            2 => other.birth_date = people.some("birth_date"),
            _ => other.nhs_number = people.some("nhs_number"),
        }
        let (one, _) = resolve_known(RawIdentifier::new(one), &keys, today);
        let (two, _) = resolve_known(RawIdentifier::new(other), &keys, today);
        let (one, two) = (one.tokens(), two.tokens());
        assert!(one.len() <= TOKENS_MAX, "{}", one.len());
        assert!(one.is_sorted());
        let found = tier(&Evidence::between(one, two));
        assert_eq!(found, tier(&Evidence::between(two, one)));
        linked += u64::from(found != Tier::Never);
        let strict = resolve(RawIdentifier::new(people.person()), &keys, today);
        accepted += u64::from(strict.is_ok());
        read += 1;
    }
    assert!(accepted > 0 && linked > 0, "{accepted} {linked} of {read}");
}
