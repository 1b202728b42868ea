//! Reads the file of the rules. What is unknown, missing, out of bounds or twice there is an error
//! that names it; nothing is given a default.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::burst::SIGNS_MAX;
use super::{RuleCode, Tell, Watch, WatchRule};
use crate::domain::audit::Severity;

const WINDOW_MINUTES_MAX: u32 = 7 * 24 * 60;
const THRESHOLD_MAX: u32 = 1_000;
/// Items of one week's sample, for each organisation.
const SAMPLE_MAX: u32 = 50;
const DUE_HOURS_MAX: u32 = 720;
const ESCALATE_HOURS_MAX: u32 = 1_440;
const HISTORY_MAX: u32 = 10_000;
const TIMES_MAX: u32 = 100;
const SAYS_CHARS_MAX: usize = 300;
const VERSION_CHARS_MAX: usize = 32;
/// What a sentence may leave open.
const FIGURES: [&str; 4] = ["{count}", "{minutes}", "{limit}", "{usual}"];

pub(super) fn watch(text: &str) -> Result<Watch, String> {
    let table = text.parse::<Table>().map_err(|error| error.to_string())?;
    only(&table, &["version", "rule"])?;
    let version = text_of(&table, "version", VERSION_CHARS_MAX)?;
    let listed = table.get("rule").and_then(Value::as_array);
    let mut rules = BTreeMap::new();
    for rule in listed.ok_or("there is no [[rule]]")? {
        let rule = rule
            .as_table()
            .ok_or("every rule must be a [[rule]] table")?;
        let code = text_of(rule, "code", 64)?;
        let known =
            RuleCode::parse(&code).ok_or(format!("`{code}` is no rule that is looked for"))?;
        let read = read(rule, known).map_err(|wrong| format!("{code}: {wrong}"))?;
        if rules.insert(known, read).is_some() {
            return Err(format!("{code} is there twice"));
        }
    }
    match RuleCode::ALL.iter().find(|code| !rules.contains_key(code)) {
        Some(missing) => Err(format!("{} is missing", missing.code())),
        None => Ok(Watch { version, rules }),
    }
}

/// The keys that only rules about a user's own habit have.
const fn habits(code: RuleCode) -> &'static [&'static str] {
    match code {
        RuleCode::Bulk => &["history", "times", "least"],
        RuleCode::Hours => &["history"],
        RuleCode::GlassBroken
        | RuleCode::StatusShaped
        | RuleCode::Reread
        | RuleCode::Tainted
        | RuleCode::AfterClosure
        | RuleCode::NoRelationship
        | RuleCode::Household
        | RuleCode::Flagged
        | RuleCode::OwnRecord
        | RuleCode::Denied
        | RuleCode::Operator
        | RuleCode::Sample
        | RuleCode::MissingNote
        | RuleCode::LinkUndone
        | RuleCode::StopUseOverdue
        | RuleCode::AfterTransfer
        | RuleCode::WrongPerson
        | RuleCode::NotHers => &[],
    }
}

fn read(table: &Table, code: RuleCode) -> Result<WatchRule, String> {
    let habits = habits(code);
    let mut known = vec![
        "code",
        "severity",
        "window_minutes",
        "threshold",
        "tell",
        "names_user",
        "due_hours",
        "escalate_hours",
        "says",
    ];
    known.extend(habits);
    only(table, &known)?;
    let habit = |key: &str, max: u32| match habits.contains(&key) {
        true => count_of(table, key, 1, max),
        false => Ok(0),
    };
    let most = match code {
        RuleCode::Sample => SAMPLE_MAX,
        // Of a hundred.
        RuleCode::Hours => 100,
        // Counted by themselves.
        RuleCode::Bulk | RuleCode::Household => THRESHOLD_MAX,
        RuleCode::GlassBroken
        | RuleCode::StatusShaped
        | RuleCode::Reread
        | RuleCode::Tainted
        | RuleCode::AfterClosure
        | RuleCode::NoRelationship
        | RuleCode::Flagged
        | RuleCode::OwnRecord
        | RuleCode::Denied
        | RuleCode::Operator
        | RuleCode::MissingNote
        | RuleCode::LinkUndone
        | RuleCode::StopUseOverdue
        | RuleCode::AfterTransfer
        | RuleCode::WrongPerson
        | RuleCode::NotHers => u32::try_from(SIGNS_MAX).unwrap_or(1),
    };
    let due_hours = count_of(table, "due_hours", 1, DUE_HOURS_MAX)?;
    let window_minutes = count_of(table, "window_minutes", 0, WINDOW_MINUTES_MAX)?;
    let threshold = count_of(table, "threshold", 1, most)?;
    if window_minutes == 0 && threshold != 1 {
        return Err(
            "without a window every sign is its own item: `threshold` must be 1".to_owned(),
        );
    }
    let severity = text_of(table, "severity", 16)?;
    Ok(WatchRule {
        code,
        severity: Severity::parse(&severity).ok_or("`severity` must be plain, amber or red")?,
        window_minutes,
        threshold,
        tell: tell(table)?,
        names_user: table
            .get("names_user")
            .and_then(Value::as_bool)
            .ok_or("`names_user` must be true or false")?,
        due_hours,
        escalate_hours: count_of(table, "escalate_hours", due_hours, ESCALATE_HOURS_MAX)?,
        history: habit("history", HISTORY_MAX)?,
        times: habit("times", TIMES_MAX)?,
        least: habit("least", THRESHOLD_MAX)?,
        says: says(table)?,
    })
}

fn tell(table: &Table) -> Result<Vec<Tell>, String> {
    const WRONG: &str = "`tell` must name some of own, concerned and reviewer, each once";
    let listed = table.get("tell").and_then(Value::as_array).ok_or(WRONG)?;
    let mut told = Vec::new();
    for name in listed {
        let who = match name.as_str() {
            Some("own") => Tell::Own,
            Some("concerned") => Tell::Concerned,
            Some("reviewer") => Tell::Reviewer,
            Some(_) | None => return Err(WRONG.to_owned()),
        };
        if told.contains(&who) {
            return Err(WRONG.to_owned());
        }
        told.push(who);
    }
    // Without anyone told it would not be a rule.
    (!told.is_empty()).then_some(told).ok_or(WRONG.to_owned())
}

fn says(table: &Table) -> Result<String, String> {
    let says = text_of(table, "says", SAYS_CHARS_MAX)?;
    let filled = FIGURES
        .iter()
        .fold(says.clone(), |text, figure| text.replace(figure, ""));
    if filled.contains(['{', '}']) {
        return Err(format!("`says` may leave open only {}", FIGURES.join(", ")));
    }
    Ok(says)
}

/// A key that nobody reads is a mistake that nobody would notice.
fn only(table: &Table, known: &[&str]) -> Result<(), String> {
    match table.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!(
            "`{key}` is not known; expected {}",
            known.join(", ")
        )),
        None => Ok(()),
    }
}

fn text_of(table: &Table, key: &str, max: usize) -> Result<String, String> {
    let text = table.get(key).and_then(Value::as_str).unwrap_or_default();
    let fits = !text.is_empty() && text.chars().count() <= max;
    if fits && !text.chars().any(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "`{key}` must be a text of at most {max} characters"
        ))
    }
}

fn count_of(table: &Table, key: &str, least: u32, most: u32) -> Result<u32, String> {
    table
        .get(key)
        .and_then(Value::as_integer)
        .and_then(|count| u32::try_from(count).ok())
        .filter(|count| (least..=most).contains(count))
        .ok_or(format!("`{key}` must be a number from {least} to {most}"))
}
