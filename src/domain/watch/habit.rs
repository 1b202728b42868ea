//! What is usual for one user: the hours at which she works, and how many people she asks about in a
//! day. Counts only; who these people were is not in it.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::domain::time::When;

const HOUR_MILLIS: i64 = 3_600_000;
const DAY_HOURS: i64 = 24;
const WEEK_HOURS: i64 = 7 * 24;
/// A usual day is kept in so many parts of a person.
const PARTS: u32 = 16;

/// The habit of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Habit {
    /// How often she asked about people in each hour of the day, in UTC: an hour of summer time is within
    /// what is compared.
    hours: [u16; 24],
    /// The last hour that was counted, since 1970.
    hour: i64,
    /// The week since 1970 in which the hours were last halved.
    week: i64,
    /// The last day on which she asked about someone, since 1970.
    day: i32,
    /// Of her days before that on which she asked: how many there were, and what was usual.
    days: u32,
    usual_parts: u32,
}

impl Habit {
    /// Counts the hour of an attempt, once; says whether anything changed.
    pub fn worked(&mut self, at: When) -> bool {
        let hour = at.millis().div_euclid(HOUR_MILLIS);
        if hour <= self.hour {
            return false;
        }
        let week = hour.div_euclid(WEEK_HOURS);
        let halvings = (week - self.week).clamp(0, 15);
        for count in &mut self.hours {
            *count >>= halvings;
        }
        (self.hour, self.week) = (hour, week);
        let of_day = usize::try_from(hour.rem_euclid(DAY_HOURS)).unwrap_or(0);
        if let Some(count) = self.hours.get_mut(of_day) {
            *count = count.saturating_add(1);
        }
        true
    }

    /// Whether she hardly ever works at this hour: fewer than `percent` of a hundred of her hours
    /// are within an hour of it. Ask before it is counted. `false` before `history` hours are known.
    pub fn is_unlike(&self, at: When, history: u32, percent: u32) -> bool {
        let hour = at.millis().div_euclid(HOUR_MILLIS);
        let known: u32 = self.hours.iter().map(|count| u32::from(*count)).sum();
        if known < history {
            return false;
        }
        let near = |of_day: i64| {
            [-1, 0, 1]
                .iter()
                .any(|off| (hour + off).rem_euclid(DAY_HOURS) == of_day)
        };
        let around: u32 = (0..)
            .zip(self.hours)
            .filter(|(of_day, _)| near(*of_day))
            .map(|(_, count)| u32::from(count))
            .sum();
        around.saturating_mul(100) < percent.saturating_mul(known)
    }

    /// The last day on which she asked about someone, since 1970.
    pub const fn day(&self) -> i32 {
        self.day
    }

    /// She has asked about `people` so far on `day`, and asked about `before` on the last day that
    /// she asked: what is usual for her, with the number of days behind it.
    pub fn asked(&mut self, day: i32, people: u32, before: u32) -> Asked {
        if day > self.day {
            if before > 0 {
                let parts = before.saturating_mul(PARTS);
                // The mean of her first days; later an eighth of each new one.
                let weight = (self.days + 1).min(8);
                let kept = self.usual_parts.saturating_mul(weight - 1);
                self.usual_parts = kept.saturating_add(parts) / weight;
                self.days = self.days.saturating_add(1);
            }
            self.day = day;
        }
        Asked {
            people,
            usual: self.usual_parts.div_ceil(PARTS),
            days: self.days,
        }
    }
}

/// A user's day so far, beside her usual one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    pub people: u32,
    /// Rounded up; 0 if nothing is known.
    pub usual: u32,
    pub days: u32,
}
