//! `firedoor-verify` against logs that the writer made and someone else changed.
//!
//! Each test runs the program itself: what counts is its exit status and its first line.

use std::fs;
use std::path::Path;
use std::process::Command;

use firedoor::domain::checkpoint::LogKey;
use firedoor::domain::leaf::{LeafClass, LeafDraft};
use firedoor::domain::merkle::leaf_hash;
use firedoor::domain::opening::Part;
use firedoor::domain::receipt::{Proof, Receipt};
use firedoor::domain::tiles::{TilePath, export};
use firedoor::domain::time::When;
use proptest::prelude::*;

use crate::kept_log::{
    ENTRIES, Place, RECORD, START, account, entry, entry_at, flip, head, leaves, receipt, request,
    run, tree,
};
use crate::tier::size;

#[test]
fn an_unchanged_log_of_any_size_is_proved() {
    for size in [0, 1, 2, 255, 256, 257, ENTRIES, 512] {
        let (status, line) = Place::new(&leaves(size)).verify();
        assert_eq!(status, 0, "{size}: {line}");
    }
    let place = Place::new(&leaves(ENTRIES));
    let (status, text) = run(&[Path::new("log"), &place.log()], &place.path("key"));
    assert_eq!(status, 0);
    insta::assert_snapshot!(text, @"
    This log of 300 entries is complete and has not changed.
    Time: 2026-04-02T20:10:00.000Z to 2026-04-02T20:29:50.000Z (to ten seconds)
    Log: firedoor.example/log, root aHg/Mi+4GESKDwW3YMJwZYWL8Qf3cJtIhw8Kt02gnCk=
    Compared: 5 bundles and tiles
    No outsider's clock was checked: with --witnesses the times are compared with what witnesses saw.
    ");
}

#[test]
fn a_changed_entry_is_named() {
    // One byte of each field, and of the length before it.
    let fields = [0, 1, 2, 3, 4, 12, 28, 60, 92, 124, 156, 188, 220, 252, 257];
    for (turn, offset) in fields.into_iter().enumerate() {
        let index = [0, 17, 255, 256, 299][turn % 5];
        let place = Place::new(&leaves(ENTRIES));
        let bundle = if index < 256 {
            "tile/entries/000"
        } else {
            "tile/entries/001.p/44"
        };
        place.change(bundle, |bytes| flip(bytes, index % 256 * RECORD + offset));
        let expected = format!("Entry {index} has been changed since the log was signed.");
        assert_eq!(place.verify(), (1, expected), "byte {offset}");
    }
}

#[test]
fn the_first_of_several_changed_entries_is_named() {
    let place = Place::new(&leaves(ENTRIES));
    place.change("tile/entries/000", |bytes| {
        flip(bytes, 200 * RECORD + 9);
        flip(bytes, 41 * RECORD + 9);
    });
    assert_eq!(
        place.verify().1,
        "Entry 41 has been changed since the log was signed."
    );
    // Also where the tile does not give the signed root either.
    place.change("tile/0/000", |bytes| flip(bytes, 250 * 32));
    let (status, line) = place.verify();
    assert_eq!(status, 1);
    assert!(
        line.starts_with("Entry 41 has been changed: it does not match its hash"),
        "{line}"
    );
}

#[test]
fn swapped_or_removed_entries_are_found() {
    let place = Place::new(&leaves(ENTRIES));
    place.change("tile/entries/000", |bytes| {
        let (left, right) = bytes.split_at_mut(6 * RECORD);
        left[5 * RECORD..].swap_with_slice(&mut right[..RECORD]);
    });
    assert_eq!(
        place.verify().1,
        "Entry 5 has been changed since the log was signed."
    );

    let place = Place::new(&leaves(ENTRIES));
    place.change("tile/entries/000", |bytes| {
        bytes.drain(7 * RECORD..8 * RECORD);
    });
    assert_eq!(
        place.verify(),
        (
            1,
            "Entry 7 has been changed since the log was signed.".to_owned()
        )
    );
}

#[test]
fn a_changed_tile_is_named() {
    let cases = [
        (
            "tile/0/000",
            17 * 32,
            "tile/0/000 differs at the hash of entry 17",
        ),
        (
            "tile/0/001.p/44",
            43 * 32,
            "tile/0/001.p/44 differs at the hash of entry 299",
        ),
        (
            "tile/1/000.p/1",
            5,
            "tile/1/000.p/1 differs at the hash of entries 0 to 255",
        ),
    ];
    for (path, at, difference) in cases {
        let place = Place::new(&leaves(ENTRIES));
        place.change(path, |bytes| flip(bytes, at));
        let expected = format!("The 300 entries are those that the log signed, but {difference}.");
        assert_eq!(place.verify(), (1, expected));
    }
    for (path, extra) in [
        ("tile/entries/000", RECORD),
        ("tile/0/000", 1),
        ("tile/1/000.p/1", 32),
    ] {
        let place = Place::new(&leaves(ENTRIES));
        place.change(path, |bytes| bytes.extend(vec![0; extra]));
        let (status, line) = place.verify();
        assert_eq!(
            (status, line.contains("is longer than it may be")),
            (1, true),
            "{line}"
        );
    }
}

#[test]
fn an_entry_changed_together_with_its_hash_is_found_one_level_up() {
    let place = Place::new(&leaves(ENTRIES));
    let other = entry_at(9, START).0;
    place.change("tile/entries/000", |bytes| {
        bytes[9 * RECORD + 2..10 * RECORD].copy_from_slice(other.bytes());
    });
    place.change("tile/0/000", |bytes| {
        bytes[9 * 32..10 * 32].copy_from_slice(&leaf_hash(other.bytes()));
    });
    insta::assert_snapshot!(place.verify().1, @"The entries are not those that the log signed: tile/1/000.p/1 differs at the hash of entries 0 to 255.");
    assert_eq!(place.verify().0, 1);
}

#[test]
fn a_log_rewritten_as_a_whole_does_not_fit_its_head() {
    let mut rewritten = leaves(ENTRIES);
    rewritten[9] = entry_at(9, START).0;
    let place = Place::new(&rewritten);
    place.change("checkpoint", |bytes| {
        *bytes = head(&leaves(ENTRIES)).into_bytes()
    });
    insta::assert_snapshot!(place.verify().1, @"The entries are not those that the log signed: they were replaced together with every tile, or the head is of another log.");
    assert_eq!(place.verify().0, 1);
}

#[test]
fn a_changed_checkpoint_is_found() {
    let changes = [
        (
            "\n300\n",
            "\n301\n",
            1,
            "The checkpoint has been changed: its signature is wrong.",
        ),
        (
            "\n300\n",
            "\n0300\n",
            1,
            "The checkpoint has been changed: its signature is wrong.",
        ),
        (
            "firedoor.example/log\n300",
            "firedoor.example/lag\n300",
            1,
            "changed",
        ),
        (
            "\u{2014} firedoor.example/log",
            "\u{2014} firedoor.example/lag",
            2,
            "not signed",
        ),
        ("\n\n", "\n", 2, "cannot be read"),
    ];
    for (from, to, expected, words) in changes {
        let place = Place::new(&leaves(ENTRIES));
        place.change("checkpoint", |bytes| {
            let text = String::from_utf8(bytes.clone()).unwrap();
            *bytes = text.replacen(from, to, 1).into_bytes();
        });
        let (status, line) = place.verify();
        assert_eq!(
            (status, line.contains(words)),
            (expected, true),
            "{to}: {line}"
        );
    }
}

#[test]
fn what_is_missing_cannot_be_told() {
    let gone = |paths: &[&str]| {
        let place = Place::new(&leaves(ENTRIES));
        for path in paths {
            fs::remove_file(place.log().join(path)).unwrap();
        }
        place
    };
    let (status, line) = gone(&["tile/entries/001.p/44"]).verify();
    assert_eq!(
        (status, line.contains("tile/entries/001.p/44 is not there")),
        (2, true),
        "{line}"
    );
    assert_eq!(gone(&["checkpoint"]).verify().0, 2);

    let place = Place::new(&leaves(ENTRIES));
    place.change("tile/entries/000", |bytes| {
        bytes.truncate(30 * RECORD + 100)
    });
    let (status, line) = place.verify();
    assert_eq!(
        (status, line.contains("is cut short at entry 30")),
        (2, true),
        "{line}"
    );

    // Tiles of hashes can be made again from the entries.
    let hashes = ["tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1"];
    assert_eq!(gone(&hashes).verify().0, 0);
    // A change is a change, also where something else is missing.
    let place = gone(&["tile/entries/001.p/44"]);
    place.change("tile/entries/000", |bytes| flip(bytes, 3 * RECORD + 50));
    assert_eq!(
        place.verify(),
        (
            1,
            "Entry 3 has been changed since the log was signed.".to_owned()
        )
    );
}

#[test]
fn a_copy_taken_while_the_log_grew_is_proved_up_to_its_head() {
    let place = Place::new(&leaves(ENTRIES));
    for (path, bytes) in export(&leaves(600), "") {
        let path = place.log().join(path);
        if !path.exists() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
    // The full bundle stands in for the partial one.
    fs::remove_file(place.log().join("tile/entries/001.p/44")).unwrap();
    fs::write(place.log().join("tile/notes.txt"), "hello").unwrap();
    let (status, text) = run(&[Path::new("log"), &place.log()], &place.path("key"));
    assert_eq!(status, 0, "{text}");
    insta::assert_snapshot!(text, @"
    This log of 300 entries is complete and has not changed.
    Time: 2026-04-02T20:10:00.000Z to 2026-04-02T20:29:50.000Z (to ten seconds)
    Log: firedoor.example/log, root aHg/Mi+4GESKDwW3YMJwZYWL8Qf3cJtIhw8Kt02gnCk=
    Compared: 4 bundles and tiles
    No outsider's clock was checked: with --witnesses the times are compared with what witnesses saw.
    Not part of the signed log: tile/0/001
    Not part of the signed log: tile/0/002.p/88
    Not part of the signed log: tile/1/000.p/2
    Not part of the signed log: tile/entries/001
    Not part of the signed log: tile/entries/002.p/88
    Not part of the signed log: tile/notes.txt
    ");
}

#[test]
fn a_log_that_signs_against_its_own_rules_is_found() {
    let mut wrong = leaves(20);
    wrong[12] = entry_at(12, START - 10_000).0;
    let (status, line) = Place::new(&wrong).verify();
    assert_eq!(
        (
            status,
            line.contains("rules at entry 12: its time is before")
        ),
        (1, true),
        "{line}"
    );

    let mut wrong = leaves(ENTRIES);
    wrong.swap(50, 0);
    wrong[0] = entry_at(50, START).0;
    let (status, line) = Place::new(&wrong).verify();
    assert_eq!(
        (status, line.contains("rules at entry 0: it follows up")),
        (1, true),
        "{line}"
    );
}

#[test]
fn the_key_is_pinned_outside_the_log() {
    let place = Place::new(&leaves(3));
    let vkey = fs::read(place.path("key")).unwrap();
    let inside = place.write("log/key", &vkey);
    let log = |key: &Path| run(&[Path::new("log"), &place.log()], key).0;
    assert_eq!(log(&inside), 3);
    assert_eq!(log(&place.log().join("../log/key")), 3);
    std::os::unix::fs::symlink(place.path("key"), place.log().join("link")).unwrap();
    std::os::unix::fs::symlink(&inside, place.path("pointer")).unwrap();
    assert_eq!(log(&place.log().join("link")), 3);
    assert_eq!(log(&place.path("pointer")), 3);

    assert_eq!(log(&place.path("absent")), 3);
    assert_eq!(log(&place.write("bad", "hello")), 3);
    assert_eq!(log(&place.write("two", [vkey.clone(), vkey].concat())), 3);
    let other = LogKey::from_seed("firedoor.example/log", &[8; 32]).unwrap();
    assert_eq!(log(&place.write("other", other.verifier().vkey())), 2);
}

#[test]
fn wrong_use_is_told_apart() {
    let program = || Command::new(env!("CARGO_BIN_EXE_firedoor-verify"));
    let status = |args: &[&str]| program().args(args).output().unwrap().status.code();
    assert_eq!(status(&[]), Some(3));
    assert_eq!(status(&["log"]), Some(3));
    assert_eq!(status(&["log", "/nowhere-at-all", "--key", "x"]), Some(3));
    assert_eq!(status(&["--help"]), Some(0));
    assert_eq!(status(&["receipt", "--help"]), Some(0));
}

#[test]
fn a_receipt_is_proved_with_and_without_its_request() {
    let place = Place::new(&[]);
    let file = place.write("receipt", receipt(42).to_text());
    let body = place.write("request", request(42));
    let args = [Path::new("receipt"), &file, Path::new("--request"), &body];
    let (status, text) = run(&args, &place.path("key"));
    assert_eq!(status, 0, "{text}");
    insta::assert_snapshot!(text, @"
    This record is entry 42 of the log and has not changed.
    The request is the one that was recorded.
    Time: 2026-04-02T20:12:40.000Z (to ten seconds)
    Who: 4417 of met-police, team hackney, as officer (named by its system)
    Why: support_now
    What: assessment.query on 02081040G2081040G2081040G2 [RK]
    Log: firedoor.example/log, 300 entries when signed
    No outsider's clock was checked: with --witnesses the time is compared with what witnesses saw.
    ");

    let line = "This record is entry 42 of the log and has not changed.".to_owned();
    assert_eq!(place.verify_receipt(&receipt(42).to_text()), (0, line));
    fs::write(&body, request(43)).unwrap();
    let (status, text) = run(&args, &place.path("key"));
    assert_eq!(
        (status, text.contains("another request")),
        (1, true),
        "{text}"
    );
    fs::remove_file(&body).unwrap();
    assert_eq!(run(&args, &place.path("key")).0, 2);
}

#[test]
fn a_changed_receipt_is_found() {
    let place = Place::new(&[]);
    let changed = |change: &dyn Fn(&mut Receipt)| {
        let mut receipt = receipt(42);
        change(&mut receipt);
        place.verify_receipt(&receipt.to_text())
    };
    let not_entry =
        "This record is not entry 42 of the log: the record or its proof has been changed.";
    assert_eq!(
        changed(&|receipt| receipt.leaf = entry(43).0),
        (1, not_entry.to_owned())
    );
    assert_eq!(
        changed(&|receipt| receipt.proof.path[3][0] ^= 1),
        (1, not_entry.to_owned())
    );
    assert_eq!(
        changed(&|receipt| receipt.proof.path.truncate(2)),
        (1, not_entry.to_owned())
    );
    assert_eq!(changed(&|receipt| receipt.proof.index = 43).0, 1);
    assert_eq!(changed(&|receipt| receipt.proof.index = 4_200).0, 1);
    for (place_of, name) in ["who", "why", "what"].into_iter().enumerate() {
        let (status, line) = changed(&|receipt| receipt.opened[place_of].bytes[9] ^= 1);
        assert_eq!(
            (status, line.contains(&format!("'{name}'"))),
            (1, true),
            "{line}"
        );
        assert_eq!(
            changed(&|receipt| receipt.opened[place_of].salt[0] ^= 1).0,
            1
        );
    }
    let other = LogKey::from_seed("firedoor.example/log", &[8; 32]).unwrap();
    let resigned = other.sign(ENTRIES as u64, &tree(&leaves(ENTRIES)).root());
    assert_eq!(
        changed(&|receipt| receipt.proof.checkpoint = resigned.clone()).0,
        2
    );
    let grown = head(&leaves(ENTRIES)).replacen("300", "301", 1);
    assert_eq!(
        changed(&|receipt| receipt.proof.checkpoint = grown.clone()).0,
        1
    );

    let text = receipt(42).to_text();
    let (half, _) = text.split_at(text.len() / 2);
    assert_eq!(place.verify_receipt(half).0, 2);
    assert_eq!(place.verify_receipt("").0, 2);
}

#[test]
fn a_later_head_continues_an_earlier_one() {
    let all = leaves(ENTRIES);
    let place = Place::new(&all);
    let now = head(&all);
    assert_eq!(
        place.consistency(&head(&all[..200]), &now),
        (
            0,
            "The log of 300 entries continues that of 200 entries; nothing was rewritten.".into()
        )
    );
    assert_eq!(
        place.consistency(&head(&all[..100]), &head(&all[..200])).0,
        0
    );
    assert_eq!(place.consistency(&now, &now).0, 0);
    assert_eq!(place.consistency(&head(&[]), &now).0, 2);
    assert_eq!(place.consistency(&now, &head(&all[..200])).0, 3);
    assert_eq!(place.consistency(&now, &head(&leaves(301))).0, 2);

    let mut forged = all.clone();
    forged[150] = entry_at(150, START).0;
    let (status, line) = place.consistency(&head(&forged[..200]), &now);
    assert_eq!(
        (status, line.contains("The log was rewritten")),
        (1, true),
        "{line}"
    );
    assert_eq!(place.consistency(&head(&forged[..150]), &now).0, 0);
    let (status, line) = place.consistency(&head(&forged), &now);
    assert_eq!(
        (status, line.contains("two different histories")),
        (1, true),
        "{line}"
    );
}

#[test]
fn what_receipts_print_cannot_steer_a_terminal() {
    let place = Place::new(&[]);
    let mut shown = account();
    shown.who.user = "\u{1b}[2Jward".to_owned();
    let made = LeafDraft::new(
        When::from_millis(START),
        LeafClass::Attempt,
        shown,
        b"",
        |_| [0; 32],
    );
    let (draft, opening) = made.unwrap();
    let leaf = draft.with_sealed(&[0; 32]);
    let receipt = Receipt {
        leaf,
        proof: Proof {
            index: 0,
            path: vec![],
            checkpoint: head(&[leaf]),
        },
        request_salt: Some(opening.request_salt),
        opened: vec![opening.open(Part::Who)],
    };
    let file = place.write("receipt", receipt.to_text());
    let (status, text) = run(&[Path::new("receipt"), &file], &place.path("key"));
    assert_eq!((status, text.contains('\u{1b}')), (0, false));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(size(64, 10_000)))]

    #[test]
    fn no_flipped_byte_anywhere_goes_unnoticed(
        file: prop::sample::Index,
        at: prop::sample::Index,
        bit in 0..8_u32,
    ) {
        let place = Place::new(&leaves(ENTRIES));
        let mut paths: Vec<String> =
            TilePath::all(ENTRIES as u64).map(|path| path.to_string()).collect();
        paths.push("checkpoint".to_owned());
        let path = &paths[file.index(paths.len())];
        place.change(path, |bytes| {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        });
        let (status, line) = place.verify();
        prop_assert!(status == 1 || (status == 2 && path == "checkpoint"), "{path}: {line}");
    }

    #[test]
    fn no_flipped_byte_of_a_receipt_goes_unnoticed(at: prop::sample::Index, bit in 0..8_u32) {
        let place = Place::new(&[]);
        let mut bytes = receipt(42).to_text().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let file = place.write("receipt", &bytes);
        // The salt of the request is checked only with the request.
        let body = place.write("request", request(42));
        let args = [Path::new("receipt"), &file, Path::new("--request"), &body];
        let (status, text) = run(&args, &place.path("key"));
        prop_assert!(status == 1 || status == 2, "byte {at}: {text}");
    }
}

#[test]
fn a_long_log_is_checked_in_seconds_and_its_tree_is_small() {
    let place = Place::new(&[]);
    let entries = size(50_000, 1_000_000).to_string();
    let mut bench = Command::new(env!("CARGO_BIN_EXE_firedoor"));
    bench.args([
        "bench",
        "log",
        "--json",
        "--seconds",
        "0.05",
        "--entries",
        &entries,
    ]);
    let out = bench.arg("--dir").arg(place.path("")).output().unwrap();
    let said = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.success(), "{said}");
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    let figure = |name: &str| report[name].as_f64().unwrap();
    assert!(figure("tree_bytes_an_entry") <= 40.0, "{said}");
    // A million of them, in the long tier; without optimisation it says nothing.
    assert!(
        cfg!(debug_assertions) || figure("verify_seconds") < 3.0,
        "{said}"
    );
    // The bench leaves nothing behind but what was there: the key and the empty log.
    assert_eq!(fs::read_dir(place.path("")).unwrap().count(), 2);
}
