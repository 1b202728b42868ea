//! What is written about the log: the report that she asks for.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::App;
use super::call::{Route, handle};
use super::referrals::Reply;
use super::reply::{envelope, finish};
use crate::domain::codes::Action;
use crate::edge::wire::reports::ReportIn;

/// The report that a person asks for about herself, in plain words, as far as your organisation may
/// see. Where nothing is held the answer is the uniform nothing.
#[utoipa::path(post, path = "/v1/audit/reports", tag = "audit", request_body = ReportIn,
    responses((status = 200, description = "the report as text", body = Reply)))]
pub async fn report(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(
        app,
        request,
        Route::read(Action::ReportSubject),
        async |call| {
            let input: ReportIn = call.json()?;
            let attempt = call.attempt()?;
            let gateway = &call.app.gateway;
            let (identity, terms) = input.parse()?;
            let (person, _) = gateway.resolve(identity.raw(), attempt.when)?;
            let (answered, text) = gateway.report(attempt, person.tokens(), &terms).await?;
            let (status, mut value) = envelope(call, answered);
            if let (Value::Object(map), Some(text)) = (&mut value, text) {
                map.insert("report".to_owned(), json!(text));
            }
            Ok(finish(call, status, &value))
        },
    )
    .await
}
