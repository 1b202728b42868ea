//! P1 over real sockets: no stranger, no stale certificate, no limit that can be talked past.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, Request};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use firedoor::domain::peer::{Peer, SpiffeName};
use firedoor::domain::time::When;
use firedoor::edge::client::{Client, ClientError, Reply};
use firedoor::edge::server::{
    self, BODY_BYTES_MAX, BodyError, Limits, ReceivedAt, Replies, read_body,
};
use firedoor::edge::tls::{ClientTls, Clock, Protocol, TlsError, TlsFiles, TlsState};
use firedoor::ops::pki::{Ca, Issued, Profile, key_and_csr};
use hyper::body::Frame;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::x509::X509;
use openssl::x509::extension::{ExtendedKeyUsage, SubjectAlternativeName};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

const DOMAIN: &str = "firedoor.example";
const MET: &str = "spiffe://firedoor.example/org/met/team/hackney";
const REFUGE: &str = "spiffe://firedoor.example/org/refuge/team/intake/user/j-obi";

/// A clock that tests turn.
#[derive(Clone)]
struct Hands(Arc<AtomicI64>);

impl Hands {
    fn new() -> Self {
        let start = When::parse("2026-04-02T21:10:00Z").unwrap();
        Self(Arc::new(AtomicI64::new(start.millis())))
    }

    fn now(&self) -> When {
        When::from_millis(self.0.load(Ordering::SeqCst))
    }

    fn set(&self, at: When) {
        self.0.store(at.millis(), Ordering::SeqCst);
    }

    fn clock(&self) -> Clock {
        let hands = self.clone();
        Arc::new(move || hands.now())
    }
}

/// A certificate and its key, in PEM.
struct Holder {
    certificate: Vec<u8>,
    key: Vec<u8>,
    issued: Option<Issued>,
}

struct Borough {
    dir: TempDir,
    ca: Ca,
    hands: Hands,
    tls: Arc<TlsState>,
}

impl Borough {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let hands = Hands::new();
        let ca = Ca::create(&dir.path().join("ca"), "Borough", hands.now(), 3_650).unwrap();
        let (key, csr) = key_and_csr("gateway").unwrap();
        let server = ca
            .issue(csr.as_bytes(), &Profile::localhost(), hands.now(), 390)
            .unwrap();
        fs::write(dir.path().join("server.pem"), server.pem).unwrap();
        fs::write(dir.path().join("server.key"), &*key).unwrap();
        fs::copy(ca.certificate_path(), dir.path().join("client_ca.pem")).unwrap();
        fs::copy(ca.crl_path(), dir.path().join("crl.pem")).unwrap();
        let tls = TlsState::open(files(dir.path()), DOMAIN, hands.clock()).unwrap();
        Self {
            dir,
            ca,
            hands,
            tls: Arc::new(tls),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn holder_from(&self, ca: &Ca, uri: &str, domain: &str, days: u32) -> Holder {
        let name = SpiffeName::parse(uri, domain).unwrap();
        let trust_domain = domain.to_owned();
        let profile = match name.user {
            Some(_) => Profile::Person { name, trust_domain },
            None => Profile::System { name, trust_domain },
        };
        let (key, csr) = key_and_csr("applicant").unwrap();
        let issued = ca
            .issue(csr.as_bytes(), &profile, self.hands.now(), days)
            .unwrap();
        Holder {
            certificate: issued.pem.clone().into_bytes(),
            key: key.to_vec(),
            issued: Some(issued),
        }
    }

    fn holder(&self, uri: &str) -> Holder {
        self.holder_from(&self.ca, uri, DOMAIN, 90)
    }

    /// A certificate that our own tools would not issue, signed by the real authority.
    fn crafted(&self, uris: &[&str], client: bool) -> Holder {
        let ca_key = fs::read(self.path("ca/ca.key")).unwrap();
        let ca_key = PKey::private_key_from_pem(&ca_key).unwrap();
        let ca = X509::from_pem(&self.ca.certificate_pem().unwrap()).unwrap();
        let (key, _) = key_and_csr("applicant").unwrap();
        let key = PKey::private_key_from_pem(&key).unwrap();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        let serial = BigNum::from_u32(77).unwrap().to_asn1_integer().unwrap();
        builder.set_serial_number(&serial).unwrap();
        builder.set_issuer_name(ca.subject_name()).unwrap();
        let now = self.hands.now().millis() / 1_000;
        builder
            .set_not_before(&Asn1Time::from_unix(now - 60).unwrap())
            .unwrap();
        builder
            .set_not_after(&Asn1Time::from_unix(now + 86_400).unwrap())
            .unwrap();
        builder.set_pubkey(&key).unwrap();
        let mut names = SubjectAlternativeName::new();
        names.dns("client.example");
        for uri in uris {
            names.uri(uri);
        }
        let names = names
            .build(&builder.x509v3_context(Some(&ca), None))
            .unwrap();
        builder.append_extension(names).unwrap();
        let mut usage = ExtendedKeyUsage::new();
        let usage = if client {
            usage.client_auth()
        } else {
            usage.server_auth()
        };
        builder.append_extension(usage.build().unwrap()).unwrap();
        builder.sign(&ca_key, MessageDigest::sha256()).unwrap();
        Holder {
            certificate: builder.build().to_pem().unwrap(),
            key: key.private_key_to_pem_pkcs8().unwrap(),
            issued: None,
        }
    }

    fn client_tls(&self, holder: Option<&Holder>) -> ClientTls {
        let identity = holder.map(|holder| (&*holder.certificate, &*holder.key));
        let ca = self.ca.certificate_pem().unwrap();
        ClientTls::new(&ca, identity, self.hands.clock()).unwrap()
    }

    async fn client(&self, server: &Server, holder: &Holder, protocol: Protocol) -> Client {
        let tls = self.client_tls(Some(holder)).speaking(protocol);
        Client::connect(server.address, "localhost", tls)
            .await
            .unwrap()
    }

    /// One request on a connection of its own.
    async fn ask(&self, server: &Server, holder: Option<&Holder>) -> Result<Reply, ClientError> {
        let tls = self.client_tls(holder).speaking(Protocol::Http1);
        let client = Client::connect(server.address, "localhost", tls).await?;
        who(&client).await
    }

    async fn is_let_in(&self, server: &Server, holder: &Holder) -> bool {
        self.ask(server, Some(holder))
            .await
            .is_ok_and(|reply| reply.status == StatusCode::OK)
    }

    fn publish_list(&self) {
        fs::copy(self.ca.crl_path(), self.path("crl.pem")).unwrap();
    }

    async fn serve(&self) -> Server {
        self.serve_within(Limits::default()).await
    }

    async fn serve_within(&self, limits: Limits) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (inside, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let app = app(Arc::clone(&inside), Arc::clone(&go_on));
        let tls = Arc::clone(&self.tls);
        let stopped = async {
            let _ = stopped.await;
        };
        let run = server::serve(listener, tls, limits, Replies::default(), app, stopped);
        Server {
            address,
            stop: Some(stop),
            inside,
            go_on,
            task: tokio::spawn(run),
        }
    }
}

fn files(dir: &Path) -> TlsFiles {
    TlsFiles {
        certificate: dir.join("server.pem"),
        key: dir.join("server.key"),
        client_ca: dir.join("client_ca.pem"),
        crl: dir.join("crl.pem"),
    }
}

struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    /// Told when a request to `/wait` runs; `go_on` lets it answer.
    inside: Arc<Notify>,
    go_on: Arc<Notify>,
    task: JoinHandle<std::io::Result<()>>,
}

fn app(inside: Arc<Notify>, go_on: Arc<Notify>) -> Router {
    let who = |Extension(peer): Extension<Peer>, Extension(at): Extension<ReceivedAt>| async move {
        assert!(at.0 <= Instant::now());
        peer.name().uri(DOMAIN)
    };
    let body = |request: Request| async move {
        match read_body(request.into_body(), BODY_BYTES_MAX, Duration::from_secs(5)).await {
            Ok(whole) => whole.len().to_string().into_response(),
            Err(BodyError::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
            Err(BodyError::CutOff | BodyError::Slow) => StatusCode::BAD_REQUEST.into_response(),
        }
    };
    let wait = move || {
        let (inside, go_on) = (Arc::clone(&inside), Arc::clone(&go_on));
        async move {
            inside.notify_one();
            go_on.notified().await;
            "done"
        }
    };
    let broken = || async {
        let secret = "Amina K., 4 Invented Street";
        let number: u64 = secret.parse().unwrap_or_else(|_| panic!("{secret}"));
        number.to_string()
    };
    Router::new()
        .route("/who", get(who))
        .route("/body", post(body))
        .route("/wait", get(wait))
        .route("/panic", get(broken))
}

async fn who(client: &Client) -> Result<Reply, ClientError> {
    client.request(Method::GET, "/who", &[], "").await
}

const BOTH: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];

#[tokio::test]
async fn a_known_client_is_named_whole_on_both_protocols() {
    let borough = Borough::new();
    let server = borough.serve().await;
    for uri in [MET, REFUGE] {
        let holder = borough.holder(uri);
        for protocol in BOTH {
            let client = borough.client(&server, &holder, protocol).await;
            for _ in 0..3 {
                let reply = who(&client).await.unwrap();
                assert_eq!(reply.body, uri.as_bytes());
            }
            assert_eq!(client.agreed().await.unwrap().protocol, protocol);
        }
    }
}

#[tokio::test]
async fn key_exchange_is_hybrid_and_no_ticket_is_given() {
    let borough = Borough::new();
    let server = borough.serve().await;
    let client = borough
        .client(&server, &borough.holder(MET), Protocol::Http1)
        .await;
    who(&client).await.unwrap();
    let agreed = client.agreed().await.unwrap();
    assert_eq!(agreed.key_exchange, "X25519MLKEM768");
    assert_eq!(agreed.tickets_received, 0);
}

#[tokio::test]
async fn a_stranger_is_refused_and_told_why() {
    let borough = Borough::new();
    let server = borough.serve().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Ca::create(
        &elsewhere.path().join("ca"),
        "Other",
        borough.hands.now(),
        30,
    )
    .unwrap();
    // The same name as the real authority, but another key.
    let twin = Ca::create(
        &elsewhere.path().join("2"),
        "Borough",
        borough.hands.now(),
        30,
    )
    .unwrap();
    assert!(borough.ask(&server, None).await.is_err());
    for ca in [&other, &twin] {
        let holder = borough.holder_from(ca, MET, DOMAIN, 10);
        assert!(!borough.is_let_in(&server, &holder).await);
    }
    for protocol in BOTH {
        let tls = borough.client_tls(None).speaking(protocol);
        let error = match Client::connect(server.address, "localhost", tls).await {
            Ok(client) => who(&client).await.unwrap_err(),
            Err(error) => error,
        };
        assert!(
            matches!(error, ClientError::Certificate("show a certificate")),
            "{protocol:?}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_certificate_holds_neither_after_nor_before_its_time() {
    let borough = Borough::new();
    let server = borough.serve().await;
    let start = borough.hands.now();
    let holder = borough.holder_from(&borough.ca, MET, DOMAIN, 10);
    assert!(borough.is_let_in(&server, &holder).await);
    borough.hands.set(start.plus_days(10).plus_millis(2_000));
    assert!(!borough.is_let_in(&server, &holder).await);
    borough.hands.set(start.plus_hours(-1));
    assert!(!borough.is_let_in(&server, &holder).await);
    borough.hands.set(start);
    assert!(borough.is_let_in(&server, &holder).await);
}

#[tokio::test]
async fn a_name_that_is_longer_shorter_or_double_opens_nothing() {
    let borough = Borough::new();
    let server = borough.serve().await;
    for domain in [
        "firedoor.example.evil",
        "x.firedoor.example",
        "edoor.example",
        "firedoor",
    ] {
        let uri = format!("spiffe://{domain}/org/met/team/hackney");
        let holder = borough.holder_from(&borough.ca, &uri, domain, 10);
        assert!(!borough.is_let_in(&server, &holder).await, "{uri}");
    }
    assert!(
        borough
            .is_let_in(&server, &borough.crafted(&[MET], true))
            .await
    );
    for uris in [
        &[][..],
        &[MET, REFUGE],
        &[MET, MET],
        &[MET, "https://client.example/"],
        &["https://client.example/"],
        &["spiffe://firedoor.example/org/met/team/hackney/"],
        &["spiffe://firedoor.example/org/met/team/hackney?x"],
        &["spiffe://firedoor.example//org/met/team/hackney"],
        &["SPIFFE://firedoor.example/org/met/team/hackney"],
        &["spiffe://firedoor.example/org/home-office/team/hackney"],
    ] {
        let holder = borough.crafted(uris, true);
        assert!(!borough.is_let_in(&server, &holder).await, "{uris:?}");
    }
}

#[tokio::test]
async fn a_servers_certificate_is_none_for_a_client() {
    let borough = Borough::new();
    let server = borough.serve().await;
    assert!(
        !borough
            .is_let_in(&server, &borough.crafted(&[MET], false))
            .await
    );
}

#[tokio::test]
async fn revocation_reaches_a_connection_that_is_already_open() {
    let borough = Borough::new();
    let server = borough.serve().await;
    let (met, refuge) = (borough.holder(MET), borough.holder(REFUGE));
    for protocol in BOTH {
        let client = borough.client(&server, &met, protocol).await;
        let bystander = borough.client(&server, &refuge, protocol).await;
        if protocol == Protocol::Http1 {
            assert_eq!(who(&client).await.unwrap().status, StatusCode::OK);
            borough
                .ca
                .revoke(met.issued.as_ref().unwrap().serial, borough.hands.now())
                .unwrap();
            assert_eq!(who(&client).await.unwrap().status, StatusCode::OK);
            borough.publish_list();
            assert!(borough.tls.reload_if_changed().unwrap().is_ok());
            assert!(borough.tls.reload_if_changed().is_none());
            let reply = who(&client).await.unwrap();
            assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
            assert_eq!(reply.headers["content-type"], "application/problem+json");
            assert_eq!(reply.headers["connection"], "close");
            let text = String::from_utf8(reply.body.to_vec()).unwrap();
            assert!(
                text.contains("certificate-not-accepted") && text.contains("revoked"),
                "{text}"
            );
        }
        // Closed by the server, and no new one is opened.
        let error = who(&client).await.unwrap_err();
        assert!(
            matches!(
                error,
                ClientError::Certificate("the certificate was revoked")
            ),
            "{protocol:?} {error:?}"
        );
        assert_eq!(who(&bystander).await.unwrap().status, StatusCode::OK);
    }
}

#[tokio::test]
async fn an_open_http2_connection_ends_with_its_certificate() {
    let borough = Borough::new();
    let server = borough.serve().await;
    let holder = borough.holder_from(&borough.ca, MET, DOMAIN, 10);
    let client = borough.client(&server, &holder, Protocol::Http2).await;
    assert_eq!(who(&client).await.unwrap().status, StatusCode::OK);
    borough
        .hands
        .set(borough.hands.now().plus_days(10).plus_millis(2_000));
    assert_eq!(who(&client).await.unwrap().status, StatusCode::UNAUTHORIZED);
    assert!(who(&client).await.is_err());
}

#[tokio::test]
async fn a_list_that_is_out_of_date_lets_nobody_in_until_there_is_a_new_one() {
    let borough = Borough::new();
    let server = borough.serve().await;
    let holder = borough.holder(MET);
    let open = borough.client(&server, &holder, Protocol::Http1).await;
    assert_eq!(who(&open).await.unwrap().status, StatusCode::OK);
    let late = borough.hands.now().plus_days(30);
    assert_eq!(borough.tls.health().revocation_next_update, late);
    borough.hands.set(late);
    assert_eq!(who(&open).await.unwrap().status, StatusCode::UNAUTHORIZED);
    assert!(!borough.is_let_in(&server, &holder).await);
    borough.ca.crl(late, 7).unwrap();
    borough.publish_list();
    borough.tls.reload().unwrap();
    assert!(borough.is_let_in(&server, &holder).await);
}

#[tokio::test]
async fn a_missing_or_older_list_is_not_taken_and_the_good_one_stays() {
    let borough = Borough::new();
    let server = borough.serve().await;
    let holder = borough.holder(MET);
    let old = fs::read(borough.ca.crl_path()).unwrap();
    borough
        .ca
        .revoke(holder.issued.as_ref().unwrap().serial, borough.hands.now())
        .unwrap();
    borough.publish_list();
    borough.tls.reload().unwrap();
    let generation = borough.tls.health().generation;
    fs::write(borough.path("crl.pem"), &old).unwrap();
    assert!(matches!(
        borough.tls.reload(),
        Err(TlsError::OlderRevocationList)
    ));
    fs::write(borough.path("crl.pem"), b"").unwrap();
    assert!(matches!(
        borough.tls.reload(),
        Err(TlsError::NoRevocationList)
    ));
    fs::write(borough.path("crl.pem"), &old[..old.len() / 2]).unwrap();
    assert!(borough.tls.reload().is_err());
    fs::remove_file(borough.path("crl.pem")).unwrap();
    assert!(matches!(
        borough.tls.reload(),
        Err(TlsError::Unreadable(..))
    ));
    assert_eq!(borough.tls.health().generation, generation);
    assert!(!borough.is_let_in(&server, &holder).await);
    let opened = TlsState::open(files(borough.dir.path()), DOMAIN, borough.hands.clock());
    assert!(opened.is_err());
}

#[tokio::test]
async fn a_second_authority_comes_and_the_first_goes_without_a_restart() {
    let borough = Borough::new();
    let server = borough.serve().await;
    let first = borough.holder(MET);
    let open = borough.client(&server, &first, Protocol::Http1).await;
    let next_dir = borough.path("next");
    let next = Ca::create(&next_dir, "Borough 2027", borough.hands.now(), 3_650).unwrap();
    let second = borough.holder_from(&next, REFUGE, DOMAIN, 90);
    assert!(!borough.is_let_in(&server, &second).await);
    let both =
        |one: PathBuf, two: PathBuf| [fs::read(one).unwrap(), fs::read(two).unwrap()].concat();
    let bundle = both(borough.ca.certificate_path(), next.certificate_path());
    fs::write(borough.path("client_ca.pem"), bundle).unwrap();
    // The new authority's list must be there before its certificates count.
    assert!(matches!(
        borough.tls.reload(),
        Err(TlsError::NoRevocationList)
    ));
    fs::write(
        borough.path("crl.pem"),
        both(borough.ca.crl_path(), next.crl_path()),
    )
    .unwrap();
    borough.tls.reload().unwrap();
    assert!(borough.is_let_in(&server, &first).await);
    assert!(borough.is_let_in(&server, &second).await);
    assert_eq!(who(&open).await.unwrap().status, StatusCode::OK);
    fs::copy(next.certificate_path(), borough.path("client_ca.pem")).unwrap();
    fs::copy(next.crl_path(), borough.path("crl.pem")).unwrap();
    borough.tls.reload().unwrap();
    assert_eq!(who(&open).await.unwrap().status, StatusCode::UNAUTHORIZED);
    assert!(!borough.is_let_in(&server, &first).await);
    assert!(borough.is_let_in(&server, &second).await);
}

#[tokio::test]
async fn an_authority_past_its_own_date_names_nobody() {
    let borough = Borough::new();
    let short = Ca::create(&borough.path("short"), "Short", borough.hands.now(), 5).unwrap();
    fs::copy(short.certificate_path(), borough.path("client_ca.pem")).unwrap();
    fs::copy(short.crl_path(), borough.path("crl.pem")).unwrap();
    borough.tls.reload().unwrap();
    let server = borough.serve().await;
    let ca_key = PKey::private_key_from_pem(&fs::read(borough.path("short/ca.key")).unwrap());
    let holder = borough.holder_from(&short, MET, DOMAIN, 5);
    // Stretched beyond its authority's life by someone who has the key.
    let stretched = {
        let key = PKey::private_key_from_pem(&holder.key).unwrap();
        let original = X509::from_pem(&holder.certificate).unwrap();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        builder.set_serial_number(original.serial_number()).unwrap();
        builder.set_issuer_name(original.issuer_name()).unwrap();
        builder.set_not_before(original.not_before()).unwrap();
        let until = borough.hands.now().plus_days(300).millis() / 1_000;
        builder
            .set_not_after(&Asn1Time::from_unix(until).unwrap())
            .unwrap();
        builder.set_pubkey(&key).unwrap();
        let mut names = SubjectAlternativeName::new();
        let names = names
            .uri(MET)
            .build(&builder.x509v3_context(None, None))
            .unwrap();
        builder.append_extension(names).unwrap();
        let usage = ExtendedKeyUsage::new().client_auth().build().unwrap();
        builder.append_extension(usage).unwrap();
        builder
            .sign(&ca_key.unwrap(), MessageDigest::sha256())
            .unwrap();
        let certificate = builder.build().to_pem().unwrap();
        Holder {
            certificate,
            key: holder.key.clone(),
            issued: None,
        }
    };
    let open = borough.client(&server, &stretched, Protocol::Http1).await;
    assert_eq!(who(&open).await.unwrap().status, StatusCode::OK);
    borough.hands.set(borough.hands.now().plus_days(6));
    assert_eq!(who(&open).await.unwrap().status, StatusCode::UNAUTHORIZED);
    assert!(!borough.is_let_in(&server, &stretched).await);
}

/// What OpenSSL's own client says of our server.
fn s_client(borough: &Borough, server: &Server, holder: &Holder, options: &[&str]) -> String {
    fs::write(borough.path("client.pem"), &holder.certificate).unwrap();
    fs::write(borough.path("client.key"), &holder.key).unwrap();
    let child = Command::new("openssl")
        .args([
            "s_client",
            "-connect",
            &server.address.to_string(),
            "-servername",
            "localhost",
        ])
        .arg("-CAfile")
        .arg(borough.ca.certificate_path())
        .arg("-cert")
        .arg(borough.path("client.pem"))
        .arg("-key")
        .arg(borough.path("client.key"))
        .args([
            "-attime",
            &(borough.hands.now().millis() / 1_000).to_string(),
        ])
        .args(options)
        .stdin(Stdio::null())
        .output()
        .expect("the openssl command is needed");
    let both = [child.stdout, child.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_1_2_is_refused_and_1_3_verifies_with_a_tool_we_did_not_write() {
    let borough = Borough::new();
    let server = borough.serve().await;
    let holder = borough.holder(MET);
    let old = s_client(&borough, &server, &holder, &["-tls1_2"]);
    assert!(old.contains("protocol version"), "{old}");
    let new = s_client(&borough, &server, &holder, &["-tls1_3", "-alpn", "h2"]);
    for said in [
        "TLSv1.3",
        "Verify return code: 0 (ok)",
        "ALPN protocol: h2",
        "CN = Borough",
    ] {
        assert!(new.contains(said), "{said}: {new}");
    }
    assert!(!new.contains("New Session Ticket"), "{new}");
}

async fn closed_within(stream: &mut (impl AsyncReadExt + Unpin), limit: Duration) -> bool {
    let mut rest = Vec::new();
    tokio::time::timeout(limit, stream.read_to_end(&mut rest))
        .await
        .is_ok()
}

#[tokio::test]
async fn who_does_not_shake_hands_or_finish_a_head_is_dropped() {
    let borough = Borough::new();
    let limits = Limits {
        handshake: Duration::from_millis(150),
        head: Duration::from_millis(150),
        ..Limits::default()
    };
    let server = borough.serve_within(limits).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    assert!(closed_within(&mut silent, Duration::from_secs(5)).await);
    let tls = borough
        .client_tls(Some(&borough.holder(MET)))
        .speaking(Protocol::Http1);
    let tcp = TcpStream::connect(server.address).await.unwrap();
    let mut slow = tls.connect(tcp, "localhost").await.unwrap();
    slow.write_all(b"GET /who HTTP/1.1\r\nhost: localhost\r\nx-slow: ")
        .await
        .unwrap();
    assert!(closed_within(&mut slow, Duration::from_secs(5)).await);
}

#[tokio::test]
async fn an_idle_connection_closes_and_the_client_opens_another() {
    let borough = Borough::new();
    let limits = Limits {
        idle: Duration::from_millis(80),
        ..Limits::default()
    };
    let server = borough.serve_within(limits).await;
    for protocol in BOTH {
        let client = borough
            .client(&server, &borough.holder(MET), protocol)
            .await;
        assert_eq!(who(&client).await.unwrap().status, StatusCode::OK);
        // The server's own limit is what is waited for.
        tokio::time::sleep(Duration::from_millis(250)).await;
        assert_eq!(who(&client).await.unwrap().status, StatusCode::OK);
    }
}

#[tokio::test]
async fn who_does_not_take_the_reply_is_cut_off() {
    let borough = Borough::new();
    let limits = Limits {
        write: Duration::from_millis(100),
        ..Limits::default()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let endless = Router::new().route("/", get(|| async { Body::from(vec![7; 64 << 20]) }));
    let tls = Arc::clone(&borough.tls);
    let stop = std::future::pending();
    let run = server::serve(listener, tls, limits, Replies::default(), endless, stop);
    tokio::spawn(run);
    let tls = borough
        .client_tls(Some(&borough.holder(MET)))
        .speaking(Protocol::Http1);
    let tcp = TcpStream::connect(address).await.unwrap();
    let mut idle_reader = tls.connect(tcp, "localhost").await.unwrap();
    idle_reader
        .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(400)).await;
    let mut taken = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(5), idle_reader.read_to_end(&mut taken));
    assert!(end.await.unwrap().is_err() || taken.len() < 64 << 20);
    assert!(taken.len() < 64 << 20);
}

#[tokio::test]
async fn a_head_over_16_kib_is_refused() {
    let borough = Borough::new();
    let server = borough.serve().await;
    let long = "a".repeat(17 * 1024);
    for protocol in BOTH {
        let client = borough
            .client(&server, &borough.holder(MET), protocol)
            .await;
        let reply = client
            .request(Method::GET, "/who", &[("x-long", &long)], "")
            .await;
        assert!(
            reply
                .as_ref()
                .is_ok_and(|reply| { reply.status == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE }),
            "{protocol:?} {reply:?}"
        );
    }
}

#[tokio::test]
async fn a_body_of_256_kib_passes_and_one_of_257_is_refused() {
    let borough = Borough::new();
    let server = borough.serve().await;
    for protocol in BOTH {
        let client = borough
            .client(&server, &borough.holder(MET), protocol)
            .await;
        let send = async |bytes: usize| {
            client
                .request(Method::POST, "/body", &[], vec![b' '; bytes])
                .await
                .unwrap()
        };
        assert_eq!(send(BODY_BYTES_MAX).await.body, "262144");
        assert_eq!(send(257 * 1024).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    }
}

/// A body of unannounced length, in chunks; then it ends, breaks off or hangs.
struct Chunks(Vec<&'static [u8]>, Poll<Option<()>>);

impl hyper::body::Body for Chunks {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        match (self.0.pop(), self.1) {
            (Some(chunk), _) => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(chunk))))),
            (None, Poll::Pending) => Poll::Pending,
            (None, Poll::Ready(None)) => Poll::Ready(None),
            (None, Poll::Ready(Some(()))) => {
                Poll::Ready(Some(Err(std::io::ErrorKind::UnexpectedEof.into())))
            }
        }
    }
}

#[tokio::test]
async fn a_body_that_is_cut_off_slow_or_too_large_is_told_apart() {
    let read = async |end| {
        let body = Chunks(vec![b"12345", b"67890"], end);
        read_body(body, 10, Duration::from_millis(20))
            .await
            .map(|whole| whole.len())
    };
    assert_eq!(read(Poll::Ready(None)).await, Ok(10));
    assert_eq!(read(Poll::Ready(Some(()))).await, Err(BodyError::CutOff));
    assert_eq!(read(Poll::Pending).await, Err(BodyError::Slow));
    let large = Chunks(vec![b"12345", b"67890", b"x"], Poll::Pending);
    let refused = read_body(large, 10, Duration::from_secs(60)).await;
    assert_eq!(refused, Err(BodyError::TooLarge));
}

#[tokio::test]
async fn one_organisation_cannot_take_every_connection() {
    let borough = Borough::new();
    let limits = Limits {
        connections_per_organisation_max: 2,
        ..Limits::default()
    };
    let server = borough.serve_within(limits).await;
    let (met, refuge) = (borough.holder(MET), borough.holder(REFUGE));
    let first = borough.client(&server, &met, Protocol::Http1).await;
    let second = borough.client(&server, &met, Protocol::Http2).await;
    assert_eq!(who(&first).await.unwrap().status, StatusCode::OK);
    assert_eq!(who(&second).await.unwrap().status, StatusCode::OK);
    for protocol in BOTH {
        let third = borough.client(&server, &met, protocol).await;
        let reply = who(&third).await.unwrap();
        assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS);
        assert!(reply.headers.contains_key("retry-after"));
    }
    assert!(borough.is_let_in(&server, &refuge).await);
    drop(first);
    let mut let_in = false;
    for _ in 0..50 {
        let_in = let_in || borough.is_let_in(&server, &met).await;
    }
    assert!(let_in);
}

#[tokio::test]
async fn a_panic_answers_500_without_a_word_of_what_it_held() {
    let borough = Borough::new();
    let server = borough.serve().await;
    for protocol in BOTH {
        let client = borough
            .client(&server, &borough.holder(MET), protocol)
            .await;
        let reply = client
            .request(Method::GET, "/panic", &[], "")
            .await
            .unwrap();
        assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(reply.headers["content-type"], "application/problem+json");
        assert!(!String::from_utf8_lossy(&reply.body).contains("Amina"));
        assert_eq!(who(&client).await.unwrap().status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_graceful_stop_finishes_what_was_accepted() {
    for protocol in BOTH {
        let borough = Borough::new();
        let mut server = borough.serve().await;
        let client = Arc::new(
            borough
                .client(&server, &borough.holder(MET), protocol)
                .await,
        );
        let asking = Arc::clone(&client);
        let request =
            tokio::spawn(async move { asking.request(Method::GET, "/wait", &[], "").await });
        server.inside.notified().await;
        server.stop.take().unwrap().send(()).unwrap();
        // No newcomer once the listener is gone, while the request still runs.
        while TcpStream::connect(server.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        server.go_on.notify_one();
        assert_eq!(request.await.unwrap().unwrap().body, "done");
        server.task.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_stop_waits_for_its_deadline_and_no_longer() {
    let borough = Borough::new();
    let limits = Limits {
        finish: Duration::from_millis(100),
        ..Limits::default()
    };
    let mut server = borough.serve_within(limits).await;
    let client = borough
        .client(&server, &borough.holder(MET), Protocol::Http1)
        .await;
    let request = tokio::spawn(async move { client.request(Method::GET, "/wait", &[], "").await });
    server.inside.notified().await;
    server.stop.take().unwrap().send(()).unwrap();
    let stopped = tokio::time::timeout(Duration::from_secs(5), server.task).await;
    stopped.unwrap().unwrap().unwrap();
    assert!(request.await.unwrap().is_err());
}

#[tokio::test]
async fn a_request_goes_on_when_its_client_hangs_up() {
    let borough = Borough::new();
    let mut server = borough.serve().await;
    let client = borough
        .client(&server, &borough.holder(MET), Protocol::Http1)
        .await;
    let request = tokio::spawn(async move { client.request(Method::GET, "/wait", &[], "").await });
    server.inside.notified().await;
    request.abort();
    let _ = request.await;
    server.stop.take().unwrap().send(()).unwrap();
    let mut task = server.task;
    let early = tokio::time::timeout(Duration::from_millis(200), &mut task).await;
    assert!(early.is_err(), "stopped while a request still ran");
    server.go_on.notify_one();
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_plain_listener_stays_on_this_machine() {
    let hello = || Router::new().route("/healthz", get(|| async { "ok" }));
    let everywhere = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let stop = std::future::ready(());
    let refused = server::serve_plain_loopback(everywhere, Limits::default(), hello(), stop).await;
    assert!(refused.is_err());
    let here = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = here.local_addr().unwrap();
    let stop = std::future::pending();
    tokio::spawn(server::serve_plain_loopback(
        here,
        Limits::default(),
        hello(),
        stop,
    ));
    let mut tcp = TcpStream::connect(address).await.unwrap();
    let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    tcp.write_all(request).await.unwrap();
    let mut reply = String::new();
    tcp.read_to_string(&mut reply).await.unwrap();
    assert!(
        reply.starts_with("HTTP/1.1 200") && reply.ends_with("ok"),
        "{reply}"
    );
}

#[tokio::test]
async fn the_help_page_needs_no_certificate_and_knows_no_peer() {
    let borough = Borough::new();
    let help = |peer: Option<Extension<Peer>>| async move {
        assert!(peer.is_none());
        Response::new(Body::from("call us"))
    };
    let app = Router::new().route("/", get(help));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tls, stop) = (Arc::clone(&borough.tls), std::future::pending());
    tokio::spawn(server::serve_help(
        listener,
        tls,
        Limits::default(),
        app,
        stop,
    ));
    let client = Client::connect(address, "localhost", borough.client_tls(None))
        .await
        .unwrap();
    assert_eq!(
        client
            .request(Method::GET, "/", &[], "")
            .await
            .unwrap()
            .body,
        "call us"
    );
}

fn openssl(dir: &Path, line: &str) {
    let output = Command::new("openssl")
        .args(line.split_whitespace())
        .current_dir(dir)
        .output()
        .expect("the openssl command is needed");
    assert!(
        output.status.success(),
        "{line}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
async fn the_profiles_in_certs_make_certificates_that_the_gateway_accepts() {
    let (dir, certs) = (
        tempfile::tempdir().unwrap(),
        format!("{}/certs", env!("CARGO_MANIFEST_DIR")),
    );
    let run = |line: &str| openssl(dir.path(), &line.replace("certs/", &format!("{certs}/")));
    let ec = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc";
    run(&format!(
        "req -new -x509 {ec} -days 3650 -config certs/ca.cnf -keyout ca.key -out client_ca.pem"
    ));
    fs::write(dir.path().join("index.txt"), "").unwrap();
    fs::write(dir.path().join("crlnumber"), "01\n").unwrap();
    run("ca -gencrl -config certs/ca.cnf -cert client_ca.pem -keyfile ca.key -out crl.pem");
    for name in ["server", "system", "person"] {
        run(&format!(
            "req -new {ec} -subj /CN=applicant -keyout {name}.key -out {name}.csr"
        ));
        run(&format!(
            "x509 -req -in {name}.csr -CA client_ca.pem -CAkey ca.key -days 397 \
             -extfile certs/{name}.cnf -extensions {name} -out {name}.pem"
        ));
    }
    // These tools know no time but today's.
    let clock: Clock = Arc::new(firedoor::ops::clock::now);
    let tls = TlsState::open(files(dir.path()), DOMAIN, Arc::clone(&clock)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (inside, go_on) = (Arc::default(), Arc::default());
    let run = server::serve(
        listener,
        Arc::new(tls),
        Limits::default(),
        Replies::default(),
        app(inside, go_on),
        std::future::pending(),
    );
    tokio::spawn(run);
    let read = |name: String| fs::read(dir.path().join(name)).unwrap();
    for (name, uri) in [
        (
            "system",
            "spiffe://firedoor.example/org/hackney-council/team/housing",
        ),
        (
            "person",
            "spiffe://firedoor.example/org/hackney-council/team/housing/user/j-obi",
        ),
    ] {
        let (certificate, key) = (read(format!("{name}.pem")), read(format!("{name}.key")));
        let ca = read("client_ca.pem".to_owned());
        let identity = Some((&*certificate, &*key));
        let tls = ClientTls::new(&ca, identity, Arc::clone(&clock)).unwrap();
        let client = Client::connect(address, "localhost", tls).await.unwrap();
        assert_eq!(who(&client).await.unwrap().body, uri.as_bytes());
    }
}

#[test]
fn a_panic_is_logged_by_its_place_only() {
    #[derive(Clone, Default)]
    struct Lines(Arc<std::sync::Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let lines = Lines::default();
    let writer = lines.clone();
    let log = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .finish();
    let before = std::panic::take_hook();
    server::quiet_panics();
    tracing::subscriber::with_default(log, || {
        let _ = std::panic::catch_unwind(|| panic!("Amina K., 4 Invented Street"));
    });
    std::panic::set_hook(before);
    let said = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(said.contains("tls.rs") && !said.contains("Amina"), "{said}");
}
