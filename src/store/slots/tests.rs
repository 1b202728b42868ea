//! The slot file keeps its promises, also when the key changes and the machine stops.

use std::os::unix::fs::PermissionsExt;

use super::file::HEADER_BLOCK_BYTES;
use super::*;

fn open(path: &Path) -> Slots {
    Slots::open(&Disk::Real, path, &[7; 32], &[1; 16]).unwrap()
}

fn set(slots: &[u64]) -> SlotSet {
    let mut set = SlotSet::default();
    slots.iter().for_each(|slot| set.insert(*slot));
    set
}

fn sealed(key: &ItemKey) -> crate::domain::decision::SealedFact {
    use crate::domain::{decision::Aggregate, id::Id, seal};
    seal::fact(key, &Aggregate::Settings, Id::ZERO, b"x", [0; 12])
}

fn opens(sealed: &crate::domain::decision::SealedFact, key: &ItemKey) -> bool {
    use crate::domain::decision::{Aggregate, seal_context};
    let context = seal_context(&Aggregate::Settings, crate::domain::id::Id::ZERO, None);
    sealed.sealed().open(key, &context).is_some()
}

#[test]
fn a_key_is_the_same_after_reopening_and_gone_after_erasing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("slots");
    let slots = open(&path);
    let keys = slots.reserve(3).unwrap();
    let facts: Vec<_> = keys.iter().map(sealed).collect();
    let numbers: Vec<_> = keys.iter().map(|key| key.slot().0).collect();
    assert!(slots.claim(&numbers));
    drop(slots);

    let slots = open(&path);
    let live = set(&numbers);
    assert_eq!(slots.reconcile(&live, &live).unwrap(), 0);
    for (fact, key) in facts.iter().zip(&keys) {
        let again = slots.key(key.slot()).unwrap().unwrap();
        assert!(opens(fact, &again));
    }
    slots.erase(&numbers[..1]).unwrap();
    assert!(slots.key(Slot(numbers[0])).unwrap().is_none());
    assert!(slots.key(Slot(numbers[1])).unwrap().is_some());
}

#[test]
fn what_the_journal_removed_is_erased_and_what_it_never_used_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("slots");
    let slots = open(&path);
    let count = slots.reserve(4).unwrap().len();
    assert_eq!(count, 4);
    let before = slots.key(Slot(3)).unwrap().unwrap();
    drop(slots);
    let slots = open(&path);
    assert_eq!(slots.reconcile(&set(&[1, 2]), &set(&[2])).unwrap(), 0);
    assert!(slots.key(Slot(1)).unwrap().is_none());
    assert!(slots.key(Slot(2)).unwrap().is_some());
    // Everything that is handed out from now on is something else.
    assert!(!slots.has_ready(1));
    let all = slots.reserve(RESERVE_SLOTS_MAX).unwrap();
    assert!(all.iter().all(|key| key.slot().0 > 2));
    let again = all.iter().find(|key| key.slot() == Slot(3)).unwrap();
    assert!(!opens(&sealed(&before), again));
}

#[test]
fn a_file_that_is_not_ours_is_never_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("root.key");
    for other in [b"some other key".as_slice(), &[7; 5000]] {
        std::fs::write(&path, other).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
        let refused = Slots::open(&Disk::Real, &path, &[7; 32], &[1; 16]);
        assert!(matches!(refused, Err(OpenError::SlotsKey(_))));
        assert_eq!(std::fs::read(&path).unwrap(), other);
    }
}

/// After a start, slots behind the last one used are made again; a change of epoch that has copied
/// so far must not bring the older ones back.
#[test]
fn slots_that_are_made_again_during_a_change_keep_their_new_keys() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("slots");
    let (slots, facts) = used(&path, 3);
    drop(slots);
    let slots = open(&path);
    let all = set(&[1, 2, 3]);
    assert_eq!(slots.reconcile(&all, &all).unwrap(), 0);
    slots.rewrap(NIGHT).unwrap();
    check(&slots, &facts, &[]);
    let made: Vec<_> = slots.reserve(5).unwrap().iter().map(sealed).collect();
    slots.rewrap(NIGHT).unwrap();
    check(&slots, &made, &[]);
}

#[test]
fn a_slot_file_older_than_the_journal_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let slots = open(&dir.path().join("slots"));
    slots.reserve(1).unwrap();
    slots.erase(&[1]).unwrap();
    let live = set(&[1, GROWTH_SLOTS + 9]);
    assert_eq!(slots.reconcile(&live, &live).unwrap(), 2);
}

#[test]
fn a_slot_is_lent_once_and_comes_back_if_nothing_was_committed() {
    let dir = tempfile::tempdir().unwrap();
    let slots = open(&dir.path().join("slots"));
    let first = slots.reserve(2).unwrap();
    let numbers: Vec<_> = first.iter().map(|key| key.slot().0).collect();
    assert!(slots.claim(&numbers));
    assert!(!slots.claim(&numbers[1..]));
    slots.unclaim(&numbers[1..]);
    // One of them is taken for good, so both together are refused, as is one twice.
    assert!(!slots.claim(&numbers));
    assert!(!slots.claim(&[numbers[1], numbers[1]]));
    let mut state = slots.state();
    let ready = state.ready.len();
    state.take_back(Instant::now() + LEASE);
    assert_eq!(state.ready.len(), ready + 1);
    assert_eq!(state.ready.last(), Some(&numbers[1]));
}

#[test]
fn another_key_journal_or_opener_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("slots");
    let slots = open(&path);
    let again = Slots::open(&Disk::Real, &path, &[7; 32], &[1; 16]);
    assert!(matches!(again, Err(OpenError::InUse(_))));
    drop(slots);
    let other = Slots::open(&Disk::Real, &path, &[8; 32], &[1; 16]);
    assert!(matches!(other, Err(OpenError::SlotsKey(_))));
    let elsewhere = Slots::open(&Disk::Real, &path, &[7; 32], &[2; 16]);
    assert!(matches!(elsewhere, Err(OpenError::SlotsKey(_))));
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let open_to_all = Slots::open(&Disk::Real, &path, &[7; 32], &[1; 16]);
    assert!(matches!(open_to_all, Err(OpenError::SlotsMode(_))));
}

#[test]
fn no_item_key_lies_in_the_file_in_clear() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("slots");
    let slots = open(&path);
    slots.reserve(1).unwrap();
    let mut record = [0_u8; RECORD_BYTES];
    let epoch = slots.epoch();
    epoch.file.read_exact_at(&mut record, record_at(1)).unwrap();
    let key = epoch.unwrap(1, &record);
    let bytes = std::fs::read(&path).unwrap();
    assert!(
        !bytes
            .windows(32)
            .any(|window| window == key.as_ref().unwrap().as_slice())
    );
}

/// For the contract: item keys from the records of one file, by the epoch key of another.
pub(crate) fn recovered(slot_key: &[u8; 32], records: &[u8], header: &[u8]) -> Vec<ItemKey> {
    let owner = Owner {
        slot_key: Zeroizing::new(*slot_key),
        journal: header[16..32].try_into().unwrap(),
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("copy");
    std::fs::write(&path, header).unwrap();
    let epoch = Epoch::read(Disk::Real.open(&path).unwrap(), &owner);
    let epoch = epoch.unwrap().unwrap();
    let records = records[HEADER_BLOCK_BYTES as usize..].chunks_exact(RECORD_BYTES);
    let opened = (1..).zip(records).filter_map(|(slot, record)| {
        let key = epoch.unwrap(slot, record)?;
        Some(ItemKey::new(Slot(slot), *key))
    });
    opened.collect()
}

const NIGHT: When = When::from_millis(1_780_000_000_000);

fn names_in(dir: &Path) -> Vec<String> {
    let mut names = Disk::Real.names(dir).unwrap();
    names.sort();
    names
}

/// A file with some slots used, and what was sealed under them.
fn used(path: &Path, count: usize) -> (Slots, Vec<crate::domain::decision::SealedFact>) {
    let slots = open(path);
    let keys = slots.reserve(count).unwrap();
    let numbers: Vec<_> = keys.iter().map(|key| key.slot().0).collect();
    assert!(slots.claim(&numbers));
    let facts = keys.iter().map(sealed).collect();
    (slots, facts)
}

fn check(slots: &Slots, facts: &[crate::domain::decision::SealedFact], erased: &[u64]) {
    for fact in facts {
        let slot = fact.sealed().slot();
        let key = slots.key(slot).unwrap();
        assert_eq!(key.is_none(), erased.contains(&slot.0), "{slot:?}");
        assert!(key.is_none_or(|key| opens(fact, &key)));
    }
}

#[test]
fn nothing_of_an_old_epoch_is_left_and_nothing_accumulates() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("slots");
    let (slots, facts) = used(&path, 9);
    let length = std::fs::metadata(&path).unwrap().len();
    for number in 1..=5_u64 {
        let old = std::fs::File::open(&path).unwrap();
        slots.erase(&[number]).unwrap();
        assert_eq!(slots.erasure().waiting, 1);
        slots.rewrap(NIGHT.plus_days(number as i64)).unwrap();
        let done = Erasure {
            waiting: 0,
            completed: Some(NIGHT.plus_days(number as i64)),
            unfinished: false,
        };
        assert_eq!(slots.erasure(), done);
        assert_eq!(names_in(dir.path()), ["slots"]);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), length);
        // The blocks of the old file, as whoever still has them open sees them.
        use std::os::unix::fs::FileExt;
        let mut blocks = vec![1; length as usize];
        old.read_exact_at(&mut blocks, 0).unwrap();
        assert!(is_clear(&blocks));
        check(&slots, &facts, &(1..=number).collect::<Vec<_>>());
    }
    drop(slots);
    let slots = open(&path);
    let (used, live) = (set(&[1, 2, 3, 4, 5, 6, 7, 8, 9]), set(&[6, 7, 8, 9]));
    assert_eq!(slots.reconcile(&used, &live).unwrap(), 0);
    assert_eq!(slots.erasure().waiting, 0);
    check(&slots, &facts, &[1, 2, 3, 4, 5]);
    slots.erase(&[6, 6, 1, 99_999]).unwrap();
    assert_eq!(slots.erasure().waiting, 1);
    drop(slots);
    let slots = open(&path);
    assert_eq!(slots.reconcile(&used, &set(&[7, 8, 9])).unwrap(), 0);
    assert_eq!(slots.erasure().waiting, 1);
}

#[test]
fn keys_are_made_cleared_and_read_while_the_epoch_changes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("slots");
    let (slots, facts) = used(&path, 600);
    let stop = AtomicBool::new(false);
    let cleared: Vec<u64> = (1..=300).collect();
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                check(&slots, facts.get(300..).unwrap(), &[]);
            }
        });
        threads.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // Not all are given back, so the file must grow.
                let keys = slots.reserve(80).unwrap();
                let unused: Vec<_> = keys.iter().skip(40).map(ItemKey::slot).collect();
                slots.give_back(&unused);
                std::thread::yield_now();
            }
        });
        let clearing = threads.spawn(|| {
            for some in cleared.chunks(10) {
                slots.erase(some).unwrap();
            }
        });
        let mut number = 0;
        while !clearing.is_finished() || number < 4 {
            number += 1;
            slots.rewrap(NIGHT.plus_days(number)).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
    check(&slots, &facts, &cleared);
    slots.rewrap(NIGHT.plus_days(1_000)).unwrap();
    assert_eq!(slots.erasure().waiting, 0);
    // Every slot that was made still has its key.
    for slot in 601..=slots.writing().made {
        assert!(slots.key(Slot(slot)).unwrap().is_some());
    }
    drop(slots);
    let slots = open(&path);
    let used = set(&(1..=600).collect::<Vec<_>>());
    let live = set(&(301..=600).collect::<Vec<_>>());
    assert_eq!(slots.reconcile(&used, &live).unwrap(), 0);
    check(&slots, &facts, &cleared);
}

/// The states that a crash leaves, one for each rename and what comes before and after it. The
/// simulation of the whole store finds them by itself; here each has a name.
#[test]
fn a_crash_during_the_change_leaves_one_epoch_and_the_next_start_destroys_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("slots");
    let (slots, facts) = used(&path, 3);
    slots.erase(&[2]).unwrap();
    let old = std::fs::read(&path).unwrap();
    slots.rewrap(NIGHT).unwrap();
    let new = std::fs::read(&path).unwrap();
    drop(slots);
    // The file under the name, the one before it, the one in the making; and which it comes to.
    type Left<'a> = Option<&'a [u8]>;
    let states: [(Left, Left, Left, u32); 6] = [
        (Some(&old), None, Some(&[]), 1),
        (Some(&old), None, Some(&new[..5000]), 1),
        (Some(&old), None, Some(&new), 1),
        (None, Some(&old), Some(&new), 1),
        (Some(&new), Some(&old), None, 2),
        (Some(&new), Some(&[0; 64]), None, 2),
    ];
    for (at, before, next, epoch) in states {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slots");
        for (name, bytes) in [("slots", at), ("slots.old", before), ("slots.next", next)] {
            if let Some(bytes) = bytes {
                std::fs::write(dir.path().join(name), bytes).unwrap();
                let mode = std::fs::Permissions::from_mode(0o600);
                std::fs::set_permissions(dir.path().join(name), mode).unwrap();
            }
        }
        let slots = open(&path);
        assert_eq!(slots.epoch().number, epoch);
        assert_eq!(names_in(dir.path()), ["slots"]);
        let live = set(&[1, 3]);
        assert_eq!(slots.reconcile(&set(&[1, 2, 3]), &live).unwrap(), 0);
        assert_eq!(slots.erasure().waiting, u64::from(epoch == 1));
        check(&slots, &facts, &[2]);
        slots.rewrap(NIGHT).unwrap();
        assert_eq!(slots.erasure().waiting, 0);
        check(&slots, &facts, &[2]);
    }
}

#[test]
fn a_file_with_another_key_destroys_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("slots");
    drop(used(&path, 1));
    std::fs::copy(&path, dir.path().join("slots.old")).unwrap();
    let refused = Slots::open(&Disk::Real, &path, &[8; 32], &[1; 16]);
    assert!(matches!(refused, Err(OpenError::SlotsKey(_))));
    assert_eq!(names_in(dir.path()), ["slots", "slots.old"]);
}

#[test]
fn a_damaged_slot_stays_damaged_and_stops_no_erasure() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("slots");
    let (slots, facts) = used(&path, 3);
    let file = slots.epoch().file.write_all_at(&[7; 9], record_at(2) + 20);
    file.unwrap();
    slots.erase(&[1]).unwrap();
    slots.rewrap(NIGHT).unwrap();
    assert_eq!(slots.erasure().waiting, 0);
    assert!(slots.key(Slot(2)).is_err());
    check(&slots, &facts[2..], &[]);
}

#[test]
fn a_change_that_cannot_be_made_leaves_everything_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("slots");
    let (slots, facts) = used(&path, 3);
    slots.erase(&[1]).unwrap();
    slots.interrupt();
    let given_up = slots.rewrap(NIGHT);
    assert!(matches!(given_up, Err(RewrapError::Abandoned(_))));
    assert_eq!(names_in(dir.path()), ["slots"]);
    assert_eq!(slots.erasure().waiting, 1);
    check(&slots, &facts, &[1]);
    slots.erase(&[2]).unwrap();
    check(&slots, &facts, &[1, 2]);
}
