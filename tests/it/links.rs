//! Two records that may be of one woman, through the whole gateway: the asker sees nothing, the
//! holder decides without learning of whom or from whom, and a link that was wrong is taken back
//! (`design.md` P5 and P7).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use firedoor::domain::codes::Role;
use firedoor::ops::demo::borough::{CHARITY, SERVICE};
use firedoor::ops::demo::people::{assessment, consent_to_ask, nobody, question, referral};
use serde_json::{Value, json};

use crate::town::{Desk, Said, Town, ago};

/// What a person is called, and nothing that both agencies were given but name, birth and home.
fn named(given: &str, family: &str) -> Value {
    json!({
        "given_name": given, "family_name": family, "birth_date": "1986-07-19",
        "postcode": "E8 1DY",
    })
}

/// The same under a number.
fn numbered(given: &str, family: &str, nhs_number: &str) -> Value {
    let mut identity = named(given, family);
    identity["nhs_number"] = json!(nhs_number);
    identity
}

/// The callers of a story, and the words that no reply to the hospital may hold.
struct Story {
    town: Town,
    hospital: Desk,
    charity: Desk,
    unsaid: Vec<String>,
}

impl Story {
    /// The hospital assessed `held`; police referred `referred` to the charity, which accepted.
    async fn of(held: &Value, referred: &Value) -> Self {
        let town = Town::start().await;
        let mut assessed = assessment(ago(3), CHARITY);
        assessed["identity"] = held.clone();
        let hospital = town.desk("st-hildas").await;
        let said = hospital.post("/v1/assessments", &assessed).await;
        assert_eq!(said.status, 201, "{}", said.body);
        let values = [held, referred].map(|identity| identity.as_object().unwrap().values());
        let unsaid = values.into_iter().flatten();
        let unsaid = unsaid.map(|value| value.as_str().unwrap().to_owned());
        let story = Self {
            hospital,
            charity: town.desk("larkfield").await,
            town,
            unsaid: unsaid.collect(),
        };
        story.refer(referred).await;
        story
    }

    /// Police refer her and the charity accepts.
    async fn refer(&self, identity: &Value) {
        let officer = self.town.desk("met").await;
        let sent = referral(SERVICE, identity, ago(2), None);
        let said = officer.post("/v1/referrals", &sent).await;
        assert_eq!(said.status, 201, "{}", said.body);
        let triage = self.charity.as_user("r-osei", Role::Triage);
        let inbox = triage.get("/v1/inbox").await;
        let mut offers = inbox.list("/offers").iter();
        let open = offers.find(|offer| offer["status"] == "offered").unwrap();
        let id = open["id"].as_str().unwrap().to_owned();
        let accept = json!({ "worker": "r-osei", "onward_rule_accepted": true });
        let said = triage
            .post(&format!("/v1/referrals/{id}/accept"), &accept)
            .await;
        assert_eq!(said.status, 200, "{}", said.body);
    }

    /// The charity asks, with her consent to ask.
    async fn ask(&self, identity: &Value) -> Said {
        let mut asked = question(identity);
        asked["consent"] = consent_to_ask(ago(1));
        self.charity.post("/v1/assessments/query", &asked).await
    }

    /// Nothing, and not a byte otherwise than about a woman whom nobody knows.
    async fn asks_for_nothing(&self, identity: &Value) {
        let (hers, nobodys) = (self.ask(identity).await, self.ask(&nobody()).await);
        assert_eq!(hers.result(), "nothing-to-show", "{}", hers.body);
        assert_eq!(hers.silent(), nobodys.silent());
        assert_eq!(hers.bytes.len(), nobodys.bytes.len());
    }

    /// What the hospital's worker is shown; never who or whose the other is.
    async fn links(&self) -> Vec<Value> {
        let said = self.hospital.get("/v1/links").await;
        assert_eq!(
            (said.status, said.result()),
            (200, "links"),
            "{}",
            said.body
        );
        self.tells_of_nobody(&said);
        said.list("/links").to_vec()
    }

    async fn decides(&self, link: &Value, verdict: &str) -> Said {
        let id = link["id"].as_str().unwrap();
        let path = format!("/v1/links/{id}/{verdict}");
        let said = self.hospital.post(&path, &json!({})).await;
        self.tells_of_nobody(&said);
        said
    }

    fn tells_of_nobody(&self, said: &Said) {
        let whole = said.whole();
        for word in &self.unsaid {
            assert!(!whole.contains(word), "{word}: {}", said.body);
        }
        for organisation in [CHARITY, "met"] {
            assert!(
                !whole.contains(&format!("\"{organisation}\"")),
                "{}",
                said.body
            );
        }
    }

    /// What the charity's own officer must look into because a link was undone.
    async fn undone(&self) -> Vec<Value> {
        let officer = self.town.signed_in("larkfield-ig").await;
        let queue = officer.get("/v1/audit/queue").await;
        let items = queue.list("/items").iter();
        let undone = items.filter(|item| item["code"] == "link.undone");
        undone.cloned().collect()
    }

    /// From an item that waits to a link that was taken back.
    async fn confirmed_then_split(self, referred: &Value, tier: &str, reason: &str) {
        self.asks_for_nothing(referred).await;
        let links = self.links().await;
        let [link] = links.as_slice() else {
            panic!("{links:?}");
        };
        assert_eq!(
            (&link["state"], &link["tier"]),
            (&json!("waiting"), &json!(tier))
        );
        let reasons = link["reasons"].as_array().unwrap();
        assert!(reasons.iter().any(|one| one["code"] == reason), "{link}");
        assert!(
            reasons
                .iter()
                .all(|one| one["says"].as_str().unwrap().ends_with('.'))
        );
        assert_eq!(link["since"].as_str().unwrap().len(), "2026-04-10".len());

        // Nobody else sees it, nor can decide it by its id.
        let others = self.charity.get("/v1/links").await;
        assert!(others.list("/links").is_empty(), "{}", others.body);
        let id = link["id"].as_str().unwrap();
        let path = format!("/v1/links/{id}/confirm");
        let said = self.charity.post(&path, &json!({})).await;
        assert_eq!(said.result(), "nothing-to-show");

        // Twice at once is one decision, and each try is an entry.
        let path = path.as_str();
        let (one, two) = (self.hospital.clone(), self.hospital.clone());
        let body = json!({});
        let (one, two) = tokio::join!(one.post(path, &body), two.post(path, &body));
        assert_eq!((one.result(), two.result()), ("confirmed", "confirmed"));
        assert_ne!(one.entry(), two.entry());
        assert_eq!(self.decides(link, "confirm").await.result(), "confirmed");
        assert_eq!(self.decides(link, "reject").await.status, 409);
        let told = self.ask(referred).await;
        assert_eq!(told.status, 200);
        assert_ne!(told.result(), "nothing-to-show", "{}", told.body);
        assert!(self.undone().await.is_empty());

        assert_eq!(self.decides(link, "split").await.result(), "split");
        assert_eq!(self.decides(link, "split").await.result(), "split");
        self.asks_for_nothing(referred).await;
        assert!(self.links().await.is_empty());
        let undone = self.undone().await;
        let [item] = undone.as_slice() else {
            panic!("{undone:?}");
        };
        assert!(!item.to_string().contains("hildas"), "{item}");
        let officer = self.town.signed_in("larkfield-ig").await;
        let id = item["id"].as_str().unwrap();
        let item = officer.get(&format!("/v1/audit/queue/{id}")).await;
        let behind = item.list("/entries");
        assert!(
            behind
                .iter()
                .any(|entry| entry["action"] == "query_assessments"),
            "{}",
            item.body
        );
        assert!(behind.iter().all(|entry| entry["action"] != "reject_link"));
        self.town.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_typo_shows_the_asker_nothing_until_the_holder_confirms_and_after_a_split_nothing_again()
{
    let (held, referred) = (named("Ferhana", "Ossewa"), named("Ferhara", "Ossewa"));
    let story = Story::of(&held, &referred).await;
    story
        .confirmed_then_split(&referred, "possible", "given-similar")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_number_under_two_names_waits_in_quarantine_for_the_holder() {
    let held = numbered("Ferhana", "Ossewa", "9990000018");
    let referred = numbered("Blessing", "Ossewa", "9990000018");
    let story = Story::of(&held, &referred).await;
    story
        .confirmed_then_split(&referred, "quarantine", "given-different")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_twin_is_rejected_once_and_never_comes_back() {
    let held = numbered("Mirela", "Ossewa", "9990000018");
    let twin = numbered("Chidinma", "Ossewa", "9990000018");
    let story = Story::of(&held, &twin).await;
    let links = story.links().await;
    assert_eq!(links.len(), 1, "{links:?}");
    assert_eq!(
        story.decides(&links[0], "reject").await.result(),
        "rejected"
    );
    assert_eq!(story.decides(&links[0], "confirm").await.status, 409);
    story.asks_for_nothing(&twin).await;
    story.refer(&twin).await;
    story.asks_for_nothing(&twin).await;
    assert!(story.links().await.is_empty());
    // Nobody was shown anything.
    assert!(story.undone().await.is_empty());
    story.town.stop().await;
}
