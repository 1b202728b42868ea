//! Legal hold over the API: proposed by one, approved by another organisation, and seen by nobody
//! whom a withdrawal answers.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use serde_json::json;

use firedoor::domain::time::When;
use firedoor::ops::demo::borough::SERVICE;
use firedoor::ops::demo::people;

use super::town::{Desk, Town};

async fn approve_only(desk: &Desk) -> u16 {
    let listed = desk.get("/v1/proposals").await;
    let proposals = listed.body["proposals"].as_array().unwrap().clone();
    let waiting = proposals.iter().find(|one| one["approved"].is_null());
    let id = waiting.unwrap()["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/approvals/{id}");
    desk.post(&path, &json!({})).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_referral_is_withdrawn_like_any_other() {
    let town = Town::start().await;
    let met = town.desk("met").await;
    let now = firedoor::ops::clock::now();
    let mut ids = Vec::new();
    for identity in [people::her(), people::nobody()] {
        let body = people::referral(SERVICE, &identity, now, None);
        let offered = met.post("/v1/referrals", &body).await;
        assert_eq!(offered.status, 201, "{}", offered.whole());
        ids.push(offered.text("/id").unwrap().to_owned());
    }
    let officer = town.signed_in("met-ig").await;
    let hold = json!({ "change": "hold_referral", "referral": ids[0], "reason": "court_order",
        "review_at": now.plus_days(90).rfc3339() });
    let proposed = officer.post("/v1/proposals", &hold).await;
    assert_eq!(proposed.status, 201, "{}", proposed.whole());
    let second = town.signed_in("st-hildas-ig").await;
    let listed = second.get("/v1/proposals").await;
    assert!(listed.whole().contains("court_order") && !listed.whole().contains(&ids[0]));
    assert_eq!(approve_only(&second).await, 200);

    // The victim's word takes effect at once, and the reply is the same, held or not.
    let helpline = town.desk("harbour").await;
    let mut replies = Vec::new();
    for identity in [people::her(), people::nobody()] {
        let wish = json!({ "identity": identity, "scope": "everything", "channel": "telephone" });
        let mut said = helpline.post("/v1/withdrawals", &wish).await;
        assert_eq!(said.status, 200, "{}", said.whole());
        for changing in ["id", "date", "receipt", "support_code"] {
            said.body.as_object_mut().unwrap().remove(changing);
        }
        let since = said.body["effective_from"].take();
        assert!(When::parse(since.as_str().unwrap()).is_some());
        // Sealed, so it is never the same; but always as long.
        let replay = said.body["replay"].take();
        said.body["replay"] = json!(replay.as_str().unwrap().len());
        replies.push(said.body);
    }
    assert_eq!(replies[0], replies[1]);
    for id in &ids {
        let status = met.get(&format!("/v1/referrals/{id}")).await;
        assert_eq!(status.status, 200);
    }

    let end = json!({ "change": "end_hold", "referral": ids[0] });
    let proposed = officer.post("/v1/proposals", &end).await;
    assert_eq!(proposed.status, 201, "{}", proposed.whole());
    assert_eq!(approve_only(&second).await, 200);
    let again = officer.post("/v1/proposals", &end).await;
    assert_eq!(again.status, 422, "{}", again.whole());
    town.stop().await;
}
