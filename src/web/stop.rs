//! She wants to stop something (`domain.md` 3.4): taken by any worker in under a minute, without a
//! reason, and in force before the page answers. What was taken with doubt is settled later.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::form::{Errors, Field};
use super::her;
use super::page::{self, Page, form};
use super::table::{For, Pages};
use super::visit::{Reply, Stop, Visit, text};
use super::words::moment;
use crate::domain::codes::Role;

/// As `policies/20-consent.cedar` names them.
const WHOM: For = For::Roles(&[
    Role::Officer,
    Role::VcopUnit,
    Role::Triage,
    Role::Adviser,
    Role::Clinician,
    Role::EdSenior,
    Role::SocialWorker,
    Role::Housing,
    Role::MaracCoordinator,
    Role::MaracMember,
    Role::CourtOfficer,
    Role::LegalAdviser,
    Role::IgOfficer,
    Role::Caldicott,
    Role::Dpo,
    Role::OrgAdmin,
]);
const HEADING: &str = "What does she want to stop?";

pub fn pages(pages: Pages) -> Pages {
    pages
        .get("/stop", WHOM, show)
        .post("/stop", WHOM, stop)
        .get("/stop/{id}", WHOM, show)
        .post("/stop/{id}", WHOM, stop)
        .get("/stopped/{id}", WHOM, settle_or_lift)
        .post("/stopped/{id}", WHOM, settle)
}

fn path(visit: &Visit) -> Result<String, Stop> {
    if visit.id().is_empty() {
        return Ok("/stop".to_owned());
    }
    Ok(format!("/stop/{}", her::id(visit)?))
}

async fn show(visit: Visit) -> Result<Page, Stop> {
    asks(&visit, &html! {}, &Errors::default()).await
}

/// What she can stop by its kind, in words that she knows.
const KINDS: [(&str, &str); 7] = [
    ("id", "Who she is: her name, date of birth, NHS number"),
    ("loc", "Where she is and how to reach her"),
    (
        "sp",
        "Risk, health, religion and the like: also what was assessed",
    ),
    ("op", "What kind of help she needs"),
    ("ip", "Her language, and wishes about who helps her"),
    ("perp", "What is said about him"),
    ("ft", "Notes in words"),
];

const PURPOSES: [(&str, &str); 7] = [
    ("support", "Getting support"),
    ("safety_planning", "Planning for her safety"),
    ("onward_referral", "Passing her on to another service"),
    ("prior_assessment", "Showing what was assessed before"),
    ("marac", "Meetings of services about high risk (MARAC)"),
    ("legal_advice", "Legal advice"),
    ("court_support", "Support at court"),
];

async fn asks(visit: &Visit, above: &Markup, errors: &Errors) -> Result<Page, Stop> {
    let said = visit.form();
    let me = visit.get("/v1/me").await?;
    let services: Vec<(&str, &str)> = me
        .list("/services")
        .iter()
        .map(|one| (text(one, "id"), text(one, "name")))
        .collect();
    let field = |name, label, hint| Field {
        name,
        label,
        hint,
        ..Field::default()
    };
    let fields = html! {
        (who(visit, errors))
        (field("scope", HEADING, "She needs no reason, and nobody has to agree.")
            .radios(said, errors, &[
                ("everything", "Everything"),
                ("service", "What goes to one service, or comes from it"),
                ("class", "One kind of information"),
                ("purpose", "One purpose"),
            ]))
        details open[chosen(visit, errors, "service", "services")] {
            summary { "Which service" }
            (field("services", "Which services?", "").boxes(said, errors, &services))
        }
        details open[chosen(visit, errors, "class", "classes")] {
            summary { "Which kind of information" }
            (field("classes", "Which kinds of information?", "").boxes(said, errors, &KINDS))
        }
        details open[chosen(visit, errors, "purpose", "purposes")] {
            summary { "Which purpose" }
            (field("purposes", "Which purposes?", "").boxes(said, errors, &PURPOSES))
        }
        (field("channel", "How did she tell you?", "")
            .radios(said, errors, &[
                ("in_person", "Here, face to face"), ("telephone", "On the telephone"),
                ("card", "She showed her card"),
            ]))
        (field("pause", "Is it her own word?",
               "Is he with her, or is this his number? Then she may be made to say it, or want it seen. \
                It stops at once either way, and looks the same to everybody.")
            .radios(said, errors, &[
                ("no", "Yes: it stops for good"),
                ("yes", "I am not sure, or cannot tell who is calling: stop now for 72 hours, and ask \
                         her when it is safe"),
            ]))
        button { "Stop it now" }
    };
    let body = html! {
        (above)
        h1 { (HEADING) }
        p { "Is it still safe to reach her in the way that you know? Ask her now." }
        (form(visit, &path(visit)?, &fields))
    };
    Ok(Page::new("Stop", body))
}

fn chosen(visit: &Visit, errors: &Errors, scope: &str, field: &str) -> bool {
    visit.form().get("scope") == scope || errors.of(field).is_some()
}

/// By her card's code, or by who she is; a page of a person whom the organisation knows asks neither.
fn who(visit: &Visit, errors: &Errors) -> Markup {
    let said = visit.form();
    let code = Field {
        name: "card_code",
        label: "The first code of her card",
        hint: "12 letters and digits. With it she need not say who she is.",
        width: 20,
        longest: 24,
        ..Field::default()
    };
    html! {
        @if visit.id().is_empty() {
            (code.text(said, errors))
            h2 { "Or who is she?" }
            (her::who(said, errors))
        }
    }
}

async fn stop(visit: Visit) -> Result<Page, Stop> {
    let said = visit.form();
    let scope = said.get("scope");
    let mut body = json!({ "scope": scope, "pause": said.get("pause") == "yes" });
    if let Some(channel) = said.said("channel") {
        her::put(&mut body, "channel", json!(channel));
    }
    // What was ticked under another answer, and then changed, is not meant.
    for (of, name) in [
        ("service", "services"),
        ("class", "classes"),
        ("purpose", "purposes"),
    ] {
        if scope == of {
            let ticked: Vec<&str> = said.all(name).collect();
            her::put(&mut body, name, json!(ticked));
        }
    }
    named(&visit, &mut body)?;
    let mut errors = Errors::default();
    if !matches!(said.get("pause"), "yes" | "no") {
        errors.add("pause", "Say whether it is her own word");
    }
    if !errors.is_empty() {
        let above = page::summary(&errors);
        return Ok(asks(&visit, &above, &errors).await?.status(422));
    }
    let reply = visit.post("/v1/withdrawals", &body).await?;
    if !reply.is_ok() {
        let errors = her::errors(&reply);
        let above = her::above(&reply, &errors);
        return Ok(asks(&visit, &above, &errors).await?.status(reply.status));
    }
    if reply.body.get("replayed").is_some() {
        let body = html! {
            h1 { "It is stopped" }
            p { "This was sent already, and counts once." }
        };
        return Ok(Page::new("Stop", body));
    }
    // The same for a pause: he may be listening, or look at the screen.
    let notice = her::read_to_her(&visit, "stopped", false).await?;
    Ok(Page::new("Stop", taken(&reply, &notice)))
}

fn named(visit: &Visit, body: &mut Value) -> Result<(), Stop> {
    if !visit.id().is_empty() {
        her::put(body, "person", json!(her::id(visit)?));
        return Ok(());
    }
    if let Some(code) = visit.form().said("card_code") {
        her::put(body, "card_code", json!(code));
    }
    let identity = her::identity(visit.form());
    let is_empty = identity.as_object().is_some_and(serde_json::Map::is_empty);
    if !is_empty {
        her::put(body, "identity", identity);
    }
    Ok(())
}

/// The API's words, the same whatever there was and whoever holds something.
fn taken(reply: &Reply, notice: &Markup) -> Markup {
    let id = reply.text("/id");
    let goes_on = reply.list("/goes_on").iter().filter_map(Value::as_str);
    let complain = reply.list("/complain_to").iter().filter_map(Value::as_str);
    html! {
        h1 { "It is stopped" }
        div.good {
            p { (reply.text("/says")) }
            p { "In force since " (moment(reply.text("/effective_from"))) "." }
        }
        (notice)
        h2 { "What goes on, and what cannot be undone" }
        ul { @for line in goes_on { li { (line) } } }
        h2 { "Whom she can complain to" }
        ul { @for line in complain { li { (line) } } }
        @if !id.is_empty() {
            p { a href=(format!("/stopped/{id}")) { "Come back to this" }
                " when you have asked her again where nobody can hear." }
        }
    }
}

async fn settle_or_lift(visit: Visit) -> Result<Page, Stop> {
    settles(&visit, &html! {}, &Errors::default()).await
}

async fn settles(visit: &Visit, above: &Markup, errors: &Errors) -> Result<Page, Stop> {
    let notice = her::read_to_her(visit, "paused", false).await?;
    let path = format!("/stopped/{}", her::id(visit)?);
    let asked = Field {
        name: "asked_her_safely",
        label: "I asked her where nobody could hear or press her",
        ..Field::default()
    };
    let confirm = html! {
        input type="hidden" name="how" value="confirm";
        button { "It was her word: it stays stopped" }
    };
    let lift = html! {
        input type="hidden" name="how" value="lift";
        (asked.tick(visit.form(), errors))
        button.second { "It was not her word: go on as before" }
    };
    let body = html! {
        (above)
        h1 { "Was it her own word?" }
        p { "For what was stopped for 72 hours only. If nobody says anything, it ends then. What was \
             stopped for good stays as it is." }
        (notice)
        (form(visit, &path, &confirm))
        (form(visit, &path, &lift))
    };
    Ok(Page::new("Stop", body))
}

async fn settle(visit: Visit) -> Result<Page, Stop> {
    let id = her::id(&visit)?;
    let lifts = visit.form().get("how") == "lift";
    let (path, body) = if lifts {
        let asked = visit.form().get("asked_her_safely") == "yes";
        (
            format!("/v1/withdrawals/{id}/lift"),
            json!({ "asked_her_safely": asked }),
        )
    } else {
        (format!("/v1/withdrawals/{id}/confirm"), json!({}))
    };
    let reply = visit.post(&path, &body).await?;
    if !reply.is_ok() {
        let errors = her::errors(&reply);
        let above = her::above(&reply, &errors);
        return Ok(settles(&visit, &above, &errors).await?.status(reply.status));
    }
    let body = html! {
        h1 { "Was it her own word?" }
        @if reply.is_nothing() { (page::nothing(&reply)) }
        @else { div.good { p { (reply.text("/says")) } } }
    };
    Ok(Page::new("Stop", body))
}
