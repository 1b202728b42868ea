//! What the bench tells: a table for a reader, and the same figures as JSON for a script.
//!
//! Absolute rates depend on the machine and on what else it does, so each is also told as a ratio
//! to the empty request of the same run.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

use serde::Serialize;

use super::BenchError;
use super::load::{Exercise, Load, Rate};
use super::stages::{CommitCost, Stages};

/// Where and beside what it was measured.
#[derive(Debug, Serialize)]
pub struct Machine {
    pub cores: usize,
    /// Of the last minute, before the bench began.
    pub load_average: Option<f64>,
    /// Built without optimisation: the figures are of no use.
    pub debug_build: bool,
    /// Of what it stores, if it does.
    pub dir: Option<PathBuf>,
}

impl Machine {
    pub fn now(dir: impl Into<Option<PathBuf>>) -> Self {
        let average = std::fs::read_to_string("/proc/loadavg").ok();
        let average = average.and_then(|text| text.split(' ').next()?.parse().ok());
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            load_average: average,
            debug_build: cfg!(debug_assertions),
            dir: dir.into(),
        }
    }
}

impl Display for Machine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let cores = self.cores;
        write!(f, "{cores} cores")?;
        if let Some(dir) = &self.dir {
            write!(f, ", store in {}", dir.display())?;
        }
        if let Some(average) = self.load_average {
            write!(f, ", load average {average:.2} before the bench began")?;
        }
        writeln!(f)?;
        if self.debug_build {
            writeln!(f, "A DEBUG BUILD: measure with cargo run --release")?;
        }
        Ok(())
    }
}

#[derive(Debug, Serialize)]
pub struct RateRow {
    pub name: &'static str,
    pub requests: usize,
    pub per_second: f64,
    /// To the empty request (`codes`) of the same run.
    pub ratio_to_codes: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub server_cpu_us: f64,
    pub client_cpu_us: f64,
}

#[derive(Debug, Serialize)]
pub struct StageRow {
    pub name: &'static str,
    pub what: &'static str,
    pub cpu_us: f64,
    /// Of the CPU of a whole offer.
    pub share: f64,
}

#[derive(Debug, Serialize)]
pub struct CommitRow {
    pub group: usize,
    pub per_second: f64,
    pub cpu_us: f64,
}

#[derive(Debug, Serialize)]
pub struct GatewayReport {
    pub machine: Machine,
    pub clients: usize,
    pub protocol: &'static str,
    pub warm_up_s: f64,
    pub measured_s: f64,
    pub rates: Vec<RateRow>,
    /// CPU of the gateway for one offer under the load above, in microseconds.
    pub offer_cpu_us: f64,
    pub stages: Vec<StageRow>,
    /// The stage that takes more CPU than all others together, if one does.
    pub dominant: Option<&'static str>,
    pub commits: Vec<CommitRow>,
}

fn rows(commits: &[CommitCost]) -> Vec<CommitRow> {
    let row = |cost: &CommitCost| CommitRow {
        group: cost.group,
        per_second: cost.per_second,
        cpu_us: cost.cpu_us,
    };
    commits.iter().map(row).collect()
}

impl GatewayReport {
    /// # Errors
    /// If an exercise or the commit in groups of so many clients was not measured.
    pub fn of(
        machine: Machine,
        load: Load,
        protocol: &'static str,
        rates: &[Rate],
        stages: &Stages,
        commits: &[CommitCost],
    ) -> Result<Self, BenchError> {
        let of = |exercise| rates.iter().find(|rate| rate.exercise == exercise);
        let codes = of(Exercise::Codes).ok_or(BenchError::Broken)?;
        let offers = of(Exercise::Offers).ok_or(BenchError::Broken)?;
        let commit = commits.iter().find(|cost| cost.group == load.clients);
        let commit_us = commit.ok_or(BenchError::Broken)?.cpu_us;
        let row = |rate: &Rate| RateRow {
            name: rate.exercise.name(),
            requests: rate.requests,
            per_second: rate.per_second,
            ratio_to_codes: rate.per_second / codes.per_second,
            p50_us: rate.p50_us,
            p99_us: rate.p99_us,
            server_cpu_us: rate.server_cpu_us,
            client_cpu_us: rate.client_cpu_us,
        };
        let stages = stage_rows(codes, offers, stages, commit_us);
        Ok(Self {
            machine,
            clients: load.clients,
            protocol,
            warm_up_s: load.warm_up.as_secs_f64(),
            measured_s: load.measured.as_secs_f64(),
            rates: rates.iter().map(row).collect(),
            offer_cpu_us: offers.server_cpu_us,
            dominant: dominant(&stages),
            stages,
            commits: rows(commits),
        })
    }
}

fn stage_rows(codes: &Rate, offers: &Rate, stages: &Stages, commit_us: f64) -> Vec<StageRow> {
    let measured = [
        (
            "tls",
            "TLS, HTTP and sockets: an empty request less its handler",
            codes.server_cpu_us - stages.empty_us,
        ),
        ("parse", "JSON to a draft", stages.parse_us),
        ("resolve", "identifiers to keyed tokens", stages.resolve_us),
        ("facts", "what the decision rests on, read", stages.facts_us),
        (
            "keys",
            "item keys reserved for the decision",
            stages.keys_us,
        ),
        ("policy", "Cedar", stages.policy_us),
        (
            "screen",
            "free text read, and the firewall",
            stages.screen_us,
        ),
        (
            "seal",
            "the rest of the decision: records and log entry, each sealed",
            stages.seal_us,
        ),
        (
            "commit",
            "one durable write, in groups of as many as there are clients",
            commit_us,
        ),
    ];
    let told: f64 = measured.iter().map(|(_, _, cpu_us)| cpu_us).sum();
    let rest = (
        "rest",
        "not measured apart: receipt, reply, hand-over between threads",
        offers.server_cpu_us - told,
    );
    measured
        .into_iter()
        .chain([rest])
        .map(|(name, what, cpu_us)| StageRow {
            name,
            what,
            cpu_us,
            share: cpu_us / offers.server_cpu_us,
        })
        .collect()
}

fn dominant(stages: &[StageRow]) -> Option<&'static str> {
    let sum: f64 = stages.iter().map(|row| row.cpu_us.max(0.0)).sum();
    stages
        .iter()
        .find(|row| row.name != "rest" && row.cpu_us > sum - row.cpu_us)
        .map(|row| row.name)
}

impl Display for GatewayReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.machine)?;
        writeln!(
            f,
            "{} clients in a closed loop over mTLS and {}, on the same machine; {} s each after {} s \
             of warm-up; boundary 0\n",
            self.clients, self.protocol, self.measured_s, self.warm_up_s
        )?;
        writeln!(
            f,
            "{:<12} {:>10} {:>10} {:>10} {:>10} {:>14} {:>14}",
            "", "per second", "to codes", "p50 us", "p99 us", "server CPU us", "client CPU us"
        )?;
        for row in &self.rates {
            writeln!(
                f,
                "{:<12} {:>10.0} {:>10.3} {:>10.0} {:>10.0} {:>14.1} {:>14.1}",
                row.name,
                row.per_second,
                row.ratio_to_codes,
                row.p50_us,
                row.p99_us,
                row.server_cpu_us,
                row.client_cpu_us
            )?;
        }
        let whole = self.offer_cpu_us;
        writeln!(f, "\nCPU of one offer, {whole:.1} us, by stage:")?;
        for row in &self.stages {
            let share = row.share * 100.0;
            let StageRow {
                name, what, cpu_us, ..
            } = row;
            writeln!(f, "{name:<12} {cpu_us:>10.1} us {share:>6.1} %  {what}")?;
        }
        match self.dominant {
            Some(name) => writeln!(f, "{name} takes more CPU than all other stages together.")?,
            None => writeln!(f, "No stage takes more CPU than all others together.")?,
        }
        writeln!(f)?;
        commit_table(f, &self.commits)
    }
}

fn commit_table(f: &mut Formatter<'_>, commits: &[CommitRow]) -> fmt::Result {
    writeln!(f, "Durable commits of whole decisions:")?;
    for row in commits {
        let CommitRow {
            group,
            per_second,
            cpu_us,
        } = row;
        writeln!(
            f,
            "{group:>4} together {per_second:>10.0} per second {cpu_us:>10.1} us CPU each"
        )?;
    }
    Ok(())
}
