//! P5: three pairs of states, each of which a caller might want to tell apart: held and not held,
//! asked by a tainted team and by one that is told nothing, withdrawn and never known. Each pair gets
//! the same answer in every byte outside three fields, of the same size, and with no difference in
//! time that a statistical test could use.
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
/// Of each of the four ways.
const WAYS: usize = 4;
/// The way of those who withdrew.
const WITHDREW: usize = 3;
/// Far from any number that is known.
const UNKNOWN_FROM: usize = 10_000;
/// Known, and referred to the council's housing team.
const HOUSED: usize = 9_000;
const WORKERS: usize = 4;
const IN_FLIGHT: usize = 32;

/// What is compared: the first of a pair is the one that must not show.
const PAIRS: [&str; 3] = [
    "held / not held",
    "tainted / not tainted",
    "withdrawn / never",
];

/// Who asks about whom, for one side of a pair.
struct Desks {
    charity: Caller,
    housing: Caller,
    nrpf: Caller,
}

impl Desks {
    fn ask(&self, kind: usize, shows: bool, pair: usize) -> (Caller, usize) {
        let ways = KNOWN / WAYS;
        let (desk, number) = match (kind, shows) {
            // Of the first three ways, in turn.
            (0, true) => (&self.charity, (pair % ways) * WAYS + pair % WITHDREW),
            (0, false) => (&self.charity, UNKNOWN_FROM + pair % ways),
            // Both ask about the same woman, who is known.
            (1, true) => (&self.nrpf, pair % KNOWN),
            (1, false) => (&self.housing, pair % KNOWN),
            (_, true) => (&self.charity, (pair % ways) * WAYS + WITHDREW),
            (_, false) => (&self.charity, UNKNOWN_FROM + ways + pair % ways),
        };
        let worker = format!("a-worker-{}", pair % WORKERS);
        (desk.as_user(&worker), number)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_two_states_can_be_told_apart() {
    let pairs = size(2_000, 10_000) as usize;
    let largest = if pairs < 10_000 { 0.06 } else { 0.03 };
    let district = District::new(None).await;
    let served = district.serve();
    let desks = Desks {
        charity: make_known(&district, &served).await,
        housing: told_housing(&district, &served).await,
        nrpf: district
            .caller(&served, "council-nrpf", "a-worker", Role::Housing)
            .await,
    };
    what_housing_is_told_the_tainted_team_is_not(&desks).await;

    let mut running = JoinSet::new();
    let room = Arc::new(Semaphore::new(IN_FLIGHT));
    for (pair, kind) in (0..pairs).flat_map(|pair| (0..PAIRS.len()).map(move |kind| (pair, kind))) {
        let first = scattered(pair * PAIRS.len() + kind);
        for shows in [first, !first] {
            let (asker, number) = desks.ask(kind, shows, pair);
            let room = Arc::clone(&room).acquire_owned().await.unwrap();
            running.spawn(async move {
                let reply = asker.post("/v1/assessments/query", &question(number)).await;
                drop(room);
                (kind, shows, reply)
            });
        }
    }
    let mut times = vec![(Vec::new(), Vec::new()); PAIRS.len()];
    let mut first = None;
    for (kind, shows, reply) in running.join_all().await {
        assert_eq!(reply.status, 200, "{}", reply.whole());
        let seen = (reply.bytes.len(), blanked(&reply), undated(&reply.headers));
        let first = first.get_or_insert_with(|| seen.clone());
        assert_eq!(seen, *first, "{}", PAIRS[kind]);
        let (with, without) = &mut times[kind];
        let times = if shows { with } else { without };
        times.push(reply.took.as_secs_f64());
    }
    for (states, (with, without)) in PAIRS.into_iter().zip(times) {
        assert_eq!((with.len(), without.len()), (pairs, pairs));
        let distance = kolmogorov_smirnov(with, without);
        println!("{states}: {pairs} pairs, D = {distance:.4}");
        assert!(distance <= largest, "{states}: D = {distance}");
    }
}

fn question(number: usize) -> Value {
    json!({ "identity": Person::new(number).found_by(), "step": "cards", "onward_rule_accepted": true })
}

/// The housing team accepted her, asked with her consent, and was shown what the hospital holds.
async fn told_housing(district: &District, served: &Served) -> Caller {
    let hospital = district
        .caller(served, "hospital", "dr-ade", Role::Clinician)
        .await;
    all_made(&[hospital
        .post("/v1/assessments", &assessment(HOUSED, "council"))
        .await]);
    let police = district
        .caller(served, "police", "pc-ward", Role::Officer)
        .await;
    let referral = super::people::referral(HOUSED, "housing");
    all_made(&[police.post("/v1/referrals", &referral).await]);
    let housing = district
        .caller(served, "council", "a-worker", Role::Housing)
        .await;
    let (released, _) = housing.accept_all().await;
    let body = json!({ "person": released[0]["person"], "consent": consent("query", "council") });
    all_made(&[housing.post("/v1/consents", &body).await]);
    housing
}

/// The same question, by two teams of one council.
async fn what_housing_is_told_the_tainted_team_is_not(desks: &Desks) {
    let path = "/v1/assessments/query";
    let told = desks.housing.post(path, &question(HOUSED)).await.json();
    assert_eq!(told["assessments"].as_array().unwrap().len(), 1, "{told}");
    let shut_out = desks.nrpf.post(path, &question(HOUSED)).await;
    assert_eq!(shut_out.json()["result"], "nothing-to-show");
    let unknown = desks.housing.post(path, &question(UNKNOWN_FROM)).await;
    assert_eq!(blanked(&shut_out), blanked(&unknown));
    assert_eq!(shut_out.bytes.len(), unknown.bytes.len());
    assert_eq!(undated(&shut_out.headers), undated(&unknown.headers));
    // Nor what came with the referral, which its own council accepted.
    let inbox = desks.nrpf.get("/v1/inbox").await;
    assert!(
        !inbox.whole().contains("offence_group"),
        "{}",
        inbox.whole()
    );
}

/// An assessment by the hospital, which she allows `with` to be shown.
fn assessment(number: usize, with: &str) -> Value {
    json!({
        "identity": Person::new(number).found_by(), "instrument": "safelives_dash_24",
        "instrument_version": "2015", "items": [{ "code": "q1", "answer": "yes" }],
        "grade": "high", "basis": "professional_judgement",
        "judgement_reasons": ["She is afraid to go home."],
        "assessed_at": "2026-11-20T09:00:00Z", "consents": [consent("share", with)],
    })
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
    let way = |way: usize| (way..KNOWN).step_by(WAYS);
    let assessed = (0..KNOWN).map(|number| {
        // Of the third way, she has allowed another to be told.
        let with = if number % WAYS == 2 {
            "beacon"
        } else {
            charity
        };
        ("/v1/assessments".to_owned(), assessment(number, with))
    });
    all_made(&hospital.post_all(assessed.collect()).await);
    let offer = |number| {
        let referral = super::people::referral(number, service);
        ("/v1/referrals".to_owned(), referral)
    };
    let offers = way(2).chain(way(WITHDREW)).map(offer).collect();
    all_made(&police.post_all(offers).await);
    let (released, _) = asker.accept_all().await;
    assert_eq!(released.len(), KNOWN / 2);
    let consents = released.iter().map(|released| {
        let body = json!({ "person": released["person"], "consent": consent("query", charity) });
        ("/v1/consents".to_owned(), body)
    });
    all_made(&asker.post_all(consents.collect()).await);
    // Now those of the fourth way may be told of, until they withdraw.
    let ask = |number| ("/v1/assessments/query".to_owned(), question(number));
    for shown in asker.post_all(way(WITHDREW).map(ask).collect()).await {
        let body = shown.json();
        assert_eq!(
            body["assessments"].as_array().map(Vec::len),
            Some(1),
            "{body}"
        );
    }
    let wishes = way(WITHDREW).map(|number| {
        let body = json!({
            "identity": Person::new(number).found_by(), "scope": "everything",
            "channel": "telephone",
        });
        ("/v1/withdrawals".to_owned(), body)
    });
    for withdrawn in asker.post_all(wishes.collect()).await {
        assert_eq!(withdrawn.status, 200, "{}", withdrawn.whole());
    }
    all_made(&police.post_all(way(1).map(offer).collect()).await);
    asker
}

fn consent(opens: &str, with: &str) -> Value {
    json!({
        "decision": "permit", "how": "spoken", "other_party_present": "no",
        "opens": opens, "depth": "answers", "recipients": { "organisations": [with] },
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
