//! Drafts: a referral that one person has begun and keeps for later. The handlers and what they show.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::App;
use super::call::{Route, handle};
use super::referrals::Reply;
use super::reply::render;
use crate::domain::codes::Action;
use crate::domain::draft::{Filled, SeenDraft, decode};
use crate::domain::refusal::Refusal;
use crate::edge::wire::text::FreeText;
use crate::pipeline::OpenedItem;

/// What is filled in so far.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DraftIn {
    /// Your own draft whose place it takes.
    pub draft: Option<String>,
    pub fields: Vec<DraftFieldIn>,
}

/// One field of the form. Dates are in parts: `reported_at-day`, `-month`, `-year`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DraftFieldIn {
    /// Its name in a referral, such as `offence_group`, `identity.given_name` or `note`.
    pub field: String,
    /// What it holds: codes as in a referral, or words.
    pub values: Vec<FreeText>,
}

impl DraftIn {
    fn parse(self) -> Result<Filled, Refusal> {
        let fields = self.fields.into_iter().map(|one| {
            let values = one.values.into_iter().map(FreeText::take).collect();
            (one.field, values)
        });
        Filled::parse(fields).map_err(Refusal::CheckYourAnswers)
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EraseDraftIn {}

/// Keeps a referral that is half filled in, for you alone, for seven days. `kept` names the fields that
/// are kept: never more than your own team may be told. Words that the screen holds are not kept, and
/// then nothing is.
#[utoipa::path(post, path = "/v1/drafts", tag = "referrals", request_body = DraftIn,
    responses((status = 201, description = "kept, and until when", body = Reply)))]
pub async fn keep(State(app): State<Arc<App>>, request: Request) -> Response {
    let route = Route::create(Action::KeepDraft);
    handle(app, request, route, async |call| {
        let mut input: DraftIn = call.json()?;
        let again = input.draft.take();
        let again = again.map(|id| call.id(&id)).transpose()?;
        let filled = input.parse()?;
        let gateway = &call.app.gateway;
        let answered = gateway.keep_draft(call.attempt()?, again, &filled);
        Ok(render(call, answered.await?))
    })
    .await
}

/// Your own drafts: when each was begun, and when it goes. Nothing of what is in them.
#[utoipa::path(get, path = "/v1/drafts", tag = "referrals",
    responses((status = 200, description = "all of them", body = Reply)))]
pub async fn list(State(app): State<Arc<App>>, request: Request) -> Response {
    let route = Route::read(Action::OpenDraft);
    handle(app, request, route, async |call| {
        let gateway = &call.app.gateway;
        Ok(render(call, gateway.drafts(call.attempt()?).await?))
    })
    .await
}

/// What is in one of your own drafts.
#[utoipa::path(get, path = "/v1/drafts/{id}", tag = "referrals",
    params(("id" = String, Path)),
    responses((status = 200, description = "its fields, or nothing", body = Reply)))]
pub async fn open(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let route = Route::read(Action::OpenDraft);
    handle(app, request, route, async |call| {
        let alias = call.id(&id)?;
        let gateway = &call.app.gateway;
        let answered = gateway.open_draft(call.attempt()?, alias).await?;
        Ok(render(call, answered))
    })
    .await
}

/// Throws one of your own drafts away: its keys are destroyed.
#[utoipa::path(post, path = "/v1/drafts/{id}/erase", tag = "referrals",
    params(("id" = String, Path)), request_body = EraseDraftIn,
    responses((status = 200, description = "gone", body = Reply)))]
pub async fn erase(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let route = Route::create(Action::EraseDraft);
    handle(app, request, route, async |call| {
        let EraseDraftIn {} = call.json()?;
        let alias = call.id(&id)?;
        let gateway = &call.app.gateway;
        let answered = gateway.erase_draft(call.attempt()?, alias).await?;
        Ok(render(call, answered))
    })
    .await
}

fn seen(draft: &SeenDraft) -> Map<String, Value> {
    let said = [
        ("id", json!(draft.id.id().to_string())),
        ("begun_at", json!(draft.begun_at.rfc3339())),
        ("until", json!(draft.until.rfc3339())),
    ];
    said.into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

pub fn kept_body(draft: &SeenDraft, kept: &[&str]) -> Map<String, Value> {
    let mut map = seen(draft);
    map.insert("kept".to_owned(), json!(kept));
    map
}

pub fn list_body(drafts: &[SeenDraft]) -> Map<String, Value> {
    let drafts: Vec<Value> = drafts.iter().map(|one| Value::Object(seen(one))).collect();
    Map::from_iter([("drafts".to_owned(), json!(drafts))])
}

pub fn opened_body(draft: &SeenDraft, opened: &[OpenedItem]) -> Map<String, Value> {
    let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in opened.iter().flat_map(|one| decode(&one.plain)) {
        fields.entry(name).or_default().push(value.to_string());
    }
    let mut map = seen(draft);
    map.insert("fields".to_owned(), json!(fields));
    map
}
