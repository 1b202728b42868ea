//! Keyed tokens: the only trace of an identifier that may be stored and compared.
//!
//! Equal input gives equal tokens, under a key that lies outside the database. Whoever has the key
//! can find every identifier by trying, so the key is the asset.
//!
//! There are three groups. *Keys* find a record: each becomes a name in the index, so each rests on
//! a form of the given name with a part of the date of birth, or on an official number; surname,
//! home and telephone alone find nobody. Only a record without a date of birth is found by both
//! names, or what they begin with, and a home, a telephone or an e-mail address, and never linked by
//! them. *Log names* are what the log lists its entries under: whole names with whole dates, so that a list is hers and not her sister's. *Comparisons* are of
//! single fields. They are kept inside sealed records only and are never a name in the index,
//! because they would show there how often each value occurs and who shares a home. Without them
//! a spelling, a slip of a date or a change of surname could not be told from another person.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The version of folding and parsing under which tokens are made; part of every key.
///
/// Tokens of two versions never compare. Whoever raises it after a release must give the new tokens
/// kinds of their own, or else two records of one person would seem to contradict each other.
pub const NORMALISER_VERSION: u8 = 2;

/// 16 bytes of HMAC-SHA256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct Token([u8; 16]);

impl Token {
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// What a token was made of. Each kind has a key of its own. In each list of tokens they are sorted
/// by these numbers; those that name her in the log come first, the strongest of all at the top.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum TokenKind {
    /// The NHS number. Also a key and a comparison.
    Nhs = 1,
    /// NHS number and given name: shows a number that was typed on someone else's record.
    NhsGiven = 2,
    /// NHS number and full date of birth: the same.
    NhsBirth = 3,
    /// Given name, family name and full date of birth.
    NameBirth = 4,
    /// The same with the postcode.
    NameBirthPostcode = 5,
    /// The same with one telephone number.
    NameBirthPhone = 6,
    /// The same with one e-mail address.
    NameBirthEmail = 7,
    /// A police number, where one may be held at all: never in a victim's record.
    Pnc = 16,
    /// Given name, coarse, and full date of birth.
    GivenBirth = 17,
    /// First three letters of the given name and full date of birth: finds a name so misspelt
    /// that it sounds otherwise.
    GivenStartBirth = 18,
    /// Both names, coarse, in alphabetical order, and full date of birth: finds swapped names.
    NamesBirth = 19,
    /// Both names, coarse, and year of birth: finds a slip of day or month, and 1 January.
    NamesYear = 20,
    /// Both names, coarse, with day and month of birth: finds a slip of the year.
    NamesDay = 21,
    /// First letter of the given name, family name, coarse, and full date of birth: finds a given
    /// name misspelt at its beginning.
    InitialFamilyBirth = 22,
    /// Both names, coarse, in alphabetical order, and the postcode. Without a date of birth, so it
    /// finds only records of which one has none, for a person to look at.
    NamesPostcode = 23,
    /// The same with one telephone number.
    NamesPhone = 24,
    /// The same with one e-mail address.
    NamesEmail = 25,
    /// The first two letters of both names, in alphabetical order, and full date of birth: finds
    /// names that were swapped and misspelt so that they sound otherwise.
    StartsBirth = 26,
    /// The same letters with a home, nearly. Without a date of birth, as with the postcode.
    StartsHome = 27,
    /// The given name.
    Given = 32,
    /// A spelling of the given name: one for all its spellings.
    GivenSpelling = 33,
    /// A given name and its short form, of which she has one.
    GivenShort = 34,
    /// The given name, and it with each letter left out: shared where one slip is between two.
    GivenEdit = 35,
    /// Each part of a given name.
    GivenPart = 36,
    /// The sound of the given name.
    GivenSound = 37,
    /// The given name is in the table of names: the same for all of these.
    GivenListed = 38,
    /// The family name.
    Family = 39,
    /// A spelling of the family name.
    FamilySpelling = 40,
    /// The family name, and it with each letter left out.
    FamilyEdit = 41,
    /// Each part of a family name.
    FamilyPart = 42,
    /// The sound of the family name.
    FamilySound = 43,
    /// Both names in alphabetical order: equal where they were swapped.
    Names = 44,
    /// Their sounds in alphabetical order: equal where they were swapped and misspelt.
    NamesSound = 45,
    /// The full date of birth.
    Birth = 46,
    /// The year of birth: all that 1 January tells.
    BirthYear = 47,
    /// The date with one digit of day, month or last of the year left out.
    BirthSlip = 48,
    /// The year with day and month in order of size.
    BirthSwap = 49,
    /// The postcode.
    Postcode = 50,
    /// One telephone number.
    Phone = 51,
    /// One e-mail address.
    Email = 52,
    /// House number and street.
    Address = 53,
    /// House number and what the street, or the name of the house, begins with.
    AddressNear = 54,
    /// The first two letters of both names in alphabetical order, where they differ.
    Starts = 55,
    /// Of these the given name's stand first: two records that share [`Self::Starts`] have their
    /// names in the other order where only one has this. The same for everybody.
    GivenFirst = 56,
}

impl TokenKind {
    pub const ALL: [Self; 44] = [
        Self::Nhs,
        Self::NhsGiven,
        Self::NhsBirth,
        Self::NameBirth,
        Self::NameBirthPostcode,
        Self::NameBirthPhone,
        Self::NameBirthEmail,
        Self::Pnc,
        Self::GivenBirth,
        Self::GivenStartBirth,
        Self::NamesBirth,
        Self::NamesYear,
        Self::NamesDay,
        Self::InitialFamilyBirth,
        Self::NamesPostcode,
        Self::NamesPhone,
        Self::NamesEmail,
        Self::StartsBirth,
        Self::StartsHome,
        Self::Given,
        Self::GivenSpelling,
        Self::GivenShort,
        Self::GivenEdit,
        Self::GivenPart,
        Self::GivenSound,
        Self::GivenListed,
        Self::Family,
        Self::FamilySpelling,
        Self::FamilyEdit,
        Self::FamilyPart,
        Self::FamilySound,
        Self::Names,
        Self::NamesSound,
        Self::Birth,
        Self::BirthYear,
        Self::BirthSlip,
        Self::BirthSwap,
        Self::Postcode,
        Self::Phone,
        Self::Email,
        Self::Address,
        Self::AddressNear,
        Self::Starts,
        Self::GivenFirst,
    ];

    /// Finds a record: may be a name in the index. Nothing else may.
    pub const fn is_key(self) -> bool {
        matches!(
            self,
            Self::Nhs
                | Self::Pnc
                | Self::GivenBirth
                | Self::GivenStartBirth
                | Self::NamesBirth
                | Self::NamesYear
                | Self::NamesDay
                | Self::InitialFamilyBirth
                | Self::NamesPostcode
                | Self::NamesPhone
                | Self::NamesEmail
                | Self::StartsBirth
                | Self::StartsHome
        )
    }

    /// Names a person in the log: nobody else has the same, but for a namesake born on her day.
    pub const fn names_in_log(self) -> bool {
        matches!(
            self,
            Self::Nhs
                | Self::NhsGiven
                | Self::NhsBirth
                | Self::NameBirth
                | Self::NameBirthPostcode
                | Self::NameBirthPhone
                | Self::NameBirthEmail
        )
    }

    /// The name in key derivation. Never change one: every stored token would be lost.
    const fn label(self) -> &'static str {
        match self {
            Self::Nhs => "nhs",
            Self::NhsGiven => "nhs-given",
            Self::NhsBirth => "nhs-birth",
            Self::NameBirth => "name-birth",
            Self::NameBirthPostcode => "name-birth-postcode",
            Self::NameBirthPhone => "name-birth-phone",
            Self::NameBirthEmail => "name-birth-email",
            Self::Pnc => "pnc",
            Self::GivenBirth => "given-birth",
            Self::GivenStartBirth => "given-start-birth",
            Self::NamesBirth => "names-birth",
            Self::NamesYear => "names-year",
            Self::NamesDay => "names-day",
            Self::InitialFamilyBirth => "initial-family-birth",
            Self::NamesPostcode => "names-postcode",
            Self::NamesPhone => "names-phone",
            Self::NamesEmail => "names-email",
            Self::StartsBirth => "starts-birth",
            Self::StartsHome => "starts-home",
            Self::Given => "given",
            Self::GivenSpelling => "given-spelling",
            Self::GivenShort => "given-short",
            Self::GivenEdit => "given-edit",
            Self::GivenPart => "given-part",
            Self::GivenSound => "given-sound",
            Self::GivenListed => "given-listed",
            Self::Family => "family",
            Self::FamilySpelling => "family-spelling",
            Self::FamilyEdit => "family-edit",
            Self::FamilyPart => "family-part",
            Self::FamilySound => "family-sound",
            Self::Names => "names",
            Self::NamesSound => "names-sound",
            Self::Birth => "birth",
            Self::BirthYear => "birth-year",
            Self::BirthSlip => "birth-slip",
            Self::BirthSwap => "birth-swap",
            Self::Postcode => "postcode",
            Self::Phone => "phone",
            Self::Email => "email",
            Self::Address => "address",
            Self::AddressNear => "address-near",
            Self::Starts => "starts",
            Self::GivenFirst => "given-first",
        }
    }
}

/// A token and what it was made of, as it is stored, so that evidence keeps its kind.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct TaggedToken {
    pub kind: TokenKind,
    pub token: Token,
}

/// The tokens that may be names in the index.
pub fn keys_of(tokens: &[TaggedToken]) -> impl Iterator<Item = Token> {
    tokens
        .iter()
        .filter(|tagged| tagged.kind.is_key())
        .map(|tagged| tagged.token)
}

/// Whose tokens they are. Each lane has keys of its own, so that no token of one ever equals a token
/// of another, whatever both are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Lane {
    /// Of those for whom all of this is.
    Hers = 1,
    /// Of whom they are to be kept safe from ([`super::beside`]).
    OtherParty = 2,
    /// Of the parent under whom a child is recorded.
    Parent = 3,
}

impl Lane {
    pub const ALL: [Self; 3] = [Self::Hers, Self::OtherParty, Self::Parent];

    /// The name in key derivation. Never change one: every stored token would be lost.
    const fn label(self) -> &'static str {
        match self {
            Self::Hers => "link-token",
            Self::OtherParty => "other-party-token",
            Self::Parent => "parent-token",
        }
    }
}

/// One HMAC key for each lane and kind of token.
///
/// `HKDF-SHA256(link_key, info = "firedoor/<lane>/v2/<kind>")`, 64 bytes: the block size of
/// SHA-256, so that HMAC takes it as it is. Kept as begun HMACs, which wipe themselves (the
/// `zeroize` feature of `hmac` and `sha2`), so that a token costs two blocks of SHA-256.
pub struct TokenKeys {
    kinds: Vec<Hmac<Sha256>>,
    other_party: Vec<Hmac<Sha256>>,
    parent: Vec<Hmac<Sha256>>,
    household: Hmac<Sha256>,
}

impl TokenKeys {
    pub fn derive(link_key: &[u8; 32]) -> Self {
        let root = Hkdf::<Sha256>::new(None, link_key);
        let version = NORMALISER_VERSION.to_string();
        let labelled = |lane: Lane, label: &str| {
            let mut out = Zeroizing::new([0; 64]);
            let info = [
                b"firedoor/",
                lane.label().as_bytes(),
                b"/v",
                version.as_bytes(),
                b"/",
                label.as_bytes(),
            ];
            let filled = root.expand_multi_info(&info, out.as_mut_slice()).is_ok();
            // Two blocks; HKDF gives up to 255. A key of zeros must never be used.
            assert!(filled, "HKDF gives 64 bytes");
            Hmac::new((&*out).into())
        };
        let of = |lane| TokenKind::ALL.map(|kind| labelled(lane, kind.label()));
        Self {
            kinds: of(Lane::Hers).into(),
            other_party: of(Lane::OtherParty).into(),
            parent: of(Lane::Parent).into(),
            household: labelled(Lane::Hers, "household"),
        }
    }

    /// Each part is preceded by its length, so that no two lists of parts look alike.
    pub(super) fn token(&self, lane: Lane, kind: TokenKind, parts: &[&str]) -> TaggedToken {
        let kinds = match lane {
            Lane::Hers => &self.kinds,
            Lane::OtherParty => &self.other_party,
            Lane::Parent => &self.parent,
        };
        let mut begun = TokenKind::ALL.iter().zip(kinds);
        let begun = begun.find(|(known, _)| **known == kind);
        // Every kind is among them: a test sees to it that no two kinds share a key.
        let begun = begun.map_or(&self.household, |(_, begun)| begun);
        TaggedToken {
            kind,
            token: keyed(begun, parts),
        }
    }

    pub(super) fn household(&self, parts: &[&str]) -> Token {
        keyed(&self.household, parts)
    }
}

fn keyed(begun: &Hmac<Sha256>, parts: &[&str]) -> Token {
    let mut mac = begun.clone();
    for part in parts {
        // A field has at most 1,000 bytes, and a letter transliterates to a few.
        mac.update(&u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
        mac.update(part.as_bytes());
    }
    let whole: [u8; 32] = mac.finalize().into_bytes().into();
    let mut short = [0; 16];
    short.copy_from_slice(whole.split_at(16).0);
    Token(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> TokenKeys {
        TokenKeys::derive(&[7; 32])
    }

    #[test]
    fn another_key_lane_or_kind_gives_another_token() {
        let other = TokenKeys::derive(&[8; 32]);
        let mut seen = std::collections::BTreeSet::new();
        for lane in Lane::ALL {
            for kind in TokenKind::ALL {
                let token = |keys: TokenKeys| keys.token(lane, kind, &["x"]).token;
                assert!(seen.insert(token(keys())), "{lane:?} {kind:?}");
                assert!(
                    seen.insert(other.token(lane, kind, &["x"]).token),
                    "{lane:?} {kind:?}"
                );
            }
        }
        assert!(seen.insert(keys().household(&["x"])));
    }

    #[test]
    fn where_a_part_ends_changes_a_token() {
        let token = |parts: &[&str]| keys().token(Lane::Hers, TokenKind::NameBirth, parts).token;
        assert_ne!(token(&["ann", "abell"]), token(&["anna", "bell"]));
        assert_ne!(token(&["ann"]), token(&["ann", ""]));
    }

    #[test]
    fn each_kind_is_listed_once_with_a_label_of_its_own_and_fits_a_set_of_bits() {
        let labels: std::collections::BTreeSet<&str> =
            TokenKind::ALL.into_iter().map(TokenKind::label).collect();
        assert_eq!(labels.len(), TokenKind::ALL.len());
        assert!(TokenKind::ALL.is_sorted());
        assert!(TokenKind::ALL.into_iter().all(|kind| (kind as u8) < 64));
    }

    #[test]
    fn what_stands_in_the_index_or_in_the_log_is_no_single_field() {
        let named: Vec<TokenKind> = TokenKind::ALL
            .into_iter()
            .filter(|kind| kind.is_key() || kind.names_in_log())
            .collect();
        insta::assert_snapshot!(
            named.iter().map(|kind| kind.label()).collect::<Vec<_>>().join("\n"),
            @"
        nhs
        nhs-given
        nhs-birth
        name-birth
        name-birth-postcode
        name-birth-phone
        name-birth-email
        pnc
        given-birth
        given-start-birth
        names-birth
        names-year
        names-day
        initial-family-birth
        names-postcode
        names-phone
        names-email
        starts-birth
        starts-home
        "
        );
    }

    #[test]
    fn a_token_prints_nothing_of_itself() {
        let tagged = keys().token(Lane::Hers, TokenKind::Nhs, &["x"]);
        assert_eq!(
            format!("{tagged:?}"),
            "TaggedToken { kind: Nhs, token: Token(..) }"
        );
    }
}
