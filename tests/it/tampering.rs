//! Someone who has the log's own key changes its past: `firedoor-verify` shows it to whoever kept a
//! receipt, a head that witnesses signed, or another copy.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "fixtures: a failure here is a failed test"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

use firedoor::domain::checkpoint::LogKey;
use firedoor::domain::leaf::Leaf;
use firedoor::domain::time::When;
use firedoor::domain::trail::TrailKey;
use proptest::prelude::*;

use crate::kept_log::{
    ENTRIES, Place, START, Witness, after, cosigned, entry_at, first_line, head, key, leaves,
    policy, program, receipt, run, tree, witnesses,
};
use crate::tier::size;

/// A copy of a log with the heads that witnesses signed as the true one grew.
fn shown(shown: &[Leaf], kept: &[usize]) -> Place {
    let place = Place::new(shown);
    let truth = leaves(ENTRIES);
    for size in kept {
        let note = cosigned(&head(&truth[..*size]), after(size.saturating_sub(1)));
        place.keep(*size, note);
    }
    place
}

fn log(place: &Place) -> (i32, String) {
    let (status, text) = place.witnessed(&[Path::new("log"), &place.log()]);
    (status, first_line(&text))
}

fn kept_receipt(place: &Place, index: usize) -> (i32, String) {
    let file = place.write("receipt", receipt(index).to_text());
    let args = [
        Path::new("receipt"),
        &file,
        Path::new("--log"),
        &place.log(),
    ];
    let (status, text) = run(&args, &place.path("key"));
    (status, first_line(&text))
}

/// Both proofs must find it, also for a rewritten log that is in itself in order.
fn found_by_receipt_and_witness(rewritten: &[Leaf], kept: usize) {
    let place = shown(rewritten, &[100, kept]);
    assert_eq!(place.verify().0, 0, "in itself it is in order");
    let (status, line) = log(&place);
    let expected = format!(
        "The log was rewritten: its first {kept} entries are not those of witnessed/{kept}, which \
         it signed too. Keep witnessed/{kept} and checkpoint, they prove it."
    );
    assert_eq!((status, line), (1, expected));
    let (status, line) = kept_receipt(&place, 299);
    let proved = line.starts_with("The log was rewritten after this receipt: its first 300")
        || line.starts_with("The log was cut back and written anew");
    assert!(status == 1 && proved, "{line}");
}

#[test]
fn an_untouched_log_fits_what_witnesses_saw() {
    let place = shown(&leaves(ENTRIES), &[0, 100, 200, 290]);
    fs::write(place.log().join("witnessed/notes"), "hello").unwrap();
    let (status, text) = place.witnessed(&[Path::new("log"), &place.log()]);
    assert_eq!(status, 0, "{text}");
    insta::assert_snapshot!(text, @"
    This log of 300 entries is complete and has not changed.
    Time: 2026-04-02T20:10:00.000Z to 2026-04-02T20:29:50.000Z (to ten seconds)
    Log: firedoor.example/log, root aHg/Mi+4GESKDwW3YMJwZYWL8Qf3cJtIhw8Kt02gnCk=
    Compared: 5 bundles and tiles
    Witnessed: 290 of 300 entries by 2026-04-02 20:29:17 UTC, seen by police, refuge and galop
    The time of each fits what witnesses saw before and after it, their clocks 5 minutes off at most
    Not a head of this log: witnessed/notes
    ");

    let file = place.write("receipt", receipt(150).to_text());
    let args = [
        Path::new("receipt"),
        &file,
        Path::new("--log"),
        &place.log(),
    ];
    let (status, text) = place.witnessed(&args);
    assert_eq!(status, 0, "{text}");
    insta::assert_snapshot!(text, @"
    This record existed by 2026-04-02 20:23:17 UTC and has not changed. Seen by police, refuge and galop.
    This record is entry 150 of the log and has not changed.
    Time: 2026-04-02T20:20:00.000Z (to ten seconds)
    Who: 4417 of met-police, team hackney, as officer (named by its system)
    Why: support_now
    What: assessment.query on 02081040G2081040G2081040G2 [RK]
    Log: firedoor.example/log, 300 entries when signed
    The copy of the log holds it too, unchanged, among 300 entries
    ");
}

#[test]
fn an_entry_that_was_dropped_is_missed() {
    let mut rewritten = leaves(ENTRIES + 1);
    rewritten.remove(260);
    found_by_receipt_and_witness(&rewritten, 290);
}

#[test]
fn an_entry_that_was_edited_is_found() {
    let mut rewritten = leaves(ENTRIES);
    rewritten[120] = entry_at(5_000, rewritten[120].when().millis()).0;
    found_by_receipt_and_witness(&rewritten, 200);
}

#[test]
fn entries_that_changed_places_are_found() {
    let mut rewritten = leaves(ENTRIES);
    assert_eq!(rewritten[120].when(), rewritten[121].when());
    rewritten.swap(120, 121);
    found_by_receipt_and_witness(&rewritten, 200);
}

#[test]
fn a_back_dated_entry_is_found() {
    // The log was quiet for an hour; then an entry is made that claims to be of its beginning.
    let mut all = leaves(ENTRIES);
    let last = all[ENTRIES - 1].when();
    let place = |when: When, cosigned_at: When| {
        let mut all = leaves(ENTRIES);
        let seen = cosigned(&head(&all), cosigned_at);
        all.push(entry_at(ENTRIES, when.millis()).0);
        let place = Place::new(&all);
        place.keep(ENTRIES, seen);
        log(&place)
    };
    let hour = last.plus_hours(1);
    let (status, line) = place(last.plus_millis(10_000), hour);
    assert_eq!(status, 1);
    insta::assert_snapshot!(line, @"Entry 300 was back-dated: it says 2026-04-02 20:30:00 UTC, but at 2026-04-02 21:29:50 UTC witnesses saw the log without it.");
    assert_eq!(place(hour, hour).0, 0);

    // A head may wait five minutes for its witnesses, and a clock may be five minutes slow.
    assert_eq!(place(hour.plus_millis(-9 * 60_000), hour).0, 0);
    assert_eq!(place(hour.plus_millis(-11 * 60_000), hour).0, 1);

    // The same from above: it was there before the time that it names.
    all.push(entry_at(ENTRIES, hour.millis()).0);
    let seen = Place::new(&all);
    seen.keep(ENTRIES + 1, cosigned(&head(&all), last));
    let (status, line) = log(&seen);
    assert_eq!(status, 1);
    insta::assert_snapshot!(line, @"Entry 300 carries a wrong time: it says 2026-04-02 21:29:50 UTC, but witnesses had seen it by 2026-04-02 20:29:50 UTC.");
}

#[test]
fn one_slow_witness_does_not_make_an_honest_log_look_back_dated() {
    let all = leaves(ENTRIES);
    let [police, refuge, _] = witnesses();
    let note = head(&all[..100]);
    let slow = after(ENTRIES).plus_hours(2);
    let lines = [police.cosign(&note, after(99)), refuge.cosign(&note, slow)];
    let place = shown(&all, &[ENTRIES]);
    place.keep(100, note + &lines.concat());
    assert_eq!(log(&place).0, 0);
}

#[test]
fn a_log_cut_back_by_a_restore_is_found_by_what_was_kept() {
    let truth = leaves(ENTRIES);

    // Merely shorter: nobody can tell it from an older copy, and it is not called complete.
    let place = shown(&truth[..200], &[100, 290]);
    let (status, line) = log(&place);
    assert_eq!(status, 2);
    insta::assert_snapshot!(line, @"This copy is incomplete: it ends after 200 entries, and at 2026-04-02 20:29:17 UTC witnesses had seen 290. It is older, or the log was cut back.");
    let (status, line) = kept_receipt(&place, 250);
    assert_eq!(status, 2);
    insta::assert_snapshot!(line, @"The copy of the log ends after 200 entries, and the log had 300 when it signed this receipt: the copy is older, or the log was cut back.");

    // It went on after the restore, and is still shorter than what was seen.
    let mut anew = truth[..200].to_vec();
    anew.extend((0..20).map(|turn| entry_at(200 + turn, START + 90 * 60_000).0));
    let place = shown(&anew, &[100, 290]);
    assert_eq!(place.verify().0, 0, "in itself it is in order");
    let (status, line) = log(&place);
    assert_eq!(status, 1);
    insta::assert_snapshot!(line, @"The log was cut back and written anew: at 2026-04-02 20:29:17 UTC witnesses had seen 290 entries, but entry 200 of this copy is of 2026-04-02 21:40:00 UTC. Keep witnessed/290, it proves it.");
    for index in [210, 250] {
        let (status, line) = kept_receipt(&place, index);
        assert_eq!(status, 1, "{line}");
        assert!(
            line.starts_with("The log was cut back and written anew"),
            "{line}"
        );
    }

    // It has grown past it.
    anew.extend((20..200).map(|turn| entry_at(200 + turn, START + 90 * 60_000).0));
    found_by_receipt_and_witness(&anew, 290);
}

#[test]
fn two_trees_shown_to_two_agencies_part_where_they_differ() {
    let truth = leaves(ENTRIES);
    let mut other = truth.clone();
    other[120] = entry_at(5_000, other[120].when().millis()).0;
    let compare = |one: &[Leaf], other: &[Leaf]| {
        let (one, other) = (Place::new(one), Place::new(other));
        let (from, to) = (one.log(), other.log());
        let (status, text) = run(&[Path::new("compare"), &from, &to], &one.path("key"));
        (status, first_line(&text))
    };
    let (status, line) = compare(&truth, &other);
    assert_eq!(status, 1);
    insta::assert_snapshot!(line, @"The log was shown in two versions: they part at entry 120, and the log signed both. Keep both folders, the two signed heads together prove it.");
    assert_eq!(compare(&truth[..200], &other), (1, line.clone()));
    assert_eq!(compare(&truth, &other[..200]), (1, line));

    insta::assert_snapshot!(compare(&truth, &truth).1, @"Both copies are the same log of 300 entries, unchanged.");
    insta::assert_snapshot!(compare(&truth[..120], &other).1, @"Both copies are the same log: that of 300 entries continues that of 120.");
    assert_eq!(compare(&truth[..120], &other).0, 0);

    // A copy that is damaged is no second version.
    let (one, broken) = (Place::new(&truth), Place::new(&other));
    broken.change("tile/entries/000", |bytes| bytes[300] ^= 1);
    let args = [Path::new("compare"), &one.log(), &broken.log()];
    let (status, text) = run(&args, &one.path("key"));
    assert!(
        status == 1 && text.contains("Entry 1 has been changed"),
        "{text}"
    );
}

#[test]
fn only_enough_of_the_pinned_witnesses_count() {
    let all = leaves(ENTRIES);
    let note = head(&all);
    let [police, refuge, galop] = witnesses();
    let seen = |lines: &[String]| {
        let place = Place::new(&all);
        place.keep(ENTRIES, note.clone() + &lines.concat());
        log(&place)
    };
    let [p, r, g] = [&police, &refuge, &galop].map(|who| who.cosign(&note, after(ENTRIES)));
    assert_eq!(seen(&[p.clone(), r.clone()]).0, 0);
    assert_eq!(seen(&[p.clone(), g.clone()]).0, 0);
    assert_eq!(seen(&[r.clone(), g]).0, 2);
    let (status, line) = seen(&[]);
    assert_eq!(status, 2);
    insta::assert_snapshot!(line, @"This log of 300 entries has not changed, but no head of it carries the signatures of enough witnesses, so its times are not proved.");

    // Neither a stranger's signature counts nor that under another head.
    let stranger = Witness::new("stranger.example/w");
    assert_eq!(
        seen(&[p.clone(), stranger.cosign(&note, after(ENTRIES))]).0,
        2
    );
    let elsewhere = police.cosign(&head(&all[..299]), after(ENTRIES));
    let (status, line) = seen(&[elsewhere, r]);
    assert_eq!(
        (status, line),
        (
            1,
            "The witnessed/300 has been changed: the signature of the witness police is wrong."
                .to_owned()
        )
    );
    let later = p.replacen(" AAAA", " BAAA", 1);
    assert!(later == p || seen(&[later]).0 == 1);
}

#[test]
fn the_witnesses_keys_come_from_a_policy_kept_outside() {
    let place = shown(&leaves(ENTRIES), &[200]);
    let with = |text: &str| {
        let file = place.write("other-policy", text);
        let args = [
            Path::new("log"),
            &place.log(),
            Path::new("--witnesses"),
            &file,
        ];
        let (status, text) = program(&args);
        (status, first_line(&text))
    };
    assert_eq!(with(&policy()).0, 0);
    let inside = place.write("log/policy", policy());
    let args = [
        Path::new("log"),
        &place.log(),
        Path::new("--witnesses"),
        &inside,
    ];
    assert_eq!(program(&args).0, 3);

    for (from, to) in [
        ("quorum both\n", ""),
        ("quorum both\n", "quorum both\nquorum both\n"),
        ("quorum both", "quorum none"),
        ("quorum both", "quorum nobody"),
        ("quorum both", "quorums both"),
        ("any refuge galop", "3 refuge galop"),
        ("any refuge galop", "0 refuge galop"),
        ("any refuge galop", "any refuge refuge"),
        ("any refuge galop", "any"),
        ("all police voluntary", "all police later"),
        ("all police voluntary", "all police refuge"),
        ("witness galop", "witness refuge"),
        ("witness galop", "witness none"),
        ("+BI", "+AI"),
        ("log firedoor", "log firedour"),
        ("# who", "\u{7}# who"),
    ] {
        let changed = policy().replacen(from, to, 1);
        let (status, line) = with(&changed);
        assert!(status == 3 || changed == policy(), "{to}: {line}");
    }
    insta::assert_snapshot!(with("quorum none\n").1.split_once(" cannot").unwrap().1, @" be used: line 1: it asks for no witness, so it says nothing about time.");

    // The log's own key, given apart, must be the one in the policy.
    let key = place.path("key");
    let both = |key: &Path| {
        place
            .witnessed(&[Path::new("log"), &place.log(), Path::new("--key"), key])
            .0
    };
    assert_eq!(both(&key), 0);
    let other = LogKey::from_seed("firedoor.example/log", &[8; 32]).unwrap();
    assert_eq!(both(&place.write("other", other.verifier().vkey())), 3);
}

#[test]
fn a_receipt_says_by_when_its_record_existed() {
    let place = Place::new(&[]);
    let mut seen = receipt(42);
    seen.proof.checkpoint = cosigned(&seen.proof.checkpoint, after(ENTRIES));
    let file = place.write("receipt", seen.to_text());
    let (status, text) = place.witnessed(&[Path::new("receipt"), &file]);
    assert_eq!(status, 0, "{text}");
    insta::assert_snapshot!(first_line(&text), @"This record existed by 2026-04-02 20:30:01 UTC and has not changed. Seen by police, refuge and galop.");

    let file = place.write("receipt", receipt(42).to_text());
    let (status, text) = place.witnessed(&[Path::new("receipt"), &file]);
    assert_eq!(status, 2);
    insta::assert_snapshot!(first_line(&text), @"This record is entry 42 of the log and has not changed, but too few witnesses have signed its head to say by when it existed.");

    seen.proof.checkpoint = cosigned(&receipt(42).proof.checkpoint, When::from_millis(START));
    let early = place.write("receipt", seen.to_text());
    let (status, text) = place.witnessed(&[Path::new("receipt"), &early]);
    assert!(status == 0, "within five minutes: {text}");
    let args = [
        Path::new("receipt"),
        &early,
        Path::new("--skew"),
        Path::new("1"),
    ];
    let (status, text) = place.witnessed(&args);
    assert!(
        status == 1 && text.contains("carries a wrong time"),
        "{text}"
    );
}

#[test]
fn hostile_files_end_in_words() {
    let all = leaves(3);
    let place = shown(&all, &[3]);
    let line = |place: &Place| log(place);

    // A head that names more entries than any disk holds, signed by the log itself.
    for size in [1 << 32, u64::MAX] {
        let place = Place::new(&all);
        place.change("checkpoint", |bytes| {
            *bytes = key().sign(size, &[7; 32]).into_bytes()
        });
        let (status, text) = line(&place);
        assert_eq!((status, text.contains("incomplete")), (2, true), "{text}");
    }
    // A pipe that nobody writes to, a folder where a file should be, a file without end.
    for make in [
        &["mkfifo"][..],
        &["mkdir"],
        &["ln", "-s", "/dev/zero"],
        &["truncate", "--size=1G"],
    ] {
        for path in ["tile/entries/000.p/3", "checkpoint", "witnessed/2"] {
            let place = shown(&all, &[3]);
            let path = place.log().join(path);
            let _ = fs::remove_file(&path);
            let made = Command::new(make[0]).args(&make[1..]).arg(&path).status();
            assert!(made.unwrap().success());
            let (status, text) = line(&place);
            assert!(!text.is_empty() && status <= 2, "{make:?}: {text}");
        }
    }
    // Names that turn the writing round or end the line.
    let name = "tile/\u{202E}gnp.\u{1b}[2J\n0";
    fs::write(place.log().join(name), "").unwrap();
    let (status, text) = place.witnessed(&[Path::new("log"), &place.log()]);
    assert_eq!(status, 0);
    assert!(
        text.contains("Not part of the signed log: tile/?gnp.?[2J?0"),
        "{text}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(size(24, 1_000)))]

    /// Whatever the pace of entries and witnesses: who tells the truth is never accused.
    #[test]
    fn an_honest_log_is_never_accused(
        gaps in prop::collection::vec(0..900_000_i64, 1..60),
        seen in prop::collection::vec((any::<prop::sample::Index>(), 0..300_000_i64), 1..6),
        skew in -290_000..290_000_i64,
    ) {
        let mut now = START;
        let mut all = Vec::new();
        let mut times = vec![START];
        for (index, gap) in gaps.iter().enumerate() {
            now += gap;
            all.push(entry_at(index, now).0);
            times.push(now);
        }
        let place = Place::new(&all);
        place.keep(all.len(), cosigned(&head(&all), When::from_millis(now + skew)));
        for (at, delay) in seen {
            let size = at.index(all.len() + 1);
            // A head waits for its witnesses, while the log grows.
            let when = times[size] + delay + skew;
            place.keep(size, cosigned(&head(&all[..size]), When::from_millis(when)));
        }
        let (status, line) = log(&place);
        prop_assert_eq!(status, 0, "{}", line);
    }

    /// Any head of another past that is kept shows, whichever it is.
    #[test]
    fn no_rewriting_below_a_kept_head_goes_unnoticed(
        at in 0..250_usize, kept in 250..=ENTRIES, index in 250..ENTRIES,
    ) {
        let mut rewritten = leaves(ENTRIES);
        rewritten[at] = entry_at(9_000, rewritten[at].when().millis()).0;
        let place = shown(&rewritten, &[kept]);
        prop_assert_eq!(log(&place).0, 1);
        prop_assert_eq!(kept_receipt(&place, index).0, 1);
        // Below the change both are of one past.
        prop_assert!(tree(&rewritten).root_at(at as u64) == tree(&leaves(ENTRIES)).root_at(at as u64));
    }
}

/// A leaf under the mark of an organisation's key.
fn marked(index: usize, before: Option<u64>) -> Leaf {
    let mark = TrailKey::new([0xA5; 32]).tag(before);
    let mut bytes = *leaves(index + 1)[index].bytes();
    bytes[154..186].copy_from_slice(&mark);
    Leaf::parse(&bytes).unwrap()
}

#[test]
fn an_organisation_finds_its_own_entries_and_sees_a_hole() {
    let with = |own: &[(usize, Option<u64>)]| {
        let mut all = leaves(ENTRIES);
        for (index, before) in own {
            all[*index] = marked(*index, *before);
        }
        let place = Place::new(&all);
        let key = place.write("own", format!("# ours\n{}\n", "a5".repeat(32)));
        let args = [Path::new("log"), &place.log(), Path::new("--own"), &key];
        run(&args, &place.path("key"))
    };
    let (status, text) = with(&[(3, None), (120, Some(3)), (299, Some(120))]);
    assert_eq!(status, 0, "{text}");
    assert!(
        text.contains("Yours: 3 entries, none missing between them: 3, 120, 299"),
        "{text}"
    );

    let (status, text) = with(&[(3, None), (299, Some(120))]);
    assert_eq!(status, 1);
    insta::assert_snapshot!(first_line(&text), @"An entry of yours is missing: entry 299 says that entry 120 of yours came before it, but in this copy that is entry 3.");
    assert_eq!(with(&[(120, Some(3))]).0, 1);
    assert_eq!(with(&[(3, None), (120, None)]).0, 1);
    assert_eq!(with(&[]).0, 2);

    let place = Place::new(&leaves(3));
    for bad in ["", "a5", &"a5".repeat(33), &"g5".repeat(32)] {
        let key = place.write("own", bad);
        let args = [Path::new("log"), &place.log(), Path::new("--own"), &key];
        assert_eq!(run(&args, &place.path("key")).0, 3, "{bad}");
    }
}
