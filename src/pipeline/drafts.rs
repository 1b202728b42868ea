//! Drafts: which facts each step rests on, and the clock by which they go.

use crate::domain::alias::AliasKind;
use crate::domain::attempt::Attempt;
use crate::domain::decision::{Aggregate, List, Listed};
use crate::domain::draft::{DRAFTS_MAX, Filled};
use crate::domain::id::{DraftId, Id};
use crate::domain::journey::drafting;
use crate::domain::journey::sealed_items::Due;
use crate::domain::time::When;
use crate::store::Fault;

use super::{Answered, Gateway, Read, TRIES_MAX};

impl Gateway {
    /// Keeps what somebody has filled in so far, in the place of `again` if there is one.
    pub async fn keep_draft(
        &self,
        attempt: Attempt,
        again: Option<Id>,
        filled: &Filled,
    ) -> Result<Answered, Fault> {
        let entries = self.own_drafts(&attempt).await?;
        let of = drafts(&entries);
        let mut reads = vec![Read::Of(&of)];
        reads.extend(again.map(named));
        self.run(attempt, &reads, |rules, attempt, known, keys| {
            drafting::keep(rules, attempt, known, keys, again, filled)
        })
        .await
    }

    /// What the caller keeps.
    pub async fn drafts(&self, attempt: Attempt) -> Result<Answered, Fault> {
        let entries = self.own_drafts(&attempt).await?;
        let of = drafts(&entries);
        self.run(attempt, &[Read::Of(&of)], |rules, attempt, known, keys| {
            drafting::list(rules, attempt, known, keys, &entries)
        })
        .await
    }

    /// What is in one draft.
    pub async fn open_draft(&self, attempt: Attempt, alias: Id) -> Result<Answered, Fault> {
        self.run(attempt, &[named(alias)], |rules, attempt, known, keys| {
            drafting::open(rules, attempt, known, keys, alias)
        })
        .await
    }

    /// It was sent, or is not wanted any more.
    pub async fn erase_draft(&self, attempt: Attempt, alias: Id) -> Result<Answered, Fault> {
        self.run(attempt, &[named(alias)], |rules, attempt, known, keys| {
            drafting::throw_away(rules, attempt, known, keys, alias)
        })
        .await
    }

    /// Erases the drafts whose days are over at `now`; whether there was any.
    ///
    /// # Errors
    /// [`Fault`]. What was committed before stays erased; the rest is found again.
    pub async fn erase_drafts(&self, now: When) -> Result<bool, Fault> {
        let (mut any, mut moved) = (false, 0);
        while moved < TRIES_MAX {
            let most = drafting::ERASED_AT_ONCE;
            let mut entries = self.store.list(&List::DraftsDue, None, most).await?;
            entries.retain(|entry| entry.at <= now.place());
            if entries.is_empty() {
                return Ok(any);
            }
            let mut known = self.members().await?;
            self.read(&mut known, &drafts(&entries)).await?;
            let due = Due {
                now,
                entries: &entries,
            };
            let acted = self.must_act(&known, 1, |rules, when, entropy, keys| {
                drafting::erase_due(rules, when, entropy, keys, &known, &due)
            });
            match acted.await? {
                true => any = true,
                false => moved += 1,
            }
        }
        Err(Fault::CannotRecord("the facts kept moving; try again"))
    }

    /// Where the caller's own are: more than she may keep, because some may be over.
    async fn own_drafts(&self, attempt: &Attempt) -> Result<Vec<Listed>, Fault> {
        let own = attempt.organisation().clone();
        let list = List::Drafts(own, attempt.user.as_str().to_owned());
        let most = u16::try_from(DRAFTS_MAX.saturating_mul(4)).unwrap_or(u16::MAX);
        self.store.list(&list, None, most).await
    }
}

fn named<'a>(alias: Id) -> Read<'a> {
    Read::Named(AliasKind::Draft, alias, |id| Aggregate::Draft(DraftId(id)))
}

fn drafts(entries: &[Listed]) -> Vec<Aggregate> {
    let ids = entries.iter().map(|entry| DraftId(entry.item));
    ids.map(Aggregate::Draft).collect()
}
