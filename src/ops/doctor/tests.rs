//! A link is broken, and the doctor names it.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::ops::init::{House, Plan};
use crate::ops::pki::Ca;
use crate::ops::serve;
use tempfile::TempDir;

fn house() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let plan = Plan {
        origin: "gateway.example.org/log".to_owned(),
        hosts: vec!["localhost".to_owned()],
        addresses: Vec::new(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
    };
    let at = dir.path().join("house");
    House::make(&at, &plan, now()).unwrap();
    // Any free port.
    let file = at.join("firedoor.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("127.0.0.1:9443", "127.0.0.1:0")).unwrap();
    (dir, at)
}

fn config(at: &Path) -> Config {
    Config::read(&at.join("firedoor.toml")).unwrap()
}

async fn examined(at: &Path, repairing: bool) -> Report {
    examine(&at.join("firedoor.toml"), repairing).await
}

fn broken(report: &Report) -> Vec<&'static str> {
    let stops = report.0.iter().filter(|check| check.state == State::Stops);
    stops.map(|check| check.link).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_house_is_sound_before_and_after_its_first_start() {
    let (_dir, at) = house();
    let report = examined(&at, false).await;
    assert!(report.is_good(), "{:?}", report.0);
    serve::start(&config(&at))
        .await
        .unwrap()
        .stop()
        .await
        .unwrap();
    let report = examined(&at, false).await;
    assert!(report.is_good(), "{:?}", report.0);
    let log = report.0.iter().find(|check| check.link == "log").unwrap();
    assert_eq!(log.says, "signed head is good, entries: 0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_gateway_is_asked_and_not_disturbed() {
    let (_dir, at) = house();
    let running = serve::start(&config(&at)).await.unwrap();
    let mut told = config(&at);
    told.admin_listen = running.admin_address;
    assert!(matches!(super::running(&told), Running::Yes));
    let mut report = Report::default();
    let report = tokio::task::spawn_blocking(move || {
        ask_running(&mut report, &told);
        report
    });
    let report = report.await.unwrap();
    assert_eq!(report.0[0].says, "runs and is ready");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_broken_link_is_named() {
    let (_dir, at) = house();
    let key = at.join("keys/root.key");
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    assert_eq!(broken(&examined(&at, false).await), ["root key"]);
    assert!(examined(&at, true).await.is_good());
    assert_eq!(fs::metadata(&key).unwrap().mode() & 0o777, 0o600);

    let list = at.join("ca/crl.pem");
    let ca = Ca::open(&at.join("ca")).unwrap();
    ca.crl(now().plus_days(-40), 30).unwrap();
    assert_eq!(broken(&examined(&at, false).await), ["certificates"]);
    let old = fs::read(&list).unwrap();
    assert!(examined(&at, true).await.is_good());
    let kept = fs::read_dir(at.join("ca")).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        path != list && fs::read(path).is_ok_and(|bytes| bytes == old)
    });
    assert!(kept, "the old list is kept aside");

    fs::rename(at.join("data"), at.join("elsewhere")).unwrap();
    assert_eq!(broken(&examined(&at, false).await), ["disk"]);
    fs::rename(at.join("elsewhere"), at.join("data")).unwrap();

    fs::write(at.join("firedoor.toml"), "lissen = 1").unwrap();
    assert_eq!(broken(&examined(&at, false).await), ["configuration"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_index_is_moved_aside_and_made_anew() {
    let (_dir, at) = house();
    serve::start(&config(&at))
        .await
        .unwrap()
        .stop()
        .await
        .unwrap();
    let index = at.join("data/index");
    fs::remove_dir_all(&index).unwrap();
    fs::write(&index, "not a folder").unwrap();
    assert_eq!(broken(&examined(&at, false).await), ["log"]);
    let report = examined(&at, true).await;
    assert!(report.is_good(), "{:?}", report.0);
    let kept = fs::read_dir(at.join("data")).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        fs::read(path).is_ok_and(|bytes| bytes == b"not a folder")
    });
    assert!(kept, "what was in the way is kept aside");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_journal_is_copied_whole_and_left_as_it_is() {
    let (_dir, at) = house();
    serve::start(&config(&at))
        .await
        .unwrap()
        .stop()
        .await
        .unwrap();
    // It had five entries, and has none.
    fs::write(at.join("data/mark"), "closed 5 -\n").unwrap();
    let segment = "journal/0000000001.seg";
    let before = fs::read(at.join("data").join(segment)).unwrap();
    let report = examined(&at, false).await;
    assert_eq!(broken(&report), ["log"]);
    assert!(!at.join("data.damaged-1").exists());
    let report = examined(&at, true).await;
    assert_eq!(broken(&report), ["log"]);
    let log = report.0.iter().find(|check| check.link == "log").unwrap();
    assert!(
        log.says.contains("0000000001.seg is damaged at byte 0"),
        "{}",
        log.says
    );
    assert!(log.todo.as_deref().unwrap().starts_with("restore data_dir"));
    for place in ["data", "data.damaged-1"] {
        assert_eq!(fs::read(at.join(place).join(segment)).unwrap(), before);
        assert_eq!(
            fs::read_to_string(at.join(place).join("mark")).unwrap(),
            "closed 5 -\n"
        );
    }
    assert!(at.join("data.damaged-1/index").is_dir());
    assert!(!at.join("data/index").exists());
    examined(&at, true).await;
    assert!(at.join("data.damaged-2").is_dir());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_root_key_is_found_out() {
    let (_dir, at) = house();
    serve::start(&config(&at))
        .await
        .unwrap()
        .stop()
        .await
        .unwrap();
    fs::rename(at.join("keys/root.key"), at.join("keys/right.key")).unwrap();
    RootKey::create(&at.join("keys/root.key")).unwrap();
    assert_eq!(broken(&examined(&at, false).await), ["log"]);
}

#[test]
fn the_report_ends_with_the_first_link_that_fails() {
    let mut report = Report::default();
    report.good("configuration", "reads well");
    report.warns("disk", "1 MiB free", "give it more room");
    report.stops("log", "is damaged", "restore it");
    let mut told = Vec::new();
    report.tell(&mut told, false).unwrap();
    insta::assert_snapshot!(String::from_utf8(told).unwrap(), @"
    good   configuration reads well
    warns  disk          1 MiB free
                         -> give it more room
    stops  log           is damaged
                         -> restore it

    The first link that fails: log.
    ");
    let mut told = Vec::new();
    report.tell(&mut told, true).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&told).unwrap();
    assert_eq!(json["good"], false);
    assert_eq!(json["checks"][2]["todo"], "restore it");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_renews_for_nobody_is_named() {
    let (_dir, at) = house();
    let renews = |report: &Report| {
        let check = report.0.iter().find(|check| check.link == "renewals");
        check.map(|check| check.state)
    };
    assert_eq!(renews(&examined(&at, false).await), Some(State::Good));
    Ca::create(&at.join("other"), "Others", now(), 400).unwrap();
    let file = at.join("firedoor.toml");
    let text = fs::read_to_string(&file).unwrap();
    let with = |ca: &str| text.replace("\nca = \"ca\"", &format!("\nca = \"{ca}\""));
    fs::write(&file, with("other")).unwrap();
    assert_eq!(broken(&examined(&at, false).await), ["renewals"]);
    assert!(serve::start(&config(&at)).await.is_err());
    fs::write(&file, with("")).unwrap();
    assert_eq!(renews(&examined(&at, false).await), None);
}
