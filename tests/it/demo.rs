//! The demo as anyone runs it: the built program, real sockets, every step checked by itself.

#![allow(
    clippy::unwrap_used,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::process::{Command, Output};

fn demo(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_firedoor"))
        .arg("demo")
        .args(arguments)
        .env_remove("CARGO")
        .output()
        .unwrap()
}

#[test]
fn the_demo_does_in_every_step_what_it_should() {
    let output = demo(&["--once", "--port", "0"]);
    let told = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}\n{errors}");
    assert!(!told.contains("NOT SO"), "{told}");
    for step in 1..=12 {
        assert!(told.contains(&format!("\n{step:>2}  ")), "step {step}");
    }
    assert_eq!(
        told.lines().next_back().unwrap(),
        "Firedoor shuts its own doors; it cannot stop someone telling what they already know."
    );
}

#[test]
fn a_taken_port_and_a_full_folder_are_named() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = demo(&["--once", "--port", &port]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(
        errors.contains(&format!("port {port} is taken")),
        "{errors}"
    );

    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("mine"), "x").unwrap();
    let output = demo(&[
        "--once",
        "--port",
        "0",
        "--keep",
        dir.path().to_str().unwrap(),
    ]);
    assert!(!output.status.success());
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("is not empty")
    );
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}
