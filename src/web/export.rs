//! The log of a period as files, whatever its size: in parts, each read when it is taken. Which part comes
//! next stands in the address, so that she can leave, and come back to it.

use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::chart::thousands;
use super::form::{Errors, Field, Form};
use super::log::{READS, query};
use super::page::{self, Page, summary};
use super::table::Pages;
use super::visit::{Reply, Stop, Visit};
use super::words::{begins, date};

/// Times that the API is asked for one part.
const PART_READS: u16 = 5;

/// What a file may be: its code, its words, and how many entries the API gives at once.
const FORMATS: [(&str, &str, u16); 4] = [
    ("csv", "For a spreadsheet (CSV)", 200),
    ("json", "With the proof of each entry (JSON)", 50),
    ("fhir", "As FHIR AuditEvents (JSON)", 200),
    ("ocsf", "For a security team (OCSF, JSON)", 200),
];
type Format = (&'static str, &'static str, u16);

pub fn pages(pages: Pages) -> Pages {
    pages
        .get("/log-export", READS, export)
        .get("/log-export/part", READS, part)
}

/// What is wanted, as the address says it. Nothing in it is about a person.
struct Wanted {
    format: Format,
    /// Days, as `2026-10-01`; empty for the beginning and for now.
    from: String,
    to: String,
}

impl Wanted {
    /// From the form, whose dates have three fields, or from an address of ours.
    fn read(query: &Form) -> Result<Self, Errors> {
        let mut errors = Errors::default();
        let mut day = |name: &str| {
            let said = query.said(name).map(str::to_owned);
            let day = query.date(name).or(said).unwrap_or_default();
            if !day.is_empty() && begins(&day, 0).is_none() {
                errors.add(name, "Give a day, month and year that there are");
            }
            day
        };
        let (from, to) = (day("from"), day("to"));
        if errors.is_empty() && !to.is_empty() && to < from {
            errors.add("to", "The last day is before the first");
        }
        let format = FORMATS
            .into_iter()
            .find(|(code, _, _)| *code == query.get("as"));
        if format.is_none() {
            errors.add("as", "Choose what the files are for");
        }
        match format.filter(|_| errors.is_empty()) {
            Some(format) => Ok(Self { format, from, to }),
            None => Err(errors),
        }
    }

    fn filter(&self) -> Map<String, Value> {
        let mut filter = Map::new();
        // Days are London's; the API excludes the instant at which the last one is over.
        for (name, day, after) in [("from", &self.from, 0), ("to", &self.to, 1)] {
            if let Some(at) = begins(day, after) {
                filter.insert(name.to_owned(), json!(at));
            }
        }
        filter
    }

    const fn size(&self) -> u16 {
        self.format.2 * PART_READS
    }

    fn address(&self, path: &str, numbers: &[(&str, u64)]) -> String {
        let mut address = format!("{path}?as={}", self.format.0);
        for (name, day) in [("from", &self.from), ("to", &self.to)] {
            if !day.is_empty() {
                address.push_str(&format!("&{name}={day}"));
            }
        }
        for (name, number) in numbers {
            address.push_str(&format!("&{name}={number}"));
        }
        address
    }

    fn says(&self) -> String {
        let from = match self.from.as_str() {
            "" => "From its beginning".to_owned(),
            day => format!("From {}", date(day)),
        };
        match self.to.as_str() {
            "" => format!("{from} to now"),
            day => format!("{from} to {}", date(day)),
        }
    }
}

fn asks(query: &Form, errors: &Errors) -> Page {
    let field = |name, label, hint| Field {
        name,
        label,
        hint,
        ..Field::default()
    };
    let formats = FORMATS.map(|(code, words, _)| (code, words));
    let body = html! {
        (summary(errors))
        p { a href="/log-entries" { "Back to the log" } }
        h1 { "The log as files" }
        p {
            "All entries of a period that your organisation may see. A long period is taken in parts; you \
             can leave after each, and come back."
        }
        form method="get" action="/log-export" novalidate {
            (field("from", "From the day", "Empty: from the beginning.").date(query, errors))
            (field("to", "Up to and with the day", "Empty: up to now.").date(query, errors))
            (field("as", "What are the files for?", "").radios(query, errors, &formats))
            button { "Go on" }
        }
    };
    Page::new("Log", body).status(if errors.is_empty() { 200 } else { 422 })
}

fn number(form: &Form, name: &str) -> Option<u64> {
    form.get(name).parse().ok()
}

async fn export(visit: Visit) -> Result<Page, Stop> {
    let asked = visit.query();
    if ["as", "from", "to", "from-day", "to-day"]
        .iter()
        .all(|name| asked.said(name).is_none())
    {
        return Ok(asks(asked, &Errors::default()));
    }
    let wanted = match Wanted::read(asked) {
        Ok(wanted) => wanted,
        Err(errors) => return Ok(asks(asked, &errors)),
    };
    let mut filter = wanted.filter();
    filter.insert("parts".to_owned(), json!(wanted.size()));
    let end = number(asked, "end");
    if let Some(end) = end {
        filter.insert("before".to_owned(), json!(end));
    }
    let found = visit
        .get(&format!("/v1/audit/entries?{}", query(&filter)))
        .await?;
    if !found.is_ok() {
        return Ok(page::refused(found));
    }
    let parts = parts(&found);
    match (end, parts.first()) {
        // From here on the address says where the log ended, so that the parts stay what they are.
        (None, Some(first)) => {
            let from_here = [("end", first.before), ("part", 1)];
            Ok(Page::go(&wanted.address("/log-export", &from_here)))
        }
        _ => {
            let place = Place {
                end: end.unwrap_or_default(),
                earlier: number(asked, "earlier").unwrap_or_default(),
                part: number(asked, "part").unwrap_or(1).max(1),
                next: found.body.get("next").and_then(Value::as_u64),
            };
            Ok(Page::new("Log", shown(&wanted, &place, &parts)))
        }
    }
}

struct Part {
    before: u64,
    newest: u64,
    oldest: u64,
    entries: u64,
}

fn parts(found: &Reply) -> Vec<Part> {
    let number = |part: &Value, name: &str| {
        let number = part.get(name).and_then(Value::as_u64);
        number.unwrap_or_default()
    };
    let parts = found.list("/parts").iter();
    parts
        .map(|part| Part {
            before: number(part, "before"),
            newest: number(part, "newest"),
            oldest: number(part, "oldest"),
            entries: number(part, "entries"),
        })
        .collect()
}

/// Where she is, by the address.
struct Place {
    end: u64,
    /// Parts on the pages before this one.
    earlier: u64,
    /// The next to be taken, counted on this page from 1.
    part: u64,
    /// Where the parts of the page after this one begin.
    next: Option<u64>,
}

fn shown(wanted: &Wanted, place: &Place, parts: &[Part]) -> Markup {
    let count = parts.len() as u64;
    let taken = place.part.saturating_sub(1).min(count);
    let (done, of) = (place.earlier + taken, place.earlier + count);
    let at = |part: u64| {
        let numbers = [
            ("end", place.end),
            ("earlier", place.earlier),
            ("part", part),
        ];
        wanted.address("/log-export", &numbers)
    };
    let file = |number: u64, part: &Part| {
        let numbers = [("before", part.before), ("part", place.earlier + number)];
        wanted.address("/log-export/part", &numbers)
    };
    let now = usize::try_from(taken)
        .ok()
        .and_then(|taken| parts.get(taken));
    let at_least = if place.next.is_some() {
        "at least "
    } else {
        ""
    };
    html! {
        p { a href="/log-export" { "Another period" } }
        h1 { "The log as files" }
        p { (wanted.says()) ". " (wanted.format.1) ", in parts of up to " (thousands(wanted.size().into()))
            " entries, the newest first." }
        @if parts.is_empty() { p.notice { "Your organisation sees no entry of this period." } }
        @else {
            p { b { (done) " of " (at_least) (of) @if of == 1 { " part is taken." } @else { " parts are taken." } } }
            progress max=(of) value=(done) aria-label="Parts taken" {}
            @match (now, place.next) {
                (Some(part), _) => {
                    p.buttons {
                        a.button href=(file(taken + 1, part)) { "Take part " (done + 1) }
                        a.button.second href=(at(taken + 2)) { "I have part " (done + 1) ": go on" }
                    }
                }
                (None, Some(next)) => {
                    @let numbers = [("end", next), ("earlier", of), ("part", 1)];
                    p { a.button href=(wanted.address("/log-export", &numbers)) { "The parts before these" } }
                }
                (None, None) => { div.good { p { "You have all parts." } } }
            }
            p.hint {
                "Leave when you like, and come back by the address of this page: it keeps your place. Nothing \
                 is prepared meanwhile and nothing is kept. Each part is read from the log when you take it, \
                 so that it can be taken again, and each reading is an entry of the log."
            }
            (list(parts, place, taken, &file))
        }
    }
}

fn list(parts: &[Part], place: &Place, taken: u64, file: &dyn Fn(u64, &Part) -> String) -> Markup {
    html! {
        div.table tabindex="0" role="region" aria-label="Parts" {
            table {
                caption { "Parts, the newest first" }
                thead { tr {
                    th scope="col" { "Part" } th.number scope="col" { "Up to entries" }
                    th scope="col" { "Of the log" } th scope="col" { "State" }
                } }
                tbody {
                    @for (number, part) in (1_u64..).zip(parts) {
                        tr {
                            th scope="row" {
                                a href=(file(number, part)) { "Part " (place.earlier + number) }
                            }
                            td.number { (thousands(part.entries)) }
                            td { (thousands(part.oldest)) " to " (thousands(part.newest)) }
                            td {
                                @if number <= taken { span.tag.fine { "Taken" } }
                                @else if number == taken + 1 { "Next" }
                                @else { "Later" }
                            }
                        }
                    }
                }
            }
        }
    }
}

async fn part(visit: Visit) -> Result<Page, Stop> {
    let asked = visit.query();
    if asked.said("as").is_none() {
        return Ok(Page::go("/log-export"));
    }
    let wanted = match Wanted::read(asked) {
        Ok(wanted) => wanted,
        Err(errors) => return Ok(asks(asked, &errors)),
    };
    let mut filter = wanted.filter();
    if let Some(before) = number(asked, "before") {
        filter.insert("before".to_owned(), json!(before));
    }
    let number = number(asked, "part").unwrap_or(1);
    match take(&visit, wanted.format.0, None, filter, PART_READS).await? {
        Ok(taken) => Ok(taken.file(wanted.format.0, &format!("log-part-{number}"))),
        Err(refused) => Ok(page::refused(refused)),
    }
}

/// Entries as they come into a file.
#[derive(Default)]
pub struct Taken {
    head: String,
    entries: Vec<Value>,
    /// Older entries begin before this one.
    pub next: Option<u64>,
    /// Of each reading: that it is in the log.
    receipts: Vec<Value>,
    date: Value,
}

impl Taken {
    fn add(&mut self, found: &Reply) {
        found.text("/head").clone_into(&mut self.head);
        self.entries.extend(found.list("/entries").iter().cloned());
        self.next = found.body.get("next").and_then(Value::as_u64);
        let at = |name: &str| found.body.get(name).cloned().unwrap_or_default();
        self.receipts.push(at("receipt"));
        self.date = at("date");
    }

    /// Says at the end of a table that it is cut: a line with as many columns, read as text. Other files
    /// have `next`.
    pub fn goes_on_before(&mut self, next: u64) {
        let columns = self.head.matches(',').count();
        let line = format!(
            "not all: search again before entry {next}{}",
            ",".repeat(columns)
        );
        if !self.head.is_empty() {
            self.entries.push(json!(line));
        }
    }

    /// The file. What was asked is not in it.
    pub fn file(&self, format: &str, name: &str) -> Page {
        if format == "csv" {
            let lines = self.entries.iter().filter_map(Value::as_str);
            let lines = std::iter::once(self.head.as_str()).chain(lines);
            let text = lines.map(|line| format!("{line}\r\n")).collect();
            return Page::file(&format!("{name}.csv"), "text/csv; charset=utf-8", text);
        }
        let whole = json!({
            "entries": self.entries, "next": self.next, "date": self.date, "receipts": self.receipts,
        });
        let name = format!("{name}.json");
        Page::file(&name, "application/json", whole.to_string())
    }
}

/// Asks for entries as a file, at most so many times; what the API refused in between is refused whole.
/// `who` is of a look-up of one person.
pub async fn take(
    visit: &Visit,
    format: &str,
    who: Option<&Value>,
    mut filter: Map<String, Value>,
    reads: u16,
) -> Result<Result<Taken, Reply>, Stop> {
    let at_once = FORMATS.iter().find(|(code, _, _)| *code == format);
    filter.insert("max".to_owned(), json!(at_once.map(|(_, _, most)| *most)));
    match format {
        "json" => filter.insert("evidence".to_owned(), json!(true)),
        format => filter.insert("format".to_owned(), json!(format)),
    };
    let mut taken = Taken::default();
    for _ in 0..reads {
        let found = look_up(visit, who, &filter).await?;
        if !found.is_ok() {
            return Ok(Err(found));
        }
        taken.add(&found);
        match taken.next {
            Some(next) => filter.insert("before".to_owned(), json!(next)),
            None => break,
        };
    }
    Ok(Ok(taken))
}

/// What was looked for, in a path or, with a person, in a body.
pub async fn look_up(
    visit: &Visit,
    who: Option<&Value>,
    filter: &Map<String, Value>,
) -> Result<Reply, Stop> {
    match who {
        Some(who) => {
            let asked = json!({ "identity": who, "filter": filter });
            visit.look("/v1/audit/subjects", &asked).await
        }
        None => {
            let path = format!("/v1/audit/entries?{}", query(filter));
            visit.get(&path).await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(query: &str) -> Result<Wanted, Vec<String>> {
        let read = Wanted::read(&Form::parse(query.as_bytes()));
        read.map_err(|errors| errors.0.into_iter().map(|(name, _)| name).collect())
    }

    #[test]
    fn a_period_is_of_whole_days_and_its_address_leads_to_the_same() {
        let sent =
            "as=csv&from-day=1&from-month=10&from-year=2026&to-day=31&to-month=10&to-year=2026";
        let Ok(first) = wanted(sent) else {
            unreachable!("a period")
        };
        let address = first.address("/log-export", &[("end", 7)]);
        assert_eq!(
            address,
            "/log-export?as=csv&from=2026-10-01&to=2026-10-31&end=7"
        );
        let Ok(again) = wanted(address.split_once('?').map_or("", |(_, query)| query)) else {
            unreachable!("the same period")
        };
        assert_eq!(again.filter(), first.filter());
        assert_eq!(first.filter()["to"], "2026-11-01T00:00:00Z");
        for (sent, wrong) in [
            ("as=csv&from-day=31&from-month=2&from-year=2026", "from"),
            ("as=csv&from=2026-10-02&to=2026-10-01", "to"),
            ("as=xml", "as"),
            ("as=csv&from=2026-10-01%26x%3D1", "from"),
        ] {
            assert_eq!(wanted(sent).err(), Some(vec![wrong.to_owned()]), "{sent}");
        }
    }

    #[test]
    fn a_page_says_how_far_it_is_and_where_to_go_on() {
        let Ok(wanted) = wanted("as=json&from=2026-10-01") else {
            unreachable!("a period")
        };
        let parts: Vec<Part> = [(600, 599, 350), (350, 349, 90), (90, 89, 80)]
            .into_iter()
            .map(|(before, newest, oldest)| Part {
                before,
                newest,
                oldest,
                entries: newest - oldest + 1,
            })
            .collect();
        let at = |part, next| {
            let place = Place {
                end: 600,
                earlier: 100,
                part,
                next,
            };
            shown(&wanted, &place, &parts).0
        };
        let first = at(1, None);
        assert!(first.contains("100 of 103 parts are taken."), "{first}");
        assert!(
            first.contains("before=600&amp;part=101\">Take part 101<"),
            "{first}"
        );
        let second = at(2, Some(80));
        assert!(
            second.contains("101 of at least 103 parts are taken."),
            "{second}"
        );
        assert!(second.contains("before=350&amp;part=102"), "{second}");
        assert_eq!(second.matches(">Taken<").count(), 1, "{second}");
        let last = at(4, Some(80));
        assert!(
            last.contains("end=80&amp;earlier=103&amp;part=1\">The parts before these<"),
            "{last}"
        );
        assert!(at(4, None).contains("You have all parts."));
        assert!(at(u64::MAX, None).contains("103 of 103 parts"));
    }

    #[test]
    fn a_file_holds_all_that_was_read_and_not_who_was_looked_for() {
        let mut taken = Taken::default();
        for (entries, next) in [
            (json!(["4,x", "3,y"]), json!(3)),
            (json!(["1,z"]), json!(null)),
        ] {
            taken.add(&Reply {
                status: 200,
                body: json!({
                    "head": "entry,at", "entries": entries, "next": next, "receipt": "r",
                }),
            });
        }
        let page = taken.file("csv", "log");
        assert_eq!(page.body.0, "entry,at\r\n4,x\r\n3,y\r\n1,z\r\n");
        taken.goes_on_before(1);
        let cut = taken.file("csv", "log-part");
        assert!(
            cut.body
                .0
                .ends_with("1,z\r\nnot all: search again before entry 1,\r\n"),
            "{}",
            cut.body.0
        );
        taken.entries.pop();
        let json = taken.file("json", "log-part-2");
        assert_eq!(
            json.file.map(|file| file.0).as_deref(),
            Some("log-part-2.json")
        );
        let body: Value = serde_json::from_str(&json.body.0).unwrap();
        assert_eq!(
            (&body["next"], body["receipts"].as_array().unwrap().len()),
            (&json!(null), 2)
        );
    }
}
