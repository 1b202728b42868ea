//! The pages in Chromium: what a person sees, with script and without, with a keyboard, on a small
//! screen, in the dark.
//!
//! [`Browser`] is for every test that needs one: a person of a town with her certificate imported. It
//! finds things as she does, by what is written on them. A browser costs seconds: use few, and again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]
#![allow(dead_code, reason = "each test uses its part")]

mod checks;
mod driver;
mod getting_in;
mod help;
mod journeys;
mod keys;
mod passkeys;
mod profile;
mod renewal;
mod services;

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use driver::Driver;
use firedoor::ops::pki::BundleForm;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::town::Town;

/// What must come comes within this, on a loaded machine.
const WITHIN: Duration = Duration::from_secs(20);
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
const ESCAPE: &str = "\u{e00c}";

/// Chromium, with the certificate of a person of a town.
pub struct Browser {
    driver: Driver,
    origin: String,
    bundle: String,
    /// Nothing is pointed at.
    keys_only: AtomicBool,
}

impl Browser {
    /// Starts, with the certificate of a bundle imported from a file of the usual form.
    pub async fn open(town: &Town, bundle: &str) -> Self {
        Self::open_with(town, bundle, BundleForm::Modern).await
    }

    pub async fn open_with(town: &Town, bundle: &str, form: BundleForm) -> Self {
        let folder = town.bundle(bundle);
        let home = tokio::task::spawn_blocking(move || profile::home(&folder, form));
        Self::begin(town, bundle, home.await.unwrap()).await
    }

    /// Starts with a certificate from a file that somebody was handed, as a person of a town.
    pub async fn open_file(town: &Town, bundle: &str, file: Vec<u8>, password: &str) -> Self {
        let (folder, password) = (town.bundle(bundle), password.to_owned());
        let home = tokio::task::spawn_blocking(move || {
            let home = profile::bare(&folder);
            profile::import(&home, &file, &password);
            home
        });
        Self::begin(town, bundle, home.await.unwrap()).await
    }

    /// A file that she saved, as soon as all of it is there.
    pub async fn saved(&self, name: &str) -> Vec<u8> {
        let begun = Instant::now();
        let at = profile::downloads(self.driver.home()).join(name);
        // Until then it has another name.
        while !at.exists() {
            assert!(begun.elapsed() < WITHIN, "{name} was not saved");
            sleep(Duration::from_millis(50)).await;
        }
        std::fs::read(at).unwrap()
    }

    /// Starts without a certificate.
    pub async fn bare(town: &Town) -> Self {
        let folder = town.bundle("operator");
        let home = tokio::task::spawn_blocking(move || profile::bare(&folder));
        Self::begin(town, "", home.await.unwrap()).await
    }

    async fn begin(town: &Town, bundle: &str, home: TempDir) -> Self {
        let origin = format!("https://localhost:{}", town.address().port());
        let settings = profile::settings(&origin, home.path());
        let driver = Driver::start(home, settings).await;
        let browser = Self {
            driver,
            origin,
            bundle: bundle.to_owned(),
            keys_only: AtomicBool::new(false),
        };
        let focused = json!({ "enabled": true });
        browser
            .devtools("Emulation.setFocusEmulationEnabled", focused)
            .await;
        browser
    }

    /// Starts, and shows the second factor on the page for it. A code is good once, so a further
    /// browser of the same person takes her cookie up.
    pub async fn signed_in(town: &Town, bundle: &str) -> Self {
        let browser = Self::open(town, bundle).await;
        browser.sign_in(town).await;
        browser
    }

    pub async fn sign_in(&self, town: &Town) {
        let mut sessions = town.sessions.lock().await;
        if let Some(session) = sessions.get(&self.bundle) {
            let cookie = json!({
                "name": "__Host-session", "value": session, "url": self.origin, "path": "/",
                "secure": true, "httpOnly": true, "sameSite": "Strict",
            });
            self.devtools("Network.setCookie", cookie).await;
            return;
        }
        self.go("/sign-in").await;
        let code = town.borough.code(&self.bundle).unwrap();
        self.fill("Code from your phone", &code).await;
        self.press("Sign in").await;
        // The first time she is told that she has one device.
        let path = self.path().await;
        let is_in = ["/", "/?devices=one"].contains(&path.as_str());
        assert!(is_in, "{path}: {}", self.text().await);
        let session = self
            .cookies()
            .await
            .into_iter()
            .find(|(name, _)| name == "__Host-session");
        sessions.insert(self.bundle.clone(), session.expect("a session").1);
    }

    /// Types an address of the town's gateway.
    pub async fn go(&self, path: &str) {
        let url = format!("{}{path}", self.origin);
        self.go_to(&url).await;
    }

    /// Types an address that does not open: the code that the browser shows.
    pub async fn fails(&self, path: &str) -> String {
        let url = json!({ "url": format!("{}{path}", self.origin) });
        let said = match self.driver.ask("POST", "/url", Some(&url)).await {
            Err(said) => said,
            // The browser's own page about it can be there before its driver knows.
            Ok(_) => self.text().await,
        };
        let (_, code) = said.split_once("ERR_").expect(&said);
        let name = |letter: &char| letter.is_ascii_uppercase() || *letter == '_';
        let code: String = code.chars().take_while(name).collect();
        format!("ERR_{code}")
    }

    pub async fn go_to(&self, url: &str) {
        self.ask("POST", "/url", json!({ "url": url })).await;
    }

    pub async fn back(&self) {
        self.ask("POST", "/back", json!({})).await;
    }

    pub async fn url(&self) -> String {
        text_of(self.look("/url").await)
    }

    /// The path of the page, as long as it is one of ours.
    pub async fn path(&self) -> String {
        let url = self.url().await;
        url.strip_prefix(&self.origin).unwrap_or(&url).to_owned()
    }

    /// What the tab says.
    pub async fn title(&self) -> String {
        text_of(self.look("/title").await)
    }

    pub async fn heading(&self) -> String {
        self.text_at("//h1").await
    }

    /// What can be read on the page.
    pub async fn text(&self) -> String {
        self.text_at("//body").await
    }

    pub async fn source(&self) -> String {
        text_of(self.look("/source").await)
    }

    /// Fills in the field with that label.
    pub async fn fill(&self, label: &str, value: &str) {
        let field = self.labelled(label).await;
        self.fill_in(&field, value).await;
    }

    /// The same by name, for parts of a date, whose labels repeat.
    pub async fn fill_named(&self, name: &str, value: &str) {
        let field = self.one(&format!("//*[@name={}]", quoted(name))).await;
        self.fill_in(&field, value).await;
    }

    /// What is there is replaced.
    async fn fill_in(&self, field: &str, value: &str) {
        if self.has_keys_only() {
            return self.types(field, value).await;
        }
        self.ask("POST", &format!("/element/{field}/clear"), json!({}))
            .await;
        let value = json!({ "text": value });
        self.ask("POST", &format!("/element/{field}/value"), value)
            .await;
    }

    /// Ticks the box, or chooses the button, with that label; of a list, the option.
    pub async fn choose(&self, label: &str) {
        let label = quoted(label);
        self.click(&format!(
            "//label[normalize-space()={label}] | //option[normalize-space()={label}]"
        ))
        .await;
    }

    /// Presses the button or follows the link that says exactly this; returns when the page that it
    /// leads to is there.
    pub async fn press(&self, label: &str) {
        self.follow(&named(label)).await;
    }

    /// The same by where it stands.
    pub async fn follow(&self, xpath: &str) {
        self.run("window.isOld = true;").await;
        self.click(xpath).await;
        let begun = Instant::now();
        let arrived = "return !window.isOld && document.readyState === 'complete';";
        let arrived = json!({ "script": arrived, "args": [] });
        // Between two pages there is none to ask.
        while self
            .driver
            .ask("POST", "/execute/sync", Some(&arrived))
            .await
            != Ok(json!(true))
        {
            assert!(begun.elapsed() < WITHIN, "{xpath} leads nowhere");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Presses what leads to no other page: a summary that opens, a link within the page, a file.
    pub async fn press_here(&self, label: &str) {
        self.click(&named(label)).await;
    }

    async fn click(&self, xpath: &str) {
        let element = self.one(xpath).await;
        if self.has_keys_only() {
            return self.presses(&element).await;
        }
        self.ask("POST", &format!("/element/{element}/click"), json!({}))
            .await;
    }

    /// Whether something stands on the page that this finds.
    pub async fn has(&self, xpath: &str) -> bool {
        !self.all(xpath).await.is_empty()
    }

    async fn labelled(&self, label: &str) -> String {
        let label = quoted(label);
        self.one(&format!("//*[@id=//label[normalize-space()={label}]/@for]"))
            .await
    }

    async fn all(&self, xpath: &str) -> Vec<String> {
        let how = json!({ "using": "xpath", "value": xpath });
        let found = self.ask("POST", "/elements", how).await;
        let found = found.as_array().unwrap().iter();
        found.map(|one| text_of(one[ELEMENT].clone())).collect()
    }

    async fn one(&self, xpath: &str) -> String {
        let found = self.all(xpath).await.into_iter().next();
        let Some(found) = found else {
            panic!("{xpath} is not on the page: {}", self.text().await)
        };
        found
    }

    async fn text_at(&self, xpath: &str) -> String {
        match self.all(xpath).await.first() {
            Some(element) => text_of(self.look(&format!("/element/{element}/text")).await),
            None => String::new(),
        }
    }

    /// Presses keys one after another.
    pub async fn keys(&self, keys: &[&str]) {
        let each = keys
            .iter()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })));
        let each: Vec<Value> = each.collect();
        let actions = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": each }] });
        self.ask("POST", "/actions", actions).await;
    }

    /// Whether pages may run script. What the test itself runs is not bound by it.
    pub async fn script(&self, on: bool) {
        let value = json!({ "value": !on });
        self.devtools("Emulation.setScriptExecutionDisabled", value)
            .await;
    }

    /// What the browser keeps for the town, `HttpOnly` or not.
    pub async fn cookies(&self) -> Vec<(String, String)> {
        let said = self.devtools("Network.getAllCookies", json!({})).await;
        let cookies = said["cookies"].as_array().unwrap().iter();
        cookies
            .map(|cookie| {
                (
                    text_of(cookie["name"].clone()),
                    text_of(cookie["value"].clone()),
                )
            })
            .collect()
    }

    /// Waits until the address begins so.
    pub async fn until_at(&self, start: &str) {
        let begun = Instant::now();
        loop {
            let url = self.url().await;
            if url.starts_with(start) {
                return;
            }
            assert!(begun.elapsed() < WITHIN, "still at {url}, not at {start}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Runs the test's own script on the page.
    pub async fn run(&self, script: &str) -> Value {
        let body = json!({ "script": script, "args": [] });
        self.ask("POST", "/execute/sync", body).await
    }

    /// The same, and waits until it calls its last argument.
    pub async fn run_async(&self, script: &str) -> Value {
        let body = json!({ "script": script, "args": [] });
        self.ask("POST", "/execute/async", body).await
    }

    pub async fn devtools(&self, command: &str, params: Value) -> Value {
        let said = self.driver.devtools(command, params).await;
        said.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    async fn look(&self, path: &str) -> Value {
        let said = self.driver.ask("GET", path, None).await;
        said.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> Value {
        let said = self.driver.ask(method, path, Some(&body)).await;
        said.unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

fn text_of(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => panic!("no text: {other}"),
    }
}

/// What can be pressed and says exactly this; in the page's own part first.
fn named(label: &str) -> String {
    let label = quoted(label);
    format!(
        "//main//button[normalize-space()={label}] | //main//a[normalize-space()={label}] | \
         //button[normalize-space()={label}] | //a[normalize-space()={label}] | \
         //summary[normalize-space()={label}]"
    )
}

/// Text as XPath writes it, which has no escape: a text with both quotes is put together.
fn quoted(text: &str) -> String {
    if !text.contains('"') {
        return format!("\"{text}\"");
    }
    let parts: Vec<String> = text.split('"').map(|part| format!("\"{part}\"")).collect();
    format!("concat({})", parts.join(", '\"', "))
}
