//! Two small files beside the journal: whose it is, and how it was left.

use std::io;
use std::path::{Path, PathBuf};

use crate::store::disk::Disk;

const IDENTITY_MAGIC: &[u8; 16] = b"firedoor ident 1";

/// Binds the journal to its slot file and its index key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Random; the slot file carries it too.
    pub id: [u8; 16],
    /// A wrong index key would make every aggregate look as if it had never been written.
    pub key_check: [u8; 32],
}

impl Identity {
    pub fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("identity")
    }

    pub fn write(&self, disk: &Disk, data_dir: &Path) -> io::Result<()> {
        let mut bytes = [&IDENTITY_MAGIC[..], &self.id, &self.key_check].concat();
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        disk.replace(&Self::path(data_dir), &bytes)
    }

    /// `None` if there is none.
    ///
    /// # Errors
    /// It cannot be read or is damaged.
    pub fn read(disk: &Disk, data_dir: &Path) -> io::Result<Option<Self>> {
        let bytes = match disk.read(&Self::path(data_dir)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the file is damaged");
        Self::parse(&bytes).map(Some).ok_or_else(damaged)
    }

    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (content, crc) = bytes.split_last_chunk::<4>()?;
        let rest = content.strip_prefix(IDENTITY_MAGIC)?;
        let (id, key_check) = rest.split_first_chunk::<16>()?;
        let key_check = key_check.try_into().ok()?;
        let good = crc32c::crc32c(content).to_le_bytes() == *crc;
        good.then_some(Self { id: *id, key_check })
    }
}

/// How the journal was left. Nothing is known if the file is missing or not readable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// There were at least so many leaves: with fewer, acknowledged ones are lost.
    pub leaves: u64,
    pub left: Left,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// In use, or stopped without closing, since the start of the machine with this id.
    Open { boot: String },
    /// Closed, and everything synced.
    Closed,
}

impl Mark {
    pub fn write(&self, disk: &Disk, data_dir: &Path) -> io::Result<()> {
        let leaves = self.leaves;
        let text = match &self.left {
            Left::Open { boot } => format!("open {leaves} {boot}\n"),
            Left::Closed => format!("closed {leaves} -\n"),
        };
        disk.replace(&data_dir.join("mark"), text.as_bytes())
    }

    pub fn read(disk: &Disk, data_dir: &Path) -> Option<Self> {
        let text = String::from_utf8(disk.read(&data_dir.join("mark")).ok()?).ok()?;
        let mut fields = text.strip_suffix('\n')?.splitn(3, ' ');
        let (word, leaves, rest) = (fields.next()?, fields.next()?, fields.next()?);
        let left = match word {
            "open" => Left::Open {
                boot: rest.to_owned(),
            },
            "closed" => Left::Closed,
            _ => return None,
        };
        let leaves = leaves.parse().ok()?;
        Some(Self { leaves, left })
    }

    /// Whether the list index can be as the journal left it: a power cut may have damaged it.
    pub fn trusts_index(&self, boot: &str) -> bool {
        match &self.left {
            Left::Open { boot: then } => !boot.is_empty() && then == boot,
            Left::Closed => true,
        }
    }
}
