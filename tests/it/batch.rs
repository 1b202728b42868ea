//! A thousand referrals in one stream, through the real port, on both backends: one bad line never
//! sinks the rest, and each line, read and acceptance is one entry of a log that proves itself (P2).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::collections::BTreeSet;

use firedoor::domain::codes::Role;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::cluster::Cluster;
use super::district::{CHARITIES, District, new_key, nhs_number, receipt};
use super::people::{self, Fate, Person};

/// Lines of one batch; no batch may have more.
const LINES: usize = 1_000;
/// People of one address, all in one batch: more than are decided at once.
const HOUSEHOLD: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_referrals_each_have_one_outcome_and_one_entry_in_the_embedded_store() {
    thousand(&District::new(None).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_referrals_each_have_one_outcome_and_one_entry_in_postgresql() {
    let databases = Cluster::get().databases().await;
    thousand(&District::new(Some(&databases)).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_of_one_address_in_one_batch_do_not_stand_in_each_others_way() {
    let district = District::new(None).await;
    let served = district.serve();
    let police = district
        .caller(&served, "police", "pc-ward", Role::Officer)
        .await;
    let household = Person::new(0);
    let lines = (0..HOUSEHOLD).map(|number| {
        let mut referral = people::referral(number, service(0));
        for (field, shared) in [
            ("family_name", json!(household.family_name)),
            ("address_line", json!(household.address_line)),
            ("postcode", json!(household.postcode)),
            ("phone", json!([household.phone])),
        ] {
            referral["identity"][field] = shared;
        }
        format!("{referral}\n")
    });
    let before = police.leaves(&district).await;
    let reply = police.batch(&new_key(), lines.collect::<String>()).await;
    let lines = reply.unwrap().lines();
    assert_eq!(lines.len(), HOUSEHOLD);
    for line in &lines {
        assert_eq!(outcome(line), Fate::Taken, "{line}");
    }
    let after = police.leaves(&district).await;
    assert_eq!(after - before, HOUSEHOLD as u64);
}

async fn thousand(district: &District) {
    let served = district.serve();
    let police = district
        .caller(&served, "police", "pc-ward", Role::Officer)
        .await;
    let before = police.leaves(district).await;

    let (mut body, mut fates) = (Vec::new(), Vec::new());
    for number in 0..LINES {
        let (bytes, fate) = people::line(number, service(number));
        body.extend(bytes);
        body.push(b'\n');
        fates.push(fate);
    }
    let reply = police.batch(&new_key(), body).await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.whole());
    let lines = reply.lines();
    assert_eq!(lines.len(), LINES);
    let mut entries = BTreeSet::new();
    for (number, (line, fate)) in lines.iter().zip(&fates).enumerate() {
        assert_eq!(line["line"], number + 1);
        assert_eq!(outcome(line), *fate, "line {}: {line}", number + 1);
        entries.insert(receipt(line).proof.index);
    }
    assert_eq!(entries.len(), LINES, "one entry for each line");
    // And one for each note that was held, in which nobody is.
    let held = fates.iter().filter(|fate| **fate == Fate::NoteHeld).count();
    let all = (LINES + held) as u64;
    assert!(
        entries
            .iter()
            .all(|entry| (before..before + all).contains(entry))
    );
    for line in [0, LINES / 2, LINES - 1] {
        let text = lines[line]["receipt"].as_str().unwrap();
        assert_eq!(district.verify_receipt(text).0, Some(0));
    }

    let mut charities = JoinSet::new();
    for (place, (charity, _)) in CHARITIES.iter().enumerate() {
        let adviser = district
            .caller(&served, charity, "a-worker", Role::Adviser)
            .await;
        charities.spawn(async move { (place, adviser.accept_all().await) });
    }
    let mut attempts = 0;
    for (place, (accepted, requests)) in charities.join_all().await {
        let sent: BTreeSet<String> = (0..LINES)
            .filter(|number| number % CHARITIES.len() == place)
            .filter(|number| !matches!(fates[*number], Fate::Refused(_)))
            .map(|number| Person::new(number).nhs_number)
            .collect();
        let people: BTreeSet<String> = accepted.iter().map(nhs_number).collect();
        assert_eq!(people, sent, "{}", CHARITIES[place].0);
        assert_eq!(accepted.len(), sent.len(), "nobody twice");
        attempts += requests;
    }
    let after = police.leaves(district).await;
    assert_eq!(after - before, all + attempts);
    let (status, said) = district.verify(&police).await;
    assert_eq!(status, Some(0), "{said}");
}

fn service(number: usize) -> &'static str {
    CHARITIES[number % CHARITIES.len()].1
}

/// What a line's own reply says became of it.
fn outcome(line: &Value) -> Fate {
    let status = line["status_code"].as_u64().unwrap();
    match (status, line.get("held")) {
        (201, None) => Fate::Taken,
        (201, Some(_)) => Fate::NoteHeld,
        (400..500, None) => {
            assert!(!line["detail"].as_str().unwrap().is_empty());
            let known = ["check-your-answers", "consent-needed"];
            let title = known.into_iter().find(|title| line["title"] == *title);
            Fate::Refused(title.unwrap_or("another refusal"))
        }
        _ => panic!("no outcome: {line}"),
    }
}
