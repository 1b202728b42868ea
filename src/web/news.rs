//! "Something has changed": news about her by closed codes, from whoever has her and from whoever sent
//! her. There is no place for words, because words reach those whom a code does not.

use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::form::{Errors, Field};
use super::inbox::RECEIVES;
use super::page::{Page, form, nothing, summary, trouble};
use super::referral::{SENDS, consent, contact, corrected, link};
use super::table::{For, Pages};
use super::visit::{Stop, Visit};
use super::words::{Options, pairs, reference, say};
use crate::domain::codes::UpdateCode;
use crate::domain::refusal::Refusal;

pub fn pages(pages: Pages) -> Pages {
    pages
        .get("/inbox/{id}/update", For::Roles(RECEIVES), of_holder)
        .post("/inbox/{id}/update", For::Roles(RECEIVES), tell_as_holder)
        .get("/sent/{id}/update", For::Roles(SENDS), of_sender)
        .post("/sent/{id}/update", For::Roles(SENDS), tell_as_sender)
}

/// Which side of a referral speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Holder,
    Sender,
}

impl Side {
    const fn place(self) -> &'static str {
        match self {
            Self::Holder => "inbox",
            Self::Sender => "sent",
        }
    }

    const fn tab(self) -> &'static str {
        match self {
            Self::Holder => "Inbox",
            Self::Sender => "Sent",
        }
    }
}

const fn tells(code: UpdateCode) -> &'static str {
    match code {
        UpdateCode::SafeContactChanged => "How it is safe to reach her has changed",
        UpdateCode::StopCalling => "Stop calling: no way that was given is safe now",
        UpdateCode::NewIncident => "There was a new incident",
        UpdateCode::BailChanged => "Bail or an order has changed",
        UpdateCode::RiskRaised => "The danger has grown",
        UpdateCode::WrongPerson => "This is the wrong person",
        UpdateCode::CallUsAboutHerSafety => "Call us about her safety",
        UpdateCode::CallReferrer => "Please call us",
    }
}

/// What a code says to whoever reads it.
pub fn heard(code: &str) -> String {
    UpdateCode::parse(code).map_or_else(|| say(code), |code| tells(code).to_owned())
}

fn choices() -> Options {
    let all = UpdateCode::ALL.iter();
    all.map(|code| (code.code(), tells(*code).to_owned()))
        .collect()
}

fn asks(visit: &Visit, side: Side, id: &str, above: &Markup, errors: &Errors) -> Markup {
    let choices = choices();
    let (filled, place) = (visit.form(), side.place());
    let code = Field {
        name: "code",
        label: "What has changed?",
        hint: "Everybody who has her is told whom it concerns. You are not told who that is.",
        ..Field::default()
    };
    let life = Field {
        name: "life_at_risk",
        label: "A life is at risk",
        hint: "Police are told to call you only if she agrees, or if a life is at risk.",
        ..Field::default()
    };
    let reaches = filled.holds("safe_contact.")
        || errors
            .0
            .iter()
            .any(|(field, _)| field.starts_with("safe_contact"));
    let agrees = filled.holds("consent.")
        || errors
            .0
            .iter()
            .any(|(field, _)| field.starts_with("consent"));
    let inner = html! {
        (code.radios(filled, errors, &pairs(&choices)))
        details open[reaches] {
            summary { "How it is safe to reach her now" }
            p.hint { "Only if that has changed. Give all of it: what was given before no longer counts." }
            (contact::fields(filled, errors))
        }
        @if side == Side::Holder {
            details open[agrees] {
                summary { "If police are to call you" }
                (life.tick(filled, errors))
                (consent::decision(
                    filled, errors, "Does she agree that police are told to call you?",
                    "Police are told to call you, and nothing else.", "Police are told nothing.",
                ))
                (consent::how(filled, errors))
            }
        }
        div.buttons {
            button { "Tell those who have her" }
            a.button.second href=(format!("/{place}/{id}")) { "Go back" }
        }
    };
    html! {
        (above)
        h1 { "Something has changed: " (reference(id)) }
        (form(visit, &format!("/{place}/{id}/update"), &inner))
    }
}

async fn of_holder(visit: Visit) -> Result<Page, Stop> {
    show(&visit, Side::Holder)
}

async fn of_sender(visit: Visit) -> Result<Page, Stop> {
    show(&visit, Side::Sender)
}

fn show(visit: &Visit, side: Side) -> Result<Page, Stop> {
    let id = link(visit).ok_or(Stop::Refused(Refusal::NotFound))?;
    let body = asks(visit, side, &id, &html! {}, &Errors::default());
    Ok(Page::new(side.tab(), body))
}

async fn tell_as_holder(visit: Visit) -> Result<Page, Stop> {
    tell(&visit, Side::Holder).await
}

async fn tell_as_sender(visit: Visit) -> Result<Page, Stop> {
    tell(&visit, Side::Sender).await
}

async fn tell(visit: &Visit, side: Side) -> Result<Page, Stop> {
    let id = link(visit).ok_or(Stop::Refused(Refusal::NotFound))?;
    let sent = visit.form();
    let mut errors = Errors::default();
    if sent.said("code").is_none() {
        errors.add("code", "Choose what has changed");
    }
    if sent.said("consent.decision").is_some() {
        consent::missing(sent, &mut errors);
    }
    if !errors.is_empty() {
        let body = asks(visit, side, &id, &summary(&errors), &errors);
        return Ok(Page::new(side.tab(), body).status(422));
    }
    let mut map = Map::new();
    map.insert("code".to_owned(), json!(sent.get("code")));
    if sent.get("life_at_risk") == "yes" {
        map.insert("life_at_risk".to_owned(), json!(true));
    }
    if let Some(contact) = contact::body(sent) {
        map.insert("safe_contact".to_owned(), contact);
    }
    if let Some(word) = consent::body(sent) {
        map.insert("consent".to_owned(), word);
    }
    let path = format!("/v1/referrals/{id}/updates");
    let reply = visit.post(&path, &Value::Object(map)).await?;
    if !reply.is_ok() {
        let errors = corrected(&reply);
        let above = if errors.is_empty() {
            trouble(&reply)
        } else {
            summary(&errors)
        };
        let body = asks(visit, side, &id, &above, &errors);
        return Ok(Page::new(side.tab(), body).status(reply.status));
    }
    let body = html! {
        @if reply.is_nothing() {
            h1 { (side.tab()) }
            (nothing(&reply))
        } @else {
            h1 { "Taken: " (reference(&id)) }
            p { "Everybody whom it concerns is told. You are not told who that is." }
        }
        p { a.button href=(format!("/{}", side.place())) { "Go back to the list" } }
    };
    Ok(Page::new(side.tab(), body))
}
