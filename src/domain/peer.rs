//! Who is calling: an identity read from a verified client certificate.

use super::id::{BadName, OrgId, TeamId, UserId};
use super::time::When;

/// The name in a certificate: `spiffe://<domain>/org/<org>/team/<team>[/user/<user>]`.
///
/// It is compared whole. A prefix or a suffix of it is another identity.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SpiffeName {
    pub organisation: OrgId,
    pub team: TeamId,
    /// Absent for a system, which asserts its user on each request.
    pub user: Option<UserId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the certificate's URI is not spiffe://<domain>/org/<org>/team/<team>[/user/<user>]")]
pub struct BadSpiffeName;

impl From<BadName> for BadSpiffeName {
    fn from(_: BadName) -> Self {
        Self
    }
}

impl SpiffeName {
    /// Reads the whole URI; `domain` must match exactly.
    pub fn parse(uri: &str, domain: &str) -> Result<Self, BadSpiffeName> {
        let path = uri
            .strip_prefix("spiffe://")
            .and_then(|rest| rest.strip_prefix(domain))
            .and_then(|rest| rest.strip_prefix('/'))
            .ok_or(BadSpiffeName)?;
        let parts: Vec<&str> = path.split('/').collect();
        let (organisation, team, user) = match parts.as_slice() {
            ["org", org, "team", team] => (*org, *team, None),
            ["org", org, "team", team, "user", user] => (*org, *team, Some(*user)),
            _ => return Err(BadSpiffeName),
        };
        Ok(Self {
            organisation: OrgId::parse(organisation)?,
            team: TeamId::parse(team)?,
            user: user.map(UserId::parse).transpose()?,
        })
    }

    pub fn uri(&self, domain: &str) -> String {
        let base = format!(
            "spiffe://{domain}/org/{}/team/{}",
            self.organisation, self.team
        );
        match &self.user {
            Some(user) => format!("{base}/user/{user}"),
            None => base,
        }
    }
}

/// A caller whose certificate chain, dates and revocation were checked for this request.
///
/// Whether the organisation, team and key are still enrolled is a fact in the store, which the
/// pipeline checks next. May be cloned: one connection makes many attempts.
#[derive(Clone, Debug)]
pub struct Peer {
    name: SpiffeName,
    spki_sha256: [u8; 32],
    not_after: When,
}

impl Peer {
    /// Asserts that the chain was verified and is not revoked. Called from `edge::tls` only;
    /// `tests/architecture.rs` checks.
    pub fn assertion(name: SpiffeName, spki_sha256: [u8; 32], not_after: When) -> Self {
        Self {
            name,
            spki_sha256,
            not_after,
        }
    }

    /// A caller for the tests of what is decided about callers; no test of a handshake uses it.
    #[cfg(test)]
    pub fn for_tests(name: SpiffeName, spki_sha256: [u8; 32]) -> Self {
        Self {
            name,
            spki_sha256,
            not_after: When::from_millis(i64::MAX),
        }
    }

    pub fn name(&self) -> &SpiffeName {
        &self.name
    }

    /// SHA-256 of the certificate's SubjectPublicKeyInfo, in DER.
    pub fn spki_sha256(&self) -> &[u8; 32] {
        &self.spki_sha256
    }

    pub fn not_after(&self) -> When {
        self.not_after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_whole_or_not_at_all() {
        let uri = "spiffe://firedoor.example/org/met/team/hackney/user/pc-ward";
        let name = SpiffeName::parse(uri, "firedoor.example").unwrap();
        assert_eq!(name.uri("firedoor.example"), uri);
        for bad in [
            "spiffe://firedoor.example/org/met",
            "spiffe://firedoor.example/org/met/team/hackney/user",
            "spiffe://firedoor.example/org/met/team/hackney/user/pc-ward/x",
            "spiffe://firedoor.example/org/met/team/",
            "spiffe://firedoor.example.evil.example/org/met/team/hackney",
            "spiffe://evil.example/org/met/team/hackney",
            "spiffe://firedoor.exampl/org/met/team/hackney",
            "https://firedoor.example/org/met/team/hackney",
            "spiffe://firedoor.example/org/Met/team/hackney",
            "spiffe://firedoor.example/org/met%2d/team/hackney",
        ] {
            assert_eq!(
                SpiffeName::parse(bad, "firedoor.example"),
                Err(BadSpiffeName),
                "{bad}"
            );
        }
    }
}
