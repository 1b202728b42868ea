//! The allow-list: which elements of FHIR R4 are read, which belong to the envelope, and which are
//! left behind and said so. What FHIR R4 does not have is refused.
//!
//! An element that is left behind is not looked into, so nothing in it can get further.

use std::collections::BTreeSet;

use super::part::OWN;
use super::problem::{Kind, Problem};
use super::tree::{Node, Value};

/// Longest list of what was left behind; more than these say nothing new.
pub const LEFT_BEHIND_MAX: usize = 200;

const UNKNOWN: &str = "FHIR R4 has no such element here; check its spelling or leave it out";
const TWICE: &str = "may be given once only";
const LIST: &str = "must be one value, not a list";
const MODIFIER: &str =
    "changes the meaning of what it stands in and is not understood; leave it out";
const NOT_OBJECT: &str = "must be an element with elements in it, not a value";
const NOT_TEXT: &str = "must be text";
const NOT_OURS: &str = "there is no such extension of ours here; the ones that there are stand in \
     the CapabilityStatement's documentation";
const OWN_VALUE: &str = "must have one value of the kind that this extension has, and nothing else";
const OWN_FLAG: &str = "must have valueBoolean true or false, and nothing else";
const RESOURCE: &str = "a resource may stand only in Bundle.entry.resource";

/// The elements of one type. A name that ends in `*` may be repeated; one that begins with
/// `extension:` is an extension of ours.
pub(super) struct Shape {
    /// Read by this module.
    pub(super) read: &'static [&'static str],
    /// About the message or the record, not about the person; ignored.
    pub(super) envelope: &'static [&'static str],
    /// Has no place here; named to the sender.
    pub(super) left: &'static [&'static str],
}

/// What every resource has.
const RESOURCE_ENVELOPE: [&str; 3] = ["id", "meta", "language"];
const RESOURCE_LEFT: [&str; 2] = ["text", "contained*"];
/// May change what an element means, so whoever does not know them must refuse.
const MODIFIERS: [&str; 2] = ["modifierExtension", "implicitRules"];

pub(super) const BUNDLE: Shape = Shape {
    read: &["type", "entry*", "identifier"],
    envelope: &["timestamp", "total", "link*"],
    left: &["signature"],
};
pub(super) const ENTRY: Shape = Shape {
    read: &["fullUrl", "resource"],
    envelope: &["link*", "search", "request", "response"],
    left: &[],
};
pub(super) const MESSAGE_HEADER: Shape = Shape {
    read: &[
        "eventCoding",
        "eventUri",
        "destination*",
        "reason",
        "focus*",
        "response",
        "source",
    ],
    envelope: &["sender", "enterer", "author", "responsible", "definition"],
    left: &[],
};
pub(super) const DESTINATION: Shape = Shape {
    read: &["endpoint", "receiver"],
    envelope: &["name", "target"],
    left: &[],
};
pub(super) const SOURCE: Shape = Shape {
    read: &["endpoint"],
    envelope: &["name", "software", "version", "contact"],
    left: &[],
};
pub(super) const RESPONSE: Shape = Shape {
    read: &["identifier", "code"],
    envelope: &["details"],
    left: &[],
};
pub(super) const CODING: Shape = Shape {
    read: &["system", "code"],
    envelope: &["version", "display", "userSelected"],
    left: &[],
};
pub(super) const CODEABLE_CONCEPT: Shape = Shape {
    read: &["coding*"],
    envelope: &[],
    left: &["text"],
};
pub(super) const REFERENCE: Shape = Shape {
    read: &["reference", "identifier"],
    envelope: &["type"],
    left: &["display"],
};
pub(super) const IDENTIFIER: Shape = Shape {
    read: &["system", "value", "use"],
    envelope: &["type", "period", "assigner"],
    left: &[],
};
pub(super) const PERIOD: Shape = Shape {
    read: &["start", "end"],
    envelope: &[],
    left: &[],
};
pub(super) const HOLDER: Shape = Shape {
    read: &["identifier*"],
    // HealthcareService and Organization, looked at for a DoS service id only.
    envelope: &[
        "active",
        "alias*",
        "address*",
        "appointmentRequired",
        "availabilityExceptions",
        "availableTime*",
        "category*",
        "characteristic*",
        "comment",
        "communication*",
        "contact*",
        "coverageArea*",
        "eligibility*",
        "endpoint*",
        "extraDetails",
        "location*",
        "name",
        "notAvailable*",
        "partOf",
        "photo",
        "program*",
        "providedBy",
        "referralMethod*",
        "serviceProvisionCode*",
        "specialty*",
        "telecom*",
        "type*",
    ],
    left: &[],
};
pub(super) const SERVICE_REQUEST: Shape = Shape {
    read: &[
        "extension:update*",
        "identifier*",
        "status",
        "intent",
        "priority",
        "doNotPerform",
        "subject",
        "encounter",
        "occurrenceDateTime",
        "occurrencePeriod",
        "authoredOn",
        "note*",
    ],
    envelope: &[
        "basedOn*",
        "category*",
        "instantiatesCanonical*",
        "instantiatesUri*",
        "performer*",
        "performerType",
        "replaces*",
        "requester",
        "requisition",
    ],
    left: &[
        "asNeededBoolean",
        "asNeededCodeableConcept",
        "bodySite*",
        "code",
        "insurance*",
        "locationCode*",
        "locationReference*",
        "occurrenceTiming",
        "orderDetail*",
        "patientInstruction",
        "quantityQuantity",
        "quantityRange",
        "quantityRatio",
        "reasonCode*",
        "reasonReference*",
        "relevantHistory*",
        "specimen*",
        "supportingInfo*",
    ],
};
pub(super) const ANNOTATION: Shape = Shape {
    read: &["text"],
    envelope: &["authorReference", "authorString", "time"],
    left: &[],
};
pub(super) const ENCOUNTER: Shape = Shape {
    read: &["episodeOfCare*"],
    envelope: &[
        "appointment*",
        "basedOn*",
        "class",
        "identifier*",
        "serviceProvider",
        "status",
        "subject",
    ],
    left: &[
        "account*",
        "classHistory*",
        "diagnosis*",
        "hospitalization",
        "length",
        "location*",
        "partOf",
        "participant*",
        "period",
        "priority",
        "reasonCode*",
        "reasonReference*",
        "serviceType",
        "statusHistory*",
        "type*",
    ],
};
pub(super) const PATIENT: Shape = Shape {
    read: &[
        "identifier*",
        "name*",
        "telecom*",
        "gender",
        "birthDate",
        "address*",
        "contact*",
    ],
    envelope: &["active"],
    left: &[
        "communication*",
        "deceasedBoolean",
        "deceasedDateTime",
        "generalPractitioner*",
        "link*",
        "managingOrganization",
        "maritalStatus",
        "multipleBirthBoolean",
        "multipleBirthInteger",
        "photo*",
    ],
};
pub(super) const HUMAN_NAME: Shape = Shape {
    read: &["use", "text", "family", "given*"],
    envelope: &["period"],
    left: &["prefix*", "suffix*"],
};
pub(super) const CONTACT_POINT: Shape = Shape {
    read: &["system", "value", "use", "rank"],
    envelope: &["period"],
    left: &[],
};
pub(super) const ADDRESS: Shape = Shape {
    read: &["use", "line*", "city", "district", "postalCode", "text"],
    envelope: &["period", "type"],
    left: &["country", "state"],
};
pub(super) const CONTACT: Shape = Shape {
    read: &["relationship*", "telecom*"],
    envelope: &["period"],
    left: &["address", "gender", "name", "organization"],
};
pub(super) const CONSENT: Shape = Shape {
    read: &["status", "patient", "policyRule", "provision"],
    envelope: &[
        "category*",
        "dateTime",
        "identifier*",
        "organization*",
        "performer*",
        "policy*",
        "scope",
        "sourceReference",
    ],
    left: &["sourceAttachment", "verification*"],
};
pub(super) const PROVISION: Shape = Shape {
    read: &[
        "type",
        "period",
        // Each narrows what she agreed to.
        "action*",
        "actor*",
        "class*",
        "code*",
        "data*",
        "dataPeriod",
        "provision*",
        "purpose*",
        "securityLabel*",
    ],
    envelope: &[],
    left: &[],
};

/// What was given and not read: FHIR paths, never values.
#[derive(Default)]
pub(super) struct LeftBehind(BTreeSet<String>);

impl LeftBehind {
    pub(super) fn add(&mut self, path: impl Into<String>) {
        if self.0.len() < LEFT_BEHIND_MAX {
            self.0.insert(path.into());
        }
    }

    pub(super) fn into_paths(self) -> Vec<String> {
        self.0.into_iter().collect()
    }
}

/// An element whose parts have been checked against its shape.
pub(super) struct Fields<'a> {
    node: &'a Node,
    path: String,
}

impl<'a> Fields<'a> {
    /// # Errors
    /// An element that FHIR R4 does not have here, a repeated one that may be there once only, one
    /// that changes the meaning of the rest, or a value where elements must be.
    pub(super) fn open(
        node: &'a Node,
        path: impl Into<String>,
        shape: &Shape,
        left: &mut LeftBehind,
    ) -> Result<Self, Problem> {
        let path = path.into();
        if !matches!(node.value, Value::Nothing) {
            return Err(Problem::new(Kind::Structure, path, NOT_OBJECT));
        }
        // A resource has its type as its path; deeper elements have a dot in theirs.
        let resource = node.resource.is_some();
        if resource && path.contains('.') {
            return Err(Problem::new(Kind::Structure, path, RESOURCE));
        }
        let envelope: &[&str] = if resource {
            &RESOURCE_ENVELOPE
        } else {
            &["id"]
        };
        let no_place: &[&str] = if resource { &RESOURCE_LEFT } else { &[] };
        for field in &node.fields {
            let name = field.name.as_str();
            let here = || format!("{path}.{name}");
            if MODIFIERS.contains(&name) {
                return Err(Problem::new(Kind::Value, here(), MODIFIER));
            }
            if name == "extension" {
                extensions(&path, &field.items, shape, left)?;
                continue;
            }
            let read = known(shape.read, name);
            let ignored = known(shape.envelope, name).or_else(|| known(envelope, name));
            let taken = read.or(ignored);
            let unread = || known(shape.left, name).or_else(|| known(no_place, name));
            let unread = if taken.is_some() { None } else { unread() };
            let Some(many) = taken.or(unread) else {
                return Err(Problem::new(Kind::Structure, here(), UNKNOWN));
            };
            if many == Many::No && field.items.len() > 1 {
                return Err(Problem::new(Kind::Structure, here(), TWICE));
            }
            if read == Some(Many::No) && field.list {
                return Err(Problem::new(Kind::Structure, here(), LIST));
            }
            if unread.is_some() {
                left.add(here());
            }
        }
        Ok(Self { node, path })
    }

    pub(super) fn path_of(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }

    pub(super) fn one(&self, name: &str) -> Option<&'a Node> {
        self.node.first(name)
    }

    pub(super) fn many(&self, name: &str) -> &'a [Node] {
        self.node.all(name)
    }

    /// The text of an element; blank is absent.
    pub(super) fn text(
        &self,
        name: &str,
        left: &mut LeftBehind,
    ) -> Result<Option<&'a str>, Problem> {
        match self.one(name) {
            Some(node) => text_of(node, &self.path_of(name), left),
            None => Ok(None),
        }
    }

    /// The extensions of ours of one name.
    pub(super) fn own(&self, name: &str) -> impl Iterator<Item = &'a Node> {
        let url = format!("{OWN}StructureDefinition/{name}");
        let all = self.node.all("extension").iter();
        all.filter(move |item| item.first("url").and_then(Node::text) == Some(url.as_str()))
    }

    /// The text of the one extension of ours of a name, whose value is in `kind`.
    pub(super) fn own_text(&self, name: &str, kind: &str) -> Result<Option<&'a str>, Problem> {
        match self.own(name).next() {
            Some(node) => self.own_text_of(name, kind, node).map(Some),
            None => Ok(None),
        }
    }

    /// The texts of all extensions of ours of a name.
    pub(super) fn own_texts(&self, name: &str, kind: &str) -> Result<Vec<String>, Problem> {
        self.own(name)
            .map(|node| self.own_text_of(name, kind, node).map(str::to_owned))
            .collect()
    }

    fn own_text_of(&self, name: &str, kind: &str, node: &'a Node) -> Result<&'a str, Problem> {
        let text = node.first(kind).and_then(Node::text);
        text.filter(|_| node.fields.len() == 2).ok_or_else(|| {
            let element = self.path_of(&format!("extension({name})"));
            Problem::new(Kind::Value, element, OWN_VALUE)
        })
    }

    /// What one extension of ours says that is true or false; false where it is not given.
    pub(super) fn own_flag(&self, name: &str) -> Result<bool, Problem> {
        let Some(node) = self.own(name).next() else {
            return Ok(false);
        };
        let flag = node.first("valueBoolean").and_then(Node::flag);
        flag.filter(|_| node.fields.len() == 2).ok_or_else(|| {
            let element = self.path_of(&format!("extension({name})"));
            Problem::new(Kind::Value, element, OWN_FLAG)
        })
    }

    pub(super) fn required(
        &self,
        name: &str,
        says: &'static str,
        left: &mut LeftBehind,
    ) -> Result<&'a str, Problem> {
        self.text(name, left)?
            .ok_or_else(|| Problem::new(Kind::Required, self.path_of(name), says))
    }
}

/// The text of a primitive element. Its extensions are left behind.
pub(super) fn text_of<'a>(
    node: &'a Node,
    path: &str,
    left: &mut LeftBehind,
) -> Result<Option<&'a str>, Problem> {
    for field in &node.fields {
        match field.name.as_str() {
            "id" => {}
            "extension" => {
                for item in &field.items {
                    left.add(extension_path(path, item));
                }
            }
            name => {
                let here = format!("{path}.{name}");
                return Err(Problem::new(Kind::Structure, here, UNKNOWN));
            }
        }
    }
    match node.value {
        Value::Number(_) | Value::Flag(_) => Err(Problem::new(Kind::Structure, path, NOT_TEXT)),
        Value::Nothing | Value::Text(_) | Value::Untyped(_) => Ok(node.text()),
    }
}

/// Ours are read where they have a place, and refused elsewhere, because whoever sends one believes
/// that it counts. Those of others are left behind.
fn extensions(
    path: &str,
    items: &[Node],
    shape: &Shape,
    left: &mut LeftBehind,
) -> Result<(), Problem> {
    let mut seen: Vec<&str> = Vec::new();
    for item in items {
        let url = item.first("url").and_then(Node::text).unwrap_or_default();
        let Some(rest) = url.strip_prefix(OWN) else {
            left.add(extension_path(path, item));
            continue;
        };
        let name = rest
            .strip_prefix("StructureDefinition/")
            .unwrap_or_default();
        let many = shape.read.iter().find_map(|known| {
            let known = known.strip_prefix("extension:")?;
            match known.strip_suffix('*') {
                Some(known) => (known == name).then_some(Many::Yes),
                None => (known == name).then_some(Many::No),
            }
        });
        let here = |name: &str| format!("{path}.extension({name})");
        match many {
            None => {
                let element = format!("{path}.extension");
                return Err(Problem::new(Kind::Structure, element, NOT_OURS));
            }
            Some(Many::No) if seen.contains(&name) => {
                return Err(Problem::new(Kind::Structure, here(name), TWICE));
            }
            Some(Many::No | Many::Yes) => seen.push(name),
        }
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Many {
    Yes,
    No,
}

fn known(names: &[&str], name: &str) -> Option<Many> {
    names
        .iter()
        .find_map(|known| match known.strip_suffix('*') {
            Some(known) => (known == name).then_some(Many::Yes),
            None => (*known == name).then_some(Many::No),
        })
}

/// `Patient.extension(EthnicCategory)`: the name of the extension if a standards body defined it,
/// because any other address could hold anything.
fn extension_path(path: &str, extension: &Node) -> String {
    const DEFINED_BY: [&str; 3] = ["hl7.org/fhir/", "fhir.hl7.org.uk/", "fhir.nhs.uk/"];
    let url = extension
        .first("url")
        .and_then(Node::text)
        .unwrap_or_default();
    let address = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
        .unwrap_or_default();
    let name = address.rsplit('/').next().unwrap_or_default();
    let name = name.strip_prefix("Extension-").unwrap_or(name);
    let name = name.strip_prefix("UKCore-").unwrap_or(name);
    let plain = (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if plain && DEFINED_BY.iter().any(|body| address.starts_with(body)) {
        format!("{path}.extension({name})")
    } else {
        format!("{path}.extension")
    }
}
