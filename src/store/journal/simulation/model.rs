//! What a store should hold, kept in plain maps, and the comparison with what it does hold.
//!
//! It knows nothing of frames, segments or slots files. It must never learn from the store what it
//! is to expect, but for one thing: whether a decision without an answer was kept or not.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use sha2::Sha256;

use crate::domain::checkpoint::LogVerifier;
use crate::domain::codes::DataClass;
use crate::domain::decision::{Counter, List, Listed, PartRef, Version};
use crate::domain::id::{Id, OrgId};
use crate::domain::leaf::Leaf;
use crate::domain::logged::Inclusion;
use crate::domain::seal::Slot;
use crate::domain::trail::TrailKey;
use crate::store::Store;
use crate::store::contract::{id, of};
use crate::store::journal::Journal;

pub const AGGREGATES: u64 = 6;
pub const LISTS: u64 = 2;
pub const COUNTERS: u64 = 3;

pub fn trail_key(of: u8) -> TrailKey {
    TrailKey::new([of; 32])
}

/// What one decision writes.
#[derive(Clone, Debug)]
pub enum Effect {
    Fact {
        of: u64,
        item: u64,
        text: String,
        slot: u64,
    },
    Part {
        of: u64,
        item: u64,
        class: DataClass,
        text: String,
        slot: u64,
    },
    Remove {
        of: u64,
        item: u64,
    },
    List {
        list: u64,
        at: u64,
        item: u64,
    },
    Unlist {
        list: u64,
        item: u64,
    },
    Count {
        counter: u64,
        by: u32,
        max: u32,
    },
    Forget {
        index: u64,
    },
}

/// One decision that was handed to the store.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The id of its leaf.
    pub name: Id,
    pub leaf: Leaf,
    /// Whose trail it is on.
    pub trail: Option<u8>,
    pub reads: Vec<(u64, u64)>,
    pub effects: Vec<Effect>,
    /// Key, request, reply.
    pub replay: Option<(u8, u8, Vec<u8>)>,
    pub opening: Vec<u8>,
    pub opening_slot: u64,
}

#[derive(Default)]
pub struct Model {
    pub decisions: Vec<Planned>,
    facts: BTreeMap<(u64, u64), (String, u64)>,
    parts: BTreeMap<(u64, u64, u8), (DataClass, String, u64)>,
    pub versions: BTreeMap<u64, u64>,
    lists: BTreeMap<u64, BTreeSet<(u64, u64, u64)>>,
    pub counters: BTreeMap<u64, u32>,
    /// Index, request, reply.
    pub replays: BTreeMap<u8, (u64, u8, Vec<u8>)>,
    /// Size and root of every signed head that was given out.
    heads: BTreeMap<u64, [u8; 32]>,
    /// Slots whose items are gone.
    dead: BTreeSet<u64>,
    /// Entries without their accounts.
    forgotten: BTreeSet<u64>,
    /// Decisions that got no answer, or one that says nothing.
    pub unknown: HashMap<Id, Planned>,
    /// Leaves that must never be in the log.
    pub refused: HashSet<Id>,
}

pub fn list(number: u64) -> List {
    match number {
        0 => List::Proposals,
        _ => List::Inbox(OrgId::parse("refuge-north").unwrap()),
    }
}

pub fn counter(number: u64) -> Counter {
    Counter::NewUsers {
        organisation: OrgId::parse("refuge-north").unwrap(),
        day: number as i32,
    }
}

impl Model {
    pub fn version(&self, of: u64) -> u64 {
        self.versions.get(&of).copied().unwrap_or(0)
    }

    /// The items of an aggregate, with a fact or a part.
    pub fn items(&self, of: u64) -> Vec<u64> {
        let facts = self.facts.keys().filter(|key| key.0 == of).map(|key| key.1);
        let parts = self.parts.keys().filter(|key| key.0 == of).map(|key| key.1);
        facts.chain(parts).collect()
    }

    /// A decision that the store says, or shows, to be in the log.
    pub fn logged(&mut self, planned: Planned, index: u64) {
        assert_eq!(index, self.decisions.len() as u64, "leaves without a gap");
        for (of, version) in &planned.reads {
            assert_eq!(self.version(*of), *version, "a stale decision was taken");
        }
        for effect in &planned.effects {
            self.apply(effect.clone(), index);
        }
        if let Some((key, request, reply)) = &planned.replay {
            let before = self.replays.insert(*key, (index, *request, reply.clone()));
            assert!(before.is_none(), "a repeated request was taken twice");
        }
        self.decisions.push(planned);
    }

    fn apply(&mut self, effect: Effect, index: u64) {
        match effect {
            Effect::Fact {
                of,
                item,
                text,
                slot,
            } => {
                let old = self.facts.insert((of, item), (text, slot));
                self.dead.extend(old.map(|(_, slot)| slot));
                self.versions.insert(of, index + 1);
            }
            Effect::Part {
                of,
                item,
                class,
                text,
                slot,
            } => {
                let key = (of, item, class as u8);
                let old = self.parts.insert(key, (class, text, slot));
                self.dead.extend(old.map(|(_, _, slot)| slot));
                self.versions.insert(of, index + 1);
            }
            Effect::Remove { of, item } => {
                let fact = self.facts.remove(&(of, item));
                self.dead.extend(fact.map(|(_, slot)| slot));
                for class in 0..=u8::MAX {
                    let part = self.parts.remove(&(of, item, class));
                    self.dead.extend(part.map(|(_, _, slot)| slot));
                }
                self.versions.insert(of, index + 1);
            }
            Effect::List { list, at, item } => {
                self.lists
                    .entry(list)
                    .or_default()
                    .insert((at, index, item));
            }
            Effect::Unlist { list, item } => {
                let entries = self.lists.entry(list).or_default();
                entries.retain(|(_, _, listed)| *listed != item);
            }
            Effect::Count { counter, by, max } => {
                let count = self.counters.entry(counter).or_default();
                *count += by;
                assert!(*count <= max, "a limit was passed");
            }
            Effect::Forget { index } => {
                self.dead
                    .insert(self.decisions[index as usize].opening_slot);
                self.forgotten.insert(index);
            }
        }
    }

    /// The proof that a caller got.
    pub fn proved(&mut self, inclusion: &Inclusion, verifier: &LogVerifier) {
        let head = verifier.verify(&inclusion.checkpoint).unwrap();
        assert!(inclusion.index < head.size);
        let before = self.heads.insert(head.size, head.root);
        assert!(before.is_none_or(|root| root == head.root), "two heads");
    }

    /// Compares a store that was just opened with all of this.
    pub async fn check(&mut self, store: &Store, journal: &Journal, verifier: &LogVerifier) {
        self.check_log(store, verifier).await;
        self.check_facts(store, journal).await;
        self.check_openings(journal).await;
        self.check_lists(store).await;
        let slots = &journal.shared.slots;
        for slot in &self.dead {
            assert!(slots.key(Slot(*slot)).unwrap().is_none(), "slot {slot}");
        }
    }

    /// The leaves are the acknowledged ones and then perhaps some without an answer; the head is
    /// theirs, and all earlier heads are of the same tree.
    async fn check_log(&mut self, store: &Store, verifier: &LogVerifier) {
        let note = store.checkpoint().await.unwrap();
        let head = verifier.verify(&note).unwrap();
        let (mut leaves, mut trails) = (Vec::new(), BTreeMap::new());
        while (leaves.len() as u64) < head.size {
            let next = store.leaves(leaves.len() as u64, head.size).await.unwrap();
            assert!(!next.is_empty());
            leaves.extend(next);
        }
        let acknowledged = self.decisions.len();
        assert!(leaves.len() >= acknowledged, "acknowledged leaves are lost");
        for (index, leaf) in leaves.iter().enumerate() {
            assert!(!self.refused.contains(&leaf.id()), "a refused leaf");
            if index >= acknowledged {
                let planned = self.unknown.remove(&leaf.id());
                self.logged(planned.expect("a leaf that nobody sent"), index as u64);
            }
            let planned = &self.decisions[index];
            let expected = match planned.trail {
                Some(trail) => {
                    let before = trails.insert(trail, index as u64);
                    planned.leaf.following(&trail_key(trail), before)
                }
                None => planned.leaf,
            };
            assert_eq!(leaf.bytes(), expected.bytes());
        }
        // What is not in it now never will be.
        let lost = self.unknown.drain().map(|(name, _)| name);
        self.refused.extend(lost);

        self.heads.insert(head.size, head.root);
        let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        for (size, leaf) in (1..).zip(&leaves) {
            tree.push(leaf.bytes().to_vec());
            if let Some(root) = self.heads.get(&size) {
                assert_eq!(tree.root().as_bytes()[..], root[..], "the head of {size}");
            }
        }
        let highest = self.heads.keys().next_back();
        assert!(highest.is_none_or(|size| *size <= head.size));
    }

    pub async fn check_facts(&self, store: &Store, journal: &Journal) {
        for aggregate in 0..AGGREGATES {
            let found = store.facts(&[of(aggregate)]).await.unwrap();
            let version = Version(self.version(aggregate));
            assert_eq!(found.read, [(of(aggregate), version)]);
            let shown: BTreeMap<_, _> = found
                .facts
                .iter()
                .map(|fact| (fact.item, fact.bytes.to_vec()))
                .collect();
            let mine = self.facts.iter().filter(|(key, _)| key.0 == aggregate);
            let mine = mine.map(|((_, item), (text, _))| (id(*item), text.clone().into_bytes()));
            assert_eq!(shown, mine.collect());

            let opened = journal.open_parts(&found.parts).await.unwrap();
            assert_eq!(opened.len(), found.parts.len());
            let shown: BTreeMap<_, _> = opened
                .iter()
                .map(|found| {
                    let PartRef { item, class, .. } = &found.part;
                    ((*item, *class as u8), found.plain.to_vec())
                })
                .collect();
            let mine = self.parts.iter().filter(|(key, _)| key.0 == aggregate);
            let mine = mine.map(|((_, item, class), (_, text, _))| {
                ((id(*item), *class), text.clone().into_bytes())
            });
            assert_eq!(shown, mine.collect());
        }
    }

    async fn check_openings(&self, journal: &Journal) {
        let indices: Vec<u64> = (0..self.decisions.len() as u64).collect();
        for some in indices.chunks(256) {
            let opened = journal.entries(some).await.unwrap();
            let kept = some.iter().filter(|index| !self.forgotten.contains(index));
            let opened_indices = opened.iter().map(|(index, _, _)| index);
            assert!(opened_indices.eq(kept));
            for (index, _, plain) in opened {
                assert_eq!(plain.to_vec(), self.decisions[index as usize].opening);
            }
        }
    }

    async fn check_lists(&self, store: &Store) {
        for number in 0..LISTS {
            let found = store.list(&list(number), None, 1000).await.unwrap();
            let none = BTreeSet::new();
            let mine = self.lists.get(&number).unwrap_or(&none).iter();
            let mine = mine.map(|(at, index, item)| Listed {
                at: *at,
                index: *index,
                item: id(*item),
            });
            let mut mine: Vec<_> = mine.collect();
            mine.sort();
            assert_eq!(found, mine);
        }
        for number in 0..COUNTERS {
            let mine = self.counters.get(&number).copied().unwrap_or(0);
            assert_eq!(store.counted(&counter(number)).await.unwrap(), mine);
        }
    }

    /// Slots of items that are there, and of openings: their keys must be too.
    pub fn live(&self) -> Vec<u64> {
        let facts = self.facts.values().map(|(_, slot)| *slot);
        let parts = self.parts.values().map(|(_, _, slot)| *slot);
        let kept = (0..).zip(&self.decisions);
        let kept = kept.filter(|(index, _)| !self.forgotten.contains(index));
        let openings = kept.map(|(_, planned)| planned.opening_slot);
        facts.chain(parts).chain(openings).collect()
    }
}
