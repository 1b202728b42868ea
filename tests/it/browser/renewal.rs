//! A certificate is renewed by two people with nothing but browsers and a telephone (`domain.md` 3.12).

use std::time::Duration;

use tokio::time::sleep;

use super::Browser;
use crate::town::Town;

/// Her administrator's part, from her first page to the file; returns it with its password.
async fn renews(admin: &Browser, computer: &str, script: bool) -> (Vec<u8>, String) {
    admin.go("/").await;
    admin.press("Renew it").await;
    if script {
        admin.is_fit().await;
    }
    let hers = "//label[starts-with(normalize-space(), 'v-adeola, team advice: 29 days left')]";
    admin.click(hers).await;
    admin.choose(computer).await;
    admin.press("Go on").await;
    if script {
        admin.is_fit().await;
    }
    let password = admin.text_at("//p[@class='code']").await;
    admin.press_here("Renew and save the file").await;
    let file = admin.saved("certificate.p12").await;
    // The password stays for the telephone.
    assert!(admin.text().await.contains(&password));
    (file, password)
}

async fn renewal(computer: &str, script: bool) {
    let town = Town::start().await;
    // The code may have changed while she typed it: neither is taken again.
    let code = || town.borough.code("larkfield-browser").unwrap();
    let before = code();
    let old = Browser::signed_in(&town, "larkfield-browser").await;
    let used = [before, code()];
    old.go("/").await;
    let told = old.text().await;
    assert!(told.contains("Your certificate ends on"), "{told}");
    assert!(
        told.contains("in 29 days. Ask your administrator to renew it."),
        "{told}"
    );
    if script {
        old.is_fit().await;
    }

    let admin = Browser::signed_in(&town, "larkfield-admin").await;
    admin.script(script).await;
    let (file, password) = renews(&admin, computer, script).await;
    admin.go("/state").await;
    let left = admin.text().await;
    assert!(
        !left.contains("v-adeola") && left.contains("t-novak"),
        "{left}"
    );
    drop(admin);

    // The one before goes on.
    old.go("/inbox").await;
    assert_eq!(old.heading().await, "Inbox");
    drop(old);

    town.sessions.lock().await.remove("larkfield-browser");
    let new = Browser::open_file(&town, "larkfield-browser", file, &password).await;
    new.script(script).await;
    new.go("/").await;
    assert_eq!(new.heading().await, "Sign in");
    assert!(new.text().await.contains("v-adeola"));
    // A code that was used opens nothing again.
    while used.contains(&code()) {
        sleep(Duration::from_millis(500)).await;
    }
    new.sign_in(&town).await;
    new.go("/").await;
    let told = new.text().await;
    assert!(told.contains("working as adviser"), "{told}");
    assert!(!told.contains("Your certificate ends"), "{told}");
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_renewed_without_script_and_opens_the_gateway() {
    renewal("Chromebook or Linux", false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_in_the_older_form_is_renewed_with_script_and_each_page_is_fit() {
    renewal("Mac, iPhone, iPad or Android", true).await;
}
