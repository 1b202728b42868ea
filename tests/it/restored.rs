//! P8 after a restore: a gateway that was put back to an older copy shows nothing about anyone
//! until the withdrawals taken since have been handed in again, and then everything but what they
//! forbid.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use axum::http::Method;
use firedoor::domain::codes::Role;
use firedoor::ops::clock;
use firedoor::ops::config::Config;
use firedoor::ops::demo::borough::{CHARITY, SERVICE};
use firedoor::ops::demo::people::{
    TEST_PEOPLE, assessment, consent_to_ask, emergency, her, nobody, question, referral,
};
use firedoor::ops::gateway::{StoreConfig, store_config};
use firedoor::ops::keys::RootKey;
use firedoor::store::backup::Copied;
use firedoor::store::journal::{self, JournalConfig};
use serde_json::{Value, json};

use super::pages::Visitor;
use super::town::{Desk, Said, Town, ago};

const FIREDOOR: &str = env!("CARGO_BIN_EXE_firedoor");

/// A woman who withdraws nothing.
fn another() -> Value {
    TEST_PEOPLE[0].identity()
}

/// Referred by police, accepted by the charity, assessed by the hospital, with her consent to ask.
/// The id of the referral at the charity.
async fn served(town: &Town, identity: &Value) -> String {
    let (met, charity) = (town.desk("met").await, town.desk("larkfield").await);
    let offer = referral(SERVICE, identity, ago(1), None);
    let offered = met.post("/v1/referrals", &offer).await;
    assert_eq!(offered.status, 201, "{}", offered.body);
    let inbox = charity.get("/v1/inbox").await;
    let open = |offer: &&Value| offer["status"] == "offered";
    let offer = inbox.list("/offers").iter().find(open).unwrap();
    let id = offer["id"].as_str().unwrap().to_owned();
    let accept = json!({ "worker": "r-osei", "onward_rule_accepted": true });
    let path = format!("/v1/referrals/{id}/accept");
    let accepted = charity.post(&path, &accept).await;
    assert_eq!(accepted.result(), "released", "{}", accepted.body);
    let mut told = assessment(ago(2), CHARITY);
    told["identity"] = identity.clone();
    let hospital = town.desk("st-hildas").await;
    let recorded = hospital.post("/v1/assessments", &told).await;
    assert_eq!(recorded.status, 201, "{}", recorded.body);
    let consent = json!({
        "person": accepted.text("/person"), "consent": consent_to_ask(ago(1)),
    });
    let consented = charity.post("/v1/consents", &consent).await;
    assert_eq!(consented.status, 201, "{}", consented.body);
    assert_eq!(asked(&charity, identity).await.result(), "assessments");
    id
}

async fn asked(charity: &Desk, identity: &Value) -> Said {
    charity
        .post("/v1/assessments/query", &question(identity))
        .await
}

async fn notices(desk: &Desk) -> Vec<Value> {
    let events = desk.get("/v1/events").await;
    let all = events.list("/events").iter();
    let notices = all.filter(|event| event["stop_use"].is_string());
    notices.cloned().collect()
}

/// The hospital takes a pause of all that a third woman shared; the charity answers its notice.
async fn paused_and_answered(town: &Town) -> (Said, Vec<Value>) {
    let third = TEST_PEOPLE[1].identity();
    served(town, &third).await;
    let hospital = town.desk("st-hildas").await;
    let pause = json!({ "identity": third, "scope": "everything", "pause": true });
    let pause = hospital.post("/v1/withdrawals", &pause).await;
    assert_eq!(pause.result(), "withdrawn", "{}", pause.body);
    let charity = town.desk("larkfield").await;
    let notice = notices(&charity).await.remove(0);
    let reply = notice["stop_use"].as_str().unwrap();
    let reply = format!("/v1/stop-use/{reply}/reply");
    let done = charity
        .post(&reply, &json!({ "reply": "restricted" }))
        .await;
    assert_eq!(done.status, 200, "{}", done.body);
    (pause, notices(&charity).await)
}

/// She says that it is to stay stopped: what the hospital keeps of that.
async fn confirms(town: &Town, pause: &str) -> String {
    let hospital = town.desk("st-hildas").await;
    let confirm = format!("/v1/withdrawals/{pause}/confirm");
    let confirmed = hospital.post(&confirm, &json!({})).await;
    confirmed.text("/replay").unwrap().to_owned()
}

async fn hands_in(town: &Town, replay: &str) {
    let mut officer = town.desk("st-hildas-ig").await;
    let session = town.bundle("st-hildas-ig").join("session");
    officer.session = Some(fs::read_to_string(session).unwrap().trim().to_owned());
    let replay = json!({ "replay": replay });
    let taken = officer.post("/v1/reconciliations", &replay).await;
    assert_eq!(taken.status, 200, "{}", taken.body);
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &place);
        } else {
            fs::copy(entry.path(), place).unwrap();
        }
    }
}

/// What the commands work on, as the configuration says.
fn journal(config: &Config) -> JournalConfig {
    let root = RootKey::read(&config.key_path).unwrap();
    match store_config(config, &root).unwrap() {
        StoreConfig::Embedded(journal) => *journal,
        StoreConfig::Postgres(_) => panic!("the town has an embedded store"),
    }
}

/// A copy as `firedoor backup` makes it, and beside it the keys as they are now.
fn copy(config: &Config, town: &Path) {
    let JournalConfig { data_dir, keys, .. } = journal(config);
    let file = town.join("copy.tar");
    journal::backup(&data_dir, keys, &file, clock::now(), &mut |_| ()).unwrap();
    copy_folder(&town.join("keys"), &town.join("kept-keys"));
}

/// The copy, put back as `firedoor restore` does it, and the keys of then.
fn put_back(config: &Config, town: &Path) -> Copied {
    let JournalConfig { data_dir, keys, .. } = journal(config);
    fs::remove_dir_all(&data_dir).unwrap();
    fs::remove_dir_all(town.join("keys")).unwrap();
    copy_folder(&town.join("kept-keys"), &town.join("keys"));
    let file = town.join("copy.tar");
    let back = journal::restore(&file, &data_dir, keys, &[], &mut |_| ());
    back.unwrap().copied
}

/// `firedoor client ...` as an agency runs it.
async fn client(town: &Town, args: &[&str]) -> Output {
    let url = format!("https://localhost:{}", town.address().port());
    let mut command = Command::new(FIREDOOR);
    command.arg("client").args(args).args(["--url", &url]);
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

fn ready(town: &Town) -> Value {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(town.running.admin_address).unwrap();
    write!(
        stream,
        "GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    let (_, body) = page.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap()
}

fn problem_names(ready: &Value) -> Vec<&str> {
    let problems = ready["problems"].as_array().unwrap().iter();
    let names = problems.filter_map(|one| one["name"].as_str());
    // The town names no witnesses.
    names.filter(|name| *name != "unwitnessed").collect()
}

#[track_caller]
fn held_back(said: &Said) {
    assert_eq!(said.status, 503, "{}", said.body);
    assert_eq!(said.result(), "restoring", "{}", said.body);
    assert_eq!(said.headers["retry-after"], "300");
    assert_eq!(said.bytes.len(), 16 * 1024);
}

/// Every route that tells something of a person, of those whom the gateway knows and of one whom
/// nobody knows.
async fn everything_is_held_back(town: &Town, id: &str) {
    let charity = town.desk("larkfield").await;
    let senior = town.desk("st-hildas").await;
    let senior = senior.as_user("dr-adeyemi", Role::EdSenior);
    let met = town.desk("met").await;
    let known = asked(&charity, &another()).await;
    held_back(&known);
    for person in [her(), nobody()] {
        let said = asked(&charity, &person).await;
        held_back(&said);
        assert_eq!(said.silent(), known.silent());
    }
    for path in ["/v1/inbox".to_owned(), format!("/v1/inbox/{id}")] {
        held_back(&charity.get(&path).await);
    }
    held_back(&charity.get("/v1/events?wait=30").await);
    held_back(&met.get("/v1/referrals").await);
    held_back(&met.get(&format!("/v1/referrals/{id}")).await);
    let accept = json!({ "worker": "r-osei", "onward_rule_accepted": true });
    for (verb, body) in [
        ("accept", accept),
        ("decline", json!({ "reason": "full" })),
        ("wait", json!({})),
        ("close", json!({ "outcomes": ["safety"] })),
        ("hand-back", json!({ "reason": "knows_her" })),
    ] {
        let path = format!("/v1/referrals/{id}/{verb}");
        held_back(&charity.post(&path, &body).await);
    }
    for confirm in [false, true] {
        held_back(&senior.post("/v1/emergency", &emergency(confirm)).await);
    }
    let used = json!({ "identity": another() });
    let path = format!("/v1/assessments/{id}/relied-on");
    held_back(&charity.post(&path, &used).await);
    // A mistake of the caller's own is named as ever, and a key is not used up by waiting.
    let headers = [("idempotency-key", "mistake")];
    let wrong = charity
        .post_bytes("/v1/assessments/query", &headers, "{")
        .await;
    assert_eq!(wrong.status, 422, "{}", wrong.body);
    let officer = asked(&met, &her()).await;
    assert_eq!(officer.result(), "role-not-allowed", "{}", officer.body);
}

/// In the same words, and as no fault of ours.
async fn a_page_says_so(town: &Town) {
    let said = asked(&town.desk("larkfield").await, &her()).await;
    let says = said.text("/detail").unwrap();
    let mut worker = Visitor::sign_in(town, "larkfield-browser").await;
    let inbox = worker.get("/inbox").await;
    assert_eq!(inbox.status, 503, "{}", inbox.text);
    for part in ["This can not be shown", says, "Code to read aloud"] {
        assert!(inbox.text.contains(part), "{part} in {}", inbox.text);
    }
}

async fn the_rest_goes_on(town: &Town) {
    let (met, charity) = (town.desk("met").await, town.desk("larkfield").await);
    let offer = referral("helpline", &nobody(), ago(1), None);
    assert_eq!(met.post("/v1/referrals", &offer).await.status, 201);
    let wish = json!({ "identity": nobody(), "scope": "everything" });
    let withdrawn = charity.post("/v1/withdrawals", &wish).await;
    assert_eq!(withdrawn.result(), "withdrawn", "{}", withdrawn.body);
    let screened = charity.post("/v1/screen", &json!({ "text": "tea" })).await;
    assert_eq!(screened.status, 200);
    let reader = town.signed_in("met-ig").await;
    assert_eq!(reader.get("/v1/audit/entries").await.status, 200);
    assert_eq!(reader.get("/v1/audit/queue").await.status, 200);
    let subject = json!({ "identity": her() });
    held_back(&reader.post("/v1/audit/subjects", &subject).await);
    assert_eq!(met.get("/log/checkpoint").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_gateway_shows_nothing_until_withdrawals_since_the_copy_are_handed_in() {
    let town = Town::start().await;
    let id = served(&town, &another()).await;
    let hers = served(&town, &her()).await;
    let (pause, answered) = paused_and_answered(&town).await;

    // A copy, and what the gateway then forgets.
    let leaves = town.leaves();
    let dir = town.dir.path().to_owned();
    let (town, ()) = town.restarted_after(|config| copy(config, &dir)).await;
    let confirmed = confirms(&town, pause.id()).await;
    let wish = json!({ "identity": her(), "scope": "everything", "channel": "telephone" });
    let file = dir.join("her.json");
    fs::write(&file, wish.to_string()).unwrap();
    let bundle = town.bundle("larkfield");
    let bundle = bundle.to_str().unwrap();
    let file = file.to_str().unwrap();
    let output = client(&town, &["withdraw", file, "--bundle", bundle]).await;
    assert!(output.status.success(), "{}", said(&output));
    let receipts = town.bundle("larkfield").join("receipts");
    let kept: Vec<_> = fs::read_dir(&receipts)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let withdrawal = kept
        .iter()
        .map(fs::DirEntry::path)
        .find(|path| path.extension().is_some_and(|end| end == "withdrawal"))
        .unwrap();
    let mode = fs::metadata(&withdrawal).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let charity = town.desk("larkfield").await;
    assert_eq!(asked(&charity, &her()).await.result(), "nothing-to-show");
    // The reply is as long and says as much of a woman whom nobody knows.
    let known = json!({ "identity": her(), "scope": "everything" });
    let unknown = json!({ "identity": nobody(), "scope": "everything" });
    let known = charity.post("/v1/withdrawals", &known).await;
    let unknown = charity.post("/v1/withdrawals", &unknown).await;
    let length = |said: &Said| said.text("/replay").unwrap().len();
    assert_eq!(length(&known), length(&unknown));
    assert_eq!(known.bytes.len(), unknown.bytes.len());
    // Sent again under its key, it is answered with what was given the first time.
    let wish = json!({ "identity": her(), "scope": "everything" });
    let first = charity.post_as("again", "/v1/withdrawals", &wish).await;
    let second = charity.post_as("again", "/v1/withdrawals", &wish).await;
    assert_eq!(second.text("/replayed"), None);
    assert_eq!(second.body["replayed"], true);
    assert_eq!(first.text("/replay"), second.text("/replay"));

    // Put back to the copy.
    let (town, copied) = town.restarted_after(|config| put_back(config, &dir)).await;
    assert_eq!(copied.leaves, leaves);
    let at = copied.at;
    assert_eq!(town.leaves(), leaves + 1, "its first entry says so");
    assert!(!dir.join("data/restored").exists());
    assert_eq!(problem_names(&ready(&town)), ["restoring"]);
    assert_eq!(ready(&town)["ready"], true);
    everything_is_held_back(&town, &id).await;
    a_page_says_so(&town).await;
    the_rest_goes_on(&town).await;

    // Of the five bodies that take withdrawals, none has handed in its own; only the operator
    // learns which.
    let me = town.desk("larkfield").await.get("/v1/me").await;
    assert_eq!(me.body["restoration"]["waits_for"], 5, "{}", me.body);
    assert_eq!(me.body["restoration"]["waits_for_you"], true);
    assert_eq!(me.text("/restoration/since"), Some(at.rfc3339().as_str()));
    assert_eq!(me.body["restoration"]["organisations"], Value::Null);
    let operator = town.signed_in("operator").await;
    let me = operator.get("/v1/me").await;
    let waiting = me.list("/restoration/organisations");
    assert_eq!(
        json!(waiting),
        json!(["harbour", "larkfield", "lowmarsh", "met", "st-hildas"])
    );

    // It survives a start, and is begun once.
    let before = town.leaves();
    let town = town.restarted().await;
    assert_eq!(town.leaves(), before);
    everything_is_held_back(&town, &id).await;

    // What is no withdrawal of this gateway is named, and nothing comes of it.
    let ig = town.bundle("larkfield-ig");
    let ig = ig.to_str().unwrap();
    let from = receipts.to_str().unwrap();
    let genuine = fs::read_to_string(&withdrawal).unwrap();
    // Its receipts it has lost; a signed head that the copy lacks would stop the gateway.
    let receipt = withdrawal.with_extension("receipt");
    fs::remove_file(receipt).unwrap();
    let forged = genuine.replacen("\"replay\":\"AQ", "\"replay\":\"AR", 1);
    assert_ne!(forged, genuine);
    fs::write(&withdrawal, forged).unwrap();
    let reconcile = ["reconcile", "--receipts", from, "--bundle", ig];
    let output = client(&town, &reconcile).await;
    assert!(!output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("not taken:"), "{}", said(&output));

    // The charity's officer hands in what its workers kept.
    fs::write(&withdrawal, genuine).unwrap();
    let output = client(&town, &[&reconcile[..], &["--json"]].concat()).await;
    assert!(output.status.success(), "{}", said(&output));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["handed_in"], 1, "{told}");
    assert_eq!(told["complete"], true, "{told}");
    assert_eq!(told["waits_for"], 4, "{told}");
    held_back(&asked(&town.desk("larkfield").await, &her()).await);

    // The hospital took none, and must say so; the police say it over the API.
    let hospital = town.bundle("st-hildas-ig");
    let hospital = ["reconcile", "--bundle", hospital.to_str().unwrap()];
    let output = client(&town, &hospital).await;
    assert!(!output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("say --none"), "{}", said(&output));
    let output = client(&town, &[&hospital[..], &["--none"]].concat()).await;
    assert!(output.status.success(), "{}", said(&output));
    // The pause is in the copy; that it was confirmed, after the answer to its notice, is not.
    hands_in(&town, &confirmed).await;
    let police = town.signed_in("met-ig").await;
    let done = police
        .post("/v1/reconciliations", &json!({ "complete": true }))
        .await;
    assert_eq!(done.body["waits_for"], 2, "{}", done.body);

    // Two do not come: the operator proposes to go on without them, another body approves.
    let operator = town.signed_in("operator").await;
    for absent in ["harbour", "lowmarsh"] {
        held_back(&asked(&town.desk("larkfield").await, &another()).await);
        let change = json!({ "change": "go_on_without", "organisation": absent });
        let proposed = operator.post("/v1/proposals", &change).await;
        assert_eq!(proposed.status, 201, "{}", proposed.body);
        let list = police.get("/v1/proposals").await;
        let ours = list.list("/proposals").iter();
        let shown: Vec<&Value> = ours.filter(|one| one["about"] == absent).collect();
        // Police are not shown which services are enrolled: here the charity's officer approves.
        assert_eq!(shown.len(), 0);
        // Signed in by the client already: a code is good once.
        let mut trustee = town.desk("larkfield-ig").await;
        let session = town.bundle("larkfield-ig").join("session");
        trustee.session = Some(fs::read_to_string(session).unwrap().trim().to_owned());
        let list = trustee.get("/v1/proposals").await;
        let mut ours = list.list("/proposals").iter();
        let shown = ours.find(|one| one["about"] == absent).unwrap();
        let path = format!("/v1/approvals/{}", shown["id"].as_str().unwrap());
        let approved = trustee.post(&path, &json!({})).await;
        assert_eq!(approved.result(), "approved", "{}", approved.body);
    }

    // Disclosure is back; what was withdrawn after the copy is the uniform nothing.
    assert_eq!(problem_names(&ready(&town)), Vec::<&str>::new());
    let charity = town.desk("larkfield").await;
    assert_eq!(asked(&charity, &another()).await.result(), "assessments");
    let nothing = asked(&charity, &nobody()).await;
    let withdrawn = asked(&charity, &her()).await;
    assert_eq!(withdrawn.silent(), nothing.silent());
    assert_eq!(nothing.result(), "nothing-to-show");
    let opened = charity.get(&format!("/v1/inbox/{hers}")).await;
    assert_eq!(opened.silent(), nothing.silent());
    let opened = charity.get(&format!("/v1/inbox/{id}")).await;
    assert_eq!(opened.result(), "released", "{}", opened.body);
    // What was answered stands, beside the notice of what was stopped since.
    assert_eq!(notices(&charity).await.first(), answered.first());
    let me = charity.get("/v1/me").await;
    assert_eq!(me.body["restoration"], Value::Null);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_the_log_has_lost_stops_the_gateway_and_says_why() {
    let town = Town::start().await;
    served(&town, &her()).await;
    let dir = town.dir.path().to_owned();
    let (town, ()) = town.restarted_after(|config| copy(config, &dir)).await;
    let charity = town.desk("larkfield").await;
    for _ in 0..3 {
        charity.post("/v1/screen", &json!({ "text": "tea" })).await;
    }
    let head = charity.get("/log/checkpoint").await.whole();
    // Without the mark: nobody says that it was put back.
    let without_mark = |config: &Config| {
        put_back(config, &dir);
        fs::remove_file(dir.join("data/restored")).unwrap();
    };
    let (town, ()) = town.restarted_after(without_mark).await;
    let charity = town.desk("larkfield").await;
    assert_eq!(asked(&charity, &her()).await.result(), "assessments");
    let police = town.signed_in("met-ig").await;
    let own = police.get("/log/checkpoint").await.whole();
    let held = json!({ "checkpoint": own });
    let said = police.post("/v1/reconciliations", &held).await;
    assert_eq!(said.result(), "reconciling", "{}", said.body);
    let lost = json!({ "checkpoint": head });
    let said = police.post("/v1/reconciliations", &lost).await;
    assert_eq!(said.result(), "cannot-record", "{}", said.body);
    assert_eq!(asked(&charity, &her()).await.result(), "cannot-record");
    let ready = ready(&town);
    assert_eq!(problem_names(&ready), ["rolled-back", "fork-evidence"]);
    assert_eq!(ready["ready"], false);
    let _ = charity.ask(Method::GET, "/v1/me", &[], "").await;
    let _ = town.running.stop().await;
}
