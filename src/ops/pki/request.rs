//! Certificate requests: making one, and reading one of somebody else's.
//!
//! A request proves that its sender has the key. What it asks to be called is looked at only to
//! refuse it; it never reaches a certificate.

use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private, Public};
use openssl::x509::{X509Name, X509Req};
use sha2::{Digest, Sha256};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;
use zeroize::Zeroizing;

use super::{PkiError, pem_text, refuse_enforcers};

const REQUEST_BYTES_MAX: usize = 16 * 1024;

pub(super) struct Request {
    pub(super) key: PKey<Public>,
    /// Every name that it asks for, of any kind.
    pub(super) names: Vec<String>,
}

impl Request {
    pub(super) fn read(pem: &[u8]) -> Result<Self, PkiError> {
        if pem.len() > REQUEST_BYTES_MAX {
            return Err(PkiError::Request("it is larger than 16 KiB"));
        }
        let request =
            X509Req::from_pem(pem).map_err(|_| PkiError::Request("it is not a PEM request"))?;
        let unreadable = |_| PkiError::Request("its key cannot be read");
        let key = request.public_key().map_err(unreadable)?;
        if !is_strong(&key) {
            let why = "its key must be EC P-256 or P-384, Ed25519, or RSA of 2,048 to 8,192 bits";
            return Err(PkiError::Request(why));
        }
        if !request.verify(&key).unwrap_or(false) {
            return Err(PkiError::Request("it is not signed with its own key"));
        }
        let names =
            names(&request.to_der()?).ok_or(PkiError::Request("its names cannot be read"))?;
        Ok(Self { key, names })
    }
}

fn is_strong(key: &PKey<Public>) -> bool {
    match key.id() {
        Id::EC => key.ec_key().is_ok_and(|key| {
            let curve = key.group().curve_name();
            matches!(curve, Some(Nid::X9_62_PRIME256V1 | Nid::SECP384R1))
        }),
        Id::ED25519 => true,
        Id::RSA => (2_048..=8_192).contains(&key.bits()),
        _ => false,
    }
}

/// `None` if a name cannot be read: what nobody can read, nobody can check.
fn names(der: &[u8]) -> Option<Vec<String>> {
    let (_, request) = X509CertificationRequest::from_der(der).ok()?;
    let subject = &request.certification_request_info.subject;
    let mut names = Vec::new();
    for attribute in subject.iter_attributes() {
        names.push(attribute.as_str().ok()?.to_owned());
    }
    // Also as one, for a name that is spread over several parts of the subject.
    names.push(names.join(" "));
    for extension in request.requested_extensions().into_iter().flatten() {
        if let ParsedExtension::SubjectAlternativeName(alternative) = extension {
            for name in &alternative.general_names {
                match name {
                    GeneralName::RFC822Name(text)
                    | GeneralName::DNSName(text)
                    | GeneralName::URI(text) => names.push((*text).to_owned()),
                    GeneralName::DirectoryName(name) => {
                        for attribute in name.iter_attributes() {
                            names.push(attribute.as_str().ok()?.to_owned());
                        }
                    }
                    GeneralName::IPAddress(_) | GeneralName::RegisteredID(_) => {}
                    GeneralName::OtherName(..)
                    | GeneralName::X400Address(_)
                    | GeneralName::EDIPartyName(_)
                    | GeneralName::Invalid(..) => return None,
                }
            }
        }
    }
    Some(names)
}

pub(super) fn new_key() -> Result<PKey<Private>, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    PKey::from_ec_key(EcKey::generate(&group)?)
}

/// SHA-256 of the SubjectPublicKeyInfo of a request's key, as enrolment records it.
pub fn spki_of(csr_pem: &[u8]) -> Result<[u8; 32], PkiError> {
    let key = Request::read(csr_pem)?.key.public_key_to_der()?;
    Ok(Sha256::digest(key).into())
}

/// A new P-256 key (PKCS#8, not encrypted) and a request for it, both in PEM.
pub fn key_and_csr(common_name: &str) -> Result<(Zeroizing<Vec<u8>>, String), PkiError> {
    refuse_enforcers([common_name])?;
    if !(1..=64).contains(&common_name.chars().count()) {
        return Err(PkiError::Request("its name must have 1 to 64 characters"));
    }
    let key = new_key()?;
    let mut subject = X509Name::builder()?;
    subject.append_entry_by_nid(Nid::COMMONNAME, common_name)?;
    let mut request = X509Req::builder()?;
    request.set_version(0)?;
    request.set_subject_name(&subject.build())?;
    request.set_pubkey(&key)?;
    request.sign(&key, MessageDigest::sha256())?;
    let pem = pem_text(request.build().to_pem()?);
    Ok((Zeroizing::new(key.private_key_to_pem_pkcs8()?), pem))
}
