//! Who may name clients, and which of those names were taken back.
//!
//! The chain itself is checked by webpki. Added here: an authority has dates too, every authority
//! needs a revocation list, and a list is never replaced by an older one. Nothing here is cached
//! but the instants between which an answer cannot change.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme,
};
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};
use x509_parser::revocation_list::CertificateRevocationList;

use super::{CERTIFICATES_MAX, PeerCertificate, TlsError, TlsFiles, certificates, provider, read};
use crate::domain::time::When;

/// The first and the last instant at which something holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dates {
    from: When,
    pub(super) until: When,
}

impl Dates {
    pub(super) const ALWAYS: Self = Self {
        from: When::from_millis(i64::MIN),
        until: When::from_millis(i64::MAX),
    };

    pub(super) fn of(certificate: &X509Certificate<'_>) -> Self {
        let validity = certificate.validity();
        Self {
            from: when(validity.not_before),
            // A certificate is good through its last second, a revocation list is not.
            until: when(validity.not_after).plus_millis(999),
        }
    }

    pub(super) fn hold(self, now: When) -> bool {
        self.from <= now && now <= self.until
    }

    fn and(self, other: Self) -> Self {
        Self {
            from: self.from.max(other.from),
            until: self.until.min(other.until),
        }
    }
}

pub(super) fn when(time: ASN1Time) -> When {
    When::from_millis(time.timestamp().saturating_mul(1_000))
}

pub(super) fn unix_time(now: When) -> UnixTime {
    let seconds = u64::try_from(now.millis().div_euclid(1_000)).unwrap_or(0);
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

pub(super) fn parse_certificate<'a>(der: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Some(certificate),
        Ok(_) | Err(_) => None,
    }
}

struct Authority {
    der: CertificateDer<'static>,
    subject: Vec<u8>,
    dates: Dates,
}

#[derive(Clone)]
struct RevocationList {
    der: CertificateRevocationListDer<'static>,
    issuer: Vec<u8>,
    /// Big-endian without leading zeros; empty if it has none.
    number: Vec<u8>,
    this_update: When,
    next_update: When,
}

impl RevocationList {
    fn read(der: CertificateRevocationListDer<'static>) -> Option<Self> {
        let (_, list) = CertificateRevocationList::from_der(&der).ok()?;
        Some(Self {
            issuer: list.issuer().as_raw().to_vec(),
            number: list
                .crl_number()
                .map(|n| n.to_bytes_be())
                .unwrap_or_default(),
            this_update: when(list.last_update()),
            next_update: when(list.next_update()?),
            der,
        })
    }

    /// Lists of one issuer sort by this.
    fn age(&self) -> (usize, &[u8], When) {
        (self.number.len(), &self.number, self.this_update)
    }
}

/// Who may name clients, and which of those names were taken back.
pub(super) struct Trust {
    authorities: Vec<Authority>,
    lists: Vec<RevocationList>,
    verifier: Arc<dyn ClientCertVerifier>,
    trust_domain: Arc<str>,
}

impl Trust {
    pub(super) fn read(files: &TlsFiles, trust_domain: Arc<str>) -> Result<Self, TlsError> {
        let mut authorities = Vec::new();
        for der in certificates(&files.client_ca)? {
            let der = der.into_owned();
            let bad = || TlsError::NotPem(files.client_ca.clone());
            let parsed = parse_certificate(&der)
                .filter(|certificate| certificate.is_ca())
                .ok_or_else(bad)?;
            let (subject, dates) = (parsed.subject().as_raw().to_vec(), Dates::of(&parsed));
            authorities.push(Authority {
                der,
                subject,
                dates,
            });
        }
        let pem = read(&files.crl)?;
        let bad = || TlsError::NotPem(files.crl.clone());
        let mut lists = CertificateRevocationListDer::pem_slice_iter(&pem)
            .take(CERTIFICATES_MAX)
            .map(|item| item.ok().and_then(RevocationList::read).ok_or_else(bad))
            .collect::<Result<Vec<_>, _>>()?;
        // The verifier takes the first list of an issuer: let it be the newest.
        lists.sort_by(|a, b| b.age().cmp(&a.age()));
        let has_list =
            |authority: &Authority| lists.iter().any(|list| list.issuer == authority.subject);
        if !authorities.iter().all(has_list) {
            return Err(TlsError::NoRevocationList);
        }
        Ok(Self {
            verifier: verifier(authorities.iter(), &lists)?,
            authorities,
            lists,
            trust_domain,
        })
    }

    /// Chain, dates and revocation, in full. Returns the instants for which this stays true as
    /// long as the authorities and lists are the same.
    pub(super) fn verify(
        &self,
        chain: &[CertificateDer<'_>],
        now: When,
    ) -> Result<Dates, rustls::Error> {
        let damaged = || rustls::Error::InvalidCertificate(CertificateError::BadEncoding);
        let (leaf, others) = chain.split_first().ok_or_else(damaged)?;
        // The library takes a root on trust for ever; we do not.
        let in_date = |authority: &&Authority| authority.dates.hold(now);
        if self.authorities.iter().all(|authority| in_date(&authority)) {
            self.verifier
                .verify_client_cert(leaf, others, unix_time(now))?;
        } else {
            let expired = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
            verifier(self.authorities.iter().filter(in_date), &self.lists)
                .map_err(|_| expired)?
                .verify_client_cert(leaf, others, unix_time(now))?;
        }
        self.dates(chain).ok_or_else(damaged)
    }

    /// When every certificate and list that could matter is in date.
    pub(super) fn dates(&self, chain: &[CertificateDer<'_>]) -> Option<Dates> {
        let mut dates = Dates {
            from: Dates::ALWAYS.from,
            until: self.next_update().plus_millis(-1),
        };
        for authority in &self.authorities {
            dates = dates.and(authority.dates);
        }
        for der in chain {
            dates = dates.and(Dates::of(&parse_certificate(der)?));
        }
        Some(dates)
    }

    pub(super) fn next_update(&self) -> When {
        let updates = self.lists.iter().map(|list| list.next_update);
        updates.min().unwrap_or(Dates::ALWAYS.from)
    }

    pub(super) fn not_after(&self) -> When {
        let ends = self
            .authorities
            .iter()
            .map(|authority| authority.dates.until);
        ends.min().unwrap_or(Dates::ALWAYS.from)
    }

    /// An older list would give a revoked certificate its power back.
    pub(super) fn refuse_older_lists(&self, than: &Self) -> Result<(), TlsError> {
        let newest = |lists: &[RevocationList], issuer: &[u8]| -> Option<RevocationList> {
            lists.iter().find(|list| list.issuer == issuer).cloned()
        };
        for list in &than.lists {
            if let (Some(mine), Some(theirs)) = (
                newest(&self.lists, &list.issuer),
                newest(&than.lists, &list.issuer),
            ) && mine.age() < theirs.age()
            {
                return Err(TlsError::OlderRevocationList);
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trust({} authorities)", self.authorities.len())
    }
}

fn verifier<'a>(
    authorities: impl Iterator<Item = &'a Authority>,
    lists: &[RevocationList],
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority.der.clone())?;
    }
    // By default an unknown revocation status is refused, for the whole chain.
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .with_crls(lists.iter().map(|list| list.der.clone()))
        .enforce_revocation_expiration();
    Ok(builder.build()?)
}

/// Decides at the handshake what `TlsState::recheck` decides on each request.
#[derive(Debug)]
pub(super) struct Gatekeeper(pub(super) Arc<Trust>);

impl ClientCertVerifier for Gatekeeper {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.verifier.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let now = When::from_millis(seconds.saturating_mul(1_000));
        let mut chain = vec![end_entity.clone().into_owned()];
        chain.extend(intermediates.iter().map(|der| der.clone().into_owned()));
        self.0.verify(&chain, now)?;
        PeerCertificate::read(&chain, &self.0.trust_domain).map_err(|_| {
            rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
        })?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        // Never reached: the configuration speaks TLS 1.3 only.
        Err(rustls::PeerIncompatible::Tls12NotOfferedOrEnabled.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.verifier.supported_verify_schemes()
    }
}
