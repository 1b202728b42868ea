//! What the sender gets: the BaRS response message, or an `OperationOutcome`, written as it wrote.
//!
//! Neither holds anything about the person: not a version, a count or a time of hers. What is said
//! depends only on what the sender itself sent and on the ids handed in.

use crate::domain::time::When;

use super::Format;
use super::part::{Members, Part, coding, urn, written};
use super::problem::Problem;
use super::status::{left_behind, receipt};

/// What an accepted message is answered with. The ids are random and made by the caller.
pub struct Acceptance<'a> {
    /// UUID of the reply.
    pub bundle_id: &'a str,
    /// UUID of its header.
    pub header_id: &'a str,
    /// UUID of the outcome in it.
    pub outcome_id: &'a str,
    /// UUID of the planned encounter in it, which stands for the offer.
    pub encounter_id: &'a str,
    pub at: When,
    /// `Bundle.id` of the request; what BaRS wants named.
    pub message_id: Option<&'a str>,
    /// The request's `source.endpoint`.
    pub reply_to: Option<&'a str>,
    /// Where the message went: the endpoint that now answers.
    pub source: &'a str,
    /// The sender's alias of the referral; absent where the reply must not tell.
    pub referral: Option<&'a str>,
    /// The receipt in one line, if the reply carries it.
    pub receipt: Option<&'a str>,
    /// What the sender keeps of offers that it took back, to hand in after a restore.
    pub replay: Option<&'a str>,
    pub support_code: &'a str,
    /// What was done with it.
    pub says: &'a str,
    /// FHIR paths of what was given and has no place here.
    pub left_behind: &'a [String],
}

/// The reply to a message that was taken: a message of its own, event `servicerequest-response`.
pub fn accepted(with: &Acceptance<'_>, format: Format) -> Vec<u8> {
    let mut header = vec![("id", Part::text(with.header_id))];
    let extension = |url: &str, value: &str| {
        Part::Object(vec![
            ("url", Part::text(url)),
            ("valueString", Part::text(value)),
        ])
    };
    let receipt = with
        .receipt
        .map(|value| extension("urn:firedoor:receipt", value));
    let replay = with
        .replay
        .map(|value| extension("urn:firedoor:replay", value));
    let extensions: Vec<Part> = receipt.into_iter().chain(replay).collect();
    if !extensions.is_empty() {
        header.push(("extension", Part::List(extensions)));
    }
    header.push((
        "eventCoding",
        coding(
            "https://fhir.nhs.uk/CodeSystem/message-events-bars",
            "servicerequest-response",
        ),
    ));
    if let Some(endpoint) = with.reply_to {
        let destination = Part::Object(vec![("endpoint", Part::text(endpoint))]);
        header.push(("destination", Part::List(vec![destination])));
    }
    header.push((
        "source",
        Part::Object(vec![("endpoint", Part::text(with.source))]),
    ));
    let reason = coding("https://fhir.nhs.uk/CodeSystem/message-reason-bars", "new");
    header.push((
        "reason",
        Part::Object(vec![("coding", Part::List(vec![reason]))]),
    ));
    let details = Part::Object(vec![("reference", Part::text(&urn(with.outcome_id)))]);
    header.push((
        "response",
        Part::Object(vec![
            (
                "identifier",
                Part::text(with.message_id.unwrap_or("unknown")),
            ),
            ("code", Part::text("ok")),
            ("details", details),
        ]),
    ));
    if with.referral.is_some() {
        let focus = Part::Object(vec![("reference", Part::text(&urn(with.encounter_id)))]);
        header.push(("focus", Part::List(vec![focus])));
    }
    let entry = |id: &str, kind, fields| {
        Part::Object(vec![
            ("fullUrl", Part::text(&urn(id))),
            ("resource", Part::Resource(kind, fields)),
        ])
    };
    let mut entries = vec![entry(with.header_id, "MessageHeader", header)];
    entries.extend(
        with.referral
            .map(|referral| entry(with.encounter_id, "Encounter", planned(with, referral))),
    );
    let outcome = vec![
        ("id", Part::text(with.outcome_id)),
        ("issue", Part::List(notes(with))),
    ];
    entries.push(entry(with.outcome_id, "OperationOutcome", outcome));
    let bundle = vec![
        ("id", Part::text(with.bundle_id)),
        ("type", Part::text("message")),
        ("timestamp", Part::text(&with.at.rfc3339())),
        ("entry", Part::List(entries)),
    ];
    written(&Part::Resource("Bundle", bundle), format)
}

/// What BaRS answers a referral with: an encounter that has been planned, here under the sender's
/// alias of the referral. It names no one.
fn planned(with: &Acceptance<'_>, referral: &str) -> Members {
    let identifier = Part::Object(vec![
        ("system", Part::text("urn:firedoor:referral")),
        ("value", Part::text(referral)),
    ]);
    vec![
        ("id", Part::text(with.encounter_id)),
        ("identifier", Part::List(vec![identifier])),
        ("status", Part::text("planned")),
        (
            "class",
            coding("http://terminology.hl7.org/CodeSystem/v3-ActCode", "VR"),
        ),
    ]
}

/// One line that it was taken, and one for what was left behind, which names every element.
fn notes(with: &Acceptance<'_>) -> Vec<Part> {
    let mut notes = vec![Part::Object(vec![
        ("severity", Part::text("information")),
        ("code", Part::text("informational")),
        (
            "diagnostics",
            Part::text(&format!(
                "{}; support code {}",
                with.says, with.support_code
            )),
        ),
    ])];
    if !with.left_behind.is_empty() {
        let paths = with.left_behind.iter().map(|path| Part::text(path));
        notes.push(Part::Object(vec![
            ("severity", Part::text("information")),
            ("code", Part::text("suppressed")),
            (
                "diagnostics",
                Part::text(
                    "these elements have no place here: they were not read, not kept and not \
                     passed on",
                ),
            ),
            ("expression", Part::List(paths.collect())),
        ]));
    }
    notes
}

/// A reply in words, where there is nothing else to give: `OperationOutcome` with one note. `id` is a
/// random UUID; `kept` is what the caller keeps of a withdrawal, sealed.
pub fn said(
    words: &str,
    id: &str,
    support_code: &str,
    receipt_text: &str,
    kept: Option<&str>,
    left: &[String],
    format: Format,
) -> Vec<u8> {
    let mut extensions = vec![receipt(receipt_text)];
    extensions.extend(left_behind(left));
    extensions.extend(kept.map(|kept| {
        Part::Object(vec![
            ("url", Part::text("urn:firedoor:replay")),
            ("valueString", Part::text(kept)),
        ])
    }));
    let note = Part::Object(vec![
        ("severity", Part::text("information")),
        ("code", Part::text("informational")),
        (
            "diagnostics",
            Part::text(&format!("{words} (support code {support_code})")),
        ),
    ]);
    let outcome = vec![
        ("id", Part::text(id)),
        ("extension", Part::List(extensions)),
        ("issue", Part::List(vec![note])),
    ];
    written(&Part::Resource("OperationOutcome", outcome), format)
}

/// A refusal as FHIR and BaRS have it. `id` is a random UUID.
pub fn outcome(problem: &Problem, id: &str, support_code: &str, format: Format) -> Vec<u8> {
    let kind = problem.kind();
    let mut issue = vec![
        ("severity", Part::text("error")),
        ("code", Part::text(kind.issue_type())),
    ];
    if let Some(code) = kind.nhs_code() {
        let code = coding("https://fhir.nhs.uk/CodeSystem/http-error-codes", code);
        let coding = Part::List(vec![code]);
        issue.push(("details", Part::Object(vec![("coding", coding)])));
    }
    let says = format!("{problem} (support code {support_code})");
    issue.push(("diagnostics", Part::text(&says)));
    if let Some(element) = problem.element() {
        issue.push(("expression", Part::List(vec![Part::text(element)])));
    }
    let outcome = vec![
        ("id", Part::text(id)),
        ("issue", Part::List(vec![Part::Object(issue)])),
    ];
    written(&Part::Resource("OperationOutcome", outcome), format)
}
