//! `firedoor migrate`: moves the embedded store to PostgreSQL, where the log goes on.
//!
//! The gateway must be stopped. The old folder stays as it is, and does not start any more.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::backup::Progress;
use super::cli::CommandResult;
use super::config::Config;
use super::gateway::{StoreConfig, store_config};
use super::keys::{RootKey, forbid_core_dumps};
use crate::store::migrate::{Migrated, migrate};

/// Move the embedded store to PostgreSQL; the log goes on, and every receipt stays good
#[derive(clap::Args)]
#[command(
    after_help = "Stop the gateway first. NEW differs from OLD in `store` and `keys.slots`, which \
                        name two empty databases; root key and log.origin stay the same. Run again \
                        after an interruption, it begins anew or finds that all has arrived.\n\n\
                        Example: firedoor migrate --config firedoor.toml --to firedoor-postgres.toml"
)]
pub struct Args {
    /// The configuration of the embedded store
    #[arg(long, default_value = "firedoor.toml")]
    config: PathBuf,
    /// The configuration of the gateway on PostgreSQL
    #[arg(long, value_name = "NEW")]
    to: PathBuf,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> CommandResult {
    forbid_core_dumps()?;
    let (old, new) = (Config::read(&args.config)?, Config::read(&args.to)?);
    let stores = (
        store_config(&old, &RootKey::read(&old.key_path)?)?,
        store_config(&new, &RootKey::read(&new.key_path)?)?,
    );
    let (StoreConfig::Embedded(from), StoreConfig::Postgres(to)) = stores else {
        return Err("--config must name the embedded store and --to one on PostgreSQL".into());
    };
    let mut progress = Progress::new("moved");
    let runtime = tokio::runtime::Runtime::new()?;
    let mut tell = |leaves| progress.tell(leaves);
    let moved = runtime.block_on(migrate(*from, *to, &mut tell));
    progress.end();
    let Migrated {
        leaves,
        items,
        keys,
    } = moved?;
    let mut out = io::stdout().lock();
    if args.json {
        let told = json!({ "entries": leaves, "items": items, "keys": keys });
        writeln!(out, "{told}")?;
    } else {
        writeln!(
            out,
            "{leaves} entries, {items} items and {keys} keys moved. Start the gateway with {}; {} \
             does not start any more. Once the new one has served, destroy the old slot file.",
            args.to.display(),
            old.data_dir.display()
        )?;
    }
    Ok(ExitCode::SUCCESS)
}
