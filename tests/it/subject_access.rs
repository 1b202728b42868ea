//! A woman asks what is held about her, through the whole gateway (`domain.md` 3.11): taken at a
//! charity, answered by a hospital and by police, looked at by second people, put together and handed
//! over in person. Each step: what it says, what it does not, and its one entry in the log.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::fs;
use std::process::Command;

use firedoor::domain::codes::Role;
use firedoor::ops::demo::borough::{CHARITY, SERVICE};
use firedoor::ops::demo::people::{TEST_PEOPLE, assessment, her, nobody, question, referral};
use serde_json::{Value, json};

use crate::town::{Desk, Said, Town, ago};

/// Asked on paper so long ago that the answer is late, on whatever day this runs: no test waits three
/// weeks, and each says why it is late.
const DAYS_AGO: i64 = 45;
const WHY_LATE: &str = "Your letter lay unopened. We are sorry.";
const UNKNOWN: &str = "0123456789ABCDEFGHJKMNPQRS";

fn asking(identity: &Value, days: i64) -> Value {
    json!({
        "identity": identity, "identity_proof": "known_to_worker", "safe_contact_checked": true,
        "received_at": ago(24 * days).rfc3339(),
    })
}

/// The hospital assessed her; police referred her to the charity, which accepted; a council asked
/// and was told nothing.
async fn story(town: &Town) {
    let done = |said: &Said| assert!(said.status < 300, "{}", said.body);
    let hospital = town.desk("st-hildas").await;
    done(
        &hospital
            .post("/v1/assessments", &assessment(ago(3), CHARITY))
            .await,
    );
    let police = town.desk("met").await;
    let sent = referral(SERVICE, &her(), ago(2), None);
    done(&police.post("/v1/referrals", &sent).await);
    let charity = town.desk("larkfield").await.as_user("r-osei", Role::Triage);
    let inbox = charity.get("/v1/inbox").await;
    let offer = inbox.list("/offers")[0]["id"].as_str().unwrap().to_owned();
    let accept = json!({ "worker": "r-osei", "onward_rule_accepted": true });
    let path = format!("/v1/referrals/{offer}/accept");
    done(&charity.post(&path, &accept).await);
    let council = town.desk("council-housing").await;
    let told = council
        .post("/v1/assessments/query", &question(&her()))
        .await;
    assert_eq!(told.result(), "nothing-to-show");
}

async fn taken(desk: &Desk, body: &Value) -> Said {
    let said = desk.post("/v1/subject-access", body).await;
    assert_eq!(
        (said.status, said.result()),
        (201, "subject-access-taken"),
        "{}",
        said.body
    );
    said
}

/// What an organisation is asked; the only one.
async fn asked(desk: &Desk) -> Value {
    let said = desk.get("/v1/subject-access").await;
    assert_eq!(said.result(), "subject-access-list", "{}", said.body);
    let requests = said.list("/requests").iter();
    let asked: Vec<&Value> = requests.filter(|one| one["kind"] == "asked").collect();
    let [one] = asked.as_slice() else {
        panic!("{}", said.body);
    };
    (*one).clone()
}

async fn replies(desk: &Desk, body: &Value) -> Said {
    let one = asked(desk).await;
    let path = format!("/v1/subject-access/{}/reply", one["id"].as_str().unwrap());
    desk.post(&path, body).await
}

async fn looks(desk: &Desk, withhold: Option<&str>) -> Said {
    let one = asked(desk).await;
    let path = format!("/v1/subject-access/{}/redact", one["id"].as_str().unwrap());
    let entry = &one["entries"][0]["id"];
    desk.post(&path, &json!({ "entry": entry, "withhold": withhold }))
        .await
}

async fn delivers(desk: &Desk, id: &str) -> Said {
    let path = format!("/v1/subject-access/{id}/deliver");
    let body = json!({ "identity_checked": true, "explanation": WHY_LATE });
    desk.post(&path, &body).await
}

/// Everything that is said of a request, but its own id and what is of the moment.
fn bare(said: &Said) -> Value {
    let mut body = said.body.clone();
    let map = body.as_object_mut().unwrap();
    for field in [
        "date",
        "support_code",
        "receipt",
        "id",
        "reference",
        "session",
    ] {
        if let Some(value) = map.get_mut(field) {
            *value = json!(value.to_string().len());
        }
    }
    for step in body["steps"].as_array_mut().into_iter().flatten() {
        step["at"] = json!("");
    }
    body["received_at"] = json!("");
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn she_is_given_what_each_answers_for_and_nobody_else_is_told_who_holds_something() {
    let town = Town::start().await;
    story(&town).await;
    let charity = town.desk("larkfield").await;
    let officer = town.signed_in("larkfield-ig").await;

    // Taken: one entry, and the same reply as for a woman of whom nobody ever heard.
    let before = town.leaves();
    let hers = taken(&charity, &asking(&her(), DAYS_AGO)).await;
    assert_eq!(town.leaves(), before + 1);
    let nobodys = taken(&charity, &asking(&nobody(), DAYS_AGO)).await;
    assert_eq!(bare(&hers), bare(&nobodys));
    assert_eq!(hers.bytes.len(), nobodys.bytes.len());
    assert_eq!(hers.body["state"], "ready");
    let (id, other) = (hers.id().to_owned(), nobodys.id().to_owned());

    // Each who holds something finds it in its own queue: its own name for her, and nothing of who
    // took it or who else is asked.
    let hospital = town.desk("st-hildas").await;
    let police = town.desk("met").await;
    for desk in [&hospital, &police] {
        let one = asked(desk).await;
        assert_eq!(one["people"].as_array().unwrap().len(), 1);
        assert_eq!(one["since"].as_str().unwrap().len(), "2026-11-22".len());
        for organisation in ["larkfield", "st-hildas", "met", "lowmarsh"] {
            assert!(!one.to_string().contains(organisation), "{one}");
        }
    }
    let council = town.desk("council-housing").await;
    let none = council.get("/v1/subject-access").await;
    assert!(none.list("/requests").is_empty(), "{}", none.body);

    // They answer, each in one entry of the log.
    let letter = json!({ "code": "holds", "entries": [{
        "about": "health", "basis": "public_task",
        "what": "A letter of spring about your arm.", "why": "We treated you.",
    }] });
    let held = json!({ "code": "holds", "entries": [{
        "about": "health", "basis": "public_task", "what": "Her visa expired in March.",
    }] });
    let said = replies(&hospital, &held).await;
    assert_eq!(
        (said.status, said.result()),
        (422, "immigration-content-found")
    );
    let before = town.leaves();
    let said = replies(&hospital, &letter).await;
    assert_eq!(said.result(), "subject-access-replied", "{}", said.body);
    assert_eq!(town.leaves(), before + 2, "the list and the reply");
    let note = json!({ "code": "holds", "entries": [{
        "about": "crime", "basis": "public_task", "what": "Who called us that night.",
        "withhold": "third_party_informant",
    }] });
    assert_eq!(replies(&police, &note).await.status, 200);

    // A second person of each looks; the same may not, and health is for a professional.
    let said = looks(&hospital, None).await;
    assert_eq!(said.text("/fields/0/field"), Some("entry"), "{}", said.body);
    let second = hospital.as_user("dr-imai", Role::Clinician);
    let shown = second
        .get(&format!(
            "/v1/subject-access/{}",
            asked(&second).await["id"].as_str().unwrap()
        ))
        .await;
    assert_eq!(
        shown.text("/entries/0/what"),
        Some("A letter of spring about your arm."),
        "{}",
        shown.body
    );
    let said = looks(&second, None).await;
    assert_eq!(said.text("/state"), Some("replies_in"), "{}", said.body);
    let sergeant = police.as_user("sgt-lowe", Role::Officer);
    let shown = sergeant
        .get(&format!(
            "/v1/subject-access/{}",
            asked(&sergeant).await["id"].as_str().unwrap()
        ))
        .await;
    assert_eq!(
        shown.body["entries"][0]["what"],
        Value::Null,
        "{}",
        shown.body
    );
    let said = looks(&sergeant, Some("third_party_informant")).await;
    assert_eq!(said.text("/state"), Some("replies_in"), "{}", said.body);

    // The taker sees what it saw before, of her as of nobody; so does its officer's queue.
    for desk in [&charity, &officer] {
        let mut seen = desk.get(&format!("/v1/subject-access/{id}")).await;
        let none = desk.get(&format!("/v1/subject-access/{other}")).await;
        assert_eq!(bare(&seen), bare(&none));
        seen = desk.get(&format!("/v1/subject-access/{UNKNOWN}")).await;
        assert_eq!(seen.result(), "nothing-to-show");
    }
    let queue = officer.get("/v1/audit/queue").await;
    let due = queue.list("/subject_access").iter();
    let due: Vec<&Value> = due.filter(|one| one["kind"] == "taken").collect();
    assert_eq!(due.len(), 2, "{}", queue.body);
    assert_eq!(due[0]["due"], due[1]["due"]);

    // Not by a worker, not without seeing her.
    let said = delivers(&charity, &id).await;
    assert_eq!(said.result(), "role-not-allowed", "{}", said.body);
    let path = format!("/v1/subject-access/{id}/deliver");
    let unchecked = officer.post(&path, &json!({})).await;
    assert_eq!(unchecked.result(), "nothing-to-show");
    // What is late takes an explanation, and she is given it.
    let unexplained = officer
        .post(&path, &json!({ "identity_checked": true }))
        .await;
    assert_eq!(
        (unexplained.status, unexplained.result()),
        (422, "explanation-needed"),
        "{}",
        unexplained.body
    );

    // Handed over: one entry, and the report.
    let before = town.leaves();
    let said = delivers(&officer, &id).await;
    assert_eq!(said.result(), "subject-access-report", "{}", said.body);
    assert_eq!(town.leaves(), before + 1);
    assert_eq!(said.bytes.len() % (16 * 1024), 0);
    let report = said
        .text("/report")
        .unwrap()
        .replace("\n  ", " ")
        .replace('\n', " ");
    for line in [
        "What each organisation says that it holds about you",
        "St Hilda's Hospital holds something about your health: A letter of spring about your arm.",
        "Why it took longer: Your letter lay unopened.",
        "Why: We treated you.",
        "What gave it the right: it is its public duty.",
        "Metropolitan Police left something out, because it is about other people too.",
        // The charity itself has not said what it holds, and has time to.
        "Others may still answer. Ask us again after",
        "A council:",
        "Counts are made from this system",
        "The Information Commissioner's Office",
        "within 30 days",
    ] {
        assert!(
            report.to_lowercase().contains(&line.to_lowercase()),
            "{line}: {report}"
        );
    }
    for word in [
        "called us that night",
        "Larkfield",
        "Lowmarsh",
        "r-osei",
        "pc-ward",
        "Karim",
        "999 000",
        "agreed to help you",
        "has not answered",
    ] {
        assert!(!report.contains(word), "{word}: {report}");
    }
    // Of the other there is nothing, in the words that everybody gets.
    let nothing = delivers(&officer, &other).await;
    assert_eq!(nothing.result(), "nothing-to-show");
    assert_eq!(nothing.silent(), unchecked.silent());

    // In the log the report is its maker's, and those who answered see that it was made; police see
    // their own work alone.
    let hospital_ig = town.signed_in("st-hildas-ig").await;
    let police_ig = town.signed_in("met-ig").await;
    let made = "/v1/audit/entries?action=deliver_subject_access";
    assert_eq!(hospital_ig.get(made).await.list("/entries").len(), 1);
    assert_eq!(police_ig.get(made).await.list("/entries").len(), 0);
    let took = "/v1/audit/entries?action=take_subject_access";
    for desk in [&hospital_ig, &police_ig] {
        assert_eq!(desk.get(took).await.list("/entries").len(), 0);
    }
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_be_given_anything_is_answered_as_anybody() {
    let town = Town::start().await;
    story(&town).await;
    let charity = town.desk("larkfield").await;
    let officer = town.signed_in("larkfield-ig").await;
    // The father, who may be the other party, asks for her; the husband asks for himself; a stranger.
    let mut father = asking(&her(), DAYS_AGO);
    father["requester"] = json!("parent_guardian");
    father["capacity"] = json!("not_competent");
    father["authority"] = json!("parental_responsibility_seen");
    father["requester_identity"] = json!({ "given_name": "Imran", "family_name": "Karim" });
    let husband = asking(
        &json!({
            "given_name": "Imran", "family_name": "Karim", "birth_date": "1988-01-20",
            "phone": ["07700 900123"],
        }),
        DAYS_AGO,
    );
    let stranger = asking(&nobody(), DAYS_AGO);
    let mut replies = Vec::new();
    let mut taken_replies = Vec::new();
    for body in [&father, &husband, &stranger] {
        let said = taken(&charity, body).await;
        replies.push(delivers(&officer, said.id()).await);
        taken_replies.push(said);
    }
    for (said, given) in taken_replies.iter().zip(&replies) {
        assert_eq!(bare(said), bare(&taken_replies[2]));
        assert_eq!(given.result(), "nothing-to-show");
        assert_eq!(given.silent(), replies[2].silent());
        assert_eq!(given.bytes.len(), replies[2].bytes.len());
    }
    // Nobody was asked.
    let hospital = town.desk("st-hildas").await;
    let list = hospital.get("/v1/subject-access").await;
    assert!(list.list("/requests").is_empty(), "{}", list.body);

    // Without proof the clock does not begin; where it fails the answer is the same nothing.
    let mut unproved = asking(&her(), 1);
    unproved.as_object_mut().unwrap().remove("identity_proof");
    let said = taken(&charity, &unproved).await;
    assert_eq!(
        (said.text("/state"), said.body["due"].is_null()),
        (Some("waiting_for_identity"), true)
    );
    let path = format!("/v1/subject-access/{}/steps", said.id());
    let failed = charity
        .post(&path, &json!({ "step": "identity_not_proved" }))
        .await;
    assert_eq!(failed.result(), "nothing-to-show");
    let proved = json!({ "step": "identity_proved", "proof": "safe_word_given" });
    let said = charity.post(&path, &proved).await;
    assert_eq!(said.text("/state"), Some("in_hand"), "{}", said.body);
    let early = delivers(&officer, said.id()).await;
    assert_eq!(early.status, 422, "{}", early.body);
    let more = json!({ "step": "more_time", "because": "complex" });
    let said = charity.post(&path, &more).await;
    assert_eq!((said.status, said.result()), (422, "explanation-needed"));
    let more = json!({
        "step": "more_time", "because": "complex", "explanation": "Letters of many years.",
    });
    let said = charity.post(&path, &more).await;
    assert_eq!(said.result(), "subject-access-moved", "{}", said.body);

    // She says that it was not she: nothing is opened.
    let one = asked(&hospital).await;
    let reply = format!("/v1/subject-access/{}/reply", one["id"].as_str().unwrap());
    let said = hospital
        .post(&reply, &json!({ "code": "she_did_not_ask" }))
        .await;
    assert_eq!(said.result(), "subject-access-replied", "{}", said.body);

    // Never home by post, never unasked how to reach her; police and councils do not take it.
    let mut posted = asking(&her(), 1);
    posted["delivery"] = json!("posted_where_she_says");
    posted["safe_contact_checked"] = json!(false);
    let said = charity.post("/v1/subject-access", &posted).await;
    let fields: Vec<&str> = said
        .list("/fields")
        .iter()
        .filter_map(|one| one["field"].as_str())
        .collect();
    assert_eq!(fields, ["safe_contact_checked", "post_is_safe"]);
    for desk in ["met", "council-housing"] {
        let desk = town.desk(desk).await;
        let said = desk.post("/v1/subject-access", &asking(&her(), 1)).await;
        assert_eq!(said.result(), "role-not-allowed", "{}", said.body);
    }
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_about_a_request_can_be_told_from_another_organisations_side() {
    let town = Town::start().await;
    story(&town).await;
    let charity = town.desk("larkfield").await;
    let harbour = town.desk("harbour").await;
    let tainted = town.desk("council-nrpf").await;
    let hospital = town.desk("st-hildas").await;
    let known = taken(&charity, &asking(&her(), 1)).await.id().to_owned();
    let other = asked(&hospital).await["id"].as_str().unwrap().to_owned();
    for (path, body) in [
        ("", Value::Null),
        ("/steps", json!({ "step": "clarified" })),
        ("/reply", json!({ "code": "holds_nothing" })),
        ("/redact", json!({ "entry": UNKNOWN })),
    ] {
        for desk in [&harbour, &tainted] {
            let mut said = Vec::new();
            for id in [known.as_str(), other.as_str(), UNKNOWN] {
                let path = format!("/v1/subject-access/{id}{path}");
                said.push(match &body {
                    Value::Null => desk.get(&path).await,
                    body => desk.post(&path, body).await,
                });
            }
            for one in &said {
                assert_eq!(one.silent(), said[2].silent(), "{path}");
                assert_eq!(one.bytes.len(), said[2].bytes.len());
            }
        }
    }
    let officer = town.signed_in("st-hildas-ig").await;
    let (one, none) = (
        delivers(&officer, &known).await,
        delivers(&officer, UNKNOWN).await,
    );
    assert_eq!(one.silent(), none.silent());
    let (one, none) = (
        harbour.get("/v1/subject-access").await,
        town.desk("council-housing")
            .await
            .get("/v1/subject-access")
            .await,
    );
    assert_eq!(
        one.list("/requests").len() + none.list("/requests").len(),
        0
    );
    // She withdraws, and asks all the same; another woman is asked about like her.
    for identity in [her(), TEST_PEOPLE[3].identity(), nobody()] {
        let said = taken(&harbour, &asking(&identity, 1)).await;
        assert_eq!(said.text("/state"), Some("in_hand"));
    }
    town.stop().await;
}

/// A command of the shell.
async fn command(town: &Town, bundle: &str, args: &[&str]) -> (bool, String) {
    let url = format!("https://localhost:{}", town.address().port());
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedoor"));
    command.args(["client", "--url", &url]);
    command.arg("--bundle").arg(town.bundle(bundle));
    command.arg("subject-access").args(args);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let wrong = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), format!("{said}{wrong}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_taken_and_handed_over_from_a_shell() {
    let town = Town::start().await;
    story(&town).await;
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("her.json");
    let hospital = town.desk("st-hildas").await;
    fs::write(&file, asking(&her(), DAYS_AGO).to_string()).unwrap();
    let (done, said) = command(&town, "larkfield", &["take", file.to_str().unwrap()]).await;
    assert!(done && said.starts_with("Taken."), "{said}");
    let charity = town.desk("larkfield").await;
    let list = charity.get("/v1/subject-access").await;
    let mine = list.list("/requests").iter();
    let mine = mine.clone().find(|one| one["kind"] == "taken").unwrap();
    let id = mine["id"].as_str().unwrap();
    let (done, said) = command(&town, "larkfield", &["list"]).await;
    assert!(done && said.contains("ready"), "{said}");
    let none = json!({ "code": "holds_nothing" });
    assert_eq!(replies(&hospital, &none).await.status, 200);
    let args = [
        "deliver",
        id,
        "--identity-checked",
        "--explanation",
        WHY_LATE,
    ];
    let (done, said) = command(&town, "larkfield-ig", &args).await;
    assert!(
        done && said.starts_with("WHAT WE HOLD ABOUT YOU\n"),
        "{said}"
    );
    assert!(said.contains("Others may still answer."), "{said}");
    town.stop().await;
}
