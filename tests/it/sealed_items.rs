//! The legal adviser's sealed item, from one agency's shell to the other's: the one carrier of
//! immigration information, which the gateway between them cannot read (`domain.md` 3.9).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use aho_corasick::AhoCorasick;
use base64::prelude::{BASE64_STANDARD, Engine};
use firedoor::domain::alias::AliasKind;
use firedoor::domain::decision::Aggregate;
use firedoor::domain::id::{Id, OrgId, SealedItemId};
use firedoor::ops::clock::now;
use serde_json::{Value, json};

use super::canary::{files, forms};
use super::town::{Said, Town};

/// What she says of herself; nowhere else in the borough.
const VISA: &str = "as the partner of Qwelthy Ombrovak";
const LEAVE: &str = "the ninth of Brumaire, she thinks";

/// The borough with its law centre, enrolled by two people of two organisations.
pub async fn town() -> Town {
    let town = Town::start().await;
    let operator = town.signed_in("operator").await;
    let centre = town.borough.law_centre().unwrap();
    let change = json!({ "change": "enrol_organisation", "organisation": centre });
    let proposed = operator.post("/v1/proposals", &change).await;
    assert_eq!(proposed.status, 201, "{}", proposed.whole());
    let second = town.signed_in("st-hildas-ig").await;
    let proposals = second.get("/v1/proposals").await;
    let id = proposals.list("/proposals")[0]["id"].as_str().unwrap();
    let path = format!("/v1/approvals/{id}");
    assert_eq!(second.post(&path, &json!({})).await.status, 200);
    town
}

/// What a command said, and whether it did what it should.
struct Ran {
    well: bool,
    told: String,
}

/// `firedoor client ...` of a bundle.
fn client(town: &Town, bundle: &str, words: &[&str]) -> Ran {
    let url = format!("https://localhost:{}", town.address().port());
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedoor"));
    command
        .arg("client")
        .args(words)
        .args(["--url", &url, "--bundle"])
        .arg(town.bundle(bundle));
    let output = tokio::task::block_in_place(|| command.output().unwrap());
    let told = [output.stdout, output.stderr].concat();
    Ran {
        well: output.status.success(),
        told: String::from_utf8_lossy(&told).into_owned(),
    }
}

/// Who she is, to the gateway; what is sealed says nothing of it.
fn her() -> Value {
    json!({ "given_name": "Amina", "family_name": "Rahman", "birth_date": "1988-02-14",
        "nhs_number": "999 000 0018" })
}

/// The file that a worker writes, with what she agreed to.
fn item(town: &Town, agreed: &[&str], other_party_present: &str) -> String {
    item_of(town, &her(), agreed, other_party_present)
}

fn item_of(town: &Town, who: &Value, agreed: &[&str], other_party_present: &str) -> String {
    let form = json!({
        "to": "quayside",
        "identity": who,
        "items": [
            { "code": "visa_type", "text": VISA },
            { "code": "leave_ends", "text": LEAVE },
        ],
        "consent": {
            "decision": "permit", "strength": "explicit",
            "purpose": "immigration_legal_advice", "to": "quayside", "items": agreed,
            "given_by": "self", "competence": "adult", "how": "spoken", "language": "en",
            "interpreter": "professional", "other_party_present": other_party_present,
            "in_the_room": ["worker", "professional_interpreter"], "no_copies_onward": true,
            "given_at": now().rfc3339(),
        },
    });
    let path = town.dir.path().join("item.json");
    fs::write(&path, form.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

const BOTH: [&str; 2] = ["visa_type", "leave_ends"];

/// The groups of four after "fingerprint, to be read over the telephone: ".
fn own_fingerprint(town: &Town) -> String {
    let listed = client(town, "quayside", &["collect"]);
    assert!(listed.well, "{}", listed.told);
    let (_, spoken) = listed.told.rsplit_once(": ").unwrap();
    spoken.trim().to_owned()
}

/// The charity seals an item of hers to the law centre, and the adviser opens it.
pub fn sealed_and_opened(town: &Town, who: &Value) {
    let form = item_of(town, who, &BOTH, "no");
    let pin = own_fingerprint(town);
    let sealed = client(town, "larkfield", &["seal", &form, "--pin", &pin]);
    assert!(sealed.well, "{}", sealed.told);
    let listed = client(town, "quayside", &["collect"]);
    let id = line(&listed.told, "id: ");
    let out = town.dir.path().join("opened.json");
    let words = ["collect", &id, "--out", out.to_str().unwrap()];
    let opened = client(town, "quayside", &words);
    assert!(opened.well, "{}", opened.told);
}

/// One line of a reply in plain words.
fn line(told: &str, label: &str) -> String {
    let mut lines = told.lines().map(str::trim);
    let found = lines.find_map(|line| line.strip_prefix(label));
    found
        .unwrap_or_else(|| panic!("no {label} in {told}"))
        .to_owned()
}

fn nothing_of_hers_in(place: &str, bytes: &[u8]) {
    let words = [VISA, LEAVE, "Ombrovak", "Brumaire"];
    let forms: Vec<Vec<u8>> = words.iter().flat_map(|word| forms(word)).collect();
    let searched = AhoCorasick::new(&forms).unwrap();
    assert!(searched.find(bytes).is_none(), "in {place}");
}

fn nothing_of_hers_at_the_gateway(town: &Town) {
    let (data, keys) = (town.dir.path().join("data"), town.dir.path().join("keys"));
    let mut read = 0;
    for file in files(&data).into_iter().chain(files(&keys)) {
        let bytes = fs::read(&file).unwrap();
        read += bytes.len();
        nothing_of_hers_in(&file.display().to_string(), &bytes);
    }
    assert!(read > 1024 * 1024, "the journal was read");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charity_seals_to_an_adviser_who_alone_opens_it_and_once() {
    let town = town().await;
    let form = item(&town, &BOTH, "no");
    let seal = |pin: &[&str]| client(&town, "larkfield", &[&["seal", &form], pin].concat());

    // The first time the key is compared by telephone, and nothing but that will do.
    let before = town.leaves();
    let first = seal(&[]);
    assert!(
        !first.well && first.told.contains("--pin"),
        "{}",
        first.told
    );
    let spoken = own_fingerprint(&town);
    assert!(first.told.contains(&spoken), "{} {spoken}", first.told);
    let wrong = seal(&["--pin", &spoken.replace(&spoken[..4], "0000")]);
    assert!(
        !wrong.well && wrong.told.contains("not the fingerprint"),
        "{}",
        wrong.told
    );
    let sealed = seal(&["--pin", &spoken]);
    assert!(sealed.well, "{}", sealed.told);
    assert_eq!(line(&sealed.told, "status: "), "advice_arranged");
    assert!(town.leaves() > before);
    // From then on the pin is known.
    let again = seal(&[]);
    assert!(again.well, "{}", again.told);
    nothing_of_hers_at_the_gateway(&town);

    let listed = client(&town, "quayside", &["collect"]);
    let says = line(&listed.told, "says: ");
    assert!(says.starts_with("One item from "), "{says}");
    nothing_of_hers_in("the list", listed.told.as_bytes());
    let id = line(&listed.told, "id: ");
    let out = town.dir.path().join("opened.json");
    let out = out.to_str().unwrap();
    let collect = || client(&town, "quayside", &["collect", &id, "--out", out]);
    let collected = collect();
    assert!(collected.well, "{}", collected.told);
    assert!(
        collected.told.contains("privileged file"),
        "{}",
        collected.told
    );
    nothing_of_hers_in("what the command says", collected.told.as_bytes());
    let opened: Value = serde_json::from_slice(&fs::read(out).unwrap()).unwrap();
    assert_eq!(opened["items"][0]["text"], VISA);
    assert_eq!(opened["items"][1]["text"], LEAVE);
    assert_eq!(opened["from"], "larkfield");
    assert_eq!(
        fs::metadata(out).unwrap().permissions().mode() & 0o777,
        0o600
    );

    // A second time there is nothing, and a file that is there is not written over.
    assert!(!collect().well);
    fs::remove_file(out).unwrap();
    let second = collect();
    assert!(
        second.told.contains("nothing we can show you"),
        "{}",
        second.told
    );
    assert!(!PathBuf::from(out).exists());

    // Both organisations' officers see that it happened, and nothing of what.
    for reader in ["larkfield-ig", "operator"] {
        let page = town
            .signed_in(reader)
            .await
            .get("/v1/audit/entries?max=200")
            .await;
        nothing_of_hers_in(reader, &page.bytes);
    }
    let reader = town.signed_in("larkfield-ig").await;
    let page = reader.get("/v1/audit/entries?max=200").await;
    let actions: Vec<&str> = page
        .list("/entries")
        .iter()
        .filter_map(|entry| entry["action"].as_str())
        .collect();
    assert!(actions.contains(&"seal_item") && actions.contains(&"collect_item"));

    // She withdraws: the adviser is told to stop.
    let mine = line(&sealed.told, "id: ");
    let stopped = client(&town, "larkfield", &["withdraw-item", &mine]);
    assert!(stopped.well, "{}", stopped.told);
    let events = client(&town, "quayside", &["events"]);
    assert!(events.told.contains("stop_use"), "{}", events.told);
    nothing_of_hers_at_the_gateway(&town);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_she_did_not_agree_to_alone_is_not_sealed_and_the_gateway_hears_nothing() {
    let town = town().await;
    let before = town.leaves();
    for (agreed, present, says) in [
        (
            &BOTH[..1],
            "no",
            "her consent does not name the item leave_ends",
        ),
        (&BOTH[..], "yes", "ask her again, alone"),
    ] {
        let form = item(&town, agreed, present);
        let ran = client(&town, "larkfield", &["seal", &form]);
        assert!(!ran.well && ran.told.contains(says), "{}", ran.told);
    }
    assert_eq!(town.leaves(), before);
    town.stop().await;
}

/// A box as the API takes it; what is in it the gateway could not know.
async fn handed(town: &Town, to: &str) -> Value {
    let key = town
        .desk("larkfield")
        .await
        .get("/v1/sealed-items/to/quayside")
        .await;
    json!({
        "to": to,
        "sealed_to": key.text("/public_key").unwrap_or(&"00".repeat(32)),
        "sealed": BASE64_STANDARD.encode([0x5a; 1_024]),
        "commitment": "07".repeat(32),
        "identity": her(),
        "consented_at": now().rfc3339(),
    })
}

fn refused_about_to(said: &Said) {
    assert_eq!(said.status, 422, "{}", said.whole());
    let wrong = &said.list("/fields")[0];
    assert_eq!(wrong["field"], "to", "{}", said.whole());
    assert_eq!(wrong["message"], "this organisation can not receive this");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_box_goes_to_no_police_council_hospital_or_tainted_adviser() {
    let town = town().await;
    let charity = town.desk("larkfield").await;
    let path = "/v1/sealed-items";
    for to in [
        "met",
        "lowmarsh",
        "st-hildas",
        "harbour",
        "larkfield",
        "operator",
        "nobody",
    ] {
        refused_about_to(&charity.post(path, &handed(&town, to).await).await);
    }
    let right = handed(&town, "quayside").await;
    // Who may not seal, and from where not, whatever the box.
    let police = town.desk("met").await.post(path, &right).await;
    assert_eq!((police.status, police.result()), (403, "role-not-allowed"));
    let key = town
        .desk("met")
        .await
        .get("/v1/sealed-items/to/quayside")
        .await;
    assert_eq!(key.status, 403);
    let tainted = town.desk("council-nrpf").await.post(path, &right).await;
    assert_eq!(tainted.status, 403, "{}", tainted.whole());
    let origin = format!("https://localhost:{}", town.address().port());
    let headers = [
        ("idempotency-key", "from-a-page"),
        ("host", origin.trim_start_matches("https://")),
        ("sec-fetch-site", "same-origin"),
    ];
    let page = charity.post_bytes(path, &headers, right.to_string()).await;
    assert_eq!(page.status, 422, "{}", page.whole());
    let purpose = [
        ("idempotency-key", "other"),
        ("firedoor-purpose", "support"),
    ];
    let other = charity.post_bytes(path, &purpose, right.to_string()).await;
    assert_eq!(other.result(), "purpose-not-allowed");
    let mut odd = right.clone();
    odd["sealed"] = json!(BASE64_STANDARD.encode([0; 1_000]));
    assert_eq!(charity.post(path, &odd).await.status, 422);

    assert_eq!(charity.post(path, &right).await.status, 201);
    let taint = json!({ "change": "taint_team", "organisation": "quayside", "team": "advice",
        "taint": "hosts_home_office" });
    let operator = town.signed_in("operator").await;
    assert_eq!(operator.post("/v1/narrowings", &taint).await.status, 200);
    refused_about_to(&charity.post(path, &right).await);
    // Nor does it collect what was sealed before.
    let adviser = town.desk("quayside").await;
    let listed = adviser.get(path).await;
    assert!(listed.list("/items").is_empty(), "{}", listed.whole());
    town.stop().await;
}

/// How many boxes there are of the charity's item.
async fn boxes_left(town: &Town, id: &str) -> usize {
    let gateway = &town.running.app.gateway;
    let larkfield = OrgId::parse("larkfield").unwrap();
    let alias = Id::parse(id).unwrap();
    let alias_key = gateway.rules.load_full().alias_key.clone();
    let aliases = alias_key.of(&larkfield, 0, now());
    let inward = aliases.inward(AliasKind::SealedItem, alias);
    let of = [Aggregate::SealedItem(SealedItemId(inward))];
    gateway.store.facts(&of).await.unwrap().parts.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_is_as_if_it_never_was() {
    let town = town().await;
    let (charity, adviser) = (town.desk("larkfield").await, town.desk("quayside").await);
    let path = "/v1/sealed-items";
    let right = handed(&town, "quayside").await;
    let mut theirs = Vec::new();
    let mut mine = Vec::new();
    for place in 0..3 {
        let sealed = charity.post(path, &right).await;
        assert_eq!(sealed.status, 201, "{}", sealed.whole());
        mine.push(sealed.id().to_owned());
        let listed = adviser.get(path).await;
        let id = listed.list("/items")[place]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        theirs.push(id);
    }
    let gateway = &town.running.app.gateway;
    let boxes = async |place: usize| boxes_left(&town, &mine[place]).await;
    for place in 0..3 {
        assert_eq!(boxes(place).await, 1);
    }

    // The first is collected, the second withdrawn, the third left lying.
    let collected = adviser.get(&format!("{path}/{}", theirs[0])).await;
    assert_eq!(
        collected.result(),
        "item-collected",
        "{}",
        collected.whole()
    );
    assert_eq!(collected.text("/sealed"), right["sealed"].as_str());
    assert_eq!(boxes(0).await, 0);
    let stop = format!("{path}/{}/withdraw", mine[1]);
    assert_eq!(charity.post(&stop, &json!({})).await.status, 200);
    assert_eq!(boxes(1).await, 0);
    assert!(
        !gateway
            .destroy_sealed_items(now().plus_days(13))
            .await
            .unwrap()
    );
    assert_eq!(adviser.get(path).await.list("/items").len(), 1);
    assert_eq!(boxes(2).await, 1);
    assert!(
        gateway
            .destroy_sealed_items(now().plus_days(15))
            .await
            .unwrap()
    );
    assert_eq!(boxes(2).await, 0);
    assert!(
        !gateway
            .destroy_sealed_items(now().plus_days(15))
            .await
            .unwrap()
    );
    // Keys are cleared beside the commits: a change of epoch destroys what is clear when it begins, and
    // the next one the rest.
    for _ in 0..100 {
        gateway.store.rewrap(now()).await.unwrap();
        if gateway.store.erasure().waiting == 0 {
            break;
        }
    }
    assert_eq!(gateway.store.erasure().waiting, 0);

    let never = adviser.get(&format!("{path}/{}", mine[0])).await;
    assert_eq!(never.result(), "nothing-to-show");
    for id in &theirs {
        let gone = adviser.get(&format!("{path}/{id}")).await;
        assert_eq!(gone.silent(), never.silent());
        assert_eq!(gone.bytes.len(), never.bytes.len());
    }
    // Withdrawing says the same of what was collected, withdrawn, left lying and never there, and
    // to those whose it is not.
    let same = |said: &Said| (said.status, said.silent(), said.bytes.len());
    let withdraw = |id: &str| format!("{path}/{id}/withdraw");
    let first = charity.post(&withdraw(&theirs[0]), &json!({})).await;
    assert_eq!(first.result(), "withdrawn", "{}", first.whole());
    for id in &mine {
        let said = charity.post(&withdraw(id), &json!({})).await;
        assert_eq!(same(&said), same(&first));
    }
    // Its sender sees the same of all three; others see nothing, also of what is there.
    let arranged = |said: &Said, id: &str| said.silent().replace(id, "");
    let one = charity.get(&format!("{path}/{}", mine[0])).await;
    assert_eq!(one.text("/status"), Some("advice_arranged"));
    for id in &mine {
        let other = charity.get(&format!("{path}/{id}")).await;
        assert_eq!(arranged(&other, id), arranged(&one, &mine[0]));
        let stranger = town.desk("council-housing").await;
        let stranger = stranger.get(&format!("{path}/{id}")).await;
        assert_eq!(stranger.result(), "nothing-to-show");
    }
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn her_withdrawal_at_another_service_destroys_it_and_stops_what_is_sent_later() {
    let town = town().await;
    let (charity, adviser) = (town.desk("larkfield").await, town.desk("quayside").await);
    let path = "/v1/sealed-items";
    let early = handed(&town, "quayside").await;
    let mut mine = Vec::new();
    let mut theirs = Vec::new();
    for place in 0..2 {
        let sealed = charity.post(path, &early).await;
        assert_eq!(sealed.status, 201, "{}", sealed.whole());
        mine.push(sealed.id().to_owned());
        let listed = adviser.get(path).await;
        let id = listed.list("/items")[place]["id"].as_str().unwrap();
        theirs.push(id.to_owned());
    }
    let collected = adviser.get(&format!("{path}/{}", theirs[0])).await;
    assert_eq!(collected.result(), "item-collected");
    let status = format!("{path}/{}", mine[1]);
    let before = charity.get(&status).await;

    let council = town.desk("council-housing").await;
    let wish = json!({ "identity": her(), "scope": "purpose", "purposes": ["legal_advice"],
        "channel": "telephone" });
    let withdrew = council.post("/v1/withdrawals", &wish).await;
    assert_eq!(withdrew.status, 200, "{}", withdrew.whole());
    assert_eq!(boxes_left(&town, &mine[1]).await, 0);
    let gone = adviser.get(&format!("{path}/{}", theirs[1])).await;
    assert_eq!(gone.result(), "nothing-to-show");
    let events = adviser.get("/v1/events").await;
    let events = events.list("/events");
    assert!(!events.is_empty());
    for event in events {
        assert_eq!(event["status"], "stop_use", "{events:?}");
        assert_eq!(event["sealed_item"], theirs[0].as_str());
    }
    // Its sender sees what it always saw.
    let after = charity.get(&status).await;
    assert_eq!(after.silent(), before.silent());
    assert_eq!(after.bytes.len(), before.bytes.len());

    // The same consent again, and then a newer one: the replies are alike.
    let late = charity.post(path, &early).await;
    let mut anew = early.clone();
    anew["consented_at"] = json!(now().rfc3339());
    assert_eq!(adviser.get(path).await.list("/items").len(), 0);
    let tasks = council.get("/v1/events").await;
    assert_eq!(tasks.list("/events").len(), 1, "{}", tasks.whole());
    assert_eq!(tasks.list("/events")[0]["status"], "message_stopped");
    assert!(tasks.list("/events")[0]["sealed_item"].is_null());
    let new = charity.post(path, &anew).await;
    let keys = |said: &Said| {
        let map = said.body.as_object().unwrap();
        map.keys().cloned().collect::<Vec<String>>()
    };
    assert_eq!((late.status, keys(&late)), (new.status, keys(&new)));
    assert_eq!(late.bytes.len(), new.bytes.len());
    assert_eq!(adviser.get(path).await.list("/items").len(), 1);

    // A pause holds the newer one back, and lifting it lets it go on.
    let pause = json!({ "identity": her(), "scope": "everything", "channel": "telephone",
        "pause": true });
    let paused = council.post("/v1/withdrawals", &pause).await;
    assert_eq!(adviser.get(path).await.list("/items").len(), 0);
    let lift = format!("/v1/withdrawals/{}/lift", paused.id());
    let lifted = council
        .post(&lift, &json!({ "asked_her_safely": true }))
        .await;
    assert_eq!(lifted.status, 200, "{}", lifted.whole());
    assert_eq!(adviser.get(path).await.list("/items").len(), 1);
    town.stop().await;
}
