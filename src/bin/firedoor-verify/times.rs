//! When entries were made, by the clocks of others: each lies between two heads that witnesses saw.
//!
//! The log's own times are only what the gateway says. A head without an entry bounds its time from
//! below, a head with it from above. Too late a cosignature must never make an honest log look
//! back-dated: below counts the earliest, and that a head waits for its witnesses while the log
//! grows. Above counts the moment by which a quorum had seen it.

use std::path::Path;

use firedoor::domain::time::When;

use super::key::{CHECKPOINT_BYTES_MAX, Pinned};
use super::log::Sound;
use super::report::{Report, changed, files_below, listed, named, second, text_file};
use super::witnesses::Witnesses;

/// Witnesses give whole seconds, the log's entries ten.
const WITNESS_STEP_MS: i64 = 999;
const ENTRY_STEP_MS: i64 = 9_999;
/// A gateway holds one head for its witnesses so long, while the log grows.
const HEAD_WAITS_MS: i64 = 5 * 60_000;
/// How far clocks may be apart, unless the caller says otherwise.
pub const SKEW_MINUTES: u16 = 5;

/// A head that a quorum saw.
struct SeenHead {
    size: u64,
    /// The earliest cosignature of it.
    first: When,
    /// By then a quorum had seen it.
    by: When,
    names: Vec<String>,
}

/// Every head that a quorum saw, in the order of their sizes.
pub struct Brackets {
    heads: Vec<SeenHead>,
    /// Files among the heads that are none of this log.
    strangers: Vec<String>,
}

impl Brackets {
    /// Reads the heads in `witnessed/` and the copy's own. Each that the log signed must be one of
    /// its own past, cosigned or not.
    ///
    /// # Errors
    /// A head that the tree of this copy contradicts, or a cosignature that is wrong.
    pub fn read(
        dir: &Path,
        log: &Pinned,
        witnesses: &Witnesses,
        sound: &Sound,
    ) -> Result<Self, Report> {
        let mut found = Self {
            heads: Vec::new(),
            strangers: Vec::new(),
        };
        found.add(&sound.note, "checkpoint", log, witnesses, sound)?;
        for path in files_below(&dir.join("witnessed"), "witnessed")? {
            let note = text_file(&dir.join(&path), CHECKPOINT_BYTES_MAX);
            match note {
                Ok(note) => found.add(&note, &path, log, witnesses, sound)?,
                Err(_) => found.strangers.push(path),
            }
        }
        found.heads.sort_by_key(|head| head.size);
        Ok(found)
    }

    fn add(
        &mut self,
        note: &str,
        path: &str,
        log: &Pinned,
        witnesses: &Witnesses,
        sound: &Sound,
    ) -> Result<(), Report> {
        let head = match log.head(note, path) {
            Ok(head) => head,
            // Unsigned or of another log: it says nothing about this one.
            Err(report) if report.status == 2 => {
                self.strangers.push(path.to_owned());
                return Ok(());
            }
            Err(report) => return Err(report),
        };
        let size = head.size();
        if size <= sound.head.size() && !sound.stored.proves(size, head.hash()) {
            return Err(changed(format!(
                "The log was rewritten: its first {size} entries are not those of {path}, which it \
                 signed too. Keep {path} and checkpoint, they prove it."
            )));
        }
        let seen = witnesses.seen(note, path)?;
        if let (Some(first), Some(by)) = (seen.first(), seen.met) {
            self.heads.push(SeenHead {
                size,
                first,
                by,
                names: seen.names(),
            });
        }
        Ok(())
    }

    /// Every entry's own time against what witnesses saw.
    ///
    /// # Errors
    /// The first entry that lies outside, by more than the skew.
    pub fn check(&self, times: &[When], skew_ms: i64) -> Result<(), Report> {
        // The tightest bound from above for what a head and every larger one holds.
        let mut above: Vec<&SeenHead> = Vec::new();
        for head in self.heads.iter().rev() {
            let tightest = above.last().filter(|later| later.by <= head.by);
            above.push(tightest.copied().unwrap_or(head));
        }
        let late = (ENTRY_STEP_MS + HEAD_WAITS_MS).saturating_add(skew_ms);
        let mut below: Option<&SeenHead> = None;
        let mut next = self.heads.iter().peekable();
        for (index, own) in times.iter().enumerate() {
            let index = index as u64;
            while let Some(head) = next.next_if(|head| head.size <= index) {
                above.pop();
                below = below
                    .filter(|known| known.first >= head.first)
                    .or(Some(head));
            }
            if let Some(head) = below
                && own.plus_millis(late) < head.first
            {
                return Err(changed(format!(
                    "Entry {index} was back-dated: it says {}, but at {} witnesses saw the log \
                     without it.",
                    second(*own),
                    second(head.first)
                )));
            }
            if let Some(head) = above.last()
                && *own > head.by.plus_millis(WITNESS_STEP_MS.saturating_add(skew_ms))
            {
                return Err(self.too_late(index, *own, head, times.len() as u64));
            }
        }
        Ok(())
    }

    fn too_late(&self, index: u64, own: When, head: &SeenHead, size: u64) -> Report {
        let (own, by) = (second(own), second(head.by));
        changed(if head.size > size {
            format!(
                "The log was cut back and written anew: at {by} witnesses had seen {} entries, but \
                 entry {index} of this copy is of {own}. Keep witnessed/{}, it proves it.",
                head.size, head.size
            )
        } else {
            format!(
                "Entry {index} carries a wrong time: it says {own}, but witnesses had seen it by {by}."
            )
        })
    }

    /// The moment by which a quorum had seen an entry, and who saw that head.
    pub fn seen_by(&self, index: u64) -> Option<(When, &[String])> {
        let with_it = self.heads.iter().filter(|head| head.size > index);
        with_it
            .min_by_key(|head| head.by)
            .map(|head| (head.by, head.names.as_slice()))
    }

    /// Adds how far the log is witnessed and by whom. A copy that no quorum saw, or that ends before
    /// what it saw, is not all that was asked for.
    pub fn tell(&self, report: &mut Report, size: u64, skew_ms: i64) {
        let minutes = skew_ms / 60_000;
        match self.heads.last() {
            None => {
                report.status = 2;
                if let Some(line) = report.lines.first_mut() {
                    *line = format!(
                        "This log of {size} entries has not changed, but no head of it carries the \
                         signatures of enough witnesses, so its times are not proved."
                    );
                }
            }
            Some(last) => {
                if last.size > size {
                    report.status = 2;
                    if let Some(line) = report.lines.first_mut() {
                        *line = format!(
                            "This copy is incomplete: it ends after {size} entries, and at {} \
                             witnesses had seen {}. It is older, or the log was cut back.",
                            second(last.by),
                            last.size
                        );
                    }
                }
                report.lines.push(format!(
                    "Witnessed: {} of {size} entries by {}, seen by {}",
                    last.size.min(size),
                    second(last.by),
                    listed(&last.names)
                ));
                report.lines.push(format!(
                    "The time of each fits what witnesses saw before and after it, their clocks \
                     {minutes} minutes off at most"
                ));
            }
        }
        let strangers = named("Not a head of this log", &self.strangers);
        report.lines.extend(strangers);
    }
}
