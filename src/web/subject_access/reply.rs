//! What one's own organisation says that it holds, in words for her, and the second person's look at
//! each entry.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::{after, due};
use crate::domain::codes::{Article6, EntryAbout, Withheld};
use crate::web::form::{Errors, Field};
use crate::web::her;
use crate::web::page::Page;
use crate::web::page::form;
use crate::web::table::{For, Pages};
use crate::web::visit::{Reply, Stop, Visit, list, text};
use crate::web::words::{date, moment, options, pairs, say};

pub fn pages(pages: Pages, whom: For) -> Pages {
    pages.post("/subject-access/{id}/reply", whom, reply).post(
        "/subject-access/{id}/redact",
        whom,
        redact,
    )
}

/// Entries of one form; more than these are for a system.
const ENTRIES: [usize; 4] = [1, 2, 3, 4];

/// What the organisation is asked, and what it said so far.
pub fn asked(visit: &Visit, found: &Reply, errors: &Errors) -> Result<Markup, Stop> {
    let people = found.list("/people").iter().filter_map(Value::as_str);
    let entries = list(&found.body, "entries");
    let said = found.text("/said");
    let is_open = !matches!(found.text("/state"), "delivered" | "refused");
    Ok(html! {
        p { "A person asked for what is held about her. Say what your organisation holds, in plain words: \
             they are for her alone." }
        dl.rows {
            dt { "Your reference of her" }
            dd { @for person in people { span.code { (person) } " " } }
            dt { "State" } dd { (say(found.text("/state"))) }
            dt { "Asked on" } dd { (date(found.text("/since"))) }
            dt { "Due" } dd { (due(&found.body)) }
            @if !said.is_empty() { dt { "You said" } dd { (say(said)) } }
        }
        @for entry in entries { (entry_card(visit, entry, errors, is_open)?) }
        @if is_open { (reply_form(visit, errors)?) }
    })
}

fn looked(label: &str, look: Option<&Value>) -> Markup {
    html! {
        @if let Some(look) = look.filter(|look| look.is_object()) {
            dt { (label) }
            dd {
                (text(look, "by")) ", " (moment(text(look, "at"))) ": "
                @match text(look, "withhold") {
                    "" => "she is given it",
                    ground => { "left out, " (say(ground).to_lowercase()) }
                }
            }
        }
    }
}

fn entry_card(
    visit: &Visit,
    entry: &Value,
    errors: &Errors,
    is_open: bool,
) -> Result<Markup, Stop> {
    let id = text(entry, "id");
    let grounds = options(Withheld::ALL.iter().map(|one| one.code()));
    // A name of its own: each entry has such a form on one page.
    let name = format!("withhold-{id}");
    let withhold = Field {
        name: &name,
        label: "Is it left out? On which ground?",
        hint: "Choose none if she is given it.",
        ..Field::default()
    };
    // Only the form that was sent shows what was wrong with it.
    let none = Errors::default();
    let errors = if visit.form().get("entry") == id {
        errors
    } else {
        &none
    };
    let fields = html! {
        input type="hidden" name="entry" value=(id);
        (withhold.select(visit.form(), errors, &pairs(&grounds)))
        button.second { "I looked at it" }
    };
    let has_second = entry.get("second_look").is_some_and(Value::is_object);
    let action = format!("/subject-access/{}/redact", her::id(visit)?);
    Ok(html! {
        section.card {
            h2 { (say(text(entry, "about"))) }
            p { (text(entry, "what")) }
            @if !text(entry, "why").is_empty() { p.hint { "Held because: " (text(entry, "why")) } }
            dl.rows {
                dt { "Held on the basis of" } dd { (say(text(entry, "basis"))) }
                (looked("First look", entry.get("first_look")))
                (looked("Second look", entry.get("second_look")))
            }
            @if is_open && !has_second {
                p { "A second person of your organisation looks at it." }
                (form(visit, &action, &fields))
            }
        }
    })
}

fn reply_form(visit: &Visit, errors: &Errors) -> Result<Markup, Stop> {
    let said = visit.form();
    let abouts = options(EntryAbout::ALL.iter().map(|one| one.code()));
    let bases = options(Article6::ALL.iter().map(|one| one.code()));
    let grounds = options(Withheld::ALL.iter().map(|one| one.code()));
    let code = Field {
        name: "code",
        label: "What do you say?",
        ..Field::default()
    };
    let fields = html! {
        (code.radios(said, errors, &[
            ("holds", "We hold something, as below"),
            ("holds_nothing", "We hold nothing"),
            ("she_did_not_ask", "We asked her safely: it was not she who asked"),
        ]))
        @for number in ENTRIES {
            @let name = |part: &str| format!("{part}-{number}");
            @let (about, basis, what, why, withhold) =
                (name("about"), name("basis"), name("what"), name("why"), name("withhold"));
            @let is_begun = [&about, &basis, &what, &why, &withhold]
                .iter()
                .any(|name| said.said(name).is_some());
            details open[number == 1 || is_begun] {
                summary { "Thing " (number) }
                (Field { name: &about, label: "What is it about?", ..Field::default() }
                    .select(said, errors, &pairs(&abouts)))
                (Field { name: &what, label: "What is it, in words for her?", longest: 1_000,
                         ..Field::default() }.area(said, errors, 3))
                (Field { name: &why, label: "Why do you hold it?", longest: 1_000, ..Field::default() }
                    .area(said, errors, 2))
                (Field { name: &basis, label: "On what basis?", ..Field::default() }
                    .select(said, errors, &pairs(&bases)))
                (Field { name: &withhold, label: "Is it to be left out? On which ground?",
                         hint: "Choose none if she is given it. A second person looks.", ..Field::default() }
                    .select(said, errors, &pairs(&grounds)))
            }
        }
        button { "Reply" }
    };
    let action = format!("/subject-access/{}/reply", her::id(visit)?);
    Ok(html! {
        h2 { "Your reply" }
        p { "You can reply once: say everything that you hold." }
        (form(visit, &action, &fields))
    })
}

async fn reply(visit: Visit) -> Result<Page, Stop> {
    let id = her::id(&visit)?;
    let said = visit.form();
    let entry = |number: usize| {
        let of = |part: &str| said.said(&format!("{part}-{number}"));
        // A thing that was begun is sent, so that what is missing of it is said: a reply is final.
        let parts = ["about", "basis", "what", "why", "withhold"];
        if parts.iter().all(|part| of(part).is_none()) {
            return None;
        }
        let what = of("what").unwrap_or_default();
        let mut entry = json!({
            "about": of("about").unwrap_or_default(),
            "basis": of("basis").unwrap_or_default(),
            "what": what,
        });
        for part in ["why", "withhold"] {
            if let Some(value) = of(part) {
                her::put(&mut entry, part, json!(value));
            }
        }
        Some(entry)
    };
    let entries: Vec<Value> = ENTRIES.into_iter().filter_map(entry).collect();
    let body = json!({ "code": said.get("code"), "entries": entries });
    let path = format!("/v1/subject-access/{id}/reply");
    let reply = visit.post(&path, &body).await?;
    after(&visit, &reply, id).await
}

async fn redact(visit: Visit) -> Result<Page, Stop> {
    let id = her::id(&visit)?;
    let entry = visit.form().get("entry");
    let mut body = json!({ "entry": entry });
    if let Some(ground) = visit.form().said(&format!("withhold-{entry}")) {
        her::put(&mut body, "withhold", json!(ground));
    }
    let path = format!("/v1/subject-access/{id}/redact");
    let reply = visit.post(&path, &body).await?;
    after(&visit, &reply, id).await
}
