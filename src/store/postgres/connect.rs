//! Connections to PostgreSQL: pools and TLS.
//!
//! Nothing leaves this machine in the clear: a server elsewhere is reached over TLS or not at all.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts};
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{OpenError, STATEMENT_TIMEOUT};
use crate::store::Fault;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

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

/// One statement that reads, which is one moment; `Unreadable` when the database does not answer.
pub(super) async fn query(
    pool: &Pool,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Vec<tokio_postgres::Row>, Fault> {
    const SILENT: Fault = Fault::Unreadable("the database does not answer");
    let ask = async {
        let client = pool.get().await.map_err(|_| SILENT)?;
        let asked = async {
            let statement = client.prepare_cached(sql).await?;
            client.query(&statement, parameters).await
        };
        match asked.await {
            Ok(rows) => Ok(rows),
            Err(_) => {
                // The next caller gets a fresh connection.
                drop(Object::take(client));
                Err(SILENT)
            }
        }
    };
    let answer = tokio::time::timeout(STATEMENT_TIMEOUT, ask).await;
    answer.unwrap_or(Err(SILENT))
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
