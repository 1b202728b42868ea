//! The keys a store works with. They come from outside and are never written by a store.

use zeroize::Zeroizing;

use crate::domain::checkpoint::LogKey;

/// One key for each use, so that losing one says nothing about the others. No `Debug`.
pub struct StoreKeys {
    /// Names aggregates, lists and counters (HMAC-SHA256).
    pub index_key: Zeroizing<[u8; 32]>,
    /// Wraps item keys (AES-256-GCM).
    pub slot_key: Zeroizing<[u8; 32]>,
    /// Signs checkpoints.
    pub log: LogKey,
}
