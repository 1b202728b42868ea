//! Her card: codes with which she stops sharing, and lets a service ask once. Shown once, to be
//! printed or written down.

use maud::html;
use serde_json::{Value, json};

use super::her;
use super::page::{self, Page, button};
use super::table::{For, Pages};
use super::visit::{Stop, Visit};
use super::words::date;
use crate::domain::codes::Role;

/// As `policies/20-consent.cedar` names them.
const WHOM: For = For::Roles(&[
    Role::Triage,
    Role::Adviser,
    Role::Clinician,
    Role::SocialWorker,
    Role::Housing,
    Role::LegalAdviser,
]);

pub fn pages(pages: Pages) -> Pages {
    pages
        .get("/card/{id}", WHOM, show)
        .post("/card/{id}", WHOM, issue)
}

async fn show(visit: Visit) -> Result<Page, Stop> {
    let path = format!("/card/{}", her::id(&visit)?);
    let notice = her::read_to_her(&visit, "card", false).await?;
    let body = html! {
        h1 { "Give her a card" }
        p { "Make it only while she is with you, and only if she can hide it. A card that you made before \
             ends." }
        (notice)
        (button(&visit, &path, "Make the card"))
    };
    Ok(Page::new("Card", body))
}

async fn issue(visit: Visit) -> Result<Page, Stop> {
    let person = her::id(&visit)?;
    let reply = visit
        .post("/v1/cards", &json!({ "person": person }))
        .await?;
    if !reply.is_ok() {
        let body = html! { (page::trouble(&reply)) h1 { "Give her a card" } };
        return Ok(Page::new("Card", body).status(reply.status));
    }
    if reply.is_nothing() {
        let body = html! { h1 { "Give her a card" } (page::nothing(&reply)) };
        return Ok(Page::new("Card", body));
    }
    let stop = reply.text("/withdrawal_code");
    if stop.is_empty() {
        let body = html! {
            h1 { "Give her a card" }
            p { "This card was made and shown already. If she does not have it, make a new one: the old \
                 one ends." }
            (button(&visit, &format!("/card/{person}"), "Make another card"))
        };
        return Ok(Page::new("Card", body));
    }
    let questions = reply.list("/question_codes").iter();
    // The card itself says nothing about what it is for: he may find it.
    let body = html! {
        h1.noprint { "Her card" }
        p.noprint { (reply.text("/says")) }
        div.card.cut {
            p.code { (stop) }
            ol.code { @for code in questions.filter_map(Value::as_str) { li { (code) } } }
            p { (date(reply.text("/until"))) }
        }
    };
    Ok(Page::new("Card", body))
}
