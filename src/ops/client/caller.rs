//! One caller of the API: a certificate, the user named with it, and what the gateway said.
//!
//! Keeps no reply. A request that makes something carries a key, so that it can be sent again.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::Method;
use serde_json::Value;

use super::ClientFault;
use crate::domain::id::Id;
use crate::domain::time::When;
use crate::edge::client::Client;
use crate::edge::tls::ClientTls;

/// Where a gateway is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayUrl {
    pub host: String,
    pub port: u16,
}

impl GatewayUrl {
    /// Reads `https://host[:port]`; a path is not part of it.
    ///
    /// # Errors
    /// [`ClientFault::Url`].
    pub fn parse(text: &str) -> Result<Self, ClientFault> {
        let rest = text
            .strip_prefix("https://")
            .map(|rest| rest.strip_suffix('/').unwrap_or(rest))
            .filter(|rest| !rest.is_empty() && !rest.contains(['/', '?', '#', '@', '[']))
            .ok_or(ClientFault::Url)?;
        let (host, port) = match rest.split_once(':') {
            None => (rest, 443),
            Some((host, port)) => (host, port.parse().map_err(|_| ClientFault::Url)?),
        };
        if host.is_empty() {
            return Err(ClientFault::Url);
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }

    /// Every address of the host, in the order in which the system names them.
    pub(super) async fn addresses(&self) -> Result<Vec<SocketAddr>, ClientFault> {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        found
            .map(Iterator::collect)
            .map_err(|error| ClientFault::Host(self.host.clone(), error))
    }
}

/// Who asks, as the headers say it.
#[derive(Clone, Debug, Default)]
pub struct Named {
    /// From a system's certificate only.
    pub user: Option<String>,
    pub role: Option<String>,
}

/// One certificate and its user, connected to one gateway.
pub struct Caller {
    client: Client,
    named: Named,
    /// What a second factor opened; renewed by every reply.
    pub session: Option<String>,
}

/// What was said, and how long it took.
pub struct Said {
    pub status: u16,
    pub bytes: Bytes,
    /// Null if it is not JSON.
    pub body: Value,
    pub took: Duration,
    /// The gateway's clock, to the second.
    pub date: Option<When>,
}

/// What is posted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyKind {
    #[default]
    Json,
    /// NDJSON, for many referrals at once.
    Lines,
    /// A signed note.
    Text,
}

impl BodyKind {
    const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Lines => "application/x-ndjson",
            Self::Text => "text/plain; charset=utf-8",
        }
    }
}

/// One request. `body` makes it a POST.
#[derive(Default)]
pub struct Ask<'a> {
    pub path: &'a str,
    pub body: Option<Vec<u8>>,
    pub kind: BodyKind,
    pub purpose: Option<&'a str>,
    /// A key of the caller's own, to send a request again; a new one if absent.
    pub key: Option<&'a str>,
    pub strict: bool,
    pub session: Option<&'a str>,
}

impl Caller {
    /// # Errors
    /// [`ClientFault`] if the gateway cannot be reached or refuses the certificate.
    pub async fn connect(
        url: &GatewayUrl,
        tls: ClientTls,
        named: Named,
    ) -> Result<Self, ClientFault> {
        let mut last = ClientFault::Url;
        for address in url.addresses().await? {
            match Client::connect(address, &url.host, tls.clone()).await {
                Ok(client) => {
                    return Ok(Self {
                        client,
                        named,
                        session: None,
                    });
                }
                Err(error) => last = error.into(),
            }
        }
        Err(last)
    }

    pub async fn get(&mut self, path: &str) -> Result<Said, ClientFault> {
        self.ask(Ask {
            path,
            ..Ask::default()
        })
        .await
    }

    pub async fn post(&mut self, path: &str, body: &Value) -> Result<Said, ClientFault> {
        self.ask(Ask {
            path,
            body: Some(body.to_string().into_bytes()),
            ..Ask::default()
        })
        .await
    }

    /// # Errors
    /// [`ClientFault`] if there is no answer; a refusal is an answer.
    pub async fn ask(&mut self, ask: Ask<'_>) -> Result<Said, ClientFault> {
        let key = match ask.key {
            Some(key) => key.to_owned(),
            None => new_key()?,
        };
        let user = self.named.user.as_ref().map(|user| {
            let role = self.named.role.as_deref().unwrap_or_default();
            format!("ref={user};role={role}")
        });
        let session = ask.session.map(str::to_owned).or(self.session.clone());
        let mut headers: Vec<(&str, &str)> = Vec::new();
        match (&user, &self.named.role) {
            (Some(user), _) => headers.push(("firedoor-user", user)),
            (None, Some(role)) => headers.push(("firedoor-role", role)),
            (None, None) => {}
        }
        if let Some(purpose) = ask.purpose {
            headers.push(("firedoor-purpose", purpose));
        }
        if let Some(session) = &session {
            headers.push(("firedoor-session", session));
        }
        if ask.strict {
            headers.push(("prefer", "handling=strict"));
        }
        let method = if ask.body.is_some() {
            headers.push(("idempotency-key", &key));
            headers.push(("content-type", ask.kind.media_type()));
            Method::POST
        } else {
            Method::GET
        };
        let start = Instant::now();
        let reply = self
            .client
            .request(method, ask.path, &headers, ask.body.unwrap_or_default())
            .await?;
        let took = start.elapsed();
        if let Some(renewed) = reply.headers.get("firedoor-session") {
            self.session = renewed.to_str().ok().map(str::to_owned);
        }
        let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        if let Some(opened) = body.get("session").and_then(Value::as_str) {
            self.session = Some(opened.to_owned());
        }
        let date = reply.headers.get("date").and_then(|date| {
            let text = date.to_str().ok()?;
            let at = jiff::fmt::rfc2822::parse(text).ok()?;
            Some(When::from_millis(at.timestamp().as_millisecond()))
        });
        Ok(Said {
            status: reply.status.as_u16(),
            bytes: reply.body,
            body,
            took,
            date,
        })
    }
}

fn new_key() -> Result<String, ClientFault> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| ClientFault::NoRandomness)?;
    Ok(Id::from_bytes(bytes).to_string())
}

impl Said {
    /// The word for the outcome: `result`, or the problem's title.
    pub fn result(&self) -> &str {
        self.text("/result")
            .or_else(|| self.text("/title"))
            .unwrap_or_default()
    }

    pub fn text(&self, pointer: &str) -> Option<&str> {
        self.body.pointer(pointer).and_then(Value::as_str)
    }

    /// The items of a list; none if there is no such list.
    pub fn list(&self, pointer: &str) -> &[Value] {
        self.body
            .pointer(pointer)
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    /// The reply, or each of many (NDJSON).
    pub fn bodies(&self) -> Vec<Value> {
        if !self.body.is_null() {
            return vec![self.body.clone()];
        }
        let text = String::from_utf8_lossy(&self.bytes);
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        lines
            .map(|line| serde_json::from_str(line).unwrap_or_default())
            .collect()
    }

    pub fn refused(&self) -> bool {
        self.status >= 400
    }

    /// The reply with the three fields taken out that always differ (P5), and without the blanks
    /// at its end that fill it up to its size.
    pub fn bare(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.bytes).into_owned();
        for field in ["/date", "/support_code", "/receipt"] {
            if let Some(value) = self.body.pointer(field) {
                text = text.replace(&value.to_string(), "\"\"");
            }
        }
        text.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_https_a_host_and_a_port() {
        let url = |host: &str, port| GatewayUrl {
            host: host.to_owned(),
            port,
        };
        let read = |text| GatewayUrl::parse(text).ok();
        assert_eq!(
            read("https://localhost:8443"),
            Some(url("localhost", 8_443))
        );
        assert_eq!(read("https://a.example/"), Some(url("a.example", 443)));
        for bad in [
            "http://localhost",
            "https://",
            "https://:1",
            "https://a:99999",
            "https://a/v1",
            "https://user@a",
            "localhost:8443",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_always_differs_is_left_out_of_a_comparison() {
        let said = |date: &str| {
            let bytes = format!(
                "{{\"date\":\"{date}\",\"receipt\":\"a\\nb{date}\",\"support_code\":\"{date}\",\
                 \"says\":\"x\"}}   "
            );
            Said {
                status: 200,
                body: serde_json::from_str(&bytes).unwrap(),
                bytes: bytes.into(),
                took: Duration::ZERO,
                date: None,
            }
        };
        assert_eq!(said("1").bare(), said("2").bare());
    }
}
