//! Keyed tokens: the only trace of an identifier that may be stored and compared.
//!
//! Equal input gives equal tokens, under a key that lies outside the database. Whoever has the key
//! can find every identifier by trying, so the key is the asset. No token rests on less than an NHS
//! number, or a given name with a full date of birth: single fields would give away how often each
//! value occurs, and people who live together share all the others.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::ZeroizeOnDrop;

use super::identity::Identity;

/// The version of folding and parsing under which tokens are made; part of every key.
///
/// Tokens of two versions never compare. Whoever raises it must give the new tokens kinds of their
/// own, or else two records of one person would seem to contradict each other.
pub const NORMALISER_VERSION: u8 = 1;

/// Shortest folded given name that counts: an initial would make twins equal.
const GIVEN_LETTERS_MIN: usize = 2;

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

/// What a token was made of. Each kind has a key of its own.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum TokenKind {
    /// The NHS number.
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
}

impl TokenKind {
    pub const ALL: [Self; 7] = [
        Self::Nhs,
        Self::NhsGiven,
        Self::NhsBirth,
        Self::NameBirth,
        Self::NameBirthPostcode,
        Self::NameBirthPhone,
        Self::NameBirthEmail,
    ];

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

/// One HMAC key for each kind of token.
///
/// `HKDF-SHA256(link_key, info = "firedoor/link-token/v1/<kind>")`, 64 bytes: the block size of
/// SHA-256, so that HMAC takes it as it is.
#[derive(ZeroizeOnDrop)]
pub struct TokenKeys {
    nhs: [u8; 64],
    nhs_given: [u8; 64],
    nhs_birth: [u8; 64],
    name_birth: [u8; 64],
    name_birth_postcode: [u8; 64],
    name_birth_phone: [u8; 64],
    name_birth_email: [u8; 64],
    household: [u8; 64],
}

impl TokenKeys {
    pub fn derive(link_key: &[u8; 32]) -> Self {
        let root = Hkdf::<Sha256>::new(None, link_key);
        let version = NORMALISER_VERSION.to_string();
        let labelled = |label: &str| {
            let mut out = [0; 64];
            let info = [
                b"firedoor/link-token/v",
                version.as_bytes(),
                b"/",
                label.as_bytes(),
            ];
            let filled = root.expand_multi_info(&info, &mut out).is_ok();
            // Two blocks; HKDF gives up to 255. A key of zeros must never be used.
            assert!(filled, "HKDF gives 64 bytes");
            out
        };
        let key = |kind: TokenKind| labelled(kind.label());
        Self {
            nhs: key(TokenKind::Nhs),
            nhs_given: key(TokenKind::NhsGiven),
            nhs_birth: key(TokenKind::NhsBirth),
            name_birth: key(TokenKind::NameBirth),
            name_birth_postcode: key(TokenKind::NameBirthPostcode),
            name_birth_phone: key(TokenKind::NameBirthPhone),
            name_birth_email: key(TokenKind::NameBirthEmail),
            household: labelled("household"),
        }
    }

    fn key(&self, kind: TokenKind) -> &[u8; 64] {
        match kind {
            TokenKind::Nhs => &self.nhs,
            TokenKind::NhsGiven => &self.nhs_given,
            TokenKind::NhsBirth => &self.nhs_birth,
            TokenKind::NameBirth => &self.name_birth,
            TokenKind::NameBirthPostcode => &self.name_birth_postcode,
            TokenKind::NameBirthPhone => &self.name_birth_phone,
            TokenKind::NameBirthEmail => &self.name_birth_email,
        }
    }

    /// Each part is preceded by its length, so that no two lists of parts look alike.
    fn token(&self, kind: TokenKind, parts: &[&str]) -> TaggedToken {
        TaggedToken {
            kind,
            token: keyed(self.key(kind), parts),
        }
    }
}

fn keyed(key: &[u8; 64], parts: &[&str]) -> Token {
    let mut mac = Hmac::<Sha256>::new(key.into());
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    let whole: [u8; 32] = mac.finalize().into_bytes().into();
    let mut short = [0; 16];
    short.copy_from_slice(whole.split_at(16).0);
    Token(short)
}

/// A person as the gateway compares her: keyed tokens and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    tokens: Vec<TaggedToken>,
    household: Option<Token>,
}

impl Person {
    /// Sorted, without repetition; at most 15. Empty when nothing given is proof enough of anyone,
    /// such as a name without a full date of birth: such a record is never linked.
    pub fn tokens(&self) -> &[TaggedToken] {
        &self.tokens
    }

    /// Of surname and postcode. It speaks of a family, not of her: it is never kept with a record
    /// and links nothing. The rules of the watch compare it, within hours and with who was flagged.
    pub const fn household(&self) -> Option<Token> {
        self.household
    }

    pub(super) fn of(identity: &Identity, keys: &TokenKeys) -> Self {
        let Identity { who, whereabouts } = identity;
        let given = who
            .given_name()
            .and_then(|name| name.folded().meaningful())
            .filter(|name| name.len() >= GIVEN_LETTERS_MIN);
        let family = who
            .family_name()
            .and_then(|name| name.folded().meaningful());
        let birth = who
            .birth_date()
            .filter(|date| !date.year_only())
            .map(|date| date.iso());

        let mut tokens = Vec::new();
        if let Some(number) = who.nhs_number() {
            tokens.push(keys.token(TokenKind::Nhs, &[number.as_str()]));
            if let Some(given) = &given {
                tokens.push(keys.token(TokenKind::NhsGiven, &[number.as_str(), given]));
            }
            if let Some(birth) = &birth {
                tokens.push(keys.token(TokenKind::NhsBirth, &[number.as_str(), birth]));
            }
        }
        if let (Some(given), Some(family), Some(birth)) = (&given, &family, &birth) {
            let name_birth = [given.as_str(), family.as_str(), birth.as_str()];
            let [given, family, birth] = name_birth;
            tokens.push(keys.token(TokenKind::NameBirth, &name_birth));
            let mut with =
                |kind, other| tokens.push(keys.token(kind, &[given, family, birth, other]));
            if let Some(postcode) = whereabouts.postcode() {
                with(TokenKind::NameBirthPostcode, postcode.as_str());
            }
            for phone in whereabouts.phones() {
                with(TokenKind::NameBirthPhone, phone.as_str());
            }
            for email in whereabouts.emails() {
                with(TokenKind::NameBirthEmail, email.as_str());
            }
        }
        tokens.sort_unstable();
        tokens.dedup();
        let household = family.as_ref().zip(whereabouts.postcode());
        let household = household
            .map(|(family, postcode)| keyed(&keys.household, &[family, postcode.as_str()]));
        Self { tokens, household }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{RawFields, RawIdentifier, resolve};
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    fn keys() -> TokenKeys {
        TokenKeys::derive(&[7; 32])
    }

    fn fields(given: &str, family: &str, birth: &str) -> RawFields {
        let mut fields = RawFields::default();
        fields.given_name = Some(given.to_owned());
        fields.family_name = Some(family.to_owned());
        fields.birth_date = Some(birth.to_owned());
        fields
    }

    fn person(fields: RawFields) -> Person {
        resolve(RawIdentifier::new(fields), &keys(), date(2026, 11, 20))
            .ok()
            .unwrap()
            .0
    }

    fn kinds(person: &Person) -> Vec<TokenKind> {
        person.tokens().iter().map(|tagged| tagged.kind).collect()
    }

    #[test]
    fn every_identifier_gives_its_tokens() {
        let mut all = fields("Siân", "O’Brien", "1990-05-02");
        all.nhs_number = Some("9990000018".to_owned());
        all.postcode = Some("E8 1DY".to_owned());
        all.phone = vec!["07700 900123".to_owned(), "+447700900123".to_owned()];
        all.email = vec!["a@example.org".to_owned(), "b@example.org".to_owned()];
        let mut expected = TokenKind::ALL.to_vec();
        expected.push(TokenKind::NameBirthEmail);
        assert_eq!(kinds(&person(all)), expected);
    }

    #[test]
    fn no_token_rests_on_a_partial_name_or_date() {
        assert!(
            person(fields("", "O’Brien", "1990-05-02"))
                .tokens()
                .is_empty()
        );
        assert!(person(fields("Siân", "", "1990-05-02")).tokens().is_empty());
        assert!(person(fields("Siân", "O’Brien", "")).tokens().is_empty());
        assert!(
            person(fields("Siân", "O’Brien", "1990-01-01"))
                .tokens()
                .is_empty()
        );
        assert!(
            person(fields("S.", "O’Brien", "1990-05-02"))
                .tokens()
                .is_empty()
        );
        assert!(
            person(fields("Unknown", "O’Brien", "1990-05-02"))
                .tokens()
                .is_empty()
        );
        let mut number = fields("S", "O’Brien", "1990-01-01");
        number.nhs_number = Some("9990000018".to_owned());
        assert_eq!(kinds(&person(number)), [TokenKind::Nhs]);
    }

    #[test]
    fn spelling_does_not_change_a_token_and_where_a_name_ends_does() {
        assert_eq!(
            person(fields("SIAN", "O'Brien", "1990-05-02")),
            person(fields("Siân", "OBrien", "1990-05-02"))
        );
        assert_ne!(
            person(fields("Ann", "Abell", "1990-05-02")),
            person(fields("Anna", "Bell", "1990-05-02"))
        );
    }

    /// Stored tokens must be found again for years: these bytes may only change with
    /// `NORMALISER_VERSION`.
    #[test]
    fn tokens_of_version_one_are_fixed() {
        let mut all = fields("Siân", "O’Brien", "1990-05-02");
        all.nhs_number = Some("9990000018".to_owned());
        all.postcode = Some("E8 1DY".to_owned());
        all.phone = vec!["07700 900123".to_owned()];
        all.email = vec!["a@example.org".to_owned()];
        let table: Vec<String> = person(all)
            .tokens()
            .iter()
            .map(|TaggedToken { kind, token }| {
                format!("{kind:?} {:032x}", u128::from_be_bytes(*token.bytes()))
            })
            .collect();
        insta::assert_snapshot!(table.join("\n"), @"
        Nhs b167dc19cd72290747f3392f43e9e3ce
        NhsGiven 85c81fb10941f539b3a837264bad16ad
        NhsBirth 11998d93e8d95d5d0ce1d4b55da60da1
        NameBirth 37c13808a076c38eafea7c5de703e765
        NameBirthPostcode 1b11951549338a419fdd9393579b6e75
        NameBirthPhone 18be670f206686f59caaeb75fe07b03c
        NameBirthEmail 530241e235c1f1a79ed7c5753ddbe3b7
        ");
    }

    #[test]
    fn another_key_or_kind_gives_another_token() {
        let other = TokenKeys::derive(&[8; 32]);
        let mut seen = std::collections::BTreeSet::new();
        for kind in TokenKind::ALL {
            assert!(seen.insert(keys().token(kind, &["x"]).token));
            assert!(seen.insert(other.token(kind, &["x"]).token));
        }
    }

    #[test]
    fn a_token_prints_nothing_of_itself() {
        let tagged = keys().token(TokenKind::Nhs, &["x"]);
        assert_eq!(
            format!("{tagged:?}"),
            "TaggedToken { kind: Nhs, token: Token(..) }"
        );
    }

    proptest! {
        #[test]
        fn resolving_never_panics(given: String, family: String, other: String) {
            let mut raw = fields(&given, &family, "1990-05-02");
            raw.other_names = vec![other.clone()];
            raw.address_line = Some(other);
            let _ = resolve(RawIdentifier::new(raw), &keys(), date(2026, 11, 20));
        }
    }
}
