//! Which entries are an organisation's own, and is one missing?
//!
//! Each entry carries a mark that says, to who has the organisation's key (`firedoor audit trail`),
//! which entry of it came before: HMAC-SHA256 over a label and that entry's index + 1 as eight bytes,
//! big-endian, or 0 for its first. To anyone else it is random. So the entries of one key form a
//! chain, and a hole shows.

use std::collections::HashMap;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::report::{Report, changed, misused, needed};

/// Where a leaf of version 1 carries the mark.
pub const MARK_AT: usize = 154;
pub const MARK_BYTES: usize = 32;

const LABEL: &[u8] = b"firedoor trail v1\n";
const KEY_BYTES: usize = 32;
const FILE_BYTES_MAX: usize = 4 * 1024;
/// Most entries that are named one by one.
const NAMED_MAX: usize = 20;

pub type Mark = [u8; MARK_BYTES];

/// An organisation's key.
pub struct Own(Hmac<Sha256>);

impl Own {
    /// Reads the key: 64 hex digits; empty lines and lines that begin with `#` do not count.
    pub fn read(path: &Path) -> Result<Self, Report> {
        let bad = || misused(format!("{} holds no key of 64 hex digits.", path.display()));
        let bytes = needed(path, FILE_BYTES_MAX).map_err(|_| bad())?;
        let text = String::from_utf8(bytes).map_err(|_| bad())?;
        let mut lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return Err(bad());
        };
        let key = hex(line).ok_or_else(bad)?;
        Ok(Self(Hmac::new_from_slice(&key).map_err(|_| bad())?))
    }

    fn mark(&self, before: u64) -> Mark {
        let mac = self.0.clone().chain_update(LABEL);
        let mac = mac.chain_update(before.to_be_bytes());
        mac.finalize().into_bytes().into()
    }

    /// The indices of the entries of this key.
    ///
    /// # Errors
    /// One of them follows an entry that is not there.
    pub fn find(&self, marks: &[Mark]) -> Result<Vec<u64>, Report> {
        // What an entry may name: none, or any entry of the log.
        let known: HashMap<Mark, u64> = (0..=marks.len() as u64)
            .map(|before| (self.mark(before), before))
            .collect();
        let mut own = Vec::new();
        let mut before = 0;
        for (index, mark) in marks.iter().enumerate() {
            let index = index as u64;
            let Some(named) = known.get(mark) else {
                continue;
            };
            if *named != before {
                return Err(changed(hole(index, *named, before)));
            }
            own.push(index);
            before = index + 1;
        }
        Ok(own)
    }
}

/// `named` and `before` are indices + 1.
fn hole(index: u64, named: u64, before: u64) -> String {
    let that = |of: u64| match of.checked_sub(1) {
        None => "no entry".to_owned(),
        Some(entry) => format!("entry {entry}"),
    };
    format!(
        "An entry of yours is missing: entry {index} says that {} of yours came before it, but in \
         this copy that is {}.",
        that(named),
        that(before)
    )
}

/// Adds which entries are the caller's.
pub fn tell(report: &mut Report, own: &[u64]) {
    if own.is_empty() {
        report.status = 2;
        report.lines.insert(
            0,
            "No entry of this log is yours: is it the key that the gateway gave you?".to_owned(),
        );
        return;
    }
    let mut named: Vec<String> = own
        .iter()
        .take(NAMED_MAX)
        .map(|index| index.to_string())
        .collect();
    if own.len() > NAMED_MAX {
        named.push(format!("and {} more", own.len() - NAMED_MAX));
    }
    report.lines.push(format!(
        "Yours: {} entries, none missing between them: {}",
        own.len(),
        named.join(", ")
    ));
}

fn hex(text: &str) -> Option<[u8; KEY_BYTES]> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits.filter(|digits| digits.len() == KEY_BYTES * 2)?;
    let bytes: Vec<u8> = digits
        .chunks_exact(2)
        .filter_map(|pair| match pair {
            [high, low] => Some((high << 4) | low),
            _ => None,
        })
        .collect();
    bytes.try_into().ok()
}
