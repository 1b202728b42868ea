//! The mark of a store that was made from a copy.
//!
//! What was acknowledged after the copy may be missing in it, a withdrawal most of all. The mark
//! is written before the store can be opened for the first time, and nothing may take it away but
//! the word that the log itself now says so.

use std::io;
use std::path::{Path, PathBuf};

use borsh::{BorshDeserialize, BorshSerialize};

use super::disk::Disk;
use crate::domain::time::When;

const MAGIC: &[u8; 16] = b"firedoor again 1";

/// The store was made from a copy: what was acknowledged after it may be missing here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Entries in the copy.
    pub leaves: u64,
    /// Time of the last entry in the copy.
    pub at: When,
    /// At least so many entries had been acknowledged, as somebody's receipt or checkpoint showed
    /// when the copy was restored; [`Restored::leaves`] if nobody showed a larger log.
    pub acknowledged: u64,
    /// What the log was called when the copy was made.
    pub origin: String,
}

impl Restored {
    /// Whether it is proven that acknowledged entries are missing. Then the log may not go on
    /// under the same name: for whoever saw the larger one it would be forked.
    pub fn is_proven(&self) -> bool {
        self.acknowledged > self.leaves
    }

    /// The same with what somebody has shown since.
    pub(super) fn with_proof(self, proof: Self) -> Self {
        Self {
            leaves: self.leaves,
            at: self.at,
            acknowledged: self.acknowledged.max(proof.acknowledged),
            origin: proof.origin,
        }
    }

    pub(super) fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("restored")
    }

    pub(super) fn write(&self, disk: &Disk, data_dir: &Path) -> io::Result<()> {
        let mut bytes = MAGIC.to_vec();
        let fields = (
            self.leaves,
            self.at.millis(),
            self.acknowledged,
            &self.origin,
        );
        fields.serialize(&mut bytes)?;
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
            let (leaves, at, acknowledged, origin) = BorshDeserialize::try_from_slice(rest).ok()?;
            let at = When::from_millis(at);
            good.then_some(Self {
                leaves,
                at,
                acknowledged,
                origin,
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
            origin: "gw.example/log".to_owned(),
        };
        assert_eq!(Restored::read(&Disk::Real, dir.path()).unwrap(), None);
        mark.write(&Disk::Real, dir.path()).unwrap();
        assert_eq!(
            Restored::read(&Disk::Real, dir.path()).unwrap(),
            Some(mark.clone())
        );
        let mut proof = mark.clone();
        (proof.leaves, proof.acknowledged) = (8, 3);
        assert!(mark.is_proven());
        assert_eq!(mark.clone().with_proof(proof), mark);
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
