//! What goes on in one connection: which requests are open, and since when a reply waits to be taken.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};
use tokio::sync::{Notify, mpsc};

use super::Limits;

/// Held by every request that runs; when all are gone, the receiver ends.
pub(super) type Running = mpsc::Sender<Infallible>;

/// What goes on in one connection, for its limits.
pub(super) struct Life {
    began: Instant,
    now: Mutex<Exchanges>,
    pub(super) closing: Notify,
}

struct Exchanges {
    next: u64,
    /// Since when a reply is being sent; `None` while a handler still works.
    open: BTreeMap<u64, Option<Instant>>,
    quiet_since: Instant,
}

pub(super) enum Verdict {
    GoOn,
    Close,
    Cut,
}

impl Life {
    pub(super) fn new() -> Self {
        let began = Instant::now();
        Self {
            began,
            now: Mutex::new(Exchanges {
                next: 0,
                open: BTreeMap::new(),
                quiet_since: began,
            }),
            closing: Notify::new(),
        }
    }

    fn exchanges(&self) -> MutexGuard<'_, Exchanges> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn verdict(
        &self,
        limits: &Limits,
        closing: Option<Instant>,
        now: Instant,
    ) -> Verdict {
        let exchanges = self.exchanges();
        let past = |since: Instant, limit: Duration| now.saturating_duration_since(since) > limit;
        let slow = |since: &Option<Instant>| since.is_some_and(|since| past(since, limits.write));
        if exchanges.open.values().any(slow)
            || closing.is_some_and(|since| past(since, limits.finish))
        {
            return Verdict::Cut;
        }
        let quiet = exchanges.open.is_empty() && past(exchanges.quiet_since, limits.idle);
        if quiet || past(self.began, limits.age) {
            Verdict::Close
        } else {
            Verdict::GoOn
        }
    }
}

/// One request and its reply, from the head of the one to the last byte of the other.
pub(super) struct Exchange {
    pub(super) life: Arc<Life>,
    number: u64,
    pub(super) running: Running,
}

impl Exchange {
    pub(super) fn begin(life: &Arc<Life>, running: Running) -> Self {
        let mut exchanges = life.exchanges();
        let number = exchanges.next;
        exchanges.next = number.wrapping_add(1);
        exchanges.open.insert(number, None);
        Self {
            life: Arc::clone(life),
            number,
            running,
        }
    }

    pub(super) fn answered(&self) {
        let mut exchanges = self.life.exchanges();
        exchanges.open.insert(self.number, Some(Instant::now()));
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let mut exchanges = self.life.exchanges();
        exchanges.open.remove(&self.number);
        exchanges.quiet_since = Instant::now();
    }
}

/// What is handed to the connection at once. The rest stays here, where the limit on writing sees
/// that the client does not take it.
const CHUNK_BYTES_MAX: usize = 16 * 1024;

/// A reply's body, which ends its exchange when the last of it has been handed over.
pub(super) struct Sending {
    body: Body,
    rest: Bytes,
    #[expect(dead_code, reason = "ends when the body does")]
    exchange: Exchange,
}

impl Sending {
    pub(super) fn new(body: Body, exchange: Exchange) -> Self {
        Self {
            body,
            rest: Bytes::new(),
            exchange,
        }
    }

    fn chunk(&mut self) -> Frame<Bytes> {
        let length = self.rest.len().min(CHUNK_BYTES_MAX);
        Frame::data(self.rest.split_to(length))
    }
}

impl hyper::body::Body for Sending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(self.chunk())));
        }
        match std::task::ready!(Pin::new(&mut self.body).poll_frame(context)) {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    self.rest = data;
                    Poll::Ready(Some(Ok(self.chunk())))
                }
                Err(trailers) => Poll::Ready(Some(Ok(trailers))),
            },
            end => Poll::Ready(end),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, body) = (self.rest.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        if let Some(upper) = body.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint.set_lower(body.lower().saturating_add(rest));
        hint
    }
}
