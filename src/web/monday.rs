//! The officer's Monday morning (`domain.md` 3.5): what happened since Friday, what she must decide,
//! and one item with what lies around it. Nothing here shows a case.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::entries::{card, line, named};
use super::form::{Errors, Field};
use super::page::{self, Page, form, trouble};
use super::table::{For, Pages};
use super::visit::{Reply, Stop, Visit, text};
use super::words::{moment, moments, say};
use crate::domain::codes::Role;
use crate::domain::watch::RuleCode;

/// Who works the queue, as `policies/50-audit.cedar` says.
const DECIDES: For = For::Roles(&[Role::IgOfficer, Role::Caldicott, Role::Reviewer]);
/// Items of one page.
const SHOWN: usize = 50;
/// Decided ones are shown so many, the newest.
const DECIDED: usize = 20;

pub fn pages(pages: Pages) -> Pages {
    pages
        .get("/monday", DECIDES, monday)
        .get("/monday/{id}", DECIDES, item)
        .post("/monday/{id}", DECIDES, decide)
}

async fn monday(visit: Visit) -> Result<Page, Stop> {
    let queue = visit.get("/v1/audit/queue").await?;
    if !queue.is_ok() {
        return Ok(page::refused(queue));
    }
    let me = visit.get("/v1/me").await?;
    let from: usize = visit.query().get("from").parse().unwrap_or(0);
    let next = from.saturating_add(SHOWN);
    let (open, mut closed): (Vec<&Value>, Vec<&Value>) = queue
        .list("/items")
        .iter()
        .partition(|item| text(item, "state") != "closed");
    let decided_at = |item: &Value| {
        let at = item.pointer("/decided/at").and_then(Value::as_str);
        at.unwrap_or_default().to_owned()
    };
    closed.sort_by_key(|item| std::cmp::Reverse(decided_at(item)));
    let body = html! {
        h1 { "What happened, and what to decide" }
        p { "The counts first, then what you must decide. That you read this is itself in the log." }
        (integrity(&me))
        (counts(&queue))
        h2 { "To decide" }
        @if open.is_empty() && queue.list("/subject_access").is_empty() { (empty(&queue)) }
        @else if open.is_empty() { p { "No item waits for you. Requests do: see below." } }
        @for item in open.iter().skip(from).take(SHOWN) { (summary_of(item)) }
        @if open.len() > next {
            p {
                a href=(format!("/monday?from={next}")) {
                    "The next of " (open.len()) " items"
                }
            }
        }
        @if from > 0 { p { a href="/monday" { "Back to the first items" } } }
        (accesses(&queue))
        @if !closed.is_empty() {
            h2 { "Decided" }
            ul {
                @for item in closed.iter().take(DECIDED) {
                    li {
                        a href=(format!("/monday/{}", text(item, "id"))) {
                            (rule(text(item, "code")))
                        }
                        ", " (moment(text(item, "at")))
                    }
                }
            }
        }
        (checked(&queue))
    };
    Ok(Page::new("Monday", body))
}

/// Whether the log is whole, and who besides us says so.
pub fn integrity(me: &Reply) -> Markup {
    let whole = me.text("/log/grade") == "whole";
    let number = |name: &str| me.body.pointer(name).and_then(Value::as_u64);
    let entries = number("/log/entries").unwrap_or_default();
    // Entries are counted from 0.
    let last = |count: u64| super::chart::thousands(count.saturating_sub(1));
    let seen = me.text("/log/witnessed_at");
    html! {
        div class=(if whole { "good" } else { "wait" }) {
            p {
                @match number("/log/checked") {
                    Some(checked) => {
                        b { "The log is checked to entry " (last(checked)) ", and its chain is whole so far." }
                        @if entries > checked {
                            " It goes to entry " (last(entries)) "; the rest is read behind the work, and again \
                             every week."
                        }
                    }
                    None => {
                        b { "The log goes to entry " (last(entries)) "." }
                        " It is not read again from its beginning yet, since the gateway started."
                    }
                }
                " The gateway stops at the first damage that it finds. "
                (moments(me.text("/log/says")))
                @if !seen.is_empty() { " They last saw it on " (moment(seen)) "." }
            }
            @if let Some(checked) = number("/log/checked").filter(|checked| *checked < entries) {
                (page::progress("checked", checked, entries))
            }
        }
    }
}

fn counts(queue: &Reply) -> Markup {
    let number = |name: &str| {
        let found = queue.body.pointer(&format!("/since_friday/{name}"));
        found.and_then(Value::as_u64).unwrap_or_default()
    };
    let count = |name: &str| super::chart::thousands(number(name));
    let whole = queue
        .body
        .pointer("/since_friday/complete")
        .and_then(Value::as_bool);
    html! {
        h2 { "Since " (moment(queue.text("/since_friday/since"))) }
        ul.counts {
            li { b { (count("accesses")) } "accesses to what is held about people" }
            li { b { (count("people")) } "people concerned" }
            li { b { (count("break_glass")) } "emergency views opened, over somebody's consent" }
            li { b { (count("firewall_stops")) } "stopped or held by the firewall" }
            li { b { (count("denials")) } "refused" }
            li { b { (count("items_due")) } "items due within a day, or late" }
        }
        @if whole == Some(false) {
            div.wait {
                p { "There is much to count: this is the first part of it. The rest is being counted." }
                (page::progress("counted", number("percent"), 100))
                p { a href="/monday" { "Look again" } }
            }
        }
    }
}

/// Why there is nothing: what was looked for, never a blank.
fn empty(queue: &Reply) -> Markup {
    let rules = queue.list("/checked/rules").len();
    let count = |name: &str| {
        let found = queue.body.pointer(&format!("/since_friday/{name}"));
        found.and_then(Value::as_u64).unwrap_or_default()
    };
    html! {
        div.good {
            p {
                b { "Nothing to decide. " } (rules) " rules were checked at every attempt. Since "
                (moment(queue.text("/since_friday/since"))) " there were " (count("break_glass"))
                " emergencies and " (count("denials")) " refusals, and none of them waits for you."
            }
        }
    }
}

fn summary_of(item: &Value) -> Markup {
    let user = text(item, "user");
    html! {
        article.card {
            h3 { a href=(format!("/monday/{}", text(item, "id"))) { (rule(text(item, "code"))) } }
            p { (tags(item)) }
            p { (text(item, "says")) }
            p.hint {
                "Decide by " (moment(text(item, "due"))) "."
                @if !user.is_empty() { " User: " (user) ", " (text(item, "organisation")) "." }
            }
        }
    }
}

fn tags(item: &Value) -> Markup {
    let (severity, state) = (text(item, "severity"), text(item, "state"));
    html! {
        span.tag.high[severity == "red"].soon[severity == "amber"] {
            @match severity { "red" => "Serious", "amber" => "Look closely", _ => "Sample" }
        }
        " "
        span.tag.high[state == "escalated"] {
            @match state {
                "new" => "New", "under_investigation" => "Somebody was asked",
                "escalated" => "With the second level", "closed" => "Decided", other => (say(other)),
            }
        }
    }
}

fn accesses(queue: &Reply) -> Markup {
    let waiting = queue.list("/subject_access");
    html! {
        @if !waiting.is_empty() {
            h2 { "People who ask what is held about them" }
            ul {
                @for one in waiting {
                    li {
                        a href=(format!("/subject-access/{}", text(one, "id"))) {
                            @match text(one, "kind") {
                                "taken" => { "Request " (text(one, "reference")) }
                                _ => { "A reply that you are asked for" }
                            }
                        }
                        ", due " (super::words::day(&format!("{}T12:00:00Z", text(one, "due"))))
                    }
                }
            }
        }
    }
}

fn checked(queue: &Reply) -> Markup {
    let rules = queue
        .list("/checked/rules")
        .iter()
        .filter_map(Value::as_str);
    html! {
        details {
            summary { "What is looked for" }
            ul { @for code in rules { li { (rule(code)) } } }
            p { "Version of these rules: " span.code { (queue.text("/checked/rules_version")) } }
        }
    }
}

/// A rule of the watch in a few words; the whole sentence is the item's own.
fn rule(code: &str) -> String {
    let Some(known) = RuleCode::parse(code) else {
        return say(code);
    };
    match known {
        RuleCode::GlassBroken => "An emergency view was opened",
        RuleCode::StatusShaped => "Attempts shaped like a look-up of status",
        RuleCode::Reread => "A closed referral's status was read again",
        RuleCode::Tainted => "A team that is shut out asked",
        RuleCode::AfterClosure => "A read after the work with her ended",
        RuleCode::NoRelationship => "A read without an open referral",
        RuleCode::Household => "Several people of one household were asked about",
        RuleCode::Flagged => "Somebody whom you flagged was asked about",
        RuleCode::OwnRecord => "A worker asked about herself or her family",
        RuleCode::Bulk => "Many more people than usual",
        RuleCode::Denied => "Refused again and again",
        RuleCode::Hours => "At an hour unlike the user's own",
        RuleCode::Operator => "The operator's own staff did something",
        RuleCode::Sample => "This week's sample: was there a good reason?",
        RuleCode::MissingNote => "A note on a high-risk offer is missing",
        RuleCode::LinkUndone => "What was shown was of somebody else",
        RuleCode::StopUseOverdue => "No answer after a withdrawal",
        RuleCode::AfterTransfer => "A read after she was handed over",
        RuleCode::WrongPerson => "Released of the wrong person",
        RuleCode::AccessNotHers => "She says that it was not she who asked",
        RuleCode::AccessLate => "A report was handed over late",
        RuleCode::FollowUpOverdue => "Nothing was said after an emergency",
    }
    .to_owned()
}

async fn item(visit: Visit) -> Result<Page, Stop> {
    let found = visit.get(&path(&visit)?).await?;
    if !found.is_ok() {
        return Ok(page::refused(found));
    }
    Ok(Page::new("Monday", one(&visit, &found, None)))
}

fn path(visit: &Visit) -> Result<String, Stop> {
    Ok(format!("/v1/audit/queue/{}", named(visit)?))
}

fn one(visit: &Visit, found: &Reply, refused: Option<&Reply>) -> Markup {
    let nothing = Value::Null;
    let item = found.body.pointer("/item").unwrap_or(&nothing);
    let said = |key: &str| text(item, key);
    let number = |key: &str| item.get(key).and_then(Value::as_u64).unwrap_or_default();
    let why = item.get("why").unwrap_or(&nothing);
    let usual = why.get("usual").and_then(Value::as_u64);
    let limit = why.get("limit").and_then(Value::as_u64);
    let entries = found.list("/entries");
    // The officer and the reviewer may open each entry; a guardian reads it here.
    let links = matches!(visit.role(), Role::IgOfficer | Role::Reviewer);
    html! {
        @if let Some(reply) = refused { (trouble(reply)) }
        p { a href="/monday" { "Back to all items" } }
        h1 { (rule(said("code"))) }
        p { (tags(item)) }
        div.notice { p { (said("says")) } }
        dl.rows {
            (line("User", said("user")))
            (line("Organisation", said("organisation")))
            dt { "First seen" } dd { (moment(said("at"))) }
            dt { "Decide by" } dd { (moment(said("due"))) }
            dt { "Signs" } dd {
                (number("tries"))
                @match number("minutes") {
                    0 => { " within a minute" }
                    minutes => { " in " (minutes) " minutes" }
                }
                @if let Some(limit) = limit { "; the rule begins at " (limit) }
                @if let Some(usual) = usual { "; usual for this user: " (usual) }
            }
            dt { "Rule" } dd { span.code { (text(why, "rule")) } " of " span.code { (text(why, "rules_version")) } }
            (line("Passed on by", said("passed_on_by")))
            @if let Some(drawn) = item.get("sample").filter(|drawn| !drawn.is_null()) {
                dt { "How it was drawn" } dd {
                    "Entry " (drawn.get("entry").and_then(Value::as_u64).unwrap_or_default())
                    ", by lot. The seed is the log's own root, so nobody could choose."
                }
            }
            @if let Some(decided) = item.get("decided").filter(|decided| !decided.is_null()) {
                dt { "Decided" } dd {
                    (verdict(text(decided, "decision"))) " by " (text(decided, "by")) ", "
                    (moment(text(decided, "at")))
                }
            }
        }
        @if said("state") != "closed" { (asks(visit)) }
        h2 { "What happened around it" }
        p.hint {
            "What lies behind this item, and up to ten entries of the same user before and after, as \
             far as you may see them; the newest first. Nothing of her case is shown."
        }
        @if entries.is_empty() { p { "There is no entry here that you may see." } }
        @for entry in entries { (card(entry, links)) }
    }
}

fn verdict(code: &str) -> &'static str {
    match code {
        "accept" => "Found in order",
        "ask" => "Somebody was asked",
        "escalate" => "Passed to the second level",
        _ => "",
    }
}

fn asks(visit: &Visit) -> Markup {
    let field = Field {
        name: "decision",
        label: "What do you decide?",
        hint: "Your name and your decision are written in the log. Nobody decides about herself.",
        ..Field::default()
    };
    let options = [
        (
            "accept",
            "In order: there was a good reason. This closes it.",
        ),
        (
            "ask",
            "Ask: I have asked the worker or her manager. It stays here until decided.",
        ),
        (
            "escalate",
            "Escalate: to the Caldicott Guardian or SIRO, and to the independent reviewer.",
        ),
    ];
    let action = format!("/monday/{}", visit.id());
    html! {
        h2 { "Decide" }
        (form(visit, &action, &html! {
            (field.radios(visit.form(), &Errors::default(), &options))
            button { "Record this decision" }
        }))
    }
}

async fn decide(visit: Visit) -> Result<Page, Stop> {
    let path = path(&visit)?;
    let decision = visit.form().get("decision");
    let decided = visit.post(&path, &json!({ "decision": decision })).await?;
    if decided.is_ok() {
        return Ok(Page::go("/monday"));
    }
    let found = visit.get(&path).await?;
    if !found.is_ok() {
        return Ok(page::refused(found));
    }
    let status = decided.status;
    Ok(Page::new("Monday", one(&visit, &found, Some(&decided))).status(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_the_log_is_checked_is_told_in_words_and_as_a_bar() {
        let me = |checked: Value| Reply {
            status: 200,
            body: json!({ "log": { "grade": "whole", "entries": 400, "checked": checked } }),
        };
        let unread = integrity(&me(Value::Null)).0;
        assert!(unread.contains("not read again"), "{unread}");
        assert!(!unread.contains("<progress"), "{unread}");
        let begun = integrity(&me(json!(399))).0;
        for part in ["to entry 398", "99% checked", "max=\"400\" value=\"399\""] {
            assert!(begun.contains(part), "{part} in {begun}");
        }
        let all = integrity(&me(json!(400))).0;
        assert!(
            all.contains("to entry 399") && !all.contains("<progress"),
            "{all}"
        );
    }
}
