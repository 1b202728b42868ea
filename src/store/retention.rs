//! Looking at accounts to see whose time is over.
//!
//! This opens accounts without an attempt by a person, which nothing else does: nobody reads here.
//! An account is put to the domain's rule inside the store and wiped; what comes out is the rule's
//! word for each entry, and nothing of what it says. Never give this more to return.

use super::{Fault, Store};
use crate::domain::opening::Opening;
use crate::domain::retention::{Class, Open, Retention, Verdict};
use crate::domain::time::When;

/// Accounts opened at once.
const OPENED_AT_ONCE: usize = 256;

impl Store {
    /// What becomes of the accounts of these entries, in the order asked. Those that are erased, and
    /// entries that are not there, are left out.
    pub(crate) async fn judge(
        &self,
        indices: &[u64],
        (policy, class): (&Retention, &Class),
        now: When,
        open: &Open,
    ) -> Result<Vec<(u64, Verdict)>, Fault> {
        let mut judged = Vec::with_capacity(indices.len());
        for indices in indices.chunks(OPENED_AT_ONCE) {
            let opened = match self {
                Self::Embedded(store) => store.entries(indices).await?,
                Self::Postgres(store) => store.entries(indices).await?,
            };
            for (index, leaf, plain) in opened {
                let opening = Opening::parse(&plain);
                let opening = opening.map_err(|_| Fault::Unreadable("a log entry's opening"))?;
                let verdict = policy.judge(class, &opening, leaf.when(), now, open);
                judged.push((index, verdict));
            }
        }
        Ok(judged)
    }
}
