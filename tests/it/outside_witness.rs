//! A witness that we did not write (PyPI `aics-witness`, on loopback) with heads of our own making:
//! it cosigns growth and refuses a fork, and we accept its word.
//!
//! `tests/outside/install` puts it into `target/outside`, pinned by hash. If it is missing, the test
//! fails.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "fixtures: a failure here is a failed test"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base64::prelude::{BASE64_STANDARD, Engine};
use firedoor::domain::checkpoint::LogKey;
use firedoor::domain::cosignature::WitnessVerifier;
use firedoor::domain::merkle::{Tree, leaf_hash};

const ORIGIN: &str = "firedoor.example/log";
const NAME: &str = "witness.example/outside";
const NEVER: u64 = u64::MAX;

fn program() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("target/outside/venv/bin/aics-witness");
    assert!(
        path.exists(),
        "{} is not there: run tests/run once, or tests/outside/install alone",
        path.display()
    );
    path
}

fn log() -> LogKey {
    LogKey::from_seed(ORIGIN, &[7; 32]).unwrap()
}

/// A log whose entries from `other` on are not those of the true one.
fn tree(size: u64, other: u64) -> Tree {
    let mut tree = Tree::new();
    for leaf in 0..size {
        let salt = u64::from(leaf >= other) << 63;
        tree.append_hash(leaf_hash(&(leaf | salt).to_be_bytes()));
    }
    tree
}

fn head(tree: &Tree) -> String {
    log().sign(tree.size(), &tree.root())
}

/// The witness in a folder of its own, killed at the end.
struct Outside {
    _dir: tempfile::TempDir,
    server: Child,
    address: String,
    key: WitnessVerifier,
}

impl Outside {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let run = |args: &[&str]| {
            let mut command = Command::new(program());
            command.args(args).args(["--config", "witness.json"]);
            command
                .current_dir(dir.path())
                .env_remove("WITNESS_SEED_HEX");
            command
        };
        let done = |args: &[&str]| {
            let out = run(args).output().unwrap();
            let said = String::from_utf8_lossy(&out.stderr).into_owned();
            assert!(out.status.success(), "{args:?}: {said}");
            String::from_utf8(out.stdout).unwrap()
        };
        let vkey = done(&["init", "--name", NAME]);
        let trusted = log().verifier().vkey();
        done(&["add-log", "--origin", ORIGIN, "--vkey", &trusted]);
        let mut server = run(&["serve", "--listen", "127.0.0.1:0"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let says = BufReader::new(server.stderr.take().unwrap());
        let mut seen = String::new();
        let mut address = None;
        let mut lines = says.lines();
        for line in lines.by_ref() {
            let line = line.unwrap();
            let after = line.split_once("listening on http://");
            address = after.and_then(|(_, rest)| Some(rest.split_once(' ')?.0.to_owned()));
            seen = format!("{seen}{line}\n");
            if address.is_some() {
                break;
            }
        }
        // Nobody waits for what it says later, but it must be able to say it.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            address: address.unwrap_or_else(|| panic!("it does not listen: {seen}")),
            key: WitnessVerifier::parse(vkey.trim()).unwrap(),
            server,
            _dir: dir,
        }
    }

    /// `add-checkpoint`, as C2SP tlog-witness describes it.
    fn add(&self, old: u64, proof: &[[u8; 32]], note: &str) -> (u16, String) {
        let proof: String = proof
            .iter()
            .map(|hash| format!("{}\n", BASE64_STANDARD.encode(hash)))
            .collect();
        let body = format!("old {old}\n{proof}\n{note}");
        let mut tcp = TcpStream::connect(&self.address).unwrap();
        let head = format!(
            "POST /add-checkpoint HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\
             connection: close\r\n\r\n",
            self.address,
            body.len()
        );
        tcp.write_all(head.as_bytes()).unwrap();
        tcp.write_all(body.as_bytes()).unwrap();
        let mut reply = String::new();
        tcp.read_to_string(&mut reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    /// From one size of a log to another, with the proof that this log gives.
    fn grow(&self, from: u64, to: &Tree) -> (u16, String) {
        let proof = to.consistency(from, to.size()).unwrap();
        self.add(from, &proof, &head(to))
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn an_outside_witness_cosigns_growth_and_refuses_a_fork() {
    let outside = Outside::start();
    let mut before = 0;
    for size in [1, 300, 1_000] {
        let grown = tree(size, NEVER);
        let (status, line) = outside.grow(before, &grown);
        assert_eq!(status, 200, "{line}");
        let note = format!("{}{line}", head(&grown));
        let at = outside.key.verify(&note).unwrap();
        // A time of this century: its clock, not ours.
        assert!(at.millis() > 1_700_000_000_000);
        let other = format!("{}{line}", head(&tree(size, 0)));
        assert_eq!(outside.key.verify(&other), None);
        assert!(log().verifier().verify(&note).is_ok());
        before = size;
    }

    // Another last entry, signed with the log's own key: the size is the same, the root is not.
    let fork = tree(1_000, 999);
    assert_eq!(outside.add(1_000, &[], &head(&fork)).0, 422);
    // Growth over a rewritten beginning, with the proof of the rewritten log.
    assert_eq!(outside.grow(1_000, &tree(1_200, 5)).0, 422);
    // Growth with a root that no proof leads to.
    let (true_log, made_up) = (tree(1_200, NEVER), log().sign(1_200, &[9; 32]));
    let proof = true_log.consistency(1_000, 1_200).unwrap();
    assert_eq!(outside.add(1_000, &proof, &made_up).0, 422);
    // A log that has gone back does not know the size that the witness has seen.
    let (status, seen) = outside.grow(300, &tree(900, NEVER));
    assert_eq!((status, seen.trim()), (409, "1000"));
    // Another key under the same name.
    let other = LogKey::from_seed(ORIGIN, &[8; 32]).unwrap();
    let stranger = other.sign(1_200, &true_log.root());
    assert_eq!(outside.add(1_000, &proof, &stranger).0, 403);

    // None of that has moved it.
    assert_eq!(outside.grow(1_000, &true_log).0, 200);
}
