//! What the author of a held text is shown, the screen while she writes, and "this was wrong".

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::App;
use super::call::{Route, field, handle};
use super::referrals::Reply;
use super::reply::render;
use crate::domain::codes::{Action, UpdateCode, WrongHold};
use crate::domain::firewall::hold::{Hold, Mark, WhyHeld};
use crate::edge::wire::text::FreeText;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScreenIn {
    pub text: FreeText,
}

/// What the text screen would hold, while writing. Nothing is kept. It has an allowance of its own,
/// so that typing does not use up the one for work.
#[utoipa::path(post, path = "/v1/screen", tag = "referrals", request_body = ScreenIn,
    responses((status = 200, description = "what would be held", body = Reply)))]
pub async fn screen(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(
        app,
        request,
        Route::read(Action::ScreenText),
        async |call| {
            let input: ScreenIn = call.json()?;
            let text = input.text.unread("text");
            let gateway = &call.app.gateway;
            let answered = gateway.screen_text(call.attempt()?, &text).await?;
            Ok(render(call, answered))
        },
    )
    .await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WrongHoldIn {
    /// `everyday_word`, `about_a_service`, `name_or_place`, `other_number`, `readable_language` or
    /// `other`. There is no place for the words themselves.
    pub because: String,
}

/// "This was wrong", within seven days, by anyone of the author's organisation. It lets nothing
/// through; it is how the rules get better.
#[utoipa::path(post, path = "/v1/screen/{hold}/wrong", tag = "referrals",
    params(("hold" = String, Path, description = "`held.reference` of the reply")),
    request_body = WrongHoldIn,
    responses((status = 200, description = "taken", body = Reply)))]
pub async fn wrong(
    State(app): State<Arc<App>>,
    Path(hold): Path<String>,
    request: Request,
) -> Response {
    handle(
        app,
        request,
        Route::create(Action::ScreenText),
        async |call| {
            let input: WrongHoldIn = call.json()?;
            let hold = call.id(&hold)?;
            let because = WrongHold::parse(&input.because).ok_or_else(|| {
                field("because", "no such reason; see wrong_hold of GET /v1/codes")
            })?;
            let gateway = &call.app.gateway;
            let answered = gateway.say_wrong(call.attempt()?, hold, because).await?;
            Ok(render(call, answered))
        },
    )
    .await
}

/// What became of that which the text was part of.
#[derive(Clone, Copy)]
pub enum Rest<'a> {
    /// The referral of this id goes on.
    GoesOn(&'a str),
    /// Only this note of it does not.
    NoteStays(&'a str),
    /// It was a trial; nothing was to be sent.
    Tried,
    /// Nothing was recorded.
    Refused,
    /// The reason for an emergency, which is never kept.
    Emergency,
}

/// What the author is shown: the first text that is held, and with it any others.
pub fn held_json(holds: &[Hold], rest: Rest<'_>) -> Value {
    let mut all = holds.iter().map(|hold| one(hold, rest));
    let mut first = all.next().unwrap_or(Value::Null);
    let others: Vec<Value> = all.collect();
    if let (Value::Object(map), false) = (&mut first, others.is_empty()) {
        map.insert("also".to_owned(), json!(others));
    }
    first
}

fn one(hold: &Hold, rest: Rest<'_>) -> Value {
    let words: Vec<&str> = hold.words.iter().map(|word| word.text.as_str()).collect();
    let sentences: Vec<Value> = hold
        .sentences
        .iter()
        .map(|sentence| {
            let within = |word: &&Mark| sentence.start <= word.start && word.end <= sentence.end;
            let words: Vec<Value> = hold.words.iter().filter(within).map(mark).collect();
            let mut value = mark(sentence);
            if let Value::Object(map) = &mut value {
                map.insert("words".to_owned(), json!(words));
            }
            value
        })
        .collect();
    let reference = hold.reference.to_string();
    json!({
        "what": hold.field,
        "why": hold.why.code(),
        "says": says(hold, rest),
        "words": words,
        "sentences": sentences,
        "suggestion": hold.suggestion,
        "do": todo(hold, rest),
        "reference": reference,
        "wrong": {
            "says": "If this was wrong, say so. It lets nothing through; it makes the list better.",
            "post": format!("/v1/screen/{reference}/wrong"),
            "until": hold.until.rfc3339(),
        },
    })
}

fn mark(mark: &Mark) -> Value {
    json!({ "start": mark.start, "end": mark.end, "text": mark.text })
}

fn says(hold: &Hold, rest: Rest<'_>) -> String {
    let words: Vec<String> = hold
        .words
        .iter()
        .map(|word| format!("'{}'", word.text))
        .collect();
    let found = match hold.why {
        WhyHeld::Unreadable => {
            "We cannot judge this text: it is in another language, hidden or too \
                                long."
                .to_owned()
        }
        WhyHeld::Says if words.is_empty() => "We found words about immigration.".to_owned(),
        WhyHeld::Says => format!("We found words about immigration: {}.", words.join(", ")),
        WhyHeld::Suggests => format!(
            "We found words that together suggest something about immigration: {}.",
            words.join(", ")
        ),
    };
    let needed = match hold.why {
        WhyHeld::Unreadable => "",
        WhyHeld::Says | WhyHeld::Suggests => " No service needs them.",
    };
    let then = match rest {
        Rest::GoesOn(_) if hold.field == "note" => {
            "The referral goes on without the note; nobody but you is told."
        }
        Rest::GoesOn(_) => "The referral goes on without this text, which is not kept in any case.",
        Rest::NoteStays(_) => "This note is not passed on; nobody but you is told.",
        Rest::Tried => "Sent like this, it would be held.",
        Rest::Refused => "Nothing was sent.",
        Rest::Emergency => {
            "The emergency goes on. Your reason is not kept; leave such words out of \
                            your own record of it."
        }
    };
    format!("{found}{needed} {then}")
}

fn todo(hold: &Hold, rest: Rest<'_>) -> Vec<String> {
    let call = |id: &str| {
        format!(
            "Or have the service call you: POST /v1/referrals/{id}/updates with the code {}.",
            UpdateCode::CallReferrer.code()
        )
    };
    match rest {
        Rest::GoesOn(_) if hold.field != "note" => Vec::new(),
        Rest::GoesOn(id) | Rest::NoteStays(id) => vec![
            format!("Word it anew, without these sentences: POST /v1/referrals/{id}/note."),
            call(id),
        ],
        Rest::Tried => vec!["Word it anew, without these sentences.".to_owned()],
        Rest::Refused => vec!["Send it again, worded anew, with a new Idempotency-Key.".to_owned()],
        Rest::Emergency => Vec::new(),
    }
}
