//! The log as an officer searches it: by user, by person, one entry with its proof, a flag on a person,
//! and the seal on whom an entry is about.
//!
//! Who is looked for, worker or person, is typed into a form and never stands in a path.

use std::fmt::Write;

use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::entries::{attempt, detail, numbered, outcome, table};
use super::export::{Taken, look_up, take};
use super::form::{Errors, Field, Form};
use super::her;
use super::page::{self, Page, form, summary, trouble};
use super::table::{For, Pages};
use super::visit::{Reply, Stop, Visit, text};
use super::words::{begins, say};
use crate::domain::audit::VisibleOutcome;
use crate::domain::codes::{Action, Purpose, Role, SealReason};

/// Who reads the log, as `policies/50-audit.cedar` says.
pub const READS: For = For::Roles(&[Role::IgOfficer, Role::Reviewer]);
const OFFICER: For = For::Roles(&[Role::IgOfficer]);
/// Entries that are looked at for one page.
const LOOKED_AT: u16 = 50;
/// Times that the API is asked for one file: 2,000 entries are looked at, or 500 with their proofs.
const FILE_READS: u16 = 10;

pub fn pages(pages: Pages) -> Pages {
    pages
        .get("/log-entries", READS, newest)
        .post("/log-entries", READS, search)
        .get("/log-entries/{id}", READS, entry)
        .get("/log-entries/{id}/proof", READS, proof)
        .post("/log-entries/{id}/seal", OFFICER, ask_for_seal)
        .post("/log-entries/{id}/whom", OFFICER, open_seal)
        .get("/flags", OFFICER, flags)
        .post("/flags", OFFICER, flag)
}

async fn newest(visit: Visit) -> Result<Page, Stop> {
    let before = visit.query().get("before").parse::<u64>().ok();
    let before = before.map_or_else(String::new, |before| format!("&before={before}"));
    let path = format!("/v1/audit/entries?max={LOOKED_AT}{before}");
    let found = visit.get(&path).await?;
    if !found.is_ok() {
        return Ok(page::refused(found));
    }
    let next = found.body.get("next").and_then(Value::as_u64);
    let body = html! {
        h1 { "The log" }
        p {
            "Every attempt, whether or not it was permitted, as far as your organisation may see it. \
             Your own reading is an entry too."
        }
        details { summary { "Search by worker, by person, or by what was done" } (asks(&visit, &Errors::default())) }
        (listed(found.list("/entries")))
        @if let Some(next) = next {
            p { a.button.second href=(format!("/log-entries?before={next}")) { "Older entries" } }
        }
        p { a href="/log-export" { "Take the log of a period as files" } ", whatever its size" }
        p { a href="/flags" { "Flag a person" } ", so that attempts about her by your own workers come before you" }
    };
    Ok(Page::new("Log", body))
}

fn listed(entries: &[Value]) -> Markup {
    html! {
        @if entries.is_empty() {
            p.notice { "No entry of this kind that your organisation may see." }
        } @else { (table(entries, true)) }
    }
}

fn options<'a>(all: impl Iterator<Item = (&'a str, String)>) -> Vec<(&'a str, String)> {
    let mut all: Vec<(&str, String)> = all.collect();
    all.sort_by(|a, b| a.1.cmp(&b.1));
    all
}

fn borrowed<'a>(all: &'a [(&'a str, String)]) -> Vec<(&'a str, &'a str)> {
    all.iter()
        .map(|(code, words)| (*code, words.as_str()))
        .collect()
}

fn asks(visit: &Visit, errors: &Errors) -> Markup {
    let sent = visit.form();
    let acts = options(
        Action::ALL
            .iter()
            .map(|one| (one.code(), attempt(one.code()))),
    );
    let ends = VisibleOutcome::ALL.map(|one| (one.code(), outcome(one.code())));
    let purposes = options(Purpose::ALL.iter().map(|one| (one.code(), say(one.code()))));
    let user = Field {
        name: "user",
        label: "Worker of your organisation",
        hint: "As in her certificate, for example r-osei. Leave empty for everybody.",
        width: 20,
        longest: 64,
        ..Field::default()
    };
    let pick = |name, label| Field {
        name,
        label,
        ..Field::default()
    };
    let as_what = Field {
        name: "as",
        label: "What do you want?",
        hint: "A file that does not hold all is called a part, and says from where to go on.",
        ..Field::default()
    };
    let files = [
        ("page", "Show the entries here"),
        ("csv", "A file for a spreadsheet (CSV)"),
        ("json", "A file with the proof of each entry (JSON)"),
        ("fhir", "A file of FHIR AuditEvents"),
        ("ocsf", "A file for a security team (OCSF)"),
    ];
    form(
        visit,
        "/log-entries",
        &html! {
            (user.text(sent, errors))
            (pick("action", "What was done").select(sent, errors, &borrowed(&acts)))
            (pick("outcome", "Result").select(sent, errors, &ends))
            (pick("purpose", "Purpose").select(sent, errors, &borrowed(&purposes)))
            (pick("from", "From the day").date(sent, errors))
            (pick("to", "Up to and with the day").date(sent, errors))
            (Field {
                name: "before", label: "Before entry", inputmode: "numeric", width: 10, longest: 20,
                hint: "To go on from an earlier search. Leave empty to begin with the newest.",
                ..Field::default()
            }.text(sent, errors))
            h3 { "About one person" }
            p.hint {
                "Leave this empty unless you look for entries about one person. What you type is not kept, and \
                 that you asked is in the log."
            }
            (her::who(sent, errors))
            (as_what.radios(&chosen(sent), errors, &files))
            button { "Search" }
        },
    )
}

/// The page is what is wanted unless something else is ticked.
fn chosen(sent: &Form) -> Form {
    let as_what = sent.said("as").unwrap_or("page");
    Form::parse(format!("as={as_what}").as_bytes())
}

fn filter(sent: &Form) -> Map<String, Value> {
    let mut map = Map::new();
    for name in ["user", "action", "outcome", "purpose"] {
        if let Some(value) = sent.said(name) {
            map.insert(name.to_owned(), json!(value));
        }
    }
    // Days are London's; the API excludes the instant at which the last one is over.
    for (name, after) in [("from", 0), ("to", 1)] {
        if let Some(day) = sent.date(name) {
            map.insert(name.to_owned(), json!(begins(&day, after).unwrap_or(day)));
        }
    }
    if let Some(before) = before(sent) {
        map.insert("before".to_owned(), json!(before));
    }
    map
}

/// The number of an entry, also as it is written on pages: `12,345`.
fn before(sent: &Form) -> Option<u64> {
    let digits: String = sent
        .get("before")
        .chars()
        .filter(|letter| !matches!(letter, ',' | ' '))
        .collect();
    digits.parse().ok()
}

async fn search(visit: Visit) -> Result<Page, Stop> {
    let sent = visit.form();
    let mut filter = filter(sent);
    let as_what = sent.said("as").unwrap_or("page");
    if sent.said("before").is_some() && before(sent).is_none() {
        let mut errors = Errors::default();
        errors.add("before", "Give the number of an entry, in digits");
        return Ok(Page::new("Log", again(&visit, &errors)).status(422));
    }
    // More than how much of the log is looked at was asked.
    let is_filtered = ["user", "action", "outcome", "purpose", "from", "to"]
        .iter()
        .any(|name| filter.contains_key(*name));
    let who = her::identity(sent);
    let named = who.as_object().is_some_and(|fields| !fields.is_empty());
    let who = named.then_some(&who);
    let found = if as_what == "page" {
        filter.insert("max".to_owned(), json!(LOOKED_AT));
        let found = look_up(&visit, who, &filter).await?;
        if found.is_ok() {
            return Ok(Page::new("Log", results(&found, named, is_filtered)));
        }
        found
    } else {
        match take(&visit, as_what, who, filter, FILE_READS).await? {
            Ok(taken) => return Ok(file(as_what, taken)),
            Err(found) => found,
        }
    };
    let errors = her::errors(&found);
    if errors.is_empty() {
        return Ok(page::refused(found));
    }
    Ok(Page::new("Log", again(&visit, &errors)).status(found.status))
}

fn again(visit: &Visit, errors: &Errors) -> Markup {
    html! {
        (summary(errors))
        h1 { "Search the log" }
        (asks(visit, errors))
    }
}

/// What was found, for another system. If it is cut, its name and its last line say so.
fn file(format: &str, mut taken: Taken) -> Page {
    match taken.next {
        None => taken.file(format, "log"),
        Some(next) => {
            taken.goes_on_before(next);
            taken.file(format, "log-part")
        }
    }
}

/// The API takes the letters of codes, numbers, times and user names as they are; what has others is
/// none of these, and is refused there.
pub fn query(filter: &Map<String, Value>) -> String {
    let mut query = String::new();
    for (name, value) in filter {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        if !query.is_empty() {
            query.push('&');
        }
        query.push_str(name);
        query.push('=');
        for byte in text.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'@' | b'-' | b':' => {
                    query.push(char::from(byte));
                }
                // A String takes everything.
                other => drop(write!(query, "%{other:02X}")),
            }
        }
    }
    query
}

fn results(found: &Reply, named: bool, is_filtered: bool) -> Markup {
    let next = found.body.get("next").and_then(Value::as_u64);
    let none = found.list("/entries").is_empty();
    html! {
        h1 { "What was found" }
        @if found.is_nothing() { (page::nothing(found)) }
        @else if none && next.is_some() {
            p.notice { "None among the entries looked at so far. Older ones were not looked at yet: go on \
                        below." }
        }
        @else if named && none && is_filtered {
            p.notice { "No entry of this kind about that person that your organisation may see." }
        }
        @else if named && none {
            p.notice { "Your organisation sees no entry about that person. This does not say that nothing \
                 is held elsewhere." }
        } @else { (listed(found.list("/entries"))) }
        @if let Some(next) = next {
            p { "There are older entries. To go on, search again and give " b { (next) } " as \"Before entry\"." }
        }
        p { a href="/log-entries" { "Back to the log, and search again" } }
    }
}

async fn entry(visit: Visit) -> Result<Page, Stop> {
    let found = of_path(&visit).await?;
    let Some(seen) = found.list("/entries").first().filter(|_| found.is_ok()) else {
        return Ok(absent(found));
    };
    let number = numbered(&visit)?;
    let body = html! {
        p { a href="/log-entries" { "Back to the log" } }
        h1 { "Entry " (number) }
        p { (super::words::moment(text(seen, "at"))) }
        (detail(seen))
        @if !text(seen, "evidence").is_empty() {
            h2 { "Its proof" }
            p {
                "The proof shows that this entry is in the log and has not been changed. Anybody can check \
                 it without us, with " span.code { "firedoor-verify receipt" } "."
            }
            p { a.button.second href=(format!("/log-entries/{number}/proof")) { "Keep the proof as a file" } }
        }
        @if visit.role() == Role::IgOfficer { (seal(&visit, number, &Errors::default())) }
    };
    Ok(Page::new("Log", body))
}

async fn of_path(visit: &Visit) -> Result<Reply, Stop> {
    let number = numbered(visit)?;
    visit
        .get(&format!("/v1/audit/entries/{number}/evidence"))
        .await
}

fn absent(found: Reply) -> Page {
    if !found.is_ok() {
        return page::refused(found);
    }
    let body = html! {
        h1 { "There is no such entry for you" }
        (page::nothing(&found))
        p { a href="/log-entries" { "Back to the log" } }
    };
    Page::new("Log", body)
}

async fn proof(visit: Visit) -> Result<Page, Stop> {
    let found = of_path(&visit).await?;
    let text = match found.list("/entries").first().filter(|_| found.is_ok()) {
        Some(seen) => text(seen, "evidence").to_owned(),
        None => return Ok(absent(found)),
    };
    Ok(Page::file(
        "entry.receipt",
        "text/plain; charset=utf-8",
        text,
    ))
}

/// Whom it is about stays sealed, until a second person agrees.
fn seal(visit: &Visit, number: u64, errors: &Errors) -> Markup {
    let reason = Field {
        name: "reason",
        label: "Why must you know?",
        ..Field::default()
    };
    let reasons = SealReason::ALL
        .iter()
        .map(|one| (one.code(), say(one.code())));
    let reasons: Vec<(&str, String)> = reasons.collect();
    let proposal = Field {
        name: "proposal",
        label: "The approved request",
        hint: "The 26 letters and digits that you were given when you asked.",
        longest: 26,
        ..Field::default()
    };
    let sent = visit.form();
    html! {
        h2 { "Whom it is about" }
        p {
            "The log does not say whom an entry is about. If you must know, ask; a person of another \
             organisation decides. Then you can look once, within seven days, and you see only your own \
             organisation's reference for her."
        }
        details open[errors.of("reason").is_some()] {
            summary { "Ask for the seal to be opened" }
            (form(visit, &format!("/log-entries/{number}/seal"), &html! {
                (reason.radios(sent, errors, &borrowed(&reasons)))
                button { "Ask a second person" }
            }))
        }
        details open[errors.of("proposal").is_some()] {
            summary { "A second person agreed: look once" }
            (form(visit, &format!("/log-entries/{number}/whom"), &html! {
                (proposal.text(sent, errors))
                button { "Open the seal" }
            }))
        }
    }
}

async fn ask_for_seal(visit: Visit) -> Result<Page, Stop> {
    let number = numbered(&visit)?;
    let reason = visit.form().get("reason");
    let change = json!({ "change": "open_seal", "entry": number, "reason": reason });
    let asked = visit.post("/v1/proposals", &change).await?;
    if !asked.is_ok() {
        return Ok(sealed_still(&visit, number, &asked));
    }
    let body = html! {
        h1 { "A second person is asked" }
        div.good { p { (asked.text("/says")) } }
        p { "Keep this, and come back to entry " (number) " when it is approved:" }
        p { b.code { (asked.text("/id")) } }
        p { a href=(format!("/log-entries/{number}")) { "Back to entry " (number) } }
    };
    Ok(Page::new("Log", body))
}

async fn open_seal(visit: Visit) -> Result<Page, Stop> {
    let number = numbered(&visit)?;
    let proposal: String = visit
        .form()
        .get("proposal")
        .chars()
        .filter(|c| c.is_ascii_alphanumeric())
        .collect();
    let path = format!("/v1/audit/entries/{number}/person?proposal={proposal}");
    let opened = visit.get(&path).await?;
    if !opened.is_ok() {
        return Ok(sealed_still(&visit, number, &opened));
    }
    let (referral, person) = (opened.text("/referral"), opened.text("/person"));
    let body = html! {
        h1 { "Whom entry " (number) " is about" }
        @if referral.is_empty() && person.is_empty() { (page::nothing(&opened)) }
        @else {
            dl.rows {
                @if !referral.is_empty() { dt { "Your referral" } dd.code { (referral) } }
                @if !person.is_empty() { dt { "Your reference for her" } dd.code { (person) } }
            }
            p { "You can look once. Write down what you need now." }
        }
        p { a href=(format!("/log-entries/{number}")) { "Back to entry " (number) } }
    };
    Ok(Page::new("Log", body))
}

fn sealed_still(visit: &Visit, number: u64, reply: &Reply) -> Page {
    let mut errors = reply.errors();
    if let Some(says) = still(reply.problem()) {
        errors.add("proposal", says);
    }
    let body = html! {
        @if errors.is_empty() { (trouble(reply)) } @else { (summary(&errors)) }
        h1 { "Entry " (number) }
        (seal(visit, number, &errors))
        p { a href=(format!("/log-entries/{number}")) { "Back to entry " (number) } }
    };
    Page::new("Log", body).status(reply.status)
}

/// Why a seal stays closed, where the API's word is for programs.
fn still(problem: &str) -> Option<&'static str> {
    match problem {
        "route-absent" => Some(
            "Nobody has agreed to this request yet, or it is not for this entry. Compare it with what \
             you were given when you asked, and look under Changes whether it was approved.",
        ),
        "already-answered" => Some(
            "This was looked at once already, or the seven days are over. If you must still know, ask \
             a second person anew.",
        ),
        _ => None,
    }
}

async fn flags(visit: Visit) -> Result<Page, Stop> {
    Ok(Page::new("Flag", flagging(&visit, &Errors::default())))
}

fn flagging(visit: &Visit, errors: &Errors) -> Markup {
    let sent = visit.form();
    let user = Field {
        name: "user",
        label: "Her user name, if she works for you",
        hint: "Then attempts by herself and about her family count too.",
        width: 20,
        longest: 64,
        ..Field::default()
    };
    let days = Field {
        name: "days",
        label: "For how many days",
        hint: "365 if you leave it empty, at most 730. It ends by itself.",
        inputmode: "numeric",
        width: 4,
        longest: 4,
        ..Field::default()
    };
    html! {
        (summary(errors))
        h1 { "Flag a person" }
        p {
            "From then on every attempt about her by your own workers comes before you. Nobody is \
             refused because of it, and no other organisation learns of it."
        }
        (form(visit, "/flags", &html! {
            (her::who(sent, errors))
            (user.text(sent, errors))
            (days.text(sent, errors))
            button { "Flag this person" }
        }))
    }
}

async fn flag(visit: Visit) -> Result<Page, Stop> {
    let sent = visit.form();
    let mut asked = Map::new();
    asked.insert("identity".to_owned(), her::identity(sent));
    if let Some(user) = sent.said("user") {
        asked.insert("user".to_owned(), json!(user));
    }
    if let Some(days) = sent.said("days") {
        // What is no number is refused by the API at its field.
        asked.insert("days".to_owned(), json!(days.parse::<u16>().unwrap_or(0)));
    }
    let done = visit.post("/v1/audit/flags", &Value::Object(asked)).await?;
    if !done.is_ok() {
        let errors = her::errors(&done);
        if errors.is_empty() {
            return Ok(page::refused(done));
        }
        return Ok(Page::new("Flag", flagging(&visit, &errors)).status(done.status));
    }
    let body = html! {
        h1 { "Flagged" }
        div.good { p { (done.text("/says")) } }
        p { a href="/log-entries" { "Back to the log" } }
    };
    Ok(Page::new("Flag", body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_of_what_was_filled_in_and_days_are_whole() {
        let sent = Form::parse(
            b"user=r-osei&action=&from-day=1&from-month=5&from-year=2026&to-day=2&to-month=5\
              &to-year=2026&before=x",
        );
        let filter = filter(&sent);
        assert_eq!(
            Value::Object(filter.clone()),
            json!({
                "user": "r-osei", "from": "2026-04-30T23:00:00Z", "to": "2026-05-02T23:00:00Z",
            })
        );
        // What is typed cannot become another parameter.
        let bad = filter_of(b"user=a%26organisation%3Dmet");
        assert_eq!(query(&bad), "user=a%26organisation%3Dmet");
        assert_eq!(query(&filter_of(b"user=r.osei%40x")), "user=r.osei@x");
    }

    fn filter_of(bytes: &[u8]) -> Map<String, Value> {
        filter(&Form::parse(bytes))
    }
}
