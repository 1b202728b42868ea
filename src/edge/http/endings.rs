//! What must be renewed soon: certificates, agreements, and what is attested of teams.

use serde_json::{Value, json};

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
            "days_left": (self.at.millis() - now.millis()).div_euclid(86_400_000),
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
    fn whose_certificate_it_is_is_told_to_her_own_organisation_only() {
        let now = start();
        let mut haven = haven();
        haven.certificates = vec![certificate("a", now.plus_days(1))];
        let told = ending(&haven, false, now);
        assert_eq!((told.len(), told[0].user.clone()), (1, None));
    }
}
