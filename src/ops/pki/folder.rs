//! The authority's folder: what lies where, and how it changes without ever being half written.
//!
//! Every file is replaced whole, by a rename, after its bytes are on the disk. A key is written
//! once, with mode 0600, and never over another.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Kind, Listed, PkiError, Serial};
use crate::domain::time::When;

pub(super) struct Folder(PathBuf);

/// Released when it is dropped, as the file closes.
pub(super) struct Lock(#[expect(dead_code, reason = "held, not read")] File);

/// Everything that the authority must remember.
#[derive(Default)]
pub(super) struct Ledger {
    /// Of the last revocation list; they only rise.
    pub(super) list_number: u64,
    pub(super) certificates: Vec<Listed>,
}

impl Folder {
    /// Makes the folder, for its owner only, unless there is an authority in it already.
    pub(super) fn create(path: &Path) -> Result<Self, PkiError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|error| PkiError::File(path.to_owned(), error))?;
        let folder = Self(path.to_owned());
        if folder.certificate().exists() || folder.key().exists() {
            return Err(PkiError::Exists(path.to_owned()));
        }
        folder.write_ledger(&Ledger::default())?;
        Ok(folder)
    }

    pub(super) fn open(path: &Path) -> Result<Self, PkiError> {
        let folder = Self(path.to_owned());
        folder.ledger()?;
        Ok(folder)
    }

    pub(super) fn certificate(&self) -> PathBuf {
        self.0.join("ca.pem")
    }

    pub(super) fn list(&self) -> PathBuf {
        self.0.join("crl.pem")
    }

    fn key(&self) -> PathBuf {
        self.0.join("ca.key")
    }

    fn index(&self) -> PathBuf {
        self.0.join("index.json")
    }

    pub(super) fn read_certificate(&self) -> Result<Vec<u8>, PkiError> {
        read(&self.certificate())
    }

    pub(super) fn read_key(&self) -> Result<Zeroizing<Vec<u8>>, PkiError> {
        read(&self.key()).map(Zeroizing::new)
    }

    pub(super) fn write_key(&self, pem: &[u8]) -> Result<(), PkiError> {
        write_secret(&self.key(), pem)
    }

    pub(super) fn write_certificate(&self, pem: &[u8]) -> Result<(), PkiError> {
        replace(&self.certificate(), pem, 0o644)
    }

    pub(super) fn write_list(&self, pem: &[u8]) -> Result<(), PkiError> {
        replace(&self.list(), pem, 0o644)
    }

    /// Keeps other processes from changing the folder, until the lock is dropped.
    pub(super) fn lock(&self) -> Result<Lock, PkiError> {
        let path = self.0.join("lock");
        let lock = || {
            let mut options = OpenOptions::new();
            let options = options.create(true).truncate(false).write(true).mode(0o600);
            let file = options.open(&path)?;
            file.lock()?;
            Ok(Lock(file))
        };
        lock().map_err(|error| PkiError::File(path.clone(), error))
    }

    pub(super) fn ledger(&self) -> Result<Ledger, PkiError> {
        let bytes = read(&self.index())?;
        let text: LedgerText =
            serde_json::from_slice(&bytes).map_err(|_| PkiError::Damaged(self.index()))?;
        text.parse().ok_or_else(|| PkiError::Damaged(self.index()))
    }

    pub(super) fn write_ledger(&self, ledger: &Ledger) -> Result<(), PkiError> {
        let text = serde_json::to_vec_pretty(&LedgerText::of(ledger))
            .map_err(|_| PkiError::Damaged(self.index()))?;
        replace(&self.index(), &text, 0o600)
    }
}

/// The ledger as it is written down.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LedgerText {
    list_number: u64,
    certificates: Vec<ListedText>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListedText {
    serial: String,
    kind: Kind,
    name: String,
    spki_sha256: String,
    not_after: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked: Option<String>,
}

impl LedgerText {
    fn of(ledger: &Ledger) -> Self {
        let hex = |bytes: &[u8; 32]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let listed = |entry: &Listed| ListedText {
            serial: entry.serial.to_string(),
            kind: entry.kind,
            name: entry.name.clone(),
            spki_sha256: hex(&entry.spki_sha256),
            not_after: entry.not_after.rfc3339(),
            revoked: entry.revoked.map(When::rfc3339),
        };
        Self {
            list_number: ledger.list_number,
            certificates: ledger.certificates.iter().map(listed).collect(),
        }
    }

    fn parse(self) -> Option<Ledger> {
        let listed = |text: ListedText| {
            Some(Listed {
                serial: Serial::parse(&text.serial)?,
                kind: text.kind,
                name: text.name,
                spki_sha256: unhex(&text.spki_sha256)?,
                not_after: When::parse(&text.not_after)?,
                revoked: match text.revoked {
                    Some(at) => Some(When::parse(&at)?),
                    None => None,
                },
            })
        };
        Some(Ledger {
            list_number: self.list_number,
            certificates: self
                .certificates
                .into_iter()
                .map(listed)
                .collect::<Option<_>>()?,
        })
    }
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn read(path: &Path) -> Result<Vec<u8>, PkiError> {
    fs::read(path).map_err(|error| PkiError::File(path.to_owned(), error))
}

/// Writes a key or a bundle: for its owner only, and never over a file that is there.
pub fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), PkiError> {
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        sync_folder(path)
    };
    write().map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => PkiError::Exists(path.to_owned()),
        _ => PkiError::File(path.to_owned(), error),
    })
}

fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), PkiError> {
    let beside = path.with_extension("new");
    let write = || {
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        sync_folder(path)
    };
    write().map_err(|error| PkiError::File(path.to_owned(), error))
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        Some(_) | None => File::open(".")?.sync_all(),
    }
}

/// Refuses a place for a key that lies within `data_dir`, also by way of a link or of `..` (P6).
/// Neither needs to exist yet.
pub fn refuse_under(data_dir: &Path, path: &Path) -> Result<(), PkiError> {
    let real = |path: &Path| real(path).map_err(|error| PkiError::File(path.to_owned(), error));
    if real(path)?.starts_with(real(data_dir)?) {
        return Err(PkiError::KeyUnderData);
    }
    Ok(())
}

/// The path without links: what exists of it as the system resolves it, the rest as written.
fn real(path: &Path) -> io::Result<PathBuf> {
    let mut real = std::path::absolute(path)?
        .ancestors()
        .last()
        .map(Path::to_path_buf)
        .unwrap_or_default();
    for part in std::path::absolute(path)?.components() {
        match part {
            Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
            Component::ParentDir => {
                real.pop();
            }
            Component::Normal(name) => {
                real.push(name);
                match real.canonicalize() {
                    Ok(resolved) => real = resolved,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
    Ok(real)
}
