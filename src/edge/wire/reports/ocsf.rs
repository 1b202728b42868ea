//! The log as events of the Open Cybersecurity Schema Framework 1.4.0, class API Activity (6003),
//! for a security team's own systems. What the schema has no place for stands under `unmapped`.

use serde_json::{Map, Value, json};

use crate::domain::audit::{SomeOrganisation, VisibleDecision, VisibleOutcome};
use crate::domain::codes::Action;
use crate::pipeline::Entry;

const CLASS: u32 = 6_003;

/// One entry of the log called `origin`.
pub fn event(entry: &Entry, origin: &str) -> Value {
    let seen = &entry.seen;
    let activity = Action::parse(&seen.action).map_or(99, activity);
    let (status, disposition, severity) = standing(entry);
    let certificate = super::hex(&seen.certificate);
    let mut event = json!({
        "class_uid": CLASS,
        "category_uid": 6,
        "activity_id": activity,
        "type_uid": CLASS * 100 + activity,
        "time": entry.at.millis(),
        "severity_id": severity,
        "status_id": status,
        "status_code": seen.told,
        "disposition_id": disposition,
        "metadata": {
            "version": "1.4.0",
            "profiles": ["security_control"],
            "product": {
                "name": "Firedoor", "vendor_name": "Firedoor",
                "version": env!("CARGO_PKG_VERSION"),
            },
            "uid": format!("{origin}#{}", entry.index),
            "sequence": entry.index,
            "log_name": origin,
        },
        "actor": {
            "user": {
                "uid": seen.user,
                "type_id": 1,
                "credential_uid": certificate,
                "org": {
                    "uid": seen.organisation.text(),
                    "name": seen.organisation.text(),
                    "ou_name": seen.team.as_str(),
                },
            },
        },
        "api": { "operation": seen.action, "service": { "name": "firedoor" } },
        "src_endpoint": { "name": seen.organisation.text(), "uid": certificate },
        "unmapped": unmapped(entry),
    });
    if let (Value::Object(map), Some(decided)) = (&mut event, &seen.decided) {
        map.insert("authorizations".to_owned(), authorizations(entry, decided));
    }
    let resources = resources(entry);
    if let (Value::Object(map), false) = (&mut event, resources.is_empty()) {
        map.insert("resources".to_owned(), Value::Array(resources));
    }
    event
}

/// Status, disposition and severity, by their numbers.
fn standing(entry: &Entry) -> (u8, u8, u8) {
    let emergency = entry.seen.action == Action::BreakGlass.code();
    match entry.seen.outcome {
        VisibleOutcome::Permit if emergency => (1, 1, 4),
        VisibleOutcome::Permit => (1, 1, 1),
        VisibleOutcome::Empty => (1, 16, 1),
        VisibleOutcome::Deny => (2, 2, 3),
        VisibleOutcome::Error => (2, 27, 3),
    }
}

const fn activity(action: Action) -> u32 {
    const CREATE: u32 = 1;
    const READ: u32 = 2;
    const UPDATE: u32 = 3;
    const DELETE: u32 = 4;
    const OTHER: u32 = 99;
    match action {
        Action::OfferReferral
        | Action::AddNote
        | Action::RecordConsent
        | Action::IssueCard
        | Action::RecordAssessment
        | Action::SealItem
        | Action::KeepDraft
        | Action::TakeSubjectAccess
        | Action::ReplySubjectAccess
        | Action::Propose => CREATE,
        Action::ReadReferralStatus
        | Action::ReadInbox
        | Action::ReadReferral
        | Action::ReadEvents
        | Action::ReadReturn
        | Action::QueryAssessments
        | Action::ReadOwnAssessments
        | Action::CollectItem
        | Action::ReadLinks
        | Action::ReadConsents
        | Action::ReadSubjectAccess
        | Action::DeliverSubjectAccess
        | Action::BreakGlass
        | Action::OpenDraft
        | Action::ReadAudit
        | Action::ReadAuditSubject
        | Action::ReportSubject
        | Action::OpenSeal
        | Action::ReadAuditQueue
        | Action::ReadProposals => READ,
        Action::AcceptReferral
        | Action::DeclineReferral
        | Action::WaitReferral
        | Action::CloseReferral
        | Action::HandBackReferral
        | Action::UpdateReferral
        | Action::TransferReferral
        | Action::RelyOnAssessment
        | Action::ConfirmLink
        | Action::RejectLink
        | Action::SettleWithdrawal
        | Action::AnswerStopUse
        | Action::MoveSubjectAccess
        | Action::RedactSubjectAccess
        | Action::FollowUpEmergency
        | Action::DecideAuditItem
        | Action::FlagPerson
        | Action::Approve
        | Action::Narrow => UPDATE,
        Action::WithdrawConsent
        | Action::Withdraw
        | Action::WithdrawAssessment
        | Action::EraseDraft => DELETE,
        Action::ScreenText
        | Action::SecondFactor
        | Action::ReadDevices
        | Action::AddDevice
        | Action::RemoveDevice
        | Action::Reconcile
        | Action::Unknown => OTHER,
    }
}

fn authorizations(entry: &Entry, decided: &VisibleDecision) -> Value {
    json!([{
        "decision": entry.seen.outcome.code(),
        "policy": { "name": decided.rule, "uid": super::hex(&decided.policy), "is_applied": true },
    }])
}

/// The person and the thing concerned, under the reader's own names.
fn resources(entry: &Entry) -> Vec<Value> {
    let person = entry.seen.decided.as_ref().and_then(|seen| seen.person);
    let person = person.map(|id| json!({ "uid": id.to_string(), "type": "person" }));
    let object = entry.seen.object;
    let object = object.map(|id| json!({ "uid": id.to_string(), "type": "object" }));
    person.into_iter().chain(object).collect()
}

fn unmapped(entry: &Entry) -> Value {
    let seen = &entry.seen;
    let said = json!({
        "identity": super::csv::identity(seen.asserted),
        "role": seen.role,
        "purpose": seen.purpose,
        "reason": seen.reason,
        "asked": seen.asked,
        "seen_as": seen.side.code(),
        "outcome": seen.outcome.code(),
    });
    let decided = seen.decided.as_ref().map(|decided| {
        let consents: Vec<String> = decided.consents.iter().map(ToString::to_string).collect();
        let concerned = decided.concerned.iter().map(SomeOrganisation::text);
        let concerned: Vec<&str> = concerned.collect();
        let mark = decided.firewall.as_ref();
        json!({
            "consents": consents,
            "basis": decided.basis,
            "relationship": decided.relationship,
            "firewall_rule": mark.map(|mark| &mark.rule),
            "firewall_class": mark.map(|mark| &mark.class),
            "disclosed": decided.disclosed,
            "concerned": concerned,
            "sources": decided.sources,
            "notes": decided.notes,
        })
    });
    let mut all = Map::new();
    for part in [Some(said), decided].into_iter().flatten() {
        if let Value::Object(part) = part {
            all.extend(part);
        }
    }
    Value::Object(all)
}
