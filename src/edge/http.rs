//! Routes. A handler parses, calls one function of the pipeline, and renders what was logged.
//!
//! Every reply under `/v1` has the same shape, is filled up to a multiple of 16 KiB and leaves at
//! the first tenth of a second after the request was received by which it is ready, so that
//! neither size nor time tells whether something is held (P5).

pub mod assessments;
pub mod audit;
mod batch;
pub mod call;
mod cards;
pub mod codes;
pub mod consents;
pub mod devices;
pub mod drafts;
pub mod emergencies;
pub mod endings;
pub mod fhir;
pub mod governance;
pub mod her_word;
pub mod inward;
pub mod links;
pub mod log;
mod more;
mod offers;
mod purpose;
pub mod reconciliations;
pub mod referrals;
pub mod released;
pub mod renewals;
pub mod reply;
pub mod reports;
pub mod returns;
pub mod screening;
pub mod sealed_items;
pub mod subject_access;
pub mod table;
pub mod transfers;

use std::sync::{Arc, Mutex, PoisonError};

use std::time::Instant;

use axum::Router;
use axum::response::{IntoResponse, Response};
use utoipa::OpenApi;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::AdditionalProperties;
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa_axum::routes;

use super::limits::{CountedCalls, Rate, RequestRates, SlowDown};
use super::metrics::Metrics;
use crate::domain::attempt::UserName;
use crate::domain::codes::Action;
use crate::domain::id::UserId;
use crate::domain::peer::{Peer, SpiffeName};
use crate::pipeline::Gateway;
use renewals::Issuer;
use table::{DESCRIPTION, Declared, Table};

/// The version of the API; a request may pin it with `Firedoor-Version`.
pub const API_VERSION: &str = "2026-11-21";

/// Texts are screened while they are typed: so many times as often as other requests.
const TYPING: u32 = 4;

/// What the handlers share.
pub struct App {
    pub gateway: Gateway,
    rates: Mutex<RequestRates>,
    /// Of the screen while somebody writes.
    typing: Mutex<RequestRates>,
    counted: Mutex<CountedCalls<SpiffeName>>,
    pub metrics: Arc<Metrics>,
    pub settings: Settings,
    /// With it the gateway renews people's certificates.
    pub issuer: Option<Arc<dyn Issuer>>,
}

/// What the operator may set about requests.
#[derive(Clone, Debug)]
pub struct Settings {
    pub per_user: Rate,
    pub per_organisation: Rate,
    /// Replies are released at multiples of this after the request was received.
    pub boundary: std::time::Duration,
}

impl App {
    pub fn new(
        gateway: Gateway,
        metrics: Arc<Metrics>,
        settings: Settings,
        issuer: Option<Arc<dyn Issuer>>,
    ) -> Arc<Self> {
        let rates = Mutex::new(RequestRates::new(
            settings.per_user,
            settings.per_organisation,
        ));
        let typing = |rate: Rate| Rate {
            per_minute: rate.per_minute.saturating_mul(TYPING),
            burst: rate.burst.saturating_mul(TYPING),
        };
        let typing =
            RequestRates::new(typing(settings.per_user), typing(settings.per_organisation));
        Arc::new(Self {
            gateway,
            rates,
            typing: Mutex::new(typing),
            counted: Mutex::default(),
            metrics,
            settings,
            issuer,
        })
    }

    /// Whether a call that is only counted makes a leaf: the first of its caller in the minute.
    pub fn counts(&self, peer: &Peer) -> bool {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.first(peer.name().clone(), self.gateway.time())
    }

    /// One request of a user and her organisation; how long to wait if it is too many.
    pub fn take(
        &self,
        peer: &Peer,
        user: &UserName,
        action: Action,
        now: Instant,
    ) -> Result<(), SlowDown> {
        // A user that a system asserts has her own allowance, within her organisation's.
        let user = UserId::parse(user.as_str()).ok();
        let rates = match action {
            Action::ScreenText => &self.typing,
            _ => &self.rates,
        };
        let mut rates = rates.lock().unwrap_or_else(PoisonError::into_inner);
        rates.take(&peer.name().organisation, user.as_ref(), now)
    }
}

#[derive(OpenApi)]
#[openapi(info(
    title = "Firedoor",
    version = "2026-11-21",
    description = "Exchange referrals of victims of crime and ask for prior assessments. TLS 1.3 \
                   with a client certificate. There is no field for immigration status."
))]
struct Document;

/// Every route, with what its reply depends on.
fn table() -> Table {
    Table::new(Document::openapi())
        .of_people(routes!(referrals::offer, referrals::sent))
        .of_people(routes!(referrals::status))
        .of_people(routes!(transfers::update))
        .of_people(routes!(referrals::note))
        .of_people(routes!(referrals::inbox))
        .of_people(routes!(referrals::opened))
        .of_people(routes!(referrals::accept))
        .of_people(routes!(referrals::decline))
        .of_people(routes!(referrals::wait))
        .of_people(routes!(referrals::close))
        .of_people(routes!(offers::hand_back))
        .of_people(routes!(transfers::transfer))
        .of_people(routes!(returns::quarter))
        .of_people(routes!(referrals::events))
        .of_people(routes!(drafts::keep, drafts::list))
        .of_people(routes!(drafts::open))
        .of_people(routes!(drafts::erase))
        .of_caller(routes!(screening::screen))
        .of_caller(routes!(screening::wrong))
        .of_people(routes!(consents::consent, consents::due))
        .of_people(routes!(consents::withdraw_consent))
        .of_people(routes!(consents::withdraw))
        .of_people(routes!(consents::confirm))
        .of_people(routes!(consents::lift))
        .of_people(routes!(consents::card))
        .of_people(routes!(consents::stop_use))
        .of_people(routes!(reconciliations::reconcile))
        .of_people(routes!(assessments::record))
        .of_people(routes!(assessments::query))
        .of_people(routes!(assessments::own))
        .of_people(routes!(assessments::withdraw))
        .of_people(routes!(assessments::relied_on))
        .of_people(routes!(emergencies::emergency))
        .of_people(routes!(emergencies::follow_up))
        .of_people(routes!(emergencies::waiting))
        .of_people(routes!(links::list))
        .of_people(routes!(links::confirm))
        .of_people(routes!(links::reject))
        .of_people(routes!(links::split))
        .of_people(routes!(sealed_items::seal, sealed_items::waiting))
        .of_people(routes!(sealed_items::collect))
        .of_caller(routes!(sealed_items::key))
        .of_people(routes!(sealed_items::stop))
        .of_people(routes!(subject_access::take, subject_access::list))
        .of_people(routes!(subject_access::show))
        .of_people(routes!(subject_access::step))
        .of_people(routes!(subject_access::reply))
        .of_people(routes!(subject_access::redact))
        .of_people(routes!(subject_access::deliver))
        .of_caller(routes!(governance::propose, governance::proposals))
        .of_caller(routes!(governance::approve))
        .of_caller(routes!(governance::narrow))
        .of_caller(routes!(devices::second_factor))
        .of_caller(routes!(devices::ask_passkey))
        .of_caller(routes!(devices::show_passkey))
        .of_caller(routes!(devices::list, devices::add))
        .of_caller(routes!(devices::confirm))
        .of_caller(routes!(devices::remove))
        .of_caller(routes!(renewals::renew))
        .of_people(routes!(audit::entries))
        .of_caller(routes!(audit::trail))
        .of_people(routes!(audit::subjects))
        .of_people(routes!(audit::queue))
        .of_people(routes!(audit::item, audit::decide))
        .of_people(routes!(audit::flag))
        .of_people(routes!(audit::person))
        .of_people(routes!(audit::evidence))
        .of_people(routes!(reports::report))
        .of_people(routes!(reports::figures))
        .of_caller(routes!(reports::policies_in_force))
        .of_caller(routes!(reports::policies))
        .of_people(routes!(fhir::message::process_message))
        .of_people(routes!(fhir::referrals::request))
        .of_people(routes!(fhir::referrals::search))
        .of_people(routes!(fhir::referrals::one_task))
        .of_people(routes!(fhir::consents::create))
        .of_people(routes!(fhir::consents::read, fhir::consents::update))
        .of_people(routes!(fhir::assessments::create))
        .of_caller(routes!(fhir::metadata::metadata))
        .of_caller(routes!(codes::me))
        .of_caller(routes!(codes::codes))
        .of_caller(routes!(codes::notices))
        .public(log::routes())
}

/// What each route declared.
pub fn declared() -> Vec<Declared> {
    table().declared().to_vec()
}

/// All routes, and the description of them.
pub fn router(app: Arc<App>) -> Router {
    let (router, document) = table().split();
    let document = Arc::new(problems_everywhere(closed_everywhere(document)));
    router
        .route(
            DESCRIPTION,
            axum::routing::get(move || {
                let document = document.clone();
                async move { described(&document) }
            }),
        )
        .fallback(call::absent)
        .method_not_allowed_fallback(call::wrong_method)
        .with_state(app)
}

/// A form of several shapes refuses unknown fields in each of them; the generator says so only of
/// forms of one shape.
fn closed_everywhere(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    let schemas = document.components.iter_mut();
    for schema in schemas.flat_map(|components| components.schemas.values_mut()) {
        let RefOr::T(Schema::OneOf(shapes)) = schema else {
            continue;
        };
        for shape in &mut shapes.items {
            if let RefOr::T(Schema::Object(shape)) = shape {
                let closed = AdditionalProperties::FreeForm(false);
                shape.additional_properties = Some(Box::new(closed));
            }
        }
    }
    document
}

/// Any operation may end in a problem (RFC 9457), or under `/fhir` in an `OperationOutcome`; said once,
/// here, for all of them.
fn problems_everywhere(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    let problem = ResponseBuilder::new()
        .description("RFC 9457: what is wrong with the call and what to do")
        .content(
            "application/problem+json",
            ContentBuilder::new()
                .schema(Some(Ref::from_schema_name("Problem")))
                .build(),
        )
        .build();
    let outcome = ResponseBuilder::new()
        .description("an OperationOutcome: what is wrong with the call and what to do")
        .content("application/fhir+json", ContentBuilder::new().build())
        .build();
    for (name, path) in &mut document.paths.paths {
        let wrong = if name.starts_with("/fhir/") {
            &outcome
        } else {
            &problem
        };
        let operations = [&mut path.get, &mut path.post, &mut path.put];
        for operation in operations.into_iter().flatten() {
            let responses = &mut operation.responses.responses;
            responses.insert("default".to_owned(), RefOr::T(wrong.clone()));
        }
    }
    document
}

fn described(document: &utoipa::openapi::OpenApi) -> Response {
    match document.to_json() {
        Ok(json) => ([("content-type", "application/json")], json).into_response(),
        Err(_) => axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
