//! Getting in and out: the second factor, another role, leaving.

use maud::{Markup, html};
use serde_json::json;

use super::form::{Errors, Field};
use super::page::{self, Page, form, summary};
use super::table::{For, Pages};
use super::visit::{Stop, Visit};
use super::words::say;
use crate::domain::codes::Role;

pub fn pages(pages: Pages) -> Pages {
    pages
        .get("/sign-in", For::Certificate, show)
        .post("/sign-in", For::Certificate, sign_in)
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
        hint: "Six digits, from the app that you were enrolled with. Each code works once.",
        autocomplete: "one-time-code",
        inputmode: "numeric",
        width: 6,
        longest: 8,
    };
    let fields = html! {
        input type="hidden" name="then" value=(then);
        (hidden(kept.iter().map(|(name, value)| (name.as_str(), *value))))
        (code.text(visit.form(), errors))
        button { "Sign in" }
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

async fn sign_in(visit: Visit) -> Result<Page, Stop> {
    let code: String = visit
        .form()
        .get("code")
        .chars()
        .filter(|letter| *letter != ' ')
        .collect();
    let reply = visit
        .post("/v1/second-factor", &json!({ "code": code }))
        .await?;
    let then = visit.form().get("then");
    if reply.is_ok() {
        visit.open_session(reply.text("/session"));
        let then = if is_ours(then) { then } else { "/" };
        let kept = kept(&visit);
        if kept.is_empty() {
            return Ok(Page::go(then));
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
    let mut errors = reply.errors();
    if errors.is_empty() {
        errors.add("code", reply.text("/detail"));
    }
    Ok(Page::new("Sign in", asks(&visit, then, &kept(&visit), &errors)).status(reply.status))
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
