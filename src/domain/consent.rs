//! Consent through its life: what she agreed to, until when, and what she has stopped.

use borsh::{BorshDeserialize, BorshSerialize};

use super::codes::{
    Competence, ConsentDecision, ConsentDepth, ConsentHow, ConsentStrength, DataClass, GivenBy,
    Interpreter, Parent, Purpose, ServiceFamily, WithdrawalScope, YesNoUnknown,
};
use super::id::{AssessmentId, ConsentId, OrgId};
use super::person::TaggedToken;
use super::policy::ConsentState;
use super::time::When;

/// Consent ends by itself after this long unless it says less.
pub const CONSENT_DAYS_MAX: i64 = 366;

/// Said where the other party was in the room when she agreed.
pub const HE_WAS_THERE: &str = "He, or whoever she is to be kept safe from, was there when she \
    agreed. Ask her again alone before you rely on it; if she did not mean it, take it back.";

/// Which way a consent opens: to be told to others, to be asked for, to be received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Opens {
    /// The holder may share what it recorded with the recipients named.
    Share,
    /// The organisation that recorded it may be told what others hold.
    Query,
}

/// Who may be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Recipients {
    pub organisations: Vec<OrgId>,
    pub families: Vec<ServiceFamily>,
}

impl Recipients {
    /// `families` are those of the services that the organisation runs.
    pub fn cover(&self, organisation: &OrgId, families: &[ServiceFamily]) -> bool {
        self.organisations.contains(organisation)
            || self.families.iter().any(|family| families.contains(family))
    }
}

/// A consent as recorded. A refusal (`deny`) is a record too.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Consent {
    pub id: ConsentId,
    pub recorded_by: OrgId,
    pub decision: ConsentDecision,
    pub strength: ConsentStrength,
    pub opens: Opens,
    pub recipients: Recipients,
    pub classes: Vec<DataClass>,
    pub purposes: Vec<Purpose>,
    /// The assessments that it is about; empty if it names none, and then it is about all.
    pub items: Vec<AssessmentId>,
    /// How far it reaches into earlier assessments; `None` reaches none of them. A refusal has none
    /// and stops every step.
    pub depth: Option<ConsentDepth>,
    pub given_by: GivenBy,
    pub competence: Competence,
    /// Who spoke for a child that could not.
    pub parent: Option<Parent>,
    pub how: ConsentHow,
    pub language: Option<String>,
    pub interpreter: Interpreter,
    pub other_party_present: YesNoUnknown,
    pub notice_version: Option<String>,
    pub given_at: When,
    pub from: When,
    pub until: When,
    /// When it is to be gone through with her again; long cases have one.
    pub review_at: Option<When>,
    /// She may not have been free to say it: it serves for nothing. Once she was asked safely her word
    /// is recorded anew; this one never comes to life by the lapse of time.
    pub paused: bool,
    pub withdrawn_at: Option<When>,
}

/// A withdrawal, kept where it can stop what arrives later (F8, `domain.md` 3.4).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Tombstone {
    pub at: When,
    /// Of a pause: when it ends by itself. A withdrawal never does.
    pub until: Option<When>,
    pub taken_by: OrgId,
    pub scope: WithdrawalScope,
    /// For scope `service`: who is stopped. Empty otherwise.
    pub organisations: Vec<OrgId>,
    pub classes: Vec<DataClass>,
    pub purposes: Vec<Purpose>,
    /// Whose word it was: it applies to a record only if these link to it automatically.
    pub tokens: Vec<TaggedToken>,
}

impl Tombstone {
    /// Whether it stops anything at `now`. The clock is a value: nothing has to happen for a pause to
    /// end.
    pub fn in_force(&self, now: When) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// Whether the two are one word of hers, whatever became of it since.
    pub fn is_word_of(&self, other: &Self) -> bool {
        let (one, two) = (self.clone(), other.clone());
        Self { until: None, ..one } == Self { until: None, ..two }
    }

    /// Whether it stops a flow of `classes` for `purpose` between two organisations.
    pub fn stops(&self, ends: &[&OrgId], classes: &[DataClass], purpose: Purpose) -> bool {
        match self.scope {
            WithdrawalScope::Everything => true,
            WithdrawalScope::Service => self
                .organisations
                .iter()
                .any(|stopped| ends.contains(&stopped)),
            WithdrawalScope::Class => classes.iter().any(|class| self.classes.contains(class)),
            WithdrawalScope::Purpose => self.purposes.contains(&purpose),
        }
    }
}

/// A flow that a consent may or may not cover.
pub struct Flow<'a> {
    pub holder: &'a OrgId,
    pub recipient: &'a OrgId,
    pub recipient_families: &'a [ServiceFamily],
    pub classes: &'a [DataClass],
    pub purpose: Purpose,
    /// The step of the question about earlier assessments; `None` for every other flow.
    pub depth: Option<ConsentDepth>,
    pub now: When,
}

impl Consent {
    /// Whether whoever recorded it is told [`HE_WAS_THERE`]. It follows from what they sent alone.
    pub fn needs_warning(&self) -> bool {
        self.decision == ConsentDecision::Permit && self.other_party_present == YesNoUnknown::Yes
    }

    /// In date, permitted, not withdrawn, and newer than every withdrawal that stops this flow.
    fn live(&self, flow: &Flow<'_>, tombstones: &[&Tombstone]) -> bool {
        self.decision == ConsentDecision::Permit
            && self.from <= flow.now
            && flow.now < self.until
            && self.withdrawn_at.is_none()
            && !self.paused
            && !tombstones.iter().any(|tombstone| {
                tombstone.at >= self.given_at
                    && tombstone.stops(&[flow.holder, flow.recipient], flow.classes, flow.purpose)
            })
    }

    fn covers(&self, flow: &Flow<'_>) -> bool {
        let scope = match self.opens {
            Opens::Share => self
                .recipients
                .cover(flow.recipient, flow.recipient_families),
            Opens::Query => self.recorded_by == *flow.recipient,
        };
        scope
            && self.purposes.contains(&flow.purpose)
            && flow.classes.iter().all(|class| self.classes.contains(class))
            && flow.depth.is_none_or(|step| self.reaches(step))
            // Consent given through a relative is not hers (`domain.md` 4.3).
            && self.interpreter != Interpreter::Family
    }

    /// Whether it speaks of a step of the question. She permits as far as she said; what she refuses,
    /// she refuses from the first step on.
    fn reaches(&self, step: ConsentDepth) -> bool {
        match self.decision {
            ConsentDecision::Deny => true,
            ConsentDecision::Permit => self.depth.is_some_and(|depth| step <= depth),
        }
    }

    pub fn state(&self, flow: &Flow<'_>, tombstones: &[&Tombstone], asker: &OrgId) -> ConsentState {
        ConsentState {
            strength: self.strength,
            live: self.live(flow, tombstones),
            covers: self.covers(flow),
            from_another: self.recorded_by != *asker,
            depth: self.depth,
        }
    }
}

/// The best of several: one that is live and covers, if there is one.
///
/// A live refusal that covers the flow outweighs any permit given before it.
pub fn best(
    consents: &[&Consent],
    flow: &Flow<'_>,
    tombstones: &[&Tombstone],
    asker: &OrgId,
) -> Option<(ConsentId, ConsentState)> {
    let refused_at = consents
        .iter()
        .filter(|consent| {
            consent.decision == ConsentDecision::Deny
                && consent.withdrawn_at.is_none()
                && consent.covers(flow)
        })
        .map(|consent| consent.given_at)
        .max();
    consents
        .iter()
        .map(|consent| {
            let mut state = consent.state(flow, tombstones, asker);
            if refused_at.is_some_and(|refused| consent.given_at <= refused) {
                state.live = false;
            }
            (consent.id, state)
        })
        .max_by_key(|(_, state)| {
            (
                state.live && state.covers,
                state.strength == ConsentStrength::Explicit,
                state.live,
                state.covers,
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::journey::trial;

    fn covers(consent: &Consent, depth: Option<ConsentDepth>) -> bool {
        let (holder, recipient) = (trial::org("trust"), trial::org("lantern"));
        let flow = Flow {
            holder: &holder,
            recipient: &recipient,
            recipient_families: &[],
            classes: &[DataClass::Sp],
            purpose: Purpose::PriorAssessment,
            depth,
            now: trial::start(),
        };
        consent.covers(&flow)
    }

    #[test]
    fn a_consent_covers_its_own_depth_and_less() {
        use ConsentDepth::{Answers, Cards, Exists};
        let mut consent = trial::consent(Opens::Share, &["lantern"]);
        for (depth, reaches) in [
            (Some(Answers), [true, true, true]),
            (Some(Cards), [true, true, false]),
            (Some(Exists), [true, false, false]),
            (None, [false, false, false]),
        ] {
            consent.depth = depth;
            let found = [Exists, Cards, Answers].map(|step| covers(&consent, Some(step)));
            assert_eq!(found, reaches);
            // Of every other flow its depth says nothing.
            assert!(covers(&consent, None));
        }
    }

    #[test]
    fn a_refusal_covers_every_step() {
        let mut refusal = trial::consent(Opens::Share, &["lantern"]);
        refusal.decision = ConsentDecision::Deny;
        refusal.depth = None;
        for step in ConsentDepth::ALL {
            assert!(covers(&refusal, Some(*step)));
        }
    }
}
