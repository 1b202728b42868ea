//! FHIR over HTTP: what every route under `/fhir` shares. A refusal is an `OperationOutcome`, whatever
//! refused; a reply is written as it is wanted, filled up and timed like every other.

pub mod assessments;
pub mod consents;
pub mod message;
pub mod metadata;
pub mod referrals;

use axum::http::StatusCode;
use axum::http::request::Parts;
use sha2::{Digest, Sha256};

use super::call::{Call, Halt};
use super::reply::{NOTHING_SAYS, Rendered};
use crate::domain::answer::Answer;
use crate::domain::attempt::{Entropy, IdempotencyKey};
use crate::domain::id::Id;
use crate::domain::person::FieldError;
use crate::domain::refusal::{HELD_BACK_RETRY_S, Refusal};
use crate::edge::fhir::{Format, Kind, Problem, outcome};
use crate::pipeline::Answered;

/// How an error of the form is named in FHIR.
type Naming = fn(&FieldError) -> Problem;

/// A handler's own refusal, before it is logged.
struct Stop(Problem, Format);

/// How the body is written, and how the reply is wanted. A referral must not fail for a header about
/// its reply, so what cannot be had is refused to readers only.
fn formats(call: &Call) -> Result<(Format, Format), Stop> {
    let kind = call.header("content-type").unwrap_or_default();
    match Format::of_content_type(kind) {
        Ok(sent) => Ok((sent, reply_format(&call.parts, Some(sent)).unwrap_or(sent))),
        Err(problem) => {
            let wanted = reply_format(&call.parts, None).unwrap_or(Format::Json);
            Err(Stop(problem, wanted))
        }
    }
}

/// How a reader wants the reply.
fn wanted(call: &Call) -> Result<Format, Stop> {
    reply_format(&call.parts, None).map_err(|problem| Stop(problem, Format::Json))
}

fn reply_format(parts: &Parts, sent: Option<Format>) -> Result<Format, Problem> {
    let query = parts.uri.query().unwrap_or_default();
    let format = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(name, value)| (name == "_format").then_some(value));
    let accept = parts.headers.get("accept");
    let accept = accept.and_then(|value| value.to_str().ok());
    Format::wanted(format, accept, sent)
}

/// For a call under `/fhir` that nothing here answers: how its refusal is to be written.
pub fn voice(parts: &Parts) -> Option<Format> {
    let path = parts.uri.path();
    if path != "/fhir" && !path.starts_with("/fhir/") {
        return None;
    }
    let kind = parts.headers.get("content-type");
    let kind = kind.and_then(|value| value.to_str().ok());
    let sent = kind.and_then(|kind| Format::of_content_type(kind).ok());
    Some(reply_format(parts, sent).unwrap_or(sent.unwrap_or(Format::Json)))
}

/// A refusal that was logged elsewhere, or that another leaf stands for.
pub fn refusal(call: &Call, refusal: &Refusal, support_code: &str, format: Format) -> Rendered {
    let id = Ids::new(&call.app.gateway.entropy()).outcome;
    // What is wrong is a header or the address, so no element stands for it.
    let problem = problem_of(refusal, |wrong| Problem::whole(Kind::Value, wrong.message));
    let body = outcome(&problem, &id, support_code, format);
    rendered(
        call,
        problem.kind().status(),
        body,
        format,
        retry_of(refusal),
    )
}

/// We failed: nothing was recorded, so nothing is told (P2).
pub fn fault(entropy: &Entropy, format: Format) -> Rendered {
    let problem = Problem::whole(
        Kind::CannotRecord,
        "we could not record this access, so we did not open it; try again in a moment",
    );
    let ids = Ids::new(entropy);
    let code = entropy.id("support code").short();
    bare(
        problem.kind().status(),
        outcome(&problem, &ids.outcome, &code, format),
        format,
        Some(1),
    )
}

/// A sender's name for a referral means something only together with where it was sent.
fn external_names(destination: &str, references: &[String]) -> Vec<String> {
    references
        .iter()
        .map(|reference| format!("{destination}|{reference}"))
        .collect()
}

/// Health systems send no key of their own: the same body to the same place is the same request.
fn body_key(call: &Call, place: &[&str]) -> Option<IdempotencyKey> {
    let mut hash = Sha256::new();
    for part in place {
        hash.update(part);
        hash.update([0]);
    }
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

/// Runs a handler; its own refusal is logged, and said in FHIR.
async fn answered(
    call: &Call,
    handler: impl AsyncFnOnce(&Call) -> Result<Rendered, Refused>,
) -> Result<Rendered, Halt> {
    match handler(call).await {
        Ok(rendered) => Ok(rendered),
        Err(Refused::Halt(halt)) => Err(halt),
        Err(Refused::Stop(Stop(problem, format))) => refuse(call, problem, format).await,
    }
}

/// How a handler ends early.
enum Refused {
    /// As everywhere.
    Halt(Halt),
    Stop(Stop),
}

impl From<Stop> for Refused {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl<E> From<E> for Refused
where
    Halt: From<E>,
{
    fn from(error: E) -> Self {
        Self::Halt(Halt::from(error))
    }
}

/// What is wrong with the fields of a form, the first of them.
fn fields(wrong: &[FieldError], naming: Naming) -> Problem {
    wrong.first().map_or_else(
        || Problem::whole(Kind::Value, "an element holds what it must not"),
        naming,
    )
}

/// Logs the refusal, and says it in FHIR.
async fn refuse(call: &Call, problem: Problem, format: Format) -> Result<Rendered, Halt> {
    let mut attempt = call.attempt()?;
    attempt.idempotency = None;
    let refusal = match problem.kind() {
        Kind::ConsentNeeded => Refusal::ConsentNeeded,
        Kind::TooLong => Refusal::TooLarge,
        Kind::NotFound
        | Kind::Nothing
        | Kind::Answered
        | Kind::NoRoute
        | Kind::NoMethod
        | Kind::NotAcceptable
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
        Answer::Refused(refusal) if about_caller(refusal) => problem_of(refusal, Problem::of_field),
        _ => problem,
    };
    Ok(rendered_problem(call, &answered, &problem, format, &ids))
}

/// What is said where the answer is not the one that was asked for: the uniform nothing, a refusal, or
/// what an earlier try came to.
fn instead(call: &Call, answered: &Answered, naming: Naming, format: Format) -> Rendered {
    let ids = Ids::new(&call.app.gateway.entropy());
    let problem = match &answered.answer {
        Answer::Refused(refusal) => {
            let problem = problem_of(refusal, naming);
            let support_code = answered.receipt.leaf.id().short();
            let body = outcome(&problem, &ids.outcome, &support_code, format);
            let retry = retry_of(refusal);
            return rendered(call, problem.kind().status(), body, format, retry);
        }
        Answer::Replayed { told, .. } if told == "already-answered" => {
            Problem::whole(Kind::Answered, ALREADY_ANSWERED)
        }
        Answer::Replayed { told, .. } if Refusal::is_code(told) => Problem::whole(
            Kind::Value,
            "this was refused before, for what it says; change it",
        ),
        _ => Problem::whole(Kind::Nothing, NOTHING_SAYS),
    };
    rendered_problem(call, answered, &problem, format, &ids)
}

fn rendered_problem(
    call: &Call,
    answered: &Answered,
    problem: &Problem,
    format: Format,
    ids: &Ids,
) -> Rendered {
    let support_code = answered.receipt.leaf.id().short();
    let body = outcome(problem, &ids.outcome, &support_code, format);
    rendered(call, problem.kind().status(), body, format, None)
}

fn about_caller(refusal: &Refusal) -> bool {
    !matches!(
        refusal,
        Refusal::CheckYourAnswers(_) | Refusal::ConsentNeeded | Refusal::TooLarge
    )
}

const ALREADY_ANSWERED: &str = "this has already been answered";

/// A refusal in the words of BaRS.
fn problem_of(refusal: &Refusal, naming: Naming) -> Problem {
    match refusal {
        Refusal::CheckYourAnswers(wrong) => fields(wrong, naming),
        Refusal::UnknownField { .. } => {
            Problem::whole(Kind::Value, "there is no such extension here; leave it out")
        }
        Refusal::MissingField { name } => {
            let needed = FieldError {
                field: known_field(name),
                message: "this is needed",
            };
            naming(&needed)
        }
        Refusal::ImmigrationContentFound(holds) => {
            let message =
                "a text holds words about immigration; remove them, no service needs them";
            match holds.first() {
                Some(hold) => naming(&FieldError {
                    field: hold.field,
                    message,
                }),
                None => Problem::whole(Kind::Value, message),
            }
        }
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
        // BaRS has no word for handing back, so nobody comes to the second by it.
        Refusal::AlreadyAnswered | Refusal::HandBackOver => {
            Problem::whole(Kind::Answered, ALREADY_ANSWERED)
        }
        Refusal::ExplanationNeeded => Problem::whole(Kind::Value, "say why, and send it again"),
        Refusal::ConsentNeeded => Problem::new(
            Kind::ConsentNeeded,
            "Consent.policyRule",
            "her consent is needed for this",
        ),
        Refusal::NotFound => Problem::whole(Kind::NoRoute, "there is nothing at this address"),
        Refusal::MethodNotAllowed => {
            Problem::whole(Kind::NoMethod, "this address does not take that method")
        }
        Refusal::TooLarge => {
            Problem::whole(Kind::TooLong, "the body is longer than 256 KiB; send less")
        }
        Refusal::NotJson | Refusal::NoAttachments => Problem::whole(
            Kind::MediaType,
            "send application/fhir+json or application/fhir+xml",
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
        Refusal::CertificateNotAccepted
        | Refusal::OrganisationSuspended
        | Refusal::PoliciesDoNotLoad(_)
        | Refusal::ConfirmEmergency { .. }
        | Refusal::PolicyFailed
        | Refusal::CrossSite
        | Refusal::NotEnrollable
        | Refusal::SecondOrganisationNeeded => {
            Problem::whole(Kind::Forbidden, "the caller may not send this")
        }
    }
}

/// The fields that a form may lack; a name from elsewhere is not repeated.
fn known_field(name: &str) -> &'static str {
    ["how", "other_party_present", "grade", "basis"]
        .into_iter()
        .find(|known| *known == name)
        .unwrap_or("id")
}

const fn retry_of(refusal: &Refusal) -> Option<u32> {
    match refusal {
        Refusal::SlowDown { retry_after_s } => Some(*retry_after_s),
        _ if refusal.is_of_gateway() => Some(HELD_BACK_RETRY_S),
        _ => None,
    }
}

fn rendered(
    call: &Call,
    status: u16,
    body: Vec<u8>,
    format: Format,
    retry_after_s: Option<u32>,
) -> Rendered {
    let mut rendered = bare(status, body, format, retry_after_s);
    rendered.session = call.renewed_session();
    rendered
}

fn bare(status: u16, body: Vec<u8>, format: Format, retry_after_s: Option<u32>) -> Rendered {
    Rendered {
        status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        kind: format.content_type(),
        body,
        retry_after_s,
        session: None,
        padded: true,
    }
}
