//! There is no place for immigration data and none for a file: the description of the API is walked,
//! every form is closed, and each POST is tried with what people would send.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::collections::BTreeSet;

use axum::http::Method;
use firedoor::domain::refusal::NO_ATTACHMENTS;
use serde_json::{Value, json};

use crate::town::{Town, new_key};

/// Parts of words that nothing in the API may be called, offer as a value, or explain.
const FORBIDDEN: [&str; 27] = [
    "immigra",
    "national",
    "citizen",
    "visa",
    "passport",
    "asylum",
    "refugee",
    "nrpf",
    "recourse",
    "home office",
    "home_office",
    "ukvi",
    "border",
    "deport",
    "overstay",
    "leave to remain",
    "indefinite leave",
    "settled status",
    "evisa",
    "biometric",
    "ethnic",
    "religio",
    "spouse",
    "mvdac",
    "ddvc",
    "country of",
    "place of birth",
];

/// The sentences and codes that may use such a word: each says that there is none, or is about a
/// team and not about a person.
const ALLOWED: [&str; 8] = [
    "There is no field for immigration status.",
    "A referral. There is no field for immigration status, nationality or visa, and none is taken.",
    "\"You may not pass this on for immigration purposes\": `true` accepts it.",
    "What is taken by agreement may not be passed on for immigration purposes: `true` accepts\nit for as long as the agreement lasts.",
    "The organisation as a whole hosts no immigration enforcement any more.",
    "hosts_home_office",
    "uses_nrpf_connect",
    "immigration_joint_op",
];

/// Parts of names under which a file would travel. `profile` and the like are not words of the API.
const FILES: [&str; 14] = [
    "attach", "file", "document", "upload", "download", "image", "photo", "picture", "scan",
    "blob", "base64", "url", "uri", "media",
];

/// A text of the document that is shown to people or programs, with the path to it.
fn texts(at: &str, value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                let at = format!("{at}/{name}");
                // The name of a property, a path, a schema or a parameter is a text as well.
                found.push((at.clone(), name.clone()));
                texts(&at, inner, found);
            }
        }
        Value::Array(list) => {
            for (place, inner) in list.iter().enumerate() {
                texts(&format!("{at}/{place}"), inner, found);
            }
        }
        Value::String(text) => found.push((at.to_owned(), text.clone())),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

async fn document(town: &Town) -> Value {
    let officer = town.desk("met").await;
    officer.get("/v1/openapi.json").await.body
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_value_or_sentence_of_the_api_is_about_immigration() {
    let town = Town::start().await;
    let mut found = Vec::new();
    let mut described = document(&town).await;
    // The code lists are part of what a form may hold.
    let codes = town.desk("met").await.get("/v1/codes").await.body;
    assert!(codes["need"].as_array().unwrap().len() > 10);
    described["codes"] = codes;
    texts("", &described, &mut found);
    assert!(found.len() > 500);
    for (at, text) in found {
        let text = text.replace(ALLOWED[0], "");
        if ALLOWED.contains(&text.trim()) {
            continue;
        }
        let low = text.to_lowercase();
        for word in FORBIDDEN {
            assert!(!low.contains(word), "{at}: {word} in {text:?}");
        }
    }
    town.stop().await;
}

/// The schemas that a request may hold, by name.
fn taken(document: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut look = vec![];
    for path in document["paths"].as_object().unwrap().values() {
        for operation in path.as_object().unwrap().values() {
            look.push(operation["requestBody"].clone());
        }
    }
    while let Some(value) = look.pop() {
        let mut found = Vec::new();
        texts("", &value, &mut found);
        for (at, text) in found {
            let schema = text.strip_prefix("#/components/schemas/");
            if let Some(name) = schema.filter(|_| at.ends_with("/$ref"))
                && names.insert(name.to_owned())
            {
                look.push(document["components"]["schemas"][name].clone());
            }
        }
    }
    names
}

/// Each object in a schema says that it takes no other field.
fn closed(at: &str, schema: &Value) {
    match schema {
        Value::Object(map) => {
            if map.contains_key("properties") {
                assert_eq!(map.get("additionalProperties"), Some(&json!(false)), "{at}");
            }
            for (name, inner) in map {
                closed(&format!("{at}/{name}"), inner);
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| closed(at, inner)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_is_closed_and_none_has_a_place_for_a_file() {
    let town = Town::start().await;
    let document = document(&town).await;
    let names = taken(&document);
    assert!(names.contains("ReferralIn") && names.contains("IdentityIn"));
    for name in &names {
        closed(name, &document["components"]["schemas"][name]);
    }
    let mut found = Vec::new();
    texts("", &document, &mut found);
    for (at, text) in &found {
        if at.ends_with("/format") || at.ends_with("/contentEncoding") {
            assert!(
                !["binary", "byte", "base64"].contains(&text.as_str()),
                "{at}"
            );
        }
        // The kinds of body that are taken or given.
        if at.contains("/content/") && text.contains('/') && at.ends_with(text.as_str()) {
            let known = [
                "application/json",
                "application/problem+json",
                "application/fhir+json",
            ];
            assert!(known.contains(&text.as_str()), "{at}");
        }
        let named = at.contains("/properties/") && at.ends_with(&format!("/properties/{text}"))
            || at.ends_with("/name");
        if named {
            let low = text.to_lowercase();
            for word in FILES {
                assert!(!low.contains(word), "{at}");
            }
        }
    }
    town.stop().await;
}

/// What people would send all the same.
const SENT: [&str; 6] = [
    "nationality",
    "visa",
    "immigration_status",
    "nrpf",
    "attachment",
    "document_url",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_form_refuses_the_field_and_says_what_to_do_with_a_file() {
    let town = Town::start().await;
    let desk = town.desk("larkfield").await;
    let document = document(&town).await;
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let operation = &item["post"];
        let content = &operation["requestBody"]["content"];
        let Some(schema) = content["application/json"]["schema"]["$ref"].as_str() else {
            continue;
        };
        let name = schema.rsplit('/').next().unwrap();
        let known = &document["components"]["schemas"][name];
        let path = path.replace("{id}", "00000000000000000000000001");
        for field in SENT {
            // A form that has several shapes is told apart by its first field.
            let mut body = match known["oneOf"][0]["properties"]["change"]["enum"][0].as_str() {
                Some(change) => json!({ "change": change }),
                None => json!({}),
            };
            body[field] = json!("x");
            let said = desk.post(&path, &body).await;
            assert_eq!(said.status, 422, "{path} {field}: {}", said.body);
            assert_eq!(said.result(), "check-your-answers");
            assert_eq!(said.text("/fields/0/field"), Some(field), "{path}");
            let says = said.text("/fields/0/message").unwrap();
            let is_file = field == "attachment" || field == "document_url";
            assert_eq!(says == NO_ATTACHMENTS, is_file, "{path} {field}: {says}");
            assert!(!said.whole().contains("\"x\""));
        }
        tried += 1;
    }
    assert!(tried >= 20, "{tried}");

    let boundary = "multipart/form-data; boundary=firedoor";
    let form = "--firedoor\r\ncontent-disposition: form-data; name=\"file\"; \
                filename=\"letter.pdf\"\r\n\r\n%PDF\r\n--firedoor--\r\n";
    for kind in [
        boundary,
        "application/pdf",
        "image/jpeg",
        "application/octet-stream",
    ] {
        let key = new_key();
        let headers = [("content-type", kind), ("idempotency-key", key.as_str())];
        let said = desk
            .ask(Method::POST, "/v1/referrals", &headers, form)
            .await;
        assert_eq!(
            (said.status, said.result()),
            (415, "no-attachments"),
            "{kind}"
        );
        assert_eq!(said.text("/detail"), Some(NO_ATTACHMENTS));
        assert!(!said.whole().contains("letter"));
    }
    let key = new_key();
    let headers = [
        ("content-type", "text/plain"),
        ("idempotency-key", key.as_str()),
    ];
    let said = desk.ask(Method::POST, "/v1/referrals", &headers, "x").await;
    assert_eq!(said.result(), "not-json");
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_police_see_of_services_has_no_facet_that_tells() {
    let town = Town::start().await;
    for desk in ["met", "council-nrpf", "larkfield"] {
        let me = town.desk(desk).await.get("/v1/me").await;
        let services = me.list("/services");
        assert!(!services.is_empty());
        for service in services {
            let fields: Vec<&String> = service.as_object().unwrap().keys().collect();
            assert_eq!(fields, ["id", "name", "family", "area", "takes_referrals"]);
        }
    }
    town.stop().await;
}
