//! Whether cost grows with what is stored: commits, point reads and the start, at two sizes.
//!
//! Both stores are open at once and take turns, so that a busy machine is busy for both.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::decisions::Maker;
use super::report::{Grown, GrowthReport, Start, median};
use super::{Contender, Real, open, round};
use crate::domain::decision::{Decision, PartRef};
use crate::ops::bench::BenchError;
use crate::ops::bench::dice::Dice;
use crate::ops::bench::meter::{memory_kib, percentile};
use crate::ops::bench::place::Place;
use crate::ops::bench::report::Machine;
use crate::store::{Discloses, Outcome, Store};

/// What the large store is compared with.
const SMALL: u64 = 10_000;
const FILLERS: usize = 128;
const ROUNDS: usize = 5;
const COMMITS_A_ROUND: usize = 200;
const READS_A_ROUND: usize = 1_000;
/// Parts that one logged decision names, to be opened one after another.
const PARTS_AT_ONCE: usize = 64;
const STARTS: usize = 3;

struct Disclosure(Vec<PartRef>);

impl Discloses for Disclosure {
    fn parts(&self) -> &[PartRef] {
        &self.0
    }
}

/// Fills two stores and measures them in turn.
///
/// # Errors
/// The first commit or read that failed.
pub async fn growth(under: &Path, records: u64) -> Result<GrowthReport, BenchError> {
    let machine = Machine::now(under.to_owned());
    let place = Place::new(under)?;
    let (small, large) = (place.path().join("small"), place.path().join("large"));
    std::fs::create_dir(&small)?;
    std::fs::create_dir(&large)?;
    fill(&small, SMALL).await?;
    let filling = Instant::now();
    fill(&large, records).await?;
    let filled_per_second = records as f64 / filling.elapsed().as_secs_f64();
    let start = start(&large).await?;
    let small = Arc::new(Real::from(open(&small).await?, SMALL)?);
    let large = Arc::new(Real::from(open(&large).await?, records)?);
    let commit = {
        let (mut of_small, mut of_large) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            of_small.push(round(&small, 1, COMMITS_A_ROUND).await?.p50_us);
            of_large.push(round(&large, 1, COMMITS_A_ROUND).await?.p50_us);
        }
        Grown::of("commit, one writer", &of_small, &of_large)
    };
    let facts = {
        let (mut of_small, mut of_large) = (Vec::new(), Vec::new());
        for turn in 0..ROUNDS as u64 {
            of_small.push(facts(&small.store, SMALL, turn).await?);
            of_large.push(facts(&large.store, records, turn).await?);
        }
        Grown::of("facts of one aggregate", &of_small, &of_large)
    };
    let opening = {
        let (mut of_small, mut of_large) = (Vec::new(), Vec::new());
        for turn in 0..ROUNDS as u64 {
            of_small.push(opening(&small, SMALL, turn).await?);
            of_large.push(opening(&large, records, turn).await?);
        }
        Grown::of("opening one part", &of_small, &of_large)
    };
    small.store.close().await?;
    large.store.close().await?;
    Ok(GrowthReport {
        machine,
        small: SMALL,
        large: records,
        filled_per_second,
        grown: vec![commit, facts, opening],
        start,
    })
}

/// Writes `records` decisions in large groups and closes the store.
async fn fill(dir: &Path, records: u64) -> Result<(), BenchError> {
    let real = Arc::new(Real::new(open(dir).await?)?);
    // One time for all, so that none is sent back and every number is of one record.
    let (when, mut working) = (real.time(), JoinSet::new());
    for filler in 0..FILLERS as u64 {
        let share = records / FILLERS as u64 + u64::from(filler < records % FILLERS as u64);
        let real = Arc::clone(&real);
        working.spawn(async move {
            for _ in 0..share {
                real.commit(real.decision(when).await?).await?;
            }
            Ok::<_, BenchError>(())
        });
    }
    while let Some(done) = working.join_next().await {
        done.map_err(|_| BenchError::Broken)??;
    }
    Ok(real.store.close().await?)
}

/// Starts after a clean stop, several times.
async fn start(dir: &Path) -> Result<Start, BenchError> {
    let (mut took, mut read, mut resident) = (Vec::new(), Vec::new(), 0);
    for _ in 0..STARTS {
        let before = memory_kib("VmRSS").unwrap_or(0);
        let from = Instant::now();
        let store = open(dir).await?;
        took.push(from.elapsed().as_secs_f64());
        resident = resident.max(memory_kib("VmRSS").unwrap_or(0).saturating_sub(before));
        if let Store::Embedded(journal) = &store {
            let from = Instant::now();
            journal.verify(|_| {}).await?;
            read.push(from.elapsed().as_secs_f64());
        }
        store.close().await?;
    }
    Ok(Start {
        seconds: median(took),
        verified_seconds: median(read),
        resident_mib: resident / 1024,
    })
}

/// Middle latency of reading the facts of someone, in microseconds.
async fn facts(store: &Store, people: u64, turn: u64) -> Result<f64, BenchError> {
    let mut took = Vec::with_capacity(READS_A_ROUND);
    for number in some(people, turn).take(READS_A_ROUND) {
        let of = [Maker::person(number)];
        let from = Instant::now();
        let found = store.facts(&of).await?;
        took.push(nanos(from.elapsed()));
        if found.facts.len() != 1 {
            return Err(BenchError::NotCommitted("a fact is missing"));
        }
    }
    took.sort_unstable();
    Ok(percentile(&took, 50) / 1e3)
}

/// Middle latency of opening one part of payload by a logged decision, in microseconds.
async fn opening(real: &Real, people: u64, turn: u64) -> Result<f64, BenchError> {
    let mut took = Vec::new();
    let mut people = some(people, turn);
    while took.len() < READS_A_ROUND {
        let parts = people.by_ref().take(PARTS_AT_ONCE);
        let parts = parts.map(|number| real.maker.part(number)).collect();
        let Decision {
            read,
            leaf,
            opening,
            writes,
            replay,
            urgent,
            unused,
            value: (),
        } = real.decision(real.time()).await?;
        let decision = Decision {
            value: Disclosure(parts),
            read,
            leaf,
            opening,
            writes,
            replay,
            urgent,
            unused,
        };
        let Outcome::Logged(logged) = real.store.commit(decision).await? else {
            return Err(BenchError::NotCommitted("a disclosure of the bench"));
        };
        let from = Instant::now();
        let opened = real.store.open(&logged).await?;
        let each = from.elapsed() / PARTS_AT_ONCE as u32;
        if opened.len() != PARTS_AT_ONCE {
            return Err(BenchError::NotCommitted("a part is missing"));
        }
        took.extend(std::iter::repeat_n(nanos(each), PARTS_AT_ONCE));
    }
    took.sort_unstable();
    Ok(percentile(&took, 50) / 1e3)
}

/// Numbers below `people`, spread over all of them, the same at every run.
fn some(people: u64, turn: u64) -> impl Iterator<Item = u64> {
    let mut dice = Dice::new(turn);
    std::iter::repeat_with(move || dice.below(people))
}

fn nanos(time: Duration) -> u32 {
    u32::try_from(time.as_nanos()).unwrap_or(u32::MAX)
}
