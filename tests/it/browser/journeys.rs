//! A whole day in the browser, with script and a mouse, and with neither: enrolled, sent, answered,
//! asked, recorded, withdrawn, an emergency, Monday. Each page on the way is looked at as [`Browser::is_fit`] does.

use std::collections::BTreeSet;

use axum::http::Method;
use firedoor::domain::codes::Role;
use firedoor::ops::demo::borough::{CHARITY, OTHER_SERVICE, SERVICE};
use firedoor::ops::demo::people::{TEST_PEOPLE, assessment, her, nobody, referral};
use firedoor::web::declared;
use serde_json::{Value, json};

use super::Browser;
use crate::town::{Town, ago};

const REFUSED_NOTE: &str = "She needs a bed tonight. Her visa expired in May.";
const CLEAN_NOTE: &str = "She needs a bed tonight.";

impl Browser {
    /// Chooses by name and value: a radio button, a box, or an option of a list.
    async fn pick(&self, name: &str, value: &str) {
        let option = format!(
            "//input[@name='{name}'][@value='{value}'] | //select[@name='{name}']/option[@value='{value}']"
        );
        let element = self.one(&option).await;
        // A box that is ticked already stays so.
        if self.look(&format!("/element/{element}/selected")).await != json!(true) {
            self.click(&option).await;
        }
    }

    /// With script somebody points; without it nobody does, and all is done by keys.
    async fn begins(town: &Town, bundle: &str, script: bool) -> Self {
        let browser = Self::signed_in(town, bundle).await;
        browser.script(script).await;
        if !script {
            browser.puts_the_mouse_away();
        }
        browser
    }

    /// The page says this, and with script it is fit.
    async fn shows(&self, words: &str, script: bool) {
        let text = self.text().await;
        assert!(
            text.contains(words),
            "{words:?} is not on {}: {text}",
            self.url().await
        );
        if script {
            self.is_fit().await;
        }
    }

    /// Sends the first form of the page that goes there.
    async fn send(&self, action: &str) {
        self.follow(&format!(
            "(//main//form[starts-with(@action, '{action}')]//button)[1]"
        ))
        .await;
    }

    /// Follows the first link of the page's own part that leads there.
    async fn open_first(&self, path: &str) {
        self.follow(&format!("(//main//a[starts-with(@href, '{path}')])[1]"))
            .await;
    }

    /// Who she is.
    async fn writes_who(&self, prefix: &str, who: &Value) {
        for key in ["given_name", "family_name", "nhs_number"] {
            if let Some(value) = who[key].as_str() {
                self.fill_named(&format!("{prefix}{key}"), value).await;
            }
        }
        let born = who["birth_date"].as_str().unwrap().split('-');
        for (part, value) in ["year", "month", "day"].into_iter().zip(born) {
            self.fill_named(&format!("{prefix}birth_date-{part}"), value)
                .await;
        }
    }

    /// How she said it, alone with the worker.
    async fn says_it_alone(&self) {
        self.pick("consent.how", "spoken").await;
        self.pick("consent.language", "en").await;
        self.pick("consent.interpreter", "none").await;
        self.pick("consent.other_party_present", "no").await;
    }

    /// The officer's form, up to the button.
    async fn fills_in_a_referral(&self, who: &Value, note: &str) {
        self.pick("offence_group", "domestic_abuse").await;
        self.pick("area", "E09000022").await;
        self.pick("needs", "housing_safe").await;
        self.pick("consent.decision", "permit").await;
        self.says_it_alone().await;
        self.pick("service", SERVICE).await;
        self.writes_who("identity.", who).await;
        self.pick("safe_contact.modes", "phone").await;
        self.fill_named("safe_contact.number", "07700 900123").await;
        self.fill_named("safe_contact.who_may_answer", "Only she")
            .await;
        self.fill_named("safe_contact.code_word", "about the library card")
            .await;
        self.fill_named("note", note).await;
    }
}

fn berit() -> Value {
    json!({ "given_name": "Berit", "family_name": "Invented", "birth_date": "1990-01-02" })
}

/// An officer refers a woman; the note tells what no service needs.
async fn refers(town: &Town, script: bool) {
    let officer = Browser::begins(town, "met-browser", script).await;
    officer.go("/new").await;
    officer
        .shows("Do not record immigration status", script)
        .await;
    // Empty: everything that is missing is said, and nothing that was written is lost.
    officer.fill_named("identity.family_name", "Invented").await;
    officer.press("Send the referral").await;
    officer.shows("There is a problem", script).await;
    let kept = "//input[@name='identity.family_name'][@value='Invented']";
    assert!(officer.has(kept).await);

    officer.fills_in_a_referral(&her(), REFUSED_NOTE).await;
    officer.press("Check the words first").await;
    officer.shows("Nothing has been sent yet", script).await;
    assert!(officer.has("//mark[contains(., 'visa')]").await);
    officer.press("Send the referral").await;
    officer.shows("Your note was not sent", script).await;
    officer.shows("Pass on by", false).await;
    officer.fill_named("note", CLEAN_NOTE).await;
    officer.press("Send the note").await;
    officer.shows("note", script).await;
}

/// Then another, who is to be called by the same hour.
async fn refers_another(town: &Town, script: bool) {
    let officer = Browser::begins(town, "met-browser", script).await;
    officer.go("/new").await;
    officer.fills_in_a_referral(&berit(), "").await;
    officer.press("Send the referral").await;
    officer.shows("Offered: ", false).await;
    called_away(&officer, script).await;
    officer.go("/sent").await;
    officer.shows("Recorded", script).await;
}

/// She is called away before she has sent it, keeps it, and comes back to it by the list.
async fn called_away(officer: &Browser, script: bool) {
    officer.go("/new").await;
    officer.fill_named("identity.given_name", "Cleo").await;
    officer.fill_named("note", REFUSED_NOTE).await;
    officer.press("Keep for later").await;
    officer.shows("Nothing is kept", script).await;
    assert!(officer.has("//mark[contains(., 'visa')]").await);
    let kept = "//input[@name='identity.given_name'][@value='Cleo']";
    assert!(officer.has(kept).await, "everything stays on the screen");
    officer.go("/new").await;
    assert!(!officer.text().await.contains("Not sent yet"));

    officer.fill_named("identity.given_name", "Cleo").await;
    officer.pick("offence_group", "burglary").await;
    officer.pick("needs", "emotional").await;
    officer.press("Keep for later").await;
    officer.shows("Kept for later", script).await;
    officer.go("/new").await;
    officer.shows("Not sent yet", script).await;
    assert!(!officer.text().await.contains("Cleo"), "it names nobody");
    officer.open_first("/drafts/").await;
    officer.shows("It goes by itself", script).await;
    assert!(officer.has(kept).await);
    officer.pick("consent.decision", "permit").await;
    officer.says_it_alone().await;
    officer.pick("service", OTHER_SERVICE).await;
    officer.press("Send the referral").await;
    officer.shows("Offered: ", false).await;
    officer.go("/new").await;
    assert!(!officer.text().await.contains("Not sent yet"));
}

/// The charity accepts her.
async fn answers(charity: &Browser, script: bool) {
    charity.go("/inbox").await;
    charity.shows("Domestic abuse", script).await;
    assert!(
        !charity.text().await.contains("Invented"),
        "it names nobody"
    );
    charity.open_first("/inbox/").await;
    charity.shows("Not for us", script).await;
    charity.press("Accept and see who she is").await;
    charity.shows("There is a problem", script).await;
    charity.pick("onward_rule_accepted", "yes").await;
    charity.press("Accept and see who she is").await;
    charity.shows("about the library card", script).await;
}

/// The other waits first, and is declined then: it must say why.
async fn declines(charity: &Browser, script: bool) {
    charity.go("/inbox").await;
    charity.open_first("/inbox/").await;
    charity.press("Put on waiting list").await;
    charity.shows("She is on your waiting list", script).await;
    charity.go("/inbox").await;
    charity.shows("On your waiting list", script).await;
    charity.open_first("/inbox/").await;
    assert!(!charity.text().await.contains("Put on waiting list"));
    charity.press("Not for us").await;
    charity.shows("Choose the reason", script).await;
    charity.pick("reason", "full").await;
    charity.press("Not for us").await;
    charity.shows("not for you", script).await;
}

/// The charity tells that the danger has grown, and opens the form for her move.
async fn tells_news(charity: &Browser, script: bool) {
    charity.go("/inbox").await;
    charity.follow("//main//table//a").await;
    let case = charity.path().await;
    charity.press("Something has changed").await;
    charity.shows("What has changed?", script).await;
    charity.press("Tell those who have her").await;
    charity.shows("Choose what has changed", script).await;
    charity.pick("code", "risk_raised").await;
    charity.press("Tell those who have her").await;
    charity.shows("Taken: ", script).await;
    charity.go(&case).await;
    charity.press("She moves to another area").await;
    charity
        .shows("Do not ask for her new address", script)
        .await;
    assert!(!charity.text().await.contains("Karim"), "it names nobody");
}

/// By another woman's name the charity sees that it knows him.
async fn hands_back(town: &Town, charity: &Browser, script: bool) {
    let sent = referral(SERVICE, &TEST_PEOPLE[1].identity(), ago(2), None);
    let said = town.desk("met").await.post("/v1/referrals", &sent).await;
    assert_eq!(said.status, 201, "{}", said.whole());
    charity.go("/inbox").await;
    charity.open_first("/inbox/").await;
    charity.pick("onward_rule_accepted", "yes").await;
    charity.press("Accept and see who she is").await;
    charity.shows("hours left", script).await;
    let hers = charity.path().await.replace("/accept", "");
    charity.press("We have a conflict: hand her back").await;
    charity.shows("Destroy it", script).await;
    charity.send("/inbox/").await;
    charity.shows("Choose the conflict", script).await;
    charity.pick("reason", "knows_other_party").await;
    charity.send("/inbox/").await;
    charity.shows("You have handed her back", script).await;
    charity.go(&hers).await;
    charity.shows("This is closed for you", script).await;
}

/// The charity opens her case, asks in two steps what was assessed, records its own, and she stops it.
async fn asks_records_and_stops(charity: &Browser, script: bool) {
    charity.go("/inbox").await;
    charity.follow("//main//table//a").await;
    charity.shows("What next", script).await;
    let case = charity.path().await;
    charity.press("Ask what was assessed before").await;
    let ask = charity.path().await;
    charity.shows("Read this to her", script).await;
    for (step, says) in [
        ("exists", "An earlier assessment exists"),
        ("cards", "SafeLives Dash, 24 questions"),
    ] {
        charity.pick(&format!("agrees_{step}"), "now").await;
        charity.says_it_alone().await;
        charity.pick("onward_rule_accepted", "yes").await;
        charity.send("/ask/").await;
        charity.shows(says, script).await;
    }

    charity.go(&case).await;
    charity.press("Record an assessment").await;
    charity.shows("SafeLives Dash", script).await;
    charity.press("SafeLives Dash, 24 questions, 2015").await;
    for number in 1..=24 {
        charity.pick(&format!("item-q{number}"), "yes").await;
    }
    charity.pick("grade", "high").await;
    charity.pick("basis", "professional_judgement").await;
    charity.send("/record/").await;
    charity.shows("Say why you graded so", script).await;
    charity.pick("judgement_codes", "violence_growing").await;
    charity.pick("shares", "no").await;
    charity.says_it_alone().await;
    charity.send("/record/").await;
    charity.shows("Recorded", script).await;

    charity.go(&case).await;
    charity.press("She wants to stop something").await;
    charity.pick("scope", "everything").await;
    charity.pick("pause", "no").await;
    charity.pick("channel", "in_person").await;
    charity.shows("stop", script).await;
    charity.send("/stop/").await;
    charity.shows("It is stopped", script).await;
    charity.go(&ask).await;
    charity.pick("agrees_exists", "now").await;
    charity.says_it_alone().await;
    charity.pick("onward_rule_accepted", "yes").await;
    charity.send("/ask/").await;
    charity
        .shows("There is nothing we can show you", script)
        .await;
}

/// At three in the morning, for another woman.
async fn breaks_the_glass(town: &Town, script: bool) {
    let nurse = Browser::begins(town, "st-hildas-browser", script).await;
    nurse.go("/emergency").await;
    nurse.shows("emergency", script).await;
    nurse.writes_who("identity.", &nobody()).await;
    nurse.pick("reason", "life_at_risk").await;
    nurse
        .fill_named("text", "Unconscious after an assault, who is safe?")
        .await;
    nurse.pick("on_shift", "yes").await;
    nurse.send("/emergency").await;
    nurse.shows("Who will be told", script).await;
    nurse.pick("onward_rule_accepted", "yes").await;
    nurse.send("/emergency").await;
    nurse.shows("nothing we can show you", script).await;
    nurse.go("/emergencies").await;
    nurse.shows("Follow", script).await;
}

/// The operator proposes a charity.
async fn enrols(town: &Town, script: bool) {
    let operator = Browser::begins(town, "operator", script).await;
    operator.go("/propose").await;
    operator.press("Enrol an organisation").await;
    operator.press("Propose this").await;
    operator.shows("There is a problem", script).await;
    for (name, value) in [
        ("organisation", "brookside"),
        ("name", "Brookside Women's Centre"),
        ("area", "E09000022"),
        ("team", "advice"),
        ("team_name", "Advice"),
    ] {
        operator.fill_named(name, value).await;
    }
    operator.pick("kind", "voluntary_generic").await;
    operator.pick("taint", "none").await;
    operator.press("Propose this").await;
    operator
        .shows(
            "A person of another organisation must approve this.",
            script,
        )
        .await;
}

/// Monday: the queue, one item decided, and the report that she asked for.
async fn reviews(town: &Town, script: bool) {
    let officer = Browser::begins(town, "st-hildas-ig", script).await;
    officer.go("/monday").await;
    officer.shows("To decide", script).await;
    officer.open_first("/monday/").await;
    officer.shows("before", script).await;
    officer.pick("decision", "accept").await;
    officer.send("/monday/").await;
    officer.shows("To decide", false).await;
    for path in ["/log-entries", "/figures", "/state"] {
        officer.go(path).await;
        officer.shows("Messages", script).await;
    }
    officer.go("/proposals").await;
    officer.shows("Brookside Women's Centre", script).await;
    let approve = "//main//form[contains(@action, '/approve')]//button";
    officer.follow(approve).await;
    officer.shows("Nothing waits.", false).await;
    officer.go("/subject-report").await;
    officer.writes_who("identity.", &her()).await;
    officer.pick("identity_checked", "yes").await;
    officer.shows("report", script).await;
    officer.send("/subject-report").await;
    officer.shows("WHAT WE HOLD ABOUT YOU", script).await;
}

async fn day(script: bool) {
    let town = Town::start().await;
    let hospital = town.desk("st-hildas").await;
    let assessed = assessment(ago(3), CHARITY);
    let said = hospital.post("/v1/assessments", &assessed).await;
    assert_eq!(said.status, 201, "{}", said.whole());
    refers(&town, script).await;
    let charity = Browser::begins(&town, "larkfield-browser", script).await;
    answers(&charity, script).await;
    refers_another(&town, script).await;
    declines(&charity, script).await;
    tells_news(&charity, script).await;
    hands_back(&town, &charity, script).await;
    asks_records_and_stops(&charity, script).await;
    drop(charity);
    breaks_the_glass(&town, script).await;
    enrols(&town, script).await;
    reviews(&town, script).await;
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_is_worked_through_with_script_and_each_page_is_fit() {
    day(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_is_worked_through_without_script_and_without_a_mouse() {
    day(false).await;
}

/// Every page that is for these people and has no name in its address, each once.
async fn looks_everywhere(people: &[(&str, Role)]) {
    let town = Town::start().await;
    let mut seen = BTreeSet::new();
    for (bundle, role) in people {
        let browser = Browser::signed_in(&town, bundle).await;
        for page in declared() {
            let looks = page.method == Method::GET && !page.path.contains('{');
            // These two end the session.
            let stays = !["/leave", "/ended"].contains(&page.path);
            if looks && stays && page.whom.is_open_to(*role, true) && seen.insert(page.path) {
                browser.go(page.path).await;
                browser.is_fit().await;
            }
        }
    }
    assert!(seen.len() > 12, "{seen:?}");
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_page_of_those_who_work_with_her_is_fit_when_it_is_empty() {
    let people = [
        ("st-hildas-browser", Role::EdSenior),
        ("larkfield-browser", Role::Adviser),
        ("met-browser", Role::Officer),
    ];
    looks_everywhere(&people).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_page_of_those_who_watch_and_govern_is_fit_when_it_is_empty() {
    let people = [
        ("st-hildas-ig", Role::IgOfficer),
        ("operator", Role::OperatorAdmin),
        ("st-hildas-caldicott", Role::Caldicott),
    ];
    looks_everywhere(&people).await;
}
