//! Reads misspelt words as the word of the list that was meant: "imigration", "1mm1gr4t10n",
//! "immgrtn", "immigrationstatus".
//!
//! It never touches a word that the list knows or that is on its list of innocent words
//! (refuge, resource), so a right word is never bent into a wrong one.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::fuel::{Fuel, OutOfFuel};
use super::pattern::{PREFIX_CHARS_MIN, Word};
use super::words::Token;

/// Shortest word that may be one letter away from a word of the list.
const FUZZY_CHARS_MIN: usize = 6;
/// Shortest word of the list that it may be away from: acronyms such as MVDAC have five letters.
const FUZZY_TARGET_CHARS_MIN: usize = 5;
/// Shortest run of letters that is tried as several words written as one.
const GLUED_CHARS_MIN: usize = 7;
const GLUED_CHARS_MAX: usize = 64;
const GLUED_WORDS_MAX: usize = 12;
/// Shortest skeleton of consonants, and shortest word that it may stand for.
const SKELETON_CHARS_MIN: usize = 4;
const SKELETON_TARGET_CHARS_MIN: usize = 5;

/// Every word that the list names.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    words: HashSet<String>,
    prefixes: HashSet<String>,
    innocent: HashSet<String>,
    /// Long words by first letter, in order, so that the first match is always the same one.
    by_letter: BTreeMap<char, BTreeSet<String>>,
    skeletons: HashMap<String, String>,
    longest: usize,
}

impl Vocabulary {
    pub(super) fn add(&mut self, word: &Word) {
        if word.prefix {
            self.prefixes.insert(word.text.clone());
        } else {
            self.add_text(&word.text);
        }
    }

    pub(super) fn add_text(&mut self, text: &str) {
        if !self.words.insert(text.to_owned()) {
            return;
        }
        let length = text.chars().count();
        self.longest = self.longest.max(length);
        if !text.is_ascii() {
            return;
        }
        if let (Some(first), true) = (text.chars().next(), length >= FUZZY_TARGET_CHARS_MIN) {
            self.by_letter
                .entry(first)
                .or_default()
                .insert(text.to_owned());
        }
        let skeleton = skeleton(text);
        if length >= SKELETON_TARGET_CHARS_MIN && skeleton.chars().count() >= SKELETON_CHARS_MIN {
            // The alphabetically first word wins, whatever the order of the list.
            let word = self
                .skeletons
                .entry(skeleton)
                .or_insert_with(|| text.to_owned());
            if text < word.as_str() {
                *word = text.to_owned();
            }
        }
    }

    pub(super) fn add_innocent(&mut self, text: &str) {
        self.innocent.insert(text.to_owned());
    }

    pub(super) fn knows(&self, text: &str) -> bool {
        self.words.contains(text)
            || text
                .char_indices()
                .skip(PREFIX_CHARS_MIN - 1)
                .filter_map(|(at, ch)| text.get(..at + ch.len_utf8()))
                .any(|beginning| self.prefixes.contains(beginning))
    }

    pub(super) fn is_innocent(&self, text: &str) -> bool {
        self.innocent.contains(text)
    }

    /// Whether the list names the whole word.
    pub(super) fn has_whole(&self, text: &str) -> bool {
        self.words.contains(text)
    }

    /// Whether a word is known, innocent, or stands for known words.
    pub(super) fn reads(&self, text: &str, fuel: &mut Fuel) -> Result<bool, OutOfFuel> {
        Ok(self.knows(text)
            || self.innocent.contains(text)
            || !self.resolve(text, fuel)?.is_empty())
    }

    /// The tokens with every unknown word read as the known word it resembles.
    pub(super) fn repair(
        &self,
        tokens: Vec<Token>,
        fuel: &mut Fuel,
    ) -> Result<Vec<Token>, OutOfFuel> {
        let mut repaired: Vec<Token> = Vec::with_capacity(tokens.len());
        // Looking a word up in vain is what costs most, and a text says most words again.
        let mut seen: HashMap<String, Vec<String>> = HashMap::new();
        for token in tokens {
            fuel.spend(1)?;
            if token.is_stop() || self.knows(&token.text) {
                self.push_joined(token, &mut repaired);
                continue;
            }
            if !seen.contains_key(&token.text) {
                let parts = self.resolve(&token.text, fuel)?;
                seen.insert(token.text.clone(), parts);
            }
            let parts = seen.get(&token.text).map_or(&[][..], Vec::as_slice);
            if parts.is_empty() {
                self.push_joined(token, &mut repaired);
            } else {
                fuel.spend(parts.len())?;
                repaired.extend(parts.iter().map(|text| Token {
                    text: text.clone(),
                    ..token.clone()
                }));
            }
        }
        Ok(repaired)
    }

    /// "na turalisation": two halves that make one known word, unless both are known themselves.
    fn push_joined(&self, token: Token, repaired: &mut Vec<Token>) {
        if let Some(last) = repaired.last_mut()
            && !token.is_stop()
            && !last.is_stop()
            && last.text.len() + token.text.len() >= FUZZY_CHARS_MIN
            && !(self.knows(&last.text) && self.knows(&token.text))
        {
            let joined = format!("{}{}", last.text, token.text);
            if joined.chars().count() <= self.longest && self.words.contains(&joined) {
                *last = Token {
                    text: joined,
                    start: last.start.min(token.start),
                    end: last.end.max(token.end),
                    upper: last.upper && token.upper,
                    capital: last.capital,
                };
                return;
            }
        }
        repaired.push(token);
    }

    /// The known words that an unknown one stands for, or none.
    fn resolve(&self, text: &str, fuel: &mut Fuel) -> Result<Vec<String>, OutOfFuel> {
        let letters = text.chars().filter(|ch| ch.is_alphabetic()).count();
        if !text.is_ascii() || letters == 0 || self.innocent.contains(text) {
            return Ok(Vec::new());
        }
        if letters < text.len() {
            return self.read_leet(text, fuel);
        }
        if let Some(word) = self.read_skeleton(text) {
            return Ok(vec![word.to_owned()]);
        }
        if let Some(word) = self.read_typo(text, fuel)? {
            return Ok(vec![word.to_owned()]);
        }
        self.read_glued(text, fuel)
    }

    fn read_leet(&self, text: &str, fuel: &mut Fuel) -> Result<Vec<String>, OutOfFuel> {
        for one in ['i', 'l'] {
            let plain: String = text.chars().map(|ch| leet_letter(ch, one)).collect();
            fuel.spend(plain.len())?;
            if plain.chars().all(char::is_alphabetic) {
                if self.knows(&plain) {
                    return Ok(vec![plain]);
                }
                if !self.innocent.contains(&plain)
                    && let Some(word) = self.read_typo(&plain, fuel)?
                {
                    return Ok(vec![word.to_owned()]);
                }
            }
        }
        // An e-mail address or a price: the words on both sides of the sign.
        let parts: Vec<&str> = text
            .split(['@', '$', '!', '|'])
            .filter(|part| !part.is_empty())
            .collect();
        if parts.len() < 2 {
            return Ok(Vec::new());
        }
        let mut words = Vec::new();
        for part in parts {
            let inner = if self.knows(part) || self.innocent.contains(part) {
                Vec::new()
            } else {
                self.read_glued(part, fuel)?
            };
            if inner.is_empty() {
                words.push(part.to_owned());
            } else {
                words.extend(inner);
            }
        }
        Ok(words)
    }

    /// A word without vowels ("ovrstyr").
    fn read_skeleton(&self, text: &str) -> Option<&str> {
        let bare = text.chars().skip(1).all(|ch| !is_vowel(ch));
        if !bare || text.chars().count() < SKELETON_CHARS_MIN {
            return None;
        }
        self.skeletons.get(text).map(String::as_str)
    }

    fn read_typo(&self, text: &str, fuel: &mut Fuel) -> Result<Option<&str>, OutOfFuel> {
        let letters: Vec<char> = text.chars().collect();
        let (Some(first), true) = (letters.first(), letters.len() >= FUZZY_TARGET_CHARS_MIN) else {
            return Ok(None);
        };
        for word in self.by_letter.get(first).into_iter().flatten() {
            fuel.spend(2)?;
            if word.len().abs_diff(letters.len()) > 1 {
                continue;
            }
            let target: Vec<char> = word.chars().collect();
            // In a word of five letters only two that changed places are read as a slip.
            let close = match letters.len() {
                FUZZY_TARGET_CHARS_MIN => is_swap(&letters, &target),
                _ => is_one_edit(&letters, &target),
            };
            if close {
                return Ok(Some(word));
            }
        }
        Ok(None)
    }

    /// "visaexpired": known words, of which one has four letters at least.
    fn read_glued(&self, text: &str, fuel: &mut Fuel) -> Result<Vec<String>, OutOfFuel> {
        if !(GLUED_CHARS_MIN..=GLUED_CHARS_MAX).contains(&text.len()) {
            return Ok(Vec::new());
        }
        // best[n]: the fewest words that make up the first n letters, and where the last begins.
        let mut best: Vec<Option<(usize, usize)>> = vec![Some((0, 0))];
        for end in 1..=text.len() {
            let mut here: Option<(usize, usize)> = None;
            for start in end.saturating_sub(self.longest)..end {
                fuel.spend(1)?;
                let Some((count, _)) = best.get(start).copied().flatten() else {
                    continue;
                };
                let Some(piece) = text.get(start..end) else {
                    continue;
                };
                let fits =
                    piece.len() >= 2 && count < GLUED_WORDS_MAX && self.words.contains(piece);
                if fits && here.is_none_or(|(fewest, _)| count + 1 < fewest) {
                    here = Some((count + 1, start));
                }
            }
            best.push(here);
        }
        let mut words = Vec::new();
        let mut end = text.len();
        while end > 0 {
            let Some((_, start)) = best.get(end).copied().flatten() else {
                return Ok(Vec::new());
            };
            words.push(text.get(start..end).unwrap_or_default().to_owned());
            end = start;
        }
        words.reverse();
        if words.iter().all(|word| word.len() < 4) {
            words.clear();
        }
        Ok(words)
    }
}

fn leet_letter(ch: char, one: char) -> char {
    match ch {
        '0' => 'o',
        '1' | '|' => one,
        '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        '8' => 'b',
        '9' => 'g',
        other => other,
    }
}

fn is_vowel(ch: char) -> bool {
    matches!(ch, 'a' | 'e' | 'i' | 'o' | 'u')
}

/// The first letter and the consonants after it.
fn skeleton(text: &str) -> String {
    text.chars()
        .enumerate()
        .filter(|(at, ch)| *at == 0 || !is_vowel(*ch))
        .map(|(_, ch)| ch)
        .collect()
}

fn is_swap(left: &[char], right: &[char]) -> bool {
    left.len() == right.len() && is_one_edit(left, right) && {
        let differ = left.iter().zip(right).filter(|(a, b)| a != b).count();
        differ == 2
    }
}

/// One letter more, less or other, or two neighbours changed.
fn is_one_edit(left: &[char], right: &[char]) -> bool {
    let same = left.iter().zip(right).take_while(|(a, b)| a == b).count();
    let rest = |letters: &[char], skip: usize| {
        letters
            .iter()
            .skip(same + skip)
            .copied()
            .collect::<Vec<char>>()
    };
    match (left.len(), right.len()) {
        (a, b) if a == b => {
            let swapped = left.get(same) == right.get(same + 1)
                && left.get(same + 1) == right.get(same)
                && rest(left, 2) == rest(right, 2);
            rest(left, 1) == rest(right, 1) || swapped
        }
        (a, b) if a + 1 == b => rest(left, 0) == rest(right, 1),
        (a, b) if a == b + 1 => rest(left, 1) == rest(right, 0),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let mut vocabulary = Vocabulary::default();
        for word in [
            "immigration",
            "status",
            "visa",
            "expired",
            "leave",
            "refugee",
            "mvdac",
            "no",
            "overstayer",
            "naturalisation",
        ] {
            vocabulary.add_text(word);
        }
        vocabulary.add_innocent("refuge");
        let tokens = text
            .split(' ')
            .map(|word| Token {
                text: word.to_owned(),
                start: 0,
                end: 0,
                upper: false,
                capital: false,
            })
            .collect();
        let repaired = vocabulary.repair(tokens, &mut Fuel::new(100_000)).unwrap();
        repaired
            .iter()
            .map(|token| token.text.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn slips_are_read_as_meant() {
        for (written, meant) in [
            ("imigration", "immigration"),
            ("immigratoin", "immigration"),
            ("mvddac", "mvdac"),
            ("levae", "leave"),
            ("1mm1gr4710n", "immigration"),
            ("v1s@", "visa"),
            ("immgrtn", "immigration"),
            ("ovrstyr", "overstayer"),
            ("visaexpired", "visa expired"),
            ("noimmigrationstatus", "no immigration status"),
            ("na turalisation", "naturalisation"),
            ("team@visaexpired", "team visa expired"),
        ] {
            assert_eq!(read(written), meant, "{written}");
        }
    }

    #[test]
    fn other_words_stay() {
        for word in [
            "refuge", "heave", "leafs", "state", "appt", "b4", "s17", "crime",
        ] {
            assert_eq!(read(word), word);
        }
    }
}
