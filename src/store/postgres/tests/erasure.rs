//! The change of epoch over several nodes, and what the server's own files keep.

use zeroize::Zeroizing;

use super::super::epochs::Epoch;
use super::*;
use crate::store::contract::erasure::KeysPlace;
use crate::store::{Erasure, names};

mod stored_names;

/// For the contract: item keys from rows, by the epoch keys of other rows.
pub(crate) fn recovered(
    slot_key: &[u8; 32],
    slots: &[(i64, Vec<u8>, i64)],
    epochs: &[(i64, Vec<u8>)],
) -> Vec<ItemKey> {
    let wrapping = Zeroizing::new(*slot_key);
    let opened: Vec<Epoch> = epochs
        .iter()
        .filter_map(|(number, wrapped)| Epoch::open(&wrapping, *number, Some(wrapped)))
        .chain(Epoch::open(&wrapping, 0, None))
        .collect();
    let mut keys = Vec::new();
    for (number, wrapped, _) in slots {
        let slot = number.cast_unsigned();
        let key = opened.iter().find_map(|epoch| epoch.unwrap(slot, wrapped));
        keys.extend(key.map(|key| ItemKey::new(seal::Slot(slot), *key)));
    }
    keys
}

pub(crate) async fn keys_place(databases: &Databases) -> KeysPlace {
    let client = look(&databases.slots_url).await;
    let sql = "SELECT slot, wrapped, epoch FROM firedoor_slots.slots";
    let slots = client.query(sql, &[]).await.unwrap();
    let sql = "SELECT epoch, wrapped FROM firedoor_slots.epochs";
    let epochs = client.query(sql, &[]).await.unwrap();
    KeysPlace::Rows {
        slots: slots
            .iter()
            .map(|row| (row.get(0), row.get(1), row.get(2)))
            .collect(),
        epochs: epochs.iter().map(|row| (row.get(0), row.get(1))).collect(),
    }
}

fn slots(store: &Store) -> &super::super::slots::Slots {
    match store {
        Store::Postgres(store) => &store.shared.slots,
        Store::Embedded(_) => panic!("another backend"),
    }
}

async fn with_fact(store: &Store, number: u8) {
    let of = person(number);
    let attempt = Attempt::new(store).await.fact(&of, id(number), &[number]);
    logged(attempt.commit(store).await);
}

async fn fact(store: &Store, number: u8) -> Vec<u8> {
    let facts = store.facts(&[person(number)]).await.unwrap();
    facts.facts.first().unwrap().bytes.to_vec()
}

/// Newest epoch, how many there are, and how many rows lie under an older one.
async fn epochs(databases: &Databases) -> (i64, i64, i64) {
    let client = look(&databases.slots_url).await;
    let sql = "SELECT epoch, (SELECT count(*) FROM firedoor_slots.epochs), \
        (SELECT count(*) FROM firedoor_slots.slots s WHERE s.epoch < t.epoch) \
        FROM firedoor_slots.twin t";
    let row = client.query_one(sql, &[]).await.unwrap();
    (row.get(0), row.get(1), row.get(2))
}

#[tokio::test]
async fn a_change_of_epoch_that_a_node_leaves_is_finished_by_another() {
    let (databases, first) = one().await;
    let second = node(&databases).await;
    for number in 1..=9 {
        with_fact(&first, number).await;
    }
    // More rows than one statement takes.
    for _ in 0..3 {
        drop(first.reserve(1000).await.unwrap());
    }
    for dies_at in 0..3 {
        let steps = AtomicU64::new(0);
        let go_on = || steps.fetch_add(1, Ordering::Relaxed) < dies_at;
        slots(&first).rewrap(NOW, go_on).await.unwrap();
        // A new row goes under the new key, whatever is left of the old one.
        drop(second.reserve(700).await.unwrap());
        let (newest, count, _) = epochs(&databases).await;
        assert_eq!((newest, count), (dies_at as i64 + 2, 2));
        // It is still the first node's turn.
        second.rewrap(NOW).await.unwrap();
        assert!(second.erasure().unfinished);
        assert_eq!(epochs(&databases).await.1, 2);
        // A minute later.
        let later = "UPDATE firedoor_slots.twin SET turn_until = CURRENT_TIMESTAMP";
        let client = look(&databases.slots_url).await;
        client.batch_execute(later).await.unwrap();
        second.rewrap(NOW).await.unwrap();
        assert_eq!(epochs(&databases).await, (dies_at as i64 + 2, 1, 0));
        let done = Erasure {
            waiting: 0,
            completed: Some(NOW),
            unfinished: false,
        };
        assert_eq!(second.erasure(), done);
        for number in 1..=9 {
            assert_eq!(fact(&first, number).await, [number]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_nodes_one_changes_the_epoch() {
    let (databases, first) = one().await;
    with_fact(&first, 1).await;
    let nodes = [first, node(&databases).await, node(&databases).await];
    let mut tasks = tokio::task::JoinSet::new();
    for store in nodes.clone() {
        tasks.spawn(async move { store.rewrap(NOW).await });
    }
    let done = tasks.join_all().await;
    assert!(done.iter().any(Result::is_ok));
    // One after another may have had its turn; none shared one.
    let (newest, count, older) = epochs(&databases).await;
    assert!((2..=4).contains(&newest));
    assert_eq!((count, older), (1, 0));
    for store in nodes {
        assert_eq!(fact(&store, 1).await, [1]);
    }
}

#[tokio::test]
async fn what_is_erased_during_a_change_waits_for_the_next() {
    let (_, store) = one().await;
    with_fact(&store, 1).await;
    with_fact(&store, 2).await;
    let remove = async |number| {
        let (of, item) = (person(number), id(number));
        let attempt = Attempt::new(&store).await.write(Write::Remove { of, item });
        logged(attempt.commit(&store).await);
        let Store::Postgres(postgres) = &*store else {
            panic!("another backend");
        };
        postgres.shared.erase_removed().await.unwrap();
    };
    remove(1).await;
    slots(&store).rewrap(NOW, || false).await.unwrap();
    remove(2).await;
    assert_eq!(store.erasure().waiting, 2);
    store.rewrap(NOW).await.unwrap();
    assert_eq!(store.erasure().waiting, 1);
    store.rewrap(NOW).await.unwrap();
    assert_eq!(store.erasure().waiting, 0);
}

#[tokio::test]
async fn the_server_keeps_no_page_with_an_old_epoch_key() {
    let (databases, store) = one().await;
    with_fact(&store, 1).await;
    let client = look(&databases.slots_url).await;
    let mut old: Vec<Vec<u8>> = Vec::new();
    for _ in 0..5 {
        let sql = "SELECT wrapped FROM firedoor_slots.epochs";
        old.push(client.query_one(sql, &[]).await.unwrap().get(0));
        store.rewrap(NOW).await.unwrap();
        let sql = "CHECKPOINT; SELECT 1";
        client.batch_execute(sql).await.unwrap();
        let sql = "SELECT pg_read_binary_file(pg_relation_filepath('firedoor_slots.epochs'))";
        let file: Vec<u8> = client.query_one(sql, &[]).await.unwrap().get(0);
        assert_eq!(file.len(), 8192, "nothing accumulates");
        for wrapped in &old {
            let found = file.windows(wrapped.len()).any(|bytes| bytes == wrapped);
            assert!(!found, "an old epoch key lies in the file of its table");
        }
    }
}

#[tokio::test]
async fn rows_of_the_first_version_are_read_and_come_under_an_epoch() {
    let (databases, store) = one().await;
    with_fact(&store, 1).await;
    store.close().await.unwrap();
    drop(store);
    // As the first version left them: under the slot key itself.
    let client = look(&databases.slots_url).await;
    let KeysPlace::Rows {
        slots,
        epochs: known,
    } = keys_place(&databases).await
    else {
        panic!("another backend");
    };
    let wrapping = Zeroizing::new([2; 32]);
    let epoch = Epoch::open(&wrapping, known[0].0, Some(&known[0].1)).unwrap();
    for (slot, wrapped, _) in slots {
        let key = epoch.unwrap(slot.cast_unsigned(), &wrapped).unwrap();
        let place = [&b"firedoor slot v1"[..], &slot.to_be_bytes()].concat();
        let wrapped = names::seal(&wrapping, &key[..], &place).unwrap();
        let sql = "UPDATE firedoor_slots.slots SET wrapped = $2, epoch = 0 WHERE slot = $1";
        client.execute(sql, &[&slot, &wrapped]).await.unwrap();
    }
    let sql = "DELETE FROM firedoor_slots.epochs; UPDATE firedoor_slots.twin SET epoch = 0";
    client.batch_execute(sql).await.unwrap();

    let store = node(&databases).await;
    assert_eq!(fact(&store, 1).await, [1]);
    with_fact(&store, 2).await;
    store.rewrap(NOW).await.unwrap();
    store.rewrap(NOW).await.unwrap();
    assert_eq!(epochs(&databases).await, (2, 1, 0));
    assert_eq!(
        (fact(&store, 1).await, fact(&store, 2).await),
        (vec![1], vec![2])
    );
}
