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
    #[cfg(test)]
    pub full: Arc<std::sync::atomic::AtomicBool>,
}

impl Segments {
    /// Opens all segments in `dir`, which must be numbered without a gap.
    pub fn open(disk: &Disk, dir: &Path, bytes: u64) -> io::Result<Self> {
        let found = Self {
            disk: disk.clone(),
            dir: dir.to_owned(),
            bytes,
            files: RwLock::new(Vec::new()),
            #[cfg(test)]
            full: Arc::default(),
        };
        disk.remove_if_there(&found.unfinished())?;
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

    /// Adds a segment, from the spare if there is one. May fail for want of room and be tried
    /// again; nothing is changed then.
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
        #[cfg(test)]
        if self.full.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
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

    fn has_spare(&self) -> bool {
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

    /// Replaces the handle of the last segment by one that cannot be written.
    #[cfg(test)]
    pub fn break_disk(&self) {
        let read_only = std::fs::File::open(self.path(self.last())).unwrap();
        *self.files.write().unwrap().last_mut().unwrap() = Arc::new(DiskFile::Real(read_only));
    }
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
