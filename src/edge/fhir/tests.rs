//! The whole reading, on messages of our own: invented people, NHS numbers of the 999 range.

use proptest::prelude::*;

use super::*;

mod guards;
mod replies;

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
        Ok(Message::Revoke(_) | Message::Update(_) | Message::Respond(_)) => panic!("not new"),
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
    422 MessageHeader.response: must say which message this answers: its Bundle.id as identifier, and ok
    400 MessageHeader.eventCoding: must be servicerequest-request or servicerequest-response of https://fhir.nhs.uk/CodeSystem/message-events-bars
    taken
    400 MessageHeader.reason: must be new, or update to change or revoke a referral sent before
    400 ServiceRequest.status: must be active in a new referral
    400 ServiceRequest.doNotPerform: asks that something is not done, which is not a referral
    400 MessageHeader.response: is in responses only (servicerequest-response)
    400 resourceType: must be Bundle: this operation takes one BaRS referral message
    400 resourceType: must be Bundle: this operation takes one BaRS referral message
    400 resourceType: must be there: send one resource of FHIR R4
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

proptest! {
    #[test]
    fn reading_never_panics(bytes: Vec<u8>, text: String) {
        for format in [Format::Json, Format::Xml] {
            for bytes in [bytes.as_slice(), text.as_bytes()] {
                let _ = read(bytes, format);
                let _ = her_word(bytes, format, text.is_empty());
                let _ = assessment(bytes, format);
            }
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
