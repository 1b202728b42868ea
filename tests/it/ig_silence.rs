//! What the police's information-governance officer can fetch is the same whether or not anybody acted
//! on the referral after it was accepted (`domain.md` 3.5.6, 3.10): her pages say what her own officer
//! did and was told, and nothing of what others did.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use firedoor::domain::codes::Role;
use firedoor::ops::demo::borough::{CHARITY, OTHER_SERVICE, SERVICE};
use firedoor::ops::demo::people::{assessment, consent_to_ask, emergency, her, nobody, referral};
use serde_json::{Value, json};

use crate::town::{Said, Town, ago};

/// Beside what P5 names, what differs between any two runs: positions, times and random names.
const VARIES: [&str; 14] = [
    "date",
    "support_code",
    "receipt",
    "entry",
    "at",
    "id",
    "object",
    "certificate",
    "due",
    "next",
    "since",
    "seed",
    "session",
    "until",
];

fn blanked(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| {
                let varies = VARIES.contains(&name.as_str());
                // That there is one, or none, is compared.
                let value = match value {
                    Value::Null => Value::Null,
                    _ if varies => json!("varies"),
                    other => blanked(other),
                };
                (name.clone(), value)
            })
            .collect(),
        Value::Array(list) => list.iter().map(blanked).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn taken(said: &Said) -> (u16, usize, Value) {
    (said.status, said.bytes.len(), blanked(&said.body))
}

/// Everything that others may do with her after the acceptance.
async fn acted_on(town: &Town, person: &Value) {
    let charity = town.desk("larkfield").await;
    let own = json!({ "person": person, "consent": consent_to_ask(ago(1)), "step": "cards", "onward_rule_accepted": true });
    let asked = charity.post("/v1/assessments/query", &own).await;
    assert_eq!(asked.result(), "assessments", "{}", asked.body);
    let hospital = town
        .desk("st-hildas")
        .await
        .as_user("sr-bell", Role::EdSenior);
    let opened = hospital.post("/v1/emergency", &emergency(true)).await;
    assert_eq!(opened.status, 200, "{}", opened.body);
    let helpline = town.desk("harbour").await;
    let withdrawal = json!({ "identity": her(), "scope": "everything", "channel": "telephone" });
    let withdrew = helpline.post("/v1/withdrawals", &withdrawal).await;
    assert_eq!(withdrew.status, 200, "{}", withdrew.body);
}

/// The pages of the police's officer, after one story.
async fn pages(is_acted_on: bool) -> Vec<(u16, usize, Value)> {
    let town = Town::start().await;
    let hospital = town.desk("st-hildas").await;
    let assessed = hospital
        .post("/v1/assessments", &assessment(ago(3), CHARITY))
        .await;
    assert_eq!(assessed.status, 201, "{}", assessed.body);
    let officer = town.desk("met").await;
    let sent = officer
        .post("/v1/referrals", &referral(SERVICE, &her(), ago(2), None))
        .await;
    assert_eq!(sent.status, 201, "{}", sent.body);
    let charity = town.desk("larkfield").await.as_user("r-osei", Role::Triage);
    let inbox = charity.get("/v1/inbox").await;
    let offer = inbox.list("/offers")[0]["id"].as_str().unwrap().to_owned();
    let accept = json!({ "worker": "r-osei", "onward_rule_accepted": true });
    let accepted = charity
        .post(&format!("/v1/referrals/{offer}/accept"), &accept)
        .await;
    assert_eq!(accepted.status, 200, "{}", accepted.body);
    if is_acted_on {
        acted_on(&town, &accepted.body["person"]).await;
    }

    // He looks again, and tries what he should not.
    let status = format!("/v1/referrals/{}", sent.id());
    assert_eq!(
        officer.get(&status).await.text("/referral/status"),
        Some("with_a_service")
    );
    let again = officer
        .post(
            "/v1/referrals",
            &referral(OTHER_SERVICE, &her(), ago(1), None),
        )
        .await;
    assert_eq!(again.result(), "offered", "{}", again.body);
    officer.get("/v1/people").await;
    officer.post("/v1/emergency", &emergency(true)).await;

    let ig = town.signed_in("met-ig").await;
    let mut pages = Vec::new();
    for path in [
        "/v1/audit/entries?max=200",
        "/v1/audit/entries?user=pc-ward",
        "/v1/audit/entries?outcome=deny",
    ] {
        pages.push(taken(&ig.get(path).await));
    }
    for identity in [her(), nobody()] {
        let look_up = json!({ "identity": identity });
        pages.push(taken(&ig.post("/v1/audit/subjects", &look_up).await));
    }
    let queue = ig.get("/v1/audit/queue").await;
    pages.push(taken(&queue));
    for item in queue.list("/items") {
        let id = item["id"].as_str().unwrap();
        let opened = ig.get(&format!("/v1/audit/queue/{id}")).await;
        assert_eq!(opened.status, 200, "{}", opened.body);
        pages.push(taken(&opened));
        let asks = json!({ "decision": "ask" });
        let decided = ig.post(&format!("/v1/audit/queue/{id}"), &asks).await;
        assert_eq!(decided.status, 200, "{}", decided.body);
        pages.push(taken(&decided));
    }
    town.stop().await;
    pages
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_polices_officer_cannot_tell_whether_anybody_acted_on_a_referral() {
    let without = pages(false).await;
    let with = pages(true).await;
    assert!(without.len() >= 7, "{}", without.len());
    for (without, with) in without.iter().zip(&with) {
        assert_eq!(without, with);
    }
    assert_eq!(without.len(), with.len());
}
