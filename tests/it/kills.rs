//! P9, again and again: a gateway under load is killed with SIGKILL, and every receipt it had given
//! holds. The long tier kills 200 times, the ordinary one 6 times.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::collections::BTreeSet;
use std::fs;

use axum::http::Method;
use firedoor::domain::codes::Role;
use firedoor::domain::tiles::TilePath;
use serde_json::Value;
use tokio::sync::mpsc::unbounded_channel;

use super::cluster::Cluster;
use super::district::{CHARITIES, Caller, District, Said, Served, new_key, receipt};
use super::people::referral;
use super::tier::size;

/// Callers that send one offer after another.
const WRITERS: usize = 16;
/// The most that each of them sends until the kill.
const OFFERS: usize = 12;
/// An entry of a bundle follows its length in two bytes.
const ENTRY_BYTES: usize = 258;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_receipt_of_a_journal_survives_kill_after_kill_and_nothing_is_doubled() {
    kill_and_check(&District::new(None).await, size(6, 200)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_receipt_of_a_database_survives_kill_after_kill_and_nothing_is_doubled() {
    let databases = Cluster::get().databases().await;
    kill_and_check(&District::new(Some(&databases)).await, size(2, 20)).await;
}

async fn kill_and_check(district: &District, kills: u32) {
    let mut served = district.serve();
    // Index and leaf of every receipt so far.
    let mut receipts: Vec<(u64, Vec<u8>)> = Vec::new();
    let mut offers = 0;
    for kill in 0..kills as usize {
        let police = officer(district, &served).await;
        let (told, mut telling) = unbounded_channel();
        let writers = (0..WRITERS).map(|writer| {
            let (police, told) = (police.clone(), told.clone());
            let first = (kill * WRITERS + writer) * OFFERS;
            tokio::spawn(async move {
                for number in first..first + OFFERS {
                    let key = new_key();
                    match offer(&police, &key, number).await {
                        Some(reply) => told.send(reply).unwrap(),
                        None => return (number - first, Some((key, number))),
                    }
                }
                (OFFERS, None)
            })
        });
        let writers: Vec<_> = writers.collect();
        drop(told);
        let mut replies = Vec::new();
        for _ in 0..1 + kill * 37 % 41 {
            replies.push(telling.recv().await.unwrap());
        }
        // The head is not held until a boundary, so that the kill comes between two frames too.
        let now = police.leaves(district).await;
        while police.leaves(district).await < now + kill as u64 % 5 {}
        served.kill();
        while let Some(reply) = telling.recv().await {
            replies.push(reply);
        }
        let mut unanswered = Vec::new();
        for writer in writers {
            let (answered, last) = writer.await.unwrap();
            offers += answered;
            unanswered.extend(last);
        }

        served = district.serve();
        let police = officer(district, &served).await;
        // Whoever had no answer asks again, and finds what was recorded, or is recorded now.
        for (key, number) in unanswered {
            replies.push(offer(&police, &key, number).await.unwrap());
            offers += 1;
        }
        for reply in replies {
            let receipt = receipt(&reply);
            receipts.push((receipt.proof.index, receipt.leaf.bytes().to_vec()));
            // Each is checked offline; the last of them by the tool that agencies have.
            if receipts.len().is_multiple_of(16) {
                let text = reply["receipt"].as_str().unwrap();
                assert_eq!(district.verify_receipt(text).0, Some(0));
            }
        }
        assert_eq!(district.verify(&police).await.0, Some(0), "kill {kill}");
        let log = leaves_of(district);
        for (index, leaf) in &receipts {
            assert_eq!(log[*index as usize], *leaf, "kill {kill}, leaf {index}");
        }
    }
    let adviser = adviser(district, &served).await;
    let (listed, _) = adviser.pages("/v1/inbox", "offers").await;
    let ids: BTreeSet<&str> = listed
        .iter()
        .map(|offer| offer["id"].as_str().unwrap())
        .collect();
    assert_eq!(
        (listed.len(), ids.len()),
        (offers, offers),
        "none lost, none doubled"
    );
    println!("{kills} kills, {} receipts, 0 lost", receipts.len());
}

/// The reply, or nothing if the gateway was killed before it came.
async fn offer(police: &Caller, key: &str, number: usize) -> Option<Value> {
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", key),
    ];
    let body = referral(number, CHARITIES[0].1).to_string();
    let sent = police.ask(Method::POST, "/v1/referrals", &headers, body);
    let reply: Said = sent.await.ok()?;
    assert_eq!(reply.status, 201, "{}", reply.whole());
    Some(reply.json())
}

/// Every leaf of the copy that was verified last.
fn leaves_of(district: &District) -> Vec<Vec<u8>> {
    let copy = district.copy();
    let head = fs::read_to_string(copy.join("checkpoint")).unwrap();
    let size = district.log.verify(&head).unwrap().size;
    let mut leaves = Vec::new();
    for tile in TilePath::all(size).filter(|tile| tile.entries().is_some()) {
        let bundle = fs::read(copy.join(tile.to_string())).unwrap();
        let first = tile.entries().unwrap().start as usize;
        assert_eq!(first, leaves.len(), "bundles come in order");
        leaves.extend(bundle.chunks(ENTRY_BYTES).map(|entry| entry[2..].to_vec()));
    }
    leaves
}

async fn officer(district: &District, served: &Served) -> Caller {
    let role = Role::Officer;
    district.caller(served, "police", "pc-ward", role).await
}

async fn adviser(district: &District, served: &Served) -> Caller {
    let (charity, _) = CHARITIES[0];
    let role = Role::Adviser;
    district.caller(served, charity, "a-worker", role).await
}
