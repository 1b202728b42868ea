//! The files of a new gateway: configuration, root key, authority, server certificate.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::domain::time::When;
use crate::ops::cert::write_new;
use crate::ops::cli::CommandError;
use crate::ops::config::Config;
use crate::ops::keys::RootKey;
use crate::ops::pki::{
    AUTHORITY_DAYS_MAX, CERTIFICATE_DAYS_MAX, Ca, Profile, key_and_csr, write_secret,
};

/// The explained configuration, in which three lines are set.
const COMMENTED: &str = include_str!("../../../deploy/firedoor.toml");

/// What differs from one gateway to the next.
pub struct Plan {
    /// The log's name, for ever.
    pub origin: String,
    /// Names of the server certificate; at least one.
    pub hosts: Vec<String>,
    pub addresses: Vec<IpAddr>,
    pub listen: SocketAddr,
}

/// A new gateway's folder.
pub struct House {
    pub dir: PathBuf,
    pub config: PathBuf,
    pub ca: Ca,
}

impl House {
    /// Makes `firedoor.toml`, `keys/`, `data/`, `ca/` and `tls/`, each folder for its owner only.
    ///
    /// # Errors
    /// The folder holds anything already, or the plan makes no valid configuration.
    pub fn make(dir: &Path, plan: &Plan, now: When) -> Result<Self, CommandError> {
        let text = configuration(plan);
        let config = dir.join("firedoor.toml");
        // Before anything is written.
        let parsed = Config::parse(&text, &config)?;
        let told = |error: io::Error| format!("{}: {error}", dir.display());
        make_folder(dir).map_err(told)?;
        if fs::read_dir(dir).map_err(told)?.next().is_some() {
            let dir = dir.display();
            return Err(format!("{dir} is not empty: name a new folder").into());
        }
        for name in ["keys", "data", "tls"] {
            make_folder(&dir.join(name)).map_err(told)?;
        }
        RootKey::create(&parsed.key_path)?;
        let first = plan.hosts.first().map_or("gateway", String::as_str);
        let short: String = format!("{first} clients").chars().take(64).collect();
        let ca = Ca::create(&dir.join("ca"), &short, now, AUTHORITY_DAYS_MAX)?;
        let (key, request) = key_and_csr("gateway")?;
        let profile = Profile::Server {
            hosts: plan.hosts.clone(),
            addresses: plan.addresses.clone(),
        };
        let issued = ca.issue(request.as_bytes(), &profile, now, CERTIFICATE_DAYS_MAX)?;
        write_secret(&parsed.tls.key, &key)?;
        write_new(&parsed.tls.certificate, issued.pem.as_bytes())?;
        write_new(&config, text.as_bytes())?;
        Ok(Self {
            dir: dir.to_owned(),
            config,
            ca,
        })
    }

    /// The log's public key, as agencies pin it.
    pub fn write_verifier(&self, vkey: &str) -> Result<(), CommandError> {
        write_new(&self.dir.join("log.vkey"), format!("{vkey}\n").as_bytes())
    }

    pub fn tell_next_steps(&self, out: &mut impl Write) -> io::Result<()> {
        let dir = self.dir.display();
        writeln!(out, "\nThe gateway is in {dir}. Next:")?;
        writeln!(
            out,
            "1. copy {dir}/keys/root.key into a safe: without it nothing can be read"
        )?;
        writeln!(
            out,
            "2. with {dir}/ca the gateway renews people's certificates in their browser; to issue all \
             of them yourself, set renewals.ca = \"\" and move {dir}/ca/ca.key away"
        )?;
        writeln!(
            out,
            "3. give {dir}/log.vkey to every agency: it proves receipts"
        )?;
        writeln!(
            out,
            "4. hand each folder in {dir}/people to its person, then delete it here"
        )?;
        writeln!(out, "5. firedoor doctor --config {dir}/firedoor.toml")?;
        writeln!(out, "6. firedoor serve --config {dir}/firedoor.toml")?;
        writeln!(out, "7. once a week: firedoor cert crl --ca {dir}/ca")?;
        writeln!(
            out,
            "8. nobody watches the log yet, and everybody is told so: within 72 hours have agencies \
             run `firedoor log witness` and name them in log.policy (deploy/witnesses.policy)"
        )
    }
}

/// The explained file with its log named, its address set, and its authority renewing.
fn configuration(plan: &Plan) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let line = |key: &str, value: &str| format!("{key} = {}", quoted(value));
    let host = plan.hosts.first().map_or("", String::as_str);
    COMMENTED
        .replacen("origin = \"\"", &line("origin", &plan.origin), 1)
        .replacen("public_host = \"\"", &line("public_host", host), 1)
        .replacen(
            "listen = \"127.0.0.1:8443\"",
            &line("listen", &plan.listen.to_string()),
            1,
        )
        .replacen("\nca = \"\"", &format!("\n{}", line("ca", "ca")), 1)
}

fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::clock::now;
    use std::os::unix::fs::MetadataExt;

    fn plan(origin: &str) -> Plan {
        Plan {
            origin: origin.to_owned(),
            hosts: vec!["gateway.example.org".to_owned()],
            addresses: vec![IpAddr::from([127, 0, 0, 1])],
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        }
    }

    #[test]
    fn a_new_house_has_every_file_with_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("new");
        House::make(&at, &plan("gateway.example.org/log"), now()).unwrap();
        let mut seen = Vec::new();
        for folder in ["", "keys", "data", "ca", "tls"] {
            for entry in fs::read_dir(at.join(folder)).unwrap() {
                let entry = entry.unwrap();
                let mode = entry.metadata().unwrap().mode() & 0o777;
                let path = entry.path();
                let name = path.strip_prefix(&at).unwrap().display().to_string();
                // What anybody may read follows the umask.
                let public = ["firedoor.toml", "ca.pem", "crl.pem", "server.pem"];
                let mode = match public.iter().any(|public| name.ends_with(public)) {
                    true => "public".to_owned(),
                    false => format!("{mode:o}"),
                };
                seen.push(format!("{name} {mode}"));
            }
        }
        seen.sort();
        insta::assert_snapshot!(seen.join("\n"), @"
        ca 700
        ca/ca.key 600
        ca/ca.pem public
        ca/crl.pem public
        ca/index.json 600
        ca/lock 600
        data 700
        firedoor.toml public
        keys 700
        keys/root.key 600
        tls 700
        tls/server.key 600
        tls/server.pem public
        ");
        let config = Config::read(&at.join("firedoor.toml")).unwrap();
        assert_eq!(config.origin, "gateway.example.org/log");
        assert_eq!(config.listen.port(), 0);
        assert_eq!(config.public_host, "gateway.example.org");
    }

    #[test]
    fn nothing_is_ever_overwritten_and_a_bad_plan_writes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let good = plan("gateway.example.org/log");
        fs::write(dir.path().join("letter"), "keep me").unwrap();
        assert!(House::make(dir.path(), &good, now()).is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        let bad = plan("two words");
        assert!(House::make(&dir.path().join("bad"), &bad, now()).is_err());
        assert!(!dir.path().join("bad").exists());
    }
}
