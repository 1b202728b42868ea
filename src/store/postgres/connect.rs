//! Connections to PostgreSQL: pools, TLS, and the versioned tables.
//!
//! Nothing leaves this machine in the clear: a server elsewhere is reached over TLS or not at all.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts};
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::OpenError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Nodes that start together on an empty database get in each other's way at most this often.
const MIGRATION_TRIES_MAX: u32 = 20;

/// A pool for one database. Connects only when it is first used.
pub(super) fn pool(
    url: &str,
    tls: Option<&rustls::ClientConfig>,
    size: usize,
) -> Result<Pool, OpenError> {
    let mut config: Config = url.parse().map_err(|_| OpenError::Url)?;
    // After a failover the first host may be a standby that answers from the past.
    config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    config.application_name("firedoor");
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    let encrypt = !is_local(&config) || config.get_ssl_mode() == SslMode::Require;
    let settings = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    let manager = match (encrypt, tls) {
        (true, None) => return Err(OpenError::NoTls),
        (true, Some(tls)) => {
            config.ssl_mode(SslMode::Require);
            Manager::from_config(config, MakeRustlsConnect::new(tls.clone()), settings)
        }
        (false, _) => {
            config.ssl_mode(SslMode::Disable);
            Manager::from_config(config, NoTls, settings)
        }
    };
    Pool::builder(manager)
        .max_size(size.max(2))
        .runtime(Runtime::Tokio1)
        .timeouts(Timeouts {
            wait: Some(CONNECT_TIMEOUT),
            create: Some(CONNECT_TIMEOUT),
            recycle: Some(CONNECT_TIMEOUT),
        })
        .build()
        .map_err(|_| OpenError::Url)
}

fn is_local(config: &Config) -> bool {
    let loopback = |host: &Host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost"
                || name
                    .parse()
                    .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
        }
    };
    let addresses = config.get_hostaddrs();
    config.get_hosts().iter().all(loopback) && addresses.iter().all(|ip| ip.is_loopback())
}

/// The tables of one of the two databases, and how they came to be.
pub(super) struct Tables {
    pub(super) schema: &'static str,
    /// Whose presence shows that this is the *other* database.
    pub(super) other: &'static str,
    /// In order; version 1 is the first. Only ever appended to.
    pub(super) steps: &'static [&'static str],
}

pub(super) const MAIN: Tables = Tables {
    schema: "firedoor",
    other: "firedoor_slots",
    steps: &[include_str!("migrations/0001_main.sql")],
};

pub(super) const SLOTS: Tables = Tables {
    schema: "firedoor_slots",
    other: "firedoor",
    steps: &[include_str!("migrations/0001_slots.sql")],
};

impl Tables {
    /// Brings the tables to the newest version; each step and its number are one transaction.
    pub(super) async fn migrate(&self, pool: &Pool) -> Result<(), OpenError> {
        let client = pool.get().await.map_err(OpenError::Unreachable)?;
        self.refuse_unsafe(&client).await?;
        let mut tries = 0;
        while let Err(error) = self.step_up(&client).await {
            // Another node may have been faster. Then the next look finds its work done.
            tries += 1;
            if tries >= MIGRATION_TRIES_MAX {
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

    async fn refuse_unsafe(&self, client: &Client) -> Result<(), OpenError> {
        if has_schema(client, self.other).await? {
            return Err(OpenError::SameDatabase);
        }
        let off = "SELECT 1 FROM pg_settings WHERE setting = 'off' \
                   AND name IN ('fsync', 'synchronous_commit', 'full_page_writes')";
        match client.query_opt(off, &[]).await? {
            Some(_) => Err(OpenError::NotDurable),
            None => Ok(()),
        }
    }
}

async fn has_schema(client: &Client, schema: &str) -> Result<bool, tokio_postgres::Error> {
    let sql = "SELECT 1 FROM information_schema.schemata WHERE schema_name = $1::text";
    Ok(client.query_opt(sql, &[&schema]).await?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_elsewhere_is_never_reached_in_the_clear() {
        for url in [
            "postgresql://gateway@db.example/firedoor",
            "postgresql://gateway@db.example/firedoor?sslmode=disable",
            "postgresql://gateway@localhost,db.example/firedoor",
            "postgresql://gateway@localhost/firedoor?hostaddr=192.0.2.1",
            "postgresql://gateway@localhost/firedoor?sslmode=require",
        ] {
            assert!(matches!(pool(url, None, 2), Err(OpenError::NoTls)), "{url}");
        }
        for url in [
            "postgresql://gateway@localhost/firedoor",
            "postgresql://gateway@[::1]:5433/firedoor",
            "host=/run/postgresql user=gateway dbname=firedoor",
        ] {
            assert!(pool(url, None, 2).is_ok(), "{url}");
        }
    }
}
