//! Copies of a journal: taken while another process writes it, and put back into an empty folder.
//!
//! Frames are only ever added, so a copy needs neither the gateway's help nor its lock. A copy is
//! never ahead of what the gateway can lose: the last frame is in it only after it was made
//! durable and read again from the disk. Nothing is put back before the whole copy is proven.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::Advice;

use super::frame::{FRAME_BYTES_MAX, Frame};
use super::marks::{Identity, Mark};
use super::recovery::holds_frame;
use crate::domain::checkpoint::{Checkpoint, LogVerifier};
use crate::domain::merkle::Tree;
use crate::domain::time::When;
use crate::store::backup::{
    CHECKPOINT, Copied, Copy, CopyError, CopyWriter, Kind, PutBack, acknowledged, sync_folder_of,
};
use crate::store::disk::Disk;
use crate::store::keys::StoreKeys;
use crate::store::names::Names;
use crate::store::restored::Restored;

const IDENTITY: &str = "identity";
/// A frame says its own length in its first bytes.
const PREFIX_BYTES: usize = 8;

/// What the frames seen so far add up to.
#[derive(Default)]
struct Chain {
    tree: Tree,
    last_frame: [u8; 32],
    note: Option<String>,
    at: i64,
}

impl Chain {
    /// Takes the next frame, if it is the next one.
    fn take(&mut self, frame: &Frame<'_>) -> Result<(), &'static str> {
        if frame.first != self.tree.size() || frame.previous != self.last_frame {
            return Err("the frame here does not follow the one before it");
        }
        for raw in frame.entries() {
            let leaf = raw.leaf();
            let leaf = leaf.ok_or("a leaf is not one that this program knows")?;
            self.at = self.at.max(leaf.when().millis());
            self.tree.append(&leaf);
        }
        self.last_frame = frame.hash();
        self.note = Some(frame.note.to_owned());
        Ok(())
    }

    /// The signed head that the leaves must add up to. `None` if there is no frame.
    fn head(&self, log: &LogVerifier) -> Result<Option<(Checkpoint, String)>, &'static str> {
        let Some(note) = &self.note else {
            return Ok(None);
        };
        let head = log.verify(note);
        let head = head.map_err(|_| "the last checkpoint is not signed by this log's key")?;
        match (head.size, head.root) == (self.tree.size(), self.tree.root()) {
            true => Ok(Some((head, note.clone()))),
            false => Err("the leaves are not those that the last checkpoint signs"),
        }
    }
}

/// Reads the frame that begins at `offset`, before `end`. Empty if there is no good one.
fn frame_at(file: &File, offset: u64, end: u64) -> io::Result<Vec<u8>> {
    let room = end.saturating_sub(offset);
    let mut prefix = [0; PREFIX_BYTES];
    if room < PREFIX_BYTES as u64 {
        return Ok(Vec::new());
    }
    file.read_exact_at(&mut prefix, offset)?;
    let (_, length) = prefix.split_at(4);
    let length = u32::from_le_bytes(length.try_into().unwrap_or_default()) as usize;
    if length > FRAME_BYTES_MAX || length as u64 > room {
        return Ok(Vec::new());
    }
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, offset)?;
    match Frame::read(&bytes) {
        Some(_) => Ok(bytes),
        None => Ok(Vec::new()),
    }
}

/// Copies the journal in `data_dir` to the new file `to`, whether or not a gateway has it open.
/// `progress` hears of the leaves copied so far. Blocks.
///
/// # Errors
/// The journal is damaged, or `to` cannot be written; then it does not exist.
pub fn backup(
    data_dir: &Path,
    keys: StoreKeys,
    to: &Path,
    made: When,
    progress: &mut dyn FnMut(u64),
) -> Result<Copied, CopyError> {
    refuse_under(data_dir, to)?;
    let names = Names::new(keys.index_key);
    let log = keys.log.verifier();
    let identity_path = Identity::path(data_dir);
    let identity = Identity::read(&Disk::Real, data_dir);
    let identity = identity.map_err(|source| CopyError::io(&identity_path, source))?;
    let identity = identity.ok_or_else(|| CopyError::NoLog(data_dir.to_owned()))?;
    if Restored::path(data_dir).exists() {
        return Err(CopyError::Unrecorded);
    }
    if identity.key_check != names.check() {
        return Err(CopyError::WrongKey(data_dir.to_owned()));
    }
    // Before the frames: what the journal had at its last start is still there.
    let least = Mark::read(&Disk::Real, data_dir).map_or(0, |mark| mark.leaves);
    let identity = std::fs::read(&identity_path);
    let identity = identity.map_err(|source| CopyError::io(&identity_path, source))?;

    let mut copy = CopyWriter::create(to)?;
    copy.add(IDENTITY, &identity)?;
    let mut chain = Chain::default();
    let mut last = None;
    for number in 1.. {
        let path = segment_path(data_dir, number);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => break,
            Err(source) => return Err(CopyError::io(&path, source)),
        };
        copy.begin(&segment_name(number))?;
        let next = segment_path(data_dir, number + 1);
        let end = copy_segment(&file, &path, &next, &mut chain, &mut copy, progress)?;
        last = Some((file, path, end));
    }
    if let Some((file, path, end)) = &last {
        confirm(file, path, *end)?;
    }
    let found = chain.tree.size();
    if found < least {
        return Err(CopyError::Shorter { least, found });
    }
    let damaged = |what| {
        let (file, byte) = match &last {
            Some((_, path, end)) => (path.clone(), *end),
            None => (data_dir.to_owned(), 0),
        };
        CopyError::Damaged { file, byte, what }
    };
    let (head, note) = chain.head(log).map_err(damaged)?.ok_or(CopyError::Empty)?;
    copy.add(CHECKPOINT, note.as_bytes())?;
    let at = When::from_millis(chain.at);
    copy.finish(&names, Kind::Embedded, &head, at, made)
}

/// Copies the frames of one segment; returns where they end.
fn copy_segment(
    file: &File,
    path: &Path,
    next: &Path,
    chain: &mut Chain,
    copy: &mut CopyWriter,
    progress: &mut dyn FnMut(u64),
) -> Result<u64, CopyError> {
    let io = |source| CopyError::io(path, source);
    let damaged = |byte, what| CopyError::Damaged {
        file: path.to_owned(),
        byte,
        what,
    };
    let end = file.metadata().map_err(io)?.len();
    let mut offset = 0;
    loop {
        // Looked for first: what was written here before there was a next segment is all there is.
        let full = next.exists();
        while let Some(bytes) = some(frame_at(file, offset, end).map_err(io)?) {
            if let Some(frame) = Frame::read(&bytes) {
                chain.take(&frame).map_err(|what| damaged(offset, what))?;
            }
            copy.write(&bytes)?;
            offset += bytes.len() as u64;
            progress(chain.tree.size());
        }
        if full || !next.exists() {
            let mut rest = vec![0; usize::try_from(end - offset).unwrap_or(0)];
            file.read_exact_at(&mut rest, offset).map_err(io)?;
            let empty = rest.iter().all(|byte| *byte == 0);
            // A frame that is being written looks torn; but behind it there is no good one, and
            // as soon as there is one it is whole itself.
            let later = !empty && (full || holds_frame(&rest));
            if later && frame_at(file, offset, end).map_err(io)?.is_empty() {
                let what = "the frame here is damaged, but later ones are not";
                return Err(damaged(offset, what));
            }
            if !later {
                return Ok(offset);
            }
        }
    }
}

fn some(bytes: Vec<u8>) -> Option<Vec<u8>> {
    (!bytes.is_empty()).then_some(bytes)
}

/// A frame can be read before it is durable, and after a sync that failed. So it is synced, what
/// the system remembers of it is dropped, and it is read again from the disk.
fn confirm(file: &File, path: &Path, end: u64) -> Result<(), CopyError> {
    let io = |source| CopyError::io(path, source);
    file.sync_data().map_err(io)?;
    // Without it the check is weaker, but no less true.
    let _ = rustix::fs::fadvise(file, 0, None, Advice::DontNeed);
    let mut offset = 0;
    while offset < end {
        let bytes = frame_at(file, offset, end).map_err(io)?;
        if bytes.is_empty() {
            return Err(CopyError::Damaged {
                file: path.to_owned(),
                byte: offset,
                what: "the disk did not keep what was written here",
            });
        }
        offset += bytes.len() as u64;
    }
    Ok(())
}

/// Puts the copy `from` back into `data_dir`, which must be empty or absent. `shown` are receipts
/// and checkpoints that somebody kept. Blocks.
///
/// # Errors
/// The copy is not whole, not ours, or of another log; nothing is written then. Or the folder
/// cannot be written; what is there then does not open, and is to be removed.
pub fn restore(
    from: &Path,
    data_dir: &Path,
    keys: StoreKeys,
    shown: &[String],
    progress: &mut dyn FnMut(u64),
) -> Result<PutBack, CopyError> {
    let names = Names::new(keys.index_key);
    let log = keys.log.verifier();
    let copy = Copy::open(from, &names, log)?;
    if copy.manifest.kind != Kind::Embedded {
        return Err(CopyError::WrongKind);
    }
    let segments = proven(&copy, &names, log, progress)?;
    let (head, _) = copy.head(log)?;
    let acknowledged = acknowledged(&head, &segments.chain.tree, log, shown)?;
    refuse_full(data_dir)?;

    let io = |source| CopyError::io(data_dir, source);
    let journal = data_dir.join("journal");
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(&journal).map_err(io)?;
    sync_folder_of(data_dir)?;
    // The mark comes first: it says how many leaves there must be, so half of them do not open.
    let mark = Restored {
        leaves: copy.manifest.leaves,
        at: copy.manifest.at,
        acknowledged,
        origin: copy.manifest.origin.clone(),
    };
    mark.write(&Disk::Real, data_dir).map_err(io)?;
    for number in 1..=segments.count {
        let path = segment_path(data_dir, number);
        write_out(&mut copy.stream(&segment_name(number))?, &path)?;
    }
    sync_folder_of(&segment_path(data_dir, 1))?;
    write_out(&mut copy.stream(IDENTITY)?, &Identity::path(data_dir))?;
    sync_folder_of(&Identity::path(data_dir))?;
    let bytes = copy.file().metadata().map_err(io)?.len();
    Ok(PutBack {
        copied: Copied {
            origin: copy.manifest.origin.clone(),
            leaves: copy.manifest.leaves,
            at: copy.manifest.at,
            bytes,
        },
        acknowledged,
    })
}

/// The frames of a copy, all of them good.
struct Proven {
    chain: Chain,
    count: u32,
}

/// Reads every frame of the copy: chain, leaves, root and signature.
fn proven(
    copy: &Copy,
    names: &Names,
    log: &LogVerifier,
    progress: &mut dyn FnMut(u64),
) -> Result<Proven, CopyError> {
    let identity = Identity::parse(&copy.read(IDENTITY)?);
    let identity = identity.ok_or_else(|| copy.changed(IDENTITY))?;
    if identity.key_check != names.check() {
        return Err(CopyError::WrongKey(copy.path().to_owned()));
    }
    let (mut chain, mut count) = (Chain::default(), 0);
    while let Some((begin, length)) = copy.place(&segment_name(count + 1)) {
        count += 1;
        let (mut offset, end) = (begin, begin + length);
        while offset < end {
            let bytes = frame_at(copy.file(), offset, end);
            let bytes = bytes.map_err(|source| CopyError::io(copy.path(), source))?;
            let taken = Frame::read(&bytes).map(|frame| chain.take(&frame));
            if !matches!(taken, Some(Ok(()))) {
                return Err(copy.changed(&segment_name(count)));
            }
            offset += bytes.len() as u64;
            progress(chain.tree.size());
        }
    }
    // Identity, checkpoint and segments; nothing else belongs in a copy of a journal.
    if copy.manifest.files.len() != count as usize + 2 {
        return Err(CopyError::NotCopy(copy.path().to_owned()));
    }
    let (head, note) = copy.head(log)?;
    match chain.head(log) {
        Ok(Some(found)) if found == (head, note) => Ok(Proven { chain, count }),
        Ok(_) | Err(_) => Err(copy.changed(CHECKPOINT)),
    }
}

fn refuse_full(data_dir: &Path) -> Result<(), CopyError> {
    let io = |source| CopyError::io(data_dir, source);
    let entries = match std::fs::read_dir(data_dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(io(source)),
    };
    for entry in entries {
        // A file system of its own begins with this folder.
        if entry.map_err(io)?.file_name() != "lost+found" {
            return Err(CopyError::NotEmpty(data_dir.to_owned()));
        }
    }
    Ok(())
}

fn refuse_under(data_dir: &Path, to: &Path) -> Result<(), CopyError> {
    let data = data_dir.canonicalize();
    let data = data.map_err(|_| CopyError::NoLog(data_dir.to_owned()))?;
    let folder = match to.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let folder = folder.canonicalize();
    let folder = folder.map_err(|source| CopyError::io(to, source))?;
    match folder.starts_with(&data) {
        true => Err(CopyError::UnderData(to.to_owned())),
        false => Ok(()),
    }
}

/// Writes a file that is not there yet, for its owner only, and makes its content durable.
fn write_out(from: &mut impl Read, path: &Path) -> Result<(), CopyError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let written = options.open(path).and_then(|mut file| {
        io::copy(from, &mut file)?;
        file.flush()?;
        file.sync_all()
    });
    written.map_err(|source| CopyError::io(path, source))
}

fn segment_path(data_dir: &Path, number: u32) -> PathBuf {
    data_dir.join("journal").join(format!("{number:010}.seg"))
}

fn segment_name(number: u32) -> String {
    format!("journal/{number:010}.seg")
}

#[cfg(test)]
mod tests;
