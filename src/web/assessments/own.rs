//! What one's own organisation assessed of a person, with what was replaced or taken back; and taking
//! one back that should never have been there.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::card::{self, text};
use crate::domain::codes::WithdrawnBecause;
use crate::web::form::{Errors, Field};
use crate::web::her;
use crate::web::page::{self, Page, form};
use crate::web::table::{For, Pages};
use crate::web::visit::{Stop, Visit};
use crate::web::words::{moment, options, pairs, say};

const WHOM: For = For::Roles(her::SUPPORT);

pub fn pages(pages: Pages) -> Pages {
    pages
        .get("/recorded/{id}", WHOM, own)
        .post("/recorded/{id}", WHOM, take_back)
}

async fn own(visit: Visit) -> Result<Page, Stop> {
    listed(&visit, &html! {}, &Errors::default()).await
}

async fn listed(visit: &Visit, above: &Markup, errors: &Errors) -> Result<Page, Stop> {
    let person = her::id(visit)?;
    let reply = visit
        .post_also("-list", "/v1/assessments/own", &json!({ "person": person }))
        .await?;
    let body = html! {
        (above)
        h1 { "What we assessed" }
        @if reply.is_nothing() { (page::nothing(&reply)) }
        @else if !reply.is_ok() { (page::trouble(&reply)) }
        @else {
            @for one in reply.list("/assessments") { (entry(visit, person, one, errors)) }
        }
    };
    Ok(Page::new("Recorded", body).status(if reply.is_ok() { 200 } else { reply.status }))
}

fn entry(visit: &Visit, person: &str, one: &Value, errors: &Errors) -> Markup {
    let ended = text(one, "ended_at");
    if text(one, "instrument").is_empty() {
        return html! {
            section.card {
                h2 { "Taken back" }
                p { "By " (text(one, "ended_by")) ", " (moment(ended)) ": " (say(text(one, "withdrawn_because"))) }
            }
        };
    }
    let id = text(one, "id");
    let name = format!("because-{id}");
    let reasons = options(WithdrawnBecause::ALL.iter().map(|one| one.code()));
    let because = Field {
        name: &name,
        label: "Why should it not be there?",
        ..Field::default()
    };
    let fields = html! {
        input type="hidden" name="assessment" value=(id);
        (because.radios(visit.form(), errors, &pairs(&reasons)))
        p { "What it says is destroyed. Whoever was shown it is told to ask again." }
        button.grave { "Take it back" }
    };
    let below = html! {
        p.hint { "Recorded by " (text(one, "recorded_by")) ", " (moment(text(one, "recorded_at")))
            @if !ended.is_empty() { ". Replaced " (moment(ended)) }
        }
        (card::items(one))
        @if ended.is_empty() {
            details open[errors.of(&name).is_some()] {
                summary { "This should never have been recorded" }
                (form(visit, &format!("/recorded/{person}"), &fields))
            }
        }
    };
    card::card(one, &below)
}

async fn take_back(visit: Visit) -> Result<Page, Stop> {
    let person = her::id(&visit)?;
    let assessment = her::plain(visit.form().get("assessment"))?;
    let name = format!("because-{assessment}");
    let body = json!({ "person": person, "because": visit.form().get(&name) });
    let path = format!("/v1/assessments/{assessment}/withdraw");
    let reply = visit.post(&path, &body).await?;
    if !reply.is_ok() {
        let mut errors = Errors::default();
        for (field, message) in her::errors(&reply).0 {
            let field = if field == "because" { &name } else { &field };
            errors.add(field, &message);
        }
        let above = her::above(&reply, &errors);
        return Ok(listed(&visit, &above, &errors).await?.status(reply.status));
    }
    let body = html! {
        h1 { "What we assessed" }
        @if reply.is_nothing() { (page::nothing(&reply)) }
        @else { div.good { p { (reply.text("/says")) } } }
        p { a href=(format!("/recorded/{person}")) { "What we assessed" } }
    };
    Ok(Page::new("Recorded", body))
}
