//! Every message broken in many ways is refused with an `OperationOutcome` that names the element.
//!
//! The messages are our own. With `FIREDOOR_FHIR_DIR` those of a folder are broken too: BaRS messages
//! and resources by others, `*.json` and `*.xml`.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use axum::http::Method;
use firedoor::domain::codes::Role;
use firedoor::ops::clock::now;
use serde_json::Value;

use super::district::{District, new_key};
use super::fhir_breaks::{Broken, NEVER, any_json, any_xml, message_json, message_xml};
use super::fhir_desk::{
    JSON, PROCESS, Speaker, Spoken, XML, acceptance, assessment, consent, named_element, new,
    resource, response, revoked, update, written,
};

/// A route, the kind of body, and messages broken for it.
struct Case {
    name: String,
    path: &'static str,
    kind: &'static str,
    /// As it is, unbroken.
    whole: String,
    own: bool,
    broken: Vec<Broken>,
}

fn own() -> Vec<Case> {
    let at = now().rfc3339();
    let nobody = "7QF42KD0000000000000000000";
    let mut urgent = update("RQ-91");
    resource(&mut urgent, "ServiceRequest")["priority"] = Value::from("urgent");
    let messages = [
        ("new", new("RQ-91")),
        ("update", urgent),
        ("revocation", revoked("RQ-91")),
        ("acceptance", acceptance(nobody)),
        ("rejection", response(nobody, "cancelled")),
    ];
    let mut cases = Vec::new();
    for (name, message) in messages {
        let mut broken = any_json(&message, "type");
        broken.extend(message_json(&message));
        cases.push(Case {
            name: format!("{name}.json"),
            path: PROCESS,
            kind: JSON,
            whole: message.to_string(),
            own: true,
            broken,
        });
        let status = message["entry"]
            .as_array()
            .unwrap()
            .iter()
            .find_map(|entry| {
                let request = entry["resource"]["resourceType"] == "ServiceRequest";
                request.then(|| entry["resource"]["status"].as_str().unwrap())
            });
        let text = written(&message, XML);
        let mut broken = any_xml(&text, "Bundle", status);
        broken.extend(message_xml(&text));
        cases.push(Case {
            name: format!("{name}.xml"),
            path: PROCESS,
            kind: XML,
            whole: text,
            own: true,
            broken,
        });
    }
    let resources = [
        ("consent", "/fhir/Consent", consent(nobody, "permit", &at)),
        (
            "assessment",
            "/fhir/QuestionnaireResponse",
            assessment(nobody, &at),
        ),
    ];
    for (name, path, resource) in resources {
        let kind = resource["resourceType"].as_str().unwrap().to_owned();
        let broken = any_json(&resource, "status");
        cases.push(Case {
            name: format!("{name}.json"),
            path,
            kind: JSON,
            whole: resource.to_string(),
            own: true,
            broken,
        });
        let status = resource["status"].as_str();
        let text = written(&resource, XML);
        let broken = any_xml(&text, &kind, status);
        cases.push(Case {
            name: format!("{name}.xml"),
            path,
            kind: XML,
            whole: text,
            own: true,
            broken,
        });
    }
    cases
}

/// The messages of a folder, by others.
fn others() -> Vec<Case> {
    let Some(dir) = std::env::var_os("FIREDOOR_FHIR_DIR") else {
        return Vec::new();
    };
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let ending = file.extension().and_then(|ending| ending.to_str());
        if !matches!(ending, Some("json" | "xml")) {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let path = |kind: &str| {
            if kind == "Consent" {
                "/fhir/Consent"
            } else {
                PROCESS
            }
        };
        if ending == Some("json") {
            let root: Value = serde_json::from_str(&text).unwrap();
            let kind = root["resourceType"].as_str().unwrap();
            let message = root["type"] == "message";
            let of = if kind == "Bundle" { "type" } else { "status" };
            let mut broken = any_json(&root, of);
            if message {
                broken.extend(message_json(&root));
            }
            // What is refused as it is, for its own kind, names that first.
            let whole = root["entry"][0]["resource"]["eventCoding"]["system"]
                == "https://fhir.nhs.uk/CodeSystem/message-events-bars";
            if !(message && whole) {
                broken.iter_mut().for_each(|one| one.names.clear());
            }
            cases.push(Case {
                name,
                path: path(kind),
                kind: JSON,
                whole: text.clone(),
                own: false,
                broken,
            });
        } else {
            let (start, _) = text.split_once("xmlns=\"http://hl7.org/fhir\"").unwrap();
            let root = start.rsplit('<').next().unwrap().trim().to_owned();
            let status = if root == "Consent" {
                Some("active")
            } else {
                None
            };
            let mut broken = any_xml(&text, &root, status);
            if root == "Bundle" {
                broken.extend(message_xml(&text));
            } else {
                broken.iter_mut().for_each(|one| one.names.clear());
            }
            cases.push(Case {
                name,
                path: path(&root),
                kind: XML,
                whole: text.clone(),
                own: false,
                broken,
            });
        }
    }
    cases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_broken_message_is_refused_by_the_name_of_its_element() {
    let district = District::new(None).await;
    let served = district.serve();
    let clinic = district
        .caller(&served, "clinic", "a-nurse", Role::Triage)
        .await;
    let spoken = Spoken::new();
    let service = Speaker {
        caller: &clinic,
        spoken: &spoken,
    };
    let mut wrong = Vec::new();
    let mut table = BTreeMap::new();
    for case in own().into_iter().chain(others()) {
        assert!(case.broken.len() >= 10, "{}", case.name);
        let count = case.broken.len();
        let mut elements = BTreeSet::new();
        // Several at a time: each waits for its boundary.
        let asked = case.broken.iter().map(|one| {
            let key = new_key();
            let (service, case) = (&service, &case);
            async move {
                let headers = [
                    ("content-type", case.kind),
                    ("idempotency-key", key.as_str()),
                ];
                let ask = service
                    .caller
                    .ask(Method::POST, case.path, &headers, one.body.clone());
                (one, ask.await.unwrap())
            }
        });
        for (one, said) in futures_in_order(asked).await {
            spoken.keep(&said);
            let (element, says) = named_element(&said);
            let refused = (400..500).contains(&said.status);
            let names = element.contains(&one.names) && !element.is_empty();
            if !refused || !names || says.contains(NEVER) || says.contains("finnished") {
                wrong.push(format!(
                    "{}, {}: {} {element:?} (not {:?}): {says}",
                    case.name, one.how, said.status, one.names
                ));
            }
            elements.insert(element);
        }
        // Unbroken it is taken, or means nobody: its form is not what was refused.
        let key = new_key();
        let headers = [
            ("content-type", case.kind),
            ("idempotency-key", key.as_str()),
        ];
        let whole = service
            .say(Method::POST, case.path, &headers, &case.whole)
            .await;
        if case.own && ![200, 404].contains(&whole.status) {
            wrong.push(format!("{}, unbroken: {}", case.name, whole.whole()));
        }
        table.insert(case.name, (whole.status, count, elements.len()));
    }
    for (name, (status, count, elements)) in &table {
        println!("{name}: unbroken {status}; {count} broken, {elements} different elements named");
    }
    println!("{}", spoken.read_by_others());
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// All of them at once, in their order.
async fn futures_in_order<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut pending: Vec<_> = futures.map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|context| {
        let mut waits = false;
        for (future, done) in &mut pending {
            if done.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(value) => *done = Some(value),
                    std::task::Poll::Pending => waits = true,
                }
            }
        }
        if waits {
            std::task::Poll::Pending
        } else {
            std::task::Poll::Ready(())
        }
    })
    .await;
    pending.into_iter().filter_map(|(_, done)| done).collect()
}
