//! Finds sentences in a language that the screen cannot judge.
//!
//! The word list and the classifier know English, so what is not English was not read. A foreign
//! word, a phrase that somebody said, a dish or a name in an English sentence is no reason: nearly all
//! of a stretch must be words that the corpus has never met.

use super::classifier::Classifier;
use super::fuel::{Fuel, OutOfFuel};
use super::lexicon::Lexicon;
use super::words::Token;

/// Words that are looked at as one stretch.
const STRETCH_WORDS: usize = 12;
/// This many unknown words, and so many to each known one, are another language.
const UNKNOWN_MIN: usize = 4;
const UNKNOWN_TO_KNOWN: usize = 2;

/// Whether a stretch of the sentence is not English.
pub(super) fn is_foreign(
    tokens: &[&Token],
    lexicon: &Lexicon,
    classifier: &Classifier,
    fuel: &mut Fuel,
) -> Result<bool, OutOfFuel> {
    let mut words = Vec::new();
    for token in tokens {
        fuel.spend(2)?;
        if let Some(known) = known(token, lexicon, classifier) {
            words.push(known);
        }
    }
    let is_foreign = |stretch: &[bool]| {
        let known = stretch.iter().filter(|known| **known).count();
        let unknown = stretch.len() - known;
        unknown >= UNKNOWN_MIN && unknown >= UNKNOWN_TO_KNOWN * known
    };
    Ok(words.len() <= STRETCH_WORDS && is_foreign(&words)
        || words.windows(STRETCH_WORDS).any(is_foreign))
}

/// Whether a word is English; none for what says nothing of the language: names, numbers, letters,
/// words without vowels.
fn known(token: &Token, lexicon: &Lexicon, classifier: &Classifier) -> Option<bool> {
    let text = token.text.as_str();
    let known = classifier.has_met(text) || lexicon.vocabulary.is_innocent(text);
    if known {
        return (text.chars().count() > 1).then_some(true);
    }
    let letters = text.chars().count() >= 3 && text.chars().all(char::is_alphabetic);
    let vowel = text
        .chars()
        .any(|ch| matches!(ch, 'a' | 'e' | 'i' | 'o' | 'u' | 'y') || !ch.is_ascii());
    (letters && vowel && !token.capital).then_some(false)
}
