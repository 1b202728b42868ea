//! Were two people shown the same log? Two copies of one log must be one history.

use std::path::Path;

use super::copy::Entry;
use super::key::Trust;
use super::log::Sound;
use super::report::{Report, changed, proved};

/// `compare DIR1 DIR2`.
pub fn check(first: &Path, second: &Path, trust: &Trust) -> Result<Report, Report> {
    let read = |dir: &Path| {
        Sound::read(dir, trust).map_err(|mut report| {
            report.lines.push(format!("Copy: {}", dir.display()));
            report
        })
    };
    let (one, other) = (read(first)?, read(second)?);
    let (shorter, longer) = if one.head.size() <= other.head.size() {
        (&one, &other)
    } else {
        (&other, &one)
    };
    let (from, to) = (shorter.head.size(), longer.head.size());
    if longer.stored.proves(from, shorter.head.hash()) {
        return Ok(proved(vec![
            if from == to {
                format!("Both copies are the same log of {to} entries, unchanged.")
            } else {
                format!(
                    "Both copies are the same log: that of {to} entries continues that of {from}."
                )
            },
            format!("Log: {}", longer.head.origin()),
        ]));
    }
    let same = |(one, other): (&Entry, &Entry)| match (one, other) {
        (Entry::Hash(one), Entry::Hash(other)) => one == other,
        (Entry::Hash(_) | Entry::Missing | Entry::Broken, _) => false,
    };
    let pairs = shorter.copy.entries.iter().zip(&longer.copy.entries);
    let parts_at = pairs.take_while(|pair| same(*pair)).count();
    let mut report = changed(format!(
        "The log was shown in two versions: they part at entry {parts_at}, and the log signed both. \
         Keep both folders, the two signed heads together prove it."
    ));
    for (dir, copy) in [(first, &one), (second, &other)] {
        let when = copy.copy.times.get(parts_at);
        report.lines.push(format!(
            "{}: {} entries, root {}; entry {parts_at} of {}",
            dir.display(),
            copy.head.size(),
            copy.head.hash(),
            when.map_or("no time".to_owned(), |when| when.rfc3339())
        ));
    }
    Ok(report)
}
