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
//! ([`formats`]) are applied, and each hit is widened to its sentence ([`sentences`]).

mod decode;
mod formats;
mod fuel;
mod hidden;
mod lexicon;
mod matching;
mod normalise;
mod pattern;
mod sentences;
mod spelling;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use formats::Formats;
use fuel::{Fuel, OutOfFuel};
pub use lexicon::BadLexicon;
use lexicon::Lexicon;
use matching::Hit;
use normalise::Glyph;
use words::Lines;

/// Longest note, in code points. Longer text is held unread.
pub const TEXT_CHARS_MAX: usize = 4_000;
/// Most steps that one reading spends: many times what the longest honest note needs.
pub const FUEL_STEPS_MAX: u32 = 12_000_000;
/// The word list that ships with the gateway.
pub const BUILT_IN_LEXICON: &str = include_str!("../../../policies/screen/lexicon.toml");

/// Weight of proxies at which one sentence, or a whole note, is held.
const SENTENCE_WEIGHT_MIN: u32 = 3;
const NOTE_WEIGHT_MIN: u32 = 4;
/// Letters that a reading backwards, or by rot13, must match: short words turn up by chance
/// ("issue" backwards begins like EUSS).
const BACKWARDS_LETTERS_MIN: usize = 8;
const ROT13_LETTERS_MIN: usize = 5;
/// Shortest word in single letters that must be readable.
const SPACED_WORD_CHARS_MIN: usize = 12;

const UNREADABLE_RULE: &str = "unreadable";
const TOO_LONG_RULE: &str = "too-long";
const NO_FUEL_RULE: &str = "too-costly";
const IDENTIFIER_FAMILY: &str = "identifier";
const UNREADABLE_FAMILY: &str = "unreadable";

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

/// A compiled word list. Cheap to share; reading takes `&self`.
pub struct TextScreen {
    lexicon: Lexicon,
    formats: Formats,
}

impl TextScreen {
    /// Compiles a word list: TOML as in `policies/screen/lexicon.toml`.
    pub fn parse(lexicon_toml: &str) -> Result<Self, BadLexicon> {
        let lexicon = Lexicon::parse(lexicon_toml)?;
        let formats = Formats::new().map_err(|error| BadLexicon::BadRule {
            rule: "formats".to_owned(),
            why: error.to_string(),
        })?;
        Ok(Self { lexicon, formats })
    }

    /// The version of the word list, to be logged with each decision.
    pub fn version(&self) -> &str {
        &self.lexicon.version
    }

    /// Reads a text. Pure and bounded: it spends at most [`FUEL_STEPS_MAX`] steps, and text that
    /// would cost more, like text of more than [`TEXT_CHARS_MAX`] code points, is held unread.
    pub fn read(&self, text: &str) -> Finding {
        self.read_with(text, FUEL_STEPS_MAX).0
    }

    /// Reads with a given budget; also says how many steps were spent.
    fn read_with(&self, text: &str, steps: u32) -> (Finding, u32) {
        let length = text.chars().take(TEXT_CHARS_MAX + 1).count();
        if length > TEXT_CHARS_MAX {
            return (Finding::Held(self.unread(TOO_LONG_RULE, text)), 0);
        }
        let mut fuel = Fuel::new(steps);
        let finding = match self.look(text, &mut fuel) {
            Ok(found) => self.judge(text, &found),
            Err(OutOfFuel) => Finding::Held(self.unread(NO_FUEL_RULE, text)),
        };
        (finding, steps - fuel.left())
    }

    /// A text held as a whole.
    fn unread(&self, rule: &str, text: &str) -> Held {
        let end = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        Held {
            label: Label::Unreadable,
            spans: vec![Span { start: 0, end }],
            words: Vec::new(),
            rules: vec![rule.to_owned()],
            suggestion: self.lexicon.suggestion(UNREADABLE_FAMILY).to_owned(),
        }
    }

    fn look(&self, text: &str, fuel: &mut Fuel) -> Result<Found, OutOfFuel> {
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
            decoded = next;
            bases.push(normalise::fold(&decoded, fuel)?);
        }
        found.unreadable.extend(hidden::opaque(&decoded));
        for base in &bases {
            self.look_at_base(base, &mut found, fuel)?;
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
        found: &mut Found,
        fuel: &mut Fuel,
    ) -> Result<(), OutOfFuel> {
        self.look_at_page(base, Lines::Apart, found, fuel)?;
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

    fn look_at_page(
        &self,
        glyphs: &[Glyph],
        lines: Lines,
        found: &mut Found,
        fuel: &mut Fuel,
    ) -> Result<(), OutOfFuel> {
        let tokens = words::tokens(glyphs, lines, fuel)?;
        // As written and as meant: a repaired word must not hide one that was right.
        let repaired = self.lexicon.vocabulary.repair(tokens.clone(), fuel)?;
        found
            .hits
            .extend(matching::hits(&self.lexicon, &tokens, fuel)?);
        if repaired != tokens {
            found
                .hits
                .extend(matching::hits(&self.lexicon, &repaired, fuel)?);
        }
        Ok(())
    }

    /// Adds weights up, widens to sentences, and says what to hold.
    fn judge(&self, text: &str, found: &Found) -> Finding {
        let sentences = sentences::sentences(text);
        let held = self.held_hits(found, &sentences);
        if held.is_empty() && found.numbers.is_empty() && found.unreadable.is_empty() {
            return Finding::Clean;
        }
        let rules = || {
            held.iter()
                .filter_map(|hit| self.lexicon.rules.get(hit.rule))
        };
        let explicit = rules().find(|rule| rule.label == Label::Explicit);
        let label = match (
            explicit,
            found.numbers.is_empty(),
            found.unreadable.is_empty(),
        ) {
            (_, _, false) => Label::Unreadable,
            (Some(_), _, true) | (None, false, true) => Label::Explicit,
            (None, true, true) => Label::Proxy,
        };
        let suggestion = match (
            explicit.or_else(|| rules().next()),
            found.numbers.is_empty(),
        ) {
            (Some(rule), _) => rule.suggestion.as_str(),
            (None, false) => self.lexicon.suggestion(IDENTIFIER_FAMILY),
            (None, true) => self.lexicon.suggestion(UNREADABLE_FAMILY),
        };
        let mut names: BTreeSet<&str> = rules().map(|rule| rule.id.as_str()).collect();
        names.extend(found.numbers.iter().map(|number| number.rule));
        names.extend((!found.unreadable.is_empty()).then_some(UNREADABLE_RULE));
        let words: Vec<Span> = held
            .iter()
            .map(|hit| Span {
                start: hit.start,
                end: hit.end,
            })
            .chain(found.numbers.iter().map(|number| Span {
                start: number.start,
                end: number.end,
            }))
            .chain(found.unreadable.iter().copied())
            .collect();
        Finding::Held(Held {
            label,
            spans: merged(
                words
                    .iter()
                    .map(|span| sentences::widen(*span, &sentences).1)
                    .collect(),
            ),
            words: merged(words),
            rules: names.into_iter().map(str::to_owned).collect(),
            suggestion: suggestion.to_owned(),
        })
    }

    /// The hits that hold: each that holds alone, and proxies whose weights reach the mark.
    fn held_hits(&self, found: &Found, sentences: &[Span]) -> Vec<Hit> {
        let place = |hit: &Hit| {
            sentences::widen(
                Span {
                    start: hit.start,
                    end: hit.end,
                },
                sentences,
            )
            .0
        };
        // Each rule counts once a sentence, and once a note.
        let mut by_sentence: BTreeMap<usize, BTreeMap<usize, u32>> = BTreeMap::new();
        for hit in &found.hits {
            if let Some(weight) = hit.weight {
                by_sentence
                    .entry(place(hit))
                    .or_default()
                    .insert(hit.rule, u32::from(weight));
            }
        }
        let sum = |weights: &BTreeMap<usize, u32>| weights.values().sum::<u32>();
        // Sentences that are held anyway must not drag weak hints elsewhere with them.
        let weak: BTreeMap<usize, u32> = by_sentence
            .values()
            .filter(|weights| sum(weights) < SENTENCE_WEIGHT_MIN)
            .flatten()
            .map(|(rule, weight)| (*rule, *weight))
            .collect();
        let whole_note = sum(&weak) >= NOTE_WEIGHT_MIN;
        let mut held: Vec<Hit> = found
            .hits
            .iter()
            .filter(|hit| {
                hit.weight.is_none()
                    || whole_note
                    || by_sentence
                        .get(&place(hit))
                        .is_some_and(|weights| sum(weights) >= SENTENCE_WEIGHT_MIN)
            })
            .copied()
            .collect();
        held.sort_unstable();
        held.dedup();
        held
    }
}

/// All that the views of one text found.
#[derive(Default)]
struct Found {
    hits: Vec<Hit>,
    numbers: Vec<formats::Number>,
    unreadable: Vec<Span>,
}

impl Found {
    fn is_empty(&self) -> bool {
        self.hits.is_empty() && self.numbers.is_empty() && self.unreadable.is_empty()
    }
}

fn whole(glyphs: &[Glyph]) -> Option<Span> {
    Some(Span {
        start: glyphs.first()?.start,
        end: glyphs.last()?.end,
    })
}

/// Spans in order, those that touch made one.
fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut merged: Vec<Span> = Vec::new();
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => merged.push(span),
        }
    }
    merged
}

#[cfg(test)]
mod tests;
