//! `firedoor bench store`: what a durable commit costs, beside the least that it could cost.
//!
//! Store and bare committer take turns, with as many writers and bytes, on the same disk: the
//! machine may be slow or busy, so only the ratio of two rounds that follow each other is told as
//! a result. A decision is made before the clock starts; what is measured is `Store::commit`.

mod decisions;
mod growth;
mod raw;
mod report;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Barrier;
use tokio::task::JoinSet;
use zeroize::Zeroizing;

pub use self::decisions::{KEYS_A_DECISION, Maker};
pub use self::growth::growth;
use self::raw::Raw;
pub use self::report::{Round, StoreReport, StoreRow};
use super::BenchError;
use super::meter::{micros, percentile, process_cpu};
use super::place::Place;
use crate::domain::checkpoint::LogKey;
use crate::domain::decision::Decision;
use crate::domain::time::When;
use crate::ops::clock;
use crate::store::journal::{
    Journal, JournalConfig, KEPT_ROOM_BYTES_DEFAULT, SEGMENT_BYTES_DEFAULT, Written,
};
use crate::store::keys::StoreKeys;
use crate::store::{Outcome, Store};

/// How many writers wait at once, each for its own commit.
pub const WRITERS: [usize; 4] = [1, 8, 64, 256];
/// Pairs of rounds; odd, so that there is a middle one.
const ROUNDS: usize = 5;
/// What a decision may hold in memory while it waits for its round: about 200 MB in all.
const ROUND_COMMITS_MAX: f64 = 60_000.0;
const WARM_UP_COMMITS_EACH: usize = 4;
const COMMITS_EACH_MIN: usize = 2;
const ORIGIN: &str = "bench.example/log";

/// Something that makes records durable, one for each call.
pub trait Contender: Send + Sync + 'static {
    type Job: Send + 'static;

    /// What the next commits take; not measured.
    fn prepare(
        &self,
        count: usize,
    ) -> impl Future<Output = Result<Vec<Self::Job>, BenchError>> + Send;

    /// Returns when the record is durable.
    fn commit(&self, job: Self::Job) -> impl Future<Output = Result<(), BenchError>> + Send;

    /// What it has written since it was opened, if it knows.
    fn written(&self) -> Option<Written>;
}

/// A store of either kind.
pub struct Real {
    pub store: Store,
    maker: Maker,
}

impl Real {
    pub fn new(store: Store) -> Result<Self, BenchError> {
        Self::from(store, 0)
    }

    /// A store that holds the first `made` decisions already.
    pub fn from(store: Store, made: u64) -> Result<Self, BenchError> {
        let maker = Maker::from(made)?;
        Ok(Self { store, maker })
    }

    /// Not before the last commit: the store would send it back.
    fn time(&self) -> When {
        clock::now().max(self.store.last_time())
    }

    async fn decision(&self, when: When) -> Result<Decision<()>, BenchError> {
        let keys = self.store.reserve(KEYS_A_DECISION).await?;
        self.maker.make(keys, when)
    }
}

impl Contender for Real {
    type Job = Decision<()>;

    async fn prepare(&self, count: usize) -> Result<Vec<Decision<()>>, BenchError> {
        let (when, mut made) = (self.time(), Vec::with_capacity(count));
        for _ in 0..count {
            made.push(self.decision(when).await?);
        }
        Ok(made)
    }

    async fn commit(&self, decision: Decision<()>) -> Result<(), BenchError> {
        match self.store.commit(decision).await? {
            Outcome::Logged(_) => Ok(()),
            Outcome::Moved => Err(BenchError::NotCommitted("its facts moved")),
            Outcome::Replayed { .. } => Err(BenchError::NotCommitted("its key was used before")),
            Outcome::Limited => Err(BenchError::NotCommitted("a limit was reached")),
        }
    }

    fn written(&self) -> Option<Written> {
        match &self.store {
            Store::Embedded(journal) => Some(journal.written()),
            Store::Postgres(_) => None,
        }
    }
}

/// One round: each of `writers` commits `each` times, the next when the last is durable.
pub async fn round<C: Contender>(
    contender: &Arc<C>,
    writers: usize,
    each: usize,
) -> Result<Round, BenchError> {
    let mut jobs = contender.prepare(writers * each).await?;
    let start = Arc::new(Barrier::new(writers + 1));
    let mut working = JoinSet::new();
    for _ in 0..writers {
        let mine = jobs.split_off(jobs.len() - each);
        let (contender, start) = (Arc::clone(contender), Arc::clone(&start));
        working.spawn(async move {
            let mut took = Vec::with_capacity(mine.len());
            start.wait().await;
            for job in mine {
                let from = Instant::now();
                contender.commit(job).await?;
                took.push(u32::try_from(from.elapsed().as_nanos()).unwrap_or(u32::MAX));
            }
            Ok::<_, BenchError>(took)
        });
    }
    let (before, cpu) = (contender.written(), process_cpu());
    let from = Instant::now();
    start.wait().await;
    let mut took = Vec::with_capacity(writers * each);
    while let Some(done) = working.join_next().await {
        took.extend(done.map_err(|_| BenchError::Broken)??);
    }
    let (wall, cpu) = (from.elapsed(), process_cpu().saturating_sub(cpu));
    let after = contender.written();
    took.sort_unstable();
    let commits = took.len() as f64;
    let frames = before.zip(after);
    let frames = frames.map(|(before, after)| after.frames.saturating_sub(before.frames));
    Ok(Round {
        per_second: commits / wall.as_secs_f64(),
        p50_us: percentile(&took, 50) / 1e3,
        p99_us: percentile(&took, 99) / 1e3,
        cpu_us: micros(cpu) / commits,
        frames,
        group: frames.map(|frames| commits / (frames.max(1) as f64)),
    })
}

/// Commits for each writer, so that a round takes about `limit`.
fn commits_each(warm: &Round, writers: usize, limit: Duration) -> usize {
    let commits = (warm.per_second * limit.as_secs_f64()).min(ROUND_COMMITS_MAX);
    (commits as usize / writers).max(COMMITS_EACH_MIN)
}

/// Rounds of both in turn, for every number of writers. `limit` is how long each measures a pair.
///
/// # Errors
/// The first commit that did not become durable.
pub async fn compare<R: Contender, S: Contender>(
    raw: &Arc<R>,
    store: &Arc<S>,
    limit: Duration,
) -> Result<Vec<StoreRow>, BenchError> {
    let mut rows = Vec::new();
    for writers in WRITERS {
        round(raw, writers, WARM_UP_COMMITS_EACH).await?;
        let warm = round(store, writers, WARM_UP_COMMITS_EACH).await?;
        let each = commits_each(&warm, writers, limit / (2 * ROUNDS as u32));
        let mut pairs = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            let first = round(raw, writers, each).await?;
            pairs.push((first, round(store, writers, each).await?));
        }
        rows.push(StoreRow::of(writers, &pairs));
    }
    Ok(rows)
}

/// The embedded store against a bare group committer on the same disk.
pub async fn embedded(under: &Path, limit: Duration) -> Result<Vec<StoreRow>, BenchError> {
    let place = Place::new(under)?;
    let store = Arc::new(Real::new(open(place.path()).await?)?);
    let before = store.written().unwrap_or_default();
    // What one decision comes to on the disk, with its share of a frame.
    round(&store, 64, WARM_UP_COMMITS_EACH).await?;
    let after = store.written().unwrap_or_default();
    let bytes = (after.bytes - before.bytes) / (after.leaves - before.leaves).max(1);
    let raw = Raw::start(
        &place.path().join("raw"),
        usize::try_from(bytes).unwrap_or(0),
    )?;
    let raw = Arc::new(raw);
    let rows = compare(&raw, &store, limit).await?;
    store.store.close().await?;
    Arc::into_inner(raw).ok_or(BenchError::Broken)?.stop()?;
    Ok(rows)
}

/// A journal under `dir`, new or as the bench left it. Its keys are those of the bench.
pub async fn open(dir: &Path) -> Result<Store, BenchError> {
    let key = |name: u8| Zeroizing::new([name; 32]);
    let config = JournalConfig {
        data_dir: dir.join("data"),
        slots: dir.join("slots"),
        keys: StoreKeys {
            index_key: key(1),
            slot_key: key(2),
            log: LogKey::from_seed(ORIGIN, &[3; 32]).map_err(|_| BenchError::Broken)?,
        },
        segment_bytes: SEGMENT_BYTES_DEFAULT,
        kept_room_bytes: KEPT_ROOM_BYTES_DEFAULT,
    };
    let opened = tokio::task::spawn_blocking(move || Journal::open(config)).await;
    let journal = opened.map_err(|_| BenchError::Broken)?.map_err(Box::new)?;
    Ok(Store::Embedded(journal))
}
