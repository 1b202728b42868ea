//! The report is handed over, to her, in person, by another than who took the request. It is shown
//! once, to be printed or read aloud.

use maud::{Markup, html};
use serde_json::json;

use crate::domain::codes::Role;
use crate::web::form::{Errors, Field};
use crate::web::her;
use crate::web::page::{self, Page, form};
use crate::web::report::printed;
use crate::web::table::{For, Pages};
use crate::web::visit::{Reply, Stop, Visit};

/// It is read aloud, with questions, and cannot be loaded again.
const STAYS_MINUTES: i64 = 60;
/// As `policies/55-subject-access.cedar` names them.
const GUARDS: &[Role] = &[Role::IgOfficer, Role::Dpo, Role::Caldicott];

pub fn pages(pages: Pages) -> Pages {
    pages
        .get("/subject-access/{id}/deliver", For::Roles(GUARDS), show)
        .post("/subject-access/{id}/deliver", For::Roles(GUARDS), deliver)
}

/// On the page of a request: where it is handed over, for whoever may.
pub fn offered(visit: &Visit, found: &Reply) -> Result<Markup, Stop> {
    let is_open = found.text("/state") != "refused";
    let path = format!("/subject-access/{}/deliver", her::id(visit)?);
    Ok(html! {
        p { "Another person than who took it hands it over, to her, in person." }
        @if is_open && GUARDS.contains(&visit.role()) { p { a.button href=(path) { "Hand it over" } } }
    })
}

async fn show(visit: Visit) -> Result<Page, Stop> {
    asks(&visit, &html! {}, &Errors::default())
}

fn asks(visit: &Visit, above: &Markup, errors: &Errors) -> Result<Page, Stop> {
    let said = visit.form();
    let field = |name, label, hint| Field {
        name,
        label,
        hint,
        ..Field::default()
    };
    let fields = html! {
        (field("identity_checked", "I saw that it is she, or spoke to her solicitor whom we know", "")
            .tick(said, errors))
        (field("how", "How does she have it?", "Leave this if it is as she said when she asked.")
            .radios(said, errors, &[
                ("collected_in_person", "She collects it here"),
                ("read_aloud", "It is read to her here"),
                ("to_solicitor", "Her solicitor has it"),
                ("posted_where_she_says", "By post, where she says"),
            ]))
        (field("post_is_safe", "She said herself, alone, that post is safe there", "")
            .tick(said, errors))
        (Field { name: "explanation", label: "Why is it late?",
                 hint: "In plain words for her, if it is.", longest: 1_000, ..Field::default() }
            .area(said, errors, 3))
        button { "Hand it over" }
    };
    let path = format!("/subject-access/{}/deliver", her::id(visit)?);
    let body = html! {
        (above)
        h1 { "Hand the report over" }
        p { "Only while she is here. It is written for her now, from what each service said." }
        (form(visit, &path, &fields))
    };
    Ok(Page::new("Request", body))
}

async fn deliver(visit: Visit) -> Result<Page, Stop> {
    let said = visit.form();
    if said.get("identity_checked") != "yes" {
        let mut errors = Errors::default();
        errors.add(
            "identity_checked",
            "Tick this when you have seen that it is she",
        );
        let above = page::summary(&errors);
        return Ok(asks(&visit, &above, &errors)?.status(422));
    }
    let mut body = json!({
        "identity_checked": true,
        "post_is_safe": said.get("post_is_safe") == "yes",
    });
    for name in ["how", "explanation"] {
        if let Some(value) = said.said(name) {
            her::put(&mut body, name, json!(value));
        }
    }
    let path = format!("/v1/subject-access/{}/deliver", her::id(&visit)?);
    let reply = visit.post(&path, &body).await?;
    if !reply.is_ok() {
        let errors = her::errors(&reply);
        let above = her::above(&reply, &errors);
        return Ok(asks(&visit, &above, &errors)?.status(reply.status));
    }
    let report = reply.text("/report");
    if !reply.is_nothing() && !report.is_empty() {
        let back = format!("/subject-access/{}", her::id(&visit)?);
        let mut page = Page::new("Request", printed(report, &back));
        page.stays_minutes = STAYS_MINUTES;
        return Ok(page);
    }
    let body = html! {
        h1 { "Hand the report over" }
        @if reply.is_nothing() { (page::nothing(&reply)) }
        @else { p { "It was handed over and shown. If she needs it again, hand it over again." } }
    };
    Ok(Page::new("Request", body))
}
