//! A service accepts her, and by her name it sees that it knows him (`domain.md` 3.2): through the whole
//! gateway, what it can still open, where she goes, and what is told to whom.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use firedoor::ops::clock::now;
use firedoor::ops::demo::borough::SERVICE;
use firedoor::ops::demo::people::{TEST_PEOPLE, her, referral};
use serde_json::{Value, json};

use crate::pages::Visitor;
use crate::pages_provider::id_in;
use crate::town::{Desk, Said, ago};
use crate::urgency::{Story, accept, offers, urgent};

fn knows_him() -> Value {
    json!({ "reason": "knows_other_party" })
}

fn hand_back(id: &str) -> String {
    format!("/v1/referrals/{id}/hand-back")
}

/// What the charity accepts; its name there.
async fn accepted(story: &Story, sent: &Value) -> String {
    story.send(sent).await;
    let held = offers(&story.charity).await;
    let open = held.iter().find(|one| one["status"] == "offered").unwrap();
    let id = open["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/referrals/{id}/accept");
    let said = story.charity.post(&path, &accept()).await;
    assert_eq!(said.result(), "released", "{}", said.whole());
    id
}

fn tells_nothing_of_her(said: &Said) {
    for word in [
        "Amina",
        "Karim",
        "9990000018",
        "07700",
        "harbour",
        "hackney",
    ] {
        assert!(!said.whole().contains(word), "{word}: {}", said.whole());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn she_goes_on_at_once_and_neither_police_nor_the_next_service_learns_why() {
    let story = Story::start().await;
    let id = accepted(&story, &urgent(&her())).await;
    let sent = story.met.get("/v1/referrals").await;
    let sent = sent.text("/referrals/0/id").unwrap().to_owned();
    let inbox = format!("/v1/inbox/{id}");
    let case = story.charity.get(&inbox).await;
    let until = case.text("/referral/hand_back_until").unwrap();
    assert!(until > now().plus_hours(23).rfc3339().as_str(), "{until}");
    let person = case.text("/person").unwrap().to_owned();

    // One of three codes, and no words.
    for (body, field) in [
        (json!({ "reason": "full" }), "reason"),
        (json!({}), "reason"),
        (
            json!({ "reason": "knows_her", "note": "He is my cousin." }),
            "note",
        ),
    ] {
        let said = story.charity.post(&hand_back(&id), &body).await;
        assert_eq!(said.status, 422, "{}", said.whole());
        assert_eq!(
            said.text("/fields/0/field"),
            Some(field),
            "{}",
            said.whole()
        );
        assert!(!said.whole().contains("cousin"));
    }
    // Nobody else's is anybody's to hand back.
    let said = story.harbour.post(&hand_back(&id), &knows_him()).await;
    assert_eq!(said.result(), "nothing-to-show", "{}", said.whole());

    let said = story
        .charity
        .post_as("once", &hand_back(&id), &knows_him())
        .await;
    assert_eq!(
        (said.status, said.result()),
        (200, "handed-back"),
        "{}",
        said.whole()
    );
    assert_eq!(said.text("/status"), Some("closed"));
    assert!(
        said.text("/says")
            .unwrap()
            .contains("cannot be called back")
    );
    tells_nothing_of_her(&said);
    // The same once more is answered from the record; under another key it is too late.
    let again = story
        .charity
        .post_as("once", &hand_back(&id), &knows_him())
        .await;
    assert_eq!(again.status, 200);
    assert_eq!(again.body["replayed"], true, "{}", again.whole());
    tells_nothing_of_her(&again);
    for said in [
        story.charity.post(&hand_back(&id), &knows_him()).await,
        story.charity.get(&inbox).await,
    ] {
        assert_eq!(said.result(), "passed-on", "{}", said.whole());
        tells_nothing_of_her(&said);
    }
    assert!(offers(&story.charity).await.is_empty());
    let card = json!({ "person": person });
    let said = story.charity.post("/v1/cards", &card).await;
    assert_eq!(said.result(), "nothing-to-show", "{}", said.whole());

    // Police are told that no service has her, as when nobody has answered, and no more.
    let status = story.met.get(&format!("/v1/referrals/{sent}")).await;
    assert_eq!(status.text("/referral/status"), Some("recorded"));
    let says = status.text("/referral/no_answer/says").unwrap();
    assert!(says.contains("0808 2000 247"), "{says}");
    let events = story.met.get("/v1/events").await;
    let news = events.list("/events").last().unwrap();
    assert_eq!(news["status"], "recorded", "{}", events.whole());
    for said in [&status, &events] {
        for word in ["conflict", "knows", "back", "larkfield"] {
            assert!(!said.whole().contains(word), "{word}: {}", said.whole());
        }
    }

    let there = offers(&story.harbour).await;
    assert_eq!(there.len(), 1);
    // Everybody is asked whether they have a conflict; that somebody had one is told to nobody.
    for word in ["handed", "knows_", "larkfield", "Amina"] {
        assert!(!there[0].to_string().contains(word), "{word}");
    }
    let path = format!("/v1/referrals/{}/accept", there[0]["id"].as_str().unwrap());
    let taken = story.harbour.post(&path, &accept()).await;
    assert_eq!(taken.result(), "released", "{}", taken.whole());
    // Its own key alone opens who she is.
    assert!(taken.text("/released/sealed_to_you").is_some());
    let status = story.met.get(&format!("/v1/referrals/{sent}")).await;
    assert_eq!(status.text("/referral/status"), Some("with_a_service"));

    // The reason is in the entry that the charity's own officer reads, and in no other's.
    let entries = "/v1/audit/entries?max=200&evidence=true";
    let own = story
        .town
        .signed_in("larkfield-ig")
        .await
        .get(entries)
        .await;
    assert!(own.whole().contains("knows_other_party"), "{}", own.whole());
    for officer in ["met-ig", "st-hildas-ig"] {
        let log = story.town.signed_in(officer).await.get(entries).await;
        for word in ["hand_back", "handed-back", "knows_other_party"] {
            assert!(!log.whole().contains(word), "{officer}: {word}");
        }
    }
    story.town.stop().await;
}

async fn at_once(charity: &Desk, id: &str) -> Vec<String> {
    let (path, body) = (hand_back(id), knows_him());
    let both = tokio::join!(charity.post(&path, &body), charity.post(&path, &body));
    let mut said = vec![both.0.result().to_owned(), both.1.result().to_owned()];
    said.sort();
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_at_once_hand_her_back_once_and_after_a_day_nobody_does() {
    let story = Story::start().await;
    let id = accepted(&story, &urgent(&her())).await;
    assert_eq!(
        at_once(&story.charity, &id).await,
        ["handed-back", "passed-on"]
    );
    assert_eq!(offers(&story.harbour).await.len(), 1);

    // She agreed to the one service alone: nobody is left.
    let alone = referral(SERVICE, &TEST_PEOPLE[2].identity(), ago(2), None);
    let id = accepted(&story, &alone).await;
    assert_eq!(
        at_once(&story.charity, &id).await,
        ["handed-back", "passed-on"]
    );
    assert_eq!(offers(&story.harbour).await.len(), 1);

    let id = accepted(&story, &urgent(&TEST_PEOPLE[1].identity())).await;
    let latest = &story.town.running.app.gateway.latest;
    let later = now().plus_hours(25);
    latest.fetch_max(later.millis(), std::sync::atomic::Ordering::AcqRel);
    let case = story.charity.get(&format!("/v1/inbox/{id}")).await;
    assert_eq!(case.result(), "released");
    assert!(case.body["referral"]["hand_back_until"].is_null());
    let late = story.charity.post(&hand_back(&id), &knows_him()).await;
    assert_eq!(
        (late.status, late.result()),
        (409, "hand-back-over"),
        "{}",
        late.whole()
    );
    assert!(late.text("/detail").unwrap().contains("transfer"));
    let case = story.charity.get(&format!("/v1/inbox/{id}")).await;
    assert_eq!(case.result(), "released", "she is not left with nobody");
    story.town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volunteer_hands_her_back_from_the_case() {
    let story = Story::start().await;
    story.send(&urgent(&her())).await;
    let mut adviser = Visitor::sign_in(&story.town, "larkfield-browser").await;
    let inbox = adviser.get("/inbox").await;
    let id = id_in(&inbox, "/inbox/", "/answer");
    adviser.get(&format!("/inbox/{id}/answer")).await;
    let yes = [("worker", "v-adeola"), ("onward_rule_accepted", "yes")];
    let case = adviser.post(&format!("/inbox/{id}/accept"), &yes).await;
    // At once, and each time that the case is opened.
    let opened = adviser.get(&format!("/inbox/{id}")).await;
    for seen in [&case, &opened] {
        for words in ["We have a conflict: hand her back", "hours left"] {
            assert!(seen.text.contains(words), "{words}: {}", seen.text);
        }
    }
    let back = format!("/inbox/{id}/back");
    let asked = adviser.get(&back).await;
    assert_eq!(asked.title(), "Inbox - Messages");
    assert!(!asked.text.contains("Amina"), "{}", asked.text);
    let empty = adviser.post(&back, &[]).await;
    assert_eq!(empty.status, 422);
    assert_eq!(
        empty.text.matches("Choose the conflict").count(),
        2,
        "{}",
        empty.text
    );
    let wrong = adviser.post(&back, &[("reason", "full")]).await;
    assert_eq!(wrong.status, 422, "{}", wrong.text);

    let done = adviser.post(&back, &[("reason", "staff_related")]).await;
    assert_eq!(
        (done.status, done.heading().as_str()),
        (200, "You have handed her back")
    );
    assert!(done.text.contains("cannot be called back"), "{}", done.text);
    let case = adviser.get(&format!("/inbox/{id}")).await;
    assert!(
        case.text.contains("This is closed for you"),
        "{}",
        case.text
    );
    adviser.get(&back).await;
    let again = adviser.post(&back, &[("reason", "staff_related")]).await;
    assert_eq!(again.heading(), "This has ended for you", "{}", again.text);
    for seen in [&done, &case, &again] {
        assert!(!seen.text.contains("Amina"), "{}", seen.text);
    }
    let inbox = adviser.get("/inbox").await;
    assert!(
        inbox.text.contains("Nothing waits for an answer"),
        "{}",
        inbox.text
    );
    assert!(!inbox.html.contains(&id), "{}", inbox.text);
    assert_eq!(offers(&story.harbour).await.len(), 1);
    story.town.stop().await;
}
