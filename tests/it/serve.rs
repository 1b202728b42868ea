//! The binary as an operator runs it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use firedoor::ops::clock::now;
use firedoor::ops::init::{House, Plan};

const FIREDOOR: &str = env!("CARGO_BIN_EXE_firedoor");

fn house(at: &Path) -> House {
    let plan = Plan {
        origin: "gateway.example.org/log".to_owned(),
        hosts: vec!["localhost".to_owned()],
        addresses: Vec::new(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
    };
    let house = House::make(at, &plan, now()).unwrap();
    let text = fs::read_to_string(&house.config).unwrap();
    fs::write(&house.config, text.replace("127.0.0.1:9443", "127.0.0.1:0")).unwrap();
    house
}

#[test]
fn a_served_gateway_stops_in_order_on_sigterm_and_the_doctor_agrees() {
    let dir = tempfile::tempdir().unwrap();
    let house = house(&dir.path().join("house"));
    let config = house.config.to_str().unwrap();
    let mut gateway = Command::new(FIREDOOR)
        .args(["serve", "--log-format", "json", "--config", config])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(gateway.stderr.take().unwrap()).lines();
    let mut says = |what: &str| lines.any(|line| line.unwrap().contains(what));
    assert!(says("\"serving\""));
    let told = terminate(gateway.id());
    assert!(told.success());
    assert!(says("stopped in order"));
    assert!(gateway.wait().unwrap().success());

    let doctor = Command::new(FIREDOOR)
        .args(["doctor", "--json", "--config", config])
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
    assert!(doctor.status.success(), "{report:#}");
    assert_eq!(report["good"], true);
}

fn terminate(process: u32) -> std::process::ExitStatus {
    Command::new("kill")
        .args(["-TERM", &process.to_string()])
        .status()
        .unwrap()
}

#[test]
fn a_mistyped_configuration_ends_with_one_line_that_says_where() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("firedoor.toml");
    fs::write(&config, "lissen = 1\n").unwrap();
    let serve = Command::new(FIREDOOR)
        .args(["serve", "--config", config.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(serve.status.code(), Some(1));
    let told = String::from_utf8(serve.stderr).unwrap();
    assert!(told.contains("line 1, key 'lissen'"), "{told}");
    assert_eq!(told.lines().count(), 1);
}

#[test]
fn the_shipped_policies_pass_the_check_and_a_script_can_read_it() {
    let check = Command::new(FIREDOOR)
        .args(["policy", "check", "policies", "--json"])
        .output()
        .unwrap();
    assert!(check.status.success());
    let report: serde_json::Value = serde_json::from_slice(&check.stdout).unwrap();
    assert_eq!(report["good"], true);
}
