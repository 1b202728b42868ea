//! `firedoor serve`: opens everything, listens, and stops in order.
//!
//! Ports are taken first, so that a second gateway on the same machine ends before it touches the
//! store; they are served last, so that nobody is answered by half a gateway. A stop finishes what
//! was accepted and leaves a clean mark in the store.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::cli::CommandResult;
use super::clock::now;
use super::condition::{
    Problem, erasure_problem, evidence_problem, problems, restoration_problems, rulebook_problem,
    witnessing_problem,
};
use super::config::{Config, ConfigError};
use super::gateway::{self, OpenError};
use super::keys::forbid_core_dumps;
use super::pki::check_statement;
use super::renewing::{CannotRenew, Renewing};
use super::telemetry::{self, LogFormat, LogLevel};
use crate::edge::http::renewals::Issuer;
use crate::edge::http::{App, Settings};
use crate::edge::metrics::{Gauges, Metrics};
use crate::edge::server::{self, Replies};
use crate::edge::tls::{Clock, TlsError, TlsState};
use crate::pipeline::{Gateway, NotBegun};
use crate::store::Fault;
use crate::web;

/// Replies about a person leave at multiples of this after their request came (P5).
const BOUNDARY: Duration = Duration::from_millis(100);
/// What is wrong is told again this often.
const TOLD_EVERY: Duration = Duration::from_secs(3_600);

/// Run the gateway
#[derive(clap::Args)]
#[command(
    after_help = "Stops in order on SIGTERM and Ctrl-C. New certificates and revocation \
                        lists are taken up without a restart.\n\n\
                        Example: firedoor serve --config /etc/firedoor/firedoor.toml"
)]
pub struct Args {
    #[arg(long, default_value = "firedoor.toml")]
    config: PathBuf,
    /// How to tell what happens, on standard error
    #[arg(long, value_enum, default_value = "text")]
    log_format: LogFormat,
    #[arg(long, value_enum, default_value = "info")]
    log_level: LogLevel,
}

/// Why the gateway does not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{key}: cannot listen on {address} ({source})")]
    Listen {
        key: &'static str,
        address: SocketAddr,
        source: io::Error,
    },
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(
        "{0} shows a larger or another log with this gateway's own signature: acknowledged entries \
         are missing here, and nothing may be signed under the log's name any more. Restore the \
         newest copy that there is; or let the log go on under a new name (README.md, \"After a \
         loss\"). The proof is kept: `firedoor doctor` names it"
    )]
    GoneBack(String),
    #[error("the log cannot be compared with what witnesses saw: {0}")]
    Witnesses(#[source] Fault),
    #[error("log.succession: cannot read {0} ({1})")]
    Succession(PathBuf, #[source] io::Error),
    #[error(transparent)]
    Renewals(#[from] CannotRenew),
    #[error(transparent)]
    NotBegun(#[from] NotBegun),
    #[error("tls: {0}")]
    Tls(#[from] TlsError),
    #[error("a listener ended: {0}")]
    Listener(#[source] io::Error),
    #[error("the operating system refused: {0}")]
    System(#[source] io::Error),
    #[error("the store did not close in order: {0}")]
    Close(#[source] Fault),
}

/// The whole command: telemetry, runtime, gateway.
pub fn command(args: &Args) -> CommandResult {
    forbid_core_dumps().map_err(ServeError::System)?;
    let config = Config::read(&args.config)?;
    telemetry::start(args.log_format, args.log_level)?;
    allow_many_connections();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(ServeError::System)?;
    runtime.block_on(run(&config))?;
    Ok(ExitCode::SUCCESS)
}

/// Serves until SIGTERM, SIGINT, or a failure; then stops in order.
pub async fn run(config: &Config) -> Result<(), ServeError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::System)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::System)?;
    let mut running = start(config).await?;
    tracing::info!(
        listen = %running.address,
        admin = %running.admin_address,
        leaves = running.app.gateway.store.health().leaves,
        "serving"
    );
    let ended = tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        ended = running.ended() => ended,
    };
    tracing::info!("stopping: finishing what was accepted");
    running.stop().await?;
    tracing::info!("stopped in order");
    ended
}

/// A gateway that serves. Call [`Running::stop`]; dropping it stops without order.
pub struct Running {
    /// Where agencies connect; with port 0 in the configuration, the one that was found.
    pub address: SocketAddr,
    pub admin_address: SocketAddr,
    pub help_address: Option<SocketAddr>,
    pub app: Arc<App>,
    pub tls: Arc<TlsState>,
    stop: watch::Sender<bool>,
    listeners: JoinSet<io::Result<()>>,
    /// Aborted when dropped.
    _upkeep: JoinSet<()>,
}

impl Running {
    /// Waits until a listener ends by itself, which it should not.
    pub async fn ended(&mut self) -> Result<(), ServeError> {
        match self.listeners.join_next().await {
            Some(Ok(Ok(()))) | None => Ok(()),
            Some(Ok(Err(error))) => Err(ServeError::Listener(error)),
            Some(Err(error)) => Err(ServeError::Listener(io::Error::other(error))),
        }
    }

    /// Takes no more connections, finishes what was accepted, closes the store.
    pub async fn stop(mut self) -> Result<(), ServeError> {
        self.stop.send_replace(true);
        let mut first = Ok(());
        while !self.listeners.is_empty() {
            first = first.and(self.ended().await);
        }
        let closed = self.app.gateway.store.close().await;
        first.and(closed.map_err(ServeError::Close))
    }
}

/// Starts to serve and returns. Port 0 takes any that is free.
pub async fn start(config: &Config) -> Result<Running, ServeError> {
    let settings = Settings {
        per_user: config.limits.per_user(),
        per_organisation: config.limits.per_organisation(),
        boundary: BOUNDARY,
    };
    start_with(config, settings).await
}

/// Starts with the boundary and the rates of the bench, which serves invented people only. No
/// configuration leads here, so that nothing switches P5 off.
pub(super) async fn start_with(config: &Config, settings: Settings) -> Result<Running, ServeError> {
    let main = listen("listen", config.listen).await?;
    let admin = listen("admin_listen", config.admin_listen).await?;
    let help = match config.help_listen {
        Some(address) => Some(listen("help_listen", address).await?),
        None => None,
    };
    let bound = |listener: &TcpListener| listener.local_addr().map_err(ServeError::System);
    let (address, admin_address) = (bound(&main)?, bound(&admin)?);
    let help_address = help.as_ref().map(bound).transpose()?;

    let issuer = Renewing::open(config)?.map(|renewing| renewing as Arc<dyn Issuer>);
    let outside = gateway::outside_witnesses(config)?;
    let gateway = gateway::open(config).await?;
    let asked = witnessing::ask_before_start(&gateway, &config.origin, outside.clone()).await;
    if let Err(error) = asked {
        // After a proof the store has stopped and cannot end in order.
        let _ = gateway.store.close().await;
        return Err(error);
    }
    // Before anyone is answered: what was withdrawn since a copy is not known here.
    if let Err(error) = begin(&gateway, config).await {
        gateway.store.close().await.map_err(ServeError::Close)?;
        return Err(error);
    }
    let app = App::new(gateway, Arc::new(Metrics::default()), settings, issuer);
    let tls = match open_tls(config, &app) {
        Ok(tls) => tls,
        Err(error) => {
            // What was opened is closed in order, so that the next start need not rebuild.
            app.gateway.store.close().await.map_err(ServeError::Close)?;
            return Err(error.into());
        }
    };

    let (stop, stopped) = watch::channel(false);
    let until = || {
        let mut stopped = stopped.clone();
        // An error means that the sender is gone: stop as well.
        async move { drop(stopped.wait_for(|stop| *stop).await) }
    };
    let limits = config.limits.of_server();
    let mut listeners = JoinSet::new();
    listeners.spawn(server::serve(
        main,
        Arc::clone(&tls),
        limits.clone(),
        Replies {
            not_accepted: web::not_accepted,
            ..Replies::default()
        },
        web::router(Arc::clone(&app)),
        until(),
    ));
    listeners.spawn(server::serve_plain_loopback(
        admin,
        limits.clone(),
        admin_pages(Arc::clone(&app), Arc::clone(&tls)),
        until(),
    ));
    if let Some(help) = help {
        let pages = web::help::outside();
        listeners.spawn(server::serve_help(
            help,
            Arc::clone(&tls),
            limits,
            pages,
            until(),
        ));
    }
    let mut upkeep = JoinSet::new();
    upkeep.spawn(server::keep_fresh(Arc::clone(&tls)));
    upkeep.spawn(keep_telling(Arc::clone(&app), Arc::clone(&tls)));
    upkeep.spawn(nightly::keep_destroying(Arc::clone(&app)));
    for witness in outside {
        upkeep.spawn(witnessing::keep_asking(Arc::clone(&app), witness));
    }
    upkeep.spawn(nightly::keep_queues(Arc::clone(&app)));
    Ok(Running {
        address,
        admin_address,
        help_address,
        app,
        tls,
        stop,
        listeners,
        _upkeep: upkeep,
    })
}

/// The log says first that the store was made from a copy, or that it has a new name.
async fn begin(gateway: &Gateway, config: &Config) -> Result<(), ServeError> {
    let signed = match &config.succession {
        // Of a log that goes on as it was, it says nothing.
        Some(path) if gateway.store.restored().is_some() => {
            let read = std::fs::read_to_string(path);
            let text = read.map_err(|error| ServeError::Succession(path.clone(), error))?;
            Some(check_statement(&text).map_err(NotBegun::from)?)
        }
        Some(_) | None => None,
    };
    Ok(gateway.begin(signed.as_ref()).await?)
}

async fn listen(key: &'static str, address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| ServeError::Listen {
            key,
            address,
            source,
        })
}

fn open_tls(config: &Config, app: &Arc<App>) -> Result<Arc<TlsState>, TlsError> {
    let of = Arc::clone(app);
    // The gateway's time, which never runs backwards.
    let clock: Clock = Arc::new(move || of.gateway.time());
    TlsState::open(config.tls.clone(), &config.trust_domain, clock).map(Arc::new)
}

async fn found_problems(app: &App, tls: &TlsState) -> Vec<Problem> {
    let store = &app.gateway.store;
    let mut found = problems(&store.health(), store.last_time(), &tls.health(), now());
    // A store that cannot be read is named already, or will be by the next request.
    if let Ok(Some(restoration)) = app.gateway.restoration().await {
        found.extend(restoration_problems(&restoration));
    }
    if let Some(stands_in) = &app.gateway.rules.load().stands_in {
        found.push(rulebook_problem(stands_in));
    }
    if let Ok(witnessing) = app.gateway.witnessing().await {
        found.extend(witnessing_problem(&witnessing));
    }
    if let Ok(evidence) = store.evidence().await {
        found.extend(evidence_problem(evidence.len()));
    }
    found.extend(erasure_problem(&store.erasure(), now()));
    found
}

/// Names what is wrong at the start and every hour; never ends.
async fn keep_telling(app: Arc<App>, tls: Arc<TlsState>) {
    let mut look = interval(TOLD_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        for Problem {
            name,
            stops,
            what,
            todo,
        } in found_problems(&app, &tls).await
        {
            tracing::warn!(name, stops, what, todo, "needs attention");
        }
    }
}

/// `/healthz`: the process answers. `/readyz`: it can do its work, or what is in the way.
fn admin_pages(app: Arc<App>, tls: Arc<TlsState>) -> Router {
    let (ready_app, ready_tls) = (Arc::clone(&app), Arc::clone(&tls));
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route(
            "/readyz",
            get(async move || ready(&ready_app, &ready_tls).await),
        )
        .route("/metrics", get(async move || metrics(&app, &tls)))
}

async fn ready(app: &App, tls: &TlsState) -> Response {
    let problems = found_problems(app, tls).await;
    let ready = !problems.iter().any(|problem| problem.stops);
    let status = match ready {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (
        status,
        axum::Json(json!({ "ready": ready, "problems": problems })),
    )
        .into_response()
}

fn metrics(app: &App, tls: &TlsState) -> Response {
    let (store, tls, now) = (app.gateway.store.health(), tls.health(), now());
    let erasure = app.gateway.store.erasure();
    let left = |until: crate::domain::time::When| {
        until
            .millis()
            .saturating_sub(now.millis())
            .div_euclid(1_000)
    };
    let page = app.metrics.page(&Gauges {
        leaves: store.leaves,
        stopped: store.stopped.is_some(),
        nearly_full: store.nearly_full,
        erasures_waiting: erasure.waiting,
        erasures_completed_s: erasure
            .completed
            .map_or(0, |at| at.millis().div_euclid(1_000)),
        server_certificate_s_left: left(tls.server_not_after),
        revocation_list_s_left: left(tls.revocation_next_update),
    });
    let media = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, media)], page).into_response()
}

/// Each connection is a file. Failing to raise the limit costs connections, not promises.
fn allow_many_connections() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

mod nightly;
#[cfg(test)]
mod tests;
mod witnessing;
