//! `firedoor evaluate figures`: how well the screen does on text that somebody has labelled, with the
//! 95 % interval of each figure, as the table of `src/domain/firewall/README.md`.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};

use serde_json::Value;

use super::{bad_line, lines};
use crate::domain::firewall::text::{Finding, TextScreen};

/// Share of a disclosing phrase that must be covered.
const COVERED_PERCENT: usize = 80;
/// Of a normal distribution, for 95 %.
const Z: f64 = 1.96;

/// What is counted, in the order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Measure {
    Explicit,
    Proxy,
    Hard,
    Ordinary,
    Disguised,
    DisguisedHard,
    Controls,
    Leaking,
    Removed,
}

impl Measure {
    const fn name(self) -> &'static str {
        match self {
            Self::Explicit => "explicit, held",
            Self::Proxy => "proxy, held",
            Self::Hard => "hard negatives, held",
            Self::Ordinary => "ordinary, held",
            Self::Disguised => "disguised, held",
            Self::DisguisedHard => "disguised and hard, held",
            Self::Controls => "harmless in disguise, held",
            Self::Leaking => "documents with a phrase that leaks",
            Self::Removed => "harmless characters of documents, removed",
        }
    }
}

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    hits: usize,
    all: usize,
}

impl Count {
    fn add(&mut self, hit: bool) {
        self.hits += usize::from(hit);
        self.all += 1;
    }

    fn percent(self) -> f64 {
        100.0 * self.hits as f64 / self.all.max(1) as f64
    }

    /// Wilson's interval, in per cent (J. Am. Stat. Assoc. 22, 1927).
    fn interval(self) -> (f64, f64) {
        let (hits, all) = (self.hits as f64, self.all.max(1) as f64);
        let share = hits / all;
        let scale = 1.0 + Z * Z / all;
        let middle = share + Z * Z / (2.0 * all);
        let half = Z * (share * (1.0 - share) / all + Z * Z / (4.0 * all * all)).sqrt();
        (
            100.0 * ((middle - half) / scale).max(0.0),
            100.0 * ((middle + half) / scale).min(1.0),
        )
    }
}

/// Reads labelled lines and counts what the screen holds.
#[derive(Debug, Default)]
pub struct Figures(BTreeMap<Measure, Count>);

impl Figures {
    /// Adds a file: JSON lines with `text`, `label` (explicit, proxy, hard, none, disclosing; others
    /// are not counted) and perhaps `kind`, `hard` and `spans`, as in the sets of `evaluate firewall`.
    pub fn read(&mut self, input: impl BufRead, screen: &TextScreen) -> io::Result<()> {
        lines(input, |number, item| {
            let text = |key: &str| item.get(key).and_then(Value::as_str);
            let (Some(note), Some(label)) = (text("text"), text("label")) else {
                return Err(bad_line(number, "needs 'text' and 'label'"));
            };
            let finding = screen.read(note);
            let held = matches!(finding, Finding::Held(_));
            let kind = text("kind").unwrap_or_default();
            if kind == "composed" || kind == "hand" || label == "disclosing" {
                self.count_document(item, note, &finding);
            } else if let Some(measure) = measure(label, kind, item) {
                self.0.entry(measure).or_default().add(held);
            }
            Ok(())
        })
    }

    fn count_document(&mut self, item: &Value, note: &str, finding: &Finding) {
        let length = note.chars().count();
        let mut removed = vec![false; length];
        if let Finding::Held(held) = finding {
            for span in &held.spans {
                mark(&mut removed, u64::from(span.start), u64::from(span.end));
            }
        }
        let mut disclosing = vec![false; length];
        let mut leaks = false;
        let spans = item.get("spans").and_then(Value::as_array);
        for span in spans.into_iter().flatten() {
            let end = |at: usize| span.get(at).and_then(Value::as_u64);
            let (Some(start), Some(end)) = (end(0), end(1)) else {
                continue;
            };
            let mut phrase = vec![false; length];
            mark(&mut phrase, start, end);
            let letters = phrase.iter().filter(|within| **within).count();
            let covered = phrase.iter().zip(&removed).filter(|(a, b)| **a && **b);
            leaks |= covered.count() * 100 < letters * COVERED_PERCENT;
            mark(&mut disclosing, start, end);
        }
        if disclosing.contains(&true) {
            self.0.entry(Measure::Leaking).or_default().add(leaks);
        }
        let count = self.0.entry(Measure::Removed).or_default();
        for (disclosing, removed) in disclosing.iter().zip(&removed) {
            if !disclosing {
                count.add(*removed);
            }
        }
    }

    /// The table, in Markdown.
    pub fn write(&self, mut output: impl Write) -> io::Result<()> {
        writeln!(output, "| what | of | share | 95 % interval |")?;
        writeln!(output, "|---|---|---|---|")?;
        for (measure, count) in &self.0 {
            let (low, high) = count.interval();
            writeln!(
                output,
                "| {} | {} | {:.1} % | {low:.1} to {high:.1} % |",
                measure.name(),
                count.all,
                count.percent()
            )?;
        }
        output.flush()
    }
}

fn measure(label: &str, kind: &str, item: &Value) -> Option<Measure> {
    let is_hard = item.get("hard").and_then(Value::as_bool).unwrap_or(false);
    match (label, kind) {
        (_, "generic_mention") => None,
        (_, "adversarial_control") => Some(Measure::Controls),
        (_, "adversarial") if is_hard => Some(Measure::DisguisedHard),
        (_, "adversarial") => Some(Measure::Disguised),
        ("explicit", _) => Some(Measure::Explicit),
        ("proxy", _) => Some(Measure::Proxy),
        ("hard", _) => Some(Measure::Hard),
        ("none", kind) if kind.contains("hard_negative") => Some(Measure::Hard),
        ("none", _) => Some(Measure::Ordinary),
        _ => None,
    }
}

fn mark(places: &mut [bool], start: u64, end: u64) {
    let place = |at| usize::try_from(at).unwrap_or(usize::MAX);
    let (start, end) = (place(start), place(end).min(places.len()));
    for place in places.get_mut(start..end).into_iter().flatten() {
        *place = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::firewall::text::Lists;

    #[test]
    fn figures_are_counted_by_kind_with_their_intervals() {
        let screen = TextScreen::parse(&Lists::BUILT_IN).unwrap();
        let gold = concat!(
            r#"{"label": "explicit", "text": "Her visa expired."}"#,
            "\n",
            r#"{"label": "none", "kind": "hard_negative", "text": "Visa card declined at the till."}"#,
            "\n",
            r#"{"label": "none", "text": "Locks changed."}"#,
            "\n",
            r#"{"label": "disclosing", "text": "Safe now. Her visa expired.", "spans": [[14, 26]]}"#,
        );
        let mut figures = Figures::default();
        figures.read(gold.as_bytes(), &screen).unwrap();
        let mut table = Vec::new();
        figures.write(&mut table).unwrap();
        insta::assert_snapshot!(String::from_utf8(table).unwrap(), @r"
        | what | of | share | 95 % interval |
        |---|---|---|---|
        | explicit, held | 1 | 100.0 % | 20.7 to 100.0 % |
        | hard negatives, held | 1 | 0.0 % | 0.0 to 79.3 % |
        | ordinary, held | 1 | 0.0 % | 0.0 to 79.3 % |
        | documents with a phrase that leaks | 1 | 0.0 % | 0.0 to 79.3 % |
        | harmless characters of documents, removed | 15 | 33.3 % | 15.2 to 58.3 % |
        ");
    }
}
