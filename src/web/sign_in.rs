//! Getting in and out: the second factor, another role, leaving.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::devices;
use super::form::{Errors, Field};
use super::home;
use super::page::{self, Page, form, summary};
use super::table::{For, Pages};
use super::visit::{Reply, Stop, Visit};
use super::words::say;
use crate::domain::codes::Role;

pub fn pages(pages: Pages) -> Pages {
    pages
        .get("/sign-in", For::Certificate, show)
        .post("/sign-in", For::Certificate, sign_in)
        .post("/sign-in/passkey", For::Certificate, ask_passkey)
        .get("/ended", For::Certificate, ended)
        .get("/leave", For::Certificate, leave)
        .post("/sign-out", For::Certificate, sign_out)
        .get("/role", For::SignedIn, roles)
        .post("/role", For::SignedIn, work_as)
}

/// What was filled in when the session ended goes through the sign-in under this prefix: in the page
/// alone, and in nothing that a browser keeps.
const KEPT: &str = "kept.";

/// To whoever has not shown a second factor, in place of any page. A form that was sent too late is kept.
pub fn first(visit: &Visit) -> Page {
    let then = match visit.path() {
        "/sign-in" => "/",
        path => path,
    };
    let sent = visit.form().pairs();
    let sent = sent.filter(|(name, _)| visit.is_marked() && *name != "form");
    let kept: Vec<(String, &str)> = sent
        .map(|(name, value)| (format!("{KEPT}{name}"), value))
        .collect();
    let mut kept = kept;
    if visit.is_marked() {
        // Also of a button without fields it is said that nothing was done yet.
        kept.push((format!("{KEPT}sent"), "yes"));
    }
    let body = asks(visit, then, &kept, &Errors::default());
    Page::new("Sign in", body).status(401)
}

/// What was kept, as this form has it.
fn kept(visit: &Visit) -> Vec<(String, &str)> {
    let pairs = visit.form().pairs();
    let kept = pairs.filter(|(name, _)| name.starts_with(KEPT));
    kept.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn hidden<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Markup {
    html! { @for (name, value) in pairs { input type="hidden" name=(name) value=(value); } }
}

fn asks(visit: &Visit, then: &str, kept: &[(String, &str)], errors: &Errors) -> Markup {
    let code = Field {
        name: "code",
        label: "Code from your phone",
        hint: "Six digits, from your authenticator app. Each code works once.",
        autocomplete: "one-time-code",
        inputmode: "numeric",
        width: 6,
        longest: 8,
    };
    let fields = html! {
        input type="hidden" name="then" value=(then);
        (hidden(kept.iter().map(|(name, value)| (name.as_str(), *value))))
        (code.text(visit.form(), errors))
        div.buttons {
            button { "Sign in" }
            @if visit.offers_passkeys() {
                // Shown by the script: without it a browser cannot ask for one.
                button.second formaction="/sign-in/passkey" data-passkeys hidden { "Use a passkey" }
            }
        }
    };
    html! {
        (summary(errors))
        h1 { "Sign in" }
        @if !kept.is_empty() {
            div.wait {
                p {
                    "You did nothing here for ten minutes, so you were signed out. What you wrote was "
                    b { "not sent" } ", and is kept: sign in, then send it."
                }
            }
        }
        p { "Your certificate says that you are " b { (visit.user().as_str()) } " of " b { (visit.organisation()) } "." }
        (form(visit, "/sign-in", &fields))
        p { a href="/help#phone" { "I have no phone, or a new one" } }
    }
}

async fn show(visit: Visit) -> Result<Page, Stop> {
    if visit.signed_in() {
        return Ok(Page::go("/"));
    }
    Ok(Page::new(
        "Sign in",
        asks(&visit, "/", &[], &Errors::default()),
    ))
}

/// Asks for one of her passkeys; what was kept goes on through this page.
async fn ask_passkey(visit: Visit) -> Result<Page, Stop> {
    let then = visit.form().get("then");
    // Asked again it is asked anew, so the form uses up no key.
    let reply = visit
        .look("/v1/second-factor/challenge", &json!({}))
        .await?;
    if !reply.is_ok() {
        return Ok(failed(&visit, &reply));
    }
    let kept = kept(&visit);
    let fields = html! {
        input type="hidden" name="then" value=(then);
        (hidden(kept.iter().map(|(name, value)| (name.as_str(), *value))))
        button { "Go on" }
    };
    let body = html! {
        h1 { "Use your passkey" }
        p { "Your browser asks for the passkey next. Unlock it as you always do." }
        (devices::passkey(&visit, "/sign-in", &reply.body, &fields))
        p { a href="/sign-in" { "Give a code instead" } }
    };
    Ok(Page::new("Sign in", body))
}

/// The sign-in again, with what was wrong.
fn failed(visit: &Visit, reply: &Reply) -> Page {
    let mut errors = Errors::default();
    // What is wrong with a passkey stands at the code too, which is there instead of it.
    for (_, message) in reply.errors().0 {
        errors.add("code", &message);
    }
    if errors.is_empty() {
        errors.add("code", reply.text("/detail"));
    }
    let then = visit.form().get("then");
    Page::new("Sign in", asks(visit, then, &kept(visit), &errors)).status(reply.status)
}

async fn sign_in(visit: Visit) -> Result<Page, Stop> {
    let reply = match visit.form().said("passkey") {
        Some(passkey) => {
            let body = json!({ "passkey": passkey });
            visit.post("/v1/second-factor/passkey", &body).await?
        }
        None => {
            let code = devices::digits(visit.form().get("code"));
            visit
                .post("/v1/second-factor", &json!({ "code": code }))
                .await?
        }
    };
    let then = visit.form().get("then");
    if reply.is_ok() {
        visit.open_session(reply.text("/session"));
        let then = if is_ours(then) { then } else { "/" };
        let kept = kept(&visit);
        if kept.is_empty() {
            let wants_spare = reply.body.get("wants_spare") == Some(&Value::Bool(true));
            let told = wants_spare && then == "/";
            return Ok(Page::go(if told { home::ONE_DEVICE } else { then }));
        }
        let plain = kept
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(KEPT)?, *value)));
        let again = html! { (hidden(plain)) button { "Send it now" } };
        let body = html! {
            h1 { "You are signed in" }
            p { "What you wrote was not sent yet." }
            (form(&visit, then, &again))
            p { a href="/" { "Throw it away" } }
        };
        return Ok(Page::new("Messages", body));
    }
    Ok(failed(&visit, &reply))
}

/// Only a place of ours: one slash first, and nothing that a browser would read as a host or leave
/// out, as it does a tab (URL Standard).
fn is_ours(then: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_');
    then.starts_with('/') && !then.starts_with("//") && then.bytes().all(plain)
}

async fn ended(visit: Visit) -> Result<Page, Stop> {
    let body = html! {
        h1 { "You have been signed out" }
        p { "You did nothing here for ten minutes, so we took everything off the screen." }
        p { a.button href="/sign-in" { "Sign in again" } }
    };
    let mut page = Page::new("Signed out", body);
    page.signs_out = true;
    drop(visit);
    Ok(page)
}

async fn sign_out(visit: Visit) -> Result<Page, Stop> {
    let body = html! {
        h1 { "You are signed out" }
        p { "On a computer that others use, close every window of the browser too." }
        p { a href="/sign-in" { "Sign in again" } }
    };
    let mut page = Page::new("Signed out", body);
    page.signs_out = true;
    drop(visit);
    Ok(page)
}

async fn leave(visit: Visit) -> Result<Page, Stop> {
    drop(visit);
    Ok(page::leave())
}

async fn roles(visit: Visit) -> Result<Page, Stop> {
    let codes: Vec<(&str, String)> = visit
        .roles()
        .iter()
        .map(|role| (role.code(), say(role.code())))
        .collect();
    let options: Vec<(&str, &str)> = codes
        .iter()
        .map(|(code, words)| (*code, words.as_str()))
        .collect();
    let field = Field {
        name: "role",
        label: "Which role do you work in now?",
        ..Field::default()
    };
    let fields = html! {
        (field.radios(visit.form(), &Errors::default(), &options))
        button { "Go on" }
    };
    let body = html! {
        h1 { "Work in another role" }
        (form(&visit, "/role", &fields))
    };
    Ok(Page::new("Role", body))
}

async fn work_as(visit: Visit) -> Result<Page, Stop> {
    let role = Role::parse(visit.form().get("role"));
    let mut page = Page::go("/");
    page.role = role.filter(|role| visit.roles().contains(role));
    Ok(page)
}
