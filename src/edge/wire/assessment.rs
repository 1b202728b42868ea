//! What partners send about prior assessments and emergencies.
//!
//! There is no field for therapy notes, for an address or for anything about immigration, and none
//! is taken. Whom it is about is named in exactly one of three ways.

use serde::Deserialize;
use utoipa::ToSchema;

use super::text::{FreeText, code_like};
use super::{ConsentIn, IdentityIn, LIST_MAX, Secret, Wrong};
use crate::domain::assessment::{
    ASSESSMENT_CLASSES, ASSESSMENT_PURPOSE, Answers, Card, DISAGREEMENTS_MAX, ITEMS_MAX, Item,
    SafetyCard,
};
use crate::domain::attempt::Attempt;
use crate::domain::codes::{
    ConsentDecision, ConsentDepth, DisagreementReason, EmergencyReason, Grade, GradeBasis,
    Instrument, ItemAnswer, JudgementReason, Need, OrgKind, ReassessReason, ReplaceHow,
    ReplaceReason, WithdrawnBecause,
};
use crate::domain::consent::{Consent, Opens};
use crate::domain::firewall::hold::Unread;
use crate::domain::id::Id;
use crate::domain::journey::assessing::{Differs, Draft, Replaces};
use crate::domain::journey::emergency::Glass;
use crate::domain::journey::querying::Step;
use crate::domain::journey::subject::{Named, Subject};
use crate::domain::person::line::Line;
use crate::domain::person::{FieldError, Phone};

/// Short lines in one answer (reasons, adjustments, people not to be told).
pub const LINES_MAX: usize = 10;
/// Characters of one such line.
pub const LINE_CHARS_MAX: usize = 200;
/// Consents recorded with one assessment.
pub const CONSENTS_MAX: usize = 8;
/// Characters of the reason for an emergency, at most.
pub const REASON_CHARS_MAX: usize = 1_000;
const TOOL_CODE_CHARS_MAX: usize = 32;

/// One question of the tool and her answer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemIn {
    /// The code of the question, as `q7`; `GET /v1/codes` lists them under `instruments`.
    pub code: String,
    /// `yes`, `no`, `unknown`, `declined` or `not_asked`.
    pub answer: String,
}

/// An assessment, told once. Ticks are counted from the answers; they make no grade.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssessmentIn {
    /// One of your referrals of her; or `person`; or `identity`.
    pub referral: Option<String>,
    /// Your own reference of the person.
    pub person: Option<String>,
    pub identity: Option<IdentityIn>,
    pub instrument: String,
    /// As `2014`; `GET /v1/codes` lists them under `instruments`.
    pub instrument_version: String,
    #[serde(default)]
    pub items: Vec<ItemIn>,
    pub grade: String,
    /// On what the grade rests: `score`, `professional_judgement`, `escalation` or
    /// `specialist_review`.
    pub basis: String,
    /// Why it was graded so, in codes. With another basis than `score`, a code or words.
    #[serde(default)]
    pub judgement_codes: Vec<String>,
    #[serde(default)]
    pub judgement_reasons: Vec<FreeText>,
    #[serde(default)]
    pub assessor_trained: bool,
    /// RFC 3339.
    pub assessed_at: String,
    /// RFC 3339; 90 days after `assessed_at` for a tool of risk, a year for others, at most.
    pub valid_until: Option<String>,
    #[serde(default)]
    pub needs: Vec<String>,
    #[serde(default)]
    pub adjustments: Vec<FreeText>,
    /// Who must not be told or let in. Opened in an emergency only.
    #[serde(default)]
    pub do_not_tell: Vec<FreeText>,
    /// Who is safe, and the number. Opened in an emergency only.
    pub safe_person: Option<FreeText>,
    pub safe_person_phone: Option<Secret>,
    /// With whom she allows you to share it, or that she does not.
    #[serde(default)]
    pub consents: Vec<ConsentIn>,
    /// One of your own assessments of her, whose place this one takes.
    pub replaces: Option<ReplacesIn>,
    /// Assessments of others that you were shown, and why you grade otherwise.
    #[serde(default)]
    pub disagreements: Vec<DisagreementIn>,
}

/// The old one stays, as history, for you alone.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplacesIn {
    pub assessment: String,
    /// `correction`: it was wrong, and what she allowed goes on. `reassessment`: she was assessed
    /// again, and is asked again with whom it may be shared.
    pub how: String,
    pub because: String,
}

/// Both stay as they are.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DisagreementIn {
    pub assessment: String,
    pub because: String,
}

/// An assessment that you recorded by mistake. What it said is destroyed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssessmentWithdrawIn {
    /// One of your referrals of her; or `person`; or `identity`.
    pub referral: Option<String>,
    /// Your own reference of the person under whom it stands.
    pub person: Option<String>,
    pub identity: Option<IdentityIn>,
    /// `wrong_person`, `recorded_twice` or `never_said`.
    pub because: String,
}

/// Your own assessments of a person.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnAssessmentsIn {
    /// One of your referrals of her; or `person`; or `identity`.
    pub referral: Option<String>,
    /// Your own reference of the person.
    pub person: Option<String>,
    pub identity: Option<IdentityIn>,
}

/// Has she been assessed before?
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssessmentQueryIn {
    /// The referral that you accepted; or `person`; or `identity`.
    pub referral: Option<String>,
    /// Your own reference of the person.
    pub person: Option<String>,
    pub identity: Option<IdentityIn>,
    /// How far you ask: `exists` (is there anything?), `cards` (what was found, in short), `answers`
    /// (every answer of one assessment). Her consents must reach as far.
    pub step: Option<String>,
    /// For `answers`: the id of the assessment, as the cards gave it.
    pub assessment: Option<String>,
    /// Her consent that you ask, if you have not recorded it yet.
    pub consent: Option<ConsentIn>,
    /// A one-time code of her card, if you alone made your referral of her: 12 letters and digits.
    pub card_code: Option<Secret>,
    /// "You may not pass this on for immigration purposes": `true` accepts it.
    #[serde(default)]
    pub onward_rule_accepted: bool,
}

/// What you did with an assessment that you were shown.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReliedOnIn {
    /// The referral that you accepted; or `person`; or `identity`.
    pub referral: Option<String>,
    /// Your own reference of the person.
    pub person: Option<String>,
    pub identity: Option<IdentityIn>,
    /// Why you asked her again; leave it out if you did not.
    pub reassessed_because: Option<String>,
}

/// An emergency. Without `confirm` you are told who will be told, and nothing is opened.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmergencyIn {
    /// One of your referrals of her; or `person`; or `identity`.
    pub referral: Option<String>,
    /// Your own reference of the person.
    pub person: Option<String>,
    pub identity: Option<IdentityIn>,
    pub reason: String,
    /// Why it cannot wait, in at least 20 characters. It is not kept: keep your own copy.
    pub text: FreeText,
    #[serde(default)]
    pub on_shift: bool,
    #[serde(default)]
    pub confirm: bool,
    /// "You may not pass this on for immigration purposes": `true` accepts it.
    #[serde(default)]
    pub onward_rule_accepted: bool,
}

impl AssessmentIn {
    /// Whom it is about, and the assessment.
    pub fn parse(self, attempt: &Attempt) -> Result<(Named, Draft), Vec<FieldError>> {
        let mut wrong = Wrong::default();
        let named = named(&mut wrong, self.referral, self.person, self.identity);
        let instrument = wrong.code("instrument", &self.instrument, Instrument::parse);
        let grade = wrong.code("grade", &self.grade, Grade::parse);
        let basis = wrong.code("basis", &self.basis, GradeBasis::parse);
        let assessed_at = wrong.when("assessed_at", Some(&self.assessed_at));
        let valid_until = wrong.when("valid_until", self.valid_until.as_ref());
        let items = items(&mut wrong, &self.items);
        code_like(
            &mut wrong,
            "instrument_version",
            &self.instrument_version,
            TOOL_CODE_CHARS_MAX,
        );
        let needs = wrong.codes("needs", &self.needs, Need::parse);
        let judgement_codes = wrong.codes(
            "judgement_codes",
            &self.judgement_codes,
            JudgementReason::parse,
        );
        let replaces = self
            .replaces
            .as_ref()
            .and_then(|replaces| replaces.parse(&mut wrong));
        let disagreements = disagreements(&mut wrong, &self.disagreements);
        let judgement_reasons = lines(&mut wrong, "judgement_reasons", &self.judgement_reasons);
        let adjustments = lines(&mut wrong, "adjustments", &self.adjustments);
        let phone = self.safe_person_phone.as_ref().and_then(|text| {
            let phone = Phone::parse(text.text());
            if let Err(bad) = &phone {
                wrong.add("safe_person_phone", bad.0);
            }
            phone.ok()
        });
        let safety = SafetyCard {
            do_not_tell: lines(&mut wrong, "do_not_tell", &self.do_not_tell),
            safe_person: self
                .safe_person
                .as_ref()
                .and_then(|text| line(&mut wrong, "safe_person", text)),
            safe_person_phone: phone.map(|phone| phone.as_str().to_owned()),
        };
        let consents = consents(&mut wrong, attempt, &self.consents);
        match (named, instrument, grade, basis, assessed_at) {
            (Some(named), Some(instrument), Some(grade), Some(basis), Some(assessed_at))
                if wrong.0.is_empty() =>
            {
                let card = Card {
                    instrument,
                    instrument_version: self.instrument_version,
                    // Counted from the answers.
                    ticks: None,
                    grade,
                    basis,
                    judgement_codes,
                    judgement_reasons,
                    assessor_role: attempt.role,
                    // Replaced by the kind of the caller's organisation, which is not hers to say.
                    assessor_kind: OrgKind::VoluntaryGeneric,
                    assessor_trained: self.assessor_trained,
                    assessed_at,
                    needs,
                    adjustments,
                };
                let draft = Draft {
                    card,
                    answers: Answers { items },
                    safety,
                    valid_until,
                    consents,
                    replaces,
                    disagreements,
                };
                Ok((named, draft))
            }
            _ => Err(wrong.0),
        }
    }
}

impl ReplacesIn {
    fn parse(&self, wrong: &mut Wrong) -> Option<Replaces> {
        let assessment = reference(wrong, "replaces.assessment", &self.assessment);
        let how = wrong.code("replaces.how", &self.how, ReplaceHow::parse);
        let because = wrong.code("replaces.because", &self.because, ReplaceReason::parse);
        Some(Replaces {
            assessment: assessment?,
            how: how?,
            because: because?,
        })
    }
}

fn disagreements(wrong: &mut Wrong, given: &[DisagreementIn]) -> Vec<Differs> {
    if given.len() > DISAGREEMENTS_MAX {
        wrong.add("disagreements", "at most 8");
        return Vec::new();
    }
    let parsed = given.iter().filter_map(|one| {
        let assessment = reference(wrong, "disagreements.assessment", &one.assessment);
        let because = wrong.code(
            "disagreements.because",
            &one.because,
            DisagreementReason::parse,
        );
        Some(Differs {
            assessment: assessment?,
            because: because?,
        })
    });
    parsed.collect()
}

impl AssessmentQueryIn {
    /// Whom it is about, how far it goes, and her consent to ask.
    pub fn parse(
        self,
        attempt: &Attempt,
    ) -> Result<(Named, Step, Option<Consent>), Vec<FieldError>> {
        let mut wrong = Wrong::default();
        let named = named(&mut wrong, self.referral, self.person, self.identity);
        let step = step(&mut wrong, self.step.as_deref(), self.assessment.as_deref());
        let consent = self
            .consent
            .as_ref()
            .and_then(|consent| stated(&mut wrong, attempt, consent, Opens::Query));
        match (named, step) {
            (Some(named), Some(step)) => wrong.finish((named, step, consent)),
            (_, _) => Err(wrong.0),
        }
    }
}

fn step(wrong: &mut Wrong, step: Option<&str>, assessment: Option<&str>) -> Option<Step> {
    let Some(code) = step else {
        wrong.add("step", "say how far you ask: exists, cards or answers");
        return None;
    };
    let depth = wrong.code("step", code, ConsentDepth::parse)?;
    match (depth, assessment) {
        (ConsentDepth::Exists, None) => Some(Step::Exists),
        (ConsentDepth::Cards, None) => Some(Step::Cards),
        (ConsentDepth::Answers, Some(alias)) => {
            reference(wrong, "assessment", alias).map(Step::Answers)
        }
        (ConsentDepth::Answers, None) => {
            wrong.add("assessment", "say which: the id of one that the cards gave");
            None
        }
        (ConsentDepth::Exists | ConsentDepth::Cards, Some(_)) => {
            wrong.add(
                "assessment",
                "leave this out: it belongs to the step answers",
            );
            None
        }
    }
}

impl AssessmentWithdrawIn {
    /// Under whom it stands, and why it goes.
    pub fn parse(self) -> Result<(Named, WithdrawnBecause), Vec<FieldError>> {
        let mut wrong = Wrong::default();
        let named = named(&mut wrong, self.referral, self.person, self.identity);
        let because = wrong.code("because", &self.because, WithdrawnBecause::parse);
        match (named, because) {
            (Some(named), Some(because)) => wrong.finish((named, because)),
            (_, _) => Err(wrong.0),
        }
    }
}

impl OwnAssessmentsIn {
    /// Whom it is about.
    pub fn parse(self) -> Result<Named, Vec<FieldError>> {
        let mut wrong = Wrong::default();
        let named = named(&mut wrong, self.referral, self.person, self.identity);
        finish(named, (), wrong).map(|(named, ())| named)
    }
}

impl ReliedOnIn {
    /// Whom it is about, and why she was asked again, if she was.
    pub fn parse(self) -> Result<(Named, Option<ReassessReason>), Vec<FieldError>> {
        let mut wrong = Wrong::default();
        let named = named(&mut wrong, self.referral, self.person, self.identity);
        let because = self
            .reassessed_because
            .as_ref()
            .and_then(|code| wrong.code("reassessed_because", code, ReassessReason::parse));
        finish(named, because, wrong)
    }
}

/// An emergency as parsed; [`Breaking::glass`] adds whom it is about.
pub struct Breaking {
    reason: EmergencyReason,
    words: Unread,
    on_shift: bool,
    confirm: bool,
    onward_rule_accepted: bool,
}

impl Breaking {
    pub fn glass(self, subject: Subject) -> Glass {
        Glass {
            subject,
            reason: self.reason,
            words: self.words,
            on_shift: self.on_shift,
            confirm: self.confirm,
            onward_rule_accepted: self.onward_rule_accepted,
        }
    }
}

impl EmergencyIn {
    /// Whom it is about, and why. That the reason is long enough is judged with the caller's role.
    pub fn parse(self) -> Result<(Named, Breaking), Vec<FieldError>> {
        let mut wrong = Wrong::default();
        let named = named(&mut wrong, self.referral, self.person, self.identity);
        let reason = wrong.code("reason", &self.reason, EmergencyReason::parse);
        let words = self.text.unread("text");
        if words.chars() > REASON_CHARS_MAX {
            wrong.add("text", "at most 1,000 characters");
        }
        let breaking = reason.map(|reason| Breaking {
            reason,
            words,
            on_shift: self.on_shift,
            confirm: self.confirm,
            onward_rule_accepted: self.onward_rule_accepted,
        });
        match (named, breaking) {
            (Some(named), Some(breaking)) if wrong.0.is_empty() => Ok((named, breaking)),
            _ => Err(wrong.0),
        }
    }
}

fn finish<T>(named: Option<Named>, value: T, wrong: Wrong) -> Result<(Named, T), Vec<FieldError>> {
    match named {
        Some(named) => wrong.finish((named, value)),
        None => Err(wrong.0),
    }
}

/// Exactly one of the three ways to name her.
fn named(
    wrong: &mut Wrong,
    referral: Option<String>,
    person: Option<String>,
    identity: Option<IdentityIn>,
) -> Option<Named> {
    match (referral, person, identity) {
        (Some(alias), None, None) => reference(wrong, "referral", &alias).map(Named::Referral),
        (None, Some(alias), None) => reference(wrong, "person", &alias).map(Named::Person),
        (None, None, Some(identity)) => Some(Named::Identity(Box::new(identity.raw()))),
        _ => {
            wrong.add(
                "identity",
                "give one of referral, person and identity, to say whom it is about",
            );
            None
        }
    }
}

fn reference(wrong: &mut Wrong, field: &'static str, text: &str) -> Option<Id> {
    let id = Id::parse(text);
    if id.is_none() {
        wrong.add(field, "give the 26 characters as you received them");
    }
    id
}

fn items(wrong: &mut Wrong, given: &[ItemIn]) -> Vec<Item> {
    if given.len() > ITEMS_MAX {
        wrong.add("items", "at most 60");
        return Vec::new();
    }
    given
        .iter()
        .filter_map(|item| {
            code_like(wrong, "items.code", &item.code, TOOL_CODE_CHARS_MAX);
            let answer = wrong.code("items.answer", &item.answer, ItemAnswer::parse)?;
            Some(Item {
                code: item.code.clone(),
                answer,
            })
        })
        .collect()
}

fn lines(wrong: &mut Wrong, field: &'static str, given: &[FreeText]) -> Vec<String> {
    if given.len() > LINES_MAX {
        wrong.add(field, "at most 10");
        return Vec::new();
    }
    given
        .iter()
        .filter_map(|text| line(wrong, field, text))
        .collect()
}

fn line(wrong: &mut Wrong, field: &'static str, text: &FreeText) -> Option<String> {
    match Line::<LINE_CHARS_MAX>::parse(text.text()) {
        Ok(line) => Some(line.as_str().to_owned()),
        Err(bad) => {
            wrong.add(field, bad.0);
            None
        }
    }
}

fn consents(wrong: &mut Wrong, attempt: &Attempt, given: &[ConsentIn]) -> Vec<Consent> {
    const _: () = assert!(CONSENTS_MAX <= LIST_MAX, "as many as any list may hold");
    if given.len() > CONSENTS_MAX {
        wrong.add(
            "consents",
            "at most 8; one consent may name several recipients",
        );
        return Vec::new();
    }
    given
        .iter()
        .filter_map(|consent| stated(wrong, attempt, consent, Opens::Share))
        .collect()
}

/// Consent as stated, for earlier assessments: which way it opens follows from where it stands.
fn stated(
    wrong: &mut Wrong,
    attempt: &Attempt,
    consent: &ConsentIn,
    opens: Opens,
) -> Option<Consent> {
    let other = match opens {
        Opens::Share => "query",
        Opens::Query => "share",
    };
    if consent.opens.as_deref() == Some(other) {
        wrong.add(
            "consent.opens",
            "this belongs to another request; leave it out here",
        );
    }
    let purposes = [ASSESSMENT_PURPOSE];
    let org = attempt.organisation();
    match consent.parse(org, attempt.when, &ASSESSMENT_CLASSES, &purposes) {
        Ok(given) => {
            let names_nobody =
                given.recipients.organisations.is_empty() && given.recipients.families.is_empty();
            let permits = given.consent.decision == ConsentDecision::Permit;
            if opens == Opens::Share && permits && names_nobody {
                wrong.add(
                    "consent.recipients",
                    "name the organisations or families of services that she allows to be told",
                );
            }
            if opens == Opens::Query && !permits {
                wrong.add(
                    "consent.decision",
                    "she refused: record that with POST /v1/consents, and do not ask",
                );
            }
            Some(Consent {
                opens,
                recipients: given.recipients,
                ..given.consent
            })
        }
        Err(errors) => {
            wrong.0.extend(errors);
            None
        }
    }
}

#[cfg(test)]
mod tests;
