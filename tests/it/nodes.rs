//! Several gateways on one PostgreSQL, each a process of its own: killed at random, restarted, and
//! their primary lost, while agencies go on.
//!
//! Agencies do what the README tells them: after a lost connection or a 503 they send the same
//! again under the same key, to whichever gateway answers. Whatever happens, each of their replies
//! is the one that the model expects.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::Method;
use firedoor::domain::codes::Role;
use firedoor::domain::merkle::{Tree, leaf_hash};
use firedoor::domain::receipt::Receipt;
use firedoor::domain::tiles::TilePath;
use serde_json::{Value, json};

use super::cluster::Pair;
use super::district::{CHARITIES, Caller, District, Said, Served, nhs_number, receipt};
use super::people::{Person, referral};
use super::tier;

const NODES: usize = 3;
/// Officers who offer, one referral after the other.
const OFFICERS: usize = 12;
/// Offers acknowledged between two kills.
const OFFERS_A_ROUND: usize = 40;
/// Receipts that the program for outsiders checks one by one; all are checked here.
const VERIFIED_OUTSIDE: usize = 20;
/// An entry of a bundle, after its length in two bytes.
const ENTRY_BYTES: usize = 258;

/// What all callers share.
struct Town {
    district: District,
    addresses: Mutex<Vec<SocketAddr>>,
    over: AtomicBool,
    next: AtomicUsize,
    /// Acknowledged offers.
    offers: AtomicUsize,
    lost: AtomicU64,
    unavailable: AtomicU64,
    /// Roots of the checkpoints that anybody was shown, by size.
    seen: Mutex<BTreeMap<u64, [u8; 32]>>,
}

impl Town {
    fn saw(&self, checkpoint: &str) {
        let checkpoint = self.district.log.verify(checkpoint).unwrap();
        let mut seen = self.seen.lock().unwrap();
        let before = seen.insert(checkpoint.size, checkpoint.root);
        assert!(
            before.is_none_or(|before| before == checkpoint.root),
            "two logs of the size {}",
            checkpoint.size
        );
    }

    async fn until_offers(&self, count: usize) {
        while self.offers.load(Ordering::Relaxed) < count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// SplitMix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }
}

/// One user of an agency's system, at whichever gateway it reached last.
struct User {
    town: Arc<Town>,
    system: &'static str,
    name: String,
    role: Role,
    random: Random,
    caller: Option<Caller>,
}

impl User {
    async fn caller(&mut self) -> Caller {
        loop {
            if let Some(caller) = &self.caller {
                return caller.clone();
            }
            let at = {
                let addresses = self.town.addresses.lock().unwrap();
                addresses[self.random.below(NODES)]
            };
            let (system, name) = (self.system, self.name.as_str());
            let connecting = self.town.district.try_caller(at, system, name, self.role);
            self.caller = connecting.await.ok();
            if self.caller.is_none() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// Until a gateway says something other than that it cannot now.
    async fn ask(&mut self, method: Method, path: &str, key: Option<&str>, body: &str) -> Said {
        let mut headers = Vec::new();
        if let Some(key) = key {
            headers.push(("idempotency-key", key));
            headers.push(("content-type", "application/json"));
        }
        loop {
            let caller = self.caller().await;
            let asked = caller.ask(method.clone(), path, &headers, body.to_owned());
            let Ok(said) = asked.await else {
                self.town.lost.fetch_add(1, Ordering::Relaxed);
                self.caller = None;
                continue;
            };
            if said.status != 503 {
                assert!(said.status < 500, "{}: {}", said.status, said.whole());
                return said;
            }
            assert_eq!(said.json()["title"], "cannot-record");
            assert!(said.headers.contains_key("retry-after"));
            self.town.unavailable.fetch_add(1, Ordering::Relaxed);
            self.caller = None;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn get(&mut self, path: &str) -> Said {
        self.ask(Method::GET, path, None, "").await
    }

    async fn post(&mut self, path: &str, key: &str, body: &Value) -> Said {
        let body = body.to_string();
        self.ask(Method::POST, path, Some(key), &body).await
    }

    /// Anybody may be at another gateway for the next request.
    fn move_on(&mut self) {
        if self.random.below(3) == 0 {
            self.caller = None;
        }
    }
}

/// What an officer was told of one offer.
struct Offered {
    number: usize,
    receipt: Receipt,
}

/// Offers one person after the other; asks again now and then, for what she has and what became of
/// it.
async fn officer(mut user: User) -> Vec<Offered> {
    let mut offered = Vec::new();
    while !user.town.over.load(Ordering::Relaxed) {
        let number = user.town.next.fetch_add(1, Ordering::Relaxed);
        let (_, service) = CHARITIES[number % 2];
        let (key, body) = (format!("offer-{number}"), referral(number, service));
        let first = user.post("/v1/referrals", &key, &body).await;
        assert_eq!(first.status, 201, "{}", first.whole());
        let first = first.json();
        let receipt = receipt_of(&user.town, &first);
        user.town.offers.fetch_add(1, Ordering::Relaxed);
        user.move_on();
        if user.random.below(4) == 0 {
            let again = user.post("/v1/referrals", &key, &body).await;
            assert_eq!(again.status, 201, "{}", again.whole());
            let again = again.json();
            assert_eq!(again["replayed"], true);
            assert_eq!(again["id"], first["id"]);
            let same = receipt_of(&user.town, &again);
            assert_eq!(same.proof.index, receipt.proof.index);
            assert_eq!(same.leaf.bytes(), receipt.leaf.bytes());
        }
        if user.random.below(4) == 0 {
            let other = referral(number + 1, service);
            let refused = user.post("/v1/referrals", &key, &other).await;
            assert_eq!(refused.status, 422, "{}", refused.whole());
        }
        // The charity that answers at the end has not answered yet.
        if number.is_multiple_of(2) {
            let path = format!("/v1/referrals/{}", first["id"].as_str().unwrap());
            let status = user.get(&path).await;
            assert_eq!(status.json()["referral"]["status"], "recorded");
        }
        offered.push(Offered { number, receipt });
        user.move_on();
    }
    offered
}

fn receipt_of(town: &Town, body: &Value) -> Receipt {
    let receipt = receipt(body);
    town.saw(&receipt.proof.checkpoint);
    receipt
}

/// Accepts whatever is offered to its charity, until all are accepted that were ever offered.
/// Gives the NHS numbers of those whom it was shown, and how many it accepted.
async fn adviser(
    mut user: User,
    offers: tokio::sync::oneshot::Receiver<usize>,
) -> (Vec<String>, usize) {
    let (mut people, mut accepted) = (Vec::new(), BTreeSet::new());
    let mut offers = Some(offers);
    let mut all = None;
    while all.is_none_or(|all| accepted.len() < all) {
        if let Some(Ok(told)) = offers
            .as_mut()
            .map(tokio::sync::oneshot::Receiver::try_recv)
        {
            (all, offers) = (Some(told), None);
        }
        let mut after = String::new();
        loop {
            let page = user.get(&format!("/v1/inbox?after={after}")).await.json();
            let entries = page["offers"].as_array().unwrap();
            if entries.is_empty() {
                break;
            }
            for offer in entries.iter().filter(|offer| offer["status"] == "offered") {
                let id = offer["id"].as_str().unwrap();
                let path = format!("/v1/referrals/{id}/accept");
                let body = json!({ "worker": "a-worker", "onward_rule_accepted": true });
                let said = user.post(&path, &format!("accept-{id}"), &body).await;
                assert_eq!(said.status, 200, "{}", said.whole());
                let said = said.json();
                receipt_of(&user.town, &said);
                // After a lost answer it is said that she was accepted, and not who she is.
                if said["replayed"] != true {
                    people.push(nhs_number(&said));
                }
                assert!(accepted.insert(id.to_owned()), "accepted twice");
                user.move_on();
            }
            after = page["next"].as_str().unwrap().to_owned();
        }
    }
    (people, accepted.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_and_the_primary_die_under_load_and_nothing_is_lost_doubled_or_wrong() {
    let seed = tier::seed().unwrap_or_else(random_seed);
    eprintln!("FIREDOOR_SEED={seed}");
    let mut random = Random(seed);
    let rounds = tier::size(4, 50);

    let pair = Pair::start().await;
    let databases = pair.databases().await;
    let district = District::new(Some(&databases)).await;
    let mut nodes: Vec<Served> = (0..NODES).map(|_| district.serve()).collect();
    let town = Arc::new(Town {
        district,
        addresses: Mutex::new(nodes.iter().map(|node| node.address).collect()),
        over: AtomicBool::new(false),
        next: AtomicUsize::new(0),
        offers: AtomicUsize::new(0),
        lost: AtomicU64::new(0),
        unavailable: AtomicU64::new(0),
        seen: Mutex::default(),
    });
    let mut user = |system, name: String, role| User {
        town: Arc::clone(&town),
        system,
        name,
        role,
        random: Random(random.next()),
        caller: None,
    };
    let mut officers = Vec::new();
    for number in 0..OFFICERS {
        let user = user("police", format!("pc-{number}"), Role::Officer);
        officers.push(tokio::spawn(officer(user)));
    }
    let (tell, told) = tokio::sync::oneshot::channel();
    let (charity, _) = CHARITIES[1];
    let adviser = tokio::spawn(adviser(
        user(charity, "a-worker".to_owned(), Role::Adviser),
        told,
    ));
    let mut stranger = user("police", "pc-last".to_owned(), Role::Officer);

    for round in 1..=rounds as usize {
        town.until_offers(round * OFFERS_A_ROUND).await;
        // Two of three, at once; they start again one after the other.
        nodes.swap(0, random.below(NODES));
        tokio::task::block_in_place(|| {
            nodes.drain(1..).for_each(Served::kill);
            nodes.extend((1..NODES).map(|_| town.district.serve()));
        });
        let now = nodes.iter().map(|node| node.address).collect();
        *town.addresses.lock().unwrap() = now;
    }

    // The machine of the primary is lost; its synchronous standby takes over.
    tokio::task::block_in_place(|| {
        pair.primary.kill();
        pair.standby.promote();
    });
    let before = town.offers.load(Ordering::Relaxed);
    town.until_offers(before + 2 * OFFERS_A_ROUND).await;
    // And a gateway that starts now finds it.
    tokio::task::block_in_place(|| {
        nodes.remove(0).kill();
        nodes.push(town.district.serve());
    });
    *town.addresses.lock().unwrap() = nodes.iter().map(|node| node.address).collect();
    town.until_offers(before + 3 * OFFERS_A_ROUND).await;
    town.over.store(true, Ordering::Relaxed);

    let mut offered = Vec::new();
    for officer in officers {
        offered.extend(officer.await.unwrap());
    }
    let to = |place: usize| {
        offered
            .iter()
            .filter(move |offer| offer.number % 2 == place)
    };
    tell.send(to(1).count()).unwrap();
    let (shown, accepted) = adviser.await.unwrap();
    eprintln!(
        "{} offers, {} connections lost, {} times 503",
        offered.len(),
        town.lost.load(Ordering::Relaxed),
        town.unavailable.load(Ordering::Relaxed)
    );

    // Each offer once and no other: at the charity that answered, and at the one that does now.
    let people = |place| -> BTreeSet<String> {
        let people = to(place).map(|offer| Person::new(offer.number).nhs_number);
        people.collect()
    };
    assert_eq!(accepted, people(1).len());
    let shown_once: BTreeSet<String> = shown.iter().cloned().collect();
    assert_eq!(shown_once.len(), shown.len(), "someone was shown twice");
    assert!(shown_once.is_subset(&people(1)));
    let (charity, _) = CHARITIES[0];
    let last = &nodes[0];
    let district = &town.district;
    let waiting = district
        .caller(last, charity, "a-worker", Role::Adviser)
        .await;
    let (released, _) = waiting.accept_all().await;
    let numbers: Vec<String> = released.iter().map(nhs_number).collect();
    assert_eq!(numbers.len(), people(0).len());
    assert_eq!(numbers.into_iter().collect::<BTreeSet<_>>(), people(0));

    // One log, which every checkpoint and every receipt that anybody was given is of.
    let caller = stranger.caller().await;
    town.saw(&caller.get("/log/checkpoint").await.whole());
    let log = entries(&town, &caller).await;
    let mut tree = Tree::new();
    for entry in &log {
        tree.append_hash(leaf_hash(entry));
    }
    for (size, root) in &*town.seen.lock().unwrap() {
        assert_eq!(tree.root_at(*size), Some(*root), "the log forked");
    }
    let mut places = BTreeSet::new();
    for offer in &offered {
        let index = offer.receipt.proof.index;
        assert_eq!(
            log[usize::try_from(index).unwrap()],
            offer.receipt.leaf.bytes()
        );
        assert!(places.insert(index), "two receipts of one entry");
    }
    let each = (offered.len() / VERIFIED_OUTSIDE).max(1);
    for offer in offered.iter().step_by(each) {
        let (status, said) = district.verify_receipt(&offer.receipt.to_text());
        assert_eq!(status, Some(0), "{said}");
    }
    assert_eq!(district.verify(&caller).await.0, Some(0));
}

fn random_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish()
}

/// Every entry of the log, as a gateway gives it to anyone.
async fn entries(town: &Town, caller: &Caller) -> Vec<Vec<u8>> {
    let size = caller.leaves(&town.district).await;
    let mut entries = Vec::new();
    for tile in TilePath::all(size).filter(|tile| tile.entries().is_some()) {
        let bundle = caller.get(&format!("/log/{tile}")).await;
        assert_eq!(bundle.status, 200, "{tile}");
        let each = bundle.bytes.chunks_exact(ENTRY_BYTES);
        entries.extend(each.map(|entry| entry[2..].to_vec()));
    }
    assert_eq!(entries.len() as u64, size);
    entries
}
