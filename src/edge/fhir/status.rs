//! What a sender may know of its own referral, as ServiceRequest and Task: the three words that the
//! JSON has, and no more.
//!
//! `rejected`, `on-hold` and `revoked` are never told: that a service said no, made her wait, or that
//! she withdrew is not the sender's to know, and its own revocation reads like her withdrawal. Nobody
//! is named: neither she nor the service.

use crate::domain::answer::Seen;
use crate::domain::codes::SenderStatus;
use crate::domain::consent::HE_WAS_THERE;
use crate::domain::id::Id;
use crate::domain::referral::Update;

use super::Format;
use super::part::{Members, Part, coding, own_codes, written};
use super::response::REFERRAL;

/// What stands beside a resource: the receipt, if the reply carries it.
pub(super) fn receipt(text: &str) -> Part {
    Part::Object(vec![
        ("url", Part::text("urn:firedoor:receipt")),
        ("valueString", Part::text(text)),
    ])
}

/// The paths of what was given and has no place here: not read, not kept and not passed on.
pub(super) fn left_behind(paths: &[String]) -> impl Iterator<Item = Part> {
    paths.iter().map(|path| {
        Part::Object(vec![
            ("url", Part::text("urn:firedoor:left-behind")),
            ("valueString", Part::text(path)),
        ])
    })
}

/// That the other party was there when she agreed.
pub(super) fn warning() -> Part {
    Part::Object(vec![
        ("url", Part::text("urn:firedoor:warning")),
        ("valueString", Part::text(HE_WAS_THERE)),
    ])
}

const fn request_status(status: SenderStatus) -> &'static str {
    match status {
        SenderStatus::Recorded | SenderStatus::WithAService => "active",
        SenderStatus::Closed => "completed",
    }
}

const fn task_status(status: SenderStatus) -> &'static str {
    match status {
        SenderStatus::Recorded => "requested",
        SenderStatus::WithAService => "accepted",
        SenderStatus::Closed => "completed",
    }
}

/// `GET /fhir/ServiceRequest/{id}`.
pub fn service_request(seen: &Seen, receipt_text: &str, format: Format) -> Vec<u8> {
    let id = seen.referral.id().to_string();
    let members = vec![
        ("id", Part::text(&id)),
        ("extension", Part::List(vec![receipt(receipt_text)])),
        ("identifier", Part::List(vec![name(&id)])),
        ("status", Part::text(request_status(seen.status))),
        ("intent", Part::text("plan")),
        ("subject", nobody()),
        ("authoredOn", Part::text(&seen.offered_at.rfc3339())),
    ];
    written(&Part::Resource("ServiceRequest", members), format)
}

/// `GET /fhir/Task/{id}`. A referral has one Task, of the same id.
pub fn task(seen: &Seen, receipt_text: &str, format: Format) -> Vec<u8> {
    let members = task_members(seen, Some(receipt_text));
    written(&Part::Resource("Task", members), format)
}

/// `GET /fhir/Task?focus=...`: a searchset without a total, empty where there is nothing to show.
/// `id` is a random UUID.
pub fn tasks(seen: Option<&Seen>, receipt_text: &str, id: &str, format: Format) -> Vec<u8> {
    // A Bundle takes no extension; its own meta does.
    let meta = Part::Object(vec![("extension", Part::List(vec![receipt(receipt_text)]))]);
    let mut members = vec![
        ("id", Part::text(id)),
        ("meta", meta),
        ("type", Part::text("searchset")),
    ];
    if let Some(seen) = seen {
        let search = Part::Object(vec![("mode", Part::text("match"))]);
        let entry = Part::Object(vec![
            ("resource", Part::Resource("Task", task_members(seen, None))),
            ("search", search),
        ]);
        members.push(("entry", Part::List(vec![entry])));
    }
    written(&Part::Resource("Bundle", members), format)
}

fn task_members(seen: &Seen, receipt_text: Option<&str>) -> Members {
    let id = seen.referral.id().to_string();
    let mut members = vec![("id", Part::text(&id))];
    if let Some(text) = receipt_text {
        members.push(("extension", Part::List(vec![receipt(text)])));
    }
    let request = format!("ServiceRequest/{id}");
    members.extend([
        ("identifier", Part::List(vec![name(&id)])),
        ("status", Part::text(task_status(seen.status))),
        ("intent", Part::text("order")),
        ("focus", Part::reference(&request)),
        ("authoredOn", Part::text(&seen.offered_at.rfc3339())),
    ]);
    if !seen.updates.is_empty() {
        let told = seen.updates.iter().map(told);
        members.push(("output", Part::List(told.collect())));
    }
    members
}

/// What the service sent back, in closed codes, each with its time.
fn told(update: &Update) -> Part {
    let at = Part::extension("told-at", "valueDateTime", Part::text(&update.at.rfc3339()));
    let kind = Part::Object(vec![("text", Part::text("update"))]);
    Part::Object(vec![
        ("extension", Part::List(vec![at])),
        ("type", kind),
        (
            "valueCoding",
            coding(&own_codes("update"), update.code.code()),
        ),
    ])
}

fn name(id: &str) -> Part {
    Part::Object(vec![
        ("system", Part::text(REFERRAL)),
        ("value", Part::text(id)),
    ])
}

/// FHIR wants a subject; nothing of her leaves, so it is somebody who is not named.
fn nobody() -> Part {
    Part::Object(vec![("display", Part::text("the person referred"))])
}

/// The name of a referral in `focus=ServiceRequest/{id}` or `focus={id}`.
pub fn focus(text: &str) -> Option<Id> {
    let text = text.replace("%2F", "/").replace("%2f", "/");
    Id::parse(text.strip_prefix("ServiceRequest/").unwrap_or(&text))
}
