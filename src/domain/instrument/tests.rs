//! What the tools promise, and which files are refused.

use super::*;
use crate::domain::firewall::text::Finding;
use crate::domain::rules::Rules;

fn dash() -> &'static str {
    BUILT_IN_INSTRUMENTS[0].1
}

/// Why a changed file of the first tool is refused.
fn refused(from: &str, to: &str) -> String {
    let text = dash().replacen(from, to, 1);
    assert_ne!(text, dash(), "{from} is not there");
    let mut files = BUILT_IN_INSTRUMENTS.map(|(instrument, text)| (instrument, text.to_owned()));
    files[0].1 = text;
    Instruments::parse(&files).err().unwrap().to_string()
}

fn yes(code: &str) -> Item {
    Item {
        code: code.to_owned(),
        answer: ItemAnswer::Yes,
    }
}

fn tool(instrument: Instrument) -> Tool {
    Instruments::built_in()
        .unwrap()
        .tool(instrument)
        .unwrap()
        .clone()
}

#[test]
fn every_instrument_has_its_file_and_a_risk_is_shown_for_ninety_days() {
    let built_in = Instruments::built_in().unwrap();
    assert_eq!(built_in.all().count(), Instrument::ALL.len());
    for tool in built_in.all() {
        let days = if tool.is_risk { 90 } else { 366 };
        assert_eq!(tool.days_valid, days, "{}", tool.name);
    }
}

#[test]
fn ticks_are_the_questions_that_count_and_were_answered_yes() {
    let dash = tool(Instrument::SafelivesDash24);
    let mut items = vec![yes("q1"), yes("q24"), yes("q99")];
    items.push(Item {
        answer: ItemAnswer::Declined,
        ..yes("q2")
    });
    assert_eq!(dash.ticks(&items), Some(2));
    // A tool that judges has no number at all, rather than none ticked.
    assert_eq!(tool(Instrument::Dara).ticks(&[yes("weapons")]), None);
}

#[test]
fn answers_belong_to_a_version_of_the_tool() {
    let dash = tool(Instrument::SafelivesDash24);
    let fields = |version: &str, items: &[Item]| -> Vec<&'static str> {
        let wrong = dash.check(version, items, Grade::High);
        wrong.iter().map(|wrong| wrong.field).collect()
    };
    assert!(fields("2014", &[yes("q1"), yes("q2")]).is_empty());
    assert_eq!(fields("1999", &[yes("q1")]), ["instrument_version"]);
    assert_eq!(fields("2014", &[yes("q25")]), ["items.code"]);
    assert_eq!(fields("2014", &[yes("q1"), yes("q1")]), ["items"]);
    let mut one = dash.clone();
    one.grades = vec![Grade::Standard];
    assert_eq!(one.check("2014", &[], Grade::High)[0].field, "grade");
    one.questions[0].versions = vec!["2012".to_owned()];
    let wrong = one.check("2014", &[yes("q1")], Grade::Standard);
    assert_eq!(wrong[0].field, "items.code");
}

#[test]
fn bands_are_words_beside_the_ticks() {
    let words = tool(Instrument::SafelivesDash24).usual_words().unwrap();
    assert_eq!(
        words,
        "Usual in local practice, and no grade: 0 to 9: standard, 10 to 13: medium, 14 to 24: high."
    );
    assert_eq!(tool(Instrument::Dara).usual_words(), None);
}

#[test]
fn a_file_that_contradicts_itself_is_refused_by_name() {
    for (from, to, says) in [
        ("risk = true", "risk = true\ncolour = \"red\"", "`colour`"),
        (
            "\"safelives_dash_24\"",
            "\"dara\"",
            "must be safelives_dash_24",
        ),
        ("days_valid = 90", "days_valid = 91", "from 1 to 90"),
        ("days_valid = 90", "days_valid = 0", "from 1 to 90"),
        ("\"2012\", ", "\"2014\", ", "2014 is there twice"),
        (
            "\"standard\", \"medium\"",
            "\"extreme\", \"medium\"",
            "not known",
        ),
        ("code = \"q2\"", "code = \"q1\"", "q1 is there twice"),
        ("code = \"q2\"", "code = \"Is she here?\"", "a-z, 0-9 and _"),
        ("ticks = true", "ticks = \"yes\"", "`ticks`"),
        (
            "ticks = true",
            "ticks = true\nversions = [\"2099\"]",
            "no version 2099",
        ),
        ("from = 10", "from = 11", "without a gap"),
        ("to = 24", "to = 23", "must end at 24"),
        ("risk = true", "risk = false", "belongs to a tool of risk"),
        ("label = \"injury", "label = \"injury \\n", "on one line"),
    ] {
        let error = refused(from, to);
        assert!(error.contains(says), "{from}: {error}");
        assert!(
            error.starts_with("instruments/safelives_dash_24.toml: "),
            "{error}"
        );
    }
    let few = &BUILT_IN_INSTRUMENTS[1..];
    let error = Instruments::parse(few).err().unwrap().to_string();
    assert!(error.ends_with("missing"), "{error}");
}

#[test]
fn no_label_is_a_word_that_the_screen_would_hold() {
    let built_in = Instruments::built_in().unwrap();
    let screen = &Rules::for_tests().book.screen;
    for tool in built_in.all() {
        for question in &tool.questions {
            let found = screen.read(&question.label);
            assert_eq!(found, Finding::Clean, "{}: {}", tool.name, question.label);
        }
    }
}
