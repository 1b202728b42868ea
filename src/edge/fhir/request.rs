//! The ServiceRequest in focus: a new referral, or a change or the revocation of one sent before.

use zeroize::Zeroizing;

use crate::domain::codes::UpdateCode;
use crate::domain::time::When;

use super::bundle::{Bundle, Entry, Header, Reason, reference_of};
use super::problem::{Kind, Problem};
use super::shape::{
    ANNOTATION, ENCOUNTER, Fields, IDENTIFIER, LeftBehind, MESSAGE_HEADER, PERIOD, REFERENCE,
    SERVICE_REQUEST,
};
use super::{Message, NewReferral, Revocation, Update, Urgency, consent, moment, patient};

/// Longest note taken, in characters; a longer one is left behind whole.
pub const NOTE_CHARS_MAX: usize = 1_000;
/// Names under which a later message may mean the same request.
pub const EXTERNAL_REFS_MAX: usize = 16;
/// Longest such name, in bytes.
pub const EXTERNAL_REF_BYTES_MAX: usize = 255;
/// A request to be met within this time of being written is urgent.
const URGENT_MILLIS_MAX: i64 = 3_600_000;

/// Resources of which at least something is read, if they are the ones referred to.
const READ_IN_NEW: [&str; 5] = [
    "MessageHeader",
    "ServiceRequest",
    "Patient",
    "Encounter",
    "Consent",
];
const READ_IN_UPDATE: [&str; 3] = ["MessageHeader", "ServiceRequest", "Patient"];
const READ_IN_REVOCATION: [&str; 2] = ["MessageHeader", "ServiceRequest"];

const NO_FOCUS: &str = "must refer to one ServiceRequest in the message";
const NEW_STATUS: &str = "must be active in a new referral";
const UPDATE_STATUS: &str =
    "must be active or on-hold in an update that changes something, or revoked or entered-in-error";
const NO_CHANGE: &str = "says nothing that an update can tell: a priority above routine, how to \
     reach her (in her own Patient), or our extension `update` with a closed code";
const ONLY_IN_UPDATES: &str = "is for updates only (reason update, status active)";
const UPDATE_CODE: &str = "must be a closed code of updates, such as stop_calling; GET /v1/codes \
     lists them";
const INTENT: &str = "must be an intent of requests in FHIR R4, such as plan";
const NO_SUBJECT: &str = "must refer to one Patient in the message";
const NOT_PERFORM: &str = "asks that something is not done, which is not a referral";
const PRIORITY: &str = "must be routine, urgent, asap or stat";

pub(super) fn read(
    bundle: &Bundle<'_>,
    header: Header,
    mut left: LeftBehind,
) -> Result<Message, Problem> {
    let focus = focus_of(bundle, &mut left)?;
    let request = Fields::open(
        focus.resource,
        "ServiceRequest",
        &SERVICE_REQUEST,
        &mut left,
    )?;
    let left = &mut left;
    let status = request.required("status", NEW_STATUS, left)?;
    match (header.reason, status) {
        (Reason::New, "active") => {}
        (Reason::Update, "revoked" | "entered-in-error") => {
            return revocation(bundle, header, focus, &request, left);
        }
        (Reason::New, _) => {
            let element = request.path_of("status");
            return Err(Problem::new(Kind::WrongMessage, element, NEW_STATUS));
        }
        (Reason::Update, "active") => return update(bundle, header, focus, &request, false, left),
        (Reason::Update, "on-hold") => return update(bundle, header, focus, &request, true, left),
        (Reason::Update, _) => {
            let element = request.path_of("status");
            return Err(Problem::new(Kind::WrongMessage, element, UPDATE_STATUS));
        }
    }
    only_in_updates(&request)?;
    check_meaning(&request, left)?;
    let her = subject(bundle, &request, left)?;
    let journey = journey(bundle, &request, left)?;
    let consent = consent::read(bundle, her, left)?;
    let patient = patient::read(her.resource, left)?;
    let note = note(&request, left)?;
    let (occurs_from, occurs_until) = occurrence(&request, left)?;
    let authored_at = moment::first(&request, "authoredOn", left)?;
    let urgency = urgency(&request, occurs_from, occurs_until, left)?;
    let external_refs = external_refs(focus, &request, left)?;
    unread(bundle, &READ_IN_NEW, left);
    for (kind, taken) in [("ServiceRequest", 1), ("Patient", 1), ("Encounter", 1)] {
        if bundle.of_kind(kind).count() > taken {
            left.add(format!("{kind} (others)"));
        }
    }
    Ok(Message::New(Box::new(NewReferral {
        message_id: header.message_id,
        header_id: header.header_id,
        reply_to: header.reply_to,
        destination_dos: header.destination,
        journey,
        external_refs,
        identity: patient.identity,
        safe_contact: patient.safe_contact,
        consent,
        authored_at,
        occurs_from,
        occurs_until,
        urgency,
        note,
        left_behind: std::mem::take(left).into_paths(),
    })))
}

/// Only what names the request is read: who she is was said when it was made.
fn revocation(
    bundle: &Bundle<'_>,
    header: Header,
    focus: &Entry<'_>,
    request: &Fields<'_>,
    left: &mut LeftBehind,
) -> Result<Message, Problem> {
    only_in_updates(request)?;
    let external_refs = external_refs(focus, request, left)?;
    if request.one("note").is_some() {
        left.add(request.path_of("note"));
    }
    unread(bundle, &READ_IN_REVOCATION, left);
    Ok(Message::Revoke(Revocation {
        message_id: header.message_id,
        header_id: header.header_id,
        reply_to: header.reply_to,
        destination_dos: header.destination,
        external_refs,
        left_behind: std::mem::take(left).into_paths(),
    }))
}

/// What has changed about a referral sent before. Of her nothing is read but how she is reached: whoever
/// has the old way gets the new one.
fn update(
    bundle: &Bundle<'_>,
    header: Header,
    focus: &Entry<'_>,
    request: &Fields<'_>,
    on_hold: bool,
    left: &mut LeftBehind,
) -> Result<Message, Problem> {
    check_meaning(request, left)?;
    let her = subject(bundle, request, left)?;
    let mut codes = update_codes(request)?;
    let contact = patient::reached(her.resource, left)?;
    if contact.is_some() {
        codes.push(UpdateCode::SafeContactChanged);
    }
    // The period is that of the first message; only a priority that is said counts.
    match request.text("priority", left)? {
        Some("urgent" | "asap" | "stat") => codes.push(UpdateCode::RiskRaised),
        Some("routine") | None => {}
        Some(_) => {
            let element = request.path_of("priority");
            return Err(Problem::new(Kind::Value, element, PRIORITY));
        }
    }
    if on_hold {
        codes.push(UpdateCode::StopCalling);
    }
    codes.sort_unstable();
    codes.dedup();
    if codes.is_empty() {
        return Err(Problem::new(Kind::Required, "ServiceRequest", NO_CHANGE));
    }
    let external_refs = external_refs(focus, request, left)?;
    if request.one("note").is_some() {
        left.add(request.path_of("note"));
    }
    unread(bundle, &READ_IN_UPDATE, left);
    Ok(Message::Update(Update {
        message_id: header.message_id,
        reply_to: header.reply_to,
        destination_dos: header.destination,
        external_refs,
        codes,
        contact,
        left_behind: std::mem::take(left).into_paths(),
    }))
}

/// Whoever sends a code believes that it is told.
fn only_in_updates(request: &Fields<'_>) -> Result<(), Problem> {
    match request.own("update").next() {
        None => Ok(()),
        Some(_) => {
            let element = request.path_of("extension(update)");
            Err(Problem::new(Kind::WrongMessage, element, ONLY_IN_UPDATES))
        }
    }
}

/// The closed codes that a message carries in so many words, each once: every code is an attempt with
/// an entry of its own, so that a message makes no more of them than there are codes.
pub(super) fn update_codes(fields: &Fields<'_>) -> Result<Vec<UpdateCode>, Problem> {
    let texts = fields.own_texts("update", "valueCode")?;
    let codes = texts.iter().map(|text| {
        UpdateCode::parse(text).ok_or_else(|| {
            let element = fields.path_of("extension(update)");
            Problem::new(Kind::Value, element, UPDATE_CODE)
        })
    });
    let mut codes = codes.collect::<Result<Vec<UpdateCode>, Problem>>()?;
    codes.sort_unstable();
    codes.dedup();
    Ok(codes)
}

pub(super) fn unread(bundle: &Bundle<'_>, read: &[&str], left: &mut LeftBehind) {
    for entry in &bundle.entries {
        if !read.contains(&entry.kind) {
            left.add(entry.kind);
        }
    }
}

/// The request that `MessageHeader.focus` refers to; a focus may name its encounter beside it.
fn focus_of<'b, 'a>(
    bundle: &'b Bundle<'a>,
    left: &mut LeftBehind,
) -> Result<&'b Entry<'a>, Problem> {
    let element = "MessageHeader.focus";
    let mut found: Option<&Entry<'_>> = None;
    let mut unread = LeftBehind::default();
    for entry in bundle.of_kind("MessageHeader") {
        let header = Fields::open(
            entry.resource,
            "MessageHeader",
            &MESSAGE_HEADER,
            &mut unread,
        )?;
        for node in header.many("focus") {
            let Some(reference) = reference_of(node, element, left)? else {
                continue;
            };
            let Some(request) = bundle.find(reference, "ServiceRequest")? else {
                continue;
            };
            if found.is_some_and(|known| !std::ptr::eq(known, request)) {
                return Err(Problem::new(Kind::WrongMessage, element, NO_FOCUS));
            }
            found = Some(request);
        }
    }
    found.ok_or_else(|| Problem::new(Kind::WrongMessage, element, NO_FOCUS))
}

/// Elements that would make it something other than a referral.
fn check_meaning(request: &Fields<'_>, left: &mut LeftBehind) -> Result<(), Problem> {
    let intent = request.required("intent", INTENT, left)?;
    let known = [
        "proposal",
        "plan",
        "directive",
        "order",
        "original-order",
        "reflex-order",
        "filler-order",
        "instance-order",
        "option",
    ];
    if !known.contains(&intent) {
        return Err(Problem::new(Kind::Value, request.path_of("intent"), INTENT));
    }
    match request.one("doNotPerform").map(super::tree::Node::flag) {
        None | Some(Some(false)) => Ok(()),
        Some(Some(true) | None) => {
            let element = request.path_of("doNotPerform");
            Err(Problem::new(Kind::WrongMessage, element, NOT_PERFORM))
        }
    }
}

fn subject<'b, 'a>(
    bundle: &'b Bundle<'a>,
    request: &Fields<'_>,
    left: &mut LeftBehind,
) -> Result<&'b Entry<'a>, Problem> {
    let element = request.path_of("subject");
    let reference = match request.one("subject") {
        Some(node) => reference_of(node, &element, left)?,
        None => None,
    };
    let her = match reference {
        Some(reference) => bundle.find(reference, "Patient")?,
        None => None,
    };
    // Never "the only Patient there is": a reference that leads nowhere may mean someone else.
    her.ok_or_else(|| Problem::new(Kind::Required, element, NO_SUBJECT))
}

/// The BaRS journey id, in the Encounter that the request belongs to.
fn journey(
    bundle: &Bundle<'_>,
    request: &Fields<'_>,
    left: &mut LeftBehind,
) -> Result<Option<String>, Problem> {
    let Some(node) = request.one("encounter") else {
        return Ok(None);
    };
    let Some(reference) = reference_of(node, &request.path_of("encounter"), left)? else {
        return Ok(None);
    };
    let Some(entry) = bundle.find(reference, "Encounter")? else {
        return Ok(None);
    };
    let encounter = Fields::open(entry.resource, "Encounter", &ENCOUNTER, left)?;
    let path = encounter.path_of("episodeOfCare");
    for node in encounter.many("episodeOfCare") {
        let episode = Fields::open(node, path.as_str(), &REFERENCE, left)?;
        let id = match episode.text("reference", left)? {
            Some(reference) => Some(reference),
            None => match episode.one("identifier") {
                Some(node) => Fields::open(
                    node,
                    "Encounter.episodeOfCare.identifier",
                    &IDENTIFIER,
                    left,
                )?
                .text("value", left)?,
                None => None,
            },
        };
        let id = id.and_then(|text| text.rsplit(['/', ':']).next());
        let plain = |id: &&str| {
            (1..=64).contains(&id.len())
                && id
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
        };
        match id.filter(plain) {
            Some(id) => return Ok(Some(id.to_owned())),
            None => left.add(path.as_str()),
        }
    }
    Ok(None)
}

fn note(request: &Fields<'_>, left: &mut LeftBehind) -> Result<Option<Zeroizing<String>>, Problem> {
    let path = request.path_of("note");
    let mut texts = Vec::new();
    for node in request.many("note") {
        let annotation = Fields::open(node, path.as_str(), &ANNOTATION, left)?;
        texts.extend(annotation.text("text", left)?);
    }
    let whole = Zeroizing::new(texts.join("\n"));
    if whole.chars().nth(NOTE_CHARS_MAX).is_some() {
        left.add(path);
        return Ok(None);
    }
    Ok((!whole.is_empty()).then_some(whole))
}

fn occurrence(
    request: &Fields<'_>,
    left: &mut LeftBehind,
) -> Result<(Option<When>, Option<When>), Problem> {
    if let Some(node) = request.one("occurrencePeriod") {
        let path = request.path_of("occurrencePeriod");
        let period = Fields::open(node, path.as_str(), &PERIOD, left)?;
        return Ok((
            moment::first(&period, "start", left)?,
            moment::last(&period, "end", left)?,
        ));
    }
    Ok((moment::first(request, "occurrenceDateTime", left)?, None))
}

fn urgency(
    request: &Fields<'_>,
    from: Option<When>,
    until: Option<When>,
    left: &mut LeftBehind,
) -> Result<Urgency, Problem> {
    match request.text("priority", left)? {
        Some("urgent" | "asap" | "stat") => return Ok(Urgency::High),
        Some("routine") => return Ok(Urgency::Standard),
        Some(_) => {
            let element = request.path_of("priority");
            return Err(Problem::new(Kind::Value, element, PRIORITY));
        }
        None => {}
    }
    // BaRS puts the time within which someone must act into the end of the period.
    let soon = match (from, until) {
        (Some(from), Some(until)) => {
            (0..=URGENT_MILLIS_MAX).contains(&until.millis().saturating_sub(from.millis()))
        }
        _ => false,
    };
    Ok(if soon {
        Urgency::High
    } else {
        Urgency::Standard
    })
}

/// Under which names a revocation may mean this request: its address in the message, its id, its
/// identifiers. Written one way, so that equal ones compare equal.
fn external_refs(
    focus: &Entry<'_>,
    request: &Fields<'_>,
    left: &mut LeftBehind,
) -> Result<Vec<String>, Problem> {
    let mut refs = Vec::new();
    let mut add = |text: String| {
        let plain = text.len() <= EXTERNAL_REF_BYTES_MAX;
        if plain && refs.len() < EXTERNAL_REFS_MAX && !refs.contains(&text) {
            refs.push(text);
        }
    };
    if let Some(full) = focus.full_url {
        // The last part of an address of a server is the id there.
        match full.rsplit_once("/ServiceRequest/") {
            Some((_, id)) => add(reference(id)),
            None => add(reference(full)),
        }
    }
    if let Some(id) = focus.id() {
        add(reference(id));
    }
    let path = request.path_of("identifier");
    for node in request.many("identifier") {
        let identifier = Fields::open(node, path.as_str(), &IDENTIFIER, left)?;
        let system = identifier.text("system", left)?;
        if let Some(value) = identifier.text("value", left)? {
            add(format!("{}|{value}", system.unwrap_or_default()));
        }
    }
    if refs.is_empty() {
        let says = "must have an address, so that the request can be named later";
        return Err(Problem::new(Kind::Required, "Bundle.entry.fullUrl", says));
    }
    Ok(refs)
}

fn reference(text: &str) -> String {
    let bare = text.strip_prefix("urn:uuid:").unwrap_or(text);
    let uuid = bare.len() == 36
        && bare
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if uuid {
        format!("urn:uuid:{}", bare.to_ascii_lowercase())
    } else {
        text.to_owned()
    }
}
