//! Date of birth and sex, as agencies record them.

use std::fmt::Write;

use borsh::{BorshDeserialize, BorshSerialize};
use jiff::civil::Date;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::field::BadField;

/// A date of birth from 1900 on.
#[derive(ZeroizeOnDrop, BorshSerialize, BorshDeserialize)]
pub struct BirthDate {
    year: i16,
    month: i8,
    day: i8,
}

impl BirthDate {
    /// Reads `YYYY-MM-DD`; `on` is today in London.
    ///
    /// # Errors
    /// Another form, no such day, before 1900, or after `on`.
    pub fn parse(text: &str, on: Date) -> Result<Self, BadField> {
        let text = text.trim();
        let plain = text.len() == 10
            && text.bytes().enumerate().all(|(place, byte)| match place {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        let date = plain
            .then(|| text.parse::<Date>().ok())
            .flatten()
            .ok_or(BadField("must be a date such as 1990-12-31"))?;
        if date > on {
            return Err(BadField("is in the future; check the year"));
        }
        if date.year() < 1900 {
            return Err(BadField("is before 1900; check the year"));
        }
        Ok(Self {
            year: date.year(),
            month: date.month(),
            day: date.day(),
        })
    }

    /// `YYYY-MM-DD`.
    pub fn iso(&self) -> Zeroizing<String> {
        self.form(|out| write!(out, "{:04}-{:02}-{:02}", self.year, self.month, self.day))
    }

    /// 1 January is what forms get when only the year is known, so the day proves nothing.
    pub fn year_only(&self) -> bool {
        self.month == 1 && self.day == 1
    }

    /// `YYYY`.
    pub(super) fn year(&self) -> Zeroizing<String> {
        self.form(|out| write!(out, "{:04}", self.year))
    }

    /// `MM-DD`.
    pub(super) fn day_of_year(&self) -> Zeroizing<String> {
        self.form(|out| write!(out, "{:02}-{:02}", self.month, self.day))
    }

    /// The year with day and month in order of size: equal where the two were swapped.
    pub(super) fn unordered(&self) -> Zeroizing<String> {
        let (less, more) = (self.day.min(self.month), self.day.max(self.month));
        self.form(|out| write!(out, "{:04} {less:02} {more:02}", self.year))
    }

    /// The date without the last digit of the year, and without each digit of month and day: two
    /// dates share one of these where one digit differs, and not the decade.
    pub(super) fn slips(&self) -> impl Iterator<Item = Zeroizing<String>> {
        let whole = self.iso();
        [3, 5, 6, 8, 9].into_iter().map(move |left_out| {
            let mut slip = Zeroizing::new(String::with_capacity(10));
            let digits = whole.chars().enumerate();
            slip.extend(digits.map(|(place, digit)| if place == left_out { '*' } else { digit }));
            slip
        })
    }

    fn form(&self, write: impl FnOnce(&mut String) -> std::fmt::Result) -> Zeroizing<String> {
        let mut out = Zeroizing::new(String::with_capacity(10));
        // Writing to a string cannot fail.
        let _ = write(&mut out);
        out
    }

    /// Completed years of life on a day.
    pub fn age_on(&self, on: Date) -> i16 {
        let before_birthday = (on.month(), on.day()) < (self.month, self.day);
        on.year() - self.year - i16::from(before_birthday)
    }
}

/// Sex as recorded, with the three ways of not knowing that must not be confused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Sex {
    Female = 1,
    Male = 2,
    /// Intersex, or another answer.
    Other = 3,
    NotAsked = 4,
    Declined = 5,
    Unknown = 6,
}

impl Sex {
    pub const ALL: [Self; 6] = [
        Self::Female,
        Self::Male,
        Self::Other,
        Self::NotAsked,
        Self::Declined,
        Self::Unknown,
    ];

    /// The code on the wire.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Female => "female",
            Self::Male => "male",
            Self::Other => "other",
            Self::NotAsked => "not_asked",
            Self::Declined => "declined",
            Self::Unknown => "unknown",
        }
    }

    /// # Errors
    /// Any text that is not a code of the list.
    pub fn parse(text: &str) -> Result<Self, BadField> {
        Self::ALL
            .into_iter()
            .find(|sex| sex.code() == text)
            .ok_or(BadField(
                "must be female, male, other, not_asked, declined or unknown",
            ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    const TODAY: Date = date(2026, 11, 20);

    #[test]
    fn a_birth_date_is_a_real_day_between_1900_and_today() {
        for good in ["1900-01-02", "2000-02-29", "2026-11-20"] {
            let birth = BirthDate::parse(good, TODAY).ok().unwrap();
            assert_eq!(birth.iso().as_str(), good);
            assert!(!birth.year_only());
        }
        for bad in [
            "",
            "1899-12-31",
            "2026-11-21",
            "2001-02-29",
            "1990-1-2",
            "02/01/1990",
            "1990-01-02T00:00",
            "19900102",
            "+001990-01-02",
            "１990-01-0",
        ] {
            assert!(BirthDate::parse(bad, TODAY).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_first_of_january_tells_only_the_year() {
        assert!(
            BirthDate::parse("1990-01-01", TODAY)
                .ok()
                .unwrap()
                .year_only()
        );
    }

    #[test]
    fn age_changes_on_the_birthday() {
        let birth = BirthDate::parse("2008-11-21", TODAY).ok().unwrap();
        assert_eq!(birth.age_on(TODAY), 17);
        assert_eq!(birth.age_on(date(2026, 11, 21)), 18);
    }

    #[test]
    fn every_sex_code_reads_back() {
        for sex in Sex::ALL {
            assert_eq!(Sex::parse(sex.code()), Ok(sex));
        }
        assert!(Sex::parse("F").is_err());
    }

    proptest! {
        #[test]
        fn reading_never_panics(text: String) {
            let _ = BirthDate::parse(&text, TODAY);
        }
    }
}
