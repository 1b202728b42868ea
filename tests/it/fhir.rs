//! NHS referral messages (BaRS) over mTLS: implied consent serves between health bodies only, and
//! nothing that a message asks tells whether an earlier one was known.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use axum::http::Method;
use firedoor::domain::codes::Role;
use serde_json::{Value, json};

use super::district::{CHARITIES, CHARITY_DOS, Caller, District, HEALTH_DOS, Said, Served};

const NEW_JSON: &str = include_str!("../vectors/fhir/bars-new.json");
const NEW_XML: &str = include_str!("../vectors/fhir/bars-new.xml");
const REVOKED_JSON: &str = include_str!("../vectors/fhir/bars-revoked.json");
const PATH: &str = "/fhir/$process-message";
const JSON: &str = "application/fhir+json";
const XML: &str = "application/fhir+xml";

async fn send(caller: &Caller, kind: &str, body: impl Into<axum::body::Bytes>) -> Said {
    let headers = [("content-type", kind)];
    let reply = caller.ask(Method::POST, PATH, &headers, body).await;
    let reply = reply.unwrap();
    assert_eq!(reply.bytes.len() % (16 * 1024), 0, "filled up");
    reply
}

async fn hospital(district: &District, served: &Served) -> Caller {
    district
        .caller(served, "hospital", "dr-ade", Role::Clinician)
        .await
}

async fn offers(caller: &Caller) -> Vec<Value> {
    caller.pages("/v1/inbox", "offers").await.0
}

/// The response to a message that was taken names the alias of the offer.
fn planned(reply: &Said) -> String {
    assert_eq!(reply.status, 200, "{}", reply.whole());
    let bundle = reply.json();
    let entries = bundle["entry"].as_array().unwrap();
    assert_eq!(
        entries[0]["resource"]["eventCoding"]["code"],
        "servicerequest-response"
    );
    assert_eq!(entries[0]["resource"]["response"]["code"], "ok");
    let kind = |entry: &&Value| entry["resource"]["resourceType"] == "Encounter";
    let encounter = entries.iter().find(kind).unwrap();
    let name = &encounter["resource"]["identifier"][0]["value"];
    name.as_str().unwrap().to_owned()
}

/// The message for another service.
fn to(dos: &str, message: &str) -> String {
    let changed = message.replace(HEALTH_DOS, dos);
    assert_ne!(changed, message);
    changed
}

fn opt_in(message: &str) -> String {
    let changed = message.replace("\"IMPLIED\"", "\"OPTIN\"");
    assert_ne!(changed, message);
    changed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn between_health_bodies_a_message_becomes_an_offer_until_it_is_revoked() {
    let district = District::new(None).await;
    let served = district.serve();
    let hospital = hospital(&district, &served).await;
    let clinic = district
        .caller(&served, "clinic", "a-nurse", Role::Triage)
        .await;

    let reply = send(&hospital, JSON, NEW_JSON).await;
    let kind = reply.headers["content-type"].to_str().unwrap();
    assert!(kind.starts_with(JSON), "{kind}");
    let alias = planned(&reply);
    let status = hospital.get(&format!("/v1/referrals/{alias}")).await;
    assert_eq!(status.json()["referral"]["status"], "recorded");
    let waiting = offers(&clinic).await;
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0]["offence_group"], "none_disclosed");
    assert_eq!(waiting[0]["urgency"], "high");
    assert!(!waiting[0].to_string().contains("Varley"));

    // The same bytes again are the same request.
    assert_eq!(planned(&send(&hospital, JSON, NEW_JSON).await), alias);
    assert_eq!(offers(&clinic).await.len(), 1);

    let unknown = revocation("RQ-unknown");
    let known = revocation("RQ-77");
    let (known, unknown) = (
        send(&hospital, JSON, known).await,
        send(&hospital, JSON, unknown).await,
    );
    assert_eq!(known.status, 200, "{}", known.whole());
    assert_eq!(known.bytes.len(), unknown.bytes.len());
    assert_eq!(uniform(&known), uniform(&unknown));
    assert!(offers(&clinic).await.is_empty(), "taken back");

    // XML, and another woman's request: accepted, with a contact that nobody has checked.
    let reply = send(&hospital, XML, NEW_XML.replace("RQ-77", "RQ-78")).await;
    assert_eq!(reply.status, 200, "{}", reply.whole());
    assert!(reply.whole().contains("servicerequest-response"));
    let (released, _) = clinic.accept_all().await;
    assert_eq!(released.len(), 1);
    let contact = &released[0]["released"]["safe_contact"];
    assert_eq!(contact["checked"], false, "{contact}");
    assert!(contact["last_checked_at"].is_null());
    let told = released[0].to_string();
    assert!(told.contains("Varley"));
    assert!(!told.contains("kept to herself"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn to_a_charity_a_message_needs_her_word() {
    let district = District::new(None).await;
    let served = district.serve();
    let hospital = hospital(&district, &served).await;
    let (charity, _) = CHARITIES[0];
    let adviser = district
        .caller(&served, charity, "a-worker", Role::Adviser)
        .await;
    let implied = to(CHARITY_DOS, NEW_JSON);
    for _ in 0..2 {
        let refused = send(&hospital, JSON, implied.clone()).await;
        assert_eq!(refused.status, 422, "{}", refused.whole());
        let outcome = refused.json();
        assert_eq!(outcome["resourceType"], "OperationOutcome");
        let issue = &outcome["issue"][0];
        assert_eq!(issue["expression"][0], "Consent.policyRule");
        assert_eq!(issue["code"], "business-rule");
    }
    assert!(offers(&adviser).await.is_empty());

    planned(&send(&hospital, JSON, opt_in(&implied)).await);
    let waiting = offers(&adviser).await;
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0]["offence_group"], "none_disclosed");
    let revoked = to(CHARITY_DOS, &revocation("RQ-77"));
    assert_eq!(send(&hospital, JSON, revoked).await.status, 200);
    assert!(offers(&adviser).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_referral_message_is_refused_and_logged() {
    let district = District::new(None).await;
    let served = district.serve();
    let hospital = hospital(&district, &served).await;
    let before = hospital.leaves(&district).await;
    let event = |code: &str| NEW_JSON.replace("servicerequest-request", code);
    let cases: Vec<(&str, String, u16, &str)> = vec![
        ("text/plain", NEW_JSON.to_owned(), 415, "not-supported"),
        ("application/json", "{".to_owned(), 400, "structure"),
        (XML, NEW_JSON.to_owned(), 400, "structure"),
        (JSON, event("booking-request"), 400, "invariant"),
        (JSON, to("9999999999", NEW_JSON), 404, "not-found"),
        (
            JSON,
            NEW_JSON.replace("1988-02-29", "1988-02-30"),
            422,
            "value",
        ),
        (
            JSON,
            json!({ "resourceType": "Patient" }).to_string(),
            400,
            "invariant",
        ),
    ];
    let count = cases.len() as u64;
    for (kind, body, status, code) in cases {
        let reply = send(&hospital, kind, body).await;
        assert_eq!(reply.status, status, "{code}: {}", reply.whole());
        if kind != XML {
            assert_eq!(reply.json()["issue"][0]["code"], code);
        }
        assert!(!reply.whole().contains("Varley"));
    }
    assert_eq!(hospital.leaves(&district).await - before, count);

    // A police system has no clinician, and none it could assert.
    let police = district
        .caller(&served, "police", "pc-ward", Role::Clinician)
        .await;
    let refused = send(&police, JSON, NEW_JSON).await;
    assert_eq!(refused.status, 403, "{}", refused.whole());
    assert_eq!(refused.json()["issue"][0]["code"], "forbidden");
}

/// A revocation of one of the sender's requests.
fn revocation(request: &str) -> String {
    let mut message: Value = serde_json::from_str(REVOKED_JSON).unwrap();
    let entries = message["entry"].as_array_mut().unwrap();
    let kind = |entry: &&mut Value| entry["resource"]["resourceType"] == "ServiceRequest";
    let entry = entries.iter_mut().find(kind).unwrap();
    entry["resource"]["identifier"] = json!([{
        "system": "https://riverside.example/requests", "value": request,
    }]);
    message.to_string()
}

/// The reply without what may differ: its random ids, its time, its receipt and support code.
fn uniform(reply: &Said) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let free = ["id", "fullUrl", "timestamp", "valueString", "reference"];
                    match value.as_str() {
                        // As it is written: a receipt has one length in JSON.
                        Some(_) if free.contains(&key.as_str()) || key == "diagnostics" => {
                            *value = json!(value.to_string().len());
                        }
                        _ => walk(value),
                    }
                }
            }
            Value::Array(list) => list.iter_mut().for_each(walk),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut body = reply.json();
    walk(&mut body);
    body
}
