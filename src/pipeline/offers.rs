//! Offers by the clock: what nobody answered in time goes to the next service.

use crate::domain::asking::Asking;
use crate::domain::decision::{Aggregate, List};
use crate::domain::id::ReferralId;
use crate::domain::journey::offering::going_on::{self, Due};
use crate::domain::known::Known;
use crate::domain::person::TaggedToken;
use crate::domain::time::When;
use crate::store::Fault;

use super::{Gateway, TRIES_MAX};

impl Gateway {
    /// Does what is due at `now` about offers that wait for an answer; whether there was anything. An
    /// answer that is given meanwhile counts: one of the two is decided again.
    ///
    /// # Errors
    /// [`Fault`]. What was committed before stays done; the rest is found again.
    pub async fn pass_offers_on(&self, now: When) -> Result<bool, Fault> {
        let (mut any, mut moved) = (false, 0);
        while moved < TRIES_MAX {
            let most = going_on::DONE_AT_ONCE;
            let mut entries = self.store.list(&List::OffersDue, None, most).await?;
            entries.retain(|entry| i64::try_from(entry.at).is_ok_and(|at| at <= now.millis()));
            if entries.is_empty() {
                return Ok(any);
            }
            let mut known = self.members().await?;
            let ids = entries.iter().map(|entry| ReferralId(entry.item));
            let of: Vec<Aggregate> = ids.map(Aggregate::Referral).collect();
            self.read(&mut known, &of).await?;
            let found = known.referrals.values();
            let found = found.map(|one| (one.asking.clone(), one.tokens.clone()));
            let found: Vec<(Option<Asking>, Vec<TaggedToken>)> = found.collect();
            for (asking, tokens) in &found {
                self.read_next(&mut known, asking.as_ref()).await?;
                self.read_person(&mut known, tokens).await?;
            }
            known.stand_at(now);
            let due = Due {
                now,
                entries: &entries,
            };
            let acted = self.must_act(&known, going_on::KEYS, |rules, when, entropy, keys| {
                going_on::due(rules, when, entropy, keys, &known, &due)
            });
            match acted.await? {
                true => any = true,
                false => moved += 1,
            }
        }
        Err(Fault::CannotRecord("the facts kept moving; try again"))
    }

    /// Who runs the services that an offer may be passed on to.
    pub(super) async fn read_next(
        &self,
        known: &mut Known,
        asking: Option<&Asking>,
    ) -> Result<(), Fault> {
        let next = asking.map_or(&[][..], |asking| &asking.next);
        let services = next.iter().filter_map(|id| known.directory.service(id));
        let of: Vec<Aggregate> = services
            .map(|service| Aggregate::Organisation(service.organisation.clone()))
            .collect();
        self.read(known, &of).await
    }
}
