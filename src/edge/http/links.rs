//! Records that may be of one person, to the organisation that holds one of them: the handlers, and
//! what they show.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::App;
use super::call::{Call, Halt, Route, handle};
use super::referrals::{Reply, cursor, next_page};
use super::reply::{Rendered, render};
use crate::domain::codes::Action;
use crate::domain::linkage::{SeenLink, Verdict};

/// Entries of one page.
const PAGE_MAX: u16 = 50;

/// Records elsewhere that may be of one of your own people: those that wait for your decision first,
/// then those that are linked. Only your own reference and what agrees or differs is shown.
#[utoipa::path(get, path = "/v1/links", tag = "links",
    params(("after" = Option<String>, Query, description = "cursor from the page before")),
    responses((status = 200, description = "a page", body = Reply)))]
pub async fn list(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(app, request, Route::read(Action::ReadLinks), async |call| {
        let after = cursor(call).await?;
        let gateway = &call.app.gateway;
        let (answered, entries) = gateway.links(call.attempt()?, after, PAGE_MAX).await?;
        Ok(next_page(call, answered, &entries, after))
    })
    .await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkIn {}

async fn decide(call: &Call, id: &str, verdict: Verdict) -> Result<Rendered, Halt> {
    let LinkIn {} = call.json()?;
    let alias = call.id(id)?;
    let gateway = &call.app.gateway;
    let answered = gateway.decide_link(call.attempt()?, alias, verdict).await?;
    Ok(render(call, answered))
}

/// Both records are of one person: from now her consents decide what of yours is shown.
#[utoipa::path(post, path = "/v1/links/{id}/confirm", tag = "links",
    params(("id" = String, Path)), request_body = LinkIn,
    responses((status = 200, description = "confirmed", body = Reply)))]
pub async fn confirm(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let route = Route::create(Action::ConfirmLink);
    handle(app, request, route, async |call| {
        decide(call, &id, Verdict::Confirm).await
    })
    .await
}

/// They are two people. The pair does not come back unless one of the records changes.
#[utoipa::path(post, path = "/v1/links/{id}/reject", tag = "links",
    params(("id" = String, Path)), request_body = LinkIn,
    responses((status = 200, description = "rejected", body = Reply)))]
pub async fn reject(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let route = Route::create(Action::RejectLink);
    handle(app, request, route, async |call| {
        decide(call, &id, Verdict::Reject).await
    })
    .await
}

/// They were linked and are two people after all. Nothing is shown across it any more, and whoever
/// was shown something is told, without a word of whose record it was.
#[utoipa::path(post, path = "/v1/links/{id}/split", tag = "links",
    params(("id" = String, Path)), request_body = LinkIn,
    responses((status = 200, description = "split", body = Reply)))]
pub async fn split(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let route = Route::create(Action::RejectLink);
    handle(app, request, route, async |call| {
        decide(call, &id, Verdict::Split).await
    })
    .await
}

/// What waits and what is linked, by kinds of field and never by their values.
pub fn links_body(links: &[SeenLink]) -> Value {
    let links: Vec<Value> = links
        .iter()
        .map(|seen| {
            let reasons = seen.reasons.iter();
            let reasons = reasons.map(|one| json!({ "code": one.code(), "says": one.says() }));
            let since = seen.since.rfc3339();
            json!({
                "id": seen.link.id().to_string(),
                "person": seen.person.to_string(),
                "since": since.get(..10),
                "state": seen.state.code(),
                "tier": seen.tier.word(),
                "reasons": reasons.collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({ "links": links })
}
