//! Her word, as a form asks for it: two big choices, and how she gave it.

use maud::{Markup, html};
use serde_json::{Map, Value, json};

use crate::web::form::{Errors, Field, Form, element};
use crate::web::her;
use crate::web::words::beginning;

const DECISION: &str = "consent.decision";

/// "She agrees" and "She does not want this", as big as each other.
pub fn decision(
    form: &Form,
    errors: &Errors,
    question: &str,
    agrees: &str,
    declines: &str,
) -> Markup {
    let choices = [
        ("permit", "She agrees", agrees),
        ("deny", "She does not want this", declines),
    ];
    let id = element(DECISION);
    let error = errors.of(DECISION);
    html! {
        fieldset.field.wide.wrong[error.is_some()]
            aria-describedby=[error.map(|_| format!("{id}-error"))] {
            legend { (question) }
            @if let Some(message) = error {
                p.error id=(format!("{id}-error")) { span.away { "Error: " } (message) }
            }
            div.two {
                @for (place, (value, label, says)) in choices.iter().enumerate() {
                    @let id = if place == 0 { id.clone() } else { format!("{id}-{place}") };
                    div.choice {
                        input id=(id) type="radio" name=(DECISION) value=(value)
                            checked[form.has(DECISION, value)] aria-describedby=(format!("{id}-says"));
                        div {
                            label for=(id) { (label) }
                            p.hint id=(format!("{id}-says")) { (says) }
                        }
                    }
                }
            }
        }
    }
}

/// How she said it, and when.
pub fn how(form: &Form, errors: &Errors) -> Markup {
    let given_at = Field {
        name: "consent.given_at",
        label: "When did she say it?",
        hint: "Leave this empty if it was just now.",
        ..Field::default()
    };
    html! {
        (her::how_she_said_it(form, errors))
        (given_at.date(form, errors))
    }
}

/// The parent under whom a child is recorded, as it is asked for.
pub fn child_of_fields(form: &Form, errors: &Errors) -> Markup {
    let said = |name, label| Field {
        name,
        label,
        width: 20,
        longest: 100,
        ..Field::default()
    };
    html! {
        p.hint { "What another parent says of the child is kept apart. The name is told to nobody." }
        (said("child_of.given_name", "First name").text(form, errors))
        (said("child_of.family_name", "Last name").text(form, errors))
        (said("child_of.birth_date", "Date of birth, if known").date(form, errors))
    }
}

/// As the API takes it; `None` if she was not asked.
pub fn body(form: &Form) -> Option<Value> {
    let mut word = her::her_word(form, form.said(DECISION)?);
    if let Some(day) = form.date("consent.given_at") {
        her::put(&mut word, "given_at", json!(beginning(&day)));
    }
    Some(word)
}

/// The parent under whom a child is recorded.
pub fn child_of(form: &Form) -> Option<Value> {
    let mut map = Map::new();
    for key in ["given_name", "family_name"] {
        if let Some(value) = form.said(&format!("child_of.{key}")) {
            map.insert(key.to_owned(), json!(value));
        }
    }
    if let Some(born) = form.date("child_of.birth_date") {
        map.insert("birth_date".to_owned(), json!(born));
    }
    (!map.is_empty()).then_some(Value::Object(map))
}

/// What is missing of her word, before the API is asked.
pub fn missing(form: &Form, errors: &mut Errors) {
    if form.said("consent.how").is_none() {
        errors.add("consent.how", "Say how she said it");
    }
    if form.said("consent.other_party_present").is_none() {
        errors.add(
            "consent.other_party_present",
            "Say whether the other party was there",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_in_the_past_counts_from_its_beginning_so_that_a_later_no_stands() {
        let form = Form::parse(
            b"consent.decision=permit&consent.how=spoken&consent.other_party_present=no\
              &consent.given_at-day=2&consent.given_at-month=4&consent.given_at-year=2026",
        );
        let body = body(&form).unwrap();
        assert_eq!(body["given_at"], "2026-04-01T23:00:00Z");
    }

    #[test]
    fn whoever_was_not_asked_has_said_nothing() {
        assert!(body(&Form::parse(b"consent.how=spoken")).is_none());
    }
}
