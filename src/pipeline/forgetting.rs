//! The night's work on the log: accounts whose time is over are erased, by entries of the gateway's
//! own.
//!
//! No person asks and no person is told: the store judges each account where it lies
//! ([`Store::judge`](crate::store::Store)), and only how many were erased comes out. Several nodes
//! may do it at once: what one has committed moves the other's decision.

use crate::domain::attempt::Entropy;
use crate::domain::decision::Aggregate;
use crate::domain::journey::forgetting;
use crate::domain::known::Known;
use crate::domain::retention::{Class, Open, Progress};
use crate::domain::rules::Rules;
use crate::domain::time::When;
use crate::store::Fault;

use super::{Gateway, TRIES_MAX};

/// Entries of the log that are gone through at once.
const STEP: u64 = 256;
/// Entries gone through in one night; what is left waits for the next.
const LOOKED_AT_MAX: u64 = 100_000;
/// How far it came is noted in the log without an erasure only after so many entries.
const NOTED_AFTER: u64 = 4_096;

/// One night.
#[derive(Default)]
struct Night {
    progress: Progress,
    looked_at: u64,
    /// Looked at since the log last said how far it came.
    unnoted: u64,
    erased: u64,
}

impl Gateway {
    /// Erases the accounts whose time is over at `now`, at most a night's work; how many. While
    /// withdrawals are collected after a restore none is: by them the loss is judged.
    ///
    /// # Errors
    /// [`Fault`]. What was committed before stays erased; the rest is found again.
    pub async fn forget(&self, now: When) -> Result<u64, Fault> {
        // How long accounts are kept is no part of the rulebook, which may change in the night.
        let rules = self.rules.load_full();
        let mut night = Night::default();
        for class in rules.retention.classes() {
            self.forget_of(&rules, class, now, &mut night).await?;
        }
        // What is kept of accounts goes with them, whichever node erased them.
        self.tallies.clear();
        Ok(night.erased)
    }

    async fn forget_of(
        &self,
        rules: &Rules,
        class: &Class,
        now: When,
        night: &mut Night,
    ) -> Result<(), Fault> {
        let size = self.store.health().leaves;
        let (mut first, mut moved) = (true, 0);
        while night.looked_at < LOOKED_AT_MAX {
            let known = self.what_is_open().await?;
            if known.restoration.as_ref().is_some_and(|found| found.open()) {
                return Ok(());
            }
            let stored = known.retention.clone().unwrap_or_default();
            let progress = stored.under(&rules.retention).join(&night.progress);
            let mark = progress.mark(class);
            let end = mark.saturating_add(STEP).min(size).max(mark);
            let held = progress.held().filter(|index| first && *index < mark);
            let indices: Vec<u64> = held.chain(mark..end).collect();
            let by = (&*rules.retention, class);
            let open = Open::of(&known);
            let judged = self.store.judge(&indices, by, now, &open).await?;
            let looked = progress.look(class, &indices, &judged, end);
            let passed = looked.progress.mark(class) - mark;
            let last = looked.ended || end == size;
            let noted = !looked.due.is_empty() || night.unnoted + passed >= NOTED_AFTER;
            let act = |rules: &Rules, when, entropy: &Entropy, keys| {
                forgetting::forget(rules, when, entropy, keys, &known, class, &looked)
            };
            if noted && !self.must_act(&known, forgetting::KEYS, act).await? {
                moved += 1;
                match moved < TRIES_MAX {
                    true => continue,
                    false => return Err(Fault::CannotRecord("the facts kept moving; try again")),
                }
            }
            night.unnoted = if noted { 0 } else { night.unnoted + passed };
            night.looked_at += indices.len() as u64;
            night.erased += looked.due.len() as u64;
            // What was due may have stopped it before the end.
            let done = last && looked.progress.mark(class) == end || looked.ended;
            night.progress = looked.progress;
            (first, moved) = (false, 0);
            if done {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Every queue, every hold, and how far earlier nights came.
    async fn what_is_open(&self) -> Result<Known, Fault> {
        let mut known = self.members().await?;
        let mut of = vec![Aggregate::Retention, Aggregate::Held];
        let reviewers = known.approvers.reviewers.iter().cloned();
        of.extend(
            known
                .members()
                .into_iter()
                .chain(reviewers)
                .map(Aggregate::Queue),
        );
        self.read(&mut known, &of).await?;
        // An item that was closed is open again if signs came since.
        self.count_signs(&mut known).await?;
        Ok(known)
    }
}
