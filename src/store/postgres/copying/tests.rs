//! Copies of the main database, and the move of a store from a journal: with a real server, and a
//! history in which everything happens that a store can do. Nothing may arrive by half.

use std::fs;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::*;
use crate::domain::checkpoint::LogKey;
use crate::domain::codes::DataClass;
use crate::domain::decision::{Aggregate, Counter, List, Version, Write};
use crate::domain::id::OrgId;
use crate::domain::merkle::{leaf_hash, verify_consistency, verify_inclusion};
use crate::store::contract::{Attempt, START, fact_of, id, of, open_all, shown};
use crate::store::journal::{Journal, JournalConfig, OpenError as JournalError, SEGMENT_BYTES_MIN};
use crate::store::keys::StoreKeys;
use crate::store::migrate::{MigrateError, migrate};
use crate::store::postgres::cluster::{Cluster, Databases, look};
use crate::store::postgres::{OpenError, Postgres};
use crate::store::{Outcome, Store};

const ORIGIN: &str = "gw.example/log";
const MADE: When = START.plus_days(1);

fn keys(seed: u8, origin: &str) -> StoreKeys {
    StoreKeys {
        index_key: Zeroizing::new([seed; 32]),
        slot_key: Zeroizing::new([2; 32]),
        log: LogKey::from_seed(origin, &[3; 32]).unwrap(),
    }
}

fn config(databases: &Databases, seed: u8, origin: &str) -> PostgresConfig {
    PostgresConfig {
        url: databases.url.clone(),
        slots_url: databases.slots_url.clone(),
        tls: None,
        keys: keys(seed, origin),
        pool_size: 4,
    }
}

async fn open(databases: &Databases, origin: &str) -> Result<Store, OpenError> {
    Postgres::open(config(databases, 1, origin))
        .await
        .map(Store::Postgres)
}

/// A main database that is empty, beside the slots of another.
async fn emptied(databases: &Databases) -> Databases {
    Databases {
        slots_url: databases.slots_url.clone(),
        ..Cluster::get().databases().await
    }
}

async fn save(databases: &Databases, to: &Path) -> Result<Copied, CopyError> {
    backup(config(databases, 1, ORIGIN), to, MADE, &mut |_| {}).await
}

async fn put_back(
    from: &Path,
    databases: &Databases,
    shown: &[String],
) -> Result<PutBack, CopyError> {
    restore(from, config(databases, 1, ORIGIN), shown, &mut |_| {}).await
}

async fn write(store: &Store, numbers: std::ops::Range<u64>, word: &str) {
    for n in numbers {
        let text = format!("{word} {n}");
        let attempt = Attempt::new(store, 2).await;
        let attempt = attempt.fact(&of(n), id(n), text.as_bytes());
        let part = attempt.part(&of(n), id(n + 1000), DataClass::Op, b"part");
        part.logged(store).await;
    }
}

async fn count(url: &str, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    look(url).await.query_one(&sql, &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_a_database_restores_into_an_empty_one() {
    let databases = Cluster::get().databases().await;
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("copy");
    let store = open(&databases, ORIGIN).await.unwrap();
    assert!(matches!(
        save(&databases, &copy).await,
        Err(CopyError::Empty)
    ));
    write(&store, 0..270, "old").await;
    let note = store.checkpoint().await.unwrap();
    let tile = store.tile(0, 0, 256).await.unwrap();
    store.keep_witnessed(270, &note).await.unwrap();
    let copied = save(&databases, &copy).await.unwrap();
    assert_eq!((copied.leaves, copied.at), (270, START));
    write(&store, 3..5, "replaced").await;
    let removing = Attempt::new(&store, 0).await.remove(&of(7), id(7));
    removing.logged(&store).await;
    let forgetting = Attempt::new(&store, 0).await;
    let forgetting = forgetting.write(Write::Forget { index: 11 });
    forgetting.logged(&store).await;
    write(&store, 500..503, "lost").await;
    let larger = store.checkpoint().await.unwrap();
    // Over a log, and with other keys, nothing is put back.
    let refused = put_back(&copy, &databases, &[]).await;
    assert!(matches!(refused, Err(CopyError::NotEmptyDatabase)));
    store.close().await.unwrap();
    drop(store);
    let again = emptied(&databases).await;
    let other = restore(&copy, config(&again, 9, ORIGIN), &[], &mut |_| {}).await;
    assert!(matches!(other, Err(CopyError::WrongKey(_))));
    let strange = Cluster::get().databases().await;
    let refused = put_back(&copy, &strange, &[]).await;
    assert!(matches!(refused, Err(CopyError::SlotsMissing)));

    let back = put_back(&copy, &again, &[note.clone(), larger])
        .await
        .unwrap();
    assert_eq!((back.copied.leaves, back.acknowledged), (270, 277));
    let refused = open(&again, ORIGIN).await;
    assert!(matches!(
        refused,
        Err(OpenError::RolledBack { leaves: 270, .. })
    ));
    let new = "gw.example/log-2";
    let store = open(&again, new).await.unwrap();
    assert_eq!(store.restored().unwrap().acknowledged, 277);
    assert_eq!(accounts(&store, 10..13).await, [10, 12]);
    assert_eq!(store.checkpoint().await.unwrap(), note);
    // Heads of the old name are not heads of the new one.
    assert_eq!(store.waiting_head().await.unwrap(), None);
    assert_eq!(store.tile(0, 0, 256).await.unwrap(), tile);
    for n in 0..270 {
        let facts = fact_of(&store, n).await;
        match [3, 4, 7].contains(&n) {
            true => assert!(facts.is_empty(), "{n}"),
            false => assert_eq!(facts, [format!("old {n}")]),
        }
    }
    let parts = store.facts(&[of(5), of(7), of(500)]).await.unwrap().parts;
    assert_eq!(parts.len(), 2);
    assert_eq!(open_all(&store, parts).await.len(), 2);
    // An unrecorded restore is not copied on.
    let next = dir.path().join("next");
    let refused = backup(config(&again, 1, new), &next, MADE, &mut |_| {}).await;
    assert!(matches!(refused, Err(CopyError::Unrecorded)));
    store.restoration_recorded().await.unwrap();
    store.close().await.unwrap();
    drop(store);
    // What remains are an account for each entry but the forgotten one, what is still there, and the
    // key of names.
    let slots = count(&databases.slots_url, "firedoor_slots.slots").await;
    let (leaves, items) = (
        count(&again.url, "firedoor.leaves").await,
        count(&again.url, "firedoor.items").await,
    );
    assert_eq!((slots, items), (leaves - 1 + items + 1, 540 - 5));
    drop(open(&again, new).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_a_database_under_load_is_one_moment_of_it_and_holds_no_key() {
    let databases = Cluster::get().databases().await;
    let dir = tempfile::tempdir().unwrap();
    let store = std::sync::Arc::new(open(&databases, ORIGIN).await.unwrap());
    write(&store, 0..5, "secret words").await;
    let busy = std::sync::Arc::clone(&store);
    let writer = tokio::spawn(async move { write(&busy, 10..60, "busy").await });
    for n in 0..3 {
        let before = store.health().leaves;
        let copied = save(&databases, &dir.path().join(n.to_string()))
            .await
            .unwrap();
        assert!(copied.leaves >= before);
    }
    writer.await.unwrap();
    let bytes = fs::read(dir.path().join("2")).unwrap();
    let rows = look(&databases.slots_url).await;
    let rows = rows
        .query("SELECT wrapped FROM firedoor_slots.slots", &[])
        .await
        .unwrap();
    let mut material: Vec<Vec<u8>> = rows.iter().map(|row| row.get(0)).collect();
    material.extend([
        vec![1; 32],
        vec![2; 32],
        vec![3; 32],
        b"secret words".to_vec(),
    ]);
    for key in material {
        assert!(!bytes.windows(key.len()).any(|window| window == key));
    }
    // A changed copy is refused before anything is written.
    store.close().await.unwrap();
    let again = emptied(&databases).await;
    for at in (0..bytes.len()).step_by(bytes.len() / 17) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let path = dir.path().join("changed");
        fs::write(&path, changed).unwrap();
        assert!(put_back(&path, &again, &[]).await.is_err(), "byte {at}");
    }
    put_back(&dir.path().join("2"), &again, &[]).await.unwrap();
    drop(open(&again, ORIGIN).await.unwrap());
}

struct Old(tempfile::TempDir);

impl Old {
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn config(&self) -> JournalConfig {
        JournalConfig {
            data_dir: self.path("data"),
            slots: self.path("slots"),
            keys: keys(1, ORIGIN),
            segment_bytes: SEGMENT_BYTES_MIN,
            kept_room_bytes: 0,
        }
    }

    fn open(&self) -> Store {
        Store::Embedded(Journal::open(self.config()).unwrap())
    }
}

fn org() -> OrgId {
    OrgId::parse("refuge-north").unwrap()
}

fn counter(n: u64) -> Counter {
    Counter::NewUsers {
        organisation: org(),
        day: (n % 3) as i32,
    }
}

/// A history with everything that a store can do, by a fixed rule.
async fn history(store: &Store, steps: u64) {
    let mut random = 0x5eed_u64;
    for n in 0..steps {
        // Knuth's multiplier: any spread-out numbers do.
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(n);
        let (who, what) = ((random >> 33) % 17, (random >> 40) % 7);
        let text = format!("step {n}");
        let attempt = Attempt::new(store, 3).await;
        let attempt = attempt.fact(&of(who), id(what), text.as_bytes());
        let mut attempt = attempt.part(&of(who), id(100 + what), DataClass::Op, text.as_bytes());
        attempt.opening = format!("account {n}").into_bytes();
        let write = match n % 6 {
            0 => Write::Remove {
                of: of(who),
                item: id((what + 1) % 7),
            },
            1 => Write::List {
                list: List::Inbox(org()),
                at: random >> 30,
                item: id(what),
            },
            2 => Write::Unlist {
                list: List::Inbox(org()),
                item: id((what + 2) % 7),
            },
            3 => Write::Count {
                counter: counter(n),
                by: 2,
                max: 10_000,
            },
            4 => Write::Hold {
                of: of(who),
                item: id(what),
            },
            _ => Write::Release {
                of: of(who),
                item: id((what + 3) % 7),
            },
        };
        let attempt = attempt
            .write(write)
            .replaying((n % 250) as u8, 1, text.as_bytes());
        match attempt.commit(store).await {
            Outcome::Logged(_) | Outcome::Replayed { .. } => {}
            Outcome::Moved | Outcome::Limited => panic!("neither"),
        }
    }
}

/// Of these entries those whose accounts open.
async fn accounts(store: &Store, of: std::ops::Range<u64>) -> Vec<u64> {
    let of: Vec<u64> = of.collect();
    let opened = match store {
        Store::Embedded(store) => store.entries(&of).await,
        Store::Postgres(store) => store.entries(&of).await,
    };
    opened.unwrap().iter().map(|(index, _, _)| *index).collect()
}

type Seen = (
    Vec<(Aggregate, Version)>,
    Vec<(crate::domain::id::Id, String)>,
    Vec<String>,
);

/// Everything about the first aggregates, as a decision would see it.
async fn seen(store: &Store) -> Vec<Seen> {
    let mut all = Vec::new();
    for n in 0..20 {
        let facts = store.facts(&[of(n)]).await.unwrap();
        let (read, texts) = (facts.read.clone(), shown(&facts));
        let opened = match store {
            Store::Embedded(store) => store.open_parts(&facts.parts).await,
            Store::Postgres(store) => store.open_parts(&facts.parts).await,
        };
        let part = |item: &crate::store::OpenedItem| {
            let text = String::from_utf8(item.plain.to_vec()).unwrap();
            format!("{:?} {:?} {text}", item.part.item, item.part.class)
        };
        let mut parts: Vec<String> = opened.unwrap().iter().map(part).collect();
        parts.sort();
        all.push((read, texts, parts));
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_moves_to_postgresql_is_the_same_and_its_log_goes_on() {
    let old = Old(tempfile::tempdir().unwrap());
    let store = old.open();
    history(&store, 300).await;
    // Among those that are looked at after the move.
    let forgetting = Attempt::new(&store, 0).await;
    let forgetting = forgetting.write(Write::Forget { index: 0 });
    let forgetting = forgetting.write(Write::Forget { index: 9 });
    forgetting.logged(&store).await;
    let size = store.health().leaves;
    let before = seen(&store).await;
    let note = store.checkpoint().await.unwrap();
    let leaves = store.leaves(0, 256).await.unwrap();
    let receipt = store.inclusion(9).await.unwrap().unwrap();
    let inbox = store.list(&List::Inbox(org()), None, 100).await.unwrap();
    assert!(!inbox.is_empty());
    let mut counted = Vec::new();
    for n in 0..3 {
        counted.push(store.counted(&counter(n)).await.unwrap());
    }
    // Heads that witnesses signed go along.
    store.keep_witnessed(size, &note).await.unwrap();
    store.quorum_met(size).await.unwrap();
    store.keep_witnessed(2, "waits").await.unwrap();
    let unused = Cluster::get().databases().await;
    let busy = migrate(old.config(), config(&unused, 1, ORIGIN), &mut |_| {}).await;
    assert!(matches!(busy, Err(MigrateError::Old(_))), "it is open");
    store.close().await.unwrap();
    drop(store);

    let databases = Cluster::get().databases().await;
    let other = migrate(old.config(), config(&databases, 9, ORIGIN), &mut |_| {}).await;
    assert!(matches!(other, Err(MigrateError::OtherKeys)));
    // A database that holds a log takes no other; the old store starts again.
    let taken = Cluster::get().databases().await;
    let strange = open(&taken, ORIGIN).await.unwrap();
    write(&strange, 0..1, "strange").await;
    strange.close().await.unwrap();
    let refused = migrate(old.config(), config(&taken, 1, ORIGIN), &mut |_| {}).await;
    assert!(matches!(
        refused,
        Err(MigrateError::Database(CopyError::NotEmptyDatabase))
    ));
    old.open().close().await.unwrap();

    let moved = migrate(old.config(), config(&databases, 1, ORIGIN), &mut |_| {})
        .await
        .unwrap();
    assert_eq!(moved.leaves, size);
    assert_eq!(moved.keys, moved.leaves - 2 + moved.items);
    let refused = Journal::open(old.config());
    assert!(matches!(refused, Err(JournalError::Moved(_))));
    // Again: all has arrived.
    let again = migrate(old.config(), config(&databases, 1, ORIGIN), &mut |_| {})
        .await
        .unwrap();
    assert_eq!(again, moved);

    let store = open(&databases, ORIGIN).await.unwrap();
    assert_eq!(store.restored(), None);
    assert_eq!(seen(&store).await, before);
    assert_eq!(accounts(&store, 0..10).await, [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(store.checkpoint().await.unwrap(), note);
    let witnessed = store.witnessed().await.unwrap();
    assert_eq!(witnessed, Some((size, note.clone())));
    let waiting = store.waiting_head().await.unwrap();
    assert_eq!(waiting, Some((2, "waits".to_owned())));
    assert_eq!(store.leaves(0, 256).await.unwrap(), leaves);
    assert_eq!(
        store.list(&List::Inbox(org()), None, 100).await.unwrap(),
        inbox
    );
    for n in 0..3 {
        assert_eq!(
            store.counted(&counter(n)).await.unwrap(),
            counted[n as usize]
        );
    }
    // A request that was answered there is answered again here.
    let replayed = Attempt::new(&store, 0)
        .await
        .replaying(7, 1, b"other")
        .commit(&store)
        .await;
    let Outcome::Replayed {
        same_request,
        reply,
        ..
    } = replayed
    else {
        panic!()
    };
    assert_eq!((same_request, reply), (true, b"step 7".to_vec()));
    // New entries follow the old ones; old receipts stay good.
    history(&store, 20).await;
    write(&store, 60..70, "new").await;
    let log = keys(1, ORIGIN).log;
    let (then, now) = (
        log.verifier().verify(&note).unwrap(),
        log.verifier()
            .verify(&store.checkpoint().await.unwrap())
            .unwrap(),
    );
    assert!(now.size > then.size);
    let mut tree = Tree::new();
    for from in (0..now.size).step_by(256) {
        for leaf in store.leaves(from, now.size.min(from + 256)).await.unwrap() {
            tree.append(&leaf);
        }
    }
    assert_eq!(tree.root(), now.root);
    let path = tree.consistency(then.size, now.size).unwrap();
    assert!(verify_consistency(
        then.size, &then.root, now.size, &now.root, &path
    ));
    let old_head = log.verifier().verify(&receipt.checkpoint).unwrap();
    let hash = leaf_hash(leaves[9].bytes());
    assert!(verify_inclusion(
        &hash,
        9,
        old_head.size,
        &receipt.hashes,
        &old_head.root
    ));
    let newer = store.inclusion(9).await.unwrap().unwrap();
    let head = log.verifier().verify(&newer.checkpoint).unwrap();
    assert!(verify_inclusion(
        &hash,
        9,
        head.size,
        &newer.hashes,
        &head.root
    ));
    // No number is used twice.
    let next: i64 = look(&databases.slots_url)
        .await
        .query_one("SELECT next FROM firedoor_slots.twin", &[])
        .await
        .unwrap()
        .get(0);
    let most: i64 = look(&databases.slots_url)
        .await
        .query_one("SELECT max(slot) FROM firedoor_slots.slots", &[])
        .await
        .unwrap()
        .get(0);
    assert!(next > most);
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_was_interrupted_serves_nobody_and_begins_anew() {
    let old = Old(tempfile::tempdir().unwrap());
    let store = old.open();
    history(&store, 40).await;
    let before = seen(&store).await;
    store.close().await.unwrap();
    drop(store);
    let databases = Cluster::get().databases().await;
    // As if it had ended after the keys: the folder is marked, the slots are there, the log is not.
    let stopped = migrate(old.config(), config(&databases, 1, ORIGIN), &mut |_| {})
        .await
        .unwrap();
    let main = look(&databases.url).await;
    for table in [
        "head",
        "leaves",
        "items",
        "kept",
        "holds",
        "aggregates",
        "lists",
        "tiles",
    ] {
        main.execute(&format!("DELETE FROM firedoor.{table}"), &[])
            .await
            .unwrap();
    }
    for table in ["counters", "replays"] {
        main.execute(&format!("DELETE FROM firedoor.{table}"), &[])
            .await
            .unwrap();
    }
    assert!(matches!(
        Journal::open(old.config()),
        Err(JournalError::Moved(_))
    ));
    assert!(matches!(
        open(&databases, ORIGIN).await,
        Err(OpenError::NotTwins)
    ));
    let moved = migrate(old.config(), config(&databases, 1, ORIGIN), &mut |_| {})
        .await
        .unwrap();
    assert_eq!(moved, stopped);
    let store = open(&databases, ORIGIN).await.unwrap();
    assert_eq!(seen(&store).await, before);
    store.close().await.unwrap();
}
