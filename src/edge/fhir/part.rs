//! A resource before it is written: members in the order that FHIR XML wants, and the same in JSON.

use quick_xml::escape::escape;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::Format;

/// Where what FHIR and the NHS have no name for is defined: our extensions and code lists. It is a
/// name and no address; nothing is fetched from it.
pub const OWN: &str = "https://firedoor.example/fhir/";

/// The address of one of our extensions.
pub(super) fn own_extension(name: &str) -> String {
    format!("{OWN}StructureDefinition/{name}")
}

/// The address of one of our code lists.
pub(super) fn own_codes(name: &str) -> String {
    format!("{OWN}CodeSystem/{name}")
}

pub(super) fn urn(id: &str) -> String {
    format!("urn:uuid:{id}")
}

/// A code with where it is from.
pub(super) fn coding(system: &str, code: &str) -> Part {
    Part::Object(vec![
        ("system", Part::text(system)),
        ("code", Part::text(code)),
    ])
}

/// The elements of one element, in the order of FHIR R4.
pub(super) type Members = Vec<(&'static str, Part)>;

/// One element, or the elements of one name.
pub(super) enum Part {
    Text(String),
    Flag(bool),
    Number(u32),
    List(Vec<Self>),
    Object(Members),
    Resource(&'static str, Members),
}

impl Part {
    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// An extension of ours with one value; `kind` is `valueCode`, `valueString` and so on.
    pub(super) fn extension(name: &str, kind: &'static str, value: Self) -> Self {
        let url = Self::Text(own_extension(name));
        Self::Object(vec![("url", url), (kind, value)])
    }

    /// A concept with one code.
    pub(super) fn concept(system: &str, code: &str) -> Self {
        let coding = Self::List(vec![coding(system, code)]);
        Self::Object(vec![("coding", coding)])
    }

    pub(super) fn reference(to: &str) -> Self {
        Self::Object(vec![("reference", Self::text(to))])
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let (kind, members) = match self {
            Self::Text(text) => return out.serialize_str(text),
            Self::Flag(flag) => return out.serialize_bool(*flag),
            Self::Number(number) => return out.serialize_u32(*number),
            Self::List(items) => return out.collect_seq(items),
            Self::Object(members) => (None, members),
            Self::Resource(kind, members) => (Some(kind), members),
        };
        let mut map = out.serialize_map(None)?;
        if let Some(kind) = kind {
            map.serialize_entry("resourceType", kind)?;
        }
        for (name, part) in members {
            map.serialize_entry(name, part)?;
        }
        map.end()
    }
}

/// The bytes of a reply.
pub(super) fn written(part: &Part, format: Format) -> Vec<u8> {
    match format {
        // Texts and lists with text keys: there is nothing that JSON could not hold.
        Format::Json => serde_json::to_vec(part).unwrap_or_default(),
        Format::Xml => {
            let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
            if let Part::Resource(kind, members) = part {
                element(kind, " xmlns=\"http://hl7.org/fhir\"", members, &mut out);
            }
            out.into_bytes()
        }
    }
}

fn element(name: &str, attributes: &str, members: &Members, out: &mut String) {
    out.push_str(&format!("<{name}{attributes}>"));
    for (name, part) in members {
        match part {
            Part::List(items) => items.iter().for_each(|item| member(name, item, out)),
            Part::Text(_)
            | Part::Flag(_)
            | Part::Number(_)
            | Part::Object(_)
            | Part::Resource(..) => member(name, part, out),
        }
    }
    out.push_str(&format!("</{name}>"));
}

fn member(name: &str, part: &Part, out: &mut String) {
    match part {
        Part::Text(text) => out.push_str(&format!("<{name} value=\"{}\"/>", escape(text.as_str()))),
        Part::Flag(flag) => out.push_str(&format!("<{name} value=\"{flag}\"/>")),
        Part::Number(number) => out.push_str(&format!("<{name} value=\"{number}\"/>")),
        // FHIR has no list directly in a list.
        Part::List(items) => items.iter().for_each(|item| member(name, item, out)),
        Part::Object(members) => {
            // The address of an extension is the one attribute besides `value`.
            let (attributes, rest): (Vec<_>, Vec<_>) =
                members.iter().partition(|(inner, _)| *inner == "url");
            let url = attributes.first().and_then(|(_, part)| match part {
                Part::Text(text) => Some(format!(" url=\"{}\"", escape(text.as_str()))),
                Part::Flag(_)
                | Part::Number(_)
                | Part::List(_)
                | Part::Object(_)
                | Part::Resource(..) => None,
            });
            out.push_str(&format!("<{name}{}>", url.unwrap_or_default()));
            for (inner, part) in rest {
                member(inner, part, out);
            }
            out.push_str(&format!("</{name}>"));
        }
        Part::Resource(kind, members) => {
            out.push_str(&format!("<{name}>"));
            element(kind, "", members, out);
            out.push_str(&format!("</{name}>"));
        }
    }
}
