//! The embedded backend under the contract, and what damage does to it.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::names_key::NamesKeys;
use super::recovery::recover;
use super::sidecar::Sidecar;
use super::*;
use crate::domain::checkpoint::LogVerifier;
use crate::domain::codes::DataClass;
use crate::domain::decision::{Aggregate, Counter, List, Replay, Write};
use crate::store::Store;
use crate::store::contract::erasure::KeysPlace;
use crate::store::contract::{Attempt, Fixture, contract_suite, fact_of, id, of, open_all};
use crate::store::disk::simulated::Simulated;

mod forgetting;
mod names;
mod scrubbing;

/// A journal in a directory of its own, that can be opened and damaged.
pub(crate) struct Place {
    dir: tempfile::TempDir,
    disk: Disk,
    segment_bytes: u64,
    pub(super) kept_room_bytes: u64,
}

pub(crate) fn place(segment_bytes: u64) -> Place {
    let dir = tempfile::tempdir().unwrap();
    Place {
        dir,
        disk: Disk::Real,
        segment_bytes,
        kept_room_bytes: 0,
    }
}

/// With small segments, on a disk that can fail.
pub(super) fn simulated_place(seed: u64) -> (Place, Arc<Simulated>) {
    let mut place = place(SEGMENT_BYTES_MIN);
    let disk = Simulated::new(seed, place.dir.path());
    place.disk = Disk::Simulated(Arc::clone(&disk));
    (place, disk)
}

impl Place {
    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn slots(&self) -> PathBuf {
        self.dir.path().join("slots")
    }

    pub(super) fn segment(&self, number: u32) -> PathBuf {
        self.data().join(format!("journal/{number:010}.seg"))
    }

    pub(super) fn config(&self) -> JournalConfig {
        JournalConfig {
            data_dir: self.data(),
            slots: self.slots(),
            keys: StoreKeys {
                index_key: Zeroizing::new([1; 32]),
                slot_key: Zeroizing::new([2; 32]),
                log: LogKey::from_seed("gw.example/log", &[3; 32]).unwrap(),
            },
            segment_bytes: self.segment_bytes,
            kept_room_bytes: self.kept_room_bytes,
        }
    }

    pub(super) fn try_open(&self) -> Result<Store, OpenError> {
        Journal::open_on(self.disk.clone(), self.config()).map(Store::Embedded)
    }

    pub(crate) fn store(&self) -> Store {
        self.try_open().unwrap()
    }

    pub(super) fn refused(&self) -> OpenError {
        match self.try_open() {
            Ok(_) => panic!("it opened"),
            Err(error) => error,
        }
    }

    /// The slot file, while no store has it open.
    pub(super) fn slot_file(&self) -> Slots {
        let identity = super::marks::Identity::read(&Disk::Real, &self.data());
        let id = identity.unwrap().unwrap().id;
        Slots::open(&Disk::Real, &self.slots(), &[2; 32], &id).unwrap()
    }

    /// What the table file beside a segment says, while no store has the slot file open.
    pub(super) fn table(&self, number: u32) -> Option<Sidecar> {
        let slots = self.slot_file();
        let path = self.data().join(format!("journal/{number:010}.table"));
        Sidecar::read(&Disk::Real, &path, number, &NamesKeys::of(&slots))
    }

    /// A copy of the data directory as it is now, as after a cut.
    fn copy(&self) -> Self {
        let copy = place(self.segment_bytes);
        copy_dir(&self.data(), &copy.data());
        std::fs::copy(self.slots(), copy.slots()).unwrap();
        copy
    }
}

fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_dir(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

impl Fixture for Place {
    async fn open(&self) -> Store {
        self.store()
    }

    fn verifier(&self) -> LogVerifier {
        self.config().keys.log.verifier().clone()
    }

    async fn mark_restored(&self, mark: Restored) {
        mark.write(&Disk::Real, &self.data()).unwrap();
    }

    async fn keys_place(&self) -> KeysPlace {
        KeysPlace::File(std::fs::read(self.slots()).unwrap())
    }
}

mod ordinary {
    use super::*;
    contract_suite!(place(1024 * 1024));
}

/// Every few commits the segment changes.
mod small_segments {
    use super::*;
    contract_suite!(place(SEGMENT_BYTES_MIN));
}

pub(super) fn journal(store: &Store) -> &Journal {
    match store {
        Store::Embedded(journal) => journal,
        Store::Postgres(_) => panic!("not a journal"),
    }
}

pub(super) async fn write_facts(store: &Store, numbers: std::ops::Range<u64>) {
    for n in numbers {
        let text = format!("fact {n}");
        let list = List::Proposals;
        let attempt = Attempt::new(store, 1)
            .await
            .fact(&of(n), id(n), text.as_bytes());
        let attempt = attempt.write(Write::List {
            list,
            at: n,
            item: id(n),
        });
        attempt.logged(store).await;
    }
}

pub(super) async fn expect_facts(store: &Store, numbers: std::ops::Range<u64>) {
    for n in numbers.clone() {
        assert_eq!(fact_of(store, n).await, [format!("fact {n}")]);
    }
    let listed = store.list(&List::Proposals, None, 1000).await.unwrap();
    let at: Vec<_> = listed.iter().map(|entry| entry.at).collect();
    assert_eq!(at, numbers.collect::<Vec<_>>());
}

pub(super) fn frames_of(store: &Store) -> Vec<FrameAt> {
    journal(store).shared.state().frames.clone()
}

/// Leaves the store without closing it.
pub(super) fn crash(store: Store) {
    drop(store);
}

#[tokio::test]
async fn a_last_frame_that_was_cut_off_is_dropped_at_every_byte_and_nothing_before_it() {
    let place = place(SEGMENT_BYTES_MIN);
    let store = place.store();
    write_facts(&store, 0..3).await;
    let last = *frames_of(&store).last().unwrap();
    crash(store);
    let whole = std::fs::read(place.segment(1)).unwrap();
    let (start, end) = (last.offset as usize, (last.offset + last.length) as usize);
    let slots = place.slot_file();
    let keys = NamesKeys::of(&slots);
    let place_of = |cut: usize| (end - cut).min(end - (end - 1) / 512 * 512);
    for cut in start..end {
        // As if only the first bytes had reached the disk.
        let mut bytes = whole.clone();
        bytes[cut..end].fill(0);
        let segments = test_segments(&bytes);
        let found = recover(&segments.1, place.config().keys.log.verifier(), 0, &keys);
        let found = match found {
            Ok(found) => found,
            // Of a frame that is there but for a few bytes nobody knows whether it was whole.
            Err(OpenError::Damaged { byte, .. }) if place_of(cut) < 16 => {
                assert_eq!(byte as usize, start);
                continue;
            }
            Err(other) => panic!("byte {cut}: {other}"),
        };
        // Cutting zeros off the end of a frame that ends in zeros changes nothing.
        let expected = if bytes == whole { 3 } else { 2 };
        assert_eq!(found.tree.size(), expected, "byte {cut}");
        assert_eq!(found.table.slots().count() as u64, expected);
        let left = std::fs::read(segments.1.path(1)).unwrap();
        assert!(left[found.offset as usize..].iter().all(|byte| *byte == 0));
    }
    drop(keys);
    drop(slots);
    // And once as a whole: what was acknowledged before is there, and the log goes on.
    let mut bytes = whole;
    bytes[start + 40..end].fill(0);
    std::fs::write(place.segment(1), bytes).unwrap();
    let store = place.store();
    expect_facts(&store, 0..2).await;
    write_facts(&store, 2..4).await;
    expect_facts(&store, 0..4).await;
}

/// A directory with one segment of these bytes; in memory where there is such a place, because
/// recovery syncs.
pub(super) fn test_segments(bytes: &[u8]) -> (tempfile::TempDir, Segments) {
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let dir = dir.unwrap();
    std::fs::write(dir.path().join("0000000001.seg"), bytes).unwrap();
    let segments = Segments::open(&Disk::Real, dir.path(), SEGMENT_BYTES_MIN).unwrap();
    (dir, segments)
}

#[tokio::test]
async fn a_damaged_frame_before_the_last_stops_the_start_and_names_its_byte() {
    let place = place(SEGMENT_BYTES_MIN);
    let store = place.store();
    write_facts(&store, 0..4).await;
    let frames = frames_of(&store);
    crash(store);
    let whole = std::fs::read(place.segment(1)).unwrap();
    let slots = place.slot_file();
    let keys = NamesKeys::of(&slots);
    for frame in &frames[..3] {
        for at in (frame.offset..frame.offset + frame.length).step_by(7) {
            let mut bytes = whole.clone();
            bytes[at as usize] ^= 1 << (at % 8);
            let segments = test_segments(&bytes);
            let refused = recover(&segments.1, place.config().keys.log.verifier(), 0, &keys);
            match refused.err().unwrap() {
                OpenError::Damaged { byte, .. } => assert_eq!(byte, u64::from(frame.offset)),
                other => panic!("{other}"),
            }
            assert_eq!(std::fs::read(segments.1.path(1)).unwrap(), bytes);
        }
    }
    drop(keys);
    drop(slots);
    let mut bytes = whole;
    bytes[frames[1].offset as usize + 30] ^= 4;
    std::fs::write(place.segment(1), bytes).unwrap();
    let text = place.refused().to_string();
    let offset = frames[1].offset;
    assert!(
        text.contains("0000000001.seg") && text.contains(&format!("byte {offset}:")),
        "{text}"
    );
}

#[tokio::test]
async fn a_journal_of_an_earlier_build_is_named_and_not_called_damaged() {
    let place = place(SEGMENT_BYTES_MIN);
    let store = place.store();
    write_facts(&store, 0..4).await;
    crash(store);
    let mut bytes = std::fs::read(place.segment(1)).unwrap();
    bytes[..4].copy_from_slice(b"FDJ1");
    std::fs::write(place.segment(1), &bytes).unwrap();
    let refused = place.refused();
    assert!(matches!(refused, OpenError::EarlierBuild(_)));
    assert!(refused.to_string().contains("start it with that build"));
}

#[tokio::test]
async fn damage_in_an_earlier_segment_or_a_missing_one_stops_the_start() {
    let place = place(SEGMENT_BYTES_MIN);
    let store = place.store();
    write_facts(&store, 0..60).await;
    let frames = frames_of(&store);
    crash(store);
    assert!(frames.last().unwrap().segment > 2);
    let last_of_first = frames.iter().rfind(|frame| frame.segment == 1).unwrap();

    // The last frame of a segment that is not the last one was acknowledged.
    let copy = place.copy();
    let mut bytes = std::fs::read(copy.segment(1)).unwrap();
    bytes[last_of_first.offset as usize + 50] ^= 1;
    std::fs::write(copy.segment(1), &bytes).unwrap();
    assert!(matches!(copy.refused(), OpenError::Damaged { .. }));
    // Zeroed, it looks like an end: the chain shows the gap.
    bytes[last_of_first.offset as usize..].fill(0);
    std::fs::write(copy.segment(1), &bytes).unwrap();
    match copy.refused() {
        OpenError::Damaged { file, byte: 0, .. } => assert!(file.ends_with("0000000002.seg")),
        other => panic!("{other}"),
    }

    let copy = place.copy();
    std::fs::remove_file(copy.segment(2)).unwrap();
    assert!(matches!(copy.refused(), OpenError::Io { .. }));
}

#[tokio::test]
async fn a_journal_that_was_closed_and_is_shorter_now_does_not_start() {
    let place = place(SEGMENT_BYTES_MIN);
    let store = place.store();
    write_facts(&store, 0..3).await;
    let last = *frames_of(&store).last().unwrap();
    store.close().await.unwrap();
    drop(store);
    let mut bytes = std::fs::read(place.segment(1)).unwrap();
    bytes[last.offset as usize + 60] ^= 1;
    std::fs::write(place.segment(1), &bytes).unwrap();
    let is_shorter = |refused: OpenError| match refused {
        OpenError::Shorter { least, found, .. } => assert_eq!((least, found), (3, 2)),
        other => panic!("{other}"),
    };
    is_shorter(place.refused());
    // What is left of the frame is not destroyed.
    assert_eq!(std::fs::read(place.segment(1)).unwrap(), bytes);
    bytes[last.offset as usize..].fill(0);
    std::fs::write(place.segment(1), bytes).unwrap();
    is_shorter(place.refused());
}

#[tokio::test]
async fn a_start_notes_what_there_was_and_a_later_one_asks_for_it() {
    let place = place(SEGMENT_BYTES_MIN);
    let store = place.store();
    write_facts(&store, 0..3).await;
    let last = *frames_of(&store).last().unwrap();
    crash(store);
    crash(place.store());
    let mut bytes = std::fs::read(place.segment(1)).unwrap();
    bytes[last.offset as usize + 60] ^= 1;
    std::fs::write(place.segment(1), &bytes).unwrap();
    let refused = place.refused();
    assert!(matches!(refused, OpenError::Shorter { least: 3, .. }));
}

#[tokio::test]
async fn another_log_key_or_index_key_does_not_open_it() {
    let place = place(SEGMENT_BYTES_MIN);
    let store = place.store();
    write_facts(&store, 0..1).await;
    store.close().await.unwrap();
    drop(store);
    let mut config = place.config();
    config.keys.log = LogKey::from_seed("gw.example/log", &[9; 32]).unwrap();
    assert!(matches!(
        Journal::open(config),
        Err(OpenError::Damaged { .. })
    ));
    let mut config = place.config();
    config.keys.index_key = Zeroizing::new([9; 32]);
    assert!(matches!(Journal::open(config), Err(OpenError::IndexKey)));
    let mut config = place.config();
    config.keys.slot_key = Zeroizing::new([9; 32]);
    assert!(matches!(Journal::open(config), Err(OpenError::SlotsKey(_))));
    expect_facts(&place.store(), 0..1).await;
}

#[tokio::test]
async fn a_lost_or_damaged_list_index_is_rebuilt() {
    let place = place(SEGMENT_BYTES_MIN);
    let store = place.store();
    write_facts(&store, 0..30).await;
    store.close().await.unwrap();
    drop(store);
    std::fs::remove_dir_all(place.data().join("index")).unwrap();
    let store = place.store();
    expect_facts(&store, 0..30).await;
    crash(store);
    // After another start of the machine nothing in it is trusted.
    std::fs::write(place.data().join("index/db"), b"garbage").unwrap();
    let boot = "another-boot".to_owned();
    let left = Left::Open { boot };
    Mark { leaves: 0, left }
        .write(&Disk::Real, &place.data())
        .unwrap();
    let store = place.store();
    expect_facts(&store, 0..30).await;
    write_facts(&store, 30..32).await;
    crash(store);
    // In the same one it is brought up from its watermark.
    expect_facts(&place.store(), 0..32).await;
}

#[tokio::test]
async fn an_index_that_is_behind_or_of_another_journal_is_not_believed() {
    let place = place(SEGMENT_BYTES_MIN);
    let store = place.store();
    write_facts(&store, 0..5).await;
    store.close().await.unwrap();
    drop(store);
    let old = place.copy();
    let store = place.store();
    write_facts(&store, 5..9).await;
    store.close().await.unwrap();
    drop(store);
    std::fs::remove_dir_all(place.data().join("index")).unwrap();
    copy_dir(&old.data().join("index"), &place.data().join("index"));
    expect_facts(&place.store(), 0..9).await;

    let other = super::damage::place(SEGMENT_BYTES_MIN);
    let store = other.store();
    write_facts(&store, 0..3).await;
    store.close().await.unwrap();
    drop(store);
    std::fs::remove_dir_all(other.data().join("index")).unwrap();
    copy_dir(&old.data().join("index"), &other.data().join("index"));
    expect_facts(&other.store(), 0..3).await;
}

#[tokio::test]
async fn keys_of_removed_items_are_erased_also_when_the_stop_came_first() {
    let place = place(SEGMENT_BYTES_MIN);
    let store = place.store();
    let attempt = Attempt::new(&store, 2).await;
    let slots: Vec<_> = attempt.keys.iter().map(ItemKey::slot).collect();
    let attempt = attempt.part(&of(1), id(1), DataClass::Op, b"part");
    attempt.fact(&of(1), id(2), b"fact").logged(&store).await;
    // Only the keys: the files of the lists come and go while the store is open.
    let before = std::fs::read(place.slots()).unwrap();
    let replacing = Attempt::new(&store, 1).await.fact(&of(1), id(2), b"new");
    replacing.remove(&of(1), id(1)).logged(&store).await;
    store.close().await.unwrap();
    drop(store);
    let live = |place: &Place| -> Vec<bool> {
        let store = place.store();
        let slot_file = &journal(&store).shared.slots;
        slots
            .iter()
            .map(|slot| slot_file.key(*slot).unwrap().is_some())
            .collect()
    };
    // The opening's key was taken last.
    assert_eq!(live(&place), [true, false, false]);
    // The same journal with the slot file as it was before the erasure.
    std::fs::write(place.slots(), before).unwrap();
    let refused = place.try_open().map(drop);
    match refused {
        // The copy lies before the new fact's slot only if slots are made one at a time.
        Ok(()) => assert_eq!(live(&place), [true, false, false]),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_slot_file_that_lost_keys_of_live_items_stops_the_start() {
    let place = place(SEGMENT_BYTES_MIN);
    let store = place.store();
    write_facts(&store, 0..2).await;
    store.close().await.unwrap();
    drop(store);
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(place.slots())
        .unwrap();
    // The first slot is that of the names.
    file.set_len(4096 + 64).unwrap();
    assert!(matches!(
        place.refused(),
        OpenError::KeysMissing { missing: 4, .. }
    ));
    file.set_len(4096).unwrap();
    match place.refused() {
        OpenError::NamesKeyMissing {
            file,
            byte: 0,
            slot: 1,
        } => assert!(file.ends_with("0000000001.seg")),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn nothing_lies_in_the_data_directory_in_clear() {
    let place = place(SEGMENT_BYTES_MIN);
    let canary = b"canary-7f3a-canary";
    let store = place.store();
    let organisation = crate::domain::id::OrgId::parse("canary-org").unwrap();
    let of = Aggregate::Organisation(organisation.clone());
    let user = "canary-user".to_owned();
    let mut attempt = Attempt::new(&store, 2).await;
    attempt.opening = canary.to_vec();
    attempt.replay = Some(Replay {
        key: [1; 16],
        request: [2; 32],
        until: crate::store::contract::START.plus_days(7),
        reply: canary.to_vec(),
    });
    let attempt = attempt
        .part(&of, id(1), DataClass::Ft, canary)
        .fact(&of, id(2), canary);
    let list = List::AuditUser(organisation.clone(), user.clone());
    let attempt = attempt.write(Write::List {
        list,
        at: 1,
        item: id(1),
    });
    let counter = Counter::PeopleAsked {
        organisation,
        user,
        day: 1,
    };
    attempt
        .write(Write::Count {
            counter,
            by: 1,
            max: 9,
        })
        .logged(&store)
        .await;
    let parts = store.facts(std::slice::from_ref(&of)).await.unwrap().parts;
    assert_eq!(open_all(&store, parts).await[0].plain.as_slice(), canary);
    write_facts(&store, 0..40).await;
    store.close().await.unwrap();
    drop(store);
    let mut seen = 0;
    let mut dirs = vec![place.data()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            seen += bytes.len();
            let found = bytes.windows(6).any(|window| window == b"canary");
            assert!(!found, "{}", path.display());
        }
    }
    assert!(seen > 3 * SEGMENT_BYTES_MIN as usize);
}

#[tokio::test]
async fn a_slot_file_under_the_data_directory_is_refused() {
    let place = place(SEGMENT_BYTES_MIN);
    std::fs::create_dir_all(place.data().join("keys")).unwrap();
    for slots in ["slots", "keys/slots", "keys/../slots", "../data/slots"] {
        let mut config = place.config();
        config.slots = place.data().join(slots);
        let refused = Journal::open(config);
        assert!(
            matches!(refused, Err(OpenError::SlotsUnderData(_))),
            "{slots}"
        );
    }
    let target = place.data().join("keys/real");
    std::fs::write(&target, b"").unwrap();
    std::os::unix::fs::symlink(target, place.slots()).unwrap();
    assert!(matches!(place.refused(), OpenError::SlotsUnderData(_)));
}

#[tokio::test]
async fn one_directory_has_one_opener() {
    let place = place(SEGMENT_BYTES_MIN);
    let store = place.store();
    let mut config = place.config();
    config.slots = place.dir.path().join("other-slots");
    assert!(matches!(Journal::open(config), Err(OpenError::InUse(_))));
    store.close().await.unwrap();
    drop(store);
    place.store();
}

#[tokio::test]
async fn a_key_seals_one_item_only() {
    let place = place(SEGMENT_BYTES_MIN);
    let store = place.store();
    let attempt = Attempt::new(&store, 1).await;
    let slot = attempt.keys.last().unwrap().slot();
    attempt.fact(&of(1), id(1), b"first").logged(&store).await;
    let mut attempt = Attempt::new(&store, 1).await;
    attempt.keys.push(ItemKey::new(slot, [0; 32]));
    let refused = store
        .commit(attempt.fact(&of(2), id(2), b"second").decision(()))
        .await;
    assert!(matches!(refused, Err(Fault::CannotRecord(_))));
    assert_eq!(fact_of(&store, 1).await, ["first"]);
}
