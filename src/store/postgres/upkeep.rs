//! What a node does beside its commits: it erases the keys of removed items, and drops what has
//! expired. Everything here may be interrupted and done again, by any node; no decision waits for
//! it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::connect::query;
use super::{Shared, restored};
use crate::domain::time::When;
use crate::store::{COUNTERS_KEPT_HOURS, Fault};

/// How often a node looks for erasures that another node did not finish, and drops what expired.
const SWEEP: Duration = Duration::from_secs(60);
const ERASE_SLOTS_MAX: i64 = 1000;

/// Erases right after a commit that removed something, and at start and now and then what others
/// left behind.
pub(super) async fn sweep(shared: Arc<Shared>) {
    let mut tick = tokio::time::interval(SWEEP);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let due = tokio::select! {
            () = shared.erase.notified() => false,
            _ = tick.tick() => true,
        };
        if let Err(error) = shared.erase_removed().await {
            tracing::warn!(%error, "keys of removed items are not erased yet; trying again");
        }
        if due && let Err(error) = shared.slots.learn().await {
            tracing::warn!(%error, "how far erasure is cannot be learned; trying again");
        }
        // Another node was shown a larger log: this one signs no more either.
        if due && let Ok(true) = restored::is_rolled_back(&shared.pool, &shared.log).await {
            shared.rolled_back.store(true, Ordering::Release);
        }
        if due && let Err(error) = shared.drop_expired().await {
            tracing::warn!(%error, "expired rows were not dropped; trying again");
        }
    }
}

impl Shared {
    /// Deletes the keys of removed items, then forgets that they were to be deleted. Interrupted
    /// anywhere, it can be done again, by any node.
    pub(super) async fn erase_removed(&self) -> Result<(), Fault> {
        loop {
            let sql = "SELECT slot FROM firedoor.erasures LIMIT $1";
            let rows = query(&self.pool, sql, &[&ERASE_SLOTS_MAX]).await?;
            let slots: Vec<i64> = rows.iter().filter_map(|row| row.try_get(0).ok()).collect();
            if slots.is_empty() {
                return Ok(());
            }
            self.slots.erase(&slots).await?;
            self.slots.learn().await?;
            let sql = "DELETE FROM firedoor.erasures WHERE slot = ANY($1)";
            query(&self.pool, sql, &[&slots]).await?;
        }
    }

    async fn drop_expired(&self) -> Result<(), Fault> {
        let now = When::from_millis(self.last_time.load(Ordering::Acquire));
        let sql = "DELETE FROM firedoor.replays WHERE until <= $1";
        query(&self.pool, sql, &[&now.millis()]).await?;
        let sql = "DELETE FROM firedoor.counters WHERE at < $1";
        let kept = now.plus_hours(-COUNTERS_KEPT_HOURS).millis();
        query(&self.pool, sql, &[&kept]).await?;
        Ok(())
    }
}
