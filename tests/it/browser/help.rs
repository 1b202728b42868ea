//! Help is there for whoever cannot get in, and names what the browser shows her.

use firedoor::ops::clock::now;
use firedoor::ops::pki::Ca;

use super::Browser;
use crate::town::Town;

/// Every closed part of the page is opened.
const OPEN_ALL: &str = "for (const one of document.querySelectorAll('details')) one.open = true;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn help_is_at_both_doors_and_names_the_codes_that_the_browser_shows() {
    let town = Town::start().await;
    let port = town.running.help_address.unwrap().port();
    let outside = format!("https://localhost:{port}");

    let stranger = Browser::bare(&town).await;
    stranger.go_to(&outside).await;
    assert_eq!(stranger.heading().await, "Help");
    assert!(stranger.text().await.contains("asks for no certificate"));
    stranger.run(OPEN_ALL).await;
    stranger.is_fit().await;
    let alone = stranger.text().await;
    stranger.press("Leave this site").await;
    stranger.until_at("https://www.bbc.co.uk/").await;
    // Which code it is depends on whether the alert or the end of the line is read first.
    let mut shown = Vec::new();
    while shown.len() < 10 && !shown.iter().any(|code: &String| alone.contains(code)) {
        shown.push(stranger.fails("/").await);
    }
    let is_named = shown.iter().any(|code| alone.contains(code));
    assert!(is_named, "{shown:?}");
    drop(stranger);

    let officer = Browser::open(&town, "met-browser").await;
    officer.go("/sign-in").await;
    officer.press("I have no phone, or a new one").await;
    assert_eq!(officer.path().await, "/help#phone");
    officer.run(OPEN_ALL).await;
    officer.is_fit().await;
    // Beyond the door stands the same, less what says which door it is.
    let within = officer.text().await;
    let all = |text: &str| -> Vec<String> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(str::to_owned).collect()
    };
    for line in all(&alone) {
        let of_the_door =
            line.starts_with("You see this page") || line.starts_with("In danger now");
        assert!(of_the_door || all(&within).contains(&line), "{line}");
    }

    let ca = Ca::open(&town.dir.path().join("ca")).unwrap();
    let listed = ca.list().unwrap();
    let hers = listed
        .iter()
        .find(|one| one.name.ends_with("/user/pc-lyons"));
    ca.revoke(hers.expect("her certificate").serial, now())
        .unwrap();
    town.running.tls.reload_if_changed();
    // What was open is closed with a word, not with a record of the API.
    officer.go("/").await;
    assert_eq!(officer.heading().await, "Your certificate was not accepted");
    let told = officer.text().await;
    assert!(told.contains("the certificate was revoked"), "{told}");
    town.stop().await;
}
