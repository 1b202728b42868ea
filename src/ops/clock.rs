//! The one place that reads the wall clock. Everywhere else time is a value.

use crate::domain::time::When;

/// The system clock, in whole milliseconds since 1970 UTC.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one reader of the clock"
)]
pub fn now() -> When {
    When::from_millis(jiff::Timestamp::now().as_millisecond())
}
