//! `firedoor restore`: puts a copy back into an empty folder or database.
//!
//! It says plainly what is missing, and never puts anything over what is there. Nothing is
//! disclosed afterwards until withdrawals since the copy have been reconciled.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use super::backup::Progress;
use super::cli::{CommandError, CommandResult};
use super::config::Config;
use super::gateway::{StoreConfig, store_config};
use super::keys::{RootKey, forbid_core_dumps};
use crate::domain::receipt::RECEIPT_BYTES_MAX;
use crate::store::backup::{Copied, PutBack};
use crate::store::{journal, postgres};

/// Put a copy back into an empty folder or database
#[derive(clap::Args)]
#[command(
    after_help = "The whole copy is proven first. Show it the newest receipts and checkpoints \
                        that agencies hold (--receipt): they tell how much is lost.\n\n\
                        Example: firedoor restore /backup/firedoor-monday.tar /var/lib/firedoor \
                        --config /etc/firedoor/firedoor.toml --receipt newest.receipt"
)]
pub struct Args {
    /// A copy that `firedoor backup` made
    file: PathBuf,
    /// The folder to fill, which is empty or not there: data_dir. Not with PostgreSQL, where the
    /// empty database is the one that `store` names
    dir: Option<PathBuf>,
    #[arg(long, default_value = "firedoor.toml")]
    config: PathBuf,
    /// A receipt or checkpoint of this log that somebody kept; may be repeated
    #[arg(long, value_name = "FILE")]
    receipt: Vec<PathBuf>,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> CommandResult {
    forbid_core_dumps()?;
    let config = Config::read(&args.config)?;
    let shown: Vec<String> = args
        .receipt
        .iter()
        .map(|file| read(file))
        .collect::<Result<_, _>>()?;
    let mut progress = Progress::new("proven");
    let PutBack {
        copied,
        acknowledged,
    } = put_back(args, &config, &shown, &mut |leaves| progress.tell(leaves))?;
    progress.end();
    let Copied {
        origin,
        leaves,
        at,
        bytes: _,
    } = copied;
    let mut out = io::stdout().lock();
    let lost = acknowledged.saturating_sub(leaves);
    if args.json {
        let told = json!({
            "origin": origin, "entries": leaves, "last_entry": at.rfc3339(),
            "acknowledged": acknowledged, "lost": lost,
        });
        writeln!(out, "{told}")?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(
        out,
        "{leaves} entries of {origin} are back, the last of {}.",
        at.rfc3339()
    )?;
    if lost > 0 {
        writeln!(
            out,
            "The log had at least {acknowledged} entries; this copy ends at {leaves}: {lost} \
             acknowledged entries are lost.\nThe gateway does not go on under the same name: set \
             log.origin to a new one, such as {origin}-2, have two people of two organisations \
             agree to it (firedoor log succeed), and give agencies the new log key."
        )?;
    }
    if let Some(dir) = &args.dir
        && *dir != config.data_dir
    {
        writeln!(
            out,
            "Set data_dir to {} in {}.",
            dir.display(),
            args.config.display()
        )?;
    }
    writeln!(
        out,
        "What was acknowledged after the copy may be missing: nothing is disclosed until \
         withdrawals since then have been reconciled."
    )?;
    Ok(ExitCode::SUCCESS)
}

fn put_back(
    args: &Args,
    config: &Config,
    shown: &[String],
    progress: &mut dyn FnMut(u64),
) -> Result<PutBack, CommandError> {
    let root = RootKey::read(&config.key_path)?;
    match (store_config(config, &root)?, &args.dir) {
        (StoreConfig::Embedded(store), Some(dir)) => Ok(journal::restore(
            &args.file, dir, store.keys, shown, progress,
        )?),
        (StoreConfig::Embedded(store), None) => Err(format!(
            "name the folder to fill: {} is data_dir",
            store.data_dir.display()
        )
        .into()),
        (StoreConfig::Postgres(store), None) => {
            let runtime = tokio::runtime::Runtime::new()?;
            let restored = postgres::restore(&args.file, *store, shown, progress);
            Ok(runtime.block_on(restored)?)
        }
        (StoreConfig::Postgres(_), Some(_)) => {
            Err("`store` names a database, which is filled: leave out the folder".into())
        }
    }
}

fn read(path: &Path) -> Result<String, CommandError> {
    let failed = |error: io::Error| format!("cannot read {}: {error}", path.display());
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    let limit = RECEIPT_BYTES_MAX as u64 + 1;
    file.take(limit).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}
