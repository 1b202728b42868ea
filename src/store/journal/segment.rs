//! The files that frames lie in: numbered from 1, zeroed and synced before they are used.
//!
//! A segment is written from its beginning, never over a frame. What follows the last frame is
//! zeros. Only making the *next* segment may fail and be tried again (a full disk); every other
//! error is for the writer to stop at.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;

const ZEROS_BYTES: usize = 1024 * 1024;

/// The segments of one journal.
pub struct Segments {
    dir: PathBuf,
    bytes: u64,
    /// `files[n - 1]` is segment `n`.
    files: RwLock<Vec<Arc<File>>>,
    #[cfg(test)]
    pub full: Arc<std::sync::atomic::AtomicBool>,
}

impl Segments {
    /// Opens all segments in `dir`, which must be numbered without a gap.
    pub fn open(dir: &Path, bytes: u64) -> io::Result<Self> {
        let found = Self {
            dir: dir.to_owned(),
            bytes,
            files: RwLock::new(Vec::new()),
            #[cfg(test)]
            full: Arc::default(),
        };
        remove_if_there(&found.unfinished())?;
        let highest = std::fs::read_dir(dir)?
            .filter_map(|entry| number_of(&entry.ok()?.path()))
            .max();
        let mut files = Vec::new();
        for number in 1..=highest.unwrap_or(0) {
            let path = found.path(number);
            let file = OpenOptions::new().read(true).write(true).open(&path);
            files.push(Arc::new(file.map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", path.display()))
            })?));
        }
        Ok(Self {
            files: RwLock::new(files),
            ..found
        })
    }

    /// The number of the last segment; 0 if there is none.
    pub fn last(&self) -> u32 {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        files.len() as u32
    }

    pub fn file(&self, number: u32) -> Option<Arc<File>> {
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
            Some(file) => Ok(file.metadata()?.len()),
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
        write_zeros(&file, offset, file.metadata()?.len())?;
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
        std::fs::rename(self.spare(), &path)?;
        sync_parent(&path)?;
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
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
            let file = File::create(&unfinished)?;
            write_zeros(&file, 0, self.bytes)?;
            file.sync_all()?;
            std::fs::rename(&unfinished, self.spare())?;
            sync_parent(&unfinished)
        })();
        if made.is_err() {
            // What was written so far would only take the room that is missing.
            let _ = remove_if_there(&unfinished);
        }
        made
    }

    fn has_spare(&self) -> bool {
        std::fs::metadata(self.spare()).is_ok_and(|meta| meta.len() == self.bytes)
    }

    fn spare(&self) -> PathBuf {
        self.dir.join("spare")
    }

    fn unfinished(&self) -> PathBuf {
        self.dir.join("spare.unfinished")
    }

    /// Room that the file system still has for us, in bytes.
    pub fn free_bytes(&self) -> io::Result<u64> {
        let found = rustix::fs::statvfs(&self.dir)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    /// Replaces the handle of the last segment by one that cannot be written.
    #[cfg(test)]
    pub fn break_disk(&self) {
        let read_only = File::open(self.path(self.last())).unwrap();
        *self.files.write().unwrap().last_mut().unwrap() = Arc::new(read_only);
    }
}

fn number_of(path: &Path) -> Option<u32> {
    let name = path.file_name()?.to_str()?;
    name.strip_suffix(".seg")?.parse().ok()
}

fn write_zeros(file: &File, from: u64, to: u64) -> io::Result<()> {
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

fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes a new name in a directory durable.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

/// Writes a small file so that after a crash there is either the old or the new one.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let file = File::create(&new)?;
    file.write_all_at(bytes, 0)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    sync_parent(path)
}
