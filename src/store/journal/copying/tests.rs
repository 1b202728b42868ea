//! Copies of a journal, taken while it is written, changed, put back, and opened with every slot file
//! that an operator may still have. No key and no word of anyone may be found in one.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use zeroize::Zeroizing;

use super::*;
use crate::domain::checkpoint::LogKey;
use crate::domain::codes::DataClass;
use crate::domain::decision::Write;
use crate::domain::merkle::verify_consistency;
use crate::store::contract::{Attempt, START, fact_of, id, of, open_all};
use crate::store::journal::{Journal, JournalConfig, OpenError, SEGMENT_BYTES_MIN};
use crate::store::{Outcome, ROLLED_BACK, Store};

const MADE: When = START.plus_days(1);

struct Place(tempfile::TempDir);

fn place() -> Place {
    Place(tempfile::tempdir().unwrap())
}

fn keys(seed: u8, origin: &str) -> StoreKeys {
    StoreKeys {
        index_key: Zeroizing::new([seed; 32]),
        slot_key: Zeroizing::new([2; 32]),
        log: LogKey::from_seed(origin, &[3; 32]).unwrap(),
    }
}

const ORIGIN: &str = "gw.example/log";

impl Place {
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn open_as(&self, data: &str, origin: &str) -> Result<Store, OpenError> {
        Journal::open(JournalConfig {
            data_dir: self.path(data),
            slots: self.path("slots"),
            keys: keys(1, origin),
            segment_bytes: SEGMENT_BYTES_MIN,
            kept_room_bytes: 0,
        })
        .map(Store::Embedded)
    }

    fn store(&self, data: &str) -> Store {
        self.open_as(data, ORIGIN).unwrap()
    }

    fn refused(&self, data: &str) -> OpenError {
        match self.open_as(data, ORIGIN) {
            Ok(_) => panic!("it opened"),
            Err(error) => error,
        }
    }

    fn backup(&self, copy: &str) -> Result<Copied, CopyError> {
        let to = self.path(copy);
        backup(&self.path("data"), keys(1, ORIGIN), &to, MADE, &mut |_| {})
    }

    fn restore(&self, copy: &str, data: &str, shown: &[String]) -> Result<PutBack, CopyError> {
        let (from, to) = (self.path(copy), self.path(data));
        restore(&from, &to, keys(1, ORIGIN), shown, &mut |_| {})
    }

    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.0.path()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }
}

async fn write(store: &Store, numbers: std::ops::Range<u64>, word: &str) {
    for n in numbers {
        let text = format!("{word} {n}");
        let attempt = Attempt::new(store, 2).await;
        let attempt = attempt.fact(&of(n), id(n), text.as_bytes());
        let part = attempt.part(&of(n), id(n + 1000), DataClass::Op, b"part");
        part.logged(store).await;
    }
}

async fn close(store: Store) {
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_copy_restores_to_what_the_store_was() {
    let place = place();
    let store = place.store("data");
    write(&store, 0..40, "fact").await;
    let note = store.checkpoint().await.unwrap();
    let copied = place.backup("copy").unwrap();
    assert_eq!((copied.leaves, copied.at), (40, START));
    assert_eq!(
        copied.bytes,
        fs::metadata(place.path("copy")).unwrap().len()
    );
    close(store).await;

    let put_back = place
        .restore("copy", "again", std::slice::from_ref(&note))
        .unwrap();
    assert_eq!(put_back.acknowledged, 40);
    let store = place.store("again");
    let mark = store.restored().unwrap();
    assert_eq!((mark.leaves, mark.at, mark.is_proven()), (40, START, false));
    assert_eq!(store.checkpoint().await.unwrap(), note);
    for n in 0..40 {
        assert_eq!(fact_of(&store, n).await, [format!("fact {n}")]);
    }
    let parts = store.facts(&[of(7)]).await.unwrap().parts;
    assert_eq!(open_all(&store, parts).await.len(), 1);
    // And it goes on.
    write(&store, 40..45, "new").await;
    store.restoration_recorded().await.unwrap();
    close(store).await;
    let store = place.store("again");
    assert_eq!((store.restored(), store.health().leaves), (None, 46));
    assert_eq!(fact_of(&store, 44).await, ["new 44"]);
}

#[tokio::test]
async fn a_copy_holds_no_key_and_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let place = place();
    let store = place.store("data");
    write(&store, 0..3, "secret words").await;
    place.backup("copy").unwrap();
    close(store).await;
    let bytes = fs::read(place.path("copy")).unwrap();
    let slots = fs::read(place.path("slots")).unwrap();
    let wrapped = slots[4096..]
        .chunks(64)
        .filter(|record| record[..4] != [0; 4]);
    let mut material: Vec<Vec<u8>> = wrapped.map(|record| record[16..].to_vec()).collect();
    assert!(material.len() > 9);
    material.extend([vec![1; 32], vec![2; 32], vec![3; 32]]);
    material.push(slots[48..96].to_vec());
    material.push(b"secret words".to_vec());
    for key in material {
        let found = bytes.windows(key.len()).any(|window| window == key);
        assert!(!found, "key material in the copy");
    }
    let mode = fs::metadata(place.path("copy"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    // A tar that the system's own lists, and nothing in it that is called like a key.
    let mut tar = std::process::Command::new("tar");
    let listed = tar.arg("-tf").arg(place.path("copy")).output().unwrap();
    assert!(listed.status.success());
    let names = String::from_utf8(listed.stdout).unwrap();
    assert_eq!(
        names.lines().collect::<Vec<_>>(),
        [
            "identity",
            "journal/0000000001.seg",
            "checkpoint",
            "manifest"
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_taken_while_it_is_written_are_each_a_moment_of_it() {
    let place = place();
    let store = Arc::new(place.store("data"));
    write(&store, 0..5, "fact").await;
    let done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4_u64)
        .map(|writer| {
            let (store, done) = (Arc::clone(&store), Arc::clone(&done));
            tokio::spawn(async move {
                let mut n = 10_000 * (writer + 1);
                while !done.load(Ordering::Relaxed) {
                    write(&store, n..n + 1, "busy").await;
                    n += 1;
                }
            })
        })
        .collect();
    let mut sizes = Vec::new();
    for copy in 0..6 {
        let name = format!("copy{copy}");
        let acknowledged = store.health().leaves;
        let (dir, to) = (place.path("data"), place.path(&name));
        let copied = tokio::task::spawn_blocking(move || {
            backup(&dir, keys(1, ORIGIN), &to, MADE, &mut |_| {})
        });
        let copied = copied.await.unwrap().unwrap();
        assert!(copied.leaves >= acknowledged);
        assert!(copied.leaves <= store.health().leaves + 256);
        sizes.push(copied.leaves);
    }
    done.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    let newest = store.checkpoint().await.unwrap();
    drop(store);
    for (copy, size) in sizes.into_iter().enumerate() {
        let (name, again) = (format!("copy{copy}"), format!("again{copy}"));
        let put_back = place
            .restore(&name, &again, std::slice::from_ref(&newest))
            .unwrap();
        assert_eq!(put_back.copied.leaves, size);
        assert!(put_back.acknowledged >= size);
    }
}

#[tokio::test]
async fn nothing_is_left_of_a_copy_that_failed_and_none_is_written_over() {
    let place = place();
    assert!(matches!(place.backup("copy"), Err(CopyError::NoLog(_))));
    let store = place.store("data");
    assert!(matches!(place.backup("copy"), Err(CopyError::Empty)));
    write(&store, 0..30, "fact").await;
    close(store).await;
    let before = place.names();
    let inside = backup(
        &place.path("data"),
        keys(1, ORIGIN),
        &place.path("data/copy"),
        MADE,
        &mut |_| {},
    );
    assert!(matches!(inside, Err(CopyError::UnderData(_))));
    let wrong = backup(
        &place.path("data"),
        keys(9, ORIGIN),
        &place.path("copy"),
        MADE,
        &mut |_| {},
    );
    assert!(matches!(wrong, Err(CopyError::WrongKey(_))));
    // A frame in the middle is damaged.
    let segment = segment_path(&place.path("data"), 1);
    let whole = fs::read(&segment).unwrap();
    let mut damaged = whole.clone();
    damaged[3000] ^= 1;
    fs::write(&segment, &damaged).unwrap();
    assert!(matches!(
        place.backup("copy"),
        Err(CopyError::Damaged { .. })
    ));
    assert_eq!(place.names(), before);
    fs::write(&segment, &whole).unwrap();
    fs::write(place.path("copy.partial"), b"of a copy that was killed").unwrap();
    place.backup("copy").unwrap();
    let first = fs::read(place.path("copy")).unwrap();
    assert!(matches!(place.backup("copy"), Err(CopyError::Exists(_))));
    assert_eq!(fs::read(place.path("copy")).unwrap(), first);
    assert!(!place.path("copy.partial").exists());
}

#[tokio::test]
async fn a_journal_that_lost_frames_is_not_copied_as_if_it_were_whole() {
    let place = place();
    let store = place.store("data");
    write(&store, 0..9, "fact").await;
    close(store).await;
    let segment = segment_path(&place.path("data"), 1);
    let bytes = fs::read(&segment).unwrap();
    let last = Frame::read(&bytes).unwrap().bytes.len() * 8;
    let mut cut = bytes.clone();
    cut[last..].fill(0);
    fs::write(&segment, cut).unwrap();
    let refused = place.backup("copy");
    assert!(
        matches!(refused, Err(CopyError::Shorter { least: 9, .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_copy_that_was_changed_cut_or_added_to_is_refused_whole() {
    let place = place();
    let store = place.store("data");
    write(&store, 0..30, "fact").await;
    close(store).await;
    place.backup("copy").unwrap();
    let whole = fs::read(place.path("copy")).unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(place.path("bad"), bytes).unwrap();
        let refused = place.restore("bad", "again", &[]).unwrap_err();
        assert!(!place.path("again").exists());
        refused
    };
    for end in (0..whole.len()).step_by(1013) {
        let error = refused(&whole[..end]);
        assert!(matches!(error, CopyError::Cut(_)), "{end}: {error}");
    }
    for at in (0..whole.len() * 8).step_by(8009) {
        let mut bytes = whole.clone();
        bytes[at / 8] ^= 1 << (at % 8);
        refused(&bytes);
    }
    for more in [&[0][..], &[0; 512], b"more"] {
        let error = refused(&[&whole[..], more].concat());
        assert!(matches!(error, CopyError::Trailing(_)));
    }
    // Names that lead elsewhere are not taken, not even with a right checksum.
    let mut elsewhere = whole.clone();
    let header = crate::store::backup::test_header("../identity", 68);
    elsewhere[..512].copy_from_slice(&header);
    let error = refused(&elsewhere);
    assert!(matches!(error, CopyError::Changed { .. }), "{error}");
    // Other keys, another log.
    let other = |seed, origin| {
        let (from, to) = (place.path("copy"), place.path("again"));
        restore(&from, &to, keys(seed, origin), &[], &mut |_| {}).unwrap_err()
    };
    assert!(matches!(other(9, ORIGIN), CopyError::WrongKey(_)));
    let error = other(1, "other.example/log");
    assert!(matches!(error, CopyError::WrongOrigin { .. }));
    fs::create_dir(place.path("again")).unwrap();
    fs::write(place.path("again/file"), b"").unwrap();
    let error = place.restore("copy", "again", &[]).unwrap_err();
    assert!(matches!(error, CopyError::NotEmpty(_)));
}

#[tokio::test]
async fn half_a_restore_does_not_open() {
    let place = place();
    let store = place.store("data");
    write(&store, 0..30, "fact").await;
    close(store).await;
    place.backup("copy").unwrap();
    place.restore("copy", "whole", &[]).unwrap();
    // Every moment of it: the mark alone, then segment by segment, then the identity.
    let mut segments = 0;
    while segment_path(&place.path("whole"), segments + 1).exists() {
        segments += 1;
    }
    assert!(segments > 1);
    for there in 0..=segments {
        let half = place.path("half");
        fs::create_dir_all(half.join("journal")).unwrap();
        fs::copy(place.path("whole/restored"), half.join("restored")).unwrap();
        for number in 1..=there {
            let from = segment_path(&place.path("whole"), number);
            fs::copy(from, segment_path(&half, number)).unwrap();
        }
        place.refused("half");
        assert!(place.restore("copy", "half", &[]).is_err());
        fs::remove_dir_all(half).unwrap();
    }
}

#[tokio::test]
async fn what_was_erased_after_the_copy_stays_erased_and_the_log_says_so() {
    let place = place();
    let store = place.store("data");
    write(&store, 0..20, "old").await;
    place.backup("copy").unwrap();
    // Replaced, removed and new, with the slot file that is kept.
    write(&store, 3..5, "replaced").await;
    let removing = Attempt::new(&store, 0).await;
    let removing = removing.remove(&of(7), id(7)).remove(&of(7), id(1007));
    removing.logged(&store).await;
    write(&store, 50..60, "lost").await;
    close(store).await;
    place.restore("copy", "again", &[]).unwrap();

    let store = place.store("again");
    for n in [3, 4, 7] {
        assert!(fact_of(&store, n).await.is_empty(), "{n}");
    }
    assert_eq!(fact_of(&store, 5).await, ["old 5"]);
    let before = store.facts(&[of(3), of(5)]).await.unwrap().read;
    close(store).await;
    // Nothing was recorded yet, so it is found again.
    let store = place.store("again");
    assert!(fact_of(&store, 3).await.is_empty());
    write(&store, 3..4, "anew").await;
    store.restoration_recorded().await.unwrap();
    let after = store.facts(&[of(3), of(5)]).await.unwrap().read;
    assert!(after[0].1 > before[0].1 && after[1].1 == before[1].1);
    close(store).await;
    // The log says it: without the mark, and with the sidecars gone.
    let store = place.store("again");
    assert_eq!(fact_of(&store, 3).await, ["anew 3"]);
    for n in [4, 7] {
        assert!(fact_of(&store, n).await.is_empty(), "{n}");
    }
    let parts = store.facts(&[of(3), of(5), of(7)]).await.unwrap().parts;
    assert_eq!(parts.len(), 2);
    assert_eq!(open_all(&store, parts).await.len(), 2);
}

#[tokio::test]
async fn an_account_that_was_forgotten_after_the_copy_stays_forgotten() {
    let place = place();
    let store = place.store("data");
    write(&store, 0..20, "old").await;
    place.backup("copy").unwrap();
    let forgetting = Attempt::new(&store, 0).await;
    let forgetting = forgetting.write(Write::Forget { index: 2 });
    let forgetting = forgetting.write(Write::Forget { index: 19 });
    forgetting.logged(&store).await;
    close(store).await;
    place.restore("copy", "again", &[]).unwrap();
    let all: Vec<u64> = (0..20).collect();
    let kept: Vec<u64> = (0..20).filter(|n| ![2, 19].contains(n)).collect();
    // Found again until something is recorded; from then on the log says it.
    for recorded in [false, true, true] {
        let store = place.store("again");
        let Store::Embedded(journal) = &store else {
            panic!()
        };
        let opened = journal.entries(&all).await.unwrap();
        let opened: Vec<u64> = opened.iter().map(|(index, _, _)| *index).collect();
        assert_eq!(opened, kept);
        assert_eq!(fact_of(&store, 2).await, ["old 2"]);
        if recorded {
            write(&store, 30..31, "new").await;
            store.restoration_recorded().await.unwrap();
        }
        close(store).await;
    }
    // A slot file without any account was not erased account by account.
    let slots = place.path("slots");
    let length = fs::read(&slots).unwrap().len();
    place.restore("copy", "third", &[]).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&slots).unwrap();
    use std::os::unix::fs::FileExt;
    // All but the first, which is that of the names.
    file.write_all_at(&vec![0; length - 4160], 4160).unwrap();
    drop(file);
    let refused = place.refused("third");
    assert!(matches!(
        refused,
        OpenError::KeysMissing { missing: 20, .. }
    ));
}

#[tokio::test]
async fn a_key_that_a_lost_entry_used_is_never_used_again() {
    let place = place();
    let store = place.store("data");
    write(&store, 0..5, "old").await;
    place.backup("copy").unwrap();
    write(&store, 5..9, "lost").await;
    close(store).await;
    let before = fs::read(place.path("slots")).unwrap();
    place.restore("copy", "again", &[]).unwrap();
    close(place.store("again")).await;
    let after = fs::read(place.path("slots")).unwrap();
    let kept = before[4096..].chunks(64).zip(after[4096..].chunks(64));
    let kept = kept.filter(|(before, after)| before == after).count();
    // An opening, a fact and a part for each entry of the copy, and the key of their names.
    assert_eq!(kept, 16);
}

#[tokio::test]
async fn a_slot_file_that_is_missing_or_too_old_stops_the_start() {
    let place = place();
    let store = place.store("data");
    write(&store, 0..2, "old").await;
    let old = fs::read(place.path("slots")).unwrap();
    write(&store, 2..5, "new").await;
    close(store).await;
    place.backup("copy").unwrap();
    place.restore("copy", "again", &[]).unwrap();
    fs::rename(place.path("slots"), place.path("kept")).unwrap();
    assert!(matches!(place.refused("again"), OpenError::SlotsMissing(_)));
    assert!(!place.path("slots").exists());
    // Older than the copy: made before the first key, and after that of the names.
    fs::write(place.path("slots"), &old[..4096]).unwrap();
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(place.path("slots"), fs::Permissions::from_mode(0o600)).unwrap();
    let refused = place.refused("again");
    assert!(matches!(
        refused,
        OpenError::NamesKeyMissing { slot: 1, .. }
    ));
    fs::write(place.path("slots"), &old[..4160]).unwrap();
    let refused = place.refused("again");
    assert!(matches!(
        refused,
        OpenError::KeysMissing { missing: 15, .. }
    ));
    fs::rename(place.path("kept"), place.path("slots")).unwrap();
    close(place.store("again")).await;
}

#[tokio::test]
async fn a_rollback_that_is_proven_goes_on_under_a_new_name_only() {
    let place = place();
    let store = place.store("data");
    write(&store, 0..5, "old").await;
    let old = store.checkpoint().await.unwrap();
    store.keep_witnessed(5, &old).await.unwrap();
    store.quorum_met(5).await.unwrap();
    place.backup("copy").unwrap();
    write(&store, 5..9, "lost").await;
    let larger = store.checkpoint().await.unwrap();
    close(store).await;

    let log = keys(1, ORIGIN).log;
    let strange = LogKey::from_seed(ORIGIN, &[9; 32])
        .unwrap()
        .sign(99, &[0; 32]);
    let refused = place.restore("copy", "again", &[strange]);
    assert!(matches!(refused, Err(CopyError::NotShown)));
    let forked = log.sign(3, &[0; 32]);
    let refused = place.restore("copy", "again", &[forked]);
    assert!(matches!(refused, Err(CopyError::Forked)));
    let put_back = place
        .restore("copy", "again", &[old.clone(), larger])
        .unwrap();
    assert_eq!((put_back.copied.leaves, put_back.acknowledged), (5, 9));

    let refused = place.refused("again");
    assert!(matches!(
        refused,
        OpenError::RolledBack {
            leaves: 5,
            acknowledged: 9,
            ..
        }
    ));
    let new = "gw.example/log-2";
    for _ in 0..2 {
        // Nothing is signed yet, and after that.
        let store = place.open_as("again", new).unwrap();
        let mark = store.restored().unwrap();
        assert_eq!((mark.acknowledged, mark.origin.as_str()), (9, ORIGIN));
        // A copy has no witnessed heads, and does without.
        assert_eq!(store.witnessed().await.unwrap(), None);
        close(store).await;
    }
    let store = place.open_as("again", new).unwrap();
    write(&store, 5..7, "new").await;
    close(store).await;
    let store = place.open_as("again", new).unwrap();
    store.restoration_recorded().await.unwrap();
    let note = store.checkpoint().await.unwrap();
    let verifier = log.verifier_named(new).unwrap();
    let (before, after) = (
        log.verifier().verify(&old).unwrap(),
        verifier.verify(&note).unwrap(),
    );
    assert_eq!((before.size, after.size), (5, 7));
    let Store::Embedded(journal) = &store else {
        panic!()
    };
    let path = journal.shared.tree().consistency(5, 7).unwrap();
    assert!(verify_consistency(5, &before.root, 7, &after.root, &path));
    close(store).await;
    close(place.open_as("again", new).unwrap()).await;
    // The old name no longer opens it.
    assert!(matches!(place.refused("again"), OpenError::Damaged { .. }));
}

#[tokio::test]
async fn a_rollback_that_a_running_gateway_is_shown_survives_its_stop() {
    let place = place();
    let store = place.store("data");
    write(&store, 0..3, "old").await;
    let larger = keys(1, ORIGIN).log.sign(9, &[0; 32]);
    assert!(store.shown(&larger).await.unwrap().proves_loss());
    assert_eq!(store.health().stopped, Some(ROLLED_BACK));
    let refused = store.reserve(1).await;
    assert!(refused.is_err());
    drop(store);
    assert!(matches!(
        place.refused("data"),
        OpenError::RolledBack {
            acknowledged: 9,
            ..
        }
    ));
    let store = place.open_as("data", "gw.example/log-2").unwrap();
    let attempt = Attempt::new(&store, 0).await;
    assert!(matches!(attempt.commit(&store).await, Outcome::Logged(_)));
}
