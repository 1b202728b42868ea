//! That the account of a forgotten entry is gone wherever the gateway was stopped, and that a key
//! which is missing for no reason still stops the start.

use super::*;

/// Entries, and the slots of their accounts.
async fn accounts(store: &Store, count: u64) -> Vec<Slot> {
    let mut slots = Vec::new();
    for _ in 0..count {
        let attempt = Attempt::new(store, 0).await;
        slots.push(attempt.keys[0].slot());
        attempt.logged(store).await;
    }
    slots
}

async fn forget(store: &Store, index: u64) {
    let attempt = Attempt::new(store, 0).await;
    attempt.write(Write::Forget { index }).logged(store).await;
}

async fn opened(store: &Store, count: u64) -> Vec<u64> {
    let indices: Vec<u64> = (0..count).collect();
    let opened = journal(store).entries(&indices).await.unwrap();
    opened.iter().map(|(index, _, _)| *index).collect()
}

#[tokio::test]
async fn the_key_of_a_forgotten_account_is_erased_also_when_the_stop_came_first() {
    let place = place(SEGMENT_BYTES_MIN);
    let store = place.store();
    let slots = accounts(&store, 60).await;
    // Only the keys: the files of the lists come and go while the store is open.
    let before = std::fs::read(place.slots()).unwrap();
    forget(&store, 1).await;
    forget(&store, 40).await;
    accounts(&store, 60).await;
    assert!(frames_of(&store).last().unwrap().segment > 2, "sidecars");
    store.close().await.unwrap();
    drop(store);
    // The frames say so, but the slot file is as it was before the erasure; once with what spares
    // the reading of full segments, once without.
    for sidecars in [true, false] {
        let cut = place.copy();
        std::fs::write(cut.slots(), &before).unwrap();
        if !sidecars {
            std::fs::remove_file(cut.data().join("journal/0000000001.table")).unwrap();
        }
        let store = cut.store();
        let kept: Vec<u64> = (0..60).filter(|n| ![1, 40].contains(n)).collect();
        assert_eq!(opened(&store, 60).await, kept);
        let file = &journal(&store).shared.slots;
        for n in [1, 40] {
            assert!(file.key(slots[n]).unwrap().is_none());
        }
    }
}

#[tokio::test]
async fn an_account_whose_key_is_lost_and_not_erased_stops_the_start() {
    let place = place(SEGMENT_BYTES_MIN);
    let store = place.store();
    let slots = accounts(&store, 3).await;
    forget(&store, 0).await;
    store.close().await.unwrap();
    drop(store);
    drop(place.store());
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(place.slots())
        .unwrap();
    use std::os::unix::fs::FileExt;
    file.write_all_at(&[0; 64], 4096 + (slots[1].0 - 1) * 64)
        .unwrap();
    drop(file);
    assert!(matches!(
        place.refused(),
        OpenError::KeysMissing { missing: 1, .. }
    ));
}
