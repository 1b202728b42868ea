//! Pairs of records that may be of one person: which facts their listing and the decision rest on.

use crate::domain::alias::AliasKind;
use crate::domain::attempt::Attempt;
use crate::domain::decision::{Aggregate, List, Listed};
use crate::domain::id::{Id, LinkId};
use crate::domain::journey::linking;
use crate::domain::known::Known;
use crate::domain::linkage::Verdict;
use crate::store::Fault;

use super::{Answered, Gateway, Read};

impl Gateway {
    /// A page of the pairs that the caller's organisation decides about.
    pub async fn links(
        &self,
        attempt: Attempt,
        after: Option<Listed>,
        max: u16,
    ) -> Result<(Answered, Vec<Listed>), Fault> {
        let list = List::Links(attempt.organisation().clone());
        let entries = self.store.list(&list, after, max).await?;
        let pairs = entries
            .iter()
            .map(|entry| Aggregate::Link(LinkId(entry.item)));
        let pairs: Vec<Aggregate> = pairs.collect();
        let answered = self
            .run(
                attempt,
                &[Read::Of(&pairs)],
                |rules, attempt, known, keys| linking::list(rules, attempt, known, keys, &entries),
            )
            .await?;
        Ok((answered, entries))
    }

    /// The caller confirms, rejects or splits one pair.
    pub async fn decide_link(
        &self,
        attempt: Attempt,
        alias: Id,
        verdict: Verdict,
    ) -> Result<Answered, Fault> {
        self.run(
            attempt,
            &[Read::Link(alias)],
            |rules, attempt, known, keys| {
                linking::decide(rules, attempt, known, keys, alias, verdict)
            },
        )
        .await
    }

    /// A pair, both its records, and what their tokens lead to.
    pub(super) async fn read_link(
        &self,
        known: &mut Known,
        attempt: &Attempt,
        alias: Id,
    ) -> Result<(), Fault> {
        let aliases = self.rules.load().aliases(attempt, known);
        let id = LinkId(aliases.inward(AliasKind::Link, alias));
        self.read(known, &[Aggregate::Link(id)]).await?;
        let Some(pair) = known.links.get(&id) else {
            return Ok(());
        };
        let halves = [pair.held, pair.other];
        self.read(known, &halves.map(Aggregate::Person)).await?;
        for half in halves {
            let person = known.people.get(&half);
            let record = person.and_then(|person| person.record.as_ref());
            let tokens = record.map(|record| record.tokens.clone());
            self.read_person(known, &tokens.unwrap_or_default()).await?;
        }
        Ok(())
    }
}
