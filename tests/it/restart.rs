//! P9: what was acknowledged is there after `kill -9`, what is only an index is built again, and a
//! journal with damage in its middle does not start.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::collections::BTreeSet;
use std::fs;
use std::sync::mpsc;

use firedoor::domain::codes::Role;
use serde_json::Value;

use super::district::{CHARITIES, Caller, District, Served, new_key, nhs_number, receipt};
use super::people::{Person, referral};

const LINES: usize = 1_000;
/// Sent one by one while the batch is under way.
const SINGLES: usize = 16;
/// Entries that there are when the gateway is killed; so far from the end that it is the middle.
const KILLED_AFTER: u64 = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_kill_in_the_middle_of_a_batch() {
    let district = District::new(None).await;
    let served = district.serve();
    let police = officer(&district, &served).await;
    let before = police.leaves(&district).await;
    let (_, service) = CHARITIES[0];

    let key = new_key();
    let body: String = (0..LINES)
        .map(|number| format!("{}\n", referral(number, service)))
        .collect();
    let (acknowledge, acknowledged) = mpsc::channel();
    let single = |number| {
        let (police, acknowledge) = (police.clone(), acknowledge.clone());
        tokio::spawn(async move {
            let offer = referral(number, service);
            // Those that the kill cuts off were not acknowledged.
            if let Ok(reply) = police.try_post("/v1/referrals", &offer).await {
                assert_eq!(reply.status, 201, "{}", reply.whole());
                acknowledge.send((number, reply.json())).unwrap();
            }
        });
    };
    let singles = LINES..LINES + SINGLES;
    singles.clone().step_by(2).for_each(single);
    let first = acknowledged.recv().unwrap();
    // A connection of its own: the batch's reply comes only when all of it is decided.
    let apart = officer(&district, &served).await;
    let batch = {
        let (key, body) = (key.clone(), body.clone());
        tokio::spawn(async move { apart.batch(&key, body).await })
    };
    singles.skip(1).step_by(2).for_each(single);
    // The head is not held until a boundary, so that this sees each frame.
    while police.leaves(&district).await - before < KILLED_AFTER {}
    let at_kill = police.leaves(&district).await - before;
    served.kill();
    let done = batch.await.unwrap();
    assert!(done.is_err(), "the kill came in the middle of the batch");
    drop(acknowledge);
    let acknowledged: Vec<(usize, Value)> =
        std::iter::once(first).chain(acknowledged.iter()).collect();

    let served = district.serve();
    let police = officer(&district, &served).await;
    // Durable was what the head counted, and it may be more by what nobody was told.
    let after = police.leaves(&district).await - before;
    assert!((at_kill..=(LINES + SINGLES) as u64).contains(&after));
    for (_, told) in &acknowledged {
        let receipt = receipt(told);
        let leaf = district.leaf(&police, receipt.proof.index).await;
        assert_eq!(leaf, receipt.leaf.bytes());
        let path = format!("/v1/referrals/{}", told["id"].as_str().unwrap());
        let status = police.get(&path).await;
        assert_eq!(status.json()["referral"]["status"], "recorded");
    }
    assert_eq!(district.verify(&police).await.0, Some(0));

    // The same batch again: what was recorded is not made twice, the rest is made.
    let reply = police.batch(&key, body).await.unwrap();
    let lines = reply.lines();
    assert_eq!(lines.len(), LINES);
    let bad = lines.iter().find(|line| line["status_code"] != 201);
    if bad.is_some() {
        eprintln!("{}", served.said());
    }
    assert_eq!(bad, None);
    let again = lines.iter().filter(|line| line["replayed"] == true).count();
    assert!(again as u64 + SINGLES as u64 >= at_kill);
    let adviser = adviser(&district, &served).await;
    let (released, _) = adviser.accept_all().await;
    let people: BTreeSet<String> = released.iter().map(nhs_number).collect();
    assert_eq!(people.len(), released.len(), "nobody twice");
    let numbers = acknowledged.iter().map(|(number, _)| *number);
    for number in (0..LINES).chain(numbers) {
        assert!(people.contains(&Person::new(number).nhs_number));
    }
    assert_eq!(district.verify(&police).await.0, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_index_is_built_again_and_damage_in_the_middle_stops_the_start() {
    let district = District::new(None).await;
    let served = district.serve();
    let police = officer(&district, &served).await;
    let (_, service) = CHARITIES[0];
    for number in 0..20 {
        let offer = referral(number, service);
        assert_eq!(police.post("/v1/referrals", &offer).await.status, 201);
    }
    let inbox = ids(&adviser(&district, &served).await).await;
    assert_eq!(inbox.len(), 20);
    served.stop();

    fs::remove_dir_all(district.path("data/index")).unwrap();
    let served = district.serve();
    assert_eq!(ids(&adviser(&district, &served).await).await, inbox);
    let police = officer(&district, &served).await;
    assert_eq!(district.verify(&police).await.0, Some(0));
    served.stop();

    let segment = district.path("data/journal/0000000001.seg");
    let whole = fs::read(&segment).unwrap();
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap();
    let mut bytes = whole.clone();
    bytes[used / 2] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    let Err((status, said)) = district.try_serve() else {
        panic!("it started");
    };
    assert_eq!(status.code(), Some(1));
    let told = said.lines().last().unwrap();
    assert!(told.contains("0000000001.seg"), "{told}");
    let (_, rest) = told.split_once("damaged at byte ").expect(told);
    let (byte, _) = rest.split_once(':').unwrap();
    assert!(byte.parse::<usize>().unwrap() <= used / 2, "{told}");

    // Nothing was touched: the undamaged file starts as before.
    assert_eq!(fs::read(&segment).unwrap(), bytes);
    fs::write(&segment, whole).unwrap();
    let served = district.serve();
    assert_eq!(ids(&adviser(&district, &served).await).await, inbox);
}

async fn officer(district: &District, served: &Served) -> Caller {
    district
        .caller(served, "police", "pc-ward", Role::Officer)
        .await
}

async fn adviser(district: &District, served: &Served) -> Caller {
    let (charity, _) = CHARITIES[0];
    district
        .caller(served, charity, "a-worker", Role::Adviser)
        .await
}

async fn ids(adviser: &Caller) -> Vec<String> {
    let (offers, _) = adviser.pages("/v1/inbox", "offers").await;
    let id = |offer: &Value| offer["id"].as_str().unwrap().to_owned();
    offers.iter().map(id).collect()
}
