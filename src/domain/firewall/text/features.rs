//! What the classifier sees of a sentence: which words, endings and meanings it has, and which of
//! them together.
//!
//! A feature is a number only: the words are hashed into a table, so the weights hold no text. The
//! same code makes the features of the corpus and of a note, or the weights would mean nothing.

use super::concepts::Concepts;
use super::fuel::{Fuel, OutOfFuel};
use super::words::Token;

/// The table has two to this power of places.
pub(super) const TABLE_BITS: u32 = 18;
/// Longest stretch that is looked at as one: the weights were learned from sentences of this kind,
/// and a statement must not drown in a long line.
pub(super) const WINDOW_WORDS: usize = 40;
/// How far meanings may stand apart to count as together: two, and three that tell.
const PAIR_WORDS: usize = 12;
const THREE_WORDS: usize = 10;
/// Letters of the pieces of words, and of the part of a word that is cut up.
const PIECE_CHARS: [usize; 2] = [4, 5];
const PIECED_CHARS_MAX: usize = 24;

/// What a feature is made of. The numbers are part of the hash: a new kind gets a new one.
#[derive(Clone, Copy)]
enum Kind {
    Word = 1,
    Meaning = 2,
    TwoWords = 3,
    TwoMeanings = 4,
    Together = 8,
    Piece = 9,
    ThreeTogether = 10,
    ApartWords = 12,
    ThreeMeanings = 13,
    /// A step on the way to one of the others.
    Step = 11,
}

/// What one word gives, ready to be combined.
struct Word {
    hash: u64,
    /// As its set, or as itself when it has none.
    meaning: u64,
    in_set: bool,
    telling: bool,
}

/// The places of the table that a stretch of words touches, each once and in order.
pub(super) fn features(
    tokens: &[&Token],
    concepts: &Concepts,
    fuel: &mut Fuel,
) -> Result<Vec<u32>, OutOfFuel> {
    let mut found: Vec<u64> = Vec::with_capacity(tokens.len() * 24);
    let mut words: Vec<Word> = Vec::with_capacity(tokens.len());
    for token in tokens {
        fuel.spend(1 + token.text.len().min(PIECED_CHARS_MAX))?;
        let text = shape(&token.text);
        let hash = hash(&text);
        let set = concepts.of(&text);
        words.push(Word {
            hash,
            meaning: if set == 0 { hash } else { u64::from(set) },
            in_set: set != 0,
            telling: concepts.is_telling(set),
        });
        pieces(&text, &mut found);
    }
    for (at, word) in words.iter().enumerate() {
        fuel.spend(6)?;
        found.push(mix(Kind::Word, word.hash, 0));
        if let Some(next) = words.get(at + 1) {
            found.push(mix(Kind::TwoWords, word.hash, next.hash));
            found.push(mix(Kind::TwoMeanings, word.meaning, next.meaning));
            if let Some(third) = words.get(at + 2) {
                found.push(mix(Kind::ApartWords, word.meaning, third.meaning));
                let step = mix(Kind::Step, word.meaning, next.meaning);
                found.push(mix(Kind::ThreeMeanings, step, third.meaning));
            }
        }
        if word.in_set {
            found.push(mix(Kind::Meaning, word.meaning, 0));
            let after = words.get(at + 1..).unwrap_or_default();
            together(word, after, &mut found, fuel)?;
        }
    }
    fuel.spend(found.len())?;
    let mut places: Vec<u32> = found
        .into_iter()
        .filter_map(|feature| u32::try_from(feature >> (64 - TABLE_BITS)).ok())
        .collect();
    places.sort_unstable();
    places.dedup();
    Ok(places)
}

/// Meanings that stand near each other, in whatever order.
fn together(
    word: &Word,
    after: &[Word],
    found: &mut Vec<u64>,
    fuel: &mut Fuel,
) -> Result<(), OutOfFuel> {
    for other in after.iter().take(PAIR_WORDS).filter(|word| word.in_set) {
        let (low, high) = (
            word.meaning.min(other.meaning),
            word.meaning.max(other.meaning),
        );
        found.push(mix(Kind::Together, low, high));
    }
    if !word.telling {
        return Ok(());
    }
    let near: Vec<u64> = after
        .iter()
        .take(THREE_WORDS)
        .filter(|word| word.telling)
        .map(|word| word.meaning)
        .collect();
    fuel.spend(near.len() * near.len() / 2)?;
    for (at, second) in near.iter().enumerate() {
        for third in near.iter().skip(at + 1) {
            let mut three = [word.meaning, *second, *third];
            three.sort_unstable();
            let [low, middle, high] = three;
            if low != middle && middle != high {
                let step = mix(Kind::Step, low, middle);
                found.push(mix(Kind::ThreeTogether, step, high));
            }
        }
    }
    Ok(())
}

/// A word with its digits made one: "14/03" and "12/11" are the same to the classifier.
fn shape(text: &str) -> String {
    text.chars()
        .map(|ch| if ch.is_ascii_digit() { '0' } else { ch })
        .collect()
}

/// Runs of letters inside a word, its borders included: "deport" is in "deportation".
fn pieces(text: &str, found: &mut Vec<u64>) {
    let letters: Vec<u64> = std::iter::once('<')
        .chain(text.chars().take(PIECED_CHARS_MAX))
        .chain(std::iter::once('>'))
        .map(u64::from)
        .collect();
    for run in PIECE_CHARS.iter().flat_map(|chars| letters.windows(*chars)) {
        let piece = run
            .iter()
            .fold(0, |hash, letter| mix(Kind::Piece, hash, *letter));
        found.push(piece);
    }
}

/// A word as a number; also for the words that the classifier has met. FNV-1a.
pub(super) fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Two numbers and what they stand for, as one.
fn mix(kind: Kind, first: u64, second: u64) -> u64 {
    let mut value = first
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(31)
        .wrapping_add(second)
        .wrapping_mul(0xbf58_476d_1ce4_e5b9)
        .wrapping_add(kind as u64)
        .wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^= value >> 29;
    value = value.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value ^ (value >> 32)
}
