//! A person's request for what is held about her (`domain.md` 3.11): the handlers and what they show.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::App;
use super::call::{Route, handle};
use super::referrals::{Reply, cursor, next_page};
use super::reply::{envelope, finish, render};
use crate::domain::alias::{AliasKind, Aliases};
use crate::domain::codes::Action;
use crate::domain::id::Id;
use crate::domain::journey::subject_access::Taking;
use crate::domain::subject_access::{Entry, Look, SeenAccess, SeenOf, Words};
use crate::domain::time::When;
use crate::edge::wire::subject_access::{
    AccessDeliverIn, AccessRedactIn, AccessReplyIn, AccessStepIn, SubjectAccessIn,
};
use crate::pipeline::OpenedItem;

/// Entries of one page.
const PAGE_MAX: u16 = 50;

/// She asks what is held about her. The reply says when it is due, and is the same whatever is held.
#[utoipa::path(post, path = "/v1/subject-access", tag = "subject access",
    request_body = SubjectAccessIn,
    responses((status = 201, description = "taken", body = Reply)))]
pub async fn take(State(app): State<Arc<App>>, request: Request) -> Response {
    let route = Route::create(Action::TakeSubjectAccess);
    handle(app, request, route, async |call| {
        let mut input: SubjectAccessIn = call.json()?;
        let who = input.asking();
        let attempt = call.attempt()?;
        let gateway = &call.app.gateway;
        let (identity, intake, received_at) = input.parse(attempt.when)?;
        let (person, _) = gateway.resolve(identity.raw(), attempt.when)?;
        let asking = who.map(|who| gateway.asking(who, attempt.when));
        let taking = Taking {
            tokens: person.tokens().to_vec(),
            intake,
            asking: asking.transpose()?,
            received_at,
        };
        Ok(render(call, gateway.take_access(attempt, &taking).await?))
    })
    .await
}

/// What your organisation took, and what it is asked to reply to; the open ones first.
#[utoipa::path(get, path = "/v1/subject-access", tag = "subject access",
    params(("after" = Option<String>, Query, description = "cursor from the page before")),
    responses((status = 200, description = "a page", body = Reply)))]
pub async fn list(State(app): State<Arc<App>>, request: Request) -> Response {
    let route = Route::read(Action::ReadSubjectAccess);
    handle(app, request, route, async |call| {
        let after = cursor(call).await?;
        let gateway = &call.app.gateway;
        let (answered, entries) = gateway.accesses(call.attempt()?, after, PAGE_MAX).await?;
        Ok(next_page(call, answered, &entries, after))
    })
    .await
}

/// One of them: where it stands, or what your organisation said so far.
#[utoipa::path(get, path = "/v1/subject-access/{id}", tag = "subject access",
    params(("id" = String, Path)),
    responses((status = 200, description = "the request, or nothing", body = Reply)))]
pub async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let route = Route::read(Action::ReadSubjectAccess);
    handle(app, request, route, async |call| {
        let alias = call.id(&id)?;
        let gateway = &call.app.gateway;
        Ok(render(call, gateway.access(call.attempt()?, alias).await?))
    })
    .await
}

/// Follows a request that you took: identity is proved or not, she is asked what she means and
/// answers, it takes longer, it is refused.
#[utoipa::path(post, path = "/v1/subject-access/{id}/steps", tag = "subject access",
    params(("id" = String, Path)), request_body = AccessStepIn,
    responses((status = 200, description = "written down", body = Reply)))]
pub async fn step(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let route = Route::create(Action::MoveSubjectAccess);
    handle(app, request, route, async |call| {
        let input: AccessStepIn = call.json()?;
        let alias = call.id(&id)?;
        let stepping = input.parse()?;
        let gateway = &call.app.gateway;
        let answered = gateway.step_access(call.attempt()?, alias, &stepping);
        Ok(render(call, answered.await?))
    })
    .await
}

/// Says what your organisation holds about her, in your own words. They are for her alone.
#[utoipa::path(post, path = "/v1/subject-access/{id}/reply", tag = "subject access",
    params(("id" = String, Path)), request_body = AccessReplyIn,
    responses((status = 200, description = "taken; a second person looks", body = Reply)))]
pub async fn reply(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let route = Route::create(Action::ReplySubjectAccess);
    handle(app, request, route, async |call| {
        let input: AccessReplyIn = call.json()?;
        let alias = call.id(&id)?;
        let replying = input.parse()?;
        let gateway = &call.app.gateway;
        let answered = gateway.reply_access(call.attempt()?, alias, &replying);
        Ok(render(call, answered.await?))
    })
    .await
}

/// Looks, as a second person, at one entry of your organisation's reply: she is given it, or it is
/// left out on a ground. Who sees it otherwise than the first begins anew.
#[utoipa::path(post, path = "/v1/subject-access/{id}/redact", tag = "subject access",
    params(("id" = String, Path)), request_body = AccessRedactIn,
    responses((status = 200, description = "looked at", body = Reply)))]
pub async fn redact(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let route = Route::create(Action::RedactSubjectAccess);
    handle(app, request, route, async |call| {
        let input: AccessRedactIn = call.json()?;
        let (alias, entry) = (call.id(&id)?, call.id(&input.entry)?);
        let withheld = input.withheld()?;
        let gateway = &call.app.gateway;
        let answered = gateway.redact_access(call.attempt()?, alias, entry, withheld);
        Ok(render(call, answered.await?))
    })
    .await
}

/// Hands the report over: to her, in person, by another than who took the request. Where there is
/// nothing to give the answer is the uniform nothing; then ask her to come in person.
#[utoipa::path(post, path = "/v1/subject-access/{id}/deliver", tag = "subject access",
    params(("id" = String, Path)), request_body = AccessDeliverIn,
    responses((status = 200, description = "the report as text, or nothing", body = Reply)))]
pub async fn deliver(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let route = Route::create(Action::DeliverSubjectAccess);
    handle(app, request, route, async |call| {
        let input: AccessDeliverIn = call.json()?;
        let alias = call.id(&id)?;
        let delivering = input.parse()?;
        let gateway = &call.app.gateway;
        let delivered = gateway.deliver_access(call.attempt()?, alias, &delivering);
        let (answered, text) = delivered.await?;
        let (status, mut value) = envelope(call, answered);
        if let (Value::Object(map), Some(text)) = (&mut value, text) {
            map.insert("report".to_owned(), json!(text));
        }
        Ok(finish(call, status, &value))
    })
    .await
}

/// One request, with the words of its entries as far as they were opened.
pub fn seen_body(seen: &SeenAccess, words: impl Fn(Id) -> Option<Words>) -> Map<String, Value> {
    let mut map = Map::new();
    let mut put = |name: &str, value: Value| {
        map.insert(name.to_owned(), value);
    };
    put("id", json!(seen.id.id().to_string()));
    put("state", json!(seen.state.code()));
    put("due", json!(seen.due.map(When::day)));
    put("days_left", json!(seen.days_left));
    put("overdue", json!(seen.overdue));
    match &seen.of {
        SeenOf::Taken {
            received_at,
            ready_at,
            paused,
            delivery,
            steps,
        } => {
            put("kind", json!("taken"));
            put("reference", json!(seen.id.id().short()));
            put("received_at", json!(received_at.rfc3339()));
            put("can_be_handed_over_from", json!(ready_at.map(When::day)));
            put(
                "clock_stands_still_for",
                json!(paused.map(|why| why.code())),
            );
            put("delivery", json!(delivery.code()));
            let steps = steps.iter().map(
                |step| json!({ "step": step.what.code(), "at": step.at.rfc3339(), "by": step.by }),
            );
            put("steps", json!(steps.collect::<Vec<_>>()));
        }
        SeenOf::Asked {
            people,
            since,
            said,
            entries,
        } => {
            put("kind", json!("asked"));
            let people = people.iter().map(ToString::to_string);
            put("people", json!(people.collect::<Vec<_>>()));
            put("since", json!(since.day()));
            put("said", json!(said.map(|code| code.code())));
            let entries = entries.iter();
            let entries = entries.map(|entry| entry_json(entry, words(entry.item)));
            put("entries", json!(entries.collect::<Vec<_>>()));
        }
    }
    map
}

/// The words of the entry that its organisation knows by this name, if they were opened.
pub fn words(aliases: &Aliases, opened: &[OpenedItem], entry: Id) -> Option<Words> {
    let item = aliases.inward(AliasKind::SubjectAccess, entry);
    let found = opened.iter().find(|opened| opened.part.item == item)?;
    Words::decode(&found.plain)
}

/// Why a request was refused, as it was written for her: whoever took it is shown nothing else.
pub fn explanations(opened: &[OpenedItem]) -> Vec<&str> {
    let words = opened.iter();
    let words = words.filter_map(|opened| std::str::from_utf8(&opened.plain).ok());
    words.collect()
}

fn entry_json(entry: &Entry, words: Option<Words>) -> Value {
    let look = |look: &Look| {
        json!({
            "by": look.by,
            "at": look.at.rfc3339(),
            "withhold": look.withheld.map(|ground| ground.code()),
        })
    };
    json!({
        "id": entry.item.to_string(),
        "about": entry.about.code(),
        "basis": entry.basis.code(),
        "what": words.as_ref().map(|words| words.what.as_str()),
        "why": words.as_ref().map(|words| words.why.as_str()),
        "first_look": look(&entry.first),
        "second_look": entry.second.as_ref().map(look),
    })
}
