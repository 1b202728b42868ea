//! What can be known before she is accepted: whether the service has said that it can meet what is recorded,
//! so that nobody is accepted and then handed on. Nobody else learns what it said (F6, F7).

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use firedoor::domain::codes::{Need, Role};
use firedoor::domain::organisation::Meets;
use firedoor::ops::demo::borough::SERVICE;
use firedoor::ops::demo::people::{her, nobody, referral};
use firedoor::ops::serve;
use serde_json::{Value, json};

use crate::pages::Visitor;
use crate::pages_word::silent;
use crate::town::{Desk, Said, Town, ago, prepare};

const ADMIN: &str = "larkfield-admin";

fn word(service: &str, needs: &Value) -> Value {
    json!({ "change": "say_what_we_meet", "service": service, "needs": needs })
}

fn offer(needs: &Value) -> Value {
    let mut sent = referral(SERVICE, &her(), ago(2), None);
    sent["needs"] = needs.clone();
    sent
}

/// A town whose services were last spoken for so many days ago, if ever.
async fn town_that_said(days: Option<i64>) -> Town {
    let (dir, borough, config) = prepare("");
    let running = serve::start(&config).await.unwrap();
    let mut founding = borough.founding().unwrap();
    for service in &mut founding.directory.services {
        service.meets = days.map(|days| Meets {
            needs: vec![Need::HousingSafe, Need::LegalAdviceOther],
            said_at: ago(days * 24),
        });
    }
    running.app.gateway.found(&founding).await.unwrap();
    Town::of(dir, borough, config, running)
}

async fn triage(town: &Town) -> Desk {
    town.desk("larkfield").await.as_user("r-osei", Role::Triage)
}

/// The one offer in an inbox.
async fn only(triage: &Desk) -> Value {
    let inbox = triage.get("/v1/inbox").await;
    assert_eq!(inbox.list("/offers").len(), 1, "{}", inbox.body);
    inbox.body["offers"][0].clone()
}

/// Both pages on which she decides say this.
async fn says(town: &Town, id: &str, words: &str) {
    let mut adviser = Visitor::sign_in(town, "larkfield-browser").await;
    for path in ["/inbox".to_owned(), format!("/inbox/{id}/answer")] {
        let seen = adviser.get(&path).await;
        assert!(seen.text.contains(words), "{path}: {}", seen.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offer_says_what_its_service_has_said_and_nothing_is_kept_from_her() {
    let town = town_that_said(None).await;
    let needs = json!(["housing_safe", "interpreter"]);
    let sent = town
        .desk("met")
        .await
        .post("/v1/referrals", &offer(&needs))
        .await;
    assert_eq!(sent.status, 201, "{}", sent.body);
    let (triage, admin) = (triage(&town).await, town.signed_in(ADMIN).await);

    let first = only(&triage).await;
    let id = first["id"].as_str().unwrap().to_owned();
    assert_eq!(
        first["can_meet"],
        json!({ "not_said": needs, "said_at": null, "is_old": false })
    );
    let never =
        "Your service has not said what it can meet. Your administrator can say so under Services.";
    says(&town, &id, never).await;

    // That it can meet none is another thing than that it never said.
    for (said, beyond, words) in [
        (
            json!([]),
            json!(["housing_safe", "interpreter"]),
            "You have not said that you can meet: A safe place to live, Interpreter.",
        ),
        (
            json!(["housing_safe", "health", "health"]),
            json!(["interpreter"]),
            "You have not said that you can meet: Interpreter.",
        ),
        (
            json!(["interpreter", "housing_safe"]),
            json!([]),
            "You can meet every need recorded.",
        ),
    ] {
        let done = admin.post("/v1/proposals", &word(SERVICE, &said)).await;
        assert_eq!(
            (done.status, done.result()),
            (200, "meets-said"),
            "{}",
            done.body
        );
        let mut seen = only(&triage).await;
        assert_eq!(seen["can_meet"]["not_said"], beyond, "{seen}");
        assert!(seen["can_meet"]["said_at"].is_string(), "{seen}");
        assert_eq!(seen["can_meet"]["is_old"], false);
        says(&town, &id, words).await;
        // Nothing else of the offer is another.
        seen["can_meet"] = first["can_meet"].clone();
        assert_eq!(seen, first);
    }

    // It decides nothing: what was not said can be accepted, and then it is said no more.
    admin
        .post("/v1/proposals", &word(SERVICE, &json!([])))
        .await;
    let accept = json!({ "worker": "r-osei", "onward_rule_accepted": true });
    let accepted = triage
        .post(&format!("/v1/referrals/{id}/accept"), &accept)
        .await;
    assert_eq!(accepted.result(), "released", "{}", accepted.body);
    assert_eq!(accepted.body["referral"]["can_meet"], Value::Null);
    assert_eq!(only(&triage).await["can_meet"], Value::Null);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_no_need_is_recorded_nothing_is_said_of_them() {
    let town = Town::start().await;
    let sent = town
        .desk("met")
        .await
        .post("/v1/referrals", &offer(&json!([])))
        .await;
    assert_eq!(sent.status, 201, "{}", sent.body);
    let seen = only(&triage(&town).await).await;
    assert_eq!(seen["can_meet"], Value::Null, "{seen}");
    let mut adviser = Visitor::sign_in(&town, "larkfield-browser").await;
    let inbox = adviser.get("/inbox").await;
    assert!(!inbox.text.contains("every need"), "{}", inbox.text);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_forty_five_days_it_is_asked_for_again_and_one_click_says_it_is_still_right() {
    let town = town_that_said(Some(46)).await;
    let both = json!(["housing_safe", "legal_advice_other"]);
    town.desk("met")
        .await
        .post("/v1/referrals", &offer(&both))
        .await;
    let triage = triage(&town).await;
    let seen = only(&triage).await;
    let id = seen["id"].as_str().unwrap().to_owned();
    assert_eq!(seen["can_meet"]["not_said"], json!([]));
    assert_eq!(seen["can_meet"]["is_old"], true, "{seen}");
    says(
        &town,
        &id,
        "You can meet every need recorded. This was last checked on",
    )
    .await;
    says(&town, &id, "Is it still right?").await;

    let mut admin = Visitor::sign_in(&town, ADMIN).await;
    let reminder = "can meet was never said, or not looked at for 45 days";
    assert!(admin.get("/state").await.text.contains(reminder));
    let services = admin.get("/services").await;
    for words in [
        "A safe place to live, Other legal advice",
        "Is it still right?",
        "Still right",
    ] {
        assert!(services.text.contains(words), "{words}: {}", services.text);
    }
    let done = admin.post(&format!("/services/{SERVICE}"), &[]).await;
    assert_eq!(done.status, 303, "{}", done.text);
    let after = admin.follow().await;
    assert!(
        after
            .text
            .contains("A safe place to live, Other legal advice"),
        "{}",
        after.text
    );
    assert!(!after.text.contains("Is it still right?"), "{}", after.text);
    let seen = only(&triage).await;
    assert_eq!(seen["can_meet"]["not_said"], json!([]));
    assert_eq!(seen["can_meet"]["is_old"], false, "{seen}");
    assert!(!admin.get("/state").await.text.contains(reminder));
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_says_it_on_a_page_and_a_slip_is_not_taken_for_none() {
    let town = town_that_said(None).await;
    let mut admin = Visitor::sign_in(&town, ADMIN).await;
    let services = admin.get("/services").await;
    assert!(
        services
            .text
            .contains("Nobody has said yet what it can meet."),
        "{}",
        services.text
    );
    let path = format!("/services/{SERVICE}");
    let asks = admin.get(&path).await;
    assert!(!asks.html.contains(" checked"), "{}", asks.html);
    for (needs, status) in [
        (vec![], 422),
        (vec![("needs", "none"), ("needs", "emotional")], 422),
        (vec![("needs", "no_recourse")], 422),
        (vec![("needs", "none")], 303),
        (vec![("needs", "emotional"), ("needs", "interpreter")], 303),
    ] {
        admin.get(&path).await;
        let done = admin.post(&path, &needs).await;
        assert_eq!(done.status, status, "{needs:?}: {}", done.text);
    }
    let after = admin.get("/services").await;
    assert!(
        after.text.contains("Emotional support, Interpreter"),
        "{}",
        after.text
    );
    let again = admin.get(&path).await;
    assert_eq!(again.html.matches(" checked").count(), 2, "{}", again.html);
    // Another organisation's service is not hers to see or to speak for.
    for other in ["helpline", "no-such-service"] {
        assert_eq!(admin.get(&format!("/services/{other}")).await.status, 404);
    }
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_its_own_administrator_speaks_for_a_service_and_only_in_needs_that_there_are() {
    let town = Town::start().await;
    let admin = town.signed_in(ADMIN).await;
    let before = admin.get("/v1/me").await.body["own_services"].clone();
    assert_eq!(
        before[0]["meets"],
        json!(["housing_safe", "emotional", "legal_advice_other"])
    );
    // What would tell of status, in whatever words, is no need.
    for bad in ["no_recourse", "accepts_nrpf", "nrpf", "Emotional", ""] {
        let done = admin
            .post("/v1/proposals", &word(SERVICE, &json!([bad])))
            .await;
        assert_eq!(
            (done.status, done.result()),
            (422, "check-your-answers"),
            "{}",
            done.body
        );
        let error = &done.body["fields"][0];
        assert_eq!(error["field"], "needs", "{}", done.body);
        assert!(
            done.whole().contains("this is not a code we know"),
            "{}",
            done.body
        );
    }
    let mut more = word(SERVICE, &json!([]));
    more["accepts_nrpf"] = json!(true);
    assert!((400..=422).contains(&admin.post("/v1/proposals", &more).await.status));
    let missing = json!({ "change": "say_what_we_meet", "service": SERVICE });
    assert!((400..=422).contains(&admin.post("/v1/proposals", &missing).await.status));
    // Another's, or one that there is not: the same answer.
    for service in ["helpline", "no-such-service"] {
        let done = admin
            .post("/v1/proposals", &word(service, &json!(["health"])))
            .await;
        assert_eq!(done.status, 422, "{}", done.body);
        assert!(
            done.whole()
                .contains("your organisation has no such service"),
            "{}",
            done.body
        );
    }
    // Whoever else governs may not, and whoever works with her may not.
    for bundle in ["larkfield-ig", "operator"] {
        let other = town.signed_in(bundle).await;
        let done = other
            .post("/v1/proposals", &word(SERVICE, &json!(["health"])))
            .await;
        assert!([403, 422].contains(&done.status), "{bundle}: {}", done.body);
    }
    let done = triage(&town)
        .await
        .post("/v1/proposals", &word(SERVICE, &json!(["health"])))
        .await;
    assert_eq!(done.status, 403, "{}", done.body);
    assert_eq!(admin.get("/v1/me").await.body["own_services"], before);
    town.stop().await;
}

/// All that a sender is told, with what differs by its moment taken out.
async fn told(town: &Town, path: &str) -> (String, usize) {
    let said: Said = town.desk("met").await.get(path).await;
    if path != "/v1/me" {
        return (said.silent(), said.bytes.len());
    }
    // How long the log is, and what time it is.
    let mut body = said.body;
    for moved in ["log", "clock"] {
        assert!(body.as_object_mut().unwrap().remove(moved).is_some());
    }
    (body.to_string(), 0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_refers_learns_nothing_of_what_a_service_can_meet() {
    let town = town_that_said(None).await;
    let officer = town.desk("met").await;
    let needs = json!(["housing_safe", "interpreter"]);
    let sent = officer.post("/v1/referrals", &offer(&needs)).await;
    let own = format!("/v1/referrals/{}", sent.id());
    let paths = [
        own.as_str(),
        "/v1/referrals",
        "/v1/events",
        "/v1/me",
        "/v1/codes",
    ];
    let mut tried = offer(&needs);
    tried["identity"] = nobody();
    let mut page = Visitor::sign_in(&town, "met-browser").await;
    let mut seen = Vec::new();
    for said in [None, Some(json!([])), Some(needs.clone())] {
        if let Some(said) = said {
            let admin = town.signed_in(ADMIN).await;
            let done = admin.post("/v1/proposals", &word(SERVICE, &said)).await;
            assert_eq!(done.status, 200, "{}", done.body);
        }
        let mut all = Vec::new();
        for path in paths {
            all.push(told(&town, path).await);
        }
        // One more to the service, before it is sent; and the page on which services are chosen.
        let check = officer.post("/v1/referrals?check=only", &tried).await;
        assert_eq!(check.result(), "checked", "{}", check.body);
        all.push((check.silent(), check.bytes.len()));
        let new = page.get("/new").await;
        all.push((silent(&new), new.length));
        // Its own officer, and others who govern, see no proposal in it.
        for bundle in ["met-ig", "operator", "st-hildas-ig"] {
            let found = town.signed_in(bundle).await.get("/v1/proposals").await;
            assert_eq!(
                found.list("/proposals").len(),
                0,
                "{bundle}: {}",
                found.body
            );
        }
        seen.push(all);
    }
    for (place, never) in seen[0].iter().enumerate() {
        assert_eq!(never, &seen[1][place]);
        assert_eq!(never, &seen[2][place]);
    }
    // Nor is it among what anybody else is told of herself.
    for bundle in ["met", "harbour", "council-housing", "larkfield"] {
        let me = town.desk(bundle).await.get("/v1/me").await;
        assert_eq!(me.body["own_services"], Value::Null, "{bundle}");
        assert!(!me.whole().contains("housing_safe"), "{bundle}");
    }
    town.stop().await;
}
