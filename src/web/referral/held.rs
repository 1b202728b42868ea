//! A text that was held: its author's own words with what was found in them marked, what to write
//! instead, and "this was wrong". Nobody else is shown any of it.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::{SENDS, link};
use crate::domain::codes::WrongHold;
use crate::web::form::{Errors, Field, Form};
use crate::web::page::{self, Page, form, nothing, trouble};
use crate::web::table::{For, Pages};
use crate::web::visit::{Reply, Stop, Visit, list, text};
use crate::web::words::{options, pairs, reference};

pub fn pages(pages: Pages) -> Pages {
    pages
        .get("/new/{id}/note", For::Roles(SENDS), note)
        .post("/new/{id}/note", For::Roles(SENDS), send)
        .post("/held/{id}", For::Roles(SENDS), wrong)
}

/// A part of what was written, and whether it was found.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    text: String,
    is_found: bool,
}

/// Cuts a text at the words that were found: code points, `[start, end)`.
fn parts(written: &str, held: &Value) -> Vec<Part> {
    let place = |value: &Value, key: &str| value.get(key).and_then(Value::as_u64).unwrap_or(0);
    let mut places: Vec<(u64, u64)> = list(held, "sentences")
        .iter()
        .flat_map(|sentence| {
            let words = list(sentence, "words");
            // Where no single word says it, the sentence does.
            let marked = if words.is_empty() {
                std::slice::from_ref(sentence)
            } else {
                words
            };
            marked
                .iter()
                .map(|mark| (place(mark, "start"), place(mark, "end")))
        })
        .collect();
    places.sort_unstable();
    let mut found: Vec<Part> = Vec::new();
    for (at, letter) in (0_u64..).zip(written.chars()) {
        let is_found = places.iter().any(|(start, end)| *start <= at && at < *end);
        match found.last_mut() {
            Some(part) if part.is_found == is_found => part.text.push(letter),
            Some(_) | None => found.push(Part {
                text: letter.to_string(),
                is_found,
            }),
        }
    }
    found
}

/// What she wrote, with what was found marked, and what to write instead.
pub fn marked(written: &str, held: &Value) -> Markup {
    html! {
        p { (text(held, "says")) }
        @if !written.is_empty() {
            blockquote.written {
                @for part in parts(written, held) {
                    @if part.is_found { mark { (part.text) } } @else { (part.text) }
                }
            }
        }
        @if !text(held, "suggestion").is_empty() {
            p { b { "You could write: " } (text(held, "suggestion")) }
        }
    }
}

/// The field for a note.
pub fn field(form: &Form, errors: &Errors) -> Markup {
    let field = Field {
        name: "note",
        label: "Note (optional)",
        hint: "Up to 1,000 characters. Say what helps the next worker and has no field of its own. \
               Do not record immigration status: it is never needed and never shared.",
        longest: 1_000,
        ..Field::default()
    };
    field.area(form, errors, 6)
}

/// The form for a note that was held, or that comes later.
pub fn again(visit: &Visit, id: &str, filled: &Form, errors: &Errors) -> Markup {
    form(
        visit,
        &format!("/new/{id}/note"),
        &html! {
            (field(filled, errors))
            div.buttons {
                button { "Send the note" }
                a.button.second href=(format!("/sent/{id}")) { "Go on without a note" }
            }
        },
    )
}

/// For whoever thinks that it was wrong. It lets nothing through.
pub fn was_wrong(visit: &Visit, held: &Value) -> Markup {
    let hold = text(held, "reference");
    let reasons = options(WrongHold::ALL.iter().map(|one| one.code()));
    let because = Field {
        name: "because",
        label: "Why was it wrong?",
        ..Field::default()
    };
    let inner = html! {
        (because.radios(&Form::default(), &Errors::default(), &pairs(&reasons)))
        button.second { "Say that it was wrong" }
    };
    html! {
        @if !hold.is_empty() {
            details {
                summary { "Was this wrong?" }
                p { "Say so. It lets nothing through, and it makes the list better." }
                (form(visit, &format!("/held/{hold}"), &inner))
            }
        }
    }
}

async fn wrong(visit: Visit) -> Result<Page, Stop> {
    let Some(id) = link(&visit) else {
        return Err(Stop::Refused(crate::domain::refusal::Refusal::NotFound));
    };
    let because = visit.form().get("because").to_owned();
    let reply = visit
        .post(
            &format!("/v1/screen/{id}/wrong"),
            &json!({ "because": because }),
        )
        .await?;
    let body = html! {
        @if reply.is_ok() {
            h1 { "Thank you" }
            @if reply.is_nothing() { (nothing(&reply)) } @else { p { (reply.text("/says")) } }
        } @else {
            (trouble(&reply))
            h1 { "Was this wrong?" }
            p { "Go back and choose a reason." }
        }
        p { a href="/sent" { "Your referrals" } }
    };
    Ok(Page::new("New", body).status(reply.status))
}

async fn note(visit: Visit) -> Result<Page, Stop> {
    let Some(id) = link(&visit) else {
        return Err(Stop::Refused(crate::domain::refusal::Refusal::NotFound));
    };
    let body = html! {
        h1 { "A note for " (reference(&id)) }
        (again(&visit, &id, &Form::default(), &Errors::default()))
    };
    Ok(Page::new("New", body))
}

async fn send(visit: Visit) -> Result<Page, Stop> {
    let Some(id) = link(&visit) else {
        return Err(Stop::Refused(crate::domain::refusal::Refusal::NotFound));
    };
    let written = visit.form().get("note").to_owned();
    let path = format!("/v1/referrals/{id}/note");
    let reply = visit.post(&path, &json!({ "note": written })).await?;
    Ok(noted(&visit, &id, &reply))
}

fn noted(visit: &Visit, id: &str, reply: &Reply) -> Page {
    let errors = reply.errors();
    let held = reply.body.get("held");
    if let Some(held) = held {
        let body = html! {
            div.summary role="alert" tabindex="-1" id="summary" {
                h2 { "This note was not passed on" }
                (marked(visit.form().get("note"), held))
            }
            h1 { "Word it anew" }
            p { "Nobody but you is told. The referral itself is on its way." }
            (again(visit, id, visit.form(), &errors))
            (was_wrong(visit, held))
        };
        return Page::new("New", body).status(422);
    }
    if !reply.is_ok() {
        let body = html! {
            (page::trouble(reply))
            h1 { "A note for " (reference(id)) }
            (again(visit, id, visit.form(), &errors))
        };
        return Page::new("New", body).status(reply.status);
    }
    let body = html! {
        @if reply.body.get("replayed").is_some() {
            h1 { "This was sent already" }
            p { "If it was held then, it is held still: word it anew." }
            p { a href=(format!("/new/{id}/note")) { "Write a note" } }
        } @else if reply.is_nothing() {
            h1 { "A note" }
            (nothing(reply))
        } @else {
            h1 { "The note is on its way" }
            p { "It goes to whoever accepts " (reference(id)) "." }
        }
        p { a href=(format!("/sent/{id}")) { "See how the referral stands" } }
    };
    Page::new("New", body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(text: &str, is_found: bool) -> Part {
        Part {
            text: text.to_owned(),
            is_found,
        }
    }

    #[test]
    fn the_words_are_marked_where_she_wrote_them() {
        let held = json!({ "sentences": [
            { "start": 5, "end": 22, "words": [{ "start": 9, "end": 13 }] },
        ] });
        assert_eq!(
            parts("Élan. Her visa has ended.", &held),
            [
                part("Élan. Her", false),
                part(" vis", true),
                part("a has ended.", false)
            ]
        );
    }

    #[test]
    fn a_sentence_without_a_single_word_is_marked_whole() {
        let held = json!({ "sentences": [{ "start": 0, "end": 3, "words": [] }] });
        assert_eq!(
            parts("abcde", &held),
            [part("abc", true), part("de", false)]
        );
        assert_eq!(parts("abc", &json!({})), [part("abc", false)]);
    }

    #[test]
    fn what_was_written_is_shown_and_never_run() {
        let held = json!({ "says": "<b>", "sentences": [{ "start": 0, "end": 8, "words": [] }] });
        let shown = marked("<script>alert(1)</script>", &held).0;
        assert!(
            !shown.contains("<script>") && !shown.contains("<b>"),
            "{shown}"
        );
        assert!(shown.contains("<mark>&lt;script&gt;</mark>"), "{shown}");
    }
}
