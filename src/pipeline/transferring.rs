//! Transfers between areas and news about her: which facts each step rests on, and what is done by the
//! clock about referrals that were handed over.

use crate::domain::alias::AliasKind;
use crate::domain::attempt::Attempt;
use crate::domain::codes::ServiceFamily;
use crate::domain::decision::{Aggregate, List};
use crate::domain::id::{Id, ReferralId};
use crate::domain::journey::transferring::{self, Due, Move};
use crate::domain::journey::updating::{self, News};
use crate::domain::known::Known;
use crate::domain::person::TaggedToken;
use crate::domain::time::When;
use crate::domain::transfer::{Handover, Route};
use crate::store::Fault;

use super::holding::apart;
use super::{Answered, Gateway, Read, TRIES_MAX};

impl Gateway {
    /// She moves: the caller's referral `alias` is offered to a service in another area.
    pub async fn transfer(
        &self,
        attempt: Attempt,
        alias: Id,
        moving: &Move,
    ) -> Result<Answered, Fault> {
        let apart = apart(&attempt);
        let reads = [
            Read::Family(moving.family),
            Read::Referral(alias),
            Read::Tokens(moving.person.tokens()),
        ];
        let answered = self
            .run(attempt, &reads, |rules, attempt, known, keys| {
                transferring::transfer(rules, attempt, known, keys, alias, moving)
            })
            .await?;
        self.log_held(apart, answered).await
    }

    /// News on a referral, to everybody whom it must reach.
    pub async fn update(
        &self,
        attempt: Attempt,
        alias: Id,
        news: &News,
    ) -> Result<Answered, Fault> {
        let apart = apart(&attempt);
        let reads = [
            Read::Referral(alias),
            Read::ReferralsOfPeople,
            Read::Receivers,
        ];
        let answered = self
            .run(attempt, &reads, |rules, attempt, known, keys| {
                updating::update(rules, attempt, known, keys, alias, news)
            })
            .await?;
        self.log_held(apart, answered).await
    }

    /// Does what is due at `now` about referrals that were handed over; whether there was anything.
    ///
    /// # Errors
    /// [`Fault`]. What was committed before stays done; the rest is found again.
    pub async fn move_transfers_on(&self, now: When) -> Result<bool, Fault> {
        let (mut any, mut moved) = (false, 0);
        while moved < TRIES_MAX {
            let most = transferring::DONE_AT_ONCE;
            let mut entries = self.store.list(&List::TransfersDue, None, most).await?;
            entries.retain(|entry| i64::try_from(entry.at).is_ok_and(|at| at <= now.millis()));
            if entries.is_empty() {
                return Ok(any);
            }
            let mut known = self.members().await?;
            let ids = entries.iter().map(|entry| ReferralId(entry.item));
            let of: Vec<Aggregate> = ids.map(Aggregate::Referral).collect();
            self.read(&mut known, &of).await?;
            let routes = known.referrals.values();
            let routes = routes.map(|one| (one.route.clone(), one.tokens.clone()));
            let routes: Vec<(Option<Route>, Vec<TaggedToken>)> = routes.collect();
            for (route, tokens) in routes {
                self.read_transfer(&mut known, route.as_ref(), None).await?;
                if route.is_some() {
                    // What she has said since: the next service may be one that she has stopped.
                    self.read_person(&mut known, &tokens).await?;
                }
            }
            known.stand_at(now);
            let due = Due {
                now,
                entries: &entries,
            };
            let acted = self.must_act(&known, transferring::KEYS, |rules, when, entropy, keys| {
                transferring::due(rules, when, entropy, keys, &known, &due)
            });
            match acted.await? {
                true => any = true,
                false => moved += 1,
            }
        }
        Err(Fault::CannotRecord("the facts kept moving; try again"))
    }

    /// One referral with both its parties and what is known of the person.
    pub(super) async fn read_referral(
        &self,
        known: &mut Known,
        attempt: &Attempt,
        alias: Id,
    ) -> Result<(), Fault> {
        let aliases = self.rules.load().aliases(attempt, known);
        let id = ReferralId(aliases.inward(AliasKind::Referral, alias));
        self.read(known, &[Aggregate::Referral(id)]).await?;
        let Some(referral) = known.referrals.get(&id) else {
            return Ok(());
        };
        let (sender, recipient) = (referral.sender.clone(), referral.recipient.clone());
        let tokens = referral.tokens.clone();
        let (route, handover) = (referral.route.clone(), referral.handover.clone());
        let asking = referral.asking.clone();
        self.read(
            known,
            &[
                Aggregate::Organisation(sender),
                Aggregate::Organisation(recipient),
            ],
        )
        .await?;
        self.read_transfer(known, route.as_ref(), handover.as_ref())
            .await?;
        self.read_next(known, asking.as_ref()).await?;
        self.read_person(known, &tokens).await
    }

    /// Who runs services of a family.
    pub(super) async fn read_family(
        &self,
        known: &mut Known,
        family: ServiceFamily,
    ) -> Result<(), Fault> {
        let services = known.directory.services.iter();
        let of: Vec<Aggregate> = services
            .filter(|service| service.family == family)
            .map(|service| Aggregate::Organisation(service.organisation.clone()))
            .collect();
        self.read(known, &of).await
    }

    /// Of a referral that is part of a transfer: where it came from and who may be asked next, and what
    /// was made of it, up to whoever has her now.
    pub(super) async fn read_transfer(
        &self,
        known: &mut Known,
        route: Option<&Route>,
        handover: Option<&Handover>,
    ) -> Result<(), Fault> {
        let mut of: Vec<Aggregate> = Vec::new();
        if let Some(route) = route {
            of.push(Aggregate::Referral(route.origin));
            let services = route.next.iter();
            let services = services.filter_map(|next| known.directory.service(next));
            of.extend(services.map(|next| Aggregate::Organisation(next.organisation.clone())));
        }
        self.read(known, &of).await?;
        let origin = route.and_then(|route| known.referrals.get(&route.origin));
        if let Some(tokens) = origin.map(|origin| origin.tokens.clone()) {
            self.read_person(known, &tokens).await?;
        }
        let mut onward = handover.map(|over| over.onward);
        while let Some(id) = onward.filter(|id| !known.has(&Aggregate::Referral(*id))) {
            self.read(known, &[Aggregate::Referral(id)]).await?;
            let made = known.referrals.get(&id);
            let over = made.and_then(|made| made.handover.as_ref());
            onward = over.map(|over| over.onward);
        }
        Ok(())
    }
}
