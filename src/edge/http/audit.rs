//! The IG officer's reading of the log and her queue: the handlers.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::App;
use super::call::{Call, Halt, Route, field, handle};
use super::referrals::Reply;
use super::reply::{Rendered, envelope, finish, render};
use crate::domain::audit::{SeenItem, SomeOrganisation};
use crate::domain::codes::Action;
use crate::edge::wire::audit::{AuditQueryIn, AuditSubjectIn, QueueDecisionIn};
use crate::pipeline::Entry;

/// The log entries that your organisation may see, the newest first. The reading is logged.
#[utoipa::path(get, path = "/v1/audit/entries", tag = "audit",
    params(
        ("user" = Option<String>, Query), ("action" = Option<String>, Query),
        ("outcome" = Option<String>, Query), ("purpose" = Option<String>, Query),
        ("from" = Option<String>, Query), ("to" = Option<String>, Query),
        ("before" = Option<u64>, Query), ("max" = Option<u16>, Query),
    ),
    responses((status = 200, description = "a page", body = Reply)))]
pub async fn entries(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(app, request, Route::read(Action::ReadAudit), async |call| {
        let (filter, page) = query(call)?.parse()?;
        let (answered, next) = call
            .app
            .gateway
            .audit_entries(call.attempt()?, &filter, page)
            .await?;
        Ok(paged(call, answered, next))
    })
    .await
}

/// What the log holds about a person; the identifier is in the body, never in a path.
#[utoipa::path(post, path = "/v1/audit/subjects", tag = "audit", request_body = AuditSubjectIn,
    responses((status = 200, description = "a page", body = Reply)))]
pub async fn subjects(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(
        app,
        request,
        Route::read(Action::ReadAuditSubject),
        async |call| {
            let input: AuditSubjectIn = call.json()?;
            let attempt = call.attempt()?;
            let gateway = &call.app.gateway;
            let (filter, page) = input.filter.parse()?;
            let (person, _) = gateway.resolve(input.identity.raw(), attempt.when)?;
            let (answered, next) = gateway
                .audit_subject(attempt, person.tokens(), &filter, page)
                .await?;
            Ok(paged(call, answered, next))
        },
    )
    .await
}

/// The key by which your organisation finds all its own entries in the public log, for
/// `firedoor client reconcile`. Keep it as you keep the log itself.
#[utoipa::path(get, path = "/v1/audit/trail", tag = "audit",
    responses((status = 200, description = "the key, 64 hexadecimal digits", body = Reply)))]
pub async fn trail(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(app, request, Route::read(Action::ReadAudit), async |call| {
        let answered = call.app.gateway.audit_trail(call.attempt()?).await?;
        Ok(render(call, answered))
    })
    .await
}

/// What your organisation must decide: emergencies, probes.
#[utoipa::path(get, path = "/v1/audit/queue", tag = "audit",
    responses((status = 200, description = "the queue", body = Reply)))]
pub async fn queue(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(
        app,
        request,
        Route::read(Action::ReadAuditQueue),
        async |call| {
            Ok(render(
                call,
                call.app.gateway.audit_queue(call.attempt()?).await?,
            ))
        },
    )
    .await
}

/// Accepts, asks or escalates.
#[utoipa::path(post, path = "/v1/audit/queue/{id}", tag = "audit",
    params(("id" = String, Path)), request_body = QueueDecisionIn,
    responses((status = 200, description = "decided", body = Reply)))]
pub async fn decide(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    handle(
        app,
        request,
        Route::create(Action::DecideAuditItem),
        async |call| {
            let input: QueueDecisionIn = call.json()?;
            let verdict = input.parse()?;
            let alias = call.id(&id)?;
            Ok(render(
                call,
                call.app
                    .gateway
                    .decide_queue(call.attempt()?, alias, verdict)
                    .await?,
            ))
        },
    )
    .await
}

fn query(call: &Call) -> Result<AuditQueryIn, Halt> {
    let text = |name: &str| call.query(name).map(str::to_owned);
    let time = |name: &str| text(name).map(|value| value.replace("%3A", ":").replace("%2B", "+"));
    let before = call.query("before").map(str::parse).transpose();
    let max = call.query("max").map(str::parse).transpose();
    Ok(AuditQueryIn {
        user: text("user"),
        action: text("action"),
        outcome: text("outcome"),
        purpose: text("purpose"),
        from: time("from"),
        to: time("to"),
        before: before.map_err(|_| field("before", "give the 'next' of the page before"))?,
        max: max.map_err(|_| field("max", "give a number up to 200"))?,
    })
}

fn paged(call: &Call, answered: crate::pipeline::Answered, next: Option<u64>) -> Rendered {
    let (status, mut value) = envelope(call, answered);
    if let Value::Object(map) = &mut value {
        map.insert("next".to_owned(), json!(next));
    }
    finish(call, status, &value)
}

fn named(organisation: &SomeOrganisation) -> &str {
    match organisation {
        SomeOrganisation::Named(id) => id.as_str(),
        SomeOrganisation::Hidden => "a specialist service",
    }
}

/// One entry as its reader may see it.
pub fn entry_json(entry: &Entry) -> Value {
    let seen = &entry.seen;
    let decided = seen.decided.as_ref().map(|decided| {
        let consents: Vec<String> = decided.consents.iter().map(ToString::to_string).collect();
        let concerned: Vec<&str> = decided.concerned.iter().map(named).collect();
        json!({
            "rule": decided.rule,
            "policy": hex(&decided.policy),
            "person": decided.person.map(|id| id.to_string()),
            "consents": consents,
            "basis": decided.basis,
            "relationship": decided.relationship,
            "firewall": decided.firewall.as_ref()
                .map(|mark| json!({ "rule": mark.rule, "class": mark.class })),
            "disclosed": decided.disclosed,
            "concerned": concerned,
            "sources": decided.sources,
            "notes": decided.notes,
        })
    });
    json!({
        "entry": entry.index,
        "at": entry.at.rfc3339(),
        "organisation": named(&seen.organisation),
        "team": seen.team.as_str(),
        "user": seen.user,
        "role": seen.role,
        "certificate": hex(&seen.certificate),
        "identity": if seen.asserted { "asserted by system" } else { "proved person" },
        "purpose": seen.purpose,
        "reason": seen.reason,
        "action": seen.action,
        "object": seen.object.map(|id| id.to_string()),
        "asked": seen.asked,
        "told": seen.told,
        "outcome": seen.outcome.code(),
        "decided": decided,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One thing to decide.
pub fn item_json(item: &SeenItem) -> Value {
    json!({
        "id": item.id.to_string(),
        "at": item.at.rfc3339(),
        "code": item.code,
        "severity": item.severity.code(),
        "says": says(&item.code, item.tries, item.minutes),
        "organisation": item.user.as_ref().map(|(organisation, _)| organisation.as_str()),
        "user": item.user.as_ref().map(|(_, user)| user),
        "due": item.due.rfc3339(),
        "decided": item.decided.as_ref().map(|decided| json!({
            "at": decided.at.rfc3339(),
            "by": decided.by,
            "decision": decided.decision.code(),
        })),
    })
}

/// In words; the wording about status quotes the police guidance of 2018.
fn says(code: &str, tries: u16, minutes: u16) -> String {
    match code {
        "probe.status_shaped" => format!(
            "Status-shaped activity by one user: {tries} tries, {minutes} minutes. Never check a \
             database only to establish immigration status."
        ),
        "firewall.tainted" => "A team that the firewall shuts out asked about a person. It was \
                               shown nothing."
            .to_owned(),
        "probe.reread" => "One user read the status of a closed referral again.".to_owned(),
        "btg.opened" => "The glass was broken. Review it within 72 hours.".to_owned(),
        _ => "This needs your decision.".to_owned(),
    }
}

/// Counts first, then the items.
pub fn queue_body(items: &[SeenItem]) -> Map<String, Value> {
    let open = items.iter().filter(|item| item.decided.is_none()).count();
    let items: Vec<Value> = items.iter().map(item_json).collect();
    let mut map = Map::new();
    map.insert("must_decide".to_owned(), json!(open));
    map.insert("items".to_owned(), json!(items));
    map
}
