//! P5: of a woman whom the gateway knows and one whom nobody knows, a service that may be told
//! nothing gets the same answer in every byte outside three fields, of the same size, and with no
//! difference in time that a statistical test could use.
//!
//! The long tier asks five times as often and allows half the difference.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::sync::Arc;

use axum::http::HeaderMap;
use firedoor::domain::codes::Role;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::district::{CHARITIES, Caller, District, Said, Served, new_key};
use super::people::Person;
use super::tier::size;

/// Women whom the gateway knows, in four ways, and as many whom nobody knows.
const KNOWN: usize = 40;
/// Far from any number that is known.
const UNKNOWN_FROM: usize = 10_000;
const WORKERS: usize = 4;
const IN_FLIGHT: usize = 32;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_known_and_what_is_not_cannot_be_told_apart() {
    let pairs = size(2_000, 10_000) as usize;
    let largest = if pairs < 10_000 { 0.06 } else { 0.03 };
    let district = District::new(None).await;
    let served = district.serve();
    let asker = make_known(&district, &served).await;

    let mut running = JoinSet::new();
    let room = Arc::new(Semaphore::new(IN_FLIGHT));
    for pair in 0..pairs {
        let known = pair % KNOWN;
        let order = if scattered(pair) {
            [(true, known), (false, known)]
        } else {
            [(false, known), (true, known)]
        };
        for (is_known, place) in order {
            let number = if is_known {
                place
            } else {
                UNKNOWN_FROM + place
            };
            let asker = asker.as_user(&format!("a-worker-{}", pair % WORKERS));
            let room = Arc::clone(&room).acquire_owned().await.unwrap();
            running.spawn(async move {
                let body = json!({ "identity": Person::new(number).found_by() });
                let reply = asker.post("/v1/assessments/query", &body).await;
                drop(room);
                (is_known, reply)
            });
        }
    }
    let (mut with, mut without) = (Vec::new(), Vec::new());
    let mut first = None;
    for (is_known, reply) in running.join_all().await {
        assert_eq!(reply.status, 200, "{}", reply.whole());
        let seen = (reply.bytes.len(), blanked(&reply), undated(&reply.headers));
        let first = first.get_or_insert_with(|| seen.clone());
        assert_eq!(seen, *first);
        let times = if is_known { &mut with } else { &mut without };
        times.push(reply.took.as_secs_f64());
    }
    assert_eq!((with.len(), without.len()), (pairs, pairs));
    let distance = kolmogorov_smirnov(with, without);
    println!("{pairs} pairs: D = {distance:.4}");
    assert!(distance <= largest, "D = {distance}");
}

/// Assessed by the hospital; and with the charity that asks: nothing, an offer that it has not
/// answered, an acceptance without consent, a withdrawal.
async fn make_known(district: &District, served: &Served) -> Caller {
    let police = district
        .caller(served, "police", "pc-ward", Role::Officer)
        .await;
    let hospital = district
        .caller(served, "hospital", "dr-ade", Role::Clinician)
        .await;
    let (charity, service) = CHARITIES[0];
    let asker = district
        .caller(served, charity, "a-worker", Role::Adviser)
        .await;
    let kind = |kind: usize| (kind..KNOWN).step_by(4);
    let assessed = (0..KNOWN).map(|number| {
        // Of the third kind, she has allowed another to be told.
        let with = if number % 4 == 2 { "beacon" } else { charity };
        let assessment = json!({
            "identity": Person::new(number).found_by(), "instrument": "safelives_dash_24",
            "instrument_version": "2024", "items": [{ "code": "q1", "answer": "yes" }],
            "grade": "high", "basis": "professional_judgement",
            "judgement_reasons": ["She is afraid to go home."],
            "assessed_at": "2026-11-20T09:00:00Z", "consents": [consent("share", with)],
        });
        ("/v1/assessments".to_owned(), assessment)
    });
    all_made(&hospital.post_all(assessed.collect()).await);
    let offer = |number| {
        let referral = super::people::referral(number, service);
        ("/v1/referrals".to_owned(), referral)
    };
    let offers = kind(2).chain(kind(3)).map(offer).collect();
    all_made(&police.post_all(offers).await);
    let (released, _) = asker.accept_all().await;
    assert_eq!(released.len(), KNOWN / 2);
    let consents = released.iter().map(|released| {
        let body = json!({ "person": released["person"], "consent": consent("query", charity) });
        ("/v1/consents".to_owned(), body)
    });
    all_made(&asker.post_all(consents.collect()).await);
    // Now those of the fourth kind may be told of, until they withdraw.
    let question = |number| {
        let body = json!({ "identity": Person::new(number).found_by() });
        ("/v1/assessments/query".to_owned(), body)
    };
    for shown in asker.post_all(kind(3).map(question).collect()).await {
        let body = shown.json();
        assert_eq!(
            body["assessments"].as_array().map(Vec::len),
            Some(1),
            "{body}"
        );
    }
    let wishes = kind(3).map(|number| {
        let body = json!({
            "identity": Person::new(number).found_by(), "scope": "everything",
            "channel": "telephone",
        });
        ("/v1/withdrawals".to_owned(), body)
    });
    for withdrawn in asker.post_all(wishes.collect()).await {
        assert_eq!(withdrawn.status, 200, "{}", withdrawn.whole());
    }
    all_made(&police.post_all(kind(1).map(offer).collect()).await);
    asker
}

fn consent(opens: &str, with: &str) -> Value {
    json!({
        "decision": "permit", "how": "spoken", "other_party_present": "no",
        "opens": opens, "recipients": { "organisations": [with] },
    })
}

fn all_made(replies: &[Said]) {
    for reply in replies {
        assert_eq!(reply.status, 201, "{}", reply.whole());
    }
}

/// Which of a pair goes first, without a pattern.
fn scattered(pair: usize) -> bool {
    (pair as u64)
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .rotate_left(17)
        & 1
        == 1
}

/// The body, each byte of it, with the three values blanked that may differ, and their lengths.
/// A receipt has one length as it is written in JSON, however many lines its proof has.
fn blanked(reply: &Said) -> (String, [usize; 3]) {
    let body = reply.json();
    let mut text = reply.whole().trim_end_matches(' ').to_owned();
    let lengths = ["date", "support_code", "receipt"].map(|field| {
        let written = body[field].to_string();
        text = text.replacen(&written, "_", 1);
        written.len()
    });
    (text, lengths)
}

fn undated(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    headers.remove("date");
    headers
}

/// The largest distance between the two distributions of times.
fn kolmogorov_smirnov(mut with: Vec<f64>, mut without: Vec<f64>) -> f64 {
    with.sort_by(f64::total_cmp);
    without.sort_by(f64::total_cmp);
    let share = |sorted: &[f64], at: f64| {
        let below = sorted.partition_point(|one| *one <= at);
        below as f64 / sorted.len() as f64
    };
    with.iter()
        .chain(&without)
        .map(|at| (share(&with, *at) - share(&without, *at)).abs())
        .fold(0.0, f64::max)
}

#[test]
fn the_distance_of_distributions_is_that_of_kolmogorov_and_smirnov() {
    let even: Vec<f64> = (0..100).map(f64::from).collect();
    let later: Vec<f64> = (50..150).map(f64::from).collect();
    assert_eq!(kolmogorov_smirnov(even.clone(), even.clone()), 0.0);
    assert_eq!(kolmogorov_smirnov(even, later), 0.5);
    assert_ne!(new_key(), new_key());
}
