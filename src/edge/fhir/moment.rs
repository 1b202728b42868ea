//! FHIR `dateTime`: an instant, or a day, month or year in which it lies.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::domain::time::When;

use super::problem::{Kind, Problem};
use super::shape::{Fields, LeftBehind};

const SAYS: &str = "must be a date or a time with its offset, such as 2026-11-20T14:30:00+00:00";

/// The earliest instant that is meant.
pub(super) fn first(
    fields: &Fields<'_>,
    name: &str,
    left: &mut LeftBehind,
) -> Result<Option<When>, Problem> {
    read(fields, name, left, Some)
}

/// The instant after all that is meant.
pub(super) fn last(
    fields: &Fields<'_>,
    name: &str,
    left: &mut LeftBehind,
) -> Result<Option<When>, Problem> {
    read(fields, name, left, |date| date.tomorrow().ok())
}

fn read(
    fields: &Fields<'_>,
    name: &str,
    left: &mut LeftBehind,
    day: impl Fn(Date) -> Option<Date>,
) -> Result<Option<When>, Problem> {
    let Some(text) = fields.text(name, left)? else {
        return Ok(None);
    };
    let refuse = || Problem::new(Kind::Value, fields.path_of(name), SAYS);
    if text.len() > 10 {
        return When::parse(text).map(Some).ok_or_else(refuse);
    }
    let plain = text.bytes().enumerate().all(|(place, byte)| match place {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    match text.len() {
        10 if plain => text
            .parse::<Date>()
            .ok()
            .and_then(day)
            .and_then(|date| date.to_zoned(TimeZone::UTC).ok())
            .map(|at| Some(When::from_millis(at.timestamp().as_millisecond())))
            .ok_or_else(refuse),
        // A month or a year alone says too little to act on.
        4 | 7 if plain => {
            left.add(fields.path_of(name));
            Ok(None)
        }
        _ => Err(refuse()),
    }
}
