//! What the store does when it is shown that its log has gone back.
//!
//! A gateway that knows that it lost acknowledged entries signs nothing more under the log's name:
//! whoever saw the larger log would hold two that contradict each other, and no later entry could
//! ever mend that. So it stops, for good, and says why; it goes on under a new name.

use sha2::{Digest, Sha256};

use super::evidence::Evidence;
use super::{Fault, Store};
use crate::domain::merkle::Hash;
use crate::domain::rollback::{Shown, compare, signed_note};

/// Why the store stopped, in [`super::Health::stopped`].
pub const ROLLED_BACK: &str =
    "somebody holds a larger log with our signature: acknowledged entries are missing here";

impl Store {
    /// Judges a receipt, a tlog-proof or a checkpoint that somebody kept. If it proves that
    /// acknowledged entries are missing here, that is noted durably with both heads and nothing is
    /// recorded any more; the next start asks for a new `log.origin`.
    ///
    /// # Errors
    /// The log cannot be read, or the proof cannot be noted; nothing is recorded any more then
    /// either.
    pub async fn shown(&self, text: &str) -> Result<Shown, Fault> {
        let verifier = self.log().verifier();
        let Some((note, head)) = signed_note(verifier, text) else {
            return Ok(Shown::NotOurs);
        };
        let leaves = self.health().leaves;
        // Under a name that is new since a rollback nothing may be signed yet: then every head
        // under it is more than we have.
        let own_note = self.checkpoint().await?;
        let shown = match verifier.verify(&own_note) {
            Ok(own) if head.size <= own.size => {
                let then = self.root_at(head.size).await?;
                compare(&own, &head, Some(then))
            }
            Ok(own) => compare(&own, &head, None),
            Err(_) => Shown::Larger,
        };
        if shown.proves_loss() {
            // In a fork at least one entry of the other log is none of ours.
            let acknowledged = head.size.max(leaves.saturating_add(1));
            self.rolled_back(leaves, acknowledged).await?;
            let (shown, own) = (note, own_note);
            self.keep_evidence(Evidence { shown, own }).await?;
        }
        Ok(shown)
    }

    /// The root that the log had with `size` leaves; it must have at least as many.
    async fn root_at(&self, size: u64) -> Result<Hash, Fault> {
        match size {
            0 => Ok(Sha256::digest([]).into()),
            _ => self.root_of_first(size).await,
        }
    }
}
