//! The log as C2SP tlog-tiles: checkpoints, hash tiles and entry bundles. Not an attempt.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::App;
use crate::domain::tiles::{TileKind, TilePath, bundle};

/// The routes under `/log`.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/log/checkpoint", axum::routing::get(checkpoint))
        .route("/log/{*path}", axum::routing::get(tile))
}

async fn checkpoint(State(app): State<Arc<App>>) -> Response {
    match app.gateway.store.checkpoint().await {
        Ok(note) => ([("content-type", "text/plain; charset=utf-8")], note).into_response(),
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
