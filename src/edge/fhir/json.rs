//! FHIR JSON to a tree: bounded depth, no key twice, no lone surrogate, no null but in a list.
//!
//! Nothing is kept of a message that is refused, and no error repeats any of it.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};

use super::problem::{Kind, Problem};
use super::tree::{BAD_NAME, NAMES_MAX, Node, TOO_MANY_NAMES, Value, clean, is_name};

/// Objects and lists inside each other. The published messages need 13.
pub const JSON_DEPTH_MAX: usize = 16;

const TOO_DEEP: &str = "objects and lists are nested more than 16 deep; flatten them";
const TWICE: &str = "a name is given twice in one object; give it once";
const NULL: &str = "null stands where a value must be; leave the name out";
const NESTED_LIST: &str = "a list stands directly in a list, which FHIR does not have";
const EMPTY_LIST: &str = "a list is empty; leave the name out";
const TYPE_NOT_TEXT: &str = "must be text";
const UNPAIRED: &str =
    "the names with and without an underscore do not pair up (FHIR R4 JSON, primitive elements)";
const SURROGATE: &str =
    "a \\u escape is half of a surrogate pair; write both halves or the character itself";
const NOT_UTF8: &str = "the body is not UTF-8; send UTF-8";
const CUT: &str = "the JSON ends too early; send the whole message";
const SYNTAX: &str = "the body is not JSON; check it with a JSON parser";

/// `root` is the resource that should come: errors name elements from there.
///
/// # Errors
/// Anything that is not one JSON object within the limits.
pub(super) fn parse(bytes: &[u8], root: &'static str) -> Result<Node, Problem> {
    let refuse = |says| Problem::new(Kind::Structure, root, says);
    let text = std::str::from_utf8(bytes).map_err(|_| refuse(NOT_UTF8))?;
    let why = RefCell::new(None);
    let place = RefCell::new(None);
    let mut json = serde_json::Deserializer::from_str(text);
    let read = Read {
        depth: 0,
        at: None,
        root,
        why: &why,
        place: &place,
    }
    .deserialize(&mut json)
    .and_then(|parsed| json.end().map(|()| parsed));
    match read {
        Ok(Parsed::One(node)) if node.resource.is_some() => Ok(node),
        Ok(_) => Err(Problem::new(
            Kind::WrongMessage,
            "resourceType",
            "must be there: send one resource of FHIR R4",
        )),
        Err(error) => Err(why.take().unwrap_or_else(|| match place.take() {
            Some(place) => Problem::new(Kind::Structure, place, says(&error)),
            None => refuse(says(&error)),
        })),
    }
}

/// The sentence for an error of the parser. Its own text may quote the message and is not passed on.
fn says(error: &serde_json::Error) -> &'static str {
    let text = zeroize::Zeroizing::new(error.to_string());
    if text.contains("surrogate") || text.contains("end of hex escape") {
        SURROGATE
    } else if error.is_eof() {
        CUT
    } else {
        SYNTAX
    }
}

enum Parsed {
    Null,
    One(Node),
    List(Vec<Option<Node>>),
}

/// The names of the elements around the one that is read.
struct Around<'a> {
    name: &'a str,
    further: Option<&'a Self>,
}

#[derive(Clone, Copy)]
struct Read<'a> {
    depth: usize,
    at: Option<&'a Around<'a>>,
    root: &'static str,
    /// The refusal, because an error of the parser can carry nothing but text.
    why: &'a RefCell<Option<Problem>>,
    /// The innermost element in which the parser stopped.
    place: &'a RefCell<Option<String>>,
}

impl Read<'_> {
    fn refuse<E: serde::de::Error>(self, says: &'static str) -> E {
        let problem = Problem::new(Kind::Structure, self.path(), says);
        self.why.replace(Some(problem));
        E::custom("refused")
    }

    fn path(self) -> String {
        let mut names = Vec::new();
        let mut at = self.at;
        while let Some(around) = at {
            names.push(around.name);
            at = around.further;
        }
        names.push(self.root);
        names.reverse();
        names.join(".")
    }

    /// Remembers where the parser itself stopped; the innermost comes first.
    fn stopped<E>(self, error: E) -> E {
        self.place.borrow_mut().get_or_insert_with(|| self.path());
        error
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == JSON_DEPTH_MAX {
            return Err(self.refuse(TOO_DEEP));
        }
        Ok(Self {
            depth: self.depth.saturating_add(1),
            ..self
        })
    }

    fn text<E: serde::de::Error>(self, text: String) -> Result<Parsed, E> {
        match clean(text) {
            Ok(text) => Ok(Parsed::One(Node::of(Value::Text(text)))),
            Err(says) => Err(self.refuse(says)),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Read<'_> {
    type Value = Parsed;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Parsed, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Read<'_> {
    type Value = Parsed;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("FHIR JSON")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Parsed, E> {
        Ok(Parsed::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, flag: bool) -> Result<Parsed, E> {
        Ok(Parsed::One(Node::of(Value::Flag(flag))))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Parsed, E> {
        Ok(Parsed::One(Node::of(Value::Number(number.to_string()))))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Parsed, E> {
        Ok(Parsed::One(Node::of(Value::Number(number.to_string()))))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Parsed, E> {
        Ok(Parsed::One(Node::of(Value::Number(number.to_string()))))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Parsed, E> {
        self.text(text.to_owned())
    }

    fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Parsed, E> {
        self.text(text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Parsed, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(inner)? {
            items.push(match item {
                Parsed::Null => None,
                Parsed::One(node) => Some(node),
                Parsed::List(_) => return Err(self.refuse(NESTED_LIST)),
            });
        }
        if items.is_empty() {
            return Err(self.refuse(EMPTY_LIST));
        }
        Ok(Parsed::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Parsed, A::Error> {
        let inner = self.deeper()?;
        let mut members: Vec<(String, Parsed)> = Vec::new();
        let mut resource = None;
        while let Some(name) = object
            .next_key::<String>()
            .map_err(|error| self.stopped(error))?
        {
            if !is_name(&name) {
                return Err(self.refuse(BAD_NAME));
            }
            let around = Around {
                name: &name,
                further: self.at,
            };
            let here = Read {
                at: Some(&around),
                ..inner
            };
            let typed = name == "resourceType";
            if (typed && resource.is_some()) || members.iter().any(|(known, _)| *known == name) {
                return Err(here.refuse(TWICE));
            }
            if members.len() == NAMES_MAX {
                return Err(self.refuse(TOO_MANY_NAMES));
            }
            let member = object
                .next_value_seed(here)
                .map_err(|error| here.stopped(error))?;
            if typed {
                let kind = match &member {
                    Parsed::One(node) => node.text().filter(|kind| is_name(kind)),
                    Parsed::Null | Parsed::List(_) => None,
                };
                match kind {
                    Some(kind) => resource = Some(kind.to_owned()),
                    None => return Err(here.refuse(TYPE_NOT_TEXT)),
                }
            } else {
                members.push((name, member));
            }
        }
        match node_of(members, resource) {
            Ok(node) => Ok(Parsed::One(node)),
            Err(says) => Err(self.refuse(says)),
        }
    }
}

/// Brings `_name`, which holds the extensions of a primitive, together with `name`.
fn node_of(members: Vec<(String, Parsed)>, resource: Option<String>) -> Result<Node, &'static str> {
    let (shadows, plain): (Vec<_>, Vec<_>) = members
        .into_iter()
        .partition(|(name, _)| name.starts_with('_'));
    let mut node = Node::empty();
    node.resource = resource;
    let mut pairs: Vec<(String, Parsed, Option<Parsed>)> = plain
        .into_iter()
        .map(|(name, member)| (name, member, None))
        .collect();
    for (name, shadow) in shadows {
        let name = name.strip_prefix('_').unwrap_or(&name).to_owned();
        match pairs.iter_mut().find(|(known, _, _)| *known == name) {
            Some((_, _, place)) => *place = Some(shadow),
            None => pairs.push((name, Parsed::Null, Some(shadow))),
        }
    }
    for (name, member, shadow) in pairs {
        let list = matches!(member, Parsed::List(_)) || matches!(shadow, Some(Parsed::List(_)));
        node.put(name, paired(member, shadow)?, list)?;
    }
    Ok(node)
}

fn paired(member: Parsed, shadow: Option<Parsed>) -> Result<Vec<Node>, &'static str> {
    let Some(shadow) = shadow else {
        return match member {
            Parsed::Null => Err(NULL),
            Parsed::One(node) => Ok(vec![node]),
            // Null holds a place for an extension that is not given either.
            Parsed::List(items) => items.into_iter().map(|item| item.ok_or(NULL)).collect(),
        };
    };
    let (values, extras) = match (member, shadow) {
        (Parsed::Null, Parsed::One(extra)) => (vec![None], vec![Some(extra)]),
        (Parsed::One(value), Parsed::One(extra)) => (vec![Some(value)], vec![Some(extra)]),
        (Parsed::Null, Parsed::List(extras)) => ((0..extras.len()).map(|_| None).collect(), extras),
        (Parsed::List(values), Parsed::List(extras)) => (values, extras),
        (Parsed::One(_) | Parsed::List(_) | Parsed::Null, _) => return Err(UNPAIRED),
    };
    if values.len() != extras.len() {
        return Err(UNPAIRED);
    }
    values
        .into_iter()
        .zip(extras)
        .map(|(value, extra)| match (value, extra) {
            (None, None) => Err(NULL),
            (Some(value), None) => Ok(value),
            (value, Some(extra)) => {
                let mut node = value.unwrap_or_else(Node::empty);
                let primitive = node.fields.is_empty() && node.resource.is_none();
                let object = matches!(extra.value, Value::Nothing) && extra.resource.is_none();
                if !primitive || !object {
                    return Err(UNPAIRED);
                }
                node.fields = extra.fields;
                Ok(node)
            }
        })
        .collect()
}
