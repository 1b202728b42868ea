//! What a caller is told, in JSON: the same envelope, size and moment for every answer (P5).

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::call::Call;
use super::her_word::event_json;
use super::released::{released_json, sealed_json};
use super::screening::{Rest, held_json};
use super::{API_VERSION, App, offers, transfers};
use crate::domain::alias::AliasKind;
use crate::domain::answer::{Answer, Seen};
use crate::domain::consent::HE_WAS_THERE;
use crate::domain::counterfoil::Counterfoil;
use crate::domain::id::Id;
use crate::domain::referral::{PassOnBy, Referral, Update};
use crate::domain::refusal::{HELD_BACK_RETRY_S, NO_ATTACHMENTS, Refusal};
use crate::domain::time::When;
use crate::edge::fhir::Format;
use crate::pipeline::{Answered, Fault};

/// Replies are filled up to a multiple of this many bytes.
pub const REPLY_BYTES_STEP: usize = 16 * 1024;

/// The words of the uniform answer (3.0.5). They are the same whatever is held.
pub const NOTHING_SAYS: &str = "There is nothing we can show you. This does not mean that there \
     is no risk or no record. Ask her; if in doubt call your safeguarding lead or 0808 2000 247.";

/// The same words whatever there was, and whether or not a law keeps it (P5).
pub const WITHDRAWN_SAYS: &str = "From now on nothing is shared on her word. What a law requires goes \
     on, and what was already read cannot be unread. What was not delivered yet, if there was \
     anything, opens for nobody any more; it is destroyed in the nights after, or later where a law \
     requires that it be kept unread. You need no reason.";

/// A reply before it is padded and timed.
pub struct Rendered {
    pub status: StatusCode,
    pub kind: &'static str,
    pub body: Vec<u8>,
    pub retry_after_s: Option<u32>,
    /// A fresh session value, when a second factor is in use.
    pub session: Option<String>,
    /// Filled up with spaces; a FHIR reply is filled up the same way.
    pub padded: bool,
}

impl Rendered {
    pub fn json(status: u16, value: &Value) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            kind: "application/json",
            body: value.to_string().into_bytes(),
            retry_after_s: None,
            session: None,
            padded: true,
        }
    }
}

/// Renders a logged answer in the envelope that all of them share.
pub fn render(call: &Call, answered: Answered) -> Rendered {
    let (status, value) = envelope(call, answered);
    finish(call, status, &value)
}

/// The reply that an envelope becomes.
pub fn finish(call: &Call, status: u16, value: &Value) -> Rendered {
    let session = call.renewed_session();
    let mut rendered = Rendered::json(status, value);
    if status >= 400 {
        rendered.kind = "application/problem+json";
    }
    rendered.retry_after_s = value
        .get("retry_after_s")
        .and_then(Value::as_u64)
        .and_then(|seconds| u32::try_from(seconds).ok());
    rendered.session = session;
    rendered
}

/// Status and JSON of one answer.
pub fn envelope(call: &Call, answered: Answered) -> (u16, Value) {
    let at = answered.at;
    let receipt = answered.receipt.to_text();
    let support_code = answered.receipt.leaf.id().short();
    let kept = answered.counterfoil.as_deref().map(Counterfoil::to_text);
    let (status, mut body) = body(call, answered);
    if let Some(kept) = kept {
        body.insert("replay".to_owned(), json!(kept));
    }
    body.insert("date".to_owned(), json!(at.rfc3339()));
    body.insert("support_code".to_owned(), json!(support_code));
    body.insert("receipt".to_owned(), json!(receipt));
    (status, Value::Object(body))
}

pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    }
}

fn body(call: &Call, answered: Answered) -> (u16, Map<String, Value>) {
    let (told, at) = (answered.answer.told(), answered.at);
    let aliases = answered.aliases.clone();
    let outward = |kind: AliasKind, id: Id| aliases.outward(kind, id).to_string();
    let result = |extra: Value| {
        let mut map = object(extra);
        map.insert("result".to_owned(), json!(told));
        map
    };
    let opened = &answered.opened;
    match answered.answer {
        Answer::Refused(refusal) => (refusal.status(), problem(&refusal)),
        Answer::Nothing => (200, result(json!({ "says": NOTHING_SAYS }))),
        Answer::Checked { held } if held.is_empty() => (
            200,
            result(json!({ "says": "This would be taken as it is." })),
        ),
        Answer::Checked { held } => (
            200,
            result(json!({
                "says": "This would be taken, but for what is held.",
                "held": held_json(&held, Rest::Tried),
            })),
        ),
        Answer::Replayed {
            status, told, made, ..
        } => {
            let mut map = object(json!({ "result": told, "replayed": true }));
            if let Some(made) = made {
                map.insert("id".to_owned(), json!(made.to_string()));
            }
            (
                if status == 200 {
                    created(&told)
                } else {
                    status
                },
                map,
            )
        }
        Answer::Offered(offered) => {
            let mut map = result(json!({
                "id": offered.referral.id().to_string(),
                "reference": format!("R-{}", offered.referral.id().short()),
                "journey_id": offered.journey.to_string(),
                "status": "recorded",
                "pass_on_by": offered.pass_on_by.as_ref().map(pass_on_by),
                "contact_by": offered.contact_by.rfc3339(),
                "meanwhile": offers::meanwhile(offered.is_urgent),
                "hand_over": "Give her the card of an independent legal advice helpline.",
            }));
            if !offered.held.is_empty() {
                let id = offered.referral.id().to_string();
                let held = held_json(&offered.held, Rest::GoesOn(&id));
                map.insert("held".to_owned(), held);
            }
            if !offered.left_behind.is_empty() {
                map.insert("left_behind".to_owned(), json!(offered.left_behind));
            }
            if offered.he_was_there {
                map.insert("warning".to_owned(), json!(HE_WAS_THERE));
            }
            (201, map)
        }
        Answer::DeclinedByVictim => (
            201,
            result(json!({
                "says": "Recorded: she does not want her details passed on. Give her the \
                         self-referral card.",
            })),
        ),
        Answer::Status(seen) => (200, result(json!({ "referral": seen_json(&seen) }))),
        Answer::Sent(list) => {
            let list: Vec<Value> = list.iter().map(seen_json).collect();
            (200, result(json!({ "referrals": list })))
        }
        Answer::Inbox(list) => {
            let list: Vec<Value> = list
                .iter()
                .map(|seen| {
                    let can_meet = offers::can_meet_json(seen.can_meet.as_ref());
                    offer_json(&seen.referral, can_meet, &outward, at)
                })
                .collect();
            (200, result(json!({ "offers": list })))
        }
        Answer::Answered { referral, status } => (
            200,
            result(json!({ "id": referral.id().to_string(), "status": status.code() })),
        ),
        Answer::Released(referral, _) => {
            let mut map =
                result(json!({ "referral": offer_json(&referral, Value::Null, &outward, at) }));
            map.insert("released".to_owned(), released_json(&referral, opened));
            if let Some(person) = referral.recipient_person {
                map.insert(
                    "person".to_owned(),
                    json!(outward(AliasKind::Person, person.id())),
                );
            }
            map.insert("onward_rule".to_owned(), json!(ONWARD_RULE));
            if referral.handover.is_some() {
                let transfer = transfers::handover_json(&referral, at);
                map.insert("transfer".to_owned(), transfer);
            }
            (200, map)
        }
        Answer::Noted { referral, held } => {
            let id = referral.id().to_string();
            let mut map = result(json!({ "id": id }));
            if !held.is_empty() {
                map.insert("held".to_owned(), held_json(&held, Rest::NoteStays(&id)));
            }
            (200, map)
        }
        Answer::Updated { referral } => (200, result(json!({ "id": referral.id().to_string() }))),
        Answer::Events(events) => {
            let list: Vec<Value> = events.iter().map(event_json).collect();
            (200, result(json!({ "events": list })))
        }
        Answer::Screened { held } => (
            200,
            result(json!({ "held": held_json(&held, Rest::Tried) })),
        ),
        Answer::SaidWrong => (
            200,
            result(json!({
                "says": "Taken. The text stays held; your word counts when the list is next looked \
                         over. Whoever keeps the list is helped by an invented sentence of the same \
                         kind: send it to them, never a real one, and not through the gateway.",
            })),
        ),
        Answer::Withdrawn { at } => (
            200,
            result(json!({
                "effective_from": at.rfc3339(),
                "says": WITHDRAWN_SAYS,
            })),
        ),
        other => super::more::body(
            call,
            (other, at),
            &aliases,
            opened,
            &answered.entries,
            &answered.more,
        ),
    }
}

/// What every release says (F9).
pub const ONWARD_RULE: &str =
    "You may not pass this on for immigration purposes. Your organisation has accepted this.";

fn created(told: &str) -> u16 {
    match told {
        "offered"
        | "declined-by-victim"
        | "consent-recorded"
        | "assessment-recorded"
        | "item-sealed"
        | "card-issued"
        | "subject-access-taken"
        | "proposed" => 201,
        _ => 200,
    }
}

fn problem(refusal: &Refusal) -> Map<String, Value> {
    let mut map = object(json!({
        "type": format!("https://firedoor.example/problems/{}", refusal.code()),
        "title": refusal.code(),
        "status": refusal.status(),
        "detail": refusal.detail(),
    }));
    match refusal {
        Refusal::CheckYourAnswers(fields) => {
            let fields: Vec<Value> = fields
                .iter()
                .map(|wrong| json!({ "field": wrong.field, "message": wrong.message }))
                .collect();
            map.insert("fields".to_owned(), json!(fields));
        }
        Refusal::PoliciesDoNotLoad(problems) => {
            let fields: Vec<Value> = problems
                .iter()
                .map(|problem| json!({ "field": "rulebook", "message": problem }))
                .collect();
            map.insert("fields".to_owned(), json!(fields));
        }
        Refusal::UnknownField { name } => {
            let message = match name {
                Some(name) if names_a_file(name) => NO_ATTACHMENTS,
                Some(_) | None => "there is no such field here; remove it",
            };
            map.insert(
                "fields".to_owned(),
                json!([{ "field": name, "message": message }]),
            );
        }
        Refusal::MissingField { name } => {
            let message = "this is needed";
            map.insert(
                "fields".to_owned(),
                json!([{ "field": name, "message": message }]),
            );
        }
        Refusal::ImmigrationContentFound(holds) => {
            let words = holds.iter().flat_map(|hold| &hold.words);
            let words: Vec<&str> = words.map(|word| word.text.as_str()).collect();
            map.insert("words".to_owned(), json!(words));
            let suggestion = holds.first().map(|hold| &hold.suggestion);
            map.insert("suggestion".to_owned(), json!(suggestion));
            map.insert("held".to_owned(), held_json(holds, Rest::Refused));
        }
        Refusal::ConfirmEmergency { told, held } => {
            map.insert("told".to_owned(), json!(told));
            if !held.is_empty() {
                map.insert("held".to_owned(), held_json(held, Rest::Emergency));
            }
        }
        Refusal::SlowDown { retry_after_s } => {
            map.insert("retry_after_s".to_owned(), json!(retry_after_s));
        }
        Refusal::Restoring { since } => {
            map.insert("since".to_owned(), json!(since.rfc3339()));
            map.insert("retry_after_s".to_owned(), json!(HELD_BACK_RETRY_S));
        }
        Refusal::Unwitnessed { since, .. } => {
            map.insert("since".to_owned(), json!(since.rfc3339()));
            map.insert("retry_after_s".to_owned(), json!(HELD_BACK_RETRY_S));
        }
        Refusal::ClockOff => {
            map.insert("retry_after_s".to_owned(), json!(HELD_BACK_RETRY_S));
        }
        _ => {}
    }
    map
}

/// Whether a field that no form has was meant for a file.
fn names_a_file(field: &str) -> bool {
    let field = field.to_ascii_lowercase();
    [
        "attach", "file", "document", "image", "photo", "picture", "scan", "upload", "pdf",
    ]
    .iter()
    .any(|word| field.contains(word))
}

fn pass_on_by(due: &PassOnBy) -> Value {
    json!({ "at": due.at.rfc3339(), "date": due.date, "rule": due.rule, "calendar": due.calendar })
}

fn seen_json(seen: &Seen) -> Value {
    let mut value = json!({
        "id": seen.referral.id().to_string(),
        "status": seen.status.code(),
        "offered_at": seen.offered_at.rfc3339(),
        "pass_on_by": seen.pass_on_by.as_ref().map(pass_on_by),
    });
    if let Value::Object(map) = &mut value {
        if !seen.updates.is_empty() {
            // Only where the service chose to say something; else there are the three words alone.
            map.insert("updates".to_owned(), updates_json(&seen.updates));
        }
        if seen.no_answer {
            map.insert("no_answer".to_owned(), offers::no_answer_json());
        }
    }
    value
}

/// Codes and times; no words, whoever reads them (3.0.6).
fn updates_json<'a>(updates: impl IntoIterator<Item = &'a Update>) -> Value {
    let updates = updates.into_iter();
    let told = updates.map(|one| json!({ "code": one.code.code(), "at": one.at.rfc3339() }));
    Value::Array(told.collect())
}

/// What the service that a referral is with was told since.
pub(super) fn holders_news(referral: &Referral) -> Value {
    updates_json(referral.updates.iter().filter(|one| one.to_holder))
}

/// An offer as the service sees it: nothing that names her.
fn offer_json(
    referral: &Referral,
    can_meet: Value,
    outward: &impl Fn(AliasKind, Id) -> String,
    now: When,
) -> Value {
    let op = &referral.operational;
    let codes = |list: &[&'static str]| json!(list);
    let needs: Vec<&str> = op.needs.iter().map(|need| need.code()).collect();
    let priority: Vec<&str> = op
        .priority_categories
        .iter()
        .map(|group| group.code())
        .collect();
    json!({
        "id": outward(AliasKind::Referral, referral.id.id()),
        "journey_id": outward(AliasKind::Journey, referral.journey),
        "service": referral.service.as_str(),
        "direction": op.direction.code(),
        "party_role": op.party_role.code(),
        "offence_group": op.offence_group.code(),
        "reported_to_police": op.reported_to_police.code(),
        "priority_category": codes(&priority),
        "urgency": op.urgency.code(),
        "risk_grade": op.risk.as_ref().map(|risk| risk.grade.code()),
        "needs": codes(&needs),
        "can_meet": can_meet,
        "area": op.area,
        "worker_gender": op.worker_gender.code(),
        "offered_at": referral.offered_at.rfc3339(),
        "contact_by": referral.contact_by.rfc3339(),
        "answer": offers::answer_json(referral, now),
        "pass_on_by": referral.due.as_ref().map(pass_on_by),
        "details_passed_at": referral.details_passed_at.map(|at| at.rfc3339()),
        "hand_back_until": offers::hand_back_json(referral, now),
        "status": referral.status.code(),
        "updates": holders_news(referral),
        "question": transfers::conflict_question(referral),
        "she_withdrew_on": referral.withdrew_on.map(|at| at.rfc3339()),
    })
}

/// Renders a release with the box in place of what is in it.
pub fn render_sealed(call: &Call, answered: Answered, boxed: &[u8]) -> Rendered {
    let (status, mut value) = envelope(call, answered);
    if let Value::Object(map) = &mut value {
        map.insert("released".to_owned(), Value::Object(sealed_json(boxed)));
    }
    finish(call, status, &value)
}

/// How a reply leaves.
#[derive(Clone, Copy)]
pub enum Leaves {
    /// Filled up, at the first boundary after its request was received (P5).
    AtBoundary(Instant),
    /// To a page of ours, which is filled up and timed itself.
    ToPage,
}

/// Fills up, waits for the boundary, and sends.
pub async fn send(app: &Arc<App>, leaves: Leaves, rendered: Rendered) -> Response {
    let Rendered {
        status,
        kind,
        mut body,
        retry_after_s,
        session,
        padded,
    } = rendered;
    if let Leaves::AtBoundary(received) = leaves {
        if padded {
            body.resize(body.len().next_multiple_of(REPLY_BYTES_STEP), b' ');
        }
        boundary(app.settings.boundary, received).await;
    }
    app.metrics.replied(status.as_u16());
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static(kind));
    headers.insert("cache-control", HeaderValue::from_static("no-store"));
    headers.insert("firedoor-version", HeaderValue::from_static(API_VERSION));
    if let Some(seconds) = retry_after_s {
        headers.insert("retry-after", HeaderValue::from(seconds));
    }
    if let Some(value) = session.and_then(|value| HeaderValue::from_str(&value).ok()) {
        headers.insert("firedoor-session", value);
    }
    response
}

/// The first multiple of `step` after the request was received by which the reply is ready.
pub async fn boundary(step: Duration, received: Instant) {
    if step.is_zero() {
        return;
    }
    let waited = received.elapsed();
    let steps = waited.as_nanos() / step.as_nanos() + 1;
    let steps = u32::try_from(steps).unwrap_or(u32::MAX);
    tokio::time::sleep_until((received + step * steps).into()).await;
}

/// We failed: nothing was recorded, so nothing is told (P2).
pub async fn fault(
    app: &Arc<App>,
    leaves: Leaves,
    fault: &Fault,
    voice: Option<Format>,
) -> Response {
    app.metrics.faulted();
    tracing::error!(%fault, "a request could not be recorded");
    if let Some(format) = voice {
        let rendered = super::fhir::fault(&app.gateway.entropy(), format);
        return send(app, leaves, rendered).await;
    }
    let (title, detail, retry_after_s) = match fault {
        Fault::NotListedYet { percent } => (
            "not-listed-yet",
            format!(
                "The gateway was started again and puts its lists in order: {percent}% are done. \
                 Nothing is lost, and what needs no list goes on. Look again in a minute."
            ),
            10,
        ),
        Fault::CannotRecord(_) | Fault::Unreadable(_) | Fault::TooLarge => (
            "cannot-record",
            "We could not record this access, so we did not open it. Try again in a moment; if it \
             goes on, call the operator."
                .to_owned(),
            1,
        ),
    };
    let mut rendered = Rendered::json(
        503,
        &json!({
            "type": format!("https://firedoor.example/problems/{title}"),
            "title": title,
            "status": 503,
            "detail": detail,
        }),
    );
    rendered.kind = "application/problem+json";
    rendered.retry_after_s = Some(retry_after_s);
    send(app, leaves, rendered).await
}

/// A refusal that an earlier leaf of the same minute already stands for: no receipt.
pub fn unlogged(call: &Call, refusal: &Refusal) -> Rendered {
    let mut body = problem(refusal);
    let code = call.app.gateway.entropy().id("support code").short();
    body.insert("date".to_owned(), json!(call.app.gateway.time().rfc3339()));
    body.insert("support_code".to_owned(), json!(code));
    finish(call, refusal.status(), &Value::Object(body))
}

/// A refusal before there is anybody to log it for.
pub fn bare(refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::FORBIDDEN);
    let body = Value::Object(problem(refusal)).to_string();
    (status, [("content-type", "application/problem+json")], body).into_response()
}
