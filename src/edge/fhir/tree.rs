//! One tree for FHIR in JSON and in XML: elements by name, in the order they came.
//!
//! It knows no element of FHIR; `shape` does. Values may be about a person: there is no `Debug`, and
//! they are wiped when dropped. No name is kept that is not letters and digits, so that a path
//! built from names can be shown.

use zeroize::Zeroizing;

/// Longest message read, in bytes.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// Different element names inside one element; no FHIR R4 resource has as many.
pub(super) const NAMES_MAX: usize = 80;
/// Longest element name; FHIR R4 has none of 64.
pub(super) const NAME_BYTES_MAX: usize = 64;

pub(super) const TOO_MANY_NAMES: &str = "an element holds more kinds of element than FHIR R4 has";
pub(super) const BAD_NAME: &str = "an element's name is not one that FHIR could have";
pub(super) const CONTROL: &str =
    "a value holds control characters; only tab and line breaks are allowed";

/// What an element itself holds.
pub(super) enum Value {
    Nothing,
    /// A JSON string.
    Text(Zeroizing<String>),
    /// A JSON number, as written in decimal.
    Number(String),
    /// `true` or `false` in JSON.
    Flag(bool),
    /// From XML, where everything is text.
    Untyped(Zeroizing<String>),
}

/// An element.
pub(super) struct Node {
    /// The type, where this is a resource.
    pub(super) resource: Option<String>,
    pub(super) value: Value,
    pub(super) fields: Vec<Field>,
}

/// All elements of one name inside an element.
pub(super) struct Field {
    pub(super) name: String,
    pub(super) items: Vec<Node>,
    /// Written as a JSON array.
    pub(super) list: bool,
}

impl Node {
    pub(super) const fn empty() -> Self {
        Self::of(Value::Nothing)
    }

    pub(super) const fn of(value: Value) -> Self {
        Self {
            resource: None,
            value,
            fields: Vec::new(),
        }
    }

    /// The elements of a name; none if there are none.
    pub(super) fn all(&self, name: &str) -> &[Self] {
        self.fields
            .iter()
            .find(|field| field.name == name)
            .map_or(&[], |field| field.items.as_slice())
    }

    pub(super) fn first(&self, name: &str) -> Option<&Self> {
        self.all(name).first()
    }

    /// The text it holds, trimmed; blank is none. A number or flag of JSON is no text.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) | Value::Untyped(text) => Some(text.trim()),
            Value::Nothing | Value::Number(_) | Value::Flag(_) => None,
        }
        .filter(|text| !text.is_empty())
    }

    pub(super) fn flag(&self) -> Option<bool> {
        match &self.value {
            Value::Flag(flag) => Some(*flag),
            Value::Untyped(text) => match text.as_str() {
                "true" => Some(true),
                "false" => Some(false),
                _ => None,
            },
            Value::Nothing | Value::Text(_) | Value::Number(_) => None,
        }
    }

    pub(super) fn positive(&self) -> Option<u32> {
        match &self.value {
            Value::Number(text) => text.parse().ok(),
            Value::Untyped(text) => text.parse().ok(),
            Value::Nothing | Value::Text(_) | Value::Flag(_) => None,
        }
    }

    /// Adds an element beside those of its name.
    pub(super) fn push(&mut self, name: &str, node: Self) -> Result<(), &'static str> {
        if let Some(field) = self.fields.iter_mut().find(|field| field.name == name) {
            field.items.push(node);
            return Ok(());
        }
        self.put(name.to_owned(), vec![node], false)
    }

    /// Adds all elements of a name that is not there yet.
    pub(super) fn put(
        &mut self,
        name: String,
        items: Vec<Self>,
        list: bool,
    ) -> Result<(), &'static str> {
        if self.fields.len() == NAMES_MAX {
            return Err(TOO_MANY_NAMES);
        }
        self.fields.push(Field { name, items, list });
        Ok(())
    }
}

/// A name in the letters of FHIR: `birthDate`, `MessageHeader`, and `_birthDate` in JSON.
pub(super) fn is_name(name: &str) -> bool {
    let rest = name.strip_prefix('_').unwrap_or(name);
    rest.len() <= NAME_BYTES_MAX
        && rest.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Text without the characters that XML cannot hold, so that both formats take the same values.
pub(super) fn clean(text: String) -> Result<Zeroizing<String>, &'static str> {
    let text = Zeroizing::new(text);
    let bad = |letter: char| {
        (letter.is_control() && !matches!(letter, '\t' | '\n' | '\r' | '\u{80}'..='\u{9F}'))
            || matches!(letter, '\u{FFFE}' | '\u{FFFF}')
    };
    if text.contains(bad) {
        Err(CONTROL)
    } else {
        Ok(text)
    }
}
