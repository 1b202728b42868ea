//! Names at rest: rows of the main database can be tested for nobody without the slots database, whose
//! older rows are worth nothing after a change of epoch.

use std::collections::HashSet;

use super::*;
use crate::store::names::{Name, Names};

const PEOPLE: std::ops::Range<u8> = 1..6;

/// What people would be called, by whoever has the root key and perhaps the key of names.
fn dictionary(outer: Option<&[u8; 32]>) -> HashSet<Vec<u8>> {
    let names = Names::new(keys(1).index_key);
    let names = match outer {
        Some(outer) => names.under(outer),
        None => names,
    };
    let people = PEOPLE.map(|number| names.aggregate(&person(number)).to_vec());
    let list = names.list(&List::Proposals).to_vec();
    let replay = names.stored(replay_key()).to_vec();
    people.chain([list, replay]).collect()
}

/// As [`Attempt::replay`] makes it.
fn replay_key() -> Name {
    [9; 16]
}

async fn fill(store: &Store) {
    for number in PEOPLE {
        let attempt = Attempt::new(store).await;
        let attempt = attempt.fact(&person(number), id(number), b"fact");
        let listed = Write::List {
            list: List::Proposals,
            at: u64::from(number),
            item: id(number),
        };
        logged(attempt.write(listed).commit(store).await);
    }
    let attempt = Attempt::new(store).await.replay(9, 9, NOW.plus_days(7));
    logged(attempt.commit(store).await);
}

/// Every name in the main database.
async fn stored(databases: &Databases) -> HashSet<Vec<u8>> {
    let sql = "SELECT key FROM firedoor.aggregates UNION SELECT aggregate FROM firedoor.items \
        UNION SELECT list FROM firedoor.lists UNION SELECT key FROM firedoor.counters \
        UNION SELECT key FROM firedoor.replays UNION SELECT aggregate FROM firedoor.holds \
        UNION SELECT aggregate FROM firedoor.kept";
    let rows = look(&databases.url).await.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Whom somebody finds with the root key, rows of slots, and keys of epochs.
async fn found(databases: &Databases, rows: &KeysPlace, header: &KeysPlace) -> usize {
    let (KeysPlace::Rows { slots, .. }, KeysPlace::Rows { epochs, .. }) = (rows, header) else {
        panic!("another backend")
    };
    let zero: Vec<_> = slots.iter().filter(|row| row.0 == 0).cloned().collect();
    assert_eq!(zero.len(), 1);
    let stored = stored(databases).await;
    let count = |words: &HashSet<Vec<u8>>| stored.intersection(words).count();
    let outer = key_of(&zero, epochs);
    count(&dictionary(None)) + outer.map_or(0, |outer| count(&dictionary(Some(&outer))))
}

fn key_of(zero: &[(i64, Vec<u8>, i64)], epochs: &[(i64, Vec<u8>)]) -> Option<[u8; 32]> {
    let wrapping = keys(1).slot_key;
    let (_, wrapped, of) = zero.first()?;
    let (number, epoch) = epochs.iter().find(|(number, _)| number == of)?;
    let epoch = Epoch::open(&wrapping, *number, Some(epoch))?;
    epoch.unwrap(0, wrapped).map(|key| *key)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_found_in_old_rows_but_by_the_slots_database_of_now() {
    let (databases, store) = one().await;
    fill(&store).await;
    let before = keys_place(&databases).await;
    store.rewrap(NOW.plus_days(1)).await.unwrap();
    let after = keys_place(&databases).await;
    let all = dictionary(None).len();
    assert_eq!(found(&databases, &before, &after).await, 0);
    assert_eq!(found(&databases, &after, &after).await, all);
    // Who was written before is found on every node, and after a start.
    let other = node(&databases).await;
    for store in [&store, &other] {
        for number in PEOPLE {
            let facts = store.facts(&[person(number)]).await.unwrap();
            assert_eq!(facts.facts[0].bytes.as_slice(), b"fact");
        }
        assert_eq!(
            store.list(&List::Proposals, None, 9).await.unwrap().len(),
            5
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_begin_a_database_at_once_agree_on_the_key_of_names() {
    let databases = Cluster::get().databases().await;
    let (one, other) = tokio::join!(node(&databases), node(&databases));
    fill(&one).await;
    for number in PEOPLE {
        let facts = other.facts(&[person(number)]).await.unwrap();
        assert_eq!(facts.facts.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slots_database_without_the_key_of_names_or_with_another_one_is_refused() {
    let (databases, store) = one().await;
    fill(&store).await;
    store.close().await.unwrap();
    let client = look(&databases.slots_url).await;
    let sql = "DELETE FROM firedoor_slots.slots WHERE slot = 0";
    client.batch_execute(sql).await.unwrap();
    let refused = open(&databases, 1).await;
    assert!(matches!(refused, Err(OpenError::NamesKey)));
}
