//! Item keys in the second database: a block is made durable before any of its keys is used, and
//! deleting a row erases the item that the key opened; for good with the next change of epoch
//! (`epochs.rs`).
//!
//! Keys are never cached for reading, nor the keys that wrap them: what another node has erased or
//! destroyed must be gone here too.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool_postgres::Object;
use tokio_postgres::types::ToSql;
use zeroize::Zeroizing;

use super::connect::{Database, query, unreachable};
use super::migrations::SLOTS;
use super::{Fault, OpenError};
use crate::domain::seal::{ItemKey, Slot};
use crate::store::Erasure;
use crate::store::names::{mac, random};

/// Keys made durable at once.
const BLOCK_SLOTS: i64 = 256;
/// The most keys for one decision.
pub(super) const RESERVE_SLOTS_MAX: usize = 1024;
/// A key that was handed out and not committed within this time is handed out again.
const LEASE: Duration = Duration::from_secs(120);

/// No block takes this number: the key that names in the main database lie under.
pub(super) const NAMES_SLOT: i64 = 0;

pub(super) type Key = Zeroizing<[u8; 32]>;

pub(super) struct Slots {
    pub(super) pool: Database,
    pub(super) wrapping: Key,
    /// Names this node in the turn for a change of epoch.
    pub(super) node: [u8; 16],
    pub(super) erasure: Mutex<Erasure>,
    stock: Mutex<Stock>,
    /// One block at a time, or many waiting reservations would each take one.
    refill: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Stock {
    free: Vec<(u64, Key)>,
    /// Handed out, and when. A commit may only name these, each once.
    lent: HashMap<u64, (Instant, Key)>,
    /// The same in order of time; entries that are no longer in `lent` are stale.
    order: VecDeque<(Instant, u64)>,
}

/// Slots that one commit took out of their lease.
pub(super) struct Claimed(Vec<(u64, Key)>);

impl Slots {
    /// Opens the second database. `twin` names the first one: they belong together for good,
    /// because beside an empty slots database every record would look erased.
    pub(super) async fn open(
        pool: Database,
        wrapping: Key,
        twin: &[u8],
        main_is_empty: bool,
    ) -> Result<Self, OpenError> {
        SLOTS.migrate(&pool).await?;
        let client = pool.get().await.map_err(unreachable)?;
        let check = wrapping_check(&wrapping);
        if main_is_empty {
            let sql = "INSERT INTO firedoor_slots.twin (one, id, key_check, next) \
                       VALUES (1, $1, $2, 1) ON CONFLICT DO NOTHING";
            client.execute(sql, &[&twin, &&check[..]]).await?;
        }
        let sql = "SELECT id, key_check FROM firedoor_slots.twin";
        let row = client.query_opt(sql, &[]).await?;
        let row = row.ok_or(OpenError::NotTwins)?;
        if row.try_get::<_, &[u8]>(0)? != twin {
            return Err(OpenError::NotTwins);
        }
        if row.try_get::<_, &[u8]>(1)? != check {
            return Err(OpenError::Keys);
        }
        // As with the main database: an old primary waits for the standby that has left it.
        let confirm = client.batch_execute("UPDATE firedoor_slots.twin SET next = next");
        let confirmed = tokio::time::timeout(super::CONFIRM_TIMEOUT, confirm).await;
        // Whatever it waits for does not go back to the pool.
        drop(Object::take(client));
        confirmed.map_err(|_| OpenError::Unconfirmed)??;
        let opened = Self {
            pool,
            wrapping,
            node: random().map_err(|_| OpenError::NoRandomness)?,
            erasure: Mutex::default(),
            stock: Mutex::default(),
            refill: tokio::sync::Mutex::default(),
        };
        opened.begin_first().await?;
        Ok(opened)
    }

    pub(super) fn database(&self) -> &Database {
        &self.pool
    }

    pub(super) async fn reserve(&self, count: usize) -> Result<Vec<ItemKey>, Fault> {
        if count > RESERVE_SLOTS_MAX {
            return Err(Fault::TooLarge);
        }
        if let Some(keys) = self.lend(count) {
            return Ok(keys);
        }
        let _turn = self.refill.lock().await;
        loop {
            if let Some(keys) = self.lend(count) {
                return Ok(keys);
            }
            let block = self.block().await?;
            self.stock().free.extend(block);
        }
    }

    /// Takes the slots of a decision out of their lease, so that no other decision can name them.
    /// `None` if one is not lent.
    pub(super) fn claim(&self, used: &[Slot]) -> Option<Claimed> {
        let mut stock = self.stock();
        let mut claimed = Claimed(Vec::with_capacity(used.len()));
        for Slot(slot) in used {
            match stock.lent.remove(slot) {
                Some((_, key)) => claimed.0.push((*slot, key)),
                None => {
                    stock.lend(claimed.0);
                    return None;
                }
            }
        }
        Some(claimed)
    }

    /// Takes back what was handed out and not needed.
    pub(super) fn give_back(&self, slots: &[Slot]) {
        let mut stock = self.stock();
        for Slot(slot) in slots {
            if let Some((_, key)) = stock.lent.remove(slot) {
                stock.free.push((*slot, key));
            }
        }
    }

    /// The decision was not committed and may be made again with the same keys.
    pub(super) fn unclaim(&self, claimed: Claimed) {
        self.stock().lend(claimed.0);
    }

    /// The keys of these slots that still exist.
    pub(super) async fn keys(&self, slots: &[i64]) -> Result<HashMap<u64, ItemKey>, Fault> {
        let keys = self.raw_keys(slots).await?.into_iter();
        Ok(keys
            .map(|(slot, key)| (slot, ItemKey::new(Slot(slot), *key)))
            .collect())
    }

    /// The key that names lie under, wrapped anew with all others by each change of epoch. Made, if
    /// there is none, for a database that is to `begin`.
    pub(super) async fn names_key(&self, begin: bool) -> Result<Option<Key>, OpenError> {
        const FAILED: OpenError = OpenError::Keys;
        if begin {
            let mut client = self.pool.get().await.map_err(unreachable)?;
            let transaction = client.transaction().await?;
            // Holds the epoch as a block does.
            let sql = "UPDATE firedoor_slots.twin SET next = next RETURNING epoch";
            let number: i64 = transaction.query_one(sql, &[]).await?.try_get(0)?;
            let sql = "SELECT wrapped FROM firedoor_slots.epochs WHERE epoch = $1";
            let row = transaction.query_one(sql, &[&number]).await?;
            let epoch = self.epoch(number, row.try_get(0)?).ok_or(FAILED)?;
            let key = Zeroizing::new(random().map_err(|_| OpenError::NoRandomness)?);
            let wrapped = epoch.wrap(NAMES_SLOT.cast_unsigned(), &key);
            let wrapped = wrapped.map_err(|_| OpenError::NoRandomness)?;
            // Whoever came first has made it.
            let sql = "INSERT INTO firedoor_slots.slots (slot, wrapped, epoch) \
                       VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
            transaction
                .execute(sql, &[&NAMES_SLOT, &wrapped, &number])
                .await?;
            transaction.commit().await?;
        }
        let found = self.raw_keys(&[NAMES_SLOT]).await.map_err(|_| FAILED)?;
        Ok(found.into_values().next())
    }

    async fn raw_keys(&self, slots: &[i64]) -> Result<HashMap<u64, Key>, Fault> {
        if slots.is_empty() {
            return Ok(HashMap::new());
        }
        // One statement sees one moment: a row and the key of its epoch.
        let sql = "SELECT s.slot, s.wrapped, s.epoch, e.wrapped FROM firedoor_slots.slots s \
                   LEFT JOIN firedoor_slots.epochs e ON e.epoch = s.epoch \
                   WHERE s.slot = ANY($1)";
        let rows = query(&self.pool, sql, &[&slots]).await?;
        let mut epochs = HashMap::new();
        let mut unwrap = |row: &tokio_postgres::Row| {
            let number: i64 = row.try_get(0).ok()?;
            let wrapped: &[u8] = row.try_get(1).ok()?;
            let slot = u64::try_from(number).ok()?;
            let epoch = match epochs.entry(row.try_get::<_, i64>(2).ok()?) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let opened = self.epoch(*new.key(), row.try_get(3).ok()?)?;
                    new.insert(opened)
                }
            };
            Some((slot, epoch.unwrap(slot, wrapped)?))
        };
        rows.iter()
            .map(|row| unwrap(row).ok_or(Fault::Unreadable("an item key is damaged")))
            .collect()
    }

    /// Erases; for good with the next change of epoch. Slots that are gone already are no error.
    pub(super) async fn erase(&self, slots: &[i64]) -> Result<(), Fault> {
        let sql = "WITH gone AS ( \
                DELETE FROM firedoor_slots.slots WHERE slot = ANY($1) RETURNING slot) \
            UPDATE firedoor_slots.twin SET erased = erased + (SELECT count(*) FROM gone) \
            RETURNING erased";
        query(&self.pool, sql, &[&slots]).await.map(|_| ())
    }

    /// Gives the unused part of this node's blocks back to the database.
    pub(super) async fn close(&self) -> Result<(), Fault> {
        let free = std::mem::take(&mut self.stock().free);
        let slots: Vec<i64> = free.iter().map(|(slot, _)| slot.cast_signed()).collect();
        // No item lies under these, so nobody waits for their destruction.
        let sql = "DELETE FROM firedoor_slots.slots WHERE slot = ANY($1) RETURNING slot";
        query(&self.pool, sql, &[&slots]).await.map(|_| ())
    }

    fn lend(&self, count: usize) -> Option<Vec<ItemKey>> {
        let mut stock = self.stock();
        stock.take_back();
        let rest = stock.free.len().checked_sub(count)?;
        let lent = stock.free.split_off(rest);
        let key = |(slot, key): &(u64, Key)| ItemKey::new(Slot(*slot), **key);
        let keys = lent.iter().map(key).collect();
        stock.lend(lent);
        Some(keys)
    }

    /// Takes the next numbers and makes a key for each, in one transaction.
    async fn block(&self) -> Result<Vec<(u64, Key)>, Fault> {
        const FAILED: Fault = Fault::CannotRecord("no item keys can be made durable");
        let make = async {
            let mut client = self.pool.get().await.map_err(|_| FAILED)?;
            let transaction = client.transaction().await.map_err(|_| FAILED)?;
            // Holds the row of the epoch's number until the block is committed: a change of epoch
            // that begins meanwhile waits, and then finds the block.
            let sql = "UPDATE firedoor_slots.twin SET next = next + $1 RETURNING next, epoch";
            let row = transaction.query_one(sql, &[&BLOCK_SLOTS]).await;
            let row = row.map_err(|_| FAILED)?;
            let end: i64 = row.try_get(0).map_err(|_| FAILED)?;
            let number: i64 = row.try_get(1).map_err(|_| FAILED)?;
            let sql = "SELECT wrapped FROM firedoor_slots.epochs WHERE epoch = $1";
            let row = transaction.query_one(sql, &[&number]).await;
            let row = row.map_err(|_| FAILED)?;
            let epoch = self.epoch(number, row.try_get(0).map_err(|_| FAILED)?);
            let epoch = epoch.ok_or(FAILED)?;
            let (mut numbers, mut wrapped, mut block) = (Vec::new(), Vec::new(), Vec::new());
            for number in end - BLOCK_SLOTS..end {
                let slot = number.cast_unsigned();
                let key = Zeroizing::new(random().map_err(|_| FAILED)?);
                wrapped.push(epoch.wrap(slot, &key).map_err(|_| FAILED)?);
                numbers.push(number);
                block.push((slot, key));
            }
            let sql = "INSERT INTO firedoor_slots.slots (slot, wrapped, epoch) \
                       SELECT d.*, $3::bigint FROM unnest($1::bigint[], $2::bytea[]) AS d";
            let parameters: [&(dyn ToSql + Sync); 3] = [&numbers, &wrapped, &epoch.number];
            let written = transaction.execute(sql, &parameters).await;
            written.map_err(|_| FAILED)?;
            transaction.commit().await.map_err(|_| FAILED)?;
            Ok(block)
        };
        let place = self.pool.place();
        let made = tokio::time::timeout(super::STATEMENT_TIMEOUT, make).await;
        if made.is_err() {
            // It may be an old primary, which waits for a standby that has left it.
            self.pool.leave(place);
        }
        made.unwrap_or(Err(FAILED))
    }

    fn stock(&self) -> std::sync::MutexGuard<'_, Stock> {
        // Every change leaves the stock whole, so a panic elsewhere does not spoil it.
        self.stock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stock {
    fn lend(&mut self, keys: Vec<(u64, Key)>) {
        let now = Instant::now();
        for (slot, key) in keys {
            self.order.push_back((now, slot));
            self.lent.insert(slot, (now, key));
        }
    }

    fn take_back(&mut self) {
        while let Some((at, slot)) = self.order.pop_front_if(|(at, _)| at.elapsed() >= LEASE) {
            if self.lent.get(&slot).is_some_and(|(since, _)| *since == at)
                && let Some((_, key)) = self.lent.remove(&slot)
            {
                self.free.push((slot, key));
            }
        }
    }
}

/// Says whether two slot keys are the same, and nothing else.
pub(super) fn wrapping_check(wrapping: &[u8; 32]) -> [u8; 32] {
    mac(wrapping, b"firedoor slot key check v1", &[])
}
