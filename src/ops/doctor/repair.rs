//! What `doctor --repair` may do: move aside, make stricter, renew. It deletes nothing.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::Report;
use crate::domain::time::When;
use crate::ops::clock::now;
use crate::ops::config::Config;
use crate::ops::pki::{Ca, REVOCATION_LIST_DAYS};

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

/// A name beside it that nothing has yet.
fn aside(path: &Path, at: When) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".aside-{}", at.millis()));
    path.with_file_name(name)
}
