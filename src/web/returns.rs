//! What a quarter came to for her organisation's services, as their commissioner asks for it: on
//! screen, printed, and as a file.

use maud::{Markup, html};
use serde_json::{Map, Value};

use super::inbox::answer::reasons;
use super::page::{self, Page};
use super::table::{For, Pages};
use super::visit::{Reply, Stop, Visit, text};
use super::words::{day, last_day, moment, today};
use crate::domain::codes::Role;
use crate::domain::returns::{Quarter, quarters};
use crate::edge::wire::reports::csv::cell;

const READS: For = For::Roles(&[Role::Triage, Role::Adviser, Role::Clinician, Role::OrgAdmin]);
/// Services on one page, so that it stays below 100 kB on a slow line.
const SERVICES_MAX: usize = 25;

pub fn pages(pages: Pages) -> Pages {
    pages.get("/return", READS, show)
}

async fn show(visit: Visit) -> Result<Page, Stop> {
    let all = today(visit.now())
        .parse()
        .map_or_else(|_| Vec::new(), quarters);
    let named = Quarter::parse(visit.query().get("quarter"));
    let chosen = match (visit.query().get("quarter"), named) {
        // The last one that is over.
        ("", _) => all.get(1).copied(),
        (_, named) => named.filter(|named| all.contains(named)),
    };
    let Some(chosen) = chosen else {
        return Ok(Page::new("Return", not_one(&all)).status(422));
    };
    let found = visit.get(&format!("/v1/returns?quarter={chosen}")).await?;
    if !found.is_ok() {
        return Ok(page::refused(found));
    }
    // Half of a quarter would be taken for all of it.
    if !flag(&found, "/return/whole") {
        let body = being_counted(chosen, &all, &found);
        return Ok(Page::new("Return", body));
    }
    Ok(match visit.query().get("as") {
        "csv" => Page::file(
            &format!("return-{chosen}.csv"),
            "text/csv; charset=utf-8",
            csv(chosen, &found),
        ),
        _ => Page::new("Return", body(chosen, &all, &found)),
    })
}

fn being_counted(chosen: Quarter, all: &[Quarter], found: &Reply) -> Markup {
    html! {
        h1 { "A quarter's return" }
        (choice(Some(chosen), all))
        div.wait {
            p { b { "This quarter is being counted." } " It goes on while you do something else." }
            p { "So far up to " (moment(found.text("/return/counted_to"))) "." }
            p { a.button href=(format!("/return?quarter={chosen}")) { "Look again" } }
        }
    }
}

fn not_one(all: &[Quarter]) -> Markup {
    html! {
        h1 { "A quarter's return" }
        p.notice { "There is no return for this quarter. Choose one of the last two years." }
        (choice(None, all))
    }
}

fn choice(chosen: Option<Quarter>, all: &[Quarter]) -> Markup {
    html! {
        form.noprint method="get" action="/return" {
            div.field {
                label for="quarter" { "Quarter" }
                select id="quarter" name="quarter" {
                    @for (place, one) in all.iter().enumerate() {
                        option value=(one) selected[Some(*one) == chosen] {
                            (in_words(*one)) @if place == 0 { ", so far" }
                        }
                    }
                }
            }
            button { "Show this quarter" }
        }
    }
}

fn body(chosen: Quarter, all: &[Quarter], found: &Reply) -> Markup {
    let services = found.list("/return/services");
    let so_far = flag(found, "/return/so_far");
    let assessed = found.body.pointer("/return/assessments_recorded");
    let total = found.body.pointer("/return/total").unwrap_or(&Value::Null);
    html! {
        h1 { "A quarter's return" }
        (choice(Some(chosen), all))
        h2 { (in_words(chosen)) @if so_far { ", so far" } }
        p {
            "From " (day(found.text("/return/from"))) " to " (last_day(found.text("/return/to"))) ", in London. "
            @if so_far { "This quarter is not over: these numbers still grow." }
        }
        h2 { "What this counts" }
        p {
            "Referrals, not people: somebody who was referred twice is counted twice. Each thing is \
             counted in the quarter in which it happened, so an offer of one quarter may be answered in \
             the next. A referral that went on the waiting list and was taken later is counted as both. \
             The time to answer is until the first answer of a person, in hours of the clock."
        }
        p {
            "These are your own numbers, and exact. Before you pass a small one on, think whether \
             somebody could be recognised by it."
        }
        @if services.is_empty() {
            p { "Your organisation has no service in the directory, so no referral can have come to it." }
        }
        @if let [one] = services {
            h2 { (name(one)) }
            (sheet(one, assessed))
        } @else {
            h2 { "All services" }
            (sheet(total, assessed))
            @for one in services.iter().take(SERVICES_MAX) {
                h2 { (name(one)) }
                (sheet(one, None))
            }
            @if services.len() > SERVICES_MAX {
                p { "The other services are in the file." }
            }
        }
        p.noprint {
            a href=(format!("/return?quarter={chosen}&as=csv")) { "As a file for a spreadsheet (CSV)" }
        }
    }
}

/// One measure: its name for programs, its words, and what it came to.
type Measure = (String, String, String);

/// What is told of one service, or of all: reasons stand below what they are of.
fn measures(counts: &Value, assessed: Option<&Value>) -> Vec<Measure> {
    let number = |name: &str| count(counts.get(name));
    let one = |name: &str, words: &str| (name.to_owned(), words.to_owned(), number(name));
    let mut all = vec![
        one("offered", "Referrals offered to you"),
        one("offered_by_move", "Of these, moves from another area"),
        one("accepted", "Taken"),
        one("waiting_list", "Put on the waiting list"),
        one("not_taken", "Not taken"),
    ];
    let given = counts.get("not_taken_by_reason").and_then(Value::as_object);
    for (code, words) in reasons() {
        if let Some(number) = given.and_then(|given: &Map<String, Value>| given.get(code)) {
            all.push((
                format!("not_taken_{code}"),
                format!("Not taken: {}", lower(&words)),
                count(Some(number)),
            ));
        }
    }
    all.extend([
        one("unanswered", "Not answered in time"),
        one("handed_back", "Handed back within a day"),
        one("closed", "Work ended"),
        one("moves_asked", "Another area asked to take over"),
    ]);
    if assessed.is_some() {
        all.push((
            "assessments_recorded".to_owned(),
            "Assessments recorded".to_owned(),
            count(assessed),
        ));
    }
    all.push(one("answers", "First answers"));
    let median = counts
        .get("median_minutes_to_answer")
        .and_then(Value::as_u64);
    all.push((
        "median_hours_to_answer".to_owned(),
        "Middle time to answer, in hours".to_owned(),
        median.map_or_else(String::new, hours),
    ));
    all
}

fn sheet(counts: &Value, assessed: Option<&Value>) -> Markup {
    html! {
        div.report {
            table {
                thead { tr { th scope="col" { "What" } th.number scope="col" { "Number" } } }
                tbody {
                    @for (_, words, number) in measures(counts, assessed) {
                        tr {
                            th scope="row" { (words) }
                            td.number { @if number.is_empty() { "None yet" } @else { (number) } }
                        }
                    }
                }
            }
        }
    }
}

fn csv(chosen: Quarter, found: &Reply) -> String {
    let state = if flag(found, "/return/so_far") {
        "so far"
    } else {
        "closed"
    };
    let mut lines = "quarter,state,service,name,measure,value\r\n".to_owned();
    let mut put = |service: &str, name: &str, all: Vec<Measure>| {
        for (measure, _, value) in all {
            let (service, name) = (cell(service), cell(name));
            lines.push_str(&format!(
                "{chosen},{state},{service},{name},{measure},{value}\r\n"
            ));
        }
    };
    let total = found.body.pointer("/return/total").unwrap_or(&Value::Null);
    let assessed = found.body.pointer("/return/assessments_recorded");
    put("", "All services", measures(total, assessed));
    for one in found.list("/return/services") {
        put(text(one, "service"), &name(one), measures(one, None));
    }
    lines
}

fn name(service: &Value) -> String {
    match text(service, "name") {
        "" => text(service, "service").to_owned(),
        name => name.to_owned(),
    }
}

fn flag(found: &Reply, pointer: &str) -> bool {
    found.body.pointer(pointer).and_then(Value::as_bool) == Some(true)
}

fn count(value: Option<&Value>) -> String {
    value
        .and_then(Value::as_u64)
        .unwrap_or_default()
        .to_string()
}

/// Hours with one place, rounded: `1.5`.
fn hours(minutes: u64) -> String {
    let tenths = (minutes + 3) / 6;
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn lower(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

/// `July to September 2026`.
fn in_words(quarter: Quarter) -> String {
    let first = quarter.first_day();
    let last = first.checked_add(jiff::Span::new().months(2));
    let last = last.map_or_else(|_| String::new(), |last| last.strftime("%B %Y").to_string());
    format!("{} to {last}", first.strftime("%B"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::codes::DeclineReason;

    fn found() -> Reply {
        let counts = json!({
            "offered": 1204, "offered_by_move": 1, "accepted": 3, "waiting_list": 2, "not_taken": 2,
            "not_taken_by_reason": { "full": 1, "other": 1 }, "unanswered": 1, "handed_back": 1,
            "closed": 0, "moves_asked": 0, "answers": 7, "median_minutes_to_answer": 93,
        });
        let mut services = Vec::new();
        for (id, name) in [("haven-idva", "=Haven, advocacy"), ("haven-shop", "")] {
            let mut one = counts.clone();
            one["service"] = json!(id);
            one["name"] = json!(name);
            services.push(one);
        }
        Reply {
            status: 200,
            body: json!({ "return": {
                "from": "2026-06-30T23:00:00Z", "to": "2026-09-30T23:00:00Z", "so_far": false,
                "whole": true, "total": counts, "assessments_recorded": 4, "services": services,
            } }),
        }
    }

    fn third() -> Quarter {
        Quarter::parse("2026-Q3").unwrap()
    }

    #[test]
    fn a_quarter_is_shown_in_whole_and_for_each_service() {
        let all = [Quarter::parse("2026-Q4").unwrap(), third()];
        let shown = body(third(), &all, &found()).0;
        for part in [
            "July to September 2026",
            "From 1 July 2026 to 30 September 2026",
            "Referrals, not people",
            "All services",
            "=Haven, advocacy",
            "haven-shop",
            "Not taken: we are full",
            "Assessments recorded",
            "1.6",
        ] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        assert_eq!(shown.matches("so far").count(), 1, "{shown}");
        assert_eq!(shown.matches("Assessments recorded").count(), 1);
    }

    #[test]
    fn the_file_quotes_names_and_runs_no_formula() {
        let file = csv(third(), &found());
        let lines: Vec<&str> = file.split("\r\n").collect();
        assert_eq!(lines[0], "quarter,state,service,name,measure,value");
        assert!(
            lines.contains(&"2026-Q3,closed,,All services,offered,1204"),
            "{file}"
        );
        let own = "2026-Q3,closed,haven-idva,\"'=Haven, advocacy\",not_taken_full,1";
        assert!(lines.contains(&own), "{file}");
        assert!(lines.contains(&"2026-Q3,closed,haven-shop,haven-shop,median_hours_to_answer,1.6"));
    }

    #[test]
    fn a_quarter_that_runs_says_so() {
        let mut found = found();
        found.body["return"]["so_far"] = json!(true);
        let shown = body(third(), &[third()], &found).0;
        assert!(shown.contains("not over"), "{shown}");
        let file = csv(third(), &found);
        assert!(file.contains(",so far,"), "{file}");
    }

    #[test]
    fn a_quarter_that_is_being_counted_shows_no_number_and_how_far_it_is() {
        let mut found = found();
        found.body["return"]["whole"] = json!(false);
        found.body["return"]["counted_to"] = json!("2026-08-03T13:00:00.000Z");
        let shown = being_counted(third(), &[third()], &found).0;
        assert!(shown.contains("Monday 3 August 2026 at 2pm"), "{shown}");
        assert!(shown.contains("/return?quarter=2026-Q3"), "{shown}");
        assert!(!shown.contains("1204") && !shown.contains("csv"), "{shown}");
    }

    #[test]
    fn the_longest_page_is_below_100_kb() {
        let mut found = found();
        let one = found.body["return"]["services"][0].clone();
        found.body["return"]["services"] = Value::Array(vec![one; 200]);
        let reasons = DeclineReason::ALL
            .iter()
            .map(|one| (one.code().to_owned(), json!(50_000)));
        let reasons: Value = Value::Object(reasons.collect());
        for service in found.body["return"]["services"].as_array_mut().unwrap() {
            service["not_taken_by_reason"] = reasons.clone();
            service["name"] = json!("n".repeat(80));
        }
        assert!(body(third(), &[third()], &found).0.len() < 90_000);
    }

    #[test]
    fn a_time_is_told_in_hours() {
        assert_eq!(hours(0), "0.0");
        assert_eq!(hours(93), "1.6");
        assert_eq!(hours(60 * 30), "30.0");
    }
}
