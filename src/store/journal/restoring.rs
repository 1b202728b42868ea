//! The first starts of a journal that was made from a copy.
//!
//! The slot file is not in a copy, so it is newer: keys of what was removed or replaced after the
//! copy are gone, as are those of accounts whose time was over since, and it holds keys of what
//! the copy lacks. The former is taken out, in the log itself; the latter is erased, so that no lost
//! entry's key is ever used again. Nothing here may pass over a missing key that nobody erased: it
//! could hide a withdrawal.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::frame::{Change, Key};
use super::names_key::NamesKeys;
use super::recovery::{Recovered, recover};
use super::segment::Segments;
use super::{Journal, OpenError};
use crate::domain::checkpoint::LogKey;
use crate::domain::id::Id;
use crate::store::evidence::Evidence;
use crate::store::restored::Restored;
use crate::store::slots::{SlotSet, Slots};
use crate::store::witnessed::Heads;
use crate::store::{Fault, ROLLED_BACK};

/// Removals in one decision, so that it stays of ordinary size.
const REMOVALS_MAX: usize = 4096;

/// What had its key erased after the copy, until the log says that it is gone.
#[derive(Default)]
pub struct TakenOut(Vec<Going>);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Going {
    /// An item of an aggregate.
    Item(Key, Id),
    /// What was kept of one under a hold, which has ended since.
    Held(Key, Id),
    /// The account of an entry, by its slot.
    Account(u64),
}

impl TakenOut {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the next decision carries with it.
    pub fn changes(&self) -> Vec<Change> {
        let next = self.0.iter().take(REMOVALS_MAX);
        next.map(|going| match *going {
            Going::Item(of, item) => Change::Remove { of, item },
            Going::Held(of, item) => Change::Release { of, item },
            Going::Account(slot) => Change::Forget { slot },
        })
        .collect()
    }

    /// The decision that carried them is durable.
    pub fn done(&mut self, count: usize) {
        self.0.drain(..count.min(self.0.len()));
    }
}

/// Reads the journal of a store that may have been restored; see [`recover`].
pub fn recover_restored(
    segments: &Segments,
    log: &LogKey,
    least: u64,
    restored: Option<&Restored>,
    keys: &NamesKeys<'_>,
) -> Result<Recovered, OpenError> {
    let Some(mark) = restored else {
        return recover(segments, log.verifier(), least, keys);
    };
    if mark.is_proven() && mark.origin == log.verifier().origin() {
        return Err(OpenError::RolledBack {
            origin: mark.origin.clone(),
            leaves: mark.leaves,
            acknowledged: mark.acknowledged,
        });
    }
    // With fewer the restore was not finished.
    let least = least.max(mark.leaves);
    let found = recover(segments, log.verifier(), least, keys);
    match (found, log.verifier_named(&mark.origin)) {
        // Nothing is signed under the new name yet.
        (Err(_), Ok(before)) if mark.origin != log.verifier().origin() => {
            recover(segments, &before, least, keys)
        }
        (found, _) => found,
    }
}

/// Brings what was recovered from a copy in line with the newer slot file.
pub fn reconcile(found: &mut Recovered, slots: &Slots, file: &Path) -> Result<TakenOut, OpenError> {
    let io = |source| OpenError::io(file, source);
    let erased = slots.erased(&found.live).map_err(io)?;
    let taken = found.table.take_out(|slot| erased.contains(slot));
    for gone in &taken {
        found.live.remove(gone.slot);
    }
    // What is left are accounts. They are erased when their time is over, never all of them; and no
    // key is erased beyond the end of the file. Such keys were lost.
    let forgotten = slots.erased(&found.live).map_err(io)?;
    let mut items = SlotSet::default();
    found.table.slots().for_each(|slot| items.insert(slot));
    let accounts = found.live.count().saturating_sub(items.count());
    let mut missing = slots.beyond(&found.live);
    if forgotten.count() == accounts {
        missing += accounts;
    }
    if missing > 0 {
        return Err(OpenError::KeysMissing {
            file: file.to_owned(),
            missing,
        });
    }
    slots.erase_unused(&found.used).map_err(io)?;
    let mut going: Vec<Going> = taken
        .iter()
        .map(|gone| match gone.held {
            true => Going::Held(gone.of, gone.item),
            false => Going::Item(gone.of, gone.item),
        })
        .chain(forgotten.iter().map(Going::Account))
        .collect();
    if !going.is_empty() {
        tracing::warn!(
            items = taken.len(),
            accounts = forgotten.count(),
            "taking out what was changed or erased after the copy was made"
        );
    }
    forgotten.iter().for_each(|slot| found.live.remove(slot));
    going.sort_unstable();
    going.dedup();
    Ok(TakenOut(going))
}

impl Journal {
    /// See [`crate::store::Store::restored`].
    pub fn restored(&self) -> Option<Restored> {
        let restored = self.restored.lock().unwrap_or_else(PoisonError::into_inner);
        restored.clone()
    }

    pub(in crate::store) fn log(&self) -> &LogKey {
        &self.shared.log
    }

    /// See [`crate::store::Store::shown`]. Stops first, so that nothing more is signed in between.
    pub(in crate::store) async fn rolled_back(&self, mark: Restored) -> Result<(), Fault> {
        const UNMARKED: Fault = Fault::CannotRecord("the proof of a rollback cannot be noted");
        self.shared.stop(ROLLED_BACK);
        let mark = match self.restored() {
            Some(known) => known.with_proof(mark),
            None => mark,
        };
        let (disk, data_dir) = (self.shared.segments.disk().clone(), self.data_dir.clone());
        let noted = mark.clone();
        let written = tokio::task::spawn_blocking(move || noted.write(&disk, &data_dir)).await;
        written.map_err(|_| UNMARKED)?.map_err(|_| UNMARKED)?;
        *self.restored.lock().unwrap_or_else(PoisonError::into_inner) = Some(mark);
        Ok(())
    }

    pub(in crate::store) fn heads(&self) -> &Arc<Heads> {
        &self.heads
    }

    /// See [`crate::store::Store::shown`].
    pub(in crate::store) async fn keep_evidence(&self, found: Evidence) -> Result<(), Fault> {
        const UNKEPT: Fault = Fault::CannotRecord("the proof of a rollback cannot be kept");
        let (disk, data_dir) = (self.shared.segments.disk().clone(), self.data_dir.clone());
        let written = tokio::task::spawn_blocking(move || found.write(&disk, &data_dir)).await;
        written.map_err(|_| UNKEPT)?.map_err(|_| UNKEPT)
    }

    /// See [`crate::store::Store::evidence`].
    pub(in crate::store) async fn evidence(&self) -> Result<Vec<Evidence>, Fault> {
        const UNREAD: Fault = Fault::Unreadable("the proofs of a rollback");
        let (disk, data_dir) = (self.shared.segments.disk().clone(), self.data_dir.clone());
        let read = tokio::task::spawn_blocking(move || Evidence::read(&disk, &data_dir)).await;
        read.map_err(|_| UNREAD)?.map_err(|_| UNREAD)
    }

    /// See [`crate::store::Store::restoration_recorded`].
    pub async fn restoration_recorded(&self) -> Result<(), Fault> {
        const KEPT: Fault = Fault::CannotRecord("the mark of the restore cannot be removed");
        if self.takes_out.load(Ordering::Acquire) {
            // Found again at the next start, with what is still to be taken out.
            *self.restored.lock().unwrap_or_else(PoisonError::into_inner) = None;
            return Ok(());
        }
        let (shared, data_dir) = (Arc::clone(&self.shared), self.data_dir.clone());
        let remove = move || Restored::remove(shared.segments.disk(), &data_dir);
        let removed = tokio::task::spawn_blocking(remove).await;
        removed.map_err(|_| KEPT)?.map_err(|_| KEPT)?;
        *self.restored.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }
}
