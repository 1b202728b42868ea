//! The text screen: finds words about immigration in free text, and never lets them through.
//!
//! It is the last line, not the promise: forms have no place for such words in the first place.
//! It fails closed: text that is too long, hidden, in letters it cannot read, or that costs more
//! steps than allowed is held as well. It can only add a hold, and it keeps no text: what it
//! found is shown to the author from the author's own copy, and to nobody else. Which rule fired
//! must never reach a reader that the author did not choose, because the rule names the secret.
//!
//! How a text is read: as it is and decoded ([`decode`]); folded to plain letters with the place
//! of each kept ([`normalise`]); cut into words in several ways ([`words`]); slips of the pen read
//! as meant ([`spelling`]); then the word list ([`lexicon`]) and the shapes of numbers
//! ([`formats`]) are applied. A small classifier ([`classifier`]) reads each sentence for what no list
//! names, and whether what the list names only in part is meant. Each hit is widened to its sentence
//! ([`sentences`], [`verdict`]).
//! Only a reviewed sentence about services passes as a whole ([`general`]).

mod classifier;
mod concepts;
mod decode;
mod features;
mod formats;
mod fuel;
mod general;
mod hidden;
mod language;
mod lexicon;
mod matching;
mod normalise;
mod pattern;
mod sentences;
mod spelling;
pub mod training;
mod verdict;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use classifier::{Classifier, Score};
use features::WINDOW_WORDS;
use formats::Formats;
use fuel::{Fuel, OutOfFuel};
use general::General;
pub use lexicon::BadLexicon;
use lexicon::Lexicon;
use matching::Hit;
use normalise::Glyph;
use sha2::{Digest, Sha256};
use verdict::SENTENCE_WEIGHT_MIN;
use words::{Lines, Token};

/// Longest text, in bytes. Longer text is held unread; each field of a form has its own limit.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Most steps that one reading spends: so many for any text and so many for each byte, half as much
/// again as honest text needs, so that no text takes long.
const FUEL_STEPS_ANY: u32 = 120_000;
const FUEL_STEPS_BYTE: u32 = 100;

/// Letters that a reading backwards, or by rot13, must match: short words turn up by chance
/// ("issue" backwards begins like EUSS).
const BACKWARDS_LETTERS_MIN: usize = 8;
const ROT13_LETTERS_MIN: usize = 5;
/// Shortest word in single letters that must be readable.
const SPACED_WORD_CHARS_MIN: usize = 12;

const TOO_LONG_RULE: &str = "too-long";
const NO_FUEL_RULE: &str = "too-costly";
const FAILED_RULE: &str = "failed";

/// What a screen is made of. The lists are data that practitioners review; the weights are made
/// from the corpus beside them ([`training`]).
#[derive(Clone, Copy, Debug)]
pub struct Lists<'a> {
    /// TOML as in `policies/screen/lexicon.toml`.
    pub lexicon: &'a str,
    /// TOML as in `policies/screen/general.toml`.
    pub general: &'a str,
    /// TOML as in `policies/screen/concepts.toml`: of the weights, which mean nothing with another.
    pub concepts: &'a str,
    /// As [`training`] writes them.
    pub weights: &'a [u8],
}

impl Lists<'static> {
    /// What ships with the gateway.
    pub const BUILT_IN: Self = Self {
        lexicon: include_str!("../../../policies/screen/lexicon.toml"),
        general: include_str!("../../../policies/screen/general.toml"),
        concepts: include_str!("../../../policies/screen/concepts.toml"),
        weights: include_bytes!("../../../policies/screen/weights.bin"),
    };
}

/// Where words stand: code points `[start, end)` of the original text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

/// How plainly held text tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// States a status, a permission, a route or an immigration number.
    Explicit,
    /// Suggests one.
    Proxy,
    /// Hidden, foreign, too long or too costly: held unread.
    Unreadable,
}

/// What the screen says of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    Clean,
    Held(Held),
}

/// Why a text is held. It holds places, never text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub label: Label,
    /// Whole sentences, in order and apart.
    pub spans: Vec<Span>,
    /// The words that matched, in order and apart.
    pub words: Vec<Span>,
    /// Rules that fired, sorted. For the author and for tests; never for a log that others read.
    pub rules: Vec<String>,
    /// Neutral wording to offer the author.
    pub suggestion: String,
}

impl Held {
    /// The words that matched, from the author's own copy of the text. For the author only.
    pub fn words_in<'a>(&self, text: &'a str) -> Vec<&'a str> {
        let places: Vec<usize> = text
            .char_indices()
            .map(|(at, _)| at)
            .chain([text.len()])
            .collect();
        let place = |at: u32| {
            usize::try_from(at)
                .ok()
                .and_then(|at| places.get(at).copied())
        };
        self.words
            .iter()
            .filter_map(|span| text.get(place(span.start)?..place(span.end)?))
            .collect()
    }
}

/// Compiled lists. Cheap to share; reading takes `&self`.
pub struct TextScreen {
    version: String,
    lexicon: Lexicon,
    general: General,
    formats: Formats,
    classifier: Classifier,
}

impl TextScreen {
    /// Compiles lists; an error names the rule to mend.
    pub fn parse(lists: &Lists<'_>) -> Result<Self, BadLexicon> {
        let lexicon = Lexicon::parse(lists.lexicon)?;
        let formats = Formats::new().map_err(|error| BadLexicon::BadRule {
            rule: "formats".to_owned(),
            why: error.to_string(),
        })?;
        Ok(Self {
            version: version(&lexicon.version, lists),
            lexicon,
            general: General::parse(lists.general)?,
            formats,
            classifier: Classifier::parse(lists.concepts, lists.weights)?,
        })
    }

    /// The version of the word list, and a fingerprint of all lists and weights, to be logged with
    /// each decision.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Reads a text. Pure and bounded: text of more than [`TEXT_BYTES_MAX`], or that would cost more
    /// steps than honest text of its length, is held unread; so is text on which the screen fails.
    pub fn read(&self, text: &str) -> Finding {
        if text.len() > TEXT_BYTES_MAX {
            return Finding::Held(self.unread(TOO_LONG_RULE, text));
        }
        let steps = fuel_for(text);
        self.or_held(text, || self.read_with(text, steps).0)
    }

    /// Holds a text on which the screen fails. It must not pass because a rule broke on it, and her
    /// offer must not fail either. Nothing is shared and changed, so nothing is left half done.
    fn or_held(&self, text: &str, read: impl FnOnce() -> Finding) -> Finding {
        catch_unwind(AssertUnwindSafe(read))
            .unwrap_or_else(|_| Finding::Held(self.unread(FAILED_RULE, text)))
    }

    /// Reads with a given budget; also says how many steps were spent.
    fn read_with(&self, text: &str, steps: u32) -> (Finding, u32) {
        let mut fuel = Fuel::new(steps);
        let sentences = sentences::sentences(text);
        let finding = match self.look(text, &sentences, &mut fuel) {
            Ok(found) => self.judge(found, &sentences),
            Err(OutOfFuel) => Finding::Held(self.unread(NO_FUEL_RULE, text)),
        };
        (finding, steps - fuel.left())
    }

    /// The proxy weights of a text, each rule once: what training adds to its own scores.
    fn hints(&self, text: &str) -> Result<i32, OutOfFuel> {
        let found = self.look(text, &sentences::sentences(text), &mut Fuel::new(u32::MAX))?;
        let weights: BTreeSet<(usize, u8)> = found
            .hits
            .iter()
            .filter_map(|hit| Some((hit.rule, hit.weight?)))
            .collect();
        Ok(weights.iter().map(|(_, weight)| i32::from(*weight)).sum())
    }

    /// A text held as a whole.
    fn unread(&self, rule: &str, text: &str) -> Held {
        let end = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        Held {
            label: Label::Unreadable,
            spans: vec![Span { start: 0, end }],
            words: Vec::new(),
            rules: vec![rule.to_owned()],
            suggestion: self
                .lexicon
                .suggestion(verdict::UNREADABLE_FAMILY)
                .to_owned(),
        }
    }

    fn look(&self, text: &str, sentences: &[Span], fuel: &mut Fuel) -> Result<Found, OutOfFuel> {
        let original = normalise::raw(text);
        let mut found = Found {
            unreadable: hidden::unreadable(&original),
            ..Found::default()
        };
        let mut bases = vec![normalise::fold(&original, fuel)?];
        let mut decoded = original;
        for depth in 0..=decode::DEPTH_MAX {
            let Some(next) = decode::decode(&decoded, fuel)? else {
                break;
            };
            if depth == decode::DEPTH_MAX {
                found.unreadable.extend(whole(&next));
            }
            let near = decode::near_changes(&decoded, &next, sentences, fuel)?;
            bases.push(normalise::fold(&near, fuel)?);
            decoded = next;
        }
        found.unreadable.extend(hidden::opaque(&decoded));
        for (round, base) in bases.iter().enumerate() {
            self.look_at_base(base, round == 0, &mut found, fuel)?;
            self.look_at_sentences(base, round == 0, sentences, &mut found, fuel)?;
        }
        if found.is_empty() {
            for base in &bases {
                self.look_backwards(base, &mut found, fuel)?;
            }
        }
        Ok(found)
    }

    /// Every straight reading of folded text.
    fn look_at_base(
        &self,
        base: &[Glyph],
        as_written: bool,
        found: &mut Found,
        fuel: &mut Fuel,
    ) -> Result<(), OutOfFuel> {
        let before = found.hits.len();
        let as_they_stand = self.look_at_page(base, Lines::Apart, found, fuel)?;
        for hit in found.hits.iter_mut().skip(before).take(as_they_stand) {
            hit.plain = as_written;
        }
        if base.iter().any(|glyph| glyph.ch == '\n') {
            self.look_at_page(base, Lines::Joined, found, fuel)?;
        }
        if let Some(unglued) = words::unglued(base, fuel)? {
            self.look_at_page(&unglued, Lines::Apart, found, fuel)?;
        }
        if let Some(closed) = words::closed_up(base, fuel)? {
            self.look_at_page(&closed, Lines::Apart, found, fuel)?;
            for token in words::tokens(&closed, Lines::Apart, fuel)? {
                let letters = token.text.chars().count();
                let width = usize::try_from(token.end - token.start).unwrap_or(usize::MAX);
                let spaced = letters >= SPACED_WORD_CHARS_MIN && width >= 2 * letters - 1;
                if spaced && !self.lexicon.vocabulary.reads(&token.text, fuel)? {
                    found.unreadable.push(Span {
                        start: token.start,
                        end: token.end,
                    });
                }
            }
        }
        found.numbers.extend(self.formats.find(base, fuel)?);
        Ok(())
    }

    /// What is learned rather than listed: by sentence, in words as they stand.
    fn look_at_sentences(
        &self,
        base: &[Glyph],
        as_written: bool,
        sentences: &[Span],
        found: &mut Found,
        fuel: &mut Fuel,
    ) -> Result<(), OutOfFuel> {
        let tokens = words::tokens(base, Lines::Joined, fuel)?;
        let mut by_sentence: BTreeMap<usize, Vec<&Token>> = BTreeMap::new();
        for token in tokens.iter().filter(|token| !token.is_stop()) {
            fuel.spend(4)?;
            let span = Span {
                start: token.start,
                end: token.end,
            };
            let at = sentences::widen(span, sentences).0;
            by_sentence.entry(at).or_default().push(token);
        }
        for (at, words) in &by_sentence {
            let score = self.classifier.score(words, fuel)?;
            let best = found.scores.entry(*at).or_insert(score);
            if score.held() > best.held() {
                *best = score;
            }
            if language::is_foreign(words, &self.lexicon, &self.classifier, fuel)? {
                found.foreign.insert(*at);
            }
            if as_written && self.general.has(words) {
                found.general.insert(*at);
            }
        }
        for ((at, words), (next, more)) in by_sentence.iter().zip(by_sentence.iter().skip(1)) {
            if words.len() + more.len() <= WINDOW_WORDS {
                let both: Vec<&Token> = words.iter().chain(more).copied().collect();
                let score = self.classifier.score(&both, fuel)?;
                found.pairs.push((*at, *next, score));
            }
        }
        Ok(())
    }

    /// Readings that honest text never needs, tried only when no other found anything.
    fn look_backwards(
        &self,
        base: &[Glyph],
        found: &mut Found,
        fuel: &mut Fuel,
    ) -> Result<(), OutOfFuel> {
        for (odd, least) in [
            (words::reversed(base), BACKWARDS_LETTERS_MIN),
            (words::rot13(base), ROT13_LETTERS_MIN),
        ] {
            // Spelling is not repaired here: nearly every word of honest text would look like a slip.
            let tokens = words::tokens(&odd, Lines::Apart, fuel)?;
            let hits = matching::hits(&self.lexicon, &tokens, fuel)?;
            let holds = |hit: &Hit| {
                hit.letters >= least
                    && hit
                        .weight
                        .is_none_or(|weight| u32::from(weight) >= SENTENCE_WEIGHT_MIN)
            };
            found.hits.extend(hits.into_iter().filter(holds));
        }
        Ok(())
    }

    /// Adds the hits of one reading; says how many are of the words as they stand, which come first.
    fn look_at_page(
        &self,
        glyphs: &[Glyph],
        lines: Lines,
        found: &mut Found,
        fuel: &mut Fuel,
    ) -> Result<usize, OutOfFuel> {
        let tokens = words::tokens(glyphs, lines, fuel)?;
        // As written and as meant: a repaired word must not hide one that was right.
        let repaired = self.lexicon.vocabulary.repair(tokens.clone(), fuel)?;
        let hits = matching::hits(&self.lexicon, &tokens, fuel)?;
        let as_they_stand = hits.len();
        found.hits.extend(hits);
        if repaired != tokens {
            found
                .hits
                .extend(matching::hits(&self.lexicon, &repaired, fuel)?);
        }
        Ok(as_they_stand)
    }
}

/// All that the views of one text found.
#[derive(Default)]
struct Found {
    hits: Vec<Hit>,
    numbers: Vec<formats::Number>,
    unreadable: Vec<Span>,
    /// What the classifier says of each sentence, by its number.
    scores: BTreeMap<usize, Score>,
    /// What it says of two short ones that follow each other: "Her time here is up in May. He knows
    /// it."
    pairs: Vec<(usize, usize, Score)>,
    /// Sentences in another language, and reviewed general ones.
    foreign: BTreeSet<usize>,
    general: BTreeSet<usize>,
}

impl Found {
    fn is_empty(&self) -> bool {
        self.hits.is_empty() && self.numbers.is_empty() && self.unreadable.is_empty()
    }
}

/// The steps that a text may cost.
fn fuel_for(text: &str) -> u32 {
    let bytes = u32::try_from(text.len()).unwrap_or(u32::MAX);
    FUEL_STEPS_ANY.saturating_add(bytes.saturating_mul(FUEL_STEPS_BYTE))
}

/// The version of the word list and the first bytes of a hash of everything that decides.
fn version(name: &str, lists: &Lists<'_>) -> String {
    let mut hash = Sha256::new();
    for part in [
        lists.lexicon.as_bytes(),
        lists.general.as_bytes(),
        lists.concepts.as_bytes(),
        lists.weights,
    ] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(part);
    }
    let print: String = hash
        .finalize()
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{name}+{print}")
}

fn whole(glyphs: &[Glyph]) -> Option<Span> {
    Some(Span {
        start: glyphs.first()?.start,
        end: glyphs.last()?.end,
    })
}

#[cfg(test)]
mod tests;
