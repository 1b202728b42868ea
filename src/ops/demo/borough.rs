//! A small borough: organisations, teams, services, agreements, and a certificate for each caller.
//!
//! Everything is invented and made anew for each demo. Keys are written with mode 0600 and lie
//! away from the data.

mod cast;

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use totp_rs::Secret;
use zeroize::Zeroizing;

use super::DemoError;
use super::people::{TEST_PEOPLE, TestPerson};
use crate::domain::codes::{Custody, DataClass, Need, Purpose, Role, ServiceFamily, Taint};
use crate::domain::custody;
use crate::domain::governance::Approvers;
use crate::domain::id::{Id, OrgId, ServiceId, TeamId, UserId};
use crate::domain::journey::governing::founding::Founding;
use crate::domain::organisation::{
    Agreement, Attestation, Certificate, Directory, Meets, Organisation, Service, Team, TotpSecret,
};
use crate::domain::peer::SpiffeName;
use crate::domain::time::When;
use crate::edge::tls::ClientTls;
use crate::ops::client::bundle::{
    AUTHORITY, BundleProfile, CERTIFICATE, KEY, PROFILE, TOTP_SECRET, code_at,
};
use crate::ops::client::caller::{Caller, GatewayUrl, Named};
use crate::ops::client::custody::CUSTODY_KEY;
use crate::ops::clock;
use crate::ops::pki::{BundleForm, Ca, Profile, key_and_csr, pkcs12, write_secret};
use cast::{BODIES, Body, DESKS, Desk};

/// The host part of every certificate's name, and of the log's.
pub const TRUST_DOMAIN: &str = "demo.firedoor.example";
/// Certificates of the demo end after this many days, and so does the demo's folder.
const DAYS: u32 = 30;
/// Its authority goes on, so that a certificate which is renewed ends later than the one before.
const AUTHORITY_DAYS: u32 = 400;
const ATTESTED_BY: &str = "demo";

/// The service that the story is about. Its public name says nothing of whom it is for.
pub const SERVICE: &str = "service-14";
/// The charity that runs it.
pub const CHARITY: &str = "larkfield";
/// The other charity's service.
pub const OTHER_SERVICE: &str = "helpline";
/// The bundles of those who keep a key of their own: a charity, for identity, and the law centre,
/// for what is sealed to it.
const OWN_CUSTODY: [&str; 2] = ["harbour", "quayside"];
/// Of the files that a browser imports: everybody in them is invented, and it is said aloud.
pub const P12_PASSWORD: &str = "made-for-trying";
/// A health service and a charity's, with their numbers in the Directory of Services, so that BaRS
/// messages have somewhere to go.
const DOS_HEALTH: (&str, &str) = ("st-hildas-safe", "111111111");
const DOS_CHARITY: (&str, &str) = ("harbour-health", "222222222");

/// A certificate that was made, and what is known of it.
struct Made {
    desk: &'static Desk,
    enrolled: Certificate,
    tls: ClientTls,
    totp: Option<Zeroizing<[u8; 20]>>,
    /// The public key of its organisation's own custody, in the bundle that keeps the private one.
    custody: Option<[u8; 32]>,
}

/// The bundles of people, who show a second factor, and in which role each works.
pub fn persons() -> impl Iterator<Item = (&'static str, Role)> {
    let people = DESKS.iter().filter(|desk| desk.person.is_some());
    people.map(|desk| (desk.bundle, desk.usual.1))
}

/// The borough, with a folder for each caller.
pub struct Borough {
    pub dir: PathBuf,
    made: Vec<Made>,
    now: When,
}

fn name<T, E>(parsed: Result<T, E>) -> Result<T, DemoError> {
    parsed.map_err(|_| DemoError::Story("a name of the borough is not a name"))
}

impl Borough {
    /// Makes the authority, the gateway's certificate and a bundle for each caller.
    ///
    /// # Errors
    /// [`DemoError`] if a file or a key cannot be made.
    pub fn make(dir: &Path, url: &str) -> Result<Self, DemoError> {
        let now = clock::now();
        let ca = Ca::create(&dir.join("ca"), "Firedoor demo", now, AUTHORITY_DAYS)?;
        let authority = ca.certificate_pem()?;
        let (key, request) = key_and_csr("localhost")?;
        let server = ca.issue(request.as_bytes(), &Profile::localhost(), now, DAYS)?;
        folder(&dir.join("tls"))?;
        write_secret(&dir.join("tls/server.key"), &key)?;
        write(&dir.join("tls/server.pem"), server.pem.as_bytes())?;
        let mut made = Vec::new();
        for desk in &DESKS {
            made.push(bundle(dir, url, &ca, &authority, desk, now)?);
        }
        Ok(Self {
            dir: dir.to_owned(),
            made,
            now,
        })
    }

    /// The first facts of the gateway. The law centre comes later, by a proposal.
    pub fn founding(&self) -> Result<Founding, DemoError> {
        let mut organisations = Vec::new();
        for body in &BODIES {
            organisations.push(self.organisation(body)?);
        }
        let mut users = Vec::new();
        for made in &self.made {
            if let (Some(person), Some(secret)) = (made.desk.person, &made.totp) {
                let organisation = name(OrgId::parse(made.desk.organisation))?;
                users.push((organisation, person.to_owned(), TotpSecret::new(**secret)));
            }
        }
        let org = |id| name(OrgId::parse(id));
        Ok(Founding {
            organisations,
            users,
            approvers: Approvers {
                first: vec![
                    (org("operator")?, "o-bright".to_owned()),
                    (org("st-hildas")?, "h-lindqvist".to_owned()),
                ],
                reviewers: vec![org("reviewer")?],
            },
            directory: directory(self.now)?,
        })
    }

    fn organisation(&self, body: &Body) -> Result<Organisation, DemoError> {
        let attested = |taint| Attestation {
            taint,
            at: self.now,
            by: ATTESTED_BY.to_owned(),
        };
        let mut teams = Vec::new();
        for (id, text, taint) in body.teams {
            teams.push(Team {
                id: name(TeamId::parse(id))?,
                name: (*text).to_owned(),
                attestation: Some(attested(*taint)),
            });
        }
        let of_body = self
            .made
            .iter()
            .filter(|made| made.desk.organisation == body.id);
        let key = of_body.clone().find_map(|made| made.custody);
        Ok(Organisation {
            id: name(OrgId::parse(body.id))?,
            name: body.name.to_owned(),
            kind: body.kind,
            enrolled_at: self.now,
            suspended_at: None,
            suspensions: 0,
            identifiers: Vec::new(),
            areas: vec!["E09000022".to_owned()],
            teams,
            certificates: of_body.map(|made| made.enrolled.clone()).collect(),
            agreements: vec![Agreement {
                id: Id::ZERO,
                reference: format!("DSA {}", body.name),
                classes: vec![
                    DataClass::Op,
                    DataClass::Id,
                    DataClass::Loc,
                    DataClass::Sp,
                    DataClass::Ip,
                    DataClass::Ft,
                ],
                purposes: vec![
                    Purpose::Support,
                    Purpose::SafetyPlanning,
                    Purpose::OnwardReferral,
                    Purpose::PriorAssessment,
                ],
                from: self.now.plus_days(-1),
                to: self.now.plus_days(365),
                ended_at: None,
                people_a_day: 30,
                standing: None,
            }],
            custody: if key.is_some() {
                Custody::Own
            } else {
                Custody::Gateway
            },
            hpke_public_key: key,
            duty_line: body.duty_line.map(str::to_owned),
            taint: Taint::None,
        })
    }

    /// The law centre, as the operator proposes it.
    pub fn law_centre(&self) -> Result<Value, DemoError> {
        let made = self.of("quayside")?;
        let hex = |bytes: &[u8; 32]| -> String {
            bytes.iter().map(|byte| format!("{byte:02x}")).collect()
        };
        let fingerprint = hex(&made.enrolled.spki_sha256);
        Ok(json!({
            "id": "quayside", "name": "Quayside Law Centre", "kind": "legal_adviser",
            "identifiers": [{ "kind": "sra", "value": "000000" }],
            "custody": "own", "hpke_public_key": made.custody.as_ref().map(hex),
            "teams": [{ "id": "advice", "name": "Advice", "taint": "none" }],
            "certificates": [{
                "spki_sha256": fingerprint, "team": "advice", "roles": ["legal_adviser"],
                "not_after": made.enrolled.not_after.rfc3339(),
            }],
            "agreements": [{
                "reference": "DSA Quayside", "classes": ["op", "id", "loc"],
                "purposes": ["legal_advice"], "from": self.now.rfc3339(),
                "to": self.now.plus_days(365).rfc3339(),
            }],
        }))
    }

    fn of(&self, bundle: &str) -> Result<&Made, DemoError> {
        self.made
            .iter()
            .find(|made| made.desk.bundle == bundle)
            .ok_or(DemoError::Story("there is no such bundle"))
    }

    /// A new client with the certificate of a bundle: its usual user, or another in another role.
    pub async fn client(
        &self,
        bundle: &str,
        url: &GatewayUrl,
        other: Option<(&str, Role)>,
    ) -> Result<Caller, DemoError> {
        let made = self.of(bundle)?;
        let (user, role) = other.unwrap_or(made.desk.usual);
        let system = made.desk.person.is_none();
        let named = Named {
            user: system.then(|| user.to_owned()),
            role: system.then(|| role.code().to_owned()),
        };
        Ok(Caller::connect(url, made.tls.clone(), named).await?)
    }

    /// What the phone of a bundle's person shows now.
    pub fn code(&self, bundle: &str) -> Result<String, DemoError> {
        let seconds = u64::try_from(clock::now().millis() / 1_000).unwrap_or(0);
        let secret = self.of(bundle)?.totp.as_ref();
        secret
            .and_then(|secret| code_at(secret.as_slice(), seconds))
            .ok_or(DemoError::Story("that bundle has no second factor"))
    }

    /// Writes what a browser imports beside the certificate of each person: `NAME.p12`.
    ///
    /// # Errors
    /// [`DemoError`] if a file cannot be read or made.
    pub fn for_browsers(&self) -> Result<(), DemoError> {
        for made in self.made.iter().filter(|made| made.desk.person.is_some()) {
            let name = made.desk.bundle;
            let at = self.dir.join("bundles").join(name);
            let read = |file: &str| {
                let path = at.join(file);
                std::fs::read(&path).map_err(|error| DemoError::File(path, error))
            };
            let key = Zeroizing::new(read(KEY)?);
            let (certificate, authority) = (read(CERTIFICATE)?, read(AUTHORITY)?);
            let shown = format!("Firedoor {name}");
            let form = BundleForm::Modern;
            let file = pkcs12(&certificate, &key, &authority, &shown, P12_PASSWORD, form)?;
            write_secret(&at.join(format!("{name}.p12")), &file)?;
        }
        Ok(())
    }

    /// The bundles, for whoever tries them.
    pub fn bundles(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.made
            .iter()
            .map(|made| (made.desk.bundle, made.desk.organisation))
    }
}

fn directory(now: When) -> Result<Directory, DemoError> {
    let service = |id: &str, run_by: (&str, &str), public_name: &str| {
        Ok::<_, DemoError>(Service {
            id: name(ServiceId::parse(id))?,
            organisation: name(OrgId::parse(run_by.0))?,
            team: name(TeamId::parse(run_by.1))?,
            public_name: public_name.to_owned(),
            family: ServiceFamily::Community,
            area: Some("E09000022".to_owned()),
            takes_referrals: true,
            dos_service_id: None,
            meets: None,
        })
    };
    let harbour = ("harbour", "helpline");
    let mut services = vec![
        Service {
            meets: Some(Meets {
                needs: vec![Need::HousingSafe, Need::Emotional, Need::LegalAdviceOther],
                said_at: now,
            }),
            ..service(SERVICE, (CHARITY, "advice"), "Service 14")?
        },
        service(OTHER_SERVICE, harbour, "Harbour helpline")?,
    ];
    let mut numbered = [
        (
            DOS_HEALTH,
            service(
                DOS_HEALTH.0,
                ("st-hildas", "emergency"),
                "St Hilda's safety desk",
            )?,
        ),
        (
            DOS_CHARITY,
            service(DOS_CHARITY.0, harbour, "Harbour health desk")?,
        ),
    ];
    for ((_, number), service) in &mut numbered {
        service.dos_service_id = Some((*number).to_owned());
    }
    services.extend(numbered.into_iter().map(|(_, service)| service));
    for TestPerson {
        service: id,
        outcome,
        ..
    } in &TEST_PEOPLE
    {
        services.push(service(id, harbour, &format!("Test desk: {outcome}"))?);
    }
    Ok(Directory { services })
}

fn bundle(
    dir: &Path,
    url: &str,
    ca: &Ca,
    authority: &[u8],
    desk: &'static Desk,
    now: When,
) -> Result<Made, DemoError> {
    let team = name(TeamId::parse(desk.team))?;
    let spiffe = SpiffeName {
        organisation: name(OrgId::parse(desk.organisation))?,
        team: team.clone(),
        user: desk
            .person
            .map(UserId::parse)
            .transpose()
            .or_else(|bad| name(Err(bad)))?,
    };
    let trust_domain = TRUST_DOMAIN.to_owned();
    let profile = match desk.person {
        Some(_) => Profile::Person {
            name: spiffe,
            trust_domain,
        },
        None => Profile::System {
            name: spiffe,
            trust_domain,
        },
    };
    let (key, request) = key_and_csr(desk.bundle)?;
    let issued = ca.issue(request.as_bytes(), &profile, now, DAYS)?;
    let at = dir.join("bundles").join(desk.bundle);
    folder(&at)?;
    write_secret(&at.join(KEY), &key)?;
    write(&at.join(CERTIFICATE), issued.pem.as_bytes())?;
    write(&at.join(AUTHORITY), authority)?;
    let said = BundleProfile {
        url: Some(url.to_owned()),
        user: desk.person.is_none().then(|| desk.usual.0.to_owned()),
        role: desk
            .person
            .is_none()
            .then(|| desk.usual.1.code().to_owned()),
    };
    let said = toml::to_string(&said).map_err(|_| DemoError::Story("a bundle cannot be told"))?;
    write(&at.join(PROFILE), said.as_bytes())?;
    let totp = match desk.person {
        None => None,
        Some(_) => {
            let mut secret = Zeroizing::new([0; 20]);
            getrandom::fill(secret.as_mut_slice()).map_err(|_| DemoError::NoRandomness)?;
            let text = Zeroizing::new(Secret::from(secret.to_vec()).to_base32());
            write_secret(&at.join(TOTP_SECRET), text.as_bytes())?;
            Some(secret)
        }
    };
    Ok(Made {
        desk,
        enrolled: Certificate {
            spki_sha256: issued.spki_sha256,
            team,
            user: desk.person.map(str::to_owned),
            roles: desk.roles(),
            not_after: issued.not_after,
            revoked_at: None,
        },
        tls: ClientTls::new(
            authority,
            Some((issued.pem.as_bytes(), &key)),
            std::sync::Arc::new(clock::now),
        )?,
        totp,
        custody: (OWN_CUSTODY.contains(&desk.bundle))
            .then(|| custody_key(&at))
            .transpose()?,
    })
}

fn custody_key(bundle: &Path) -> Result<[u8; 32], DemoError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice()).map_err(|_| DemoError::NoRandomness)?;
    let (private, public) = custody::key_pair(&seed);
    let text: String = private.iter().map(|byte| format!("{byte:02x}")).collect();
    write_secret(&bundle.join(CUSTODY_KEY), Zeroizing::new(text).as_bytes())?;
    Ok(public)
}

/// A folder for its owner only.
pub fn folder(path: &Path) -> Result<(), DemoError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| DemoError::File(path.to_owned(), error))
}

/// A file that is no secret.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), DemoError> {
    fs::write(path, bytes).map_err(|error| DemoError::File(path.to_owned(), error))
}
