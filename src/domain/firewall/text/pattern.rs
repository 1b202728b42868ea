//! Patterns over words: what a rule in the word list may say, and how it is matched.
//!
//! A pattern is words with blanks between. `deport*` is any word that begins so; `(her|his)` is
//! one of several; a final `?` makes a part optional; `~3` is up to three words of any kind; `#`
//! is a number; `$` is the end of the sentence; `@name` is a set of words; a word in capitals
//! must stand in capitals. Patterns never cross a full stop.

use std::collections::BTreeMap;

use super::fuel::{Fuel, OutOfFuel};
use super::normalise::{fold, raw};
use super::words::{Lines, Token, tokens};

/// Widest gap that a pattern may hold, in words.
const GAP_WORDS_MAX: u8 = 8;
/// Most patterns that one line of the list may stand for.
const VARIANTS_MAX: usize = 200;
/// Shortest beginning that `*` may follow, in letters.
pub(super) const PREFIX_CHARS_MIN: usize = 3;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    kind: Kind,
    optional: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Words(Choice),
    Gap(u8),
    Number,
    End,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) prefix: bool,
    upper: bool,
}

impl Word {
    fn matches(&self, token: &Token) -> bool {
        (!self.upper || token.upper)
            && if self.prefix {
                token.text.starts_with(&self.text)
            } else {
                token.text == self.text
            }
    }
}

/// One of several words. Sets are long and most words are not in them, so a word is first judged by
/// its first letter and its length.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Choice {
    words: Vec<Word>,
    /// A bit for each first byte of a word, in 64 classes.
    first: u64,
}

impl Choice {
    fn new(words: Vec<Word>) -> Self {
        let first = words.iter().fold(0, |all, word| all | first(&word.text));
        Self { words, first }
    }

    fn matches(&self, token: &Token) -> bool {
        self.first & first(&token.text) != 0 && self.words.iter().any(|word| word.matches(token))
    }
}

fn first(text: &str) -> u64 {
    text.bytes().next().map_or(0, |byte| 1 << (byte % 64))
}

/// Named sets of words, as in the word list.
pub(super) type Sets = BTreeMap<String, Vec<Word>>;

impl Pattern {
    /// Reads one line of the list, which stands for several patterns where a choice has several
    /// words. The error says what is wrong with it.
    pub(super) fn parse(text: &str, sets: &Sets) -> Result<Vec<Self>, String> {
        let mut variants = Vec::new();
        expand(text, &mut variants)?;
        variants
            .iter()
            .map(|variant| Self::parse_one(variant, sets))
            .collect()
    }

    fn parse_one(text: &str, sets: &Sets) -> Result<Self, String> {
        let mut parts = Vec::new();
        for piece in text.split_whitespace() {
            parse_part(piece, sets, &mut parts)?;
        }
        match parts.first() {
            Some(Part {
                kind: Kind::Words(choice),
                optional: false,
            }) if !choice.words.is_empty() => Ok(Self { parts }),
            _ => Err("a pattern begins with a word that is not optional".to_owned()),
        }
    }

    /// The words that the pattern may begin with.
    pub(super) fn first_words(&self) -> &[Word] {
        match self.parts.first().map(|part| &part.kind) {
            Some(Kind::Words(choice)) => &choice.words,
            Some(Kind::Gap(_) | Kind::Number | Kind::End) | None => &[],
        }
    }

    /// Every word that the pattern names.
    pub(super) fn words(&self) -> impl Iterator<Item = &Word> {
        self.parts.iter().flat_map(|part| match &part.kind {
            Kind::Words(choice) => choice.words.as_slice(),
            Kind::Gap(_) | Kind::Number | Kind::End => &[],
        })
    }

    /// The places of the words that match when the pattern begins at `from`, if it does.
    pub(super) fn at(
        &self,
        tokens: &[Token],
        from: usize,
        fuel: &mut Fuel,
    ) -> Result<Option<Vec<usize>>, OutOfFuel> {
        let mut places = Vec::new();
        Ok(follow(&self.parts, tokens, from, &mut places, fuel)?.then_some(places))
    }
}

/// Writes choices of several words out: "a (b c|d|e) f" is "a b c f" and "a (d|e) f".
fn expand(text: &str, variants: &mut Vec<String>) -> Result<(), String> {
    let Some(group) = complex_group(text)? else {
        if variants.len() >= VARIANTS_MAX {
            return Err(format!("stands for more than {VARIANTS_MAX} patterns"));
        }
        variants.push(text.to_owned());
        return Ok(());
    };
    let Group {
        before,
        choices,
        after,
        optional,
    } = group;
    let (complex, simple): (Vec<&str>, Vec<&str>) =
        choices.into_iter().partition(|choice| is_complex(choice));
    for choice in complex {
        expand(&format!("{before} {choice} {after}"), variants)?;
    }
    if !simple.is_empty() {
        let mark = if optional { "?" } else { "" };
        expand(
            &format!("{before} ({}){mark} {after}", simple.join("|")),
            variants,
        )?;
    } else if optional {
        expand(&format!("{before} {after}"), variants)?;
    }
    Ok(())
}

struct Group<'a> {
    before: &'a str,
    choices: Vec<&'a str>,
    after: &'a str,
    optional: bool,
}

fn is_complex(choice: &str) -> bool {
    choice.contains([' ', '(']) || matches!(choice, "$" | "#") || choice.starts_with('~')
}

/// The first group with a choice that is more than one word.
fn complex_group(text: &str) -> Result<Option<Group<'_>>, String> {
    let (mut depth, mut open, mut from) = (0u32, 0, 0);
    let mut choices = Vec::new();
    for (at, ch) in text.char_indices() {
        match ch {
            '(' => {
                depth += 1;
                if depth == 1 {
                    (open, from) = (at, at + 1);
                    choices.clear();
                }
            }
            '|' if depth == 1 => {
                choices.push(text.get(from..at).unwrap_or_default());
                from = at + 1;
            }
            ')' => {
                depth = depth
                    .checked_sub(1)
                    .ok_or_else(|| "a ')' closes nothing".to_owned())?;
                if depth == 0 {
                    choices.push(text.get(from..at).unwrap_or_default());
                    if choices.iter().any(|choice| is_complex(choice)) {
                        let rest = text.get(at + 1..).unwrap_or_default();
                        let after = rest.strip_prefix('?');
                        return Ok(Some(Group {
                            before: text.get(..open).unwrap_or_default(),
                            choices,
                            after: after.unwrap_or(rest),
                            optional: after.is_some(),
                        }));
                    }
                }
            }
            _ => {}
        }
    }
    if depth == 0 {
        Ok(None)
    } else {
        Err("a '(' is not closed".to_owned())
    }
}

fn parse_part(piece: &str, sets: &Sets, parts: &mut Vec<Part>) -> Result<(), String> {
    if piece == "#" {
        parts.push(Part {
            kind: Kind::Number,
            optional: false,
        });
        return Ok(());
    }
    if piece == "$" {
        parts.push(Part {
            kind: Kind::End,
            optional: false,
        });
        return Ok(());
    }
    if let Some(width) = piece.strip_prefix('~') {
        let width: u8 = width
            .parse()
            .map_err(|_| format!("'{piece}' is not a gap"))?;
        if width == 0 || width > GAP_WORDS_MAX {
            return Err(format!("a gap is 1 to {GAP_WORDS_MAX} words, not {width}"));
        }
        parts.push(Part {
            kind: Kind::Gap(width),
            optional: false,
        });
        return Ok(());
    }
    let (body, optional) = match piece.strip_suffix('?') {
        Some(body) => (body, true),
        None => (piece, false),
    };
    let inner = body
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'));
    let mut any_of = Vec::new();
    for choice in inner.unwrap_or(body).split('|') {
        if let Some(name) = choice.strip_prefix('@') {
            any_of.extend(
                sets.get(name)
                    .ok_or_else(|| format!("no set is called '{name}'"))?
                    .iter()
                    .cloned(),
            );
        } else {
            let mut words = parse_word(choice)?;
            match (words.len(), inner.is_some() || optional) {
                (1, _) => any_of.append(&mut words),
                // A word that folds to several, such as one of Chinese signs, becomes several parts.
                (_, false) => {
                    parts.extend(words.into_iter().map(|word| Part {
                        kind: Kind::Words(Choice::new(vec![word])),
                        optional: false,
                    }));
                    return Ok(());
                }
                (_, true) => return Err(format!("'{choice}' is not one word")),
            }
        }
    }
    parts.push(Part {
        kind: Kind::Words(Choice::new(any_of)),
        optional,
    });
    Ok(())
}

/// A word of the list, folded exactly as the text will be.
pub(super) fn parse_word(text: &str) -> Result<Vec<Word>, String> {
    let (body, prefix) = match text.strip_suffix('*') {
        Some(body) => (body, true),
        None => (text, false),
    };
    let allowed = |ch: char| ch.is_alphanumeric() || !ch.is_ascii();
    if body.is_empty() || !body.chars().all(allowed) {
        return Err(format!("'{text}' is not a word"));
    }
    let mut fuel = Fuel::new(10_000);
    let too_long = |_: OutOfFuel| "a word is too long".to_owned();
    let glyphs = fold(&raw(body), &mut fuel).map_err(too_long)?;
    let found = tokens(&glyphs, Lines::Joined, &mut fuel).map_err(too_long)?;
    if prefix
        && found
            .iter()
            .any(|token| token.text.chars().count() < PREFIX_CHARS_MIN)
    {
        return Err(format!("'{text}' is too short for '*'"));
    }
    Ok(found
        .into_iter()
        .map(|token| Word {
            upper: token.upper && token.text.is_ascii() && token.text.len() > 1,
            text: token.text,
            prefix,
        })
        .collect())
}

/// Shortest gaps first; `places` keeps only the words, not what lies in gaps.
fn follow(
    parts: &[Part],
    tokens: &[Token],
    at: usize,
    places: &mut Vec<usize>,
    fuel: &mut Fuel,
) -> Result<bool, OutOfFuel> {
    fuel.spend(2)?;
    let Some((part, rest)) = parts.split_first() else {
        return Ok(true);
    };
    let token = tokens.get(at).filter(|token| !token.is_stop());
    let matches = match &part.kind {
        Kind::End => return Ok(token.is_none() && follow(rest, tokens, at, places, fuel)?),
        Kind::Gap(width) => {
            for skipped in 0..=usize::from(*width) {
                let crossed = tokens.iter().skip(at).take(skipped);
                if crossed.clone().count() < skipped || crossed.clone().any(Token::is_stop) {
                    return Ok(false);
                }
                if follow(rest, tokens, at + skipped, places, fuel)? {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        Kind::Words(choice) => token.is_some_and(|token| choice.matches(token)),
        Kind::Number => token.is_some_and(|token| token.text.chars().all(|ch| ch.is_ascii_digit())),
    };
    if matches {
        places.push(at);
        if follow(rest, tokens, at + 1, places, fuel)? {
            return Ok(true);
        }
        places.pop();
    }
    Ok(part.optional && follow(rest, tokens, at, places, fuel)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        let sets = Sets::from([(
            "who".to_owned(),
            [parse_word("she").unwrap(), parse_word("he").unwrap()].concat(),
        )]);
        let patterns = Pattern::parse(pattern, &sets).unwrap();
        let mut fuel = Fuel::new(100_000);
        let glyphs = fold(&raw(text), &mut fuel).unwrap();
        let tokens = tokens(&glyphs, Lines::Apart, &mut fuel).unwrap();
        (0..tokens.len()).any(|from| {
            patterns
                .iter()
                .any(|pattern| pattern.at(&tokens, from, &mut fuel).unwrap().is_some())
        })
    }

    #[test]
    fn each_sign_means_what_the_header_says() {
        for (pattern, yes, no) in [
            (
                "leave to (remain|enter)",
                "has Leave to enter",
                "leave to go",
            ),
            ("deport*", "being deported", "report"),
            ("no (valid)? visa", "no valid visa, no visa", "no new visa"),
            ("sent ~2 back", "sent her all back", "sent. Back"),
            ("section #", "section 95", "section A"),
            ("illegal $", "she is illegal.", "illegal parking"),
            ("@who stays", "he stays", "it stays"),
            ("ICE team", "ICE team", "ice team"),
            (
                "stay (in (the|this) uk|here|$)",
                "stay in this UK",
                "stay in Hull",
            ),
            (
                "no (legal right)? (to stay|status)",
                "no status",
                "no legal status",
            ),
            ("签证", "我的签证", "签名"),
        ] {
            assert!(matches(pattern, yes), "{pattern} / {yes}");
            assert!(!matches(pattern, no), "{pattern} / {no}");
        }
    }

    #[test]
    fn bad_patterns_are_refused() {
        for bad in [
            "",
            "~2 visa",
            "visa? card",
            "ab*",
            "visa ~0",
            "visa ~99",
            "@none",
            "vi-sa",
            "$",
            "(a b",
            "a)",
        ] {
            assert!(Pattern::parse(bad, &Sets::new()).is_err(), "{bad}");
        }
    }
}
