//! A person whom a service has accepted: who she is, how it is safe to reach her, and what is done
//! next. The same once more as a file for the service's own case system.

use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::moving::MOVES;
use super::{RECEIVES, back, rows, withdrew, worker};
use crate::domain::codes::CloseOutcome;
use crate::domain::refusal::Refusal;
use crate::web::form::{Errors, Field};
use crate::web::her;
use crate::web::page::{self, Page, form, nothing, trouble};
use crate::web::referral::person::sex;
use crate::web::referral::{contact, link};
use crate::web::table::{For, Pages};
use crate::web::visit::{Reply, Stop, Visit, list, text};
use crate::web::words::referral::{borough, language};
use crate::web::words::{Options, date, day, moment, pairs, reference, say};

pub fn pages(pages: Pages) -> Pages {
    pages
        .get("/inbox/{id}", For::Roles(RECEIVES), open)
        .get("/inbox/{id}/file", For::Roles(RECEIVES), file)
        .get("/inbox/{id}/close", For::Roles(RECEIVES), closing)
        .post("/inbox/{id}/close", For::Roles(RECEIVES), close)
}

async fn open(visit: Visit) -> Result<Page, Stop> {
    let id = link(&visit).ok_or(Stop::Refused(Refusal::NotFound))?;
    let reply = visit.get(&format!("/v1/inbox/{id}")).await?;
    if !reply.is_ok() {
        return Ok(page::refused(reply));
    }
    let body = match reply.text("/result") {
        "released" => released(&visit, &id, &reply),
        _ if reply.is_nothing() => html! {
            h1 { "Inbox" }
            (nothing(&reply))
            p { a href="/inbox" { "Back to the inbox" } }
        },
        // What was accepted and is with somebody else now, or was of somebody else.
        _ => html! {
            h1 { (reference(&id)) }
            div.wait { p { b { (reply.text("/says")) } } }
            (moved(reply.body.get("transfer")))
            (news(list(&reply.body, "updates")))
            p { a href="/inbox" { "Back to the inbox" } }
        },
    };
    Ok(Page::new("Inbox", body))
}

/// Everything that was released, the safe contact first and large.
pub fn released(visit: &Visit, id: &str, reply: &Reply) -> Markup {
    let empty = Value::Null;
    let part = |pointer: &str| reply.body.pointer(pointer).unwrap_or(&empty);
    let (who, offer) = (part("/released/identity"), part("/referral"));
    let contact = part("/released/safe_contact");
    let is_sealed = !reply.text("/released/sealed_to_you").is_empty();
    html! {
        h1 { @if is_sealed || who.is_null() { (reference(id)) } @else { (name(who)) } }
        (withdrew(offer))
        @if !reply.text("/released/safe_contact_stopped").is_empty() {
            div.summary { h2 { "Stop" } p { (reply.text("/released/safe_contact_stopped")) } }
        }
        (news(list(offer, "updates")))
        @if is_sealed {
            div.notice {
                p { "Who she is has been sealed to your organisation's own key, so this page cannot show \
                     it. Open it in your own system, or ask whoever runs it for you." }
            }
        } @else {
            (identity(who))
            @if contact.get("modes").is_some() {
                h2 { "How it is safe to reach her" }
                (contact::shown(contact))
            } @else if contact.get("sealed_to_you").is_some() {
                div.notice { p { "How to reach her has changed, and is sealed to your organisation's own key." } }
            }
            @if !reply.text("/released/interpreter_language").is_empty() {
                p { "Speak with her in " b { (language(reply.text("/released/interpreter_language"))) }
                    ", with a professional interpreter, never a relative." }
            }
            @if !reply.text("/released/note").is_empty() {
                h2 { "Note" }
                blockquote.written { (reply.text("/released/note")) }
            }
            (other_party(part("/released/other_party")))
            (carried(part("/released/carried")))
        }
        h2 { "Why she was referred" }
        (rows(offer))
        (moved(reply.body.get("transfer")))
        div.notice { p { (reply.text("/onward_rule")) } }
        (next_steps(visit, id, reply.text("/person")))
        (back::offered(visit, id, reply))
    }
}

fn next_steps(visit: &Visit, id: &str, person: &str) -> Markup {
    let to = |act: &str| format!("/inbox/{id}/{act}");
    html! {
        h2 { "What next" }
        @if !person.is_empty() { (her::acts(visit.role(), person)) }
        ul.places {
            li { a href=(to("file")) download="case.json" { "Save a case file for your own system" } }
            li { a href=(to("update")) { "Something has changed" } }
            @if MOVES.contains(&visit.role()) { li { a href=(to("move")) { "She moves to another area" } } }
            li { a href=(to("close")) { "Close" } }
            li { a href="/inbox" { "Back to the inbox" } }
        }
    }
}

fn name(who: &Value) -> String {
    let both = [text(who, "given_name"), text(who, "family_name")];
    both.join(" ").trim().to_owned()
}

fn identity(who: &Value) -> Markup {
    let said = |key: &str| text(who, key);
    let other: Vec<&str> = list(who, "other_names")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    html! {
        dl.rows.large {
            dt { "Name" } dd { (name(who)) }
            dt { "Date of birth" }
            dd { @if said("birth_date").is_empty() { "Not known" } @else { (date(said("birth_date"))) } }
            @if !other.is_empty() { dt { "Other names" } dd { (other.join(", ")) } }
            @if !said("sex").is_empty() { dt { "Sex" } dd { (sex(said("sex"))) } }
        }
        @if !said("nhs_number").is_empty() || !said("crime_ref").is_empty() {
            dl.rows {
                @if !said("nhs_number").is_empty() { dt { "NHS number" } dd { (said("nhs_number")) } }
                @if !said("crime_ref").is_empty() { dt { "Crime reference" } dd { (said("crime_ref")) } }
            }
        }
    }
}

fn other_party(party: &Value) -> Markup {
    let risks: Vec<String> = list(party, "risks")
        .iter()
        .filter_map(Value::as_str)
        .map(say)
        .collect();
    html! {
        @if party.is_object() {
            h2 { "Whom she is to be kept safe from" }
            dl.rows {
                dt { "To her" } dd { (say(text(party, "relation"))) }
                dt { "Lives with her" } dd { (say(text(party, "shares_address"))) }
                @if !risks.is_empty() { dt { "Danger" } dd { (risks.join(", ")) } }
            }
        }
    }
}

/// What came with her from the service that worked with her before.
fn carried(carried: &Value) -> Markup {
    let adjustments: Vec<String> = list(carried, "adjustments")
        .iter()
        .filter_map(Value::as_str)
        .map(say)
        .collect();
    html! {
        @if carried.is_object() {
            h2 { "From the service before" }
            ul {
                @for risk in list(carried, "risk_history") {
                    li { (say(text(risk, "grade"))) " risk, " (say(text(risk, "instrument"))) ", "
                        (day(text(risk, "assessed_at"))) }
                }
                @if !adjustments.is_empty() { li { "She needs: " (adjustments.join(", ")) } }
            }
        }
    }
}

/// News by its codes, the latest first.
pub fn news(updates: &[Value]) -> Markup {
    html! {
        @if !updates.is_empty() {
            div.wait {
                h2 { "News" }
                ul {
                    @for one in updates.iter().rev() {
                        li { b { (crate::web::news::heard(text(one, "code"))) } " - " (moment(text(one, "at"))) }
                    }
                }
            }
        }
    }
}

fn moved(transfer: Option<&Value>) -> Markup {
    html! {
        @if let Some(transfer) = transfer.filter(|transfer| transfer.is_object()) {
            h2 { "Moving to another area" }
            dl.rows {
                dt { "How it stands" }
                dd { @if text(transfer, "state") == "waiting" { "No service there has accepted her yet" } @else { "A service there works with her now" } }
                @if !text(transfer, "area").is_empty() { dt { "To" } dd { (borough(text(transfer, "area"))) } }
                @if !text(transfer, "your_work_ends").is_empty() {
                    dt { "Your work ends" } dd { (moment(text(transfer, "your_work_ends"))) }
                }
            }
        }
    }
}

async fn file(visit: Visit) -> Result<Page, Stop> {
    let id = link(&visit).ok_or(Stop::Refused(Refusal::NotFound))?;
    let reply = visit.get(&format!("/v1/inbox/{id}")).await?;
    if !reply.is_ok() {
        return Ok(page::refused(reply));
    }
    if reply.text("/result") != "released" {
        let body = html! { h1 { "Inbox" } (nothing(&reply)) };
        return Ok(Page::new("Inbox", body));
    }
    let text = serde_json::to_string_pretty(&case_file(&id, &reply)).unwrap_or_default();
    Ok(Page::file("case.json", "application/json", text))
}

/// Plain names and whole words, for a system that knows nothing of ours.
fn case_file(id: &str, reply: &Reply) -> Value {
    let mut map = Map::new();
    let mut set = |key: &str, value: Value| {
        if !value.is_null() && value != json!("") {
            map.insert(key.to_owned(), value);
        }
    };
    let at = |pointer: &str| reply.body.pointer(pointer).cloned().unwrap_or(Value::Null);
    let words = |pointer: &str| {
        let codes = reply.list(pointer).iter().filter_map(Value::as_str);
        json!(codes.map(say).collect::<Vec<_>>())
    };
    set("reference", json!(reference(id)));
    set("referral_id", json!(id));
    set("person_id", at("/person"));
    for key in [
        "given_name",
        "family_name",
        "other_names",
        "birth_date",
        "nhs_number",
    ] {
        set(key, at(&format!("/released/identity/{key}")));
    }
    set("sex", json!(sex(reply.text("/released/identity/sex"))));
    set("crime_reference", at("/released/identity/crime_ref"));
    set("safe_contact", at("/released/safe_contact"));
    set("do_not_contact", at("/released/safe_contact_stopped"));
    set(
        "interpreter_language",
        json!(language(reply.text("/released/interpreter_language"))),
    );
    set("note", at("/released/note"));
    set("other_party", at("/released/other_party"));
    set("from_the_service_before", at("/released/carried"));
    set("sealed_as", at("/released/sealed_as"));
    set("sealed_to_you", at("/released/sealed_to_you"));
    set("offence", json!(say(reply.text("/referral/offence_group"))));
    set("she_is", json!(say(reply.text("/referral/party_role"))));
    let reported = reply.text("/referral/reported_to_police");
    set("reported_to_police", json!(super::reported(reported)));
    set(
        "wants_to_speak_to",
        json!(worker(reply.text("/referral/worker_gender"))),
    );
    set("risk", json!(say(reply.text("/referral/risk_grade"))));
    set("needs", words("/referral/needs"));
    set("priority", words("/referral/priority_category"));
    set("borough", json!(borough(reply.text("/referral/area"))));
    set("offered_at", at("/referral/offered_at"));
    set("contact_by", at("/referral/contact_by"));
    set("accepted_at", at("/referral/details_passed_at"));
    set("she_withdrew_on", at("/referral/she_withdrew_on"));
    let news = reply.list("/referral/updates").iter().map(|one| {
        let what = crate::web::news::heard(text(one, "code"));
        json!({ "what": what, "at": text(one, "at") })
    });
    set("news", json!(news.collect::<Vec<_>>()));
    set("transfer", at("/transfer"));
    set("onward_rule", at("/onward_rule"));
    Value::Object(map)
}

fn outcomes() -> Options {
    CloseOutcome::ALL
        .iter()
        .map(|one| {
            let words = match one {
                CloseOutcome::TakeUp => "She took up the service",
                CloseOutcome::Safety => "She is safer",
                CloseOutcome::Wellbeing => "She is better",
                CloseOutcome::Housing => "She has a place to live",
                CloseOutcome::CjEngaged => "She takes part in the criminal case",
                CloseOutcome::NotReached => "She could not be reached",
                CloseOutcome::SheEnded => "She ended it",
                CloseOutcome::Other => "Another outcome",
            };
            (one.code(), words.to_owned())
        })
        .collect()
}

fn close_form(visit: &Visit, id: &str, above: &Markup, errors: &Errors) -> Markup {
    let outcomes = outcomes();
    let field = Field {
        name: "outcomes",
        label: "What came of it?",
        hint: "Tick all that hold. Whoever sent her sees only that it is closed.",
        ..Field::default()
    };
    let inner = html! {
        (field.boxes(visit.form(), errors, &pairs(&outcomes)))
        div.buttons {
            button { "Close" }
            a.button.second href=(format!("/inbox/{id}")) { "Keep it open" }
        }
    };
    html! {
        (above)
        h1 { "Close " (reference(id)) }
        p { "Save the case file first if you need it: once it is closed, nobody can open it here." }
        (form(visit, &format!("/inbox/{id}/close"), &inner))
    }
}

async fn closing(visit: Visit) -> Result<Page, Stop> {
    let id = link(&visit).ok_or(Stop::Refused(Refusal::NotFound))?;
    let body = close_form(&visit, &id, &html! {}, &Errors::default());
    Ok(Page::new("Inbox", body))
}

async fn close(visit: Visit) -> Result<Page, Stop> {
    let id = link(&visit).ok_or(Stop::Refused(Refusal::NotFound))?;
    let ticked: Vec<String> = visit.form().all("outcomes").map(str::to_owned).collect();
    let reply = visit
        .post(
            &format!("/v1/referrals/{id}/close"),
            &json!({ "outcomes": ticked }),
        )
        .await?;
    if !reply.is_ok() {
        let body = close_form(&visit, &id, &trouble(&reply), &reply.errors());
        return Ok(Page::new("Inbox", body).status(reply.status));
    }
    let body = html! {
        @if reply.is_nothing() {
            h1 { "Inbox" }
            (nothing(&reply))
        } @else {
            h1 { "Closed: " (reference(&id)) }
            p { "What was released to you is destroyed here. Your own records are yours to keep or to delete." }
        }
        p { a.button href="/inbox" { "Back to the inbox" } }
    };
    Ok(Page::new("Inbox", body))
}
