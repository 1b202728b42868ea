//! Assessments told once, and emergencies: the handlers and what they show.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::App;
use super::call::{Call, Halt, Route, handle};
use super::her_word::card_code;
use super::referrals::Reply;
use super::reply::render;
use crate::domain::alias::{AliasKind, Aliases};
use crate::domain::assessment::{Answers, Assessment, EmergencyCard, SafetyCard};
use crate::domain::codes::Action;
use crate::domain::journey::querying::{Query, Use};
use crate::domain::journey::subject::{Named, Subject};
use crate::edge::wire::assessment::{AssessmentIn, AssessmentQueryIn, EmergencyIn, ReliedOnIn};
use crate::pipeline::OpenedItem;

/// Records an assessment, so that she need not tell it again.
#[utoipa::path(post, path = "/v1/assessments", tag = "assessments", request_body = AssessmentIn,
    responses((status = 201, description = "recorded", body = Reply)))]
pub async fn record(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(
        app,
        request,
        Route::create(Action::RecordAssessment),
        async |call| {
            let input: AssessmentIn = call.json()?;
            let attempt = call.attempt()?;
            let (named, draft) = input.parse(&attempt)?;
            let subject = subject(call, named, attempt.when)?;
            Ok(render(
                call,
                call.app
                    .gateway
                    .record_assessment(attempt, &subject, &draft)
                    .await?,
            ))
        },
    )
    .await
}

/// Has she been assessed before? All that may be shown, or the uniform nothing.
#[utoipa::path(post, path = "/v1/assessments/query", tag = "assessments",
    request_body = AssessmentQueryIn,
    responses((status = 200, description = "what may be shown", body = Reply)))]
pub async fn query(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(
        app,
        request,
        Route::read(Action::QueryAssessments),
        async |call| {
            let input: AssessmentQueryIn = call.json()?;
            let attempt = call.attempt()?;
            let onward_rule_accepted = input.onward_rule_accepted;
            let card_code = card_code(call, input.card_code.as_ref());
            let (named, consent) = input.parse(&attempt)?;
            let query = Query {
                subject: subject(call, named, attempt.when)?,
                consent,
                onward_rule_accepted,
                card_code,
            };
            Ok(render(
                call,
                call.app.gateway.query_assessments(attempt, &query).await?,
            ))
        },
    )
    .await
}

/// "Relied on this", or why she was asked again.
#[utoipa::path(post, path = "/v1/assessments/{id}/relied-on", tag = "assessments",
    params(("id" = String, Path)), request_body = ReliedOnIn,
    responses((status = 200, description = "noted", body = Reply)))]
pub async fn relied_on(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    handle(
        app,
        request,
        Route::create(Action::RelyOnAssessment),
        async |call| {
            let input: ReliedOnIn = call.json()?;
            let alias = call.id(&id)?;
            let attempt = call.attempt()?;
            let (named, reassessed_because) = input.parse()?;
            let subject = subject(call, named, attempt.when)?;
            let used = Use {
                subject,
                reassessed_because,
            };
            Ok(render(
                call,
                call.app.gateway.rely_on(attempt, alias, &used).await?,
            ))
        },
    )
    .await
}

/// Breaks the glass. Without `confirm` you are told who will be told (428), and nothing is opened.
#[utoipa::path(post, path = "/v1/emergency", tag = "emergency", request_body = EmergencyIn,
    responses((status = 200, description = "the emergency view, or nothing", body = Reply),
              (status = 428, description = "confirm first", body = super::referrals::Problem)))]
pub async fn emergency(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(
        app,
        request,
        Route::create(Action::BreakGlass),
        async |call| {
            let input: EmergencyIn = call.json()?;
            let attempt = call.attempt()?;
            let (named, breaking) = input.parse()?;
            let glass = breaking.glass(subject(call, named, attempt.when)?);
            Ok(render(
                call,
                call.app.gateway.break_glass(attempt, &glass).await?,
            ))
        },
    )
    .await
}

fn subject(call: &Call, named: Named, when: crate::domain::time::When) -> Result<Subject, Halt> {
    Ok(call.app.gateway.subject(named, when)?)
}

/// Every assessment that may be shown, none averaged, none left out for being older (AS-05).
pub fn shown(
    aliases: &Aliases,
    assessments: &[Assessment],
    opened: &[OpenedItem],
) -> Map<String, Value> {
    let cards: Vec<(Value, Option<&'static str>)> = assessments
        .iter()
        .filter_map(|assessment| {
            let answers = answers(assessment, opened)?;
            Some((
                card(aliases, assessment, &answers),
                Some(answers.grade.code()),
            ))
        })
        .collect();
    let mut grades: Vec<_> = cards.iter().filter_map(|(_, grade)| *grade).collect();
    grades.sort_unstable();
    grades.dedup();
    let disagree = grades.len() > 1;
    let cards: Vec<Value> = cards.into_iter().map(|(card, _)| card).collect();
    let mut map = Map::new();
    map.insert("assessments".to_owned(), json!(cards));
    map.insert(
        "disagreement".to_owned(),
        json!(disagree.then_some("Services graded differently. Read each with its reasons.")),
    );
    map.insert(
        "read_aloud".to_owned(),
        json!(
            "Another service that you allowed has told us what you already said, so that you \
               need not say it again. You can stop this at any time."
        ),
    );
    map
}

fn answers(assessment: &Assessment, opened: &[OpenedItem]) -> Option<Answers> {
    let item = opened
        .iter()
        .find(|item| item.part.item == assessment.answers_item)?;
    Answers::decode(&item.plain).ok()
}

fn card(aliases: &Aliases, assessment: &Assessment, answers: &Answers) -> Value {
    let own = aliases.organisation();
    let items: Vec<Value> = answers
        .items
        .iter()
        .map(|item| json!({ "code": item.code, "answer": item.answer.code() }))
        .collect();
    let needs: Vec<&str> = answers.needs.iter().map(|need| need.code()).collect();
    json!({
        "id": aliases.outward(AliasKind::Assessment, assessment.id.id()).to_string(),
        "instrument": answers.instrument.code(),
        "instrument_version": answers.instrument_version,
        "assessed_at": answers.assessed_at.rfc3339(),
        "assessor_role": answers.assessor_role.code(),
        "assessor_service": kind_of_service(answers.assessor_kind),
        "assessor_trained": answers.assessor_trained,
        "ticks": answers.ticks(),
        "grade": answers.grade.code(),
        "grade_basis": answers.basis.code(),
        "judgement_reasons": answers.judgement_reasons,
        "items": items,
        "needs": needs,
        "adjustments": answers.adjustments,
        "valid_until": assessment.valid_until.rfc3339(),
        "own": assessment.source == *own,
    })
}

/// The kind of service, wide enough not to tell status (F7): a by-and-for body is a specialist one.
const fn kind_of_service(kind: crate::domain::codes::OrgKind) -> &'static str {
    use crate::domain::codes::OrgKind;
    match kind {
        OrgKind::NhsTrust | OrgKind::NhsGp | OrgKind::Sarc | OrgKind::Icb => "health",
        OrgKind::LocalAuthority => "local authority",
        OrgKind::VoluntaryGeneric
        | OrgKind::VoluntarySpecialist
        | OrgKind::ByAndFor
        | OrgKind::Refuge => "a specialist service",
        OrgKind::Police
        | OrgKind::Court
        | OrgKind::Cafcass
        | OrgKind::Cps
        | OrgKind::Wcu
        | OrgKind::Probation
        | OrgKind::LegalAdviser
        | OrgKind::Commissioner
        | OrgKind::Operator
        | OrgKind::Reviewer => "another service",
    }
}

/// The emergency view: risk and date, who must not be told, who is safe; no address, no note.
pub fn emergency_view(
    assessments: &[Assessment],
    lines: &[String],
    opened: &[OpenedItem],
) -> Map<String, Value> {
    let find = |item| opened.iter().find(|opened| opened.part.item == item);
    let risks: Vec<Value> = assessments
        .iter()
        .filter_map(|assessment| {
            let card = EmergencyCard::decode(&find(assessment.emergency_item)?.plain).ok()?;
            Some(json!({
                "grade": card.grade.code(),
                "grade_basis": card.basis.code(),
                "assessed_at": card.assessed_at.rfc3339(),
            }))
        })
        .collect();
    let safety: Vec<Value> = assessments
        .iter()
        .filter_map(|assessment| {
            let card = SafetyCard::decode(&find(assessment.safety_item?)?.plain).ok()?;
            Some(json!({
                "do_not_tell": card.do_not_tell,
                "safe_person": card.safe_person,
                "safe_person_phone": card.safe_person_phone,
            }))
        })
        .collect();
    let mut map = Map::new();
    map.insert("risk".to_owned(), json!(risks));
    map.insert("safety".to_owned(), json!(safety));
    map.insert("service_lines".to_owned(), json!(lines));
    map.insert("minutes".to_owned(), json!(60));
    map.insert(
        "follow_up".to_owned(),
        json!("Within 24 hours say what you did, and whether she now consents."),
    );
    map
}
