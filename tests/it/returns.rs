//! A quarter's return, through the whole gateway: what a charity did with what it was offered is what it
//! reads of itself, on the API, on the page and in the file; nobody else's, and nobody in it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use firedoor::domain::codes::Role;
use firedoor::domain::returns::quarters;
use firedoor::domain::time::When;
use firedoor::ops::clock::now;
use serde_json::{Value, json};

use crate::pages::Visitor;
use crate::town::{Desk, Said};
use crate::urgency::{Story, accept, offers, urgent};

/// The running quarter, and those before it.
fn choices() -> Vec<String> {
    let london = jiff::tz::TimeZone::get("Europe/London").unwrap();
    let today = now().timestamp().unwrap().to_zoned(london).date();
    let all = quarters(today);
    all.iter().map(ToString::to_string).collect()
}

async fn read(desk: &Desk, quarter: &str) -> Said {
    desk.get(&format!("/v1/returns?quarter={quarter}")).await
}

fn person(number: usize) -> Value {
    let given = [
        "Berit", "Solveig", "Ingrid", "Ragnhild", "Torunn", "Kjersti",
    ][number];
    let born = format!("19{}-0{}-1{number}", 60 + 5 * number, number + 1);
    json!({ "given_name": given, "family_name": "Invented", "birth_date": born })
}

/// Offered to the charity; its name there.
async fn offered(story: &Story, number: usize) -> (String, When) {
    let before: Vec<Value> = offers(&story.charity).await;
    story.send(&urgent(&person(number))).await;
    let after = offers(&story.charity).await;
    let new = after
        .iter()
        .find(|one| before.iter().all(|old| old["id"] != one["id"]))
        .unwrap();
    let by = When::parse(new["answer"]["by"].as_str().unwrap()).unwrap();
    (new["id"].as_str().unwrap().to_owned(), by)
}

async fn answers(story: &Story, id: &str, how: &str, body: &Value, told: &str) {
    let path = format!("/v1/referrals/{id}/{how}");
    let said = story.charity.post(&path, body).await;
    assert_eq!(said.result(), told, "{}", said.whole());
}

/// One of each: taken, declined twice, on the waiting list, handed back, not answered.
async fn a_quarter(story: &Story) {
    let (id, _) = offered(story, 0).await;
    answers(story, &id, "accept", &accept(), "released").await;
    for (number, reason) in [(1, "full"), (2, "no_interpreter")] {
        let (id, _) = offered(story, number).await;
        let reason = json!({ "reason": reason });
        answers(story, &id, "decline", &reason, "declined").await;
    }
    let (id, _) = offered(story, 3).await;
    answers(story, &id, "wait", &json!({}), "waiting").await;
    let (id, _) = offered(story, 4).await;
    answers(story, &id, "accept", &accept(), "released").await;
    let knows = json!({ "reason": "knows_her" });
    answers(story, &id, "hand-back", &knows, "handed-back").await;
    let (_, by) = offered(story, 5).await;
    let gateway = &story.town.running.app.gateway;
    gateway.pass_offers_on(by).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charity_reads_what_it_did_and_nobody_reads_who_it_was() {
    let story = Story::start().await;
    let quarter = &choices()[0];
    let empty = read(&story.charity, quarter).await;
    assert_eq!((empty.status, empty.result()), (200, "return"));
    assert_eq!(empty.body["return"]["total"]["offered"], 0);
    assert_eq!(
        empty.body["return"]["total"]["median_minutes_to_answer"],
        Value::Null
    );
    a_quarter(&story).await;

    let said = read(&story.charity, quarter).await;
    let told = &said.body["return"];
    assert_eq!(told["quarter"], **quarter);
    assert_eq!(
        (&told["so_far"], &told["whole"]),
        (&json!(true), &json!(true))
    );
    let total = json!({
        "offered": 6, "offered_by_move": 0, "accepted": 2, "waiting_list": 1, "not_taken": 2,
        "not_taken_by_reason": { "full": 1, "other": 1 }, "unanswered": 1, "handed_back": 1,
        "closed": 0, "moves_asked": 0, "answers": 5, "median_minutes_to_answer": 0,
    });
    assert_eq!(told["total"], total, "{}", said.whole());
    let services = told["services"].as_array().unwrap();
    let with = services.iter().filter(|one| one["offered"] != 0);
    let with: Vec<&Value> = with.collect();
    assert_eq!(with.len(), 1);
    assert_eq!(with[0]["not_taken_by_reason"], total["not_taken_by_reason"]);
    assert!(with[0]["name"].is_string());
    // The quarter before has none of it.
    let before = read(&story.charity, &choices()[1]).await;
    assert_eq!(before.body["return"]["total"]["offered"], 0);
    assert_eq!(before.body["return"]["so_far"], false);

    // The service that was asked next has its own, and nothing of where it came from.
    let there = read(&story.harbour, quarter).await;
    assert_eq!(there.body["return"]["total"]["offered"], 4);
    assert_eq!(there.body["return"]["total"]["accepted"], 0);
    for said in [&said, &there] {
        for word in [
            "Berit",
            "Invented",
            "met",
            "police",
            "interpreter",
            "language",
            "by_and_for",
            "knows",
            "R-",
        ] {
            let told = said.body["return"].to_string();
            assert!(!told.contains(word), "{word}: {told}");
        }
    }
    assert!(!there.whole().contains("larkfield"));

    // Reading it is an entry of its own officer's log.
    let officer = story.town.signed_in("larkfield-ig").await;
    let log = officer.get("/v1/audit/entries?action=read_return").await;
    assert_eq!(log.list("/entries").len(), 3, "{}", log.whole());
    story.town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn police_read_none_and_a_quarter_that_is_none_is_said_to_be_wrong() {
    let story = Story::start().await;
    let quarter = &choices()[0];
    let said = read(&story.met, quarter).await;
    assert_eq!(
        (said.status, said.text("/title")),
        (403, Some("role-not-allowed"))
    );
    assert!(said.body["return"].is_null());
    // Nor in a role that the desk's certificate does not have.
    let other = story.met.as_user("4417", Role::Adviser);
    assert_eq!(read(&other, quarter).await.status, 403);

    let huge = "9".repeat(2_000);
    let (year, _) = quarter.split_once('-').unwrap();
    let year: i16 = year.parse().unwrap();
    let (future, old) = (format!("{}-Q1", year + 1), format!("{}-Q4", year - 3));
    for wrong in [
        "",
        "2026-Q5",
        "2026-Q0",
        "2026-10",
        "2026-Q3%27",
        &huge,
        &future,
        &old,
    ] {
        let said = read(&story.charity, wrong).await;
        assert_eq!(said.status, 422, "{wrong}: {}", said.whole());
        assert_eq!(said.text("/fields/0/field"), Some("quarter"));
        let message = said.text("/fields/0/message").unwrap();
        assert_eq!(message, "give a quarter of the last two years, as 2026-Q3");
    }
    assert_eq!(story.charity.get("/v1/returns").await.status, 422);
    story.town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn she_opens_it_from_her_first_page_and_keeps_it_as_a_file() {
    let story = Story::start().await;
    a_quarter(&story).await;
    let mut worker = Visitor::sign_in(&story.town, "larkfield-browser").await;
    let home = worker.get("/").await;
    assert!(home.links().iter().any(|(path, _)| path == "/return"));
    // The last quarter that is over, unless she chooses another.
    let (running, over) = (&choices()[0], &choices()[1]);
    let page = worker.get("/return").await;
    let chosen = format!("<option value=\"{over}\" selected>");
    assert!(page.html.contains(&chosen), "{}", page.html);
    assert_eq!(page.html.matches("<option").count(), 9);
    assert!(!page.text.contains("not over"));

    let page = worker.get(&format!("/return?quarter={running}")).await;
    for part in [
        "This quarter is not over",
        "Referrals, not people",
        "Referrals offered to you 6",
        "Not taken: we are full 1",
        "Not taken: another reason 1",
        "Not answered in time 1",
        "Handed back within a day 1",
        "Middle time to answer, in hours 0.0",
    ] {
        assert!(page.text.contains(part), "{part}: {}", page.text);
    }
    assert!(page.bytes.len() < 100_000);
    assert!(!page.text.contains("interpreter"), "{}", page.text);

    let file = page
        .links()
        .into_iter()
        .find(|(path, _)| path.contains("as=csv"));
    let file = worker.get(&file.unwrap().0.replace("&amp;", "&")).await;
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    let name = format!("attachment; filename=\"return-{running}.csv\"");
    assert_eq!(file.header("content-disposition"), name);
    let lines: Vec<&str> = file.html.split("\r\n").collect();
    assert_eq!(lines[0], "quarter,state,service,name,measure,value");
    let all = format!("{running},so far,,All services,not_taken_full,1");
    assert!(lines.contains(&all.as_str()), "{}", file.html);

    let wrong = worker.get("/return?quarter=2026-Q5").await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("Choose one of the last two years"));

    let mut officer = Visitor::sign_in(&story.town, "met-browser").await;
    let home = officer.get("/").await;
    assert!(home.links().iter().all(|(path, _)| path != "/return"));
    assert_ne!(officer.get("/return").await.status, 200);
    story.town.stop().await;
}
