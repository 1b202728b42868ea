//! The slot file: one key for each stored item, so that clearing a slot erases its item; and among
//! them the keys over names (`journal/names_key.rs`), which are never cleared.
//!
//! It lies outside the data directory and its backups. Slots are made durable before they are
//! handed out, and a slot number is never used again. Nothing here may keep an item key in memory
//! longer than the call that needs it, or write one that is not wrapped.
//!
//! ## Slot file
//!
//! All numbers are little-endian. Keys are wrapped with AES-256-GCM under a random nonce of 12
//! bytes; the tag of 16 bytes follows the 32 of the key.
//!
//! ```text
//! 0       header   magic "firedoor slots 1" 16 | journal id 16 | epoch 4
//!                  | nonce 12 | wrapped epoch key 48 | CRC32C of these 4
//! 100     books    begun, ms since 1970 8 | cleared 8 | CRC32C of these 4
//! 120     zeros
//! 4096    slot 1   epoch 4 | nonce 12 | wrapped item key 48
//! 4160    slot 2   ...
//! ```
//! The epoch key is wrapped under the slot key (from the root key), bound to "firedoor epoch v1"
//! and its number; an item key under the epoch key, bound to "firedoor slot v1", the epoch and the
//! slot number (8 bytes). A slot that is all zeros holds no key: it was erased, or never made.
//! `cleared` counts such slots when the epoch began; what was cleared since waits for the next.
//!
//! Clearing a slot takes its key from whoever opens the file from now on. What the disk may still
//! hold of the old bytes (a flash block not yet reused, a copy of the file) is under the epoch key,
//! and that is destroyed by the change of epoch: see `slots/rewrap.rs`. While it runs, `<file>.next`
//! is the epoch in the making and `<file>.old` the one to be destroyed; neither outlives a start.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use self::file::{Epoch, Owner, RECORD_BYTES, is_clear, random_key, record_at};
use self::rewrap::{Next, bring_back};
use super::disk::Disk;
use super::journal::OpenError;
use super::{Erasure, Fault};
use crate::domain::seal::{ItemKey, Slot};
use crate::domain::time::When;

mod file;
mod rewrap;
#[cfg(test)]
pub(crate) mod tests;

pub use self::rewrap::RewrapError;

/// Slots made durable at once: one sync for so many.
const GROWTH_SLOTS: u64 = 2048;
const CHUNK_BYTES: usize = RECORD_BYTES * GROWTH_SLOTS as usize;
/// The most keys one decision may ask for.
pub const RESERVE_SLOTS_MAX: usize = 1024;
/// A slot that was handed out and not committed within this time is handed out again.
const LEASE: Duration = Duration::from_secs(120);

/// The slot file, open and locked. Locks are taken in the order of the fields.
pub struct Slots {
    disk: Disk,
    path: PathBuf,
    owner: Owner,
    /// One change of epoch at a time.
    rewrapping: Mutex<()>,
    state: Mutex<State>,
    writing: Mutex<Writing>,
    epoch: RwLock<Epoch>,
    /// The store is closing: a change of epoch gives up.
    interrupted: AtomicBool,
}

struct State {
    /// Durable and not handed out.
    ready: Vec<u64>,
    /// Handed out, and when. A commit may only name these, each once.
    lent: HashMap<u64, Instant, BuildHasherDefault<SlotHasher>>,
    /// The same in order of time; entries no longer in `lent` are stale.
    lent_order: VecDeque<(Instant, u64)>,
}

/// Held while a slot is written.
struct Writing {
    /// Slots in the file, used or not.
    made: u64,
    /// Cleared since the epoch began.
    cleared_since: u64,
    /// Cleared under an earlier epoch whose key is not destroyed yet.
    undestroyed: u64,
    next: Option<Next>,
}

impl Slots {
    /// Puts the file back if a change of epoch was cut just when it had no name.
    pub fn bring_back(disk: &Disk, path: &Path) -> std::io::Result<()> {
        bring_back(disk, path)
    }

    /// Opens or creates the file that belongs to the journal with this id, and finishes a change of
    /// epoch that was interrupted. [`Slots::reconcile`] must follow before any key is handed out.
    pub fn open(
        disk: &Disk,
        path: &Path,
        slot_key: &[u8; 32],
        journal: &[u8; 16],
    ) -> Result<Self, OpenError> {
        let io = |source| OpenError::io(path, source);
        let owner = Owner {
            slot_key: Zeroizing::new(*slot_key),
            journal: *journal,
        };
        bring_back(disk, path).map_err(io)?;
        let file = disk.open_or_create(path).map_err(io)?;
        if file.try_lock().is_err() {
            return Err(OpenError::InUse(path.to_owned()));
        }
        if !file.is_private().map_err(io)? {
            return Err(OpenError::SlotsMode(path.to_owned()));
        }
        if Epoch::is_to_begin(&file, &owner).map_err(io)? {
            Epoch::first(&file, &owner).map_err(io)?;
        }
        // Whoever made the file may have been stopped before its name was durable.
        disk.sync_parent(path).map_err(io)?;
        let epoch = Epoch::read(file, &owner)
            .map_err(io)?
            .ok_or_else(|| OpenError::SlotsKey(path.to_owned()))?;
        let opened = Self {
            disk: disk.clone(),
            path: path.to_owned(),
            owner,
            rewrapping: Mutex::default(),
            state: Mutex::new(State {
                ready: Vec::new(),
                lent: HashMap::default(),
                lent_order: VecDeque::new(),
            }),
            writing: Mutex::new(Writing {
                made: epoch.records().map_err(io)?,
                cleared_since: 0,
                undestroyed: 0,
                next: None,
            }),
            epoch: RwLock::new(epoch),
            interrupted: AtomicBool::new(false),
        };
        // Only now, when what lies under the name is known to be whole.
        if let Err(error) = opened.destroy_leftovers() {
            tracing::error!(%error, "an old epoch key is not destroyed yet; trying again later");
            opened.writing().undestroyed = 1;
        }
        Ok(opened)
    }

    /// Brings the file in line with the journal: `used` are all slots that any leaf names, `live`
    /// those whose item still exists or is held. What is used and not live is erased. Returns how
    /// many keys of live items are missing; then nothing may start, because a lost key could hide a
    /// withdrawal.
    ///
    /// Slots after the last one used are made again: whoever made them may have been stopped before
    /// they were durable, or in the middle of it.
    pub fn reconcile(&self, used: &SlotSet, live: &SlotSet) -> std::io::Result<u64> {
        let (mut missing, mut clear, mut dead) = (0, 0_u64, Vec::new());
        self.each(|slot, empty| {
            clear += u64::from(empty);
            match (used.contains(slot), live.contains(slot), empty) {
                (_, true, true) => missing += 1,
                (true, false, false) => dead.push(slot),
                (false, false, false) | (_, true, false) | (_, false, true) => {}
            }
        })?;
        missing += self.beyond(live);
        {
            let mut writing = self.writing();
            writing.cleared_since = clear.saturating_sub(self.epoch().cleared);
            // A number that the journal names is never made again, even if the file is shorter.
            writing.made = used.highest();
        }
        if missing == 0 && !dead.is_empty() {
            tracing::info!(slots = dead.len(), "erasing keys whose items were removed");
            self.erase(&dead)?;
        }
        Ok(missing)
    }

    /// Which of `live` hold no key any more, as far as the file goes.
    pub fn erased(&self, live: &SlotSet) -> std::io::Result<SlotSet> {
        let mut erased = SlotSet::default();
        self.each(|slot, empty| {
            if empty && live.contains(slot) {
                erased.insert(slot);
            }
        })?;
        Ok(erased)
    }

    /// How many of `live` lie beyond the end of the file.
    pub fn beyond(&self, live: &SlotSet) -> u64 {
        let made = self.writing().made;
        live.iter().filter(|slot| *slot > made).count() as u64
    }

    /// Erases every key that the journal does not name. After a restore some of them are those of
    /// lost entries.
    pub fn erase_unused(&self, used: &SlotSet) -> std::io::Result<()> {
        let mut unused = Vec::new();
        self.each(|slot, empty| {
            if !empty && !used.contains(slot) {
                unused.push(slot);
            }
        })?;
        self.erase(&unused)
    }

    /// Every slot of the file, and whether it is empty.
    fn each(&self, mut tell: impl FnMut(u64, bool)) -> std::io::Result<()> {
        let made = self.writing().made;
        let epoch = self.epoch();
        let mut chunk = vec![0_u8; CHUNK_BYTES];
        let mut slot = 1;
        while slot <= made {
            let count = GROWTH_SLOTS.min(made - slot + 1);
            let (part, _) = chunk.split_at_mut(count as usize * RECORD_BYTES);
            epoch.file.read_exact_at(part, record_at(slot))?;
            for record in part.chunks_exact(RECORD_BYTES) {
                tell(slot, is_clear(record));
                slot += 1;
            }
        }
        Ok(())
    }

    /// Whether `count` keys can be handed out without making new ones durable first.
    pub fn has_ready(&self, count: usize) -> bool {
        let mut state = self.state();
        state.take_back(Instant::now());
        state.ready.len() >= count
    }

    /// Hands out `count` keys; may write and sync.
    pub fn reserve(&self, count: usize) -> Result<Vec<ItemKey>, Fault> {
        if count > RESERVE_SLOTS_MAX {
            return Err(Fault::TooLarge);
        }
        let now = Instant::now();
        let mut state = self.state();
        state.take_back(now);
        while state.ready.len() < count {
            let made = self.grow();
            let made = made.map_err(|_| Fault::CannotRecord("the slot file cannot be extended"))?;
            // The lowest goes first.
            state.ready.splice(0..0, made.rev());
        }
        let mut keys = Vec::with_capacity(count);
        while keys.len() < count {
            let Some(slot) = state.ready.pop() else { break };
            let key = self.key(Slot(slot))?;
            // An empty record among the ready ones would be a slot that was cleared by hand.
            keys.extend(key);
            state.lent.insert(slot, now);
            state.lent_order.push_back((now, slot));
        }
        if keys.len() < count {
            return Err(Fault::Unreadable("the slot file was changed from outside"));
        }
        Ok(keys)
    }

    /// Takes these for one decision. `false`, and nothing is taken, unless all of them are handed
    /// out now: so that none names the key of another item.
    pub fn claim(&self, slots: &[u64]) -> bool {
        let mut state = self.state();
        let mut taken = Vec::with_capacity(slots.len());
        for slot in slots {
            match state.lent.remove(slot) {
                Some(at) => taken.push((*slot, at)),
                None => {
                    state.lent.extend(taken);
                    return false;
                }
            }
        }
        true
    }

    /// Takes back what was handed out and not needed, so that the file does not grow with every
    /// attempt.
    pub fn give_back(&self, slots: &[Slot]) {
        if slots.is_empty() {
            return;
        }
        let mut state = self.state();
        for Slot(slot) in slots {
            if state.lent.remove(slot).is_some() {
                state.ready.push(*slot);
            }
        }
    }

    /// The decision was not written, so whoever made it may still use them for the next try.
    pub fn unclaim(&self, slots: &[u64]) {
        let now = Instant::now();
        let mut state = self.state();
        for slot in slots {
            state.lent.insert(*slot, now);
            state.lent_order.push_back((now, *slot));
        }
    }

    /// The key in a slot; `None` once it is erased.
    pub fn key(&self, slot: Slot) -> Result<Option<ItemKey>, Fault> {
        let key = self.raw_key(slot.0)?;
        Ok(key.map(|key| ItemKey::new(slot, *key)))
    }

    /// Numbers that are taken, from 1 on.
    pub fn made(&self) -> u64 {
        self.writing().made
    }

    /// The same bare, only for wrapping it anew.
    pub fn raw_key(&self, slot: u64) -> Result<Option<Zeroizing<[u8; 32]>>, Fault> {
        let mut record = [0_u8; RECORD_BYTES];
        // Held while it reads, so that no epoch is destroyed under its hands.
        let epoch = self.epoch();
        let read = epoch.file.read_exact_at(&mut record, record_at(slot));
        match read {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(_) => return Err(Fault::Unreadable("the slot file cannot be read")),
        }
        if is_clear(&record) {
            return Ok(None);
        }
        let key = epoch.unwrap(slot, &record).ok_or(Fault::Unreadable(
            "a slot does not open under its epoch key",
        ))?;
        Ok(Some(key))
    }

    /// Clears slots and syncs. Nobody can open their items any more when this returns; destroyed
    /// they are by the next change of epoch.
    pub fn erase(&self, slots: &[u64]) -> std::io::Result<()> {
        let mut writing = self.writing();
        let epoch = self.epoch();
        // Beyond the end there is no key, and writing there would make the file longer.
        let records = epoch.records()?;
        let mut record = [0_u8; RECORD_BYTES];
        for slot in slots
            .iter()
            .copied()
            .filter(|slot| (1..=records).contains(slot))
        {
            epoch.file.read_exact_at(&mut record, record_at(slot))?;
            if is_clear(&record) {
                continue;
            }
            epoch
                .file
                .write_all_at(&[0; RECORD_BYTES], record_at(slot))?;
            writing.cleared_since += 1;
            if let Some(next) = &mut writing.next {
                next.clear(slot)?;
            }
        }
        epoch.file.sync_data()
    }

    /// How far what was cleared is destroyed.
    pub fn erasure(&self) -> Erasure {
        let writing = self.writing();
        let begun = self.epoch().begun;
        Erasure {
            waiting: writing.cleared_since + writing.undestroyed,
            completed: (begun > 0).then_some(When::from_millis(begun)),
            unfinished: writing.undestroyed > 0,
        }
    }

    /// A change of epoch that runs gives up soon: the store is closing.
    pub fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Release);
    }

    /// Makes the next slots durable and says which they are.
    fn grow(&self) -> std::io::Result<std::ops::RangeInclusive<u64>> {
        let mut writing = self.writing();
        let epoch = self.epoch();
        let first = writing.made + 1;
        let mut block = Vec::with_capacity(CHUNK_BYTES);
        for slot in first..first + GROWTH_SLOTS {
            block.extend_from_slice(&epoch.wrap(slot, &random_key()?)?);
        }
        epoch.file.write_all_at(&block, record_at(first))?;
        // The length changes too, so data alone is not enough.
        epoch.file.sync_all()?;
        writing.made += GROWTH_SLOTS;
        Ok(first..=writing.made)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writing(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn epoch(&self) -> RwLockReadGuard<'_, Epoch> {
        self.epoch.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Slots are numbered one after another, so they serve as they are and lie side by side. The table
/// tells neighbours apart by the highest bits.
#[derive(Default)]
struct SlotHasher(u64);

impl Hasher for SlotHasher {
    fn write(&mut self, bytes: &[u8]) {
        let number = bytes.iter().rev();
        self.write_u64(number.fold(0, |number, byte| number << 8 | u64::from(*byte)));
    }

    fn write_u64(&mut self, slot: u64) {
        self.0 = slot ^ (slot << 57);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl State {
    /// Slots that were lent and never committed are ready again.
    fn take_back(&mut self, now: Instant) {
        while let Some((at, slot)) = self.lent_order.front().copied() {
            if now.duration_since(at) < LEASE {
                break;
            }
            self.lent_order.pop_front();
            if self.lent.get(&slot) == Some(&at) {
                self.lent.remove(&slot);
                self.ready.push(slot);
            }
        }
    }
}

/// A set of slot numbers, one bit each.
#[derive(Default)]
pub struct SlotSet(Vec<u64>);

impl SlotSet {
    pub fn insert(&mut self, slot: u64) {
        let word = (slot / 64) as usize;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << (slot % 64);
        }
    }

    pub fn contains(&self, slot: u64) -> bool {
        let word = self.0.get((slot / 64) as usize);
        word.is_some_and(|word| word & (1 << (slot % 64)) != 0)
    }

    pub fn remove(&mut self, slot: u64) {
        if let Some(word) = self.0.get_mut((slot / 64) as usize) {
            *word &= !(1 << (slot % 64));
        }
    }

    pub fn count(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        (0..self.0.len() as u64 * 64).filter(|slot| self.contains(*slot))
    }

    fn highest(&self) -> u64 {
        (0..self.0.len() as u64 * 64)
            .rev()
            .find(|slot| self.contains(*slot))
            .unwrap_or(0)
    }
}

/// Fills with randomness of the operating system.
pub(super) fn fill_random(bytes: &mut [u8]) -> std::io::Result<()> {
    getrandom::fill(bytes).map_err(|_| std::io::Error::other("the system gives no randomness"))
}
