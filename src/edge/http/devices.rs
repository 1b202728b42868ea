//! The second factor, and what a person proves herself with: the handlers.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::App;
use super::call::{Call, Route, field, handle};
use super::referrals::Reply;
use super::reply::render;
use crate::domain::codes::Action;
use crate::domain::device::{AddingKind, Ceremony, Devices};
use crate::domain::firewall::hold;
use crate::domain::journey::devices::Act;
use crate::domain::passkey::Site;
use crate::domain::refusal::Refusal;
use crate::edge::wire::devices::{
    DeviceIn, DeviceKind, DeviceProofIn, PasskeyIn, SecondFactorIn, app_key,
};

/// Proves a person with the six digits of her phone; gives a `Firedoor-Session` value.
#[utoipa::path(post, path = "/v1/second-factor", tag = "start", request_body = SecondFactorIn,
    responses((status = 200, description = "a session of ten idle minutes", body = Reply)))]
pub async fn second_factor(State(app): State<Arc<App>>, request: Request) -> Response {
    let route = Route::read(Action::SecondFactor);
    handle(app, request, route, async |call| {
        let input: SecondFactorIn = call.json()?;
        let attempt = call.attempt()?;
        let gateway = &call.app.gateway;
        let answered = gateway.second_factor(attempt, input.code.text()).await?;
        Ok(render(call, answered))
    })
    .await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskPasskeyIn {}

/// Asks for one of the caller's passkeys: `options` are for `navigator.credentials.get`.
#[utoipa::path(post, path = "/v1/second-factor/challenge", tag = "start", request_body = AskPasskeyIn,
    responses((status = 200, description = "what to ask the browser, for five minutes", body = Reply)))]
pub async fn ask_passkey(State(app): State<Arc<App>>, request: Request) -> Response {
    let route = Route::read(Action::SecondFactor);
    handle(app, request, route, async |call| {
        let AskPasskeyIn {} = call.json()?;
        let attempt = call.attempt()?;
        Ok(render(call, call.app.gateway.ask_passkey(attempt).await?))
    })
    .await
}

/// Proves a person with the passkey that she was asked for; gives a `Firedoor-Session` value.
#[utoipa::path(post, path = "/v1/second-factor/passkey", tag = "start", request_body = PasskeyIn,
    responses((status = 200, description = "a session of ten idle minutes", body = Reply)))]
pub async fn show_passkey(State(app): State<Arc<App>>, request: Request) -> Response {
    let route = Route::read(Action::SecondFactor);
    handle(app, request, route, async |call| {
        let input: PasskeyIn = call.json()?;
        let (attempt, site) = (call.attempt()?, site(call)?);
        let gateway = &call.app.gateway;
        let reply = input.passkey.text();
        let answered = gateway.shown_passkey(attempt, site, reply).await?;
        Ok(render(call, answered))
    })
    .await
}

/// What the caller proves herself with, and what she is adding.
#[utoipa::path(get, path = "/v1/devices", tag = "start",
    responses((status = 200, description = "her devices", body = Reply)))]
pub async fn list(State(app): State<Arc<App>>, request: Request) -> Response {
    let route = Route::read(Action::ReadDevices);
    handle(app, request, route, async |call| {
        let attempt = call.attempt()?;
        let answered = call.app.gateway.devices(attempt, &Act::Read).await?;
        Ok(render(call, answered))
    })
    .await
}

/// Begins with one more device. It is hers once it has shown that it works.
#[utoipa::path(post, path = "/v1/devices", tag = "start", request_body = DeviceIn,
    responses((status = 200, description = "what to do with it", body = Reply)))]
pub async fn add(State(app): State<Arc<App>>, request: Request) -> Response {
    let route = Route::read(Action::AddDevice);
    handle(app, request, route, async |call| {
        let input: DeviceIn = call.json()?;
        let attempt = call.attempt()?;
        let gateway = &call.app.gateway;
        let read = hold::read(&gateway.rules.load(), &attempt, input);
        let (kind, name) = read.map_err(Refusal::ImmigrationContentFound)?.parse()?;
        let answered = match kind {
            DeviceKind::AuthenticatorApp => gateway.devices(attempt, &Act::AddApp(&name)).await?,
            DeviceKind::Passkey => gateway.add_passkey(attempt, &name).await?,
        };
        Ok(render(call, answered))
    })
    .await
}

/// Shows that the device that is being added works: a code of the app, or what the browser replied.
#[utoipa::path(post, path = "/v1/devices/confirm", tag = "start", request_body = DeviceProofIn,
    responses((status = 200, description = "it is hers", body = Reply)))]
pub async fn confirm(State(app): State<Arc<App>>, request: Request) -> Response {
    let route = Route::create(Action::AddDevice);
    handle(app, request, route, async |call| {
        let input: DeviceProofIn = call.json()?;
        let act = match &input {
            DeviceProofIn {
                code: Some(code),
                passkey: None,
            } => Act::ConfirmApp(code.text()),
            DeviceProofIn {
                code: None,
                passkey: Some(reply),
            } => Act::ConfirmPasskey(site(call)?, reply.text()),
            DeviceProofIn { .. } => return Err(field("code", "give a code or a passkey").into()),
        };
        let attempt = call.attempt()?;
        Ok(render(call, call.app.gateway.devices(attempt, &act).await?))
    })
    .await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemovalIn {}

/// Takes one of several devices away, by its number.
#[utoipa::path(post, path = "/v1/devices/{id}/remove", tag = "start",
    params(("id" = String, Path)), request_body = RemovalIn,
    responses((status = 200, description = "it is gone", body = Reply)))]
pub async fn remove(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let route = Route::create(Action::RemoveDevice);
    handle(app, request, route, async |call| {
        let RemovalIn {} = call.json()?;
        let number = id
            .parse()
            .map_err(|_| field("id", "give the number of a device"))?;
        let act = Act::Remove(number);
        let attempt = call.attempt()?;
        Ok(render(call, call.app.gateway.devices(attempt, &act).await?))
    })
    .await
}

fn site(call: &Call) -> Result<&Site, Refusal> {
    let site = call.app.gateway.passkeys.as_ref();
    site.ok_or_else(|| field("passkey", "passkeys are not offered here; give a code"))
}

/// What a browser is asked.
pub(super) fn asked_body(asked: &Ceremony) -> Value {
    json!({ "options": options(asked) })
}

fn options(asked: &Ceremony) -> Value {
    serde_json::from_str(&asked.options).unwrap_or_default()
}

/// Her devices, by the day; never a secret of one that is hers already.
pub(super) fn body(call: &Call, own: &Devices) -> Value {
    let list = own.list().iter().map(|device| {
        json!({
            "number": device.number,
            "kind": device.proof.code(),
            "name": device.name,
            "added_on": device.added_at.day(),
            "used_on": device.used_at.map(|at| at.day()),
        })
    });
    let adding = own.adding.as_ref().map(|begun| {
        let (name, until) = (&begun.what.name, begun.until.rfc3339());
        match &begun.what.kind {
            AddingKind::App(secret) => {
                let account = format!("{}/{}", call.peer.name().organisation, call.user().as_str());
                let (secret, link) = app_key(secret, &account);
                json!({
                    "kind": "authenticator_app", "name": name, "until": until,
                    "secret": secret, "link": link,
                })
            }
            AddingKind::Passkey(asked) => json!({
                "kind": "passkey", "name": name, "until": until, "options": options(asked),
            }),
        }
    });
    json!({
        "devices": list.collect::<Vec<_>>(),
        "adding": adding,
        "offers_passkeys": call.app.gateway.passkeys.is_some(),
    })
}
