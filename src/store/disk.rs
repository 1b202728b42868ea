//! The file layer of the embedded store: everything that the journal and the slot file write.
//!
//! One place for what a sync means and who may read a file. Nothing here may call a name durable
//! before its directory is synced, or create a file that others can read. The list index (sled)
//! stays outside, because nothing rests on it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

#[cfg(test)]
pub mod simulated;

/// Where the embedded store keeps its files. Cheap to clone.
#[derive(Clone)]
pub enum Disk {
    Real,
    #[cfg(test)]
    Simulated(std::sync::Arc<simulated::Simulated>),
}

/// An open file. Closed, and its lock given up, when dropped.
pub enum DiskFile {
    Real(File),
    #[cfg(test)]
    Simulated(simulated::SimulatedFile),
}

impl Disk {
    /// Makes a directory that only we may enter, and those above it that are missing. Durable when
    /// this returns.
    pub fn make_dir(&self, dir: &Path) -> io::Result<()> {
        let missing = dir.ancestors().take_while(|dir| !self.is_dir(dir));
        let missing: Vec<&Path> = missing.filter(|dir| *dir != Path::new("")).collect();
        for dir in missing.iter().rev() {
            match self {
                Self::Real => std::fs::DirBuilder::new().mode(0o700).create(dir)?,
                #[cfg(test)]
                Self::Simulated(disk) => disk.make_dir(dir)?,
            }
            self.sync_parent(dir)?;
        }
        // One that is there may have been made just before a crash, and not be durable.
        self.sync_parent(dir)?;
        dir.parent().map_or(Ok(()), |above| self.sync_parent(above))
    }

    fn is_dir(&self, path: &Path) -> bool {
        match self {
            Self::Real => path.is_dir(),
            #[cfg(test)]
            Self::Simulated(disk) => disk.is_dir(path),
        }
    }

    /// Opens a file that is there, to read and write.
    pub fn open(&self, path: &Path) -> io::Result<DiskFile> {
        match self {
            Self::Real => {
                let file = OpenOptions::new().read(true).write(true).open(path);
                file.map(DiskFile::Real)
            }
            #[cfg(test)]
            Self::Simulated(disk) => disk.open(path).map(DiskFile::Simulated),
        }
    }

    /// Opens a file as it is, or makes an empty one. A new name is durable only after
    /// [`Disk::sync_parent`].
    pub fn open_or_create(&self, path: &Path) -> io::Result<DiskFile> {
        match self {
            Self::Real => created(path, false),
            #[cfg(test)]
            Self::Simulated(disk) => disk.create(path, false).map(DiskFile::Simulated),
        }
    }

    /// Makes an empty file, in place of one that may be there. A new name is durable only after
    /// [`Disk::sync_parent`].
    pub fn create(&self, path: &Path) -> io::Result<DiskFile> {
        match self {
            Self::Real => created(path, true),
            #[cfg(test)]
            Self::Simulated(disk) => disk.create(path, true).map(DiskFile::Simulated),
        }
    }

    /// The whole of a file.
    pub fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match self {
            Self::Real => std::fs::read(path),
            #[cfg(test)]
            Self::Simulated(disk) => disk.read(path),
        }
    }

    /// In bytes.
    pub fn length(&self, path: &Path) -> io::Result<u64> {
        match self {
            Self::Real => Ok(std::fs::metadata(path)?.len()),
            #[cfg(test)]
            Self::Simulated(disk) => disk.length(path),
        }
    }

    /// The names in a directory, in no order. One that is not UTF-8 is none of ours.
    pub fn names(&self, dir: &Path) -> io::Result<Vec<String>> {
        match self {
            Self::Real => {
                let entries = std::fs::read_dir(dir)?;
                let names = entries.map(|entry| Ok(entry?.file_name().into_string().ok()));
                names.filter_map(Result::transpose).collect()
            }
            #[cfg(test)]
            Self::Simulated(disk) => disk.names(dir),
        }
    }

    /// Moves a file within its directory, over one that may be there. Durable when this returns.
    pub fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        match self {
            Self::Real => std::fs::rename(from, to)?,
            #[cfg(test)]
            Self::Simulated(disk) => disk.rename(from, to)?,
        }
        self.sync_parent(to)
    }

    /// After a crash the file may be there again.
    pub fn remove_if_there(&self, path: &Path) -> io::Result<()> {
        let removed = match self {
            Self::Real => std::fs::remove_file(path),
            #[cfg(test)]
            Self::Simulated(disk) => disk.remove(path),
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Makes the names in a file's directory durable.
    pub fn sync_parent(&self, path: &Path) -> io::Result<()> {
        let dir = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        match self {
            Self::Real => File::open(dir)?.sync_all(),
            #[cfg(test)]
            Self::Simulated(disk) => disk.sync_dir(dir),
        }
    }

    /// Writes a small file so that after a crash there is either the old or the new one, whole.
    /// Durable when this returns.
    pub fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let new = path.with_extension("new");
        let file = self.create(&new)?;
        file.write_all_at(bytes, 0)?;
        file.sync_all()?;
        self.rename(&new, path)
    }

    /// Room that the file system still has for us, in bytes.
    pub fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        match self {
            Self::Real => {
                let found = rustix::fs::statvfs(dir)?;
                Ok(found.f_bavail.saturating_mul(found.f_frsize))
            }
            #[cfg(test)]
            Self::Simulated(disk) => disk.free_bytes(),
        }
    }

    /// The path without links and dots.
    pub fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        match self {
            Self::Real => path.canonicalize(),
            #[cfg(test)]
            Self::Simulated(disk) => match disk.exists(path) {
                true => Ok(path.to_owned()),
                false => Err(io::ErrorKind::NotFound.into()),
            },
        }
    }

    /// Names this start of the machine. Empty if the system does not say; then nothing is trusted
    /// that needs it.
    pub fn boot_id(&self) -> String {
        match self {
            Self::Real => {
                let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
                id.map(|id| id.trim().to_owned()).unwrap_or_default()
            }
            #[cfg(test)]
            Self::Simulated(disk) => disk.boot_id(),
        }
    }
}

impl DiskFile {
    /// Fails if the file ends before `bytes` are full.
    pub fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            Self::Real(file) => file.read_exact_at(bytes, offset),
            #[cfg(test)]
            Self::Simulated(file) => file.read_exact_at(bytes, offset),
        }
    }

    /// Durable only after a sync; until then a crash may keep any part of it.
    pub fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        match self {
            Self::Real(file) => file.write_all_at(bytes, offset),
            #[cfg(test)]
            Self::Simulated(file) => file.write_all_at(bytes, offset),
        }
    }

    /// Makes what was written durable, where the file has not become longer.
    pub fn sync_data(&self) -> io::Result<()> {
        match self {
            Self::Real(file) => file.sync_data(),
            #[cfg(test)]
            Self::Simulated(file) => file.sync(false),
        }
    }

    /// Makes what was written durable, and the length.
    pub fn sync_all(&self) -> io::Result<()> {
        match self {
            Self::Real(file) => file.sync_all(),
            #[cfg(test)]
            Self::Simulated(file) => file.sync(true),
        }
    }

    /// In bytes.
    pub fn length(&self) -> io::Result<u64> {
        match self {
            Self::Real(file) => Ok(file.metadata()?.len()),
            #[cfg(test)]
            Self::Simulated(file) => file.length(),
        }
    }

    /// Takes the file for this process alone, until it is dropped.
    ///
    /// # Errors
    /// Another has it, or it cannot be locked.
    pub fn try_lock(&self) -> io::Result<()> {
        match self {
            Self::Real(file) => file.try_lock().map_err(io::Error::from),
            #[cfg(test)]
            Self::Simulated(file) => file.try_lock(),
        }
    }

    /// Whether nobody but its owner may read or write it.
    pub fn is_private(&self) -> io::Result<bool> {
        match self {
            Self::Real(file) => Ok(file.metadata()?.permissions().mode() & 0o077 == 0),
            #[cfg(test)]
            Self::Simulated(_) => Ok(true),
        }
    }
}

fn created(path: &Path, truncate: bool) -> io::Result<DiskFile> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).mode(0o600);
    options.truncate(truncate).open(path).map(DiskFile::Real)
}
