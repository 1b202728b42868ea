//! The gateway's time, which never runs backwards.

use std::sync::atomic::Ordering;

use super::{Answered, Gateway};
use crate::domain::logged::Logged;
use crate::domain::ruling::Ruled;
use crate::domain::time::When;
use crate::store::Fault;

/// A leaf tells its time to this many milliseconds, rounded down.
const COARSE_MS: i64 = 10_000;

impl Gateway {
    /// The time of an attempt: never before what is already in the log (`design.md` 6), so that a
    /// clock that jumps back cannot put a withdrawal before the consent that it ends.
    pub fn time(&self) -> When {
        let (now, last) = ((self.now)(), self.store.last_time());
        let last = if now < last {
            last.plus_millis(COARSE_MS - 1)
        } else {
            last
        };
        let latest = When::from_millis(self.latest.load(Ordering::Acquire));
        now.max(last).max(latest)
    }

    /// Answers what was logged at `at`; nothing is logged before that from now on.
    pub(super) async fn logged(&self, at: When, logged: Logged<Ruled>) -> Result<Answered, Fault> {
        self.latest.fetch_max(at.millis(), Ordering::AcqRel);
        self.answer(at, logged).await
    }
}
