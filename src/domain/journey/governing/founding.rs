//! The very first facts of an empty log, in one entry of the gateway itself: the operator, the
//! people who can approve what comes next, and the independent reviewer.
//!
//! It runs once. Everything later takes two organisations.

use sha2::{Digest, Sha256};

use crate::domain::answer::Answer;
use crate::domain::attempt::Entropy;
use crate::domain::audit::OPERATOR;
use crate::domain::codes::OrgKind;
use crate::domain::decision::{Aggregate, Decision, List, Version, Write};
use crate::domain::device::Devices;
use crate::domain::governance::Approvers;
use crate::domain::id::{OrgId, TeamId};
use crate::domain::leaf::{LeafClass, LeafDraft};
use crate::domain::opening::{Account, Decided, Outcome, What, Who, Why};
use crate::domain::organisation::{Directory, Organisation, TotpSecret, User};
use crate::domain::person::FieldError;
use crate::domain::record::{Record, singleton};
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled};
use crate::domain::seal::Keys;
use crate::domain::time::When;

use super::changes::{Changed, Wrong, check_organisation, member_fact};
use super::texts::Texts;

/// Organisations at the beginning.
pub const FOUNDERS_MAX: usize = 32;
/// People at the beginning.
pub const FIRST_USERS_MAX: usize = 128;

/// What is there before anyone can propose.
pub struct Founding {
    pub organisations: Vec<Organisation>,
    pub users: Vec<(OrgId, String, TotpSecret)>,
    pub approvers: Approvers,
    pub directory: Directory,
}

impl Founding {
    /// Item keys that the decision needs.
    pub fn keys(&self) -> usize {
        // Each organisation is on the roll too; the directory, the approvers and the opening.
        self.organisations.len() * 2 + self.users.len() + 3
    }

    /// What it writes, so that the store can see that none of it is there.
    fn aggregates(&self) -> Vec<Aggregate> {
        let organisations = self
            .organisations
            .iter()
            .map(|one| Aggregate::Organisation(one.id.clone()));
        let users = self
            .users
            .iter()
            .map(|(organisation, name, _)| Aggregate::User(organisation.clone(), name.clone()));
        let mut all: Vec<Aggregate> = organisations
            .chain(users)
            .chain([Aggregate::Settings, Aggregate::Roll])
            .collect();
        all.sort();
        all
    }
}

/// The gateway cannot begin with this.
#[derive(Debug, thiserror::Error)]
pub enum NotFounded {
    #[error("a name is that of those who enforce immigration law; they can not be enrolled")]
    NotEnrollable,
    #[error("the first facts do not make sense")]
    CheckYourAnswers(Vec<FieldError>),
    #[error(transparent)]
    Ruling(#[from] BadRuling),
}

/// The one decision of an empty log.
///
/// # Errors
/// [`NotFounded`]: no operator or several, approvers of fewer than two organisations or without a
/// certificate and second factor, a name that F1 excludes, or anything else that no proposal
/// could bring in.
pub fn found(
    rules: &Rules,
    when: When,
    entropy: &Entropy,
    mut keys: Keys,
    founding: &Founding,
) -> Result<Decision<Ruled>, NotFounded> {
    let mut texts = Texts::default();
    for organisation in &founding.organisations {
        texts.organisation(organisation);
    }
    for service in &founding.directory.services {
        texts.service(service);
    }
    if texts.any_enforcement() {
        return Err(NotFounded::NotEnrollable);
    }
    check(founding, when).map_err(NotFounded::CheckYourAnswers)?;
    let no_operator = || {
        NotFounded::CheckYourAnswers(vec![FieldError {
            field: "organisations",
            message: "name one operator, with a team",
        }])
    };
    let (operator, team) = operator(founding).ok_or_else(no_operator)?;
    let account = account(rules, founding, operator, team);
    let (draft, opening) = LeafDraft::new(when, LeafClass::Gateway, account, b"found", |label| {
        entropy.bytes(label)
    })
    .map_err(BadRuling::from)?;
    let sealed = keys
        .opening(draft.id(), &opening)
        .map_err(BadRuling::from)?;
    let hash: [u8; 32] = Sha256::digest(sealed.sealed().ciphertext()).into();
    let mut writes = Vec::new();
    for (of, item, record) in facts(founding, entropy, when) {
        let sealed = keys.fact(&of, item, &record).map_err(BadRuling::from)?;
        writes.push(Write::Fact { of, item, sealed });
    }
    let concerned = founding
        .organisations
        .iter()
        .map(|one| List::AuditConcerned(one.id.clone()));
    for list in concerned.chain([List::Operator]) {
        writes.push(Write::List {
            list,
            at: 0,
            item: draft.id(),
        });
    }
    Ok(Decision {
        value: Ruled {
            answer: Answer::Founded,
            opening,
            aliases: rules.alias_key.of(operator, 0, when),
            counterfoil: None,
        },
        read: founding
            .aggregates()
            .into_iter()
            .map(|of| (of, Version(0)))
            .collect(),
        leaf: draft.with_sealed(&hash),
        opening: sealed,
        writes,
        replay: None,
        urgent: false,
        unused: Vec::new(),
    })
}

fn operator(founding: &Founding) -> Option<(&OrgId, &TeamId)> {
    let operator = founding
        .organisations
        .iter()
        .find(|one| one.kind == OrgKind::Operator)?;
    Some((&operator.id, &operator.teams.first()?.id))
}

fn facts(founding: &Founding, entropy: &Entropy, when: When) -> Vec<Changed> {
    let organisations = founding.organisations.iter().map(|one| {
        let mut agreements = one.agreements.clone();
        for (n, agreement) in agreements.iter_mut().enumerate() {
            agreement.id = entropy.id(&format!("agreement {n} of {}", one.id.as_str()));
        }
        (
            Aggregate::Organisation(one.id.clone()),
            singleton("organisation"),
            Record::Organisation(Organisation {
                enrolled_at: when,
                agreements,
                ..one.clone()
            }),
        )
    });
    let users = founding.users.iter().map(|(organisation, name, secret)| {
        (
            Aggregate::User(organisation.clone(), name.clone()),
            singleton("user"),
            Record::User(User {
                devices: Devices::enrolled(secret.clone(), when),
                ..User::new(when)
            }),
        )
    });
    let settings = [
        (
            Aggregate::Settings,
            singleton("directory"),
            Record::Directory(founding.directory.clone()),
        ),
        (
            Aggregate::Settings,
            singleton("approvers"),
            Record::Approvers(founding.approvers.clone()),
        ),
    ];
    let members = founding.organisations.iter();
    let members = members.map(|one| member_fact(&one.id));
    organisations
        .chain(members)
        .chain(users)
        .chain(settings)
        .collect()
}

fn check(founding: &Founding, now: When) -> Result<(), Vec<FieldError>> {
    let mut wrong = Wrong::default();
    let organisation = |id: &OrgId| founding.organisations.iter().find(|one| one.id == *id);
    let mut ids: Vec<&OrgId> = founding.organisations.iter().map(|one| &one.id).collect();
    ids.sort();
    ids.dedup();
    wrong.unless(
        ids.len() == founding.organisations.len() && ids.len() <= FOUNDERS_MAX,
        "organisations",
        "name at most 32 organisations, each once",
    );
    let operators = founding
        .organisations
        .iter()
        .filter(|one| one.kind == OrgKind::Operator);
    wrong.unless(operators.count() == 1, "organisations", "name one operator");
    for one in &founding.organisations {
        check_organisation(&mut wrong, one, now);
    }
    let certified = |id: &OrgId, name: &str| {
        organisation(id).is_some_and(|one| {
            one.certificates
                .iter()
                .any(|certificate| certificate.user.as_deref() == Some(name))
        })
    };
    let has_factor = |id: &OrgId, name: &str| {
        founding
            .users
            .iter()
            .any(|(of, user, _)| of == id && user == name)
    };
    wrong.unless(
        founding.users.len() <= FIRST_USERS_MAX,
        "users",
        "at most 128",
    );
    wrong.unless(
        founding
            .users
            .iter()
            .all(|(id, name, _)| certified(id, name)),
        "users",
        "each user has a certificate of her own",
    );
    let people = founding.organisations.iter().flat_map(|one| {
        let users = one.certificates.iter().filter_map(|it| it.user.as_deref());
        users.map(|name| (&one.id, name))
    });
    wrong.unless(
        people.into_iter().all(|(id, name)| has_factor(id, name)),
        "users",
        "each person's certificate has a second factor",
    );
    let approvers = &founding.approvers;
    let mut of: Vec<&OrgId> = approvers.first.iter().map(|(id, _)| id).collect();
    of.sort();
    of.dedup();
    wrong.unless(
        of.len() >= 2 && approvers.first.iter().all(|(id, name)| certified(id, name)),
        "approvers",
        "name people of at least two organisations, with certificates of their own",
    );
    let reviews = |id: &OrgId| organisation(id).is_some_and(|one| one.kind == OrgKind::Reviewer);
    wrong.unless(
        approvers.reviewers.iter().all(reviews),
        "reviewers",
        "a reviewer is an organisation of kind 'reviewer'",
    );
    wrong.unless(
        founding.directory.services.iter().all(|service| {
            organisation(&service.organisation).is_some_and(|one| one.team(&service.team).is_some())
        }),
        "services",
        "each service is run by a team of an organisation named here",
    );
    wrong.finish()
}

fn account(rules: &Rules, founding: &Founding, operator: &OrgId, team: &TeamId) -> Account {
    Account {
        who: Who {
            organisation: operator.clone(),
            team: team.clone(),
            user: "init".to_owned(),
            role: "operator_admin".to_owned(),
            certificate: [0; 32],
            asserted: false,
        },
        why: Why {
            purpose: "administration".to_owned(),
            reason: Some("found".to_owned()),
            case: None,
        },
        what: What {
            action: "found".to_owned(),
            object: None,
            asked: Vec::new(),
        },
        decided: Decided {
            outcome: Outcome::Permit,
            told: Answer::Founded.told().to_owned(),
            rule: String::new(),
            policy: rules.book.hash(),
            subject: None,
            object: None,
            consents: Vec::new(),
            basis: None,
            relationship: None,
            firewall: None,
            disclosed: Vec::new(),
            concerned: founding
                .organisations
                .iter()
                .map(|one| one.id.clone())
                .collect(),
            sources: 0,
            notes: vec![OPERATOR.to_owned()],
        },
    }
}
