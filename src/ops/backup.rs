//! `firedoor backup`: a copy of the store as one file, while the gateway runs.
//!
//! It never asks the gateway and never holds it up. No key goes into a copy, so a copy is only
//! worth something together with the root key and the slots, which are kept elsewhere.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use super::cli::{CommandError, CommandResult};
use super::clock::now;
use super::config::Config;
use super::gateway::{StoreConfig, store_config};
use super::keys::{RootKey, forbid_core_dumps};
use crate::store::backup::Copied;
use crate::store::{journal, postgres};

/// A line is told for so many entries.
const TOLD_EVERY: u64 = 10_000;

/// Copy the store to a new file, while the gateway runs
#[derive(clap::Args)]
#[command(
    after_help = "The copy is whole as of one signed checkpoint, and proven. It holds no key: \
                        keep the root key in a safe, and see README.md for the slot file.\n\n\
                        Example: firedoor backup /backup/firedoor-monday.tar --config /etc/firedoor/firedoor.toml"
)]
pub struct Args {
    /// The file to make; one that is there is never replaced
    file: PathBuf,
    #[arg(long, default_value = "firedoor.toml")]
    config: PathBuf,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> CommandResult {
    forbid_core_dumps()?;
    let config = Config::read(&args.config)?;
    let mut progress = Progress::new("copied");
    let copied = copy(&config, &args.file, &mut |leaves| progress.tell(leaves))?;
    progress.end();
    let Copied {
        origin,
        leaves,
        at,
        bytes,
    } = copied;
    let mut out = io::stdout().lock();
    if args.json {
        let file = args.file.display().to_string();
        let told = json!({
            "file": file, "origin": origin, "entries": leaves, "last_entry": at.rfc3339(),
            "bytes": bytes,
        });
        writeln!(out, "{told}")?;
    } else {
        writeln!(
            out,
            "{}: {leaves} entries of {origin}, the last of {}; {bytes} bytes, proven.",
            args.file.display(),
            at.rfc3339()
        )?;
        writeln!(
            out,
            "No key is in it: it opens only with the root key and the slots."
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What the command does, without telling anyone.
fn copy(
    config: &Config,
    file: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<Copied, CommandError> {
    let root = RootKey::read(&config.key_path)?;
    match store_config(config, &root)? {
        StoreConfig::Embedded(store) => {
            let copied = journal::backup(&store.data_dir, store.keys, file, now(), progress);
            Ok(copied?)
        }
        StoreConfig::Postgres(store) => {
            let runtime = tokio::runtime::Runtime::new()?;
            let copied = postgres::backup(*store, file, now(), progress);
            Ok(runtime.block_on(copied)?)
        }
    }
}

/// How far a long command is, on a terminal; silent elsewhere.
pub struct Progress {
    word: &'static str,
    told: Option<u64>,
    shown: bool,
}

impl Progress {
    pub fn new(word: &'static str) -> Self {
        let told = io::stderr().is_terminal().then_some(0);
        let shown = false;
        Self { word, told, shown }
    }

    pub fn tell(&mut self, entries: u64) {
        let Some(told) = self.told else { return };
        if entries >= told.saturating_add(TOLD_EVERY) {
            self.told = Some(entries);
            self.shown = true;
            // Nobody is left to tell if stderr is closed.
            let _ = write!(io::stderr(), "\r{} {entries} entries", self.word);
        }
    }

    pub fn end(&self) {
        if self.shown {
            let _ = writeln!(io::stderr());
        }
    }
}
