//! What a person proves herself with: her authenticator apps and passkeys, a spare one, and taking one
//! away.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::form::{Errors, Field, Form};
use super::page::{self, Page, button, form};
use super::table::{For, Pages};
use super::visit::{Reply, Stop, Visit, text};
use super::words::date;
use crate::domain::refusal::Refusal;

pub fn pages(pages: Pages) -> Pages {
    pages
        .get("/devices", For::SignedIn, show)
        .post("/devices", For::SignedIn, add)
        .get("/devices/new", For::SignedIn, adding)
        .post("/devices/new", For::SignedIn, confirm)
        .post("/devices/{id}/remove", For::SignedIn, remove)
}

async fn show(visit: Visit) -> Result<Page, Stop> {
    listed(&visit, html! {}, &Errors::default(), 200).await
}

/// The list, under what went wrong.
async fn listed(
    visit: &Visit,
    trouble: Markup,
    errors: &Errors,
    status: u16,
) -> Result<Page, Stop> {
    let reply = visit.get("/v1/devices").await?;
    if !reply.is_ok() {
        return Ok(page::refused(reply));
    }
    let devices = reply.list("/devices");
    let body = html! {
        (trouble)
        h1 { "Your devices" }
        p { "You prove who you are with one of these whenever you sign in. Nobody else can use them." }
        @if devices.len() == 1 {
            div.notice {
                p {
                    "You have one device. If it is lost or broken, two people must give you a new one. \
                     Add a spare now, and keep it somewhere else."
                }
            }
        }
        @for device in devices { (card(visit, device, devices.len() > 1)) }
        h2 { "Add a device" }
        (form(visit, "/devices", &asks(visit.form(), errors, &reply)))
    };
    Ok(Page::new("Devices", body).status(status))
}

fn kind(device: &Value) -> &'static str {
    match text(device, "kind") {
        "passkey" => "Passkey",
        _ => "Authenticator app",
    }
}

fn card(visit: &Visit, device: &Value, removable: bool) -> Markup {
    let name = text(device, "name");
    let used = match text(device, "used_on") {
        "" => "Not yet".to_owned(),
        day => date(day),
    };
    html! {
        div.card {
            h2 { (name) }
            dl.rows {
                dt { "Kind" } dd { (kind(device)) }
                dt { "Added" } dd { (date(text(device, "added_on"))) }
                dt { "Last used" } dd { (used) }
            }
            @if removable {
                @let number = device.get("number").and_then(Value::as_u64).unwrap_or_default();
                (button(visit, &format!("/devices/{number}/remove"), &format!("Remove {name}")))
            }
        }
    }
}

fn asks(sent: &Form, errors: &Errors, reply: &Reply) -> Markup {
    let name = Field {
        name: "name",
        label: "Name for it",
        hint: "So that you know it again, such as: phone, work laptop, key on my ring.",
        longest: 40,
        width: 20,
        ..Field::default()
    };
    let passkeys = reply.body.get("offers_passkeys") == Some(&Value::Bool(true));
    html! {
        (name.text(sent, errors))
        div.buttons {
            button name="kind" value="authenticator_app" { "Add an authenticator app" }
            @if passkeys {
                // Shown by the script: without it a browser cannot ask for one.
                button name="kind" value="passkey" data-passkeys hidden { "Add a passkey" }
            }
        }
        @if passkeys {
            p.hint data-passkeys hidden {
                "A passkey is your phone, this computer or a security key, unlocked as you always do."
            }
        }
    }
}

async fn add(visit: Visit) -> Result<Page, Stop> {
    let kind = match visit.form().get("kind") {
        "passkey" => "passkey",
        _ => "authenticator_app",
    };
    let body = json!({ "kind": kind, "name": visit.form().get("name") });
    // Begun again it begins anew, so the form uses up no key.
    let reply = visit.look("/v1/devices", &body).await?;
    if reply.is_ok() {
        return Ok(Page::go("/devices/new"));
    }
    let (trouble, errors) = (page::trouble(&reply), reply.errors());
    listed(&visit, trouble, &errors, reply.status).await
}

async fn adding(visit: Visit) -> Result<Page, Stop> {
    shown(&visit, html! {}, &Errors::default(), 200).await
}

/// What is being added, and how it is shown to work.
async fn shown(visit: &Visit, trouble: Markup, errors: &Errors, status: u16) -> Result<Page, Stop> {
    let reply = visit.get("/v1/devices").await?;
    if !reply.is_ok() {
        return Ok(page::refused(reply));
    }
    let Some(new) = reply.body.get("adding").filter(|new| !new.is_null()) else {
        let body = html! {
            (trouble)
            h1 { "No device is being added" }
            p { "It was added already, or too much time went by." }
            p { a href="/devices" { "Your devices" } }
        };
        return Ok(Page::new("Devices", body).status(status));
    };
    let body = html! {
        (trouble)
        h1 { "Add " (text(new, "name")) }
        @match text(new, "kind") {
            "passkey" => {
                (passkey(visit, "/devices/new", new, &html! { button { "Add this passkey" } }))
            }
            _ => { (app(visit, new, errors)) }
        }
        p { a href="/devices" { "Not now" } }
    };
    Ok(Page::new("Devices", body).status(status))
}

fn app(visit: &Visit, new: &Value, errors: &Errors) -> Markup {
    let code = Field {
        name: "code",
        label: "Code that the app shows",
        hint: "Six digits.",
        autocomplete: "one-time-code",
        inputmode: "numeric",
        width: 6,
        longest: 8,
    };
    // In fours, which are easier to type.
    let secret = text(new, "secret").as_bytes().chunks(4);
    let secret: Vec<String> = secret
        .map(|four| String::from_utf8_lossy(four).into_owned())
        .collect();
    let fields = html! { (code.text(&Form::default(), errors)) button { "Add this app" } };
    html! {
        ol {
            li { "Open an authenticator app on the device that you want to add." }
            li {
                "Choose to add a key, and type this: "
                b.code { (secret.join(" ")) }
                ". Or, if the app is on this device, "
                a href=(text(new, "link")) { "open it there" } "."
            }
            li { "Type the code that it shows." }
        }
        p { "The key is shown to nobody else. Write it down nowhere." }
        (form(visit, "/devices/new", &fields))
    }
}

/// A form whose button lets the browser ask for a passkey; the script sends what it replied.
pub fn passkey(visit: &Visit, action: &str, asked: &Value, inner: &Markup) -> Markup {
    let options = asked.get("options").map(Value::to_string);
    html! {
        div data-passkey=(options.unwrap_or_default()) {
            (form(visit, action, &html! {
                input type="hidden" name="passkey" value="";
                (inner)
            }))
            p role="status" data-says="It was not used. Try again, or choose another way." {}
        }
    }
}

async fn confirm(visit: Visit) -> Result<Page, Stop> {
    let body = match visit.form().said("passkey") {
        Some(passkey) => json!({ "passkey": passkey }),
        None => json!({ "code": digits(visit.form().get("code")) }),
    };
    let reply = visit.post("/v1/devices/confirm", &body).await?;
    if reply.is_ok() {
        return Ok(Page::go("/devices"));
    }
    let (trouble, errors) = (page::trouble(&reply), reply.errors());
    shown(&visit, trouble, &errors, reply.status).await
}

/// A code as it may be typed: in two groups.
pub fn digits(code: &str) -> String {
    code.chars().filter(|letter| *letter != ' ').collect()
}

async fn remove(visit: Visit) -> Result<Page, Stop> {
    let number: u32 = match visit.id().parse() {
        Ok(number) => number,
        Err(_) => return Err(Stop::Refused(Refusal::NotFound)),
    };
    let path = format!("/v1/devices/{number}/remove");
    let reply = visit.post(&path, &json!({})).await?;
    if reply.is_ok() {
        return Ok(Page::go("/devices"));
    }
    listed(
        &visit,
        page::trouble(&reply),
        &Errors::default(),
        reply.status,
    )
    .await
}
