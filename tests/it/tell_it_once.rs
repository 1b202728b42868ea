//! "Has she been assessed before?" (`domain.md` 3.2), through the whole gateway: what each step tells,
//! what it checks, what the log says of it, in which words; and that whatever is missing, the answer
//! is byte for byte the one about a woman whom nobody knows.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use firedoor::domain::codes::Role;
use firedoor::ops::demo::borough::{CHARITY, SERVICE};
use firedoor::ops::demo::people::{
    DO_NOT_TELL, SAFE_PHONE, assessment, consent_to_ask, nobody, question, referral,
};
use serde_json::{Value, json};

use crate::town::{Desk, Said, Town, ago};

const PATH: &str = "/v1/assessments/query";

fn person(number: u32) -> Value {
    let nhs_number = [
        "9990000018",
        "9990000034",
        "9990000042",
        "9990000050",
        "9990000069",
    ];
    json!({
        "given_name": "Ferhana", "family_name": "Ossewa",
        "birth_date": format!("1986-07-{:02}", 10 + number),
        "nhs_number": nhs_number[number as usize],
    })
}

struct Story {
    town: Town,
    hospital: Desk,
    charity: Desk,
}

impl Story {
    async fn begin() -> Self {
        let town = Town::start().await;
        Self {
            hospital: town.desk("st-hildas").await,
            charity: town.desk("larkfield").await,
            town,
        }
    }

    /// The hospital records what was assessed of her; its id there.
    async fn assessed(&self, body: &Value) -> String {
        let said = self.hospital.post("/v1/assessments", body).await;
        assert_eq!(said.status, 201, "{}", said.body);
        said.id().to_owned()
    }

    /// Police refer her and the charity accepts; what it calls the referral.
    async fn accepted(&self, identity: &Value) -> String {
        let officer = self.town.desk("met").await;
        let sent = referral(SERVICE, identity, ago(2), None);
        let said = officer.post("/v1/referrals", &sent).await;
        assert_eq!(said.status, 201, "{}", said.body);
        let triage = self.charity.as_user("r-osei", Role::Triage);
        let inbox = triage.get("/v1/inbox").await;
        let mut offers = inbox.list("/offers").iter();
        let open = offers.find(|offer| offer["status"] == "offered").unwrap();
        let id = open["id"].as_str().unwrap();
        let accept = json!({ "worker": "r-osei", "onward_rule_accepted": true });
        let path = format!("/v1/referrals/{id}/accept");
        assert_eq!(triage.post(&path, &accept).await.status, 200);
        id.to_owned()
    }

    /// The charity asks, with her consent as deep as `depth`.
    async fn ask(&self, identity: &Value, step: &str, depth: &str) -> Said {
        let mut asked = question(identity);
        asked["step"] = json!(step);
        asked["consent"] = consent_to_ask(ago(1));
        asked["consent"]["depth"] = json!(depth);
        self.charity.post(PATH, &asked).await
    }

    async fn answers(&self, identity: &Value, id: &str) -> Said {
        let mut asked = question(identity);
        asked["step"] = json!("answers");
        asked["assessment"] = json!(id);
        self.charity.post(PATH, &asked).await
    }

    /// The same bytes as about a woman whom nobody knows.
    async fn is_silence(&self, said: &Said) {
        let mut asked = question(&nobody());
        asked["consent"] = consent_to_ask(ago(1));
        let nothing = self.charity.post(PATH, &asked).await;
        assert_eq!(said.result(), "nothing-to-show", "{}", said.body);
        assert_eq!(said.silent(), nothing.silent());
        assert_eq!(said.bytes.len(), nothing.bytes.len());
        assert_eq!(said.status, nothing.status);
    }
}

/// The hospital's assessment of her, shared with the charity as deep as `depth`.
fn shared(identity: &Value, depth: &str) -> Value {
    let mut body = assessment(ago(3), CHARITY);
    body["identity"] = identity.clone();
    body["consents"][0]["depth"] = json!(depth);
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn she_tells_it_once_and_the_charity_asks_in_three_steps() {
    let story = Story::begin().await;
    let her = person(0);
    let at_hospital = story.assessed(&shared(&her, "answers")).await;
    story.accepted(&her).await;

    // Step 1: that something exists, and nothing of it.
    let exists = story.ask(&her, "exists", "answers").await;
    assert_eq!(exists.result(), "assessment-exists", "{}", exists.body);
    assert_eq!(exists.body["identity_confirmed"], true);
    assert!(
        exists
            .text("/says")
            .unwrap()
            .starts_with("An earlier assessment exists.")
    );
    for word in [
        "hildas",
        "high",
        "health",
        "safelives",
        at_hospital.as_str(),
        "2026-",
    ] {
        let text = exists.whole().replace(exists.text("/receipt").unwrap(), "");
        let text = text.replace(exists.text("/date").unwrap(), "");
        assert!(!text.contains(word), "{word}: {}", exists.body);
    }

    // Step 2: the card. What was judged stands apart from what was counted; no answer is on it.
    let cards = story.ask(&her, "cards", "answers").await;
    assert_eq!(cards.result(), "assessments", "{}", cards.body);
    let [card] = cards.list("/assessments") else {
        panic!("{}", cards.body);
    };
    assert_eq!(card["instrument"], "safelives_dash_24");
    assert_eq!(
        (&card["ticks"], &card["grade"]),
        (&json!(16), &json!("high"))
    );
    assert_eq!(card["grade_basis"], "professional_judgement");
    assert_eq!(card["judgement_codes"], json!(["violence_growing"]));
    assert_eq!(card["assessor_service"], "health");
    assert_eq!(card["assessor_role"], "clinician");
    let usual = card["ticks_in_local_practice"].as_str().unwrap();
    assert!(
        usual.starts_with("Usual in local practice, and no grade: "),
        "{usual}"
    );
    assert_eq!(cards.body["disagreement"], Value::Null);
    assert!(
        cards
            .text("/read_aloud")
            .unwrap()
            .ends_with("You can stop this at any time.")
    );
    for word in [
        "items",
        "hildas",
        "adeyemi",
        DO_NOT_TELL,
        SAFE_PHONE.get(6..).unwrap(),
        &at_hospital,
    ] {
        assert!(!cards.whole().contains(word), "{word}: {}", cards.body);
    }

    // Step 3: every answer of the one that the card named.
    let id = card["id"].as_str().unwrap();
    let answers = story.answers(&her, id).await;
    assert_eq!(answers.result(), "assessment-answers", "{}", answers.body);
    let items = answers.list("/assessment/items");
    assert_eq!(items.len(), 24);
    assert_eq!(items[0]["code"], "q1");
    assert_eq!(items[0]["label"], "injury in this incident");
    assert!(!answers.whole().contains(DO_NOT_TELL));

    // Each is its own entry, and says which step it was: to the asker's officer, and to the holder's.
    let steps = [&exists, &cards, &answers].map(Said::entry);
    assert!(steps.windows(2).all(|pair| pair[0] < pair[1]));
    for bundle in ["larkfield-ig", "st-hildas-ig"] {
        let officer = story.town.signed_in(bundle).await;
        let entries = officer.get("/v1/audit/entries").await;
        let of = |index: u64| {
            let mut all = entries.list("/entries").iter();
            all.find(|entry| entry["entry"] == index).unwrap().clone()
        };
        let told: Vec<Value> = steps
            .iter()
            .map(|index| {
                json!([
                    of(*index)["reason"],
                    of(*index)["step"],
                    of(*index)["asked"]
                ])
            })
            .collect();
        assert_eq!(
            json!(told),
            json!([
                ["exists", "whether an earlier assessment exists", ["op"]],
                [
                    "cards",
                    "what earlier assessments say in short",
                    ["op", "sp"]
                ],
                ["answers", "every answer of one assessment", ["op", "sp"]],
            ]),
            "{bundle}"
        );
        if bundle == "st-hildas-ig" {
            assert_eq!(of(steps[0])["decided"]["disclosed"], json!(["op"]));
            assert_eq!(
                of(steps[1])["decided"]["consents"]
                    .as_array()
                    .unwrap()
                    .len(),
                2
            );
        } else {
            assert_eq!(of(steps[0])["decided"], Value::Null);
        }
    }

    // "Relied on": what was shown.
    let path = format!("/v1/assessments/{id}/relied-on");
    let said = story.charity.post(&path, &json!({ "identity": her })).await;
    assert_eq!(said.result(), "relied-on");
    story.town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_her_consents_do_not_reach_is_the_same_bytes_as_nothing() {
    let story = Story::begin().await;
    // She lets the hospital say that there is something, and no more.
    let her = person(0);
    story.assessed(&shared(&her, "exists")).await;
    story.accepted(&her).await;
    let exists = story.ask(&her, "exists", "answers").await;
    assert_eq!(exists.result(), "assessment-exists");
    story
        .is_silence(&story.ask(&her, "cards", "answers").await)
        .await;

    // She lets the charity ask for the cards, and no further; nor before she is asked at all.
    let second = person(1);
    story.assessed(&shared(&second, "answers")).await;
    story.accepted(&second).await;
    story
        .is_silence(&story.charity.post(PATH, &question(&second)).await)
        .await;
    let cards = story.ask(&second, "cards", "cards").await;
    let id = cards.list("/assessments")[0]["id"].as_str().unwrap();
    story.is_silence(&story.answers(&second, id).await).await;

    // Out of date, refused to the hospital, taken back.
    let third = person(2);
    let mut short = shared(&third, "answers");
    short["valid_until"] = json!(ago(1).rfc3339());
    story.assessed(&short).await;
    let mut refused = shared(&third, "answers");
    refused["consents"][0]["decision"] = json!("deny");
    refused["consents"][0]
        .as_object_mut()
        .unwrap()
        .remove("depth");
    story.assessed(&refused).await;
    let wrong = story.assessed(&shared(&third, "answers")).await;
    let path = format!("/v1/assessments/{wrong}/withdraw");
    let body = json!({ "identity": third, "because": "wrong_person" });
    let said = story.hospital.post(&path, &body).await;
    assert_eq!(said.result(), "assessment-withdrawn", "{}", said.body);
    story.accepted(&third).await;
    for step in ["exists", "cards"] {
        story
            .is_silence(&story.ask(&third, step, "answers").await)
            .await;
    }

    // She withdraws: every step, and what was shown before.
    let stop = json!({
        "identity": second, "scope": "purpose", "purposes": ["prior_assessment"],
        "channel": "telephone",
    });
    let helpline = story.town.desk("harbour").await;
    assert_eq!(helpline.post("/v1/withdrawals", &stop).await.status, 200);
    for step in ["exists", "cards"] {
        let mut asked = question(&second);
        asked["step"] = json!(step);
        story
            .is_silence(&story.charity.post(PATH, &asked).await)
            .await;
    }
    story.is_silence(&story.answers(&second, id).await).await;
    // A relationship that the asker has not is nothing too; police have no such route.
    let housing = story.town.desk("council-housing").await;
    story
        .is_silence(&housing.post(PATH, &question(&her)).await)
        .await;
    let officer = story.town.desk("met").await;
    let said = officer.post(PATH, &question(&her)).await;
    assert_eq!((said.status, said.result()), (403, "role-not-allowed"));
    story.town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_name_and_a_birth_date_alone_tell_that_something_exists() {
    let story = Story::begin().await;
    let mut held = person(0);
    held["postcode"] = json!("E8 1DY");
    let named = json!({
        "given_name": "Ferhana", "family_name": "Ossewa", "birth_date": "1986-07-10",
    });
    story.assessed(&shared(&held, "answers")).await;
    // By names and a date of birth alone nobody is found, not even one's own: the referral says who.
    let referral = story.accepted(&named).await;
    let ask = async |step: &str| {
        let mut asked = question(&named);
        asked.as_object_mut().unwrap().remove("identity");
        asked["referral"] = json!(referral);
        asked["step"] = json!(step);
        asked["consent"] = consent_to_ask(ago(1));
        asked["consent"]["depth"] = json!("answers");
        story.charity.post(PATH, &asked).await
    };
    let exists = ask("exists").await;
    assert_eq!(exists.body["identity_confirmed"], false, "{}", exists.body);
    assert!(exists.text("/says").unwrap().contains("Confirm who she is"));
    story.is_silence(&ask("cards").await).await;
    // The hospital is asked, and says that it is her.
    let links = story.hospital.get("/v1/links").await;
    let [link] = links.list("/links") else {
        panic!("{}", links.body);
    };
    assert_eq!(
        (&link["state"], &link["tier"]),
        (&json!("waiting"), &json!("name_dob"))
    );
    let path = format!("/v1/links/{}/confirm", link["id"].as_str().unwrap());
    assert_eq!(
        story.hospital.post(&path, &json!({})).await.result(),
        "confirmed"
    );
    let cards = ask("cards").await;
    assert_eq!(cards.list("/assessments").len(), 1, "{}", cards.body);
    story.town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_services_that_graded_differently_are_both_shown_the_highest_first() {
    let story = Story::begin().await;
    let her = person(0);
    let mut lower = shared(&her, "answers");
    lower["grade"] = json!("medium");
    lower["assessed_at"] = json!(ago(1).rfc3339());
    story.assessed(&lower).await;
    let higher = shared(&her, "answers");
    let other = story.town.desk("harbour").await;
    let said = other.post("/v1/assessments", &higher).await;
    assert_eq!(said.status, 201, "{}", said.body);
    story.accepted(&her).await;
    let cards = story.ask(&her, "cards", "answers").await;
    let grades: Vec<&Value> = cards
        .list("/assessments")
        .iter()
        .map(|card| &card["grade"])
        .collect();
    assert_eq!(grades, ["high", "medium"], "{}", cards.body);
    let banner = cards.text("/disagreement").unwrap();
    assert!(
        banner.starts_with("Two services graded differently. The highest"),
        "{banner}"
    );
    assert!(
        banner.ends_with("a lower one that came later does not replace it."),
        "{banner}"
    );

    // The charity grades by itself, and says from which it differs and why.
    let medium = cards.list("/assessments")[1]["id"].as_str().unwrap();
    let mut own = shared(&her, "answers");
    own["consents"] = json!([]);
    own["disagreements"] = json!([{ "assessment": medium, "because": "she_told_more" }]);
    let said = story.charity.post("/v1/assessments", &own).await;
    assert_eq!(said.status, 201, "{}", said.body);
    let history = story
        .charity
        .post("/v1/assessments/own", &json!({ "identity": her }))
        .await;
    let [one] = history.list("/assessments") else {
        panic!("{}", history.body);
    };
    assert_eq!(
        one["disagreements"],
        json!([{ "assessment": medium, "because": "she_told_more" }])
    );
    story.town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_correction_is_history_to_its_own_service_and_nothing_to_others() {
    let story = Story::begin().await;
    let her = person(0);
    let first = story.assessed(&shared(&her, "answers")).await;
    story.accepted(&her).await;
    let before = story.ask(&her, "cards", "answers").await;
    let old = before.list("/assessments")[0]["id"].as_str().unwrap();
    let mut corrected = shared(&her, "answers");
    corrected["grade"] = json!("medium");
    corrected["consents"] = json!([]);
    corrected["replaces"] =
        json!({ "assessment": first, "how": "correction", "because": "wrong_grade" });
    let second = story.assessed(&corrected).await;

    let own = story
        .hospital
        .post("/v1/assessments/own", &json!({ "identity": her }))
        .await;
    let history = own.list("/assessments");
    assert_eq!(history.len(), 2, "{}", own.body);
    assert_eq!(
        (&history[0]["id"], &history[1]["id"]),
        (&json!(second), &json!(first))
    );
    assert_eq!(history[0]["replaces"]["because"], "wrong_grade");
    assert_eq!(history[1]["superseded_by"], json!(second));
    assert_eq!(history[1]["grade"], "high");
    assert_eq!(history[1]["items"].as_array().unwrap().len(), 24);
    assert!(history[1]["ended_by"].is_string() && history[1]["ended_at"].is_string());

    // Her word goes on with what was corrected; the old one is gone for others.
    let after = story.ask(&her, "cards", "answers").await;
    let [card] = after.list("/assessments") else {
        panic!("{}", after.body);
    };
    assert_eq!(card["grade"], "medium");
    assert!(!after.whole().contains("superseded_by"));
    story.is_silence(&story.answers(&her, old).await).await;
    let theirs = story
        .charity
        .post("/v1/assessments/own", &json!({ "identity": her }))
        .await;
    assert_eq!(theirs.result(), "nothing-to-show");

    // It was of another woman: whoever was shown it is told so, and what it replaced stands again.
    let path = format!("/v1/assessments/{second}/withdraw");
    let body = json!({ "identity": her, "because": "wrong_person" });
    assert_eq!(story.hospital.post(&path, &body).await.status, 200);
    let officer = story.town.signed_in("larkfield-ig").await;
    let queue = officer.get("/v1/audit/queue").await;
    let undone = queue
        .list("/items")
        .iter()
        .filter(|item| item["code"] == "link.undone");
    let undone: Vec<&Value> = undone.collect();
    assert_eq!(undone.len(), 1, "{}", queue.body);
    assert!(!undone[0].to_string().contains("hildas"));
    let again = story.ask(&her, "cards", "answers").await;
    assert_eq!(
        again.list("/assessments")[0]["grade"],
        "high",
        "{}",
        again.body
    );
    let own = story
        .hospital
        .post("/v1/assessments/own", &json!({ "identity": her }))
        .await;
    let gone = &own.list("/assessments")[0];
    assert_eq!(gone["withdrawn_because"], "wrong_person");
    assert_eq!(gone.get("grade"), None, "{gone}");
    story.town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_the_tool_does_not_have_is_refused_and_the_codes_say_what_it_has() {
    let story = Story::begin().await;
    let codes = story.hospital.get("/v1/codes").await;
    let tools = codes.list("/instruments");
    assert_eq!(tools.len(), 7);
    let dash = tools
        .iter()
        .find(|tool| tool["instrument"] == "safelives_dash_24")
        .unwrap();
    assert_eq!(dash["questions"].as_array().unwrap().len(), 24);
    assert_eq!(dash["days_valid"], 90);
    assert_eq!(dash["questions"][0]["label"], "injury in this incident");
    let refused = async |change: fn(&mut Value)| {
        let mut body = shared(&person(0), "answers");
        change(&mut body);
        let said = story.hospital.post("/v1/assessments", &body).await;
        assert_eq!(
            (said.status, said.result()),
            (422, "check-your-answers"),
            "{}",
            said.body
        );
        let wrong = said.list("/fields")[0].clone();
        assert!(wrong["message"].as_str().unwrap().len() > 10);
        (
            wrong["field"].as_str().unwrap().to_owned(),
            wrong.to_string(),
        )
    };
    let (field, says) = refused(|body| body["instrument_version"] = json!("1066")).await;
    assert_eq!(field, "instrument_version");
    assert!(says.contains("GET /v1/codes"), "{says}");
    let (field, _) = refused(|body| body["items"][0]["code"] = json!("q25")).await;
    assert_eq!(field, "items.code");
    let (field, _) = refused(|body| body["items"][1]["code"] = json!("q1")).await;
    assert_eq!(field, "items");
    let (field, _) = refused(|body| {
        body["judgement_codes"] = json!([]);
        body["judgement_reasons"] = json!([]);
    })
    .await;
    assert_eq!(field, "judgement_reasons");
    let (field, _) = refused(|body| body["consents"][0]["depth"] = json!(null)).await;
    assert_eq!(field, "consent.depth");
    // There is no place for what was said in therapy, nor for a sum that nobody can check.
    for name in ["therapy_notes", "ticks"] {
        let mut body = shared(&person(0), "answers");
        body[name] = json!(1);
        let said = story.hospital.post("/v1/assessments", &body).await;
        assert_eq!(said.status, 422, "{name}");
    }
    // A tool that judges has no number.
    let mut dara = shared(&person(0), "answers");
    dara["instrument"] = json!("dara");
    dara["instrument_version"] = json!("2022");
    dara["items"] = json!([{ "code": "weapons", "answer": "yes" }]);
    let said = story.hospital.post("/v1/assessments", &dara).await;
    assert_eq!(
        (said.status, &said.body["ticks"]),
        (201, &Value::Null),
        "{}",
        said.body
    );
    story.town.stop().await;
}
