//! What every backend promises about witnessed heads.

use std::sync::Arc;

use super::{Attempt, Fixture};
use crate::domain::merkle::verify_consistency;
use crate::store::Store;
use crate::store::witnessed::HEADS_WAITING_MAX;

/// A line as of a witness with this number.
fn word(witness: u8) -> String {
    use base64::prelude::{BASE64_STANDARD, Engine};
    let value = BASE64_STANDARD.encode([witness, 0, 0, 0, witness]);
    format!("\u{2014} witness-{witness} {value}\n")
}

fn note(store: &Store, size: u64) -> String {
    store.log().sign(size, &[7; 32])
}

pub(crate) async fn a_witnessed_head_keeps_every_word_and_of_the_others_only_the_newest(
    fixture: &impl Fixture,
) {
    let store = Arc::new(fixture.open().await);
    assert_eq!(store.witnessed().await.unwrap(), None);
    assert_eq!(store.waiting_head().await.unwrap(), None);
    // Two who hand in at once lose neither word, however often.
    let handing = (0..8).map(|witness| {
        let store = store.clone();
        let note = note(&store, 3) + &word(witness);
        tokio::spawn(async move { store.keep_witnessed(3, &note).await.unwrap() })
    });
    for handed in handing.collect::<Vec<_>>() {
        handed.await.unwrap();
    }
    let all = store.cosigned(3).await.unwrap().unwrap();
    assert!((0..8).all(|witness| all.contains(&word(witness))), "{all}");
    assert!(all.starts_with(&note(&store, 3)));
    assert_eq!(store.keep_witnessed(3, &all).await.unwrap(), all);
    store.quorum_met(3).await.unwrap();
    store.quorum_met(3).await.unwrap();

    let newest = 100 + HEADS_WAITING_MAX as u64;
    for size in 100..=newest {
        store
            .keep_witnessed(size, &note(&store, size))
            .await
            .unwrap();
    }
    store.close().await.unwrap();
    drop(store);
    let store = fixture.open().await;
    // With a quorum for ever; of the others the oldest is gone.
    assert_eq!(store.witnessed().await.unwrap(), Some((3, all.clone())));
    assert_eq!(store.cosigned(100).await.unwrap(), None);
    assert_eq!(store.cosigned(101).await.unwrap(), Some(note(&store, 101)));
    assert_eq!(store.cosigned(50).await.unwrap(), None);
    let waiting = store.waiting_head().await.unwrap();
    assert_eq!(waiting, Some((newest, note(&store, newest))));
    // A late word about an old head is added too.
    let late = note(&store, 3) + &word(9);
    let late = store.keep_witnessed(3, &late).await.unwrap();
    assert_eq!(late, all.clone() + &word(9));
    store.quorum_met(newest).await.unwrap();
    let heads = store.witnessed_since(0, 9).await.unwrap();
    let sizes = |heads: &[(u64, String)]| heads.iter().map(|(size, _)| *size).collect::<Vec<_>>();
    assert_eq!(sizes(&heads), [3, newest]);
    assert_eq!(sizes(&store.witnessed_since(4, 9).await.unwrap()), [newest]);
    assert_eq!(sizes(&store.witnessed_since(0, 1).await.unwrap()), [3]);
}

pub(crate) async fn the_log_proves_that_it_has_only_grown(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let mut heads = Vec::new();
    for _ in 0..9 {
        Attempt::new(&store, 0).await.logged(&store).await;
        let note = store.checkpoint().await.unwrap();
        heads.push(fixture.verifier().verify(&note).unwrap());
    }
    for old in &heads {
        for new in heads.iter().filter(|new| new.size >= old.size) {
            let path = store.consistency(old.size, new.size).await.unwrap();
            let grown = verify_consistency(old.size, &old.root, new.size, &new.root, &path);
            assert!(grown, "{} to {}", old.size, new.size);
        }
    }
    assert_eq!(
        store.consistency(0, 9).await.unwrap(),
        Vec::<[u8; 32]>::new()
    );
    assert!(store.consistency(3, 10).await.is_err());
}
