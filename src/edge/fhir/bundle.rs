//! The envelope: a Bundle of type message, its header, and how its entries refer to each other.
//!
//! The destination is read before anything about a person is.

use super::problem::{Kind, Problem};
use super::resource_types::is_resource_type;
use super::shape::{
    BUNDLE, CODEABLE_CONCEPT, CODING, DESTINATION, ENTRY, Fields, HOLDER, IDENTIFIER, LeftBehind,
    MESSAGE_HEADER, REFERENCE, RESPONSE as RESPONSE_SHAPE, SOURCE,
};
use super::tree::Node;

const EVENT_SYSTEM: &str = "fhir.nhs.uk/CodeSystem/message-events-bars";
const REQUEST: &str = "servicerequest-request";
const RESPONSE: &str = "servicerequest-response";
const DOS_SERVICE: &str = "fhir.nhs.uk/id/dos-service-id";
/// Longest id of a service in the Directory of Services, in bytes.
pub const DOS_SERVICE_ID_BYTES_MAX: usize = 20;
/// Entries of one message; the published ones have about 25.
pub const ENTRIES_MAX: usize = 500;
/// Longest address or id echoed to the sender, in bytes.
const ECHO_BYTES_MAX: usize = 255;

const NOT_MESSAGE: &str = "must be Bundle: this operation takes one BaRS referral message";
const NOT_OF_TYPE_MESSAGE: &str = "must be message: a searchset or a collection is not a message";
const WRONG_EVENT: &str = "must be servicerequest-request or servicerequest-response of \
     https://fhir.nhs.uk/CodeSystem/message-events-bars";
const IS_RESPONSE: &str = "is in responses only (servicerequest-response)";
const NO_RESPONSE: &str =
    "must say which message this answers: its Bundle.id as identifier, and ok";
const NO_DESTINATION: &str =
    "must name one service, such as https://fhir.nhs.uk/Id/dos-service-id|111111111";
const NO_ENDPOINT: &str = "must name the endpoint that the referral came from, once";
const AMBIGUOUS: &str = "is given for two resources; a reference to it would be ambiguous";

/// What the sender wants done with the request in focus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    New,
    Update,
}

/// Which of the two referral messages it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Request,
    Response,
}

/// What the header says.
pub(super) struct Header {
    pub(super) event: Event,
    pub(super) reason: Reason,
    pub(super) destination: String,
    pub(super) reply_to: Option<String>,
    pub(super) message_id: Option<String>,
    pub(super) header_id: Option<String>,
}

pub(super) struct Entry<'a> {
    pub(super) full_url: Option<&'a str>,
    pub(super) kind: &'a str,
    pub(super) resource: &'a Node,
}

impl Entry<'_> {
    pub(super) fn id(&self) -> Option<&str> {
        self.resource.first("id").and_then(Node::text)
    }

    /// A reference may be the full URL, `Patient/1`, an address ending so, or a bare UUID.
    fn answers_to(&self, reference: &str) -> bool {
        let full = self.full_url.unwrap_or_default();
        let relative = |address: &str| {
            let mut parts = address.rsplit('/');
            let (id, kind) = (parts.next(), parts.next());
            kind == Some(self.kind) && id.is_some() && id == self.id()
        };
        (!full.is_empty() && uuid_of(full).eq_ignore_ascii_case(uuid_of(reference)))
            || relative(reference)
            || (reference.contains('/') && full.ends_with(&format!("/{reference}")))
    }
}

const NO_ATTACHMENTS: &str = "is a file or points to one, and none is taken; leave it out, put what \
     the service needs into the request, and show it in person once the service has accepted";

/// Resources that are a file, or point to one (F12).
const ATTACHMENTS: [&str; 4] = ["Binary", "DocumentManifest", "DocumentReference", "Media"];

fn uuid_of(reference: &str) -> &str {
    reference.strip_prefix("urn:uuid:").unwrap_or(reference)
}

pub(super) struct Bundle<'a> {
    pub(super) entries: Vec<Entry<'a>>,
    id: Option<&'a str>,
}

impl<'a> Bundle<'a> {
    pub(super) fn open(root: &'a Node, left: &mut LeftBehind) -> Result<Self, Problem> {
        let kind = root.resource.as_deref().unwrap_or_default();
        if kind != "Bundle" {
            return Err(Problem::new(
                Kind::WrongMessage,
                "resourceType",
                NOT_MESSAGE,
            ));
        }
        let fields = Fields::open(root, "Bundle", &BUNDLE, left)?;
        let form = fields.required("type", NOT_OF_TYPE_MESSAGE, left)?;
        if form != "message" {
            let element = fields.path_of("type");
            return Err(Problem::new(
                Kind::WrongMessage,
                element,
                NOT_OF_TYPE_MESSAGE,
            ));
        }
        let id = root.first("id").and_then(Node::text);
        let nodes = fields.many("entry");
        if nodes.len() > ENTRIES_MAX {
            let says = "holds more than 500 resources; send those that the referral needs";
            return Err(Problem::new(Kind::TooLong, fields.path_of("entry"), says));
        }
        let mut entries = Vec::with_capacity(nodes.len());
        for node in nodes {
            let entry = Fields::open(node, "Bundle.entry", &ENTRY, left)?;
            let full_url = entry.text("fullUrl", left)?;
            let says = "must hold one resource of FHIR R4";
            let refuse = |kind| Problem::new(kind, "Bundle.entry.resource", says);
            let resource = entry
                .one("resource")
                .ok_or_else(|| refuse(Kind::Required))?;
            let kind = resource
                .resource
                .as_deref()
                .filter(|kind| is_resource_type(kind))
                .ok_or_else(|| refuse(Kind::Structure))?;
            if ATTACHMENTS.contains(&kind) {
                let element = format!("Bundle.entry.resource({kind})");
                return Err(Problem::new(Kind::Value, element, NO_ATTACHMENTS));
            }
            entries.push(Entry {
                full_url,
                kind,
                resource,
            });
        }
        Ok(Self { entries, id })
    }

    /// The one resource of a type that a reference names.
    pub(super) fn find(&self, reference: &str, kind: &str) -> Result<Option<&Entry<'a>>, Problem> {
        let mut found = self
            .entries
            .iter()
            .filter(|entry| entry.kind == kind && entry.answers_to(reference));
        match (found.next(), found.next()) {
            (Some(_), Some(_)) => Err(Problem::new(
                Kind::Structure,
                "Bundle.entry.fullUrl",
                AMBIGUOUS,
            )),
            (first, _) => Ok(first),
        }
    }

    /// Reads the header, with it where the message must go.
    pub(super) fn header(&self, left: &mut LeftBehind) -> Result<Header, Problem> {
        let first = self
            .entries
            .first()
            .filter(|entry| entry.kind == "MessageHeader");
        let Some(entry) = first else {
            let says = "must be a MessageHeader, as in every FHIR message";
            return Err(Problem::new(
                Kind::WrongMessage,
                "Bundle.entry[0].resource",
                says,
            ));
        };
        if self.of_kind("MessageHeader").count() > 1 {
            let says = "may be in a message once only";
            return Err(Problem::new(Kind::Structure, "MessageHeader", says));
        }
        let header = Fields::open(entry.resource, "MessageHeader", &MESSAGE_HEADER, left)?;
        let event = match header.one("eventCoding") {
            Some(node) => {
                let (system, code) = coding_of(node, "MessageHeader.eventCoding", left)?;
                match code.filter(|_| system.is_some_and(|one| same_system(one, EVENT_SYSTEM))) {
                    Some(REQUEST) => Some(Event::Request),
                    Some(RESPONSE) => Some(Event::Response),
                    Some(_) | None => None,
                }
            }
            None => None,
        };
        let Some(event) = event.filter(|_| header.one("eventUri").is_none()) else {
            let element = header.path_of("eventCoding");
            return Err(Problem::new(Kind::WrongMessage, element, WRONG_EVENT));
        };
        let response = header.one("response");
        match (event, response) {
            (Event::Request, Some(_)) => {
                let element = header.path_of("response");
                return Err(Problem::new(Kind::WrongMessage, element, IS_RESPONSE));
            }
            (Event::Response, response) => answered(response, left)?,
            (Event::Request, None) => {}
        }
        let destination = match event {
            Event::Request => self.destination(&header, left)?,
            // Whoever sent the referral; it is found by the referral and by nothing else.
            Event::Response => endpoint_of(&header, left)?,
        };
        Ok(Header {
            event,
            reason: reason_of(&header, left)?,
            destination,
            reply_to: match header.one("source") {
                Some(node) => Fields::open(node, "MessageHeader.source", &SOURCE, left)?
                    .text("endpoint", left)?
                    .and_then(echo),
                None => None,
            },
            message_id: self.id.and_then(echo),
            header_id: entry.id().or(entry.full_url).and_then(echo),
        })
    }

    fn destination(&self, header: &Fields<'a>, left: &mut LeftBehind) -> Result<String, Problem> {
        let element = "MessageHeader.destination";
        let [node] = header.many("destination") else {
            return Err(Problem::new(Kind::Required, element, NO_DESTINATION));
        };
        let fields = Fields::open(node, element, &DESTINATION, left)?;
        let endpoint = fields.required("endpoint", NO_DESTINATION, left)?;
        if let Some((system, id)) = endpoint.split_once('|')
            && is_dos_service(system)
            && is_dos_id(id)
        {
            return Ok(id.to_owned());
        }
        if let Some(receiver) = fields.one("receiver")
            && let Some(id) = self.service_id(receiver, left)?
        {
            return Ok(id);
        }
        let element = fields.path_of("endpoint");
        Err(Problem::new(Kind::Value, element, NO_DESTINATION))
    }

    /// The DoS id of the service or organisation that `destination.receiver` names.
    fn service_id(
        &self,
        receiver: &'a Node,
        left: &mut LeftBehind,
    ) -> Result<Option<String>, Problem> {
        let path = "MessageHeader.destination.receiver";
        let fields = Fields::open(receiver, path, &REFERENCE, left)?;
        if let Some(node) = fields.one("identifier")
            && let Some(id) = dos_id_in(node, &fields.path_of("identifier"), left)?
        {
            return Ok(Some(id));
        }
        let Some(reference) = fields.text("reference", left)? else {
            return Ok(None);
        };
        for kind in ["HealthcareService", "Organization"] {
            let Some(entry) = self.find(reference, kind)? else {
                continue;
            };
            let holder = Fields::open(entry.resource, kind, &HOLDER, left)?;
            for node in holder.many("identifier") {
                if let Some(id) = dos_id_in(node, &holder.path_of("identifier"), left)? {
                    return Ok(Some(id));
                }
            }
        }
        Ok(None)
    }

    pub(super) fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Entry<'a>> {
        self.entries.iter().filter(move |entry| entry.kind == kind)
    }
}

fn endpoint_of(header: &Fields<'_>, left: &mut LeftBehind) -> Result<String, Problem> {
    let element = "MessageHeader.destination";
    let [node] = header.many("destination") else {
        return Err(Problem::new(Kind::Required, element, NO_ENDPOINT));
    };
    let fields = Fields::open(node, element, &DESTINATION, left)?;
    let endpoint = fields.required("endpoint", NO_ENDPOINT, left)?;
    echo(endpoint).ok_or_else(|| Problem::new(Kind::Value, fields.path_of("endpoint"), NO_ENDPOINT))
}

/// A response says to which message, and that it was taken. A service that could not take the message
/// at all said so in the reply to it.
fn answered(response: Option<&Node>, left: &mut LeftBehind) -> Result<(), Problem> {
    let element = "MessageHeader.response";
    let node = response.ok_or_else(|| Problem::new(Kind::Required, element, NO_RESPONSE))?;
    let fields = Fields::open(node, element, &RESPONSE_SHAPE, left)?;
    fields.required("identifier", NO_RESPONSE, left)?;
    if fields.required("code", NO_RESPONSE, left)? != "ok" {
        return Err(Problem::new(
            Kind::WrongMessage,
            fields.path_of("code"),
            NO_RESPONSE,
        ));
    }
    Ok(())
}

fn reason_of(header: &Fields<'_>, left: &mut LeftBehind) -> Result<Reason, Problem> {
    let says = "must be new, or update to change or revoke a referral sent before";
    let element = "MessageHeader.reason";
    let node = header
        .one("reason")
        .ok_or_else(|| Problem::new(Kind::Required, element, says))?;
    let codes = codes_of(node, element, left)?;
    match codes.as_slice() {
        [(_, "new")] => Ok(Reason::New),
        [(_, "update")] => Ok(Reason::Update),
        _ => Err(Problem::new(Kind::WrongMessage, element, says)),
    }
}

/// System and code of a coding.
fn coding_of<'a>(
    node: &'a Node,
    path: &str,
    left: &mut LeftBehind,
) -> Result<(Option<&'a str>, Option<&'a str>), Problem> {
    let coding = Fields::open(node, path, &CODING, left)?;
    Ok((coding.text("system", left)?, coding.text("code", left)?))
}

/// The codings of a concept that have a code, each with its system (or nothing).
pub(super) fn codes_of<'a>(
    node: &'a Node,
    path: &str,
    left: &mut LeftBehind,
) -> Result<Vec<(&'a str, &'a str)>, Problem> {
    let concept = Fields::open(node, path, &CODEABLE_CONCEPT, left)?;
    let mut codes = Vec::new();
    for node in concept.many("coding") {
        let (system, code) = coding_of(node, &concept.path_of("coding"), left)?;
        if let Some(code) = code {
            codes.push((system.unwrap_or_default(), code));
        }
    }
    Ok(codes)
}

/// The text of a reference.
pub(super) fn reference_of<'a>(
    node: &'a Node,
    path: &str,
    left: &mut LeftBehind,
) -> Result<Option<&'a str>, Problem> {
    Fields::open(node, path, &REFERENCE, left)?.text("reference", left)
}

fn dos_id_in(node: &Node, path: &str, left: &mut LeftBehind) -> Result<Option<String>, Problem> {
    let identifier = Fields::open(node, path, &IDENTIFIER, left)?;
    let system = identifier.text("system", left)?;
    let value = identifier.text("value", left)?;
    Ok(match (system, value) {
        (Some(system), Some(id)) if is_dos_service(system) && is_dos_id(id) => Some(id.to_owned()),
        _ => None,
    })
}

fn is_dos_service(system: &str) -> bool {
    system == "dos-service-id" || same_system(system, DOS_SERVICE)
}

fn is_dos_id(id: &str) -> bool {
    (1..=DOS_SERVICE_ID_BYTES_MAX).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Published messages use http and https, `Id` and `id` for one system.
pub(super) fn same_system(system: &str, known: &str) -> bool {
    system
        .strip_prefix("https://")
        .or_else(|| system.strip_prefix("http://"))
        .is_some_and(|rest| rest.eq_ignore_ascii_case(known))
}

/// An id or address that may be sent back to whoever sent it.
fn echo(text: &str) -> Option<String> {
    let plain = text.len() <= ECHO_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
    plain.then(|| text.to_owned())
}
