//! What a service can meet: said on one page by its administrator, read on another before an offer is
//! answered.

use firedoor::ops::demo::borough::SERVICE;
use firedoor::ops::demo::people::{her, referral};
use serde_json::json;

use super::Browser;
use crate::town::{Town, ago};

impl Browser {
    /// What is looked at with script looks the same without.
    async fn is_fit_with(&self, script: bool) {
        if script {
            self.is_fit().await;
        }
    }
}

const ACCEPT: &str = "(//main//a[starts-with(normalize-space(), 'Accept')])[1]";

async fn said_and_read(script: bool) {
    let town = Town::start().await;
    let mut sent = referral(SERVICE, &her(), ago(2), None);
    sent["needs"] = json!(["housing_safe", "emotional", "interpreter"]);
    let said = town.desk("met").await.post("/v1/referrals", &sent).await;
    assert_eq!(said.status, 201, "{}", said.body);

    let adviser = Browser::signed_in(&town, "larkfield-browser").await;
    adviser.script(script).await;
    adviser.go("/inbox").await;
    let text = adviser.text().await;
    assert!(
        text.contains("You have not said that you can meet: Interpreter."),
        "{text}"
    );
    adviser.is_fit_with(script).await;

    let admin = Browser::signed_in(&town, "larkfield-admin").await;
    admin.script(script).await;
    admin.go("/").await;
    admin.press("Services").await;
    assert_eq!(admin.heading().await, "What your services can meet");
    admin.is_fit_with(script).await;
    admin.press("Change: Service 14").await;
    admin.is_fit_with(script).await;
    admin.choose("None of these").await;
    admin.press("Save").await;
    let text = admin.text().await;
    assert!(text.contains("but not both"), "{text}");
    admin.is_fit_with(script).await;
    admin.choose("None of these").await;
    admin.choose("Interpreter").await;
    admin.press("Save").await;
    assert_eq!(admin.heading().await, "What your services can meet");
    let text = admin.text().await;
    assert!(text.contains("Interpreter"), "{text}");
    admin.press("Still right: Service 14").await;
    assert_eq!(admin.heading().await, "What your services can meet");

    adviser.go("/inbox").await;
    let text = adviser.text().await;
    assert!(text.contains("You can meet every need recorded."), "{text}");
    adviser.follow(ACCEPT).await;
    let text = adviser.text().await;
    assert!(text.contains("You can meet every need recorded."), "{text}");
    adviser.is_fit_with(script).await;
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_service_can_meet_is_said_and_read_with_script() {
    said_and_read(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_service_can_meet_is_said_and_read_without_script() {
    said_and_read(false).await;
}
