//! Undoes the encodings that text picks up on its way, or is hidden in: HTML entities and tags,
//! `%XX`, quoted-printable `=XX`, `\uXXXX` and base64.
//!
//! Bounded: it only ever shortens. It never replaces the undecoded text, which is read as well,
//! because a decoder that misreads `=45` must not hide the letters beside it.

use std::collections::BTreeSet;

use super::Span;
use super::fuel::{Fuel, OutOfFuel};
use super::normalise::Glyph;
use super::sentences;

/// Encodings inside encodings that are undone; deeper text is held unread.
pub(super) const DEPTH_MAX: usize = 3;
/// Shortest run that is tried as base64.
const BASE64_CHARS_MIN: usize = 8;
/// Longest HTML tag or entity that is recognised.
const TAG_CHARS_MAX: usize = 64;
const ENTITY_CHARS_MAX: usize = 12;

/// One round of decoding, or `None` when there was nothing to undo.
pub(super) fn decode(glyphs: &[Glyph], fuel: &mut Fuel) -> Result<Option<Vec<Glyph>>, OutOfFuel> {
    let mut out = Vec::with_capacity(glyphs.len());
    let mut rest = glyphs;
    let mut changed = false;
    while let Some((first, after)) = rest.split_first() {
        fuel.spend(1)?;
        let step = match first.ch {
            '<' => tag(rest, fuel)?,
            '&' => entity(rest),
            '%' | '=' => byte_run(rest, first.ch),
            '\\' => backslash(rest),
            ch if starts_base64(ch, out.last()) => base64_run(rest, fuel)?,
            _ => None,
        };
        match step {
            Some(Step { text, used }) => {
                changed = true;
                let end = rest
                    .get(used.saturating_sub(1))
                    .map_or(first.end, |glyph| glyph.end);
                out.extend(text.into_iter().map(|ch| Glyph {
                    ch,
                    start: first.start,
                    end,
                    upper: ch.is_uppercase(),
                }));
                rest = rest.get(used..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    Ok(changed.then_some(out))
}

/// The decoded sentences in which something was undone, with their neighbours. The others were read
/// before, and reading all of a long text again for one `&amp;` would cost as much again.
pub(super) fn near_changes(
    before: &[Glyph],
    after: &[Glyph],
    sentences: &[Span],
    fuel: &mut Fuel,
) -> Result<Vec<Glyph>, OutOfFuel> {
    fuel.spend(before.len() + after.len())?;
    let place = |glyph: &Glyph| {
        let span = Span {
            start: glyph.start,
            end: glyph.end,
        };
        sentences::widen(span, sentences).0
    };
    let mut touched = BTreeSet::new();
    let mut kept = after.iter().peekable();
    for glyph in before {
        // What was not undone stands in both, and in the same order.
        if kept.next_if(|next| *next == glyph).is_none() {
            let at = place(glyph);
            touched.extend([at.saturating_sub(1), at, at + 1]);
            while kept.next_if(|next| next.start <= glyph.start).is_some() {}
        }
    }
    Ok(after
        .iter()
        .filter(|glyph| touched.contains(&place(glyph)))
        .copied()
        .collect())
}

/// The decoded letters and how many glyphs they were made of (at least one).
struct Step {
    text: Vec<char>,
    used: usize,
}

fn letter(glyphs: &[Glyph], at: usize) -> Option<char> {
    glyphs.get(at).map(|glyph| glyph.ch)
}

fn hex(glyphs: &[Glyph], at: usize, digits: usize) -> Option<u32> {
    let mut value = 0;
    for place in at..at + digits {
        value = value * 16 + letter(glyphs, place)?.to_digit(16)?;
    }
    Some(value)
}

/// `<b>`, `</b>`, `<!-- -->`: nothing; a tag that breaks the line: a new line.
fn tag(glyphs: &[Glyph], fuel: &mut Fuel) -> Result<Option<Step>, OutOfFuel> {
    if !letter(glyphs, 1).is_some_and(|ch| ch.is_ascii_alphabetic() || ch == '/' || ch == '!') {
        return Ok(None);
    }
    let within = glyphs.iter().take(TAG_CHARS_MAX);
    fuel.spend(within.len())?;
    let Some(close) = within.clone().position(|glyph| glyph.ch == '>') else {
        return Ok(None);
    };
    let name: String = glyphs
        .iter()
        .take(close)
        .skip(1)
        .map(|glyph| glyph.ch.to_ascii_lowercase())
        .filter(|ch| *ch != '/')
        .take_while(char::is_ascii_alphanumeric)
        .collect();
    let breaks = matches!(
        name.as_str(),
        "br" | "p" | "div" | "li" | "tr" | "td" | "th" | "ul" | "h1" | "h2" | "h3"
    );
    Ok(Some(Step {
        text: if breaks { vec!['\n'] } else { Vec::new() },
        used: close + 1,
    }))
}

/// `&amp;`, `&#105;`, `&#x69;`.
fn entity(glyphs: &[Glyph]) -> Option<Step> {
    let close = glyphs
        .iter()
        .take(ENTITY_CHARS_MAX)
        .position(|glyph| glyph.ch == ';')?;
    let name: String = glyphs
        .iter()
        .take(close)
        .skip(1)
        .map(|glyph| glyph.ch)
        .collect();
    let ch = match name.strip_prefix('#') {
        Some(number) => {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
        None => match name.as_str() {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" | "rsquo" | "lsquo" => '\'',
            "nbsp" => ' ',
            "shy" | "zwnj" | "zwj" => '\u{ad}',
            "ndash" | "mdash" => '-',
            _ => return None,
        },
    };
    Some(Step {
        text: vec![ch],
        used: close + 1,
    })
}

/// A run of `%XX` or `=XX` bytes that is UTF-8, or a quoted-printable soft line break.
fn byte_run(glyphs: &[Glyph], mark: char) -> Option<Step> {
    if mark == '=' && letter(glyphs, 1) == Some('\n') {
        return Some(Step {
            text: Vec::new(),
            used: 2,
        });
    }
    if mark == '=' && letter(glyphs, 1) == Some('\r') && letter(glyphs, 2) == Some('\n') {
        return Some(Step {
            text: Vec::new(),
            used: 3,
        });
    }
    let mut bytes = Vec::new();
    let mut at = 0;
    // One character at a time: at most four bytes of UTF-8.
    while bytes.len() < 4 && letter(glyphs, at) == Some(mark) {
        bytes.push(u8::try_from(hex(glyphs, at + 1, 2)?).ok()?);
        at += 3;
        if let Ok(text) = std::str::from_utf8(&bytes) {
            return Some(Step {
                text: text.chars().collect(),
                used: at,
            });
        }
    }
    None
}

/// `\u0069`, surrogate pairs included, and `\n`.
fn backslash(glyphs: &[Glyph]) -> Option<Step> {
    match letter(glyphs, 1)? {
        'u' => {
            let high = hex(glyphs, 2, 4)?;
            if let Some(ch) = char::from_u32(high) {
                return Some(Step {
                    text: vec![ch],
                    used: 6,
                });
            }
            let low = (letter(glyphs, 6) == Some('\\') && letter(glyphs, 7) == Some('u'))
                .then(|| hex(glyphs, 8, 4))??;
            let units = [u16::try_from(high).ok()?, u16::try_from(low).ok()?];
            let ch = char::decode_utf16(units).next()?.ok()?;
            Some(Step {
                text: vec![ch],
                used: 12,
            })
        }
        'x' => Some(Step {
            text: vec![char::from_u32(hex(glyphs, 2, 2)?)?],
            used: 4,
        }),
        _ => None,
    }
}

fn is_base64(ch: char) -> bool {
    ch.is_ascii_alphanumeric() || matches!(ch, '+' | '/' | '-' | '_')
}

fn starts_base64(ch: char, before: Option<&Glyph>) -> bool {
    is_base64(ch) && !before.is_some_and(|glyph| is_base64(glyph.ch))
}

/// A run of base64 that decodes to printable text. Words are tried too: none decodes to letters.
fn base64_run(glyphs: &[Glyph], fuel: &mut Fuel) -> Result<Option<Step>, OutOfFuel> {
    let run: Vec<char> = glyphs
        .iter()
        .map(|glyph| glyph.ch)
        .take_while(|ch| is_base64(*ch))
        .collect();
    fuel.spend(run.len())?;
    if run.len() < BASE64_CHARS_MIN {
        return Ok(None);
    }
    let padding = glyphs
        .iter()
        .skip(run.len())
        .take(2)
        .take_while(|glyph| glyph.ch == '=')
        .count();
    Ok(base64_text(&run).map(|text| Step {
        text,
        used: run.len() + padding,
    }))
}

fn base64_text(run: &[char]) -> Option<Vec<char>> {
    let mut bytes = Vec::with_capacity(run.len());
    let (mut bits, mut held) = (0u32, 0u32);
    for ch in run {
        let value = match ch {
            'A'..='Z' => u32::from(*ch) - u32::from('A'),
            'a'..='z' => u32::from(*ch) - u32::from('a') + 26,
            '0'..='9' => u32::from(*ch) - u32::from('0') + 52,
            '+' | '-' => 62,
            '/' | '_' => 63,
            _ => return None,
        };
        bits = ((bits << 6) | value) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xff).ok()?);
        }
    }
    let text = String::from_utf8(bytes).ok()?;
    let printable = text
        .chars()
        .all(|ch| !ch.is_control() || matches!(ch, '\n' | '\r' | '\t'));
    let letters = text
        .chars()
        .filter(|ch| ch.is_alphabetic() || *ch == ' ')
        .count();
    (printable && letters * 2 >= text.chars().count() && text.chars().count() >= 4)
        .then(|| text.chars().collect())
}

#[cfg(test)]
mod tests {
    use super::super::normalise::raw;
    use super::*;

    fn decoded(text: &str) -> String {
        let mut fuel = Fuel::new(100_000);
        decode(&raw(text), &mut fuel).unwrap().map_or_else(
            || text.to_owned(),
            |glyphs| glyphs.iter().map(|glyph| glyph.ch).collect(),
        )
    }

    #[test]
    fn each_encoding_is_undone() {
        assert_eq!(decoded("vi&#115;&#x61; &amp; co"), "visa & co");
        assert_eq!(decoded("vi<b></b>s<!-- x -->a<br>x"), "visa\nx");
        assert_eq!(decoded("v%69s%61 %C3%A9"), "visa é");
        assert_eq!(decoded("v=69s=61=\nx"), "visax");
        assert_eq!(decoded(r"v\u0069s\u0061 \ud83d\ude00"), "visa 😀");
        assert_eq!(
            decoded("c2hlIG1heSBiZSBsYXRl heard"),
            "she may be late heard"
        );
    }

    #[test]
    fn ordinary_words_and_numbers_are_not_taken_for_encodings() {
        for text in [
            "accommodation needed at short notice",
            "age < 18 and score > 5",
            "100% sure, R&B; fish & chips",
            r"C:\temp\x",
            "Crime/ref/0412345",
        ] {
            assert_eq!(decoded(text), text);
        }
    }

    #[test]
    fn only_sentences_with_something_undone_are_read_again() {
        let text = "One. Two. Three &amp; four. Five. Six.";
        let (before, mut fuel) = (raw(text), Fuel::new(10_000));
        let after = decode(&before, &mut fuel).unwrap().unwrap();
        let spans = sentences::sentences(text);
        let near = near_changes(&before, &after, &spans, &mut fuel).unwrap();
        let read: String = near.iter().map(|glyph| glyph.ch).collect();
        assert_eq!(read.trim(), "Two. Three & four. Five.");
    }

    #[test]
    fn a_decoded_letter_points_at_the_whole_escape() {
        let mut fuel = Fuel::new(1_000);
        let glyphs = decode(&raw("a&#98;c"), &mut fuel).unwrap().unwrap();
        let ranges: Vec<_> = glyphs
            .iter()
            .map(|glyph| (glyph.start, glyph.end))
            .collect();
        assert_eq!(ranges, [(0, 1), (1, 6), (6, 7)]);
    }
}
