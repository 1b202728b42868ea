//! The journeys (`domain.md` 3): for each action, what is decided from the attempt and the facts.
//!
//! Every function here is pure and ends in exactly one decision, refusals and empty results too.

pub mod answering;
pub mod assessing;
pub mod auditing;
pub mod carding;
pub mod consenting;
pub mod counting;
pub mod devices;
pub mod drafting;
pub mod emergency;
pub mod flagging;
pub mod forgetting;
pub mod governing;
pub mod handing_back;
pub mod keeping;
pub mod linking;
pub mod offering;
pub mod own_acts;
pub mod querying;
pub mod reading;
pub mod reconciling;
pub mod reporting;
pub mod rereading;
pub mod restoring;
pub mod revoking;
pub mod sealed_items;
pub mod sealing;
pub mod settling;
pub mod signing_in;
pub mod stop_use;
pub mod subject;
pub mod subject_access;
pub mod transferring;
pub mod updating;
pub mod watching;
pub mod withdrawing;

#[cfg(test)]
mod interleaved;
#[cfg(test)]
pub mod trial;
#[cfg(test)]
mod walled;

use super::attempt::Attempt;
use super::codes::{Action, DataClass, OrgKind, Purpose};
use super::decision::Decision;
use super::firewall::{Screened, Screening, Stage, Supplied, Text};
use super::id::TeamId;
use super::known::Known;
use super::organisation::Organisation;
use super::person::FieldError;
use super::policy::{Actor, Ask, Denied, DeniedWhy, Permitted, Recipient, Relationship, authorise};
use super::refusal::Refusal;
use super::ruling::{BadRuling, Ruled, Ruling};

/// Users never seen before that one system may assert in a day.
pub const NEW_USERS_A_DAY_MAX: u32 = 50;

/// The caller, as the facts know her.
pub struct Caller<'a> {
    pub organisation: &'a Organisation,
    pub actor: Actor,
}

/// Checks what the certificate says against what is enrolled, on every request (P1).
pub fn caller<'a>(known: &'a Known, attempt: &Attempt) -> Result<Caller<'a>, Refusal> {
    let name = attempt.peer.name();
    let now = attempt.when;
    let organisation = known
        .organisations
        .get(&name.organisation)
        .ok_or(Refusal::CertificateNotAccepted)?;
    let certificate = organisation
        .certificate(attempt.peer.spki_sha256(), now)
        .filter(|certificate| {
            certificate.team == name.team
                && certificate.user.as_deref() == name.user.as_ref().map(|user| user.as_str())
        })
        .ok_or(Refusal::CertificateNotAccepted)?;
    if organisation.team(&name.team).is_none() {
        return Err(Refusal::CertificateNotAccepted);
    }
    let user = known
        .users
        .get(&(organisation.id.clone(), attempt.user.as_str().to_owned()));
    if user.is_some_and(|user| user.removed_at.is_some_and(|at| at <= now)) {
        return Err(Refusal::CertificateNotAccepted);
    }
    let actor = Actor {
        organisation: organisation.id.clone(),
        kind: organisation.kind,
        active: organisation.active(now),
        team: name.team.clone(),
        tainted: organisation.tainted(&name.team, now),
        role: attempt.role,
        role_assertable: certificate.roles.contains(&attempt.role),
        person_certificate: name.user.is_some(),
        second_factor: attempt.second_factor,
        agreement_in_date: organisation.agreement(now).is_some(),
    };
    Ok(Caller {
        organisation,
        actor,
    })
}

/// Whether the caller may call at all: enrolled, active, and in person if it is a person's
/// certificate. Everything else is policy's.
///
/// # Errors
/// What is wrong with the caller.
pub fn standing(known: &Known, attempt: &Attempt) -> Result<(), Refusal> {
    let caller = caller(known, attempt)?;
    if !caller.actor.active {
        return Err(Refusal::OrganisationSuspended);
    }
    if caller.actor.person_certificate && !caller.actor.second_factor {
        return Err(Refusal::SecondFactorNeeded);
    }
    Ok(())
}

/// Who would hold what flows to a team. A team that is not known is tainted.
pub fn recipient(organisation: &Organisation, team: &TeamId, attempt: &Attempt) -> Recipient {
    Recipient {
        organisation: organisation.id.clone(),
        kind: organisation.kind,
        active: organisation.active(attempt.when),
        tainted: organisation.tainted(team, attempt.when),
        agreement_in_date: organisation.agreement(attempt.when).is_some(),
    }
}

impl Caller<'_> {
    /// The caller's own team as the one who is told.
    pub fn as_recipient(&self) -> Recipient {
        Recipient {
            organisation: self.actor.organisation.clone(),
            kind: self.actor.kind,
            active: self.actor.active,
            tainted: self.actor.tainted,
            agreement_in_date: self.actor.agreement_in_date,
        }
    }

    /// A question to policy with nothing granted: each journey adds what it found.
    pub fn ask(&self, attempt: &Attempt, recipient: Recipient) -> Ask {
        Ask {
            action: attempt.action,
            purpose: attempt.purpose,
            actor: self.actor.clone(),
            certificate_organisation: attempt.organisation().clone(),
            recipient,
            giver: None,
            classes: vec![DataClass::Op],
            own: false,
            relationship: Relationship::None,
            offence: None,
            basis: None,
            consent: None,
            source_consent: None,
            step: None,
            identity_sure: false,
            emergency_confirmed: false,
            proposer: None,
        }
    }

    pub fn kind(&self) -> OrgKind {
        self.actor.kind
    }
}

/// Noted where the asker accepted the onward rule with the very request that released something.
pub const ONWARD_RULE_ACCEPTED: &str = "onward-rule-accepted";

/// Noted where a front door takes by agreement, in which it accepted the onward rule once.
pub const ONWARD_RULE_BY_AGREEMENT: &str = "onward-rule-by-agreement";

/// Nothing is released to an organisation that does not accept, with this request, that it may not
/// pass it on for immigration purposes (F9). Asked before anything is looked for.
///
/// # Errors
/// What to send.
pub fn onward_rule(accepted: bool) -> Result<(), FieldError> {
    if accepted {
        Ok(())
    } else {
        Err(FieldError {
            field: "onward_rule_accepted",
            message: "accept that you may not pass this on for immigration purposes: send true",
        })
    }
}

/// How a journey ends early: with words about the caller, or with the uniform nothing.
pub enum Stop {
    Refuse(Refusal),
    Nothing(&'static str),
}

impl From<FieldError> for Stop {
    fn from(wrong: FieldError) -> Self {
        Self::Refuse(Refusal::CheckYourAnswers(vec![wrong]))
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refuse(refusal)
    }
}

/// Asks policy, notes what decided, and words a denial.
pub fn permit<T>(ruling: &mut Ruling<'_>, ask: &Ask, value: T) -> Result<Permitted<T>, Stop> {
    ruling.relationship(ask.relationship.code());
    ruling.basis(ask.basis);
    match authorise(&ruling.rules().book.policies, ask, value) {
        Ok(permitted) => {
            ruling.rule(permitted.rules());
            Ok(permitted)
        }
        Err(denied) => {
            ruling.rule(&denied.rules);
            Err(stop(&denied, ruling.attempt(), None))
        }
    }
}

/// Refuses what is about the caller before anything is looked for, so that such an error is exact
/// and the same for every person. What policy says of her is asked again with what was found.
pub fn about_caller(ruling: &mut Ruling<'_>, ask: &Ask) -> Result<(), Stop> {
    match permit(ruling, ask, ()) {
        // What consent is needed depends on the offence, which is not known yet.
        Err(Stop::Refuse(Refusal::ConsentNeeded)) | Err(Stop::Nothing(_)) | Ok(_) => Ok(()),
        Err(stop @ Stop::Refuse(_)) => Err(stop),
    }
}

/// What the firewall took out is noted by rule and class, never by value.
pub fn mark<T>(ruling: &mut Ruling<'_>, screened: &Screened<T>) {
    if let Some(dropped) = screened.dropped().first() {
        ruling.firewall(dropped.rule, dropped.class.code());
    }
}

fn stop(denied: &Denied, attempt: &Attempt, ended: Option<super::time::When>) -> Stop {
    match denied.why {
        DeniedWhy::CertificateNotAccepted => Stop::Refuse(Refusal::CertificateNotAccepted),
        DeniedWhy::AgreementExpired => Stop::Refuse(Refusal::AgreementExpired { ended }),
        DeniedWhy::OrganisationSuspended => Stop::Refuse(Refusal::OrganisationSuspended),
        DeniedWhy::RoleNotAllowed => Stop::Refuse(Refusal::RoleNotAllowed {
            role: attempt.role.code(),
        }),
        DeniedWhy::PurposeNotAllowed => Stop::Refuse(Refusal::PurposeNotAllowed {
            purpose: attempt.purpose.code(),
        }),
        DeniedWhy::SecondFactorNeeded => Stop::Refuse(Refusal::SecondFactorNeeded),
        DeniedWhy::ConsentNeeded => Stop::Refuse(Refusal::ConsentNeeded),
        DeniedWhy::PolicyFailed => Stop::Refuse(Refusal::PolicyFailed),
        DeniedWhy::SecondOrganisationNeeded => Stop::Refuse(Refusal::SecondOrganisationNeeded),
        DeniedWhy::RecipientNotAvailable if attempt.action == Action::SealItem => {
            Stop::Refuse(Refusal::CheckYourAnswers(vec![FieldError {
                field: "to",
                message: "this organisation can not receive this",
            }]))
        }
        DeniedWhy::RecipientNotAvailable => {
            Stop::Refuse(Refusal::CheckYourAnswers(vec![FieldError {
                field: "service",
                message: "this service cannot take referrals through the gateway; choose another",
            }]))
        }
        DeniedWhy::EmergencyNotConfirmed => Stop::Refuse(Refusal::ConfirmEmergency {
            told: Vec::new(),
            held: Vec::new(),
        }),
        DeniedWhy::NothingToShow => Stop::Nothing("policy"),
    }
}

/// What waits under the gateway's key until acceptance, and what is then released: another
/// organisation's words, with held text already taken out.
pub const ACCEPTED: Screening = Screening {
    stage: Stage::Accept,
    supplied: Supplied::ByAnother,
    text: Text::Clear,
};

/// The purpose that her consent must name for what flows with a referral.
pub const REFERRAL_PURPOSE: Purpose = Purpose::Support;

impl Ruling<'_> {
    /// Ends as a journey stopped.
    pub fn stop(self, stop: Stop) -> Result<Decision<Ruled>, BadRuling> {
        match stop {
            Stop::Refuse(refusal) => self.refuse(refusal),
            Stop::Nothing(why) => self.nothing(why),
        }
    }
}

#[cfg(test)]
pub mod scene;
