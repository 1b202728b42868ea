//! How an offer waits for an answer, by its urgency, and to which service it goes if none comes
//! (`domain.md` 3.0.6).
//!
//! What its sender is shown follows from the offer and the hour alone: never from which service was
//! asked, who declined, or that she withdrew.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};

use super::clock::{CodeClock, Hours, Urgency};
use super::id::{OrgId, ServiceId};
use super::organisation::{Directory, Organisation, Service};
use super::time::When;
use super::transfer::{Past, advance};

/// Services that are asked after the first, at most.
pub const NEXT_MAX: usize = 4;

/// On an offer: who is asked, until when, and who is next.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Asking {
    /// Services that fit and that her consent names, in the order in which they are asked.
    pub next: Vec<ServiceId>,
    pub past: Vec<Past>,
    /// Since when the service that is asked now has it.
    pub since: When,
    /// Without an answer by then it is passed on.
    pub answer_by: When,
    /// If nobody has accepted her by then, its sender is shown the line that is answered day and night.
    /// Reckoned once, when she was offered, as if no service answered: so it tells nothing of any. Once
    /// a service has handed her back it is then, because her sender had read that one had her.
    pub line_from: When,
    /// Its sender's events say so.
    pub told: bool,
}

/// How an offer stands with the service that is asked, so that amber comes before late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    OnTime,
    /// Half of the time is over.
    Amber,
    /// It may be passed on at any moment.
    Late,
}

impl Waits {
    pub const fn code(self) -> &'static str {
        match self {
            Self::OnTime => "on_time",
            Self::Amber => "amber",
            Self::Late => "late",
        }
    }
}

impl Asking {
    /// When an offer of `urgency` that is made now waits how long for whom: `first` is asked, then each
    /// of `next`. `None` where the clock has no calendar for it.
    pub fn begun(
        clock: &CodeClock,
        urgency: Urgency,
        now: When,
        first: &Organisation,
        next: Vec<(ServiceId, Hours)>,
    ) -> Option<Self> {
        let answer_by = clock.answer_by(urgency, now, hours(first)).ok()?;
        let mut line_from = answer_by;
        for (_, hours) in &next {
            line_from = clock.answer_by(urgency, line_from, *hours).ok()?;
        }
        Some(Self {
            next: next.into_iter().map(|(id, _)| id).collect(),
            past: Vec::new(),
            since: now,
            answer_by,
            line_from,
            told: false,
        })
    }

    /// The next service that can still be asked and that she lets know (`may`), which is then no longer
    /// among those that wait.
    pub fn advance<'a>(
        &mut self,
        directory: &'a Directory,
        organisations: &BTreeMap<OrgId, Organisation>,
        now: When,
        may: impl Fn(&Service) -> bool,
    ) -> Option<&'a Service> {
        advance(
            &mut self.next,
            &self.past,
            directory,
            organisations,
            now,
            may,
        )
    }

    /// Whether it was passed on from `organisation`.
    pub fn was_with(&self, organisation: &OrgId) -> bool {
        self.past
            .iter()
            .any(|past| past.organisation == *organisation)
    }
}

/// Between two moments, whichever it was that set them.
pub fn waits(since: When, answer_by: When, now: When) -> Waits {
    if now >= answer_by {
        Waits::Late
    } else if now >= amber_between(since, answer_by) {
        Waits::Amber
    } else {
        Waits::OnTime
    }
}

const fn amber_between(since: When, answer_by: When) -> When {
    let whole = answer_by.millis().saturating_sub(since.millis());
    since.plus_millis(whole / 2)
}

/// When a service is open. The directory has no hours yet: whoever named a line that is answered day
/// and night is open always, and everybody else in the hours of working days.
pub fn hours(organisation: &Organisation) -> Hours {
    match organisation.duty_line {
        Some(_) => Hours::Always,
        None => Hours::Working,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::codes::OrgKind;
    use crate::domain::journey::trial::organisation;
    use crate::domain::rules::Rules;

    fn at(text: &str) -> When {
        When::parse(text).unwrap()
    }

    fn begun(urgency: Urgency, now: &str, next: &[Hours]) -> Asking {
        let next = next.iter().enumerate();
        let next = next.map(|(number, hours)| {
            let id = ServiceId::parse(&format!("next-{number}")).unwrap();
            (id, *hours)
        });
        let first = organisation("harbour", OrgKind::Refuge);
        let clock = &Rules::for_tests().clock;
        Asking::begun(clock, urgency, at(now), &first, next.collect()).unwrap()
    }

    #[test]
    fn amber_comes_before_late() {
        let asking = begun(Urgency::High, "2026-04-02T10:00:00Z", &[]);
        for (now, code) in [
            ("2026-04-02T10:29:59Z", "on_time"),
            ("2026-04-02T10:30:00Z", "amber"),
            ("2026-04-02T10:59:59Z", "amber"),
            ("2026-04-02T11:00:00Z", "late"),
        ] {
            let stands = waits(asking.since, asking.answer_by, at(now));
            assert_eq!(stands.code(), code, "{now}");
        }
        for urgency in Urgency::ALL {
            let asking = begun(urgency, "2026-04-02T10:00:00Z", &[]);
            let amber_at = amber_between(asking.since, asking.answer_by);
            assert!(asking.since < amber_at && amber_at < asking.answer_by);
        }
    }

    #[test]
    fn the_line_is_shown_when_the_last_service_has_had_its_hour() {
        let alone = begun(Urgency::High, "2026-04-02T10:00:00Z", &[]);
        assert_eq!(alone.line_from, alone.answer_by);
        let three = begun(
            Urgency::High,
            "2026-04-02T10:00:00Z",
            &[Hours::Working, Hours::Always],
        );
        assert_eq!(three.answer_by, at("2026-04-02T11:00:00Z"));
        assert_eq!(three.line_from, at("2026-04-02T13:00:00Z"));
    }

    #[test]
    fn a_line_that_is_answered_day_and_night_says_that_a_service_is_open() {
        let mut service = organisation("harbour", OrgKind::Refuge);
        assert_eq!(hours(&service), Hours::Working);
        service.duty_line = Some("0808 157 0000".to_owned());
        assert_eq!(hours(&service), Hours::Always);
    }
}
