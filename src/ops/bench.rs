//! `firedoor bench`: how much a gateway does on this machine, and on what its CPU goes.
//!
//! It measures the real thing: mTLS clients over loopback against a gateway with the real store, in
//! a folder of its own, with invented people. It never touches a gateway that is there already.

mod consents;
mod crowd;
mod dice;
mod load;
mod log;
mod meter;
mod pages;
mod place;
mod report;
mod resolve;
mod screen;
mod stages;
mod store;
mod store_postgres;
mod town;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Subcommand, ValueEnum};
use tokio::runtime::Runtime;

use super::cli::CommandResult;
use super::demo::DemoError;
use super::serve::ServeError;
use crate::edge::client::ClientError;
use crate::edge::tls::{Protocol, TlsError};
use crate::pipeline::Unfounded;
use crate::store::Fault;
use load::{Exercise, Load, Shared};
use report::{GatewayReport, Machine};
use resolve::Sizes;
use stages::Bench;
use store::StoreReport;
use town::Town;

const SECONDS_MIN: f64 = 0.05;
/// Longer would run out of invented people.
const SECONDS_MAX: f64 = 60.0;
const WARM_UP_SECONDS_MAX: f64 = 30.0;
const CLIENTS_MAX: u64 = 256;
const THREADS_MAX: u64 = 64;
/// Commits that are made durable together, besides one.
const GROUP: usize = 64;

/// Measure a gateway on this machine
#[derive(clap::Args)]
#[command(after_help = "Example: firedoor bench gateway --seconds 10")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Requests per second over mTLS, and the CPU of an offer by stage
    #[command(
        after_help = "Each client sends its next request when the last is answered. The boundary \
                      at which replies are released is zero here; a real gateway adds up to a \
                      tenth of a second. Clients and gateway share the machine, so the rates are \
                      those of both; CPU is told apart.\n\n\
                      Example: firedoor bench gateway --clients 32 --dir /var/lib/firedoor --json"
    )]
    Gateway {
        #[command(flatten)]
        common: Common,
        /// Seconds before each measurement that are not counted
        #[arg(long, default_value_t = 1.0, value_parser = warm_up, value_name = "SECONDS")]
        warm_up: f64,
        /// Clients, each with its own connection
        #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=CLIENTS_MAX))]
        clients: u64,
        #[arg(long, value_enum, default_value = "http2")]
        protocol: Http,
    },
    /// Durable commits beside the least that they could cost, by number of writers
    #[command(
        after_help = "The store and a bare group committer (the same bytes, writers and disk, one \
                      write and one sync for all that queued) take turns; only the ratios are \
                      worth keeping. With PostgreSQL: the same rows, inserted in batches.\n\n\
                      Example: firedoor bench store --dir /var/lib/firedoor --seconds 10"
    )]
    Store {
        #[command(flatten)]
        common: Common,
        /// Fill a store with so many records, and compare latencies with one of 10,000
        #[arg(long, value_name = "N", conflicts_with = "postgres",
              value_parser = clap::value_parser!(u64).range(10_000..=100_000_000))]
        records: Option<u64>,
        /// An empty database for the records, instead of files
        #[arg(long, value_name = "URL", requires = "slots")]
        postgres: Option<String>,
        /// An empty database for the item keys
        #[arg(long, value_name = "URL", requires = "postgres")]
        slots: Option<String>,
    },
    /// How long an outsider needs to check the whole log, and what the tree costs on disk
    #[command(
        after_help = "Needs firedoor-verify beside this program, and 3 times the log's size in \
                      memory.\n\nExample: firedoor bench log --entries 1000000"
    )]
    Log {
        #[command(flatten)]
        common: Common,
        /// Entries of the log
        #[arg(long, default_value_t = 1_000_000, value_name = "N",
              value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
        entries: u64,
    },
    /// People found per second among 10,000, 1,000,000 and 10,000,000, and the memory that takes
    #[command(
        after_help = "Invented people in an index in memory. A request is parsed, normalised, made \
                      into keyed tokens, looked up and compared; half of them are about someone who \
                      is known, some with a field missing or changed. 10,000,000 takes minutes to \
                      build, and is left out where memory is short.\n\n\
                      Example: firedoor bench resolve --threads 2"
    )]
    Resolve {
        #[command(flatten)]
        common: Common,
        /// Only 10,000 and this number, whatever memory there is
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(10_000..=50_000_000))]
        persons: Option<u64>,
        /// Threads that ask at once
        #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=THREADS_MAX))]
        threads: u64,
    },
    /// Whether a decision takes longer where one organisation holds 100,000 consents than with 100
    #[command(
        after_help = "Two gateways, each with a store of its own, take turns; only the ratios are \
                      worth keeping. Every consent is recorded by a decision like any other, so \
                      that 100,000 take minutes to fill. Decisions are calls of the pipeline: no \
                      network and no boundary.\n\n\
                      Example: firedoor bench consents --dir /var/lib/firedoor"
    )]
    Consents {
        /// Live consents of one organisation, each of another woman
        #[arg(long, default_value_t = 100_000, value_name = "N",
              value_parser = clap::value_parser!(u64).range(100..=500_000))]
        consents: u64,
        /// Where to put the folders of the bench: on the disk that is to be measured
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Figures for a script
        #[arg(long)]
        json: bool,
    },
    /// How long each page takes on the server, and how large it is, with 100,000 entries behind it
    #[command(
        after_help = "Pages are asked for in this process, by everybody whom they are for: no network \
                      and no boundary. The entries are offers, all to one charity. Each page is to stay \
                      under 100 kB, and under 100 ms 99 times of 100.\n\n\
                      Example: firedoor bench pages --dir /var/lib/firedoor"
    )]
    Pages {
        /// Entries of the log
        #[arg(long, default_value_t = 100_000, value_name = "N",
              value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
        entries: u64,
        /// How often each page is asked for
        #[arg(long, default_value_t = 101, value_name = "N",
              value_parser = clap::value_parser!(u16).range(1..=10_000))]
        times: u16,
        /// Where to put the folder of the bench: on the disk that is to be measured
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Figures for a script
        #[arg(long)]
        json: bool,
    },
    /// How long the text screen takes over honest and hostile text, on one core
    #[command(after_help = "Example: firedoor bench screen --seconds 4")]
    Screen {
        #[command(flatten)]
        common: Common,
    },
}

#[derive(clap::Args)]
struct Common {
    /// How long each measurement takes: 0.05 to 60
    #[arg(long, default_value_t = 5.0, value_parser = seconds)]
    seconds: f64,
    /// Where to put the folder of the bench: on the disk that is to be measured
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Figures for a script
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Http {
    Http1,
    Http2,
}

impl Http {
    const fn protocol(self) -> Protocol {
        match self {
            Self::Http1 => Protocol::Http1,
            Self::Http2 => Protocol::Http2,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Http1 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
        }
    }
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    #[error("the operating system gives no randomness")]
    NoRandomness,
    #[error("the gateway answered {exercise} with {status}, so there is nothing to measure")]
    Refused { exercise: &'static str, status: u16 },
    #[error("an offer of the bench was refused, so there is nothing to measure")]
    Denied,
    #[error("a decision of the bench was not committed: {0}")]
    NotCommitted(&'static str),
    #[error("no {0} were answered in the time: set --seconds higher")]
    TooShort(&'static str),
    #[error("a decision of the bench was answered with {0}, so there is nothing to measure")]
    Answered(&'static str),
    #[error("nobody of the bench is led to {0}, so it was not measured")]
    NoWayTo(&'static str),
    #[error("the counts of {0} are never whole")]
    NeverWhole(&'static str),
    #[error("no offer was answered, so there is nothing to read")]
    NothingToRead,
    #[error("no one of the known people was found, so there is nothing to measure")]
    NobodyFound,
    #[error("a thread of the bench broke")]
    Broken,
    #[error("{} is not there: cargo build --release --bins", .0.display())]
    NoVerifier(PathBuf),
    #[error("the log of the bench was not verified: {0}")]
    NotVerified(String),
    #[error("the operating system refused: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Town(#[from] DemoError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Founding(#[from] Unfounded),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Store(#[from] Fault),
    #[error(transparent)]
    Open(#[from] Box<crate::store::journal::OpenError>),
    #[error(transparent)]
    OpenDatabases(#[from] Box<crate::store::postgres::OpenError>),
    #[error("the database refused the bare inserts: {0}")]
    Database(#[from] tokio_postgres::Error),
}

fn between(text: &str, min: f64, max: f64) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "give a number".to_owned())?;
    if (min..=max).contains(&value) {
        Ok(value)
    } else {
        Err(format!("give {min} to {max} seconds"))
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    between(text, SECONDS_MIN, SECONDS_MAX)
}

fn warm_up(text: &str) -> Result<f64, String> {
    between(text, 0.0, WARM_UP_SECONDS_MAX)
}

/// The whole command.
pub fn run(args: &Args) -> CommandResult {
    let mut out = io::stdout().lock();
    let (text, json) = match &args.command {
        Command::Gateway {
            common,
            warm_up,
            clients,
            protocol,
        } => {
            let load = Load {
                clients: usize::try_from(*clients).unwrap_or(1),
                warm_up: Duration::from_secs_f64(*warm_up),
                measured: Duration::from_secs_f64(common.seconds),
            };
            let report = gateway(common, load, *protocol)?;
            (report.to_string(), serde_json::to_string_pretty(&report)?)
        }
        Command::Store {
            common,
            records: Some(records),
            ..
        } => {
            let place = common.place();
            let report = runtime()?.block_on(store::growth(&place, *records))?;
            (report.to_string(), serde_json::to_string_pretty(&report)?)
        }
        Command::Store {
            common,
            postgres,
            slots,
            ..
        } => {
            let databases = postgres.as_deref().zip(slots.as_deref());
            let report = bench_store(common, databases)?;
            (report.to_string(), serde_json::to_string_pretty(&report)?)
        }
        Command::Log { common, entries } => {
            let report = log::log(common, *entries)?;
            (report.to_string(), serde_json::to_string_pretty(&report)?)
        }
        Command::Resolve {
            common,
            persons,
            threads,
        } => {
            let report = resolve::measure(&Sizes::of(*persons), *threads, common.limit())?;
            (report.to_string(), serde_json::to_string_pretty(&report)?)
        }
        Command::Consents { consents, dir, .. } => {
            let (place, sizes) = (place(dir.as_ref()), consents::Sizes::of(*consents));
            let report = runtime()?.block_on(consents::measure(&place, sizes))?;
            (report.to_string(), serde_json::to_string_pretty(&report)?)
        }
        Command::Pages {
            entries,
            times,
            dir,
            ..
        } => {
            let (place, times) = (place(dir.as_ref()), usize::from(*times));
            let report = runtime()?.block_on(pages::measure(&place, *entries, times))?;
            (report.to_string(), serde_json::to_string_pretty(&report)?)
        }
        Command::Screen { common } => {
            let report = screen::measure(common.limit())?;
            (report.to_string(), serde_json::to_string_pretty(&report)?)
        }
    };
    let told = if args.command.is_json() { json } else { text };
    writeln!(out, "{}", told.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

impl Command {
    const fn is_json(&self) -> bool {
        match self {
            Self::Gateway { common, .. }
            | Self::Store { common, .. }
            | Self::Log { common, .. }
            | Self::Resolve { common, .. }
            | Self::Screen { common } => common.json,
            Self::Consents { json, .. } | Self::Pages { json, .. } => *json,
        }
    }
}

impl Common {
    fn place(&self) -> PathBuf {
        place(self.dir.as_ref())
    }

    fn limit(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}

fn place(dir: Option<&PathBuf>) -> PathBuf {
    dir.cloned().unwrap_or_else(std::env::temp_dir)
}

fn runtime() -> Result<Runtime, BenchError> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    Ok(builder.enable_all().build()?)
}

fn gateway(common: &Common, load: Load, protocol: Http) -> Result<GatewayReport, BenchError> {
    let runtime = runtime()?;
    let machine = Machine::now(common.place());
    let town = runtime.block_on(Town::open(&common.place()))?;
    let town = town.speaking(protocol.protocol());
    let shared = Arc::new(Shared::default());
    let mut rates = Vec::new();
    // Not within the runtime: this thread waits, and the gateway goes on.
    for exercise in Exercise::ALL {
        rates.push(load::run(&town, &shared, exercise, load)?);
    }
    // A stage is steadier than a request: a fraction of the time serves.
    let limit = load.measured / 8;
    let (stages, commits) = runtime.block_on(async {
        let bench = Bench::new(&town, shared, limit).await?;
        let stages = bench.stages().await?;
        let commits = commits(&bench, load.clients).await?;
        Ok::<_, BenchError>((stages, commits))
    })?;
    runtime.block_on(town.close())?;
    GatewayReport::of(machine, load, protocol.name(), &rates, &stages, &commits)
}

async fn commits(bench: &Bench, clients: usize) -> Result<Vec<stages::CommitCost>, BenchError> {
    let mut groups = vec![1, clients, GROUP];
    groups.sort_unstable();
    groups.dedup();
    let mut commits = Vec::new();
    for group in groups {
        commits.push(bench.commit(group).await?);
    }
    Ok(commits)
}

fn bench_store(
    common: &Common,
    databases: Option<(&str, &str)>,
) -> Result<StoreReport, BenchError> {
    let (machine, limit) = (Machine::now(common.place()), common.limit());
    let runtime = runtime()?;
    let (backend, raw, rows) = match databases {
        None => (
            "embedded store",
            "a bare group committer",
            runtime.block_on(store::embedded(&common.place(), limit))?,
        ),
        Some((records, slots)) => (
            "PostgreSQL store",
            "bare batched inserts",
            runtime.block_on(store_postgres::postgres(records, slots, limit))?,
        ),
    };
    Ok(StoreReport {
        machine,
        backend,
        raw,
        rows,
    })
}

#[cfg(test)]
mod tests;
