//! What must be renewed soon: certificates, agreements, and what is attested of teams.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::domain::journey::governing::renewable;
use crate::domain::organisation::{ATTESTATION_DAYS, Certificate, Organisation};
use crate::domain::time::When;

/// Told this long before it ends: the first of the notices (45, 30, 14, 7 and 1 day before).
const TOLD_DAYS: i64 = 45;
/// And for so long after it ended.
const ENDED_DAYS: i64 = 30;

/// One thing that ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ends {
    /// `certificate`, `agreement` or `attestation`.
    pub what: &'static str,
    pub organisation: String,
    pub team: Option<String>,
    /// Whose certificate; told to her own organisation only. A system's has none.
    pub user: Option<String>,
    pub roles: Vec<&'static str>,
    /// Of an agreement.
    pub reference: Option<String>,
    pub at: When,
}

impl Ends {
    pub fn json(&self, now: When) -> Value {
        json!({
            "what": self.what,
            "organisation": self.organisation,
            "team": self.team,
            "user": self.user,
            "roles": self.roles,
            "reference": self.reference,
            "at": self.at.rfc3339(),
            "days_left": days_left(self.at, now),
        })
    }
}

/// What of an organisation ends within 45 days or ended in the last 30, and nothing follows.
pub fn ending(organisation: &Organisation, is_own: bool, now: When) -> Vec<Ends> {
    let soon = |at: When| at <= now.plus_days(TOLD_DAYS) && at > now.plus_days(-ENDED_DAYS);
    let none = || Ends {
        what: "",
        organisation: organisation.id.as_str().to_owned(),
        team: None,
        user: None,
        roles: Vec::new(),
        reference: None,
        at: now,
    };
    let certificates = organisation
        .certificates
        .iter()
        .filter(|one| one.revoked_at.is_none() && soon(one.not_after))
        .filter(|one| {
            !organisation
                .certificates
                .iter()
                .any(|next| follows(one, next))
        })
        .map(|one| Ends {
            what: "certificate",
            team: Some(one.team.as_str().to_owned()),
            user: one.user.clone().filter(|_| is_own),
            roles: one.roles.iter().map(|role| role.code()).collect(),
            at: one.not_after,
            ..none()
        });
    let last = organisation.agreement_ends();
    let agreements = organisation
        .agreements
        .iter()
        .filter(|one| one.ended_at.is_none() && soon(one.to) && last == Some(one.to))
        .map(|one| Ends {
            what: "agreement",
            reference: Some(one.reference.clone()),
            at: one.to,
            ..none()
        });
    let teams = organisation.teams.iter().filter_map(|team| {
        let at = team.attestation.as_ref()?.at.plus_days(ATTESTATION_DAYS);
        soon(at).then(|| Ends {
            what: "attestation",
            team: Some(team.id.as_str().to_owned()),
            at,
            ..none()
        })
    });
    certificates.chain(agreements).chain(teams).collect()
}

/// The people of an organisation who have a certificate, whose ends first, ends first. For her own
/// administrator.
pub fn people(own: &Organisation, now: When) -> Vec<Value> {
    let mut people: BTreeMap<(&str, &str), Vec<&Certificate>> = BTreeMap::new();
    for one in own.certificates.iter().filter(|one| renewable(one, now)) {
        if let Some(user) = &one.user {
            people
                .entry((user, one.team.as_str()))
                .or_default()
                .push(one);
        }
    }
    let mut people: Vec<_> = people
        .into_iter()
        .filter_map(|(who, held)| Some((held.iter().map(|one| one.not_after).max()?, who, held)))
        .collect();
    people.sort_by_key(|(at, who, _)| (*at, *who));
    let told = |(at, (user, team), held): (When, (&str, &str), Vec<&Certificate>)| {
        let hex = |key: &[u8; 32]| {
            key.iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        let held = held.iter().map(
            |one| json!({ "spki_sha256": hex(&one.spki_sha256), "at": one.not_after.rfc3339() }),
        );
        json!({
            "user": user,
            "team": team,
            "at": at.rfc3339(),
            "days_left": days_left(at, now),
            "certificates": held.collect::<Vec<_>>(),
        })
    };
    people.into_iter().map(told).collect()
}

/// Whole days until then; the last of them is 0.
pub fn days_left(at: When, now: When) -> i64 {
    (at.millis() - now.millis()).div_euclid(86_400_000)
}

/// A newer certificate of the same person, or of a system of the same team and roles.
fn follows(one: &Certificate, next: &Certificate) -> bool {
    next.revoked_at.is_none()
        && next.not_after > one.not_after
        && next.team == one.team
        && next.user == one.user
        && (next.user.is_some() || next.roles == one.roles)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::codes::{OrgKind, Role};
    use crate::domain::id::TeamId;
    use crate::domain::journey::scene::{organisation, start};

    fn certificate(user: &str, not_after: When) -> Certificate {
        Certificate {
            spki_sha256: [7; 32],
            team: TeamId::parse("main").unwrap(),
            user: Some(user.to_owned()),
            roles: vec![Role::Adviser],
            not_after,
            revoked_at: None,
        }
    }

    fn haven() -> Organisation {
        let mut found = organisation("haven", OrgKind::ByAndFor, &[]);
        found.certificates.clear();
        found.agreements.clear();
        found.teams.clear();
        found
    }

    #[test]
    fn what_ends_is_told_for_45_days_unless_something_follows() {
        let now = start();
        let mut haven = haven();
        haven.certificates = vec![
            certificate("a", now.plus_days(45)),
            certificate("b", now.plus_days(46)),
            certificate("c", now.plus_days(10)),
            certificate("c", now.plus_days(300)),
            certificate("d", now.plus_days(-1)),
            certificate("e", now.plus_days(-40)),
        ];
        let told = ending(&haven, true, now);
        let users: Vec<&str> = told.iter().filter_map(|one| one.user.as_deref()).collect();
        assert_eq!(users, ["a", "d"]);
        assert_eq!(told[1].json(now)["days_left"], -1);
    }

    #[test]
    fn everybody_with_a_certificate_is_told_once_with_her_last_end() {
        let now = start();
        let mut haven = haven();
        let mut revoked = certificate("r", now.plus_days(90));
        revoked.revoked_at = Some(now);
        let mut system = certificate("s", now.plus_days(9));
        system.user = None;
        haven.certificates = vec![
            certificate("a", now.plus_days(300)),
            certificate("b", now.plus_days(2)),
            certificate("b", now.plus_days(7)),
            certificate("c", now.plus_days(-29)),
            certificate("d", now.plus_days(-31)),
            revoked,
            system,
        ];
        let told = people(&haven, now);
        let told: Vec<(&str, i64, usize)> = told
            .iter()
            .map(|one| {
                let held = one["certificates"].as_array().unwrap().len();
                (
                    one["user"].as_str().unwrap(),
                    one["days_left"].as_i64().unwrap(),
                    held,
                )
            })
            .collect();
        assert_eq!(told, [("c", -29, 1), ("b", 7, 2), ("a", 300, 1)]);
    }

    #[test]
    fn whose_certificate_it_is_is_told_to_her_own_organisation_only() {
        let now = start();
        let mut haven = haven();
        haven.certificates = vec![certificate("a", now.plus_days(1))];
        let told = ending(&haven, false, now);
        assert_eq!((told.len(), told[0].user.clone()), (1, None));
    }
}
