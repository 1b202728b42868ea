//! The promises about servers that fail, come back, are restored from old copies or have no room.

use super::super::cluster::Pair;
use super::super::connect::{BEHIND, SILENT};
use super::super::tip::FORKED;
use super::*;

/// Commits until it was acknowledged so often; what cannot be recorded is tried anew.
async fn commit_times(store: Arc<Store>, times: usize) -> Vec<(u64, Leaf)> {
    let mut durable = Vec::new();
    while durable.len() < times {
        let Ok(mut keys) = store.reserve(1).await else {
            continue;
        };
        let attempt = Attempt {
            keys: vec![keys.remove(0)],
            read: Vec::new(),
            writes: Vec::new(),
            replay: None,
            at: NOW,
        };
        let decision = attempt.decision(());
        let leaf = decision.leaf;
        match store.commit(decision).await {
            Ok(outcome) => durable.push((logged(outcome).inclusion().index, leaf)),
            Err(fault) => assert!(matches!(fault, Fault::CannotRecord(_))),
        }
    }
    durable
}

async fn commit_at_once(store: &Arc<Store>, callers: usize, times: usize) -> Vec<(u64, Leaf)> {
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..callers {
        running.spawn(commit_times(store.clone(), times));
    }
    running.join_all().await.concat()
}

async fn until_stopped(store: &Store, why: Option<&'static str>) {
    while store.health().stopped != why {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn head(url: &str) -> i64 {
    let sql = "SELECT size FROM firedoor.head";
    look(url).await.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_loses_and_doubles_nothing_and_an_old_primary_that_returns_is_not_written() {
    let pair = Arc::new(Pair::start().await);
    let databases = pair.databases().await;
    // The primary dies when it has committed, and before the node is told so.
    let armed = Arc::new(AtomicBool::new(false));
    let fails = {
        let pair = pair.clone();
        move || {
            pair.primary.kill();
            pair.standby.promote();
        }
    };
    let direct = pair.primary.url("main");
    let through = proxy(&direct, armed.clone(), fails).await;
    let port = |url: &str| {
        let (_, rest) = url.rsplit_once(':').unwrap();
        rest.split_once('/').unwrap().0.to_owned()
    };
    let hosts = databases.url.replace(&port(&direct), &port(&through));
    let store = node(&Databases {
        url: hosts,
        slots_url: databases.slots_url.clone(),
    })
    .await;
    let mut durable = commit_at_once(&store, 8, 5).await;
    armed.store(true, Ordering::SeqCst);
    durable.extend(commit_at_once(&store, 8, 20).await);
    assert!(!armed.load(Ordering::SeqCst), "the primary was not killed");
    assert_eq!(durable.len(), 8 * 25);
    until_stopped(&store, None).await;
    each_is_logged_once(&store, &durable).await;

    // The old primary comes back and takes writes, or would if it had its standby.
    pair.primary.start("");
    let before = head(&direct).await;
    durable.extend(commit_at_once(&store, 8, 5).await);
    // A node that starts now asks it first.
    let late = node(&databases).await;
    durable.extend(commit_at_once(&late, 4, 5).await);
    durable.extend(commit_at_once(&store, 4, 5).await);
    assert_eq!(durable.len(), 8 * 30 + 8 * 5);
    each_is_logged_once(&store, &durable).await;
    each_is_logged_once(&late, &durable).await;
    assert_eq!(head(&direct).await, before);
    assert_eq!(
        head(&pair.standby.url("main")).await.cast_unsigned(),
        whole_log(&late).await.size()
    );
}

/// Puts another database in the place of one that nodes use.
async fn swap(at: &str, aside: &str, instead: &str) {
    let admin = Cluster::get().client("postgres").await;
    shut(at, false).await;
    let rename = [(at, aside), (instead, at)]
        .map(|(from, to)| format!("ALTER DATABASE {from} RENAME TO {to}"));
    for sql in rename {
        admin.batch_execute(&sql).await.unwrap();
    }
    shut(at, true).await;
}

/// Nobody is connected and nobody can connect, or everybody again.
async fn shut(database: &str, open: bool) {
    let admin = Cluster::get().client("postgres").await;
    let sql = format!("ALTER DATABASE {database} ALLOW_CONNECTIONS {open}");
    admin.batch_execute(&sql).await.unwrap();
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
    let left = "SELECT 1 FROM pg_stat_activity WHERE datname = $1";
    while !open && !admin.query(left, &[&database]).await.unwrap().is_empty() {
        admin.execute(cut, &[&database]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_restored_from_an_old_copy_is_neither_written_nor_believed() {
    let (databases, store) = one().await;
    let name = databases.url.rsplit('/').next().unwrap();
    let (copy, right) = (format!("{name}_copy"), format!("{name}_right"));
    let mut durable = commit_at_once(&store, 4, 5).await;
    shut(name, false).await;
    let admin = Cluster::get().client("postgres").await;
    let sql = format!("CREATE DATABASE {copy} TEMPLATE {name}");
    admin.batch_execute(&sql).await.unwrap();
    shut(name, true).await;
    durable.extend(commit_at_once(&store, 1, 3).await);
    until_stopped(&store, None).await;

    // Smaller than what was acknowledged.
    let waiting = Attempt::new(&store).await.decision(());
    swap(name, &right, &copy).await;
    until_stopped(&store, Some(BEHIND)).await;
    assert!(matches!(
        store.commit(waiting).await,
        Err(Fault::CannotRecord(_))
    ));
    assert!(matches!(
        store.checkpoint().await,
        Err(Fault::Unreadable(BEHIND))
    ));
    assert_eq!(head(&databases.url).await, 20);

    // As large, then larger, but another log: a node that knew nothing has written it.
    let stranger = node(&databases).await;
    for size in 21..=24_u64 {
        logged(Attempt::new(&stranger).await.commit(&stranger).await);
        let why = if size < 23 { BEHIND } else { FORKED };
        until_stopped(&store, Some(why)).await;
        let decision = Attempt::new(&store).await.decision(());
        let fault = store.commit(decision).await.err().unwrap();
        assert!(matches!(fault, Fault::CannotRecord(said) if said == why));
        assert!(store.checkpoint().await.is_err());
        assert_eq!(head(&databases.url).await.cast_unsigned(), size);
    }
    drop(stranger);

    // The right database again: nothing needs a restart.
    swap(name, &copy, &right).await;
    until_stopped(&store, None).await;
    durable.extend(commit_at_once(&store, 1, 3).await);
    assert_eq!(durable.len(), 26);
    each_is_logged_once(&store, &durable).await;
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_missed_very_much_checks_that_its_log_goes_on() {
    let (databases, store) = one().await;
    let known = commit_at_once(&store, 1, 1).await;
    // More at once than is read leaf by leaf, and behind its back.
    let name = databases.url.rsplit('/').next().unwrap();
    shut(name, false).await;
    until_stopped(&store, Some(SILENT)).await;
    let aside = format!("{name}_aside");
    let admin = Cluster::get().client("postgres").await;
    let rename = |from: &str, to: &str| format!("ALTER DATABASE {from} RENAME TO {to}");
    admin.batch_execute(&rename(name, &aside)).await.unwrap();
    shut(&aside, true).await;
    let hidden = Databases {
        url: databases.url.replace(name, &aside),
        slots_url: databases.slots_url.clone(),
    };
    let writer = node(&hidden).await;
    let more = commit_at_once(&writer, 64, 20).await;
    assert!(more.len() as u64 > super::super::tip::CATCH_UP_MAX);
    drop(writer);
    shut(&aside, false).await;
    admin.batch_execute(&rename(&aside, name)).await.unwrap();
    shut(name, true).await;
    until_stopped(&store, None).await;
    let last = commit_at_once(&store, 1, 1).await;
    each_is_logged_once(&store, &[known, more, last].concat()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_room_only_what_is_urgent_is_tried_and_the_state_has_a_name() {
    let (databases, store) = one().await;
    let main = look(&databases.url).await;
    // What the server answers when it cannot make a table longer; little still fits.
    let full = "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
            RAISE EXCEPTION 'no room' USING ERRCODE = '53100'; END $$; \
        CREATE TRIGGER full_disk BEFORE INSERT ON firedoor.items \
            FOR EACH ROW EXECUTE FUNCTION full_disk()";
    main.batch_execute(full).await.unwrap();
    let of = person(1);
    let mut attempts = Vec::new();
    for number in 0..3 {
        let attempt = Attempt::new(&store).await;
        attempts.push(attempt.fact(&of, id(number), b"much").decision(()));
    }
    for _ in 0..3 {
        let mut urgent = Attempt::new(&store).await.decision(());
        urgent.urgent = true;
        attempts.push(urgent);
    }
    let mut running = Vec::new();
    for attempt in attempts {
        let store = store.clone();
        running.push(tokio::spawn(async move { store.commit(attempt).await }));
    }
    for (place, running) in running.into_iter().enumerate() {
        match running.await.unwrap() {
            Ok(outcome) => assert!(place >= 3 && matches!(outcome, Outcome::Logged(_))),
            Err(fault) => {
                assert!(place < 3);
                assert!(matches!(
                    fault,
                    Fault::CannotRecord("the database's disk is full")
                ));
            }
        }
    }
    let health = store.health();
    assert_eq!((health.nearly_full, health.stopped), (true, None));
    // What is not urgent does not even ask, for a while; then it finds out that there is room.
    let late = Attempt::new(&store).await.decision(());
    assert!(matches!(
        store.commit(late).await,
        Err(Fault::CannotRecord(_))
    ));
    let room = "DROP TRIGGER full_disk ON firedoor.items";
    main.batch_execute(room).await.unwrap();
    let Store::Postgres(postgres) = &*store else {
        panic!()
    };
    let earlier = std::time::Instant::now().checked_sub(super::super::FULL_PAUSE);
    postgres.shared.condition().full = earlier;
    let attempt = Attempt::new(&store).await.fact(&of, id(9), b"much");
    logged(attempt.commit(&store).await);
    assert_eq!(whole_log(&store).await.size(), 4);
}
