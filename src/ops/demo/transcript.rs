//! The story as a manager reads it: who did what, what they saw, and whether each thing said is so.
//!
//! A sentence that claims something is printed only together with its check: a claim that does not
//! hold is marked, and the demo fails.

use std::io::{self, Write};

use jiff::tz::TimeZone;

use crate::domain::time::When;
use crate::ops::clock;

/// Columns of a line; a terminal of 100 holds it.
const WIDTH: usize = 96;

/// What is told, and which claims did not hold.
pub struct Transcript<W> {
    out: W,
    step: u8,
    /// Hides clock times, so that two transcripts can be compared.
    redacted: bool,
    pub failed: Vec<String>,
}

impl<W: Write> Transcript<W> {
    pub const fn new(out: W, redacted: bool) -> Self {
        Self {
            out,
            step: 0,
            redacted,
            failed: Vec::new(),
        }
    }

    /// A line outside the steps.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        self.wrapped("", "", text)
    }

    /// Begins the next step.
    pub fn step(&mut self, title: &str) -> io::Result<()> {
        self.step += 1;
        writeln!(self.out)?;
        let head = format!("{:>2}  ", self.step);
        self.wrapped(&head, "    ", title)
    }

    /// Someone does something, now.
    pub fn does(&mut self, text: &str) -> io::Result<()> {
        let time = if self.redacted {
            "HH:MM:SS".to_owned()
        } else {
            time_of_day(clock::now())
        };
        self.wrapped(&format!("    {time}  "), "              ", text)
    }

    /// What stands on someone's screen, word for word.
    pub fn sees(&mut self, who: &str, text: &str) -> io::Result<()> {
        let clean: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let text = format!("{who} sees: \"{}\"", clean.trim());
        self.wrapped("              ", "                ", &text)
    }

    /// A sentence that is so, or is marked as not so.
    pub fn so(&mut self, holds: bool, claim: &str) -> io::Result<bool> {
        let mark = if holds {
            "      ok      "
        } else {
            self.failed.push(format!("step {}: {claim}", self.step));
            "      NOT SO  "
        };
        self.wrapped(mark, "              ", claim)?;
        Ok(holds)
    }

    /// A row of a list, as it is.
    pub fn row(&mut self, text: &str) -> io::Result<()> {
        self.wrapped("              ", "                ", text)
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn wrapped(&mut self, head: &str, rest: &str, text: &str) -> io::Result<()> {
        let mut line = head.to_owned();
        let mut empty = true;
        for word in text.split(' ') {
            let joint = usize::from(!empty);
            if !empty && line.chars().count() + joint + word.chars().count() > WIDTH {
                writeln!(self.out, "{}", line.trim_end())?;
                rest.clone_into(&mut line);
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
            empty = false;
        }
        writeln!(self.out, "{}", line.trim_end())
    }
}

/// `21:10:07` in London; in UTC should the zone be unknown.
pub fn time_of_day(when: When) -> String {
    let zone = TimeZone::get("Europe/London").unwrap_or(TimeZone::UTC);
    when.timestamp().map_or_else(
        || when.rfc3339(),
        |at| at.to_zoned(zone).strftime("%H:%M:%S").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_that_does_not_hold_is_marked_and_kept() {
        let mut out = Vec::new();
        let mut told = Transcript::new(&mut out, true);
        told.step("An officer refers her").unwrap();
        told.does(
            "PC Ward sends a referral whose note has many words, so many that the line must \
                   be broken in two, and the second begins below the first.",
        )
        .unwrap();
        told.sees("PC Ward", "We found\nwords.").unwrap();
        told.so(true, "The offer went on.").unwrap();
        told.so(false, "The note was held.").unwrap();
        assert_eq!(told.failed, ["step 1: The note was held."]);
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r#"

         1  An officer refers her
            HH:MM:SS  PC Ward sends a referral whose note has many words, so many that the line must be
                      broken in two, and the second begins below the first.
                      PC Ward sees: "We found words."
              ok      The offer went on.
              NOT SO  The note was held.
        "#);
    }

    #[test]
    fn times_are_told_as_in_london() {
        let summer = When::parse("2026-07-01T02:00:05Z").unwrap();
        assert_eq!(time_of_day(summer), "03:00:05");
    }
}
