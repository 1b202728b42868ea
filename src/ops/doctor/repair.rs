//! What `doctor --repair` may do: copy, move aside, make stricter, renew. It deletes nothing, and
//! never changes a segment of the journal.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::Report;
use crate::domain::time::When;
use crate::ops::clock::now;
use crate::ops::config::Config;
use crate::ops::pki::{Ca, REVOCATION_LIST_DAYS};

/// Free room that a copy must leave.
const ROOM_LEFT_BYTES: u64 = 64 * 1024 * 1024;
const COPIES_MAX: u32 = 999;

/// Keys become readable by their owner only. Who read them before is not undone.
pub(super) fn modes(report: &mut Report, config: &Config) {
    for path in [&config.key_path, &config.tls.key] {
        let Ok(file) = path.metadata() else { continue };
        if !file.is_file() || file.mode() & 0o077 == 0 {
            continue;
        }
        let says = format!("{} was open to others and is now 0600", path.display());
        match fs::set_permissions(path, Permissions::from_mode(0o600)) {
            Ok(()) => {
                let todo = "if someone may have read it, it is no secret any more: replace it";
                report.warns("repair", says, todo);
            }
            Err(error) => {
                let says = format!("{}: {error}", path.display());
                report.stops("repair", says, "chmod 0600 it as its owner");
            }
        }
    }
}

/// A new list, if the authority's key is beside it. The old one is kept aside.
pub(super) fn revocation_list(report: &mut Report, config: &Config) {
    let list = &config.tls.crl;
    let Some(folder) = list
        .parent()
        .filter(|folder| folder.join("ca.key").exists())
    else {
        return;
    };
    let renewed = || -> Result<PathBuf, String> {
        let ca = Ca::open(folder).map_err(|error| error.to_string())?;
        let aside = aside(list, now());
        fs::copy(list, &aside).map_err(|error| error.to_string())?;
        ca.crl(now(), REVOCATION_LIST_DAYS)
            .map_err(|error| error.to_string())?;
        Ok(aside)
    };
    match renewed() {
        Ok(aside) => {
            let says = format!("renewed {}; the old is {}", list.display(), aside.display());
            report.good("repair", says);
        }
        Err(error) => report.warns(
            "repair",
            error,
            "run `firedoor cert crl` where the authority is",
        ),
    }
}

/// Moves the index aside; the next opening makes it anew from the journal. Whether it did.
pub(super) fn index(report: &mut Report, config: &Config) -> bool {
    let index = config.data_dir.join("index");
    if !index.exists() {
        return false;
    }
    let moved = || -> std::io::Result<PathBuf> {
        // Held while it moves, so that no gateway opens it meanwhile.
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(config.data_dir.join("lock"))?;
        lock.try_lock()?;
        let aside = aside(&index, now());
        fs::rename(&index, &aside)?;
        Ok(aside)
    };
    match moved() {
        Ok(aside) => {
            report.good(
                "repair",
                format!("the index was moved to {}", aside.display()),
            );
            true
        }
        Err(error) => {
            let says = format!("the index cannot be moved: {error}");
            report.stops("repair", says, "stop every gateway on this data_dir");
            false
        }
    }
}

/// Copies the whole data folder beside itself, then moves what is derived (index, table files,
/// spare) out of the way, so that the next opening reads the journal itself. Whether it did.
pub(super) fn set_aside(report: &mut Report, config: &Config) -> bool {
    let data = &config.data_dir;
    let done = || -> io::Result<PathBuf> {
        // Held throughout, so that no gateway writes meanwhile.
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(data.join("lock"))?;
        lock.try_lock()?;
        let copy = free_name(data)?;
        let (needed, free) = (bytes_in(data)?, free_bytes(data)?);
        if free < needed.saturating_add(ROOM_LEFT_BYTES) {
            let what = format!("{needed} bytes are needed for a copy, and {free} are free");
            return Err(io::Error::new(io::ErrorKind::StorageFull, what));
        }
        copy_folder(data, &copy)?;
        move_derived(data)?;
        Ok(copy)
    };
    match done() {
        Ok(copy) => {
            let says = format!(
                "everything in {} was copied to {}; index and table files were moved aside",
                data.display(),
                copy.display()
            );
            report.good("repair", says);
            true
        }
        Err(error) => {
            let says = format!("{} was left as it is: {error}", data.display());
            let todo = "stop every gateway on this data_dir, make room for a copy beside it, and \
                        run this again";
            report.stops("repair", says, todo);
            false
        }
    }
}

/// `<data_dir>.damaged-<n>`, the first that is not there.
fn free_name(data: &Path) -> io::Result<PathBuf> {
    let name = data.file_name().unwrap_or_default();
    let named = (1..=COPIES_MAX).map(|number| {
        let mut name = name.to_owned();
        name.push(format!(".damaged-{number}"));
        data.with_file_name(name)
    });
    let mut free = named.filter(|path| !path.exists());
    free.next()
        .ok_or_else(|| io::Error::other("there are too many copies beside it; move them away"))
}

fn bytes_in(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0_u64;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        bytes = bytes.saturating_add(match entry.file_type()?.is_dir() {
            true => bytes_in(&entry.path())?,
            false => entry.metadata()?.len(),
        });
    }
    Ok(bytes)
}

fn free_bytes(folder: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(folder)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// With modes, and durable when it returns.
fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
            File::open(&target)?.sync_all()?;
        }
    }
    File::open(to)?.sync_all()
}

fn move_derived(data: &Path) -> io::Result<()> {
    let at = now();
    let journal = data.join("journal");
    let mut derived = vec![data.join("index"), journal.join("spare")];
    for entry in fs::read_dir(&journal)? {
        let path = entry?.path();
        if path.extension().is_some_and(|kind| kind == "table") {
            derived.push(path);
        }
    }
    for path in derived.iter().filter(|path| path.exists()) {
        fs::rename(path, aside(path, at))?;
    }
    File::open(journal)?.sync_all()
}

/// A name beside it that nothing has yet.
fn aside(path: &Path, at: When) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".aside-{}", at.millis()));
    path.with_file_name(name)
}
