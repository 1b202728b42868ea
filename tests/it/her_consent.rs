//! What is the same of every consent, wherever it is recorded (`domain.md` 4.3): which words were read to
//! her, and when it is gone through with her again.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use firedoor::ops::demo::borough::{CHARITY, SERVICE};
use firedoor::ops::demo::people::{assessment, consent, consent_to_ask, her, question, referral};
use serde_json::{Value, json};

use crate::she_moves::{HACKNEY, REFUGES, open_service};
use crate::town::{Desk, Said, Town, ago};

/// A place where a consent is recorded: who records, the route, the body, and where in it the consent
/// is.
struct Place {
    desk: Desk,
    route: String,
    body: Value,
    at: &'static str,
}

impl Place {
    async fn says(&self, field: &str, value: &Value) -> Said {
        let mut body = self.body.clone();
        body.pointer_mut(self.at).unwrap()[field] = value.clone();
        self.desk.post(&self.route, &body).await
    }
}

/// Each of them, on a referral that the charity accepted.
async fn places(town: &Town) -> Vec<Place> {
    open_service(town, "hackney-one", REFUGES, ("harbour", "helpline")).await;
    let met = town.desk("met").await;
    let charity = town.desk("larkfield").await;
    let sent = referral(SERVICE, &her(), ago(2), None);
    assert_eq!(met.post("/v1/referrals", &sent).await.status, 201);
    let inbox = charity.get("/v1/inbox").await;
    let id = inbox.list("/offers")[0]["id"].as_str().unwrap().to_owned();
    let accept = json!({ "worker": "r-osei", "onward_rule_accepted": true });
    let path = format!("/v1/referrals/{id}/accept");
    let accepted = charity.post(&path, &accept).await;
    let person = accepted.text("/person").unwrap().to_owned();

    let mut asked = question(&her());
    asked["consent"] = consent_to_ask(ago(1));
    let mut safety = consent(ago(1));
    safety["purposes"] = json!(["safety_planning"]);
    safety["classes"] = json!(["op"]);
    let moves = json!({
        "area": HACKNEY, "service_family": "accommodation_based", "mode": "hand_over",
        "identity": her(), "safe_contact": { "modes": ["phone"], "number": "07700 900456" },
        // Asked anew, now that the charity works with her.
        "consent": consent(ago(0)),
    });
    let of =
        |desk: &str, route: &str, body: Value, at| (desk.to_owned(), route.to_owned(), body, at);
    let all = [
        of("met", "/v1/referrals", sent, "/consent"),
        of(
            "larkfield",
            "/v1/consents",
            json!({ "person": person, "consent": consent_to_ask(ago(1)) }),
            "/consent",
        ),
        of(
            "st-hildas",
            "/v1/assessments",
            assessment(ago(3), CHARITY),
            "/consents/0",
        ),
        of("larkfield", "/v1/assessments/query", asked, "/consent"),
        of(
            "larkfield",
            &format!("/v1/referrals/{id}/updates"),
            json!({ "code": "call_us_about_her_safety", "consent": safety }),
            "/consent",
        ),
        // The last, because it ends the charity's own work.
        of(
            "larkfield",
            &format!("/v1/referrals/{id}/transfer"),
            moves,
            "/consent",
        ),
    ];
    let mut places = Vec::new();
    for (desk, route, body, at) in all {
        let desk = town.desk(&desk).await;
        places.push(Place {
            desk,
            route,
            body,
            at,
        });
    }
    places
}

fn refused(said: &Said, field: &str, says: &str) {
    assert_eq!((said.status, said.result()), (422, "check-your-answers"));
    let wrong = &said.list("/fields")[0];
    assert_eq!(wrong["field"], field, "{}", said.whole());
    assert!(wrong["message"].as_str().unwrap().contains(says));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_place_keeps_words_that_were_read_and_refuses_those_that_never_were() {
    let town = Town::start().await;
    let notices = town.desk("larkfield").await.get("/v1/notices").await;
    let named = |name: &str| {
        let all = notices.list("/notices").iter();
        all.filter(|one| one["name"] == name).count() == 1
    };
    let (real, never) = ("referral-2026-11", "referral-1999-01");
    assert!(named(real) && !named(never));
    for place in places(&town).await {
        // Neither what never was, nor what is read afterwards.
        for name in [never, "stopped-2026-11"] {
            let said = place.says("notice_version", &json!(name)).await;
            refused(&said, "consent.notice_version", "GET /v1/notices");
        }
        let said = place.says("notice_version", &json!(real)).await;
        assert!(said.status < 300, "{}: {}", place.route, said.whole());
    }
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_place_takes_a_day_on_which_it_is_gone_through_again() {
    let town = Town::start().await;
    for place in places(&town).await {
        let until = json!(ago(-24 * 30).rfc3339());
        let mut ends = place.body.clone();
        ends.pointer_mut(place.at).unwrap()["until"] = until;
        let ends = Place {
            body: ends,
            ..place
        };
        for wrong in [
            json!(ago(-24 * 31).rfc3339()),
            json!(ago(24 * 400).rfc3339()),
        ] {
            let said = ends.says("review_at", &wrong).await;
            refused(&said, "consent.review_at", "before it ends");
        }
        let said = ends.says("review_at", &json!("in spring")).await;
        refused(&said, "consent.review_at", "give date");
        let day = json!(ago(-24 * 20).rfc3339());
        let said = ends.says("review_at", &day).await;
        assert!(said.status < 300, "{}: {}", ends.route, said.whole());
    }
    town.stop().await;
}
