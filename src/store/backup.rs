//! A copy of a store as one file: everything but keys, as it was at one signed checkpoint.
//!
//! ```text
//! checkpoint | identity | journal/0000000001.seg ...      embedded: each cut after its last frame
//! checkpoint | tables/<table>/0000000001 ...              PostgreSQL: rows, see postgres/copying.rs
//! manifest                                                last, with the hash of all before it
//! ```
//! A plain tar. No key ever goes in: neither item keys nor the root key, nor anything that one of
//! them could be made from. A copy is written beside its name and takes the name only when all of
//! it is durable, so that what carries the name is whole.

mod manifest;
mod tar;

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

pub(in crate::store) use self::manifest::{FileEntry, Kind, Manifest};

use self::manifest::BadManifest;
use self::tar::{BLOCK_BYTES, Header, padding};
use super::names::Names;
use crate::domain::checkpoint::{Checkpoint, LogVerifier};
use crate::domain::merkle::Tree;
use crate::domain::rollback::{Shown, compare, signed_head};
use crate::domain::time::When;

const MANIFEST: &str = "manifest";
pub(in crate::store) const CHECKPOINT: &str = "checkpoint";
/// A line a file, and a file a segment of at least 16 KiB.
const MANIFEST_BYTES_MAX: u64 = 64 * 1024 * 1024;
const BUFFER_BYTES: usize = 1024 * 1024;

/// Why a copy is not made or not taken; for the operator.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error("{0} is there already: name a new file")]
    Exists(PathBuf),
    #[error("{0} is being written by another process")]
    Busy(PathBuf),
    #[error("{0} lies under data_dir: a copy that is lost with the data is none")]
    UnderData(PathBuf),
    #[error("there is no log in {0}: is data_dir right?")]
    NoLog(PathBuf),
    #[error("the log has no entry yet: there is nothing to copy")]
    Empty,
    #[error("{file} is damaged at byte {byte}: {what}; run `firedoor doctor`")]
    Damaged {
        file: PathBuf,
        byte: u64,
        what: &'static str,
    },
    #[error(
        "the log had at least {least} entries and ends here with {found}; run `firedoor doctor`"
    )]
    Shorter { least: u64, found: u64 },
    #[error("{0} is not a copy that `firedoor backup` made, or it was changed")]
    NotCopy(PathBuf),
    #[error("{0} ends too early: it was cut; take another copy")]
    Cut(PathBuf),
    #[error("{0} goes on after its end: it was changed; take another copy")]
    Trailing(PathBuf),
    #[error("{name} in {file} is not what the copy was made with: take another copy")]
    Changed { file: PathBuf, name: String },
    #[error("{0} was made by a newer program: restore it with that one")]
    Newer(PathBuf),
    #[error("{0} was made with another root key: put back the root key from your safe (keys.path)")]
    WrongKey(PathBuf),
    #[error("the copy is of the log {copy}, and log.origin names {own}")]
    WrongOrigin { copy: String, own: String },
    #[error(
        "the copy is of the other kind of store: restore it where it came from, then `firedoor migrate`"
    )]
    WrongKind,
    #[error("{0} is not empty: a copy is never restored over anything; move it away first")]
    NotEmpty(PathBuf),
    #[error(
        "what was shown parted from this log: the copy is of another log with the same name and key"
    )]
    Forked,
    #[error("what was shown is no receipt or checkpoint of this log: it proves nothing about it")]
    NotShown,
    #[error(
        "the store was restored and its log does not say so yet: start the gateway once, then copy it"
    )]
    Unrecorded,
    #[error("the main database holds a log: a copy is never put over one; name an empty database")]
    NotEmptyDatabase,
    #[error(
        "the slots database is not the one of this copy, or older than it: without its keys \
         nothing in the copy can be opened, ever; put back the newest one"
    )]
    SlotsMissing,
    #[error("the slots database belongs to another store: name an empty one")]
    NotEmptySlots,
    #[error("the database: {0}")]
    Database(String),
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
}

impl CopyError {
    pub(in crate::store) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

/// What was copied, to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    pub origin: String,
    pub leaves: u64,
    /// Time of the last entry.
    pub at: When,
    /// Of the copy's file.
    pub bytes: u64,
}

/// What putting back a copy came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutBack {
    pub copied: Copied,
    /// At least so many entries were acknowledged; more than the copy has if somebody showed it.
    pub acknowledged: u64,
}

/// How many entries were acknowledged at least, as `shown` proves: receipts and checkpoints that
/// somebody kept. `own` and `tree` are those of the copy.
pub(in crate::store) fn acknowledged(
    own: &Checkpoint,
    tree: &Tree,
    log: &LogVerifier,
    shown: &[String],
) -> Result<u64, CopyError> {
    let mut most = own.size;
    for text in shown {
        let head = signed_head(log, text).ok_or(CopyError::NotShown)?;
        match compare(own, &head, tree.root_at(head.size)) {
            Shown::Same | Shown::Older => {}
            Shown::Larger => most = most.max(head.size),
            Shown::Forked => return Err(CopyError::Forked),
            Shown::NotOurs => return Err(CopyError::NotShown),
        }
    }
    Ok(most)
}

/// A copy in the making. Dropped before [`CopyWriter::finish`], it leaves nothing behind.
pub(in crate::store) struct CopyWriter {
    path: PathBuf,
    partial: PathBuf,
    file: BufWriter<File>,
    at: u64,
    files: Vec<FileEntry>,
    open: Option<Open>,
    finished: bool,
}

/// The file that is being added.
struct Open {
    name: String,
    header_at: u64,
    length: u64,
    hash: Sha256,
}

impl CopyWriter {
    pub fn create(path: &Path) -> Result<Self, CopyError> {
        if path.symlink_metadata().is_ok() {
            return Err(CopyError::Exists(path.to_owned()));
        }
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let io = |source| CopyError::io(&partial, source);
        // What a copy that was interrupted left under this name is of no use.
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.mode(0o600).open(&partial).map_err(io)?;
        if file.try_lock().is_err() {
            return Err(CopyError::Busy(partial));
        }
        file.set_len(0).map_err(io)?;
        Ok(Self {
            path: path.to_owned(),
            partial,
            file: BufWriter::with_capacity(BUFFER_BYTES, file),
            at: 0,
            files: Vec::new(),
            open: None,
            finished: false,
        })
    }

    /// Adds a file whose content follows by [`CopyWriter::write`], until the next one begins.
    pub fn begin(&mut self, name: &str) -> Result<(), CopyError> {
        self.end()?;
        self.open = Some(Open {
            name: name.to_owned(),
            header_at: self.at,
            length: 0,
            hash: Sha256::new(),
        });
        // Its header, once the length is known.
        self.put(&[0; BLOCK_BYTES])
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), CopyError> {
        if let Some(open) = &mut self.open {
            open.length += bytes.len() as u64;
            open.hash.update(bytes);
        }
        self.put(bytes)
    }

    pub fn add(&mut self, name: &str, bytes: &[u8]) -> Result<(), CopyError> {
        self.begin(name)?;
        self.write(bytes)?;
        self.end()
    }

    /// Adds the manifest, makes all of it durable, and gives it its name.
    pub fn finish(
        mut self,
        names: &Names,
        kind: Kind,
        head: &Checkpoint,
        at: When,
        made: When,
    ) -> Result<Copied, CopyError> {
        self.end()?;
        let manifest = Manifest {
            kind,
            origin: head.origin.clone(),
            leaves: head.size,
            at,
            made,
            files: std::mem::take(&mut self.files),
        };
        self.add(MANIFEST, manifest.to_text(names).as_bytes())?;
        self.put(&[0; 2 * BLOCK_BYTES])?;
        let io = |source| CopyError::io(&self.partial, source);
        self.file.flush().map_err(io)?;
        self.file.get_ref().sync_all().map_err(io)?;
        if self.path.symlink_metadata().is_ok() {
            return Err(CopyError::Exists(self.path.clone()));
        }
        std::fs::rename(&self.partial, &self.path).map_err(io)?;
        self.finished = true;
        sync_folder_of(&self.path)?;
        Ok(Copied {
            origin: head.origin.clone(),
            leaves: head.size,
            at,
            bytes: self.at,
        })
    }

    fn end(&mut self) -> Result<(), CopyError> {
        let Some(Open {
            name,
            header_at,
            length,
            hash,
        }) = self.open.take()
        else {
            return Ok(());
        };
        self.put([0; BLOCK_BYTES].get(..padding(length)).unwrap_or_default())?;
        let header = Header {
            name: name.clone(),
            length,
        };
        let too_large = || io::Error::from(ErrorKind::FileTooLarge);
        let header = header.to_block().ok_or_else(too_large);
        let io = |source| CopyError::io(&self.partial, source);
        self.file.flush().map_err(io)?;
        self.file
            .get_ref()
            .write_all_at(&header.map_err(io)?, header_at)
            .map_err(io)?;
        self.files.push(FileEntry {
            name,
            length,
            sha256: hash.finalize().into(),
        });
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), CopyError> {
        let written = self.file.write_all(bytes);
        written.map_err(|source| CopyError::io(&self.partial, source))?;
        self.at += bytes.len() as u64;
        Ok(())
    }
}

impl Drop for CopyWriter {
    fn drop(&mut self) {
        if !self.finished {
            // On a full disk what was written would only take room.
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

/// A copy that was read to its end: its files are those of its manifest, and we made it.
pub(in crate::store) struct Copy {
    path: PathBuf,
    file: File,
    pub manifest: Manifest,
    /// Where each file of the manifest begins.
    begins: Vec<u64>,
}

impl Copy {
    /// Reads and checks the whole. What the files hold is for the backend to check.
    pub fn open(path: &Path, names: &Names, log: &LogVerifier) -> Result<Self, CopyError> {
        let io = |source| CopyError::io(path, source);
        let file = File::open(path).map_err(io)?;
        let mut from = BufReader::with_capacity(BUFFER_BYTES, file.try_clone().map_err(io)?);
        let (mut found, mut begins, mut at) = (Vec::new(), Vec::new(), 0_u64);
        let cut = || CopyError::Cut(path.to_owned());
        let text = loop {
            let mut block = [0; BLOCK_BYTES];
            read_exact(&mut from, &mut block, path)?;
            let header = Header::parse(&block);
            let header = header.ok_or_else(|| CopyError::NotCopy(path.to_owned()))?;
            at += BLOCK_BYTES as u64;
            begins.push(at);
            let is_manifest = header.name == MANIFEST;
            if is_manifest && header.length > MANIFEST_BYTES_MAX {
                return Err(CopyError::NotCopy(path.to_owned()));
            }
            let mut text = Vec::new();
            let sha256 = read_file(
                &mut from,
                header.length,
                is_manifest.then_some(&mut text),
                path,
            )?;
            at += header.length + padding(header.length) as u64;
            if is_manifest {
                break text;
            }
            let Header { name, length } = header;
            found.push(FileEntry {
                name,
                length,
                sha256,
            });
        };
        let mut end = Vec::new();
        from.take(2 * BLOCK_BYTES as u64 + 1)
            .read_to_end(&mut end)
            .map_err(io)?;
        if end.len() < 2 * BLOCK_BYTES {
            return Err(cut());
        }
        if end.len() > 2 * BLOCK_BYTES || end.iter().any(|byte| *byte != 0) {
            return Err(CopyError::Trailing(path.to_owned()));
        }
        let text = String::from_utf8(text).unwrap_or_default();
        let manifest = Manifest::parse(&text, names).map_err(|bad| match bad {
            BadManifest::Newer => CopyError::Newer(path.to_owned()),
            BadManifest::Key => CopyError::WrongKey(path.to_owned()),
            BadManifest::Changed => CopyError::Changed {
                file: path.to_owned(),
                name: MANIFEST.to_owned(),
            },
        })?;
        // The first that differs, or the first that one of them lacks.
        let most = found.len().max(manifest.files.len());
        if let Some(wrong) = (0..most).find(|n| found.get(*n) != manifest.files.get(*n)) {
            let entry = manifest.files.get(wrong).or_else(|| found.get(wrong));
            return Err(CopyError::Changed {
                file: path.to_owned(),
                name: entry.map(|entry| entry.name.clone()).unwrap_or_default(),
            });
        }
        if manifest.origin != log.origin() {
            return Err(CopyError::WrongOrigin {
                copy: manifest.origin,
                own: log.origin().to_owned(),
            });
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            manifest,
            begins,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    /// Where the file lies within the copy, and its length.
    pub fn place(&self, name: &str) -> Option<(u64, u64)> {
        let files = self.manifest.files.iter().zip(&self.begins);
        let mut found = files.filter(|(entry, _)| entry.name == name);
        found.next().map(|(entry, begin)| (*begin, entry.length))
    }

    /// The whole of a small file.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, CopyError> {
        let (begin, length) = self.place(name).ok_or_else(|| self.changed(name))?;
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        let read = self.file.read_exact_at(&mut bytes, begin);
        read.map_err(|source| CopyError::io(&self.path, source))?;
        Ok(bytes)
    }

    /// The signed head of the copy, which the manifest must name.
    pub fn head(&self, log: &LogVerifier) -> Result<(Checkpoint, String), CopyError> {
        let note = String::from_utf8(self.read(CHECKPOINT)?).unwrap_or_default();
        let head = log.verify(&note).ok();
        let head = head.filter(|head| head.size == self.manifest.leaves);
        Ok((head.ok_or_else(|| self.changed(CHECKPOINT))?, note))
    }

    pub fn changed(&self, name: &str) -> CopyError {
        CopyError::Changed {
            file: self.path.clone(),
            name: name.to_owned(),
        }
    }

    /// A file of the copy, from its beginning.
    pub fn stream(&self, name: &str) -> Result<impl Read + use<>, CopyError> {
        let (begin, length) = self.place(name).ok_or_else(|| self.changed(name))?;
        let io = |source| CopyError::io(&self.path, source);
        let mut file = File::open(&self.path).map_err(io)?;
        file.seek(SeekFrom::Start(begin)).map_err(io)?;
        Ok(BufReader::with_capacity(BUFFER_BYTES, file).take(length))
    }
}

/// Hashes a file and skips what fills its last block, which must be zeros.
fn read_file(
    from: &mut impl Read,
    length: u64,
    mut keep: Option<&mut Vec<u8>>,
    path: &Path,
) -> Result<[u8; 32], CopyError> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut left = length;
    while left > 0 {
        let part = left.min(buffer.len() as u64) as usize;
        let (part, _) = buffer.split_at_mut(part);
        read_exact(from, part, path)?;
        hash.update(&*part);
        if let Some(keep) = &mut keep {
            keep.extend_from_slice(part);
        }
        left -= part.len() as u64;
    }
    let mut rest = vec![0; padding(length)];
    read_exact(from, &mut rest, path)?;
    match rest.iter().all(|byte| *byte == 0) {
        true => Ok(hash.finalize().into()),
        false => Err(CopyError::NotCopy(path.to_owned())),
    }
}

fn read_exact(from: &mut impl Read, bytes: &mut [u8], path: &Path) -> Result<(), CopyError> {
    from.read_exact(bytes).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => CopyError::Cut(path.to_owned()),
        _ => CopyError::io(path, error),
    })
}

/// Makes a new name durable.
pub(in crate::store) fn sync_folder_of(path: &Path) -> Result<(), CopyError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|source| CopyError::io(folder, source))
}

/// A header with a right checksum, for a test that changes a copy.
#[cfg(test)]
pub(in crate::store) fn test_header(name: &str, length: u64) -> [u8; BLOCK_BYTES] {
    let name = name.to_owned();
    Header { name, length }.to_block().unwrap()
}
