//! She withdraws, and it holds (`domain.md` 3.4), through real connections: at any service, by her card,
//! paused where somebody may be making her say it, and while others read.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::time::Duration;

use firedoor::domain::codes::Role;
use firedoor::ops::config::Config;
use firedoor::ops::demo::borough::{CHARITY, OTHER_SERVICE, SERVICE};
use firedoor::ops::demo::people::{
    TEST_PEOPLE, assessment, consent_to_ask, her, nobody, question, referral,
};
use firedoor::ops::serve;
use firedoor::pipeline::Gateway;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::cluster::{Cluster, Databases};
use crate::town::{Desk, Said, Town, ago, new_key, prepare};

/// Readers while she withdraws.
const READERS: usize = 64;
/// Of different users; a system may assert fifty new ones a day.
const USERS: usize = 40;
/// Readers let go together.
const WAVE: usize = 8;
/// Entries of readers that are in the log before she withdraws.
const READ_FIRST: u64 = 3;

fn done(said: &Said) {
    assert!(said.status < 300, "{}", said.whole());
}

/// The hospital assessed her, police referred her, the charity accepted and may ask.
struct Story {
    town: Town,
    her: Value,
    officer: Desk,
    charity: Desk,
    council: Desk,
    harbour: Desk,
    /// The charity's own names for her referral and for her.
    referral: String,
    person: String,
    /// Police's name for it.
    sent: String,
}

impl Story {
    async fn new() -> Self {
        Self::of(Town::start().await, her()).await
    }

    async fn of(town: Town, her: Value) -> Self {
        let officer = town.desk("met").await;
        let charity = town.desk("larkfield").await;
        let hospital = town.desk("st-hildas").await;
        let mut assessed = assessment(ago(3), CHARITY);
        assessed["identity"] = her.clone();
        done(&hospital.post("/v1/assessments", &assessed).await);
        let offer = referral(SERVICE, &her, ago(2), None);
        let offered = officer.post("/v1/referrals", &offer).await;
        done(&offered);
        let inbox = charity.get("/v1/inbox").await;
        let mut offers = inbox.list("/offers").iter();
        let open = offers.find(|offer| offer["status"] == "offered").unwrap();
        let id = open["id"].as_str().unwrap().to_owned();
        let accept = json!({ "worker": "r-osei", "onward_rule_accepted": true });
        let accepted = charity
            .post(&format!("/v1/referrals/{id}/accept"), &accept)
            .await;
        assert_eq!(accepted.result(), "released", "{}", accepted.body);
        let person = accepted.text("/person").unwrap().to_owned();
        let asks = json!({ "person": person, "consent": consent_to_ask(ago(1)) });
        done(&charity.post("/v1/consents", &asks).await);
        let story = Self {
            council: town.desk("council-housing").await,
            harbour: town.desk("harbour").await,
            town,
            her,
            officer,
            charity,
            referral: id,
            person,
            sent: offered.id().to_owned(),
        };
        assert_eq!(story.asks().await.result(), "assessments");
        story
    }

    async fn asks(&self) -> Said {
        self.charity
            .post("/v1/assessments/query", &question(&self.her))
            .await
    }

    async fn reads(&self) -> Said {
        let path = format!("/v1/inbox/{}", self.referral);
        self.charity.get(&path).await
    }

    /// Nothing is shown, and not a byte otherwise than of a woman whom nobody knows.
    async fn shows_nothing(&self) {
        let (hers, nobodys) = (
            self.asks().await,
            self.charity
                .post("/v1/assessments/query", &question(&nobody()))
                .await,
        );
        assert_eq!(hers.result(), "nothing-to-show", "{}", hers.body);
        assert_eq!(hers.silent(), nobodys.silent());
        let read = self.reads().await;
        assert_eq!(read.result(), "nothing-to-show", "{}", read.body);
    }

    async fn offers_to_harbour(&self, given_at: &Value) -> Said {
        let mut offer = referral(OTHER_SERVICE, &her(), ago(2), None);
        offer["consent"]["given_at"] = given_at.clone();
        self.officer.post("/v1/referrals", &offer).await
    }

    async fn offered_at_harbour(&self) -> Vec<Value> {
        self.harbour.get("/v1/inbox").await.list("/offers").to_vec()
    }

    async fn notices(&self, desk: &Desk) -> Vec<Value> {
        let events = desk.get("/v1/events").await;
        let all = events.list("/events").iter();
        all.filter(|event| event["stop_use"].is_string())
            .cloned()
            .collect()
    }
}

fn wish(pause: bool) -> Value {
    json!({
        "identity": her(), "scope": "everything", "channel": "telephone", "pause": pause,
    })
}

/// What both replies say, without what names or dates each.
fn plain(said: &Said) -> Value {
    let mut body = said.body.clone();
    // How long a receipt is follows from its place in the log.
    assert!(body["receipt"].take().is_string());
    for field in ["id", "effective_from", "replay", "date", "support_code"] {
        let value = body[field].as_str().unwrap();
        body[field] = json!(value.len());
    }
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn she_stops_everything_at_another_service_and_it_holds_for_good() {
    let story = Story::new().await;
    let old = json!(ago(2).rfc3339());
    done(&story.offers_to_harbour(&old).await);
    let waiting = story.offered_at_harbour().await;
    assert_eq!(waiting.len(), 1);
    let open = waiting[0]["id"].as_str().unwrap().to_owned();
    let status = format!("/v1/referrals/{}", story.sent);
    let before = story.officer.get(&status).await;

    // 1 and 2: no reason, at a service that never met her; in force before the reply.
    let withdrew = story.council.post("/v1/withdrawals", &wish(false)).await;
    assert_eq!(withdrew.result(), "withdrawn", "{}", withdrew.body);
    story.shows_nothing().await;
    assert!(story.offered_at_harbour().await.is_empty());
    let accept = json!({ "worker": "h-desk", "onward_rule_accepted": true });
    let path = format!("/v1/referrals/{open}/accept");
    let late = story.harbour.post(&path, &accept).await;
    assert_eq!(late.result(), "nothing-to-show", "{}", late.body);

    // 3: who was shown something is asked to stop, by its own name for her and nothing else.
    let notices = story.notices(&story.charity).await;
    assert_eq!(notices.len(), 1);
    let notice = &notices[0];
    assert_eq!(notice["status"], "stop_use");
    assert_eq!(notice["person"], json!(story.person));
    assert_eq!(notice["shown"], json!(["details", "assessments"]));
    assert!(!notice.to_string().contains("council"));
    for desk in [&story.harbour, &story.council] {
        assert!(story.notices(desk).await.is_empty());
    }
    let path = format!(
        "/v1/stop-use/{}/reply",
        notice["stop_use"].as_str().unwrap()
    );
    let without = story
        .charity
        .post(&path, &json!({ "reply": "kept_by_law" }))
        .await;
    assert_eq!(without.status, 422, "{}", without.body);
    let by_law = json!({ "reply": "kept_by_law", "ground": "court_order" });
    done(&story.charity.post(&path, &by_law).await);
    let answered = &story.notices(&story.charity).await[0];
    assert_eq!(answered["status"], "stop_use_answered");
    assert_eq!(answered["reply"], "kept_by_law");

    // 4: what goes on is said, the same of somebody nobody knows; and whom to complain to.
    let mut unknown = wish(false);
    unknown["identity"] = nobody();
    let nobodys = story.council.post("/v1/withdrawals", &unknown).await;
    assert_eq!(plain(&withdrew), plain(&nobodys));
    assert!(
        withdrew.body["goes_on"][0]
            .as_str()
            .unwrap()
            .contains("law")
    );
    assert!(withdrew.body["complain_to"].as_array().unwrap().len() == 2);

    // 5: police see no difference, and cannot bring it back under another id.
    let after = story.officer.get(&status).await;
    assert_eq!(before.silent(), after.silent());
    let resent = story.offers_to_harbour(&old).await;
    done(&resent);
    assert!(story.offered_at_harbour().await.is_empty());
    let tasks = story.council.get("/v1/events").await;
    let stopped = |event: &&Value| event["status"] == "message_stopped";
    assert_eq!(tasks.list("/events").iter().filter(stopped).count(), 1);
    let anew = story.offers_to_harbour(&Value::Null).await;
    done(&anew);
    let keys = |said: &Said| {
        let map = said.body.as_object().unwrap();
        map.keys().cloned().collect::<Vec<String>>()
    };
    assert_eq!(keys(&resent), keys(&anew));
    assert_eq!(resent.bytes.len(), anew.bytes.len());
    let offered = story.offered_at_harbour().await;
    assert_eq!(offered.len(), 1);
    assert!(offered[0]["she_withdrew_on"].is_string(), "{}", offered[0]);
    story.town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_services_take_her_word_at_once_and_neither_learns_of_the_other() {
    let story = Story::new().await;
    let one_wish = wish(false);
    let (one, two) = tokio::join!(
        story.council.post("/v1/withdrawals", &one_wish),
        story.harbour.post("/v1/withdrawals", &one_wish),
    );
    assert_eq!(plain(&one), plain(&two));
    assert_ne!(one.entry(), two.entry());
    story.shows_nothing().await;
    // One notice of each, whichever was first.
    let notices = story.notices(&story.charity).await;
    assert!((1..=2).contains(&notices.len()), "{notices:?}");
    for notice in &notices {
        assert_eq!(notice["person"], json!(story.person));
    }
    story.town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_runs_ahead_does_not_carry_her_yes_past_her_no() {
    let story = Story::new().await;
    let ahead = json!(ago(-1).rfc3339());
    done(&story.offers_to_harbour(&ahead).await);
    assert_eq!(story.offered_at_harbour().await.len(), 1);
    done(&story.council.post("/v1/withdrawals", &wish(false)).await);
    assert!(story.offered_at_harbour().await.is_empty());
    story.shows_nothing().await;
    story.town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_none_is_named_and_nothing_is_said_to_be_in_force() {
    let story = Story::new().await;
    let naming = |services: &[&str], identity: Value| {
        let mut body = wish(false);
        body["scope"] = json!("service");
        body["services"] = json!(services);
        body["identity"] = identity;
        body
    };
    for services in [&["larkfeild"][..], &[SERVICE, "larkfeild"]] {
        let mut refused = Vec::new();
        for identity in [her(), nobody()] {
            let body = naming(services, identity);
            let said = story.council.post("/v1/withdrawals", &body).await;
            assert_eq!(said.status, 422, "{}", said.body);
            let whole = said.body.to_string();
            assert!(whole.contains("nothing was withdrawn"), "{whole}");
            refused.push(said.silent());
        }
        assert_eq!(refused[0], refused[1]);
    }
    assert_eq!(story.asks().await.result(), "assessments");
    let named = naming(&[SERVICE], her());
    let said = story.council.post("/v1/withdrawals", &named).await;
    assert_eq!(said.result(), "withdrawn", "{}", said.body);
    story.shows_nothing().await;
    story.town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn she_withdraws_by_her_card_and_its_codes_are_shown_once() {
    let story = Story::new().await;
    let key = new_key();
    let make = json!({ "person": story.person });
    let card = story.charity.post_as(&key, "/v1/cards", &make).await;
    assert_eq!(
        (card.status, card.result()),
        (201, "card-issued"),
        "{}",
        card.body
    );
    let code = card.text("/withdrawal_code").unwrap().to_owned();
    let questions = card.list("/question_codes").to_vec();
    assert_eq!((code.len(), questions.len()), (14, 5));
    let again = story.charity.post_as(&key, "/v1/cards", &make).await;
    assert_eq!(again.status, 201, "{}", again.body);
    assert!(again.text("/withdrawal_code").is_none() && !again.whole().contains(&code));

    // A wrong code, and one that is for something else, are refused alike, and stop nothing.
    let by = |code: &str| json!({ "card_code": code, "scope": "everything", "channel": "card" });
    let mut refused = Vec::new();
    for wrong in [
        "0000-0000-0001",
        "not a code",
        questions[0].as_str().unwrap(),
    ] {
        let said = story.harbour.post("/v1/withdrawals", &by(wrong)).await;
        assert_eq!(said.status, 422, "{}", said.body);
        refused.push(said.silent());
    }
    assert!(
        refused.windows(2).all(|two| two[0] == two[1]),
        "{refused:?}"
    );
    assert_eq!(story.asks().await.result(), "assessments");

    let typed = code.to_lowercase().replace('-', " ");
    let withdrew = story.harbour.post("/v1/withdrawals", &by(&typed)).await;
    assert_eq!(withdrew.result(), "withdrawn", "{}", withdrew.body);
    let usual = story.council.post("/v1/withdrawals", &wish(false)).await;
    assert_eq!(plain(&withdrew), plain(&usual));
    story.shows_nothing().await;
    story.town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_looks_like_a_withdrawal_until_she_was_asked_safely() {
    let story = Story::new().await;
    done(&story.offers_to_harbour(&json!(ago(2).rfc3339())).await);
    let paused = story.council.post("/v1/withdrawals", &wish(true)).await;
    let mut other = wish(false);
    other["identity"] = TEST_PEOPLE[1].identity();
    let withdrew = story.council.post("/v1/withdrawals", &other).await;
    assert_eq!(plain(&paused), plain(&withdrew));
    assert_eq!(paused.bytes.len(), withdrew.bytes.len());
    story.shows_nothing().await;
    assert!(story.offered_at_harbour().await.is_empty());
    assert_eq!(story.notices(&story.charity).await[0]["status"], "stop_use");

    // Who took it has a task, and settles it; to anybody else there is no such thing.
    let events = story.council.get("/v1/events").await;
    let task = events.list("/events").iter();
    let task = task.filter(|event| event["status"] == "paused");
    let ids: Vec<&str> = task
        .map(|event| event["withdrawal"].as_str().unwrap())
        .collect();
    assert_eq!(ids, [paused.id()]);
    let lift = format!("/v1/withdrawals/{}/lift", paused.id());
    let safely = json!({ "asked_her_safely": true });
    let others = story.harbour.post(&lift, &safely).await;
    assert_eq!(others.result(), "nothing-to-show", "{}", others.body);
    assert_eq!(story.council.post(&lift, &json!({})).await.status, 422);
    let lifted = story.council.post(&lift, &safely).await;
    assert_eq!(lifted.result(), "pause-lifted", "{}", lifted.body);
    assert_eq!(story.asks().await.result(), "assessments");
    assert_eq!(story.reads().await.result(), "released");
    assert_eq!(story.offered_at_harbour().await.len(), 1);
    let ended = &story.notices(&story.charity).await[0];
    assert_eq!(ended["status"], "stop_use_ended");

    // Paused once more, and it was her word.
    let again = story.council.post("/v1/withdrawals", &wish(true)).await;
    let confirm = format!("/v1/withdrawals/{}/confirm", again.id());
    let confirmed = story.council.post(&confirm, &json!({})).await;
    assert_eq!(confirmed.result(), "pause-confirmed", "{}", confirmed.body);
    assert!(confirmed.text("/replay").is_some());
    story.shows_nothing().await;
    let path = format!("/v1/withdrawals/{}/lift", again.id());
    let late = story.council.post(&path, &safely).await;
    assert_eq!(late.status, 409, "{}", late.body);
    story.town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_in_doubt_serves_for_nothing_and_one_with_him_there_is_warned_of() {
    let story = Story::new().await;
    let mut consent = consent_to_ask(ago(0));
    consent["other_party_present"] = json!("yes");
    let body = json!({ "person": story.person, "consent": consent });
    let warned = story.charity.post("/v1/consents", &body).await;
    assert_eq!(warned.status, 201, "{}", warned.body);
    assert!(warned.text("/warning").unwrap().contains("alone"));
    // At every door by which a consent comes in; where she is asked about, whatever is found.
    let mut replies = Vec::new();
    for identity in [her(), nobody()] {
        let mut asking = question(&identity);
        asking["consent"] = consent.clone();
        let said = story.charity.post("/v1/assessments/query", &asking).await;
        replies.push(said.text("/warning").unwrap().to_owned());
    }
    assert_eq!(replies[0], replies[1]);
    let mut told = assessment(ago(3), CHARITY);
    told["consents"][0]["other_party_present"] = json!("yes");
    let hospital = story.town.desk("st-hildas").await;
    let said = hospital.post("/v1/assessments", &told).await;
    assert_eq!(said.status, 201, "{}", said.body);
    assert!(said.text("/warning").unwrap().contains("alone"));
    let mut offer = referral(OTHER_SERVICE, &her(), ago(2), None);
    offer["consent"]["other_party_present"] = json!("yes");
    let said = story.officer.post("/v1/referrals", &offer).await;
    assert!(said.text("/warning").unwrap().contains("alone"));
    offer["consent"]["other_party_present"] = json!("no");
    let said = story.officer.post("/v1/referrals", &offer).await;
    assert_eq!(said.text("/warning"), None, "{}", said.body);
    let mut paused = body.clone();
    paused["consent"]["other_party_present"] = json!("no");
    let plain = story.charity.post("/v1/consents", &paused).await;
    paused["pause"] = json!(true);
    let doubted = story.charity.post("/v1/consents", &paused).await;
    let names = |said: &Said| {
        said.body
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&plain), names(&doubted));
    let mut through = body.clone();
    through["consent"]["interpreter"] = json!("family");
    assert_eq!(
        story.charity.post("/v1/consents", &through).await.status,
        422
    );

    // A review that is not due yet is not listed; whose it is, its own organisation's alone.
    let mut long = body;
    long["consent"]["review_at"] = json!(ago(-24 * 90).rfc3339());
    done(&story.charity.post("/v1/consents", &long).await);
    let due = story.charity.get("/v1/consents").await;
    assert_eq!(due.result(), "consents-due", "{}", due.body);
    assert!(due.list("/consents").is_empty());
    story.town.stop().await;
}

/// Waits until the log has so many entries.
async fn until(gateway: &Gateway, entries: u64) {
    loop {
        let now = gateway.position();
        if now >= entries {
            return;
        }
        let newest = now.saturating_sub(1);
        gateway.store.changed(newest, Duration::from_secs(1)).await;
    }
}

/// Readers of the charity at `gateway`, a wave at a time, and in their midst she withdraws at the
/// council: how many were before her in the log, and how many after.
async fn race(story: &Story, charity: &Desk, gateway: &Gateway) -> (usize, usize) {
    let reader = |number: usize| {
        let user = format!("reader-{}", number % USERS);
        charity.as_user(&user, Role::Adviser)
    };
    // Nobody is new when it begins, and every connection is open.
    for number in 0..USERS {
        done(&reader(number).get("/v1/me").await);
    }
    done(&story.council.get("/v1/me").await);
    let whole = [story.asks().await.silent(), story.reads().await.silent()];
    let path = format!("/v1/inbox/{}", story.referral);
    let read = |number: usize| -> JoinHandle<(usize, Said)> {
        let (desk, path) = (reader(number), path.clone());
        let question = question(&story.her);
        tokio::spawn(async move {
            // One half ask, the other half read what was released.
            match number % 2 {
                0 => (0, desk.post("/v1/assessments/query", &question).await),
                _ => (1, desk.get(&path).await),
            }
        })
    };
    let mut withdraws = wish(false);
    withdraws["identity"] = story.her.clone();
    let council = story.council.clone();
    let mut withdrawing = None;
    let mut readers = Vec::new();
    for wave in 0..READERS / WAVE {
        let at = gateway.position();
        readers.extend((wave * WAVE..(wave + 1) * WAVE).map(read));
        if wave == 0 {
            until(gateway, at + READ_FIRST).await;
            let (council, wish) = (council.clone(), withdraws.clone());
            withdrawing = Some(tokio::spawn(async move {
                council.post("/v1/withdrawals", &wish).await
            }));
        } else {
            until(gateway, at + 1).await;
        }
    }
    let withdrew = withdrawing.unwrap().await.unwrap();
    assert_eq!(withdrew.result(), "withdrawn", "{}", withdrew.body);
    let stopped = withdrew.entry();
    let (mut before, mut after) = (0, 0);
    for reading in readers {
        let (kind, said) = reading.await.unwrap();
        assert_eq!(said.status, 200, "{}", said.body);
        if said.entry() > stopped {
            after += 1;
            assert_eq!(said.result(), "nothing-to-show", "{}", said.body);
            continue;
        }
        before += 1;
        // Of what was released nothing, if its key was destroyed before its bytes were read; never
        // half. An assessment stays with whoever made it, so what was asked first is shown.
        if kind == 0 || said.result() != "nothing-to-show" {
            assert_eq!(said.silent(), whole[kind], "entry {}", said.entry());
        }
    }
    assert_eq!(before + after, READERS);
    story.shows_nothing().await;
    (before, after)
}

/// Her word comes among readers, of whom some were first: one person after the other, until it does. How
/// many were before her and after her, of each.
async fn races(mut town: Town, other: Option<&serve::Running>) -> Vec<(usize, usize)> {
    let people = TEST_PEOPLE.iter().map(|person| person.identity());
    let mut seen = Vec::new();
    for her in [her()].into_iter().chain(people) {
        let story = Story::of(town, her).await;
        let (charity, gateway) = match other {
            None => (story.charity.clone(), &story.town.running.app.gateway),
            Some(other) => {
                let (tls, user) = (story.town.tls("larkfield"), story.charity.user.clone());
                let charity = Desk::connect(other.address, tls, user).await;
                (charity, &other.app.gateway)
            }
        };
        let (before, after) = race(&story, &charity, gateway).await;
        seen.push((before, after));
        town = story.town;
        if before > 0 && after > 0 {
            break;
        }
    }
    town.stop().await;
    let (before, after) = seen[seen.len() - 1];
    assert!(before > 0 && after > 0, "never in their midst: {seen:?}");
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_of_sixty_four_readers_gets_whole_or_nothing_and_the_log_says_which() {
    let seen = races(Town::start().await, None).await;
    println!("before and after her: {seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_of_another_node_get_whole_or_nothing_and_the_log_says_which() {
    let Databases { url, slots_url } = Cluster::get().databases().await;
    let (dir, borough, _) = prepare("");
    let file = dir.path().join("firedoor.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = format!("store = \"{url}\"\n{text}").replace("keys/slots", &slots_url);
    let config = Config::parse(&text, &file).unwrap();
    let running = serve::start(&config).await.unwrap();
    let founding = borough.founding().unwrap();
    running.app.gateway.found(&founding).await.unwrap();
    let other = serve::start(&config).await.unwrap();
    let seen = races(Town::of(dir, borough, config, running), Some(&other)).await;
    println!("before and after her: {seen:?}");
    other.stop().await.unwrap();
}
