//! Reads the file of one tool. What is unknown, missing, out of bounds or twice there is an error
//! that names it: on a mistyped tool answers would be refused, or counted wrongly.

use toml::{Table, Value};

use super::{Band, QUESTIONS_MAX, Question, Tool, VERSIONS_MAX, days_valid};
use crate::domain::codes::{Grade, Instrument};

/// The longest label and name, in characters: a label says what a question is about and asks nothing.
const LABEL_CHARS_MAX: usize = 60;
const CODE_BYTES_MAX: usize = 32;

pub(super) fn read(instrument: Instrument, text: &str) -> Result<Tool, String> {
    let table = text.parse::<Table>().map_err(|error| error.to_string())?;
    let known = [
        "instrument",
        "name",
        "versions",
        "risk",
        "days_valid",
        "grades",
        "question",
        "usual",
    ];
    only("the file", &table, &known)?;
    if words(&table, "instrument")? != instrument.code() {
        return Err(format!("`instrument` must be {}", instrument.code()));
    }
    let versions = codes(&table, "versions", VERSIONS_MAX)?;
    let is_risk = flag(&table, "risk")?;
    let tool = Tool {
        instrument,
        name: words(&table, "name")?,
        is_risk,
        days_valid: days(&table, is_risk)?,
        grades: grades(&table)?,
        questions: questions(&table, &versions)?,
        usual: Vec::new(),
        versions,
    };
    let usual = usual(&table, &tool)?;
    Ok(Tool { usual, ..tool })
}

fn days(table: &Table, is_risk: bool) -> Result<u16, String> {
    let most = days_valid(is_risk);
    let given = match table.get("days_valid") {
        None => Some(most),
        Some(given) => given.as_integer(),
    };
    given
        .filter(|days| (1..=most).contains(days))
        .and_then(|days| u16::try_from(days).ok())
        .ok_or(format!("`days_valid` must be a number from 1 to {most}"))
}

fn grades(table: &Table) -> Result<Vec<Grade>, String> {
    let given = list(table, "grades")?;
    let mut grades = Vec::new();
    for code in given {
        let grade = code.as_str().and_then(Grade::parse);
        let grade = grade.ok_or("`grades` holds a grade that is not known")?;
        if grades.contains(&grade) {
            return Err(format!("grade {} is there twice", grade.code()));
        }
        grades.push(grade);
    }
    match grades.is_empty() {
        true => Err("`grades` is empty: say which grades the tool knows".to_owned()),
        false => Ok(grades),
    }
}

fn questions(table: &Table, versions: &[String]) -> Result<Vec<Question>, String> {
    let given = tables(table, "question")?;
    let mut questions: Vec<Question> = Vec::new();
    for given in given {
        only(
            "question",
            given,
            &["code", "label", "ticks", "versions", "child_at_risk"],
        )?;
        let code = words(given, "code")?;
        if !is_code(&code) {
            return Err("the code of a question must be 1 to 32 of a-z, 0-9 and _".to_owned());
        }
        if questions.iter().any(|there| there.code == code) {
            return Err(format!("question {code} is there twice"));
        }
        let only_in = match given.contains_key("versions") {
            true => codes(given, "versions", VERSIONS_MAX)?,
            false => Vec::new(),
        };
        if let Some(other) = only_in.iter().find(|version| !versions.contains(version)) {
            return Err(format!("question {code}: there is no version {other}"));
        }
        questions.push(Question {
            label: words(given, "label")?,
            ticks: flag(given, "ticks")?,
            // Left out where it is not about a child.
            child_at_risk: given.contains_key("child_at_risk") && flag(given, "child_at_risk")?,
            versions: only_in,
            code,
        });
    }
    if questions.len() > QUESTIONS_MAX {
        return Err(format!("there are more than {QUESTIONS_MAX} questions"));
    }
    let empty = versions
        .iter()
        .find(|version| !questions.iter().any(|question| question.is_in(version)));
    match empty {
        Some(version) => Err(format!("version {version} has no question")),
        None => Ok(questions),
    }
}

/// Bands in order, without a gap, from no tick to all that can be counted.
fn usual(table: &Table, tool: &Tool) -> Result<Vec<Band>, String> {
    let mut bands: Vec<Band> = Vec::new();
    if !table.contains_key("usual") {
        return Ok(bands);
    }
    let counting = tool.questions.iter().filter(|question| question.ticks);
    let most = u16::try_from(counting.count()).unwrap_or(u16::MAX);
    if !tool.is_risk || most == 0 {
        return Err("`usual` belongs to a tool of risk that counts ticks".to_owned());
    }
    for given in tables(table, "usual")? {
        only("usual", given, &["from", "to", "grade"])?;
        let number = |key| {
            let given = given.get(key).and_then(Value::as_integer);
            given.and_then(|number| u16::try_from(number).ok())
        };
        let grade = given.get("grade").and_then(Value::as_str);
        let grade = grade.and_then(Grade::parse);
        let grade = grade.filter(|grade| tool.grades.contains(grade));
        let (Some(from), Some(to), Some(grade)) = (number("from"), number("to"), grade) else {
            return Err("`usual` needs `from`, `to` and a `grade` of the tool".to_owned());
        };
        let next = bands.last().map_or(0, |band| band.to.saturating_add(1));
        let climbs = bands.last().is_none_or(|band| band.grade < grade);
        if from != next || to < from || !climbs {
            return Err(
                "the bands of `usual` must follow each other from 0, without a gap, each of a \
                 higher grade"
                    .to_owned(),
            );
        }
        bands.push(Band { from, to, grade });
    }
    match bands.last() {
        Some(band) if band.to == most => Ok(bands),
        Some(_) | None => Err(format!("the last band of `usual` must end at {most}")),
    }
}

fn is_code(text: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    (1..=CODE_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

fn codes(table: &Table, key: &str, max: usize) -> Result<Vec<String>, String> {
    let mut codes: Vec<String> = Vec::new();
    for given in list(table, key)? {
        let code = given.as_str().filter(|code| is_code(code));
        let code = code.ok_or(format!(
            "`{key}` must be a list of 1 to 32 of a-z, 0-9 and _"
        ))?;
        if codes.iter().any(|there| there == code) {
            return Err(format!("`{key}`: {code} is there twice"));
        }
        codes.push(code.to_owned());
    }
    match codes.len() {
        0 => Err(format!("`{key}` is empty")),
        many if many > max => Err(format!("`{key}` has more than {max}")),
        _ => Ok(codes),
    }
}

fn list<'a>(table: &'a Table, key: &str) -> Result<&'a [Value], String> {
    let given = table.get(key).and_then(Value::as_array);
    given
        .map(Vec::as_slice)
        .ok_or(format!("`{key}` must be a list"))
}

fn tables<'a>(table: &'a Table, key: &str) -> Result<Vec<&'a Table>, String> {
    let tables = list(table, key)?.iter().map(Value::as_table);
    let tables: Option<Vec<&Table>> = tables.collect();
    tables.ok_or(format!("every {key} must be a [[{key}]] table"))
}

fn flag(table: &Table, key: &str) -> Result<bool, String> {
    let given = table.get(key).and_then(Value::as_bool);
    given.ok_or(format!("`{key}` must be true or false"))
}

fn words(table: &Table, key: &str) -> Result<String, String> {
    let text = table.get(key).and_then(Value::as_str).unwrap_or_default();
    let fits = (1..=LABEL_CHARS_MAX).contains(&text.chars().count());
    match fits && !text.chars().any(char::is_control) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "`{key}` must be a text of 1 to {LABEL_CHARS_MAX} characters on one line"
        )),
    }
}

/// A key that nobody reads is a mistake that nobody would notice.
fn only(what: &str, table: &Table, known: &[&str]) -> Result<(), String> {
    match table.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!(
            "`{key}` in {what} is not known; expected {}",
            known.join(", ")
        )),
        None => Ok(()),
    }
}
