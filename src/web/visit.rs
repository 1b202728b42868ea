//! One visit to a page: who comes, what she sent, and what the API says to her.
//!
//! A visit is refused, or sent to sign in, before its page is made. A form counts only with the mark
//! that a page of ours gave it, from our own site, within a session.

mod told;

pub use told::{Reply, Stop};

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::response::Response;
use serde_json::Value;
use tower::ServiceExt;
use zeroize::Zeroizing;

use super::form::Form;
use super::page::{self, Page};
use super::table::For;
use crate::domain::attempt::{IdempotencyKey, UserName};
use crate::domain::codes::Role;
use crate::domain::handover::password_of;
use crate::domain::peer::Peer;
use crate::domain::refusal::Refusal;
use crate::domain::session::{FormToken, Session};
use crate::domain::time::When;
use crate::edge::http::App;
use crate::edge::http::call::{field, is_cross_site};
use crate::edge::http::endings::days_left;
use crate::edge::http::inward::{Api, Asked, Told};
use crate::edge::server::{BodyError, ReceivedAt, read_body};

/// A form of a page is smaller than this.
const FORM_BYTES_MAX: usize = 64 * 1024;
/// A page that looks something up asks so many times.
const LOOKS_MAX: u8 = 3;
const FORM_WITHIN: Duration = Duration::from_secs(30);
/// `__Host-`: of this host and port's site alone, over TLS alone, for every path (RFC 6265bis).
const SESSION_COOKIE: &str = "__Host-session";
const ROLE_COOKIE: &str = "__Host-role";

/// What all pages share.
pub struct Site {
    app: Arc<App>,
    api: Api,
    /// The routes of the API, for whoever calls them from outside.
    router: Router,
}

impl Site {
    pub fn new(app: Arc<App>) -> Self {
        let api = Api::new(app.clone());
        let router = api.router();
        Self { app, api, router }
    }

    /// What a client asks of the API itself.
    pub async fn api(&self, request: Request) -> Response {
        let Ok(response) = self.router.clone().oneshot(request).await;
        response
    }
}

/// Text of a JSON value; what is not there is empty.
pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The list at a key of a JSON value; what is not there is empty.
pub fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// One visit. It may be about a person, so it cannot be printed.
pub struct Visit {
    inner: Arc<Inner>,
}

struct Inner {
    site: Arc<Site>,
    peer: Peer,
    user: UserName,
    roles: Vec<Role>,
    role: Role,
    signed_in: bool,
    /// What the path names.
    id: String,
    method: Method,
    path: String,
    form: Form,
    query: Form,
    /// The idempotency key that the form's mark stands for.
    key: Option<String>,
    now: When,
    told: Mutex<Heard>,
}

/// What is kept of the API's replies for the page around them.
#[derive(Default)]
struct Heard {
    session: Option<String>,
    support_code: Option<String>,
}

impl Visit {
    /// What was sent with the form.
    pub fn form(&self) -> &Form {
        &self.inner.form
    }

    /// What stands after the `?`. Never a name.
    pub fn query(&self) -> &Form {
        &self.inner.query
    }

    /// What the path names.
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// The form that was sent is one that a page of ours gave to her.
    pub fn is_marked(&self) -> bool {
        self.inner.key.is_some()
    }

    pub fn path(&self) -> &str {
        &self.inner.path
    }

    pub fn user(&self) -> &UserName {
        &self.inner.user
    }

    pub fn organisation(&self) -> &str {
        self.inner.peer.name().organisation.as_str()
    }

    pub fn role(&self) -> Role {
        self.inner.role
    }

    /// The roles of her certificate, to choose from.
    pub fn roles(&self) -> &[Role] {
        &self.inner.roles
    }

    pub fn signed_in(&self) -> bool {
        self.inner.signed_in
    }

    /// Whether a passkey can be asked for under the name of this site.
    pub fn offers_passkeys(&self) -> bool {
        self.inner.site.app.gateway.passkeys.is_some()
    }

    /// The gateway's time.
    pub fn now(&self) -> When {
        self.inner.now
    }

    /// A fresh mark for a form: every form that is given out has one of its own.
    pub fn token(&self) -> String {
        let gateway = &self.inner.site.app.gateway;
        let id = gateway.entropy().id("form");
        let key = gateway.rules.load().keys.forms;
        FormToken::issue(&key, &self.inner.peer, &self.inner.user, self.inner.now, id)
    }

    /// The same, with the password of the file that its act makes.
    pub fn mark_with_password(&self) -> Option<(String, Zeroizing<String>)> {
        let mark = self.token();
        let inner = &self.inner;
        let key = &inner.site.app.gateway.rules.load().keys.forms;
        let request = FormToken::check(key, &inner.peer, &inner.user, inner.now, &mark)?;
        let password = password_of(key, &inner.peer, &inner.user, &request);
        Some((mark, password))
    }

    /// The password of the file that the act of this form makes.
    pub fn password(&self) -> Option<Zeroizing<String>> {
        let inner = &self.inner;
        let request = IdempotencyKey::parse(inner.key.as_deref()?).ok()?;
        let key = &inner.site.app.gateway.rules.load().keys.forms;
        Some(password_of(key, &inner.peer, &inner.user, &request))
    }

    /// When her certificate ends, and in how many days.
    pub fn certificate_ends(&self) -> (When, i64) {
        let at = self.inner.peer.not_after();
        (at, days_left(at, self.inner.now))
    }

    /// Looks something up. It uses up no key: a form that is refused looks up what it stood on.
    /// What could not be recorded, because others wrote all the while, is asked again.
    pub async fn get(&self, path: &str) -> Result<Reply, Stop> {
        for _ in 1..LOOKS_MAX {
            match self.ask(None, Method::GET, path, None).await {
                Err(Stop::Fault) => {}
                told => return told,
            }
        }
        self.ask(None, Method::GET, path, None).await
    }

    /// Does something, once for each form that is sent, however often it is sent.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Reply, Stop> {
        self.post_also("", path, body).await
    }

    /// The same, as the further act of one form: `act` tells it from the others.
    pub async fn post_also(&self, act: &str, path: &str, body: &Value) -> Result<Reply, Stop> {
        let key = self.inner.key.as_ref().map(|key| format!("{key}{act}"));
        self.ask(key.as_deref(), Method::POST, path, Some(body))
            .await
    }

    /// Reads by what stands in a body, because it must not stand in a path. Nothing is made, so the form
    /// uses up no key, and sent again it is answered again.
    pub async fn look(&self, path: &str, body: &Value) -> Result<Reply, Stop> {
        self.ask(None, Method::POST, path, Some(body)).await
    }

    async fn ask(
        &self,
        key: Option<&str>,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Reply, Stop> {
        let inner = &self.inner;
        let mut headers = HeaderMap::new();
        let mut set = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        set("firedoor-role", inner.role.code());
        if let Some(session) = &self.heard().session {
            set("firedoor-session", session);
        }
        if let Some(key) = key {
            set("idempotency-key", key);
        }
        if body.is_some() {
            set("content-type", "application/json");
        }
        let told = inner.site.api.ask(Asked {
            peer: &inner.peer,
            method,
            path,
            headers,
            body: body
                .map(|body| body.to_string().into_bytes())
                .unwrap_or_default(),
            refuse: None,
        });
        self.hear(told.await)
    }

    /// Has a refusal of the page's own logged, and worded, like one of the API's.
    async fn refuse(&self, refusal: Refusal) -> Result<Reply, Stop> {
        let inner = &self.inner;
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_str(inner.role.code()) {
            headers.insert("firedoor-role", value);
        }
        let told = inner.site.api.ask(Asked {
            peer: &inner.peer,
            method: inner.method.clone(),
            path: &inner.path,
            headers,
            body: Vec::new(),
            refuse: Some(refusal),
        });
        self.hear(told.await)
    }

    fn hear(&self, told: Option<Told>) -> Result<Reply, Stop> {
        let told = told.ok_or(Stop::Fault)?;
        let body: Value = serde_json::from_slice(&told.body).map_err(|_| Stop::Fault)?;
        if let Some(stop) = told::failed(told.status, &body) {
            return Err(stop);
        }
        let mut heard = self.heard();
        let fresh = told.headers.get("firedoor-session");
        if let Some(fresh) = fresh.and_then(|value| value.to_str().ok()) {
            heard.session = Some(fresh.to_owned());
        }
        if let Some(code) = body.get("support_code").and_then(Value::as_str) {
            heard.support_code = Some(code.to_owned());
        }
        Ok(Reply {
            status: told.status,
            body,
        })
    }

    /// A session that a right second factor opened.
    pub fn open_session(&self, value: &str) {
        self.heard().session = Some(value.to_owned());
    }

    pub fn support_code(&self) -> Option<String> {
        self.heard().support_code.clone()
    }

    fn heard(&self) -> std::sync::MutexGuard<'_, Heard> {
        self.inner
            .told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn again(&self) -> Self {
        Self {
            inner: self.inner.clone(),
        }
    }
}

/// Makes a page for whoever comes, if it is for her.
pub async fn answer<F, Made>(
    site: Arc<Site>,
    request: Request,
    whom: For,
    id: String,
    make: F,
) -> Response
where
    F: Fn(Visit) -> Made,
    Made: Future<Output = Result<Page, Stop>>,
{
    visited(site, request, id, async |visit| {
        let inner = &visit.inner;
        if !inner.signed_in && whom != For::Certificate {
            return Ok(super::sign_in::first(visit));
        }
        if !whom.is_open_to(inner.role, inner.signed_in) {
            let role = inner.role.code();
            return Err(Stop::Refused(Refusal::RoleNotAllowed { role }));
        }
        if inner.method == Method::POST && inner.key.is_none() {
            return Err(Stop::Refused(Refusal::CrossSite));
        }
        make(visit.again()).await
    })
    .await
}

/// What is no page.
pub async fn absent(site: Arc<Site>, request: Request) -> Response {
    visited(site, request, String::new(), async |_| {
        Err(Stop::Refused(Refusal::NotFound))
    })
    .await
}

/// A page that is asked for in another way.
pub async fn wrong_method(site: Arc<Site>, request: Request) -> Response {
    visited(site, request, String::new(), async |_| {
        Err(Stop::Refused(Refusal::MethodNotAllowed))
    })
    .await
}

async fn visited<F>(site: Arc<Site>, request: Request, id: String, make: F) -> Response
where
    F: AsyncFnOnce(&Visit) -> Result<Page, Stop>,
{
    let (parts, body) = request.into_parts();
    let received = parts
        .extensions
        .get::<ReceivedAt>()
        .map_or_else(Instant::now, |at| at.0);
    let app = site.app.clone();
    let page = match begin(site, parts, body, id).await {
        Ok((visit, fit)) => {
            let made = match fit {
                None => make(&visit).await,
                Some(refusal) => Err(Stop::Refused(refusal)),
            };
            let made = match made {
                Err(Stop::Refused(refusal)) => visit.refuse(refusal).await.map(page::refused),
                other => other,
            };
            match made {
                Ok(made) => page::whole(&visit, made),
                Err(Stop::NotListedYet(says)) => page::bare(503, &says),
                Err(Stop::Fault | Stop::Refused(_)) => page::broken(),
            }
        }
        Err(bare) => bare,
    };
    page::send(&app, received, page).await
}

/// Who comes, and with what. What is unfit is still a visit, so that its refusal is logged.
async fn begin(
    site: Arc<Site>,
    parts: Parts,
    body: Body,
    id: String,
) -> Result<(Visit, Option<Refusal>), page::Whole> {
    let Some(peer) = parts.extensions.get::<Peer>().cloned() else {
        return Err(page::bare(401, page::NO_CERTIFICATE));
    };
    let Some(user) = peer.name().user.as_ref() else {
        // An attempt like any other, so it has its entry before it is answered (P2).
        let told = site.api.ask(Asked {
            peer: &peer,
            method: parts.method.clone(),
            path: parts.uri.path(),
            headers: HeaderMap::new(),
            body: Vec::new(),
            refuse: Some(Refusal::NotFound),
        });
        return Err(match told.await {
            Some(told) if told.status < 500 => page::bare(403, page::FOR_PEOPLE),
            Some(_) | None => page::broken(),
        });
    };
    let Ok(user) = UserName::parse(user.as_str()) else {
        return Err(page::bare(401, page::NO_CERTIFICATE));
    };
    let Ok(roles) = site.app.gateway.roles(&peer).await else {
        return Err(page::broken());
    };
    let Some(first) = roles.first().copied() else {
        return Err(page::bare(401, page::NO_CERTIFICATE));
    };
    let wanted = cookie(&parts.headers, ROLE_COOKIE).and_then(|code| Role::parse(&code));
    let role = wanted.filter(|role| roles.contains(role)).unwrap_or(first);
    let now = site.app.gateway.time();
    let rules = site.app.gateway.rules.load();
    let session = cookie(&parts.headers, SESSION_COOKIE)
        .filter(|value| Session::check(&rules.keys.session, &peer, &user, now, value));

    let mut unfit = is_cross_site(&parts).then_some(Refusal::CrossSite);
    let mut form = Form::default();
    if parts.method == Method::POST {
        match read_body(body, FORM_BYTES_MAX, FORM_WITHIN).await {
            Ok(bytes) => form = Form::parse(&bytes),
            Err(BodyError::TooLarge) => unfit = Some(Refusal::TooLarge),
            Err(BodyError::CutOff | BodyError::Slow) => {
                unfit = Some(field("body", "the line broke off; send it again"));
            }
        }
    }
    let key = FormToken::check(&rules.keys.forms, &peer, &user, now, form.get("form"));
    let query = parts.uri.query().unwrap_or_default();
    let inner = Inner {
        peer,
        user,
        role,
        roles,
        signed_in: session.is_some(),
        id,
        method: parts.method.clone(),
        path: parts.uri.path().to_owned(),
        query: Form::parse(query.as_bytes()),
        form,
        key: key.map(|key| key.as_str().to_owned()),
        now,
        told: Mutex::new(Heard {
            session,
            ..Heard::default()
        }),
        site: site.clone(),
    };
    let visit = Visit {
        inner: Arc::new(inner),
    };
    Ok((visit, unfit))
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all("cookie").iter();
    let pairs = all
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'));
    let mut pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
    pairs
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned())
}

impl Visit {
    /// The cookies that a page leaves: the session, fresh for ten minutes, until she signs out.
    pub(super) fn cookies(&self, page: &Page) -> Vec<String> {
        let attributes = "Path=/; Secure; HttpOnly; SameSite=Strict";
        let mut cookies = Vec::new();
        if page.signs_out {
            cookies.push(format!("{SESSION_COOKIE}=; Max-Age=0; {attributes}"));
            cookies.push(format!("{ROLE_COOKIE}=; Max-Age=0; {attributes}"));
            return cookies;
        }
        let gateway = &self.inner.site.app.gateway;
        // Later than a session that this visit itself opened.
        let (rules, now) = (gateway.rules.load(), gateway.time());
        let (peer, user) = (&self.inner.peer, &self.inner.user);
        let heard = self.heard();
        // A page that asked nothing of the API is use of the session all the same.
        let fresh = heard
            .session
            .as_ref()
            .and_then(|value| Session::renew(&rules.keys.session, peer, user, now, value));
        if let Some(fresh) = fresh {
            cookies.push(format!("{SESSION_COOKIE}={fresh}; {attributes}"));
        }
        if let Some(role) = page.role {
            cookies.push(format!("{ROLE_COOKIE}={}; {attributes}", role.code()));
        }
        cookies
    }
}
