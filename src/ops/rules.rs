//! Reads rules from a folder: a rulebook to check or to propose, and the operator's own clock, watch
//! and retention.
//!
//! No folder puts a rulebook in force: that takes two people (F10). A folder holds one whole or
//! not at all: half of one set and half of another is a set that nobody has looked at (P3).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::keys::{KeyError, KeySource, domain_keys};
use crate::domain::clock::{ClockError, CodeClock};
use crate::domain::codes::Instrument;
use crate::domain::firewall::text::{BadLexicon, Lists, TextScreen};
use crate::domain::instrument::{BUILT_IN_INSTRUMENTS, BadInstrument, Instruments};
use crate::domain::notice::{BUILT_IN_NOTICES, BadNotices, Notices};
use crate::domain::policy::proof::{BadProof, Proof};
use crate::domain::policy::{BadPolicies, PROOF_NAME, Policies, SCHEMA_NAME, Unproved};
use crate::domain::retention::{BUILT_IN_RETENTION, BadRetention, Retention};
use crate::domain::rulebook::{BadRulebook, Page, Rulebook, SCREEN_LISTS};
use crate::domain::rules::Rules;
use crate::domain::watch::{BadWatch, Watch};

/// Where the lists of the text screen lie in a folder.
const SCREEN: &str = "screen";
const LEXICON: &str = "screen/lexicon.toml";
const GENERAL: &str = "screen/general.toml";
const CLOCK_RULES: &str = "clock/vcop2021.toml";
const RETENTION: &str = "retention.toml";
const NOTICES: &str = "notices.toml";
const INSTRUMENTS: &str = "instruments";
const HOLIDAYS: &str = "clock/bank-holidays-england-and-wales.toml";
const WATCH: &str = "watch/rules.toml";
const BUILT_IN_WATCH: &str = include_str!("../../policies/watch/rules.toml");
const BUILT_IN_CLOCK_RULES: &str = include_str!("../../policies/clock/vcop2021.toml");
const BUILT_IN_HOLIDAYS: &str =
    include_str!("../../policies/clock/bank-holidays-england-and-wales.toml");
/// Far more than any of these files has.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Entries of a folder that are looked at.
const FILES_MAX: usize = 256;

/// What the operator must fix before the gateway starts.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    #[error("{0}: {1}")]
    File(PathBuf, #[source] io::Error),
    #[error("{0} is larger than 1 MiB or not UTF-8")]
    NotText(PathBuf),
    #[error("{0} holds more than 256 files: is it the right folder?")]
    TooMany(PathBuf),
    #[error("{0}")]
    Policies(#[from] BadPolicies),
    #[error("{0} is missing; prove the policies: firedoor policy prove DIR --write")]
    Unproved(PathBuf),
    #[error("{0}: {1}")]
    Proof(PathBuf, #[source] BadProof),
    #[error("{0}: {1}")]
    Rulebook(PathBuf, #[source] BadRulebook),
    #[error("the built-in policies do not load: {0}")]
    BuiltIn(#[source] BadRulebook),
    #[error("the text screen: {0}")]
    Screen(#[from] BadLexicon),
    #[error("the clock: {0}")]
    Clock(#[from] ClockError),
    #[error("{RETENTION}: {0}")]
    Retention(#[from] BadRetention),
    #[error("{NOTICES}: {0}")]
    Notices(#[from] BadNotices),
    #[error("{0} is no instrument that this program knows: GET /v1/codes lists them")]
    NoSuchInstrument(PathBuf),
    #[error("{0}")]
    Instrument(#[from] BadInstrument),
    #[error("{0}")]
    Watch(#[from] BadWatch),
    #[error("{0}")]
    Keys(#[from] KeyError),
}

/// Everything a decision depends on besides the attempt and the facts, under the built-in rulebook;
/// the store may name another.
pub fn load(dir: Option<&Path>, keys: &impl KeySource) -> Result<Rules, RulesError> {
    let (tokens, alias_key, keys) = domain_keys(keys)?;
    Ok(Rules {
        book: Arc::new(Rulebook::built_in().map_err(RulesError::BuiltIn)?),
        stands_in: None,
        clock: clock(dir)?.into(),
        watch: watch(dir)?.into(),
        retention: retention(dir)?.into(),
        notices: notices(dir)?.into(),
        instruments: instruments(dir)?.into(),
        tokens: tokens.into(),
        alias_key: alias_key.into(),
        keys: keys.into(),
    })
}

/// The rulebook in a folder; `None` if it has no file of one.
pub fn book(dir: &Path) -> Result<Option<Rulebook>, RulesError> {
    let lists = SCREEN_LISTS
        .iter()
        .map(|(name, _)| dir.join(SCREEN).join(name));
    let known = [dir.join(SCHEMA_NAME), dir.join(PROOF_NAME)];
    if !known.into_iter().chain(lists).any(|path| path.exists()) && policy_names(dir)?.is_empty() {
        return Ok(None);
    }
    let loaded = Rulebook::load(&pages(dir)?);
    loaded
        .map(Some)
        .map_err(|bad| RulesError::Rulebook(dir.to_owned(), bad))
}

/// The files of the rulebook in a folder, as a proposal carries them. Lists of the text screen that
/// it lacks are those built in.
pub fn pages(dir: &Path) -> Result<Vec<Page>, RulesError> {
    let mut pages = Vec::new();
    for name in [SCHEMA_NAME, PROOF_NAME] {
        // What is missing the loader names.
        let path = dir.join(name);
        if path.exists() {
            pages.push((name.to_owned(), read(&path)?));
        }
    }
    for name in policy_names(dir)? {
        let text = read(&dir.join(&name))?;
        pages.push((name, text));
    }
    for (name, built_in) in SCREEN_LISTS {
        let text = own_or(Some(dir), &format!("{SCREEN}/{name}"), built_in)?;
        pages.push(((*name).to_owned(), text));
    }
    Ok(pages)
}

/// The policies of a folder, with the proof that must stand beside them (P3).
pub fn policies(dir: Option<&Path>) -> Result<Policies, RulesError> {
    let Some(dir) = dir else {
        return Ok(Policies::shipped()?);
    };
    let set = unproved(dir)?;
    let path = dir.join(PROOF_NAME);
    if !path.exists() {
        return Err(RulesError::Unproved(path));
    }
    let proof = Proof::parse(&read(&path)?).map_err(|error| RulesError::Proof(path, error))?;
    Ok(set.proved(proof)?)
}

/// The policies of a folder before anything is proved of them: its schema and every `.cedar` file
/// directly in it.
pub fn unproved(dir: &Path) -> Result<Unproved, RulesError> {
    let schema = read(&dir.join(SCHEMA_NAME))?;
    let mut files = Vec::new();
    for name in policy_names(dir)? {
        let text = read(&dir.join(&name))?;
        files.push((name, text));
    }
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    Ok(Unproved::load(&schema, &files)?)
}

/// The `.cedar` files directly in a folder, sorted.
fn policy_names(dir: &Path) -> Result<Vec<String>, RulesError> {
    let unreadable = |error| RulesError::File(dir.to_owned(), error);
    let mut names = Vec::new();
    for (seen, entry) in fs::read_dir(dir).map_err(unreadable)?.enumerate() {
        if seen >= FILES_MAX {
            return Err(RulesError::TooMany(dir.to_owned()));
        }
        let path = entry.map_err(unreadable)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "cedar")
        {
            let name = path.file_name().unwrap_or_default();
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// The text screen; the built-in lists of words and of general sentences unless the folder has its
/// own. The classifier is always the one that is built in: its weights are tested with its code.
pub fn screen(dir: Option<&Path>) -> Result<TextScreen, RulesError> {
    let built_in = Lists::BUILT_IN;
    Ok(TextScreen::parse(&Lists {
        lexicon: &own_or(dir, LEXICON, built_in.lexicon)?,
        general: &own_or(dir, GENERAL, built_in.general)?,
        ..built_in
    })?)
}

/// The clock of the Victims' Code; built in unless the folder has one.
pub fn clock(dir: Option<&Path>) -> Result<CodeClock, RulesError> {
    let rules = own_or(dir, CLOCK_RULES, BUILT_IN_CLOCK_RULES)?;
    let holidays = own_or(dir, HOLIDAYS, BUILT_IN_HOLIDAYS)?;
    Ok(CodeClock::parse(&rules, &holidays)?)
}

/// The rules of the watch; built in unless the folder has them.
pub fn watch(dir: Option<&Path>) -> Result<Watch, RulesError> {
    Ok(Watch::parse(&own_or(dir, WATCH, BUILT_IN_WATCH)?)?)
}

/// How long accounts of the log are kept; built in unless the folder says otherwise.
pub fn retention(dir: Option<&Path>) -> Result<Retention, RulesError> {
    Ok(Retention::parse(&own_or(
        dir,
        RETENTION,
        BUILT_IN_RETENTION,
    )?)?)
}

/// What is read to her; built in unless the folder has its own words.
pub fn notices(dir: Option<&Path>) -> Result<Notices, RulesError> {
    Ok(Notices::parse(&own_or(dir, NOTICES, BUILT_IN_NOTICES)?)?)
}

/// The tools of assessment; of each the built-in one unless the folder has its own.
pub fn instruments(dir: Option<&Path>) -> Result<Instruments, RulesError> {
    let mut files = Vec::new();
    for (instrument, built_in) in BUILT_IN_INSTRUMENTS {
        let name = format!("{INSTRUMENTS}/{}.toml", instrument.code());
        files.push((instrument, own_or(dir, &name, built_in)?));
    }
    if let Some(dir) = dir {
        no_other_instrument(&dir.join(INSTRUMENTS))?;
    }
    Ok(Instruments::parse(&files)?)
}

/// A file under a name that nobody reads is a tool that nobody can use.
fn no_other_instrument(dir: &Path) -> Result<(), RulesError> {
    if !dir.exists() {
        return Ok(());
    }
    let unreadable = |error| RulesError::File(dir.to_owned(), error);
    for entry in fs::read_dir(dir).map_err(unreadable)?.take(FILES_MAX) {
        let path = entry.map_err(unreadable)?.path();
        let known = |one: &&Instrument| path.file_stem().is_some_and(|stem| stem == one.code());
        let is_toml = path.extension().is_some_and(|found| found == "toml");
        if is_toml && !Instrument::ALL.iter().any(|one| known(&one)) {
            return Err(RulesError::NoSuchInstrument(path));
        }
    }
    Ok(())
}

fn own_or(dir: Option<&Path>, name: &str, built_in: &str) -> Result<String, RulesError> {
    match dir.map(|dir| dir.join(name)) {
        Some(path) if path.exists() => read(&path),
        Some(_) | None => Ok(built_in.to_owned()),
    }
}

fn read(path: &Path) -> Result<String, RulesError> {
    let unreadable = |error| RulesError::File(path.to_owned(), error);
    if fs::metadata(path).map_err(unreadable)?.len() > FILE_BYTES_MAX {
        return Err(RulesError::NotText(path.to_owned()));
    }
    let bytes = fs::read(path).map_err(unreadable)?;
    String::from_utf8(bytes).map_err(|_| RulesError::NotText(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("policies")
    }

    #[test]
    fn the_shipped_folder_is_what_is_built_in() {
        let folder = policies(Some(&shipped())).unwrap();
        assert_eq!(folder.hash(), policies(None).unwrap().hash());
        let folder = screen(Some(&shipped())).unwrap();
        assert_eq!(folder.version(), screen(None).unwrap().version());
        assert!(clock(Some(&shipped())).is_ok() && clock(None).is_ok());
        assert_eq!(watch(Some(&shipped())).unwrap(), watch(None).unwrap());
        let folder = retention(Some(&shipped())).unwrap();
        assert_eq!(folder, retention(None).unwrap());
        let folder = instruments(Some(&shipped())).unwrap();
        assert_eq!(folder, instruments(None).unwrap());
    }

    #[test]
    fn a_folder_holds_a_rulebook_whole_or_only_what_is_the_operators() {
        let folder = book(&shipped()).unwrap().unwrap();
        assert_eq!(folder.hash(), Rulebook::built_in().unwrap().hash());
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(RETENTION), BUILT_IN_RETENTION).unwrap();
        assert!(book(dir.path()).unwrap().is_none());
        fs::create_dir(dir.path().join(SCREEN)).unwrap();
        fs::write(dir.path().join(LEXICON), Lists::BUILT_IN.lexicon).unwrap();
        let error = book(dir.path()).err().unwrap().to_string();
        assert!(error.contains("schema.cedarschema is missing"), "{error}");
    }

    #[test]
    fn a_folder_that_lacks_a_part_or_breaks_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(
            policies(Some(dir.path())),
            Err(RulesError::File(..))
        ));
        let (schema, files) = Policies::shipped_files();
        fs::write(dir.path().join(SCHEMA_NAME), schema).unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        assert!(unproved(dir.path()).is_ok());
        let error = policies(Some(dir.path())).err().unwrap().to_string();
        assert!(error.contains("policy prove"), "{error}");
        let proof = policies(None).unwrap().proof().to_text();
        fs::write(dir.path().join(PROOF_NAME), &proof).unwrap();
        assert!(policies(Some(dir.path())).is_ok());
        fs::write(dir.path().join("98-more.cedar"), "// dated").unwrap();
        let error = policies(Some(dir.path())).err().unwrap().to_string();
        assert!(error.contains("of other policies"), "{error}");
        fs::write(dir.path().join("99-more.cedar"), "permit (principal").unwrap();
        let error = policies(Some(dir.path())).err().unwrap().to_string();
        assert!(error.contains("99-more.cedar"), "{error}");
        fs::create_dir(dir.path().join("screen")).unwrap();
        fs::write(dir.path().join(LEXICON), "version = 1").unwrap();
        assert!(matches!(
            screen(Some(dir.path())),
            Err(RulesError::Screen(_))
        ));
        fs::create_dir(dir.path().join("watch")).unwrap();
        fs::write(
            dir.path().join(WATCH),
            BUILT_IN_WATCH.replace("sample.weekly", "nap"),
        )
        .unwrap();
        let error = watch(Some(dir.path())).err().unwrap().to_string();
        assert!(error.contains("`nap`"), "{error}");
        let tools = dir.path().join(INSTRUMENTS);
        fs::create_dir(&tools).unwrap();
        fs::write(tools.join("dara.toml"), "risk = true").unwrap();
        let error = instruments(Some(dir.path())).err().unwrap().to_string();
        assert!(error.starts_with("instruments/dara.toml: "), "{error}");
        fs::rename(tools.join("dara.toml"), tools.join("tarot.toml")).unwrap();
        let error = instruments(Some(dir.path())).err().unwrap().to_string();
        assert!(error.contains("no instrument"), "{error}");
        fs::write(dir.path().join(RETENTION), "days = 1").unwrap();
        assert!(matches!(
            retention(Some(dir.path())),
            Err(RulesError::Retention(_))
        ));
        fs::write(dir.path().join(NOTICES), "notice = []").unwrap();
        assert_eq!(notices(Some(dir.path())).unwrap().all().count(), 0);
        fs::write(dir.path().join(NOTICES), "words = 1").unwrap();
        assert!(matches!(
            notices(Some(dir.path())),
            Err(RulesError::Notices(_))
        ));
    }
}
