//! Reads the file of retention. What is unknown, missing, out of bounds or twice there is an error
//! that names it; nothing is given a default, because a slip here erases.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use toml::{Table, Value};

use super::{CLASSES_MAX, Class, DAYS_MAX, DAYS_MIN, Retention};
use crate::domain::codes::{Action, Purpose};

/// The longest reason, in bytes.
const REASON_BYTES_MAX: usize = 200;

pub(super) fn read(text: &str) -> Result<Retention, String> {
    let table = text.parse::<Table>().map_err(|error| error.to_string())?;
    only("the file", &table, &["rest", "class"])?;
    let rest = table.get("rest").and_then(Value::as_table);
    let rest = rest.ok_or("there is no [rest] for what no class names")?;
    only("rest", rest, &["name", "days", "reason"])?;
    let rest = class(rest)?;
    let mut names = BTreeSet::from([rest.name.clone()]);
    let mut classes = Vec::new();
    let given = table
        .get("class")
        .map_or(Some(&[][..]), |given| given.as_array().map(Vec::as_slice));
    for given in given.ok_or("every class must be a [[class]] table")? {
        let given = given
            .as_table()
            .ok_or("every class must be a [[class]] table")?;
        let known = ["name", "days", "reason", "actions", "purposes"];
        only("class", given, &known)?;
        let class = class(given)?;
        if !names.insert(class.name.clone()) {
            return Err(format!("{} is there twice", class.name));
        }
        if class.actions.is_empty() && class.purposes.is_empty() {
            return Err(format!("{} names no action and no purpose", class.name));
        }
        classes.push(class);
    }
    if classes.len() > CLASSES_MAX {
        return Err(format!("there are more than {CLASSES_MAX} classes"));
    }
    Ok(Retention {
        hash: Sha256::digest(text).into(),
        classes,
        rest,
    })
}

fn class(table: &Table) -> Result<Class, String> {
    let name = text_of(table, "name")?;
    let allowed = |byte: u8| byte == b'-' || byte.is_ascii_lowercase();
    if !(2..=32).contains(&name.len()) || !name.bytes().all(allowed) {
        return Err(format!("the name {name:?} must be 2 to 32 of a-z and -"));
    }
    let days = table.get("days").and_then(Value::as_integer);
    let days = days.and_then(|days| u16::try_from(days).ok());
    let days = days.filter(|days| (DAYS_MIN..=DAYS_MAX).contains(days));
    let days = days.ok_or(format!(
        "{name}: `days` must be a number from {DAYS_MIN} to {DAYS_MAX}"
    ))?;
    let reason = text_of(table, "reason")?;
    if reason.len() > REASON_BYTES_MAX {
        return Err(format!("{name}: the reason is too long"));
    }
    let action = |code: &str| Action::parse(code).is_some();
    let purpose = |code: &str| Purpose::parse(code).is_some();
    Ok(Class {
        actions: codes(table, &name, "actions", action)?,
        purposes: codes(table, &name, "purposes", purpose)?,
        name,
        days,
        reason,
    })
}

fn codes(
    table: &Table,
    class: &str,
    key: &str,
    known: impl Fn(&str) -> bool,
) -> Result<Vec<String>, String> {
    let Some(given) = table.get(key) else {
        return Ok(Vec::new());
    };
    let given = given.as_array();
    let given = given.ok_or(format!("{class}: `{key}` must be a list of codes"))?;
    let mut codes = Vec::new();
    for code in given {
        let code = code.as_str().filter(|code| known(code));
        let code = code.ok_or(format!("{class}: `{key}` holds a code that is not known"))?;
        if codes.iter().any(|there| there == code) {
            return Err(format!("{class}: {code} is there twice"));
        }
        codes.push(code.to_owned());
    }
    Ok(codes)
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

fn text_of(table: &Table, key: &str) -> Result<String, String> {
    let text = table.get(key).and_then(Value::as_str).unwrap_or_default();
    match text.trim().is_empty() {
        true => Err(format!("`{key}` must be a text")),
        false => Ok(text.to_owned()),
    }
}
