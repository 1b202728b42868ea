//! A disk without room, and one that fails: what is refused, what goes on, and what stays.

use super::damage::{crash, expect_facts, simulated_place, write_facts};
use super::*;
use crate::domain::decision::{List, Write};
use crate::store::contract::{Attempt, START, id, of};
use crate::store::{Outcome, Store};

/// Tries to write one fact, and lists it. `None` if it was refused for want of room.
async fn try_fact(store: &Store, n: u64, urgent: bool) -> Option<u64> {
    let keys = match store.reserve(2).await {
        Ok(keys) => keys,
        Err(Fault::CannotRecord(_)) => return None,
        Err(other) => panic!("{other}"),
    };
    let attempt = Attempt {
        keys,
        read: vec![],
        writes: vec![],
        replay: None,
        when: START,
        urgent,
        opening: vec![7; 300],
    };
    let text = format!("fact {n}");
    let attempt = attempt.fact(&of(n), id(n), text.as_bytes());
    let (list, at, item) = (List::Proposals, n, id(n));
    let decision = attempt.write(Write::List { list, at, item }).decision(());
    match store.commit(decision).await {
        Ok(Outcome::Logged(logged)) => Some(logged.inclusion().index),
        Ok(_) => panic!("nothing else was written"),
        Err(Fault::CannotRecord(why)) => {
            assert!(why.contains("room") || why.contains("full"), "{why}");
            None
        }
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_disk_that_is_full_at_any_moment_loses_nothing_and_service_returns_by_itself() {
    let mut refused_in_service = 0;
    // Past the last of them the disk is never full.
    for allocation in 1..30 {
        let (place, disk) = simulated_place(allocation);
        disk.full_from(Some(allocation));
        let store = match place.try_open() {
            Ok(store) => store,
            Err(OpenError::Io { source, .. }) => {
                assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
                disk.full_from(None);
                place.store()
            }
            // No room for the first key of names.
            Err(OpenError::Slots { .. }) => {
                disk.full_from(None);
                place.store()
            }
            Err(other) => panic!("{other}"),
        };
        for n in 0..50 {
            if try_fact(&store, n, false).await.is_none() {
                refused_in_service += 1;
                assert!(try_fact(&store, n, true).await.is_none());
                // It is the disk that is ill, not the store.
                assert_eq!(store.health().stopped, None);
                assert_eq!(store.health().leaves, n);
                disk.full_from(None);
                assert_eq!(try_fact(&store, n, false).await, Some(n));
            }
        }
        match allocation % 3 {
            // The mark of an orderly end needs room too; without it the lists are made again.
            0 => drop(store.close().await),
            _ => crash(store),
        }
        disk.full_from(None);
        disk.power_on();
        expect_facts(&place.store(), 0..50).await;
    }
    assert!(refused_in_service > 5, "{refused_in_service}");
}

#[tokio::test]
async fn a_disk_that_is_nearly_full_takes_only_what_is_urgent_and_that_fits() {
    let (mut place, disk) = simulated_place(1);
    let kept = 8 * SEGMENT_BYTES_MIN;
    place.kept_room_bytes = kept;
    let store = place.store();
    // Keys are made, and the spare.
    assert_eq!(try_fact(&store, 0, false).await, Some(0));
    disk.set_capacity(disk.used_bytes() + kept + 3 * SEGMENT_BYTES_MIN);
    let mut taken = 1;
    while try_fact(&store, taken, false).await.is_some() {
        taken += 1;
        assert!(taken < 500);
    }
    assert!(taken > 20, "there was room");
    let health = store.health();
    assert!(health.nearly_full);
    assert_eq!((health.stopped, health.leaves), (None, taken));
    // Withdrawals, emergencies and refusals go on, into the room that was kept.
    let first_urgent = taken;
    while disk.used_bytes() + kept / 2 > taken && taken < first_urgent + 60 {
        assert_eq!(try_fact(&store, taken, true).await, Some(taken));
        taken += 1;
    }
    assert!(try_fact(&store, taken, false).await.is_none());
    disk.set_capacity(u64::MAX);
    assert!(!store.health().nearly_full);
    assert_eq!(try_fact(&store, taken, false).await, Some(taken));
    crash(store);
    disk.power_on();
    expect_facts(&place.store(), 0..taken + 1).await;
}

#[tokio::test]
async fn a_failed_write_or_sync_is_final_and_what_was_acknowledged_before_stays() {
    // The next operation is the write of the frame, the one after it its sync.
    for failing in 1..=2 {
        for power_cut in [false, true] {
            let (place, disk) = simulated_place(failing);
            let store = place.store();
            write_facts(&store, 0..2).await;
            let keys = store.reserve(1).await.unwrap();
            wait_for_spare(&store);
            disk.fail_at(disk.operations() + failing);
            let attempt = Attempt {
                keys,
                read: vec![],
                writes: vec![],
                replay: None,
                when: START,
                urgent: true,
                opening: vec![],
            };
            let refused = store.commit(attempt.decision(())).await;
            assert!(matches!(refused, Err(Fault::CannotRecord(_))));
            let health = store.health();
            assert_eq!(health.stopped, Some("the journal could not be written"));
            assert_eq!(health.leaves, 2);
            assert!(store.reserve(1).await.is_err());
            // No mark of an orderly end is left.
            assert!(store.close().await.is_err());
            drop(store);
            match power_cut {
                true => disk.power_on(),
                false => disk.start_process(),
            }
            // What had no answer may be there, and then it stays, whatever the disk says.
            let store = place.store();
            let leaves = store.health().leaves;
            assert!((2..=3).contains(&leaves), "{leaves}");
            write_facts(&store, 2..4).await;
            crash(store);
            disk.power_on();
            let store = place.store();
            assert_eq!(store.health().leaves, leaves + 2);
            expect_facts(&store, 0..4).await;
        }
    }
}

/// So that operations are those of the writer alone.
fn wait_for_spare(store: &Store) {
    let Store::Embedded(journal) = store else {
        panic!("not a journal")
    };
    while !journal.shared.segments.has_spare() {
        std::thread::yield_now();
    }
}
