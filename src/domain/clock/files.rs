//! Reads the files of the clock. What is unknown, missing, out of bounds or twice there is an
//! error that names it; nothing is given a default.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use toml::{Table, Value};

use super::{
    Calendar, HOLIDAYS_PER_YEAR_MIN, Rule, Urgency, WAIT_MINUTES_MAX, WORKING_DAYS_MAX, Wait,
    is_weekend,
};

/// A holidays file, in the shape of gov.uk/bank-holidays.json.
pub(super) fn calendar(text: &str) -> Result<Calendar, String> {
    let table = read(text)?;
    only(&table, &["division", "years", "events"])?;
    let mut calendar = Calendar {
        id: text_of(&table, "division")?,
        years: BTreeSet::new(),
        holidays: BTreeSet::new(),
    };
    for year in list_of(&table, "years")? {
        let year = year
            .as_integer()
            .and_then(|year| i16::try_from(year).ok())
            .ok_or("years must be numbers such as 2026")?;
        calendar.years.insert(year);
    }
    for event in list_of(&table, "events")? {
        let event = event
            .as_table()
            .ok_or("every event needs a date and title")?;
        only(event, &["date", "title", "notes"])?;
        text_of(event, "title")?;
        let date = date_of(event, "date")?;
        if is_weekend(date) {
            return Err(format!("{date} is on a weekend; give the substitute day"));
        }
        if !calendar.years.contains(&date.year()) {
            return Err(format!("{date} is in a year that `years` does not name"));
        }
        if !calendar.holidays.insert(date) {
            return Err(format!("{date} is there twice"));
        }
    }
    for year in &calendar.years {
        let days = calendar.holidays.iter().filter(|day| day.year() == *year);
        if days.count() < HOLIDAYS_PER_YEAR_MIN {
            return Err(format!(
                "{year} has fewer than {HOLIDAYS_PER_YEAR_MIN} holidays; copy the year whole"
            ));
        }
    }
    if calendar.years.is_empty() {
        return Err("`years` names none".to_owned());
    }
    Ok(calendar)
}

/// One or more rules files, one after the other.
pub(super) fn rules(text: &str, calendar: &str) -> Result<BTreeMap<Date, Rule>, String> {
    let table = read(text)?;
    only(&table, &["rule"])?;
    let mut rules = BTreeMap::new();
    for rule in list_of(&table, "rule")? {
        let rule = rule
            .as_table()
            .ok_or("every rule must be a [[rule]] table")?;
        only(
            rule,
            &[
                "id",
                "title",
                "valid_from",
                "calendar",
                "details_passed_working_days",
                "contact_by",
            ],
        )?;
        text_of(rule, "title")?;
        let id = text_of(rule, "id")?;
        let counts_in = text_of(rule, "calendar")?;
        if counts_in != calendar {
            return Err(format!(
                "{id} counts in {counts_in}, but the holidays are of {calendar}"
            ));
        }
        let waits = rule
            .get("contact_by")
            .and_then(Value::as_table)
            .ok_or(format!("{id} has no [rule.contact_by]"))?;
        only(waits, &Urgency::ALL.map(Urgency::code))?;
        let details_passed_working_days =
            count_of(rule, "details_passed_working_days", WORKING_DAYS_MAX)?;
        let rule_from = date_of(rule, "valid_from")?;
        let parsed = Rule {
            id,
            details_passed_working_days,
            high: wait_of(waits, Urgency::High)?,
            standard: wait_of(waits, Urgency::Standard)?,
            low: wait_of(waits, Urgency::Low)?,
        };
        if rules.insert(rule_from, parsed).is_some() {
            return Err(format!("two rules are valid from {rule_from}"));
        }
    }
    if rules.is_empty() {
        return Err("there is no [[rule]]".to_owned());
    }
    Ok(rules)
}

fn wait_of(waits: &Table, urgency: Urgency) -> Result<Wait, String> {
    let code = urgency.code();
    let wait = waits
        .get(code)
        .and_then(Value::as_table)
        .ok_or(format!("contact_by has no `{code}`"))?;
    only(wait, &["minutes", "working_days"])?;
    match (
        wait.contains_key("minutes"),
        wait.contains_key("working_days"),
    ) {
        (true, false) => count_of(wait, "minutes", WAIT_MINUTES_MAX).map(Wait::Minutes),
        (false, true) => count_of(wait, "working_days", WORKING_DAYS_MAX).map(Wait::WorkingDays),
        (true, true) | (false, false) => Err(format!(
            "`{code}` must be either in minutes or in working_days"
        )),
    }
}

fn read(text: &str) -> Result<Table, String> {
    text.parse::<Table>().map_err(|error| error.to_string())
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

fn text_of(table: &Table, key: &str) -> Result<String, String> {
    let text = table.get(key).and_then(Value::as_str).unwrap_or_default();
    if text.is_empty() {
        Err(format!("`{key}` must be a text"))
    } else {
        Ok(text.to_owned())
    }
}

fn list_of<'t>(table: &'t Table, key: &str) -> Result<&'t [Value], String> {
    table
        .get(key)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .ok_or(format!("`{key}` is missing"))
}

fn date_of(table: &Table, key: &str) -> Result<Date, String> {
    table
        .get(key)
        .and_then(Value::as_datetime)
        .filter(|at| at.time.is_none() && at.offset.is_none())
        .and_then(|at| at.date.as_ref())
        .and_then(|date| {
            let (year, month, day) = (date.year, date.month, date.day);
            Date::new(
                i16::try_from(year).ok()?,
                i8::try_from(month).ok()?,
                i8::try_from(day).ok()?,
            )
            .ok()
        })
        .ok_or(format!(
            "`{key}` must be a date such as 2026-12-25, without quotes"
        ))
}

fn count_of(table: &Table, key: &str, max: u16) -> Result<u16, String> {
    table
        .get(key)
        .and_then(Value::as_integer)
        .and_then(|count| u16::try_from(count).ok())
        .filter(|count| (1..=max).contains(count))
        .ok_or(format!("`{key}` must be a number from 1 to {max}"))
}
