//! What the tests of `/fhir` share: messages of our own, invented people, the same in JSON and XML, and
//! a keeper of all that was said, which a parser that we did not write reads at the end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::district::{Caller, Said, new_key};

pub const JSON: &str = "application/fhir+json";
pub const XML: &str = "application/fhir+xml";
pub const PROCESS: &str = "/fhir/$process-message";
pub const OWN: &str = "https://firedoor.example/fhir/";

const NEW: &str = include_str!("../vectors/fhir/bars-new.json");
const REVOKED: &str = include_str!("../vectors/fhir/bars-revoked.json");
const REQUESTS: &str = "https://riverside.example/requests";
/// The health service's endpoint in [`NEW`].
const HEALTH: &str = "https://fhir.nhs.uk/Id/dos-service-id|2000012345";
const SENDER: &str = "https://fhir.nhs.uk/Id/dos-service-id|2000054321";

/// All that `/fhir` said, one file a reply.
pub struct Spoken {
    dir: TempDir,
    count: AtomicUsize,
}

impl Spoken {
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            count: AtomicUsize::new(0),
        }
    }

    /// Keeps a reply; it is one of FHIR, filled up.
    pub fn keep(&self, said: &Said) {
        let kind = said.headers["content-type"].to_str().unwrap();
        let ending = if kind.starts_with(XML) {
            "xml"
        } else {
            assert!(kind.starts_with(JSON), "{kind}: {}", said.whole());
            "json"
        };
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let file = format!("{number:04}-{}.{ending}", said.status);
        fs::write(self.dir.path().join(file), &said.bytes).unwrap();
    }

    /// `fhir.resources` reads every one of them. How many of which kind, in words.
    pub fn read_by_others(&self) -> String {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join("target/outside/venv/bin/python");
        assert!(
            python.exists(),
            "{} is not there: run tests/run once, or tests/outside/install alone",
            python.display()
        );
        let out = Command::new(python)
            .arg(root.join("tests/outside/read_fhir.py"))
            .arg(self.dir.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
        assert!(out.status.success(), "{said}");
        said
    }
}

/// One who speaks FHIR; what is answered is kept.
pub struct Speaker<'a> {
    pub caller: &'a Caller,
    pub spoken: &'a Spoken,
}

impl Speaker<'_> {
    pub async fn say(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Said {
        let said = self.caller.ask(method, path, headers, body.to_owned());
        let said = said.await.unwrap();
        if path.starts_with("/fhir/metadata") {
            assert_eq!(said.status, 200);
        } else {
            assert_eq!(said.bytes.len() % (16 * 1024), 0, "filled up");
        }
        self.spoken.keep(&said);
        said
    }

    pub async fn get(&self, path: &str, accept: &str) -> Said {
        self.say(Method::GET, path, &[("accept", accept)], "").await
    }

    /// A resource, under a key of its own.
    pub async fn post(&self, path: &str, resource: &Value, kind: &str) -> Said {
        let body = written(resource, kind);
        let key = new_key();
        let headers = [("content-type", kind), ("idempotency-key", key.as_str())];
        self.say(Method::POST, path, &headers, &body).await
    }

    /// A message, without a key, as health systems send it.
    pub async fn message(&self, message: &Value, kind: &str) -> Said {
        let body = written(message, kind);
        self.say(Method::POST, PROCESS, &[("content-type", kind)], &body)
            .await
    }
}

pub fn written(resource: &Value, kind: &str) -> String {
    if kind == XML {
        xml(resource)
    } else {
        resource.to_string()
    }
}

/// A resource in XML.
pub fn xml(resource: &Value) -> String {
    let kind = resource["resourceType"].as_str().unwrap();
    let mut out = format!("<{kind} xmlns=\"http://hl7.org/fhir\">");
    members(resource, &mut out);
    out.push_str(&format!("</{kind}>"));
    out
}

fn members(value: &Value, out: &mut String) {
    for (name, value) in value.as_object().unwrap() {
        if name == "resourceType" || (name == "url" && !value.is_null() && is_extension(out)) {
            continue;
        }
        match value {
            Value::Array(list) => list.iter().for_each(|one| member(name, one, out)),
            one => member(name, one, out),
        }
    }
}

/// Whether the element that is open is an extension: its address is an attribute.
fn is_extension(out: &str) -> bool {
    let last = out.rsplit('<').next().unwrap_or_default();
    last.starts_with("extension url=")
}

fn member(name: &str, value: &Value, out: &mut String) {
    let escaped = |text: &str| {
        text.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('"', "&quot;")
    };
    match value {
        Value::Object(map) if map.contains_key("resourceType") => {
            let kind = map["resourceType"].as_str().unwrap();
            out.push_str(&format!("<{name}><{kind}>"));
            members(value, out);
            out.push_str(&format!("</{kind}></{name}>"));
        }
        Value::Object(map) => {
            match map.get("url").and_then(Value::as_str) {
                Some(url) => out.push_str(&format!("<{name} url=\"{}\">", escaped(url))),
                None => out.push_str(&format!("<{name}>")),
            }
            members(value, out);
            out.push_str(&format!("</{name}>"));
        }
        Value::String(text) => out.push_str(&format!("<{name} value=\"{}\"/>", escaped(text))),
        other => out.push_str(&format!("<{name} value=\"{other}\"/>")),
    }
}

/// The resource of a type in a message.
pub fn resource<'a>(message: &'a mut Value, kind: &str) -> &'a mut Value {
    let entries = message["entry"].as_array_mut().unwrap();
    let entry = entries
        .iter_mut()
        .find(|entry| entry["resource"]["resourceType"] == kind);
    &mut entry.unwrap()["resource"]
}

fn named(request: &mut Value, name: &str) {
    request["identifier"] = json!([{ "system": REQUESTS, "value": name }]);
}

/// A new referral that its sender calls `name`.
pub fn new(name: &str) -> Value {
    let mut message: Value = serde_json::from_str(NEW).unwrap();
    named(resource(&mut message, "ServiceRequest"), name);
    // What XML cannot be made of here; `bars-new.xml` has it.
    let her = resource(&mut message, "Patient").as_object_mut().unwrap();
    her.remove("_birthDate");
    her.remove("text");
    message
}

/// The revocation of a referral that its sender calls `name`.
pub fn revoked(name: &str) -> Value {
    let mut message: Value = serde_json::from_str(REVOKED).unwrap();
    named(resource(&mut message, "ServiceRequest"), name);
    message
}

/// An update that changes nothing yet.
pub fn update(name: &str) -> Value {
    let mut message = revoked(name);
    resource(&mut message, "ServiceRequest")["status"] = json!("active");
    message
}

pub fn extension(name: &str, kind: &str, value: impl Into<Value>) -> Value {
    let url = format!("{OWN}StructureDefinition/{name}");
    let mut extension = json!({ "url": url });
    extension[kind] = value.into();
    extension
}

/// The service answers the offer that it knows as `referral`.
pub fn response(referral: &str, status: &str) -> Value {
    let urn = |last: u32| format!("urn:uuid:0b1f7c11-6d0e-4e0c-9a55-3f2a6a1c{last:04}");
    let code = |system: &str, code: &str| json!({ "system": system, "code": code });
    let header = json!({
        "resourceType": "MessageHeader",
        "eventCoding": code("https://fhir.nhs.uk/CodeSystem/message-events-bars",
            "servicerequest-response"),
        "destination": [{ "endpoint": SENDER }],
        "source": { "endpoint": HEALTH },
        "reason": { "coding": [code("https://fhir.nhs.uk/CodeSystem/message-reason-bars", "new")] },
        "response": { "identifier": "4f9be0d0-0000-4000-8000-00000000aaaa", "code": "ok" },
        "focus": [{ "reference": urn(22) }],
    });
    let encounter = json!({
        "resourceType": "Encounter",
        "status": status,
        "class": code("http://terminology.hl7.org/CodeSystem/v3-ActCode", "VR"),
    });
    let request = json!({
        "resourceType": "ServiceRequest",
        "identifier": [{ "system": "urn:firedoor:referral", "value": referral }],
        "status": "active",
        "intent": "plan",
        "subject": { "reference": urn(24) },
    });
    let entry = |last, resource| json!({ "fullUrl": urn(last), "resource": resource });
    json!({
        "resourceType": "Bundle",
        "id": "4f9be0d0-0000-4000-8000-00000000cccc",
        "type": "message",
        "timestamp": "2026-11-21T09:00:00+00:00",
        "entry": [entry(21, header), entry(22, encounter), entry(23, request)],
    })
}

/// An acceptance with the onward rule.
pub fn acceptance(referral: &str) -> Value {
    let mut message = response(referral, "in-progress");
    let rule = extension("onward-rule-accepted", "valueBoolean", true);
    resource(&mut message, "Encounter")["extension"] = json!([rule]);
    message
}

fn coding(list: &str, code: &str) -> Value {
    json!({ "system": format!("{OWN}CodeSystem/{list}"), "code": code })
}

/// Her consent that what the caller recorded of `person` is shared with a charity.
pub fn consent(person: &str, kind: &str, at: &str) -> Value {
    let scope = "http://terminology.hl7.org/CodeSystem/consentscope";
    let role = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
    let rule = if kind == "deny" { "OPTOUT" } else { "OPTIN" };
    json!({
        "resourceType": "Consent",
        "extension": [
            extension("opens", "valueCode", "share"),
            extension("depth", "valueCode", "answers"),
            extension("how", "valueCode", "spoken"),
            extension("other-party-present", "valueCode", "no"),
        ],
        "status": "active",
        "scope": { "coding": [{ "system": scope, "code": "patient-privacy" }] },
        "category": [{ "coding": [{ "system": "http://loinc.org", "code": "59284-0" }] }],
        "patient": { "reference": format!("Patient/{person}") },
        "dateTime": at,
        "policyRule": { "coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": rule,
        }] },
        "provision": {
            "type": kind,
            "actor": [{
                "role": { "coding": [{ "system": role, "code": "IRCP" }] },
                "reference": { "identifier": {
                    "system": format!("{OWN}CodeSystem/organisation"), "value": "larkfield",
                } },
            }],
            "purpose": [coding("purpose", "prior_assessment")],
            "class": [coding("data-class", "op"), coding("data-class", "sp")],
        },
    })
}

/// An assessment of `person` by a tool of our own list.
pub fn assessment(person: &str, at: &str) -> Value {
    let item = |link: &str, answer: &str| {
        json!({ "linkId": link, "text": "the words of the question",
            "answer": [{ "valueCoding": coding("item-answer", answer) }] })
    };
    json!({
        "resourceType": "QuestionnaireResponse",
        "extension": [
            extension("grade", "valueCode", "high"),
            extension("grade-basis", "valueCode", "professional_judgement"),
            extension("judgement-reason", "valueString", "threats are escalating"),
            extension("assessor-trained", "valueBoolean", true),
            extension("safe-person", "valueString", "her sister"),
        ],
        "questionnaire": format!("{OWN}Questionnaire/safelives_dash_24|2014"),
        "status": "completed",
        "subject": { "reference": format!("Patient/{person}") },
        "authored": at,
        "item": [
            { "linkId": "about-him", "item": [item("q1", "yes"), item("q2", "declined")] },
            { "linkId": "q3", "answer": [{ "valueBoolean": true }] },
        ],
    })
}

/// The element that an OperationOutcome names, and what it says.
pub fn named_element(said: &Said) -> (String, String) {
    let kind = said.headers["content-type"].to_str().unwrap();
    let text = said.whole();
    if kind.starts_with(XML) {
        assert!(text.contains("<OperationOutcome"), "{text}");
        let value = |name: &str| {
            let from = text.split_once(&format!("<{name} value=\""));
            let from = from.map_or("", |(_, rest)| rest);
            from.split_once('"')
                .map_or("", |(value, _)| value)
                .to_owned()
        };
        return (value("expression"), value("diagnostics"));
    }
    let outcome = said.json();
    assert_eq!(outcome["resourceType"], "OperationOutcome", "{text}");
    let issue = &outcome["issue"][0];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&issue["expression"][0]), text(&issue["diagnostics"]))
}
