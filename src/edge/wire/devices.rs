//! The second factor, and what a person proves herself with, as it is sent.

use serde::Deserialize;
use totp_rs::{Builder, Secret as Base32};
use utoipa::ToSchema;

use super::text::{FreeText, Secret};
use super::{FieldError, Wrong};
use crate::domain::device::NAME_CHARS_MAX;
use crate::domain::firewall::hold::{ScreenedText, Written};
use crate::domain::organisation::TotpSecret;

/// What an authenticator app shows above its codes.
pub const ISSUER: &str = "Firedoor";

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondFactorIn {
    /// The six digits that the phone shows.
    pub code: Secret,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeyIn {
    /// What `navigator.credentials` gave, as JSON text (`PublicKeyCredential.toJSON`).
    pub passkey: Secret,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceProofIn {
    /// The six digits that the new app shows.
    pub code: Option<Secret>,
    /// What `navigator.credentials` gave, as JSON text (`PublicKeyCredential.toJSON`).
    pub passkey: Option<Secret>,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    AuthenticatorApp,
    Passkey,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceIn {
    pub kind: DeviceKind,
    /// A name for it, for yourself.
    pub name: FreeText,
}

impl Written for DeviceIn {
    fn free_texts(&self) -> Vec<(&'static str, &str)> {
        let Self { kind: _, name } = self;
        vec![("name", name.text())]
    }
}

impl ScreenedText<DeviceIn> {
    /// # Errors
    /// What is wrong with the name.
    pub fn parse(self) -> Result<(DeviceKind, String), Vec<FieldError>> {
        let DeviceIn { kind, name } = self.into_inner();
        let name = name.take().trim().to_owned();
        let mut wrong = Wrong::default();
        let fits = (1..=NAME_CHARS_MAX).contains(&name.chars().count());
        if !fits || name.chars().any(char::is_control) {
            wrong.add("name", "give it a name of up to 40 characters");
        }
        wrong.finish((kind, name))
    }
}

/// What an authenticator app is given, to type and as a link (Key URI Format): shown to its owner, once.
pub fn app_key(secret: &TotpSecret, account: &str) -> (String, String) {
    let bytes = secret.bytes().to_vec();
    let typed = Base32::from(bytes.clone()).to_base32();
    let totp = Builder::new()
        .with_secret(bytes)
        .with_issuer(Some(ISSUER.to_owned()))
        .with_account_name(account.to_owned())
        .build();
    let link = totp.ok().and_then(|totp| totp.to_url().ok());
    (typed, link.unwrap_or_default())
}
