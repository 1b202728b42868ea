//! The people of the demo, all invented: NHS numbers of the 999 range, telephone numbers of the
//! 07700 900 range, which reach nobody.

use serde_json::{Value, json};

use crate::domain::time::When;

/// The woman of the story.
pub const GIVEN_NAME: &str = "Amina";
pub const FAMILY_NAME: &str = "Karim";
pub const NHS_NUMBER: &str = "9990000018";
pub const HER_PHONE: &str = "07700 900123";
/// Whom she trusts, and who answers at night.
pub const SAFE_PERSON: &str = "her sister Leila";
pub const SAFE_PHONE: &str = "07700 900456";
pub const DO_NOT_TELL: &str = "her husband and his brothers";
pub const DUTY_LINE: &str = "07700 900314";

/// The note as the officer first wrote it, and as he sends it in the end.
pub const NOTE: &str = "Her visa expired in March and he says he will report her. She is afraid \
                        to go home tonight.";
pub const NEUTRAL_NOTE: &str =
    "She needs specialist legal advice. She is afraid to go home tonight.";

/// The identity of the woman of the story.
pub fn her() -> Value {
    json!({
        "given_name": GIVEN_NAME, "family_name": FAMILY_NAME, "birth_date": "1991-03-14",
        "nhs_number": NHS_NUMBER,
    })
}

/// A person of whom no organisation has ever recorded anything.
pub fn nobody() -> Value {
    json!({
        "given_name": "Norah", "family_name": "Veldt", "birth_date": "1984-11-02",
        "nhs_number": "9990000026",
    })
}

/// Consent, given to the officer or worker himself, alone with her.
pub fn consent(given_at: When) -> Value {
    json!({
        "decision": "permit", "strength": "explicit", "how": "spoken", "given_by": "self",
        "other_party_present": "no", "given_at": given_at.rfc3339(),
    })
}

/// A referral for domestic abuse to `service`, with the note if there is one.
pub fn referral(service: &str, identity: &Value, reported_at: When, note: Option<&str>) -> Value {
    let mut referral = json!({
        "service": service,
        "direction": "police",
        "offence_group": "domestic_abuse",
        "reported_to_police": "yes",
        "reported_at": reported_at.rfc3339(),
        "urgency": "high",
        "priority_category": ["vulnerable"],
        "needs": ["housing_safe", "legal_advice_other"],
        "area": "E09000022",
        "preferences": { "worker_gender": "woman" },
        "identity": identity,
        "safe_contact": {
            "modes": ["phone"], "number": HER_PHONE, "hours": "weekdays 10:00 to 14:00",
            "who_may_answer": "only she herself", "code_word": "library card",
            "language_need": "ur",
        },
        "consent": consent(reported_at),
    });
    if let (Some(note), Value::Object(map)) = (note, &mut referral) {
        map.insert("note".to_owned(), json!(note));
    }
    referral
}

/// What the hospital asked her, and with whom she allows it to be shared.
pub fn assessment(assessed_at: When, recipient: &str) -> Value {
    let items: Vec<Value> = (1..=24)
        .map(|number| {
            let answer = if number % 3 == 0 { "no" } else { "yes" };
            json!({ "code": format!("q{number}"), "answer": answer })
        })
        .collect();
    let mut share = consent(assessed_at);
    if let Value::Object(map) = &mut share {
        map.insert("opens".to_owned(), json!("share"));
        map.insert(
            "recipients".to_owned(),
            json!({ "organisations": [recipient] }),
        );
        map.insert("classes".to_owned(), json!(["op", "sp"]));
        map.insert("purposes".to_owned(), json!(["prior_assessment"]));
        map.insert("depth".to_owned(), json!("answers"));
    }
    json!({
        "identity": her(),
        "instrument": "safelives_dash_24", "instrument_version": "2015",
        "items": items, "grade": "high", "basis": "professional_judgement",
        "judgement_codes": ["violence_growing"],
        "judgement_reasons": ["The violence has grown in the last month"],
        "assessor_trained": true, "assessed_at": assessed_at.rfc3339(),
        "needs": ["housing_safe"],
        "do_not_tell": [DO_NOT_TELL], "safe_person": SAFE_PERSON, "safe_person_phone": SAFE_PHONE,
        "consents": [share],
    })
}

/// That a service may be told what others hold.
pub fn consent_to_ask(given_at: When) -> Value {
    let mut consent = consent(given_at);
    if let Value::Object(map) = &mut consent {
        map.insert("opens".to_owned(), json!("query"));
        map.insert("classes".to_owned(), json!(["op", "sp"]));
        map.insert("purposes".to_owned(), json!(["prior_assessment"]));
        map.insert("depth".to_owned(), json!("answers"));
    }
    consent
}

/// An emergency, before and after its user has read who will be told.
pub fn emergency(confirm: bool) -> Value {
    json!({
        "identity": her(), "reason": "cannot_consent_and_harm_likely",
        "text": "Unconscious after an assault, cannot be asked; who is safe to call?",
        "on_shift": true, "confirm": confirm, "onward_rule_accepted": confirm,
    })
}

/// "Has she been assessed before?", by whoever accepts that it may not be passed on: for the cards.
pub fn question(identity: &Value) -> Value {
    json!({ "identity": identity, "step": "cards", "onward_rule_accepted": true })
}

/// The same, by the caller's own reference of her.
pub fn question_of(person: &Value) -> Value {
    json!({ "person": person, "step": "cards", "onward_rule_accepted": true })
}

/// A person to try against, and the service that plays the other side.
pub struct TestPerson {
    pub outcome: &'static str,
    pub service: &'static str,
    pub says: &'static str,
    given_name: &'static str,
    nhs_number: &'static str,
}

/// Whoever is referred to one of these services, what comes of it is fixed.
pub const TEST_PEOPLE: [TestPerson; 4] = [
    TestPerson {
        outcome: "full",
        service: "test-full",
        says: "accepted within seconds, closed with an outcome half a minute later",
        given_name: "Fulla",
        nhs_number: "9990000034",
    },
    TestPerson {
        outcome: "declines",
        service: "test-declines",
        says: "declined within seconds; the referrer sees no difference",
        given_name: "Dinah",
        nhs_number: "9990000042",
    },
    TestPerson {
        outcome: "slow",
        service: "test-slow",
        says: "on a waiting list at once, accepted after a minute",
        given_name: "Selma",
        nhs_number: "9990000050",
    },
    TestPerson {
        outcome: "withdraws",
        service: "test-withdraws",
        says: "accepted within seconds; ten seconds later she withdraws everything",
        given_name: "Wilma",
        nhs_number: "9990000069",
    },
];

impl TestPerson {
    pub fn identity(&self) -> Value {
        json!({
            "given_name": self.given_name, "family_name": "Testperson",
            "birth_date": "1990-01-01", "nhs_number": self.nhs_number,
        })
    }
}
