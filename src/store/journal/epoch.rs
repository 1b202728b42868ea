//! How far what was erased is destroyed, and the change of epoch that does it, beside a journal
//! that goes on. Nothing here may outlive the journal.

use std::sync::{Arc, PoisonError};

use tokio::sync::oneshot;

use super::{Journal, spawn};
use crate::domain::time::When;
use crate::store::slots::RewrapError;
use crate::store::{Erasure, Fault};

impl Journal {
    /// See [`crate::store::Store::erasure`].
    pub fn erasure(&self) -> Erasure {
        self.shared.slots.erasure()
    }

    /// See [`crate::store::Store::rewrap`].
    pub async fn rewrap(&self, now: When) -> Result<(), Fault> {
        const LATER: Fault = Fault::CannotRecord("the keys of items stay under their old key");
        if let Some(why) = self.shared.stopped() {
            return Err(Fault::CannotRecord(why));
        }
        let (answer, answered) = oneshot::channel();
        let shared = Arc::clone(&self.shared);
        // A thread of its own, so that closing waits for it.
        let thread = spawn("journal-rewrap", move || {
            let done = shared.slots.rewrap(now).map_err(|error| {
                tracing::error!(%error, "what was erased is not destroyed yet");
                match error {
                    RewrapError::Uncertain(_) => shared.stop("the slot file may not be in place"),
                    RewrapError::Abandoned(_) | RewrapError::NotDestroyed(_) => LATER,
                }
            });
            if done.is_ok() {
                shared.renew_names_key();
            }
            // Before whoever asked goes on and perhaps closes the store.
            drop(shared);
            let _ = answer.send(done);
        });
        {
            let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
            threads.retain(|thread| !thread.is_finished());
            threads.push(thread.map_err(|_| LATER)?);
        }
        answered.await.unwrap_or(Err(LATER))
    }
}
