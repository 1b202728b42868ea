//! The Home Office asks a police officer to look up a victim (`domain.md` 3.10, a to l), as one
//! story over real TLS: nothing leaks, every try is in the log, and three bodies learn of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::time::Duration;

use axum::http::Method;
use base64::prelude::{BASE64_STANDARD, Engine};
use firedoor::domain::codes::Role;
use firedoor::ops::demo::borough::{CHARITY, OTHER_SERVICE, SERVICE};
use firedoor::ops::demo::people::{
    FAMILY_NAME, GIVEN_NAME, HER_PHONE, NHS_NUMBER, assessment, consent_to_ask, emergency, her,
    nobody, question, referral,
};
use serde_json::{Value, json};

use crate::town::{Desk, Said, Town, ago, new_key};

/// What the officer was told, and how the log must name each try.
#[derive(Default)]
struct Tries {
    said: Vec<Said>,
    logged: Vec<(&'static str, String)>,
}

impl Tries {
    fn add(&mut self, action: &'static str, said: Said) -> &Said {
        self.logged.push((action, said.result().to_owned()));
        self.said.push(said);
        self.said.last().unwrap()
    }

    fn refused(&mut self, action: &'static str, said: Said, status: u16, code: &str) {
        assert_eq!(
            (said.status, said.result()),
            (status, code),
            "{}",
            said.body
        );
        let kind = said.headers.get("content-type").unwrap();
        assert_eq!(kind, "application/problem+json");
        self.add(action, said);
    }
}

/// She is referred in the ordinary way, the charity accepts, the hospital has assessed her.
async fn in_order(town: &Town, officer: &Desk) -> (String, Value) {
    let hospital = town.desk("st-hildas").await;
    let assessed = hospital
        .post("/v1/assessments", &assessment(ago(3), CHARITY))
        .await;
    assert_eq!(assessed.status, 201, "{}", assessed.body);
    let sent = officer
        .post(
            "/v1/referrals",
            &referral(SERVICE, &her(), ago(2), Some("Please call before noon.")),
        )
        .await;
    assert_eq!(sent.status, 201, "{}", sent.body);
    let charity = town.desk("larkfield").await.as_user("r-osei", Role::Triage);
    let inbox = charity.get("/v1/inbox").await;
    let offer = inbox.list("/offers")[0]["id"].as_str().unwrap().to_owned();
    assert!(!inbox.whole().contains(FAMILY_NAME));
    let accept = json!({ "worker": "r-osei", "onward_rule_accepted": true });
    let path = format!("/v1/referrals/{offer}/accept");
    let accepted = charity.post(&path, &accept).await;
    assert_eq!(accepted.status, 200, "{}", accepted.body);
    assert!(accepted.whole().contains(FAMILY_NAME));
    (sent.id().to_owned(), accepted.body["person"].clone())
}

fn assert_same(first: &Said, second: &Said) {
    assert_eq!(first.status, second.status);
    assert_eq!(first.bytes.len(), second.bytes.len());
    assert_eq!(first.silent(), second.silent());
    let headers = |said: &Said| {
        let mut headers = said.headers.clone();
        headers.remove("date");
        headers
    };
    assert_eq!(headers(first), headers(second));
    // No reply leaves before its boundary, however little there was to do.
    assert!(first.took >= Duration::from_millis(100));
    assert!(second.took >= Duration::from_millis(100));
}

fn nothing_to_show(said: &Said) {
    assert_eq!(
        (said.status, said.result()),
        (200, "nothing-to-show"),
        "{}",
        said.body
    );
}

/// The receipt holds parts in base64; what is in them must be as silent as the rest.
fn with_receipt(said: &Said) -> String {
    let mut text = said.whole();
    for word in said.text("/receipt").unwrap_or_default().split_whitespace() {
        if let Ok(plain) = BASE64_STANDARD.decode(word) {
            text.push_str(&String::from_utf8_lossy(&plain));
        }
    }
    text
}

async fn red_items(town: &Town, bundle: &str) -> Vec<Value> {
    let desk = town.signed_in(bundle).await;
    let queue = desk.get("/v1/audit/queue").await;
    assert_eq!(queue.status, 200, "{}", queue.body);
    let items = queue.list("/items").iter();
    items
        .filter(|item| item["severity"] == "red")
        .cloned()
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_officer_pressed_for_status_learns_nothing_and_three_bodies_learn_of_it() {
    let town = Town::start().await;
    let officer = town.desk("met").await;
    let (referral_id, person) = in_order(&town, &officer).await;
    let mut tries = Tries::default();

    // a. There is no search for a person; the try is an attempt like any other.
    let search = officer
        .get(&format!("/v1/people?family_name={FAMILY_NAME}"))
        .await;
    tries.refused("unknown", search, 404, "route-absent");

    // b. Three words of his own referral, as often as he likes.
    let status = format!("/v1/referrals/{referral_id}");
    let before = officer.get(&status).await;
    assert_eq!(before.text("/referral/status"), Some("with_a_service"));
    let fields: Vec<&String> = before.body["referral"]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    assert_eq!(fields, ["id", "status", "offered_at", "pass_on_by"]);
    tries.add("read_referral_status", before.clone());
    let opened = officer.get(&format!("/v1/inbox/{referral_id}")).await;
    assert!(opened.status == 403 || opened.result() == "nothing-to-show");
    tries.add("read_referral", opened);

    // c. To refer her again looks as any referral does.
    let reported = ago(1);
    let again = officer
        .post(
            "/v1/referrals",
            &referral(OTHER_SERVICE, &her(), reported, None),
        )
        .await;
    let other = officer
        .post(
            "/v1/referrals",
            &referral(OTHER_SERVICE, &nobody(), reported, None),
        )
        .await;
    for said in [&again, &other] {
        assert_eq!(
            (said.status, said.result(), said.text("/status")),
            (201, "offered", Some("recorded")),
            "{}",
            said.body
        );
        assert!(said.took >= Duration::from_millis(100));
    }
    assert_eq!(again.bytes.len(), other.bytes.len());
    let shape = |said: &Said| {
        let map = said.body.as_object().unwrap().clone();
        // The receipt's length in JSON follows the size of the log, and nothing else.
        map.into_iter()
            .filter(|(name, _)| name != "receipt")
            .map(|(name, value)| (name, value.to_string().len()))
            .collect::<Vec<_>>()
    };
    assert_eq!(shape(&again), shape(&other));
    tries.add("offer_referral", again);
    tries.add("offer_referral", other);

    // d. No form has a place for status; a typed request for it has no route.
    let mut status_field = referral(SERVICE, &her(), reported, None);
    status_field["nationality"] = json!("unknown");
    let said = officer.post("/v1/referrals", &status_field).await;
    assert_eq!(said.text("/fields/0/field"), Some("nationality"));
    tries.refused("offer_referral", said, 422, "check-your-answers");
    let wanted = json!({ "what": ["current_address", "nationality"], "identity": her() });
    let said = officer.post("/v1/information-requests", &wanted).await;
    tries.refused("unknown", said, 404, "route-absent");

    // e. No facets of a directory.
    let facets = "/v1/directory?kind=by_and_for&language=ur&area=E09000022";
    let said = officer.get(facets).await;
    tries.refused("unknown", said, 404, "route-absent");

    // f. Police never break the glass.
    let said = officer.post("/v1/emergency", &emergency(true)).await;
    tries.refused("break_glass", said, 403, "role-not-allowed");

    // g. Nor does a purpose that is not theirs open anything.
    let lie = [
        ("firedoor-purpose", "support"),
        ("idempotency-key", &new_key()),
    ];
    let body = question(&her()).to_string();
    let said = officer
        .post_bytes("/v1/assessments/query", &lie, body)
        .await;
    tries.refused("query_assessments", said, 403, "role-not-allowed");
    let said = officer
        .ask(Method::GET, &status, &[("firedoor-purpose", "support")], "")
        .await;
    tries.refused("read_referral_status", said, 403, "purpose-not-allowed");

    // h. A colleague in a team that the firewall shuts out, and one in a team that it does not:
    // the same bytes for her and for nobody.
    let nrpf = town.desk("council-nrpf").await;
    let housing = town.desk("council-housing").await;
    let query = |identity: Value| {
        json!({
            "identity": identity, "consent": consent_to_ask(ago(1)), "step": "cards", "onward_rule_accepted": true,
        })
    };
    let ask = "/v1/assessments/query";
    let shut_out = nrpf.post(ask, &query(her())).await;
    nothing_to_show(&shut_out);
    let unknown = nrpf.post(ask, &query(nobody())).await;
    let untainted = housing.post(ask, &query(her())).await;
    let stranger = housing.post(ask, &query(nobody())).await;
    for said in [&unknown, &untainted, &stranger] {
        assert_same(&shut_out, said);
    }

    // i. No statistics by a tiny area.
    let said = officer.get("/v1/statistics?area=E09000022&nrpf=yes").await;
    tries.refused("unknown", said, 404, "route-absent");

    // j. Known, unknown and withdrawn are equal in each byte and in size. The charity, which may
    // ask, is shown it until she withdraws.
    let charity = town.desk("larkfield").await;
    let own = json!({
        "person": person, "consent": consent_to_ask(ago(1)), "step": "cards", "onward_rule_accepted": true,
    });
    let known = charity.post(ask, &own).await;
    assert_eq!(known.list("/assessments").len(), 1, "{}", known.body);
    let helpline = town.desk("harbour").await;
    let withdrawal = json!({ "identity": her(), "scope": "everything", "channel": "telephone" });
    let withdrew = helpline.post("/v1/withdrawals", &withdrawal).await;
    assert_eq!(withdrew.status, 200, "{}", withdrew.body);
    let withdrawn = charity.post(ask, &own).await;
    nothing_to_show(&withdrawn);
    assert_same(&withdrawn, &charity.post(ask, &query(nobody())).await);
    assert_same(&withdrawn, &housing.post(ask, &query(her())).await);
    let after = officer.get(&status).await;
    assert_same(&before, &after);
    tries.add("read_referral_status", after);
    let sent_again = officer
        .post(
            "/v1/referrals",
            &referral(OTHER_SERVICE, &her(), reported, None),
        )
        .await;
    assert_eq!(shape(&sent_again), shape(&tries.said[3]));
    tries.add("offer_referral", sent_again);

    // k. The operator has no tool for it, and what its staff do is in every organisation's list.
    let operator = town.signed_in("operator").await;
    let said = operator.post(ask, &query(her())).await;
    assert_eq!((said.status, said.result()), (403, "role-not-allowed"));
    let said = operator.get("/v1/audit/entries").await;
    assert_eq!(said.status, 403, "{}", said.body);

    // l. There is nothing about status to compel: no field of the API has a place for it.
    let document = officer.get("/v1/openapi.json").await;
    assert_eq!(document.status, 200);
    let mut names = Vec::new();
    properties(&document.body, &mut names);
    assert!(names.iter().any(|name| name == "nhs_number"));
    for name in names {
        for part in [
            "national", "immigr", "visa", "passport", "citizen", "nrpf", "recourse", "asylum",
        ] {
            assert!(!name.contains(part), "the API has a field {name}");
        }
    }

    nothing_leaked(&tries);
    everything_is_logged(&town, &tries).await;
    three_bodies_learn_of_it(&town).await;
    the_reviewer_learns_of_the_colleague(&town).await;
    town.stop().await;
}

/// The names of all properties and parameters that the API describes.
fn properties(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Object(properties)) = map.get("properties") {
                found.extend(properties.keys().cloned());
            }
            if map.contains_key("in")
                && let Some(name) = map.get("name").and_then(Value::as_str)
            {
                found.push(name.to_owned());
            }
            map.values().for_each(|inner| properties(inner, found));
        }
        Value::Array(list) => list.iter().for_each(|inner| properties(inner, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn nothing_leaked(tries: &Tries) {
    let secrets = [
        GIVEN_NAME,
        FAMILY_NAME,
        NHS_NUMBER,
        "999 000 0018",
        HER_PHONE,
        "library card",
        "1991-03-14",
        CHARITY,
        "Larkfield",
        "harbour",
        "Harbour",
        "St Hilda",
        "st-hildas",
        "lowmarsh",
        "E09000022",
        "withdr",
        "accepted",
    ];
    for said in &tries.said {
        let told = with_receipt(said);
        for secret in secrets {
            assert!(!told.contains(secret), "{secret} in {}", said.body);
        }
        assert_eq!(said.bytes.len() % (16 * 1_024), 0);
    }
}

/// The police's own IG officer sees each try with the word that he was told.
async fn everything_is_logged(town: &Town, tries: &Tries) {
    let ig = town.signed_in("met-ig").await;
    let entries = ig.get("/v1/audit/entries?user=pc-ward&max=200").await;
    assert_eq!(entries.status, 200, "{}", entries.body);
    let mut logged: Vec<(String, String)> = entries
        .list("/entries")
        .iter()
        .map(|entry| {
            assert_eq!(entry["user"], "pc-ward");
            // The asking side sees what he was told, never what was decided.
            assert_eq!(entry["decided"], Value::Null);
            let text = |name: &str| entry[name].as_str().unwrap().to_owned();
            (text("action"), text("told"))
        })
        .collect();
    for (action, told) in &tries.logged {
        let place = logged
            .iter()
            .position(|(a, t)| a == action && t == told)
            .unwrap_or_else(|| panic!("{action}, told {told}, is not in the log"));
        logged.remove(place);
    }
    // The ordinary referral that she was sent with is all that is left.
    assert_eq!(
        logged,
        [("offer_referral".to_owned(), "offered".to_owned())]
    );
    for bundle in ["met-ig", "larkfield-ig", "st-hildas-ig", "reviewer"] {
        let ig = town.signed_in(bundle).await;
        let entries = ig.get("/v1/audit/entries?max=200").await;
        let seen = entries.list("/entries").iter().any(|entry| {
            entry["user"] == "o-bright"
                && entry["action"] == "query_assessments"
                && entry["told"] == "role-not-allowed"
        });
        assert!(
            seen,
            "{bundle} does not see what the operator's staff tried"
        );
    }
}

/// The item opened: what he did around it, as far as this officer may see it.
async fn opened_by(town: &Town, bundle: &str, item: &Value) {
    let desk = town.signed_in(bundle).await;
    let id = item["id"].as_str().unwrap();
    let opened = desk.get(&format!("/v1/audit/queue/{id}")).await;
    assert_eq!(opened.status, 200, "{}", opened.body);
    assert_eq!(opened.body["item"]["user"], "pc-ward");
    let entries = opened.list("/entries");
    assert!(!entries.is_empty() && entries.len() <= 41, "{bundle}");
    for entry in entries {
        assert_eq!(entry["user"], "pc-ward");
        // His own body sees what he was told; what was decided is for who holds, and the reviewer.
        assert_eq!(entry["decided"].is_null(), bundle == "met-ig", "{bundle}");
    }
    let whole = opened.whole();
    for secret in [GIVEN_NAME, FAMILY_NAME, NHS_NUMBER, HER_PHONE] {
        assert!(!whole.contains(secret), "{bundle}");
    }
}

/// h: the team that was shut out asked, whoever it was about.
async fn the_reviewer_learns_of_the_colleague(town: &Town) {
    let desk = town.signed_in("reviewer").await;
    let queue = desk.get("/v1/audit/queue").await;
    let items = queue.list("/items").iter();
    let mut of_team = items.filter(|item| item["code"] == "firewall.tainted");
    let item = of_team.next().expect("an item about the tainted team");
    assert_eq!(item["severity"], "amber");
    assert_eq!(item["user"], "d-quill");
    assert!(of_team.next().is_none());
    for secret in [GIVEN_NAME, FAMILY_NAME, NHS_NUMBER] {
        assert!(!queue.whole().contains(secret));
    }
}

async fn three_bodies_learn_of_it(town: &Town) {
    let mut found = Vec::new();
    for bundle in ["met-ig", "larkfield-ig", "reviewer"] {
        let red = red_items(town, bundle).await;
        assert_eq!(red.len(), 1, "{bundle}: {red:?}");
        assert_eq!(red[0]["code"], "probe.status_shaped");
        let says = red[0]["says"].as_str().unwrap();
        let tries = red[0]["tries"].as_u64().unwrap();
        let minutes = red[0]["minutes"].as_u64().unwrap();
        assert!(tries >= 3, "{}", red[0]);
        assert!(
            says.contains(&format!("{tries} tries, {minutes} minutes"))
                && says.contains("only to establish immigration status"),
            "{says}"
        );
        // All three are told who it was; none is told about whom.
        assert_eq!(red[0]["user"], "pc-ward", "{bundle}");
        assert_eq!(red[0]["organisation"], "met", "{bundle}");
        assert_eq!(red[0]["state"], "new");
        assert_eq!(red[0]["why"]["rule"], "probe.status_shaped");
        assert_eq!(red[0]["why"]["limit"], 3);
        found.push((tries, minutes));
        opened_by(town, bundle, &red[0]).await;
    }
    // More tries raised one count, the same for all three.
    assert!(found.windows(2).all(|two| two[0] == two[1]), "{found:?}");
    // The hospital holds something that was never asked for: it is told nothing.
    assert!(red_items(town, "st-hildas-ig").await.is_empty());
}
