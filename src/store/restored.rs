//! The mark of a store that was made from a copy.
//!
//! What was acknowledged after the copy may be missing in it, a withdrawal most of all. The mark
//! is written before the store can be opened for the first time, and nothing may take it away but
//! the word that the log itself now says so.

use std::io;
use std::path::{Path, PathBuf};

use borsh::BorshDeserialize;

use super::disk::Disk;
use crate::domain::time::When;

const MAGIC: &[u8; 16] = b"firedoor again 1";

/// The store was made from a copy: what was acknowledged after it may be missing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Entries in the copy.
    pub leaves: u64,
    /// Time of the last entry in the copy.
    pub at: When,
    /// At least so many entries had been acknowledged, as somebody's receipt or checkpoint showed
    /// when the copy was restored; [`Restored::leaves`] if nobody showed a larger log.
    pub acknowledged: u64,
}

impl Restored {
    pub(super) fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("restored")
    }

    #[cfg(test)]
    pub(super) fn write(&self, disk: &Disk, data_dir: &Path) -> io::Result<()> {
        use borsh::BorshSerialize;
        let mut bytes = MAGIC.to_vec();
        (self.leaves, self.at.millis(), self.acknowledged).serialize(&mut bytes)?;
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        disk.replace(&Self::path(data_dir), &bytes)
    }

    /// `None` if the store was not restored, or its restoration is on record.
    ///
    /// # Errors
    /// The mark cannot be read or is damaged: it is not known what may be missing.
    pub(super) fn read(disk: &Disk, data_dir: &Path) -> io::Result<Option<Self>> {
        let bytes = match disk.read(&Self::path(data_dir)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let parse = || {
            let (content, crc) = bytes.split_last_chunk::<4>()?;
            let good = crc32c::crc32c(content).to_le_bytes() == *crc;
            let rest = content.strip_prefix(MAGIC)?;
            let (leaves, at, acknowledged) = BorshDeserialize::try_from_slice(rest).ok()?;
            let at = When::from_millis(at);
            good.then_some(Self {
                leaves,
                at,
                acknowledged,
            })
        };
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the file is damaged");
        parse().map(Some).ok_or_else(damaged)
    }

    pub(super) fn remove(disk: &Disk, data_dir: &Path) -> io::Result<()> {
        let path = Self::path(data_dir);
        disk.remove_if_there(&path)?;
        disk.sync_parent(&path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written_and_no_flipped_bit_of_it_passes() {
        let dir = tempfile::tempdir().unwrap();
        let mark = Restored {
            leaves: 7,
            at: When::from_millis(1_767_225_600_000),
            acknowledged: 9,
        };
        assert_eq!(Restored::read(&Disk::Real, dir.path()).unwrap(), None);
        mark.write(&Disk::Real, dir.path()).unwrap();
        assert_eq!(Restored::read(&Disk::Real, dir.path()).unwrap(), Some(mark));
        let path = Restored::path(dir.path());
        let bytes = std::fs::read(&path).unwrap();
        for at in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[at / 8] ^= 1 << (at % 8);
            std::fs::write(&path, bytes).unwrap();
            assert!(Restored::read(&Disk::Real, dir.path()).is_err(), "bit {at}");
        }
        Restored::remove(&Disk::Real, dir.path()).unwrap();
        Restored::remove(&Disk::Real, dir.path()).unwrap();
        assert_eq!(Restored::read(&Disk::Real, dir.path()).unwrap(), None);
    }
}
