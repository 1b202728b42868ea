//! Reading: each answer is one statement, which is one moment of the database.
//!
//! Nothing is cached, so every node sees what any node has acknowledged. Lists, counters and log
//! pages rest on no lock and hold no decision up.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use borsh::BorshDeserialize;
use tokio_postgres::Row;
use zeroize::Zeroizing;

use super::batch::{FACT, shifted, unshifted};
use super::connect::query;
use super::tree::TILE_WIDTH;
use super::{Postgres, Shared};
use crate::domain::codes::DataClass;
use crate::domain::decision::{
    Aggregate, Counter, Draft, Fact, Facts, List, Listed, PartRef, Version, Write, opening_context,
    seal_context,
};
use crate::domain::id::Id;
use crate::domain::leaf::Leaf;
use crate::domain::merkle::leaf_hash;
use crate::domain::seal::Sealed;
use crate::store::names::Name;
use crate::store::{Fault, NO_ENTRY, OpenedItem};

/// Things asked about at once.
const ASKED_MAX: usize = 4096;
/// Leaves in one answer.
const LEAVES_MAX: u64 = 256;
/// An item can be replaced, and its key erased, between the reading of the two databases.
const FACTS_TRIES_MAX: u32 = 3;

const DAMAGED: Fault = Fault::Unreadable("a stored row is damaged");

impl Postgres {
    /// See [`crate::store::Store::facts`].
    ///
    /// # Errors
    /// A fact whose key is missing although the fact was not removed: that could hide a
    /// withdrawal, so nothing is decided upon it.
    pub async fn facts(&self, of: &[Aggregate]) -> Result<Facts, Fault> {
        if of.len() > ASKED_MAX {
            return Err(Fault::TooLarge);
        }
        let named: HashMap<Name, &Aggregate> = of
            .iter()
            .map(|of| (self.shared.names.aggregate(of), of))
            .collect();
        let mut tries = 1;
        loop {
            let (facts, missing) = self.facts_once(of, &named).await?;
            if missing.is_empty() {
                return Ok(facts);
            }
            // Replaced and erased since it was read? Then its aggregate has moved as well.
            let keys: Vec<&[u8]> = missing.keys().map(|key| &key[..]).collect();
            let sql = "SELECT key, version FROM firedoor.aggregates WHERE key = ANY($1)";
            for row in &query(&self.shared.pool, sql, &[&keys]).await? {
                let seen = missing.get(&bytes::<16>(row, 0)?).copied();
                if seen == Some(Version(number(row, 1)?)) {
                    return Err(Fault::Unreadable(
                        "the key of a fact is missing in the slots database",
                    ));
                }
            }
            if tries == FACTS_TRIES_MAX {
                // What is left out has moved: no decision that rests on it can be committed.
                return Ok(facts);
            }
            tries += 1;
        }
    }

    /// With the versions at which aggregates were seen that have a fact without a key.
    async fn facts_once(
        &self,
        of: &[Aggregate],
        named: &HashMap<Name, &Aggregate>,
    ) -> Result<(Facts, HashMap<Name, Version>), Fault> {
        let sql = "SELECT a.key, a.version, i.item, i.class, i.slot, \
                CASE WHEN i.class = 255 THEN i.sealed END \
            FROM firedoor.aggregates a LEFT JOIN firedoor.items i ON i.aggregate = a.key \
            WHERE a.key = ANY($1) ORDER BY a.key, i.item, i.class";
        let keys: Vec<&[u8]> = named.keys().map(|key| &key[..]).collect();
        let rows = query(&self.shared.pool, sql, &[&keys]).await?;
        let fact_slots = rows.iter().filter_map(|row| {
            let class: Option<i16> = row.try_get(3).ok()?;
            (class == Some(FACT)).then(|| row.try_get(4).ok()).flatten()
        });
        let slots: Vec<i64> = fact_slots.collect();
        let keys = self.shared.slots.keys(&slots).await?;
        let (mut facts, mut versions) = (Facts::default(), HashMap::new());
        let mut missing = HashMap::new();
        for row in &rows {
            let name: Name = bytes(row, 0)?;
            let Some(of) = named.get(&name).copied() else {
                return Err(DAMAGED);
            };
            let version = Version(number(row, 1)?);
            versions.insert(of, version);
            let Some(class) = row.try_get::<_, Option<i16>>(3).map_err(|_| DAMAGED)? else {
                continue;
            };
            let item = Id::from_bytes(bytes(row, 2)?);
            if class == FACT {
                let sealed = sealed(row, 5)?;
                let Some(key) = keys.get(&sealed.slot().0) else {
                    missing.insert(name, version);
                    continue;
                };
                let context = seal_context(of, item, None);
                facts.facts.push(Fact {
                    of: of.clone(),
                    item,
                    bytes: sealed.open(key, &context).ok_or(DAMAGED)?,
                });
            } else {
                facts.parts.push(PartRef {
                    of: of.clone(),
                    item,
                    class: data_class(class)?,
                });
            }
        }
        let mut places = HashMap::new();
        for (place, of) in of.iter().enumerate() {
            if let Entry::Vacant(first) = places.entry(of) {
                first.insert(place);
                let version = versions.get(of).copied().unwrap_or_default();
                facts.read.push((of.clone(), version));
            }
        }
        // In the order in which they were asked for: that of names is another in each database.
        facts.facts.sort_by_key(|fact| places.get(&fact.of));
        facts.parts.sort_by_key(|part| places.get(&part.of));
        Ok((facts, missing))
    }

    /// See [`crate::store::Store::open`]. Parts that are gone are left out.
    pub(in crate::store) async fn open_parts(
        &self,
        parts: &[PartRef],
    ) -> Result<Vec<OpenedItem>, Fault> {
        if parts.len() > ASKED_MAX {
            return Err(Fault::TooLarge);
        }
        let of: Vec<Name> = parts
            .iter()
            .map(|part| self.shared.names.aggregate(&part.of))
            .collect();
        let of_column: Vec<&[u8]> = of.iter().map(|of| &of[..]).collect();
        let items: Vec<&[u8]> = parts.iter().map(|part| &part.item.bytes()[..]).collect();
        let classes: Vec<i16> = parts.iter().map(|part| part.class as i16).collect();
        let sql = "SELECT d.place, i.sealed FROM firedoor.items i \
            JOIN unnest($1::bytea[], $2::bytea[], $3::smallint[]) WITH ORDINALITY \
                AS d (aggregate, item, class, place) \
            ON i.aggregate = d.aggregate AND i.item = d.item AND i.class = d.class \
            ORDER BY d.place";
        let rows = query(&self.shared.pool, sql, &[&of_column, &items, &classes]).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            let place = usize::try_from(number(row, 0)?).unwrap_or_default();
            let part = place.checked_sub(1).and_then(|place| parts.get(place));
            found.push((part.ok_or(DAMAGED)?, sealed(row, 1)?));
        }
        let keys = self.keys(found.iter().map(|(_, sealed)| sealed)).await?;
        let mut opened = Vec::with_capacity(found.len());
        for (part, sealed) in found {
            if let Some(key) = keys.get(&sealed.slot().0) {
                let context = seal_context(&part.of, part.item, Some(part.class));
                opened.push(OpenedItem {
                    part: part.clone(),
                    plain: sealed.open(key, &context).ok_or(DAMAGED)?,
                });
            }
        }
        Ok(opened)
    }

    /// See [`crate::store::Store::entries`]. In the order asked. Erased openings and indices that no leaf has are left
    /// out.
    pub(in crate::store) async fn entries(
        &self,
        indices: &[u64],
    ) -> Result<Vec<(u64, Leaf, Zeroizing<Vec<u8>>)>, Fault> {
        if indices.len() > ASKED_MAX {
            return Err(Fault::TooLarge);
        }
        let wanted: Vec<i64> = indices.iter().map(|index| index.cast_signed()).collect();
        let sql = "SELECT l.idx, l.leaf, l.opening FROM firedoor.leaves l \
            JOIN unnest($1::bigint[]) WITH ORDINALITY AS d (idx, place) ON l.idx = d.idx \
            ORDER BY d.place";
        let rows = query(&self.shared.pool, sql, &[&wanted]).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            found.push((number(row, 0)?, leaf(row, 1)?, sealed(row, 2)?));
        }
        let keys = self.keys(found.iter().map(|(_, _, sealed)| sealed)).await?;
        let mut opened = Vec::with_capacity(found.len());
        for (index, leaf, sealed) in found {
            if let Some(key) = keys.get(&sealed.slot().0) {
                let context = opening_context(leaf.id());
                let plain = sealed.open(key, &context).ok_or(DAMAGED)?;
                opened.push((index, leaf, plain));
            }
        }
        Ok(opened)
    }

    /// Where the keys of the accounts lie that a decision forgets, whether they are still there or
    /// not.
    ///
    /// # Errors
    /// It names an entry that is not in the log.
    pub(super) async fn opening_slots(&self, draft: &Draft) -> Result<Vec<i64>, Fault> {
        let indices = draft.writes.iter().filter_map(|write| match write {
            Write::Forget { index } => Some(clamped(*index)),
            Write::Fact { .. }
            | Write::Part { .. }
            | Write::Remove { .. }
            | Write::List { .. }
            | Write::Unlist { .. }
            | Write::Count { .. }
            | Write::Hold { .. }
            | Write::Release { .. }
            | Write::Follow { .. } => None,
        });
        let indices: BTreeSet<i64> = indices.collect();
        if indices.is_empty() {
            return Ok(Vec::new());
        }
        let indices: Vec<i64> = indices.into_iter().collect();
        let sql = "SELECT opening FROM firedoor.leaves WHERE idx = ANY($1)";
        let rows = query(&self.shared.pool, sql, &[&indices]).await?;
        if rows.len() != indices.len() {
            return Err(NO_ENTRY);
        }
        let slot = |row: &Row| Ok(sealed(row, 0)?.slot().0.cast_signed());
        rows.iter().map(slot).collect()
    }

    async fn keys(
        &self,
        sealed: impl Iterator<Item = &Sealed>,
    ) -> Result<HashMap<u64, crate::domain::seal::ItemKey>, Fault> {
        let slots: Vec<i64> = sealed.map(|sealed| sealed.slot().0.cast_signed()).collect();
        self.shared.slots.keys(&slots).await
    }

    /// See [`crate::store::Store::list`].
    pub async fn list(
        &self,
        list: &List,
        after: Option<Listed>,
        max: u16,
    ) -> Result<Vec<Listed>, Fault> {
        let sql = "SELECT at, idx, item FROM firedoor.lists \
            WHERE list = $1 AND (at, idx, item) > ($2, $3, $4) ORDER BY at, idx, item LIMIT $5";
        // Before every entry: no leaf has the index -1.
        let start = (i64::MIN, -1_i64, [0_u8; 16]);
        listed(&self.shared, sql, list, after.map_or(start, cursor), max).await
    }

    /// See [`crate::store::Store::newest`].
    pub async fn newest(
        &self,
        list: &List,
        before: Option<Listed>,
        max: u16,
    ) -> Result<Vec<Listed>, Fault> {
        let sql = "SELECT at, idx, item FROM firedoor.lists \
            WHERE list = $1 AND (at, idx, item) < ($2, $3, $4) \
            ORDER BY at DESC, idx DESC, item DESC LIMIT $5";
        // After every entry: no leaf has the largest index.
        let end = (i64::MAX, i64::MAX, [255_u8; 16]);
        listed(&self.shared, sql, list, before.map_or(end, cursor), max).await
    }

    /// See [`crate::store::Store::counted`].
    pub async fn counted(&self, counter: &Counter) -> Result<u32, Fault> {
        let key = self.shared.names.counter(counter);
        let sql = "SELECT count FROM firedoor.counters WHERE key = $1";
        let rows = query(&self.shared.pool, sql, &[&&key[..]]).await?;
        let count = rows.first().map_or(Ok(0), |row| number(row, 0))?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// See [`crate::store::Store::leaves`].
    pub async fn leaves(&self, from: u64, to: u64) -> Result<Vec<Leaf>, Fault> {
        let to = to.min(from.saturating_add(LEAVES_MAX));
        let sql = "SELECT leaf FROM firedoor.leaves WHERE idx >= $1 AND idx < $2 ORDER BY idx";
        let (from, to) = (clamped(from), clamped(to));
        let rows = query(&self.shared.pool, sql, &[&from, &to]).await?;
        rows.iter().map(|row| leaf(row, 0)).collect()
    }

    /// See [`crate::store::Store::tile`].
    pub async fn tile(&self, level: u8, index: u64, width: u16) -> Result<Option<Vec<u8>>, Fault> {
        let width = u64::from(width);
        let end = index
            .checked_mul(TILE_WIDTH)
            .and_then(|first| first.checked_add(width));
        let fits = (1..=TILE_WIDTH).contains(&width) && level < 8;
        let Some(end) = end.filter(|end| fits && *end < i64::MAX.cast_unsigned()) else {
            return Ok(None);
        };
        let whole = "SELECT hashes FROM firedoor.tiles WHERE level = $1 AND idx = $2";
        let pool = &self.shared.pool;
        let place = index.cast_signed();
        let rows = query(pool, whole, &[&i16::from(level), &place]).await?;
        let mut tile = match rows.first() {
            Some(row) => row.try_get(0).map_err(|_| DAMAGED)?,
            None => self.partial(level, end - width, end).await?,
        };
        // A narrower tile is the beginning of the wider one.
        let wanted = usize::try_from(width * 32).unwrap_or(usize::MAX);
        tile.truncate(wanted);
        Ok((tile.len() == wanted).then_some(tile))
    }

    async fn partial(&self, level: u8, first: u64, end: u64) -> Result<Vec<u8>, Fault> {
        let (first, end) = (first.cast_signed(), end.cast_signed());
        let pool = &self.shared.pool;
        let Some(below) = level.checked_sub(1) else {
            let sql = "SELECT leaf FROM firedoor.leaves WHERE idx >= $1 AND idx < $2 ORDER BY idx";
            let rows = query(pool, sql, &[&first, &end]).await?;
            let hash = |row: &Row| Ok(leaf_hash(leaf(row, 0)?.bytes()));
            let hashes: Result<Vec<_>, Fault> = rows.iter().map(hash).collect();
            return Ok(hashes?.concat());
        };
        let sql = "SELECT root FROM firedoor.tiles \
            WHERE level = $3 AND idx >= $1 AND idx < $2 ORDER BY idx";
        let rows = query(pool, sql, &[&first, &end, &i16::from(below)]).await?;
        let roots: Result<Vec<[u8; 32]>, Fault> = rows.iter().map(|row| bytes(row, 0)).collect();
        Ok(roots?.concat())
    }

    /// See [`crate::store::Store::checkpoint`].
    pub async fn checkpoint(&self) -> Result<String, Fault> {
        let newest = self.shared.newest().await.map_err(Fault::Unreadable)?;
        Ok(newest.checkpoint.clone())
    }
}

type Cursor = (i64, i64, [u8; 16]);

fn cursor(at: Listed) -> Cursor {
    (shifted(at.at), clamped(at.index), *at.item.bytes())
}

async fn listed(
    shared: &Shared,
    sql: &str,
    list: &List,
    (at, index, item): Cursor,
    max: u16,
) -> Result<Vec<Listed>, Fault> {
    let list = shared.names.list(list);
    let max = i64::from(max);
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&&list[..], &at, &index, &&item[..], &max];
    let rows = query(&shared.pool, sql, &parameters).await?;
    let entry = |row: &Row| {
        Ok(Listed {
            at: unshifted(row.try_get(0).map_err(|_| DAMAGED)?),
            index: number(row, 1)?,
            item: Id::from_bytes(bytes(row, 2)?),
        })
    };
    rows.iter().map(entry).collect()
}

fn number(row: &Row, at: usize) -> Result<u64, Fault> {
    let number: i64 = row.try_get(at).map_err(|_| DAMAGED)?;
    u64::try_from(number).map_err(|_| DAMAGED)
}

fn clamped(index: u64) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

fn bytes<const N: usize>(row: &Row, at: usize) -> Result<[u8; N], Fault> {
    let bytes: &[u8] = row.try_get(at).map_err(|_| DAMAGED)?;
    bytes.try_into().map_err(|_| DAMAGED)
}

fn leaf(row: &Row, at: usize) -> Result<Leaf, Fault> {
    Leaf::parse(row.try_get(at).map_err(|_| DAMAGED)?).map_err(|_| DAMAGED)
}

fn sealed(row: &Row, at: usize) -> Result<Sealed, Fault> {
    let bytes: &[u8] = row.try_get(at).map_err(|_| DAMAGED)?;
    Sealed::try_from_slice(bytes).map_err(|_| DAMAGED)
}

fn data_class(class: i16) -> Result<DataClass, Fault> {
    let known = DataClass::ALL.iter().find(|known| **known as i16 == class);
    known.copied().ok_or(DAMAGED)
}
