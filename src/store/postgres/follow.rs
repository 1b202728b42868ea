//! What a node learns of the log beside its own commits: that other nodes have committed, and
//! whether the database can still be believed and written. No decision waits for it.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{ClientWrapper, Object};

use super::batcher::Trouble;
use super::connect::{SILENT, why};
use super::rows;
use super::tip::{Found, Tip};
use super::{STATEMENT_TIMEOUT, Shared};

/// How often a node looks for what other nodes have committed.
const POLL: Duration = Duration::from_millis(250);

/// Learns of other nodes' commits. Polling and not LISTEN: one small query, on every engine.
pub(super) async fn follow(shared: Arc<Shared>) {
    let mut tick = tokio::time::interval(POLL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let reads = shared.newest().await.err();
        let stopped = shared.condition().writes.is_some();
        // No caller may come who would find out that it is over.
        let again = stopped && reads.is_none() && shared.confirm().await.is_ok();
        let mut condition = shared.condition();
        condition.reads = reads;
        if again {
            condition.writes = None;
        }
    }
}

impl Shared {
    /// The log's end in the database now, which is checked to follow from all that was seen here.
    pub(super) async fn newest(&self) -> Result<Arc<Tip>, &'static str> {
        let known = self.tip();
        self.with_connection(async |connection: &ClientWrapper| {
            let (size, checkpoint, since) = rows::look(connection, known.size()).await?;
            let found = Found {
                size: size.cast_unsigned(),
                checkpoint: &checkpoint,
            };
            let tip = self.follow_up(connection, &known, &found, &since).await?;
            self.advanced(tip.clone());
            Ok(tip)
        })
        .await
    }

    /// Whether the database makes something durable.
    pub(super) async fn confirm(&self) -> Result<(), &'static str> {
        self.with_connection(async |connection: &ClientWrapper| {
            connection.batch_execute(rows::CONFIRM).await?;
            Ok(())
        })
        .await
    }

    /// A server that does not answer, or is not to be believed, is left.
    async fn with_connection<T>(
        &self,
        work: impl AsyncFnOnce(&ClientWrapper) -> Result<T, Trouble>,
    ) -> Result<T, &'static str> {
        let pooled = self.pool.get().await.map_err(|error| why(&error))?;
        let place = self.pool.place();
        let done = tokio::time::timeout(STATEMENT_TIMEOUT, work(&pooled)).await;
        let trouble = match done {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(trouble)) => trouble,
            Err(_) => {
                self.pool.leave(place);
                Trouble::Lost
            }
        };
        drop(Object::take(pooled));
        if let Trouble::Astray(_) = trouble {
            self.pool.leave(place);
        }
        Err(match trouble {
            Trouble::Astray(why) | Trouble::Refused(why) => why,
            Trouble::Race | Trouble::Lost | Trouble::Full => SILENT,
        })
    }
}
