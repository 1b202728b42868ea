//! Cuts the original text into sentences, which is what an author is asked to reword.
//!
//! Words alone are too little: taking out a word leaves the rest of the sentence to tell.

use super::Span;

/// Short forms whose full stop does not end a sentence: before a name, and before a number.
const TITLES: [&str; 6] = ["mr", "mrs", "ms", "miss", "dr", "st"];
const NUMBERED: [&str; 8] = ["no", "nos", "ref", "refs", "approx", "tel", "para", "ext"];

/// Sentences in order, as code points of the text, blanks at their ends left out.
pub(super) fn sentences(text: &str) -> Vec<Span> {
    let letters: Vec<char> = text.chars().collect();
    let letter = |at: usize| letters.get(at).copied();
    let mut spans = Vec::new();
    let mut from = 0;
    for (at, ch) in letters.iter().enumerate() {
        let ends = match ch {
            '\n' | '\r' | '\u{2028}' | '\u{2029}' => true,
            '.' | '!' | '?' | '\u{2026}' | '\u{3002}' | '\u{61f}' => {
                letter(at + 1).is_none_or(char::is_whitespace)
                    && !(*ch == '.' && is_short_form(&letters, from, at))
            }
            // A closing quotation mark belongs to the sentence that it closes.
            '"' | '\'' | '\u{201d}' | '\u{2019}' | ')' => {
                letter(at + 1).is_some_and(char::is_whitespace)
                    && at
                        .checked_sub(1)
                        .and_then(letter)
                        .is_some_and(|before| matches!(before, '.' | '!' | '?'))
            }
            _ => false,
        };
        if ends {
            push(&letters, from, at + 1, &mut spans);
            from = at + 1;
        }
    }
    push(&letters, from, letters.len(), &mut spans);
    spans
}

fn is_short_form(letters: &[char], from: usize, stop: usize) -> bool {
    let word: Vec<char> = letters
        .iter()
        .take(stop)
        .skip(from)
        .rev()
        .take_while(|ch| ch.is_alphanumeric())
        .flat_map(|ch| ch.to_lowercase())
        .collect();
    let word: String = word.into_iter().rev().collect();
    // "she said no." ends; "tel no. 020" does not.
    let next = letters.iter().skip(stop + 1).find(|ch| !ch.is_whitespace());
    (TITLES.contains(&word.as_str()) && next.is_some_and(|ch| ch.is_uppercase()))
        || (NUMBERED.contains(&word.as_str()) && next.is_some_and(char::is_ascii_digit))
}

fn push(letters: &[char], from: usize, to: usize, spans: &mut Vec<Span>) {
    let within = letters.iter().take(to).skip(from);
    let lead = within.clone().take_while(|ch| ch.is_whitespace()).count();
    let tail = within
        .clone()
        .rev()
        .take_while(|ch| ch.is_whitespace())
        .count();
    if lead + tail < to - from
        && let (Ok(start), Ok(end)) = (u32::try_from(from + lead), u32::try_from(to - tail))
    {
        spans.push(Span { start, end });
    }
}

/// The whole sentences that a span touches, and the number of the first.
pub(super) fn widen(span: Span, sentences: &[Span]) -> (usize, Span) {
    // Sentences are in order and apart, so both ends can be searched by halves.
    let first = sentences.partition_point(|sentence| sentence.end <= span.start);
    let after = sentences.partition_point(|sentence| sentence.start < span.end);
    let last = after.checked_sub(1).and_then(|at| sentences.get(at));
    let start = sentences
        .get(first)
        .map_or(span.start, |sentence| sentence.start.min(span.start));
    let end = last.map_or(span.end, |sentence| sentence.end.max(span.end));
    (first, Span { start, end })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_at_stops_and_lines_but_not_at_short_forms() {
        let text = "Seen by Dr. Hale at 3.15. \"Go!\" he said.\n- next line\n\n  Tel no. 020. She said no. Then left";
        let letters: Vec<char> = text.chars().collect();
        let read: Vec<String> = sentences(text)
            .iter()
            .map(|span| {
                letters[span.start as usize..span.end as usize]
                    .iter()
                    .collect()
            })
            .collect();
        assert_eq!(
            read,
            [
                "Seen by Dr. Hale at 3.15.",
                "\"Go!\"",
                "he said.",
                "- next line",
                "Tel no. 020.",
                "She said no.",
                "Then left"
            ]
        );
    }
}
