//! The report that she asks for about herself, to be read on the screen and printed for her.

use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::form::{Errors, Field};
use super::her;
use super::page::{self, Page, form, summary};
use super::table::{For, Pages};
use super::visit::{Stop, Visit};
use super::words::say;
use crate::domain::codes::{HandedTo, Role, StaffNamesReason};

/// Who writes the report, as `policies/50-audit.cedar` says.
const REPORTS: For = For::Roles(&[Role::IgOfficer, Role::Caldicott, Role::Dpo, Role::Reviewer]);

pub fn pages(pages: Pages) -> Pages {
    pages
        .get("/subject-report", REPORTS, show)
        .post("/subject-report", REPORTS, make)
}

async fn show(visit: Visit) -> Result<Page, Stop> {
    Ok(Page::new("Report", asks(&visit, &Errors::default())))
}

fn asks(visit: &Visit, errors: &Errors) -> Markup {
    let sent = visit.form();
    let checked = Field {
        name: "identity_checked",
        label: "I saw in person that it is she who asks",
        hint: "Never by an identity document that somebody else could have taken from her.",
        ..Field::default()
    };
    let handed = HandedTo::ALL
        .iter()
        .map(|one| (one.code(), say(one.code())));
    let handed: Vec<(&str, String)> = handed.collect();
    let handed: Vec<(&str, &str)> = handed
        .iter()
        .map(|(code, say)| (*code, say.as_str()))
        .collect();
    let names = StaffNamesReason::ALL
        .iter()
        .map(|one| (one.code(), say(one.code())));
    let names: Vec<(&str, String)> = names.collect();
    let names: Vec<(&str, &str)> = names
        .iter()
        .map(|(code, say)| (*code, say.as_str()))
        .collect();
    let pick = |name, label, hint| Field {
        name,
        label,
        hint,
        ..Field::default()
    };
    html! {
        (summary(errors))
        h1 { "A report for her" }
        p {
            "Who was told what about her, when and why, in plain words, as far as your organisation may \
             see it. It is handed to her in person, and never sent to where she lives."
        }
        (form(visit, "/subject-report", &html! {
            (her::who(sent, errors))
            (checked.tick(sent, errors))
            (pick("handed_to", "Who is given it?", "").radios(sent, errors, &handed))
            (pick("staff_names", "Are your own workers named?",
                "They are not, unless you choose why.").select(sent, errors, &names))
            (Field { longest: 1_000, ..pick("answered", "Organisations that have given her their own answer",
                "Their short names with spaces between, for example: larkfield st-hildas. Leave it empty if \
                 there are none.") }.text(sent, errors))
            (pick("as", "What do you want?", "").radios(&wanted(sent.get("as")), errors, &[
                ("page", "Show it here, to read and to print"), ("text", "A text file"),
            ]))
            button { "Make the report" }
        }))
    }
}

fn wanted(sent: &str) -> super::form::Form {
    let wanted = if sent == "text" { "as=text" } else { "as=page" };
    super::form::Form::parse(wanted.as_bytes())
}

async fn make(visit: Visit) -> Result<Page, Stop> {
    let sent = visit.form();
    if sent.get("identity_checked") != "yes" {
        let mut errors = Errors::default();
        let tick = "Tick this when you have seen her in person. Without it no report is made.";
        errors.add("identity_checked", tick);
        return Ok(Page::new("Report", asks(&visit, &errors)).status(422));
    }
    let mut asked = Map::new();
    let answered: Vec<&str> = sent.get("answered").split([' ', ',', '\n']).collect();
    let answered: Vec<&str> = answered.into_iter().filter(|one| !one.is_empty()).collect();
    asked.insert("identity".to_owned(), her::identity(sent));
    asked.insert("identity_checked".to_owned(), json!(true));
    asked.insert("answered".to_owned(), json!(answered));
    for name in ["handed_to", "staff_names"] {
        if let Some(code) = sent.said(name) {
            asked.insert(name.to_owned(), json!(code));
        }
    }
    // Nothing is made: the report is read again each time.
    let made = visit
        .look("/v1/audit/reports", &Value::Object(asked))
        .await?;
    if !made.is_ok() {
        let errors = her::errors(&made);
        if errors.is_empty() {
            return Ok(page::refused(made));
        }
        return Ok(Page::new("Report", asks(&visit, &errors)).status(made.status));
    }
    let text = made.text("/report");
    if text.is_empty() {
        let body = html! {
            h1 { "A report for her" }
            (page::nothing(&made))
            p { a href="/subject-report" { "Back" } }
        };
        return Ok(Page::new("Report", body));
    }
    if sent.get("as") == "text" {
        return Ok(Page::file(
            "report.txt",
            "text/plain; charset=utf-8",
            text.to_owned(),
        ));
    }
    Ok(Page::new("Report", printed(text, "/subject-report")))
}

/// A report as a page: its headings are headings, its points are lists, and it prints without the rest.
pub fn printed(text: &str, back: &str) -> Markup {
    html! {
        div.noprint {
            p { a href=(back) { "Back" } }
            p.notice {
                "Print this with your browser (Ctrl and P) and hand it to her in person, or read it to her. \
                 When you leave this page it is gone from the screen; the gateway does not keep it."
            }
        }
        article.report { (paragraphs(text)) }
    }
}

enum Part {
    Head(String),
    Title(String),
    Line(String),
    /// A point and what is said under it.
    Point(Vec<String>),
}

fn paragraphs(text: &str) -> Markup {
    let mut points: Vec<Vec<String>> = Vec::new();
    let mut shown: Vec<Markup> = Vec::new();
    let flush = |points: &mut Vec<Vec<String>>, shown: &mut Vec<Markup>| {
        if points.is_empty() {
            return;
        }
        shown.push(html! {
            ul { @for point in points.iter() { li { @for line in point { p { (line) } } } } }
        });
        points.clear();
    };
    for part in parts(text) {
        match part {
            Part::Point(lines) => {
                points.push(lines);
                continue;
            }
            Part::Head(line) => {
                flush(&mut points, &mut shown);
                shown.push(html! { h1 { (line) } });
            }
            Part::Title(line) => {
                flush(&mut points, &mut shown);
                shown.push(html! { h2 { (line) } });
            }
            Part::Line(line) => {
                flush(&mut points, &mut shown);
                shown.push(html! { p { (line) } });
            }
        }
    }
    flush(&mut points, &mut shown);
    html! { @for part in shown { (part) } }
}

/// Reads the sheet as it was written: a heading has a line of `-` under it, a point begins with `* `.
fn parts(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    // A blank line, or the beginning: what follows is no rest of what stands before.
    let mut fresh = true;
    for line in text.lines() {
        let bare = line.trim();
        if bare.is_empty() {
            fresh = true;
            continue;
        }
        let is_rule = bare.chars().all(|letter| letter == '-');
        match parts.last_mut() {
            Some(Part::Line(title)) if is_rule && !fresh => {
                let title = std::mem::take(title);
                parts.pop();
                parts.push(Part::Title(title));
                fresh = true;
                continue;
            }
            Some(Part::Point(lines)) if line.starts_with("  ") && !fresh => {
                under(lines, bare);
                continue;
            }
            Some(Part::Line(before)) if !fresh && !line.starts_with("* ") => {
                before.push(' ');
                before.push_str(bare);
                continue;
            }
            Some(Part::Head(_) | Part::Title(_) | Part::Line(_) | Part::Point(_)) | None => {}
        }
        fresh = false;
        parts.push(match bare.strip_prefix("* ") {
            Some(point) => Part::Point(vec![point.to_owned()]),
            None if parts.is_empty() => Part::Head(bare.to_owned()),
            None => Part::Line(bare.to_owned()),
        });
    }
    parts
}

/// A sentence of its own if the one before is over; else the rest of it.
fn under(lines: &mut Vec<String>, bare: &str) {
    let begins = bare.chars().next().is_some_and(char::is_uppercase);
    match lines.last_mut() {
        Some(before) if !(begins && before.ends_with('.')) => {
            before.push(' ');
            before.push_str(bare);
        }
        Some(_) | None => lines.push(bare.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_points_and_lines_of_a_report_are_what_they_were() {
        let text = "WHAT WE HOLD\n\nMade on 2 May\nby us.\n\n\nWho asked\n---------\n\n* On 1 May a\n  \
                    hospital asked.\n  Why: to help.\n* Nobody else.\n\nA line.\n";
        assert_eq!(
            paragraphs(text).0,
            "<h1>WHAT WE HOLD</h1><p>Made on 2 May by us.</p><h2>Who asked</h2>\
             <ul><li><p>On 1 May a hospital asked.</p><p>Why: to help.</p></li>\
             <li><p>Nobody else.</p></li></ul><p>A line.</p>"
        );
    }

    #[test]
    fn words_of_others_in_a_report_are_shown_and_never_run() {
        let shown = printed("HEAD\n\n* <script>alert(1)</script>\n", "/").0;
        assert!(
            shown.contains("&lt;script&gt;") && !shown.contains("<script>"),
            "{shown}"
        );
        assert_eq!(paragraphs("").0, "");
    }
}
