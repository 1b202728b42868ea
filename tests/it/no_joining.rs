//! P7 by trying: what two organisations can export has nothing in common that tells of a person, and
//! references end as they are said to.
//!
//! What two exports may share is what is also in the exports of another town, with other keys and
//! other people (codes, words, public names), and three things named in [`shared_by_design`].

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::collections::BTreeSet;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use firedoor::domain::alias::{AliasKind, EPOCH_DAYS};
use firedoor::domain::id::{Id, OrgId};
use firedoor::domain::opening::Opened;
use firedoor::domain::receipt::Receipt;
use firedoor::domain::time::When;
use firedoor::ops::clock::now;
use firedoor::ops::demo::borough::{CHARITY, SERVICE};
use firedoor::ops::demo::people;
use serde_json::{Value, json};

use super::people::Person;
use super::town::{Desk, ORIGIN, Said, Town, ago};

/// Shorter values are shared by chance.
const CHARS_MIN: usize = 6;
/// The hospital's own service.
const HOSPITAL_SERVICE: &str = "st-hildas-safe";
/// Who exports: the system and the information-governance officer.
const EXPORTERS: [(&str, &str); 3] = [
    ("met", "met-ig"),
    ("larkfield", "larkfield-ig"),
    ("st-hildas", "st-hildas-ig"),
];

fn done(said: &Said) {
    assert!(said.status < 300, "{}", said.whole());
}

fn referral(service: &str, direction: &str, identity: &Value) -> Value {
    let mut body = people::referral(service, identity, ago(2), None);
    body["direction"] = json!(direction);
    // One man, in everything that everybody sends.
    body["other_party"] = json!({
        "given_name": "Ignatius", "family_name": "Velderman", "birth_date": "1979-08-30",
        "relation": "partner", "risks": ["has_weapons"],
    });
    body
}

/// Three organisations work on the same people: each sends the others referrals, the hospital's
/// assessments are shown to the charity, and one woman withdraws.
pub async fn story(town: &Town, numbers: &[usize]) {
    let people: Vec<Person> = numbers.iter().map(|number| Person::new(*number)).collect();
    let police = town.desk("met").await;
    let hospital = town.desk("st-hildas").await;
    let charity = town.desk("larkfield").await;
    for person in &people {
        let mut assessed = people::assessment(ago(3), CHARITY);
        assessed["identity"] = person.found_by();
        done(&hospital.post("/v1/assessments", &assessed).await);
        let identity = person.identity();
        for (sender, service, direction) in [
            (&police, SERVICE, "police"),
            (&hospital, SERVICE, "health"),
            (&charity, HOSPITAL_SERVICE, "voluntary"),
        ] {
            let body = referral(service, direction, &identity);
            done(&sender.post("/v1/referrals", &body).await);
        }
    }
    for offer in charity.get("/v1/inbox").await.list("/offers") {
        let id = offer["id"].as_str().unwrap();
        let accept = json!({ "worker": "r-osei", "onward_rule_accepted": true });
        let path = format!("/v1/referrals/{id}/accept");
        let accepted = charity.post(&path, &accept).await;
        done(&accepted);
        let ask = json!({
            "person": accepted.body["person"], "consent": people::consent_to_ask(ago(1)), "step": "cards",
            "onward_rule_accepted": true,
        });
        let shown = charity.post("/v1/assessments/query", &ask).await;
        assert_eq!(shown.result(), "assessments", "{}", shown.whole());
    }
    // Two women ask elsewhere what is held about them: each of the three is asked.
    for person in people.iter().take(2) {
        let ask = json!({
            "identity": person.found_by(), "identity_proof": "known_to_worker",
            "safe_contact_checked": true,
        });
        let harbour = town.desk("harbour").await;
        done(&harbour.post("/v1/subject-access", &ask).await);
    }
    let stop = json!({
        "identity": people[0].found_by(), "scope": "everything", "channel": "telephone",
    });
    done(
        &town
            .desk("harbour")
            .await
            .post("/v1/withdrawals", &stop)
            .await,
    );
}

/// Everything that an organisation can fetch of its own: by its workers, and by its officer.
async fn exports(town: &Town, (system, ig): (&str, &str), numbers: &[usize]) -> Vec<Said> {
    let desk = town.desk(system).await;
    let mut all = Vec::new();
    for path in ["/v1/me", "/v1/events", "/v1/referrals", "/v1/inbox"] {
        all.push(desk.get(path).await);
    }
    let listed = |said: &Said, list: &str| -> Vec<String> {
        let ids = said.list(list).iter();
        ids.filter_map(|one| one["id"].as_str().map(str::to_owned))
            .collect()
    };
    let (sent, offered) = (listed(&all[2], "/referrals"), listed(&all[3], "/offers"));
    for id in &sent {
        all.push(desk.get(&format!("/v1/referrals/{id}")).await);
    }
    let opened: Vec<String> = events(&all[1]).into_iter().chain(offered).collect();
    for id in &opened {
        all.push(desk.get(&format!("/v1/inbox/{id}")).await);
    }
    let asked = desk.get("/v1/subject-access").await;
    assert!(!asked.list("/requests").is_empty(), "{}", asked.whole());
    for id in listed(&asked, "/requests") {
        all.push(desk.get(&format!("/v1/subject-access/{id}")).await);
    }
    all.push(asked);
    all.extend(officers(town, ig, numbers).await);
    // What an agency keeps of a withdrawal, to hand in again.
    let last = Person::new(*numbers.last().unwrap()).found_by();
    let stop = json!({ "identity": last, "scope": "everything", "channel": "telephone" });
    let withdrew = desk.post("/v1/withdrawals", &stop).await;
    assert!(withdrew.text("/replay").is_some(), "{}", withdrew.whole());
    all.push(withdrew);
    // Police have no inbox.
    all.retain(|said| said.result() != "role-not-allowed");
    for said in &all {
        assert_eq!(said.status, 200, "{}", said.whole());
    }
    all
}

fn events(said: &Said) -> Vec<String> {
    let named = said.list("/events").iter();
    let named = named.filter_map(|event| event["referral"].as_str());
    named.map(str::to_owned).collect()
}

/// What an officer fetches: entries in every form and with evidence, by person too, the queue, the
/// report of each woman, the figures, the trail.
async fn officers(town: &Town, ig: &str, numbers: &[usize]) -> Vec<Said> {
    let officer = town.signed_in(ig).await;
    let mut all = Vec::new();
    for more in ["evidence=true", "format=csv", "format=fhir", "format=ocsf"] {
        let path = format!("/v1/audit/entries?max=200&{more}");
        all.push(officer.get(&path).await);
    }
    let month = now().rfc3339().chars().take(7).collect::<String>();
    for path in ["/v1/audit/queue", "/v1/audit/trail", "/v1/proposals"] {
        all.push(officer.get(path).await);
    }
    all.push(
        officer
            .get(&format!("/v1/audit/figures?month={month}"))
            .await,
    );
    for number in numbers {
        let person = Person::new(*number).found_by();
        let ask = json!({ "identity": person });
        all.push(plain_post(&officer, "/v1/audit/subjects", &ask).await);
        let report = json!({ "identity": person, "identity_checked": true });
        all.push(plain_post(&officer, "/v1/audit/reports", &report).await);
    }
    let items = all[4].list("/items").iter();
    let items: Vec<String> = items
        .filter_map(|item| item["id"].as_str().map(str::to_owned))
        .collect();
    for id in items {
        all.push(officer.get(&format!("/v1/audit/queue/{id}")).await);
    }
    all
}

async fn plain_post(desk: &Desk, path: &str, body: &Value) -> Said {
    desk.post_bytes(path, &[], body.to_string()).await
}

/// Every value of an export: whole texts and long numbers, each line of a text, and each part of
/// one that looks like a name for something. The log's own facts in a receipt are left out.
fn values(all: &[Said]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for said in all {
        collect(&said.body, &mut found);
    }
    found.retain(|value| value.chars().count() >= CHARS_MIN);
    found
}

fn collect(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => map.values().for_each(|value| collect(value, found)),
        Value::Array(list) => list.iter().for_each(|value| collect(value, found)),
        Value::Number(number) => {
            found.insert(number.to_string());
        }
        Value::String(text) => match Receipt::parse(text) {
            Ok(receipt) => of_receipt(&receipt, found),
            Err(_) => of_text(text, found),
        },
        Value::Null | Value::Bool(_) => {}
    }
}

fn of_text(text: &str, found: &mut BTreeSet<String>) {
    // The key of a caller's certificate, as FHIR writes it.
    if let Some(key) = text.strip_prefix("ni:///sha-256;") {
        let key = BASE64_URL_SAFE_NO_PAD.decode(key).unwrap();
        found.insert(hex(&key.try_into().unwrap()));
        return;
    }
    let is_time = |word: &&str| When::parse(word.trim_end_matches(['.', ','])).is_some();
    if let Some(time) = text.split_whitespace().find(is_time) {
        return of_text(&text.replace(time, ""), found);
    }
    found.insert(text.to_owned());
    found.extend(text.lines().map(str::to_owned));
    let parts = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
    let named = parts.filter(|part| part.bytes().any(|byte| byte.is_ascii_digit()));
    found.extend(named.map(str::to_owned));
}

/// Of a receipt all but its leaf and its proof, which anyone reads in the public log, and who called
/// and why, which both sides of an entry may open.
fn of_receipt(receipt: &Receipt, found: &mut BTreeSet<String>) {
    found.extend(receipt.request_salt.iter().map(hex));
    for part in &receipt.opened {
        match part.read().unwrap() {
            Opened::What(what) => {
                found.insert(hex(&part.salt));
                found.extend(what.object.map(|id| id.to_string()));
            }
            Opened::Why(why) => found.extend(why.case.map(|id| id.to_string())),
            Opened::Who(_) => {}
            Opened::Decided(_) => panic!("a decision is nobody's to open"),
        }
    }
}

fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What two exports share although it is in no other town's: times, the place of an entry in this
/// town's log, and the key of the certificate with which somebody called, which is shown to
/// whomever the call concerned.
fn shared_by_design(value: &str, keys_of_callers: &BTreeSet<String>) -> bool {
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_time = value.split(['-', 'T', ':', '.', 'Z']).all(is_digits);
    let is_place = value.strip_prefix(ORIGIN).is_some_and(|rest| {
        let rest = rest.trim_start_matches(['#', '/']);
        is_digits(rest)
    });
    is_time || is_place || keys_of_callers.contains(value)
}

fn keys_of_callers(all: &[Said]) -> BTreeSet<String> {
    let entries = all.iter().flat_map(|said| said.list("/entries"));
    let keys = entries.filter_map(|entry| entry["certificate"].as_str());
    keys.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_exports_of_two_organisations_cannot_be_joined() {
    // Whatever another town with other people exports too is no person's.
    let other = Town::start().await;
    story(&other, &[20, 21, 22]).await;
    let mut constant = BTreeSet::new();
    for exporter in EXPORTERS {
        constant.extend(values(&exports(&other, exporter, &[20, 21, 22]).await));
    }
    other.stop().await;

    let town = Town::start().await;
    let numbers = [0, 1, 2];
    story(&town, &numbers).await;
    let mut columns = Vec::new();
    for exporter in EXPORTERS {
        let all = exports(&town, exporter, &numbers).await;
        let (found, keys) = (values(&all), keys_of_callers(&all));
        let own: BTreeSet<String> = found.difference(&constant).cloned().collect();
        assert!(own.len() > 20, "{} exports little: {own:?}", exporter.0);
        columns.push((exporter.0, own, keys));
    }
    for (place, (one, values, keys)) in columns.iter().enumerate() {
        for (other, others, other_keys) in &columns[place + 1..] {
            let keys: BTreeSet<String> = keys.intersection(other_keys).cloned().collect();
            let shared: Vec<&String> = values
                .intersection(others)
                .filter(|value| !shared_by_design(value, &keys))
                .collect();
            assert!(shared.is_empty(), "{one} and {other} share {shared:?}");
        }
    }
    town.stop().await;
}

#[test]
fn the_join_finds_a_reference_wherever_it_stands() {
    let reference = Id::from_bytes([0x21; 16]).to_string();
    for told in [
        json!({ "referrals": [{ "id": reference }] }),
        json!([format!("1,met,2026-11-22T10:00:00Z,\"{reference}\",permit")]),
        json!(format!(
            "You asked on 2026-11-22T10:00:00Z about R-{reference}."
        )),
        json!({ "reference": format!("urn:x:{reference}") }),
    ] {
        let mut found = BTreeSet::new();
        collect(&told, &mut found);
        let named = found
            .iter()
            .any(|value| value.trim_start_matches("R-") == reference);
        assert!(named, "{found:?}");
        assert!(!shared_by_design(&reference, &BTreeSet::new()));
    }
}

fn org(name: &str) -> OrgId {
    OrgId::parse(name).unwrap()
}

/// The name that an organisation was given of its referral `days` ago.
fn name_of(town: &Town, own: &str, today: &str, days: i64) -> String {
    let rules = town.running.app.gateway.rules.load_full();
    let key = &rules.alias_key;
    let today = Id::parse(today).unwrap();
    let inner = key
        .of(&org(own), 0, now())
        .inward(AliasKind::Referral, today);
    let then = key.of(&org(own), 0, now().plus_days(-days));
    then.outward(AliasKind::Referral, inner).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reference_opens_what_it_should_for_two_epochs_more_and_then_nothing() {
    let town = Town::start().await;
    let police = town.desk("met").await;
    let charity = town.desk("larkfield").await;
    let body = referral(SERVICE, "police", &people::her());
    let key = "the-first-offer";
    let offered = police.post_as(key, "/v1/referrals", &body).await;
    done(&offered);
    let today = offered.id().to_owned();
    let inbox = charity.get("/v1/inbox").await.list("/offers")[0]["id"].clone();
    let theirs = inbox.as_str().unwrap();
    for epochs in [1, 2] {
        let old = name_of(&town, "met", &today, epochs * EPOCH_DAYS);
        assert_ne!(old, today);
        let status = police.get(&format!("/v1/referrals/{old}")).await;
        assert_eq!(
            status.text("/referral/status"),
            Some("recorded"),
            "{epochs}"
        );
        // The reply calls it by the name of today.
        assert_eq!(status.text("/referral/id"), Some(today.as_str()));
        let update = json!({ "code": "call_referrer" });
        let path = format!("/v1/referrals/{old}/updates");
        done(&police.post(&path, &update).await);
    }
    let ended = name_of(&town, "met", &today, 3 * EPOCH_DAYS);
    let never = Id::from_bytes([0x21; 16]).to_string();
    let ended = police.get(&format!("/v1/referrals/{ended}")).await;
    let never = police.get(&format!("/v1/referrals/{never}")).await;
    assert_eq!(ended.result(), "nothing-to-show");
    assert_eq!(ended.silent(), never.silent());
    assert_eq!(ended.bytes.len(), never.bytes.len());

    let old = name_of(&town, CHARITY, theirs, 2 * EPOCH_DAYS);
    let accept = json!({ "worker": "r-osei", "onward_rule_accepted": true });
    let path = format!("/v1/referrals/{old}/accept");
    let accepted = charity.post_as("accept-once", &path, &accept).await;
    assert_eq!(
        accepted.text("/referral/id"),
        Some(theirs),
        "{}",
        accepted.whole()
    );
    let again = charity.post_as("accept-once", &path, &accept).await;
    assert_eq!(again.body["replayed"], true, "{}", again.whole());
    let again = police.post_as(key, "/v1/referrals", &body).await;
    assert_eq!((again.status, again.id()), (201, today.as_str()));
    town.stop().await;
}

async fn narrowed(town: &Town, body: &Value) {
    done(
        &town
            .signed_in("operator")
            .await
            .post("/v1/narrowings", body)
            .await,
    );
}

async fn resumed(town: &Town, organisation: &str) {
    let change = json!({ "change": "resume_organisation", "organisation": organisation });
    let operator = town.signed_in("operator").await;
    done(&operator.post("/v1/proposals", &change).await);
    let second = town.signed_in("st-hildas-ig").await;
    let proposals = second.get("/v1/proposals").await;
    let mut waiting = proposals.list("/proposals").iter();
    let waiting = waiting.find(|one| one["approved"].is_null()).unwrap();
    let id = waiting["id"].as_str().unwrap();
    done(
        &second
            .post(&format!("/v1/approvals/{id}"), &json!({}))
            .await,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspension_ends_the_references_of_one_organisation_and_loses_none_of_its_work() {
    let town = Town::start().await;
    let police = town.desk("met").await;
    let charity = town.desk("larkfield").await;
    let mut sent = Vec::new();
    for identity in [people::her(), people::nobody()] {
        let body = referral(SERVICE, "police", &identity);
        sent.push(police.post("/v1/referrals", &body).await.id().to_owned());
    }
    let ids = |said: &Said| -> Vec<String> {
        let offers = said.list("/offers").iter();
        offers
            .map(|one| one["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let before = ids(&charity.get("/v1/inbox").await);
    let accept = json!({ "worker": "r-osei", "onward_rule_accepted": true });
    let path = format!("/v1/referrals/{}/accept", before[0]);
    let accepted = charity.post(&path, &accept).await;
    let person = accepted.text("/person").unwrap().to_owned();
    let cursor = charity.get("/v1/events").await.body["next"].clone();
    let cursor = cursor.as_str().unwrap();
    done(&charity.get(&format!("/v1/events?after={cursor}")).await);

    let suspend = json!({ "change": "suspend_organisation", "organisation": CHARITY });
    narrowed(&town, &suspend).await;
    narrowed(&town, &suspend).await;
    assert_eq!(
        charity.get("/v1/inbox").await.result(),
        "organisation-suspended"
    );
    resumed(&town, CHARITY).await;

    // What it kept of the time before leads nowhere, as if it had never been.
    let never = Id::from_bytes([0x21; 16]).to_string();
    let silent = charity.get(&format!("/v1/inbox/{never}")).await.silent();
    for old in &before {
        let said = charity.get(&format!("/v1/inbox/{old}")).await;
        assert_eq!(said.result(), "nothing-to-show");
        assert_eq!(said.silent(), silent);
    }
    let ask = people::question_of(&json!(person));
    let said = charity.post("/v1/assessments/query", &ask).await;
    let ask = people::question_of(&json!(never));
    assert_eq!(
        said.silent(),
        charity.post("/v1/assessments/query", &ask).await.silent()
    );
    // A place in a list is refused in words: to go on from nowhere would lose what came since.
    let lost = charity.get(&format!("/v1/events?after={cursor}")).await;
    assert_eq!(lost.status, 422, "{}", lost.whole());

    // The work is there, under other names: what waits, and what it took.
    let inbox = charity.get("/v1/inbox").await;
    let after = ids(&inbox);
    assert_eq!(after.len(), before.len());
    assert!(after.iter().all(|id| !before.contains(id)));
    let open = inbox.list("/offers").iter();
    let mut open = open.filter(|offer| offer["status"] == "offered");
    let open = open.next().unwrap()["id"].as_str().unwrap();
    let taken = charity
        .post(&format!("/v1/referrals/{open}/accept"), &accept)
        .await;
    assert_eq!(taken.result(), "released", "{}", taken.whole());
    assert!(events(&charity.get("/v1/events").await).contains(&after[0]));
    let reread = charity.get(&format!("/v1/inbox/{}", after[0])).await;
    assert_eq!(reread.body["released"], accepted.body["released"]);
    assert_ne!(reread.text("/person"), Some(person.as_str()));
    // Nobody else's changed.
    for id in &sent {
        let status = police.get(&format!("/v1/referrals/{id}")).await;
        assert_eq!(status.text("/referral/id"), Some(id.as_str()));
    }
    town.stop().await;
}
