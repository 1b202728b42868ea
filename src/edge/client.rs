//! A client of the API, as thin as it can be: one connection, one request, one whole reply.
//!
//! Used by `firedoor client`, the demo and the bench, which thereby take the same road as any
//! agency. It connects again when the server has closed, but repeats a request only if that can
//! do no harm. It never follows a redirect and never keeps a reply.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::tls::{Agreed, ClientTls, Protocol, refused_certificate};

/// Largest reply that is read.
pub const REPLY_BYTES_MAX: usize = 64 * 1024 * 1024;

const CONNECT: Duration = Duration::from_secs(15);
/// Longer than the longest long poll.
const EXCHANGE: Duration = Duration::from_secs(90);

/// A whole reply.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("cannot reach the gateway ({0})")]
    Unreachable(#[source] io::Error),
    #[error("the gateway refused the connection: {0}")]
    Certificate(&'static str),
    #[error("the gateway closed the connection before it answered")]
    Closed(#[source] hyper::Error),
    #[error("the gateway did not answer in time")]
    TimedOut,
    #[error("the path or a header cannot be sent")]
    NotSendable,
    #[error("the reply was too large or was cut off")]
    Reply,
}

enum Wire {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// One connection to one gateway, opened again as needed.
///
/// With HTTP/1.1 requests wait for one another; with HTTP/2 they run side by side.
pub struct Client {
    address: SocketAddr,
    server_name: String,
    tls: ClientTls,
    wire: Mutex<Option<(Wire, Agreed)>>,
}

/// A request that failed, and whether to send it again.
struct Failed {
    error: ClientError,
    again: bool,
}

impl Client {
    /// Connects at once. That the server refuses our certificate may show only at the first
    /// request: in TLS 1.3 the client's part of the handshake is over before the server has seen it.
    pub async fn connect(
        address: SocketAddr,
        server_name: &str,
        tls: ClientTls,
    ) -> Result<Self, ClientError> {
        let client = Self {
            address,
            server_name: server_name.to_owned(),
            tls,
            wire: Mutex::new(None),
        };
        let opened = client.open().await?;
        *client.wire.lock().await = Some(opened);
        Ok(client)
    }

    /// What the last handshake agreed on.
    pub async fn agreed(&self) -> Option<Agreed> {
        self.wire
            .lock()
            .await
            .as_ref()
            .map(|(_, agreed)| agreed.clone())
    }

    /// Sends one request and reads its whole reply. `path` begins with `/` and may have a query.
    ///
    /// A request that the server certainly did not see is sent again, once; so is one that it may
    /// have seen if it is a GET or carries an `Idempotency-Key`, which is what that key is for.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Reply, ClientError> {
        let body = body.into();
        let repeatable = method == Method::GET
            || method == Method::HEAD
            || headers
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case("idempotency-key"));
        let exchange = async {
            let mut tried = false;
            loop {
                match self
                    .once(&method, path, headers, body.clone(), repeatable)
                    .await
                {
                    Ok(reply) => return Ok(reply),
                    Err(failed) if failed.again && !tried => tried = true,
                    Err(failed) => return Err(failed.error),
                }
            }
        };
        timeout(EXCHANGE, exchange)
            .await
            .unwrap_or(Err(ClientError::TimedOut))
    }

    async fn once(
        &self,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
        repeatable: bool,
    ) -> Result<Reply, Failed> {
        let finally = |error| Failed {
            error,
            again: false,
        };
        let mut wire = self.wire.lock().await;
        // Taken out, so that a wire on which a request was given up is not used again.
        let (open, agreed) = match wire.take() {
            Some((open, agreed)) if open.is_open() => (open, agreed),
            Some(_) | None => self.open().await.map_err(finally)?,
        };
        let request = self
            .build(method, path, headers, body, agreed.protocol)
            .map_err(finally)?;
        let failed = |sent: TrySendError<Request<Full<Bytes>>>| {
            let unseen = sent.message().is_some();
            let again = |error: &ClientError| {
                (unseen || repeatable) && !matches!(error, ClientError::Certificate(_))
            };
            let error = closed(sent.into_error());
            Failed {
                again: again(&error),
                error,
            }
        };
        match open {
            Wire::Http1(mut sender) => {
                sender.ready().await.map_err(|error| {
                    let error = closed(error);
                    Failed {
                        again: !matches!(error, ClientError::Certificate(_)),
                        error,
                    }
                })?;
                let reply = sender.try_send_request(request).await.map_err(failed)?;
                let reply = whole(reply).await.map_err(finally)?;
                *wire = Some((Wire::Http1(sender), agreed));
                Ok(reply)
            }
            Wire::Http2(mut sender) => {
                *wire = Some((Wire::Http2(sender.clone()), agreed));
                drop(wire);
                let reply = sender.try_send_request(request).await.map_err(failed)?;
                whole(reply).await.map_err(finally)
            }
        }
    }

    fn build(
        &self,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
        protocol: Protocol,
    ) -> Result<Request<Full<Bytes>>, ClientError> {
        let host = format!("{}:{}", self.server_name, self.address.port());
        let target = match protocol {
            Protocol::Http1 => path.to_owned(),
            Protocol::Http2 => format!("https://{host}{path}"),
        };
        let target: Uri = target.parse().map_err(|_| ClientError::NotSendable)?;
        let mut request = Request::builder().method(method).uri(target);
        if protocol == Protocol::Http1 {
            request = request.header(header::HOST, host);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request
            .body(Full::new(body))
            .map_err(|_| ClientError::NotSendable)
    }

    async fn open(&self) -> Result<(Wire, Agreed), ClientError> {
        let connecting = async {
            let tcp = TcpStream::connect(self.address).await?;
            tcp.set_nodelay(true)?;
            self.tls.connect(tcp, &self.server_name).await
        };
        let stream = match timeout(CONNECT, connecting).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                return Err(match refused_certificate(&error) {
                    Some(why) => ClientError::Certificate(why),
                    None => ClientError::Unreachable(error),
                });
            }
            Err(_) => return Err(ClientError::TimedOut),
        };
        let agreed = ClientTls::agreed(&stream);
        let io = TokioIo::new(stream);
        let wire = match agreed.protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1::handshake(io).await.map_err(closed)?;
                // Its errors reach whoever waits for a reply.
                tokio::spawn(connection);
                Wire::Http1(sender)
            }
            Protocol::Http2 => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), io)
                    .await
                    .map_err(closed)?;
                tokio::spawn(connection);
                Wire::Http2(sender)
            }
        };
        Ok((wire, agreed))
    }
}

impl Wire {
    fn is_open(&self) -> bool {
        match self {
            Self::Http1(sender) => !sender.is_closed(),
            Self::Http2(sender) => !sender.is_closed(),
        }
    }
}

fn closed(error: hyper::Error) -> ClientError {
    match refused_certificate(&error) {
        Some(why) => ClientError::Certificate(why),
        None => ClientError::Closed(error),
    }
}

async fn whole(reply: axum::http::Response<Incoming>) -> Result<Reply, ClientError> {
    let (head, body) = reply.into_parts();
    let body = Limited::new(body, REPLY_BYTES_MAX)
        .collect()
        .await
        .map_err(|error| match error.downcast::<hyper::Error>() {
            Ok(error) => closed(*error),
            Err(error) => {
                debug_assert!(error.is::<LengthLimitError>());
                ClientError::Reply
            }
        })?;
    Ok(Reply {
        status: head.status,
        headers: head.headers,
        body: body.to_bytes(),
    })
}
