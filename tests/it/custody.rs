//! Custody `own`: what was released is sealed to the organisation's key, and the gateway keeps
//! no key to it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use firedoor::domain::custody;
use firedoor::domain::id::Id;
use firedoor::ops::client::custody::CUSTODY_KEY;
use firedoor::ops::demo::borough::OTHER_SERVICE;
use firedoor::ops::demo::people;
use serde_json::{Value, json};

use base64::prelude::{BASE64_STANDARD, Engine};

use super::town::{Said, Town};

/// Opens a release as the charity's own client does.
fn opened(town: &Town, said: &Said) -> Value {
    let text = std::fs::read_to_string(town.bundle("harbour").join(CUSTODY_KEY)).unwrap();
    let digits = (0..32).map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap());
    let key: Vec<u8> = digits.collect();
    let boxed = said.text("/released/sealed_to_you").unwrap();
    let boxed = BASE64_STANDARD.decode(boxed).unwrap();
    let referral = Id::parse(said.text("/released/sealed_as").unwrap()).unwrap();
    let plain = custody::open(key.as_slice().try_into().unwrap(), referral, &boxed).unwrap();
    serde_json::from_slice(&plain).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_released_to_own_custody_opens_there_and_nowhere_else() {
    let town = Town::start().await;
    let met = town.desk("met").await;
    let harbour = town.desk("harbour").await;
    let now = firedoor::ops::clock::now();
    let body = people::referral(OTHER_SERVICE, &people::her(), now, None);
    let offered = met.post("/v1/referrals", &body).await;
    assert_eq!(offered.status, 201, "{}", offered.whole());

    let inbox = harbour.get("/v1/inbox").await;
    let id = inbox.text("/offers/0/id").unwrap().to_owned();
    let accept = json!({ "worker": "j-pell", "onward_rule_accepted": true });
    let said = harbour
        .post(&format!("/v1/referrals/{id}/accept"), &accept)
        .await;
    assert_eq!(said.status, 200, "{}", said.whole());
    let name = people::her()["family_name"].as_str().unwrap().to_owned();
    assert!(
        !said.whole().contains(&name),
        "the reply holds her name in the clear"
    );
    let released = opened(&town, &said);
    assert_eq!(released["identity"]["family_name"], json!(name));
    assert!(released["safe_contact"]["number"].is_string());

    // Again later, after a restart: the same box, because there is nothing else any more.
    let town = town.restarted().await;
    let harbour = town.desk("harbour").await;
    let again = harbour.get(&format!("/v1/inbox/{id}")).await;
    assert_eq!(
        again.text("/released/sealed_to_you"),
        said.text("/released/sealed_to_you")
    );
    assert_eq!(opened(&town, &again), released);
    town.stop().await;
}
