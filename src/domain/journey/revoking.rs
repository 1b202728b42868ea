//! A sender takes back its own offer, under the name that it gave it. The reply is the same
//! whether there was one.

use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::codes::ReferralStatus;
use crate::domain::decision::{Decision, List};
use crate::domain::known::Known;
use crate::domain::person::Token;
use crate::domain::policy::Relationship;
use crate::domain::referral::Referral;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;

use super::answering::{erase_parts, save, unlist};
use super::{Stop, caller, permit};

/// Withdraws the open offers that `names` stand for.
pub fn revoke(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    names: &[Token],
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    let permitted = caller(known, attempt)
        .map_err(Stop::Refuse)
        .and_then(|caller| {
            let mut ask = caller.ask(attempt, caller.as_recipient());
            ask.relationship = Relationship::Sender;
            permit(&mut ruling, &ask, ())
        });
    if let Err(stop) = permitted {
        return ruling.stop(stop);
    }
    ruling.reason("revoked_by_sender");
    let named = names
        .iter()
        .filter_map(|name| known.externals.get(name))
        .flatten();
    let mut ids: Vec<_> = named.copied().collect();
    ids.sort_unstable();
    ids.dedup();
    let own = attempt.organisation();
    for referral in ids.iter().filter_map(|id| known.referrals.get(id)) {
        if referral.sender == *own {
            take_back(&mut ruling, known, referral);
        }
    }
    ruling.finish(Answer::Nothing)
}

fn take_back(ruling: &mut Ruling<'_>, known: &Known, referral: &Referral) {
    if !referral.open() {
        return;
    }
    ruling.subject(&referral.tokens);
    ruling.concerns(&referral.recipient);
    erase_parts(ruling, known, referral.id);
    unlist(ruling, referral);
    ruling.list(
        List::Events(referral.recipient.clone()),
        0,
        referral.id.id(),
    );
    let mut referral = referral.clone();
    referral.status = ReferralStatus::Withdrawn;
    save(ruling, &referral);
}
