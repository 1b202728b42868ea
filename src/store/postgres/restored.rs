//! The mark of a database that was filled from a copy; see [`crate::store::restored`].

use deadpool_postgres::{ClientWrapper, Pool};

use super::connect::query;
use crate::domain::time::When;
use crate::store::Fault;
use crate::store::restored::Restored;

pub(super) async fn read(
    connection: &ClientWrapper,
) -> Result<Option<Restored>, tokio_postgres::Error> {
    let sql = "SELECT leaves, at, acknowledged FROM firedoor.restored WHERE one = 1";
    let Some(row) = connection.query_opt(sql, &[]).await? else {
        return Ok(None);
    };
    Ok(Some(Restored {
        leaves: row.try_get::<_, i64>(0)?.cast_unsigned(),
        at: When::from_millis(row.try_get(1)?),
        acknowledged: row.try_get::<_, i64>(2)?.cast_unsigned(),
    }))
}

pub(super) async fn remove(pool: &Pool) -> Result<(), Fault> {
    let sql = "DELETE FROM firedoor.restored WHERE one = 1 RETURNING one";
    query(pool, sql, &[]).await.map(|_| ())
}
