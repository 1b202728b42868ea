//! The account behind a leaf: who asked, why, what, and what was decided; each can be shown alone.
//!
//! Codes and ids only: no name, no value, no free text. Sealed beside the log under
//! a key that can be destroyed; nothing here may print itself.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::id::{Id, OrgId, TeamId};
use super::leaf::Leaf;

const VERSION: u8 = 1;

/// The largest user name, in bytes, as the asker's organisation writes it.
pub const USER_BYTES_MAX: usize = 64;
/// The largest code (role, purpose, rule, outcome word, note), in bytes.
pub const CODE_BYTES_MAX: usize = 96;
/// The most items in one list.
pub const LIST_ITEMS_MAX: usize = 64;
/// The largest encoded opening that is read back.
pub const OPENING_BYTES_MAX: usize = 64 * 1024;

/// One of the four things that can be shown without the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Part {
    Who,
    Why,
    What,
    Decided,
}

impl Part {
    pub const ALL: [Self; 4] = [Self::Who, Self::Why, Self::What, Self::Decided];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Who => "who",
            Self::Why => "why",
            Self::What => "what",
            Self::Decided => "decided",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }

    // The line feed ends each label, so that no label is the beginning of another.
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Who => b"firedoor leaf v1 who\n",
            Self::Why => b"firedoor leaf v1 why\n",
            Self::What => b"firedoor leaf v1 what\n",
            Self::Decided => b"firedoor leaf v1 decided\n",
        }
    }

    /// Names the salt's share of an attempt's entropy.
    pub const fn salt_label(self) -> &'static str {
        match self {
            Self::Who => "leaf salt who",
            Self::Why => "leaf salt why",
            Self::What => "leaf salt what",
            Self::Decided => "leaf salt decided",
        }
    }
}

/// Who asked.
#[derive(Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Who {
    pub organisation: OrgId,
    pub team: TeamId,
    /// As the organisation names its worker; at most [`USER_BYTES_MAX`].
    pub user: String,
    pub role: String,
    /// SHA-256 of the certificate's public key (SubjectPublicKeyInfo).
    pub certificate: [u8; 32],
    /// The user was asserted by a system, not shown by the person's own certificate.
    pub asserted: bool,
}

/// For what.
#[derive(Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Why {
    pub purpose: String,
    /// A code, never free text.
    pub reason: Option<String>,
    pub case: Option<Id>,
}

/// What was asked. It opens to the asker, so it holds only what the asker said: neither the log's
/// pseudonym of a person nor an inner id, which would join what two organisations know (P7).
#[derive(Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct What {
    /// `verb.object`, as `assessment.query`.
    pub action: String,
    /// The thing it named, under the id by which the asker's organisation knows it.
    pub object: Option<Id>,
    /// Names of the data classes asked for.
    pub asked: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Outcome {
    Permit,
    Deny,
    Empty,
    Error,
}

/// What the firewall did to an attempt.
#[derive(Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct FirewallMark {
    pub rule: String,
    pub class: String,
}

/// What was found and decided, and on what it rests. Never shown to the asker.
#[derive(Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Decided {
    pub outcome: Outcome,
    /// The word that the asker was told, as `nothing-to-show`.
    pub told: String,
    pub rule: String,
    /// SHA-256 of the policy set.
    pub policy: [u8; 32],
    /// The log's own pseudonym of the person, keyed apart from every other.
    pub subject: Option<[u8; 16]>,
    /// The gateway's own id of the thing concerned.
    pub object: Option<Id>,
    pub consents: Vec<Id>,
    pub basis: Option<String>,
    pub relationship: Option<String>,
    pub firewall: Option<FirewallMark>,
    /// Names of the data classes that were disclosed.
    pub disclosed: Vec<String>,
    /// Holders and counterparts: whose information-governance officers see this entry.
    pub concerned: Vec<OrgId>,
    /// How many sources were answered from.
    pub sources: u16,
    /// Coded facts, as which clock started or who was told.
    pub notes: Vec<String>,
}

/// The whole account of one attempt, before it is committed to.
#[derive(Clone)]
pub struct Account {
    pub who: Who,
    pub why: Why,
    pub what: What,
    pub decided: Decided,
}

/// The account with its salts: what is sealed beside the leaf. Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Opening {
    pub who: Who,
    pub why: Why,
    pub what: What,
    pub decided: Decided,
    /// In the order of [`Part::ALL`].
    pub salts: [[u8; 32]; 4],
    pub request_salt: [u8; 32],
}

/// The opening cannot be kept or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadOpening {
    #[error("a text or list in the log entry is over its limit")]
    TooLarge,
    #[error("the opening is damaged or of a version that this program does not know")]
    Unreadable,
}

impl Opening {
    /// A version byte, then borsh.
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(self)
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, BadOpening> {
        if bytes.len() > OPENING_BYTES_MAX {
            return Err(BadOpening::TooLarge);
        }
        let opening: Self = decode(bytes)?;
        opening.check_limits()?;
        Ok(opening)
    }

    /// One part with its salt, to be shown alone.
    pub fn open(&self, part: Part) -> OpenedPart {
        let [who, why, what, decided] = self.salts;
        let (salt, bytes) = match part {
            Part::Who => (who, encode(&self.who)),
            Part::Why => (why, encode(&self.why)),
            Part::What => (what, encode(&self.what)),
            Part::Decided => (decided, encode(&self.decided)),
        };
        OpenedPart { part, salt, bytes }
    }

    /// Whether this is the opening of that leaf, in all four parts.
    pub fn opens(&self, leaf: &Leaf) -> bool {
        Part::ALL
            .into_iter()
            .all(|part| self.open(part).verify(leaf))
    }

    /// Whether every text and list is within its limit.
    pub fn check_limits(&self) -> Result<(), BadOpening> {
        let Self {
            who,
            why,
            what,
            decided,
            salts: _,
            request_salt: _,
        } = self;
        let firewall = decided
            .firewall
            .iter()
            .flat_map(|mark| [&mark.rule, &mark.class]);
        let mut codes = [
            &who.role,
            &why.purpose,
            &what.action,
            &decided.told,
            &decided.rule,
        ]
        .into_iter()
        .chain(&why.reason)
        .chain(&decided.basis)
        .chain(&decided.relationship)
        .chain(firewall)
        .chain(&what.asked)
        .chain(&decided.disclosed)
        .chain(&decided.notes);
        let mut lists = [
            what.asked.len(),
            decided.consents.len(),
            decided.disclosed.len(),
            decided.concerned.len(),
            decided.notes.len(),
        ]
        .into_iter();
        let fits = who.user.len() <= USER_BYTES_MAX
            && codes.all(|code| code.len() <= CODE_BYTES_MAX)
            && lists.all(|count| count <= LIST_ITEMS_MAX);
        fits.then_some(()).ok_or(BadOpening::TooLarge)
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opening(..)")
    }
}

/// One part of an opening, checkable against its leaf without the others.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenedPart {
    pub part: Part,
    pub salt: [u8; 32],
    /// As committed to; [`OpenedPart::read`] gives the value.
    pub bytes: Vec<u8>,
}

/// What an opened part says.
#[derive(Clone, PartialEq, Eq)]
pub enum Opened {
    Who(Who),
    Why(Why),
    What(What),
    Decided(Decided),
}

impl OpenedPart {
    /// What a leaf holds of it: HMAC-SHA256 under the salt, of the part's label and bytes.
    pub fn commitment(&self) -> [u8; 32] {
        salted(&self.salt, self.part.label(), &self.bytes)
    }

    /// Whether the leaf committed to exactly these bytes.
    pub fn verify(&self, leaf: &Leaf) -> bool {
        self.commitment() == leaf.commitment(self.part)
    }

    pub fn read(&self) -> Result<Opened, BadOpening> {
        Ok(match self.part {
            Part::Who => Opened::Who(decode(&self.bytes)?),
            Part::Why => Opened::Why(decode(&self.bytes)?),
            Part::What => Opened::What(decode(&self.bytes)?),
            Part::Decided => Opened::Decided(decode(&self.bytes)?),
        })
    }
}

impl fmt::Debug for OpenedPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenedPart({}, ..)", self.part.name())
    }
}

/// The salted hash of a request's body: without the salt, nobody can try out what was asked.
pub fn request_hash(salt: &[u8; 32], request: &[u8]) -> [u8; 32] {
    salted(salt, b"firedoor leaf v1 request\n", request)
}

fn salted(salt: &[u8; 32], label: &[u8], bytes: &[u8]) -> [u8; 32] {
    // HMAC pads its key to the block with zeros (RFC 2104), so this is HMAC under the 32 bytes.
    let mut block = [0; 64];
    for (byte, salt) in block.iter_mut().zip(salt) {
        *byte = *salt;
    }
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(label);
    mac.update(bytes);
    mac.finalize().into_bytes().into()
}

fn encode(value: &impl BorshSerialize) -> Vec<u8> {
    let mut out = vec![VERSION];
    // Writing to memory fails only for lists of more than 2^32 items, which the limits exclude.
    let written = value.serialize(&mut out);
    debug_assert!(written.is_ok());
    out
}

fn decode<T: BorshDeserialize>(bytes: &[u8]) -> Result<T, BadOpening> {
    match bytes.split_first() {
        Some((&VERSION, body)) => T::try_from_slice(body).map_err(|_| BadOpening::Unreadable),
        Some(_) | None => Err(BadOpening::Unreadable),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use proptest::prelude::*;

    pub fn account() -> Account {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        Account {
            who: Who {
                organisation: OrgId::parse("met-police").unwrap(),
                team: TeamId::parse("hackney").unwrap(),
                user: "4417".to_owned(),
                role: "officer".to_owned(),
                certificate: [0xC1; 32],
                asserted: true,
            },
            why: Why {
                purpose: "support_now".to_owned(),
                reason: None,
                case: Some(Id::from_bytes([0xCA; 16])),
            },
            what: What {
                action: "assessment.query".to_owned(),
                object: Some(Id::from_bytes([0x0B; 16])),
                asked: texts(&["RK", "ND"]),
            },
            decided: Decided {
                outcome: Outcome::Empty,
                told: "nothing-to-show".to_owned(),
                rule: "F8".to_owned(),
                policy: [0x90; 32],
                subject: Some([0x5B; 16]),
                object: None,
                consents: vec![Id::from_bytes([0xC0; 16])],
                basis: Some("consent".to_owned()),
                relationship: None,
                firewall: Some(FirewallMark {
                    rule: "F1".to_owned(),
                    class: "IM".to_owned(),
                }),
                disclosed: vec![],
                concerned: vec![OrgId::parse("haven").unwrap()],
                sources: 1,
                notes: texts(&["notice.ig"]),
            },
        }
    }

    fn opening() -> Opening {
        let Account {
            who,
            why,
            what,
            decided,
        } = account();
        let salts = [[1; 32], [2; 32], [3; 32], [4; 32]];
        Opening {
            who,
            why,
            what,
            decided,
            salts,
            request_salt: [5; 32],
        }
    }

    #[test]
    fn an_opening_survives_its_bytes_and_prints_nothing() {
        let opening = opening();
        assert!(Opening::parse(&opening.to_bytes()) == Ok(opening.clone()));
        assert_eq!(format!("{opening:?}"), "Opening(..)");
        assert_eq!(
            format!("{:?}", opening.open(Part::Who)),
            "OpenedPart(who, ..)"
        );
    }

    #[test]
    fn each_part_reads_alone() {
        let opening = opening();
        let Account {
            who,
            why,
            what,
            decided,
        } = account();
        assert!(opening.open(Part::Who).read() == Ok(Opened::Who(who)));
        assert!(opening.open(Part::Why).read() == Ok(Opened::Why(why)));
        assert!(opening.open(Part::What).read() == Ok(Opened::What(what)));
        assert!(opening.open(Part::Decided).read() == Ok(Opened::Decided(decided)));
    }

    #[test]
    fn texts_and_lists_have_limits() {
        let changed = |change: fn(&mut Opening)| {
            let mut opening = opening();
            change(&mut opening);
            (
                opening.check_limits(),
                Opening::parse(&opening.to_bytes()).map(|_| ()),
            )
        };
        let refused = (Err(BadOpening::TooLarge), Err(BadOpening::TooLarge));
        assert_eq!(
            changed(|opening| opening.who.user = "x".repeat(64)),
            (Ok(()), Ok(()))
        );
        assert_eq!(
            changed(|opening| opening.who.user = "x".repeat(65)),
            refused
        );
        assert_eq!(
            changed(|opening| opening.why.reason = Some("x".repeat(97))),
            refused
        );
        assert_eq!(
            changed(|opening| opening.decided.notes = vec!["x".repeat(97)]),
            refused
        );
        assert_eq!(
            changed(|opening| opening.decided.consents = vec![Id::ZERO; 65]),
            refused
        );
    }

    #[test]
    fn a_later_version_is_not_guessed_at() {
        let mut bytes = opening().to_bytes();
        bytes[0] = 2;
        assert!(Opening::parse(&bytes) == Err(BadOpening::Unreadable));
        assert!(Opening::parse(&[]) == Err(BadOpening::Unreadable));
        let mut longer = opening().to_bytes();
        longer.push(0);
        assert!(Opening::parse(&longer) == Err(BadOpening::Unreadable));
    }

    proptest! {
        #[test]
        fn reading_never_panics(bytes: Vec<u8>) {
            let _ = Opening::parse(&bytes);
            let versioned: Vec<u8> = [VERSION].into_iter().chain(bytes).collect();
            let _ = Opening::parse(&versioned);
            for part in Part::ALL {
                let _ = OpenedPart { part, salt: [0; 32], bytes: versioned.clone() }.read();
            }
        }
    }
}
