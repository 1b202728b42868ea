//! Finds the numbers that immigration papers carry: application and case numbers, permit cards,
//! appeal numbers.
//!
//! Canonical shapes are those of Home Office forms (UAN, HO reference, GWF, BRP); the others are
//! known from practice. A number whose shape is shared with ordinary ones is decided by the words
//! around it, within its own sentence. Look-alikes are exempt only when they prove themselves
//! (an NHS number by its check digit), and only the number itself, never what stands beside it.

use regex::Regex;

use super::fuel::{Fuel, OutOfFuel};
use super::normalise::Glyph;

/// How far words around a number count, in letters.
const CONTEXT_CHARS: usize = 40;

/// Words that decide about a number of a shared shape.
enum Context {
    Alone,
    /// Held when one of these is near.
    With(&'static [&'static str]),
    /// Held unless one of these is near, and none of `OFFICE`.
    Without(&'static [&'static str]),
}

const OFFICE: &[&str] = &[
    "home office",
    "homeoffice",
    "ho",
    "ukvi",
    "immigration",
    "asylum",
    "uan",
    "unique application",
    "visa",
    "evisa",
    "biometric",
    "brp",
    "gwf",
    "nass",
    "cid",
    "port ref",
    "ho ref",
    "aspen",
    "iac",
];
const HO_REFERENCE: &[&str] = &[
    "home office",
    "homeoffice",
    "ho",
    "ukvi",
    "immigration",
    "asylum",
    "ho ref",
    "horef",
    "solicitor",
    "solicitors",
    "sol",
    "port ref",
    "cid",
    "visa",
    "biometric",
    "nationality",
    "letter from home",
];
const CARD: &[&str] = &[
    "card no",
    "card number",
    "bank",
    "debit",
    "credit",
    "fraud",
    "fraudulently",
    "mastercard",
    "amex",
    "account",
    "visa card",
    "visa debit",
    "pan",
    "transaction",
    "card",
];
const REFERENCE: &[&str] = &[
    "tenancy",
    "invoice",
    "order",
    "parcel",
    "tracking",
    "crime",
    "rent",
    "policy",
    "receipt",
    "reg",
    "number plate",
    "cad",
    "insurance",
    "council tax",
    "booking",
    "patient",
    "hospital",
    "mrn",
    "exhibit",
];
const PASSPORT: &[&str] = &[
    "passport",
    "passport no",
    "passport number",
    "travel document",
    "ppt",
];

/// Identifier, shape in folded text, and how it is decided. `{s}` is an optional separator.
const SHAPES: [(&str, &str, Context); 14] = [
    (
        "format-uan",
        r"\b\d{4}{s}\d{4}{s}\d{4}{s}\d{4}\b",
        Context::Without(CARD),
    ),
    (
        "format-ho-reference",
        r"\b[a-z]{s}\d{s}\d{s}\d{s}\d{s}\d{s}\d{s}\d(?:/\d{1,3})?\b",
        Context::With(HO_REFERENCE),
    ),
    (
        "format-gwf",
        r"\bgwf[ :#.\-]{0,3}\d(?:{s}\d){8}\b",
        Context::Alone,
    ),
    (
        "format-brp",
        r"\br[a-z]{s}[\dx]{s}\d(?:{s}\d){5}\b",
        Context::Without(REFERENCE),
    ),
    (
        "format-brp-z",
        r"\bz[a-z]{s}\d(?:{s}\d){6}\b",
        Context::Without(REFERENCE),
    ),
    ("format-arc", r"\basc ?[/\-] ?\d{4,}\b", Context::Alone),
    (
        "format-nass",
        r"\b\d\d[/\-]\d\d[/\-]\d{5}(?:[/\-]\d{1,3})?\b",
        Context::Without(REFERENCE),
    ),
    (
        "format-appeal",
        r"\b(?:pa|hu|ea|da|rp|dc|aa|ia|oa|va|dp)[ ]?[/\-][ ]?\d{5}[ ]?[/\-][ ]?(?:20)?\d\d\b",
        Context::Alone,
    ),
    (
        "format-appeal-upper",
        r"\bui[ \-/]?20\d\d[ \-/]?\d{6}\b",
        Context::Alone,
    ),
    (
        "format-share-code",
        r"\b[wrs][a-z0-9]{2}[ \-][a-z0-9]{3}[ \-][a-z0-9]{3}\b",
        Context::With(&[
            "share code",
            "sharecode",
            "code",
            "evisa",
            "ukvi",
            "right to work",
            "right to rent",
            "status",
        ]),
    ),
    (
        "format-cas",
        r"\b(?:cas|cos)[ :#.\-]{0,3}(?:no|number|ref)?[ :#.\-]{0,3}[a-z0-9]{2,3}\d[a-z0-9]{9,10}\b",
        Context::Alone,
    ),
    (
        "format-passport",
        r"\b(?:[a-z]{1,2}{s})?\d{s}\d{s}\d{s}\d{s}\d{s}\d{s}\d(?:{s}\d){0,2}\b",
        Context::With(PASSPORT),
    ),
    (
        "format-mrz",
        r"p[<a-z][a-z]{3}[a-z]+<<[a-z<]{4,}",
        Context::Alone,
    ),
    (
        "format-port",
        r"\b(?:port|cid|ho|home office|ukvi|nass|arc|brp|uan|ssc)[ ]?(?:ref|reference|no|number|id)?[ :#.\-]{0,3}[a-z]{0,4}[/\-]?\d{5,}",
        Context::Alone,
    ),
];

/// More than the longest of these takes.
const LOOK_ALIKE_BYTES_MAX: usize = 96;
/// Ordinary numbers, and whether the shape is proof enough or the digits must check.
const LOOK_ALIKES: [(&str, bool); 5] = [
    (r"\b\d{3}{s}\d{3}{s}\d{4}\b", true),
    (r"(?:\+44|\b0044|\b0)(?:{s}\d){9,10}\b", false),
    (
        r"\b[a-ceghj-prtw-z][a-z]{s}\d\d{s}\d\d{s}\d\d{s}[a-d]\b",
        false,
    ),
    (r"\b\d\d/\d{3,6}/\d\d\b", false),
    (r"\b[a-z9]{5}\d{6}[a-z9]{2}\d[a-z]{2}\b", false),
];

pub(super) struct Formats {
    shapes: Vec<(&'static str, Regex, &'static Context)>,
    look_alikes: Vec<(Regex, bool)>,
}

/// A number: its rule, and the code points it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) rule: &'static str,
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Formats {
    pub(super) fn new() -> Result<Self, regex::Error> {
        static TABLE: [(&str, &str, Context); 14] = SHAPES;
        let shape = |text: &str| Regex::new(&text.replace("{s}", r"[ .\-\n]{0,2}"));
        Ok(Self {
            shapes: TABLE
                .iter()
                .map(|(rule, text, context)| Ok((*rule, shape(text)?, context)))
                .collect::<Result<_, regex::Error>>()?,
            look_alikes: LOOK_ALIKES
                .iter()
                .map(|(text, checked)| Ok((shape(text)?, *checked)))
                .collect::<Result<_, regex::Error>>()?,
        })
    }

    /// Every number of immigration papers in folded text.
    pub(super) fn find(&self, glyphs: &[Glyph], fuel: &mut Fuel) -> Result<Vec<Number>, OutOfFuel> {
        if !glyphs
            .iter()
            .any(|glyph| glyph.ch.is_ascii_digit() || glyph.ch == '<')
        {
            return Ok(Vec::new());
        }
        let text: String = glyphs
            .iter()
            .map(|glyph| if glyph.ch == '_' { ' ' } else { glyph.ch })
            .collect();
        // The place in bytes of each glyph, to come back from a match.
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        fuel.spend(text.len() * (self.shapes.len() + self.look_alikes.len()))?;
        let mut exempt: Vec<std::ops::Range<usize>> = self
            .look_alikes
            .iter()
            .flat_map(|(regex, checked)| {
                regex
                    .find_iter(&text)
                    .filter(move |found| !checked || is_nhs_number(found.as_str()))
            })
            .map(|found| found.range())
            .collect();
        exempt.sort_unstable_by_key(|range| range.start);
        let mut numbers = Vec::new();
        for (rule, regex, context) in &self.shapes {
            for found in regex.find_iter(&text) {
                fuel.spend(CONTEXT_CHARS)?;
                let range = found.range();
                let begun = exempt.partition_point(|other| other.start <= range.start);
                let ordinary = exempt
                    .iter()
                    .take(begun)
                    .rev()
                    .take_while(|other| range.start - other.start < LOOK_ALIKE_BYTES_MAX)
                    .any(|other| range.end <= other.end);
                if ordinary || !context.holds(&text, range.clone()) {
                    continue;
                }
                let first = places.partition_point(|at| *at < range.start);
                let last = places
                    .partition_point(|at| *at < range.end)
                    .saturating_sub(1);
                if let (Some(first), Some(last)) = (glyphs.get(first), glyphs.get(last)) {
                    numbers.push(Number {
                        rule,
                        start: first.start,
                        end: last.end,
                    });
                }
            }
        }
        Ok(numbers)
    }
}

impl Context {
    fn holds(&self, text: &str, number: std::ops::Range<usize>) -> bool {
        let (before, after) = around(text, number);
        let near = |cues: &[&str]| {
            cues.iter().any(|cue| {
                let cue = format!(" {cue} ");
                before.contains(&cue) || after.contains(&cue)
            })
        };
        match self {
            Self::Alone => true,
            Self::With(cues) => near(cues),
            Self::Without(cues) => near(OFFICE) || !near(cues),
        }
    }
}

/// The words before and after a number, within its sentence, each between blanks.
fn around(text: &str, number: std::ops::Range<usize>) -> (String, String) {
    let before: String = text
        .get(..number.start)
        .unwrap_or_default()
        .chars()
        .rev()
        .take(CONTEXT_CHARS)
        .collect();
    let before: String = before.chars().rev().collect();
    let after: String = text
        .get(number.end..)
        .unwrap_or_default()
        .chars()
        .take(CONTEXT_CHARS)
        .collect();
    let words = |part: &str| {
        let plain: String = part
            .chars()
            .map(|ch| if ch.is_alphanumeric() { ch } else { ' ' })
            .collect();
        format!(
            " {} ",
            plain.split_whitespace().collect::<Vec<_>>().join(" ")
        )
    };
    let before = before
        .rsplit(is_border(&before))
        .next()
        .unwrap_or_default()
        .to_owned();
    let after = after
        .split(is_border(&after))
        .next()
        .unwrap_or_default()
        .to_owned();
    (words(&before), words(&after))
}

/// What ends a sentence in folded text: ". " or a new line, whichever the part has.
fn is_border(part: &str) -> &'static [char] {
    if part.contains(". ") || part.contains("! ") || part.contains("? ") || part.ends_with('.') {
        &['.', '!', '?', '\n']
    } else {
        &['\n']
    }
}

/// NHS number: ten digits, the last of which checks the others (modulus 11).
fn is_nhs_number(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter_map(|ch| ch.to_digit(10)).collect();
    let Some((check, body)) = digits.split_last().filter(|(_, body)| body.len() == 9) else {
        return false;
    };
    let sum: u32 = body
        .iter()
        .zip((2..=10).rev())
        .map(|(digit, weight)| digit * weight)
        .sum();
    match 11 - sum % 11 {
        11 => *check == 0,
        10 => false,
        right => *check == right,
    }
}

#[cfg(test)]
mod tests {
    use super::super::normalise::{fold, raw};
    use super::*;

    fn rules(text: &str) -> Vec<&'static str> {
        let mut fuel = Fuel::new(1_000_000);
        let glyphs = fold(&raw(text), &mut fuel).unwrap();
        Formats::new()
            .unwrap()
            .find(&glyphs, &mut fuel)
            .unwrap()
            .iter()
            .map(|number| number.rule)
            .collect()
    }

    #[test]
    fn numbers_of_immigration_papers_are_found_however_they_are_spaced() {
        for (text, rule) in [
            ("1111-2222-3333-4444 quoted by client", "format-uan"),
            ("quoted 1111 2222 3333 4444", "format-uan"),
            ("UAN1111222233334444", "format-port"),
            ("letter from solicitor, A 123 4567", "format-ho-reference"),
            ("HO ref A1234567/003", "format-ho-reference"),
            ("GWF 012 345 678", "format-gwf"),
            ("card RX9123456 kept by him", "format-brp"),
            ("ZU1234567", "format-brp-z"),
            ("PA-54321-2022 listed", "format-appeal"),
            ("UI-2023-001234", "format-appeal-upper"),
            ("passport no 999 000 111", "format-passport"),
            ("share code W1A 2B3 4C5", "format-share-code"),
            ("P<UTOERIKSSON<<ANNA<MARIA<<<", "format-mrz"),
        ] {
            assert!(rules(text).contains(&rule), "{text}: {:?}", rules(text));
        }
    }

    #[test]
    fn ordinary_numbers_pass() {
        for text in [
            "NHS no. 999 000 0018",
            "call 020 7946 0123 or 07700 900123",
            "NI QQ 12 34 56 C",
            "crime ref 07/99881/25",
            "card no 4000 0000 0000 0002 used by him",
            "tenancy ref T0099001, order RA1234567",
            "on 12/06/2025 at 14:30, £1,420",
        ] {
            assert_eq!(rules(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn an_ordinary_number_does_not_hide_its_neighbour() {
        assert_eq!(rules("NHS 999 000 0018, GWF012345678"), ["format-gwf"]);
        assert_eq!(rules("Bank card lost. 1111-2222-3333-4444"), ["format-uan"]);
        assert!(rules("card 4000 0000 0000 0002. UAN 1111-2222-3333-4444").contains(&"format-uan"));
    }
}
