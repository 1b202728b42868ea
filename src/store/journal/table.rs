//! What decisions rest on, in memory: versions, where items lie, idempotency keys, counters.
//!
//! Derived from the frames only, and always complete: a miss here means that it is not in the
//! journal. Holds keyed hashes, random ids and places; never content.

use std::collections::{BTreeMap, HashMap};

use borsh::{BorshDeserialize, BorshSerialize};

use super::frame::{Change, Entry, KeptReplay, Key, Span};
use crate::domain::codes::DataClass;
use crate::domain::id::Id;
use crate::domain::time::When;

/// The class of a fact, as `seal_context` has it.
pub const FACT: u8 = 255;
/// A counter is forgotten when it was not touched for so long: longer than any window it counts.
const COUNTER_KEPT_HOURS: i64 = 48;
const SWEEP_EVERY_HOURS: i64 = 1;

/// Where the bytes of a change lie.
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

#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Record {
    pub version: u64,
    /// In the order in which they were written.
    pub items: Vec<Item>,
    /// What one segment did to older items, or to its own that are gone; empty in the whole table.
    past: Vec<Past>,
}

/// What must be done again, in order, when the part of a segment is merged: whether a key goes
/// with its item depends on holds that older segments set.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
enum Past {
    Removed(Id),
    /// By an item of this segment, before a hold was set or ended.
    Replaced(Id, u8),
    /// Written and gone again within the segment.
    Left(Item),
    Held(Id),
    Released(Id),
}

/// Items under legal hold, each with what was removed or replaced since and is kept for it, by slot.
type Holds = HashMap<(Key, Id), BTreeMap<u64, Item>>;

#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Replayed {
    pub index: u64,
    pub request: [u8; 32],
    pub until: i64,
    /// As it is stored, sealed.
    pub reply: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
struct Counted {
    sum: u32,
    touched: i64,
}

/// The whole table, or the part of it that one segment wrote. Encoded, it is sorted by key.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Table {
    records: HashMap<Key, Record>,
    replays: HashMap<[u8; 16], Replayed>,
    counters: HashMap<Key, Counted>,
    /// Empty in the part of a segment, whose [`Past`] tells.
    holds: Holds,
    swept: i64,
}

/// Which leaf changes the table.
#[derive(Clone, Copy)]
pub struct At {
    pub index: u64,
    pub when: When,
}

/// One change of the table, without the content that it points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    Put { of: Key, item: Item },
    Remove { of: Key, item: Id },
    Count { counter: Key, by: u32 },
    Replay(KeptReplay),
    Hold { of: Key, item: Id },
    Release { of: Key, item: Id },
}

/// What an entry changes, when its bytes begin at `offset` of `segment`.
pub fn ops(entry: &Entry, spans: &[Span], segment: u32, offset: u32) -> Vec<Op> {
    let changes = entry.changes.iter().zip(spans);
    let mut ops: Vec<Op> = changes
        .filter_map(|(change, span)| {
            let put = |of, item, class, slot| {
                let place = Place {
                    segment,
                    offset: offset.saturating_add(span.start as u32),
                    length: span.len() as u32,
                };
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
                Change::List { .. } | Change::Unlist { .. } => None,
            }
        })
        .collect();
    // A hold counts before the rest of its decision and a release after it.
    ops.sort_by_key(|op| match op {
        Op::Hold { .. } => 0,
        Op::Put { .. } | Op::Remove { .. } | Op::Count { .. } | Op::Replay(_) => 1,
        Op::Release { .. } => 2,
    });
    ops.extend(entry.replay.clone().map(Op::Replay));
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
    pub fn replay(&self, key: &[u8; 16], now: When) -> Option<&Replayed> {
        let found = self.replays.get(key)?;
        (found.until > now.millis()).then_some(found)
    }

    pub fn counted(&self, counter: &Key) -> u32 {
        self.counters.get(counter).map_or(0, |counted| counted.sum)
    }

    /// Slots of all items that exist, and of what is kept under a hold.
    pub fn slots(&self) -> impl Iterator<Item = u64> + '_ {
        let items = self.records.values().flat_map(|record| &record.items);
        let kept = self.holds.values().flat_map(BTreeMap::values);
        items.chain(kept).map(|item| item.slot)
    }

    /// Applies a change of the whole table. Slots whose items are gone are added to `dead`.
    pub fn apply(&mut self, at: At, op: Op, dead: &mut Vec<u64>) {
        match op {
            Op::Put { of, item } => {
                self.moved(of, at);
                self.put(of, item, dead);
            }
            Op::Remove { of, item } => {
                self.moved(of, at);
                self.drop_items(of, |old| old.item == item, dead);
            }
            Op::Hold { of, item } => {
                self.moved(of, at);
                self.holds.entry((of, item)).or_default();
            }
            Op::Release { of, item } => {
                self.moved(of, at);
                self.release(of, item, dead);
            }
            Op::Count { counter, by } => {
                let touched = at.when.millis();
                let new = Counted { sum: 0, touched };
                let counted = self.counters.entry(counter).or_insert(new);
                counted.sum = counted.sum.saturating_add(by);
                counted.touched = counted.touched.max(touched);
            }
            Op::Replay(KeptReplay {
                key,
                request,
                until,
                reply,
            }) => {
                let index = at.index;
                let kept = Replayed {
                    index,
                    request,
                    until,
                    reply,
                };
                self.replays.insert(key, kept);
            }
        }
    }

    /// Applies a change to the part that one segment wrote, which may remove what older ones hold.
    pub fn apply_in_part(&mut self, at: At, op: Op) {
        match &op {
            Op::Put { of, item } => {
                let record = self.moved(*of, at);
                let same = |old: &Item| old.item == item.item && old.class == item.class;
                record.leave(same);
            }
            Op::Remove { of, item } => {
                let record = self.moved(*of, at);
                record.leave(|old| old.item == *item);
                record.past.push(Past::Removed(*item));
            }
            Op::Hold { of, item } => {
                let record = self.moved(*of, at);
                record.replaced_so_far(*item);
                record.past.push(Past::Held(*item));
                return;
            }
            Op::Release { of, item } => {
                let record = self.moved(*of, at);
                record.replaced_so_far(*item);
                record.past.push(Past::Released(*item));
                return;
            }
            Op::Count { .. } | Op::Replay(_) => {}
        }
        self.apply(at, op, &mut Vec::new());
    }

    /// Adds what a later segment wrote.
    pub fn merge(&mut self, part: Self) {
        for (
            of,
            Record {
                version,
                items,
                past,
            },
        ) in part.records
        {
            let dead = &mut Vec::new();
            self.records.entry(of).or_default().version = version;
            for past in past {
                match past {
                    Past::Removed(id) => self.drop_items(of, |old| old.item == id, dead),
                    Past::Replaced(id, class) => {
                        self.drop_items(of, |old| old.item == id && old.class == class, dead);
                    }
                    Past::Left(item) => keep_or_erase(&mut self.holds, of, item, dead),
                    Past::Held(id) => {
                        self.holds.entry((of, id)).or_default();
                    }
                    Past::Released(id) => self.release(of, id, dead),
                }
            }
            items.into_iter().for_each(|item| self.put(of, item, dead));
        }
        self.replays.extend(part.replays);
        for (counter, Counted { sum, touched }) in part.counters {
            let counted = self
                .counters
                .entry(counter)
                .or_insert(Counted { sum: 0, touched });
            counted.sum = counted.sum.saturating_add(sum);
            counted.touched = counted.touched.max(touched);
        }
    }

    /// Forgets idempotency keys and counters that have run out, once for each hour of the log.
    pub fn sweep(&mut self, now: When) {
        if now < When::from_millis(self.swept).plus_hours(SWEEP_EVERY_HOURS) {
            return;
        }
        self.swept = now.millis();
        let oldest = now.plus_hours(-COUNTER_KEPT_HOURS).millis();
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
        self.records.entry(of).or_default().items.push(new);
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

/// In the part of a segment.
impl Record {
    /// Notes which of the segment's own items go.
    fn leave(&mut self, gone: impl Fn(&Item) -> bool) {
        let going = self.items.extract_if(.., |item| gone(item));
        self.past.extend(going.map(Past::Left));
    }

    /// Notes what the segment's items replaced, before a hold of theirs changes.
    fn replaced_so_far(&mut self, id: Id) {
        let own = self.items.iter().filter(|item| item.item == id);
        self.past
            .extend(own.map(|item| Past::Replaced(item.item, item.class)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_op() -> impl Strategy<Value = Op> {
        let key = (0..3_u8).prop_map(|n| [n; 16]);
        let id = (0..4_u8).prop_map(|n| Id::from_bytes([n; 16]));
        let class = prop_oneof![Just(FACT), 0..2_u8];
        let place = Place {
            segment: 1,
            offset: 0,
            length: 1,
        };
        prop_oneof![
            4 => (key.clone(), id.clone(), class).prop_map(move |(of, item, class)| {
                Op::Put { of, item: Item { item, class, slot: 0, place } }
            }),
            2 => (key.clone(), id.clone()).prop_map(|(of, item)| Op::Remove { of, item }),
            1 => (key.clone(), id.clone()).prop_map(|(of, item)| Op::Hold { of, item }),
            1 => (key.clone(), id.clone()).prop_map(|(of, item)| Op::Release { of, item }),
            1 => (key.clone(), 0..9_u32).prop_map(|(counter, by)| Op::Count { counter, by }),
            1 => key.prop_map(|key| {
                Op::Replay(KeptReplay { key, request: key.map(|b| b).repeat(2).try_into().unwrap(),
                    until: 5, reply: vec![] })
            }),
        ]
    }

    proptest! {
        /// Parts by segment, merged, are the table that the changes make one after another.
        #[test]
        fn the_parts_of_segments_add_up_to_the_whole(
            ops in prop::collection::vec(any_op(), 0..60),
            cuts in prop::collection::vec(any::<bool>(), 60),
        ) {
            let (mut whole, mut merged, mut part) = <(Table, Table, Table)>::default();
            for (n, (mut op, cut)) in ops.into_iter().zip(cuts).enumerate() {
                if let Op::Put { item, .. } = &mut op {
                    item.slot = n as u64 + 1;
                }
                let at = At { index: n as u64, when: When::from_millis(n as i64) };
                whole.apply(at, op.clone(), &mut Vec::new());
                part.apply_in_part(at, op);
                if cut {
                    let bytes = borsh::to_vec(&part).unwrap();
                    merged.merge(Table::try_from_slice(&bytes).unwrap());
                    part = Table::default();
                }
            }
            merged.merge(part);
            prop_assert_eq!(merged, whole);
        }
    }

    #[test]
    fn what_ran_out_is_forgotten_and_what_did_not_is_kept() {
        let mut table = Table::default();
        let start = When::from_millis(1_000_000_000);
        let at = At {
            index: 0,
            when: start,
        };
        let until = start.plus_hours(2).millis();
        let replay = KeptReplay {
            key: [1; 16],
            request: [0; 32],
            until,
            reply: vec![],
        };
        table.apply(at, Op::Replay(replay), &mut Vec::new());
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
        table.sweep(start.plus_hours(48));
        assert!(table.replays.is_empty());
        assert_eq!(table.counted(&[2; 16]), 3);
        table.sweep(start.plus_hours(50));
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
