//! Deadlines of the Victims' Code, counted in working days of England and Wales.
//!
//! The numbers and the bank holidays come from dated files, because the Code and the holidays
//! change; none is written here. Without the holidays of a year there is no deadline in it: a
//! wrong one would be worse than an error. Days are days in London, whatever the offset of a time.

use std::collections::{BTreeMap, BTreeSet};

use borsh::{BorshDeserialize, BorshSerialize};
use jiff::Span;
use jiff::civil::{Date, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::returns::Quarter;
use super::time::When;

mod files;

/// Longest wait that a rule may set, in working days.
pub const WORKING_DAYS_MAX: u16 = 250;
/// Longest wait that a rule may set, in minutes: a week.
pub const WAIT_MINUTES_MAX: u16 = 10_080;
/// England and Wales have eight every year, so a year with fewer was not copied whole.
pub const HOLIDAYS_PER_YEAR_MIN: usize = 8;

/// How soon a service should answer an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Urgency {
    High = 1,
    Standard = 2,
    Low = 3,
}

impl Urgency {
    pub const ALL: [Self; 3] = [Self::High, Self::Standard, Self::Low];

    /// The code on the wire and in the rules.
    pub const fn code(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Standard => "standard",
            Self::Low => "low",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|urgency| urgency.code() == text)
    }
}

/// When a service takes offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hours {
    /// Day and night.
    Always,
    /// From 9 to 17 in London, on working days.
    Working,
}

/// The hours of a working day in which a service that named no others is open.
const OPENS: i8 = 9;
const CLOSES: i8 = 17;
/// Days looked at for an opening hour: more than any row of holidays.
const CLOSED_DAYS_MAX: u8 = 31;

/// For the operator: a file is wrong, missing or too old. Holds nothing about a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClockError {
    #[error("the clock rules cannot be used: {0}")]
    Rules(String),
    #[error("the bank holidays cannot be used: {0}")]
    Holidays(String),
    #[error("no bank holidays are loaded for {year}; add them from gov.uk/bank-holidays.json")]
    YearNotLoaded { year: i16 },
    #[error("no clock rule was valid on that day; load the rule of that time")]
    NoRule,
    #[error("the time lies outside the calendar")]
    OutsideCalendar,
    #[error("at most {WORKING_DAYS_MAX} working days can be counted")]
    TooManyDays,
}

/// When something must be done, and by which rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due<'clock> {
    /// The last millisecond of `date` in London; later is late.
    pub at: When,
    pub date: Date,
    /// The rule's id, such as `vcop2021.r4`.
    pub rule: &'clock str,
    /// The calendar's id, such as `england-and-wales`.
    pub calendar: &'clock str,
}

/// The dated rules, with the calendar they count in.
pub struct CodeClock {
    london: TimeZone,
    /// By the day from which each is valid.
    rules: BTreeMap<Date, Rule>,
    calendar: Calendar,
}

struct Rule {
    id: String,
    details_passed_working_days: u16,
    high: Wait,
    standard: Wait,
    low: Wait,
}

impl Rule {
    const fn wait(&self, urgency: Urgency) -> Wait {
        match urgency {
            Urgency::High => self.high,
            Urgency::Standard => self.standard,
            Urgency::Low => self.low,
        }
    }
}

#[derive(Clone, Copy)]
enum Wait {
    Minutes(u16),
    WorkingDays(u16),
}

struct Calendar {
    id: String,
    years: BTreeSet<i16>,
    holidays: BTreeSet<Date>,
}

impl CodeClock {
    /// Reads the text of a rules file (or of several, one after the other) and of a holidays file,
    /// such as those in `policies/clock`.
    ///
    /// # Errors
    /// Anything unknown, missing, out of bounds or twice there, so that the gateway does not start
    /// on a clock that someone mistyped.
    pub fn parse(rules: &str, holidays: &str) -> Result<Self, ClockError> {
        let calendar = files::calendar(holidays).map_err(ClockError::Holidays)?;
        let rules = files::rules(rules, &calendar.id).map_err(ClockError::Rules)?;
        // The bundled database, so that the answer does not depend on the host.
        let london = TimeZoneDatabase::bundled()
            .get("Europe/London")
            .map_err(|_| ClockError::OutsideCalendar)?;
        Ok(Self {
            london,
            rules,
            calendar,
        })
    }

    /// When the details must have been passed on, for a crime reported then. The day after the
    /// report is day 1.
    ///
    /// # Errors
    /// No rule was valid on that day, or a year on the way has no holidays loaded.
    pub fn due(&self, reported: When) -> Result<Due<'_>, ClockError> {
        let day = self.date(reported)?;
        let rule = self.rule_on(day)?;
        let date = self.working_days_after(day, rule.details_passed_working_days)?;
        Ok(Due {
            at: self.end_of(date)?,
            date,
            rule: &rule.id,
            calendar: &self.calendar.id,
        })
    }

    /// When a service should have answered an offer made then. Opening hours are not looked at.
    ///
    /// # Errors
    /// As [`CodeClock::due`].
    pub fn contact_by(&self, urgency: Urgency, offered_at: When) -> Result<When, ClockError> {
        let day = self.date(offered_at)?;
        let rule = self.rule_on(day)?;
        match rule.wait(urgency) {
            Wait::Minutes(minutes) => Ok(offered_at.plus_millis(i64::from(minutes) * 60_000)),
            Wait::WorkingDays(days) => self.end_of(self.working_days_after(day, days)?),
        }
    }

    /// When a service with these hours should have answered an offer that it was made then: minutes
    /// run while it is open, working days as ever.
    ///
    /// # Errors
    /// As [`CodeClock::due`].
    pub fn answer_by(
        &self,
        urgency: Urgency,
        asked_at: When,
        hours: Hours,
    ) -> Result<When, ClockError> {
        let by = self.contact_by(urgency, asked_at)?;
        let rule = self.rule_on(self.date(asked_at)?)?;
        match (rule.wait(urgency), hours) {
            (Wait::Minutes(minutes), Hours::Working) => self.open_minutes(asked_at, minutes),
            (Wait::Minutes(_), Hours::Always) | (Wait::WorkingDays(_), _) => Ok(by),
        }
    }

    /// After so many minutes of opening hours.
    fn open_minutes(&self, from: When, minutes: u16) -> Result<When, ClockError> {
        let mut left = i64::from(minutes) * 60_000;
        let mut date = self.date(from)?;
        for _ in 0..CLOSED_DAYS_MAX {
            if self.calendar.is_working_day(date)? {
                let opens = self.hour(date, OPENS)?.max(from);
                let open = self.hour(date, CLOSES)?.millis() - opens.millis();
                if left <= open {
                    return Ok(opens.plus_millis(left));
                }
                left -= open.max(0);
            }
            date = date.tomorrow().map_err(|_| ClockError::OutsideCalendar)?;
        }
        Err(ClockError::OutsideCalendar)
    }

    fn hour(&self, date: Date, hour: i8) -> Result<When, ClockError> {
        let at = date.at(hour, 0, 0, 0).to_zoned(self.london.clone());
        let at = at.map_err(|_| ClockError::OutsideCalendar)?;
        Ok(When::from_millis(at.timestamp().as_millisecond()))
    }

    /// The `days`th working day after `date`; with 0, `date` itself.
    ///
    /// # Errors
    /// A year on the way has no holidays loaded, or more than [`WORKING_DAYS_MAX`] days.
    pub fn working_days_after(&self, date: Date, days: u16) -> Result<Date, ClockError> {
        if days > WORKING_DAYS_MAX {
            return Err(ClockError::TooManyDays);
        }
        // The first day counts too: a year half loaded must not be relied on.
        self.calendar.is_working_day(date)?;
        let mut date = date;
        let mut left = days;
        while left > 0 {
            date = date.tomorrow().map_err(|_| ClockError::OutsideCalendar)?;
            if self.calendar.is_working_day(date)? {
                left -= 1;
            }
        }
        Ok(date)
    }

    /// The end of the day that has the number of `from`'s day, `months` later, and `more_days` after
    /// it: in a month without that day its last; and if that is no working day, the next one that is.
    /// So the time for a subject access request is reckoned (ICO, UK GDPR Article 12(3)).
    ///
    /// # Errors
    /// As [`CodeClock::due`].
    pub fn months_after(&self, from: When, months: u8, more_days: u16) -> Result<When, ClockError> {
        let outside = |_| ClockError::OutsideCalendar;
        let later = self
            .date(from)?
            .checked_add(Span::new().months(months))
            .map_err(outside)?;
        let mut date = later
            .checked_add(Span::new().days(more_days))
            .map_err(outside)?;
        while !self.calendar.is_working_day(date)? {
            date = date.tomorrow().map_err(outside)?;
        }
        self.end_of(date)
    }

    /// Days in London from one instant to another; 0 if it is not later.
    ///
    /// # Errors
    /// An instant that no calendar can name.
    pub fn days_between(&self, from: When, to: When) -> Result<u16, ClockError> {
        let days = self
            .date(from)?
            .until(self.date(to)?)
            .map_err(|_| ClockError::OutsideCalendar)?
            .get_days();
        Ok(u16::try_from(days).unwrap_or(0))
    }

    /// # Errors
    /// The year has no holidays loaded.
    pub fn is_working_day(&self, date: Date) -> Result<bool, ClockError> {
        self.calendar.is_working_day(date)
    }

    /// The day it is in London at that instant.
    ///
    /// # Errors
    /// An instant that no calendar can name.
    pub fn date(&self, at: When) -> Result<Date, ClockError> {
        let at = at.timestamp().ok_or(ClockError::OutsideCalendar)?;
        Ok(at.to_zoned(self.london.clone()).date())
    }

    /// The beginning and the end of a month in London, of `2026-10`; the end is not in it.
    pub fn month(&self, text: &str) -> Option<(When, When)> {
        let first: Date = format!("{text}-01").parse().ok()?;
        (first.strftime("%Y-%m").to_string() == text).then_some(())?;
        self.months(first, 1)
    }

    /// The same of a quarter.
    pub fn quarter(&self, quarter: Quarter) -> Option<(When, When)> {
        self.months(quarter.first_day(), 3)
    }

    fn months(&self, first: Date, number: i64) -> Option<(When, When)> {
        let next = first.checked_add(Span::new().months(number)).ok()?;
        let begins = |day: Date| {
            let day = day.to_zoned(self.london.clone()).ok()?;
            Some(When::from_millis(day.timestamp().as_millisecond()))
        };
        Some((begins(first)?, begins(next)?))
    }

    /// The last year whose holidays are loaded: after it nothing can be due.
    pub fn last_year(&self) -> Option<i16> {
        self.calendar.years.last().copied()
    }

    fn rule_on(&self, day: Date) -> Result<&Rule, ClockError> {
        let latest = self.rules.range(..=day).next_back();
        latest.map(|(_, rule)| rule).ok_or(ClockError::NoRule)
    }

    fn end_of(&self, day: Date) -> Result<When, ClockError> {
        let next = day
            .tomorrow()
            .and_then(|next| next.to_zoned(self.london.clone()))
            .map_err(|_| ClockError::OutsideCalendar)?;
        Ok(When::from_millis(
            next.timestamp().as_millisecond().saturating_sub(1),
        ))
    }
}

impl Calendar {
    fn is_working_day(&self, date: Date) -> Result<bool, ClockError> {
        if !self.years.contains(&date.year()) {
            return Err(ClockError::YearNotLoaded { year: date.year() });
        }
        Ok(!is_weekend(date) && !self.holidays.contains(&date))
    }
}

fn is_weekend(date: Date) -> bool {
    matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}

#[cfg(test)]
mod tests;
