//! What a service is told because of her word: to stop using what it was shown, that a record was
//! corrected, and what it stopped itself with a doubt. Each by the service's own reference of her, and
//! without a reason.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::form::{Errors, Field};
use super::her;
use super::page::{self, Page, form};
use super::table::{For, Pages};
use super::visit::{Reply, Stop, Visit, list, text};
use super::words::{date, moment, options, pairs, say};
use crate::domain::codes::{LawfulKeeping, Role};

/// Those who read what happened on their own referrals (`policies/10-referral.cedar`).
const WHOM: For = For::Roles(&[
    Role::Officer,
    Role::VcopUnit,
    Role::Triage,
    Role::Adviser,
    Role::Clinician,
    Role::EdSenior,
    Role::SocialWorker,
    Role::Housing,
    Role::LegalAdviser,
]);

pub fn pages(pages: Pages) -> Pages {
    pages
        .get("/notices", WHOM, all)
        .get("/notices/{id}", WHOM, show)
        .post("/notices/{id}", WHOM, answer)
}

/// Entries of one page of the API's events, and how many pages are read for one of ours.
const PAGE: usize = 50;
const PAGES_MAX: usize = 20;

/// All that is still to be seen to, the newest first.
async fn all(visit: Visit) -> Result<Page, Stop> {
    let mut after = visit.query().get("after").to_owned();
    let mut events: Vec<Value> = Vec::new();
    let mut more = false;
    for _ in 0..PAGES_MAX {
        let mut path = "/v1/events?only=her_word".to_owned();
        if !after.is_empty() {
            path.push_str(&format!("&after={}", her::plain(&after)?));
        }
        let reply = visit.get(&path).await?;
        if !reply.is_ok() {
            return Ok(page::refused(reply));
        }
        let page = reply.list("/events");
        events.extend(page.iter().cloned());
        more = page.len() >= PAGE;
        after = super::consents::next(&reply.body).unwrap_or_default();
        if !more {
            break;
        }
    }
    let mut notices = Vec::new();
    for event in events.iter().rev() {
        // What became of one stands in its last event.
        let of = |key: &'static str| (key, text(event, key));
        let known = [of("stop_use"), of("withdrawal"), of("person")];
        let Some(named) = known.into_iter().find(|(_, id)| !id.is_empty()) else {
            continue;
        };
        if !notices.iter().any(|(other, _)| *other == named) {
            notices.push((named, event));
        }
    }
    let body = html! {
        h1 { "Notices" }
        p { "You were shown something, and it is to be used no longer; or you stopped something and were \
             not sure. Nobody is told why." }
        @if more {
            div.wait { p { b { "There is more." } " "
                a href=(format!("/notices?after={after}")) { "See the later ones" } } }
        }
        @if notices.is_empty() && !more { p { "There is nothing here." } }
        @for ((_, _), event) in &notices { (notice(event)) }
    };
    Ok(Page::new("Notices", body))
}

fn notice(event: &Value) -> Markup {
    let status = text(event, "status");
    let pause = text(event, "withdrawal");
    if !pause.is_empty() {
        return html! {
            section.card {
                h2 { "You stopped something, and were not sure" }
                p { (paused(status)) }
                @if status == "paused" {
                    p { "It ends on " (moment(text(event, "until"))) " if nobody says anything." }
                    p { a.button href=(format!("/stopped/{pause}")) { "Say whether it was her word" } }
                }
            }
        };
    }
    let id = text(event, "stop_use");
    if id.is_empty() {
        return html! {
            section.card {
                h2 { "A record was corrected" }
                p { (text(event, "says")) }
                p { a href=(format!("/ask/{}", text(event, "person"))) { "Ask again" }
                    ", of " span.code { (text(event, "person")) } ", since " (date(text(event, "since"))) }
            }
        };
    }
    let shown: Vec<String> = list(event, "shown")
        .iter()
        .filter_map(Value::as_str)
        .map(say)
        .collect();
    let replied = text(event, "reply");
    html! {
        section.card {
            h2 { "Stop using what you were shown" }
            dl.rows {
                dt { "Your reference of her" } dd.code { (text(event, "person")) }
                dt { "What" } dd { (shown.join(", ")) }
                dt { "Since" } dd { (date(text(event, "since"))) }
                @if !text(event, "destroy_from").is_empty() {
                    dt { "Destroy nothing before" } dd { (date(text(event, "destroy_from"))) }
                }
                @if replied.is_empty() {
                    dt { "Say what became of it by" }
                    dd { (date(text(event, "reply_by")))
                        @if status == "stop_use_overdue" { " " span.tag.high { "Late" } } }
                } @else { dt { "You said" } dd { (said(replied)) } }
            }
            @if replied.is_empty() && status != "stop_use_ended" {
                p { a.button href=(format!("/notices/{id}")) { "Say what became of it" } }
            }
        }
    }
}

fn paused(status: &str) -> &'static str {
    match status {
        "paused" => "Ask her where nobody can hear.",
        "confirmed" => "It was her word: it stays stopped.",
        "lifted" => "It was not her word: what she allowed goes on.",
        _ => "It has ended.",
    }
}

const REPLIES: [(&str, &str); 4] = [
    ("deleted", "We deleted it"),
    ("restricted", "We keep it, and use it for nothing"),
    ("kept_by_law", "A law requires that we keep it"),
    ("not_found", "We looked, and have nothing of it"),
];

fn said(code: &str) -> &str {
    let found = REPLIES.iter().find(|(known, _)| *known == code);
    found.map_or(code, |(_, words)| words)
}

async fn show(visit: Visit) -> Result<Page, Stop> {
    asks(&visit, &html! {}, &Errors::default())
}

fn asks(visit: &Visit, above: &Markup, errors: &Errors) -> Result<Page, Stop> {
    let laws = options(LawfulKeeping::ALL.iter().map(|one| one.code()));
    let reply = Field {
        name: "reply",
        label: "What became of what you were shown?",
        ..Field::default()
    };
    let ground = Field {
        name: "ground",
        label: "By which law do you keep it?",
        hint: "Only if a law requires it.",
        ..Field::default()
    };
    let fields = html! {
        (reply.radios(visit.form(), errors, &REPLIES))
        (ground.select(visit.form(), errors, &pairs(&laws)))
        button { "Say so" }
    };
    let body = html! {
        (above)
        h1 { "Stop using what you were shown" }
        p { "Stop using it now. Destroy nothing in the first 72 hours: it may have to be undone. Look in \
             your own records too." }
        (form(visit, &format!("/notices/{}", her::id(visit)?), &fields))
    };
    Ok(Page::new("Notices", body))
}

async fn answer(visit: Visit) -> Result<Page, Stop> {
    let mut body = json!({ "reply": visit.form().get("reply") });
    if let Some(ground) = visit.form().said("ground") {
        her::put(&mut body, "ground", json!(ground));
    }
    let path = format!("/v1/stop-use/{}/reply", her::id(&visit)?);
    let reply: Reply = visit.post(&path, &body).await?;
    if !reply.is_ok() {
        let errors = her::errors(&reply);
        let above = her::above(&reply, &errors);
        return Ok(asks(&visit, &above, &errors)?.status(reply.status));
    }
    let body = html! {
        h1 { "Stop using what you were shown" }
        @if reply.is_nothing() { (page::nothing(&reply)) }
        @else { div.good { p { "Thank you. It is noted." } } }
        p { a href="/notices" { "Notices" } }
    };
    Ok(Page::new("Notices", body))
}
