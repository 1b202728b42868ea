//! `QuestionnaireResponse`: an assessment, told once, through the function of `/v1/assessments`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;

use super::{Refused, Stop, answered, fields, formats, instead, rendered};
use crate::domain::answer::Answer;
use crate::domain::codes::Action;
use crate::edge::fhir::{Problem, Recorded, assessed, assessment};
use crate::edge::http::App;
use crate::edge::http::call::{Call, Route, handle, parse_form};
use crate::edge::http::reply::Rendered;
use crate::edge::wire::assessment::AssessmentIn;

/// Records an assessment, so that she need not tell it again.
#[utoipa::path(post, path = "/fhir/QuestionnaireResponse", tag = "fhir",
    request_body(content = String, content_type = "application/fhir+json"),
    responses((status = 201, description = "that it was recorded, without any answer"),
              (status = 404, description = "an OperationOutcome: nothing that could be shown"),
              (status = 422, description = "an OperationOutcome that names the element")))]
pub async fn create(State(app): State<Arc<App>>, request: Request) -> Response {
    let route = Route::create(Action::RecordAssessment);
    handle(app, request, route, async |call| {
        answered(call, record).await
    })
    .await
}

async fn record(call: &Call) -> Result<Rendered, Refused> {
    let (sent, format) = formats(call)?;
    let stop = |problem| Stop(problem, format);
    let naming = Problem::of_assessment_field;
    let mut read = assessment(&call.body, sent).map_err(stop)?;
    let form: AssessmentIn = match parse_form(read.form.take()) {
        Ok(form) => form,
        Err(refusal) => return Err(stop(super::problem_of(&refusal, naming)).into()),
    };
    let attempt = call.attempt()?;
    let wrong = |wrong: Vec<_>| stop(fields(&wrong, naming));
    let (named, draft) = form.parse(&attempt).map_err(wrong)?;
    let gateway = &call.app.gateway;
    let subject = gateway.subject(named, attempt.when).map_err(wrong)?;
    let answered = gateway.record_assessment(attempt, &subject, &draft).await?;
    let made = match &answered.answer {
        Answer::Assessed { assessment, ticks } => Some((assessment.id(), *ticks)),
        Answer::Replayed { told, made, .. } if told == "assessment-recorded" => {
            made.map(|id| (id, None))
        }
        _ => None,
    };
    let Some((id, ticks)) = made else {
        return Ok(instead(call, &answered, naming, format));
    };
    let recorded = Recorded {
        id,
        ticks,
        sent: &read,
    };
    let body = assessed(&recorded, &answered.receipt.to_text(), format);
    Ok(rendered(call, 201, body, format, None))
}
