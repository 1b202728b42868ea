//! `POST /fhir/$process-message`: a BaRS referral message becomes an offer, changes one, takes it back
//! or answers it, or is refused with an `OperationOutcome` that names the element. The message itself
//! is never stored.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use zeroize::Zeroizing;

use super::{
    Ids, Refused, Stop, answered, body_key, external_names, fields, formats, instead, rendered,
};
use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::codes::{
    Action, Competence, ConsentDecision, ConsentHow, ConsentStrength, DataClass, Direction,
    GivenBy, Interpreter, OffenceGroup, PartyRole, Purpose, ReportedToPolice, UpdateCode,
    WorkerGender, YesNoUnknown,
};
use crate::domain::consent::{CONSENT_DAYS_MAX, Consent, Opens, Recipients};
use crate::domain::counterfoil::Counterfoil;
use crate::domain::firewall::hold::Unread;
use crate::domain::id::{ConsentId, Id};
use crate::domain::journey::answering;
use crate::domain::journey::offering::{Besides, Offer};
use crate::domain::journey::updating::{NewContact, News};
use crate::domain::organisation::Service;
use crate::domain::person::{FieldError, RawIdentifier, RawSafeContact, SafeContact};
use crate::domain::referral::{ConsentGiven, Draft, Ground, Operational, UrgencyCode};
use crate::domain::refusal::Refusal;
use crate::domain::time::When;
use crate::edge::fhir::{
    Acceptance, ConsentCode, Format, Message, NewReferral, Problem, Received, Responded,
    Revocation, Update, Urgency, Word, accepted, element_of,
};
use crate::edge::http::App;
use crate::edge::http::call::{Call, Route, handle};
use crate::edge::http::released::contact_json;
use crate::edge::http::reply::Rendered;
use crate::pipeline::Answered;

/// Takes an NHS BaRS referral message, FHIR R4, JSON or XML: `servicerequest-request` (a new
/// referral, an update, a revocation) or `servicerequest-response` (the service answers).
#[utoipa::path(post, path = "/fhir/$process-message", tag = "fhir",
    request_body(content = String, content_type = "application/fhir+json"),
    responses((status = 200, description = "taken: a BaRS response message"),
              (status = 404, description = "an OperationOutcome: nothing that could be shown"),
              (status = 422, description = "an OperationOutcome that names the element")))]
pub async fn process_message(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(
        app,
        request,
        Route::read(Action::OfferReferral),
        async |call| answered(call, process).await,
    )
    .await
}

async fn process(call: &Call) -> Result<Rendered, Refused> {
    let (sent, format) = formats(call)?;
    let stop = |problem| Stop(problem, format);
    let received = Received::parse(&call.body, sent).map_err(stop)?;
    if received.is_response() {
        return match received.read().map_err(stop)? {
            Message::Respond(responded) => respond(call, &responded, format).await,
            // A response is read as one.
            Message::New(_) | Message::Update(_) | Message::Revoke(_) => {
                Err(stop(Problem::no_such_service()).into())
            }
        };
    }
    // The destination first, so that a message for someone else tells nothing about anyone.
    let service = call.app.gateway.service_of(received.destination()).await?;
    let Some(service) = service.filter(|service| service.takes_referrals) else {
        return Err(stop(Problem::no_such_service()).into());
    };
    match received.read().map_err(stop)? {
        Message::New(new) => offer(call, *new, &service, format).await,
        Message::Update(changed) => update(call, changed, format).await,
        Message::Revoke(revocation) => revoke(call, &revocation, format).await,
        Message::Respond(responded) => respond(call, &responded, format).await,
    }
}

async fn offer(
    call: &Call,
    mut new: NewReferral,
    service: &Service,
    format: Format,
) -> Result<Rendered, Refused> {
    let stop = |problem| Stop(problem, format);
    let mut attempt = call.attempt()?;
    let gateway = &call.app.gateway;
    let Some(ground) = ground(&new, &attempt) else {
        return Err(stop(new.consent.needed()).into());
    };
    if attempt.idempotency.is_none() {
        attempt.idempotency = body_key(call, &[service.id.as_str(), service.organisation.as_str()]);
    }
    let needed = new.consent.needed();
    let (message_id, reply_to) = (new.message_id.clone(), new.reply_to.clone());
    let destination = new.destination_dos.clone();
    let draft = draft(&mut new, service, ground);
    let identity = std::mem::take(&mut new.identity);
    let wrong = |wrong: Vec<_>| stop(fields(&wrong, Problem::of_field));
    let resolved = gateway.resolve(RawIdentifier::new(identity), attempt.when);
    let resolved = resolved.map_err(wrong)?;
    let offer = Offer::of(draft, resolved, Besides::default(), attempt.when).map_err(wrong)?;
    let answered = gateway.offer(attempt, offer).await?;
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
        _ => None,
    };
    let Some((referral, left_behind)) = made else {
        let ask = match &answered.answer {
            Answer::Refused(Refusal::ConsentNeeded) => true,
            Answer::Replayed { told, .. } => told == "consent-needed",
            _ => false,
        };
        if ask {
            let ids = Ids::new(&call.app.gateway.entropy());
            return Ok(super::rendered_problem(
                call, &answered, &needed, format, &ids,
            ));
        }
        return Ok(instead(call, &answered, Problem::of_field, format));
    };
    let taken = Taken {
        message_id: message_id.as_deref(),
        reply_to: reply_to.as_deref(),
        source: dos(&destination),
        referral: Some(referral.to_string()),
        left_behind: &left_behind,
        says: "recorded",
    };
    Ok(taken.rendered(call, &answered, format))
}

async fn revoke(call: &Call, revocation: &Revocation, format: Format) -> Result<Rendered, Refused> {
    let mut attempt = call.attempt()?;
    attempt.action = Action::UpdateReferral;
    let names = external_names(&revocation.destination_dos, &revocation.external_refs);
    let answered = call.app.gateway.revoke(attempt, &names).await?;
    if let Answer::Refused(_) = &answered.answer {
        return Ok(instead(call, &answered, Problem::of_field, format));
    }
    // The same reply whether or not there was such an offer (F8).
    let taken = Taken {
        message_id: revocation.message_id.as_deref(),
        reply_to: revocation.reply_to.as_deref(),
        source: dos(&revocation.destination_dos),
        referral: None,
        left_behind: &revocation.left_behind,
        says: "recorded",
    };
    Ok(taken.rendered(call, &answered, format))
}

/// Each code is an attempt of its own, as in the JSON.
async fn update(call: &Call, changed: Update, format: Format) -> Result<Rendered, Refused> {
    let mut attempt = call.attempt()?;
    attempt.action = Action::UpdateReferral;
    let names = external_names(&changed.destination_dos, &changed.external_refs);
    let gateway = &call.app.gateway;
    let named = gateway.named_by_sender(&attempt, &names).await?;
    // Where there is none of the caller's own, the attempt is made all the same, and logged.
    let alias = named.unwrap_or_else(|| gateway.entropy().id("no referral"));
    let contact = new_contact(changed.contact, attempt.when).map_err(|wrong| {
        let problem = fields(&wrong, Problem::of_field);
        Refused::from(Stop(problem, format))
    })?;
    let answered = tell(call, alias, &changed.codes, contact).await?;
    if !was_told(&answered) {
        return Ok(instead(call, &answered, Problem::of_field, format));
    }
    let taken = Taken {
        message_id: changed.message_id.as_deref(),
        reply_to: changed.reply_to.as_deref(),
        source: dos(&changed.destination_dos),
        referral: Some(alias.to_string()),
        left_behind: &changed.left_behind,
        says: "told to the service",
    };
    Ok(taken.rendered(call, &answered, format))
}

/// Tells the other side of a referral each code; stops at the first that is not taken.
async fn tell(
    call: &Call,
    alias: Id,
    codes: &[UpdateCode],
    mut contact: Option<NewContact>,
) -> Result<Answered, Refused> {
    let mut last = None;
    for (number, code) in codes.iter().enumerate() {
        let mut attempt = call.attempt()?;
        attempt.action = Action::UpdateReferral;
        let key = attempt.idempotency.take();
        let key = key.or_else(|| body_key(call, &["update"]));
        attempt.idempotency = key.map(|key| key.line(number));
        let news = News {
            code: *code,
            life_at_risk: false,
            consent: None,
            contact: contact.take_if(|_| *code == UpdateCode::SafeContactChanged),
        };
        let answered = call.app.gateway.update(attempt, alias, &news).await?;
        let told = was_told(&answered);
        last = Some(answered);
        if !told {
            break;
        }
    }
    // The reader gives at least one code.
    last.ok_or_else(|| Refused::from(Refusal::CheckYourAnswers(Vec::new())))
}

/// As the domain takes it; a language, if one was said, is told with a referral only.
fn new_contact(
    raw: Option<RawSafeContact>,
    when: When,
) -> Result<Option<NewContact>, Vec<FieldError>> {
    let Some(raw) = raw else {
        return Ok(None);
    };
    let mut contact = SafeContact::parse(raw, when)?;
    contact.take_language_need();
    let shown = Zeroizing::new(contact_json(&contact).to_string().into_bytes());
    Ok(Some(NewContact { contact, shown }))
}

fn was_told(answered: &Answered) -> bool {
    match &answered.answer {
        Answer::Updated { .. } => true,
        Answer::Replayed { told, .. } => told == "updated",
        _ => false,
    }
}

/// The service that was offered a referral says what becomes of it. The reply holds nothing of her:
/// what an acceptance releases is read with `GET /v1/inbox/{id}`, with all that makes it safe.
async fn respond(call: &Call, responded: &Responded, format: Format) -> Result<Rendered, Refused> {
    let (action, response) = match &responded.word {
        Word::Accepted {
            onward_rule_accepted,
        } => {
            let accept = answering::Response::Accept {
                worker: call.attempt()?.user.as_str().to_owned(),
                onward_rule_accepted: *onward_rule_accepted,
                // BaRS has no word for it: who was moved here is accepted where that can be said.
                no_conflict: false,
            };
            (Action::AcceptReferral, accept)
        }
        Word::Waiting => (Action::WaitReferral, answering::Response::Wait),
        Word::Rejected(reason) => {
            let decline = answering::Response::Decline { reason: *reason };
            (Action::DeclineReferral, decline)
        }
        Word::Completed(outcomes) => {
            let close = answering::Response::Close {
                outcomes: outcomes.clone(),
            };
            (Action::CloseReferral, close)
        }
        Word::Told(codes) => {
            let answered = tell(call, responded.referral, codes, None).await?;
            return Ok(if was_told(&answered) {
                responded_taken(call, responded, &answered, format)
            } else {
                instead(call, &answered, Problem::of_field, format)
            });
        }
    };
    let mut attempt = call.attempt()?;
    attempt.action = action;
    if attempt.idempotency.is_none() {
        attempt.idempotency = body_key(call, &["response"]);
    }
    let gateway = &call.app.gateway;
    let answered = gateway
        .respond(attempt, responded.referral, response)
        .await?;
    let taken = match &answered.answer {
        Answer::Answered { .. } | Answer::Released(..) => true,
        Answer::Replayed { told, .. } => {
            ["released", "waiting", "declined", "closed"].contains(&told.as_str())
        }
        _ => false,
    };
    Ok(if taken {
        responded_taken(call, responded, &answered, format)
    } else {
        instead(call, &answered, Problem::of_field, format)
    })
}

fn responded_taken(
    call: &Call,
    responded: &Responded,
    answered: &Answered,
    format: Format,
) -> Rendered {
    let taken = Taken {
        message_id: responded.message_id.as_deref(),
        reply_to: responded.reply_to.as_deref(),
        source: responded.destination.clone(),
        referral: None,
        left_behind: &responded.left_behind,
        says: "recorded",
    };
    taken.rendered(call, answered, format)
}

/// A message that was taken.
struct Taken<'a> {
    message_id: Option<&'a str>,
    reply_to: Option<&'a str>,
    source: String,
    referral: Option<String>,
    left_behind: &'a [String],
    says: &'a str,
}

impl Taken<'_> {
    fn rendered(&self, call: &Call, answered: &Answered, format: Format) -> Rendered {
        let ids = Ids::new(&call.app.gateway.entropy());
        let receipt = answered.receipt.to_text();
        let kept = answered.counterfoil.as_deref().map(Counterfoil::to_text);
        let body = accepted(
            &Acceptance {
                bundle_id: &ids.bundle,
                header_id: &ids.header,
                outcome_id: &ids.outcome,
                encounter_id: &ids.encounter,
                at: answered.at,
                message_id: self.message_id,
                reply_to: self.reply_to,
                source: &self.source,
                referral: self.referral.as_deref(),
                receipt: Some(&receipt),
                replay: kept.as_deref(),
                support_code: &answered.receipt.leaf.id().short(),
                says: self.says,
                left_behind: self.left_behind,
            },
            format,
        );
        rendered(call, 200, body, format, None)
    }
}

fn dos(service: &str) -> String {
    format!("https://fhir.nhs.uk/Id/dos-service-id|{service}")
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
        items: Vec::new(),
        given_by: GivenBy::Herself,
        competence: Competence::Adult,
        parent: None,
        how: ConsentHow::Digital,
        language: None,
        interpreter: Interpreter::None,
        other_party_present: YesNoUnknown::Unknown,
        notice_version: None,
        given_at,
        from: given_at,
        until: new.consent.until.unwrap_or(longest).min(longest),
        review_at: None,
        paused: false,
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
        other_party: None,
        parent: None,
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
