//! What somebody tries who means harm, at each page: a form from elsewhere, a refusal without its
//! headers, the API by a browser's cookie, words that a browser or a spreadsheet would run.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use axum::http::Method;
use firedoor::domain::codes::Role;
use firedoor::edge::http::declared;
use firedoor::ops::demo::borough::{CHARITY, SERVICE};
use firedoor::ops::demo::people::{assessment, emergency, her, referral};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::pages::{HEADERS, PAGES, PEOPLE, Seen, Visitor, encoded, named};
use crate::people;
use crate::town::{Desk, Town, ago, new_key};

/// Requests that are on their way at once.
const AT_ONCE: usize = 16;

/// A form of each page, sent with no mark, a made-up one, another person's, and the right one from
/// another site: none counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_form_of_any_page_counts_from_elsewhere() {
    let town = Town::start().await;
    let mut people = Vec::new();
    for (bundle, role) in PEOPLE {
        let mut visitor = Visitor::sign_in(&town, bundle).await;
        let mark = visitor.get("/role").await.mark().unwrap();
        people.push((visitor, role, mark));
    }
    let origin = format!("https://localhost:{}", town.address().port());
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut asked = JoinSet::new();
    let made_up = "x".repeat(75);
    let mut forms = 0;
    for (method, path, who) in PAGES {
        if *method != "POST" {
            continue;
        }
        forms += 1;
        let open = |role: Role| who.admits(role, true);
        let at = people.iter().position(|(_, role, _)| open(*role));
        let at = at.unwrap_or_else(|| panic!("nobody of the town may send {path}"));
        let (visitor, _, own) = &people[at];
        let (_, _, anothers) = &people[(at + 1) % people.len()];
        let (ours, same) = (origin.as_str(), "same-origin");
        for (which, mark, from, site) in [
            ("no mark", "", ours, same),
            ("a made-up mark", made_up.as_str(), ours, same),
            ("another's mark", anothers.as_str(), ours, same),
            (
                "another site",
                own.as_str(),
                "https://evil.example",
                "cross-site",
            ),
            (
                "another host of ours",
                own.as_str(),
                "https://localhost:1",
                "same-site",
            ),
            ("a page that hides whence", own.as_str(), "null", same),
        ] {
            let mut visitor = visitor.clone();
            let (mark, from, turns) = (mark.to_owned(), from.to_owned(), Arc::clone(&turns));
            asked.spawn(async move {
                let _turn = turns.acquire().await.unwrap();
                let headers = [("origin", from.as_str()), ("sec-fetch-site", site)];
                let body = encoded(&[("form", mark.as_str()), ("role", "adviser")]);
                let seen = visitor.send_from(&headers, &named(path), body).await;
                let says = format!("{path} with {which}: {} {}", seen.status, seen.text);
                assert_eq!(seen.status, 403, "{says}");
                assert!(
                    seen.text.contains("did not come from our own page"),
                    "{says}"
                );
            });
        }
    }
    while let Some(done) = asked.join_next().await {
        done.unwrap();
    }
    assert!(forms > 30, "{forms}");
    town.stop().await;
}

/// What a reply may say of itself beside [`HEADERS`].
const OTHERS: [&str; 9] = [
    "clear-site-data",
    "content-disposition",
    "content-length",
    "content-type",
    "date",
    "location",
    "refresh",
    "set-cookie",
    "allow",
];

fn is_dressed(seen: &Seen, says: &str) {
    for (name, value) in HEADERS {
        assert_eq!(seen.header(name), value, "{says}");
    }
    for name in seen.headers.keys() {
        let known = HEADERS.iter().any(|(known, _)| name == known);
        assert!(known || OTHERS.contains(&name.as_str()), "{says}: {name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_refusal_is_a_page_with_the_headers_of_one() {
    let town = Town::start().await;
    let mut out = Visitor::arrive(&town, "larkfield-browser").await;
    let mut adviser = Visitor::sign_in(&town, "larkfield-browser").await;
    let mark = adviser.get("/role").await.mark().unwrap();
    let mut system = Visitor::arrive(&town, "larkfield").await;
    let long = "a".repeat(300_000);
    let mut seen = vec![
        (401, out.get("/role").await),
        (403, adviser.get("/monday").await),
        (403, adviser.post_with("", "/role", &[]).await),
        (403, system.get("/").await),
        (404, adviser.get("/admin").await),
        (404, adviser.get("/sent/no-id").await),
        (404, adviser.get("/assets/none.css").await),
        (422, adviser.post_with(&mark, "/new", &[]).await),
        (
            413,
            adviser.post_with(&mark, "/new", &[("note", &long)]).await,
        ),
    ];
    for method in [Method::DELETE, Method::PUT, Method::TRACE, Method::OPTIONS] {
        let reply = adviser.ask(method, "/role", &[], String::new()).await;
        seen.push((405, reply));
    }
    for (expected, seen) in &seen {
        let says = format!("{expected}: {} {}", seen.status, seen.text);
        assert_eq!(seen.status, *expected, "{says}");
        is_dressed(seen, &says);
        assert_eq!(
            seen.header("content-type"),
            "text/html; charset=utf-8",
            "{says}"
        );
        assert_eq!(seen.html.matches("<h1").count(), 1, "{says}");
        assert!(!seen.text.contains("no-id"), "{says}");
    }
    town.stop().await;
}

/// What the API tells whoever has a certificate, without her second factor: what is the same for all,
/// and who she is. A route that is added and tells more fails, and must not be added here.
const OPEN: [(&str, &str); 6] = [
    ("GET", "/fhir/metadata"),
    ("GET", "/v1/codes"),
    ("GET", "/v1/me"),
    ("GET", "/v1/notices"),
    ("GET", "/v1/openapi.json"),
    ("GET", "/v1/policies"),
];

/// A browser sends its certificate and its cookie to the API too, from whatever page. The API hears
/// neither as a session, so that no page of another site can ask or do anything there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_takes_no_cookie_for_a_session() {
    let town = Town::start().await;
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut asked = JoinSet::new();
    // What a cookie is to the API hangs on no role: one who works with her and one who watches.
    for bundle in ["larkfield-browser", "larkfield-ig"] {
        let visitor = Visitor::sign_in(&town, bundle).await;
        for route in declared() {
            let (mut visitor, turns) = (visitor.clone(), Arc::clone(&turns));
            asked.spawn(async move {
                let _turn = turns.acquire().await.unwrap();
                let method: Method = route.method.parse().unwrap();
                let key = new_key();
                let headers = [
                    ("content-type", "application/json"),
                    ("idempotency-key", key.as_str()),
                ];
                let body = if method == Method::GET { "" } else { "{}" };
                let path = named(&route.path);
                let said = visitor.ask(method, &path, &headers, body.to_owned());
                (route.method, route.path, said.await.status)
            });
        }
    }
    for (method, path, status) in asked.join_all().await {
        let is_open = OPEN.contains(&(method, path.as_str())) || path.starts_with("/log/");
        assert!(
            is_open || (400..500).contains(&status),
            "{method} {path}: {status}"
        );
    }

    // And what is right in all else is refused for that, and does nothing.
    let mut adviser = Visitor::sign_in(&town, "larkfield-browser").await;
    let stop = json!({ "identity": her(), "scope": "everything", "channel": "telephone" });
    let sent = referral(SERVICE, &her(), ago(2), None);
    for (path, body) in [("/v1/withdrawals", stop), ("/v1/referrals", sent)] {
        let key = new_key();
        let json = [
            ("content-type", "application/json"),
            ("idempotency-key", key.as_str()),
        ];
        let said = adviser.ask(Method::POST, path, &json, body.to_string());
        let said = said.await;
        let refused = said.html.contains("second-factor-needed");
        assert!(said.status == 403 && refused, "{path}: {}", said.html);
        // As a page of another site can send it without asking first.
        let plain = [
            ("content-type", "text/plain"),
            ("sec-fetch-site", "cross-site"),
        ];
        let said = adviser.ask(Method::POST, path, &plain, body.to_string());
        let said = said.await;
        assert!((400..500).contains(&said.status), "{path}: {}", said.html);
    }
    town.stop().await;
}

/// Run by a browser that is not careful, and, at the beginning of a cell, by a spreadsheet.
pub const HOSTILE: &str = "=1+1\"'><script>alert(1)</script><img src=x onerror=alert(1)>";
/// How it may stand in a page.
pub const INERT: &str = "&lt;script&gt;alert(1)&lt;/script&gt;";

/// A body with the hostile words in each of its fields that takes them: the API says of each by itself
/// whether it would.
async fn hostile(desk: &Desk, path: &str, body: &Value, fields: &[&str]) -> (Value, usize) {
    let (mut whole, mut taken) = (body.clone(), 0);
    for field in fields {
        let mut one = body.clone();
        let value = if body.pointer(field).is_some_and(Value::is_array) {
            json!([HOSTILE])
        } else {
            json!(HOSTILE)
        };
        *one.pointer_mut(field).unwrap() = value.clone();
        let said = desk.post(&format!("{path}?check=only"), &one).await;
        if said.status < 300 {
            *whole.pointer_mut(field).unwrap() = value;
            taken += 1;
        } else {
            // Refused as it should be; nothing that failed for another reason counts.
            assert_eq!(said.status, 422, "{field}: {}", said.whole());
        }
    }
    (whole, taken)
}

/// A town in which everything has happened, with hostile words wherever they are taken; the charity's
/// page of her.
pub async fn full_town(town: &Town) -> String {
    let met = town.desk("met").await;
    let mut sent = referral(SERVICE, &her(), ago(2), Some("She is deaf."));
    sent["other_party"] =
        json!({ "given_name": "Karl", "family_name": "Karim", "relation": "partner" });
    let fields = [
        "/note",
        "/identity/given_name",
        "/identity/family_name",
        "/safe_contact/hours",
        "/safe_contact/who_may_answer",
        "/safe_contact/code_word",
        "/other_party/given_name",
        "/other_party/family_name",
    ];
    let (whole, taken) = hostile(&met, "/v1/referrals", &sent, &fields).await;
    assert!(taken >= 4, "{whole}");
    let said = met.post("/v1/referrals", &whole).await;
    assert_eq!(said.status, 201, "{}", said.whole());
    let charity = town.desk("larkfield").await.as_user("r-osei", Role::Triage);
    let inbox = charity.get("/v1/inbox").await;
    let hers = inbox.list("/offers")[0]["id"].as_str().unwrap().to_owned();
    let accept = json!({ "worker": "v-adeola", "onward_rule_accepted": true });
    let path = format!("/v1/referrals/{hers}/accept");
    let said = charity.post(&path, &accept).await;
    assert_eq!(said.status, 200, "{}", said.whole());
    let crowd = (100..140).map(|number| {
        (
            "/v1/referrals".to_owned(),
            people::referral(number, SERVICE),
        )
    });
    let mut running = JoinSet::new();
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    for (path, body) in crowd {
        let (met, turns) = (met.clone(), Arc::clone(&turns));
        running.spawn(async move {
            let _turn = turns.acquire().await.unwrap();
            met.post(&path, &body).await.status
        });
    }
    assert!(running.join_all().await.iter().all(|status| *status == 201));

    let hospital = town.desk("st-hildas").await;
    let fields = ["/judgement_reasons", "/do_not_tell", "/safe_person"];
    let assessed = assessment(ago(3), CHARITY);
    let (assessed, taken) = hostile(&hospital, "/v1/assessments", &assessed, &fields).await;
    assert!(taken >= 2, "{assessed}");
    let mut assessed = assessed;
    assessed["identity"] = whole["identity"].clone();
    let said = hospital.post("/v1/assessments", &assessed).await;
    assert_eq!(said.status, 201, "{}", said.whole());
    let mut opened = emergency(true);
    opened["identity"] = whole["identity"].clone();
    opened["text"] = json!(HOSTILE);
    let desk = town.signed_in("st-hildas-browser").await;
    let said = desk.post("/v1/emergency", &opened).await;
    assert_eq!(said.status, 200, "{}", said.whole());

    let asked = json!({
        "identity": whole["identity"], "identity_proof": "known_to_worker",
        "safe_contact_checked": true, "received_at": ago(24 * 45).rfc3339(),
    });
    let said = charity.post("/v1/subject-access", &asked).await;
    assert_eq!(said.status, 201, "{}", said.whole());

    let mut operator = Visitor::sign_in(town, "operator").await;
    operator.get("/propose/team").await;
    let fields = [
        ("organisation", "harbour"),
        ("team", "night"),
        ("name", HOSTILE),
        ("taint", "none"),
    ];
    let proposed = operator.post("/propose/team", &fields).await;
    assert_eq!(proposed.goes_to(), "/proposals", "{}", proposed.text);
    format!("/inbox/{hers}")
}

/// Links of one page that are followed, and pages of one form that are looked at.
const OF_A_FORM: usize = 2;

/// The form of a path: what differs in the name alone is one.
pub fn form_of(path: &str) -> String {
    let is_name = |part: &&str| part.len() > 20 || part.parse::<u64>().is_ok();
    let parts = path
        .split('/')
        .map(|part| if is_name(&part) { "{id}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// No page of anybody, wherever the links of her pages lead, runs what was written, is too large, or
/// lacks a header.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_of_a_full_town_is_small_and_runs_nothing() {
    let town = Town::start().await;
    let case = full_town(&town).await;
    let officers = ["st-hildas-ig", "met-ig"].map(|bundle| (bundle, Role::IgOfficer));
    let mut walking = JoinSet::new();
    for (bundle, role) in PEOPLE.into_iter().chain(officers) {
        let mut visitor = Visitor::sign_in(&town, bundle).await;
        let pages = PAGES.iter().filter(|(method, path, who)| {
            let addressed = *method == "GET" && !path.contains('{');
            addressed && !matches!(*path, "/leave" | "/ended") && who.admits(role, true)
        });
        let mut ahead: VecDeque<String> = pages.map(|(_, path, _)| (*path).to_owned()).collect();
        if bundle == "larkfield-browser" {
            ahead.push_back(case.clone());
        }
        walking.spawn(async move {
            let mut met: BTreeMap<String, usize> = BTreeMap::new();
            let mut known: BTreeSet<String> = ahead.iter().cloned().collect();
            let mut shown = BTreeSet::new();
            while let Some(path) = ahead.pop_front() {
                let seen = visitor.get(&path).await;
                let says = format!("{bundle} at {path}: {}", seen.status);
                assert!(seen.status < 500, "{says}");
                is_dressed(&seen, &says);
                assert!(seen.length < 100_000, "{says}: {}", seen.length);
                let form = form_of(path.split('?').next().unwrap());
                if seen.header("content-type").starts_with("text/html") {
                    runs_nothing(&seen, &says);
                }
                if seen.html.contains(INERT) {
                    shown.insert(form.clone());
                }
                for (to, _) in seen.links() {
                    let to = to.split('#').next().unwrap().to_owned();
                    let ours = to.starts_with('/') && !matches!(to.as_str(), "/leave" | "/ended");
                    let many = met
                        .entry(form_of(to.split('?').next().unwrap()))
                        .or_default();
                    if ours && *many < OF_A_FORM && known.insert(to.clone()) {
                        *many += 1;
                        ahead.push_back(to);
                    }
                }
            }
            (bundle, known.len(), shown)
        });
    }
    let mut shown = BTreeSet::new();
    for (bundle, many, forms) in walking.join_all().await {
        println!("{bundle}: {many} pages, hostile words on {forms:?}");
        shown.extend(forms);
    }
    // The words were there to be run: at the charity, at the operator.
    for form in ["/inbox/{id}", "/proposals"] {
        assert!(shown.contains(form), "{form}: {shown:?}");
    }
    no_cell_is_a_formula(&town).await;
    town.stop().await;
}

pub fn runs_nothing(seen: &Seen, says: &str) {
    for tag in [
        "<script>",
        "<img",
        "onerror=alert(1)>",
        " style=",
        "javascript:",
    ] {
        assert!(!seen.html.contains(tag), "{says}: {tag}");
    }
    // Nothing breaks out of an attribute either: each quote that was written is made harmless.
    assert!(!seen.html.contains("=1+1\""), "{says}");
}

/// The files for spreadsheets: no cell begins as a formula does.
async fn no_cell_is_a_formula(town: &Town) {
    let mut officer = Visitor::sign_in(town, "st-hildas-ig").await;
    officer.get("/log-entries").await;
    let log = officer.post("/log-entries", &[("as", "csv")]).await;
    let figures = officer.get("/figures").await;
    let links = figures.links();
    let (as_file, _) = links.iter().find(|(to, _)| to.ends_with("as=csv")).unwrap();
    let figures = officer.get(as_file).await;
    for file in [log, figures] {
        assert_eq!(
            file.header("content-type"),
            "text/csv; charset=utf-8",
            "{}",
            file.text
        );
        let lines = file.html.lines().filter(|line| !line.is_empty());
        assert!(lines.count() > 1, "{}", file.html);
        for cell in file.html.lines().flat_map(|line| line.split(',')) {
            let cell = cell.trim_start_matches('"');
            let runs = ['=', '+', '-', '@', '\t']
                .iter()
                .any(|mark| cell.starts_with(*mark));
            assert!(!runs, "{cell}");
        }
    }
}
