//! That an organisation's entries follow each other without a gap, on every backend.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Attempt, Fixture, logged};
use crate::domain::decision::Write;
use crate::domain::id::OrgId;
use crate::domain::trail::{Trail, TrailKey};
use crate::store::{Outcome, Store};

/// Organisations, and entries of each and of nobody, in one round.
const ORGANISATIONS: u8 = 3;
const EACH: u8 = 30;

fn key(organisation: u8) -> TrailKey {
    TrailKey::new([organisation; 32])
}

fn follow(organisation: u8) -> Write {
    Write::Follow {
        organisation: OrgId::parse(&format!("service-{organisation}")).unwrap(),
        key: key(organisation),
    }
}

/// Many at once; the entries of each organisation. The last stands for nobody.
async fn round(store: &Arc<Store>) -> Vec<BTreeSet<u64>> {
    let all = (0..=ORGANISATIONS).flat_map(|of| (0..EACH).map(move |_| of));
    let tasks: Vec<_> = all
        .map(|of| {
            let store = Arc::clone(store);
            tokio::spawn(async move {
                let attempt = Attempt::new(&store, 0).await;
                let attempt = match of < ORGANISATIONS {
                    true => attempt.write(follow(of)),
                    false => attempt,
                };
                let done = logged(attempt.commit(&store).await);
                let index = done.inclusion().index;
                // The receipt shows the leaf as it is in the log.
                let stored = store.leaves(index, index + 1).await.unwrap();
                assert_eq!(stored, [*done.leaf()]);
                (of, index)
            })
        })
        .collect();
    let mut own = vec![BTreeSet::new(); usize::from(ORGANISATIONS) + 1];
    for task in tasks {
        let (of, index) = task.await.unwrap();
        own[usize::from(of)].insert(index);
    }
    own
}

async fn walked(store: &Store, of: u8) -> BTreeSet<u64> {
    let mut trail = Trail::new(key(of));
    let (mut at, mut found) = (0, BTreeSet::new());
    let leaves = store.health().leaves;
    while at < leaves {
        for leaf in store.leaves(at, leaves).await.unwrap() {
            if trail.see(at, &leaf) {
                found.insert(at);
            }
            at += 1;
        }
    }
    assert_eq!(trail.count(), found.len() as u64);
    found
}

pub(crate) async fn an_organisation_finds_all_its_entries_and_no_others(fixture: &impl Fixture) {
    let store = Arc::new(fixture.open().await);
    let mut own = round(&store).await;
    store.close().await.unwrap();
    drop(store);
    let store = Arc::new(fixture.open().await);
    for (before, after) in own.iter_mut().zip(round(&store).await) {
        before.extend(after);
    }
    // What was not recorded leaves no gap.
    let stale = Attempt::new(&store, 0).await;
    let (of, version) = (super::of(1), crate::domain::decision::Version(9));
    let stale = Attempt {
        read: vec![(of, version)],
        ..stale
    };
    let refused = stale.write(follow(0)).commit(&store).await;
    assert!(matches!(refused, Outcome::Moved));
    own[0].insert(
        Attempt::new(&store, 0)
            .await
            .write(follow(0))
            .logged(&store)
            .await,
    );
    for of in 0..ORGANISATIONS {
        assert_eq!(walked(&store, of).await, own[usize::from(of)]);
    }
    assert!(walked(&store, ORGANISATIONS).await.is_empty());
}
