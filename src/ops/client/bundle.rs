//! A folder with everything that one client needs: certificate, key, authority, and who it is.
//!
//! The key never leaves its file; a session is kept beside it, for its owner only.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use totp_rs::{Builder, Secret};
use zeroize::Zeroizing;

use super::ClientFault;
use super::caller::{Caller, GatewayUrl, Named};
use crate::edge::tls::ClientTls;
use crate::ops::clock;

/// The names of the files in a bundle.
pub const CERTIFICATE: &str = "client.pem";
pub const KEY: &str = "client.key";
pub const AUTHORITY: &str = "ca.pem";
pub const PROFILE: &str = "client.toml";
/// The shared secret of the second factor in base32, as authenticator apps take it: beside the key
/// for demos and tests only, because whoever copies the folder then has both factors.
pub const TOTP_SECRET: &str = "totp.secret";
const SESSION: &str = "session";
const RECEIPTS: &str = "receipts";

const DEFAULT_URL: &str = "https://localhost:8443";

/// What a bundle says of its client. All of it can be overridden on the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BundleProfile {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The user that a system names; absent for a person's certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

/// Which certificate, which gateway, who asks.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct ConnectionArgs {
    /// Folder with client.pem, client.key, ca.pem and client.toml
    #[arg(long, value_name = "DIR", global = true)]
    pub bundle: Option<PathBuf>,
    /// Certificate (PEM), instead of the bundle's
    #[arg(long, value_name = "FILE", global = true)]
    pub cert: Option<PathBuf>,
    /// Key of the certificate (PEM)
    #[arg(long, value_name = "FILE", global = true)]
    pub key: Option<PathBuf>,
    /// Authority of the gateway's certificate (PEM)
    #[arg(long, value_name = "FILE", global = true)]
    pub ca: Option<PathBuf>,
    /// The gateway, as https://localhost:8443
    #[arg(long, global = true)]
    pub url: Option<String>,
    /// Who asks, as your organisation names her; with a system's certificate only
    #[arg(long, global = true)]
    pub user: Option<String>,
    /// In which role, as officer or triage
    #[arg(long, global = true)]
    pub role: Option<String>,
    /// For which purpose, if not the usual one of the role
    #[arg(long, global = true)]
    pub purpose: Option<String>,
    /// The key of a request that you send again
    #[arg(long, value_name = "KEY", global = true)]
    pub idempotency_key: Option<String>,
    /// Folder in which every receipt is kept, for `firedoor-verify receipt`. What a withdrawal is
    /// answered with is always kept: here, or in the bundle's folder receipts
    #[arg(long, value_name = "DIR", global = true)]
    pub receipts: Option<PathBuf>,
    /// Print the reply as it is
    #[arg(long, global = true)]
    pub json: bool,
    /// Compute the second factor from this secret (base32): for demos and tests only
    #[arg(long, value_name = "FILE", global = true)]
    pub totp_secret_file: Option<PathBuf>,
}

impl ConnectionArgs {
    fn file(&self, given: Option<&PathBuf>, name: &str) -> Result<PathBuf, ClientFault> {
        match (given, &self.bundle) {
            (Some(path), _) => Ok(path.clone()),
            (None, Some(bundle)) => Ok(bundle.join(name)),
            (None, None) => Err(ClientFault::NoCertificate),
        }
    }

    fn profile(&self) -> Result<BundleProfile, ClientFault> {
        let Some(path) = self.bundle.as_ref().map(|bundle| bundle.join(PROFILE)) else {
            return Ok(BundleProfile::default());
        };
        if !path.exists() {
            return Ok(BundleProfile::default());
        }
        let text = super::read_text(&path)?;
        toml::from_str(&text).map_err(|error| ClientFault::Bundle(path, error.message().to_owned()))
    }

    /// Connects, and takes up a session that is still in the bundle.
    ///
    /// # Errors
    /// [`ClientFault`]: which file is missing, or why the gateway did not answer.
    pub async fn connect(&self) -> Result<Caller, ClientFault> {
        let certificate = super::read(&self.file(self.cert.as_ref(), CERTIFICATE)?)?;
        let key = Zeroizing::new(super::read(&self.file(self.key.as_ref(), KEY)?)?);
        let authority = super::read(&self.file(self.ca.as_ref(), AUTHORITY)?)?;
        let profile = self.profile()?;
        let url = self.url.clone().or(profile.url);
        let url = GatewayUrl::parse(url.as_deref().unwrap_or(DEFAULT_URL))?;
        let tls = ClientTls::new(&authority, Some((&certificate, &key)), Arc::new(clock::now))?;
        let named = Named {
            user: self.user.clone().or(profile.user),
            role: self.role.clone().or(profile.role),
        };
        let mut caller = Caller::connect(&url, tls, named).await?;
        caller.session = self.session_file().and_then(|path| {
            let text = std::fs::read_to_string(path).ok()?;
            Some(text.trim().to_owned()).filter(|text| !text.is_empty())
        });
        Ok(caller)
    }

    /// Where receipts and withdrawals lie: as given, or else in the bundle.
    pub fn receipts_dir(&self) -> Option<PathBuf> {
        let in_bundle = self.bundle.as_ref().map(|bundle| bundle.join(RECEIPTS));
        self.receipts.clone().or(in_bundle)
    }

    fn session_file(&self) -> Option<PathBuf> {
        self.bundle.as_ref().map(|bundle| bundle.join(SESSION))
    }

    /// Keeps the session for the next command, as every reply renews it.
    pub fn keep_session(&self, caller: &Caller) -> Result<(), ClientFault> {
        let (Some(path), Some(session)) = (self.session_file(), &caller.session) else {
            return Ok(());
        };
        let write = || {
            let mut file = OpenOptions::new()
                .create(true)
                .truncate(true)
                .write(true)
                .mode(0o600)
                .open(&path)?;
            writeln!(file, "{session}")
        };
        write().map_err(|error| ClientFault::File(path.clone(), error))
    }

    /// The file of the second factor's secret, if there is one.
    pub fn totp_secret(&self) -> Option<PathBuf> {
        let in_bundle = self.bundle.as_ref().map(|bundle| bundle.join(TOTP_SECRET));
        self.totp_secret_file
            .clone()
            .or(in_bundle.filter(|path| path.exists()))
    }
}

/// The six digits of this moment, from a secret in base32.
///
/// # Errors
/// [`ClientFault::Totp`] if the file holds no such secret.
pub fn totp_code(path: &Path) -> Result<String, ClientFault> {
    let text = Zeroizing::new(super::read_text(path)?);
    let bad = || ClientFault::Totp(path.to_owned());
    let secret = Secret::try_from_base32(text.trim()).map_err(|_| bad())?;
    let seconds = u64::try_from(clock::now().millis() / 1_000).unwrap_or(0);
    code_at(secret.as_ref(), seconds).ok_or_else(bad)
}

/// SHA-1, six digits, 30 seconds: what every authenticator app does (RFC 6238).
pub fn code_at(secret: &[u8], seconds: u64) -> Option<String> {
    let totp = Builder::new().with_secret(secret.to_vec()).build().ok()?;
    Some(totp.generate(seconds).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_that_of_the_standard() {
        // RFC 6238, appendix B: the last six of the eight digits given there.
        let secret = b"12345678901234567890";
        assert_eq!(code_at(secret, 59).unwrap(), "287082");
        assert_eq!(code_at(secret, 1_111_111_109).unwrap(), "081804");
    }
}
