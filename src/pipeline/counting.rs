//! Counts of a stretch of the log for one reader: what happened since Friday, and in a month. And the place
//! where counts are kept.
//!
//! An entry never changes, so a block of them is opened and counted once for each view of the log, and
//! what it came to is kept while the gateway runs. What is more than one answer should open is counted
//! behind it, on the strength of the same logged decision; who asks again is told how far it is.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::alias::Aliases;
use crate::domain::audit::{Counted, Reach, Stretch, visible};
use crate::domain::decision::List;
use crate::domain::id::OrgId;
use crate::domain::logged::Logged;
use crate::domain::opening::Opening;
use crate::domain::returns::Quarter;
use crate::domain::ruling::Ruled;
use crate::domain::time::When;
use crate::store::{Fault, Readable, Store};

use super::Gateway;
use super::returns::Running;
use super::watching::listed_since;

/// Entries of one block. The last of a stretch is counted at each view, because it grows.
const BLOCK: u64 = 512;
/// One answer begins no block after so many entries were opened, or blocks looked through: some 20 ms.
const OPENED_AT_ONCE: usize = 1_024;
const BLOCKS_AT_ONCE: usize = 64;
/// Blocks that are kept: two million entries of one view.
const KEPT_MAX: usize = 4_096;

/// One count that whoever asks brings on.
pub(super) type Shared = Arc<tokio::sync::Mutex<Running>>;

/// Counts of blocks that do not change any more, as each reader sees them.
pub struct Tallies {
    kept: Mutex<HashMap<Block, Arc<Counted>>>,
    /// How far each organisation's quarters are counted.
    quarters: Mutex<HashMap<(OrgId, Quarter), Shared>>,
    /// One at a time counts behind its answer.
    turn: Arc<Semaphore>,
}

/// What decides which entries of a block are seen, and from which side.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Block {
    reader: OrgId,
    reach: Reach,
    within: Range<u64>,
}

/// What a stretch came to, as far as it is counted.
#[derive(Default)]
pub struct Sum {
    pub counted: Counted,
    /// Entries of the log that were looked at, of how many.
    done: u64,
    of: u64,
}

impl Sum {
    /// Entries of the log that were looked at, and how many there are to look at.
    pub const fn progress(&self) -> (u64, u64) {
        (self.done, self.of)
    }

    pub const fn is_whole(&self) -> bool {
        self.done == self.of
    }
}

impl Default for Tallies {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            quarters: Mutex::default(),
            turn: Arc::new(Semaphore::new(1)),
        }
    }
}

impl Tallies {
    /// Forgets all of it; it is counted anew when somebody asks.
    pub fn clear(&self) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clear();
    }

    /// How far the lines of a quarter, which begins at `from`, are counted.
    pub(super) fn running(&self, of: &OrgId, quarter: Quarter, from: When) -> Shared {
        let mut quarters = self.quarters.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = quarters.entry((of.clone(), quarter));
        let begun = begun.or_insert_with(|| Arc::new(tokio::sync::Mutex::new(Running::from(from))));
        Arc::clone(begun)
    }

    /// The turn to count behind an answer, unless something else has it.
    pub(super) fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turn).try_acquire_owned().ok()
    }

    fn get(&self, block: &Block) -> Option<Arc<Counted>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(block).cloned()
    }

    fn keep(&self, block: Block, counted: &Arc<Counted>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(block, Arc::clone(counted));
    }
}

/// One stretch that is being counted.
struct Counter {
    store: Arc<Store>,
    tallies: Arc<Tallies>,
    by: Readable,
    stretch: Stretch,
    aliases: Aliases,
}

impl Gateway {
    /// Counts a stretch that a logged decision names, or as much as one answer should.
    pub(super) async fn sum_of(
        &self,
        logged: &Logged<Ruled>,
        stretch: &Stretch,
    ) -> Result<Sum, Fault> {
        let counter = Counter {
            store: Arc::clone(&self.store),
            tallies: Arc::clone(&self.tallies),
            by: Readable::of(logged),
            stretch: stretch.clone(),
            aliases: logged.value().aliases.clone(),
        };
        let mut sum = Sum::default();
        let (mut opened, mut looked_through) = (0, 0);
        for within in blocks(&stretch.within) {
            let size = within.end - within.start;
            sum.of += size;
            let block = counter.block(within);
            let kept = self.tallies.get(&block);
            if kept.is_none() {
                if opened >= OPENED_AT_ONCE || looked_through >= BLOCKS_AT_ONCE {
                    continue;
                }
                looked_through += 1;
            }
            let counted = match kept {
                Some(kept) => kept,
                None => {
                    let (counted, number) = counter.count(block).await?;
                    opened += number;
                    counted
                }
            };
            sum.counted.join(&counted);
            sum.done += size;
        }
        if !sum.is_whole() {
            counter.go_on();
        }
        Ok(sum)
    }
}

impl Counter {
    fn block(&self, within: Range<u64>) -> Block {
        Block {
            reader: self.stretch.viewer.organisation.clone(),
            reach: self.stretch.viewer.reach(),
            within,
        }
    }

    /// Counts one block, and keeps what it came to unless it is one that grows; with how many entries
    /// were opened.
    async fn count(&self, block: Block) -> Result<(Arc<Counted>, usize), Fault> {
        let indices = self.indices(&block).await?;
        let opened = self.store.entries(&self.by, &indices).await?;
        let number = opened.len();
        let mut counted = Counted::default();
        for (_, leaf, bytes) in opened {
            let opening =
                Opening::parse(&bytes).map_err(|_| Fault::Unreadable("a log entry's opening"))?;
            if let Some(seen) = visible(&self.stretch.viewer, &self.aliases, &opening) {
                counted.add(&block.reader, leaf.when(), &seen, opening.decided.subject);
            }
        }
        let counted = Arc::new(counted);
        if block.within.end.is_multiple_of(BLOCK) {
            self.tallies.keep(block, &counted);
        }
        Ok((counted, number))
    }

    /// Which entries of a block the reader may see.
    async fn indices(&self, block: &Block) -> Result<Vec<u64>, Fault> {
        let own = &block.reader;
        let lists = match block.reach {
            Reach::All => return Ok(block.within.clone().collect()),
            Reach::OwnAndConcerned => vec![
                List::Audit(own.clone()),
                List::Operator,
                List::AuditConcerned(own.clone()),
            ],
            Reach::Own => vec![List::Audit(own.clone()), List::Operator],
        };
        let mut indices = Vec::new();
        for list in &lists {
            let listed = listed_since(&self.store, list, &block.within, usize::MAX).await?;
            indices.extend(listed.iter().map(|entry| entry.index));
        }
        indices.sort_unstable();
        indices.dedup();
        Ok(indices)
    }

    /// Counts what is left behind the answer, unless another stretch has its turn: then whoever asks
    /// again brings this on.
    fn go_on(self) {
        let Some(turn) = self.tallies.turn() else {
            return;
        };
        tokio::spawn(async move {
            for within in blocks(&self.stretch.within) {
                let block = self.block(within);
                if self.tallies.get(&block).is_some() {
                    continue;
                }
                if let Err(fault) = self.count(block).await {
                    // Who asks again meets the same fault, and is told.
                    tracing::warn!(%fault, "a stretch of the log could not be counted");
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(turn);
        });
    }
}

/// The blocks of a stretch, the newest first. All but the first and the last are whole.
fn blocks(within: &Range<u64>) -> impl Iterator<Item = Range<u64>> + Send + use<> {
    let (start, end) = (within.start, within.end);
    let numbers = start / BLOCK..end.div_ceil(BLOCK);
    let all = numbers.rev().map(move |number| {
        let begins = number.saturating_mul(BLOCK);
        begins.max(start)..begins.saturating_add(BLOCK).min(end)
    });
    all.filter(|block| !block.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blocks_of_a_stretch_are_all_of_it_and_most_are_the_same_for_every_stretch() {
        let all = |start, end| {
            let blocks = blocks(&(start..end));
            blocks.map(|one| (one.start, one.end)).collect::<Vec<_>>()
        };
        assert_eq!(all(0, 0), []);
        assert_eq!(all(600, 600), []);
        assert_eq!(all(3, 7), [(3, 7)]);
        assert_eq!(all(100, 1_300), [(1_024, 1_300), (512, 1_024), (100, 512)]);
        assert_eq!(all(512, 1_024), [(512, 1_024)]);
    }
}
