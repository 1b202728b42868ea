//! Renewing in the browser: the gateway makes a person's key and certificate, hands both over in one
//! file, and forgets the key.
//!
//! The decision comes first. Only a certificate whose listing is in the log is made, so that a file
//! which anybody has is one that the log knows of.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::App;
use super::call::{Call, Halt, Route, field, handle};
use super::referrals::Reply;
use super::reply::{envelope, finish};
use crate::domain::answer::Answer;
use crate::domain::attempt::IdempotencyKey;
use crate::domain::codes::Action;
use crate::domain::handover::{BundleForm, password_of};
use crate::domain::id::{TeamId, UserId};
use crate::domain::journey::governing::Renewal;
use crate::domain::peer::SpiffeName;
use crate::domain::refusal::Refusal;
use crate::domain::time::When;

/// An authority that the running gateway may issue with.
pub trait Issuer: Send + Sync {
    /// A new key, and until when a certificate for it would last.
    fn key(&self, now: When) -> Result<NewKey, CannotIssue>;

    /// Certifies the key under a name, and seals both into one file (PKCS#12).
    fn file(
        &self,
        key: &NewKey,
        name: SpiffeName,
        password: &str,
        form: BundleForm,
    ) -> Result<Zeroizing<Vec<u8>>, CannotIssue>;
}

/// A key that has no certificate yet. It is wiped when it is dropped, and cannot be printed.
pub struct NewKey {
    pub secret: Zeroizing<Vec<u8>>,
    /// The request for its certificate, in PEM.
    pub request: String,
    pub spki_sha256: [u8; 32],
    pub made_at: When,
    pub not_after: When,
}

/// What the operator must fix; of nobody.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CannotIssue(pub String);

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewalIn {
    /// Whose certificate, as it names her.
    pub user: String,
    pub team: String,
    /// `modern` for Windows 10 and 11, Chromebook and Linux; `legacy` for Mac, iPhone, Android and
    /// older Windows.
    pub form: String,
}

struct Asked {
    user: UserId,
    team: TeamId,
    form: BundleForm,
}

impl RenewalIn {
    fn parse(&self) -> Result<Asked, Refusal> {
        let short = "2 to 32 of a-z, 0-9 and '-', as in her certificate";
        Ok(Asked {
            user: UserId::parse(&self.user).map_err(|_| field("user", short))?,
            team: TeamId::parse(&self.team).map_err(|_| field("team", short))?,
            form: BundleForm::parse(&self.form)
                .ok_or_else(|| field("form", "give modern or legacy"))?,
        })
    }
}

/// Renews the certificate of a person of your own teams: a new key in one file, and its password, told
/// this once. The one before goes on until its end.
#[utoipa::path(post, path = "/v1/renewals", tag = "governance", request_body = RenewalIn,
    responses((status = 200, description = "listed, and handed over", body = Reply)))]
pub async fn renew(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(app, request, Route::create(Action::Propose), async |call| {
        let input: RenewalIn = call.json()?;
        let asked = input.parse()?;
        let attempt = call.attempt()?;
        let issuer = call.app.issuer.clone().ok_or_else(|| unable(NOT_HERE))?;
        // The key of the request is asked for before this, so it is there.
        let request = attempt.idempotency.clone();
        let request = request.ok_or_else(|| unable(NOT_NOW))?;
        let now = attempt.when;
        let of = issuer.clone();
        let key = apart(move || of.key(now))
            .await
            .ok_or_else(|| unable(NOT_NOW))?;
        let renewal = Renewal {
            team: asked.team.clone(),
            user: asked.user.clone(),
            spki_sha256: key.spki_sha256,
            not_after: key.not_after,
        };
        let answered = call.app.gateway.renew_own(attempt, &renewal).await?;
        let is_issued = matches!(answered.answer, Answer::Issued);
        let (status, mut value) = envelope(call, answered);
        if is_issued && let Value::Object(map) = &mut value {
            map.append(&mut handed_over(call, issuer, key, asked, &request).await);
        }
        Ok(finish(call, status, &value))
    })
    .await
}

const NOT_HERE: &str = "this gateway makes no certificates; telephone the operator";
const NOT_NOW: &str = "no certificate can be made at the moment; telephone the operator";

fn unable(message: &'static str) -> Halt {
    field("certificate", message).into()
}

/// The file and its password. Without them the renewal is listed all the same, and harms nobody: its
/// key is gone.
async fn handed_over(
    call: &Call,
    issuer: Arc<dyn Issuer>,
    key: NewKey,
    asked: Asked,
    request: &IdempotencyKey,
) -> serde_json::Map<String, Value> {
    let forms = call.app.gateway.rules.load().keys.forms;
    let password = password_of(&forms, &call.peer, call.user(), request);
    let name = SpiffeName {
        organisation: call.peer.name().organisation.clone(),
        team: asked.team,
        user: Some(asked.user),
    };
    let (said, until) = (password.clone(), key.not_after);
    let made = apart(move || issuer.file(&key, name, &said, asked.form)).await;
    let mut told = serde_json::Map::new();
    match made {
        Some(bytes) => {
            told.insert("p12".to_owned(), json!(BASE64_STANDARD.encode(&*bytes)));
            told.insert("password".to_owned(), json!(&*password));
            told.insert("not_after".to_owned(), json!(until.rfc3339()));
        }
        None => {
            told.insert("says".to_owned(), json!(NOT_MADE));
        }
    }
    told
}

const NOT_MADE: &str = "The certificate is listed, but its file could not be made. Renew again; if it \
     goes on, telephone the operator.";

/// What takes a processor or a disk for a while. What went wrong is the operator's to know.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CannotIssue> + Send + 'static,
) -> Option<T> {
    let done = tokio::task::spawn_blocking(work).await;
    match done {
        Ok(Ok(made)) => Some(made),
        Ok(Err(error)) => {
            tracing::error!(%error, "no certificate can be made");
            None
        }
        Err(_) => {
            tracing::error!("no certificate can be made: the work broke off");
            None
        }
    }
}
