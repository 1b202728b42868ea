//! A page of ours calls the API as any client does, without the network in between: the same routes,
//! checks, limits and entries of the log, and nothing that a client would not be told.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request};
use bytes::Bytes;
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::{App, router};
use crate::domain::peer::Peer;
use crate::domain::refusal::Refusal;

/// Marks a call that a page makes. It is an extension of the request, so that nothing which comes
/// from outside can carry it.
#[derive(Clone)]
pub struct Inward {
    refuse: Option<Refusal>,
}

impl Inward {
    /// The page's own refusal, to be logged like one of the API's.
    pub const fn refuses(&self) -> Option<&Refusal> {
        self.refuse.as_ref()
    }
}

/// The API, for the pages.
#[derive(Clone)]
pub struct Api(Router);

/// What a page asks.
pub struct Asked<'a> {
    pub peer: &'a Peer,
    pub method: Method,
    /// With its query.
    pub path: &'a str,
    /// As a client sends them: session, role, key.
    pub headers: HeaderMap,
    /// JSON, or nothing.
    pub body: Vec<u8>,
    /// What the page itself refuses; the path is then only what the log says was asked.
    pub refuse: Option<Refusal>,
}

/// What the API said: its JSON, neither filled up nor delayed.
pub struct Told {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Api {
    pub fn new(app: Arc<App>) -> Self {
        Self(router(app))
    }

    /// The routes themselves, for clients.
    pub fn router(&self) -> Router {
        self.0.clone()
    }

    /// `None` if a path cannot be a path, or the reply broke off.
    pub async fn ask(&self, asked: Asked<'_>) -> Option<Told> {
        let mut request = Request::builder()
            .method(asked.method)
            .uri(asked.path)
            .body(Body::from(asked.body))
            .ok()?;
        *request.headers_mut() = asked.headers;
        let extensions = request.extensions_mut();
        extensions.insert(asked.peer.clone());
        extensions.insert(Inward {
            refuse: asked.refuse,
        });
        let Ok(response) = self.0.clone().oneshot(request).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        Some(Told {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        })
    }
}
