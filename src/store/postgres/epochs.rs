//! The change of epoch in the slots database: every row under a new key, the older keys deleted,
//! and only then is what was erased destroyed.
//!
//! One node at a time does it, by a turn that runs out; but nothing rests on the turn. Each step is
//! a compare-and-swap and can be done again, so that a node may die anywhere and another go on.
//! Nothing may be deleted here while a row needs it.
//!
//! What "deleted" means is the server's: a row lives on, unseen, until VACUUM, and in the
//! write-ahead log until its segment is used again. So the tiny table of epoch keys is vacuumed
//! right after, rows have one length so that the page is written over, and this database is to have
//! no archive of its log and no backup.

use std::time::Duration;

use tokio_postgres::types::ToSql;
use zeroize::Zeroizing;

use super::connect::query;
use super::slots::{Key, Slots};
use super::{Fault, OpenError};
use crate::domain::time::When;
use crate::store::Erasure;
use crate::store::names::{self, NoRandomness, random};

/// Rows wrapped anew in one statement.
const ROWS_MAX: i64 = 2000;
/// Progress is told each time that so many rows are done.
const TOLD_ROWS: u64 = 1 << 19;
/// A vacuum of one page should not wait long; it is tried again with the next change.
const VACUUM_TIMEOUT: Duration = Duration::from_secs(30);

const FAILED: Fault = Fault::CannotRecord("the keys of items stay under their old key");

/// The key of one epoch. No `Debug`.
pub(super) struct Epoch {
    pub(super) number: i64,
    key: Key,
}

impl Epoch {
    pub(super) fn new(number: i64) -> Result<Self, NoRandomness> {
        let key = Zeroizing::new(random()?);
        Ok(Self { number, key })
    }

    /// From its row. `None` if it has no key there, or one that another slot key wraps.
    pub(super) fn open(wrapping: &Key, number: i64, wrapped: Option<&[u8]>) -> Option<Self> {
        let key = match number {
            0 => wrapping.clone(),
            _ => {
                let plain = names::open(wrapping, wrapped?, &place_of_epoch(number))?;
                Zeroizing::new(plain.as_slice().try_into().ok()?)
            }
        };
        Some(Self { number, key })
    }

    pub(super) fn sealed(&self, wrapping: &Key) -> Result<Vec<u8>, NoRandomness> {
        names::seal(wrapping, &self.key[..], &place_of_epoch(self.number))
    }

    pub(super) fn wrap(&self, slot: u64, key: &Key) -> Result<Vec<u8>, NoRandomness> {
        names::seal(&self.key, &key[..], &place(self.number, slot))
    }

    /// `None` if it was not wrapped by this epoch for this slot.
    pub(super) fn unwrap(&self, slot: u64, wrapped: &[u8]) -> Option<Key> {
        let plain = names::open(&self.key, wrapped, &place(self.number, slot))?;
        plain.as_slice().try_into().ok().map(Zeroizing::new)
    }
}

/// Epoch 0 is that of the first version, whose rows lie under the slot key itself.
fn place(epoch: i64, slot: u64) -> Vec<u8> {
    match epoch {
        0 => [&b"firedoor slot v1"[..], &slot.to_be_bytes()].concat(),
        _ => [
            &b"firedoor slot v2"[..],
            &epoch.to_be_bytes(),
            &slot.to_be_bytes(),
        ]
        .concat(),
    }
}

fn place_of_epoch(number: i64) -> Vec<u8> {
    [&b"firedoor epoch v1"[..], &number.to_be_bytes()].concat()
}

impl Slots {
    /// See [`Epoch::open`].
    pub(super) fn epoch(&self, number: i64, wrapped: Option<&[u8]>) -> Option<Epoch> {
        Epoch::open(&self.wrapping, number, wrapped)
    }

    /// The first epoch of a new database, or of one that the first version wrote.
    pub(super) async fn begin_first(&self) -> Result<(), OpenError> {
        let first = Epoch::new(1).map_err(|_| OpenError::NoRandomness)?;
        let sealed = first.sealed(&self.wrapping);
        let sealed = sealed.map_err(|_| OpenError::NoRandomness)?;
        let client = self.pool.get().await.map_err(OpenError::Unreachable)?;
        // Whoever comes second finds that the number has moved on.
        let sql = "WITH begun AS ( \
                UPDATE firedoor_slots.twin SET epoch = 1 WHERE epoch = 0 RETURNING epoch) \
            INSERT INTO firedoor_slots.epochs (epoch, wrapped, finishes) \
            SELECT epoch, $1, 0 FROM begun";
        client.execute(sql, &[&sealed]).await?;
        drop(client);
        let learned = self.learn().await;
        learned.map_err(|_| OpenError::Keys)
    }

    /// Takes over what the database says about erasure.
    pub(super) async fn learn(&self) -> Result<(), Fault> {
        let sql = "SELECT erased, completed, epoch <> \
                (SELECT coalesce(min(epoch), 0) FROM firedoor_slots.epochs) \
            FROM firedoor_slots.twin";
        let rows = query(&self.pool, sql, &[]).await?;
        let row = rows.first().ok_or(FAILED)?;
        let erased: i64 = row.try_get(0).map_err(|_| FAILED)?;
        let completed: i64 = row.try_get(1).map_err(|_| FAILED)?;
        *self.erasure() = Erasure {
            waiting: u64::try_from(erased).unwrap_or_default(),
            completed: (completed > 0).then_some(When::from_millis(completed)),
            unfinished: row.try_get(2).map_err(|_| FAILED)?,
        };
        Ok(())
    }

    /// Begins a new epoch at `now`, or goes on with one that another node did not finish. Returns at
    /// once if another node is at it. `go_on` is asked before each step.
    pub(super) async fn rewrap(&self, now: When, go_on: impl Fn() -> bool) -> Result<(), Fault> {
        if self.take_turn().await? {
            let epoch = self.begin().await?;
            if !self.wrap_all(&epoch, &go_on).await? {
                return Ok(());
            }
            self.finish(&epoch, now).await?;
        }
        self.learn().await
    }

    /// Takes or keeps this node's turn. `false`: another node has it.
    async fn take_turn(&self) -> Result<bool, Fault> {
        let sql = "UPDATE firedoor_slots.twin \
            SET turn = $1, turn_until = CURRENT_TIMESTAMP + interval '60 seconds' \
            WHERE turn = $1 OR turn_until < CURRENT_TIMESTAMP RETURNING epoch";
        let rows = query(&self.pool, sql, &[&&self.node[..]]).await?;
        Ok(!rows.is_empty())
    }

    /// The new epoch, under which every new row is wrapped from now on; or the one that was begun
    /// and not finished.
    async fn begin(&self) -> Result<Epoch, Fault> {
        let sql = "SELECT t.epoch, e.wrapped, \
                EXISTS (SELECT 1 FROM firedoor_slots.epochs o WHERE o.epoch < t.epoch) \
                OR EXISTS (SELECT 1 FROM firedoor_slots.slots s WHERE s.epoch = 0) \
            FROM firedoor_slots.twin t JOIN firedoor_slots.epochs e ON e.epoch = t.epoch";
        let rows = query(&self.pool, sql, &[]).await?;
        let row = rows.first().ok_or(FAILED)?;
        let number: i64 = row.try_get(0).map_err(|_| FAILED)?;
        let wrapped: &[u8] = row.try_get(1).map_err(|_| FAILED)?;
        if row.try_get(2).map_err(|_| FAILED)? {
            return self.epoch(number, Some(wrapped)).ok_or(FAILED);
        }
        let next = Epoch::new(number.saturating_add(1)).map_err(|_| FAILED)?;
        let sealed = next.sealed(&self.wrapping).map_err(|_| FAILED)?;
        // Waits for blocks that are being made: they belong to the epoch before.
        let sql = "WITH begun AS ( \
                UPDATE firedoor_slots.twin SET epoch = $1 WHERE epoch = $2 \
                RETURNING epoch, erased) \
            INSERT INTO firedoor_slots.epochs (epoch, wrapped, finishes) \
            SELECT epoch, $3, erased FROM begun RETURNING epoch";
        let parameters: [&(dyn ToSql + Sync); 3] = [&next.number, &number, &sealed];
        match query(&self.pool, sql, &parameters).await?.is_empty() {
            false => Ok(next),
            true => Err(FAILED),
        }
    }

    /// Wraps all older rows anew. Returns whether it got to the end.
    async fn wrap_all(&self, epoch: &Epoch, go_on: &impl Fn() -> bool) -> Result<bool, Fault> {
        let (mut after, mut done, mut told) = (i64::MIN, 0, TOLD_ROWS);
        loop {
            if !go_on() || !self.take_turn().await? {
                return Ok(false);
            }
            let Some((last, rows)) = self.wrap_some(epoch, after).await? else {
                return Ok(true);
            };
            after = last;
            done += rows;
            if done >= told {
                tracing::info!(rows = done, "wrapping keys under the next epoch key");
                told = told.saturating_add(TOLD_ROWS);
            }
        }
    }

    /// Wraps the next rows of older epochs anew. `None` when there are no more, else the last slot
    /// and how many.
    async fn wrap_some(&self, epoch: &Epoch, after: i64) -> Result<Option<(i64, u64)>, Fault> {
        let sql = "SELECT s.slot, s.wrapped, s.epoch, e.wrapped FROM firedoor_slots.slots s \
            LEFT JOIN firedoor_slots.epochs e ON e.epoch = s.epoch \
            WHERE s.slot > $1 AND s.epoch < $2 ORDER BY s.slot LIMIT $3";
        let rows = query(&self.pool, sql, &[&after, &epoch.number, &ROWS_MAX]).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        let (mut slots, mut epochs, mut wrapped) = (Vec::new(), Vec::new(), Vec::new());
        let mut old: Option<Epoch> = None;
        let mut last = None;
        for row in &rows {
            let number: i64 = row.try_get(0).map_err(|_| FAILED)?;
            last = Some(number);
            let slot = number.cast_unsigned();
            let of: i64 = row.try_get(2).map_err(|_| FAILED)?;
            if old.as_ref().is_none_or(|old| old.number != of) {
                old = self.epoch(of, row.try_get(3).map_err(|_| FAILED)?);
            }
            let bytes: &[u8] = row.try_get(1).map_err(|_| FAILED)?;
            let key = old.as_ref().and_then(|old| old.unwrap(slot, bytes));
            wrapped.push(match key {
                Some(key) => epoch.wrap(slot, &key).map_err(|_| FAILED)?,
                None => {
                    // It opens as little as before; and it must not keep the others from erasure.
                    tracing::error!(slot, "the key in this slot is damaged");
                    bytes.to_vec()
                }
            });
            slots.push(number);
            epochs.push(of);
        }
        // A row that was deleted meanwhile stays deleted.
        let sql = "UPDATE firedoor_slots.slots s SET wrapped = d.wrapped, epoch = $4 \
            FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS d (slot, epoch, wrapped) \
            WHERE s.slot = d.slot AND s.epoch = d.epoch RETURNING s.slot";
        let parameters: [&(dyn ToSql + Sync); 4] = [&slots, &epochs, &wrapped, &epoch.number];
        query(&self.pool, sql, &parameters).await?;
        Ok(last.map(|last| (last, rows.len() as u64)))
    }

    /// Deletes the older keys, if no row needs them, and what follows from that.
    async fn finish(&self, epoch: &Epoch, now: When) -> Result<(), Fault> {
        let sql = "WITH ended AS ( \
                DELETE FROM firedoor_slots.epochs WHERE epoch < $1 AND NOT EXISTS \
                    (SELECT 1 FROM firedoor_slots.slots s WHERE s.epoch < $1) \
                RETURNING epoch), \
            finished AS ( \
                UPDATE firedoor_slots.epochs SET finishes = 0 \
                WHERE epoch = $1 AND EXISTS (SELECT 1 FROM ended) RETURNING epoch), \
            counted AS ( \
                SELECT e.finishes FROM firedoor_slots.epochs e JOIN finished f ON f.epoch = e.epoch) \
            UPDATE firedoor_slots.twin SET completed = $2, \
                erased = erased - (SELECT finishes FROM counted) \
            WHERE EXISTS (SELECT 1 FROM counted) RETURNING epoch";
        let rows = query(&self.pool, sql, &[&epoch.number, &now.millis()]).await?;
        if !rows.is_empty() {
            self.vacuum().await;
            tracing::info!(
                epoch = epoch.number,
                "the epoch keys before this one are deleted"
            );
        }
        let sql = "UPDATE firedoor_slots.twin SET turn_until = timestamptz 'epoch' \
                   WHERE turn = $1 RETURNING epoch";
        query(&self.pool, sql, &[&&self.node[..]]).await.map(|_| ())
    }

    /// Frees what the deleted keys lay in. An engine that has no VACUUM does without.
    async fn vacuum(&self) {
        let vacuum = async {
            let client = self.pool.get().await.ok()?;
            let sql = "VACUUM firedoor_slots.epochs";
            client.batch_execute(sql).await.ok()
        };
        if !matches!(
            tokio::time::timeout(VACUUM_TIMEOUT, vacuum).await,
            Ok(Some(()))
        ) {
            tracing::warn!("the table of epoch keys was not vacuumed; the next change tries again");
        }
    }

    pub(super) fn erasure(&self) -> std::sync::MutexGuard<'_, Erasure> {
        self.erasure
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
