//! How it is safe to reach her: the questions, and the answers as the one who calls her reads them.

use maud::{Markup, html};
use serde_json::{Map, Value, json};

use crate::web::form::{Errors, Field, Form};
use crate::web::visit::{list, text};
use crate::web::words::referral::languages;
use crate::web::words::{day, number, say};

/// The ways that the API takes.
const MODES: [(&str, &str); 6] = [
    ("phone", "Phone call"),
    ("text", "Text message"),
    ("email", "E-mail"),
    ("letter", "Letter"),
    ("via_worker", "Through a worker she trusts"),
    ("in_person", "In person"),
];

const ALLOWED: [(&str, &str); 2] = [
    (
        "safe_contact.voicemail",
        "A message may be left on voicemail",
    ),
    ("safe_contact.letters", "A letter may be sent"),
];

pub fn fields(form: &Form, errors: &Errors) -> Markup {
    let line = |name, label, hint, longest| Field {
        name,
        label,
        hint,
        longest,
        ..Field::default()
    };
    let modes = Field {
        name: "safe_contact.modes",
        label: "Which ways are safe?",
        hint: "Tick only what she said is safe. A text message can be read by somebody else.",
        ..Field::default()
    };
    let number = Field {
        name: "safe_contact.number",
        label: "Number, for calls or texts",
        hint: "For example, 07700 900123.",
        inputmode: "tel",
        width: 20,
        longest: 32,
        ..Field::default()
    };
    let language = Field {
        name: "safe_contact.language_need",
        label: "Language to speak with her in, if not English",
        hint: "Only the service that accepts her is told.",
        ..Field::default()
    };
    html! {
        (modes.boxes(form, errors, &MODES))
        (number.text(form, errors))
        (Field { width: 20, ..line("safe_contact.email", "E-mail address, if e-mail is safe", "", 254) }
            .text(form, errors))
        (line("safe_contact.hours", "When is it safe?", "For example: weekdays, 10am to 2pm.", 64)
            .text(form, errors))
        (line(
            "safe_contact.who_may_answer",
            "Who may answer?",
            "If a stranger or the abuser answers, what should the caller do?",
            64,
        ).text(form, errors))
        (line(
            "safe_contact.code_word",
            "What should the caller say?",
            "Words that give nothing away, such as: about your library card.",
            32,
        ).text(form, errors))
        fieldset.field {
            legend { "What else did she allow?" }
            p.hint { "If you do not tick it, it is never done." }
            @for (name, label) in ALLOWED {
                (Field { name, label, ..Field::default() }.tick(form, errors))
            }
        }
        (language.select(form, errors, languages()))
    }
}

/// As the API takes it; `None` if nothing was answered.
pub fn body(form: &Form) -> Option<Value> {
    let mut map = Map::new();
    for key in [
        "number",
        "email",
        "hours",
        "who_may_answer",
        "code_word",
        "language_need",
    ] {
        if let Some(value) = form.said(&format!("safe_contact.{key}")) {
            map.insert(key.to_owned(), json!(value));
        }
    }
    let modes: Vec<&str> = form.all("safe_contact.modes").collect();
    let ticked = |name: &str| form.get(name) == "yes";
    let voicemail = ticked("safe_contact.voicemail");
    let letters = ticked("safe_contact.letters");
    if map.is_empty() && modes.is_empty() && !voicemail && !letters {
        return None;
    }
    // Each way is asked for once: whoever ticked texts allowed them.
    map.insert("text".to_owned(), json!(modes.contains(&"text")));
    map.insert(
        "letters".to_owned(),
        json!(letters || modes.contains(&"letter")),
    );
    map.insert("voicemail".to_owned(), json!(voicemail));
    map.insert("modes".to_owned(), json!(modes));
    Some(Value::Object(map))
}

/// What the one who calls her must see: large, and what is not allowed in words.
pub fn shown(contact: &Value) -> Markup {
    let said = |key: &str| text(contact, key);
    let allowed = |key: &str| {
        contact
            .get(key)
            .and_then(Value::as_bool)
            .unwrap_or_default()
    };
    let modes: Vec<String> = list(contact, "modes")
        .iter()
        .filter_map(Value::as_str)
        .map(say)
        .collect();
    let rule = |may: bool, yes: &'static str, no: &'static str| if may { yes } else { no };
    html! {
        dl.rows.large {
            dt { "Safe ways" } dd { (modes.join(", ")) }
            @if !said("number").is_empty() {
                dt { "Number" } dd.number { (number(said("number"))) }
            }
            @if !said("email").is_empty() { dt { "E-mail" } dd { (said("email")) } }
            dt { "When" } dd { (or(said("hours"), "Not said: ask her")) }
            dt { "Who may answer" } dd { (or(said("who_may_answer"), "Not said: speak to nobody but her")) }
            dt { "What to say" } dd { (or(said("code_word"), "Not said: do not say where you call from")) }
            dt { "Voicemail" } dd { (rule(allowed("voicemail"), "A message may be left", "Never leave a message")) }
            dt { "Texts" } dd { (rule(allowed("text"), "Texts are safe", "Never send a text")) }
            dt { "Letters" } dd { (rule(allowed("letters"), "Letters are safe", "Never write to her")) }
        }
        @if contact.get("checked").and_then(Value::as_bool) == Some(false) {
            div.wait { p { "Nobody has asked her whether this is safe. Take the greatest care." } }
        } @else if !said("last_checked_at").is_empty() {
            p.hint { "She was last asked on " (day(said("last_checked_at"))) "." }
        }
    }
}

fn or<'a>(value: &'a str, otherwise: &'a str) -> &'a str {
    if value.is_empty() { otherwise } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_allowed_is_forbidden_in_words() {
        let shown = shown(&json!({
            "modes": ["phone"], "number": "+447700900123", "voicemail": false, "text": false,
            "letters": false, "checked": true,
        }))
        .0;
        for words in [
            "07700 900123",
            "Never leave a message",
            "Never send a text",
            "speak to nobody but her",
        ] {
            assert!(shown.contains(words), "{words}");
        }
    }

    #[test]
    fn a_way_that_was_ticked_is_allowed_and_nothing_else() {
        let form = Form::parse(b"safe_contact.modes=text&safe_contact.number=07700900123");
        let body = body(&form).unwrap();
        assert_eq!(body["text"], true);
        assert_eq!(body["letters"], false);
        assert_eq!(body["voicemail"], false);
        assert!(super::body(&Form::default()).is_none());
    }
}
