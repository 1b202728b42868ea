//! FHIR XML to a tree, without recursion: bounded depth, one root that closes, no DTD, no entity
//! of its own, no processing instruction, no text outside attributes.
//!
//! Narrative (XHTML) is checked for the same things and not kept: nothing here reads it.

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::reader::NsReader;

use super::problem::{Kind, Problem};
use super::tree::{BAD_NAME, Node, Value, clean, is_name};

/// Elements inside each other. The published messages need 10.
pub const XML_DEPTH_MAX: usize = 32;
/// Attributes of one element, its namespaces among them.
pub const XML_ATTRIBUTES_MAX: usize = 16;

const FHIR: Namespace<'_> = Namespace(b"http://hl7.org/fhir");
const XHTML: Namespace<'_> = Namespace(b"http://www.w3.org/1999/xhtml");

const NOT_UTF8: &str = "the body is not UTF-8; send UTF-8";
const SYNTAX: &str = "the body is not well-formed XML; check it with an XML parser";
const CUT: &str = "the XML ends too early; send the whole message";
const TOO_DEEP: &str = "elements are nested more than 32 deep; flatten them";
const DTD: &str = "a document type is not allowed; leave it out";
const ENTITY: &str = "only the five entities of XML itself and character references are allowed";
const INSTRUCTION: &str = "processing instructions are not allowed; leave them out";
const DECLARATION: &str = "the XML declaration must come first and say version 1.0 and UTF-8";
const TEXT: &str = "FHIR has no text between elements; put values into the value attribute";
const ONE_ROOT: &str = "there must be one root element and nothing after it";
const NAMESPACE: &str = "elements must be in the namespace http://hl7.org/fhir";
const ATTRIBUTE: &str =
    "an element has an attribute that FHIR does not have; it may have value, url and id";
const ATTRIBUTES: &str = "an element has more than 16 attributes";
const ONE_RESOURCE: &str = "must hold one resource and nothing else";

/// `root` is the resource that should come: what is wrong before any element begins is named so.
///
/// # Errors
/// Anything that is not one FHIR XML document within the limits.
pub(super) fn parse(bytes: &[u8], root: &'static str) -> Result<Node, Problem> {
    let refuse = |says| Problem::new(Kind::Structure, root, says);
    let text = std::str::from_utf8(bytes).map_err(|_| refuse(NOT_UTF8))?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let mut read = Read::default();
    match read.document(text) {
        Ok(node) => Ok(node),
        Err(says) => Err(match read.path() {
            Some(path) => Problem::new(Kind::Structure, path, says),
            None => refuse(says),
        }),
    }
}

#[derive(Default)]
struct Read {
    /// The open elements with what they hold so far.
    open: Vec<(String, Node)>,
    /// Open elements of a narrative inside the innermost of `open`.
    narrative: usize,
    root: Option<Node>,
}

impl Read {
    fn document(&mut self, text: &str) -> Result<Node, &'static str> {
        let mut xml = NsReader::from_str(text);
        xml.config_mut().expand_empty_elements = true;
        let mut first = true;
        loop {
            let (namespace, event) = xml.read_resolved_event().map_err(|_| SYNTAX)?;
            match event {
                Event::Start(start) => self.start(&namespace, &start)?,
                Event::End(_) => self.end()?,
                // Expanded into a start and an end.
                Event::Empty(_) => return Err(SYNTAX),
                Event::Text(text) => {
                    let blank = text.iter().all(u8::is_ascii_whitespace);
                    if self.narrative == 0 && !blank {
                        return Err(TEXT);
                    }
                }
                Event::GeneralRef(entity) => self.reference(&entity)?,
                Event::Comment(_) => {}
                Event::Decl(declaration) if first => declared(&declaration)?,
                Event::Decl(_) => return Err(DECLARATION),
                Event::CData(_) => return Err(TEXT),
                Event::PI(_) => return Err(INSTRUCTION),
                Event::DocType(_) => return Err(DTD),
                Event::Eof => break,
            }
            first = false;
        }
        if !self.open.is_empty() {
            return Err(CUT);
        }
        self.root.take().ok_or(CUT)
    }

    fn start(
        &mut self,
        namespace: &ResolveResult<'_>,
        start: &BytesStart<'_>,
    ) -> Result<(), &'static str> {
        if self.open.len().saturating_add(self.narrative) == XML_DEPTH_MAX {
            return Err(TOO_DEEP);
        }
        if self.root.is_some() {
            return Err(ONE_ROOT);
        }
        let local = start.local_name();
        let name = std::str::from_utf8(local.as_ref()).map_err(|_| BAD_NAME)?;
        let xhtml = *namespace == ResolveResult::Bound(XHTML);
        if self.narrative > 0 || (xhtml && name == "div" && !self.open.is_empty()) {
            attributes(start, |_, _| Ok(()))?;
            self.narrative = self.narrative.saturating_add(1);
            return Ok(());
        }
        if *namespace != ResolveResult::Bound(FHIR) {
            return Err(NAMESPACE);
        }
        if !is_name(name) || name.starts_with('_') {
            return Err(BAD_NAME);
        }
        // Open already, so that an error in its attributes names it.
        self.open.push((name.to_owned(), Node::empty()));
        let mut node = Node::empty();
        attributes(start, |name, value| {
            let value = Value::Untyped(clean(value)?);
            match name {
                "value" => node.value = value,
                "url" | "id" => node.push(name, Node::of(value))?,
                _ => return Err(ATTRIBUTE),
            }
            Ok(())
        })?;
        if let Some((_, open)) = self.open.last_mut() {
            *open = node;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), &'static str> {
        if self.narrative > 0 {
            self.narrative = self.narrative.saturating_sub(1);
            if self.narrative == 0
                && let Some((_, holder)) = self.open.last_mut()
            {
                holder.push("div", Node::empty())?;
            }
            return Ok(());
        }
        let (name, node) = self.open.last_mut().ok_or(SYNTAX)?;
        let (name, mut node) = (name.clone(), std::mem::replace(node, Node::empty()));
        if matches!(name.as_str(), "resource" | "contained") {
            node = resource_in(node)?;
        }
        // Only now, so that an error above still names this element.
        self.open.pop();
        match self.open.last_mut() {
            Some((_, holder)) => holder.push(&name, node),
            None => {
                node.resource = Some(name);
                self.root = Some(node);
                Ok(())
            }
        }
    }

    fn reference(&self, entity: &BytesRef<'_>) -> Result<(), &'static str> {
        let name = entity.decode().map_err(|_| ENTITY)?;
        let known = match entity.resolve_char_ref() {
            Ok(Some(_)) => true,
            Ok(None) => resolve_predefined_entity(&name).is_some(),
            Err(_) => false,
        };
        if !known {
            return Err(ENTITY);
        }
        if self.narrative == 0 {
            return Err(TEXT);
        }
        Ok(())
    }

    /// Where the reading stopped: `Bundle.entry.resource.Patient.name`.
    fn path(&self) -> Option<String> {
        let names: Vec<&str> = self.open.iter().map(|(name, _)| name.as_str()).collect();
        (!names.is_empty()).then(|| names.join("."))
    }
}

fn declared(declaration: &BytesDecl<'_>) -> Result<(), &'static str> {
    let version = declaration.version().map_err(|_| DECLARATION)?;
    let encoding = declaration
        .encoding()
        .transpose()
        .map_err(|_| DECLARATION)?;
    let utf8 = encoding.is_none_or(|name| name.eq_ignore_ascii_case(b"UTF-8"));
    if version.as_ref() == b"1.0" && utf8 {
        Ok(())
    } else {
        Err(DECLARATION)
    }
}

/// Hands over each attribute that is not about namespaces or schemas, unescaped.
fn attributes(
    start: &BytesStart<'_>,
    mut take: impl FnMut(&str, String) -> Result<(), &'static str>,
) -> Result<(), &'static str> {
    for (place, attribute) in start.attributes().enumerate() {
        if place == XML_ATTRIBUTES_MAX {
            return Err(ATTRIBUTES);
        }
        let attribute = attribute.map_err(|_| SYNTAX)?;
        if attribute.value.contains(&b'<') {
            return Err(SYNTAX);
        }
        let value = attribute.unescape_value().map_err(|_| ENTITY)?;
        let name = std::str::from_utf8(attribute.key.as_ref()).map_err(|_| ATTRIBUTE)?;
        let about_xml = name == "xmlns"
            || ["xmlns:", "xsi:", "xml:"]
                .iter()
                .any(|prefix| name.starts_with(prefix));
        if !about_xml {
            take(name, value.into_owned())?;
        }
    }
    Ok(())
}

/// `<resource><Patient>..</Patient></resource>` as JSON has it: the resource itself.
fn resource_in(holder: Node) -> Result<Node, &'static str> {
    let mut fields = holder.fields.into_iter();
    match (fields.next(), fields.next(), holder.value) {
        (Some(mut field), None, Value::Nothing) if field.items.len() == 1 => {
            let mut node = field.items.pop().ok_or(ONE_RESOURCE)?;
            node.resource = Some(field.name);
            Ok(node)
        }
        _ => Err(ONE_RESOURCE),
    }
}
