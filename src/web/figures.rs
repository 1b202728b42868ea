//! What a month came to, in pictures with their tables: for the board, and for whoever asks whether the
//! gateway is used as it should be. Counts of others are rounded down to fives by the API.

use maud::{Markup, html};
use serde_json::{Map, Value};

use super::chart::{Chart, Count, thousands};
use super::entries::{attempt, outcome};
use super::page::{self, Page};
use super::table::{For, Pages};
use super::visit::{Stop, Visit, list, text};
use super::words::{day, say, today};
use crate::domain::codes::Role;

const READS: For = For::Roles(&[Role::IgOfficer, Role::Reviewer]);
/// Months to choose from.
const MONTHS: usize = 13;

pub fn pages(pages: Pages) -> Pages {
    pages.get("/figures", READS, show)
}

async fn show(visit: Visit) -> Result<Page, Stop> {
    let months = months(&today(visit.now()));
    let asked = visit.query().get("month");
    let month = months
        .iter()
        .find(|known| *known == asked)
        .or(months.first());
    let month = month.map_or("", String::as_str);
    let found = visit
        .get(&format!("/v1/audit/figures?month={month}"))
        .await?;
    if !found.is_ok() {
        return Ok(page::refused(found));
    }
    let nothing = Value::Null;
    let figures = found.body.get("figures").unwrap_or(&nothing);
    // Half of a month would be taken for all of it.
    if figures.get("whole").and_then(Value::as_bool) == Some(false) {
        let body = being_counted(month, &months, figures);
        return Ok(Page::new("Figures", body));
    }
    match visit.query().get("as") {
        "json" => Ok(Page::file(
            "figures.json",
            "application/json",
            figures.to_string(),
        )),
        "csv" => Ok(Page::file(
            "figures.csv",
            "text/csv; charset=utf-8",
            csv(figures),
        )),
        _ => Ok(Page::new("Figures", body(month, &months, figures))),
    }
}

fn choice(month: &str, months: &[String]) -> Markup {
    html! {
        h1 { "Figures of a month" }
        form.noprint method="get" action="/figures" {
            div.field {
                label for="month" { "Month" }
                select id="month" name="month" {
                    @for one in months {
                        option value=(one) selected[one == month] { (month_in_words(one)) }
                    }
                }
            }
            button { "Show this month" }
        }
        h2 { (month_in_words(month)) }
    }
}

fn being_counted(month: &str, months: &[String], figures: &Value) -> Markup {
    let number = |name: &str| {
        figures
            .get(name)
            .and_then(Value::as_u64)
            .unwrap_or_default()
    };
    html! {
        (choice(month, months))
        div.wait {
            p { b { "This month is being counted." } " It goes on while you do something else." }
            (page::progress("counted", number("percent"), 100))
            p { a.button href=(format!("/figures?month={month}")) { "Look again" } }
        }
    }
}

fn body(month: &str, months: &[String], figures: &Value) -> Markup {
    let own = figures.get("own_staff").unwrap_or(&Value::Null);
    let others = figures.get("others").unwrap_or(&Value::Null);
    let review = figures.get("review").unwrap_or(&Value::Null);
    html! {
        (choice(month, months))
        p {
            "Counts of what your own workers did are exact. What others did is told from five on and \
             rounded down to fives, so that nobody can be picked out."
        }
        ul.counts {
            li { b { (tile(own, "attempts")) } "attempts of your own workers" }
            li { b { (tile(own, "denials")) } "of them refused" }
            li { b { (tile(own, "emergencies")) } "emergencies opened by them" }
            li { b { (tile(own, "texts_held")) } "texts of theirs held" }
            li { b { (tile(others, "people_concerned")) } "people whom others asked about" }
            li { b { (tile(others, "emergencies")) } "emergencies of others" }
            li { b { (tile(review, "items")) } "items to review" }
            li { b { (percent(review)) } "of them settled within 72 hours" }
            li { b { (minutes(review)) } "was the middle time of a review" }
        }
        h2 { "Access" }
        (by_day("own-days", "Your own workers, by day", own, true))
        (by_day("other-days", "Others who concern you, by day", others, false))
        (one("organisations", "Others, by organisation", "Organisation", "Attempts", others, "by_organisation", str::to_owned))
        (one("acts", "Your own workers, by what they tried to do", "What", "Attempts", own, "by_action", attempt))
        (one("purposes", "Your own workers, by purpose", "Purpose", "Attempts", own, "by_purpose", say))
        h2 { "Refusals" }
        (one("ends", "What your own workers were told", "Result", "Attempts", own, "by_outcome", |code| outcome(code).to_owned()))
        h2 { "Reviews" }
        (times(review))
        h2 { "Referrals between kinds of service" }
        (flow(figures))
        p.hint {
            "Offers that were made. Whoever sends is not told by the log where an offer went in the end."
        }
        h2.noprint { "Keep these figures" }
        p.noprint {
            a href=(format!("/figures?month={month}&as=csv")) { "As a file for a spreadsheet (CSV)" } ", or "
            a href=(format!("/figures?month={month}&as=json")) { "as JSON" }
        }
    }
}

fn count(value: &Value) -> Count {
    value.as_u64().map_or(Count::Few, Count::Number)
}

fn tile(of: &Value, name: &str) -> String {
    match of.get(name).map(count) {
        Some(Count::Number(number)) => thousands(number),
        Some(Count::Few) => "<5".to_owned(),
        None => "0".to_owned(),
    }
}

fn percent(review: &Value) -> String {
    let percent = review
        .get("settled_in_72_hours_percent")
        .and_then(Value::as_u64);
    percent.map_or_else(|| "None yet".to_owned(), |percent| format!("{percent}%"))
}

fn minutes(review: &Value) -> String {
    match review.get("median_minutes").and_then(Value::as_u64) {
        None => "No review".to_owned(),
        Some(minutes) if minutes < 120 => format!("{minutes} min"),
        Some(minutes) => format!("{} hours", minutes / 60),
    }
}

/// Names and counts of one table of the API.
fn rows<'a>(of: &'a Value, name: &str) -> Vec<(&'a str, Count)> {
    let rows = of.get(name).and_then(Value::as_object);
    let rows = rows.into_iter().flat_map(Map::iter);
    rows.map(|(name, value)| (name.as_str(), count(value)))
        .collect()
}

fn one(
    id: &str,
    title: &str,
    rows_are: &str,
    series: &str,
    of: &Value,
    name: &str,
    words: impl Fn(&str) -> String,
) -> Markup {
    let mut all = rows(of, name);
    all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let rows = all
        .into_iter()
        .map(|(name, count)| (words(name), vec![count]));
    let chart = Chart {
        id,
        title,
        rows_are,
        series: &[series],
        rows: rows.collect(),
    };
    chart.draw()
}

/// Accesses by day, and beside them what was refused.
fn by_day(id: &str, title: &str, of: &Value, refused: bool) -> Markup {
    let denials = rows(of, "denials_by_day");
    let mut days: Vec<(&str, Count)> = rows(of, "accesses_by_day");
    for (day, _) in &denials {
        if !days.iter().any(|(known, _)| known == day) {
            days.push((day, Count::Number(0)));
        }
    }
    days.sort_by_key(|(day, _)| *day);
    let rows = days.into_iter().map(|(name, accesses)| {
        let denied = denials.iter().find(|(day, _)| *day == name);
        let denied = denied.map_or(Count::Number(0), |(_, count)| *count);
        let counts = if refused {
            vec![accesses, denied]
        } else {
            vec![accesses]
        };
        (day(&format!("{name}T12:00:00Z")), counts)
    });
    let series: &[&str] = if refused {
        &["Accesses", "Refused"]
    } else {
        &["Accesses"]
    };
    let chart = Chart {
        id,
        title,
        rows_are: "Day",
        series,
        rows: rows.collect(),
    };
    chart.draw()
}

fn times(review: &Value) -> Markup {
    let spans = [
        ("within_4_hours", "Within 4 hours"),
        ("within_24_hours", "Within a day"),
        ("within_72_hours", "Within 72 hours"),
        ("later", "Later"),
        ("waiting", "Not decided yet"),
    ];
    let found = rows(review, "by_time");
    let rows: Vec<(String, Vec<Count>)> = spans
        .iter()
        .filter_map(|(name, words)| {
            let (_, count) = found.iter().find(|(known, _)| known == name)?;
            Some(((*words).to_owned(), vec![*count]))
        })
        .collect();
    let all_none = rows
        .iter()
        .all(|(_, counts)| counts.iter().all(|one| *one == Count::Number(0)));
    let chart = Chart {
        id: "reviews",
        title: "How fast items were settled",
        rows_are: "Settled",
        series: &["Items"],
        rows: if all_none { Vec::new() } else { rows },
    };
    chart.draw()
}

fn flow(figures: &Value) -> Markup {
    let flows = list(figures, "referrals").iter().map(|flow| {
        let to = match text(flow, "to") {
            "" => "a service".to_owned(),
            kind => say(kind).to_lowercase(),
        };
        let label = format!("{} to {to}", say(text(flow, "from")));
        (
            label,
            vec![flow.get("count").map_or(Count::Number(0), count)],
        )
    });
    let chart = Chart {
        id: "flow",
        title: "Offers from one kind of organisation to another",
        rows_are: "From and to",
        series: &["Offers"],
        rows: flows.collect(),
    };
    chart.draw()
}

/// The month of a day and those before it, as `2026-10`.
fn months(today: &str) -> Vec<String> {
    let Ok(day) = today.parse::<jiff::civil::Date>() else {
        return Vec::new();
    };
    let back = (0..MONTHS).filter_map(|back| {
        let back = jiff::Span::new().months(i64::try_from(back).ok()?);
        day.first_of_month().checked_sub(back).ok()
    });
    back.map(|day| day.strftime("%Y-%m").to_string()).collect()
}

/// `October 2026`.
fn month_in_words(month: &str) -> String {
    let first: Result<jiff::civil::Date, _> = format!("{month}-01").parse();
    first.map_or_else(|_| String::new(), |day| day.strftime("%B %Y").to_string())
}

/// Each number with the names above it. They are codes, short names and days: none needs a quote, and
/// none can begin a formula.
fn csv(figures: &Value) -> String {
    let mut lines = "what,name,count\r\n".to_owned();
    let mut put = |what: &str, name: &str, value: &Value| {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        lines.push_str(&format!("{what},{name},{text}\r\n"));
    };
    for part in ["own_staff", "others", "review"] {
        let Some(fields) = figures.get(part).and_then(Value::as_object) else {
            continue;
        };
        for (name, value) in fields {
            match value.as_object() {
                Some(table) => table.iter().for_each(|(row, value)| {
                    put(&format!("{part}.{name}"), row, value);
                }),
                None => put(part, name, value),
            }
        }
    }
    for flow in list(figures, "referrals") {
        let name = format!("{} to {}", text(flow, "from"), text(flow, "to"));
        put(
            "referrals",
            &name,
            flow.get("count").unwrap_or(&Value::Null),
        );
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn months_are_chosen_from_a_year_back() {
        let months = months("2026-03-31");
        assert_eq!(months.len(), MONTHS);
        assert_eq!(months.first().map(String::as_str), Some("2026-03"));
        assert_eq!(months.last().map(String::as_str), Some("2025-03"));
        assert_eq!(month_in_words("2026-03"), "March 2026");
        assert!(super::months("rubbish").is_empty());
    }

    #[test]
    fn a_month_without_anything_is_said_in_words_and_one_with_few_keeps_them_hidden() {
        let empty = body("2026-03", &[], &Value::Null).0;
        assert!(empty.contains("Nothing was counted."), "{empty}");
        let figures = json!({
            "own_staff": { "attempts": 3, "denials_by_day": { "2026-03-02": 1 } },
            "others": { "by_organisation": { "met": "<5" }, "people_concerned": "<5" },
            "review": { "by_time": { "within_4_hours": 1, "waiting": 0 }, "median_minutes": 500 },
            "referrals": [{ "from": "police", "to": null, "count": 2 }],
        });
        let shown = body("2026-03", &[], &figures).0;
        for part in [
            "fewer than 5",
            "&lt;5",
            "2 March 2026",
            "Police to a service",
            "8 hours",
        ] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        assert!(csv(&figures).contains("others.by_organisation,met,<5\r\n"));
    }
}
