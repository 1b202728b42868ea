//! `Consent`: her word, as it is recorded by itself. FHIR is another spelling of the form that
//! `POST /v1/consents` takes; the limits and the codes are those of that form, in one place.
//!
//! What narrows a consent and has no place in the form refuses it: it never widens. To add a field
//! that has no name in FHIR, add a line to [`FIELDS`] and one to [`recorded_consent`].

use serde_json::{Map, Value, json};

use crate::domain::codes::{ConsentDecision, ConsentStrength, YesNoUnknown};
use crate::domain::consent::{Consent, Opens};
use crate::domain::id::Id;
use crate::domain::time::When;

use super::bundle::{codes_of, reference_of};
use super::consent::{ConsentCode, code_of};
use super::part::{Members, Part, coding, own_codes, written};
use super::problem::{Kind, Problem};
use super::shape::{CODING, Fields, IDENTIFIER, LeftBehind, PERIOD, PROVISION, REFERENCE, Shape};
use super::status::{left_behind, receipt, warning};
use super::{Format, parsed};

/// Our extensions of a Consent: name, kind of value, and the field of the form. `depth` is how far the
/// answer to the question may go; its codes are in our list `consent-depth`.
const FIELDS: [(&str, &str, &str); 12] = [
    ("opens", "valueCode", "opens"),
    ("depth", "valueCode", "depth"),
    ("given-by", "valueCode", "given_by"),
    ("competence", "valueCode", "competence"),
    ("parent", "valueCode", "parent"),
    (
        "parent-is-other-party",
        "valueCode",
        "parent_is_other_party",
    ),
    ("how", "valueCode", "how"),
    ("language", "valueCode", "language"),
    ("interpreter", "valueCode", "interpreter"),
    ("other-party-present", "valueCode", "other_party_present"),
    ("notice-version", "valueString", "notice_version"),
    ("review-at", "valueDateTime", "review_at"),
];

const CONSENT: Shape = Shape {
    read: &[
        "extension:opens",
        "extension:depth",
        "extension:given-by",
        "extension:competence",
        "extension:parent",
        "extension:parent-is-other-party",
        "extension:how",
        "extension:language",
        "extension:interpreter",
        "extension:other-party-present",
        "extension:notice-version",
        "extension:review-at",
        "status",
        "patient",
        "dateTime",
        "policyRule",
        "provision",
    ],
    envelope: &[
        "category*",
        "identifier*",
        "organization*",
        "performer*",
        "policy*",
        "scope",
        "sourceReference",
    ],
    left: &["sourceAttachment", "verification*"],
};
const ACTOR: Shape = Shape {
    read: &["reference"],
    envelope: &["role"],
    left: &[],
};

const PATIENT: &str = "must be your own reference of her, as Patient/ and 26 characters";
const STATUS: &str =
    "must be active, or rejected for a refusal; to end a consent, PUT it as inactive";
const ENDS: &str = "must be inactive or entered-in-error: what she said is not changed; record what \
     she says now with POST";
const WHEN: &str = "must say when she said it, with time and offset, such as \
     2026-11-20T14:30:00+00:00";
const TYPE: &str = "must be permit or deny";
const RULE: &str =
    "must be OPTIN, OPTOUT or IMPLIED of v3-ActCode, and say the same as provision.type";
const START: &str = "is later than dateTime; record her consent when it begins, or leave start out";
const DAY: &str = "must be a day, or a time with its offset: a month or a year alone does not say until \
     when she agreed";
const NARROWS: &str = "narrows what she agreed to in a way that is not understood, so this consent is \
     not recorded; say it with purpose, class, actor and period";
const NO_ACTOR: &str = "must name an organisation or a family of services by identifier, with the \
     system of our list organisation or service-family";
const LISTED: &str = "must be a code of our list; GET /v1/codes lists them";
const NAMED: &str =
    "must be two names of 26 characters with a full stop between them, as you got it";

/// Her word, as a form that is still to be parsed.
pub struct HerWord {
    /// The caller's own reference of her.
    pub person: Id,
    /// `ConsentIn` as JSON.
    pub form: Value,
    /// Whether this is the end of a consent that was recorded before.
    pub ends: bool,
    pub left_behind: Vec<String>,
}

/// Reads a Consent. With `ends` it must be one that ends; otherwise one that begins.
///
/// # Errors
/// The first element that cannot be taken.
pub fn her_word(bytes: &[u8], format: Format, ends: bool) -> Result<HerWord, Problem> {
    let root = parsed(bytes, format, "Consent")?;
    if root.resource.as_deref() != Some("Consent") {
        let says = "must be Consent";
        return Err(Problem::new(Kind::WrongMessage, "resourceType", says));
    }
    let left = &mut LeftBehind::default();
    let fields = Fields::open(&root, "Consent", &CONSENT, left)?;
    let status = fields.required("status", if ends { ENDS } else { STATUS }, left)?;
    let wrong_status = |says| Err(Problem::new(Kind::Value, "Consent.status", says));
    let person = person(&fields, left)?;
    let mut form = Map::new();
    if ends {
        if !matches!(status, "inactive" | "entered-in-error") {
            return wrong_status(ENDS);
        }
    } else {
        form = said(&fields, left)?;
        let refused = form.get("decision") == Some(&json!("deny"));
        if !(status == "active" || (status == "rejected" && refused)) {
            return wrong_status(STATUS);
        }
    }
    Ok(HerWord {
        person,
        form: Value::Object(form),
        ends,
        left_behind: std::mem::take(left).into_paths(),
    })
}

fn person(fields: &Fields<'_>, left: &mut LeftBehind) -> Result<Id, Problem> {
    let refuse = |kind| Problem::new(kind, "Consent.patient", PATIENT);
    let node = fields
        .one("patient")
        .ok_or_else(|| refuse(Kind::Required))?;
    let reference = reference_of(node, "Consent.patient", left)?;
    let name = reference.and_then(|text| text.strip_prefix("Patient/"));
    name.and_then(Id::parse).ok_or_else(|| refuse(Kind::Value))
}

fn said(fields: &Fields<'_>, left: &mut LeftBehind) -> Result<Map<String, Value>, Problem> {
    let mut form = Map::new();
    for (name, kind, field) in FIELDS {
        if let Some(text) = fields.own_text(name, kind)? {
            form.insert(field.to_owned(), json!(text));
        }
    }
    let given_at = fields.required("dateTime", WHEN, left)?;
    let given =
        When::parse(given_at).ok_or_else(|| Problem::new(Kind::Value, "Consent.dateTime", WHEN))?;
    form.insert("given_at".to_owned(), json!(given_at));
    let node = fields
        .one("provision")
        .ok_or_else(|| Problem::new(Kind::Required, "Consent.provision.type", TYPE))?;
    let provision = Fields::open(node, "Consent.provision", &PROVISION, left)?;
    let decision = match provision.required("type", TYPE, left)? {
        text @ ("permit" | "deny") => text,
        _ => return Err(Problem::new(Kind::Value, provision.path_of("type"), TYPE)),
    };
    form.insert("decision".to_owned(), json!(decision));
    if let Some(node) = fields.one("policyRule") {
        let codes = codes_of(node, "Consent.policyRule", left)?;
        let codes: Vec<ConsentCode> = codes
            .iter()
            .map(|(system, code)| code_of(system, code))
            .collect();
        let strength = match (codes.as_slice(), decision) {
            ([ConsentCode::OptIn], "permit") | ([ConsentCode::OptOut], "deny") => "explicit",
            ([ConsentCode::Implied], "permit") => "implied",
            _ => return Err(Problem::new(Kind::Value, "Consent.policyRule", RULE)),
        };
        form.insert("strength".to_owned(), json!(strength));
    }
    for name in [
        "action",
        "code",
        "data",
        "dataPeriod",
        "provision",
        "securityLabel",
    ] {
        if provision.one(name).is_some() {
            return Err(Problem::new(Kind::Value, provision.path_of(name), NARROWS));
        }
    }
    if let Some(node) = provision.one("period") {
        let period = Fields::open(node, provision.path_of("period"), &PERIOD, left)?;
        let start = super::moment::first(&period, "start", left)?;
        let end = super::moment::last(&period, "end", left)?;
        for (name, read) in [("start", start), ("end", end)] {
            // Left behind, it would hold for longer than she said.
            if read.is_none() && period.one(name).is_some() {
                return Err(Problem::new(Kind::Value, period.path_of(name), DAY));
            }
        }
        if start.is_some_and(|start| start > given) {
            return Err(Problem::new(Kind::Value, period.path_of("start"), START));
        }
        if let Some(end) = end {
            form.insert("until".to_owned(), json!(end.rfc3339()));
        }
    }
    form.insert(
        "purposes".to_owned(),
        listed(&provision, "purpose", "purpose", left)?,
    );
    form.insert(
        "classes".to_owned(),
        listed(&provision, "class", "data-class", left)?,
    );
    form.insert("recipients".to_owned(), recipients(&provision, left)?);
    Ok(form)
}

/// The codes of an element that is a list of codings, all of one list of ours.
fn listed(
    provision: &Fields<'_>,
    name: &str,
    list: &str,
    left: &mut LeftBehind,
) -> Result<Value, Problem> {
    let element = provision.path_of(name);
    let system = own_codes(list);
    let mut codes = Vec::new();
    for node in provision.many(name) {
        let coding = Fields::open(node, element.as_str(), &CODING, left)?;
        let known = coding.text("system", left)? == Some(system.as_str());
        match coding.text("code", left)?.filter(|_| known) {
            Some(code) => codes.push(json!(code)),
            None => return Err(Problem::new(Kind::Value, element, LISTED)),
        }
    }
    Ok(Value::Array(codes))
}

fn recipients(provision: &Fields<'_>, left: &mut LeftBehind) -> Result<Value, Problem> {
    let path = provision.path_of("actor");
    let (mut organisations, mut families) = (Vec::new(), Vec::new());
    for node in provision.many("actor") {
        let refuse = || Problem::new(Kind::Value, format!("{path}.reference"), NO_ACTOR);
        let actor = Fields::open(node, path.as_str(), &ACTOR, left)?;
        let node = actor.one("reference").ok_or_else(refuse)?;
        let reference = Fields::open(node, actor.path_of("reference"), &REFERENCE, left)?;
        let node = reference.one("identifier").ok_or_else(refuse)?;
        let path = reference.path_of("identifier");
        let identifier = Fields::open(node, path, &IDENTIFIER, left)?;
        let system = identifier.text("system", left)?.unwrap_or_default();
        let value = identifier.text("value", left)?.ok_or_else(refuse)?;
        if system == own_codes("organisation") {
            organisations.push(value);
        } else if system == own_codes("service-family") {
            families.push(value);
        } else {
            return Err(refuse());
        }
    }
    Ok(json!({ "organisations": organisations, "families": families }))
}

/// The element that a field of the form was read from.
pub(super) fn element_of(field: &str) -> String {
    let field = field.strip_prefix("consent.").unwrap_or(field);
    let element = match field {
        "decision" => "provision.type",
        "strength" => "policyRule",
        "classes" => "provision.class",
        "purposes" => "provision.purpose",
        "recipients" | "recipients.organisations" | "recipients.families" => "provision.actor",
        "given_at" => "dateTime",
        "until" => "provision.period.end",
        "person" | "id" => "patient",
        field => return format!("Consent.extension({})", field.replace('_', "-")),
    };
    format!("Consent.{element}")
}

/// The name of a Consent: the caller's names of her and of the consent, because a consent is found
/// under her alone.
///
/// # Errors
/// Anything else than two ids.
pub fn consent_of(name: &str) -> Result<(Id, Id), Problem> {
    let ids = name.split_once('.');
    let ids = ids.and_then(|(person, consent)| Id::parse(person).zip(Id::parse(consent)));
    ids.ok_or_else(|| Problem::new(Kind::Value, "Consent.id", NAMED))
}

/// What is said beside a consent, to whoever recorded it.
pub struct Told<'a> {
    pub receipt: &'a str,
    /// What it held that has no place here.
    pub left_behind: &'a [String],
    /// Asked for just now, with the other party in the room.
    pub he_was_there: bool,
}

/// A consent as its own organisation recorded it, under that organisation's names.
pub fn recorded_consent(
    consent: &Consent,
    (person, id): (Id, Id),
    now: When,
    told: &Told<'_>,
    format: Format,
) -> Vec<u8> {
    let code = |name, value: &str| Part::extension(name, "valueCode", Part::text(value));
    let opens = match consent.opens {
        Opens::Share => "share",
        Opens::Query => "query",
    };
    let mut extensions = vec![
        receipt(told.receipt),
        code("opens", opens),
        code("given-by", consent.given_by.code()),
        code("competence", consent.competence.code()),
        code("how", consent.how.code()),
        code("interpreter", consent.interpreter.code()),
        code("other-party-present", consent.other_party_present.code()),
    ];
    if let Some(parent) = consent.parent {
        extensions.push(code("parent", parent.code()));
        // No other is recorded.
        let no = YesNoUnknown::No.code();
        extensions.push(code("parent-is-other-party", no));
    }
    if told.he_was_there {
        extensions.push(warning());
    }
    extensions.extend(left_behind(told.left_behind));
    extensions.extend(consent.depth.map(|depth| code("depth", depth.code())));
    extensions.extend(consent.language.as_deref().map(|tag| code("language", tag)));
    extensions.extend(
        consent
            .notice_version
            .as_deref()
            .map(|text| Part::extension("notice-version", "valueString", Part::text(text))),
    );
    let review = consent.review_at.map(|at| Part::text(&at.rfc3339()));
    let review = review.map(|at| Part::extension("review-at", "valueDateTime", at));
    extensions.extend(review);
    // Paused it serves for nothing, as if it had ended.
    let over = consent.withdrawn_at.is_some() || consent.paused || now >= consent.until;
    let rule = match (consent.decision, consent.strength) {
        (ConsentDecision::Deny, _) => "OPTOUT",
        (ConsentDecision::Permit, ConsentStrength::Explicit) => "OPTIN",
        (ConsentDecision::Permit, ConsentStrength::Implied) => "IMPLIED",
    };
    let scope = "http://terminology.hl7.org/CodeSystem/consentscope";
    let members = vec![
        ("id", Part::text(&format!("{person}.{id}"))),
        ("extension", Part::List(extensions)),
        (
            "status",
            Part::text(if over { "inactive" } else { "active" }),
        ),
        ("scope", Part::concept(scope, "patient-privacy")),
        (
            "category",
            Part::List(vec![Part::concept("http://loinc.org", "59284-0")]),
        ),
        ("patient", Part::reference(&format!("Patient/{person}"))),
        ("dateTime", Part::text(&consent.given_at.rfc3339())),
        (
            "policyRule",
            Part::concept("http://terminology.hl7.org/CodeSystem/v3-ActCode", rule),
        ),
        ("provision", Part::Object(provision(consent))),
    ];
    written(&Part::Resource("Consent", members), format)
}

fn provision(consent: &Consent) -> Members {
    let kind = match consent.decision {
        ConsentDecision::Permit => "permit",
        ConsentDecision::Deny => "deny",
    };
    let period = vec![
        ("start", Part::text(&consent.from.rfc3339())),
        ("end", Part::text(&consent.until.rfc3339())),
    ];
    let organisations = consent.recipients.organisations.iter();
    let organisations = organisations.map(|one| actor("organisation", one.as_str()));
    let families = consent.recipients.families.iter();
    let families = families.map(|one| actor("service-family", one.code()));
    let actors: Vec<Part> = organisations.chain(families).collect();
    let purposes = consent.purposes.iter();
    let purposes = purposes.map(|one| coding(&own_codes("purpose"), one.code()));
    let classes = consent.classes.iter();
    let classes = classes.map(|one| coding(&own_codes("data-class"), one.code()));
    // It is about these alone.
    let data = consent.items.iter().map(|item| {
        let to = format!("QuestionnaireResponse/{}", item.id());
        Part::Object(vec![
            ("meaning", Part::text("instance")),
            ("reference", Part::reference(&to)),
        ])
    });
    let lists = [
        ("actor", actors),
        ("purpose", purposes.collect()),
        ("class", classes.collect()),
        ("data", data.collect()),
    ];
    let mut members = vec![("type", Part::text(kind)), ("period", Part::Object(period))];
    // FHIR has no empty lists.
    let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
    members.extend(lists.map(|(name, list)| (name, Part::List(list))));
    members
}

fn actor(list: &str, value: &str) -> Part {
    let system = own_codes(list);
    let identifier = Part::Object(vec![
        ("system", Part::text(&system)),
        ("value", Part::text(value)),
    ]);
    let role = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
    Part::Object(vec![
        ("role", Part::concept(role, "IRCP")),
        ("reference", Part::Object(vec![("identifier", identifier)])),
    ])
}
