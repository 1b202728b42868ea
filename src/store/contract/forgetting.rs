//! That the account of an entry can be erased, and that the log does not notice, on every backend.

use super::erasure::{Taken, destroyed, erased, night, the_log_is_whole};
use super::{Attempt, Fixture, LogRead, logged};
use crate::domain::decision::{Decision, Write, opening_context};
use crate::domain::merkle::{leaf_hash, verify_inclusion};
use crate::store::{Readable, Store};

/// An entry whose account says `n`; its account as it lies at rest.
async fn account(store: &Store, n: u64) -> Taken {
    let mut attempt = Attempt::new(store, 0).await;
    attempt.opening = format!("account {n}").into_bytes();
    let decision = attempt.decision(());
    let context = opening_context(decision.leaf.id());
    let taken = Taken(decision.opening.sealed().clone(), context);
    let done = logged(store.commit(decision).await.unwrap());
    assert_eq!(done.inclusion().index, n);
    taken
}

async fn forgetting(store: &Store, indices: &[u64]) -> Decision<()> {
    let mut attempt = Attempt::new(store, 0).await;
    for index in indices {
        attempt = attempt.write(Write::Forget { index: *index });
    }
    attempt.decision(())
}

async fn forget(store: &Store, indices: &[u64]) {
    let decision = forgetting(store, indices).await;
    logged(store.commit(decision).await.unwrap());
}

/// Which of the first `count` accounts open.
async fn opened(store: &Store, count: u64) -> Vec<u64> {
    let reading = Attempt::new(store, 0).await;
    let reading = reading.decision(LogRead((0..count).collect()));
    let reading = logged(store.commit(reading).await.unwrap());
    let mut opened = Vec::new();
    let all: Vec<u64> = (0..count).collect();
    let reading = Readable::of(&reading);
    for (index, _, plain) in store.entries(&reading, &all).await.unwrap() {
        assert_eq!(plain.to_vec(), format!("account {index}").into_bytes());
        opened.push(index);
    }
    opened
}

pub(crate) async fn an_account_is_erased_and_its_leaf_stays(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let mut accounts = Vec::new();
    for n in 0..5 {
        accounts.push(account(&store, n).await);
    }
    let leaves = store.leaves(0, 5).await.unwrap();
    let tile = store.tile(0, 0, 5).await.unwrap();
    let receipt = store.inclusion(1).await.unwrap().unwrap();
    let before = fixture.keys_place().await;
    assert!(accounts.iter().all(|one| one.opens_with(&before, &before)));

    forget(&store, &[1, 3, 3]).await;
    erased(&store, 2).await;
    assert_eq!(opened(&store, 5).await, [0, 2, 4]);
    assert_eq!(store.leaves(0, 5).await.unwrap(), leaves);
    assert_eq!(store.tile(0, 0, 5).await.unwrap(), tile);
    // The old receipt is as good as a new one.
    let newer = store.inclusion(1).await.unwrap().unwrap();
    for proof in [receipt, newer] {
        let head = fixture.verifier().verify(&proof.checkpoint).unwrap();
        let hash = leaf_hash(leaves[1].bytes());
        let is_in = verify_inclusion(&hash, 1, head.size, &proof.hashes, &head.root);
        assert!(is_in);
    }
    the_log_is_whole(fixture, &store).await;

    // Twice is as good as once, and the change of epoch destroys.
    forget(&store, &[3, 1]).await;
    store.rewrap(night(1)).await.unwrap();
    assert_eq!(store.erasure(), destroyed(1));
    let after = fixture.keys_place().await;
    for (n, one) in accounts.iter().enumerate() {
        let kept = [0, 2, 4].contains(&n);
        assert_eq!(one.opens_with(&after, &after), kept, "{n}");
        assert!(!one.opens_with(&before, &after), "{n}");
    }
    store.close().await.unwrap();
    drop(store);
    let store = fixture.open().await;
    assert_eq!(store.erasure(), destroyed(1));
    assert_eq!(opened(&store, 5).await, [0, 2, 4]);
    forget(&store, &[4, 1]).await;
    erased(&store, 1).await;
    assert_eq!(opened(&store, 5).await, [0, 2]);
    the_log_is_whole(fixture, &store).await;
}

pub(crate) async fn an_entry_that_is_not_there_cannot_be_forgotten(fixture: &impl Fixture) {
    let store = fixture.open().await;
    for n in 0..2 {
        account(&store, n).await;
    }
    // Its own index, the next one, and numbers that no log has.
    for index in [2, 3, i64::MAX.cast_unsigned(), 1 << 63, u64::MAX] {
        let forged = forgetting(&store, &[0, index]).await;
        assert!(store.commit(forged).await.is_err(), "{index}");
    }
    assert_eq!(store.health().leaves, 2);
    assert_eq!(opened(&store, 2).await, [0, 1]);
    assert_eq!(store.erasure().waiting, 0);
}
