//! TLS 1.3 with a client certificate, or nothing (P1). Only this module and its parts name rustls.
//!
//! It turns a certificate into a [`Peer`], at the handshake and again on every request, because a
//! connection may outlive the certificate that opened it. It never issues a session ticket, never
//! takes early data, never accepts a certificate whose revocation it cannot tell, and never reads
//! the clock: the time comes from the [`Clock`] that it was given.

mod client;
mod trust;

use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ServerConfig};
use rustls::time_provider::TimeProvider;
use rustls::version::TLS13;
use rustls::{CertificateError, CommonState};
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;
use zeroize::Zeroizing;

pub use client::{Agreed, ClientStream, ClientTls, database_client, refused_certificate};

use crate::domain::firewall::names::immigration_enforcement_name;
use crate::domain::peer::{Peer, SpiffeName};
use crate::domain::time::When;
use trust::{Dates, Gatekeeper, Trust, parse_certificate, unix_time, when};

/// Says what time it is; the gateway hands in the one that never runs backwards.
pub type Clock = Arc<dyn Fn() -> When + Send + Sync>;

/// A server's end of a connection whose handshake is done.
pub type ServerStream = tokio_rustls::server::TlsStream<TcpStream>;

/// Certificates in one file; more is a mistake.
const CERTIFICATES_MAX: usize = 100;
/// Room for about 200,000 revoked certificates.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The PEM files of `tls.*` in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, then what leads to its root.
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Every authority that may name a client.
    pub client_ca: PathBuf,
    /// A revocation list for each of them.
    pub crl: PathBuf,
}

/// What the operator must fix.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read {0} ({1})")]
    Unreadable(PathBuf, #[source] io::Error),
    #[error("{0} does not hold the PEM that it should, or more than 100 items")]
    NotPem(PathBuf),
    #[error("an authority in tls.client_ca has no revocation list in tls.crl: add its list")]
    NoRevocationList,
    #[error("a revocation list in tls.crl is older than the one in use: put the newest back")]
    OlderRevocationList,
    #[error("the trust domain must be a lower-case host name")]
    BadTrustDomain,
    #[error("the server's name must be a host name or an address")]
    BadServerName,
    #[error("the certificate, its key or a list cannot be used ({0})")]
    Unusable(#[from] rustls::Error),
    #[error("the authorities or revocation lists cannot be used ({0})")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// Why a certificate opens nothing. Safe to show to the person who holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAccepted {
    #[error("the certificate is out of date")]
    Expired,
    #[error("the certificate is not valid yet, or a clock is wrong")]
    NotYetValid,
    #[error("the certificate was revoked")]
    Revoked,
    #[error("the certificate was not issued by an authority that this gateway knows")]
    UnknownIssuer,
    #[error("the gateway's revocation list is out of date, so it accepts no certificate")]
    RevocationUnknown,
    #[error("the certificate does not name one organisation and team of this gateway")]
    Name,
    #[error("the certificate is not one for clients, or it is damaged")]
    Other,
}

impl From<&rustls::Error> for NotAccepted {
    fn from(error: &rustls::Error) -> Self {
        let rustls::Error::InvalidCertificate(error) = error else {
            return Self::Other;
        };
        match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotYetValid
            }
            CertificateError::Revoked => Self::Revoked,
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::UnknownIssuer,
            CertificateError::UnknownRevocationStatus
            | CertificateError::ExpiredRevocationList
            | CertificateError::ExpiredRevocationListContext { .. } => Self::RevocationUnknown,
            CertificateError::ApplicationVerificationFailure => Self::Name,
            _ => Self::Other,
        }
    }
}

/// The certificate that a connection was opened with, and when it was last found good.
pub struct PeerCertificate {
    chain: Vec<CertificateDer<'static>>,
    name: SpiffeName,
    spki_sha256: [u8; 32],
    not_after: When,
    /// Under which generation of authorities and lists it was found good, and for which instants.
    checked: Mutex<Option<(u64, Dates)>>,
}

impl PeerCertificate {
    pub fn name(&self) -> &SpiffeName {
        &self.name
    }

    fn read(chain: &[CertificateDer<'static>], trust_domain: &str) -> Result<Self, NotAccepted> {
        let leaf = chain.first().ok_or(NotAccepted::Other)?;
        let certificate = parse_certificate(leaf).ok_or(NotAccepted::Other)?;
        let usage = certificate.extended_key_usage();
        if !matches!(usage, Ok(Some(usage)) if usage.value.client_auth) {
            return Err(NotAccepted::Other);
        }
        let subject = certificate.subject();
        let forbidden = |value: &x509_parser::x509::AttributeTypeAndValue<'_>| {
            value.as_str().is_ok_and(immigration_enforcement_name)
        };
        if subject.iter_attributes().any(forbidden) {
            return Err(NotAccepted::Name);
        }
        Ok(Self {
            name: spiffe_name(&certificate, trust_domain)?,
            spki_sha256: Sha256::digest(certificate.public_key().raw).into(),
            not_after: when(certificate.validity().not_after),
            chain: chain.to_vec(),
            checked: Mutex::new(None),
        })
    }

    fn peer(&self) -> Peer {
        Peer::assertion(self.name.clone(), self.spki_sha256, self.not_after)
    }
}

/// Exactly one URI, read whole: with two, the caller could choose who to be.
fn spiffe_name(
    certificate: &X509Certificate<'_>,
    trust_domain: &str,
) -> Result<SpiffeName, NotAccepted> {
    let names = certificate.subject_alternative_name();
    let Ok(Some(names)) = names else {
        return Err(NotAccepted::Name);
    };
    let mut uris = names
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            _ => None,
        });
    let (Some(uri), None) = (uris.next(), uris.next()) else {
        return Err(NotAccepted::Name);
    };
    if immigration_enforcement_name(uri) {
        return Err(NotAccepted::Name);
    }
    SpiffeName::parse(uri, trust_domain).map_err(|_| NotAccepted::Name)
}

/// What was read from the files at one time.
struct Generation {
    number: u64,
    trust: Arc<Trust>,
    with_certificate: Arc<ServerConfig>,
    without_certificate: Arc<ServerConfig>,
    server_dates: Dates,
}

/// What an operator should know before it hurts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsHealth {
    /// How often the files were read, from 1.
    pub generation: u64,
    /// After this, clients refuse the server.
    pub server_not_after: When,
    /// After this, the first authority names nobody any more.
    pub authority_not_after: When,
    /// From this instant on, no client of that authority is accepted: a new list is needed.
    pub revocation_next_update: When,
}

/// The certificates in use. New handshakes and rechecks see a reload at once; nothing restarts.
pub struct TlsState {
    files: TlsFiles,
    trust_domain: Arc<str>,
    clock: Clock,
    current: ArcSwap<Generation>,
    /// Taken for a whole reload, so that two do not cross; holds what the files last looked like.
    seen: Mutex<Stamp>,
}

impl TlsState {
    /// Reads the files. A revocation list that is merely out of date does not stop the start: it
    /// stops every client, and [`TlsState::health`] says why.
    pub fn open(files: TlsFiles, trust_domain: &str, clock: Clock) -> Result<Self, TlsError> {
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
        if !(1..=255).contains(&trust_domain.len()) || !trust_domain.bytes().all(allowed) {
            return Err(TlsError::BadTrustDomain);
        }
        let trust_domain: Arc<str> = Arc::from(trust_domain);
        let stamp = Stamp::of(&files);
        let first = Generation::read(&files, &trust_domain, &clock, 1)?;
        Ok(Self {
            files,
            trust_domain,
            clock,
            current: ArcSwap::from_pointee(first),
            seen: Mutex::new(stamp),
        })
    }

    /// Reads the files again. On an error what was in use stays in use.
    pub fn reload(&self) -> Result<TlsHealth, TlsError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = Stamp::of(&self.files);
        let old = self.current.load_full();
        let number = old.number + 1;
        let new = Generation::read(&self.files, &self.trust_domain, &self.clock, number)?;
        new.trust.refuse_older_lists(&old.trust)?;
        self.current.store(Arc::new(new));
        Ok(self.health())
    }

    /// Reloads if a file was replaced or written since the last look; `None` if not. A failure is
    /// told once for each change.
    pub fn reload_if_changed(&self) -> Option<Result<TlsHealth, TlsError>> {
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        (Stamp::of(&self.files) != seen).then(|| self.reload())
    }

    pub fn health(&self) -> TlsHealth {
        let current = self.current.load();
        TlsHealth {
            generation: current.number,
            server_not_after: current.server_dates.until,
            authority_not_after: current.trust.not_after(),
            revocation_next_update: current.trust.next_update(),
        }
    }

    /// The time by the clock that was given.
    pub fn now(&self) -> When {
        (self.clock)()
    }

    /// Shakes hands with a client that has a certificate which holds now.
    pub async fn accept(&self, tcp: TcpStream) -> io::Result<(ServerStream, PeerCertificate)> {
        let current = self.current.load_full();
        let config = Arc::clone(&current.with_certificate);
        let stream = TlsAcceptor::from(config).accept(tcp).await?;
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let certificate = PeerCertificate::read(chain, &self.trust_domain).map_err(refused)?;
        let dates = current.trust.dates(chain);
        let checked = dates.map(|dates| (current.number, dates));
        *certificate
            .checked
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = checked;
        Ok((stream, certificate))
    }

    /// Shakes hands without asking who is there: for the help page only, which holds no data.
    pub async fn accept_anyone(&self, tcp: TcpStream) -> io::Result<ServerStream> {
        let config = Arc::clone(&self.current.load().without_certificate);
        TlsAcceptor::from(config).accept(tcp).await
    }

    /// Whether the certificate of an open connection is still good: chain and revocation by the
    /// authorities and lists of now, dates by the time of now.
    pub fn recheck(&self, certificate: &PeerCertificate, now: When) -> Result<Peer, NotAccepted> {
        let current = self.current.load();
        let mut checked = certificate
            .checked
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Within these dates, and with the same authorities and lists, nothing can have changed.
        if let Some((number, dates)) = *checked
            && number == current.number
            && dates.hold(now)
        {
            return Ok(certificate.peer());
        }
        let verified = current.trust.verify(&certificate.chain, now);
        let dates = verified.map_err(|error| NotAccepted::from(&error))?;
        *checked = Some((current.number, dates));
        Ok(certificate.peer())
    }
}

fn refused(error: NotAccepted) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, error)
}

impl Generation {
    fn read(
        files: &TlsFiles,
        trust_domain: &Arc<str>,
        clock: &Clock,
        number: u64,
    ) -> Result<Self, TlsError> {
        let trust = Arc::new(Trust::read(files, Arc::clone(trust_domain))?);
        let chain = certificates(&files.certificate)?;
        let bad = || TlsError::NotPem(files.certificate.clone());
        let leaf = chain.first().and_then(parse_certificate).ok_or_else(bad)?;
        let server_dates = Dates::of(&leaf);
        let pem = read(&files.key)?;
        let key =
            PrivateKeyDer::from_pem_slice(&pem).map_err(|_| TlsError::NotPem(files.key.clone()))?;
        let config = |verifier: Option<Arc<dyn ClientCertVerifier>>| {
            let time = Arc::new(ClockTime(Arc::clone(clock)));
            let builder = ServerConfig::builder_with_details(provider(), time)
                .with_protocol_versions(&[&TLS13])?;
            let builder = match verifier {
                Some(verifier) => builder.with_client_cert_verifier(verifier),
                None => builder.with_no_client_auth(),
            };
            let mut config = builder.with_single_cert(chain.clone(), key.clone_key())?;
            config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            // A resumed session would skip the certificate.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
            config.max_early_data_size = 0;
            Ok::<_, TlsError>(Arc::new(config))
        };
        Ok(Self {
            number,
            with_certificate: config(Some(Arc::new(Gatekeeper(Arc::clone(&trust)))))?,
            without_certificate: config(None)?,
            trust,
            server_dates,
        })
    }
}

/// TLS 1.3 suites, and key exchange that a recording of today does not betray to a quantum
/// computer of tomorrow, if the client can.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        kx_groups: vec![
            aws_lc_rs::kx_group::X25519MLKEM768,
            aws_lc_rs::kx_group::X25519,
            aws_lc_rs::kx_group::SECP256R1,
            aws_lc_rs::kx_group::SECP384R1,
        ],
        ..aws_lc_rs::default_provider()
    })
}

struct ClockTime(Clock);

impl fmt::Debug for ClockTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClockTime")
    }
}

impl TimeProvider for ClockTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(unix_time((self.0)()))
    }
}

/// Modification time, length and inode of each file; absent files count as zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp([(i64, i64, u64, u64); 4]);

impl Stamp {
    fn of(files: &TlsFiles) -> Self {
        let paths = [&files.certificate, &files.key, &files.client_ca, &files.crl];
        Self(paths.map(|path| match std::fs::metadata(path) {
            Ok(file) => (file.mtime(), file.mtime_nsec(), file.len(), file.ino()),
            Err(_) => (0, 0, 0, 0),
        }))
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let unreadable = |error| TlsError::Unreadable(path.to_owned(), error);
    if std::fs::metadata(path).map_err(unreadable)?.len() > FILE_BYTES_MAX {
        return Err(TlsError::NotPem(path.to_owned()));
    }
    std::fs::read(path).map(Zeroizing::new).map_err(unreadable)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    pem_certificates(&read(path)?).ok_or_else(|| TlsError::NotPem(path.to_owned()))
}

/// `None` if there is none, too many, or one that is damaged.
fn pem_certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let items = CertificateDer::pem_slice_iter(pem).take(CERTIFICATES_MAX + 1);
    let found = items.collect::<Result<Vec<_>, _>>().ok()?;
    (1..=CERTIFICATES_MAX)
        .contains(&found.len())
        .then_some(found)
}

/// HTTP as agreed in the handshake (ALPN).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    Http2,
}

impl Protocol {
    fn of(state: &CommonState) -> Self {
        match state.alpn_protocol() {
            Some(b"h2") => Self::Http2,
            Some(_) | None => Self::Http1,
        }
    }

    /// What a client of this server chose.
    pub fn of_server(stream: &ServerStream) -> Self {
        Self::of(stream.get_ref().1)
    }

    fn alpn(self) -> Vec<u8> {
        match self {
            Self::Http1 => b"http/1.1".to_vec(),
            Self::Http2 => b"h2".to_vec(),
        }
    }
}
