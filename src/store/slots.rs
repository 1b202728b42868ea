//! The slot file: one key for each stored item, so that clearing a slot erases its item.
//!
//! It lies outside the data directory and its backups. Slots are made durable before they are
//! handed out, and a slot number is never used again. Nothing here may keep an item key in memory
//! longer than the call that needs it, or write one that is not wrapped.
//!
//! Layout: a first block with the header (and room for a second one, so that the nightly change of
//! epoch can write the new header before it destroys the old), then 64 bytes for each slot, from
//! slot 1 on. A slot that is all zeros holds no key: it was erased, or never made.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use zeroize::{Zeroize, Zeroizing};

use super::Fault;
use super::disk::{Disk, DiskFile};
use super::journal::OpenError;
use crate::domain::seal::{ItemKey, Slot};

const MAGIC: &[u8; 16] = b"firedoor slots 1";
/// The header block; the second half of it is kept for the header of the next epoch.
const HEADER_BLOCK_BYTES: u64 = 4096;
/// magic 16 | journal id 16 | epoch 4 | nonce 12 | wrapped epoch key 48 | CRC32C 4.
const HEADER_BYTES: usize = 100;
/// epoch 4 | nonce 12 | wrapped item key 48.
const RECORD_BYTES: usize = 64;
/// Slots made durable at once: one sync for so many.
const GROWTH_SLOTS: u64 = 2048;
/// The most keys one decision may ask for.
pub const RESERVE_SLOTS_MAX: usize = 1024;
/// A slot that was handed out and not committed within this time is handed out again.
const LEASE: Duration = Duration::from_secs(120);

/// The slot file, open and locked.
pub struct Slots {
    file: DiskFile,
    epoch: u32,
    cipher: Aes256Gcm,
    state: Mutex<State>,
}

struct State {
    /// Slots in the file, used or not.
    made: u64,
    /// Durable and not handed out.
    ready: Vec<u64>,
    /// Handed out, and when. A commit may only name these, each once.
    lent: HashMap<u64, Instant>,
    /// The same in order of time; entries no longer in `lent` are stale.
    lent_order: VecDeque<(Instant, u64)>,
}

impl Slots {
    /// Opens or creates the file that belongs to the journal with this id.
    /// [`Slots::reconcile`] must follow before any key is handed out.
    pub fn open(
        disk: &Disk,
        path: &Path,
        slot_key: &[u8; 32],
        journal: &[u8; 16],
    ) -> Result<Self, OpenError> {
        let io = |source| OpenError::io(path, source);
        let file = disk.open_or_create(path).map_err(io)?;
        if file.try_lock().is_err() {
            return Err(OpenError::InUse(path.to_owned()));
        }
        if !file.is_private().map_err(io)? {
            return Err(OpenError::SlotsMode(path.to_owned()));
        }
        if is_to_begin(&file, slot_key, journal).map_err(io)? {
            create(&file, slot_key, journal).map_err(io)?;
        }
        // Whoever made the file may have been stopped before its name was durable.
        disk.sync_parent(path).map_err(io)?;
        let (epoch, cipher) = read_header(&file, slot_key, journal)
            .map_err(io)?
            .ok_or_else(|| OpenError::SlotsKey(path.to_owned()))?;
        let made = records(&file).map_err(io)?;
        let state = State {
            made,
            ready: Vec::new(),
            lent: HashMap::new(),
            lent_order: VecDeque::new(),
        };
        Ok(Self {
            file,
            epoch,
            cipher,
            state: Mutex::new(state),
        })
    }

    /// Brings the file in line with the journal: `used` are all slots that any leaf names, `live`
    /// those whose item still exists. What is used and not live is erased. Returns how many keys of
    /// live items are missing; then nothing may start, because a lost key could hide a withdrawal.
    ///
    /// Slots after the last one used are made again: whoever made them may have been stopped before
    /// they were durable, or in the middle of it.
    pub fn reconcile(&self, used: &SlotSet, live: &SlotSet) -> std::io::Result<u64> {
        let mut state = self.state();
        let (mut missing, mut dead) = (0, Vec::new());
        let mut chunk = vec![0_u8; RECORD_BYTES * GROWTH_SLOTS as usize];
        let mut slot = 1;
        while slot <= state.made {
            let count = GROWTH_SLOTS.min(state.made - slot + 1);
            let (part, _) = chunk.split_at_mut(count as usize * RECORD_BYTES);
            self.file.read_exact_at(part, record_at(slot))?;
            for record in part.chunks_exact(RECORD_BYTES) {
                let empty = record.iter().all(|byte| *byte == 0);
                match (used.contains(slot), live.contains(slot), empty) {
                    (_, true, true) => missing += 1,
                    (true, false, false) => dead.push(slot),
                    (false, false, false) | (_, true, false) | (_, false, true) => {}
                }
                slot += 1;
            }
        }
        missing += live.iter().filter(|slot| *slot > state.made).count() as u64;
        // A number that the journal names is never made again, even if the file is shorter.
        state.made = used.highest();
        drop(state);
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
        let made = self.state().made;
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
        let made = self.state().made;
        let mut chunk = vec![0_u8; RECORD_BYTES * GROWTH_SLOTS as usize];
        let mut slot = 1;
        while slot <= made {
            let count = GROWTH_SLOTS.min(made - slot + 1);
            let (part, _) = chunk.split_at_mut(count as usize * RECORD_BYTES);
            self.file.read_exact_at(part, record_at(slot))?;
            for record in part.chunks_exact(RECORD_BYTES) {
                tell(slot, record.iter().all(|byte| *byte == 0));
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
            self.grow(&mut state)
                .map_err(|_| Fault::CannotRecord("the slot file cannot be extended"))?;
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
        let mut record = [0_u8; RECORD_BYTES];
        let read = self.file.read_exact_at(&mut record, record_at(slot.0));
        match read {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(_) => return Err(Fault::Unreadable("the slot file cannot be read")),
        }
        if record.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let (epoch, rest) = record.split_at(4);
        let (nonce, wrapped) = rest.split_at(12);
        let context = record_context(slot.0, epoch);
        let key = unwrap(&self.cipher, nonce, wrapped, &context).ok_or(Fault::Unreadable(
            "a slot does not open under its epoch key",
        ))?;
        Ok(Some(ItemKey::new(slot, *key)))
    }

    /// Clears slots and syncs. The items are gone when this returns.
    pub fn erase(&self, slots: &[u64]) -> std::io::Result<()> {
        for slot in slots {
            // Beyond the end there is no key, and writing there would make the file longer.
            let end = self.file.length()?;
            if record_at(*slot) < end {
                self.file
                    .write_all_at(&[0; RECORD_BYTES], record_at(*slot))?;
            }
        }
        self.file.sync_data()
    }

    fn grow(&self, state: &mut State) -> std::io::Result<()> {
        let first = state.made + 1;
        let mut block = Vec::with_capacity(RECORD_BYTES * GROWTH_SLOTS as usize);
        for slot in first..first + GROWTH_SLOTS {
            let mut key = Zeroizing::new([0_u8; 32]);
            fill_random(key.as_mut())?;
            let epoch = self.epoch.to_le_bytes();
            let (nonce, wrapped) = wrap(&self.cipher, &key, &record_context(slot, &epoch))?;
            block.extend_from_slice(&epoch);
            block.extend_from_slice(&nonce);
            block.extend_from_slice(&wrapped);
        }
        self.file.write_all_at(&block, record_at(first))?;
        // The length changes too, so data alone is not enough.
        self.file.sync_all()?;
        state.made += GROWTH_SLOTS;
        // The lowest goes first.
        state.ready.splice(0..0, (first..=state.made).rev());
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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

    fn iter(&self) -> impl Iterator<Item = u64> + '_ {
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

fn record_at(slot: u64) -> u64 {
    // Slot 0 is never used; it would lie inside the header block.
    HEADER_BLOCK_BYTES.saturating_add(slot.saturating_sub(1).saturating_mul(RECORD_BYTES as u64))
}

fn record_context(slot: u64, epoch: &[u8]) -> Vec<u8> {
    [b"firedoor slot v1".as_slice(), epoch, &slot.to_le_bytes()].concat()
}

fn header_context(epoch: [u8; 4]) -> Vec<u8> {
    [b"firedoor epoch v1".as_slice(), &epoch].concat()
}

/// The first epoch: a random key, wrapped under the slot key, so that a later epoch can destroy it.
fn create(file: &DiskFile, slot_key: &[u8; 32], journal: &[u8; 16]) -> std::io::Result<()> {
    let mut key = Zeroizing::new([0_u8; 32]);
    fill_random(key.as_mut())?;
    let epoch = 1_u32.to_le_bytes();
    let outer = Aes256Gcm::new(&(*slot_key).into());
    let (nonce, wrapped) = wrap(&outer, &key, &header_context(epoch))?;
    let mut header = [&MAGIC[..], journal, &epoch, &nonce, &wrapped].concat();
    header.extend_from_slice(&crc32c::crc32c(&header).to_le_bytes());
    header.resize(HEADER_BLOCK_BYTES as usize, 0);
    file.write_all_at(&header, 0)?;
    file.sync_all()
}

/// How many slots there is room for in the file.
fn records(file: &DiskFile) -> std::io::Result<u64> {
    Ok(file.length()?.saturating_sub(HEADER_BLOCK_BYTES) / RECORD_BYTES as u64)
}

/// Whether the header may be written: no slot was ever made in the file, and it holds nothing but
/// our own header or a part of it. Whoever wrote that may have been stopped before it was durable.
/// Anything else that lies in this place is not ours to overwrite.
fn is_to_begin(file: &DiskFile, slot_key: &[u8; 32], journal: &[u8; 16]) -> std::io::Result<bool> {
    let length = file.length()?;
    if length > HEADER_BLOCK_BYTES {
        return Ok(false);
    }
    let mut header = vec![0; HEADER_BYTES.min(length as usize)];
    file.read_exact_at(&mut header, 0)?;
    let whole = header.split_last_chunk::<4>().is_some_and(|(signed, crc)| {
        signed.len() == HEADER_BYTES - 4 && *crc == crc32c::crc32c(signed).to_le_bytes()
    });
    if whole {
        return Ok(read_header(file, slot_key, journal)?.is_some());
    }
    let begun = header.iter().zip(MAGIC);
    let begun = begun.take_while(|(byte, magic)| byte == magic).count();
    let rest = header.get(begun..).unwrap_or_default();
    Ok(begun == MAGIC.len() || rest.iter().all(|byte| *byte == 0))
}

/// `None` if the header is damaged or belongs to another key or journal.
fn read_header(
    file: &DiskFile,
    slot_key: &[u8; 32],
    journal: &[u8; 16],
) -> std::io::Result<Option<(u32, Aes256Gcm)>> {
    let mut header = [0_u8; HEADER_BYTES];
    match file.read_exact_at(&mut header, 0) {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let (signed, crc) = header.split_at(HEADER_BYTES - 4);
    let (magic, rest) = signed.split_at(16);
    let (owner, rest) = rest.split_at(16);
    let (epoch, rest) = rest.split_at(4);
    let (nonce, wrapped) = rest.split_at(12);
    if magic != MAGIC || owner != journal || crc != crc32c::crc32c(signed).to_le_bytes() {
        return Ok(None);
    }
    let epoch: [u8; 4] = epoch.try_into().unwrap_or_default();
    let outer = Aes256Gcm::new(&(*slot_key).into());
    let key = unwrap(&outer, nonce, wrapped, &header_context(epoch));
    Ok(key.map(|key| (u32::from_le_bytes(epoch), Aes256Gcm::new(&(*key).into()))))
}

fn wrap(cipher: &Aes256Gcm, key: &[u8; 32], aad: &[u8]) -> std::io::Result<([u8; 12], Vec<u8>)> {
    let mut nonce = [0_u8; 12];
    fill_random(&mut nonce)?;
    let payload = Payload { msg: key, aad };
    let wrapped = cipher
        .encrypt(&Nonce::from(nonce), payload)
        .map_err(|_| std::io::Error::other("a key could not be wrapped"))?;
    Ok((nonce, wrapped))
}

fn unwrap(
    cipher: &Aes256Gcm,
    nonce: &[u8],
    wrapped: &[u8],
    aad: &[u8],
) -> Option<Zeroizing<[u8; 32]>> {
    let nonce: [u8; 12] = nonce.try_into().ok()?;
    let payload = Payload { msg: wrapped, aad };
    let mut plain = cipher.decrypt(&Nonce::from(nonce), payload).ok()?;
    let key = plain.as_slice().try_into().ok().map(Zeroizing::new);
    plain.zeroize();
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path) -> Slots {
        Slots::open(&Disk::Real, path, &[7; 32], &[1; 16]).unwrap()
    }

    fn set(slots: &[u64]) -> SlotSet {
        let mut set = SlotSet::default();
        slots.iter().for_each(|slot| set.insert(*slot));
        set
    }

    fn sealed(key: &ItemKey) -> crate::domain::decision::SealedFact {
        use crate::domain::{decision::Aggregate, id::Id, seal};
        seal::fact(key, &Aggregate::Settings, Id::ZERO, b"x", [0; 12])
    }

    fn opens(sealed: &crate::domain::decision::SealedFact, key: &ItemKey) -> bool {
        use crate::domain::decision::{Aggregate, seal_context};
        let context = seal_context(&Aggregate::Settings, crate::domain::id::Id::ZERO, None);
        sealed.sealed().open(key, &context).is_some()
    }

    #[test]
    fn a_key_is_the_same_after_reopening_and_gone_after_erasing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slots");
        let slots = open(&path);
        let keys = slots.reserve(3).unwrap();
        let facts: Vec<_> = keys.iter().map(sealed).collect();
        let numbers: Vec<_> = keys.iter().map(|key| key.slot().0).collect();
        assert!(slots.claim(&numbers));
        drop(slots);

        let slots = open(&path);
        let live = set(&numbers);
        assert_eq!(slots.reconcile(&live, &live).unwrap(), 0);
        for (fact, key) in facts.iter().zip(&keys) {
            let again = slots.key(key.slot()).unwrap().unwrap();
            assert!(opens(fact, &again));
        }
        slots.erase(&numbers[..1]).unwrap();
        assert!(slots.key(Slot(numbers[0])).unwrap().is_none());
        assert!(slots.key(Slot(numbers[1])).unwrap().is_some());
    }

    #[test]
    fn what_the_journal_removed_is_erased_and_what_it_never_used_is_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slots");
        let slots = open(&path);
        let count = slots.reserve(4).unwrap().len();
        assert_eq!(count, 4);
        let before = slots.key(Slot(3)).unwrap().unwrap();
        drop(slots);
        let slots = open(&path);
        assert_eq!(slots.reconcile(&set(&[1, 2]), &set(&[2])).unwrap(), 0);
        assert!(slots.key(Slot(1)).unwrap().is_none());
        assert!(slots.key(Slot(2)).unwrap().is_some());
        // Everything that is handed out from now on is something else.
        assert!(!slots.has_ready(1));
        let all = slots.reserve(RESERVE_SLOTS_MAX).unwrap();
        assert!(all.iter().all(|key| key.slot().0 > 2));
        let again = all.iter().find(|key| key.slot() == Slot(3)).unwrap();
        assert!(!opens(&sealed(&before), again));
    }

    #[test]
    fn a_file_that_is_not_ours_is_never_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("root.key");
        for other in [b"some other key".as_slice(), &[7; 5000]] {
            std::fs::write(&path, other).unwrap();
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
                .unwrap();
            let refused = Slots::open(&Disk::Real, &path, &[7; 32], &[1; 16]);
            assert!(matches!(refused, Err(OpenError::SlotsKey(_))));
            assert_eq!(std::fs::read(&path).unwrap(), other);
        }
    }

    #[test]
    fn a_slot_file_older_than_the_journal_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let slots = open(&dir.path().join("slots"));
        slots.reserve(1).unwrap();
        slots.erase(&[1]).unwrap();
        let live = set(&[1, GROWTH_SLOTS + 9]);
        assert_eq!(slots.reconcile(&live, &live).unwrap(), 2);
    }

    #[test]
    fn a_slot_is_lent_once_and_comes_back_if_nothing_was_committed() {
        let dir = tempfile::tempdir().unwrap();
        let slots = open(&dir.path().join("slots"));
        let first = slots.reserve(2).unwrap();
        let numbers: Vec<_> = first.iter().map(|key| key.slot().0).collect();
        assert!(slots.claim(&numbers));
        assert!(!slots.claim(&numbers[1..]));
        slots.unclaim(&numbers[1..]);
        // One of them is taken for good, so both together are refused, as is one twice.
        assert!(!slots.claim(&numbers));
        assert!(!slots.claim(&[numbers[1], numbers[1]]));
        let mut state = slots.state();
        let ready = state.ready.len();
        state.take_back(Instant::now() + LEASE);
        assert_eq!(state.ready.len(), ready + 1);
        assert_eq!(state.ready.last(), Some(&numbers[1]));
    }

    #[test]
    fn another_key_journal_or_opener_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slots");
        let slots = open(&path);
        let again = Slots::open(&Disk::Real, &path, &[7; 32], &[1; 16]);
        assert!(matches!(again, Err(OpenError::InUse(_))));
        drop(slots);
        let other = Slots::open(&Disk::Real, &path, &[8; 32], &[1; 16]);
        assert!(matches!(other, Err(OpenError::SlotsKey(_))));
        let elsewhere = Slots::open(&Disk::Real, &path, &[7; 32], &[2; 16]);
        assert!(matches!(elsewhere, Err(OpenError::SlotsKey(_))));
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let open_to_all = Slots::open(&Disk::Real, &path, &[7; 32], &[1; 16]);
        assert!(matches!(open_to_all, Err(OpenError::SlotsMode(_))));
    }

    #[test]
    fn no_item_key_lies_in_the_file_in_clear() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slots");
        let slots = open(&path);
        slots.reserve(1).unwrap();
        let mut record = [0_u8; RECORD_BYTES];
        slots.file.read_exact_at(&mut record, record_at(1)).unwrap();
        let cipher = &slots.cipher;
        let key = unwrap(
            cipher,
            &record[4..16],
            &record[16..],
            &record_context(1, &record[..4]),
        );
        let bytes = std::fs::read(&path).unwrap();
        assert!(
            !bytes
                .windows(32)
                .any(|window| window == key.as_ref().unwrap().as_slice())
        );
    }
}
