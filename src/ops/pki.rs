//! Issues certificates, revocation lists and PKCS#12 bundles with OpenSSL.
//!
//! What a certificate says comes from the operator's [`Profile`]; a request gives nothing but its
//! key. Nobody who enforces immigration law is given one (F1), no key is written where the data
//! lies (P6), and nothing is issued that the index does not hold, so that it can be revoked.

mod bundle;
mod folder;
mod request;
mod statement;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use openssl::asn1::{Asn1Integer, Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, CrlNumber, ExtendedKeyUsage, KeyUsage,
    SubjectAlternativeName, SubjectKeyIdentifier,
};
use openssl::x509::{
    X509, X509Builder, X509CrlBuilder, X509Extension, X509Name, X509NameRef, X509RevokedBuilder,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

pub use crate::domain::handover::BundleForm;
pub use bundle::pkcs12;
pub use folder::{refuse_under, write_secret};
pub use request::{key_and_csr, spki_of};
pub use statement::{check_statement, sign_statement};

use crate::domain::firewall::names::immigration_enforcement_name;
use crate::domain::peer::SpiffeName;
use crate::domain::time::When;
use folder::{Folder, Ledger};
use request::Request;

/// What browsers take for a server; the same for everyone.
pub const CERTIFICATE_DAYS_MAX: u32 = 398;
pub const AUTHORITY_DAYS_MAX: u32 = 3_660;
/// How long a person's or a system's lasts unless told otherwise.
pub const CERTIFICATE_DAYS: u32 = 365;
/// How long a revocation list lasts unless told otherwise. After it, no client is accepted.
pub const REVOCATION_LIST_DAYS: u32 = 30;

/// A client whose clock is a little behind can use a new certificate at once.
const BACKDATED_MILLIS: i64 = 5 * 60_000;
/// Expired certificates stay on the list, for gateways whose clock is behind.
const LISTED_AFTER_EXPIRY_DAYS: i64 = 30;

/// What the operator must fix.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    #[error("{0}: {1}")]
    File(PathBuf, #[source] std::io::Error),
    #[error("{0} is not what the certificate authority wrote: restore it from a backup")]
    Damaged(PathBuf),
    #[error("{0} exists already: choose another place")]
    Exists(PathBuf),
    #[error("a key may not lie under data_dir: choose another place for it")]
    KeyUnderData,
    #[error("no organisation that enforces immigration law can have a certificate")]
    ImmigrationEnforcement,
    #[error("the request cannot be used: {0}")]
    Request(&'static str),
    #[error("this key was revoked, or belongs to another name: make a new one")]
    KeyTaken,
    #[error("a certificate lasts 1 to {0} days, and not longer than its authority")]
    Days(u32),
    #[error("no certificate of this authority has that serial number")]
    UnknownSerial,
    #[error("a password has 12 to 128 characters")]
    Password,
    #[error("openssl: {0}")]
    OpenSsl(#[from] ErrorStack),
}

/// A certificate's number: 128 random bits, of which the first is 0 and the second is 1, so that
/// it is positive and always as long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial([u8; 16]);

impl Serial {
    fn random() -> Result<Self, ErrorStack> {
        let mut bytes = [0; 16];
        openssl::rand::rand_bytes(&mut bytes)?;
        let [first, ..] = &mut bytes;
        *first = (*first & 0x3f) | 0x40;
        Ok(Self(bytes))
    }

    /// Reads 32 hexadecimal digits; colons between them do not matter.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: String = text.chars().filter(|c| *c != ':').collect();
        let plain = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let value = u128::from_str_radix(&digits, 16).ok()?;
        plain.then(|| Self(value.to_be_bytes()))
    }

    fn asn1(self) -> Result<Asn1Integer, ErrorStack> {
        Asn1Integer::from_bn(BigNum::from_slice(&self.0)?.as_ref())
    }
}

impl std::fmt::Display for Serial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// What a certificate is for, and the name it gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Profile {
    /// An agency's system, which asserts its user on each request.
    System {
        name: SpiffeName,
        trust_domain: String,
    },
    /// One person; `name` has a user.
    Person {
        name: SpiffeName,
        trust_domain: String,
    },
    /// The gateway itself.
    Server {
        hosts: Vec<String>,
        addresses: Vec<IpAddr>,
    },
}

impl Profile {
    /// For the demo and for trying out.
    pub fn localhost() -> Self {
        Self::Server {
            hosts: vec!["localhost".to_owned()],
            addresses: vec![IpAddr::from([127, 0, 0, 1])],
        }
    }

    /// How lists and the index call it.
    fn label(&self) -> String {
        match self {
            Self::System { name, trust_domain } | Self::Person { name, trust_domain } => {
                name.uri(trust_domain)
            }
            Self::Server { hosts, addresses } => {
                let addresses = addresses.iter().map(ToString::to_string);
                hosts
                    .iter()
                    .cloned()
                    .chain(addresses)
                    .collect::<Vec<_>>()
                    .join(" ")
            }
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::System { .. } => Kind::System,
            Self::Person { .. } => Kind::Person,
            Self::Server { .. } => Kind::Server,
        }
    }

    fn check(&self) -> Result<(), PkiError> {
        let sound = match self {
            Self::System { name, .. } => name.user.is_none(),
            Self::Person { name, .. } => name.user.is_some(),
            Self::Server { hosts, .. } => hosts.iter().any(|host| !host.is_empty()),
        };
        if !sound {
            let why = "a person has a user, a system has none, a server has a host name";
            return Err(PkiError::Request(why));
        }
        refuse_enforcers([self.label().as_str()])
    }

    fn subject(&self) -> Result<X509Name, ErrorStack> {
        let mut subject = X509Name::builder()?;
        match self {
            Self::System { name, .. } | Self::Person { name, .. } => {
                subject.append_entry_by_nid(Nid::ORGANIZATIONNAME, name.organisation.as_str())?;
                subject.append_entry_by_nid(Nid::ORGANIZATIONALUNITNAME, name.team.as_str())?;
                let person = name.user.as_ref().map(|user| user.as_str());
                subject.append_entry_by_nid(Nid::COMMONNAME, person.unwrap_or("system"))?;
            }
            Self::Server { hosts, .. } => {
                // The name that counts is the alternative one; this one is for people.
                let host = hosts.first().map_or("firedoor", String::as_str);
                let short: String = host.chars().take(64).collect();
                subject.append_entry_by_nid(Nid::COMMONNAME, &short)?;
            }
        }
        Ok(subject.build())
    }

    fn alternative_names(&self) -> SubjectAlternativeName {
        let mut names = SubjectAlternativeName::new();
        match self {
            Self::System { name, trust_domain } | Self::Person { name, trust_domain } => {
                names.uri(&name.uri(trust_domain));
            }
            Self::Server { hosts, addresses } => {
                for host in hosts {
                    names.dns(host);
                }
                for address in addresses {
                    names.ip(&address.to_string());
                }
            }
        }
        names
    }

    /// Critical and alone: a server's certificate is none for a client.
    fn usage(&self) -> Result<X509Extension, ErrorStack> {
        let mut usage = ExtendedKeyUsage::new();
        match self {
            Self::System { .. } | Self::Person { .. } => usage.critical().client_auth().build(),
            Self::Server { .. } => usage.critical().server_auth().build(),
        }
    }
}

fn refuse_enforcers<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<(), PkiError> {
    if names.into_iter().any(immigration_enforcement_name) {
        return Err(PkiError::ImmigrationEnforcement);
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    System,
    Person,
    Server,
}

/// A certificate, ready to be handed over.
#[derive(Clone, Debug)]
pub struct Issued {
    pub pem: String,
    pub serial: Serial,
    /// SHA-256 of the public key's SubjectPublicKeyInfo, as enrolment records it.
    pub spki_sha256: [u8; 32],
    pub not_after: When,
}

/// What the index holds of a certificate. Names people: as private as a staff list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub serial: Serial,
    pub kind: Kind,
    pub name: String,
    pub spki_sha256: [u8; 32],
    pub not_after: When,
    pub revoked: Option<When>,
}

/// A certificate authority in a folder of its own: `ca.pem`, `ca.key`, `crl.pem`, `index.json`.
///
/// Several processes may use it at once; each change is made under a lock and is atomic.
pub struct Ca {
    folder: Folder,
    certificate: X509,
    key: PKey<Private>,
}

impl Ca {
    /// Makes the folder, a P-256 key with mode 0600, a certificate for itself, and an empty
    /// revocation list. A second authority needs a second name: lists are found by it.
    pub fn create(dir: &Path, name: &str, now: When, days: u32) -> Result<Self, PkiError> {
        refuse_enforcers([name])?;
        if !(1..=64).contains(&name.chars().count()) {
            return Err(PkiError::Request(
                "an authority's name has 1 to 64 characters",
            ));
        }
        if !(1..=AUTHORITY_DAYS_MAX).contains(&days) {
            return Err(PkiError::Days(AUTHORITY_DAYS_MAX));
        }
        let folder = Folder::create(dir)?;
        let key = request::new_key()?;
        let mut subject = X509Name::builder()?;
        subject.append_entry_by_nid(Nid::COMMONNAME, name)?;
        let subject = subject.build();
        let not_after = now.plus_days(i64::from(days));
        let (mut builder, _) = new_certificate(&subject, &subject, now, not_after)?;
        builder.set_pubkey(&key)?;
        builder.append_extension(BasicConstraints::new().critical().ca().pathlen(0).build()?)?;
        let usage = KeyUsage::new()
            .critical()
            .key_cert_sign()
            .crl_sign()
            .build()?;
        builder.append_extension(usage)?;
        let key_id = SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None))?;
        builder.append_extension(key_id)?;
        builder.sign(&key, MessageDigest::sha256())?;
        let certificate = builder.build();
        folder.write_key(&key.private_key_to_pem_pkcs8()?)?;
        folder.write_certificate(&certificate.to_pem()?)?;
        let ca = Self {
            folder,
            certificate,
            key,
        };
        ca.crl(now, REVOCATION_LIST_DAYS)?;
        Ok(ca)
    }

    pub fn open(dir: &Path) -> Result<Self, PkiError> {
        let folder = Folder::open(dir)?;
        let damaged = |_| PkiError::Damaged(dir.to_owned());
        let certificate = X509::from_pem(&folder.read_certificate()?).map_err(damaged)?;
        let key = PKey::private_key_from_pem(&folder.read_key()?).map_err(damaged)?;
        if !certificate.public_key()?.public_eq(&key) {
            return Err(PkiError::Damaged(dir.to_owned()));
        }
        Ok(Self {
            folder,
            certificate,
            key,
        })
    }

    /// For `tls.client_ca`, and for clients to trust.
    pub fn certificate_path(&self) -> PathBuf {
        self.folder.certificate()
    }

    /// For `tls.crl`.
    pub fn crl_path(&self) -> PathBuf {
        self.folder.list()
    }

    pub fn certificate_pem(&self) -> Result<Vec<u8>, PkiError> {
        Ok(self.certificate.to_pem()?)
    }

    /// Certifies the key of a request under the profile's name, for at most [`CERTIFICATE_DAYS_MAX`]
    /// and the authority's own time.
    pub fn issue(
        &self,
        csr_pem: &[u8],
        profile: &Profile,
        now: When,
        days: u32,
    ) -> Result<Issued, PkiError> {
        let (not_before, not_after) = self.holds(now, days)?;
        profile.check()?;
        let request = Request::read(csr_pem)?;
        refuse_enforcers(request.names.iter().map(String::as_str))?;
        let issuer = self.certificate.subject_name();
        let (mut builder, serial) =
            new_certificate(&*profile.subject()?, issuer, not_before, not_after)?;
        builder.set_pubkey(&request.key)?;
        builder.append_extension(BasicConstraints::new().critical().build()?)?;
        let usage = KeyUsage::new().critical().digital_signature().build()?;
        builder.append_extension(usage)?;
        builder.append_extension(profile.usage()?)?;
        let context = builder.x509v3_context(Some(&self.certificate), None);
        let names = profile.alternative_names().build(&context)?;
        let key_id = SubjectKeyIdentifier::new().build(&context)?;
        let issuer_key_id = AuthorityKeyIdentifier::new().keyid(true).build(&context)?;
        builder.append_extension(names)?;
        builder.append_extension(key_id)?;
        builder.append_extension(issuer_key_id)?;
        builder.sign(&self.key, MessageDigest::sha256())?;
        let certificate = builder.build();
        let issued = Issued {
            pem: pem_text(certificate.to_pem()?),
            serial,
            spki_sha256: spki_sha256(&certificate)?,
            not_after,
        };
        let _lock = self.folder.lock()?;
        let mut ledger = self.folder.ledger()?;
        let name = profile.label();
        let taken = |entry: &Listed| entry.revoked.is_some() || entry.name != name;
        let same_key = |entry: &&Listed| entry.spki_sha256 == issued.spki_sha256;
        if ledger.certificates.iter().filter(same_key).any(taken) {
            return Err(PkiError::KeyTaken);
        }
        ledger.certificates.push(Listed {
            serial,
            kind: profile.kind(),
            name,
            spki_sha256: issued.spki_sha256,
            not_after,
            revoked: None,
        });
        // Before anyone has it: a certificate that the index does not hold cannot be revoked.
        self.folder.write_ledger(&ledger)?;
        Ok(issued)
    }

    /// Until when a certificate that is issued now for so many days holds.
    pub fn until(&self, now: When, days: u32) -> Result<When, PkiError> {
        self.holds(now, days).map(|(_, not_after)| not_after)
    }

    /// Whether it is one of the authorities in this PEM.
    pub fn is_among(&self, authorities_pem: &[u8]) -> Result<bool, PkiError> {
        let own = self.certificate.to_der()?;
        for authority in X509::stack_from_pem(authorities_pem)? {
            if authority.to_der()? == own {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes a certificate back, for good, and issues a list that says so. Again is no error.
    pub fn revoke(&self, serial: Serial, now: When) -> Result<(), PkiError> {
        let _lock = self.folder.lock()?;
        let mut ledger = self.folder.ledger()?;
        let mut entries = ledger.certificates.iter_mut();
        let entry = entries
            .find(|entry| entry.serial == serial)
            .ok_or(PkiError::UnknownSerial)?;
        entry.revoked = entry.revoked.or(Some(now));
        self.write_list(ledger, now, REVOCATION_LIST_DAYS)?;
        Ok(())
    }

    /// Issues a new revocation list, which holds for so many days; returns it in PEM.
    pub fn crl(&self, now: When, days: u32) -> Result<Vec<u8>, PkiError> {
        if !(1..=CERTIFICATE_DAYS_MAX).contains(&days) {
            return Err(PkiError::Days(CERTIFICATE_DAYS_MAX));
        }
        let _lock = self.folder.lock()?;
        self.write_list(self.folder.ledger()?, now, days)
    }

    /// Everything issued, oldest first.
    pub fn list(&self) -> Result<Vec<Listed>, PkiError> {
        Ok(self.folder.ledger()?.certificates)
    }

    /// Saves the ledger, then the list: what a list says is never forgotten.
    fn write_list(&self, mut ledger: Ledger, now: When, days: u32) -> Result<Vec<u8>, PkiError> {
        ledger.list_number += 1;
        self.folder.write_ledger(&ledger)?;
        let mut list = X509CrlBuilder::new()?;
        list.set_issuer_name(self.certificate.subject_name())?;
        let next_update = now.plus_days(i64::from(days));
        list.set_last_update(&*asn1_time(now)?)?;
        list.set_next_update(&*asn1_time(next_update)?)?;
        let number = BigNum::from_slice(&ledger.list_number.to_be_bytes())?;
        list.append_extension(CrlNumber::new(number)?.build()?)?;
        list.append_extension(self.key_identifier()?)?;
        let listed = |entry: &&Listed| now <= entry.not_after.plus_days(LISTED_AFTER_EXPIRY_DAYS);
        for entry in ledger.certificates.iter().filter(listed) {
            let Some(at) = entry.revoked else { continue };
            let mut revoked = X509RevokedBuilder::new()?;
            revoked.set_serial_number(&*entry.serial.asn1()?)?;
            revoked.set_revocation_date(&*asn1_time(at)?)?;
            list.add_revoked(revoked.build())?;
        }
        list.sort()?;
        list.sign(&self.key, MessageDigest::sha256())?;
        let pem = list.build()?.to_pem()?;
        self.folder.write_list(&pem)?;
        Ok(pem)
    }

    /// The AuthorityKeyIdentifier of a list (RFC 5280, 5.2.1), which the builder cannot derive:
    /// `SEQUENCE { [0] keyIdentifier }`.
    fn key_identifier(&self) -> Result<X509Extension, PkiError> {
        let damaged = || PkiError::Damaged(self.folder.certificate());
        let id = self
            .certificate
            .subject_key_id()
            .ok_or_else(damaged)?
            .as_slice();
        let length = u8::try_from(id.len()).ok().filter(|length| *length <= 64);
        let length = length.ok_or_else(damaged)?;
        let mut der = vec![0x30, length + 2, 0x80, length];
        der.extend_from_slice(id);
        let oid = Asn1Object::from_str("2.5.29.35")?;
        let content = Asn1OctetString::new_from_bytes(&der)?;
        Ok(X509Extension::new_from_der(&oid, false, &content)?)
    }

    /// When a certificate for so many days begins and ends: within the authority's own time.
    fn holds(&self, now: When, days: u32) -> Result<(When, When), PkiError> {
        let (from, until) = self.dates()?;
        if !(1..=CERTIFICATE_DAYS_MAX).contains(&days) || now < from || now >= until {
            return Err(PkiError::Days(CERTIFICATE_DAYS_MAX));
        }
        Ok((now.max(from), now.plus_days(i64::from(days)).min(until)))
    }

    fn dates(&self) -> Result<(When, When), PkiError> {
        let der = self.certificate.to_der()?;
        let (_, parsed) = X509Certificate::from_der(&der)
            .map_err(|_| PkiError::Damaged(self.folder.certificate()))?;
        let validity = parsed.validity();
        let when = |seconds: i64| When::from_millis(seconds.saturating_mul(1_000));
        let (from, until) = (validity.not_before, validity.not_after);
        Ok((when(from.timestamp()), when(until.timestamp())))
    }
}

fn new_certificate(
    subject: &X509NameRef,
    issuer: &X509NameRef,
    now: When,
    not_after: When,
) -> Result<(X509Builder, Serial), ErrorStack> {
    let serial = Serial::random()?;
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_serial_number(&*serial.asn1()?)?;
    builder.set_subject_name(subject)?;
    builder.set_issuer_name(issuer)?;
    builder.set_not_before(&*asn1_time(now.plus_millis(-BACKDATED_MILLIS))?)?;
    builder.set_not_after(&*asn1_time(not_after)?)?;
    Ok((builder, serial))
}

fn asn1_time(at: When) -> Result<Asn1Time, ErrorStack> {
    Asn1Time::from_unix(at.millis().div_euclid(1_000))
}

fn pem_text(pem: Vec<u8>) -> String {
    String::from_utf8_lossy(&pem).into_owned()
}

fn spki_sha256(certificate: &X509) -> Result<[u8; 32], PkiError> {
    let der = certificate.to_der()?;
    let (_, parsed) = X509Certificate::from_der(&der)
        .map_err(|_| PkiError::Request("the key cannot be read back"))?;
    Ok(Sha256::digest(parsed.public_key().raw).into())
}

#[cfg(test)]
mod tests;
