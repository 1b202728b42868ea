//! What is taken of an assessment, a question and an emergency, and what is sent back.

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
    assert_eq!(draft.answers.items.len(), 2);
    assert_eq!(draft.card.ticks, None);
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
        "person": Id::from_bytes([7; 16]).to_string(), "step": "cards",
        "consent": {"decision": "permit", "how": "spoken", "other_party_present": "no",
            "depth": "answers"},
    });
    let sent: AssessmentQueryIn = serde_json::from_value(value.clone()).unwrap();
    let (_, step, consent) = sent.parse(&attempt).ok().unwrap();
    assert_eq!((step, consent.unwrap().opens), (Step::Cards, Opens::Query));
    value["consent"]["opens"] = json!("share");
    let sent: AssessmentQueryIn = serde_json::from_value(value).unwrap();
    assert_eq!(
        sent.parse(&attempt).err().unwrap()[0].field,
        "consent.opens"
    );
}

#[test]
fn a_question_says_how_far_it_goes_and_of_which_assessment() {
    let id = Id::from_bytes([7; 16]);
    let parse = |step: Value, assessment: Value| {
        let asked = json!({ "person": id.to_string(), "step": step, "assessment": assessment });
        let sent: AssessmentQueryIn = serde_json::from_value(asked).unwrap();
        let parsed = sent.parse(&trial::attempt("lantern", Action::QueryAssessments));
        parsed
            .map(|(_, step, _)| step)
            .map_err(|wrong| wrong[0].field)
    };
    let (none, one) = (json!(null), json!(id.to_string()));
    assert_eq!(parse(json!("exists"), none.clone()), Ok(Step::Exists));
    assert_eq!(parse(json!("answers"), one.clone()), Ok(Step::Answers(id)));
    assert_eq!(parse(none.clone(), none.clone()), Err("step"));
    assert_eq!(parse(json!("everything"), none.clone()), Err("step"));
    assert_eq!(parse(json!("answers"), none), Err("assessment"));
    assert_eq!(parse(json!("cards"), one), Err("assessment"));
}

#[test]
fn what_is_replaced_or_disagreed_with_is_named_with_a_code() {
    let id = Id::from_bytes([7; 16]).to_string();
    let mut value = assessment();
    value["replaces"] = json!({ "assessment": id, "how": "correction", "because": "left_out" });
    value["disagreements"] = json!([{ "assessment": id, "because": "she_told_more" }]);
    value["judgement_codes"] = json!(["strangulation"]);
    let (_, draft) = parse(value.clone()).ok().unwrap();
    assert!(draft.replaces.is_some());
    assert_eq!(draft.disagreements.len(), 1);
    value["replaces"]["because"] = json!("mood");
    value["disagreements"][0]["assessment"] = json!("the other one");
    let errors = parse(value).err().unwrap();
    let fields: Vec<&str> = errors.iter().map(|error| error.field).collect();
    assert_eq!(fields, ["replaces.because", "disagreements.assessment"]);
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
