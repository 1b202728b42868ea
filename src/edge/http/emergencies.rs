//! Emergencies: the handlers, what the emergency view shows, and what is asked afterwards.
//!
//! Whatever was found, the reply names the emergency and says by when it is to be followed up: both
//! follow from the attempt alone, and are as long for everybody (P5).

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::App;
use super::assessments::subject;
use super::call::{Call, Route, handle};
use super::referrals::{Reply, cursor, next_page};
use super::reply::{Rendered, envelope, finish, render};
use crate::domain::alias::AliasKind;
use crate::domain::answer::Answer;
use crate::domain::assessment::{Assessment, EmergencyCard, SafetyCard};
use crate::domain::codes::{Action, AskedAfterwards, DataClass};
use crate::domain::emergency::{FOLLOW_UP_HOURS, SeenEmergency, VIEW_MINUTES};
use crate::domain::id::Id;
use crate::domain::time::When;
use crate::edge::wire::assessment::EmergencyIn;
use crate::edge::wire::emergency::FollowUpIn;
use crate::pipeline::{Answered, OpenedItem};

/// Entries of one page.
const PAGE_MAX: u16 = 50;

/// Said with every emergency, whatever was found.
const FOLLOW_UP_SAYS: &str = "Within 24 hours say what you did, and whether she agrees now: follow \
     up under this id, or have the senior on shift do it. Nobody is shown this view a second time.";

/// Breaks the glass. Without `confirm` you are told who will be told (428), and nothing is opened.
#[utoipa::path(post, path = "/v1/emergency", tag = "emergency", request_body = EmergencyIn,
    responses((status = 200, description = "the emergency view, or nothing", body = Reply),
              (status = 428, description = "confirm first", body = super::referrals::Problem)))]
pub async fn emergency(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(
        app,
        request,
        Route::create(Action::BreakGlass),
        async |call| {
            let input: EmergencyIn = call.json()?;
            let attempt = call.attempt()?;
            let (named, breaking) = input.parse()?;
            let glass = breaking.glass(subject(call, named, attempt.when)?);
            let answered = call.app.gateway.break_glass(attempt, &glass).await?;
            Ok(broken(call, answered))
        },
    )
    .await
}

/// With the name of the emergency, found or not.
fn broken(call: &Call, answered: Answered) -> Rendered {
    let is_broken = matches!(answered.answer, Answer::Nothing | Answer::Emergency(..));
    if !is_broken {
        return render(call, answered);
    }
    // The emergency is its entry in the log, and the receipt is of that.
    let id = Id::drawn(*answered.receipt.leaf.id().bytes());
    let id = answered.aliases.outward(AliasKind::Emergency, id);
    let due = answered.at.plus_hours(FOLLOW_UP_HOURS);
    let (status, mut body) = envelope(call, answered);
    if let Value::Object(map) = &mut body {
        map.insert("id".to_owned(), json!(id.to_string()));
        map.insert("follow_up_by".to_owned(), json!(due.rfc3339()));
        map.insert("follow_up".to_owned(), json!(FOLLOW_UP_SAYS));
    }
    finish(call, status, &body)
}

/// Says what was done, and whether she agrees now. Again, to correct it: what was said before stays
/// beside it. It records no consent of hers.
#[utoipa::path(post, path = "/v1/emergencies/{id}/follow-up", tag = "emergency",
    params(("id" = String, Path)), request_body = FollowUpIn,
    responses((status = 200, description = "taken, and what to do next", body = Reply)))]
pub async fn follow_up(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let route = Route::create(Action::FollowUpEmergency);
    handle(app, request, route, async |call| {
        let input: FollowUpIn = call.json()?;
        let alias = call.id(&id)?;
        let said = input.parse()?;
        let gateway = &call.app.gateway;
        let answered = gateway.follow_up(call.attempt()?, alias, &said).await?;
        Ok(render(call, answered))
    })
    .await
}

/// Emergencies of your organisation of which nothing was said yet, the oldest first: for whoever is on
/// shift now. Nothing in it says whether anything was found, or of whom.
#[utoipa::path(get, path = "/v1/emergencies", tag = "emergency",
    params(("after" = Option<String>, Query, description = "cursor from the page before")),
    responses((status = 200, description = "a page", body = Reply)))]
pub async fn waiting(State(app): State<Arc<App>>, request: Request) -> Response {
    let route = Route::read(Action::FollowUpEmergency);
    handle(app, request, route, async |call| {
        let after = cursor(call).await?;
        let gateway = &call.app.gateway;
        let (answered, entries) = gateway
            .emergencies(call.attempt()?, after, PAGE_MAX)
            .await?;
        Ok(next_page(call, answered, &entries, after))
    })
    .await
}

pub fn waiting_body(emergencies: &[SeenEmergency]) -> Value {
    let seen = emergencies.iter().map(|one| {
        json!({
            "id": one.id.id().to_string(),
            "user": one.user,
            "at": one.at.rfc3339(),
            "follow_up_by": one.due.rfc3339(),
            "status": if one.is_overdue { "late" } else { "waiting" },
        })
    });
    json!({ "emergencies": seen.collect::<Vec<Value>>() })
}

/// What is to be done next: her word is recorded as every consent is, and not here.
pub fn followed_up_body(id: Id, asked: AskedAfterwards) -> Value {
    let says = match asked {
        AskedAfterwards::Agrees => {
            "Taken. This is not her consent: record that now, in her words and with how it was given \
             (POST /v1/consents)."
        }
        AskedAfterwards::Refuses => {
            "Taken. Record her refusal (POST /v1/consents). If she wants what is shared about her to \
             stop, take that at once (POST /v1/withdrawals)."
        }
        AskedAfterwards::CannotSay | AskedAfterwards::NotAsked => {
            "Taken. Ask her as soon as she can be asked alone and in safety, and say it here again."
        }
    };
    json!({ "id": id.to_string(), "says": says })
}

/// The emergency view: risk and date, whether a child is in danger, who must not be told, who is safe;
/// her language where it was asked for. No address, no note, no name of a child.
pub fn emergency_view(
    assessments: &[Assessment],
    lines: &[String],
    opened: &[OpenedItem],
    at: When,
) -> Map<String, Value> {
    let find = |item| opened.iter().find(|opened| opened.part.item == item);
    let risks: Vec<Value> = assessments
        .iter()
        .filter_map(|assessment| {
            let card = EmergencyCard::decode(&find(assessment.emergency_item)?.plain).ok()?;
            Some(json!({
                "grade": card.grade.code(),
                "grade_basis": card.basis.code(),
                "assessed_at": card.assessed_at.rfc3339(),
                "child_at_risk": card.child_at_risk,
            }))
        })
        .collect();
    let safety: Vec<Value> = assessments
        .iter()
        .filter_map(|assessment| {
            let card = SafetyCard::decode(&find(assessment.safety_item?)?.plain).ok()?;
            Some(json!({
                "do_not_tell": card.do_not_tell,
                "safe_person": card.safe_person,
                "safe_person_phone": card.safe_person_phone,
            }))
        })
        .collect();
    let languages = opened.iter().filter(|one| one.part.class == DataClass::Ip);
    let mut languages: Vec<&str> = languages
        .filter_map(|one| std::str::from_utf8(&one.plain).ok())
        .collect();
    languages.sort_unstable();
    languages.dedup();
    let mut map = Map::new();
    map.insert("risk".to_owned(), json!(risks));
    map.insert("safety".to_owned(), json!(safety));
    map.insert("service_lines".to_owned(), json!(lines));
    if !languages.is_empty() {
        map.insert("interpreter_languages".to_owned(), json!(languages));
    }
    map.insert("minutes".to_owned(), json!(VIEW_MINUTES));
    let ends = at.plus_millis(VIEW_MINUTES * 60_000);
    map.insert("view_ends_at".to_owned(), json!(ends.rfc3339()));
    map
}
