//! An administrator renews the certificates of her own organisation's people, alone and at once (P11):
//! the page, the route behind it, and who is refused.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine};
use firedoor::domain::peer::SpiffeName;
use firedoor::edge::tls::ClientTls;
use firedoor::ops::clock::now;
use firedoor::ops::demo::borough::TRUST_DOMAIN;
use firedoor::ops::pki::{Ca, Profile, key_and_csr};
use firedoor::ops::serve;
use openssl::pkcs12::{ParsedPkcs12_2, Pkcs12};
use serde_json::{Value, json};

use crate::pages::Visitor;
use crate::town::{Desk, Said, Town, new_key, prepare};

const ADVISER: [(&str, &str); 2] = [("whose", "advice/v-adeola"), ("computer", "windows")];

fn opened(file: &[u8], password: &str) -> ParsedPkcs12_2 {
    let file = Pkcs12::from_der(file).unwrap();
    assert!(file.parse2("2345-6789-abcd-efgh").is_err());
    file.parse2(password).unwrap()
}

/// A caller with what was handed over.
async fn with(town: &Town, file: &[u8], password: &str) -> Desk {
    let parsed = opened(file, password);
    let certificate = parsed.cert.unwrap().to_pem().unwrap();
    let key = parsed.pkey.unwrap().private_key_to_pem_pkcs8().unwrap();
    let authority = fs::read(town.bundle("operator").join("ca.pem")).unwrap();
    let holder = Some((certificate.as_slice(), key.as_slice()));
    let tls = ClientTls::new(&authority, holder, Arc::new(now)).unwrap();
    town.desk_of(tls, None).await
}

fn renewal(user: &str, team: &str) -> Value {
    json!({ "user": user, "team": team, "form": "modern" })
}

fn file_of(said: &Said) -> (Vec<u8>, String) {
    let file = said.text("/p12").expect("a file");
    let password = said.text("/password").expect("a password");
    (BASE64_STANDARD.decode(file).unwrap(), password.to_owned())
}

/// Every file of a folder.
fn files(at: &Path) -> Vec<PathBuf> {
    if !at.is_dir() {
        return vec![at.to_owned()];
    }
    let within = fs::read_dir(at).unwrap();
    within
        .flat_map(|entry| files(&entry.unwrap().path()))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_handed_over_once_and_opens_with_the_password_that_was_shown_before() {
    let town = Town::start().await;
    let mut admin = Visitor::sign_in(&town, "larkfield-admin").await;
    assert!(admin.get("/state").await.text.contains("v-adeola"));
    let asks = admin.get("/renew").await;
    assert!(
        asks.text.contains("v-adeola, team advice: 29 days left"),
        "{}",
        asks.text
    );
    assert!(!asks.text.contains("m-farouk"), "{}", asks.text);
    let wrong = admin.post("/renew", &[]).await;
    assert_eq!(wrong.status, 422);
    assert!(
        wrong.text.contains("Choose whose certificate"),
        "{}",
        wrong.text
    );

    let before = town.leaves();
    let shown = admin.post("/renew", &ADVISER).await;
    assert_eq!(shown.status, 200, "{}", shown.text);
    let hidden = shown.hidden("/renew/file");
    let value = |name: &str| {
        hidden
            .iter()
            .find(|(key, _)| key == name)
            .unwrap()
            .1
            .clone()
    };
    let (mark, password) = (value("form"), value("password"));
    assert!(shown.text.contains(&password), "{}", shown.text);
    assert_eq!(town.leaves(), before, "only what is done is logged");

    let made = admin.post("/renew/file", &[]).await;
    assert_eq!(made.status, 200, "{}", made.text);
    assert_eq!(town.leaves(), before + 1);
    let kept = "attachment; filename=\"certificate.p12\"";
    assert_eq!(made.header("content-disposition"), kept);
    assert_eq!(made.header("content-type"), "application/x-pkcs12");
    assert_eq!(made.header("cache-control"), "no-store");
    let new = with(&town, &made.bytes, &password).await;
    let me = new.get("/v1/me").await;
    assert_eq!(me.text("/user"), Some("v-adeola"), "{}", me.body);
    assert_eq!(me.body["roles"], json!(["adviser"]));
    assert_eq!(me.body["certificate_days_left"], 364);
    let old = town.desk("larkfield-browser").await.get("/v1/me").await;
    assert_eq!(
        (old.status, &old.body["certificate_days_left"]),
        (200, &json!(29))
    );

    // Sent again, it makes nothing.
    let fields = [("password", password.as_str()), ADVISER[0], ADVISER[1]];
    let again = admin.post_with(&mark, "/renew/file", &fields).await;
    assert_eq!(again.status, 409, "{}", again.text);
    assert!(again.text.contains("handed over once"), "{}", again.text);
    // No other password than ours is taken.
    let asks = admin.get("/renew").await;
    let before = town.leaves();
    let mark = asks.mark().unwrap();
    let weak = admin.post_with(&mark, "/renew/file", &fields).await;
    assert_eq!((weak.status, town.leaves()), (409, before), "{}", weak.text);

    // What was renewed is no longer told to end; what was not, is.
    let state = admin.get("/state").await;
    assert!(!state.text.contains("v-adeola"), "{}", state.text);
    assert!(state.text.contains("t-novak"), "{}", state.text);

    // The key and the password lie nowhere.
    let key = opened(&made.bytes, &password).pkey.unwrap();
    let key = key.ec_key().unwrap().private_key().to_vec();
    let Town { dir, running, .. } = town;
    running.stop().await.unwrap();
    for file in files(dir.path()) {
        let bytes = fs::read(&file).unwrap();
        for secret in [password.as_bytes(), key.as_slice()] {
            let found = bytes.windows(secret.len()).any(|part| part == secret);
            assert!(!found, "{}", file.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_an_administrator_in_person_renews_and_only_for_her_own_organisation() {
    let town = Town::start().await;
    let refused = |said: &Said, why: &str, what: &str| {
        assert_eq!(said.result(), why, "{what}: {}", said.body);
        assert!(said.text("/p12").is_none() && said.text("/password").is_none());
    };
    let issued = || {
        Ca::open(&town.dir.path().join("ca"))
            .unwrap()
            .list()
            .unwrap()
            .len()
    };
    let (before, renewals) = (issued(), "/v1/renewals");
    let hers = renewal("v-adeola", "advice");
    for (bundle, why) in [
        ("larkfield-browser", "role-not-allowed"),
        ("larkfield-ig", "role-not-allowed"),
        ("met-browser", "role-not-allowed"),
        // She administers another organisation, in which nobody has that name.
        ("operator", "check-your-answers"),
    ] {
        let said = town.signed_in(bundle).await.post(renewals, &hers).await;
        refused(&said, why, bundle);
    }
    let system = town.desk("larkfield").await.post(renewals, &hers).await;
    refused(&system, "role-not-allowed", "a system");
    let unproved = town
        .desk("larkfield-admin")
        .await
        .post(renewals, &hers)
        .await;
    refused(&unproved, "second-factor-needed", "unproved");

    let admin = town.signed_in("larkfield-admin").await;
    for (user, team) in [
        ("v-adeola", "trustees"),
        ("n-castell", "emergency"),
        ("nobody", "advice"),
        ("V Adeola", "advice"),
    ] {
        let said = admin.post(renewals, &renewal(user, team)).await;
        refused(&said, "check-your-answers", user);
    }
    let mut other = hers.clone();
    other["form"] = json!("weak");
    refused(
        &admin.post(renewals, &other).await,
        "check-your-answers",
        "form",
    );
    other = hers.clone();
    other["password"] = json!("2345-6789-abcd-efgh");
    refused(
        &admin.post(renewals, &other).await,
        "check-your-answers",
        "a password",
    );
    let tried = admin.post("/v1/renewals?check=only", &hers).await;
    assert!(
        tried.status == 200 && tried.text("/p12").is_none(),
        "{}",
        tried.body
    );
    assert_eq!(issued(), before, "nothing was made");

    // Whoever watches is renewed as what she is.
    let said = admin.post(renewals, &renewal("t-novak", "trustees")).await;
    let (file, password) = file_of(&said);
    let me = with(&town, &file, &password).await.get("/v1/me").await;
    assert_eq!(me.body["roles"], json!(["ig_officer"]), "{}", me.body);
    // An administrator renews her own, too.
    let said = admin.post(renewals, &renewal("c-marsh", "trustees")).await;
    assert_eq!(said.status, 200, "{}", said.body);

    // The same request again is the same act, and its key is gone.
    let key = new_key();
    let first = admin.post_as(&key, renewals, &hers).await;
    assert!(first.text("/p12").is_some(), "{}", first.body);
    let again = admin.post_as(&key, renewals, &hers).await;
    assert_eq!(again.body["replayed"], true, "{}", again.body);
    assert!(again.text("/p12").is_none() && again.text("/password").is_none());
    assert_eq!(issued(), before + 3);

    // Who has left is renewed by nobody.
    let leaves =
        json!({ "change": "remove_user", "organisation": "larkfield", "user": "v-adeola" });
    assert_eq!(admin.post("/v1/narrowings", &leaves).await.status, 200);
    refused(
        &admin.post(renewals, &hers).await,
        "check-your-answers",
        "who left",
    );
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_in_the_older_form_opens_with_openssl_as_old_systems_open_it() {
    let town = Town::start().await;
    let admin = town.signed_in("larkfield-admin").await;
    let mut wanted = renewal("v-adeola", "advice");
    wanted["form"] = json!("legacy");
    let (file, password) = file_of(&admin.post("/v1/renewals", &wanted).await);
    let at = town.dir.path().join("hers.p12");
    let said = town.dir.path().join("said");
    fs::write(&at, &file).unwrap();
    fs::write(&said, &password).unwrap();
    let run = |more: &[&str]| {
        let mut command = Command::new("openssl");
        command.args(["pkcs12", "-legacy", "-info", "-noenc", "-in"]);
        command
            .arg(&at)
            .args(["-passin", &format!("file:{}", said.display())]);
        let output = command.args(more).output().expect("openssl");
        let told = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&told).into_owned(),
        )
    };
    let (opened, told) = run(&["-clcerts", "-nokeys"]);
    assert!(opened && told.contains("v-adeola"), "{told}");
    assert!(told.contains("pbeWithSHA1And3-KeyTripleDES-CBC"), "{told}");
    assert!(run(&["-nocerts"]).1.contains("PRIVATE KEY"));
    fs::write(&said, "2345-6789-abcd-efgh").unwrap();
    assert!(!run(&["-nokeys"]).0);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_authority_the_page_says_whom_to_telephone() {
    let town = Town::start_with("[renewals]\nca = \"\"\n").await;
    let mut admin = Visitor::sign_in(&town, "larkfield-admin").await;
    let asks = admin.get("/renew").await;
    assert!(
        asks.text.contains("Telephone the operator"),
        "{}",
        asks.text
    );
    assert!(asks.text.contains("Have ready"), "{}", asks.text);
    assert_eq!(asks.hidden("/renew"), []);
    let admin = town.signed_in("larkfield-admin").await;
    let said = admin
        .post("/v1/renewals", &renewal("v-adeola", "advice"))
        .await;
    assert_eq!(said.result(), "check-your-answers", "{}", said.body);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_authority_renews_once_the_gateway_lets_in_what_it_issues() {
    let (dir, borough, config) = prepare("[renewals]\nca = \"second\"\n");
    let at = dir.path();
    let second = Ca::create(&at.join("second"), "Firedoor renewals", now(), 400).unwrap();
    let refused = serve::start(&config)
        .await
        .err()
        .expect("no start")
        .to_string();
    assert!(
        refused.contains("add its ca.pem to tls.client_ca"),
        "{refused}"
    );
    let add = |to: &Path, pem: &[u8]| {
        let all = [&fs::read(to).unwrap(), pem].concat();
        fs::write(to, all).unwrap();
    };
    add(&config.tls.client_ca, &second.certificate_pem().unwrap());
    let refused = serve::start(&config)
        .await
        .err()
        .expect("no start")
        .to_string();
    assert!(refused.contains("no revocation list"), "{refused}");
    add(&config.tls.crl, &fs::read(second.crl_path()).unwrap());
    let running = serve::start(&config).await.unwrap();
    running
        .app
        .gateway
        .found(&borough.founding().unwrap())
        .await
        .unwrap();
    let town = Town::of(dir, borough, config, running);
    let admin = town.signed_in("larkfield-admin").await;
    let said = admin
        .post("/v1/renewals", &renewal("v-adeola", "advice"))
        .await;
    let (file, password) = file_of(&said);
    let me = with(&town, &file, &password).await.get("/v1/me").await;
    assert_eq!(me.text("/user"), Some("v-adeola"), "{}", me.body);
    assert_eq!(second.list().unwrap().len(), 1);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn she_is_told_on_her_first_page_and_in_the_last_week_on_every_page() {
    let town = Town::start().await;
    let told = "Your certificate ends on";
    let mut early = Visitor::sign_in(&town, "met-browser").await;
    let first = early.get("/").await;
    assert!(
        first.text.contains(told) && first.text.contains("in 29 days."),
        "{}",
        first.text
    );
    assert!(!early.get("/sent").await.text.contains(told));

    // Five days are left of hers.
    let name = format!("spiffe://{TRUST_DOMAIN}/org/larkfield/team/advice/user/v-adeola");
    let profile = Profile::Person {
        name: SpiffeName::parse(&name, TRUST_DOMAIN).unwrap(),
        trust_domain: TRUST_DOMAIN.to_owned(),
    };
    let ca = Ca::open(&town.dir.path().join("ca")).unwrap();
    let (key, request) = key_and_csr("v-adeola").unwrap();
    let short = ca.issue(request.as_bytes(), &profile, now(), 5).unwrap();
    let spki: String = short
        .spki_sha256
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let listed = json!({ "change": "issue_own_certificate", "certificate": {
        "spki_sha256": spki, "team": "advice", "user": "v-adeola", "roles": ["adviser"],
        "not_after": short.not_after.rfc3339(),
    } });
    let admin = town.signed_in("larkfield-admin").await;
    let said = admin.post("/v1/proposals", &listed).await;
    assert_eq!(said.status, 200, "{}", said.body);
    let bundle = town.bundle("larkfield-browser");
    fs::write(bundle.join("client.pem"), &short.pem).unwrap();
    fs::write(bundle.join("client.key"), &*key).unwrap();
    let mut late = Visitor::sign_in(&town, "larkfield-browser").await;
    for path in ["/", "/inbox", "/new", "/help"] {
        let page = late.get(path).await;
        let says = "in 4 days. Ask your administrator to renew it.";
        assert!(
            page.text.contains(told) && page.text.contains(says),
            "{path}: {}",
            page.text
        );
    }
    // An administrator is shown the way.
    let mut admin = Visitor::sign_in(&town, "larkfield-admin").await;
    let first = admin.get("/").await;
    assert!(
        first
            .links()
            .contains(&("/renew".to_owned(), "Renew it".to_owned()))
    );
    town.stop().await;
}
