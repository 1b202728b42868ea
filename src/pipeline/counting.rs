//! Counts of a stretch of the log for one reader: what happened since Friday, and in a month. And the
//! place where counts are kept.
//!
//! An entry never changes and the log only grows, so each is opened and counted once for each view of
//! it, in its order, and what was counted is kept while the gateway runs. What is more than one answer
//! should open is counted behind it, on the strength of the same logged decision; who asks again is told
//! how far it is.

use std::collections::{BTreeSet, HashMap};
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
use super::returns::Lines;
use super::watching::listed_since;

/// Entries of the log that are gone through at once.
const STEP: u64 = 512;
/// One answer goes on no further after so many entries were opened, or steps made: some 20 ms.
const OPENED_AT_ONCE: usize = 1_024;
const STEPS_AT_ONCE: usize = 64;
/// Views that are kept; each has the log's own names of the people in it.
const VIEWS_MAX: usize = 256;

/// One count that whoever asks brings on.
pub(super) type Shared<T> = Arc<tokio::sync::Mutex<T>>;

/// What was counted, and how far.
#[derive(Default)]
pub struct Tallies {
    views: Mutex<HashMap<View, Shared<Running>>>,
    quarters: Mutex<HashMap<(OrgId, Quarter), Shared<Lines>>>,
    turn: Turn,
}

/// One at a time counts behind its answer.
struct Turn(Arc<Semaphore>);

impl Default for Turn {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

/// What decides which entries are counted, and from which side they are seen.
#[derive(Clone, PartialEq, Eq, Hash)]
struct View {
    reader: OrgId,
    reach: Reach,
    /// Where the stretch begins.
    start: u64,
}

/// How far a view is counted, and what it came to.
pub struct Running {
    next: u64,
    counted: Arc<Counted>,
}

/// What a stretch came to, as far as it is counted.
#[derive(Default)]
pub struct Sum {
    pub counted: Arc<Counted>,
    /// Entries of the log that were looked at, of how many.
    done: u64,
    of: u64,
}

impl Sum {
    /// How much of it is counted, in per cent and never 100; `None`: all. How many entries there are is
    /// not told: an officer of the police must not see that others did something.
    pub fn percent(&self) -> Option<u8> {
        let percent = u128::from(self.done) * 100 / u128::from(self.of.max(1));
        (!self.is_whole()).then(|| u8::try_from(percent.min(99)).unwrap_or(99))
    }

    pub const fn is_whole(&self) -> bool {
        self.done == self.of
    }
}

impl Tallies {
    /// Forgets what was made of accounts; it is counted anew when somebody asks.
    pub fn clear(&self) {
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        views.clear();
    }

    fn view(&self, of: View) -> Shared<Running> {
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        if views.len() >= VIEWS_MAX && !views.contains_key(&of) {
            views.clear();
        }
        let begun = Running {
            next: of.start,
            counted: Arc::default(),
        };
        let view = views.entry(of);
        Arc::clone(view.or_insert_with(|| Arc::new(tokio::sync::Mutex::new(begun))))
    }

    /// How far the lines of a quarter, which begins at `from`, are counted.
    pub(super) fn quarter(&self, of: &OrgId, quarter: Quarter, from: When) -> Shared<Lines> {
        let mut quarters = self.quarters.lock().unwrap_or_else(PoisonError::into_inner);
        let quarter = quarters.entry((of.clone(), quarter));
        let begun = || Arc::new(tokio::sync::Mutex::new(Lines::from(from)));
        Arc::clone(quarter.or_insert_with(begun))
    }

    /// The turn to count behind an answer, unless something else has it.
    pub(super) fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turn.0).try_acquire_owned().ok()
    }
}

/// Counts a stretch, on the strength of a logged decision that names it.
struct Counter {
    store: Arc<Store>,
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
            by: Readable::of(logged),
            stretch: stretch.clone(),
            aliases: logged.value().aliases.clone(),
        };
        let view = self.tallies.view(View {
            reader: stretch.viewer.organisation.clone(),
            reach: stretch.viewer.reach(),
            start: stretch.within.start,
        });
        let sum = {
            let mut running = view.lock().await;
            let (mut opened, mut steps) = (0, 0);
            while counter.has_more(&running) && opened < OPENED_AT_ONCE && steps < STEPS_AT_ONCE {
                opened += counter.step(&mut running).await?;
                steps += 1;
            }
            let begin = stretch.within.start;
            // Somebody of the same view may have come further meanwhile.
            let next = running.next.min(stretch.within.end);
            Sum {
                counted: Arc::clone(&running.counted),
                done: next.saturating_sub(begin),
                of: stretch.within.end.saturating_sub(begin),
            }
        };
        if !sum.is_whole() {
            counter.go_on(&self.tallies, view);
        }
        Ok(sum)
    }
}

impl Counter {
    const fn has_more(&self, running: &Running) -> bool {
        running.next < self.stretch.within.end
    }

    /// Counts the next entries; how many were opened.
    async fn step(&self, running: &mut Running) -> Result<usize, Fault> {
        let end = running.next.saturating_add(STEP);
        let within = running.next..end.min(self.stretch.within.end);
        let viewer = &self.stretch.viewer;
        let own = &viewer.organisation;
        let lists = match viewer.reach() {
            Reach::All => None,
            Reach::OwnAndConcerned => Some(vec![
                List::Audit(own.clone()),
                List::Operator,
                List::AuditConcerned(own.clone()),
            ]),
            Reach::Own => Some(vec![List::Audit(own.clone()), List::Operator]),
        };
        let mut indices: BTreeSet<u64> = BTreeSet::new();
        match lists {
            None => indices.extend(within.clone()),
            Some(lists) => {
                for list in &lists {
                    let listed = listed_since(&self.store, list, &within, usize::MAX).await?;
                    indices.extend(listed.iter().map(|entry| entry.index));
                }
            }
        }
        let indices: Vec<u64> = indices.into_iter().collect();
        let opened = self.store.entries(&self.by, &indices).await?;
        let number = opened.len();
        // All of it or nothing, so that no entry is counted twice after a fault.
        let mut counted = Counted::default();
        for (_, leaf, bytes) in opened {
            let opening =
                Opening::parse(&bytes).map_err(|_| Fault::Unreadable("a log entry's opening"))?;
            if let Some(seen) = visible(viewer, &self.aliases, &opening) {
                counted.add(own, leaf.when(), &seen, opening.decided.subject);
            }
        }
        Arc::make_mut(&mut running.counted).join(&counted);
        running.next = within.end;
        Ok(number)
    }

    /// Counts what is left behind the answer, unless another has its turn: then whoever asks again
    /// brings this on.
    fn go_on(self, tallies: &Tallies, view: Shared<Running>) {
        let Some(turn) = tallies.turn() else {
            return;
        };
        tokio::spawn(async move {
            loop {
                let mut running = view.lock().await;
                if !self.has_more(&running) {
                    break;
                }
                if let Err(fault) = self.step(&mut running).await {
                    // Who asks again meets the same fault, and is told.
                    tracing::warn!(%fault, "a stretch of the log could not be counted");
                    break;
                }
                drop(running);
                tokio::task::yield_now().await;
            }
            drop(turn);
        });
    }
}
