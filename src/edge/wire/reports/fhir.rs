//! The log as HL7 FHIR R4 AuditEvent, after the IHE profile Basic Audit Log Patterns (BALP 1.1).
//!
//! A profile is named only where its entry has all that it asks for: a denial that rests on a
//! consent is an authorisation decision, what was told is a disclosure at its source, a question is
//! a query. A query's text is never kept, so what stands for it are the codes that were asked with.

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use serde_json::{Map, Value, json};

use crate::domain::audit::{VisibleDecision, VisibleOutcome};
use crate::domain::codes::{Action, Purpose};
use crate::pipeline::Entry;

const BALP: &str = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.";
const OWN: &str = "https://firedoor.example/fhir/";
const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const REST: &str = "http://hl7.org/fhir/restful-interaction";
const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const OBJECT_ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";

/// What kind of event an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Turned down: an authorisation decision.
    Decision,
    /// Something about a person left the gateway.
    Disclosure,
    Query,
    Create,
    Update,
    Delete,
    /// The log was read.
    AuditLogUsed,
    /// Who may connect, and by which rules.
    Security,
    Login,
}

/// One entry of the log called `origin`.
pub fn event(entry: &Entry, origin: &str) -> Value {
    let seen = &entry.seen;
    let kind = kind(entry);
    let (event_type, subtypes, action) = kind.codes(entry);
    let mut event = json!({
        "resourceType": "AuditEvent",
        "id": format!("entry-{}", entry.index),
        "extension": extensions(entry),
        "type": event_type,
        "subtype": subtypes,
        "action": action,
        "recorded": entry.at.rfc3339(),
        "outcome": match seen.outcome {
            VisibleOutcome::Permit | VisibleOutcome::Empty => "0",
            VisibleOutcome::Deny => "8",
            VisibleOutcome::Error => "12",
        },
        "outcomeDesc": seen.told,
        "purposeOfEvent": [purpose(&seen.purpose)],
        "agent": agents(kind, entry, origin),
        "source": {
            "site": origin,
            "observer": gateway(origin),
            "type": [coding(
                "http://terminology.hl7.org/CodeSystem/security-source-type", "4",
                "Application Server",
            )],
        },
    });
    if let Value::Object(map) = &mut event {
        let entities = entities(kind, entry);
        if !entities.is_empty() {
            map.insert("entity".to_owned(), Value::Array(entities));
        }
        if let Some(profile) = profile(kind, entry) {
            let profiles = json!({ "profile": [format!("{BALP}{profile}")] });
            map.insert("meta".to_owned(), profiles);
        }
    }
    event
}

fn kind(entry: &Entry) -> Kind {
    let seen = &entry.seen;
    let action = Action::parse(&seen.action).unwrap_or(Action::Unknown);
    if action == Action::SecondFactor {
        // A passkey that is only asked for lets nobody in.
        let asked = seen.told == "passkey-asked";
        return if asked { Kind::Security } else { Kind::Login };
    }
    if matches!(seen.outcome, VisibleOutcome::Deny | VisibleOutcome::Error) {
        return Kind::Decision;
    }
    let told = ["released", "assessments", "emergency-view"].contains(&seen.told.as_str());
    let disclosed = seen
        .decided
        .as_ref()
        .is_some_and(|seen| !seen.disclosed.is_empty());
    if told || disclosed {
        return Kind::Disclosure;
    }
    of_action(action)
}

const fn of_action(action: Action) -> Kind {
    match action {
        Action::OfferReferral
        | Action::AddNote
        | Action::RecordConsent
        | Action::IssueCard
        | Action::SealItem
        | Action::TakeSubjectAccess
        | Action::ReplySubjectAccess
        | Action::KeepDraft
        | Action::RecordAssessment => Kind::Create,
        Action::AcceptReferral
        | Action::DeclineReferral
        | Action::WaitReferral
        | Action::CloseReferral
        | Action::HandBackReferral
        | Action::UpdateReferral
        | Action::TransferReferral
        | Action::RelyOnAssessment
        | Action::ConfirmLink
        | Action::RejectLink
        | Action::SettleWithdrawal
        | Action::AnswerStopUse
        | Action::MoveSubjectAccess
        | Action::RedactSubjectAccess
        | Action::FollowUpEmergency
        | Action::Reconcile => Kind::Update,
        Action::WithdrawConsent
        | Action::Withdraw
        | Action::WithdrawAssessment
        | Action::EraseDraft => Kind::Delete,
        Action::ReadReferralStatus
        | Action::ReadInbox
        | Action::ReadReferral
        | Action::ReadEvents
        | Action::ReadReturn
        | Action::ScreenText
        | Action::QueryAssessments
        | Action::ReadOwnAssessments
        | Action::OpenDraft
        | Action::CollectItem
        | Action::ReadLinks
        | Action::ReadConsents
        | Action::ReadSubjectAccess
        | Action::DeliverSubjectAccess
        | Action::BreakGlass
        | Action::Unknown => Kind::Query,
        Action::ReadAudit
        | Action::ReadAuditSubject
        | Action::ReportSubject
        | Action::ReadAuditQueue
        | Action::DecideAuditItem
        | Action::FlagPerson
        | Action::OpenSeal => Kind::AuditLogUsed,
        Action::Propose
        | Action::Approve
        | Action::Narrow
        | Action::ReadProposals
        | Action::ReadDevices
        | Action::AddDevice
        | Action::RemoveDevice => Kind::Security,
        Action::SecondFactor => Kind::Login,
    }
}

impl Kind {
    /// Type, subtypes and action.
    fn codes(self, entry: &Entry) -> (Value, Vec<Value>, &'static str) {
        let rest = || {
            coding(
                "http://terminology.hl7.org/CodeSystem/audit-event-type",
                "rest",
                "Restful Operation",
            )
        };
        let (event_type, subtype, action) = match self {
            Self::Decision => {
                let system = "https://profiles.ihe.net/ITI/BALP/CodeSystem/AuthZsubType";
                let subtype = match consents(entry).is_empty() {
                    true => coding(
                        system,
                        "AuthZ-Role",
                        "Authorization Decision using only Roles",
                    ),
                    false => coding(
                        system,
                        "AuthZ-Consent",
                        "Authorization Decision using Roles and Consent",
                    ),
                };
                (coding(DCM, "110113", "Security Alert"), subtype, "E")
            }
            Self::Disclosure => {
                let system = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle";
                let subtype = coding(system, "disclose", "Disclose Record Lifecycle Event");
                (coding(DCM, "110106", "Export"), subtype, "R")
            }
            Self::Query => (rest(), coding(REST, "search", "search"), "E"),
            Self::Create => (rest(), coding(REST, "create", "create"), "C"),
            Self::Update => (rest(), coding(REST, "update", "update"), "U"),
            Self::Delete => (rest(), coding(REST, "delete", "delete"), "D"),
            Self::AuditLogUsed => (
                coding(DCM, "110101", "Audit Log Used"),
                coding(REST, "search", "search"),
                "R",
            ),
            Self::Security => (
                coding(DCM, "110113", "Security Alert"),
                coding(DCM, "110129", "Security Configuration"),
                "U",
            ),
            Self::Login => (
                coding(DCM, "110114", "User Authentication"),
                coding(DCM, "110122", "Login"),
                "E",
            ),
        };
        let mut subtypes = vec![subtype];
        subtypes.push(json!({ "system": format!("{OWN}action"), "code": entry.seen.action }));
        if entry.seen.action == Action::BreakGlass.code() && self == Self::Disclosure {
            subtypes.push(coding(DCM, "110127", "Emergency Override Started"));
        }
        (event_type, subtypes, action)
    }
}

/// The BALP profile that the entry keeps to, in every point.
fn profile(kind: Kind, entry: &Entry) -> Option<&'static str> {
    let person = person(entry).is_some();
    match kind {
        Kind::Decision => (person && !consents(entry).is_empty()).then_some("AuthZconsent"),
        Kind::Disclosure => person.then_some("PrivacyDisclosure.Source"),
        Kind::Query if person => Some("PatientQuery"),
        Kind::Query => Some("Query"),
        Kind::Create if entry.seen.object.is_some() => {
            Some(if person { "PatientCreate" } else { "Create" })
        }
        Kind::Create
        | Kind::Update
        | Kind::Delete
        | Kind::AuditLogUsed
        | Kind::Security
        | Kind::Login => None,
    }
}

fn agents(kind: Kind, entry: &Entry, origin: &str) -> Vec<Value> {
    let seen = &entry.seen;
    let at_gateway = json!({ "address": origin, "type": "5" });
    // The caller's address is not kept; its certificate names the connection (RFC 6920).
    let key = BASE64_URL_SAFE_NO_PAD.encode(seen.certificate);
    let at_client = json!({ "address": format!("ni:///sha-256;{key}"), "type": "5" });
    let organisation = json!({
        "type": "Organization",
        "identifier": {
            "system": format!("{OWN}organisation"), "value": seen.organisation.text(),
        },
    });
    let mut user = json!({
        "extension": [{
            "url": format!("{OWN}identity"),
            "valueCode": if seen.asserted { "asserted-by-system" } else { "proved-person" },
        }],
        "type": match kind {
            Kind::Create => concept(PARTICIPATION, "AUT", "author"),
            Kind::Decision
            | Kind::Disclosure
            | Kind::Query
            | Kind::Update
            | Kind::Delete
            | Kind::AuditLogUsed
            | Kind::Security
            | Kind::Login => concept(PARTICIPATION, "IRCP", "information recipient"),
        },
        "who": { "identifier": {
            "system": format!("{OWN}user/{}", identifier_part(seen.organisation.text())),
            "value": seen.user,
        } },
        "requestor": true,
        "purposeOfUse": [purpose(&seen.purpose)],
    });
    if let (Value::Object(map), false) = (&mut user, seen.role.is_empty()) {
        let role = json!([{ "coding": [{
            "system": format!("{OWN}role"), "code": seen.role,
        }] }]);
        map.insert("role".to_owned(), role);
    }
    let provider = json!({
        "type": concept(
            "http://terminology.hl7.org/CodeSystem/v3-RoleClass", "PROV", "healthcare provider",
        ),
        "who": organisation,
        "requestor": false,
    });
    let team = json!({
        "type": "Device",
        "identifier": {
            "system": format!("{OWN}team/{}", identifier_part(seen.organisation.text())),
            "value": seen.team.as_str(),
        },
    });
    let agent = |code: &str, display: &str, who: Value, network: &Value| {
        json!({
            "type": concept(DCM, code, display), "who": who, "requestor": false,
            "network": network,
        })
    };
    let (client, server) = match kind {
        Kind::Decision => (
            agent("110150", "Application", team, &at_client),
            json!({
                "type": concept(
                    "http://terminology.hl7.org/CodeSystem/extra-security-role-type",
                    "authserver", "authorization server",
                ),
                "who": gateway(origin),
                "requestor": false,
            }),
        ),
        // What is disclosed flows from the gateway to the client.
        Kind::Disclosure => (
            agent("110152", "Destination Role ID", team, &at_client),
            agent("110153", "Source Role ID", gateway(origin), &at_gateway),
        ),
        Kind::Query
        | Kind::Create
        | Kind::Update
        | Kind::Delete
        | Kind::AuditLogUsed
        | Kind::Security
        | Kind::Login => (
            agent("110153", "Source Role ID", team, &at_client),
            agent(
                "110152",
                "Destination Role ID",
                gateway(origin),
                &at_gateway,
            ),
        ),
    };
    vec![user, provider, client, server]
}

fn entities(kind: Kind, entry: &Entry) -> Vec<Value> {
    let seen = &entry.seen;
    let mut entities = Vec::new();
    if let Some(person) = person(entry) {
        entities.push(json!({
            "what": { "type": "Patient", "identifier": {
                "system": format!("{OWN}person"), "value": person,
            } },
            "type": coding(ENTITY_TYPE, "1", "Person"),
            "role": coding(OBJECT_ROLE, "1", "Patient"),
        }));
    }
    if kind == Kind::Query {
        let asked = format!("action={}&classes={}", seen.action, seen.asked.join(","));
        entities.push(json!({
            "type": coding(ENTITY_TYPE, "2", "System Object"),
            "role": coding(OBJECT_ROLE, "24", "Query"),
            "query": BASE64_STANDARD.encode(asked),
        }));
    }
    let consents = consents(entry);
    let with_consents = matches!(kind, Kind::Decision | Kind::Disclosure);
    for consent in consents.into_iter().filter(|_| with_consents) {
        entities.push(json!({
            "what": { "type": "Consent", "identifier": {
                "system": format!("{OWN}consent"), "value": consent,
            } },
            "type": coding("http://hl7.org/fhir/resource-types", "Consent", "Consent"),
        }));
    }
    // A decision's entities are the person and her consents only; a query's are of one type each.
    let open = !matches!(kind, Kind::Decision | Kind::Query);
    let object = seen.object.filter(|_| open).map(|id| id.to_string());
    // A disclosure is of something, even where it has no name of its own.
    let nameless = (kind == Kind::Disclosure).then(|| format!("entry-{}", entry.index));
    if let Some(object) = object.or(nameless) {
        entities.push(json!({
            "what": { "identifier": { "system": format!("{OWN}object"), "value": object } },
            "type": coding(ENTITY_TYPE, "2", "System Object"),
            "role": coding(OBJECT_ROLE, "4", "Domain Resource"),
        }));
    }
    entities
}

/// What the standard has no place for; nothing in it but codes and the reader's own names.
fn extensions(entry: &Entry) -> Vec<Value> {
    let seen = &entry.seen;
    let mut parts = vec![
        ("entry", entry.index.to_string()),
        ("seen-as", seen.side.code().to_owned()),
        ("outcome", seen.outcome.code().to_owned()),
        ("certificate", super::hex(&seen.certificate)),
        ("reason", seen.reason.clone().unwrap_or_default()),
    ];
    parts.extend(seen.asked.iter().map(|class| ("asked", class.clone())));
    if let Some(decided) = &seen.decided {
        parts.extend(decision_parts(decided));
    }
    let parts: Vec<Value> = parts
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(url, value)| json!({ "url": url, "valueString": value }))
        .collect();
    vec![json!({ "url": format!("{OWN}log-entry"), "extension": parts })]
}

fn decision_parts(decided: &VisibleDecision) -> Vec<(&'static str, String)> {
    let mut parts = vec![
        ("rule", decided.rule.clone()),
        ("policy", super::hex(&decided.policy)),
        ("basis", decided.basis.clone().unwrap_or_default()),
        (
            "relationship",
            decided.relationship.clone().unwrap_or_default(),
        ),
        ("sources", decided.sources.to_string()),
    ];
    if let Some(mark) = &decided.firewall {
        parts.push(("firewall", format!("{} {}", mark.rule, mark.class)));
    }
    parts.extend(
        decided
            .disclosed
            .iter()
            .map(|class| ("disclosed", class.clone())),
    );
    let concerned = decided.concerned.iter();
    parts.extend(concerned.map(|one| ("concerned", one.text().to_owned())));
    parts.extend(decided.notes.iter().map(|note| ("note", note.clone())));
    parts
}

fn purpose(code: &str) -> Value {
    let standard = Purpose::parse(code).map(|purpose| match purpose {
        Purpose::Support
        | Purpose::SafetyPlanning
        | Purpose::OnwardReferral
        | Purpose::PriorAssessment
        | Purpose::Marac => coding(ACT_REASON, "COC", "coordination of care"),
        Purpose::LegalAdvice | Purpose::CourtSupport => coding(ACT_REASON, "HLEGAL", "legal"),
        Purpose::Emergency => coding(ACT_REASON, "BTG", "break the glass"),
        Purpose::Audit => coding(ACT_REASON, "HCOMPL", "health compliance"),
        Purpose::Administration => coding(ACT_REASON, "HSYSADMIN", "health system administration"),
    });
    let own = json!({ "system": format!("{OWN}purpose"), "code": code });
    let codings: Vec<Value> = standard.into_iter().chain([own]).collect();
    json!({ "coding": codings })
}

fn person(entry: &Entry) -> Option<String> {
    let decided = entry.seen.decided.as_ref()?;
    decided.person.map(|id| id.to_string())
}

fn consents(entry: &Entry) -> Vec<String> {
    let decided = entry.seen.decided.iter();
    decided
        .flat_map(|decided| &decided.consents)
        .map(ToString::to_string)
        .collect()
}

fn gateway(origin: &str) -> Value {
    json!({
        "type": "Device",
        "identifier": { "system": format!("{OWN}gateway"), "value": origin },
    })
}

/// A part of a URI: an organisation that is not named has spaces in its words.
fn identifier_part(text: &str) -> String {
    text.replace(' ', "-")
}

fn coding(system: &str, code: &str, display: &str) -> Value {
    let mut map = Map::new();
    map.insert("system".to_owned(), json!(system));
    map.insert("code".to_owned(), json!(code));
    map.insert("display".to_owned(), json!(display));
    Value::Object(map)
}

fn concept(system: &str, code: &str, display: &str) -> Value {
    json!({ "coding": [coding(system, code, display)] })
}
