//! A second opinion on each sentence, learned from a corpus that this project wrote.
//!
//! It adds holds, and is the context that weak rules of the word list ask for; what the list holds
//! alone stays held. Its weights are a small table of
//! signed bytes, made by `training` and by nothing else, so that anyone can make them again. All
//! sums are of whole numbers, so that the same sentence has the same score on every machine.

use super::concepts::Concepts;
use super::features::{self, TABLE_BITS, WINDOW_WORDS};
use super::fuel::{Fuel, OutOfFuel};
use super::lexicon::BadLexicon;
use super::words::Token;

/// First bytes of a file of weights; the last is its version.
const MAGIC: &[u8; 8] = b"FDSCREN2";
/// Places of the table.
pub(super) const PLACES: usize = 1 << TABLE_BITS;
/// Bits that remember the words of the corpus.
pub(super) const MET_BITS: usize = 1 << 18;
const HEADER_BYTES: usize = 8 + 7 * 4;
pub(super) const FILE_BYTES: usize = HEADER_BYTES + 2 * PLACES + MET_BITS / 8;

/// What is learned of a sentence, in thousandths of a log-odds unit against "nothing".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Score {
    pub(super) proxy: i32,
    pub(super) explicit: i32,
}

impl Score {
    /// How much speaks for a hold, of either kind.
    pub(super) fn held(self) -> i32 {
        self.proxy.max(self.explicit)
    }
}

/// The numbers that training chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Settings {
    /// Added to every sentence.
    pub(super) bias: Score,
    /// Thousandths that one step of a weight is worth, before the length of the sentence is
    /// divided out.
    pub(super) step: Score,
    /// A sentence is held from this score.
    pub(super) hold_from: i32,
    /// What the word list names only in part holds from this score.
    pub(super) weak_from: i32,
    /// What one unit of the word list's proxy weights adds.
    pub(super) hint: i32,
}

/// The weights, as they lie in their file.
pub(super) struct Classifier {
    concepts: Concepts,
    settings: Settings,
    proxy: Vec<i8>,
    explicit: Vec<i8>,
    met: Vec<u8>,
}

impl Classifier {
    /// Reads a file of weights: magic, seven numbers, the tables for proxy and explicit, the words met.
    pub(super) fn parse(concepts: &str, bytes: &[u8]) -> Result<Self, BadLexicon> {
        let concepts = Concepts::parse(concepts)?;
        let body = bytes
            .strip_prefix(MAGIC)
            .filter(|_| bytes.len() == FILE_BYTES)
            .ok_or(BadLexicon::BadWeights)?;
        let (numbers, tables) = body
            .split_at_checked(HEADER_BYTES - MAGIC.len())
            .ok_or(BadLexicon::BadWeights)?;
        let mut numbers = numbers
            .as_chunks::<4>()
            .0
            .iter()
            .map(|four| i32::from_le_bytes(*four));
        let mut next = || numbers.next().ok_or(BadLexicon::BadWeights);
        let settings = Settings {
            bias: Score {
                proxy: next()?,
                explicit: next()?,
            },
            step: Score {
                proxy: next()?,
                explicit: next()?,
            },
            hold_from: next()?,
            weak_from: next()?,
            hint: next()?,
        };
        let (proxy, rest) = tables
            .split_at_checked(PLACES)
            .ok_or(BadLexicon::BadWeights)?;
        let (explicit, met) = rest
            .split_at_checked(PLACES)
            .ok_or(BadLexicon::BadWeights)?;
        let signed = |bytes: &[u8]| bytes.iter().map(|byte| byte.cast_signed()).collect();
        Ok(Self {
            concepts,
            settings,
            proxy: signed(proxy),
            explicit: signed(explicit),
            met: met.to_vec(),
        })
    }

    pub(super) fn settings(&self) -> Settings {
        self.settings
    }

    /// The highest score of any stretch of a sentence.
    pub(super) fn score(&self, tokens: &[&Token], fuel: &mut Fuel) -> Result<Score, OutOfFuel> {
        let mut best: Option<Score> = None;
        let mut from = 0;
        loop {
            let window = tokens
                .get(from..tokens.len().min(from + WINDOW_WORDS))
                .unwrap_or_default();
            if window.is_empty() {
                break;
            }
            let score = self.score_window(window, fuel)?;
            if best.is_none_or(|best| score.held() > best.held()) {
                best = Some(score);
            }
            if from + WINDOW_WORDS >= tokens.len() {
                break;
            }
            from += WINDOW_WORDS / 2;
        }
        Ok(best.unwrap_or(Score {
            proxy: i32::MIN,
            explicit: i32::MIN,
        }))
    }

    fn score_window(&self, tokens: &[&Token], fuel: &mut Fuel) -> Result<Score, OutOfFuel> {
        let places = features::features(tokens, &self.concepts, fuel)?;
        let root = scaled_root(places.len());
        let sum = |table: &[i8]| -> i64 {
            places
                .iter()
                .filter_map(|place| table.get(usize::try_from(*place).ok()?))
                .map(|weight| i64::from(*weight))
                .sum()
        };
        let score = |table: &[i8], step: i32, bias: i32| {
            let value = sum(table) * i64::from(step) * ROOT_SCALE / root + i64::from(bias);
            i32::try_from(value).unwrap_or(i32::MAX)
        };
        let Settings { bias, step, .. } = self.settings;
        Ok(Score {
            proxy: score(&self.proxy, step.proxy, bias.proxy),
            explicit: score(&self.explicit, step.explicit, bias.explicit),
        })
    }

    /// Whether the corpus has the word (or, rarely, another that shares its places).
    pub(super) fn has_met(&self, word: &str) -> bool {
        met_places(word).all(|place| {
            self.met
                .get(place / 8)
                .is_some_and(|byte| byte & (1 << (place % 8)) != 0)
        })
    }
}

const ROOT_SCALE: i64 = 1_000;

/// The square root of a count, times [`ROOT_SCALE`]; at least one.
fn scaled_root(count: usize) -> i64 {
    let count = u64::try_from(count).unwrap_or(u64::MAX / 1_000_000);
    i64::try_from((count * 1_000_000).isqrt())
        .unwrap_or(i64::MAX)
        .max(1)
}

/// The bits that stand for a word.
pub(super) fn met_places(word: &str) -> impl Iterator<Item = usize> {
    let hash = features::hash(word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    [hash >> 40, (hash >> 16) & 0xff_ffff, hash & 0xff_ffff]
        .into_iter()
        .filter_map(|bits| usize::try_from(bits).ok())
        .map(|bits| bits % MET_BITS)
}

/// Weights that hold nothing and know every word: to see what the lists do alone.
pub(super) fn silent(weak_from: i32) -> Vec<u8> {
    let settings = Settings {
        hold_from: i32::MAX,
        weak_from,
        ..Settings::default()
    };
    let none = vec![0; PLACES];
    file(settings, &none, &none, &[u8::MAX; MET_BITS / 8])
}

/// The file of weights.
pub(super) fn file(settings: Settings, proxy: &[i8], explicit: &[i8], met: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for number in [
        settings.bias.proxy,
        settings.bias.explicit,
        settings.step.proxy,
        settings.step.explicit,
        settings.hold_from,
        settings.weak_from,
        settings.hint,
    ] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(proxy.iter().map(|weight| weight.cast_unsigned()));
    bytes.extend(explicit.iter().map(|weight| weight.cast_unsigned()));
    bytes.extend(met);
    bytes
}
