//! What the caller of a commit does itself: naming, encoding, hashing; then it queues and waits.
//!
//! All that can be done without knowing what else is being committed is done here, on the caller's
//! thread, so that the writer only checks and copies. Nothing here may look at the table.

use std::sync::PoisonError;

use tokio::sync::oneshot;

use super::frame::{
    Change, ENTRY_BYTES_MAX, Entry, FRAME_BYTES_MAX, FRAME_OVERHEAD_BYTES_MAX, KeptReplay, Key,
    replay_in,
};
use super::sidecar::EntryChanges;
use super::staged::{KeptReply, Verdict};
use super::table::{Place, ops};
use super::writer::{Answer, Job};
use super::{Journal, REPLY_BYTES_MAX, Shared};
use crate::domain::decision::{Aggregate, Draft, Write};
use crate::domain::leaf::{LEAF_BYTES, Leaf};
use crate::domain::merkle::{Hash, leaf_hash};
use crate::domain::trail::TrailKey;
use crate::store::index::ListChange;
use crate::store::{Committed, Fault};

/// A decision, ready to be checked and written.
pub struct Prepared {
    /// Its entry, with the length before it.
    pub bytes: Vec<u8>,
    pub leaf: Leaf,
    /// The hash of its leaf in the tree.
    pub hash: Hash,
    /// Whose trail it is on.
    pub trail: Option<(Key, TrailKey)>,
    /// The slot of the key that its names lie under.
    pub names_slot: u64,
    /// What it changes in the table; places are counted from the beginning of `bytes`.
    pub changes: EntryChanges,
    pub lists: Vec<ListChange>,
    pub replay: Option<KeptReplay>,
    pub reads: Vec<(Key, u64)>,
    /// Counter, by, max.
    pub counts: Vec<(Key, u32, u32)>,
    /// Of the opening and all items.
    pub slots: Vec<u64>,
    pub urgent: bool,
}

impl Journal {
    /// `first` are changes that the store itself has to make, before those of the decision.
    pub(super) async fn record(
        &self,
        draft: Draft,
        first: Vec<Change>,
    ) -> Result<Committed, Fault> {
        let replay = draft.replay.as_ref().map(|replay| replay.key);
        let decision = self.shared.prepare(draft, first)?;
        let queue = {
            let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.clone()
        };
        let closed = || Fault::CannotRecord(self.shared.stopped().unwrap_or("the store is closed"));
        let (answer, answered) = oneshot::channel();
        let queue = queue.ok_or_else(closed)?;
        let decision = Box::new(decision);
        let sent = queue.send(Job { decision, answer }).await;
        drop(queue);
        sent.map_err(|_| closed())?;
        let answer = answered.await.unwrap_or_else(|_| Err(closed()))?;
        Ok(match answer {
            Answer::Durable(decision, inclusion) => Committed::Durable(decision.leaf, inclusion),
            Answer::Other(Verdict::Moved) => Committed::Moved,
            Answer::Other(Verdict::Limited) => Committed::Limited,
            Answer::Other(Verdict::Replayed {
                index,
                same_request,
                reply,
            }) => Committed::Replayed {
                index,
                same_request,
                reply: self.kept_reply(&replay.unwrap_or_default(), reply)?,
            },
            Answer::Other(Verdict::Refused(fault)) => return Err(fault),
            Answer::Other(Verdict::Accepted) => return Err(closed()),
        })
    }

    /// The reply of an idempotency record, opened.
    fn kept_reply(&self, key: &Key, reply: KeptReply) -> Result<Vec<u8>, Fault> {
        const BAD: Fault = Fault::Unreadable("a kept reply does not open");
        let sealed = match reply {
            KeptReply::Sealed(reply) => reply,
            KeptReply::At(Place {
                segment,
                offset,
                length,
            }) => {
                let bytes = self.shared.segments.read(segment, offset, length);
                let bytes = bytes.map_err(|_| BAD)?;
                let kept = replay_in(&bytes, &self.shared.names_keys()).map_err(|_| BAD)?;
                if kept.key != *key {
                    return Err(BAD);
                }
                kept.reply
            }
        };
        self.shared.names.open_reply(key, &sealed).ok_or(BAD)
    }
}

impl Shared {
    /// `first` are changes that the store itself has to make, before those of the decision.
    pub(super) fn prepare(&self, draft: Draft, first: Vec<Change>) -> Result<Prepared, Fault> {
        let slots = draft.slots().into_iter().map(|slot| slot.0).collect();
        let names = &self.names;
        let reads = draft
            .read
            .iter()
            .map(|(of, seen)| (names.aggregate(of), seen.0))
            .collect();
        let (mut counts, mut trail) = (Vec::new(), None);
        let mut changes = first;
        changes.reserve(draft.writes.len());
        for write in draft.writes {
            changes.push(match write {
                Write::Fact { of, item, sealed } => {
                    let (of, sealed) = (names.aggregate(&of), sealed.into_sealed());
                    Change::Fact { of, item, sealed }
                }
                Write::Part {
                    of,
                    item,
                    class,
                    sealed,
                } => {
                    let (of, sealed) = (names.aggregate(&of), sealed.into_sealed());
                    Change::Part {
                        of,
                        item,
                        class,
                        sealed,
                    }
                }
                Write::Remove { of, item } => Change::Remove {
                    of: names.aggregate(&of),
                    item,
                },
                Write::Hold { of, item } => Change::Hold {
                    of: names.aggregate(&of),
                    item,
                },
                Write::Release { of, item } => Change::Release {
                    of: names.aggregate(&of),
                    item,
                },
                Write::List { list, at, item } => Change::List {
                    list: names.list(&list),
                    at,
                    item,
                },
                Write::Unlist { list, item } => Change::Unlist {
                    list: names.list(&list),
                    item,
                },
                Write::Count { counter, by, max } => {
                    let counter = names.counter(&counter);
                    counts.push((counter, by, max));
                    Change::Count { counter, by }
                }
                Write::Follow { organisation, key } => {
                    let of = names.aggregate(&Aggregate::Trail(organisation));
                    trail = Some((of, key));
                    Change::Follow { of }
                }
                Write::Forget { index } => Change::Forget {
                    slot: self.opening_slot(index)?,
                },
            });
        }
        let replay = match draft.replay {
            None => None,
            Some(replay) if replay.reply.len() > REPLY_BYTES_MAX => return Err(Fault::TooLarge),
            Some(replay) => {
                let reply = names.seal_reply(&replay.key, &replay.reply);
                Some(KeptReplay {
                    key: replay.key,
                    request: replay.request,
                    until: replay.until.millis(),
                    reply: reply
                        .map_err(|_| Fault::CannotRecord("the system gives no randomness"))?,
                })
            }
        };
        let opening = draft.opening.into_sealed();
        let entry = Entry {
            leaf: draft.leaf,
            opening,
            changes,
            replay,
        };
        let names_key = self.names_key();
        let (bytes, spans) = entry.encode(&names_key)?;
        let room = self.frame_bytes_max() - FRAME_OVERHEAD_BYTES_MAX;
        if bytes.len() > ENTRY_BYTES_MAX.min(room) {
            return Err(Fault::TooLarge);
        }
        Ok(Prepared {
            leaf: entry.leaf,
            hash: leaf_hash(entry.leaf.bytes()),
            trail,
            names_slot: names_key.slot(),
            changes: EntryChanges {
                when: entry.leaf.when(),
                opening: entry.opening.slot().0,
                ops: ops(&entry, &spans),
            },
            lists: list_changes(&entry).collect(),
            bytes,
            replay: entry.replay,
            reads,
            counts,
            slots,
            urgent: draft.urgent,
        })
    }
}

impl Prepared {
    /// Puts the leaf on its trail, after the entry that `version` names.
    pub fn follow(&mut self, version: impl Fn(&Key) -> u64) {
        let Some((of, key)) = &self.trail else {
            return;
        };
        self.leaf = self.leaf.following(key, version(of).checked_sub(1));
        self.hash = leaf_hash(self.leaf.bytes());
        // The leaf lies behind the entry's length.
        let place = self.bytes.iter_mut().skip(4).take(LEAF_BYTES);
        place
            .zip(self.leaf.bytes())
            .for_each(|(byte, new)| *byte = *new);
    }
}

/// What an entry changes in lists.
pub fn list_changes(entry: &Entry) -> impl Iterator<Item = ListChange> + '_ {
    entry.changes.iter().filter_map(|change| match *change {
        Change::List { list, at, item } => Some(ListChange::Add { list, at, item }),
        Change::Unlist { list, item } => Some(ListChange::RemoveAll { list, item }),
        Change::Fact { .. }
        | Change::Part { .. }
        | Change::Remove { .. }
        | Change::Count { .. }
        | Change::Hold { .. }
        | Change::Release { .. }
        | Change::Follow { .. }
        | Change::Forget { .. } => None,
    })
}

/// The largest frame that fits in a segment of this size.
pub fn frame_bytes_max(segment_bytes: u64) -> usize {
    usize::try_from(segment_bytes).map_or(FRAME_BYTES_MAX, |bytes| bytes.min(FRAME_BYTES_MAX))
}
