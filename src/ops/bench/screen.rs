//! How long the text screen takes over honest and hostile text, on one core.
//!
//! The screen spends fuel and never looks at a clock; this is where the two are compared.

use std::fmt;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::meter::thread_cpu;
use crate::domain::firewall::text::{BadLexicon, Lists, TextScreen};

/// Lengths of the texts, in bytes.
const SIZES: [usize; 4] = [1 << 10, 4 << 10, 16 << 10, 64 << 10];
/// Fewest readings of a text: a 99th percentile needs as many.
const READINGS_MIN: usize = 100;

/// Made-up notes as officers, nurses and support workers type them.
const NOTES: [&str; 10] = [
    "IP states AP grabbed her arm in the kitchen and threatened to smash the phone.",
    "Kids upstairs, not injured, seen by PC on scene.",
    "Safe to call between 10 and 12 on her sister's mobile, do not leave a message.",
    "DASH 14, MARAC referral made, bail until 3rd with conditions.",
    "pt attended w/ bruising to L wrist, says she fell, partner answered for her x3.",
    "Housing officer visited re locks; new door fitted, spare keys with neighbour.",
    "She hasn't slept, feels sick before every contact handover.",
    "Crime ref 07/99881/25, exhibit AB/1, statement taken by phone.",
    "He waits outside the nursery in his work van and films who she talks to.",
    "Would like counselling in the evening, any female worker, buses from the 53 stop.",
];

/// Pieces that cost the screen most, each alone and all in turn.
const PIECES: [&str; 12] = [
    "visa card ",
    "v i s a ",
    "vi-\nsa ",
    "&#118;&amp;#105;",
    "%76%2569",
    "aGVyIHZpc2EgZXhwaXJlZA== ",
    "1mm1gr4t10n ",
    "\u{200b}\u{200b}\u{202e}",
    "1111 2222 3333 4444 ",
    "imigrati0n statvs unknwn ",
    "her stay her status her leave her papers ",
    "<b<i<u<",
];

/// One kind of text of one length.
#[derive(Serialize)]
pub struct Row {
    pub text: &'static str,
    pub bytes: usize,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

#[derive(Serialize)]
pub struct ScreenReport {
    pub rows: Vec<Row>,
}

impl fmt::Display for ScreenReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "text screen, one core    bytes       p50       p99")?;
        for row in &self.rows {
            writeln!(
                f,
                "{:<22} {:>7}   {:>7.2} ms {:>7.2} ms",
                row.text, row.bytes, row.p50_ms, row.p99_ms
            )?;
        }
        Ok(())
    }
}

/// Reads texts of each length for a share of the time, at least a hundred times.
pub fn measure(limit: Duration) -> Result<ScreenReport, BadLexicon> {
    let screen = TextScreen::parse(&Lists::BUILT_IN)?;
    let mut rows = Vec::new();
    for bytes in SIZES {
        rows.push(time("realistic", &[filled(&NOTES, bytes)], &screen, limit));
        let mut hostile: Vec<String> = PIECES
            .iter()
            .map(|piece| filled(&[*piece], bytes))
            .collect();
        hostile.push(filled(&PIECES, bytes));
        hostile.push(unknown_words(bytes));
        rows.push(time("hostile", &hostile, &screen, limit));
    }
    Ok(ScreenReport { rows })
}

fn time(name: &'static str, texts: &[String], screen: &TextScreen, limit: Duration) -> Row {
    let begun = Instant::now();
    let mut taken: Vec<Duration> = Vec::new();
    while taken.len() < READINGS_MIN || begun.elapsed() < limit / 8 {
        for text in texts {
            // Processor time: what else the machine does is not the screen's.
            let one = thread_cpu();
            std::hint::black_box(screen.read(std::hint::black_box(text)));
            taken.push(thread_cpu().saturating_sub(one));
        }
    }
    taken.sort_unstable();
    let at = |hundredths: usize| {
        let place = (taken.len() * hundredths / 100).min(taken.len().saturating_sub(1));
        taken
            .get(place)
            .map_or(0.0, |duration| duration.as_secs_f64() * 1_000.0)
    };
    Row {
        text: name,
        bytes: texts.iter().map(String::len).max().unwrap_or(0),
        p50_ms: at(50),
        p99_ms: at(99),
    }
}

/// Pieces in turn, up to a length, cut at a character.
fn filled(pieces: &[&str], bytes: usize) -> String {
    let mut text = String::with_capacity(bytes);
    for ch in pieces
        .iter()
        .cycle()
        .flat_map(|piece| piece.chars().chain([' ']))
    {
        if text.len() + ch.len_utf8() > bytes {
            break;
        }
        text.push(ch);
    }
    text
}

/// Words that no list knows and none of which comes twice: each must be looked for in vain.
fn unknown_words(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes);
    let mut random = 7u32;
    while text.len() + 10 < bytes {
        text.push('i');
        for _ in 0..7 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            text.push(char::from(
                b'a' + u8::try_from((random >> 24) % 26).unwrap_or(0),
            ));
        }
        text.push(' ');
    }
    text
}
