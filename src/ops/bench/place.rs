//! A folder of the bench's own, on the disk that is measured. Nothing of it stays.

use std::fs;
use std::path::{Path, PathBuf};

use super::BenchError;
use crate::ops::demo::borough::folder;

/// The folder, removed with all that is in it when dropped.
pub struct Place(PathBuf);

impl Place {
    pub fn new(under: &Path) -> Result<Self, BenchError> {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).map_err(|_| BenchError::NoRandomness)?;
        let name = format!("firedoor-bench-{:016x}", u64::from_be_bytes(bytes));
        let dir = under.join(name);
        folder(&dir)?;
        Ok(Self(dir))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Nothing more can be done about a folder that does not go.
        drop(fs::remove_dir_all(&self.0));
    }
}
