//! What erasure promises on every backend, against a thief who has all keys of the gateway and
//! copies of everything that lies at rest.
//!
//! The boundary: an old copy of the place where item keys lie, whole and with the root key, opens
//! what was erased since. That is why this place is in no backup, and why a change of epoch
//! destroys what disks and databases keep of it by themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Attempt, Fixture, START, fact_of, id, of, open_all};
use crate::domain::codes::DataClass;
use crate::domain::decision::{Aggregate, Write, seal_context};
use crate::domain::id::Id;
use crate::domain::merkle::Tree;
use crate::domain::seal::{ItemKey, Sealed};
use crate::domain::time::When;
use crate::store::{Erasure, Store};

/// A copy of the place where item keys lie.
pub(crate) enum KeysPlace {
    /// A slot file.
    File(Vec<u8>),
    Rows {
        /// Number, wrapped key, epoch.
        slots: Vec<(i64, Vec<u8>, i64)>,
        /// Number, wrapped key.
        epochs: Vec<(i64, Vec<u8>)>,
    },
}

/// Both fixtures use it.
const SLOT_KEY: [u8; 32] = [2; 32];

/// The item keys that come out of the records of one copy with the epoch keys of another.
fn stolen(records: &KeysPlace, epochs: &KeysPlace) -> Vec<ItemKey> {
    match (records, epochs) {
        (KeysPlace::File(records), KeysPlace::File(header)) => {
            crate::store::slots::tests::recovered(&SLOT_KEY, records, header)
        }
        (KeysPlace::Rows { slots, .. }, KeysPlace::Rows { epochs, .. }) => {
            crate::store::postgres::tests::erasure::recovered(&SLOT_KEY, slots, epochs)
        }
        (_, _) => panic!("copies of two backends"),
    }
}

/// Ciphertext as the journal, a backup or the database has it, with what it is bound to.
pub(super) struct Taken(pub(super) Sealed, pub(super) Vec<u8>);

impl Taken {
    pub(super) fn opens_with(&self, records: &KeysPlace, epochs: &KeysPlace) -> bool {
        let keys = stolen(records, epochs);
        keys.iter().any(|key| self.0.open(key, &self.1).is_some())
    }
}

/// What an attempt is about to write.
fn taken(attempt: &Attempt) -> Vec<Taken> {
    let sealed = |write: &Write| match write {
        Write::Fact { of, item, sealed } => {
            let context = seal_context(of, *item, None);
            Some(Taken(sealed.sealed().clone(), context))
        }
        Write::Part {
            of,
            item,
            class,
            sealed,
        } => {
            let context = seal_context(of, *item, Some(*class));
            Some(Taken(sealed.sealed().clone(), context))
        }
        _ => None,
    };
    attempt.writes.iter().filter_map(sealed).collect()
}

/// Erasing follows the commit; this waits until `count` items are erased and not yet destroyed.
pub(super) async fn erased(store: &Store, count: u64) {
    while store.erasure().waiting < count {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert_eq!(store.erasure().waiting, count);
}

pub(super) const fn night(number: i64) -> When {
    START.plus_days(number)
}

pub(super) const fn destroyed(number: i64) -> Erasure {
    Erasure {
        waiting: 0,
        completed: Some(night(number)),
        unfinished: false,
    }
}

/// Recomputes the root over all leaves.
pub(super) async fn the_log_is_whole(fixture: &impl Fixture, store: &Store) {
    let note = store.checkpoint().await.unwrap();
    let head = fixture.verifier().verify(&note).unwrap();
    let mut tree = Tree::new();
    for leaf in store.leaves(0, head.size).await.unwrap() {
        tree.append(&leaf);
    }
    assert_eq!((tree.size(), tree.root()), (head.size, head.root));
}

async fn part_texts(store: &Store, of: &Aggregate) -> Vec<String> {
    let parts = store.facts(std::slice::from_ref(of)).await.unwrap().parts;
    let opened = open_all(store, parts).await;
    let text = |plain: &[u8]| String::from_utf8(plain.to_vec()).unwrap();
    let mut texts: Vec<_> = opened.iter().map(|item| text(&item.plain)).collect();
    texts.sort();
    texts
}

pub(crate) async fn one_item_is_destroyed_alone(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let attempt = Attempt::new(&store, 4)
        .await
        .fact(&of(1), id(1), b"offered");
    let attempt = attempt.part(&of(1), id(2), DataClass::Id, b"her name");
    let attempt = attempt.part(&of(1), id(3), DataClass::Loc, b"her number");
    let attempt = attempt.part(&of(2), id(4), DataClass::Id, b"another");
    let mut all = taken(&attempt);
    attempt.logged(&store).await;
    let gone = all.remove(1);
    let before = fixture.keys_place().await;
    assert!(gone.opens_with(&before, &before));

    let removing = Attempt::new(&store, 0).await;
    removing.remove(&of(1), id(2)).logged(&store).await;
    erased(&store, 1).await;
    // From here on the gateway has no key to it, but whoever copied the place before still has.
    let erased = fixture.keys_place().await;
    assert!(!gone.opens_with(&erased, &erased));
    assert!(
        gone.opens_with(&before, &erased),
        "the boundary of this stage"
    );

    store.rewrap(night(1)).await.unwrap();
    assert_eq!(store.erasure(), destroyed(1));
    // What disk or database may still hold of the old records is worth nothing now.
    let after = fixture.keys_place().await;
    for records in [&before, &erased, &after] {
        assert!(!gone.opens_with(records, &after));
    }
    assert!(stolen(&before, &after).is_empty());
    assert!(
        gone.opens_with(&before, &before),
        "the boundary: an old copy, whole"
    );
    // The neighbours open, here and for a gateway that starts again.
    assert!(all.iter().all(|item| item.opens_with(&after, &after)));
    the_log_is_whole(fixture, &store).await;
    store.close().await.unwrap();
    drop(store);
    let store = fixture.open().await;
    assert_eq!(store.erasure(), destroyed(1));
    assert_eq!(fact_of(&store, 1).await, ["offered"]);
    assert_eq!(part_texts(&store, &of(1)).await, ["her number"]);
    assert_eq!(part_texts(&store, &of(2)).await, ["another"]);
    the_log_is_whole(fixture, &store).await;
}

pub(crate) async fn a_hold_blocks_destruction_and_nothing_else(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let (of, fact, part) = (of(1), id(1), id(2));
    let attempt = Attempt::new(&store, 2).await.fact(&of, fact, b"first");
    let attempt = attempt.part(&of, part, DataClass::Id, b"her name");
    let held = taken(&attempt);
    attempt.logged(&store).await;
    let hold = |item: Id| Write::Hold {
        of: of.clone(),
        item,
    };
    let holding = Attempt::new(&store, 0).await.write(hold(fact));
    let index = holding.write(hold(part)).logged(&store).await;
    // Whoever decided before must decide again.
    let version = store.facts(std::slice::from_ref(&of)).await.unwrap().read[0].1;
    assert_eq!(version.0, index + 1);

    let replacing = Attempt::new(&store, 2).await.fact(&of, fact, b"second");
    let replacing = replacing.remove(&of, part);
    replacing.logged(&store).await;
    // Gone for every journey at once, and again after a start; only the keys stay.
    let mut store = store;
    for number in 1..=2 {
        assert_eq!(fact_of(&store, 1).await, ["second"]);
        assert!(part_texts(&store, &of).await.is_empty());
        store.rewrap(night(number)).await.unwrap();
        assert_eq!(store.erasure(), destroyed(number));
        let now = fixture.keys_place().await;
        assert!(held.iter().all(|item| item.opens_with(&now, &now)));
        store.close().await.unwrap();
        drop(store);
        store = fixture.open().await;
    }

    let release = |item: Id| Write::Release {
        of: of.clone(),
        item,
    };
    let releasing = Attempt::new(&store, 0).await.write(release(fact));
    releasing.write(release(part)).logged(&store).await;
    erased(&store, 2).await;
    store.rewrap(night(3)).await.unwrap();
    assert_eq!(store.erasure(), destroyed(3));
    let now = fixture.keys_place().await;
    assert!(!held.iter().any(|item| item.opens_with(&now, &now)));
    assert_eq!(fact_of(&store, 1).await, ["second"]);
    // The hold is over: the next removal erases.
    Attempt::new(&store, 0)
        .await
        .remove(&of, fact)
        .logged(&store)
        .await;
    erased(&store, 1).await;
    the_log_is_whole(fixture, &store).await;
}

pub(crate) async fn a_hold_and_what_it_holds_may_share_a_batch(fixture: &impl Fixture) {
    let store = Arc::new(fixture.open().await);
    let mut held = Vec::new();
    for n in 0..12 {
        let attempt = Attempt::new(&store, 1).await.fact(&of(n), id(n), b"kept");
        held.extend(taken(&attempt));
        attempt.logged(&store).await;
    }
    // Hold and removal queue together, without looking at what was there; the removal comes after
    // the hold, or is told to decide again.
    for n in 0..12 {
        let (of, item) = (of(n), id(n));
        let hold = Write::Hold {
            of: of.clone(),
            item,
        };
        let first = Attempt::new(&store, 0).await.write(hold);
        let second = Attempt::new(&store, 0).await.remove(&of, item);
        let writing = Arc::clone(&store);
        let holding = tokio::spawn(async move { first.logged(&writing).await });
        while let Ok(facts) = store.facts(std::slice::from_ref(&of)).await {
            if facts.read[0].1.0 > n + 1 || n % 2 == 0 {
                break;
            }
            tokio::task::yield_now().await;
        }
        let removed = second.commit(&store).await;
        let held_at = holding.await.unwrap();
        match removed {
            crate::store::Outcome::Logged(logged) if logged.inclusion().index < held_at => {
                // It won the race: nothing was held yet.
                held[n as usize] = Taken(held[n as usize].0.clone(), Vec::new());
            }
            crate::store::Outcome::Logged(_) => {}
            _ => {
                let again = Attempt::new(&store, 0).await.remove(&of, item);
                again.logged(&store).await;
            }
        }
    }
    store.rewrap(night(1)).await.unwrap();
    let now = fixture.keys_place().await;
    for item in held.iter().filter(|item| !item.1.is_empty()) {
        assert!(item.opens_with(&now, &now));
    }
}

/// How often something is written while epochs change.
const WRITTEN: u64 = 30;

pub(crate) async fn the_epoch_changes_while_others_read_and_write(fixture: &impl Fixture) {
    let store = Arc::new(fixture.open().await);
    Attempt::new(&store, 1)
        .await
        .fact(&of(1), id(1), b"stays")
        .logged(&store)
        .await;
    let stop = Arc::new(AtomicBool::new(false));
    let writing = Arc::clone(&store);
    let writer = tokio::spawn(async move {
        for n in 1..=WRITTEN {
            let text = n.to_string();
            let attempt = Attempt::new(&writing, 200).await;
            let attempt = attempt.fact(&of(2), id(2), text.as_bytes());
            attempt
                .fact(&of(100 + n), id(3), text.as_bytes())
                .logged(&writing)
                .await;
        }
    });
    let (reading, until) = (Arc::clone(&store), Arc::clone(&stop));
    let reader = tokio::spawn(async move {
        while !until.load(Ordering::Relaxed) {
            assert_eq!(fact_of(&reading, 1).await, ["stays"]);
            tokio::task::yield_now().await;
        }
    });
    let mut number = 0;
    while !writer.is_finished() || number < 3 {
        number += 1;
        store.rewrap(night(number)).await.unwrap();
        assert_eq!(store.erasure().completed, Some(night(number)));
    }
    stop.store(true, Ordering::Relaxed);
    reader.await.unwrap();
    writer.await.unwrap();
    store.rewrap(night(number + 1)).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let store = fixture.open().await;
    assert_eq!(fact_of(&store, 2).await, [WRITTEN.to_string()]);
    for n in 1..=WRITTEN {
        assert_eq!(fact_of(&store, 100 + n).await, [n.to_string()]);
    }
}
