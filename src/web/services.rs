//! What the services of an organisation can meet: its administrator says so and keeps it right, and whoever
//! is offered somebody reads it before she accepts.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::form::{Errors, Field, Form};
use super::page::{Page, form, summary, trouble};
use super::table::{For, Pages};
use super::visit::{Reply, Stop, Visit, list, text};
use super::words::{day, options, pairs, say};
use crate::domain::codes::{Need, Role};
use crate::domain::refusal::Refusal;

const WHOM: For = For::Roles(&[Role::OrgAdmin]);

/// The box that says that it can meet none of them: nothing ticked may be a slip.
const NONE: &str = "none";

pub fn pages(pages: Pages) -> Pages {
    pages
        .get("/services", WHOM, all)
        .get("/services/{id}", WHOM, ask)
        .post("/services/{id}", WHOM, said)
}

fn codes<'a>(of: &'a Value, key: &str) -> Vec<&'a str> {
    list(of, key).iter().filter_map(Value::as_str).collect()
}

fn said_words(codes: &[&str]) -> String {
    let words: Vec<String> = codes.iter().map(|code| say(code)).collect();
    words.join(", ")
}

fn is_old(of: &Value) -> bool {
    of.get("is_old").and_then(Value::as_bool) == Some(true)
}

/// What a service can meet was never said, or so long ago that it is asked again.
pub fn is_to_check(service: &Value) -> bool {
    text(service, "said_at").is_empty() || is_old(service)
}

/// Whether her service can meet what is recorded, for whoever is about to accept. It says only what was
/// said; she decides.
pub fn can_meet(offer: &Value) -> Markup {
    let Some(found) = offer.get("can_meet").filter(|found| found.is_object()) else {
        return html! {};
    };
    let (not_said, said_at) = (codes(found, "not_said"), text(found, "said_at"));
    html! {
        dt { "Can you meet them?" }
        dd {
            @if said_at.is_empty() {
                "Your service has not said what it can meet. Your administrator can say so under Services."
            } @else if not_said.is_empty() { "You can meet every need recorded." }
            @else { "You have not said that you can meet: " (said_words(&not_said)) "." }
            @if is_old(found) { " This was last checked on " (day(said_at)) ". Is it still right?" }
        }
    }
}

/// One service of hers, as the API tells her administrator.
fn of<'a>(me: &'a Reply, id: &str) -> Result<&'a Value, Stop> {
    let mut services = me.list("/own_services").iter();
    let found = services.find(|one| text(one, "service") == id);
    found.ok_or(Stop::Refused(Refusal::NotFound))
}

async fn all(visit: Visit) -> Result<Page, Stop> {
    let me = visit.get("/v1/me").await?;
    let services = me.list("/own_services");
    let body = html! {
        h1 { "What your services can meet" }
        p {
            "Your workers read this with each offer, before they accept. Nobody outside your organisation is \
             told, and nothing is refused because of it."
        }
        @if services.is_empty() { p { "Your organisation runs no service here." } }
        @for one in services { (card(&visit, one)) }
    };
    Ok(Page::new("Services", body))
}

fn card(visit: &Visit, one: &Value) -> Markup {
    let path = format!("/services/{}", text(one, "service"));
    let (name, said_at) = (text(one, "name"), text(one, "said_at"));
    let needs = codes(one, "meets");
    let whose = html! { span.away { ": " (name) } };
    html! {
        article.card {
            h2 { (name) }
            @if said_at.is_empty() {
                p { "Nobody has said yet what it can meet." }
                div.buttons { a.button href=(path) { "Say what it can meet" (whose) } }
            } @else {
                dl.rows {
                    dt { "Can meet" } dd {
                        @if needs.is_empty() { "None of the needs that are recorded here" }
                        @else { (said_words(&needs)) }
                    }
                    dt { "Last checked" } dd {
                        (day(said_at))
                        @if is_old(one) { " " span.tag.soon { "Is it still right?" } }
                    }
                }
                div.buttons {
                    // What she says is still right is what she saw, whatever somebody changed meanwhile.
                    (form(visit, &path, &html! {
                        @for code in &needs { input type="hidden" name="needs" value=(code); }
                        @if needs.is_empty() { input type="hidden" name="needs" value=(NONE); }
                        button { "Still right" (whose) }
                    }))
                    a.button.second href=(path) { "Change" (whose) }
                }
            }
        }
    }
}

async fn ask(visit: Visit) -> Result<Page, Stop> {
    let me = visit.get("/v1/me").await?;
    let service = of(&me, visit.id())?;
    let mut ticked = codes(service, "meets");
    if ticked.is_empty() && !text(service, "said_at").is_empty() {
        ticked.push(NONE);
    }
    let ticked: Vec<String> = ticked.iter().map(|code| format!("needs={code}")).collect();
    let ticked = Form::parse(ticked.join("&").as_bytes());
    Ok(Page::new(
        "Services",
        asks(&visit, service, &ticked, &html! {}, &Errors::default()),
    ))
}

fn asks(visit: &Visit, service: &Value, ticked: &Form, above: &Markup, errors: &Errors) -> Markup {
    let mut needs = options(Need::ALL.iter().map(|one| one.code()));
    needs.push((NONE, "None of these".to_owned()));
    let field = Field {
        name: "needs",
        label: "Which needs can it meet?",
        hint: "Tick what your workers can promise to whoever is offered to them.",
        ..Field::default()
    };
    let path = format!("/services/{}", text(service, "service"));
    html! {
        p { a href="/services" { "All your services" } }
        (above)
        h1 { (text(service, "name")) }
        (form(visit, &path, &html! {
            (field.boxes(ticked, errors, &pairs(&needs)))
            button { "Save" }
        }))
    }
}

/// What was ticked: the needs, or that it can meet none of them.
fn ticked(sent: &Form) -> Result<Vec<&str>, &'static str> {
    let ticked: Vec<&str> = sent.all("needs").collect();
    match (ticked.contains(&NONE), ticked.as_slice()) {
        (_, []) => Err("Tick what it can meet, or \"None of these\""),
        (true, [_]) => Ok(Vec::new()),
        (true, _) => Err("Tick what it can meet, or \"None of these\", but not both"),
        (false, _) => Ok(ticked),
    }
}

async fn said(visit: Visit) -> Result<Page, Stop> {
    let mut errors = Errors::default();
    let mut above = html! {};
    let mut status = 422;
    match ticked(visit.form()) {
        Ok(needs) => {
            let body = json!({
                "change": "say_what_we_meet", "service": visit.id(), "needs": needs,
            });
            let done = visit.post("/v1/proposals", &body).await?;
            if done.is_ok() {
                return Ok(Page::go("/services"));
            }
            (above, status) = (trouble(&done), done.status);
        }
        Err(message) => {
            errors.add("needs", message);
            above = summary(&errors);
        }
    }
    let me = visit.get("/v1/me").await?;
    let service = of(&me, visit.id())?;
    let body = asks(&visit, service, visit.form(), &above, &errors);
    Ok(Page::new("Services", body).status(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(can_meet: Value) -> String {
        super::can_meet(&json!({ "can_meet": can_meet })).0
    }

    #[test]
    fn an_offer_says_what_her_service_has_said() {
        let at = "2026-04-02T10:00:00Z";
        let every = told(json!({ "not_said": [], "said_at": at, "is_old": false }));
        assert!(
            every.contains("<dd>You can meet every need recorded.</dd>"),
            "{every}"
        );
        let beyond = ["housing_safe", "interpreter"];
        let some = told(json!({ "not_said": beyond, "said_at": at, "is_old": false }));
        let words = "You have not said that you can meet: A safe place to live, Interpreter.</dd>";
        assert!(some.contains(words), "{some}");
        let never = told(json!({ "not_said": beyond, "said_at": null, "is_old": false }));
        let words = "Your service has not said what it can meet. Your administrator can say so under \
                     Services.</dd>";
        assert!(never.contains(words), "{never}");
        let old = told(json!({ "not_said": [], "said_at": at, "is_old": true }));
        let words = "You can meet every need recorded. This was last checked on 2 April 2026. Is it \
                     still right?</dd>";
        assert!(old.contains(words), "{old}");
        // No need is recorded, or she was accepted: nothing is said.
        assert_eq!(told(Value::Null), "");
    }

    #[test]
    fn nothing_ticked_is_not_taken_for_none() {
        let sent = |body: &str| ticked(&Form::parse(body.as_bytes())).map(|all| all.len());
        assert_eq!(sent("needs=emotional&needs=health"), Ok(2));
        assert_eq!(sent("needs=none"), Ok(0));
        assert!(sent("").is_err());
        assert!(sent("needs=none&needs=health").is_err());
    }
}
