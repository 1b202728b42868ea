//! Are two records of the same person? From keyed tokens alone, by tiers, never by a sum of points.
//!
//! A wrong link is a disclosure, so a miss is preferred. Surname, address, postcode and telephone
//! never add up to a link: they only corroborate a given name with a full date of birth.

use std::borrow::Cow;

use borsh::{BorshDeserialize, BorshSerialize};

use super::token::{TaggedToken, TokenKind};

/// How sure a link is, and so what it may open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Tier {
    /// An official number that nothing contradicts, or name and birth with a corroborator: linked.
    Automatic = 1,
    /// Name and full date of birth, nothing else: told only that something exists, until one
    /// corroborator is confirmed.
    NameAndBirth = 2,
    /// A person at the holding agency must confirm; the asker sees nothing.
    Possible = 3,
    /// Not linked.
    Never = 4,
    /// One official number on what seem to be two people: not linked, and somebody must find out
    /// whose number it is.
    Quarantine = 5,
}

impl Tier {
    /// The word in tables and replies.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Automatic => "auto",
            Self::NameAndBirth => "name_dob",
            Self::Possible => "possible",
            Self::Never => "never",
            Self::Quarantine => "quarantine",
        }
    }
}

/// What two records say of an official number. A record that does not hold it says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    Same,
    Different,
    Missing,
}

/// How two names agree, the closest way that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    Exact,
    /// One name, spelt or transliterated otherwise.
    Spelling,
    /// One is a short or pet form of the other.
    Short,
    /// One letter is another, too many, missing or elsewhere; and one of the two is in the table of
    /// names, the other is not: so it is misspelt rather than somebody else's.
    Misspelt,
    /// One letter is another, too many, missing or elsewhere, as may be between two names.
    Slip,
    /// All parts of one are among the parts of the other.
    Part,
    /// They sound alike and are spelt otherwise.
    Sound,
    Different,
    Missing,
}

/// How two dates of birth agree, the closest way that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Births {
    Exact,
    /// Day and month the other way round.
    Swapped,
    /// One digit differs, within one decade.
    Slip,
    /// The same year, where one of the two is 1 January and so tells no more.
    YearOnly,
    Different,
    Missing,
}

/// Whether the names of two records agree in the other order, where they do not in this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swapped {
    Exact,
    /// By their sound, or both begin so.
    Near,
    No,
}

/// What two records have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// NHS number or PNC ID: different if any differs.
    pub number: Number,
    pub given: Names,
    pub family: Names,
    /// The given name of one is the family name of the other, both ways.
    pub swapped: Swapped,
    pub birth: Births,
    /// A postcode, telephone, e-mail or house in common.
    pub corroborated: bool,
    /// A house number, and what the street or the house's name begins with, in common.
    pub home_near: bool,
}

impl Evidence {
    /// Compares the tokens of two records, in any order. The result is the same both ways round.
    pub fn between(one: &[TaggedToken], other: &[TaggedToken]) -> Self {
        Self::of(&Kinds::between(&in_order(one), &in_order(other)))
    }

    pub(super) fn of(kinds: &Kinds) -> Self {
        let number = match (kinds.number(TokenKind::Nhs), kinds.number(TokenKind::Pnc)) {
            (Number::Different, _) | (_, Number::Different) => Number::Different,
            (Number::Same, _) | (_, Number::Same) => Number::Same,
            (Number::Missing, Number::Missing) => Number::Missing,
        };
        let given = [
            (TokenKind::Given, Names::Exact),
            (TokenKind::GivenSpelling, Names::Spelling),
            (TokenKind::GivenShort, Names::Short),
            (TokenKind::GivenEdit, Names::Slip),
            (TokenKind::GivenPart, Names::Part),
            (TokenKind::GivenSound, Names::Sound),
        ];
        let family = [
            (TokenKind::Family, Names::Exact),
            (TokenKind::FamilySpelling, Names::Spelling),
            (TokenKind::FamilyEdit, Names::Slip),
            (TokenKind::FamilyPart, Names::Part),
            (TokenKind::FamilySound, Names::Sound),
        ];
        let corroborators = [
            TokenKind::Postcode,
            TokenKind::Phone,
            TokenKind::Email,
            TokenKind::Address,
        ];
        let mut given = kinds.names(&given);
        if given == Names::Slip && kinds.in_one_only(TokenKind::GivenListed) {
            given = Names::Misspelt;
        }
        let family = kinds.names(&family);
        let crosswise = family == Names::Different
            && kinds.share(TokenKind::Starts)
            && kinds.in_one_only(TokenKind::GivenFirst);
        let swapped = match given {
            Names::Different | Names::Sound | Names::Part if kinds.share(TokenKind::Names) => {
                Swapped::Exact
            }
            Names::Different if crosswise || kinds.share(TokenKind::NamesSound) => Swapped::Near,
            _ => Swapped::No,
        };
        Self {
            number,
            given,
            family,
            swapped,
            birth: kinds.births(),
            corroborated: corroborators.into_iter().any(|kind| kinds.share(kind)),
            home_near: kinds.share(TokenKind::AddressNear),
        }
    }
}

/// Without a token of one of these kinds in common two records are never linked, whatever else
/// agrees: an official number, or the given name at least nearly, or both names crosswise. The index
/// compares no others, so a new rule that links by something else must name it here.
pub(super) const CARRYING: KindSet = KindSet(
    bit(TokenKind::Nhs)
        | bit(TokenKind::Pnc)
        | bit(TokenKind::Given)
        | bit(TokenKind::GivenSpelling)
        | bit(TokenKind::GivenShort)
        | bit(TokenKind::GivenEdit)
        | bit(TokenKind::GivenPart)
        | bit(TokenKind::GivenSound)
        | bit(TokenKind::Names)
        | bit(TokenKind::NamesSound)
        | bit(TokenKind::Starts),
);

/// Two records with a full date of birth each and without a token of one of these kinds in common
/// have different dates: whoever shares the date itself shares these too. Then nothing but an
/// official number ([`NUMBERS`]) brings them together.
pub(super) const DATING: KindSet = KindSet(bit(TokenKind::BirthSwap) | bit(TokenKind::BirthSlip));

/// Whatever [`Evidence`] is made of: numbers and comparisons. The tokens of other kinds only find a
/// record, or name her in the log.
pub(super) const COMPARED: KindSet = KindSet(NUMBERS.0 | u64::MAX << TokenKind::Given as u8);

/// Official numbers.
pub(super) const NUMBERS: KindSet = KindSet(bit(TokenKind::Nhs) | bit(TokenKind::Pnc));

/// The tier of a pair.
pub fn tier(evidence: &Evidence) -> Tier {
    match evidence.number {
        // Two numbers are two people, whatever else agrees.
        Number::Different => Tier::Never,
        Number::Same if contradicts(evidence) || unconfirmed(evidence) => Tier::Quarantine,
        Number::Same => Tier::Automatic,
        Number::Missing => by_name(evidence),
    }
}

/// Two records that cannot be of one person, whatever links them: two official numbers, another
/// given name or another date of birth. A changed surname is no contradiction: those who fled and
/// those who married have one.
pub fn contradicts(evidence: &Evidence) -> bool {
    evidence.number == Number::Different
        || evidence.given == Names::Different && evidence.swapped == Swapped::No
        || evidence.birth == Births::Different
}

/// Only the family names speak for or against an official number, and they differ.
fn unconfirmed(evidence: &Evidence) -> bool {
    evidence.given == Names::Missing
        && evidence.birth == Births::Missing
        && evidence.family == Names::Different
}

/// How both names agree together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Together {
    Same,
    Swapped,
    /// The given name, and the family name nearly.
    FamilyNear,
    /// The given name and another family name, or none.
    FamilyOther,
    /// The given name misspelt, and the same family name.
    GivenMisspelt,
    /// The given name in another spelling, and the same family name.
    GivenRespelt,
    /// The given name only nearly, the family name at least nearly.
    GivenNear,
    /// The given name only nearly, and another family name, or none.
    GivenNearFamilyOther,
    /// In the other order, nearly.
    SwappedNear,
    No,
}

impl Together {
    fn of(evidence: &Evidence) -> Self {
        match evidence.swapped {
            Swapped::Exact => return Self::Swapped,
            Swapped::Near => return Self::SwappedNear,
            Swapped::No => {}
        }
        let near = |name| {
            matches!(
                name,
                Names::Spelling
                    | Names::Short
                    | Names::Misspelt
                    | Names::Slip
                    | Names::Part
                    | Names::Sound
            )
        };
        let same = |name| matches!(name, Names::Exact | Names::Spelling);
        let (given, family) = (evidence.given, evidence.family);
        // Twins may be named Ian and Iain: of given names another spelling is another name, until
        // somebody looks.
        if given == Names::Exact {
            if same(family) {
                Self::Same
            } else if near(family) {
                Self::FamilyNear
            } else {
                Self::FamilyOther
            }
        } else if given == Names::Misspelt && same(family) {
            Self::GivenMisspelt
        } else if given == Names::Spelling && same(family) {
            Self::GivenRespelt
        } else if near(given) && (same(family) || near(family)) {
            Self::GivenNear
        } else if near(given) && given != Names::Sound {
            Self::GivenNearFamilyOther
        } else {
            Self::No
        }
    }
}

fn by_name(evidence: &Evidence) -> Tier {
    use Tier::{Automatic, NameAndBirth, Never, Possible};
    let (corroborated, alone) = match (Together::of(evidence), evidence.birth) {
        // Father and son may share both names and a home: somebody who knows one of them must look.
        (
            Together::Same
            | Together::FamilyNear
            | Together::Swapped
            | Together::SwappedNear
            | Together::GivenMisspelt,
            Births::Missing,
        ) => (Possible, Never),
        (_, Births::Different | Births::Missing) | (Together::No, _) => (Never, Never),
        // Day and month swapped are as unlikely by chance as the same date.
        (Together::Same | Together::FamilyNear, Births::Exact) => (Automatic, NameAndBirth),
        (Together::Same, Births::Swapped) => (Automatic, NameAndBirth),
        (Together::Swapped, Births::Exact) => (Automatic, NameAndBirth),
        (Together::FamilyOther, Births::Exact) => (Automatic, Possible),
        (Together::Same, Births::Slip) => (Automatic, Possible),
        (Together::Same, Births::YearOnly) => (Possible, Possible),
        (Together::GivenMisspelt, Births::Exact) => (NameAndBirth, Possible),
        (Together::GivenRespelt | Together::GivenNear | Together::SwappedNear, Births::Exact) => {
            (Possible, Possible)
        }
        (Together::GivenNearFamilyOther, Births::Exact) => (Possible, Never),
        // Twins' names are alike; those of two people are not alike crosswise.
        (
            Together::FamilyNear
            | Together::Swapped
            | Together::SwappedNear
            | Together::GivenMisspelt
            | Together::GivenRespelt,
            Births::Swapped | Births::Slip | Births::YearOnly,
        ) => (Possible, Never),
        (
            Together::FamilyOther | Together::GivenNear | Together::GivenNearFamilyOther,
            Births::Swapped | Births::Slip | Births::YearOnly,
        ) => (Never, Never),
    };
    if evidence.corroborated {
        corroborated
    } else if evidence.home_near && alone == Never && corroborated != Never {
        // A home that is nearly the same is enough for somebody to look, and for nothing else.
        Possible
    } else {
        alone
    }
}

fn in_order(tokens: &[TaggedToken]) -> Cow<'_, [TaggedToken]> {
    if tokens.is_sorted() {
        return Cow::Borrowed(tokens);
    }
    let mut sorted = tokens.to_vec();
    sorted.sort_unstable();
    Cow::Owned(sorted)
}

/// A token as two records are compared by it. In order of kind first.
pub(super) trait Compared: Copy + Ord {
    /// The number of its kind, below 64.
    fn kind_number(self) -> u64;
}

impl Compared for TaggedToken {
    fn kind_number(self) -> u64 {
        self.kind as u64
    }
}

/// Which kinds of token both records share, and of which one has what the other has not, as sets of
/// bits by kind.
#[derive(Default)]
pub(super) struct Kinds {
    shared: u64,
    /// Some token of the kind is in this record only.
    only_one: u64,
    only_other: u64,
}

impl Kinds {
    /// Both in order: one walk along the two. It takes no branch on what is equal, because nobody
    /// could foretell it and each wrong guess costs more than the rest of the step.
    pub(super) fn between<T: Compared>(one: &[T], other: &[T]) -> Self {
        let mut kinds = Self::default();
        let (mut place, mut place_other) = (0, 0);
        while let (Some(first), Some(second)) = (one.get(place), other.get(place_other)) {
            let (taken, taken_other) = (first <= second, first >= second);
            let (kind, kind_other) = (first.kind_number(), second.kind_number());
            kinds.shared |= u64::from(taken & taken_other) << kind;
            kinds.only_one |= u64::from(!taken_other) << kind;
            kinds.only_other |= u64::from(!taken) << kind_other;
            place += usize::from(taken);
            place_other += usize::from(taken_other);
        }
        let all = |left: &[T]| {
            left.iter()
                .fold(0, |all, token| all | 1 << token.kind_number())
        };
        kinds.only_one |= all(one.get(place..).unwrap_or_default());
        kinds.only_other |= all(other.get(place_other..).unwrap_or_default());
        kinds
    }

    fn share(&self, kind: TokenKind) -> bool {
        self.shared & bit(kind) != 0
    }

    fn both(&self, kind: TokenKind) -> bool {
        (self.shared | self.only_one & self.only_other) & bit(kind) != 0
    }

    fn in_one_only(&self, kind: TokenKind) -> bool {
        (self.only_one ^ self.only_other) & !self.shared & bit(kind) != 0
    }

    /// A record has at most one number of a kind. Should it hold several, any that the other does
    /// not have counts as a difference: prefer a miss.
    fn number(&self, kind: TokenKind) -> Number {
        if !self.both(kind) {
            Number::Missing
        } else if (self.only_one | self.only_other) & bit(kind) == 0 {
            Number::Same
        } else {
            Number::Different
        }
    }

    /// The kinds from the closest agreement to the widest; the first is in every record that has
    /// the name.
    fn names(&self, kinds: &[(TokenKind, Names)]) -> Names {
        let agrees = |kind| match kind {
            // Brothers who share one part of their names each have another.
            TokenKind::GivenPart | TokenKind::FamilyPart => {
                self.share(kind) && self.only_one & self.only_other & bit(kind) == 0
            }
            _ => self.share(kind),
        };
        let agreed = kinds.iter().find(|(kind, _)| agrees(*kind));
        let whole = kinds.first().map(|(kind, _)| *kind);
        match agreed {
            Some((_, level)) => *level,
            None if whole.is_some_and(|kind| self.both(kind)) => Names::Different,
            None => Names::Missing,
        }
    }

    fn births(&self) -> Births {
        let full = self.both(TokenKind::Birth);
        if self.share(TokenKind::Birth) {
            Births::Exact
        } else if self.share(TokenKind::BirthSwap) {
            Births::Swapped
        } else if self.share(TokenKind::BirthSlip) {
            Births::Slip
        } else if !self.both(TokenKind::BirthYear) {
            Births::Missing
        } else if !full && self.share(TokenKind::BirthYear) {
            Births::YearOnly
        } else {
            Births::Different
        }
    }
}

const fn bit(kind: TokenKind) -> u64 {
    1 << kind as u8
}

/// A set of kinds of token.
#[derive(Clone, Copy)]
pub(super) struct KindSet(u64);

impl KindSet {
    pub(super) fn of(is_in: fn(TokenKind) -> bool) -> Self {
        let kinds = TokenKind::ALL.into_iter().filter(|kind| is_in(*kind));
        Self(kinds.fold(0, |all, kind| all | bit(kind)))
    }

    pub(super) fn has(self, token: impl Compared) -> bool {
        self.0 >> token.kind_number() & 1 == 1
    }
}

#[cfg(test)]
mod tests;
