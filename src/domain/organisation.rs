//! Who may connect: organisations, their teams, users, certificates, services and agreements.
//!
//! An organisation is one fact; the kind that could enforce immigration law has no value here.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::codes::{
    Custody, DataClass, Need, OffenceGroup, OrgKind, Purpose, Role, ServiceFamily, Taint,
};
use super::device::Devices;
use super::id::{Id, OrgId, ServiceId, TeamId};
use super::person::{TaggedToken, Token};
use super::time::When;
use super::watch::{Bursts, Habit};

/// A team's attestation holds for this long; then it counts as tainted (F13).
pub const ATTESTATION_DAYS: i64 = 90;
/// What a service can meet is asked for again after this long (`domain.md` 4.5).
pub const STILL_RIGHT_DAYS: i64 = 45;

#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Organisation {
    pub id: OrgId,
    pub name: String,
    pub kind: OrgKind,
    pub enrolled_at: When,
    pub suspended_at: Option<When>,
    /// How often it was suspended. Each time ends every name that it knew things by
    /// ([`super::alias`]).
    pub suspensions: u32,
    pub identifiers: Vec<(String, String)>,
    pub areas: Vec<String>,
    pub teams: Vec<Team>,
    pub certificates: Vec<Certificate>,
    pub agreements: Vec<Agreement>,
    pub custody: Custody,
    /// The X25519 public key to which identity is re-sealed under custody `own` (RFC 9180).
    pub hpke_public_key: Option<[u8; 32]>,
    /// A telephone that is answered day and night, named in emergencies.
    pub duty_line: Option<String>,
    /// Why none of its teams may be told, whatever each of them attests; `none` if that is not so.
    pub taint: Taint,
}

#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Team {
    pub id: TeamId,
    pub name: String,
    /// What the organisation last attested of the team, if ever.
    pub attestation: Option<Attestation>,
}

#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Attestation {
    pub taint: Taint,
    pub at: When,
    pub by: String,
}

impl Attestation {
    fn tainted(&self, now: When) -> bool {
        self.taint != Taint::None || now >= self.at.plus_days(ATTESTATION_DAYS) || self.at > now
    }
}

/// A key that is known. An enrolled certificate whose key is not listed here opens nothing.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Certificate {
    pub spki_sha256: [u8; 32],
    pub team: TeamId,
    /// Named for a person's certificate; absent for a system's.
    pub user: Option<String>,
    /// The roles that a system may assert or a person may take.
    pub roles: Vec<Role>,
    pub not_after: When,
    pub revoked_at: Option<When>,
}

impl Certificate {
    pub fn in_force(&self, now: When) -> bool {
        now < self.not_after && self.revoked_at.is_none_or(|at| now < at)
    }
}

/// A sharing agreement. None in date, no route.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Agreement {
    pub id: Id,
    pub reference: String,
    pub classes: Vec<DataClass>,
    pub purposes: Vec<Purpose>,
    pub from: When,
    pub to: When,
    pub ended_at: Option<When>,
    /// Different people one worker may ask about in a day; 30 unless stated.
    pub people_a_day: u32,
    /// Offence groups and areas that its front door always takes (`domain.md` 3.0.6).
    pub standing: Option<StandingAcceptance>,
}

#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct StandingAcceptance {
    pub offences: Vec<OffenceGroup>,
    pub areas: Vec<String>,
}

impl Agreement {
    pub fn in_date(&self, now: When) -> bool {
        self.from <= now && now < self.to && self.ended_at.is_none_or(|end| now < end)
    }
}

impl Organisation {
    pub fn active(&self, now: When) -> bool {
        self.suspended_at.is_none_or(|at| now < at)
    }

    pub fn agreement(&self, now: When) -> Option<&Agreement> {
        self.agreements
            .iter()
            .find(|agreement| agreement.in_date(now))
    }

    /// When the last agreement ended or will end.
    pub fn agreement_ends(&self) -> Option<When> {
        self.agreements
            .iter()
            .map(|agreement| {
                agreement
                    .ended_at
                    .map_or(agreement.to, |end| end.min(agreement.to))
            })
            .max()
    }

    pub fn team(&self, id: &TeamId) -> Option<&Team> {
        self.teams.iter().find(|team| team.id == *id)
    }

    /// The strictest of organisation and team (F3): a team of a tainted organisation is tainted,
    /// and so is one that is not here, says so, or has not attested for 90 days (F13).
    pub fn tainted(&self, team: &TeamId, now: When) -> bool {
        let attestation = self.team(team).and_then(|team| team.attestation.as_ref());
        let team_tainted = attestation.is_none_or(|said| said.tainted(now));
        self.taint != Taint::None || team_tainted
    }

    /// The certificate with this key, if it is listed and neither ended nor revoked.
    pub fn certificate(&self, spki_sha256: &[u8; 32], now: When) -> Option<&Certificate> {
        self.certificates.iter().find(|certificate| {
            certificate.spki_sha256 == *spki_sha256 && certificate.in_force(now)
        })
    }

    pub fn people_a_day(&self, now: When) -> u32 {
        self.agreement(now)
            .map_or(0, |agreement| agreement.people_a_day)
    }
}

/// A service that may be named in a referral, and who runs it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Service {
    pub id: ServiceId,
    pub organisation: OrgId,
    pub team: TeamId,
    /// What referrers are shown. A refuge's is opaque.
    pub public_name: String,
    pub family: ServiceFamily,
    pub area: Option<String>,
    pub takes_referrals: bool,
    /// The health directory's service number, for BaRS messages.
    pub dos_service_id: Option<String>,
    /// `None` if that was never said, which is not that it can meet nothing.
    pub meets: Option<Meets>,
}

/// What a service can meet, in its own organisation's word. It opens and closes nothing, and no other
/// organisation is told: what somebody's service can meet would tell of her (F6, F7).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Meets {
    pub needs: Vec<Need>,
    /// When it was last said to be right.
    pub said_at: When,
}

impl Meets {
    /// It was right so long ago that it may not be any more.
    pub fn is_old(&self, now: When) -> bool {
        now >= self.said_at.plus_days(STILL_RIGHT_DAYS)
    }
}

/// What a service can know before it accepts somebody: which of the needs recorded it has not said
/// that it can meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanMeet {
    pub not_said: Vec<Need>,
    /// `None` if it never said what it can meet.
    pub said_at: Option<When>,
    pub is_old: bool,
}

impl Service {
    /// `None` where no need is recorded: about what was not asked nothing can be said.
    pub fn can_meet(&self, needs: &[Need], now: When) -> Option<CanMeet> {
        if needs.is_empty() {
            return None;
        }
        let said = self.meets.as_ref();
        let is_met = |need: &Need| said.is_some_and(|said| said.needs.contains(need));
        Some(CanMeet {
            not_said: needs.iter().filter(|need| !is_met(need)).copied().collect(),
            said_at: said.map(|said| said.said_at),
            is_old: said.is_some_and(|said| said.is_old(now)),
        })
    }
}

/// All services, in one fact: an offer needs them at one version.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Directory {
    pub services: Vec<Service>,
}

impl Directory {
    pub fn service(&self, id: &ServiceId) -> Option<&Service> {
        self.services.iter().find(|service| service.id == *id)
    }

    pub fn by_dos(&self, dos_service_id: &str) -> Option<&Service> {
        self.services
            .iter()
            .find(|service| service.dos_service_id.as_deref() == Some(dos_service_id))
    }

    /// Opens a service, new or again. What it can meet is not for whoever proposes that to say.
    pub fn open(&mut self, service: Service) {
        let meets = self.service(&service.id).and_then(|one| one.meets.clone());
        self.services.retain(|one| one.id != service.id);
        self.services.push(Service { meets, ..service });
    }
}

/// A user, once seen. Organisations name their own users; names are opaque to everyone else.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct User {
    pub first_seen: When,
    pub removed_at: Option<When>,
    /// What she proves herself with.
    pub devices: Devices,
    /// What the rules of the watch noticed lately.
    pub bursts: Bursts,
    pub habit: Habit,
}

impl User {
    /// Seen for the first time.
    pub fn new(first_seen: When) -> Self {
        Self {
            first_seen,
            removed_at: None,
            devices: Devices::default(),
            bursts: Bursts::default(),
            habit: Habit::default(),
        }
    }
}

/// The shared secret of an authenticator app (RFC 6238): 20 bytes, as RFC 4226 recommends.
#[derive(Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize, Zeroize, ZeroizeOnDrop)]
pub struct TotpSecret([u8; 20]);

impl TotpSecret {
    pub const fn new(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    pub const fn bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

/// Without the secret.
impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret(..)")
    }
}

/// A person whom an organisation flagged, for its own workers' attempts only: one of its staff, or
/// someone whom people are curious about. It adds alerts; it opens and refuses nothing.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Flag {
    pub organisation: OrgId,
    pub tokens: Vec<TaggedToken>,
    /// Surname and postcode, for a registered worker.
    pub household: Option<Token>,
    /// The worker's own user name, if she is one.
    pub user: Option<String>,
    pub until: When,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn organisation() -> Organisation {
        Organisation {
            id: OrgId::parse("lantern").unwrap(),
            name: "Lantern".to_owned(),
            kind: OrgKind::VoluntarySpecialist,
            enrolled_at: When::from_millis(0),
            suspended_at: None,
            suspensions: 0,
            identifiers: Vec::new(),
            areas: Vec::new(),
            teams: vec![Team {
                id: TeamId::parse("support").unwrap(),
                name: "Support".to_owned(),
                attestation: Some(Attestation {
                    taint: Taint::None,
                    at: When::from_millis(0),
                    by: "ig".to_owned(),
                }),
            }],
            certificates: Vec::new(),
            agreements: Vec::new(),
            custody: Custody::Gateway,
            hpke_public_key: None,
            duty_line: None,
            taint: Taint::None,
        }
    }

    #[test]
    fn a_team_without_an_attestation_in_ninety_days_is_tainted() {
        let organisation = organisation();
        let support = TeamId::parse("support").unwrap();
        let start = When::from_millis(0);
        assert!(!organisation.tainted(&support, start.plus_days(89)));
        assert!(organisation.tainted(&support, start.plus_days(90)));
        assert!(organisation.tainted(&TeamId::parse("other").unwrap(), start));
    }

    #[test]
    fn the_strictest_of_organisation_and_team_counts() {
        let mut organisation = organisation();
        let support = TeamId::parse("support").unwrap();
        let now = When::from_millis(0).plus_days(1);
        assert!(!organisation.tainted(&support, now));
        organisation.taint = Taint::HostsHomeOffice;
        // The team's own word is in date, and does not help it.
        assert!(organisation.tainted(&support, now));
        organisation.taint = Taint::None;
        // Nor does the organisation help a team whose word has lapsed.
        assert!(organisation.tainted(&support, now.plus_days(90)));
    }

    fn service(meets: Option<Meets>) -> Service {
        Service {
            id: ServiceId::parse("lantern-line").unwrap(),
            organisation: OrgId::parse("lantern").unwrap(),
            team: TeamId::parse("support").unwrap(),
            public_name: "Service 14".to_owned(),
            family: ServiceFamily::Community,
            area: None,
            takes_referrals: true,
            dos_service_id: None,
            meets,
        }
    }

    #[test]
    fn what_was_never_said_is_not_what_cannot_be_met() {
        let start = When::from_millis(0);
        let asked = [Need::HousingSafe, Need::Emotional];
        let judged = |needs: Option<&[Need]>| {
            let said = |needs: &[Need]| Meets {
                needs: needs.to_vec(),
                said_at: start,
            };
            let service = service(needs.map(said));
            service.can_meet(&asked, start).unwrap()
        };
        let answer = |not_said: &[Need], said_at| CanMeet {
            not_said: not_said.to_vec(),
            said_at,
            is_old: false,
        };
        assert_eq!(judged(None), answer(&asked, None));
        assert_eq!(judged(Some(&[])), answer(&asked, Some(start)));
        let one = [Need::Emotional, Need::Health];
        assert_eq!(
            judged(Some(&one)),
            answer(&[Need::HousingSafe], Some(start))
        );
        let both = [Need::Emotional, Need::Health, Need::HousingSafe];
        assert_eq!(judged(Some(&both)), answer(&[], Some(start)));
        // Nobody asked anything of it.
        assert_eq!(service(None).can_meet(&[], start), None);
    }

    #[test]
    fn after_forty_five_days_it_is_asked_whether_it_is_still_right() {
        let start = When::from_millis(0);
        let said = service(Some(Meets {
            needs: vec![Need::Emotional],
            said_at: start,
        }));
        let at = |days| said.can_meet(&[Need::Emotional], start.plus_days(days));
        assert!(!at(44).unwrap().is_old);
        assert!(at(45).unwrap().is_old);
        // It says the same; only how long ago.
        assert!(at(45).unwrap().not_said.is_empty());
        // What was never said is not old.
        assert!(
            !service(None)
                .can_meet(&[Need::Emotional], start.plus_days(99))
                .unwrap()
                .is_old
        );
    }

    #[test]
    fn a_service_that_is_opened_again_keeps_what_it_can_meet() {
        let meets = Some(Meets {
            needs: vec![Need::Emotional],
            said_at: When::from_millis(0),
        });
        let mut directory = Directory::default();
        directory.open(service(meets.clone()));
        // Whoever proposes it does not say it.
        assert_eq!(directory.services[0].meets, None);
        directory.services[0].meets = meets.clone();
        directory.open(service(None));
        assert_eq!(directory.services.len(), 1);
        assert_eq!(directory.services[0].meets, meets);
    }

    #[test]
    fn no_agreement_in_date_means_none() {
        let mut organisation = organisation();
        assert!(organisation.agreement(When::from_millis(5)).is_none());
        organisation.agreements.push(Agreement {
            id: Id::ZERO,
            reference: "DSA 1".to_owned(),
            classes: vec![DataClass::Op],
            purposes: vec![Purpose::Support],
            from: When::from_millis(0),
            to: When::from_millis(10),
            ended_at: Some(When::from_millis(7)),
            people_a_day: 30,
            standing: None,
        });
        assert!(organisation.agreement(When::from_millis(5)).is_some());
        assert!(organisation.agreement(When::from_millis(7)).is_none());
    }
}
