//! Other policies, or another list of words: proposed by one, approved by another organisation, and
//! in force from the next decision on; on every node, and after a restart.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::fs;
use std::path::Path;

use firedoor::ops::config::Config;
use firedoor::ops::serve;
use serde_json::{Value, json};

use super::cluster::{Cluster, Databases};
use super::town::{Desk, Town, prepare};

/// A word that the shipped list lets through, and the list as a practitioner would change it.
const WORD: &str = "velvetleaf";

fn shipped() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/policies"))
}

/// The files of the shipped folder, as a proposal carries them, with the list of words changed.
fn files(change: impl Fn(&str) -> String) -> Vec<Value> {
    let mut files: Vec<Value> = fs::read_dir(shipped())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "cedar")
                || path.ends_with("schema.cedarschema")
                || path.ends_with("proof.json")
        })
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            json!({ "name": name, "text": fs::read_to_string(&path).unwrap() })
        })
        .collect();
    let list = |name: &str| fs::read_to_string(shipped().join("screen").join(name)).unwrap();
    let words = change(&list("lexicon.toml"));
    files.push(json!({ "name": "lexicon.toml", "text": words }));
    files.push(json!({ "name": "general.toml", "text": list("general.toml") }));
    files
}

fn with_word(words: &str) -> String {
    let rule = format!("[[a]]\nid = \"test-word\"\nfamily = \"status\"\nmatch = [\"{WORD}\"]\n\n");
    words.replacen("[[a]]", &format!("{rule}[[a]]"), 1)
}

fn change(files: &[Value]) -> Value {
    json!({ "change": "change_policy", "rulebook": files })
}

async fn waiting(desk: &Desk) -> Value {
    let listed = desk.get("/v1/proposals").await;
    let found = listed.list("/proposals").iter();
    let mut waiting = found.filter(|one| one["approved"].is_null());
    waiting.next().cloned().expect("a proposal that waits")
}

async fn approve(desk: &Desk, proposal: &Value) -> (u16, Value) {
    let path = format!("/v1/approvals/{}", proposal["id"].as_str().unwrap());
    let said = desk.post(&path, &json!({})).await;
    (said.status, said.body)
}

/// Whether the word is held; and the number of the entry that says so.
async fn is_held(desk: &Desk) -> (bool, u64) {
    let text = json!({ "text": format!("She asked about {WORD} today.") });
    let said = desk.post("/v1/screen", &text).await;
    assert_eq!(said.status, 200, "{}", said.whole());
    (!said.body["held"].is_null(), said.entry())
}

/// The policies that an entry of the police names, as the reviewer reads it: what was decided is
/// not for who asked.
async fn named(reviewer: &Desk, entry: u64) -> String {
    let path = "/v1/audit/entries?organisation=met&max=200";
    let said = reviewer.get(path).await;
    assert_eq!(said.status, 200, "{}", said.whole());
    let mut entries = said.list("/entries").iter();
    let found = entries.find(|one| one["entry"] == json!(entry)).unwrap();
    found["decided"]["policy"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_organisations_change_the_rules_and_the_next_decision_is_made_by_them() {
    let town = Town::start().await;
    let met = town.desk("met").await;
    let officer = town.signed_in("met-ig").await;
    let second = town.signed_in("st-hildas-ig").await;
    let reviewer = town.signed_in("reviewer").await;
    let (held, before) = is_held(&met).await;
    assert!(!held);

    let proposed = officer
        .post("/v1/proposals", &change(&files(with_word)))
        .await;
    assert_eq!(proposed.status, 201, "{}", proposed.whole());
    assert!(!is_held(&met).await.0, "a proposal changes nothing");

    // What the second person sees before she decides, and where the files are.
    let shown = waiting(&second).await;
    assert_eq!(shown["change"], "change_policy");
    let policies = &shown["policies"];
    assert_eq!(
        policies["differences"],
        json!([{ "what": "file", "name": "lexicon.toml", "how": "changed", "says": null }])
    );
    let at = policies["files"].as_str().unwrap();
    let carried = second.get(at).await;
    assert_eq!(carried.body["hash"], policies["hash"]);
    assert!(carried.whole().contains(WORD));

    // The proposer may not, and neither may anyone without her second factor.
    let own = waiting(&officer).await;
    let (status, refused) = approve(&officer, &own).await;
    assert_eq!(
        (status, &refused["title"]),
        (403, &json!("second-organisation-needed"))
    );
    let unproven = town.desk("larkfield-ig").await;
    let (status, refused) = approve(&unproven, &shown).await;
    assert_eq!(
        (status, &refused["title"]),
        (403, &json!("second-factor-needed"))
    );
    assert!(!is_held(&met).await.0);

    let (status, said) = approve(&second, &shown).await;
    assert_eq!(status, 200, "{said}");
    let (held, after) = is_held(&met).await;
    assert!(held, "in force with the next decision");
    assert_ne!(
        named(&reviewer, before).await,
        named(&reviewer, after).await
    );
    assert_eq!(named(&reviewer, after).await, policies["hash"]);
    // By what earlier entries were judged is still there.
    let earlier = named(&reviewer, before).await;
    let kept = officer.get(&format!("/v1/policies/{earlier}")).await;
    assert_eq!(kept.body["hash"], json!(earlier));
    let in_force = officer.get("/v1/policies").await;
    assert_eq!(in_force.body["hash"], policies["hash"]);

    drop((met, officer, second, unproven, reviewer));
    let town = town.restarted().await;
    assert!(
        is_held(&town.desk("met").await).await.0,
        "a restart keeps it"
    );
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_proved_or_not_whole_is_not_even_proposed() {
    let town = Town::start().await;
    let officer = town.signed_in("met-ig").await;
    let mut without_proof = files(str::to_owned);
    without_proof.retain(|file| file["name"] != "proof.json");
    let mut another = files(str::to_owned);
    another.push(json!({ "name": "99-more.cedar", "text": "// not proved" }));
    let mut open = files(with_word);
    for file in &mut open {
        if file["name"] == "proof.json" {
            let text = file["text"].as_str().unwrap();
            let text = text.replacen("\"shipped\": true", "\"shipped\": false", 1);
            file["text"] = json!(text);
        }
    }
    let broken = files(|_| "x = 1".to_owned());
    let same = files(str::to_owned);
    for (files, why) in [
        (without_proof, "proof.json is missing"),
        (another, "proof.json is of other policies than these"),
        (open, "is not proved"),
        (broken, "the text screen: "),
        (same, "in force already"),
    ] {
        let said = officer.post("/v1/proposals", &change(&files)).await;
        assert_eq!((said.status, said.result()), (422, "check-your-answers"));
        assert!(said.whole().contains(why), "{why}: {}", said.whole());
    }
    assert!(
        officer
            .get("/v1/proposals")
            .await
            .list("/proposals")
            .is_empty()
    );
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_approves_the_differences_to_what_is_no_longer_in_force() {
    let town = Town::start().await;
    let officer = town.signed_in("met-ig").await;
    let second = town.signed_in("st-hildas-ig").await;
    for words in [with_word, |words: &str| format!("# again\n{words}")] {
        let proposed = officer.post("/v1/proposals", &change(&files(words))).await;
        assert_eq!(proposed.status, 201, "{}", proposed.whole());
    }
    let newest = waiting(&second).await;
    assert_eq!(approve(&second, &newest).await.0, 200);
    let other = waiting(&second).await;
    let (status, refused) = approve(&second, &other).await;
    assert_eq!(status, 422, "{refused}");
    assert!(refused.to_string().contains("propose it again"));
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_on_the_gateways_disk_puts_nothing_in_force() {
    let (dir, borough, mut config) = prepare("");
    let folder = dir.path().join("policies");
    fs::create_dir_all(folder.join("screen")).unwrap();
    for file in files(with_word) {
        let name = file["name"].as_str().unwrap();
        let at = match name {
            "lexicon.toml" | "general.toml" => folder.join("screen").join(name),
            name => folder.join(name),
        };
        fs::write(at, file["text"].as_str().unwrap()).unwrap();
    }
    config.policies_dir = Some(folder);
    let refused = serve::start(&config).await.err().unwrap().to_string();
    assert!(
        refused.contains("firedoor client propose policy"),
        "{refused}"
    );
    // Proposed and approved, the same folder starts.
    config.policies_dir = None;
    let running = serve::start(&config).await.unwrap();
    let founding = borough.founding().unwrap();
    running.app.gateway.found(&founding).await.unwrap();
    let town = Town::of(dir, borough, config, running);
    let officer = town.signed_in("met-ig").await;
    let second = town.signed_in("st-hildas-ig").await;
    let proposed = officer
        .post("/v1/proposals", &change(&files(with_word)))
        .await;
    assert_eq!(proposed.status, 201, "{}", proposed.whole());
    assert_eq!(approve(&second, &waiting(&second).await).await.0, 200);
    drop((officer, second));
    let mut town = town;
    town.config.policies_dir = Some(town.dir.path().join("policies"));
    let mut town = town.restarted().await;
    assert!(is_held(&town.desk("met").await).await.0);
    // A folder that was left behind does not undo what two people agreed on, nor keeps the
    // gateway from starting.
    town.config.policies_dir = Some(shipped().to_owned());
    let town = town.restarted().await;
    assert!(is_held(&town.desk("met").await).await.0);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_node_follows_with_its_next_decision() {
    let Databases { url, slots_url } = Cluster::get().databases().await;
    let (dir, borough, _) = prepare("");
    let file = dir.path().join("firedoor.toml");
    let text = fs::read_to_string(&file).unwrap();
    let text = format!("store = \"{url}\"\n{text}").replace("keys/slots", &slots_url);
    let config = Config::parse(&text, &file).unwrap();
    let running = serve::start(&config).await.unwrap();
    let founding = borough.founding().unwrap();
    running.app.gateway.found(&founding).await.unwrap();
    let other = serve::start(&config).await.unwrap();
    let town = Town::of(dir, borough, config, running);
    let met = Desk::connect(
        other.address,
        town.tls("met"),
        Some("ref=pc-ward;role=officer".to_owned()),
    )
    .await;
    assert!(!is_held(&met).await.0);
    let officer = town.signed_in("met-ig").await;
    let second = town.signed_in("st-hildas-ig").await;
    let proposed = officer
        .post("/v1/proposals", &change(&files(with_word)))
        .await;
    assert_eq!(proposed.status, 201, "{}", proposed.whole());
    assert_eq!(approve(&second, &waiting(&second).await).await.0, 200);
    assert!(is_held(&met).await.0);
    drop((met, officer, second));
    other.stop().await.unwrap();
    town.stop().await;
}
