//! The store of several gateway nodes: one PostgreSQL database for all of them, and a second one,
//! outside the first one's backups, for the keys of items.
//!
//! Nodes keep no state of their own. Only standard SQL and retries on 40001, so that engines that
//! speak PostgreSQL's protocol work too. Without the keys the databases say nothing about a
//! person. Nothing here may acknowledge what is not committed, or commit what rests on something
//! that has moved.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use deadpool_postgres::{Object, PoolError};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_postgres::types::ToSql;

use super::keys::StoreKeys;
use super::names::{self, Names};
use super::restored::Restored;
use super::{Committed, Erasure, Fault, Health, ROLLED_BACK};
use crate::domain::checkpoint::LogKey;
use crate::domain::decision::Draft;
use crate::domain::seal::{ItemKey, Slot};
use crate::domain::time::When;

use batch::Keyed;
pub use batcher::{BATCH_BYTES_MAX, BATCH_DECISIONS_MAX};
use batcher::{Batcher, Queued, Trouble};
use connect::Database;
use slots::Slots;
use tip::{Found, Tip};
use tree::Edge;

mod arriving;
mod batch;
mod batcher;
#[cfg(test)]
pub(crate) mod cluster;
mod connect;
mod copying;
mod epochs;
mod follow;
mod migrations;
mod read;
mod restored;
mod rows;
mod slots;
#[cfg(test)]
pub(crate) mod tests;
mod tip;
mod tree;
mod upkeep;
mod witnessed;

pub(in crate::store) use arriving::{NotArrived, arrive};
pub use copying::{backup, restore};

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
/// How long a start waits for its first write.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(5);
/// After the server refused for lack of room only what is urgent is tried for this long.
const FULL_PAUSE: Duration = Duration::from_secs(5);
/// And it is told for this long.
const FULL_TOLD: Duration = Duration::from_secs(60);
const FULL: &str = "the database's disk is full";

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
        "the database server may lose what it acknowledged: switch on fsync and full_page_writes, and set synchronous_commit to on or remote_apply"
    )]
    NotDurable,
    #[error("the tables are of a newer version than this program")]
    Newer,
    #[error("the keys are not those that the database was written with")]
    Keys,
    #[error("the slots database does not belong to this main database")]
    NotTwins,
    #[error(
        "the key to all names is missing from the slots database, or is another one: without it \
         everything here would look as if it had never been written; put back the slots database \
         that belongs to this main database"
    )]
    NamesKey,
    #[error("the log's head does not follow from its leaves and the log key")]
    Log,
    #[error(
        "at least {acknowledged} entries of the log {origin} were acknowledged, and this copy had \
         {leaves}: to go on under the same name would fork it for whoever holds the larger one. \
         Set log.origin to a new name (such as {origin}-2), which two people of two organisations \
         must agree to (firedoor log succeed), and give agencies the new log key"
    )]
    RolledBack {
        origin: String,
        leaves: u64,
        acknowledged: u64,
    },
    #[error("the operating system gives no randomness")]
    NoRandomness,
    #[error("the database cannot be reached")]
    Unreachable(#[source] PoolError),
    #[error("the connection to the database broke: start again")]
    Broken,
    #[error(
        "the database does not make a write durable: its synchronous standby is away, or it is an old primary that must stay down"
    )]
    Unconfirmed,
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
    pool: Database,
    slots: Slots,
    size: watch::Sender<u64>,
    /// Of the newest leaf known here, in milliseconds.
    last_time: AtomicI64,
    condition: Mutex<Condition>,
    rolled_back: AtomicBool,
    closed: AtomicBool,
    erase: Notify,
    /// The end of the log as this node has seen it.
    tip: Mutex<Arc<Tip>>,
    /// When another node's commit was last seen.
    rivals: Mutex<Option<Instant>>,
}

/// What is wrong with the databases, as far as this node knows.
#[derive(Default)]
struct Condition {
    /// Why the log cannot be read, or not be believed.
    reads: Option<&'static str>,
    /// Why nothing can be made durable.
    writes: Option<&'static str>,
    /// When the server said last that it has no room.
    full: Option<Instant>,
}

impl Condition {
    fn found_full(&mut self) {
        self.full = Some(Instant::now());
    }

    fn full_within(&self, time: Duration) -> bool {
        self.full.is_some_and(|at| at.elapsed() < time)
    }
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
        let pool = Database::new(&url, tls.as_ref(), pool_size)?;
        let slots_pool = Database::new(&slots_url, tls.as_ref(), pool_size)?;
        let names = Names::new(index_key);
        let mut others = pool.hosts() - 1;
        let head = loop {
            let place = pool.place();
            match Head::open(&pool, &names, &log).await {
                // Another host may be the one that its standby follows.
                Err(OpenError::Unconfirmed | OpenError::Broken) if others > 0 => {
                    others -= 1;
                    pool.leave(place);
                }
                opened => break opened?,
            }
        };
        let size = head.tip.size();
        let mut others = slots_pool.hosts() - 1;
        let slots = loop {
            let (place, key) = (slots_pool.place(), slot_key.clone());
            match Slots::open(slots_pool.clone(), key, &head.twin, size == 0).await {
                Err(OpenError::Unconfirmed) if others > 0 => {
                    others -= 1;
                    slots_pool.leave(place);
                }
                opened => break opened?,
            }
        };
        let names = named(&pool, &slots, names, size == 0).await?;
        pool.raise_floor(size);
        let shared = Arc::new(Shared {
            names,
            log,
            pool,
            slots,
            size: watch::Sender::new(size),
            last_time: AtomicI64::new(head.tip.newest.millis()),
            condition: Mutex::default(),
            rolled_back: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            erase: Notify::new(),
            tip: Mutex::new(head.tip),
            rivals: Mutex::default(),
        });
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let batcher = tokio::spawn(Batcher::new(shared.clone()).run(waiting));
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
        if !draft.urgent && self.shared.condition().full_within(FULL_PAUSE) {
            return Err(Fault::CannotRecord(FULL));
        }
        // Before anything is claimed: what is to be forgotten must be there. Rows of the log never
        // change, so that this need not be in the transaction.
        let forgotten = self.opening_slots(&draft).await?;
        let claimed = self.shared.slots.claim(&draft.slots());
        let claimed = claimed.ok_or(Fault::CannotRecord("an item key was not reserved in time"))?;
        let keyed = Keyed::new(draft, forgotten, &self.shared.names)
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
            Committed::Durable(..) => {}
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

    /// See [`super::Store::erasure`]. As this node last learned it.
    pub fn erasure(&self) -> Erasure {
        *self.shared.slots.erasure()
    }

    /// See [`super::Store::rewrap`].
    pub async fn rewrap(&self, now: When) -> Result<(), Fault> {
        let open = || !self.shared.closed.load(Ordering::Acquire);
        // What was removed and not erased yet belongs to it.
        self.shared.erase_removed().await?;
        self.shared.slots.rewrap(now, open).await
    }

    /// See [`super::Store::restored`].
    pub fn restored(&self) -> Option<Restored> {
        let restored = self.restored.lock().unwrap_or_else(PoisonError::into_inner);
        restored.clone()
    }

    pub(in crate::store) fn log(&self) -> &LogKey {
        &self.shared.log
    }

    /// See [`super::Store::shown`]. Other nodes stop within a minute.
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

    /// See [`super::Store::health`]. How much room there is the database administrator must watch,
    /// for standard SQL does not tell: it is nearly full when the server has just refused for lack
    /// of it. Everything here passes by itself, in a second or, after that refusal, a minute.
    pub fn health(&self) -> Health {
        let shared = &self.shared;
        let condition = shared.condition();
        let stopped = match (
            shared.closed.load(Ordering::Acquire),
            shared.rolled_back.load(Ordering::Acquire),
        ) {
            (true, _) => Some("the store is closed"),
            (false, true) => Some(ROLLED_BACK),
            // The newer of the two: it is looked for all the time.
            (false, false) => condition.reads.or(condition.writes),
        };
        Health {
            stopped,
            nearly_full: condition.full_within(FULL_TOLD),
            leaves: *shared.size.borrow(),
            checked: None,
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

/// Names as they are stored here: under one more key, out of the slots database, if this main database
/// was begun with one. Says no other than what the database was begun with.
async fn named(
    pool: &Database,
    slots: &Slots,
    names: Names,
    begin: bool,
) -> Result<Names, OpenError> {
    let key = slots.names_key(begin).await?;
    let check = key.as_deref().map(names::check_outer);
    let client = pool.get().await.map_err(connect::unreachable)?;
    if let Some(check) = &check {
        let sql = "UPDATE firedoor.head SET names_check = $1 \
                   WHERE one = 1 AND size = 0 AND names_check IS NULL";
        client.execute(sql, &[&&check[..]]).await?;
    }
    let sql = "SELECT names_check FROM firedoor.head WHERE one = 1";
    let row = client.query_one(sql, &[]).await?;
    match (row.try_get::<_, Option<&[u8]>>(0)?, key, check) {
        (Some(found), Some(key), Some(check)) if found == check => Ok(names.under(&key)),
        (Some(_), _, _) => Err(OpenError::NamesKey),
        // Begun by an earlier version.
        (None, _, _) => {
            tracing::warn!(
                "this database was begun by an earlier build: old dumps of it, with the root key, \
                 tell who is named there; a new one, moved to, would not"
            );
            Ok(names)
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
        | Write::Release { .. }
        | Write::Follow { .. }
        | Write::Forget { .. } => 0,
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
    twin: Vec<u8>,
    tip: Arc<Tip>,
    restored: Option<Restored>,
}

impl Head {
    async fn open(pool: &Database, names: &Names, log: &LogKey) -> Result<Self, OpenError> {
        migrations::MAIN.migrate(pool).await?;
        let client = pool.get().await.map_err(connect::unreachable)?;
        let connection = Object::take(client);
        let empty = Edge::default().grow([]).root().ok_or(OpenError::Log)?;
        let twin: [u8; 16] = names::random().map_err(|_| OpenError::NoRandomness)?;
        let sql = "INSERT INTO firedoor.head (one, size, checkpoint, twin, key_check) \
                   VALUES (1, 0, $1, $2, $3) ON CONFLICT DO NOTHING";
        let first = log.sign(0, &empty);
        let check = names.check();
        let row: [&(dyn ToSql + Sync); 3] = [&first, &&twin[..], &&check[..]];
        connection.execute(sql, &row).await?;
        // An old primary that came back waits here for the standby that has left it. And what is
        // read afterwards is as durable as anything that is acknowledged.
        let confirm = connection.batch_execute(rows::CONFIRM);
        let confirmed = tokio::time::timeout(CONFIRM_TIMEOUT, confirm).await;
        confirmed.map_err(|_| OpenError::Unconfirmed)??;
        let sql = "SELECT size, checkpoint, twin, key_check FROM firedoor.head WHERE one = 1";
        let row = connection.query_one(sql, &[]).await?;
        if row.try_get::<_, &[u8]>(3)? != check {
            return Err(OpenError::Keys);
        }
        let restored = restored::read(&connection).await?;
        if let Some(mark) = &restored
            && mark.is_proven()
            && mark.origin == log.verifier().origin()
        {
            return Err(OpenError::RolledBack {
                origin: mark.origin.clone(),
                leaves: mark.leaves,
                acknowledged: mark.acknowledged,
            });
        }
        let found = Found {
            size: row.try_get::<_, i64>(0)?.cast_unsigned(),
            checkpoint: row.try_get(1)?,
        };
        let checked = async {
            let edge = tip::load(&connection, found.size).await?;
            let newest = tip::newest(&connection, found.size).await?;
            match &restored {
                // Nothing may be signed yet under a name that is new since a rollback.
                Some(mark) if mark.origin != log.verifier().origin() => {
                    let before = log.named(&mark.origin);
                    let before = before.map_err(|_| Trouble::Refused(tip::TREE))?;
                    Tip::signed(edge.clone(), newest, &found, log)
                        .or_else(|_| Tip::signed(edge, newest, &found, &before))
                }
                _ => Tip::signed(edge, newest, &found, log),
            }
        };
        let tip = checked.await.map_err(|trouble| match trouble {
            Trouble::Lost => OpenError::Broken,
            Trouble::Race | Trouble::Refused(_) | Trouble::Full | Trouble::Astray(_) => {
                OpenError::Log
            }
        })?;
        Ok(Self {
            twin: row.try_get(2)?,
            tip,
            restored,
        })
    }
}

impl Shared {
    fn condition(&self) -> MutexGuard<'_, Condition> {
        self.condition
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
