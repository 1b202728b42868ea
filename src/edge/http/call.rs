//! One call: who makes it, its body within limits, and the attempt that is made of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, request::Parts};
use axum::response::Response;
use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::inward::Inward;
use super::purpose::default_purpose;
use super::reply::{self, Leaves, Rendered};
use super::{API_VERSION, App, fhir};
use crate::domain::answer::Answer;
use crate::domain::attempt::{Attempt, IdempotencyKey, RequestDigest, UserName};
use crate::domain::codes::{Action, Purpose, Role};
use crate::domain::id::Id;
use crate::domain::peer::Peer;
use crate::domain::person::FieldError;
use crate::domain::refusal::Refusal;
use crate::domain::session::Session;
use crate::edge::server::{BODY_BYTES_MAX, BodyError, ReceivedAt, read_body};
use crate::pipeline::{Answered, Fault};

/// JSON may nest this deep.
pub const JSON_DEPTH_MAX: usize = 16;
/// A whole NDJSON body: 1,000 lines of 16 KiB.
pub const NDJSON_BYTES_MAX: usize = 1_000 * 16 * 1024;
const BODY_WITHIN: Duration = Duration::from_secs(30);

/// How a handler stops before the pipeline.
pub enum Halt {
    Refuse(Refusal),
    Fault(Fault),
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Refusal> for Halt {
    fn from(refusal: Refusal) -> Self {
        Self::Refuse(refusal)
    }
}

impl From<Vec<FieldError>> for Halt {
    fn from(wrong: Vec<FieldError>) -> Self {
        Self::Refuse(Refusal::CheckYourAnswers(wrong))
    }
}

/// A request, read and bound to its caller.
pub struct Call {
    pub app: Arc<App>,
    pub peer: Peer,
    pub parts: Parts,
    pub body: Bytes,
    pub received: Instant,
    action: Action,
    user: UserName,
    role: Role,
}

/// What a route needs of its caller.
#[derive(Clone, Copy)]
pub struct Route {
    pub action: Action,
    /// The POST makes something: it needs an `Idempotency-Key`.
    pub creates: bool,
    pub body_bytes_max: usize,
}

impl Route {
    pub const fn read(action: Action) -> Self {
        Self {
            action,
            creates: false,
            body_bytes_max: BODY_BYTES_MAX,
        }
    }

    pub const fn create(action: Action) -> Self {
        Self {
            action,
            creates: true,
            body_bytes_max: BODY_BYTES_MAX,
        }
    }
}

impl Call {
    /// A fresh attempt for this call; a batch makes one for each line.
    pub fn attempt(&self) -> Result<Attempt, Refusal> {
        self.attempt_of(&self.body, None)
    }

    /// The attempt of one line of a batch.
    pub fn line(&self, bytes: &[u8], number: usize) -> Result<Attempt, Refusal> {
        self.attempt_of(bytes, Some(number))
    }

    fn attempt_of(&self, bytes: &[u8], line: Option<usize>) -> Result<Attempt, Refusal> {
        let key = header(&self.parts.headers, "idempotency-key");
        let key = key.map(IdempotencyKey::parse).transpose().map_err(|_| {
            field(
                "Idempotency-Key",
                "give 1 to 64 printable characters without spaces",
            )
        })?;
        let idempotency = match (key, line) {
            (Some(key), Some(number)) => Some(key.line(number)),
            (key, _) => key,
        };
        let path = self
            .parts
            .uri
            .path_and_query()
            .map_or("/", |path| path.as_str());
        let when = self.app.gateway.time();
        let purpose = self.purpose()?;
        let session_key = &self.app.gateway.rules.load().keys.session;
        let second_factor = header(&self.parts.headers, "firedoor-session")
            .is_some_and(|value| Session::check(session_key, &self.peer, &self.user, when, value));
        Ok(Attempt {
            peer: self.peer.clone(),
            user: self.user.clone(),
            role: self.role,
            asserted: self.peer.name().user.is_none(),
            second_factor,
            action: self.action,
            purpose,
            when,
            entropy: self.app.gateway.entropy(),
            request: RequestDigest::of(self.parts.method.as_str(), path, bytes),
            idempotency,
            check_only: self.query("check").is_some_and(|value| value == "only"),
        })
    }

    fn purpose(&self) -> Result<Purpose, Refusal> {
        match header(&self.parts.headers, "firedoor-purpose") {
            None => Ok(default_purpose(self.action, self.role)),
            Some(code) => Purpose::parse(code)
                .ok_or_else(|| field("Firedoor-Purpose", "no such purpose; see GET /v1/codes")),
        }
    }

    /// The body as JSON of one shape: unknown fields, deep nesting and bad UTF-8 are refused, and
    /// the error repeats no value.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        match content_type(&self.parts.headers) {
            Some(kind) if kind == "application/json" => {}
            Some(kind) if carries_files(&kind) => return Err(Refusal::NoAttachments),
            Some(_) | None => return Err(Refusal::NotJson),
        }
        parse_json(&self.body)
    }

    /// The call without its body, for the tasks of a batch.
    pub fn share(&self) -> Self {
        Self {
            app: self.app.clone(),
            peer: self.peer.clone(),
            parts: self.parts.clone(),
            body: Bytes::new(),
            received: self.received,
            action: self.action,
            user: self.user.clone(),
            role: self.role,
        }
    }

    /// The session that a right second factor opens.
    pub fn opened_session(&self) -> String {
        let key = &self.app.gateway.rules.load().keys.session;
        Session::issue(key, &self.peer, &self.user, self.app.gateway.time())
    }

    /// A session lives ten minutes from its last use: each reply carries a fresh value.
    pub fn renewed_session(&self) -> Option<String> {
        let value = self.header("firedoor-session")?;
        let key = &self.app.gateway.rules.load().keys.session;
        let now = self.app.gateway.time();
        Session::renew(key, &self.peer, &self.user, now, value)
    }

    /// Who makes the call.
    pub fn user(&self) -> &UserName {
        &self.user
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.parts.headers, name)
    }

    /// A value of the query string; names and codes only, so no decoding is needed.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.parts.uri.query()?.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            (key == name).then_some(value)
        })
    }

    pub fn id(&self, text: &str) -> Result<Id, Refusal> {
        Id::parse(text).ok_or_else(|| field("id", "an id is 26 letters and digits"))
    }
}

pub fn field(field: &'static str, message: &'static str) -> Refusal {
    Refusal::CheckYourAnswers(vec![FieldError { field, message }])
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .map(str::trim)
}

pub fn content_type(headers: &HeaderMap) -> Option<String> {
    let value = header(headers, "content-type")?;
    let kind = value.split(';').next().unwrap_or_default();
    Some(kind.trim().to_ascii_lowercase())
}

/// Kinds of body that are a file, or may have one inside.
pub fn carries_files(kind: &str) -> bool {
    let documents = [
        "pdf",
        "octet-stream",
        "zip",
        "msword",
        "rtf",
        "vnd.",
        "x-tar",
        "gzip",
    ];
    let application = kind.strip_prefix("application/");
    application.is_some_and(|kind| documents.iter().any(|start| kind.starts_with(start)))
        || [
            "multipart/",
            "image/",
            "audio/",
            "video/",
            "font/",
            "model/",
            "message/",
        ]
        .iter()
        .any(|start| kind.starts_with(start))
}

/// Reads JSON within the limits.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    if std::str::from_utf8(bytes).is_err() {
        return Err(field("body", "the body is not UTF-8; encode it as UTF-8"));
    }
    if too_deep(bytes) {
        return Err(field(
            "body",
            "the JSON is nested deeper than 16; send a flat object",
        ));
    }
    serde_json::from_slice(bytes).map_err(|error| shape(&error))
}

/// A form that another notation was read into: the same shape, the same refusals.
pub fn parse_form<T: DeserializeOwned>(form: serde_json::Value) -> Result<T, Refusal> {
    serde_json::from_value(form).map_err(|error| shape(&error))
}

fn too_deep(bytes: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in bytes {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > JSON_DEPTH_MAX {
            return true;
        }
    }
    false
}

/// What serde found, without the value it found it in.
fn shape(error: &serde_json::Error) -> Refusal {
    let text = error.to_string();
    let named = |start: &str| {
        let rest = text.strip_prefix(start)?;
        let (name, _) = rest.split_once('`')?;
        let plain = name.len() <= 40
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        plain.then(|| name.to_owned())
    };
    if let Some(name) = named("unknown field `") {
        return Refusal::UnknownField { name: Some(name) };
    }
    if text.starts_with("unknown field") {
        return Refusal::UnknownField { name: None };
    }
    if let Some(name) = named("missing field `") {
        return Refusal::MissingField { name };
    }
    if error.is_eof() {
        return field("body", "the JSON ends too early; send all of it");
    }
    if error.is_syntax() {
        return field("body", "the body is not well-formed JSON");
    }
    field(
        "body",
        "a field has the wrong type; compare with /v1/openapi.json",
    )
}

/// Reads the call, runs the handler, and replies when it is time.
pub async fn handle<F>(app: Arc<App>, request: Request, route: Route, handler: F) -> Response
where
    F: AsyncFnOnce(&Call) -> Result<Rendered, Halt>,
{
    let (parts, body) = request.into_parts();
    let received = parts
        .extensions
        .get::<ReceivedAt>()
        .map_or_else(Instant::now, |at| at.0);
    let leaves = match parts.extensions.get::<Inward>() {
        Some(_) => Leaves::ToPage,
        None => Leaves::AtBoundary(received),
    };
    let Some(peer) = parts.extensions.get::<Peer>().cloned() else {
        // The server hands nobody on without a checked certificate.
        return reply::bare(&Refusal::CertificateNotAccepted);
    };
    let voice = fhir::voice(&parts);
    let body = read_body(body, route.body_bytes_max, BODY_WITHIN).await;
    let (body, unread) = match body {
        Ok(body) => (body, None),
        Err(BodyError::TooLarge) => (Bytes::new(), Some(Refusal::TooLarge)),
        Err(BodyError::CutOff | BodyError::Slow) => (
            Bytes::new(),
            Some(field("body", "the request was cut off; send it again")),
        ),
    };
    let caller = caller(&app, &peer, &parts).await;
    let (user, role, bad_caller) = match caller {
        Ok((user, role)) => (user, role, None),
        Err(Halt::Refuse(refusal)) => (unknown_user(), Role::Triage, Some(refusal)),
        Err(Halt::Fault(fault)) => return reply::fault(&app, leaves, &fault, voice).await,
    };
    let unfit = unread
        .or(bad_caller)
        .or_else(|| unfit(&app, &parts, &peer, &user, route));
    let action = if unfit.is_some() {
        Action::Unknown
    } else {
        route.action
    };
    let call = Call {
        app: app.clone(),
        peer,
        parts,
        body,
        received,
        action,
        user,
        role,
    };
    app.metrics.asked(action);
    let began = Instant::now();
    let outcome = match unfit {
        Some(refusal) => Err(Halt::Refuse(refusal)),
        None => handler(&call).await,
    };
    app.metrics.decided(began.elapsed());
    let rendered = match outcome {
        Ok(rendered) => Ok(rendered),
        Err(Halt::Fault(fault)) => Err(fault),
        Err(Halt::Refuse(refusal)) => refuse(&call, refusal).await,
    };
    match rendered {
        Ok(rendered) => reply::send(&app, leaves, rendered).await,
        Err(fault) => reply::fault(&app, leaves, &fault, voice).await,
    }
}

/// Logs a refusal of the edge's own, and renders it.
async fn refuse(call: &Call, refusal: Refusal) -> Result<Rendered, Fault> {
    let voice = fhir::voice(&call.parts);
    if only_counted(&refusal) && !call.app.counts(&call.peer) {
        return Ok(match voice {
            None => reply::unlogged(call, &refusal),
            Some(format) => {
                let code = call.app.gateway.entropy().id("support code").short();
                fhir::refusal(call, &refusal, &code, format)
            }
        });
    }
    let mut attempt = match call.attempt() {
        Ok(attempt) => attempt,
        Err(_) => plain_attempt(call),
    };
    // What never reached the pipeline uses up no key.
    attempt.idempotency = None;
    let answered: Answered = call.app.gateway.refuse(attempt, refusal).await?;
    Ok(match (voice, &answered.answer) {
        (Some(format), Answer::Refused(refusal)) => {
            let code = answered.receipt.leaf.id().short();
            fhir::refusal(call, refusal, &code, format)
        }
        (Some(_) | None, _) => reply::render(call, answered),
    })
}

/// Unparsable, oversized and too many: one leaf for each caller and minute.
fn only_counted(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::TooLarge
        | Refusal::SlowDown { .. }
        | Refusal::NotJson
        | Refusal::NoAttachments => true,
        Refusal::CheckYourAnswers(wrong) => wrong.iter().any(|wrong| wrong.field == "body"),
        _ => false,
    }
}

// An attempt whose own headers are what is wrong.
fn plain_attempt(call: &Call) -> Attempt {
    let path = call.parts.uri.path();
    Attempt {
        peer: call.peer.clone(),
        user: call.user.clone(),
        role: call.role,
        asserted: call.peer.name().user.is_none(),
        second_factor: false,
        action: call.action,
        purpose: default_purpose(call.action, call.role),
        when: call.app.gateway.time(),
        entropy: call.app.gateway.entropy(),
        request: RequestDigest::of(call.parts.method.as_str(), path, &call.body),
        idempotency: None,
        check_only: false,
    }
}

fn unknown_user() -> UserName {
    UserName::unnamed()
}

/// Who makes the call: a person by her own certificate, or a user that a system asserts.
async fn caller(app: &App, peer: &Peer, parts: &Parts) -> Result<(UserName, Role), Halt> {
    let asserted = header(&parts.headers, "firedoor-user");
    match (&peer.name().user, asserted) {
        (Some(_), Some(_)) => Err(Halt::Refuse(field(
            "Firedoor-User",
            "a person's certificate names its user; leave this header out",
        ))),
        (Some(user), None) => {
            let user = UserName::parse(user.as_str()).map_err(|_| bad_user())?;
            let role = match header(&parts.headers, "firedoor-role") {
                Some(code) => Role::parse(code)
                    .ok_or_else(|| field("Firedoor-Role", "no such role; see GET /v1/codes"))?,
                None => {
                    let roles = app.gateway.roles(peer).await?;
                    roles
                        .first()
                        .copied()
                        .ok_or(Refusal::CertificateNotAccepted)?
                }
            };
            Ok((user, role))
        }
        (None, Some(text)) => {
            let mut user = None;
            let mut role = None;
            for pair in text.split(';') {
                match pair.trim().split_once('=') {
                    Some(("ref", value)) => user = UserName::parse(value).ok(),
                    Some(("role", value)) => role = Role::parse(value),
                    Some(_) | None => return Err(bad_user().into()),
                }
            }
            user.zip(role).ok_or_else(|| bad_user().into())
        }
        (None, None) => Err(bad_user().into()),
    }
}

fn bad_user() -> Refusal {
    field(
        "Firedoor-User",
        "say who asks, as: ref=pc-ward;role=officer",
    )
}

/// What is wrong with the call before its body is read for meaning.
fn unfit(app: &App, parts: &Parts, peer: &Peer, user: &UserName, route: Route) -> Option<Refusal> {
    if let Err(slow) = app.take(peer, user, route.action, Instant::now()) {
        return Some(Refusal::SlowDown {
            retry_after_s: slow.retry_after_s,
        });
    }
    if let Some(refusal) = parts.extensions.get::<Inward>().and_then(Inward::refuses) {
        return Some(refusal.clone());
    }
    if is_cross_site(parts) {
        return Some(Refusal::CrossSite);
    }
    if header(&parts.headers, "firedoor-version").is_some_and(|version| version != API_VERSION) {
        return Some(field(
            "Firedoor-Version",
            "this version is not served; see openapi.json",
        ));
    }
    let keyed = parts.headers.contains_key("idempotency-key");
    if route.creates && parts.method == Method::POST && !keyed {
        return Some(field(
            "Idempotency-Key",
            "send a key of your own with every request that makes something",
        ));
    }
    None
}

/// Whether a browser sent this for a page of another site.
pub fn is_cross_site(parts: &Parts) -> bool {
    let site = header(&parts.headers, "sec-fetch-site");
    let foreign = site.is_some_and(|site| !matches!(site, "same-origin" | "none"));
    let host = header(&parts.headers, "host")
        .map(str::to_owned)
        .or_else(|| parts.uri.authority().map(ToString::to_string));
    let origin = header(&parts.headers, "origin");
    let other =
        origin.is_some_and(|origin| origin.strip_prefix("https://").map(str::to_owned) != host);
    foreign || other
}

/// A path that does not exist. From a certificate it is an attempt like any other (3.10 a).
pub async fn absent(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(app, request, Route::read(Action::Unknown), async |_| {
        Err(Halt::Refuse(Refusal::NotFound))
    })
    .await
}

pub async fn wrong_method(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(app, request, Route::read(Action::Unknown), async |_| {
        Err(Halt::Refuse(Refusal::MethodNotAllowed))
    })
    .await
}
