//! A service that accepted her sees, by her name, that it knows her or the other party: within a day
//! it hands her back, and she goes on as if it had declined (3.2).
//!
//! Why is told to nobody but its own officer: a conflict tells that somebody is known there. Whoever
//! sent her is told at once that no service has her, the same wherever she goes.

use crate::domain::codes::DeclineReason;
use crate::domain::decision::List;
use crate::domain::known::Known;
use crate::domain::referral::Referral;
use crate::domain::ruling::Ruling;

use super::offering::going_on;
use super::transferring;

/// To the next service, as far as there is one; what it was shown stays noted on its own record of her,
/// so that it is told to stop using that if she withdraws ([`super::stop_use`]).
pub fn hand_back(ruling: &mut Ruling<'_>, known: &Known, held: &Referral) {
    let now = ruling.attempt().when;
    let is_in_own_custody = held.custody_key.is_some();
    let mut offer = Referral {
        details_passed_at: None,
        recipient_person: None,
        accepted_by: None,
        custody_key: None,
        resealed_item: None,
        ..held.clone()
    };
    if let Some(asking) = &mut offer.asking {
        // Whoever sent her has read that a service had her, and may have stopped calling her.
        asking.line_from = asking.line_from.min(now);
        asking.told = true;
        if is_in_own_custody {
            // Who she is lies under that service's key alone: there is nothing to give to the next.
            asking.next.clear();
        }
    }
    if let Some(route) = &mut offer.route {
        if is_in_own_custody {
            route.next.clear();
        }
        transferring::waits_again(ruling, known, &offer);
        transferring::declined(ruling, known, &offer, DeclineReason::Conflict);
        return;
    }
    ruling.list(List::Events(offer.sender.clone()), 0, offer.id.id());
    if !going_on::declined(ruling, known, &offer, DeclineReason::Conflict) {
        offer.accepted_by.clone_from(&held.accepted_by);
        going_on::ends(ruling, known, &offer, DeclineReason::Conflict);
    }
}

#[cfg(test)]
mod tests;
