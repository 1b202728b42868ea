//! How long an offer waits (`domain.md` 3.0.6), through the whole gateway: amber before late, then the
//! next service, then the line that is answered day and night; and that its sender learns nothing from
//! it of whom was asked.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use firedoor::domain::codes::Role;
use firedoor::domain::time::When;
use firedoor::ops::clock::now;
use firedoor::ops::demo::borough::SERVICE;
use firedoor::ops::demo::people::{TEST_PEOPLE, consent, her, referral};
use serde_json::{Value, json};

use crate::she_moves::{HACKNEY, open_service};
use crate::town::{Desk, Said, Town, ago};

/// The services that test people are referred to, and the health desk, are of the family too; Hackney
/// has none of them but those opened here.
const FAMILY: &str = "community_based_and_recovery";

pub struct Story {
    pub town: Town,
    pub met: Desk,
    pub charity: Desk,
    pub harbour: Desk,
}

impl Story {
    pub async fn start() -> Self {
        let town = Town::start().await;
        let run = ("harbour", "helpline");
        open_service(&town, "hackney-one", FAMILY, run).await;
        Self {
            met: town.desk("met").await,
            charity: town.desk("larkfield").await.as_user("r-osei", Role::Triage),
            harbour: town.desk("harbour").await,
            town,
        }
    }

    async fn pass_on(&self, at: When) {
        self.town
            .running
            .app
            .gateway
            .pass_offers_on(at)
            .await
            .unwrap();
    }

    pub async fn send(&self, sent: &Value) -> Said {
        let said = self.met.post("/v1/referrals", sent).await;
        assert_eq!(said.status, 201, "{}", said.whole());
        said
    }

    pub async fn status(&self, id: &str) -> Said {
        self.met.get(&format!("/v1/referrals/{id}")).await
    }
}

/// Her word names every service of the family, and where she is sought for.
pub fn urgent(identity: &Value) -> Value {
    let mut sent = referral(SERVICE, identity, ago(2), None);
    sent["urgency"] = json!("high");
    sent["area"] = json!(HACKNEY);
    sent["consent"]["recipients"] = json!({ "families": [FAMILY] });
    sent
}

pub fn accept() -> Value {
    json!({ "worker": "r-osei", "onward_rule_accepted": true })
}

pub async fn offers(desk: &Desk) -> Vec<Value> {
    let inbox = desk.get("/v1/inbox").await;
    inbox.list("/offers").to_vec()
}

fn codes(said: &Said) -> Vec<String> {
    let events = said.list("/events").iter();
    let codes = events.map(|event| event["status"].as_str().unwrap().to_owned());
    codes.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_answers_so_the_next_service_is_asked_and_then_the_line_is_shown() {
    let story = Story::start().await;
    let sent = story.send(&urgent(&her())).await;
    // Whom to call meanwhile is said at once, of every urgent offer.
    assert!(sent.text("/meanwhile").unwrap().contains("0808 2000 247"));
    let mut calm = referral(SERVICE, &TEST_PEOPLE[2].identity(), ago(2), None);
    calm["urgency"] = json!("standard");
    assert!(story.send(&calm).await.body["meanwhile"].is_null());

    let before = story.status(sent.id()).await;
    let held = offers(&story.charity).await;
    let first = held.iter().find(|one| one["urgency"] == "high").unwrap();
    let by = When::parse(first["answer"]["by"].as_str().unwrap()).unwrap();
    assert_eq!(first["answer"]["state"], "on_time");
    let id = first["id"].as_str().unwrap().to_owned();
    assert!(offers(&story.harbour).await.is_empty());

    // In time nothing moves; an hour of its opening later it is harbour's.
    story.pass_on(by.plus_millis(-1)).await;
    assert!(offers(&story.harbour).await.is_empty());
    story.pass_on(by).await;
    let there = offers(&story.harbour).await;
    assert_eq!(there.len(), 1);
    assert_eq!(there[0]["service"], "hackney-one");
    for word in ["Amina", "9990000018", "larkfield"] {
        assert!(!there[0].to_string().contains(word), "{word}");
    }
    assert_eq!(
        story.status(sent.id()).await.silent(),
        before.silent(),
        "the officer sees no difference"
    );

    // The charity sees that it came late: closed, passed on, and not to whom.
    let left = offers(&story.charity).await;
    assert!(left.iter().all(|one| one["urgency"] != "high"));
    let events = story.charity.get("/v1/events").await;
    assert_eq!(codes(&events).last().unwrap(), "passed_on");
    let path = format!("/v1/referrals/{id}/accept");
    for said in [
        story.charity.post(&path, &accept()).await,
        story.charity.get(&format!("/v1/inbox/{id}")).await,
    ] {
        assert_eq!(said.result(), "passed-on", "{}", said.whole());
        assert_eq!(said.text("/status"), Some("closed"));
        assert!(
            said.text("/says")
                .unwrap()
                .starts_with("This is closed for you.")
        );
        for word in ["harbour", "hackney", "released", "Amina"] {
            assert!(!said.whole().contains(word), "{word}");
        }
    }

    // What it reports meanwhile is not for police to read, and police know nobody whom they could call.
    let path = format!("/v1/referrals/{}/updates", there[0]["id"].as_str().unwrap());
    let news = json!({ "code": "new_incident" });
    let said = story.harbour.post(&path, &news).await;
    assert_eq!(said.result(), "updated", "{}", said.whole());
    let safety = json!({ "code": "call_us_about_her_safety", "consent": consent(ago(1)) });
    for call in [json!({ "code": "call_referrer" }), safety] {
        let said = story.harbour.post(&path, &call).await;
        assert_eq!(
            said.text("/fields/0/field"),
            Some("code"),
            "{}",
            said.whole()
        );
    }

    // Harbour says nothing either: nobody is left, and the officer is shown the line.
    let by = When::parse(there[0]["answer"]["by"].as_str().unwrap()).unwrap();
    story.pass_on(by).await;
    assert!(offers(&story.harbour).await.is_empty());
    let events = story.harbour.get("/v1/events").await;
    assert_eq!(codes(&events).last().unwrap(), "expired");
    // She hears of it; the clock of her page is not the test's, so that the line itself is judged below.
    let events = story.met.get("/v1/events").await;
    assert_eq!(codes(&events).last().unwrap(), "recorded");
    let path = format!("/v1/referrals/{}/accept", there[0]["id"].as_str().unwrap());
    let late = story.harbour.post(&path, &accept()).await;
    assert_eq!(late.result(), "passed-on", "{}", late.whole());

    // No officer of the police reads of harbour.
    let officer = story.town.signed_in("met-ig").await;
    let log = officer
        .get("/v1/audit/entries?max=200&evidence=true")
        .await
        .whole();
    assert!(
        !log.contains("harbour") && !log.contains("hackney-one"),
        "{log}"
    );
    story.town.stop().await;
}

/// Where she was accepted the line is not shown; in every other case it is, at the same hour.
#[tokio::test(flavor = "multi_thread")]
async fn a_referrers_bytes_are_equal_whoever_is_tried_and_whatever_they_say() {
    let story = Story::start().await;
    let mut sent = Vec::new();
    // A day ago by the clock of the gateway all have had their hours: its clock is moved at the end.
    for (number, person) in TEST_PEOPLE.iter().enumerate() {
        let mut offer = urgent(&person.identity());
        if number == 3 {
            // One service only, and none that the gateway may pick.
            offer["consent"]["recipients"] = json!({});
        }
        sent.push(story.send(&offer).await.id().to_owned());
    }
    let held = offers(&story.charity).await;
    assert_eq!(held.len(), 4);
    let path = |number: usize, word: &str| {
        format!(
            "/v1/referrals/{}/{word}",
            held[number]["id"].as_str().unwrap()
        )
    };
    let full = json!({ "reason": "full" });
    let said = story.charity.post(&path(0, "decline"), &full).await;
    assert_eq!(said.text("/status"), Some("declined"), "{}", said.whole());
    let said = story.charity.post(&path(1, "wait"), &json!({})).await;
    assert_eq!(said.text("/status"), Some("waiting"), "{}", said.whole());
    let wish = json!({
        "identity": TEST_PEOPLE[2].identity(), "scope": "everything", "channel": "telephone",
    });
    let said = story.charity.post("/v1/withdrawals", &wish).await;
    assert_eq!(said.status, 200, "{}", said.whole());
    assert_eq!(
        offers(&story.harbour).await.len(),
        1,
        "what was declined went on"
    );

    let silent = async |moment: &str| {
        let mut seen = Vec::new();
        for id in &sent {
            let said = story.status(id).await;
            assert_eq!(said.text("/referral/status"), Some("recorded"), "{moment}");
            let mut body = said.body["referral"].clone();
            for varies in ["id", "offered_at", "pass_on_by"] {
                body[varies] = Value::Null;
            }
            seen.push((body, said.bytes.len()));
        }
        seen
    };
    let before = silent("before").await;
    for seen in &before {
        assert_eq!(*seen, before[0]);
        assert!(seen.0.get("no_answer").is_none());
    }
    // Ten days on nobody has accepted any of them.
    let latest = &story.town.running.app.gateway.latest;
    let later = now().plus_days(10);
    latest.fetch_max(later.millis(), std::sync::atomic::Ordering::AcqRel);
    story.pass_on(later).await;
    let after = silent("after").await;
    for seen in &after {
        assert_eq!(*seen, after[0]);
        assert_eq!(seen.0["no_answer"]["code"], "expired");
        let says = seen.0["no_answer"]["says"].as_str().unwrap();
        assert!(says.contains("0808 2000 247"), "{says}");
    }
    story.town.stop().await;
}

/// An answer and the clock at one moment: one of the two counts, whole. In each round the clock comes
/// somewhat later, until both have won.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_answer_races_the_clock_and_nobody_has_half_of_it() {
    const OFFERS: usize = 4;
    const ROUNDS_MAX: u32 = 11;
    let story = Story::start().await;
    let (mut released, mut passed_on) = (0, 0);
    for round in 0..ROUNDS_MAX {
        for person in TEST_PEOPLE.iter().take(OFFERS) {
            story.send(&urgent(&person.identity())).await;
        }
        let mut held = offers(&story.charity).await;
        held.retain(|one| one["status"] == "offered");
        assert_eq!(held.len(), OFFERS);
        let by = |offer: &Value| When::parse(offer["answer"]["by"].as_str().unwrap()).unwrap();
        let last = held.iter().map(by).max().unwrap();
        let app = story.town.running.app.clone();
        let clock = tokio::spawn(async move {
            for _ in 1..4_u32.pow(round) {
                tokio::task::yield_now().await;
            }
            app.gateway.pass_offers_on(last).await.unwrap()
        });
        let mut answers = Vec::new();
        for offer in &held {
            let (charity, id) = (story.charity.clone(), offer["id"].as_str().unwrap());
            let path = format!("/v1/referrals/{id}/accept");
            answers.push(tokio::spawn(async move {
                let said = charity.post(&path, &accept()).await;
                said.result().to_owned()
            }));
        }
        clock.await.unwrap();
        for answer in answers {
            match answer.await.unwrap().as_str() {
                "released" => released += 1,
                "passed-on" => passed_on += 1,
                other => panic!("{other}"),
            }
        }
        assert_eq!(offers(&story.harbour).await.len(), passed_on);
        let mine = offers(&story.charity).await;
        assert!(mine.iter().all(|one| one["status"] == "accepted"));
        assert_eq!(mine.len(), released);
        println!("{released} released, {passed_on} passed on");
        if released > 0 && passed_on > 0 {
            break;
        }
    }
    assert!(released > 0 && passed_on > 0);
    story.town.stop().await;
}
