//! What a batch of decisions does to the database, worked out in memory: which of them may be
//! committed, and the rows that follow. Pure, so that it can be done again after a lost race.
//!
//! Decisions are judged in order, each against what the ones before it leave behind.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::domain::decision::{Aggregate, Draft, Write};
use crate::domain::leaf::Leaf;
use crate::domain::merkle::{Hash, leaf_hash};
use crate::domain::trail::TrailKey;
use crate::store::names::{Name, Names, NoRandomness};

/// The class of a fact in a row, as in `seal_context`.
pub(super) const FACT: i16 = 255;

/// A draft with its names hashed and its items encoded, as often as the batch is tried.
pub(super) struct Keyed {
    /// As it is before it is put on a trail.
    leaf: Leaf,
    pub(super) opening: Vec<u8>,
    pub(super) read: Vec<(Name, i64)>,
    writes: Vec<KeyedWrite>,
    pub(super) replay: Option<KeyedReplay>,
    /// Tried even when the server has no room.
    pub(super) urgent: bool,
}

enum KeyedWrite {
    Item {
        of: Name,
        item: [u8; 16],
        class: i16,
        slot: i64,
        sealed: Vec<u8>,
    },
    Remove {
        of: Name,
        item: [u8; 16],
    },
    List {
        list: Name,
        at: i64,
        item: [u8; 16],
    },
    Unlist {
        list: Name,
        item: [u8; 16],
    },
    Count {
        counter: Name,
        by: u32,
        max: u32,
    },
    Hold {
        of: Name,
        item: [u8; 16],
    },
    Release {
        of: Name,
        item: [u8; 16],
    },
    Follow {
        of: Name,
        key: TrailKey,
    },
    /// The slot of an earlier entry's opening.
    Forget {
        slot: i64,
    },
}

impl KeyedWrite {
    /// The item that it writes or removes, or whose hold it changes.
    fn item(&self) -> Option<(Name, [u8; 16])> {
        match self {
            Self::Item { of, item, .. }
            | Self::Remove { of, item }
            | Self::Hold { of, item }
            | Self::Release { of, item } => Some((*of, *item)),
            Self::List { .. }
            | Self::Unlist { .. }
            | Self::Count { .. }
            | Self::Follow { .. }
            | Self::Forget { .. } => None,
        }
    }

    /// The aggregate that it moves.
    fn of(&self) -> Option<Name> {
        match self {
            Self::Follow { of, .. } => Some(*of),
            other => other.item().map(|(of, _)| of),
        }
    }

    const fn holds(&self) -> bool {
        matches!(self, Self::Hold { .. } | Self::Release { .. })
    }
}

pub(super) struct KeyedReplay {
    pub(super) key: Name,
    request: [u8; 32],
    until: i64,
    reply: Vec<u8>,
    sealed: Vec<u8>,
}

impl Keyed {
    /// `forgotten` are the slots of the openings that it forgets.
    pub(super) fn new(
        draft: Draft,
        forgotten: Vec<i64>,
        names: &Names,
    ) -> Result<Self, NoRandomness> {
        let Draft {
            read,
            leaf,
            opening,
            writes,
            replay,
            urgent,
        } = draft;
        let replay = replay.map(|replay| {
            let key = names.stored(replay.key);
            let sealed = names.seal_reply(&key, &replay.reply)?;
            Ok(KeyedReplay {
                key,
                request: replay.request,
                until: replay.until.millis(),
                reply: replay.reply,
                sealed,
            })
        });
        let read = read.iter();
        Ok(Self {
            leaf,
            opening: encode(&opening),
            read: read
                .map(|(of, version)| (names.aggregate(of), version.0.cast_signed()))
                .collect(),
            writes: writes
                .iter()
                .filter_map(|write| keyed(write, names))
                .chain(
                    forgotten
                        .into_iter()
                        .map(|slot| KeyedWrite::Forget { slot }),
                )
                .collect(),
            replay: replay.transpose()?,
            urgent,
        })
    }

    /// The aggregates that it looks at or writes, some of them more than once.
    pub(super) fn aggregates(&self) -> impl Iterator<Item = Name> {
        let read = self.read.iter().map(|(of, _)| *of);
        read.chain(self.writes.iter().filter_map(KeyedWrite::of))
    }

    pub(super) fn counters(&self) -> impl Iterator<Item = Name> {
        self.writes.iter().filter_map(|write| match write {
            KeyedWrite::Count { counter, .. } => Some(*counter),
            KeyedWrite::Item { .. }
            | KeyedWrite::Remove { .. }
            | KeyedWrite::List { .. }
            | KeyedWrite::Unlist { .. }
            | KeyedWrite::Hold { .. }
            | KeyedWrite::Release { .. }
            | KeyedWrite::Follow { .. }
            | KeyedWrite::Forget { .. } => None,
        })
    }
}

/// `None` for what names an entry by its index: its slot is looked up before.
fn keyed(write: &Write, names: &Names) -> Option<KeyedWrite> {
    Some(match write {
        Write::Fact { of, item, sealed } => KeyedWrite::Item {
            of: names.aggregate(of),
            item: *item.bytes(),
            class: FACT,
            slot: sealed.sealed().slot().0.cast_signed(),
            sealed: encode(sealed),
        },
        Write::Part {
            of,
            item,
            class,
            sealed,
        } => KeyedWrite::Item {
            of: names.aggregate(of),
            item: *item.bytes(),
            class: *class as i16,
            slot: sealed.sealed().slot().0.cast_signed(),
            sealed: encode(sealed),
        },
        Write::Remove { of, item } => KeyedWrite::Remove {
            of: names.aggregate(of),
            item: *item.bytes(),
        },
        Write::Hold { of, item } => KeyedWrite::Hold {
            of: names.aggregate(of),
            item: *item.bytes(),
        },
        Write::Release { of, item } => KeyedWrite::Release {
            of: names.aggregate(of),
            item: *item.bytes(),
        },
        Write::List { list, at, item } => KeyedWrite::List {
            list: names.list(list),
            at: shifted(*at),
            item: *item.bytes(),
        },
        Write::Unlist { list, item } => KeyedWrite::Unlist {
            list: names.list(list),
            item: *item.bytes(),
        },
        Write::Follow { organisation, key } => KeyedWrite::Follow {
            of: names.aggregate(&Aggregate::Trail(organisation.clone())),
            key: key.clone(),
        },
        Write::Count { counter, by, max } => KeyedWrite::Count {
            counter: names.counter(counter),
            by: *by,
            max: *max,
        },
        Write::Forget { .. } => return None,
    })
}

fn encode(value: &impl borsh::BorshSerialize) -> Vec<u8> {
    // Writing to a Vec cannot fail; an empty value would only be unreadable.
    borsh::to_vec(value).unwrap_or_default()
}

/// `bigint` is signed: moved by 2^63, so that the order of all 64 bits is kept.
pub(super) fn shifted(at: u64) -> i64 {
    (at ^ (1 << 63)).cast_signed()
}

pub(super) fn unshifted(at: i64) -> u64 {
    at.cast_unsigned() ^ (1 << 63)
}

/// What the database said about the things a batch names, kept up to date as it is judged.
#[derive(Default)]
pub(super) struct Known {
    /// The time of the newest leaf, in milliseconds; times in the log never go back.
    pub(super) newest: i64,
    pub(super) versions: HashMap<Name, i64>,
    /// The aggregates that were written before the batch.
    pub(super) existing: HashSet<Name>,
    pub(super) counters: HashMap<Name, i64>,
    pub(super) replays: HashMap<Name, KnownReplay>,
    /// The items that the batch has touched so far, and whether it changed their hold.
    touched: HashMap<(Name, [u8; 16]), bool>,
}

#[derive(Clone)]
pub(super) struct KnownReplay {
    pub(super) request: Vec<u8>,
    pub(super) until: i64,
    pub(super) index: i64,
    /// `None` if it does not open.
    pub(super) reply: Option<Vec<u8>>,
}

/// How one decision of the batch ends, if the batch is committed.
#[derive(Clone)]
pub(super) enum Ruling {
    /// Its place in the log.
    Accepted(i64),
    Moved,
    Replayed(KnownReplay, bool),
    Limited,
}

/// The aggregate, the item and the class of a stored row.
pub(super) type RowName = (Name, [u8; 16], i16);

/// Everything a batch writes.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) rulings: Vec<Ruling>,
    /// Of those that are accepted, in order, as they will be in the log.
    pub(super) leaves: Vec<(Leaf, Hash)>,
    pub(super) aggregates: BTreeMap<Name, i64>,
    /// Rows to take away before any are written; class -1 stands for all of them.
    pub(super) gone: BTreeSet<RowName>,
    pub(super) items: BTreeMap<RowName, Item>,
    /// Items that were written and replaced within the batch.
    pub(super) spare: Vec<(RowName, Item)>,
    pub(super) held: BTreeSet<(Name, [u8; 16])>,
    pub(super) released: BTreeSet<(Name, [u8; 16])>,
    /// Slots of the openings whose time is over.
    pub(super) forgotten: BTreeSet<i64>,
    pub(super) unlisted: BTreeSet<(Name, [u8; 16])>,
    pub(super) listed: BTreeSet<(Name, i64, i64, [u8; 16])>,
    /// The count, and the time of the leaf that counted last.
    pub(super) counters: BTreeMap<Name, (i64, i64)>,
    pub(super) replays: BTreeMap<Name, PlannedReplay>,
}

pub(super) struct Item {
    pub(super) slot: i64,
    pub(super) sealed: Vec<u8>,
    pub(super) index: i64,
}

pub(super) struct PlannedReplay {
    pub(super) request: [u8; 32],
    pub(super) until: i64,
    pub(super) index: i64,
    pub(super) sealed: Vec<u8>,
}

/// Judges a batch whose first leaf would be `first`.
pub(super) fn judge(batch: &[Keyed], first: i64, mut known: Known) -> Plan {
    let mut plan = Plan::default();
    let mut index = first;
    for decision in batch {
        let ruling = rule(decision, index, &mut known);
        if let Ruling::Accepted(_) = ruling {
            plan.apply(decision, index, &mut known);
            index += 1;
        }
        plan.rulings.push(ruling);
    }
    plan
}

/// A repeated request is answered again even if what it rested on has moved since, most of all
/// by itself.
fn rule(decision: &Keyed, index: i64, known: &mut Known) -> Ruling {
    let now = decision.leaf.when().millis();
    if let Some(replay) = &decision.replay
        && let Some(earlier) = known.replays.get(&replay.key)
        && earlier.until > now
    {
        let same = earlier.request == replay.request;
        return Ruling::Replayed(earlier.clone(), same);
    }
    let current = |of| known.versions.get(of).copied().unwrap_or(0);
    // Attempts finish out of order: one that began before the last leaf is decided again.
    let late = now < known.newest;
    if late || decision.read.iter().any(|(of, seen)| current(of) != *seen) {
        return Ruling::Moved;
    }
    // Within a batch an item is held or it is not: whoever changes that, or comes after, goes into
    // the next batch.
    let clashes = |write: &KeyedWrite| {
        let touched = write.item().and_then(|item| known.touched.get(&item));
        touched.is_some_and(|changed| *changed || write.holds())
    };
    if decision.writes.iter().any(clashes) {
        return Ruling::Moved;
    }
    let mut counted: HashMap<Name, i64> = HashMap::new();
    for write in &decision.writes {
        if let KeyedWrite::Count { counter, by, max } = write {
            let before = known.counters.get(counter).copied().unwrap_or(0);
            let count = counted.entry(*counter).or_insert(before);
            *count = count.saturating_add(i64::from(*by));
            if *count > i64::from(*max) {
                return Ruling::Limited;
            }
        }
    }
    known.counters.extend(counted);
    known.newest = now;
    Ruling::Accepted(index)
}

impl Plan {
    pub(super) fn accepted<'a>(&self, batch: &'a [Keyed]) -> Vec<&'a Keyed> {
        let judged = batch.iter().zip(&self.rulings);
        let accepted = judged.filter(|(_, ruling)| matches!(ruling, Ruling::Accepted(_)));
        accepted.map(|(keyed, _)| keyed).collect()
    }

    /// Whether keys may have to go.
    pub(super) fn erases(&self) -> bool {
        let replaced = !self.gone.is_empty() || !self.spare.is_empty();
        replaced || !self.released.is_empty() || !self.forgotten.is_empty()
    }

    fn apply(&mut self, decision: &Keyed, index: i64, known: &mut Known) {
        let at = decision.leaf.when().millis();
        let mut leaf = decision.leaf;
        for write in &decision.writes {
            if let Some(item) = write.item() {
                *known.touched.entry(item).or_default() |= write.holds();
            }
            match write {
                KeyedWrite::Item {
                    of,
                    item,
                    class,
                    slot,
                    sealed,
                } => {
                    let row = Item {
                        slot: *slot,
                        sealed: sealed.clone(),
                        index,
                    };
                    let key = (*of, *item, *class);
                    // What was never written before the batch has no rows to take away.
                    if known.existing.contains(of) {
                        self.gone.insert(key);
                    }
                    let replaced = self.items.insert(key, row);
                    self.spare.extend(replaced.map(|row| (key, row)));
                    self.aggregates.insert(*of, index + 1);
                    known.versions.insert(*of, index + 1);
                }
                KeyedWrite::Remove { of, item } => {
                    if known.existing.contains(of) {
                        self.gone.insert((*of, *item, -1));
                    }
                    let of_item = (*of, *item, i16::MIN)..=(*of, *item, i16::MAX);
                    let written = self.items.extract_if(of_item, |_, _| true);
                    self.spare.extend(written);
                    self.aggregates.insert(*of, index + 1);
                    known.versions.insert(*of, index + 1);
                }
                KeyedWrite::Hold { of, item } => {
                    self.held.insert((*of, *item));
                    self.aggregates.insert(*of, index + 1);
                    known.versions.insert(*of, index + 1);
                }
                KeyedWrite::Release { of, item } => {
                    self.released.insert((*of, *item));
                    self.aggregates.insert(*of, index + 1);
                    known.versions.insert(*of, index + 1);
                }
                KeyedWrite::Follow { of, key } => {
                    let version = known.versions.get(of).copied().unwrap_or(0);
                    leaf = leaf.following(key, version.cast_unsigned().checked_sub(1));
                    self.aggregates.insert(*of, index + 1);
                    known.versions.insert(*of, index + 1);
                }
                KeyedWrite::Forget { slot } => {
                    self.forgotten.insert(*slot);
                }
                KeyedWrite::List { list, at, item } => {
                    self.listed.insert((*list, *at, index, *item));
                }
                KeyedWrite::Unlist { list, item } => {
                    self.listed
                        .retain(|(of, _, _, entry)| (of, entry) != (list, item));
                    self.unlisted.insert((*list, *item));
                }
                KeyedWrite::Count { counter, .. } => {
                    let count = known.counters.get(counter).copied().unwrap_or(0);
                    self.counters.insert(*counter, (count, at));
                }
            }
        }
        self.leaves.push((leaf, leaf_hash(leaf.bytes())));
        if let Some(replay) = &decision.replay {
            let planned = PlannedReplay {
                request: replay.request,
                until: replay.until,
                index,
                sealed: replay.sealed.clone(),
            };
            self.replays.insert(replay.key, planned);
            let earlier = KnownReplay {
                request: replay.request.to_vec(),
                until: replay.until,
                index,
                reply: Some(replay.reply.clone()),
            };
            known.replays.insert(replay.key, earlier);
        }
    }
}
