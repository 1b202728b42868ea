//! `firedoor log succeed`: two people of two organisations agree that a log goes on under a new name.
//!
//! It writes and signs a file and asks nobody. Whether the two may do so, the gateway judges at its
//! start. It never signs a statement without showing what it says.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use zeroize::Zeroizing;

use super::bundle::KEY;
use super::input::{read, read_text};
use crate::domain::cosigned::Cosigned;
use crate::domain::receipt::{Proof, Receipt};
use crate::domain::succession::Statement;
use crate::ops::cli::CommandResult;
use crate::ops::pki::{check_statement, sign_statement};

/// What to sign, and with whose key.
#[derive(clap::Args, Clone, Debug)]
pub struct SucceedArgs {
    /// The statement: made if it is not there, else signed by you too
    statement: PathBuf,
    /// The newest head under the old name: a checkpoint or receipt that anyone holds, or the file in
    /// data_dir/evidence. For a new statement
    #[arg(long, value_name = "FILE", requires = "new")]
    old_head: Option<PathBuf>,
    /// The log's new name (log.origin). For a new statement
    #[arg(long, value_name = "ORIGIN", requires = "old_head")]
    new: Option<String>,
}

/// Makes or signs the statement with the key of `bundle`, or the one given.
pub fn run(args: &SucceedArgs, bundle: Option<&Path>, key: Option<&Path>) -> CommandResult {
    let key = match (key, bundle) {
        (Some(key), _) => key.to_owned(),
        (None, Some(bundle)) => bundle.join(KEY),
        (None, None) => return Err("name your certificate's folder with --bundle".into()),
    };
    let mut statement = match (&args.old_head, &args.new) {
        (Some(head), Some(new)) if !args.statement.exists() => {
            Statement::new(&note_in(&read_text(head)?)?, new)
        }
        (Some(_), Some(_)) => {
            let path = args.statement.display();
            return Err(format!(
                "{path} is there already: leave out --old-head and --new to sign it too, or name a \
                 new file"
            )
            .into());
        }
        (_, _) => check_statement(&read_text(&args.statement)?)?.statement,
    };
    let key = Zeroizing::new(read(&key)?);
    sign_statement(&mut statement, &key)?;
    let new = args.statement.with_extension("new");
    fs::write(&new, statement.to_file())?;
    fs::rename(&new, &args.statement)?;
    let mut out = io::stdout().lock();
    writeln!(out, "You have signed:\n\n{}", statement.text)?;
    let path = args.statement.display();
    match statement.signed.len() {
        0 | 1 => writeln!(
            out,
            "Now a person of another organisation signs it too:\n\
             firedoor log succeed {path} --bundle BUNDLE"
        )?,
        _ => writeln!(
            out,
            "Set log.origin to {} and log.succession to {path}, and start the gateway.",
            statement.new
        )?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The signed note in a checkpoint, a receipt, a proof, or a file of evidence.
fn note_in(text: &str) -> Result<String, &'static str> {
    let proof = Receipt::parse(text).map(|receipt| receipt.proof);
    if let Ok(proof) = proof.or_else(|_| Proof::parse(text)) {
        return Ok(proof.checkpoint);
    }
    // In evidence the head that was shown stands first, and what else there is behind an empty line.
    let end = text.match_indices("\n\n").nth(1).map(|(at, _)| at + 1);
    let note = end.and_then(|end| text.get(..end)).unwrap_or(text);
    match Cosigned::parse(note) {
        Some(_) => Ok(note.to_owned()),
        None => Err("--old-head is no checkpoint, receipt or evidence of a log"),
    }
}
