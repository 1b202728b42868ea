//! Assessments told once: the handlers.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;

use super::App;
use super::call::{Call, Halt, Route, handle};
use super::her_word::{card_code, warned};
use super::referrals::Reply;
use super::reply::{envelope, finish, render};
use crate::domain::codes::Action;
use crate::domain::consent::Consent;
use crate::domain::journey::assessing::taking_back::Mistake;
use crate::domain::journey::querying::Query;
use crate::domain::journey::querying::relying::Use;
use crate::domain::journey::subject::{Named, Subject};
use crate::edge::wire::assessment::{
    AssessmentIn, AssessmentQueryIn, AssessmentWithdrawIn, OwnAssessmentsIn, ReliedOnIn,
};

/// Records an assessment, so that she need not tell it again; or one in the place of another.
#[utoipa::path(post, path = "/v1/assessments", tag = "assessments", request_body = AssessmentIn,
    responses((status = 201, description = "recorded", body = Reply)))]
pub async fn record(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(
        app,
        request,
        Route::create(Action::RecordAssessment),
        async |call| {
            let input: AssessmentIn = call.json()?;
            let attempt = call.attempt()?;
            let (named, draft) = input.parse(&attempt)?;
            let subject = subject(call, named, attempt.when)?;
            let gateway = &call.app.gateway;
            let answered = gateway.record_assessment(attempt, &subject, &draft);
            let (status, value) = envelope(call, answered.await?);
            let he_was_there = draft.consents.iter().any(Consent::needs_warning);
            let value = warned(value, status == 201 && he_was_there);
            Ok(finish(call, status, &value))
        },
    )
    .await
}

/// Takes back an assessment that you recorded by mistake. What it said is destroyed.
#[utoipa::path(post, path = "/v1/assessments/{id}/withdraw", tag = "assessments",
    params(("id" = String, Path)), request_body = AssessmentWithdrawIn,
    responses((status = 200, description = "gone, or nothing to show", body = Reply)))]
pub async fn withdraw(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    handle(
        app,
        request,
        Route::create(Action::WithdrawAssessment),
        async |call| {
            let input: AssessmentWithdrawIn = call.json()?;
            let alias = call.id(&id)?;
            let attempt = call.attempt()?;
            let (named, because) = input.parse()?;
            let mistake = Mistake {
                subject: subject(call, named, attempt.when)?,
                because,
            };
            let gateway = &call.app.gateway;
            let answered = gateway.take_back_assessment(attempt, alias, &mistake);
            Ok(render(call, answered.await?))
        },
    )
    .await
}

/// Your own assessments of a person, with those that were replaced or taken back.
#[utoipa::path(post, path = "/v1/assessments/own", tag = "assessments",
    request_body = OwnAssessmentsIn,
    responses((status = 200, description = "your own, or nothing to show", body = Reply)))]
pub async fn own(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(
        app,
        request,
        Route::read(Action::ReadOwnAssessments),
        async |call| {
            let input: OwnAssessmentsIn = call.json()?;
            let attempt = call.attempt()?;
            let subject = subject(call, input.parse()?, attempt.when)?;
            let answered = call.app.gateway.own_assessments(attempt, &subject).await?;
            Ok(render(call, answered))
        },
    )
    .await
}

/// Has she been assessed before? In three steps: that something exists, the cards, the answers of
/// one. What may be shown, or the uniform nothing.
#[utoipa::path(post, path = "/v1/assessments/query", tag = "assessments",
    request_body = AssessmentQueryIn,
    responses((status = 200, description = "what may be shown", body = Reply)))]
pub async fn query(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(
        app,
        request,
        Route::read(Action::QueryAssessments),
        async |call| {
            let input: AssessmentQueryIn = call.json()?;
            let attempt = call.attempt()?;
            let onward_rule_accepted = input.onward_rule_accepted;
            let card_code = card_code(call, input.card_code.as_ref());
            let (named, step, consent) = input.parse(&attempt)?;
            let query = Query {
                subject: subject(call, named, attempt.when)?,
                step,
                consent,
                onward_rule_accepted,
                card_code,
            };
            let gateway = &call.app.gateway;
            let answered = gateway.query_assessments(attempt, &query).await?;
            let (status, value) = envelope(call, answered);
            // The same whatever was found.
            let he_was_there = query.consent.as_ref().is_some_and(Consent::needs_warning);
            let value = warned(value, status == 200 && he_was_there);
            Ok(finish(call, status, &value))
        },
    )
    .await
}

/// "Relied on this", or why she was asked again.
#[utoipa::path(post, path = "/v1/assessments/{id}/relied-on", tag = "assessments",
    params(("id" = String, Path)), request_body = ReliedOnIn,
    responses((status = 200, description = "noted", body = Reply)))]
pub async fn relied_on(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    handle(
        app,
        request,
        Route::create(Action::RelyOnAssessment),
        async |call| {
            let input: ReliedOnIn = call.json()?;
            let alias = call.id(&id)?;
            let attempt = call.attempt()?;
            let (named, reassessed_because) = input.parse()?;
            let subject = subject(call, named, attempt.when)?;
            let used = Use {
                subject,
                reassessed_because,
            };
            Ok(render(
                call,
                call.app.gateway.rely_on(attempt, alias, &used).await?,
            ))
        },
    )
    .await
}

pub fn subject(
    call: &Call,
    named: Named,
    when: crate::domain::time::When,
) -> Result<Subject, Halt> {
    Ok(call.app.gateway.subject(named, when)?)
}
