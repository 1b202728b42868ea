//! Whom a log entry is about: behind a seal that a second body opens, once; and people whom an
//! organisation flagged, for its own workers alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use firedoor::domain::codes::Role;
use firedoor::ops::demo::people::{FAMILY_NAME, NHS_NUMBER, consent_to_ask, emergency, her};
use serde_json::json;

use crate::town::{Desk, Town, ago};

/// The entry number of the newest emergency that an officer sees.
async fn emergency_entry(ig: &Desk) -> u64 {
    let entries = ig.get("/v1/audit/entries?action=break_glass").await;
    let entry = entries.list("/entries").first().unwrap().clone();
    entry["entry"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_second_body_opens_the_seal_and_a_flag_tells_its_own_officer() {
    let town = Town::start().await;
    let hospital = town
        .desk("st-hildas")
        .await
        .as_user("sr-bell", Role::EdSenior);
    let clinician = town.desk("st-hildas").await;
    let ig = town.signed_in("st-hildas-ig").await;
    let operator = town.signed_in("operator").await;
    let assessed = clinician
        .post(
            "/v1/assessments",
            &firedoor::ops::demo::people::assessment(ago(3), "larkfield"),
        )
        .await;
    assert_eq!(assessed.status, 201, "{}", assessed.body);

    let flagged = ig
        .post("/v1/audit/flags", &json!({ "identity": her(), "days": 30 }))
        .await;
    assert_eq!(flagged.status, 201, "{}", flagged.body);
    hospital.post("/v1/emergency", &emergency(true)).await;
    let queue = ig.get("/v1/audit/queue").await;
    let rules: Vec<&str> = queue
        .list("/items")
        .iter()
        .map(|item| item["code"].as_str().unwrap())
        .collect();
    assert!(rules.contains(&"flag.person"), "{rules:?}");
    assert!(rules.contains(&"btg.opened"), "{rules:?}");
    assert_eq!(queue.body["since_friday"]["break_glass"], 1);

    let entry = emergency_entry(&ig).await;
    let change = json!({ "change": "open_seal", "entry": entry, "reason": "misuse" });
    let proposed = ig.post("/v1/proposals", &change).await;
    assert_eq!(proposed.status, 201, "{}", proposed.body);
    let path = format!(
        "/v1/audit/entries/{entry}/person?proposal={}",
        proposed.id()
    );
    assert_eq!(ig.get(&path).await.status, 404);
    let waiting = operator.get("/v1/proposals").await;
    let waits = waiting.list("/proposals")[0]["id"].as_str().unwrap();
    let approved = operator
        .post(&format!("/v1/approvals/{waits}"), &json!({}))
        .await;
    assert_eq!(approved.status, 200, "{}", approved.body);

    let opened = ig.get(&path).await;
    assert_eq!(
        (opened.status, opened.result()),
        (200, "seal-opened"),
        "{}",
        opened.body
    );
    assert!(!opened.whole().contains(FAMILY_NAME) && !opened.whole().contains(NHS_NUMBER));
    // It is the name by which the hospital itself asks about her.
    let own = opened.text("/person").unwrap().to_owned();
    let asked = json!({
        "person": own, "consent": consent_to_ask(ago(1)), "step": "cards", "onward_rule_accepted": true,
    });
    let asked = clinician.post("/v1/assessments/query", &asked).await;
    assert_eq!(asked.status, 200, "{}", asked.body);
    assert_ne!(ig.get(&path).await.status, 200);
    let reviewer = town.signed_in("reviewer").await;
    let entries = reviewer.get("/v1/audit/entries?action=open_seal").await;
    assert_eq!(entries.list("/entries").len(), 3, "{}", entries.body);
    town.stop().await;
}
