//! Which records hold a key: a multi-map of 8 bytes an entry, with open addressing.
//!
//! It keeps the first 32 bits of a key, its *mark*, and the number of the record; whoever asks
//! compares the whole key. Keys are keyed hashes already, so a mark is used as it is: its place is
//! its share of the whole range, which lets the map grow by half and fills it in order.

/// Records that may share a key before it finds none of them.
///
/// So many are found by a name and a year that are very common, and comparing them all would take
/// longer than all else. Any choice among them would be chance, and might leave out the one who
/// makes a link doubtful: so such a key is as if it had not been asked, and that is told. It stays
/// so until the index is made anew, however many are removed.
pub const RECORDS_A_KEY_MAX: usize = 64;

/// No record: the last number is never given out.
const EMPTY: u32 = u32::MAX;
const SLOTS_MIN: usize = 64;
/// Grown when more than four fifths are in use.
const LOAD: (usize, usize) = (4, 5);

#[derive(Clone, Copy)]
struct Slot {
    mark: u32,
    record: u32,
}

const FREE: Slot = Slot {
    mark: 0,
    record: EMPTY,
};

/// Entries lie at the place of their mark or after it, without a free slot in between; after the
/// last slot comes the first.
pub(super) struct KeyMap {
    slots: Vec<Slot>,
    used: usize,
}

impl KeyMap {
    pub(super) fn new() -> Self {
        Self {
            slots: vec![FREE; SLOTS_MIN],
            used: 0,
        }
    }

    fn home(&self, mark: u32) -> usize {
        // Below the number of slots, so it fits.
        ((u64::from(mark) * self.slots.len() as u64) >> 32) as usize
    }

    /// Reads a slot at the place of each mark, one after another, so that the memory's delays
    /// overlap: none of these waits for another.
    pub(super) fn fetch(&self, marks: &[u32]) {
        let slots = marks
            .iter()
            .filter_map(|mark| self.slots.get(self.home(*mark)));
        std::hint::black_box(slots.fold(0, |all, slot| all ^ slot.record));
    }

    /// Records with a key of this mark, most often with the same key; `None` if they are too many.
    pub(super) fn records(&self, mark: u32, into: &mut Vec<u32>) -> Option<()> {
        let before = into.len();
        for slot in self.run(mark).filter(|slot| slot.mark == mark) {
            if into.len() - before == RECORDS_A_KEY_MAX {
                into.truncate(before);
                return None;
            }
            into.push(slot.record);
        }
        Some(())
    }

    /// One more record with a key. Of one that too many share already, nothing is kept.
    pub(super) fn insert(&mut self, mark: u32, record: u32) {
        if self.is_common(mark) {
            return;
        }
        if (self.used + 1) * LOAD.1 > self.slots.len() * LOAD.0 {
            self.grow();
        }
        self.used += 1;
        self.place(Slot { mark, record });
    }

    /// Takes out one entry, unless too many share the key: then all of them stay, so that the key
    /// goes on being known as one of too many.
    pub(super) fn remove(&mut self, mark: u32, record: u32) {
        if self.is_common(mark) {
            return;
        }
        let is_it = |slot: &Slot| slot.mark == mark && slot.record == record;
        let Some(after) = self.run(mark).position(is_it) else {
            return;
        };
        self.used -= 1;
        self.close(self.wrapped(self.home(mark) + after));
    }

    /// One entry more than may be found is kept, and shows it.
    fn is_common(&self, mark: u32) -> bool {
        let same = self.run(mark).filter(|slot| slot.mark == mark);
        same.count() > RECORDS_A_KEY_MAX
    }

    /// The slots from the place of a mark to the next free one.
    fn run(&self, mark: u32) -> impl Iterator<Item = &Slot> {
        let (before, from) = self.slots.split_at(self.home(mark));
        let slots = from.iter().chain(before);
        slots.take_while(|slot| slot.record != EMPTY)
    }

    fn place(&mut self, new: Slot) {
        let home = self.home(new.mark);
        let (before, from) = self.slots.split_at_mut(home);
        let mut slots = from.iter_mut().chain(before);
        if let Some(free) = slots.find(|slot| slot.record == EMPTY) {
            *free = new;
        }
    }

    fn grow(&mut self) {
        let slots = vec![FREE; self.slots.len() + self.slots.len() / 2];
        let old = std::mem::replace(&mut self.slots, slots);
        for slot in old.into_iter().filter(|slot| slot.record != EMPTY) {
            self.place(slot);
        }
    }

    /// Frees a slot, and moves back what lies after it and would no longer be found.
    fn close(&mut self, mut hole: usize) {
        let mut next = hole;
        loop {
            next = self.wrapped(next + 1);
            let Some(slot) = self.slots.get(next).copied() else {
                break;
            };
            if slot.record == EMPTY {
                break;
            }
            // At its home or between there and the hole: it is found without being moved.
            if self.steps(self.home(slot.mark), next) >= self.steps(hole, next) {
                self.set(hole, slot);
                hole = next;
            }
        }
        self.set(hole, FREE);
    }

    fn set(&mut self, place: usize, slot: Slot) {
        if let Some(held) = self.slots.get_mut(place) {
            *held = slot;
        }
    }

    fn wrapped(&self, place: usize) -> usize {
        place % self.slots.len()
    }

    fn steps(&self, from: usize, to: usize) -> usize {
        self.wrapped(to + self.slots.len() - from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn found(map: &KeyMap, mark: u32) -> Option<Vec<u32>> {
        let mut records = Vec::new();
        map.records(mark, &mut records)?;
        records.sort_unstable();
        Some(records)
    }

    #[test]
    fn a_key_of_too_many_finds_none_and_stays_so() {
        let mut map = KeyMap::new();
        let max = RECORDS_A_KEY_MAX as u32;
        for record in 0..max {
            map.insert(9, record);
        }
        assert_eq!(found(&map, 9), Some((0..max).collect()));
        for record in max..10 * max {
            map.insert(9, record);
        }
        assert_eq!(map.used, RECORDS_A_KEY_MAX + 1);
        for record in 0..10 * max {
            map.remove(9, record);
        }
        assert_eq!(found(&map, 9), None);
        assert_eq!(found(&map, 10), Some(Vec::new()));
    }

    #[test]
    fn what_was_found_of_other_keys_is_kept_when_one_is_of_too_many() {
        let mut map = KeyMap::new();
        for record in 0..=RECORDS_A_KEY_MAX as u32 {
            map.insert(9, record);
        }
        let mut records = vec![7];
        assert!(map.records(9, &mut records).is_none());
        assert_eq!(records, [7]);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u32, u32),
        Remove(u32, u32),
    }

    /// Marks that crowd at both ends, so that runs are long and go over the end.
    fn mark() -> impl Strategy<Value = u32> {
        prop_oneof![
            0_u32..4,
            (0_u32..4).prop_map(|back| u32::MAX - back),
            any::<u32>()
        ]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (mark(), 0_u32..40).prop_map(|(mark, record)| Step::Insert(mark, record)),
            1 => (mark(), 0_u32..40).prop_map(|(mark, record)| Step::Remove(mark, record)),
        ]
    }

    proptest! {
        #[test]
        fn it_holds_what_a_plain_map_of_sets_holds(
            steps in proptest::collection::vec(step(), 0..150),
        ) {
            let (mut map, mut model) = (KeyMap::new(), BTreeMap::<u32, BTreeSet<u32>>::new());
            for step in steps {
                match step {
                    Step::Insert(mark, record) => {
                        if model.entry(mark).or_default().insert(record) {
                            map.insert(mark, record);
                        }
                    }
                    Step::Remove(mark, record) => {
                        model.entry(mark).or_default().remove(&record);
                        map.remove(mark, record);
                    }
                }
                prop_assert_eq!(map.used, model.values().map(BTreeSet::len).sum::<usize>());
            }
            for (mark, records) in &model {
                prop_assert_eq!(found(&map, *mark), Some(records.iter().copied().collect()));
            }
        }
    }
}
