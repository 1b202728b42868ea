//! What `bench consents` tells, as a table and as JSON. Ratios are the result; times are this machine's.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::Act;
use crate::ops::bench::meter::percentile;
use crate::ops::bench::report::Machine;

/// One kind of decision on both sides.
#[derive(Debug, Serialize)]
pub struct DecisionRow {
    pub name: &'static str,
    /// Of each side.
    pub measured: usize,
    pub small_p50_us: f64,
    pub large_p50_us: f64,
    /// Large to small.
    pub p50_ratio: f64,
    pub small_p99_us: f64,
    pub large_p99_us: f64,
    pub p99_ratio: f64,
}

impl DecisionRow {
    /// From times in nanoseconds, sorted.
    pub fn of(act: Act, small: Vec<u32>, large: Vec<u32>) -> Self {
        let of = |hundredths| {
            let at = |list: &[u32]| percentile(list, hundredths) / 1e3;
            (at(&small), at(&large))
        };
        let ((small_p50_us, large_p50_us), (small_p99_us, large_p99_us)) = (of(50), of(99));
        Self {
            name: act.name(),
            measured: small.len().min(large.len()),
            small_p50_us,
            large_p50_us,
            p50_ratio: large_p50_us / small_p50_us,
            small_p99_us,
            large_p99_us,
            p99_ratio: large_p99_us / small_p99_us,
        }
    }
}

/// Decisions where one organisation holds few consents, and where it holds many.
#[derive(Debug, Serialize)]
pub struct ConsentsReport {
    pub machine: Machine,
    /// Live consents that the charity of the small side holds, each of another woman.
    pub small: u64,
    pub large: u64,
    pub filled_per_second: f64,
    pub decisions: Vec<DecisionRow>,
}

impl Display for ConsentsReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { small, large, .. } = self;
        writeln!(f, "{}", self.machine)?;
        let measured = self.decisions.first().map_or(0, |row| row.measured);
        writeln!(
            f,
            "One charity holds the live consents of {small} women, and in another gateway of {large}; \
             {measured} decisions of each kind, in turn.\nFilled at {:.0} consents per second.\n",
            self.filled_per_second
        )?;
        let (from, to) = (format!("at {small}"), format!("at {large}"));
        writeln!(
            f,
            "{:<26} {from:>12} {to:>12} {:>6}  {from:>12} {to:>12} {:>6}",
            "p50 and p99, us", "ratio", "ratio"
        )?;
        for row in &self.decisions {
            writeln!(
                f,
                "{:<26} {:>12.0} {:>12.0} {:>6.2}  {:>12.0} {:>12.0} {:>6.2}",
                row.name,
                row.small_p50_us,
                row.large_p50_us,
                row.p50_ratio,
                row.small_p99_us,
                row.large_p99_us,
                row.p99_ratio
            )?;
        }
        Ok(())
    }
}
