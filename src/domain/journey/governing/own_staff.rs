//! An enrolled organisation's administrator issues and renews certificates for its own teams,
//! without a second organisation (P11).
//!
//! Never a role that the organisation does not have, and never a new watcher or administrator:
//! those who audit are not made by those whom they audit.

use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::codes::Role;
use crate::domain::decision::Decision;
use crate::domain::id::{TeamId, UserId};
use crate::domain::known::Known;
use crate::domain::organisation::{Certificate, Organisation, TotpSecret};
use crate::domain::person::FieldError;
use crate::domain::refusal::Refusal;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;
use crate::domain::time::When;

use super::changes::{self, RENEWAL_DAYS_MAX, Wrong};
use super::texts::Texts;
use crate::domain::journey::{Caller, Stop, caller, permit};

/// A certificate for one of the caller's own teams.
#[derive(Clone)]
pub struct OwnCertificate {
    pub certificate: Certificate,
    /// The second-factor secret of a person who has none.
    pub totp_secret: Option<TotpSecret>,
}

/// Another key for somebody of the caller's own teams who has a certificate.
#[derive(Clone, Debug)]
pub struct Renewal {
    pub team: TeamId,
    pub user: UserId,
    pub spki_sha256: [u8; 32],
    pub not_after: When,
}

impl Renewal {
    /// The certificate that follows the last one she has, in the same roles. That one goes on until
    /// its end.
    fn of(
        &self,
        organisation: &Organisation,
        now: When,
    ) -> Result<OwnCertificate, Vec<FieldError>> {
        let user = self.user.as_str();
        let last = organisation
            .certificates
            .iter()
            .filter(|one| renewable(one, now))
            .filter(|one| one.team == self.team && one.user.as_deref() == Some(user))
            .max_by_key(|one| one.not_after);
        let Some(last) = last else {
            return Err(vec![FieldError {
                field: "user",
                message: "nobody of this team has a certificate to renew under that name; a first \
                          one is a proposal",
            }]);
        };
        Ok(OwnCertificate {
            certificate: Certificate {
                spki_sha256: self.spki_sha256,
                not_after: self.not_after,
                ..last.clone()
            },
            totp_secret: None,
        })
    }
}

/// Lists a certificate of the caller's own organisation, at once.
pub fn issue_own(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    own: &OwnCertificate,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    match decide(&mut ruling, known, |_, _| Ok(own.clone())) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

/// Lists a new key for somebody of the caller's own organisation who has a certificate, at once.
pub fn renew_own(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    renewal: &Renewal,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    match decide(&mut ruling, known, |own, now| renewal.of(own, now)) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide(
    ruling: &mut Ruling<'_>,
    known: &Known,
    which: impl FnOnce(&Organisation, When) -> Result<OwnCertificate, Vec<FieldError>>,
) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    ruling.reason("issue_own_certificate");
    permit(ruling, &caller.ask(attempt, caller.as_recipient()), ())?;
    administers_in_person(&caller, attempt)?;
    let check_answers = |fields| Stop::Refuse(Refusal::CheckYourAnswers(fields));
    let organisation = caller.organisation;
    let own = &which(organisation, attempt.when).map_err(check_answers)?;
    let mut texts = Texts::default();
    texts.certificate(&own.certificate);
    if texts.any_enforcement() {
        ruling.firewall("F1", "op");
        return Err(Stop::Refuse(Refusal::NotEnrollable));
    }
    check(known, organisation, own, attempt.when).map_err(check_answers)?;
    let facts = changes::with_certificate(
        organisation.clone(),
        known,
        &own.certificate,
        own.totp_secret.as_ref(),
        attempt.when,
    );
    for (of, item, record) in facts {
        ruling.fact(of, item, &record);
    }
    Ok(Answer::Issued)
}

/// What an organisation does of itself its administrator does: a system that was taken over must not
/// be able to make people, or to speak for them.
pub fn administers_in_person(caller: &Caller<'_>, attempt: &Attempt) -> Result<(), Stop> {
    let administers = matches!(attempt.role, Role::OrgAdmin | Role::OperatorAdmin);
    if !administers || !caller.actor.person_certificate {
        return Err(Stop::Refuse(Refusal::RoleNotAllowed {
            role: attempt.role.code(),
        }));
    }
    Ok(())
}

fn check(
    known: &Known,
    organisation: &Organisation,
    own: &OwnCertificate,
    now: When,
) -> Result<(), Vec<FieldError>> {
    let OwnCertificate {
        certificate,
        totp_secret,
    } = own;
    let mut wrong = Wrong::default();
    changes::check_certificate(&mut wrong, organisation, certificate, now);
    changes::check_user(
        &mut wrong,
        known,
        &organisation.id,
        certificate,
        totp_secret.as_ref(),
    );
    let same_key = organisation
        .certificates
        .iter()
        .find(|one| one.spki_sha256 == certificate.spki_sha256);
    wrong.unless(
        same_key.is_none_or(|one| {
            one.revoked_at.is_none() && one.team == certificate.team && one.user == certificate.user
        }),
        "certificate.spki_sha256",
        "this key was revoked or is another's; make a new one",
    );
    let has = |role: Role, user: Option<&String>| {
        organisation.certificates.iter().any(|one| {
            renewable(one, now)
                && one.roles.contains(&role)
                && (user.is_none() || one.user.as_ref() == user)
        })
    };
    let user = certificate.user.as_ref();
    let allowed = |role: Role| {
        if watches(role) {
            user.is_some() && has(role, user)
        } else {
            has(role, None)
        }
    };
    wrong.unless(
        certificate.roles.iter().all(|role| allowed(*role)),
        "certificate.roles",
        "a role that is new here, or another who audits or administers, is a proposal",
    );
    // With another's second factor, the administrator would be that other person.
    let key = user.map(|name| (organisation.id.clone(), name.clone()));
    let before = key.and_then(|key| known.users.get(&key));
    let has_some = before.is_some_and(|user| !user.devices.list().is_empty());
    let replaces = totp_secret.is_some() && has_some;
    let returns = before.is_some_and(|user| user.removed_at.is_some());
    wrong.unless(
        !replaces && !returns,
        "certificate.user",
        "a new second factor, or the return of a removed user, is a proposal",
    );
    wrong.finish()
}

/// In date or only just ended, and never revoked.
pub fn renewable(certificate: &Certificate, now: When) -> bool {
    certificate.revoked_at.is_none() && now < certificate.not_after.plus_days(RENEWAL_DAYS_MAX)
}

/// Roles that watch others or change who may connect.
const fn watches(role: Role) -> bool {
    role.needs_person_certificate() || matches!(role, Role::OrgAdmin)
}
