//! What a witness must never lose: its key, the log's key, and the last head that it signed.
//!
//! The last head is on disk before the signature leaves, in one step, so that a crash cannot make
//! this witness forget what it vouched for. A state that is not whole is refused: to begin again
//! with the same key would be to vouch for two histories.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::domain::checkpoint::LogVerifier;
use crate::domain::cosignature::WitnessKey;
use crate::domain::time::When;
use crate::domain::witness::Head;
use crate::ops::client::ClientFault;
use crate::ops::client::input::read_text;

const KEY: &str = "witness.key";
const STATE: &str = "state";
const LOCK: &str = "lock";
const EVIDENCE: &str = "evidence";
/// Below the log's key, until something was signed.
const NOTHING: &str = "nothing signed yet\n";

/// Why a witness cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StateFault {
    #[error("give the witness a name that it keeps: --name larkfield.example/witness")]
    NoName,
    #[error("this witness is called {0}: a name is for ever, so leave --name away")]
    OtherName(String),
    #[error("{0} cannot be a witness's name: one word of at most 128 characters, without '+'")]
    BadName(String),
    #[error(
        "the log's key is not known: get log.vkey from the operator and give it as --log-key FILE"
    )]
    NoLogKey,
    #[error("{0} holds no key of a log: one line name+hash+base64, as in log.vkey")]
    BadLogKey(PathBuf),
    #[error(
        "this witness watches {watched}, and the key you gave is of {given}. If two people of \
         different organisations decided that the log goes on under a new name or key, add \
         --new-log; otherwise ask the operator first, by another way"
    )]
    OtherLog { watched: String, given: String },
    #[error("{0} can be read by others: chmod 600 it, and think about who may have copied it")]
    Mode(PathBuf),
    #[error("another witness runs with {0}: one at a time")]
    Locked(PathBuf),
    #[error(
        "{0} is damaged or of another witness, so it is not known what this witness vouched for. \
         Do not use its key again: keep the folder, start with a new --state folder, and give the \
         new key to the operator"
    )]
    Damaged(PathBuf),
    #[error(
        "{0} is missing, so it is not known what this witness vouched for. Put the file back from \
         where it went; if it is lost, start with a new --state folder and give the new key to the \
         operator"
    )]
    Lost(PathBuf),
    #[error("there is no witness in {0} yet: run `firedoor log witness` once")]
    None(PathBuf),
    #[error("the operating system gives no randomness")]
    NoRandomness,
    #[error(transparent)]
    Client(#[from] ClientFault),
}

/// The last head that this witness signed.
#[derive(Clone, Debug)]
pub struct Last {
    pub head: Head,
    pub signed: When,
    /// The head with this witness's signature.
    pub note: String,
}

/// What is given on the command line for a start.
#[derive(Default)]
pub struct Start<'a> {
    pub name: Option<&'a str>,
    /// The file of the log's key, if one was given.
    pub log_key: Option<&'a Path>,
    /// Where it may lie otherwise, at the first start only.
    pub bundled: Option<PathBuf>,
    pub new_log: bool,
}

/// A witness, held by one process.
pub struct State {
    dir: PathBuf,
    /// Held as long as this is.
    _lock: Option<File>,
    pub key: WitnessKey,
    pub log: LogVerifier,
    pub last: Option<Last>,
    /// Whether this is the first start, so that both keys must be compared.
    pub new: bool,
}

impl State {
    /// Opens the folder, for this process alone, and makes a witness if there is none.
    ///
    /// # Errors
    /// [`StateFault`].
    pub fn open(dir: &Path, start: &Start<'_>) -> Result<Self, StateFault> {
        let lock = lock(dir)?;
        let given = start.log_key.map(log_key).transpose()?;
        let there = |name: &str| dir.join(name).exists();
        let new = match (there(STATE), there(KEY)) {
            (true, true) => false,
            (false, false) => true,
            (false, true) => return Err(StateFault::Lost(dir.join(STATE))),
            // A first start that was cut off has a state that vouches for nothing.
            (true, false) if read_text(&dir.join(STATE))?.ends_with(NOTHING) => true,
            (true, false) => return Err(StateFault::Lost(dir.join(KEY))),
        };
        if new {
            Self::first(dir, start, given.as_ref())?;
        }
        let mut state = Self::read(dir)?;
        state._lock = Some(lock);
        state.new = new;
        let own = state.key.verifier().name();
        if start.name.is_some_and(|name| name != own) {
            return Err(StateFault::OtherName(own.to_owned()));
        }
        if let Some(given) = given.filter(|given| *given != state.log) {
            if !start.new_log {
                return Err(StateFault::OtherLog {
                    watched: state.log.vkey(),
                    given: given.vkey(),
                });
            }
            state.turn_to(given)?;
        }
        Ok(state)
    }

    /// What the folder holds, without a claim on it: to be shown.
    ///
    /// # Errors
    /// [`StateFault`].
    pub fn read(dir: &Path) -> Result<Self, StateFault> {
        let (key, state) = (dir.join(KEY), dir.join(STATE));
        if !key.exists() {
            return Err(StateFault::None(dir.to_owned()));
        }
        let open = fs::metadata(&key).map_err(fault(&key))?.mode() & 0o077;
        if open != 0 {
            return Err(StateFault::Mode(key));
        }
        let text = Zeroizing::new(read_text(&key)?);
        let secret = text.strip_suffix('\n').unwrap_or_default();
        let key = WitnessKey::parse_secret(secret).map_err(|_| StateFault::Damaged(key))?;
        let text = read_text(&state)?;
        let read = || {
            let (log, rest) = text.split_once('\n')?;
            let log = LogVerifier::parse(log).ok()?;
            if rest == NOTHING {
                return Some((log, None));
            }
            // Both signatures are checked, so no half and no stranger's file is taken for it.
            let last = Last {
                head: Head::read(&log, rest).ok()?,
                signed: key.verifier().verify(rest)?,
                note: rest.to_owned(),
            };
            Some((log, Some(last)))
        };
        let (log, last) = read().ok_or(StateFault::Damaged(state))?;
        Ok(Self {
            dir: dir.to_owned(),
            _lock: None,
            key,
            log,
            last,
            new: false,
        })
    }

    /// Signs a head that was judged, and keeps that it did before anybody learns of it.
    ///
    /// # Errors
    /// [`ClientFault::File`]: then nothing was signed.
    pub fn sign(&mut self, head: &Head, at: When) -> Result<&Last, ClientFault> {
        let line = self.key.cosign(head.text(), at);
        let note = format!("{}{line}", head.note());
        let text = format!("{}\n{note}", self.log.vkey());
        replace(&self.dir, STATE, text.as_bytes())?;
        Ok(self.last.insert(Last {
            head: head.clone(),
            signed: at,
            note,
        }))
    }

    /// Where what proves a wrong is kept, for ever.
    pub fn evidence(&self) -> PathBuf {
        self.dir.join(EVIDENCE)
    }

    fn first(dir: &Path, start: &Start<'_>, given: Option<&LogVerifier>) -> Result<(), StateFault> {
        let name = start.name.ok_or(StateFault::NoName)?;
        let log = match (given, &start.bundled) {
            (Some(log), _) => log.clone(),
            (None, Some(path)) if path.exists() => log_key(path)?,
            (None, _) => return Err(StateFault::NoLogKey),
        };
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut_slice()).map_err(|_| StateFault::NoRandomness)?;
        let key =
            WitnessKey::from_seed(name, &seed).map_err(|_| StateFault::BadName(name.to_owned()))?;
        // The state first: a key without a state would have forgotten something.
        replace(dir, STATE, format!("{}\n{NOTHING}", log.vkey()).as_bytes())?;
        let text = Zeroizing::new(format!("{}\n", *key.secret()));
        replace(dir, KEY, text.as_bytes())?;
        Ok(())
    }

    /// Goes over to a log of another name or key; what was signed of the old one stays as evidence.
    fn turn_to(&mut self, log: LogVerifier) -> Result<(), StateFault> {
        if let Some(last) = &self.last {
            let dir = self.evidence();
            make_dir(&dir).map_err(fault(&dir))?;
            let text = format!("{}\n{}", self.log.vkey(), last.note);
            let name = format!("last-of-former-log-{}", last.head.size());
            replace(&dir, &name, text.as_bytes())?;
        }
        replace(
            &self.dir,
            STATE,
            format!("{}\n{NOTHING}", log.vkey()).as_bytes(),
        )?;
        (self.log, self.last) = (log, None);
        Ok(())
    }
}

fn fault(path: &Path) -> impl Fn(io::Error) -> ClientFault {
    move |error| ClientFault::File(path.to_owned(), error)
}

/// One verifier key; empty lines and lines that begin with `#` do not count.
fn log_key(path: &Path) -> Result<LogVerifier, StateFault> {
    let text = read_text(path)?;
    let mut lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    match (lines.next().map(LogVerifier::parse), lines.next()) {
        (Some(Ok(log)), None) => Ok(log),
        (_, _) => Err(StateFault::BadLogKey(path.to_owned())),
    }
}

fn lock(dir: &Path) -> Result<File, StateFault> {
    make_dir(dir).map_err(fault(dir))?;
    let path = dir.join(LOCK);
    let open = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&path);
    let file = open.map_err(fault(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StateFault::Locked(dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(fault(&path)(error).into()),
    }
}

/// A folder for its owner only.
pub fn make_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Writes a file whole or not at all, and returns when it is on disk.
pub fn replace(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), ClientFault> {
    let (path, new) = (dir.join(name), dir.join(format!("{name}.new")));
    let write = || {
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(fault(&path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::checkpoint::LogKey;

    const AT: When = When::from_millis(1_790_000_000_000);

    fn log(seed: u8) -> LogKey {
        LogKey::from_seed("gw.example/log", &[seed; 32]).unwrap()
    }

    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            for seed in [1, 2] {
                let vkey = log(seed).verifier().vkey();
                let path = dir.path().join(format!("{seed}.vkey"));
                fs::write(path, format!("# the log\n\n{vkey}\n")).unwrap();
            }
            Self(dir)
        }

        fn dir(&self) -> PathBuf {
            self.0.path().join("witness")
        }

        fn open(&self, seed: u8, new_log: bool) -> Result<State, StateFault> {
            let key = self.0.path().join(format!("{seed}.vkey"));
            let start = Start {
                name: Some("larkfield.example/witness"),
                log_key: Some(&key),
                bundled: None,
                new_log,
            };
            State::open(&self.dir(), &start)
        }

        fn refused(&self) -> String {
            let error = self.open(1, false).map(|_| ()).unwrap_err().to_string();
            error.replace(&self.0.path().display().to_string(), "DIR")
        }
    }

    fn head(seed: u8, size: u64) -> Head {
        let note = log(seed).sign(size, &[9; 32]);
        Head::read(log(seed).verifier(), &note).unwrap()
    }

    #[test]
    fn what_was_signed_is_known_after_a_new_start_and_the_key_is_the_owners() {
        let place = Place::new();
        let mut first = place.open(1, false).unwrap();
        assert!(first.new && first.last.is_none());
        let vkey = first.key.verifier().vkey();
        first.sign(&head(1, 7), AT).unwrap();
        drop(first);
        let again = place.open(1, false).unwrap();
        let last = again.last.as_ref().unwrap();
        assert_eq!((last.head.size(), last.signed), (7, AT));
        assert_eq!(again.key.verifier().verify(&last.note), Some(AT));
        assert_eq!(again.key.verifier().vkey(), vkey);
        assert!(!again.new);
        for name in [KEY, STATE, LOCK] {
            let mode = fs::metadata(place.dir().join(name)).unwrap().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        assert_eq!(fs::metadata(place.dir()).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn two_at_once_are_one_too_many() {
        let place = Place::new();
        let one = place.open(1, false).unwrap();
        assert!(place.refused().starts_with("another witness runs"));
        // Looking is allowed.
        assert!(State::read(&place.dir()).is_ok());
        drop(one);
        assert!(place.open(1, false).is_ok());
    }

    #[test]
    fn a_state_cut_off_anywhere_or_of_another_witness_is_refused() {
        let place = Place::new();
        let mut state = place.open(1, false).unwrap();
        state.sign(&head(1, 7), AT).unwrap();
        let note = state.last.as_ref().unwrap().note.clone();
        drop(state);
        let path = place.dir().join(STATE);
        let whole = fs::read_to_string(&path).unwrap();
        let ends = (0..whole.len()).filter(|end| whole.is_char_boundary(*end));
        for end in ends.step_by(7) {
            fs::write(&path, whole.get(..end).unwrap()).unwrap();
            assert!(place.open(1, false).is_err(), "cut at {end}");
        }
        let other = WitnessKey::from_seed("larkfield.example/witness", &[5; 32]).unwrap();
        let line = other.cosign(head(1, 7).text(), AT);
        let unsigned = note
            .lines()
            .take(5)
            .fold(String::new(), |all, line| all + line + "\n");
        let vkey = log(1).verifier().vkey();
        for wrong in [
            whole.replace("\n7\n", "\n6\n"),
            format!("{vkey}\n{unsigned}{line}"),
            format!("{vkey}\n{unsigned}"),
        ] {
            fs::write(&path, wrong).unwrap();
            assert!(place.refused().contains("is damaged"));
        }
        fs::write(&path, &whole).unwrap();
        assert!(place.open(1, false).is_ok());
    }

    #[test]
    fn a_witness_that_has_lost_half_of_itself_does_not_begin_again() {
        let place = Place::new();
        let mut state = place.open(1, false).unwrap();
        state.sign(&head(1, 7), AT).unwrap();
        drop(state);
        for name in [KEY, STATE] {
            let (path, aside) = (place.dir().join(name), place.dir().join("aside"));
            fs::rename(&path, &aside).unwrap();
            assert!(
                place
                    .refused()
                    .contains(&format!("DIR/witness/{name} is missing"))
            );
            fs::rename(&aside, &path).unwrap();
        }
        fs::set_permissions(
            place.dir().join(KEY),
            std::os::unix::fs::PermissionsExt::from_mode(0o640),
        )
        .unwrap();
        assert!(place.refused().contains("can be read by others"));
    }

    #[test]
    fn a_first_start_that_was_cut_off_begins_again() {
        let place = Place::new();
        drop(place.open(1, false).unwrap());
        fs::remove_file(place.dir().join(KEY)).unwrap();
        assert!(place.open(1, false).unwrap().new);
    }

    #[test]
    fn another_log_is_watched_only_if_that_is_meant_and_the_old_head_stays() {
        let place = Place::new();
        let mut state = place.open(1, false).unwrap();
        state.sign(&head(1, 7), AT).unwrap();
        let note = state.last.as_ref().unwrap().note.clone();
        drop(state);
        let error = place.open(2, false).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("--new-log"), "{error}");
        let state = place.open(2, true).unwrap();
        assert!(state.last.is_none());
        let kept = state.evidence().join("last-of-former-log-7");
        assert!(fs::read_to_string(kept).unwrap().ends_with(&note));
        drop(state);
        assert!(place.open(2, false).is_ok());
    }
}
