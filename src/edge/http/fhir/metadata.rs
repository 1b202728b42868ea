//! `GET /fhir/metadata`: what can be done. The same for everyone, so not an attempt.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};

use super::voice;
use crate::edge::fhir::{Format, capability};
use crate::edge::http::API_VERSION;

/// What can be done under `/fhir`: a CapabilityStatement.
#[utoipa::path(get, path = "/fhir/metadata", tag = "fhir",
    responses((status = 200, description = "a CapabilityStatement")))]
pub async fn metadata(request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let format = voice(&parts).unwrap_or(Format::Json);
    let kind = format.content_type();
    ([("content-type", kind)], capability(API_VERSION, format)).into_response()
}
