//! What the caller is, and the code lists. About the caller only, so not an attempt.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Value, json};

use super::App;
use super::endings::{Ends, days_left, ending, people};
use super::governance::own_services;
use super::reconciliations::restoration;
use super::reply;
use crate::domain::attempt::UserName;
use crate::domain::codes::{
    AccessRefusal, AccessState, AccessStep, Action, Adjustment, Article6, AskedAfterwards,
    Authority, Capacity, CloseOutcome, Competence, ConflictKind, ConsentDecision, ConsentDepth,
    ConsentHow, ConsentStrength, DataClass, DeclineReason, Delivery, Direction, DisagreementReason,
    EmergencyAct, EmergencyReason, EntryAbout, GivenBy, Grade, GradeBasis, HandedTo, IdentityProof,
    Instrument, Interpreter, ItemAnswer, JudgementReason, LawfulKeeping, MoreTimeReason, Need,
    OffenceGroup, OrgKind, OtherPartyRisk, Parent, PartyRole, PriorityCategory, Purpose,
    ReassessReason, Relation, ReplaceHow, ReplaceReason, ReplyCode, ReportedToPolice, Requester,
    Role, ServiceFamily, StaffNamesReason, StopUseReply, Taint, TransferMode, UpdateCode,
    WithdrawalScope, WithdrawnBecause, Withheld, WorkerGender, WrongHold, YesNoUnknown,
};
use crate::domain::instrument::Tool;
use crate::domain::organisation::{ATTESTATION_DAYS, Organisation};
use crate::domain::peer::Peer;
use crate::domain::refusal::Refusal;
use crate::domain::session::Session;
use crate::domain::time::When;
use crate::pipeline::Fault;

/// What you are: organisation, team, roles, the services you may refer to, and what ends when.
#[utoipa::path(get, path = "/v1/me", tag = "start",
    responses((status = 200, description = "about the caller only")))]
pub async fn me(State(app): State<Arc<App>>, request: Request) -> Response {
    let Some(peer) = request.extensions().get::<Peer>().cloned() else {
        return reply::bare(&Refusal::CertificateNotAccepted);
    };
    let theirs = request
        .headers()
        .get("firedoor-clock")
        .and_then(|value| value.to_str().ok())
        .and_then(When::parse);
    let known = match app.gateway.enrolled(&peer).await {
        Ok(known) => known,
        Err(_) => return axum::http::StatusCode::SERVICE_UNAVAILABLE.into_response(),
    };
    let name = peer.name();
    let now = app.gateway.time();
    let enrolled = known.organisations.get(&name.organisation);
    let certificate =
        enrolled.and_then(|organisation| organisation.certificate(peer.spki_sha256(), now));
    let Some((organisation, certificate)) = enrolled.zip(certificate) else {
        return reply::bare(&Refusal::CertificateNotAccepted);
    };
    let days = |until: When| days_left(until, now);
    let attested = organisation
        .team(&name.team)
        .and_then(|team| team.attestation.as_ref());
    let roles: Vec<&str> = certificate.roles.iter().map(|role| role.code()).collect();
    let agreements: Vec<Value> = organisation
        .agreements
        .iter()
        .map(|agreement| {
            json!({
                "reference": agreement.reference,
                "from": agreement.from.rfc3339(),
                "to": agreement.to.rfc3339(),
                "in_date": agreement.in_date(now),
            })
        })
        .collect();
    let services: Vec<Value> = known
        .directory
        .services
        .iter()
        .map(|service| {
            json!({
                "id": service.id.as_str(),
                "name": service.public_name,
                "family": service.family.code(),
                "area": service.area,
                "takes_referrals": service.takes_referrals,
            })
        })
        .collect();
    let session = request.headers().get("firedoor-session");
    let session = session.and_then(|value| value.to_str().ok());
    let is_proved = proved(&app, &peer, session, now);
    let is_in =
        |roles: &[Role]| is_proved && certificate.roles.iter().any(|role| roles.contains(role));
    let (governs, administers) = (is_in(&GOVERNS), is_in(&ADMINISTERS));
    drop(request);
    let governed = match governed(&app, organisation, governs, now).await {
        Ok(governed) => governed,
        Err(_) => return axum::http::StatusCode::SERVICE_UNAVAILABLE.into_response(),
    };
    let (ends, can_end) = governed.unzip();
    let renewals = administers
        .then(|| json!({ "here": app.issuer.is_some(), "people": people(organisation, now) }));
    let own_services = administers.then(|| own_services(&known.directory, &organisation.id, now));
    let health = app.gateway.store.health();
    Json(json!({
        "organisation": organisation.id.as_str(),
        "kind": organisation.kind.code(),
        "team": name.team.as_str(),
        "user": name.user.as_ref().map(|user| user.as_str()),
        "roles": roles,
        "custody": organisation.custody.code(),
        "team_may_be_told": !organisation.tainted(&name.team, now),
        "attestation_days_left": attested
            .map(|attestation| days(attestation.at.plus_days(ATTESTATION_DAYS))),
        "certificate_days_left": days(peer.not_after()),
        "agreements": agreements,
        "services": services,
        "limits": {
            "people_a_day": organisation.people_a_day(now),
            "body_bytes": crate::edge::server::BODY_BYTES_MAX,
            "batch_lines": 1_000,
            "requests_a_minute": app.settings.per_user.per_minute,
        },
        // Null, unless withdrawals are being collected after a restore.
        "restoration": restoration(
            known.restoration.as_ref(), &organisation.id, organisation.kind,
        ),
        // What witnesses say of the log: `grade` is whole, banner, no-widening or no-reads.
        "log": {
            "entries": health.leaves,
            // So many were read again from their beginning since the start, and their chain is whole.
            "checked": health.checked,
            "witnessed_at": known.witnessing.witnessed_at.map(When::rfc3339),
            "unwitnessed_since": known.witnessing.since.map(When::rfc3339),
            "grade": known.witnessing.lapse.code(),
            "says": known.witnessing.says(),
        },
        // For whoever governs, after her second factor: what ends within 45 days, or just ended.
        "ends": ends,
        // And the agreements that can be ended, by the ids that `end_agreement` takes.
        "can_end": can_end,
        // For an administrator, after her second factor: whose certificates she may renew, and whether
        // this gateway makes the files.
        "renewals": renewals,
        // For her too: what her organisation's services can meet, and when that was last said.
        "own_services": own_services,
        "clock": now.rfc3339(),
        "clock_skew_ms": theirs.map(|theirs| theirs.millis() - now.millis()),
    }))
    .into_response()
}

/// Roles that see to what ends.
const GOVERNS: [Role; 3] = [Role::IgOfficer, Role::OrgAdmin, Role::OperatorAdmin];

/// Roles that renew the certificates of their own organisation's people.
const ADMINISTERS: [Role; 2] = [Role::OrgAdmin, Role::OperatorAdmin];

/// Whether a person has shown her second factor.
fn proved(app: &App, peer: &Peer, session: Option<&str>, now: When) -> bool {
    let user = peer.name().user.as_ref();
    let user = user.and_then(|user| UserName::parse(user.as_str()).ok());
    let key = &app.gateway.rules.load().keys.session;
    user.zip(session)
        .is_some_and(|(user, value)| Session::check(key, peer, &user, now, value))
}

/// What ends soon of the caller's organisation, or of all for the operator, and the agreements that
/// can be ended; `None` for who does not govern.
async fn governed(
    app: &App,
    own: &Organisation,
    governs: bool,
    now: When,
) -> Result<Option<(Vec<Value>, Vec<Value>)>, Fault> {
    if !governs {
        return Ok(None);
    }
    let mut ends: Vec<Ends> = ending(own, true, now);
    let mut agreements: Vec<Value> = can_end(own, now).collect();
    if own.kind == OrgKind::Operator {
        let all = app.gateway.enrolled_all().await?;
        for other in all.iter().filter(|one| one.id != own.id) {
            ends.extend(ending(other, false, now));
            agreements.extend(can_end(other, now));
        }
    }
    ends.sort_by_key(|ends| ends.at);
    let ends = ends.iter().map(|ends| ends.json(now)).collect();
    Ok(Some((ends, agreements)))
}

fn can_end(organisation: &Organisation, now: When) -> impl Iterator<Item = Value> {
    let agreements = organisation.agreements.iter();
    let lasting = agreements.filter(move |one| one.ended_at.is_none() && now < one.to);
    lasting.map(|one| {
        json!({
            "organisation": organisation.id.as_str(),
            "agreement": one.id.to_string(),
            "reference": one.reference,
            "from": one.from.rfc3339(),
            "to": one.to.rfc3339(),
        })
    })
}

macro_rules! lists {
    ($($name:literal: $kind:ty),+ $(,)?) => {{
        let mut map = serde_json::Map::new();
        $(
            let codes: Vec<&str> = <$kind>::ALL.iter().map(|code| code.code()).collect();
            map.insert($name.to_owned(), json!(codes));
        )+
        map
    }};
}

/// The closed code lists. What is not in them is refused.
#[utoipa::path(get, path = "/v1/codes", tag = "start",
    responses((status = 200, description = "the code lists")))]
pub async fn codes(State(app): State<Arc<App>>) -> Response {
    let mut map = lists! {
        "access_refusal": AccessRefusal,
        "access_reply": ReplyCode,
        "access_state": AccessState,
        "access_step": AccessStep,
        "action": Action,
        "adjustment": Adjustment,
        "article6": Article6,
        "asked_afterwards": AskedAfterwards,
        "authority": Authority,
        "capacity": Capacity,
        "close_outcome": CloseOutcome,
        "competence": Competence,
        "conflict_kind": ConflictKind,
        "consent_decision": ConsentDecision,
        "consent_depth": ConsentDepth,
        "consent_how": ConsentHow,
        "consent_strength": ConsentStrength,
        "data_class": DataClass,
        "decline_reason": DeclineReason,
        "delivery": Delivery,
        "direction": Direction,
        "disagreement_reason": DisagreementReason,
        "emergency_act": EmergencyAct,
        "emergency_reason": EmergencyReason,
        "entry_about": EntryAbout,
        "given_by": GivenBy,
        "grade": Grade,
        "grade_basis": GradeBasis,
        "handed_to": HandedTo,
        "identity_proof": IdentityProof,
        "instrument": Instrument,
        "interpreter": Interpreter,
        "item_answer": ItemAnswer,
        "judgement_reason": JudgementReason,
        "kept_by_law": LawfulKeeping,
        "more_time_reason": MoreTimeReason,
        "need": Need,
        "offence_group": OffenceGroup,
        "organisation_kind": OrgKind,
        "other_party_risk": OtherPartyRisk,
        "parent": Parent,
        "party_role": PartyRole,
        "priority_category": PriorityCategory,
        "purpose": Purpose,
        "reassess_reason": ReassessReason,
        "relation": Relation,
        "replace_how": ReplaceHow,
        "replace_reason": ReplaceReason,
        "reported_to_police": ReportedToPolice,
        "requester": Requester,
        "role": Role,
        "service_family": ServiceFamily,
        "staff_names_reason": StaffNamesReason,
        "stop_use_reply": StopUseReply,
        "taint": Taint,
        "transfer_mode": TransferMode,
        "update_code": UpdateCode,
        "withdrawal_scope": WithdrawalScope,
        "withdrawn_because": WithdrawnBecause,
        "withheld": Withheld,
        "wrong_hold": WrongHold,
        "worker_gender": WorkerGender,
        "yes_no_unknown": YesNoUnknown,
    };
    let rules = app.gateway.rules.load();
    let tools: Vec<Value> = rules.instruments.all().map(tool_json).collect();
    map.insert("instruments".to_owned(), json!(tools));
    Json(Value::Object(map)).into_response()
}

/// A tool of assessment: which versions, questions and grades are taken, in our own labels.
fn tool_json(tool: &Tool) -> Value {
    let questions: Vec<Value> = tool
        .questions
        .iter()
        .map(|question| {
            let asked = tool.versions.iter();
            let versions: Vec<&String> = asked.filter(|one| question.is_in(one)).collect();
            json!({
                "code": question.code, "label": question.label, "ticks": question.ticks,
                "versions": versions,
            })
        })
        .collect();
    let grades: Vec<&str> = tool.grades.iter().map(|grade| grade.code()).collect();
    json!({
        "instrument": tool.instrument.code(),
        "name": tool.name,
        "versions": tool.versions,
        "is_risk": tool.is_risk,
        "days_valid": tool.days_valid,
        "grades": grades,
        "questions": questions,
        "ticks_in_local_practice": tool.usual_words(),
    })
}

/// What is read to her, before she decides and after something was done. A consent names the notice
/// that she was read by its `name`.
#[utoipa::path(get, path = "/v1/notices", tag = "start",
    responses((status = 200, description = "the notices, with their words by language")))]
pub async fn notices(State(app): State<Arc<App>>) -> Response {
    let rules = app.gateway.rules.load();
    let notices: Vec<Value> = rules
        .notices
        .all()
        .map(|notice| {
            json!({
                "name": notice.name(),
                "when": notice.when,
                "purposes": notice.purposes.iter().map(|purpose| purpose.code()).collect::<Vec<_>>(),
                "ended": notice.ended,
                "text": notice.text,
            })
        })
        .collect();
    Json(json!({ "notices": notices })).into_response()
}
