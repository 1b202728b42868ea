//! Connections: who may hold how many, for how long, and what surrounds each request.
//!
//! Every request carries a [`Peer`](crate::domain::peer::Peer) that was checked for it, not for its connection (P1), and the
//! instant of its receipt, from which the boundary of P5 is counted. A request runs in a task of
//! its own, so that a client who hangs up cannot cut a decision in half. Nothing here reads a
//! body or knows a route, and no error says what was in a request.

mod exchange;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, Version, header};
use axum::response::Response;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tower::{Service, ServiceExt};

use super::limits::{Slot, Slots};
use super::tls::{NotAccepted, PeerCertificate, Protocol, TlsState};
use crate::domain::id::OrgId;
use exchange::{Exchange, Life, Running, Sending, Verdict};

/// Largest request body (contract).
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// A revocation counts at the latest this long after its list was published.
const CERTIFICATES_LOOK_EVERY: Duration = Duration::from_secs(2);

/// How much a connection may take. The defaults suit a borough; every one can be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    pub connections_max: usize,
    pub connections_per_organisation_max: usize,
    /// Strangers and clients alike, before the handshake is done.
    pub handshakes_max: usize,
    pub handshakes_per_address_max: usize,
    pub handshake: Duration,
    /// For a request's head; with HTTP/1.1 also the longest pause between two requests.
    pub head: Duration,
    /// A connection on which nothing happens is closed.
    pub idle: Duration,
    /// For a client to take a whole reply (P8).
    pub write: Duration,
    /// Then the client shakes hands anew.
    pub age: Duration,
    /// For what was accepted to finish, when a connection or the gateway closes.
    pub finish: Duration,
    pub head_bytes_max: u32,
    pub headers_max: usize,
    pub streams_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 1_024,
            connections_per_organisation_max: 128,
            handshakes_max: 256,
            handshakes_per_address_max: 64,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            write: Duration::from_secs(30),
            age: Duration::from_secs(600),
            finish: Duration::from_secs(45),
            head_bytes_max: 16 * 1024,
            headers_max: 64,
            streams_max: 100,
        }
    }
}

impl Limits {
    /// How often a connection is looked at: often enough for its shortest limit.
    fn look_every(&self) -> Duration {
        let shortest = self.idle.min(self.write).min(self.age).min(self.finish);
        (shortest / 4).clamp(Duration::from_millis(10), Duration::from_secs(1))
    }
}

/// When the head of a request had been read. Put into the request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct ReceivedAt(pub Instant);

/// The three replies that are given here because no handler can: made by whoever words the others.
#[derive(Clone, Copy)]
pub struct Replies {
    /// 401 `certificate-not-accepted`, to a request with these headers.
    pub not_accepted: fn(NotAccepted, &HeaderMap) -> Response,
    /// 429 `slow-down`, with `Retry-After` in seconds: too many connections.
    pub slow_down: fn(u32) -> Response,
    /// 500: a handler broke. Says nothing about why.
    pub fault: fn() -> Response,
}

impl Default for Replies {
    fn default() -> Self {
        Self {
            not_accepted: |why, _| {
                let detail = format!("{why}. Ask the person who gave it to you for a new one.");
                problem(
                    StatusCode::UNAUTHORIZED,
                    "certificate-not-accepted",
                    &detail,
                )
            },
            slow_down: |retry_after_s| {
                let detail = "Your organisation has too many connections open. Close some.";
                let mut reply = problem(StatusCode::TOO_MANY_REQUESTS, "slow-down", detail);
                reply
                    .headers_mut()
                    .insert(header::RETRY_AFTER, HeaderValue::from(retry_after_s));
                reply
            },
            fault: || {
                let detail = "This is our mistake, not yours. Nothing was shown.";
                problem(StatusCode::INTERNAL_SERVER_ERROR, "our-mistake", detail)
            },
        }
    }
}

/// RFC 9457.
fn problem(status: StatusCode, code: &str, detail: &str) -> Response {
    let text = serde_json::json!({
        "type": code,
        "title": status.canonical_reason().unwrap_or_default(),
        "status": status.as_u16(),
        "detail": detail,
    });
    let mut reply = Response::new(Body::from(text.to_string()));
    *reply.status_mut() = status;
    let media = HeaderValue::from_static("application/problem+json");
    reply.headers_mut().insert(header::CONTENT_TYPE, media);
    reply
}

/// Why there is no whole body. About the caller, so it may be exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("the body is too large: send less at once")]
    TooLarge,
    #[error("the body was cut off: send it again")]
    CutOff,
    #[error("the body came too slowly: send it again")]
    Slow,
}

/// Reads a whole body of at most `bytes_max`, never keeping more, within the given time.
pub async fn read_body<B>(body: B, bytes_max: usize, within: Duration) -> Result<Bytes, BodyError>
where
    B: hyper::body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    // What is announced as too large need not be read at all.
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(BodyError::TooLarge);
    }
    match timeout(within, Limited::new(body, bytes_max).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge),
        Ok(Err(_)) => Err(BodyError::CutOff),
        Err(_) => Err(BodyError::Slow),
    }
}

/// What answers requests: an `axum::Router`, or any service like it.
pub trait App:
    Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send + 'static>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> App for S where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// Serves clients who show a certificate, until `stop` is ready; then finishes what was accepted.
///
/// Each request's extensions hold `Peer`, `Arc<PeerCertificate>` and [`ReceivedAt`].
pub async fn serve(
    listener: TcpListener,
    tls: Arc<TlsState>,
    limits: Limits,
    replies: Replies,
    app: impl App,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    run(listener, Front::Mutual(tls), limits, replies, app, stop).await
}

/// Serves anyone over TLS: only for the help page of those whose certificate does not work.
pub async fn serve_help(
    listener: TcpListener,
    tls: Arc<TlsState>,
    limits: Limits,
    app: impl App,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    run(
        listener,
        Front::Help(tls),
        limits,
        Replies::default(),
        app,
        stop,
    )
    .await
}

/// Serves health and metrics in the clear, on this machine only.
///
/// # Errors
/// If the listener can be reached from elsewhere.
pub async fn serve_plain_loopback(
    listener: TcpListener,
    limits: Limits,
    app: impl App,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    if !listener.local_addr()?.ip().is_loopback() {
        let why = "admin_listen must be a loopback address: 127.0.0.1 or [::1]";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    run(
        listener,
        Front::Plain,
        limits,
        Replies::default(),
        app,
        stop,
    )
    .await
}

/// Makes a panic say where it happened and nothing else: its message may hold a person's data.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let (file, line) = panic
            .location()
            .map_or(("", 0), |at| (at.file(), at.line()));
        tracing::error!(file, line, "a panic: this is a mistake in firedoor");
    }));
}

/// Takes up new certificates and revocation lists as they appear; never ends.
pub async fn keep_fresh(tls: Arc<TlsState>) {
    let mut look = interval(CERTIFICATES_LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        match tls.reload_if_changed() {
            Some(Ok(now)) => tracing::info!(generation = now.generation, "certificates reloaded"),
            Some(Err(error)) => {
                tracing::error!(%error, "certificates changed but cannot be used; the old stay");
            }
            None => {}
        }
    }
}

enum Front {
    Mutual(Arc<TlsState>),
    Help(Arc<TlsState>),
    Plain,
}

struct Gateway<A> {
    front: Front,
    limits: Limits,
    replies: Replies,
    app: A,
    organisations: Slots<OrgId>,
    addresses: Slots<IpAddr>,
    connections: Arc<Semaphore>,
    handshakes: Arc<Semaphore>,
}

/// What one newcomer takes up until the handshake is done.
struct Admission {
    _handshake: OwnedSemaphorePermit,
    _address: Slot<IpAddr>,
}

async fn run<A: App>(
    listener: TcpListener,
    front: Front,
    limits: Limits,
    replies: Replies,
    app: A,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let gateway = Arc::new(Gateway {
        organisations: Slots::new(limits.connections_per_organisation_max),
        addresses: Slots::new(limits.handshakes_per_address_max),
        connections: Arc::new(Semaphore::new(limits.connections_max)),
        handshakes: Arc::new(Semaphore::new(limits.handshakes_max)),
        front,
        limits,
        replies,
        app,
    });
    let (stopping, stopped) = watch::channel(false);
    let (running, mut all_done) = mpsc::channel(1);
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((tcp, from)) => {
                    if let Some((connection, admission)) = gateway.admit(from) {
                        let (gateway, stopped) = (Arc::clone(&gateway), stopped.clone());
                        let running = running.clone();
                        connections.spawn(async move {
                            gateway.connection(tcp, admission, stopped, running).await;
                            drop(connection);
                        });
                    }
                }
                Err(error) => {
                    // Out of files, or the newcomer has gone. Neither passes by asking at once.
                    tracing::warn!(kind = %error.kind(), "cannot accept a connection");
                    sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
    drop(listener);
    drop(running);
    stopping.send_replace(true);
    let finish = async {
        while connections.join_next().await.is_some() {}
        let _ = all_done.recv().await;
    };
    if timeout(gateway.limits.finish, finish).await.is_err() {
        tracing::warn!("stopped before every request had finished");
    }
    Ok(())
}

impl<A: App> Gateway<A> {
    /// `None` turns a newcomer away without a word: nobody yet knows who it is.
    fn admit(&self, from: SocketAddr) -> Option<(OwnedSemaphorePermit, Admission)> {
        let connection = Arc::clone(&self.connections).try_acquire_owned().ok()?;
        let admission = Admission {
            _handshake: Arc::clone(&self.handshakes).try_acquire_owned().ok()?,
            _address: self.addresses.take(&from.ip())?,
        };
        Some((connection, admission))
    }

    async fn connection(
        self: Arc<Self>,
        tcp: TcpStream,
        admission: Admission,
        stopped: watch::Receiver<bool>,
        running: Running,
    ) {
        if tcp.set_nodelay(true).is_err() {
            return;
        }
        let within = self.limits.handshake;
        match &self.front {
            Front::Mutual(tls) => {
                let (stream, certificate) = match timeout(within, tls.accept(tcp)).await {
                    Ok(Ok(accepted)) => accepted,
                    // The kind only: the text may quote the certificate.
                    Ok(Err(error)) => {
                        tracing::debug!(kind = %error.kind(), "handshake refused");
                        return;
                    }
                    Err(_) => return,
                };
                drop(admission);
                let slot = self.organisations.take(&certificate.name().organisation);
                let visitor = match slot {
                    Some(_) => Visitor::Known(Arc::clone(tls), Arc::new(certificate)),
                    None => Visitor::TooMany,
                };
                let protocol = Protocol::of_server(&stream);
                self.serve(stream, protocol, visitor, stopped, running)
                    .await;
                drop(slot);
            }
            Front::Help(tls) => {
                let Ok(Ok(stream)) = timeout(within, tls.accept_anyone(tcp)).await else {
                    return;
                };
                drop(admission);
                let protocol = Protocol::of_server(&stream);
                self.serve(stream, protocol, Visitor::Anyone, stopped, running)
                    .await;
            }
            Front::Plain => {
                drop(admission);
                self.serve(tcp, Protocol::Http1, Visitor::Anyone, stopped, running)
                    .await;
            }
        }
    }

    /// Speaks HTTP until the client, a limit or the gateway ends it.
    async fn serve(
        self: &Arc<Self>,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        protocol: Protocol,
        visitor: Visitor,
        mut stopped: watch::Receiver<bool>,
        running: Running,
    ) {
        let life = Arc::new(Life::new());
        let service = service_fn(|request| {
            let exchange = Exchange::begin(&life, running.clone());
            let (gateway, visitor) = (Arc::clone(self), visitor.clone());
            async move { Ok::<_, Infallible>(gateway.answer(request, visitor, exchange).await) }
        });
        let http = self.http(protocol);
        let mut talk = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
        let mut look = interval(self.limits.look_every());
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut closing_since = None;
        loop {
            let close = tokio::select! {
                _ = talk.as_mut() => return,
                _ = stopped.wait_for(|stopped| *stopped), if closing_since.is_none() => true,
                () = life.closing.notified() => true,
                _ = look.tick() => match life.verdict(&self.limits, closing_since, Instant::now()) {
                    Verdict::GoOn => false,
                    Verdict::Close => true,
                    // Dropping the connection resets it.
                    Verdict::Cut => return,
                },
            };
            if close && closing_since.is_none() {
                closing_since = Some(Instant::now());
                talk.as_mut().graceful_shutdown();
            }
        }
    }

    fn http(&self, protocol: Protocol) -> auto::Builder<TokioExecutor> {
        let limits = &self.limits;
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            .max_buf_size(limits.head_bytes_max.max(8_192) as usize)
            .max_headers(limits.headers_max);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams_max)
            .max_header_list_size(limits.head_bytes_max)
            // Streams opened and reset at once cost us more than the client (CVE-2023-44487).
            .max_pending_accept_reset_streams(20)
            .max_local_error_reset_streams(64)
            .initial_stream_window_size(64 * 1024)
            .initial_connection_window_size(1024 * 1024)
            .max_send_buf_size(64 * 1024)
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10));
        match protocol {
            Protocol::Http1 => builder.http1_only(),
            Protocol::Http2 => builder.http2_only(),
        }
    }

    async fn answer(
        &self,
        mut request: Request<Incoming>,
        visitor: Visitor,
        exchange: Exchange,
    ) -> Response<Sending> {
        let version = request.version();
        request.extensions_mut().insert(ReceivedAt(Instant::now()));
        let last_word = match visitor {
            Visitor::Known(tls, certificate) => match tls.recheck(&certificate, tls.now()) {
                Ok(peer) => {
                    request.extensions_mut().insert(peer);
                    request.extensions_mut().insert(certificate);
                    None
                }
                Err(why) => Some((self.replies.not_accepted)(why, request.headers())),
            },
            Visitor::Anyone => None,
            Visitor::TooMany => Some((self.replies.slow_down)(30)),
        };
        let reply = match last_word {
            None => self.run_to_the_end(request, exchange.running.clone()).await,
            Some(mut reply) => {
                exchange.life.closing.notify_one();
                if version < Version::HTTP_2 {
                    let close = HeaderValue::from_static("close");
                    reply.headers_mut().insert(header::CONNECTION, close);
                }
                reply
            }
        };
        exchange.answered();
        reply.map(|body| Sending::new(body, exchange))
    }

    /// In a task of its own: it ends even if the client has gone, and if it panics, it alone.
    async fn run_to_the_end(&self, request: Request<Incoming>, running: Running) -> Response {
        let app = self.app.clone();
        let task = tokio::spawn(async move {
            let Ok(reply) = app.oneshot(request).await;
            drop(running);
            reply
        });
        match task.await {
            Ok(reply) => reply,
            Err(_) => {
                tracing::error!("a request ended in a panic; its caller got a 500");
                (self.replies.fault)()
            }
        }
    }
}

#[derive(Clone)]
enum Visitor {
    Known(Arc<TlsState>, Arc<PeerCertificate>),
    Anyone,
    /// Known, but one connection too many: every request is told so, and the connection closes.
    TooMany,
}
