//! The whole reading, on messages of our own: invented people, NHS numbers of the 999 range.

use proptest::prelude::*;

use super::*;

const NEW_JSON: &str = include_str!("../../../tests/vectors/fhir/bars-new.json");
const NEW_XML: &str = include_str!("../../../tests/vectors/fhir/bars-new.xml");
const REVOKED_JSON: &str = include_str!("../../../tests/vectors/fhir/bars-revoked.json");
const REVOKED_XML: &str = include_str!("../../../tests/vectors/fhir/bars-revoked.xml");

const ALL: [(&str, Format); 4] = [
    (NEW_JSON, Format::Json),
    (NEW_XML, Format::Xml),
    (REVOKED_JSON, Format::Json),
    (REVOKED_XML, Format::Xml),
];

fn new(text: &str, format: Format) -> Box<NewReferral> {
    match read(text.as_bytes(), format) {
        Ok(Message::New(new)) => new,
        Ok(Message::Revoke(_)) => panic!("a revocation"),
        Err(problem) => panic!("{problem}"),
    }
}

fn refusal(text: &str, format: Format) -> String {
    match read(text.as_bytes(), format) {
        Ok(_) => "taken".to_owned(),
        Err(problem) => format!("{} {problem}", problem.kind().status()),
    }
}

/// The JSON message with one text in it changed; it must be there exactly once.
fn with(from: &str, to: &str) -> String {
    assert_eq!(NEW_JSON.matches(from).count(), 1, "{from}");
    NEW_JSON.replace(from, to)
}

/// Which element a changed message is refused for.
fn element(from: &str, to: &str) -> String {
    match read(with(from, to).as_bytes(), Format::Json) {
        Ok(_) => "taken".to_owned(),
        Err(problem) => problem.element().unwrap_or("none").to_owned(),
    }
}

/// All of it that is not left behind, for comparing.
fn told(new: &NewReferral) -> String {
    let (who, safe) = (&new.identity, &new.safe_contact);
    format!(
        "to {} for {:?}, {:?}\nids {:?} {:?}\nreply to {:?}\nconsent {:?}\n{:?} {:?} {:?} {:?}\n\
         name {:?} {:?} {:?}, {:?} {:?} {:?}\nat {:?} {:?} {:?} {:?}\n\
         safe {:?} {:?} {:?} text {} voicemail {} letters {} checked {}\nnote {:?}",
        new.destination_dos,
        new.journey,
        new.external_refs,
        new.message_id,
        new.header_id,
        new.reply_to,
        new.consent.code,
        new.authored_at.map(When::rfc3339),
        new.occurs_from.map(When::rfc3339),
        new.occurs_until.map(When::rfc3339),
        new.urgency,
        who.given_name,
        who.family_name,
        who.other_names,
        who.birth_date,
        who.sex,
        who.nhs_number,
        who.address_line,
        who.postcode,
        who.phone,
        who.email,
        safe.modes,
        safe.number,
        safe.email,
        safe.text,
        safe.voicemail,
        safe.letters,
        safe.checked,
        new.note.as_ref().map(|note| note.as_str()),
    )
}

#[test]
fn a_referral_is_read_alike_from_json_and_xml() {
    let (json, xml) = (new(NEW_JSON, Format::Json), new(NEW_XML, Format::Xml));
    assert_eq!(told(&json), told(&xml));
    assert_eq!(json.left_behind, xml.left_behind);
    insta::assert_snapshot!(told(&json), @r#"
    to 2000012345 for Some("5c9d6a52-1111-4222-8333-444455556666"), ["urn:uuid:0b1f7c11-6d0e-4e0c-9a55-3f2a6a1c0002", "https://riverside.example/requests|RQ-77"]
    ids Some("4f9be0d0-0000-4000-8000-00000000aaaa") Some("urn:uuid:0b1f7c11-6d0e-4e0c-9a55-3f2a6a1c0001")
    reply to Some("https://fhir.nhs.uk/Id/dos-service-id|2000054321")
    consent Implied
    Some("2026-11-20T14:30:00.000Z") Some("2026-11-20T15:00:00.000Z") Some("2026-11-22T00:00:00.000Z") High
    name Some("Tamsin") Some("Varley") ["Joy", "Okafor"], Some("1988-02-29") Some("female") Some("9990000018")
    at Some("Flat 2, 9 Invented Lane, London") Some("N1 9GU") ["07700 900123", "020 7946 0018"] ["tamsin@example.org"]
    safe ["phone", "email"] Some("07700 900123") Some("tamsin@example.org") text false voicemail false letters false checked false
    note Some("She would like a woman worker.\nAfternoons are best.")
    "#);
}

#[test]
fn what_has_no_place_is_named_and_nothing_of_it_is_told() {
    let new = new(NEW_XML, Format::Xml);
    insta::assert_snapshot!(new.left_behind.join("\n"), @"
    CarePlan
    MessageHeader.extension(CDSSExtension)
    Observation
    Organization
    Patient.address
    Patient.address.country
    Patient.birthDate.extension(patient-birthTime)
    Patient.communication
    Patient.contact
    Patient.contact.extension(ContactRank)
    Patient.extension
    Patient.extension(EthnicCategory)
    Patient.extension(patient-nationality)
    Patient.extension(patient-religion)
    Patient.identifier
    Patient.identifier.extension(NHSNumberVerificationStatus)
    Patient.maritalStatus
    Patient.name.prefix
    Patient.name.text
    Patient.telecom
    Patient.text
    ServiceRequest.patientInstruction
    ServiceRequest.reasonCode
    ");
    let all = format!("{}{:?}", told(&new), new.left_behind);
    for never in [
        "herself", "Dean", "900666", "900999", "Former", "fall", "triage", "story",
    ] {
        assert!(!all.contains(never), "{never}");
    }
}

#[test]
fn a_revocation_names_the_referral_as_the_referral_named_itself() {
    let first = new(NEW_JSON, Format::Json);
    for (text, format) in [(REVOKED_JSON, Format::Json), (REVOKED_XML, Format::Xml)] {
        let Ok(Message::Revoke(revoked)) = read(text.as_bytes(), format) else {
            panic!("not a revocation");
        };
        assert_eq!(revoked.destination_dos, first.destination_dos);
        assert!(
            revoked
                .external_refs
                .iter()
                .all(|name| first.external_refs.contains(name))
        );
        assert_eq!(
            revoked.left_behind,
            [
                "MessageHeader.extension(CDSSExtension)",
                "Organization",
                "Patient"
            ]
        );
    }
    let mistaken = REVOKED_JSON.replace("\"revoked\"", "\"entered-in-error\"");
    assert!(matches!(
        read(mistaken.as_bytes(), Format::Json),
        Ok(Message::Revoke(_))
    ));
}

#[test]
fn one_request_has_one_name_however_it_is_addressed() {
    let upper = with(
        "\"fullUrl\": \"urn:uuid:0b1f7c11-6d0e-4e0c-9a55-3f2a6a1c0002\"",
        "\"fullUrl\": \"urn:uuid:0B1F7C11-6D0E-4E0C-9A55-3F2A6A1C0002\"",
    );
    assert_eq!(
        new(&upper, Format::Json).external_refs,
        [
            "urn:uuid:0b1f7c11-6d0e-4e0c-9a55-3f2a6a1c0002",
            "https://riverside.example/requests|RQ-77"
        ]
    );
    let local = NEW_JSON.replace(
        "urn:uuid:0b1f7c11-6d0e-4e0c-9a55-3f2a6a1c0002",
        "https://riverside.example/fhir/ServiceRequest/7",
    );
    assert_eq!(new(&local, Format::Json).external_refs[0], "7");
}

#[test]
fn the_destination_is_known_before_the_person_is_read() {
    let bad = with("\"gender\": \"female\"", "\"gender\": \"f\"");
    let received = Received::parse(bad.as_bytes(), Format::Json).ok().unwrap();
    assert_eq!(received.destination(), "2000012345");
    assert_eq!(
        received.read().err().unwrap().element(),
        Some("Patient.gender")
    );
}

#[test]
fn a_destination_is_a_dos_service_in_any_of_its_spellings() {
    let good = "https://fhir.nhs.uk/Id/dos-service-id|2000012345";
    for same in [
        "http://fhir.nhs.uk/Id/dos-service-id|2000012345",
        "https://fhir.nhs.uk/id/dos-service-id|2000012345",
        "dos-service-id|2000012345",
    ] {
        assert_eq!(
            new(&with(good, same), Format::Json).destination_dos,
            "2000012345"
        );
    }
    for bad in [
        "https://fhir.nhs.uk/Id/dos-service-id|",
        "https://fhir.nhs.uk/Id/dos-service-id|1 2",
        "https://evil.example/fhir.nhs.uk/Id/dos-service-id|1",
        "urn:uuid:0b1f7c11-6d0e-4e0c-9a55-3f2a6a1c0008",
        "",
    ] {
        assert_eq!(
            element(good, bad),
            "MessageHeader.destination.endpoint",
            "{bad}"
        );
    }
    let receiver = with(good, "urn:uuid:0b1f7c11-6d0e-4e0c-9a55-3f2a6a1c0008").replace(
        "https://fhir.nhs.uk/id/ods-organization-code",
        "http://fhir.nhs.uk/Id/dos-service-id",
    );
    assert_eq!(new(&receiver, Format::Json).destination_dos, "XYZ01");
}

#[test]
fn a_message_of_another_kind_is_refused_by_its_type() {
    insta::assert_snapshot!(
        [
            refusal(&with("\"type\": \"message\"", "\"type\": \"searchset\""), Format::Json),
            refusal(&with("\"servicerequest-request\"", "\"servicerequest-response\""), Format::Json),
            refusal(&with("message-events-bars", "message-event-servicerequest"), Format::Json),
            refusal(&with("\"code\": \"new\"", "\"code\": \"update\""), Format::Json),
            refusal(&with("\"code\": \"new\"", "\"code\": \"delete\""), Format::Json),
            refusal(&with("\"status\": \"active\",\n    \"intent\"", "\"status\": \"revoked\",\n    \"intent\""), Format::Json),
            refusal(&with("\"priority\": \"urgent\"", "\"doNotPerform\": true"), Format::Json),
            refusal(&with("\"sender\": {", "\"response\": {\"identifier\": \"1\", \"code\": \"ok\"}, \"sender\": {"), Format::Json),
            refusal("{\"resourceType\": \"ServiceRequest\"}", Format::Json),
            refusal("<Consent xmlns=\"http://hl7.org/fhir\"/>", Format::Xml),
            refusal("{\"type\": \"message\"}", Format::Json),
            refusal("[]", Format::Json),
        ]
        .join("\n"),
        @"
    400 Bundle.type: must be message: a searchset or a collection is not a message
    400 MessageHeader.eventCoding: must be servicerequest-request of https://fhir.nhs.uk/CodeSystem/message-events-bars
    400 MessageHeader.eventCoding: must be servicerequest-request of https://fhir.nhs.uk/CodeSystem/message-events-bars
    400 ServiceRequest.status: must be revoked or entered-in-error in an update; to change a referral, revoke it and send a new one
    400 MessageHeader.reason: must be new, or update to revoke a referral sent before
    400 ServiceRequest.status: must be active in a new referral
    400 ServiceRequest.doNotPerform: asks that something is not done, which is not a referral
    400 MessageHeader.response: is in responses only; this operation takes a referral or its revocation
    400 resourceType: must be Bundle: this operation takes one BaRS referral message
    400 resourceType: must be Bundle: this operation takes one BaRS referral message
    400 resourceType: must be Bundle: send one FHIR message
    400 Bundle: a list is empty; leave the name out
    "
    );
}

#[test]
fn a_refusal_names_the_element() {
    for (from, to, named) in [
        (
            "\"gender\": \"female\"",
            "\"gender\": \"f\"",
            "Patient.gender",
        ),
        (
            "\"gender\": \"female\"",
            "\"gender\": [\"female\"]",
            "Patient.gender",
        ),
        (
            "\"gender\": \"female\"",
            "\"gender\": {\"coding\": []}",
            "Bundle.entry.resource.gender.coding",
        ),
        (
            "\"gender\": \"female\"",
            "\"gender\": {\"coding\": [1]}",
            "Patient.gender.coding",
        ),
        ("\"gender\": \"female\"", "\"gender\": 1", "Patient.gender"),
        (
            "\"gender\": \"female\"",
            "\"passport\": \"1\"",
            "Patient.passport",
        ),
        (
            "\"gender\": \"female\"",
            "\"modifierExtension\": [{}]",
            "Patient.modifierExtension",
        ),
        (
            "\"gender\": \"female\"",
            "\"gender\": \"female\", \"gender\": \"female\"",
            "Bundle.entry.resource.gender",
        ),
        (
            "\"birthDate\": \"1988-02-29\"",
            "\"birthDate\": \"29/02/1988\"",
            "Patient.birthDate",
        ),
        ("\"prefix\": [", "\"prefixes\": [", "Patient.name.prefixes"),
        (
            "\"intent\": \"plan\",\n    \"category\"",
            "\"intent\": \"wish\",\n    \"category\"",
            "ServiceRequest.intent",
        ),
        (
            "\"priority\": \"urgent\"",
            "\"priority\": \"soon\"",
            "ServiceRequest.priority",
        ),
        (
            "\"authoredOn\": \"2026-11-20T14:30:00+00:00\"",
            "\"authoredOn\": \"today\"",
            "ServiceRequest.authoredOn",
        ),
        (
            "\"patientInstruction\"",
            "\"PatientInstruction\"",
            "ServiceRequest.PatientInstruction",
        ),
        ("\"timestamp\"", "\"timestmap\"", "Bundle.timestmap"),
        (
            "\"resourceType\": \"Observation\"",
            "\"resourceType\": \"Passport\"",
            "Bundle.entry.resource",
        ),
        (
            "\"resourceType\": \"Observation\"",
            "\"resourceType\": \"DocumentReference\"",
            "Bundle.entry.resource(DocumentReference)",
        ),
        (
            "\"resourceType\": \"Observation\"",
            "\"resourceType\": \"Binary\"",
            "Bundle.entry.resource(Binary)",
        ),
        (
            "\"resourceType\": \"MessageHeader\"",
            "\"resourceType\": \"Basic\"",
            "Bundle.entry[0].resource",
        ),
        (
            "\"resourceType\": \"Observation\"",
            "\"resourceType\": \"MessageHeader\"",
            "MessageHeader",
        ),
    ] {
        assert_eq!(element(from, to), named, "{to}");
    }
    let elsewhere = NEW_JSON.replace("\"subject\": {\n", "\"subject\": {\"type\": \"Patient\",\n");
    assert!(read(elsewhere.as_bytes(), Format::Json).is_ok());
    let nobody = NEW_JSON.replace(
        "\"fullUrl\": \"urn:uuid:0b1f7c11-6d0e-4e0c-9a55-3f2a6a1c0003\"",
        "\"fullUrl\": \"urn:uuid:0b1f7c11-6d0e-4e0c-9a55-3f2a6a1c0099\"",
    );
    assert!(refusal(&nobody, Format::Json).contains("ServiceRequest.subject"));
    let two = NEW_JSON.replace(
        "\"resourceType\": \"Observation\"",
        "\"resourceType\": \"Patient\"",
    );
    let two = two.replace("3f2a6a1c0007", "3f2a6a1c0003");
    assert!(refusal(&two, Format::Json).contains("Bundle.entry.fullUrl"));
}

#[test]
fn a_singleton_given_twice_is_refused_in_xml() {
    let twice = NEW_XML.replace(
        "<gender value=\"female\"/>",
        "<gender value=\"female\"/><gender value=\"male\"/>",
    );
    assert!(refusal(&twice, Format::Xml).contains("Patient.gender: may be given once only"));
    let twice = NEW_XML.replace(
        "<maritalStatus>",
        "<maritalStatus><text value=\"x\"/></maritalStatus><maritalStatus>",
    );
    assert!(refusal(&twice, Format::Xml).contains("Patient.maritalStatus: may be given once only"));
}

#[test]
fn a_number_that_is_nobodys_and_half_a_date_are_left_behind() {
    let new = |from, to| new(&with(from, to), Format::Json);
    let wrong = new("999 000 0018", "999 000 0019");
    assert!(wrong.identity.nhs_number.is_none());
    assert!(
        wrong
            .left_behind
            .contains(&"Patient.identifier.value".to_owned())
    );
    let year = new("\"birthDate\": \"1988-02-29\"", "\"birthDate\": \"1988\"");
    assert!(year.identity.birth_date.is_none());
    assert!(year.left_behind.contains(&"Patient.birthDate".to_owned()));
    // ZZ99 codes stand for a country.
    let pseudo = new("n1 9gu", "ZZ99 3CZ");
    assert!(pseudo.identity.postcode.is_none());
    assert!(
        pseudo
            .left_behind
            .contains(&"Patient.address.postalCode".to_owned())
    );
    let extension = new("020 7946 0018", "020 7946 0018 ext 4");
    assert_eq!(extension.identity.phone, ["07700 900123"]);
    let long = "x".repeat(NOTE_CHARS_MAX + 1);
    let long = new("She would like a woman worker.", &long);
    assert!(long.note.is_none());
    assert!(long.left_behind.contains(&"ServiceRequest.note".to_owned()));
}

#[test]
fn two_nhs_numbers_are_refused() {
    let two = with(
        "https://riverside.example/mrn",
        "http://fhir.nhs.uk/id/nhs-number",
    );
    let two = two.replace("\"M-1\"", "\"9990000026\"");
    assert!(refusal(&two, Format::Json).contains("two different NHS numbers"));
}

#[test]
fn only_her_own_telephone_counts_and_without_one_her_worker_is_asked() {
    let not_hers = with("\"ONESELF\"", "\"SPS\"");
    let theirs = new(&not_hers, Format::Json);
    assert_eq!(theirs.identity.phone, ["020 7946 0018"]);
    let none = not_hers
        .replace("020 7946 0018", "none")
        .replace("tamsin@example.org", "none");
    let none = new(&none, Format::Json);
    assert_eq!(none.safe_contact.modes, ["via_worker"]);
    assert!(!none.safe_contact.checked && none.safe_contact.number.is_none());
    let texts = NEW_JSON.replace("\"system\": \"phone\"", "\"system\": \"sms\"");
    let texts = new(&texts, Format::Json);
    assert_eq!(texts.safe_contact.modes, ["text", "email"]);
    assert!(texts.safe_contact.text);
}

#[test]
fn what_is_read_is_a_person_and_a_safe_contact_for_the_domain() {
    use crate::domain::person::{RawIdentifier, SafeContact, TokenKeys, resolve};
    let NewReferral {
        identity,
        safe_contact,
        ..
    } = *new(NEW_XML, Format::Xml);
    let now = When::parse("2026-11-20T15:00:00Z").unwrap();
    let keys = TokenKeys::derive(&[7; 32]);
    let (_, known) = resolve(
        RawIdentifier::new(identity),
        &keys,
        jiff::civil::date(2026, 11, 20),
    )
    .ok()
    .unwrap();
    assert_eq!(known.who.nhs_number().unwrap().as_str(), "9990000018");
    assert_eq!(
        known.whereabouts.address_line(),
        Some("Flat 2, 9 Invented Lane, London")
    );
    let safe = SafeContact::parse(safe_contact, now).ok().unwrap();
    assert!(!safe.checked());
}

#[test]
fn a_domain_error_names_the_fhir_element() {
    use crate::domain::person::FieldError;
    let error = FieldError {
        field: "birth_date",
        message: "is in the future; check the year",
    };
    assert_eq!(
        Problem::of_field(&error).to_string(),
        "Patient.birthDate: is in the future; check the year"
    );
}

#[test]
fn consent_is_what_serves_least() {
    let code = |text: &str| {
        let consent = new(text, Format::Json).consent;
        format!("{:?} {}", consent.code, consent.element)
    };
    let rule = |to| code(&with("\"code\": \"IMPLIED\"", to));
    let policy = "\"policyRule\": {";
    let also = |extra: &str| {
        code(&with(policy, &format!("{extra}, {policy}")).replace("\"IMPLIED\"", "\"OPTIN\""))
    };
    let inactive = with(
        "\"status\": \"active\",\n    \"scope\"",
        "\"status\": \"inactive\",\n    \"scope\"",
    );
    let whose = NEW_JSON.replace(
        "\"patient\": {\n     \"reference\": \"urn:uuid:0b",
        "\"patient\": {\n     \"reference\": \"urn:uuid:9b",
    );
    let absent = with(
        "\"resourceType\": \"Consent\"",
        "\"resourceType\": \"Basic\"",
    );
    insta::assert_snapshot!(
        [
            code(NEW_JSON),
            rule("\"code\": \"OPTIN\""),
            rule("\"code\": \"OPTINR\""),
            rule("\"code\": \"OPTOUT\""),
            rule("\"display\": \"IMPLIED\""),
            also("\"provision\": {\"type\": \"permit\"}"),
            also("\"provision\": {\"type\": \"deny\"}"),
            also("\"provision\": {\"purpose\": [{\"code\": \"TREAT\"}]}"),
            also("\"provision\": {\"period\": {\"end\": \"2026-12-31\"}}"),
            code(&inactive),
            code(&whose),
            code(&absent),
        ]
        .join("\n"),
        @"
    Implied Consent.policyRule
    OptIn Consent.policyRule
    Other Consent.policyRule
    OptOut Consent.policyRule
    Other Consent.policyRule
    OptIn Consent.policyRule
    OptOut Consent.provision.type
    Other Consent.provision
    OptIn Consent.policyRule
    Other Consent.status
    Other Consent.patient
    Missing Consent.policyRule
    "
    );
    let until = with(
        policy,
        &format!("\"provision\": {{\"period\": {{\"end\": \"2026-12-31\"}}}}, {policy}"),
    );
    assert_eq!(
        new(&until, Format::Json).consent.until.map(When::rfc3339),
        Some("2027-01-01T00:00:00.000Z".to_owned())
    );
    let twice = NEW_JSON.replace("\"resourceType\": \"Observation\"", "\"resourceType\": \"Consent\", \"patient\": {\"reference\": \"urn:uuid:0b1f7c11-6d0e-4e0c-9a55-3f2a6a1c0003\"}, \"policyRule\": {\"coding\": [{\"code\": \"OPTOUT\"}]}");
    let twice = twice.replace("\"code\": {\n     \"text\": \"Lives alone\"\n    },\n    \"valueQuantity\": {\n     \"value\": 15.0,\n     \"unit\": \"weeks\"\n    }", "\"dateTime\": \"2026\"");
    assert_eq!(code(&twice), "OptOut Consent.policyRule");
}

#[test]
fn urgency_is_what_the_message_says() {
    let urgency = |from, to| new(&with(from, to), Format::Json).urgency;
    let said = "\"priority\": \"urgent\",";
    assert_eq!(
        urgency(said, "\"priority\": \"routine\","),
        Urgency::Standard
    );
    assert_eq!(urgency(said, "\"priority\": \"stat\","), Urgency::High);
    assert_eq!(urgency(said, ""), Urgency::Standard);
    let soon = with(said, "").replace(
        "\"end\": \"2026-11-21\"",
        "\"end\": \"2026-11-20T15:20:00Z\"",
    );
    assert_eq!(new(&soon, Format::Json).urgency, Urgency::High);
}

#[test]
fn a_message_cut_anywhere_is_refused() {
    for (text, format) in ALL {
        let whole = text.trim_end().len();
        for cut in (0..whole).step_by(10) {
            assert!(
                read(&text.as_bytes()[..cut], format).is_err(),
                "{format:?} {cut}"
            );
        }
        assert!(read(text.as_bytes(), format).is_ok());
    }
}

#[test]
fn deep_nesting_is_refused_without_recursion_to_it() {
    let deep = 1_000;
    let xml = format!(
        "<Bundle xmlns=\"http://hl7.org/fhir\">{}{}</Bundle>",
        "<Bundle>".repeat(deep),
        "</Bundle>".repeat(deep)
    );
    assert!(refusal(&xml, Format::Xml).contains("more than 32 deep"));
    let narrative = format!(
        "<Bundle xmlns=\"http://hl7.org/fhir\"><text><div xmlns=\"http://www.w3.org/1999/xhtml\">{}",
        "<p>".repeat(deep)
    );
    assert!(refusal(&narrative, Format::Xml).contains("more than 32 deep"));
    for json in [
        "[".repeat(deep),
        "{\"a\":".repeat(deep),
        "[{\"a\":".repeat(deep),
    ] {
        let says = refusal(&json, Format::Json);
        assert!(
            says.contains("more than 16 deep") || says.contains("directly in a list"),
            "{says}"
        );
    }
    let objects = |count: usize| format!("{}1{}", "{\"a\":".repeat(count), "}".repeat(count));
    assert!(refusal(&objects(JSON_DEPTH_MAX), Format::Json).contains("must be Bundle"));
    assert!(refusal(&objects(JSON_DEPTH_MAX + 1), Format::Json).contains("more than 16 deep"));
}

#[test]
fn xml_that_is_more_than_elements_and_values_is_refused() {
    let bundle = |inner: &str| format!("<Bundle xmlns=\"http://hl7.org/fhir\">{inner}</Bundle>");
    let many: String = (0..17).map(|at| format!(" xmlns:a{at}=\"b\"")).collect();
    insta::assert_snapshot!(
        [
            format!("<!DOCTYPE Bundle [<!ENTITY x \"y\">]>{}", bundle("<id value=\"&x;\"/>")),
            bundle("<id value=\"&x;\"/>"),
            bundle("&amp;"),
            bundle("text"),
            bundle("<![CDATA[text]]>"),
            bundle("<?php go?>"),
            bundle("<text><div xmlns=\"http://www.w3.org/1999/xhtml\">&nbsp;</div></text>"),
            bundle("<id value=\"a\" value=\"b\"/>"),
            bundle("<id value=\"a\" system=\"b\"/>"),
            bundle("<id value=\"<\"/>"),
            bundle("<id value=\"&#1;\"/>"),
            bundle("<id value=\"&#xD800;\"/>"),
            bundle("<entry><resource><Patient/><Patient/></resource></entry>"),
            bundle(&format!("<id{many}/>")),
            bundle("<x:id xmlns:x=\"urn:other\"/>"),
            bundle("<id>"),
            format!("{}{}", bundle(""), bundle("")),
            format!(" <?xml version=\"1.0\"?>{}", bundle("")),
            format!("<?xml version=\"1.0\" encoding=\"latin1\"?>{}", bundle("")),
            "<Bundle/>".to_owned(),
            String::new(),
        ]
        .map(|text| refusal(&text, Format::Xml))
        .join("\n"),
        @"
    400 a document type is not allowed; leave it out
    400 Bundle: only the five entities of XML itself and character references are allowed
    400 Bundle: FHIR has no text between elements; put values into the value attribute
    400 Bundle: FHIR has no text between elements; put values into the value attribute
    400 Bundle: FHIR has no text between elements; put values into the value attribute
    400 Bundle: processing instructions are not allowed; leave them out
    400 Bundle.text: only the five entities of XML itself and character references are allowed
    400 Bundle: the body is not well-formed XML; check it with an XML parser
    400 Bundle: an element has an attribute that FHIR does not have; it may have value, url and id
    400 Bundle: the body is not well-formed XML; check it with an XML parser
    400 Bundle: a value holds control characters; only tab and line breaks are allowed
    400 Bundle: only the five entities of XML itself and character references are allowed
    400 Bundle.entry.resource: must hold one resource and nothing else
    400 Bundle: an element has more than 16 attributes
    400 Bundle: elements must be in the namespace http://hl7.org/fhir
    400 Bundle.id: the body is not well-formed XML; check it with an XML parser
    400 there must be one root element and nothing after it
    400 the XML declaration must come first and say version 1.0 and UTF-8
    400 the XML declaration must come first and say version 1.0 and UTF-8
    400 elements must be in the namespace http://hl7.org/fhir
    400 the XML ends too early; send the whole message
    "
    );
    let prefixed = NEW_XML
        .replace("<", "<f:")
        .replace("<f:/", "</f:")
        .replace("<f:!--", "<!--")
        .replace("<f:?", "<?")
        .replace("<f:div xmlns=", "<div xmlns=")
        .replace("<f:p>", "<p>")
        .replace("</f:p>", "</p>")
        .replace("</f:div>", "</div>")
        .replace(
            "xmlns=\"http://hl7.org/fhir\"",
            "xmlns:f=\"http://hl7.org/fhir\"",
        );
    assert_eq!(
        told(&new(&prefixed, Format::Xml)),
        told(&new(NEW_XML, Format::Xml))
    );
    let marked = format!("\u{FEFF}{NEW_XML}");
    assert!(read(marked.as_bytes(), Format::Xml).is_ok());
}

#[test]
fn json_that_is_more_or_less_than_fhir_is_refused() {
    let bundle = |inner: &str| format!("{{\"resourceType\":\"Bundle\",{inner}}}");
    insta::assert_snapshot!(
        [
            bundle("\"id\":\"\\ud800\""),
            bundle("\"id\":\"\\udc00x\""),
            bundle("\"id\":\"\\u0000\""),
            bundle("\"id\":null"),
            bundle("\"id\":\"a\",\"id\":\"a\""),
            bundle("\"resourceType\":\"Bundle\""),
            bundle("\"entry\":[]"),
            bundle("\"entry\":[[1]]"),
            bundle("\"_entry\":[null]"),
            bundle("\"id\":\"a\",\"_id\":[{\"id\":\"b\"}]"),
            bundle("\"id\":{\"a\":1},\"_id\":{\"id\":\"b\"}"),
            bundle("\"a b\":1"),
            bundle("\"id\":1e999"),
            bundle("\"id\":01"),
            format!("{} x", bundle("\"id\":\"1\"")),
            "{\"resourceType\":7}".to_owned(),
            "\"Bundle\"".to_owned(),
            String::new(),
        ]
        .map(|text| refusal(&text, Format::Json))
        .join("\n"),
        @r#"
    400 a \u escape is half of a surrogate pair; write both halves or the character itself
    400 a \u escape is half of a surrogate pair; write both halves or the character itself
    400 Bundle.id: a value holds control characters; only tab and line breaks are allowed
    400 Bundle: null stands where a value must be; leave the name out
    400 Bundle.id: a name is given twice in one object; give it once
    400 Bundle.resourceType: a name is given twice in one object; give it once
    400 Bundle.entry: a list is empty; leave the name out
    400 Bundle.entry: a list stands directly in a list, which FHIR does not have
    400 Bundle: null stands where a value must be; leave the name out
    400 Bundle: the names with and without an underscore do not pair up (FHIR R4 JSON, primitive elements)
    400 Bundle: the names with and without an underscore do not pair up (FHIR R4 JSON, primitive elements)
    400 Bundle: an element's name is not one that FHIR could have
    400 the body is not JSON; check it with a JSON parser
    400 the body is not JSON; check it with a JSON parser
    400 the body is not JSON; check it with a JSON parser
    400 Bundle.resourceType: must be text
    400 resourceType: must be Bundle: send one FHIR message
    400 the JSON ends too early; send the whole message
    "#
    );
    for format in [Format::Json, Format::Xml] {
        let problem = read(b"{\"resourceType\":\"\xff\"}", format).err().unwrap();
        assert!(problem.to_string().contains("not UTF-8"));
        let problem = read(&vec![b' '; BODY_BYTES_MAX + 1], format).err().unwrap();
        assert_eq!(problem.kind().status(), 413);
    }
    let many: Vec<String> = (0..200).map(|at| format!("\"a{at}\":1")).collect();
    assert!(refusal(&bundle(&many.join(",")), Format::Json).contains("more kinds of element"));
}

#[test]
fn a_refusal_repeats_no_value() {
    for (from, to) in [
        ("\"gender\": \"female\"", "\"gender\": \"SECRET\""),
        ("\"gender\": \"female\"", "\"gender\": \"SECRET\\ud800\""),
        ("\"birthDate\": \"1988-02-29\"", "\"birthDate\": \"SECRET\""),
        (
            "\"authoredOn\": \"2026-11-20T14:30:00+00:00\"",
            "\"authoredOn\": \"SECRET\"",
        ),
        ("\"type\": \"message\"", "\"type\": \"SECRET\""),
        ("\"gender\": \"female\"", "\"SECRET NAME\": \"female\""),
    ] {
        let problem = read(with(from, to).as_bytes(), Format::Json).err().unwrap();
        assert!(!problem.to_string().contains("SECRET"), "{problem}");
    }
}

#[test]
fn a_content_type_gives_the_format() {
    for (text, format) in [
        ("application/fhir+json", Some(Format::Json)),
        ("application/fhir+json;version=1.0.0", Some(Format::Json)),
        ("Application/JSON; charset=UTF-8", Some(Format::Json)),
        ("application/fhir+xml; fhirVersion=4.0", Some(Format::Xml)),
        ("text/xml; charset=\"utf-8\"", Some(Format::Xml)),
        ("application/fhir+xml; fhirVersion=3.0", None),
        ("application/fhir+xml; charset=utf-16", None),
        ("text/html", None),
        ("", None),
    ] {
        assert_eq!(Format::of_content_type(text).ok(), format, "{text}");
    }
}

fn acceptance(left_behind: &[String]) -> Acceptance<'_> {
    Acceptance {
        bundle_id: "00000000-0000-4000-8000-000000000001",
        header_id: "00000000-0000-4000-8000-000000000002",
        outcome_id: "00000000-0000-4000-8000-000000000003",
        encounter_id: "00000000-0000-4000-8000-000000000004",
        at: When::from_millis(1_795_000_000_000),
        message_id: Some("4f9be0d0-0000-4000-8000-00000000aaaa"),
        reply_to: Some("https://fhir.nhs.uk/Id/dos-service-id|2000054321?a=1&b=2"),
        destination_dos: "2000012345",
        referral: Some("7QF42KD0000000000000000000"),
        receipt: None,
        replay: None,
        support_code: "K7Q2M",
        left_behind,
    }
}

#[test]
fn an_accepted_message_is_answered_as_bars_does() {
    let left = ["Patient.communication".to_owned()];
    let with = acceptance(&left);
    let json: serde_json::Value = serde_json::from_slice(&accepted(&with, Format::Json)).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&json).unwrap(), @r#"
    {
      "resourceType": "Bundle",
      "id": "00000000-0000-4000-8000-000000000001",
      "type": "message",
      "timestamp": "2026-11-18T11:06:40.000Z",
      "entry": [
        {
          "fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000002",
          "resource": {
            "resourceType": "MessageHeader",
            "id": "00000000-0000-4000-8000-000000000002",
            "eventCoding": {
              "system": "https://fhir.nhs.uk/CodeSystem/message-events-bars",
              "code": "servicerequest-response"
            },
            "destination": [
              {
                "endpoint": "https://fhir.nhs.uk/Id/dos-service-id|2000054321?a=1&b=2"
              }
            ],
            "source": {
              "endpoint": "https://fhir.nhs.uk/Id/dos-service-id|2000012345"
            },
            "reason": {
              "coding": [
                {
                  "system": "https://fhir.nhs.uk/CodeSystem/message-reason-bars",
                  "code": "new"
                }
              ]
            },
            "response": {
              "identifier": "4f9be0d0-0000-4000-8000-00000000aaaa",
              "code": "ok",
              "details": {
                "reference": "urn:uuid:00000000-0000-4000-8000-000000000003"
              }
            },
            "focus": [
              {
                "reference": "urn:uuid:00000000-0000-4000-8000-000000000004"
              }
            ]
          }
        },
        {
          "fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000004",
          "resource": {
            "resourceType": "Encounter",
            "id": "00000000-0000-4000-8000-000000000004",
            "identifier": [
              {
                "system": "urn:firedoor:referral",
                "value": "7QF42KD0000000000000000000"
              }
            ],
            "status": "planned",
            "class": {
              "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
              "code": "VR"
            }
          }
        },
        {
          "fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000003",
          "resource": {
            "resourceType": "OperationOutcome",
            "id": "00000000-0000-4000-8000-000000000003",
            "issue": [
              {
                "severity": "information",
                "code": "informational",
                "diagnostics": "recorded; support code K7Q2M"
              },
              {
                "severity": "information",
                "code": "suppressed",
                "diagnostics": "these elements have no place here: they were not read, not kept and not passed on",
                "expression": [
                  "Patient.communication"
                ]
              }
            ]
          }
        }
      ]
    }
    "#);
    let xml = String::from_utf8(accepted(&with, Format::Xml)).unwrap();
    insta::assert_snapshot!(xml.replace("><", ">\n<"), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <Bundle xmlns="http://hl7.org/fhir">
    <id value="00000000-0000-4000-8000-000000000001"/>
    <type value="message"/>
    <timestamp value="2026-11-18T11:06:40.000Z"/>
    <entry>
    <fullUrl value="urn:uuid:00000000-0000-4000-8000-000000000002"/>
    <resource>
    <MessageHeader>
    <id value="00000000-0000-4000-8000-000000000002"/>
    <eventCoding>
    <system value="https://fhir.nhs.uk/CodeSystem/message-events-bars"/>
    <code value="servicerequest-response"/>
    </eventCoding>
    <destination>
    <endpoint value="https://fhir.nhs.uk/Id/dos-service-id|2000054321?a=1&amp;b=2"/>
    </destination>
    <source>
    <endpoint value="https://fhir.nhs.uk/Id/dos-service-id|2000012345"/>
    </source>
    <reason>
    <coding>
    <system value="https://fhir.nhs.uk/CodeSystem/message-reason-bars"/>
    <code value="new"/>
    </coding>
    </reason>
    <response>
    <identifier value="4f9be0d0-0000-4000-8000-00000000aaaa"/>
    <code value="ok"/>
    <details>
    <reference value="urn:uuid:00000000-0000-4000-8000-000000000003"/>
    </details>
    </response>
    <focus>
    <reference value="urn:uuid:00000000-0000-4000-8000-000000000004"/>
    </focus>
    </MessageHeader>
    </resource>
    </entry>
    <entry>
    <fullUrl value="urn:uuid:00000000-0000-4000-8000-000000000004"/>
    <resource>
    <Encounter>
    <id value="00000000-0000-4000-8000-000000000004"/>
    <identifier>
    <system value="urn:firedoor:referral"/>
    <value value="7QF42KD0000000000000000000"/>
    </identifier>
    <status value="planned"/>
    <class>
    <system value="http://terminology.hl7.org/CodeSystem/v3-ActCode"/>
    <code value="VR"/>
    </class>
    </Encounter>
    </resource>
    </entry>
    <entry>
    <fullUrl value="urn:uuid:00000000-0000-4000-8000-000000000003"/>
    <resource>
    <OperationOutcome>
    <id value="00000000-0000-4000-8000-000000000003"/>
    <issue>
    <severity value="information"/>
    <code value="informational"/>
    <diagnostics value="recorded; support code K7Q2M"/>
    </issue>
    <issue>
    <severity value="information"/>
    <code value="suppressed"/>
    <diagnostics value="these elements have no place here: they were not read, not kept and not passed on"/>
    <expression value="Patient.communication"/>
    </issue>
    </OperationOutcome>
    </resource>
    </entry>
    </Bundle>
    "#);
    for never in ["total", "versionId", "lastUpdated", "Patient\""] {
        assert!(!xml.contains(never) && !json.to_string().contains(never));
    }
}

#[test]
fn a_reply_that_must_not_tell_has_no_referral() {
    let mut with = acceptance(&[]);
    with.referral = None;
    let text = String::from_utf8(accepted(&with, Format::Json)).unwrap();
    assert!(!text.contains("Encounter") && !text.contains("focus") && !text.contains("suppressed"));
    with.receipt = Some("one line");
    let text = String::from_utf8(accepted(&with, Format::Xml)).unwrap();
    assert!(text.contains(
        "<extension url=\"urn:firedoor:receipt\"><valueString value=\"one line\"/></extension>"
    ));
}

#[test]
fn a_refusal_is_an_operation_outcome_that_names_the_element() {
    let problem = new(NEW_JSON, Format::Json).consent.needed();
    let id = "00000000-0000-4000-8000-000000000009";
    let json: serde_json::Value =
        serde_json::from_slice(&outcome(&problem, id, "K7Q2M", Format::Json)).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&json).unwrap(), @r#"
    {
      "resourceType": "OperationOutcome",
      "id": "00000000-0000-4000-8000-000000000009",
      "issue": [
        {
          "severity": "error",
          "code": "business-rule",
          "details": {
            "coding": [
              {
                "system": "https://fhir.nhs.uk/CodeSystem/http-error-codes",
                "code": "REC_UNPROCESSABLE_ENTITY"
              }
            ]
          },
          "diagnostics": "Consent.policyRule: consent-needed: for this service you must record her explicit consent (OPTIN), or record that she declined (support code K7Q2M)",
          "expression": [
            "Consent.policyRule"
          ]
        }
      ]
    }
    "#);
    let xml = String::from_utf8(outcome(&problem, id, "K7Q2M", Format::Xml)).unwrap();
    insta::assert_snapshot!(xml.replace("><", ">\n<"), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <OperationOutcome xmlns="http://hl7.org/fhir">
    <id value="00000000-0000-4000-8000-000000000009"/>
    <issue>
    <severity value="error"/>
    <code value="business-rule"/>
    <details>
    <coding>
    <system value="https://fhir.nhs.uk/CodeSystem/http-error-codes"/>
    <code value="REC_UNPROCESSABLE_ENTITY"/>
    </coding>
    </details>
    <diagnostics value="Consent.policyRule: consent-needed: for this service you must record her explicit consent (OPTIN), or record that she declined (support code K7Q2M)"/>
    <expression value="Consent.policyRule"/>
    </issue>
    </OperationOutcome>
    "#);
}

#[test]
fn our_own_replies_are_well_formed_for_our_own_guards() {
    let with = acceptance(&[]);
    for format in [Format::Json, Format::Xml] {
        // Taken apart down to its event, which is that of a response.
        let says = refusal(&String::from_utf8(accepted(&with, format)).unwrap(), format);
        assert!(says.contains("MessageHeader.eventCoding"), "{says}");
    }
}

proptest! {
    #[test]
    fn reading_never_panics(bytes: Vec<u8>, text: String) {
        for format in [Format::Json, Format::Xml] {
            let _ = read(&bytes, format);
            let _ = read(text.as_bytes(), format);
        }
    }

    #[test]
    fn a_damaged_message_never_panics(
        which in 0..ALL.len(),
        at in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 0..4),
        drop in 0_usize..40,
    ) {
        let (text, format) = ALL[which];
        let mut damaged = text.as_bytes().to_vec();
        let at = at.index(damaged.len());
        let end = (at + drop).min(damaged.len());
        damaged.splice(at..end, bytes);
        let _ = read(&damaged, format);
    }
}
