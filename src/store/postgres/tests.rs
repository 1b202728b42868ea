//! The promises of the PostgreSQL store, on a real server: several nodes, one log.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::cluster::{Cluster, Databases, look};
use super::{OpenError, Postgres, PostgresConfig, restored};
use crate::domain::checkpoint::LogKey;
use crate::domain::codes::DataClass;
use crate::domain::decision::{
    Aggregate, Counter, Decision, List, PartRef, ReadSet, Replay, Version, Write,
};
use crate::domain::id::{Id, OrgId, PersonId};
use crate::domain::leaf::{Leaf, LeafClass, LeafDraft};
use crate::domain::logged::Logged;
use crate::domain::merkle::{Tree, leaf_hash, verify_inclusion};
use crate::domain::opening::tests::account;
use crate::domain::seal::{self, ItemKey};
use crate::domain::time::When;
use crate::store::keys::StoreKeys;
use crate::store::{Discloses, Fault, Outcome, Restored, Store};

pub(crate) mod erasure;
mod failover;
mod upgrade;

const NOW: When = When::from_millis(1_780_000_000_000);

fn keys(seed: u8) -> StoreKeys {
    StoreKeys {
        index_key: Zeroizing::new([seed; 32]),
        slot_key: Zeroizing::new([seed + 1; 32]),
        log: log_key(seed),
    }
}

fn log_key(seed: u8) -> LogKey {
    LogKey::from_seed("firedoor.example/log", &[seed; 32]).unwrap()
}

async fn open(databases: &Databases, seed: u8) -> Result<Postgres, OpenError> {
    Postgres::open(PostgresConfig {
        url: databases.url.clone(),
        slots_url: databases.slots_url.clone(),
        tls: None,
        keys: keys(seed),
        pool_size: 4,
    })
    .await
}

async fn node(databases: &Databases) -> Arc<Store> {
    Arc::new(Store::Postgres(open(databases, 1).await.unwrap()))
}

async fn one() -> (Databases, Arc<Store>) {
    let databases = Cluster::get().databases().await;
    let node = node(&databases).await;
    (databases, node)
}

/// A decision in the making; each has its own entropy.
struct Attempt {
    keys: Vec<ItemKey>,
    read: ReadSet,
    writes: Vec<Write>,
    replay: Option<Replay>,
    at: When,
}

impl Attempt {
    async fn new(store: &Store) -> Self {
        Self {
            keys: store.reserve(8).await.unwrap(),
            read: Vec::new(),
            writes: Vec::new(),
            replay: None,
            at: NOW,
        }
    }

    fn reads(mut self, of: &Aggregate, version: u64) -> Self {
        self.read.push((of.clone(), Version(version)));
        self
    }

    fn fact(mut self, of: &Aggregate, item: Id, plain: &[u8]) -> Self {
        let key = self.keys.pop().unwrap();
        let sealed = seal::fact(&key, of, item, plain, [1; 12]);
        let of = of.clone();
        self.writes.push(Write::Fact { of, item, sealed });
        self
    }

    fn part(mut self, part: &PartRef, plain: &[u8]) -> Self {
        let key = self.keys.pop().unwrap();
        let PartRef { of, item, class } = part.clone();
        let sealed = seal::unscreened_part(&key, &of, item, class, plain, [1; 12]);
        self.writes.push(Write::Part {
            of,
            item,
            class,
            sealed,
        });
        self
    }

    fn write(mut self, write: Write) -> Self {
        self.writes.push(write);
        self
    }

    fn replay(mut self, key: u8, request: u8, until: When) -> Self {
        self.replay = Some(Replay {
            key: [key; 16],
            request: [request; 32],
            until,
            reply: format!("201 {request}").into_bytes(),
        });
        self
    }

    fn decision<T>(mut self, value: T) -> Decision<T> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let entropy = |label: &'static str| {
            let hash = Sha256::new().chain_update(label).chain_update(number);
            hash.finalize().into()
        };
        let drafted = LeafDraft::new(self.at, LeafClass::Attempt, account(), b"{}", entropy);
        let (draft, opening) = drafted.unwrap();
        let key = self.keys.pop().unwrap();
        let plain = opening.to_bytes();
        let opening = seal::opening(&key, draft.id(), &plain, [1; 12]);
        let hash = Sha256::digest(opening.sealed().ciphertext()).into();
        Decision {
            value,
            read: self.read,
            leaf: draft.with_sealed(&hash),
            opening,
            writes: self.writes,
            replay: self.replay,
            urgent: false,
            unused: Vec::new(),
        }
    }

    async fn commit(self, store: &Store) -> Outcome<()> {
        store.commit(self.decision(())).await.unwrap()
    }
}

fn logged<T>(outcome: Outcome<T>) -> Logged<T> {
    match outcome {
        Outcome::Logged(logged) => logged,
        Outcome::Moved => panic!("moved"),
        Outcome::Replayed { .. } => panic!("replayed"),
        Outcome::Limited => panic!("limited"),
    }
}

fn person(number: u8) -> Aggregate {
    Aggregate::Person(PersonId(id(number)))
}

fn id(number: u8) -> Id {
    Id::from_bytes([number; 16])
}

fn haven() -> OrgId {
    OrgId::parse("haven").unwrap()
}

struct Told(Vec<PartRef>);

impl Discloses for Told {
    fn parts(&self) -> &[PartRef] {
        &self.0
    }
}

async fn told(store: &Store, parts: Vec<PartRef>) -> Logged<Told> {
    let decision = Attempt::new(store).await.decision(Told(parts));
    logged(store.commit(decision).await.unwrap())
}

/// Every leaf, and the root over them as the checkpoint has it.
async fn whole_log(store: &Store) -> Tree {
    let checkpoint = store.checkpoint().await.unwrap();
    let checkpoint = log_key(1).verifier().verify(&checkpoint).unwrap();
    let mut tree = Tree::new();
    while tree.size() < checkpoint.size {
        let to = checkpoint.size.min(tree.size() + 256);
        for leaf in store.leaves(tree.size(), to).await.unwrap() {
            tree.append(&leaf);
        }
    }
    assert_eq!(tree.root(), checkpoint.root);
    tree
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_nodes_and_callers_exactly_one_wins_each_version() {
    let (databases, first) = one().await;
    let nodes = [first, node(&databases).await, node(&databases).await];
    let of = person(1);
    for round in 0..4_u8 {
        let version = nodes[0]
            .facts(std::slice::from_ref(&of))
            .await
            .unwrap()
            .read[0]
            .1;
        let mut callers = tokio::task::JoinSet::new();
        for caller in 0..24_u8 {
            let (store, of) = (nodes[usize::from(caller) % 3].clone(), of.clone());
            callers.spawn(async move {
                let attempt = Attempt::new(&store).await.reads(&of, version.0);
                attempt.fact(&of, id(round), &[caller]).commit(&store).await
            });
        }
        let outcomes = callers.join_all().await;
        let won = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Outcome::Logged(_)));
        assert_eq!(won.count(), 1);
        assert!(
            outcomes
                .iter()
                .all(|outcome| matches!(outcome, Outcome::Logged(_) | Outcome::Moved))
        );
    }
    assert_eq!(whole_log(&nodes[1]).await.size(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_receipt_of_every_node_verifies_in_the_one_log() {
    let (databases, first) = one().await;
    let nodes = [first, node(&databases).await];
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..600_usize {
        let store = nodes[caller % 2].clone();
        callers.spawn(async move { logged(Attempt::new(&store).await.commit(&store).await) });
    }
    let verifier = log_key(1);
    let mut indices = Vec::new();
    for logged in callers.join_all().await {
        let inclusion = logged.inclusion();
        let head = verifier.verifier().verify(&inclusion.checkpoint).unwrap();
        let hash = leaf_hash(logged.leaf().bytes());
        let path = &inclusion.hashes;
        assert!(verify_inclusion(
            &hash,
            inclusion.index,
            head.size,
            path,
            &head.root
        ));
        indices.push(inclusion.index);
    }
    indices.sort_unstable();
    assert_eq!(indices, (0..600).collect::<Vec<u64>>());
    let tree = whole_log(&nodes[0]).await;
    for (level, index, width) in [(0, 0, 256), (0, 1, 7), (0, 2, 88), (1, 0, 2), (1, 0, 1)] {
        let tile = nodes[1].tile(level, index, width).await.unwrap().unwrap();
        let row = tree
            .row(u32::from(level) * 8, index * 256, u64::from(width))
            .unwrap();
        assert_eq!(tile, row.concat());
    }
    for (level, index, width) in [
        (0, 2, 89),
        (1, 0, 3),
        (0, 9, 1),
        (2, 0, 1),
        (9, 0, 1),
        (0, 0, 0),
    ] {
        assert_eq!(nodes[1].tile(level, index, width).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_repeated_request_is_answered_again_from_any_node() {
    let (databases, store) = one().await;
    let other = node(&databases).await;
    let until = NOW.plus_days(7);
    let of = person(1);
    let attempt = Attempt::new(&store).await.replay(1, 1, until).reads(&of, 0);
    let index = logged(attempt.fact(&of, id(1), b"x").commit(&store).await)
        .inclusion()
        .index;
    for (request, same) in [(1, true), (2, false)] {
        // What it rested on has moved since, by itself.
        let again = Attempt::new(&other)
            .await
            .replay(1, request, until)
            .reads(&of, 0);
        let Outcome::Replayed {
            index: earlier,
            same_request,
            reply,
        } = again.commit(&other).await
        else {
            panic!("not replayed");
        };
        assert_eq!(
            (earlier, same_request, &reply[..]),
            (index, same, &b"201 1"[..])
        );
    }
    let mut late = Attempt::new(&other).await.replay(1, 2, until.plus_days(7));
    late.at = until;
    logged(late.commit(&other).await);
    // Twice in one batch.
    let twins = [Attempt::new(&store).await, Attempt::new(&store).await];
    let [one, two] = twins.map(|mut attempt| {
        attempt.at = until;
        attempt.replay(3, 3, until.plus_days(7))
    });
    let outcomes = tokio::join!(one.commit(&store), two.commit(&store));
    assert!(matches!(
        outcomes,
        (
            Outcome::Logged(_),
            Outcome::Replayed {
                same_request: true,
                ..
            }
        )
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_holds_over_all_nodes() {
    let (databases, first) = one().await;
    let nodes = [first, node(&databases).await];
    let counter = Counter::NewUsers {
        organisation: haven(),
        day: 20_000,
    };
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..30 {
        let (store, counter) = (nodes[caller % 2].clone(), counter.clone());
        callers.spawn(async move {
            let count = Write::Count {
                counter,
                by: 2,
                max: 21,
            };
            Attempt::new(&store).await.write(count).commit(&store).await
        });
    }
    let outcomes = callers.join_all().await;
    let limited = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Outcome::Limited));
    assert_eq!(limited.count(), 20);
    assert_eq!(nodes[1].counted(&counter).await.unwrap(), 20);
    let other = Counter::NewUsers {
        organisation: haven(),
        day: 20_001,
    };
    assert_eq!(nodes[0].counted(&other).await.unwrap(), 0);
}

#[tokio::test]
async fn an_entry_moves_within_a_list_in_one_decision() {
    let (_, store) = one().await;
    let list = List::Inbox(haven());
    let entry = |at, item| Write::List {
        list: list.clone(),
        at,
        item: id(item),
    };
    for (at, item) in [(5, 1), (7, 2)] {
        let attempt = Attempt::new(&store).await.write(entry(at, item));
        logged(attempt.commit(&store).await);
    }
    let off = Write::Unlist {
        list: list.clone(),
        item: id(1),
    };
    let moving = Attempt::new(&store).await.write(entry(8, 1)).write(off);
    logged(moving.write(entry(9, 1)).commit(&store).await);
    let page = store.list(&list, None, 9).await.unwrap();
    let shown: Vec<_> = page.iter().map(|entry| (entry.at, entry.item)).collect();
    assert_eq!(shown, [(7, id(2)), (9, id(1))]);
}

#[tokio::test]
async fn what_is_removed_is_gone_for_good() {
    let (databases, store) = one().await;
    let of = person(1);
    let part = |class| PartRef {
        of: of.clone(),
        item: id(2),
        class,
    };
    let parts = [part(DataClass::ALL[0]), part(DataClass::ALL[1])];
    let attempt = Attempt::new(&store)
        .await
        .fact(&of, id(1), b"fact")
        .part(&parts[0], b"one");
    logged(attempt.part(&parts[1], b"two").commit(&store).await);
    let facts = store.facts(std::slice::from_ref(&of)).await.unwrap();
    assert_eq!(facts.parts, parts);
    let by = told(&store, vec![parts[1].clone(), parts[0].clone()]).await;
    let opened = store.open(&by).await.unwrap();
    assert_eq!(opened[0].plain.as_slice(), b"two");
    assert_eq!(opened[1].plain.as_slice(), b"one");
    let slots = look(&databases.slots_url).await;
    let main = look(&databases.url).await;
    let used = "SELECT slot FROM firedoor.items";
    let used: Vec<i64> = main
        .query(used, &[])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    let left = "SELECT count(*) FROM firedoor_slots.slots WHERE slot = ANY($1)";
    let before: i64 = slots.query_one(left, &[&used]).await.unwrap().get(0);
    assert_eq!((used.len(), before), (3, 3));
    let gone = Write::Remove {
        of: of.clone(),
        item: id(2),
    };
    let replaced = Attempt::new(&store)
        .await
        .write(gone)
        .fact(&of, id(1), b"new");
    logged(replaced.commit(&store).await);
    assert!(store.open(&by).await.unwrap().is_empty());
    store.close().await.unwrap();
    let after: i64 = slots.query_one(left, &[&used]).await.unwrap().get(0);
    assert_eq!(after, 0);
    // Only the new fact and the three openings still have a key, and the names.
    let all = "SELECT count(*) FROM firedoor_slots.slots";
    let kept: i64 = slots.query_one(all, &[]).await.unwrap().get(0);
    assert_eq!(kept, 5 + unused_of_three_commits());
    assert!(
        main.query("SELECT slot FROM firedoor.erasures", &[])
            .await
            .unwrap()
            .is_empty()
    );
}

/// Each attempt of this suite reserves eight keys; what it does not use stays lent for a while.
fn unused_of_three_commits() -> i64 {
    (8 - 4) + (8 - 1) + (8 - 2)
}

#[tokio::test]
async fn an_erasure_that_was_interrupted_is_finished_at_the_next_start() {
    let (databases, store) = one().await;
    let of = person(1);
    logged(
        Attempt::new(&store)
            .await
            .fact(&of, id(1), b"x")
            .commit(&store)
            .await,
    );
    store.close().await.unwrap();
    drop(store);
    let main = look(&databases.url).await;
    // As a node leaves it that dies between its commit and the erasure.
    let moved = "WITH gone AS (DELETE FROM firedoor.items RETURNING slot) \
                 INSERT INTO firedoor.erasures SELECT slot FROM gone RETURNING slot";
    let slot: i64 = main.query_one(moved, &[]).await.unwrap().get(0);
    let store = node(&databases).await;
    store.close().await.unwrap();
    let slots = look(&databases.slots_url).await;
    let left = "SELECT 1 FROM firedoor_slots.slots WHERE slot = $1";
    assert!(slots.query_opt(left, &[&slot]).await.unwrap().is_none());
}

#[tokio::test]
async fn a_fact_whose_key_is_lost_stops_the_decision() {
    let (databases, store) = one().await;
    let of = person(1);
    logged(
        Attempt::new(&store)
            .await
            .fact(&of, id(1), b"withdrawn")
            .commit(&store)
            .await,
    );
    let slots = look(&databases.slots_url).await;
    slots
        .batch_execute("DELETE FROM firedoor_slots.slots")
        .await
        .unwrap();
    assert!(matches!(
        store.facts(&[of]).await,
        Err(Fault::Unreadable(_))
    ));
}

#[tokio::test]
async fn everything_survives_a_restart_and_a_kill() {
    let (databases, store) = one().await;
    let of = person(1);
    let list = List::Sent(haven());
    let counter = Counter::NewUsers {
        organisation: haven(),
        day: 1,
    };
    let attempt = Attempt::new(&store).await.fact(&of, id(1), b"kept");
    let entry = Write::List {
        list: list.clone(),
        at: 1,
        item: id(1),
    };
    let count = Write::Count {
        counter: counter.clone(),
        by: 3,
        max: 9,
    };
    logged(attempt.write(entry).write(count).commit(&store).await);
    for _ in 0..300 {
        logged(Attempt::new(&store).await.commit(&store).await);
    }
    let checkpoint = store.checkpoint().await.unwrap();
    store.close().await.unwrap();
    assert_eq!(store.health().stopped, Some("the store is closed"));
    let late = Attempt::new(&*node(&databases).await).await.decision(());
    assert!(matches!(
        store.commit(late).await,
        Err(Fault::CannotRecord(_))
    ));
    drop(store);
    let store = node(&databases).await;
    assert_eq!(store.checkpoint().await.unwrap(), checkpoint);
    assert_eq!(store.health().leaves, 301);
    assert_eq!(store.last_time(), NOW.coarse());
    assert_eq!(store.list(&list, None, 9).await.unwrap().len(), 1);
    assert_eq!(store.counted(&counter).await.unwrap(), 3);
    assert_eq!(
        store.facts(&[of]).await.unwrap().facts[0].bytes.as_slice(),
        b"kept"
    );
    // Killed while callers wait.
    let mut callers = tokio::task::JoinSet::new();
    let mut queued = Vec::new();
    for _ in 0..40 {
        queued.push(Attempt::new(&store).await.decision(()));
    }
    for decision in queued {
        let store = store.clone();
        callers.spawn(async move { store.commit(decision).await });
    }
    let first = callers.join_next().await.unwrap().unwrap().unwrap();
    let acknowledged = logged(first).inclusion().index;
    callers.shutdown().await;
    drop(store);
    let store = node(&databases).await;
    assert!(whole_log(&store).await.size() > acknowledged);
    logged(Attempt::new(&store).await.commit(&store).await);
    whole_log(&store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_cut_at_any_moment_lose_and_double_nothing() {
    let (databases, store) = one().await;
    let name = databases.url.rsplit('/').next().unwrap().to_owned();
    let admin = Cluster::get().client("postgres").await;
    let done = Arc::new(AtomicBool::new(false));
    let cutter = tokio::spawn({
        let done = done.clone();
        async move {
            let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
            while !done.load(Ordering::Relaxed) {
                admin.execute(cut, &[&name]).await.unwrap();
                tokio::time::sleep(Duration::from_millis(15)).await;
            }
        }
    });
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = store.clone();
        callers.spawn(async move {
            let mut durable = Vec::new();
            for _ in 0..40 {
                let decision = Attempt::new(&store).await.decision(());
                let leaf = decision.leaf;
                match store.commit(decision).await {
                    Ok(outcome) => {
                        let index = logged(outcome).inclusion().index;
                        durable.push((index, leaf));
                    }
                    Err(fault) => assert!(matches!(fault, Fault::CannotRecord(_))),
                }
            }
            durable
        });
    }
    let durable = callers.join_all().await.concat();
    done.store(true, Ordering::Relaxed);
    cutter.await.unwrap();
    drop(store);
    let store = node(&databases).await;
    each_is_logged_once(&store, &durable).await;
}

/// What was acknowledged is where it was said to be, and no attempt is in the log twice.
async fn each_is_logged_once(store: &Store, durable: &[(u64, Leaf)]) {
    let tree = whole_log(store).await;
    let mut leaves = Vec::new();
    for from in (0..tree.size()).step_by(256) {
        leaves.extend(store.leaves(from, from + 256).await.unwrap());
    }
    for (index, leaf) in durable {
        assert_eq!(leaves.get(*index as usize), Some(leaf));
    }
    let mut ids: Vec<Id> = leaves.iter().map(|leaf| leaf.id()).collect();
    ids.sort_unstable();
    let all = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), all, "an attempt was logged twice");
    assert!(!durable.is_empty());
}

/// Passes everything on, but once armed closes the connection instead of telling the client that
/// its COMMIT was done, and does `before` that.
async fn proxy(
    url: &str,
    armed: Arc<AtomicBool>,
    before: impl Fn() + Clone + Send + 'static,
) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (_, rest) = url.split_once("127.0.0.1:").unwrap();
    let (server, name) = rest.split_once('/').unwrap();
    let server = format!("127.0.0.1:{server}");
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            // A server that is gone takes its proxy with it.
            let Ok(mut server) = tokio::net::TcpStream::connect(&server).await else {
                return;
            };
            let (armed, before) = (armed.clone(), before.clone());
            tokio::spawn(async move {
                let (mut asked, mut answered) = ([0; 16384], [0; 16384]);
                let mut cut = false;
                loop {
                    tokio::select! {
                        read = client.read(&mut asked) => {
                            let Ok(1..) = read else { return };
                            let message = &asked[..read.unwrap()];
                            if message.ends_with(b"Q\0\0\0\x0bCOMMIT\0") {
                                cut = armed.swap(false, Ordering::SeqCst);
                            }
                            if server.write_all(message).await.is_err() {
                                return;
                            }
                        }
                        read = server.read(&mut answered) => {
                            let Ok(1..) = read else { return };
                            if cut {
                                let answer = &answered[..read.unwrap()];
                                let done = |tag: &[u8]| tag == b"C\0\0\0\x0bCOMMIT\0";
                                if answer.windows(12).any(done) {
                                    return before();
                                }
                                continue;
                            }
                            if client.write_all(&answered[..read.unwrap()]).await.is_err() {
                                return;
                            }
                        }
                    }
                }
            });
        }
    });
    format!("postgresql://postgres@127.0.0.1:{port}/{name}")
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_found_and_not_done_twice() {
    let mut databases = Cluster::get().databases().await;
    let armed = Arc::new(AtomicBool::new(false));
    databases.url = proxy(&databases.url, armed.clone(), || {}).await;
    let store = node(&databases).await;
    for index in 0..3 {
        armed.store(true, Ordering::SeqCst);
        let logged = logged(Attempt::new(&store).await.commit(&store).await);
        assert_eq!(logged.inclusion().index, index);
        assert!(!armed.load(Ordering::SeqCst));
        assert_eq!(whole_log(&store).await.size(), index + 1);
    }
}

#[tokio::test]
async fn a_change_at_another_node_is_noticed() {
    let (databases, store) = one().await;
    let other = node(&databases).await;
    logged(Attempt::new(&store).await.commit(&store).await);
    let waiting = tokio::spawn({
        let other = other.clone();
        async move { other.changed(0, Duration::from_secs(30)).await }
    });
    let mut later = Attempt::new(&store).await;
    later.at = NOW.plus_hours(1);
    logged(later.commit(&store).await);
    waiting.await.unwrap();
    assert_eq!(other.last_time(), NOW.plus_hours(1).coarse());
    other.changed(1, Duration::from_millis(1)).await;
}

#[tokio::test]
async fn a_key_is_used_for_one_item_only() {
    let (_, store) = one().await;
    let first = Attempt::new(&store).await.decision(());
    let again = Decision {
        value: (),
        read: Vec::new(),
        leaf: first.leaf,
        opening: first.opening.clone(),
        writes: Vec::new(),
        replay: None,
        urgent: false,
        unused: Vec::new(),
    };
    logged(store.commit(first).await.unwrap());
    assert!(matches!(
        store.commit(again).await,
        Err(Fault::CannotRecord(_))
    ));
    let most = super::slots::RESERVE_SLOTS_MAX;
    assert_eq!(store.reserve(most).await.unwrap().len(), most);
    assert!(matches!(
        store.reserve(most + 1).await,
        Err(Fault::TooLarge)
    ));
}

#[tokio::test]
async fn wrong_keys_and_wrong_databases_do_not_open() {
    let databases = Cluster::get().databases().await;
    let swapped = Databases {
        url: databases.slots_url.clone(),
        slots_url: databases.url.clone(),
    };
    let same = Databases {
        url: databases.url.clone(),
        slots_url: format!("{}?application_name=x", databases.url),
    };
    let store = open(&databases, 1).await.unwrap();
    assert!(matches!(open(&databases, 9).await, Err(OpenError::Keys)));
    assert!(matches!(
        open(&swapped, 1).await,
        Err(OpenError::SameDatabase)
    ));
    assert!(matches!(open(&same, 1).await, Err(OpenError::SameDatabase)));
    let store = Store::Postgres(store);
    logged(Attempt::new(&store).await.commit(&store).await);
    let fresh = Cluster::get().databases().await;
    let stranger = Databases {
        url: databases.url.clone(),
        slots_url: fresh.slots_url.clone(),
    };
    assert!(matches!(open(&stranger, 1).await, Err(OpenError::NotTwins)));
    let main = look(&databases.url).await;
    let damage = "UPDATE firedoor.leaves SET leaf = set_byte(leaf, 200, 1 - get_byte(leaf, 200))";
    let damage = damage.replace("1 - get", "255 - get");
    main.batch_execute(&damage).await.unwrap();
    assert!(matches!(open(&databases, 1).await, Err(OpenError::Log)));
}

#[tokio::test]
async fn a_server_is_trusted_by_its_certificate_or_not_at_all() {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let databases = Cluster::get().databases().await;
    let secure = |url: &str| url.replace("127.0.0.1", "localhost") + "?sslmode=require";
    let open = async |roots: rustls::RootCertStore| {
        let tls = rustls::ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let config = PostgresConfig {
            url: secure(&databases.url),
            slots_url: secure(&databases.slots_url),
            tls: Some(tls),
            keys: keys(1),
            pool_size: 4,
        };
        Postgres::open(config).await
    };
    let mut roots = rustls::RootCertStore::empty();
    let refused = open(roots.clone()).await;
    assert!(matches!(refused, Err(OpenError::Unreachable(_))));
    let certificate = CertificateDer::from_pem_file(&Cluster::get().certificate).unwrap();
    roots.add(certificate).unwrap();
    let store = Store::Postgres(open(roots).await.unwrap());
    logged(Attempt::new(&store).await.commit(&store).await);
    let main = look(&databases.url).await;
    let all = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
               WHERE application_name = 'firedoor' AND datname = current_database()";
    assert!(main.query_one(all, &[]).await.unwrap().get::<_, bool>(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_together_agree_on_the_tables() {
    let databases = Cluster::get().databases().await;
    let nodes = [&databases; 4].map(node);
    let [a, b, c, d] = nodes;
    let (a, b, c, d) = tokio::join!(a, b, c, d);
    for store in [a, b, c, d] {
        logged(Attempt::new(&store).await.commit(&store).await);
    }
}

#[tokio::test]
async fn nothing_in_the_databases_can_be_read_without_the_keys() {
    let (databases, store) = one().await;
    let of = Aggregate::Organisation(haven());
    let part = PartRef {
        of: of.clone(),
        item: id(2),
        class: DataClass::ALL[1],
    };
    let attempt = Attempt::new(&store).await.fact(&of, id(1), b"marker-fact");
    let attempt = attempt
        .part(&part, b"marker-part")
        .replay(1, 77, NOW.plus_days(1));
    let entry = Write::List {
        list: List::Inbox(haven()),
        at: 1,
        item: id(1),
    };
    logged(attempt.write(entry).commit(&store).await);
    for (url, schema) in [
        (&databases.url, "firedoor"),
        (&databases.slots_url, "firedoor_slots"),
    ] {
        let database = look(url).await;
        let tables =
            "SELECT table_name::text FROM information_schema.tables WHERE table_schema = $1";
        for table in database.query(tables, &[&schema]).await.unwrap() {
            let table: String = table.get(0);
            let dump = format!("SELECT t::text FROM {schema}.{table} t");
            for row in database.query(&dump, &[]).await.unwrap() {
                let text: String = row.get(0);
                for plain in ["marker", "haven", "met-police", "201 77"] {
                    let hex: String = plain.bytes().map(|byte| format!("{byte:02x}")).collect();
                    assert!(!text.contains(plain) && !text.contains(&hex), "{table}");
                }
            }
        }
    }
}

/// The suite that every backend runs.
mod contract {
    use super::*;
    use crate::domain::checkpoint::LogVerifier;
    use crate::store::contract::erasure::KeysPlace;
    use crate::store::contract::{Fixture, contract_suite};

    impl Fixture for Databases {
        async fn open(&self) -> Store {
            Store::Postgres(super::open(self, 1).await.unwrap())
        }

        fn verifier(&self) -> LogVerifier {
            log_key(1).verifier().clone()
        }

        async fn mark_restored(&self, mark: Restored) {
            let pool = crate::store::postgres::connect::Database::new(&self.url, None, 2).unwrap();
            restored::write(&pool, &mark).await.unwrap();
        }

        async fn keys_place(&self) -> KeysPlace {
            super::erasure::keys_place(self).await
        }
    }

    contract_suite!(Cluster::get().databases().await);
}
