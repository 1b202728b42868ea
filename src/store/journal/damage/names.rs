//! Names at rest: no copy of the data directory can be tested for anyone without the slot file, an old
//! slot file's records are worth nothing after a change of epoch, and nothing is lost on the way.

use std::collections::HashSet;

use super::*;
use crate::store::names::{Name, Names};

/// What tokens, lists and counters would be called: all that whoever has the root key can guess.
fn dictionary(numbers: std::ops::Range<u64>) -> HashSet<Name> {
    let names = Names::new(Zeroizing::new([1; 32]));
    let mut all: HashSet<Name> = numbers.map(|n| names.aggregate(&of(n))).collect();
    all.insert(names.list(&List::Proposals));
    all.insert(KEY);
    all
}

const KEY: Name = [0x5a; 16];

/// Every file below the data directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

/// Whom somebody finds who searches a copy for names as they are.
fn found_in_clear(data: &Path, words: &HashSet<Name>) -> usize {
    let files = files(data);
    let found = |bytes: &[u8]| {
        let windows = bytes.windows(16);
        windows
            .filter_map(|window| Name::try_from(window).ok())
            .filter(|window| words.contains(window))
            .count()
    };
    let files = files.iter().map(|path| std::fs::read(path).unwrap());
    files.map(|bytes| found(&bytes)).sum()
}

/// Whom somebody finds who has a copy of the journal, all keys of now, and this slot file.
fn found_with(copy: &Place, words: &HashSet<Name>) -> HashSet<Name> {
    let slots = copy.slot_file();
    let keys = NamesKeys::of(&slots);
    let segments = Segments::open(&Disk::Real, &copy.data().join("journal"), SEGMENT_BYTES_MIN);
    let segments = segments.unwrap();
    let mut found = HashSet::new();
    for number in 1..=segments.last() {
        let length = segments.length(number).unwrap() as u32;
        let bytes = segments.read(number, 0, length).unwrap();
        let mut offset = 0;
        while let Some(frame) = super::super::frame::Frame::read(&bytes[offset..]) {
            offset += frame.bytes.len();
            let entries = frame.entries().filter_map(|raw| raw.decode(&keys).ok());
            for decoded in entries {
                let ops = super::super::table::ops(&decoded.entry, &decoded.spans);
                found.extend(ops.iter().filter_map(|op| op.moves().copied()));
                found.extend(decoded.entry.replay.map(|replay| replay.key));
            }
        }
        let told = copy.data().join(format!("journal/{number:010}.table"));
        let told = Sidecar::read(&Disk::Real, &told, number, &keys);
        for entry in told.iter().flat_map(Sidecar::entries).flatten() {
            found.extend(entry.ops.iter().filter_map(|op| op.moves().copied()));
        }
    }
    found.retain(|name| words.contains(name));
    found
}

async fn written(place: &Place, numbers: std::ops::Range<u64>) -> Store {
    let store = place.store();
    write_facts(&store, numbers).await;
    let mut attempt = Attempt::new(&store, 0).await;
    attempt.replay = Some(Replay {
        key: KEY,
        request: [2; 32],
        until: crate::store::contract::START.plus_days(7),
        reply: b"reply".to_vec(),
    });
    attempt.logged(&store).await;
    store
}

async fn night(store: &Store, number: i64) {
    let now = crate::store::contract::START.plus_days(number);
    store.rewrap(now).await.unwrap();
}

#[tokio::test]
async fn nobody_is_found_in_an_old_copy_with_the_keys_of_now_but_by_the_slot_file_of_now() {
    let place = place(SEGMENT_BYTES_MIN);
    let words = dictionary(0..60);
    let store = written(&place, 0..60).await;
    assert!(frames_of(&store).last().unwrap().segment > 2, "sidecars");
    store.close().await.unwrap();
    drop(store);
    let old = place.copy();
    let store = place.store();
    night(&store, 1).await;
    expect_facts(&store, 0..60).await;
    store.close().await.unwrap();
    drop(store);
    for copy in [&old, &place] {
        assert_eq!(found_in_clear(&copy.data(), &words), 0);
    }

    // Whatever the disk still holds of the records: their epoch key went with the old header.
    let records = std::fs::read(old.slots()).unwrap();
    let header = std::fs::read(place.slots()).unwrap();
    let left = [&header[..4096], &records[4096..]].concat();
    std::fs::write(old.slots(), left).unwrap();
    assert_eq!(found_with(&old, &words), HashSet::new());
    match old.refused() {
        OpenError::NamesKeyMissing { slot: 1, .. } => {}
        other => panic!("{other}"),
    }

    // The same search finds everyone with the slot file of now, which is in no copy: a restore
    // needs it, and so does a thief.
    std::fs::write(old.slots(), &header).unwrap();
    let all: HashSet<Name> = dictionary(0..60);
    let listed = Names::new(Zeroizing::new([1; 32])).list(&List::Proposals);
    let mut found = found_with(&old, &words);
    found.insert(listed);
    assert_eq!(found, all);
    let store = place.store();
    expect_facts(&store, 0..60).await;
}

#[tokio::test]
async fn each_segment_each_start_and_each_epoch_has_a_key_of_its_own_for_names() {
    let place = place(SEGMENT_BYTES_MIN);
    let store = written(&place, 0..60).await;
    let before = journal(&store).shared.names_key().slot();
    night(&store, 1).await;
    let after = journal(&store).shared.names_key().slot();
    assert_ne!(before, after);
    write_facts(&store, 60..61).await;
    store.close().await.unwrap();
    drop(store);
    let store = place.store();
    assert!(![before, after].contains(&journal(&store).shared.names_key().slot()));
    store.close().await.unwrap();
    drop(store);
    let [first, second] = [1, 2].map(|number| place.table(number).unwrap().names);
    assert_eq!(first, [1]);
    assert!(second.iter().any(|slot| !first.contains(slot)));
}

#[tokio::test]
async fn everyone_is_found_while_the_epoch_changes_and_wherever_that_is_cut() {
    let mut cut = 0;
    for at in 1.. {
        let (place, disk) = simulated_place(at);
        let store = written(&place, 0..40).await;
        let store = Arc::new(store);
        disk.stop_at(disk.operations() + at);
        let running = Arc::clone(&store);
        let change = tokio::spawn(async move {
            let now = crate::store::contract::START.plus_days(1);
            running.rewrap(now).await
        });
        // What was written under the old epoch is read meanwhile.
        while !change.is_finished() && !disk.is_off() {
            let read = store.facts(&[of(at % 40)]).await;
            assert!(read.is_ok() || disk.is_off());
            tokio::task::yield_now().await;
        }
        let changed = change.await.unwrap().is_ok();
        let whole = !disk.is_off();
        drop(store);
        match at % 2 {
            0 => disk.power_on(),
            _ => disk.start_process(),
        }
        disk.be_good();
        let store = place.store();
        expect_facts(&store, 0..40).await;
        write_facts(&store, 40..43).await;
        store.close().await.unwrap();
        drop(store);
        let store = place.store();
        expect_facts(&store, 0..43).await;
        cut += u64::from(!whole);
        if changed && whole {
            break;
        }
    }
    assert!(cut > 5, "{cut}");
}

#[tokio::test]
async fn names_whose_key_is_gone_stop_the_start_and_are_never_passed_over() {
    use std::os::unix::fs::FileExt;
    let place = place(SEGMENT_BYTES_MIN);
    let store = written(&place, 0..60).await;
    store.close().await.unwrap();
    drop(store);
    let slots: Vec<u64> = place.table(2).unwrap().names;
    let lost = *slots.last().unwrap();
    for sidecars in [true, false] {
        let copy = place.copy();
        if !sidecars {
            std::fs::remove_file(copy.data().join("journal/0000000002.table")).unwrap();
        }
        let file = std::fs::OpenOptions::new().write(true).open(copy.slots());
        let file = file.unwrap();
        file.write_all_at(&[0; 64], 4096 + (lost - 1) * 64).unwrap();
        drop(file);
        match copy.refused() {
            OpenError::NamesKeyMissing { file, slot, .. } => {
                assert!(file.ends_with("0000000002.seg"), "{}", file.display());
                assert_eq!(slot, lost);
            }
            other => panic!("{other}"),
        }
    }
}
