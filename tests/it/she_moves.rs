//! She moves to another area (`domain.md` 3.3), through the whole gateway: each step's data, checks,
//! entry in the log, words and errors; and news about her that reaches everybody who has her (3.0.6).
//!
//! Neither the worker nor the log of the service that hands her over has the new area after thirty
//! days, or ever the service or an address.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use firedoor::domain::codes::Role;
use firedoor::ops::clock::now;
use firedoor::ops::demo::borough::{OTHER_SERVICE, SERVICE};
use firedoor::ops::demo::people::{consent, her, nobody, referral};
use serde_json::{Value, json};

use crate::town::{Desk, Said, Town, ago};

/// A borough of London in which none of the services of the town works but those opened here.
pub const HACKNEY: &str = "E09000012";
pub const REFUGES: &str = "accommodation_based";
const NEW_NUMBER: &str = "07700 900777";
const LATER_NUMBER: &str = "07700 900888";
/// What must never reach the first service: who takes her, and by which name it is known.
const UNSAID: [&str; 6] = [
    "harbour",
    "lowmarsh",
    "Harbour",
    "hackney-one",
    "hackney-two",
    "j-pell",
];

struct Story {
    town: Town,
    met: Desk,
    charity: Desk,
    harbour: Desk,
    council: Desk,
    /// By which the officer and the charity know the first referral.
    sent: String,
    held: String,
}

/// A service of a family in Hackney, proposed by the operator and approved by somebody else; `run` by
/// an organisation and its team.
pub async fn open_service(town: &Town, id: &str, family: &str, run: (&str, &str)) {
    let (organisation, team) = run;
    let open = json!({ "change": "open_service", "service": {
        "id": id, "organisation": organisation, "team": team, "public_name": id,
        "family": family, "area": HACKNEY,
    } });
    let operator = town.signed_in("operator").await;
    let proposed = operator.post("/v1/proposals", &open).await;
    assert_eq!(proposed.status, 201, "{}", proposed.whole());
    let second = town.signed_in("st-hildas-ig").await;
    let proposals = second.get("/v1/proposals").await;
    let mut waiting = proposals.list("/proposals").iter();
    let waiting = waiting.find(|one| one["approved"].is_null()).unwrap();
    let proposal = &waiting["id"];
    let path = format!("/v1/approvals/{}", proposal.as_str().unwrap());
    let said = second.post(&path, &json!({})).await;
    assert_eq!(said.status, 200, "{}", said.whole());
}

fn accept() -> Value {
    json!({ "worker": "r-osei", "onward_rule_accepted": true })
}

fn answered() -> Value {
    json!({ "worker": "j-pell", "onward_rule_accepted": true, "no_conflict": true })
}

/// Her word about a service there, asked for now; and how it may reach her.
fn moves(mode: &str) -> Value {
    json!({
        "area": HACKNEY,
        "service_family": REFUGES,
        "mode": mode,
        "identity": {
            "given_name": her()["given_name"], "family_name": her()["family_name"],
            "birth_date": her()["birth_date"], "nhs_number": her()["nhs_number"],
        },
        "safe_contact": { "modes": ["phone"], "number": NEW_NUMBER, "code_word": "blue door" },
        "consent": consent(now()),
        "risk_history": [
            { "instrument": "dara", "grade": "high", "assessed_at": ago(30).rfc3339() },
        ],
        "adjustments": ["more_time"],
    })
}

impl Story {
    /// Police referred her, and the charity accepted.
    async fn start() -> Self {
        let town = Town::start().await;
        let met = town.desk("met").await;
        let charity = town.desk("larkfield").await.as_user("r-osei", Role::Triage);
        let said = met
            .post("/v1/referrals", &referral(SERVICE, &her(), ago(2), None))
            .await;
        assert_eq!(said.status, 201, "{}", said.whole());
        let sent = said.id().to_owned();
        let inbox = charity.get("/v1/inbox").await;
        let held = inbox.text("/offers/0/id").unwrap().to_owned();
        let path = format!("/v1/referrals/{held}/accept");
        let said = charity.post(&path, &accept()).await;
        assert_eq!(said.result(), "released", "{}", said.whole());
        Self {
            met,
            charity,
            harbour: town.desk("harbour").await,
            council: town.desk("council-housing").await,
            sent,
            held,
            town,
        }
    }

    async fn transfer(&self, body: &Value) -> Said {
        let path = format!("/v1/referrals/{}/transfer", self.held);
        self.charity.post(&path, body).await
    }

    async fn held(&self) -> Said {
        self.charity.get(&format!("/v1/inbox/{}", self.held)).await
    }

    async fn status(&self) -> String {
        let path = format!("/v1/referrals/{}", self.sent);
        let said = self.met.get(&path).await;
        said.text("/referral/status").unwrap().to_owned()
    }
}

/// The offer of a transfer in an inbox, if there is one.
async fn offered(desk: &Desk) -> Option<Value> {
    let inbox = desk.get("/v1/inbox").await;
    let mut offers = inbox.list("/offers").iter();
    offers
        .find(|offer| offer["direction"] == "transfer" && offer["status"] == "offered")
        .cloned()
}

fn id(offer: &Value) -> &str {
    offer["id"].as_str().unwrap()
}

fn codes(said: &Said) -> Vec<&str> {
    let events = said.list("/events").iter();
    events
        .map(|event| event["status"].as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn she_moves_and_the_first_service_never_learns_where_to() {
    let story = Story::start().await;
    let town = &story.town;
    open_service(town, "hackney-one", REFUGES, ("harbour", "helpline")).await;

    // 1: an area and a family of services; an address has no place.
    for (pointer, value) in [
        ("address_line", json!("1 Mare Street")),
        ("postcode", json!("E8 1DY")),
    ] {
        let mut wrong = moves("hand_over");
        wrong["identity"][pointer] = value;
        let said = story.transfer(&wrong).await;
        assert_eq!((said.status, said.result()), (422, "check-your-answers"));
        assert!(said.whole().contains("no such field"), "{}", said.whole());
    }
    // Out of England and Wales: what to do by hand.
    let mut away = moves("hand_over");
    away["area"] = json!("S12000036");
    let said = story.transfer(&away).await;
    assert_eq!(said.status, 422);
    assert!(
        said.whole().contains("telephone the service there"),
        "{}",
        said.whole()
    );
    // Nobody there.
    let mut nobody_there = moves("hand_over");
    nobody_there["area"] = json!("E09000033");
    let said = story.transfer(&nobody_there).await;
    assert!(said.whole().contains("0808 2000 247"), "{}", said.whole());

    // 2: her consents are asked for anew; the charity's do not travel.
    let mut old = moves("hand_over");
    old["consent"]["given_at"] = json!(ago(24 * 8).rfc3339());
    let said = story.transfer(&old).await;
    assert_eq!((said.status, said.result()), (422, "check-your-answers"));
    assert!(said.whole().contains("ask her now"), "{}", said.whole());
    let mut refused = moves("hand_over");
    refused["consent"]["decision"] = json!("deny");
    let said = story.transfer(&refused).await;
    assert_eq!((said.status, said.result()), (422, "consent-needed"));

    // 3: it waits, and the reply says no more.
    let asked = story.transfer(&moves("hand_over")).await;
    assert_eq!(
        (asked.status, asked.result()),
        (200, "transfer-waits"),
        "{}",
        asked.whole()
    );
    assert_eq!(asked.text("/status"), Some("waiting"));
    let waits = story.held().await;
    assert_eq!(waits.result(), "released");
    assert_eq!(waits.text("/transfer/state"), Some("waiting"));
    assert_eq!(waits.text("/transfer/area"), Some(HACKNEY));
    assert_eq!(story.status().await, "with_a_service");

    // The next service sees no name, and the question that is asked of everybody.
    let offer = offered(&story.harbour).await.unwrap();
    for word in ["Amina", "Karim", "9990000018", NEW_NUMBER, "larkfield"] {
        assert!(!offer.to_string().contains(word), "{word}");
    }
    assert_eq!(offer["area"], json!(HACKNEY));
    assert!(offer["question"].as_str().unwrap().contains("conflict"));
    let path = format!("/v1/referrals/{}/accept", id(&offer));
    let said = story.harbour.post(&path, &accept()).await;
    assert_eq!((said.status, said.result()), (422, "check-your-answers"));

    // 4: accepted. Custody is harbour's own, so that even this reply has it under seal.
    let said = story.harbour.post(&path, &answered()).await;
    assert_eq!(
        (said.status, said.result()),
        (200, "released"),
        "{}",
        said.whole()
    );
    assert!(said.text("/released/sealed_to_you").is_some());

    // 5: closed; transferred, and nothing of where but the area that the charity picked itself.
    let ended = story.held().await;
    assert_eq!(ended.result(), "transferred", "{}", ended.whole());
    assert_eq!(
        ended.text("/says"),
        Some("Closed; transferred. Another service works with her now.")
    );
    assert_eq!(ended.text("/transfer/area"), Some(HACKNEY));
    assert!(ended.body.get("released").is_none());
    assert_eq!(story.status().await, "closed");
    let events = story.charity.get("/v1/events").await;
    assert_eq!(
        codes(&events).last(),
        Some(&"transferred"),
        "{}",
        events.whole()
    );
    let again = story.transfer(&moves("hand_over")).await;
    assert_eq!(again.result(), "already-answered", "{}", again.whole());

    // 6: the log of the charity: that it asked, with which classes; not where.
    let officer = town.signed_in("larkfield-ig").await;
    let mut log = officer.get("/v1/audit/entries").await.whole();
    assert!(log.contains("transfer_referral"));
    log += &officer.get("/v1/audit/queue").await.whole();
    assert!(log.contains("read.after_transfer"), "{log}");
    let seen = [waits.whole(), ended.whole(), events.whole(), asked.whole()].concat();
    for unsaid in UNSAID.iter().filter(|word| **word != "hackney-one") {
        assert!(!seen.contains(unsaid), "{unsaid}");
    }
    assert!(!log.contains(HACKNEY), "{log}");
    let mine = log.replace("hackney-one", "");
    let entries: Value =
        serde_json::from_str(officer.get("/v1/audit/entries").await.whole().trim()).unwrap();
    for entry in entries["entries"].as_array().unwrap() {
        let about_her = entry["action"] != "propose" && entry["action"] != "approve";
        assert!(
            !about_her || !entry.to_string().contains("harbour"),
            "{entry}"
        );
    }
    assert!(!mine.contains("j-pell"), "{mine}");
    story.town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_with_a_conflict_is_passed_over_and_the_first_sees_the_same() {
    let story = Story::start().await;
    open_service(&story.town, "hackney-one", REFUGES, ("harbour", "helpline")).await;
    open_service(&story.town, "hackney-two", REFUGES, ("lowmarsh", "housing")).await;
    let asked = story.transfer(&moves("hand_over")).await;
    assert_eq!(asked.result(), "transfer-waits", "{}", asked.whole());
    let before = story.held().await;
    let events = story.charity.get("/v1/events").await;

    // The gateway picked one of the two; whichever it was declines.
    let mut order = Vec::new();
    for (desk, reason) in [(0, "conflict"), (1, "full")] {
        let desks = [&story.harbour, &story.council];
        let mut found = None;
        for one in desks {
            if let Some(offer) = offered(one).await {
                found = Some((one, offer));
            }
        }
        let (at, offer) = found.unwrap_or_else(|| panic!("nobody is asked, {desk}"));
        order.push(offer["service"].clone());
        let path = format!("/v1/referrals/{}/decline", id(&offer));
        let said = at.post(&path, &json!({ "reason": reason })).await;
        assert_eq!(said.text("/status"), Some("declined"), "{}", said.whole());
        // It is not its any more, whatever it tries.
        let path = format!("/v1/referrals/{}/accept", id(&offer));
        let late = at.post(&path, &answered()).await;
        assert_ne!(late.result(), "released", "{}", late.whole());
        let seen = story.held().await;
        assert_eq!(seen.silent(), before.silent());
        if desk == 0 {
            let same = story.charity.get("/v1/events").await;
            assert_eq!(same.silent(), events.silent());
        }
    }
    assert_ne!(order[0], order[1]);
    // Nobody is left: it still waits, for no reason that is told.
    let told = story.charity.get("/v1/events").await;
    assert_eq!(
        codes(&told).last(),
        Some(&"transfer_waits"),
        "{}",
        told.whole()
    );
    for word in ["conflict", "full\"", "declined"] {
        assert!(!told.whole().contains(word), "{word}");
    }
    story.town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_requests_a_day_and_then_the_same_words_for_everyone() {
    let story = Story::start().await;
    open_service(&story.town, "hackney-one", REFUGES, ("harbour", "helpline")).await;
    for _ in 0..2 {
        let asked = story.transfer(&moves("hand_over")).await;
        assert_eq!(asked.result(), "transfer-waits", "{}", asked.whole());
    }
    let third = story.transfer(&moves("hand_over")).await;
    assert_eq!((third.status, third.result()), (429, "slow-down"));
    // One offer waits, not two.
    let inbox = story.harbour.get("/v1/inbox").await;
    let transfers = inbox.list("/offers").iter();
    let transfers = transfers.filter(|offer| offer["direction"] == "transfer");
    assert_eq!(transfers.count(), 1, "{}", inbox.whole());
    story.town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn news_reaches_everybody_who_has_the_old_number_and_says_who_to_nobody() {
    let story = Story::start().await;
    // The same officer referred her to a second service, with the same number.
    let second = referral(OTHER_SERVICE, &her(), ago(2), None);
    let said = story.met.post("/v1/referrals", &second).await;
    assert_eq!(said.status, 201, "{}", said.whole());
    let inbox = story.harbour.get("/v1/inbox").await;
    let theirs = inbox.text("/offers/0/id").unwrap().to_owned();
    let path = format!("/v1/referrals/{theirs}/accept");
    let said = story.harbour.post(&path, &accept()).await;
    assert_eq!(said.result(), "released", "{}", said.whole());

    let path = format!("/v1/referrals/{}/updates", story.sent);
    let bare = story
        .met
        .post(&path, &json!({ "code": "safe_contact_changed" }))
        .await;
    assert_eq!((bare.status, bare.result()), (422, "check-your-answers"));
    let changed = json!({
        "code": "safe_contact_changed",
        "safe_contact": { "modes": ["phone"], "number": LATER_NUMBER },
    });
    let said = story.met.post(&path, &changed).await;
    assert_eq!(
        (said.status, said.result()),
        (200, "updated"),
        "{}",
        said.whole()
    );
    for word in ["larkfield", "harbour"] {
        assert!(!said.whole().contains(word));
    }
    let here = story.held().await;
    assert_eq!(
        here.text("/released/safe_contact/number"),
        Some("+447700900888"),
        "{}",
        here.whole()
    );
    // Where custody is its own, the new one is sealed to its key too.
    let there = story.harbour.get(&format!("/v1/inbox/{theirs}")).await;
    assert!(
        there.text("/released/safe_contact/sealed_to_you").is_some(),
        "{}",
        there.whole()
    );
    assert!(!there.whole().contains("900888"));
    // Both hear that there is something to read, and nothing of what it is.
    for desk in [&story.charity, &story.harbour] {
        let events = desk.get("/v1/events").await;
        assert_eq!(
            codes(&events).last(),
            Some(&"accepted"),
            "{}",
            events.whole()
        );
    }

    // The charity learns that the number is not safe: harbour is stopped, police see no trace.
    let before = story
        .met
        .get(&format!("/v1/referrals/{}", story.sent))
        .await;
    let path = format!("/v1/referrals/{}/updates", story.held);
    let said = story
        .charity
        .post(&path, &json!({ "code": "stop_calling" }))
        .await;
    assert_eq!(said.result(), "updated", "{}", said.whole());
    let there = story.harbour.get(&format!("/v1/inbox/{theirs}")).await;
    let stopped = there.text("/released/safe_contact_stopped").unwrap();
    assert!(stopped.starts_with("Do not call"), "{stopped}");
    assert!(there.body["released"].get("safe_contact").is_none());
    let after = story
        .met
        .get(&format!("/v1/referrals/{}", story.sent))
        .await;
    assert_eq!(before.silent(), after.silent());
    story.town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wrong_person_is_taken_back_at_once() {
    let story = Story::start().await;
    let path = format!("/v1/referrals/{}/updates", story.sent);
    let said = story
        .met
        .post(&path, &json!({ "code": "wrong_person" }))
        .await;
    assert_eq!(said.result(), "updated", "{}", said.whole());
    let held = story.held().await;
    assert_eq!(held.result(), "taken-back", "{}", held.whole());
    assert!(held.text("/says").unwrap().starts_with("Stop"));
    assert!(!held.whole().contains("Karim"));
    let events = story.charity.get("/v1/events").await;
    assert_eq!(codes(&events).last(), Some(&"wrong_person"));
    for ig in ["met-ig", "larkfield-ig"] {
        let queue = story.town.signed_in(ig).await.get("/v1/audit/queue").await;
        assert!(
            queue.whole().contains("update.wrong_person"),
            "{ig}: {}",
            queue.whole()
        );
    }
    story.town.stop().await;
}

/// The clock looks at the offer while it is paused, and when the pause has ended by itself.
#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_was_paused_goes_on_to_the_next_service_when_the_pause_ends() {
    let story = Story::start().await;
    open_service(&story.town, "hackney-one", REFUGES, ("harbour", "helpline")).await;
    open_service(&story.town, "hackney-two", REFUGES, ("lowmarsh", "housing")).await;
    let asked = story.transfer(&moves("hand_over")).await;
    assert_eq!(asked.result(), "transfer-waits", "{}", asked.whole());
    let next = match offered(&story.harbour).await {
        Some(_) => &story.council,
        None => &story.harbour,
    };
    let pause = json!({
        "identity": her(), "scope": "everything", "channel": "telephone", "pause": true,
    });
    let paused = story.council.post("/v1/withdrawals", &pause).await;
    assert_eq!(paused.result(), "withdrawn", "{}", paused.whole());
    let gateway = &story.town.running.app.gateway;
    gateway
        .move_transfers_on(now().plus_hours(71))
        .await
        .unwrap();
    assert!(offered(next).await.is_none());
    let moved = gateway.move_transfers_on(now().plus_days(12)).await;
    assert!(moved.unwrap());
    assert!(offered(next).await.is_some());
    story.town.stop().await;
}

/// A transfer of what is not the caller's to hand over, and of nothing, are the same reply.
#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_of_what_is_not_hers_tells_nothing() {
    let story = Story::start().await;
    open_service(&story.town, "hackney-one", REFUGES, ("lowmarsh", "housing")).await;
    let mut replies = Vec::new();
    for id in [
        story.sent.as_str(),
        story.held.as_str(),
        "0123456789ABCDEFGHJKMNPQRS",
    ] {
        let path = format!("/v1/referrals/{id}/transfer");
        replies.push(story.harbour.post(&path, &moves("hand_over")).await);
    }
    for said in &replies {
        assert_eq!(said.result(), "nothing-to-show", "{}", said.whole());
        assert_eq!(said.silent(), replies[0].silent());
        assert_eq!(said.bytes.len(), replies[0].bytes.len());
    }
    // Another woman's name with her referral is the caller's own mistake, and is said.
    let mut other = moves("hand_over");
    other["identity"] = nobody();
    let said = story.transfer(&other).await;
    assert_eq!(
        (said.status, said.result()),
        (422, "check-your-answers"),
        "{}",
        said.whole()
    );
    story.town.stop().await;
}
