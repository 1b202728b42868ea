//! Her word, as a form asks for it: two big choices, and how she gave it.

use maud::{Markup, html};
use serde_json::{Map, Value, json};

use crate::domain::codes::{Competence, ConsentHow, GivenBy, Parent, YesNoUnknown};
use crate::web::form::{Errors, Field, Form, element};
use crate::web::words::referral::languages;
use crate::web::words::{beginning, options, pairs};

const DECISION: &str = "consent.decision";

const INTERPRETERS: [(&str, &str); 3] = [
    ("none", "None"),
    ("professional", "A professional interpreter"),
    ("family", "A relative or friend"),
];

const WHOSE: [(&str, &str); 3] = [
    ("adult", "She is an adult and spoke for herself"),
    (
        "gillick_competent",
        "She is a child who understands, and spoke for herself",
    ),
    (
        "parent_for_child",
        "She is a child who cannot, and a parent or guardian spoke",
    ),
];

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

/// How she said it.
pub fn how(form: &Form, errors: &Errors) -> Markup {
    let field = |name, label, hint| Field {
        name,
        label,
        hint,
        ..Field::default()
    };
    html! {
        (field("consent.how", "How did she say it?", "")
            .radios(form, errors, &pairs(&options(ConsentHow::ALL.iter().map(|one| one.code())))))
        (field("consent.other_party_present", "Was the other party there, or that person's family?", "If so, ask her again alone when you can.")
            .radios(form, errors, &pairs(&options(YesNoUnknown::ALL.iter().map(|one| one.code())))))
        (field("consent.interpreter", "Who interpreted?", "")
            .radios(form, errors, &INTERPRETERS))
        (field("consent.language", "In which language did you ask her?", "")
            .select(form, errors, languages()))
        (field("consent.given_at", "When did she say it?", "Leave this empty if it was just now.")
            .date(form, errors))
    }
}

/// Whose word it was, if she is a child.
pub fn whose(form: &Form, errors: &Errors) -> Markup {
    let field = |name, label, hint| Field {
        name,
        label,
        hint,
        ..Field::default()
    };
    let said = |name, label| Field {
        width: 20,
        longest: 100,
        ..field(name, label, "")
    };
    let parents = options(Parent::ALL.iter().map(|one| one.code()));
    html! {
        (field("consent.competence", "Whose word is it?", "").radios(form, errors, &WHOSE))
        (field("consent.parent", "Who spoke for the child?", "").select(form, errors, &pairs(&parents)))
        (field(
            "consent.parent_is_other_party",
            "Is the child to be kept safe from that person?",
            "If so, or if you do not know, that person never speaks for the child.",
        ).radios(form, errors, &pairs(&options(YesNoUnknown::ALL.iter().map(|one| one.code())))))
        fieldset.field {
            legend { "The parent whose referral this is" }
            p.hint { "What another parent says of the child is kept apart. The name is told to nobody." }
            (said("child_of.given_name", "First name").text(form, errors))
            (said("child_of.family_name", "Last name").text(form, errors))
            (field("child_of.birth_date", "Date of birth, if known", "").date(form, errors))
        }
    }
}

/// As the API takes it; `None` if she was not asked.
pub fn body(form: &Form) -> Option<Value> {
    let decision = form.said(DECISION)?;
    let mut map = Map::new();
    map.insert("decision".to_owned(), json!(decision));
    // Wanted by the API, which says so if they are empty.
    for key in ["how", "other_party_present"] {
        let value = form.get(&format!("consent.{key}"));
        map.insert(key.to_owned(), json!(value));
    }
    for key in [
        "language",
        "interpreter",
        "competence",
        "parent",
        "parent_is_other_party",
    ] {
        if let Some(value) = form.said(&format!("consent.{key}")) {
            map.insert(key.to_owned(), json!(value));
        }
    }
    let for_child = form.get("consent.competence") == Competence::ParentForChild.code();
    if for_child {
        let parent = GivenBy::ParentGuardian.code();
        map.insert("given_by".to_owned(), json!(parent));
    }
    if let Some(day) = form.date("consent.given_at") {
        map.insert("given_at".to_owned(), json!(beginning(&day)));
    }
    Some(Value::Object(map))
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
