//! The root key, and one key for each use derived from it (RFC 5869).
//!
//! The root key is read once, from a file that nobody else may read and that lies away from the
//! data (P6). Nothing here shows a key, and nothing writes one over another: with the root key
//! lost or replaced, nothing that is stored can be read again.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use hkdf::Hkdf;
use rustix::process::{DumpableBehavior, Resource, Rlimit};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::pki::{PkiError, write_secret};
use crate::domain::alias::AliasKey;
use crate::domain::checkpoint::{BadCheckpoint, LogKey};
use crate::domain::person::TokenKeys;
use crate::domain::rules::DomainKeys;

/// A root key in hexadecimal, and the end of its line.
const FILE_BYTES: usize = 65;

/// What the operator must fix.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("cannot read the root key {0} ({1})")]
    Unreadable(PathBuf, #[source] std::io::Error),
    #[error("the root key {0} can be read by others: chmod 0600 it")]
    Mode(PathBuf),
    #[error("{0} is not a root key (64 hexadecimal digits): restore it from your safe copy")]
    NotKey(PathBuf),
    #[error("cannot write the root key: {0}")]
    Write(#[from] PkiError),
    #[error("the operating system gives no randomness")]
    NoRandomness,
    #[error("a key cannot be derived")]
    Derivation,
    #[error("log.origin cannot name a log: {0}")]
    Origin(#[from] BadCheckpoint),
}

/// What a key is for. Each use has its own, so that losing one says nothing about the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUse {
    /// Tokens of names and numbers.
    Link,
    /// Ids as each organisation sees them.
    Alias,
    /// A person's pseudonym in the log.
    LogSubject,
    /// Idempotency records.
    Replay,
    /// Senders' own names of referrals.
    External,
    /// Sessions after a second factor.
    Session,
    /// Names of aggregates, lists and counters in the store.
    StoreIndex,
    /// Wraps item keys.
    StoreSlots,
    /// The seed of the key that signs checkpoints.
    LogSigning,
    /// What agencies keep of withdrawals.
    Counterfoil,
    /// The keys of organisations' trails through the log.
    Trail,
    /// Marks the forms that a page gave out.
    Forms,
}

impl KeyUse {
    pub const ALL: [Self; 12] = [
        Self::Link,
        Self::Alias,
        Self::LogSubject,
        Self::Replay,
        Self::External,
        Self::Session,
        Self::StoreIndex,
        Self::StoreSlots,
        Self::LogSigning,
        Self::Counterfoil,
        Self::Trail,
        Self::Forms,
    ];

    /// The `info` of HKDF. Never change one: everything under it would be lost.
    const fn info(self) -> &'static [u8] {
        match self {
            Self::Link => b"firedoor/link/v1",
            Self::Alias => b"firedoor/alias/v1",
            Self::LogSubject => b"firedoor/log-subject/v1",
            Self::Replay => b"firedoor/replay/v1",
            Self::External => b"firedoor/external/v1",
            Self::Session => b"firedoor/session/v1",
            Self::StoreIndex => b"firedoor/store-index/v1",
            Self::StoreSlots => b"firedoor/store-slots/v1",
            Self::LogSigning => b"firedoor/log-signing/v1",
            Self::Counterfoil => b"firedoor/counterfoil/v1",
            Self::Trail => b"firedoor/trail/v1",
            Self::Forms => b"firedoor/forms/v1",
        }
    }
}

/// Whatever holds the root key: a file now, an HSM later. The root itself never leaves it.
pub trait KeySource {
    fn key(&self, of: KeyUse) -> Result<Zeroizing<[u8; 32]>, KeyError>;
}

/// The root key from a file.
pub struct RootKey(Zeroizing<[u8; 32]>);

impl KeySource for RootKey {
    fn key(&self, of: KeyUse) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, self.0.as_slice())
            .expand(of.info(), key.as_mut_slice())
            .map_err(|_| KeyError::Derivation)?;
        Ok(key)
    }
}

impl RootKey {
    /// Reads a file with mode 0600 or stricter.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let unreadable = |error| KeyError::Unreadable(path.to_owned(), error);
        let mut file = File::open(path).map_err(unreadable)?;
        // Of the open file, so that it cannot be another one than is read.
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(KeyError::NotKey(path.to_owned()));
        }
        if metadata.mode() & 0o077 != 0 {
            return Err(KeyError::Mode(path.to_owned()));
        }
        let mut text = Zeroizing::new(Vec::with_capacity(FILE_BYTES + 1));
        let limit = u64::try_from(FILE_BYTES + 1).unwrap_or(u64::MAX);
        Read::by_ref(&mut file)
            .take(limit)
            .read_to_end(&mut text)
            .map_err(unreadable)?;
        parse(&text).ok_or_else(|| KeyError::NotKey(path.to_owned()))
    }

    /// Makes a new one and writes it, for its owner only, never over a file that is there.
    pub fn create(path: &Path) -> Result<Self, KeyError> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(key.as_mut_slice()).map_err(|_| KeyError::NoRandomness)?;
        let mut text = Zeroizing::new(Vec::with_capacity(FILE_BYTES));
        for byte in key.iter() {
            text.extend_from_slice(&hex_digits(*byte));
        }
        text.push(b'\n');
        write_secret(path, &text)?;
        Ok(Self(key))
    }
}

fn hex_digits(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 15].map(|nibble| match nibble {
        0..=9 => b'0' + nibble,
        _ => b'a' + nibble - 10,
    })
}

fn parse(text: &[u8]) -> Option<RootKey> {
    let digits = text.trim_ascii_end();
    if digits.len() != 64 {
        return None;
    }
    let mut key = Zeroizing::new([0; 32]);
    for (to, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        let value = |digit: u8| char::from(digit).to_digit(16);
        *to = u8::try_from(value(*high)? * 16 + value(*low)?).ok()?;
    }
    // Not a key that anybody drew.
    (*key != [0; 32]).then_some(RootKey(key))
}

/// The keys of the rules in force: tokens, aliases, and the rest of the domain's.
pub fn domain_keys(source: &impl KeySource) -> Result<(TokenKeys, AliasKey, DomainKeys), KeyError> {
    let keys = DomainKeys {
        log_subject: *source.key(KeyUse::LogSubject)?,
        replay: *source.key(KeyUse::Replay)?,
        external: *source.key(KeyUse::External)?,
        session: *source.key(KeyUse::Session)?,
        counterfoil: *source.key(KeyUse::Counterfoil)?,
        trail: *source.key(KeyUse::Trail)?,
        forms: *source.key(KeyUse::Forms)?,
    };
    let tokens = TokenKeys::derive(&*source.key(KeyUse::Link)?);
    Ok((tokens, AliasKey::new(*source.key(KeyUse::Alias)?), keys))
}

/// The key that signs checkpoints of the log with this name.
pub fn log_key(source: &impl KeySource, origin: &str) -> Result<LogKey, KeyError> {
    let seed = source.key(KeyUse::LogSigning)?;
    Ok(LogKey::from_seed(origin, &seed)?)
}

/// No core dumps, and no debugger of the same user: both would show keys (P6).
///
/// # Errors
/// The operating system refused; then the gateway should not start.
pub fn forbid_core_dumps() -> std::io::Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    rustix::process::setrlimit(Resource::Core, none)?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, OpenOptions, Permissions};
    use std::io::Write;
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

    fn written(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("root.key");
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    fn read_error(text: &str, mode: u32) -> Option<KeyError> {
        let (_dir, path) = written(text, mode);
        RootKey::read(&path).err()
    }

    #[test]
    fn a_new_root_key_is_private_read_back_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("root.key");
        let made = RootKey::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let read = RootKey::read(&path).unwrap();
        assert_eq!(*made.0, *read.0);
        assert!(RootKey::create(&path).is_err());
        assert_eq!(*RootKey::read(&path).unwrap().0, *made.0);
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let key = "0f".repeat(32);
        for mode in [0o640, 0o604, 0o660, 0o620, 0o601, 0o777] {
            assert!(
                matches!(read_error(&key, mode), Some(KeyError::Mode(_))),
                "{mode:o}"
            );
        }
        for mode in [0o600, 0o400] {
            assert!(read_error(&key, mode).is_none(), "{mode:o}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        let (short, long) = ("0f".repeat(31), "0f".repeat(33));
        let (letters, zeros) = ("0g".repeat(32), "00".repeat(32));
        for text in ["", &short, &long, &letters, &zeros, &"é".repeat(32)] {
            let error = read_error(text, 0o600).unwrap();
            assert!(matches!(error, KeyError::NotKey(_)));
            assert!(text.is_empty() || !error.to_string().contains(text));
        }
    }

    #[test]
    fn each_use_has_its_own_key_and_keeps_it_for_ever() {
        let root = RootKey(Zeroizing::new([7; 32]));
        let table: Vec<String> = KeyUse::ALL
            .iter()
            .map(|of| {
                let key = root.key(*of).unwrap();
                let start: String = key.iter().take(4).map(|b| format!("{b:02x}")).collect();
                format!("{of:?} {start}")
            })
            .collect();
        insta::assert_snapshot!(table.join("\n"), @"
        Link 65a46cf7
        Alias a364e1c2
        LogSubject 1879672c
        Replay c3938970
        External bee62a25
        Session 77f27b55
        StoreIndex ef33554f
        StoreSlots ba87c830
        LogSigning a5f144a0
        Counterfoil b46ed095
        Trail 5173bf37
        Forms 2df0866b
        ");
    }

    #[test]
    fn the_process_leaves_no_core_dump() {
        forbid_core_dumps().unwrap();
        let limit = rustix::process::getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
        let dumpable = rustix::process::dumpable_behavior().unwrap();
        assert_eq!(dumpable, DumpableBehavior::NotDumpable);
    }
}
