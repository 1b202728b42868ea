//! One assessment as it is shown: the card and its answers. What was counted stands apart from what
//! was judged.

use maud::{Markup, html};
use serde_json::Value;

pub use crate::web::visit::text;
use crate::web::visit::{Reply, list};
use crate::web::words::{day, say};

/// What is read to her after something was shown (no surprises).
pub fn read_aloud(reply: &Reply) -> Markup {
    let words = reply.text("/read_aloud");
    html! {
        @if !words.is_empty() {
            div.notice {
                h2 { "Read this to her" }
                blockquote { (words) }
            }
        }
    }
}

/// That services disagree, in the API's words: both stay, none is averaged.
pub fn banner(reply: &Reply) -> Markup {
    let words = reply.text("/disagreement");
    html! {
        @if !words.is_empty() {
            div.wait role="note" { h2 { "They disagree" } p { (words) } }
        }
    }
}

/// Tool, version and day, to choose by.
pub fn title(one: &Value) -> String {
    let (name, at) = (name(one), day(text(one, "assessed_at")));
    format!("{name}, {at}")
}

fn name(one: &Value) -> String {
    let name = match text(one, "instrument_name") {
        "" => say(text(one, "instrument")),
        name => name.to_owned(),
    };
    let version = text(one, "instrument_version");
    format!("{name} ({version})")
}

fn codes(one: &Value, key: &str) -> Vec<String> {
    let codes = list(one, key).iter().filter_map(Value::as_str);
    codes.map(say).collect()
}

fn words<'a>(one: &'a Value, key: &str) -> Vec<&'a str> {
    list(one, key).iter().filter_map(Value::as_str).collect()
}

fn several<T: AsRef<str>>(label: &str, lines: &[T]) -> Markup {
    html! {
        @if !lines.is_empty() {
            dt { (label) }
            dd { ul.plain { @for line in lines { li { (line.as_ref()) } } } }
        }
    }
}

fn grade(one: &Value) -> Markup {
    let grade = text(one, "grade");
    let class = match grade {
        "high" => "tag high",
        "medium" => "tag soon",
        _ => "tag",
    };
    html! { span class=(class) { (say(grade)) } }
}

fn who_assessed(one: &Value) -> String {
    let role = say(text(one, "assessor_role"));
    let service = text(one, "assessor_service");
    let trained = match one.get("assessor_trained").and_then(Value::as_bool) {
        Some(true) => ", trained in this tool",
        Some(false) | None => "",
    };
    format!("{role}, {service}{trained}")
}

/// One card, with what can be done with it below.
pub fn card(one: &Value, below: &Markup) -> Markup {
    let ticks = one.get("ticks").and_then(Value::as_u64);
    let differs = list(one, "disagreements").iter();
    let differs: Vec<String> = differs.map(|each| say(text(each, "because"))).collect();
    let usual = text(one, "ticks_in_local_practice");
    html! {
        section.card {
            h2 { (name(one)) }
            dl.rows {
                dt { "Assessed on" } dd { (day(text(one, "assessed_at"))) }
                dt { "By" } dd {
                    @if one.get("own") == Some(&Value::Bool(true)) { "Your own organisation: " }
                    (who_assessed(one))
                }
                @if let Some(ticks) = ticks {
                    dt { "Ticks" }
                    dd { (ticks) @if !usual.is_empty() { p.hint { (usual) } } }
                }
                dt { "Grade" }
                dd { (grade(one)) " " (basis(text(one, "grade_basis"))) }
                (several("Why it was judged so", &codes(one, "judgement_codes")))
                (several("In the assessor's words", &words(one, "judgement_reasons")))
                (several("What she needs", &codes(one, "needs")))
                (several("What helps her take part", &words(one, "adjustments")))
                (several("Graded otherwise than another service, because", &differs))
                dt { "Holds until" } dd { (day(text(one, "valid_until"))) }
            }
            (below)
        }
    }
}

fn basis(code: &str) -> &'static str {
    match code {
        "score" => "by the score",
        "professional_judgement" => "by professional judgement",
        "escalation" => "because it is getting worse",
        "specialist_review" => "after a specialist looked at it",
        _ => "",
    }
}

/// The answers that a question has.
pub const ANSWERS: [(&str, &str); 5] = [
    ("yes", "Yes"),
    ("no", "No"),
    ("unknown", "Does not know"),
    ("declined", "Would not say"),
    ("not_asked", "Not asked"),
];

fn answer(code: &str) -> String {
    let known = ANSWERS.iter().find(|(answer, _)| *answer == code);
    known.map_or_else(|| say(code), |(_, words)| (*words).to_owned())
}

/// Every answer, in the order of the form.
pub fn items(one: &Value) -> Markup {
    let items = list(one, "items");
    html! {
        @if !items.is_empty() {
            div.table tabindex="0" role="region" aria-label="Her answers" {
                table {
                    caption { "Her answers, in the order of the form" }
                    thead { tr { th scope="col" { "Question" } th scope="col" { "About" } th scope="col" { "Answer" } } }
                    tbody {
                        @for item in items {
                            tr {
                                th scope="row" { (text(item, "code").to_uppercase()) }
                                td { (text(item, "label")) }
                                td { (answer(text(item, "answer"))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_counted_stands_apart_from_what_was_judged() {
        let one = json!({
            "id": "A", "instrument_name": "SafeLives Dash, 24 questions",
            "instrument_version": "2015", "assessed_at": "2026-04-02T20:10:00Z",
            "assessor_role": "clinician", "assessor_service": "health", "assessor_trained": true,
            "ticks": 3, "grade": "high", "grade_basis": "professional_judgement",
            "judgement_codes": ["violence_growing"], "judgement_reasons": ["<b>worse</b>"],
            "needs": ["housing_safe"], "adjustments": [], "valid_until": "2026-07-01T20:10:00Z",
        });
        let shown = card(&one, &html! {}).0;
        for said in [
            "<dt>Ticks</dt><dd>3</dd>",
            "by professional judgement",
            "The violence is growing",
            "&lt;b&gt;worse&lt;/b&gt;",
            "Clinician, health, trained in this tool",
            "2 April 2026",
        ] {
            assert!(shown.contains(said), "{said}: {shown}");
        }
        assert_eq!(
            title(&one),
            "SafeLives Dash, 24 questions (2015), 2 April 2026"
        );
    }

    #[test]
    fn a_tool_that_counts_nothing_shows_no_zero() {
        let shown = card(&json!({ "ticks": null, "grade": "high" }), &html! {}).0;
        assert!(!shown.contains("Ticks"), "{shown}");
    }
}
