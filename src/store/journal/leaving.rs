//! What a journal gives to PostgreSQL when the store moves there.
//!
//! It is read whole and checked as at every start. From [`Leaving::mark`] on the folder does not
//! start any more; only whoever finds that nothing arrived may take the mark away.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use tokio::sync::mpsc::Sender;

use super::frame::{Change, Entry, Frame, Key, replay_in};
use super::marks::Identity;
use super::table::Item;
use super::{Journal, JournalConfig, OpenError};
use crate::domain::id::Id;
use crate::domain::seal::Sealed;
use crate::store::disk::Disk;
use crate::store::evidence::Evidence;
use crate::store::migrate::{MigrateError, Origin, Rows, Sent};
use crate::store::slots::SlotSet;

/// Accounts that are read on both sides, spread over the log.
const ACCOUNTS_LOOKED_AT: u64 = 64;
/// Rows that are sent together.
const ROWS_SENT: usize = 1000;
const GONE: MigrateError = MigrateError::Unreadable("the new store takes no more");
const DAMAGED: MigrateError = MigrateError::Unreadable("it was damaged while it was read");

pub fn moved_path(data_dir: &Path) -> PathBuf {
    data_dir.join("moved")
}

/// A journal that is about to move.
pub struct Leaving {
    journal: Journal,
    data_dir: PathBuf,
    id: [u8; 16],
}

type Value = Option<Vec<u8>>;

fn big(number: u64) -> Value {
    signed(number.cast_signed())
}

fn signed(number: i64) -> Value {
    Some(number.to_be_bytes().to_vec())
}

fn bytes(bytes: &[u8]) -> Value {
    Some(bytes.to_vec())
}

/// `bigint` is signed: moved by 2^63, as the tables have it.
fn shifted(at: u64) -> Value {
    big(at ^ (1 << 63))
}

/// Sends rows of one table in pieces.
struct Table<'s> {
    to: &'s Sender<Sent>,
    table: &'static str,
    columns: &'static [&'static str],
    rows: Vec<Vec<Value>>,
}

impl<'s> Table<'s> {
    fn new(to: &'s Sender<Sent>, table: &'static str, columns: &'static [&'static str]) -> Self {
        let rows = Vec::new();
        Self {
            to,
            table,
            columns,
            rows,
        }
    }

    fn add(&mut self, row: Vec<Value>) -> Result<(), MigrateError> {
        self.rows.push(row);
        match self.rows.len() < ROWS_SENT {
            true => Ok(()),
            false => self.flush(),
        }
    }

    fn flush(&mut self) -> Result<(), MigrateError> {
        let rows = Rows {
            table: self.table,
            columns: self.columns,
            rows: std::mem::take(&mut self.rows),
        };
        self.to.blocking_send(Sent::Rows(rows)).map_err(|_| GONE)
    }
}

impl Leaving {
    /// Opens the journal, also one whose move was interrupted. Blocks.
    pub fn open(config: JournalConfig) -> Result<Self, MigrateError> {
        let data_dir = config.data_dir.clone();
        let journal = Journal::open_on(Disk::Real, config).map_err(Box::new)?;
        if journal.restored().is_some() {
            return Err(MigrateError::Unrecorded);
        }
        let path = Identity::path(&data_dir);
        let identity = Identity::read(&Disk::Real, &data_dir);
        let identity = identity.map_err(|source| Box::new(OpenError::io(&path, source)))?;
        let id = identity
            .ok_or(MigrateError::Unreadable("it has no identity"))?
            .id;
        Ok(Self {
            journal,
            data_dir,
            id,
        })
    }

    pub async fn origin(&self) -> Result<Origin, MigrateError> {
        let (size, note) = {
            let state = self.journal.shared.state();
            (state.leaves, state.note.clone())
        };
        if size == 0 {
            return Err(MigrateError::Unreadable("its log has no entry"));
        }
        // Of these, the accounts that are not forgotten must open there too.
        let step = (size / ACCOUNTS_LOOKED_AT).max(1);
        let some: Vec<u64> = (0..size).step_by(step as usize).take(256).collect();
        let opened = self.journal.entries(&some).await.map_err(|_| DAMAGED)?;
        Ok(Origin {
            id: self.id,
            size,
            note: note.as_ref().to_owned(),
            next_slot: self.journal.shared.slots.made() + 1,
            accounts: opened.iter().map(|(index, _, _)| *index).collect(),
        })
    }

    /// From here on the folder does not start any more.
    pub fn mark(&self) -> Result<(), MigrateError> {
        let path = moved_path(&self.data_dir);
        let text = b"This store moved to PostgreSQL, where its log goes on.\n";
        let written = Disk::Real.replace(&path, text);
        written.map_err(|source| MigrateError::Mark { path, source })
    }

    /// Nothing arrived: the folder may start again.
    pub fn unmark(&self) -> Result<(), MigrateError> {
        let path = moved_path(&self.data_dir);
        let removed = Disk::Real.remove_if_there(&path);
        let removed = removed.and_then(|()| Disk::Real.sync_parent(&path));
        removed.map_err(|source| MigrateError::Mark { path, source })
    }

    pub async fn close(&self) {
        if let Err(error) = self.journal.close().await {
            tracing::warn!(%error, "the old store did not close in order");
        }
    }

    /// Sends keys and rows. Blocks.
    pub fn send(&self, to: &Sender<Sent>) -> Result<(), MigrateError> {
        self.send_keys(to)?;
        let written = self.send_log(to)?;
        self.send_records(to, &written)?;
        self.send_rest(to)
    }

    /// Keys of everything that exists, and of no more.
    fn send_keys(&self, to: &Sender<Sent>) -> Result<(), MigrateError> {
        let mut live = SlotSet::default();
        self.each_entry(|_, entry| {
            live.insert(entry.opening.slot().0);
            for change in &entry.changes {
                if let Change::Forget { slot } = change {
                    live.remove(*slot);
                }
            }
            Ok(())
        })?;
        let state = self.journal.shared.state();
        state.table.slots().for_each(|slot| live.insert(slot));
        drop(state);
        let live: Vec<u64> = live.iter().collect();
        for slots in live.chunks(ROWS_SENT) {
            let mut keys = Vec::with_capacity(slots.len());
            for slot in slots {
                let key = self.journal.shared.slots.raw_key(*slot);
                let key = key.map_err(|_| MigrateError::Unreadable("the slot file"))?;
                let lost = MigrateError::Unreadable("an item key is missing");
                keys.push((*slot, key.ok_or(lost)?));
            }
            to.blocking_send(Sent::Keys(keys)).map_err(|_| GONE)?;
        }
        Ok(())
    }

    /// Leaves with their openings, and lists; returns which entry wrote which slot.
    fn send_log(&self, to: &Sender<Sent>) -> Result<HashMap<u64, u64>, MigrateError> {
        let mut leaves = Table::new(to, "leaves", &["idx", "leaf", "opening"]);
        let mut written = HashMap::new();
        let mut lists: BTreeMap<(Key, Id), Vec<(u64, u64)>> = BTreeMap::new();
        self.each_entry(|index, entry| {
            let opening = borsh::to_vec(&entry.opening).map_err(|_| DAMAGED)?;
            leaves.add(vec![big(index), bytes(entry.leaf.bytes()), Some(opening)])?;
            for change in &entry.changes {
                match change {
                    Change::Fact { sealed, .. } | Change::Part { sealed, .. } => {
                        written.insert(sealed.slot().0, index);
                    }
                    Change::List { list, at, item } => {
                        let entries = lists.entry((*list, *item)).or_default();
                        if !entries.contains(&(*at, index)) {
                            entries.push((*at, index));
                        }
                    }
                    Change::Unlist { list, item } => drop(lists.remove(&(*list, *item))),
                    Change::Remove { .. }
                    | Change::Count { .. }
                    | Change::Hold { .. }
                    | Change::Release { .. }
                    | Change::Follow { .. }
                    | Change::Forget { .. } => {}
                }
            }
            Ok(())
        })?;
        leaves.flush()?;
        let mut table = Table::new(to, "lists", &["list", "at", "idx", "item"]);
        for ((list, item), entries) in lists {
            for (at, index) in entries {
                table.add(vec![
                    bytes(&list),
                    shifted(at),
                    big(index),
                    bytes(item.bytes()),
                ])?;
            }
        }
        table.flush()?;
        Ok(written)
    }

    fn send_records(
        &self,
        to: &Sender<Sent>,
        written: &HashMap<u64, u64>,
    ) -> Result<(), MigrateError> {
        let state = self.journal.shared.state();
        let mut aggregates = Table::new(to, "aggregates", &["key", "version"]);
        for (key, record) in state.table.records() {
            aggregates.add(vec![bytes(key), big(record.version)])?;
        }
        aggregates.flush()?;
        let columns = &["aggregate", "item", "class", "slot", "sealed", "idx"];
        let mut items = Table::new(to, "items", columns);
        for (key, record) in state.table.records() {
            for item in &record.items {
                items.add(self.item(key, item, written)?)?;
            }
        }
        items.flush()?;
        let mut holds = Table::new(to, "holds", &["aggregate", "item"]);
        let mut kept = Table::new(to, "kept", columns);
        for ((key, item), slots) in state.table.holds() {
            holds.add(vec![bytes(key), bytes(item.bytes())])?;
            for item in slots.values() {
                kept.add(self.item(key, item, written)?)?;
            }
        }
        holds.flush()?;
        kept.flush()
    }

    fn item(
        &self,
        key: &Key,
        item: &Item,
        written: &HashMap<u64, u64>,
    ) -> Result<Vec<Value>, MigrateError> {
        let place = item.place;
        let segments = &self.journal.shared.segments;
        let content = segments.read(place.segment, place.offset, place.length);
        let sealed = content.map_err(|_| DAMAGED)?;
        let found: Sealed = borsh::from_slice(&sealed).map_err(|_| DAMAGED)?;
        if found.slot().0 != item.slot {
            return Err(DAMAGED);
        }
        let index = written.get(&item.slot).ok_or(DAMAGED)?;
        Ok(vec![
            bytes(key),
            bytes(item.item.bytes()),
            bytes(&i16::from(item.class).to_be_bytes()),
            big(item.slot),
            Some(sealed),
            big(*index),
        ])
    }

    fn send_rest(&self, to: &Sender<Sent>) -> Result<(), MigrateError> {
        let state = self.journal.shared.state();
        let mut counters = Table::new(to, "counters", &["key", "count", "at"]);
        for (key, sum, touched) in state.table.counters() {
            counters.add(vec![bytes(key), big(u64::from(sum)), signed(touched)])?;
        }
        counters.flush()?;
        let columns = &["key", "request", "until", "idx", "reply"];
        let mut replays = Table::new(to, "replays", columns);
        let keys = self.journal.shared.names_keys();
        for (key, replayed) in state.table.replays() {
            let place = replayed.place;
            let segments = &self.journal.shared.segments;
            let kept = segments.read(place.segment, place.offset, place.length);
            let kept = kept.map_err(|_| DAMAGED)?;
            let kept = replay_in(&kept, &keys).map_err(|_| DAMAGED)?;
            replays.add(vec![
                bytes(key),
                bytes(&replayed.request),
                signed(replayed.until),
                big(replayed.index),
                Some(kept.reply),
            ])?;
        }
        replays.flush()?;
        self.send_heads(to)
    }

    /// Witnessed heads and proofs of a fork go along.
    fn send_heads(&self, to: &Sender<Sent>) -> Result<(), MigrateError> {
        const UNREAD: MigrateError = MigrateError::Unreadable("its witnessed heads");
        let origin = self.journal.shared.log.verifier().origin().as_bytes();
        let mut table = Table::new(to, "witnessed", &["origin", "size", "note", "quorum"]);
        let mut rows = Vec::new();
        let read = self.journal.heads().each(|size, note, quorum| {
            rows.push(vec![
                bytes(origin),
                big(size),
                bytes(note.as_bytes()),
                bytes(&[u8::from(quorum)]),
            ]);
        });
        read.map_err(|_| UNREAD)?;
        rows.into_iter().try_for_each(|row| table.add(row))?;
        table.flush()?;
        let mut table = Table::new(to, "evidence", &["id", "shown", "own"]);
        let disk = self.journal.shared.segments.disk();
        for found in Evidence::read(disk, &self.data_dir).map_err(|_| UNREAD)? {
            let (shown, own) = (found.shown.as_bytes(), found.own.as_bytes());
            table.add(vec![bytes(&found.id()), bytes(shown), bytes(own)])?;
        }
        table.flush()
    }

    fn each_entry(
        &self,
        mut tell: impl FnMut(u64, &Entry) -> Result<(), MigrateError>,
    ) -> Result<(), MigrateError> {
        let frames = self.journal.shared.state().frames.clone();
        let keys = self.journal.shared.names_keys();
        for at in frames {
            let segments = &self.journal.shared.segments;
            let bytes = segments.read(at.segment, at.offset, at.length);
            let bytes = bytes.map_err(|_| DAMAGED)?;
            let frame = Frame::read(&bytes).ok_or(DAMAGED)?;
            for (index, raw) in (frame.first..).zip(frame.entries()) {
                let decoded = raw.decode(&keys).map_err(|_| DAMAGED)?;
                tell(index, &decoded.entry)?;
            }
        }
        Ok(())
    }
}
