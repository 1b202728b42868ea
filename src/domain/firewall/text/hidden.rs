//! Finds text that is hidden, or in letters that the word list cannot read.
//!
//! Such text is held for that alone: there is no need to know what it says. Invisible signs that
//! only stand between letters are no reason, nor letters that pass for Latin ones: both are read
//! as what they show. Nor is a name in its own script.

use unicode_script::{Script, UnicodeScript};

use super::Span;
use super::normalise::{Glyph, is_invisible, passes_for_latin};

/// This many words of mixed alphabets are no accident, nor is one in so many letters.
const MIXED_WORDS_MIN: usize = 2;
const MIXED_LETTERS_PERCENT: usize = 5;
/// A longer run in another alphabet is a statement, not a name.
const FOREIGN_WORDS_MAX: usize = 3;
const FOREIGN_LETTERS_MAX: usize = 40;
/// The same for signs that are written without blanks.
const IDEOGRAPHS_MAX: usize = 6;
/// Shortest run of capitals, small letters and digits that nothing could decode.
const OPAQUE_CHARS_MIN: usize = 24;

/// What cannot be read in the original text; empty when all of it can.
pub(super) fn unreadable(glyphs: &[Glyph]) -> Vec<Span> {
    let mut spans = invisible(glyphs);
    spans.extend(scripts(glyphs));
    spans
}

fn invisible(glyphs: &[Glyph]) -> Vec<Span> {
    let mut forbidden = Vec::new();
    let mut before: Option<&Glyph> = None;
    for glyph in glyphs {
        if !is_invisible(glyph.ch) {
            before = Some(glyph);
            continue;
        }
        match u32::from(glyph.ch) {
            // Direction overrides and tag characters: they only ever show one text and carry another.
            0x202a..=0x202e | 0x2066..=0x2069 | 0xe_0001 | 0xe_0100..=0x10_ffff => {
                forbidden.push(span(glyph))
            }
            0xe_0020..=0xe_007f if before.is_none_or(|glyph| u32::from(glyph.ch) != 0x1_f3f4) => {
                forbidden.push(span(glyph));
            }
            _ => {}
        }
    }
    forbidden
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Letters {
    Latin,
    Foreign,
    Mixed,
}

fn scripts(glyphs: &[Glyph]) -> Vec<Span> {
    let words: Vec<(Letters, &[Glyph])> = glyphs
        .split(|glyph| {
            !glyph.is_word() && !is_invisible(glyph.ch) && glyph.ch.script() != Script::Inherited
        })
        .filter_map(|word| Some((alphabet(word)?, word)))
        .collect();
    let letters = |word: &[Glyph]| word.iter().filter(|glyph| glyph.ch.is_alphabetic()).count();
    let all: usize = words.iter().map(|(_, word)| letters(word)).sum();
    let mixed: Vec<&[Glyph]> = words
        .iter()
        .filter(|(kind, _)| *kind == Letters::Mixed)
        .map(|(_, word)| *word)
        .collect();
    let mixed_letters: usize = mixed.iter().map(|word| letters(word)).sum();
    let mut spans = Vec::new();
    if mixed.len() >= MIXED_WORDS_MIN || mixed_letters * 100 > all * MIXED_LETTERS_PERCENT {
        spans.extend(mixed.iter().filter_map(|word| whole(word)));
    }
    let mut run: Vec<&[Glyph]> = Vec::new();
    for (kind, word) in words
        .iter()
        .chain(std::iter::once(&(Letters::Latin, [].as_slice())))
    {
        if *kind == Letters::Foreign {
            run.push(word);
            continue;
        }
        let long = run.len() > FOREIGN_WORDS_MAX
            || run.iter().map(|word| letters(word)).sum::<usize>() > FOREIGN_LETTERS_MAX;
        let dense = run.iter().any(|word| {
            word.iter()
                .filter(|glyph| {
                    matches!(
                        glyph.ch.script(),
                        Script::Han
                            | Script::Hiragana
                            | Script::Katakana
                            | Script::Thai
                            | Script::Khmer
                            | Script::Lao
                            | Script::Myanmar
                    )
                })
                .count()
                > IDEOGRAPHS_MAX
        });
        if long || dense {
            spans.extend(run.iter().filter_map(|word| whole(word)));
        }
        run.clear();
    }
    spans
}

/// The alphabet of a word; none for numbers and signs.
fn alphabet(word: &[Glyph]) -> Option<Letters> {
    let scripts = || {
        word.iter().map(|glyph| glyph.ch.script()).filter(|script| {
            !matches!(script, Script::Common | Script::Inherited | Script::Unknown)
        })
    };
    let latin = scripts().any(|script| script == Script::Latin);
    let foreign = scripts().any(|script| script != Script::Latin);
    // "5μg": a Greek letter as a unit or a sign.
    let unit = word.len() <= 4
        && word.iter().any(|glyph| {
            matches!(
                glyph.ch,
                '\u{3bc}' | '\u{3a9}' | '\u{3b1}' | '\u{3b2}' | '\u{3b3}'
            )
        })
        && word
            .iter()
            .filter(|glyph| glyph.ch.script() == Script::Greek)
            .count()
            == 1;
    match (latin, foreign) {
        (true, true) if unit || reads_as_latin(word) => Some(Letters::Latin),
        (true, true) => Some(Letters::Mixed),
        (true, false) => Some(Letters::Latin),
        (false, true) => Some(Letters::Foreign),
        (false, false) => None,
    }
}

fn reads_as_latin(word: &[Glyph]) -> bool {
    let foreign = word
        .iter()
        .filter(|glyph| glyph.ch.is_alphabetic() && glyph.ch.script() != Script::Latin);
    foreign.into_iter().all(|glyph| passes_for_latin(glyph.ch))
}

/// Runs that look like a code and that no decoder opened. To be given the decoded text.
pub(super) fn opaque(glyphs: &[Glyph]) -> Vec<Span> {
    glyphs
        .split(|glyph| !(glyph.ch.is_ascii_alphanumeric() || glyph.ch == '+'))
        .filter(|run| {
            let some = |test: fn(&char) -> bool| run.iter().any(|glyph| test(&glyph.ch));
            run.len() >= OPAQUE_CHARS_MIN
                && some(char::is_ascii_uppercase)
                && some(char::is_ascii_lowercase)
                && some(char::is_ascii_digit)
        })
        .filter_map(whole)
        .collect()
}

fn span(glyph: &Glyph) -> Span {
    Span {
        start: glyph.start,
        end: glyph.end,
    }
}

fn whole(word: &[Glyph]) -> Option<Span> {
    Some(Span {
        start: word.first()?.start,
        end: word.last()?.end,
    })
}

#[cfg(test)]
mod tests {
    use super::super::normalise::raw;
    use super::*;

    #[test]
    fn hidden_text_is_seen() {
        for text in [
            "abc \u{202e}asiv",
            "plain \u{e0056}\u{e0049} text",
            "تعيش مع أختها منذ شهرين",
            "她的签证已经过期了",
            "Она просит убежища здесь давно",
        ] {
            assert!(!unreadable(&raw(text)).is_empty(), "{text}");
        }
        assert!(!opaque(&raw("key Zm9v8fH3kkQ1x9Lw0PpZ7uYt end")).is_empty());
    }

    #[test]
    fn accidents_names_and_units_are_not_hidden_text() {
        for text in [
            "\u{feff}Vic states ac\u{ad}com\u{ad}mo\u{ad}da\u{ad}tion needed",
            "Her name is Олена Шевченко, call before noon",
            "s\u{200b}a\u{200b}f\u{200b}e at her sister's",
            "ѕаfе at her ѕіѕtеr's",
            "Name: 王小明 speaks Mandarin",
            "Took 5μg, β-blocker stopped, naïve café, Zoë O’Brien",
            "Family emoji 👨\u{200d}👩\u{200d}👧 and flag 🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
        ] {
            assert_eq!(unreadable(&raw(text)), [], "{text}");
        }
    }
}
