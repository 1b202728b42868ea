//! Is a receipt's record in the log, unchanged, and by when did others see it there?

use std::path::Path;

use firedoor::domain::opening::{Opened, OpenedPart, request_hash};
use firedoor::domain::receipt::{RECEIPT_BYTES_MAX, Receipt};
use firedoor::domain::time::When;
use tlog_tiles::{Checkpoint, Hash};

use super::copy::Entry;
use super::key::{Pinned, Trust};
use super::log::Sound;
use super::report::{Report, changed, listed, needed, proved, second, text_file, unknown};
use super::times::Brackets;

/// A gateway takes NDJSON of 1,000 lines of 16 KiB and nothing larger.
const REQUEST_BYTES_MAX: usize = 17 * 1024 * 1024;

/// `receipt FILE`.
pub fn check(
    file: &Path,
    trust: &Trust,
    request: Option<&Path>,
    log: Option<&Path>,
    skew_ms: i64,
) -> Result<Report, Report> {
    let receipt = read(&text_file(file, RECEIPT_BYTES_MAX)?, "This receipt")?;
    let head = included(&receipt, &trust.log)?;
    let index = receipt.proof.index;
    if let Some(request) = request {
        let Some(salt) = &receipt.request_salt else {
            return Err(unknown(
                "This receipt does not say how to compare a request with its record.",
            ));
        };
        let body = needed(request, REQUEST_BYTES_MAX)?;
        if request_hash(salt, &body) != receipt.leaf.request_hash() {
            return Err(changed(format!(
                "Entry {index} is in the log, but it records another request than the one in {}.",
                request.display()
            )));
        }
    }
    let sound = log.map(|dir| Sound::read(dir, trust)).transpose()?;
    if let Some(sound) = &sound {
        in_copy(&receipt, &head, sound)?;
    }

    let mut report = proved(vec![format!(
        "This record is entry {index} of the log and has not changed."
    )]);
    if request.is_some() {
        let line = "The request is the one that was recorded.";
        report.lines.push(line.to_owned());
    }
    report.lines.push(format!(
        "Time: {} (to ten seconds)",
        receipt.leaf.when().rfc3339()
    ));
    report
        .lines
        .extend(receipt.opened.iter().flat_map(describe));
    report.lines.push(format!(
        "Log: {}, {} entries when signed",
        head.origin(),
        head.size()
    ));
    if let Some(sound) = &sound {
        report.lines.push(format!(
            "The copy of the log holds it too, unchanged, among {} entries",
            sound.head.size()
        ));
    }
    if let Some(witnesses) = &trust.witnesses {
        let own = witnesses.seen(&receipt.proof.checkpoint, "receipt's checkpoint")?;
        let mut found = own.met.map(|by| (by, own.names()));
        if let (Some(dir), Some(sound)) = (log, &sound) {
            let brackets = Brackets::read(dir, &trust.log, witnesses, sound)?;
            brackets.check(&sound.copy.times, skew_ms)?;
            let others = brackets.seen_by(index);
            let earlier = others.filter(|(by, _)| found.as_ref().is_none_or(|(own, _)| by < own));
            found = earlier.map(|(by, names)| (by, names.to_vec())).or(found);
        }
        tell_when(&mut report, &receipt, found, skew_ms)?;
    } else {
        report.lines.push(
            "No outsider's clock was checked: with --witnesses the time is compared with what \
             witnesses saw."
                .to_owned(),
        );
    }
    Ok(report)
}

fn tell_when(
    report: &mut Report,
    receipt: &Receipt,
    found: Option<(When, Vec<String>)>,
    skew_ms: i64,
) -> Result<(), Report> {
    let index = receipt.proof.index;
    let first = match found {
        Some((by, _)) if receipt.leaf.when() > by.plus_millis(skew_ms.saturating_add(999)) => {
            return Err(changed(format!(
                "Entry {index} carries a wrong time: it says {}, but witnesses had seen it by {}.",
                second(receipt.leaf.when()),
                second(by)
            )));
        }
        Some((by, names)) => {
            report.lines.insert(
                0,
                format!(
                    "This record existed by {} and has not changed. Seen by {}.",
                    second(by),
                    listed(&names)
                ),
            );
            return Ok(());
        }
        None => format!(
            "This record is entry {index} of the log and has not changed, but too few witnesses have \
             signed its head to say by when it existed."
        ),
    };
    report.status = 2;
    if let Some(line) = report.lines.first_mut() {
        *line = first;
    }
    Ok(())
}

/// Reads a receipt; `what` begins the sentence if that fails.
pub fn read(text: &str, what: &str) -> Result<Receipt, Report> {
    Receipt::parse(text).map_err(|error| {
        unknown(format!(
            "{what} cannot be read, so it proves nothing: {error}."
        ))
    })
}

/// The head that a receipt's record is in, unchanged, as are the parts that it opens.
pub fn included(receipt: &Receipt, log: &Pinned) -> Result<Checkpoint, Report> {
    let index = receipt.proof.index;
    let head = log.head(&receipt.proof.checkpoint, "receipt's checkpoint")?;
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
    Ok(head)
}

/// Whether a copy of the log is of the same history as the receipt's head.
fn in_copy(receipt: &Receipt, head: &Checkpoint, sound: &Sound) -> Result<(), Report> {
    let (index, size) = (receipt.proof.index, sound.head.size());
    if head.size() <= size {
        if sound.stored.proves(head.size(), head.hash()) {
            return Ok(());
        }
        return Err(changed(format!(
            "The log was rewritten after this receipt: its first {} entries are no longer those it \
             signed. Keep the receipt and the copy's checkpoint, they prove it.",
            head.size()
        )));
    }
    // The copy is the shorter one. What it holds may still show that it is no part of the other.
    let leaf = tlog_tiles::record_hash(receipt.leaf.bytes());
    let here = usize::try_from(index)
        .ok()
        .and_then(|index| sound.copy.entries.get(index));
    let another = match here {
        Some(Entry::Hash(known)) => *known != leaf,
        Some(Entry::Missing | Entry::Broken) | None => false,
    };
    if another {
        return Err(changed(format!(
            "The log was cut back and written anew: entry {index} of the copy is not that of this \
             receipt. Keep the receipt and the copy's checkpoint, they prove it."
        )));
    }
    let when = receipt.leaf.when();
    let mut before = sound.copy.times.iter().enumerate();
    let later = before.find(|(at, own)| (*at as u64) < index && **own > when);
    Err(match later {
        Some((at, own)) => changed(format!(
            "The log was cut back and written anew: entry {at} of the copy is of {}, and entry \
             {index} of this receipt, which came after it, of {}. Keep the receipt and the copy's \
             checkpoint, they prove it.",
            second(*own),
            second(when)
        )),
        None => unknown(format!(
            "The copy of the log ends after {size} entries, and the log had {} when it signed this \
             receipt: the copy is older, or the log was cut back.",
            head.size()
        )),
    })
}

/// What an opened part says, in words.
pub fn describe(part: &OpenedPart) -> Vec<String> {
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
