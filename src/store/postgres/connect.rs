//! Connections to PostgreSQL: which server, over TLS, and whether what it says may be believed.
//!
//! Nothing leaves this machine in the clear: a server elsewhere is reached over TLS or not at all.
//! With several hosts a node keeps to one of them until it fails: two servers that both take
//! writes, because an old primary came back, must not be asked in turn. No connection is handed out
//! whose server may lose what it acknowledged, or knows less than this node has seen.

use std::ops::Deref;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool_postgres::{
    ClientWrapper, ConfigConnectImpl, Connect, Hook, HookError, Manager, ManagerConfig, Object,
    Pool, PoolError, RecyclingMethod, Runtime, Timeouts,
};
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Error, NoTls, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{OpenError, STATEMENT_TIMEOUT};
use crate::store::Fault;

/// For one host; then the next is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// For a connection from the pool, over all hosts.
const POOL_TIMEOUT: Duration = Duration::from_secs(5);
/// A server that vanished without a word is noticed after about this long.
const VANISHED_TIMEOUT: Duration = Duration::from_secs(10);
/// A statement that only reads is sent again if its connection broke.
const QUERY_TRIES_MAX: u32 = 2;

pub(super) const SILENT: &str = "the database does not answer";
pub(super) const BEHIND: &str = "the database is behind what this node has seen of it: \
    it was restored from an old copy, or an old primary came back";
pub(super) const UNSAFE: &str = "the database server may lose what it acknowledged";

/// One of the two databases, at whichever of its hosts takes writes. Clones share the pool.
#[derive(Clone)]
pub(super) struct Database {
    pool: Pool,
    route: Arc<Route>,
    floor: Arc<AtomicU64>,
}

impl Deref for Database {
    type Target = Pool;

    fn deref(&self) -> &Pool {
        &self.pool
    }
}

impl Database {
    /// Connects only when it is first used.
    pub(super) fn new(
        url: &str,
        tls: Option<&rustls::ClientConfig>,
        size: usize,
    ) -> Result<Self, OpenError> {
        let mut config: Config = url.parse().map_err(|_| OpenError::Url)?;
        // A standby answers from the past.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        config.application_name("firedoor");
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        config.tcp_user_timeout(VANISHED_TIMEOUT);
        config.keepalives_idle(VANISHED_TIMEOUT / 2);
        config.keepalives_interval(VANISHED_TIMEOUT / 5);
        config.keepalives_retries(3);
        let encrypt = !is_local(&config) || config.get_ssl_mode() == SslMode::Require;
        let settings = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let ssl_mode = if encrypt {
            SslMode::Require
        } else {
            SslMode::Disable
        };
        config.ssl_mode(ssl_mode);
        let route = Arc::new(Route::new(&config));
        let manager = match (encrypt, tls) {
            (true, None) => return Err(OpenError::NoTls),
            (true, Some(tls)) => {
                let keeping = Keeping::new(MakeRustlsConnect::new(tls.clone()), &route);
                Manager::from_connect(config, keeping, settings)
            }
            (false, _) => Manager::from_connect(config, Keeping::new(NoTls, &route), settings),
        };
        let floor = Arc::new(AtomicU64::new(0));
        let (known, of_floor) = (route.clone(), floor.clone());
        let pool = Pool::builder(manager)
            .max_size(size.max(2))
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts {
                wait: Some(POOL_TIMEOUT),
                create: Some(POOL_TIMEOUT),
                recycle: Some(POOL_TIMEOUT),
            })
            .post_create(Hook::async_fn(move |client, _| {
                let (route, floor) = (known.clone(), of_floor.clone());
                Box::pin(async move {
                    let place = route.place();
                    let checked = check(client, &floor).await;
                    if matches!(checked, Err(HookError::Message(_))) {
                        route.leave(place);
                    }
                    checked
                })
            }))
            .pre_recycle(Hook::sync_fn({
                let route = route.clone();
                move |_, metrics| match metrics.created < route.since() {
                    true => Err(HookError::message("of a server that was left")),
                    false => Ok(()),
                }
            }))
            .build()
            .map_err(|_| OpenError::Url)?;
        Ok(Self { pool, route, floor })
    }

    /// Names the server that connections now lead to, for [`Self::leave`].
    pub(super) fn place(&self) -> usize {
        self.route.place()
    }

    /// Drops every connection to that server and goes on with the next host, if it is not left
    /// already. With one host it connects anew.
    pub(super) fn leave(&self, place: usize) {
        self.route.leave(place);
    }

    pub(super) fn hosts(&self) -> usize {
        self.route.hosts.len()
    }

    /// A server whose log is smaller than this is not believed from now on.
    pub(super) fn raise_floor(&self, size: u64) {
        self.floor.fetch_max(size, Ordering::AcqRel);
    }
}

/// The hosts of a database, and the one that is kept to.
struct Route {
    /// The configuration for each host alone.
    hosts: Vec<Config>,
    /// Counts up; modulo the number of hosts it is the place of the one kept to.
    place: AtomicUsize,
    /// Connections made before this lead to a server that was left.
    since: Mutex<Instant>,
}

impl Route {
    fn new(all: &Config) -> Self {
        let count = all.get_hosts().len().max(all.get_hostaddrs().len()).max(1);
        Self {
            hosts: (0..count).map(|place| alone(all, place)).collect(),
            place: AtomicUsize::new(0),
            since: Mutex::new(Instant::now()),
        }
    }

    fn place(&self) -> usize {
        self.place.load(Ordering::Acquire)
    }

    fn host(&self, place: usize) -> Option<&Config> {
        self.hosts.get(place % self.hosts.len())
    }

    fn since(&self) -> Instant {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leave(&self, place: usize) {
        // Held over both, so that whoever sees the new place finds the old connections gone.
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        let next = place.wrapping_add(1);
        let moved = self
            .place
            .compare_exchange(place, next, Ordering::AcqRel, Ordering::Acquire);
        if moved.is_ok() {
            *since = Instant::now();
        }
    }
}

/// The same configuration with one of its hosts.
fn alone(all: &Config, place: usize) -> Config {
    let mut one = Config::new();
    if let Some(user) = all.get_user() {
        one.user(user);
    }
    if let Some(password) = all.get_password() {
        one.password(password);
    }
    if let Some(database) = all.get_dbname() {
        one.dbname(database);
    }
    if let Some(options) = all.get_options() {
        one.options(options);
    }
    if let Some(name) = all.get_application_name() {
        one.application_name(name);
    }
    if let Some(timeout) = all.get_connect_timeout() {
        one.connect_timeout(*timeout);
    }
    if let Some(timeout) = all.get_tcp_user_timeout() {
        one.tcp_user_timeout(*timeout);
    }
    one.keepalives(all.get_keepalives())
        .keepalives_idle(all.get_keepalives_idle());
    if let Some(interval) = all.get_keepalives_interval() {
        one.keepalives_interval(interval);
    }
    if let Some(retries) = all.get_keepalives_retries() {
        one.keepalives_retries(retries);
    }
    one.ssl_mode(all.get_ssl_mode())
        .ssl_negotiation(all.get_ssl_negotiation())
        .channel_binding(all.get_channel_binding())
        .target_session_attrs(all.get_target_session_attrs());
    match all.get_hosts().get(place) {
        Some(Host::Tcp(name)) => one.host(name),
        Some(Host::Unix(path)) => one.host_path(path),
        None => &mut one,
    };
    if let Some(address) = all.get_hostaddrs().get(place) {
        one.hostaddr(*address);
    }
    let ports = all.get_ports();
    if let Some(port) = ports.get(place).or(ports.first()) {
        one.port(*port);
    }
    one
}

/// Connects to the host that is kept to; to the next one when that fails.
struct Keeping<T>
where
    T: MakeTlsConnect<Socket> + Clone + Sync + Send + 'static,
    T::Stream: Sync + Send,
    T::TlsConnect: Sync + Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    connect: ConfigConnectImpl<T>,
    route: Arc<Route>,
}

impl<T> Keeping<T>
where
    T: MakeTlsConnect<Socket> + Clone + Sync + Send + 'static,
    T::Stream: Sync + Send,
    T::TlsConnect: Sync + Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    fn new(tls: T, route: &Arc<Route>) -> Self {
        Self {
            connect: ConfigConnectImpl { tls },
            route: route.clone(),
        }
    }
}

type Connected = Result<(Client, JoinHandle<()>), Error>;

impl<T> Connect for Keeping<T>
where
    T: MakeTlsConnect<Socket> + Clone + Sync + Send + 'static,
    T::Stream: Sync + Send,
    T::TlsConnect: Sync + Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    fn connect(&self, all: &Config) -> Pin<Box<dyn Future<Output = Connected> + Send + '_>> {
        let all = all.clone();
        Box::pin(async move {
            let mut left = self.route.hosts.len();
            loop {
                let place = self.route.place();
                let mut trying = Trying {
                    route: &self.route,
                    place,
                    gave_up: true,
                };
                let host = self.route.host(place).unwrap_or(&all);
                let connected = self.connect.connect(host).await;
                trying.gave_up = connected.as_ref().is_err_and(points_elsewhere);
                drop(trying);
                left = left.saturating_sub(1);
                match connected {
                    // Left meanwhile: this connection would lead to another server than the rest.
                    Ok(_) if self.route.place() != place => {}
                    Err(ref error) if left > 0 && points_elsewhere(error) => {}
                    connected => return connected,
                }
            }
        })
    }
}

/// While a host is tried. Dropped in the middle, because it does not answer in time, it is left.
struct Trying<'a> {
    route: &'a Route,
    place: usize,
    gave_up: bool,
}

impl Drop for Trying<'_> {
    fn drop(&mut self) {
        if self.gave_up && self.route.hosts.len() > 1 {
            self.route.leave(self.place);
        }
    }
}

/// Whether another host may do better: this one answers that it is busy, or does not know us.
fn points_elsewhere(error: &Error) -> bool {
    match error.code() {
        None => true,
        Some(code) => *code != SqlState::TOO_MANY_CONNECTIONS && !code.code().starts_with("28"),
    }
}

/// What is asked of a server before anything else, on every connection: after a failover it is
/// another one than at the start.
async fn check(client: &ClientWrapper, floor: &AtomicU64) -> Result<(), HookError> {
    // A COMMIT that the server cancels while it waits for its standby is reported as done.
    let limit = "SET statement_timeout = 0";
    let doubtful = "SELECT 1 FROM pg_settings \
        WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off' \
            OR name = 'synchronous_commit' AND setting NOT IN ('on', 'remote_apply')";
    let (set, doubtful) =
        tokio::join!(client.batch_execute(limit), client.query_opt(doubtful, &[]));
    if let Err(error) = set
        && error.code().is_none()
    {
        return Err(HookError::Backend(error));
    }
    if doubtful.map_err(HookError::Backend)?.is_some() {
        return Err(HookError::message(UNSAFE));
    }
    let floor = floor.load(Ordering::Acquire);
    if floor > 0 {
        let sql = "SELECT size FROM firedoor.head WHERE one = 1";
        let size = match client.query_opt(sql, &[]).await {
            Ok(Some(row)) => row.try_get(0).map_err(HookError::Backend)?,
            Ok(None) => 0_i64,
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => 0,
            Err(error) => return Err(HookError::Backend(error)),
        };
        if size < floor.cast_signed() {
            return Err(HookError::message(BEHIND));
        }
    }
    Ok(())
}

/// Why the pool gave no connection, in words that do not change.
pub(super) fn why(error: &PoolError) -> &'static str {
    match error {
        PoolError::PostCreateHook(HookError::Message(message)) if message == BEHIND => BEHIND,
        PoolError::PostCreateHook(HookError::Message(message)) if message == UNSAFE => UNSAFE,
        PoolError::PostCreateHook(_)
        | PoolError::Timeout(_)
        | PoolError::Backend(_)
        | PoolError::Closed
        | PoolError::NoRuntimeSpecified => SILENT,
    }
}

/// The same at a start.
pub(super) fn unreachable(error: PoolError) -> OpenError {
    match why(&error) {
        UNSAFE => OpenError::NotDurable,
        _ => OpenError::Unreachable(error),
    }
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

/// One statement that may be done twice: one that reads, which is one moment, one that deletes, or
/// one that changes only what it expects.
/// `Unreadable` when the database does not answer.
pub(super) async fn query(
    database: &Database,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Vec<tokio_postgres::Row>, Fault> {
    for _ in 0..QUERY_TRIES_MAX {
        let client = database.get().await;
        let client = client.map_err(|error| Fault::Unreadable(why(&error)))?;
        let place = database.place();
        let asked = async {
            let statement = client.prepare_cached(sql).await?;
            client.query(&statement, parameters).await
        };
        let asked = tokio::time::timeout(STATEMENT_TIMEOUT, asked).await;
        if let Ok(Ok(rows)) = asked {
            return Ok(rows);
        }
        // The next caller gets a fresh connection.
        drop(Object::take(client));
        match asked {
            Err(_) => {
                database.leave(place);
                break;
            }
            Ok(Err(error)) if error.code().is_some() => break,
            Ok(_) => {}
        }
    }
    Err(Fault::Unreadable(SILENT))
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
            let opened = Database::new(url, None, 2);
            assert!(matches!(opened, Err(OpenError::NoTls)), "{url}");
        }
        for url in [
            "postgresql://gateway@localhost/firedoor",
            "postgresql://gateway@[::1]:5433/firedoor",
            "host=/run/postgresql user=gateway dbname=firedoor",
        ] {
            assert!(Database::new(url, None, 2).is_ok(), "{url}");
        }
    }

    #[test]
    fn each_host_is_the_whole_configuration_with_one_host() {
        let url = "postgresql://gateway:word@one:5433,two:5434/firedoor?sslmode=require\
                   &options=-c%20search_path%3Dx&hostaddr=192.0.2.1,192.0.2.2\
                   &connect_timeout=7&keepalives_idle=9&target_session_attrs=read-write";
        let all: Config = url.parse().unwrap();
        let one = |name: &str, port: u16, address: &str| {
            let url = url.replace("one:5433,two:5434", &format!("{name}:{port}"));
            url.replace("192.0.2.1,192.0.2.2", address)
                .parse::<Config>()
                .unwrap()
        };
        assert_eq!(alone(&all, 0), one("one", 5433, "192.0.2.1"));
        assert_eq!(alone(&all, 1), one("two", 5434, "192.0.2.2"));
    }

    #[test]
    fn a_host_is_left_once_however_many_find_it_gone() {
        let route = Route::new(&"postgresql://one,two,three/x".parse().unwrap());
        assert_eq!(route.hosts.len(), 3);
        let (place, since) = (route.place(), route.since());
        route.leave(place);
        route.leave(place);
        assert_eq!(route.place(), place + 1);
        assert!(route.since() > since);
    }
}
