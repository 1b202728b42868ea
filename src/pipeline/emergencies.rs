//! Emergencies: the glass that is broken, what is said of them afterwards, and what is done by the
//! clock when nothing is.

use crate::domain::alias::AliasKind;
use crate::domain::attempt::Attempt;
use crate::domain::decision::{Aggregate, Listed, Window};
use crate::domain::id::{EmergencyId, Id, OrgId};
use crate::domain::journey::emergency::following_up::{self, Due, Said};
use crate::domain::journey::emergency::{self as breaking, Glass};
use crate::domain::time::When;
use crate::store::Fault;

use super::holding::apart;
use super::own_acts::Acted;
use super::{Answered, Gateway, KEYS_A_DECISION, Read, TRIES_MAX};

fn emergency(id: Id) -> Aggregate {
    Aggregate::Emergency(EmergencyId(id))
}

impl Gateway {
    /// The glass is broken, or its breaking is asked to be confirmed.
    pub async fn break_glass(&self, attempt: Attempt, glass: &Glass) -> Result<Answered, Fault> {
        let apart = apart(&attempt);
        let answered = self
            .run(
                attempt,
                &[
                    Read::Subject(&glass.subject),
                    Read::Withdrawals,
                    Read::ReferralsOfPeople,
                    Read::Receivers,
                    Read::Counted(&glass.subject, Window::half_day),
                ],
                |rules, attempt, known, keys| {
                    breaking::break_glass(rules, attempt, known, keys, glass)
                },
            )
            .await?;
        self.log_held(apart, answered).await
    }

    /// What a senior says of an emergency of her own organisation, named by `alias`.
    pub async fn follow_up(
        &self,
        attempt: Attempt,
        alias: Id,
        said: &Said,
    ) -> Result<Answered, Fault> {
        let named = [Read::Named(AliasKind::Emergency, alias, emergency)];
        self.run(attempt, &named, |rules, attempt, known, keys| {
            following_up::follow_up(rules, attempt, known, keys, alias, said)
        })
        .await
    }

    /// A page of the caller's own emergencies of which nothing was said yet.
    pub async fn emergencies(
        &self,
        attempt: Attempt,
        after: Option<Listed>,
        max: u16,
    ) -> Result<(Answered, Vec<Listed>), Fault> {
        let clock = following_up::clock(attempt.organisation());
        let entries = self.store.list(&clock, after, max).await?;
        let of: Vec<Aggregate> = entries.iter().map(|entry| emergency(entry.item)).collect();
        let answered = self
            .run(attempt, &[Read::Of(&of)], |rules, attempt, known, keys| {
                following_up::waiting(rules, attempt, known, keys, &entries)
            })
            .await?;
        Ok((answered, entries))
    }

    /// Emergencies of which nothing was said by `now`, a day later, go before the officers whom the
    /// rule names. Done again, or by another node, it changes nothing.
    ///
    /// # Errors
    /// [`Fault`]; it is tried again later.
    pub async fn remind_of_follow_ups(&self, now: When) -> Result<(), Fault> {
        let members = self.members().await?;
        for own in members.organisations.keys() {
            self.remind_of_own_follow_ups(own, now).await?;
        }
        Ok(())
    }

    async fn remind_of_own_follow_ups(&self, own: &OrgId, now: When) -> Result<(), Fault> {
        for _ in 0..TRIES_MAX {
            let mut known = self.keeping(own).await?;
            let looked_at = self.due_follow_ups(own, now).await?;
            let ids = looked_at.iter();
            let of: Vec<Aggregate> = ids.map(|id| emergency(id.id())).collect();
            self.read(&mut known, &of).await?;
            if following_up::overdue(&known, own, now).next().is_none() {
                return Ok(());
            }
            let due = Due {
                own,
                now,
                looked_at: &looked_at,
            };
            let acted = self.act(&known, KEYS_A_DECISION, |rules, when, entropy, keys| {
                following_up::remind(rules, when, entropy, keys, &known, &due)
            });
            if acted.await? == Acted::Nothing {
                return Ok(());
            }
        }
        Ok(())
    }

    /// All that the clock names by `now`: what was put before the officer already stays on it.
    async fn due_follow_ups(&self, own: &OrgId, now: When) -> Result<Vec<EmergencyId>, Fault> {
        const STEP: u16 = 200;
        let now = now.place();
        let clock = following_up::clock(own);
        let (mut ids, mut after) = (Vec::new(), None);
        loop {
            let step = self.store.list(&clock, after, STEP).await?;
            let due = step.iter().filter(|entry| entry.at <= now);
            ids.extend(due.map(|entry| EmergencyId(entry.item)));
            after = step.last().copied();
            if step.len() < usize::from(STEP) || after.is_none_or(|last| last.at > now) {
                return Ok(ids);
            }
        }
    }
}
