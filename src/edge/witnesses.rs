//! Outside witnesses (C2SP tlog-witness): they are shown our newest head with the proof that it
//! follows from the last one that they saw, and asked what that was.
//!
//! One connection for one question. Whom to trust behind `https` is pinned; in the clear only this
//! machine is spoken to. What a witness says is not judged here.

use std::io;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Method, Request, StatusCode, header};
use base64::prelude::{BASE64_STANDARD, Engine};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::tls::{ClientTls, Protocol};
use crate::domain::checkpoint::CHECKPOINT_BYTES_MAX;
use crate::domain::merkle::Hash;

const ASK_WITHIN: Duration = Duration::from_secs(10);

/// Where a witness takes questions: `https://host[:port][/path]`, or `http` to this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    text: String,
    tls: bool,
    host: String,
    port: u16,
    path: String,
}

impl Address {
    /// `None` if it is no such address.
    pub fn parse(text: &str) -> Option<Self> {
        let (tls, rest) = match text.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("http://")?),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let plain = |c: char| c.is_ascii_graphic() && !"?#@\\\"<>".contains(c);
        if text.len() > 1_024 || !text.chars().all(plain) {
            return None;
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !authority.ends_with(']') => (host, port.parse().ok()?),
            Some(_) | None => (authority, if tls { 443 } else { 80 }),
        };
        let here = matches!(host, "127.0.0.1" | "[::1]");
        (!host.is_empty() && (tls || here)).then(|| Self {
            text: text.to_owned(),
            tls,
            host: host.to_owned(),
            port,
            path: path.trim_end_matches('/').to_owned(),
        })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub const fn needs_tls(&self) -> bool {
        self.tls
    }
}

/// A witness that is asked.
pub struct OutsideWitness {
    pub address: Address,
    tls: Option<ClientTls>,
}

/// What a witness answered to a head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Cosignature lines.
    Cosigned(String),
    /// It has seen another size than we thought: ask again from there.
    Has(u64),
    /// It will not; the status says why (403: the log's key is not known to it, 404: the log is not,
    /// 422: the proof does not hold).
    Refused(u16),
}

impl OutsideWitness {
    /// `tls` says whom to trust; it is needed for an `https` address.
    pub fn new(address: Address, tls: Option<ClientTls>) -> Self {
        let tls = tls.map(|tls| tls.speaking(Protocol::Http1));
        Self { address, tls }
    }

    /// `add-checkpoint`: shows `note`, whose tree follows from that of `old` entries by `proof`.
    ///
    /// # Errors
    /// It cannot be reached, or answered what the specification does not know.
    pub async fn add(&self, old: u64, proof: &[Hash], note: &str) -> io::Result<Said> {
        let mut body = format!("old {old}\n");
        for hash in proof {
            body.push_str(&BASE64_STANDARD.encode(hash));
            body.push('\n');
        }
        body.push('\n');
        body.push_str(note);
        let (status, size_type, text) = self.ask(Method::POST, "/add-checkpoint", body).await?;
        Ok(match status {
            StatusCode::OK => Said::Cosigned(text),
            StatusCode::CONFLICT if size_type => match text.trim_end().parse() {
                Ok(size) => Said::Has(size),
                Err(_) => Said::Refused(status.as_u16()),
            },
            other => Said::Refused(other.as_u16()),
        })
    }

    /// The newest head of the log `origin` that it has seen, if it says that at all.
    ///
    /// # Errors
    /// It cannot be reached.
    pub async fn newest(&self, origin: &str) -> io::Result<Option<String>> {
        let hash: [u8; 32] = Sha256::digest(origin).into();
        let name: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = format!("/{name}/checkpoint");
        let (status, _, text) = self.ask(Method::GET, &path, String::new()).await?;
        Ok((status == StatusCode::OK).then_some(text))
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: String,
    ) -> io::Result<(StatusCode, bool, String)> {
        let Address {
            host,
            port,
            path: base,
            ..
        } = &self.address;
        let asking = async {
            let tcp = TcpStream::connect(format!("{host}:{port}")).await?;
            let request = Request::builder()
                .method(method)
                .uri(format!("{base}{path}"))
                .header(header::HOST, format!("{host}:{port}"))
                .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
                .body(Full::new(Bytes::from(body)))
                .map_err(io::Error::other)?;
            match (&self.tls, self.address.tls) {
                (Some(tls), true) => {
                    let name = host.trim_start_matches('[').trim_end_matches(']');
                    exchange(tls.connect(tcp, name).await?, request).await
                }
                (_, false) => exchange(tcp, request).await,
                (None, true) => Err(io::Error::other("nobody is pinned as its authority")),
            }
        };
        match timeout(ASK_WITHIN, asking).await {
            Ok(said) => said,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> io::Result<(StatusCode, bool, String)> {
    let shaken = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(io::Error::other)?;
    // Its errors reach whoever waits for the reply; it ends with the sender.
    tokio::spawn(connection);
    let reply = sender
        .send_request(request)
        .await
        .map_err(io::Error::other)?;
    let (head, body) = reply.into_parts();
    let body = Limited::new(body, CHECKPOINT_BYTES_MAX).collect().await;
    let body = body.map_err(io::Error::other)?.to_bytes();
    let text = String::from_utf8(body.to_vec()).map_err(io::Error::other)?;
    let kind = head.headers.get(header::CONTENT_TYPE);
    let is_size = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/x.tlog.size"));
    Ok((head.status, is_size, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_https_or_on_this_machine() {
        let told: Vec<String> = [
            "https://witness.example.org",
            "https://witness.example.org:8443/w1/",
            "https://[2001:db8::1]/w1",
            "http://127.0.0.1:9000",
            "http://[::1]:9000",
            "http://witness.example.org",
            "http://127.0.0.1.example.org",
            "http://localhost:80",
            "https://",
            "https://user@witness.example.org",
            "https://witness.example.org?x",
            "https://witness.example.org:99999",
            "witness.example.org",
        ]
        .iter()
        .map(|text| match Address::parse(text) {
            Some(at) => format!("{text} -> {} {} '{}'", at.host, at.port, at.path),
            None => format!("{text} refused"),
        })
        .collect();
        insta::assert_snapshot!(told.join("\n"), @"
        https://witness.example.org -> witness.example.org 443 ''
        https://witness.example.org:8443/w1/ -> witness.example.org 8443 '/w1'
        https://[2001:db8::1]/w1 -> [2001:db8::1] 443 '/w1'
        http://127.0.0.1:9000 -> 127.0.0.1 9000 ''
        http://[::1]:9000 -> [::1] 9000 ''
        http://witness.example.org refused
        http://127.0.0.1.example.org refused
        http://localhost:80 refused
        https:// refused
        https://user@witness.example.org refused
        https://witness.example.org?x refused
        https://witness.example.org:99999 refused
        witness.example.org refused
        ");
    }
}
