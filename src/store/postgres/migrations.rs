//! The versioned tables of the two databases, and how they came to be.
//!
//! A new step is one file under `migrations/` and one line in a list below, at its end. A step that was ever released never changes, and none is run twice or in part.

use std::time::Duration;

use deadpool_postgres::Pool;
use tokio_postgres::Client;

use super::OpenError;
use super::connect::unreachable;

/// Nodes that start together on an empty database get in each other's way at most this often.
const TRIES_MAX: u32 = 20;

/// The steps to the tables of the main database, in order; the first makes version 1.
const MAIN_STEPS: &[&str] = &[
    // A step a line.
    include_str!("migrations/0001_main.sql"),
    include_str!("migrations/0002_restored.sql"),
    include_str!("migrations/0003_holds.sql"),
    include_str!("migrations/0004_witnessed.sql"),
    include_str!("migrations/0005_names.sql"),
];

/// The same of the slots database.
const SLOTS_STEPS: &[&str] = &[
    // A step a line.
    include_str!("migrations/0001_slots.sql"),
    include_str!("migrations/0002_epochs.sql"),
];

/// The tables of one of the two databases, and how they came to be.
pub(super) struct Tables {
    pub(super) schema: &'static str,
    /// Whose presence shows that this is the *other* database.
    pub(super) other: &'static str,
    pub(super) steps: &'static [&'static str],
}

pub(super) const MAIN: Tables = Tables {
    schema: "firedoor",
    other: "firedoor_slots",
    steps: MAIN_STEPS,
};

pub(super) const SLOTS: Tables = Tables {
    schema: "firedoor_slots",
    other: "firedoor",
    steps: SLOTS_STEPS,
};

impl Tables {
    /// Brings the tables to the newest version; each step and its number are one transaction.
    pub(super) async fn migrate(&self, pool: &Pool) -> Result<(), OpenError> {
        let client = pool.get().await.map_err(unreachable)?;
        if has_schema(&client, self.other).await? {
            return Err(OpenError::SameDatabase);
        }
        let mut tries = 0;
        while let Err(error) = self.step_up(&client).await {
            // Another node may have been faster. Then the next look finds its work done.
            tries += 1;
            if tries >= TRIES_MAX {
                return Err(error);
            }
            client.batch_execute("ROLLBACK").await?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    async fn step_up(&self, client: &Client) -> Result<(), OpenError> {
        let schema = self.schema;
        if !has_schema(client, schema).await? {
            let sql = format!("CREATE SCHEMA {schema}");
            client.batch_execute(&sql).await?;
        }
        let sql =
            format!("CREATE TABLE IF NOT EXISTS {schema}.migrations (version bigint PRIMARY KEY)");
        client.batch_execute(&sql).await?;
        let sql = format!("SELECT coalesce(max(version), 0) FROM {schema}.migrations");
        let done: i64 = client.query_one(&sql, &[]).await?.try_get(0)?;
        let done = usize::try_from(done).unwrap_or(usize::MAX);
        if done > self.steps.len() {
            return Err(OpenError::Newer);
        }
        for (version, step) in (1..).zip(self.steps).skip(done) {
            let sql = format!(
                "BEGIN; INSERT INTO {schema}.migrations (version) VALUES ({version}); {step} COMMIT"
            );
            client.batch_execute(&sql).await?;
        }
        Ok(())
    }
}

async fn has_schema(client: &Client, schema: &str) -> Result<bool, tokio_postgres::Error> {
    let sql = "SELECT 1 FROM information_schema.schemata WHERE schema_name = $1::text";
    Ok(client.query_opt(sql, &[&schema]).await?.is_some())
}
