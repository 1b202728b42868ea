//! The move of a store from the embedded journal to PostgreSQL: the log goes on where it was.
//!
//! Every entry, fact, list, count and repeated request arrives under the same name, and every item
//! key under the same number, wrapped anew. All of the log arrives in one transaction. From before
//! that on the journal's folder is marked and does not start any more, so that there are never two
//! stores that go on with one log.

use std::path::PathBuf;

use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::backup::CopyError;
use super::journal::{self, JournalConfig};
use super::names::Names;
use super::postgres::{self, PostgresConfig};

/// Rows for one table of the main database, each value in the server's binary form.
pub(in crate::store) struct Rows {
    pub table: &'static str,
    pub columns: &'static [&'static str],
    pub rows: Vec<Vec<Option<Vec<u8>>>>,
}

/// An item key, by its number.
pub(in crate::store) type SlotKey = (u64, Zeroizing<[u8; 32]>);

/// What is sent while the journal is read.
pub(in crate::store) enum Sent {
    Keys(Vec<SlotKey>),
    Rows(Rows),
}

/// Whose log it is, known before anything is sent.
pub(in crate::store) struct Origin {
    /// Names the journal; the databases are named after it, so that a move can be tried again.
    pub id: [u8; 16],
    pub size: u64,
    pub note: String,
    /// The first number that no key has.
    pub next_slot: u64,
    /// Some entries whose accounts open.
    pub accounts: Vec<u64>,
}

/// Rows and keys on their way. Few, so that memory stays bounded.
const SENT_MAX: usize = 4;

/// What arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    pub leaves: u64,
    pub items: u64,
    pub keys: u64,
}

/// Why a store does not move; for the operator.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error("the old store does not open: {0}")]
    Old(#[from] Box<journal::OpenError>),
    #[error("the new store does not open: {0}")]
    New(#[from] Box<postgres::OpenError>),
    #[error("the two configurations name another log or root key: both must be the same")]
    OtherKeys,
    #[error("the old store was restored and its log does not say so yet: start it once")]
    Unrecorded,
    #[error("the old store cannot be read: {0}")]
    Unreadable(&'static str),
    #[error(transparent)]
    Database(#[from] CopyError),
    #[error("{0}: nothing was moved, and the old store is still the one to start")]
    Differs(&'static str),
    #[error("the old store was not read to its end")]
    Unfinished,
    #[error("the database did not say how it ended: run this again, which finds out")]
    Unanswered,
    #[error("the new store is complete and {0}: see to the databases, then run this again")]
    Unlike(&'static str),
    #[error("{path}: {source}")]
    Mark {
        path: PathBuf,
        source: std::io::Error,
    },
}

/// Moves the store. The old one must not be open, the new databases must be empty. Done again
/// after it was interrupted, it begins anew, or finds that all has arrived.
///
/// # Errors
/// Nothing is lost, and the old store starts again unless all has arrived in the new one.
pub async fn migrate(
    old: JournalConfig,
    new: PostgresConfig,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<Migrated, MigrateError> {
    let check = |key: &Zeroizing<[u8; 32]>| Names::new(key.clone()).check();
    let same = check(&old.keys.index_key) == check(&new.keys.index_key);
    if !same || old.keys.log.verifier().vkey() != new.keys.log.verifier().vkey() {
        return Err(MigrateError::OtherKeys);
    }
    let opened = tokio::task::spawn_blocking(move || journal::Leaving::open(old)).await;
    let opened = opened.map_err(|_| MigrateError::Unreadable("its thread broke"))?;
    let leaving = std::sync::Arc::new(opened?);
    let origin = leaving.origin().await?;
    leaving.mark()?;
    let (sender, receiver) = mpsc::channel(SENT_MAX);
    let reading = std::sync::Arc::clone(&leaving);
    let reader = tokio::task::spawn_blocking(move || reading.send(&sender));
    let arrived = postgres::arrive(new, &origin, receiver, progress).await;
    let read = reader.await;
    let read = read.unwrap_or(Err(MigrateError::Unreadable("its thread broke")));
    if let Err(postgres::NotArrived::Refused(_)) = &arrived {
        leaving.unmark()?;
    }
    leaving.close().await;
    match arrived {
        Ok(migrated) => Ok(migrated),
        // Why the reader stopped is why the rest never arrived.
        Err(postgres::NotArrived::Refused(MigrateError::Unfinished)) => {
            read.and(Err(MigrateError::Unfinished))
        }
        Err(postgres::NotArrived::Refused(error) | postgres::NotArrived::Here(error)) => Err(error),
    }
}
