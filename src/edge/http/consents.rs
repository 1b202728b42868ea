//! Her word: consent, refusal and withdrawal, as services hand it in.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::App;
use super::call::{Route, field, handle};
use super::referrals::Reply;
use super::reply::render;
use crate::domain::codes::{Action, DataClass, Purpose};
use crate::edge::wire::{ConsentIn, WithdrawalIn};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsentRecordIn {
    /// Your own reference of the person.
    pub person: String,
    pub consent: ConsentIn,
}

/// Records a consent, or that she refused.
#[utoipa::path(post, path = "/v1/consents", tag = "consent", request_body = ConsentRecordIn,
    responses((status = 201, description = "recorded", body = Reply)))]
pub async fn consent(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(
        app,
        request,
        Route::create(Action::RecordConsent),
        async |call| {
            let input: ConsentRecordIn = call.json()?;
            let person = call.id(&input.person)?;
            let attempt = call.attempt()?;
            let given = input.consent.parse(
                attempt.organisation(),
                attempt.when,
                &[DataClass::Op, DataClass::Sp],
                &[Purpose::PriorAssessment],
            )?;
            let mut consent = given.consent;
            consent.recipients = given.recipients;
            Ok(render(
                call,
                call.app
                    .gateway
                    .record_consent(attempt, person, &consent)
                    .await?,
            ))
        },
    )
    .await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsentWithdrawIn {
    /// Your own reference of the person.
    pub person: String,
}

/// Takes one consent back, from now.
#[utoipa::path(post, path = "/v1/consents/{id}/withdraw", tag = "consent",
    params(("id" = String, Path)), request_body = ConsentWithdrawIn,
    responses((status = 200, description = "withdrawn", body = Reply)))]
pub async fn withdraw_consent(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    handle(
        app,
        request,
        Route::create(Action::WithdrawConsent),
        async |call| {
            let input: ConsentWithdrawIn = call.json()?;
            let (person, consent) = (call.id(&input.person)?, call.id(&id)?);
            let attempt = call.attempt()?;
            Ok(render(
                call,
                call.app
                    .gateway
                    .withdraw_consent(attempt, person, consent)
                    .await?,
            ))
        },
    )
    .await
}

/// She withdraws, at any service: everything, a service, a class or a purpose.
#[utoipa::path(post, path = "/v1/withdrawals", tag = "consent", request_body = WithdrawalIn,
    responses((status = 200, description = "in force", body = Reply)))]
pub async fn withdraw(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(
        app,
        request,
        Route::create(Action::Withdraw),
        async |call| {
            let input: WithdrawalIn = call.json()?;
            let (wish, services) = input.wish()?;
            let attempt = call.attempt()?;
            let gateway = &call.app.gateway;
            let answered = match (input.identity, input.person) {
                (Some(identity), _) => {
                    let (person, _) = gateway.resolve(identity.raw(), attempt.when)?;
                    gateway
                        .withdraw(attempt, person.tokens(), wish, &services)
                        .await?
                }
                (None, Some(person)) => {
                    let person = call.id(&person)?;
                    gateway
                        .withdraw_known(attempt, person, wish, &services)
                        .await?
                }
                (None, None) => return Err(field("identity", "give her identity").into()),
            };
            Ok(render(call, answered))
        },
    )
    .await
}
