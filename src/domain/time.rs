//! An instant, as a value. The domain never asks what time it is.

use borsh::{BorshDeserialize, BorshSerialize};

/// Milliseconds since 1970-01-01T00:00Z.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct When(i64);

impl When {
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Its place in a list that is in order of time. What is before 1970 comes first.
    pub fn place(self) -> u64 {
        u64::try_from(self.0).unwrap_or(0)
    }

    /// Rounded down to ten seconds, as leaves carry it.
    pub const fn coarse(self) -> Self {
        Self(self.0 - self.0.rem_euclid(10_000))
    }

    /// The moment at which its day began, in UTC: what two organisations are told of one thing must not
    /// be matched by its second.
    pub const fn day_began(self) -> Self {
        Self(self.0 - self.0.rem_euclid(86_400_000))
    }

    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    pub const fn plus_hours(self, hours: i64) -> Self {
        self.plus_millis(hours.saturating_mul(3_600_000))
    }

    pub const fn plus_days(self, days: i64) -> Self {
        self.plus_hours(days.saturating_mul(24))
    }

    /// `None` outside the years that the calendar can name.
    pub fn timestamp(self) -> Option<jiff::Timestamp> {
        jiff::Timestamp::from_millisecond(self.0).ok()
    }

    /// RFC 3339 in UTC, always with milliseconds, so that its length never varies.
    pub fn rfc3339(self) -> String {
        match self.timestamp() {
            Some(at) => at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            None => "0000-01-01T00:00:00.000Z".to_owned(),
        }
    }

    /// The day alone, in UTC, as `2026-11-22`.
    pub fn day(self) -> String {
        let mut text = self.rfc3339();
        text.truncate(10);
        text
    }

    /// Reads RFC 3339 with any offset.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>()
            .ok()
            .map(|at| Self(at.as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_written_and_read_back() {
        let at = When::parse("2026-04-02T21:10:00+01:00").unwrap();
        assert_eq!(at.rfc3339(), "2026-04-02T20:10:00.000Z");
        assert_eq!(When::parse(&at.rfc3339()), Some(at));
        assert_eq!(at.plus_millis(9_999).coarse(), at);
        assert_eq!(at.day(), "2026-04-02");
        assert_eq!(at.day_began().rfc3339(), "2026-04-02T00:00:00.000Z");
        assert_eq!(When::from_millis(-1).day_began().millis(), -86_400_000);
    }
}
