//! Her word, written down: what she agrees to or refuses, for what, to whom and how far; what is to be
//! gone through with her again; taking one back.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::assessments::record::{depth, named, recipients};
use super::form::{Errors, Field, Form};
use super::her;
use super::inbox::following;
use super::page::{self, Page, form};
use super::table::{For, Pages};
use super::visit::{Stop, Visit, list, text};
use super::words::{day, say};
use crate::domain::codes::Role;

/// As `policies/20-consent.cedar` names them.
const RECORDS: For = For::Roles(&[
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
const READS: For = For::Roles(&[
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
        .get("/consents", READS, due)
        .post("/consents/{id}", READS, take_back)
        .get("/consent/{id}", RECORDS, show)
        .post("/consent/{id}", RECORDS, record)
}

async fn show(visit: Visit) -> Result<Page, Stop> {
    asks(&visit, &html! {}, &Errors::default()).await
}

/// What her word is about. The first two are said so often that they have words of their own.
const ABOUT: [(&str, &str); 3] = [
    ("ask", "That we may ask whether she was assessed before"),
    ("share", "That others may see what we assessed"),
    ("other", "Something else"),
];

/// The words that are read to her, by what her word is about. A word about something else has none.
const BEFORE_ASKING: &str = "earlier-assessment";
const BEFORE_SHARING: &str = "sharing-an-assessment";

const PURPOSES: [(&str, &str); 5] = [
    ("support", "Getting support"),
    ("safety_planning", "Planning for her safety"),
    ("onward_referral", "Passing her on to another service"),
    ("legal_advice", "Legal advice"),
    ("court_support", "Support at court"),
];

const KINDS: [(&str, &str); 7] = [
    ("op", "What kind of help she needs"),
    ("id", "Who she is"),
    ("loc", "Where she is and how to reach her"),
    ("sp", "Risk, health, religion and the like"),
    ("ip", "Her language, and wishes about who helps her"),
    ("perp", "What is said about him"),
    ("ft", "Notes in words"),
];

async fn asks(visit: &Visit, above: &Markup, errors: &Errors) -> Result<Page, Stop> {
    let said = visit.form();
    let path = format!("/consent/{}", her::id(visit)?);
    let before_asking = her::read_to_her(visit, BEFORE_ASKING, true).await?;
    let before_sharing = her::read_to_her(visit, BEFORE_SHARING, true).await?;
    let field = |name, label, hint| Field {
        name,
        label,
        hint,
        ..Field::default()
    };
    let is_other = said.get("about") == "other" || errors.of("consent.purposes").is_some();
    let fields = html! {
        (field("about", "What did you ask her?", "").radios(said, errors, &ABOUT))
        details { summary { "Words to read to her before she says whether we may ask" } (before_asking) }
        details { summary { "Words to read to her before she says what others may see" } (before_sharing) }
        (field("decision", "What did she say?", "")
            .radios(said, errors, &[("permit", "She agrees"), ("deny", "She does not want this")]))
        details open[is_other] {
            summary { "Something else: for what, and which information" }
            (field("consent.purposes", "For what?", "").radios(said, errors, &PURPOSES))
            (field("consent.classes", "Which information?", "").boxes(said, errors, &KINDS))
        }
        h2 { "If she agrees" }
        p.hint { "Leave out what does not belong to it." }
        (recipients(said, errors))
        (depth(said, errors))
        (field("consent.review_at", "When do you go through it with her again?",
               "It comes up in your list on that day. Empty: not before it ends, after 12 months.")
            .date(said, errors))
        h2 { "How she said it" }
        (her::how_she_said_it(said, errors))
        (field("pause", "She may not have been free to say yes",
               "It is recorded and serves for nothing until you have asked her safely and recorded it \
                anew. Nobody else sees a difference.")
            .tick(said, errors))
        button { "Record her word" }
    };
    let body = html! {
        (above)
        h1 { "What she agrees to, or refuses" }
        p { "She is helped whatever she says." }
        (form(visit, &path, &fields))
    };
    Ok(Page::new("Consent", body))
}

/// The words that were read to her about what her word is about: both boxes may be ticked.
fn read_to_her(said: &Form) -> Option<&str> {
    let notice = match said.get("about") {
        "ask" => BEFORE_ASKING,
        "share" => BEFORE_SHARING,
        _ => return None,
    };
    said.all("consent.notice_version")
        .find(|version| version.starts_with(notice))
}

/// Her word, for the API.
fn word(visit: &Visit) -> Value {
    let said = visit.form();
    let permits = said.get("decision") == "permit";
    let mut word = her::her_word(said, said.get("decision"));
    let about = said.get("about");
    if let Value::Object(map) = &mut word {
        map.remove("notice_version");
    }
    if let Some(version) = read_to_her(said) {
        her::put(&mut word, "notice_version", json!(version));
    }
    her::put(
        &mut word,
        "opens",
        json!(if about == "ask" { "query" } else { "share" }),
    );
    if about == "other" {
        let purposes: Vec<&str> = said.all("consent.purposes").collect();
        let classes: Vec<&str> = said.all("consent.classes").collect();
        her::put(&mut word, "purposes", json!(purposes));
        her::put(&mut word, "classes", json!(classes));
    } else {
        her::put(&mut word, "purposes", json!(["prior_assessment"]));
        if permits && let Some(depth) = said.said("consent.depth") {
            her::put(&mut word, "depth", json!(depth));
        }
    }
    if about != "ask" {
        her::put(&mut word, "recipients", named(said));
    }
    if let Some(day) = said.date("consent.review_at") {
        her::put(&mut word, "review_at", json!(format!("{day}T09:00:00Z")));
    }
    word
}

async fn record(visit: Visit) -> Result<Page, Stop> {
    let person = her::id(&visit)?;
    let said = visit.form();
    let mut errors = Errors::default();
    if !ABOUT.iter().any(|(about, _)| *about == said.get("about")) {
        errors.add("about", "Say what you asked her");
    }
    if !matches!(said.get("decision"), "permit" | "deny") {
        errors.add("decision", "Say whether she agrees");
    }
    if said.get("about") == "other" && said.said("consent.purposes").is_none() {
        errors.add("consent.purposes", "Say for what");
    }
    if !errors.is_empty() {
        let above = page::summary(&errors);
        return Ok(asks(&visit, &above, &errors).await?.status(422));
    }
    let body = json!({
        "person": person, "consent": word(&visit), "pause": said.get("pause") == "yes",
    });
    let reply = visit.post("/v1/consents", &body).await?;
    if !reply.is_ok() {
        let errors = her::errors(&reply);
        let above = her::above(&reply, &errors);
        return Ok(asks(&visit, &above, &errors).await?.status(reply.status));
    }
    if reply.is_nothing() {
        let body = html! { h1 { "What she agrees to, or refuses" } (page::nothing(&reply)) };
        return Ok(Page::new("Consent", body));
    }
    let id = reply.text("/id");
    let body = html! {
        (her::warning(&reply))
        h1 { "Recorded" }
        div.good { p {
            @if said.get("decision") == "deny" { "She does not want this. It is kept, and it counts." }
            @else { "She agrees, for 12 months at most. She can take it back at any time, at any service." }
        } }
        (her::acts(visit.role(), person))
        @if said.get("decision") == "permit" && !id.is_empty() {
            details {
                summary { "She takes it back" }
                (take_back_form(&visit, id, person))
            }
        }
    };
    Ok(Page::new("Consent", body))
}

fn take_back_form(visit: &Visit, consent: &str, person: &str) -> Markup {
    let fields = html! {
        input type="hidden" name="person" value=(person);
        button.second { "Take this consent back" }
    };
    form(visit, &format!("/consents/{consent}"), &fields)
}

async fn due(visit: Visit) -> Result<Page, Stop> {
    let after = visit.query().get("after");
    let path = if after.is_empty() {
        "/v1/consents".to_owned()
    } else {
        format!("/v1/consents?after={}", her::plain(after)?)
    };
    let reply = visit.get(&path).await?;
    let consents = reply.list("/consents");
    let more = match reply.is_ok() {
        true => following(&visit, "/v1/consents", "/consents", &reply).await?,
        false => None,
    };
    let body = html! {
        h1 { "To go through with her again" }
        p { "What you recorded of her word, and said you would ask her about again by now." }
        @if !reply.is_ok() { (page::trouble(&reply)) }
        @else if consents.is_empty() { p { "There is none whose day has come." } }
        @for one in consents { (due_card(&visit, one)) }
        @if let Some(more) = more { p { a href=(format!("/consents?after={more}")) { "More" } } }
    };
    Ok(Page::new("Consents", body).status(if reply.is_ok() { 200 } else { reply.status }))
}

/// The cursor of the page after, if there is one.
pub fn next(body: &Value) -> Option<String> {
    let next = body.get("next")?;
    match next {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn due_card(visit: &Visit, one: &Value) -> Markup {
    let (id, person) = (text(one, "id"), text(one, "person"));
    let purposes: Vec<String> = list(one, "purposes")
        .iter()
        .filter_map(Value::as_str)
        .map(say)
        .collect();
    html! {
        section.card {
            h2 { (purposes.join(", ")) }
            dl.rows {
                dt { "Your reference of her" } dd.code { (person) }
                dt { "To go through again since" } dd { (day(text(one, "review_at"))) }
                dt { "Ends" } dd { (day(text(one, "until"))) }
            }
            div.buttons {
                a.button href=(format!("/consent/{person}")) { "Record what she says now" }
                (take_back_form(visit, id, person))
            }
        }
    }
}

async fn take_back(visit: Visit) -> Result<Page, Stop> {
    let consent = her::id(&visit)?;
    let person = her::plain(visit.form().get("person"))?;
    let path = format!("/v1/consents/{consent}/withdraw");
    let reply = visit.post(&path, &json!({ "person": person })).await?;
    let notice = her::read_to_her(&visit, "stopped", false).await?;
    let body = html! {
        @if !reply.is_ok() { (page::trouble(&reply)) }
        h1 { @if reply.is_ok() && !reply.is_nothing() { "Taken back" } @else { "She takes it back" } }
        @if reply.is_nothing() { (page::nothing(&reply)) }
        @else if reply.is_ok() {
            div.good { p { (reply.text("/says")) } }
            (notice)
        }
        p { a href="/consents" { "To go through with her again" } }
    };
    Ok(Page::new("Consents", body).status(if reply.is_ok() { 200 } else { reply.status }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_that_count_are_those_about_what_she_decided() {
        let ticked = |about: &str| {
            Form::parse(
                format!(
                    "about={about}&consent.notice_version=earlier-assessment-2\
                     &consent.notice_version=sharing-an-assessment-3"
                )
                .as_bytes(),
            )
        };
        assert_eq!(read_to_her(&ticked("ask")), Some("earlier-assessment-2"));
        assert_eq!(
            read_to_her(&ticked("share")),
            Some("sharing-an-assessment-3")
        );
        assert_eq!(read_to_her(&ticked("other")), None);
    }
}
