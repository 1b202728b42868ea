//! The table of the bench, and the same figures as JSON.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use crate::ops::bench::meter::memory_kib;
use crate::ops::bench::report::Machine;

/// One size of index.
#[derive(Debug, Serialize)]
pub struct Row {
    pub persons: u64,
    /// Single requests, parsed, made into tokens, looked up and compared, on all threads.
    pub per_second: f64,
    /// Processor time of one request: what else the machine does is not the index's.
    pub p50_us: f64,
    pub p99_us: f64,
    /// To that of the smallest index, which took turns with this one.
    pub p99_to_smallest: Option<f64>,
    /// The same by the wall's clock, the machine's other work included.
    pub wall_p99_us: f64,
    /// Requests handed over many at a time.
    pub batch_per_second: f64,
    pub build_seconds: f64,
    /// By how much the process grew while this index was built.
    pub own_kib: Option<u64>,
    /// The whole process after measuring.
    pub resident_kib: Option<u64>,
    /// The most it ever had.
    pub peak_kib: Option<u64>,
    /// Share of known people who were found, though some had lost or changed a field.
    pub known_found: f64,
    /// Share of requests with a key that too many have.
    pub too_common: f64,
}

impl Row {
    #[cfg(test)]
    pub fn example() -> Self {
        Self {
            persons: 1_000,
            per_second: 2.0,
            p50_us: 3.0,
            p99_us: 4.0,
            p99_to_smallest: None,
            wall_p99_us: 5.0,
            batch_per_second: 6.0,
            build_seconds: 7.0,
            own_kib: Some(8),
            resident_kib: None,
            peak_kib: None,
            known_found: 0.5,
            too_common: 0.0,
        }
    }
}

/// The largest size, not measured because there is not memory enough for it.
#[derive(Debug, Serialize)]
pub struct Skipped {
    pub persons: u64,
    pub needed_mib: Option<u64>,
    pub available_mib: Option<u64>,
}

impl Skipped {
    /// `None` if an index of `persons` fits, judged by a smaller one that was measured.
    pub fn of(persons: u64, smaller: &Row) -> Option<Self> {
        // Half as much again: a table is larger while it grows.
        let needed = |own: u64| own.saturating_mul(persons) / smaller.persons.max(1) / 2 * 3;
        let needed_kib = smaller.own_kib.map(needed);
        let available_kib = memory_kib("MemAvailable");
        let fits = needed_kib.zip(available_kib);
        if fits.is_some_and(|(needed, available)| needed < available) {
            return None;
        }
        Some(Self {
            persons,
            needed_mib: needed_kib.map(|kib| kib / 1_024),
            available_mib: available_kib.map(|kib| kib / 1_024),
        })
    }
}

impl Display for Skipped {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let persons = self.persons;
        write!(f, "{persons} persons were left out: ")?;
        match (self.needed_mib, self.available_mib) {
            (Some(needed), Some(available)) => write!(
                f,
                "they may need {needed} MiB, and {available} MiB are available"
            )?,
            (None, _) | (_, None) => write!(f, "this system does not say how much memory it has")?,
        }
        write!(f, ". --persons {persons} measures them all the same.")
    }
}

#[derive(Debug, Serialize)]
pub struct ResolveReport {
    pub machine: Machine,
    pub threads: u64,
    pub rows: Vec<Row>,
    pub skipped: Option<Skipped>,
}

fn mib(kib: Option<u64>) -> String {
    kib.map_or("-".to_owned(), |kib| (kib / 1_024).to_string())
}

impl Display for ResolveReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.machine)?;
        writeln!(
            f,
            "People resolved on {} threads: parsed, made into keyed tokens, looked up, compared; half \
             of them known\n",
            self.threads
        )?;
        writeln!(
            f,
            "{:>10} {:>10} {:>8} {:>8} {:>8} {:>8} {:>10} {:>9} {:>9} {:>8} {:>7} {:>10}",
            "persons",
            "single/s",
            "p50 us",
            "p99 us",
            "p99 to",
            "p99 us",
            "batch/s",
            "RSS MiB",
            "peak MiB",
            "built s",
            "known",
            "a key too"
        )?;
        let smallest = self.rows.first().map_or(0, |row| row.persons);
        writeln!(
            f,
            "{:>10} {:>10} {:>8} {:>8} {:>8} {:>8} {:>10} {:>9} {:>9} {:>8} {:>7} {:>10}",
            "", "", "CPU", "CPU", smallest, "wall", "", "", "", "", "found", "common"
        )?;
        for row in &self.rows {
            let ratio = row.p99_to_smallest.unwrap_or(1.0);
            writeln!(
                f,
                "{:>10} {:>10.0} {:>8.1} {:>8.1} {:>8.2} {:>8.1} {:>10.0} {:>9} {:>9} {:>8.1} \
                 {:>6.1}% {:>9.2}%",
                row.persons,
                row.per_second,
                row.p50_us,
                row.p99_us,
                ratio,
                row.wall_p99_us,
                row.batch_per_second,
                mib(row.resident_kib),
                mib(row.peak_kib),
                row.build_seconds,
                row.known_found * 100.0,
                row.too_common * 100.0
            )?;
        }
        match &self.skipped {
            Some(skipped) => writeln!(f, "\n{skipped}"),
            None => Ok(()),
        }
    }
}
