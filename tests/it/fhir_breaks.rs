//! How a message is broken: each way by itself, with the element that its refusal must name.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use serde_json::{Value, json};

use super::fhir_desk::{extension, resource};

/// A message that must be refused, and an element that the refusal must name; a part of it is enough.
pub struct Broken {
    pub how: &'static str,
    pub body: Vec<u8>,
    pub names: String,
}

/// Words that no refusal repeats.
pub const NEVER: &str = "her visa ran out";

fn broken(how: &'static str, body: impl Into<Vec<u8>>, names: &str) -> Broken {
    Broken {
        how,
        body: body.into(),
        names: names.to_owned(),
    }
}

/// What can be broken in any resource, `of` being an element of it that is read.
pub fn any_json(root: &Value, of: &str) -> Vec<Broken> {
    let kind = root["resourceType"].as_str().unwrap();
    let text = root.to_string();
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut root = root.clone();
        change(&mut root);
        root.to_string()
    };
    let here = format!("{kind}.{of}");
    let mut deep = json!({ "x": 1 });
    for _ in 0..20 {
        deep = json!({ "x": deep });
    }
    let rest = text.strip_prefix('{').unwrap();
    let twice = format!("{{\"{of}\":{},{rest}", root[of]);
    let mut latin = text.clone().into_bytes();
    latin.insert(latin.len() - 1, 0xE9);
    vec![
        broken("cut off", &text.as_bytes()[..text.len() / 2], kind),
        broken(
            "cut off at the end",
            &text.as_bytes()[..text.len() - 1],
            kind,
        ),
        broken("not UTF-8", latin, kind),
        broken(
            "an element that is not",
            changed(&|one| one["nationality"] = json!(NEVER)),
            "nationality",
        ),
        broken(
            "an element of the wrong type",
            changed(&|one| one[of] = json!({ "a": 5 })),
            &here,
        ),
        broken(
            "a number for text",
            changed(&|one| one[of] = json!(5)),
            &here,
        ),
        broken("null", changed(&|one| one[of] = Value::Null), kind),
        broken("an empty list", changed(&|one| one[of] = json!([])), of),
        broken(
            "a list for one",
            changed(&|one| one[of] = json!([one[of], one[of]])),
            &here,
        ),
        broken(
            "without it",
            changed(&|one| {
                one.as_object_mut().unwrap().remove(of);
            }),
            &here,
        ),
        broken("a wrong code", changed(&|one| one[of] = json!("x1")), &here),
        broken("an element twice", twice, of),
        broken(
            "nested too deep",
            changed(&|one| one["extension"] = deep.clone()),
            "extension",
        ),
        broken(
            "a meaning that is not known",
            changed(&|one| one["modifierExtension"] = json!([{ "url": "x" }])),
            "modifierExtension",
        ),
        broken(
            "an extension of ours that is not",
            changed(&|one| one["extension"] = json!([extension("visa", "valueString", NEVER)])),
            "extension",
        ),
        broken(
            "a control character",
            changed(&|one| one[of] = json!("a\u{7}b")),
            of,
        ),
        broken(
            "another resource",
            changed(&|one| one["resourceType"] = json!("Passport")),
            "resourceType",
        ),
        broken(
            "no resource",
            changed(&|one| {
                one.as_object_mut().unwrap().remove("resourceType");
            }),
            "resourceType",
        ),
    ]
}

/// What can be broken in a BaRS message besides.
pub fn message_json(root: &Value) -> Vec<Broken> {
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut root = root.clone();
        change(&mut root);
        root.to_string()
    };
    let header =
        |change: &dyn Fn(&mut Value)| changed(&|one| change(resource(one, "MessageHeader")));
    let request =
        |change: &dyn Fn(&mut Value)| changed(&|one| change(resource(one, "ServiceRequest")));
    let mut all = vec![
        broken(
            "a searchset",
            changed(&|one| one["type"] = json!("searchset")),
            "Bundle.type",
        ),
        broken(
            "another event",
            header(&|one| one["eventCoding"]["code"] = json!("booking-request")),
            "MessageHeader.eventCoding",
        ),
        broken(
            "an event of another list",
            header(&|one| one["eventCoding"]["system"] = json!("http://x.example")),
            "MessageHeader.eventCoding",
        ),
        broken(
            "another reason",
            header(&|one| one["reason"]["coding"][0]["code"] = json!("delete")),
            "MessageHeader.reason",
        ),
        broken(
            "no reason",
            header(&|one| {
                one.as_object_mut().unwrap().remove("reason");
            }),
            "MessageHeader.reason",
        ),
        broken(
            "no destination",
            header(&|one| {
                one.as_object_mut().unwrap().remove("destination");
            }),
            "MessageHeader.destination",
        ),
        broken(
            "two destinations",
            header(&|one| {
                let first = one["destination"][0].clone();
                one["destination"].as_array_mut().unwrap().push(first);
            }),
            "MessageHeader.destination",
        ),
        broken(
            "no focus",
            header(&|one| {
                one.as_object_mut().unwrap().remove("focus");
            }),
            "MessageHeader.focus",
        ),
        broken(
            "a focus that leads nowhere",
            header(&|one| {
                one["focus"][0]["reference"] =
                    json!("urn:uuid:00000000-0000-4000-8000-000000000000")
            }),
            "MessageHeader.focus",
        ),
        broken(
            "two headers",
            changed(&|one| {
                let first = one["entry"][0].clone();
                one["entry"].as_array_mut().unwrap().push(first);
            }),
            "MessageHeader",
        ),
        broken(
            "no header",
            changed(&|one| {
                one["entry"].as_array_mut().unwrap().remove(0);
            }),
            "Bundle.entry[0].resource",
        ),
        broken(
            "an entry without a resource",
            changed(&|one| {
                one["entry"]
                    .as_array_mut()
                    .unwrap()
                    .push(json!({ "fullUrl": "urn:x" }))
            }),
            "Bundle.entry.resource",
        ),
        broken(
            "a resource that is not",
            changed(&|one| {
                one["entry"]
                    .as_array_mut()
                    .unwrap()
                    .push(json!({ "resource": { "resourceType": "Visa" } }))
            }),
            "Bundle.entry.resource",
        ),
        broken(
            "a file",
            changed(&|one| {
                one["entry"]
                    .as_array_mut()
                    .unwrap()
                    .push(json!({ "resource": { "resourceType": "Binary" } }))
            }),
            "Bundle.entry.resource(Binary)",
        ),
        broken(
            "a wrong status",
            request(&|one| one["status"] = json!("finnished")),
            "ServiceRequest.status",
        ),
        broken(
            "no status",
            request(&|one| {
                one.as_object_mut().unwrap().remove("status");
            }),
            "ServiceRequest.status",
        ),
        broken(
            "an element that the request has not",
            request(&|one| one["PatientInstruction"] = json!(NEVER)),
            "ServiceRequest.PatientInstruction",
        ),
        broken(
            "a meaning of the request that is not known",
            request(&|one| one["modifierExtension"] = json!([{ "url": "x" }])),
            "ServiceRequest.modifierExtension",
        ),
        broken(
            "two statuses",
            request(&|one| one["status"] = json!(["active", "active"])),
            "ServiceRequest.status",
        ),
    ];
    let answers = root.to_string().contains("servicerequest-response");
    if !answers {
        all.push(broken(
            "a wrong destination",
            header(&|one| {
                one["destination"][0]["endpoint"] =
                    json!("https://fhir.nhs.uk/Id/dos-service-id|9999999999");
                one["destination"][0]
                    .as_object_mut()
                    .unwrap()
                    .remove("receiver");
            }),
            "MessageHeader.destination",
        ));
        all.push(broken(
            "a request doubled",
            changed(&|one| {
                let entries = one["entry"].as_array_mut().unwrap();
                let found = entries
                    .iter()
                    .find(|entry| entry["resource"]["resourceType"] == "ServiceRequest");
                let twin = found.unwrap().clone();
                entries.push(twin);
            }),
            "Bundle.entry.fullUrl",
        ));
    }
    // A revocation is of a request; who she is is not read.
    let reads_her = ["\"new\"", "\"update\""]
        .iter()
        .any(|one| root.to_string().contains(one))
        && root.to_string().contains("\"active\"")
        && !answers;
    if reads_her {
        all.push(broken(
            "a subject that leads nowhere",
            request(&|one| {
                one["subject"]["reference"] = json!("urn:uuid:00000000-0000-4000-8000-000000000000")
            }),
            "ServiceRequest.subject",
        ));
        all.push(broken(
            "no subject",
            request(&|one| {
                one.as_object_mut().unwrap().remove("subject");
            }),
            "ServiceRequest.subject",
        ));
        all.push(broken(
            "a wrong intent",
            request(&|one| one["intent"] = json!("whim")),
            "ServiceRequest.intent",
        ));
        all.push(broken(
            "a wrong priority",
            request(&|one| one["priority"] = json!("soonish")),
            "ServiceRequest.priority",
        ));
    }
    if root.to_string().contains("\"birthDate\"") && !answers {
        let her = |change: &dyn Fn(&mut Value)| changed(&|one| change(resource(one, "Patient")));
        all.push(broken(
            "a date that is not",
            her(&|one| one["birthDate"] = json!("1988-02-30")),
            "Patient.birthDate",
        ));
        all.push(broken(
            "a gender that is not",
            her(&|one| one["gender"] = json!("f")),
            "Patient.gender",
        ));
        all.push(broken(
            "no name",
            her(&|one| {
                one.as_object_mut().unwrap().remove("name");
            }),
            "Patient.name",
        ));
        all.push(broken(
            "an element that she has not",
            her(&|one| one["immigrationStatus"] = json!(NEVER)),
            "Patient.immigrationStatus",
        ));
    }
    all
}

/// What can be broken in XML as text. `root` is the name of its root.
pub fn any_xml(text: &str, root: &str, status: Option<&str>) -> Vec<Broken> {
    let end = format!("</{root}>");
    let put = |what: &str| text.replacen(&end, &format!("{what}{end}"), 1);
    let deep = format!("{}{}", "<extension>".repeat(40), "</extension>".repeat(40));
    let mut latin = text.as_bytes().to_vec();
    latin.push(0xE9);
    let mut all = vec![
        broken("cut off", &text.as_bytes()[..text.len() / 2], root),
        broken(
            "cut off at the end",
            text.trim_end().strip_suffix('>').unwrap(),
            root,
        ),
        broken("not UTF-8", latin, root),
        broken(
            "a wrong namespace",
            text.replacen("http://hl7.org/fhir", "http://hl7.org/fhis", 1),
            root,
        ),
        broken(
            "no namespace",
            text.replacen(" xmlns=\"http://hl7.org/fhir\"", "", 1),
            root,
        ),
        broken(
            "a document type",
            format!("<!DOCTYPE x>{}", strip_declaration(text)),
            root,
        ),
        broken("an entity", put("<language value=\"&her;\"/>"), root),
        broken("words between elements", put(NEVER), root),
        broken("an instruction", put("<?php x ?>"), root),
        broken(
            "an element that is not",
            put(&format!("<nationality value=\"{NEVER}\"/>")),
            "nationality",
        ),
        broken(
            "an attribute that is not",
            put("<language code=\"x\"/>"),
            "language",
        ),
        broken("nested too deep", put(&deep), "extension"),
        broken(
            "an element twice",
            put("<id value=\"a\"/><id value=\"b\"/>"),
            ".id",
        ),
        broken(
            "a meaning that is not known",
            put("<modifierExtension url=\"x\"/>"),
            "modifierExtension",
        ),
        broken(
            "two roots",
            format!("{text}<Bundle xmlns=\"http://hl7.org/fhir\"/>"),
            "",
        ),
        broken(
            "another resource",
            text.replacen(&format!("<{root}"), "<Passport", 1)
                .replacen(&end, "</Passport>", 1),
            "resourceType",
        ),
    ];
    if let Some(status) = status {
        let from = format!("<status value=\"{status}\"");
        if text.matches(&from).count() > 0 {
            let wrong = text.replace(&from, "<status value=\"finnished\"");
            all.push(broken("a wrong status", wrong, ".status"));
        }
    }
    all
}

fn strip_declaration(text: &str) -> &str {
    text.split_once("?>").map_or(text, |(_, rest)| rest)
}

/// What can be broken in a BaRS message in XML besides.
pub fn message_xml(text: &str) -> Vec<Broken> {
    let mut all = Vec::new();
    let mut put = |how, from: &str, to: &str, names: &str| {
        if text.contains(from) {
            all.push(broken(how, text.replace(from, to), names));
        }
    };
    let event = "value=\"servicerequest-re";
    put(
        "another event",
        event,
        "value=\"booking-re",
        "MessageHeader.eventCoding",
    );
    put(
        "a searchset",
        "<type value=\"message\"",
        "<type value=\"searchset\"",
        "Bundle.type",
    );
    for reason in ["new", "update"] {
        let from = format!("<code value=\"{reason}\"");
        put(
            "another reason",
            &from,
            "<code value=\"delete\"",
            "MessageHeader.reason",
        );
    }
    for status in ["active", "revoked"] {
        let from = format!("<status value=\"{status}\"");
        put(
            "a wrong status",
            &from,
            "<status value=\"finnished\"",
            ".status",
        );
        put(
            "a status twice",
            &from,
            &format!("{from}/>{from}"),
            ".status",
        );
    }
    put(
        "an element that the header has not",
        "<focus>",
        "<visa/><focus>",
        "MessageHeader.visa",
    );
    let answers = text.contains("servicerequest-response");
    let reads_her = !answers && !text.contains("<status value=\"revoked\"");
    if !answers {
        for dos in ["111111111", "2000012345"] {
            let from = format!("dos-service-id|{dos}\"");
            put(
                "a wrong destination",
                &from,
                "dos-service-id|9999999999\"",
                "destination",
            );
        }
    }
    if reads_her {
        put(
            "a wrong intent",
            "<intent value=\"plan\"",
            "<intent value=\"whim\"",
            ".intent",
        );
        put(
            "an element that a reference has not",
            "<subject>",
            "<subject><x/>",
            ".subject",
        );
    }
    if reads_her && text.contains("<birthDate") {
        put(
            "a wrong gender",
            "<gender value=\"female\"",
            "<gender value=\"f\"",
            "Patient.gender",
        );
        put(
            "a wrong date",
            "<birthDate value=\"",
            "<birthDate value=\"x",
            "Patient.birthDate",
        );
        put(
            "two dates",
            "<birthDate ",
            "<birthDate value=\"1990-01-01\"/><birthDate ",
            "birthDate",
        );
    }
    all
}
