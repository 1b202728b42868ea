//! She moves to another area, and news about her: the handlers and what they show.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::App;
use super::call::{Call, Halt, Route, handle};
use super::referrals::Reply;
use super::released::{contact_json, sealed_json};
use super::reply::{holders_news, render};
use crate::domain::alias::{AliasKind, Aliases};
use crate::domain::codes::Action;
use crate::domain::journey::transferring::Move;
use crate::domain::journey::updating::{NewContact, News};
use crate::domain::other_party::OtherParty;
use crate::domain::person::SafeContact;
use crate::domain::referral::Referral;
use crate::domain::time::When;
use crate::domain::transfer::{CONFLICT_QUESTION, Carried};
use crate::edge::wire::transfer::{TransferIn, UpdateIn};
use crate::pipeline::{Answered, OpenedItem};

/// She moves to another area: an offer is made to a service there, which you are not told. You see
/// that it waits, until one has accepted her.
#[utoipa::path(post, path = "/v1/referrals/{id}/transfer", tag = "referrals",
    params(("id" = String, Path)), request_body = TransferIn,
    responses((status = 200, description = "it waits", body = Reply)))]
pub async fn transfer(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    handle(
        app,
        request,
        Route::create(Action::TransferReferral),
        async |call| {
            let input: TransferIn = call.json()?;
            Ok(render(call, hand_over(call, &id, input).await?))
        },
    )
    .await
}

async fn hand_over(call: &Call, id: &str, input: TransferIn) -> Result<Answered, Halt> {
    let alias = call.id(id)?;
    let attempt = call.attempt()?;
    let moving = input.parse(&attempt)?;
    let gateway = &call.app.gateway;
    let (person, identity) = gateway.resolve(moving.identity, attempt.when)?;
    let mut contact = SafeContact::parse(moving.contact, attempt.when)?;
    // The language travels apart: it is a proxy, for the one who will speak with her (F6).
    let language = contact.take_language_need();
    let moving = Move {
        area: moving.area,
        family: moving.family,
        mode: moving.mode,
        until: moving.until,
        person,
        identity,
        contact,
        language: language.map(|tag| tag.as_str().to_owned()),
        consent: moving.consent,
        needs: moving.needs,
        urgency: moving.urgency,
        risks: moving.risks,
        adjustments: moving.adjustments,
    };
    Ok(gateway.transfer(attempt, alias, &moving).await?)
}

/// News by a closed code, both ways. Everyone who has her is told whom it concerns; you are not told
/// who that is.
#[utoipa::path(post, path = "/v1/referrals/{id}/updates", tag = "referrals",
    params(("id" = String, Path)), request_body = UpdateIn,
    responses((status = 200, description = "taken", body = Reply)))]
pub async fn update(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    handle(
        app,
        request,
        Route::create(Action::UpdateReferral),
        async |call| {
            let input: UpdateIn = call.json()?;
            let alias = call.id(&id)?;
            let attempt = call.attempt()?;
            let reported = input.parse(&attempt)?;
            let contact = reported.contact.map(|raw| {
                let mut contact = SafeContact::parse(raw, attempt.when)?;
                // Who speaks with her has her language already; it does not change with a number.
                contact.take_language_need();
                let shown = contact_json(&contact).to_string().into_bytes();
                let shown = Zeroizing::new(shown);
                Ok::<_, Halt>(NewContact { contact, shown })
            });
            let news = News {
                code: reported.code,
                life_at_risk: reported.life_at_risk,
                consent: reported.consent,
                contact: contact.transpose()?,
            };
            let gateway = &call.app.gateway;
            Ok(render(call, gateway.update(attempt, alias, &news).await?))
        },
    )
    .await
}

/// What a service that hands her over is told while nobody has accepted her.
pub const WAITS_SAYS: &str = "It waits until a service there has accepted her. You are not told \
     which, and need no address. Until then she is still yours, unless you closed.";

/// And when somebody has, and its own work has ended.
pub const TRANSFERRED_SAYS: &str = "Closed; transferred. Another service works with her now.";

/// Nobody has accepted her, and its own work has ended because it said so.
const CLOSED_SAYS: &str = "Closed. It still waits until a service there has accepted her.";

/// To a holder whose way to reach her was taken back, with nothing in its place.
pub const STOP_SAYS: &str = "Do not call, text or write to her in any way that you were given: it \
     is not safe any more. Ask whoever referred her how she can be reached.";

/// To a service that was told who another person is.
pub const TAKEN_BACK_SAYS: &str = "Stop: this was not the person whom it was about. Use nothing of \
     what you were told, contact nobody on it, destroy your copy, and tell your information \
     governance officer.";

/// What the service that handed her over reads afterwards: nothing of where she is but the area that
/// it picked itself, for thirty days.
pub fn handed_over(referral: &Referral, aliases: &Aliases, now: When) -> Value {
    let handover = referral.handover.as_ref();
    let waits = handover.is_some_and(|over| over.waits());
    json!({
        "id": aliases.outward(AliasKind::Referral, referral.id.id()).to_string(),
        "status": "closed",
        "transfer": handover_json(referral, now),
        "updates": holders_news(referral),
        "says": if waits { CLOSED_SAYS } else { TRANSFERRED_SAYS },
    })
}

/// How far a transfer has come, on the referral of the service that hands her over.
pub fn handover_json(referral: &Referral, now: When) -> Value {
    let Some(over) = &referral.handover else {
        return Value::Null;
    };
    json!({
        "state": if over.waits() { "waiting" } else { "transferred" },
        "mode": over.mode.code(),
        "area": over.area(now),
        "your_work_ends": over.ends_at().map(When::rfc3339),
    })
}

/// The question that is asked of everybody before she is accepted, of whom nothing is said.
pub fn conflict_question(referral: &Referral) -> Option<&'static str> {
    referral.open().then_some(CONFLICT_QUESTION)
}

/// A safe contact as it was sealed: in the clear, or as a box of the holder's own custody.
pub fn contact_value(referral: &Referral, plain: &[u8]) -> Value {
    match referral.resealed_item {
        Some(_) => Value::Object(sealed_json(plain)),
        None => {
            let contact = SafeContact::decode(plain).ok();
            contact.map_or(Value::Null, |contact| contact_json(&contact))
        }
    }
}

/// What makes the other party dangerous to her, in codes.
pub fn other_party_json(plain: &[u8]) -> Option<Value> {
    let told = OtherParty::parse(plain)?;
    let risks: Vec<&str> = told.risks.iter().map(|risk| risk.code()).collect();
    Some(json!({
        "relation": told.relation.code(),
        "shares_address": told.shares_address.code(),
        "risks": risks,
    }))
}

/// What a transfer carried: earlier gradings and adjustments.
pub fn carried_json(item: &OpenedItem) -> Value {
    let Some(carried) = Carried::parse(&item.plain) else {
        return Value::Null;
    };
    let risks = carried.risks.iter().map(|risk| {
        json!({
            "instrument": risk.instrument.code(),
            "grade": risk.grade.code(),
            "assessed_at": risk.assessed_at.rfc3339(),
        })
    });
    let adjustments = carried.adjustments.iter().map(|one| one.code());
    json!({
        "risk_history": risks.collect::<Vec<Value>>(),
        "adjustments": adjustments.collect::<Vec<&str>>(),
    })
}
