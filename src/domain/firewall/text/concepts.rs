//! Words of one meaning ("papers", "docs", "card"), which the classifier learns together.
//!
//! It never reads a file: the text of the list comes in as an argument.

use std::collections::HashMap;

use super::lexicon::BadLexicon;

/// Most sets of each part: a set is a number of one byte, and 0 is no set.
const SETS_MAX: usize = 100;
/// Shortest beginning that `word*` may name.
const BEGINNING_CHARS_MIN: usize = 4;

/// Word to the number of its set.
#[derive(Debug, Default)]
pub(super) struct Concepts {
    whole: HashMap<String, u8>,
    beginnings: HashMap<String, u8>,
    /// Sets up to this number are in nearly every note.
    everyday: u8,
}

impl Concepts {
    pub(super) fn parse(text: &str) -> Result<Self, BadLexicon> {
        let bad = |why: String| BadLexicon::BadRule {
            rule: "concepts".to_owned(),
            why,
        };
        let table: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| BadLexicon::NotToml(error.message().to_owned()))?;
        let part = |name| {
            table
                .get(name)
                .and_then(toml::Value::as_table)
                .filter(|sets| sets.len() <= SETS_MAX)
                .ok_or(BadLexicon::Missing("concepts"))
        };
        let (everyday, telling) = (part("everyday")?, part("telling")?);
        let mut concepts = Self {
            everyday: u8::try_from(everyday.len()).unwrap_or(u8::MAX),
            ..Self::default()
        };
        for (number, (name, words)) in (1u8..).zip(everyday.iter().chain(telling)) {
            let words = words
                .as_str()
                .ok_or_else(|| bad(format!("'{name}' is one text")))?;
            for word in words.split_whitespace() {
                let into = match word.strip_suffix('*') {
                    Some(stem) if stem.chars().count() < BEGINNING_CHARS_MIN => {
                        return Err(bad(format!("'{word}' is too short for any ending")));
                    }
                    Some(_) => &mut concepts.beginnings,
                    None => &mut concepts.whole,
                };
                // The first set wins, whatever the order in which the words are read later.
                into.entry(word.trim_end_matches('*').to_owned())
                    .or_insert(number);
            }
        }
        Ok(concepts)
    }

    /// Whether a set tells something when it stands beside others.
    pub(super) fn is_telling(&self, set: u8) -> bool {
        set > self.everyday
    }

    /// The number of the word's set; 0 for a word of none.
    pub(super) fn of(&self, word: &str) -> u8 {
        if let Some(number) = self.whole.get(word) {
            return *number;
        }
        word.char_indices()
            .skip(BEGINNING_CHARS_MIN - 1)
            .filter_map(|(at, ch)| self.beginnings.get(word.get(..at + ch.len_utf8())?))
            .last()
            .copied()
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_belongs_to_its_set_and_the_longest_beginning_wins() {
        let list = "[everyday]\na = \"card papers smuggl*\"\n[telling]\nb = \"smuggler*\"";
        let concepts = Concepts::parse(list).unwrap();
        let of = |word| concepts.of(word);
        assert_eq!(
            (of("papers"), of("smuggled"), of("smugglers"), of("tea")),
            (1, 1, 2, 0)
        );
        assert!(concepts.is_telling(2) && !concepts.is_telling(1));
        assert!(Concepts::parse("[everyday]\n[telling]\na = \"vis*\"").is_err());
    }
}
