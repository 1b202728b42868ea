//! The weekly sample: ordinary accesses that an officer asks about, drawn so that nobody picks.
//!
//! A week ends on Monday at 00:00 UTC, by the times in the leaves. Its seed is the root of the tree
//! that ends with the first entry after it, which nobody knew in the week. Who has the log, and an
//! organisation's own list of entries, can draw again and must come to the same.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::domain::id::OrgId;
use crate::domain::merkle::Hash;
use crate::domain::time::When;

const DAY_MILLIS: i64 = 86_400_000;
/// 1970-01-01 was a Thursday: the first Monday after it is day 4.
const FIRST_MONDAY: i64 = 4;
const LABEL: &[u8] = b"firedoor weekly sample v1\n";

/// A week, as the number of Mondays since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Week(pub i64);

impl Week {
    pub const fn of(at: When) -> Self {
        Self((at.millis().div_euclid(DAY_MILLIS) - FIRST_MONDAY).div_euclid(7))
    }

    pub const fn before(self) -> Self {
        Self(self.0 - 1)
    }

    pub const fn begins(self) -> When {
        When::from_millis((self.0 * 7 + FIRST_MONDAY) * DAY_MILLIS)
    }

    /// Exclusive.
    pub const fn ends(self) -> When {
        Self(self.0 + 1).begins()
    }
}

/// The entries in the order in which they are drawn, the first drawn first.
///
/// Sorted by HMAC-SHA256 under the root (as its key) over the label, the organisation's length and
/// name, the week and the entry's index, each number in eight bytes, big-endian. What else is in the
/// list makes no difference to which of two comes first.
pub fn draw(root: &Hash, organisation: &OrgId, week: Week, entries: &[u64]) -> Vec<u64> {
    let mut drawn: Vec<([u8; 32], u64)> = entries
        .iter()
        .map(|entry| (ticket(root, organisation, week, *entry), *entry))
        .collect();
    drawn.sort_unstable();
    drawn.dedup();
    drawn.into_iter().map(|(_, entry)| entry).collect()
}

fn ticket(root: &Hash, organisation: &OrgId, week: Week, entry: u64) -> [u8; 32] {
    // HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(root) else {
        return [0; 32];
    };
    let name = organisation.as_str().as_bytes();
    mac.update(LABEL);
    mac.update(&(name.len() as u64).to_be_bytes());
    mac.update(name);
    mac.update(&week.0.to_be_bytes());
    mac.update(&entry.to_be_bytes());
    mac.finalize().into_bytes().into()
}
