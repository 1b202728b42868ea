//! `/fhir` beyond a new referral: updates, the service's answers and what a sender may know, in JSON and
//! XML; and that no route there tells more than the JSON does.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::collections::BTreeSet;

use axum::http::Method;
use firedoor::domain::codes::Role;
use firedoor::edge::http::declared;
use firedoor::ops::clock::now;
use serde_json::{Value, json};

use super::district::{CHARITIES, Caller, District, Said, Served, new_key};
use super::fhir_desk::{
    JSON, Speaker, Spoken, XML, acceptance, assessment, consent, extension, named_element, new,
    resource, response, revoked, update,
};

pub async fn hospital(district: &District, served: &Served) -> Caller {
    district
        .caller(served, "hospital", "dr-ade", Role::Clinician)
        .await
}

pub async fn clinic(district: &District, served: &Served) -> Caller {
    district
        .caller(served, "clinic", "a-nurse", Role::Triage)
        .await
}

pub fn taken(said: &Said) -> Value {
    assert_eq!(said.status, 200, "{}", said.whole());
    said.json()
}

/// The id of the offer that a reply names.
fn planned(said: &Said) -> String {
    let bundle = taken(said);
    let id = &bundle["entry"][1]["resource"]["identifier"][0]["value"];
    id.as_str().unwrap().to_owned()
}

/// The only offer in an inbox.
async fn offer(service: &Caller) -> Value {
    let (mut offers, _) = service.pages("/v1/inbox", "offers").await;
    assert_eq!(offers.len(), 1, "{offers:?}");
    offers.remove(0)
}

fn id(offer: &Value) -> String {
    offer["id"].as_str().unwrap().to_owned()
}

/// An accepted referral of her: the service's own reference of her.
pub async fn accepted(speaks: &Speaker<'_>, service: &Caller, name: &str) -> (String, String) {
    let sent = planned(&speaks.message(&new(name), JSON).await);
    let offered = id(&offer(service).await);
    let accept = json!({ "worker": "a-nurse", "onward_rule_accepted": true });
    let said = service
        .post(&format!("/v1/referrals/{offered}/accept"), &accept)
        .await;
    assert_eq!(said.status, 200, "{}", said.whole());
    (sent, said.json()["person"].as_str().unwrap().to_owned())
}

/// What differs from reply to reply; of that, how long it is.
fn bare(said: &Said) -> String {
    let mut text = said.whole();
    for (start, end) in [
        ("support code ", ")"),
        ("\"id\":\"", "\""),
        ("valueString\":\"", "\""),
    ] {
        let mut out = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once(start) {
            let (value, after) = after.split_at(after.find(end).unwrap());
            out.push_str(&format!("{before}{start}{}", value.len()));
            rest = after;
        }
        out.push_str(rest);
        text = out;
    }
    text
}

fn same(replies: &[Said]) {
    let first = &replies[0];
    for said in replies {
        assert_eq!(said.status, first.status, "{}", said.whole());
        assert_eq!(said.bytes.len(), first.bytes.len());
        assert_eq!(bare(said), bare(first));
        let names = |said: &Said| said.headers.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(said), names(first));
        assert!(said.took.as_millis() >= 100, "{:?}", said.took);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_referral_is_answered_changed_and_followed_in_bars() {
    let district = District::new(None).await;
    let served = district.serve();
    let (hospital, clinic) = (
        hospital(&district, &served).await,
        clinic(&district, &served).await,
    );
    let spoken = Spoken::new();
    let sender = Speaker {
        caller: &hospital,
        spoken: &spoken,
    };
    let service = Speaker {
        caller: &clinic,
        spoken: &spoken,
    };

    let sent = planned(&sender.message(&new("RQ-81"), JSON).await);
    let status = async |want: (&str, &str)| {
        let request = sender
            .get(&format!("/fhir/ServiceRequest/{sent}"), JSON)
            .await;
        let request = taken(&request);
        assert_eq!(request["resourceType"], "ServiceRequest");
        let task = taken(&sender.get(&format!("/fhir/Task/{sent}"), JSON).await);
        let path = format!("/fhir/Task?focus=ServiceRequest/{sent}&_format=json");
        let found = taken(&sender.get(&path, "text/html").await);
        assert_eq!(found["entry"][0]["resource"]["status"], task["status"]);
        assert!(found.get("total").is_none());
        assert_eq!(
            (request["status"].as_str(), task["status"].as_str()),
            (Some(want.0), Some(want.1))
        );
        let xml = sender.get(&format!("/fhir/Task/{sent}"), XML).await;
        assert!(
            xml.whole()
                .contains(&format!("<status value=\"{}\"/>", want.1))
        );
        for told in [request.to_string(), task.to_string(), xml.whole()] {
            for never in ["Varley", "clinic", "Organization", "performer", "owner"] {
                assert!(!told.contains(never), "{never}: {told}");
            }
        }
        task
    };
    status(("active", "requested")).await;

    // Waiting and a refusal are not the sender's to know.
    let offered = id(&offer(&clinic).await);
    taken(&service.message(&response(&offered, "planned"), JSON).await);
    assert_eq!(offer(&clinic).await["status"], "waiting");
    status(("active", "requested")).await;

    // An acceptance needs the onward rule, and its reply holds nothing of her.
    let refused = service
        .message(&response(&offered, "in-progress"), JSON)
        .await;
    assert_eq!(refused.status, 422, "{}", refused.whole());
    assert_eq!(
        named_element(&refused).0,
        "Encounter.extension(onward-rule-accepted)"
    );
    let said = service.message(&acceptance(&offered), XML).await;
    assert_eq!(said.status, 200, "{}", said.whole());
    assert!(!said.whole().contains("Varley"));
    // The same bytes again are the same request; another acceptance comes too late.
    let again = service.message(&acceptance(&offered), XML).await;
    assert_eq!(again.status, 200, "{}", again.whole());
    let late = service.message(&acceptance(&offered), JSON).await;
    assert_eq!(late.status, 409, "{}", late.whole());
    let opened = clinic.get(&format!("/v1/inbox/{offered}")).await;
    assert!(opened.whole().contains("Varley"), "{}", opened.whole());
    status(("active", "accepted")).await;

    // What has changed is told in closed codes, both ways, and the number to who may ring it.
    let mut changed = update("RQ-81");
    resource(&mut changed, "Patient")["telecom"] =
        json!([{ "system": "phone", "value": "07700 900777", "use": "mobile" }]);
    resource(&mut changed, "ServiceRequest")["priority"] = json!("urgent");
    let told = taken(&sender.message(&changed, JSON).await).to_string();
    assert!(!told.contains("900777"), "{told}");
    let opened = clinic.get(&format!("/v1/inbox/{offered}")).await;
    assert!(opened.whole().contains("900777"), "{}", opened.whole());
    let mut hold = update("RQ-81");
    resource(&mut hold, "ServiceRequest")["status"] = json!("on-hold");
    assert_eq!(sender.message(&hold, XML).await.status, 200);
    let mut coded = update("RQ-81");
    resource(&mut coded, "ServiceRequest")["extension"] =
        json!([extension("update", "valueCode", "bail_changed")]);
    // Said a hundred times over it is told once.
    let codes = resource(&mut coded, "ServiceRequest")["extension"].as_array_mut();
    let codes = codes.unwrap();
    codes.resize(100, codes[0].clone());
    let before = hospital.leaves(&district).await;
    taken(&sender.message(&coded, JSON).await);
    assert!(hospital.leaves(&district).await - before <= 2);
    let opened = clinic.get(&format!("/v1/inbox/{offered}")).await.json();
    let codes: Vec<&str> = opened["referral"]["updates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["code"].as_str().unwrap())
        .collect();
    assert_eq!(
        codes,
        [
            "safe_contact_changed",
            "risk_raised",
            "stop_calling",
            "bail_changed"
        ]
    );
    assert!(!opened.to_string().contains("900777"));
    let code = extension("update", "valueCode", "new_incident");
    for status in ["finished", "cancelled"] {
        let mut both = response(&offered, status);
        resource(&mut both, "Encounter")["extension"] = json!([code]);
        let said = service.message(&both, JSON).await;
        assert_eq!(
            (said.status, named_element(&said).0.as_str()),
            (422, "Encounter.extension(update)"),
            "{}",
            said.whole()
        );
    }
    let mut back = response(&offered, "in-progress");
    resource(&mut back, "Encounter")["extension"] = json!(vec![code; 100]);
    let before = clinic.leaves(&district).await;
    taken(&service.message(&back, JSON).await);
    assert!(clinic.leaves(&district).await - before <= 2);
    let task = status(("active", "accepted")).await;
    assert_eq!(task["output"][0]["valueCoding"]["code"], "new_incident");

    taken(&service.message(&response(&offered, "finished"), JSON).await);
    status(("completed", "completed")).await;

    // A refusal with its reason: the sender sees what it saw before.
    let sent_again = planned(&sender.message(&new("RQ-82"), JSON).await);
    let offered = id(&offer(&clinic).await);
    let mut rejection = response(&offered, "cancelled");
    resource(&mut rejection, "Encounter")["reasonCode"] = json!([{ "coding": [{
        "system": "https://firedoor.example/fhir/CodeSystem/decline-reason", "code": "full",
    }] }]);
    taken(&service.message(&rejection, JSON).await);
    assert!(clinic.pages("/v1/inbox", "offers").await.0.is_empty());
    let task = taken(&sender.get(&format!("/fhir/Task/{sent_again}"), JSON).await);
    assert_eq!(task["status"], "requested");
    println!("{}", spoken.read_by_others());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_in_bars_withdraws_the_offer() {
    let district = District::new(None).await;
    let served = district.serve();
    let (hospital, clinic) = (
        hospital(&district, &served).await,
        clinic(&district, &served).await,
    );
    let spoken = Spoken::new();
    let sender = Speaker {
        caller: &hospital,
        spoken: &spoken,
    };
    let service = Speaker {
        caller: &clinic,
        spoken: &spoken,
    };
    for (name, kind) in [("RQ-83", JSON), ("RQ-84", XML)] {
        let said = sender.message(&new(name), kind).await;
        assert_eq!(said.status, 200, "{}", said.whole());
        let offered = id(&offer(&clinic).await);
        let said = sender.message(&revoked(name), kind).await;
        assert_eq!(said.status, 200, "{}", said.whole());
        // It cannot be accepted any more, in FHIR or in JSON, and nothing of it opens.
        let late = service.message(&acceptance(&offered), kind).await;
        assert_eq!(late.status, 404, "{}", late.whole());
        let accept = json!({ "worker": "a-nurse", "onward_rule_accepted": true });
        let late = clinic
            .post(&format!("/v1/referrals/{offered}/accept"), &accept)
            .await;
        assert_eq!(late.json()["result"], "nothing-to-show", "{}", late.whole());
        let opened = clinic.get(&format!("/v1/inbox/{offered}")).await;
        assert_eq!(opened.json()["result"], "nothing-to-show");
        assert!(clinic.pages("/v1/inbox", "offers").await.0.is_empty());
    }
    println!("{}", spoken.read_by_others());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_one_reply_on_every_route_of_fhir() {
    let district = District::new(None).await;
    let served = district.serve();
    let (hospital, clinic) = (
        hospital(&district, &served).await,
        clinic(&district, &served).await,
    );
    let (charity, _) = CHARITIES[0];
    let adviser = district
        .caller(&served, charity, "a-worker", Role::Adviser)
        .await;
    let spoken = Spoken::new();
    let sender = Speaker {
        caller: &hospital,
        spoken: &spoken,
    };
    let service = Speaker {
        caller: &clinic,
        spoken: &spoken,
    };
    let stranger = Speaker {
        caller: &adviser,
        spoken: &spoken,
    };
    let (sent, person) = accepted(&sender, &clinic, "RQ-87").await;
    let at = now().rfc3339();
    let nobody = "7QF42KD0000000000000000000";
    let her = service
        .post("/fhir/Consent", &consent(&person, "permit", &at), JSON)
        .await;
    let name = her.json()["id"].as_str().unwrap().to_owned();

    // Somebody else's, and nobody's.
    for path in [
        "/fhir/ServiceRequest/",
        "/fhir/Task/",
        "/fhir/Task?focus=ServiceRequest/",
    ] {
        let mut replies = Vec::new();
        for id in [sent.as_str(), nobody] {
            replies.push(stranger.get(&format!("{path}{id}"), JSON).await);
        }
        replies.push(service.get(&format!("{path}{nobody}"), JSON).await);
        same(&replies);
    }
    let unknown = format!("{person}.{nobody}");
    let nobodys = format!("{nobody}.{nobody}");
    let mut replies = Vec::new();
    for id in [&name, &unknown, &nobodys] {
        replies.push(stranger.get(&format!("/fhir/Consent/{id}"), JSON).await);
    }
    for id in [&unknown, &nobodys] {
        replies.push(service.get(&format!("/fhir/Consent/{id}"), JSON).await);
    }
    same(&replies);
    let mut replies = Vec::new();
    for who in [person.as_str(), nobody] {
        let her = consent(who, "permit", &at);
        replies.push(stranger.post("/fhir/Consent", &her, JSON).await);
    }
    same(&replies);
    let mut replies = Vec::new();
    for who in [person.as_str(), nobody] {
        let told = assessment(who, &at);
        replies.push(
            stranger
                .post("/fhir/QuestionnaireResponse", &told, JSON)
                .await,
        );
    }
    same(&replies);
    // A withdrawal says the same whether there was one.
    let mut replies = Vec::new();
    for id in [&unknown, &nobodys, &name] {
        let (person, _) = id.split_once('.').unwrap();
        let mut ends = consent(person, "permit", &at);
        ends["status"] = json!("inactive");
        let key = new_key();
        let headers = [("content-type", JSON), ("idempotency-key", key.as_str())];
        let path = format!("/fhir/Consent/{id}");
        replies.push(
            service
                .say(Method::PUT, &path, &headers, &ends.to_string())
                .await,
        );
    }
    same(&replies);
    // An answer to an offer that is another's or nobody's, and an update of no referral.
    let mut replies = Vec::new();
    for id in [sent.as_str(), nobody] {
        replies.push(stranger.message(&response(id, "cancelled"), JSON).await);
    }
    same(&replies);
    let mut changed = update("RQ-never");
    let header = resource(&mut changed, "MessageHeader");
    header["focus"][0]["reference"] = json!("urn:uuid:00000000-0000-4000-8000-000000000077");
    changed["entry"][1]["fullUrl"] = json!("urn:uuid:00000000-0000-4000-8000-000000000077");
    resource(&mut changed, "ServiceRequest")["priority"] = json!("urgent");
    let said = sender.message(&changed, JSON).await;
    assert_eq!(said.status, 404, "{}", said.whole());

    // What she withdrew changes nothing that the sender sees.
    let before = sender.get(&format!("/fhir/Task/{sent}"), JSON).await;
    let wish = json!({ "person": person, "scope": "everything", "channel": "telephone" });
    assert_eq!(clinic.post("/v1/withdrawals", &wish).await.status, 200);
    let after = sender.get(&format!("/fhir/Task/{sent}"), JSON).await;
    same(&[before, after]);
    println!("{}", spoken.read_by_others());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_fhir_even_what_is_refused_elsewhere_is_said_in_fhir() {
    let district = District::new(None).await;
    let served = district.serve();
    let clinic = clinic(&district, &served).await;
    let spoken = Spoken::new();
    let service = Speaker {
        caller: &clinic,
        spoken: &spoken,
    };
    let statement = service.get("/fhir/metadata", JSON).await.json();
    assert_eq!(stated(&statement), routes());
    for kind in [JSON, XML] {
        let statement = service.get("/fhir/metadata", kind).await;
        let text = statement.whole();
        assert!(
            text.contains("CapabilityStatement") && text.contains("4.0.1"),
            "{text}"
        );
        for (method, path, status) in [
            (Method::GET, "/fhir/Patient/1", 404),
            (Method::GET, "/fhir", 404),
            (Method::DELETE, "/fhir/Consent/1", 405),
            (Method::GET, "/fhir/Task", 422),
            (Method::GET, "/fhir/Task/1", 422),
            (Method::GET, "/fhir/Consent/1", 422),
            // No key.
            (Method::POST, "/fhir/Consent", 422),
        ] {
            let headers = [("accept", kind), ("content-type", kind)];
            let said = service.say(method, path, &headers, "").await;
            assert_eq!(said.status, status, "{path}: {}", said.whole());
            named_element(&said);
            assert!(
                said.headers["content-type"]
                    .to_str()
                    .unwrap()
                    .starts_with(kind)
            );
        }
    }
    let said = service
        .get("/fhir/Task/7QF42KD0000000000000000000", "text/html")
        .await;
    assert_eq!(said.status, 406, "{}", said.whole());
    let headers = [
        ("content-type", "application/pdf"),
        ("idempotency-key", "a"),
    ];
    let said = service
        .say(Method::POST, "/fhir/Consent", &headers, "%PDF")
        .await;
    assert_eq!(said.status, 415, "{}", said.whole());
    let long = "x".repeat(300 * 1024);
    let headers = [("content-type", JSON), ("idempotency-key", "b")];
    let said = service
        .say(Method::POST, "/fhir/Consent", &headers, &long)
        .await;
    assert_eq!(said.status, 413, "{}", said.whole());
    println!("{}", spoken.read_by_others());
}

/// What the statement says can be done, as method and path.
fn stated(statement: &Value) -> BTreeSet<(String, String)> {
    let rest = &statement["rest"][0];
    let mut found = BTreeSet::from([("GET".to_owned(), "/fhir/metadata".to_owned())]);
    for operation in rest["operation"].as_array().unwrap() {
        let name = operation["name"].as_str().unwrap();
        found.insert(("POST".to_owned(), format!("/fhir/${name}")));
    }
    for resource in rest["resource"].as_array().unwrap() {
        let kind = resource["type"].as_str().unwrap();
        for interaction in resource["interaction"].as_array().unwrap() {
            let (method, id) = match interaction["code"].as_str().unwrap() {
                "create" => ("POST", ""),
                "read" => ("GET", "/{id}"),
                "update" => ("PUT", "/{id}"),
                "search-type" => ("GET", ""),
                other => panic!("{other}"),
            };
            found.insert((method.to_owned(), format!("/fhir/{kind}{id}")));
        }
    }
    found
}

/// What can be done.
fn routes() -> BTreeSet<(String, String)> {
    let all = declared().into_iter();
    let fhir = all.filter(|route| route.path.starts_with("/fhir/"));
    fhir.map(|route| (route.method.to_owned(), route.path))
        .collect()
}
