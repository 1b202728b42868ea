//! She moves to another area (3.3): her new address is neither asked nor shown; what she agreed to
//! before does not count there, so she is asked anew.

use maud::{Markup, html};
use serde_json::{Map, Value, json};

use crate::domain::codes::{Adjustment, Role, ServiceFamily, TransferMode};
use crate::domain::refusal::Refusal;
use crate::web::form::{Errors, Field, Form};
use crate::web::page::{self, Page, form, nothing, summary, trouble};
use crate::web::referral::{consent, contact, corrected, link, person};
use crate::web::table::{For, Pages};
use crate::web::visit::{Reply, Stop, Visit};
use crate::web::words::referral::boroughs;
use crate::web::words::{beginning, options, pairs, reference};

/// Roles that hand her over.
pub const MOVES: &[Role] = &[
    Role::Triage,
    Role::Adviser,
    Role::Clinician,
    Role::EdSenior,
    Role::SocialWorker,
    Role::Housing,
];

pub fn pages(pages: Pages) -> Pages {
    pages
        .get("/inbox/{id}/move", For::Roles(MOVES), begin)
        .post("/inbox/{id}/move", For::Roles(MOVES), send)
}

async fn begin(visit: Visit) -> Result<Page, Stop> {
    let id = link(&visit).ok_or(Stop::Refused(Refusal::NotFound))?;
    let known = match released(&visit, &id).await? {
        Ok(known) => known,
        Err(page) => return Ok(page),
    };
    let body = asks(&visit, &id, &known, &html! {}, &Errors::default());
    Ok(Page::new("Inbox", body))
}

/// Who she is, as it was released to the service: it is asked of the API each time, and stays on no
/// screen. Nothing, if it was sealed to the service's own key.
async fn released(visit: &Visit, id: &str) -> Result<Result<Value, Page>, Stop> {
    let mut reply = visit.get(&format!("/v1/inbox/{id}")).await?;
    if !reply.is_ok() {
        return Ok(Err(page::refused(reply)));
    }
    if reply.text("/result") != "released" {
        return Ok(Err(Page::new("Inbox", nothing_here(&reply))));
    }
    let identity = reply.body.pointer_mut("/released/identity");
    Ok(Ok(identity.map(Value::take).unwrap_or_default()))
}

fn nothing_here(reply: &Reply) -> Markup {
    html! {
        h1 { "Inbox" }
        (nothing(reply))
        p { a href="/inbox" { "Back to the inbox" } }
    }
}

fn asks(visit: &Visit, id: &str, known: &Value, above: &Markup, errors: &Errors) -> Markup {
    let filled = visit.form();
    let missing = person::missing_fields(known, filled, errors);
    let field = |name, label, hint| Field {
        name,
        label,
        hint,
        ..Field::default()
    };
    let modes: Vec<(&str, &str)> = TransferMode::ALL
        .iter()
        .map(|mode| {
            let words = match mode {
                TransferMode::HandOver => {
                    "Hand over: our work ends when a service there accepts her"
                }
                TransferMode::KeepBoth => "Both work with her until a day",
                TransferMode::Close => "Close now, whether or not a service has accepted her",
            };
            (mode.code(), words)
        })
        .collect();
    let families = options(ServiceFamily::ALL.iter().map(|one| one.code()));
    let adjustments = options(Adjustment::ALL.iter().map(|one| one.code()));
    let inner = html! {
        h2 { "Where to" }
        (field("area", "Borough she moves to", "").select(filled, errors, boroughs()))
        (Field { width: 10, longest: 9, ..field(
            "area_other", "Code of the district, if it is outside London",
            "For example, E06000043 for Brighton and Hove.",
        ) }.text(filled, errors))
        (field("service_family", "Kind of service", "").select(filled, errors, &pairs(&families)))
        (field("mode", "What becomes of your work with her?", "").radios(filled, errors, &modes))
        (field("until", "If both work with her: until when?", "At most 28 days.").date(filled, errors))
        h2 { "Her word" }
        (consent::decision(
            filled, errors, "Does she agree that a service there is told about her?",
            "One service there is told, and you are not told which.",
            "Nothing is passed on. Nothing is recorded either.",
        ))
        (consent::how(filled, errors))
        h2 { "How it is safe to reach her there" }
        p.hint { "Ask her now: what was safe may not be safe after she has moved." }
        (contact::fields(filled, errors))
        h2 { "What she needs in order to take part" }
        (field("adjustments", "Tick what holds", "").boxes(filled, errors, &pairs(&adjustments)))
        @if let Some(missing) = missing {
            h2 { "Who she is" }
            p.hint { "What was released to you goes with her. This was not in it; leave empty what you do \
                      not know." }
            (missing)
        }
        div.buttons {
            button { "Ask a service there" }
            a.button.second href=(format!("/inbox/{id}")) { "Go back" }
        }
    };
    html! {
        (above)
        h1 { "She moves to another area" }
        div.notice {
            p { b { "Do not ask for her new address, and do not write it anywhere." }
                " Whoever takes her there asks her." }
        }
        (form(visit, &format!("/inbox/{id}/move"), &inner))
    }
}

async fn send(visit: Visit) -> Result<Page, Stop> {
    let id = link(&visit).ok_or(Stop::Refused(Refusal::NotFound))?;
    let known = match released(&visit, &id).await? {
        Ok(known) => known,
        Err(page) => return Ok(page),
    };
    let sent = visit.form();
    let mut errors = missing(sent);
    let mut above = summary(&errors);
    let mut status = 422;
    if errors.is_empty() {
        let path = format!("/v1/referrals/{id}/transfer");
        let reply = visit.post(&path, &body(sent, &known)).await?;
        if reply.is_ok() {
            let body = html! {
                @if reply.is_nothing() {
                    h1 { "Inbox" }
                    (nothing(&reply))
                } @else if reply.body.get("replayed").is_some() {
                    h1 { "This was sent already" }
                } @else {
                    h1 { "A service there is being asked: " (reference(&id)) }
                    p { (reply.text("/says")) }
                }
                p { a.button href="/inbox" { "Back to the inbox" } }
            };
            return Ok(Page::new("Inbox", body));
        }
        errors = corrected(&reply);
        status = reply.status;
        above = if errors.is_empty() {
            trouble(&reply)
        } else {
            summary(&errors)
        };
    }
    let body = asks(&visit, &id, &known, &above, &errors);
    Ok(Page::new("Inbox", body).status(status))
}

fn missing(form: &Form) -> Errors {
    let mut errors = Errors::default();
    let mut wanted = |name: &str, message: &str| {
        if form.said(name).is_none() {
            errors.add(name, message);
        }
    };
    if form.said("area_other").is_none() {
        wanted("area", "Choose a borough, or give the code of a district");
    }
    wanted("service_family", "Choose the kind of service");
    wanted("mode", "Say what becomes of your work with her");
    wanted("consent.decision", "Ask her, and say whether she agrees");
    consent::missing(form, &mut errors);
    if form.get("consent.decision") == "deny" {
        errors.add(
            "consent.decision",
            "She does not want this, so nothing was sent. Go back to the case",
        );
    }
    errors
}

fn body(form: &Form, known: &Value) -> Value {
    let mut map = Map::new();
    let area = form.said("area_other").or_else(|| form.said("area"));
    map.insert("area".to_owned(), json!(area.unwrap_or_default()));
    for key in ["service_family", "mode"] {
        map.insert(key.to_owned(), json!(form.get(key)));
    }
    if let Some(day) = form.date("until") {
        map.insert("until".to_owned(), json!(beginning(&day)));
    }
    map.insert("identity".to_owned(), person::completed(known, form));
    let contact = contact::body(form).unwrap_or_else(|| json!({}));
    map.insert("safe_contact".to_owned(), contact);
    map.insert(
        "consent".to_owned(),
        consent::body(form).unwrap_or(Value::Null),
    );
    let adjustments: Vec<&str> = form.all("adjustments").collect();
    map.insert("adjustments".to_owned(), json!(adjustments));
    Value::Object(map)
}
