//! Histories with power cuts: seeded lists of operations on a disk that loses what was not synced.
//!
//! Laws, after every cut: the journal opens; what was acknowledged is there, whole, and opens; what
//! was refused or never sent is not; what had no answer is there whole or not at all; the log is
//! one tree with every head that was given out; what was erased has no key. A seed that found a bug
//! stays in [`FOUND`]. Threads may number the operations otherwise at the next run, so a failure
//! says seed and operation, and the laws hold for whatever happened.

use std::sync::Arc;

use tokio::task::JoinSet;
use zeroize::Zeroizing;

use self::model::{AGGREGATES, COUNTERS, Effect, LISTS, Model, Planned, counter, list, trail_key};
use super::*;
use crate::domain::codes::DataClass;
use crate::domain::decision::{Decision, Replay, Version, Write};
use crate::domain::id::OrgId;
use crate::domain::seal::ItemKey;
use crate::store::contract::{Attempt, START, id, of};
use crate::store::disk::simulated::{Dice, Simulated};
use crate::store::{Outcome, Store};

mod model;

/// Seeds of histories that found a bug once: a last frame that was read, but not durable, when the
/// next was written; slots that were not durable when they were handed out; half a slot header.
const FOUND: &[u64] = &[
    0x1_0000_0002,
    0x2_0000_0010,
    0x3_0000_0002,
    0x1_0000_001c,
    0x2_0000_00a4,
    0x3_0000_0065,
    0x4_0000_00cd,
];
/// Power cuts in one history.
const CUTS: u64 = 5;
/// Steps between two starts.
const STEPS_MAX: u64 = 24;
const ITEMS: u64 = 4;
const REPLAY_KEYS: u64 = 12;
const COUNTER_MAX: u32 = 40;
const TRAILS: u64 = 2;

/// A store on a simulated disk, and what it should hold.
struct World {
    disk: Arc<Simulated>,
    dice: Dice,
    model: Model,
    /// The list index lies on the real disk.
    dir: tempfile::TempDir,
    minutes: i64,
    made: u64,
    cuts: u64,
    ending: Ending,
    name: Name,
}

/// How a stretch of work ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    PowerCut,
    /// `kill -9`: what was not synced is still there, but not durable.
    Kill,
    /// One write or sync fails; then the process starts again, or the power is cut.
    Failure,
}

/// Says which history it was when a test fails.
struct Name {
    seed: u64,
    disk: Arc<Simulated>,
}

impl Drop for Name {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (seed, operation) = (self.seed, self.disk.operations());
            eprintln!("simulation: seed {seed}, at operation {operation}");
        }
    }
}

impl World {
    fn new(seed: u64) -> Self {
        // In memory where there is such a place: sled is opened at every start.
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let dir = dir.unwrap();
        let disk = Simulated::new(seed, dir.path());
        let name = Name {
            seed,
            disk: Arc::clone(&disk),
        };
        Self {
            disk,
            dice: Dice::new(!seed),
            model: Model::default(),
            dir,
            minutes: 0,
            made: 0,
            cuts: 0,
            ending: Ending::PowerCut,
            name,
        }
    }

    fn keys() -> StoreKeys {
        StoreKeys {
            index_key: Zeroizing::new([1; 32]),
            slot_key: Zeroizing::new([2; 32]),
            log: LogKey::from_seed("gw.example/log", &[3; 32]).unwrap(),
        }
    }

    fn try_open(&self) -> Result<Store, OpenError> {
        let config = JournalConfig {
            data_dir: self.dir.path().join("data"),
            slots: self.dir.path().join("slots"),
            keys: Self::keys(),
            segment_bytes: SEGMENT_BYTES_MIN,
            kept_room_bytes: 0,
        };
        Journal::open_on(Disk::Simulated(Arc::clone(&self.disk)), config).map(Store::Embedded)
    }

    /// Opens it, however often the power fails in the middle of that, and compares.
    async fn open(&mut self) -> Arc<Store> {
        let store = loop {
            match self.try_open() {
                Ok(store) => break store,
                Err(_) if self.disk.is_off() || self.disk.has_failed() => self.end(),
                Err(error) => panic!("it does not open: {error}"),
            }
        };
        self.disk.be_good();
        if !self.disk.is_off() {
            let verifier = Self::keys().log.verifier().clone();
            let journal = journal(&store);
            self.model.check(&store, journal, &verifier).await;
            for slot in self.model.live() {
                assert!(journal.shared.slots.key(Slot(slot)).unwrap().is_some());
            }
        }
        Arc::new(store)
    }

    /// Everything stops and starts again; perhaps to stop again soon.
    fn end(&mut self) {
        self.cuts += 1;
        let killed = match self.ending {
            Ending::PowerCut => false,
            Ending::Kill => true,
            Ending::Failure => self.dice.once_in(2),
        };
        match killed {
            true => self.disk.start_process(),
            false => self.disk.power_on(),
        }
        if self.dice.once_in(3) {
            self.fall_ill(40);
        }
    }

    /// Something will go wrong within so many operations.
    fn fall_ill(&mut self, within: u64) {
        let next = self.disk.operations() + 1 + self.dice.roll(within);
        self.ending = match self.dice.roll(6) {
            0 => Ending::Failure,
            1 | 2 => Ending::Kill,
            _ => Ending::PowerCut,
        };
        match self.ending {
            Ending::Failure => self.disk.fail_at(next),
            Ending::PowerCut | Ending::Kill => self.disk.stop_at(next),
        }
    }

    /// A stretch of work that ends badly.
    async fn live(&mut self) {
        let mut store = Some(self.open().await);
        self.fall_ill(90);
        for _ in 0..self.dice.roll(STEPS_MAX) {
            let Some(open) = &store else { break };
            if self.disk.is_off() || open.health().stopped.is_some() {
                break;
            }
            if self.dice.once_in(10) {
                let ending = store.take().unwrap();
                if self.dice.once_in(2) {
                    let _ = ending.close().await;
                }
                drop(ending);
                if !self.disk.is_off() {
                    // The process ended, not the machine.
                    store = Some(self.open().await);
                }
                continue;
            }
            self.step(open).await;
        }
        if let Some(open) = store
            && self.dice.once_in(3)
        {
            let _ = open.close().await;
        }
        self.end();
    }

    async fn step(&mut self, store: &Arc<Store>) {
        match self.dice.roll(12) {
            0 => {
                // Many keys, so that the slot file grows.
                let many = self.dice.roll(RESERVE_SLOTS_MAX as u64) as usize;
                if let Ok(keys) = store.reserve(many).await {
                    let slots: Vec<_> = keys.iter().map(ItemKey::slot).collect();
                    if self.dice.once_in(2) {
                        journal(store).give_back(&slots);
                    }
                } else {
                    self.expect_excuse();
                }
            }
            1 if !self.disk.is_off() => {
                if store.health().stopped.is_none() && !self.disk.has_failed() {
                    self.check_facts(store).await;
                }
            }
            2 => self.stale(store).await,
            3 => self.repeat(store).await,
            4..=6 => {
                let count = 2 + self.dice.roll(5);
                self.commit(store, count).await;
            }
            _ => self.commit(store, 1).await,
        }
    }

    async fn check_facts(&self, store: &Arc<Store>) {
        let found = store.facts(&[of(0)]).await;
        match found {
            Ok(found) => {
                assert_eq!(found.read, [(of(0), Version(self.model.version(0)))]);
            }
            Err(_) => self.expect_excuse(),
        }
    }

    fn expect_excuse(&self) {
        assert!(
            self.disk.is_off() || self.disk.has_failed(),
            "it refused while the disk worked"
        );
    }

    /// A decision that rests on what has moved since.
    async fn stale(&mut self, store: &Arc<Store>) {
        let moved: Vec<_> = self
            .model
            .versions
            .iter()
            .map(|(of, at)| (*of, *at))
            .collect();
        let Some((of, version)) = moved.get(self.dice.roll(moved.len() as u64) as usize) else {
            return;
        };
        let earlier = self.dice.roll(*version);
        let Some((mut planned, mut decision)) = self.plan(store).await else {
            return self.expect_excuse();
        };
        planned.replay = None;
        decision.replay = None;
        decision.read = vec![(crate::store::contract::of(*of), Version(earlier))];
        match store.commit(decision).await {
            Ok(Outcome::Moved) => drop(self.model.refused.insert(planned.name)),
            Ok(_) => panic!("a stale decision was taken"),
            Err(_) => {
                self.expect_excuse();
                self.model.refused.insert(planned.name);
            }
        }
    }

    /// A request that was answered before gets the same answer.
    async fn repeat(&mut self, store: &Arc<Store>) {
        let known: Vec<_> = self.model.replays.clone().into_iter().collect();
        let at = self.dice.roll(known.len() as u64) as usize;
        let Some((key, (index, request, reply))) = known.get(at).cloned() else {
            return;
        };
        let Some((planned, mut decision)) = self.plan(store).await else {
            return self.expect_excuse();
        };
        let same = self.dice.once_in(2);
        let request = if same { request } else { request ^ 1 };
        decision.replay = Some(replay(key, request, b"another reply"));
        match store.commit(decision).await {
            Ok(Outcome::Replayed {
                index: found,
                same_request,
                reply: kept,
            }) => {
                assert_eq!((found, same_request, kept), (index, same, reply));
            }
            Ok(_) => panic!("a repeated request was not recognised"),
            Err(_) => self.expect_excuse(),
        }
        self.model.refused.insert(planned.name);
    }

    /// Hands over `count` decisions at once.
    async fn commit(&mut self, store: &Arc<Store>, count: u64) {
        let mut running = JoinSet::new();
        for _ in 0..count {
            let Some((planned, decision)) = self.plan(store).await else {
                self.expect_excuse();
                continue;
            };
            let store = Arc::clone(store);
            running.spawn(async move {
                let stopped = store.health().stopped.is_some();
                (planned, stopped, store.commit(decision).await)
            });
        }
        let verifier = Self::keys().log.verifier().clone();
        let mut logged = Vec::new();
        while let Some(done) = running.join_next().await {
            let (planned, stopped, outcome) = done.unwrap();
            match outcome {
                Ok(Outcome::Logged(proof)) => logged.push((planned, proof)),
                // Someone of the same moment was first.
                Ok(Outcome::Moved | Outcome::Replayed { .. }) => {
                    assert!(count > 1, "nobody else was there");
                    self.model.refused.insert(planned.name);
                }
                Ok(Outcome::Limited) => drop(self.model.refused.insert(planned.name)),
                Err(_) => {
                    self.expect_excuse();
                    match stopped {
                        true => drop(self.model.refused.insert(planned.name)),
                        false => drop(self.model.unknown.insert(planned.name, planned)),
                    }
                }
            }
        }
        logged.sort_by_key(|(_, proof)| proof.inclusion().index);
        for (planned, proof) in logged {
            self.model.proved(proof.inclusion(), &verifier);
            self.model.logged(planned, proof.inclusion().index);
        }
    }

    /// A decision with a few writes of every kind. `None` if the store gives no keys.
    async fn plan(&mut self, store: &Arc<Store>) -> Option<(Planned, Decision<()>)> {
        let count = self.dice.roll(5);
        let keys = store.reserve(count as usize + 1).await.ok()?;
        self.made += 1;
        if self.dice.once_in(8) {
            self.minutes += 1;
        }
        let mut attempt = Attempt {
            keys,
            read: Vec::new(),
            writes: Vec::new(),
            replay: None,
            when: When::from_millis(START.millis() + self.minutes * 60_000),
            urgent: self.dice.once_in(4),
            opening: vec![b'o'; self.dice.roll(3) as usize * self.dice.roll(1500) as usize],
        };
        let mut effects = Vec::new();
        for _ in 0..count {
            let (next, effect) = self.write(attempt);
            attempt = next;
            effects.push(effect);
        }
        let mut reads = Vec::new();
        if self.dice.once_in(3) {
            let read = self.dice.roll(AGGREGATES);
            reads.push((read, self.model.version(read)));
        }
        attempt.read = reads
            .iter()
            .map(|(read, version)| (of(*read), Version(*version)))
            .collect();
        let mut kept = None;
        let key = self.dice.roll(REPLAY_KEYS * 3) as u8;
        if u64::from(key) < REPLAY_KEYS && !self.model.replays.contains_key(&key) {
            let request = self.dice.roll(100) as u8;
            let reply = vec![key; self.dice.roll(40) as usize];
            attempt.replay = Some(replay(key, request, &reply));
            kept = Some((key, request, reply));
        }
        // Without a throw of the dice, so that older seeds make the histories that they made.
        let trail = u8::try_from(self.made % (TRAILS + 1)).ok();
        let trail = trail.filter(|of| u64::from(*of) < TRAILS);
        if let Some(of) = trail {
            let organisation = OrgId::parse(&format!("service-{of}")).unwrap();
            let key = trail_key(of);
            attempt = attempt.write(Write::Follow { organisation, key });
        }
        // As little does this, which those seeds did not have.
        let entries = self.model.decisions.len() as u64;
        if self.made.is_multiple_of(4) && entries > 0 && !FOUND.contains(&self.name.seed) {
            let index = self.made.wrapping_mul(0x9e37_79b9) % entries;
            attempt = attempt.write(Write::Forget { index });
            effects.push(Effect::Forget { index });
        }
        let opening = attempt.opening.clone();
        // What was not used is given back by hand, as the store does it.
        while attempt.keys.len() > 1 {
            let unused = attempt.keys.remove(0).slot();
            journal(store).give_back(&[unused]);
        }
        let opening_slot = attempt.keys[0].slot().0;
        let decision = attempt.decision(());
        let planned = Planned {
            name: decision.leaf.id(),
            leaf: decision.leaf,
            trail,
            reads,
            effects,
            replay: kept,
            opening,
            opening_slot,
        };
        Some((planned, decision))
    }

    fn write(&mut self, attempt: Attempt) -> (Attempt, Effect) {
        let (target, item) = (self.dice.roll(AGGREGATES), self.dice.roll(ITEMS));
        let text = format!("{} of {}", self.made, self.name.seed);
        let slot = attempt.keys.last().map(|key| key.slot().0).unwrap();
        match self.dice.roll(9) {
            0..=2 => (
                attempt.fact(&of(target), id(item), text.as_bytes()),
                Effect::Fact {
                    of: target,
                    item,
                    text,
                    slot,
                },
            ),
            3 | 4 => {
                let classes = [DataClass::Op, DataClass::Loc, DataClass::Ft];
                let class = classes[self.dice.roll(3) as usize];
                (
                    attempt.part(&of(target), id(item), class, text.as_bytes()),
                    Effect::Part {
                        of: target,
                        item,
                        class,
                        text,
                        slot,
                    },
                )
            }
            5 => {
                let held = self.model.items(target);
                let at = self.dice.roll(held.len() as u64) as usize;
                let item = held.get(at).copied().unwrap_or(item);
                (
                    attempt.remove(&of(target), id(item)),
                    Effect::Remove { of: target, item },
                )
            }
            6 => {
                let (number, at) = (self.dice.roll(LISTS), self.dice.roll(50));
                let (list, item_id) = (list(number), id(item));
                let write = Write::List {
                    list,
                    at,
                    item: item_id,
                };
                (
                    attempt.write(write),
                    Effect::List {
                        list: number,
                        at,
                        item,
                    },
                )
            }
            7 => {
                let number = self.dice.roll(LISTS);
                let write = Write::Unlist {
                    list: list(number),
                    item: id(item),
                };
                (attempt.write(write), Effect::Unlist { list: number, item })
            }
            _ => {
                let (number, by) = (self.dice.roll(COUNTERS), 1 + self.dice.roll(3) as u32);
                let write = Write::Count {
                    counter: counter(number),
                    by,
                    max: COUNTER_MAX,
                };
                let effect = Effect::Count {
                    counter: number,
                    by,
                    max: COUNTER_MAX,
                };
                (attempt.write(write), effect)
            }
        }
    }
}

fn replay(key: u8, request: u8, reply: &[u8]) -> Replay {
    Replay {
        key: [key; 16],
        request: [request; 32],
        until: START.plus_days(7),
        reply: reply.to_vec(),
    }
}

fn journal(store: &Store) -> &Journal {
    match store {
        Store::Embedded(journal) => journal,
        Store::Postgres(_) => panic!("not a journal"),
    }
}

/// Lives one history; returns how many power cuts it had.
fn history(seed: u64) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut world = World::new(seed);
        if world.dice.once_in(2) {
            // Already while everything is made.
            world.fall_ill(30);
        }
        while world.cuts < CUTS {
            world.live().await;
        }
        // And at last in peace.
        world.disk.power_on();
        let store = world.open().await;
        world.commit(&store, 3).await;
        store.close().await.unwrap();
        drop(store);
        drop(world.open().await);
        world.cuts
    })
}

/// Histories until there were so many cuts; every part of the seeds is a test of its own, so that
/// they run side by side.
fn histories(part: u64) {
    let long = std::env::var_os("FIREDOOR_LONG").is_some();
    let cuts = if long { 2_500 } else { 100 };
    let mut had = 0;
    let mut seed = part << 32;
    while had < cuts {
        had += history(seed);
        seed += 1;
    }
}

#[test]
fn nothing_acknowledged_is_lost_in_power_cuts_1() {
    histories(1);
}

#[test]
fn nothing_acknowledged_is_lost_in_power_cuts_2() {
    histories(2);
}

#[test]
fn nothing_acknowledged_is_lost_in_power_cuts_3() {
    histories(3);
}

#[test]
fn nothing_acknowledged_is_lost_in_power_cuts_4() {
    histories(4);
}

#[test]
fn histories_that_found_a_bug_stay_right() {
    for seed in FOUND {
        history(*seed);
    }
}
