//! A quarter's return: its lines are counted in their order, each once, and what they came to is kept
//! while the gateway runs.

use std::sync::Arc;

use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::decision::{Aggregate, List, Listed};
use crate::domain::id::{Id, LineId};
use crate::domain::journey::counting;
use crate::domain::known::Known;
use crate::domain::returns::{Line, Quarter, Return, Tally};
use crate::domain::time::When;
use crate::store::{Fault, Store};

use super::counting::{Shared, Tallies};
use super::{Answered, Gateway};

/// Lines that are read at once, and how often for one answer: about as long as the rest of it takes.
const PAGE: u16 = 100;
const PAGES_AT_ONCE: u32 = 5;

/// How far the lines of a quarter are counted, and what they came to.
pub struct Lines {
    after: Listed,
    tally: Tally,
}

impl Lines {
    pub(super) fn from(from: When) -> Self {
        Self {
            after: Listed {
                at: from.place(),
                index: 0,
                item: Id::ZERO,
            },
            tally: Tally::default(),
        }
    }
}

/// Counts the lines of one organisation.
struct Counter {
    store: Arc<Store>,
    list: List,
    /// Before this none is added any more.
    settled: u64,
}

impl Gateway {
    /// What a quarter, which is from `from` to before `to`, came to for the caller's organisation; none
    /// where it is refused.
    pub async fn quarter_return(
        &self,
        attempt: Attempt,
        quarter: Quarter,
        (from, to): (When, When),
    ) -> Result<(Answered, Option<Return>), Fault> {
        let own = attempt.organisation().clone();
        let answered = self.run(attempt, &[], counting::read).await?;
        if !matches!(answered.answer, Answer::Return) {
            return Ok((answered, None));
        }
        let counter = Counter {
            store: Arc::clone(&self.store),
            list: List::Lines(own.clone()),
            // Whatever is committed after this reading's entry is not older than it, to ten seconds.
            settled: answered.at.coarse().place().min(to.place()),
        };
        let shared = self.tallies.quarter(&own, quarter, from);
        let (mut tally, mut after, more) = {
            let mut lines = shared.lock().await;
            let mut more = true;
            for _ in 0..PAGES_AT_ONCE {
                more = more && counter.step(&mut lines).await?;
            }
            (lines.tally.clone(), lines.after, more)
        };
        let counted_to = When::from_millis(i64::try_from(after.at).unwrap_or(i64::MAX));
        if more {
            counter.go_on(&self.tallies, shared);
        } else {
            counter.newest(&mut tally, &mut after, to).await?;
        }
        let mut known = Known::default();
        self.read(&mut known, &[Aggregate::Settings]).await?;
        let so_far = answered.at < to;
        let counted = (&tally, more.then_some(counted_to));
        let found = Return::of(quarter, counted, so_far, &own, &known.directory);
        Ok((answered, Some(found)))
    }
}

impl Counter {
    /// Counts the next that are settled; whether there may be more.
    async fn step(&self, lines: &mut Lines) -> Result<bool, Fault> {
        let after = Some(lines.after);
        let page = self.store.list(&self.list, after, PAGE).await?;
        let settled = page.iter().take_while(|listed| listed.at < self.settled);
        let settled: Vec<Listed> = settled.copied().collect();
        for line in self.read(&settled).await? {
            lines.tally.add(&line);
        }
        if let Some(last) = settled.last() {
            lines.after = *last;
        }
        Ok(settled.len() == usize::from(PAGE))
    }

    /// Adds those of the last seconds, whose order is not settled.
    async fn newest(&self, tally: &mut Tally, after: &mut Listed, to: When) -> Result<(), Fault> {
        loop {
            let page = self.store.list(&self.list, Some(*after), PAGE).await?;
            let within = page.iter().take_while(|listed| listed.at < to.place());
            let within: Vec<Listed> = within.copied().collect();
            for line in self.read(&within).await? {
                tally.add(&line);
            }
            match within.last() {
                Some(last) if within.len() == usize::from(PAGE) => *after = *last,
                _ => return Ok(()),
            }
        }
    }

    async fn read(&self, listed: &[Listed]) -> Result<Vec<Line>, Fault> {
        if listed.is_empty() {
            return Ok(Vec::new());
        }
        let of = listed.iter();
        let of: Vec<Aggregate> = of
            .map(|listed| Aggregate::Line(LineId(listed.item)))
            .collect();
        let facts = self.store.facts(&of).await?;
        let mut known = Known::default();
        known
            .add(facts)
            .map_err(|_| Fault::Unreadable("a fact of an unknown form"))?;
        Ok(known.lines)
    }

    /// Counts what is left behind the answer, unless something else has its turn.
    fn go_on(self, tallies: &Tallies, shared: Shared<Lines>) {
        let Some(turn) = tallies.turn() else {
            return;
        };
        tokio::spawn(async move {
            loop {
                let counted = self.step(&mut *shared.lock().await).await;
                match counted {
                    Ok(true) => tokio::task::yield_now().await,
                    Ok(false) => break,
                    Err(fault) => {
                        // Who asks again meets the same fault, and is told.
                        tracing::warn!(%fault, "a quarter's lines could not be counted");
                        break;
                    }
                }
            }
            drop(turn);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decision::Write;
    use crate::domain::id::{OrgId, ServiceId};
    use crate::domain::record::{Record, singleton};
    use crate::domain::returns::{Counts, Happened};
    use crate::store::contract::{Attempt, START};
    use crate::store::journal::damage;

    const LINES_A_COMMIT: u64 = 50;

    fn own() -> OrgId {
        OrgId::parse("haven").unwrap()
    }

    /// Puts down so many lines from `START` on, a minute from each to the next.
    async fn put_down(store: &Store, numbers: std::ops::Range<u64>) {
        let service = ServiceId::parse("haven-idva").unwrap();
        let line = Record::Line(Line::of(&service, Happened::Offered)).to_bytes();
        let mut left: Vec<u64> = numbers.collect();
        while !left.is_empty() {
            let now: Vec<u64> = left
                .drain(..left.len().min(LINES_A_COMMIT as usize))
                .collect();
            let mut attempt = Attempt::new(store, now.len()).await;
            for number in now {
                let id = Id::from_bytes((u128::from(number) + 1).to_be_bytes());
                attempt = attempt
                    .fact(&Aggregate::Line(LineId(id)), singleton("line"), &line)
                    .write(Write::List {
                        list: List::Lines(own()),
                        at: at(number).place(),
                        item: id,
                    });
            }
            attempt.logged(store).await;
        }
    }

    fn at(number: u64) -> When {
        START.plus_millis(i64::try_from(number * 60_000).unwrap())
    }

    fn offered(tally: &Tally) -> u32 {
        let quarter = Quarter::parse("2026-Q1").unwrap();
        let found = Return::of(quarter, (tally, None), false, &own(), &Default::default());
        let Counts { offered, .. } = found.total;
        offered
    }

    #[tokio::test]
    async fn each_line_is_counted_once_behind_the_answer_and_the_newest_at_each_look() {
        const OLD: u64 = 730;
        let place = damage::place(1024 * 1024);
        let store = Arc::new(place.store());
        put_down(&store, 0..OLD + 5).await;
        let counter = |settled: u64| Counter {
            store: Arc::clone(&store),
            list: List::Lines(own()),
            settled: at(settled).place(),
        };
        let tallies = Tallies::default();
        let quarter = Quarter::parse("2026-Q1").unwrap();
        let running = tallies.quarter(&own(), quarter, START.plus_millis(-1));
        let more = counter(OLD).step(&mut *running.lock().await).await.unwrap();
        assert!(more);
        assert_eq!(offered(&running.lock().await.tally), u32::from(PAGE));
        // Whoever looks meanwhile finds the same place, and no second one counts.
        counter(OLD).go_on(&tallies, Arc::clone(&running));
        assert!(tallies.turn().is_none());
        while tallies.turn().is_none() {
            tokio::task::yield_now().await;
        }
        let same = tallies.quarter(&own(), quarter, START);
        assert_eq!(u64::from(offered(&same.lock().await.tally)), OLD);
        // What is not settled is counted for this answer alone.
        let (mut tally, mut after) = {
            let held = same.lock().await;
            (held.tally.clone(), held.after)
        };
        let now = counter(OLD);
        now.newest(&mut tally, &mut after, at(OLD + 3))
            .await
            .unwrap();
        assert_eq!(u64::from(offered(&tally)), OLD + 3);
        assert_eq!(u64::from(offered(&same.lock().await.tally)), OLD);
        // What comes later is added to what was counted.
        put_down(&store, OLD + 5..OLD + 20).await;
        let more = counter(OLD + 20)
            .step(&mut *same.lock().await)
            .await
            .unwrap();
        assert!(!more);
        assert_eq!(u64::from(offered(&same.lock().await.tally)), OLD + 20);
        store.close().await.unwrap();
    }
}
