//! What the service that was offered a referral says of it: the BaRS response (status update).
//!
//! As BaRS has it the focus is the responder's own Encounter, and the ServiceRequest is that of the
//! sender. Which referral is meant is said by the name that the service itself has for it, the one in
//! its inbox: a name of the sender's means nothing to it.

use crate::domain::codes::{CloseOutcome, DeclineReason, UpdateCode};
use crate::domain::id::Id;

use super::Message;
use super::bundle::{Bundle, Entry, Header, Reason, codes_of, reference_of};
use super::part::own_codes;
use super::problem::{Kind, Problem};
use super::request::{unread, update_codes};
use super::shape::{Fields, IDENTIFIER, LeftBehind, MESSAGE_HEADER, SERVICE_REQUEST, Shape};

/// Outcomes of one closure.
const OUTCOMES_MAX: usize = 16;
/// The system of the name that an organisation has for a referral.
pub(super) const REFERRAL: &str = "urn:firedoor:referral";

const READ: [&str; 3] = ["MessageHeader", "Encounter", "ServiceRequest"];

const NO_FOCUS: &str =
    "must refer to one Encounter in the message: that of the service that answers";
const NEW: &str = "must be new in a response";
const NO_REQUEST: &str = "must be in the message once: the referral that is answered";
const NO_NAME: &str =
    "must hold the referral's id in your inbox, once, with the system urn:firedoor:referral";
const STATUS: &str = "must be planned (waiting), arrived, triaged or in-progress (accepted), \
     cancelled (rejected) or finished (completed)";
const REQUEST_STATUS: &str = "contradicts Encounter.status; a response leaves it active, and a \
     rejection may say revoked, a completion completed";
const REASON: &str = "must be one reason to decline of our code list; GET /v1/codes lists them";
const OUTCOME: &str = "must be outcomes of our code list, at most 16; GET /v1/codes lists them";
const NO_REASON: &str = "is for rejections and completions only; leave it out";
const ONLY_ACCEPTED: &str = "is for acceptances only; leave it out";

/// The responder's Encounter.
const ENCOUNTER: Shape = Shape {
    read: &[
        "extension:onward-rule-accepted",
        "extension:update*",
        "reasonCode*",
        "status",
    ],
    envelope: &[
        "appointment*",
        "basedOn*",
        "class",
        "episodeOfCare*",
        "identifier*",
        "period",
        "serviceProvider",
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
        "priority",
        "reasonReference*",
        "serviceType",
        "statusHistory*",
        "type*",
    ],
};

/// What becomes of a referral, in the words of the service that was offered it.
pub enum Word {
    Accepted {
        onward_rule_accepted: bool,
    },
    Waiting,
    Rejected(DeclineReason),
    Completed(Vec<CloseOutcome>),
    /// Nothing of the above changes; the sender is told something in closed codes.
    Told(Vec<UpdateCode>),
}

/// A service's answer.
pub struct Responded {
    pub message_id: Option<String>,
    pub reply_to: Option<String>,
    /// Where the answer goes, as the service has it.
    pub destination: String,
    /// The name that the service has for the referral.
    pub referral: Id,
    pub word: Word,
    pub left_behind: Vec<String>,
}

pub(super) fn read(
    bundle: &Bundle<'_>,
    header: Header,
    mut left: LeftBehind,
) -> Result<Message, Problem> {
    let left = &mut left;
    if header.reason != Reason::New {
        return Err(Problem::new(
            Kind::WrongMessage,
            "MessageHeader.reason",
            NEW,
        ));
    }
    let encounter = focus_of(bundle, left)?;
    let mut requests = bundle.of_kind("ServiceRequest");
    let (Some(request), None) = (requests.next(), requests.next()) else {
        return Err(Problem::new(Kind::Required, "ServiceRequest", NO_REQUEST));
    };
    let request = Fields::open(request.resource, "ServiceRequest", &SERVICE_REQUEST, left)?;
    let referral = named(&request, left)?;
    let encounter = Fields::open(encounter.resource, "Encounter", &ENCOUNTER, left)?;
    let word = word(&encounter, left)?;
    let status = request.required("status", REQUEST_STATUS, left)?;
    let fits = match (&word, status) {
        (_, "active") => true,
        (Word::Waiting, "on-hold") => true,
        (Word::Rejected(_), "revoked") => true,
        (Word::Completed(_), "completed") => true,
        (
            Word::Accepted { .. }
            | Word::Waiting
            | Word::Rejected(_)
            | Word::Completed(_)
            | Word::Told(_),
            _,
        ) => false,
    };
    if !fits {
        let element = request.path_of("status");
        return Err(Problem::new(Kind::Value, element, REQUEST_STATUS));
    }
    unread(bundle, &READ, left);
    Ok(Message::Respond(Responded {
        message_id: header.message_id,
        reply_to: header.reply_to,
        destination: header.destination,
        referral,
        word,
        left_behind: std::mem::take(left).into_paths(),
    }))
}

fn focus_of<'b, 'a>(
    bundle: &'b Bundle<'a>,
    left: &mut LeftBehind,
) -> Result<&'b Entry<'a>, Problem> {
    let element = "MessageHeader.focus";
    let refuse = || Problem::new(Kind::WrongMessage, element, NO_FOCUS);
    let entry = bundle.of_kind("MessageHeader").next().ok_or_else(refuse)?;
    let header = Fields::open(
        entry.resource,
        "MessageHeader",
        &MESSAGE_HEADER,
        &mut LeftBehind::default(),
    )?;
    let [node] = header.many("focus") else {
        return Err(refuse());
    };
    let reference = reference_of(node, element, left)?.ok_or_else(refuse)?;
    bundle.find(reference, "Encounter")?.ok_or_else(refuse)
}

/// The one identifier that is a name of the caller's own.
fn named(request: &Fields<'_>, left: &mut LeftBehind) -> Result<Id, Problem> {
    let element = request.path_of("identifier");
    let mut found = None;
    for node in request.many("identifier") {
        let identifier = Fields::open(node, element.as_str(), &IDENTIFIER, left)?;
        if identifier.text("system", left)? != Some(REFERRAL) {
            continue;
        }
        let id = identifier.text("value", left)?.and_then(Id::parse);
        if id.is_none() || found.is_some() {
            return Err(Problem::new(Kind::Value, element, NO_NAME));
        }
        found = id;
    }
    found.ok_or_else(|| Problem::new(Kind::Required, element, NO_NAME))
}

const CODES_ALONE: &str = "cannot be told with cancelled or finished: send the codes first, in a message \
     of their own, then this one";

fn word(encounter: &Fields<'_>, left: &mut LeftBehind) -> Result<Word, Problem> {
    let onward_rule_accepted = encounter.own_flag("onward-rule-accepted")?;
    let told = update_codes(encounter)?;
    let status = encounter.required("status", STATUS, left)?;
    let word = match status {
        // Before she is taken on too: it may ask to be called.
        "arrived" | "triaged" | "in-progress" | "planned" if !told.is_empty() => Word::Told(told),
        // A word and codes in one message: whichever were taken alone, the other would be lost.
        "cancelled" | "finished" if !told.is_empty() => {
            let element = encounter.path_of("extension(update)");
            return Err(Problem::new(Kind::Value, element, CODES_ALONE));
        }
        "arrived" | "triaged" | "in-progress" => Word::Accepted {
            onward_rule_accepted,
        },
        "planned" => Word::Waiting,
        "cancelled" => Word::Rejected(decline_reason(encounter, left)?),
        "finished" => Word::Completed(outcomes(encounter, left)?),
        _ => {
            let element = encounter.path_of("status");
            return Err(Problem::new(Kind::Value, element, STATUS));
        }
    };
    let reasoned = matches!(word, Word::Rejected(_) | Word::Completed(_));
    if !reasoned && encounter.one("reasonCode").is_some() {
        let element = encounter.path_of("reasonCode");
        return Err(Problem::new(Kind::Value, element, NO_REASON));
    }
    if onward_rule_accepted && !matches!(word, Word::Accepted { .. }) {
        let element = encounter.path_of("extension(onward-rule-accepted)");
        return Err(Problem::new(Kind::Value, element, ONLY_ACCEPTED));
    }
    Ok(word)
}

/// The codes of a list of ours; what stands there from other lists is left behind.
fn own_codes_of<'a>(
    encounter: &Fields<'a>,
    list: &str,
    left: &mut LeftBehind,
) -> Result<Vec<&'a str>, Problem> {
    let element = encounter.path_of("reasonCode");
    let system = own_codes(list);
    let mut found = Vec::new();
    for node in encounter.many("reasonCode") {
        for (from, code) in codes_of(node, &element, left)? {
            if from == system {
                found.push(code);
            } else {
                left.add(&element);
            }
        }
    }
    Ok(found)
}

/// Why not. Without a reason of our list it is `other`: it stays with us either way.
fn decline_reason(encounter: &Fields<'_>, left: &mut LeftBehind) -> Result<DeclineReason, Problem> {
    let codes = own_codes_of(encounter, "decline-reason", left)?;
    let refuse = || Problem::new(Kind::Value, encounter.path_of("reasonCode"), REASON);
    match codes.as_slice() {
        [] => Ok(DeclineReason::Other),
        [code] => DeclineReason::parse(code).ok_or_else(refuse),
        _ => Err(refuse()),
    }
}

fn outcomes(encounter: &Fields<'_>, left: &mut LeftBehind) -> Result<Vec<CloseOutcome>, Problem> {
    let codes = own_codes_of(encounter, "close-outcome", left)?;
    let refuse = || Problem::new(Kind::Value, encounter.path_of("reasonCode"), OUTCOME);
    if codes.len() > OUTCOMES_MAX {
        return Err(refuse());
    }
    codes
        .iter()
        .map(|code| CloseOutcome::parse(code).ok_or_else(refuse))
        .collect()
}
