//! General sentences about services ("we accept women with no recourse to public funds") that a
//! reviewer has passed. They say nothing of anybody.
//!
//! A sentence passes only as a whole and only word for word: with one word more it is read like any
//! other, and what stands beside it is read as if it were not there.

use std::collections::HashSet;

use super::fuel::{Fuel, OutOfFuel};
use super::lexicon::BadLexicon;
use super::normalise;
use super::words::{self, Lines, Token};

const SENTENCES_MAX: usize = 2_000;
/// Shorter ones could be said of a person by those who know how to read them.
const WORDS_MIN: usize = 4;

#[derive(Debug, Default)]
pub(super) struct General {
    sentences: HashSet<String>,
}

impl General {
    /// Reads the list: each sentence with the role of its reviewer and the day of the review.
    pub(super) fn parse(text: &str) -> Result<Self, BadLexicon> {
        let table: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| BadLexicon::NotToml(error.message().to_owned()))?;
        let list = table
            .get("sentence")
            .and_then(toml::Value::as_array)
            .filter(|list| list.len() <= SENTENCES_MAX)
            .ok_or(BadLexicon::Missing("list of general sentences"))?;
        let mut sentences = HashSet::new();
        for entry in list {
            let field = |key: &str| {
                entry
                    .get(key)
                    .and_then(toml::Value::as_str)
                    .filter(|value| !value.trim().is_empty())
                    .ok_or(BadLexicon::BadRule {
                        rule: "general sentences".to_owned(),
                        why: format!("each needs '{key}'"),
                    })
            };
            let (text, _reviewer, date) = (field("text")?, field("reviewer")?, field("date")?);
            let bad = |why: String| BadLexicon::BadRule {
                rule: "general sentences".to_owned(),
                why,
            };
            if !is_date(date) {
                return Err(bad(format!("'{date}' is not a date such as 2026-11-21")));
            }
            let mut fuel = Fuel::new(u32::MAX);
            let too_long = |_: OutOfFuel| bad(format!("'{text}' is too long"));
            let glyphs = normalise::fold(&normalise::raw(text), &mut fuel).map_err(too_long)?;
            let tokens = words::tokens(&glyphs, Lines::Joined, &mut fuel).map_err(too_long)?;
            let tokens: Vec<&Token> = tokens.iter().filter(|token| !token.is_stop()).collect();
            if tokens.len() < WORDS_MIN {
                return Err(bad(format!("'{text}' has fewer than {WORDS_MIN} words")));
            }
            sentences.insert(plain(&tokens));
        }
        Ok(Self { sentences })
    }

    /// Whether the words of a sentence, as written, are a reviewed sentence.
    pub(super) fn has(&self, tokens: &[&Token]) -> bool {
        self.sentences.contains(&plain(tokens))
    }
}

fn plain(tokens: &[&Token]) -> String {
    let words: Vec<&str> = tokens.iter().map(|token| token.text.as_str()).collect();
    words.join(" ")
}

/// `2026-11-21`; whether that day exists is for the reviewer.
fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_without_its_review_is_refused() {
        let whole = "[[sentence]]\ntext = \"We accept women with no recourse to public funds.\"\nreviewer = \"safeguarding lead\"\ndate = \"2026-11-21\"";
        assert!(General::parse(whole).is_ok());
        for broken in [
            whole.replace("reviewer", "by"),
            whole.replace("2026-11-21", "yesterday"),
            whole.replace("We accept women with no recourse to public funds.", "NRPF"),
        ] {
            assert!(General::parse(&broken).is_err(), "{broken}");
        }
    }
}
