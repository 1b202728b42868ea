//! For tests: a few organisations with people, and a store of one `Known` to which the writes of
//! a decision are applied, so that a journey can be followed over several decisions.

use zeroize::Zeroizing;

use crate::domain::answer::Answer;
use crate::domain::attempt::{Attempt, Entropy, RequestDigest, UserName};
use crate::domain::codes::{
    Action, Custody, DataClass, OrgKind, Purpose, Role, ServiceFamily, Taint,
};
use crate::domain::decision::{Aggregate, Decision, Fact, Facts, Write, seal_context};
use crate::domain::device::Devices;
use crate::domain::id::{Id, OrgId, ServiceId, TeamId, UserId};
use crate::domain::known::Known;
use crate::domain::organisation::{
    Agreement, Attestation, Certificate, Organisation, Service, Team, TotpSecret, User,
};
use crate::domain::peer::{Peer, SpiffeName};
use crate::domain::refusal::Refusal;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled};
use crate::domain::seal::{ItemKey, Keys, Slot};
use crate::domain::time::When;

/// 2026-04-02T20:10:00Z.
pub fn start() -> When {
    When::from_millis(1_775_160_600_000)
}

pub fn org(name: &str) -> OrgId {
    OrgId::parse(name).unwrap()
}

pub fn team(name: &str) -> TeamId {
    TeamId::parse(name).unwrap()
}

/// A key for each person of each organisation.
pub fn spki(organisation: &str, user: &str) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    Sha256::digest(format!("{organisation}/{user}")).into()
}

pub fn organisation(name: &str, kind: OrgKind, people: &[(&str, Role)]) -> Organisation {
    Organisation {
        id: org(name),
        name: name.to_owned(),
        kind,
        enrolled_at: start(),
        suspended_at: None,
        suspensions: 0,
        identifiers: Vec::new(),
        areas: Vec::new(),
        teams: vec![Team {
            id: team("main"),
            name: "Main team".to_owned(),
            attestation: Some(Attestation {
                taint: Taint::None,
                at: start(),
                by: "ig".to_owned(),
            }),
        }],
        certificates: people
            .iter()
            .map(|(user, role)| certificate(name, user, *role))
            .collect(),
        agreements: vec![agreement("DSA 7")],
        custody: Custody::Gateway,
        hpke_public_key: None,
        duty_line: None,
        taint: Taint::None,
    }
}

pub fn certificate(organisation: &str, user: &str, role: Role) -> Certificate {
    Certificate {
        spki_sha256: spki(organisation, user),
        team: team("main"),
        user: Some(user.to_owned()),
        roles: vec![role],
        not_after: start().plus_days(300),
        revoked_at: None,
    }
}

pub fn agreement(reference: &str) -> Agreement {
    Agreement {
        id: Id::ZERO,
        reference: reference.to_owned(),
        classes: vec![DataClass::Op],
        purposes: vec![Purpose::Support],
        from: start(),
        to: start().plus_days(365),
        ended_at: None,
        people_a_day: 30,
        standing: None,
    }
}

pub fn service(name: &str, organisation: &str) -> Service {
    Service {
        id: ServiceId::parse(name).unwrap(),
        organisation: org(organisation),
        team: team("main"),
        public_name: "Advice by telephone".to_owned(),
        family: ServiceFamily::Community,
        area: None,
        takes_referrals: true,
        dos_service_id: None,
        meets: None,
    }
}

pub const SECRET: [u8; 20] = *b"12345678901234567890";

pub fn user() -> User {
    User {
        devices: Devices::enrolled(TotpSecret::new(SECRET), start()),
        ..User::new(start())
    }
}

/// What the store would hold.
pub struct Scene {
    pub rules: &'static Rules,
    pub known: Known,
    turns: u8,
}

/// Who acts: organisation, user, role.
pub type Person<'a> = (&'a str, &'a str, Role);

const ITEM_KEY: [u8; 32] = [9; 32];

impl Scene {
    /// Operator, charity, hospital, police, council and reviewer, each with its people.
    pub fn borough() -> Self {
        let admin = |name| (name, Role::OrgAdmin);
        let ig = |name| (name, Role::IgOfficer);
        let all = [
            organisation(
                "operator",
                OrgKind::Operator,
                &[("op1", Role::OperatorAdmin)],
            ),
            organisation("haven", OrgKind::ByAndFor, &[admin("ha1"), ig("hi1")]),
            organisation("hospital", OrgKind::NhsTrust, &[admin("na1"), ig("ni1")]),
            organisation("police", OrgKind::Police, &[admin("pa1"), ig("pi1")]),
            organisation("council", OrgKind::LocalAuthority, &[ig("ci1")]),
            organisation("reviewer", OrgKind::Reviewer, &[("rv1", Role::Reviewer)]),
        ];
        let mut known = Known::default();
        for organisation in all {
            known.roll.push(organisation.id.clone());
            for certificate in &organisation.certificates {
                let name = certificate.user.clone().unwrap();
                known.users.insert((organisation.id.clone(), name), user());
            }
            known
                .organisations
                .insert(organisation.id.clone(), organisation);
        }
        known
            .directory
            .services
            .push(service("haven-line", "haven"));
        Self {
            rules: Rules::for_tests(),
            known,
            turns: 0,
        }
    }

    pub fn attempt(&mut self, person: Person<'_>, action: Action, at: When) -> Attempt {
        let (organisation, user, role) = person;
        self.turns += 1;
        let name = SpiffeName {
            organisation: org(organisation),
            team: team("main"),
            user: Some(UserId::parse(user).unwrap()),
        };
        let audits = matches!(
            action,
            Action::ReadAudit
                | Action::ReadAuditSubject
                | Action::ReportSubject
                | Action::ReadAuditQueue
                | Action::DecideAuditItem
                | Action::FlagPerson
                | Action::OpenSeal
        );
        Attempt {
            peer: Peer::for_tests(name, spki(organisation, user)),
            user: UserName::parse(user).unwrap(),
            role,
            asserted: false,
            second_factor: true,
            action,
            purpose: if audits {
                Purpose::Audit
            } else {
                Purpose::Administration
            },
            when: at,
            entropy: Entropy::new([self.turns; 32]),
            request: RequestDigest([0; 32]),
            idempotency: None,
            check_only: false,
        }
    }

    /// Decides, and applies the writes as the store would.
    pub fn run(
        &mut self,
        attempt: &Attempt,
        decide: impl Fn(&Rules, &Attempt, &Known, Keys) -> Result<Decision<Ruled>, BadRuling>,
    ) -> Decision<Ruled> {
        let decision = decide(self.rules, attempt, &self.known, keys()).unwrap();
        self.known.add(facts(&decision)).unwrap();
        decision
    }
}

pub fn keys() -> Keys {
    let keys = (0..96).map(|slot| ItemKey::new(Slot(slot), ITEM_KEY));
    Keys::new(keys.collect(), Entropy::new([8; 32]))
}

/// The facts that a decision writes, opened.
pub fn facts(decision: &Decision<Ruled>) -> Facts {
    let opened = decision.writes.iter().filter_map(|write| match write {
        Write::Fact { of, item, sealed } => {
            let key = ItemKey::new(sealed.sealed().slot(), ITEM_KEY);
            let bytes = sealed.sealed().open(&key, &seal_context(of, *item, None));
            Some(Fact {
                of: of.clone(),
                item: *item,
                bytes: Zeroizing::new(bytes.unwrap().to_vec()),
            })
        }
        _ => None,
    });
    Facts {
        read: Vec::new(),
        facts: opened.collect(),
        parts: Vec::new(),
    }
}

/// The aggregates that a decision writes, beside what the watch remembers of the caller.
pub fn written(decision: &Decision<Ruled>) -> Vec<Aggregate> {
    let who = &decision.value.opening.who;
    let caller = Aggregate::User(who.organisation.clone(), who.user.clone());
    let written = facts(decision).facts.into_iter().map(|fact| fact.of);
    written.filter(|of| *of != caller).collect()
}

pub fn refusal(decision: &Decision<Ruled>) -> Option<&Refusal> {
    match &decision.value.answer {
        Answer::Refused(refusal) => Some(refusal),
        _ => None,
    }
}

/// The code of the refusal, or the word that was told.
pub fn told(decision: &Decision<Ruled>) -> &'static str {
    decision.value.answer.told()
}
