//! A process that writes to a store until it is stopped, and another that checks all it was told.
//!
//! Here it is killed. `tests/power` runs the same test by hand, with the environment below, on a file
//! system whose power it cuts. What counts is only what was read from the writer before that.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::*;
use crate::store::contract::{Attempt, START, fact_of, id, of};
use crate::store::{Outcome, Store};

/// `write` or `check`; without it this is an ordinary test.
const ROLE: &str = "FIREDOOR_POWER";
/// Where the store lies.
const PLACE: &str = "FIREDOOR_POWER_PLACE";
/// For `check`: a file with what the writer told.
const TOLD: &str = "FIREDOOR_POWER_TOLD";
const WRITERS: u64 = 8;
const SEGMENT_BYTES: u64 = 1024 * 1024;
const KEPT_ROOM_BYTES: u64 = 4 * 1024 * 1024;
const NAME: &str = "store::journal::power::what_a_writer_told_is_there_after_it_was_killed";

#[test]
fn what_a_writer_told_is_there_after_it_was_killed() {
    let place = std::env::var_os(PLACE).map(PathBuf::from);
    match (std::env::var_os(ROLE), place) {
        (Some(role), Some(place)) if role == "write" => write(&place),
        (Some(_), Some(place)) => {
            let told = std::fs::read_to_string(std::env::var_os(TOLD).unwrap()).unwrap();
            let checked = check(&place, told.lines());
            println!("checked {checked}");
        }
        (_, None) | (None, _) => {
            let dir = tempfile::tempdir().unwrap();
            let mut told = Vec::new();
            for kill in 0..3 {
                told.extend(write_and_kill(dir.path(), 40 + kill * 30));
                assert!(check(dir.path(), told.iter().map(String::as_str)) > 20);
            }
        }
    }
}

/// Starts a writer, kills it after so many lines, and returns all it had told.
fn write_and_kill(place: &Path, lines: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([NAME, "--exact", "--nocapture", "--test-threads", "1"])
        .env(ROLE, OsString::from("write"))
        .env(PLACE, place)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut told: Vec<String> = said.by_ref().take(lines).map(Result::unwrap).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    told.extend(said.map(Result::unwrap));
    told
}

fn open(place: &Path) -> Store {
    let config = JournalConfig {
        data_dir: place.join("data"),
        slots: place.join("slots"),
        keys: StoreKeys {
            index_key: Zeroizing::new([1; 32]),
            slot_key: Zeroizing::new([2; 32]),
            log: LogKey::from_seed("gw.example/log", &[3; 32]).unwrap(),
        },
        segment_bytes: SEGMENT_BYTES,
        kept_room_bytes: KEPT_ROOM_BYTES,
    };
    Store::Embedded(Journal::open(config).unwrap_or_else(|error| panic!("{error}")))
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

/// One line at a time, at once, past the test runner's own capture.
fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        // Nobody reads any more.
        std::process::exit(0);
    }
}

/// Writes facts, and removes every fourth again, until it is killed or the disk fails.
fn write(place: &Path) {
    runtime().block_on(async {
        let store = Arc::new(open(place));
        tell("open");
        let first = store.health().leaves << 20;
        let refused = Arc::new(Mutex::new(false));
        let writers = (0..WRITERS).map(|writer| {
            let (store, refused) = (Arc::clone(&store), Arc::clone(&refused));
            tokio::spawn(async move {
                for round in 0.. {
                    let n = first + round * WRITERS + writer;
                    until_room(&store, &refused, "ack", n).await;
                    if round % 4 == 3 {
                        tell(&format!("going {n}"));
                        until_room(&store, &refused, "gone", n).await;
                    }
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
    });
}

/// Writes fact `n`, or removes it.
async fn commit(store: &Store, word: &str, n: u64) -> Result<(u64, String), Fault> {
    let attempt = Attempt {
        keys: store.reserve(2).await?,
        read: vec![],
        writes: vec![],
        replay: None,
        when: START,
        urgent: false,
        opening: vec![7; 600],
    };
    let attempt = match word {
        "ack" => attempt.fact(&of(n), id(n), format!("fact {n}").as_bytes()),
        _ => attempt.remove(&of(n), id(n)),
    };
    match store.commit(attempt.decision(())).await? {
        Outcome::Logged(logged) => {
            let name = logged.leaf().id();
            Ok((logged.inclusion().index, format!("{name:?}")))
        }
        Outcome::Moved | Outcome::Replayed { .. } | Outcome::Limited => panic!("not logged"),
    }
}

/// Tries until it is taken. A store that has stopped ends the process.
async fn until_room(store: &Store, refused: &Mutex<bool>, word: &str, n: u64) {
    loop {
        match commit(store, word, n).await {
            Ok((index, name)) => {
                tell(&format!("{word} {n} {index} {}", name.replace(' ', "")));
                if std::mem::take(&mut *refused.lock().unwrap()) {
                    tell("back");
                }
                return;
            }
            Err(Fault::CannotRecord(why)) if store.health().stopped.is_none() => {
                if !std::mem::replace(&mut *refused.lock().unwrap(), true) {
                    tell(&format!("refused {why}"));
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(fault) => {
                tell(&format!("stopped {fault}"));
                std::process::exit(1);
            }
        }
    }
}

/// Everything that was told is in the log, and in force; the log is one tree. Returns how many
/// answers were checked.
fn check<'a>(place: &Path, told: impl Iterator<Item = &'a str>) -> usize {
    let mut answers: HashMap<u64, String> = HashMap::new();
    let (mut there, mut going, mut gone) = (HashSet::new(), HashSet::new(), HashSet::new());
    for line in told {
        let mut words = line.split(' ');
        let (word, n) = (words.next(), words.next().and_then(|n| n.parse().ok()));
        let answer = words.next().and_then(|n| n.parse().ok()).zip(words.next());
        match (word, n, answer) {
            (Some("ack"), Some(n), Some((index, name))) => {
                there.insert(n);
                answers.insert(index, name.to_owned());
            }
            (Some("gone"), Some(n), Some((index, name))) => {
                gone.insert(n);
                answers.insert(index, name.to_owned());
            }
            (Some("going"), Some(n), None) => drop(going.insert(n)),
            // What the test runner says, or a line that was cut off.
            _ => {}
        }
    }
    runtime().block_on(async {
        let store = open(place);
        let note = store.checkpoint().await.unwrap();
        let key = LogKey::from_seed("gw.example/log", &[3; 32]).unwrap();
        let head = key.verifier().verify(&note).unwrap();
        let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        let mut next = 0;
        let mut found = 0;
        while next < head.size {
            for leaf in store.leaves(next, head.size).await.unwrap() {
                if let Some(name) = answers.get(&next) {
                    assert_eq!(format!("{:?}", leaf.id()).replace(' ', ""), *name);
                    found += 1;
                }
                tree.push(leaf.bytes().to_vec());
                next += 1;
            }
        }
        assert_eq!(found, answers.len(), "acknowledged records are lost");
        assert_eq!(tree.root().as_bytes()[..], head.root[..]);
        for n in there {
            let facts = fact_of(&store, n).await;
            match (gone.contains(&n), going.contains(&n)) {
                (true, _) => assert!(facts.is_empty(), "{n} came back"),
                (false, true) => assert!(facts.is_empty() || facts == [format!("fact {n}")]),
                (false, false) => assert_eq!(facts, [format!("fact {n}")]),
            }
        }
        store.close().await.unwrap();
        found
    })
}
