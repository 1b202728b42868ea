//! The SQL of a commit, in two round trips: what the batch rests on, and everything it writes with
//! the COMMIT behind it. Whatever was not accepted, the head that moved meanwhile too, is an error,
//! after which the server makes a ROLLBACK of the COMMIT.

use deadpool_postgres::ClientWrapper;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use super::Shared;
use super::batch::{Keyed, Known, KnownReplay, Plan};
use super::tip::CATCH_UP_MAX;
use super::tree::Tile;
use crate::domain::leaf::Leaf;
use crate::domain::merkle::{Hash, leaf_hash};
use crate::store::names::Name;

const HEAD: &str = "SELECT size, checkpoint FROM firedoor.head WHERE one = 1 FOR UPDATE";
const HEAD_READ: &str = "SELECT size, checkpoint FROM firedoor.head WHERE one = 1";
const SINCE: &str = "SELECT leaf FROM firedoor.leaves WHERE idx >= $1 ORDER BY idx LIMIT $2";
const VERSIONS: &str = "SELECT key, version FROM firedoor.aggregates WHERE key = ANY($1)";
const COUNTERS: &str = "SELECT key, count FROM firedoor.counters WHERE key = ANY($1)";
const REPLAYS: &str =
    "SELECT key, request, until, idx, reply FROM firedoor.replays WHERE key = ANY($1)";

/// Writes nothing, but its COMMIT is acknowledged only when all that was committed before it is as
/// durable: also what a server shows after it was restarted and its standby has not got yet.
pub(super) const CONFIRM: &str = "UPDATE firedoor.head SET size = size WHERE one = 1";

/// What a transaction has found at its start.
pub(super) struct Begun {
    pub(super) size: i64,
    pub(super) checkpoint: String,
    /// The leaves from the asked index on, at most [`CATCH_UP_MAX`].
    pub(super) since: Vec<Leaf>,
    pub(super) known: Known,
}

/// Waits until no other node holds the head, without a snapshot that would be old then. What
/// follows on the connection is at the server already, so it is there before the next node.
const WAIT: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; \
    SELECT one FROM firedoor.head WHERE one = 1 FOR UPDATE; ROLLBACK";

/// Opens the transaction, takes the head, and reads what the batch rests on. The head's lock comes
/// first: whoever waits for it while another node commits is told to try again (40001), so what
/// is read afterwards is never older than the head.
pub(super) async fn begin(
    connection: &ClientWrapper,
    shared: &Shared,
    batch: &[Keyed],
    from: u64,
    wait: bool,
) -> Result<Begun, Error> {
    let aggregates = distinct(batch.iter().flat_map(Keyed::aggregates));
    let counters = distinct(batch.iter().flat_map(Keyed::counters));
    let replays = batch.iter().filter_map(|keyed| keyed.replay.as_ref());
    let replays = distinct(replays.map(|replay| replay.key));
    // Prepared before BEGIN, so that the statements go out in one piece.
    let head = connection.prepare_cached(HEAD).await?;
    connection.prepare_cached(SINCE).await?;
    let (_, begun, head, since, versions, counters, replays) = tokio::join!(
        biased;
        async {
            match wait {
                // It fails on an engine that would rather have it tried again, which comes next.
                true => connection.batch_execute(WAIT).await.ok(),
                false => None,
            }
        },
        connection.batch_execute("BEGIN ISOLATION LEVEL SERIALIZABLE"),
        connection.query_one(&head, &[]),
        since(connection, from),
        some(connection, VERSIONS, &aggregates),
        some(connection, COUNTERS, &counters),
        some(connection, REPLAYS, &replays),
    );
    begun?;
    let (size, checkpoint) = size_and_checkpoint(&head?)?;
    let mut known = Known::default();
    for row in versions? {
        let of = name(&row)?;
        known.versions.insert(of, row.try_get(1)?);
        known.existing.insert(of);
    }
    for row in counters? {
        known.counters.insert(name(&row)?, row.try_get(1)?);
    }
    for row in replays? {
        let key = name(&row)?;
        let replay = KnownReplay {
            request: row.try_get(1)?,
            until: row.try_get(2)?,
            index: row.try_get(3)?,
            reply: shared.names.open_reply(&key, row.try_get(4)?),
        };
        known.replays.insert(key, replay);
    }
    Ok(Begun {
        size,
        checkpoint,
        since: since?,
        known,
    })
}

/// The head as it is now, and the leaves from `from` on, at most [`CATCH_UP_MAX`] and perhaps some
/// that came after the head was read.
pub(super) async fn look(
    connection: &ClientWrapper,
    from: u64,
) -> Result<(i64, String, Vec<Leaf>), Error> {
    let head = connection.prepare_cached(HEAD_READ).await?;
    connection.prepare_cached(SINCE).await?;
    let (head, since) = tokio::join!(
        biased;
        connection.query_one(&head, &[]),
        since(connection, from),
    );
    let (size, checkpoint) = size_and_checkpoint(&head?)?;
    Ok((size, checkpoint, since?))
}

fn size_and_checkpoint(row: &Row) -> Result<(i64, String), Error> {
    Ok((row.try_get(0)?, row.try_get(1)?))
}

async fn since(connection: &ClientWrapper, from: u64) -> Result<Vec<Leaf>, Error> {
    let statement = connection.prepare_cached(SINCE).await?;
    let (from, most) = (from.cast_signed(), CATCH_UP_MAX.cast_signed());
    let rows = connection.query(&statement, &[&from, &most]).await?;
    let mut leaves = Vec::with_capacity(rows.len());
    for row in rows {
        // What does not parse ends the list: nothing follows from it.
        let Ok(leaf) = Leaf::parse(row.try_get(0)?) else {
            break;
        };
        leaves.push(leaf);
    }
    Ok(leaves)
}

async fn some(connection: &ClientWrapper, sql: &str, keys: &[Name]) -> Result<Vec<Row>, Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
    let statement = connection.prepare_cached(sql).await?;
    connection.query(&statement, &[&keys]).await
}

fn name(row: &Row) -> Result<Name, Error> {
    let bytes: &[u8] = row.try_get(0)?;
    // A name of another length is not one of ours and matches nothing.
    Ok(bytes.try_into().unwrap_or_default())
}

fn distinct(names: impl Iterator<Item = Name>) -> Vec<Name> {
    let mut names: Vec<Name> = names.collect();
    names.sort_unstable();
    names.dedup();
    names
}

const LEAVES: &str = "INSERT INTO firedoor.leaves (idx, leaf, opening) \
    SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[])";
const TILES: &str = "INSERT INTO firedoor.tiles (level, idx, root, hashes) \
    SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bytea[], $4::bytea[])";
const AGGREGATES: &str = "INSERT INTO firedoor.aggregates (key, version) \
    SELECT * FROM unnest($1::bytea[], $2::bigint[]) \
    ON CONFLICT (key) DO UPDATE SET version = excluded.version";
const GONE: &str = "WITH gone AS ( \
        DELETE FROM firedoor.items i \
        USING unnest($1::bytea[], $2::bytea[], $3::smallint[]) AS d (aggregate, item, class) \
        WHERE i.aggregate = d.aggregate AND i.item = d.item \
            AND (d.class = -1 OR i.class = d.class) \
        RETURNING i.aggregate, i.item, i.class, i.slot, i.sealed, i.idx), \
    kept AS ( \
        INSERT INTO firedoor.kept (aggregate, item, class, slot, sealed, idx) \
        SELECT g.* FROM gone g \
        JOIN firedoor.holds h ON h.aggregate = g.aggregate AND h.item = g.item \
        RETURNING slot) \
    INSERT INTO firedoor.erasures (slot) SELECT slot FROM gone EXCEPT SELECT slot FROM kept";
const SPARE: &str = "WITH gone (aggregate, item, class, slot, sealed, idx) AS ( \
        SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::smallint[], $4::bigint[], \
            $5::bytea[], $6::bigint[])), \
    kept AS ( \
        INSERT INTO firedoor.kept (aggregate, item, class, slot, sealed, idx) \
        SELECT g.* FROM gone g \
        JOIN firedoor.holds h ON h.aggregate = g.aggregate AND h.item = g.item \
        RETURNING slot) \
    INSERT INTO firedoor.erasures (slot) SELECT slot FROM gone EXCEPT SELECT slot FROM kept";
const HOLD: &str = "INSERT INTO firedoor.holds (aggregate, item) \
    SELECT * FROM unnest($1::bytea[], $2::bytea[]) ON CONFLICT DO NOTHING";
const RELEASE: &str = "WITH ended AS ( \
        DELETE FROM firedoor.holds h USING unnest($1::bytea[], $2::bytea[]) AS d (aggregate, item) \
        WHERE h.aggregate = d.aggregate AND h.item = d.item), \
    freed AS ( \
        DELETE FROM firedoor.kept k USING unnest($1::bytea[], $2::bytea[]) AS d (aggregate, item) \
        WHERE k.aggregate = d.aggregate AND k.item = d.item RETURNING k.slot) \
    INSERT INTO firedoor.erasures (slot) SELECT slot FROM freed";
const FORGET: &str = "INSERT INTO firedoor.erasures (slot) \
    SELECT * FROM unnest($1::bigint[]) ON CONFLICT DO NOTHING";
const ITEMS: &str = "INSERT INTO firedoor.items (aggregate, item, class, slot, sealed, idx) \
    SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::smallint[], $4::bigint[], $5::bytea[], \
        $6::bigint[])";
const UNLIST: &str = "DELETE FROM firedoor.lists l \
    USING unnest($1::bytea[], $2::bytea[]) AS d (list, item) \
    WHERE l.list = d.list AND l.item = d.item";
const LISTS: &str = "INSERT INTO firedoor.lists (list, at, idx, item) \
    SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bytea[])";
const COUNTED: &str = "INSERT INTO firedoor.counters (key, count, at) \
    SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[]) \
    ON CONFLICT (key) DO UPDATE SET count = excluded.count, at = excluded.at";
const REPLAYED: &str = "INSERT INTO firedoor.replays (key, request, until, idx, reply) \
    SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bytea[]) \
    ON CONFLICT (key) DO UPDATE SET request = excluded.request, until = excluded.until, \
        idx = excluded.idx, reply = excluded.reply";
/// Without a size, which must not be null, if the head has moved: then all of it is rolled back.
const MOVE_HEAD: &str = "UPDATE firedoor.head \
    SET size = CASE WHEN size = $1 THEN $2::bigint END, checkpoint = $3 WHERE one = 1";

/// The new head: the size it must still have, the size it gets, and its signed checkpoint.
pub(super) struct Head<'a> {
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) checkpoint: &'a str,
}

/// Writes everything and commits it.
///
/// # Errors
/// Whether it was committed is not known, unless the server says that it was not (40001).
pub(super) async fn commit(
    connection: &ClientWrapper,
    plan: &Plan,
    accepted: &[&Keyed],
    tiles: &[Tile],
    head: Head<'_>,
) -> Result<(), Error> {
    let indices: Vec<i64> = (head.from..head.to).collect();
    let leaves = column(plan.leaves.iter().map(|(leaf, _)| &leaf.bytes()[..]));
    let openings = column(accepted.iter().map(|keyed| &keyed.opening[..]));

    let tile_levels: Vec<i16> = tiles.iter().map(|tile| tile.level as i16).collect();
    let tile_indices: Vec<i64> = tiles.iter().map(|tile| tile.index.cast_signed()).collect();
    let tile_roots = column(tiles.iter().map(|tile| &tile.root[..]));
    let tile_hashes: Vec<Vec<u8>> = tiles.iter().map(|tile| tile.hashes.concat()).collect();

    let aggregates = column(plan.aggregates.keys().map(|of| &of[..]));
    let versions: Vec<i64> = plan.aggregates.values().copied().collect();

    let gone_of = column(plan.gone.iter().map(|(of, _, _)| &of[..]));
    let gone_items = column(plan.gone.iter().map(|(_, item, _)| &item[..]));
    let gone_classes: Vec<i16> = plan.gone.iter().map(|(_, _, class)| *class).collect();

    let item_of = column(plan.items.keys().map(|(of, _, _)| &of[..]));
    let items = column(plan.items.keys().map(|(_, item, _)| &item[..]));
    let item_classes: Vec<i16> = plan.items.keys().map(|(_, _, class)| *class).collect();
    let item_slots: Vec<i64> = plan.items.values().map(|item| item.slot).collect();
    let item_sealed = column(plan.items.values().map(|item| &item.sealed[..]));
    let item_indices: Vec<i64> = plan.items.values().map(|item| item.index).collect();

    let spare_of = column(plan.spare.iter().map(|((of, _, _), _)| &of[..]));
    let spare = column(plan.spare.iter().map(|((_, item, _), _)| &item[..]));
    let spare_classes: Vec<i16> = plan.spare.iter().map(|((_, _, class), _)| *class).collect();
    let spare_slots: Vec<i64> = plan.spare.iter().map(|(_, item)| item.slot).collect();
    let spare_sealed = column(plan.spare.iter().map(|(_, item)| &item.sealed[..]));
    let spare_indices: Vec<i64> = plan.spare.iter().map(|(_, item)| item.index).collect();

    let held_of = column(plan.held.iter().map(|(of, _)| &of[..]));
    let held = column(plan.held.iter().map(|(_, item)| &item[..]));
    let released_of = column(plan.released.iter().map(|(of, _)| &of[..]));
    let released = column(plan.released.iter().map(|(_, item)| &item[..]));

    let forgotten: Vec<i64> = plan.forgotten.iter().copied().collect();

    let unlisted = column(plan.unlisted.iter().map(|(list, _)| &list[..]));
    let unlisted_items = column(plan.unlisted.iter().map(|(_, item)| &item[..]));
    let lists = column(plan.listed.iter().map(|(list, _, _, _)| &list[..]));
    let list_at: Vec<i64> = plan.listed.iter().map(|(_, at, _, _)| *at).collect();
    let list_indices: Vec<i64> = plan.listed.iter().map(|(_, _, index, _)| *index).collect();
    let list_items = column(plan.listed.iter().map(|(_, _, _, item)| &item[..]));

    let counters = column(plan.counters.keys().map(|key| &key[..]));
    let counts: Vec<i64> = plan.counters.values().map(|(count, _)| *count).collect();
    let counted_at: Vec<i64> = plan.counters.values().map(|(_, at)| *at).collect();

    let replays = column(plan.replays.keys().map(|key| &key[..]));
    let requests = column(plan.replays.values().map(|replay| &replay.request[..]));
    let until: Vec<i64> = plan.replays.values().map(|replay| replay.until).collect();
    let replay_indices: Vec<i64> = plan.replays.values().map(|replay| replay.index).collect();
    let replies = column(plan.replays.values().map(|replay| &replay.sealed[..]));

    let statements: [(bool, &str, &[&(dyn ToSql + Sync)]); 14] = [
        (true, LEAVES, &[&indices, &leaves, &openings]),
        (
            !tiles.is_empty(),
            TILES,
            &[&tile_levels, &tile_indices, &tile_roots, &tile_hashes],
        ),
        (
            !plan.aggregates.is_empty(),
            AGGREGATES,
            &[&aggregates, &versions],
        ),
        // Holds first, and releases after everything that they might keep.
        (!plan.held.is_empty(), HOLD, &[&held_of, &held]),
        // Rows are taken away before others take their place.
        (
            !plan.gone.is_empty(),
            GONE,
            &[&gone_of, &gone_items, &gone_classes],
        ),
        (
            !plan.spare.is_empty(),
            SPARE,
            &[
                &spare_of,
                &spare,
                &spare_classes,
                &spare_slots,
                &spare_sealed,
                &spare_indices,
            ],
        ),
        (
            !plan.released.is_empty(),
            RELEASE,
            &[&released_of, &released],
        ),
        (!plan.forgotten.is_empty(), FORGET, &[&forgotten]),
        (
            !plan.items.is_empty(),
            ITEMS,
            &[
                &item_of,
                &items,
                &item_classes,
                &item_slots,
                &item_sealed,
                &item_indices,
            ],
        ),
        (
            !plan.unlisted.is_empty(),
            UNLIST,
            &[&unlisted, &unlisted_items],
        ),
        (
            !plan.listed.is_empty(),
            LISTS,
            &[&lists, &list_at, &list_indices, &list_items],
        ),
        (
            !plan.counters.is_empty(),
            COUNTED,
            &[&counters, &counts, &counted_at],
        ),
        (
            !plan.replays.is_empty(),
            REPLAYED,
            &[&replays, &requests, &until, &replay_indices, &replies],
        ),
        (true, MOVE_HEAD, &[&head.from, &head.to, &head.checkpoint]),
    ];
    let mut prepared = Vec::with_capacity(statements.len());
    for (wanted, sql, parameters) in statements {
        if wanted {
            prepared.push((connection.prepare_cached(sql).await?, parameters));
        }
    }
    let sent = prepared
        .iter()
        .map(|(statement, parameters)| connection.execute(statement, parameters));
    let (written, committed) = tokio::join!(
        biased;
        in_order(sent),
        connection.batch_execute("COMMIT"),
    );
    for written in written {
        written?;
    }
    committed
}

fn column<'a>(values: impl Iterator<Item = &'a [u8]>) -> Vec<&'a [u8]> {
    values.collect()
}

/// Starts all futures in their order, then waits for all: one round trip for many statements.
pub(super) async fn in_order<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        let mut pending = false;
        for (future, done) in &mut waiting {
            if done.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(output) => *done = Some(output),
                    std::task::Poll::Pending => pending = true,
                }
            }
        }
        match pending {
            true => std::task::Poll::Pending,
            false => std::task::Poll::Ready(()),
        }
    })
    .await;
    waiting.into_iter().filter_map(|(_, done)| done).collect()
}

/// Leaf `index` as the transaction sees it.
pub(super) async fn leaf(connection: &ClientWrapper, index: i64) -> Result<Option<Leaf>, Error> {
    let sql = "SELECT leaf FROM firedoor.leaves WHERE idx = $1";
    let statement = connection.prepare_cached(sql).await?;
    let row = connection.query_opt(&statement, &[&index]).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Leaf::parse(row.try_get(0)?).ok())
}

/// Hashes of one tile level that no complete tile holds yet, see [`super::tree::missing`].
pub(super) async fn hashes(
    connection: &ClientWrapper,
    level: u32,
    rows: std::ops::Range<u64>,
) -> Result<Vec<Hash>, Error> {
    let (first, end) = (rows.start.cast_signed(), rows.end.cast_signed());
    let found = match level.checked_sub(1) {
        None => {
            let sql = "SELECT leaf FROM firedoor.leaves WHERE idx >= $1 AND idx < $2 ORDER BY idx";
            let statement = connection.prepare_cached(sql).await?;
            connection.query(&statement, &[&first, &end]).await?
        }
        Some(below) => {
            let sql = "SELECT root FROM firedoor.tiles \
                       WHERE level = $3 AND idx >= $1 AND idx < $2 ORDER BY idx";
            let statement = connection.prepare_cached(sql).await?;
            let below = below as i16;
            connection
                .query(&statement, &[&first, &end, &below])
                .await?
        }
    };
    let hash = |row: &Row| {
        let bytes: &[u8] = row.try_get(0)?;
        Ok(match level {
            0 => leaf_hash(bytes),
            // A root of another length is damage: the zeros that stand for it verify nowhere.
            _ => bytes.try_into().unwrap_or_default(),
        })
    };
    found.iter().map(hash).collect()
}
