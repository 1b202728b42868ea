//! Her word: consent, refusal and withdrawal, as services hand it in.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::App;
use super::call::{Call, Halt, Route, field, handle};
use super::her_word::{card_code, warned};
use super::referrals::{Reply, cursor, next_page};
use super::reply::{envelope, finish, render};
use crate::domain::codes::{Action, ConsentDecision, DataClass, Purpose};
use crate::domain::consent::Consent;
use crate::domain::id::AssessmentId;
use crate::domain::stop_use::Settling;
use crate::edge::wire::withdrawal::{CardIn, ConfirmIn, LiftIn, StopUseReplyIn, WithdrawalIn};
use crate::edge::wire::{ConsentIn, LIST_MAX};

/// Entries of one page.
const PAGE_MAX: u16 = 50;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsentRecordIn {
    /// Your own reference of the person.
    pub person: String,
    pub consent: ConsentIn,
    /// Your own references of assessments, if she speaks of these alone.
    #[serde(default)]
    pub items: Vec<String>,
    /// She may not have been free to say yes: it is recorded and serves for nothing. Ask her safely and
    /// record it anew. The reply is the same.
    #[serde(default)]
    pub pause: bool,
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
            let more = (input.items, input.pause);
            with_more(call, &mut consent, more)?;
            let gateway = &call.app.gateway;
            let answered = gateway.record_consent(attempt, person, &consent).await?;
            let (status, value) = envelope(call, answered);
            let value = warned(value, status == 201 && consent.needs_warning());
            Ok(finish(call, status, &value))
        },
    )
    .await
}

type More = (Vec<String>, bool);

fn with_more(call: &Call, consent: &mut Consent, (items, pause): More) -> Result<(), Halt> {
    if items.len() > LIST_MAX {
        return Err(field("items", "at most 32").into());
    }
    for item in &items {
        consent.items.push(AssessmentId(call.id(item)?));
    }
    if pause && consent.decision == ConsentDecision::Deny {
        let instead = "she may not be free to refuse: take a withdrawal with pause instead";
        return Err(field("pause", instead).into());
    }
    consent.paused = pause;
    Ok(())
}

/// Consents of your own that you are to go through with the person again, by their dates.
#[utoipa::path(get, path = "/v1/consents", tag = "consent",
    params(("after" = Option<String>, Query, description = "cursor from the page before")),
    responses((status = 200, description = "a page", body = Reply)))]
pub async fn due(State(app): State<Arc<App>>, request: Request) -> Response {
    let route = Route::read(Action::ReadConsents);
    handle(app, request, route, async |call| {
        let after = cursor(call).await?;
        let gateway = &call.app.gateway;
        let (answered, entries) = gateway
            .consents_due(call.attempt()?, after, PAGE_MAX)
            .await?;
        Ok(next_page(call, answered, &entries, after))
    })
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
                (None, None) => {
                    let typed = input.card_code.as_ref();
                    let code = card_code(call, typed);
                    gateway
                        .withdraw_by_card(attempt, code, wish, &services)
                        .await?
                }
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
            };
            Ok(render(call, answered))
        },
    )
    .await
}

/// A pause that you took was her word: it becomes a withdrawal, from when it was first said.
#[utoipa::path(post, path = "/v1/withdrawals/{id}/confirm", tag = "consent",
    params(("id" = String, Path)), request_body = ConfirmIn,
    responses((status = 200, description = "it holds for good", body = Reply)))]
pub async fn confirm(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let route = Route::create(Action::SettleWithdrawal);
    handle(app, request, route, async |call| {
        let ConfirmIn {} = call.json()?;
        let (alias, gateway) = (call.id(&id)?, &call.app.gateway);
        let how = Settling::Confirm;
        Ok(render(
            call,
            gateway.settle(call.attempt()?, alias, how, false).await?,
        ))
    })
    .await
}

/// A pause that you took was not her word: you asked her safely, and it ends.
#[utoipa::path(post, path = "/v1/withdrawals/{id}/lift", tag = "consent",
    params(("id" = String, Path)), request_body = LiftIn,
    responses((status = 200, description = "it ended", body = Reply)))]
pub async fn lift(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let route = Route::create(Action::SettleWithdrawal);
    handle(app, request, route, async |call| {
        let input: LiftIn = call.json()?;
        let (alias, gateway) = (call.id(&id)?, &call.app.gateway);
        let (how, asked) = (Settling::Lift, input.asked_her_safely);
        Ok(render(
            call,
            gateway.settle(call.attempt()?, alias, how, asked).await?,
        ))
    })
    .await
}

/// A card for a person whom you work with: codes to withdraw and to let services ask once. The one
/// that you made before ends.
#[utoipa::path(post, path = "/v1/cards", tag = "consent", request_body = CardIn,
    responses((status = 201, description = "the codes, shown once", body = Reply)))]
pub async fn card(State(app): State<Arc<App>>, request: Request) -> Response {
    let route = Route::create(Action::IssueCard);
    handle(app, request, route, async |call| {
        let input: CardIn = call.json()?;
        let (person, gateway) = (call.id(&input.person)?, &call.app.gateway);
        Ok(render(
            call,
            gateway.issue_card(call.attempt()?, person).await?,
        ))
    })
    .await
}

/// She withdrew, and you say what became of what you were shown.
#[utoipa::path(post, path = "/v1/stop-use/{id}/reply", tag = "consent",
    params(("id" = String, Path)), request_body = StopUseReplyIn,
    responses((status = 200, description = "taken", body = Reply)))]
pub async fn stop_use(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let route = Route::create(Action::AnswerStopUse);
    handle(app, request, route, async |call| {
        let input: StopUseReplyIn = call.json()?;
        let said = input.parse()?;
        let (alias, gateway) = (call.id(&id)?, &call.app.gateway);
        Ok(render(
            call,
            gateway
                .answer_stop_use(call.attempt()?, alias, said)
                .await?,
        ))
    })
    .await
}
