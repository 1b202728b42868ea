//! An offer is answered: accepted, declined with its reason, or put on the waiting list.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::{Listed, RECEIVES, case, is_open, listing, rows, stretch, tags, withdrew};
use crate::domain::codes::DeclineReason;
use crate::domain::refusal::Refusal;
use crate::web::form::{Errors, Field};
use crate::web::page::{self, Page, form, nothing, summary, trouble};
use crate::web::referral::link;
use crate::web::table::{For, Pages};
use crate::web::visit::{Reply, Stop, Visit, text};
use crate::web::words::{Options, pairs, reference, say};

pub fn pages(pages: Pages) -> Pages {
    pages
        .get("/inbox/{id}/answer", For::Roles(RECEIVES), look)
        .post("/inbox/{id}/accept", For::Roles(RECEIVES), accept)
        .post("/inbox/{id}/decline", For::Roles(RECEIVES), decline)
        .post("/inbox/{id}/wait", For::Roles(RECEIVES), wait)
}

/// Why an offer is not for a service, in its words.
pub fn reasons() -> Options {
    DeclineReason::ALL
        .iter()
        .map(|one| {
            let words = match one {
                DeclineReason::Full => "We are full",
                DeclineReason::OutOfArea => "She lives outside our area",
                DeclineReason::Gender => "We do not work with people of this gender",
                DeclineReason::Age => "We do not work with people of this age",
                DeclineReason::RiskTooHigh => "The risk is higher than we can hold",
                DeclineReason::RiskTooLow => "The risk is lower than what we are for",
                DeclineReason::Substance => "Drugs or alcohol: she needs more than we have",
                DeclineReason::MhThreshold => "Mental health: she needs more than we have",
                DeclineReason::NoInterpreter => "We have no interpreter",
                DeclineReason::Access => "We cannot meet her access needs",
                DeclineReason::Conflict => "Somebody here has a link that could endanger her",
                DeclineReason::Unreachable => "She could not be reached",
                DeclineReason::VictimDeclined => "She does not want this",
                DeclineReason::Other => "Another reason",
            };
            (one.code(), words.to_owned())
        })
        .collect()
}

async fn look(visit: Visit) -> Result<Page, Stop> {
    let id = link(&visit).ok_or(Stop::Refused(Refusal::NotFound))?;
    answering(&visit, &id, &html! {}, &Errors::default(), 200).await
}

/// The offer again, as the list of the API shows it: there is no other way to see one.
async fn answering(
    visit: &Visit,
    id: &str,
    above: &Markup,
    errors: &Errors,
    status: u16,
) -> Result<Page, Stop> {
    let after = visit.query().get("after").to_owned();
    let after = visit.form().said("after").map_or(after, str::to_owned);
    let reply = visit.get(&listing("/v1/inbox", &after)).await?;
    if !reply.is_ok() {
        return Ok(page::refused(reply));
    }
    let is_it = |offer: &Value| text(offer, "id") == id;
    let mut found = reply
        .list("/offers")
        .iter()
        .find(|offer| is_it(offer))
        .cloned();
    if found.is_none() {
        // It stands elsewhere in the list by now, or came in between.
        let is_found =
            |_: usize, listed: &Listed| listed.offers.iter().any(|(_, offer)| is_it(offer));
        found = match stretch(visit, "", is_found).await? {
            Ok(listed) => listed
                .offers
                .into_iter()
                .map(|(_, offer)| offer)
                .find(is_it),
            Err(reply) => return Ok(page::refused(reply)),
        };
    }
    let Some(offer) = &found else {
        return Ok(Page::new("Inbox", gone(above)).status(status));
    };
    if !is_open(offer) {
        let body = html! {
            (above)
            h1 { "This was answered already" }
            p { a href=(format!("/inbox/{id}")) { "Open " (reference(id)) } }
            p { a href="/inbox" { "Back to the inbox" } }
        };
        return Ok(Page::new("Inbox", body).status(status));
    }
    let body = html! {
        (above)
        (forms(visit, offer, &after, errors))
    };
    Ok(Page::new("Inbox", body).status(status))
}

fn gone(above: &Markup) -> Markup {
    html! {
        (above)
        h1 { "This offer is not in your inbox" }
        p { "It was answered, or has gone to another service. Contact nobody on it." }
        p { a href="/inbox" { "Back to the inbox" } }
    }
}

fn forms(visit: &Visit, offer: &Value, after: &str, errors: &Errors) -> Markup {
    let id = text(offer, "id");
    let to = |act: &str| format!("/inbox/{id}/{act}");
    let page = html! { input type="hidden" name="after" value=(after); };
    let question = text(offer, "question");
    let worker = Field {
        name: "worker",
        label: "Who will work with her?",
        hint: "As your organisation names this person: letters, digits and . _ @ -",
        width: 20,
        longest: 64,
        ..Field::default()
    };
    let onward = Field {
        name: "onward_rule_accepted",
        label: "We may not pass this on for immigration purposes. I accept this for my organisation.",
        ..Field::default()
    };
    let conflict = Field {
        name: "no_conflict",
        label: "No. Nobody here has such a link.",
        hint: question,
        ..Field::default()
    };
    let reasons = reasons();
    let reason = Field {
        name: "reason",
        label: "Why is it not for you?",
        hint: "Whoever sent her is not told the reason.",
        ..Field::default()
    };
    let mut filled = crate::web::form::Form::default();
    let typed = visit.form();
    filled.set(
        "worker",
        typed.said("worker").unwrap_or(visit.user().as_str()),
    );
    let keeps = ["onward_rule_accepted", "no_conflict", "reason"];
    for name in keeps {
        filled.set(name, typed.get(name));
    }
    html! {
        h1 { (say(text(offer, "offence_group"))) }
        p { (tags(offer)) }
        (withdrew(offer))
        (rows(offer))
        section.card id="yes" {
            h2 { "Accept" }
            p { "You are told who she is and how it is safe to reach her. This is entered in the log." }
            (form(visit, &to("accept"), &html! {
                (page)
                @if !question.is_empty() { (conflict.tick(&filled, errors)) }
                (onward.tick(&filled, errors))
                (worker.text(&filled, errors))
                button { "Accept and see who she is" }
            }))
        }
        section.card id="no" {
            h2 { "Not for us" }
            p { "It goes to another service if she lets it. Nothing changes for whoever sent her." }
            (form(visit, &to("decline"), &html! {
                (page)
                (reason.select(&filled, errors, &pairs(&reasons)))
                button.second { "Not for us" }
            }))
        }
        @if text(offer, "status") == "offered" {
            section.card id="wait" {
                h2 { "Waiting list" }
                p { "She stays in your inbox, and you can accept her later." }
                (form(visit, &to("wait"), &html! {
                    (page)
                    button.second { "Put on waiting list" }
                }))
            }
        }
        p { a href="/inbox" { "Back to the inbox" } }
    }
}

async fn accept(visit: Visit) -> Result<Page, Stop> {
    let id = link(&visit).ok_or(Stop::Refused(Refusal::NotFound))?;
    let sent = visit.form();
    let body = json!({
        "worker": sent.get("worker"),
        "onward_rule_accepted": sent.get("onward_rule_accepted") == "yes",
        "no_conflict": sent.get("no_conflict") == "yes",
    });
    let reply = visit
        .post(&format!("/v1/referrals/{id}/accept"), &body)
        .await?;
    if reply.text("/result") == "released" && reply.body.get("replayed").is_none() {
        return Ok(Page::new("Inbox", case::released(&visit, &id, &reply)));
    }
    after(&visit, &id, &reply, "You have accepted her").await
}

async fn decline(visit: Visit) -> Result<Page, Stop> {
    let id = link(&visit).ok_or(Stop::Refused(Refusal::NotFound))?;
    let body = json!({ "reason": visit.form().get("reason") });
    let reply = visit
        .post(&format!("/v1/referrals/{id}/decline"), &body)
        .await?;
    after(&visit, &id, &reply, "You have said that it is not for you").await
}

async fn wait(visit: Visit) -> Result<Page, Stop> {
    let id = link(&visit).ok_or(Stop::Refused(Refusal::NotFound))?;
    let reply = visit
        .post(&format!("/v1/referrals/{id}/wait"), &json!({}))
        .await?;
    after(&visit, &id, &reply, "She is on your waiting list").await
}

/// What became of an answer.
async fn after(visit: &Visit, id: &str, reply: &Reply, done: &str) -> Result<Page, Stop> {
    if reply.status == 422 {
        let mut errors = Errors::default();
        for (field, message) in reply.errors().0 {
            errors.add(&field, plainly(&field, &message));
        }
        if errors.is_empty() {
            return answering(visit, id, &trouble(reply), &errors, reply.status).await;
        }
        return answering(visit, id, &summary(&errors), &errors, reply.status).await;
    }
    let result = reply.text("/result");
    let body = html! {
        @if !reply.is_ok() {
            h1 { "This was not done" }
            p { (reply.text("/detail")) }
            @if reply.problem() == "already-answered" {
                p { "Somebody of yours may have answered it a moment ago. Look in the inbox." }
            }
        } @else if reply.is_nothing() {
            h1 { "Inbox" }
            (nothing(reply))
        } @else if result == "passed-on" {
            h1 { "This offer has ended for you" }
            div.wait { p { (reply.text("/says")) } }
        } @else {
            h1 { (done) }
            @if result == "released" {
                p { a href=(format!("/inbox/{id}")) { "Open " (reference(id)) } }
            }
        }
        p { a.button href="/inbox" { "Back to the inbox" } }
    };
    Ok(Page::new("Inbox", body).status(reply.status))
}

/// What the API says of a field, to whoever filled in this page.
fn plainly<'a>(field: &str, message: &'a str) -> &'a str {
    match field {
        "reason" => "Choose the reason",
        "onward_rule_accepted" => "Tick that you accept this",
        "no_conflict" => {
            "Tick this if nobody here has such a link. If somebody has, or you are not sure, choose \
             \"Not for us\" and that reason"
        }
        _ => message,
    }
}
