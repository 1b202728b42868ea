//! The PostgreSQL half of `firedoor bench store`: the store beside bare batched inserts of the same
//! rows and bytes. It needs databases of its own: what it writes stays there.

use std::time::Duration;

use super::BenchError;
use super::store::StoreRow;

/// The store in these databases against bare inserts into the first of them.
pub async fn postgres(
    _records: &str,
    _slots: &str,
    _limit: Duration,
) -> Result<Vec<StoreRow>, BenchError> {
    Err(BenchError::NotCommitted("PostgreSQL is not measured yet"))
}
