//! The other side for whoever tries the demo: whoever is referred to a test desk, what comes of it
//! is fixed by the service that was chosen.
//!
//! It sees what a charity sees, and so it cannot know whom an offer is about before it accepts.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::DemoError;
use super::borough::Borough;
use crate::domain::codes::Role;
use crate::ops::client::caller::{Caller, GatewayUrl};

const LOOKS_EVERY: Duration = Duration::from_secs(2);
const CLOSES_AFTER: Duration = Duration::from_secs(30);
const ACCEPTS_AFTER: Duration = Duration::from_secs(60);
const WITHDRAWS_AFTER: Duration = Duration::from_secs(10);
/// Things that wait to be done; what is over it is not played.
const DUE_MAX: usize = 256;

/// Something to be done later.
struct Due {
    at: Instant,
    path: String,
    body: Value,
}

/// Plays the test desks until the gateway stops.
///
/// # Errors
/// [`DemoError`] when the gateway no longer answers.
pub async fn play(borough: &Borough, url: &GatewayUrl) -> Result<(), DemoError> {
    let desk = Some(("test-desk", Role::Triage));
    let mut desk = borough.client("harbour", url, desk).await?;
    let mut due: Vec<Due> = Vec::new();
    loop {
        let said = desk.get("/v1/inbox").await?;
        for offer in said.list("/offers") {
            if due.len() < DUE_MAX {
                due.extend(answer(&mut desk, offer).await?);
            }
        }
        let now = Instant::now();
        let (ripe, later) = due.into_iter().partition(|one: &Due| one.at <= now);
        due = later;
        for one in ripe {
            desk.post(&one.path, &one.body).await?;
        }
        sleep(LOOKS_EVERY).await;
    }
}

async fn answer(desk: &mut Caller, offer: &Value) -> Result<Option<Due>, DemoError> {
    let text = |name: &str| offer.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("status") != "offered" {
        return Ok(None);
    }
    let path = |verb: &str| format!("/v1/referrals/{}/{verb}", text("id"));
    let accept = json!({ "worker": "test-desk", "onward_rule_accepted": true });
    let later = |after: Duration, path: String, body: Value| {
        Ok(Some(Due {
            at: Instant::now() + after,
            path,
            body,
        }))
    };
    match text("service") {
        "test-full" => {
            desk.post(&path("accept"), &accept).await?;
            later(
                CLOSES_AFTER,
                path("close"),
                json!({ "outcomes": ["take_up", "safety"] }),
            )
        }
        "test-declines" => {
            desk.post(&path("decline"), &json!({ "reason": "full" }))
                .await?;
            Ok(None)
        }
        "test-slow" => {
            desk.post(&path("wait"), &json!({})).await?;
            later(ACCEPTS_AFTER, path("accept"), accept)
        }
        "test-withdraws" => {
            let said = desk.post(&path("accept"), &accept).await?;
            let person = said.text("/person").unwrap_or_default();
            later(
                WITHDRAWS_AFTER,
                "/v1/withdrawals".to_owned(),
                json!({ "person": person, "scope": "everything" }),
            )
        }
        _ => Ok(None),
    }
}
