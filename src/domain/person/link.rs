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
    /// One is written for the other: a short form, another spelling.
    Variant,
    /// One letter is another, too many, missing or elsewhere.
    Slip,
    /// One part of a name of several.
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

/// What two records have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// NHS number or PNC ID: different if any differs.
    pub number: Number,
    pub given: Names,
    pub family: Names,
    /// The given name of one is the family name of the other, both ways.
    pub swapped: bool,
    pub birth: Births,
    /// A postcode, telephone, e-mail or house in common.
    pub corroborated: bool,
}

impl Evidence {
    /// Compares the tokens of two records, in any order. The result is the same both ways round.
    pub fn between(one: &[TaggedToken], other: &[TaggedToken]) -> Self {
        let kinds = Kinds::between(&in_order(one), &in_order(other));
        let number = match (kinds.number(TokenKind::Nhs), kinds.number(TokenKind::Pnc)) {
            (Number::Different, _) | (_, Number::Different) => Number::Different,
            (Number::Same, _) | (_, Number::Same) => Number::Same,
            (Number::Missing, Number::Missing) => Number::Missing,
        };
        let given = [
            TokenKind::Given,
            TokenKind::GivenVariant,
            TokenKind::GivenEdit,
            TokenKind::GivenPart,
            TokenKind::GivenSound,
        ];
        let family = [
            TokenKind::Family,
            TokenKind::FamilyVariant,
            TokenKind::FamilyEdit,
            TokenKind::FamilyPart,
            TokenKind::FamilySound,
        ];
        let corroborators = [
            TokenKind::Postcode,
            TokenKind::Phone,
            TokenKind::Email,
            TokenKind::Address,
        ];
        let given = kinds.names(given);
        Self {
            number,
            given,
            family: kinds.names(family),
            swapped: given != Names::Exact && kinds.share(TokenKind::Names),
            birth: kinds.births(),
            corroborated: corroborators.into_iter().any(|kind| kinds.share(kind)),
        }
    }
}

/// The tier of a pair.
pub fn tier(evidence: &Evidence) -> Tier {
    let Evidence {
        number,
        given,
        family,
        swapped,
        birth,
        corroborated,
    } = *evidence;
    let given_known = given != Names::Missing;
    match number {
        // Two numbers are two people, whatever else agrees.
        Number::Different => return Tier::Never,
        Number::Same => {
            let other_name = given == Names::Different && !swapped;
            let unconfirmed = !given_known && birth == Births::Missing;
            return if other_name
                || birth == Births::Different
                || unconfirmed && family == Names::Different
            {
                Tier::Quarantine
            } else {
                Tier::Automatic
            };
        }
        Number::Missing => {}
    }
    match (given, family, birth) {
        (Names::Exact, Names::Exact, Births::Exact) if !corroborated => Tier::NameAndBirth,
        (Names::Exact, _, Births::Exact) if corroborated => Tier::Automatic,
        (Names::Exact, Names::Exact, Births::Swapped | Births::Slip) if corroborated => {
            Tier::Automatic
        }
        _ => Tier::Never,
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

/// Which kinds of token each record has and both share, as sets of bits by kind.
#[derive(Default)]
struct Kinds {
    one: u64,
    other: u64,
    shared: u64,
    /// Some token of the kind is on one side only.
    apart: u64,
}

impl Kinds {
    /// Both in order: one walk along the two.
    fn between(mut one: &[TaggedToken], mut other: &[TaggedToken]) -> Self {
        let mut kinds = Self::default();
        loop {
            match (one, other) {
                ([first, rest @ ..], [second, others @ ..]) => match first.cmp(second) {
                    std::cmp::Ordering::Equal => {
                        kinds.one |= bit(first.kind);
                        kinds.other |= bit(first.kind);
                        kinds.shared |= bit(first.kind);
                        (one, other) = (rest, others);
                    }
                    std::cmp::Ordering::Less => {
                        kinds.one |= bit(first.kind);
                        kinds.apart |= bit(first.kind);
                        one = rest;
                    }
                    std::cmp::Ordering::Greater => {
                        kinds.other |= bit(second.kind);
                        kinds.apart |= bit(second.kind);
                        other = others;
                    }
                },
                ([first, rest @ ..], []) => {
                    kinds.one |= bit(first.kind);
                    kinds.apart |= bit(first.kind);
                    one = rest;
                }
                ([], [second, others @ ..]) => {
                    kinds.other |= bit(second.kind);
                    kinds.apart |= bit(second.kind);
                    other = others;
                }
                ([], []) => return kinds,
            }
        }
    }

    fn share(&self, kind: TokenKind) -> bool {
        self.shared & bit(kind) != 0
    }

    fn both(&self, kind: TokenKind) -> bool {
        self.one & self.other & bit(kind) != 0
    }

    /// A record has at most one number of a kind. Should it hold several, any that the other does
    /// not have counts as a difference: prefer a miss.
    fn number(&self, kind: TokenKind) -> Number {
        if !self.both(kind) {
            Number::Missing
        } else if self.apart & bit(kind) == 0 {
            Number::Same
        } else {
            Number::Different
        }
    }

    /// The kinds from the closest agreement to the widest; the first is in every record that has
    /// the name.
    fn names(&self, kinds: [TokenKind; 5]) -> Names {
        let [whole, ..] = kinds;
        let levels = [
            Names::Exact,
            Names::Variant,
            Names::Slip,
            Names::Part,
            Names::Sound,
        ];
        let mut agreed = kinds.into_iter().zip(levels);
        let agreed = agreed.find(|(kind, _)| self.share(*kind));
        match agreed {
            Some((_, level)) => level,
            None if self.both(whole) => Names::Different,
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
