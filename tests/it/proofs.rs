//! What is proved of the policies, proved again with a real solver, and what a broken set is told.
//!
//! `firedoor-prove` must lie beside `firedoor`: `cargo build --workspace`, as `tests/run` does.
#![expect(
    clippy::unwrap_used,
    reason = "fixtures: a failure here is a failed test"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use firedoor::domain::policy::Policies;
use firedoor::domain::policy::proof::Proof;

use crate::tier::size;

/// What the issue allows for the proofs.
const PROVED_WITHIN: Duration = Duration::from_secs(60);
/// Every weakening of these is tried in each run; of all others in the long tier.
const ALWAYS: [&str; 3] = [
    "F02.immigration-never",
    "F03.tainted-recipient",
    "governance.second-organisation",
];

fn policies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")
}

fn prover() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_firedoor")).with_file_name("firedoor-prove")
}

/// Exit status and words.
fn run(program: &Path, words: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(program).args(words).output().unwrap();
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    (output.status.code(), said)
}

fn firedoor(words: &[&str]) -> (Option<i32>, String) {
    run(Path::new(env!("CARGO_BIN_EXE_firedoor")), words)
}

/// A copy of the shipped set, with one file changed.
fn copy(file: &str, change: impl Fn(&str) -> String) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (schema, files) = Policies::shipped_files();
    fs::write(dir.path().join("schema.cedarschema"), schema).unwrap();
    for (name, text) in files {
        let text = if *name == file {
            change(text)
        } else {
            (*text).to_owned()
        };
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

#[test]
fn the_shipped_policies_are_proved_again_and_the_proof_built_in_says_the_same() {
    let start = Instant::now();
    let folder = policies();
    let (code, said) = firedoor(&["policy", "prove", folder.to_str().unwrap()]);
    let took = start.elapsed();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("all proved with cvc5"), "{said}");
    // A debug build proves the same, ten times slower.
    if !cfg!(debug_assertions) {
        assert!(took < PROVED_WITHIN, "{took:?}");
    }
    let beside = fs::read_to_string(folder.join("proof.json")).unwrap();
    let built_in = Policies::shipped().unwrap();
    assert_eq!(Proof::parse(&beside).unwrap(), *built_in.proof());
}

#[test]
fn a_set_that_opens_the_wall_is_shown_a_request_in_words_and_is_not_proved() {
    let broken = copy("90-firewall.cedar", |text| {
        text.replace(
            "when { context.recipientTainted };",
            "when { context.recipientTainted } unless { context.emergencyConfirmed };",
        )
    });
    let place = broken.path().to_str().unwrap();
    let (code, said) = firedoor(&["policy", "prove", place, "--write"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("BROKEN  N02.tainted-team"), "{said}");
    assert!(
        said.contains("a tainted team") && said.contains("NOT PROVED"),
        "{said}"
    );
    assert!(!said.contains("__entity"), "{said}");
    assert!(!broken.path().join("proof.json").exists());

    let shipped = policies();
    let (code, said) = firedoor(&["policy", "diff", shipped.to_str().unwrap(), place]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("allows what it did not, for example:"),
        "{said}"
    );
    let (code, said) = firedoor(&["policy", "diff", place, shipped.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("allow less, and nothing more"), "{said}");
}

#[test]
fn every_weakening_of_a_forbid_is_noticed() {
    let mut words = vec!["mutants"];
    if size(0, 1) == 0 {
        words.extend(ALWAYS.iter().flat_map(|id| ["--policy", id]));
    }
    let (code, said) = run(&prover(), &words);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(" 0 not noticed"), "{said}");
}

#[test]
fn a_missing_solver_is_told_with_what_to_do() {
    let output = Command::new(prover())
        .arg("prove")
        .env("CVC5", "/nonexistent/cvc5")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("apt-get install cvc5"));
}
