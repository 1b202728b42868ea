//! Referrals: the handlers.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::App;
use super::batch::{Line, batch};
use super::call::{Call, Halt, NDJSON_BYTES_MAX, Route, content_type, field, handle, parse_json};
use super::released::released_json;
use super::reply::{Rendered, envelope, finish, render, render_sealed};
use crate::domain::alias::{AliasKind, Aliases};
use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::codes::{Action, CloseOutcome, DeclineReason};
use crate::domain::custody;
use crate::domain::decision::{List, Listed};
use crate::domain::firewall::hold::Unread;
use crate::domain::id::Id;
use crate::domain::journey::answering::Response as Answering;
use crate::domain::journey::offering::Offer;
use crate::domain::journey::reading;
use crate::domain::refusal::Refusal;
use crate::edge::wire::text::FreeText;
use crate::edge::wire::{NOTE_CHARS_MAX, ReferralIn};
use crate::pipeline::Answered;

/// Entries of one page.
const PAGE_MAX: u16 = 50;
/// The longest that a request for events waits, in seconds.
const WAIT_S_MAX: u64 = 60;

/// Offers a referral (JSON), or many (NDJSON, one a line, each with its own outcome).
#[utoipa::path(
    post, path = "/v1/referrals", tag = "referrals", request_body = ReferralIn,
    params(
        ("Idempotency-Key" = String, Header, description = "your key for doing this once"),
        ("Firedoor-User" = Option<String>, Header, description = "from a system: ref=...;role=..."),
        ("Prefer" = Option<String>, Header, description = "handling=strict refuses a held note"),
        ("check" = Option<String>, Query, description = "only: decide and explain, store nothing"),
    ),
    responses(
        (status = 201, description = "recorded", body = Reply),
        (status = 422, description = "check your answers", body = Problem),
    )
)]
pub async fn offer(State(app): State<Arc<App>>, request: Request) -> Response {
    let kind = content_type(request.headers());
    if kind.as_deref() == Some("application/x-ndjson") {
        let route = Route {
            body_bytes_max: NDJSON_BYTES_MAX,
            ..Route::create(Action::OfferReferral)
        };
        return handle(app, request, route, async |call| {
            batch(call, offer_line).await
        })
        .await;
    }
    handle(
        app,
        request,
        Route::create(Action::OfferReferral),
        async |call| {
            let input: ReferralIn = call.json()?;
            let attempt = call.attempt()?;
            let shared = Arc::new(call.share());
            Ok(render(call, offer_one(shared, attempt, input).await?))
        },
    )
    .await
}

async fn offer_one(call: Arc<Call>, attempt: Attempt, input: ReferralIn) -> Result<Answered, Halt> {
    let strict = call
        .header("prefer")
        .is_some_and(|value| value.contains("handling=strict"));
    let mut draft = input.parse(&attempt, strict)?;
    let gateway = &call.app.gateway;
    let raw = std::mem::replace(&mut draft.identity, empty_identifier());
    let resolved = gateway.resolve(raw, attempt.when)?;
    let beside = gateway.beside(&mut draft, attempt.when)?;
    let offer = Offer::of(draft, resolved, beside, attempt.when)?;
    Ok(gateway.offer(attempt, offer).await?)
}

fn empty_identifier() -> crate::domain::person::RawIdentifier {
    crate::domain::person::RawIdentifier::new(crate::domain::person::RawFields::default())
}

fn offer_line(call: Arc<Call>, attempt: Attempt, bytes: Bytes) -> Line {
    Box::pin(async move {
        let input: ReferralIn = parse_json(&bytes)?;
        offer_one(call, attempt, input).await
    })
}

/// Your own referrals, in the order sent: three words each, nothing about where they went.
#[utoipa::path(get, path = "/v1/referrals", tag = "referrals",
    params(("after" = Option<String>, Query, description = "cursor from the page before")),
    responses((status = 200, description = "a page", body = Reply)))]
pub async fn sent(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(
        app,
        request,
        Route::read(Action::ReadReferralStatus),
        async |call| {
            let list = List::Sent(call.peer.name().organisation.clone());
            page(call, list).await
        },
    )
    .await
}

/// One of your own referrals: recorded, with a service, or closed.
#[utoipa::path(get, path = "/v1/referrals/{id}", tag = "referrals",
    params(("id" = String, Path)), responses((status = 200, description = "status", body = Reply)))]
pub async fn status(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    handle(
        app,
        request,
        Route::read(Action::ReadReferralStatus),
        async |call| {
            let alias = call.id(&id)?;
            let attempt = call.attempt()?;
            let answered = call
                .app
                .gateway
                .referral(attempt, alias, reading::Ask::Status)
                .await?;
            Ok(render(call, answered))
        },
    )
    .await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoteIn {
    pub note: FreeText,
}

/// The note, reworded after a hold or added later.
#[utoipa::path(post, path = "/v1/referrals/{id}/note", tag = "referrals",
    params(("id" = String, Path)), request_body = NoteIn,
    responses((status = 200, description = "taken", body = Reply)))]
pub async fn note(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    handle(app, request, Route::create(Action::AddNote), async |call| {
        let input: NoteIn = call.json()?;
        let alias = call.id(&id)?;
        let text = note_text(input.note)?;
        let ask = reading::Ask::Note(&text);
        let answered = call
            .app
            .gateway
            .referral(call.attempt()?, alias, ask)
            .await?;
        Ok(render(call, answered))
    })
    .await
}

fn note_text(note: FreeText) -> Result<Unread, Refusal> {
    let note = note.unread("note");
    if !(1..=NOTE_CHARS_MAX).contains(&note.chars()) {
        return Err(field("note", "1 to 1,000 characters"));
    }
    Ok(note)
}

/// Offers to your team, by contact-by; no identity in them. `can_meet` is what your service has said
/// that it can meet of the needs recorded: those it has not said, and when it last said so.
#[utoipa::path(get, path = "/v1/inbox", tag = "referrals",
    params(("after" = Option<String>, Query, description = "cursor from the page before")),
    responses((status = 200, description = "a page", body = Reply)))]
pub async fn inbox(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(app, request, Route::read(Action::ReadInbox), async |call| {
        let list = List::Inbox(call.peer.name().organisation.clone());
        page(call, list).await
    })
    .await
}

/// What was released to you on acceptance, again.
#[utoipa::path(get, path = "/v1/inbox/{id}", tag = "referrals",
    params(("id" = String, Path)), responses((status = 200, description = "released", body = Reply)))]
pub async fn opened(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    handle(
        app,
        request,
        Route::read(Action::ReadReferral),
        async |call| respond(call, &id, Answering::Read).await,
    )
    .await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptIn {
    /// The named worker, as your organisation names her.
    pub worker: String,
    /// "You may not pass this on for immigration purposes": `true` accepts it.
    #[serde(default)]
    pub onward_rule_accepted: bool,
    /// Of an offer whose direction is `transfer`: `true` answers its question, nobody there has a
    /// link that could endanger her.
    #[serde(default)]
    pub no_conflict: bool,
}

/// Accepts an offer: identity and safe contact are released.
#[utoipa::path(post, path = "/v1/referrals/{id}/accept", tag = "referrals",
    params(("id" = String, Path)), request_body = AcceptIn,
    responses((status = 200, description = "released", body = Reply)))]
pub async fn accept(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    handle(
        app,
        request,
        Route::create(Action::AcceptReferral),
        async |call| {
            let input: AcceptIn = call.json()?;
            let worker = crate::domain::attempt::UserName::parse(&input.worker)
                .map_err(|_| field("worker", "1 to 64 letters, digits and . _ @ -"))?;
            let response = Answering::Accept {
                worker: worker.as_str().to_owned(),
                onward_rule_accepted: input.onward_rule_accepted,
                no_conflict: input.no_conflict,
            };
            respond(call, &id, response).await
        },
    )
    .await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclineIn {
    pub reason: String,
}

/// Not for us, with the reason. Nothing changes for the referrer.
#[utoipa::path(post, path = "/v1/referrals/{id}/decline", tag = "referrals",
    params(("id" = String, Path)), request_body = DeclineIn,
    responses((status = 200, description = "declined", body = Reply)))]
pub async fn decline(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    handle(
        app,
        request,
        Route::create(Action::DeclineReferral),
        async |call| {
            let input: DeclineIn = call.json()?;
            let reason = DeclineReason::parse(&input.reason)
                .ok_or_else(|| field("reason", "no such reason; see GET /v1/codes"))?;
            respond(call, &id, Answering::Decline { reason }).await
        },
    )
    .await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitIn {}

/// Puts an offer on the waiting list.
#[utoipa::path(post, path = "/v1/referrals/{id}/wait", tag = "referrals",
    params(("id" = String, Path)), request_body = WaitIn,
    responses((status = 200, description = "waiting", body = Reply)))]
pub async fn wait(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    handle(
        app,
        request,
        Route::create(Action::WaitReferral),
        async |call| {
            let WaitIn {} = call.json()?;
            respond(call, &id, Answering::Wait).await
        },
    )
    .await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseIn {
    #[serde(default)]
    pub outcomes: Vec<String>,
}

/// Closes an accepted referral, with its outcomes.
#[utoipa::path(post, path = "/v1/referrals/{id}/close", tag = "referrals",
    params(("id" = String, Path)), request_body = CloseIn,
    responses((status = 200, description = "closed", body = Reply)))]
pub async fn close(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    handle(
        app,
        request,
        Route::create(Action::CloseReferral),
        async |call| {
            let input: CloseIn = call.json()?;
            let outcomes: Option<Vec<CloseOutcome>> = input
                .outcomes
                .iter()
                .take(16)
                .map(|code| CloseOutcome::parse(code))
                .collect();
            let outcomes =
                outcomes.ok_or_else(|| field("outcomes", "no such outcome; see GET /v1/codes"))?;
            respond(call, &id, Answering::Close { outcomes }).await
        },
    )
    .await
}

pub(super) async fn respond(call: &Call, id: &str, response: Answering) -> Result<Rendered, Halt> {
    let alias = call.id(id)?;
    let gateway = &call.app.gateway;
    let answered = gateway.respond(call.attempt()?, alias, response).await?;
    let Some((named, key, plain)) = to_reseal(&answered) else {
        return Ok(render(call, answered));
    };
    // Custody `own`: the caller is given the box, and from now on so is everyone who reads.
    let entropy = gateway.entropy();
    let boxed = custody::reseal(&key, named, &plain, &entropy).map_err(|_| {
        field(
            "custody",
            "your organisation's key is not an X25519 public key",
        )
    })?;
    // The name changes in time, and with it what the box would have to be bound to.
    let boxed = [named.bytes(), boxed.as_slice()].concat();
    let mut attempt = call.attempt()?;
    attempt.idempotency = None;
    attempt.action = Action::ReadReferral;
    gateway
        .respond(
            attempt,
            alias,
            Answering::Reseal {
                boxed: boxed.clone(),
            },
        )
        .await?;
    Ok(render_sealed(call, answered, &boxed))
}

/// What was released in the clear to an organisation that keeps its own custody, once.
fn to_reseal(answered: &Answered) -> Option<(Id, [u8; 32], Zeroizing<Vec<u8>>)> {
    let Answer::Released(referral, _) = &answered.answer else {
        return None;
    };
    let key = referral
        .custody_key
        .filter(|_| referral.resealed_item.is_none())?;
    let named = answered
        .aliases
        .outward(AliasKind::Referral, referral.id.id());
    let released = released_json(referral, &answered.opened).to_string();
    Some((named, key, Zeroizing::new(released.into_bytes())))
}

/// What happened on your own referrals since the cursor; waits up to `wait` seconds.
#[utoipa::path(get, path = "/v1/events", tag = "referrals",
    params(
        ("after" = Option<String>, Query, description = "cursor from the reply before"),
        ("wait" = Option<u64>, Query, description = "seconds to wait, at most 60"),
        ("only" = Option<String>, Query, description = "'her_word': notices, pauses and corrections"),
    ),
    responses((status = 200, description = "events", body = Reply)))]
pub async fn events(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(
        app,
        request,
        Route::read(Action::ReadEvents),
        async |call| {
            let own = call.peer.name().organisation.clone();
            let list = match call.query("only") {
                None => List::Events(own),
                Some("her_word") => List::HerWord(own),
                Some(_) => Err(field("only", "give 'her_word', or leave it out"))?,
            };
            let wait = call
                .query("wait")
                .and_then(|text| text.parse::<u64>().ok())
                .unwrap_or(0);
            let after = cursor(call).await?;
            let until = tokio::time::Instant::now() + Duration::from_secs(wait.min(WAIT_S_MAX));
            // What would not be told is not waited for: the wait would tell that it came.
            let restoration = call.app.gateway.restoration().await?;
            let held_back = restoration.is_some_and(|found| found.open());
            loop {
                let seen = call.app.gateway.position();
                let found = call.app.gateway.store.list(&list, after, 1).await?;
                let left = until.saturating_duration_since(tokio::time::Instant::now());
                if held_back || !found.is_empty() || left.is_zero() {
                    break;
                }
                call.app.gateway.store.changed(seen, left).await;
            }
            page(call, list).await
        },
    )
    .await
}

async fn page(call: &Call, list: List) -> Result<Rendered, Halt> {
    let after = cursor(call).await?;
    let attempt = call.attempt()?;
    let (answered, entries) = call
        .app
        .gateway
        .list(attempt, list, after, PAGE_MAX)
        .await?;
    Ok(next_page(call, answered, &entries, after))
}

/// A page, with where the next begins.
pub fn next_page(
    call: &Call,
    answered: Answered,
    entries: &[Listed],
    after: Option<Listed>,
) -> Rendered {
    let aliases = answered.aliases.clone();
    let (status, mut value) = envelope(call, answered);
    if let Value::Object(map) = &mut value {
        // Always there and of one length, so that it does not tell whether anything follows.
        let next = entries.last().copied().or(after).unwrap_or(Listed {
            at: 0,
            index: 0,
            item: Id::ZERO,
        });
        map.insert("next".to_owned(), json!(outward_cursor(&aliases, next)));
    }
    finish(call, status, &value)
}

// A cursor is a list position under the organisation's alias key: it tells no index.
pub fn outward_cursor(aliases: &Aliases, listed: Listed) -> String {
    let mut head = [0_u8; 16];
    let (at, index) = head.split_at_mut(8);
    at.copy_from_slice(&listed.at.to_be_bytes());
    index.copy_from_slice(&listed.index.to_be_bytes());
    let head = aliases.outward(AliasKind::Entry, Id::from_bytes(head));
    let item = aliases.outward(AliasKind::Entry, listed.item);
    format!("{head}{item}")
}

pub async fn cursor(call: &Call) -> Result<Option<Listed>, Halt> {
    let Some(text) = call.query("after").filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let wrong = || {
        field(
            "after",
            "use the cursor from the reply before, or none, to begin again",
        )
    };
    let (head, item) = text.split_at_checked(26).ok_or_else(wrong)?;
    let (head, item) = Id::parse(head).zip(Id::parse(item)).ok_or_else(wrong)?;
    let aliases = call.app.gateway.aliases(&call.attempt()?).await?;
    let head = aliases.inward(AliasKind::Entry, head);
    let item = aliases.inward(AliasKind::Entry, item);
    let (at, index) = head.bytes().split_at(8);
    let number = |bytes: &[u8]| {
        bytes
            .first_chunk()
            .map_or(0, |bytes| u64::from_be_bytes(*bytes))
    };
    let (at, index) = (number(at), number(index));
    // One that has ended reads as a place far away, from which nothing would ever be listed.
    if at > CURSOR_AT_MAX || index > CURSOR_INDEX_MAX {
        return Err(wrong().into());
    }
    Ok(Some(Listed { at, index, item }))
}

/// Milliseconds since 1970: until the year 10889.
const CURSOR_AT_MAX: u64 = 1 << 48;
/// Far more entries than a log will have.
const CURSOR_INDEX_MAX: u64 = 1 << 40;

/// The envelope of every reply; the other fields depend on `result`.
#[derive(ToSchema)]
pub struct Reply {
    pub result: String,
    pub date: String,
    pub support_code: String,
    /// Proof that this attempt is in the log: `firedoor-verify receipt` checks it offline.
    pub receipt: String,
}

/// RFC 9457.
#[derive(ToSchema)]
pub struct Problem {
    #[schema(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    pub detail: String,
}
