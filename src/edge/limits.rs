//! How much one caller may use: requests a minute, and connections at a time.
//!
//! Pure counting: the instant comes in as a value, and every table has a largest size. A limit
//! looks at who calls, never at whom the call is about, so that it tells nothing about a person.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::id::{OrgId, UserId};
use crate::domain::time::When;

/// A steady rate with room for a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests a minute in the long run; 0 means none at all.
    pub per_minute: u32,
    /// Requests at once, after a pause; at least 1.
    pub burst: u32,
}

impl Rate {
    /// The time that one request stands for.
    fn interval(self) -> Option<Duration> {
        Duration::from_secs(60).checked_div(self.per_minute)
    }
}

/// The caller has used up a rate; the same for every subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many requests: wait {retry_after_s} s")]
pub struct SlowDown {
    /// For the `Retry-After` header: 1 to 3,600.
    pub retry_after_s: u32,
}

impl SlowDown {
    const RETRY_AFTER_S_MAX: u32 = 3_600;

    fn after(wait: Duration) -> Self {
        let whole = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
        let up = u32::from(wait.subsec_nanos() > 0);
        Self {
            retry_after_s: whole.saturating_add(up).clamp(1, Self::RETRY_AFTER_S_MAX),
        }
    }
}

/// Token buckets for one kind of key, each kept as the instant at which it will be full again
/// (the generic cell rate algorithm of ITU-T I.371: exact, one instant a key, no timer).
struct Buckets<K> {
    rate: Rate,
    full_at: HashMap<K, Instant>,
    keys_max: usize,
}

impl<K: Eq + Hash + Clone> Buckets<K> {
    fn new(rate: Rate, keys_max: usize) -> Self {
        Self {
            rate,
            full_at: HashMap::new(),
            keys_max: keys_max.max(1),
        }
    }

    /// When the bucket would be full again if one request were taken now.
    fn after_one(&self, key: &K, now: Instant) -> Result<Instant, SlowDown> {
        let Some(interval) = self.rate.interval() else {
            return Err(SlowDown::after(Duration::from_secs(3_600)));
        };
        let full_at = self.full_at.get(key).copied().unwrap_or(now).max(now);
        let owed = full_at.duration_since(now);
        let room = interval.saturating_mul(self.rate.burst.saturating_sub(1));
        match owed.checked_sub(room) {
            Some(wait) if !wait.is_zero() => Err(SlowDown::after(wait)),
            Some(_) | None => Ok(full_at + interval),
        }
    }

    fn set(&mut self, key: &K, full_at: Instant, now: Instant) {
        if !self.full_at.contains_key(key) && self.full_at.len() >= self.keys_max {
            self.make_room(now);
        }
        self.full_at.insert(key.clone(), full_at);
    }

    /// A full bucket is the same as none. When all are in use, the one nearest to full goes: its
    /// owner gains least by being forgotten.
    fn make_room(&mut self, now: Instant) {
        self.full_at.retain(|_, full_at| *full_at > now);
        if self.full_at.len() >= self.keys_max
            && let Some(key) = self
                .full_at
                .iter()
                .min_by_key(|(_, full_at)| **full_at)
                .map(|(key, _)| key.clone())
        {
            self.full_at.remove(&key);
        }
    }
}

/// The request rates of all callers: each user within her organisation, and each organisation.
pub struct RequestRates {
    users: Buckets<(OrgId, Option<UserId>)>,
    organisations: Buckets<OrgId>,
}

impl RequestRates {
    pub const USERS_MAX: usize = 20_000;
    pub const ORGANISATIONS_MAX: usize = 2_000;

    pub fn new(per_user: Rate, per_organisation: Rate) -> Self {
        Self {
            users: Buckets::new(per_user, Self::USERS_MAX),
            organisations: Buckets::new(per_organisation, Self::ORGANISATIONS_MAX),
        }
    }

    /// Counts one request; without a user it counts for the system itself. A refused request uses
    /// up nothing, so one busy user does not shut out her colleagues.
    pub fn take(
        &mut self,
        organisation: &OrgId,
        user: Option<&UserId>,
        now: Instant,
    ) -> Result<(), SlowDown> {
        let key = (organisation.clone(), user.cloned());
        let for_user = self.users.after_one(&key, now)?;
        let for_organisation = self.organisations.after_one(organisation, now)?;
        self.users.set(&key, for_user, now);
        self.organisations.set(organisation, for_organisation, now);
        Ok(())
    }
}

/// Counts what is open per key, up to `each_max`. A slot is given back when it is dropped.
pub struct Slots<K> {
    open: Arc<Mutex<HashMap<K, usize>>>,
    each_max: usize,
}

impl<K: Eq + Hash + Clone> Slots<K> {
    pub fn new(each_max: usize) -> Self {
        Self {
            open: Arc::default(),
            each_max,
        }
    }

    /// `None` when this key has all its slots open. The table holds open keys only, so it is
    /// bounded by the number of connections.
    pub fn take(&self, key: &K) -> Option<Slot<K>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.get(key).copied().unwrap_or(0);
        if count >= self.each_max {
            return None;
        }
        open.insert(key.clone(), count + 1);
        Some(Slot {
            open: Arc::clone(&self.open),
            key: key.clone(),
        })
    }
}

/// One open connection of a key.
pub struct Slot<K: Eq + Hash> {
    open: Arc<Mutex<HashMap<K, usize>>>,
    key: K,
}

impl<K: Eq + Hash> Drop for Slot<K> {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.key);
            }
        }
    }
}

/// Calls that are counted rather than logged one by one: unparsable, oversized, too many. One
/// leaf for each caller and minute, so that a valid certificate cannot fill the disk.
pub struct CountedCalls<K> {
    minute: i64,
    seen: HashMap<K, u32>,
}

impl<K> Default for CountedCalls<K> {
    fn default() -> Self {
        Self {
            minute: 0,
            seen: HashMap::new(),
        }
    }
}

impl<K: Eq + Hash> CountedCalls<K> {
    /// Whether this call makes a leaf: the first of its caller in the minute does.
    pub fn first(&mut self, caller: K, now: When) -> bool {
        let minute = now.millis().div_euclid(60_000);
        if minute != self.minute {
            self.minute = minute;
            self.seen.clear();
        }
        let count = self.seen.entry(caller).or_insert(0);
        *count = count.saturating_add(1);
        *count == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn org(name: &str) -> OrgId {
        OrgId::parse(name).unwrap()
    }

    fn user(name: &str) -> UserId {
        UserId::parse(name).unwrap()
    }

    fn rates() -> RequestRates {
        let per_user = Rate {
            per_minute: 60,
            burst: 3,
        };
        let per_organisation = Rate {
            per_minute: 120,
            burst: 5,
        };
        RequestRates::new(per_user, per_organisation)
    }

    #[test]
    fn a_burst_passes_then_the_caller_is_told_how_long_to_wait() {
        let (mut rates, now) = (rates(), Instant::now());
        let (met, ward) = (org("met"), user("pc-ward"));
        for _ in 0..3 {
            assert_eq!(rates.take(&met, Some(&ward), now), Ok(()));
        }
        assert_eq!(
            rates.take(&met, Some(&ward), now),
            Err(SlowDown { retry_after_s: 1 })
        );
        let later = now + Duration::from_secs(1);
        assert_eq!(rates.take(&met, Some(&ward), later), Ok(()));
        assert!(rates.take(&met, Some(&ward), later).is_err());
    }

    #[test]
    fn one_busy_user_does_not_use_up_her_organisation() {
        let (mut rates, now) = (rates(), Instant::now());
        let met = org("met");
        for _ in 0..100 {
            let _ = rates.take(&met, Some(&user("busy")), now);
        }
        assert_eq!(rates.take(&met, Some(&user("calm")), now), Ok(()));
        assert_eq!(rates.take(&org("refuge"), None, now), Ok(()));
    }

    #[test]
    fn many_users_together_meet_the_limit_of_their_organisation() {
        let (mut rates, now) = (rates(), Instant::now());
        let met = org("met");
        let passed = (0..50)
            .filter(|n| rates.take(&met, Some(&user(&format!("u{n}"))), now).is_ok())
            .count();
        assert_eq!(passed, 5);
    }

    #[test]
    fn a_rate_of_nothing_lets_nothing_through() {
        let none = Rate {
            per_minute: 0,
            burst: 9,
        };
        let mut rates = RequestRates::new(none, none);
        assert!(rates.take(&org("met"), None, Instant::now()).is_err());
    }

    #[test]
    fn the_table_of_buckets_never_grows_past_its_limit() {
        let rate = Rate {
            per_minute: 1,
            burst: 1,
        };
        let now = Instant::now();
        let mut buckets = Buckets::new(rate, 10);
        for key in 0..1_000_u32 {
            let full_at = buckets.after_one(&key, now).unwrap();
            buckets.set(&key, full_at, now);
        }
        assert_eq!(buckets.full_at.len(), 10);
        assert!(buckets.after_one(&999, now).is_err());
    }

    #[test]
    fn a_connection_gives_its_slot_back() {
        let slots = Slots::new(2);
        let (first, second) = (slots.take(&org("met")), slots.take(&org("met")));
        assert!(first.is_some() && second.is_some());
        assert!(slots.take(&org("met")).is_none());
        assert!(slots.take(&org("refuge")).is_some());
        drop(first);
        assert!(slots.take(&org("met")).is_some());
        drop(second);
        assert!(slots.open.lock().unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn no_pattern_of_calls_beats_the_rate(gaps in prop::collection::vec(0_u64..3_000, 1..200)) {
            let (mut rates, start) = (rates(), Instant::now());
            let (met, ward) = (org("met"), user("pc-ward"));
            let mut elapsed_ms = 0;
            let mut passed: u64 = 0;
            for gap in gaps {
                elapsed_ms += gap;
                let now = start + Duration::from_millis(elapsed_ms);
                match rates.take(&met, Some(&ward), now) {
                    Ok(()) => passed += 1,
                    Err(SlowDown { retry_after_s }) => {
                        let then = now + Duration::from_secs(u64::from(retry_after_s));
                        let key = (met.clone(), Some(ward.clone()));
                        prop_assert!(rates.users.after_one(&key, then).is_ok());
                    }
                }
            }
            prop_assert!(passed <= 3 + elapsed_ms / 1_000);
        }
    }
}
