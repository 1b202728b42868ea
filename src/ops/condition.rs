//! What is wrong with a running gateway, or soon will be: for `/readyz`, the log and `doctor`.
//!
//! Each has a name that stays, and says what to do. None says anything about a person or about
//! who talks to whom.

use serde::Serialize;

use crate::domain::restoration::Restoration;
use crate::domain::rules::StandsIn;
use crate::domain::time::When;
use crate::domain::witnessing::{Lapse, Witnessing};
use crate::edge::tls::TlsHealth;
use crate::store::{Erasure, Health, ROLLED_BACK};

/// Certificates and lists are named this long before they end.
const WARNED_BEFORE_DAYS: i64 = 7;
/// The system clock may be this far behind the log (`design.md` 6).
const BEHIND_MILLIS_MAX: i64 = 2_000;

/// What was erased is destroyed within so many days.
const ERASURE_DAYS_MAX: i64 = 3;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub name: &'static str,
    /// The gateway cannot do its work until it is solved.
    pub stops: bool,
    pub what: String,
    pub todo: &'static str,
}

/// Everything that can be known without asking anyone, the worst first.
pub fn problems(store: &Health, last: When, tls: &TlsHealth, now: When) -> Vec<Problem> {
    let mut found = store_problems(store);
    found.extend(clock_problem(last, now));
    found.extend(tls_problems(tls, now));
    found.sort_by_key(|problem| !problem.stops);
    found
}

pub fn store_problems(store: &Health) -> Vec<Problem> {
    let mut found = Vec::new();
    if let Some(why) = store.stopped {
        let what = format!("nothing can be recorded, so nothing is answered: {why}");
        found.push(match why {
            ROLLED_BACK => Problem {
                name: "rolled-back",
                stops: true,
                what,
                todo: "restore the newest copy that there is; or give the log a new name \
                       (log.origin), as two people of two organisations agree (firedoor log \
                       succeed), start, and have withdrawals handed in again",
            },
            _ => Problem {
                name: "store-stopped",
                stops: true,
                what,
                todo: "see to the disk, then restart the gateway; a database is found again by \
                       itself",
            },
        });
    }
    if store.nearly_full {
        found.push(Problem {
            name: "disk-nearly-full",
            stops: false,
            what: "only withdrawals, emergencies and refusals are taken".to_owned(),
            todo: "give the disk of data_dir, or of the database, more room; nothing needs a restart",
        });
    }
    found
}

/// The policies that two people put in force are not for this program.
pub fn rulebook_problem(stands_in: &StandsIn) -> Problem {
    Problem {
        name: "policies-not-usable",
        stops: false,
        what: format!(
            "nothing is told of anyone: the policies in force do not load in this program ({})",
            stands_in.problems.join("; ")
        ),
        todo: "go back to the program that they were made for, or propose policies for this one and \
               have them approved (firedoor client propose policy)",
    }
}

/// Withdrawals are being collected after a restore.
pub fn restoration_problems(restoration: &Restoration) -> Vec<Problem> {
    if !restoration.open() {
        return Vec::new();
    }
    let mut found = vec![Problem {
        name: "restoring",
        stops: false,
        what: format!(
            "restored from a copy: nothing is shown about anyone until withdrawals taken since {} \
             are handed in again; organisations that are waited for: {}",
            restoration.since.rfc3339(),
            restoration.waiting.len()
        ),
        todo: "ask each of them to run `firedoor client reconcile`; GET /v1/me names them to the \
               operator; to go on without one takes a proposal, `go_on_without`",
    }];
    if restoration.is_proven() {
        found.push(Problem {
            name: "rolled-back",
            stops: false,
            what: format!(
                "of {} entries that were acknowledged, the copy has {}",
                restoration.acknowledged, restoration.leaves
            ),
            todo: "if a newer copy of the data exists, stop the gateway and restore that one",
        });
    }
    found
}

/// Erasure is promised for the night; two missed nights are told.
pub fn erasure_problem(erasure: &Erasure, now: When) -> Option<Problem> {
    let last = erasure.completed?;
    let late = now >= last.plus_days(ERASURE_DAYS_MAX) && erasure.waiting > 0;
    (late || erasure.unfinished).then(|| Problem {
        name: "erasure-late",
        stops: false,
        what: format!(
            "{} erased items are not destroyed yet; the last time was {}",
            erasure.waiting,
            last.rfc3339()
        ),
        todo: "see to the disk or the database of keys.slots; the gateway tries again by itself",
    })
}

/// No quorum of witnesses has seen the log for too long, or they say that the clock is wrong.
pub fn witnessing_problem(witnessing: &Witnessing) -> Option<Problem> {
    let clock = witnessing.clock_off.is_some();
    let (name, todo) = match (clock, witnessing.unnamed) {
        (true, _) => (
            "clock-off",
            "set the clock (chrony or systemd-timesyncd); if it is right, ask the witnesses to look \
             at theirs",
        ),
        (false, true) => (
            "unwitnessed",
            "name witnesses: have agencies run `firedoor log witness`, put their keys into a policy \
             file, at least three voluntary bodies among them, and name it as log.policy",
        ),
        (false, false) => (
            "unwitnessed",
            "ask the agencies of log.policy whether their witness runs (`firedoor log witness`)",
        ),
    };
    (clock || witnessing.lapse != Lapse::Whole).then(|| Problem {
        name,
        stops: false,
        what: witnessing.says(),
        todo,
    })
}

/// Proofs that the log has gone back or was forked; they stay for ever.
pub fn evidence_problem(count: usize) -> Option<Problem> {
    (count > 0).then(|| Problem {
        name: "fork-evidence",
        stops: false,
        what: format!(
            "{count} proofs are kept that this log has gone back or was forked, in \
             data_dir/evidence or the table firedoor.evidence"
        ),
        todo: "give each of them to the reviewer; never delete them",
    })
}

pub fn clock_problem(last: When, now: When) -> Option<Problem> {
    let behind = last.millis().saturating_sub(now.millis());
    (behind > BEHIND_MILLIS_MAX).then(|| Problem {
        name: "clock-behind",
        stops: true,
        what: format!("the clock is {} s behind the log", behind / 1_000),
        todo: "set the clock (chrony or systemd-timesyncd); later entries keep the log's time",
    })
}

pub fn tls_problems(tls: &TlsHealth, now: When) -> Vec<Problem> {
    let ends = [
        (
            "revocation-list",
            "the revocation list",
            tls.revocation_next_update,
            "no client is accepted: run `firedoor cert crl`, or fetch the authority's newest list",
        ),
        (
            "server-certificate",
            "the gateway's own certificate",
            tls.server_not_after,
            "clients refuse the gateway: issue a new one (`firedoor cert request`, `cert issue`)",
        ),
        (
            "client-authority",
            "an authority in tls.client_ca",
            tls.authority_not_after,
            "its clients are refused: make a new one (`firedoor cert ca`), add it, issue anew",
        ),
    ];
    let soon = now.plus_days(WARNED_BEFORE_DAYS);
    ends.into_iter()
        .filter(|(_, _, until, _)| *until <= soon)
        .map(|(name, subject, until, todo)| {
            let stops = until <= now;
            let verb = if stops { "ended" } else { "ends" };
            Problem {
                name,
                stops,
                what: format!("{subject} {verb} at {}", until.rfc3339()),
                todo,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> When {
        When::parse("2026-04-02T21:10:00Z").unwrap()
    }

    fn tls(list_days: i64) -> TlsHealth {
        TlsHealth {
            generation: 1,
            server_not_after: now().plus_days(90),
            authority_not_after: now().plus_days(900),
            revocation_next_update: now().plus_days(list_days),
        }
    }

    fn store() -> Health {
        Health {
            stopped: None,
            nearly_full: false,
            leaves: 7,
            checked: Some(7),
        }
    }

    #[test]
    fn a_sound_gateway_has_no_problem() {
        assert_eq!(problems(&store(), now(), &tls(30), now()), []);
    }

    #[test]
    fn an_erasure_that_is_late_is_told_and_one_that_waits_for_the_night_is_not() {
        let erasure = |waiting, days: i64| Erasure {
            waiting,
            completed: Some(now().plus_days(-days)),
            unfinished: false,
        };
        assert_eq!(erasure_problem(&erasure(1, 2), now()), None);
        assert_eq!(erasure_problem(&erasure(0, 9), now()), None);
        assert_eq!(erasure_problem(&Erasure::default(), now()), None);
        let late = erasure_problem(&erasure(4, 3), now()).unwrap();
        let what = "4 erased items are not destroyed yet; the last time was \
                    2026-03-30T21:10:00.000Z";
        assert_eq!((late.stops, late.what.as_str()), (false, what));
    }

    #[test]
    fn each_problem_is_named_the_worst_first() {
        let store = Health {
            stopped: Some("fdatasync failed"),
            nearly_full: true,
            leaves: 7,
            checked: Some(7),
        };
        let later = now().plus_millis(3_000);
        let mut found = problems(&store, later, &tls(3), now());
        found.extend(problems(&self::store(), now(), &tls(0), now()));
        let told: Vec<String> = found
            .iter()
            .map(|problem| {
                let stops = if problem.stops { "stops" } else { "warns" };
                format!("{} {stops}: {}", problem.name, problem.what)
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"), @"
        store-stopped stops: nothing can be recorded, so nothing is answered: fdatasync failed
        clock-behind stops: the clock is 3 s behind the log
        disk-nearly-full warns: only withdrawals, emergencies and refusals are taken
        revocation-list warns: the revocation list ends at 2026-04-05T21:10:00.000Z
        revocation-list stops: the revocation list ended at 2026-04-02T21:10:00.000Z
        ");
    }
}
