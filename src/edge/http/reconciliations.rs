//! After a restore: agencies hand in the withdrawals that they took since the copy. What is said of
//! it names no person and no other organisation, but to those who run and review the gateway.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::App;
use super::batch::{Line, batch};
use super::call::{Call, Halt, NDJSON_BYTES_MAX, Route, content_type, field, handle, parse_json};
use super::referrals::Reply;
use super::reply::render;
use crate::domain::answer::Collected;
use crate::domain::attempt::Attempt;
use crate::domain::codes::{Action, OrgKind};
use crate::domain::id::OrgId;
use crate::domain::restoration::Restoration;
use crate::pipeline::Answered;

/// One withdrawal, or what is said of all of them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReconciliationIn {
    /// The `replay` of the reply to a withdrawal, as you kept it. By itself.
    pub replay: Option<String>,
    /// The newest signed head of the log that you have; it stands in every receipt.
    pub checkpoint: Option<String>,
    /// You have handed in every withdrawal that you took since the copy.
    #[serde(default)]
    pub complete: bool,
}

/// After a restore, hands in a withdrawal again (JSON), or many (NDJSON, one a line); then the
/// newest signed head that you have, and that this is complete.
#[utoipa::path(post, path = "/v1/reconciliations", tag = "consent",
    request_body = ReconciliationIn,
    responses((status = 200, description = "it holds; or how many are waited for", body = Reply)))]
pub async fn reconcile(State(app): State<Arc<App>>, request: Request) -> Response {
    let kind = content_type(request.headers());
    if kind.as_deref() == Some("application/x-ndjson") {
        let route = Route {
            body_bytes_max: NDJSON_BYTES_MAX,
            ..Route::create(Action::Reconcile)
        };
        return handle(app, request, route, async |call| batch(call, line).await).await;
    }
    handle(
        app,
        request,
        Route::create(Action::Reconcile),
        async |call| {
            let input: ReconciliationIn = call.json()?;
            let answered = take(call, call.attempt()?, input).await?;
            Ok(render(call, answered))
        },
    )
    .await
}

fn line(call: Arc<Call>, attempt: Attempt, bytes: Bytes) -> Line {
    Box::pin(async move {
        let input: ReconciliationIn = parse_json(&bytes)?;
        take(&call, attempt, input).await
    })
}

async fn take(call: &Call, attempt: Attempt, input: ReconciliationIn) -> Result<Answered, Halt> {
    let gateway = &call.app.gateway;
    let head = input.checkpoint.as_deref();
    match (input.replay, head, input.complete) {
        (Some(kept), None, false) => Ok(gateway.take_again(attempt, &kept).await?),
        (None, head, complete) if head.is_some() || complete => {
            Ok(gateway.reconcile(attempt, complete, head).await?)
        }
        (_, _, _) => Err(field(
            "replay",
            "send one withdrawal by itself; or the signed head, that it is complete, or both",
        )
        .into()),
    }
}

/// Where the collecting stands, in fields of a reply.
pub fn said(collected: Collected) -> Map<String, Value> {
    let Collected {
        waits_for,
        open,
        rolled_back,
    } = collected;
    let says = match (open, waits_for) {
        (false, _) => "No withdrawals are waited for.",
        (true, 1) => "Withdrawals of one organisation are waited for; until then nothing is shown.",
        (true, _) => "Withdrawals are still waited for; until then nothing is shown.",
    };
    let mut map = Map::new();
    map.insert("says".to_owned(), json!(says));
    map.insert("open".to_owned(), json!(open));
    map.insert("waits_for".to_owned(), json!(waits_for));
    map.insert("rolled_back".to_owned(), json!(rolled_back));
    map
}

/// What `GET /v1/me` tells of a restoration: since when, for how many it waits, whether for the
/// caller. Who they are is for those who run and review the gateway (F7).
pub fn restoration(found: Option<&Restoration>, own: &OrgId, kind: OrgKind) -> Value {
    let Some(found) = found.filter(|found| found.open()) else {
        return Value::Null;
    };
    let named = matches!(kind, OrgKind::Operator | OrgKind::Reviewer);
    let waiting: Vec<&str> = found.waiting.iter().map(OrgId::as_str).collect();
    json!({
        "since": found.since.rfc3339(),
        "began": found.began.rfc3339(),
        "waits_for": found.waiting.len(),
        "waits_for_you": found.waits_for(own),
        "without": found.without.len(),
        "rolled_back": found.is_proven(),
        "organisations": named.then_some(waiting),
    })
}
