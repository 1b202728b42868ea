//! The home of a browser: a certificate imported as a person imports hers, and chosen without a
//! question.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use firedoor::ops::pki::{BundleForm, pkcs12};
use serde_json::{Value, json};
use tempfile::TempDir;

const PASSWORD: &str = "as told by telephone";

/// A home that trusts the authority of a town's address, and has no certificate of its own.
pub fn bare(bundle: &Path) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir_all(home.path().join(".pki/nssdb")).unwrap();
    let (base, authority) = (base(&home), bundle.join("ca.pem"));
    run("certutil", &["-N", "-d", &base, "--empty-password"]);
    // Whoever runs the machine trusts the authority of the address.
    let trust = ["-A", "-d", &base, "-n", "authority", "-t", "C,,", "-i"];
    run(
        "certutil",
        &[&trust[..], &[authority.to_str().unwrap()]].concat(),
    );
    home
}

fn base(home: &TempDir) -> String {
    format!("sql:{}", home.path().join(".pki/nssdb").display())
}

/// The same with the certificate of a bundle, from a file of that form.
pub fn home(bundle: &Path, form: BundleForm) -> TempDir {
    let home = bare(bundle);
    let read = |name: &str| fs::read(bundle.join(name)).unwrap();
    let name = bundle.file_name().unwrap().to_str().unwrap();
    let shown = format!("Firedoor {name}");
    let file = pkcs12(
        &read("client.pem"),
        &read("client.key"),
        &read("ca.pem"),
        &shown,
        PASSWORD,
        form,
    );
    let listed = import(&home, file.unwrap().as_slice(), PASSWORD);
    assert!(listed.contains(&shown), "{listed}");
    home
}

/// Imports a file as a person does; returns what the browser has then.
pub fn import(home: &TempDir, file: &[u8], said: &str) -> String {
    let base = base(home);
    let (at, password) = (home.path().join("her.p12"), home.path().join("password"));
    fs::write(&at, file).unwrap();
    fs::write(&password, said).unwrap();
    // As its own dialogue does.
    let import = ["-i", at.to_str().unwrap(), "-d", &base, "-w"];
    run(
        "pk12util",
        &[&import[..], &[password.to_str().unwrap()]].concat(),
    );
    // Imported, the file is deleted.
    fs::remove_file(at).unwrap();
    fs::remove_file(password).unwrap();
    run("certutil", &["-L", "-d", &base])
}

/// Where what she saves goes.
pub fn downloads(home: &Path) -> PathBuf {
    home.join("saved")
}

fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    let output = output.unwrap_or_else(|error| {
        panic!("{program}: {error}: tests/run installs it, from the package libnss3-tools")
    });
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{program} {args:?}: {said}");
    said
}

/// The settings of the profile: the one certificate that there is serves for the town.
///
/// A person is asked once for each start of the browser; nobody answers that question without a
/// screen. It is the setting that an organisation's policy `AutoSelectCertificateForUrls` sets, kept
/// in the profile, so that no file outside its home is needed.
pub fn settings(origin: &str, home: &Path) -> Value {
    let site = format!("{origin},*");
    let filters = json!({ "setting": { "filters": [{}] } });
    json!({
        "profile.content_settings.exceptions.auto_select_certificate": { site: filters },
        "download.default_directory": downloads(home),
    })
}
