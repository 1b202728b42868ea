//! An emergency (`domain.md` 3.6), through the whole gateway: what it shows and to whom it is told, what
//! is asked a day later, and that all of it is the same about a woman of whom nothing is held.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use firedoor::domain::codes::Role;
use firedoor::ops::clock::now;
use firedoor::ops::demo::borough::{CHARITY, SERVICE};
use firedoor::ops::demo::people::{TEST_PEOPLE, assessment, emergency, her, nobody, referral};
use serde_json::{Value, json};

use crate::town::{Desk, Said, Town, ago, new_key};

const BREAK: &str = "/v1/emergency";
const UNKNOWN: &str = "0123456789ABCDEFGHJKMNPQRS";

/// The hospital assessed her, police referred her, and the charity works with her.
async fn story() -> (Town, Desk) {
    let town = Town::start().await;
    let hospital = town.desk("st-hildas").await;
    let said = hospital
        .post("/v1/assessments", &assessment(ago(3), CHARITY))
        .await;
    assert_eq!(said.status, 201, "{}", said.whole());
    let officer = town.desk("met").await;
    let said = officer
        .post("/v1/referrals", &referral(SERVICE, &her(), ago(2), None))
        .await;
    assert_eq!(said.status, 201, "{}", said.whole());
    let charity = town.desk("larkfield").await.as_user("r-osei", Role::Triage);
    let inbox = charity.get("/v1/inbox").await;
    let path = format!(
        "/v1/referrals/{}/accept",
        inbox.text("/offers/0/id").unwrap()
    );
    let accept = json!({ "worker": "r-osei", "onward_rule_accepted": true });
    let said = charity.post(&path, &accept).await;
    assert_eq!(said.result(), "released", "{}", said.whole());
    let senior = hospital.as_user("sr-bell", Role::EdSenior);
    (town, senior)
}

fn of(identity: &Value, confirm: bool) -> Value {
    let mut body = emergency(confirm);
    body["identity"] = identity.clone();
    body
}

fn said_after(done: &[&str], she_now: &str) -> Value {
    json!({ "done": done, "she_now": she_now })
}

fn path(id: &str) -> String {
    format!("/v1/emergencies/{id}/follow-up")
}

/// The reply without what differs between any two: P5's three, the name of the emergency and its hour.
fn alike(said: &Said) -> String {
    let mut text = said.silent();
    for field in ["/id", "/follow_up_by"] {
        if let Some(value) = said.text(field) {
            text = text.replace(value, "");
        }
    }
    text
}

async fn items(town: &Town, officer: &str, rule: &str) -> Vec<Value> {
    let queue = town.signed_in(officer).await.get("/v1/audit/queue").await;
    let items = queue.list("/items").iter();
    items.filter(|item| item["code"] == rule).cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_words_before_it_and_what_is_asked_after_it_are_the_same_found_or_not() {
    let (town, senior) = story().await;
    // 428 in the same words: held, withdrawn and unknown.
    let withdrew = TEST_PEOPLE[0].identity();
    let charity = town.desk("larkfield").await;
    let wish = json!({ "identity": withdrew, "scope": "everything", "channel": "telephone" });
    assert_eq!(charity.post("/v1/withdrawals", &wish).await.status, 200);
    let mut first = Vec::new();
    for identity in [her(), withdrew.clone(), nobody()] {
        let said = senior.post(BREAK, &of(&identity, false)).await;
        assert_eq!(
            (said.status, said.result()),
            (428, "confirm-emergency"),
            "{}",
            said.whole()
        );
        for word in ["larkfield", "Larkfield", "harbour", "police"] {
            assert!(!said.whole().contains(word), "{word}");
        }
        first.push(said);
    }
    for said in &first {
        assert_eq!(said.silent(), first[0].silent());
        assert_eq!(said.bytes.len(), first[0].bytes.len());
    }
    // Nobody was told of anything yet, and nothing is to be followed up.
    assert!(items(&town, "st-hildas-ig", "btg.opened").await.is_empty());
    let waiting = senior.get("/v1/emergencies").await;
    assert!(waiting.list("/emergencies").is_empty());

    let found = senior.post(BREAK, &of(&her(), true)).await;
    let stopped = senior.post(BREAK, &of(&withdrew, true)).await;
    let none = senior.post(BREAK, &of(&nobody(), true)).await;
    assert_eq!(found.result(), "emergency-view", "{}", found.whole());
    assert_eq!(stopped.result(), "nothing-to-show", "{}", stopped.whole());
    assert_eq!(alike(&stopped), alike(&none));
    assert_eq!(stopped.bytes.len(), none.bytes.len());
    for said in [&found, &none] {
        let (at, due) = (said.text("/date").unwrap(), said.text("/follow_up_by"));
        assert_ne!(Some(at), due);
        assert_eq!(said.id().len(), 26);
        assert_eq!(said.body["follow_up"], found.body["follow_up"]);
        assert_eq!(due.unwrap().len(), at.len());
    }
    // The helpline, and that nothing found is not nothing there.
    assert!(none.text("/says").unwrap().contains("0808 2000 247"));
    assert!(none.text("/says").unwrap().contains("does not mean"));

    // Told at once, found or not: her own officer and the reviewer have all three.
    for officer in ["st-hildas-ig", "reviewer"] {
        let told = items(&town, officer, "btg.opened").await;
        assert_eq!(told.len(), 3, "{officer}");
    }
    assert_eq!(items(&town, "larkfield-ig", "btg.opened").await.len(), 1);

    // And all three are followed up in the same way.
    let waiting = senior.get("/v1/emergencies").await;
    assert_eq!(waiting.list("/emergencies").len(), 3, "{}", waiting.whole());
    let mut replies = Vec::new();
    for broken in [&found, &stopped, &none] {
        let body = said_after(&["gave_helpline"], "cannot_say");
        let said = senior.post(&path(broken.id()), &body).await;
        assert_eq!(said.result(), "emergency-followed-up", "{}", said.whole());
        assert_eq!(said.id(), broken.id());
        replies.push(said);
    }
    for said in &replies {
        assert_eq!(alike(said), alike(&replies[0]));
    }
    let waiting = senior.get("/v1/emergencies").await;
    assert!(waiting.list("/emergencies").is_empty());
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_view_is_risk_safety_lines_and_her_language_and_it_is_shown_once() {
    let (town, senior) = story().await;
    let key = new_key();
    let view = senior.post_as(&key, BREAK, &of(&her(), true)).await;
    assert_eq!(view.result(), "emergency-view", "{}", view.whole());
    assert_eq!(view.body["risk"][0]["grade"], "high");
    assert_eq!(view.body["risk"][0]["child_at_risk"], false);
    assert_eq!(view.body["interpreter_languages"], json!(["ur"]));
    let line = view.text("/service_lines/0").unwrap();
    assert!(line.starts_with("a specialist service, day and night"));
    for word in [
        "larkfield",
        "Larkfield",
        "E8 1DY",
        "Amina",
        "library card",
        "9990000018",
    ] {
        assert!(!view.whole().contains(word), "{word}");
    }
    // Sixty minutes are told, and the view is over with its one reply: the same request again is never
    // answered with data.
    assert_eq!(view.body["minutes"], 60);
    let again = senior.post_as(&key, BREAK, &of(&her(), true)).await;
    assert_eq!(again.body["replayed"], true, "{}", again.whole());
    assert_eq!(again.id(), view.id());
    for shown in ["risk", "safety", "service_lines", "interpreter_languages"] {
        assert!(again.body.get(shown).is_none(), "{shown}");
    }
    // To look again is to break the glass again: who will be told is confirmed anew, and they are told.
    let unconfirmed = senior.post(BREAK, &of(&her(), false)).await;
    assert_eq!(unconfirmed.status, 428);
    let anew = senior.post(BREAK, &of(&her(), true)).await;
    assert_ne!(anew.id(), view.id());
    assert_eq!(items(&town, "larkfield-ig", "btg.opened").await.len(), 2);

    // Where she can speak herself she is asked in which language.
    let mut awake = of(&her(), true);
    awake["reason"] = json!("life_at_risk");
    let said = senior.post(BREAK, &awake).await;
    assert_eq!(said.result(), "emergency-view");
    assert!(said.body.get("interpreter_languages").is_none());
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_senior_follows_up_once_corrects_it_and_nobody_else_does() {
    let (town, senior) = story().await;
    let view = senior.post(BREAK, &of(&her(), true)).await;
    let url = path(view.id());
    for wrong in [
        json!({ "done": [], "she_now": "agrees" }),
        json!({ "done": ["nothing", "called_police"], "she_now": "agrees" }),
        json!({ "done": ["called_service"], "she_now": "yes" }),
        json!({ "done": ["called_service"], "she_now": "agrees", "text": "her visa" }),
    ] {
        let said = senior.post(&url, &wrong).await;
        assert_eq!(said.status, 422, "{}", said.whole());
    }
    // A colleague of the next shift says it; the same request again changes nothing.
    let next = senior.as_user("sr-okoro", Role::EdSenior);
    let key = new_key();
    let body = said_after(&["called_safe_person", "kept_somebody_away"], "agrees");
    let said = next.post_as(&key, &url, &body).await;
    assert_eq!(said.result(), "emergency-followed-up", "{}", said.whole());
    assert!(said.text("/says").unwrap().contains("not her consent"));
    let again = next.post_as(&key, &url, &body).await;
    assert_eq!(again.body["replayed"], true);
    let corrected = senior
        .post(&url, &said_after(&["called_service"], "refuses"))
        .await;
    assert_eq!(corrected.result(), "emergency-followed-up");

    // Nobody's, and another's, are one reply; a role that may not is told so.
    let nurse = senior.as_user("nurse", Role::Clinician);
    let said = nurse.post(&url, &body).await;
    assert_eq!((said.status, said.result()), (403, "role-not-allowed"));
    let charity = town.desk("larkfield").await;
    assert_eq!(charity.post(&url, &body).await.status, 403);
    let none = senior.post(&path(UNKNOWN), &body).await;
    assert_eq!(none.result(), "nothing-to-show");
    assert_eq!(charity.get("/v1/emergencies").await.status, 403);

    // Its officer reads what was said, in codes.
    let officer = town.signed_in("st-hildas-ig").await;
    let log = officer
        .get("/v1/audit/entries?action=follow_up_emergency")
        .await;
    let log = log.whole();
    for said in [
        "agrees called_safe_person kept_somebody_away",
        "refuses called_service",
    ] {
        assert!(log.contains(said), "{log}");
    }
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_followed_up_in_a_day_is_before_the_officer_found_or_not() {
    let (town, senior) = story().await;
    let found = senior.post(BREAK, &of(&her(), true)).await;
    let none = senior.post(BREAK, &of(&nobody(), true)).await;
    let told = senior.post(BREAK, &of(&her(), true)).await;
    let body = said_after(&["told_safeguarding_lead"], "not_asked");
    assert_eq!(senior.post(&path(told.id()), &body).await.status, 200);
    let gateway = &town.running.app.gateway;
    let rule = "btg.follow_up_overdue";
    gateway
        .remind_of_follow_ups(now().plus_hours(23))
        .await
        .unwrap();
    assert!(items(&town, "st-hildas-ig", rule).await.is_empty());
    for _ in 0..2 {
        gateway
            .remind_of_follow_ups(now().plus_hours(25))
            .await
            .unwrap();
        for officer in ["st-hildas-ig", "reviewer"] {
            let items = items(&town, officer, rule).await;
            assert_eq!(items.len(), 2, "{officer}: once each, found or not");
            assert_eq!(items[0]["user"], items[1]["user"]);
        }
    }
    // Who holds something has the emergency before it, not this.
    assert!(items(&town, "larkfield-ig", rule).await.is_empty());
    // It can still be said, and is still to be.
    assert_eq!(
        senior
            .get("/v1/emergencies")
            .await
            .list("/emergencies")
            .len(),
        2
    );
    for late in [&found, &none] {
        let said = senior.post(&path(late.id()), &body).await;
        assert_eq!(said.result(), "emergency-followed-up", "{}", said.whole());
    }
    assert!(
        senior
            .get("/v1/emergencies")
            .await
            .list("/emergencies")
            .is_empty()
    );
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_people_in_half_a_day_and_then_the_same_words_for_everyone() {
    let (town, senior) = story().await;
    for identity in [her(), nobody(), TEST_PEOPLE[2].identity()] {
        let said = senior.post(BREAK, &of(&identity, true)).await;
        assert_eq!(said.status, 200, "{}", said.whole());
    }
    // Her again is no fourth.
    assert_eq!(senior.post(BREAK, &of(&her(), true)).await.status, 200);
    let mut replies = Vec::new();
    for number in [1, 3] {
        let said = senior
            .post(BREAK, &of(&TEST_PEOPLE[number].identity(), true))
            .await;
        assert_eq!((said.status, said.result()), (429, "slow-down"));
        assert!(said.body.get("follow_up_by").is_none());
        replies.push(said);
    }
    assert_eq!(replies[0].silent(), replies[1].silent());
    town.stop().await;
}
