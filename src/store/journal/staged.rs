//! Whether decisions may be committed: against the table, and against what is not in it yet.
//!
//! Decisions are checked in the order in which they came: an earlier one of the same frame can move
//! a later one. What a frame changed is looked up here until the table has it.

use super::Shared;
use super::frame::{KeptReplay, Key};
use super::prepare::Prepared;
use super::table::{Keyed, Place, Table};
use crate::domain::time::When;
use crate::store::Fault;

/// What becomes of one decision. Told only when everything that it rests on is durable and can be
/// read.
pub enum Verdict {
    Accepted,
    Moved,
    Limited,
    Replayed {
        index: u64,
        same_request: bool,
        reply: KeptReply,
    },
    Refused(Fault),
}

/// The reply of an idempotency record: where it lies, or itself, both sealed.
pub enum KeptReply {
    At(Place),
    Sealed(Vec<u8>),
}

/// What the decisions of one frame change, on top of what was before.
#[derive(Default)]
pub struct Staged {
    versions: Keyed<u64>,
    counters: Keyed<u32>,
    /// With the index of the entry.
    replays: Keyed<(u64, KeptReplay)>,
}

/// All that a decision is checked against, the newest first.
pub struct Known<'a> {
    /// The frame in the making.
    pub staged: Staged,
    /// The frame before it: durable, but perhaps not in the table yet.
    pub flying: &'a Staged,
    pub table: &'a Table,
    /// The time of the last leaf.
    pub newest: When,
}

impl Known<'_> {
    fn version(&self, of: &Key) -> u64 {
        let staged = self.staged.versions.get(of);
        let found = staged.or_else(|| self.flying.versions.get(of)).copied();
        found.unwrap_or_else(|| self.table.version(of))
    }

    fn counted(&self, counter: &Key) -> u32 {
        let staged = self.staged.counters.get(counter);
        let found = staged.or_else(|| self.flying.counters.get(counter));
        let found = found.copied();
        found.unwrap_or_else(|| self.table.counted(counter))
    }

    fn replayed(&self, decision: &Prepared) -> Option<Verdict> {
        let replay = decision.replay.as_ref()?;
        let when = decision.changes.when;
        let staged = self.staged.replays.get(&replay.key);
        let staged = staged.or_else(|| self.flying.replays.get(&replay.key));
        let (index, request, reply) = match staged {
            Some((_, kept)) if kept.until <= when.millis() => return None,
            Some((index, kept)) => {
                let reply = KeptReply::Sealed(kept.reply.clone());
                (*index, kept.request, reply)
            }
            None => {
                let kept = self.table.replay(&replay.key, when)?;
                (kept.index, kept.request, KeptReply::At(kept.place))
            }
        };
        Some(Verdict::Replayed {
            index,
            same_request: request == replay.request,
            reply,
        })
    }

    /// Checks the decision that would be entry `index`, and if it is accepted, puts it on its
    /// organisation's trail and remembers what it changes.
    pub fn check(&mut self, decision: &mut Prepared, shared: &Shared, index: u64) -> Verdict {
        // First of all: a repeated request finds its own first commit in the facts.
        if let Some(replayed) = self.replayed(decision) {
            return replayed;
        }
        let mut reads = decision.reads.iter();
        // Attempts finish out of order: one that began before the last leaf is decided again.
        let when = decision.changes.when;
        if when < self.newest || reads.any(|(of, seen)| self.version(of) != *seen) {
            return Verdict::Moved;
        }
        let mut sums: Vec<(Key, u32)> = Vec::with_capacity(decision.counts.len());
        for (counter, by, max) in &decision.counts {
            let earlier = sums.iter().rfind(|(of, _)| of == counter);
            let before = earlier.map_or_else(|| self.counted(counter), |(_, sum)| *sum);
            let sum = before.saturating_add(*by);
            if sum > *max {
                return Verdict::Limited;
            }
            sums.push((*counter, sum));
        }
        if !shared.slots.claim(&decision.slots) {
            let why = "an item key was used twice or kept too long";
            return Verdict::Refused(Fault::CannotRecord(why));
        }
        decision.follow(|of| self.version(of));
        self.newest = when;
        self.staged.counters.extend(sums);
        let moved = decision.changes.ops.iter().filter_map(|op| op.moves());
        self.staged
            .versions
            .extend(moved.map(|of| (*of, index + 1)));
        if let Some(replay) = &decision.replay {
            let kept = (index, replay.clone());
            self.staged.replays.insert(replay.key, kept);
        }
        Verdict::Accepted
    }
}
