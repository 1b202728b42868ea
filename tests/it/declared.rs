//! Each route keeps what it declared in the table of routes. Of those that depend on facts about
//! people, each is asked about someone known who is not for the caller to know, someone who withdrew,
//! by a tainted team, and about nobody: the replies are equal in each byte but the named fields, in
//! size, headers and boundary (P5).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use firedoor::domain::codes::Role;
use firedoor::edge::http::declared;
use firedoor::edge::http::table::Depends;
use firedoor::ops::demo::borough::{CHARITY, OTHER_SERVICE, SERVICE};
use firedoor::ops::demo::people::{
    TEST_PEOPLE, assessment, consent, consent_to_ask, emergency, her, nobody, question, referral,
};
use serde_json::{Value, json};

use crate::town::{Desk, Said, Town, ago};

/// Routes that read the log or speak FHIR, and the test that compares what they say.
const ELSEWHERE: [(&str, &str, &str); 33] = [
    ("GET", "/v1/audit/entries", "ig_silence.rs"),
    ("GET", "/v1/audit/queue", "ig_silence.rs"),
    ("GET", "/v1/audit/queue/{id}", "ig_silence.rs"),
    ("POST", "/v1/audit/queue/{id}", "ig_silence.rs"),
    ("GET", "/v1/audit/entries/{index}/person", "ig_seal.rs"),
    ("GET", "/v1/audit/entries/{index}/evidence", "reports.rs"),
    ("GET", "/v1/audit/figures", "held_text.rs"),
    ("GET", "/v1/returns", "returns.rs"),
    ("POST", "/fhir/$process-message", "fhir.rs"),
    ("GET", "/fhir/ServiceRequest/{id}", "fhir_resources.rs"),
    ("GET", "/fhir/Task/{id}", "fhir_resources.rs"),
    ("GET", "/fhir/Task", "fhir_resources.rs"),
    ("POST", "/fhir/Consent", "fhir_resources.rs"),
    ("GET", "/fhir/Consent/{id}", "fhir_resources.rs"),
    ("PUT", "/fhir/Consent/{id}", "fhir_resources.rs"),
    ("POST", "/fhir/QuestionnaireResponse", "fhir_resources.rs"),
    ("POST", "/v1/emergencies/{id}/follow-up", "emergencies.rs"),
    ("GET", "/v1/emergencies", "emergencies.rs"),
    ("POST", "/v1/drafts", "drafts.rs"),
    ("GET", "/v1/drafts", "drafts.rs"),
    ("GET", "/v1/drafts/{id}", "drafts.rs"),
    ("POST", "/v1/drafts/{id}/erase", "drafts.rs"),
    ("POST", "/v1/sealed-items", "sealed_items.rs"),
    ("GET", "/v1/sealed-items", "sealed_items.rs"),
    ("GET", "/v1/sealed-items/{id}", "sealed_items.rs"),
    ("POST", "/v1/sealed-items/{id}/withdraw", "sealed_items.rs"),
    ("POST", "/v1/subject-access", "subject_access.rs"),
    ("GET", "/v1/subject-access", "subject_access.rs"),
    ("GET", "/v1/subject-access/{id}", "subject_access.rs"),
    ("POST", "/v1/subject-access/{id}/steps", "subject_access.rs"),
    ("POST", "/v1/subject-access/{id}/reply", "subject_access.rs"),
    (
        "POST",
        "/v1/subject-access/{id}/redact",
        "subject_access.rs",
    ),
    (
        "POST",
        "/v1/subject-access/{id}/deliver",
        "subject_access.rs",
    ),
];

/// The only headers that a reply has.
const HEADERS: [&str; 5] = [
    "cache-control",
    "content-length",
    "content-type",
    "date",
    "firedoor-version",
];

#[test]
fn no_route_gets_in_without_declaring_itself() {
    // The router is built by the table alone.
    let mut look = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/edge")];
    while let Some(at) = look.pop() {
        if at.is_dir() {
            look.extend(
                fs::read_dir(&at)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
            continue;
        }
        let code = fs::read_to_string(&at).unwrap();
        let mut calls = 0;
        for call in [
            ".route(",
            ".routes(",
            ".merge(",
            ".nest(",
            "route_service(",
            "nest_service(",
        ] {
            calls += code.matches(call).count();
        }
        let allowed = match at.file_name().unwrap().to_str().unwrap() {
            // Of what it was given; and the description itself, which it declares.
            "table.rs" => 2,
            "http.rs" => 1,
            _ => 0,
        };
        assert_eq!(calls, allowed, "{}", at.display());
    }
    let mut seen = BTreeSet::new();
    for route in declared() {
        assert!(seen.insert((route.method, route.path.clone())), "{route:?}");
        if route.path.starts_with("/log/") {
            assert_eq!(route.depends, Depends::OnNobody);
        }
    }
    for (method, path, test) in ELSEWHERE {
        assert!(seen.contains(&(method, path.to_owned())), "{method} {path}");
        let test = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/it")
            .join(test);
        let text = fs::read_to_string(test).unwrap();
        let fixed = path.split('{').next().unwrap();
        assert!(text.contains(fixed), "{path} is not asked there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_has_the_declared_routes_and_no_other() {
    let town = Town::start().await;
    let document = town.desk("met").await.get("/v1/openapi.json").await.body;
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            described.insert((method.to_uppercase(), path.clone()));
        }
    }
    let declared = declared().into_iter();
    let declared = declared.filter(|route| route.depends != Depends::OnNobody);
    let declared: BTreeSet<(String, String)> = declared
        .map(|route| (route.method.to_owned(), route.path))
        .collect();
    assert_eq!(described, declared);
    town.stop().await;
}

/// Replies that must be the same, and the fields that name what was made by each.
struct Alike {
    replies: Vec<Said>,
    vary: &'static [&'static str],
}

/// What was compared of each route.
#[derive(Default)]
struct Compared(BTreeMap<(&'static str, &'static str), Vec<Alike>>);

impl Compared {
    fn add(
        &mut self,
        route: (&'static str, &'static str),
        vary: &'static [&'static str],
        replies: Vec<Said>,
    ) {
        assert!(replies.len() > 1);
        self.0
            .entry(route)
            .or_default()
            .push(Alike { replies, vary });
    }
}

/// The ids by which the charity knows what the story made.
struct Story {
    /// The officer's alias of the first referral: of no use to anyone else.
    officers: String,
    /// The charity's own alias of her whom it accepted and who withdrew.
    withdrawn: String,
    /// Its own reference of her.
    person: String,
    /// What the charity was given to keep, of her and of somebody nobody knows.
    kept: [String; 2],
    /// What the officer read before and after she withdrew.
    before: Vec<Said>,
    after: Vec<Said>,
}

const UNKNOWN: &str = "0123456789ABCDEFGHJKMNPQRS";

/// She who withdrew, and one of whom only police and the charity have heard.
fn withdrew() -> Value {
    TEST_PEOPLE[0].identity()
}

fn heard_of() -> Value {
    TEST_PEOPLE[1].identity()
}

async fn officer_reads(officer: &Desk, id: &str) -> Vec<Said> {
    let one = format!("/v1/referrals/{id}");
    vec![
        officer.get("/v1/referrals").await,
        officer.get(&one).await,
        officer.get("/v1/events").await,
    ]
}

fn made(said: &Said) -> String {
    assert_eq!(said.status, 201, "{}", said.body);
    said.id().to_owned()
}

/// Both are assessed, referred and accepted; then one withdraws.
async fn story(town: &Town) -> Story {
    let officer = town.desk("met").await;
    let hospital = town.desk("st-hildas").await;
    let charity = town.desk("larkfield").await.as_user("r-osei", Role::Triage);
    let mut offered = Vec::new();
    for identity in [her(), withdrew()] {
        let mut assessed = assessment(ago(3), CHARITY);
        assessed["identity"] = identity.clone();
        made(&hospital.post("/v1/assessments", &assessed).await);
        let sent = referral(SERVICE, &identity, ago(2), None);
        offered.push(made(&officer.post("/v1/referrals", &sent).await));
    }
    let other = referral(SERVICE, &heard_of(), ago(2), None);
    made(&officer.post("/v1/referrals", &other).await);
    let mut accepted = Vec::new();
    let inbox = charity.get("/v1/inbox").await;
    for offer in inbox.list("/offers").iter().take(2) {
        let id = offer["id"].as_str().unwrap().to_owned();
        let accept = json!({ "worker": "r-osei", "onward_rule_accepted": true });
        let path = format!("/v1/referrals/{id}/accept");
        let said = charity.post(&path, &accept).await;
        assert_eq!(said.status, 200, "{}", said.body);
        let person = said.text("/person").unwrap().to_owned();
        let names = said.body["released"]["identity"]["family_name"].clone();
        accepted.push((id, person, names));
    }
    let hers = |identity: &Value| {
        let found = accepted
            .iter()
            .find(|(_, _, name)| *name == identity["family_name"]);
        found.unwrap().clone()
    };
    let (withdrawn, person, _) = hers(&withdrew());
    let consent = json!({ "person": person, "consent": consent_to_ask(ago(1)) });
    made(&charity.post("/v1/consents", &consent).await);
    let before = officer_reads(&officer, &offered[1]).await;
    let mut kept = Vec::new();
    for identity in [withdrew(), nobody()] {
        let wish = json!({ "identity": identity, "scope": "everything", "channel": "telephone" });
        let said = charity.post("/v1/withdrawals", &wish).await;
        assert_eq!(said.status, 200, "{}", said.body);
        kept.push(said.text("/replay").unwrap().to_owned());
    }
    let after = officer_reads(&officer, &offered[1]).await;
    Story {
        officers: offered[0].clone(),
        withdrawn,
        person,
        kept: [kept[0].clone(), kept[1].clone()],
        before,
        after,
    }
}

/// The same request by each, of each object.
async fn posts(asked: &[(&Desk, &str)], path: &str, body: &Value) -> Vec<Said> {
    let mut replies = Vec::new();
    for (desk, id) in asked {
        let path = path.replace("{id}", id);
        let said = match body {
            Value::Null => desk.get(&path).await,
            body => desk.post(&path, body).await,
        };
        replies.push(said);
    }
    replies
}

/// The same request by one desk about several people.
async fn about(asked: &[(&Desk, Value)], path: &str, body: impl Fn(&Value) -> Value) -> Vec<Said> {
    let mut replies = Vec::new();
    for (desk, identity) in asked {
        replies.push(desk.post(path, &body(identity)).await);
    }
    replies
}

/// She moves within the borough, where services are.
fn move_on() -> Value {
    json!({
        "area": "E09000022", "service_family": "community_based_and_recovery",
        "mode": "hand_over", "identity": withdrew(),
        "safe_contact": { "modes": ["via_worker"] },
        "consent": consent(ago(0)),
    })
}

async fn objects(town: &Town, story: &Story, compared: &mut Compared) {
    let charity = town.desk("larkfield").await.as_user("r-osei", Role::Triage);
    let posing = charity.as_user("r-osei", Role::Officer);
    let harbour = town.desk("harbour").await;
    let housing = town.desk("council-housing").await;
    let tainted = town.desk("council-nrpf").await;
    let (own, others) = (story.withdrawn.as_str(), story.officers.as_str());
    for (route, body) in [
        (("GET", "/v1/referrals/{id}"), Value::Null),
        (("GET", "/v1/inbox/{id}"), Value::Null),
        (
            ("POST", "/v1/referrals/{id}/updates"),
            json!({ "code": "new_incident" }),
        ),
        (
            ("POST", "/v1/referrals/{id}/note"),
            json!({ "note": "Call before noon." }),
        ),
        (
            ("POST", "/v1/referrals/{id}/accept"),
            json!({ "worker": "x-y", "onward_rule_accepted": true }),
        ),
        (
            ("POST", "/v1/referrals/{id}/accept"),
            json!({ "worker": "x-y" }),
        ),
        (
            ("POST", "/v1/referrals/{id}/decline"),
            json!({ "reason": "full" }),
        ),
        (("POST", "/v1/referrals/{id}/wait"), json!({})),
        (
            ("POST", "/v1/referrals/{id}/close"),
            json!({ "outcomes": [] }),
        ),
        (
            ("POST", "/v1/referrals/{id}/hand-back"),
            json!({ "reason": "knows_her" }),
        ),
        (("POST", "/v1/referrals/{id}/transfer"), move_on()),
        (
            ("POST", "/v1/referrals/{id}/updates"),
            json!({ "code": "safe_contact_changed",
                "safe_contact": { "modes": ["phone"], "number": "07700 900888" } }),
        ),
        (("POST", "/v1/links/{id}/confirm"), json!({})),
        (("POST", "/v1/links/{id}/reject"), json!({})),
        (("POST", "/v1/links/{id}/split"), json!({})),
        (("POST", "/v1/withdrawals/{id}/confirm"), json!({})),
        (
            ("POST", "/v1/withdrawals/{id}/lift"),
            json!({ "asked_her_safely": true }),
        ),
        (
            ("POST", "/v1/stop-use/{id}/reply"),
            json!({ "reply": "deleted" }),
        ),
        (
            ("POST", "/v1/assessments/{id}/relied-on"),
            json!({ "person": UNKNOWN }),
        ),
        (
            ("POST", "/v1/assessments/{id}/withdraw"),
            json!({ "person": UNKNOWN, "because": "wrong_person" }),
        ),
    ] {
        let path = route.1;
        // Withdrawn, not theirs, and unknown.
        let asked = [
            (&charity, own),
            (&charity, UNKNOWN),
            (&harbour, others),
            (&harbour, own),
            (&harbour, UNKNOWN),
        ];
        compared.add(route, &[], posts(&asked, path, &body).await);
        let asked = [(&tainted, others), (&tainted, UNKNOWN), (&tainted, own)];
        compared.add(route, &[], posts(&asked, path, &body).await);
        let asked = [(&housing, others), (&housing, UNKNOWN)];
        compared.add(route, &[], posts(&asked, path, &body).await);
        // In a role that may not: exact, and the same of what there is and what there is not.
        let asked = [(&posing, own), (&posing, UNKNOWN)];
        compared.add(route, &[], posts(&asked, path, &body).await);
    }
    let route = ("POST", "/v1/consents/{id}/withdraw");
    let body = json!({ "person": story.person });
    let asked = [(&harbour, own), (&harbour, UNKNOWN)];
    let vary = &["effective_from", "replay"];
    compared.add(route, vary, posts(&asked, route.1, &body).await);
    let route = ("POST", "/v1/consents");
    let mut replies = Vec::new();
    for person in [story.person.as_str(), UNKNOWN] {
        let body = json!({ "person": person, "consent": consent_to_ask(ago(1)) });
        replies.push(harbour.post(route.1, &body).await);
    }
    compared.add(route, &[], replies);
    // A card for her who withdrew, for somebody else's person and for nobody.
    let route = ("POST", "/v1/cards");
    let mut replies = Vec::new();
    for (desk, person) in [
        (&charity, story.person.as_str()),
        (&charity, UNKNOWN),
        (&harbour, story.person.as_str()),
    ] {
        replies.push(desk.post(route.1, &json!({ "person": person })).await);
    }
    compared.add(route, &[], replies);
}

async fn people(town: &Town, compared: &mut Compared) {
    let officer = town.desk("met").await;
    let charity = town.desk("larkfield").await.as_user("r-osei", Role::Triage);
    let adviser = town.desk("larkfield").await;
    let housing = town.desk("council-housing").await;
    let tainted = town.desk("council-nrpf").await;
    let hospital = town.desk("st-hildas").await;
    let senior = hospital.as_user("sr-bell", Role::EdSenior);
    let hospital_ig = town.signed_in("st-hildas-ig").await;

    // The log first, before it has an entry of what follows.
    for (route, extra) in [
        (("POST", "/v1/audit/subjects"), json!({})),
        (("POST", "/v1/audit/flags"), json!({})),
        (
            ("POST", "/v1/audit/reports"),
            json!({ "identity_checked": true }),
        ),
    ] {
        let asked = [(&hospital_ig, heard_of()), (&hospital_ig, nobody())];
        let body = |identity: &Value| {
            let mut body = extra.clone();
            body["identity"] = identity.clone();
            body
        };
        let vary = &["session", "next"];
        compared.add(route, vary, about(&asked, route.1, body).await);
    }

    let route = ("POST", "/v1/assessments/query");
    let asked = [
        (&housing, her()),
        (&housing, nobody()),
        (&tainted, her()),
        (&tainted, nobody()),
        (&adviser, withdrew()),
        (&adviser, nobody()),
    ];
    compared.add(route, &[], about(&asked, route.1, question).await);
    let exists = |identity: &Value| {
        let mut body = question(identity);
        body["step"] = json!("exists");
        body
    };
    compared.add(route, &[], about(&asked, route.1, exists).await);
    let answers = |identity: &Value| {
        let mut body = question(identity);
        body["step"] = json!("answers");
        body["assessment"] = json!(UNKNOWN);
        body
    };
    compared.add(route, &[], about(&asked, route.1, answers).await);
    let unaccepted = |identity: &Value| json!({ "identity": identity, "step": "cards" });
    compared.add(route, &[], about(&asked, route.1, unaccepted).await);

    let route = ("POST", "/v1/referrals");
    let asked = [
        (&officer, her()),
        (&officer, withdrew()),
        (&officer, TEST_PEOPLE[3].identity()),
    ];
    let again = ago(1);
    let offer = |identity: &Value| referral(OTHER_SERVICE, identity, again, None);
    let made = &["id", "reference", "journey_id", "contact_by"];
    compared.add(route, made, about(&asked, route.1, offer).await);

    let route = ("POST", "/v1/assessments");
    let asked = [
        (&hospital, her()),
        (&hospital, withdrew()),
        (&hospital, TEST_PEOPLE[2].identity()),
    ];
    let assess = |identity: &Value| {
        let mut body = assessment(ago(1), CHARITY);
        body["identity"] = identity.clone();
        body
    };
    compared.add(route, &["id"], about(&asked, route.1, assess).await);

    // Of one's own records: nothing of another's, whoever holds what.
    let route = ("POST", "/v1/assessments/own");
    let asked = [
        (&housing, her()),
        (&housing, nobody()),
        (&tainted, her()),
        (&tainted, nobody()),
        (&adviser, nobody()),
    ];
    let hers = |identity: &Value| json!({ "identity": identity });
    compared.add(route, &[], about(&asked, route.1, hers).await);

    let route = ("POST", "/v1/emergency");
    let asked = [(&senior, heard_of()), (&senior, nobody())];
    let glass = |identity: &Value| {
        let mut body = emergency(true);
        body["identity"] = identity.clone();
        body
    };
    // Each is an emergency of its own, to be followed up within a day.
    let named = &["id", "follow_up_by"];
    compared.add(route, named, about(&asked, route.1, glass).await);
    // Not confirmed, or not accepted: the same of her whom the hospital knows.
    let asked = [(&senior, her()), (&senior, nobody())];
    let unaccepted = |identity: &Value| {
        let mut body = glass(identity);
        body["onward_rule_accepted"] = json!(false);
        body
    };
    let unconfirmed = |identity: &Value| {
        let mut body = emergency(false);
        body["identity"] = identity.clone();
        body
    };
    compared.add(route, &[], about(&asked, route.1, unaccepted).await);
    compared.add(route, &[], about(&asked, route.1, unconfirmed).await);

    let route = ("POST", "/v1/withdrawals");
    let asked = [
        (&charity, withdrew()),
        (&charity, TEST_PEOPLE[3].identity()),
        (&charity, nobody()),
    ];
    let wish = |identity: &Value| {
        json!({ "identity": identity, "scope": "purpose",
        "purposes": ["prior_assessment"], "channel": "telephone" })
    };
    let made = &["id", "effective_from", "replay"];
    compared.add(route, made, about(&asked, route.1, wish).await);
}

async fn lists(town: &Town, story: &Story, compared: &mut Compared) {
    let pairs = story.before.iter().zip(&story.after);
    let routes = [
        ("GET", "/v1/referrals"),
        ("GET", "/v1/referrals/{id}"),
        ("GET", "/v1/events"),
    ];
    for (route, (before, after)) in routes.into_iter().zip(pairs) {
        compared.add(route, &[], vec![before.clone(), after.clone()]);
    }
    // An offer that she stopped before anyone accepted it leaves no trace in the inbox.
    let harbour = town.desk("harbour").await;
    let officer = town.desk("met").await;
    let before = harbour.get("/v1/inbox").await;
    let identity = TEST_PEOPLE[2].identity();
    made(
        &officer
            .post(
                "/v1/referrals",
                &referral(OTHER_SERVICE, &identity, ago(1), None),
            )
            .await,
    );
    let between = harbour.get("/v1/inbox").await;
    assert_eq!(between.list("/offers").len(), 1, "{}", between.body);
    let wish = json!({ "identity": identity, "scope": "everything", "channel": "telephone" });
    let charity = town.desk("larkfield").await;
    assert_eq!(charity.post("/v1/withdrawals", &wish).await.status, 200);
    let after = harbour.get("/v1/inbox").await;
    assert_eq!(after.list("/offers").len(), 0, "{}", after.body);
    compared.add(("GET", "/v1/inbox"), &["next"], vec![before, after]);

    // Nothing waits for one who knows people whom others know too, nor for one who knows nobody.
    let route = ("GET", "/v1/links");
    let replies = vec![charity.get(route.1).await, harbour.get(route.1).await];
    compared.add(route, &["next"], replies);

    // No review is due of anybody.
    let route = ("GET", "/v1/consents");
    let replies = vec![charity.get(route.1).await, harbour.get(route.1).await];
    compared.add(route, &["next"], replies);

    let route = ("POST", "/v1/reconciliations");
    let ig = town.signed_in("larkfield-ig").await;
    let mut replies = Vec::new();
    for kept in &story.kept {
        replies.push(ig.post(route.1, &json!({ "replay": kept })).await);
    }
    assert_eq!(
        replies[0].result(),
        "withdrawal-taken-again",
        "{}",
        replies[0].body
    );
    compared.add(route, &[], replies);
}

/// The reply without what may differ; of that, how long it is.
fn bare(said: &Said, vary: &[&str]) -> Value {
    let mut body = said.body.clone();
    let map = body.as_object_mut().expect("a JSON object");
    for field in ["date", "support_code", "receipt"].iter().chain(vary) {
        if let Some(value) = map.get_mut(*field) {
            *value = json!(value.to_string().len());
        }
    }
    body
}

/// What holds of each reply by itself (P5).
fn uniform(said: &Said) {
    assert_eq!(said.bytes.len() % (16 * 1_024), 0, "{}", said.body);
    assert!(said.took >= Duration::from_millis(100), "{:?}", said.took);
    for name in said.headers.keys() {
        let name = name.as_str();
        assert!(
            HEADERS.contains(&name) || name == "firedoor-session",
            "{name}"
        );
    }
    let names = said.body.as_object().unwrap().keys();
    for name in names {
        let low = name.to_lowercase();
        for word in ["total", "count", "size", "rank", "position", "more"] {
            assert!(!low.contains(word), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn known_withdrawn_shut_out_and_unknown_are_one_reply_on_every_route() {
    let town = Town::start().await;
    let story = story(&town).await;
    let mut compared = Compared::default();
    objects(&town, &story, &mut compared).await;
    lists(&town, &story, &mut compared).await;
    people(&town, &mut compared).await;

    for (route, groups) in &compared.0 {
        for Alike { replies, vary } in groups {
            let first = &replies[0];
            for said in replies {
                uniform(said);
                assert_eq!(
                    said.status, first.status,
                    "{route:?}: {} {}",
                    first.body, said.body
                );
                assert_eq!(bare(said, vary), bare(first, vary), "{route:?}");
                assert_eq!(said.bytes.len(), first.bytes.len(), "{route:?}");
                let headers = |said: &Said| {
                    let mut headers = said.headers.clone();
                    headers.remove("date");
                    headers.remove("firedoor-session");
                    headers
                };
                assert_eq!(headers(said), headers(first), "{route:?}");
            }
        }
    }
    let asked: BTreeSet<(&str, &str)> = compared.0.keys().copied().collect();
    let elsewhere = ELSEWHERE.map(|(method, path, _)| (method, path));
    for route in declared() {
        if route.depends == Depends::OnPeople {
            let route = (route.method, route.path.as_str());
            assert!(
                asked.contains(&route) || elsewhere.contains(&route),
                "{route:?} depends on people, and nothing compares what it says"
            );
        }
    }
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reason_to_decline_never_travels_back_or_on() {
    let town = Town::start().await;
    let officer = town.desk("met").await;
    let charity = town.desk("larkfield").await.as_user("r-osei", Role::Triage);
    let mut seen = Vec::new();
    for (person, reason) in TEST_PEOPLE.iter().zip(["full", "no_interpreter", "other"]) {
        let sent = referral(SERVICE, &person.identity(), ago(2), None);
        let id = made(&officer.post("/v1/referrals", &sent).await);
        let inbox = charity.get("/v1/inbox").await;
        let offer = inbox.list("/offers")[0]["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/referrals/{offer}/decline");
        let said = charity.post(&path, &json!({ "reason": reason })).await;
        assert_eq!(said.status, 200, "{}", said.body);
        let mut told = vec![officer.get(&format!("/v1/referrals/{id}")).await];
        // The next service is offered her as anybody.
        let next = referral(OTHER_SERVICE, &person.identity(), ago(2), None);
        made(&officer.post("/v1/referrals", &next).await);
        told.push(officer.get("/v1/events").await);
        told.push(officer.get("/v1/referrals").await);
        told.push(town.desk("harbour").await.get("/v1/inbox").await);
        for said in &told {
            for word in ["interpreter", "declined", "reason", "full\""] {
                let harmless = said.whole().replace("\"needs\"", "");
                assert!(!harmless.contains(word), "{word}: {}", said.body);
            }
        }
        let fields: Vec<String> = told[0].body["referral"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        seen.push((told[0].text("/referral/status").unwrap().to_owned(), fields));
    }
    assert!(seen.windows(2).all(|two| two[0] == two[1]), "{seen:?}");
    town.stop().await;
}
