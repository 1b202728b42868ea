//! `firedoor policy`: would this folder of policies start, what is proved of it, and what would a
//! change allow?
//!
//! `check` judges with the loader that the gateway starts with. `prove` and `diff` run
//! `firedoor-prove`, which lies beside this program, so that the gateway links no prover.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};

use clap::Subcommand;
use serde_json::json;

use super::cert::hex;
use super::cli::CommandResult;
use super::config::{Config, ConfigError};
use super::rules::{self, RulesError};
use crate::domain::rulebook::Rulebook;

/// The program that proves; built from `prove/`.
const PROVER: &str = "firedoor-prove";

/// Look at the policies before the gateway does
#[derive(clap::Args)]
#[command(after_help = "Example: firedoor policy check ./policies")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Validate policies, text screen, clock, retention and instruments as a start would; exit 0 only if all are good
    #[command(after_help = "Example: firedoor policy check ./policies --json")]
    Check {
        /// A folder; without it the one in the configuration, or what is built in
        dir: Option<PathBuf>,
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        #[arg(long)]
        json: bool,
    },
    /// Say why a request is decided as it is: which policies match, what the firewall drops, and what
    /// would permit it
    #[command(after_help = explain::HELP)]
    Explain(explain::Args),
    /// Prove with a solver what the policies never allow; exit 0 only if every property is proved
    #[command(after_help = "Example: firedoor policy prove ./policies --write")]
    Prove {
        /// A folder; without it the one in the configuration, or what is built in
        dir: Option<PathBuf>,
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Write proof.json beside the policies if everything is proved
        #[arg(long)]
        write: bool,
        #[arg(long)]
        json: bool,
    },
    /// What NEW would allow that OLD does not, by proof; exit 0 only if nothing
    #[command(after_help = "Example: firedoor policy diff ./policies ./policies.new")]
    Diff {
        old: PathBuf,
        new: PathBuf,
        #[arg(long)]
        json: bool,
    },
}

pub fn run(args: &Args) -> CommandResult {
    match &args.command {
        Command::Explain(args) => explain::run(args),
        Command::Check { dir, config, json } => checked(place(dir, config)?, *json),
        Command::Prove {
            dir,
            config,
            write,
            json,
        } => {
            let mut words: Vec<OsString> = vec!["prove".into()];
            words.extend(place(dir, config)?.map(OsString::from));
            words.extend(write.then(|| "--write".into()));
            words.extend(json.then(|| "--json".into()));
            prover(&words)
        }
        Command::Diff { old, new, json } => {
            let mut words: Vec<OsString> = vec!["diff".into(), old.into(), new.into()];
            words.extend(json.then(|| "--json".into()));
            prover(&words)
        }
    }
}

/// The folder named, the one in the configuration named, or neither.
fn place(dir: &Option<PathBuf>, config: &Option<PathBuf>) -> Result<Option<PathBuf>, ConfigError> {
    Ok(match (dir, config) {
        (Some(dir), _) => Some(dir.clone()),
        (None, Some(file)) => Config::read(file)?.policies_dir,
        (None, None) => None,
    })
}

/// Runs the prover beside this program; its words and its exit status are ours.
fn prover(words: &[OsString]) -> CommandResult {
    let program = std::env::current_exe()?.with_file_name(PROVER);
    let status = process::Command::new(&program)
        .args(words)
        .status()
        .map_err(|error| {
            format!(
                "{} does not start ({error}): build it with `cargo build --release --workspace` \
                 and leave it beside this program",
                program.display()
            )
        })?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

fn checked(dir: Option<PathBuf>, json: bool) -> CommandResult {
    let (found, problems) = check(dir.as_deref());
    let mut out = io::stdout().lock();
    let place = match &dir {
        Some(dir) => dir.display().to_string(),
        None => "built in".to_owned(),
    };
    if json {
        let report = json!({
            "policies": place,
            "good": problems.is_empty(),
            "sha256": found,
            "problems": problems,
        });
        serde_json::to_writer_pretty(&mut out, &report)?;
        writeln!(out)?;
    } else if let (Some(hash), []) = (&found, problems.as_slice()) {
        writeln!(out, "good: {place}")?;
        writeln!(out, "sha256 {hash}")?;
    } else {
        writeln!(out, "not good: {place}")?;
        for problem in &problems {
            writeln!(out, "  {problem}")?;
        }
    }
    Ok(match problems.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// The hash of the rulebook if it loads, as log entries carry it, and every problem found.
pub(super) fn check(dir: Option<&Path>) -> (Option<String>, Vec<String>) {
    let mut problems = Vec::new();
    let loaded = match dir {
        None => Rulebook::built_in().map_err(RulesError::BuiltIn),
        // A folder with what is the operator's alone leaves the rulebook as it is.
        Some(dir) => rules::book(dir).and_then(|found| match found {
            Some(book) => Ok(book),
            None => Rulebook::built_in().map_err(RulesError::BuiltIn),
        }),
    };
    let found = match loaded {
        Ok(book) => Some(hex(&book.hash())),
        Err(RulesError::Rulebook(_, bad)) => {
            problems.extend(bad.problems);
            None
        }
        Err(other) => {
            problems.push(other.to_string());
            None
        }
    };
    problems.extend(rules::clock(dir).err().map(|error| error.to_string()));
    problems.extend(rules::retention(dir).err().map(|error| error.to_string()));
    problems.extend(rules::instruments(dir).err().map(|error| error.to_string()));
    (found, problems)
}

mod explain;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_in_is_good_and_every_problem_of_another_folder_is_told() {
        let (hash, problems) = check(None);
        assert!(hash.is_some_and(|hash| hash.len() == 64) && problems.is_empty());
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("screen")).unwrap();
        std::fs::write(dir.path().join("screen/lexicon.toml"), "x = 1").unwrap();
        let (hash, problems) = check(Some(dir.path()));
        assert!(hash.is_none());
        assert_eq!(problems.len(), 3, "{problems:?}");
    }
}
