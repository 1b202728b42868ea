//! The first people of a new gateway: what the command line names, what they are given, and the
//! facts that say so.

use std::io::{self, Write};
use std::path::Path;

use totp_rs::Builder;
use zeroize::Zeroizing;

use super::House;
use crate::domain::codes::{Custody, OrgKind, Role, Taint};
use crate::domain::firewall::names::immigration_enforcement_name;
use crate::domain::governance::Approvers;
use crate::domain::id::{OrgId, TeamId, UserId};
use crate::domain::journey::governing::founding::Founding;
use crate::domain::organisation::{Certificate, Directory, Organisation, Team, TotpSecret};
use crate::domain::peer::SpiffeName;
use crate::domain::time::When;
use crate::ops::cert::{Bundle, client_profile, make_bundle};
use crate::ops::cli::CommandError;
use crate::ops::config::Config;
use crate::ops::pki::{BundleForm, CERTIFICATE_DAYS_MAX, PkiError};

/// One person, as the command line names her.
pub(super) struct Founder {
    kind: OrgKind,
    name: SpiffeName,
}

impl Founder {
    /// `ORG:TEAM:USER`
    pub(super) fn operator(text: &str) -> Result<Self, CommandError> {
        let parts: Vec<&str> = text.split(':').collect();
        match parts.as_slice() {
            [org, team, user] => Self::new(OrgKind::Operator, org, team, user),
            _ => Err("--operator is ORGANISATION:TEAM:USER".into()),
        }
    }

    /// `ORG:KIND:TEAM:USER`
    pub(super) fn approver(text: &str) -> Result<Self, CommandError> {
        let parts: Vec<&str> = text.split(':').collect();
        let [org, kind, team, user] = parts.as_slice() else {
            return Err("--approver is ORGANISATION:KIND:TEAM:USER".into());
        };
        let known = OrgKind::parse(kind).filter(|kind| *kind != OrgKind::Operator);
        let kind = known.ok_or_else(|| {
            let kinds = OrgKind::ALL
                .iter()
                .filter(|kind| **kind != OrgKind::Operator);
            let kinds: Vec<&str> = kinds.map(|kind| kind.code()).collect();
            format!("--approver: the kind is one of {}", kinds.join(", "))
        })?;
        Self::new(kind, org, team, user)
    }

    fn new(kind: OrgKind, org: &str, team: &str, user: &str) -> Result<Self, CommandError> {
        let bad = |what: &str| format!("{what} must be 2 to 32 of a-z, 0-9 and '-'");
        let name = SpiffeName {
            organisation: OrgId::parse(org).map_err(|_| bad("an organisation"))?,
            team: TeamId::parse(team).map_err(|_| bad("a team"))?,
            user: Some(UserId::parse(user).map_err(|_| bad("a user"))?),
        };
        // The authority and the store refuse it too; here nothing has been made yet.
        if immigration_enforcement_name(&name.uri("gateway")) {
            return Err(PkiError::ImmigrationEnforcement.into());
        }
        Ok(Self { kind, name })
    }

    /// What her certificate lets her be: enough to propose and approve, and no more.
    const fn roles(&self) -> [Role; 1] {
        match self.kind {
            OrgKind::Operator => [Role::OperatorAdmin],
            OrgKind::Reviewer => [Role::Reviewer],
            OrgKind::Police
            | OrgKind::NhsTrust
            | OrgKind::NhsGp
            | OrgKind::Icb
            | OrgKind::LocalAuthority
            | OrgKind::VoluntaryGeneric
            | OrgKind::VoluntarySpecialist
            | OrgKind::ByAndFor
            | OrgKind::Refuge
            | OrgKind::Sarc
            | OrgKind::Court
            | OrgKind::Cafcass
            | OrgKind::Cps
            | OrgKind::Wcu
            | OrgKind::Probation
            | OrgKind::LegalAdviser
            | OrgKind::Commissioner => [Role::OrgAdmin],
        }
    }

    /// A reviewer looks; she approves nothing.
    const fn approves(&self) -> bool {
        !matches!(self.kind, OrgKind::Reviewer)
    }
}

/// People of at least two organisations, each organisation of one kind and one team.
pub(super) struct Founders(Vec<Founder>);

/// What they were given, and the facts.
pub(super) struct Admitted {
    pub(super) founding: Founding,
    pub(super) people: Vec<Person>,
}

/// What one person must be told, once.
pub(super) struct Person {
    name: SpiffeName,
    bundle: Bundle,
    secret: TotpSecret,
}

impl Founders {
    pub(super) fn new(people: Vec<Founder>) -> Result<Self, CommandError> {
        let mut approving: Vec<&OrgId> = people
            .iter()
            .filter(|one| one.approves())
            .map(|one| &one.name.organisation)
            .collect();
        approving.sort();
        approving.dedup();
        if approving.len() < 2 {
            let why = "name an approver of another organisation than the operator's, and not a \
                       reviewer: nobody can approve her own proposals";
            return Err(why.into());
        }
        for (at, one) in people.iter().enumerate() {
            for other in people.iter().skip(at + 1) {
                if one.name.organisation != other.name.organisation {
                    continue;
                }
                if one.kind != other.kind {
                    return Err("an organisation has one kind".into());
                }
                if one.name.user == other.name.user {
                    return Err("each person is named once".into());
                }
            }
        }
        Ok(Self(people))
    }

    /// Issues each person's certificate and second factor into `people/` and writes down the facts.
    pub(super) fn admit(
        self,
        house: &House,
        config: &Config,
        now: When,
    ) -> Result<Admitted, CommandError> {
        let mut organisations: Vec<Organisation> = Vec::new();
        let (mut users, mut people, mut approvers) = (Vec::new(), Vec::new(), Approvers::default());
        for founder in self.0 {
            let roles = founder.roles().to_vec();
            let approves = founder.approves();
            let Founder { kind, name } = founder;
            let Some(user) = name.user.as_ref().map(|user| user.as_str().to_owned()) else {
                return Err("each founder is a person".into());
            };
            let bundle = bundle(house, config, &name, &user, now)?;
            let secret = new_secret()?;
            let organisation = match organisations
                .iter_mut()
                .find(|known| known.id == name.organisation)
            {
                Some(known) => known,
                None => {
                    organisations.push(new_organisation(&name.organisation, kind, now));
                    organisations.last_mut().ok_or("an organisation was lost")?
                }
            };
            if organisation.team(&name.team).is_none() {
                organisation.teams.push(Team {
                    id: name.team.clone(),
                    name: name.team.as_str().to_owned(),
                    attestation: None,
                });
            }
            organisation.certificates.push(Certificate {
                spki_sha256: bundle.issued.spki_sha256,
                team: name.team.clone(),
                user: Some(user.clone()),
                roles,
                not_after: bundle.issued.not_after,
                revoked_at: None,
            });
            if approves {
                let first = (name.organisation.clone(), user.clone());
                approvers.first.push(first);
            } else if !approvers.reviewers.contains(&name.organisation) {
                approvers.reviewers.push(name.organisation.clone());
            }
            users.push((name.organisation.clone(), user, secret.clone()));
            people.push(Person {
                name,
                bundle,
                secret,
            });
        }
        let founding = Founding {
            organisations,
            users,
            approvers,
            directory: Directory::default(),
        };
        Ok(Admitted { founding, people })
    }
}

fn bundle(
    house: &House,
    config: &Config,
    name: &SpiffeName,
    user: &str,
    now: When,
) -> Result<Bundle, CommandError> {
    let folder = house
        .dir
        .join("people")
        .join(format!("{}-{user}", name.organisation));
    let profile = client_profile(name.clone(), &config.trust_domain);
    let form = BundleForm::Modern;
    make_bundle(
        &house.ca,
        &profile,
        Path::new(&folder),
        form,
        now,
        CERTIFICATE_DAYS_MAX,
    )
}

/// Under its short name; its other details are proposed and approved like everything later.
fn new_organisation(id: &OrgId, kind: OrgKind, now: When) -> Organisation {
    Organisation {
        id: id.clone(),
        name: id.as_str().to_owned(),
        kind,
        enrolled_at: now,
        suspended_at: None,
        suspensions: 0,
        identifiers: Vec::new(),
        areas: Vec::new(),
        teams: Vec::new(),
        certificates: Vec::new(),
        agreements: Vec::new(),
        custody: Custody::Gateway,
        hpke_public_key: None,
        duty_line: None,
        taint: Taint::None,
    }
}

fn new_secret() -> Result<TotpSecret, CommandError> {
    let mut bytes = Zeroizing::new([0; 20]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| "there is no randomness")?;
    Ok(TotpSecret::new(*bytes))
}

impl Person {
    /// The password and the second factor, this once.
    pub(super) fn tell(&self, out: &mut impl Write, address: &str) -> io::Result<()> {
        writeln!(
            out,
            "{}",
            self.name.uri("gateway").replace("spiffe://gateway/", "")
        )?;
        self.bundle.tell(out, address)?;
        let user = self.name.user.as_ref().map_or("", UserId::as_str);
        let totp = Builder::new()
            .with_secret(self.secret.bytes().to_vec())
            .with_issuer(Some("Firedoor".to_owned()))
            .with_account_name(format!("{}/{user}", self.name.organisation))
            .build()
            .map_err(io::Error::other)?;
        let url = totp.to_url().map_err(io::Error::other)?;
        let url = Zeroizing::new(url);
        writeln!(
            out,
            "her second factor, shown only now, for an authenticator app:"
        )?;
        writeln!(out, "{}\n", *url)
    }
}
