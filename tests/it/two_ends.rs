//! Both ends of the log, compared by an agency's own client: what it kept, and what the log shows.

#![allow(
    clippy::unwrap_used,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use base64::prelude::{BASE64_STANDARD, Engine};
use firedoor::ops::keys::{self, RootKey};
use serde_json::Value;

use crate::town::{ORIGIN, Town};

const FIREDOOR: &str = env!("CARGO_BIN_EXE_firedoor");

async fn firedoor(town: &Town, args: &[&str]) -> Output {
    let url = format!("https://localhost:{}", town.address().port());
    let mut command = Command::new(FIREDOOR);
    command.args(args).args(["--url", &url]);
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agency_finds_what_was_done_in_its_name_and_what_was_changed() {
    let town = Town::start().await;
    let dir = tempfile::tempdir().unwrap();
    let (kept, trail) = (dir.path().join("receipts"), dir.path().join("trail.key"));
    let (ig, system) = (town.bundle("larkfield-ig"), town.bundle("larkfield"));
    let (ig, system) = (text(&ig), text(&system));

    // The officer takes her organisation's trail; nobody else of it may.
    let taken = ["audit", "trail", text(&trail), "--bundle", ig];
    let output = firedoor(&town, &taken).await;
    assert!(output.status.success(), "{}", said(&output));
    let key = fs::read_to_string(&trail).unwrap();
    assert_eq!(key.trim().len(), 64);
    let worker = ["audit", "trail", text(&trail), "--bundle", system];
    let output = firedoor(&town, &worker).await;
    assert!(!output.status.success(), "{}", said(&output));

    // A worker asks twice and keeps the receipts; others call in between.
    for _ in 0..2 {
        let inbox = [
            "client",
            "inbox",
            "--receipts",
            text(&kept),
            "--bundle",
            system,
        ];
        assert!(firedoor(&town, &inbox).await.status.success());
        town.desk("st-hildas").await.get("/v1/inbox").await;
    }
    let log_key = dir.path().join("log.vkey");
    let root = RootKey::read(&town.config.key_path).unwrap();
    let vkey = keys::log_key(&root, ORIGIN).unwrap().verifier().vkey();
    fs::write(&log_key, format!("{vkey}\n")).unwrap();
    let compare = [
        "client",
        "reconcile",
        "--receipts",
        text(&kept),
        "--trail",
        text(&trail),
        "--log-key",
        text(&log_key),
        "--bundle",
        ig,
    ];
    let output = firedoor(&town, &compare).await;
    let told = said(&output);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("Compared 2 receipts"), "{told}");
    assert!(told.contains("each is there, unchanged"), "{told}");
    assert!(told.contains("without a gap"), "{told}");

    // The officer's own readings have no receipt in this folder; the worker's have.
    let output = firedoor(&town, &[&compare[..], &["--json"]].concat()).await;
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (own, without) = (&told["log"]["own"], &told["log"]["without_receipt"]);
    let without = without.as_array().unwrap().len() as u64;
    assert_eq!(own.as_u64().unwrap(), without + 2, "{told}");
    assert_eq!(told["log"]["signature_checked"], true);

    // A receipt that was changed does not pass for one that the log has.
    let receipt = fs::read_dir(&kept).unwrap().next().unwrap().unwrap().path();
    let mut lines: Vec<String> = fs::read_to_string(&receipt)
        .unwrap()
        .split('\n')
        .map(str::to_owned)
        .collect();
    let leaf = lines[1].strip_prefix("leaf ").unwrap();
    let mut leaf = BASE64_STANDARD.decode(leaf).unwrap();
    leaf[200] ^= 1;
    lines[1] = format!("leaf {}", BASE64_STANDARD.encode(leaf));
    fs::write(&receipt, lines.join("\n")).unwrap();
    let output = firedoor(&town, &compare).await;
    let told = said(&output);
    assert!(!output.status.success(), "{told}");
    assert!(
        told.contains("does not show what the receipts prove"),
        "{told}"
    );
    assert!(told.contains("is another one now"), "{told}");
    town.stop().await;
}
