//! The store of several gateway nodes: one PostgreSQL database for all of them, and a second one,
//! outside the first one's backups, for the keys of items.
//!
//! Nodes keep no state of their own. Only standard SQL and retries on 40001, so that engines that
//! speak PostgreSQL's protocol work too. Without the keys the databases say nothing about a
//! person. Nothing here may acknowledge what is not committed, or commit what rests on something
//! that has moved.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deadpool_postgres::{ClientWrapper, Object, Pool, PoolError};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::keys::StoreKeys;
use super::names::{self, Names};
use super::restored::Restored;
use super::{Committed, Fault, Health, ROLLED_BACK};
use crate::domain::checkpoint::LogKey;
use crate::domain::decision::Draft;
use crate::domain::leaf::Leaf;
use crate::domain::seal::{ItemKey, Slot};
use crate::domain::time::When;

use batch::Keyed;
use batcher::{Batcher, Queued};
use slots::Slots;

mod batch;
mod batcher;
#[cfg(test)]
pub(crate) mod cluster;
mod connect;
mod follow;
mod migrations;
mod read;
mod restored;
mod rows;
mod slots;
#[cfg(test)]
mod tests;
mod tree;
mod upkeep;

/// The largest decision, in bytes of ciphertext.
const DECISION_BYTES_MAX: usize = 512 * 1024;
/// The most writes, and the most aggregates looked at, in one decision.
const DECISION_PARTS_MAX: usize = 4096;
/// The largest reply that is kept for repeated requests, in bytes.
const REPLY_BYTES_MAX: usize = 4096;
/// Decisions that may wait for the batcher.
const QUEUE_MAX: usize = 4096;
/// How long a caller waits for an answer of the database.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the databases are, and the keys.
pub struct PostgresConfig {
    /// `postgresql://user:password@host/database`. Elsewhere than on this machine only with `tls`.
    pub url: String,
    /// A second database for item keys, which no backup of the first one includes.
    pub slots_url: String,
    /// Whom to trust as a server. The host name is always checked.
    pub tls: Option<rustls::ClientConfig>,
    pub keys: StoreKeys,
    /// Connections to each database, at least 4.
    pub pool_size: usize,
}

/// The operator must change something before the store opens.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("a database address is not a PostgreSQL URL")]
    Url,
    #[error("a database on another machine needs TLS: say whom to trust")]
    NoTls,
    #[error("the slots database must be another one than the main database, and not swapped")]
    SameDatabase,
    #[error(
        "the database server may lose what it acknowledged: switch on fsync, full_page_writes and synchronous_commit"
    )]
    NotDurable,
    #[error("the tables are of a newer version than this program")]
    Newer,
    #[error("the keys are not those that the database was written with")]
    Keys,
    #[error("the slots database does not belong to this main database")]
    NotTwins,
    #[error("the log's head does not follow from its leaves and the log key")]
    Log,
    #[error("the operating system gives no randomness")]
    NoRandomness,
    #[error("the database cannot be reached")]
    Unreachable(#[source] PoolError),
    #[error("the database refused")]
    Refused(#[from] tokio_postgres::Error),
}

/// The PostgreSQL store of one node, open.
pub struct Postgres {
    shared: Arc<Shared>,
    queue: Mutex<Option<mpsc::Sender<Queued>>>,
    batcher: tokio::sync::Mutex<Option<JoinHandle<()>>>,
    tasks: Vec<tokio::task::AbortHandle>,
    restored: Mutex<Option<Restored>>,
}

/// What the tasks of one node have in common.
struct Shared {
    names: Names,
    log: LogKey,
    pool: Pool,
    slots: Slots,
    size: watch::Sender<u64>,
    /// Of the newest leaf known here, in milliseconds.
    last_time: AtomicI64,
    silent: AtomicBool,
    rolled_back: AtomicBool,
    closed: AtomicBool,
    erase: Notify,
}

impl Postgres {
    /// Connects, brings the tables up to date, checks keys and head, and starts this node's tasks.
    pub async fn open(config: PostgresConfig) -> Result<Self, OpenError> {
        let PostgresConfig {
            url,
            slots_url,
            tls,
            keys,
            pool_size,
        } = config;
        if url == slots_url {
            return Err(OpenError::SameDatabase);
        }
        let StoreKeys {
            index_key,
            slot_key,
            log,
        } = keys;
        let pool_size = pool_size.max(4);
        let pool = connect::pool(&url, tls.as_ref(), pool_size)?;
        let slots_pool = connect::pool(&slots_url, tls.as_ref(), pool_size)?;
        migrations::MAIN.migrate(&pool).await?;
        let names = Names::new(index_key);
        let head = Head::read(&pool, &names, &log).await?;
        let slots = Slots::open(slots_pool, slot_key, &head.twin, head.size == 0).await?;
        let shared = Arc::new(Shared {
            names,
            log,
            pool,
            slots,
            size: watch::Sender::new(head.size),
            last_time: AtomicI64::new(head.time.millis()),
            silent: AtomicBool::new(false),
            rolled_back: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            erase: Notify::new(),
        });
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let batcher = tokio::spawn(Batcher::new(shared.clone(), head.edge).run(waiting));
        let follower = tokio::spawn(follow::follow(shared.clone()));
        let sweeper = tokio::spawn(upkeep::sweep(shared.clone()));
        Ok(Self {
            shared,
            queue: Mutex::new(Some(queue)),
            tasks: vec![
                batcher.abort_handle(),
                follower.abort_handle(),
                sweeper.abort_handle(),
            ],
            batcher: tokio::sync::Mutex::new(Some(batcher)),
            restored: Mutex::new(head.restored),
        })
    }

    /// See [`super::Store::last_time`]. What other nodes committed counts after at most 250 ms.
    pub fn last_time(&self) -> When {
        When::from_millis(self.shared.last_time.load(Ordering::Acquire))
    }

    /// Keys that a decision did not need are ready again.
    pub fn give_back(&self, slots: &[Slot]) {
        self.shared.slots.give_back(slots);
    }

    /// See [`super::Store::reserve`]. Keys that are not used within two minutes are lent again.
    pub async fn reserve(&self, count: usize) -> Result<Vec<ItemKey>, Fault> {
        self.shared.slots.reserve(count).await
    }

    /// See [`super::Store::commit`].
    pub(in crate::store) async fn commit(&self, draft: Draft) -> Result<Committed, Fault> {
        const CLOSED: Fault = Fault::CannotRecord("the store is closed");
        let bytes = size_of(&draft)?;
        let queue = self.queue().clone().ok_or(CLOSED)?;
        if self.shared.rolled_back.load(Ordering::Acquire) {
            return Err(Fault::CannotRecord(ROLLED_BACK));
        }
        let claimed = self.shared.slots.claim(&draft.slots());
        let claimed = claimed.ok_or(Fault::CannotRecord("an item key was not reserved in time"))?;
        let keyed = Keyed::new(draft, &self.shared.names)
            .map_err(|_| Fault::CannotRecord("the operating system gives no randomness"))?;
        let (answer, answered) = oneshot::channel();
        let queued = Queued {
            keyed,
            bytes,
            answer,
        };
        queue.send(queued).await.map_err(|_| CLOSED)?;
        let committed = answered.await.map_err(|_| CLOSED)??;
        match committed {
            Committed::Durable(_) => {}
            Committed::Moved | Committed::Replayed { .. } | Committed::Limited => {
                self.shared.slots.unclaim(claimed);
            }
        }
        Ok(committed)
    }

    /// See [`super::Store::changed`]. Notices other nodes' commits after at most 250 ms.
    pub async fn changed(&self, index: u64, timeout: Duration) {
        let mut size = self.shared.size.subscribe();
        let later = size.wait_for(|size| *size > index.saturating_add(1));
        // Either way the caller looks again.
        let _ = tokio::time::timeout(timeout, later).await;
    }

    /// See [`super::Store::restored`].
    pub fn restored(&self) -> Option<Restored> {
        let restored = self.restored.lock().unwrap_or_else(PoisonError::into_inner);
        restored.clone()
    }

    pub(in crate::store) fn log(&self) -> &LogKey {
        &self.shared.log
    }

    /// See [`super::Store::shown`]. Other nodes stop when they next look.
    pub(in crate::store) async fn rolled_back(&self, mark: Restored) -> Result<(), Fault> {
        self.shared.rolled_back.store(true, Ordering::Release);
        let mark = match self.restored() {
            Some(known) => known.with_proof(mark),
            None => mark,
        };
        restored::write(&self.shared.pool, &mark).await?;
        *self.restored.lock().unwrap_or_else(PoisonError::into_inner) = Some(mark);
        Ok(())
    }

    /// See [`super::Store::restoration_recorded`].
    pub async fn restoration_recorded(&self) -> Result<(), Fault> {
        restored::remove(&self.shared.pool).await?;
        *self.restored.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }

    /// See [`super::Store::health`]. Room is the database administrator's to watch: standard SQL
    /// does not tell, so it is never reported as nearly full.
    pub fn health(&self) -> Health {
        let shared = &self.shared;
        let stopped = match (
            shared.closed.load(Ordering::Acquire),
            shared.rolled_back.load(Ordering::Acquire),
            shared.silent.load(Ordering::Acquire),
        ) {
            (true, _, _) => Some("the store is closed"),
            (false, true, _) => Some(ROLLED_BACK),
            (false, false, true) => Some("the database does not answer"),
            (false, false, false) => None,
        };
        Health {
            stopped,
            nearly_full: false,
            leaves: *shared.size.borrow(),
        }
    }

    /// See [`super::Store::close`].
    pub async fn close(&self) -> Result<(), Fault> {
        self.shared.closed.store(true, Ordering::Release);
        self.queue().take();
        let batcher = self.batcher.lock().await.take();
        if let Some(batcher) = batcher {
            batcher
                .await
                .map_err(|_| Fault::CannotRecord("the batcher stopped early"))?;
        }
        self.shared.erase_removed().await?;
        self.shared.slots.close().await
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, Option<mpsc::Sender<Queued>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Like a crash: what is not committed is rolled back when the connections close.
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Refuses what no batch could carry; else how much of a batch it takes.
fn size_of(draft: &Draft) -> Result<usize, Fault> {
    use crate::domain::decision::Write;
    let sealed = |write: &Write| match write {
        Write::Fact { sealed, .. } => sealed.sealed().ciphertext().len(),
        Write::Part { sealed, .. } => sealed.sealed().ciphertext().len(),
        Write::Remove { .. }
        | Write::List { .. }
        | Write::Unlist { .. }
        | Write::Count { .. }
        | Write::Hold { .. }
        | Write::Release { .. } => 0,
    };
    let reply = draft.replay.as_ref().map_or(0, |replay| replay.reply.len());
    let bytes = draft.opening.sealed().ciphertext().len()
        + draft.writes.iter().map(sealed).sum::<usize>()
        + reply;
    let parts = draft.writes.len().max(draft.read.len());
    if bytes > DECISION_BYTES_MAX || parts > DECISION_PARTS_MAX || reply > REPLY_BYTES_MAX {
        return Err(Fault::TooLarge);
    }
    Ok(bytes)
}

/// The head at start, checked.
struct Head {
    size: u64,
    twin: Vec<u8>,
    time: When,
    edge: tree::Edge,
    restored: Option<Restored>,
}

impl Head {
    async fn read(pool: &Pool, names: &Names, log: &LogKey) -> Result<Self, OpenError> {
        let client = pool.get().await.map_err(OpenError::Unreachable)?;
        let connection = Object::take(client);
        let empty = tree::Edge::default()
            .grow([])
            .root()
            .ok_or(OpenError::Log)?;
        let twin: [u8; 16] = names::random().map_err(|_| OpenError::NoRandomness)?;
        let sql = "INSERT INTO firedoor.head (one, size, checkpoint, twin, key_check) \
                   VALUES (1, 0, $1, $2, $3) ON CONFLICT DO NOTHING";
        let first = log.sign(0, &empty);
        let check = names.check();
        connection
            .execute(sql, &[&first, &&twin[..], &&check[..]])
            .await?;
        let sql = "SELECT size, checkpoint, twin, key_check FROM firedoor.head WHERE one = 1";
        let row = connection.query_one(sql, &[]).await?;
        if row.try_get::<_, &[u8]>(3)? != check {
            return Err(OpenError::Keys);
        }
        let size: i64 = row.try_get(0)?;
        let edge = batcher::load(&connection, size)
            .await
            .map_err(|_| OpenError::Log)?;
        let root = edge.grow([]).root().ok_or(OpenError::Log)?;
        if log.sign(size.cast_unsigned(), &root) != row.try_get::<_, &str>(1)? {
            return Err(OpenError::Log);
        }
        let last = newest_leaf(&connection, size).await?;
        Ok(Self {
            size: size.cast_unsigned(),
            twin: row.try_get(2)?,
            time: last.map_or(When::from_millis(0), |leaf| leaf.when()),
            edge,
            restored: restored::read(&connection).await?,
        })
    }
}

async fn newest_leaf(
    connection: &ClientWrapper,
    size: i64,
) -> Result<Option<Leaf>, tokio_postgres::Error> {
    match size {
        0 => Ok(None),
        _ => rows::leaf(connection, size - 1).await,
    }
}

impl Shared {
    /// The log has grown, here or at another node. Late news change nothing.
    fn advanced(&self, size: u64, time: When) {
        self.last_time.fetch_max(time.millis(), Ordering::AcqRel);
        self.size.send_if_modified(|known| {
            let newer = size > *known;
            *known = size.max(*known);
            newer
        });
    }

    fn silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::Release);
    }
}
