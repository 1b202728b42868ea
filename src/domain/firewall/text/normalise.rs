//! Folds text to plain lower-case letters, and remembers where each letter came from.
//!
//! A folded letter may come from one code point (a full-width letter), from several (an HTML
//! entity) or from a part of one (a ligature). It never decides whether text is hidden on purpose:
//! that is `hidden`, which looks at the text before it is folded.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_security::confusable_detection::skeleton;

use super::fuel::{Fuel, OutOfFuel};

/// One folded letter and the code points `[start, end)` of the original text that it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Glyph {
    pub(super) ch: char,
    pub(super) start: u32,
    pub(super) end: u32,
    /// The original letter was a capital.
    pub(super) upper: bool,
}

impl Glyph {
    pub(super) fn is_word(self) -> bool {
        self.ch.is_alphanumeric()
    }

    /// A blank that stands where this glyph begins.
    pub(super) fn blank_before(self) -> Self {
        Self {
            ch: ' ',
            end: self.start,
            upper: false,
            ..self
        }
    }
}

/// The text as it is, one glyph a code point.
pub(super) fn raw(text: &str) -> Vec<Glyph> {
    (0u32..)
        .zip(text.chars())
        .map(|(at, ch)| Glyph {
            ch,
            start: at,
            end: at + 1,
            upper: ch.is_uppercase(),
        })
        .collect()
}

/// Compatibility forms, accents, look-alike letters and case are folded away; invisible
/// characters, emoji and marks vanish; every other sign stays, because patterns need separators.
pub(super) fn fold(glyphs: &[Glyph], fuel: &mut Fuel) -> Result<Vec<Glyph>, OutOfFuel> {
    let mut folded = Vec::with_capacity(glyphs.len());
    for glyph in glyphs {
        fuel.spend(1)?;
        if glyph.ch.is_ascii() {
            if is_invisible(glyph.ch) {
                continue;
            }
            let ch = match glyph.ch {
                '\r' | '\u{b}' | '\u{c}' => '\n',
                '\t' => ' ',
                '`' => '\'',
                other => other.to_ascii_lowercase(),
            };
            folded.push(Glyph { ch, ..*glyph });
        } else {
            fold_one(*glyph, &mut folded, fuel)?;
        }
    }
    Ok(folded)
}

fn fold_one(glyph: Glyph, folded: &mut Vec<Glyph>, fuel: &mut Fuel) -> Result<(), OutOfFuel> {
    for part in std::iter::once(glyph.ch).nfkd() {
        fuel.spend(4)?;
        if is_combining_mark(part) || is_invisible(part) || is_picture(part) {
            continue;
        }
        let upper = glyph.upper || part.is_uppercase();
        let mut push = |ch: char| folded.push(Glyph { ch, upper, ..glyph });
        match part {
            '\u{85}' | '\u{2028}' | '\u{2029}' => push('\n'),
            _ if part.is_whitespace() => push(' '),
            '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2bc}' | '\u{b4}' => push('\''),
            '\u{2010}'..='\u{2015}' | '\u{2212}' => push('-'),
            '\u{2044}' | '\u{2215}' => push('/'),
            '\u{2190}'..='\u{21ff}' | '\u{25a0}'..='\u{25ff}' => push(' '),
            _ if part.is_ascii() => push(part.to_ascii_lowercase()),
            _ => {
                for ch in letters_for(part) {
                    push(ch);
                }
            }
        }
    }
    Ok(())
}

/// The Latin letters a reader would see, else the letter itself in lower case.
fn letters_for(ch: char) -> Vec<char> {
    if let Some(letter) = own_look_alike(ch) {
        return letter.chars().collect();
    }
    if !ch.is_alphabetic() {
        return vec![ch];
    }
    let mut buffer = [0; 4];
    let seen: Vec<char> = skeleton(ch.encode_utf8(&mut buffer))
        .filter(|part| !is_combining_mark(*part))
        .flat_map(|part| match own_look_alike(part) {
            Some(letter) => letter.chars().collect::<Vec<char>>(),
            None => part.to_lowercase().collect(),
        })
        .collect();
    // Only a whole Latin reading helps; half of one would tear a foreign word to pieces.
    if !seen.is_empty() && seen.iter().all(char::is_ascii_alphanumeric) {
        seen
    } else {
        ch.to_lowercase().collect()
    }
}

/// Whether a letter of another alphabet passes for Latin ones, so that folding reads it.
pub(super) fn passes_for_latin(ch: char) -> bool {
    letters_for(ch).iter().all(char::is_ascii_alphanumeric)
}

/// Look-alikes that the UTS 39 table maps elsewhere: small capitals, strokes, regional letters.
fn own_look_alike(ch: char) -> Option<&'static str> {
    if let Some(letter) = boxed_letter(ch) {
        return Some(letter);
    }
    Some(match ch {
        '\u{3b1}' | '\u{1d00}' => "a",
        '\u{3b2}' | '\u{299}' | '\u{432}' => "b",
        '\u{1d04}' | '\u{3f2}' => "c",
        '\u{111}' | '\u{1d05}' => "d",
        '\u{3b5}' | '\u{1d07}' => "e",
        '\u{493}' | '\u{a730}' => "f",
        '\u{262}' => "g",
        '\u{29c}' | '\u{43d}' => "h",
        '\u{131}' | '\u{26a}' | '\u{3b9}' => "i",
        '\u{1d0a}' => "j",
        '\u{138}' | '\u{1d0b}' | '\u{3ba}' | '\u{43a}' => "k",
        '\u{142}' | '\u{141}' | '\u{29f}' => "l",
        '\u{1d0d}' | '\u{43c}' => "m",
        '\u{274}' | '\u{3b7}' | '\u{43f}' => "n",
        '\u{f8}' | '\u{d8}' | '\u{3bf}' | '\u{3c3}' | '\u{1d0f}' => "o",
        '\u{1d18}' | '\u{3c1}' => "p",
        '\u{280}' | '\u{433}' => "r",
        '\u{a731}' => "s",
        '\u{1d1b}' | '\u{3c4}' | '\u{442}' => "t",
        '\u{1d1c}' | '\u{3c5}' | '\u{3bc}' | '\u{446}' => "u",
        '\u{1d20}' | '\u{3bd}' => "v",
        '\u{1d21}' | '\u{3c9}' | '\u{448}' => "w",
        '\u{3c7}' => "x",
        '\u{28f}' | '\u{3b3}' | '\u{443}' => "y",
        '\u{1d22}' => "z",
        '\u{df}' => "ss",
        '\u{e6}' => "ae",
        '\u{153}' => "oe",
        '\u{fe}' => "th",
        _ => return None,
    })
}

/// Negative circled and squared letters and regional indicators, which have no decomposition.
fn boxed_letter(ch: char) -> Option<&'static str> {
    const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyz";
    let code = u32::from(ch);
    let base = [0x1_f150, 0x1_f170, 0x1_f1e6]
        .into_iter()
        .find(|base| (*base..*base + 26).contains(&code))?;
    let at = usize::try_from(code - base).ok()?;
    ALPHABET.get(at..=at)
}

/// Characters that show nothing and may stand inside a word.
pub(super) fn is_invisible(ch: char) -> bool {
    matches!(u32::from(ch),
        0x00..=0x08 | 0x0e..=0x1f | 0x7f..=0x84 | 0x86..=0x9f | 0xad | 0x34f | 0x61c
        | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f
        | 0x202a..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0
        | 0xfff0..=0xfffd | 0xe000..=0xf8ff | 0x1_d173..=0x1_d17a | 0xe_0000..=0x10_ffff)
}

/// Emoji and dingbats: dropped, so that a picture inside a word does not split it.
fn is_picture(ch: char) -> bool {
    boxed_letter(ch).is_none()
        && matches!(u32::from(ch), 0x2300..=0x23ff | 0x2600..=0x27bf | 0x2b00..=0x2bff | 0x1_f000..=0x1_faff)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> String {
        let mut fuel = Fuel::new(1_000_000);
        fold(&raw(text), &mut fuel)
            .unwrap()
            .iter()
            .map(|glyph| glyph.ch)
            .collect()
    }

    #[test]
    fn one_word_in_many_costumes_folds_to_the_same_letters() {
        for costume in [
            "visa",
            "VISA",
            "ｖｉｓａ",
            "𝐯𝐢𝐬𝐚",
            "ⓥⓘⓢⓐ",
            "vіѕа",
            "νιsα",
            "v\u{200b}i\u{ad}sa",
            "v̶íśạ",
            "vi🙂s🛂a",
            "🇻🇮🇸🇦",
            "ᴠɪꜱᴀ",
            "🅥🅘🅢🅐",
        ] {
            assert_eq!(folded(costume), "visa", "{costume}");
        }
    }

    #[test]
    fn offsets_point_at_the_original_code_points() {
        let mut fuel = Fuel::new(1_000);
        let glyphs = fold(&raw("é\u{200b}ﬁ"), &mut fuel).unwrap();
        let ranges: Vec<_> = glyphs
            .iter()
            .map(|glyph| (glyph.ch, glyph.start, glyph.end))
            .collect();
        assert_eq!(ranges, [('e', 0, 1), ('f', 2, 3), ('i', 2, 3)]);
    }

    #[test]
    fn foreign_words_stay_whole() {
        assert_eq!(folded("لاجئة"), folded("لاجئة"));
        assert!(!folded("Ждать").is_ascii());
    }
}
