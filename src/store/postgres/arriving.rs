//! What PostgreSQL does when a store moves here from a journal: keys first, then all of the log in
//! one transaction, then a look at what arrived.
//!
//! Nothing may serve a half of it: without its last transaction the main database has no log, and
//! the slots database then names another twin than the one that a start would make.

use tokio::sync::mpsc::Receiver;

use super::copying::{connect, empty, insert};
use super::epochs::Epoch;
use super::migrations::{MAIN, SLOTS};
use super::slots::{Key, NAMES_SLOT, wrapping_check};
use super::tree::Edge;
use super::{Postgres, PostgresConfig};
use crate::domain::leaf::{LEAF_BYTES, Leaf};
use crate::domain::merkle::leaf_hash;
use crate::store::backup::CopyError;
use crate::store::migrate::{MigrateError, Migrated, Origin, Rows, Sent, SlotKey};
use crate::store::names::{Name, Names, check_outer, random};

const NO_RANDOMNESS: MigrateError = MigrateError::Unreadable("the system gives no randomness");

/// Why a store did not arrive.
pub enum NotArrived {
    /// Nothing of the log is here.
    Refused(MigrateError),
    /// All of it is here, or may be; what is wrong all the same.
    Here(MigrateError),
}

impl<E: Into<MigrateError>> From<E> for NotArrived {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

fn database(error: tokio_postgres::Error) -> MigrateError {
    CopyError::from(error).into()
}

/// Takes everything that is sent, and checks it.
pub async fn arrive(
    config: PostgresConfig,
    origin: &Origin,
    mut sent: Receiver<Sent>,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<Migrated, NotArrived> {
    if config.url == config.slots_url {
        return Err(MigrateError::from(Box::new(super::OpenError::SameDatabase)).into());
    }
    let tls = config.tls.as_ref();
    let (slots, mut slots_client) = connect(&config.slots_url, tls).await?;
    let (main, mut client) = connect(&config.url, tls).await?;
    MAIN.migrate(&main)
        .await
        .map_err(Box::new)
        .map_err(MigrateError::from)?;
    SLOTS
        .migrate(&slots)
        .await
        .map_err(Box::new)
        .map_err(MigrateError::from)?;
    if has_arrived(&client, origin).await.map_err(database)? {
        sent.close();
        return look(config, origin).await.map_err(NotArrived::Here);
    }
    let transaction = client.transaction().await.map_err(database)?;
    empty(&transaction).await?;
    let keys = slots_client.transaction().await.map_err(database)?;
    let epoch = Epoch::new(1).map_err(|_| NO_RANDOMNESS)?;
    prepare(&keys, origin, &config, &epoch).await?;
    let names_key: Key = random().map_err(|_| NO_RANDOMNESS)?.into();
    let before = Names::new(config.keys.index_key.clone());
    let after = Names::new(config.keys.index_key.clone()).under(&names_key);
    let slot = NAMES_SLOT.cast_unsigned();
    put_keys(&keys, &epoch, vec![(slot, names_key.clone())]).await?;

    let mut rows = loop {
        match sent.recv().await {
            Some(Sent::Keys(block)) => put_keys(&keys, &epoch, block).await?,
            Some(Sent::Rows(rows)) => break rows,
            None => return Err(MigrateError::Unfinished.into()),
        }
    };
    // Durable before anything that they open.
    keys.commit().await.map_err(database)?;
    let mut edge = Edge::default();
    loop {
        if rows.table == "leaves" {
            edge = grow(&transaction, &edge, &rows).await?;
            progress(edge.size());
        }
        rename(&mut rows, &before, &after)?;
        let columns: Vec<String> = rows.columns.iter().map(|name| (*name).to_owned()).collect();
        insert(&transaction, rows.table, &columns, &rows.rows).await?;
        rows = match sent.recv().await {
            Some(Sent::Rows(rows)) => rows,
            Some(Sent::Keys(_)) => return Err(MigrateError::Unreadable("its order").into()),
            None => break,
        };
    }
    let root = edge.grow([]).root();
    let signed = config.keys.log.verifier().verify(&origin.note).ok();
    let whole = signed.is_some_and(|head| {
        (head.size, Some(head.root)) == (edge.size(), root) && head.size == origin.size
    });
    if !whole {
        return Err(MigrateError::Differs("the entries do not add up to the signed head").into());
    }
    let sql = "INSERT INTO firedoor.head (one, size, checkpoint, twin, key_check, names_check) \
               VALUES (1, $1, $2, $3, $4, $5)";
    let (check, names_check) = (before.check(), check_outer(&names_key));
    let size = origin.size.cast_signed();
    let head: [&(dyn tokio_postgres::types::ToSql + Sync); 5] = [
        &size,
        &origin.note,
        &&origin.id[..],
        &&check[..],
        &&names_check[..],
    ];
    transaction.execute(sql, &head).await.map_err(database)?;
    if transaction.commit().await.is_err() {
        return Err(NotArrived::Here(MigrateError::Unanswered));
    }
    // What is here now is the store, whatever the look at it says.
    look(config, origin).await.map_err(NotArrived::Here)
}

/// Gives all names in rows the form that they have here, and seals replies again.
fn rename(rows: &mut Rows, before: &Names, after: &Names) -> Result<(), MigrateError> {
    const DAMAGED: MigrateError = MigrateError::Unreadable("a name");
    let place = |wanted: &[&str]| rows.columns.iter().position(|name| wanted.contains(name));
    let (name, reply) = (place(&["key", "aggregate", "list"]), place(&["reply"]));
    let Some(name) = name else {
        return Ok(());
    };
    for row in &mut rows.rows {
        let at = row.get_mut(name).and_then(Option::as_mut).ok_or(DAMAGED)?;
        let was = Name::try_from(at.as_slice()).map_err(|_| DAMAGED)?;
        let is = after.stored(was);
        *at = is.to_vec();
        if let Some(reply) = reply {
            let sealed = row.get_mut(reply).and_then(Option::as_mut).ok_or(DAMAGED)?;
            let opened = before.open_reply(&was, sealed).ok_or(DAMAGED)?;
            *sealed = after.seal_reply(&is, &opened).map_err(|_| NO_RANDOMNESS)?;
        }
    }
    Ok(())
}

/// Whether an earlier try got to its end.
async fn has_arrived(
    client: &deadpool_postgres::ClientWrapper,
    origin: &Origin,
) -> Result<bool, tokio_postgres::Error> {
    let sql = "SELECT twin, size, checkpoint FROM firedoor.head WHERE one = 1";
    let Some(row) = client.query_opt(sql, &[]).await? else {
        return Ok(false);
    };
    let found: (&[u8], i64, &str) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    Ok(found == (&origin.id[..], origin.size.cast_signed(), &origin.note))
}

/// Empties the slots database of an earlier try, and of nothing else.
async fn prepare(
    keys: &tokio_postgres::Transaction<'_>,
    origin: &Origin,
    config: &PostgresConfig,
    epoch: &Epoch,
) -> Result<(), MigrateError> {
    let sql = "SELECT id FROM firedoor_slots.twin";
    if let Some(row) = keys.query_opt(sql, &[]).await.map_err(database)? {
        let id: &[u8] = row.try_get(0).map_err(database)?;
        if id != origin.id {
            return Err(CopyError::NotEmptySlots.into());
        }
    }
    for table in ["slots", "epochs", "twin"] {
        let sql = format!("DELETE FROM firedoor_slots.{table}");
        keys.execute(&sql, &[]).await.map_err(database)?;
    }
    let sql = "INSERT INTO firedoor_slots.twin (one, id, key_check, next, epoch) \
               VALUES (1, $1, $2, $3, $4)";
    let check = wrapping_check(&config.keys.slot_key);
    let next = origin.next_slot.cast_signed();
    let twin: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
        [&&origin.id[..], &&check[..], &next, &epoch.number];
    keys.execute(sql, &twin).await.map_err(database)?;
    let sealed = epoch.sealed(&config.keys.slot_key);
    let sealed = sealed.map_err(|_| NO_RANDOMNESS)?;
    let sql = "INSERT INTO firedoor_slots.epochs (epoch, wrapped, finishes) VALUES ($1, $2, 0)";
    let inserted = keys.execute(sql, &[&epoch.number, &sealed]).await;
    inserted.map_err(database)?;
    Ok(())
}

async fn put_keys(
    keys: &tokio_postgres::Transaction<'_>,
    epoch: &Epoch,
    block: Vec<SlotKey>,
) -> Result<(), MigrateError> {
    let (mut numbers, mut wrapped) = (Vec::new(), Vec::new());
    for (slot, key) in block {
        wrapped.push(epoch.wrap(slot, &key).map_err(|_| NO_RANDOMNESS)?);
        numbers.push(slot.cast_signed());
    }
    let sql = "INSERT INTO firedoor_slots.slots (slot, wrapped, epoch) \
               SELECT slot, wrapped, $3::bigint \
               FROM unnest($1::bigint[], $2::bytea[]) AS k (slot, wrapped)";
    let inserted = keys
        .execute(sql, &[&numbers, &wrapped, &epoch.number])
        .await;
    inserted.map_err(database)?;
    Ok(())
}

/// Takes leaves into the tree and writes the tiles that they fill.
async fn grow(
    transaction: &tokio_postgres::Transaction<'_>,
    edge: &Edge,
    rows: &Rows,
) -> Result<Edge, MigrateError> {
    const DAMAGED: MigrateError = MigrateError::Unreadable("an entry");
    let mut hashes = Vec::with_capacity(rows.rows.len());
    for row in &rows.rows {
        let leaf = row.get(1).and_then(|leaf| leaf.as_deref()).ok_or(DAMAGED)?;
        if leaf.len() != LEAF_BYTES || Leaf::parse(leaf).is_err() {
            return Err(DAMAGED);
        }
        hashes.push(leaf_hash(leaf));
    }
    let (edge, tiles) = edge.grow(hashes).finish();
    let columns = ["level", "idx", "root", "hashes"].map(str::to_owned);
    let tiles = tiles.iter().map(|tile| {
        vec![
            Some((tile.level as i16).to_be_bytes().to_vec()),
            Some(tile.index.to_be_bytes().to_vec()),
            Some(tile.root.to_vec()),
            Some(tile.hashes.concat()),
        ]
    });
    let tiles: Vec<Vec<Option<Vec<u8>>>> = tiles.collect();
    insert(transaction, "tiles", &columns, &tiles).await?;
    Ok(edge)
}

/// Opens the new store as a gateway would, which checks the head, and reads a sample of accounts.
async fn look(config: PostgresConfig, origin: &Origin) -> Result<Migrated, MigrateError> {
    let store = Postgres::open(config).await.map_err(Box::new)?;
    let opened = store.entries(&origin.accounts).await;
    let opened = opened.map_err(|_| MigrateError::Unlike("an account does not open"))?;
    if opened.len() != origin.accounts.len() {
        return Err(MigrateError::Unlike("the key of an account is missing"));
    }
    let (items, unopenable, keys) = store.count_keys().await?;
    let closed = store.close().await;
    closed.map_err(|_| MigrateError::Unlike("the new store did not close in order"))?;
    match unopenable {
        0 => Ok(Migrated {
            leaves: origin.size,
            items,
            keys,
        }),
        _ => Err(MigrateError::Unlike("keys of items are missing")),
    }
}

impl Postgres {
    /// Items, how many of them have no key, and keys.
    async fn count_keys(&self) -> Result<(u64, u64, u64), MigrateError> {
        use super::connect::query;
        let damaged = |_| MigrateError::Unlike("the new store cannot be read");
        let sql = "SELECT slot FROM firedoor.items UNION ALL SELECT slot FROM firedoor.kept";
        let items = query(&self.shared.pool, sql, &[]).await.map_err(damaged)?;
        // Of items and accounts, not that of names.
        let sql = "SELECT slot FROM firedoor_slots.slots WHERE slot > 0";
        let keys = query(self.shared.slots.database(), sql, &[])
            .await
            .map_err(damaged)?;
        let slot = |row: &tokio_postgres::Row| row.try_get::<_, i64>(0).ok();
        let there: std::collections::HashSet<i64> = keys.iter().filter_map(slot).collect();
        let lost = items
            .iter()
            .filter(|row| slot(row).is_none_or(|slot| !there.contains(&slot)));
        Ok((items.len() as u64, lost.count() as u64, there.len() as u64))
    }
}
