//! Her consent and an assessment in FHIR: recorded, read again and ended, and refused by element.

use axum::http::Method;
use firedoor::ops::clock::now;
use serde_json::{Value, json};

use super::district::{District, new_key};
use super::fhir_desk::{
    JSON, Speaker, Spoken, XML, assessment, consent, extension, named_element, written,
};
use super::fhir_resources::{accepted, clinic, hospital, taken};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn her_consent_is_recorded_read_again_and_ended_in_fhir() {
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
    let (_, person) = accepted(&sender, &clinic, "RQ-85").await;
    let at = now().rfc3339();

    for (kind, decision) in [(JSON, "permit"), (XML, "permit"), (JSON, "deny")] {
        let mut her = consent(&person, decision, &at);
        if decision == "deny" {
            her["extension"].as_array_mut().unwrap().remove(1);
            her["status"] = json!("rejected");
        }
        let said = service.post("/fhir/Consent", &her, kind).await;
        assert_eq!(said.status, 201, "{}", said.whole());
        let text = said.whole();
        let name = if kind == JSON {
            said.json()["id"].as_str().unwrap().to_owned()
        } else {
            let (_, rest) = text.split_once("<id value=\"").unwrap();
            rest.split_once('"').unwrap().0.to_owned()
        };
        assert!(name.starts_with(&format!("{person}.")), "{name}");
        let path = format!("/fhir/Consent/{name}");
        let read = taken(&service.get(&path, JSON).await);
        assert_eq!(read["status"], "active");
        assert_eq!(read["provision"]["type"], decision);
        assert_eq!(read["provision"]["purpose"][0]["code"], "prior_assessment");
        assert_eq!(
            read["provision"]["actor"][0]["reference"]["identifier"]["value"],
            "larkfield"
        );
        let depth = read["extension"].as_array().unwrap().iter();
        let depth = depth.filter(|one| one["url"].as_str().unwrap().ends_with("/depth"));
        assert_eq!(depth.count(), usize::from(decision == "permit"));

        // What she said is not changed; it ends, and she says something new.
        let mut ends = consent(&person, decision, &at);
        let key = new_key();
        let headers = [("content-type", kind), ("idempotency-key", key.as_str())];
        let body = written(&ends, kind);
        let refused = service.say(Method::PUT, &path, &headers, &body).await;
        assert_eq!(refused.status, 422, "{}", refused.whole());
        assert_eq!(named_element(&refused).0, "Consent.status");
        ends["status"] = json!("inactive");
        let body = written(&ends, kind);
        let ended = service.say(Method::PUT, &path, &headers, &body).await;
        assert_eq!(ended.status, 200, "{}", ended.whole());
        assert!(ended.whole().contains("You need no reason."));
        assert_eq!(taken(&service.get(&path, JSON).await)["status"], "inactive");
    }

    // What has no place here is named and not kept; a parent speaks for a child; he was there.
    let mut child = consent(&person, "permit", &at);
    child["verification"] = json!([{ "verified": true }]);
    let more = child["extension"].as_array_mut().unwrap();
    more.retain(|one| {
        !one["url"]
            .as_str()
            .unwrap()
            .ends_with("/other-party-present")
    });
    for (name, code) in [
        ("other-party-present", "yes"),
        ("given-by", "parent_guardian"),
        ("competence", "parent_for_child"),
        ("parent", "mother"),
        ("parent-is-other-party", "no"),
    ] {
        more.push(extension(name, "valueCode", code));
    }
    let said = service.post("/fhir/Consent", &child, JSON).await;
    assert_eq!(said.status, 201, "{}", said.whole());
    let said = said.json();
    let found = |body: &Value, url: &str| {
        let all = body["extension"].as_array().unwrap().iter();
        let found = all.filter(|one| one["url"].as_str().unwrap().ends_with(url));
        let found = found.map(|one| one.to_string());
        found.collect::<Vec<String>>().join(" ")
    };
    assert!(found(&said, "left-behind").contains("Consent.verification"));
    assert!(found(&said, "urn:firedoor:warning").contains("alone"));
    let path = format!("/fhir/Consent/{}", said["id"].as_str().unwrap());
    let read = taken(&service.get(&path, JSON).await);
    assert_eq!(found(&read, "left-behind"), "");
    for (name, code) in [
        ("/competence", "parent_for_child"),
        ("/parent", "mother"),
        ("/parent-is-other-party", "\"no\""),
    ] {
        assert!(found(&read, name).contains(code), "{name}: {read}");
    }
    // In so many words about two assessments, or in doubt, it claims no more than that.
    let told = assessment(&person, &at);
    let told = service.post("/fhir/QuestionnaireResponse", &told, JSON);
    let about = told.await.json()["id"].as_str().unwrap().to_owned();
    let form = json!({
        "decision": "permit", "how": "spoken", "other_party_present": "no", "depth": "cards",
        "recipients": { "organisations": ["larkfield"] },
    });
    for (body, status) in [
        (
            json!({ "person": person, "consent": form, "items": [about] }),
            "active",
        ),
        (
            json!({ "person": person, "consent": form, "pause": true }),
            "inactive",
        ),
    ] {
        let said = clinic.post("/v1/consents", &body).await;
        assert_eq!(said.status, 201, "{}", said.whole());
        let id = said.json()["id"].as_str().unwrap().to_owned();
        let path = format!("/fhir/Consent/{person}.{id}");
        let read = taken(&service.get(&path, JSON).await);
        assert_eq!(read["status"], status);
        let of = &read["provision"]["data"][0]["reference"]["reference"];
        let whole = json!(format!("QuestionnaireResponse/{about}"));
        assert_eq!(*of == whole, status == "active", "{read}");
    }

    // What is not understood never widens, and each refusal names its element.
    let good = consent(&person, "permit", &at);
    let cases: Vec<(&str, &str, Value)> = vec![
        (
            "/provision/securityLabel",
            "Consent.provision.securityLabel",
            json!([{ "code": "R" }]),
        ),
        (
            "/provision/provision",
            "Consent.provision.provision",
            json!([{ "type": "deny" }]),
        ),
        (
            "/provision/data",
            "Consent.provision.data",
            json!([{ "meaning": "instance" }]),
        ),
        ("/provision/type", "Consent.provision.type", json!("allow")),
        (
            "/provision/class/0/code",
            "Consent.provision.class",
            json!("im"),
        ),
        (
            "/provision/purpose/0/code",
            "Consent.provision.purpose",
            json!("immigration"),
        ),
        (
            "/provision/purpose/0/system",
            "Consent.provision.purpose",
            json!("http://x.example"),
        ),
        (
            "/policyRule/coding/0/code",
            "Consent.policyRule",
            json!("OPTOUT"),
        ),
        (
            "/policyRule/coding/0/system",
            "Consent.policyRule",
            json!("http://x.example"),
        ),
        (
            "/provision/period",
            "Consent.provision.period.end",
            json!({ "end": "2026-12" }),
        ),
        (
            "/provision/period",
            "Consent.provision.period.start",
            json!({ "start": "2027" }),
        ),
        ("/dateTime", "Consent.dateTime", json!("2026-11-20")),
        (
            "/dateTime",
            "Consent.dateTime",
            json!("2036-11-20T10:00:00+00:00"),
        ),
        ("/patient/reference", "Consent.patient", json!("urn:uuid:1")),
        (
            "/extension/1/valueCode",
            "Consent.extension(depth)",
            json!("everything"),
        ),
        (
            "/extension/2/valueCode",
            "Consent.extension(how)",
            json!("overheard"),
        ),
        (
            "/extension/2",
            "Consent.extension",
            extension("nationality", "valueCode", "x"),
        ),
        (
            "/extension/0",
            "Consent.extension(notice-version)",
            extension("notice-version", "valueString", "referral-1999-01"),
        ),
        (
            "/extension/0",
            "Consent.extension(review-at)",
            extension("review-at", "valueDateTime", "2020-01-01T10:00:00+00:00"),
        ),
        ("/status", "Consent.status", json!("draft")),
        (
            "/modifierExtension",
            "Consent.modifierExtension",
            json!([{ "url": "x" }]),
        ),
    ];
    for (at, element, value) in cases {
        let mut wrong = good.clone();
        match wrong.pointer_mut(at) {
            Some(place) => *place = value,
            None => {
                let (parent, name) = at.rsplit_once('/').unwrap();
                wrong.pointer_mut(parent).unwrap()[name] = value;
            }
        }
        for kind in [JSON, XML] {
            let said = service.post("/fhir/Consent", &wrong, kind).await;
            assert!([400, 422].contains(&said.status), "{at}: {}", said.whole());
            assert_eq!(named_element(&said).0, element, "{at}: {}", said.whole());
        }
    }
    let mut unsaid = good.clone();
    unsaid["extension"].as_array_mut().unwrap().remove(2);
    let said = service.post("/fhir/Consent", &unsaid, JSON).await;
    assert_eq!(
        named_element(&said).0,
        "Consent.extension(how)",
        "{}",
        said.whole()
    );
    println!("{}", spoken.read_by_others());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_assessment_in_fhir_is_told_once() {
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
    let (sent, person) = accepted(&sender, &clinic, "RQ-86").await;
    let at = now().rfc3339();

    for kind in [JSON, XML] {
        let told = assessment(&person, &at);
        let said = service
            .post("/fhir/QuestionnaireResponse", &told, kind)
            .await;
        assert_eq!(said.status, 201, "{}", said.whole());
        // The words of the question have no place here, and that is said.
        assert!(said.whole().contains("urn:firedoor:left-behind"));
        // The answers do not come back, and ticks are counted.
        let text = said.whole();
        // In quotes, because a receipt is long and any two letters may stand in it.
        for never in ["her sister", "escalating", "\"q1\"", "\"high\""] {
            assert!(!text.contains(never), "{never}: {text}");
        }
        assert!(text.contains("/StructureDefinition/ticks"), "{text}");
    }
    // By her own details, contained, and by a referral.
    let mut contained = assessment(&person, &at);
    contained["subject"] = json!({ "reference": "#her" });
    contained["contained"] = json!([{ "resourceType": "Patient", "id": "her",
        "identifier": [{ "system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018" }],
        "name": [{ "family": "Varley", "given": ["Tamsin"] }], "birthDate": "1988-02-29" }]);
    let mut based_on = assessment(&person, &at);
    based_on.as_object_mut().unwrap().remove("subject");
    based_on["basedOn"] = json!([{ "reference": format!("ServiceRequest/{sent}") }]);
    let said = service
        .post("/fhir/QuestionnaireResponse", &contained, XML)
        .await;
    assert_eq!(said.status, 201, "{}", said.whole());
    let said = sender
        .post("/fhir/QuestionnaireResponse", &based_on, JSON)
        .await;
    assert_eq!(said.status, 201, "{}", said.whole());

    let good = assessment(&person, &at);
    let item = "QuestionnaireResponse.item";
    let cases: Vec<(&str, String, Value)> = vec![
        (
            "/status",
            "QuestionnaireResponse.status".into(),
            json!("in-progress"),
        ),
        (
            "/questionnaire",
            "QuestionnaireResponse.questionnaire".into(),
            json!("x|1"),
        ),
        (
            "/authored",
            "QuestionnaireResponse.authored".into(),
            json!("yesterday"),
        ),
        (
            "/subject/reference",
            "QuestionnaireResponse.subject".into(),
            json!("Patient/1"),
        ),
        (
            "/item/1/answer",
            format!("{item}.answer"),
            json!([{ "valueString": "her visa" }]),
        ),
        (
            "/item/1/linkId",
            format!("{item}.linkId"),
            json!("what she said"),
        ),
        ("/item/1/linkId", item.into(), json!("q1")),
        (
            "/item/0/item/0/answer/0/valueCoding/code",
            format!("{item}.answer"),
            json!("maybe"),
        ),
        (
            "/extension/0/valueCode",
            "QuestionnaireResponse.extension(grade)".into(),
            json!("9"),
        ),
        (
            "/extension/2/valueString",
            "QuestionnaireResponse.extension(judgement-reason)".into(),
            json!("her visa has expired and she is an overstayer"),
        ),
    ];
    for (place, element, value) in cases {
        let mut wrong = good.clone();
        *wrong.pointer_mut(place).unwrap() = value;
        let said = service
            .post("/fhir/QuestionnaireResponse", &wrong, JSON)
            .await;
        assert!(
            [400, 422].contains(&said.status),
            "{place}: {}",
            said.whole()
        );
        let (named, says) = named_element(&said);
        assert!(named.starts_with(&element), "{place}: {named}: {says}");
        assert!(
            !says.contains("overstayer") && !says.contains("her visa"),
            "{says}"
        );
    }
    println!("{}", spoken.read_by_others());
}
