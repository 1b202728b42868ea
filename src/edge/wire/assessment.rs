//! What partners send about prior assessments and emergencies.
//!
//! There is no field for therapy notes, for an address or for anything about immigration, and none
//! is taken. Whom it is about is named in exactly one of three ways.

use serde::Deserialize;
use utoipa::ToSchema;

use super::text::{FreeText, code_like};
use super::{ConsentIn, IdentityIn, LIST_MAX, Secret, Wrong};
use crate::domain::assessment::{
    ASSESSMENT_CLASSES, ASSESSMENT_PURPOSE, Answers, ITEMS_MAX, Item, SafetyCard,
};
use crate::domain::attempt::Attempt;
use crate::domain::codes::{
    ConsentDecision, EmergencyReason, Grade, GradeBasis, Instrument, ItemAnswer, Need, OrgKind,
    ReassessReason,
};
use crate::domain::consent::{Consent, Opens};
use crate::domain::firewall::hold::Unread;
use crate::domain::id::Id;
use crate::domain::journey::assessing::Draft;
use crate::domain::journey::emergency::Glass;
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
    /// The tool's own code of the question, as `q7`.
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
    pub instrument_version: String,
    #[serde(default)]
    pub items: Vec<ItemIn>,
    pub grade: String,
    /// On what the grade rests: `score`, `professional_judgement`, `escalation` or
    /// `specialist_review`.
    pub basis: String,
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
                let answers = Answers {
                    instrument,
                    instrument_version: self.instrument_version,
                    items,
                    grade,
                    basis,
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
                    answers,
                    safety,
                    valid_until,
                    consents,
                };
                Ok((named, draft))
            }
            _ => Err(wrong.0),
        }
    }
}

impl AssessmentQueryIn {
    /// Whom it is about, and her consent to ask.
    pub fn parse(self, attempt: &Attempt) -> Result<(Named, Option<Consent>), Vec<FieldError>> {
        let mut wrong = Wrong::default();
        let named = named(&mut wrong, self.referral, self.person, self.identity);
        let consent = self
            .consent
            .as_ref()
            .and_then(|consent| stated(&mut wrong, attempt, consent, Opens::Query));
        finish(named, consent, wrong)
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
mod tests {
    use super::*;
    use serde_json::{Value, json};

    use crate::domain::codes::Action;
    use crate::domain::codes::ConsentDepth;
    use crate::domain::journey::trial;

    fn assessment() -> Value {
        json!({
            "identity": {"nhs_number": "9990000018", "family_name": "Khan"},
            "instrument": "safelives_dash_24",
            "instrument_version": "2014",
            "items": [{"code": "q1", "answer": "yes"}, {"code": "q2", "answer": "declined"}],
            "grade": "high",
            "basis": "professional_judgement",
            "judgement_reasons": ["threats are escalating"],
            "assessor_trained": true,
            "assessed_at": "2026-04-02T21:10:00+01:00",
            "safe_person": "her sister",
            "safe_person_phone": "07700 900123",
            "consents": [{"decision": "permit", "how": "spoken", "other_party_present": "no",
                "depth": "cards",
                "recipients": {"organisations": ["lantern"]}}],
        })
    }

    fn parse(value: Value) -> Result<(Named, Draft), Vec<FieldError>> {
        let sent: AssessmentIn = serde_json::from_value(value).unwrap();
        sent.parse(&trial::attempt("trust", Action::RecordAssessment))
    }

    #[test]
    fn an_assessment_is_read() {
        let (named, draft) = parse(assessment()).ok().unwrap();
        assert!(matches!(named, Named::Identity(_)));
        assert_eq!(draft.answers.ticks(), 1);
        assert_eq!(
            draft.safety.safe_person_phone.as_deref(),
            Some("+447700900123")
        );
        assert_eq!(draft.consents.len(), 1);
        assert_eq!(draft.consents[0].opens, Opens::Share);
        assert_eq!(draft.consents[0].purposes, [ASSESSMENT_PURPOSE]);
        assert_eq!(draft.consents[0].depth, Some(ConsentDepth::Cards));
    }

    #[test]
    fn a_permit_says_how_far_it_reaches_and_a_refusal_does_not() {
        let said = |change: fn(&mut Value)| {
            let mut value = assessment();
            change(&mut value["consents"][0]);
            parse(value)
        };
        let wrong: [fn(&mut Value); 4] = [
            |consent| consent["depth"] = json!(null),
            |consent| consent["depth"] = json!("everything"),
            |consent| consent["purposes"] = json!(["support"]),
            |consent| consent["decision"] = json!("deny"),
        ];
        for change in wrong {
            let errors = said(change).err().unwrap();
            assert_eq!(errors[0].field, "consent.depth");
        }
        let refused = said(|consent| {
            consent["decision"] = json!("deny");
            consent["depth"] = json!(null);
        });
        let (_, draft) = refused.ok().unwrap();
        assert_eq!(draft.consents[0].depth, None);
    }

    #[test]
    fn there_is_no_field_for_notes_or_immigration() {
        for field in [
            "therapy_notes",
            "note",
            "nationality",
            "immigration_status",
            "ticks",
        ] {
            let mut value = assessment();
            value[field] = json!("x");
            assert!(
                serde_json::from_value::<AssessmentIn>(value).is_err(),
                "{field}"
            );
        }
    }

    #[test]
    fn whom_it_is_about_is_said_in_exactly_one_way() {
        let id = Id::from_bytes([7; 16]).to_string();
        for (change, field) in [
            (json!({"referral": id}), "identity"),
            (json!({"identity": null}), "identity"),
            (json!({"identity": null, "person": "R-7"}), "person"),
        ] {
            let mut value = assessment();
            for (key, to) in change.as_object().unwrap() {
                value[key] = to.clone();
            }
            let errors = parse(value).err().unwrap();
            assert_eq!(errors[0].field, field);
        }
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once_and_no_value_is_repeated() {
        let mut value = assessment();
        value["grade"] = json!("extreme");
        value["items"] = json!([{"code": "her visa expired", "answer": "maybe"}]);
        value["consents"][0]["recipients"] = json!({});
        value["safe_person_phone"] = json!("sister");
        let errors = parse(value).err().unwrap();
        let mut fields: Vec<&str> = errors.iter().map(|error| error.field).collect();
        fields.sort_unstable();
        assert_eq!(
            fields,
            [
                "consent.recipients",
                "grade",
                "items.answer",
                "items.code",
                "safe_person_phone"
            ]
        );
        assert!(!format!("{errors:?}").contains("visa"));
    }

    #[test]
    fn a_question_carries_consent_to_ask_and_no_other() {
        let attempt = trial::attempt("lantern", Action::QueryAssessments);
        let mut value = json!({
            "person": Id::from_bytes([7; 16]).to_string(),
            "consent": {"decision": "permit", "how": "spoken", "other_party_present": "no",
                "depth": "answers"},
        });
        let sent: AssessmentQueryIn = serde_json::from_value(value.clone()).unwrap();
        let (_, consent) = sent.parse(&attempt).ok().unwrap();
        assert_eq!(consent.unwrap().opens, Opens::Query);
        value["consent"]["opens"] = json!("share");
        let sent: AssessmentQueryIn = serde_json::from_value(value).unwrap();
        assert_eq!(
            sent.parse(&attempt).err().unwrap()[0].field,
            "consent.opens"
        );
    }

    #[test]
    fn an_emergency_and_a_reliance_are_read() {
        let id = Id::from_bytes([7; 16]).to_string();
        let sent: EmergencyIn = serde_json::from_value(json!({
            "person": id, "reason": "life_at_risk", "text": "  unconscious  ",
        }))
        .unwrap();
        let (_, breaking) = sent.parse().ok().unwrap();
        assert_eq!(breaking.words.chars(), 11);
        assert!(!breaking.on_shift && !breaking.confirm);
        let sent: ReliedOnIn =
            serde_json::from_value(json!({"referral": id, "reassessed_because": "mood"})).unwrap();
        assert_eq!(sent.parse().err().unwrap()[0].field, "reassessed_because");
    }
}
