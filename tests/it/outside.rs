//! The log against verifiers that we did not write: each accepts it, and refuses a changed one.
//!
//! `tests/outside/install` puts them into `target/outside`, pinned by hash. A tool that is missing
//! fails its test.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "fixtures: a failure here is a failed test"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::prelude::{BASE64_STANDARD, Engine};
use firedoor::domain::checkpoint::LogKey;
use firedoor::domain::receipt::Proof;

use crate::kept_log::{
    Place, RECORD, after, cosigned, entry, flip, head, key, leaves, run, tree, witnesses,
};

/// Three bundles, the last one partial.
const SIZE: usize = 600;
const OLD: usize = 333;

fn tool(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("target/outside").join(name);
    assert!(
        path.exists(),
        "{} is not there: run tests/run once, or tests/outside/install alone",
        path.display()
    );
    path
}

/// What a tool says, and whether it accepts.
fn accepts(command: &mut Command) -> (bool, String) {
    let out = command.output().unwrap();
    let said = [out.stdout, out.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    // What a program's failure to start looks like is no verdict about the log.
    match out.status.code() {
        Some(0) => (true, said),
        Some(1) if !said.contains("Traceback") => (false, said),
        status => panic!("{command:?} ended with {status:?}: {said}"),
    }
}

/// One entry of a log, with all that is needed to check it.
struct Case {
    place: Place,
    proof: Proof,
}

impl Case {
    fn new(index: usize) -> Self {
        let all = leaves(SIZE);
        let tree = tree(&all);
        let place = Place::new(&all);
        place.write("vkey", key().verifier().vkey());
        place.write("leaf", all[index].bytes());
        place.write("old", head(&all[..OLD]));
        let path = tree.consistency(OLD as u64, SIZE as u64).unwrap();
        let path: Vec<String> = path
            .iter()
            .map(|hash| BASE64_STANDARD.encode(hash))
            .collect();
        place.write("consistency", path.join("\n"));
        let proof = Proof {
            index: index as u64,
            path: tree.inclusion(index as u64, SIZE as u64).unwrap(),
            checkpoint: head(&all),
        };
        let case = Self { place, proof };
        case.write_proof();
        case
    }

    fn write_proof(&self) {
        self.place.write("proof", self.proof.to_text());
        self.place.write("log/checkpoint", &self.proof.checkpoint);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path(name)
    }

    /// Go's own code for the log that guards its modules.
    fn sumdb(&self) -> (bool, String) {
        let mut command = Command::new(tool("sumdb"));
        for file in ["vkey", "proof", "leaf", "log", "old", "consistency"] {
            command.arg(self.path(file));
        }
        accepts(&mut command)
    }

    fn sigstore(&self) -> (bool, String) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new("node");
        command.arg(root.join("tests/outside/sigstore/main.js"));
        command.arg(tool("node/node_modules"));
        for file in ["vkey", "proof", "leaf"] {
            command.arg(self.path(file));
        }
        accepts(&mut command)
    }

    fn aics(&self, args: &[&str]) -> (bool, String) {
        let mut command = Command::new(tool("venv/bin/aics-tlog"));
        command.args(args).arg("--vkey-file").arg(self.path("vkey"));
        accepts(command.arg("--tiles").arg(self.path("log")))
    }

    fn aics_inclusion(&self) -> (bool, String) {
        let (leaf, index) = (self.path("leaf"), self.proof.index.to_string());
        let leaf = leaf.to_str().unwrap();
        self.aics(&["verify-inclusion", "--leaf", leaf, "--index", &index])
    }

    fn aics_consistency(&self) -> (bool, String) {
        let old = self.path("old");
        let old = old.to_str().unwrap();
        self.aics(&["verify-consistency", "--old-checkpoint", old])
    }

    /// Our own, on the same copy.
    fn ours(&self) -> (bool, String) {
        let (status, said) = run(&[Path::new("log"), &self.path("log")], &self.path("key"));
        (status == 0, said)
    }
}

/// A change that every verifier of an entry must find.
type Change = (&'static str, fn(&mut Case));

const CHANGES: [Change; 5] = [
    ("another entry", |case| {
        let other = entry(18).0;
        case.place.write("leaf", other.bytes());
    }),
    ("another index", |case| case.proof.index += 1),
    ("another root", |case| {
        let (from, to) = (head(&leaves(SIZE)), head(&leaves(SIZE + 1)));
        let root = |note: &str| note.lines().nth(2).unwrap().to_owned();
        case.proof.checkpoint = from.replacen(&root(&from), &root(&to), 1);
    }),
    ("another tree, rightly signed", |case| {
        let mut other = leaves(SIZE);
        other[500] = entry(501).0;
        case.proof.checkpoint = head(&other);
    }),
    ("another key's signature", |case| {
        let other = LogKey::from_seed("firedoor.example/log", &[8; 32]).unwrap();
        case.proof.checkpoint = other.sign(SIZE as u64, &tree(&leaves(SIZE)).root());
    }),
];

fn refuses_each_change(verify: fn(&Case) -> (bool, String)) {
    for (what, change) in CHANGES {
        let mut case = Case::new(17);
        change(&mut case);
        case.write_proof();
        let (accepted, said) = verify(&case);
        assert!(!accepted, "{what}: {said}");
    }
    // A signature with one wrong bit.
    let mut case = Case::new(17);
    let (text, value) = case.proof.checkpoint.trim_end().rsplit_once(' ').unwrap();
    let mut signature = BASE64_STANDARD.decode(value).unwrap();
    flip(&mut signature, 40);
    case.proof.checkpoint = format!("{text} {}\n", BASE64_STANDARD.encode(signature));
    case.write_proof();
    let (accepted, said) = verify(&case);
    assert!(!accepted, "a wrong signature: {said}");
}

/// A change of the tiles, which the whole-log verifiers must find.
fn with_changed_tile(path: &str, at: usize) -> Case {
    let case = Case::new(17);
    case.place.change(path, |bytes| flip(bytes, at));
    assert!(!case.ours().0);
    case
}

/// A rightly signed older head of a log that was rewritten since.
fn with_another_past() -> Case {
    let case = Case::new(17);
    let mut other = leaves(OLD);
    other[100] = entry(101).0;
    case.place.write("old", head(&other));
    case
}

#[test]
fn go_accepts_the_log_and_refuses_a_changed_one() {
    for index in [0, 255, 256, 332, 333, SIZE - 1] {
        let case = Case::new(index);
        assert_eq!(case.sumdb(), (true, "ok\n".to_owned()), "{index}");
        assert!(case.ours().0);
    }
    refuses_each_change(Case::sumdb);
    for (path, at) in [("tile/0/000", 17 * 32), ("tile/1/000.p/2", 40)] {
        let (accepted, said) = with_changed_tile(path, at).sumdb();
        assert_eq!(
            (accepted, said.contains("tiles: ")),
            (false, true),
            "{said}"
        );
    }
    let (accepted, said) = with_another_past().sumdb();
    assert_eq!(
        (accepted, said.contains("consistency: ")),
        (false, true),
        "{said}"
    );
}

#[test]
fn sigstore_accepts_the_log_and_refuses_a_changed_one() {
    for index in [0, 255, 256, SIZE - 1] {
        assert_eq!(
            Case::new(index).sigstore(),
            (true, "ok\n".to_owned()),
            "{index}"
        );
    }
    refuses_each_change(Case::sigstore);
}

#[test]
fn aics_tlog_accepts_the_log_and_refuses_a_changed_one() {
    let case = Case::new(17);
    for (accepted, said) in [
        case.aics(&["verify-checkpoint"]),
        case.aics_inclusion(),
        Case::new(SIZE - 1).aics_inclusion(),
        case.aics_consistency(),
    ] {
        assert!(accepted, "{said}");
    }
    refuses_each_change(Case::aics_inclusion);
    for (accepted, said) in [
        with_changed_tile("tile/0/000", 17 * 32).aics_inclusion(),
        with_changed_tile("tile/1/000.p/2", 40).aics(&["verify-checkpoint"]),
        with_another_past().aics_consistency(),
    ] {
        assert!(!accepted, "{said}");
    }
}

#[test]
fn aics_tlog_reads_the_signatures_of_witnesses_as_we_do() {
    let mut case = Case::new(17);
    let plain = case.proof.checkpoint.clone();
    let [one, two, three] = witnesses().map(|witness| witness.vkey());
    let keys = [
        "--witness-key",
        &one,
        "--witness-key",
        &two,
        "--witness-key",
        &three,
    ];
    // The fixture's time is not now: it may be as old, or as far ahead, as it is.
    let age = ["--max-age", "9999999999", "--max-future", "9999999999"];
    let args = [&["verify-checkpoint", "--quorum", "3"], &keys[..], &age].concat();
    assert!(!case.aics(&args).0);
    case.proof.checkpoint = cosigned(&plain, after(SIZE));
    case.write_proof();
    let (accepted, said) = case.aics(&args);
    assert!(accepted, "{said}");
    let (status, said) = case.place.witnessed(&[Path::new("log"), &case.path("log")]);
    assert!(
        status == 0 && said.contains("Witnessed: 600 of 600 entries"),
        "{said}"
    );
}

fn tlog_scales(case: &Case, args: &[&str]) -> Vec<u8> {
    let (log, index) = (case.path("log"), case.proof.index.to_string());
    let mut command = Command::new(tool("venv/bin/tlog-tiles"));
    let out = command.args(args).arg(log).arg(index).output().unwrap();
    out.stdout
}

#[test]
fn tlog_scales_makes_the_same_proof_byte_for_byte() {
    for index in [0, 17, 255, 256, 511, 512, SIZE - 1] {
        let case = Case::new(index);
        let made = tlog_scales(&case, &["gen-proof"]);
        assert_eq!(String::from_utf8(made).unwrap(), case.proof.to_text());
        let leaf = fs::read(case.path("leaf")).unwrap();
        assert_eq!(tlog_scales(&case, &["get-leaf", "--check"]), leaf);
    }
    // A changed entry does not get past it.
    let case = with_changed_tile("tile/entries/000", 17 * RECORD + 9);
    assert!(tlog_scales(&case, &["get-leaf", "--check"]).is_empty());
}
