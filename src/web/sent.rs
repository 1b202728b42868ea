//! What she sent herself: three words each, and nothing about where it went (3.0.6).

use maud::{Markup, html};
use serde_json::Value;

use super::inbox::case::news;
use super::inbox::{following, listing};
use super::page::{self, Page, nothing};
use super::referral::{SENDS, link};
use super::table::{For, Pages};
use super::visit::{Stop, Visit, list, text};
use super::words::{moment, reference, weekday};
use crate::domain::refusal::Refusal;

pub fn pages(pages: Pages) -> Pages {
    pages
        .get("/sent", For::Roles(SENDS), sent)
        .get("/sent/{id}", For::Roles(SENDS), one)
}

async fn sent(visit: Visit) -> Result<Page, Stop> {
    let after = visit.query().get("after").to_owned();
    let reply = visit.get(&listing("/v1/referrals", &after)).await?;
    if !reply.is_ok() {
        return Ok(page::refused(reply));
    }
    let referrals = reply.list("/referrals");
    let more = following(&visit, "/v1/referrals", "/referrals", &reply).await?;
    let body = html! {
        h1 { "Sent" }
        @if referrals.is_empty() {
            p { "Nothing was sent. Looked at " (moment(reply.text("/date"))) "." }
        } @else {
            p { "You see that a referral is recorded, with a service, or closed. Which service, and what \
                 it does, stays between her and the service." }
            (table(referrals))
        }
        @if let Some(more) = more { p { a href=(format!("/sent?after={more}")) { "More" } } }
        p { a.button href="/new" { "Refer somebody" } }
    };
    Ok(Page::new("Sent", body))
}

fn table(referrals: &[Value]) -> Markup {
    html! {
        div.table tabindex="0" role="region" aria-label="Your referrals" {
            table {
                caption { "Your organisation's referrals, in the order in which they were sent" }
                thead { tr {
                    th scope="col" { "Reference" } th scope="col" { "Status" }
                    th scope="col" { "Sent" } th scope="col" { "Pass on by the end of" }
                } }
                tbody {
                    @for one in referrals {
                        @let id = text(one, "id");
                        tr {
                            th scope="row" { a href=(format!("/sent/{id}")) { (reference(id)) } }
                            td { (tag(text(one, "status"))) @if marked(one) { " " span.tag.soon { "Look" } } }
                            td { (moment(text(one, "offered_at"))) }
                            td { (weekday(due(one))) }
                        }
                    }
                }
            }
        }
    }
}

/// Somebody has said something, or nobody has accepted her in time.
fn marked(one: &Value) -> bool {
    one.get("no_answer").is_some() || !list(one, "updates").is_empty()
}

fn due(one: &Value) -> &str {
    one.pointer("/pass_on_by/date")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn status_words(status: &str) -> &'static str {
    match status {
        "recorded" => "Recorded",
        "with_a_service" => "With a service",
        "closed" => "Closed",
        _ => "",
    }
}

fn tag(status: &str) -> Markup {
    html! {
        @match status_words(status) {
            "With a service" => span.tag.fine { "With a service" },
            words => span.tag { (words) },
        }
    }
}

async fn one(visit: Visit) -> Result<Page, Stop> {
    let id = link(&visit).ok_or(Stop::Refused(Refusal::NotFound))?;
    let reply = visit.get(&format!("/v1/referrals/{id}")).await?;
    if !reply.is_ok() {
        return Ok(page::refused(reply));
    }
    let Some(one) = reply.body.get("referral") else {
        let body = html! {
            h1 { "Sent" }
            (nothing(&reply))
            p { a href="/sent" { "Your referrals" } }
        };
        return Ok(Page::new("Sent", body));
    };
    let no_answer = one.get("no_answer").map(|said| text(said, "says"));
    let body = html! {
        h1 { (reference(&id)) }
        p { (tag(text(one, "status"))) }
        @if let Some(says) = no_answer { div.wait { p { b { (says) } } } }
        (news(list(one, "updates")))
        dl.rows {
            dt { "Sent" } dd { (moment(text(one, "offered_at"))) }
            @if !due(one).is_empty() { dt { "Pass on by the end of" } dd { (weekday(due(one))) } }
        }
        p.hint { "\"Recorded\" says that no service has accepted her yet. \"With a service\" says that one \
                  has. \"Closed\" says that it is over, and not how." }
        ul.places {
            li { a href=(format!("/new/{id}/note")) { "Add a note" } }
            li { a href=(format!("/sent/{id}/update")) { "Something has changed" } }
            li { a href="/sent" { "Your referrals" } }
        }
    };
    Ok(Page::new("Sent", body))
}
