//! Cuts folded text into words and stops, in several ways of reading the same letters.
//!
//! A view only ever adds a reading; none replaces another, so no trick in one view hides a word
//! from the next.

use super::fuel::{Fuel, OutOfFuel};
use super::normalise::Glyph;

/// What stands at one place of a text: a word, or a border that patterns do not cross.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// Folded letters; empty for a stop.
    pub(super) text: String,
    /// Code points of the original text.
    pub(super) start: u32,
    pub(super) end: u32,
    /// Written in capitals only (and with a letter).
    pub(super) upper: bool,
    /// Begins with a capital, as a name does.
    pub(super) capital: bool,
}

impl Token {
    pub(super) fn is_stop(&self) -> bool {
        self.text.is_empty()
    }
}

/// Whether a new line ends what patterns may span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lines {
    /// Each line stands alone, as in a list.
    Apart,
    /// Lines run on, and a hyphen at the end of a line joins two halves of a word.
    Joined,
}

/// Words and stops of folded text.
pub(super) fn tokens(
    glyphs: &[Glyph],
    lines: Lines,
    fuel: &mut Fuel,
) -> Result<Vec<Token>, OutOfFuel> {
    fuel.spend(glyphs.len())?;
    let mut tokens = Vec::new();
    let mut word: Vec<Glyph> = Vec::new();
    let mut at = 0;
    while let Some(glyph) = glyphs.get(at).copied() {
        let next = glyphs.get(at + 1).copied();
        at += 1;
        if is_ideograph(glyph.ch) {
            close(&mut word, &mut tokens);
            word.push(glyph);
            close(&mut word, &mut tokens);
        } else if glyph.is_word() || is_leet_sign(glyph.ch, &word, next) {
            word.push(glyph);
        } else if glyph.ch == '\'' && !word.is_empty() && next.is_some_and(Glyph::is_word) {
            // "husband's" reads as "husbands".
        } else if glyph.ch == '-' && lines == Lines::Joined && !word.is_empty() {
            match line_break(glyphs, at) {
                Some(after) => at = after,
                None => close(&mut word, &mut tokens),
            }
        } else {
            close(&mut word, &mut tokens);
            let ends_sentence = matches!(glyph.ch, '.' | '!' | '?' | '\u{3002}' | '\u{61f}')
                && next.is_none_or(|next| !next.is_word());
            if ends_sentence || (glyph.ch == '\n' && lines == Lines::Apart) {
                tokens.push(Token {
                    text: String::new(),
                    start: glyph.start,
                    end: glyph.end,
                    upper: false,
                    capital: false,
                });
            }
        }
    }
    close(&mut word, &mut tokens);
    Ok(tokens)
}

/// Where the next line's word begins, when only blanks and one line break lie between.
fn line_break(glyphs: &[Glyph], from: usize) -> Option<usize> {
    let blanks = glyphs
        .iter()
        .skip(from)
        .take_while(|glyph| glyph.ch.is_whitespace());
    let count = blanks.clone().count();
    (blanks.clone().any(|glyph| glyph.ch == '\n')
        && glyphs
            .get(from + count)
            .is_some_and(|glyph| glyph.is_word()))
    .then_some(from + count)
}

/// `@ $ ! |` between letters may stand for one ("v!sa", "@sylum").
fn is_leet_sign(ch: char, word: &[Glyph], next: Option<Glyph>) -> bool {
    match ch {
        '@' | '$' | '!' | '|' => {
            next.is_some_and(|next| next.ch.is_alphabetic())
                && (!word.is_empty() || ch == '@' || ch == '$')
        }
        _ => false,
    }
}

fn is_ideograph(ch: char) -> bool {
    matches!(u32::from(ch), 0x3040..=0x30ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0x2_0000..=0x3_ffff)
}

fn close(word: &mut Vec<Glyph>, tokens: &mut Vec<Token>) {
    if let (Some(first), Some(last)) = (word.first(), word.last()) {
        let letters = || word.iter().filter(|glyph| glyph.ch.is_alphabetic());
        tokens.push(Token {
            text: word.iter().map(|glyph| glyph.ch).collect(),
            start: first.start.min(last.start),
            end: last.end.max(first.end),
            upper: letters().count() > 0 && letters().all(|glyph| glyph.upper),
            capital: first.upper,
        });
    }
    word.clear();
}

/// Runs of at least this many single letters are read as spaced-out words.
const SPACED_UNITS_MIN: usize = 4;
/// Longest separator inside such a run.
const SPACED_GAP_MAX: usize = 4;

/// The text with "v i s a", "v.i.s.a" and "v_i_s_a" closed up, or `None` without such a run.
pub(super) fn closed_up(
    glyphs: &[Glyph],
    fuel: &mut Fuel,
) -> Result<Option<Vec<Glyph>>, OutOfFuel> {
    fuel.spend(glyphs.len())?;
    let mut out: Vec<Glyph> = Vec::with_capacity(glyphs.len());
    let mut found = false;
    let mut at = 0;
    while let Some(glyph) = glyphs.get(at) {
        let run = spaced_run(glyphs, at);
        if run.len() >= SPACED_UNITS_MIN {
            found = true;
            close_run(glyphs, &run, &mut out);
            at = run.last().map_or(at, |unit| unit + 1);
        } else {
            let used = run.last().map_or(1, |last| last + 1 - at);
            match glyphs.get(at..at + used) {
                Some(part) => out.extend_from_slice(part),
                None => out.push(*glyph),
            }
            at += used;
        }
    }
    Ok(found.then_some(out))
}

/// Places of the single letters of the run that begins at `from`.
fn spaced_run(glyphs: &[Glyph], from: usize) -> Vec<usize> {
    let is_word = |at: usize| glyphs.get(at).is_some_and(|glyph| glyph.is_word());
    let alone =
        |at: usize| is_word(at) && !is_word(at + 1) && !at.checked_sub(1).is_some_and(is_word);
    let mut units = Vec::new();
    let mut at = from;
    while alone(at) {
        units.push(at);
        let gap = glyphs
            .iter()
            .skip(at + 1)
            .take(SPACED_GAP_MAX + 1)
            .take_while(|glyph| !glyph.is_word() && glyph.ch != '\n')
            .count();
        if gap == 0 || gap > SPACED_GAP_MAX {
            break;
        }
        at += gap + 1;
    }
    units
}

/// Signs join; blanks join only where every separator is blank, and then only the shortest.
fn close_run(glyphs: &[Glyph], units: &[usize], out: &mut Vec<Glyph>) {
    let gaps: Vec<(usize, &[Glyph])> = units
        .windows(2)
        .filter_map(|pair| match pair {
            [left, right] => Some((*right, glyphs.get(left + 1..*right)?)),
            _ => None,
        })
        .collect();
    let has_blank = |gap: &[Glyph]| gap.iter().any(|glyph| glyph.ch == ' ');
    let all_blank = gaps
        .iter()
        .all(|(_, gap)| gap.iter().all(|glyph| glyph.ch == ' '));
    let shortest = gaps.iter().map(|(_, gap)| gap.len()).min().unwrap_or(0);
    if let Some(first) = units.first().and_then(|at| glyphs.get(*at)) {
        out.push(*first);
    }
    for (right, gap) in &gaps {
        let joins = if all_blank {
            gap.len() == shortest
        } else {
            !has_blank(gap)
        };
        let Some(letter) = glyphs.get(*right) else {
            continue;
        };
        if !joins {
            out.push(letter.blank_before());
        }
        out.push(*letter);
    }
}

/// The text with blanks put into "herVisaExpired2024", or `None` where nothing is glued.
pub(super) fn unglued(glyphs: &[Glyph], fuel: &mut Fuel) -> Result<Option<Vec<Glyph>>, OutOfFuel> {
    fuel.spend(glyphs.len())?;
    let mut out = Vec::with_capacity(glyphs.len());
    let mut found = false;
    for (at, glyph) in glyphs.iter().enumerate() {
        let near = |back: usize| at.checked_sub(back).and_then(|place| glyphs.get(place));
        let lower = |glyph: Option<&Glyph>| {
            glyph.is_some_and(|glyph| glyph.ch.is_alphabetic() && !glyph.upper)
        };
        let hump = glyph.upper
            && lower(near(1))
            && lower(near(2))
            && glyphs.get(at + 1).is_some_and(|next| next.is_word());
        let number = glyph.ch.is_ascii_digit()
            && (1..=3).all(|back| near(back).is_some_and(|glyph| glyph.ch.is_alphabetic()));
        if hump || number {
            found = true;
            out.push(glyph.blank_before());
        }
        out.push(*glyph);
    }
    Ok(found.then_some(out))
}

/// The letters from last to first.
pub(super) fn reversed(glyphs: &[Glyph]) -> Vec<Glyph> {
    glyphs.iter().rev().copied().collect()
}

/// Each letter moved by thirteen places.
pub(super) fn rot13(glyphs: &[Glyph]) -> Vec<Glyph> {
    let turn = |ch: char| match ch {
        'a'..='m' => char::from_u32(u32::from(ch) + 13).unwrap_or(ch),
        'n'..='z' => char::from_u32(u32::from(ch) - 13).unwrap_or(ch),
        other => other,
    };
    glyphs
        .iter()
        .map(|glyph| Glyph {
            ch: turn(glyph.ch),
            ..*glyph
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::normalise::{fold, raw};
    use super::*;

    fn folded(text: &str) -> Vec<Glyph> {
        fold(&raw(text), &mut Fuel::new(100_000)).unwrap()
    }

    fn read(glyphs: &[Glyph], lines: Lines) -> String {
        let tokens = tokens(glyphs, lines, &mut Fuel::new(100_000)).unwrap();
        let words: Vec<&str> = tokens
            .iter()
            .map(|token| {
                if token.is_stop() {
                    "|"
                } else {
                    token.text.as_str()
                }
            })
            .collect();
        words.join(" ")
    }

    #[test]
    fn words_and_stops() {
        let text = folded("Her husband's ill-\ntreatment. FLR(M) w/ s.17, 3.5kg!");
        assert_eq!(
            read(&text, Lines::Apart),
            "her husbands ill | treatment | flr m w s 17 3 5kg |"
        );
        assert_eq!(
            read(&text, Lines::Joined),
            "her husbands illtreatment | flr m w s 17 3 5kg |"
        );
    }

    #[test]
    fn spaced_letters_close_up() {
        for text in ["n o   v i s a now", "n.o v.i.s.a now", "n/o/ v_i_s_a now"] {
            let closed = closed_up(&folded(text), &mut Fuel::new(10_000))
                .unwrap()
                .unwrap();
            assert_eq!(read(&closed, Lines::Apart), "no visa now", "{text}");
        }
        let few = closed_up(&folded("G 7 and B 4"), &mut Fuel::new(10_000)).unwrap();
        assert_eq!(few, None);
    }

    #[test]
    fn file_names_come_apart() {
        let text = unglued(&folded("herVisaExpired2024.pdf"), &mut Fuel::new(10_000))
            .unwrap()
            .unwrap();
        assert_eq!(read(&text, Lines::Apart), "her visa expired 2024 pdf");
    }
}
