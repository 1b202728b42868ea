//! The laws of governance.

use std::collections::BTreeSet;

use super::founding::{Founding, NotFounded, found};
use super::*;
use crate::domain::attempt::Entropy;
use crate::domain::codes::{OrgKind, Taint};
use crate::domain::device::Devices;
use crate::domain::governance::Approvers;
use crate::domain::id::{ServiceId, UserId};
use crate::domain::journey::scene::{SECRET, refusal};
use crate::domain::journey::scene::{
    Scene, agreement, certificate, facts, keys, org, organisation, service, spki, start, team,
    told, user, written,
};
use crate::domain::leaf::LeafClass;
use crate::domain::organisation::{Certificate, Directory, Organisation, Team, TotpSecret};
use crate::domain::rulebook::{Adopted, Page, Revision, Rulebook, built_in_hash, built_in_pages};
use crate::domain::rules::StandsIn;
use crate::domain::time::When;

type Person<'a> = (&'a str, &'a str, Role);

const OPERATOR: Person<'_> = ("operator", "op1", Role::OperatorAdmin);
const HAVEN: Person<'_> = ("haven", "ha1", Role::OrgAdmin);
const HAVEN_IG: Person<'_> = ("haven", "hi1", Role::IgOfficer);
const HOSPITAL: Person<'_> = ("hospital", "na1", Role::OrgAdmin);
const POLICE: Person<'_> = ("police", "pa1", Role::OrgAdmin);

fn newcomer() -> Organisation {
    Organisation {
        enrolled_at: When::from_millis(0),
        ..organisation("advice", OrgKind::VoluntaryGeneric, &[])
    }
}

fn enrol() -> Widening {
    Widening::Enrol(newcomer())
}

fn proposed(scene: &mut Scene, by: Person<'_>, widening: &Widening) -> Decision<Ruled> {
    let attempt = scene.attempt(by, Action::Propose, start());
    scene.run(&attempt, |rules, attempt, known, keys| {
        propose(rules, attempt, known, keys, widening)
    })
}

/// The inner id of the only proposal there is.
fn only(scene: &Scene) -> Id {
    assert_eq!(scene.known.proposals.len(), 1);
    scene.known.proposals.keys().next().unwrap().id()
}

fn approved(scene: &mut Scene, by: Person<'_>, id: Id, at: When) -> Decision<Ruled> {
    let attempt = scene.attempt(by, Action::Approve, at);
    let alias = scene
        .rules
        .aliases_of(&org(by.0))
        .outward(AliasKind::Proposal, id);
    scene.run(&attempt, |rules, attempt, known, keys| {
        approve(rules, attempt, known, keys, alias)
    })
}

fn narrowed(scene: &mut Scene, by: Person<'_>, narrowing: &Narrowing) -> Decision<Ruled> {
    let attempt = scene.attempt(by, Action::Narrow, start());
    scene.run(&attempt, |rules, attempt, known, keys| {
        narrow(rules, attempt, known, keys, narrowing)
    })
}

fn issued(scene: &mut Scene, by: Person<'_>, own: &OwnCertificate) -> Decision<Ruled> {
    let attempt = scene.attempt(by, Action::Propose, start());
    scene.run(&attempt, |rules, attempt, known, keys| {
        issue_own(rules, attempt, known, keys, own)
    })
}

#[test]
fn what_is_not_approved_changes_nothing() {
    let mut scene = Scene::borough();
    let decision = proposed(&mut scene, OPERATOR, &enrol());
    assert_eq!(told(&decision), "proposed");
    let id = ProposalId(only(&scene));
    assert_eq!(written(&decision), [Aggregate::Proposal(id)]);
    assert!(!scene.known.organisations.contains_key(&org("advice")));
}

#[test]
fn a_person_of_another_organisation_approves_and_it_takes_effect() {
    let mut scene = Scene::borough();
    proposed(&mut scene, OPERATOR, &enrol());
    let id = only(&scene);
    let at = start().plus_days(29);
    assert_eq!(told(&approved(&mut scene, HOSPITAL, id, at)), "approved");
    let advice = &scene.known.organisations[&org("advice")];
    assert_eq!(advice.enrolled_at, at);
    assert_ne!(advice.agreements[0].id, Id::ZERO);
    let approval = scene.known.proposals[&ProposalId(id)].approved.clone();
    assert_eq!(approval.unwrap().organisation, org("hospital"));
}

#[test]
fn neither_the_proposers_organisation_nor_the_one_concerned_approves() {
    let mut scene = Scene::borough();
    let widening = Widening::AddAgreement {
        organisation: org("haven"),
        agreement: agreement("DSA 8"),
    };
    proposed(&mut scene, OPERATOR, &widening);
    let id = only(&scene);
    for person in [OPERATOR, HAVEN, HAVEN_IG] {
        let decision = approved(&mut scene, person, id, start());
        assert_eq!(
            refusal(&decision),
            Some(&Refusal::SecondOrganisationNeeded),
            "{person:?}"
        );
        assert!(written(&decision).is_empty());
    }
    assert_eq!(scene.known.organisations[&org("haven")].agreements.len(), 1);
    assert_eq!(
        told(&approved(&mut scene, HOSPITAL, id, start())),
        "approved"
    );
    assert_eq!(scene.known.organisations[&org("haven")].agreements.len(), 2);
}

#[test]
fn approval_takes_a_second_factor() {
    let mut scene = Scene::borough();
    proposed(&mut scene, OPERATOR, &enrol());
    let alias = scene
        .rules
        .aliases_of(&org("hospital"))
        .outward(AliasKind::Proposal, only(&scene));
    let mut attempt = scene.attempt(HOSPITAL, Action::Approve, start());
    attempt.second_factor = false;
    let decision = scene.run(&attempt, |rules, attempt, known, keys| {
        approve(rules, attempt, known, keys, alias)
    });
    assert_eq!(told(&decision), "second-factor-needed");
}

#[test]
fn a_proposal_is_approved_once_and_in_time() {
    let mut scene = Scene::borough();
    proposed(&mut scene, OPERATOR, &enrol());
    let id = only(&scene);
    let late = start().plus_days(PROPOSAL_DAYS_MAX);
    assert_eq!(
        told(&approved(&mut scene, HOSPITAL, id, late)),
        "check-your-answers"
    );
    approved(&mut scene, HOSPITAL, id, start());
    assert_eq!(
        told(&approved(&mut scene, HAVEN, id, start())),
        "already-answered"
    );
}

#[test]
fn another_organisations_name_of_a_proposal_opens_nothing() {
    let mut scene = Scene::borough();
    proposed(&mut scene, OPERATOR, &enrol());
    let operators = scene
        .rules
        .aliases_of(&org("operator"))
        .outward(AliasKind::Proposal, only(&scene));
    let attempt = scene.attempt(HOSPITAL, Action::Approve, start());
    let decision = scene.run(&attempt, |rules, attempt, known, keys| {
        approve(rules, attempt, known, keys, operators)
    });
    assert_eq!(told(&decision), "route-absent");
}

#[test]
fn immigration_enforcement_cannot_be_proposed_in_any_field() {
    let name = "Home Office";
    let slug = "home-office";
    let mut changes: Vec<Widening> = Vec::new();
    let edits: [fn(&mut Organisation); 9] = [
        |new| new.id = org("home-office"),
        |new| new.name = "UK Visas and Immigration".to_owned(),
        |new| new.identifiers = vec![("ods".to_owned(), "UKVI".to_owned())],
        |new| new.areas = vec!["Border Force".to_owned()],
        |new| new.duty_line = Some("Immigration Enforcement 0300".to_owned()),
        |new| new.teams[0].id = team("border-force"),
        |new| new.teams[0].name = "Нome Оffice liaison".to_owned(),
        |new| new.teams[0].attestation.as_mut().unwrap().by = "homeoffice".to_owned(),
        |new| new.agreements[0].reference = "Home Office DSA".to_owned(),
    ];
    for edit in edits {
        let mut new = newcomer();
        edit(&mut new);
        changes.push(Widening::Enrol(new));
    }
    let new_team = |id: &str, name: &str| Widening::AddTeam {
        organisation: org("haven"),
        team: Team {
            id: team(id),
            name: name.to_owned(),
            attestation: None,
        },
    };
    changes.push(new_team(slug, "Liaison"));
    changes.push(new_team("liaison", name));
    changes.push(Widening::AddCertificate {
        organisation: org("haven"),
        certificate: certificate("haven", slug, Role::Adviser),
        totp_secret: Some(TotpSecret::new(SECRET)),
    });
    let edits: [fn(&mut crate::domain::organisation::Service); 4] = [
        |new| {
            new.id = ServiceId::parse("ukvi").unwrap();
        },
        |new| new.public_name = "Home Office".to_owned(),
        |new| new.area = Some("Border Force".to_owned()),
        |new| new.dos_service_id = Some("UKVI".to_owned()),
    ];
    for edit in edits {
        let mut new = service("line", "haven");
        edit(&mut new);
        changes.push(Widening::OpenService(new));
    }
    for (n, widening) in changes.iter().enumerate() {
        let mut scene = Scene::borough();
        let decision = proposed(&mut scene, OPERATOR, widening);
        assert_eq!(told(&decision), "not-enrollable", "change {n}");
        assert!(written(&decision).is_empty(), "change {n}");
    }
}

#[test]
fn a_change_that_makes_no_sense_is_refused_field_by_field() {
    let fields = |widening: Widening| {
        let decision = proposed(&mut Scene::borough(), OPERATOR, &widening);
        match refusal(&decision) {
            Some(Refusal::CheckYourAnswers(fields)) => {
                fields.iter().map(|field| field.field).collect::<Vec<_>>()
            }
            _ => vec![told(&decision)],
        }
    };
    let enrol = |edit: fn(&mut Organisation)| {
        let mut new = newcomer();
        edit(&mut new);
        Widening::Enrol(new)
    };
    let cert = |user: &str, role| Widening::AddCertificate {
        organisation: org("haven"),
        certificate: certificate("haven", user, role),
        totp_secret: None,
    };
    let table: Vec<String> = [
        ("taken id", enrol(|new| new.id = org("haven"))),
        ("second operator", enrol(|new| new.kind = OrgKind::Operator)),
        ("no team", enrol(|new| new.teams.clear())),
        (
            "team twice",
            enrol(|new| new.teams.push(new.teams[0].clone())),
        ),
        (
            "im agreed",
            enrol(|new| new.agreements[0].classes = vec![crate::domain::codes::DataClass::Im]),
        ),
        ("already over", enrol(|new| new.agreements[0].to = start())),
        (
            "a person",
            enrol(|new| new.certificates = vec![certificate("advice", "a1", Role::Adviser)]),
        ),
        (
            "unknown organisation",
            Widening::Resume {
                organisation: org("nobody"),
            },
        ),
        (
            "not suspended",
            Widening::Resume {
                organisation: org("haven"),
            },
        ),
        (
            "unknown team",
            Widening::Attest {
                organisation: org("haven"),
                team: team("x1"),
                taint: Taint::None,
            },
        ),
        ("key listed", cert("ha1", Role::OrgAdmin)),
        ("no second factor", cert("new1", Role::Adviser)),
        (
            "others' service",
            Widening::OpenService(service("haven-line", "hospital")),
        ),
    ]
    .into_iter()
    .map(|(what, widening)| format!("{what}: {}", fields(widening).join(" ")))
    .collect();
    insta::assert_snapshot!(table.join("\n"), @r#"
    taken id: organisation.id
    second operator: organisation.kind
    no team: organisation.teams
    team twice: organisation.teams
    im agreed: agreement.classes
    already over: agreement.to
    a person: organisation.certificates
    unknown organisation: organisation
    not suspended: organisation
    unknown team: team
    key listed: certificate.spki_sha256
    no second factor: totp_secret
    others' service: service.id
    "#);
}

#[test]
fn a_taint_is_lifted_by_two_and_set_by_one() {
    let mut scene = Scene::borough();
    let set = Narrowing::TaintTeam {
        organisation: org("haven"),
        team: team("main"),
        taint: Taint::HostsHomeOffice,
    };
    assert_eq!(told(&narrowed(&mut scene, HAVEN_IG, &set)), "narrowed");
    let tainted =
        |scene: &Scene| scene.known.organisations[&org("haven")].tainted(&team("main"), start());
    assert!(tainted(&scene));
    let lift = Narrowing::TaintTeam {
        organisation: org("haven"),
        team: team("main"),
        taint: Taint::None,
    };
    assert_eq!(
        told(&narrowed(&mut scene, HAVEN_IG, &lift)),
        "check-your-answers"
    );
    let attest = Widening::Attest {
        organisation: org("haven"),
        team: team("main"),
        taint: Taint::None,
    };
    proposed(&mut scene, HAVEN_IG, &attest);
    assert!(tainted(&scene));
    let id = only(&scene);
    approved(&mut scene, HOSPITAL, id, start());
    assert!(!tainted(&scene));
}

#[test]
fn the_taint_of_a_whole_organisation_is_set_by_one_and_lifted_by_two() {
    let mut scene = Scene::borough();
    let haven = || org("haven");
    let tainted =
        |scene: &Scene| scene.known.organisations[&haven()].tainted(&team("main"), start());
    let lift = Widening::LiftTaint {
        organisation: haven(),
    };
    let decision = proposed(&mut scene, HAVEN_IG, &lift);
    assert_eq!(
        told(&decision),
        "check-your-answers",
        "there is nothing to lift"
    );
    let set = |taint| Narrowing::TaintOrganisation {
        organisation: haven(),
        taint,
    };
    let decision = narrowed(&mut scene, HAVEN_IG, &set(Taint::None));
    assert_eq!(told(&decision), "check-your-answers");
    assert!(!tainted(&scene));
    let decision = narrowed(&mut scene, HAVEN_IG, &set(Taint::HostsHomeOffice));
    assert_eq!(told(&decision), "narrowed");
    assert!(tainted(&scene));
    // What a team attests does not help it while its organisation is tainted.
    assert!(!scene.known.organisations[&haven()].teams.is_empty());
    proposed(&mut scene, HAVEN_IG, &lift);
    assert!(tainted(&scene));
    let id = only(&scene);
    approved(&mut scene, HOSPITAL, id, start());
    assert!(!tainted(&scene));
}

#[test]
fn nobody_narrows_another_organisation_but_the_operator() {
    let suspend = Narrowing::SuspendOrganisation {
        organisation: org("haven"),
    };
    for person in [POLICE, HOSPITAL, ("police", "pi1", Role::IgOfficer)] {
        let mut scene = Scene::borough();
        let decision = narrowed(&mut scene, person, &suspend);
        assert_eq!(told(&decision), "role-not-allowed", "{person:?}");
        assert!(written(&decision).is_empty());
    }
    for person in [HAVEN, HAVEN_IG, OPERATOR] {
        let mut scene = Scene::borough();
        let decision = narrowed(&mut scene, person, &suspend);
        assert_eq!(told(&decision), "narrowed", "{person:?}");
        assert!(decision.urgent);
        let haven = &scene.known.organisations[&org("haven")];
        assert!(!haven.active(start()));
    }
}

#[test]
fn a_suspension_counts_once_and_stays_counted_when_it_is_lifted() {
    let mut scene = Scene::borough();
    let own = org("haven");
    let suspend = Narrowing::SuspendOrganisation {
        organisation: own.clone(),
    };
    let count = |scene: &Scene| scene.known.organisations[&own].suspensions;
    for expected in [1, 2] {
        assert_eq!(told(&narrowed(&mut scene, OPERATOR, &suspend)), "narrowed");
        assert_eq!(told(&narrowed(&mut scene, OPERATOR, &suspend)), "narrowed");
        assert_eq!(count(&scene), expected);
        let resume = Widening::Resume {
            organisation: own.clone(),
        };
        let facts = changes::widened(&resume, &scene.known, start(), "o1");
        let Some((_, _, Record::Organisation(resumed))) = facts.into_iter().next() else {
            panic!("not the organisation");
        };
        assert!(resumed.active(start()));
        scene.known.organisations.insert(own.clone(), resumed);
        assert_eq!(count(&scene), expected);
    }
}

#[test]
fn each_narrowing_takes_effect_at_once() {
    let mut scene = Scene::borough();
    let own = org("haven");
    let agreement = scene.known.organisations[&own].agreements[0].id;
    for narrowing in [
        Narrowing::EndAgreement {
            organisation: own.clone(),
            agreement,
        },
        Narrowing::CloseService {
            organisation: own.clone(),
            service: ServiceId::parse("haven-line").unwrap(),
        },
        Narrowing::RemoveUser {
            organisation: own.clone(),
            user: "hi1".to_owned(),
        },
        Narrowing::RevokeCertificate {
            organisation: own.clone(),
            spki_sha256: spki("haven", "ha1"),
        },
    ] {
        let decision = narrowed(&mut scene, HAVEN, &narrowing);
        assert_eq!(told(&decision), "narrowed", "{}", narrowing.code());
    }
    let haven = &scene.known.organisations[&own];
    assert!(haven.agreement(start()).is_none());
    assert!(!scene.known.directory.services[0].takes_referrals);
    for name in ["ha1", "hi1"] {
        assert!(haven.certificate(&spki("haven", name), start()).is_none());
    }
    assert!(
        scene.known.users[&(own.clone(), "hi1".to_owned())]
            .removed_at
            .is_some()
    );
    // The certificate that was revoked is not accepted for the next attempt.
    let suspend = Narrowing::SuspendOrganisation { organisation: own };
    let decision = narrowed(&mut scene, HAVEN, &suspend);
    assert_eq!(told(&decision), "certificate-not-accepted");
}

#[test]
fn what_is_not_there_is_not_narrowed() {
    let mut scene = Scene::borough();
    let own = org("haven");
    for narrowing in [
        Narrowing::CloseService {
            organisation: org("haven"),
            service: ServiceId::parse("none").unwrap(),
        },
        Narrowing::RevokeCertificate {
            organisation: own.clone(),
            spki_sha256: spki("hospital", "na1"),
        },
    ] {
        let decision = narrowed(&mut scene, HAVEN, &narrowing);
        assert_eq!(told(&decision), "check-your-answers");
        assert!(written(&decision).is_empty());
    }
}

fn own(user: &str, role: Role, with_secret: bool) -> OwnCertificate {
    let mut certificate = certificate("haven", user, role);
    certificate.spki_sha256 = [0xEE; 32];
    OwnCertificate {
        certificate,
        totp_secret: with_secret.then(|| TotpSecret::new(*b"abcdefghijklmnopqrst")),
    }
}

#[test]
fn an_administrator_issues_for_her_own_teams_alone() {
    let with_adviser = || {
        let mut scene = Scene::borough();
        let haven = scene.known.organisations.get_mut(&org("haven")).unwrap();
        haven
            .certificates
            .push(certificate("haven", "ad1", Role::Adviser));
        scene
            .known
            .users
            .insert((org("haven"), "ad1".to_owned()), user());
        scene
    };
    let mut scene = with_adviser();
    let new = own("ad2", Role::Adviser, true);
    assert_eq!(told(&issued(&mut scene, HAVEN, &new)), "issued");
    let haven = &scene.known.organisations[&org("haven")];
    assert!(haven.certificate(&[0xEE; 32], start()).is_some());
    assert!(
        scene
            .known
            .users
            .contains_key(&(org("haven"), "ad2".to_owned()))
    );

    let table: Vec<String> = [
        (
            "renews an IG officer",
            HAVEN,
            own("hi1", Role::IgOfficer, false),
        ),
        (
            "makes an IG officer",
            HAVEN,
            own("ad1", Role::IgOfficer, false),
        ),
        (
            "makes another administrator",
            HAVEN,
            own("ad2", Role::OrgAdmin, true),
        ),
        (
            "takes an IG officer's second factor",
            HAVEN,
            own("hi1", Role::IgOfficer, true),
        ),
        (
            "takes a role that is new here",
            HAVEN,
            own("ad2", Role::Clinician, true),
        ),
        (
            "is an IG officer",
            HAVEN_IG,
            own("ad2", Role::Adviser, true),
        ),
        (
            "lists an enforcement name",
            HAVEN,
            own("home-office", Role::Adviser, true),
        ),
        (
            "forgets the second factor",
            HAVEN,
            own("ad2", Role::Adviser, false),
        ),
    ]
    .into_iter()
    .map(|(what, by, own)| format!("{what}: {}", told(&issued(&mut with_adviser(), by, &own))))
    .collect();
    insta::assert_snapshot!(table.join("\n"), @r#"
    renews an IG officer: issued
    makes an IG officer: check-your-answers
    makes another administrator: check-your-answers
    takes an IG officer's second factor: check-your-answers
    takes a role that is new here: check-your-answers
    is an IG officer: role-not-allowed
    lists an enforcement name: not-enrollable
    forgets the second factor: check-your-answers
    "#);
}

#[test]
fn a_renewal_follows_the_last_certificate_of_that_person_in_its_roles() {
    let renewal = |user: &str, days| Renewal {
        team: certificate("haven", user, Role::IgOfficer).team,
        user: UserId::parse(user).unwrap(),
        spki_sha256: [0xEE; 32],
        not_after: start().plus_days(days),
    };
    let renewed = |scene: &mut Scene, by: Person<'_>, renewal: &Renewal| {
        let attempt = scene.attempt(by, Action::Propose, start());
        let decision = scene.run(&attempt, |rules, attempt, known, keys| {
            renew_own(rules, attempt, known, keys, renewal)
        });
        told(&decision).to_owned()
    };
    let mut scene = Scene::borough();
    assert_eq!(renewed(&mut scene, HAVEN, &renewal("hi1", 365)), "issued");
    let haven = &scene.known.organisations[&org("haven")];
    let new = haven.certificate(&[0xEE; 32], start()).unwrap();
    assert_eq!(
        (new.user.as_deref(), &new.roles[..]),
        (Some("hi1"), &[Role::IgOfficer][..])
    );
    assert!(haven.certificate(&spki("haven", "hi1"), start()).is_some());

    let changed = |days: i64, revoked: bool| {
        let mut scene = Scene::borough();
        let haven = scene.known.organisations.get_mut(&org("haven")).unwrap();
        let hers = |one: &&mut Certificate| one.user.as_deref() == Some("hi1");
        let one = haven.certificates.iter_mut().find(hers).unwrap();
        one.not_after = start().plus_days(days);
        one.revoked_at = revoked.then(start);
        scene
    };
    let table = [
        renewed(&mut changed(-29, false), HAVEN, &renewal("hi1", 365)),
        renewed(&mut changed(-31, false), HAVEN, &renewal("hi1", 365)),
        renewed(&mut changed(9, true), HAVEN, &renewal("hi1", 365)),
        renewed(&mut Scene::borough(), HAVEN, &renewal("nobody", 365)),
        renewed(&mut Scene::borough(), HAVEN, &renewal("hi1", 399)),
        // She does not administer, and another organisation has nobody of that name.
        renewed(&mut Scene::borough(), HAVEN_IG, &renewal("hi1", 365)),
        renewed(&mut Scene::borough(), OPERATOR, &renewal("hi1", 365)),
    ];
    insta::assert_snapshot!(table.join("\n"), @r"
    issued
    check-your-answers
    check-your-answers
    check-your-answers
    check-your-answers
    role-not-allowed
    check-your-answers
    ");
}

#[test]
fn a_revoked_key_is_not_listed_again() {
    let mut scene = Scene::borough();
    let haven = scene.known.organisations.get_mut(&org("haven")).unwrap();
    haven.certificates[1].revoked_at = Some(start());
    let again = OwnCertificate {
        certificate: certificate("haven", "hi1", Role::IgOfficer),
        totp_secret: None,
    };
    assert_eq!(
        told(&issued(&mut scene, HAVEN, &again)),
        "check-your-answers"
    );
}

fn listed(scene: &mut Scene, by: Person<'_>) -> Vec<Proposal> {
    let entries: Vec<Listed> = scene
        .known
        .proposals
        .keys()
        .map(|id| Listed {
            at: 0,
            index: 0,
            item: id.id(),
        })
        .collect();
    let attempt = scene.attempt(by, Action::ReadProposals, start());
    let decision = scene.run(&attempt, |rules, attempt, known, keys| {
        proposals(rules, attempt, known, keys, &entries)
    });
    match decision.value.answer {
        Answer::Proposals(proposals) => proposals,
        _ => panic!("{}", told(&decision)),
    }
}

#[test]
fn police_learn_of_no_proposal_but_those_about_them() {
    let mut scene = Scene::borough();
    proposed(&mut scene, OPERATOR, &enrol());
    let id = only(&scene);
    assert!(listed(&mut scene, POLICE).is_empty());
    assert_eq!(
        told(&approved(&mut scene, POLICE, id, start())),
        "route-absent"
    );
    let theirs = Widening::AddAgreement {
        organisation: org("police"),
        agreement: agreement("DSA 9"),
    };
    proposed(&mut scene, OPERATOR, &theirs);
    assert_eq!(listed(&mut scene, POLICE).len(), 1);
    assert_eq!(listed(&mut scene, HAVEN).len(), 2);
}

#[test]
fn a_second_factor_secret_is_shown_to_nobody() {
    let mut scene = Scene::borough();
    let widening = Widening::AddCertificate {
        organisation: org("haven"),
        certificate: certificate("haven", "ad1", Role::Adviser),
        totp_secret: Some(TotpSecret::new(SECRET)),
    };
    proposed(&mut scene, OPERATOR, &widening);
    for person in [OPERATOR, HOSPITAL, HAVEN] {
        let [shown] = listed(&mut scene, person).try_into().unwrap();
        assert_eq!(shown.widening, widening.without_secret());
    }
    assert!(!format!("{widening:?}").contains("12345"));
    let id = only(&scene);
    approved(&mut scene, HOSPITAL, id, start());
    let kept = &scene.known.proposals[&ProposalId(id)].widening;
    assert_eq!(*kept, widening.without_secret());
    let new = &scene.known.users[&(org("haven"), "ad1".to_owned())];
    let enrolled = Devices::enrolled(TotpSecret::new(SECRET), start());
    assert_eq!(new.devices, enrolled);
}

#[test]
fn two_organisations_know_a_proposal_by_different_names() {
    let mut scene = Scene::borough();
    proposed(&mut scene, OPERATOR, &enrol());
    let hospital = listed(&mut scene, HOSPITAL)[0].id;
    let haven = listed(&mut scene, HAVEN)[0].id;
    assert_ne!(hospital, haven);
    assert_ne!(hospital.id(), only(&scene));
}

fn founding() -> Founding {
    let scene = Scene::borough();
    let wanted = ["operator", "haven", "reviewer"];
    let organisations: Vec<Organisation> = wanted
        .iter()
        .map(|name| scene.known.organisations[&org(name)].clone())
        .collect();
    let users = organisations
        .iter()
        .flat_map(|one| {
            one.certificates.iter().map(|certificate| {
                let name = certificate.user.clone().unwrap();
                (one.id.clone(), name, TotpSecret::new(SECRET))
            })
        })
        .collect();
    Founding {
        organisations,
        users,
        approvers: Approvers {
            first: vec![
                (org("operator"), "op1".to_owned()),
                (org("haven"), "ha1".to_owned()),
            ],
            reviewers: vec![org("reviewer")],
        },
        directory: Directory {
            services: vec![service("haven-line", "haven")],
        },
    }
}

fn begun(founding: &Founding) -> Result<Decision<Ruled>, NotFounded> {
    found(
        Rules::for_tests(),
        start(),
        &Entropy::new([4; 32]),
        keys(),
        founding,
    )
}

#[test]
fn the_first_facts_are_one_entry_of_the_gateway() {
    let decision = begun(&founding()).unwrap();
    assert_eq!(decision.leaf.class(), LeafClass::Gateway);
    assert!(decision.value.opening.opens(&decision.leaf));
    assert!(decision.read.iter().all(|(_, version)| version.0 == 0));
    let mut known = Known::default();
    known.add(facts(&decision)).unwrap();
    assert_eq!(known.organisations.len(), 3);
    assert_eq!(known.users.len(), 4);
    assert_eq!(known.approvers.first.len(), 2);
    // Each agreement has a name of its own by which it is ended.
    let agreements = known.organisations.values().flat_map(|one| &one.agreements);
    let named: BTreeSet<Id> = agreements.clone().map(|one| one.id).collect();
    assert_eq!((named.len(), named.contains(&Id::ZERO)), (3, false));
    assert_eq!(agreements.count(), 3);
    // From these alone the next organisation can be enrolled.
    let mut scene = Scene::borough();
    scene.known = known;
    proposed(&mut scene, OPERATOR, &enrol());
    let id = only(&scene);
    assert_eq!(told(&approved(&mut scene, HAVEN, id, start())), "approved");
}

#[test]
fn the_gateway_does_not_begin_with_less_than_two_organisations_or_with_an_enforcer() {
    let with = |edit: fn(&mut Founding)| {
        let mut founding = founding();
        edit(&mut founding);
        begun(&founding).err()
    };
    let edits: [fn(&mut Founding); 5] = [
        |it| it.approvers.first.truncate(1),
        |it| it.organisations.retain(|one| one.kind != OrgKind::Operator),
        |it| it.users.clear(),
        |it| it.approvers.reviewers = vec![org("haven")],
        |it| it.directory.services[0].team = team("x1"),
    ];
    for edit in edits {
        assert!(matches!(with(edit), Some(NotFounded::CheckYourAnswers(_))));
    }
    let named = with(|it| it.organisations[1].name = "Home Office".to_owned());
    assert!(matches!(named, Some(NotFounded::NotEnrollable)));
}

/// The built-in rulebook with one more line in its list of words.
fn another_book() -> Vec<Page> {
    let mut pages = built_in_pages().to_vec();
    let words = pages.iter_mut().find(|(name, _)| name == "lexicon.toml");
    words.unwrap().1.push_str("\n# reviewed\n");
    pages
}

#[test]
fn no_two_people_of_one_organisation_change_the_rules() {
    let mut scene = Scene::borough();
    let revision = Widening::Revise(Revision::of(org("haven"), another_book()));
    proposed(&mut scene, HAVEN, &revision);
    let id = only(&scene);
    let kept = scene.known.proposals[&ProposalId(id)].widening.clone();
    let kept = kept.revision().unwrap();
    assert!(kept.pages.is_empty() && scene.known.books.contains_key(&kept.hash));
    for person in [HAVEN, HAVEN_IG] {
        let decision = approved(&mut scene, person, id, start());
        assert_eq!(told(&decision), "second-organisation-needed");
    }
    assert!(scene.known.adopted.is_none());
    let decision = approved(&mut scene, HOSPITAL, id, start());
    assert_eq!(told(&decision), "approved");
    assert_eq!(decision.value.opening.decided.concerned.len(), 6);
    assert_eq!(scene.known.adopted.as_ref().unwrap().hash, kept.hash);
    // What it replaces is kept, to judge earlier entries by.
    assert!(scene.known.books.contains_key(&built_in_hash()));
}

#[test]
fn nothing_is_decided_under_a_rulebook_that_is_not_in_force() {
    let mut scene = Scene::borough();
    scene.known.adopted = Some(Adopted {
        hash: [7; 32],
        since: start(),
        proposal: ProposalId(Id::ZERO),
    });
    let attempt = scene.attempt(HAVEN, Action::ReadProposals, start());
    let decided = proposals(scene.rules, &attempt, &scene.known, keys(), &[]);
    assert!(matches!(decided.err(), Some(BadRuling::OtherRulebook)));
    // One that this program cannot use: what two people need goes on, and nothing else.
    let problems = Vec::new();
    let stands_in = StandsIn {
        hash: [7; 32],
        problems,
    };
    let rules = scene
        .rules
        .under(Rulebook::built_in().unwrap(), Some(stands_in));
    let decided = proposals(&rules, &attempt, &scene.known, keys(), &[]).unwrap();
    assert_eq!(told(&decided), "proposals");
    let attempt = scene.attempt(HAVEN_IG, Action::ReadAudit, start());
    let ruling = Ruling::new(&rules, &attempt, &scene.known, keys());
    let decided = ruling.nothing("nothing").unwrap();
    assert_eq!(told(&decided), "policy-failed");
}
