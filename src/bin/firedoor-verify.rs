//! Checks receipts and the log offline: was this recorded, and has anything been changed since?
//!
//! Trusts one pinned key and nothing else: not the gateway, not the files, not `domain::merkle`.
//! The tree and the signatures are checked by crates that we did not write. It opens no network
//! connection, and its first line is one plain sentence.

#[path = "firedoor-verify/copy.rs"]
mod copy;
#[path = "firedoor-verify/key.rs"]
mod key;
#[path = "firedoor-verify/report.rs"]
mod report;
#[path = "firedoor-verify/walk.rs"]
mod walk;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use firedoor::domain::opening::{Opened, OpenedPart, request_hash};
use firedoor::domain::receipt::{RECEIPT_BYTES_MAX, Receipt};
use tlog_tiles::{Checkpoint, Hash};

use copy::{Copy, Entry, Stored};
use key::Pinned;
use report::{Report, changed, misused, needed, proved, text_file, unknown};
use walk::Walk;

const CHECKPOINT_BYTES_MAX: usize = 64 * 1024;
/// A gateway takes NDJSON of 1,000 lines of 16 KiB and nothing larger.
const REQUEST_BYTES_MAX: usize = 17 * 1024 * 1024;

/// Check receipts and the log of a Firedoor gateway, offline.
#[derive(Parser)]
#[command(
    name = "firedoor-verify",
    version,
    after_help = "Exit status: 0 proved, 1 something was changed, 2 cannot tell (files are missing), \
                  3 wrong use.\n\nExample: firedoor-verify log export/ --key gateway.vkey"
)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Is this receipt's entry in the log, unchanged?
    #[command(after_help = "Example: firedoor-verify receipt 42.receipt --key gateway.vkey")]
    Receipt {
        file: PathBuf,
        /// File with the log's verifier key, kept since you first got it
        #[arg(long)]
        key: PathBuf,
        /// The request body as it was sent: is it the one that was recorded?
        #[arg(long)]
        request: Option<PathBuf>,
    },
    /// Is this copy of the whole log complete and unchanged?
    #[command(after_help = "Example: firedoor-verify log export/ --key gateway.vkey")]
    Log {
        /// Folder with `checkpoint` and `tile/` (C2SP tlog-tiles)
        dir: PathBuf,
        /// File with the log's verifier key, outside DIR
        #[arg(long)]
        key: PathBuf,
    },
    /// Does the newer head continue the log of the older one, with nothing rewritten?
    #[command(after_help = "Example: firedoor-verify consistency monday.checkpoint \
                            friday.checkpoint --key gateway.vkey --log export/")]
    Consistency {
        old: PathBuf,
        new: PathBuf,
        /// File with the log's verifier key, outside DIR
        #[arg(long)]
        key: PathBuf,
        /// Folder with the log as it was when NEW was signed, or later
        #[arg(long, value_name = "DIR")]
        log: PathBuf,
    },
}

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 3 } else { 0 });
        }
    };
    let found = match &args.command {
        Command::Receipt { file, key, request } => receipt(file, key, request.as_deref()),
        Command::Log { dir, key } => whole_log(dir, key),
        Command::Consistency { old, new, key, log } => consistency(old, new, key, log),
    };
    let report = found.unwrap_or_else(|report| report);
    let mut out = std::io::stdout().lock();
    for line in &report.lines {
        // What is printed comes from files that may have been made to fool a terminal.
        let plain: String = line
            .chars()
            .map(|c| if c.is_control() { '?' } else { c })
            .collect();
        // The status says it all, should nobody be reading.
        let _ = writeln!(out, "{plain}");
    }
    ExitCode::from(report.status)
}

fn receipt(file: &Path, key: &Path, request: Option<&Path>) -> Result<Report, Report> {
    let pinned = Pinned::read(key, None)?;
    let text = text_file(file, RECEIPT_BYTES_MAX)?;
    let receipt = Receipt::parse(&text).map_err(|error| {
        unknown(format!(
            "This receipt cannot be read, so it proves nothing: {error}."
        ))
    })?;
    let index = receipt.proof.index;
    let head = pinned.head(&receipt.proof.checkpoint, "receipt's checkpoint")?;
    let path = receipt.proof.path.iter().map(|hash| Hash(*hash)).collect();
    let leaf = tlog_tiles::record_hash(receipt.leaf.bytes());
    tlog_tiles::check_record(&path, head.size(), *head.hash(), index, leaf).map_err(|_| {
        changed(format!(
            "This record is not entry {index} of the log: the record or its proof has been changed."
        ))
    })?;
    for opened in &receipt.opened {
        if !opened.verify(&receipt.leaf) {
            let part = opened.part.name();
            return Err(changed(format!(
                "Entry {index} is in the log, but what this receipt says under '{part}' is not \
                 what was recorded."
            )));
        }
    }
    if let Some(request) = request {
        let body = needed(request, REQUEST_BYTES_MAX)?;
        if request_hash(&receipt.request_salt, &body) != receipt.leaf.request_hash() {
            return Err(changed(format!(
                "Entry {index} is in the log, but it records another request than the one in {}.",
                request.display()
            )));
        }
    }
    let mut lines = vec![format!(
        "This record is entry {index} of the log and has not changed."
    )];
    if request.is_some() {
        lines.push("The request is the one that was recorded.".to_owned());
    }
    lines.push(format!(
        "Time: {} (to ten seconds)",
        receipt.leaf.when().rfc3339()
    ));
    lines.extend(receipt.opened.iter().flat_map(describe));
    lines.push(format!(
        "Log: {}, {} entries when signed",
        head.origin(),
        head.size()
    ));
    Ok(proved(lines))
}

fn describe(part: &OpenedPart) -> Vec<String> {
    let list = |items: &[String]| items.join(", ");
    match part.read() {
        Ok(Opened::Who(who)) => vec![format!(
            "Who: {} of {}, team {}, as {}{}",
            who.user,
            who.organisation,
            who.team,
            who.role,
            if who.asserted {
                " (named by its system)"
            } else {
                ""
            }
        )],
        Ok(Opened::Why(why)) => {
            let reason = why.reason.map(|reason| format!(", reason {reason}"));
            let case = why.case.map(|case| format!(", case {case}"));
            let (reason, case) = (reason.unwrap_or_default(), case.unwrap_or_default());
            vec![format!("Why: {}{reason}{case}", why.purpose)]
        }
        Ok(Opened::What(what)) => {
            let object = what
                .object
                .map(|object| format!(" on {object}"))
                .unwrap_or_default();
            vec![format!(
                "What: {}{object} [{}]",
                what.action,
                list(&what.asked)
            )]
        }
        Ok(Opened::Decided(decided)) => vec![
            format!(
                "Decided: {:?}, told '{}', by rule {}",
                decided.outcome, decided.told, decided.rule
            ),
            format!("Disclosed: [{}]", list(&decided.disclosed)),
        ],
        Err(error) => vec![format!(
            "The part '{}' cannot be shown: {error}",
            part.part.name()
        )],
    }
}

fn whole_log(dir: &Path, key: &Path) -> Result<Report, Report> {
    let pinned = Pinned::read(key, Some(dir))?;
    let head = pinned.head(
        &text_file(&dir.join("checkpoint"), CHECKPOINT_BYTES_MAX)?,
        "checkpoint",
    )?;
    let size = head.size();
    let copy = Copy::read(dir, size)?;
    let entries = copy.all_entries().map(Stored::build).transpose()?;
    let Some(stored) = entries
        .as_ref()
        .filter(|stored| stored.proves(size, head.hash()))
    else {
        return Err(first_difference(dir, &head, &copy, entries.as_ref())?);
    };
    // The entries are the signed ones; now everything else must agree with them.
    let files = Walk::read(dir, size, stored)?;
    if let Some(difference) = files.difference {
        return Err(changed(format!(
            "The {size} entries are those that the log signed, but {difference}."
        )));
    }
    if let Some(odd) = copy.odd {
        return Err(odd);
    }
    let mut lines = vec![match size {
        0 => "This log is empty, and its head is signed.".to_owned(),
        1 => "This log of 1 entry is complete and has not changed.".to_owned(),
        _ => format!("This log of {size} entries is complete and has not changed."),
    }];
    if let (Some(first), Some(last)) = (copy.first, copy.last) {
        lines.push(format!(
            "Time: {} to {} (to ten seconds)",
            first.rfc3339(),
            last.rfc3339()
        ));
    }
    lines.push(format!("Log: {}, root {}", head.origin(), head.hash()));
    lines.push(format!("Compared: {} bundles and tiles", files.compared));
    lines.extend(
        files
            .strangers
            .iter()
            .map(|path| format!("Not part of the signed log: {path}")),
    );
    Ok(proved(lines))
}

/// Entries that do not give the signed root: which is the first to differ?
fn first_difference(
    dir: &Path,
    head: &Checkpoint,
    copy: &Copy,
    entries: Option<&Stored>,
) -> Result<Report, Report> {
    let pairs = || copy.entries.iter().zip(&copy.hashes).enumerate();
    let differs = pairs().find_map(|(index, (entry, hash))| match (entry, hash) {
        (Entry::Broken, _) => Some(index),
        (Entry::Hash(entry), Some(hash)) => (entry != hash).then_some(index),
        (Entry::Missing, _) | (Entry::Hash(_), None) => None,
    });
    let hashes: Option<Vec<Hash>> = copy.hashes.iter().copied().collect();
    let hashes = hashes.map(Stored::build).transpose()?;
    let hashes_are_signed = hashes.is_some_and(|stored| stored.proves(head.size(), head.hash()));
    Ok(match (differs, copy.missing.first(), entries) {
        (Some(index), _, _) if hashes_are_signed => changed(format!(
            "Entry {index} has been changed since the log was signed."
        )),
        (Some(index), _, _) => changed(format!(
            "Entry {index} has been changed: it does not match its hash in the tile, and the log as \
             a whole does not match its signed head."
        )),
        (None, Some(missing), _) => unknown(format!(
            "This copy of the log is incomplete, so nothing is proved about it: {missing}."
        )),
        (None, None, entries) => {
            let found = entries
                .map(|stored| Walk::read(dir, head.size(), stored))
                .transpose()?;
            match found.and_then(|files| files.difference) {
                Some(difference) => changed(format!(
                    "The entries are not those that the log signed: {difference}."
                )),
                None => changed(
                    "The entries are not those that the log signed: they were replaced together \
                     with every tile, or the head is of another log.",
                ),
            }
        }
    })
}

fn consistency(old: &Path, new: &Path, key: &Path, dir: &Path) -> Result<Report, Report> {
    let pinned = Pinned::read(key, Some(dir))?;
    let older = pinned.head(&text_file(old, CHECKPOINT_BYTES_MAX)?, "older checkpoint")?;
    let newer = pinned.head(&text_file(new, CHECKPOINT_BYTES_MAX)?, "newer checkpoint")?;
    let (from, to) = (older.size(), newer.size());
    if from > to {
        return Err(misused(format!(
            "Give the older checkpoint first: {from} entries are more than {to}."
        )));
    }
    if from == to && older.hash() != newer.hash() {
        return Err(changed(format!(
            "The log signed two different histories of {from} entries: keep both files, they prove it."
        )));
    }
    if from == 0 {
        return Err(unknown(
            "The older log is empty, and every log continues an empty one.",
        ));
    }
    let copy = Copy::read(dir, to)?;
    let known = copy
        .entries
        .iter()
        .zip(&copy.hashes)
        .map(|(entry, hash)| match entry {
            Entry::Hash(entry) => Some(*entry),
            Entry::Missing | Entry::Broken => *hash,
        });
    let Some(known) = known.collect::<Option<Vec<Hash>>>() else {
        let why = copy
            .missing
            .first()
            .map_or("an entry is damaged", String::as_str);
        return Err(unknown(format!(
            "The copy of the log is incomplete: {why}."
        )));
    };
    let stored = Stored::build(known)?;
    if !stored.proves(to, newer.hash()) {
        return Err(unknown(
            "The copy of the log does not give the newer head, so it cannot be used to compare: \
             check it with 'firedoor-verify log'.",
        ));
    }
    if !stored.proves(from, older.hash()) {
        return Err(changed(format!(
            "The log was rewritten: its first {from} entries are no longer those it signed. Keep \
             both checkpoints, they prove it."
        )));
    }
    Ok(proved(vec![
        format!("The log of {to} entries continues that of {from} entries; nothing was rewritten."),
        format!("Log: {}", newer.origin()),
    ]))
}
