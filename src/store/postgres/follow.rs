//! What a node learns of the other nodes' commits, a few times a second. No decision waits for it.

use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use super::connect::query;
use crate::domain::leaf::Leaf;
use crate::store::Fault;

/// How often a node looks for what other nodes have committed.
const POLL: Duration = Duration::from_millis(250);

/// Learns of other nodes' commits. Polling and not LISTEN: one small query, on every engine.
pub(super) async fn follow(shared: Arc<Shared>) {
    let mut tick = tokio::time::interval(POLL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let followed = shared.follow_once().await;
        shared.silent(followed.is_err());
    }
}

impl Shared {
    async fn follow_once(&self) -> Result<(), Fault> {
        let sql = "SELECT h.size, l.leaf FROM firedoor.head h \
                   JOIN firedoor.leaves l ON l.idx = h.size - 1 WHERE h.one = 1";
        let rows = query(&self.pool, sql, &[]).await?;
        for row in &rows {
            let damaged = |_| Fault::Unreadable("the head is damaged");
            let size: i64 = row.try_get(0).map_err(damaged)?;
            if let Ok(leaf) = Leaf::parse(row.try_get(1).map_err(damaged)?) {
                self.advanced(size.cast_unsigned(), leaf.when());
            }
        }
        Ok(())
    }
}
