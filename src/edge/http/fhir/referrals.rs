//! `ServiceRequest` and `Task`: what a sender may know of its own referrals.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;

use super::{Ids, Refused, Stop, answered, instead, rendered, wanted};
use crate::domain::answer::{Answer, Seen};
use crate::domain::codes::Action;
use crate::domain::id::Id;
use crate::domain::journey::reading::Ask;
use crate::edge::fhir::{Format, Kind, Problem, focus, service_request, task, tasks};
use crate::edge::http::App;
use crate::edge::http::call::{Call, Route, handle};
use crate::edge::http::reply::Rendered;
use crate::pipeline::Answered;

const ID: &str = "an id is 26 letters and digits";
const FOCUS: &str = "say which referral: focus=ServiceRequest/ and its id";

/// One of your own referrals as ServiceRequest: active or completed.
#[utoipa::path(get, path = "/fhir/ServiceRequest/{id}", tag = "fhir",
    params(("id" = String, Path)),
    responses((status = 200, description = "a ServiceRequest"),
              (status = 404, description = "an OperationOutcome: nothing that could be shown")))]
pub async fn request(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let route = Route::read(Action::ReadReferralStatus);
    handle(app, request, route, async |call| {
        answered(call, async |call| one(call, &id, service_request).await).await
    })
    .await
}

/// The Task of one of your own referrals, of the same id: requested, accepted or completed.
#[utoipa::path(get, path = "/fhir/Task/{id}", tag = "fhir",
    params(("id" = String, Path)),
    responses((status = 200, description = "a Task"),
              (status = 404, description = "an OperationOutcome: nothing that could be shown")))]
pub async fn one_task(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let route = Route::read(Action::ReadReferralStatus);
    handle(app, request, route, async |call| {
        answered(call, async |call| one(call, &id, task).await).await
    })
    .await
}

/// The Task of one of your own referrals as a searchset, empty where there is nothing to show.
#[utoipa::path(get, path = "/fhir/Task", tag = "fhir",
    params(("focus" = String, Query, description = "ServiceRequest/ and the referral's id")),
    responses((status = 200, description = "a searchset without a total")))]
pub async fn search(State(app): State<Arc<App>>, request: Request) -> Response {
    let route = Route::read(Action::ReadReferralStatus);
    handle(app, request, route, async |call| {
        answered(call, searched).await
    })
    .await
}

async fn one(
    call: &Call,
    id: &str,
    write: fn(&Seen, &str, Format) -> Vec<u8>,
) -> Result<Rendered, Refused> {
    let format = wanted(call)?;
    let alias = Id::parse(id).ok_or(Stop(Problem::whole(Kind::Value, ID), format))?;
    let answered = asked(call, alias).await?;
    Ok(match &answered.answer {
        Answer::Status(seen) => {
            let body = write(seen, &answered.receipt.to_text(), format);
            rendered(call, 200, body, format, None)
        }
        _ => instead(call, &answered, Problem::of_field, format),
    })
}

async fn searched(call: &Call) -> Result<Rendered, Refused> {
    let format = wanted(call)?;
    let alias = call.query("focus").and_then(focus);
    let alias = alias.ok_or(Stop(Problem::whole(Kind::Value, FOCUS), format))?;
    let answered = asked(call, alias).await?;
    let seen = match &answered.answer {
        Answer::Status(seen) => Some(seen),
        Answer::Nothing => None,
        _ => return Ok(instead(call, &answered, Problem::of_field, format)),
    };
    let id = Ids::new(&call.app.gateway.entropy()).bundle;
    let body = tasks(seen, &answered.receipt.to_text(), &id, format);
    Ok(rendered(call, 200, body, format, None))
}

async fn asked(call: &Call, alias: Id) -> Result<Answered, Refused> {
    let attempt = call.attempt()?;
    let gateway = &call.app.gateway;
    Ok(gateway.referral(attempt, alias, Ask::Status).await?)
}
