//! Witnessed heads and proofs of a fork, for all nodes; see [`crate::store::witnessed`].
//!
//! Each statement may be done twice. Words about one head are added by comparing what is there, so
//! that two nodes lose none.

use tokio_postgres::Row;

use super::Postgres;
use super::connect::query;
use crate::domain::cosigned::merge;
use crate::store::Fault;
use crate::store::evidence::{EVIDENCE_MAX, Evidence};
use crate::store::witnessed::{HEADS_READ_MAX, HEADS_WAITING_MAX, Head};

/// Nodes and witnesses that write about one head at once.
const TRIES_MAX: u32 = 32;
const DAMAGED: Fault = Fault::Unreadable("a witnessed head");

impl Postgres {
    fn origin(&self) -> &str {
        self.shared.log.verifier().origin()
    }

    pub(in crate::store) async fn keep_witnessed(
        &self,
        size: u64,
        note: &str,
    ) -> Result<String, Fault> {
        let (pool, origin, number) = (&self.shared.pool, self.origin(), size.cast_signed());
        for _ in 0..TRIES_MAX {
            let kept = self.cosigned(size).await?;
            let merged = kept.as_deref().and_then(|kept| merge(kept, note));
            let merged = merged.unwrap_or_else(|| note.to_owned());
            let Some(kept) = kept else {
                let sql = "INSERT INTO firedoor.witnessed (origin, size, note, quorum) \
                    VALUES ($1, $2, $3, false) ON CONFLICT DO NOTHING RETURNING size";
                if !query(pool, sql, &[&origin, &number, &merged])
                    .await?
                    .is_empty()
                {
                    self.forget_old().await?;
                    return Ok(merged);
                }
                continue;
            };
            if kept == merged {
                return Ok(merged);
            }
            let sql = "UPDATE firedoor.witnessed SET note = $3 \
                WHERE origin = $1 AND size = $2 AND note = $4 RETURNING size";
            let given: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
                [&origin, &number, &merged, &kept];
            if !query(pool, sql, &given).await?.is_empty() {
                return Ok(merged);
            }
        }
        Err(Fault::CannotRecord(
            "a witnessed head kept changing; try again",
        ))
    }

    async fn forget_old(&self) -> Result<(), Fault> {
        let sql = "DELETE FROM firedoor.witnessed WHERE origin = $1 AND NOT quorum AND size < \
            (SELECT min(size) FROM (SELECT size FROM firedoor.witnessed \
            WHERE origin = $1 AND NOT quorum ORDER BY size DESC LIMIT $2) AS newest) \
            RETURNING size";
        let most = i64::try_from(HEADS_WAITING_MAX).unwrap_or(i64::MAX);
        let forgotten = query(&self.shared.pool, sql, &[&self.origin(), &most]).await;
        forgotten.map(|_| ())
    }

    pub(in crate::store) async fn quorum_met(&self, size: u64) -> Result<(), Fault> {
        let sql = "UPDATE firedoor.witnessed SET quorum = true \
            WHERE origin = $1 AND size = $2 RETURNING size";
        let size = size.cast_signed();
        query(&self.shared.pool, sql, &[&self.origin(), &size])
            .await
            .map(|_| ())
    }

    pub(in crate::store) async fn cosigned(&self, size: u64) -> Result<Option<String>, Fault> {
        let sql = "SELECT size, note FROM firedoor.witnessed WHERE origin = $1 AND size = $2";
        let size = size.cast_signed();
        let rows = query(&self.shared.pool, sql, &[&self.origin(), &size]).await?;
        Ok(rows.first().map(head).transpose()?.map(|(_, note)| note))
    }

    pub(in crate::store) async fn waiting_head(&self) -> Result<Option<Head>, Fault> {
        let sql = "SELECT size, note FROM firedoor.witnessed WHERE origin = $1 AND NOT quorum \
            ORDER BY size DESC LIMIT 1";
        let rows = query(&self.shared.pool, sql, &[&self.origin()]).await?;
        rows.first().map(head).transpose()
    }

    pub(in crate::store) async fn witnessed(&self) -> Result<Option<Head>, Fault> {
        let sql = "SELECT size, note FROM firedoor.witnessed WHERE origin = $1 AND quorum \
            ORDER BY size DESC LIMIT 1";
        let rows = query(&self.shared.pool, sql, &[&self.origin()]).await?;
        rows.first().map(head).transpose()
    }

    pub(in crate::store) async fn witnessed_since(
        &self,
        from: u64,
        max: u16,
    ) -> Result<Vec<Head>, Fault> {
        let sql = "SELECT size, note FROM firedoor.witnessed \
            WHERE origin = $1 AND quorum AND size >= $2 ORDER BY size LIMIT $3";
        let (from, max) = (from.cast_signed(), i64::from(max.min(HEADS_READ_MAX)));
        let rows = query(&self.shared.pool, sql, &[&self.origin(), &from, &max]).await?;
        rows.iter().map(head).collect()
    }

    pub(in crate::store) async fn keep_evidence(&self, found: &Evidence) -> Result<(), Fault> {
        let sql = "INSERT INTO firedoor.evidence (id, shown, own) SELECT $1, $2, $3 \
            WHERE (SELECT count(*) FROM firedoor.evidence) < $4 \
            ON CONFLICT DO NOTHING RETURNING id";
        let (id, most) = (found.id(), i64::try_from(EVIDENCE_MAX).unwrap_or(i64::MAX));
        let given: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&&id[..], &found.shown, &found.own, &most];
        query(&self.shared.pool, sql, &given).await.map(|_| ())
    }

    pub(in crate::store) async fn evidence(&self) -> Result<Vec<Evidence>, Fault> {
        let sql = "SELECT shown, own FROM firedoor.evidence ORDER BY id";
        let rows = query(&self.shared.pool, sql, &[]).await?;
        let read = |row: &Row| {
            Some(Evidence {
                shown: row.try_get(0).ok()?,
                own: row.try_get(1).ok()?,
            })
        };
        let found = rows.iter().map(|row| read(row).ok_or(DAMAGED));
        found.collect()
    }
}

fn head(row: &Row) -> Result<Head, Fault> {
    let size: i64 = row.try_get(0).map_err(|_| DAMAGED)?;
    let note: String = row.try_get(1).map_err(|_| DAMAGED)?;
    Ok((size.cast_unsigned(), note))
}
