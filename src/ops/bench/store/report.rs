//! What `bench store` tells, as tables and as JSON. Ratios are the result; rates are this machine's.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use crate::ops::bench::report::Machine;

/// One round of one contender.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Round {
    pub per_second: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    /// Of the whole process, for one commit: writers and threads behind.
    pub cpu_us: f64,
    /// Syncs, if the contender counts them.
    pub frames: Option<u64>,
    /// Commits in one sync, on average.
    pub group: Option<f64>,
}

/// Both contenders at one number of writers: medians over the rounds.
#[derive(Clone, Debug, Serialize)]
pub struct StoreRow {
    pub writers: usize,
    pub raw: Round,
    pub store: Round,
    /// Commits per second, store to raw: the median over pairs of rounds.
    pub ratio: f64,
    /// The middle latency, store to raw: the median over pairs of rounds.
    pub p50_ratio: f64,
}

/// The median; 0 of nothing.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

fn middle<'a>(rounds: impl Iterator<Item = &'a Round> + Clone) -> Round {
    let of = |figure: fn(&Round) -> f64| median(rounds.clone().map(figure));
    let frames = rounds.clone().filter_map(|round| round.frames);
    let group = rounds.clone().filter_map(|round| round.group);
    let known = rounds.clone().all(|round| round.frames.is_some());
    Round {
        per_second: of(|round| round.per_second),
        p50_us: of(|round| round.p50_us),
        p99_us: of(|round| round.p99_us),
        cpu_us: of(|round| round.cpu_us),
        frames: known.then(|| median(frames.map(|frames| frames as f64)) as u64),
        group: known.then(|| median(group)),
    }
}

impl StoreRow {
    /// From pairs of rounds, raw and store.
    pub fn of(writers: usize, pairs: &[(Round, Round)]) -> Self {
        let of = |figure: fn(&(Round, Round)) -> f64| median(pairs.iter().map(figure));
        Self {
            writers,
            raw: middle(pairs.iter().map(|(raw, _)| raw)),
            store: middle(pairs.iter().map(|(_, store)| store)),
            ratio: of(|(raw, store)| store.per_second / raw.per_second),
            p50_ratio: of(|(raw, store)| store.p50_us / raw.p50_us),
        }
    }
}

/// Every number of writers, for one backend.
#[derive(Debug, Serialize)]
pub struct StoreReport {
    pub machine: Machine,
    pub backend: &'static str,
    /// What `raw` is.
    pub raw: &'static str,
    pub rows: Vec<StoreRow>,
}

impl Display for StoreReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.machine)?;
        writeln!(
            f,
            "{} beside {}, medians of rounds in turn:\n",
            self.backend, self.raw
        )?;
        let (row, of) = ("writers", "");
        writeln!(
            f,
            "{row:>7} {of:<6} {:>11} {:>9} {:>9} {:>8} {:>8} {:>6}  {:>6} {:>9}",
            "commits/s", "p50 us", "p99 us", "CPU us", "syncs", "group", "ratio", "p50 ratio"
        )?;
        for row in &self.rows {
            line(f, row.writers, "raw", &row.raw)?;
            writeln!(f)?;
            line(f, row.writers, "store", &row.store)?;
            writeln!(f, "  {:>6.2} {:>9.2}", row.ratio, row.p50_ratio)?;
        }
        Ok(())
    }
}

fn line(f: &mut Formatter<'_>, writers: usize, name: &str, round: &Round) -> fmt::Result {
    let Round {
        per_second,
        p50_us,
        p99_us,
        cpu_us,
        frames,
        group,
    } = round;
    let frames = frames.map_or("-".to_owned(), |frames| frames.to_string());
    let group = group.map_or("-".to_owned(), |group| format!("{group:.1}"));
    write!(
        f,
        "{writers:>7} {name:<6} {per_second:>11.0} {p50_us:>9.0} {p99_us:>9.0} {cpu_us:>8.1} \
         {frames:>8} {group:>6}"
    )
}

/// One latency at two sizes.
#[derive(Debug, Serialize)]
pub struct Grown {
    pub what: &'static str,
    pub small_us: f64,
    pub large_us: f64,
    /// The median over pairs of rounds.
    pub ratio: f64,
}

impl Grown {
    pub fn of(what: &'static str, small: &[f64], large: &[f64]) -> Self {
        let pairs = small.iter().zip(large);
        Self {
            what,
            small_us: median(small.iter().copied()),
            large_us: median(large.iter().copied()),
            ratio: median(pairs.map(|(small, large)| large / small)),
        }
    }
}

/// A start after a clean stop.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Start {
    pub seconds: f64,
    /// Reading and checking every frame, as `doctor` does.
    pub verified_seconds: f64,
    /// What the process holds more once the store is open.
    pub resident_mib: u64,
}

/// Latencies of a small and a large store, and the start of the large one.
#[derive(Debug, Serialize)]
pub struct GrowthReport {
    pub machine: Machine,
    pub small: u64,
    pub large: u64,
    pub filled_per_second: f64,
    pub grown: Vec<Grown>,
    pub start: Start,
}

impl Display for GrowthReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { small, large, .. } = self;
        writeln!(f, "{}", self.machine)?;
        writeln!(
            f,
            "Filled at {:.0} commits per second.\n",
            self.filled_per_second
        )?;
        let (from, to) = (format!("at {small}"), format!("at {large}"));
        writeln!(
            f,
            "{:<24} {from:>12} {to:>12} {:>6}",
            "middle latency, us", "ratio"
        )?;
        for Grown {
            what,
            small_us,
            large_us,
            ratio,
        } in &self.grown
        {
            writeln!(
                f,
                "{what:<24} {small_us:>12.1} {large_us:>12.1} {ratio:>6.2}"
            )?;
        }
        let Start {
            seconds,
            verified_seconds,
            resident_mib,
        } = self.start;
        writeln!(
            f,
            "\nStart after a clean stop at {large}: {seconds:.2} s, {resident_mib} MiB; the whole \
             journal read and checked: {verified_seconds:.2} s"
        )
    }
}
