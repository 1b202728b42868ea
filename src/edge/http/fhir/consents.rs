//! `Consent`: her word, recorded, read again and ended, through the functions of `/v1/consents`.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;

use super::{Ids, Refused, Stop, answered, fields, formats, instead, rendered, wanted};
use crate::domain::answer::Answer;
use crate::domain::codes::{Action, DataClass, Purpose};
use crate::domain::counterfoil::Counterfoil;
use crate::edge::fhir::{Kind, Problem, Told, consent_of, her_word, recorded_consent, said};
use crate::edge::http::App;
use crate::edge::http::call::{Call, Route, handle, parse_form};
use crate::edge::http::reply::{Rendered, WITHDRAWN_SAYS};
use crate::edge::wire::ConsentIn;

/// Records her consent, or that she refused (`provision.type` deny).
#[utoipa::path(post, path = "/fhir/Consent", tag = "fhir",
    request_body(content = String, content_type = "application/fhir+json"),
    responses((status = 201, description = "the Consent as recorded"),
              (status = 404, description = "an OperationOutcome: nothing that could be shown"),
              (status = 422, description = "an OperationOutcome that names the element")))]
pub async fn create(State(app): State<Arc<App>>, request: Request) -> Response {
    let route = Route::create(Action::RecordConsent);
    handle(app, request, route, async |call| {
        answered(call, record).await
    })
    .await
}

async fn record(call: &Call) -> Result<Rendered, Refused> {
    let (sent, format) = formats(call)?;
    let stop = |problem| Stop(problem, format);
    let word = her_word(&call.body, sent, false).map_err(stop)?;
    let attempt = call.attempt()?;
    let form: ConsentIn = match parse_form(word.form) {
        Ok(form) => form,
        Err(refusal) => {
            return Err(stop(super::problem_of(&refusal, Problem::of_consent_field)).into());
        }
    };
    let given = form.parse(
        attempt.organisation(),
        attempt.when,
        &[DataClass::Op, DataClass::Sp],
        &[Purpose::PriorAssessment],
    );
    let given = given.map_err(|wrong| stop(fields(&wrong, Problem::of_consent_field)))?;
    let mut consent = given.consent;
    consent.recipients = given.recipients;
    let gateway = &call.app.gateway;
    let answered = gateway
        .record_consent(attempt, word.person, &consent)
        .await?;
    let id = match &answered.answer {
        Answer::Consented { consent } => Some(consent.id()),
        Answer::Replayed { told, made, .. } if told == "consent-recorded" => *made,
        _ => None,
    };
    let Some(id) = id else {
        return Ok(instead(call, &answered, Problem::of_consent_field, format));
    };
    // What the caller sent, as it was understood; nothing else is known of it.
    let told = Told {
        receipt: &answered.receipt.to_text(),
        left_behind: &word.left_behind,
        he_was_there: consent.needs_warning(),
    };
    let body = recorded_consent(&consent, (word.person, id), answered.at, &told, format);
    Ok(rendered(call, 201, body, format, None))
}

/// One consent that your organisation recorded. Its id is your reference of her and that of the
/// consent, with a full stop between them.
#[utoipa::path(get, path = "/fhir/Consent/{id}", tag = "fhir", params(("id" = String, Path)),
    responses((status = 200, description = "the Consent"),
              (status = 404, description = "an OperationOutcome: nothing that could be shown")))]
pub async fn read(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let route = Route::read(Action::ReadConsents);
    handle(app, request, route, async |call| {
        answered(call, async |call| recorded(call, &id).await).await
    })
    .await
}

async fn recorded(call: &Call, id: &str) -> Result<Rendered, Refused> {
    let format = wanted(call)?;
    let (person, consent) = consent_of(id).map_err(|problem| Stop(problem, format))?;
    let attempt = call.attempt()?;
    let answered = call
        .app
        .gateway
        .own_consent(attempt, person, consent)
        .await?;
    Ok(match &answered.answer {
        Answer::Consent(found) => {
            let told = Told {
                receipt: &answered.receipt.to_text(),
                left_behind: &[],
                he_was_there: false,
            };
            let body = recorded_consent(found, (person, consent), answered.at, &told, format);
            rendered(call, 200, body, format, None)
        }
        _ => instead(call, &answered, Problem::of_consent_field, format),
    })
}

/// Ends a consent: a Consent of this id that is inactive or entered-in-error. The reply is the same
/// whether there was one.
#[utoipa::path(put, path = "/fhir/Consent/{id}", tag = "fhir", params(("id" = String, Path)),
    request_body(content = String, content_type = "application/fhir+json"),
    responses((status = 200, description = "withdrawn: an OperationOutcome"),
              (status = 422, description = "an OperationOutcome that names the element")))]
pub async fn update(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let route = Route::create(Action::WithdrawConsent);
    handle(app, request, route, async |call| {
        answered(call, async |call| end(call, &id).await).await
    })
    .await
}

async fn end(call: &Call, id: &str) -> Result<Rendered, Refused> {
    let (sent, format) = formats(call)?;
    let stop = |problem| Stop(problem, format);
    let (person, consent) = consent_of(id).map_err(stop)?;
    let word = her_word(&call.body, sent, true).map_err(stop)?;
    if word.person != person {
        return Err(stop(Problem::new(Kind::Value, "Consent.patient", OTHER)).into());
    }
    let attempt = call.attempt()?;
    let gateway = &call.app.gateway;
    let answered = gateway.withdraw_consent(attempt, person, consent).await?;
    let in_force = match &answered.answer {
        Answer::Withdrawn { .. } => true,
        Answer::Replayed { told, .. } => told == "withdrawn",
        _ => false,
    };
    if !in_force {
        return Ok(instead(call, &answered, Problem::of_consent_field, format));
    }
    let ids = Ids::new(&gateway.entropy());
    let kept = answered.counterfoil.as_deref().map(Counterfoil::to_text);
    let body = said(
        WITHDRAWN_SAYS,
        &ids.outcome,
        &answered.receipt.leaf.id().short(),
        &answered.receipt.to_text(),
        kept.as_deref(),
        &word.left_behind,
        format,
    );
    Ok(rendered(call, 200, body, format, None))
}

const OTHER: &str = "is not the one in the address";
