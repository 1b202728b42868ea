//! Sealed items for legal advisers: which facts each step rests on, and the night in which what
//! nobody collected is destroyed.

use crate::domain::alias::AliasKind;
use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::decision::{Aggregate, List, Listed};
use crate::domain::id::{Id, OrgId, SealedItemId};
use crate::domain::journey::sealed_items::{self, Due, Handed};
use crate::domain::known::Known;
use crate::domain::time::When;
use crate::store::Fault;

use super::{Answered, Gateway, Read, TRIES_MAX};

impl Gateway {
    /// Hands an item in for `to`, or asks to which key it is to be sealed.
    pub async fn seal_item(
        &self,
        attempt: Attempt,
        to: &OrgId,
        handed: Option<&Handed>,
    ) -> Result<Answered, Fault> {
        let of = [Aggregate::Organisation(to.clone())];
        let mut reads = vec![Read::Of(&of)];
        if let Some(handed) = handed {
            reads.extend([Read::Subject(&handed.subject), Read::Withdrawals]);
        }
        self.run(attempt, &reads, |rules, attempt, known, keys| {
            sealed_items::seal(rules, attempt, known, keys, to, handed)
        })
        .await
    }

    /// Gives the adviser its item, and destroys it; or tells its sender that advice is arranged.
    pub async fn collect_item(&self, attempt: Attempt, alias: Id) -> Result<Answered, Fault> {
        let reads = [named(alias), Read::SealedParties];
        let mut then = attempt.again("destroy");
        then.idempotency = None;
        let answered = self
            .run(attempt, &reads, |rules, attempt, known, keys| {
                sealed_items::collect(rules, attempt, known, keys, alias)
            })
            .await?;
        if matches!(answered.answer, Answer::ItemCollected { .. }) {
            let destroyed = self.run(then, &reads, |rules, attempt, known, keys| {
                sealed_items::destroy_collected(rules, attempt, known, keys, alias)
            });
            // Nobody is given it again either way; what fails here is done by the night, and to
            // keep from her adviser what is opened already would help no one.
            let _ = destroyed.await;
        }
        Ok(answered)
    }

    /// A page of what waits for the caller's organisation.
    pub async fn waiting_items(
        &self,
        attempt: Attempt,
        after: Option<Listed>,
        max: u16,
    ) -> Result<(Answered, Vec<Listed>), Fault> {
        let list = List::SealedFor(attempt.organisation().clone());
        let entries = self.store.list(&list, after, max).await?;
        let items = items(&entries);
        let answered = self
            .run(
                attempt,
                &[Read::Of(&items), Read::SealedParties],
                |rules, attempt, known, keys| {
                    sealed_items::list(rules, attempt, known, keys, &entries)
                },
            )
            .await?;
        Ok((answered, entries))
    }

    /// She withdraws what was sealed.
    pub async fn stop_item(&self, attempt: Attempt, alias: Id) -> Result<Answered, Fault> {
        self.run(attempt, &[named(alias)], |rules, attempt, known, keys| {
            sealed_items::stop(rules, attempt, known, keys, alias)
        })
        .await
    }

    /// Destroys what is due at `now`; whether there was anything.
    ///
    /// # Errors
    /// [`Fault`]. What was committed before stays destroyed; the rest is found again.
    pub async fn destroy_sealed_items(&self, now: When) -> Result<bool, Fault> {
        let (mut any, mut moved) = (false, 0);
        while moved < TRIES_MAX {
            let most = sealed_items::DESTROYED_AT_ONCE;
            let mut entries = self.store.list(&List::SealedDue, None, most).await?;
            entries.retain(|entry| i64::try_from(entry.at).is_ok_and(|at| at <= now.millis()));
            if entries.is_empty() {
                return Ok(any);
            }
            let mut known = self.members().await?;
            self.read(&mut known, &items(&entries)).await?;
            let due = Due {
                now,
                entries: &entries,
            };
            let acted = self.must_act(&known, sealed_items::KEYS, |rules, when, entropy, keys| {
                sealed_items::destroy_due(rules, when, entropy, keys, &known, &due)
            });
            match acted.await? {
                true => any = true,
                false => moved += 1,
            }
        }
        Err(Fault::CannotRecord("the facts kept moving; try again"))
    }

    /// The items that rest on the word of the people read so far.
    pub(super) async fn read_sealed_of_people(&self, known: &mut Known) -> Result<(), Fault> {
        // Also under tokens that only another organisation's record of her carries.
        self.read_withdrawals(known).await?;
        let ids = known.sealed_of.iter().copied();
        let of: Vec<Aggregate> = ids.map(Aggregate::SealedItem).collect();
        self.read(known, &of).await
    }

    /// Both organisations of the items read so far.
    pub(super) async fn read_sealed_parties(&self, known: &mut Known) -> Result<(), Fault> {
        let items = known.sealed_items.values();
        let of: Vec<Aggregate> = items
            .flat_map(|item| [item.sender.clone(), item.recipient.clone()])
            .map(Aggregate::Organisation)
            .collect();
        self.read(known, &of).await
    }
}

fn named<'a>(alias: Id) -> Read<'a> {
    Read::Named(AliasKind::SealedItem, alias, |id| {
        Aggregate::SealedItem(SealedItemId(id))
    })
}

fn items(entries: &[Listed]) -> Vec<Aggregate> {
    let ids = entries.iter().map(|entry| SealedItemId(entry.item));
    ids.map(Aggregate::SealedItem).collect()
}
