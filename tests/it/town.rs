//! A whole borough that tests share: authority, organisations, certificates, and a gateway that
//! serves on a free port. Its callers are the ones of the demo; nothing is made twice.
//!
//! A test adds no fact behind the gateway's back: what it wants it asks for over TLS.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]
#![allow(dead_code, reason = "each test uses its part")]

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::{HeaderMap, Method};
use firedoor::domain::codes::Role;
use firedoor::domain::peer::SpiffeName;
use firedoor::domain::time::When;
use firedoor::edge::client::Client;
use firedoor::edge::tls::{ClientTls, Protocol};
use firedoor::ops::client::bundle::{AUTHORITY, CERTIFICATE, KEY};
use firedoor::ops::clock::now;
use firedoor::ops::config::Config;
use firedoor::ops::demo::borough::{Borough, TRUST_DOMAIN};
use firedoor::ops::keys::RootKey;
use firedoor::ops::pki::{Ca, Profile, key_and_csr};
use firedoor::ops::serve::{self, Running};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Mutex;

/// The name of the town's log.
pub const ORIGIN: &str = "town.firedoor.example/log";

/// A borough and the gateway that serves it.
pub struct Town {
    pub dir: TempDir,
    pub borough: Borough,
    pub config: Config,
    pub running: Running,
    /// A second factor is good once in its half minute, so sessions are kept.
    pub sessions: Mutex<BTreeMap<String, String>>,
}

/// The folder of a town that nothing serves yet: keys, certificates, configuration.
pub fn prepare(more: &str) -> (TempDir, Borough, Config) {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let borough = Borough::make(at, "https://localhost").unwrap();
    fs::create_dir(at.join("keys")).unwrap();
    RootKey::create(&at.join("keys/root.key")).unwrap();
    let limits = if more.contains("[limits]") {
        ""
    } else {
        "[limits]\nrequests_per_user_burst = 10000\nrequests_per_organisation_burst = 10000\n"
    };
    let renewals = if more.contains("[renewals]") {
        ""
    } else {
        "[renewals]\nca = \"ca\"\n"
    };
    let text = format!(
        "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n\
         help_listen = \"127.0.0.1:0\"\npublic_host = \"localhost\"\ndata_dir = \"data\"\n\
         [tls]\ncertificate = \"tls/server.pem\"\nkey = \"tls/server.key\"\n\
         client_ca = \"ca/ca.pem\"\ncrl = \"ca/crl.pem\"\ntrust_domain = \"{TRUST_DOMAIN}\"\n\
         [keys]\npath = \"keys/root.key\"\nslots = \"keys/slots\"\n\
         [log]\norigin = \"{ORIGIN}\"\n{renewals}{limits}{more}\n"
    );
    let file = at.join("firedoor.toml");
    fs::write(&file, &text).unwrap();
    let config = Config::parse(&text, &file).unwrap();
    (dir, borough, config)
}

/// TLS with the certificate of a bundle in the folder of a town.
pub fn bundle_tls(town: &Path, bundle: &str) -> ClientTls {
    let read = |name| fs::read(town.join("bundles").join(bundle).join(name)).unwrap();
    let (certificate, key) = (read(CERTIFICATE), read(KEY));
    let holder = Some((certificate.as_slice(), key.as_slice()));
    ClientTls::new(&read(AUTHORITY), holder, Arc::new(now)).unwrap()
}

impl Town {
    /// A new town on the embedded store, founded and serving.
    pub async fn start() -> Self {
        Self::start_with("").await
    }

    /// The same, with more lines for its configuration: whole tables, such as `[limits]`.
    pub async fn start_with(more: &str) -> Self {
        let (dir, borough, config) = prepare(more);
        // As a task of its own: without optimisation a long test leaves too little of its stack.
        let its = config.clone();
        let running = tokio::spawn(async move { serve::start(&its).await });
        let running = running.await.unwrap().unwrap();
        let founding = borough.founding().unwrap();
        running.app.gateway.found(&founding).await.unwrap();
        Self {
            dir,
            borough,
            config,
            running,
            sessions: Mutex::default(),
        }
    }

    /// A town that was stopped, and serves again as `running`.
    pub fn of(dir: TempDir, borough: Borough, config: Config, running: Running) -> Self {
        Self {
            dir,
            borough,
            config,
            running,
            sessions: Mutex::default(),
        }
    }

    /// Where agencies connect.
    pub const fn address(&self) -> SocketAddr {
        self.running.address
    }

    /// Stops in order and starts again on the same data; on another port.
    pub async fn restarted(self) -> Self {
        self.restarted_after(|_| ()).await.0
    }

    /// The same, with something done to its files in between.
    pub async fn restarted_after<T>(self, work: impl FnOnce(&Config) -> T) -> (Self, T) {
        self.running.stop().await.unwrap();
        let done = work(&self.config);
        let its = self.config.clone();
        let running = tokio::spawn(async move { serve::start(&its).await });
        let running = running.await.unwrap().unwrap();
        (Self { running, ..self }, done)
    }

    pub async fn stop(self) {
        self.running.stop().await.unwrap();
    }

    /// How many entries the log has.
    pub fn leaves(&self) -> u64 {
        self.running.app.gateway.store.health().leaves
    }

    /// The folder of a bundle: certificate, key, authority.
    pub fn bundle(&self, name: &str) -> PathBuf {
        self.dir.path().join("bundles").join(name)
    }

    /// TLS with a new certificate of the town's authority, for a name that need not be enrolled.
    pub fn tls_for(&self, uri: &str) -> ClientTls {
        let ca = Ca::open(&self.dir.path().join("ca")).unwrap();
        let name = SpiffeName::parse(uri, TRUST_DOMAIN).unwrap();
        let trust_domain = TRUST_DOMAIN.to_owned();
        let profile = match name.user {
            Some(_) => Profile::Person { name, trust_domain },
            None => Profile::System { name, trust_domain },
        };
        let (key, request) = key_and_csr("applicant").unwrap();
        let issued = ca.issue(request.as_bytes(), &profile, now(), 30).unwrap();
        let holder = Some((issued.pem.as_bytes(), key.as_slice()));
        let authority = ca.certificate_pem().unwrap();
        ClientTls::new(&authority, holder, Arc::new(now)).unwrap()
    }

    /// TLS with the certificate of a bundle.
    pub fn tls(&self, bundle: &str) -> ClientTls {
        bundle_tls(self.dir.path(), bundle)
    }

    /// The usual user of a bundle, over HTTP/2. `Desk::as_user` makes another of her.
    pub async fn desk(&self, bundle: &str) -> Desk {
        self.desk_over(bundle, Protocol::Http2).await
    }

    pub async fn desk_over(&self, bundle: &str, protocol: Protocol) -> Desk {
        let profile = fs::read_to_string(self.bundle(bundle).join("client.toml")).unwrap();
        let profile: toml::Table = profile.parse().unwrap();
        let said = |key: &str| profile.get(key).and_then(toml::Value::as_str);
        let user = said("user").map(|user| {
            let role = said("role").unwrap();
            format!("ref={user};role={role}")
        });
        self.desk_of(self.tls(bundle).speaking(protocol), user)
            .await
    }

    /// A caller with any certificate, and the `Firedoor-User` that she sends.
    pub async fn desk_of(&self, tls: ClientTls, user: Option<String>) -> Desk {
        Desk::connect(self.address(), tls, user).await
    }

    /// A person who has shown her second factor.
    pub async fn signed_in(&self, bundle: &str) -> Desk {
        let mut desk = self.desk(bundle).await;
        let mut sessions = self.sessions.lock().await;
        if let Some(session) = sessions.get(bundle) {
            desk.session = Some(session.clone());
            return desk;
        }
        let code = self.borough.code(bundle).unwrap();
        let said = desk
            .post("/v1/second-factor", &json!({ "code": code }))
            .await;
        assert_eq!(said.status, 200, "{}", said.body);
        desk.session = said.text("/session").map(str::to_owned);
        let session = desk.session.clone().unwrap();
        sessions.insert(bundle.to_owned(), session);
        desk
    }
}

/// One caller: a connection and who it says it is. Clones share the connection.
#[derive(Clone)]
pub struct Desk {
    pub client: Arc<Client>,
    /// The value of `Firedoor-User`, from a system's certificate.
    pub user: Option<String>,
    pub session: Option<String>,
}

/// A whole reply.
#[derive(Clone, Debug)]
pub struct Said {
    pub status: u16,
    pub headers: HeaderMap,
    pub bytes: Bytes,
    /// Null if it is not JSON.
    pub body: Value,
    pub took: Duration,
}

static KEY_NUMBER: AtomicU64 = AtomicU64::new(0);

/// A key for one request that makes something.
pub fn new_key() -> String {
    format!("town-{}", KEY_NUMBER.fetch_add(1, Ordering::Relaxed))
}

impl Desk {
    pub async fn connect(address: SocketAddr, tls: ClientTls, user: Option<String>) -> Self {
        let client = Client::connect(address, "localhost", tls).await.unwrap();
        Self {
            client: Arc::new(client),
            user,
            session: None,
        }
    }

    /// Another user of the same system, in another role.
    pub fn as_user(&self, user: &str, role: Role) -> Self {
        Self {
            user: Some(format!("ref={user};role={}", role.code())),
            ..self.clone()
        }
    }

    pub async fn get(&self, path: &str) -> Said {
        self.ask(Method::GET, path, &[], Bytes::new()).await
    }

    /// A POST of JSON under a new key.
    pub async fn post(&self, path: &str, body: &Value) -> Said {
        self.post_as(&new_key(), path, body).await
    }

    /// A POST of JSON under a key of the test's own.
    pub async fn post_as(&self, key: &str, path: &str, body: &Value) -> Said {
        self.post_bytes(path, &[("idempotency-key", key)], body.to_string())
            .await
    }

    /// A POST of JSON bytes, right or wrong; a key only if the headers have one.
    pub async fn post_bytes(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Said {
        let json = [("content-type", "application/json")];
        let headers = [json.as_slice(), headers].concat();
        self.ask(Method::POST, path, &headers, body).await
    }

    /// Any request, with who asks and her session added to the headers.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Said {
        let user = self.user.as_deref().map(|user| ("firedoor-user", user));
        let session = self.session.as_deref();
        let session = session.map(|session| ("firedoor-session", session));
        let mut all: Vec<(&str, &str)> = user.into_iter().chain(session).collect();
        all.extend(headers);
        let start = Instant::now();
        let reply = self.client.request(method, path, &all, body).await.unwrap();
        let took = start.elapsed();
        Said {
            status: reply.status.as_u16(),
            headers: reply.headers,
            body: serde_json::from_slice(&reply.body).unwrap_or_default(),
            bytes: reply.body,
            took,
        }
    }
}

impl Said {
    pub fn text(&self, pointer: &str) -> Option<&str> {
        self.body.pointer(pointer).and_then(Value::as_str)
    }

    /// The word for the outcome: `result`, or the problem's title.
    pub fn result(&self) -> &str {
        self.text("/result")
            .or_else(|| self.text("/title"))
            .unwrap_or_default()
    }

    pub fn list(&self, pointer: &str) -> &[Value] {
        let list = self.body.pointer(pointer).and_then(Value::as_array);
        list.map_or(&[], Vec::as_slice)
    }

    /// The id of what was made or answered.
    pub fn id(&self) -> &str {
        self.text("/id").expect("an id")
    }

    pub fn whole(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The body, each byte of it, with the three values taken out that may differ (P5) and without
    /// the blanks that fill it up. The length of a whole reply is compared by itself.
    pub fn silent(&self) -> String {
        let mut text = self.whole();
        for field in ["/date", "/support_code", "/receipt"] {
            if let Some(value) = self.body.pointer(field) {
                text = text.replace(&value.to_string(), "\"\"");
            }
        }
        text.trim_end().to_owned()
    }

    /// The place of its entry in the log, by its receipt.
    pub fn entry(&self) -> u64 {
        let receipt = self.text("/receipt").expect("a receipt");
        let lines = receipt.lines();
        let mut index = lines.filter_map(|line| line.strip_prefix("index "));
        index.next().expect("an index").parse().unwrap()
    }
}

/// `hours` ago.
pub fn ago(hours: i64) -> When {
    now().plus_hours(-hours)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_town_knows_its_callers_and_keeps_its_log_when_it_starts_again() {
    let town = Town::start().await;
    let officer = town.desk("met").await;
    let me = officer.get("/v1/me").await;
    assert_eq!(me.text("/organisation"), Some("met"), "{}", me.body);
    let reader = town.signed_in("met-ig").await;
    let queue = reader.get("/v1/audit/queue").await;
    assert_eq!((queue.status, queue.list("/items").len()), (200, 0));
    let before = town.leaves();
    drop((officer, reader));
    let town = town.restarted().await;
    assert_eq!(town.leaves(), before);
    town.stop().await;
}
