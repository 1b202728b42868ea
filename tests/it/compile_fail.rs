//! Leaving out a stage must not compile. Each program in `tests/compile_fail` tries one way, against
//! this very library, and its first line names the compiler's error (`//~ E0451`).
//!
//! `rustc --emit=metadata` alone, because it needs a tenth of a second where `trybuild` builds the
//! whole tree again.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "fixtures: a failure here is a failed test"
)]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The programs, each with what its first line expects.
fn programs() -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile_fail");
    let mut found: Vec<(PathBuf, String)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let first = text
                .lines()
                .next()
                .and_then(|line| line.strip_prefix("//~ "));
            let expected = first.unwrap_or_else(|| panic!("{}: no `//~` line", path.display()));
            (path, expected.to_owned())
        })
        .collect();
    found.sort();
    found
}

/// The library that this test is linked with: the newest beside the test's own program.
fn library() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let built = |path: &PathBuf| path.metadata().and_then(|file| file.modified()).unwrap();
    fs::read_dir(program.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension() == Some(OsStr::new("rlib")))
        .filter(|path| {
            let name = path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
            name.starts_with("libfiredoor-")
        })
        .max_by_key(built)
        .unwrap_or_else(|| panic!("no libfiredoor-*.rlib beside {}", program.display()))
}

/// Whether it compiles, the error codes, and all that the compiler said.
fn compile(program: &Path, library: &Path, out: &Path) -> (bool, BTreeSet<String>, String) {
    let dependencies = library.parent().unwrap();
    let output = Command::new("rustc")
        .args(["--edition=2024", "--crate-type=lib", "--emit=metadata"])
        .arg("--out-dir")
        .arg(out)
        .arg("--extern")
        .arg(format!("firedoor={}", library.display()))
        .arg("-L")
        .arg(format!("dependency={}", dependencies.display()))
        .arg(program)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let codes = said
        .lines()
        .filter_map(|line| line.strip_prefix("error[")?.split_once(']'))
        .map(|(code, _)| code.to_owned())
        .collect();
    (output.status.success(), codes, said)
}

#[test]
fn leaving_out_a_stage_does_not_compile_and_the_control_does() {
    let library = library();
    let out = tempfile::tempdir().unwrap();
    let mut controls = 0;
    let mut wrong = Vec::new();
    for (program, expected) in programs() {
        let (compiled, codes, said) = compile(&program, &library, out.path());
        let right = if expected == "compiles" {
            controls += 1;
            compiled
        } else {
            // No other error beside it, or the program may fail for a reason of its own.
            !compiled && codes == BTreeSet::from([expected.clone()])
        };
        if !right {
            let name = program.display();
            wrong.push(format!(
                "{name}: expected {expected}, got {codes:?}\n{said}"
            ));
        }
    }
    assert_eq!(
        controls, 1,
        "one program must compile, or none proves anything"
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
