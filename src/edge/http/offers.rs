//! What a service and a sender are told of an offer that waits: by when it is to be answered, that it
//! was passed on, and whom to call meanwhile. And how a service hands back what it accepted.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::App;
use super::call::{Route, field, handle};
use super::referrals::{Reply, respond};
use crate::domain::asking::waits;
use crate::domain::codes::{Action, ConflictKind};
use crate::domain::id::Id;
use crate::domain::journey::answering;
use crate::domain::organisation::CanMeet;
use crate::domain::referral::Referral;
use crate::domain::time::When;

/// Shown to a sender when no service accepted her in time: the same whoever was asked, whether it
/// declined or said nothing, and if she stopped it.
const NO_ANSWER_SAYS: &str = "No service has taken her on yet. Call her, and give her the National \
     Domestic Abuse Helpline, day and night: 0808 2000 247; in danger, 999. Refer her anew if she \
     agrees.";

/// Said with every offer of high urgency, before anybody has answered.
const MEANWHILE_SAYS: &str = "Until a service takes her on: the National Domestic Abuse \
     Helpline, day and night, 0808 2000 247; in danger, 999.";

/// To a service that had it: the same whether it declined or did not answer in time.
const PASSED_ON_SAYS: &str = "This is closed for you. Do not contact her.";

/// To a service that handed her back: the same whether or not there is another to ask.
const HANDED_BACK_SAYS: &str = "This is closed for you: nobody here can open it now. Contact nobody \
     on it. What you wrote down or saved cannot be called back from here: destroy it, and tell your \
     manager. She is offered to another service if she lets it. Whoever sent her is told that no \
     service has her, and not why.";

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandBackIn {
    /// A `conflict_kind`. There is no other reason to hand her back, and no place for words.
    pub reason: String,
}

/// Hands back a referral that you accepted less than 24 hours ago, because by her name you see that
/// you know her or the other party. Your access ends at once; copies that you made are yours to
/// destroy. She goes on as if you had declined. Under custody `own` the gateway cannot give to another
/// service who she is: whoever sent her refers her anew.
#[utoipa::path(post, path = "/v1/referrals/{id}/hand-back", tag = "referrals",
    params(("id" = String, Path)), request_body = HandBackIn,
    responses((status = 200, description = "handed back", body = Reply)))]
pub async fn hand_back(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    handle(
        app,
        request,
        Route::create(Action::HandBackReferral),
        async |call| {
            let input: HandBackIn = call.json()?;
            let conflict = ConflictKind::parse(&input.reason)
                .ok_or_else(|| field("reason", "no such conflict_kind; see GET /v1/codes"))?;
            respond(call, &id, answering::Response::HandBack { conflict }).await
        },
    )
    .await
}

/// By when the service that is asked is to answer, and how that stands; null once it has.
pub fn answer_json(referral: &Referral, now: When) -> Value {
    let Some((since, by)) = referral.awaited() else {
        return Value::Null;
    };
    json!({ "by": by.rfc3339(), "state": waits(since, by, now).code() })
}

/// What a service has said that it can meet of what is recorded, before it answers. Null afterwards,
/// and where no need is recorded.
pub fn can_meet_json(can_meet: Option<&CanMeet>) -> Value {
    let Some(can_meet) = can_meet else {
        return Value::Null;
    };
    let not_said: Vec<&str> = can_meet.not_said.iter().map(|need| need.code()).collect();
    json!({
        "not_said": not_said,
        "said_at": can_meet.said_at.map(When::rfc3339),
        "is_old": can_meet.is_old,
    })
}

pub fn no_answer_json() -> Value {
    json!({ "code": "expired", "says": NO_ANSWER_SAYS })
}

/// What to do while an offer waits, if it is urgent.
pub const fn meanwhile(is_high: bool) -> Option<&'static str> {
    if is_high { Some(MEANWHILE_SAYS) } else { None }
}

pub fn passed_on_body(id: Id) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("id".to_owned(), json!(id.to_string()));
    map.insert("status".to_owned(), json!("closed"));
    map.insert("says".to_owned(), json!(PASSED_ON_SAYS));
    map
}

pub fn handed_back_body(id: Id) -> Map<String, Value> {
    let mut map = passed_on_body(id);
    map.insert("says".to_owned(), json!(HANDED_BACK_SAYS));
    map
}

/// Until when the service that accepted her may hand her back; null where it may not.
pub fn hand_back_json(referral: &Referral, now: When) -> Value {
    let until = referral.hand_back_until().filter(|until| now < *until);
    let is_with_it = referral.is_with_its_service(now);
    json!(until.filter(|_| is_with_it).map(When::rfc3339))
}
