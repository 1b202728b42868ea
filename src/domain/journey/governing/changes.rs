//! What a change must look like, and what it makes of the facts. Permits nothing by itself.

use super::holding;
use crate::domain::attempt::Entropy;
use crate::domain::codes::{DataClass, OrgKind, Taint};
use crate::domain::decision::Aggregate;
use crate::domain::device::Devices;
use crate::domain::governance::Widening;
use crate::domain::id::{Id, OrgId, TeamId, UserId};
use crate::domain::known::Known;
use crate::domain::organisation::{
    ATTESTATION_DAYS, Agreement, Attestation, Certificate, Directory, Organisation, Service, Team,
    TotpSecret, User,
};
use crate::domain::person::FieldError;
use crate::domain::record::{Record, singleton};
use crate::domain::restoration::Restoration;
use crate::domain::time::When;

use super::texts::Texts;

/// Characters of a name or reference.
pub const TEXT_CHARS_MAX: usize = 100;
/// Teams of one organisation.
pub const TEAMS_MAX: usize = 64;
/// Certificates of one organisation that have not ended.
pub const CERTIFICATES_MAX: usize = 256;
/// Agreements of one organisation.
pub const AGREEMENTS_MAX: usize = 32;
/// Identifiers or areas of one organisation.
pub const ENTRIES_MAX: usize = 64;
/// Services in the directory.
pub const SERVICES_MAX: usize = 1_024;
/// A certificate lasts at most this long.
pub const CERTIFICATE_DAYS_MAX: i64 = 398;
/// An agreement lasts at most this long.
pub const AGREEMENT_DAYS_MAX: i64 = 3 * 366;
/// Different people that one worker may ask about in a day, at most, whatever is agreed.
pub const PEOPLE_A_DAY_MAX: u32 = 500;
/// An ended certificate stays listed this long, so that its holder can still renew it.
pub const RENEWAL_DAYS_MAX: i64 = 30;

/// One fact that a change writes.
pub type Changed = (Aggregate, Id, Record);

/// The kinds of identifier that an organisation may have (`domain.md` 4.1).
const IDENTIFIERS: [&str; 7] = [
    "ods",
    "charity_no",
    "force_code",
    "gss",
    "sra",
    "iaa",
    "cafcass",
];

/// Collects what is wrong, so that the proposer learns all of it at once.
#[derive(Default)]
pub struct Wrong(Vec<FieldError>);

impl Wrong {
    pub fn add(&mut self, field: &'static str, message: &'static str) {
        self.0.push(FieldError { field, message });
    }

    pub fn unless(&mut self, holds: bool, field: &'static str, message: &'static str) {
        if !holds {
            self.add(field, message);
        }
    }

    fn text(&mut self, field: &'static str, text: &str) {
        let well = (1..=TEXT_CHARS_MAX).contains(&text.chars().count())
            && !text.trim().is_empty()
            && !text.chars().any(char::is_control);
        self.unless(
            well,
            field,
            "give a text of 1 to 100 characters without line breaks",
        );
    }

    pub fn finish(self) -> Result<(), Vec<FieldError>> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(self.0)
        }
    }
}

/// Whether any text of the change names those who enforce immigration law (F1).
pub fn names_immigration_enforcement(widening: &Widening) -> bool {
    let mut texts = Texts::default();
    match widening {
        Widening::Enrol(organisation) => texts.organisation(organisation),
        Widening::AddTeam { team, .. } => texts.team(team),
        Widening::Attest { team, .. } => texts.add(team.as_str()),
        Widening::AddAgreement { agreement, .. } => texts.agreement(agreement),
        Widening::AddCertificate { certificate, .. } => texts.certificate(certificate),
        Widening::OpenService(service) => texts.service(service),
        Widening::Resume { .. } | Widening::GoOnWithout { .. } | Widening::LiftTaint { .. } => {}
        Widening::Hold(_) | Widening::OpenSeal(_) => {}
        // Policies name them in order to forbid; what they may say the loader judges.
        Widening::Revise(_) => {}
    }
    texts.add(widening.organisation().as_str());
    texts.any_enforcement()
}

/// Gives agreements their ids: the proposer's own would not be random.
pub fn name_agreements(widening: &mut Widening, entropy: &Entropy) {
    match widening {
        Widening::Enrol(organisation) => {
            for (n, agreement) in organisation.agreements.iter_mut().enumerate() {
                agreement.id = entropy.id(&format!("agreement {n}"));
            }
        }
        Widening::AddAgreement { agreement, .. } => agreement.id = entropy.id("agreement 0"),
        Widening::AddTeam { .. }
        | Widening::Attest { .. }
        | Widening::AddCertificate { .. }
        | Widening::OpenService(_)
        | Widening::Resume { .. }
        | Widening::GoOnWithout { .. }
        | Widening::LiftTaint { .. }
        | Widening::Hold(_)
        | Widening::OpenSeal(_)
        | Widening::Revise(_) => {}
    }
}

/// Whether the change makes sense on the facts as they are.
pub fn check(widening: &Widening, known: &Known, now: When) -> Result<(), Vec<FieldError>> {
    let mut wrong = Wrong::default();
    let organisation = known.organisations.get(widening.organisation());
    match (widening, organisation) {
        (Widening::Enrol(new), before) => {
            wrong.unless(
                before.is_none(),
                "organisation.id",
                "this name is taken; choose another",
            );
            wrong.unless(
                new.kind != OrgKind::Operator,
                "organisation.kind",
                "the operator is named when the gateway is set up",
            );
            wrong.unless(
                new.certificates.iter().all(|one| one.user.is_none()),
                "organisation.certificates",
                "propose a person's certificate by itself, with its second factor",
            );
            check_organisation(&mut wrong, new, now);
        }
        (Widening::GoOnWithout { organisation }, _) => wrong.unless(
            known.waits_for(organisation),
            "organisation",
            "no withdrawals of this organisation are waited for",
        ),
        (_, None) => wrong.add("organisation", "no such organisation is enrolled"),
        (Widening::AddTeam { team, .. }, Some(organisation)) => {
            wrong.unless(
                organisation.team(&team.id).is_none(),
                "team.id",
                "this organisation has a team of that name",
            );
            wrong.unless(
                organisation.teams.len() < TEAMS_MAX,
                "team",
                "an organisation has at most 64 teams",
            );
            check_team(&mut wrong, team, now);
        }
        (Widening::Attest { team, .. }, Some(organisation)) => {
            known_team(&mut wrong, organisation, team);
        }
        (Widening::AddAgreement { agreement, .. }, Some(organisation)) => {
            wrong.unless(
                organisation.agreements.len() < AGREEMENTS_MAX,
                "agreement",
                "an organisation has at most 32 agreements",
            );
            check_agreement(&mut wrong, agreement, now);
        }
        (
            Widening::AddCertificate {
                certificate,
                totp_secret,
                ..
            },
            Some(organisation),
        ) => {
            new_key(&mut wrong, organisation, certificate);
            check_certificate(&mut wrong, organisation, certificate, now);
            check_user(
                &mut wrong,
                known,
                &organisation.id,
                certificate,
                totp_secret.as_ref(),
            );
        }
        // The proposer is enrolled; its files are judged in `revising`.
        (Widening::Revise(_), Some(_)) => {}
        (Widening::OpenService(service), Some(organisation)) => {
            check_service(&mut wrong, &known.directory, organisation, service);
        }
        (Widening::Resume { .. }, Some(organisation)) => wrong.unless(
            organisation.suspended_at.is_some(),
            "organisation",
            "this organisation is not suspended",
        ),
        (Widening::LiftTaint { .. }, Some(organisation)) => wrong.unless(
            organisation.taint != Taint::None,
            "organisation",
            "this organisation is not tainted as a whole; a team is attested by itself",
        ),
        (Widening::Hold(hold), Some(_)) => holding::check(&mut wrong, hold, known, now),
        (Widening::OpenSeal(_), Some(_)) => {} // Judged when it is opened: see `sealing`.
    }
    wrong.finish()
}

/// A whole organisation, as enrolled or founded.
pub fn check_organisation(wrong: &mut Wrong, new: &Organisation, now: When) {
    wrong.text("organisation.name", &new.name);
    wrong.unless(
        new.suspended_at.is_none(),
        "organisation.suspended_at",
        "leave this out",
    );
    wrong.unless(
        new.identifiers.len() <= ENTRIES_MAX && new.areas.len() <= ENTRIES_MAX,
        "organisation.identifiers",
        "at most 64 identifiers and 64 areas",
    );
    for (kind, value) in &new.identifiers {
        wrong.unless(
            IDENTIFIERS.contains(&kind.as_str()),
            "organisation.identifiers",
            "one of ods, charity_no, force_code, gss, sra, iaa, cafcass",
        );
        wrong.text("organisation.identifiers", value);
    }
    for area in &new.areas {
        wrong.text("organisation.areas", area);
    }
    if let Some(line) = &new.duty_line {
        wrong.text("organisation.duty_line", line);
    }
    let mut teams: Vec<&TeamId> = new.teams.iter().map(|team| &team.id).collect();
    teams.sort();
    teams.dedup();
    wrong.unless(
        !teams.is_empty() && teams.len() == new.teams.len() && teams.len() <= TEAMS_MAX,
        "organisation.teams",
        "name 1 to 64 teams, each once",
    );
    for team in &new.teams {
        check_team(wrong, team, now);
    }
    let mut keys: Vec<[u8; 32]> = new.certificates.iter().map(|one| one.spki_sha256).collect();
    keys.sort_unstable();
    keys.dedup();
    wrong.unless(
        keys.len() == new.certificates.len() && keys.len() <= CERTIFICATES_MAX,
        "organisation.certificates",
        "at most 256 certificates, each key once",
    );
    for certificate in &new.certificates {
        check_certificate(wrong, new, certificate, now);
    }
    wrong.unless(
        new.agreements.len() <= AGREEMENTS_MAX,
        "organisation.agreements",
        "an organisation has at most 32 agreements",
    );
    for agreement in &new.agreements {
        check_agreement(wrong, agreement, now);
    }
}

fn check_team(wrong: &mut Wrong, team: &Team, now: When) {
    wrong.text("team.name", &team.name);
    if let Some(said) = &team.attestation {
        wrong.text("team.attestation.by", &said.by);
        wrong.unless(
            said.at <= now && now < said.at.plus_days(ATTESTATION_DAYS),
            "team.attestation.at",
            "an attestation is of the last 90 days",
        );
    }
}

fn known_team(wrong: &mut Wrong, organisation: &Organisation, team: &TeamId) {
    wrong.unless(
        organisation.team(team).is_some(),
        "team",
        "this organisation has no such team",
    );
}

fn check_agreement(wrong: &mut Wrong, agreement: &Agreement, now: When) {
    wrong.text("agreement.reference", &agreement.reference);
    wrong.unless(
        agreement.from < agreement.to
            && now < agreement.to
            && agreement.to <= agreement.from.plus_days(AGREEMENT_DAYS_MAX),
        "agreement.to",
        "an agreement ends after it begins and after today, within three years",
    );
    wrong.unless(
        agreement.ended_at.is_none(),
        "agreement.ended_at",
        "leave this out",
    );
    wrong.unless(
        !agreement.classes.is_empty() && !agreement.classes.contains(&DataClass::Im),
        "agreement.classes",
        "name the classes of data; no agreement opens 'im'",
    );
    wrong.unless(
        !agreement.purposes.is_empty(),
        "agreement.purposes",
        "name the purposes",
    );
    wrong.unless(
        (1..=PEOPLE_A_DAY_MAX).contains(&agreement.people_a_day),
        "agreement.people_a_day",
        "1 to 500; 30 is usual",
    );
    if let Some(standing) = &agreement.standing {
        wrong.unless(
            standing.areas.len() <= ENTRIES_MAX,
            "agreement.standing.areas",
            "at most 64",
        );
        for area in &standing.areas {
            wrong.text("agreement.standing.areas", area);
        }
    }
}

fn new_key(wrong: &mut Wrong, organisation: &Organisation, certificate: &Certificate) {
    let listed = organisation
        .certificates
        .iter()
        .any(|one| one.spki_sha256 == certificate.spki_sha256);
    wrong.unless(
        !listed,
        "certificate.spki_sha256",
        "this key is listed already; make a new one",
    );
}

/// Everything but whether the key is new.
pub fn check_certificate(
    wrong: &mut Wrong,
    organisation: &Organisation,
    certificate: &Certificate,
    now: When,
) {
    known_team(wrong, organisation, &certificate.team);
    wrong.unless(
        now < certificate.not_after && certificate.not_after <= now.plus_days(CERTIFICATE_DAYS_MAX),
        "certificate.not_after",
        "a certificate ends within 398 days from now",
    );
    wrong.unless(
        certificate.revoked_at.is_none(),
        "certificate.revoked_at",
        "leave this out",
    );
    if let Some(user) = &certificate.user {
        wrong.unless(
            UserId::parse(user).is_ok(),
            "certificate.user",
            "2 to 32 of a-z, 0-9 and '-', as in the certificate",
        );
    }
    let mut roles = certificate.roles.clone();
    roles.sort_unstable();
    roles.dedup();
    wrong.unless(
        !roles.is_empty() && roles.len() == certificate.roles.len(),
        "certificate.roles",
        "name at least one role, each once",
    );
    let in_person = roles.iter().any(|role| role.needs_person_certificate());
    wrong.unless(
        certificate.user.is_some() || !in_person,
        "certificate.roles",
        "those who audit, guard and operate need a person's certificate",
    );
    let live = organisation
        .certificates
        .iter()
        .filter(|one| now < one.not_after);
    wrong.unless(
        live.count() <= CERTIFICATES_MAX,
        "certificate",
        "an organisation has at most 256 certificates; revoke or let end what is not used",
    );
}

/// A person needs a second factor; a system has none.
pub fn check_user(
    wrong: &mut Wrong,
    known: &Known,
    organisation: &OrgId,
    certificate: &Certificate,
    totp_secret: Option<&TotpSecret>,
) {
    let has_one = certificate.user.as_ref().is_some_and(|user| {
        known
            .users
            .get(&(organisation.clone(), user.clone()))
            .is_some_and(|user| !user.devices.list().is_empty())
    });
    match (&certificate.user, totp_secret) {
        (None, Some(_)) => wrong.add("totp_secret", "a system has no second factor"),
        (Some(_), None) if !has_one => {
            wrong.add(
                "totp_secret",
                "this user has no second factor yet; give one",
            );
        }
        (Some(_), None | Some(_)) | (None, None) => {}
    }
}

fn check_service(
    wrong: &mut Wrong,
    directory: &Directory,
    organisation: &Organisation,
    service: &Service,
) {
    let before = directory.service(&service.id);
    wrong.unless(
        before.is_none_or(|before| before.organisation == service.organisation),
        "service.id",
        "this name is taken; choose another",
    );
    wrong.unless(
        before.is_some() || directory.services.len() < SERVICES_MAX,
        "service",
        "the directory is full",
    );
    known_team(wrong, organisation, &service.team);
    wrong.text("service.public_name", &service.public_name);
    for text in service.area.iter().chain(&service.dos_service_id) {
        wrong.text("service.area", text);
    }
}

pub fn organisation_fact(organisation: Organisation) -> Changed {
    (
        Aggregate::Organisation(organisation.id.clone()),
        singleton("organisation"),
        Record::Organisation(organisation),
    )
}

pub fn user_fact(organisation: &OrgId, name: &str, user: User) -> Changed {
    (
        Aggregate::User(organisation.clone(), name.to_owned()),
        singleton("user"),
        Record::User(user),
    )
}

/// That it is enrolled, in one place for all: a restore must know whom to wait for. It is an item
/// of its own, so that no later change erases it in a copy.
pub fn member_fact(organisation: &OrgId) -> Changed {
    let item = singleton(&format!("member/{}", organisation.as_str()));
    (Aggregate::Roll, item, Record::Member(organisation.clone()))
}

fn restoration_fact(restoration: Restoration) -> Changed {
    (
        Aggregate::Settings,
        singleton("restoration"),
        Record::Restoration(restoration),
    )
}

pub fn directory_fact(directory: Directory) -> Changed {
    (
        Aggregate::Settings,
        singleton("directory"),
        Record::Directory(directory),
    )
}

/// The facts after a widening that [`check`] passed, proposed by the user `by`.
pub fn widened(widening: &Widening, known: &Known, now: When, by: &str) -> Vec<Changed> {
    if let Widening::Enrol(organisation) = widening {
        let member = member_fact(&organisation.id);
        let enrolled = Organisation {
            enrolled_at: now,
            ..organisation.clone()
        };
        return vec![organisation_fact(enrolled), member];
    }
    // Of an organisation that a copy has lost, too.
    if let Widening::GoOnWithout { organisation } = widening {
        let found = known.restoration.iter();
        let after = found.map(|found| restoration_fact(found.without(organisation, now)));
        return after.collect();
    }
    let Some(mut organisation) = known.organisations.get(widening.organisation()).cloned() else {
        return Vec::new();
    };
    match widening {
        // What a hold writes is not only facts: see `holding`.
        Widening::Enrol(_) | Widening::GoOnWithout { .. } => Vec::new(),
        Widening::Hold(_) | Widening::OpenSeal(_) => Vec::new(),
        // Which rulebook is in force is no organisation's: see `revising`.
        Widening::Revise(_) => Vec::new(),
        Widening::AddTeam { team, .. } => {
            organisation.teams.push(team.clone());
            vec![organisation_fact(organisation)]
        }
        Widening::Attest { team, taint, .. } => {
            attest(&mut organisation, team, *taint, now, by);
            vec![organisation_fact(organisation)]
        }
        Widening::AddAgreement { agreement, .. } => {
            organisation.agreements.push(agreement.clone());
            vec![organisation_fact(organisation)]
        }
        Widening::AddCertificate {
            certificate,
            totp_secret,
            ..
        } => with_certificate(organisation, known, certificate, totp_secret.as_ref(), now),
        Widening::OpenService(service) => {
            let mut directory = known.directory.clone();
            directory.open(service.clone());
            vec![directory_fact(directory)]
        }
        Widening::Resume { .. } => {
            organisation.suspended_at = None;
            vec![organisation_fact(organisation)]
        }
        Widening::LiftTaint { .. } => {
            organisation.taint = Taint::None;
            vec![organisation_fact(organisation)]
        }
    }
}

/// Lists a certificate in the place of any with the same key, and its user with her second factor.
pub fn with_certificate(
    mut organisation: Organisation,
    known: &Known,
    certificate: &Certificate,
    totp_secret: Option<&TotpSecret>,
    now: When,
) -> Vec<Changed> {
    organisation.certificates.retain(|one| {
        one.spki_sha256 != certificate.spki_sha256
            && now < one.not_after.plus_days(RENEWAL_DAYS_MAX)
    });
    organisation.certificates.push(certificate.clone());
    let id = organisation.id.clone();
    let mut facts = vec![organisation_fact(organisation)];
    if let Some(name) = &certificate.user {
        let mut user = known_user(known, &id, name, now);
        user.removed_at = None;
        if let Some(secret) = totp_secret {
            user.devices = Devices::enrolled(secret.clone(), now);
        }
        facts.push(user_fact(&id, name, user));
    }
    facts
}

pub fn known_user(known: &Known, organisation: &OrgId, name: &str, now: When) -> User {
    let key = (organisation.clone(), name.to_owned());
    known
        .users
        .get(&key)
        .cloned()
        .unwrap_or_else(|| User::new(now))
}

pub fn attest(organisation: &mut Organisation, team: &TeamId, taint: Taint, at: When, by: &str) {
    for one in &mut organisation.teams {
        if one.id == *team {
            one.attestation = Some(Attestation {
                taint,
                at,
                by: by.to_owned(),
            });
        }
    }
}
