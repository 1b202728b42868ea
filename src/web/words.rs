//! Words and dates as people read them, in GOV.UK's style.

pub mod her_word;
pub mod referral;
pub mod wrong;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::domain::id::Id;
use crate::domain::time::When;

/// Codes whose words are not the code with spaces.
const SAID: [(&str, &str); 24] = [
    ("ig_officer", "Information governance officer"),
    ("operator_admin", "Operator"),
    ("org_admin", "Administrator"),
    ("ed_senior", "Senior nurse or doctor in charge"),
    ("vcop_unit", "Victim care unit"),
    ("dpo", "Data protection officer"),
    ("caldicott", "Caldicott Guardian"),
    ("marac_coordinator", "MARAC coordinator"),
    ("marac_member", "MARAC member"),
    ("csa_cse", "Child sexual abuse or exploitation"),
    (
        "honour_based_fm_fgm",
        "Honour-based abuse, forced marriage or FGM",
    ),
    ("violence_injury", "Violence with injury"),
    ("violence_no_injury", "Violence without injury"),
    ("asb", "Anti-social behaviour"),
    ("fraud_cyber", "Fraud or cyber crime"),
    ("homicide_bereaved", "Bereaved by homicide"),
    ("none_disclosed", "Not said"),
    ("op", "What is needed to offer help"),
    ("id", "Who she is"),
    ("loc", "Safe contact"),
    ("sp", "Risk and health"),
    ("ft", "Notes"),
    ("ip", "Language and interpreter"),
    ("mh", "Mental health"),
];

/// A code of the API as a person reads it.
pub fn say(code: &str) -> String {
    let mut known = SAID.iter().chain(referral::SAID).chain(her_word::SAID);
    if let Some((_, words)) = known.find(|(known, _)| *known == code) {
        return (*words).to_owned();
    }
    let mut letters = code.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    let rest = letters.map(|letter| {
        if letter == '_' || letter == '-' {
            ' '
        } else {
            letter
        }
    });
    first.into_iter().chain(rest).collect()
}

/// An instant of the API, in London: `Thursday 2 April 2026 at 9:10pm`.
pub fn moment(rfc3339: &str) -> String {
    let Some(at) = london(rfc3339) else {
        return String::new();
    };
    let hour = match at.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    let half = if at.hour() < 12 { "am" } else { "pm" };
    let minute = match at.minute() {
        0 => String::new(),
        minute => format!(":{minute:02}"),
    };
    format!("{} at {hour}{minute}{half}", at.strftime("%A %-d %B %Y"))
}

/// A sentence of the API with its instants as people say them.
pub fn moments(sentence: &str) -> String {
    let say = |word: &str| {
        let bare = word.trim_end_matches(['.', ',', ';']);
        let is_instant = bare.ends_with('Z') && london(bare).is_some();
        let after = word.get(bare.len()..).unwrap_or_default();
        is_instant.then(|| format!("{}{after}", moment(bare)))
    };
    let words = sentence.split(' ');
    let words = words.map(|word| say(word).unwrap_or_else(|| word.to_owned()));
    words.collect::<Vec<_>>().join(" ")
}

/// The same for a column of a table: `2 Apr 2026, 9:10pm`.
pub fn brief(rfc3339: &str) -> String {
    let Some(at) = london(rfc3339) else {
        return String::new();
    };
    let hour = match at.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    let half = if at.hour() < 12 { "am" } else { "pm" };
    format!(
        "{}, {hour}:{:02}{half}",
        at.strftime("%-d %b %Y"),
        at.minute()
    )
}

/// The day of an instant of the API, in London: `2 April 2026`.
pub fn day(rfc3339: &str) -> String {
    london(rfc3339).map_or_else(String::new, |at| at.strftime("%-d %B %Y").to_string())
}

/// The last day of what ends at an instant: the day before, if it ends as a day begins.
pub fn last_day(rfc3339: &str) -> String {
    let at: Option<Timestamp> = rfc3339.parse().ok();
    let before = at.and_then(|at| at.checked_sub(jiff::SignedDuration::from_secs(1)).ok());
    before.map_or_else(String::new, |at| day(&at.to_string()))
}

/// A calendar day of the API, as a birth date: `14 March 1991`.
pub fn date(iso: &str) -> String {
    let day: Option<Date> = iso.parse().ok();
    day.map_or_else(String::new, |day| day.strftime("%-d %B %Y").to_string())
}

/// The same with its weekday: `Wednesday 8 April 2026`.
pub fn weekday(iso: &str) -> String {
    let day: Option<Date> = iso.parse().ok();
    day.map_or_else(String::new, |day| day.strftime("%A %-d %B %Y").to_string())
}

/// The instant at which a day begins in London, as the API takes it; what is no day is sent as it is,
/// for the API to refuse.
pub fn beginning(iso: &str) -> String {
    begins(iso, 0).unwrap_or_else(|| iso.to_owned())
}

/// How people speak of a referral: `R-7QF4-2KD`.
pub fn reference(id: &str) -> String {
    Id::parse(id).map_or_else(String::new, |id| format!("R-{}", id.short()))
}

/// A telephone number as it is read aloud: `07700 900123`.
pub fn number(e164: &str) -> String {
    let here = e164.strip_prefix("+44").filter(|rest| rest.len() == 10);
    let parts = here.and_then(|rest| Some((rest.get(..4)?, rest.get(4..)?)));
    parts.map_or_else(|| e164.to_owned(), |(head, tail)| format!("0{head} {tail}"))
}

/// Codes to choose from, with their words.
pub type Options = Vec<(&'static str, String)>;

pub fn options(codes: impl IntoIterator<Item = &'static str>) -> Options {
    codes.into_iter().map(|code| (code, say(code))).collect()
}

/// The same, as a field takes them.
pub fn pairs(options: &Options) -> Vec<(&str, &str)> {
    let pairs = options.iter();
    pairs.map(|(code, words)| (*code, words.as_str())).collect()
}

/// The day that it is in London: `2026-04-02`.
pub fn today(now: When) -> String {
    london(&now.rfc3339()).map_or_else(String::new, |at| at.strftime("%F").to_string())
}

/// When a day (`2026-04-02`) begins in London, or one some days after it; `None` if it is no day.
pub fn begins(day: &str, days_after: i64) -> Option<String> {
    let day: Date = day.parse().ok()?;
    let day = day.checked_add(jiff::Span::new().days(days_after)).ok()?;
    let begins = day.to_zoned(TimeZone::get("Europe/London").ok()?).ok()?;
    Some(begins.timestamp().to_string())
}

fn london(rfc3339: &str) -> Option<jiff::Zoned> {
    let at: Timestamp = rfc3339.parse().ok()?;
    Some(at.to_zoned(TimeZone::get("Europe/London").ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_london_s_and_read_aloud() {
        assert_eq!(
            moment("2026-04-02T20:10:00Z"),
            "Thursday 2 April 2026 at 9:10pm"
        );
        assert_eq!(
            moment("2026-01-02T00:00:00Z"),
            "Friday 2 January 2026 at 12am"
        );
        assert_eq!(day("2026-06-30T23:30:00Z"), "1 July 2026");
        assert_eq!(moment("rubbish"), "");
        assert_eq!(brief("2026-04-02T20:10:00Z"), "2 Apr 2026, 9:10pm");
        assert_eq!(
            moments("None is named, since 2026-04-02T20:10:00.000Z. Everything goes on."),
            "None is named, since Thursday 2 April 2026 at 9:10pm. Everything goes on."
        );
        assert_eq!(moments("Nothing at all"), "Nothing at all");
    }

    #[test]
    fn a_day_of_summer_begins_an_hour_earlier() {
        let begins = |day, after| begins(day, after).unwrap_or_default();
        assert_eq!(begins("2026-01-05", 0), "2026-01-05T00:00:00Z");
        assert_eq!(begins("2026-06-30", 1), "2026-06-30T23:00:00Z");
        assert_eq!(begins("2026-02-31", 0), "");
    }

    #[test]
    fn a_day_begins_at_midnight_in_london() {
        assert_eq!(beginning("2026-04-02"), "2026-04-01T23:00:00Z");
        assert_eq!(beginning("2026-01-02"), "2026-01-02T00:00:00Z");
        assert_eq!(beginning("2026-02-30"), "2026-02-30");
        assert_eq!(date("1991-03-14"), "14 March 1991");
        assert_eq!(date("rubbish"), "");
        assert_eq!(weekday("2026-04-08"), "Wednesday 8 April 2026");
    }

    #[test]
    fn today_is_london_s_also_in_the_first_hour_of_a_summer_day() {
        let at = |text| When::parse(text).map(today);
        assert_eq!(at("2026-06-30T23:30:00Z").as_deref(), Some("2026-07-01"));
        assert_eq!(at("2026-01-05T23:30:00Z").as_deref(), Some("2026-01-05"));
    }

    #[test]
    fn a_number_is_written_as_it_is_dialled() {
        assert_eq!(number("+447700900123"), "07700 900123");
        assert_eq!(number("+35312345678"), "+35312345678");
        assert_eq!(number(""), "");
    }

    #[test]
    fn codes_are_said_in_words() {
        assert_eq!(say("domestic_abuse"), "Domestic abuse");
        assert_eq!(say("asb"), "Anti-social behaviour");
        assert_eq!(say(""), "");
    }
}
