//! A gateway that really listens, with keys and certificates of its own.

use std::fs;
use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::edge::client::{Client, ClientError};
use crate::edge::tls::ClientTls;
use crate::ops::init::{House, Plan};
use crate::ops::pki::{Profile, key_and_csr};
use axum::http::Method;
use tempfile::TempDir;

fn house() -> (TempDir, House, Config) {
    let dir = tempfile::tempdir().unwrap();
    let plan = Plan {
        origin: "gateway.example.org/log".to_owned(),
        hosts: vec!["localhost".to_owned()],
        addresses: Vec::new(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
    };
    let house = House::make(&dir.path().join("house"), &plan, now()).unwrap();
    let mut config = Config::read(&house.config).unwrap();
    config.admin_listen.set_port(0);
    config.help_listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    (dir, house, config)
}

async fn plain(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let ask = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).await.unwrap();
    page
}

fn anyone(house: &House) -> ClientTls {
    let clock: Clock = Arc::new(now);
    ClientTls::new(&house.ca.certificate_pem().unwrap(), None, clock).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_started_gateway_is_well_counts_and_stops_in_order() {
    let (_dir, _house, config) = house();
    let running = start(&config).await.unwrap();
    assert!(
        plain(running.admin_address, "/healthz")
            .await
            .ends_with("ok\n")
    );
    let ready = plain(running.admin_address, "/readyz").await;
    assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
    assert!(ready.contains(r#""ready":true"#) && ready.contains(r#""problems":[]"#));
    let page = plain(running.admin_address, "/metrics").await;
    assert!(page.contains("\nfiredoor_log_leaves 0\n"), "{page}");
    running.stop().await.unwrap();
    // In order: it opens again at once, and its ports are free.
    start(&config).await.unwrap().stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_ends_is_named_before_anyone_phones() {
    let (_dir, house, config) = house();
    house.ca.crl(now().plus_days(-40), 30).unwrap();
    let running = start(&config).await.unwrap();
    let ready = plain(running.admin_address, "/readyz").await;
    assert!(ready.starts_with("HTTP/1.1 503"), "{ready}");
    assert!(ready.contains("revocation-list") && ready.contains("firedoor cert crl"));
    house.ca.crl(now(), 30).unwrap();
    running.tls.reload_if_changed();
    let ready = plain(running.admin_address, "/readyz").await;
    assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_certificate_there_is_the_help_page_and_nothing_else() {
    let (_dir, house, config) = house();
    let running = start(&config).await.unwrap();
    let help = Client::connect(running.help_address.unwrap(), "localhost", anyone(&house))
        .await
        .unwrap();
    let page = help.request(Method::GET, "/", &[], "").await.unwrap();
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    assert!(
        text.contains("this address asks for no certificate"),
        "{text}"
    );
    // It leads nowhere but away: no form, no link to another of our pages, no script.
    for way_in in ["<form", "<script", "href=\"/\"", "href=\"/help"] {
        assert!(!text.contains(way_in), "{way_in}");
    }
    for path in ["/help", "/v1/me", "/log/checkpoint", "/metrics", "/sign-in"] {
        let reply = help.request(Method::GET, path, &[], "").await.unwrap();
        assert_eq!(reply.body, page.body, "{path}");
        assert_eq!(reply.headers["cache-control"], "no-store");
        assert!(!reply.headers.contains_key("set-cookie"));
    }
    let style = help
        .request(Method::GET, "/assets/style.css", &[], "")
        .await
        .unwrap();
    assert_eq!(style.headers["content-type"], "text/css; charset=utf-8");
    let main = Client::connect(running.address, "localhost", anyone(&house)).await;
    let refused = match main {
        Ok(client) => client.request(Method::GET, "/v1/me", &[], "").await.err(),
        Err(error) => Some(error),
    };
    // The alert may be lost with the connection; either way there was no reply.
    assert!(
        matches!(
            refused,
            Some(
                ClientError::Certificate(_) | ClientError::Closed(_) | ClientError::Unreachable(_)
            )
        ),
        "{refused:?}"
    );
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_certificate_the_log_can_be_fetched_and_is_signed_by_its_key() {
    let (_dir, house, config) = house();
    let running = start(&config).await.unwrap();
    let (key, csr) = key_and_csr("met").unwrap();
    let uri = "spiffe://gateway.example.org/org/met/team/hackney";
    let profile = Profile::System {
        name: crate::domain::peer::SpiffeName::parse(uri, "gateway.example.org").unwrap(),
        trust_domain: config.trust_domain.clone(),
    };
    let issued = house.ca.issue(csr.as_bytes(), &profile, now(), 30).unwrap();
    let tls = ClientTls::new(
        &house.ca.certificate_pem().unwrap(),
        Some((issued.pem.as_bytes(), &key)),
        Arc::new(now),
    )
    .unwrap();
    let client = Client::connect(running.address, "localhost", tls)
        .await
        .unwrap();
    let reply = client
        .request(Method::GET, "/log/checkpoint", &[], "")
        .await
        .unwrap();
    let note = String::from_utf8(reply.body.to_vec()).unwrap();
    let root = crate::ops::keys::RootKey::read(&config.key_path).unwrap();
    let key = crate::ops::keys::log_key(&root, &config.origin).unwrap();
    assert_eq!(key.verifier().verify(&note).unwrap().size, 0);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_cannot_be_says_which_key_of_the_configuration_to_look_at() {
    let (_dir, house, good) = house();
    let error = |config: Config| async move { start(&config).await.err().unwrap().to_string() };

    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = good.clone();
    config.listen = taken.local_addr().unwrap();
    assert!(
        error(config)
            .await
            .starts_with("listen: cannot listen on 127.0.0.1:")
    );

    let mut config = good.clone();
    let policies = house.dir.join("policies");
    fs::create_dir(&policies).unwrap();
    fs::write(policies.join("10-mine.cedar"), "").unwrap();
    config.policies_dir = Some(policies);
    assert!(error(config).await.contains("schema.cedarschema"));

    let mut config = good.clone();
    config.tls.certificate = house.dir.join("ca/index.json");
    assert!(error(config).await.contains("ca/index.json"));

    fs::remove_file(&good.key_path).unwrap();
    assert!(error(good.clone()).await.contains("root key"));
    assert!(Path::new(&good.data_dir).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_gateway_on_the_same_data_does_not_start() {
    let (_dir, _house, config) = house();
    let running = start(&config).await.unwrap();
    let error = start(&config).await.err().unwrap();
    assert!(
        error.to_string().contains("in use by another process"),
        "{error}"
    );
    running.stop().await.unwrap();
}
