//! The pages of those who audit, guard and govern, as they see them: Monday's review, the log, a month,
//! the report for her, and changes that two people make.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use firedoor::domain::codes::Role;
use firedoor::ops::demo::borough::CHARITY;
use firedoor::ops::demo::people::{
    FAMILY_NAME, GIVEN_NAME, NHS_NUMBER, assessment, emergency, her,
};
use serde_json::json;

use crate::pages::{Seen, Visitor};
use crate::town::{Town, ago};

/// A hospital assessed her, and breaks the glass about her.
async fn glass_broken(town: &Town) {
    let hospital = town.desk("st-hildas").await;
    let assessed = hospital
        .post("/v1/assessments", &assessment(ago(3), CHARITY))
        .await;
    assert_eq!(assessed.status, 201, "{}", assessed.body);
    let senior = hospital.as_user("sr-bell", Role::EdSenior);
    let opened = senior.post("/v1/emergency", &emergency(true)).await;
    assert_eq!(opened.status, 200, "{}", opened.body);
}

/// Where the first link with these words leads.
fn link(seen: &Seen, words: &str) -> String {
    let links = seen.links();
    let found = links.into_iter().find(|(_, text)| text.contains(words));
    found
        .unwrap_or_else(|| panic!("no link {words} in {}", seen.text))
        .0
}

/// Her, as an officer types her in.
const HER: [(&str, &str); 6] = [
    ("identity.family_name", FAMILY_NAME),
    ("identity.given_name", GIVEN_NAME),
    ("identity.birth_date-day", "14"),
    ("identity.birth_date-month", "3"),
    ("identity.birth_date-year", "1991"),
    ("identity.nhs_number", NHS_NUMBER),
];
const NOBODY: [(&str, &str); 5] = [
    ("identity.family_name", "Veldt"),
    ("identity.given_name", "Norah"),
    ("identity.birth_date-day", "2"),
    ("identity.birth_date-month", "11"),
    ("identity.birth_date-year", "1984"),
];

fn names_her(seen: &Seen) -> bool {
    seen.html.contains(FAMILY_NAME) || seen.html.contains(NHS_NUMBER)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_officer_goes_from_monday_s_counts_to_a_decision() {
    let town = Town::start().await;
    let mut ig = Visitor::sign_in(&town, "st-hildas-ig").await;
    let quiet = ig.get("/monday").await;
    // What was looked for is said, never a blank.
    assert!(
        quiet
            .text
            .contains("Nothing to decide. 22 rules were checked"),
        "{}",
        quiet.text
    );
    assert!(quiet.text.contains("The log "), "{}", quiet.text);
    glass_broken(&town).await;
    let monday = ig.get("/monday").await;
    assert!(
        monday
            .text
            .contains("1 emergency views opened, over somebody's consent"),
        "{}",
        monday.text
    );
    let at = link(&monday, "An emergency view was opened");
    let item = ig.get(&at).await;
    for part in [
        "sr-bell",
        "Opened details in an emergency",
        "Reason given",
        "New",
    ] {
        assert!(item.text.contains(part), "{part} in {}", item.text);
    }
    assert!(!names_her(&item), "{}", item.text);
    // Nothing is decided without a decision.
    let unsaid = ig.post(&at, &[]).await;
    assert_eq!(unsaid.status, 422, "{}", unsaid.text);
    assert!(
        unsaid.text.contains("There is a problem"),
        "{}",
        unsaid.text
    );
    assert_eq!(
        ig.post(&at, &[("decision", "ask")]).await.goes_to(),
        "/monday"
    );
    let asked = ig.follow().await;
    assert!(asked.text.contains("Somebody was asked"), "{}", asked.text);
    // A guardian of the same hospital works the same queue, and reads the entries on the page itself.
    let mut guardian = Visitor::sign_in(&town, "st-hildas-caldicott").await;
    let hers = guardian.get(&at).await;
    assert!(
        hers.text.contains("Opened details in an emergency"),
        "{}",
        hers.text
    );
    let leads = hers
        .links()
        .into_iter()
        .any(|(to, _)| to.starts_with("/log-entries"));
    assert!(!leads, "{:?}", hers.links());
    assert_eq!(
        guardian.post(&at, &[("decision", "accept")]).await.status,
        303
    );
    let done = guardian.follow().await;
    assert!(done.text.contains("Nothing to decide."), "{}", done.text);
    // It is decided once.
    ig.get(&at).await;
    let late = ig.post(&at, &[("decision", "accept")]).await;
    assert_eq!(late.status, 409, "{}", late.text);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_searched_by_worker_and_by_person_and_no_page_says_who_was_looked_for() {
    let town = Town::start().await;
    glass_broken(&town).await;
    let mut ig = Visitor::sign_in(&town, "st-hildas-ig").await;
    let log = ig.get("/log-entries").await;
    assert!(
        log.text.contains("Opened details in an emergency"),
        "{}",
        log.text
    );
    let worker = ig
        .post("/log-entries", &[("user", "sr-bell"), ("as", "page")])
        .await;
    assert!(
        worker.text.contains("sr-bell") && !worker.text.contains("dr-adeyemi"),
        "{}",
        worker.text
    );
    ig.get("/log-entries").await;
    let found = ig.post("/log-entries", &HER).await;
    assert!(
        found.text.contains("Opened details in an emergency"),
        "{}",
        found.text
    );
    assert!(!names_her(&found), "{}", found.text);
    // The same page twice is the same search: nothing was made by it.
    let again = ig.post("/log-entries", &HER).await;
    assert_eq!(again.status, 200, "{}", again.text);
    ig.get("/log-entries").await;
    let nobody = ig.post("/log-entries", &NOBODY).await;
    assert!(
        nobody.text.contains("sees no entry about that person"),
        "{}",
        nobody.text
    );
    assert!(!nobody.html.contains("Veldt"), "{}", nobody.text);
    ig.get("/log-entries").await;
    let wrong = ig
        .post("/log-entries", &[("identity.nhs_number", "123")])
        .await;
    assert_eq!(wrong.status, 422, "{}", wrong.text);
    assert!(
        wrong.html.contains("id=\"identity-nhs_number-error\""),
        "{}",
        wrong.html
    );
    // What was typed is not lost.
    assert!(wrong.html.contains("value=\"123\""), "{}", wrong.html);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_page_shows_of_the_log_can_be_kept_with_its_proofs() {
    let town = Town::start().await;
    glass_broken(&town).await;
    let mut ig = Visitor::sign_in(&town, "st-hildas-ig").await;
    ig.get("/log-entries").await;
    let csv = ig
        .clone()
        .post("/log-entries", &[("action", "break_glass"), ("as", "csv")])
        .await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(
        csv.header("content-disposition"),
        "attachment; filename=\"log.csv\""
    );
    let lines: Vec<&str> = csv
        .html
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    assert!(lines[0].starts_with("entry,at,organisation"), "{lines:?}");
    assert_eq!(lines.len(), 2, "{lines:?}");
    let json = ig
        .clone()
        .post("/log-entries", &[("action", "break_glass"), ("as", "json")])
        .await;
    let json: serde_json::Value = serde_json::from_str(&json.html).unwrap();
    let evidence = json["entries"][0]["evidence"].as_str().unwrap();
    assert!(evidence.contains("c2sp.org/tlog-proof@v1"), "{evidence}");
    let number = json["entries"][0]["entry"].as_u64().unwrap();
    let one = ig.get(&format!("/log-entries/{number}")).await;
    assert!(
        one.text.contains("Its proof") && one.text.contains("Whom it is about"),
        "{}",
        one.text
    );
    let proof = ig.get(&link(&one, "Keep the proof as a file")).await;
    assert!(
        proof.html.contains("c2sp.org/tlog-proof@v1"),
        "{}",
        proof.html
    );
    // What she may not see is as what is not there.
    let absent = ig.get("/log-entries/999999").await;
    assert!(
        absent.text.contains("There is no such entry for you"),
        "{}",
        absent.text
    );
    for bad in [
        "/log-entries/x",
        "/log-entries/..%2Fqueue",
        "/monday/..%2Fentries",
    ] {
        assert_eq!(ig.get(bad).await.status, 404, "{bad}");
    }
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seal_is_asked_for_approved_and_opened_once_in_pages() {
    let town = Town::start().await;
    glass_broken(&town).await;
    let mut ig = Visitor::sign_in(&town, "st-hildas-ig").await;
    ig.get("/log-entries").await;
    let json = ig
        .post("/log-entries", &[("action", "break_glass"), ("as", "json")])
        .await;
    let json: serde_json::Value = serde_json::from_str(&json.html).unwrap();
    let number = json["entries"][0]["entry"].as_u64().unwrap();
    let (entry, seal) = (
        format!("/log-entries/{number}"),
        format!("/log-entries/{number}/seal"),
    );
    ig.get(&entry).await;
    let asked = ig.post(&seal, &[("reason", "complaint")]).await;
    assert!(
        asked.text.contains("A second person is asked"),
        "{}",
        asked.text
    );
    let proposal = asked.html.split("<b class=\"code\">").nth(1).unwrap();
    let proposal = proposal.split('<').next().unwrap().to_owned();
    let whom = format!("/log-entries/{number}/whom");
    ig.get(&entry).await;
    let early = ig.post(&whom, &[("proposal", &proposal)]).await;
    assert_eq!(early.status, 404, "{}", early.text);
    assert!(
        early.html.contains("id=\"proposal-error\""),
        "{}",
        early.html
    );
    assert!(
        early.text.contains("Nobody has agreed to this request yet"),
        "{}",
        early.text
    );
    let mut operator = Visitor::sign_in(&town, "operator").await;
    let waiting = operator.get("/proposals").await;
    assert!(
        waiting
            .text
            .contains("Learn once whom an entry is about: st-hildas"),
        "{}",
        waiting.text
    );
    assert!(waiting.text.contains("Complaint"), "{}", waiting.text);
    let approve = waiting
        .actions()
        .into_iter()
        .find(|at| at.ends_with("/approve"))
        .unwrap();
    assert_eq!(operator.post(&approve, &[]).await.goes_to(), "/proposals");
    ig.get(&entry).await;
    let opened = ig.post(&whom, &[("proposal", &proposal)]).await;
    assert!(
        opened.text.contains("Your reference for her"),
        "{}",
        opened.text
    );
    assert!(!names_her(&opened), "{}", opened.text);
    ig.get(&entry).await;
    let again = ig.post(&whom, &[("proposal", &proposal)]).await;
    assert!(
        !again.text.contains("Your reference for her"),
        "{}",
        again.text
    );
    assert!(
        again.text.contains("looked at once already"),
        "{}",
        again.text
    );
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_is_flagged_and_her_own_officer_is_told() {
    let town = Town::start().await;
    let mut ig = Visitor::sign_in(&town, "st-hildas-ig").await;
    ig.get("/flags").await;
    let mut fields = HER.to_vec();
    fields.push(("days", "9999"));
    let wrong = ig.post("/flags", &fields).await;
    assert_eq!(wrong.status, 422, "{}", wrong.text);
    assert!(wrong.html.contains("id=\"days-error\""), "{}", wrong.html);
    fields.pop();
    let flagged = ig.post("/flags", &fields).await;
    assert_eq!(
        (flagged.status, flagged.heading().as_str()),
        (200, "Flagged"),
        "{}",
        flagged.text
    );
    assert!(!names_her(&flagged));
    glass_broken(&town).await;
    let monday = ig.get("/monday").await;
    assert!(
        monday
            .text
            .contains("Somebody whom you flagged was asked about"),
        "{}",
        monday.text
    );
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn her_report_has_headings_prints_and_is_kept_from_whoever_did_not_see_her() {
    let town = Town::start().await;
    glass_broken(&town).await;
    let mut guardian = Visitor::sign_in(&town, "st-hildas-caldicott").await;
    guardian.get("/subject-report").await;
    let unseen = guardian.post("/subject-report", &HER).await;
    assert_eq!(unseen.status, 422, "{}", unseen.text);
    assert!(
        unseen.text.contains("Tick this when you have seen her"),
        "{}",
        unseen.text
    );
    let mut fields = HER.to_vec();
    fields.push(("identity_checked", "yes"));
    guardian.get("/subject-report").await;
    let report = guardian.post("/subject-report", &fields).await;
    assert_eq!(report.status, 200, "{}", report.text);
    assert_eq!(
        report.heading(),
        "WHAT WE HOLD ABOUT YOU",
        "{}",
        report.text
    );
    assert!(
        report.html.contains("<h2>") && report.html.contains("<li>"),
        "{}",
        report.html
    );
    assert_eq!(report.title(), "Report - Messages");
    guardian.get("/subject-report").await;
    fields.push(("as", "text"));
    let file = guardian.post("/subject-report", &fields).await;
    assert_eq!(
        file.header("content-disposition"),
        "attachment; filename=\"report.txt\""
    );
    assert!(
        file.html.starts_with("WHAT WE HOLD ABOUT YOU"),
        "{}",
        file.html
    );
    // Somebody of whom nothing is held.
    let mut nobody = NOBODY.to_vec();
    nobody.push(("identity_checked", "yes"));
    guardian.get("/subject-report").await;
    let nothing = guardian.post("/subject-report", &nobody).await;
    assert!(
        nothing.text.contains("There is nothing we can show you"),
        "{}",
        nothing.text
    );
    assert!(!nothing.html.contains("Veldt"), "{}", nothing.text);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_is_drawn_with_its_tables_and_kept_as_a_file() {
    let town = Town::start().await;
    glass_broken(&town).await;
    let mut ig = Visitor::sign_in(&town, "st-hildas-ig").await;
    let figures = ig.get("/figures").await;
    let pictures = figures.html.matches("<svg").count();
    assert!(pictures >= 4, "{}", figures.text);
    assert_eq!(figures.html.matches("role=\"img\"").count(), pictures);
    assert_eq!(figures.html.matches("<table").count(), pictures);
    assert!(
        figures.text.contains("Open details in an emergency"),
        "{}",
        figures.text
    );
    let csv = ig.get(&link(&figures, "As a file for a spreadsheet")).await;
    assert!(
        csv.html.contains("own_staff.by_action,break_glass,1\r\n"),
        "{}",
        csv.html
    );
    // A month of ours or this one; what is typed into the address is no path of the API.
    let odd = ig.get("/figures?month=2026-13%26x=1").await;
    assert_eq!(odd.status, 200, "{}", odd.text);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_proposed_by_one_and_approved_by_a_second_person_of_another_body() {
    let town = Town::start().await;
    let mut operator = Visitor::sign_in(&town, "operator").await;
    operator.get("/propose/team").await;
    let bad = operator
        .post(
            "/propose/team",
            &[
                ("organisation", "harbour"),
                ("team", "Not A Name"),
                ("name", "x"),
            ],
        )
        .await;
    assert_eq!(bad.status, 422, "{}", bad.text);
    assert!(bad.html.contains("id=\"team-error\""), "{}", bad.html);
    let script = "<script>alert(1)</script>";
    let fields = [
        ("organisation", "harbour"),
        ("team", "night"),
        ("name", script),
        ("taint", "none"),
    ];
    let proposed = operator.post("/propose/team", &fields).await;
    assert_eq!(proposed.goes_to(), "/proposals", "{}", proposed.text);
    let own = operator.follow().await;
    assert!(own.text.contains("Add team: harbour"), "{}", own.text);
    assert!(
        own.text
            .contains("A person of another organisation must approve this."),
        "{}",
        own.text
    );
    // What was stored is shown, and never run.
    assert!(!own.html.contains(script), "{}", own.html);
    assert!(
        own.html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"),
        "{}",
        own.html
    );
    assert!(
        !own.actions().iter().any(|at| at.ends_with("/approve")),
        "{:?}",
        own.actions()
    );
    let mut second = Visitor::sign_in(&town, "st-hildas-ig").await;
    let waiting = second.get("/proposals").await;
    let approve = waiting
        .actions()
        .into_iter()
        .find(|at| at.ends_with("/approve"))
        .unwrap();
    // Each has another name for it, so the operator's own try leads nowhere.
    let tried = operator.post(&approve, &[]).await;
    assert_eq!(tried.status, 404, "{}", tried.text);
    assert_eq!(second.post(&approve, &[]).await.goes_to(), "/proposals");
    let done = second.follow().await;
    assert!(done.text.contains("Approved by st-hildas"), "{}", done.text);
    assert!(done.text.contains("Nothing waits."), "{}", done.text);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_button_removes_a_leaver_and_what_ends_is_told_in_time() {
    let town = Town::start().await;
    let mut leaver = Visitor::sign_in(&town, "larkfield-browser").await;
    assert_eq!(leaver.get("/").await.status, 200);
    let mut ig = Visitor::sign_in(&town, "larkfield-ig").await;
    let state = ig.get("/state").await;
    // The town's certificates last thirty days.
    assert!(
        state.text.contains("29 days left") && state.text.contains("v-adeola"),
        "{}",
        state.text
    );
    let asks = ig.get("/take-away/leaver").await;
    assert!(asks.html.contains("value=\"larkfield\""), "{}", asks.html);
    let fields = [("organisation", CHARITY), ("user", "v-adeola")];
    let done = ig.post("/take-away/leaver", &fields).await;
    assert_eq!(
        (done.status, done.heading().as_str()),
        (200, "Done"),
        "{}",
        done.text
    );
    let after = leaver.get("/").await;
    assert!(
        after.status == 401 || after.status == 403,
        "{} {}",
        after.status,
        after.text
    );
    // The operator sees what ends everywhere, and not whose certificate it is elsewhere.
    let mut operator = Visitor::sign_in(&town, "operator").await;
    let all = operator.get("/state").await;
    assert!(
        all.text.contains("st-hildas") && all.text.contains("o-bright"),
        "{}",
        all.text
    );
    assert!(!all.text.contains("m-farouk"), "{}", all.text);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agreement_is_chosen_from_those_that_there_are_and_ended() {
    let town = Town::start().await;
    let unproved = town.desk("larkfield-ig").await.get("/v1/me").await;
    assert!(unproved.body["can_end"].is_null(), "{}", unproved.body);
    let mut ig = Visitor::sign_in(&town, "larkfield-ig").await;
    let asks = ig.get("/take-away/agreement").await;
    let value = radio(&asks, "larkfield ").expect("an agreement of her own");
    assert!(radio(&asks, "st-hildas ").is_none(), "{}", asks.html);
    let unsaid = ig.post("/take-away/agreement", &[]).await;
    assert_eq!(unsaid.status, 422, "{}", unsaid.text);
    assert!(
        unsaid.html.contains("id=\"agreement-error\""),
        "{}",
        unsaid.html
    );
    let fields = [("agreement", value.as_str())];
    let done = ig.post("/take-away/agreement", &fields).await;
    assert_eq!(done.heading(), "Done", "{}", done.text);
    let mut operator = Visitor::sign_in(&town, "operator").await;
    let others = operator.get("/take-away/agreement").await;
    assert!(radio(&others, "st-hildas ").is_some(), "{}", others.html);
    assert!(!others.html.contains(&value), "{}", others.html);
    town.stop().await;
}

/// The value of the first radio button whose value begins so.
fn radio(seen: &Seen, begins: &str) -> Option<String> {
    let start = format!("value=\"{begins}");
    let (_, rest) = seen.html.split_once(&start)?;
    Some(format!("{begins}{}", rest.split('"').next()?))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_organisation_is_named_by_hand_and_what_ends_is_said_before_it_does() {
    let town = Town::start().await;
    let mut worker = Visitor::sign_in(&town, "larkfield-browser").await;
    let mut ig = Visitor::sign_in(&town, "larkfield-ig").await;
    let asks = ig.get("/take-away/organisation").await;
    assert!(!asks.html.contains("value=\"larkfield\""), "{}", asks.html);
    let path = "/take-away/organisation";
    let between = ig.post(path, &[("organisation", CHARITY)]).await;
    assert_eq!(between.status, 200, "{}", between.text);
    for part in ["Suspend an organisation: larkfield", "that is you too"] {
        assert!(between.text.contains(part), "{part} in {}", between.text);
    }
    assert_eq!(worker.get("/inbox").await.status, 200);
    // Another name than the one on the page between is asked again.
    let other = ig.post(path, &[("organisation", "harbour")]).await;
    assert_ne!(other.heading(), "Done", "{}", other.text);
    assert_eq!(
        ig.post(path, &[("organisation", CHARITY)]).await.status,
        200
    );
    let done = ig.post(path, &[]).await;
    assert_eq!(done.heading(), "Done", "{}", done.text);
    let after = worker.get("/inbox").await;
    assert_eq!(after.status, 403, "{}", after.text);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_of_a_period_is_taken_in_parts_that_hold_all_of_it() {
    let town = Town::start().await;
    glass_broken(&town).await;
    let ig = town.signed_in("st-hildas-ig").await;
    let numbers = |said: &crate::town::Said, list: &str| -> Vec<u64> {
        let entries = said.list(list).iter();
        entries.map(|one| one["entry"].as_u64().unwrap()).collect()
    };
    let all = numbers(&ig.get("/v1/audit/entries?max=200").await, "/entries");
    assert!(all.len() >= 3, "{all:?}");
    let end = all[0] + 1;
    let plan = ig
        .get(&format!("/v1/audit/entries?parts=2&before={end}"))
        .await;
    assert!(plan.body.get("entries").is_none(), "{}", plan.body);
    let mut taken = Vec::new();
    for part in plan.list("/parts") {
        let before = &part["before"];
        let read = ig
            .get(&format!("/v1/audit/entries?max=2&before={before}"))
            .await;
        let read = numbers(&read, "/entries");
        assert_eq!(part["entries"], read.len(), "{part}");
        assert_eq!(
            (&part["newest"], &part["oldest"]),
            (&json!(read[0]), &json!(read[read.len() - 1]))
        );
        taken.extend(read);
    }
    assert_eq!(taken, all);
    // A period ends and begins where its days do.
    let at = |seconds: i64| ago(0).plus_millis(seconds * 1_000).rfc3339();
    let later = ig
        .get(&format!("/v1/audit/entries?parts=2&from={}", at(3_600)))
        .await;
    assert!(later.list("/parts").is_empty(), "{}", later.body);
    let before = ig
        .get(&format!("/v1/audit/entries?to={}", at(-86_400)))
        .await;
    assert!(before.list("/entries").is_empty() && before.body["next"].is_null());
    for wrong in ["parts=0", "parts=1001", "parts=x"] {
        let said = ig.get(&format!("/v1/audit/entries?{wrong}")).await;
        assert_eq!(said.status, 422, "{wrong} {}", said.body);
    }
    let person = json!({ "identity": her(), "filter": { "parts": 2 } });
    let person = ig.post("/v1/audit/subjects", &person).await;
    assert_eq!(person.status, 422, "{}", person.body);
    // Who may not read the log is not told how long it is.
    let police = town
        .desk("met")
        .await
        .get("/v1/audit/entries?parts=2")
        .await;
    assert_eq!(police.status, 403, "{}", police.body);
    assert!(police.body.get("parts").is_none(), "{}", police.body);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_officer_takes_the_log_in_files_leaves_and_comes_back_by_the_address() {
    let town = Town::start().await;
    glass_broken(&town).await;
    let mut ig = Visitor::sign_in(&town, "st-hildas-ig").await;
    let log = ig.get("/log-entries").await;
    ig.get(&link(&log, "Take the log of a period as files"))
        .await;
    let bad = ig
        .get("/log-export?as=csv&from-day=31&from-month=2&from-year=2026")
        .await;
    assert_eq!(bad.status, 422, "{}", bad.text);
    assert!(bad.html.contains("id=\"from-error\""), "{}", bad.html);
    let begun = ig
        .get("/log-export?as=csv&from-day=&from-month=&from-year=")
        .await;
    assert!(begun.goes_to().contains("&end="), "{}", begun.goes_to());
    let address = begun.goes_to().to_owned();
    let first = ig.follow().await;
    assert!(
        first.text.contains("0 of 1 part is taken."),
        "{}",
        first.text
    );
    // Her own reading makes the log longer, and her parts stay what they were.
    ig.get("/monday").await;
    let again = ig.get(&address).await;
    assert_eq!(link(&again, "Take part 1"), link(&first, "Take part 1"));
    let file = ig.get(&link(&again, "Take part 1")).await;
    assert_eq!(
        file.header("content-disposition"),
        "attachment; filename=\"log-part-1.csv\""
    );
    assert!(
        file.html.starts_with("entry,at,organisation"),
        "{}",
        file.html
    );
    assert!(file.html.contains(",break_glass,"), "{}", file.html);
    let done = ig.get(&link(&again, "I have part 1: go on")).await;
    assert!(done.text.contains("1 of 1 part is taken."), "{}", done.text);
    assert!(done.text.contains("You have all parts."), "{}", done.text);
    // With proofs, each of which can be checked alone.
    ig.get("/log-export?as=json").await;
    let proofs = ig.follow().await;
    let file = ig.get(&link(&proofs, "Take part 1")).await;
    let file: serde_json::Value = serde_json::from_str(&file.html).unwrap();
    let evidence = file["entries"][0]["evidence"].as_str().unwrap();
    assert!(evidence.contains("c2sp.org/tlog-proof@v1"), "{evidence}");
    assert!(file["next"].is_null(), "{}", file["next"]);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_is_told_by_the_api_to_whoever_governs_and_was_proved() {
    let town = Town::start().await;
    for bundle in ["met", "larkfield"] {
        let me = town.desk(bundle).await.get("/v1/me").await;
        assert!(me.body["ends"].is_null(), "{}", me.body);
    }
    // Her certificate alone is not enough.
    let unproved = town.desk("larkfield-ig").await.get("/v1/me").await;
    assert!(unproved.body["ends"].is_null(), "{}", unproved.body);
    let me = town.signed_in("larkfield-ig").await.get("/v1/me").await;
    let ends = me.list("/ends");
    assert!(!ends.is_empty(), "{}", me.body);
    assert!(
        ends.iter().all(|one| one["organisation"] == CHARITY),
        "{}",
        me.body
    );
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_police_officer_opens_none_of_these_pages() {
    let town = Town::start().await;
    let mut officer = Visitor::sign_in(&town, "met-browser").await;
    for path in [
        "/monday",
        "/log-entries",
        "/flags",
        "/figures",
        "/subject-report",
        "/proposals",
        "/propose/organisation",
        "/take-away/leaver",
        "/state",
    ] {
        let seen = officer.get(path).await;
        assert_eq!(seen.status, 403, "{path} {}", seen.text);
        assert!(
            seen.text.contains("Your role does not do this"),
            "{path} {}",
            seen.text
        );
    }
    let asked = town
        .desk("met")
        .await
        .post("/v1/audit/reports", &json!({ "identity": her() }))
        .await;
    assert_eq!(asked.status, 403, "{}", asked.body);
    town.stop().await;
}
