//! What a quarter came to for an organisation's own services, for whoever commissions them: counts of
//! referrals.
//!
//! What is counted is a line of its own: which service, what, and how long a first answer took. It
//! names no person, no referral and nobody who sent one, so it stays when these go. Each line is about
//! what the organisation did itself, was offered or let run out, so its counts are told as they are;
//! those of others' acts are rounded ([`super::report`]).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use jiff::civil::{Date, date};

use super::codes::DeclineReason;
use super::id::{OrgId, ServiceId};
use super::organisation::Directory;
use super::time::When;

/// Quarters to choose from: the running one and those of the two years before it.
pub const QUARTERS: usize = 9;

/// A quarter of a calendar year, in London.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quarter {
    year: i16,
    /// 1 to 4.
    number: i8,
}

impl Quarter {
    /// The one that a day is in.
    pub fn of(day: Date) -> Self {
        Self {
            year: day.year(),
            number: (day.month() - 1) / 3 + 1,
        }
    }

    /// Of `2026-Q3`; in the one spelling.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, number) = text.split_once("-Q")?;
        let quarter = Self {
            year: year.parse().ok()?,
            number: number.parse().ok()?,
        };
        let is_one = (1..=4).contains(&quarter.number) && (2000..=9999).contains(&quarter.year);
        (is_one && quarter.to_string() == text).then_some(quarter)
    }

    const fn before(self) -> Self {
        match self.number {
            ..=1 => Self {
                year: self.year - 1,
                number: 4,
            },
            number => Self {
                year: self.year,
                number: number - 1,
            },
        }
    }

    pub const fn first_day(self) -> Date {
        date(self.year, (self.number - 1) * 3 + 1, 1)
    }
}

impl fmt::Display for Quarter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-Q{}", self.year, self.number)
    }
}

/// The quarters that a return can be read of on a day, the running one first.
pub fn quarters(today: Date) -> Vec<Quarter> {
    let running = Quarter::of(today);
    std::iter::successors(Some(running), |one| Some(one.before()))
        .take(QUARTERS)
        .collect()
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Happened {
    /// By whoever sent it, or by the gateway after another service.
    Offered,
    /// The same, by a service that hands somebody over to another area.
    OfferedByMove,
    Accepted,
    Waiting,
    Declined(DeclineReason),
    /// Nobody answered in time, so that the offer went on or ended.
    Unanswered,
    HandedBack,
    Closed,
    /// A service in another area is asked to take over.
    MoveAsked,
    Assessed,
}

/// One thing that is counted. It is about nobody.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Line {
    /// Of what is no service's: `None`.
    pub service: Option<ServiceId>,
    pub what: Happened,
    /// Of the first answer of a person to an offer: minutes since the service was asked.
    pub minutes: Option<u32>,
}

impl Line {
    pub fn of(service: &ServiceId, what: Happened) -> Self {
        // That an interpreter was missing is said like any other reason: it tells of a language.
        let what = match what {
            Happened::Declined(DeclineReason::NoInterpreter) => {
                Happened::Declined(DeclineReason::Other)
            }
            other => other,
        };
        Self {
            service: Some(service.clone()),
            what,
            minutes: None,
        }
    }
}

/// Counts of lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub offered: u32,
    /// Of these.
    pub offered_by_move: u32,
    pub accepted: u32,
    pub waiting: u32,
    pub declined: u32,
    /// Of these, by the service's own reason; those alone that were given.
    pub declined_by_reason: BTreeMap<DeclineReason, u32>,
    pub unanswered: u32,
    pub handed_back: u32,
    pub closed: u32,
    pub moves_asked: u32,
    /// First answers by a person.
    pub answered: u32,
    /// How long these took; of an even number the lower of the two in the middle.
    pub median_minutes: Option<u32>,
}

/// What lines came to, by service. Further lines can be added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    of: BTreeMap<ServiceId, Counting>,
    /// Of no service.
    assessed: u32,
}

/// Counts in the making.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Counting {
    counts: Counts,
    /// How often a first answer took so many minutes.
    minutes: BTreeMap<u32, u32>,
}

/// What a quarter came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Return {
    pub quarter: Quarter,
    /// The quarter is not over.
    pub so_far: bool,
    /// Lines are counted up to then; `None`: all of the quarter are.
    pub counted_to: Option<When>,
    pub total: Counts,
    /// Assessments are of a person, and of no service.
    pub assessed: u32,
    /// With the name that referrers are shown, or none if it is the organisation's no more.
    pub services: Vec<(ServiceId, Option<String>, Counts)>,
}

impl Tally {
    pub fn add(&mut self, line: &Line) {
        if line.what == Happened::Assessed {
            self.assessed += 1;
        }
        if let Some(service) = &line.service {
            let of = self.of.entry(service.clone()).or_default();
            of.add(line);
        }
    }
}

impl Return {
    /// What was counted of one quarter, of the services of `own`.
    pub fn of(
        quarter: Quarter,
        (tally, counted_to): (&Tally, Option<When>),
        so_far: bool,
        own: &OrgId,
        directory: &Directory,
    ) -> Self {
        let run = directory.services.iter();
        let run = run.filter(|service| service.organisation == *own);
        let names: BTreeMap<&ServiceId, &str> = run
            .map(|service| (&service.id, service.public_name.as_str()))
            .collect();
        let all: BTreeSet<&ServiceId> = names.keys().copied().chain(tally.of.keys()).collect();
        let mut total = Counting::default();
        for of in tally.of.values() {
            total.join(of);
        }
        let services = all.into_iter().map(|id| {
            let name = names.get(id).map(|name| (*name).to_owned());
            let counts = tally.of.get(id).cloned().unwrap_or_default().done();
            (id.clone(), name, counts)
        });
        Self {
            quarter,
            so_far,
            counted_to,
            total: total.done(),
            assessed: tally.assessed,
            services: services.collect(),
        }
    }
}

impl Counting {
    fn add(&mut self, line: &Line) {
        if let Some(minutes) = line.minutes {
            *self.minutes.entry(minutes).or_default() += 1;
        }
        let found = &mut self.counts;
        match line.what {
            Happened::Offered => found.offered += 1,
            Happened::OfferedByMove => {
                found.offered += 1;
                found.offered_by_move += 1;
            }
            Happened::Accepted => found.accepted += 1,
            Happened::Waiting => found.waiting += 1,
            Happened::Declined(reason) => {
                found.declined += 1;
                *found.declined_by_reason.entry(reason).or_default() += 1;
            }
            Happened::Unanswered => found.unanswered += 1,
            Happened::HandedBack => found.handed_back += 1,
            Happened::Closed => found.closed += 1,
            Happened::MoveAsked => found.moves_asked += 1,
            Happened::Assessed => {}
        }
    }

    fn join(&mut self, other: &Self) {
        let Counts {
            offered,
            offered_by_move,
            accepted,
            waiting,
            declined,
            declined_by_reason,
            unanswered,
            handed_back,
            closed,
            moves_asked,
            // Made of the minutes, at the end.
            answered: _,
            median_minutes: _,
        } = &other.counts;
        let found = &mut self.counts;
        found.offered += offered;
        found.offered_by_move += offered_by_move;
        found.accepted += accepted;
        found.waiting += waiting;
        found.declined += declined;
        found.unanswered += unanswered;
        found.handed_back += handed_back;
        found.closed += closed;
        found.moves_asked += moves_asked;
        for (reason, number) in declined_by_reason {
            *found.declined_by_reason.entry(*reason).or_default() += number;
        }
        for (minutes, number) in &other.minutes {
            *self.minutes.entry(*minutes).or_default() += number;
        }
    }

    fn done(self) -> Counts {
        let answered: u32 = self.minutes.values().sum();
        // The lower of the two in the middle.
        let middle = answered.div_ceil(2);
        let mut passed = 0;
        let median = self.minutes.into_iter().find(|(_, number)| {
            passed += number;
            passed >= middle
        });
        Counts {
            answered,
            median_minutes: median.map(|(minutes, _)| minutes),
            ..self.counts
        }
    }
}

#[cfg(test)]
mod tests;
