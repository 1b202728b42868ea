//! Heads with the words of witnesses below them, as the embedded store keeps them.
//!
//! ```text
//! data_dir/witnessed/<log>/<size>            had a quorum; kept for ever
//! data_dir/witnessed/<log>/waiting/<size>    the newest of the others
//! ```
//! `<log>` is the beginning of SHA-256 of the log's name, in hexadecimal. Nothing rests on these files: they are outside the journal and
//! its copies, they prove themselves, and a head that is lost is cosigned again.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::disk::Disk;
use super::{Fault, Store};
use crate::domain::cosigned::merge;

/// Heads without a quorum that are kept, the newest.
pub const HEADS_WAITING_MAX: usize = 16;
/// Heads in one answer.
pub const HEADS_READ_MAX: u16 = 256;

const UNKEPT: Fault = Fault::CannotRecord("a witnessed head cannot be kept");
const UNREAD: Fault = Fault::Unreadable("a witnessed head");

/// A head of the log and the note that names it.
pub type Head = (u64, String);

/// The folder of one log's heads.
pub(super) struct Heads {
    disk: Disk,
    dir: PathBuf,
    /// Read from the folder at the first use.
    sizes: Mutex<Option<Sizes>>,
}

#[derive(Clone, Default)]
struct Sizes {
    met: BTreeSet<u64>,
    waiting: BTreeSet<u64>,
}

impl Heads {
    pub fn new(disk: Disk, data_dir: &Path, origin: &str) -> Self {
        let hash: [u8; 32] = Sha256::digest(origin).into();
        let name: String = hash
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self {
            disk,
            dir: data_dir.join("witnessed").join(name),
            sizes: Mutex::new(None),
        }
    }

    fn path(&self, sizes: &Sizes, size: u64) -> PathBuf {
        match sizes.met.contains(&size) {
            true => self.dir.join(size.to_string()),
            false => self.waiting_dir().join(size.to_string()),
        }
    }

    fn waiting_dir(&self) -> PathBuf {
        self.dir.join("waiting")
    }

    /// One at a time, so that two who hand in words about one head lose neither. Blocks.
    fn with<T>(&self, work: impl FnOnce(&mut Sizes) -> io::Result<T>) -> io::Result<T> {
        let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        let known = match sizes.take() {
            Some(known) => known,
            None => Sizes {
                met: self.sizes_in(&self.dir)?,
                waiting: self.sizes_in(&self.waiting_dir())?,
            },
        };
        work(sizes.insert(known))
    }

    fn sizes_in(&self, dir: &Path) -> io::Result<BTreeSet<u64>> {
        match self.disk.names(dir) {
            Ok(names) => Ok(names.iter().filter_map(|name| name.parse().ok()).collect()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
            Err(error) => Err(error),
        }
    }

    fn read(&self, path: &Path) -> io::Result<Option<String>> {
        match self.disk.read(path) {
            // What is damaged is no head; it is cosigned again.
            Ok(bytes) => Ok(String::from_utf8(bytes).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn keep(&self, size: u64, note: &str) -> io::Result<String> {
        self.with(|sizes| {
            let path = self.path(sizes, size);
            let kept = self.read(&path)?;
            let merged = kept.as_deref().and_then(|kept| merge(kept, note));
            let merged = merged.unwrap_or_else(|| note.to_owned());
            if kept.as_ref() != Some(&merged) {
                self.disk.make_dir(&self.waiting_dir())?;
                self.disk.replace(&path, merged.as_bytes())?;
            }
            if !sizes.met.contains(&size) {
                sizes.waiting.insert(size);
                self.forget_old(sizes)?;
            }
            Ok(merged)
        })
    }

    fn forget_old(&self, sizes: &mut Sizes) -> io::Result<()> {
        while sizes.waiting.len() > HEADS_WAITING_MAX
            && let Some(oldest) = sizes.waiting.first().copied()
        {
            self.disk.remove_if_there(&self.path(sizes, oldest))?;
            sizes.waiting.remove(&oldest);
        }
        Ok(())
    }

    fn met(&self, size: u64) -> io::Result<()> {
        self.with(|sizes| {
            if sizes.met.contains(&size) {
                return Ok(());
            }
            let from = self.path(sizes, size);
            let Some(note) = self.read(&from)? else {
                return Ok(());
            };
            // Written again and not moved, so that it is durable under its name before the other goes.
            self.disk
                .replace(&self.dir.join(size.to_string()), note.as_bytes())?;
            self.disk.remove_if_there(&from)?;
            sizes.waiting.remove(&size);
            sizes.met.insert(size);
            Ok(())
        })
    }

    fn cosigned(&self, size: u64) -> io::Result<Option<String>> {
        self.with(|sizes| {
            let known = sizes.met.contains(&size) || sizes.waiting.contains(&size);
            match known {
                true => self.read(&self.path(sizes, size)),
                false => Ok(None),
            }
        })
    }

    fn waiting(&self) -> io::Result<Option<Head>> {
        self.with(|sizes| {
            let newest = sizes.waiting.last().copied();
            newest.map_or(Ok(None), |size| {
                let note = self.read(&self.path(sizes, size))?;
                Ok(note.map(|note| (size, note)))
            })
        })
    }

    fn witnessed(&self) -> io::Result<Option<Head>> {
        self.with(|sizes| {
            for size in sizes.met.iter().rev() {
                if let Some(note) = self.read(&self.path(sizes, *size))? {
                    return Ok(Some((*size, note)));
                }
            }
            Ok(None)
        })
    }

    fn since(&self, from: u64, max: u16) -> io::Result<Vec<Head>> {
        let max = usize::from(max.min(HEADS_READ_MAX));
        self.with(|sizes| {
            let mut heads = Vec::new();
            for size in sizes.met.range(from..).take(max) {
                let note = self.read(&self.path(sizes, *size))?;
                heads.extend(note.map(|note| (*size, note)));
            }
            Ok(heads)
        })
    }

    /// Everything, for a store that moves. Blocks.
    pub fn each(&self, mut tell: impl FnMut(u64, String, bool)) -> io::Result<()> {
        let sizes = self.with(|sizes| Ok(sizes.clone()))?;
        for size in sizes.met.iter().chain(&sizes.waiting) {
            if let Some(note) = self.read(&self.path(&sizes, *size))? {
                tell(*size, note, sizes.met.contains(size));
            }
        }
        Ok(())
    }
}

/// Does what blocks away from those who serve.
async fn off<T: Send + 'static>(
    heads: &Arc<Heads>,
    fault: Fault,
    work: impl FnOnce(&Heads) -> io::Result<T> + Send + 'static,
) -> Result<T, Fault> {
    let heads = Arc::clone(heads);
    match tokio::task::spawn_blocking(move || work(&heads)).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_)) | Err(_) => Err(fault),
    }
}

impl Store {
    /// Keeps a head of `size` entries, and adds its cosignatures to those that are known; returns all
    /// of them. Whoever calls has made sure that the head is ours and the cosignatures are right. Of
    /// heads without a quorum the newest [`HEADS_WAITING_MAX`] are kept.
    ///
    /// # Errors
    /// It could not be made durable; then nothing has changed.
    pub async fn keep_witnessed(&self, size: u64, note: &str) -> Result<String, Fault> {
        match self {
            Self::Embedded(store) => {
                let note = note.to_owned();
                off(store.heads(), UNKEPT, move |heads| heads.keep(size, &note)).await
            }
            Self::Postgres(store) => store.keep_witnessed(size, note).await,
        }
    }

    /// The head of `size` entries has a quorum: it is kept for ever.
    pub async fn quorum_met(&self, size: u64) -> Result<(), Fault> {
        match self {
            Self::Embedded(store) => off(store.heads(), UNKEPT, move |heads| heads.met(size)).await,
            Self::Postgres(store) => store.quorum_met(size).await,
        }
    }

    /// The head of exactly `size` entries with all cosignatures that are known, quorum or not.
    pub async fn cosigned(&self, size: u64) -> Result<Option<String>, Fault> {
        match self {
            Self::Embedded(store) => {
                off(store.heads(), UNREAD, move |heads| heads.cosigned(size)).await
            }
            Self::Postgres(store) => store.cosigned(size).await,
        }
    }

    /// The newest head that was kept and has no quorum.
    pub async fn waiting_head(&self) -> Result<Option<Head>, Fault> {
        match self {
            Self::Embedded(store) => off(store.heads(), UNREAD, Heads::waiting).await,
            Self::Postgres(store) => store.waiting_head().await,
        }
    }

    /// The newest head that had a quorum.
    pub async fn witnessed(&self) -> Result<Option<Head>, Fault> {
        match self {
            Self::Embedded(store) => off(store.heads(), UNREAD, Heads::witnessed).await,
            Self::Postgres(store) => store.witnessed().await,
        }
    }

    /// Heads of at least `from` entries that had a quorum, the smallest first; at most `max`, and
    /// [`HEADS_READ_MAX`].
    pub async fn witnessed_since(&self, from: u64, max: u16) -> Result<Vec<Head>, Fault> {
        match self {
            Self::Embedded(store) => {
                off(store.heads(), UNREAD, move |heads| heads.since(from, max)).await
            }
            Self::Postgres(store) => store.witnessed_since(from, max).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_another_log_name_lie_apart() {
        let dir = tempfile::tempdir().unwrap();
        let heads = |origin| Heads::new(Disk::Real, dir.path(), origin);
        heads("gw.example/log").keep(3, "x").unwrap();
        assert_eq!(heads("gw.example/log-2").waiting().unwrap(), None);
        let found = heads("gw.example/log").waiting().unwrap();
        assert_eq!(found, Some((3, "x".to_owned())));
    }

    #[test]
    fn what_is_damaged_is_no_head_and_is_written_anew() {
        let dir = tempfile::tempdir().unwrap();
        let heads = Heads::new(Disk::Real, dir.path(), "gw.example/log");
        heads.keep(3, "x").unwrap();
        heads.met(3).unwrap();
        std::fs::write(heads.dir.join("3"), [0xff]).unwrap();
        assert_eq!(heads.witnessed().unwrap(), None);
        heads.keep(3, "x").unwrap();
        assert_eq!(heads.witnessed().unwrap(), Some((3, "x".to_owned())));
    }
}
