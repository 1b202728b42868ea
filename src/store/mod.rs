//! The only place that writes. A record and its log leaf are committed together or not at all.
//!
//! Two backends, one contract (`contract.rs`): the journal of a single gateway, and PostgreSQL
//! for several. An enum and not a trait object, because the set is closed and adding one should
//! make the compiler list every place to change.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::domain::checkpoint::LogKey;
use crate::domain::decision::{Aggregate, Counter, Decision, Facts, List, Listed, PartRef};
use crate::domain::leaf::Leaf;
use crate::domain::logged::{Inclusion, Logged};
use crate::domain::seal::ItemKey;
use crate::domain::time::When;

pub mod backup;
mod disk;
pub mod evidence;
mod index;
pub mod journal;
pub mod keys;
pub mod migrate;
mod names;
pub mod postgres;
mod proof;
mod restored;
mod retention;
mod rollback;
mod slots;
pub mod witnessed;

#[cfg(test)]
pub(crate) mod contract;

use journal::Journal;
use postgres::Postgres;

pub use restored::Restored;
pub use rollback::ROLLED_BACK;

/// The store, open.
pub enum Store {
    Embedded(Journal),
    Postgres(Postgres),
}

/// How a commit ended. Nothing was written unless it is `Logged`.
#[expect(
    clippy::large_enum_variant,
    reason = "returned once for each attempt, and nearly always the large one"
)]
pub enum Outcome<T> {
    Logged(Logged<T>),
    /// A fact the decision rests on has moved: read again and decide again.
    Moved,
    /// The idempotency key was used before.
    Replayed {
        index: u64,
        same_request: bool,
        reply: Vec<u8>,
    },
    /// A counter would pass its limit.
    Limited,
}

/// A counter is forgotten when it was not touched for so long: longer than any window it counts, and
/// than an item of a queue may be due, whose signs are counted (720 hours).
const COUNTERS_KEPT_HOURS: i64 = 31 * 24;

/// Entries of the log that are opened in one go; each backend takes as many.
const ENTRIES_AT_ONCE: usize = 256;

/// The machinery failed; nothing was told to anyone.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("the log cannot be written: {0}")]
    CannotRecord(&'static str),
    #[error("stored data cannot be read: {0}")]
    Unreadable(&'static str),
    #[error("a decision is larger than the store accepts")]
    TooLarge,
    /// The lists are made again after a start, behind the work.
    #[error("the lists are made again after a start: {percent}% are done; try again later")]
    NotListedYet { percent: u8 },
}

/// An entry that is to be forgotten must be there.
const NO_ENTRY: Fault = Fault::Unreadable("an entry that is to be forgotten is not in the log");

/// What a backend reports when a commit is durable; only [`Store::commit`] turns it into `Logged`.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every commit is the large one"
)]
pub(crate) enum Committed {
    /// With the leaf as it is in the log.
    Durable(Leaf, Inclusion),
    Moved,
    Replayed {
        index: u64,
        same_request: bool,
        reply: Vec<u8>,
    },
    Limited,
}

/// A payload part, opened after its leaf.
pub struct OpenedItem {
    pub part: PartRef,
    pub plain: zeroize::Zeroizing<Vec<u8>>,
}

/// What the store says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Nothing can be written any more; the reason, without any data.
    pub stopped: Option<&'static str>,
    /// Less than the kept room is left: only withdrawals, emergencies and refusals are taken.
    pub nearly_full: bool,
    pub leaves: u64,
    /// So many of them were read again from their beginning since the start, and their chain is whole;
    /// `None` if that is not begun yet, or not done by this store.
    pub checked: Option<u64>,
}

/// How far what was erased is destroyed: no copy of the keys' place can bring it back, because the
/// key over these keys is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erasure {
    /// Items erased and not destroyed yet. They open no more, but from an old copy of the keys'
    /// place together with the root key.
    pub waiting: u64,
    /// When the newest epoch began. What was erased before is destroyed. `None`: not known.
    pub completed: Option<When>,
    /// A change of epoch was interrupted; it should be finished now.
    pub unfinished: bool,
}

impl Store {
    /// The instant no later attempt may precede: the time of the last commit.
    pub fn last_time(&self) -> When {
        match self {
            Self::Embedded(store) => store.last_time(),
            Self::Postgres(store) => store.last_time(),
        }
    }

    /// Item keys for one decision, made durable beforehand. Unused ones are given back.
    pub async fn reserve(&self, count: usize) -> Result<Vec<ItemKey>, Fault> {
        match self {
            Self::Embedded(store) => store.reserve(count).await,
            Self::Postgres(store) => store.reserve(count).await,
        }
    }

    /// What is known about `of`, all from one moment, never older than the last acknowledgement.
    pub async fn facts(&self, of: &[Aggregate]) -> Result<Facts, Fault> {
        match self {
            Self::Embedded(store) => store.facts(of).await,
            Self::Postgres(store) => store.facts(of).await,
        }
    }

    /// Makes the leaf and the writes durable in one step. The only minter of [`Logged`].
    pub async fn commit<T: Send>(&self, decision: Decision<T>) -> Result<Outcome<T>, Fault> {
        let mut decision = decision;
        let unused = std::mem::take(&mut decision.unused);
        let (value, draft) = decision.split();
        let committed = match self {
            Self::Embedded(store) => store.commit(draft).await,
            Self::Postgres(store) => store.commit(draft).await,
        };
        match self {
            Self::Embedded(store) => store.give_back(&unused),
            Self::Postgres(store) => store.give_back(&unused),
        }
        let committed = committed?;
        Ok(match committed {
            Committed::Durable(leaf, inclusion) => {
                Outcome::Logged(Logged::assertion(value, leaf, inclusion))
            }
            Committed::Moved => Outcome::Moved,
            Committed::Replayed {
                index,
                same_request,
                reply,
            } => Outcome::Replayed {
                index,
                same_request,
                reply,
            },
            Committed::Limited => Outcome::Limited,
        })
    }

    /// Opens payload. Only what a logged decision names, and only after its leaf.
    pub async fn open<T: Discloses>(&self, by: &Logged<T>) -> Result<Vec<OpenedItem>, Fault> {
        let parts = by.value().parts();
        match self {
            Self::Embedded(store) => store.open_parts(parts).await,
            Self::Postgres(store) => store.open_parts(parts).await,
        }
    }

    /// Opens log entries (their openings), for an attempt to read the log that is itself logged. What
    /// that does not name is left out.
    pub async fn entries(
        &self,
        by: &Readable,
        indices: &[u64],
    ) -> Result<Vec<(u64, Leaf, zeroize::Zeroizing<Vec<u8>>)>, Fault> {
        let indices = indices.iter().filter(|index| by.names(**index));
        let indices: Vec<u64> = indices.copied().collect();
        let mut opened = Vec::with_capacity(indices.len());
        // A report is of many more than a backend reads at once.
        for some in indices.chunks(ENTRIES_AT_ONCE) {
            opened.extend(match self {
                Self::Embedded(store) => store.entries(some).await?,
                Self::Postgres(store) => store.entries(some).await?,
            });
        }
        Ok(opened)
    }

    /// Entries of a list in its order, after `after`, at most `max`.
    pub async fn list(
        &self,
        list: &List,
        after: Option<Listed>,
        max: u16,
    ) -> Result<Vec<Listed>, Fault> {
        match self {
            Self::Embedded(store) => store.list(list, after, max).await,
            Self::Postgres(store) => store.list(list, after, max).await,
        }
    }

    /// The newest entries of a list first, before `before`, at most `max`.
    pub async fn newest(
        &self,
        list: &List,
        before: Option<Listed>,
        max: u16,
    ) -> Result<Vec<Listed>, Fault> {
        match self {
            Self::Embedded(store) => store.newest(list, before, max).await,
            Self::Postgres(store) => store.newest(list, before, max).await,
        }
    }

    pub async fn counted(&self, counter: &Counter) -> Result<u32, Fault> {
        match self {
            Self::Embedded(store) => store.counted(counter).await,
            Self::Postgres(store) => store.counted(counter).await,
        }
    }

    /// Leaves `from..to` as they are in the log, at most 256 at a time.
    pub async fn leaves(&self, from: u64, to: u64) -> Result<Vec<Leaf>, Fault> {
        match self {
            Self::Embedded(store) => store.leaves(from, to).await,
            Self::Postgres(store) => store.leaves(from, to).await,
        }
    }

    /// The bytes of a hash tile (C2SP `tile/<level>/<index>[.p/<width>]`), if it is complete.
    pub async fn tile(&self, level: u8, index: u64, width: u16) -> Result<Option<Vec<u8>>, Fault> {
        match self {
            Self::Embedded(store) => store.tile(level, index, width).await,
            Self::Postgres(store) => store.tile(level, index, width).await,
        }
    }

    /// The newest signed checkpoint.
    pub async fn checkpoint(&self) -> Result<String, Fault> {
        match self {
            Self::Embedded(store) => store.checkpoint().await,
            Self::Postgres(store) => store.checkpoint().await,
        }
    }

    /// Waits until something was committed after `index`, or for `timeout`.
    pub async fn changed(&self, index: u64, timeout: std::time::Duration) {
        match self {
            Self::Embedded(store) => store.changed(index, timeout).await,
            Self::Postgres(store) => store.changed(index, timeout).await,
        }
    }

    pub fn health(&self) -> Health {
        match self {
            Self::Embedded(store) => store.health(),
            Self::Postgres(store) => store.health(),
        }
    }

    /// `Some` from a restore on, until its reconciliation has been put on record. Read when the
    /// store was opened: another node may have put it on record since.
    pub fn restored(&self) -> Option<Restored> {
        match self {
            Self::Embedded(store) => store.restored(),
            Self::Postgres(store) => store.restored(),
        }
    }

    /// The log now says that the store was restored, and what it waits for; the mark goes. Call it
    /// only after the commit of that entry. Doing it again changes nothing.
    ///
    /// # Errors
    /// The mark cannot be removed. It is found again at the next start, so whoever puts a
    /// restoration on record must expect to find it there already.
    pub async fn restoration_recorded(&self) -> Result<(), Fault> {
        match self {
            Self::Embedded(store) => store.restoration_recorded().await,
            Self::Postgres(store) => store.restoration_recorded().await,
        }
    }

    /// The key that signs the log.
    pub(crate) fn log(&self) -> &LogKey {
        match self {
            Self::Embedded(store) => store.log(),
            Self::Postgres(store) => store.log(),
        }
    }

    /// Notes durably that acknowledged entries are missing here, and records nothing any more.
    async fn rolled_back(&self, leaves: u64, acknowledged: u64) -> Result<(), Fault> {
        let mark = Restored {
            leaves,
            // Since when they are missing is not known: the log may have grown after the loss.
            at: When::from_millis(0),
            acknowledged,
            origin: self.log().verifier().origin().to_owned(),
        };
        match self {
            Self::Embedded(store) => store.rolled_back(mark).await,
            Self::Postgres(store) => store.rolled_back(mark).await,
        }
    }

    /// How far what was erased is destroyed.
    pub fn erasure(&self) -> Erasure {
        match self {
            Self::Embedded(store) => store.erasure(),
            Self::Postgres(store) => store.erasure(),
        }
    }

    /// Wraps the keys of all items that still exist, or are held, under a new epoch key and
    /// destroys the old one: the second half of every erasure. Everything else goes on meanwhile.
    /// Of several nodes one does it; for the others it is done when the keys' place says so.
    pub async fn rewrap(&self, now: When) -> Result<(), Fault> {
        match self {
            Self::Embedded(store) => store.rewrap(now).await,
            Self::Postgres(store) => store.rewrap(now).await,
        }
    }

    /// Finishes what was queued and leaves a clean mark. Nothing can be written afterwards.
    pub async fn close(&self) -> Result<(), Fault> {
        match self {
            Self::Embedded(store) => store.close().await,
            Self::Postgres(store) => store.close().await,
        }
    }
}

/// A decision that names payload to open. Implemented only where the firewall has screened it.
pub trait Discloses {
    fn parts(&self) -> &[PartRef];
}

/// A decision that permits reading the log, and names the entries.
pub trait ReadsLog {
    fn named(&self) -> Named;
}

/// Entries of the log that a decision names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    Each(BTreeSet<u64>),
    Within(Range<u64>),
}

/// Shows that a decision was logged that permits opening entries of the log. What takes longer than an
/// answer is opened on the strength of this.
pub struct Readable(Named);

impl Readable {
    pub fn of<T: ReadsLog>(by: &Logged<T>) -> Self {
        Self(by.value().named())
    }

    fn names(&self, index: u64) -> bool {
        match &self.0 {
            Named::Each(indices) => indices.contains(&index),
            Named::Within(within) => within.contains(&index),
        }
    }
}
