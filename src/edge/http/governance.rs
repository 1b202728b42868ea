//! Who may connect: the handlers.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::App;
use super::call::{Route, handle};
use super::referrals::{Reply, cursor, outward_cursor};
use super::reply::{envelope, finish, render};
use crate::domain::codes::Action;
use crate::domain::firewall::hold;
use crate::domain::governance::{HoldChange, Proposal, Widening};
use crate::domain::id::OrgId;
use crate::domain::organisation::{Agreement, Certificate, Directory, Team};
use crate::domain::refusal::Refusal;
use crate::domain::rulebook::Revision;
use crate::domain::time::When;
use crate::edge::wire::governance::{Change, NarrowingIn, ProposalIn};

/// Proposes what widens; a second person of another organisation approves it. A certificate for
/// your own team, and what your own service can meet, take effect at once.
#[utoipa::path(post, path = "/v1/proposals", tag = "governance", request_body = ProposalIn,
    responses((status = 201, description = "proposed", body = Reply)))]
pub async fn propose(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(app, request, Route::create(Action::Propose), async |call| {
        let input: ProposalIn = call.json()?;
        let attempt = call.attempt()?;
        let gateway = &call.app.gateway;
        let read = hold::read(&gateway.rules.load(), &attempt, input);
        let input = read.map_err(Refusal::ImmigrationContentFound)?;
        let answered = match input.parse(&attempt)? {
            Change::Propose(widening) => gateway.propose(attempt, &widening).await?,
            Change::IssueOwn(own) => gateway.issue_own(attempt, &own).await?,
            Change::SayMeets(word) => gateway.say_meets(attempt, &word).await?,
        };
        Ok(render(call, answered))
    })
    .await
}

/// The proposals that you may see, the newest first.
#[utoipa::path(get, path = "/v1/proposals", tag = "governance",
    params(("after" = Option<String>, Query, description = "cursor from the page before")),
    responses((status = 200, description = "a page", body = Reply)))]
pub async fn proposals(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(
        app,
        request,
        Route::read(Action::ReadProposals),
        async |call| {
            let before = cursor(call).await?;
            let (answered, entries) = call.app.gateway.proposals(call.attempt()?, before).await?;
            let aliases = answered.aliases.clone();
            let (status, mut value) = envelope(call, answered);
            if let (Value::Object(map), Some(last)) = (&mut value, entries.last()) {
                map.insert("next".to_owned(), json!(outward_cursor(&aliases, *last)));
            }
            Ok(finish(call, status, &value))
        },
    )
    .await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalIn {}

/// Approves a proposal of another organisation, as its second person.
#[utoipa::path(post, path = "/v1/approvals/{id}", tag = "governance",
    params(("id" = String, Path)), request_body = ApprovalIn,
    responses((status = 200, description = "in force", body = Reply)))]
pub async fn approve(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    handle(app, request, Route::create(Action::Approve), async |call| {
        let ApprovalIn {} = call.json()?;
        let alias = call.id(&id)?;
        Ok(render(
            call,
            call.app.gateway.approve(call.attempt()?, alias).await?,
        ))
    })
    .await
}

/// Suspends, revokes, taints, ends, removes or closes: one person, at once.
#[utoipa::path(post, path = "/v1/narrowings", tag = "governance", request_body = NarrowingIn,
    responses((status = 200, description = "in force", body = Reply)))]
pub async fn narrow(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(app, request, Route::create(Action::Narrow), async |call| {
        let input: NarrowingIn = call.json()?;
        let narrowing = input.parse()?;
        Ok(render(
            call,
            call.app.gateway.narrow(call.attempt()?, &narrowing).await?,
        ))
    })
    .await
}

/// What the services of an organisation can meet, for its own administrator.
pub fn own_services(directory: &Directory, own: &OrgId, now: When) -> Vec<Value> {
    let services = directory.services.iter();
    let services = services.filter(|service| service.organisation == *own);
    services
        .map(|service| {
            let meets = service.meets.as_ref();
            json!({
                "service": service.id.as_str(),
                "name": service.public_name,
                "meets": meets.map(|said| codes(&said.needs, |need| need.code())),
                "said_at": meets.map(|said| said.said_at.rfc3339()),
                "is_old": meets.is_some_and(|said| said.is_old(now)),
            })
        })
        .collect()
}

/// A proposal, for those who may see it; its id is the reader's alias already.
pub fn proposal_json(proposal: &Proposal) -> Value {
    let hold = match proposal.widening.hold().map(|hold| &hold.change) {
        Some(HoldChange::Set { reason, review_at }) => {
            json!({ "reason": reason.code(), "review_at": review_at.rfc3339() })
        }
        Some(HoldChange::End) | None => Value::Null,
    };
    json!({
        "id": proposal.id.id().to_string(),
        "change": proposal.widening.code(),
        "about": proposal.widening.organisation().as_str(),
        "proposed_by": proposal.proposed_by.as_str(),
        "proposed_at": proposal.proposed_at.rfc3339(),
        "until": proposal.until.rfc3339(),
        "details": details(&proposal.widening),
        // Whose referral it is about stays with its organisation.
        "hold": hold,
        "policies": proposal.widening.revision().map(revision_json),
        "seal": proposal.widening.seal().map(|seal| json!({ "reason": seal.reason.code() })),
        "approved": proposal.approved.as_ref().map(|approval| json!({
            "organisation": approval.organisation.as_str(),
            "at": approval.at.rfc3339(),
        })),
    })
}

fn agreement_json(agreement: &Agreement) -> Value {
    let standing = agreement.standing.as_ref();
    json!({
        "reference": agreement.reference,
        "classes": codes(&agreement.classes, |class| class.code()),
        "purposes": codes(&agreement.purposes, |purpose| purpose.code()),
        "from": agreement.from.rfc3339(),
        "to": agreement.to.rfc3339(),
        "people_a_day": agreement.people_a_day,
        "standing": standing.map(|standing| codes(&standing.offences, |group| group.code())),
        "standing_areas": standing.map(|standing| &standing.areas),
    })
}

fn certificate_json(certificate: &Certificate) -> Value {
    let key: String = certificate
        .spki_sha256
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    json!({
        "team": certificate.team.as_str(),
        "of_a_person": certificate.user.is_some(),
        "roles": codes(&certificate.roles, |role| role.code()),
        "spki_sha256": key,
        "not_after": certificate.not_after.rfc3339(),
    })
}

/// What an approver must know of a change. Neither who the user of a certificate is, which is her
/// organisation's to know, nor anything of a person.
fn details(widening: &Widening) -> Value {
    let attested = |team: &Team| team.attestation.as_ref().map(|at| at.taint.code());
    match widening {
        Widening::Enrol(organisation) => {
            let teams = organisation.teams.iter();
            let teams =
                teams.map(|team| json!({ "team": team.id.as_str(), "attested": attested(team) }));
            json!({
                "name": organisation.name,
                "kind": organisation.kind.code(),
                "areas": organisation.areas,
                "custody": organisation.custody.code(),
                "teams": teams.collect::<Vec<_>>(),
                "certificates": organisation.certificates.iter().map(certificate_json).collect::<Vec<_>>(),
                "agreements": organisation.agreements.iter().map(agreement_json).collect::<Vec<_>>(),
            })
        }
        Widening::AddTeam { team, .. } => json!({
            "team": team.id.as_str(), "name": team.name, "attested": attested(team),
        }),
        Widening::Attest { team, taint, .. } => {
            json!({ "team": team.as_str(), "attested": taint.code() })
        }
        Widening::AddAgreement { agreement, .. } => agreement_json(agreement),
        Widening::AddCertificate { certificate, .. } => certificate_json(certificate),
        Widening::OpenService(service) => json!({
            "service": service.id.as_str(),
            "team": service.team.as_str(),
            "name": service.public_name,
            "family": service.family.code(),
            "area": service.area,
        }),
        Widening::Resume { .. }
        | Widening::GoOnWithout { .. }
        | Widening::Hold(_)
        | Widening::OpenSeal(_)
        | Widening::LiftTaint { .. }
        | Widening::Revise(_) => Value::Null,
    }
}

fn codes<T>(list: &[T], code: fn(&T) -> &'static str) -> Vec<&'static str> {
    list.iter().map(code).collect()
}

/// What an approver needs in order to decide, and where the files are.
fn revision_json(revision: &Revision) -> Value {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let hash: String = hex(&revision.hash);
    let (proof, replaces): (String, String) = (hex(&revision.proof), hex(&revision.replaces));
    let differences: Vec<Value> = revision
        .differences
        .iter()
        .map(|one| {
            json!({
                "what": one.of.code(), "name": one.name, "how": one.how.code(), "says": one.says,
            })
        })
        .collect();
    json!({
        "hash": hash,
        "proof": proof,
        "solver": revision.solver,
        "replaces": replaces,
        "differences": differences,
        "files": format!("/v1/policies/{hash}"),
    })
}
