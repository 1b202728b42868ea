//! "Keep for later": what is filled in is found again by whoever filled it in, on any machine, and by
//! nobody else. Nothing of it stays in the browser, and no list says whom it is about.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::{Caller, SENDS, asks, caller, corrected, held, link};
use crate::domain::draft::FIELDS;
use crate::domain::id::Id;
use crate::domain::refusal::Refusal;
use crate::web::form::{Errors, Form};
use crate::web::her::put;
use crate::web::page::{Page, button, nothing, summary, trouble};
use crate::web::table::{For, Pages};
use crate::web::visit::{Reply, Stop, Visit, list, text};
use crate::web::words::{day, moment};

pub fn pages(pages: Pages) -> Pages {
    pages.get("/drafts/{id}", For::Roles(SENDS), open).post(
        "/drafts/{id}/erase",
        For::Roles(SENDS),
        erase,
    )
}

/// How a draft is called: by no name, and not like a referral that was sent.
fn called(id: &str) -> String {
    Id::parse(id).map_or_else(String::new, |id| format!("D-{}", id.short()))
}

/// What is filled in, kept for later; or the form again, with what is wrong.
pub(super) async fn keep(visit: &Visit, caller: &Caller) -> Result<Page, Stop> {
    let form = visit.form();
    let mut fields = Vec::new();
    for field in FIELDS {
        let values: Vec<&str> = form.all(field.name).filter(|one| !one.is_empty()).collect();
        if !values.is_empty() {
            fields.push(json!({ "field": field.name, "values": values }));
        }
    }
    let mut body = json!({ "fields": fields });
    if let Some(draft) = form.said("draft") {
        put(&mut body, "draft", json!(draft));
    }
    let reply = visit.post("/v1/drafts", &body).await?;
    if reply.is_ok() && !reply.is_nothing() {
        return Ok(kept(form, &reply));
    }
    let errors = corrected(&reply);
    let above = html! {
        @if reply.is_nothing() {
            div.summary role="alert" tabindex="-1" id="summary" {
                h2 { "This is not kept" }
                p {
                    "What you had kept before is gone. Choose Keep for later once more, and it is kept \
                     anew. If that does not help, your team may keep nothing here."
                }
            }
        } @else {
            @if errors.is_empty() { (trouble(&reply)) } @else { (summary(&errors)) }
            @if let Some(held) = reply.body.get("held") {
                div.wait {
                    p { b { "Nothing is kept. " } "Change these words, then keep it or send it." }
                    (held::marked(form.get(text(held, "what")), held))
                }
            }
        }
    };
    // One that is gone is not asked for again.
    let again = filled(
        form.pairs()
            .filter(|(name, _)| *name != "draft" || !reply.is_nothing()),
    );
    let status = if reply.is_ok() { 422 } else { reply.status };
    let body = asks(visit, caller, &again, &above, &html! {}, &errors);
    Ok(Page::new("New", body).status(status))
}

fn filled<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Form {
    let mut form = Form::default();
    pairs.for_each(|(name, value)| form.set(name, value));
    form
}

fn kept(form: &Form, reply: &Reply) -> Page {
    let id = reply.text("/id");
    let left = left_out(form, reply);
    let body = html! {
        @if reply.body.get("replayed").is_some() {
            h1 { "This was kept already" }
            p { "It was kept once." }
        } @else {
            h1 { "Kept for later" }
            div.good { p { "Nothing is sent. Nobody but you can open it, on any computer." } }
            dl.rows {
                dt { "Reference" } dd.code { (called(id)) }
                dt { "It goes by itself on" } dd { (day(reply.text("/until"))) }
            }
            @if !left.is_empty() {
                div.wait {
                    p { b { "Not kept: " } (left.join("; ")) "." }
                    p { "It may not lie here before it is sent. Write it down again then." }
                }
            }
        }
        p { a href=(format!("/drafts/{id}")) { "Go on with it" } " - "
            a href="/new" { "Refer somebody else" } }
    };
    Page::new("New", body)
}

/// What was filled in and is not kept, by the headings of the form.
fn left_out(form: &Form, reply: &Reply) -> Vec<&'static str> {
    let kept: Vec<&str> = reply
        .list("/kept")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let filled = form.pairs().filter(|(_, value)| !value.is_empty());
    let lost = filled.filter(|(name, _)| !kept.contains(name));
    let mut left: Vec<&str> = lost.filter_map(|(name, _)| heading(name)).collect();
    left.sort_unstable();
    left.dedup();
    left
}

fn heading(name: &str) -> Option<&'static str> {
    Some(match name.split_once('.').map_or(name, |(head, _)| head) {
        "safe_contact" => "how it is safe to reach her",
        "other_party" => "whom she is to be kept safe from",
        "child_of" => "the parent whose referral this is",
        "identity" => "who she is",
        "consent" => "in which language you asked her",
        "note" => "the note",
        _ => return None,
    })
}

/// What the caller keeps, where a new referral is begun.
pub(super) async fn not_sent_yet(visit: &Visit) -> Result<Markup, Stop> {
    let reply = visit.get("/v1/drafts").await?;
    let drafts = list(&reply.body, "drafts");
    Ok(html! {
        // Who keeps one must not take it for gone.
        @if !reply.is_ok() {
            div.wait { p { "What you have kept for later cannot be shown just now." } }
        }
        @if !drafts.is_empty() {
            h2 { "Not sent yet" }
            ul {
                @for draft in drafts {
                    @let id = text(draft, "id");
                    li {
                        a href=(format!("/drafts/{id}")) {
                            (called(id)) ", begun " (moment(text(draft, "begun_at")))
                        }
                        p.hint { "It goes by itself on " (day(text(draft, "until"))) "." }
                    }
                }
            }
            h2 { "A new one" }
        }
    })
}

async fn open(visit: Visit) -> Result<Page, Stop> {
    let Some(id) = link(&visit) else {
        return Err(Stop::Refused(Refusal::NotFound));
    };
    let caller = caller(&visit).await?;
    let reply = visit.get(&format!("/v1/drafts/{id}")).await?;
    let Some(fields) = reply.body.get("fields").and_then(Value::as_object) else {
        let body = html! {
            @if reply.is_ok() {
                h1 { "Not sent yet" }
                (nothing(&reply))
                p { "It was sent, thrown away, or its seven days are over." }
            } @else { (trouble(&reply)) }
            p { a href="/new" { "Refer somebody" } }
        };
        return Ok(Page::new("New", body).status(reply.status));
    };
    let mut form = Form::default();
    form.set("draft", &id);
    for (name, values) in fields {
        let values = values.as_array().into_iter().flatten();
        values
            .filter_map(Value::as_str)
            .for_each(|value| form.set(name, value));
    }
    let kept = html! {
        div.notice {
            p { "This is " (called(&id)) ", begun " (moment(reply.text("/begun_at")))
                ". It goes by itself on " (day(reply.text("/until"))) "." }
            (button(&visit, &format!("/drafts/{id}/erase"), "Throw this away"))
        }
    };
    let body = asks(&visit, &caller, &form, &html! {}, &kept, &Errors::default());
    Ok(Page::new("New", body))
}

/// A draft that was sent goes. If it could not, that is said.
pub(super) async fn done_with(visit: &Visit) -> Result<Markup, Stop> {
    let Some(id) = visit.form().said("draft").and_then(Id::parse) else {
        return Ok(html! {});
    };
    let path = format!("/v1/drafts/{id}/erase");
    let reply = visit.post_also("draft", &path, &json!({})).await;
    Ok(match reply {
        Ok(reply) if reply.is_ok() => html! {},
        Ok(_) | Err(_) => html! {
            div.wait {
                p { "What you had kept of it is still there. "
                    a href=(format!("/drafts/{id}")) { "Throw it away" } "." }
            }
        },
    })
}

async fn erase(visit: Visit) -> Result<Page, Stop> {
    let Some(id) = link(&visit) else {
        return Err(Stop::Refused(Refusal::NotFound));
    };
    let path = format!("/v1/drafts/{id}/erase");
    let reply = visit.post(&path, &json!({})).await?;
    let body = html! {
        @if reply.is_nothing() {
            h1 { "Not sent yet" }
            (nothing(&reply))
        } @else if reply.is_ok() {
            h1 { "It is gone" }
            p { "What you had kept is erased. Nobody was sent any of it." }
        } @else {
            (trouble(&reply))
        }
        p { a href="/new" { "Refer somebody" } }
    };
    Ok(Page::new("New", body).status(reply.status))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::codes::OrgKind;
    use crate::web::referral::fields;

    /// The form of the one that may rely on most.
    fn all() -> String {
        let kind = Some(OrgKind::LocalAuthority);
        fields::all(&Form::default(), &Errors::default(), &[("a", "A")], kind).0
    }

    #[test]
    fn every_field_that_is_kept_is_one_of_the_form() {
        let form = all();
        for field in FIELDS {
            let name = format!("name=\"{}\"", field.name);
            assert!(form.contains(&name), "{}", field.name);
        }
    }

    #[test]
    fn what_is_in_the_form_and_not_kept_has_a_heading() {
        let form = all();
        let names = form.split("name=\"").skip(1);
        let names = names.filter_map(|rest| rest.split('"').next());
        for name in names.filter(|name| !["do", "draft"].contains(name)) {
            let is_kept = FIELDS.iter().any(|field| field.name == name);
            assert!(is_kept || heading(name).is_some(), "{name}");
        }
    }
}
