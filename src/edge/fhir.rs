//! FHIR R4 in JSON and XML: NHS Booking and Referral Standard (BaRS) messages, her consent, an
//! assessment, and what a sender may know of its referrals.
//!
//! Pure: bytes in, a value or a refusal out. An allow-list (`shape`) decides what is read; what
//! is not read is named to the sender as left behind, and is nowhere else. The message itself is
//! never stored, logged or passed on, and no refusal repeats a value from it.
//!
//! Order: bytes -> guards (`json`, `xml`) -> tree -> envelope and destination ([`Received`]) ->
//! person, consent and request ([`Received::read`]). The caller looks at the destination between
//! the last two, so that a message for someone else tells nothing about anyone.

mod assessment;
mod bundle;
mod capability;
mod consent;
mod her_word;
mod json;
mod moment;
mod negotiation;
mod part;
mod patient;
mod problem;
mod reply;
mod request;
mod resource_types;
mod response;
mod shape;
mod status;
mod tree;
mod xml;

#[cfg(test)]
mod tests;

use zeroize::Zeroizing;

use crate::domain::codes::UpdateCode;
use crate::domain::person::{RawFields, RawSafeContact};
use crate::domain::time::When;

use bundle::{Bundle, Event};
use shape::LeftBehind;
use tree::Node;

pub use assessment::{Assessed, Recorded, assessed, assessment};
pub use bundle::{DOS_SERVICE_ID_BYTES_MAX, ENTRIES_MAX};
pub use capability::capability;
pub use consent::{Consent, ConsentCode};
pub use her_word::{HerWord, Told, consent_of, her_word, recorded_consent};
pub use json::JSON_DEPTH_MAX;
pub use negotiation::Format;
pub use part::OWN;
pub use problem::{Kind, Problem, element_of};
pub use reply::{Acceptance, accepted, outcome, said};
pub use request::{EXTERNAL_REF_BYTES_MAX, EXTERNAL_REFS_MAX, NOTE_CHARS_MAX};
pub use response::{Responded, Word};
pub use shape::LEFT_BEHIND_MAX;
pub use status::{focus, service_request, task, tasks};
pub use tree::BODY_BYTES_MAX;
pub use xml::{XML_ATTRIBUTES_MAX, XML_DEPTH_MAX};

/// How soon the sender asks for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    Standard,
    High,
}

/// What a BaRS referral message asks for.
pub enum Message {
    New(Box<NewReferral>),
    /// Something about a referral sent before has changed.
    Update(Update),
    Revoke(Revocation),
    /// The service that was offered a referral says what becomes of it.
    Respond(Responded),
}

/// Something about a referral sent before has changed. What it is travels as closed codes, and how
/// she is reached under seal.
pub struct Update {
    pub message_id: Option<String>,
    pub reply_to: Option<String>,
    pub destination_dos: String,
    /// Any of these may name it.
    pub external_refs: Vec<String>,
    /// Each is told to the service that has the referral.
    pub codes: Vec<UpdateCode>,
    /// With `safe_contact_changed`: how she is reached from now on.
    pub contact: Option<RawSafeContact>,
    pub left_behind: Vec<String>,
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
    response: bool,
}

impl Received {
    /// Parses a message and reads where it must go.
    ///
    /// # Errors
    /// What is not well-formed, not a BaRS referral message, or for no service.
    pub fn parse(bytes: &[u8], format: Format) -> Result<Self, Problem> {
        let root = parsed(bytes, format, "Bundle")?;
        let mut unread = LeftBehind::default();
        let header = Bundle::open(&root, &mut unread)?.header(&mut unread)?;
        Ok(Self {
            root,
            destination: header.destination,
            response: header.event == Event::Response,
        })
    }

    /// The service's id in the NHS Directory of Services.
    pub fn destination(&self) -> &str {
        &self.destination
    }

    /// Whether a service answers: then the destination is the sender of the referral, who need not
    /// be in the Directory of Services, and is found by the referral.
    pub const fn is_response(&self) -> bool {
        self.response
    }

    /// Reads the rest.
    ///
    /// # Errors
    /// The first element that cannot be taken.
    pub fn read(self) -> Result<Message, Problem> {
        let mut left = LeftBehind::default();
        let bundle = Bundle::open(&self.root, &mut left)?;
        let header = bundle.header(&mut left)?;
        match header.event {
            Event::Request => request::read(&bundle, header, left),
            Event::Response => response::read(&bundle, header, left),
        }
    }
}

/// The tree of one resource, of the type `root`.
fn parsed(bytes: &[u8], format: Format, root: &'static str) -> Result<Node, Problem> {
    if bytes.len() > BODY_BYTES_MAX {
        let says = "the message is longer than 256 KiB; send less";
        return Err(Problem::new(Kind::TooLong, root, says));
    }
    match format {
        Format::Json => json::parse(bytes, root),
        Format::Xml => xml::parse(bytes, root),
    }
}

/// [`Received::parse`] and [`Received::read`] in one.
#[cfg(test)]
fn read(bytes: &[u8], format: Format) -> Result<Message, Problem> {
    Received::parse(bytes, format)?.read()
}
