//! The client's side of the handshake: whom to trust, what to show, and what the server said.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::{ClientConfig, Resumption};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::version::TLS13;
use rustls::{AlertDescription, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{Clock, ClockTime, Protocol, TlsError, pem_certificates, provider};

/// A client's end of a connection whose handshake is done.
pub type ClientStream = tokio_rustls::client::TlsStream<TcpStream>;

/// What client and server agreed on, for `doctor` and for tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    pub protocol: Protocol,
    /// As rustls names it: `X25519MLKEM768`.
    pub key_exchange: String,
    pub tickets_received: u32,
}

/// The client's side: whom to trust, and what to show.
#[derive(Clone)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
}

impl ClientTls {
    /// `server_ca` and `identity` (certificate chain, key) are PEM.
    pub fn new(
        server_ca: &[u8],
        identity: Option<(&[u8], &[u8])>,
        clock: Clock,
    ) -> Result<Self, TlsError> {
        let bad = |what: &str| TlsError::NotPem(PathBuf::from(what));
        let mut roots = RootCertStore::empty();
        for der in pem_certificates(server_ca).ok_or_else(|| bad("the server's authority"))? {
            roots.add(der)?;
        }
        let builder = ClientConfig::builder_with_details(provider(), Arc::new(ClockTime(clock)))
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(roots);
        let mut config = match identity {
            Some((chain, key)) => {
                let chain = pem_certificates(chain).ok_or_else(|| bad("the certificate"))?;
                let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| bad("the key"))?;
                builder.with_client_auth_cert(chain, key)?
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![Protocol::Http2.alpn(), Protocol::Http1.alpn()];
        config.resumption = Resumption::disabled();
        Ok(Self {
            config: Arc::new(config),
        })
    }

    /// Offers this protocol only.
    #[must_use]
    pub fn speaking(self, protocol: Protocol) -> Self {
        let mut config = Arc::unwrap_or_clone(self.config);
        config.alpn_protocols = vec![protocol.alpn()];
        Self {
            config: Arc::new(config),
        }
    }

    /// Shakes hands. In TLS 1.3 a refused client certificate shows only at the first read.
    pub async fn connect(&self, tcp: TcpStream, server_name: &str) -> io::Result<ClientStream> {
        let invalid = |_| io::Error::new(io::ErrorKind::InvalidInput, TlsError::BadServerName);
        let name = ServerName::try_from(server_name.to_owned()).map_err(invalid)?;
        TlsConnector::from(Arc::clone(&self.config))
            .connect(name, tcp)
            .await
    }

    pub fn agreed(stream: &ClientStream) -> Agreed {
        let state = stream.get_ref().1;
        let group = state.negotiated_key_exchange_group();
        Agreed {
            protocol: Protocol::of(state),
            key_exchange: group.map_or_else(String::new, |group| format!("{:?}", group.name())),
            tickets_received: state.tls13_tickets_received(),
        }
    }
}

/// For a database on another machine: whom to trust as its server. The host name is checked.
pub fn database_client(server_ca: &[u8], clock: Clock) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    let bad = || TlsError::NotPem(PathBuf::from("store_ca"));
    for der in pem_certificates(server_ca).ok_or_else(bad)? {
        roots.add(der)?;
    }
    let time = Arc::new(ClockTime(clock));
    let mut config = ClientConfig::builder_with_details(provider(), time)
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The alerts by which a server speaks about our certificate (RFC 8446, 6.2).
const REFUSALS: &[(AlertDescription, &str)] = &[
    (AlertDescription::CertificateRequired, "show a certificate"),
    (
        AlertDescription::CertificateExpired,
        "the certificate is out of date",
    ),
    (
        AlertDescription::CertificateRevoked,
        "the certificate was revoked",
    ),
    (
        AlertDescription::UnknownCA,
        "the certificate is of no known authority, or its list is old",
    ),
    (
        AlertDescription::AccessDenied,
        "the certificate's name is not accepted",
    ),
    (
        AlertDescription::BadCertificate,
        "the certificate is damaged or not one for clients",
    ),
    (
        AlertDescription::UnsupportedCertificate,
        "the certificate is not one for clients",
    ),
    (
        AlertDescription::CertificateUnknown,
        "the certificate is not accepted",
    ),
    (
        AlertDescription::DecryptError,
        "the certificate's signature does not hold",
    ),
];

/// What a server said against our certificate, if that is the cause of an error; else `None`.
pub fn refused_certificate(error: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        // HTTP/2 keeps only the text of what went wrong beneath it.
        let text = error.to_string();
        let said = |alert: AlertDescription| {
            text.ends_with(&rustls::Error::AlertReceived(alert).to_string())
        };
        if let Some((_, why)) = REFUSALS.iter().find(|(alert, _)| said(*alert)) {
            return Some(why);
        }
        // An I/O error shows its inner error's source as its own, and so skips that one.
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        cause = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
