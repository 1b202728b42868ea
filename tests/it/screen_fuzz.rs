//! The text screen under random and mutated text: no panic, no hang, no place outside the text.
//!
//! A loop of our own, because it runs on stable with nothing installed and mixes what breaks decoders
//! with lines of the corpus. Every day a fixed number of texts; in the long tier for ten minutes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::time::{Duration, Instant};

use firedoor::domain::firewall::text::{Finding, Lists, TEXT_BYTES_MAX, TextScreen};

use crate::tier;

const TEXTS: u64 = 2_000;
const LONG_SECONDS: u32 = 600;
/// The slowest text on a busy machine, in a build without optimisation.
const SLOWEST: Duration = Duration::from_secs(20);

const CORPUS: &str = include_str!("../../policies/screen/corpus/police.tsv");
const PIECES: [&str; 36] = [
    "visa",
    "no recourse",
    "<b",
    ">",
    "<!--",
    "&#x",
    "&#",
    ";",
    "&amp;",
    "%7",
    "%C3",
    "=",
    "=\n",
    "=4",
    "\\u00",
    "\\ud83d",
    "\\x4",
    "-\n",
    ". ",
    "! ",
    " ",
    "\t",
    "a b c d ",
    "1111-2222",
    "A1234567",
    "\u{200b}",
    "\u{301}",
    "ﷺ",
    "🇬🇧",
    "aGVyIHZpc2E",
    "’",
    "签证",
    "İ",
    "\u{202e}",
    "\0",
    "ǆ",
];

/// Numbers that are the same each time (SplitMix64).
#[derive(Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((value ^ (value >> 31)) >> 1).unwrap() % end.max(1)
    }

    fn text(&mut self, lines: &[&str]) -> String {
        let mut letters: Vec<char> = Vec::new();
        for _ in 0..=self.below(8) {
            match self.below(4) {
                0 => letters.extend(lines[self.below(lines.len())].chars()),
                1 => letters.extend(
                    PIECES[self.below(PIECES.len())]
                        .repeat(1 + self.below(40))
                        .chars(),
                ),
                2 => {
                    letters.extend((0..self.below(30)).filter_map(|_| {
                        char::from_u32(u32::try_from(self.below(0x11_0000)).unwrap())
                    }))
                }
                _ => letters.extend(
                    (0..self.below(60)).map(|_| char::from(u8::try_from(self.below(128)).unwrap())),
                ),
            }
        }
        for _ in 0..self.below(12) {
            let at = self.below(letters.len());
            match self.below(3) {
                0 if !letters.is_empty() => drop(letters.remove(at)),
                1 => letters
                    .splice(at..at, PIECES[self.below(PIECES.len())].chars())
                    .for_each(drop),
                _ if !letters.is_empty() => letters.swap(at, 0),
                _ => {}
            }
        }
        // Now and then as long as a text may be, or longer.
        let text: String = letters.into_iter().collect();
        if self.below(200) == 0 && !text.is_empty() {
            text.repeat(1 + TEXT_BYTES_MAX / text.len())
        } else {
            text
        }
    }
}

#[test]
fn no_text_breaks_or_stops_the_screen() {
    let screen = TextScreen::parse(&Lists::BUILT_IN).unwrap();
    let lines: Vec<&str> = CORPUS
        .lines()
        .filter_map(|line| Some(line.split_once('\t')?.1))
        .collect();
    let long = Duration::from_secs(tier::size(0, LONG_SECONDS).into());
    let mut random = Random(1);
    let begun = Instant::now();
    let mut read = 0;
    while read < TEXTS || begun.elapsed() < long {
        let text = random.text(&lines);
        let one = Instant::now();
        let finding = screen.read(&text);
        assert!(
            one.elapsed() < SLOWEST,
            "{} bytes took {:?}",
            text.len(),
            one.elapsed()
        );
        if let Finding::Held(held) = finding {
            assert!(
                !held.rules.contains(&"failed".to_owned()),
                "broke on text {read}: {text:?}"
            );
            let end = u32::try_from(text.chars().count()).unwrap();
            assert!(
                held.spans
                    .iter()
                    .chain(&held.words)
                    .all(|span| span.start <= span.end && span.end <= end)
            );
        }
        read += 1;
    }
}
