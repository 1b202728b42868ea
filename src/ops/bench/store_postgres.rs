//! The PostgreSQL half of `firedoor bench store`: the store beside bare batched inserts of the same
//! rows and bytes. It needs databases of its own: what it writes stays there.
//!
//! The bare committer has tables of the same shape in the same database, a connection of the same
//! kind, and the same rule for what goes into one transaction. It asks nothing, orders nothing and
//! moves no head, so it is no store; it must never become one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Statement};
use zeroize::Zeroizing;

use super::BenchError;
use super::store::{Contender, KEYS_A_DECISION, Maker, Real, StoreRow, compare};
use crate::domain::checkpoint::LogKey;
use crate::domain::decision::{Decision, Write};
use crate::domain::seal::{ItemKey, Slot};
use crate::ops::clock;
use crate::store::Store;
use crate::store::journal::Written;
use crate::store::keys::StoreKeys;
use crate::store::postgres::{BATCH_BYTES_MAX, BATCH_DECISIONS_MAX, Postgres, PostgresConfig};

const ORIGIN: &str = "bench.example/log";
const POOL_SIZE: usize = 8;
const QUEUE_MAX: usize = 4096;
/// A kept reply is stored with a nonce and a tag.
const SEALED_MORE_BYTES: usize = 28;

/// The store in these databases against bare inserts into the first of them.
///
/// # Errors
/// What the databases refuse, and the first commit that did not become durable.
pub async fn postgres(
    records: &str,
    slots: &str,
    limit: Duration,
) -> Result<Vec<StoreRow>, BenchError> {
    let key = |name: u8| Zeroizing::new([name; 32]);
    let config = PostgresConfig {
        url: records.to_owned(),
        slots_url: slots.to_owned(),
        tls: None,
        keys: StoreKeys {
            index_key: key(1),
            slot_key: key(2),
            log: LogKey::from_seed(ORIGIN, &[3; 32]).map_err(|_| BenchError::Broken)?,
        },
        pool_size: POOL_SIZE,
    };
    let opened = Postgres::open(config).await.map_err(Box::new)?;
    let made = opened.health().leaves;
    let store = Arc::new(Real::from(Store::Postgres(opened), made)?);
    let bare = Arc::new(Bare::start(records, made).await?);
    let rows = compare(&bare, &store, limit).await?;
    store.store.close().await?;
    Ok(rows)
}

/// The rows of one decision.
pub struct Rows {
    leaf: Vec<u8>,
    opening: Vec<u8>,
    /// Of its one aggregate, its one list entry and its one idempotency record.
    name: [u8; 16],
    items: Vec<Item>,
    request: [u8; 32],
    reply: Vec<u8>,
    bytes: usize,
}

struct Item {
    item: [u8; 16],
    class: i16,
    sealed: Vec<u8>,
}

struct Job {
    rows: Rows,
    answer: oneshot::Sender<()>,
}

/// The bare committer, running.
struct Bare {
    queue: mpsc::Sender<Job>,
    maker: Maker,
    slots: AtomicU64,
}

impl Bare {
    async fn start(url: &str, made: u64) -> Result<Self, BenchError> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        client.batch_execute(&tables()).await?;
        let last = "SELECT coalesce(max(idx) + 1, 0) FROM firedoor_bench.leaves";
        let next = client.query_one(last, &[]).await?.try_get(0)?;
        let mut statements = Vec::new();
        for sql in INSERTS {
            statements.push(client.prepare(sql).await?);
        }
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let committer = Committer {
            client,
            statements,
            next,
        };
        tokio::spawn(committer.run(jobs));
        Ok(Self {
            queue,
            maker: Maker::from(made)?,
            slots: AtomicU64::new(1),
        })
    }

    fn rows(&self) -> Result<Rows, BenchError> {
        let first = self
            .slots
            .fetch_add(KEYS_A_DECISION as u64, Ordering::Relaxed);
        let keys = (first..).take(KEYS_A_DECISION);
        let keys = keys.map(|slot| ItemKey::new(Slot(slot), [1; 32])).collect();
        let Decision {
            leaf,
            opening,
            writes,
            replay,
            ..
        } = self.maker.make(keys, clock::now())?;
        let replay = replay.ok_or(BenchError::Broken)?;
        let encoded = |written: std::io::Result<Vec<u8>>| written.map_err(BenchError::Io);
        let mut items = Vec::new();
        for write in writes {
            let (item, class, sealed) = match write {
                Write::Fact { item, sealed, .. } => (item, 255, borsh::to_vec(&sealed)),
                Write::Part {
                    item,
                    class,
                    sealed,
                    ..
                } => (item, class as i16, borsh::to_vec(&sealed)),
                _ => continue,
            };
            items.push(Item {
                item: *item.bytes(),
                class,
                sealed: encoded(sealed)?,
            });
        }
        let opening = encoded(borsh::to_vec(&opening))?;
        let sealed: usize = items.iter().map(|item| item.sealed.len()).sum();
        Ok(Rows {
            bytes: opening.len() + sealed + replay.reply.len(),
            leaf: leaf.bytes().to_vec(),
            opening,
            name: replay.key.map(|byte| byte ^ 0x5a),
            items,
            request: replay.request,
            reply: [vec![0x5a; SEALED_MORE_BYTES], replay.reply].concat(),
        })
    }
}

impl Contender for Bare {
    type Job = Rows;

    async fn prepare(&self, count: usize) -> Result<Vec<Rows>, BenchError> {
        (0..count).map(|_| self.rows()).collect()
    }

    async fn commit(&self, rows: Rows) -> Result<(), BenchError> {
        let (answer, answered) = oneshot::channel();
        let sent = self.queue.send(Job { rows, answer }).await;
        sent.map_err(|_| BenchError::Broken)?;
        answered.await.map_err(|_| BenchError::Broken)
    }

    fn written(&self) -> Option<Written> {
        None
    }
}

/// Tables of the same shape, with the same indexes, in a schema of their own.
fn tables() -> String {
    let tables = [
        "leaves",
        "aggregates",
        "items",
        "lists",
        "counters",
        "replays",
    ];
    let tables = tables.map(|name| {
        format!(
            "CREATE TABLE IF NOT EXISTS firedoor_bench.{name} \
             (LIKE firedoor.{name} INCLUDING ALL);"
        )
    });
    format!(
        "CREATE SCHEMA IF NOT EXISTS firedoor_bench; {}",
        tables.concat()
    )
}

const INSERTS: [&str; 6] = [
    "INSERT INTO firedoor_bench.leaves (idx, leaf, opening) \
        SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[])",
    "INSERT INTO firedoor_bench.aggregates (key, version) \
        SELECT * FROM unnest($1::bytea[], $2::bigint[])",
    "INSERT INTO firedoor_bench.items (aggregate, item, class, slot, sealed, idx) \
        SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::smallint[], $4::bigint[], \
            $5::bytea[], $6::bigint[])",
    "INSERT INTO firedoor_bench.lists (list, at, idx, item) \
        SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bytea[])",
    "INSERT INTO firedoor_bench.counters (key, count, at) VALUES ($1, $2, $3) \
        ON CONFLICT (key) DO UPDATE SET count = excluded.count, at = excluded.at",
    "INSERT INTO firedoor_bench.replays (key, request, until, idx, reply) \
        SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bytea[])",
];

struct Committer {
    client: Client,
    statements: Vec<Statement>,
    next: i64,
}

impl Committer {
    /// Ends at the first error, and with it every writer.
    async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(first) = jobs.recv().await {
            let mut bytes = first.rows.bytes;
            let mut batch = vec![first];
            while batch.len() < BATCH_DECISIONS_MAX && bytes < BATCH_BYTES_MAX {
                let Ok(next) = jobs.try_recv() else { break };
                bytes += next.rows.bytes;
                batch.push(next);
            }
            if self.insert(&batch).await.is_err() {
                return;
            }
            for job in batch {
                // Whoever asked may be gone.
                let _ = job.answer.send(());
            }
        }
    }

    /// One transaction in one round trip.
    async fn insert(&mut self, batch: &[Job]) -> Result<(), BenchError> {
        let first = self.next;
        self.next += batch.len() as i64;
        let indices: Vec<i64> = (first..self.next).collect();
        let rows = || batch.iter().map(|job| &job.rows);
        let leaves: Vec<&[u8]> = rows().map(|rows| &rows.leaf[..]).collect();
        let openings: Vec<&[u8]> = rows().map(|rows| &rows.opening[..]).collect();
        let names: Vec<&[u8]> = rows().map(|rows| &rows.name[..]).collect();
        let requests: Vec<&[u8]> = rows().map(|rows| &rows.request[..]).collect();
        let replies: Vec<&[u8]> = rows().map(|rows| &rows.reply[..]).collect();
        let items = || {
            let each = rows().zip(&indices);
            each.flat_map(|(rows, index)| rows.items.iter().map(move |item| (rows, index, item)))
        };
        let item_of: Vec<&[u8]> = items().map(|(rows, _, _)| &rows.name[..]).collect();
        let item_ids: Vec<&[u8]> = items().map(|(_, _, item)| &item.item[..]).collect();
        let classes: Vec<i16> = items().map(|(_, _, item)| item.class).collect();
        let item_indices: Vec<i64> = items().map(|(_, index, _)| *index).collect();
        let sealed: Vec<&[u8]> = items().map(|(_, _, item)| &item.sealed[..]).collect();
        let list = vec![&[7_u8; 16][..]; batch.len()];
        let counter: &[u8] = &[8; 16];
        let parameters: [&[&(dyn ToSql + Sync)]; 6] = [
            &[&indices, &leaves, &openings],
            &[&names, &indices],
            &[
                &item_of,
                &item_ids,
                &classes,
                &item_indices,
                &sealed,
                &item_indices,
            ],
            &[&list, &indices, &indices, &names],
            &[&counter, &first, &first],
            &[&names, &requests, &indices, &indices, &replies],
        ];
        let inserts = self.statements.iter().zip(parameters);
        let mut inserts =
            inserts.map(|(statement, parameters)| self.client.execute(statement, parameters));
        let mut insert = || inserts.next();
        let (Some(a), Some(b), Some(c), Some(d), Some(e), Some(f)) =
            (insert(), insert(), insert(), insert(), insert(), insert())
        else {
            return Err(BenchError::Broken);
        };
        let (begun, a, b, c, d, e, f, committed) = tokio::join!(
            biased;
            self.client.batch_execute("BEGIN"),
            a, b, c, d, e, f,
            self.client.batch_execute("COMMIT"),
        );
        for inserted in [a, b, c, d, e, f] {
            inserted?;
        }
        begun?;
        Ok(committed?)
    }
}
