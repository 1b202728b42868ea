//! Step 12: `firedoor-verify` on a receipt, on the whole log, and on a copy that someone changed.
//!
//! The program is run as an outsider runs it, on files; nothing of the gateway helps it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

use super::DemoError;
use super::borough::{folder, write};
use super::witnesses::POLICY_FILE;
use crate::domain::leaf::LEAF_BYTES;
use crate::domain::receipt::Receipt;
use crate::domain::tiles::{TILE_WIDTH, TileKind, TilePath};
use crate::ops::client::caller::Caller;
use crate::ops::client::export;

const NAME: &str = "firedoor-verify";
/// The file with the log's public key, outside every copy of the log.
pub const KEY_FILE: &str = "gateway.vkey";

/// The verifier, or its being built.
pub struct Verifier {
    path: PathBuf,
    building: tokio::sync::Mutex<Option<Child>>,
}

impl Verifier {
    /// Looks beside this program. `cargo run` builds one program only: then it is built meanwhile,
    /// with the same settings, while the story is played.
    pub fn find() -> Result<Self, DemoError> {
        let here = std::env::current_exe().map_err(DemoError::Io)?;
        let folder = here.parent().unwrap_or(Path::new(".")).to_owned();
        let path = folder.join(NAME);
        let cargo = std::env::var_os("CARGO");
        let source = std::env::var_os("CARGO_MANIFEST_DIR");
        let building = match (cargo, source) {
            (Some(cargo), Some(source)) => {
                let mut build = Command::new(cargo);
                build
                    .args(["build", "--quiet", "--offline", "--bin", NAME])
                    .current_dir(source)
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .kill_on_drop(true);
                if folder.file_name().is_some_and(|name| name == "release") {
                    build.arg("--release");
                }
                build.spawn().ok()
            }
            (_, _) => None,
        };
        Ok(Self {
            path,
            building: tokio::sync::Mutex::new(building),
        })
    }

    /// The program, once it is there.
    async fn ready(&self) -> Result<&Path, DemoError> {
        if let Some(mut child) = self.building.lock().await.take() {
            // Whether it was built shows by its being there.
            drop(child.wait().await);
        }
        if self.path.exists() {
            Ok(&self.path)
        } else {
            Err(DemoError::NoVerifier(self.path.clone()))
        }
    }
}

/// What the verifier said of one thing.
pub struct Verdict {
    pub status: i32,
    /// Its first line, which is one plain sentence.
    pub said: String,
}

/// What was found in step 12.
pub struct Found {
    pub receipt: Verdict,
    pub log: Verdict,
    pub tampered: Verdict,
    pub entries: u64,
    /// The entry of which one bit was flipped.
    pub flipped: u64,
}

/// Exports the log, checks it and the receipt, then changes a copy and checks that.
///
/// # Errors
/// [`DemoError`] if the verifier is missing or a file cannot be written.
pub async fn check(
    caller: &mut Caller,
    dir: &Path,
    receipt: &str,
    verifier: &Verifier,
) -> Result<Found, DemoError> {
    let program = verifier.ready().await?;
    let (key, policy) = (dir.join(KEY_FILE), dir.join(POLICY_FILE));
    let seen = Path::new("--witnesses");
    let log = dir.join("export");
    folder(&dir.join("receipts"))?;
    let file = dir.join("receipts/step-2.receipt");
    write(&file, receipt.as_bytes())?;
    let entries = export::log(caller, &log).await?;
    let flipped = Receipt::parse(receipt).map_or(0, |receipt| receipt.proof.index);
    let copy = dir.join("export-changed");
    copy_folder(&log, &copy)?;
    flip(&copy, entries, flipped)?;
    Ok(Found {
        receipt: run(
            program,
            &[
                "receipt".as_ref(),
                &file,
                seen,
                &policy,
                "--log".as_ref(),
                &log,
            ],
            &key,
        )
        .await?,
        log: run(program, &["log".as_ref(), &log, seen, &policy], &key).await?,
        tampered: run(program, &["log".as_ref(), &copy], &key).await?,
        entries,
        flipped,
    })
}

async fn run(program: &Path, what: &[&Path], key: &Path) -> Result<Verdict, DemoError> {
    let output = Command::new(program)
        .args(what)
        .arg("--key")
        .arg(key)
        .output()
        .await
        .map_err(|error| DemoError::File(program.to_owned(), error))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(Verdict {
        status: output.status.code().unwrap_or(-1),
        said: text.lines().next().unwrap_or_default().to_owned(),
    })
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), DemoError> {
    let fault = |error| DemoError::File(from.to_owned(), error);
    folder(to)?;
    for entry in fs::read_dir(from).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let target = to.join(entry.file_name());
        if entry.file_type().map_err(fault)?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).map_err(fault)?;
        }
    }
    Ok(())
}

/// Flips one bit in the middle of one entry.
fn flip(log: &Path, entries: u64, index: u64) -> Result<(), DemoError> {
    let tile = index / TILE_WIDTH;
    let path = log.join(
        TilePath {
            kind: TileKind::Entries,
            index: tile,
            width: TILE_WIDTH.min(entries.saturating_sub(tile * TILE_WIDTH)),
        }
        .to_string(),
    );
    let fault = |error| DemoError::File(path.clone(), error);
    let mut bytes = fs::read(&path).map_err(fault)?;
    let record = usize::try_from(index % TILE_WIDTH).unwrap_or(0) * (LEAF_BYTES + 2);
    if let Some(byte) = bytes.get_mut(record + 2 + LEAF_BYTES / 2) {
        *byte ^= 1;
    }
    fs::write(&path, bytes).map_err(fault)
}
