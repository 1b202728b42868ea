//! A sender takes back its own offer, under the name that it gave it. The reply is the same
//! whether there was one.

use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::counterfoil::Word;
use crate::domain::decision::{Decision, List};
use crate::domain::id::{OrgId, ReferralId};
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
    let taken_back = take_back(&mut ruling, known, own, &ids);
    ruling.took(Word::Revoked {
        by: own.clone(),
        referrals: taken_back,
        at: attempt.when,
    });
    ruling.finish(Answer::Nothing)
}

/// Those of `ids` that `sender` offered and nobody has answered: their keys go, and whoever they
/// were offered to sees that something changed.
pub fn take_back(
    ruling: &mut Ruling<'_>,
    known: &Known,
    sender: &OrgId,
    ids: &[ReferralId],
) -> Vec<ReferralId> {
    let named = ids.iter().filter_map(|id| known.referrals.get(id));
    let open: Vec<&Referral> = named
        .filter(|referral| {
            // Also what only reads as withdrawn for now: its pause must not give it back.
            referral.sender == *sender && referral.waits_for_answer()
        })
        .collect();
    for referral in &open {
        ruling.subject(&referral.tokens);
        ruling.concerns(&referral.recipient);
        erase_parts(ruling, known, referral.id);
        unlist(ruling, referral);
        if referral.open() {
            let offered_to = List::Events(referral.recipient.clone());
            ruling.list(offered_to, 0, referral.id.id());
        }
        let mut withdrawn = (*referral).clone();
        withdrawn.withdraw();
        save(ruling, &withdrawn);
    }
    open.iter().map(|referral| referral.id).collect()
}
