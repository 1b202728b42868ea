//! Her own devices, without script: a spare one added and used, the first one removed, the last one kept.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use firedoor::ops::clock::now;

use crate::pages::{Seen, Visitor};
use crate::town::Town;

const PERSON: &str = "larkfield-browser";

/// What the app shows that was given the key on the page.
fn shown(page: &Seen) -> String {
    let (_, link) = page.html.split_once("secret=").expect("a link for the app");
    let secret: String = link
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect();
    let secret = totp_rs::Secret::try_from_base32(&secret).unwrap();
    let now = u64::try_from(now().millis() / 1_000).unwrap();
    let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    totp.generate(now).to_string()
}

fn removals(page: &Seen) -> Vec<String> {
    let actions = page.actions().into_iter();
    actions
        .filter(|action| action.ends_with("/remove"))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_spare_app_is_added_and_the_first_one_removed() {
    let town = Town::start().await;
    let mut visitor = Visitor::sign_in(&town, PERSON).await;
    let home = visitor.follow().await;
    assert!(home.text.contains("add a spare"), "{}", home.text);
    let list = visitor.get("/devices").await;
    assert!(list.text.contains("You have one device"), "{}", list.text);
    assert!(removals(&list).is_empty());

    // A name that tells what no device is called is held, like every text.
    let held = [("kind", "authenticator_app"), ("name", "Her visa expired")];
    assert_eq!(visitor.post("/devices", &held).await.status, 422);
    visitor.get("/devices").await;
    let begun = visitor
        .post(
            "/devices",
            &[("kind", "authenticator_app"), ("name", "Tablet")],
        )
        .await;
    assert_eq!((begun.status, begun.goes_to()), (303, "/devices/new"));
    let step = visitor.follow().await;
    assert_eq!(step.heading(), "Add Tablet");
    let wrong = visitor.post("/devices/new", &[("code", "12")]).await;
    assert_eq!(wrong.status, 422);
    let code = shown(&wrong);
    let added = visitor.post("/devices/new", &[("code", &code)]).await;
    assert_eq!(
        (added.status, added.goes_to()),
        (303, "/devices"),
        "{}",
        added.text
    );
    let list = visitor.follow().await;
    assert!(list.text.contains("Tablet") && list.text.contains("Not yet"));
    assert_eq!(removals(&list), ["/devices/1/remove", "/devices/2/remove"]);
    // The key is not shown again.
    let again = visitor.get("/devices/new").await;
    assert!(!again.html.contains("secret="), "{}", again.text);

    // The code that added it opens no session besides.
    let before = visitor.clone();
    visitor.get("/devices").await;
    visitor.post("/sign-out", &[]).await;
    visitor.get("/sign-in").await;
    let refused = visitor.post("/sign-in", &[("code", &code)]).await;
    assert_eq!(refused.status, 422);

    let mut visitor = before;
    visitor.get("/devices").await;
    let gone = visitor.post("/devices/1/remove", &[]).await;
    assert_eq!(
        (gone.status, gone.goes_to()),
        (303, "/devices"),
        "{}",
        gone.text
    );
    let list = visitor.follow().await;
    assert!(removals(&list).is_empty(), "{}", list.text);
    let mark = list.mark().unwrap();
    let last = visitor.post_with(&mark, "/devices/2/remove", &[]).await;
    assert_eq!(last.status, 422);
    assert!(last.text.contains("your only device"), "{}", last.text);

    // Each is an entry that her organisation's officer sees.
    let officer = town.signed_in("larkfield-ig").await;
    for action in ["add_device", "remove_device"] {
        let path = format!("/v1/audit/entries?action={action}");
        let said = officer.get(&path).await;
        let entries = said.body["entries"].as_array().unwrap();
        let hers = entries.iter().filter(|entry| entry["action"] == action);
        assert!(hers.count() > 0, "{}", said.body);
    }
    town.stop().await;
}
