//! What is written about the log: the report that she asks for, figures, the policies in force.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Map, Value, json};

use super::App;
use super::call::{Route, field, handle};
use super::referrals::Reply;
use super::reply::{self, envelope, finish};
use crate::domain::codes::Action;
use crate::domain::peer::Peer;
use crate::domain::refusal::Refusal;
use crate::domain::report::{Figures, Shown, Table};
use crate::domain::rulebook::Page;
use crate::edge::wire::reports::ReportIn;

/// The report that a person asks for about herself, in plain words, as far as your organisation may
/// see. Where nothing is held the answer is the uniform nothing.
#[utoipa::path(post, path = "/v1/audit/reports", tag = "audit", request_body = ReportIn,
    responses((status = 200, description = "the report as text", body = Reply)))]
pub async fn report(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(
        app,
        request,
        Route::read(Action::ReportSubject),
        async |call| {
            let input: ReportIn = call.json()?;
            let attempt = call.attempt()?;
            let gateway = &call.app.gateway;
            let (identity, terms) = input.parse()?;
            let (person, _) = gateway.resolve(identity.raw(), attempt.when)?;
            let (answered, text) = gateway.report(attempt, person.tokens(), &terms).await?;
            let (status, mut value) = envelope(call, answered);
            if let (Value::Object(map), Some(text)) = (&mut value, text) {
                map.insert("report".to_owned(), json!(text));
            }
            Ok(finish(call, status, &value))
        },
    )
    .await
}

/// What a month came to: counts of your organisation's own staff, how fast was reviewed, and what
/// others did, rounded down to fives, where that is not too few to tell. A long month is counted behind
/// the answer: until `whole` there are no counts but how far it is, in per cent, and you ask again.
#[utoipa::path(get, path = "/v1/audit/figures", tag = "audit",
    params(("month" = String, Query, description = "as 2026-10")),
    responses((status = 200, description = "the figures", body = Reply)))]
pub async fn figures(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(app, request, Route::read(Action::ReadAudit), async |call| {
        let gateway = &call.app.gateway;
        let month = call.query("month").unwrap_or_default();
        let (from, to) = gateway
            .rules
            .load()
            .clock
            .month(month)
            .ok_or_else(|| field("month", "give a month as 2026-10"))?;
        let asked = gateway.figures(call.attempt()?, month, from, to);
        let (answered, found) = asked.await?;
        let percent = answered.more.sum.percent();
        let (status, mut value) = envelope(call, answered);
        if let (Value::Object(map), Some(found)) = (&mut value, found) {
            map.insert("figures".to_owned(), figures_json(&found, percent));
        }
        Ok(finish(call, status, &value))
    })
    .await
}

fn figures_json(figures: &Figures, percent: Option<u8>) -> Value {
    if percent.is_some() {
        // Half of a month would be taken for all of it.
        return json!({ "month": figures.month, "whole": false, "percent": percent });
    }
    json!({
        "month": figures.month,
        "whole": true,
        "own_staff": {
            "attempts": figures.own,
            "by_outcome": table_json(&figures.own_by_outcome),
            "by_action": table_json(&figures.own_by_action),
            "by_purpose": table_json(&figures.own_by_purpose),
            "accesses_by_day": table_json(&figures.own_accesses_by_day),
            "denials": figures.own_denials,
            "denials_by_day": table_json(&figures.own_denials_by_day),
            "emergencies": figures.own_emergencies,
            "texts_held": figures.own_held,
            "holds_said_wrong": figures.own_said_wrong,
        },
        "others": {
            "by_outcome": table_json(&figures.others_by_outcome),
            "by_action": table_json(&figures.others_by_action),
            "by_purpose": table_json(&figures.others_by_purpose),
            "accesses_by_day": table_json(&figures.others_by_day),
            "by_organisation": table_json(&figures.others_by_organisation),
            "emergencies": shown(figures.others_emergencies),
            "texts_held": shown(figures.others_held),
            "holds_said_wrong": shown(figures.others_said_wrong),
            "people_concerned": shown(figures.people_concerned),
        },
        "review": {
            "items": figures.reviews,
            "settled": figures.reviewed,
            "settled_in_72_hours_percent": figures.reviewed_in_time_percent,
            "median_minutes": figures.median_review_minutes,
            "by_time": figures.reviews_by_time.iter().copied().collect::<BTreeMap<_, _>>(),
        },
        // Offers that were made, between kinds of organisations.
        "referrals": figures.flows.iter().map(|flow| json!({
            "from": flow.from.code(),
            "to": flow.to.map(|kind| kind.code()),
            "count": shown(flow.count),
        })).collect::<Vec<_>>(),
    })
}

fn table_json(table: &Table) -> Value {
    let rows = table.iter();
    Value::Object(
        rows.map(|row| (row.name.clone(), shown(row.count)))
            .collect::<Map<_, _>>(),
    )
}

fn shown(count: Shown) -> Value {
    match count {
        Shown::Count(count) => json!(count),
        Shown::Few => json!("<5"),
    }
}

/// The policies in force, by which decisions of the log can be judged. They say nothing of anyone,
/// so that reading them is no attempt.
#[utoipa::path(get, path = "/v1/policies", tag = "audit",
    responses((status = 200, description = "hash, and name and text of each file")))]
pub async fn policies_in_force(State(app): State<Arc<App>>, request: Request) -> Response {
    if request.extensions().get::<Peer>().is_none() {
        return reply::bare(&Refusal::CertificateNotAccepted);
    }
    let rules = app.gateway.rules.load();
    policies_json(rules.book.hash(), rules.pages())
}

/// The policies with this hash, as entries and proposals name it: in force now or earlier, or
/// proposed.
#[utoipa::path(get, path = "/v1/policies/{hash}", tag = "audit", params(("hash" = String, Path)),
    responses((status = 200, description = "hash, and name and text of each file")))]
pub async fn policies(
    State(app): State<Arc<App>>,
    Path(hash): Path<String>,
    request: Request,
) -> Response {
    if request.extensions().get::<Peer>().is_none() {
        return reply::bare(&Refusal::CertificateNotAccepted);
    }
    let Some(hash) = unhex(&hash) else {
        return reply::bare(&Refusal::NotFound);
    };
    match app.gateway.pages(hash).await {
        Ok(Some(pages)) => policies_json(hash, &pages),
        Ok(None) => reply::bare(&Refusal::NotFound),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

fn policies_json(hash: [u8; 32], pages: &[Page]) -> Response {
    let files = pages.iter();
    let files: Vec<Value> = files
        .map(|(name, text)| json!({ "name": name, "text": text }))
        .collect();
    Json(json!({ "hash": hex(&hash), "files": files })).into_response()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// In the one spelling.
fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    (hex(&bytes) == text).then_some(bytes)
}
