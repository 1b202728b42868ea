//! `GET /fhir/metadata`: what can be done here, and by whom. The same for everyone.

use super::Format;
use super::part::{Members, OWN, Part, written};

const DOCUMENTATION: &str = "BaRS referral messages: new, update, revocation, and the response of the \
     service. A reply that depends on a person is the same whether or not there is anything to show. \
     Extensions of ours begin with https://firedoor.example/fhir/StructureDefinition/. \
     ServiceRequest (update): update. Encounter (response): onward-rule-accepted, update. Consent: \
     opens, depth, given-by, competence, parent, parent-is-other-party, how, language, interpreter, other-party-present, notice-version, review-at. \
     QuestionnaireResponse: grade, grade-basis, judgement-reason, assessor-trained, valid-until, \
     need, adjustment, do-not-tell, safe-person, safe-person-phone. No file is taken, and nothing \
     about immigration.";
const SECURITY: &str = "TLS 1.3 with a client certificate of an enrolled organisation; a system says \
     who asks in Firedoor-User.";

/// A resource, and what may be done with it.
type Offered = (&'static str, &'static [&'static str]);

const RESOURCES: [Offered; 4] = [
    ("Consent", &["create", "read", "update"]),
    ("QuestionnaireResponse", &["create"]),
    ("ServiceRequest", &["read"]),
    ("Task", &["read", "search-type"]),
];
/// The one thing that can be looked for, and by what.
const SEARCHED: (&str, &str) = ("Task", "focus");

/// The statement. `version` is that of the API, a date.
pub fn capability(version: &str, format: Format) -> Vec<u8> {
    let software = vec![
        ("name", Part::text("Firedoor")),
        ("version", Part::text(env!("CARGO_PKG_VERSION"))),
    ];
    let formats = ["application/fhir+json", "application/fhir+xml"].map(Part::text);
    let members = vec![
        (
            "url",
            Part::text(&format!("{OWN}CapabilityStatement/firedoor")),
        ),
        ("version", Part::text(version)),
        ("name", Part::text("Firedoor")),
        ("status", Part::text("active")),
        ("date", Part::text(version)),
        ("kind", Part::text("instance")),
        ("software", Part::Object(software)),
        (
            "implementation",
            Part::Object(vec![(
                "description",
                Part::text("Referrals of victims of crime, between agencies"),
            )]),
        ),
        ("fhirVersion", Part::text("4.0.1")),
        ("format", Part::List(formats.into())),
        ("rest", Part::List(vec![Part::Object(rest())])),
    ];
    written(&Part::Resource("CapabilityStatement", members), format)
}

fn rest() -> Members {
    let security = vec![
        ("cors", Part::Flag(false)),
        ("description", Part::text(SECURITY)),
    ];
    let operation = Part::Object(vec![
        ("name", Part::text("process-message")),
        (
            "definition",
            Part::text("http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message"),
        ),
    ]);
    let resources = RESOURCES.iter().map(|(kind, interactions)| {
        let interactions = interactions
            .iter()
            .map(|code| Part::Object(vec![("code", Part::text(code))]));
        let mut members = vec![
            ("type", Part::text(kind)),
            ("interaction", Part::List(interactions.collect())),
            ("versioning", Part::text("no-version")),
        ];
        if *kind == SEARCHED.0 {
            let parameter = vec![
                ("name", Part::text(SEARCHED.1)),
                ("type", Part::text("reference")),
            ];
            members.push(("searchParam", Part::List(vec![Part::Object(parameter)])));
        }
        Part::Object(members)
    });
    vec![
        ("mode", Part::text("server")),
        ("documentation", Part::text(DOCUMENTATION)),
        ("security", Part::Object(security)),
        ("resource", Part::List(resources.collect())),
        ("operation", Part::List(vec![operation])),
    ]
}
