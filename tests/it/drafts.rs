//! What is kept for later: found again by whoever wrote it and by nobody else, never with words that the
//! screen holds, and gone when it is sent, thrown away or seven days old.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use aho_corasick::AhoCorasick;
use firedoor::domain::codes::Role;
use firedoor::ops::clock::now;
use firedoor::ops::demo::borough::SERVICE;
use serde_json::{Value, json};

use super::canary::{files, forms};
use super::pages::{Seen, Visitor};
use super::town::{Desk, Said, Town};

const UNKNOWN: &str = "0123456789ABCDEFGHJKMNPQRS";
const NAME: &str = "Quillifer Ombrowska";

fn field(name: &str, value: &str) -> Value {
    json!({ "field": name, "values": [value] })
}

fn half_filled() -> Value {
    json!({ "fields": [
        field("offence_group", "domestic_abuse"),
        field("identity.given_name", NAME),
        field("safe_contact.number", "07700 900123"),
        field("note", "Two children, who are at school."),
    ] })
}

async fn kept(desk: &Desk) -> Said {
    let said = desk.post("/v1/drafts", &half_filled()).await;
    assert_eq!(
        (said.status, said.result()),
        (201, "draft-kept"),
        "{}",
        said.whole()
    );
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_found_by_who_wrote_it_and_to_everybody_else_there_is_none() {
    let town = Town::start().await;
    let osei = town.desk("larkfield").await.as_user("r-osei", Role::Triage);
    let draft = kept(&osei).await;
    let path = format!("/v1/drafts/{}", draft.id());
    let found = osei.get(&path).await;
    assert_eq!(found.result(), "draft");
    assert_eq!(found.text("/fields/identity.given_name/0"), Some(NAME));
    let listed = osei.get("/v1/drafts").await;
    assert_eq!(listed.list("/drafts").len(), 1);
    for words in [NAME, "domestic_abuse", "07700"] {
        assert!(
            !listed.whole().contains(words) && !draft.whole().contains(words),
            "{words}"
        );
    }

    // A colleague, her admin, other agencies, a tainted team: what is there and what never was.
    let colleague = town
        .desk("larkfield")
        .await
        .as_user("s-else", Role::Adviser);
    let others = [
        colleague,
        town.desk("harbour").await,
        town.desk("met").await,
        town.desk("council-nrpf").await,
    ];
    for other in &others {
        assert!(other.get("/v1/drafts").await.list("/drafts").is_empty());
        let (there, never) = (
            other.get(&path).await,
            other.get(&format!("/v1/drafts/{UNKNOWN}")).await,
        );
        assert_eq!(there.result(), "nothing-to-show", "{}", there.whole());
        assert_eq!(there.silent(), never.silent());
        assert_eq!(there.bytes.len(), never.bytes.len());
        let erase = |id: &str| format!("/v1/drafts/{id}/erase");
        let there = other.post(&erase(draft.id()), &json!({})).await;
        let never = other.post(&erase(UNKNOWN), &json!({})).await;
        assert_eq!(there.result(), "nothing-to-show");
        assert_eq!(there.silent(), never.silent());
        // Nor is it written over.
        let mut over = half_filled();
        over["draft"] = json!(draft.id());
        let there = other.post("/v1/drafts", &over).await;
        over["draft"] = json!(UNKNOWN);
        let never = other.post("/v1/drafts", &over).await;
        assert_eq!(there.result(), "nothing-to-show", "{}", there.whole());
        assert_eq!(there.silent(), never.silent());
    }
    let admin = town
        .desk("larkfield")
        .await
        .as_user("r-osei", Role::OrgAdmin);
    assert_eq!(admin.get(&path).await.status, 403);
    assert_eq!(osei.get(&path).await.silent(), found.silent());

    // Its own officer sees that it was kept and opened, and not what is in it.
    let officer = town.signed_in("larkfield-ig").await;
    for action in ["keep_draft", "open_draft"] {
        let entries = officer
            .get(&format!("/v1/audit/entries?action={action}"))
            .await;
        assert!(
            !entries.list("/entries").is_empty(),
            "{action}: {}",
            entries.whole()
        );
        assert!(!entries.whole().contains(NAME) && !entries.whole().contains("at school"));
    }

    let erased = osei.post(&format!("{path}/erase"), &json!({})).await;
    assert_eq!(erased.result(), "draft-erased");
    let gone = osei.get(&path).await;
    assert_eq!(gone.silent(), others[0].get(&path).await.silent());
    assert!(osei.get("/v1/drafts").await.list("/drafts").is_empty());
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn held_words_are_not_kept_and_their_author_is_told_which() {
    let town = Town::start().await;
    let osei = town.desk("larkfield").await;
    for name in [
        "note",
        "safe_contact.hours",
        "safe_contact.who_may_answer",
        "safe_contact.code_word",
    ] {
        let body = json!({ "fields": [
            field("identity.given_name", NAME),
            field(name, "Her visa expired in May."),
        ] });
        let said = osei.post("/v1/drafts", &body).await;
        assert_eq!(
            said.result(),
            "immigration-content-found",
            "{}",
            said.whole()
        );
        assert_eq!(said.text("/held/what"), Some(name));
        assert!(said.text("/held/says").unwrap().contains("visa"));
    }
    for (name, value) in [
        ("nationality", "x"),
        ("offence_group", "visa_overstayer"),
        ("identity.nhs_number", "her visa expired"),
        ("other_party.given_name", "Tom"),
    ] {
        let body = json!({ "fields": [field(name, value)] });
        let said = osei.post("/v1/drafts", &body).await;
        assert_eq!(said.result(), "check-your-answers", "{}", said.whole());
        assert!(!said.whole().contains(value) || value == "x");
    }
    assert!(osei.get("/v1/drafts").await.list("/drafts").is_empty());
    // Police: neither where she is nor what was written lies here for them.
    let officer = town.desk("met").await;
    let said = kept(&officer).await;
    let fields: Vec<&str> = said
        .list("/kept")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(fields, ["offence_group", "identity.given_name"]);
    let found = officer.get(&format!("/v1/drafts/{}", said.id())).await;
    assert!(!found.whole().contains("07700") && !found.whole().contains("at school"));
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_lies_sealed_and_its_keys_go_after_seven_days() {
    let town = Town::start().await;
    let osei = town.desk("larkfield").await;
    let draft = kept(&osei).await;
    let gateway = &town.running.app.gateway;
    let words = [forms(NAME), forms("at school")].concat();
    let search = AhoCorasick::new(&words).unwrap();
    for path in files(town.dir.path()) {
        let bytes = std::fs::read(&path).unwrap();
        assert!(!search.is_match(&bytes), "{}", path.display());
    }
    assert!(!gateway.erase_drafts(now().plus_days(6)).await.unwrap());
    let path = format!("/v1/drafts/{}", draft.id());
    assert_eq!(osei.get(&path).await.result(), "draft");
    assert!(gateway.erase_drafts(now().plus_days(8)).await.unwrap());
    assert!(!gateway.erase_drafts(now().plus_days(8)).await.unwrap());
    assert!(gateway.store.erasure().waiting > 0);
    assert_eq!(osei.get(&path).await.result(), "nothing-to-show");
    assert!(osei.get("/v1/drafts").await.list("/drafts").is_empty());
    town.stop().await;
}

fn begun() -> Vec<(&'static str, &'static str)> {
    vec![
        ("offence_group", "domestic_abuse"),
        ("area", "E09000022"),
        ("needs", "housing_safe"),
        ("needs", "emotional"),
        ("consent.decision", "permit"),
        ("consent.how", "spoken"),
        ("consent.other_party_present", "no"),
        ("service", SERVICE),
        ("identity.given_name", NAME),
        ("safe_contact.modes", "phone"),
        ("safe_contact.number", "07700 900123"),
        ("safe_contact.who_may_answer", "only she herself"),
        ("other_party.given_name", "Tom"),
        ("note", "Two children, who are at school."),
    ]
}

fn draft_of(seen: &Seen) -> String {
    let links = seen.links();
    let found = links.iter().find(|(path, _)| path.starts_with("/drafts/"));
    found.unwrap_or_else(|| panic!("{links:?}")).0.clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_who_is_called_away_finds_it_again_and_sends_it() {
    let town = Town::start().await;
    let mut worker = Visitor::sign_in(&town, "larkfield-browser").await;
    worker.get("/new").await;
    // Held words: nothing is kept, and everything stays on the screen.
    let held = [
        begun(),
        vec![
            ("do", "keep"),
            ("safe_contact.hours", "After her visa interview."),
        ],
    ]
    .concat();
    let seen = worker.post("/new", &held).await;
    assert_eq!(seen.status, 422, "{}", seen.text);
    assert!(
        seen.text.contains("Nothing is kept.") && seen.html.contains("<mark>"),
        "{}",
        seen.text
    );
    for words in [NAME, "at school", "07700 900123"] {
        assert!(seen.html.contains(words), "{words}");
    }
    assert!(!worker.get("/new").await.text.contains("Not sent yet"));
    // Nothing at all, and a date that is none.
    let seen = worker.post("/new", &[("do", "keep")]).await;
    assert_eq!(seen.status, 422);
    assert!(seen.text.contains("nothing to keep yet"), "{}", seen.text);

    let seen = worker
        .post("/new", &[begun(), vec![("do", "keep")]].concat())
        .await;
    assert_eq!(
        (seen.status, seen.heading().as_str()),
        (200, "Kept for later"),
        "{}",
        seen.text
    );
    assert!(
        seen.text
            .contains("Not kept: whom she is to be kept safe from."),
        "{}",
        seen.text
    );
    assert!(!seen.html.contains(NAME));
    let path = draft_of(&seen);

    // By the list, which names nobody.
    let list = worker.get("/new").await;
    assert!(
        list.text.contains("Not sent yet") && !list.html.contains(NAME),
        "{}",
        list.text
    );
    assert_eq!(draft_of(&list), path);
    let form = worker.get(&path).await;
    for words in [NAME, "at school", "07700 900123", "only she herself"] {
        assert!(form.html.contains(words), "{words}: {}", form.text);
    }
    // Kept anew, it is the same one.
    let more = [("do", "keep"), ("identity.family_name", "Invented")];
    let seen = worker
        .post("/new", &[begun(), more.to_vec()].concat())
        .await;
    assert_eq!(draft_of(&seen), path, "{}", seen.text);
    let form = worker.get(&path).await;
    assert!(form.html.contains("Invented"), "{}", form.text);
    let fields = [
        begun(),
        vec![
            ("do", "send"),
            ("consent.language", "en"),
            ("consent.interpreter", "none"),
        ],
    ];
    let sent = worker.post("/new", &fields.concat()).await;
    assert!(sent.heading().starts_with("Offered: R-"), "{}", sent.text);
    assert!(!sent.text.contains("still there"), "{}", sent.text);
    let gone = worker.get(&path).await;
    assert!(
        gone.text.contains("There is nothing we can show you"),
        "{}",
        gone.text
    );
    assert!(!worker.get("/new").await.text.contains("Not sent yet"));

    // One that is not wanted is thrown away.
    let seen = worker
        .post("/new", &[begun(), vec![("do", "keep")]].concat())
        .await;
    let path = draft_of(&seen);
    worker.get(&path).await;
    let gone = worker.post(&format!("{path}/erase"), &[]).await;
    assert_eq!(gone.heading(), "It is gone", "{}", gone.text);
    town.stop().await;
}
