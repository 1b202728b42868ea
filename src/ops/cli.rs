//! The command line: one enum of subcommands, each in a file of its own.
//!
//! To add one: write its `Args` with a description, an `after_help` that has an example, and a
//! `run`; then name it here, twice. A message goes to stderr and says what to do; what a script
//! wants goes to stdout. No secret is ever an argument, because other users can see those.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use super::client::auditing::AuditCommand;
use super::client::governing::{AgreementCommand, OrgCommand, TeamCommand};
use super::client::witnessing::{self, LogCommand};
use super::client::{self, ClientArgs, GroupArgs};
use super::{backup, bench, cert, demo, doctor, evaluate, init, migrate, policy, restore, serve};

/// Any error that ends a command: its message is for whoever typed it.
pub type CommandError = Box<dyn Error + Send + Sync>;
pub type CommandResult = Result<ExitCode, CommandError>;

/// A gateway through which agencies exchange victim-support referrals.
#[derive(Parser)]
#[command(
    name = "firedoor",
    version,
    after_help = "Each subcommand has its own --help with an example.\n\n\
                  Example: firedoor serve --config /etc/firedoor/firedoor.toml"
)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::Args),
    Init(init::Args),
    Serve(serve::Args),
    Doctor(doctor::Args),
    Backup(backup::Args),
    Restore(restore::Args),
    Migrate(migrate::Args),
    Cert(cert::Args),
    Policy(policy::Args),
    Client(ClientArgs),
    /// Enrol, list or suspend organisations
    #[command(after_help = "Example: firedoor org list --bundle bundles/operator")]
    Org(GroupArgs<OrgCommand>),
    /// Attest what a team hosts
    #[command(
        after_help = "Example: firedoor team attest council housing none --bundle bundles/admin"
    )]
    Team(GroupArgs<TeamCommand>),
    /// Add or end sharing agreements
    #[command(
        after_help = "Example: firedoor agreement add larkfield dsa.json --bundle bundles/operator"
    )]
    Agreement(GroupArgs<AgreementCommand>),
    /// Read the log as an information-governance officer; the reading is logged
    #[command(after_help = "Example: firedoor audit queue --bundle bundles/ig")]
    Audit(Box<GroupArgs<AuditCommand>>),
    /// Watch over the log, as a witness that the gateway does not control; give it a new name after a loss
    #[command(after_help = "Example: firedoor log witness --bundle bundles/larkfield")]
    Log(GroupArgs<LogCommand>),
    Evaluate(evaluate::Args),
    Bench(bench::Args),
}

/// Runs the command that was typed. 0 done, 1 not, 2 not understood.
pub fn main() -> ExitCode {
    let result = match Args::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Serve(args) => serve::command(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Backup(args) => backup::run(&args),
        Command::Restore(args) => restore::run(&args),
        Command::Migrate(args) => migrate::run(&args),
        Command::Cert(args) => cert::run(&args),
        Command::Policy(args) => policy::run(&args),
        Command::Client(args) => client::run(&args.connection, client::Request::client(&args)),
        Command::Org(args) => client::run(&args.connection, client::Request::org(&args)),
        Command::Team(args) => client::run(&args.connection, Ok(client::Request::team(&args))),
        Command::Agreement(args) => {
            client::run(&args.connection, client::Request::agreement(&args))
        }
        Command::Audit(args) => client::run(&args.connection, client::Request::audit(&args)),
        Command::Log(args) => witnessing::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Bench(args) => bench::run(&args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            // Nobody is left to tell if stderr is closed.
            let _ = writeln!(std::io::stderr(), "firedoor: {}", told(&*error));
            ExitCode::FAILURE
        }
    }
}

/// The error and what caused it, each once.
fn told(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn each(command: &clap::Command, path: &str, seen: &mut Vec<(String, String)>) {
        for sub in command
            .get_subcommands()
            .filter(|sub| sub.get_name() != "help")
        {
            let path = format!("{path} {}", sub.get_name());
            seen.push((path.clone(), sub.clone().render_long_help().to_string()));
            each(sub, &path, seen);
        }
    }

    #[test]
    fn every_subcommand_has_a_description_and_an_example_that_names_it() {
        let mut seen = Vec::new();
        each(&Args::command(), "firedoor", &mut seen);
        assert!(seen.len() >= 15);
        for (path, help) in seen {
            assert!(help.contains("Example"), "{path}");
            assert!(help.contains(&path), "{path}: {help}");
            assert!(
                !help.trim_start().starts_with("Usage"),
                "{path} has no description"
            );
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn an_error_is_told_with_its_cause_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot start: {0}")]
        struct Outer(#[source] std::io::Error);
        let inner = std::io::Error::other("the disk is gone");
        assert_eq!(told(&Outer(inner)), "cannot start: the disk is gone");
    }
}
