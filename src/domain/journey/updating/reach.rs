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

/// Only the referral on which it was reported, if anyone holds it still.
pub fn this_one(here: &Referral, now: When) -> Vec<&Referral> {
    held([here], now)
}

/// Whoever has her by the referral on which it was reported: it may have been handed over since.
pub fn whoever_has_her<'a>(known: &'a Known, here: &'a Referral, now: When) -> Vec<&'a Referral> {
    held(made_of(known, here), now)
}

/// Everybody who was told who she is by the referral on which it was reported, also those who have
/// closed it, and those whom it is offered to.
pub fn told_once<'a>(known: &'a Known, here: &'a Referral) -> Vec<&'a Referral> {
    let was_told = |referral: &&Referral| match referral.lasting_status() {
        ReferralStatus::Offered
        | ReferralStatus::Waiting
        | ReferralStatus::Accepted
        | ReferralStatus::Closed => true,
        ReferralStatus::Declined | ReferralStatus::Withdrawn | ReferralStatus::Expired => false,
    };
    made_of(known, here).into_iter().filter(was_told).collect()
}

/// Every referral whose holder has the same number or address as that of `here`. What one parent
/// gave about a child stays with the referrals made of it: the other's is never changed by it.
pub fn holders<'a>(known: &'a Known, here: &'a Referral, now: When) -> Vec<&'a Referral> {
    let joined = joined(known, here);
    let others = known.referrals.values().filter(|other| {
        other.id != here.id
            && joined.contains(&other.id)
            && other.contact_item.is_some()
            && has_mark_of(other, here)
    });
    held(std::iter::once(here).chain(others), now)
}

fn held<'a>(all: impl IntoIterator<Item = &'a Referral>, now: When) -> Vec<&'a Referral> {
    let all = all.into_iter();
    all.filter(|referral| is_held(referral, now)).collect()
}

/// Either the number or the address is enough: to call an old number can kill.
fn has_mark_of(other: &Referral, here: &Referral) -> bool {
    let mut marks = other.contact_marks.iter();
    marks.any(|mark| here.contact_marks.contains(mark))
}

/// An offer that waits has it under the gateway's key; who accepted has it. A pause changes neither:
/// what is not told in it would be gone when it ends.
fn is_held(referral: &Referral, now: When) -> bool {
    match referral.lasting_status_at(now) {
        ReferralStatus::Offered | ReferralStatus::Waiting | ReferralStatus::Accepted => true,
        ReferralStatus::Declined
        | ReferralStatus::Closed
        | ReferralStatus::Withdrawn
        | ReferralStatus::Expired => false,
    }
}

/// The referral, and what transfers made of it, one after the other.
fn made_of<'a>(known: &'a Known, first: &'a Referral) -> Vec<&'a Referral> {
    let mut all = vec![first];
    while let Some(next) = all
        .last()
        .and_then(|last| last.handover.as_ref())
        .and_then(|over| known.referrals.get(&over.onward))
        .filter(|next| all.iter().all(|one| one.id != next.id))
    {
        all.push(next);
    }
    all
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
