//! What decisions rest on, in memory: versions, where items lie, idempotency keys, counters.
//!
//! Derived from the frames only, and always complete: a miss here means that it is not in the
//! journal. Holds keyed hashes, random ids and places; never content.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use borsh::{BorshDeserialize, BorshSerialize};

use super::frame::{Change, Entry, Key, Span};
use crate::domain::codes::DataClass;
use crate::domain::id::Id;
use crate::domain::time::When;
use crate::store::COUNTERS_KEPT_HOURS;

/// The class of a fact, as `seal_context` has it.
pub const FACT: u8 = 255;
const SWEEP_EVERY_HOURS: i64 = 1;

/// Where the content of a change lies, or the head of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Place {
    pub segment: u32,
    pub offset: u32,
    pub length: u32,
}

/// A stored fact or part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Item {
    pub item: Id,
    /// [`FACT`], or the class of a part.
    pub class: u8,
    pub slot: u64,
    pub place: Place,
}

impl Item {
    pub fn data_class(&self) -> Option<DataClass> {
        let mut classes = DataClass::ALL.iter().copied();
        classes.find(|class| *class as u8 == self.class)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    pub version: u64,
    /// In the order in which they were written.
    pub items: Vec<Item>,
}

/// Items under legal hold, each with what was removed or replaced since and is kept for it, by slot.
type Holds = HashMap<(Key, Id), BTreeMap<u64, Item>>;

/// An idempotency record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    pub index: u64,
    pub request: [u8; 32],
    pub until: i64,
    /// The head of its entry, where it lies among the names, with its reply.
    pub place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counted {
    sum: u32,
    touched: i64,
}

/// Keys are keyed hashes already, so their first bytes serve as they are.
#[derive(Default)]
pub struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some((first, _)) = bytes.split_first_chunk::<8>() {
            self.0 ^= u64::from_le_bytes(*first);
        }
    }

    /// The length, which all keys share.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// By keyed hash.
pub type Keyed<T> = HashMap<Key, T, BuildHasherDefault<KeyHasher>>;

/// All that the frames say, one change after another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    records: Keyed<Record>,
    replays: Keyed<Replayed>,
    counters: Keyed<Counted>,
    holds: Holds,
    swept: i64,
}

/// An item of a copy whose key was erased after it.
pub struct Gone {
    pub of: Key,
    pub item: Id,
    pub slot: u64,
    /// It was kept under a hold, which has ended since.
    pub held: bool,
}

/// Which leaf changes the table.
#[derive(Clone, Copy)]
pub struct At {
    pub index: u64,
    pub when: When,
}

/// One change of the table, without the content that it points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Op {
    Put {
        of: Key,
        item: Item,
    },
    Remove {
        of: Key,
        item: Id,
    },
    Count {
        counter: Key,
        by: u32,
    },
    Replay {
        key: Key,
        request: [u8; 32],
        until: i64,
        place: Place,
    },
    Hold {
        of: Key,
        item: Id,
    },
    Release {
        of: Key,
        item: Id,
    },
    Follow {
        of: Key,
    },
    /// The account of an earlier entry is gone.
    Forget {
        slot: u64,
    },
}

impl Op {
    /// The same, when the entry's bytes begin at `offset` of `segment` and not at its beginning.
    #[must_use]
    pub fn moved_to(mut self, segment: u32, offset: u32) -> Self {
        if let Self::Put {
            item: Item { place, .. },
            ..
        }
        | Self::Replay { place, .. } = &mut self
        {
            place.segment = segment;
            place.offset = place.offset.saturating_add(offset);
        }
        self
    }

    /// The aggregate whose version it moves.
    pub fn moves(&self) -> Option<&Key> {
        match self {
            Self::Put { of, .. }
            | Self::Remove { of, .. }
            | Self::Hold { of, .. }
            | Self::Release { of, .. }
            | Self::Follow { of } => Some(of),
            Self::Count { .. } | Self::Replay { .. } | Self::Forget { .. } => None,
        }
    }
}

/// What an entry changes; places are counted from the beginning of its bytes.
pub fn ops(entry: &Entry, spans: &[Span]) -> Vec<Op> {
    let place = |span: &Span| Place {
        segment: 0,
        offset: span.start as u32,
        length: span.len() as u32,
    };
    let changes = entry.changes.iter().zip(spans);
    let mut ops: Vec<Op> = changes
        .filter_map(|(change, span)| {
            let put = |of, item, class, slot| {
                let place = place(span);
                let item = Item {
                    item,
                    class,
                    slot,
                    place,
                };
                Some(Op::Put { of, item })
            };
            match change {
                Change::Fact { of, item, sealed } => put(*of, *item, FACT, sealed.slot().0),
                Change::Part {
                    of,
                    item,
                    class,
                    sealed,
                } => put(*of, *item, *class as u8, sealed.slot().0),
                Change::Remove { of, item } => Some(Op::Remove {
                    of: *of,
                    item: *item,
                }),
                Change::Count { counter, by } => Some(Op::Count {
                    counter: *counter,
                    by: *by,
                }),
                Change::Hold { of, item } => Some(Op::Hold {
                    of: *of,
                    item: *item,
                }),
                Change::Release { of, item } => Some(Op::Release {
                    of: *of,
                    item: *item,
                }),
                Change::Follow { of } => Some(Op::Follow { of: *of }),
                Change::Forget { slot } => Some(Op::Forget { slot: *slot }),
                Change::List { .. } | Change::Unlist { .. } => None,
            }
        })
        .collect();
    // A hold counts before the rest of its decision and a release after it.
    ops.sort_by_key(|op| match op {
        Op::Hold { .. } => 0,
        Op::Put { .. }
        | Op::Remove { .. }
        | Op::Count { .. }
        | Op::Replay { .. }
        | Op::Follow { .. }
        | Op::Forget { .. } => 1,
        Op::Release { .. } => 2,
    });
    let replay = entry.replay.as_ref().zip(spans.get(entry.changes.len()));
    ops.extend(replay.map(|(replay, span)| Op::Replay {
        key: replay.key,
        request: replay.request,
        until: replay.until,
        place: place(span),
    }));
    ops
}

impl Table {
    pub fn record(&self, of: &Key) -> Option<&Record> {
        self.records.get(of)
    }

    pub fn version(&self, of: &Key) -> u64 {
        self.records.get(of).map_or(0, |record| record.version)
    }

    /// The idempotency record, unless it has run out at `now`.
    pub fn replay(&self, key: &Key, now: When) -> Option<&Replayed> {
        let found = self.replays.get(key)?;
        (found.until > now.millis()).then_some(found)
    }

    pub fn counted(&self, counter: &Key) -> u32 {
        self.counters.get(counter).map_or(0, |counted| counted.sum)
    }

    pub fn records(&self) -> impl Iterator<Item = (&Key, &Record)> {
        self.records.iter()
    }

    /// Items under hold, with what is kept for each.
    pub fn holds(&self) -> impl Iterator<Item = (&(Key, Id), &BTreeMap<u64, Item>)> {
        self.holds.iter()
    }

    /// Counters, what they stand at, and when they counted last, in milliseconds.
    pub fn counters(&self) -> impl Iterator<Item = (&Key, u32, i64)> {
        let counters = self.counters.iter();
        counters.map(|(key, counted)| (key, counted.sum, counted.touched))
    }

    pub fn replays(&self) -> impl Iterator<Item = (&[u8; 16], &Replayed)> {
        self.replays.iter()
    }

    /// Slots of all items that exist, and of what is kept under a hold.
    pub fn slots(&self) -> impl Iterator<Item = u64> + '_ {
        let items = self.records.values().flat_map(|record| &record.items);
        let kept = self.holds.values().flat_map(BTreeMap::values);
        items.chain(kept).map(|item| item.slot)
    }

    /// Takes out every item whose slot is `gone`, and says which; only for a table of a copy. Until
    /// the log says so too, the next start finds them again.
    pub fn take_out(&mut self, gone: impl Fn(u64) -> bool) -> Vec<Gone> {
        let mut taken = Vec::new();
        for (of, record) in &mut self.records {
            for item in record.items.extract_if(.., |item| gone(item.slot)) {
                taken.push(Gone {
                    of: *of,
                    item: item.item,
                    slot: item.slot,
                    held: false,
                });
            }
        }
        for ((of, item), kept) in &mut self.holds {
            for (slot, _) in kept.extract_if(.., |slot, _| gone(*slot)) {
                taken.push(Gone {
                    of: *of,
                    item: *item,
                    slot,
                    held: true,
                });
            }
        }
        taken
    }

    /// Applies the next change. Slots whose items are gone are added to `dead`.
    pub fn apply(&mut self, at: At, op: Op, dead: &mut Vec<u64>) {
        match op {
            Op::Put { of, item } => {
                self.moved(of, at);
                self.put(of, item, dead);
            }
            Op::Remove { of, item } => {
                self.moved(of, at);
                self.drop_items(of, |old| old.item == item, dead);
                // Its version is kept for ever; its room is not.
                if let Some(record) = self.records.get_mut(&of) {
                    record.items.shrink_to_fit();
                }
            }
            Op::Hold { of, item } => {
                self.moved(of, at);
                self.holds.entry((of, item)).or_default();
            }
            Op::Release { of, item } => {
                self.moved(of, at);
                self.release(of, item, dead);
            }
            Op::Follow { of } => {
                self.moved(of, at);
            }
            Op::Forget { slot } => dead.push(slot),
            Op::Count { counter, by } => {
                let touched = at.when.millis();
                let new = Counted { sum: 0, touched };
                let counted = self.counters.entry(counter).or_insert(new);
                counted.sum = counted.sum.saturating_add(by);
                counted.touched = counted.touched.max(touched);
            }
            Op::Replay {
                key,
                request,
                until,
                place,
            } => {
                let index = at.index;
                let kept = Replayed {
                    index,
                    request,
                    until,
                    place,
                };
                self.replays.insert(key, kept);
            }
        }
    }

    /// Forgets idempotency keys and counters that have run out, once for each hour of the log.
    pub fn sweep(&mut self, now: When) {
        if now < When::from_millis(self.swept).plus_hours(SWEEP_EVERY_HOURS) {
            return;
        }
        self.swept = now.millis();
        let oldest = now.plus_hours(-COUNTERS_KEPT_HOURS).millis();
        self.replays.retain(|_, replay| replay.until > now.millis());
        self.counters.retain(|_, counted| counted.touched >= oldest);
    }

    fn moved(&mut self, of: Key, at: At) -> &mut Record {
        let record = self.records.entry(of).or_default();
        record.version = at.index.saturating_add(1);
        record
    }

    /// A fact replaces the fact of the same item, a part the part of the same item and class.
    fn put(&mut self, of: Key, new: Item, dead: &mut Vec<u64>) {
        self.drop_items(
            of,
            |old| old.item == new.item && old.class == new.class,
            dead,
        );
        let items = &mut self.records.entry(of).or_default().items;
        // A new vector takes room for four, and most aggregates are link tokens with one item each.
        if items.is_empty() {
            items.reserve_exact(1);
        }
        items.push(new);
    }

    fn drop_items(&mut self, of: Key, gone: impl Fn(&Item) -> bool, dead: &mut Vec<u64>) {
        let Some(record) = self.records.get_mut(&of) else {
            return;
        };
        for item in record.items.extract_if(.., |item| gone(item)) {
            keep_or_erase(&mut self.holds, of, item, dead);
        }
    }

    fn release(&mut self, of: Key, item: Id, dead: &mut Vec<u64>) {
        let kept = self.holds.remove(&(of, item)).unwrap_or_default();
        dead.extend(kept.into_keys());
    }
}

fn keep_or_erase(holds: &mut Holds, of: Key, item: Item, dead: &mut Vec<u64>) {
    match holds.get_mut(&(of, item.item)) {
        Some(kept) => {
            kept.insert(item.slot, item);
        }
        None => dead.push(item.slot),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ran_out_is_forgotten_and_what_did_not_is_kept() {
        let mut table = Table::default();
        let start = When::from_millis(1_000_000_000);
        let at = At {
            index: 0,
            when: start,
        };
        let until = start.plus_hours(2).millis();
        let replay = Op::Replay {
            key: [1; 16],
            request: [0; 32],
            until,
            place: Place {
                segment: 1,
                offset: 0,
                length: 1,
            },
        };
        table.apply(at, replay, &mut Vec::new());
        table.apply(
            at,
            Op::Count {
                counter: [2; 16],
                by: 3,
            },
            &mut Vec::new(),
        );
        table.sweep(start.plus_hours(1));
        assert!(table.replay(&[1; 16], start.plus_hours(1)).is_some());
        assert!(table.replay(&[1; 16], start.plus_hours(2)).is_none());
        // The officer who comes a week later still sees how many signs there were.
        table.sweep(start.plus_hours(COUNTERS_KEPT_HOURS));
        assert!(table.replays.is_empty());
        assert_eq!(table.counted(&[2; 16]), 3);
        table.sweep(start.plus_hours(COUNTERS_KEPT_HOURS + 2));
        assert_eq!(table.counted(&[2; 16]), 0);
    }

    #[test]
    fn what_is_held_is_gone_but_its_slots_are_kept_until_the_release() {
        let mut table = Table::default();
        let (of, id) = ([0; 16], Id::from_bytes([1; 16]));
        let place = Place {
            segment: 1,
            offset: 0,
            length: 1,
        };
        let at = At {
            index: 4,
            when: When::from_millis(0),
        };
        let put = |slot, class| {
            let item = Item {
                item: id,
                class,
                slot,
                place,
            };
            Op::Put { of, item }
        };
        let mut dead = Vec::new();
        let ops = [
            put(1, FACT),
            put(2, FACT),
            Op::Hold { of, item: id },
            put(3, FACT),
            put(4, 0),
            Op::Remove { of, item: id },
        ];
        for op in ops {
            table.apply(at, op, &mut dead);
        }
        assert_eq!(dead, [1]);
        assert!(table.record(&of).unwrap().items.is_empty());
        assert_eq!(table.slots().collect::<Vec<_>>(), [2, 3, 4]);
        table.apply(at, put(5, FACT), &mut dead);
        table.apply(at, Op::Release { of, item: id }, &mut dead);
        assert_eq!(dead, [1, 2, 3, 4]);
        assert_eq!(table.slots().collect::<Vec<_>>(), [5]);
        table.apply(at, Op::Remove { of, item: id }, &mut dead);
        assert_eq!(dead, [1, 2, 3, 4, 5]);
    }

    #[test]
    fn an_aggregate_with_one_item_takes_room_for_one_and_an_empty_one_for_none() {
        let mut table = Table::default();
        let (of, id) = ([0; 16], Id::from_bytes([1; 16]));
        let at = At {
            index: 0,
            when: When::from_millis(0),
        };
        let item = Item {
            item: id,
            class: FACT,
            slot: 1,
            place: Place {
                segment: 1,
                offset: 0,
                length: 1,
            },
        };
        table.apply(at, Op::Put { of, item }, &mut Vec::new());
        assert_eq!(table.record(&of).unwrap().items.capacity(), 1);
        // Replaced in place, as when a key is renewed.
        table.apply(at, Op::Put { of, item }, &mut Vec::new());
        assert_eq!(table.record(&of).unwrap().items.capacity(), 1);
        table.apply(at, Op::Remove { of, item: id }, &mut Vec::new());
        assert_eq!(table.record(&of).unwrap().items.capacity(), 0);
        assert_eq!(table.version(&of), 1);
    }

    #[test]
    fn removing_an_item_frees_the_slots_of_its_fact_and_all_its_parts() {
        let mut table = Table::default();
        let place = Place {
            segment: 1,
            offset: 0,
            length: 1,
        };
        let id = Id::from_bytes([1; 16]);
        let at = At {
            index: 4,
            when: When::from_millis(0),
        };
        let mut dead = Vec::new();
        for (slot, class) in [(1, FACT), (2, 0), (3, 1), (4, 0)] {
            let item = Item {
                item: id,
                class,
                slot,
                place,
            };
            table.apply(at, Op::Put { of: [0; 16], item }, &mut dead);
        }
        assert_eq!(dead, [2]);
        table.apply(
            at,
            Op::Remove {
                of: [0; 16],
                item: id,
            },
            &mut dead,
        );
        assert_eq!(dead, [2, 1, 3, 4]);
        assert_eq!(table.version(&[0; 16]), 5);
    }
}
