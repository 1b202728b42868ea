//! `firedoor log witness`: an agency vouches for the log with its own key and its own clock.
//!
//! Whoever runs the gateway cannot forge that, and cannot show this agency one history and another
//! one to the rest. It keeps nothing but signed heads, and signs nothing that it has not checked.
//! It expects no entry when there is none: a quiet log is no alarm. What must be there is what
//! receipts in the bundle show; what must not happen is silence for twice its interval.

mod evidence;
mod round;
pub mod state;
mod words;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::bundle::ConnectionArgs;
use super::caller::{Ask, BodyKind, Caller, Said};
use super::succeeding::{self, SucceedArgs};
use super::{ClientFault, GroupArgs, receipts};
use crate::domain::witness::Head;
use crate::ops::cli::CommandResult;
use crate::ops::clock;
use round::{COSIGNATURES, Fetched, Gateway, Told, Watch};
use state::{Start, State, StateFault};

/// Of the bundle: where the state lies, and the log's key as the operator gave it.
const STATE_DIR: &str = "witness";
const LOG_KEY: &str = "log.vkey";
const PAUSE: Duration = Duration::from_secs(2);

/// `firedoor log ...`
#[derive(Subcommand, Debug)]
pub enum LogCommand {
    /// Vouch that the log only grows: check each new head and sign it
    #[command(
        after_help = "Leave it running as a service, or run it with --once from a timer. The first \
        run makes the witness's key and needs --name.\n\
        With --once: exit status 0 all is well, 1 an alarm or nothing could be checked.\n\n\
        Example: firedoor log witness --name larkfield.example/witness --log-key log.vkey \
        --bundle bundles/larkfield\n\
        Example: firedoor log witness --show --bundle bundles/larkfield"
    )]
    Witness(WitnessArgs),
    /// After a loss: agree, with a person of another organisation, that the log goes on under a new name
    #[command(
        after_help = "The gateway starts under a new log.origin only with this statement.\n\n\
        Example: firedoor log succeed statement.txt --old-head newest.receipt \
        --new gateway.example.org/log-2 --bundle bundles/operator\n\
        Example: firedoor log succeed statement.txt --bundle bundles/haven-admin"
    )]
    Succeed(SucceedArgs),
}

/// How to witness.
#[derive(Args, Clone, Debug)]
pub struct WitnessArgs {
    /// Folder of the witness's key, its last signed head and its evidence; in the bundle if not given
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// The witness's name, at the first run: one word that says whose it is, for ever
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The log's verifier key as the operator gave it to you, at the first run; log.vkey in the
    /// bundle if not given
    #[arg(long, value_name = "FILE")]
    pub log_key: Option<PathBuf>,
    /// The log goes on under a new name or key, as two people of different organisations decided
    #[arg(long, requires = "log_key")]
    pub new_log: bool,
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub every: u64,
    /// Look once, for a timer
    #[arg(long)]
    pub once: bool,
    /// Say which key this is and what it vouched for, without looking at the log
    #[arg(long)]
    pub show: bool,
}

/// The whole command: 0 all is well, 1 not.
pub fn run(args: &GroupArgs<LogCommand>) -> CommandResult {
    let witness = match &args.command {
        LogCommand::Witness(witness) => witness,
        LogCommand::Succeed(succeed) => {
            let connection = &args.connection;
            return succeeding::run(
                succeed,
                connection.bundle.as_deref(),
                connection.key.as_deref(),
            );
        }
    };
    let dir = witness.state.clone();
    let in_bundle = args.connection.bundle.as_ref();
    let dir = dir.or_else(|| in_bundle.map(|bundle| bundle.join(STATE_DIR)));
    let dir = dir.ok_or("name the witness's folder: --state DIR, or --bundle DIR")?;
    let mut out = io::stdout().lock();
    if witness.show {
        let state = State::read(&dir)?;
        let kept = kept(&state.evidence())?;
        writeln!(out, "{}", words::shown(&state, &kept))?;
        return Ok(match kept.is_empty() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        });
    }
    let state = State::open(
        &dir,
        &Start {
            name: witness.name.as_deref(),
            log_key: witness.log_key.as_deref(),
            bundled: in_bundle.map(|bundle| bundle.join(LOG_KEY)),
            new_log: witness.new_log,
        },
    )?;
    if state.new {
        writeln!(out, "{}", words::new_witness(&state))?;
        out.flush()?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(watch(
        &args.connection,
        witness,
        Watch::new(state),
        &mut out,
    ))
}

async fn watch(
    connection: &ConnectionArgs,
    args: &WitnessArgs,
    mut watch: Watch,
    out: &mut impl Write,
) -> CommandResult {
    let (mut unread, mut before) = (0_u32, String::new());
    loop {
        match look(connection, &mut watch).await {
            Ok(told) => {
                unread = 0;
                let text = told.text();
                // An alarm is repeated for as long as it lasts; that nothing happened is said once.
                if text != before || !told.alarms.is_empty() {
                    writeln!(out, "{text}")?;
                }
                before = text;
                if args.once {
                    return Ok(match told.good() {
                        true => ExitCode::SUCCESS,
                        false => ExitCode::FAILURE,
                    });
                }
            }
            Err(error) if args.once => return Err(error.into()),
            Err(error) => {
                unread = unread.saturating_add(1);
                let error = error.to_string();
                writeln!(out, "{}", words::unreachable(&error, args.every, unread))?;
                before.clear();
            }
        }
        out.flush()?;
        tokio::time::sleep(Duration::from_secs(args.every)).await;
    }
}

/// One look at the log by the witness of `state`, over a connection that is there; whether all was
/// well.
///
/// # Errors
/// [`ClientFault`] if the log cannot be read.
pub async fn look_once(caller: &mut Caller, state: State) -> Result<bool, ClientFault> {
    let told = Watch::new(state).round(caller, None, clock::now).await?;
    Ok(told.good())
}

async fn look(connection: &ConnectionArgs, watch: &mut Watch) -> Result<Told, ClientFault> {
    // Before the log is asked: what a receipt shows must be there by then.
    let receipt = match connection.receipts_dir() {
        Some(dir) => receipts::newest_head(&dir)?,
        None => None,
    };
    // A receipt of a log that had another name says nothing about this one.
    let receipt = receipt.and_then(|(_, note)| Head::read(&watch.state.log, &note).ok());
    let mut caller = connection.connect().await?;
    watch.round(&mut caller, receipt.as_ref(), clock::now).await
}

/// The names of what is kept as evidence.
fn kept(dir: &Path) -> Result<Vec<String>, StateFault> {
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let fault = |error| ClientFault::File(dir.to_owned(), error);
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        if path.is_dir() {
            names.push(path.display().to_string());
        }
    }
    names.sort();
    Ok(names)
}

impl From<Said> for Fetched {
    fn from(said: Said) -> Self {
        Self {
            status: said.status,
            bytes: said.bytes.to_vec(),
            date: said.date,
        }
    }
}

impl Gateway for Caller {
    async fn fetch(&mut self, path: &str) -> Result<Fetched, ClientFault> {
        Ok(self.get(path).await?.into())
    }

    async fn hand_in(&mut self, note: &str) -> Result<Fetched, ClientFault> {
        let said = self.ask(Ask {
            path: COSIGNATURES,
            body: Some(note.as_bytes().to_vec()),
            kind: BodyKind::Text,
            ..Ask::default()
        });
        Ok(said.await?.into())
    }

    async fn pause(&mut self) {
        tokio::time::sleep(PAUSE).await;
    }
}
