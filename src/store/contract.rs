//! What every backend promises, as one suite that each of them runs: `contract_suite!(fixture)`.
//!
//! Only through [`Store`]: nothing here may know which backend it talks to.

use std::sync::Arc;
use std::time::Duration;

use super::{
    Discloses, Fault, Named, OpenedItem, Outcome, ROLLED_BACK, Readable, ReadsLog, Restored, Store,
};
use crate::domain::checkpoint::{LogKey, LogVerifier};
use crate::domain::codes::DataClass;
use crate::domain::decision::{
    Aggregate, Counter, Decision, Facts, List, Listed, PartRef, Replay, Version, Write,
};
use crate::domain::id::{Id, OrgId, ReferralId};
use crate::domain::leaf::{LEAF_BYTES, Leaf};
use crate::domain::logged::Logged;
use crate::domain::merkle::{leaf_hash, verify_inclusion};
use crate::domain::rollback::Shown;
use crate::domain::seal::{self, ItemKey};
use crate::domain::time::When;

pub(crate) mod erasure;
mod forgetting;
pub(crate) mod heads;
mod trail;
pub(crate) use erasure::{
    a_hold_and_what_it_holds_may_share_a_batch, a_hold_blocks_destruction_and_nothing_else,
    one_item_is_destroyed_alone, the_epoch_changes_while_others_read_and_write,
};
pub(crate) use forgetting::{
    an_account_is_erased_and_its_leaf_stays, an_entry_that_is_not_there_cannot_be_forgotten,
};
pub(crate) use heads::{
    a_witnessed_head_keeps_every_word_and_of_the_others_only_the_newest,
    the_log_proves_that_it_has_only_grown,
};
pub(crate) use trail::an_organisation_finds_all_its_entries_and_no_others;

/// A place where a store lies, which can be opened again after it was closed.
pub(crate) trait Fixture {
    fn open(&self) -> impl Future<Output = Store> + Send;
    fn verifier(&self) -> LogVerifier;
    /// Leaves the mark that a restore leaves, while the store is closed.
    fn mark_restored(&self, mark: Restored) -> impl Future<Output = ()> + Send;
    /// A copy of the place where item keys lie.
    fn keys_place(&self) -> impl Future<Output = erasure::KeysPlace> + Send;
}

/// Runs the whole suite against a backend. The argument is an expression that makes a new fixture;
/// it may use `.await`.
macro_rules! contract_suite {
    ($fixture:expr) => {
        contract_suite!($fixture;
            a_commit_moves_what_it_writes_and_nothing_else,
            a_stale_decision_moves_and_writes_nothing,
            of_many_decisions_on_one_version_exactly_one_is_logged,
            facts_are_never_older_than_the_last_acknowledgement,
            facts_of_several_aggregates_are_of_one_moment,
            a_fact_replaces_the_older_one_of_its_item,
            parts_of_one_item_lie_side_by_side_and_open_only_by_name,
            what_was_removed_no_longer_opens,
            a_repeated_request_gets_its_first_answer,
            an_idempotency_key_runs_out,
            a_repeat_in_the_same_batch_is_logged_once,
            a_counter_never_passes_its_limit,
            a_list_has_an_order_and_cursors_from_both_ends,
            every_proof_of_a_full_batch_verifies,
            an_organisation_finds_all_its_entries_and_no_others,
            leaves_and_openings_are_read_in_order,
            tiles_hold_the_hashes_of_the_leaves,
            an_empty_log_has_a_signed_checkpoint,
            a_decision_that_is_too_large_is_refused_whole,
            waiting_ends_with_a_commit_or_in_time,
            the_time_of_the_last_leaf_is_kept,
            everything_is_there_after_closing_and_opening,
            nothing_is_written_after_closing,
            a_larger_log_with_our_signature_stops_the_store_for_good,
            the_mark_of_a_restore_stays_until_it_is_on_record,
            a_witnessed_head_keeps_every_word_and_of_the_others_only_the_newest,
            the_log_proves_that_it_has_only_grown,
            one_item_is_destroyed_alone,
            a_hold_blocks_destruction_and_nothing_else,
            a_hold_and_what_it_holds_may_share_a_batch,
            the_epoch_changes_while_others_read_and_write,
            an_account_is_erased_and_its_leaf_stays,
            an_entry_that_is_not_there_cannot_be_forgotten,
        );
    };
    ($fixture:expr; $($name:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let fixture = $fixture;
                $crate::store::contract::$name(&fixture).await;
            }
        )+
    };
}
pub(crate) use contract_suite;

pub(crate) const START: When = When::from_millis(1_767_225_600_000);

pub(crate) fn id(n: u64) -> Id {
    Id::from_bytes((u128::from(n) << 64 | 0x5eed).to_be_bytes())
}

pub(crate) fn of(n: u64) -> Aggregate {
    Aggregate::Referral(ReferralId(id(n)))
}

fn org() -> OrgId {
    OrgId::parse("refuge-north").unwrap()
}

/// A leaf with this id and time and nothing else that matters to a store.
pub(crate) fn leaf(name: Id, when: When) -> Leaf {
    let mut bytes = [0; LEAF_BYTES];
    bytes[..2].copy_from_slice(&[1, 1]);
    bytes[2..10].copy_from_slice(&when.coarse().millis().to_be_bytes());
    bytes[10..26].copy_from_slice(name.bytes());
    Leaf::parse(&bytes).unwrap()
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

/// A decision in the making, with its reserved keys.
pub(crate) struct Attempt {
    pub(crate) keys: Vec<ItemKey>,
    pub(crate) read: Vec<(Aggregate, Version)>,
    pub(crate) writes: Vec<Write>,
    pub(crate) replay: Option<Replay>,
    pub(crate) when: When,
    pub(crate) urgent: bool,
    pub(crate) opening: Vec<u8>,
}

impl Attempt {
    pub(crate) async fn new(store: &Store, items: usize) -> Self {
        Self {
            keys: store.reserve(items + 1).await.unwrap(),
            read: Vec::new(),
            writes: Vec::new(),
            replay: None,
            when: START,
            urgent: false,
            opening: b"an account".to_vec(),
        }
    }

    pub(crate) fn reading(mut self, facts: &Facts) -> Self {
        self.read.extend(facts.read.iter().cloned());
        self
    }

    pub(crate) fn fact(mut self, of: &Aggregate, item: Id, plain: &[u8]) -> Self {
        let key = self.keys.pop().unwrap();
        let sealed = seal::fact(&key, of, item, plain, random());
        self.writes.push(Write::Fact {
            of: of.clone(),
            item,
            sealed,
        });
        self
    }

    pub(crate) fn part(mut self, of: &Aggregate, item: Id, class: DataClass, plain: &[u8]) -> Self {
        let key = self.keys.pop().unwrap();
        let sealed = seal::unscreened_part(&key, of, item, class, plain, random());
        self.writes.push(Write::Part {
            of: of.clone(),
            item,
            class,
            sealed,
        });
        self
    }

    pub(crate) fn remove(self, of: &Aggregate, item: Id) -> Self {
        self.write(Write::Remove {
            of: of.clone(),
            item,
        })
    }

    pub(crate) fn write(mut self, write: Write) -> Self {
        self.writes.push(write);
        self
    }

    pub(crate) fn replaying(mut self, key: u8, request: u8, reply: &[u8]) -> Self {
        self.replay = Some(Replay {
            key: [key; 16],
            request: [request; 32],
            until: START.plus_days(7),
            reply: reply.to_vec(),
        });
        self
    }

    fn at(mut self, when: When) -> Self {
        self.when = when;
        self
    }

    pub(crate) fn decision<T>(mut self, value: T) -> Decision<T> {
        let name = Id::from_bytes(random());
        let key = self.keys.pop().unwrap();
        Decision {
            value,
            read: self.read,
            leaf: leaf(name, self.when),
            opening: seal::opening(&key, name, &self.opening, random()),
            writes: self.writes,
            replay: self.replay,
            urgent: self.urgent,
            unused: Vec::new(),
        }
    }

    pub(crate) async fn commit(self, store: &Store) -> Outcome<()> {
        store.commit(self.decision(())).await.unwrap()
    }

    /// Commits and expects it to be logged; returns the index.
    pub(crate) async fn logged(self, store: &Store) -> u64 {
        logged(self.commit(store).await).inclusion().index
    }
}

fn logged<T>(outcome: Outcome<T>) -> Logged<T> {
    match outcome {
        Outcome::Logged(logged) => logged,
        Outcome::Moved => panic!("moved"),
        Outcome::Replayed { .. } => panic!("replayed"),
        Outcome::Limited => panic!("limited"),
    }
}

/// Item and content of each fact, sorted.
pub(crate) fn shown(facts: &Facts) -> Vec<(Id, String)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let shown = facts
        .facts
        .iter()
        .map(|fact| (fact.item, text(&fact.bytes)));
    let mut shown: Vec<_> = shown.collect();
    shown.sort();
    shown
}

pub(crate) async fn fact_of(store: &Store, n: u64) -> Vec<String> {
    let facts = store.facts(&[of(n)]).await.unwrap();
    shown(&facts).into_iter().map(|(_, text)| text).collect()
}

struct Disclosure(Vec<PartRef>);

impl Discloses for Disclosure {
    fn parts(&self) -> &[PartRef] {
        &self.0
    }
}

struct LogRead(Vec<u64>);

impl ReadsLog for LogRead {
    fn named(&self) -> Named {
        Named::Each(self.0.iter().copied().collect())
    }
}

pub(crate) async fn open_all(store: &Store, parts: Vec<PartRef>) -> Vec<OpenedItem> {
    let decision = Attempt::new(store, 0).await.decision(Disclosure(parts));
    let disclosed = logged(store.commit(decision).await.unwrap());
    store.open(&disclosed).await.unwrap()
}

pub(crate) async fn a_commit_moves_what_it_writes_and_nothing_else(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let before = store.facts(&[of(1), of(2)]).await.unwrap();
    assert_eq!(before.read, [(of(1), Version(0)), (of(2), Version(0))]);
    Attempt::new(&store, 0).await.logged(&store).await;
    let writing = Attempt::new(&store, 1).await.reading(&before);
    let index = writing.fact(&of(1), id(1), b"a").logged(&store).await;
    assert_eq!(index, 1);
    let after = store.facts(&[of(2), of(1)]).await.unwrap();
    assert_eq!(after.read, [(of(2), Version(0)), (of(1), Version(2))]);
    assert_eq!(after.facts[0].of, of(1));
    assert_eq!(shown(&after), [(id(1), "a".to_owned())]);
    // Reading, listing and counting move nothing; removing does.
    let (list, at, item) = (List::Proposals, 1, id(1));
    let quiet = Attempt::new(&store, 0).await.reading(&after);
    quiet
        .write(Write::List { list, at, item })
        .logged(&store)
        .await;
    assert_eq!(
        store.facts(&[of(1)]).await.unwrap().read,
        [(of(1), Version(2))]
    );
    let removing = Attempt::new(&store, 0).await.reading(&after);
    removing.remove(&of(1), id(1)).logged(&store).await;
    assert_eq!(
        store.facts(&[of(1)]).await.unwrap().read,
        [(of(1), Version(4))]
    );
}

pub(crate) async fn a_stale_decision_moves_and_writes_nothing(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let seen = store.facts(&[of(1), of(2)]).await.unwrap();
    Attempt::new(&store, 1)
        .await
        .fact(&of(2), id(1), b"new")
        .logged(&store)
        .await;
    let stale = Attempt::new(&store, 1)
        .await
        .reading(&seen)
        .fact(&of(1), id(1), b"old");
    assert!(matches!(stale.commit(&store).await, Outcome::Moved));
    assert_eq!(store.health().leaves, 1);
    assert_eq!(
        store.facts(&[of(1)]).await.unwrap().read,
        [(of(1), Version(0))]
    );
}

pub(crate) async fn of_many_decisions_on_one_version_exactly_one_is_logged(fixture: &impl Fixture) {
    let store = Arc::new(fixture.open().await);
    for round in 0..5 {
        let seen = store.facts(&[of(1)]).await.unwrap();
        let tasks: Vec<_> = (0..16)
            .map(|n| {
                let (store, read) = (Arc::clone(&store), seen.read.clone());
                tokio::spawn(async move {
                    let mut attempt = Attempt::new(&store, 1).await;
                    attempt.read = read;
                    let text = format!("{round} {n}");
                    attempt
                        .fact(&of(1), id(1), text.as_bytes())
                        .commit(&store)
                        .await
                })
            })
            .collect();
        let mut won = 0;
        for task in tasks {
            match task.await.unwrap() {
                Outcome::Logged(_) => won += 1,
                Outcome::Moved => {}
                Outcome::Replayed { .. } | Outcome::Limited => panic!("neither"),
            }
        }
        assert_eq!((won, store.health().leaves), (1, round + 1));
    }
}

pub(crate) async fn facts_are_never_older_than_the_last_acknowledgement(fixture: &impl Fixture) {
    let store = fixture.open().await;
    for n in 0..40 {
        let text = format!("state {n}");
        let attempt = Attempt::new(&store, 1).await;
        let index = attempt
            .fact(&of(1), id(1), text.as_bytes())
            .logged(&store)
            .await;
        let facts = store.facts(&[of(1)]).await.unwrap();
        assert_eq!(facts.read, [(of(1), Version(index + 1))]);
        assert_eq!(shown(&facts), [(id(1), text)]);
    }
}

pub(crate) async fn facts_of_several_aggregates_are_of_one_moment(fixture: &impl Fixture) {
    let store = Arc::new(fixture.open().await);
    let first = Attempt::new(&store, 2).await.fact(&of(1), id(1), b"0");
    first.fact(&of(2), id(2), b"0").logged(&store).await;
    let writing = Arc::clone(&store);
    let writer = tokio::spawn(async move {
        for n in 1..60 {
            let text = n.to_string();
            let attempt = Attempt::new(&writing, 2)
                .await
                .fact(&of(1), id(1), text.as_bytes());
            attempt
                .fact(&of(2), id(2), text.as_bytes())
                .logged(&writing)
                .await;
        }
    });
    while !writer.is_finished() {
        let facts = store.facts(&[of(1), of(2)]).await.unwrap();
        assert_eq!(facts.read[0].1, facts.read[1].1);
        match &shown(&facts)[..] {
            [(_, one), (_, two)] => assert_eq!(one, two),
            others => panic!("{} facts instead of two", others.len()),
        }
        tokio::task::yield_now().await;
    }
    writer.await.unwrap();
}

pub(crate) async fn a_fact_replaces_the_older_one_of_its_item(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let two = Attempt::new(&store, 2)
        .await
        .fact(&of(1), id(1), b"offered");
    two.fact(&of(1), id(2), b"other").logged(&store).await;
    let again = Attempt::new(&store, 1)
        .await
        .fact(&of(1), id(1), b"accepted");
    again.logged(&store).await;
    assert_eq!(fact_of(&store, 1).await, ["accepted", "other"]);
}

pub(crate) async fn parts_of_one_item_lie_side_by_side_and_open_only_by_name(
    fixture: &impl Fixture,
) {
    let store = fixture.open().await;
    let attempt = Attempt::new(&store, 4).await.fact(&of(1), id(1), b"fact");
    let attempt = attempt.part(&of(1), id(1), DataClass::Op, b"operational");
    let attempt = attempt.part(&of(1), id(1), DataClass::Loc, b"location");
    attempt
        .part(&of(1), id(2), DataClass::Op, b"another")
        .logged(&store)
        .await;

    let facts = store.facts(&[of(1)]).await.unwrap();
    assert_eq!(shown(&facts), [(id(1), "fact".to_owned())]);
    assert_eq!(facts.parts.len(), 3);
    let wanted: Vec<_> = facts
        .parts
        .into_iter()
        .filter(|part| part.item == id(1))
        .collect();
    let opened = open_all(&store, wanted.clone()).await;
    assert_eq!(opened.len(), 2);
    for OpenedItem { part, plain } in opened {
        assert!(wanted.contains(&part));
        let expected: &[u8] = match part.class == DataClass::Op {
            true => b"operational",
            false => b"location",
        };
        assert_eq!(plain.as_slice(), expected);
    }
    // A part that is not there is nothing, not an error.
    let (of, item, class) = (of(2), id(1), DataClass::Op);
    assert!(
        open_all(&store, vec![PartRef { of, item, class }])
            .await
            .is_empty()
    );
}

pub(crate) async fn what_was_removed_no_longer_opens(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let attempt = Attempt::new(&store, 3).await.fact(&of(1), id(1), b"fact");
    let attempt = attempt.part(&of(1), id(1), DataClass::Op, b"part");
    attempt
        .part(&of(1), id(2), DataClass::Op, b"stays")
        .logged(&store)
        .await;
    let parts = store.facts(&[of(1)]).await.unwrap().parts;
    let removing = Attempt::new(&store, 0).await;
    removing.remove(&of(1), id(1)).logged(&store).await;

    let facts = store.facts(&[of(1)]).await.unwrap();
    assert!(facts.facts.is_empty());
    assert_eq!(facts.parts.len(), 1);
    // Whoever still names it gets what is left.
    let opened = open_all(&store, parts).await;
    assert_eq!(opened.len(), 1);
    assert_eq!(opened[0].plain.as_slice(), b"stays");
    // And an item of the same name may come again.
    let again = Attempt::new(&store, 1).await.fact(&of(1), id(1), b"new");
    again.logged(&store).await;
    assert_eq!(fact_of(&store, 1).await, ["new"]);
}

fn replayed(outcome: Outcome<()>) -> (u64, bool, Vec<u8>) {
    match outcome {
        Outcome::Replayed {
            index,
            same_request,
            reply,
        } => (index, same_request, reply),
        Outcome::Logged(_) | Outcome::Moved | Outcome::Limited => panic!("not replayed"),
    }
}

pub(crate) async fn a_repeated_request_gets_its_first_answer(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let seen = store.facts(&[of(1)]).await.unwrap();
    Attempt::new(&store, 0).await.logged(&store).await;
    let first = Attempt::new(&store, 1)
        .await
        .reading(&seen)
        .replaying(1, 1, b"201");
    first.fact(&of(1), id(1), b"a").logged(&store).await;
    // Its own first commit has moved what it read; that must not hide the repeat.
    let again = Attempt::new(&store, 1)
        .await
        .reading(&seen)
        .replaying(1, 1, b"other");
    let again = again.fact(&of(1), id(1), b"a").commit(&store).await;
    assert_eq!(replayed(again), (1, true, b"201".to_vec()));
    let other = Attempt::new(&store, 0).await.replaying(1, 2, b"other");
    assert_eq!(
        replayed(other.commit(&store).await),
        (1, false, b"201".to_vec())
    );
    assert_eq!(store.health().leaves, 2);
    Attempt::new(&store, 0)
        .await
        .replaying(2, 1, b"")
        .logged(&store)
        .await;
}

pub(crate) async fn an_idempotency_key_runs_out(fixture: &impl Fixture) {
    let store = fixture.open().await;
    Attempt::new(&store, 0)
        .await
        .replaying(1, 1, b"first")
        .logged(&store)
        .await;
    let last = START.plus_days(7);
    let within = Attempt::new(&store, 0).await.replaying(1, 1, b"");
    let within = within.at(last.plus_hours(-1)).commit(&store).await;
    assert_eq!(replayed(within).0, 0);
    let mut after = Attempt::new(&store, 0).await.replaying(1, 2, b"second");
    after.replay.as_mut().unwrap().until = last.plus_days(7);
    after.at(last).logged(&store).await;
    let again = Attempt::new(&store, 0)
        .await
        .replaying(1, 2, b"")
        .at(last.plus_hours(2));
    assert_eq!(
        replayed(again.commit(&store).await),
        (1, true, b"second".to_vec())
    );
}

pub(crate) async fn a_repeat_in_the_same_batch_is_logged_once(fixture: &impl Fixture) {
    let store = Arc::new(fixture.open().await);
    let tasks: Vec<_> = (0..12)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let attempt = Attempt::new(&store, 0).await.replaying(9, 9, b"once");
                attempt.commit(&store).await
            })
        })
        .collect();
    let mut logged = 0;
    for task in tasks {
        match task.await.unwrap() {
            Outcome::Logged(_) => logged += 1,
            other => assert_eq!(replayed(other), (0, true, b"once".to_vec())),
        }
    }
    assert_eq!((logged, store.health().leaves), (1, 1));
}

pub(crate) async fn a_counter_never_passes_its_limit(fixture: &impl Fixture) {
    let store = Arc::new(fixture.open().await);
    let counter = |day| Counter::NewUsers {
        organisation: org(),
        day,
    };
    let count = |by, max| Write::Count {
        counter: counter(1),
        by,
        max,
    };
    assert_eq!(store.counted(&counter(1)).await.unwrap(), 0);
    let tasks: Vec<_> = (0..12)
        .map(|_| {
            let (store, write) = (Arc::clone(&store), count(2, 11));
            tokio::spawn(async move {
                Attempt::new(&store, 0)
                    .await
                    .write(write)
                    .commit(&store)
                    .await
            })
        })
        .collect();
    let mut logged = 0;
    for task in tasks {
        match task.await.unwrap() {
            Outcome::Logged(_) => logged += 1,
            Outcome::Limited => {}
            Outcome::Moved | Outcome::Replayed { .. } => panic!("neither"),
        }
    }
    assert_eq!((logged, store.counted(&counter(1)).await.unwrap()), (5, 10));
    assert_eq!(store.counted(&counter(2)).await.unwrap(), 0);
    // Twice in one decision is the sum.
    let twice = Attempt::new(&store, 0)
        .await
        .write(count(1, 11))
        .write(count(1, 11));
    assert!(matches!(twice.commit(&store).await, Outcome::Limited));
    Attempt::new(&store, 0)
        .await
        .write(count(1, 11))
        .logged(&store)
        .await;
    assert_eq!(store.counted(&counter(1)).await.unwrap(), 11);
}

pub(crate) async fn a_list_has_an_order_and_cursors_from_both_ends(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let inbox = List::Inbox(org());
    let add = |at, n| Write::List {
        list: List::Inbox(org()),
        at,
        item: id(n),
    };
    for write in [add(20, 2), add(10, 1), add(u64::MAX, 9)] {
        Attempt::new(&store, 0)
            .await
            .write(write)
            .logged(&store)
            .await;
    }
    let two = Attempt::new(&store, 0).await.write(add(20, 4));
    let other = Write::List {
        list: List::Sent(org()),
        at: 15,
        item: id(7),
    };
    two.write(add(20, 3)).write(other).logged(&store).await;

    let entry = |at, index, n| Listed {
        at,
        index,
        item: id(n),
    };
    let order = [
        entry(10, 1, 1),
        entry(20, 0, 2),
        entry(20, 3, 3),
        entry(20, 3, 4),
        entry(u64::MAX, 2, 9),
    ];
    assert_eq!(store.list(&inbox, None, 100).await.unwrap(), order);
    assert_eq!(store.list(&inbox, None, 2).await.unwrap(), order[..2]);
    assert_eq!(
        store.list(&inbox, Some(order[1]), 2).await.unwrap(),
        order[2..4]
    );
    assert_eq!(store.list(&inbox, Some(order[4]), 2).await.unwrap(), []);
    let mut back = order;
    back.reverse();
    assert_eq!(store.newest(&inbox, None, 100).await.unwrap(), back);
    assert_eq!(
        store.newest(&inbox, Some(back[1]), 2).await.unwrap(),
        back[2..4]
    );
    assert_eq!(store.newest(&inbox, Some(back[4]), 2).await.unwrap(), []);
    // A cursor need not be an entry that still exists.
    let between = entry(15, 0, 0);
    assert_eq!(
        store.list(&inbox, Some(between), 1).await.unwrap(),
        order[1..2]
    );
    assert_eq!(
        store.newest(&inbox, Some(between), 9).await.unwrap(),
        order[..1]
    );

    Attempt::new(&store, 0)
        .await
        .write(add(30, 3))
        .logged(&store)
        .await;
    let unlist = Write::Unlist {
        list: inbox.clone(),
        item: id(3),
    };
    Attempt::new(&store, 0)
        .await
        .write(unlist)
        .logged(&store)
        .await;
    let left = [order[0], order[1], order[3], order[4]];
    assert_eq!(store.list(&inbox, None, 100).await.unwrap(), left);
    assert_eq!(
        store.list(&List::Sent(org()), None, 9).await.unwrap(),
        [entry(15, 3, 7)]
    );
}

pub(crate) async fn every_proof_of_a_full_batch_verifies(fixture: &impl Fixture) {
    let store = Arc::new(fixture.open().await);
    let tasks: Vec<_> = (0..200)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { Attempt::new(&store, 0).await.commit(&store).await })
        })
        .collect();
    let verifier = fixture.verifier();
    let mut indices = Vec::new();
    for task in tasks {
        let logged = logged(task.await.unwrap());
        let inclusion = logged.inclusion();
        let head = verifier.verify(&inclusion.checkpoint).unwrap();
        let hash = leaf_hash(logged.leaf().bytes());
        let path = &inclusion.hashes;
        assert!(verify_inclusion(
            &hash,
            inclusion.index,
            head.size,
            path,
            &head.root
        ));
        let stored = store
            .leaves(inclusion.index, inclusion.index + 1)
            .await
            .unwrap();
        assert_eq!(stored, [*logged.leaf()]);
        indices.push(inclusion.index);
    }
    indices.sort_unstable();
    assert!(indices.into_iter().eq(0..200));
    let newest = verifier.verify(&store.checkpoint().await.unwrap()).unwrap();
    assert_eq!(newest.size, 200);
}

pub(crate) async fn leaves_and_openings_are_read_in_order(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let mut expected = Vec::new();
    for n in 0..9 {
        let mut attempt = Attempt::new(&store, 0).await;
        attempt.opening = format!("account {n}").into_bytes();
        let decision = attempt.decision(());
        expected.push(decision.leaf);
        logged(store.commit(decision).await.unwrap());
    }
    assert_eq!(store.leaves(0, 100).await.unwrap(), expected);
    assert_eq!(store.leaves(3, 5).await.unwrap(), expected[3..5]);
    assert!(store.leaves(9, 100).await.unwrap().is_empty());
    assert!(store.leaves(5, 3).await.unwrap().is_empty());
    let decision = Attempt::new(&store, 0).await.decision(LogRead(vec![2, 7]));
    let permitted = logged(store.commit(decision).await.unwrap());
    let permitted = Readable::of(&permitted);
    let entries = store.entries(&permitted, &[1, 2, 7, 8]).await.unwrap();
    let shown: Vec<_> = entries
        .iter()
        .map(|(index, leaf, plain)| (*index, *leaf, String::from_utf8_lossy(plain).into_owned()))
        .collect();
    let entry = |n: usize| (n as u64, expected[n], format!("account {n}"));
    assert_eq!(shown, [entry(2), entry(7)]);
}

pub(crate) async fn tiles_hold_the_hashes_of_the_leaves(fixture: &impl Fixture) {
    let store = Arc::new(fixture.open().await);
    let tasks: Vec<_> = (0..260)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { Attempt::new(&store, 0).await.logged(&store).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let hashes = |leaves: Vec<Leaf>| -> Vec<u8> {
        let hashes = leaves.iter().map(|leaf| leaf_hash(leaf.bytes()));
        hashes.flatten().collect()
    };
    let first = hashes(store.leaves(0, 256).await.unwrap());
    assert_eq!(store.tile(0, 0, 256).await.unwrap(), Some(first.clone()));
    assert_eq!(
        store.tile(0, 0, 3).await.unwrap().as_deref(),
        first.get(..96)
    );
    let rest = hashes(store.leaves(256, 300).await.unwrap());
    assert_eq!(store.tile(0, 1, 4).await.unwrap(), Some(rest));
    assert_eq!(
        store.tile(1, 0, 1).await.unwrap().map(|tile| tile.len()),
        Some(32)
    );
    for (level, index, width) in [(0, 1, 5), (0, 0, 0), (0, 0, 257), (1, 0, 2), (2, 0, 1)] {
        assert_eq!(store.tile(level, index, width).await.unwrap(), None);
    }
    assert_eq!(store.tile(u8::MAX, u64::MAX, 256).await.unwrap(), None);
    // A proof for any leaf, long after its commit.
    let head = fixture
        .verifier()
        .verify(&store.checkpoint().await.unwrap())
        .unwrap();
    for index in [0, 1, 127, 128, 255, 256, 259] {
        let leaf = store.leaves(index, index + 1).await.unwrap();
        let proof = store.inclusion(index).await.unwrap().unwrap();
        assert!(
            verify_inclusion(
                &leaf_hash(leaf[0].bytes()),
                index,
                head.size,
                &proof.hashes,
                &head.root
            ),
            "leaf {index}"
        );
    }
    assert!(store.inclusion(260).await.unwrap().is_none());
}

pub(crate) async fn an_empty_log_has_a_signed_checkpoint(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let head = fixture
        .verifier()
        .verify(&store.checkpoint().await.unwrap())
        .unwrap();
    assert_eq!(head.size, 0);
    let health = store.health();
    assert_eq!((health.stopped, health.leaves), (None, 0));
    assert!(store.leaves(0, 1).await.unwrap().is_empty());
    assert!(
        store
            .list(&List::Proposals, None, 1)
            .await
            .unwrap()
            .is_empty()
    );
}

pub(crate) async fn a_decision_that_is_too_large_is_refused_whole(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let huge = vec![b'x'; 600 * 1024];
    let attempt = Attempt::new(&store, 1).await.fact(&of(1), id(1), &huge);
    let refused = store.commit(attempt.decision(())).await;
    assert!(matches!(refused, Err(Fault::TooLarge)));
    let reply = vec![0; 4097];
    let attempt = Attempt::new(&store, 0).await.replaying(1, 1, &reply);
    let refused = store.commit(attempt.decision(())).await;
    assert!(matches!(refused, Err(Fault::TooLarge)));
    assert_eq!(store.health().leaves, 0);
    assert_eq!(
        store.facts(&[of(1)]).await.unwrap().read,
        [(of(1), Version(0))]
    );
}

pub(crate) async fn waiting_ends_with_a_commit_or_in_time(fixture: &impl Fixture) {
    let store = Arc::new(fixture.open().await);
    let index = Attempt::new(&store, 0).await.logged(&store).await;
    // Nothing newer: it ends by its time.
    store.changed(index, Duration::from_millis(1)).await;
    let waiting = Arc::clone(&store);
    let waiter = tokio::spawn(async move {
        waiting.changed(index, Duration::from_secs(60)).await;
        waiting.health().leaves
    });
    tokio::task::yield_now().await;
    Attempt::new(&store, 0).await.logged(&store).await;
    assert_eq!(waiter.await.unwrap(), 2);
    // Something newer is there already.
    store.changed(0, Duration::from_secs(60)).await;
}

pub(crate) async fn the_time_of_the_last_leaf_is_kept(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let later = START.plus_hours(1);
    Attempt::new(&store, 0).await.logged(&store).await;
    Attempt::new(&store, 0).await.at(later).logged(&store).await;
    assert_eq!(store.last_time(), later);
    store.close().await.unwrap();
    drop(store);
    assert_eq!(fixture.open().await.last_time(), later);
}

pub(crate) async fn everything_is_there_after_closing_and_opening(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let counter = Counter::NewUsers {
        organisation: org(),
        day: 1,
    };
    let (list, at, item) = (List::Inbox(org()), 7, id(3));
    let attempt = Attempt::new(&store, 3).await.fact(&of(1), id(1), b"stays");
    let attempt = attempt.part(&of(1), id(2), DataClass::Op, b"part");
    let attempt = attempt
        .fact(&of(1), id(3), b"goes")
        .replaying(1, 1, b"reply");
    let attempt = attempt.write(Write::List {
        list: list.clone(),
        at,
        item,
    });
    let count = Write::Count {
        counter: counter.clone(),
        by: 3,
        max: 9,
    };
    attempt.write(count).logged(&store).await;
    let removing = Attempt::new(&store, 0).await.remove(&of(1), id(3));
    removing.logged(&store).await;
    let leaves = store.leaves(0, 9).await.unwrap();
    let checkpoint = store.checkpoint().await.unwrap();
    store.close().await.unwrap();
    drop(store);

    let store = fixture.open().await;
    assert_eq!(store.leaves(0, 9).await.unwrap(), leaves);
    assert_eq!(store.checkpoint().await.unwrap(), checkpoint);
    let facts = store.facts(&[of(1)]).await.unwrap();
    assert_eq!(facts.read, [(of(1), Version(2))]);
    assert_eq!(shown(&facts), [(id(1), "stays".to_owned())]);
    assert_eq!(store.counted(&counter).await.unwrap(), 3);
    assert_eq!(
        store.list(&list, None, 9).await.unwrap(),
        [Listed { at, index: 0, item }]
    );
    let again = Attempt::new(&store, 0).await.replaying(1, 1, b"");
    assert_eq!(
        replayed(again.commit(&store).await),
        (0, true, b"reply".to_vec())
    );
    let opened = open_all(&store, facts.parts).await;
    assert_eq!(opened[0].plain.as_slice(), b"part");
}

pub(crate) async fn nothing_is_written_after_closing(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let decision = Attempt::new(&store, 0).await.decision(());
    store.close().await.unwrap();
    let refused = store.commit(decision).await;
    assert!(matches!(refused, Err(Fault::CannotRecord(_))));
    store.close().await.unwrap();
}

pub(crate) async fn the_mark_of_a_restore_stays_until_it_is_on_record(fixture: &impl Fixture) {
    let store = fixture.open().await;
    Attempt::new(&store, 0).await.logged(&store).await;
    assert_eq!(store.restored(), None);
    store.restoration_recorded().await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let mark = Restored {
        leaves: 1,
        at: START,
        acknowledged: 1,
        origin: fixture.verifier().origin().to_owned(),
    };
    fixture.mark_restored(mark.clone()).await;
    for _ in 0..2 {
        let store = fixture.open().await;
        assert_eq!(store.restored(), Some(mark.clone()));
        // Entries alone do not take it away.
        Attempt::new(&store, 0).await.logged(&store).await;
        store.close().await.unwrap();
    }
    let store = fixture.open().await;
    store.restoration_recorded().await.unwrap();
    assert_eq!(store.restored(), None);
    store.close().await.unwrap();
    drop(store);
    assert_eq!(fixture.open().await.restored(), None);
}

pub(crate) async fn a_larger_log_with_our_signature_stops_the_store_for_good(
    fixture: &impl Fixture,
) {
    let store = fixture.open().await;
    let mut notes = vec![store.checkpoint().await.unwrap()];
    for _ in 0..3 {
        Attempt::new(&store, 0).await.logged(&store).await;
        notes.push(store.checkpoint().await.unwrap());
    }
    for note in &notes[..3] {
        assert_eq!(store.shown(note).await.unwrap(), Shown::Older);
    }
    assert_eq!(store.shown(&notes[3]).await.unwrap(), Shown::Same);
    let other = LogKey::from_seed(fixture.verifier().origin(), &[0; 32]).unwrap();
    let strange = store.shown(&other.sign(9, &[7; 32])).await.unwrap();
    assert_eq!((strange, store.restored()), (Shown::NotOurs, None));
    Attempt::new(&store, 0).await.logged(&store).await;

    // As if the log had been longer once, or another one.
    for (size, expected) in [(9, Shown::Larger), (4, Shown::Forked)] {
        let note = store.log().sign(size, &[7; 32]);
        assert_eq!(store.shown(&note).await.unwrap(), expected);
        assert_eq!(store.health().stopped, Some(ROLLED_BACK));
        let mark = store.restored().unwrap();
        assert_eq!((mark.leaves, mark.acknowledged), (4, 9));
    }
    // Both are kept, each with our own head beside it.
    let own = store.checkpoint().await.unwrap();
    let mut found = store.evidence().await.unwrap();
    found.sort_by_key(|one| one.shown.clone());
    let shown = found.iter().map(|one| one.shown.clone());
    let expected = [4, 9].map(|size| store.log().sign(size, &[7; 32]));
    assert_eq!(shown.collect::<Vec<_>>(), expected);
    assert!(found.iter().all(|one| one.own == own));
    assert!(matches!(
        store.reserve(1).await.map(|_| ()),
        Ok(()) | Err(Fault::CannotRecord(ROLLED_BACK))
    ));
}
