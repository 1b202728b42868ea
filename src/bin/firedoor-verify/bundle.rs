//! Does an evidence bundle prove what it shows: records, what they open, and the policies they name?
//!
//! A bundle is a folder: `checkpoint`, `entries/<index>.receipt`, `policy/<hash>/<file>` and a
//! `README.txt` that proves nothing. What is missing is told apart from what was changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use firedoor::domain::opening::Opened;
use firedoor::domain::policy::set_hash;
use firedoor::domain::receipt::{RECEIPT_BYTES_MAX, Receipt};
use firedoor::domain::time::When;
use tlog_tiles::Checkpoint;

use super::key::{CHECKPOINT_BYTES_MAX, Trust};
use super::receipt::{describe, included, read};
use super::report::{
    Report, changed, files_below, listed, named, proved, read_file, second, text_file, unknown,
};

/// Most files of a bundle; a larger case is several bundles.
const FILES_MAX: usize = 100_000;
const POLICY_BYTES_MAX: usize = 256 * 1024;

/// What a bundle's files are, by their names.
#[derive(Default)]
struct Files {
    entries: BTreeMap<u64, String>,
    /// Files of each policy set, by its hash in hex.
    policies: BTreeMap<String, Vec<String>>,
    strangers: Vec<String>,
}

/// What was found so far.
struct Case<'a> {
    trust: &'a Trust,
    /// The bundle's own head, under which every record should be.
    head: Option<Checkpoint>,
    /// Heads that receipts carry instead, by size.
    others: BTreeMap<u64, Checkpoint>,
    last: Option<(u64, When)>,
    named_policies: BTreeSet<String>,
    missing: Vec<String>,
    shown: Vec<String>,
}

/// `bundle DIR`.
pub fn check(dir: &Path, trust: &Trust, skew_ms: i64) -> Result<Report, Report> {
    let files = Files::read(dir)?;
    let mut case = Case {
        trust,
        head: None,
        others: BTreeMap::new(),
        last: None,
        named_policies: BTreeSet::new(),
        missing: Vec::new(),
        shown: Vec::new(),
    };
    let note = match read_file(&dir.join("checkpoint"), CHECKPOINT_BYTES_MAX)? {
        Some(_) => Some(text_file(&dir.join("checkpoint"), CHECKPOINT_BYTES_MAX)?),
        None => None,
    };
    match &note {
        Some(note) => case.head = Some(trust.log.head(note, "bundle's checkpoint")?),
        None => case.missing.push("checkpoint is not there".to_owned()),
    }
    let mut by = Vec::new();
    for (index, path) in &files.entries {
        by.push(case.record(dir, *index, path, note.as_deref(), skew_ms)?);
    }
    for (hash, paths) in &files.policies {
        policy(dir, hash, paths)?;
    }
    let absent = case.named_policies.iter();
    let absent = absent.filter(|hash| !files.policies.contains_key(*hash));
    case.missing
        .extend(absent.map(|hash| format!("policy/{hash}/ is not there, and a decision names it")));
    if files.entries.is_empty() {
        case.missing.push("entries/ holds no record".to_owned());
    }
    Ok(case.tell(&files, &by))
}

impl Files {
    fn read(dir: &Path) -> Result<Self, Report> {
        let mut files = Self::default();
        let paths = files_below(dir, "")?;
        if paths.len() > FILES_MAX {
            return Err(unknown(format!(
                "This bundle holds more than {FILES_MAX} files and is not read."
            )));
        }
        for path in paths {
            let parts: Vec<&str> = path.split('/').collect();
            match parts.as_slice() {
                ["checkpoint" | "README.txt"] => {}
                ["entries", name] => match index_of(name) {
                    Some(index) => {
                        files.entries.insert(index, path);
                    }
                    None => files.strangers.push(path),
                },
                ["policy", hash, _] if is_hash(hash) => {
                    let hash = (*hash).to_owned();
                    files.policies.entry(hash).or_default().push(path);
                }
                _ => files.strangers.push(path),
            }
        }
        Ok(files)
    }
}

/// `42.receipt`, in the one spelling.
fn index_of(name: &str) -> Option<u64> {
    let index: u64 = name.strip_suffix(".receipt")?.parse().ok()?;
    (format!("{index}.receipt") == name).then_some(index)
}

fn is_hash(text: &str) -> bool {
    let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == 64 && text.bytes().all(digit)
}

impl Case<'_> {
    /// Checks one record, and gives the moment by which a quorum of witnesses had seen it.
    fn record(
        &mut self,
        dir: &Path,
        index: u64,
        path: &str,
        note: Option<&str>,
        skew_ms: i64,
    ) -> Result<Option<(When, Vec<String>)>, Report> {
        let receipt = read(&text_file(&dir.join(path), RECEIPT_BYTES_MAX)?, path)?;
        if receipt.proof.index != index {
            return Err(changed(format!(
                "{path} is the receipt of entry {}, not of entry {index}.",
                receipt.proof.index
            )));
        }
        let head = included(&receipt, &self.trust.log)?;
        let own = self.place(&head)?;
        if let Some((before, when)) = self.last
            && receipt.leaf.when() < when
        {
            return Err(changed(format!(
                "Entries {before} and {index} cannot be of one log: the later one is of an earlier \
                 time."
            )));
        }
        self.last = Some((index, receipt.leaf.when()));
        self.show(index, &receipt);

        let Some(witnesses) = &self.trust.witnesses else {
            return Ok(None);
        };
        let mut seen = witnesses.seen(&receipt.proof.checkpoint, path)?;
        if let Some(note) = note.filter(|_| !own) {
            let of_bundle = witnesses.seen(note, "bundle's checkpoint")?;
            let earlier = |one: Option<When>, other: Option<When>| match (one, other) {
                (Some(one), Some(other)) => one < other,
                (one, None) => one.is_some(),
                (None, Some(_)) => false,
            };
            if earlier(of_bundle.met, seen.met) {
                seen = of_bundle;
            }
        }
        match seen.met {
            Some(by) if receipt.leaf.when() > by.plus_millis(skew_ms.saturating_add(999)) => {
                Err(changed(format!(
                    "Entry {index} carries a wrong time: it says {}, but witnesses had seen it by {}.",
                    second(receipt.leaf.when()),
                    second(by)
                )))
            }
            met => {
                if met.is_none() {
                    let line = format!("too few witnesses have signed the head of entry {index}");
                    self.missing.push(line);
                }
                Ok(met.map(|by| (by, seen.names())))
            }
        }
    }

    /// Whether a receipt has a head of its own, other than the bundle's. Two heads of one size must
    /// be the same.
    fn place(&mut self, head: &Checkpoint) -> Result<bool, Report> {
        let known = self
            .head
            .as_ref()
            .filter(|known| known.size() == head.size());
        let own = known.is_none();
        if let Some(known) = known.or_else(|| self.others.get(&head.size()))
            && known.hash() != head.hash()
        {
            return Err(changed(format!(
                "The log signed two different histories of {} entries: keep this bundle, it proves it.",
                head.size()
            )));
        }
        if own && !self.others.contains_key(&head.size()) {
            let copy = Checkpoint::new(head.origin(), head.size(), *head.hash(), head.extension());
            self.others
                .extend(copy.ok().map(|head| (head.size(), head)));
        }
        Ok(own)
    }

    fn show(&mut self, index: u64, receipt: &Receipt) {
        self.shown
            .push(format!("Entry {index}, {}", receipt.leaf.when().rfc3339()));
        for part in &receipt.opened {
            let lines = describe(part);
            self.shown
                .extend(lines.iter().map(|line| format!("  {line}")));
            if let Ok(Opened::Decided(decided)) = part.read() {
                self.named_policies.insert(hex(&decided.policy));
            }
        }
    }

    fn tell(self, files: &Files, by: &[Option<(When, Vec<String>)>]) -> Report {
        let count = files.entries.len();
        let records = match count {
            1 => "The record of this bundle".to_owned(),
            _ => format!("All {count} records of this bundle"),
        };
        let latest = by.iter().flatten().max_by_key(|(by, _)| *by);
        let mut report = match (self.missing.first(), latest) {
            (Some(missing), _) => unknown(format!(
                "This bundle is incomplete: {missing}. What is there has not been changed."
            )),
            (None, Some((by, names))) => proved(vec![format!(
                "{records} existed by {} and {} not changed. Seen by {}.",
                second(*by),
                if count == 1 { "has" } else { "have" },
                listed(names)
            )]),
            (None, None) => proved(vec![format!(
                "{records} {} in the log and {} not changed.",
                if count == 1 { "is" } else { "are" },
                if count == 1 { "has" } else { "have" }
            )]),
        };
        if let Some(head) = &self.head {
            report.lines.push(format!(
                "Log: {}, {} entries when signed",
                head.origin(),
                head.size()
            ));
        }
        if !self.others.is_empty() {
            report.lines.push(format!(
                "{} other heads were signed for these records; that all are of one history is not \
                 shown here: 'firedoor-verify consistency' does that",
                self.others.len()
            ));
        }
        for hash in files.policies.keys() {
            report.lines.push(if self.named_policies.contains(hash) {
                format!("Policies in force: policy/{hash}/, as a decision names them")
            } else {
                format!("Not named by any opened decision: policy/{hash}/")
            });
        }
        if self.trust.witnesses.is_none() {
            let line = "No outsider's clock was checked: give --witnesses";
            report.lines.push(line.to_owned());
        }
        let missing = self.missing.get(1..).unwrap_or_default();
        report.lines.extend(named("Missing too", missing));
        report
            .lines
            .extend(named("Not part of the bundle", &files.strangers));
        report.lines.extend(self.shown);
        report
    }
}

/// The policy files under a hash must be those that have it.
fn policy(dir: &Path, hash: &str, paths: &[String]) -> Result<(), Report> {
    let mut texts = Vec::new();
    for path in paths {
        let text = text_file(&dir.join(path), POLICY_BYTES_MAX)?;
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        texts.push((name, text));
    }
    let set: Vec<(&str, &str)> = texts
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    if hex(&set_hash(&set)) == hash {
        Ok(())
    } else {
        Err(changed(format!(
            "The policies in policy/{hash}/ are not those that were in force: a file was changed, \
             added or left out."
        )))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
