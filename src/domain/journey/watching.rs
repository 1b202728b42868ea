//! What every attempt leaves behind besides its leaf: a user seen for the first time, and the
//! signals of a police user who is being pressed (3.10).

use crate::domain::audit::{QueueItem, SIGNALS_MAX, Severity, gather, late, probe};
use crate::domain::codes::{Action, OrgKind};
use crate::domain::decision::{Aggregate, Counter, List, Write};
use crate::domain::id::{OrgId, ReferralId};
use crate::domain::organisation::{ClosedRead, Signal, User};
use crate::domain::record::{Record, singleton};
use crate::domain::refusal::Refusal;
use crate::domain::ruling::Ruling;

use super::NEW_USERS_A_DAY_MAX;

/// An item must be decided within this many hours.
const DUE_HOURS: i64 = 72;
/// Organisations told of one thing, at most: as many as a log entry can concern.
const TOLD_MAX: usize = 60;
/// Closed referrals remembered for one user.
const CLOSED_READS_MAX: usize = 32;
const REREAD: &str = "probe.reread";

/// Days since 1970, in UTC.
pub fn day(when: crate::domain::time::When) -> i32 {
    i32::try_from(when.millis().div_euclid(86_400_000)).unwrap_or(i32::MAX)
}

/// Adds what the attempt leaves on its user, whatever it came to.
pub fn watch(ruling: &mut Ruling<'_>, refusal: Option<&Refusal>) {
    let attempt = ruling.attempt();
    let known = ruling.known();
    let own = attempt.organisation();
    // An organisation that is not enrolled leaves a leaf and nothing else.
    let Some(organisation) = known.organisations.get(own) else {
        return;
    };
    let key = (own.clone(), attempt.user.as_str().to_owned());
    let before = known.users.get(&key);
    let mut user = before.cloned().unwrap_or(User {
        first_seen: attempt.when,
        removed_at: None,
        totp_secret: None,
        totp_last_step: 0,
        signals: Vec::new(),
        closed_reads: Vec::new(),
    });
    let (signalled, concerned) = ruling.signalled();
    let concerned = concerned.to_vec();
    let code = signalled.or_else(|| probe(attempt.action, refusal));
    let code = code.filter(|_| organisation.kind == OrgKind::Police);
    if before.is_none() && attempt.asserted {
        ruling.write(Write::Count {
            counter: Counter::NewUsers {
                organisation: own.clone(),
                day: day(attempt.when),
            },
            by: 1,
            max: NEW_USERS_A_DAY_MAX,
        });
    }
    if let Some(code) = code {
        ruling.note(code);
        let signal = Signal {
            at: attempt.when,
            code: code.to_owned(),
            concerned,
        };
        if let Some((tries, minutes)) = gather(&mut user.signals, signal) {
            let mut told: Vec<OrgId> = vec![own.clone()];
            let signals = user.signals.iter();
            told.extend(signals.flat_map(|signal| signal.concerned.clone()));
            told.extend(known.approvers.reviewers.clone());
            raise(ruling, told, tries, minutes);
        } else {
            let first = user.signals.first().map_or(attempt.when, |first| first.at);
            let minutes = (attempt.when.millis() - first.millis()).max(0) / 60_000;
            let tries = u16::try_from(user.signals.len()).unwrap_or(u16::MAX);
            let mut told = late(&user.signals);
            // These were told of the burst whomever it concerned.
            let reviewers = &known.approvers.reviewers;
            told.retain(|late| late != own && !reviewers.contains(late));
            raise(ruling, told, tries, u16::try_from(minutes).unwrap_or(60));
        }
    } else if attempt.action == Action::QueryAssessments
        && organisation.tainted(&attempt.peer.name().team, attempt.when)
    {
        tainted(ruling, &mut user);
    }
    if organisation.kind == OrgKind::Police
        && let Some(referral) = ruling.closed_read()
    {
        read_closed(ruling, &mut user, referral);
    }
    if before != Some(&user) {
        let of = Aggregate::User(own.clone(), attempt.user.as_str().to_owned());
        ruling.fact(of, singleton("user"), &Record::User(user));
    }
}

/// A red item at the user's own IG officer, at everyone concerned, and at the reviewer: one body
/// cannot bury it.
fn raise(ruling: &mut Ruling<'_>, told: Vec<OrgId>, tries: u16, minutes: u16) {
    let burst = Alert {
        code: "probe.status_shaped",
        severity: Severity::Red,
        tries,
        minutes,
    };
    alert(ruling, told, &burst);
}

/// A tainted team asked about someone (3.10 h), whether or not anything is held: an amber item at
/// its own IG officer and the reviewer, one an hour for each user, so that asking cannot bury them.
fn tainted(ruling: &mut Ruling<'_>, user: &mut User) {
    const CODE: &str = "firewall.tainted";
    let attempt = ruling.attempt();
    ruling.note(CODE);
    user.signals
        .retain(|signal| signal.at.plus_hours(1) > attempt.when);
    if user.signals.iter().any(|signal| signal.code == CODE) || user.signals.len() >= SIGNALS_MAX {
        return;
    }
    user.signals.push(Signal {
        at: attempt.when,
        code: CODE.to_owned(),
        concerned: Vec::new(),
    });
    let mut told = vec![attempt.organisation().clone()];
    told.extend(ruling.known().approvers.reviewers.clone());
    let asked = Alert {
        code: CODE,
        severity: Severity::Amber,
        tries: 1,
        minutes: 0,
    };
    alert(ruling, told, &asked);
}

/// Whoever reads a closed referral again and again wants to know more than its status (3.10 b).
/// Amber, at his own IG officer, one a day for each user: systems too read what is closed.
fn read_closed(ruling: &mut Ruling<'_>, user: &mut User, referral: ReferralId) {
    let attempt = ruling.attempt();
    let reads = &mut user.closed_reads;
    reads.retain(|read| read.at.plus_days(1) > attempt.when);
    let told = reads.iter().any(|read| read.repeated);
    let Some(again) = reads.iter_mut().find(|read| read.referral == referral) else {
        if reads.len() >= CLOSED_READS_MAX {
            reads.remove(0);
        }
        reads.push(ClosedRead {
            at: attempt.when,
            referral,
            repeated: false,
        });
        return;
    };
    ruling.note(REREAD);
    if told {
        return;
    }
    again.repeated = true;
    let reread = Alert {
        code: REREAD,
        severity: Severity::Amber,
        tries: 2,
        minutes: 0,
    };
    alert(ruling, vec![attempt.organisation().clone()], &reread);
}

/// Something that an officer must look at.
pub struct Alert {
    pub code: &'static str,
    pub severity: Severity,
    pub tries: u16,
    pub minutes: u16,
}

/// Puts one item into the queue of each organisation told, and shows each the log entry.
pub fn alert(ruling: &mut Ruling<'_>, mut told: Vec<OrgId>, alert: &Alert) {
    let attempt = ruling.attempt();
    told.sort();
    told.dedup();
    let id = attempt.entropy.id(&format!("queue item {}", alert.code));
    for organisation in told.into_iter().take(TOLD_MAX) {
        let item = QueueItem {
            id,
            at: attempt.when,
            code: alert.code.to_owned(),
            severity: alert.severity,
            organisation: attempt.organisation().clone(),
            user: attempt.user.as_str().to_owned(),
            tries: alert.tries,
            minutes: alert.minutes,
            due: attempt.when.plus_hours(DUE_HOURS),
            decided: None,
        };
        ruling.concerns(&organisation);
        ruling.list(List::Queue(organisation.clone()), 0, id);
        ruling.fact(Aggregate::Queue(organisation), id, &Record::QueueItem(item));
    }
}

#[cfg(test)]
mod tests;
