//! Entries of the log as an officer reads them, and the fields by which she names a person: shared by
//! her pages.

use maud::{Markup, html};
use serde_json::Value;

use super::visit::{Stop, Visit, list, text};
use super::words::{brief, moment, say};
use crate::domain::id::Id;
use crate::domain::refusal::Refusal;

/// What is done, where its code read as words says little; and its first word for what was only tried.
const ACTS: [(&str, &str, &str); 55] = [
    ("offer_referral", "Offered a referral", "offer"),
    (
        "read_referral_status",
        "Looked how a referral stands",
        "look",
    ),
    ("read_inbox", "Read the inbox", "read"),
    ("accept_referral", "Accepted a referral", "accept"),
    ("decline_referral", "Declined a referral", "decline"),
    ("wait_referral", "Put a referral on the waiting list", "put"),
    ("close_referral", "Closed a referral", "close"),
    ("hand_back_referral", "Handed a referral back", "hand"),
    ("read_return", "Read what a quarter came to", "read"),
    ("read_referral", "Read a referral", "read"),
    ("add_note", "Added a note", "add"),
    ("update_referral", "Sent news about a referral", "send"),
    ("read_events", "Collected news", "collect"),
    ("screen_text", "Tried a text", "try"),
    ("record_consent", "Recorded consent", "record"),
    ("withdraw_consent", "Recorded that consent ended", "record"),
    ("withdraw", "Recorded a withdrawal", "record"),
    ("record_assessment", "Recorded an assessment", "record"),
    ("query_assessments", "Asked for earlier assessments", "ask"),
    ("break_glass", "Opened details in an emergency", "open"),
    ("read_audit", "Read the log", "read"),
    (
        "read_audit_subject",
        "Searched the log for a person",
        "search",
    ),
    ("read_audit_queue", "Read what is to be decided", "read"),
    ("decide_audit_item", "Decided an item", "decide"),
    ("report_subject", "Made a report for her", "make"),
    ("flag_person", "Flagged a person", "flag"),
    ("open_seal", "Opened whom an entry is about", "open"),
    ("propose", "Proposed a change", "propose"),
    ("approve", "Approved a change", "approve"),
    ("narrow", "Took something out of use", "take"),
    ("unknown", "Asked for what does not exist", "ask"),
    ("found", "Founded the gateway", "found"),
    ("second_factor", "Signed in", "sign"),
    ("read_devices", "Looked at own devices", "look"),
    ("add_device", "Added a device", "add"),
    ("remove_device", "Removed a device", "remove"),
    ("read_proposals", "Read proposed changes", "read"),
    ("rely_on_assessment", "Relied on an assessment", "rely"),
    ("withdraw_assessment", "Took back an assessment", "take"),
    ("read_own_assessments", "Read own assessments", "read"),
    ("reconcile", "Handed in withdrawals after a restore", "hand"),
    ("seal_item", "Sealed an item for an adviser", "seal"),
    ("collect_item", "Collected a sealed item", "collect"),
    (
        "transfer_referral",
        "Asked another area to take over",
        "ask",
    ),
    ("issue_card", "Printed a card for her", "print"),
    ("settle_withdrawal", "Settled a pause", "settle"),
    (
        "answer_stop_use",
        "Said what became of what was shown",
        "say",
    ),
    (
        "read_consents",
        "Read which consents to go through again",
        "read",
    ),
    (
        "take_subject_access",
        "Took her request for what is held",
        "take",
    ),
    ("reply_subject_access", "Replied to her request", "reply"),
    (
        "redact_subject_access",
        "Looked at what is left out",
        "look",
    ),
    ("deliver_subject_access", "Handed the report over", "hand"),
    ("keep_draft", "Kept a referral for later", "keep"),
    ("open_draft", "Looked at what was kept for later", "look"),
    ("erase_draft", "Threw away what was kept for later", "throw"),
];

/// What was attempted, in words that do not say that it was done: `Open details in an emergency`.
pub fn attempt(code: &str) -> String {
    let found = ACTS.iter().find(|(known, _, _)| *known == code);
    found.map_or_else(
        || say(code),
        |(_, words, verb)| say(&format!("{verb}{}", after_first(words))),
    )
}

fn after_first(words: &str) -> &str {
    words
        .find(' ')
        .map_or("", |at| words.get(at..).unwrap_or(""))
}

/// What an entry tells of: done, if it was permitted, and otherwise tried.
fn act(entry: &Value) -> String {
    let (code, outcome) = (text(entry, "action"), text(entry, "outcome"));
    let found = ACTS.iter().find(|(known, _, _)| *known == code);
    match found {
        Some((_, words, _)) if outcome == "permit" => (*words).to_owned(),
        Some((_, words, verb)) => format!("Tried to {verb}{}", after_first(words)),
        None if outcome == "permit" => say(code),
        None => format!("Tried: {}", say(code).to_lowercase()),
    }
}

/// What came of it, in words.
pub fn outcome(code: &str) -> &'static str {
    match code {
        "permit" => "Permitted",
        "deny" => "Refused",
        "empty" => "Nothing to show",
        "error" => "Failed",
        _ => "",
    }
}

/// What the path names, if it can be a name of the API's.
pub fn named(visit: &Visit) -> Result<&str, Stop> {
    match Id::parse(visit.id()) {
        Some(_) => Ok(visit.id()),
        None => Err(Stop::Refused(Refusal::NotFound)),
    }
}

/// What the path names, if it is a number of an entry.
pub fn numbered(visit: &Visit) -> Result<u64, Stop> {
    let number = visit.id().parse();
    number.map_err(|_| Stop::Refused(Refusal::NotFound))
}

/// Several entries, one a row; each leads to its own page if the reader may open that.
pub fn table(entries: &[Value], links: bool) -> Markup {
    html! {
        div.table tabindex="0" role="region" aria-label="Entries of the log" {
            table {
                caption { "Entries, the newest first" }
                thead { tr {
                    th scope="col" { "Entry" } th scope="col" { "When" } th scope="col" { "Who" }
                    th scope="col" { "What" } th scope="col" { "Purpose" } th scope="col" { "Result" }
                } }
                tbody { @for entry in entries { (row(entry, links)) } }
            }
        }
    }
}

fn row(entry: &Value, links: bool) -> Markup {
    let number = number(entry);
    html! {
        tr {
            th scope="row" {
                @if links { a href=(format!("/log-entries/{number}")) { (number) } } @else { (number) }
            }
            td { (brief(text(entry, "at"))) }
            @if is_erased(entry) {
                td colspan="4" { "The account was erased when its time was over. The entry itself stays." }
            } @else {
                td { (text(entry, "user")) br; (text(entry, "organisation")) }
                td { (act(entry)) }
                td { (say(text(entry, "purpose"))) }
                td { (result(entry)) }
            }
        }
    }
}

fn number(entry: &Value) -> u64 {
    let number = entry.get("entry").and_then(Value::as_u64);
    number.unwrap_or_default()
}

fn is_erased(entry: &Value) -> bool {
    entry.get("erased").and_then(Value::as_bool) == Some(true)
}

fn result(entry: &Value) -> Markup {
    let (code, told) = (text(entry, "outcome"), text(entry, "told"));
    html! {
        span.tag.high[code == "deny"] { (outcome(code)) }
        @if told == "confirm-emergency" { br; "Asked to confirm first" }
        @else if code == "deny" || code == "error" { br; (say(told)) }
    }
}

/// One entry with all that its reader may see, folded up to a line where there are many.
pub fn card(entry: &Value, links: bool) -> Markup {
    let number = number(entry);
    html! {
        details.card {
            summary {
                b { (act(entry)) } ", " (moment(text(entry, "at"))) ". "
                (result(entry))
            }
            (detail(entry))
            @if links {
                p { a href=(format!("/log-entries/{number}")) { "Entry " (number) " and its proof" } }
            } @else { p { "Entry " (number) } }
        }
    }
}

/// Everything of one entry: who, what, why, and by which rule.
pub fn detail(entry: &Value) -> Markup {
    if is_erased(entry) {
        return html! {
            p { "The account behind this entry was erased when its time was over. The entry itself \
                 stays in the log." }
        };
    }
    let said = |key: &str| text(entry, key);
    let decided = entry.get("decided").filter(|decided| !decided.is_null());
    html! {
        dl.rows {
            dt { "Who" }
            dd { (said("user")) ", " (say(said("role"))) ", " (said("organisation")) ", team " (said("team")) }
            dt { "How we know" } dd { (said("identity")) }
            dt { "Certificate" } dd.code { (short(said("certificate"))) }
            dt { "What" } dd { (act(entry)) }
            (line("How far", said("step")))
            (line("Kinds of data asked for", &codes(entry, "asked")))
            dt { "Purpose" } dd { (say(said("purpose"))) }
            dt { "Reason given" } dd { (if said("reason").is_empty() { "None".to_owned() } else { say(said("reason")) }) }
            (line("Your own reference", said("object")))
            dt { "What the worker was told" } dd { (say(said("told"))) }
            dt { "Result" } dd { (outcome(said("outcome"))) }
            @if let Some(decided) = decided { (decision(decided)) }
        }
        @if decided.is_none() {
            p.hint {
                "Which rule decided, and what others hold, is told to the organisation that holds it and \
                 to the independent reviewer."
            }
        }
    }
}

fn decision(decided: &Value) -> Markup {
    let said = |key: &str| text(decided, key);
    let policy = said("policy");
    let firewall = decided.get("firewall").filter(|mark| !mark.is_null());
    html! {
        (line("Rule that decided", said("rule")))
        dt { "Rules in force then" } dd.code { (short(policy)) }
        (line("Relationship then in force", &say(said("relationship"))))
        (line("Lawful basis", &say(said("basis"))))
        (line("Kinds of data shown", &codes(decided, "disclosed")))
        @if let Some(mark) = firewall {
            dt { "Stopped by the firewall" } dd { (text(mark, "rule")) " (" (class(text(mark, "class"))) ")" }
        }
        (line("Person, under your own log's name", said("person")))
        (line("Organisations concerned", &joined(decided, "concerned")))
        (line("Notes", &codes(decided, "notes")))
    }
}

/// A line of a list, if there is something to say.
pub fn line(name: &str, value: &str) -> Markup {
    html! { @if !value.is_empty() { dt { (name) } dd { (value) } } }
}

fn codes(value: &Value, key: &str) -> String {
    let words = list(value, key).iter().filter_map(Value::as_str);
    words.map(class).collect::<Vec<_>>().join(", ")
}

/// A class of data in words, or another code.
pub fn class(code: &str) -> String {
    match code {
        "perp" => "The other party".to_owned(),
        "met" => "Counts and times".to_owned(),
        "im" => "Immigration".to_owned(),
        other => say(other),
    }
}

fn joined(value: &Value, key: &str) -> String {
    let words = list(value, key).iter().filter_map(Value::as_str);
    words.collect::<Vec<_>>().join(", ")
}

/// The beginning of a long hash, enough to compare by eye.
fn short(hash: &str) -> String {
    hash.chars().take(16).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry() -> Value {
        json!({
            "entry": 7, "at": "2026-11-20T18:00:00Z", "organisation": "met", "team": "response",
            "user": "<img src=x onerror=alert(1)>", "role": "officer", "certificate": "ab12",
            "identity": "proved person", "purpose": "onward_referral",
            "reason": "<script>alert(1)</script>", "action": "break_glass", "asked": ["op", "id"],
            "told": "role-not-allowed", "outcome": "deny", "decided": null,
        })
    }

    #[test]
    fn what_is_stored_in_an_entry_is_shown_and_never_run() {
        let entry = entry();
        let both = table(std::slice::from_ref(&entry), true).0 + &card(&entry, true).0;
        assert!(
            !both.contains("<script>") && !both.contains("<img"),
            "{both}"
        );
        assert!(both.contains("&lt;script&gt;"), "{both}");
    }

    #[test]
    fn what_was_refused_is_not_told_as_done() {
        let mut entry = entry();
        let shown =
            |entry: &Value| table(std::slice::from_ref(entry), true).0 + &card(entry, true).0;
        let refused = shown(&entry);
        assert!(
            refused.contains("Tried to open details in an emergency"),
            "{refused}"
        );
        assert!(!refused.contains("Opened"), "{refused}");
        entry["outcome"] = json!("permit");
        let done = shown(&entry);
        assert!(
            done.contains("Opened details") && !done.contains("Tried"),
            "{done}"
        );
        entry["action"] = json!("unknown");
        entry["outcome"] = json!("error");
        let failed = shown(&entry);
        assert!(
            failed.contains("Tried to ask for what does not exist"),
            "{failed}"
        );
        assert_eq!(attempt("second_factor"), "Sign in");
        assert_eq!(attempt("read_audit"), "Read the log");
    }

    #[test]
    fn an_erased_account_and_an_entry_without_fields_are_shown_too() {
        let erased = json!({ "entry": 3, "at": "2026-11-20T18:00:00Z", "erased": true });
        assert!(
            table(std::slice::from_ref(&erased), false)
                .0
                .contains("was erased")
        );
        assert!(detail(&erased).0.contains("stays in the log"));
        assert!(detail(&json!({})).0.contains("Reason given"));
    }
}
