//! Checks receipts and the log offline: was this recorded, and has anything been changed since?
//!
//! Trusts pinned keys and nothing else: not the gateway, not the files, not `domain::merkle`.
//! The tree and the signatures are checked by crates that we did not write. It opens no network
//! connection, and its first line is one plain sentence.

#[path = "firedoor-verify/bundle.rs"]
mod bundle;
#[path = "firedoor-verify/compare.rs"]
mod compare;
#[path = "firedoor-verify/consistency.rs"]
mod consistency;
#[path = "firedoor-verify/copy.rs"]
mod copy;
#[path = "firedoor-verify/key.rs"]
mod key;
#[path = "firedoor-verify/log.rs"]
mod log;
#[path = "firedoor-verify/own.rs"]
mod own;
#[path = "firedoor-verify/receipt.rs"]
mod receipt;
#[path = "firedoor-verify/report.rs"]
mod report;
#[path = "firedoor-verify/times.rs"]
mod times;
#[path = "firedoor-verify/walk.rs"]
mod walk;
#[path = "firedoor-verify/witnesses.rs"]
mod witnesses;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use key::Trusted;
use own::Own;
use report::Report;
use times::SKEW_MINUTES;

/// Check receipts and the log of a Firedoor gateway, offline.
#[derive(Parser)]
#[command(
    name = "firedoor-verify",
    version,
    after_help = "Exit status: 0 proved, 1 something was changed, 2 cannot tell (something is \
                  missing), 3 wrong use.\n\nExample: firedoor-verify log export/ --key gateway.vkey"
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
        #[command(flatten)]
        trusted: Trusted,
        /// The request body as it was sent: is it the one that was recorded?
        #[arg(long)]
        request: Option<PathBuf>,
        /// Folder with a copy of the log: is the entry still in it, and when did witnesses see it?
        #[arg(long, value_name = "DIR")]
        log: Option<PathBuf>,
        #[command(flatten)]
        skew: Skew,
    },
    /// Is this copy of the whole log complete and unchanged, and do its times fit what witnesses saw?
    #[command(after_help = "Example: firedoor-verify log export/ --witnesses witnesses.policy")]
    Log {
        /// Folder with `checkpoint`, `tile/` (C2SP tlog-tiles) and `witnessed/`
        dir: PathBuf,
        #[command(flatten)]
        trusted: Trusted,
        #[command(flatten)]
        skew: Skew,
        /// File with your organisation's key: which entries are yours, and is one missing?
        #[arg(long, value_name = "FILE")]
        own: Option<PathBuf>,
    },
    /// Does the newer head continue the log of the older one, with nothing rewritten?
    #[command(after_help = "Example: firedoor-verify consistency monday.checkpoint \
                            friday.checkpoint --key gateway.vkey --log export/")]
    Consistency {
        old: PathBuf,
        new: PathBuf,
        #[command(flatten)]
        trusted: Trusted,
        /// Folder with the log as it was when NEW was signed, or later
        #[arg(long, value_name = "DIR")]
        log: PathBuf,
    },
    /// Does this evidence bundle prove what it shows?
    #[command(after_help = "Example: firedoor-verify bundle case-17/ --witnesses witnesses.policy")]
    Bundle {
        /// Folder with `checkpoint`, `entries/` and `policy/`
        dir: PathBuf,
        #[command(flatten)]
        trusted: Trusted,
        #[command(flatten)]
        skew: Skew,
    },
    /// Were two people shown the same log?
    #[command(
        after_help = "Example: firedoor-verify compare from-police/ from-charity/ --key \
                            gateway.vkey"
    )]
    Compare {
        /// A copy of the whole log
        first: PathBuf,
        /// The copy that someone else got
        second: PathBuf,
        #[command(flatten)]
        trusted: Trusted,
    },
}

#[derive(clap::Args)]
struct Skew {
    /// How many minutes the gateway's clock and those of witnesses may be apart
    #[arg(long = "skew", value_name = "MINUTES", default_value_t = SKEW_MINUTES)]
    minutes: u16,
}

impl Skew {
    fn millis(&self) -> i64 {
        i64::from(self.minutes) * 60_000
    }
}

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 3 } else { 0 });
        }
    };
    let report = run(&args.command).unwrap_or_else(|report| report);
    let mut out = std::io::stdout().lock();
    for line in &report.lines {
        // What is printed comes from files that may have been made to fool a terminal.
        let plain: String = line
            .chars()
            .map(|c| if fools(c) { '?' } else { c })
            .collect();
        // The status says it all, should nobody be reading.
        let _ = writeln!(out, "{plain}");
    }
    ExitCode::from(report.status)
}

fn run(command: &Command) -> Result<Report, Report> {
    match command {
        Command::Receipt {
            file,
            trusted,
            request,
            log,
            skew,
        } => {
            let (request, log) = (request.as_deref(), log.as_deref());
            let trust = trusted.read(log.as_slice())?;
            receipt::check(file, &trust, request, log, skew.millis())
        }
        Command::Log {
            dir,
            trusted,
            skew,
            own,
        } => {
            let own = own.as_deref().map(Own::read).transpose()?;
            log::check(dir, &trusted.read(&[dir])?, skew.millis(), own.as_ref())
        }
        Command::Consistency {
            old,
            new,
            trusted,
            log,
        } => consistency::check(old, new, &trusted.read(&[log])?, log),
        Command::Bundle { dir, trusted, skew } => {
            bundle::check(dir, &trusted.read(&[dir])?, skew.millis())
        }
        Command::Compare {
            first,
            second,
            trusted,
        } => compare::check(first, second, &trusted.read(&[first, second])?),
    }
}

/// Moves the cursor, turns the direction of writing, or is not seen.
fn fools(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}'
                | '\u{E0000}'..='\u{E007F}'
        )
}
