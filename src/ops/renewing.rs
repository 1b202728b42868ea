//! The authority with which the running gateway renews people's certificates (`renewals.ca`).
//!
//! Its key says who calls and opens nothing: what a caller may do is a fact in the store. A person's
//! key is made here, goes into her file, and is wiped.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::cert::client_profile;
use super::config::Config;
use super::pki::{CERTIFICATE_DAYS, Ca, PkiError, key_and_csr, pkcs12, spki_of};
use crate::domain::handover::BundleForm;
use crate::domain::peer::SpiffeName;
use crate::domain::time::When;
use crate::edge::http::renewals::{CannotIssue, Issuer, NewKey};

/// What the operator must fix.
#[derive(Debug, thiserror::Error)]
pub enum CannotRenew {
    #[error("renewals.ca: {0}; make it with `firedoor cert ca`, or set renewals.ca = \"\"")]
    Authority(#[source] PkiError),
    #[error("tls.client_ca: cannot read {0} ({1})")]
    Unreadable(PathBuf, #[source] std::io::Error),
    #[error(
        "renewals.ca: nobody would be let in with what {0} issues: add its ca.pem to tls.client_ca and \
         its crl.pem to tls.crl, or set renewals.ca = \"\""
    )]
    NotTrusted(PathBuf),
}

/// An authority in a folder, which `tls.client_ca` names too.
pub struct Renewing {
    dir: PathBuf,
    client_ca: PathBuf,
    trust_domain: String,
}

impl Renewing {
    /// `None` if the configuration names no authority.
    pub fn open(config: &Config) -> Result<Option<Arc<Self>>, CannotRenew> {
        let Some(dir) = &config.renewals else {
            return Ok(None);
        };
        let renewing = Self {
            dir: dir.clone(),
            client_ca: config.tls.client_ca.clone(),
            trust_domain: config.trust_domain.clone(),
        };
        renewing.authority()?;
        Ok(Some(Arc::new(renewing)))
    }

    /// Read anew each time, so that no key stays in memory between two renewals, and a file that
    /// opens nothing is never handed over.
    fn authority(&self) -> Result<Ca, CannotRenew> {
        let ca = Ca::open(&self.dir).map_err(CannotRenew::Authority)?;
        let unreadable = |error| CannotRenew::Unreadable(self.client_ca.clone(), error);
        let trusted = fs::read(&self.client_ca).map_err(unreadable)?;
        match ca.is_among(&trusted).map_err(CannotRenew::Authority)? {
            true => Ok(ca),
            false => Err(CannotRenew::NotTrusted(self.dir.clone())),
        }
    }

    /// Until when what is issued now holds.
    pub fn until(&self, now: When) -> Result<When, CannotRenew> {
        let until = self.authority()?.until(now, CERTIFICATE_DAYS);
        until.map_err(CannotRenew::Authority)
    }
}

impl From<CannotRenew> for CannotIssue {
    fn from(error: CannotRenew) -> Self {
        Self(error.to_string())
    }
}

impl From<PkiError> for CannotIssue {
    fn from(error: PkiError) -> Self {
        Self(error.to_string())
    }
}

impl Issuer for Renewing {
    fn key(&self, now: When) -> Result<NewKey, CannotIssue> {
        let not_after = self.until(now)?;
        // What a request asks to be called reaches no certificate.
        let (secret, request) = key_and_csr("client")?;
        Ok(NewKey {
            spki_sha256: spki_of(request.as_bytes())?,
            secret,
            request,
            made_at: now,
            not_after,
        })
    }

    fn file(
        &self,
        key: &NewKey,
        name: SpiffeName,
        password: &str,
        form: BundleForm,
    ) -> Result<Zeroizing<Vec<u8>>, CannotIssue> {
        let ca = self.authority()?;
        let shown = name.user.as_ref().map_or("", |user| user.as_str());
        let shown = format!("Firedoor {shown}");
        let profile = client_profile(name, &self.trust_domain);
        let csr = key.request.as_bytes();
        let issued = ca.issue(csr, &profile, key.made_at, CERTIFICATE_DAYS)?;
        let (certificate, chain) = (issued.pem.as_bytes(), ca.certificate_pem()?);
        Ok(pkcs12(
            certificate,
            &key.secret,
            &chain,
            &shown,
            password,
            form,
        )?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::clock::now;
    use std::path::Path;

    const DOMAIN: &str = "gateway.example.org";

    fn config(dir: &Path, renewals: &str) -> Config {
        let text = format!(
            "[renewals]\nca = \"{renewals}\"\n[log]\norigin = \"{DOMAIN}/log\"\n\
             [tls]\nclient_ca = \"clients.pem\"\n"
        );
        Config::parse(&text, &dir.join("firedoor.toml")).unwrap()
    }

    #[test]
    fn an_authority_that_lets_nobody_in_does_not_start() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path();
        let make = |name: &str| Ca::create(&at.join(name), name, now(), 400).unwrap();
        let (enrols, renews) = (make("enrols"), make("renews"));
        let trust = |all: &[&Ca]| {
            let pem: Vec<Vec<u8>> = all.iter().map(|ca| ca.certificate_pem().unwrap()).collect();
            fs::write(at.join("clients.pem"), pem.concat()).unwrap();
        };
        let open = |renewals| Renewing::open(&config(at, renewals)).map(|found| found.is_some());
        assert!(!open("").unwrap());
        trust(&[&enrols]);
        let refused = open("renews").unwrap_err();
        assert!(matches!(refused, CannotRenew::NotTrusted(_)), "{refused}");
        assert!(
            refused
                .to_string()
                .contains("add its ca.pem to tls.client_ca")
        );
        assert!(matches!(open("none"), Err(CannotRenew::Authority(_))));
        trust(&[&enrols, &renews]);
        assert!(open("renews").unwrap() && open("enrols").unwrap());
    }

    #[test]
    fn the_key_that_was_decided_on_is_the_one_that_is_certified_until_then() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path();
        let ca = Ca::create(&at.join("ca"), "Clients", now(), 400).unwrap();
        fs::write(at.join("clients.pem"), ca.certificate_pem().unwrap()).unwrap();
        let renewing = Renewing::open(&config(at, "ca")).unwrap().unwrap();
        let key = renewing.key(now()).unwrap();
        let uri = format!("spiffe://{DOMAIN}/org/haven/team/office/user/ha1");
        let name = SpiffeName::parse(&uri, DOMAIN).unwrap();
        let password = "abcd-efgh-ijkm-npqr";
        let file = renewing
            .file(&key, name, password, BundleForm::Modern)
            .unwrap();
        assert!(!file.is_empty());
        let listed = ca.list().unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].spki_sha256, key.spki_sha256);
        assert_eq!(listed[0].name, uri);
        // The index knows whole seconds as the certificate does.
        assert!((listed[0].not_after.millis() - key.not_after.millis()).abs() < 1_000);
        assert!(key.not_after <= now().plus_days(i64::from(CERTIFICATE_DAYS)));
    }
}
