//! Sealed items for legal advisers (`domain.md` 3.9): the handlers and what they show.
//!
//! There is no form for these in a browser and never will be: what a browser seals, the page that
//! it was given could read.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::App;
use super::call::{Call, Halt, Route, field, handle};
use super::referrals::{Reply, cursor, next_page};
use super::reply::render;
use crate::domain::answer::WaitingItem;
use crate::domain::codes::Action;
use crate::domain::id::OrgId;
use crate::domain::journey::sealed_items::Handed;
use crate::domain::journey::subject::Named;
use crate::domain::refusal::Refusal;
use crate::domain::sealed_item::{AdviserKey, Commitment, SealedBox, SealedItem, fingerprint};
use crate::domain::time::When;
use crate::edge::wire::IdentityIn;
use crate::pipeline::OpenedItem;

/// Entries of one page.
const PAGE_MAX: u16 = 50;

/// What `firedoor client seal` hands in. The gateway has no key to it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SealedItemIn {
    /// The legal adviser's organisation.
    pub to: String,
    /// The adviser's public key to which it is sealed, as 64 hexadecimal digits.
    pub sealed_to: String,
    /// 1, 4, 16 or 64 KiB in base64.
    pub sealed: String,
    /// A salted hash of what is in it, as 64 hexadecimal digits. The salt is in the box.
    pub commitment: String,
    /// Your own reference of the person whose word it rests on; or who she is, in `identity`. She can
    /// then stop it at any service. Nothing else is told to anybody of whom it is.
    pub person: Option<String>,
    pub identity: Option<IdentityIn>,
    /// RFC 3339; when she agreed to what is in it.
    pub consented_at: String,
}

impl SealedItemIn {
    fn parse(self, call: &Call, now: When) -> Result<(OrgId, Handed), Halt> {
        let boxed = BASE64_STANDARD.decode(&self.sealed).ok();
        let boxed = boxed.and_then(|bytes| SealedBox::parse(bytes).ok());
        let boxed = boxed.ok_or_else(|| {
            field(
                "sealed",
                "1, 4, 16 or 64 KiB in base64: seal it with firedoor client seal",
            )
        })?;
        let digits =
            |name, text: &str| unhex(text).ok_or_else(|| field(name, "give 64 hexadecimal digits"));
        let named = match (self.person, self.identity) {
            (Some(person), None) => Named::Person(call.id(&person)?),
            (None, Some(identity)) => Named::Identity(Box::new(identity.raw())),
            (None, None) | (Some(_), Some(_)) => {
                let message = "give your own reference of her or who she is, one of the two";
                return Err(field("person", message).into());
            }
        };
        let consented_at = When::parse(&self.consented_at)
            .ok_or_else(|| field("consented_at", "give date, time and offset, as RFC 3339"))?;
        let handed = Handed {
            boxed,
            commitment: Commitment(digits("commitment", &self.commitment)?),
            sealed_to: digits("sealed_to", &self.sealed_to)?,
            subject: call.app.gateway.subject(named, now)?,
            consented_at,
        };
        Ok((organisation(&self.to)?, handed))
    }
}

fn organisation(text: &str) -> Result<OrgId, Refusal> {
    OrgId::parse(text).map_err(|_| field("to", "name an organisation: a-z, 0-9 and '-'"))
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(out)
}

/// A browser says where a request comes from; a client has nothing to say.
fn no_browser(call: &Call) -> Result<(), Halt> {
    match call.header("sec-fetch-site").or(call.header("origin")) {
        None => Ok(()),
        Some(_) => Err(Halt::Refuse(field(
            "Origin",
            "sealed items are handled by firedoor client, never in a browser",
        ))),
    }
}

/// Hands in an item that your client sealed for a legal adviser's.
#[utoipa::path(post, path = "/v1/sealed-items", tag = "legal advice",
    request_body = SealedItemIn,
    responses((status = 201, description = "it waits for the adviser", body = Reply)))]
pub async fn seal(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(
        app,
        request,
        Route::create(Action::SealItem),
        async |call| {
            no_browser(call)?;
            let input: SealedItemIn = call.json()?;
            let attempt = call.attempt()?;
            let (to, handed) = input.parse(call, attempt.when)?;
            let gateway = &call.app.gateway;
            let answered = gateway.seal_item(attempt, &to, Some(&handed));
            Ok(render(call, answered.await?))
        },
    )
    .await
}

/// To which key an item for this adviser is to be sealed. Check its fingerprint by telephone.
#[utoipa::path(get, path = "/v1/sealed-items/to/{organisation}", tag = "legal advice",
    params(("organisation" = String, Path)),
    responses((status = 200, description = "the adviser's key", body = Reply)))]
pub async fn key(
    State(app): State<Arc<App>>,
    Path(to): Path<String>,
    request: Request,
) -> Response {
    handle(app, request, Route::read(Action::SealItem), async |call| {
        no_browser(call)?;
        let to = organisation(&to)?;
        let gateway = &call.app.gateway;
        let answered = gateway.seal_item(call.attempt()?, &to, None).await?;
        Ok(render(call, answered))
    })
    .await
}

/// What waits for your organisation to collect.
#[utoipa::path(get, path = "/v1/sealed-items", tag = "legal advice",
    params(("after" = Option<String>, Query, description = "cursor from the page before")),
    responses((status = 200, description = "a page", body = Reply)))]
pub async fn waiting(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(
        app,
        request,
        Route::read(Action::CollectItem),
        async |call| {
            no_browser(call)?;
            let after = cursor(call).await?;
            let gateway = &call.app.gateway;
            let (answered, entries) = gateway
                .waiting_items(call.attempt()?, after, PAGE_MAX)
                .await?;
            Ok(next_page(call, answered, &entries, after))
        },
    )
    .await
}

/// To the adviser: the item, this once; the gateway destroys it. To its sender: advice arranged.
#[utoipa::path(get, path = "/v1/sealed-items/{id}", tag = "legal advice",
    params(("id" = String, Path)),
    responses((status = 200, description = "the item, or nothing", body = Reply)))]
pub async fn collect(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    handle(
        app,
        request,
        Route::read(Action::CollectItem),
        async |call| {
            no_browser(call)?;
            let alias = call.id(&id)?;
            let gateway = &call.app.gateway;
            let answered = gateway.collect_item(call.attempt()?, alias).await?;
            Ok(render(call, answered))
        },
    )
    .await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StopIn {}

/// She withdraws what you sealed: it is destroyed, or its adviser told to stop using it.
#[utoipa::path(post, path = "/v1/sealed-items/{id}/withdraw", tag = "legal advice",
    params(("id" = String, Path)), request_body = StopIn,
    responses((status = 200, description = "from now", body = Reply)))]
pub async fn stop(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    handle(
        app,
        request,
        Route::create(Action::WithdrawConsent),
        async |call| {
            no_browser(call)?;
            let StopIn {} = call.json()?;
            let alias = call.id(&id)?;
            let gateway = &call.app.gateway;
            Ok(render(
                call,
                gateway.stop_item(call.attempt()?, alias).await?,
            ))
        },
    )
    .await
}

/// The key to seal to, and what to compare by telephone.
pub fn key_body(key: &AdviserKey) -> Value {
    let digits = key.public_key.iter();
    let public_key: String = digits.map(|byte| format!("{byte:02x}")).collect();
    json!({
        "to": key.organisation.as_str(),
        "name": key.name,
        "regulator": key.regulated.regulator,
        "number": key.regulated.number,
        "public_key": public_key,
        "fingerprint": fingerprint(&key.organisation, &key.public_key).to_string(),
    })
}

/// What waits, without a word of what it is.
pub fn waiting_body(items: &[WaitingItem]) -> Value {
    let items: Vec<Value> = items
        .iter()
        .map(|waiting| {
            json!({
                "id": waiting.item.id().to_string(),
                "says": format!("One item from {}.", waiting.service),
                "until": waiting.until.rfc3339(),
            })
        })
        .collect();
    json!({ "items": items })
}

/// The box, for the adviser's client to open.
pub fn collected_body(
    sealed: &SealedItem,
    service: &str,
    opened: &[OpenedItem],
) -> Map<String, Value> {
    let mut map = Map::new();
    let found = opened.iter().find(|item| item.part.item == sealed.part);
    let boxed = found.map(|item| BASE64_STANDARD.encode(&item.plain));
    map.insert("sealed".to_owned(), json!(boxed));
    map.insert("from".to_owned(), json!(sealed.sender.as_str()));
    map.insert("service".to_owned(), json!(service));
    map.insert(
        "commitment".to_owned(),
        json!(sealed.commitment.to_string()),
    );
    map.insert("sealed_at".to_owned(), json!(sealed.sealed_at.rfc3339()));
    map
}
