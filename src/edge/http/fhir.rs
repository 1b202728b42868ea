//! `POST /fhir/$process-message`: a BaRS referral message becomes an offer, or is refused with an
//! `OperationOutcome` that names the element. The message itself is never stored.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use sha2::{Digest, Sha256};

use super::App;
use super::call::{Call, Halt, Route, handle};
use super::reply::Rendered;
use crate::domain::answer::Answer;
use crate::domain::attempt::{Attempt, Entropy, IdempotencyKey};
use crate::domain::codes::{
    Action, ConsentDecision, ConsentHow, ConsentStrength, DataClass, Direction, GivenBy,
    Interpreter, OffenceGroup, PartyRole, Purpose, ReportedToPolice, WorkerGender, YesNoUnknown,
};
use crate::domain::consent::{CONSENT_DAYS_MAX, Consent, Opens, Recipients};
use crate::domain::counterfoil::Counterfoil;
use crate::domain::firewall::hold::Unread;
use crate::domain::id::{ConsentId, Id};
use crate::domain::journey::offering::Offer;
use crate::domain::organisation::Service;
use crate::domain::person::RawIdentifier;
use crate::domain::referral::{ConsentGiven, Draft, Ground, Operational, UrgencyCode};
use crate::domain::refusal::Refusal;
use crate::edge::fhir::{
    Acceptance, ConsentCode, Format, Kind, Message, NewReferral, Problem, Received, Revocation,
    Urgency, accepted, element_of, outcome,
};
use crate::pipeline::Answered;

/// Takes an NHS BaRS referral message (`servicerequest-request`), FHIR R4, JSON or XML.
#[utoipa::path(post, path = "/fhir/$process-message", tag = "fhir",
    request_body(content = String, content_type = "application/fhir+json"),
    responses((status = 200, description = "taken: a BaRS response message"),
              (status = 422, description = "an OperationOutcome that names the element")))]
pub async fn process_message(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(
        app,
        request,
        Route::read(Action::OfferReferral),
        async |call| process(call).await,
    )
    .await
}

async fn process(call: &Call) -> Result<Rendered, Halt> {
    let kind = call.header("content-type").unwrap_or_default();
    let format = match Format::of_content_type(kind) {
        Ok(format) => format,
        Err(problem) => return refuse(call, problem, Format::Json).await,
    };
    let received = match Received::parse(&call.body, format) {
        Ok(received) => received,
        Err(problem) => return refuse(call, problem, format).await,
    };
    // The destination first, so that a message for someone else tells nothing about anyone.
    let service = call.app.gateway.service_of(received.destination()).await?;
    let Some(service) = service.filter(|service| service.takes_referrals) else {
        return refuse(call, Problem::no_such_service(), format).await;
    };
    match received.read() {
        Err(problem) => refuse(call, problem, format).await,
        Ok(Message::New(new)) => offer(call, *new, &service, format).await,
        Ok(Message::Revoke(revocation)) => revoke(call, &revocation, format).await,
    }
}

async fn offer(
    call: &Call,
    mut new: NewReferral,
    service: &Service,
    format: Format,
) -> Result<Rendered, Halt> {
    let mut attempt = call.attempt()?;
    let gateway = &call.app.gateway;
    let Some(ground) = ground(&new, &attempt) else {
        return refuse(call, new.consent.needed(), format).await;
    };
    if attempt.idempotency.is_none() {
        attempt.idempotency = body_key(call, service);
    }
    let needed = new.consent.needed();
    let (message_id, reply_to) = (new.message_id.clone(), new.reply_to.clone());
    let destination = new.destination_dos.clone();
    let draft = draft(&mut new, service, ground);
    let identity = std::mem::take(&mut new.identity);
    let resolved = match gateway.resolve(RawIdentifier::new(identity), attempt.when) {
        Ok(resolved) => resolved,
        Err(wrong) => return refuse_fields(call, &wrong, format).await,
    };
    let offer = match Offer::of(draft, resolved, attempt.when) {
        Ok(offer) => offer,
        Err(wrong) => return refuse_fields(call, &wrong, format).await,
    };
    let answered = gateway.offer(attempt, offer).await?;
    let ids = Ids::new(&gateway.entropy());
    let support_code = answered.receipt.leaf.id().short();
    let receipt = answered.receipt.to_text();
    let made = match &answered.answer {
        Answer::Offered(offered) => {
            // A note that the screen holds is left behind; the referral goes on (P12).
            let mut left = offered.left_behind.clone();
            left.extend((!offered.held.is_empty()).then(|| element_of("note").to_owned()));
            left.sort();
            left.dedup();
            Some((offered.referral.id(), left))
        }
        Answer::Replayed { made, told, .. } if told == "offered" => made.map(|id| (id, Vec::new())),
        Answer::Replayed { told, .. } if told == "consent-needed" => None,
        _ => None,
    };
    let Some((referral, left_behind)) = made else {
        return Ok(refused(&answered, needed, format, &ids));
    };
    let referral = referral.to_string();
    let body = accepted(
        &Acceptance {
            bundle_id: &ids.bundle,
            header_id: &ids.header,
            outcome_id: &ids.outcome,
            encounter_id: &ids.encounter,
            at: answered.at,
            message_id: message_id.as_deref(),
            reply_to: reply_to.as_deref(),
            destination_dos: &destination,
            referral: Some(&referral),
            receipt: Some(&receipt),
            replay: None,
            support_code: &support_code,
            left_behind: &left_behind,
        },
        format,
    );
    Ok(rendered(200, body, format))
}

async fn revoke(call: &Call, revocation: &Revocation, format: Format) -> Result<Rendered, Halt> {
    let mut attempt = call.attempt()?;
    attempt.action = Action::UpdateReferral;
    let names = external_names(&revocation.destination_dos, &revocation.external_refs);
    let answered = call.app.gateway.revoke(attempt, &names).await?;
    let ids = Ids::new(&call.app.gateway.entropy());
    if let Answer::Refused(refusal) = &answered.answer {
        let problem = problem_of(refusal);
        return Ok(refused(&answered, problem, format, &ids));
    }
    let support_code = answered.receipt.leaf.id().short();
    let receipt = answered.receipt.to_text();
    let kept = answered.counterfoil.as_deref().map(Counterfoil::to_text);
    // The same reply whether or not there was such an offer (F8).
    let body = accepted(
        &Acceptance {
            bundle_id: &ids.bundle,
            header_id: &ids.header,
            outcome_id: &ids.outcome,
            encounter_id: &ids.encounter,
            at: answered.at,
            message_id: revocation.message_id.as_deref(),
            reply_to: revocation.reply_to.as_deref(),
            destination_dos: &revocation.destination_dos,
            referral: None,
            receipt: Some(&receipt),
            replay: kept.as_deref(),
            support_code: &support_code,
            left_behind: &revocation.left_behind,
        },
        format,
    );
    Ok(rendered(200, body, format))
}

/// Implied consent serves only between health bodies; policy decides, this only states it.
fn ground(new: &NewReferral, attempt: &Attempt) -> Option<Ground> {
    let strength = match new.consent.code {
        ConsentCode::OptIn => ConsentStrength::Explicit,
        ConsentCode::Implied => ConsentStrength::Implied,
        ConsentCode::Missing | ConsentCode::Other | ConsentCode::OptOut => return None,
    };
    let now = attempt.when;
    let longest = now.plus_days(CONSENT_DAYS_MAX);
    let given_at = new.consent.from.or(new.authored_at).unwrap_or(now).min(now);
    let consent = Consent {
        id: ConsentId(Id::ZERO),
        recorded_by: attempt.organisation().clone(),
        decision: ConsentDecision::Permit,
        strength,
        opens: Opens::Share,
        recipients: Recipients::default(),
        classes: vec![
            DataClass::Op,
            DataClass::Id,
            DataClass::Loc,
            DataClass::Ip,
            DataClass::Ft,
        ],
        purposes: vec![Purpose::Support],
        depth: None,
        given_by: GivenBy::Herself,
        how: ConsentHow::Digital,
        language: None,
        interpreter: Interpreter::None,
        other_party_present: YesNoUnknown::Unknown,
        notice_version: None,
        given_at,
        from: given_at,
        until: new.consent.until.unwrap_or(longest).min(longest),
        withdrawn_at: None,
    };
    Some(Ground::Consent(ConsentGiven {
        consent,
        recipients: Recipients::default(),
    }))
}

fn draft(new: &mut NewReferral, service: &Service, ground: Ground) -> Draft {
    Draft {
        service: service.id.clone(),
        operational: Operational {
            direction: Direction::Health,
            party_role: PartyRole::Victim,
            offence_group: OffenceGroup::NoneDisclosed,
            reported_to_police: ReportedToPolice::Unknown,
            reported_at: None,
            priority_categories: Vec::new(),
            urgency: match new.urgency {
                Urgency::High => UrgencyCode::High,
                Urgency::Standard => UrgencyCode::Standard,
            },
            risk: None,
            needs: Vec::new(),
            area: None,
            worker_gender: WorkerGender::Any,
            epr: None,
        },
        // The identity goes to `resolve` apart from the draft.
        identity: RawIdentifier::new(Default::default()),
        safe_contact: Some(std::mem::take(&mut new.safe_contact)),
        note: new
            .note
            .take()
            .map(|mut note| Unread::new("note", std::mem::take(&mut *note))),
        asides: Vec::new(),
        ground,
        agreed_timing: None,
        externals: external_names(&new.destination_dos, &new.external_refs),
        strict: false,
        left_behind: std::mem::take(&mut new.left_behind),
    }
}

/// A sender's name for a referral means something only together with where it was sent.
fn external_names(destination: &str, references: &[String]) -> Vec<String> {
    references
        .iter()
        .map(|reference| format!("{destination}|{reference}"))
        .collect()
}

/// Health systems send no key of their own: the same body to the same service is the same request.
fn body_key(call: &Call, service: &Service) -> Option<IdempotencyKey> {
    let mut hash = Sha256::new();
    hash.update(service.id.as_str());
    hash.update([0]);
    hash.update(service.organisation.as_str());
    hash.update([0]);
    hash.update(&call.body);
    let digest: [u8; 32] = hash.finalize().into();
    let short = digest.first_chunk().copied().map(Id::from_bytes)?;
    IdempotencyKey::parse(&format!("fhir-{short}")).ok()
}

/// UUIDs of a reply, random.
struct Ids {
    bundle: String,
    header: String,
    outcome: String,
    encounter: String,
}

impl Ids {
    fn new(entropy: &Entropy) -> Self {
        Self {
            bundle: uuid(entropy.bytes("bundle")),
            header: uuid(entropy.bytes("header")),
            outcome: uuid(entropy.bytes("outcome")),
            encounter: uuid(entropy.bytes("encounter")),
        }
    }
}

/// A version 4 UUID of random bytes (RFC 9562).
fn uuid(bytes: [u8; 16]) -> String {
    let value =
        (u128::from_be_bytes(bytes) & !(0xf << 76) & !(0b11 << 62)) | (0x4 << 76) | (0b10 << 62);
    let hex = format!("{value:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-{}-{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32)
    )
}

async fn refuse_fields(
    call: &Call,
    wrong: &[crate::domain::person::FieldError],
    format: Format,
) -> Result<Rendered, Halt> {
    let problem = wrong.first().map_or_else(
        || Problem::whole(Kind::Value, "an element holds what it must not"),
        Problem::of_field,
    );
    refuse(call, problem, format).await
}

/// Logs the refusal, and says it in FHIR.
async fn refuse(call: &Call, problem: Problem, format: Format) -> Result<Rendered, Halt> {
    let mut attempt = call.attempt()?;
    attempt.idempotency = None;
    let refusal = match problem.kind() {
        Kind::ConsentNeeded => Refusal::ConsentNeeded,
        Kind::TooLong => Refusal::TooLarge,
        Kind::NotFound
        | Kind::Structure
        | Kind::MediaType
        | Kind::WrongMessage
        | Kind::Required
        | Kind::Value
        | Kind::Conflict
        | Kind::Forbidden
        | Kind::SlowDown
        | Kind::CannotRecord => Refusal::CheckYourAnswers(Vec::new()),
    };
    let answered = call.app.gateway.refuse(attempt, refusal).await?;
    let ids = Ids::new(&call.app.gateway.entropy());
    // What is wrong with the caller herself goes before what is wrong with her message.
    let problem = match &answered.answer {
        Answer::Refused(refusal) if about_caller(refusal) => problem_of(refusal),
        _ => problem,
    };
    Ok(rendered_problem(&answered, &problem, format, &ids))
}

fn refused(answered: &Answered, needed: Problem, format: Format, ids: &Ids) -> Rendered {
    let problem = match &answered.answer {
        Answer::Refused(Refusal::ConsentNeeded) => needed,
        Answer::Replayed { told, .. } if told == "consent-needed" => needed,
        Answer::Refused(refusal) => problem_of(refusal),
        _ => Problem::whole(Kind::Forbidden, "this message was not taken"),
    };
    rendered_problem(answered, &problem, format, ids)
}

fn rendered_problem(answered: &Answered, problem: &Problem, format: Format, ids: &Ids) -> Rendered {
    let support_code = answered.receipt.leaf.id().short();
    rendered(
        problem.kind().status(),
        outcome(problem, &ids.outcome, &support_code, format),
        format,
    )
}

fn about_caller(refusal: &Refusal) -> bool {
    !matches!(
        refusal,
        Refusal::CheckYourAnswers(_) | Refusal::ConsentNeeded | Refusal::TooLarge
    )
}

/// A refusal about the caller, in the words of BaRS.
fn problem_of(refusal: &Refusal) -> Problem {
    match refusal {
        Refusal::CheckYourAnswers(wrong) => wrong.first().map_or_else(
            || Problem::whole(Kind::Value, "an element holds what it must not"),
            Problem::of_field,
        ),
        Refusal::SlowDown { .. } => Problem::whole(Kind::SlowDown, "too many calls; wait"),
        Refusal::Restoring { .. } => Problem::whole(
            Kind::CannotRecord,
            "the gateway was restored from a copy and is collecting withdrawals; try again later",
        ),
        Refusal::Unwitnessed { .. } | Refusal::ClockOff => Problem::whole(
            Kind::CannotRecord,
            "the gateway holds this back until its witnesses have confirmed its log; try again later",
        ),
        Refusal::AlreadySent => Problem::whole(
            Kind::Conflict,
            "this Idempotency-Key was used with another message; use a new key",
        ),
        Refusal::ImmigrationContentFound(_) => Problem::whole(
            Kind::Value,
            "a text holds words about immigration; remove them, no service needs them",
        ),
        Refusal::SecondFactorNeeded => {
            Problem::whole(Kind::Forbidden, "a second factor is needed first")
        }
        Refusal::AgreementExpired { .. } => Problem::whole(
            Kind::Forbidden,
            "your organisation has no sharing agreement in date",
        ),
        Refusal::RoleNotAllowed { .. } => {
            Problem::whole(Kind::Forbidden, "the role asserted may not do this")
        }
        Refusal::PurposeNotAllowed { .. } => {
            Problem::whole(Kind::Forbidden, "the purpose is not open to this role")
        }
        _ => Problem::whole(Kind::Forbidden, "the caller may not send this"),
    }
}

fn rendered(status: u16, body: Vec<u8>, format: Format) -> Rendered {
    Rendered {
        status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        kind: format.content_type(),
        body,
        retry_after_s: None,
        session: None,
        padded: true,
    }
}
