//! The mark of a database that was filled from a copy; see [`crate::store::restored`].

use deadpool_postgres::ClientWrapper;

use super::connect::{Database, query};
use crate::domain::checkpoint::LogKey;
use crate::domain::time::When;
use crate::store::Fault;
use crate::store::restored::Restored;

pub(super) async fn read(
    connection: &ClientWrapper,
) -> Result<Option<Restored>, tokio_postgres::Error> {
    let sql = "SELECT leaves, at, acknowledged, origin FROM firedoor.restored WHERE one = 1";
    let Some(row) = connection.query_opt(sql, &[]).await? else {
        return Ok(None);
    };
    Ok(Some(Restored {
        leaves: row.try_get::<_, i64>(0)?.cast_unsigned(),
        at: When::from_millis(row.try_get(1)?),
        acknowledged: row.try_get::<_, i64>(2)?.cast_unsigned(),
        origin: row.try_get(3)?,
    }))
}

/// Leaves the mark, in place of one that is there.
pub(super) async fn write(pool: &Database, mark: &Restored) -> Result<(), Fault> {
    let (leaves, acknowledged) = (mark.leaves.cast_signed(), mark.acknowledged.cast_signed());
    let sql = "INSERT INTO firedoor.restored (one, leaves, at, acknowledged, origin) \
        VALUES (1, $1, $2, $3, $4) ON CONFLICT (one) DO UPDATE SET leaves = excluded.leaves, \
        at = excluded.at, acknowledged = excluded.acknowledged, origin = excluded.origin \
        RETURNING one";
    let row: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
        [&leaves, &mark.at.millis(), &acknowledged, &mark.origin];
    query(pool, sql, &row).await.map(|_| ())
}

/// Whether it is proven that the log has gone back under the name that it still has.
pub(super) async fn is_rolled_back(pool: &Database, log: &LogKey) -> Result<bool, Fault> {
    let sql = "SELECT 1 FROM firedoor.restored WHERE acknowledged > leaves AND origin = $1";
    let found = query(pool, sql, &[&log.verifier().origin()]).await?;
    Ok(!found.is_empty())
}

pub(super) async fn remove(pool: &Database) -> Result<(), Fault> {
    let sql = "DELETE FROM firedoor.restored WHERE one = 1 RETURNING one";
    query(pool, sql, &[]).await.map(|_| ())
}
