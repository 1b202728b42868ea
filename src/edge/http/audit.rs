//! The IG officer's reading of the log and her queue: the handlers.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::App;
use super::call::{Call, Halt, Route, field, handle};
use super::referrals::Reply;
use super::reply::{Rendered, envelope, finish, render};
use super::subject_access;
use crate::domain::audit::{Desk, Drawn, Filter, QueueState, SeenItem, SomeOrganisation};
use crate::domain::codes::{Action, ConsentDepth};
use crate::domain::id::{Id, OrgId};
use crate::domain::journey::flagging::Flagging;
use crate::domain::journey::sealing::OwnName;
use crate::domain::receipt::Receipt;
use crate::edge::wire::audit::{AuditQueryIn, AuditSubjectIn, FlagIn, QueueDecisionIn};
use crate::edge::wire::reports::Format;
use crate::pipeline::{Answered, Entry, Erased, Part, Sum};

/// The log entries that your organisation may see, the newest first. The reading is logged.
#[utoipa::path(get, path = "/v1/audit/entries", tag = "audit",
    params(
        ("user" = Option<String>, Query), ("action" = Option<String>, Query),
        ("outcome" = Option<String>, Query), ("purpose" = Option<String>, Query),
        ("from" = Option<String>, Query), ("to" = Option<String>, Query),
        ("before" = Option<u64>, Query), ("max" = Option<u16>, Query),
        ("organisation" = Option<String>, Query), ("person" = Option<String>, Query),
        ("identity" = Option<String>, Query), ("evidence" = Option<bool>, Query),
        ("format" = Option<String>, Query), ("parts" = Option<u16>, Query),
    ),
    responses((status = 200, description = "a page", body = Reply)))]
pub async fn entries(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(app, request, Route::read(Action::ReadAudit), async |call| {
        let asked = query(call)?.parse()?;
        if let Some(size) = asked.parts {
            let gateway = &call.app.gateway;
            let (answered, parts, next) = gateway
                .audit_parts(call.attempt()?, &asked.filter, asked.page.before, size)
                .await?;
            return Ok(in_parts(call, answered, &parts, next));
        }
        let (answered, next) = call
            .app
            .gateway
            .audit_entries(call.attempt()?, &asked.filter, asked.page)
            .await?;
        Ok(paged(call, answered, next, asked.format))
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
            let asked = input.filter.parse()?;
            if asked.parts.is_some() {
                Err(field(
                    "filter.parts",
                    "leave this out of what is about one person",
                ))?;
            }
            let (person, _) = gateway.resolve(input.identity.raw(), attempt.when)?;
            let (answered, next) = gateway
                .audit_subject(attempt, person.tokens(), &asked.filter, asked.page)
                .await?;
            Ok(paged(call, answered, next, asked.format))
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

/// What your organisation must decide, after what happened since Friday 17:00.
#[utoipa::path(get, path = "/v1/audit/queue", tag = "audit",
    responses((status = 200, description = "counts, then the queue", body = Reply)))]
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

/// One item, with the entries behind it and around it that you may see.
#[utoipa::path(get, path = "/v1/audit/queue/{id}", tag = "audit",
    params(("id" = String, Path)),
    responses((status = 200, description = "the item", body = Reply)))]
pub async fn item(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    handle(
        app,
        request,
        Route::read(Action::ReadAuditQueue),
        async |call| {
            let alias = call.id(&id)?;
            let gateway = &call.app.gateway;
            Ok(render(
                call,
                gateway.audit_item(call.attempt()?, alias).await?,
            ))
        },
    )
    .await
}

/// Flags a person, so that your own workers' attempts about her come to your queue. At once.
#[utoipa::path(post, path = "/v1/audit/flags", tag = "audit", request_body = FlagIn,
    responses((status = 201, description = "flagged", body = Reply)))]
pub async fn flag(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(
        app,
        request,
        Route::create(Action::FlagPerson),
        async |call| {
            let input: FlagIn = call.json()?;
            let attempt = call.attempt()?;
            let gateway = &call.app.gateway;
            let (user, days) = input.checked()?;
            let (person, _) = gateway.resolve(input.identity.raw(), attempt.when)?;
            let flagging = Flagging {
                tokens: person.tokens().to_vec(),
                household: person.household(),
                user,
                days,
            };
            Ok(render(call, gateway.flag(attempt, &flagging).await?))
        },
    )
    .await
}

/// Which of your own organisation's people an entry is about, once, under an approved proposal.
#[utoipa::path(get, path = "/v1/audit/entries/{index}/person", tag = "audit",
    params(
        ("index" = u64, Path),
        ("proposal" = String, Query, description = "the approved proposal to open this seal"),
    ),
    responses((status = 200, description = "your own name for her, or nothing", body = Reply)))]
pub async fn person(
    State(app): State<Arc<App>>,
    Path(index): Path<String>,
    request: Request,
) -> Response {
    handle(app, request, Route::read(Action::OpenSeal), async |call| {
        let proposal = call.query("proposal").unwrap_or_default();
        let alias = Id::parse(proposal)
            .ok_or_else(|| field("proposal", "give the id of your approved proposal"))?;
        let index = index
            .parse()
            .map_err(|_| field("index", "give the number of the entry"))?;
        let gateway = &call.app.gateway;
        Ok(render(
            call,
            gateway.open_seal(call.attempt()?, index, alias).await?,
        ))
    })
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
    let parts = call.query("parts").map(str::parse).transpose();
    let evidence = call.query("evidence").map(str::parse).transpose();
    Ok(AuditQueryIn {
        user: text("user"),
        action: text("action"),
        outcome: text("outcome"),
        purpose: text("purpose"),
        from: time("from"),
        to: time("to"),
        before: before.map_err(|_| field("before", "give the 'next' of the page before"))?,
        max: max.map_err(|_| field("max", "give a number up to 200"))?,
        organisation: text("organisation"),
        person: text("person"),
        identity: text("identity"),
        evidence: evidence.map_err(|_| field("evidence", "give 'true' or 'false'"))?,
        format: text("format"),
        parts: parts.map_err(|_| field("parts", "give a number from 1 to 1000"))?,
    })
}

fn paged(call: &Call, answered: Answered, next: Option<u64>, format: Option<Format>) -> Rendered {
    let exported = format.map(|format| {
        let origin = call.app.gateway.origin();
        let list = answered.entries.iter();
        let list: Vec<Value> = list.map(|entry| format.entry(entry, &origin)).collect();
        (list, format.head())
    });
    let (status, mut value) = envelope(call, answered);
    if let Value::Object(map) = &mut value {
        map.insert("next".to_owned(), json!(next));
        if let Some((list, head)) = exported.filter(|_| map.contains_key("entries")) {
            map.insert("entries".to_owned(), json!(list));
            map.insert("head".to_owned(), json!(head));
        }
    }
    finish(call, status, &value)
}

/// Where the parts begin, in place of the entries; of nothing, if she may not read the log.
fn in_parts(call: &Call, answered: Answered, parts: &[Part], next: Option<u64>) -> Rendered {
    let (status, mut value) = envelope(call, answered);
    if let Value::Object(map) = &mut value
        && map.remove("entries").is_some()
    {
        let parts = parts.iter().map(|part| {
            json!({
                "before": part.before, "newest": part.newest, "oldest": part.oldest,
                "entries": part.entries,
            })
        });
        map.insert("parts".to_owned(), json!(parts.collect::<Vec<_>>()));
        map.insert("next".to_owned(), json!(next));
    }
    finish(call, status, &value)
}

/// The proof of one entry, and what of it you may open; nothing, if you may not see it.
#[utoipa::path(get, path = "/v1/audit/entries/{index}/evidence", tag = "audit",
    params(("index" = u64, Path)),
    responses((status = 200, description = "the entry with its evidence", body = Reply)))]
pub async fn evidence(
    State(app): State<Arc<App>>,
    Path(index): Path<String>,
    request: Request,
) -> Response {
    handle(app, request, Route::read(Action::ReadAudit), async |call| {
        let index: u64 = index
            .parse()
            .map_err(|_| field("index", "give the number of an entry"))?;
        let filter = Filter {
            evidence: true,
            ..Filter::default()
        };
        let gateway = &call.app.gateway;
        let answered = gateway.audit_entry(call.attempt()?, index, &filter).await?;
        Ok(render(call, answered))
    })
    .await
}

fn step(action: &str, reason: Option<&str>) -> Option<&'static str> {
    if Action::parse(action) != Some(Action::QueryAssessments) {
        return None;
    }
    Some(match ConsentDepth::parse(reason?)? {
        ConsentDepth::Exists => "whether an earlier assessment exists",
        ConsentDepth::Cards => "what earlier assessments say in short",
        ConsentDepth::Answers => "every answer of one assessment",
    })
}

/// One entry as its reader may see it.
pub fn entry_json(entry: &Entry) -> Value {
    let seen = &entry.seen;
    let decided = seen.decided.as_ref().map(|decided| {
        let consents: Vec<String> = decided.consents.iter().map(ToString::to_string).collect();
        let concerned: Vec<&str> = decided
            .concerned
            .iter()
            .map(SomeOrganisation::text)
            .collect();
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
        "organisation": seen.organisation.text(),
        "team": seen.team.as_str(),
        "user": seen.user,
        "role": seen.role,
        "certificate": hex(&seen.certificate),
        "identity": if seen.asserted { "asserted by system" } else { "proved person" },
        "purpose": seen.purpose,
        "reason": seen.reason,
        // Of a question about earlier assessments: how far it went, in words.
        "step": step(&seen.action, seen.reason.as_deref()),
        "action": seen.action,
        "object": seen.object.map(|id| id.to_string()),
        "asked": seen.asked,
        "told": seen.told,
        "outcome": seen.outcome.code(),
        "decided": decided,
        "evidence": entry.evidence.as_ref().map(Receipt::to_text),
    })
}

/// An entry whose account was erased when its time was over.
pub fn erased_json(entry: &Erased) -> Value {
    json!({ "entry": entry.index, "at": entry.at.rfc3339(), "erased": true })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One thing to decide: which rule, why, and where it stands.
pub fn item_json(item: &SeenItem) -> Value {
    json!({
        "id": item.id.to_string(),
        "at": item.at.rfc3339(),
        "code": item.rule.code(),
        "severity": item.severity.code(),
        "state": item.state.code(),
        "says": item.says,
        "organisation": item.user.as_ref().map(|(organisation, _)| organisation.as_str()),
        "user": item.user.as_ref().map(|(_, user)| user),
        "tries": item.count,
        "minutes": item.minutes,
        "due": item.due.rfc3339(),
        "why": {
            "rule": item.rule.code(),
            "rules_version": item.version,
            "count": item.count,
            "limit": item.limit,
            "usual": (item.usual > 0).then_some(item.usual),
        },
        "passed_on_by": item.from.as_ref().map(OrgId::as_str),
        "sample": item.drawn.as_ref().map(drawn_json),
        "decided": item.decided.as_ref().map(|decided| json!({
            "at": decided.at.rfc3339(),
            "by": decided.by,
            "decision": decided.decision.code(),
        })),
    })
}

fn drawn_json(drawn: &Drawn) -> Value {
    json!({
        "entry": drawn.entry,
        "week": drawn.week,
        "seed": drawn.checkpoint,
    })
}

/// One item with the entries around it: those of the same user that the reader may see.
pub fn item_body(item: &SeenItem, entries: &[Entry]) -> Map<String, Value> {
    let entries: Vec<Value> = entries.iter().map(entry_json).collect();
    let mut map = Map::new();
    map.insert("item".to_owned(), item_json(item));
    map.insert("entries".to_owned(), json!(entries));
    map
}

/// What happened, then what must be decided; and what was looked for, so that an empty queue is not
/// blank.
pub fn queue_body(desk: &Desk, sum: &Sum) -> Map<String, Value> {
    let counted = &sum.counted;
    let open = desk
        .items
        .iter()
        .filter(|item| item.state != QueueState::Closed)
        .count();
    let items: Vec<Value> = desk.items.iter().map(item_json).collect();
    let rules: Vec<&str> = desk.checked.rules.iter().map(|rule| rule.code()).collect();
    let counts = json!({
        "since": desk.since.rfc3339(),
        "accesses": counted.accesses,
        "people": counted.people(),
        "break_glass": counted.emergencies(),
        "firewall_stops": counted.firewall_stops,
        "denials": counted.denials(),
        "items_due": desk.due,
        // What is much is counted behind the answer.
        "complete": sum.is_whole(),
        "percent": sum.percent(),
    });
    let mut map = Map::new();
    map.insert("since_friday".to_owned(), counts);
    map.insert("must_decide".to_owned(), json!(open));
    map.insert("items".to_owned(), json!(items));
    let accesses = desk.accesses.iter();
    let accesses = accesses.map(|seen| Value::Object(subject_access::seen_body(seen, |_| None)));
    let accesses: Vec<Value> = accesses.collect();
    map.insert("subject_access".to_owned(), json!(accesses));
    map.insert(
        "checked".to_owned(),
        json!({ "rules_version": desk.checked.version, "rules": rules }),
    );
    if open == 0 && desk.accesses.is_empty() {
        let says = format!(
            "Nothing to decide. {} rules were checked at every attempt. Since {}: {} accesses, {} \
             emergencies, {} refusals.",
            rules.len(),
            desk.since.rfc3339(),
            counted.accesses,
            counted.emergencies(),
            counted.denials(),
        );
        map.insert("says".to_owned(), json!(says));
    }
    map
}

/// What the seal hid: the name by which the reader's own organisation knows her.
pub fn person_body(name: OwnName) -> Map<String, Value> {
    let (kind, id) = match name {
        OwnName::Referral(id) => ("referral", id),
        OwnName::Person(id) => ("person", id),
    };
    let mut map = Map::new();
    map.insert(kind.to_owned(), json!(id.to_string()));
    map
}
