//! Tables that an earlier version of the program has made and filled, and several versions at once.

use super::super::migrations::{MAIN, SLOTS};
use super::*;

/// What version 1 wrote, as `pg_dump --inserts --no-owner` gives it after [`fill`],
/// without its comments and its words to `psql`.
const VERSION_1: [&str; 2] = [
    include_str!("../../../../tests/vectors/postgres-main-1.sql"),
    include_str!("../../../../tests/vectors/postgres-slots-1.sql"),
];

fn list() -> List {
    List::Inbox(haven())
}

fn counter() -> Counter {
    Counter::NewUsers {
        organisation: haven(),
        day: 20_000,
    }
}

fn part() -> PartRef {
    PartRef {
        of: person(1),
        item: id(2),
        class: DataClass::ALL[1],
    }
}

/// What the tables of version 1 were filled with.
async fn fill(store: &Store) {
    let first = Attempt::new(store).await.fact(&person(1), id(1), b"fact");
    let first = first.part(&part(), b"part").replay(1, 1, NOW.plus_days(7));
    let entry = Write::List {
        list: list(),
        at: 7,
        item: id(1),
    };
    let count = Write::Count {
        counter: counter(),
        by: 3,
        max: 9,
    };
    logged(first.write(entry).write(count).commit(store).await);
    for number in 2..5 {
        let attempt = Attempt::new(store).await;
        let attempt = attempt.fact(&person(number), id(number), b"more");
        logged(attempt.commit(store).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_of_version_1_are_brought_up_to_date_with_all_that_is_in_them() {
    let databases = Cluster::get().databases().await;
    for (url, dump) in [&databases.url, &databases.slots_url]
        .into_iter()
        .zip(VERSION_1)
    {
        look(url).await.batch_execute(dump).await.unwrap();
    }
    is_all_there(&databases).await;
    for (url, schema, newest) in [
        (&databases.url, "firedoor", MAIN.steps.len()),
        (&databases.slots_url, "firedoor_slots", SLOTS.steps.len()),
    ] {
        let sql = format!("SELECT version FROM {schema}.migrations ORDER BY version");
        let rows = look(url).await.query(&sql, &[]).await.unwrap();
        let done: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(done, (1..=newest as i64).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_of_this_version_hold_the_same() {
    let (databases, store) = one().await;
    fill(&store).await;
    store.close().await.unwrap();
    is_all_there(&databases).await;
}

async fn is_all_there(databases: &Databases) {
    // Two nodes are started at once after the upgrade.
    let (store, other) = tokio::join!(node(databases), node(databases));
    let facts = other
        .facts(&[person(1), person(4), person(9)])
        .await
        .unwrap();
    let versions: Vec<u64> = facts.read.iter().map(|(_, version)| version.0).collect();
    assert_eq!(versions, [1, 4, 0]);
    assert_eq!(facts.facts[0].bytes.as_slice(), b"fact");
    let by = told(&store, vec![part()]).await;
    assert_eq!(store.open(&by).await.unwrap()[0].plain.as_slice(), b"part");
    assert_eq!(other.list(&list(), None, 9).await.unwrap()[0].at, 7);
    assert_eq!(other.counted(&counter()).await.unwrap(), 3);
    let again = Attempt::new(&other).await.replay(1, 1, NOW.plus_days(7));
    assert!(matches!(
        again.commit(&other).await,
        Outcome::Replayed {
            index: 0,
            same_request: true,
            ..
        }
    ));
    let attempt = Attempt::new(&store).await.reads(&person(1), 1);
    logged(attempt.fact(&person(1), id(1), b"new").commit(&store).await);
    assert_eq!(whole_log(&other).await.size(), 6);
}

#[tokio::test]
async fn tables_of_a_newer_program_are_refused_by_an_older_one() {
    for of_slots in [false, true] {
        let (databases, store) = one().await;
        let (url, schema) = match of_slots {
            true => (&databases.slots_url, "firedoor_slots"),
            false => (&databases.url, "firedoor"),
        };
        let newer = format!("INSERT INTO {schema}.migrations (version) VALUES (1000)");
        look(url).await.batch_execute(&newer).await.unwrap();
        // `max` is what counts, so a gap does not matter.
        assert!(matches!(open(&databases, 1).await, Err(OpenError::Newer)));
        // The node of the newer program goes on.
        logged(Attempt::new(&store).await.commit(&store).await);
    }
}
