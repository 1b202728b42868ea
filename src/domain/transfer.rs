//! A move to another area (`domain.md` 3.3): what the service that hands her over keeps of it, how the
//! offer goes from service to service, and which services fit.
//!
//! There is no place here for an address: neither side of a transfer needs one. Which area was picked
//! is forgotten after [`AREA_DAYS`], and a service that hands her over must never learn which service
//! was asked, declined or accepted.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};

use super::codes::{Adjustment, DeclineReason, ServiceFamily, TransferMode};
use super::id::{OrgId, ReferralId, ServiceId};
use super::organisation::{Directory, Organisation, Service};
use super::referral::RiskSummary;
use super::time::When;

/// Both services may work with her for so long, from when it was asked.
pub const OVERLAP_DAYS_MAX: i64 = 28;
/// The service that hands her over is shown for so long which area it picked.
pub const AREA_DAYS: i64 = 30;
/// Requests about one person a day, so that asking cannot find where the other party is known.
pub const AREAS_A_DAY_MAX: u32 = 2;
/// Her word about the other area is asked for anew: it may be so old at most.
pub const ASKED_DAYS_MAX: i64 = 7;
/// Services that are asked in one transfer, at most.
pub const SERVICES_MAX: usize = 16;
/// Gradings of risk that go with her.
pub const RISKS_MAX: usize = 16;

/// What the next service's manager answers before she accepts: she sees no name, and the question is
/// the same of everybody.
pub const CONFLICT_QUESTION: &str = "Do you, or anybody on your staff, have a link to this area or \
     to anybody there that could put a person you help in danger? If so, or if you are not sure, \
     do not accept: answer conflict. You need not say which.";

/// On the referral of the service that hands her over.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Handover {
    pub mode: TransferMode,
    pub asked_at: When,
    /// Until when both work with her.
    pub until: Option<When>,
    /// Which area it picked; nothing after [`AREA_DAYS`].
    pub area: Option<String>,
    /// The offer that was made of it.
    pub onward: ReferralId,
    /// When a service accepted her.
    pub taken_at: Option<When>,
}

impl Handover {
    /// When the work of the service that hands her over ends; `None` while nobody has accepted her,
    /// because she must not be left with nobody, unless it closed.
    pub fn ends_at(&self) -> Option<When> {
        match self.mode {
            TransferMode::Close => Some(self.asked_at),
            TransferMode::HandOver => self.taken_at,
            TransferMode::KeepBoth => {
                let longest = self.asked_at.plus_days(OVERLAP_DAYS_MAX);
                let until = self.until.map_or(longest, |until| until.min(longest));
                self.taken_at.map(|taken| taken.max(until))
            }
        }
    }

    pub fn is_over(&self, now: When) -> bool {
        self.ends_at().is_some_and(|end| end <= now)
    }

    pub const fn waits(&self) -> bool {
        self.taken_at.is_none()
    }

    /// Which area it picked, as long as that may be said.
    pub fn area(&self, now: When) -> Option<&str> {
        let shown = now < self.forgets_at();
        self.area.as_deref().filter(|_| shown)
    }

    pub fn forgets_at(&self) -> When {
        self.asked_at.plus_days(AREA_DAYS)
    }
}

/// On the offer that a transfer made: where it has been, and where it may go.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Route {
    /// The referral of the service that hands her over.
    pub origin: ReferralId,
    /// Services that fit and were permitted when she moved, in the order in which they are asked.
    pub next: Vec<ServiceId>,
    pub past: Vec<Past>,
    /// Without an answer by then, both sides are told and the next service is asked.
    pub answer_by: When,
}

/// A service that was asked. Its reason is never told to anybody else.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Past {
    pub organisation: OrgId,
    /// `None`: it did not answer in time.
    pub reason: Option<DeclineReason>,
    pub at: When,
}

impl Route {
    /// The next service that can still be asked, which is then no longer among those that wait. A
    /// service that closed, whose organisation may be told nothing any more, or that she does not let
    /// know (`may`) is passed over.
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
}

/// Takes the first of `next` that can still be asked, and whatever is before it.
pub fn advance<'a>(
    next: &mut Vec<ServiceId>,
    past: &[Past],
    directory: &'a Directory,
    organisations: &BTreeMap<OrgId, Organisation>,
    now: When,
    may: impl Fn(&Service) -> bool,
) -> Option<&'a Service> {
    while !next.is_empty() {
        let asked = next.remove(0);
        let service = directory.service(&asked);
        let asked_before = |service: &&Service| {
            past.iter()
                .any(|past| past.organisation == service.organisation)
        };
        let found = service
            .filter(|service| can_take(service, organisations, now))
            .filter(|service| !asked_before(service) && may(service));
        if found.is_some() {
            return found;
        }
    }
    None
}

/// What goes with her under seal, and is released with the rest: class SP.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Carried {
    pub risks: Vec<RiskSummary>,
    pub adjustments: Vec<Adjustment>,
}

impl Carried {
    pub fn is_empty(&self) -> bool {
        self.risks.is_empty() && self.adjustments.is_empty()
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![1];
        // Writing to a Vec cannot fail.
        let _ = self.serialize(&mut bytes);
        bytes
    }

    pub fn parse(bytes: &[u8]) -> Option<Self> {
        match bytes.split_first() {
            Some((1, rest)) => Self::try_from_slice(rest).ok(),
            Some(_) | None => None,
        }
    }
}

/// The services of a family that work in an area, in the order in which they are asked: those of the
/// area first, then those of the whole country. Among equals `draw` decides, so that nobody can tell
/// or choose who is asked.
pub fn fitting(
    directory: &Directory,
    organisations: &BTreeMap<OrgId, Organisation>,
    (own, area, family): (&OrgId, &str, ServiceFamily),
    now: When,
    draw: impl Fn(&ServiceId) -> [u8; 16],
) -> Vec<ServiceId> {
    let mut found: Vec<(u8, [u8; 16], &Service)> = directory
        .services
        .iter()
        .filter(|service| service.family == family && service.organisation != *own)
        .filter(|service| can_take(service, organisations, now))
        .filter_map(|service| {
            let works_in = organisations
                .get(&service.organisation)
                .map_or(&[][..], |organisation| &organisation.areas);
            let near = match &service.area {
                Some(of) if of == area => 0,
                Some(_) => return None,
                None if works_in.iter().any(|of| of == area) => 0,
                None if works_in.is_empty() => 1,
                None => return None,
            };
            Some((near, draw(&service.id), service))
        })
        .collect();
    found.sort_by_key(|(near, drawn, _)| (*near, *drawn));
    let services = found.into_iter().map(|(_, _, service)| service.id.clone());
    services.take(SERVICES_MAX).collect()
}

fn can_take(service: &Service, organisations: &BTreeMap<OrgId, Organisation>, now: When) -> bool {
    let runs = organisations.get(&service.organisation);
    service.takes_referrals
        && runs.is_some_and(|runs| {
            runs.active(now) && runs.agreement(now).is_some() && !runs.tainted(&service.team, now)
        })
}

/// Where a GSS code of a borough, district or county lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lies {
    InEnglandOrWales,
    /// Scotland, Northern Ireland and the islands: another law, and no gateway.
    Elsewhere,
    /// No code of an area that a service works in.
    Nowhere,
}

/// Reads the beginning of a GSS code.
pub fn lies(area: &str) -> Lies {
    let well = area.len() == 9 && area.bytes().skip(1).all(|byte| byte.is_ascii_digit());
    if !well {
        return Lies::Nowhere;
    }
    let starts = |with: &[&str]| with.iter().any(|start| area.starts_with(start));
    if starts(&["E06", "E07", "E08", "E09", "E10", "W06"]) {
        Lies::InEnglandOrWales
    } else if starts(&["S", "N", "L", "M", "J", "G"]) {
        Lies::Elsewhere
    } else {
        Lies::Nowhere
    }
}

#[cfg(test)]
mod tests;
