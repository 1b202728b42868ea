//! The other party is in the household (`domain.md` 5.5): of one surname, at one address, with one
//! telephone. Through the whole gateway: what is said of him keeps her safe and finds nobody, what he
//! asks is answered as anybody is, and a child is kept under the parent whose referral it is.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use firedoor::domain::codes::Role;
use firedoor::ops::demo::borough::{CHARITY, SERVICE};
use firedoor::ops::demo::people::{assessment, consent, consent_to_ask, nobody, referral};
use serde_json::{Value, json};

use crate::town::{Desk, Said, Town, ago};

const HIS_PNC: &str = "2012/0052494Q";
/// A report of so long ago is ready, and late.
const DAYS_AGO: i64 = 45;

fn of_the_house(given: &str, birth: &str) -> Value {
    json!({
        "given_name": given, "family_name": "Karimzadeh", "birth_date": birth,
        "phone": ["07700 900123"], "address_line": "12 Invented Lane", "postcode": "E8 1DY",
    })
}

fn hers() -> Value {
    let mut identity = of_the_house("Ferhana", "1991-03-14");
    identity["nhs_number"] = json!("9990000018");
    identity
}

fn his() -> Value {
    of_the_house("Imranullah", "1988-01-20")
}

fn childs() -> Value {
    let mut identity = of_the_house("Samira", "2019-06-03");
    identity["nhs_number"] = json!("9990000042");
    identity
}

/// Names and date alone, as of somebody beside her.
fn named(identity: &Value) -> Value {
    json!({
        "given_name": identity["given_name"], "family_name": identity["family_name"],
        "birth_date": identity["birth_date"],
    })
}

fn as_other_party(identity: &Value) -> Value {
    let mut party = named(identity);
    party["relation"] = json!("partner");
    party["shares_address"] = json!("yes");
    party["risks"] = json!(["strangled", "works_for_agency"]);
    party
}

fn done(said: &Said) {
    assert!(said.status < 300, "{}", said.whole());
}

/// Police refer her, and say who he is.
fn against_him() -> Value {
    let mut sent = referral(SERVICE, &hers(), ago(2), None);
    sent["other_party"] = as_other_party(&his());
    sent["other_party"]["pnc_id"] = json!(HIS_PNC);
    sent
}

fn of_child(parent: &Value, who: &str) -> Value {
    let mut sent = referral(SERVICE, &childs(), ago(2), None);
    sent["party_role"] = json!("child_victim");
    sent["consent"] = consent(ago(2));
    sent["consent"]["given_by"] = json!("parent_guardian");
    sent["consent"]["competence"] = json!("parent_for_child");
    sent["consent"]["parent"] = json!(who);
    sent["consent"]["parent_is_other_party"] = json!("no");
    sent["child_of"] = named(parent);
    sent
}

async fn charity(town: &Town) -> Desk {
    town.desk("larkfield").await.as_user("r-osei", Role::Triage)
}

/// Sent by police and accepted by the charity: its name there, and what was released.
async fn accepted(town: &Town, sent: &Value) -> (String, Said) {
    let charity = charity(town).await;
    let names = |said: &Said| -> Vec<String> {
        let offers = said.list("/offers").iter();
        let ids = offers.filter_map(|offer| offer["id"].as_str());
        ids.map(str::to_owned).collect()
    };
    let before = names(&charity.get("/v1/inbox").await);
    done(&town.desk("met").await.post("/v1/referrals", sent).await);
    let inbox = charity.get("/v1/inbox").await;
    assert!(!inbox.whole().contains("relation"), "{}", inbox.body);
    let mut new = names(&inbox);
    new.retain(|id| !before.contains(id));
    let accept = json!({ "worker": "r-osei", "onward_rule_accepted": true });
    let path = format!("/v1/referrals/{}/accept", new[0]);
    let said = charity.post(&path, &accept).await;
    done(&said);
    (new.remove(0), said)
}

fn asking(identity: &Value) -> Value {
    json!({
        "identity": identity, "identity_proof": "known_to_worker", "safe_contact_checked": true,
        "received_at": ago(24 * DAYS_AGO).rfc3339(),
    })
}

fn asking_for(identity: &Value, by: &Value) -> Value {
    let mut body = asking(identity);
    body["requester"] = json!("parent_guardian");
    body["capacity"] = json!("not_competent");
    body["authority"] = json!("parental_responsibility_seen");
    // What he said, and the worker wrote down.
    body["other_party"] = json!("no");
    body["requester_identity"] = named(by);
    body
}

async fn taken(desk: &Desk, body: &Value) -> Said {
    let said = desk.post("/v1/subject-access", body).await;
    assert_eq!(said.result(), "subject-access-taken", "{}", said.body);
    said
}

async fn delivers(officer: &Desk, taken: &Said) -> Said {
    let path = format!("/v1/subject-access/{}/deliver", taken.id());
    let body = json!({ "identity_checked": true, "explanation": "It lay unopened." });
    officer.post(&path, &body).await
}

/// The reply, without what is of the moment and its own id.
fn bare(said: &Said) -> String {
    let mut body = said.body.clone();
    for field in ["date", "support_code", "receipt", "id", "reference"] {
        if let Some(value) = body.get_mut(field) {
            *value = json!(value.to_string().len());
        }
    }
    for step in body["steps"].as_array_mut().into_iter().flatten() {
        step["at"] = json!("");
    }
    body["received_at"] = json!("");
    body.to_string()
}

async fn asked(town: &Town, desk: &str) -> usize {
    let said = town.desk(desk).await.get("/v1/subject-access").await;
    let requests = said.list("/requests").iter();
    requests.filter(|one| one["kind"] == "asked").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_of_him_keeps_her_safe_and_is_found_nowhere() {
    let town = Town::start().await;
    let (offer, released) = accepted(&town, &against_him()).await;
    let told = json!({
        "relation": "partner", "shares_address": "yes", "risks": ["strangled", "works_for_agency"],
    });
    assert_eq!(
        released.body["released"]["other_party"], told,
        "{}",
        released.body
    );
    let charity = charity(&town).await;
    let again = charity.get(&format!("/v1/inbox/{offer}")).await;
    assert_eq!(
        again.body["released"]["other_party"], told,
        "{}",
        again.body
    );

    // Everything that the two organisations and their officers can fetch: his name is in none of it.
    let police = town.desk("met").await;
    let mut all = vec![released, again];
    for path in ["/v1/inbox", "/v1/events", "/v1/referrals"] {
        all.push(charity.get(path).await);
        all.push(police.get(path).await);
    }
    for officer in ["larkfield-ig", "met-ig"] {
        let officer = town.signed_in(officer).await;
        for path in ["/v1/audit/entries?max=200&evidence=true", "/v1/audit/queue"] {
            all.push(officer.get(path).await);
        }
        let report = json!({ "identity": hers(), "identity_checked": true });
        let path = "/v1/audit/reports";
        all.push(officer.post_bytes(path, &[], report.to_string()).await);
    }
    for said in &all {
        let text = said.whole().to_lowercase();
        for word in ["imran", "1988-01-20", "0052494", "2012/"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
    }
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn he_asks_what_is_held_about_him_and_is_answered_as_a_stranger_is() {
    let town = Town::start().await;
    accepted(&town, &against_him()).await;
    let desk = charity(&town).await;
    let officer = town.signed_in("larkfield-ig").await;
    let mut stranger = his();
    for (field, value) in [
        ("given_name", "Ignatius"),
        ("family_name", "Velderman"),
        ("address_line", "48 Invented Lane"),
        ("postcode", "N1 9GU"),
        ("phone", "07700 900777"),
    ] {
        stranger[field] = match field {
            "phone" => json!([value]),
            _ => json!(value),
        };
    }
    let mut said = Vec::new();
    for identity in [his(), stranger] {
        let took = taken(&desk, &asking(&identity)).await;
        let given = delivers(&officer, &took).await;
        said.push((took, given));
    }
    let (one, other) = (&said[0], &said[1]);
    assert_eq!(bare(&one.0), bare(&other.0));
    assert_eq!(one.0.bytes.len(), other.0.bytes.len());
    assert_eq!(one.1.result(), "nothing-to-show");
    assert_eq!(one.1.silent(), other.1.silent());
    assert_eq!(one.1.bytes.len(), other.1.bytes.len());
    // Nobody was asked for him; for her each who holds something is.
    assert_eq!(asked(&town, "met").await, 0);
    taken(&desk, &asking(&hers())).await;
    assert_eq!(asked(&town, "met").await, 1);

    // An emergency in his name, and a withdrawal, are those of anybody too.
    let hospital = town
        .desk("st-hildas")
        .await
        .as_user("s-amari", Role::EdSenior);
    let mut opened = Vec::new();
    for identity in [his(), nobody()] {
        let body = json!({
            "identity": identity, "reason": "life_at_risk", "on_shift": true, "confirm": true,
            "text": "Unconscious after a fall, nobody with the patient.",
            "onward_rule_accepted": true,
        });
        opened.push(hospital.post("/v1/emergency", &body).await);
    }
    assert_eq!(opened[0].status, opened[1].status);
    // Each has a name of its own, and a moment by which it is to be followed up.
    let alike = |said: &Said| {
        let own = ["/id", "/follow_up_by"].map(|field| said.text(field).unwrap());
        own.iter()
            .fold(said.silent(), |text, own| text.replace(own, ""))
    };
    assert_eq!(alike(&opened[0]), alike(&opened[1]));
    assert_eq!(opened[0].bytes.len(), opened[1].bytes.len());
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn he_reports_too_and_each_has_a_record_that_leads_to_nothing_of_the_other() {
    let town = Town::start().await;
    let hospital = town.desk("st-hildas").await;
    let mut assessed = assessment(ago(3), CHARITY);
    assessed["identity"] = hers();
    done(&hospital.post("/v1/assessments", &assessed).await);
    let (_, of_her) = accepted(&town, &against_him()).await;
    let mut counter = referral(SERVICE, &his(), ago(1), None);
    counter["other_party"] = as_other_party(&hers());
    let (_, of_him) = accepted(&town, &counter).await;
    assert_ne!(of_her.body["person"], of_him.body["person"]);
    let text = of_him.whole();
    assert!(
        text.contains("Imranullah") && !text.contains("Ferhana"),
        "{text}"
    );

    let charity = charity(&town).await;
    let ask = |person: &Value| {
        json!({
            "person": person, "consent": consent_to_ask(ago(1)), "step": "cards",
            "onward_rule_accepted": true,
        })
    };
    let path = "/v1/assessments/query";
    let shown = charity.post(path, &ask(&of_her.body["person"])).await;
    assert_eq!(shown.result(), "assessments", "{}", shown.body);
    let none = charity.post(path, &ask(&of_him.body["person"])).await;
    assert_eq!(none.result(), "nothing-to-show", "{}", none.body);
    // Nobody is asked whether the two are one.
    let pairs = hospital.get("/v1/links").await;
    assert!(!pairs.whole().contains("waiting"), "{}", pairs.body);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parent_who_is_the_other_party_is_given_nothing_of_the_child_and_the_other_parent_is() {
    let town = Town::start().await;
    let mut sent = of_child(&hers(), "mother");
    sent["other_party"] = as_other_party(&his());
    accepted(&town, &sent).await;
    let desk = charity(&town).await;
    let officer = town.signed_in("larkfield-ig").await;
    let mut unknown = nobody();
    unknown["birth_date"] = json!("2018-02-11");
    let mut said = Vec::new();
    for child in [childs(), unknown] {
        let took = taken(&desk, &asking_for(&child, &his())).await;
        assert_eq!(asked(&town, "met").await, 0);
        let given = delivers(&officer, &took).await;
        said.push((took, given));
    }
    let (one, other) = (&said[0], &said[1]);
    assert_eq!(bare(&one.0), bare(&other.0));
    assert_eq!(one.1.result(), "nothing-to-show", "{}", one.1.body);
    assert_eq!(one.1.silent(), other.1.silent());
    assert_eq!(one.1.bytes.len(), other.1.bytes.len());
    // What the taker's own officer reads of it says nothing of why.
    let entries = officer.get("/v1/audit/entries?max=200&evidence=true").await;
    for word in ["other-party", "nothing-may-be-given"] {
        assert!(!entries.whole().contains(word), "{}", entries.body);
    }

    let took = taken(&desk, &asking_for(&childs(), &hers())).await;
    assert_eq!(asked(&town, "met").await, 1);
    let met = town.desk("met").await;
    let waits = met.get("/v1/subject-access").await;
    let waits = waits.list("/requests").iter();
    let ask = waits.filter_map(|one| one["id"].as_str()).next().unwrap();
    let path = format!("/v1/subject-access/{ask}/reply");
    done(&met.post(&path, &json!({ "code": "holds_nothing" })).await);
    let given = delivers(&officer, &took).await;
    assert_eq!(given.result(), "subject-access-report", "{}", given.body);

    // Who asks for another says who it is.
    let mut nameless = asking_for(&childs(), &his());
    nameless
        .as_object_mut()
        .unwrap()
        .remove("requester_identity");
    let refused = desk.post("/v1/subject-access", &nameless).await;
    assert_eq!(refused.text("/fields/0/field"), Some("requester_identity"));
    // By one name alone he would not be known for who is to be kept away.
    for (field, one) in [
        ("family_name", ""),
        ("family_name", "unknown"),
        ("given_name", "I"),
    ] {
        let mut half = asking_for(&childs(), &his());
        half["requester_identity"][field] = json!(one);
        let refused = desk.post("/v1/subject-access", &half).await;
        let wrong = "requester_identity.family_name";
        assert_eq!(
            refused.text("/fields/0/field"),
            Some(wrong),
            "{field} {one}"
        );
    }
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_parents_name_one_child_and_neither_referral_shows_the_others() {
    let town = Town::start().await;
    let (first, of_hers) = accepted(&town, &of_child(&hers(), "mother")).await;
    let (second, of_his) = accepted(&town, &of_child(&his(), "father")).await;
    assert_ne!(of_hers.body["person"], of_his.body["person"]);
    let charity = charity(&town).await;
    // The charity assesses the child on the mother's referral: her record has it, his has not.
    let mut assessed = assessment(ago(1), "st-hildas");
    assessed.as_object_mut().unwrap().remove("identity");
    assessed["referral"] = json!(first);
    done(&charity.post("/v1/assessments", &assessed).await);
    let mut found = Vec::new();
    for said in [&of_hers, &of_his] {
        let ask = json!({ "person": said.body["person"] });
        let own = charity.post("/v1/assessments/own", &ask).await;
        assert_eq!(own.status, 200, "{}", own.body);
        found.push(own.list("/assessments").len());
    }
    assert_eq!(found, [1, 0]);
    for (id, other) in [(&first, &of_his), (&second, &of_hers)] {
        let read = charity.get(&format!("/v1/inbox/{id}")).await;
        let person = other.text("/person").unwrap();
        assert!(!read.whole().contains(person), "{}", read.body);
    }
    // A parent who speaks is named, and not as the other party.
    let police = town.desk("met").await;
    let mut nameless = of_child(&hers(), "mother");
    nameless.as_object_mut().unwrap().remove("child_of");
    let mut himself = of_child(&his(), "father");
    himself["other_party"] = as_other_party(&his());
    for sent in [nameless, himself] {
        let refused = police.post("/v1/referrals", &sent).await;
        assert_eq!(
            refused.text("/fields/0/field"),
            Some("child_of"),
            "{}",
            refused.body
        );
    }
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_what_is_said_of_him_is_told_to_who_said_it() {
    let town = Town::start().await;
    let police = town.desk("met").await;
    let hospital = town.desk("st-hildas").await;
    let with = |field: &str, value: Value| {
        let mut sent = against_him();
        sent["other_party"][field] = value;
        sent
    };
    let mut half = of_child(&hers(), "mother");
    half["child_of"]["given_name"] = json!("");
    for (sent, field) in [
        (half, "child_of.family_name"),
        (with("pnc_id", json!("2012/0052494A")), "other_party.pnc_id"),
        (with("birth_date", json!("1988")), "other_party.birth_date"),
        (with("given_name", json!(HIS_PNC)), "other_party.given_name"),
        (with("relation", json!("enemy")), "other_party.relation"),
        (with("risks", json!(["tall"])), "other_party.risks"),
        (
            with("shares_address", json!("often")),
            "other_party.shares_address",
        ),
    ] {
        let said = police.post("/v1/referrals", &sent).await;
        assert_eq!(said.status, 422, "{field}");
        assert_eq!(said.text("/fields/0/field"), Some(field), "{}", said.body);
    }
    let mut sent = against_him();
    sent["direction"] = json!("health");
    let said = hospital.post("/v1/referrals", &sent).await;
    assert_eq!(
        said.text("/fields/0/field"),
        Some("other_party.pnc_id"),
        "{}",
        said.body
    );
    let unknown = with("address_line", json!("12 Invented Lane"));
    assert_eq!(police.post("/v1/referrals", &unknown).await.status, 422);
    // Of a man whom nobody can name, codes alone are taken.
    let mut nameless = against_him();
    nameless["other_party"] = json!({ "relation": "stranger" });
    done(&police.post("/v1/referrals", &nameless).await);
    town.stop().await;
}
