//! The night's erasing of accounts, over the API: what is due goes, what is held stays, and readers
//! see that something was there.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use serde_json::{Value, json};

use firedoor::ops::clock::now;
use firedoor::ops::demo::borough::SERVICE;
use firedoor::ops::demo::people;

use super::town::{Desk, Town};

async fn listed(desk: &Desk) -> Vec<Value> {
    let page = desk.get("/v1/audit/entries?max=200").await;
    assert_eq!(page.status, 200, "{}", page.whole());
    page.list("/entries").to_vec()
}

/// Whether the entry is shown as erased; `None` if it is not shown.
fn erased(entries: &[Value], index: u64) -> Option<bool> {
    let found = entries.iter().find(|one| one["entry"] == index)?;
    let erased = found["erased"] == true;
    assert_eq!(erased, found["user"].is_null(), "{found}");
    Some(erased)
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_go_when_their_time_is_over_and_what_is_held_stays() {
    let town = Town::start().await;
    let met = town.desk("met").await;
    let (mut ids, mut offers) = (Vec::new(), Vec::new());
    for identity in [people::her(), people::nobody()] {
        let body = people::referral(SERVICE, &identity, now(), None);
        let offered = met.post("/v1/referrals", &body).await;
        assert_eq!(offered.status, 201, "{}", offered.whole());
        ids.push(offered.id().to_owned());
        offers.push(offered.entry());
    }
    let lost = met.get("/v1/no-such-place").await.entry();
    let officer = town.signed_in("met-ig").await;
    let hold = json!({ "change": "hold_referral", "referral": ids[0], "reason": "court_order",
        "review_at": now().plus_days(90).rfc3339() });
    assert_eq!(officer.post("/v1/proposals", &hold).await.status, 201);
    let second = town.signed_in("st-hildas-ig").await;
    let proposals = second.get("/v1/proposals").await;
    let waiting = proposals.list("/proposals").iter();
    let mut waiting = waiting.filter(|one| one["approved"].is_null());
    let id = waiting.next_back().unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let approved = second
        .post(&format!("/v1/approvals/{id}"), &json!({}))
        .await;
    assert_eq!(approved.status, 200, "{}", approved.whole());

    let gateway = &town.running.app.gateway;
    let before = town.leaves();
    assert_eq!(gateway.forget(now()).await.unwrap(), 0);
    assert_eq!(
        town.leaves(),
        before,
        "a night without work leaves no entry"
    );

    // Two years on: paths that do not exist, and second factors.
    assert!(gateway.forget(now().plus_days(732)).await.unwrap() > 0);
    let entries = listed(&officer).await;
    assert_eq!(erased(&entries, lost), Some(true));
    assert_eq!(erased(&entries, offers[0]), Some(false));
    assert_eq!(erased(&entries, offers[1]), Some(false));
    let told = |class: &str| {
        let is = |one: &&Value| one["action"] == "retention.erase" && one["reason"] == class;
        entries.iter().filter(is).count()
    };
    assert_eq!((told("connection"), told("record")), (1, 0));

    // Six years and a day on, all that is left but what is held.
    assert!(gateway.forget(now().plus_days(2193)).await.unwrap() > 2);
    let entries = listed(&officer).await;
    assert_eq!(erased(&entries, offers[0]), Some(false), "held");
    assert_eq!(erased(&entries, offers[1]), Some(true));
    assert!(
        listed(&officer)
            .await
            .iter()
            .all(|one| !one.to_string().contains(&ids[1]))
    );

    // The hold ends, and the next night finds what it kept.
    let end = json!({ "change": "end_hold", "referral": ids[0] });
    assert_eq!(officer.post("/v1/proposals", &end).await.status, 201);
    let proposals = second.get("/v1/proposals").await;
    let waiting = proposals.list("/proposals").iter();
    let mut waiting = waiting.filter(|one| one["approved"].is_null());
    let id = waiting.next_back().unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let approved = second
        .post(&format!("/v1/approvals/{id}"), &json!({}))
        .await;
    assert_eq!(approved.status, 200, "{}", approved.whole());
    gateway.forget(now().plus_days(2193)).await.unwrap();
    assert_eq!(erased(&listed(&officer).await, offers[0]), Some(true));

    // The log goes on, over a restart too.
    let town = town.restarted().await;
    let officer = town.signed_in("met-ig").await;
    assert_eq!(erased(&listed(&officer).await, offers[1]), Some(true));
    town.stop().await;
}
