//! What this node knows of the log's end, and whether the database agrees with it.
//!
//! A node never takes a head that is smaller than, or does not follow from, what it has seen: a
//! database that was restored from an old copy, or an old primary that came back, would fork the
//! log. It forgets nothing of that until it ends, whatever the database says.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use deadpool_postgres::ClientWrapper;

use super::Shared;
use super::batcher::Trouble;
use super::connect::BEHIND;
use super::rows;
use super::tree::{self, Edge};
use crate::domain::checkpoint::LogKey;
use crate::domain::leaf::Leaf;
use crate::domain::merkle::leaf_hash;
use crate::domain::time::When;

pub(super) const TREE: &str = "the hash tree in the database is damaged";
/// A node that has committed nothing for so long is no rival.
const RIVALS_KEPT: Duration = Duration::from_secs(10);
/// New leaves that are read one by one; of more only the tree's edges are.
pub(super) const CATCH_UP_MAX: u64 = 1024;

pub(super) const FORKED: &str = "the log in the database does not follow from what this node has \
    seen of it: two servers were written, or it was changed by hand";

/// The log as far as it is known here: checked, and never taken back.
pub(super) struct Tip {
    pub(super) edge: Edge,
    pub(super) checkpoint: String,
    /// The time of the newest leaf; times in the log never go back.
    pub(super) newest: When,
}

/// The head as a statement found it.
pub(super) struct Found<'a> {
    pub(super) size: u64,
    pub(super) checkpoint: &'a str,
}

impl Tip {
    pub(super) fn size(&self) -> u64 {
        self.edge.size()
    }

    /// What the log is at `found`, if it follows from this. `since` are the leaves from
    /// [`Self::size`] on, as many as were read, and perhaps some that came after `found`. `None` if
    /// they are too few to tell.
    ///
    /// # Errors
    /// [`Trouble::Astray`]: the database may not be written, and not be believed.
    fn followed(
        self: &Arc<Self>,
        found: &Found<'_>,
        since: &[Leaf],
        log: &LogKey,
    ) -> Result<Option<Arc<Self>>, Trouble> {
        let Some(new) = found.size.checked_sub(self.size()) else {
            return Err(Trouble::Astray(BEHIND));
        };
        if new == 0 {
            return match found.checkpoint == self.checkpoint {
                true => Ok(Some(self.clone())),
                false => Err(Trouble::Astray(FORKED)),
            };
        }
        let new = usize::try_from(new).ok().and_then(|new| since.get(..new));
        let Some(new) = new else { return Ok(None) };
        let hashes = new.iter().map(|leaf| leaf_hash(leaf.bytes()));
        let (edge, _) = self.edge.grow(hashes).finish();
        let newest = new.last().map_or(self.newest, Leaf::when);
        Self::signed(edge, newest, found, log).map(Some)
    }

    /// An edge whose root is what the head says.
    pub(super) fn signed(
        edge: Edge,
        newest: When,
        found: &Found<'_>,
        log: &LogKey,
    ) -> Result<Arc<Self>, Trouble> {
        let root = edge.grow([]).root().ok_or(Trouble::Refused(TREE))?;
        match edge.size() == found.size && log.sign(found.size, &root) == found.checkpoint {
            true => Ok(Arc::new(Self {
                edge,
                checkpoint: found.checkpoint.to_owned(),
                newest,
            })),
            false => Err(Trouble::Astray(FORKED)),
        }
    }
}

impl Shared {
    pub(super) fn tip(&self) -> Arc<Tip> {
        self.tip
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The log has grown, here or at another node. Late news change nothing.
    pub(super) fn advanced(&self, tip: Arc<Tip>) {
        let (size, newest) = (tip.size(), tip.newest.millis());
        {
            let mut known = self.tip.lock().unwrap_or_else(PoisonError::into_inner);
            if known.size() < size {
                *known = tip;
            }
        }
        self.last_time.fetch_max(newest, Ordering::AcqRel);
        self.pool.raise_floor(size);
        self.size.send_if_modified(|known| {
            let newer = size > *known;
            *known = size.max(*known);
            newer
        });
    }

    /// Whether other nodes commit too, as far as is known here.
    pub(super) fn has_rivals(&self) -> bool {
        let rivals = self.rivals.lock().unwrap_or_else(PoisonError::into_inner);
        rivals.is_some_and(|at| at.elapsed() < RIVALS_KEPT)
    }

    /// The log at `found`, which was read after `known` was known, if it follows from `known`.
    pub(super) async fn follow_up(
        &self,
        connection: &ClientWrapper,
        known: &Arc<Tip>,
        found: &Found<'_>,
        since: &[Leaf],
    ) -> Result<Arc<Tip>, Trouble> {
        if found.size > known.size() {
            let mut rivals = self.rivals.lock().unwrap_or_else(PoisonError::into_inner);
            *rivals = Some(Instant::now());
        }
        if let Some(tip) = known.followed(found, since, &self.log)? {
            return Ok(tip);
        }
        // Too much is new: the beginning must be what is known, and the head must be of the rest.
        if load(connection, known.size()).await? != known.edge {
            return Err(Trouble::Astray(FORKED));
        }
        let edge = load(connection, found.size).await?;
        let newest = newest(connection, found.size).await?;
        Tip::signed(edge, newest, found, &self.log)
    }
}

/// The time of the last of `size` leaves.
pub(super) async fn newest(connection: &ClientWrapper, size: u64) -> Result<When, Trouble> {
    let Some(last) = size.checked_sub(1) else {
        return Ok(When::from_millis(0));
    };
    let leaf = rows::leaf(connection, last.cast_signed()).await?;
    Ok(leaf.ok_or(Trouble::Astray(FORKED))?.when())
}

/// The right edge of the first `size` leaves as the database has them.
pub(super) async fn load(connection: &ClientWrapper, size: u64) -> Result<Edge, Trouble> {
    let asked = tree::missing(size);
    let levels = asked.map(|asked| rows::hashes(connection, asked.level, asked.rows));
    let levels: Result<Vec<_>, _> = rows::in_order(levels).await.into_iter().collect();
    // Rows that are not there were never written by a node.
    Edge::new(size, levels?).ok_or(Trouble::Astray(FORKED))
}
