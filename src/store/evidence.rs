//! Proofs that this log has gone back or was forked: two notes with its own signature that cannot
//! both be of one log.
//!
//! They stand by themselves, for the regulator and the agencies, so nothing here ever deletes one.
//! Embedded: `data_dir/evidence/<id>`, text. At most [`EVIDENCE_MAX`], because the first proves what
//! all of them prove.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::disk::Disk;
use super::{Fault, Store};

/// Proofs that are kept.
pub const EVIDENCE_MAX: usize = 64;

const BETWEEN: &str = "\nThe log's own newest head when that one was shown:\n\n";

/// One proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The checkpoint that was shown.
    pub shown: String,
    /// The log's own newest one at that moment.
    pub own: String,
}

impl Evidence {
    /// The same proof has the same id.
    pub(super) fn id(&self) -> [u8; 16] {
        let hash: [u8; 32] = Sha256::digest(&self.shown).into();
        let mut id = [0; 16];
        id.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        id
    }

    fn dir(data_dir: &Path) -> PathBuf {
        data_dir.join("evidence")
    }

    /// How many are kept under `data_dir`, also of a store that does not open.
    pub fn count_in(data_dir: &Path) -> usize {
        Self::read(&Disk::Real, data_dir).map_or(0, |found| found.len())
    }

    /// Keeps it durably. Blocks.
    pub(super) fn write(&self, disk: &Disk, data_dir: &Path) -> io::Result<()> {
        let dir = Self::dir(data_dir);
        disk.make_dir(&dir)?;
        let name: String = self.id().iter().map(|byte| format!("{byte:02x}")).collect();
        let names = disk.names(&dir)?;
        if names.len() >= EVIDENCE_MAX || names.contains(&name) {
            return Ok(());
        }
        let text = format!("{}{BETWEEN}{}", self.shown, self.own);
        disk.replace(&dir.join(name), text.as_bytes())
    }

    /// All that are kept. Blocks.
    pub(super) fn read(disk: &Disk, data_dir: &Path) -> io::Result<Vec<Self>> {
        let dir = Self::dir(data_dir);
        let mut names = match disk.names(&dir) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        names.sort();
        let mut found = Vec::new();
        for name in names {
            let bytes = disk.read(&dir.join(name))?;
            let text = String::from_utf8_lossy(&bytes);
            found.extend(text.split_once(BETWEEN).map(|(shown, own)| Self {
                shown: shown.to_owned(),
                own: own.to_owned(),
            }));
        }
        Ok(found)
    }
}

impl Store {
    pub(super) async fn keep_evidence(&self, found: Evidence) -> Result<(), Fault> {
        match self {
            Self::Embedded(store) => store.keep_evidence(found).await,
            Self::Postgres(store) => store.keep_evidence(&found).await,
        }
    }

    /// The proofs that are kept, that this log has gone back or was forked.
    pub async fn evidence(&self) -> Result<Vec<Evidence>, Fault> {
        match self {
            Self::Embedded(store) => store.evidence().await,
            Self::Postgres(store) => store.evidence().await,
        }
    }
}
