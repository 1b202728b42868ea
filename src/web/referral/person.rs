//! Who she is, as a form asks for it, and whom she is to be kept safe from.

use maud::{Markup, html};
use serde_json::{Map, Value, json};

use crate::domain::codes::{OtherPartyRisk, Relation, YesNoUnknown};
use crate::web::form::{Errors, Field, Form};
use crate::web::her;
use crate::web::words::{options, pairs};

/// What is asked of who she is.
const KEYS: [&str; 6] = [
    "given_name",
    "family_name",
    "other_names",
    "birth_date",
    "sex",
    "nhs_number",
];

/// The sexes that the API takes.
const SEXES: [(&str, &str); 5] = [
    ("female", "Female"),
    ("male", "Male"),
    ("other", "Other"),
    ("declined", "Did not want to say"),
    ("unknown", "Not known"),
];

/// What is asked of her. No status, no nationality, no address: none of it is needed.
pub fn fields(form: &Form, errors: &Errors) -> Markup {
    missing_fields(&Value::Null, form, errors).unwrap_or_default()
}

/// Of these, what is not known of her yet; `None` if all of it is.
pub fn missing_fields(known: &Value, form: &Form, errors: &Errors) -> Option<Markup> {
    let wanted = |key: &str| !is_known(known, key);
    if !KEYS.into_iter().any(wanted) {
        return None;
    }
    let line = |name, label, hint| Field {
        name,
        label,
        hint,
        width: 20,
        longest: 100,
        ..Field::default()
    };
    let born = Field {
        name: "identity.birth_date",
        label: "Date of birth",
        hint: "For example, 27 3 1988. Leave it empty if it is not known.",
        ..Field::default()
    };
    let sex = Field {
        name: "identity.sex",
        label: "Sex (optional)",
        ..Field::default()
    };
    Some(html! {
        @if wanted("given_name") { (line("identity.given_name", "First name", "").text(form, errors)) }
        @if wanted("family_name") { (line("identity.family_name", "Last name", "").text(form, errors)) }
        @if wanted("other_names") {
            (line("identity.other_names", "Other names she uses (optional)", "").text(form, errors))
        }
        @if wanted("birth_date") { (born.date(form, errors)) }
        @if wanted("sex") { (sex.select(form, errors, &SEXES)) }
        @if wanted("nhs_number") {
            (line("identity.nhs_number", "NHS number (optional)", "Ten digits.").text(form, errors))
        }
    })
}

fn is_known(known: &Value, key: &str) -> bool {
    match known.get(key) {
        None | Some(Value::Null) => false,
        Some(Value::Array(names)) => !names.is_empty(),
        Some(_) => true,
    }
}

/// What is known of her, and what was filled in where it was not.
pub fn completed(known: &Value, form: &Form) -> Value {
    let mut whole = body(form);
    for key in KEYS.into_iter().filter(|key| is_known(known, key)) {
        if let Some(value) = known.get(key) {
            her::put(&mut whole, key, value.clone());
        }
    }
    whole
}

/// A sex in words.
pub fn sex(code: &str) -> &str {
    let found = SEXES.iter().find(|(known, _)| *known == code);
    found.map_or(code, |(_, words)| words)
}

/// The crime reference, from those who have one.
pub fn crime_reference(form: &Form, errors: &Errors) -> Markup {
    let field = Field {
        name: "identity.crime_ref",
        label: "Crime reference (optional)",
        width: 20,
        longest: 32,
        ..Field::default()
    };
    field.text(form, errors)
}

pub fn body(form: &Form) -> Value {
    let mut map = Map::new();
    for key in [
        "given_name",
        "family_name",
        "sex",
        "nhs_number",
        "crime_ref",
    ] {
        if let Some(value) = form.said(&format!("identity.{key}")) {
            map.insert(key.to_owned(), json!(value));
        }
    }
    if let Some(born) = form.date("identity.birth_date") {
        map.insert("birth_date".to_owned(), json!(born));
    }
    if let Some(other) = form.said("identity.other_names") {
        map.insert("other_names".to_owned(), json!([other]));
    }
    Value::Object(map)
}

/// Whom she is to be kept safe from.
pub fn other_party_fields(form: &Form, errors: &Errors) -> Markup {
    let line = |name, label| Field {
        name,
        label,
        width: 20,
        longest: 100,
        ..Field::default()
    };
    let born = Field {
        name: "other_party.birth_date",
        label: "Date of birth, if known",
        ..Field::default()
    };
    let relation = Field {
        name: "other_party.relation",
        label: "What is this person to her?",
        ..Field::default()
    };
    let shares = Field {
        name: "other_party.shares_address",
        label: "Do they live at one address?",
        ..Field::default()
    };
    let risks = Field {
        name: "other_party.risks",
        label: "What makes this person dangerous to her? (optional)",
        ..Field::default()
    };
    html! {
        (line("other_party.given_name", "First name").text(form, errors))
        (line("other_party.family_name", "Last name").text(form, errors))
        (born.date(form, errors))
        (relation.select(form, errors, &pairs(&options(Relation::ALL.iter().map(|one| one.code())))))
        (shares.radios(form, errors, &pairs(&options(YesNoUnknown::ALL.iter().map(|one| one.code())))))
        (risks.boxes(form, errors, &pairs(&options(OtherPartyRisk::ALL.iter().map(|one| one.code())))))
    }
}

/// The other party, if anything was said of one.
pub fn other_party_body(form: &Form) -> Option<Value> {
    let mut map = Map::new();
    for key in ["given_name", "family_name", "relation", "shares_address"] {
        if let Some(value) = form.said(&format!("other_party.{key}")) {
            map.insert(key.to_owned(), json!(value));
        }
    }
    if let Some(born) = form.date("other_party.birth_date") {
        map.insert("birth_date".to_owned(), json!(born));
    }
    let risks: Vec<&str> = form.all("other_party.risks").collect();
    if !risks.is_empty() {
        map.insert("risks".to_owned(), json!(risks));
    }
    if map.is_empty() {
        return None;
    }
    let unknown = || json!(Relation::Unknown.code());
    map.entry("relation").or_insert_with(unknown);
    Some(Value::Object(map))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_known_of_her_is_asked_and_what_is_known_cannot_be_overwritten() {
        let known = json!({
            "given_name": "Amina", "family_name": "Karim", "other_names": [], "sex": null,
            "birth_date": "1991-03-14", "nhs_number": "999 000 0018", "crime_ref": "X1",
        });
        let none = (Form::default(), Errors::default());
        let shown = missing_fields(&known, &none.0, &none.1).unwrap().0;
        assert!(shown.contains("identity.sex") && shown.contains("identity.other_names"));
        for name in ["given_name", "birth_date", "nhs_number", "Amina"] {
            assert!(!shown.contains(name), "{name}: {shown}");
        }
        let form = Form::parse(b"identity.sex=female&identity.given_name=Berit");
        assert_eq!(
            completed(&known, &form),
            json!({
                "given_name": "Amina", "family_name": "Karim", "birth_date": "1991-03-14",
                "nhs_number": "999 000 0018", "sex": "female",
            })
        );
        let mut whole = known;
        whole["sex"] = json!("female");
        whole["other_names"] = json!(["Mina"]);
        assert!(missing_fields(&whole, &none.0, &none.1).is_none());
    }
}
