//! The files that frames lie in: numbered from 1, zeroed and synced before they are used.
//!
//! A segment is written from its beginning, never over a frame. What follows the last frame is
//! zeros. Only making the *next* segment may fail and be tried again (a full disk); every other
//! error is for the writer to stop at.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;

use crate::store::disk::{Disk, DiskFile};

const ZEROS_BYTES: usize = 1024 * 1024;

/// The segments of one journal.
pub struct Segments {
    disk: Disk,
    dir: PathBuf,
    bytes: u64,
    /// `files[n - 1]` is segment `n`.
    files: RwLock<Vec<Arc<DiskFile>>>,
}

impl Segments {
    /// Opens all segments in `dir`, which must be numbered without a gap.
    pub fn open(disk: &Disk, dir: &Path, bytes: u64) -> io::Result<Self> {
        let found = Self {
            disk: disk.clone(),
            dir: dir.to_owned(),
            bytes,
            files: RwLock::new(Vec::new()),
        };
        disk.remove_if_there(&found.unfinished())?;
        // A process that was killed may have left a segment under a name that is not durable.
        disk.sync_parent(&found.spare())?;
        let names = disk.names(dir)?;
        let highest = names.iter().filter_map(|name| number_of(name)).max();
        let mut files = Vec::new();
        for number in 1..=highest.unwrap_or(0) {
            let path = found.path(number);
            files.push(Arc::new(disk.open(&path).map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", path.display()))
            })?));
        }
        Ok(Self {
            files: RwLock::new(files),
            ..found
        })
    }

    /// The disk that they lie on.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// The number of the last segment; 0 if there is none.
    pub fn last(&self) -> u32 {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        files.len() as u32
    }

    pub fn file(&self, number: u32) -> Option<Arc<DiskFile>> {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        let place = (number as usize).checked_sub(1)?;
        files.get(place).cloned()
    }

    pub fn path(&self, number: u32) -> PathBuf {
        self.dir.join(format!("{number:010}.seg"))
    }

    pub fn table_path(&self, number: u32) -> PathBuf {
        self.dir.join(format!("{number:010}.table"))
    }

    /// The size of a segment that is made now, in bytes. Older ones may have another.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn length(&self, number: u32) -> io::Result<u64> {
        match self.file(number) {
            Some(file) => file.length(),
            None => Ok(0),
        }
    }

    pub fn read(&self, number: u32, offset: u32, length: u32) -> io::Result<Vec<u8>> {
        let file = self
            .file(number)
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let mut bytes = vec![0; length as usize];
        file.read_exact_at(&mut bytes, u64::from(offset))?;
        Ok(bytes)
    }

    /// Zeros everything from `offset` on, and syncs.
    pub fn clear_from(&self, number: u32, offset: u64) -> io::Result<()> {
        let file = self
            .file(number)
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        write_zeros(&file, offset, file.length()?)?;
        file.sync_data()
    }

    /// Writes what is there once more, and syncs. A sync alone would not help where one has failed
    /// before: the system then takes the pages for written.
    pub fn write_again(&self, number: u32, offset: u32, length: u32) -> io::Result<()> {
        let bytes = self.read(number, offset, length)?;
        let file = self
            .file(number)
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        file.write_all_at(&bytes, u64::from(offset))?;
        file.sync_data()
    }

    /// Adds a segment, from the spare if there is one.
    ///
    /// # Errors
    /// After one that [`is_full`] it may be tried again; nothing is changed then.
    pub fn add(&self) -> io::Result<u32> {
        let number = self.last() + 1;
        if !self.has_spare() {
            self.make_spare()?;
        }
        let path = self.path(number);
        self.disk.rename(&self.spare(), &path)?;
        let file = self.disk.open(&path)?;
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        files.push(Arc::new(file));
        Ok(number)
    }

    /// Makes the spare in the background.
    pub fn make_spare_later(self: &Arc<Self>) -> io::Result<JoinHandle<io::Result<()>>> {
        let segments = Arc::clone(self);
        std::thread::Builder::new()
            .name("journal-spare".to_owned())
            .spawn(move || segments.make_spare())
    }

    pub fn make_spare(&self) -> io::Result<()> {
        if self.has_spare() {
            return Ok(());
        }
        // Filling the disk only to find that it is full would take the room of others.
        if self.free_bytes()? < self.bytes {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        let unfinished = self.unfinished();
        let made = (|| {
            let file = self.disk.create(&unfinished)?;
            write_zeros(&file, 0, self.bytes)?;
            file.sync_all()?;
            self.disk.rename(&unfinished, &self.spare())
        })();
        if made.is_err() {
            // What was written so far would only take the room that is missing.
            let _ = self.disk.remove_if_there(&unfinished);
        }
        made
    }

    pub fn has_spare(&self) -> bool {
        let length = self.disk.length(&self.spare());
        length.is_ok_and(|length| length == self.bytes)
    }

    fn spare(&self) -> PathBuf {
        self.dir.join("spare")
    }

    fn unfinished(&self) -> PathBuf {
        self.dir.join("spare.unfinished")
    }

    /// Room that the file system still has for us, in bytes.
    pub fn free_bytes(&self) -> io::Result<u64> {
        self.disk.free_bytes(&self.dir)
    }
}

/// Whether only room is missing.
pub fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

fn number_of(name: &str) -> Option<u32> {
    name.strip_suffix(".seg")?.parse().ok()
}

fn write_zeros(file: &DiskFile, from: u64, to: u64) -> io::Result<()> {
    let zeros = vec![0_u8; ZEROS_BYTES];
    let mut at = from;
    while at < to {
        let length = (to - at).min(zeros.len() as u64);
        let (part, _) = zeros.split_at(length as usize);
        file.write_all_at(part, at)?;
        at += length;
    }
    Ok(())
}
