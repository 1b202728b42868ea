//! How long an outsider needs to check the whole log, and what the tree costs on disk.
//!
//! The log is written by the real code and checked by `firedoor-verify` as a program of its own, so
//! that starting it and reading every file count. Beside it stands the least that it could cost:
//! one core that hashes the entries once.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::place::Place;
use super::report::Machine;
use super::{BenchError, Common};
use crate::domain::checkpoint::LogKey;
use crate::domain::id::{OrgId, TeamId};
use crate::domain::leaf::{LEAF_BYTES, Leaf, LeafClass, LeafDraft};
use crate::domain::merkle::Tree;
use crate::domain::opening::{Account, Decided, Outcome, What, Who, Why};
use crate::domain::tiles::export;
use crate::domain::time::When;

const VERIFIER: &str = "firedoor-verify";
const ORIGIN: &str = "bench.firedoor.example/log";
/// Between two entries: 10 a second.
const STEP_MS: i64 = 100;
/// 2026-04-02T20:10:00Z.
const START_MS: i64 = 1_775_160_600_000;
const RUNS_MIN: usize = 3;
/// Of most file systems.
const BLOCK_BYTES: u64 = 4096;

#[derive(Debug, Serialize)]
pub struct LogReport {
    machine: Machine,
    entries: u64,
    /// The best of the runs: the others had more of the neighbours in them.
    pub verify_seconds: f64,
    runs: usize,
    /// One core hashes the same entries once.
    hash_seconds: f64,
    /// Beyond the entries themselves: lengths, hashes and checkpoint.
    pub tree_bytes_an_entry: f64,
    /// The same in whole blocks of the file system.
    tree_blocks_an_entry: f64,
    files: u64,
    /// What the verifier said first.
    said: String,
}

/// Makes a log of so many entries, checks it for the time of the bench, and removes it.
pub fn log(common: &Common, entries: u64) -> Result<LogReport, BenchError> {
    let machine = Machine::now(common.place());
    let place = Place::new(&common.place())?;
    let (dir, key_file) = (place.path().join("log"), place.path().join("key"));
    let leaves = leaves(entries)?;
    let hash_seconds = hashing(&leaves);
    let mut tree = Tree::new();
    for leaf in &leaves {
        tree.append(leaf);
    }
    let key = LogKey::from_seed(ORIGIN, &[7; 32]).map_err(|_| BenchError::Broken)?;
    fs::write(&key_file, key.verifier().vkey())?;
    let mut used = Used::default();
    for (path, bytes) in export(&leaves, &key.sign(tree.size(), &tree.root())) {
        used.write(&dir.join(path), &bytes)?;
    }
    drop((leaves, tree));

    let begun = Instant::now();
    let mut times = Vec::new();
    let mut said = String::new();
    while times.len() < RUNS_MIN || begun.elapsed() < common.limit() {
        let start = Instant::now();
        said = verify(&dir, &key_file)?;
        times.push(start.elapsed().as_secs_f64());
    }
    let payload = entries as f64 * LEAF_BYTES as f64;
    let beyond = |bytes: u64| (bytes as f64 - payload) / entries as f64;
    Ok(LogReport {
        machine,
        entries,
        verify_seconds: times.iter().copied().fold(f64::INFINITY, f64::min),
        runs: times.len(),
        hash_seconds,
        tree_bytes_an_entry: beyond(used.bytes),
        tree_blocks_an_entry: beyond(used.blocks),
        files: used.files,
        said,
    })
}

#[derive(Default)]
struct Used {
    files: u64,
    bytes: u64,
    blocks: u64,
}

impl Used {
    fn write(&mut self, path: &Path, bytes: &[u8]) -> Result<(), BenchError> {
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        fs::write(path, bytes)?;
        self.files += 1;
        self.bytes += bytes.len() as u64;
        self.blocks += (bytes.len() as u64).next_multiple_of(BLOCK_BYTES);
        Ok(())
    }
}

/// One invented attempt, under ids and salts that differ each time.
fn leaves(entries: u64) -> Result<Vec<Leaf>, BenchError> {
    let account = account().ok_or(BenchError::Broken)?;
    let mut leaves = Vec::new();
    for index in 0..entries {
        let millis = START_MS.saturating_add((index as i64).saturating_mul(STEP_MS));
        let random = |label: &'static str| {
            let hash = Sha256::new().chain_update(label);
            hash.chain_update(index.to_be_bytes()).finalize().into()
        };
        let (when, account) = (When::from_millis(millis), account.clone());
        let draft = LeafDraft::new(when, LeafClass::Attempt, account, b"{}", random);
        let (draft, _) = draft.map_err(|_| BenchError::Broken)?;
        leaves.push(draft.with_sealed(&random("sealed")));
    }
    Ok(leaves)
}

fn account() -> Option<Account> {
    Some(Account {
        who: Who {
            organisation: OrgId::parse("bench").ok()?,
            team: TeamId::parse("bench").ok()?,
            user: "1".to_owned(),
            role: "officer".to_owned(),
            certificate: [1; 32],
            asserted: true,
        },
        why: Why {
            purpose: "support_now".to_owned(),
            reason: None,
            case: None,
        },
        what: What {
            action: "assessment.query".to_owned(),
            object: None,
            asked: Vec::new(),
        },
        decided: Decided {
            outcome: Outcome::Empty,
            told: "nothing-to-show".to_owned(),
            rule: "bench".to_owned(),
            policy: [3; 32],
            subject: None,
            object: None,
            consents: Vec::new(),
            basis: None,
            relationship: None,
            firewall: None,
            disclosed: Vec::new(),
            concerned: Vec::new(),
            sources: 0,
            notes: Vec::new(),
        },
    })
}

fn hashing(leaves: &[Leaf]) -> f64 {
    let start = Instant::now();
    let mut all = [0_u8; 32];
    for leaf in leaves {
        let hash: [u8; 32] = Sha256::digest(leaf.bytes()).into();
        for (all, byte) in all.iter_mut().zip(hash) {
            *all ^= byte;
        }
    }
    std::hint::black_box(all);
    start.elapsed().as_secs_f64()
}

fn verify(dir: &Path, key: &Path) -> Result<String, BenchError> {
    let here = std::env::current_exe()?;
    let program: PathBuf = here.parent().unwrap_or(Path::new(".")).join(VERIFIER);
    if !program.exists() {
        return Err(BenchError::NoVerifier(program));
    }
    let mut command = Command::new(program);
    command.arg("log").arg(dir).arg("--key").arg(key);
    let out = command.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&out.stdout);
    let first = said.lines().next().unwrap_or_default().to_owned();
    if out.status.success() {
        Ok(first)
    } else {
        Err(BenchError::NotVerified(first))
    }
}

impl Display for LogReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.machine)?;
        writeln!(f, "{}", self.said)?;
        let ratio = self.verify_seconds / self.hash_seconds;
        writeln!(
            f,
            "Checked in {:.2} s (best of {}), {ratio:.1} times what one core needs to hash the \
             entries once ({:.2} s)",
            self.verify_seconds, self.runs, self.hash_seconds
        )?;
        writeln!(
            f,
            "Tree: {:.1} bytes an entry beside its {LEAF_BYTES}, {:.1} in whole blocks, in {} files",
            self.tree_bytes_an_entry, self.tree_blocks_an_entry, self.files
        )
    }
}
