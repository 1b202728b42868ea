//! Passkeys in Chromium, with an authenticator of its own making (WebDriver, Web Authentication): added,
//! used, of no use to anybody else or a second time, removed.

use serde_json::{Value, json};

use super::Browser;
use crate::town::Town;

const PERSON: &str = "larkfield-browser";
const OTHER: &str = "met-browser";

impl Browser {
    /// A device that unlocks for its owner, as a laptop does with a fingerprint.
    async fn has_authenticator(&self) {
        let device = json!({
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": true,
            "hasUserVerification": true, "isUserVerified": true,
        });
        self.ask("POST", "/webauthn/authenticator", device).await;
    }

    async fn adds_passkey(&self, name: &str) {
        self.go("/devices").await;
        self.fill("Name for it", name).await;
        self.press("Add a passkey").await;
        assert_eq!(self.heading().await, format!("Add {name}"));
        self.is_fit().await;
        self.press("Add this passkey").await;
        assert_eq!(self.path().await, "/devices", "{}", self.text().await);
        assert!(self.text().await.contains(name), "{}", self.text().await);
    }

    async fn leaves(&self) {
        self.press("Sign out").await;
        self.go("/sign-in").await;
    }

    /// What her device says to what the page asks, without sending it.
    async fn assertion(&self) -> String {
        let said = self
            .run_async(
                "const done = arguments[arguments.length - 1];
                 const { publicKey } = JSON.parse(document.querySelector('[data-passkey]').dataset.passkey);
                 navigator.credentials
                   .get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey) })
                   .then((said) => done(JSON.stringify(said)), (error) => done(String(error)));",
            )
            .await;
        let said = said.as_str().unwrap().to_owned();
        assert!(said.starts_with('{'), "{said}");
        said
    }

    /// Sends it with the form of the sign-in, as the page does.
    async fn sends(&self, assertion: &str) {
        let script = format!(
            "const form = document.querySelector('main form[action=\"/sign-in\"]');
             const field = form.elements.passkey ?? form.appendChild(document.createElement('input'));
             field.name = 'passkey';
             field.value = {};
             form.querySelector('button').id = 'sends';
             form.addEventListener('submit', (event) => event.stopImmediatePropagation(), true);",
            Value::from(assertion)
        );
        self.run(&script).await;
        self.follow("//button[@id='sends']").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_passkey_opens_a_session_once_for_its_owner_until_it_is_removed() {
    let town = Town::start().await;
    let browser = Browser::signed_in(&town, PERSON).await;
    browser.has_authenticator().await;
    let notice = "You sign in with one device";
    assert!(browser.text().await.contains(notice));
    browser.is_fit().await;
    browser.press("Your devices").await;
    assert!(browser.text().await.contains("You have one device"));
    browser.is_fit().await;
    browser.adds_passkey("This laptop").await;
    assert!(
        browser
            .has("//button[normalize-space()='Remove This laptop']")
            .await
    );
    browser.is_fit().await;

    // She signs in with it, and a reply that was used opens nothing again.
    browser.leaves().await;
    browser.press("Use a passkey").await;
    browser.is_fit().await;
    let used = browser.assertion().await;
    browser.sends(&used).await;
    assert_eq!(browser.path().await, "/", "{}", browser.text().await);
    assert!(!browser.text().await.contains(notice));
    browser.leaves().await;
    browser.sends(&used).await;
    assert_eq!(browser.heading().await, "Sign in");
    assert!(browser.text().await.contains("passkey is not yours"));
    browser.press("Use a passkey").await;
    browser.press("Go on").await;
    assert_eq!(browser.path().await, "/", "{}", browser.text().await);

    // A fresh reply of hers is nothing under another person's certificate, who is asked for her own.
    let other = Browser::signed_in(&town, OTHER).await;
    other.has_authenticator().await;
    other.adds_passkey("Key").await;
    other.leaves().await;
    other.press("Use a passkey").await;
    browser.leaves().await;
    browser.press("Use a passkey").await;
    let fresh = browser.assertion().await;
    other.sends(&fresh).await;
    assert!(other.text().await.contains("passkey is not yours"));
    browser.sends(&fresh).await;
    assert_eq!(browser.path().await, "/", "{}", browser.text().await);

    // Without script there is no button for it, and the code as ever.
    other.script(false).await;
    other.go("/sign-in").await;
    let button = other.one("//button[@formaction='/sign-in/passkey']").await;
    assert_eq!(
        other.look(&format!("/element/{button}/displayed")).await,
        false
    );
    assert!(other.has("//input[@name='code']").await);

    // Removed, it is asked for no more; the last device stays.
    browser.go("/devices").await;
    browser.press("Remove This laptop").await;
    assert_eq!(browser.path().await, "/devices");
    assert!(!browser.text().await.contains("This laptop"));
    assert!(
        !browser
            .has("//main//button[starts-with(normalize-space(), 'Remove')]")
            .await
    );
    browser.leaves().await;
    browser.press("Use a passkey").await;
    assert!(browser.text().await.contains("have no passkey here"));
    town.stop().await;
}
