//! The word list: rules as data, in three tiers, which practitioners review and edit.
//!
//! Tier A holds alone. Tier B holds with a cue near by. Tier C adds weights up. A mask blanks
//! only the words it matches, never the sentence, or it would be a way round the screen.
//! It never reads a file: the text of the list comes in as an argument.

use std::collections::HashMap;

use super::Label;
use super::pattern::{PREFIX_CHARS_MIN, Pattern, Sets, Word, parse_word};
use super::spelling::Vocabulary;

/// Most rules, and most patterns in one list.
const RULES_MAX: usize = 2_000;
const PATTERNS_MAX: usize = 20_000;
/// How near a cue must stand when the rule does not say, in words.
const NEAR_WORDS: usize = 6;
const NEAR_WORDS_MAX: usize = 20;
/// Suggestion for a rule without a family of its own.
const GENERAL_FAMILY: &str = "general";

/// The word list cannot be used. For the operator; it quotes the list, never a note.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLexicon {
    #[error("the word list is not TOML: {0}")]
    NotToml(String),
    #[error("the word list has no '{0}'")]
    Missing(&'static str),
    #[error("rule '{rule}': {why}")]
    BadRule { rule: String, why: String },
    #[error("the weights of the classifier are not whole, or of another version: train again")]
    BadWeights,
    #[error("the word list is too long: at most {RULES_MAX} rules and {PATTERNS_MAX} patterns")]
    TooLong,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tier {
    /// Holds alone.
    Alone,
    /// Holds with a cue within so many words; without one it weighs so much as a proxy.
    Cued { near: usize, bare: u8 },
    /// Adds its weight.
    Weighed(u8),
}

#[derive(Debug)]
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) tier: Tier,
    pub(super) label: Label,
    pub(super) suggestion: String,
}

/// What a matched pattern is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Trigger(usize),
    Cue(usize),
    /// Of one rule, or of all.
    Mask(Option<usize>),
}

#[derive(Debug)]
pub(super) struct Lexicon {
    pub(super) version: String,
    pub(super) rules: Vec<Rule>,
    pub(super) vocabulary: Vocabulary,
    /// Advice for a hit that no rule of the list made, by family.
    suggestions: HashMap<String, String>,
    patterns: Vec<(Role, Pattern)>,
    /// Patterns by the word they begin with, whole or its beginning.
    by_word: HashMap<String, Vec<usize>>,
    by_prefix: HashMap<String, Vec<usize>>,
}

impl Lexicon {
    pub(super) fn parse(text: &str) -> Result<Self, BadLexicon> {
        let table: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| BadLexicon::NotToml(error.message().to_owned()))?;
        let version = table
            .get("version")
            .and_then(toml::Value::as_str)
            .ok_or(BadLexicon::Missing("version"))?;
        let mut lexicon = Self {
            version: version.to_owned(),
            rules: Vec::new(),
            vocabulary: Vocabulary::default(),
            suggestions: suggestions(&table)?,
            patterns: Vec::new(),
            by_word: HashMap::new(),
            by_prefix: HashMap::new(),
        };
        let sets = sets(&table)?;
        for mask in strings(&table, "masks").map_err(|why| bad("masks", why))? {
            lexicon.add_pattern("masks", Role::Mask(None), &mask, &sets)?;
        }
        for tier in ["a", "b", "c"] {
            let rules = table
                .get(tier)
                .and_then(toml::Value::as_array)
                .ok_or(BadLexicon::Missing("a, b and c rules"))?;
            for rule in rules {
                lexicon.add_rule(tier, rule, &sets)?;
            }
        }
        let slips = table
            .get("words")
            .and_then(toml::Value::as_table)
            .ok_or(BadLexicon::Missing("words"))?;
        for word in words(slips, "spellings") {
            lexicon.vocabulary.add_text(&word);
        }
        for word in words(slips, "innocent") {
            lexicon.vocabulary.add_innocent(&word);
        }
        Ok(lexicon)
    }

    /// Advice to the author for a family of rules.
    pub(super) fn suggestion(&self, family: &str) -> &str {
        self.suggestions
            .get(family)
            .or_else(|| self.suggestions.get(GENERAL_FAMILY))
            .map_or("", String::as_str)
    }

    /// The patterns that may begin with this word.
    pub(super) fn beginning_with<'a>(
        &'a self,
        word: &'a str,
    ) -> impl Iterator<Item = (Role, &'a Pattern)> {
        let prefixes = word
            .char_indices()
            .skip(PREFIX_CHARS_MIN - 1)
            .filter_map(|(at, ch)| self.by_prefix.get(word.get(..at + ch.len_utf8())?));
        self.by_word
            .get(word)
            .into_iter()
            .chain(prefixes)
            .flatten()
            .filter_map(|at| self.patterns.get(*at))
            .map(|(role, pattern)| (*role, pattern))
    }

    fn add_rule(&mut self, tier: &str, value: &toml::Value, sets: &Sets) -> Result<(), BadLexicon> {
        let table = value
            .as_table()
            .ok_or_else(|| bad(tier, "is not a table".to_owned()))?;
        let id = table
            .get("id")
            .and_then(toml::Value::as_str)
            .ok_or_else(|| bad(tier, "a rule has no id".to_owned()))?;
        if let Some(key) = table.keys().find(|key| !ALLOWED.contains(&key.as_str())) {
            return Err(bad(id, format!("'{key}' is not known")));
        }
        if self.rules.iter().any(|rule| rule.id == id) {
            return Err(bad(id, "the id is used twice".to_owned()));
        }
        if self.rules.len() >= RULES_MAX {
            return Err(BadLexicon::TooLong);
        }
        let number =
            |key: &str, least: usize, most: usize, absent: Option<usize>| match table.get(key) {
                Some(value) => value
                    .as_integer()
                    .and_then(|number| usize::try_from(number).ok())
                    .filter(|number| (least..=most).contains(number))
                    .ok_or_else(|| {
                        bad(
                            id,
                            format!("'{key}' is not a number from {least} to {most}"),
                        )
                    }),
                None => absent.ok_or_else(|| bad(id, format!("'{key}' is missing"))),
            };
        let weight = |key: &str, absent| {
            number(key, 0, 9, absent).map(|weight| u8::try_from(weight).unwrap_or(u8::MAX))
        };
        let (tier, usual) = match tier {
            "a" => (Tier::Alone, Label::Explicit),
            "b" => {
                let near = number("near", 1, NEAR_WORDS_MAX, Some(NEAR_WORDS))?;
                (
                    Tier::Cued {
                        near,
                        bare: weight("bare", Some(0))?,
                    },
                    Label::Explicit,
                )
            }
            _ => (Tier::Weighed(weight("weight", None)?), Label::Proxy),
        };
        let label = match table.get("label").map(toml::Value::as_str) {
            None => usual,
            Some(Some("explicit")) => Label::Explicit,
            Some(Some("proxy")) => Label::Proxy,
            Some(_) => return Err(bad(id, "'label' is 'explicit' or 'proxy'".to_owned())),
        };
        let family = table
            .get("family")
            .and_then(toml::Value::as_str)
            .unwrap_or(GENERAL_FAMILY);
        if !self.suggestions.contains_key(family) {
            return Err(bad(id, format!("no suggestion for family '{family}'")));
        }
        let at = self.rules.len();
        let suggestion = self.suggestion(family).to_owned();
        self.rules.push(Rule {
            id: id.to_owned(),
            tier,
            label,
            suggestion,
        });
        for (key, role) in [
            ("match", Role::Trigger(at)),
            ("cues", Role::Cue(at)),
            ("masks", Role::Mask(Some(at))),
        ] {
            let list = strings(table, key).map_err(|why| bad(id, why))?;
            let needed = key == "match" || (key == "cues" && matches!(tier, Tier::Cued { .. }));
            if needed && list.is_empty() {
                return Err(bad(id, format!("'{key}' is empty")));
            }
            for pattern in list {
                self.add_pattern(id, role, &pattern, sets)?;
            }
        }
        Ok(())
    }

    fn add_pattern(
        &mut self,
        id: &str,
        role: Role,
        text: &str,
        sets: &Sets,
    ) -> Result<(), BadLexicon> {
        for pattern in
            Pattern::parse(text, sets).map_err(|why| bad(id, format!("'{text}': {why}")))?
        {
            self.index(role, pattern)?;
        }
        Ok(())
    }

    fn index(&mut self, role: Role, pattern: Pattern) -> Result<(), BadLexicon> {
        if self.patterns.len() >= PATTERNS_MAX {
            return Err(BadLexicon::TooLong);
        }
        let at = self.patterns.len();
        for word in pattern.words() {
            self.vocabulary.add(word);
        }
        for word in pattern.first_words() {
            let index = if word.prefix {
                &mut self.by_prefix
            } else {
                &mut self.by_word
            };
            index.entry(word.text.clone()).or_default().push(at);
        }
        self.patterns.push((role, pattern));
        Ok(())
    }
}

/// The keys that a rule may have.
const ALLOWED: [&str; 9] = [
    "id", "family", "label", "match", "cues", "near", "bare", "weight", "masks",
];

fn bad(rule: &str, why: String) -> BadLexicon {
    BadLexicon::BadRule {
        rule: rule.to_owned(),
        why,
    }
}

fn strings(table: &toml::Table, key: &str) -> Result<Vec<String>, String> {
    let Some(value) = table.get(key) else {
        return Ok(Vec::new());
    };
    value
        .as_array()
        .and_then(|list| {
            list.iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect()
        })
        .ok_or_else(|| format!("'{key}' is not a list of texts"))
}

/// The words of a long text, such as the list of innocent words.
fn words(table: &toml::Table, key: &str) -> Vec<String> {
    let text = table
        .get(key)
        .and_then(toml::Value::as_str)
        .unwrap_or_default();
    text.split_whitespace().map(str::to_lowercase).collect()
}

fn suggestions(table: &toml::Table) -> Result<HashMap<String, String>, BadLexicon> {
    let list = table
        .get("suggestions")
        .and_then(toml::Value::as_table)
        .ok_or(BadLexicon::Missing("suggestions"))?;
    let read: HashMap<String, String> = list
        .iter()
        .filter_map(|(family, text)| Some((family.clone(), text.as_str()?.to_owned())))
        .collect();
    if read.contains_key(GENERAL_FAMILY) {
        Ok(read)
    } else {
        Err(BadLexicon::Missing("suggestion 'general'"))
    }
}

fn sets(table: &toml::Table) -> Result<Sets, BadLexicon> {
    let mut sets = Sets::new();
    for (name, text) in table
        .get("sets")
        .and_then(toml::Value::as_table)
        .into_iter()
        .flatten()
    {
        let text = text
            .as_str()
            .ok_or_else(|| bad(name, "a set is one text".to_owned()))?;
        let mut list: Vec<Word> = Vec::new();
        for word in text.split_whitespace() {
            list.extend(parse_word(word).map_err(|why| bad(name, why))?);
        }
        sets.insert(name.clone(), list);
    }
    Ok(sets)
}
