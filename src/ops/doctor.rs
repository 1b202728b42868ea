//! `firedoor doctor`: which link is broken, and what to do.
//!
//! It looks with the same code that the gateway starts with. A log that no gateway has open is
//! opened as a start would and read to its end; one in use is left alone, and the running gateway
//! asked. A repair only copies, moves things aside, makes a mode stricter or renews a list: it
//! deletes nothing and never touches the journal or a key.

mod repair;

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::cli::CommandResult;
use super::clock::now;
use super::condition::{
    Problem, clock_problem, erasure_problem, evidence_problem, restoration_problems,
    store_problems, tls_problems, witnessing_problem,
};
use super::config::{Config, StoreChoice};
use super::gateway;
use super::keys::{RootKey, log_key};
use super::policy;
use super::renewing::Renewing;
use crate::domain::alias::next_epoch;
use crate::edge::tls::{Clock, TlsState};
use crate::pipeline::Gateway;
use crate::store::evidence::Evidence;
use crate::store::journal::{OpenError, Progress};
use crate::store::{Erasure, Store, postgres};

/// What the running gateway may say of itself.
const READY_BYTES_MAX: u64 = 64 * 1024;
const READY_WITHIN: Duration = Duration::from_secs(5);

/// Find out what is wrong and what to do; exit 0 only if nothing stops the gateway
#[derive(clap::Args)]
#[command(
    after_help = "Looks at the configuration, keys, policies, certificates, revocation \
                        list, clock, disk and log, while the gateway runs or not.\n\n\
                        Example: firedoor doctor --config /etc/firedoor/firedoor.toml"
)]
pub struct Args {
    #[arg(long, default_value = "firedoor.toml")]
    config: PathBuf,
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Solve what can be solved without losing anything: what is in the way is moved aside,
    /// nothing is deleted
    #[arg(long)]
    repair: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Good,
    /// Soon, or less than it could be.
    Warns,
    /// The gateway does not start, or does not do its work.
    Stops,
}

/// One link of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Check {
    link: &'static str,
    state: State,
    says: String,
    todo: Option<String>,
}

/// What was looked at, in the order in which a start needs it.
#[derive(Default)]
struct Report(Vec<Check>);

impl Report {
    fn good(&mut self, link: &'static str, says: impl Into<String>) {
        self.add(link, State::Good, says.into(), None);
    }

    fn warns(&mut self, link: &'static str, says: impl Into<String>, todo: &str) {
        self.add(link, State::Warns, says.into(), Some(todo.to_owned()));
    }

    fn stops(&mut self, link: &'static str, says: impl Into<String>, todo: &str) {
        self.add(link, State::Stops, says.into(), Some(todo.to_owned()));
    }

    fn problem(&mut self, link: &'static str, problem: &Problem) {
        let state = if problem.stops {
            State::Stops
        } else {
            State::Warns
        };
        let todo = Some(problem.todo.to_owned());
        self.add(link, state, problem.what.clone(), todo);
    }

    fn add(&mut self, link: &'static str, state: State, says: String, todo: Option<String>) {
        self.0.push(Check {
            link,
            state,
            says,
            todo,
        });
    }

    fn is_good(&self) -> bool {
        self.0.iter().all(|check| check.state != State::Stops)
    }

    fn tell(&self, out: &mut impl Write, as_json: bool) -> io::Result<()> {
        let word = |state| match state {
            State::Good => "good",
            State::Warns => "warns",
            State::Stops => "stops",
        };
        if as_json {
            let checks: Vec<serde_json::Value> = self
                .0
                .iter()
                .map(|check| {
                    json!({
                        "link": check.link,
                        "state": word(check.state),
                        "says": check.says,
                        "todo": check.todo,
                    })
                })
                .collect();
            let report = json!({ "good": self.is_good(), "checks": checks });
            serde_json::to_writer_pretty(&mut *out, &report)?;
            return writeln!(out);
        }
        for check in &self.0 {
            writeln!(
                out,
                "{:5}  {:13} {}",
                word(check.state),
                check.link,
                check.says
            )?;
            if let Some(todo) = &check.todo {
                writeln!(out, "       {:13} -> {todo}", "")?;
            }
        }
        match self.0.iter().find(|check| check.state == State::Stops) {
            Some(first) => writeln!(out, "\nThe first link that fails: {}.", first.link),
            None => writeln!(out, "\nNothing stops the gateway."),
        }
    }
}

pub fn run(args: &Args) -> CommandResult {
    let runtime = tokio::runtime::Runtime::new()?;
    let report = runtime.block_on(examine(&args.config, args.repair));
    report.tell(&mut io::stdout().lock(), args.json)?;
    Ok(match report.is_good() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

async fn examine(file: &Path, repairing: bool) -> Report {
    let mut report = Report::default();
    let config = match Config::read(file) {
        Ok(config) => config,
        Err(error) => {
            let todo = "correct it; deploy/firedoor.toml explains every key";
            report.stops("configuration", error.to_string(), todo);
            return report;
        }
    };
    report.good("configuration", format!("{} reads well", file.display()));
    if repairing {
        repair::modes(&mut report, &config);
        repair::revocation_list(&mut report, &config);
    }
    modes(&mut report, file, &config);
    let has_key = root_key(&mut report, &config);
    policies(&mut report, &config);
    certificates(&mut report, &config);
    renewals(&mut report, &config);
    disk(&mut report, &config);
    match running(&config) {
        Running::Yes => ask_running(&mut report, &config),
        Running::No if has_key => log(&mut report, &config, repairing).await,
        Running::No => {}
    }
    report
}

/// Who else may read what should be read by one.
fn modes(report: &mut Report, file: &Path, config: &Config) {
    let open = |path: &Path| path.metadata().is_ok_and(|file| file.mode() & 0o077 != 0);
    if open(&config.tls.key) {
        let says = format!("{} can be read by others", config.tls.key.display());
        report.warns("modes", says, "chmod 0600 it, or run doctor with --repair");
    }
    if matches!(config.store, StoreChoice::Postgres { .. }) && open(file) {
        let says = format!(
            "{} may hold a password and can be read by others",
            file.display()
        );
        report.warns("modes", says, "chmod 0600 it");
    }
}

fn root_key(report: &mut Report, config: &Config) -> bool {
    match RootKey::read(&config.key_path) {
        Ok(_) => {
            let next = next_epoch(now()).rfc3339();
            let says = format!(
                "is there, and for its owner only; references change on {}",
                next.get(..10).unwrap_or(&next)
            );
            report.good("root key", says);
            true
        }
        Err(error) => {
            let todo = "without it nothing that is stored can be read: do not make a new one \
                        over a log that exists";
            report.stops("root key", error.to_string(), todo);
            false
        }
    }
}

fn policies(report: &mut Report, config: &Config) {
    let (hash, problems) = policy::check(config.policies_dir.as_deref());
    for problem in &problems {
        report.stops(
            "policies",
            problem.clone(),
            "correct it: `firedoor policy check` tells more",
        );
    }
    if let (Some(hash), true) = (hash, problems.is_empty()) {
        report.good("policies", format!("are valid, sha256 {hash}"));
    }
}

fn certificates(report: &mut Report, config: &Config) {
    let clock: Clock = Arc::new(now);
    let tls = match TlsState::open(config.tls.clone(), &config.trust_domain, clock) {
        Ok(tls) => tls,
        Err(error) => {
            let todo = "look at the four files named in [tls]";
            report.stops("certificates", error.to_string(), todo);
            return;
        }
    };
    let health = tls.health();
    let problems = tls_problems(&health, now());
    for problem in &problems {
        report.problem("certificates", problem);
    }
    if problems.is_empty() {
        let (server, list) = (health.server_not_after, health.revocation_next_update);
        let says = format!(
            "the gateway's holds until {}, the revocation list until {}",
            server.rfc3339(),
            list.rfc3339()
        );
        report.good("certificates", says);
    }
}

/// Whether the gateway renews people's certificates, and could.
fn renewals(report: &mut Report, config: &Config) {
    let until = match Renewing::open(config) {
        Ok(None) => return,
        Ok(Some(renewing)) => renewing.until(now()),
        Err(error) => Err(error),
    };
    match until {
        Ok(until) => {
            let says = format!("what is issued now holds until {}", until.rfc3339());
            report.good("renewals", says);
        }
        Err(error) => {
            let todo =
                "the gateway does not start with this; see [renewals] in deploy/firedoor.toml";
            report.stops("renewals", error.to_string(), todo);
        }
    }
}

fn disk(report: &mut Report, config: &Config) {
    if let StoreChoice::Postgres { .. } = config.store {
        return;
    }
    let place = &config.data_dir;
    let free = match rustix::fs::statvfs(place) {
        Ok(found) => found.f_bavail.saturating_mul(found.f_frsize),
        Err(error) => {
            let says = format!("{}: {}", place.display(), io::Error::from(error));
            let todo = "make the folder (mode 0700) for the gateway's user, or correct data_dir";
            report.stops("disk", says, todo);
            return;
        }
    };
    let mib = free / (1024 * 1024);
    if free < config.limits.kept_room_bytes() {
        let says = format!("{mib} MiB free: only withdrawals, emergencies and refusals are taken");
        report.warns("disk", says, "give it more room");
    } else {
        report.good("disk", format!("{mib} MiB free"));
    }
}

enum Running {
    Yes,
    No,
}

/// Whether a gateway has the journal open.
fn running(config: &Config) -> Running {
    if let StoreChoice::Postgres { .. } = config.store {
        return Running::No;
    }
    let lock = File::open(config.data_dir.join("lock"));
    match lock.map(|file| file.try_lock()) {
        Ok(Err(_)) => Running::Yes,
        Ok(Ok(())) | Err(_) => Running::No,
    }
}

/// What the running gateway says at `/readyz`.
fn ask_running(report: &mut Report, config: &Config) {
    let said = ready_page(config).ok().and_then(|page| {
        let (_, body) = page.split_once("\r\n\r\n")?;
        serde_json::from_str::<serde_json::Value>(body).ok()
    });
    let Some(said) = said else {
        let says = format!("has the log open but is silent at {}", config.admin_listen);
        let todo = "is admin_listen the one it was started with? else look at its log, restart it";
        report.stops("gateway", says, todo);
        return;
    };
    let problems = said.get("problems").and_then(|found| found.as_array());
    let problems = problems.map_or(&[][..], Vec::as_slice);
    for problem in problems {
        let text = |name: &str| {
            let found = problem.get(name).and_then(|value| value.as_str());
            found.unwrap_or_default().to_owned()
        };
        let stops = problem.get("stops").and_then(|value| value.as_bool());
        let state = match stops {
            Some(false) => State::Warns,
            Some(true) | None => State::Stops,
        };
        report.add("gateway", state, text("what"), Some(text("todo")));
    }
    if problems.is_empty() {
        report.good("gateway", "runs and is ready");
    }
}

fn ready_page(config: &Config) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&config.admin_listen, READY_WITHIN)?;
    stream.set_read_timeout(Some(READY_WITHIN))?;
    stream.set_write_timeout(Some(READY_WITHIN))?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut page = String::new();
    stream.take(READY_BYTES_MAX).read_to_string(&mut page)?;
    Ok(page)
}

/// Opens the log as a start would, then reads every frame, whatever a start leaves to the scrub.
async fn log(report: &mut Report, config: &Config, repairing: bool) {
    let embedded = matches!(config.store, StoreChoice::Embedded { .. });
    if embedded && !config.data_dir.join("journal").exists() {
        report.good("log", "is not there yet: the first start makes it");
        return;
    }
    let opened = match gateway::open(config).await {
        Err(error) if repairing && is_damaged(&error) && repair::set_aside(report, config) => {
            gateway::open(config).await
        }
        Err(_) if repairing && repair::index(report, config) => gateway::open(config).await,
        opened => opened,
    };
    let gateway = match opened {
        Ok(gateway) => gateway,
        Err(error) => {
            report.stops("log", error.to_string(), what_to_do(&error));
            if let Some(problem) = evidence_problem(Evidence::count_in(&config.data_dir)) {
                report.problem("witnesses", &problem);
            }
            return;
        }
    };
    let store = &gateway.store;
    if let Store::Embedded(journal) = &**store
        && let Err(damage) = journal.verify(told_on_a_terminal()).await
    {
        report.stops("log", damage.to_string(), RESTORE);
        // The store has stopped; it cannot end in order.
        let _ = store.close().await;
        drop(gateway);
        if repairing {
            repair::set_aside(report, config);
        }
        return;
    }
    for problem in store_problems(&store.health()) {
        report.problem("log", &problem);
    }
    match clock_problem(store.last_time(), now()) {
        Some(problem) => report.problem("clock", &problem),
        None => report.good("clock", format!("{}, not behind the log", now().rfc3339())),
    }
    restored(report, &gateway).await;
    erasure(report, &store.erasure());
    witnesses(report, &gateway).await;
    let head = match store.checkpoint().await {
        Ok(note) => signed_by_us(config, &note),
        Err(error) => Err(error.to_string()),
    };
    match head {
        Ok(size) => report.good("log", format!("signed head is good, entries: {size}")),
        Err(error) => report.stops("log", error, "is log.origin the one it was made with?"),
    }
    if let Err(error) = store.close().await {
        report.stops("log", error.to_string(), "look at the disk or the database");
    }
}

/// Whether it was made from a copy, and whom it waits for.
async fn restored(report: &mut Report, gateway: &Gateway) {
    if let Some(mark) = gateway.store.restored() {
        let says = format!(
            "was made from a copy of {} entries; withdrawals since {} may be missing",
            mark.leaves,
            mark.at.rfc3339()
        );
        let todo = "start the gateway: it shows nothing about anyone until they are collected";
        report.warns("restore", says, todo);
        return;
    }
    match gateway.restoration().await {
        Ok(found) => {
            for problem in found.iter().flat_map(restoration_problems) {
                report.problem("restore", &problem);
            }
        }
        Err(error) => report.stops("log", error.to_string(), "look at the disk or the database"),
    }
}

/// Whether outsiders watch the log, and whether anyone has shown that it is not whole.
async fn witnesses(report: &mut Report, gateway: &Gateway) {
    match gateway.witnessing().await {
        Ok(witnessing) => match witnessing_problem(&witnessing) {
            Some(problem) => report.problem("witnesses", &problem),
            None => report.good("witnesses", witnessing.says()),
        },
        Err(error) => report.stops("log", error.to_string(), "look at the disk or the database"),
    }
    match gateway.store.evidence().await {
        Ok(found) => {
            if let Some(problem) = evidence_problem(found.len()) {
                report.problem("witnesses", &problem);
            }
        }
        Err(error) => report.stops("log", error.to_string(), "look at the disk or the database"),
    }
}

/// How far what was erased is destroyed. Numbers and a time only.
fn erasure(report: &mut Report, erasure: &Erasure) {
    if let Some(problem) = erasure_problem(erasure, now()) {
        return report.problem("erasure", &problem);
    }
    let last = erasure.completed.map(|at| at.rfc3339());
    let last = last.unwrap_or_else(|| "never".to_owned());
    let waiting = erasure.waiting;
    report.good(
        "erasure",
        format!("last destroyed: {last}, waiting for the night: {waiting}"),
    );
}

const RESTORE: &str = "restore data_dir from the newest backup (firedoor restore) and keep the \
                       slot file; --repair first copies everything aside and touches no segment";

/// The journal itself is not what it was.
fn is_damaged(error: &gateway::OpenError) -> bool {
    match error {
        gateway::OpenError::Journal(error) => match &**error {
            OpenError::Damaged { .. } | OpenError::Shorter { .. } => true,
            // A segment that is not there.
            OpenError::Io { source, .. } => source.kind() == io::ErrorKind::NotFound,
            _ => false,
        },
        _ => false,
    }
}

fn what_to_do(error: &gateway::OpenError) -> &'static str {
    if is_damaged(error) {
        return RESTORE;
    }
    let earlier = matches!(error, gateway::OpenError::Journal(error)
        if matches!(**error, OpenError::EarlierBuild(_)));
    if earlier {
        return "nothing is broken: go on with the build that wrote it, or begin anew with an empty \
                data_dir and a new log.origin";
    }
    let gone_back = matches!(error, gateway::OpenError::Journal(error)
        if matches!(**error, OpenError::RolledBack { .. }))
        || matches!(error, gateway::OpenError::Postgres(error)
        if matches!(**error, postgres::OpenError::RolledBack { .. }));
    if gone_back {
        return "restore the newest copy that there is; README.md, \"After a loss\", says how two \
                people give the log a new name";
    }
    "the message names the place; if only the index folder is broken, --repair moves it aside and \
     it is made anew"
}

/// How far the reading of the journal has come, on one line, where someone looks on.
fn told_on_a_terminal() -> impl FnMut(Progress) + Send + 'static {
    let mut shown = io::stderr().is_terminal().then_some(0);
    move |Progress { leaves, of }| {
        let percent = leaves.saturating_mul(100) / of.max(1);
        if let Some(last) = &mut shown
            && percent > *last
        {
            *last = percent;
            let end = if leaves == of { "\n" } else { "" };
            let mut line = io::stderr().lock();
            // Nothing is lost with a line that cannot be shown.
            let _ = write!(line, "\rreading the journal: {percent} %{end}");
        }
    }
}

/// The number of entries under the log's own key.
fn signed_by_us(config: &Config, note: &str) -> Result<u64, String> {
    let root = RootKey::read(&config.key_path).map_err(|error| error.to_string())?;
    let key = log_key(&root, &config.origin).map_err(|error| error.to_string())?;
    let head = key
        .verifier()
        .verify(note)
        .map_err(|error| error.to_string())?;
    Ok(head.size)
}

#[cfg(test)]
mod tests;
