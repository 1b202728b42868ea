//! What witnesses say of the log: their words are taken in, kept below the head that they are about,
//! and told to every decision.
//!
//! No entry of the log comes of it, and nothing here discloses anything: heads are public, and a
//! cosignature proves itself. A head with our own signature that our log does not follow from stops
//! the store for good (`store/rollback.rs`).

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::checkpoint::Checkpoint;
use crate::domain::cosigned::Cosigned;
use crate::domain::quorum::Quorum;
use crate::domain::rollback::Shown;
use crate::domain::time::When;
use crate::domain::witnessing::{Witnessing, clock_deviation, clock_off};
use crate::store::Fault;

use super::Gateway;

/// What another node took in counts after at most so long.
const LOOK_EVERY_MILLIS: i64 = 60_000;
/// A head that waits for cosignatures makes room for a newer one after so long, so that witnesses
/// that come at different moments find the same one.
const WAITS_MILLIS: i64 = 5 * 60_000;

/// The witnesses that the operator named, and what they said last.
pub struct Witnesses {
    quorum: Option<Quorum>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    looked: Option<When>,
    /// The newest head with a quorum, and when it had it.
    newest: Option<(u64, When)>,
    /// The first entry that no quorum has seen, by its index, and its time.
    unseen: Option<(u64, When)>,
    /// By witness: the time of its newest cosignature, and how far it shows our clock to be off.
    clocks: BTreeMap<String, (When, i64)>,
}

/// What became of a note that was handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandedIn {
    Kept,
    /// It says nothing that we could keep; why, and what to do.
    Refused(&'static str),
    /// It proves that this log has gone back or was forked. The store has stopped.
    Proof,
}

impl Witnesses {
    /// `None`: no policy, so nobody watches the log.
    pub fn new(quorum: Option<Quorum>) -> Self {
        Self {
            quorum,
            seen: Mutex::default(),
        }
    }

    pub fn quorum(&self) -> Option<&Quorum> {
        self.quorum.as_ref()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A witness whose clock jumped back speaks again when it has caught up; an old word that
    /// somebody hands in again does not count.
    fn heard(&self, name: String, cosigned: When, off: i64) {
        let mut seen = self.seen();
        let newer = |(at, _): &(When, i64)| *at < cosigned;
        if seen.clocks.get(&name).is_none_or(newer) {
            seen.clocks.insert(name, (cosigned, off));
        }
    }

    fn met(&self, size: u64, at: When) {
        let mut seen = self.seen();
        if seen.newest.is_none_or(|(newest, _)| newest <= size) {
            seen.newest = Some((size, at));
        }
    }
}

impl Gateway {
    /// What witnesses say of the log at this moment.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn witnessing(&self) -> Result<Witnessing, Fault> {
        let now = self.time();
        let looked = self.witnesses.seen().looked;
        let fresh = |at: When| (0..LOOK_EVERY_MILLIS).contains(&(now.millis() - at.millis()));
        if !looked.is_some_and(fresh) {
            self.look(now).await?;
        }
        let (newest, off) = {
            let seen = self.witnesses.seen();
            let shown: Vec<i64> = seen.clocks.values().map(|(_, off)| *off).collect();
            (seen.newest, clock_off(&shown))
        };
        let since = match newest {
            None => self.entry_time(0).await?,
            Some((size, met)) => self.entry_time(size).await?.map(|first| first.max(met)),
        };
        let witnessed_at = newest.map(|(_, met)| met);
        let unnamed = self.witnesses.quorum.is_none();
        // Whatever the policy of now says of them, heads that had a quorum once are kept.
        let never = newest.is_none() && self.store.witnessed().await?.is_none();
        Ok(Witnessing {
            clock_off: off,
            never,
            ..Witnessing::at(now, since, witnessed_at, unnamed)
        })
    }

    /// Reads again what is kept; a quorum is one by the policy of now.
    async fn look(&self, now: When) -> Result<(), Fault> {
        if let Some(quorum) = &self.witnesses.quorum
            && let Some((size, note)) = self.store.witnessed().await?
            && let Some(met) = quorum.met_at(&note)
        {
            self.witnesses.met(size, met.min(now));
        }
        self.witnesses.seen().looked = Some(now);
        Ok(())
    }

    /// The time of an entry, remembered for the one that is asked for again and again. `None` if
    /// there is no such entry yet.
    async fn entry_time(&self, index: u64) -> Result<Option<When>, Fault> {
        if let Some((known, at)) = self.witnesses.seen().unseen
            && known == index
        {
            return Ok(Some(at));
        }
        if self.store.health().leaves <= index {
            return Ok(None);
        }
        let leaves = self.store.leaves(index, index.saturating_add(1)).await?;
        let at = leaves.first().map(|leaf| leaf.when());
        if let Some(at) = at {
            self.witnesses.seen().unseen = Some((index, at));
        }
        Ok(at)
    }

    /// When the head of `size` entries was signed, to ten seconds: at its last entry.
    async fn signed_at(&self, size: u64) -> Result<When, Fault> {
        let leaves = self.store.leaves(size.saturating_sub(1), size).await?;
        let last = leaves.first().map(|leaf| leaf.when());
        Ok(last.unwrap_or(When::from_millis(0)))
    }

    /// Takes a head of ours with what witnesses wrote below it. Only cosignatures of witnesses that
    /// the policy names are kept.
    ///
    /// # Errors
    /// The log cannot be read, or what was handed in cannot be kept.
    pub async fn hand_in(&self, note: &str) -> Result<HandedIn, Fault> {
        const NOT_NOTE: &str = "this is not a signed note (c2sp.org/signed-note): send the text of \
            GET /log/cosignatures with your cosignature line below it";
        const NOT_OURS: &str = "the note does not carry this log's signature: fetch the head from \
            GET /log/cosignatures and cosign that one; look also whether the log has a new name";
        let Some(handed) = Cosigned::parse(note) else {
            return Ok(HandedIn::Refused(NOT_NOTE));
        };
        match self.store.shown(note).await? {
            Shown::Larger | Shown::Forked => return Ok(HandedIn::Proof),
            Shown::NotOurs => return Ok(HandedIn::Refused(NOT_OURS)),
            Shown::Same | Shown::Older => {}
        }
        let Ok(head) = self.store.log().verifier().verify(note) else {
            return Ok(HandedIn::Refused(NOT_OURS));
        };
        self.keep(&handed, &head).await
    }

    async fn keep(&self, handed: &Cosigned<'_>, head: &Checkpoint) -> Result<HandedIn, Fault> {
        let Some(quorum) = &self.witnesses.quorum else {
            return Ok(HandedIn::Refused(
                "this gateway names no witnesses yet: its operator must set log.policy",
            ));
        };
        let own = self.store.log().sign(head.size, &head.root);
        let kept = handed.added_to(&own, |alone| !quorum.times(alone).is_empty());
        let times = quorum.times(&kept);
        if times.is_empty() || head.size == 0 {
            return Ok(HandedIn::Refused(
                "the note carries no cosignature of a witness that this gateway's policy names, or \
                 a wrong one: give the operator the witness's key, or cosign a newer head",
            ));
        }
        let merged = self.store.keep_witnessed(head.size, &kept).await?;
        let now = self.time();
        if let Some(met) = quorum.met_at(&merged) {
            self.store.quorum_met(head.size).await?;
            self.witnesses.met(head.size, met.min(now));
        }
        let signed = self.signed_at(head.size).await?;
        for (name, at) in times {
            let off = clock_deviation(at, signed, now);
            self.witnesses.heard(name, at, off);
        }
        Ok(HandedIn::Kept)
    }

    /// The newest signed head, with the cosignatures that are known for exactly that one.
    pub async fn head(&self) -> Result<String, Fault> {
        let newest = self.store.checkpoint().await?;
        let Some(size) = Cosigned::parse(&newest).and_then(|head| head.size()) else {
            return Ok(newest);
        };
        let cosigned = self.store.cosigned(size).await?;
        // Under another name of the log there may be another one.
        Ok(cosigned
            .filter(|note| note.starts_with(&newest))
            .unwrap_or(newest))
    }

    /// The head that waits for cosignatures, with those that it has. It stays the same until a
    /// quorum has cosigned it, or for five minutes, so that witnesses meet on one head although
    /// the log grows between their visits.
    pub async fn head_to_cosign(&self) -> Result<String, Fault> {
        let newest = self.store.checkpoint().await?;
        let Ok(head) = self.store.log().verifier().verify(&newest) else {
            // Nothing is signed yet under a name that is new.
            return Ok(newest);
        };
        if head.size == 0 {
            return Ok(newest);
        }
        let met = self.witnesses.seen().newest.map_or(0, |(size, _)| size);
        if let Some((size, note)) = self.store.waiting_head().await?
            && (met..=head.size).contains(&size)
        {
            let waited = self.time().millis() - self.signed_at(size).await?.millis();
            if size == head.size || waited < WAITS_MILLIS {
                return Ok(note);
            }
        }
        self.store.keep_witnessed(head.size, &newest).await
    }

    /// The newest head that had a quorum, or the one of exactly `size` entries.
    pub async fn witnessed_head(&self, size: Option<u64>) -> Result<Option<String>, Fault> {
        let found = match size {
            None => self.store.witnessed().await?,
            Some(size) => {
                let next = self.store.witnessed_since(size, 1).await?;
                next.into_iter().find(|(found, _)| *found == size)
            }
        };
        Ok(found.map(|(_, note)| note))
    }

    /// The first head of at least `size` entries that had a quorum: who wants all of them goes on
    /// from each.
    pub async fn witnessed_from(&self, size: u64) -> Result<Option<String>, Fault> {
        let next = self.store.witnessed_since(size, 1).await?;
        Ok(next.into_iter().next().map(|(_, note)| note))
    }

    /// Before a gateway serves: what it kept itself may show that its log has gone back, if the log
    /// was put back to an older state and this was not. `true` if so; the store has stopped then.
    pub async fn has_gone_back(&self) -> Result<bool, Fault> {
        let kept = [
            self.store.witnessed().await?,
            self.store.waiting_head().await?,
        ];
        for (_, note) in kept.into_iter().flatten() {
            if self.store.shown(&note).await?.proves_loss() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
