//! Who was told how to reach her, as far as the gateway knows: along the referrals that hang together.
//!
//! Two referrals hang together where one organisation sent both from one record of her, where one
//! holds what the other sent on, or where one was made by a transfer of the other. What different
//! organisations only happen to hold of her is not searched.

use std::collections::BTreeSet;

use crate::domain::codes::{PartyRole, ReferralStatus};
use crate::domain::id::{OrgId, PersonId, ReferralId};
use crate::domain::known::Known;
use crate::domain::referral::Referral;
use crate::domain::time::When;

/// A referral whose holder must hear of it.
pub struct Reached<'a> {
    pub referral: &'a Referral,
    /// What it was told of how to reach her is what has changed.
    pub has_old: bool,
}

/// Only the referral on which it was reported, if anyone holds it still.
pub fn this_one(referral: &Referral, now: When) -> Vec<Reached<'_>> {
    let reached = Reached {
        referral,
        has_old: true,
    };
    is_held(referral, now)
        .then_some(reached)
        .into_iter()
        .collect()
}

/// The referral on which it was reported, also if its holder has closed: it was told who she is.
pub fn told_once(referral: &Referral) -> Vec<Reached<'_>> {
    let is_gone = match referral.status {
        ReferralStatus::Offered
        | ReferralStatus::Waiting
        | ReferralStatus::Accepted
        | ReferralStatus::Closed => false,
        ReferralStatus::Declined | ReferralStatus::Withdrawn | ReferralStatus::Expired => true,
    };
    let reached = Reached {
        referral,
        has_old: true,
    };
    (!is_gone).then_some(reached).into_iter().collect()
}

/// Every referral whose holder has the same number or address as that of `here`. What one parent
/// gave about a child stays with the referrals made of it: the other's is never changed by it.
pub fn holders<'a>(known: &'a Known, here: &'a Referral, now: When) -> Vec<Reached<'a>> {
    let joined = joined(known, here);
    let mut found = this_one(here, now);
    let others = known.referrals.values().filter(|other| {
        other.id != here.id
            && joined.contains(&other.id)
            && other.contact_item.is_some()
            && here.contact_mark.is_some()
            && other.contact_mark == here.contact_mark
            && is_held(other, now)
    });
    found.extend(others.map(|referral| Reached {
        referral,
        has_old: true,
    }));
    found
}

/// An offer that waits has it under the gateway's key; who accepted has it.
fn is_held(referral: &Referral, now: When) -> bool {
    match referral.status_at(now) {
        ReferralStatus::Offered | ReferralStatus::Waiting | ReferralStatus::Accepted => true,
        ReferralStatus::Declined
        | ReferralStatus::Closed
        | ReferralStatus::Withdrawn
        | ReferralStatus::Expired => false,
    }
}

fn joined(known: &Known, here: &Referral) -> BTreeSet<ReferralId> {
    let is_child = here.operational.party_role == PartyRole::ChildVictim;
    let mut joined = BTreeSet::from([here.id]);
    let mut ends: BTreeSet<(&OrgId, PersonId)> = BTreeSet::new();
    let mut grows = true;
    while grows {
        grows = false;
        for referral in known.referrals.values() {
            let made_of = referral.route.as_ref().map(|route| route.origin);
            let made_into = referral.handover.as_ref().map(|over| over.onward);
            let by_transfer = [made_of, made_into]
                .into_iter()
                .flatten()
                .any(|other| joined.contains(&other));
            let by_end = !is_child && ends_of(referral).any(|end| ends.contains(&end));
            let is_in = joined.contains(&referral.id) || by_transfer || by_end;
            if is_in {
                grows |= joined.insert(referral.id);
                for end in ends_of(referral) {
                    grows |= ends.insert(end);
                }
            }
        }
    }
    joined
}

fn ends_of(referral: &Referral) -> impl Iterator<Item = (&OrgId, PersonId)> {
    let received = referral.recipient_person;
    let received = received.map(|person| (&referral.recipient, person));
    std::iter::once((&referral.sender, referral.sender_person)).chain(received)
}
