//! The log as C2SP tlog-tiles: checkpoints, hash tiles and entry bundles, and what witnesses hand in.
//! Not an attempt: nothing here is about a person, and no entry of the log comes of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};

use super::App;
use super::reply;
use crate::domain::attempt::UserName;
use crate::domain::checkpoint::CHECKPOINT_BYTES_MAX;
use crate::domain::codes::Action;
use crate::domain::peer::Peer;
use crate::domain::refusal::Refusal;
use crate::domain::tiles::{TileKind, TilePath, bundle};
use crate::edge::server::read_body;
use crate::pipeline::{Fault, HandedIn};

const TEXT: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
const NOTE_WITHIN: Duration = Duration::from_secs(10);

/// Path, methods, and who answers.
pub type Route = (
    &'static str,
    &'static [&'static str],
    MethodRouter<Arc<App>>,
);

/// The routes under `/log`.
pub fn routes() -> [Route; 6] {
    [
        ("/log/checkpoint", &["GET"], get(checkpoint)),
        (
            "/log/cosignatures",
            &["GET", "POST"],
            get(to_cosign).post(hand_in),
        ),
        ("/log/witnessed", &["GET"], get(witnessed)),
        ("/log/witnessed/{size}", &["GET"], get(witnessed_size)),
        ("/log/witnessed/from/{size}", &["GET"], get(witnessed_from)),
        ("/log/{*path}", &["GET"], get(tile)),
    ]
}

/// The newest head, with the cosignatures known for exactly that one.
async fn checkpoint(State(app): State<Arc<App>>) -> Response {
    note(app.gateway.head().await.map(Some))
}

/// The head that waits for cosignatures.
async fn to_cosign(State(app): State<Arc<App>>) -> Response {
    note(app.gateway.head_to_cosign().await.map(Some))
}

/// The newest head that a quorum cosigned.
async fn witnessed(State(app): State<Arc<App>>) -> Response {
    note(app.gateway.witnessed_head(None).await)
}

async fn witnessed_size(State(app): State<Arc<App>>, Path(size): Path<String>) -> Response {
    match size_in(&size) {
        Some(size) => note(app.gateway.witnessed_head(Some(size)).await),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The first of at least so many entries that a quorum cosigned.
async fn witnessed_from(State(app): State<Arc<App>>, Path(size): Path<String>) -> Response {
    match size_in(&size) {
        Some(size) => note(app.gateway.witnessed_from(size).await),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// In the one spelling.
fn size_in(text: &str) -> Option<u64> {
    let size: u64 = text.parse().ok()?;
    (size.to_string() == text).then_some(size)
}

fn note(found: Result<Option<String>, Fault>) -> Response {
    match found {
        Ok(Some(note)) => (TEXT, note).into_response(),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// A witness, or whoever carries its word, hands in a head with cosignatures below it.
async fn hand_in(State(app): State<Arc<App>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Some(peer) = parts.extensions.get::<Peer>() else {
        // The server hands nobody on without a checked certificate.
        return reply::bare(&Refusal::CertificateNotAccepted);
    };
    if let Err(slow) = app.take(peer, &UserName::unnamed(), Action::Unknown, Instant::now()) {
        let wait = [(header::RETRY_AFTER, slow.retry_after_s.to_string())];
        let says = format!("{slow}\n");
        return (StatusCode::TOO_MANY_REQUESTS, wait, says).into_response();
    }
    let Ok(bytes) = read_body(body, CHECKPOINT_BYTES_MAX, NOTE_WITHIN).await else {
        let says = "the note is larger than 64 KiB, or was cut off: send one head\n";
        return (StatusCode::PAYLOAD_TOO_LARGE, TEXT, says).into_response();
    };
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    match app.gateway.hand_in(text).await {
        Ok(HandedIn::Kept) => StatusCode::OK.into_response(),
        Ok(HandedIn::Refused(why)) => {
            (StatusCode::UNPROCESSABLE_ENTITY, TEXT, format!("{why}\n")).into_response()
        }
        Ok(HandedIn::Proof) => {
            let says = "This head carries the log's own signature and does not follow from its log: \
                        entries that were acknowledged are missing here. The gateway has stopped. \
                        Keep the note: it is the proof. Tell the operator and the reviewer.\n";
            (StatusCode::CONFLICT, TEXT, says).into_response()
        }
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

async fn tile(State(app): State<Arc<App>>, Path(path): Path<String>) -> Response {
    let Some(tile) = TilePath::parse(&path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let store = &app.gateway.store;
    let bytes = match tile.kind {
        TileKind::Hashes { level } => match (u8::try_from(level), u16::try_from(tile.width)) {
            (Ok(level), Ok(width)) => store.tile(level, tile.index, width).await,
            (_, _) => Ok(None),
        },
        TileKind::Entries => {
            let from = tile.index.saturating_mul(256);
            let to = from.saturating_add(tile.width);
            store
                .leaves(from, to)
                .await
                .map(|leaves| (leaves.len() as u64 == tile.width).then(|| bundle(&leaves)))
        }
    };
    match bytes {
        Ok(Some(bytes)) => ([("content-type", "application/octet-stream")], bytes).into_response(),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
