//! What several pages ask in the same way: who she is, and what she said. And of a reply: the words
//! that the API has for programs, as a person reads them.

use maud::{Markup, html};
use serde_json::Map;
use serde_json::{Value, json};

use super::form::{Errors, Field, Form};
use super::page;
use super::referral::person;
use super::visit::{Reply, Stop, Visit};
use super::words::referral::languages;
use crate::domain::codes::Role;
use crate::domain::refusal::Refusal;

/// Those who support her, as `policies/30-assessment.cedar` names them.
pub const SUPPORT: &[Role] = &[
    Role::Triage,
    Role::Adviser,
    Role::Clinician,
    Role::EdSenior,
    Role::SocialWorker,
    Role::Housing,
];

/// What the path names, as part of a path of the API: an id of ours has no other letters.
///
/// # Errors
/// It can be no id, so there is no such page.
pub fn id(visit: &Visit) -> Result<&str, Stop> {
    plain(visit.id())
}

/// The same of an id that a form carried.
///
/// # Errors
/// It can be no id.
pub fn plain(id: &str) -> Result<&str, Stop> {
    let well =
        !id.is_empty() && id.len() <= 64 && id.bytes().all(|one| one.is_ascii_alphanumeric());
    well.then_some(id).ok_or(Stop::Refused(Refusal::NotFound))
}

/// Says in a body whom it is about: the reference in the path, or who she is, as typed.
pub fn name_her(visit: &Visit, body: &mut Value) {
    let id = visit.id();
    if id.is_empty() {
        put(body, "identity", identity(visit.form()));
    } else {
        put(body, "person", json!(id));
    }
}

/// One more field of an object.
pub fn put(body: &mut Value, key: &str, value: Value) {
    if let Value::Object(map) = body {
        map.insert(key.to_owned(), value);
    }
}

/// What else of her finds the right record.
const MORE: [(&str, &str, &str); 3] = [
    ("identity.phone", "Her telephone number", "tel"),
    ("identity.email", "Her e-mail address", "email"),
    ("identity.postcode", "Her postcode", ""),
];

/// Who she is, typed in.
pub fn who(form: &Form, errors: &Errors) -> Markup {
    let is_open = MORE
        .iter()
        .any(|(name, _, _)| form.said(name).is_some() || errors.of(name).is_some());
    html! {
        (person::fields(form, errors))
        details open[is_open] {
            summary { "More that helps to find the right person" }
            @for (name, label, inputmode) in MORE {
                (Field { name, label, inputmode, width: 20, longest: 120, ..Field::default() }
                    .text(form, errors))
            }
        }
    }
}

/// Who she is, for the API: what was filled in and nothing else.
pub fn identity(form: &Form) -> Value {
    let mut body = person::body(form);
    for name in ["phone", "email"] {
        if let Some(value) = form.said(&format!("identity.{name}")) {
            put(&mut body, name, json!([value]));
        }
    }
    if let Some(value) = form.said("identity.postcode") {
        put(&mut body, "postcode", json!(value));
    }
    body
}

/// Who she is, for the next step of the same form: never in a link.
pub fn carried(form: &Form) -> Markup {
    const PARTS: [&str; 8] = [
        "given_name",
        "family_name",
        "other_names",
        "nhs_number",
        "sex",
        "birth_date-day",
        "birth_date-month",
        "birth_date-year",
    ];
    let names = PARTS.map(|part| format!("identity.{part}"));
    let more = MORE.iter().map(|(name, _, _)| *name);
    html! {
        @for name in names.iter().map(String::as_str).chain(more) {
            @if let Some(value) = form.said(name) {
                input type="hidden" name=(name) value=(value);
            }
        }
    }
}

/// How she said it: asked with every yes and every no.
pub fn how_she_said_it(form: &Form, errors: &Errors) -> Markup {
    how(form, form, errors)
}

/// The same at a further step, where most is as it was before; whether he was there is asked anew.
pub fn how_she_says_it_now(form: &Form) -> Markup {
    how(form, &Form::default(), &Errors::default())
}

fn how(form: &Form, there: &Form, errors: &Errors) -> Markup {
    let field = |name, label, hint| Field {
        name,
        label,
        hint,
        ..Field::default()
    };
    let for_child = [
        "consent.competence",
        "consent.parent",
        "consent.parent_is_other_party",
    ]
    .iter()
    .any(|name| errors.of(name).is_some())
        || !matches!(form.get("consent.competence"), "" | "adult");
    html! {
        (field("consent.other_party_present", "Was he there, or could he hear?",
               "He, or whoever she is to be kept safe from.")
            .radios(there, errors, &[("no", "No"), ("yes", "Yes"), ("unknown", "I cannot tell")]))
        (field("consent.how", "How did she say it?", "")
            .radios(form, errors, &[
                ("spoken", "She said it"), ("written", "She wrote it"),
                ("bsl", "In British Sign Language"), ("digital", "On a screen"),
            ]))
        (field("consent.language", "In which language?", "").select(form, errors, languages()))
        (field("consent.interpreter", "Who interpreted?",
               "A relative or a friend must not interpret this.")
            .radios(form, errors, &[
                ("none", "Nobody: we share a language"),
                ("professional", "A professional interpreter"),
                ("family", "A relative or a friend"),
            ]))
        details open[for_child] {
            summary { "She is under 18, or somebody speaks for her" }
            (field("consent.competence", "Whose word is it?", "")
                .radios(form, errors, &[
                    ("adult", "Her own: she is an adult"),
                    ("gillick_competent", "Her own: she is under 18 and understands what she decides"),
                    ("parent_for_child", "A parent or guardian, for a child who cannot decide this"),
                ]))
            (field("consent.parent", "Who speaks for the child?", "")
                .radios(form, errors, &[
                    ("mother", "Mother"), ("father", "Father"), ("guardian", "Guardian"),
                    ("local_authority", "Local authority"),
                ]))
            (field("consent.parent_is_other_party", "Is the child to be kept safe from that parent?",
                   "Such a parent never speaks for the child.")
                .radios(form, errors, &[("no", "No"), ("yes", "Yes"), ("unknown", "I cannot tell")]))
        }
    }
}

/// How she said it, for the API; `decision` is `permit` or `deny`.
pub fn her_word(form: &Form, decision: &str) -> Value {
    let mut map = Map::new();
    let mut put = |name: &str, value: &str| map.insert(name.to_owned(), json!(value));
    put("decision", decision);
    put("how", form.get("consent.how"));
    put(
        "other_party_present",
        form.get("consent.other_party_present"),
    );
    for name in [
        "language",
        "interpreter",
        "competence",
        "parent",
        "parent_is_other_party",
        "notice_version",
    ] {
        if let Some(value) = form.said(&format!("consent.{name}")) {
            put(name, value);
        }
    }
    if form.get("consent.competence") == "parent_for_child" {
        put("given_by", "parent_guardian");
    }
    Value::Object(map)
}

/// The words that are read to her. Before she decides: with a box that they were, which gives their
/// name with her answer.
///
/// # Errors
/// The API could not be asked.
pub async fn read_to_her(visit: &Visit, notice: &str, before: bool) -> Result<Markup, Stop> {
    let reply = visit.get("/v1/notices").await?;
    let found = reply.list("/notices").iter().find(|one| {
        let name = one.get("name").and_then(Value::as_str).unwrap_or_default();
        let ended = one.get("ended") == Some(&Value::Bool(true));
        let of_it = name
            .strip_prefix(notice)
            .and_then(|rest| rest.strip_prefix('-'));
        of_it.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit())) && !ended
    });
    let text = |pointer: &str| {
        found
            .and_then(|one| one.pointer(pointer))
            .and_then(Value::as_str)
    };
    Ok(html! {
        @if let Some(words) = text("/text/en") {
            div.notice {
                h2 { "Read this to her" }
                blockquote lang="en" { (words) }
            }
            @if let (true, Some(name)) = (before, text("/name")) {
                div.choice.field {
                    input id=(name) type="checkbox" name="consent.notice_version" value=(name)
                        checked[visit.form().has("consent.notice_version", name)];
                    label for=(name) { "I read her these words" }
                }
            }
        }
    })
}

/// Where a field of the API about who she is stands in our forms.
pub fn ours(field: &str) -> String {
    let field = match field {
        "identity" | "identity.identity" => "given_name",
        "requester_identity" => "requester_identity.given_name",
        other => other,
    };
    let name = field.split(['[', '.']).next().unwrap_or_default();
    match name {
        "given_name" | "family_name" | "other_names" | "birth_date" | "sex" | "nhs_number"
        | "crime_ref" | "phone" | "email" | "postcode" => format!("identity.{field}"),
        _ => field.to_owned(),
    }
}

/// What is wrong with each field of our forms.
pub fn errors(reply: &Reply) -> Errors {
    errors_at(reply, ours)
}

/// The same for a form that asks for a field elsewhere.
pub fn errors_at(reply: &Reply, place: impl Fn(&str) -> String) -> Errors {
    let mut errors = Errors::default();
    for (field, message) in reply.errors().0 {
        let field = place(&field);
        // One list of boxes is one field, however many of its codes are wrong.
        if !errors.0.contains(&(field.clone(), message.clone())) {
            errors.add(&field, &message);
        }
    }
    errors
}

/// Above a form that comes back.
pub fn above(reply: &Reply, errors: &Errors) -> Markup {
    if errors.is_empty() {
        page::trouble(reply)
    } else {
        page::summary(errors)
    }
}

/// What the caller's own form gives reason to say, such as that he was there.
pub fn warning(reply: &Reply) -> Markup {
    let warning = reply.text("/warning");
    html! { @if !warning.is_empty() { div.wait { p { (warning) } } } }
}

/// What can be done for a person whom the organisation knows, by its own reference of her.
pub fn acts(role: Role, person: &str) -> Markup {
    let supports = SUPPORT.contains(&role);
    let gives_cards = matches!(
        role,
        Role::Triage
            | Role::Adviser
            | Role::Clinician
            | Role::SocialWorker
            | Role::Housing
            | Role::LegalAdviser
    );
    html! {
        ul.places {
            @if supports {
                li { a href=(format!("/ask/{person}")) { "Ask what was assessed before" } }
                li { a href=(format!("/record/{person}")) { "Record an assessment" } }
                li { a href=(format!("/recorded/{person}")) { "What we assessed" } }
            }
            li { a href=(format!("/consent/{person}")) { "Record what she agrees to, or refuses" } }
            @if gives_cards { li { a href=(format!("/card/{person}")) { "Give her a card" } } }
            li { a href=(format!("/stop/{person}")) { "She wants to stop something" } }
        }
    }
}

/// Lines of a text, the empty ones left out.
pub fn lines(text: &str) -> Vec<&str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_filled_in_is_said_of_her() {
        let form = Form::parse(
            b"identity.given_name=Amina&identity.family_name=&identity.birth_date-day=14&identity.birth_date-month=3&identity.birth_date-year=1991&identity.phone=07700+900123",
        );
        assert_eq!(
            identity(&form),
            json!({ "given_name": "Amina", "birth_date": "1991-03-14", "phone": ["07700 900123"] })
        );
    }

    #[test]
    fn what_is_no_id_of_ours_never_reaches_a_path_of_the_api() {
        for odd in ["", "../consents", "a/b", "a%2fb", "a?b", "é"] {
            assert!(plain(odd).is_err(), "{odd}");
        }
        assert!(plain("0123456789ABCDEFGHJKMNPQRS").is_ok());
    }

    #[test]
    fn what_is_carried_to_the_next_step_is_inert() {
        let form = Form::parse(b"identity.given_name=%22%3E%3Cscript%3E");
        let shown = carried(&form).0;
        assert!(!shown.contains("<script>"), "{shown}");
    }

    #[test]
    fn what_is_wrong_stands_at_the_field_of_the_form() {
        let reply = Reply {
            status: 422,
            body: json!({ "title": "check-your-answers", "fields": [
                { "field": "grade", "message": "this is not a code we know; GET /v1/codes lists them" },
                { "field": "identity", "message": "give at least a name" },
                { "field": "phone[0]", "message": "must be a telephone number" },
                { "field": "requester_identity", "message": "say who asks" },
                { "field": "requester_identity.birth_date", "message": "is no day" },
            ] }),
        };
        let errors = errors(&reply);
        for (field, message) in [
            ("grade", "Choose one of these"),
            ("identity.given_name", "Give at least a name"),
            ("identity.phone", "Must be a telephone number"),
            ("requester_identity.given_name", "Say who asks"),
            ("requester_identity.birth_date", "Is no day"),
        ] {
            assert_eq!(errors.of(field), Some(message), "{field}");
        }
    }

    #[test]
    fn a_person_is_named_by_what_was_filled_in() {
        let form = Form::parse(
            b"identity.family_name=Karim&identity.given_name=&identity.birth_date-day=14\
              &identity.birth_date-month=3&identity.birth_date-year=1991\
              &identity.phone=07700+900123",
        );
        assert_eq!(
            identity(&form),
            json!({
                "family_name": "Karim", "birth_date": "1991-03-14", "phone": ["07700 900123"],
            })
        );
    }
}
