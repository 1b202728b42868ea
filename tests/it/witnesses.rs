//! Agencies' witnesses cosign the log, an outside one is asked, and the gateway tells and holds back
//! what must wait when nobody does; by invented witnesses and a clock that is moved.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::Ordering;

use axum::http::Method;
use firedoor::domain::checkpoint::LogKey;
use firedoor::domain::cosignature::WitnessKey;
use firedoor::domain::merkle::{leaf_hash, verify_consistency};
use firedoor::domain::time::When;
use firedoor::edge::witnesses::Address;
use firedoor::ops::client::bundle::{TOTP_SECRET, code_at};
use firedoor::ops::clock::now;
use firedoor::ops::config::Config;
use firedoor::ops::demo::borough::SERVICE;
use firedoor::ops::demo::people::{emergency, her, nobody, question, referral};
use firedoor::ops::keys::{RootKey, log_key};
use firedoor::ops::serve;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::pages::Visitor;
use super::town::{Desk, Said, Town, ago, prepare};

/// Two public bodies and three voluntary ones; one of each must sign.
const NAMES: [&str; 5] = ["police", "health", "larkfield", "harbour", "avalon"];

fn witness(name: &str) -> WitnessKey {
    let place = NAMES.iter().position(|known| *known == name).unwrap();
    let seed = [u8::try_from(place).unwrap() + 1; 32];
    WitnessKey::from_seed(&format!("{name}.example/witness"), &seed).unwrap()
}

fn policy() -> String {
    let mut text = String::new();
    for name in NAMES {
        text += &format!("witness {name} {}\n", witness(name).verifier().vkey());
    }
    text + "group public any police health\ngroup voice any larkfield harbour avalon\n\
            group both all public voice\nquorum both\n"
}

/// A town whose gateway names its witnesses.
async fn witnessed_town() -> Town {
    let (dir, borough, mut config) = prepare("");
    let file = dir.path().join("witnesses.policy");
    fs::write(&file, policy()).unwrap();
    config.witness_policy = Some(file);
    let running = serve::start(&config).await.unwrap();
    let founding = borough.founding().unwrap();
    running.app.gateway.found(&founding).await.unwrap();
    Town::of(dir, borough, config, running)
}

/// The log's own key, as only the gateway has it.
fn own_key(config: &Config) -> LogKey {
    let root = RootKey::read(&config.key_path).unwrap();
    log_key(&root, &config.origin).unwrap()
}

/// The gateway's clock, from here on at least there.
fn move_clock(town: &Town, to: When) {
    let latest = &town.running.app.gateway.latest;
    latest.fetch_max(to.millis(), Ordering::AcqRel);
}

fn time(town: &Town) -> When {
    town.running.app.gateway.time()
}

/// The head that waits, cosigned by some.
async fn cosigned(desk: &Desk, by: &[&str], at: When) -> String {
    let head = desk.get("/log/cosignatures").await;
    assert_eq!(head.status, 200);
    let note = head.whole();
    let (text, _) = note.rsplit_once("\n\n").unwrap();
    let lines = by
        .iter()
        .map(|name| witness(name).cosign(&format!("{text}\n"), at));
    format!("{note}{}", lines.collect::<String>())
}

async fn hand_in(desk: &Desk, note: impl Into<axum::body::Bytes>) -> Said {
    let kind = [("content-type", "text/plain")];
    desk.ask(Method::POST, "/log/cosignatures", &kind, note)
        .await
}

async fn grade(desk: &Desk) -> String {
    let me = desk.get("/v1/me").await;
    me.text("/log/grade").unwrap().to_owned()
}

async fn asked(charity: &Desk) -> Said {
    charity
        .post("/v1/assessments/query", &question(&her()))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_is_witnessed_when_the_quorum_has_cosigned_it_and_no_stranger_counts() {
    let town = witnessed_town().await;
    let charity = town.desk("larkfield").await;
    let leaves = town.leaves();
    assert_eq!(charity.get("/log/witnessed").await.status, 404);
    let at = now();
    let half = cosigned(&charity, &["police"], at).await;
    assert_eq!(hand_in(&charity, half.clone()).await.status, 200);
    assert_eq!(charity.get("/log/witnessed").await.status, 404);
    assert_eq!(charity.get("/log/cosignatures").await.whole(), half);
    assert_eq!(charity.get("/log/checkpoint").await.whole(), half);
    let whole = cosigned(&charity, &["avalon"], at).await;
    let handed = hand_in(&charity, whole.clone()).await;
    assert_eq!((handed.status, handed.bytes.len()), (200, 0));
    for path in [
        "/log/witnessed".to_owned(),
        format!("/log/witnessed/{leaves}"),
        "/log/checkpoint".to_owned(),
    ] {
        assert_eq!(charity.get(&path).await.whole(), whole, "{path}");
    }
    for from in [0, 1, leaves] {
        let path = format!("/log/witnessed/from/{from}");
        assert_eq!(charity.get(&path).await.whole(), whole, "{path}");
    }
    let beyond = format!("/log/witnessed/from/{}", leaves + 1);
    for path in [
        "/log/witnessed/0",
        "/log/witnessed/01",
        "/log/witnessed/x",
        "/log/witnessed/from/00",
        &beyond,
    ] {
        assert_eq!(charity.get(path).await.status, 404, "{path}");
    }
    // No entry came of all this.
    assert_eq!(town.leaves(), leaves);
    let me = charity.get("/v1/me").await;
    assert_eq!(me.text("/log/grade"), Some("whole"));
    let seconds = When::from_millis(at.millis() / 1_000 * 1_000);
    assert_eq!(
        me.text("/log/witnessed_at"),
        Some(seconds.rfc3339().as_str())
    );
    assert_eq!(me.body["log"]["unwitnessed_since"], Value::Null);

    // What nobody named, what another log signed, and what is no note is refused with a reason.
    let note = charity.get("/log/checkpoint").await.whole();
    let (text, lines) = note.rsplit_once("\n\n").unwrap();
    let own = lines.split_inclusive('\n').next().unwrap();
    let strange = WitnessKey::from_seed("strange.example/witness", &[9; 32]).unwrap();
    let strange = strange.cosign(&format!("{text}\n"), at);
    let other = LogKey::from_seed(&town.config.origin, &[3; 32]).unwrap();
    let forged = witness("police").cosign("another text\n", at);
    for (bad, why) in [
        (
            format!("{text}\n\n{own}{strange}"),
            "no cosignature of a witness",
        ),
        (
            format!("{text}\n\n{own}{forged}"),
            "no cosignature of a witness",
        ),
        (format!("{text}\n\n{own}"), "no cosignature of a witness"),
        (other.sign(99, &[7; 32]), "not carry this log's signature"),
        ("hello".to_owned(), "not a signed note"),
    ] {
        let said = hand_in(&charity, bad).await;
        assert_eq!(said.status, 422, "{}", said.whole());
        assert!(said.whole().contains(why), "{}", said.whole());
    }
    assert_eq!(hand_in(&charity, vec![b'x'; 65 * 1024]).await.status, 413);
    assert_eq!(charity.get("/log/witnessed").await.whole(), whole);

    // It is still there after a start.
    drop(charity);
    let town = town.restarted().await;
    let charity = town.desk("larkfield").await;
    assert_eq!(charity.get("/log/witnessed").await.whole(), whole);
    assert_eq!(grade(&charity).await, "whole");
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exported_log_carries_the_heads_that_witnesses_saw_and_its_times_are_checked() {
    let town = witnessed_town().await;
    let charity = town.desk("larkfield").await;
    for by in [["police", "harbour"], ["health", "avalon"]] {
        asked(&charity).await;
        let whole = cosigned(&charity, &by, now()).await;
        assert_eq!(hand_in(&charity, whole).await.status, 200);
    }
    asked(&charity).await;

    let (copy, policy_file) = (town.dir.path().join("copy"), town.dir.path().join("pinned"));
    let url = format!("https://localhost:{}", town.address().port());
    let mut export = Command::new(env!("CARGO_BIN_EXE_firedoor"));
    export
        .args(["audit", "export", "--url", &url, "--log"])
        .arg(&copy);
    export.arg("--bundle").arg(town.bundle("larkfield"));
    let done = tokio::task::spawn_blocking(move || export.output().unwrap());
    let done = done.await.unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    assert_eq!(fs::read_dir(copy.join("witnessed")).unwrap().count(), 2);

    let log = format!("log {}\n", town.running.app.gateway.vkey());
    fs::write(&policy_file, log + &policy()).unwrap();
    let mut verify = Command::new(env!("CARGO_BIN_EXE_firedoor-verify"));
    verify
        .arg("log")
        .arg(&copy)
        .arg("--witnesses")
        .arg(&policy_file);
    let done = verify.output().unwrap();
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success(), "{said}");
    let (_, witnessed) = said.split_once("\nWitnessed: ").unwrap();
    let leaves = town.leaves();
    assert!(
        witnessed.starts_with(&format!("{} of {leaves} entries", leaves - 1)),
        "{said}"
    );
    assert!(witnessed.contains("seen by health and avalon"), "{said}");
    town.stop().await;
}

/// A session at the gateway's time, which is ahead of ours.
async fn signed_in(town: &Town, bundle: &str) -> Desk {
    let mut desk = town.desk(bundle).await;
    let secret = fs::read_to_string(town.bundle(bundle).join(TOTP_SECRET)).unwrap();
    let secret = totp_rs::Secret::try_from_base32(secret.trim()).unwrap();
    let seconds = u64::try_from(time(town).millis() / 1_000).unwrap();
    let code = code_at(secret.as_ref(), seconds).unwrap();
    let said = desk
        .post("/v1/second-factor", &json!({ "code": code }))
        .await;
    assert_eq!(said.status, 200, "{}", said.body);
    desk.session = said.text("/session").map(str::to_owned);
    desk
}

async fn never_stops(town: &Town) {
    let (met, charity) = (town.desk("met").await, town.desk("larkfield").await);
    let offer = referral(SERVICE, &nobody(), ago(1), None);
    let offered = met.post("/v1/referrals", &offer).await;
    assert_eq!(offered.status, 201, "{}", offered.body);
    let wish = json!({ "identity": nobody(), "scope": "everything" });
    let withdrawn = charity.post("/v1/withdrawals", &wish).await;
    assert_eq!(withdrawn.result(), "withdrawn", "{}", withdrawn.body);
    let senior = town.desk("st-hildas").await;
    let senior = senior.as_user("dr-adeyemi", firedoor::domain::codes::Role::EdSenior);
    let broken = senior.post("/v1/emergency", &emergency(true)).await;
    assert_ne!(broken.result(), "unwitnessed", "{}", broken.body);
    assert_ne!(broken.result(), "clock-off", "{}", broken.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_quorum_more_and_more_waits_and_help_never_does() {
    let town = witnessed_town().await;
    let charity = town.desk("larkfield").await;
    let both = cosigned(&charity, &["police", "harbour"], now()).await;
    assert_eq!(hand_in(&charity, both).await.status, 200);
    let entry = asked(&charity).await;
    assert_eq!(entry.result(), "nothing-to-show", "{}", entry.body);
    let begun = now();

    move_clock(&town, begun.plus_hours(25));
    assert_eq!(grade(&charity).await, "banner");
    assert_eq!(asked(&charity).await.result(), "nothing-to-show");
    never_stops(&town).await;

    move_clock(&town, begun.plus_hours(73));
    assert_eq!(grade(&charity).await, "no-widening");
    let operator = signed_in(&town, "operator").await;
    let widening = json!({ "change": "go_on_without", "organisation": "harbour" });
    let refused = operator.post("/v1/proposals", &widening).await;
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert_eq!(refused.result(), "unwitnessed");
    let says = refused.text("/detail").unwrap();
    assert!(says.contains("not about you"), "{says}");
    // On a page it is the same refusal in the same words, with a code, and no fault of ours.
    let mut person = Visitor::arrive(&town, "operator").await;
    let session = operator.session.clone().unwrap();
    person.cookies.insert("__Host-session".to_owned(), session);
    person.get("/propose/resume").await;
    let page = person
        .post("/propose/resume", &[("organisation", "harbour")])
        .await;
    assert_eq!(page.status, 503, "{}", page.text);
    for part in ["This was not done", says, "Code to read aloud"] {
        assert!(page.text.contains(part), "{part} in {}", page.text);
    }
    assert_eq!(asked(&charity).await.result(), "nothing-to-show");

    move_clock(&town, begun.plus_hours(169));
    assert_eq!(grade(&charity).await, "no-reads");
    let held = asked(&charity).await;
    assert_eq!((held.status, held.result()), (503, "unwitnessed"));
    assert_eq!(charity.get("/v1/inbox").await.status, 200);
    assert_eq!(held.headers["retry-after"], "300");
    assert_eq!(held.bytes.len(), 16 * 1024);
    never_stops(&town).await;
    // Whose mistake it is, is still told first.
    let officer = asked(&town.desk("met").await).await;
    assert_eq!(officer.result(), "role-not-allowed", "{}", officer.body);

    // Witnesses whose clocks are days behind ours say that ours is wrong.
    let head = cosigned(&charity, &["police", "larkfield"], now()).await;
    assert_eq!(hand_in(&charity, head).await.status, 200);
    let me = charity.get("/v1/me").await;
    assert!(
        me.text("/log/says").unwrap().contains("clock"),
        "{}",
        me.body
    );
    let off = asked(&charity).await;
    assert_eq!(
        (off.status, off.result()),
        (503, "clock-off"),
        "{}",
        off.body
    );
    never_stops(&town).await;

    // They are back, with the time.
    let head = cosigned(&charity, &["police", "larkfield"], time(&town)).await;
    assert_eq!(hand_in(&charity, head).await.status, 200);
    assert_eq!(grade(&charity).await, "whole");
    assert_eq!(asked(&charity).await.result(), "nothing-to-show");
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_is_named_to_watch_says_so_from_the_first_day() {
    let town = Town::start().await;
    let charity = town.desk("larkfield").await;
    let me = charity.get("/v1/me").await;
    assert_eq!(me.text("/log/grade"), Some("banner"));
    assert!(me.text("/log/says").unwrap().contains("none is named"));
    assert_eq!(asked(&charity).await.result(), "nothing-to-show");
    move_clock(&town, now().plus_hours(169));
    assert_eq!(asked(&charity).await.result(), "unwitnessed");
    // Who is to be a witness can still be enrolled, or there could never be one.
    let operator = signed_in(&town, "operator").await;
    let widening = json!({ "change": "go_on_without", "organisation": "harbour" });
    let said = operator.post("/v1/proposals", &widening).await;
    assert_ne!(said.result(), "unwitnessed", "{}", said.body);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_that_a_witness_brings_stops_the_gateway_and_is_kept() {
    let town = witnessed_town().await;
    let charity = town.desk("larkfield").await;
    let leaves = town.leaves();
    let own = charity.get("/log/checkpoint").await.whole();
    let fork = own_key(&town.config).sign(leaves, &[7; 32]);
    let said = hand_in(&charity, fork.clone()).await;
    assert_eq!(said.status, 409, "{}", said.whole());
    assert!(
        said.whole().contains("The gateway has stopped"),
        "{}",
        said.whole()
    );
    assert_eq!(asked(&charity).await.result(), "cannot-record");
    let evidence = town.running.app.gateway.store.evidence().await.unwrap();
    assert_eq!(evidence.len(), 1);
    assert_eq!((&evidence[0].shown, &evidence[0].own), (&fork, &own));
    let (config, _dir) = (town.config.clone(), town.dir);
    let _ = town.running.stop().await;
    let refused = serve::start(&config).await.err().unwrap().to_string();
    assert!(refused.contains("log.origin"), "{refused}");
    // The doctor names the proof although the log does not open.
    let file = town_file(&config);
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_firedoor"));
    let output = doctor
        .args(["doctor", "--config"])
        .arg(file)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("proofs are kept"), "{told}");
}

/// The configuration's own file.
fn town_file(config: &Config) -> PathBuf {
    config.data_dir.with_file_name("firedoor.toml")
}

/// A witness that answers each request as the test says; it hands the test what it was asked.
async fn outside(answers: mpsc::Receiver<String>) -> (Address, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/w1", listener.local_addr().unwrap());
    let (told, asked) = mpsc::channel(8);
    let mut answers = answers;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            let mut buffer = [0; 4_096];
            while !is_whole(&request) {
                let read = stream.read(&mut buffer).await.unwrap();
                request.extend_from_slice(&buffer[..read]);
            }
            told.send(String::from_utf8(request).unwrap())
                .await
                .unwrap();
            let Some(answer) = answers.recv().await else {
                return;
            };
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    (Address::parse(&address).unwrap(), asked)
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).into_owned();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.parse::<usize>().unwrap())
    });
    body.len() >= length.unwrap_or(0)
}

fn answer(status: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outside_witness_is_shown_that_the_log_has_only_grown() {
    let town = witnessed_town().await;
    let charity = town.desk("larkfield").await;
    asked(&charity).await;
    asked(&charity).await;
    let half = cosigned(&charity, &["police"], now()).await;
    assert_eq!(hand_in(&charity, half).await.status, 200);
    let first = town.running.app.gateway.store.leaves(0, 1).await.unwrap();
    let root_of_one = leaf_hash(first[0].bytes());
    drop(charity);
    let Town {
        dir,
        borough,
        mut config,
        running,
        ..
    } = town;
    running.stop().await.unwrap();
    let (answers, to_answer) = mpsc::channel(8);
    let (address, mut asked) = outside(to_answer).await;
    config.witnesses = vec![address];
    // Before the start: it does not say what it saw.
    answers
        .send(answer("404 Not Found", "text/plain", ""))
        .await
        .unwrap();
    // It has seen one entry already.
    answers
        .send(answer("409 Conflict", "text/x.tlog.size", "1\n"))
        .await
        .unwrap();
    let running = serve::start(&config).await.unwrap();
    let town = Town::of(dir, borough, config, running);
    assert!(asked.recv().await.unwrap().starts_with("GET /w1/"));
    let request = asked.recv().await.unwrap();
    assert!(
        request.starts_with("POST /w1/add-checkpoint HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(request.contains("\r\n\r\nold 0\n\n"), "{request}");
    let request = asked.recv().await.unwrap();
    let (_, body) = request.split_once("\r\n\r\n").unwrap();
    let (proof, note) = body.split_once("\n\n").unwrap();
    let mut lines = proof.lines();
    assert_eq!(lines.next(), Some("old 1"));
    let path: Vec<[u8; 32]> = lines
        .map(|line| {
            use base64::prelude::{BASE64_STANDARD, Engine};
            BASE64_STANDARD.decode(line).unwrap().try_into().unwrap()
        })
        .collect();
    let head = own_key(&town.config).verifier().verify(note).unwrap();
    assert_eq!(head.size, town.leaves());
    assert!(verify_consistency(
        1,
        &root_of_one,
        head.size,
        &head.root,
        &path
    ));
    let (text, _) = note.rsplit_once("\n\n").unwrap();
    let line = witness("harbour").cosign(&format!("{text}\n"), now());
    answers
        .send(answer("200 OK", "text/plain", &line))
        .await
        .unwrap();
    let charity = town.desk("larkfield").await;
    let mut witnessed = charity.get("/log/witnessed").await;
    while witnessed.status == 404 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        witnessed = charity.get("/log/witnessed").await;
    }
    assert!(witnessed.whole().ends_with(&line), "{}", witnessed.whole());
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_saw_more_of_the_log_stops_a_start_and_one_that_is_away_does_not() {
    let town = witnessed_town().await;
    let leaves = town.leaves();
    let (mut config, dir) = (town.config.clone(), town.dir);
    town.running.stop().await.unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = format!("http://{}", gone.local_addr().unwrap());
    config.witnesses = vec![Address::parse(&gone).unwrap()];
    serve::start(&config).await.unwrap().stop().await.unwrap();
    // A larger head of another key proves nothing; one of ours does.
    let other = LogKey::from_seed(&config.origin, &[3; 32]).unwrap();
    for (key, stops) in [(other, false), (own_key(&config), true)] {
        let (answers, to_answer) = mpsc::channel(8);
        let (address, mut asked) = outside(to_answer).await;
        config.witnesses = vec![address];
        let note = key.sign(leaves + 1, &[7; 32]);
        answers
            .send(answer("200 OK", "text/plain", &note))
            .await
            .unwrap();
        let started = serve::start(&config).await;
        let request = asked.recv().await.unwrap();
        assert!(request.contains("/checkpoint HTTP/1.1\r\n"), "{request}");
        match started {
            Ok(running) if !stops => running.stop().await.unwrap(),
            Err(error) if stops => {
                assert!(
                    error.to_string().contains("larger or another log"),
                    "{error}"
                );
            }
            Ok(_) => panic!("it started"),
            Err(error) => panic!("{error}"),
        }
    }
    drop(dir);
}
