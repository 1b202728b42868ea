//! `firedoor.toml`: read once at the start, checked whole, then passed around as a value.
//!
//! An unknown key is refused, because a mistyped one would leave a default in force that nobody
//! wanted. No key switches a promise off: there is none for TLS, the log or the firewall. A key
//! file that lies where the data lies is refused (P6). No message repeats a database address,
//! which may hold a password.

mod limits;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use limits::Limits;

use super::pki::{PkiError, refuse_under};
use crate::domain::checkpoint::LogKey;
use crate::edge::tls::TlsFiles;
use crate::edge::witnesses::Address;

/// Larger is no configuration.
const FILE_BYTES_MAX: u64 = 256 * 1024;
const WITNESSES_MAX: usize = 16;

/// What the operator must fix, and where.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {0} ({1}): name the file with --config, or make one with `firedoor init`")]
    Unreadable(PathBuf, #[source] std::io::Error),
    #[error("{0} is larger than 256 KiB or not UTF-8: is it the right file?")]
    NotConfig(PathBuf),
    #[error("{file}{place}: {what}")]
    Text {
        file: PathBuf,
        /// Line and key, where they are known.
        place: String,
        what: String,
    },
    #[error("{key} {what}")]
    Value {
        key: &'static str,
        what: &'static str,
    },
    #[error("{key} must be {min} to {max}")]
    Range {
        key: &'static str,
        min: u64,
        max: u64,
    },
    #[error(
        "{0} lies under data_dir: who takes a copy of the data must not get a key with it; put it elsewhere"
    )]
    KeyUnderData(&'static str),
    #[error("{0} is a link to nothing: make the file, or name its real place")]
    DeadLink(&'static str),
    #[error("{0}: {1}")]
    Place(&'static str, #[source] PkiError),
}

fn bad(key: &'static str, what: &'static str) -> ConfigError {
    ConfigError::Value { key, what }
}

/// Everything the operator decides. Paths are absolute or relative to the working directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub listen: SocketAddr,
    /// Loopback only.
    pub admin_listen: SocketAddr,
    pub help_listen: Option<SocketAddr>,
    /// The host name by which people reach the pages; passkeys are for it.
    pub public_host: String,
    /// The journal's folder; with PostgreSQL nothing is kept there.
    pub data_dir: PathBuf,
    pub store: StoreChoice,
    pub tls: TlsFiles,
    /// The host part of every certificate's URI.
    pub trust_domain: String,
    /// The root key.
    pub key_path: PathBuf,
    /// `None`: the policies built into the program.
    pub policies_dir: Option<PathBuf>,
    /// The name of the log, part of every checkpoint. Never change it.
    pub origin: String,
    /// The file that names the witnesses and their quorum (C2SP tlog-policy).
    pub witness_policy: Option<PathBuf>,
    /// Addresses that take C2SP `add-checkpoint`.
    pub witnesses: Vec<Address>,
    /// Whom to trust as an outside witness's server, in PEM.
    pub witness_ca: Option<PathBuf>,
    /// The statement of two people that the log goes on under a new name.
    pub succession: Option<PathBuf>,
    /// The authority with which the gateway renews people's certificates; `None`: it renews none.
    pub renewals: Option<PathBuf>,
    pub limits: Limits,
}

/// Where records, leaves and item keys lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreChoice {
    Embedded {
        slots: PathBuf,
    },
    Postgres {
        url: DatabaseUrl,
        slots_url: DatabaseUrl,
        /// Whom to trust as a database server on another machine, in PEM.
        server_ca: Option<PathBuf>,
    },
}

/// May hold a password, so it shows nothing of itself.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(..)")
    }
}

/// The file as it is written. An empty text stands for "none".
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FileText {
    listen: String,
    admin_listen: String,
    help_listen: String,
    public_host: String,
    data_dir: PathBuf,
    store: String,
    store_ca: PathBuf,
    policies_dir: PathBuf,
    tls: TlsText,
    keys: KeysText,
    log: LogText,
    renewals: RenewalsText,
    limits: Limits,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TlsText {
    certificate: PathBuf,
    key: PathBuf,
    client_ca: PathBuf,
    crl: PathBuf,
    trust_domain: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct KeysText {
    provider: String,
    path: PathBuf,
    slots: String,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LogText {
    origin: String,
    policy: PathBuf,
    witnesses: Vec<String>,
    witness_ca: PathBuf,
    succession: PathBuf,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RenewalsText {
    ca: PathBuf,
}

impl Default for FileText {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8443".to_owned(),
            admin_listen: "127.0.0.1:9443".to_owned(),
            help_listen: String::new(),
            public_host: String::new(),
            data_dir: "data".into(),
            store: "embedded".to_owned(),
            store_ca: PathBuf::new(),
            policies_dir: PathBuf::new(),
            tls: TlsText::default(),
            keys: KeysText::default(),
            log: LogText::default(),
            renewals: RenewalsText::default(),
            limits: Limits::default(),
        }
    }
}

impl Default for TlsText {
    fn default() -> Self {
        Self {
            certificate: "tls/server.pem".into(),
            key: "tls/server.key".into(),
            client_ca: "ca/ca.pem".into(),
            crl: "ca/crl.pem".into(),
            trust_domain: String::new(),
        }
    }
}

impl Default for KeysText {
    fn default() -> Self {
        Self {
            provider: "file".to_owned(),
            path: "keys/root.key".into(),
            slots: "keys/slots".to_owned(),
        }
    }
}

impl Config {
    /// Reads and checks a file. Relative paths in it are relative to its folder.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let unreadable = |error| ConfigError::Unreadable(file.to_owned(), error);
        if std::fs::metadata(file).map_err(unreadable)?.len() > FILE_BYTES_MAX {
            return Err(ConfigError::NotConfig(file.to_owned()));
        }
        let bytes = std::fs::read(file).map_err(unreadable)?;
        let text = String::from_utf8(bytes).map_err(|_| ConfigError::NotConfig(file.to_owned()))?;
        Self::parse(&text, file)
    }

    /// Reads the text of `file`, which need not exist.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        let parsed: FileText =
            toml::from_str(text).map_err(|error| text_error(text, file, &error))?;
        let folder = file.parent().unwrap_or(Path::new(""));
        parsed.check(folder)
    }
}

impl FileText {
    fn check(self, folder: &Path) -> Result<Config, ConfigError> {
        let place = |path: &Path| folder.join(path);
        let optional = |path: &Path| (!path.as_os_str().is_empty()).then(|| folder.join(path));
        self.limits.check()?;
        let provider = self.keys.provider.as_str();
        if provider.starts_with("pkcs11:") {
            let what = "names an HSM, which this version cannot use yet: set it to \"file\" and \
                        upgrade when a version with PKCS#11 is out";
            return Err(bad("keys.provider", what));
        }
        if provider != "file" {
            return Err(bad("keys.provider", "must be \"file\""));
        }
        let admin_listen = address("admin_listen", &self.admin_listen)?;
        if !admin_listen.ip().is_loopback() {
            let what = "must be an address of this machine only: 127.0.0.1 or [::1]";
            return Err(bad("admin_listen", what));
        }
        let help_listen = match self.help_listen.as_str() {
            "" => None,
            text => Some(address("help_listen", text)?),
        };
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
        if self.public_host.len() > 255 || !self.public_host.bytes().all(allowed) {
            let what = "must be a lower-case host name without a port, or empty";
            return Err(bad("public_host", what));
        }
        let origin = self.log.origin;
        if origin.is_empty() {
            let what = "is missing: name the log once and for ever, such as \
                        \"gateway.example.org/2026\"";
            return Err(bad("log.origin", what));
        }
        // The same rules as for signing; the key itself does not matter here.
        if LogKey::from_seed(&origin, &[1; 32]).is_err() {
            let what = "must be 1 to 128 printable characters without spaces or '+'";
            return Err(bad("log.origin", what));
        }
        let trust_domain = match self.tls.trust_domain {
            given if !given.is_empty() => given,
            _ => origin.split('/').next().unwrap_or_default().to_owned(),
        };
        if !(1..=255).contains(&trust_domain.len()) || !trust_domain.bytes().all(allowed) {
            let what = "must be a lower-case host name; without it, log.origin must begin with one";
            return Err(bad("tls.trust_domain", what));
        }
        let witnesses = addresses(&self.log.witnesses)?;
        let witness_ca = optional(&self.log.witness_ca);
        if witness_ca.is_none() && witnesses.iter().any(Address::needs_tls) {
            let what = "is missing: name the authority of the servers in log.witnesses, in PEM";
            return Err(bad("log.witness_ca", what));
        }
        let data_dir = place(&self.data_dir);
        let tls = TlsFiles {
            certificate: place(&self.tls.certificate),
            key: place(&self.tls.key),
            client_ca: place(&self.tls.client_ca),
            crl: place(&self.tls.crl),
        };
        let key_path = place(&self.keys.path);
        refuse_near_data("keys.path", &data_dir, &key_path)?;
        refuse_near_data("tls.key", &data_dir, &tls.key)?;
        let renewals = optional(&self.renewals.ca);
        if let Some(dir) = &renewals {
            refuse_near_data("renewals.ca", &data_dir, dir)?;
        }
        let store = if self.store == "embedded" {
            if is_database(&self.keys.slots) {
                let what = "names a database, but store is \"embedded\": name a file";
                return Err(bad("keys.slots", what));
            }
            let slots = place(Path::new(&self.keys.slots));
            refuse_near_data("keys.slots", &data_dir, &slots)?;
            StoreChoice::Embedded { slots }
        } else if is_database(&self.store) {
            if !is_database(&self.keys.slots) || self.keys.slots == self.store {
                let what = "must be a second \"postgres://...\" database, which no backup of the \
                            first one includes";
                return Err(bad("keys.slots", what));
            }
            StoreChoice::Postgres {
                url: DatabaseUrl(self.store),
                slots_url: DatabaseUrl(self.keys.slots),
                server_ca: optional(&self.store_ca),
            }
        } else {
            return Err(bad("store", "must be \"embedded\" or \"postgres://...\""));
        };
        Ok(Config {
            listen: address("listen", &self.listen)?,
            admin_listen,
            help_listen,
            public_host: self.public_host,
            data_dir,
            store,
            tls,
            trust_domain,
            key_path,
            policies_dir: optional(&self.policies_dir),
            origin,
            witness_policy: optional(&self.log.policy),
            witnesses,
            witness_ca,
            succession: optional(&self.log.succession),
            renewals,
            limits: self.limits,
        })
    }
}

fn is_database(text: &str) -> bool {
    text.starts_with("postgres://") || text.starts_with("postgresql://")
}

fn address(key: &'static str, text: &str) -> Result<SocketAddr, ConfigError> {
    text.parse()
        .map_err(|_| bad(key, "must be an address and a port, such as 0.0.0.0:8443"))
}

fn addresses(witnesses: &[String]) -> Result<Vec<Address>, ConfigError> {
    if witnesses.len() > WITNESSES_MAX {
        return Err(bad("log.witnesses", "holds more than 16 addresses"));
    }
    let read = witnesses.iter().map(|text| Address::parse(text));
    let what = "must be addresses that begin with https://; with http:// only on this machine, \
                127.0.0.1 or [::1]";
    read.collect::<Option<_>>()
        .ok_or(bad("log.witnesses", what))
}

fn refuse_near_data(key: &'static str, data_dir: &Path, path: &Path) -> Result<(), ConfigError> {
    // Where such a link would lead once its target is made, nobody has looked.
    if path.is_symlink() && !path.exists() {
        return Err(ConfigError::DeadLink(key));
    }
    refuse_under(data_dir, path).map_err(|error| match error {
        PkiError::KeyUnderData => ConfigError::KeyUnderData(key),
        other => ConfigError::Place(key, other),
    })
}

/// The parser's own message without its excerpt of the file, which might show a password.
fn text_error(text: &str, file: &Path, error: &toml::de::Error) -> ConfigError {
    let place = error.span().map(|span| {
        let before = text.get(..span.start).unwrap_or_default();
        let number = before.matches('\n').count() + 1;
        let line = text.lines().nth(number - 1).unwrap_or_default();
        let plain = |key: &str| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
            !key.is_empty() && key.chars().all(allowed)
        };
        // Of a line that is no key and value, nothing is repeated.
        match line.split_once('=') {
            Some((key, _)) if plain(key.trim()) => {
                format!(", line {number}, key '{}'", key.trim())
            }
            Some(_) | None => format!(", line {number}"),
        }
    });
    ConfigError::Text {
        file: file.to_owned(),
        place: place.unwrap_or_default(),
        what: error.message().replace('\n', ", "),
    }
}

#[cfg(test)]
mod tests;
