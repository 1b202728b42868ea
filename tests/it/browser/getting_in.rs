//! Getting in and out, as a person does: the file is imported, the code typed, the site left.

use firedoor::ops::pki::BundleForm;

use super::{Browser, ESCAPE};
use crate::town::Town;

/// Grey on grey, wider than a telephone, with a button that no keyboard reaches.
const UNFIT: &str = "data:text/html,<title>t</title><body style='color:%23aaa;background:%23bbb'>\
     <p style='width:600px'>grey</p><button id='first' style='outline:none'>One</button>\
     <button tabindex='2'>Two</button><button tabindex='1'>Next</button>\
     <button id='never' tabindex='-1'>Three</button>";
const ELSEWHERE: &str = "https://www.bbc.co.uk/";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_from_a_file_and_a_code_open_the_first_page() {
    let town = Town::start().await;
    let browser = Browser::open(&town, "larkfield-browser").await;
    browser.go("/").await;
    assert_eq!(browser.heading().await, "Sign in");
    assert!(browser.text().await.contains("v-adeola"));
    browser.is_fit().await;

    // A wrong code comes back with its error, and the focus is on it.
    browser.fill("Code from your phone", "12").await;
    browser.press("Sign in").await;
    assert!(browser.has("//div[@id='summary']//a[@href='#code']").await);
    let focused = browser.run("return document.activeElement.id;").await;
    assert_eq!(focused, "summary");
    browser.is_fit().await;

    browser.sign_in(&town).await;
    assert_eq!(browser.heading().await, "Messages");
    assert_eq!(browser.title().await, "Messages");
    browser.is_fit().await;

    // Three times Escape: off the screen, out of the history, signed out.
    browser.keys(&[ESCAPE, ESCAPE]).await;
    assert_eq!(browser.path().await, "/?devices=one");
    browser.keys(&[ESCAPE]).await;
    browser.until_at(ELSEWHERE).await;
    assert_eq!(browser.cookies().await, []);
    browser.go("/").await;
    assert_eq!(browser.heading().await, "Sign in");

    // The link does the same.
    browser.sign_in(&town).await;
    browser.go("/role").await;
    browser.press("Leave this site").await;
    browser.until_at(ELSEWHERE).await;
    assert_eq!(browser.cookies().await, []);
    browser.back().await;
    assert!(!browser.text().await.contains("Work in another role"));
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_script_an_older_file_opens_the_same_pages_and_the_way_out() {
    let town = Town::start().await;
    let browser = Browser::open_with(&town, "met-browser", BundleForm::Legacy).await;
    let page = "data:text/html,<title>off</title><script>document.title = 'on'</script>";
    browser.go_to(page).await;
    assert_eq!(browser.title().await, "on");
    // What looks at pages sees what is wrong with one.
    browser.go_to(UNFIT).await;
    let faults = browser.faults().await.join("\n");
    for fault in [
        "dark: false: color-contrast",
        "dark: true: html-has-lang",
        "320 px at 4: the page is wider",
        "320 px at 1: the page is wider",
        "cannot be seen: \"<button id=\\\"first\\\"",
        "reached out of order: [0, 2, 1]",
        "dark: true: tabindex",
        "does not reach: [\"<button id=\\\"never\\\"",
        "0 headings",
    ] {
        assert!(faults.contains(fault), "{fault} is not in: {faults}");
    }
    browser.script(false).await;
    browser.go_to(page).await;
    assert_eq!(browser.title().await, "off");

    browser.sign_in(&town).await;
    assert_eq!(browser.heading().await, "Messages");
    // Script is off on this page too.
    browser.keys(&[ESCAPE, ESCAPE, ESCAPE]).await;
    assert_eq!(browser.path().await, "/?devices=one");
    browser.press("Help").await;
    assert_eq!(
        (
            browser.path().await.as_str(),
            browser.heading().await.as_str()
        ),
        ("/help", "Help")
    );
    browser.press("Sign out").await;
    assert_eq!(browser.heading().await, "You are signed out");
    assert_eq!(browser.cookies().await, []);

    browser.sign_in(&town).await;
    browser.go("/").await;
    browser.press("Leave this site").await;
    browser.until_at(ELSEWHERE).await;
    assert_eq!(browser.cookies().await, []);
    browser.go("/").await;
    assert_eq!(browser.heading().await, "Sign in");
    town.stop().await;
}
