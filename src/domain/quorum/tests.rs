//! Which files are policies, which quorums are met and when, and what is refused in which words.

use super::*;
use crate::domain::checkpoint::LogKey;
use crate::domain::cosignature::WitnessKey;
use proptest::prelude::*;

const NAMES: [&str; 7] = [
    "police",
    "health",
    "council",
    "larkfield",
    "avalon",
    "harbour",
    "court",
];
const RULE: &str = "group statutory 2 police health council court\n\
                    group voice any larkfield avalon harbour\n\
                    group both all statutory voice\nquorum both\n";

fn log() -> LogKey {
    LogKey::from_seed("firedoor.example/log", &[7; 32]).unwrap()
}

fn key(at: usize) -> WitnessKey {
    WitnessKey::from_seed(
        &format!("{}.example", NAMES[at]),
        &[100 + u8::try_from(at).unwrap(); 32],
    )
    .unwrap()
}

fn policy(rule: &str) -> String {
    let mut text = format!("# who vouches\nlog {}\n", log().verifier().vkey());
    for (at, name) in NAMES.iter().enumerate() {
        text.push_str(&format!("witness {name} {}\n", key(at).verifier().vkey()));
    }
    text + rule
}

fn note(times: &[Option<i64>]) -> String {
    let mut note = log().sign(9, &[3; 32]);
    let text = Note::parse(&note).unwrap().text().to_owned();
    for (at, time) in times.iter().enumerate() {
        if let Some(time) = time {
            note.push_str(&key(at).cosign(&text, When::from_millis(time * 1_000)));
        }
    }
    note
}

fn refused(rule: &str) -> String {
    Quorum::parse(&policy(rule)).unwrap_err().to_string()
}

#[test]
fn the_policy_that_is_delivered_is_read_and_needs_a_voice() {
    let text = include_str!("../../../deploy/witnesses.policy");
    let quorum = Quorum::parse(text).unwrap();
    assert!(quorum.voices().count() >= VOICE_MIN);
    // What belongs to one gateway is for its keepers to fill in.
    assert!(quorum.logs().is_empty());
}

#[test]
fn a_quorum_is_met_when_the_last_that_was_needed_had_cosigned() {
    let quorum = Quorum::parse(&policy(RULE)).unwrap();
    let met = |times: &[Option<i64>]| quorum.met_at(&note(times)).map(|at| at.millis() / 1_000);
    assert_eq!(met(&[]), None);
    assert_eq!(met(&[Some(10), Some(20), None, Some(15)]), Some(20));
    // A third statutory body, earlier: two of three had signed by 10.
    assert_eq!(met(&[Some(10), Some(20), Some(5), Some(15)]), Some(15));
    // All the statutory bodies together are not enough.
    assert_eq!(
        met(&[Some(1), Some(1), Some(1), None, None, None, Some(1)]),
        None
    );
    // The earliest of the voices counts.
    assert_eq!(met(&[Some(1), Some(2), None, Some(9), Some(4)]), Some(4));
    let times = quorum.times(&note(&[None, Some(20), None, Some(15)]));
    assert_eq!(
        times,
        [
            ("health".to_owned(), When::from_millis(20_000)),
            ("larkfield".to_owned(), When::from_millis(15_000)),
        ]
    );
    let voices: Vec<&str> = quorum.voices().map(|one| one.name.as_str()).collect();
    assert_eq!(voices, ["larkfield", "avalon", "harbour"]);
}

#[test]
fn a_note_that_no_known_log_signed_or_with_a_wrong_line_has_no_quorum() {
    let quorum = Quorum::parse(&policy(RULE)).unwrap();
    let whole = note(&[Some(10), Some(20), None, Some(15)]);
    assert!(quorum.met_at(&whole).is_some());
    let other = LogKey::from_seed("firedoor.example/log", &[8; 32]).unwrap();
    let lines = whole
        .split_once("\n\n")
        .unwrap()
        .1
        .split_once('\n')
        .unwrap()
        .1;
    let unsigned = format!("{}{lines}", other.sign(9, &[3; 32]));
    assert_eq!(quorum.met_at(&unsigned), None);
    let elsewhere = key(2).cosign("another text\n", When::from_millis(1));
    assert_eq!(quorum.met_at(&format!("{whole}{elsewhere}")), None);
    assert!(quorum.times(&format!("{whole}{elsewhere}")).is_empty());
}

#[test]
fn no_quorum_comes_about_without_a_voluntary_body() {
    let said: Vec<String> = [
        "group voice any larkfield avalon harbour\ngroup all-of 2 police health council\nquorum all-of\n",
        "group voice any larkfield avalon harbour\ngroup either 1 police voice\nquorum either\n",
        "group voice any larkfield avalon harbour\ngroup most 3 police health council voice\nquorum most\n",
        "quorum police\n",
        "group voice any larkfield avalon\ngroup both all police voice\nquorum both\n",
        "group voice 2 larkfield avalon harbour\ngroup both all police voice\nquorum both\n",
        "group pair any avalon harbour\ngroup voice any larkfield council pair\nquorum voice\n",
        "group voice any larkfield avalon harbour\nquorum none\n",
        "group voice any larkfield avalon harbour\n",
    ]
    .iter()
    .map(|rule| refused(rule))
    .collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    the quorum can be reached without any member of the group voice: make it `all` of a group that has voice in it
    the quorum can be reached without any member of the group voice: make it `all` of a group that has voice in it
    the quorum can be reached without any member of the group voice: make it `all` of a group that has voice in it
    the policy of witnesses has no group named voice: name at least three voluntary bodies, as `group voice any NAME NAME NAME`
    the group voice must be `any` of at least three witnesses, named one by one: with fewer, or if more than one must sign, a voluntary body that is away stops the log
    the group voice must be `any` of at least three witnesses, named one by one: with fewer, or if more than one must sign, a voluntary body that is away stops the log
    the group voice must be `any` of at least three witnesses, named one by one: with fewer, or if more than one must sign, a voluntary body that is away stops the log
    line 11 of the policy of witnesses: the quorum may not be none: somebody else must vouch for the log
    the policy of witnesses has no quorum line: end it with `quorum NAME`
    ");
    // Voice alone, and voice as one of all, are enough.
    for rule in [
        "group voice any larkfield avalon harbour\nquorum voice\n",
        "group voice 1 larkfield avalon harbour\ngroup most 4 police health council voice\nquorum most\n",
    ] {
        assert!(Quorum::parse(&policy(rule)).is_ok(), "{rule}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    let police = key(0).verifier().vkey();
    let log_key = log().verifier().vkey();
    let said: Vec<String> = [
        "quorums voice".to_owned(),
        "quorum voice\r".to_owned(),
        "log".to_owned(),
        format!("log {police}"),
        format!("log {log_key}"),
        format!("witness other {log_key}"),
        format!("witness other {police}"),
        format!("witness police {police}"),
        format!("witness none {police}"),
        "witness other".to_owned(),
        "group voice any".to_owned(),
        "group voice 0 police".to_owned(),
        "group voice 2 police".to_owned(),
        "group voice +1 police".to_owned(),
        "group voice any police nobody".to_owned(),
        "group voice any police police".to_owned(),
        "group voice any police none".to_owned(),
        "quorum nobody".to_owned(),
        "quorum police health".to_owned(),
    ]
    .iter()
    .map(|line| refused(&format!("{line}\n")))
    .collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    line 10 of the policy of witnesses: a line begins with log, witness, group, quorum or #
    line 10 of the policy of witnesses: it holds a character that is not allowed; lines end with a line feed alone
    line 10 of the policy of witnesses: write `log VKEY [URL]`
    line 10 of the policy of witnesses: the key is not that of a log: name+hash+base64, Ed25519 (type 01)
    line 10 of the policy of witnesses: this key stands in a line before
    line 10 of the policy of witnesses: the key is not that of a witness: name+hash+base64, Ed25519 cosignature (type 04), as `firedoor log witness --show` prints it
    line 10 of the policy of witnesses: this key stands in a line before
    line 10 of the policy of witnesses: the name police is taken; none is nobody's name
    line 10 of the policy of witnesses: the name none is taken; none is nobody's name
    line 10 of the policy of witnesses: write `witness NAME VKEY [URL]`
    line 10 of the policy of witnesses: write `group NAME any|all|COUNT MEMBER...`, with COUNT at least 1 and at most the members
    line 10 of the policy of witnesses: write `group NAME any|all|COUNT MEMBER...`, with COUNT at least 1 and at most the members
    line 10 of the policy of witnesses: write `group NAME any|all|COUNT MEMBER...`, with COUNT at least 1 and at most the members
    line 10 of the policy of witnesses: write `group NAME any|all|COUNT MEMBER...`, with COUNT at least 1 and at most the members
    line 10 of the policy of witnesses: nothing before this line is called nobody
    line 10 of the policy of witnesses: police is in a group already: a witness counts in one way only
    line 10 of the policy of witnesses: nothing before this line is called none
    line 10 of the policy of witnesses: nothing before this line is called nobody
    line 10 of the policy of witnesses: write `quorum NAME`, once
    ");
}

#[test]
fn blanks_comments_and_addresses_are_as_the_specification_says() {
    let mut text = policy("");
    text = text.replace("witness police", "  \t witness\t police");
    text = text.replace(
        "\nwitness health",
        " https://witness.example/police \nwitness health",
    );
    text = text.replacen("# who vouches", "\t# \u{e9}t\u{e9}\n\n", 1);
    let quorum = Quorum::parse(&(text + "   # a comment\n" + RULE)).unwrap();
    assert_eq!(
        quorum.witnesses()[0].url.as_deref(),
        Some("https://witness.example/police")
    );
    assert_eq!(quorum.logs().len(), 1);
}

proptest! {
    #[test]
    fn a_quorum_holds_a_voice_and_grows_only_earlier_with_more_signers(
        times in proptest::collection::vec(proptest::option::of(0..100_i64), 7),
        more in 0..7_usize, at in 0..100_i64,
    ) {
        let quorum = Quorum::parse(&policy(RULE)).unwrap();
        let met = quorum.met_at(&note(&times));
        let statutory = [0, 1, 2, 6].iter().filter(|at| times[**at].is_some()).count();
        let voices = times[3..6].iter().flatten().count();
        prop_assert_eq!(met.is_some(), statutory >= 2 && voices >= 1);
        let mut grown = times.clone();
        if grown[more].is_none() {
            grown[more] = Some(at);
        }
        let later = quorum.met_at(&note(&grown));
        prop_assert!(met.is_none() || later.is_some_and(|later| later <= met.unwrap()));
    }

    #[test]
    fn reading_never_panics(text: String, words in "(log|witness|group|quorum|any|all|[0-9]| |\t|\n|a|b){0,40}") {
        let _ = Quorum::parse(&text);
        let _ = Quorum::parse(&policy(&words));
    }
}
