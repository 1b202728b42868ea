//! `QuestionnaireResponse`: an assessment, told once. FHIR is another spelling of the form that
//! `POST /v1/assessments` takes; the limits and the codes are those of that form, in one place.
//!
//! The words of the questions are others' and are left behind; the tool's own codes say which
//! question it was. What the assessor judged is ours to name, and stands in extensions.

use serde_json::{Map, Value, json};

use crate::domain::id::Id;
use crate::domain::person::RawFields;

use super::bundle::reference_of;
use super::part::{OWN, Part, own_codes, written};
use super::problem::{Kind, Problem};
use super::shape::{CODING, Fields, LeftBehind, Shape};
use super::status::{left_behind, receipt};
use super::tree::Node;
use super::{Format, parsed, patient};

/// Our extensions: name, kind of value, field of the form, and whether it may be repeated.
const FIELDS: [(&str, &str, &str, bool); 9] = [
    ("grade", "valueCode", "grade", false),
    ("grade-basis", "valueCode", "basis", false),
    ("judgement-reason", "valueString", "judgement_reasons", true),
    ("valid-until", "valueDateTime", "valid_until", false),
    ("need", "valueCode", "needs", true),
    ("adjustment", "valueString", "adjustments", true),
    ("do-not-tell", "valueString", "do_not_tell", true),
    ("safe-person", "valueString", "safe_person", false),
    (
        "safe-person-phone",
        "valueString",
        "safe_person_phone",
        false,
    ),
];

const RESPONSE: Shape = Shape {
    read: &[
        "extension:grade",
        "extension:grade-basis",
        "extension:judgement-reason*",
        "extension:assessor-trained",
        "extension:valid-until",
        "extension:need*",
        "extension:adjustment*",
        "extension:do-not-tell*",
        "extension:safe-person",
        "extension:safe-person-phone",
        "authored",
        "basedOn*",
        "contained*",
        "item*",
        "questionnaire",
        "status",
        "subject",
    ],
    envelope: &["author", "encounter", "identifier", "partOf*", "source"],
    left: &[],
};
const ITEM: Shape = Shape {
    read: &["linkId", "answer*", "item*"],
    envelope: &["definition"],
    left: &["text"],
};
const ANSWER: Shape = Shape {
    read: &["valueBoolean", "valueCoding"],
    envelope: &[],
    left: &[],
};

const STATUS: &str = "must be completed: half an assessment is not kept";
const TOOL: &str = "must be our name of the tool with its version, such as \
     https://firedoor.example/fhir/Questionnaire/dara|2022";
const WHEN: &str = "must say when she was assessed, with time and offset";
const WHO: &str = "say whom it is about in one way: a subject Patient/ with your own reference of her, \
     a subject # with a contained Patient, or basedOn ServiceRequest/ with your referral of her";
const ONLY_HER: &str = "only the Patient that it is about may be contained; record her consent with \
     POST /fhir/Consent";
const LINK: &str = "must be the tool's own code of the question";
const ONE_ANSWER: &str = "each question has one answer, as valueCoding of our list item-answer or as \
     valueBoolean";

/// An assessment, as a form that is still to be parsed.
pub struct Assessed {
    /// `AssessmentIn` as JSON.
    pub form: Value,
    pub questionnaire: String,
    pub authored: String,
    pub left_behind: Vec<String>,
}

/// Reads a QuestionnaireResponse.
///
/// # Errors
/// The first element that cannot be taken.
pub fn assessment(bytes: &[u8], format: Format) -> Result<Assessed, Problem> {
    let root = parsed(bytes, format, "QuestionnaireResponse")?;
    if root.resource.as_deref() != Some("QuestionnaireResponse") {
        let says = "must be QuestionnaireResponse";
        return Err(Problem::new(Kind::WrongMessage, "resourceType", says));
    }
    let left = &mut LeftBehind::default();
    let fields = Fields::open(&root, "QuestionnaireResponse", &RESPONSE, left)?;
    if fields.required("status", STATUS, left)? != "completed" {
        return Err(Problem::new(Kind::Value, fields.path_of("status"), STATUS));
    }
    let questionnaire = fields.required("questionnaire", TOOL, left)?;
    let (instrument, version) = questionnaire
        .strip_prefix(OWN)
        .and_then(|rest| rest.strip_prefix("Questionnaire/"))
        .and_then(|rest| rest.split_once('|'))
        .ok_or_else(|| Problem::new(Kind::Value, fields.path_of("questionnaire"), TOOL))?;
    let authored = fields.required("authored", WHEN, left)?;
    let mut form = Map::new();
    form.insert("instrument".to_owned(), json!(instrument));
    form.insert("instrument_version".to_owned(), json!(version));
    form.insert("assessed_at".to_owned(), json!(authored));
    who(&fields, &mut form, left)?;
    for (name, kind, field, many) in FIELDS {
        if many {
            form.insert(field.to_owned(), json!(fields.own_texts(name, kind)?));
        } else if let Some(text) = fields.own_text(name, kind)? {
            form.insert(field.to_owned(), json!(text));
        }
    }
    let trained = fields.own_flag("assessor-trained")?;
    form.insert("assessor_trained".to_owned(), json!(trained));
    let mut items = Vec::new();
    questions(
        fields.many("item"),
        "QuestionnaireResponse.item",
        &mut items,
        left,
    )?;
    form.insert("items".to_owned(), Value::Array(items));
    Ok(Assessed {
        form: Value::Object(form),
        questionnaire: questionnaire.to_owned(),
        authored: authored.to_owned(),
        left_behind: std::mem::take(left).into_paths(),
    })
}

/// Whom it is about, in exactly one way.
fn who(
    fields: &Fields<'_>,
    form: &mut Map<String, Value>,
    left: &mut LeftBehind,
) -> Result<(), Problem> {
    let element = fields.path_of("subject");
    let refuse = |kind| Problem::new(kind, element.as_str(), WHO);
    for node in fields.many("contained") {
        if node.resource.as_deref() != Some("Patient") {
            let element = fields.path_of("contained");
            return Err(Problem::new(Kind::Value, element, ONLY_HER));
        }
    }
    let based_on = match fields.many("basedOn") {
        [] => None,
        [node] => reference_of(node, &fields.path_of("basedOn"), left)?,
        _ => return Err(refuse(Kind::Value)),
    };
    let subject = match fields.one("subject") {
        Some(node) => reference_of(node, &element, left)?,
        None => None,
    };
    let id = |text: &str, kind| text.strip_prefix(kind).and_then(Id::parse);
    match (subject, based_on) {
        (Some(subject), None) => {
            if let Some(name) = subject.strip_prefix('#') {
                let mut named = fields.many("contained").iter();
                let her = named.find(|node| node.first("id").and_then(Node::text) == Some(name));
                let her = her.ok_or_else(|| refuse(Kind::Value))?;
                let identity = patient::read(her, left)?.identity;
                form.insert("identity".to_owned(), identity_form(identity));
            } else {
                let person = id(subject, "Patient/").ok_or_else(|| refuse(Kind::Value))?;
                form.insert("person".to_owned(), json!(person.to_string()));
            }
        }
        (None, Some(referral)) => {
            let referral = id(referral, "ServiceRequest/").ok_or_else(|| refuse(Kind::Value))?;
            form.insert("referral".to_owned(), json!(referral.to_string()));
        }
        (None, None) => return Err(refuse(Kind::Required)),
        (Some(_), Some(_)) => return Err(refuse(Kind::Value)),
    }
    let taken = usize::from(form.contains_key("identity"));
    if fields.many("contained").len() != taken {
        return Err(Problem::new(
            Kind::Value,
            fields.path_of("contained"),
            ONLY_HER,
        ));
    }
    Ok(())
}

/// The texts move; nothing is copied.
fn identity_form(mut identity: RawFields) -> Value {
    let identity = &mut identity;
    json!({
        "given_name": identity.given_name.take(),
        "family_name": identity.family_name.take(),
        "other_names": std::mem::take(&mut identity.other_names),
        "birth_date": identity.birth_date.take(),
        "sex": identity.sex.take(),
        "nhs_number": identity.nhs_number.take(),
        "phone": std::mem::take(&mut identity.phone),
        "email": std::mem::take(&mut identity.email),
        "address_line": identity.address_line.take(),
        "postcode": identity.postcode.take(),
    })
}

/// Questions and their answers; a group has questions and no answer. The tree is bounded, so is this.
fn questions(
    nodes: &[Node],
    path: &str,
    items: &mut Vec<Value>,
    left: &mut LeftBehind,
) -> Result<(), Problem> {
    for node in nodes {
        let item = Fields::open(node, path, &ITEM, left)?;
        let code = item.required("linkId", LINK, left)?;
        let inner = item.many("item");
        match (item.many("answer"), inner) {
            ([], [_, ..]) => questions(inner, &item.path_of("item"), items, left)?,
            ([answer], []) => {
                let answer = answered(answer, &item.path_of("answer"), left)?;
                items.push(json!({ "code": code, "answer": answer }));
            }
            _ => {
                return Err(Problem::new(
                    Kind::Value,
                    item.path_of("answer"),
                    ONE_ANSWER,
                ));
            }
        }
    }
    Ok(())
}

fn answered<'a>(node: &'a Node, path: &str, left: &mut LeftBehind) -> Result<&'a str, Problem> {
    let refuse = || Problem::new(Kind::Value, path, ONE_ANSWER);
    let answer = Fields::open(node, path, &ANSWER, left)?;
    match (answer.one("valueBoolean"), answer.one("valueCoding")) {
        (Some(flag), None) => match flag.flag() {
            Some(true) => Ok("yes"),
            Some(false) => Ok("no"),
            None => Err(refuse()),
        },
        (None, Some(node)) => {
            let coding = Fields::open(node, answer.path_of("valueCoding"), &CODING, left)?;
            let known = coding.text("system", left)? == Some(own_codes("item-answer").as_str());
            coding
                .text("code", left)?
                .filter(|_| known)
                .ok_or_else(refuse)
        }
        _ => Err(refuse()),
    }
}

/// The element that a field of the form was read from.
pub(super) fn element_of(field: &str) -> String {
    let element = match field {
        "instrument" | "instrument_version" => "questionnaire",
        "assessed_at" => "authored",
        "items" => "item",
        "items.code" => "item.linkId",
        "items.answer" => "item.answer",
        "identity" | "person" | "referral" | "id" => "subject",
        field => {
            let own = FIELDS.iter().find(|(_, _, known, _)| *known == field);
            return match own {
                Some((name, ..)) => format!("QuestionnaireResponse.extension({name})"),
                None => super::element_of(field).to_owned(),
            };
        }
    };
    format!("QuestionnaireResponse.{element}")
}

/// What the reply says of an assessment that was recorded.
pub struct Recorded<'a> {
    /// The caller's name of it.
    pub id: Id,
    /// Counted from the answers; they make no grade.
    pub ticks: Option<u16>,
    pub sent: &'a Assessed,
}

/// The reply: that it was recorded, without any answer of hers.
pub fn assessed(recorded: &Recorded<'_>, receipt_text: &str, format: Format) -> Vec<u8> {
    let mut extensions = vec![receipt(receipt_text)];
    extensions.extend(
        recorded.ticks.map(|ticks| {
            Part::extension("ticks", "valueUnsignedInt", Part::Number(u32::from(ticks)))
        }),
    );
    extensions.extend(left_behind(&recorded.sent.left_behind));
    let members = vec![
        ("id", Part::text(&recorded.id.to_string())),
        ("extension", Part::List(extensions)),
        ("questionnaire", Part::text(&recorded.sent.questionnaire)),
        ("status", Part::text("completed")),
        ("authored", Part::text(&recorded.sent.authored)),
    ];
    written(&Part::Resource("QuestionnaireResponse", members), format)
}
