//! A reply in plain words: what happened, what it says, and what to do next.
//!
//! Control characters never reach the terminal, because parts of a reply were written by others.

use std::fmt::Write;

use serde_json::Value;

use super::queue::{tell_item, tell_queue};

/// Said once for the whole reply, or of no use to a reader.
const LEFT_OUT: [&str; 17] = [
    "date",
    "support_code",
    "receipt",
    "result",
    "says",
    "type",
    "title",
    "detail",
    "retry_after_s",
    "fields",
    "session",
    "next",
    "held",
    "words",
    "suggestion",
    "replay",
    "since",
];

/// Of held text: sentences that are shown, and how much of each.
const SENTENCES_MAX: usize = 8;
const SENTENCE_CHARS_MAX: usize = 200;

/// How deep a reply is shown.
const DEPTH_MAX: usize = 6;

/// The reply as a short text of several lines.
pub fn tell(status: u16, body: &Value) -> String {
    let mut text = String::new();
    let get = |name: &str| body.get(name).and_then(Value::as_str);
    if status >= 400 {
        line(&mut text, 0, "Not done.");
    } else if get("result") == Some("noted") && body.get("held").is_some() {
        line(&mut text, 0, "This note was not passed on.");
    } else if let Some(lead) = get("result").and_then(lead) {
        line(&mut text, 0, lead);
    }
    for name in ["detail", "says"] {
        if let Some(said) = get(name) {
            line(&mut text, 0, said);
        }
    }
    for wrong in list(body, "fields") {
        let part = |name: &str| wrong.get(name).and_then(Value::as_str).unwrap_or("body");
        line(
            &mut text,
            1,
            &format!("{}: {}", part("field"), part("message")),
        );
    }
    held(&mut text, body);
    let shown_whole: &[&str] = match get("result").filter(|_| status < 400) {
        Some("queue") => {
            text.clear();
            text.push_str(&tell_queue(body));
            &[
                "since_friday",
                "must_decide",
                "items",
                "checked",
                "subject_access",
            ]
        }
        Some("queue-item") => {
            text.push_str(&tell_item(body.get("item").unwrap_or(&Value::Null)));
            &["item"]
        }
        Some(_) | None => &[],
    };
    if let Value::Object(map) = body {
        for (name, value) in map {
            let said_already =
                (status >= 400 && name == "status") || shown_whole.contains(&name.as_str());
            if !said_already && !LEFT_OUT.contains(&name.as_str()) {
                show(&mut text, 0, name, value);
            }
        }
    }
    if let Some(next) = get("next").filter(|_| pages(body)) {
        line(&mut text, 0, &format!("More: --after {next}"));
    }
    let code = get("support_code").map(|code| format!("Support code {code}"));
    let at = get("date").map(|at| format!("at {at}"));
    let foot: Vec<String> = [code, at].into_iter().flatten().collect();
    if !foot.is_empty() {
        line(&mut text, 0, &foot.join(", "));
    }
    text
}

/// A text of several lines, to be read or kept as it is.
pub fn page(text: &str) -> String {
    let clean = |c: char| if c.is_control() && c != '\n' { '?' } else { c };
    text.chars().map(clean).collect()
}

/// A cursor is always there; it is worth showing only beside a list.
fn pages(body: &Value) -> bool {
    body.as_object().is_some_and(|map| {
        map.values()
            .any(|value| value.as_array().is_some_and(|list| !list.is_empty()))
    })
}

/// A text that is held: what was found and where, what to write instead, and what to do.
fn held(text: &mut String, body: &Value) {
    let Some(first) = body.get("held").filter(|held| held.is_object()) else {
        return;
    };
    for held in [first].into_iter().chain(list(first, "also")) {
        let get = |name: &str| held.get(name).and_then(Value::as_str);
        line(text, 0, &format!("HELD: {}", get("what").unwrap_or("text")));
        if let Some(said) = get("says") {
            line(text, 1, said);
        }
        let sentences = list(held, "sentences").iter().take(SENTENCES_MAX);
        for sentence in sentences.filter_map(|sentence| sentence.get("text")?.as_str()) {
            line(
                text,
                1,
                &format!("You wrote: \"{}\"", shortened(sentence.trim())),
            );
        }
        if let Some(instead) = get("suggestion") {
            line(text, 1, &format!("Instead: {instead}"));
        }
        match body.get("id").and_then(Value::as_str) {
            Some(id) if get("what") == Some("note") => {
                let again = format!("firedoor client note {id} -");
                line(text, 1, &format!("Word it anew: {again}"));
                let call = format!("firedoor client update {id} call_referrer");
                line(text, 1, &format!("Or have the service call you: {call}"));
            }
            Some(_) | None => {
                for todo in list(held, "do").iter().filter_map(Value::as_str) {
                    line(text, 1, todo);
                }
            }
        }
        if let (Some(reference), Some(until)) = (
            get("reference"),
            held.pointer("/wrong/until").and_then(Value::as_str),
        ) {
            let until = until.get(..10).unwrap_or(until);
            let how = format!("firedoor client wrong {reference} --because CODE (see --help)");
            line(
                text,
                1,
                &format!("If this was wrong, say so by {until}: {how}"),
            );
        }
    }
}

/// One's own words, as far as they help to find the place.
fn shortened(sentence: &str) -> String {
    if sentence.chars().nth(SENTENCE_CHARS_MAX).is_none() {
        return sentence.to_owned();
    }
    let begin: String = sentence.chars().take(SENTENCE_CHARS_MAX).collect();
    format!("{begin} ...")
}

/// What a result means, and what to do next, in one sentence.
fn lead(result: &str) -> Option<&'static str> {
    Some(match result {
        "offered" => "Recorded. Nothing that names her has been passed on.",
        "inbox" => "Offers to your team. Answer one with: accept, decline or wait.",
        "released" => "Accepted. Reach her only in the way that is said here to be safe.",
        "declined" => "Declined. The referrer sees no difference.",
        "waiting" => "On your waiting list. The referrer sees no difference.",
        "closed" => "Closed.",
        "noted" => "The note was taken.",
        "handed-back" => "Handed back. Contact nobody on it, and destroy what you saved.",
        "transfer-waits" => "Asked. It waits until a service there has accepted her.",
        "transferred" => "Your work with her has ended.",
        "taken-back" => "Stop: this was not her.",
        "updated" => "The update was taken.",
        "checked" => "Nothing was stored.",
        "withdrawn" => "Withdrawn, from now.",
        "pause-confirmed" => "It was her word. It holds for good.",
        "pause-lifted" => "It was not her word. What she allowed goes on.",
        "stop-use-answered" => "Your answer was taken.",
        "card-issued" => "Her card. Write the codes down for her now: they are not shown again.",
        "consents-due" => "Consents to go through with each person again.",
        "consent-recorded" => "Her word is recorded.",
        "assessment-recorded" => "Recorded. She need not tell it again.",
        "assessments" => "She was assessed before. Read it before you ask her anything again.",
        "relied-on" => "Noted.",
        "emergency-view" => "Emergency information. What you open is told to others now.",
        "emergencies" => {
            "Say what was done in each of these: follow-up ID --done CODE --she-now CODE."
        }
        "emergency-followed-up" => "Your officer sees it. It is not her consent.",
        "session-opened" => "You are signed in for ten minutes from your last request.",
        "proposed" => "Proposed. A person of another organisation must approve it.",
        "approved" => "Approved. It is in force.",
        "item-sealed" => {
            "Sealed. It waits for the adviser for fourteen days; nobody else can read it."
        }
        "waiting-items" => "What waits for you. Collect one with: collect ID --out FILE.",
        "advice-arranged" => "Advice is arranged.",
        "narrowed" => "Done. It is in force.",
        "queue-item" => "One item, and what the same user did around it, as far as you may see.",
        "flagged" => "Flagged. It opens nothing; it only tells you.",
        "seal-opened" => "This is your own name for her. Opening it again takes a new approval.",
        "entries" => "Entries of the log. That you read them is logged.",
        "subject-access-taken" => {
            "Taken. Tell her when it can be handed over, and how you will reach her safely."
        }
        "subject-access-moved" => "Written down.",
        "subject-access-list" => "What people asked of you, and what you are asked to reply to.",
        "subject-access-replied" => "Taken. Another of your people looks at each entry: redact.",
        "subject-access-looked" => "Written down. Two people who agree settle an entry.",
        "screened" => "Looked at. Nothing was kept.",
        "queue-decided" => {
            "Recorded: accept closes it, ask keeps it under investigation, escalate passes it on."
        }
        _ => return None,
    })
}

fn list<'a>(body: &'a Value, name: &str) -> &'a [Value] {
    body.get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn show(text: &mut String, depth: usize, name: &str, value: &Value) {
    let label = name.replace('_', " ");
    if depth > DEPTH_MAX {
        return;
    }
    match value {
        Value::Null => {}
        Value::Object(map) => {
            line(text, depth, &format!("{label}:"));
            for (name, value) in map {
                show(text, depth + 1, name, value);
            }
        }
        Value::Array(items) if items.is_empty() => line(text, depth, &format!("{label}: none")),
        Value::Array(items) if items.iter().all(is_plain) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            line(text, depth, &format!("{label}: {}", items.join(", ")));
        }
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                show(text, depth, &format!("{name} {}", number + 1), item);
            }
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            line(text, depth, &format!("{label}: {}", plain(value)));
        }
    }
}

fn is_plain(value: &Value) -> bool {
    !value.is_object() && !value.is_array()
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Null => "unknown".to_owned(),
        Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn line(text: &mut String, depth: usize, said: &str) {
    let clean: String = said
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    // A String takes everything.
    let _ = writeln!(text, "{:width$}{clean}", "", width = depth * 2);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_reply_is_told_in_plain_words() {
        let offered = json!({
            "result": "offered", "id": "7QF42KD", "status": "recorded",
            "pass_on_by": { "date": "2026-04-08" },
            "held": { "what": "note", "words": ["visa expired"],
                "says": "We found words about immigration: 'visa expired'.",
                "sentences": [{ "start": 0, "end": 17, "text": "Her visa expired." }],
                "suggestion": "Say what is needed.", "do": ["Word it anew."],
                "reference": "0000000000000000000000003G",
                "wrong": { "until": "2026-04-09T20:12:00Z" } },
            "date": "2026-04-02T20:12:00Z", "support_code": "AAAA-BBB", "receipt": "c2sp..."
        });
        insta::assert_snapshot!(tell(201, &offered), @r#"
        Recorded. Nothing that names her has been passed on.
        HELD: note
          We found words about immigration: 'visa expired'.
          You wrote: "Her visa expired."
          Instead: Say what is needed.
          Word it anew: firedoor client note 7QF42KD -
          Or have the service call you: firedoor client update 7QF42KD call_referrer
          If this was wrong, say so by 2026-04-09: firedoor client wrong 0000000000000000000000003G --because CODE (see --help)
        id: 7QF42KD
        status: recorded
        pass on by:
          date: 2026-04-08
        Support code AAAA-BBB, at 2026-04-02T20:12:00Z
        "#);
    }

    #[test]
    fn a_refusal_names_each_field_and_what_to_do() {
        let refused = json!({
            "type": "https://firedoor.example/problems/check-your-answers",
            "title": "check-your-answers", "status": 422,
            "detail": "Some answers need another look.",
            "fields": [{ "field": "birth_date", "message": "this is in the future" }],
        });
        insta::assert_snapshot!(tell(422, &refused), @r"
        Not done.
        Some answers need another look.
          birth_date: this is in the future
        ");
    }

    #[test]
    fn nothing_in_a_reply_steers_the_terminal() {
        let said = tell(
            200,
            &json!({ "note": "a\u{1b}[2Jb", "list": [{ "x\u{7}": "\r" }] }),
        );
        assert!(!said.chars().any(|c| c.is_control() && c != '\n'));
    }
}
