//! Proves that a set of policies keeps Firedoor's properties, with Cedar's symbolic compiler and
//! the solver cvc5. `firedoor policy prove` runs it; the gateway links none of it.
//!
//! It trusts the solver with "there is no such request" alone: every request that the solver finds
//! is asked again of the authorizer that the gateway uses, and shown in words.

mod cases;
mod diff;
mod mutants;
mod proving;
mod solver;
mod weaken;
mod words;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use firedoor::domain::policy::proof::Proof;
use firedoor::domain::policy::{PROOF_NAME, Policies, Unproved};
use firedoor::ops::rules;

/// Any error here is for the person at the shell.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Prove what a set of policies never allows
#[derive(Parser)]
#[command(
    name = "firedoor-prove",
    version,
    after_help = "Example: firedoor-prove prove ./policies\n\n\
    Needs the solver cvc5 (Debian: apt-get install cvc5), on the PATH or named by CVC5.\n\
    Exit: 0 proved, 1 not proved or not the same, 2 could not be tried."
)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prove every property, and compare with the proof beside the policies
    #[command(after_help = "Example: firedoor-prove prove ./policies --write")]
    Prove {
        /// A folder of policies; without it those built in
        dir: Option<PathBuf>,
        /// Write proof.json into the folder if everything is proved
        #[arg(long, requires = "dir")]
        write: bool,
        #[arg(long)]
        json: bool,
    },
    /// Weaken the forbids one by one, and see that each weakening is noticed
    #[command(after_help = "Example: firedoor-prove mutants --policy F02.immigration-never")]
    Mutants {
        /// A folder of policies; without it those built in
        dir: Option<PathBuf>,
        /// Only the forbid with this @id; may be given more than once
        #[arg(long, value_name = "ID")]
        policy: Vec<String>,
    },
    /// What NEW allows and OLD does not, and the other way round
    #[command(after_help = "Example: firedoor-prove diff ./policies ./policies.new")]
    Diff {
        /// A folder of policies
        old: PathBuf,
        /// A folder of policies
        new: PathBuf,
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "firedoor-prove: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args) -> Outcome<bool> {
    let mut out = io::stdout().lock();
    match &args.command {
        Command::Prove { dir, write, json } => prove(&mut out, dir.as_deref(), *write, *json),
        Command::Mutants { dir, policy } => mutants::run(&mut out, &set(dir.as_deref())?, policy),
        Command::Diff { old, new, json } => diff::run(
            &mut out,
            &rules::unproved(old)?,
            &rules::unproved(new)?,
            *json,
        ),
    }
}

/// The policies of a folder, or those built in, of which nothing is proved yet.
fn set(dir: Option<&Path>) -> Outcome<Unproved> {
    if let Some(dir) = dir {
        return Ok(rules::unproved(dir)?);
    }
    let (schema, files) = Policies::shipped_files();
    Ok(Unproved::load(schema, files)?)
}

/// The proof that stands beside a set, if one can be read.
fn beside(dir: Option<&Path>) -> Option<Proof> {
    match dir {
        Some(dir) => Proof::parse(&fs::read_to_string(dir.join(PROOF_NAME)).ok()?).ok(),
        None => Policies::shipped()
            .ok()
            .map(|policies| policies.proof().clone()),
    }
}

fn prove(out: &mut impl Write, dir: Option<&Path>, write: bool, json: bool) -> Outcome<bool> {
    let report = proving::prove(&set(dir)?)?;
    let proved = report.failures.is_empty();
    let same = beside(dir).is_some_and(|proof| proof.says_the_same(&report.proof));
    if json {
        serde_json::to_writer_pretty(&mut *out, &report.to_json(same || write && proved))?;
        writeln!(out)?;
    } else {
        report.write(out)?;
    }
    if !proved {
        return Ok(false);
    }
    if let (true, Some(dir)) = (write, dir) {
        fs::write(dir.join(PROOF_NAME), report.proof.to_text())?;
        if !json {
            writeln!(out, "written: {}", dir.join(PROOF_NAME).display())?;
        }
        return Ok(true);
    }
    if !same && !json {
        writeln!(
            out,
            "proof.json is missing or is of other policies: prove them with --write"
        )?;
    }
    Ok(same)
}
