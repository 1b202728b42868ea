//! The rulebook: the policies with their proof, and the lists of the text screen. What one person
//! must not change alone (F10) is in it, so that one hash names it whole; each log entry carries it.
//!
//! Clock, watch and retention are not: they say when something is due and what is looked at, and
//! open nothing. Reads no file: names and texts come in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use borsh::{BorshDeserialize, BorshSerialize};

use super::firewall::text::{Lists, TextScreen};
use super::id::{OrgId, ProposalId};
use super::policy::proof::Proof;
use super::policy::{PROOF_NAME, Policies, SCHEMA_NAME, Unproved, set_hash};
use super::time::When;

/// The lists of the text screen, (name, text as built in). In a folder they lie in `screen/`.
/// The weights of the classifier are the program's, as its code is.
pub const SCREEN_LISTS: &[(&str, &str)] = &[
    (LEXICON, Lists::BUILT_IN.lexicon),
    (GENERAL, Lists::BUILT_IN.general),
];
const LEXICON: &str = "lexicon.toml";
const GENERAL: &str = "general.toml";
/// All names and texts of one rulebook together, in bytes: a proposal that carries them fits into
/// one request.
pub const PAGES_BYTES_MAX: usize = 224 * 1024;
/// Most problems that are told at once.
const PROBLEMS_MAX: usize = 64;

/// One file: name, text.
pub type Page = (String, String);

/// A rulebook that may decide. Immutable; there is no way to make one but to load all of it.
pub struct Rulebook {
    pub policies: Policies,
    pub screen: TextScreen,
    hash: [u8; 32],
    pages: Vec<Page>,
}

/// Why a rulebook cannot be used: every problem found, each a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", problems.join("\n"))]
pub struct BadRulebook {
    pub problems: Vec<String>,
}

/// That two people of two organisations put a rulebook in force: a fact of
/// [`super::decision::Aggregate::Settings`], which every decision reads (P8). Its pages lie by
/// themselves, under their hash.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Adopted {
    pub hash: [u8; 32],
    pub since: When,
    pub proposal: ProposalId,
}

/// A rulebook that is proposed. The pages travel with it, and are kept apart from the proposal.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Revision {
    /// The proposer's own.
    pub organisation: OrgId,
    pub hash: [u8; 32],
    /// SHA-256 of its `proof.json`.
    pub proof: [u8; 32],
    pub solver: String,
    /// What was in force when it was proposed. Nobody approves the differences to anything else.
    pub replaces: [u8; 32],
    pub differences: Vec<Difference>,
    #[borsh(skip)]
    pub pages: Vec<Page>,
}

/// How one file or policy differs from what it would replace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Difference {
    pub of: Piece,
    /// The file's name, or the policy's `@id`.
    pub name: String,
    pub how: How,
    /// The sentence of the policy; of one that is removed, the sentence that goes.
    pub says: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum Piece {
    Policy,
    File,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum How {
    Added,
    Removed,
    Changed,
}

impl Piece {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::File => "file",
        }
    }
}

impl How {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

impl Revision {
    /// As it comes from the proposer: only its pages are known yet.
    pub const fn of(organisation: OrgId, pages: Vec<Page>) -> Self {
        Self {
            organisation,
            hash: [0; 32],
            proof: [0; 32],
            solver: String::new(),
            replaces: [0; 32],
            differences: Vec::new(),
            pages,
        }
    }
}

impl Rulebook {
    /// Loads a rulebook whole: the schema, every policy, the proof, every list of the screen.
    ///
    /// # Errors
    /// [`BadRulebook`] if a page is missing, strange or too long, the policies do not load, the
    /// proof is not of them or leaves a property open, or a list of the screen does not parse.
    pub fn load(pages: &[Page]) -> Result<Self, BadRulebook> {
        let mut problems = strange(pages);
        let text = |name: &str| {
            let found = pages.iter().find(|(of, _)| of == name);
            found
                .map(|(_, text)| text.as_str())
                .ok_or_else(|| format!("{name} is missing"))
        };
        let mut needed = |name| text(name).map_err(|missing| problems.push(missing)).ok();
        let (schema, proof) = (needed(SCHEMA_NAME), needed(PROOF_NAME));
        let lists = needed(LEXICON).zip(needed(GENERAL));
        let files: Vec<(&str, &str)> = pages
            .iter()
            .filter(|(name, _)| name.ends_with(".cedar"))
            .map(|(name, text)| (name.as_str(), text.as_str()))
            .collect();
        let set = schema.and_then(|schema| {
            Unproved::load(schema, &files)
                .map_err(|bad| problems.extend(bad.problems))
                .ok()
        });
        let proof = proof.and_then(|proof| {
            Proof::parse(proof)
                .map_err(|bad| problems.push(format!("{PROOF_NAME}: {bad}")))
                .ok()
        });
        let policies = set.zip(proof).and_then(|(set, proof)| {
            set.proved(proof)
                .map_err(|bad| problems.extend(bad.problems))
                .ok()
        });
        let screen = lists.and_then(|(lexicon, general)| {
            let lists = Lists {
                lexicon,
                general,
                ..Lists::BUILT_IN
            };
            TextScreen::parse(&lists)
                .map_err(|bad| problems.push(format!("the text screen: {bad}")))
                .ok()
        });
        problems.truncate(PROBLEMS_MAX);
        match (policies, screen) {
            (Some(policies), Some(screen)) if problems.is_empty() => {
                let mut pages = pages.to_vec();
                pages.sort();
                Ok(Self {
                    policies,
                    screen,
                    hash: hash(&pages),
                    pages,
                })
            }
            _ => Err(BadRulebook { problems }),
        }
    }

    /// The one that was built into this program, with its proof.
    ///
    /// # Errors
    /// Never in a released build: a test loads it.
    pub fn built_in() -> Result<Self, BadRulebook> {
        Self::load(built_in_pages())
    }

    /// The built-in one with other policies.
    #[cfg(test)]
    pub fn with_policies(policies: Policies) -> Self {
        Self {
            policies,
            ..Self::built_in().unwrap()
        }
    }

    /// What each decision names its rules by: over the names and texts of all its pages.
    pub const fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// Its files, in order of name.
    pub fn pages(&self) -> &[Page] {
        &self.pages
    }

    /// What would change if `other` came in its place: policies first, each with its sentence, then
    /// the files that are not policies.
    pub fn differences(&self, other: &Self) -> Vec<Difference> {
        let mut found = Vec::new();
        let of = |book: &Self| -> BTreeMap<String, String> {
            let ids = book.policies.ids().into_iter();
            ids.filter_map(|id| Some((id.clone(), book.policies.text(&id)?)))
                .collect()
        };
        compare(&of(self), &of(other), |name, how| {
            let book = if how == How::Removed { self } else { other };
            let says = book.policies.says(&name).map(str::to_owned);
            found.push(Difference {
                of: Piece::Policy,
                name,
                how,
                says,
            });
        });
        let of = |book: &Self| book.pages.iter().cloned().collect();
        compare(&of(self), &of(other), |name, how| {
            found.push(Difference {
                of: Piece::File,
                name,
                how,
                says: None,
            });
        });
        found
    }
}

/// The hash of a rulebook's pages, in any order.
pub fn hash(pages: &[Page]) -> [u8; 32] {
    let pages: Vec<(&str, &str)> = pages
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    set_hash(&pages)
}

/// The pages of [`Rulebook::built_in`].
pub fn built_in_pages() -> &'static [Page] {
    static PAGES: OnceLock<Vec<Page>> = OnceLock::new();
    PAGES.get_or_init(|| {
        let (schema, policies) = Policies::shipped_files();
        let own = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        let rest = [
            (SCHEMA_NAME, schema),
            (PROOF_NAME, Policies::shipped_proof()),
        ];
        let all = policies.iter().chain(&rest).chain(SCREEN_LISTS);
        let mut pages: Vec<Page> = all.map(own).collect();
        pages.sort();
        pages
    })
}

/// The hash of [`built_in_pages`]: what is in force until two people put another in force.
pub fn built_in_hash() -> [u8; 32] {
    static HASH: OnceLock<[u8; 32]> = OnceLock::new();
    *HASH.get_or_init(|| hash(built_in_pages()))
}

fn strange(pages: &[Page]) -> Vec<String> {
    let mut problems = Vec::new();
    let bytes: usize = pages
        .iter()
        .map(|(name, text)| name.len() + text.len())
        .sum();
    if bytes > PAGES_BYTES_MAX {
        problems.push(format!(
            "the files are longer than {} KiB together",
            PAGES_BYTES_MAX / 1024
        ));
    }
    let mut seen = BTreeSet::new();
    for (name, _) in pages {
        let lists = SCREEN_LISTS.iter().map(|(list, _)| *list);
        let known = [SCHEMA_NAME, PROOF_NAME]
            .into_iter()
            .chain(lists)
            .any(|one| one == name);
        if !known && !is_policy_name(name) {
            problems.push("a file is none of a rulebook's: see policies/README.md".to_owned());
        } else if !seen.insert(name) {
            problems.push(format!("{name}: two files have this name"));
        }
    }
    problems
}

fn is_policy_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let stem = name.strip_suffix(".cedar");
    stem.is_some_and(|stem| !stem.is_empty() && !stem.starts_with('.'))
        && name.len() <= 64
        && name.bytes().all(plain)
}

fn compare(
    from: &BTreeMap<String, String>,
    to: &BTreeMap<String, String>,
    mut found: impl FnMut(String, How),
) {
    let names: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    for name in names {
        match (from.get(name), to.get(name)) {
            (None, Some(_)) => found(name.clone(), How::Added),
            (Some(_), None) => found(name.clone(), How::Removed),
            (Some(old), Some(new)) if old != new => found(name.clone(), How::Changed),
            (Some(_), Some(_)) | (None, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, change: impl Fn(&str) -> String) -> Vec<Page> {
        let mut pages = built_in_pages().to_vec();
        let page = pages.iter_mut().find(|(of, _)| of == name).unwrap();
        page.1 = change(&page.1);
        pages
    }

    #[test]
    fn one_hash_names_the_policies_the_proof_and_the_words() {
        let book = Rulebook::built_in().unwrap();
        assert_eq!(book.hash(), built_in_hash());
        for name in [
            SCHEMA_NAME,
            "90-firewall.cedar",
            PROOF_NAME,
            LEXICON,
            GENERAL,
        ] {
            let changed = with(name, |text| format!("{text} "));
            assert_ne!(hash(&changed), built_in_hash(), "{name}");
        }
    }

    #[test]
    fn a_shorter_list_of_words_is_another_rulebook_and_is_seen() {
        let fewer = with(LEXICON, |text| format!("# edited\n{text}"));
        let book = Rulebook::built_in().unwrap();
        let other = Rulebook::load(&fewer).unwrap();
        let names = book.differences(&other);
        let names: Vec<_> = names
            .iter()
            .map(|one| (one.of, one.name.as_str()))
            .collect();
        assert_eq!(names, [(Piece::File, LEXICON)]);
        assert!(book.differences(&book).is_empty());
    }

    #[test]
    fn every_problem_of_a_rulebook_is_named_and_none_loads_in_part() {
        let mut pages = with("70-guards.cedar", |text| format!("{text}\n// dated"));
        pages.retain(|(name, _)| name != LEXICON);
        pages.push(("photo.jpg".to_owned(), String::new()));
        let bad = Rulebook::load(&pages).err().unwrap();
        insta::assert_snapshot!(bad, @r"
        a file is none of a rulebook's: see policies/README.md
        lexicon.toml is missing
        proof.json is of other policies than these
        prove them: firedoor policy prove DIR --write
        ");
        let long = with(LEXICON, |text| text.repeat(4));
        let bad = Rulebook::load(&long).err().unwrap();
        assert!(bad.to_string().contains("longer than 224 KiB"), "{bad}");
    }

    #[test]
    fn a_policy_that_goes_is_told_with_the_sentence_that_goes() {
        let (from, to) = (
            BTreeMap::from([
                ("a".to_owned(), "1".to_owned()),
                ("b".to_owned(), "2".to_owned()),
            ]),
            BTreeMap::from([
                ("b".to_owned(), "3".to_owned()),
                ("c".to_owned(), "4".to_owned()),
            ]),
        );
        let mut found = Vec::new();
        compare(&from, &to, |name, how| found.push((name, how.code())));
        let names = |name: &str, how| (name.to_owned(), how);
        assert_eq!(
            found,
            [
                names("a", "removed"),
                names("b", "changed"),
                names("c", "added")
            ]
        );
    }
}
