//! What must be right before the journal opens, and how it is told to the operator if it is not.

use std::path::{Path, PathBuf};

use super::SEGMENT_BYTES_MIN;
use super::marks::Identity;
use crate::store::Fault;
use crate::store::disk::{Disk, DiskFile};
use crate::store::names::Names;
use crate::store::slots::fill_random;

/// Why the journal does not open; for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{0} is in use by another process")]
    InUse(PathBuf),
    #[error(
        "the slot file {0} lies under the data directory; put it where its backups do not reach"
    )]
    SlotsUnderData(PathBuf),
    #[error("the slot file {0} can be read by others; set its mode to 0600")]
    SlotsMode(PathBuf),
    #[error("the slot file {0} does not belong to this journal, or the slot key is another one")]
    SlotsKey(PathBuf),
    #[error(
        "{missing} item keys are missing from the slot file {file}: it is older than the journal, \
         or the journal was restored from a copy and they were erased since; put back the newest \
         copy of both, because a lost key could hide a withdrawal"
    )]
    KeysMissing { file: PathBuf, missing: u64 },
    #[error(
        "the slot file {0} is missing although there is a log: without it nothing that is stored \
         can be opened, ever. Put back the newest one, or the copy that was made with the backup. \
         If there is none, the records are lost: keep this folder as the proof of the log, and \
         begin anew with an empty data_dir and a new log.origin"
    )]
    SlotsMissing(PathBuf),
    #[error(
        "the key to the names in {file} from byte {byte} on is missing from the slot file, or damaged \
         there (slot {slot}): the slot file is older than the journal, or another one; put back the \
         newest copy of it. Without that key nobody can say what these entries changed, and a \
         withdrawal could be among them"
    )]
    NamesKeyMissing { file: PathBuf, byte: u64, slot: u64 },
    #[error(
        "at least {acknowledged} entries of the log {origin} were acknowledged, and this copy had \
         {leaves}: to go on under the same name would fork it for whoever holds the larger one. \
         Set log.origin to a new name (such as {origin}-2), which two people of two organisations \
         must agree to (firedoor log succeed), and give agencies the new log key"
    )]
    RolledBack {
        origin: String,
        leaves: u64,
        acknowledged: u64,
    },
    #[error(
        "{0} says that this store moved to PostgreSQL: start the gateway with that configuration. \
         Remove the file only if nothing was ever recorded there: two stores that go on with one \
         log would fork it"
    )]
    Moved(PathBuf),
    #[error("the index key is not the one that this journal was made with")]
    IndexKey,
    #[error("{0} is missing although there are segments; restore it from a copy")]
    IdentityMissing(PathBuf),
    #[error(
        "{0} was written by an earlier build; start it with that build. No copy of that time opens \
         here either"
    )]
    EarlierBuild(PathBuf),
    #[error("{file} is damaged at byte {byte}: {what}; restore the journal from a copy")]
    Damaged {
        file: PathBuf,
        byte: u64,
        what: &'static str,
    },
    #[error(
        "{file} is damaged at byte {byte}: the journal had at least {least} leaves and ends here \
         with {found}; restore it from a copy"
    )]
    Shorter {
        file: PathBuf,
        byte: u64,
        least: u64,
        found: u64,
    },
    #[error("{file}: {fault}")]
    Slots { file: PathBuf, fault: Fault },
    #[error("a segment must have {SEGMENT_BYTES_MIN} bytes to 1 GiB")]
    SegmentBytes,
    #[error("{path}: {source}")]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{0}")]
    Index(Fault),
}

impl OpenError {
    pub(in crate::store) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

/// Two processes that write one journal would destroy it.
pub(super) fn lock(disk: &Disk, data_dir: &Path) -> Result<DiskFile, OpenError> {
    let path = data_dir.join("lock");
    let file = disk.open_or_create(&path);
    let file = file.map_err(|source| OpenError::io(&path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => Err(OpenError::InUse(data_dir.to_owned())),
    }
}

pub(super) fn refuse_slots_under(
    disk: &Disk,
    data_dir: &Path,
    slots: &Path,
) -> Result<(), OpenError> {
    let io = |source| OpenError::io(slots, source);
    let data = disk.canonical(data_dir).map_err(io)?;
    // The file itself may be a link that leads back.
    let place = match disk.canonical(slots) {
        Ok(path) => path,
        Err(_) => match slots.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => disk.canonical(parent).map_err(io)?,
            _ => disk.canonical(Path::new(".")).map_err(io)?,
        },
    };
    match place.starts_with(&data) {
        true => Err(OpenError::SlotsUnderData(slots.to_owned())),
        false => Ok(()),
    }
}

pub(super) fn identity(
    disk: &Disk,
    data_dir: &Path,
    names: &Names,
    has_segments: bool,
) -> Result<Identity, OpenError> {
    let path = Identity::path(data_dir);
    let io = |source| OpenError::io(&path, source);
    match Identity::read(disk, data_dir).map_err(io)? {
        Some(found) if found.key_check != names.check() => Err(OpenError::IndexKey),
        Some(found) => Ok(found),
        None if has_segments => Err(OpenError::IdentityMissing(path)),
        None => {
            let mut id = [0; 16];
            fill_random(&mut id).map_err(io)?;
            let key_check = names.check();
            let made = Identity { id, key_check };
            made.write(disk, data_dir).map_err(io)?;
            Ok(made)
        }
    }
}
