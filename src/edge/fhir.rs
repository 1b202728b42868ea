//! NHS Booking and Referral Standard (BaRS) messages, FHIR R4, in JSON and XML.
//!
//! Pure: bytes in, a referral or a refusal out. An allow-list (`shape`) decides what is read; what
//! is not read is named to the sender as left behind, and is nowhere else. The message itself is
//! never stored, logged or passed on, and no refusal repeats a value from it.
//!
//! Order: bytes -> guards (`json`, `xml`) -> tree -> envelope and destination ([`Received`]) ->
//! person, consent and request ([`Received::read`]). The caller looks at the destination between
//! the last two, so that a message for someone else tells nothing about anyone.

mod bundle;
mod consent;
mod json;
mod moment;
mod patient;
mod problem;
mod reply;
mod request;
mod shape;
mod tree;
mod xml;

#[cfg(test)]
mod tests;

use zeroize::Zeroizing;

use crate::domain::person::{RawFields, RawSafeContact};
use crate::domain::time::When;

use bundle::Bundle;
use shape::LeftBehind;
use tree::Node;

pub use bundle::{DOS_SERVICE_ID_BYTES_MAX, ENTRIES_MAX};
pub use consent::{Consent, ConsentCode};
pub use json::JSON_DEPTH_MAX;
pub use problem::{Kind, Problem, element_of};
pub use reply::{Acceptance, accepted, outcome};
pub use request::{EXTERNAL_REF_BYTES_MAX, EXTERNAL_REFS_MAX, NOTE_CHARS_MAX};
pub use shape::LEFT_BEHIND_MAX;
pub use tree::BODY_BYTES_MAX;
pub use xml::{XML_ATTRIBUTES_MAX, XML_DEPTH_MAX};

/// How a message is written; the reply is written the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Xml,
}

impl Format {
    /// Reads a `Content-Type`. Parameters other than `charset` and `fhirVersion` do not matter;
    /// BaRS sends its own version number in one.
    ///
    /// # Errors
    /// Another media type, another character set than UTF-8, or another FHIR version than R4.
    pub fn of_content_type(text: &str) -> Result<Self, Problem> {
        let refuse = || {
            Problem::whole(
                Kind::MediaType,
                "send application/fhir+json or application/fhir+xml, FHIR R4 (4.0), in UTF-8; no \
                 file is taken beside it or in it",
            )
        };
        let mut parts = text.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
        let format = match essence.as_str() {
            "application/fhir+json" | "application/json" => Self::Json,
            "application/fhir+xml" | "application/xml" | "text/xml" => Self::Xml,
            _ => return Err(refuse()),
        };
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            let value = value.trim().trim_matches('"');
            let good = match name.trim().to_ascii_lowercase().as_str() {
                "charset" => value.eq_ignore_ascii_case("utf-8"),
                "fhirversion" => value == "4.0" || value == "4.0.1",
                _ => true,
            };
            if !good {
                return Err(refuse());
            }
        }
        Ok(format)
    }

    /// For the reply.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/fhir+json; charset=utf-8",
            Self::Xml => "application/fhir+xml; charset=utf-8",
        }
    }
}

/// How soon the sender asks for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    Standard,
    High,
}

/// What a BaRS referral message asks for.
pub enum Message {
    New(Box<NewReferral>),
    Revoke(Revocation),
}

/// A new referral: what the allow-list let through, before the domain has parsed it.
pub struct NewReferral {
    /// `Bundle.id`, to be named in the reply. Senders reuse it: it is no replay key on its own.
    pub message_id: Option<String>,
    /// The id or address of the header in the message; with [`Self::message_id`] it tells two
    /// messages of one sender apart.
    pub header_id: Option<String>,
    /// `MessageHeader.source.endpoint`: where the sender says it is.
    pub reply_to: Option<String>,
    /// The service's id in the NHS Directory of Services.
    pub destination_dos: String,
    /// The sender's id of her journey through services.
    pub journey: Option<String>,
    /// Names under which a revocation may mean this referral; never empty. They are the sender's,
    /// so they mean something only together with the sender. Keep keyed tokens of them.
    pub external_refs: Vec<String>,
    pub identity: RawFields,
    /// Made from `telecom`; `checked` is false.
    pub safe_contact: RawSafeContact,
    pub consent: Consent,
    pub authored_at: Option<When>,
    pub occurs_from: Option<When>,
    pub occurs_until: Option<When>,
    pub urgency: Urgency,
    /// `ServiceRequest.note`. The text screen must see it; so must it see the address line.
    pub note: Option<Zeroizing<String>>,
    /// What was given and has no place here: FHIR paths, sorted. For the sender only.
    pub left_behind: Vec<String>,
}

/// A referral sent before is revoked. Who it was about is not read again.
pub struct Revocation {
    pub message_id: Option<String>,
    pub header_id: Option<String>,
    pub reply_to: Option<String>,
    pub destination_dos: String,
    /// Any of these may name it.
    pub external_refs: Vec<String>,
    pub left_behind: Vec<String>,
}

/// A message whose envelope has been read, and nothing else.
pub struct Received {
    root: Node,
    destination: String,
}

impl Received {
    /// Parses a message and reads where it must go.
    ///
    /// # Errors
    /// What is not well-formed, not a BaRS referral message, or for no service.
    pub fn parse(bytes: &[u8], format: Format) -> Result<Self, Problem> {
        if bytes.len() > BODY_BYTES_MAX {
            let says = "the message is longer than 256 KiB; send less";
            return Err(Problem::whole(Kind::TooLong, says));
        }
        let root = match format {
            Format::Json => json::parse(bytes)?,
            Format::Xml => xml::parse(bytes)?,
        };
        let mut unread = LeftBehind::default();
        let destination = Bundle::open(&root, &mut unread)?
            .header(&mut unread)?
            .destination;
        Ok(Self { root, destination })
    }

    /// The service's id in the NHS Directory of Services.
    pub fn destination(&self) -> &str {
        &self.destination
    }

    /// Reads the rest.
    ///
    /// # Errors
    /// The first element that cannot be taken.
    pub fn read(self) -> Result<Message, Problem> {
        let mut left = LeftBehind::default();
        let bundle = Bundle::open(&self.root, &mut left)?;
        let header = bundle.header(&mut left)?;
        request::read(&bundle, header, left)
    }
}

/// [`Received::parse`] and [`Received::read`] in one.
///
/// # Errors
/// As these.
pub fn read(bytes: &[u8], format: Format) -> Result<Message, Problem> {
    Received::parse(bytes, format)?.read()
}
