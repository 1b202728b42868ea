//! Copies of a running gateway, put back on either backend, and the move from one to the other:
//! with the real commands, a real gateway under load, and receipts that clients kept.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use firedoor::domain::codes::Role;
use firedoor::ops::config::Config;
use firedoor::ops::keys::{RootKey, log_key};
use serde_json::Value;

use super::cluster::{Cluster, Databases};
use super::district::{CHARITIES, Caller, District, Served};
use super::people::referral;

const FIREDOOR: &str = env!("CARGO_BIN_EXE_firedoor");
const ORIGIN: &str = "district.example/log";
const NEW_ORIGIN: &str = "district.example/log-2";

fn firedoor(district: &District, arguments: &[&str]) -> Output {
    let config = district.path("firedoor.toml");
    let command = Command::new(FIREDOOR)
        .args(arguments)
        .arg("--config")
        .arg(config)
        .output();
    command.unwrap()
}

fn done(ran: &Output) -> String {
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    String::from_utf8(ran.stdout.clone()).unwrap()
}

fn refused(ran: &Output) -> String {
    assert!(!ran.status.success());
    String::from_utf8(ran.stderr.clone()).unwrap()
}

async fn officer(district: &District, served: &Served) -> Caller {
    district
        .caller(served, "police", "pc-1", Role::Officer)
        .await
}

async fn offer(police: &Caller, numbers: std::ops::Range<usize>) -> Vec<Value> {
    let (_, service) = CHARITIES[0];
    let offers = numbers.map(|n| ("/v1/referrals".to_owned(), referral(n, service)));
    let replies = police.post_all(offers.collect()).await;
    let told = replies.iter().map(|reply| {
        assert_eq!(reply.status, 201, "{}", reply.whole());
        reply.json()
    });
    told.collect()
}

fn text(told: &Value) -> &str {
    told["receipt"].as_str().unwrap()
}

/// Copies while offers come in; returns the copies, in order.
async fn copy_under_load(district: &District, served: &Served, copies: usize) -> Vec<String> {
    let police = officer(district, served).await;
    let stop = Arc::new(AtomicBool::new(false));
    let (loading, load) = (Arc::clone(&stop), police.clone());
    let load = tokio::spawn(async move {
        let mut number = 1_000;
        while !loading.load(Ordering::Relaxed) {
            offer(&load, number..number + 8).await;
            number += 8;
        }
    });
    let mut made = Vec::new();
    for n in 0..copies {
        let before = police.leaves(district).await;
        let file = district.path(&format!("copy{n}.tar")).display().to_string();
        let (config, to) = (district.path("firedoor.toml"), file.clone());
        let ran = tokio::task::spawn_blocking(move || {
            let mut command = Command::new(FIREDOOR);
            command
                .args(["backup", "--json", to.as_str(), "--config"])
                .arg(config);
            command.output().unwrap()
        });
        let told: Value = serde_json::from_str(&done(&ran.await.unwrap())).unwrap();
        assert!(told["entries"].as_u64().unwrap() >= before);
        made.push(file);
    }
    stop.store(true, Ordering::Relaxed);
    load.await.unwrap();
    made
}

fn replace(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(file, text.replace(from, to)).unwrap();
}

fn named(district: &mut District, origin: &str) {
    let config = Config::read(&district.path("firedoor.toml")).unwrap();
    let root = RootKey::read(&config.key_path).unwrap();
    district.log = log_key(&root, origin).unwrap().verifier().clone();
}

/// Nobody gives the log another name alone.
fn agreed_by_two(district: &District, config: &Path, lost: &str) {
    let refuses = |why: &str| {
        let (_, said) = match district.try_serve() {
            Ok(_) => panic!("it serves"),
            Err(ended) => ended,
        };
        assert!(said.contains(why), "{said}");
    };
    refuses("takes a statement of two people of two organisations");
    let statement = district.path("statement").display().to_string();
    let head = district.path("head").display().to_string();
    fs::write(&head, lost).unwrap();
    let named = format!("origin = \"{NEW_ORIGIN}\"");
    replace(
        config,
        &named,
        &format!("{named}\nsuccession = \"statement\""),
    );
    let mut first = vec!["--old-head", head.as_str(), "--new", NEW_ORIGIN];
    for person in ["operator", "reviewer"] {
        let key = district.path(&format!("{person}.key"));
        fs::write(&key, district.key(person)).unwrap();
        let key = key.display().to_string();
        let mut args = vec!["log", "succeed", statement.as_str(), "--key", key.as_str()];
        args.extend(first.iter());
        first.clear();
        let mut command = Command::new(FIREDOOR);
        let told = done(&command.args(args).output().unwrap());
        assert!(told.contains(NEW_ORIGIN), "{told}");
        if person == "operator" {
            refuses("signed by people of 1 organisation");
        }
    }
}

/// The larger log that somebody holds, and what an operator does about it.
async fn goes_on_under_a_new_name(mut district: District, copy: &str, lost: &str) {
    let config = district.path("firedoor.toml");
    let (status, said) = match district.try_serve() {
        Ok(_) => panic!("it serves"),
        Err(ended) => ended,
    };
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("Set log.origin to a new name"), "{said}");
    replace(
        &config,
        &format!("\"{ORIGIN}\""),
        &format!("\"{NEW_ORIGIN}\""),
    );
    // What was kept from before is still proven by the key of before.
    assert_eq!(district.verify_receipt(lost).0, Some(0));
    agreed_by_two(&district, &config, lost);
    let served = district.serve();
    let police = officer(&district, &served).await;
    assert_eq!(police.get("/v1/me").await.status, 200);
    named(&mut district, NEW_ORIGIN);
    assert_eq!(district.verify(&police).await.0, Some(0));
    served.stop();
    // The statement is asked for once.
    district.serve().stop();
    // A copy is never put over anything.
    let data = district.path("data").display().to_string();
    refused(&firedoor(&district, &["restore", copy, &data]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_lost_its_disk_comes_back_from_a_copy_and_says_what_is_lost() {
    let district = District::new(None).await;
    let served = district.serve();
    let police = officer(&district, &served).await;
    let early = offer(&police, 0..4).await;
    let copies = copy_under_load(&district, &served, 2).await;
    let late = offer(&police, 500..502).await;
    let copy = copies[1].as_str();
    served.kill();

    let again = firedoor(&district, &["backup", copy]);
    assert!(refused(&again).contains("is there already"));
    let data = district.path("data");
    let there = firedoor(&district, &["restore", copy, &data.display().to_string()]);
    assert!(refused(&there).contains("is not empty"));
    fs::rename(&data, district.path("lost")).unwrap();
    // Nobody shows anything: it is back, under its own name.
    let elsewhere = district.path("elsewhere").display().to_string();
    let told = done(&firedoor(&district, &["restore", copy, &elsewhere]));
    assert!(told.contains("Set data_dir to"), "{told}");
    replace(&district.path("firedoor.toml"), "\"data\"", "\"elsewhere\"");
    let served = district.serve();
    let police = officer(&district, &served).await;
    assert_eq!(district.verify(&police).await.0, Some(0));
    assert_eq!(district.verify_receipt(text(&early[0])).0, Some(0));
    served.stop();

    // An agency shows its newest receipt.
    replace(&district.path("firedoor.toml"), "\"elsewhere\"", "\"data\"");
    let receipt = district.path("newest").display().to_string();
    fs::write(&receipt, text(&late[1])).unwrap();
    let data = data.display().to_string();
    let told = done(&firedoor(
        &district,
        &["restore", copy, &data, "--receipt", &receipt],
    ));
    assert!(told.contains("acknowledged entries are lost"), "{told}");
    goes_on_under_a_new_name(district, copy, text(&late[1])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_comes_back_from_a_copy_that_was_taken_under_load() {
    let databases = Cluster::get().databases().await;
    let district = District::new(Some(&databases)).await;
    let served = district.serve();
    let police = officer(&district, &served).await;
    let early = offer(&police, 0..4).await;
    let copies = copy_under_load(&district, &served, 2).await;
    served.stop();
    let there = firedoor(&district, &["restore", &copies[1]]);
    assert!(refused(&there).contains("holds a log"));
    let fresh = Cluster::get().databases().await;
    replace(&district.path("firedoor.toml"), &databases.url, &fresh.url);
    let told = done(&firedoor(&district, &["restore", &copies[1], "--json"]));
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["lost"], 0);
    let served = district.serve();
    let police = officer(&district, &served).await;
    assert_eq!(district.verify(&police).await.0, Some(0));
    assert_eq!(district.verify_receipt(text(&early[0])).0, Some(0));
    assert!(police.leaves(&district).await >= told["entries"].as_u64().unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_moves_to_postgresql_and_every_receipt_stays_good() {
    let district = District::new(None).await;
    let served = district.serve();
    let police = officer(&district, &served).await;
    let offers = offer(&police, 0..20).await;
    let adviser = district
        .caller(&served, "larkfield", "a-worker", Role::Adviser)
        .await;
    let (inbox, _) = adviser.pages("/v1/inbox", "offers").await;
    assert_eq!(inbox.len(), 20);
    let before = police.leaves(&district).await;

    let (old, new) = (district.path("firedoor.toml"), district.path("new.toml"));
    let Databases { url, slots_url } = Cluster::get().databases().await;
    fs::copy(&old, &new).unwrap();
    replace(&new, "\"embedded\"", &format!("\"{url}\""));
    replace(&new, "\"keys/slots\"", &format!("\"{slots_url}\""));
    let to = new.display().to_string();
    // Not while it runs.
    refused(&firedoor(&district, &["migrate", "--to", &to]));
    served.stop();
    let told = done(&firedoor(&district, &["migrate", "--json", "--to", &to]));
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["entries"], before);
    let (_, said) = match district.try_serve() {
        Ok(_) => panic!("the old store starts"),
        Err(ended) => ended,
    };
    assert!(said.contains("moved to PostgreSQL"), "{said}");

    fs::copy(&new, &old).unwrap();
    let served = district.serve();
    let police = officer(&district, &served).await;
    for told in &offers {
        assert_eq!(district.verify_receipt(text(told)).0, Some(0));
    }
    let adviser = district
        .caller(&served, "larkfield", "a-worker", Role::Adviser)
        .await;
    assert_eq!(adviser.pages("/v1/inbox", "offers").await.0, inbox);
    let (released, _) = adviser.accept_all().await;
    assert_eq!(released.len(), 20);
    offer(&police, 20..24).await;
    assert!(police.leaves(&district).await > before);
    assert_eq!(district.verify(&police).await.0, Some(0));
}
